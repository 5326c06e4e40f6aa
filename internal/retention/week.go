package retention

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Week is a week from Monday to Sunday in London. It is written as its Sunday.
type Week Date

// WeekOf returns the week in which d lies.
func WeekOf(d Date) Week {
	return Week(d.AddDays((7 - int(d.time().Weekday())) % 7))
}

// Number returns the week as a number: 20261122.
func (w Week) Number() int64 {
	n, err := strconv.ParseInt(strings.ReplaceAll(string(w), "-", ""), 10, 64)
	if err != nil {
		panic(fmt.Sprintf("retention: %q is not a week", string(w)))
	}
	return n
}

// WeekNumbered returns the week with that [Week.Number].
func WeekNumbered(n int64) (Week, error) {
	d, err := ParseDate(fmt.Sprintf("%04d-%02d-%02d", n/10000, n/100%100, n%100))
	if err != nil || WeekOf(d) != Week(d) {
		return "", fmt.Errorf("there is no week %d", n)
	}
	return Week(d), nil
}

// Monday and Sunday return the first and the last day of the week.
func (w Week) Monday() Date { return Date(w).AddDays(-6) }
func (w Week) Sunday() Date { return Date(w) }

// Plus returns the week n weeks later.
func (w Week) Plus(n int) Week { return Week(Date(w).AddDays(7 * n)) }

// Start returns the first moment of the week; End the first after it.
func (w Week) Start() time.Time { return w.Monday().Start() }
func (w Week) End() time.Time   { return w.Sunday().AddDays(1).Start() }
