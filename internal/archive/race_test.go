package archive

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"muniment/internal/journal"
	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
)

var interleavings = flag.Int("interleavings", 1000, "of a hold with a destruction, in TestAHoldPlacedBeforeDestructionWins; 10000 take a minute")

// T9: the clerk's command places a hold in one process while the daemon destroys
// in another. Whichever commits first, a record whose hold was committed before
// its destruction is never destroyed. The hold is on everything, on the record, on its day,
// on its sender, or on what answers it.
func TestAHoldPlacedBeforeDestructionWins(t *testing.T) {
	rounds := *interleavings
	if testing.Short() {
		rounds = 100
	}
	o := newOffice(t)
	clerks, err := sqlite.Open(context.Background(), o.db.Path())
	if err != nil {
		t.Fatal(err)
	}
	defer clerks.Close()
	o.write(func(tx *sqlite.Tx) error {
		return people.AddMember(tx, o.now, "sysadmin", "elected", people.Member{Name: "Ann", Role: "councillor"}, ann)
	})
	old := o.now.AddDate(-7, 0, 0)
	on := retention.DateOf(old)
	held := 0
	for round := range rounds {
		m := says(ann, fmt.Sprint("A", round), "old")
		m.Sent = old
		seq := o.captures(m).Seq
		cover := Cover{Scope: Everything}
		switch round % 5 {
		case 1:
			cover = Cover{Scope: Records, Records: []record.Seq{seq}}
		case 2:
			cover = Cover{Scope: Dates, From: on, Through: on}
		case 3:
			cover = Cover{Scope: ByMember, Member: 1}
		case 4:
			answer := says(bo, fmt.Sprint("B", round), "so it is")
			answer.Target = &record.Ref{ID: m.ID, Sender: ann}
			cover = Cover{Scope: Records, Records: []record.Seq{o.captures(answer).Seq}}
		}
		var hold int64
		var placed, destroyed error
		var both sync.WaitGroup
		both.Go(func() {
			placed = clerks.Write(context.Background(), func(tx *sqlite.Tx) (err error) {
				hold, err = PlaceHold(tx, o.now, "Jane Clerk", "flood inquiry", "", cover)
				return err
			})
		})
		both.Go(func() {
			spin(rand.IntN(1_000_000)) // so that either may come first
			destroyed = o.db.Write(context.Background(), func(tx *sqlite.Tx) error { return o.destroyAndTell(tx, seq) })
		})
		both.Wait()
		gone := o.record(seq).Destroyed != ""
		if named := cover.Scope == Records && cover.Records[0] == seq; named && gone && errors.Is(placed, ErrNotKept) {
			continue // the clerk is told that it has gone
		}
		if placed != nil || destroyed != nil {
			t.Fatal(placed, destroyed)
		}
		o.write(func(tx *sqlite.Tx) error {
			atHold, _, err := journal.LastOf(tx, journal.HoldPlaced)
			if err != nil {
				return err
			}
			atRun, _, err := journal.LastOf(tx, journal.RunStep)
			if gone && atRun > atHold {
				t.Errorf("round %d: record %d was destroyed after its hold had been committed", round, seq)
			}
			return err
		})
		if !gone {
			held++
		}
		o.releases(hold)
	}
	t.Logf("%d rounds; the hold came first in %d", rounds, held)
	if rounds >= 1000 && (held < rounds/100 || held > rounds*99/100) {
		t.Error("one side almost always won: the race was not tried")
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
