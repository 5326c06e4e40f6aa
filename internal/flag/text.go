package flag

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// text is what somebody wrote, as the detectors see it: letters in lower case, digits and
// spaces and dashes of whatever sort as the plain ones, without what does not show, and
// cut into pieces. Addresses of web pages are left out: what they consist of means nothing.
type text struct {
	plain  string
	pieces []piece
}

// piece is a run of letters or of digits.
type piece struct {
	start, end int // in text.plain
	number     bool
	capitals   bool // every letter was one
}

// read takes s apart, in one pass.
func read(s string) *text {
	t := new(text)
	out := make([]byte, 0, len(s)+len(s)/16)
	inside := false // of a piece
	for i := 0; i < len(s); {
		r, size := rune(s[i]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRuneInString(s[i:])
			r = plain(r)
		}
		i += size
		if r == hidden {
			continue
		}
		letter, number, capital := sortOf(r)
		start := len(out)
		out = utf8.AppendRune(out, unicode.ToLower(r))
		last := len(t.pieces) - 1
		switch {
		case !letter && !number:
			if inside && startsWebPage(out[t.pieces[last].start:], s[i:]) {
				t.pieces = t.pieces[:last]
				i += wordEnd(s[i:])
			}
			inside = false
		case inside && t.pieces[last].number == number:
			t.pieces[last].end = len(out)
			t.pieces[last].capitals = t.pieces[last].capitals && capital
		default:
			t.pieces = append(t.pieces, piece{start, len(out), number, capital})
			inside = true
		}
	}
	t.plain = string(out)
	return t
}

func sortOf(r rune) (letter, number, capital bool) {
	if r >= utf8.RuneSelf {
		return unicode.IsLetter(r), false, unicode.IsUpper(r)
	}
	capital = 'A' <= r && r <= 'Z'
	return capital || 'a' <= r && r <= 'z', '0' <= r && r <= '9', capital
}

// hidden stands for what does not show.
const hidden rune = -1

// plain returns the plain form of a rune that is not ASCII.
func plain(r rune) rune {
	switch {
	case r >= 0xff01 && r <= 0xff5e: // full width
		return r - 0xff01 + '!'
	case unicode.Is(unicode.Nd, r):
		return digit(r)
	case unicode.In(r, unicode.Zs, unicode.Zl, unicode.Zp):
		return ' '
	case r == '\u00ad', unicode.In(r, unicode.Cf, unicode.Mn, unicode.Me): // also the box around the digit of an emoji
		return hidden
	case unicode.Is(unicode.Pd, r), r == '\u2212', r == '\u2043':
		return '-'
	case r == '\u2018', r == '\u2019', r == '\u02bc', r == '\u2032':
		return '\''
	}
	return r
}

// digit returns the plain form of a decimal digit of any writing: Unicode has the ten of
// each one after the other.
func digit(r rune) rune {
	for _, in := range unicode.Nd.R16 {
		if rune(in.Lo) <= r && r <= rune(in.Hi) {
			return '0' + (r-rune(in.Lo))%10
		}
	}
	for _, in := range unicode.Nd.R32 {
		if rune(in.Lo) <= r && r <= rune(in.Hi) {
			return '0' + (r-rune(in.Lo))%10
		}
	}
	return r
}

// startsWebPage reports whether the address of a web page begins with what was read last
// and goes on with rest. Not one that is nothing but a telephone number.
func startsWebPage(read []byte, rest string) bool {
	switch string(read) {
	case "http:", "https:":
		return strings.HasPrefix(rest, "//") && !strings.HasPrefix(rest, "//wa.me/")
	case "www.":
		return true
	}
	return false
}

// wordEnd returns where s has its first space.
func wordEnd(s string) int {
	if i := strings.IndexFunc(s, unicode.IsSpace); i >= 0 {
		return i
	}
	return len(s)
}

func (t *text) of(p piece) string { return t.plain[p.start:p.end] }

// word returns piece i if it is a word; empty where there is none.
func (t *text) word(i int) string {
	if i < 0 || i >= len(t.pieces) || t.pieces[i].number {
		return ""
	}
	return t.of(t.pieces[i])
}

// digits returns piece i if it is a number; empty where there is none.
func (t *text) digits(i int) string {
	if i < 0 || i >= len(t.pieces) || !t.pieces[i].number {
		return ""
	}
	return t.of(t.pieces[i])
}

// gap returns what stands between piece i and the one before.
func (t *text) gap(i int) string {
	from, to := 0, len(t.plain)
	if i > 0 {
		from = t.pieces[i-1].end
	}
	if i < len(t.pieces) {
		to = t.pieces[i].start
	}
	return t.plain[from:to]
}

// joined reports whether piece i follows the one before with nothing between them but at
// most two of the characters in by.
func (t *text) joined(i int, by string) bool {
	if i <= 0 || i >= len(t.pieces) {
		return false
	}
	gap := t.gap(i)
	return len(gap) <= 2 && strings.Trim(gap, by) == ""
}

// touches reports whether piece i follows the one before without anything between them.
func (t *text) touches(i int) bool { return i > 0 && i < len(t.pieces) && t.gap(i) == "" }

// lead returns the character before piece i; 0 if there is none.
func (t *text) lead(i int) byte {
	if start := t.pieces[i].start; start > 0 {
		return t.plain[start-1]
	}
	return 0
}

// phrases are words that stand one after the other, by the first.
type phrases map[string][][]string

// inWords makes phrases of a list, one a line.
func inWords(list string) phrases {
	all := make(phrases)
	for line := range strings.Lines(list) {
		if words := strings.Fields(line); len(words) > 0 {
			all[words[0]] = append(all[words[0]], words[1:])
		}
	}
	return all
}

// at reports whether one of the phrases begins with piece i of t.
func (all phrases) at(t *text, i int) bool {
	if t.touches(i) {
		return false
	}
	for _, rest := range all[t.word(i)] {
		n := 0
		for n < len(rest) && t.joined(i+n+1, " -\n_*'.") && t.word(i+n+1) == rest[n] {
			n++
		}
		if n == len(rest) && !t.touches(i+n+1) {
			return true
		}
	}
	return false
}
