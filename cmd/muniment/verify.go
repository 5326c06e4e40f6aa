package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"muniment/internal/config"
	"muniment/internal/daemon"
	"muniment/internal/sqlite"
	"muniment/internal/verify"
)

// errDamaged is returned when the archive does not verify.
var errDamaged = errors.New("the archive does not verify")

func (a *app) verifyCommand() *cobra.Command {
	var checkpoint string
	c := &cobra.Command{
		Use:   "verify",
		Short: "Prove that nothing was altered, added or removed since capture",
		Long: `Verify computes every record and journal entry anew and compares it with the
ledger, rebuilds the ledger's tree, and compares it with its signed checkpoints.
It needs no rest: the daemon may run meanwhile.

With --checkpoint it also compares the archive with a checkpoint from elsewhere,
such as one in a certificate that was emailed. That shows that even somebody with
this machine's keys has not rewritten what was there then.

Exit code 3 means that something is wrong; what, is printed.`,
		Example: `  muniment verify
  muniment verify --checkpoint certificate-checkpoint.txt`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var others []string
			if checkpoint != "" {
				b, err := os.ReadFile(checkpoint)
				if err != nil {
					return fmt.Errorf("read the checkpoint: %w", err)
				}
				others = append(others, string(b))
			}
			return a.withArchive(c.Context(), func(_ config.Config, home daemon.Home, db *sqlite.DB) error {
				key, err := home.OpenKey()
				if err != nil {
					return err
				}
				r, err := verify.Run(c.Context(), db, key, others, verifyProgress())
				if err != nil {
					return err
				}
				return printReport(c.OutOrStdout(), r)
			})
		},
	}
	c.Flags().StringVar(&checkpoint, "checkpoint", "", "compare with the signed checkpoint in this `file` too")
	return c
}

// verifyProgress shows progress at a terminal, and nothing elsewhere.
func verifyProgress() func(done, all int64) {
	if !term.IsTerminal(int(os.Stderr.Fd())) {
		return nil
	}
	var bar *progressbar.ProgressBar
	return func(done, all int64) {
		if bar == nil {
			bar = progressbar.Default(all, "verifying")
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
  %d signed checkpoints agree with the ledger of %d leaves
`, r.Records, r.Stubs, r.Entries, r.Checkpoints, r.Leaves)
		return nil
	}
	fmt.Fprint(out, "The archive does NOT verify:\n\n")
	for _, f := range r.Faults {
		fmt.Fprintf(out, "  %s\n", f)
	}
	if r.More > 0 {
		fmt.Fprintf(out, "  and %d more\n", r.More)
	}
	fmt.Fprint(out, "\nStop the service, keep the state directory as it is, and tell the clerk.\n")
	return errDamaged
}
