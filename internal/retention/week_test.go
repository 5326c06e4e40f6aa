package retention

import (
	"testing"
	"time"
)

func TestWeekOf(t *testing.T) {
	for _, tt := range []struct {
		day    Date
		week   Week
		number int64
	}{
		{"2026-11-16", "2026-11-22", 20261122}, // a Monday
		{"2026-11-18", "2026-11-22", 20261122},
		{"2026-11-22", "2026-11-22", 20261122}, // a Sunday
		{"2026-11-23", "2026-11-29", 20261129},
		{"2026-12-31", "2027-01-03", 20270103},
	} {
		w := WeekOf(tt.day)
		if w != tt.week || w.Number() != tt.number {
			t.Errorf("the week of %s is %s, number %d; want %s, %d", tt.day, w, w.Number(), tt.week, tt.number)
		}
		if again, err := WeekNumbered(tt.number); err != nil || again != tt.week {
			t.Errorf("week %d is %s, err %v; want %s", tt.number, again, err, tt.week)
		}
	}
	for _, n := range []int64{0, -1, 20261121, 20261332, 20260231} {
		if w, err := WeekNumbered(n); err == nil {
			t.Errorf("week %d is %s", n, w)
		}
	}
}

// A week in which the clocks change is an hour longer or shorter than others, and
// begins and ends at midnight all the same.
func TestWeeksAreLondons(t *testing.T) {
	for week, want := range map[Week]struct {
		start, end string
	}{
		"2026-11-22": {"2026-11-16T00:00:00Z", "2026-11-23T00:00:00Z"},
		"2026-10-25": {"2026-10-18T23:00:00Z", "2026-10-26T00:00:00Z"},
		"2026-03-29": {"2026-03-23T00:00:00Z", "2026-03-29T23:00:00Z"},
	} {
		start, end := week.Start().UTC().Format(time.RFC3339), week.End().UTC().Format(time.RFC3339)
		if start != want.start || end != want.end {
			t.Errorf("the week of %s is from %s to %s; want %s to %s", week, start, end, want.start, want.end)
		}
		if !week.Plus(1).Start().Equal(week.End()) {
			t.Errorf("after the week of %s comes one that begins at %s", week, week.Plus(1).Start())
		}
	}
}
