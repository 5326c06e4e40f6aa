package backup_test

import (
	"bytes"
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muniment/internal/backup"
	"muniment/internal/journal"
	"muniment/internal/ledger"
	"muniment/internal/vault"
)

// A backup holds the archive as it was, with what it takes to go on from it, and can be read
// by nobody who lacks the secret key. Nothing of the plain copy stays.
func TestBackupIsMade(t *testing.T) {
	t.Parallel()
	c := newCouncil(t)
	c.says("The culvert is blocked.")
	_, sealed := c.shares("a survey of the culvert")
	c.makes()
	all := c.register()
	if len(all) != 1 || !all[0].Verified() || !all[0].MadeAt.Equal(monday) || !all[0].Gone.IsZero() {
		t.Fatalf("the register says %+v", all)
	}
	want := []string{"README.txt", "archive-20260302T040000Z.age", filepath.Join("media", vault.Name(sealed))}
	if diff := cmp.Diff(want, c.files("backups")); diff != "" {
		t.Errorf("the directory (-want +got):\n%s", diff)
	}
	for _, name := range c.files("backups") {
		b, err := os.ReadFile(c.path("backups/" + name))
		c.must(err)
		if bytes.Contains(b, []byte("culvert")) {
			t.Errorf("%s can be read by anybody", name)
		}
		if info, err := os.Stat(c.path("backups/" + name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	m, out := c.opens(all[0].Path())
	if m.Council != "Cranford" || m.Records != 2 || !m.MadeAt.Equal(monday) {
		t.Errorf("the manifest says %+v", m)
	}
	for name, from := range map[string]string{backup.KeyName: "state/ledger.key", backup.ConfigName: "muniment.toml"} {
		got, err := os.ReadFile(filepath.Join(out, name))
		c.must(err)
		is, err := os.ReadFile(c.path(from))
		c.must(err)
		if !bytes.Equal(got, is) {
			t.Errorf("%s is not what it was", name)
		}
	}
	c.nothingPlainIsLeft()
	if times, _ := c.acts(); times[journal.BackupMade] != 1 {
		t.Errorf("the journal has it %d times", times[journal.BackupMade])
	}
}

// nothingPlainIsLeft checks that there is no second copy of the archive.
func (c *council) nothingPlainIsLeft() {
	c.Helper()
	for _, name := range c.files("state") {
		if strings.HasPrefix(name, "backup.plain") {
			c.Errorf("%s is left", name)
		}
	}
}

// What does not verify is no backup, and everything is as it was before.
func TestCopyThatDoesNotVerifyIsNotSealed(t *testing.T) {
	t.Parallel()
	c := newCouncil(t)
	c.says("The culvert is blocked.")
	raw, err := sql.Open("sqlite", c.path("state/archive.db"))
	c.must(err)
	_, err = raw.Exec("UPDATE tree_hash SET hash = zeroblob(32) WHERE idx = 0")
	c.must(err)
	c.must(raw.Close())
	for range 2 {
		if err := c.target.Make(t.Context(), backup.Nightly); err == nil || !strings.Contains(err.Error(), "does not verify") {
			t.Fatalf("it was made: %v", err)
		}
	}
	if files := c.files("backups"); len(files) != 1 || len(c.register()) != 0 {
		t.Errorf("there are %q, and the register has %d", files, len(c.register()))
	}
	c.nothingPlainIsLeft()
	if times, why := c.acts(); times[journal.BackupFailed] != 1 || !strings.Contains(why[journal.BackupFailed], "does not verify") {
		t.Errorf("the journal has it %d times: %s", times[journal.BackupFailed], why[journal.BackupFailed])
	}
}

// Only new files are copied; one that a record no longer needs is removed, and one that is
// merely missing here stays.
func TestFilesAreCopiedOnce(t *testing.T) {
	t.Parallel()
	c := newCouncil(t)
	_, first := c.shares("the first survey")
	seq, second := c.shares("the second survey")
	c.makes()
	copied := c.path("backups/media/" + vault.Name(first))
	before, err := os.Stat(copied)
	c.must(err)
	c.must(os.Remove(c.path("state/media/" + vault.Name(first)))) // lost here, not destroyed
	c.destroys(seq)
	stray := c.path("backups/media/notes.txt")
	c.must(os.WriteFile(stray, []byte("mine"), 0o600))
	if _, err := c.vault.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, third := c.shares("the third survey")
	c.days(1)
	c.makes()
	after, err := os.Stat(copied)
	if err != nil || !os.SameFile(before, after) {
		t.Errorf("what is missing here was touched there: %v", err)
	}
	if _, err := os.Stat(c.path("backups/media/" + vault.Name(second))); err == nil {
		t.Error("the file of a destroyed record is still there")
	}
	for _, path := range []string{stray, c.path("backups/media/" + vault.Name(third))} {
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
}

// A file that is damaged here does not take the place of a good one, and is told.
func TestDamagedFileIsNotCopied(t *testing.T) {
	t.Parallel()
	c := newCouncil(t)
	_, sealed := c.shares("a survey")
	c.must(os.WriteFile(c.path("state/media/"+vault.Name(sealed)), []byte("damaged"), 0o600))
	if err := c.target.Make(t.Context(), backup.Nightly); err == nil || !strings.Contains(err.Error(), "1 photos or other files are damaged") {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(c.path("backups/media/" + vault.Name(sealed))); err == nil {
		t.Error("it was copied")
	}
	if all := c.register(); len(all) != 1 {
		t.Errorf("the archive itself was not backed up: %+v", all)
	}
}

// A directory that is not the one is neither filled nor believed.
func TestAnotherDirectoryIsRefused(t *testing.T) {
	t.Parallel()
	c := newCouncil(t)
	c.makes()
	c.must(os.Rename(c.path("backups"), c.path("unmounted")))
	refused := func(want string) {
		t.Helper()
		for what, do := range map[string]func() error{
			"a backup":  func() error { return c.target.Make(t.Context(), backup.Nightly) },
			"expiry":    func() error { return c.target.Expire(t.Context()) },
			"reconcile": func() error { return c.target.Reconcile(t.Context()) },
			"publish":   func() error { return c.target.Publish(t.Context(), 1, "account") },
		} {
			if err := do(); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v; want it to say %q", what, err, want)
			}
		}
		if left := c.left(); left.Number != 1 {
			t.Errorf("what is not seen is taken for gone: %+v", left)
		}
	}
	refused("there is no backup directory")
	c.must(os.Mkdir(c.path("backups"), 0o700)) // the mount point
	refused("is its disk mounted?")
	c.must(os.Remove(c.path("backups")))
	other := newCouncil(t)
	c.must(ledger.NewKey(c.path("other.key"), "muniment"))
	other.makes()
	c.must(os.Symlink(other.path("backups"), c.path("backups")))
	refused("another archive")
	c.must(os.Remove(c.path("backups")))
	c.must(os.Rename(c.path("unmounted"), c.path("backups")))
	c.days(1)
	c.makes()
	if left := c.left(); left.Number != 2 {
		t.Errorf("mounted again, there are %+v", left)
	}
}

// While a backup is being made nobody destroys, and the other way round.
func TestDisposalWaitsForABackup(t *testing.T) {
	t.Parallel()
	c := newCouncil(t)
	release, err := backup.Quiet(t.Context(), c.path("state"))
	c.must(err)
	over, cancel := context.WithCancel(t.Context())
	made := make(chan error)
	go func() { made <- c.target.Make(over, backup.Nightly) }()
	select {
	case err := <-made:
		t.Fatalf("it was made: %v", err)
	default:
	}
	cancel()
	if err := <-made; err == nil || len(c.register()) > 0 {
		t.Errorf("it was made: %v", err)
	}
	release()
	c.makes()
}
