// Package corpus makes up the chat of a parish council, for tests, benchmarks and
// the demonstration. People, places and quarrels are invented; chat.txt holds what
// they say.
//
// The same seed gives the same chat, byte for byte, on every machine: numbers come
// from the PCG generator alone, nothing is reckoned in floating point, and London's
// clock goes by its rule and not by the machine's time zones.
package corpus

import (
	"iter"
	"slices"
	"strings"
	"time"
)

// Options say how much is talked. The zero value is a council of ten that never
// stops.
type Options struct {
	Begin   time.Time // zero: 7 September 2026, 7.00 UTC
	End     time.Time // zero: never
	Count   int       // how many messages at most; 0: no limit
	PerDay  int       // on average; 0: 12
	Members int       // who speak: the cast, then others; at least 10, at most 899
	Long    bool      // for benchmarks: 27 words in the median; otherwise 10, as people write
	Mark    string    // an emoji with which chair and clerk mark one opening message in forty; empty: never
}

// Kind says what a message is.
type Kind int

const (
	KindText Kind = iota
	KindPhoto
	KindDocument
	KindEdit     // Text is what its target says now
	KindDeletion // of its target, by its author
)

// Message is one message, or the edit or deletion of one.
type Message struct {
	N         int       // its number, from 0
	Sent      time.Time // UTC, whole seconds, never before the last
	Sender    int       // index into People
	Kind      Kind
	Text      string // of a photo or document, the caption; may be empty then
	FileName  string // of a document
	Target    int    // N of the message replied to, edited or deleted; -1: none
	Reactions []Reaction
}

// Reaction is what somebody else makes of a message, so long after it.
type Reaction struct {
	Sender int
	Emoji  string
	After  time.Duration
}

// Person is somebody of the council. Numbers are of the range kept free for drama.
type Person struct {
	Name   string // Cllr Ann Brook
	First  string // Ann, as the push name
	Role   string // chair, councillor, clerk or officer
	Number string // +447700900101
}

// The cast, as the demonstration has it. Gus is the one who quarrels.
var cast = []Person{
	{Name: "Cllr Ann Brook", Role: "chair"},
	{Name: "Cllr Bo Carter", Role: "councillor"},
	{Name: "Cllr Cy Dean", Role: "councillor"},
	{Name: "Cllr Dee Evans", Role: "councillor"},
	{Name: "Cllr Ed Frost", Role: "councillor"},
	{Name: "Cllr Fay Green", Role: "councillor"},
	{Name: "Cllr Gus Hale", Role: "councillor"},
	{Name: "Cllr Ivy Jones", Role: "councillor"},
	{Name: "Cllr Kit Lowe", Role: "councillor"},
	{Name: "Jo Marsh", Role: "clerk"},
}

// begin is when a chat begins if it is not said.
var begin = time.Date(2026, 9, 7, 7, 0, 0, 0, time.UTC)

const (
	chair = 0
	clerk = 9
)

// habit is how somebody writes, in percent of messages.
type habit struct{ typo, lower, noStop int }

var habits = []habit{{1, 0, 5}, {5, 0, 60}, {4, 75, 95}, {2, 0, 0}, {4, 10, 70}, {5, 0, 40}, {16, 0, 20}, {3, 0, 30}, {14, 80, 90}, {2, 0, 5}}

// People returns the first n people of every chat, within the bounds that Options
// set: the cast, and further ones, one in eight an officer.
func People(n int) []Person {
	all, taken := slices.Clone(cast), make(map[string]bool)
	for c := (&chat{dice: newDice(1)}); len(all) < min(n, 899); {
		name := c.draw(read().list("first"), nil) + " " + c.draw(read().list("surname"), nil)
		if taken[name] {
			continue
		}
		taken[name] = true
		p := Person{Name: "Cllr " + name, Role: "councillor"}
		if len(all)%8 == 2 {
			p = Person{Name: name, Role: "officer"}
		}
		all = append(all, p)
	}
	for i := range all {
		all[i].First, _, _ = strings.Cut(strings.TrimPrefix(all[i].Name, "Cllr "), " ")
		all[i].Number = "+447700900" + digits(101+i, 3)
	}
	return all
}

// Chat returns messages in order of time. It keeps a day or two of them in memory,
// however many there are.
func Chat(seed uint64, o Options) iter.Seq[Message] {
	if o.Begin.IsZero() {
		o.Begin = begin
	}
	if o.PerDay == 0 {
		o.PerDay = 12
	}
	return func(yield func(Message) bool) {
		c := &chat{dice: newDice(seed), Options: o, people: People(o.Members),
			last: make(map[*scene]int), said: make(map[*beat]int)}
		n := 0
		for day := midnight(o.Begin.UTC()); ; day = day.AddDate(0, 0, 1) {
			c.plan(day)
			for tomorrow := day.AddDate(0, 0, 1); len(c.pending) > 0 && c.pending[0].wall.Before(tomorrow); n++ {
				e := c.pending[0]
				c.pending = c.pending[1:]
				e.N, e.Sent, e.Target = n, utc(e.wall), -1
				if e.target != nil {
					e.Target = e.target.N
				}
				if o.Count > 0 && n == o.Count || !o.End.IsZero() && !e.Sent.Before(o.End) || !yield(e.Message) {
					return
				}
			}
			if !o.End.IsZero() && day.After(o.End) {
				return
			}
		}
	}
}

// chat is a chat as far as it has got.
type chat struct {
	dice
	Options
	people  []Person
	pending []*event       // what is to be sent, in order of time
	owed    int            // messages due by PerDay, in ten-thousandths
	scenes  int            // played so far
	last    map[*scene]int // the number under which each was played last
	said    map[*beat]int  // which of its texts was used last
}

// event is a message before it has its number.
type event struct {
	Message
	wall   time.Time // London's clock, as if it were UTC
	target *event
	gone   time.Time // when it is deleted, if it is
}

// plan plays as many scenes as begin on a day.
func (c *chat) plan(day time.Time) {
	share := [...]int{70, 115, 115, 115, 115, 95, 75}[day.Weekday()]
	switch {
	case day.Month() == time.December && day.Day() == 25:
		share = 20
	case day.Month() == time.December && day.Day() > 23, day.Month() == time.January && day.Day() == 1:
		share = 35
	}
	mood := [...]int{30, 50, 70, 80, 90, 100, 110, 150, 220}
	c.owed += c.PerDay * share * mood[c.n(len(mood))]
	for fit := fitting(day); c.owed > 0; {
		s := c.choose(fit, day)
		c.owed -= 10_000 * c.play(s, c.opening(s, day))
	}
}

// fitting are the scenes that may begin on a day.
func fitting(day time.Time) (fit []*scene) {
	for _, s := range read().scenes {
		if s.suits(day) {
			fit = append(fit, s)
		}
	}
	if slices.ContainsFunc(fit, func(s *scene) bool { return s.only }) {
		fit = slices.DeleteFunc(fit, func(s *scene) bool { return !s.only })
	}
	return fit
}

// choose takes one of them that was not played lately.
func (c *chat) choose(fit []*scene, day time.Time) *scene {
	weights, rest := make([]int, len(fit)), len(fit)/3
	for i, s := range fit {
		last, played := c.last[s]
		if !(played && c.scenes-last < rest || s.beats[0].who == "k" && weekend(day) && c.percent(93)) {
			weights[i] = s.weight
		}
	}
	s := fit[c.weighted(weights)]
	c.scenes++
	c.last[s] = c.scenes
	return s
}

func weekend(day time.Time) bool {
	return day.Weekday() == time.Saturday || day.Weekday() == time.Sunday
}

// How likely a scene is to begin in each hour from six on.
var (
	weekdays = []int{1, 5, 8, 8, 6, 5, 6, 5, 3, 4, 5, 8, 12, 14, 14, 9, 3}
	weekends = []int{0, 1, 4, 9, 12, 11, 8, 5, 5, 6, 7, 9, 9, 8, 7, 5, 2}
)

// opening is when a scene begins: where there is room, not just after another.
func (c *chat) opening(s *scene, day time.Time) (t time.Time) {
	near := func(e *event) bool { return e.wall.Sub(t).Abs() < 20*time.Minute }
	for try := 0; try == 0 || try < 5 && slices.ContainsFunc(c.pending, near); try++ {
		var hour int
		switch {
		case s.to > 0:
			hour = c.between(s.from, s.to)
		case s.beats[0].who == "k":
			hour = c.between(9, 16)
		case weekend(day):
			hour = 6 + c.weighted(weekends)
		default:
			hour = 6 + c.weighted(weekdays)
		}
		t = day.Add(c.seconds(hour*3600, hour*3600+3599))
	}
	return t
}

// play has a scene's messages sent from t on and returns how many they are.
func (c *chat) play(s *scene, t time.Time) int {
	if utc(t).Before(c.Begin) {
		return 1 // too early in the morning, but counted
	}
	e := c.roles(s)
	before := len(c.pending)
	var first, last *event
	latest, said := make(map[int]*event), false
	for i := range s.beats {
		b := &s.beats[i]
		who := e.speaker(b.who)
		// A maybe that replies needs what it replies to.
		if said = !b.maybe || c.percent(60) && (said || !b.reply); !said {
			continue
		}
		if b.kind == KindEdit && !latest[who].gone.IsZero() {
			continue
		}
		var pause time.Duration
		if first != nil {
			pause = c.pause(b)
			t = c.awake(t.Add(pause), who == clerk)
		}
		e.wall = t
		ev := &event{wall: t, Message: Message{Sender: who, Kind: b.kind}}
		ev.FileName = strings.ReplaceAll(string(c.say(nil, b.file, e, true)), "/", "-")
		ev.Text = c.text(b, e)
		switch {
		case b.kind == KindEdit:
			ev.target = latest[who]
		case b.first:
			ev.target = first
		case b.reply || pause > 10*time.Minute && c.percent(50): // or nobody would know what he means
			ev.target = last
		}
		if to := ev.target; to != nil && b.kind != KindEdit && (to.Sender == who || !to.gone.IsZero() && to.gone.Before(t)) {
			ev.target = nil
		}
		right := ev.Text
		if b.kind != KindEdit {
			ev.Text, right = c.style(ev.Text, habits[who%len(habits)])
		}
		c.add(ev)
		switch {
		case b.deleted || b.kind != KindEdit && c.n(250) == 0:
			ev.gone = c.awake(t.Add(c.seconds(15, 900)), false)
			c.add(&event{wall: ev.gone, target: ev, Message: Message{Sender: who, Kind: KindDeletion}})
		case ev.Text != right:
			c.correct(ev, right)
		}
		if ev.gone.IsZero() && b.kind != KindEdit {
			c.react(ev, s.mood, first == nil)
		}
		if b.kind != KindEdit {
			latest[who], last = ev, ev
		}
		if first == nil {
			first = ev
		}
	}
	return len(c.pending) - before
}

// roles hands out the parts of a scene.
func (c *chat) roles(s *scene) *env {
	e := new(env)
	for i := range e.parts {
		for {
			who := 1 + c.n(len(c.people)-1)
			if c.percent(30) {
				who = 1 + c.skewed(len(c.people)-1)
			}
			if who != clerk && !slices.Contains(e.parts[:i], who) && !slices.Contains(s.fixed, who) {
				e.parts[i] = who
				break
			}
		}
	}
	return e
}

// add puts an event where its time is among what is to be sent.
func (c *chat) add(e *event) {
	at := len(c.pending)
	for at > 0 && c.pending[at-1].wall.After(e.wall) {
		at--
	}
	c.pending = slices.Insert(c.pending, at, e)
}

// correct has somebody notice a typing error, or not.
func (c *chat) correct(e *event, right string) {
	at := e.wall.Add(c.seconds(8, 90))
	switch c.n(4) {
	case 0:
		c.add(&event{wall: at, target: e, Message: Message{Sender: e.Sender, Kind: KindEdit, Text: right}})
	case 1:
		was, is := strings.Fields(e.Text), strings.Fields(right)
		for i := range is {
			if was[i] != is[i] {
				c.add(&event{wall: at, Message: Message{Sender: e.Sender, Text: "*" + strings.Trim(is[i], ".,?!:;()")}})
			}
		}
	}
}

var emoji = map[string][]string{
	"":    {"👍", "👍", "👍", "❤️", "🙏", "👍", "👏", "😮"},
	"fun": {"😂", "😂", "❤️", "🤣", "👍"},
	"sad": {"🙏", "❤️", "😢"},
}

// react gives a message the reactions of others, and now and then the mark.
func (c *chat) react(e *event, mood string, opens bool) {
	add := func(who int, with string) {
		taken := slices.ContainsFunc(e.Reactions, func(r Reaction) bool { return r.Sender == who })
		if who != e.Sender && !taken {
			e.Reactions = append(e.Reactions, Reaction{who, with, c.soon()})
		}
	}
	if c.Mark != "" && opens && c.n(40) == 0 {
		add([...]int{chair, clerk}[c.n(2)], c.Mark)
	}
	for range c.weighted([]int{60, 20, 12, 5, 3}) {
		add(c.n(len(c.people)), emoji[mood][c.skewed(len(emoji[mood]))])
	}
}

// pause is how long it takes until a beat: for an edit, no longer than WhatsApp allows.
func (c *chat) pause(b *beat) time.Duration {
	switch {
	case b.later:
		return c.seconds(3*3600, 20*3600)
	case b.kind == KindEdit:
		return c.seconds(20, 600)
	}
	return c.soon()
}

// soon is how long it takes to answer: mostly a minute or two, sometimes hours.
func (c *chat) soon() time.Duration {
	bounds := [...]int{5, 30, 180, 900, 4500, 18_000}
	band := c.weighted([]int{20, 35, 26, 14, 5})
	return c.seconds(bounds[band], bounds[band+1])
}

// awake puts off until the morning what would be sent at night. Few are up until
// one, nobody later: so no message falls into the hours when the clock is changed.
func (c *chat) awake(t time.Time, office bool) time.Time {
	minute := t.Hour()*60 + t.Minute()
	switch {
	case minute < 55 || minute >= 22*60+45:
		if c.n(12) == 0 && !office {
			return t
		}
	case minute < 6*60+45:
	case office && (minute < 9*60 || minute > 20*60) && c.percent(40):
	default:
		return t
	}
	if minute > 12*60 {
		t = t.AddDate(0, 0, 1)
	}
	return midnight(t).Add(c.seconds(9*3600, 11*3600))
}

// utc turns London's wall clock into UTC, by the rule in force since 1996.
func utc(wall time.Time) time.Time {
	if wall.Before(lastSunday(wall.Year(), time.March)) || !wall.Before(lastSunday(wall.Year(), time.October)) {
		return wall
	}
	return wall.Add(-time.Hour)
}

// lastSunday is one in the morning of a month's last Sunday; the month has 31 days.
func lastSunday(year int, m time.Month) time.Time {
	t := time.Date(year, m, 31, 1, 0, 0, 0, time.UTC)
	return t.AddDate(0, 0, -int(t.Weekday()))
}
