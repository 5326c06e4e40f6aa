package backup_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"filippo.io/age"

	"muniment/internal/archive"
	"muniment/internal/backup"
	"muniment/internal/disposal"
	"muniment/internal/journal"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
	"muniment/internal/vault"
	"muniment/internal/verify"
)

const culvert = "The culvert at Mill Lane is blocked again, who will ring the county about it?"

// disposes destroys records as a run does, early, and tells the backups.
func (c *council) disposes(run int64, seqs ...record.Seq) {
	c.Helper()
	var text string
	c.write(func(tx *sqlite.Tx) error {
		gone, err := c.archive.Destroy(tx, archive.Destruction{Run: run, On: retention.DateOf(c.clock), Authority: "minute 12", Early: true}, seqs)
		if err != nil {
			return err
		}
		var went []record.Seq
		for _, g := range gone {
			went = append(went, g.Seq)
		}
		if _, err := vault.Forget(tx, went); err != nil {
			return err
		}
		if text, err = archive.Account(tx, run); err != nil {
			return err
		}
		return journal.Write(tx, journal.Entry{At: c.clock, Who: journal.Daemon, Act: journal.RunStep, About: journal.About{"run": run, "records": went}})
	})
	account, err := c.key.SignText(fmt.Sprintf("muniment destroyed 1\nrun %d\n%s", run, text))
	c.must(err)
	c.must(c.target.Publish(context.Background(), run, account))
}

// restoring is a restore of the newest backup to another machine.
func (c *council) restoring() *backup.Restore {
	c.Helper()
	from, err := backup.Newest(c.path("backups"))
	c.must(err)
	return &backup.Restore{
		State: filepath.Join(c.TempDir(), "state"), From: from, Media: c.path("backups/media"), Accounts: []string{c.path("backups/destroyed")},
		Identities: []age.Identity{c.secret}, Who: "Sam Reed", Reason: "the disk failed", Log: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return c.clock },
	}
}

// restores restores, and takes what was restored for the council's archive from then on.
func (c *council) restores(r *backup.Restore) backup.Restored {
	c.Helper()
	c.must(os.MkdirAll(r.State, 0o700))
	done, err := r.Run(context.Background())
	c.must(err)
	c.must(c.db.Close())
	c.must(os.RemoveAll(c.path("lost")))
	c.must(os.Rename(c.path("state"), c.path("lost")))
	c.must(os.Rename(r.State, c.path("state")))
	c.open()
	return done
}

func (c *council) verifies(with verify.With) verify.Report {
	c.Helper()
	r, err := verify.Run(context.Background(), c.db, c.key, with)
	c.must(err)
	if !r.OK() {
		c.Errorf("the archive does not verify: %q", r.Faults)
	}
	return r
}

// holding returns the files below a directory in which a text stands.
func (c *council) holding(directory, text string) (names []string) {
	c.Helper()
	for _, name := range c.files(directory) {
		b, err := os.ReadFile(filepath.Join(c.path(directory), name))
		c.must(err)
		if bytes.Contains(b, []byte(text)) {
			names = append(names, name)
		}
	}
	return names
}

// A council loses its machine. What it restores holds all that the backup held, with its files,
// but for what was destroyed since; that is in no file, and cannot come back.
func TestRestore(t *testing.T) {
	c := newCouncil(t)
	c.says("Good morning, everybody")
	goes := c.says(culvert)
	stays, sealed := c.shares("the survey of the allotments")
	lost, lostFile := c.shares("a photograph of somebody’s back garden")
	c.makes()
	c.days(1)
	c.disposes(1, goes, lost)
	late := c.says("sent by mistake: my daughter’s telephone number")
	c.disposes(2, late)
	c.says("This is lost with the machine")
	var emailed string
	c.write(func(tx *sqlite.Tx) error {
		p, err := c.key.Sign(tx, c.clock)
		emailed = p.Note
		return err
	})
	c.days(2)
	r := c.restoring()
	done := c.restores(r)

	if done.Again.Destroyed != 2 || done.Again.Barred != 1 || done.Again.Last != 2 || done.Files != 1 || done.Missing != 0 {
		t.Errorf("restored: %+v", done)
	}
	if found := c.holding("state", culvert); len(found) > 0 {
		t.Errorf("what was destroyed is in %q", found)
	}
	if len(c.holding("lost", "This is lost with the machine")) == 0 {
		t.Error("the search finds nothing even where there is something")
	}
	if b, err := os.ReadFile(filepath.Join(c.path("state/media"), vault.Name(sealed))); err != nil || len(b) == 0 {
		t.Errorf("the file of record %d is not back: %v", stays, err)
	}
	if _, err := os.Stat(filepath.Join(c.path("state/media"), vault.Name(lostFile))); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the file of a destroyed record is back")
	}
	for _, name := range c.files("state") {
		if strings.HasPrefix(name, "session") || strings.Contains(name, "restore.part") || strings.HasSuffix(name, ".part") {
			t.Errorf("%s is there", name)
		}
	}
	if len(done.Configs) != 1 {
		t.Errorf("the configuration lies at %q", done.Configs)
	}
	report := c.verifies(verify.With{Files: c.vault, Checkpoints: []string{emailed}})
	if len(report.Losses) != 1 || report.Losses[0].Lost == 0 {
		t.Errorf("what the clerk was emailed proves no loss: %v", report.Losses)
	}
	c.read(func(tx *sqlite.Tx) error {
		if _, is, err := archive.Unconfirmed(tx); !is || err != nil {
			t.Errorf("nobody has to confirm it: %v", err)
		}
		if last, err := disposal.LastRun(tx); last != 2 {
			t.Errorf("the last run was %d, %v", last, err)
		}
		return nil
	})
	// It is backed up again, beside what is there, and can be restored again.
	c.makes()
	c.clock = c.clock.Add(time.Hour)
	c.says("After the restore")
	c.makes()
	c.days(1)
	if done := c.restores(c.restoring()); done.Again.Destroyed+done.Again.Barred != 0 {
		t.Errorf("destroyed once more: %+v", done.Again)
	}
	if report := c.verifies(verify.With{Disposal: disposal.Faults, Checkpoints: []string{emailed}}); len(report.Losses) != 2 {
		t.Errorf("losses: %v", report.Losses)
	}
}

// Whatever is wrong with a backup, or with what belongs to it, nothing is put in place.
func TestRestoreRefuses(t *testing.T) {
	c := newCouncil(t)
	goes := c.says(culvert)
	c.makes()
	c.days(1)
	c.disposes(1, goes)
	c.disposes(2, c.says("sent by mistake"))
	c.disposes(3, c.says("sent by mistake, too"))
	other := newCouncil(t)
	other.says("of another council")
	other.makes()
	stranger, err := age.GenerateX25519Identity()
	c.must(err)

	account := func(run int64) string { return filepath.Join(c.path("backups"), backup.AccountName(run)) }
	rewrite := func(t *testing.T, path string, f func([]byte) []byte) {
		b, err := os.ReadFile(path)
		c.must(err)
		t.Cleanup(func() { c.must(os.WriteFile(path, b, 0o600)) })
		c.must(os.WriteFile(path, f(bytes.Clone(b)), 0o600))
	}
	for _, tt := range []struct {
		name string
		harm func(t *testing.T, r *backup.Restore)
		want string
	}{
		{"another key", func(_ *testing.T, r *backup.Restore) { r.Identities = []age.Identity{stranger} }, "sealed for another key"},
		{"a backup of which a byte is altered", func(t *testing.T, r *backup.Restore) {
			r.From = damaged(t, r.From, func(b []byte) []byte { b[len(b)/2] ^= 1; return b })
		}, "open the backup"},
		{"a backup that was cut off", func(t *testing.T, r *backup.Restore) {
			r.From = damaged(t, r.From, func(b []byte) []byte { return b[:len(b)-30] })
		}, "open the backup"},
		{"what is no backup", func(t *testing.T, r *backup.Restore) {
			r.From = damaged(t, r.From, func([]byte) []byte { return []byte("no backup") })
		}, "not a backup"},
		{"an account of another archive", func(t *testing.T, r *backup.Restore) {
			text, err := other.key.SignText("muniment destroyed 1\nrun 2\n")
			c.must(err)
			rewrite(t, account(2), func([]byte) []byte { return []byte(text) })
		}, "000002.note does not bear this archive’s signature"},
		{"an account of which a line is gone", func(t *testing.T, r *backup.Restore) {
			rewrite(t, account(1), func(b []byte) []byte {
				lines := bytes.SplitAfter(b, []byte("\n"))
				return bytes.Join(append(lines[:2:2], lines[3:]...), nil)
			})
		}, "000001.note does not bear this archive’s signature"},
		{"the account of a run in between is missing", func(t *testing.T, r *backup.Restore) {
			b, err := os.ReadFile(account(2))
			c.must(err)
			c.must(os.Remove(account(2)))
			t.Cleanup(func() { c.must(os.WriteFile(account(2), b, 0o600)) })
		}, "the account of disposal run 2 is missing"},
		{"there is an archive", func(t *testing.T, r *backup.Restore) {
			c.must(os.WriteFile(filepath.Join(r.State, "archive.db"), []byte("precious"), 0o600))
		}, "never restored over another"},
		{"there is a log of an archive", func(t *testing.T, r *backup.Restore) {
			c.must(os.WriteFile(filepath.Join(r.State, "archive.db-wal"), []byte("precious"), 0o600))
		}, "is left of another archive"},
		{"there is the key of another archive", func(t *testing.T, r *backup.Restore) {
			c.must(os.WriteFile(filepath.Join(r.State, "ledger.key"), []byte("precious"), 0o600))
		}, "is the key of another archive"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := c.restoring()
			c.must(os.MkdirAll(r.State, 0o700))
			tt.harm(t, r)
			_, err := r.Run(context.Background())
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v; want %q", err, tt.want)
			}
			for _, name := range []string{"archive.db", "ledger.key"} {
				if b, err := os.ReadFile(filepath.Join(r.State, name)); err == nil && string(b) != "precious" {
					t.Errorf("%s was put in place", name)
				}
			}
			if backup.Unfinished(r.State) {
				t.Error("something is left of it")
			}
		})
	}
}

// damaged returns a copy of a backup that something was done to, under the same name.
func damaged(t *testing.T, path string, f func([]byte) []byte) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), filepath.Base(path))
	if err := os.WriteFile(copied, f(b), 0o600); err != nil {
		t.Fatal(err)
	}
	return copied
}

// Whoever restores is killed at each stage of it. There is either no archive, and every command
// says that the restore has to be done again, which it can be, or all of it is there.
func TestKilledWhileRestoring(t *testing.T) {
	t.Parallel()
	c := newCouncil(t)
	goes := c.says(culvert)
	_, sealed := c.shares("a survey of the culvert")
	c.makes()
	c.days(1)
	c.disposes(1, goes)
	identity := filepath.Join(t.TempDir(), "key.txt")
	c.must(os.WriteFile(identity, []byte(c.secret.String()+"\n"), 0o600))
	state := filepath.Join(t.TempDir(), "state")
	c.must(os.Mkdir(state, 0o700))
	for _, stage := range []string{
		"opening the backup", "verifying the backup", "destroying again what was destroyed since", "copying photos and other files",
		"verifying what was restored", "putting it in place", "restore: configuration in its place", "restore: key in its place", "restore: archive in its place",
	} {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), childDirectory+"="+c.dir, childRestore+"="+state, childIdentity+"="+identity,
			childKillAt+"="+stage, childNow+"="+c.clock.Format(time.RFC3339))
		out, err := child.CombinedOutput()
		if status, is := child.ProcessState.Sys().(syscall.WaitStatus); !is || !status.Signaled() {
			t.Fatalf("%s: it was not killed: %v\n%s", stage, err, out)
		}
		_, none := os.Stat(filepath.Join(state, "archive.db"))
		if whole := stage == "restore: archive in its place"; whole != (none == nil) {
			t.Errorf("killed at %q: is there an archive? %v", stage, none)
		}
		if !backup.Unfinished(state) {
			t.Errorf("killed at %q, nothing shows it", stage)
		}
	}
	c.must(c.db.Close())
	c.must(os.Rename(c.path("state"), c.path("lost")))
	c.must(os.Rename(state, c.path("state")))
	c.open()
	c.verifies(verify.With{Files: c.vault})
	if found := c.holding("state", culvert); len(found) > 0 {
		t.Errorf("what was destroyed is in %q", found)
	}
	if _, err := os.Stat(filepath.Join(c.path("state/media"), vault.Name(sealed))); err != nil {
		t.Error(err)
	}
}

// runRestore restores as a child does that is to be killed.
func runRestore(dir, state string) error {
	c := &council{TB: discard{}, dir: dir}
	var err error
	if c.clock, err = time.Parse(time.RFC3339, os.Getenv(childNow)); err != nil {
		return err
	}
	from, err := backup.Newest(c.path("backups"))
	c.must(err)
	r := &backup.Restore{State: state, From: from, Media: c.path("backups/media"), Accounts: []string{c.path("backups/destroyed")},
		Who: "Sam Reed", Reason: "the disk failed", Now: func() time.Time { return c.clock },
		Log: slog.New(suicide{slog.DiscardHandler, os.Getenv(childKillAt)})}
	if r.Identities, err = backup.ReadIdentities(os.Getenv(childIdentity)); err != nil {
		return err
	}
	_, err = r.Run(context.Background())
	return err
}

// A file that is not in the backup, or damaged there, is wanted again; all else comes back.
func TestRestoreWithoutAFile(t *testing.T) {
	c := newCouncil(t)
	_, one := c.shares("a survey of the culvert")
	_, two := c.shares("a plan of the allotments")
	seq, three := c.shares("a photograph of the bench")
	c.makes()
	c.must(os.Remove(filepath.Join(c.path("backups/media"), vault.Name(one))))
	c.must(os.WriteFile(filepath.Join(c.path("backups/media"), vault.Name(two)), []byte("damaged"), 0o600))
	done := c.restores(c.restoring())
	if done.Files != 1 || done.Missing != 2 {
		t.Errorf("restored: %+v", done)
	}
	c.verifies(verify.With{Files: c.vault})
	c.read(func(tx *sqlite.Tx) error {
		n, err := vault.Counts(tx)
		if n.Wanted != 2 || n.Kept != 1 {
			t.Errorf("files: %+v", n)
		}
		return err
	})
	if _, err := os.Stat(filepath.Join(c.path("state/media"), vault.Name(three))); err != nil {
		t.Errorf("the file of record %d: %v", seq, err)
	}
}

// A rehearsal finds what a restore would bring back, leaves nothing, and is remembered. What
// would be wrong with a restore is wrong with a rehearsal, and is remembered, too.
func TestRehearse(t *testing.T) {
	c := newCouncil(t)
	goes := c.says(culvert)
	c.says("Good morning")
	_, sealed := c.shares("a survey of the culvert")
	c.makes()
	c.days(1)
	c.disposes(1, goes)
	c.says("said after the backup")
	rehearse := func() (backup.Rehearsed, error) {
		return c.target.Rehearse(context.Background(), "", backup.By{Who: "Sam Reed", Reason: "quarterly"}, c.secret)
	}
	done, err := rehearse()
	if err != nil || done.Records != 2 || done.Stubs != 1 || done.Destroyed != 1 || done.Files != 1 {
		t.Errorf("rehearsed: %+v, %v", done, err)
	}
	c.nothingPlainIsLeft()
	c.read(func(tx *sqlite.Tx) error {
		last, _, err := backup.LastRehearsed(tx)
		if !last.Equal(c.clock) {
			t.Errorf("last rehearsed at %v", last)
		}
		return err
	})

	account := filepath.Join(c.path("backups"), backup.AccountName(1))
	b, err := os.ReadFile(account)
	c.must(err)
	c.must(os.Remove(account))
	if _, err := rehearse(); err == nil || !strings.Contains(err.Error(), "are the accounts in") {
		t.Errorf("without the account: %v", err)
	}
	c.must(os.WriteFile(account, b, 0o600))
	c.must(os.WriteFile(filepath.Join(c.path("backups/media"), vault.Name(sealed)), []byte("damaged"), 0o600))
	if _, err := rehearse(); err == nil || !strings.Contains(err.Error(), "1 photos or other files are missing") {
		t.Errorf("with a damaged file: %v", err)
	}
	c.nothingPlainIsLeft()
	if times, _ := c.acts(); times[journal.Rehearsed] != 1 || times[journal.RehearsalFailed] != 2 {
		t.Errorf("in the journal: %v", times)
	}
}

// The keys that keygen makes are those that backups take.
func TestNewIdentity(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key.txt")
	recipient, err := backup.NewIdentity(path, monday)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := backup.ParseRecipient(recipient); err != nil {
		t.Error(err)
	}
	identities, err := backup.ReadIdentities(path)
	if err != nil || len(identities) != 1 || identities[0].(*age.X25519Identity).Recipient().String() != recipient {
		t.Errorf("read back: %v, %v", identities, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if _, err := backup.NewIdentity(path, monday); err == nil {
		t.Error("it was overwritten")
	}
	c := filepath.Join(t.TempDir(), "nonsense")
	if err := os.WriteFile(c, []byte("AGE-SECRET-KEY-1NONSENSE"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := backup.ReadIdentities(c); err == nil || strings.Contains(err.Error(), "NONSENSE") {
		t.Errorf("of nonsense: %v", err)
	}
}
