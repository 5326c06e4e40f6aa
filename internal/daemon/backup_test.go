package daemon

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/google/go-cmp/cmp"

	"muniment/internal/backup"
	"muniment/internal/config"
	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// hasBackups sets up that backups are made, in a directory that is not there yet.
func (o *office) hasBackups(copy, prune string) (directory string) {
	o.t.Helper()
	secret, err := age.GenerateX25519Identity()
	o.must(err)
	c := &o.d.o.Config
	c.File = filepath.Join(o.t.TempDir(), "muniment.toml")
	o.must(os.WriteFile(c.File, nil, 0o600))
	c.Backup = config.Backup{Directory: filepath.Join(o.t.TempDir(), "backups"), Recipient: secret.Recipient().String(), Schedule: "0 4 * * *", KeepDays: 35,
		Copy: []string{"/bin/sh", "-c", copy}, Prune: []string{"/bin/sh", "-c", prune}}
	o.d.key, err = o.d.home.OpenKey()
	o.must(err)
	o.must(o.d.wireBackups(o.ctx))
	return c.Backup.Directory
}

// made returns when backups were made, of those in the directory.
func (o *office) made() (all []string) {
	o.t.Helper()
	o.write(func(tx *sqlite.Tx) error {
		backups, err := backup.All(tx)
		for _, b := range backups {
			all = append(all, b.MadeAt.Format("2 15:04"))
		}
		return err
	})
	return all
}

// A backup is made when its time has come since the last, whenever that is noticed, and once.
func TestBackupsAreMadeWhenDue(t *testing.T) {
	o := newOffice(t)
	o.must(os.Mkdir(o.hasBackups("true", "true"), 0o700))
	o.captures(record.Received{Kind: record.Message, Type: record.Text, ID: "A", Text: canaryText})
	for _, at := range []string{
		"2026-11-24 12:00", // there is none
		"2026-11-25 03:59",
		"2026-11-25 04:10",
		"2026-11-25 23:00",
		"2026-11-29 01:00", // the machine was off
		"2026-11-29 04:00",
	} {
		var err error
		o.at, err = time.Parse("2006-01-02 15:04", at)
		o.must(err)
		o.must(o.d.backUp(o.ctx))
		o.must(o.d.backUp(o.ctx))
	}
	if diff := cmp.Diff([]string{"24 12:00", "25 04:10", "29 01:00", "29 04:00"}, o.made()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Who looks after the computer is told that a backup failed, and after three days that there
// is none; and that it is over. So with copies elsewhere.
func TestBackupsThatFailAreTold(t *testing.T) {
	o := newOffice(t)
	flag := filepath.Join(t.TempDir(), "up")
	directory := o.hasBackups("test -e "+flag, "test -e "+flag)
	if err := o.d.backUp(o.ctx); err == nil {
		t.Fatal("a backup was made into no directory")
	}
	o.passes(time.Minute)
	o.passes(70 * time.Hour)
	if err := o.d.backUp(o.ctx); err == nil {
		t.Fatal("a backup was made into no directory")
	}
	o.passes(time.Minute)
	o.must(os.Mkdir(directory, 0o700))
	o.passes(24 * time.Hour)
	if err := o.d.backUp(o.ctx); err == nil {
		t.Fatal("it was copied to where nothing can be copied")
	}
	o.passes(time.Minute)
	o.passes(20 * time.Minute)
	o.must(os.WriteFile(flag, nil, 0o600))
	o.passes(24 * time.Hour)
	o.must(o.d.backUp(o.ctx))
	o.passes(time.Minute)
	o.passes(20 * time.Minute)
	want := []string{
		"raised backup-failed to it",
		"raised no-backup to clerk+it",
		"raised backup-not-copied to it",
		"raised backup-not-pruned to it",
		"ended no-backup to clerk+it",
		"ended backup-not-copied to it",
		"ended backup-not-pruned to it",
	}
	told := slices.DeleteFunc(o.told(), func(s string) bool { return strings.Contains(s, "mail-") }) // nothing sends them here
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
	o.tellsNothing()
}

// Without knowing which backups there are nothing is destroyed; and before a run, what a
// backup left that was killed is gone.
func TestDisposalKnowsTheBackups(t *testing.T) {
	o := newOffice(t)
	directory := o.hasBackups("true", "true")
	left := filepath.Join(o.d.o.Config.StateDirectory, "backup.plain", "archive.db")
	o.must(os.Mkdir(filepath.Dir(left), 0o700))
	o.must(os.WriteFile(left, []byte(canaryText), 0o600))
	o.d.disposal.Verify = o.d.verify
	ask := func() (n int, err error) {
		o.must(o.d.dispose(o.ctx))
		err = o.d.db.Read(o.ctx, func(tx *sqlite.Tx) error {
			b, err := o.d.disposal.Backups(tx, o.at.Add(time.Second))
			n = b.Left
			return err
		})
		return n, err
	}
	if _, err := ask(); err == nil || !strings.Contains(err.Error(), "there is no backup directory") {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(left); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what a backup left is still there: %v", err)
	}
	o.must(os.Mkdir(directory, 0o700))
	if n, err := ask(); n != 0 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	o.must(o.d.backUp(o.ctx))
	if n, err := ask(); n != 1 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	o.must(o.d.disposal.Publish(o.ctx, 3, "an account\n"))
	if _, err := os.Stat(filepath.Join(directory, "destroyed/000003.note")); err != nil {
		t.Error(err)
	}
	// They are not made any more, and some are still there.
	o.d.o.Config.Backup = config.Backup{}
	o.must(o.d.wireBackups(o.ctx))
	if err := o.d.db.Read(o.ctx, func(tx *sqlite.Tx) error {
		b, err := o.d.disposal.Backups(tx, o.at.Add(time.Second))
		if b.Left != 1 || !b.Never {
			t.Errorf("%+v", b)
		}
		return err
	}); err != nil {
		t.Error(err)
	}
}
