package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"muniment/internal/backup"
	"muniment/internal/config"
	"muniment/internal/daemon"
	"muniment/internal/sqlite"
)

func (a *app) backupCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:   "backup",
		Short: "See and make backups",
		Long: `Every night the daemon copies the archive, opens and verifies the copy, and seals it with
its keys and the configuration into one encrypted file, if [backup] in the configuration
says where. Photos and other files are copied beside it, once. What is older than 35 days is
removed.`,
		Example: `  muniment backup list
  sudo muniment backup now --reason "before the upgrade"`,
	}, a.backupListCommand(), a.backupNowCommand(), a.backupGoneCommand(), a.backupRehearseCommand(), backupKeygenCommand())
}

func (a *app) backupListCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "Show the backups there are, and what became of the others",
		Example: "  muniment backup list",
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withArchive(c.Context(), func(cfg config.Config, _ daemon.Home, db *sqlite.DB) error {
				return db.Read(c.Context(), func(tx *sqlite.Tx) error { return listBackups(c.OutOrStdout(), tx, cfg) })
			})
		},
	}
}

// listBackups shows the register, the newest first, and what went wrong last.
func listBackups(out io.Writer, tx *sqlite.Tx, cfg config.Config) error {
	all, err := backup.All(tx)
	if err != nil {
		return err
	}
	if err := printBackups(out, tx, cfg); err != nil || len(all) == 0 {
		return err
	}
	fmt.Fprintln(out)
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "MADE\tFILE\tSIZE\tRECORDS\tHERE\tELSEWHERE")
	for _, b := range slices.Backward(all) {
		records, here, elsewhere := fmt.Sprint(b.Records), "yes, verified", "no"
		if !b.Verified() {
			records, here = "not known", "yes, found there"
		}
		if !b.Gone.IsZero() {
			here = "gone since " + day(b.Gone)
		}
		switch {
		case !b.RemoteGone.IsZero():
			elsewhere = "gone since " + day(b.RemoteGone)
		case !b.Copied.IsZero():
			elsewhere = "yes, since " + day(b.Copied)
		case !b.Sent.IsZero():
			elsewhere = "perhaps: copying failed"
		}
		fmt.Fprintf(w, "%s\t%s\t%.1f MB\t%s\t%s\t%s\n", moment(b.MadeAt), b.Path(), float64(b.Bytes)/1e6, records, here, elsewhere)
	}
	return w.Flush()
}

func (a *app) backupNowCommand() *cobra.Command {
	var who actor
	return who.flags(&cobra.Command{
		Use:   "now",
		Short: "Make a backup now",
		Long: `Now makes a backup at once, as the daemon does every night, and has it copied elsewhere if
the configuration says how. The daemon may go on running meanwhile.`,
		Example: `  sudo muniment backup now --reason "before the upgrade"`,
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withBackups(c.Context(), func(t *backup.Target, db *sqlite.DB) error {
				if err := t.Round(c.Context(), backup.By{Who: who.who, Reason: who.reason}); err != nil {
					return err
				}
				return db.Read(c.Context(), func(tx *sqlite.Tx) error {
					s, err := backup.StandingOf(tx)
					if err == nil {
						fmt.Fprintf(c.OutOrStdout(), "Made, verified and sealed: %s (%s, %.1f MB).\n", s.Last.Path(), count(s.Last.Records, "record"), float64(s.Last.Bytes)/1e6)
					}
					return err
				})
			})
		},
	}, false)
}

func (a *app) backupGoneCommand() *cobra.Command {
	var who actor
	var elsewhere bool
	c := &cobra.Command{
		Use:   "gone FILE...",
		Short: "Note that backups are gone of which muniment cannot know it",
		Long: `Gone notes that backups do not exist any more: those in a directory that was given up, or,
with --elsewhere, every copy of them in other places. Until it is known that all backups
that hold what was destroyed are gone, certificates of destruction are interim. Make sure
that it is true: the journal keeps on whose word it was noted. FILE is as backup list shows
it, with or without its directory.`,
		Example: `  sudo muniment backup gone archive-20261123T040000Z.age --for "Jo Marsh" --reason "the old disk was shredded"
  sudo muniment backup gone --elsewhere archive-20261123T040000Z.age --for "Jo Marsh" --reason "bucket deleted"`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError{errors.New("say which backups: their files as “muniment backup list” shows them")}
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			return a.withArchive(c.Context(), func(_ config.Config, _ daemon.Home, db *sqlite.DB) error {
				by := backup.By{Who: who.who, Reason: who.reason}
				return db.Write(c.Context(), func(tx *sqlite.Tx) error {
					for _, file := range args {
						if err := backup.NoteGone(tx, now(), by, file, elsewhere); err != nil {
							return err
						}
					}
					fmt.Fprintf(c.OutOrStdout(), "Noted: %s.\n", count(len(args), "backup"))
					return nil
				})
			})
		},
	}
	c.Flags().BoolVar(&elsewhere, "elsewhere", false, "the copies in other places are gone, not the file in the backup directory")
	return who.flags(c, true)
}

// withBackups calls f with where backups go.
func (a *app) withBackups(ctx context.Context, f func(*backup.Target, *sqlite.DB) error) error {
	return a.withArchive(ctx, func(cfg config.Config, home daemon.Home, db *sqlite.DB) error {
		key, err := home.OpenKey()
		if err != nil {
			return err
		}
		t, err := home.Backups(cfg, db, key, slog.New(slog.DiscardHandler), now, version())
		if err != nil {
			return usageError{err}
		}
		if t == nil {
			return usageError{fmt.Errorf("no backups are made: put directory and recipient under [backup] in %s", cfg.File)}
		}
		return f(t, db)
	})
}

// printBackups says how it stands with the backups.
func printBackups(out io.Writer, tx *sqlite.Tx, cfg config.Config) error {
	s, err := backup.StandingOf(tx)
	if err != nil {
		return err
	}
	lines := []string{"none has been made yet"}
	switch {
	case !s.Last.MadeAt.IsZero():
		lines = []string{fmt.Sprintf("%d kept, the last of %s, verified, in %s", s.Here, moment(s.Last.MadeAt), s.Last.Directory)}
	case s.Here > 0:
		lines = []string{fmt.Sprintf("%d found in %s; none made by this archive", s.Here, cfg.Backup.Directory)}
	}
	if !cfg.Backup.Made() {
		none := fmt.Sprintf("none are made: if this disk fails, the record is lost; see [backup] in %s", cfg.File)
		if s.Here == 0 {
			lines = nil
		}
		lines = append([]string{none}, lines...)
	} else if len(cfg.Backup.Copy) == 0 {
		lines = append(lines, "not copied elsewhere: copy_command under [backup] says nothing")
	}
	if !s.Copied.IsZero() {
		lines = append(lines, "last copied elsewhere on "+moment(s.Copied))
	}
	for _, f := range []struct {
		what   string
		failed int64
		when   string
		why    string
	}{
		{"FAILED", s.Failed.ID, moment(s.Failed.At), s.Failed.Reason},
		{"NOT COPIED elsewhere", s.NotCopied.ID, moment(s.NotCopied.At), s.NotCopied.Reason},
		{"OLD COPIES NOT REMOVED elsewhere", s.NotPruned.ID, moment(s.NotPruned.At), s.NotPruned.Reason},
	} {
		if f.failed != 0 {
			lines = append(lines, fmt.Sprintf("%s on %s: %s", f.what, f.when, printable(strings.Join(strings.Fields(f.why), " "))))
		}
	}
	if cfg.Backup.Made() {
		rehearsal, err := rehearsed(tx)
		if err != nil {
			return err
		}
		lines = append(lines, rehearsal...)
	}
	heading := "Backups"
	for _, line := range lines {
		fmt.Fprintf(out, "%-10s %s\n", heading, line)
		heading = ""
	}
	return nil
}

// checkBackups sees whether backups can be written where they are to go, and whether one
// failing disk would take them along.
func checkBackups(k *checklist, cfg config.Config) {
	if !cfg.Backup.Made() {
		k.doubt("backups", "none are made: if the disk fails, the record is lost; see [backup] in "+cfg.File)
		return
	}
	directory := cfg.Backup.Directory
	err := writable(directory)
	k.add("backups", "go to "+directory, errors.Join(err,
		executable(cfg.Backup.Copy, "backups are in one place only", "copy_command under [backup]"),
		executable(cfg.Backup.Prune, "copies of old backups elsewhere stay there", "prune_command under [backup]")))
	if err != nil {
		return
	}
	if sameDisk(directory, cfg.StateDirectory) {
		k.doubt("backups", directory+" is on the same file system as the archive: one disk that fails takes both. Use another disk, or have them copied elsewhere (copy_command)")
	}
	if len(cfg.Backup.Copy) > 0 && len(cfg.Backup.Prune) == 0 {
		k.doubt("backups", "are copied elsewhere and never removed there by muniment (prune_command), so that certificates of destruction stay interim")
	}
}

// writable returns why a file cannot be made in a directory, or be read by others.
func writable(directory string) error {
	info, err := os.Stat(directory)
	switch {
	case err == nil && !info.IsDir():
		err = syscall.ENOTDIR
	case err == nil && info.Mode().Perm()&0o077 != 0:
		return fmt.Errorf("%s can be opened by others (mode %04o): chmod go= %s", directory, info.Mode().Perm(), directory)
	}
	if err != nil {
		return fmt.Errorf("make the directory, or mount its disk: install -d -o muniment -g muniment -m 0700 %s (%w)", directory, err)
	}
	f, err := os.CreateTemp(directory, "check-")
	if err != nil {
		return fmt.Errorf("nothing can be written into %s: it must belong to the user that muniment runs as: chown -R muniment:muniment %s (%w)", directory, directory, errors.Unwrap(err))
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// executable returns why a command cannot be run, if there is one; then what, and which key
// is to be corrected.
func executable(command []string, then, key string) error {
	if len(command) == 0 {
		return nil
	}
	const executable = 1 // X_OK of access(2)
	info, err := os.Stat(command[0])
	if err == nil && info.IsDir() {
		err = syscall.EISDIR
	} else if err == nil {
		err = syscall.Access(command[0], executable)
	}
	if err != nil {
		return fmt.Errorf("%s cannot be run, so that %s: correct %s, or make it executable for everybody (%w)", command[0], then, key, err)
	}
	return nil
}

// sameDisk reports whether two directories are on one file system.
func sameDisk(a, b string) bool {
	var of [2]syscall.Stat_t
	return syscall.Stat(a, &of[0]) == nil && syscall.Stat(b, &of[1]) == nil && of[0].Dev == of[1].Dev
}

// rehearsed says when a restore was last rehearsed, and that it is time for another.
func rehearsed(tx *sqlite.Tx) (lines []string, err error) {
	last, since, err := backup.LastRehearsed(tx)
	switch {
	case err != nil || last.IsZero() && since.IsZero():
		return nil, err
	case !last.IsZero() && now().Sub(last) <= backup.RehearseEvery:
		return []string{"a restore was last rehearsed on " + moment(last)}, nil
	case last.IsZero() && now().Sub(since) <= backup.RehearseEvery:
		return []string{"a restore has not been rehearsed yet (muniment backup rehearse)"}, nil
	case last.IsZero():
		return []string{"A RESTORE HAS NEVER BEEN REHEARSED: see muniment backup rehearse"}, nil
	}
	return []string{"A RESTORE WAS LAST REHEARSED on " + moment(last) + ": do it again (muniment backup rehearse)"}, nil
}
