package saying

import (
	"strconv"
	"strings"
	"time"
	"unicode"

	"muniment/internal/retention"
)

// Day returns the London date of t: Tuesday 24 November 2026.
func Day(t time.Time) string { return t.In(retention.London).Format("Monday 2 January 2006") }

// Clock returns the London time of t: 14:05. In the night in October in which
// an hour comes twice, it says which one it was.
func Clock(t time.Time) string {
	const layout = "15:04"
	t = t.In(retention.London)
	s := t.Format(layout)
	if t.Add(time.Hour).Format(layout) == s || t.Add(-time.Hour).Format(layout) == s {
		return t.Format(layout + " MST")
	}
	return s
}

// Moment returns day and clock.
func Moment(t time.Time) string { return Day(t) + " at " + Clock(t) }

// Period says from when to when something is: Thursday 3 December 2026 at 19:30 to 21:00.
func Period(from, to time.Time) string {
	switch {
	case to.IsZero():
		return Moment(from)
	case Day(from) == Day(to):
		return Moment(from) + " to " + Clock(to)
	}
	return Moment(from) + " to " + Moment(to)
}

// Count returns n with its noun: 1 message, 1,200 messages.
func Count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return Number(int64(n)) + " " + noun + "s"
}

// Listed says what stands on a disposal list: records, and entries of the access log.
func Listed(records, entries int) string {
	switch {
	case entries == 0:
		return Count(records, "record")
	case records == 0:
		return LogEntries(entries)
	}
	return Count(records, "record") + " and " + LogEntries(entries)
}

// LogEntries says how many entries of the access log something is of.
func LogEntries(n int) string {
	if n == 1 {
		return "1 entry of the access log"
	}
	return Number(int64(n)) + " entries of the access log"
}

// Number returns n with its thousands set off.
func Number(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Span returns a number of seconds in words: 7 days, 1 hour 30 minutes.
func Span(seconds int64) string {
	const perDay = 24 * 60 * 60
	if seconds > 0 && seconds%perDay == 0 {
		return Count(int(seconds/perDay), "day")
	}
	return Length(time.Duration(seconds) * time.Second)
}

// Length returns a duration in words: 15 minutes, 1 hour 30 minutes.
func Length(d time.Duration) string {
	var parts []string
	for _, unit := range []struct {
		name string
		d    time.Duration
	}{{"hour", time.Hour}, {"minute", time.Minute}, {"second", time.Second}} {
		if n := d / unit.d; n > 0 {
			parts = append(parts, Count(int(n), unit.name))
			d -= n * unit.d
		}
	}
	if len(parts) == 0 {
		return "a second"
	}
	return strings.Join(parts, " ")
}

// And joins what is listed: a, b and c.
func And(items []string) string {
	if len(items) < 2 {
		return strings.Join(items, "")
	}
	last := len(items) - 1
	return strings.Join(items[:last], ", ") + " and " + items[last]
}

// Capital returns s with a capital at its beginning.
func Capital(s string) string {
	for i, r := range s {
		return string(unicode.ToUpper(r)) + s[i+len(string(r)):]
	}
	return s
}

// Lower returns s, which this program says, as it goes on within a sentence.
func Lower(s string) string {
	for _, name := range []string{"WhatsApp", "GIF"} {
		if strings.HasPrefix(s, name) {
			return s
		}
	}
	for i, r := range s {
		return string(unicode.ToLower(r)) + s[i+len(string(r)):]
	}
	return s
}

// Lines returns the lines of what somebody typed. Every character that any
// reader may take for the end of a line is one here, so that what is put before
// each line stands before all of them.
func Lines(s string) []string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\r\n", "\n")
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n':
			return r
		case r == '\r' || r == '\v' || r == '\f' || r == 0x85 || r == 0x2028 || r == 0x2029:
			return '\n'
		case unicode.IsControl(r):
			return '\uFFFD'
		}
		return r
	}, s)
	all := strings.Split(s, "\n")
	for i := range all {
		all[i] = strings.TrimRight(all[i], " \t")
	}
	for len(all) > 0 && all[0] == "" {
		all = all[1:]
	}
	for len(all) > 0 && all[len(all)-1] == "" {
		all = all[:len(all)-1]
	}
	return all
}

// OneLine returns s as it can stand within a sentence: in one line, and without
// the characters that turn the direction of what follows.
func OneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Bidi_Control, r) {
			return -1
		}
		return r
	}, strings.Join(Lines(s), " "))
	return strings.Join(strings.Fields(s), " ")
}

// Excerpt returns the first words of s, at most n characters.
func Excerpt(s string, n int) string {
	s = OneLine(s)
	runes := []rune(s)
	if len(runes) <= n {
		return s
	}
	cut := string(runes[:n])
	if i := strings.LastIndexByte(cut, ' '); i > len(cut)/2 {
		cut = cut[:i]
	}
	return strings.TrimRight(cut, " ,;:.\u200d\ufe0f") + "…"
}

// What ends the name of somebody who is not on the register, as people.Names tells it:
// what he calls himself, or what a phone called him from which the chat was imported.
const (
	NotVerified = " (name not verified)"
	OfAPhone    = " (name in an imported chat, not verified)"
)

// longestName is how many characters a sentence has of what somebody is called.
const longestName = 60

// Called returns a name, as people tell it, short enough for a sentence.
func Called(name string) string {
	for _, mark := range []string{NotVerified, OfAPhone} {
		if own, is := strings.CutSuffix(name, mark); is {
			return Excerpt(own, longestName) + mark
		}
	}
	return Excerpt(name, longestName)
}

// Some joins names, at most so many; 0: all.
func Some(names []string, most int) string {
	if left := len(names) - most; most > 0 && left > 1 {
		names = append(names[:most:most], Number(int64(left))+" others")
	}
	return And(names)
}

func article(noun string) string {
	if strings.ContainsRune("aeioAEIO", rune(noun[0])) { // a unit, a user: no u
		return "an"
	}
	return "a"
}
