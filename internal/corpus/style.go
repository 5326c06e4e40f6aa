package corpus

import (
	"math/bits"
	"math/rand/v2"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// dice draws whole numbers from nothing but the generator's own, so that they are
// the same with every version of Go.
type dice struct{ *rand.PCG }

func newDice(seed uint64) dice { return dice{rand.NewPCG(seed, 0x6d756e696d656e74)} }

// n returns a number from 0 to n-1.
func (d dice) n(n int) int {
	hi, _ := bits.Mul64(d.Uint64(), uint64(n))
	return int(hi)
}

func (d dice) between(lo, hi int) int { return lo + d.n(hi-lo+1) }
func (d dice) skewed(n int) int       { return d.n(d.n(n) + 1) } // the lower the likelier
func (d dice) percent(p int) bool     { return d.n(100) < p }

func (d dice) seconds(lo, hi int) time.Duration {
	return time.Duration(d.between(lo, hi)) * time.Second
}

// weighted returns an index, each as likely as its weight.
func (d dice) weighted(weights []int) (i int) {
	sum := 0
	for _, w := range weights {
		sum += w
	}
	for left := d.n(sum) - weights[0]; left >= 0; left -= weights[i] {
		i++
	}
	return i
}

// text is what is said in a beat, other than what was said there the last time.
func (c *chat) text(b *beat, e *env) string {
	at := 0
	if n := len(b.says); n > 1 {
		at = (c.said[b] + 1 + c.n(n-1)) % n
		c.said[b] = at
	}
	s := strings.TrimSpace(string(c.say(nil, b.says[at], e, true)))
	if c.Long && b.kind == KindText {
		s = c.longer(s, e)
	}
	return upper(s)
}

// longer goes on for as many words as a message of the benchmarks has.
func (c *chat) longer(s string, e *env) string {
	least := [...]int{1, 5, 16, 26, 40, 95, 200}
	band := c.weighted([]int{14, 17, 23, 20, 21, 5})
	for words := c.between(least[band], least[band+1]); strings.Count(s, " ")+6 < words; {
		if r, _ := utf8.DecodeLastRuneInString(s); unicode.IsLetter(r) || unicode.IsDigit(r) || r == ')' || r == '"' {
			s += "."
		}
		s += " " + c.sentence(&env{wall: e.wall, parts: e.parts})
	}
	return s
}

// sentence is one with which a long message might go on.
func (c *chat) sentence(e *env) string {
	asides := read().list("aside").texts
	s := upper(string(c.say(nil, asides[c.n(len(asides))], e, true)))
	if !strings.HasSuffix(s, "?") {
		s += "."
	}
	return s
}

func upper(s string) string {
	if s != "" && s[0] >= 'a' && s[0] <= 'z' && !strings.HasPrefix(s, "http") {
		return strings.ToUpper(s[:1]) + s[1:]
	}
	return s
}

// Words with which a sentence may begin in small letters.
const small = " A And Any Anyone As Are Agree Agreed Can Clear Could Didn't Five Great Half Happy Has Have How If Is It It's Just Key Leave Lovely No Not Noted Ok On Same Some Sorry Sounds Thank Thanks That That's The There There's They We Water What When Where Who Will Would Yes You "

// style writes as the sender does, and with his errors; right is without them.
func (c *chat) style(s string, h habit) (written, right string) {
	if first, _, _ := strings.Cut(s, " "); c.percent(h.lower) && strings.Contains(small, " "+strings.TrimRight(first, ",.!?")+" ") {
		s = strings.ReplaceAll(strings.ToLower(s[:1])+s[1:], " I ", " i ")
	}
	if c.percent(h.noStop) && strings.HasSuffix(s, ".") && !strings.HasSuffix(s, "..") {
		s = s[:len(s)-1]
	}
	if c.percent(h.typo) {
		return c.typo(s), s
	}
	return s, s
}

// typo slips in a word of some length.
func (c *chat) typo(s string) string {
	words := strings.Split(s, " ")
	for range 3 {
		w := &words[c.n(len(words))]
		if len(*w) < 4 || strings.ContainsFunc(*w, func(r rune) bool { return r != '\'' && (r < 'a' || r > 'z') }) {
			continue
		}
		at := c.between(1, len(*w)-3)
		switch before, after, apostrophe := strings.Cut(*w, "'"); {
		case apostrophe:
			*w = before + after
		case c.percent(60): // two letters change places
			*w = (*w)[:at] + (*w)[at+1:at+2] + (*w)[at:at+1] + (*w)[at+2:]
		default: // one is left out
			*w = (*w)[:at] + (*w)[at+1:]
		}
		break
	}
	return strings.Join(words, " ")
}
