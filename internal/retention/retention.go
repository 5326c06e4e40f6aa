// Package retention says how long records are kept and when they fall due.
//
// It is pure: the same schedule, record and day always give the same answer.
// Periods are counted in calendar dates of Europe/London, since that is the
// calendar of the council that adopted them. Of several rules the longest wins, and
// what no rule is for is kept.
package retention

import (
	"fmt"
	"time"
)

// London is the time zone in which the council's dates are counted.
var London = mustLoad("Europe/London")

func mustLoad(name string) *time.Location {
	l, err := time.LoadLocation(name)
	if err != nil {
		panic(fmt.Sprintf("retention: time zone data is missing: %v", err))
	}
	return l
}

// Date is a calendar date, written 2006-01-02; dates compare as text.
type Date string

// Never is later than any day on which something is destroyed: what is due then is kept
// for good.
const Never Date = "9999-12-31"

// DateOf returns the London date of t.
func DateOf(t time.Time) Date { return Date(t.In(London).Format(time.DateOnly)) }

// ParseDate reads a date written as 2006-01-02.
func ParseDate(s string) (Date, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return "", fmt.Errorf("date %q: write it as 2006-01-02", s)
	}
	return Date(t.Format(time.DateOnly)), nil
}

// AddDays returns the date n days later.
func (d Date) AddDays(n int) Date {
	return Date(d.time().AddDate(0, 0, n).Format(time.DateOnly))
}

// DaysTo returns how many days later another date is; of an earlier one, less than 0.
func (d Date) DaysTo(other Date) int { return int(other.time().Sub(d.time()) / (24 * time.Hour)) }

// AddMonths returns the same day n months later, or the last of that month if it has
// no such day.
func (d Date) AddMonths(n int) Date {
	t := d.time()
	later := t.AddDate(0, n, 0)
	if later.Day() != t.Day() {
		later = later.AddDate(0, 0, -later.Day())
	}
	return Date(later.Format(time.DateOnly))
}

// Start returns the first moment of the date in London.
func (d Date) Start() time.Time {
	t := d.time()
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, London)
}

// Long returns the date as a reader expects it: 22 November 2026.
func (d Date) Long() string { return d.time().Format("2 January 2006") }

func (d Date) time() time.Time {
	t, err := time.Parse(time.DateOnly, string(d))
	if err != nil {
		panic(fmt.Sprintf("retention: %q is not a date", string(d)))
	}
	return t
}

// DueAfter returns the date from whose start (00:00 London time) what counts from the
// given moment may be destroyed: the day after the anniversary, so that full
// years have always passed (REQUIREMENTS.md 3.1-3.2). 29 February has its
// anniversary on 1 March where the year has no such day.
func DueAfter(from time.Time, years int) Date {
	if years >= Permanent {
		return Never
	}
	t := DateOf(from).time()
	anniversary := time.Date(t.Year()+years, t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
	return Date(anniversary.AddDate(0, 0, 1).Format(time.DateOnly))
}

// DueBefore returns the moment before which all must lie that is due on the given date
// after so many years: the first that is not. It is zero where nothing ever is.
func DueBefore(on Date, years int) time.Time {
	if years >= Permanent {
		return time.Time{}
	}
	day := Date(on.time().AddDate(-years, 0, -2).Format(time.DateOnly)) // around 29 February, not yet the last
	for DueAfter(day.Start(), years) <= on {
		day = day.AddDays(1)
	}
	return day.Start()
}

// From returns the moment from which the period of a message counts: the time
// that WhatsApp gives it, unless that lies more than a day after capture, which
// no honest clock explains (C2); then capture.
func From(sent, captured time.Time) time.Time {
	if sent.After(captured.Add(24 * time.Hour)) {
		return captured
	}
	return sent
}
