package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"muniment/internal/archive"
	"muniment/internal/config"
	"muniment/internal/daemon"
	"muniment/internal/journal"
	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/saying"
	"muniment/internal/sqlite"
	"muniment/internal/verify"
)

func (a *app) proveCommand() *cobra.Command {
	var file string
	var by actor
	c := &cobra.Command{
		Use:   "prove RECORD -o FILE",
		Short: "Write a file that proves one record to somebody outside",
		Long: `Prove writes a small file that shows that a record stands in the ledger as it was
captured. Whoever is given it can check it by "muniment verify --proof FILE", without
the archive and without trusting who gave it: to a court, an auditor, the other side.

The file says what the record says, and when it was sent and captured. By which number
or address WhatsApp knows anybody is not in it; a mention stands as "@[mention 1]". What
is left out so is committed to all the same, and nobody can put anything else there.

Of a destroyed record the file shows where it stood, and that it was destroyed under
which rule. What it said nobody can prove any more.

The file discloses what was written: give it only to whom it is for. Nobody destroys it
when the record falls due.`,
		Example: `  sudo muniment prove 14 -o record-14.json --for "Jo Marsh" --reason "complaint C-2026-02"
  muniment verify --proof record-14.json`,
		Args: oneNumber("the number of the record, as `muniment records` shows it"),
		RunE: func(c *cobra.Command, args []string) error {
			n, _ := strconv.ParseInt(args[0], 10, 64) // checked by Args
			if file == "" {
				return usageError{errors.New("say into which file: muniment prove 14 -o record-14.json")}
			}
			out, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) // while root's rights are there
			if errors.Is(err, fs.ErrExist) {
				return usageError{fmt.Errorf("there is a %s already: name another file", file)}
			} else if err != nil {
				return err
			}
			err = errors.Join(a.prove(c, out, record.Seq(n), by), out.Close())
			if err != nil {
				return errors.Join(err, os.Remove(file))
			}
			fmt.Fprintf(c.OutOrStdout(), "%s proves record %d. Check it with: muniment verify --proof %s\n", file, n, file)
			return nil
		},
	}
	c.Flags().StringVarP(&file, "output", "o", "", "write to this `file`, which must not be there yet")
	return by.flags(c, true)
}

// prove writes the proof of a record to out. The journal knows before it is written.
func (a *app) prove(c *cobra.Command, out *os.File, seq record.Seq, by actor) error {
	var p verify.Proof
	err := a.withArchive(c.Context(), func(_ config.Config, home daemon.Home, db *sqlite.DB) error {
		key, err := home.OpenKey()
		if err != nil {
			return err
		}
		return db.Write(c.Context(), func(tx *sqlite.Tx) error {
			may, err := provable(tx, seq)
			if err != nil {
				return err
			}
			if err := journal.Write(tx, journal.Entry{At: now(), Who: by.who, Act: journal.Proved, Reason: by.reason,
				About: journal.About{"record": seq}}); err != nil {
				return err
			}
			p, err = verify.Prove(tx, key, now(), seq, may)
			if err != nil {
				return fmt.Errorf("prove record %d: %w", seq, err)
			}
			return nil
		})
	})
	if err != nil {
		return err
	}
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(p)
}

// provable returns which of a record's sealed facts may be shown to somebody outside: what
// is written in them, and no number or address by which WhatsApp knows anybody. In doubt
// it is withheld.
func provable(tx *sqlite.Tx, seq record.Seq) (func(record.Fact) bool, error) {
	names, err := people.LoadNames(tx)
	if err != nil {
		return nil, err
	}
	some, err := archive.Some(tx, []record.Seq{seq})
	if err != nil || len(some) == 0 {
		return func(record.Fact) bool { return false }, err
	}
	r, teller := some[0], saying.Teller{Names: names}
	return func(f record.Fact) bool {
		switch f.Name {
		case "push-name":
			return !people.HoldsNumber(f.Value)
		case "text":
			told := r.Kind == record.Participants || r.Kind == record.Group // by a phone or by WhatsApp
			return f.Value == r.Text && teller.Text(r) == r.Text && (!told || !people.HoldsNumber(r.Text))
		case "words":
			words := r
			words.Text, words.Mentions = f.Value, nil
			return teller.Text(words) == f.Value
		case "details":
			return teller.Details(r.Details).Encode() == f.Value
		}
		return false
	}, nil
}

func (a *app) keyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "key",
		Short: "Print the public key that checks the ledger's signatures",
		Long: `Key prints the public key of this archive's ledger, one line. It is no secret: every
digest bears it. Checkpoints, certificates and proofs are checked with it, by this
program or by any other that reads signed notes (C2SP) with Ed25519.`,
		Example: "  muniment key",
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := a.load()
			if err != nil {
				return err
			}
			key, err := daemon.Home(cfg.StateDirectory).OpenKey()
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(c.OutOrStdout(), key.Public())
			return err
		},
	}
}
