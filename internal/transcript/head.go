package transcript

import (
	"cmp"
	"errors"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// The errors of what is no export of a chat that a phone wrote.
var (
	ErrNoExport = errors.New("this is not WhatsApp's export of a chat: no line begins with a date and a time as a phone writes them")
	ErrWeb      = errors.New("this export was made by WhatsApp on a computer, which calls its own user \"You\" and does not tell who that is: export the chat on a phone")
)

// Order is in which order the parts of its dates stand.
type Order string

// The orders.
const (
	DayFirst   Order = "day/month/year"
	MonthFirst Order = "month/day/year"
	YearFirst  Order = "year-month-day"
)

// form is how an export writes dates and times. A phone writes all of one file in
// one form, so that a line in another is something that somebody typed or pasted.
type form struct {
	bracket, seconds, noon, comma bool // noon: a clock of twelve hours, with am and pm
	separator, colon              string
	yearFirst                     bool
}

// head is the beginning of a line that may begin an entry.
type head struct {
	form
	line         int    // from 0
	length       int    // bytes of it
	date         [3]int // in the order that it stands
	hour, minute int
	second       int
	pm           bool
}

// marks are letters that show nothing and may stand before a line or a word.
const marks = "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"

// headOf matches the head of a line: a date, a time, and what stands before the author.
var headOf = regexp.MustCompile(`^[` + marks + `]*(\[)?(\d{1,4})([/.-])(\d{1,2})([/.-])(\d{1,4})(,)?[ \x{a0}\x{202f}](\d{1,2})([:.])(\d{2})(?:[:.](\d{2}))?` +
	`(?:[ \x{a0}\x{202f}]?([AaPp])\.?[ \x{a0}\x{202f}]?[Mm]\.?)?(\])?[ \x{a0}\x{202f}](?:([-–—])[ \x{a0}\x{202f}])?`)

// readHead reads the head of a line; false if it has none.
func readHead(line string) (h head, ok bool) {
	m := headOf.FindStringSubmatch(line)
	if m == nil || m[3] != m[5] || (m[1] == "") != (m[13] == "") || m[1] == "" && m[14] == "" {
		return head{}, false
	}
	n := func(i int) int { v, _ := strconv.Atoi(m[i]); return v } // digits, few
	h = head{
		form: form{bracket: m[1] != "", seconds: m[11] != "", noon: m[12] != "", comma: m[7] != "", separator: m[3], colon: m[9], yearFirst: len(m[2]) == 4},
		date: [3]int{n(2), n(4), n(6)}, hour: n(8), minute: n(10), second: n(11), pm: strings.EqualFold(m[12], "p"), length: len(m[0]),
	}
	if h.bracket { // then a dash belongs to a name
		h.length = strings.Index(line, "]") + len("]")
	}
	if years := m[6]; !h.yearFirst && len(years) != 2 && len(years) != 4 || h.yearFirst && len(years) > 2 || len(m[2]) == 3 {
		return head{}, false
	}
	return h, true
}

// findHeads returns the heads of the entries, and their form, which is that of the
// first.
func findHeads(lines []string) (heads []head, f form, err error) {
	for i, l := range lines {
		if len(heads) == 0 && isWeb(l) {
			return nil, form{}, ErrWeb
		}
		h, ok := readHead(l)
		if ok && len(heads) == 0 {
			f = h.form
		}
		if ok && h.form == f {
			h.line = i
			heads = append(heads, h)
		}
	}
	if len(heads) == 0 {
		return nil, form{}, ErrNoExport
	}
	return heads, f, nil
}

// isWeb reports whether an export that begins with l was written on a computer: there
// the first notice has no date, and later ones a dash after the bracket.
func isWeb(l string) bool {
	return strings.HasPrefix(l, "Messages and calls are end-to-end encrypted") || webNotice.MatchString(l)
}

var webNotice = regexp.MustCompile(`^\[\d{1,2}/\d{1,2}/\d{2}, \d{1,2}:\d{2}:\d{2} [AP]M\] - `)

// decide returns in which order the dates stand: that in which fewest cannot be, or
// lie in the future, or go back from one line to the next. Sure is false if none is
// better than another; then it is that of the United Kingdom.
func decide(heads []head, now time.Time) (o Order, sure bool) {
	if heads[0].yearFirst {
		return YearFirst, true
	}
	type score struct{ wrong, back int }
	rate := func(o Order) (s score) {
		var last time.Time
		for _, h := range heads {
			if !h.exists(o) {
				s.wrong++
				continue
			}
			at := h.wall(o)
			if !now.IsZero() && at.After(wallOf(now).AddDate(0, 0, 1)) {
				s.wrong++
			}
			if at.Before(last.AddDate(0, 0, -1)) {
				s.back++
			}
			last = at
		}
		return s
	}
	uk, us := rate(DayFirst), rate(MonthFirst)
	switch c := cmp.Or(cmp.Compare(uk.wrong, us.wrong), cmp.Compare(uk.back, us.back)); {
	case c > 0:
		return MonthFirst, true
	default:
		return DayFirst, c < 0
	}
}

// parts returns year, month and day.
func (h head) parts(o Order) (y, m, d int) {
	switch a, b, c := h.date[0], h.date[1], h.date[2]; o {
	case YearFirst:
		return a, b, c
	case MonthFirst:
		y, m, d = c, a, b
	default:
		y, m, d = c, b, a
	}
	if y < 100 {
		y += 2000
	}
	return y, m, d
}

// exists reports whether there is such a date and time on a clock.
func (h head) exists(o Order) bool {
	y, m, d := h.parts(o)
	if h.minute > 59 || h.second > 59 || h.hour > 23 || h.noon && (h.hour < 1 || h.hour > 12) || y < 2009 || y > 2200 { // WhatsApp began in 2009
		return false
	}
	t := h.wall(o)
	return t.Year() == y && int(t.Month()) == m && t.Day() == d
}

// wall returns what the phone's clock showed, as if it were UTC.
func (h head) wall(o Order) time.Time {
	y, m, d := h.parts(o)
	hour := h.hour
	if h.noon {
		hour %= 12
		if h.pm {
			hour += 12
		}
	}
	return time.Date(y, time.Month(m), d, hour, h.minute, h.second, 0, time.UTC)
}

// wallOf returns what a clock in the zone of t shows at t, as if it were UTC.
func wallOf(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
}

// clock tells the times of one entry after another.
type clock struct {
	zone *time.Location
	last time.Time
	back int
}

// resolve returns when a clock in the zone showed wall; if it did so twice, the other
// time too; false if it never did, and then the time by the clock before the change.
func (c *clock) resolve(wall time.Time) (at, or time.Time, exists bool) {
	var found []time.Time
	for _, offset := range []int{offsetAt(wall.Add(-24*time.Hour), c.zone), offsetAt(wall.Add(24*time.Hour), c.zone)} {
		t := wall.Add(-time.Duration(offset) * time.Second)
		if wallOf(t.In(c.zone)).Equal(wall) && (len(found) == 0 || !found[0].Equal(t)) {
			found = append(found, t)
		}
	}
	switch len(found) {
	case 0:
		at = wall.Add(-time.Duration(offsetAt(wall.Add(-24*time.Hour), c.zone)) * time.Second)
	case 1:
		at, exists = found[0], true
	default:
		// A clock that goes back is put back; a message alone that came late goes back
		// by less, as a rule.
		at, or, exists = found[0], found[1], true
		if or.Before(at) {
			at, or = or, at
		}
		if at.Before(c.last.Add(-time.Minute)) {
			at, or = or, at
		}
	}
	if at.Before(c.last.Add(-time.Hour)) {
		c.back++
	}
	c.last = at
	return at, or, exists
}

// offsetAt returns by how many seconds the zone is ahead of UTC at t.
func offsetAt(t time.Time, zone *time.Location) int {
	_, offset := t.In(zone).Zone()
	return offset
}
