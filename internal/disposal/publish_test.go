package disposal

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"muniment/internal/journal"
	"muniment/internal/sqlite"
)

// backups is where accounts are published: a directory.
type backups struct {
	directory string
	before    error // happens instead of the writing
	after     error // happens after it
}

func (b *backups) publish(_ context.Context, run int64, account string) error {
	if b.before != nil {
		return b.before
	}
	return errors.Join(os.WriteFile(b.path(run), []byte(account), 0o600), b.after)
}

func (b *backups) path(run int64) string {
	return filepath.Join(b.directory, string(rune('0'+run))+".note")
}

// account is what was published of a run, its signature checked.
func (c *council) account(b *backups, run int64) string {
	c.Helper()
	signed, err := os.ReadFile(b.path(run))
	if err != nil {
		c.Fatal(err)
	}
	text, err := c.key.OpenText(string(signed))
	if err != nil {
		c.Fatal(err)
	}
	return text
}

// There is no certificate before the backups know what was destroyed, whatever goes wrong
// there; and that the files were searched is not forgotten meanwhile.
func TestTheBackupsAreToldFirst(t *testing.T) {
	if testing.Short() {
		t.Skip("one thing after another, which the race detector watches for long")
	}
	unreachable := errors.New("the other machine does not answer")
	for _, tt := range []struct {
		name string
		fail func(b *backups)
		told bool // by the first night, though it failed
	}{
		{"they cannot be told", func(b *backups) { b.before = unreachable }, false},
		{"they are told, and then it fails", func(b *backups) { b.after = unreachable }, true},
	} {
		for _, restarted := range []bool{false, true} {
			t.Run(tt.name, func(t *testing.T) {
				c, b := newCouncil(t), &backups{directory: t.TempDir()}
				c.says(ann, "3EB0AAAAAAAAAAAAAAAA", culvert)
				c.reacts(bo, "3EB0BBBBBBBBBBBBBBBB", "👍", "3EB0AAAAAAAAAAAAAAAA")
				c.nightsUntil("2032-03-02")
				c.d.Publish = b.publish
				tt.fail(b)
				if err := c.night(); !errors.Is(err, unreachable) {
					t.Fatalf("the night went by with %v", err)
				}
				c.expectKept(0)
				if _, err := c.certificate(1); !errors.Is(err, ErrNoCertificate) {
					t.Errorf("certificate: %v; want none", err)
				}
				if _, err := os.Stat(b.path(1)); (err == nil) != tt.told {
					t.Errorf("the backups were told: %v", err)
				}
				if restarted {
					c.restarts()
					c.d.Publish = b.publish
				}
				b.before, b.after = nil, nil
				c.nightsUntil("2032-03-05")
				if cert := c.certified(1); cert.Searched != 2 || cert.Unsearched != 0 || cert.Files == 0 {
					t.Errorf("searched for %d in %d files, not for %d", cert.Searched, cert.Files, cert.Unsearched)
				}
				lines := strings.Split(c.account(b, 1), "\n")
				if len(lines) != 5 || lines[0] != "muniment destroyed 1" || lines[1] != "run 1" {
					t.Errorf("account:\n%s", strings.Join(lines, "\n"))
				}
				for _, of := range []string{`"seq":1,"leaf":`, `"hash":"`, `"origin":"`, `"sent_on":"2026-03-02","class":"WA-MSG"`, `"on":"2032-03-03","authority":"standing`} {
					if !strings.Contains(lines[2], of) {
						t.Errorf("of record 1 the account says %s, not %s", lines[2], of)
					}
				}
				if n := c.journaled(journal.RunFinished); n != 1 {
					t.Errorf("the run was finished %d times", n)
				}
				c.expectVerified()
			})
		}
	}
}

// Killed between the publication and the certificate, the run publishes the same again.
func TestKilledBeforeTheCertificate(t *testing.T) {
	c, b := newCouncil(t), &backups{directory: t.TempDir()}
	c.says(ann, "3EB0AAAAAAAAAAAAAAAA", culvert)
	c.nightsUntil("2032-03-02")
	ctx, kill := context.WithCancel(context.Background())
	c.d.Publish = func(ctx context.Context, run int64, account string) error {
		defer kill()
		return b.publish(ctx, run, account)
	}
	c.now = c.now.AddDate(0, 0, 1)
	if err := c.d.Nightly(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("the night went by with %v", err)
	}
	first := c.account(b, 1)
	if _, err := c.certificate(1); !errors.Is(err, ErrNoCertificate) {
		t.Errorf("certificate: %v; want none", err)
	}
	c.restarts()
	c.d.Publish = b.publish
	c.nightsUntil("2032-03-04")
	if again := c.account(b, 1); again != first {
		t.Errorf("published first\n%s\nand then\n%s", first, again)
	}
	if cert := c.certified(1); cert.Searched != 1 || cert.Unsearched != 0 {
		t.Errorf("searched for %d, not for %d", cert.Searched, cert.Unsearched)
	}
}

// Nothing is destroyed while nobody knows which backups would still hold it.
func TestTheRegisterOfBackupsCannotBeRead(t *testing.T) {
	c := newCouncil(t)
	c.says(ann, "3EB0AAAAAAAAAAAAAAAA", culvert)
	c.nightsUntil("2032-03-02")
	unreadable := errors.New("no such table")
	c.d.Backups = func(*sqlite.Tx, time.Time) (Backups, error) { return Backups{}, unreadable }
	if err := c.night(); !errors.Is(err, unreadable) {
		t.Errorf("the night went by with %v", err)
	}
	c.expectKept(1)
	if n := c.journaled(journal.RunStarted); n != 0 {
		t.Errorf("%d runs were begun", n)
	}
	c.d.Backups = nil
	c.nightsUntil("2032-03-04")
	c.expectKept(0)
}
