package backup_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"filippo.io/age"

	"muniment/internal/backup"
	"muniment/internal/sqlite"
)

// With these in its environment, the test binary makes a backup of the council in that
// directory, encrypted to that key, and kills itself at that message of its log.
const (
	childDirectory = "BACKUP_TEST_DIRECTORY"
	childRecipient = "BACKUP_TEST_RECIPIENT"
	childKillAt    = "BACKUP_TEST_KILL_AT"
	childNow       = "BACKUP_TEST_NOW"
	childRestore   = "BACKUP_TEST_RESTORE" // to this directory, and do not make one
	childIdentity  = "BACKUP_TEST_IDENTITY"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDirectory); dir != "" && os.Getenv(childRestore) != "" {
		fmt.Fprintln(os.Stderr, runRestore(dir, os.Getenv(childRestore)))
		os.Exit(1)
	} else if dir != "" {
		fmt.Fprintln(os.Stderr, runChild(dir))
		os.Exit(1) // it should have been killed
	}
	os.Exit(m.Run())
}

func runChild(dir string) error {
	c := &council{TB: discard{}, dir: dir}
	recipient, err := age.ParseX25519Recipient(os.Getenv(childRecipient))
	if err != nil {
		return err
	}
	if c.clock, err = time.Parse(time.RFC3339, os.Getenv(childNow)); err != nil {
		return err
	}
	c.openFor(recipient)
	c.target.Log = slog.New(suicide{slog.DiscardHandler, os.Getenv(childKillAt)})
	return c.target.Make(context.Background(), backup.Nightly)
}

// discard is what a council of a child has for a test.
type discard struct{ testing.TB }

func (discard) Helper() {}

func (discard) Fatal(args ...any) { panic(fmt.Sprint(args...)) }

// suicide kills the process at a message.
type suicide struct {
	slog.Handler
	message string
}

func (s suicide) Enabled(context.Context, slog.Level) bool { return true }

func (s suicide) Handle(_ context.Context, r slog.Record) error {
	if r.Message == s.message {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // until it has come
	}
	return nil
}

// Whoever makes a backup is killed at each stage of it. What has the name of a backup can be
// restored from at any moment; nothing of the plain copy stays; and the next one finds all
// in order.
func TestKilledWhileMakingABackup(t *testing.T) {
	t.Parallel()
	c := newCouncil(t)
	c.says("The culvert is blocked.")
	_, _ = c.shares("a survey of the culvert")
	c.makes()
	whole := 1
	for _, stage := range []string{
		"backup: archive copied", "backup: copy verified", "backup: sealed", "backup: read back", "backup: in its place", "backup made", "backup: files copied",
	} {
		c.clock = c.clock.Add(time.Hour)
		c.says("Said before the kill.")
		_, _ = c.shares("shared before the kill: " + stage)
		c.must(c.db.Close())
		child := exec.CommandContext(t.Context(), os.Args[0])
		child.Env = append(os.Environ(), childDirectory+"="+c.dir, childRecipient+"="+c.secret.Recipient().String(),
			childKillAt+"="+stage, childNow+"="+c.clock.Format(time.RFC3339))
		out, err := child.CombinedOutput()
		if state, ok := child.ProcessState.Sys().(syscall.WaitStatus); !ok || !state.Signaled() {
			t.Fatalf("at %q it was not killed: %v\n%s", stage, err, out)
		}
		if strings.Contains("backup: in its place, backup made, backup: files copied", stage) {
			whole++
		}
		for _, name := range c.names() {
			c.opens(filepath.Join(c.path("backups"), name))
		}
		if len(c.names()) != whole {
			t.Errorf("killed at %q: there are %q, want %d", stage, c.names(), whole)
		}
		c.open()
		release, err := backup.Quiet(t.Context(), c.path("state")) // as before every run
		c.must(err)
		c.nothingPlainIsLeft()
		c.must(c.target.Reconcile(t.Context()))
		release()
		if left := c.left(); left.Number != whole {
			t.Errorf("killed at %q: the register has %d, there are %d", stage, left.Number, whole)
		}
	}
	c.clock = c.clock.Add(time.Hour)
	c.makes()
	for _, name := range c.files("backups") {
		if strings.HasSuffix(name, ".part") {
			t.Errorf("%s is left", name)
		}
	}
	all := c.register()
	if len(all) != whole+1 || !all[whole].Verified() {
		t.Errorf("the register says %+v", all)
	}
	var s backup.Standing
	c.read(func(tx *sqlite.Tx) (err error) { s, err = backup.StandingOf(tx); return err })
	if s.Last.ID != all[whole].ID {
		t.Errorf("it stands %+v", s)
	}
	c.nothingPlainIsLeft()
}
