package corpus

import (
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

//go:embed chat.txt
var chatText string

// grammar is chat.txt, read.
type grammar struct {
	words  map[string]*words
	scenes []*scene
}

// words are what a slot may be filled with: texts, or what is worked out.
type words struct {
	texts    []text
	computed func(c *chat, wall time.Time) string
}

// scene is a conversation. The fields after its beats say when it comes up.
type scene struct {
	beats      []beat
	fixed      []int  // those of the cast who speak by name
	mood       string // "", fun or sad
	weight     int
	only       bool  // on its days, nothing else is played
	begin, end int   // of the days on which it may begin: month*100+day
	meeting    []int // nil, or between which days after a meeting; before it, if negative
	from, to   int   // between which hours; 0: any
}

type beat struct {
	who                                 string
	maybe, later, deleted, reply, first bool
	kind                                Kind
	file                                text
	says                                []text
}

// text is literals, choices between texts, numbers and slots.
type text []part

type part struct {
	literal       string
	choice        []text
	number, money bool
	lo, hi, width int
	slot          string
	fresh         bool   // not to be kept for the conversation
	words         *words // nil: the slot is somebody's first name
}

// env is who is who in a conversation, and what its slots are filled with.
type env struct {
	wall  time.Time
	parts [5]int // a to e, as indices into People
	bound []struct{ slot, value string }
}

var read = sync.OnceValue(func() *grammar {
	g := &grammar{words: make(map[string]*words)}
	for name, f := range computed {
		g.words[name] = &words{computed: f}
	}
	g.read(chatText)
	for name, w := range g.words {
		if w.texts == nil && w.computed == nil {
			panic("chat.txt: nothing fills {" + name + "}")
		}
	}
	return g
})

// read panics at what it cannot read: the text is part of the program.
func (g *grammar) read(all string) {
	var s *scene
	var texts *[]text
	for line := range strings.Lines(all) {
		line = strings.ReplaceAll(strings.TrimRight(line, "\r\n"), `\n`, "\n")
		name, values, isWords := strings.Cut(line, " = ")
		switch more, isMore := strings.CutPrefix(line, "  // "); {
		case strings.HasPrefix(line, "#") || line == "":
		case isMore:
			*texts = append(*texts, g.texts(more, " // ")...)
		case strings.HasPrefix(line, "== "):
			s = readScene(strings.Fields(line)[2:])
			g.scenes = append(g.scenes, s)
		case isWords && !strings.Contains(name, ":"):
			texts = &g.list(name).texts
			*texts = g.texts(values, "; ")
		case s != nil && strings.Contains(line, ":"):
			for one := range strings.SplitSeq(line, " / ") {
				head, says, _ := strings.Cut(one, ":")
				s.beats = append(s.beats, g.beat(s, head))
				texts = &s.beats[len(s.beats)-1].says
				*texts = g.texts(strings.TrimPrefix(says, " "), " // ")
			}
		default:
			panic("chat.txt: " + line)
		}
	}
}

// list returns the words of a name, which may be read later.
func (g *grammar) list(name string) *words {
	if g.words[name] == nil {
		g.words[name] = new(words)
	}
	return g.words[name]
}

func readScene(flags []string) *scene {
	s := &scene{weight: 1, begin: 101, end: 1231}
	for _, f := range flags {
		var lo, hi int
		switch {
		case f == "only":
			s.only = true
		case f == "fun" || f == "sad":
			s.mood = f
		case scan(f, "x%d", &s.weight), scan(f, "at%d-%d", &s.from, &s.to):
		case scan(f, "meeting%d..%d", &lo, &hi):
			s.meeting = []int{lo, hi}
		default:
			from, to, _ := strings.Cut(f, "-")
			s.begin, s.end = readDay(from, 1), readDay(to, 31)
		}
	}
	return s
}

func scan(s, format string, into ...any) bool {
	n, err := fmt.Sscanf(s, format, into...)
	return err == nil && n == len(into)
}

// readDay reads 25Dec, or Dec, which is the given day of it.
func readDay(s string, day int) int {
	month, err := time.Parse("Jan", strings.TrimLeft(s, "0123456789"))
	if err != nil {
		panic("chat.txt: no day: " + s)
	}
	scan(s, "%d", &day)
	return int(month.Month())*100 + day
}

func (g *grammar) beat(s *scene, head string) beat {
	head, document, _ := strings.Cut(head, " document(")
	name, more, _ := strings.Cut(document, ")")
	flags := strings.Fields(head + more)
	has := func(flag string) bool { return slices.Contains(flags, flag) }
	b := beat{who: flags[0], maybe: has("maybe"), later: has("later"), deleted: has("deleted"), reply: has("reply"), first: has("first")}
	switch {
	case document != "":
		b.kind, b.file = KindDocument, g.text(name)
	case has("photo"):
		b.kind = KindPhoto
	case has("edit"):
		b.kind = KindEdit
	}
	if !isPart(b.who) {
		s.fixed = append(s.fixed, castAs(b.who))
	}
	return b
}

func castAs(first string) int {
	return slices.IndexFunc(cast, func(p Person) bool { return strings.HasPrefix(p.Name, "Cllr "+first+" ") })
}

func (g *grammar) texts(s, separator string) (all []text) {
	for one := range strings.SplitSeq(s, separator) {
		all = append(all, g.text(one))
	}
	return all
}

func (g *grammar) text(s string) text {
	t, rest := g.parse(s)
	if rest != "" {
		panic("chat.txt: " + s)
	}
	return t
}

// parse reads up to a | or ] that belongs to a choice around it.
func (g *grammar) parse(s string) (t text, rest string) {
	for s != "" && s[0] != '|' && s[0] != ']' {
		switch s[0] {
		case '[':
			var p part
			for s[0] != ']' {
				var one text
				one, s = g.parse(s[1:])
				p.choice = append(p.choice, one)
			}
			t, s = append(t, p), s[1:]
		case '{':
			slot, after, _ := strings.Cut(s[1:], "}")
			t, s = append(t, g.slot(slot)), after
		default:
			n := strings.IndexAny(s, "[|]{")
			if n < 0 {
				n = len(s)
			}
			t, s = append(t, part{literal: s[:n]}), s[n:]
		}
	}
	return t, s
}

func (g *grammar) slot(s string) part {
	number, money := strings.CutPrefix(s, "£")
	if lo, hi, ok := strings.Cut(number, "-"); ok {
		p := part{number: true, money: money}
		if !scan(lo+" "+hi, "%d %d", &p.lo, &p.hi) || p.hi < p.lo {
			panic("chat.txt: no numbers: " + s)
		}
		if lo[0] == '0' {
			p.width = len(lo)
		}
		return p
	}
	name, fresh := strings.CutPrefix(s, "+")
	p := part{slot: name, fresh: fresh || name == "hello" || name == "today"}
	if !isPart(name) {
		p.words = g.list(strings.TrimRight(name, "23"))
	}
	return p
}

// isPart reports whether a slot is the first name of somebody who speaks.
func isPart(s string) bool { return len(s) == 1 && strings.Contains("abcdehk", s) }

// speaker is who plays a part.
func (e *env) speaker(part string) int {
	switch part {
	case "h":
		return chair
	case "k":
		return clerk
	}
	if !isPart(part) {
		return castAs(part)
	}
	return e.parts[part[0]-'a']
}

// say appends what a text comes to. Slots are filled for good where bind is set.
func (c *chat) say(to []byte, t text, e *env, bind bool) []byte {
	for i := range t {
		switch p := &t[i]; {
		case p.choice != nil:
			to = c.say(to, p.choice[c.n(len(p.choice))], e, bind)
		case p.number:
			to = c.number(to, p)
		case p.slot == "":
			to = append(to, p.literal...)
		case p.words == nil:
			to = append(to, c.people[e.speaker(p.slot)].First...)
		case !bind || p.fresh:
			to = append(to, c.draw(p.words, e)...)
		default:
			to = append(to, c.fill(p, e)...)
		}
	}
	return to
}

// fill is what a slot stands for in this conversation.
func (c *chat) fill(p *part, e *env) string {
	for _, b := range e.bound {
		if b.slot == p.slot {
			return b.value
		}
	}
	value := c.draw(p.words, e)
	for range 5 { // so that {road} and {road2} are not the same
		for _, b := range e.bound {
			if b.value == value {
				value = c.draw(p.words, e)
			}
		}
	}
	e.bound = append(e.bound, struct{ slot, value string }{p.slot, value})
	return value
}

func (c *chat) draw(w *words, e *env) string {
	if w.computed != nil {
		return w.computed(c, e.wall)
	}
	return string(c.say(nil, w.texts[c.skewed(len(w.texts))], e, false))
}

func (c *chat) number(to []byte, p *part) []byte {
	n := c.between(p.lo, p.hi)
	if !p.money {
		s := strconv.Itoa(n)
		for range p.width - len(s) {
			to = append(to, '0')
		}
		return append(to, s...)
	}
	if n >= 100 && c.percent(60) {
		n -= n % 10
	}
	to = append(to, "£"...)
	if n >= 1000 {
		to = append(strconv.AppendInt(to, int64(n/1000), 10), ',')
		return append(to, digits(n%1000, 3)...)
	}
	to = strconv.AppendInt(to, int64(n), 10)
	if n < 400 && c.percent(15) {
		to = append(append(to, '.'), digits(c.between(1, 19)*5, 2)...)
	}
	return to
}

func digits(n, width int) string { return fmt.Sprintf("%0*d", width, n) }

// computed are the slots that depend on the time.
var computed = map[string]func(c *chat, wall time.Time) string{
	"hello": func(_ *chat, t time.Time) string { return byHour(t, "Morning", "Afternoon", "Evening") },
	"today": func(_ *chat, t time.Time) string {
		return byHour(t, "this morning", "this afternoon", "this evening")
	},
	"lately": func(c *chat, t time.Time) string {
		return [...]string{"yesterday", "on " + ago(t, c.between(2, 6)), "on " + ago(t, c.between(2, 6)), "last week"}[c.n(4)]
	},
	"since": func(c *chat, t time.Time) string {
		return [...]string{"yesterday", ago(t, c.between(2, 6)), "last week", "the weekend"}[c.n(4)]
	},
	"soon": func(c *chat, t time.Time) string { // a working day
		t = t.AddDate(0, 0, c.between(3, 17))
		if weekend(t) {
			t = t.AddDate(0, 0, 2)
		}
		return ordinal(t)
	},
	"saturday": func(c *chat, t time.Time) string {
		return ordinal(t.AddDate(0, 0, 13-int(t.Weekday())+7*c.n(2)))
	},
	"monday": func(c *chat, t time.Time) string {
		return t.AddDate(0, 0, 8-int(t.Weekday())+7*c.n(4)).Format("2 January")
	},
	"meeting":     func(_ *chat, t time.Time) string { return ordinal(meetingFrom(t.AddDate(0, 0, 1))) },
	"lastmeeting": func(_ *chat, t time.Time) string { return meetingFrom(t.AddDate(0, 0, -27)).Format("January") },
	"remembrance": func(_ *chat, t time.Time) string {
		return nth(t.Year(), time.November, time.Sunday).Format("2 January")
	},
	"yy":      func(_ *chat, t time.Time) string { return t.Format("06") },
	"year":    func(_ *chat, t time.Time) string { return t.Format("2006") },
	"yearago": func(c *chat, t time.Time) string { return strconv.Itoa(t.Year() - 1 - c.skewed(12)) },
	"nextfy": func(_ *chat, t time.Time) string {
		t = t.AddDate(1, -3, 0)
		return t.Format("2006") + "/" + t.AddDate(1, 0, 0).Format("06")
	},
}

func byHour(t time.Time, morning, afternoon, evening string) string {
	switch {
	case t.Hour() < 12:
		return morning
	case t.Hour() < 17:
		return afternoon
	}
	return evening
}

func ago(t time.Time, days int) string { return t.AddDate(0, 0, -days).Weekday().String() }

// ordinal writes a day as Monday 14th.
func ordinal(t time.Time) string {
	suffix := "th"
	if d := t.Day(); d/10 != 1 && d%10 >= 1 && d%10 <= 3 {
		suffix = [...]string{"st", "nd", "rd"}[d%10-1]
	}
	return t.Format("Monday 2") + suffix
}

// nth is the second such day of a month: the council meets on second Mondays.
func nth(year int, m time.Month, d time.Weekday) time.Time {
	t := time.Date(year, m, 8, 0, 0, 0, 0, time.UTC)
	return t.AddDate(0, 0, int(d-t.Weekday()+7)%7)
}

func midnight(t time.Time) time.Time { return t.Truncate(24 * time.Hour) }

// meetingFrom is the first meeting on or after t's day.
func meetingFrom(t time.Time) time.Time {
	m := nth(t.Year(), t.Month(), time.Monday)
	if m.Before(midnight(t)) {
		m = nth(t.Year(), t.Month()+1, time.Monday)
	}
	return m
}

// suits reports whether a scene may begin on a day.
func (s *scene) suits(day time.Time) bool {
	date := int(day.Month())*100 + day.Day()
	in := s.begin <= date && date <= s.end
	if s.begin > s.end {
		in = date >= s.begin || date <= s.end
	}
	if s.meeting == nil || !in {
		return in
	}
	for n := s.meeting[0]; n <= s.meeting[1]; n++ {
		if m := day.AddDate(0, 0, -n); meetingFrom(m).Equal(m) {
			return true
		}
	}
	return false
}
