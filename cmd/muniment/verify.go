package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"muniment/internal/config"
	"muniment/internal/daemon"
	"muniment/internal/disposal"
	"muniment/internal/ledger"
	"muniment/internal/record"
	"muniment/internal/sqlite"
	"muniment/internal/verify"
)

// errDamaged is returned when the archive does not verify.
var errDamaged = errors.New("the archive does not verify")

func (a *app) verifyCommand() *cobra.Command {
	var checkpoint, certificate, reference, proof, key string
	c := &cobra.Command{
		Use:   "verify",
		Short: "Prove that nothing was altered, added or removed since capture",
		Long: `Verify computes every record and journal entry anew and compares it with the
ledger, rebuilds the ledger's tree, and compares it with its signed checkpoints. What
could be read only after it was captured, it compares with the journal. It reads every
photo and other file and compares it with what was delivered. It needs no rest: the
daemon may run meanwhile.

With --checkpoint it also compares the archive with a checkpoint from elsewhere,
such as the one in a certificate: save the email, or the five lines. That shows that
even somebody with this machine's keys has not rewritten what was there then.

With --reference it does the same with the integrity reference at the end of an emailed
conversation, typed from the email or from paper.

With --certificate it also compares a certificate of destruction that was saved as JSON:
its signature, what it says of each record, and that the journal commits to it.

With --proof it checks a file that "muniment prove" wrote, and says what that proves. It
needs neither archive nor configuration for that: anybody can do it, anywhere. All rests
on the ledger's public key, which stands in the file and in every digest: compare them,
or give the key from the digest with --key, or the digest itself with --checkpoint.

Exit code 3 means that something is wrong; what, is printed.`,
		Example: `  muniment verify
  muniment verify --checkpoint certificate.eml
  muniment verify --certificate certificate-3.json
  muniment verify --reference 1204-0ac5186a91863e8e1d90c808
  muniment verify --proof record-14.json --checkpoint digest.eml`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			others, err := readCheckpoint(checkpoint)
			if err != nil {
				return err
			}
			if proof != "" {
				return checkProof(c.OutOrStdout(), proof, key, others)
			}
			if key != "" {
				return usageError{errors.New("--key goes with --proof: the archive has its own")}
			}
			references, err := readReference(reference)
			if err != nil {
				return err
			}
			if certificate != "" {
				its, err := readCheckpoint(certificate)
				if err != nil {
					return err
				}
				others = append(others, its...)
			}
			r, err := a.verify(c.Context(), others, references)
			if err != nil {
				return err
			}
			if certificate != "" {
				if err := a.checkCertificate(c.Context(), certificate, &r); err != nil {
					return err
				}
			}
			return printReport(c.OutOrStdout(), r)
		},
	}
	c.Flags().StringVar(&checkpoint, "checkpoint", "", "compare with the signed checkpoint in this `file` too")
	c.Flags().StringVar(&certificate, "certificate", "", "compare with the certificate of destruction in this `file` too")
	c.Flags().StringVar(&reference, "reference", "", "compare with this integrity `reference` too")
	c.Flags().StringVar(&proof, "proof", "", "check this `file`, which \"muniment prove\" wrote, and not the archive")
	c.Flags().StringVar(&key, "key", "", "the public `key` that the proof must rest on, as a digest gives it")
	return c
}

// checkCertificate adds to r what is wrong with a certificate that somebody saved.
func (a *app) checkCertificate(ctx context.Context, path string, r *verify.Report) error {
	given, err := os.ReadFile(path)
	if err != nil {
		return usageError{fmt.Errorf("read the certificate: %w", err)}
	}
	return a.withArchive(ctx, func(_ config.Config, home daemon.Home, db *sqlite.DB) error {
		key, err := home.OpenKey()
		if err != nil {
			return err
		}
		return db.Read(ctx, func(tx *sqlite.Tx) error {
			checked, err := disposal.Check(tx, key, given)
			if err != nil {
				return usageError{fmt.Errorf("%s: %w", path, err)}
			}
			for _, f := range checked.Faults {
				r.Faults = append(r.Faults, fmt.Sprintf("the certificate of destruction %d that was given: %s", checked.Number, f))
			}
			return nil
		})
	})
}

// readCheckpoint finds the checkpoints in a file that somebody made of an email or
// a certificate.
func readCheckpoint(path string) ([]string, error) {
	if path == "" {
		return nil, nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, usageError{fmt.Errorf("read the checkpoint: %w", err)}
	}
	notes := ledger.Find(string(b))
	if len(notes) == 0 {
		return nil, usageError{fmt.Errorf("there is no checkpoint in %s: it has five lines, from \"muniment\" to the one that begins \"— muniment\"; copy them again, or give the whole email or certificate", path)}
	}
	return notes, nil
}

// readReference reads an integrity reference that somebody typed.
func readReference(typed string) ([]ledger.Reference, error) {
	if typed == "" {
		return nil, nil
	}
	r, err := ledger.ParseReference(typed)
	if err != nil {
		return nil, usageError{fmt.Errorf("--reference: %w", err)}
	}
	return []ledger.Reference{r}, nil
}

// verify verifies the archive. What keeps it from being read at all is a finding
// like any other.
func (a *app) verify(ctx context.Context, others []string, references []ledger.Reference) (r verify.Report, err error) {
	err = a.withArchive(ctx, func(_ config.Config, home daemon.Home, db *sqlite.DB) error {
		key, err := home.OpenKey()
		if err != nil {
			r.Faults = []string{fmt.Sprintf("the key that checks the ledger's signatures is damaged or missing: %v", err)}
			return nil
		}
		r, err = verify.Run(ctx, db, key, verify.With{Disposal: disposal.Faults,
			Files: home.Vault(db), Checkpoints: key.Own(others), References: references, Differs: daemon.Differs, Progress: progress("verifying"),
		})
		return err
	})
	if err != nil && sqlite.Damaged(err) {
		return verify.Report{Faults: []string{err.Error()}}, nil
	}
	return r, err
}

// progress shows progress at a terminal, and nothing elsewhere.
func progress(what string) func(done, all int64) {
	if !term.IsTerminal(int(os.Stderr.Fd())) {
		return nil
	}
	var bar *progressbar.ProgressBar
	return func(done, all int64) {
		if bar == nil {
			bar = progressbar.Default(all, what)
		}
		_ = bar.Set64(done) // a terminal that does not take it loses nothing
	}
}

func printReport(out io.Writer, r verify.Report) error {
	if r.OK() {
		fmt.Fprintf(out, `The archive verifies.

  %d records are what they were when captured
  %d records were destroyed lawfully; their stubs stand
  %d journal entries are what they were when written
  %d photos and other files are what was delivered
  %d signed checkpoints agree with the ledger of %d leaves
`, r.Records, r.Stubs, r.Entries, r.Files, r.Checkpoints, r.Leaves)
		if r.Reread > 0 {
			fmt.Fprintf(out, "  %d of the records could not be read when captured, and say what was read in them since\n", r.Reread)
		}
		printLosses(out, r)
		if len(r.Otherwise) > 0 {
			fmt.Fprintf(out, "\nThis version would read records %s in another way than was read then. They stay as they are.\n", record.Spans(r.Otherwise))
		}
		return nil
	}
	fmt.Fprint(out, "The archive does NOT verify:\n\n")
	for _, f := range r.Faults {
		fmt.Fprintf(out, "  %s\n", f)
	}
	if r.More > 0 {
		fmt.Fprintf(out, "  and %d more\n", r.More)
	}
	printLosses(out, r)
	fmt.Fprint(out, "\nIf nothing but the checkpoint given is wrong, first make sure that it was copied whole\nand is of this archive. Else: stop the service, keep the state directory as it is, and tell the clerk.\n")
	return errDamaged
}

// printLosses tells of what was lost with a machine and not restored.
func printLosses(out io.Writer, r verify.Report) {
	for _, l := range r.Losses {
		s := l.String()
		fmt.Fprintf(out, "\n%s%s.\n", strings.ToUpper(s[:1]), s[1:])
	}
}
