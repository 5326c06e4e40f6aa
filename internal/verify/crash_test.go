package verify_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"muniment/internal/archive"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
)

// captureAt, if set, makes this test binary a daemon that captures into the
// archive there until it is killed.
const captureAt = "MUNIMENT_TEST_CAPTURE_AT"

func TestMain(m *testing.M) {
	if path := os.Getenv(captureAt); path != "" {
		fmt.Fprintln(os.Stderr, captureForEver(path))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// captureForEver captures message after message, first the last one again as
// WhatsApp would, and prints each number when, and only when, it is on disk.
func captureForEver(path string) error {
	ctx := context.Background()
	db, err := sqlite.Open(ctx, path)
	if err != nil {
		return err
	}
	var a *archive.Archive
	var kept int64
	if err := db.Read(ctx, func(tx *sqlite.Tx) error {
		if a, err = archive.Load(tx, retention.ForYears(6)); err != nil {
			return err
		}
		acc, err := a.Count(tx)
		kept = acc.Kept
		return err
	}); err != nil {
		return err
	}
	for n := max(kept, 1); ; n++ {
		r := says(ann, fmt.Sprint("A", n), fmt.Sprintf("message %d about the culvert", n))
		r.Group, r.Sent = official, monday.Add(time.Duration(n)*time.Second)
		if n > 1 && n%3 == 0 {
			ref := record.Ref{ID: fmt.Sprint("A", n-1), Sender: ann}
			r.Target = &ref
			r.Quotations = []record.Quotation{{Of: ref, Text: "quoted"}}
		}
		var seq record.Seq
		if err := db.Write(ctx, func(tx *sqlite.Tx) error {
			c, err := a.Capture(tx, r.Sent, r)
			seq = c.Seq
			return err
		}); err != nil {
			return err
		}
		fmt.Println(seq)
	}
}

// However often the machine is switched off, every message that was acknowledged
// is in the archive once, in its place, and the ledger verifies.
func TestKilledWhileCapturing(t *testing.T) {
	times := 12
	if testing.Short() {
		times = 3
	}
	v := newVault(t)
	var acknowledged int64
	for range times {
		acknowledged = max(acknowledged, killed(t, v.db.Path()))
		r := v.verifies()
		v.expectFaults(r)
		// One more may be on disk than the last that it could tell of.
		if r.Records != acknowledged && r.Records != acknowledged+1 {
			t.Fatalf("%d records; %d were acknowledged", r.Records, acknowledged)
		}
		v.expectOnce(r.Records)
	}
	if acknowledged < int64(times) {
		t.Errorf("only %d messages were captured in all: nothing was tried", acknowledged)
	}
}

// killed lets a child capture for a while, kills it, and returns the last number
// that it acknowledged.
func killed(t *testing.T, path string) (last int64) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), captureAt+"="+path)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	enough := 1 + rand.IntN(40)
	for n := 0; lines.Scan(); n++ {
		if n == enough { // at whatever it is doing now; go on reading what it told
			time.AfterFunc(time.Duration(rand.IntN(3000))*time.Microsecond, func() { child.Process.Kill() })
		}
		seq, err := strconv.ParseInt(lines.Text(), 10, 64)
		if err != nil {
			break // its last line, cut off
		}
		last = seq
	}
	child.Wait() // it was killed
	return last
}

// expectOnce checks that the records are the messages 1 to n, each once.
func (v *vault) expectOnce(n int64) {
	v.Helper()
	v.write(func(tx *sqlite.Tx) error {
		want := int64(0)
		if err := archive.Each(tx, func(r archive.Record) error {
			if want++; r.Seq != record.Seq(want) || r.ID != fmt.Sprint("A", want) {
				v.Errorf("record %d is message %s; want A%d", r.Seq, r.ID, want)
			}
			return nil
		}); err != nil {
			return err
		}
		if want != n {
			v.Errorf("%d records are shown; want %d", want, n)
		}
		return nil
	})
}
