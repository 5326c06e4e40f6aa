package daemon

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"muniment/internal/forward"
	"muniment/internal/retention"
)

// clerk is who was owed digests: of what, by the day that it tells of.
type clerk struct {
	t     *testing.T
	began time.Time
	owed  map[string]bool
	told  map[retention.Date]string
}

func newClerk(t *testing.T, began time.Time) *clerk {
	return &clerk{t, began, make(map[string]bool), make(map[retention.Date]string)}
}

func editionName(e forward.Edition) string {
	return map[string]string{forward.DigestLetter: "week", forward.DailyLetter: "day"}[e.Kind] + " " + string(e.Period.Last)
}

// looks owes what is due, and returns it.
func (c *clerk) looks(now time.Time, daily bool) (all []string) {
	c.t.Helper()
	editions, err := missing(c.began, now, daily, func(e forward.Edition) (bool, error) { return c.owed[editionName(e)], nil })
	if err != nil {
		c.t.Fatal(err)
	}
	for _, e := range editions {
		name := editionName(e)
		all = append(all, name)
		c.owed[name] = true
		if e.Period.End().After(now) {
			c.t.Fatalf("at %s %s is owed, and is not over", now, name)
		}
		for d := e.Period.First; d <= e.Period.Last; d = d.AddDays(1) {
			if other := c.told[d]; other != "" {
				c.t.Fatalf("at %s %s is in %s and in %s", now, d, other, name)
			}
			c.told[d] = name
		}
	}
	return all
}

// What is owed when, from one sort of digest to the other and after absences.
func TestWhichDigestsAreDue(t *testing.T) {
	days := func(from, to retention.Date) (all []string) {
		for d := from; d <= to; d = d.AddDays(1) {
			all = append(all, "day "+string(d))
		}
		return all
	}
	type look struct {
		when  string
		daily bool
		want  []string
	}
	for _, tt := range []struct {
		name  string
		looks []look
	}{
		{"weekly", []look{
			{"2026-11-08 23:59", false, nil},
			{"2026-11-09 07:00", false, []string{"week 2026-11-08"}},
			{"2026-11-09 07:01", false, nil},
		}},
		{"daily", []look{
			{"2026-11-04 23:59", true, nil},
			{"2026-11-05 07:00", true, []string{"day 2026-11-04"}},
			{"2026-11-06 07:00", true, []string{"day 2026-11-05"}},
			{"2026-11-06 07:00", true, nil},
		}},
		{"from weekly to daily in the middle of a week", []look{
			{"2026-11-09 07:00", false, []string{"week 2026-11-08"}},
			{"2026-11-12 09:00", true, days("2026-11-09", "2026-11-11")},
			{"2026-11-13 07:00", true, days("2026-11-12", "2026-11-12")},
		}},
		{"from daily to weekly in the middle of a week, which ends as it began", []look{
			{"2026-11-09 07:00", true, days("2026-11-04", "2026-11-08")},
			{"2026-11-12 09:00", true, days("2026-11-09", "2026-11-11")},
			{"2026-11-13 07:00", false, days("2026-11-12", "2026-11-12")},
			{"2026-11-16 07:00", false, days("2026-11-13", "2026-11-15")},
			{"2026-11-22 23:59", false, nil},
			{"2026-11-23 07:00", false, []string{"week 2026-11-22"}},
		}},
		{"daily, after an absence of weeks", []look{
			{"2026-11-05 07:00", true, []string{"day 2026-11-04"}},
			{"2026-12-03 09:00", true, slices.Concat(days("2026-11-05", "2026-11-08"), []string{"week 2026-11-15", "week 2026-11-22"}, days("2026-11-23", "2026-12-02"))},
		}},
		{"weekly, after an absence of months: eight weeks", []look{
			{"2027-03-01 09:00", false, []string{"week 2027-01-10", "week 2027-01-17", "week 2027-01-24", "week 2027-01-31",
				"week 2027-02-07", "week 2027-02-14", "week 2027-02-21", "week 2027-02-28"}},
		}},
		{"the clock is set back over the hour at which they are due", []look{
			{"2026-11-09 07:00", false, []string{"week 2026-11-08"}},
			{"2026-11-08 06:00", false, nil},
			{"2026-11-09 07:00", false, nil},
			{"2026-11-10 07:00", true, days("2026-11-09", "2026-11-09")},
			{"2026-11-09 12:00", true, nil},
			{"2026-11-10 07:00", true, nil},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newClerk(t, london("2026-11-04 15:00"))
			for _, l := range tt.looks {
				if got := c.looks(london(l.when), l.daily); fmt.Sprint(got) != fmt.Sprint(l.want) {
					t.Fatalf("at %s: %q; want %q", l.when, got, l.want)
				}
			}
		})
	}
}

// london returns a London time.
func london(s string) time.Time {
	t, err := time.ParseInLocation("2006-01-02 15:04", s, retention.London)
	if err != nil {
		panic(err)
	}
	return t
}

// On the days on which the clocks change as on any, whether somebody looks every hour, or
// the machine is off over the change: each day once.
func TestDailyDigestsWhenTheClocksChange(t *testing.T) {
	for _, change := range []string{"2027-03-28", "2026-10-25"} {
		for _, off := range []time.Duration{time.Hour, 50 * time.Hour} {
			day := retention.Date(change)
			c := newClerk(t, day.AddDays(-6).Start())
			got := []string{}
			for now := day.AddDays(-6).Start(); now.Before(day.AddDays(8).Start()); now = now.Add(off) {
				got = append(got, c.looks(now, true)...)
			}
			if n := strings.Join(got, ","); len(got) != 13 && len(got) != 12 || len(c.told) != len(got) || c.told[day] != "day "+change {
				t.Errorf("%s, looking every %s: %s", change, off, n)
			}
		}
	}
}

// Whatever a council, a machine and its clock do, every day is told once: from the first
// to the last that is over, as long as nobody is away for more than seven weeks.
func TestEveryDayIsToldOnce(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 31))
		began := london("2026-09-01 00:00").Add(time.Duration(r.IntN(60*24)) * time.Hour)
		c := newClerk(t, began)
		now, daily := began, r.IntN(2) == 0
		for range 80 {
			switch r.IntN(8) {
			case 0:
				daily = !daily
			case 1: // away
				now = now.Add(time.Duration(r.IntN(40*24)) * time.Hour)
			case 2: // set back
				now = now.Add(-time.Duration(r.IntN(72)) * time.Hour)
			default:
				now = now.Add(time.Duration(r.IntN(30*60)) * time.Minute)
			}
			if n := len(c.looks(now, daily)); n > 27 {
				t.Fatalf("seed %d: %d digests at once", seed, n)
			}
		}
		now = now.AddDate(0, 0, 21)
		c.looks(now, daily)
		for d, last := retention.DateOf(began), retention.WeekOf(retention.DateOf(now)).Plus(-1).Sunday(); d <= last; d = d.AddDays(1) {
			if c.told[d] == "" {
				t.Fatalf("seed %d: %s is in no digest", seed, d)
			}
		}
	}
}
