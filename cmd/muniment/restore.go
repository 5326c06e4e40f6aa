package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"muniment/internal/archive"
	"muniment/internal/backup"
	"muniment/internal/config"
	"muniment/internal/daemon"
	"muniment/internal/mail"
	"muniment/internal/sqlite"
)

// fromBackup is what restoring needs to know.
type fromBackup struct {
	from, identity, checkpoint string
	destroyed                  []string
	faults, unknown            bool
}

func (a *app) restoreCommand() *cobra.Command {
	var b fromBackup
	var who actor
	c := &cobra.Command{
		Use:   "restore",
		Short: "Bring the archive back from a backup",
		Long: `Restore brings back the archive from a backup: into a state directory without an archive,
such as on a new machine. It opens the backup with the secret key, verifies it, destroys in it
again what was lawfully destroyed since it was made, copies photos and other files, and puts
the archive in its place last. If it is interrupted, run it again.

What was recorded and decided after the backup is lost, and the archive says so from then on.
Nothing is destroyed until somebody has said that the holds of the lost time were entered
again: muniment disposal confirm-restore.

--from is the backup directory, of which the newest backup is taken, or one file of it, with
media and destroyed beside it. The configuration that is used is that of --config; the one in
the backup is placed beside the archive for comparison, never over it.`,
		Example: `  sudo muniment restore --from /mnt/usb/backups --identity /mnt/usb/key.txt \
      --for "Sam Reed" --reason "the disk failed"
  sudo muniment restore --from /mnt/usb/backups/archive-20261123T023000Z.age --identity key.txt \
      --checkpoint digest.eml --for "Sam Reed" --reason "the disk failed"`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.restore(c, b, who) },
	}
	c.Flags().StringVar(&b.from, "from", "", "the backup `directory`, or one file of it")
	c.Flags().StringVar(&b.identity, "identity", "", "the `file` with the secret key of the backups")
	c.Flags().StringSliceVar(&b.destroyed, "destroyed", nil, "another `directory` with accounts of what was destroyed; may be given more than once")
	c.Flags().StringVar(&b.checkpoint, "checkpoint", "", "the backup must agree with the signed checkpoint in this `file`, such as a digest")
	c.Flags().BoolVar(&b.faults, "accept-faults", false, "restore it even if it does not verify: the record may have been altered")
	c.Flags().BoolVar(&b.unknown, "accept-missing-account", false, "restore it even if the account of a run is missing: what that destroyed comes back")
	return who.flags(c, true)
}

func (a *app) restore(c *cobra.Command, b fromBackup, who actor) error {
	if b.from == "" || b.identity == "" {
		return usageError{errors.New("say from where, and by which key: --from DIRECTORY --identity FILE")}
	}
	// What only root may read, before root's rights are given up.
	identities, err := backup.ReadIdentities(b.identity)
	if err != nil {
		return usageError{err}
	}
	checkpoints, err := readCheckpoint(b.checkpoint)
	if err != nil {
		return err
	}
	file, directory, err := b.source()
	if err != nil {
		return usageError{err}
	}
	cfg, err := a.load()
	if err != nil {
		return err
	}
	home := daemon.Home(cfg.StateDirectory)
	r, release, err := home.Restoring()
	if err != nil {
		return err
	}
	defer release()
	r.From, r.Identities, r.Checkpoints = file, identities, checkpoints
	r.Media, r.Accounts = filepath.Join(directory, backup.MediaDirectory), append([]string{filepath.Join(directory, backup.DestroyedDirectory)}, b.destroyed...)
	r.AcceptFaults, r.AcceptUnknown = b.faults, b.unknown
	r.Who, r.Reason, r.Now, r.Log = who.who, who.reason, now, slog.New(slog.DiscardHandler)
	if term.IsTerminal(int(os.Stderr.Fd())) {
		r.Progress = func(what string) { fmt.Fprintf(os.Stderr, "%s ...\n", what) }
		r.VerifyProgress = progress("verifying")
	}
	done, err := r.Run(c.Context())
	if err != nil {
		return fmt.Errorf("nothing was restored: %w", err)
	}
	db, err := home.OpenArchive(c.Context())
	if err != nil {
		return err
	}
	err = db.Read(c.Context(), func(tx *sqlite.Tx) error { return tellRestored(c.OutOrStdout(), tx, cfg, r, done) })
	return errors.Join(err, db.Close())
}

// source returns the sealed file and the backup directory that it belongs to.
func (b fromBackup) source() (file, directory string, err error) {
	for _, d := range append([]string{b.from}, b.destroyed...) {
		if _, err := os.Stat(d); err != nil {
			return "", "", err
		}
	}
	if info, err := os.Stat(b.from); err != nil || !info.IsDir() {
		return b.from, filepath.Dir(b.from), err
	}
	file, err = backup.Newest(b.from)
	return file, b.from, err
}

// tellRestored says what was restored, what is lost, and what to do next.
func tellRestored(out io.Writer, tx *sqlite.Tx, cfg config.Config, r *backup.Restore, done backup.Restored) error {
	fmt.Fprintf(out, "The archive is restored to %s from the backup of %s.\n\n", cfg.StateDirectory, moment(done.Manifest.MadeAt))
	fmt.Fprintf(out, "  %s, and what was in the journal up to entry %d\n", count(done.Manifest.Records, "record"), done.Manifest.Journal)
	if done.Files > 0 {
		fmt.Fprintf(out, "  %s, photos and others\n", count(done.Files, "file"))
	}
	if done.Missing > 0 {
		fmt.Fprintf(out, "  NOT %s: not in the backup, or damaged there; fetched again if WhatsApp or the council's phone\n  still has what is missing\n", count(done.Missing, "file"))
	}
	if n := done.Again.Runs; n > 0 {
		fmt.Fprintf(out, "  what %s had destroyed, up to number %d: %s destroyed again, %s never in the backup and kept from coming back.\n  Compare the number with the clerk's last certificate: if hers is higher, an account is missing\n",
			count(n, "disposal run"), done.Again.Last, count(done.Again.Destroyed, "record"), count(done.Again.Barred, "record"))
	} else {
		fmt.Fprint(out, "  no disposal run had to be repeated. If the clerk has a certificate of a later day than the backup's, its\n  account is missing: give its directory by --destroyed, or what it destroyed is here again\n")
	}
	for _, run := range done.Unknown {
		fmt.Fprintf(out, "  WITHOUT the account of disposal run %d: what it destroyed is here again\n", run)
	}
	if len(done.Again.Otherwise) > 0 {
		fmt.Fprintf(out, "  %s had been destroyed, and captured anew since: see to it by early disposal\n", count(len(done.Again.Otherwise), "record"))
	}
	for _, f := range done.Faults {
		fmt.Fprintf(out, "  IT DOES NOT VERIFY: %s\n", printable(f))
	}
	fmt.Fprintf(out, "\nThe key of its ledger is this; every digest has had the same:\n\n    %s\n", done.Key)
	fmt.Fprintf(out, "\nLost is what came after %s: messages, and what was entered or decided in muniment, journal\nentries %d and after. The archive says so from now on.\n",
		moment(done.Manifest.MadeAt), done.Manifest.Journal+1)
	waiting, err := mail.List(tx, mail.Queued, mail.Sending, mail.Unknown)
	if err != nil {
		return err
	}
	if len(waiting) > 0 {
		fmt.Fprintf(out, "\n%s waiting when the backup was made. What was sent since goes once more, under the same\nMessage-ID; `muniment outbox` shows which they are, and takes back what should not go.\n", wereEmails(len(waiting)))
	}
	fmt.Fprint(out, "\nNext:\n\n")
	var steps []string
	for _, path := range done.Configs {
		steps = append(steps, fmt.Sprintf("Compare the configuration with the one that was in the backup,\n%s", path))
	}
	if r.Linked {
		steps = append(steps, "This machine has its link to WhatsApp still: nothing is to be linked")
	} else {
		steps = append(steps, "sudo muniment link: the link to WhatsApp is in no backup. WhatsApp then sends some of what\nwas said in the lost time, and the rest is asked of the council's phone")
	}
	steps = append(steps, "sudo muniment check, then start the service",
		"Tell the clerk. Holds, requests, members and approvals of the lost time have to be entered\nagain. Nothing is destroyed until somebody says that they were:\nsudo muniment disposal confirm-restore --for NAME --reason TEXT")
	for i, s := range steps {
		fmt.Fprintf(out, "  %d. %s.\n", i+1, strings.ReplaceAll(s, "\n", "\n     "))
	}
	return nil
}

func wereEmails(n int) string {
	if n == 1 {
		return "1 email was"
	}
	return fmt.Sprintf("%d emails were", n)
}

func (a *app) disposalConfirmRestoreCommand() *cobra.Command {
	var who actor
	return who.flags(&cobra.Command{
		Use:   "confirm-restore",
		Short: "Say that what was lost in a restore was entered again",
		Long: `After a restore from a backup, the archive does not know which holds were placed after the
backup was made, nor which requests came in. Nothing is destroyed until somebody has looked
through the clerk's emails and papers of that time, entered the holds again, and says so.`,
		Example: `  sudo muniment disposal confirm-restore --for "Jo Marsh" --reason "two holds of last week entered again"`,
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withArchive(c.Context(), func(_ config.Config, _ daemon.Home, db *sqlite.DB) error {
				if err := db.Write(c.Context(), func(tx *sqlite.Tx) error {
					return archive.ConfirmRestore(tx, now(), who.who, who.reason)
				}); err != nil {
					return err
				}
				fmt.Fprintln(c.OutOrStdout(), "Confirmed: destruction goes on as the council has decided.")
				return nil
			})
		},
	}, true)
}

func (a *app) backupRehearseCommand() *cobra.Command {
	var who actor
	var identity, file string
	c := &cobra.Command{
		Use:   "rehearse",
		Short: "Prove that a backup can be restored",
		Long: `Rehearse opens the newest backup with the secret key in a directory of its own, verifies it,
destroys in it what was destroyed since, compares the outcome with the archive, reads the
photos and other files beside it, and removes everything again. The daemon may run meanwhile.

Do it every three months, with the secret key from where it is kept, and put the key back
there: it must not stay on this machine.`,
		Example: `  sudo muniment backup rehearse --identity /mnt/usb/key.txt --for "Sam Reed" --reason "quarterly"`,
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if identity == "" {
				return usageError{errors.New("say by which key: --identity FILE")}
			}
			identities, err := backup.ReadIdentities(identity)
			if err != nil {
				return usageError{err}
			}
			return a.withBackups(c.Context(), func(t *backup.Target, _ *sqlite.DB) error {
				done, err := t.Rehearse(c.Context(), file, backup.By{Who: who.who, Reason: who.reason}, identities...)
				if err != nil {
					return err
				}
				fmt.Fprintf(c.OutOrStdout(), `The backup of %s can be restored: %s.

  it verifies, and holds what the archive held then
  %s would come back, and %s stay destroyed (%s again)
  %s, photos and others, beside it as they should be
`, moment(done.Manifest.MadeAt), done.Name, count(done.Records, "record"), count(done.Stubs, "record"), count(done.Destroyed, "record"),
					count(done.Files, "file"))
				return nil
			})
		},
	}
	c.Flags().StringVar(&identity, "identity", "", "the `file` with the secret key of the backups")
	c.Flags().StringVar(&file, "backup", "", "this `file` of the backup directory, not the newest")
	return who.flags(c, false)
}

func backupKeygenCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "keygen FILE",
		Short: "Make the pair of keys for backups",
		Long: `Keygen makes the secret key that opens backups, in FILE, and prints the public one, which goes
into the configuration. Do it on another machine, or on a USB stick, and keep two copies of
FILE apart from the backups: without it no backup can be opened, and with it any can. It is
a key of age (age-encryption.org).`,
		Example: `  muniment backup keygen /mnt/usb/muniment-backup-key.txt`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageError{errors.New("say into which file: muniment backup keygen FILE")}
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			recipient, err := backup.NewIdentity(args[0], now())
			if err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), `The secret key is in %s. It must not stay on the machine that muniment runs on.

Put the public one into the configuration:

    [backup]
    recipient = %q
`, args[0], recipient)
			return nil
		},
	}
}

// printRestored says in status what was lost in a restore, and whether somebody has seen to it.
func printRestored(out io.Writer, tx *sqlite.Tx) error {
	all, err := archive.Restorations(tx)
	if err != nil {
		return err
	}
	for _, r := range all {
		fmt.Fprintf(out, "%-10s on %s from the backup of %s: what was recorded in between is lost\n", "Restored", moment(r.At), moment(r.MadeAt))
	}
	if _, is, err := archive.Unconfirmed(tx); err != nil || !is {
		return err
	}
	fmt.Fprintf(out, "%-10s NOT CONFIRMED that holds of the lost time were entered again, so nothing is destroyed (muniment disposal confirm-restore)\n", "")
	return nil
}
