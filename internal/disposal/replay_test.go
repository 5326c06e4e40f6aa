package disposal

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"muniment/internal/archive"
	"muniment/internal/journal"
	"muniment/internal/ledger"
	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// restored returns the council as it is after a restore from the backup at path, a day on.
func (c *council) restored(path string) *council {
	c.Helper()
	r := &council{T: c.T, dir: filepath.Dir(path), archive: c.archive, key: c.key, now: c.now.AddDate(0, 0, 1)}
	var err error
	if r.db, err = sqlite.Open(context.Background(), path); err != nil {
		c.Fatal(err)
	}
	c.Cleanup(func() { r.db.Close() })
	r.restarts()
	r.d.Policy = c.d.Policy
	r.write(func(tx *sqlite.Tx) error {
		lost := archive.Restoration{At: r.now, MadeAt: c.now.AddDate(0, 0, -1), Who: "Sam Reed", Reason: "the disk failed"}
		if lost.Leaves, err = ledger.Size(tx); err != nil {
			return err
		}
		return archive.NoteRestored(tx, r.key, lost, true)
	})
	return r
}

// What a run destroyed after the backup had been made is destroyed in what is restored from
// it, and no file holds anything of it. Then nothing is destroyed until somebody has said
// that the holds of the lost time were entered again; and the run's number is not given anew.
func TestRestoreRepeatsRuns(t *testing.T) {
	SearchOften(t, 5) // in the middle of the run
	c := newCouncil(t)
	account := make(map[int64]string)
	c.d.Publish = func(_ context.Context, run int64, text string) error {
		account[run] = text
		return nil
	}
	c.says(ann, "3EB0AAAAAAAAAAAAAAAA", culvert)
	c.reacts(bo, "3EB0BBBBBBBBBBBBBBBB", "👍", "3EB0AAAAAAAAAAAAAAAA")
	c.captures(record.Received{Kind: record.Message, Type: record.Text, Sender: bo, ID: "3EB0CCCCCCCCCCCCCCCC", Text: fence,
		Protobuf: []byte("\n" + fence), Sent: said.AddDate(0, 0, 3)})
	c.nightsUntil("2032-03-02")
	backup := filepath.Join(t.TempDir(), "archive.db")
	if err := c.db.CopyTo(context.Background(), backup); err != nil {
		t.Fatal(err)
	}
	c.nightsUntil("2032-03-03")
	text, err := c.key.OpenText(account[1])
	if err != nil {
		t.Fatalf("there is no account of the run: %v", err)
	}
	run, err := archive.ReadAccount(text)
	if err != nil {
		t.Fatal(err)
	}

	r := c.restored(backup)
	if len(r.traces(culvert)) == 0 {
		t.Fatal("the backup holds nothing of it: the test shows nothing")
	}
	again, err := r.d.Replay(context.Background(), []archive.RunAccount{run}, "Sam Reed", "the disk failed")
	if err != nil || again.Destroyed != 2 || again.Runs != 1 || again.Last != 1 {
		t.Errorf("replayed: %+v, %v", again, err)
	}
	r.expectNoTrace(culvert)
	r.expectNoTrace("3EB0AAAAAAAAAAAAAAAA")
	r.expectKept(1)
	r.expectVerified()
	if n := r.journaled(journal.Replayed); n != 1 {
		t.Errorf("%d entries say that an account was repeated", n)
	}

	r.nightsUntil("2032-03-10")
	r.expectKept(1)
	r.expectDoubt(2, "nobody has confirmed that holds and requests of the time since were entered again")
	r.write(func(tx *sqlite.Tx) error { return archive.ConfirmRestore(tx, r.now, "Jane Clerk", "all entered") })
	if err := r.night(); err != nil {
		t.Fatal(err)
	}
	r.expectKept(0)
	r.expectNoTrace(fence)
	r.expectVerified()
	if _, err := r.certificate(2); err != nil {
		t.Errorf("the run after that is not number 2: %v", err)
	}
	if lists := r.letters(); !strings.HasPrefix(lists[len(lists)-1], CertificateLetter+" 2") {
		t.Errorf("handed over: %q", lists)
	}
}

// A run that was under way when the backup was made goes on in what is restored, with the
// same number, and certifies all that it destroyed, then and again.
func TestRestoreInTheMiddleOfARun(t *testing.T) {
	c := newCouncil(t)
	account := ""
	c.d.Publish = func(_ context.Context, _ int64, text string) error {
		account = text
		return nil
	}
	c.says(ann, "3EB0AAAAAAAAAAAAAAAA", culvert)
	c.says(ann, "3EB0BBBBBBBBBBBBBBBB", fence)
	c.nightsUntil("2032-03-02")
	backup := filepath.Join(t.TempDir(), "archive.db")
	c.now = c.now.Add(24 * time.Hour)
	var l List
	c.write(func(tx *sqlite.Tx) (err error) { l, err = OpenList(tx, 1); return err })
	run, err := c.d.begin(context.Background(), l)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.d.step(context.Background(), l, run, run.seqs[:1]); err != nil {
		t.Fatal(err)
	}
	if err := c.db.CopyTo(context.Background(), backup); err != nil {
		t.Fatal(err)
	}
	c.nightsUntil("2032-03-04")
	text, err := c.key.OpenText(account)
	if err != nil {
		t.Fatal(err)
	}
	a, err := archive.ReadAccount(text)
	if err != nil {
		t.Fatal(err)
	}
	r := c.restored(backup)
	again, err := r.d.Replay(context.Background(), []archive.RunAccount{a}, "Sam Reed", "the disk failed")
	if err != nil || again.Destroyed != 1 {
		t.Fatalf("replayed: %+v, %v", again, err)
	}
	r.expectNoTrace(fence)
	r.write(func(tx *sqlite.Tx) error { return archive.ConfirmRestore(tx, r.now, "Jane Clerk", "all entered") })
	if err := r.night(); err != nil {
		t.Fatal(err)
	}
	if cert := r.certified(1); len(cert.Destroyed) != 2 {
		t.Errorf("the certificate names %d records, want both", len(cert.Destroyed))
	}
	r.expectVerified()
}
