package archive

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muniment/internal/sqlite"
)

func (o *office) intakes() (all []Intake) {
	o.Helper()
	o.write(func(tx *sqlite.Tx) (err error) { all, err = Intakes(tx); return err })
	return all
}

// A run goes over midnight in London, which is 23:00 UTC in summer.
func TestIntakeAddsUp(t *testing.T) {
	o := newOffice(t)
	evening := time.Date(2026, 7, 1, 22, 59, 59, 0, time.UTC)
	midnight := evening.Add(time.Second)
	var run int64
	begin := func(at time.Time) {
		o.write(func(tx *sqlite.Tx) (err error) { run, err = BeginIntake(tx, at); return err })
	}
	count := func(at time.Time, received int64, outcome Outcome) {
		o.write(func(tx *sqlite.Tx) error { return Count(tx, at, run, received, outcome) })
	}
	begin(evening)
	for i, outcome := range []Outcome{WasCaptured, WasCaptured, WasDuplicate, WasOutOfScope, HasFailed} {
		count(evening, int64(i+2), outcome) // the first event could not be counted
	}
	count(evening, 1, WasCaptured) // an older count never lowers it
	count(midnight, 7, WasCaptured)
	o.write(func(tx *sqlite.Tx) error { return Alive(tx, midnight.Add(time.Hour), run) })
	count(midnight.Add(2*time.Hour), 9, WasDuplicate) // one could not be counted
	begin(midnight.Add(3 * time.Hour))
	o.write(func(tx *sqlite.Tx) error { return Alive(tx, midnight.Add(24*time.Hour), run) })
	want := []Intake{
		{Run: 3, Day: "2026-07-03", Started: midnight.Add(24 * time.Hour), Seen: midnight.Add(24 * time.Hour)},
		{Run: 3, Day: "2026-07-02", Started: midnight.Add(3 * time.Hour), Seen: midnight.Add(3 * time.Hour)},
		{Run: 1, Day: "2026-07-02", Started: midnight, Seen: midnight.Add(2 * time.Hour), Received: 3, Captured: 1, Duplicate: 1},
		{Run: 1, Day: "2026-07-01", Started: evening, Seen: evening, Received: 6, Captured: 3, Duplicate: 1, OutOfScope: 1, Failed: 1},
	}
	if diff := cmp.Diff(want, o.intakes()); diff != "" {
		t.Errorf("accounts (-want +got)\n%s", diff)
	}
}

func TestWhenTheDaemonWasLastThere(t *testing.T) {
	o := newOffice(t)
	expect := func(now, want time.Time) {
		t.Helper()
		o.write(func(tx *sqlite.Tx) error {
			seen, err := LastSeen(tx, now)
			if !seen.Equal(want) {
				t.Errorf("at %v it was last there at %v; want %v", now, seen, want)
			}
			return err
		})
	}
	expect(monday, time.Time{})
	o.write(func(tx *sqlite.Tx) error {
		run, err := BeginIntake(tx, monday)
		if err != nil {
			return err
		}
		return Alive(tx, monday.AddDate(0, 0, 3), run)
	})
	expect(monday.AddDate(0, 0, 4), monday.AddDate(0, 0, 3))
	expect(monday.AddDate(0, 0, 2), monday.AddDate(0, 0, 2)) // the clock was ahead, or is behind
}

// The clock is ahead by days for a while, and right again; then the daemon is killed. That
// it was not there afterwards must not be hidden until the clock catches up.
func TestWhenTheDaemonWasLastThereAfterTheClockWasAhead(t *testing.T) {
	o := newOffice(t)
	seen := func(now time.Time) (at time.Time) {
		t.Helper()
		o.write(func(tx *sqlite.Tx) (err error) { at, err = LastSeen(tx, now); return err })
		return at
	}
	right := monday.Add(2 * time.Hour)
	o.write(func(tx *sqlite.Tx) error {
		run, err := BeginIntake(tx, monday)
		for _, at := range []time.Time{monday.AddDate(0, 0, 3), right} {
			if err == nil {
				err = Alive(tx, at, run)
			}
		}
		return err
	})
	for _, later := range []time.Duration{0, time.Minute, 10 * time.Hour, 60 * time.Hour, 100 * time.Hour} {
		if at := seen(right.Add(later)); !at.Equal(right) {
			t.Errorf("%v later it was last there at %v; want %v", later, at, right)
		}
	}
}

// Whatever the clock does, and wherever the daemon is killed, everything that was
// received on a day ended in one way on that day.
func TestEveryDayAddsUp(t *testing.T) {
	if testing.Short() {
		t.Skip("does much, and nothing that others of a short run do not")
	}
	o := newOffice(t)
	rnd := rand.New(rand.NewPCG(1, 2))
	now := monday
	var run, door int64
	received := 0
	begin := func() { // the counter at the door is the process's
		door = 0
		o.write(func(tx *sqlite.Tx) (err error) { run, err = BeginIntake(tx, now); return err })
	}
	begin()
	for range 3000 {
		switch rnd.IntN(20) {
		case 0:
			begin()
		case 1: // killed between the door and the outcome: the message is delivered again
			door++
			begin()
		case 2:
			o.write(func(tx *sqlite.Tx) error { return Alive(tx, now, run) })
		case 3: // the clock is set
			now = now.Add(time.Duration(rnd.Int64N(int64(100*time.Hour))) - 50*time.Hour)
		default:
			now = now.Add(time.Duration(rnd.Int64N(int64(time.Hour))))
			door++
			received++
			outcome := []Outcome{WasCaptured, WasDuplicate, WasOutOfScope, HasFailed}[rnd.IntN(4)]
			o.write(func(tx *sqlite.Tx) error { return Count(tx, now, run, door, outcome) })
		}
	}
	var all int64
	for _, i := range o.intakes() {
		if all += i.Received; i.Unaccounted() != 0 {
			t.Errorf("%d events are not accounted for: %+v", i.Unaccounted(), i)
		}
	}
	if all != int64(received) {
		t.Errorf("%d events were received, says the account; %d were", all, received)
	}
}
