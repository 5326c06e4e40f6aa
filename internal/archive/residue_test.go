package archive_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"muniment/internal/archive"
	"muniment/internal/disposal"
	"muniment/internal/forward"
	"muniment/internal/ledger"
	"muniment/internal/mail"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
	"muniment/internal/vault"
	"muniment/internal/verify"
)

var residueOf = flag.Int("residue", 4000, "of how many records TestResidue destroys a part; 100000 takes two minutes")

// A part of a large archive is destroyed, with its photos and with emails that wait. Then
// another program, which knows nothing of how ours searches, looks through every file for
// a thousand words and numbers that stood in nothing else.
func TestResidue(t *testing.T) {
	size := *residueOf
	if testing.Short() {
		t.Skip("slow, and nothing runs beside")
	}
	home := t.TempDir()
	o := options(size)
	c := newChat(t, home, o)
	defer c.db.Close()
	k := canaries{rnd: rand.New(rand.NewPCG(7, 1894)), until: o.Begin.AddDate(1, 0, -3), every: max(1, size/6/500)}
	c.alters = k.plant
	c.fill(size)
	u := newUndertaker(t, c, home)
	files := u.photos(60)
	c.now = o.Begin.AddDate(7, 0, -31)
	u.confirmClock()
	u.nightly()
	if waits := u.delivers(); waits == 0 {
		t.Fatal("no conversation waits in the outbox")
	}
	if found := grep(t, home, append(k.gone, k.stay...)); len(found) < len(k.gone)+len(k.stay) {
		t.Fatalf("before the destruction %d of %d are found: the search is no good", len(found), len(k.gone)+len(k.stay))
	}
	for range 2 { // two lists: on the last days of the year another begins
		c.now = c.now.AddDate(0, 0, 32)
		u.confirmClock()
		u.nightly()
	}
	u.expectDestroyed(int64(size/10), retention.DateOf(k.until.AddDate(6, 0, 0)))
	if found := grep(t, home, k.gone); len(found) > 0 {
		t.Errorf("of %d words and numbers that were destroyed %d are still there: %.300q", len(k.gone), len(found), found)
	}
	if found := grep(t, home, k.stay); len(found) != len(k.stay) {
		t.Errorf("of what is kept, %d of %d are there", len(found), len(k.stay))
	}
	if left := u.sealed(); left != files/2 {
		t.Errorf("%d sealed files are left; want %d", left, files/2)
	}
	t.Logf("%d records, %d looked for and found nowhere", size, len(k.gone))
}

// canaries are words and numbers that stand in one record only.
type canaries struct {
	rnd        *rand.Rand
	until      time.Time // what was sent before is to be destroyed
	n, every   int
	gone, stay []string
}

// plant puts a word of its own into some records: where people write, where a link's page
// is named, in a file's name. The ID of each is one, too.
func (k *canaries) plant(r *record.Received) {
	k.n++
	due := r.Sent.Before(k.until) // what follows a message goes with it: only messages are planted
	kept := r.Sent.After(k.until.AddDate(0, 1, 0))
	if k.n%k.every != 0 || r.Kind != record.Message || !due && (!kept || len(k.stay) >= 100) {
		return
	}
	w := k.word()
	switch {
	case r.File != nil:
		r.File.Name = "IMG " + w + ".jpg"
	case k.n%2 == 0:
		r.Protobuf = append(r.Protobuf, "the page of "+w+" and its parish"...)
	default:
		r.Text += " " + w
		r.Protobuf = append([]byte("\n\x10"+r.Text), noise(k.n, 60)...)
	}
	found := []string{w[2:], r.ID} // the index keeps the beginning of a word once for several
	if due {
		k.gone = append(k.gone, found...)
	} else {
		k.stay = append(k.stay, found...)
	}
}

func (k *canaries) word() string {
	b := make([]byte, 12)
	for i := range b {
		b[i] = byte('a' + k.rnd.IntN(26))
	}
	return string(b)
}

// grep returns which of the words stand in any file below the directory.
func grep(t *testing.T, directory string, words []string) []string {
	t.Helper()
	patterns := filepath.Join(t.TempDir(), "patterns")
	if err := os.WriteFile(patterns, []byte(strings.Join(words, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("grep", "--recursive", "--text", "--fixed-strings", "--only-matching", "--no-filename", "--file", patterns, directory)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 1 {
		return nil // nothing found
	} else if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]bool)
	for _, w := range strings.Fields(string(out)) {
		found[w] = true
	}
	var all []string
	for w := range found {
		all = append(all, w)
	}
	return all
}

// An undertaker does the nightly work upon a chat's archive, and the mail.
type undertaker struct {
	testing.TB
	c    *chat
	home string
	key  *ledger.Key
	v    *vault.Vault
	d    *disposal.Disposal
}

func newUndertaker(t testing.TB, c *chat, home string) *undertaker {
	t.Helper()
	u := &undertaker{TB: t, c: c, home: home}
	path := filepath.Join(home, "ledger.key")
	if err := ledger.NewKey(path, "muniment"); err != nil {
		t.Fatal(err)
	}
	var err error
	if u.key, err = ledger.LoadKey(path); err != nil {
		t.Fatal(err)
	}
	log, now := slog.New(slog.DiscardHandler), func() time.Time { return c.now }
	u.v = &vault.Vault{Directory: filepath.Join(home, "media"), DB: c.db, Log: log, Now: now}
	u.d = &disposal.Disposal{
		DB: c.db, Archive: c.archive, Key: u.key, Vault: u.v, Log: log, Now: now, Directory: home,
		Policy: disposal.Policy{Approval: disposal.Standing, Minute: "26/117", NoticeDays: 30, From: "muniment@example.gov.uk", To: "clerk@example.gov.uk"},
		Groups: map[string]string{officialGroup: "Councillors"},
		Verify: func(ctx context.Context) error {
			r, err := verify.Run(ctx, c.db, u.key, verify.With{})
			if err == nil && !r.OK() {
				err = errors.New(strings.Join(r.Faults, "; "))
			}
			return err
		},
		ScrubSession: func(context.Context) error { return nil },
		Issuer:       disposal.Issuer{Council: "Example Parish Council", Program: "muniment test", Host: "registry"},
	}
	return u
}

func (u *undertaker) nightly() {
	u.Helper()
	if err := u.d.Nightly(context.Background()); err != nil {
		u.Fatal(err)
	}
	u.c.write(func(tx *sqlite.Tx) error { _, err := u.key.Sign(tx, u.c.now); return err })
}

// confirmClock has somebody say that the clock is right, which was set ahead.
func (u *undertaker) confirmClock() {
	u.c.write(func(tx *sqlite.Tx) error {
		if err := disposal.CheckClock(tx, u.c.now); err != nil {
			return err
		}
		return disposal.ConfirmClock(tx, u.c.now, "sysadmin", "it was off")
	})
}

// photos captures messages with a file, of which every other is to be destroyed.
func (u *undertaker) photos(n int) int {
	u.Helper()
	for i := range n {
		sealed, err := u.v.Seal(context.Background(), record.Image, record.File{Name: fmt.Sprintf("photo %d.jpg", i), MIME: "image/jpeg"}, bytes.NewReader(noise(i, 50_000)))
		if err != nil {
			u.Fatal(err)
		}
		r := record.Received{Kind: record.Message, Type: record.Image, Group: officialGroup, ID: fmt.Sprintf("3EB0FFFF%012d", i), Sender: u.c.address(i % 7),
			Sent: options(0).Begin.AddDate(5*(i%2), 0, i), Text: fmt.Sprintf("photo %d", i), File: &sealed, Protobuf: noise(i, 80)}
		if err := u.v.Put(context.Background(), []record.File{sealed}, func(tx *sqlite.Tx) error {
			k, err := u.c.archive.Capture(tx, u.c.now, r)
			if err != nil {
				return err
			}
			return vault.Keep(tx, u.c.now, k.Seq, record.Image, sealed)
		}); err != nil {
			u.Fatal(err)
		}
	}
	if have := u.sealed(); have != n {
		u.Fatalf("%d sealed files; want %d", have, n)
	}
	return n
}

// sealed counts the sealed files.
func (u *undertaker) sealed() (n int) {
	u.Helper()
	if err := filepath.WalkDir(u.v.Directory, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() && u.v.Holds(path) {
			n++
		}
		return err
	}); err != nil {
		u.Fatal(err)
	}
	return n
}

// delivers hands over what is owed, but for the conversations, which the server has no
// room for: they wait, with all that they say. It returns how many.
func (u *undertaker) delivers() (waits int) {
	u.Helper()
	compose := func(ctx context.Context, it mail.Item) (letter []byte, err error) {
		if it.Kind != forward.Letter {
			return []byte("a notice"), nil
		}
		err = u.c.db.Write(ctx, func(tx *sqlite.Tx) error {
			if state, err := forward.Settle(tx, it.About); err != nil || state != forward.Settled {
				return errors.Join(err, mail.ErrNothingToSend)
			}
			conversation, err := forward.Load(tx, it.About)
			if err != nil {
				return err
			}
			records, err := archive.Some(tx, conversation.Seqs)
			for _, r := range records {
				letter = fmt.Appendf(letter, "%s\n", r.Text)
			}
			return err
		})
		return append([]byte("a conversation\n"), letter...), err
	}
	send := func(_ context.Context, _, _ string, msg []byte) (string, error) {
		if bytes.HasPrefix(msg, []byte("a conversation")) {
			waits++
			return "", &mail.Failure{Stage: mail.NamingRecipient, Code: 452, Enhanced: "4.2.2"}
		}
		return "250 taken", nil
	}
	own := func(string) bool { return true }
	if err := mail.New(u.c.db, u.d.Log, own, send, compose, func() time.Time { return u.c.now }, 1_000_000).DeliverDue(context.Background()); err != nil {
		u.Fatal(err)
	}
	return waits
}

// expectDestroyed checks that at least so many records went, that nothing is left
// that was due on a date, and that the archive verifies, the files too.
func (u *undertaker) expectDestroyed(least int64, by retention.Date) {
	u.Helper()
	r, err := verify.Run(context.Background(), u.c.db, u.key, verify.With{})
	if err != nil || !r.OK() || r.Stubs < least {
		u.Errorf("%d records were destroyed; want %d at least: %v, %v", r.Stubs, least, err, r.Faults)
	}
	u.c.write(func(tx *sqlite.Tx) error {
		due, err := u.c.archive.Due(tx, by, func(record.Seq) bool { return false })
		if len(due) > 0 {
			u.Errorf("%d records were due on %s and are still here", len(due), by)
		}
		return err
	})
}
