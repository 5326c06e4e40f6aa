package archive

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"muniment/internal/journal"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
)

// T9: the clerk's command places a hold in one process while the daemon destroys
// in another. Whichever commits first, a record whose hold was committed before
// its destruction is never destroyed.
func TestAHoldPlacedBeforeDestructionWins(t *testing.T) {
	lasts := 3 * time.Second
	if testing.Short() {
		lasts = 300 * time.Millisecond
	}
	o := newOffice(t)
	clerks, err := sqlite.Open(context.Background(), o.db.Path())
	if err != nil {
		t.Fatal(err)
	}
	defer clerks.Close()
	rounds, held := 0, 0
	for end := time.Now().Add(lasts); time.Now().Before(end); rounds++ {
		m := says(ann, fmt.Sprint("A", rounds), "old")
		m.Sent = o.now.AddDate(-7, 0, 0)
		seq := o.captures(m).Seq
		var hold int64
		var placed, destroyed error
		var both sync.WaitGroup
		both.Go(func() {
			placed = clerks.Write(context.Background(), func(tx *sqlite.Tx) (err error) {
				hold, err = PlaceHold(tx, o.now, "Jane Clerk", "flood inquiry", "", Cover{Scope: Everything})
				return err
			})
		})
		both.Go(func() {
			spin(rand.IntN(1_000_000)) // so that either may come first
			destroyed = o.db.Write(context.Background(), func(tx *sqlite.Tx) error { return o.destroyAndTell(tx, seq) })
		})
		both.Wait()
		if placed != nil || destroyed != nil {
			t.Fatal(placed, destroyed)
		}
		gone := o.record(seq).Destroyed != ""
		o.write(func(tx *sqlite.Tx) error {
			atHold, _, err := journal.LastOf(tx, journal.HoldPlaced)
			if err != nil {
				return err
			}
			atRun, _, err := journal.LastOf(tx, journal.RunStep)
			if gone && atRun > atHold {
				t.Errorf("round %d: record %d was destroyed after its hold had been committed", rounds, seq)
			}
			return err
		})
		if !gone {
			held++
		}
		o.releases(hold)
	}
	t.Logf("%d rounds; the hold came first in %d", rounds, held)
	if held == 0 || held == rounds {
		t.Log("one side always won: the race was not tried")
	}
	o.expectSound()
}

// destroyAndTell destroys as a run does: with its entry in the same transaction.
func (o *office) destroyAndTell(tx *sqlite.Tx, seq record.Seq) error {
	gone, err := o.archive.Destroy(tx, Destruction{Run: 1, On: retention.DateOf(o.now), Authority: "minute 12"}, []record.Seq{seq})
	if err != nil || len(gone) == 0 {
		return err
	}
	return journal.Write(tx, journal.Entry{At: o.now, Who: journal.Daemon, Act: journal.RunStep,
		About: journal.About{"run": 1, "records": []record.Seq{seq}}})
}

func spin(n int) {
	for range n {
	}
}
