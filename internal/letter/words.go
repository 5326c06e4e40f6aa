package letter

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"muniment/internal/record"
	"muniment/internal/retention"
)

// day returns the London date of t: Tuesday 24 November 2026.
func day(t time.Time) string { return t.In(retention.London).Format("Monday 2 January 2006") }

// clock returns the London time of t: 14:05. In the night in October in which
// an hour comes twice, it says which one it was.
func clock(t time.Time) string {
	const layout = "15:04"
	t = t.In(retention.London)
	s := t.Format(layout)
	if t.Add(time.Hour).Format(layout) == s || t.Add(-time.Hour).Format(layout) == s {
		return t.Format(layout + " MST")
	}
	return s
}

// moment returns day and clock.
func moment(t time.Time) string { return day(t) + " at " + clock(t) }

// momentUTC returns moment with the time in UTC too, for who compares logs.
func momentUTC(t time.Time) string {
	return fmt.Sprintf("%s (%s UTC)", moment(t), t.UTC().Format("2006-01-02 15:04:05"))
}

// between says over which dates something extends.
func between(from, to retention.Date) string {
	switch {
	case from == "":
		return "never"
	case from == to:
		return "on " + from.Long()
	}
	return "between " + from.Long() + " and " + to.Long()
}

// count returns n with its noun: 1 message, 1,200 messages.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return number(int64(n)) + " " + noun + "s"
}

// number returns n with its thousands set off.
func number(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// years returns a number of years as one would say it.
func years(n int) string {
	words := []string{"no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"}
	if n == 1 {
		return "one year"
	}
	if n < len(words) {
		return words[n] + " years"
	}
	return number(int64(n)) + " years"
}

// length returns a duration in words: 15 minutes, 1 hour 30 minutes.
func length(d time.Duration) string {
	var parts []string
	for _, unit := range []struct {
		name string
		d    time.Duration
	}{{"hour", time.Hour}, {"minute", time.Minute}, {"second", time.Second}} {
		if n := d / unit.d; n > 0 {
			parts = append(parts, count(int(n), unit.name))
			d -= n * unit.d
		}
	}
	if len(parts) == 0 {
		return "a second"
	}
	return strings.Join(parts, " ")
}

// and joins what is listed: a, b and c.
func and(items []string) string {
	if len(items) < 2 {
		return strings.Join(items, "")
	}
	last := len(items) - 1
	return strings.Join(items[:last], ", ") + " and " + items[last]
}

// recordNumbers names records, in order of number: records 1 to 14, 17 and 18.
func recordNumbers(seqs []record.Seq) string {
	var runs []string
	for i := 0; i < len(seqs); {
		j := i
		for j+1 < len(seqs) && seqs[j+1] == seqs[j]+1 {
			j++
		}
		switch {
		case j-i >= 2:
			runs = append(runs, fmt.Sprintf("%d to %d", seqs[i], seqs[j]))
		case j > i:
			runs = append(runs, strconv.Itoa(int(seqs[i])), strconv.Itoa(int(seqs[j])))
		default:
			runs = append(runs, strconv.Itoa(int(seqs[i])))
		}
		i = j + 1
	}
	switch len(seqs) {
	case 0:
		return "none"
	case 1:
		return "record " + runs[0]
	}
	return "records " + and(runs)
}

// capital returns s with a capital at its beginning.
func capital(s string) string {
	for i, r := range s {
		return string(unicode.ToUpper(r)) + s[i+len(string(r)):]
	}
	return s
}

// lines returns the lines of what somebody typed. Every character that any
// reader may take for the end of a line is one here, so that what is put before
// each line stands before all of them.
func lines(s string) []string {
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

// oneLine returns s as it can stand within a sentence: in one line, and without
// the characters that turn the direction of what follows.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Bidi_Control, r) {
			return -1
		}
		return r
	}, strings.Join(lines(s), " "))
	return strings.Join(strings.Fields(s), " ")
}

// excerpt returns the first words of s, at most n characters.
func excerpt(s string, n int) string {
	s = oneLine(s)
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
