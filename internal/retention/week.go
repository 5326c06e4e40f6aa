package retention

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Period is whole days in London, from First to Last.
type Period struct{ First, Last Date }

// Start returns the first moment of the period; End the first after it.
func (p Period) Start() time.Time { return p.First.Start() }
func (p Period) End() time.Time   { return p.Last.AddDays(1).Start() }

// Holds reports whether the date is in the period.
func (p Period) Holds(d Date) bool { return p.First <= d && d <= p.Last }

// Number returns the date as a number: 20261122.
func (d Date) Number() int64 {
	n, err := strconv.ParseInt(strings.ReplaceAll(string(d), "-", ""), 10, 64)
	if err != nil {
		panic(fmt.Sprintf("retention: %q is not a date", string(d)))
	}
	return n
}

// DateNumbered returns the date with that [Date.Number].
func DateNumbered(n int64) (Date, error) {
	d, err := ParseDate(fmt.Sprintf("%04d-%02d-%02d", n/10000, n/100%100, n%100))
	if err != nil || n < 0 {
		return "", fmt.Errorf("there is no day %d", n)
	}
	return d, nil
}

// Weekday returns the day of the week.
func (d Date) Weekday() time.Weekday { return d.time().Weekday() }

// Week is a week from Monday to Sunday in London. It is written as its Sunday.
type Week Date

// WeekOf returns the week in which d lies.
func WeekOf(d Date) Week {
	return Week(d.AddDays((7 - int(d.Weekday())) % 7))
}

// Number returns the week as a number, that of its Sunday.
func (w Week) Number() int64 { return Date(w).Number() }

// WeekNumbered returns the week with that [Week.Number].
func WeekNumbered(n int64) (Week, error) {
	d, err := DateNumbered(n)
	if err != nil || WeekOf(d) != Week(d) {
		return "", fmt.Errorf("there is no week %d", n)
	}
	return Week(d), nil
}

// Monday and Sunday return the first and the last day of the week.
func (w Week) Monday() Date { return Date(w).AddDays(-6) }
func (w Week) Sunday() Date { return Date(w) }

// Period returns the days of the week.
func (w Week) Period() Period { return Period{w.Monday(), w.Sunday()} }

// Plus returns the week n weeks later.
func (w Week) Plus(n int) Week { return Week(Date(w).AddDays(7 * n)) }

// Start returns the first moment of the week; End the first after it.
func (w Week) Start() time.Time { return w.Period().Start() }
func (w Week) End() time.Time   { return w.Period().End() }
