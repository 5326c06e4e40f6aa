package forward

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muniment/internal/journal"
	"muniment/internal/mail"
	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// marks reacts to somebody's message; without an emoji, takes it back.
func (c *council) marks(who, author record.Address, of, emoji string) record.Seq {
	c.Helper()
	r := reaction(who, of, emoji)
	r.Target.Sender = author
	return c.receives(r)
}

// owedTo lists what stands in the outbox: kind, recipient and state.
func (c *council) owedTo() (owed []string) {
	c.Helper()
	c.write(func(tx *sqlite.Tx) error {
		items, err := mail.List(tx, mail.Queued, mail.HandedOver, mail.Cancelled, mail.Refused)
		for _, it := range items {
			owed = append(owed, fmt.Sprintf("%s %d to %s: %s", it.Kind, it.About, it.To[0], it.State))
		}
		return err
	})
	return owed
}

func (c *council) expectOwedTo(want ...string) {
	c.Helper()
	if diff := cmp.Diff(want, c.owedTo()); diff != "" {
		c.Errorf("owed (-want +got)\n%s", diff)
	}
}

func (c *council) resumes() (n int) {
	c.Helper()
	c.write(func(tx *sqlite.Tx) (err error) { n, err = c.rules.Resume(tx, c.now); return err })
	return n
}

func (c *council) waiting(w Wait) (n int) {
	c.Helper()
	c.write(func(tx *sqlite.Tx) (err error) { n, _, err = Waiting(tx, w); return err })
	return n
}

// emails gives somebody on the register an address.
func (c *council) emails(who record.Address, address string) {
	c.Helper()
	c.write(func(tx *sqlite.Tx) error {
		m, err := people.MemberAt(tx, who)
		if err != nil {
			return err
		}
		m.Email = address
		return people.EditMember(tx, c.now, "sysadmin", "test", m)
	})
}

// Each mark has its own mailbox; what is about the clerk is not for the clerk.
func TestWhereMarksGo(t *testing.T) {
	for _, tt := range []struct {
		name          string
		prepare       func(c *council)
		marker        record.Address
		emoji, author string
		want          []string
	}{
		{"an important conversation", nil, bo, "📌", "ann", []string{"conversation 1 to council@example.gov.uk: queued"}},
		{"one with a mailbox of its own", func(c *council) { c.rules.Marks[0].To = "planning@example.gov.uk" }, bo, "📌", "ann",
			[]string{"conversation 1 to planning@example.gov.uk: queued"}},
		{"a concern about a councillor", nil, bo, "🚩", "ann", []string{"conversation 1 to clerk@example.gov.uk: queued"}},
		{"which goes elsewhere", func(c *council) { c.rules.Marks[1].To = "dpo@example.gov.uk" }, bo, "🚩", "ann",
			[]string{"conversation 1 to dpo@example.gov.uk: queued"}},
		{"a concern about the clerk", nil, bo, "🚩", "jo", []string{"conversation 1 to ann@example.gov.uk: queued"}},
		{"reported by the clerk herself", nil, jo, "🚩", "jo", []string{"conversation 1 to ann@example.gov.uk: queued"}},
		{"about the clerk, where reports go elsewhere", func(c *council) { c.rules.Marks[1].To = "dpo@example.gov.uk" }, bo, "🚩", "jo",
			[]string{"conversation 1 to ann@example.gov.uk: queued"}},
		{"about the clerk, and the council names who is told", func(c *council) { c.rules.Marks[1].AboutClerk = "vice@example.gov.uk" }, bo, "🚩", "jo",
			[]string{"conversation 1 to vice@example.gov.uk: queued"}},
		{"about what the council's own account said", nil, bo, "🚩", "own", []string{"conversation 1 to ann@example.gov.uk: queued"}},
		{"about who was the clerk, and is not any more", func(c *council) {
			c.write(func(tx *sqlite.Tx) error {
				m, err := people.MemberAt(tx, jo)
				if err != nil {
					return err
				}
				return people.EndMember(tx, c.now, "sysadmin", "left", m.ID, c.now.Add(-time.Hour))
			})
		}, bo, "🚩", "jo", []string{"conversation 1 to clerk@example.gov.uk: queued"}},
		{"a message to look at", nil, bo, "🔒", "ann", []string{"conversation 1 to clerk@example.gov.uk: queued"}},
		{"a hold sends nothing from here", nil, ann, "🛑", "ann", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCouncil(t)
			if tt.prepare != nil {
				tt.prepare(c)
			}
			authors := map[string]record.Address{"ann": ann, "jo": jo, "own": {JID: "200000000000199@lid"}}
			c.receives(record.Received{Kind: record.Message, Type: record.Text, Sender: authors[tt.author], Own: tt.author == "own", ID: "X1", Text: "hello"})
			c.marks(tt.marker, authors[tt.author], "X1", tt.emoji)
			c.expectOwedTo(tt.want...)
		})
	}
}

// Where the register has no address of the chair that may be used, a report about the
// clerk waits: it goes to nobody else.
func TestAReportAboutTheClerkWaitsForAnAddress(t *testing.T) {
	c := newCouncil(t)
	c.emails(ann, "")
	c.says(jo, "J1")
	c.marks(bo, jo, "J1", "🚩")
	c.emails(jo, "jo@example.gov.uk")
	c.rules.Shared = []string{"council@example.gov.uk"}
	for _, unfit := range []string{"ann@gmail.example", "Clerk@example.gov.uk", "Jo@example.gov.uk", "Council@example.gov.uk", "muniment@example.gov.uk"} {
		c.emails(ann, unfit)
		if n := c.resumes(); n != 0 || c.waiting(ForAnAddress) != 1 {
			t.Errorf("%d conversations went and %d wait, though the chair's address is %s", n, c.waiting(ForAnAddress), unfit)
		}
	}
	c.expectOwedTo()
	c.passes(24 * time.Hour)
	c.emails(ann, "ann@example.gov.uk")
	if n := c.resumes(); n != 1 || c.waiting(ForAnAddress) != 0 {
		t.Errorf("%d conversations went; want 1", n)
	}
	c.delivers()
	c.expectOwedTo("conversation 1 to ann@example.gov.uk: handed over")
	if n := c.resumes(); n != 0 {
		t.Errorf("%d conversations went again", n)
	}
	if v := c.conversation(1); !v.AboutClerk || v.Does != record.Report || len(v.Seqs) != 1 {
		t.Errorf("the conversation is %+v", v)
	}

	c = newCouncil(t)
	c.emails(ann, "")
	c.says(jo, "J1")
	c.marks(bo, jo, "J1", "🚩")
	c.passes(24 * time.Hour)
	c.marks(bo, jo, "J1", "")
	c.emails(ann, "ann@example.gov.uk")
	if n := c.resumes(); n != 0 || c.state(1) != TakenBack {
		t.Errorf("%d went, and the conversation is %s, though the mark was taken back before anybody had it", n, c.state(1))
	}
}

// Whose message a report is about is known when the message is here, be that before the mark
// has settled or long after.
func TestAReportBeforeItsMessage(t *testing.T) {
	for _, tt := range []struct {
		name string
		wait time.Duration
		want []string
	}{
		{"while it settles", time.Minute, []string{"conversation 1 to ann@example.gov.uk: cancelled", "conversation 2 to ann@example.gov.uk: handed over"}},
		{"long after", time.Hour, []string{"conversation 1 to ann@example.gov.uk: cancelled", "conversation 2 to ann@example.gov.uk: handed over"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCouncil(t)
			c.marks(bo, jo, "J1", "🚩")
			c.passes(tt.wait)
			c.delivers()
			c.says(jo, "J1")
			c.passes(time.Hour)
			c.delivers()
			c.expectOwedTo(tt.want...)
			if v := c.conversation(2); len(v.Marks) != 1 || !v.AboutClerk {
				t.Errorf("the conversation is %+v", v)
			}
		})
	}
	c := newCouncil(t)
	c.marks(bo, ann, "A1", "🔒")
	c.passes(time.Hour)
	c.delivers()
	c.says(ann, "A1")
	c.passes(time.Hour)
	c.delivers()
	c.expectOwedTo("conversation 1 to clerk@example.gov.uk: cancelled", "conversation 2 to clerk@example.gov.uk: handed over")
}

// What one mailbox has for one purpose, another may still need: each mark goes once.
func TestEachMarkGoesOnce(t *testing.T) {
	c := newCouncil(t)
	first := c.says(ann, "A1")
	second := c.says(jo, "J1")
	c.marks(bo, ann, "A1", "📌")
	c.marks(ann, ann, "A1", "🚩")
	c.passes(5 * time.Minute)
	c.delivers()
	c.marks(bo, ann, "A1", "🚩") // takes 📌 back, which was sent
	c.marks(bo, jo, "J1", "🚩")  // of which the clerk has been told, as part of the first, and the chair has not
	c.passes(5 * time.Minute)
	c.delivers()
	c.expectOwedTo(
		"conversation 1 to council@example.gov.uk: handed over",
		"conversation 2 to clerk@example.gov.uk: handed over",
		"taken back 1 to council@example.gov.uk: handed over",
		"conversation 3 to clerk@example.gov.uk: cancelled",
		"conversation 4 to ann@example.gov.uk: handed over")
	for id, want := range map[int64][]record.Seq{1: {first, second}, 2: {first, second}, 3: nil, 4: {first, second}} {
		if diff := cmp.Diff(want, c.conversation(id).Seqs); diff != "" {
			t.Errorf("conversation %d (-want +got)\n%s", id, diff)
		}
	}
	c.says(ann, "A2")
	c.marks(ann, ann, "A2", "🚩")
	c.passes(5 * time.Minute)
	c.delivers()
	c.marks(bo, ann, "A2", "🔒") // which the clerk has, but was not asked to look at
	c.passes(5 * time.Minute)
	c.delivers()
	if v := c.conversation(6); len(v.Seqs) != 1 || v.Seqs[0] != v.Marked || v.Cut || v.Continues != 0 {
		t.Errorf("the message to look at comes as %+v; want it alone", v)
	}
}

// What is edited or deleted after it was reported is corrected where it was reported.
func TestCorrectionOfAReport(t *testing.T) {
	c := newCouncil(t)
	c.says(ann, "A1")
	c.marks(bo, ann, "A1", "🚩")
	c.passes(5 * time.Minute)
	c.delivers()
	c.edits(ann, "A1", "at nine")
	c.expectOwedTo("conversation 1 to clerk@example.gov.uk: handed over", "correction 1 to clerk@example.gov.uk: queued")
}

// A mark that is taken back after its conversation was sent recalls nothing: a note goes
// after it, unless somebody else still wants it there.
func TestTakenBackAfterwards(t *testing.T) {
	const sent, note = "conversation 1 to council@example.gov.uk: handed over", "taken back 1 to council@example.gov.uk: "
	for _, tt := range []struct {
		name  string
		story func(c *council)
		want  []string
	}{
		{"by the only one", func(c *council) { c.reacts(bo, "A1", "") }, []string{sent, note + "queued"}},
		{"for another emoji", func(c *council) { c.reacts(bo, "A1", "👍") }, []string{sent, note + "queued"}},
		{"for the other emoji of the mark", func(c *council) { c.reacts(bo, "A1", "🗂") }, []string{sent}},
		{"and filed", func(c *council) { c.reacts(bo, "A1", ""); c.passes(5 * time.Minute); c.delivers() }, []string{sent, note + "handed over"}},
		{"while another mark stands", func(c *council) {
			c.reacts(ann, "A1", "📌")
			c.passes(5 * time.Minute)
			c.delivers()
			c.reacts(bo, "A1", "")
		}, []string{sent, "conversation 2 to council@example.gov.uk: cancelled"}},
		{"and then by the other, whose mark had sent nothing", func(c *council) {
			c.reacts(ann, "A1", "📌")
			c.passes(5 * time.Minute)
			c.delivers()
			c.reacts(bo, "A1", "")
			c.reacts(ann, "A1", "")
		}, []string{sent, "conversation 2 to council@example.gov.uk: cancelled", note + "queued"}},
		{"while another mark stands that means something else", func(c *council) {
			c.reacts(ann, "A1", "🚩")
			c.passes(5 * time.Minute)
			c.delivers()
			c.reacts(bo, "A1", "")
		}, []string{sent, "conversation 2 to clerk@example.gov.uk: handed over", note + "queued"}},
		{"again and again: one note", func(c *council) {
			for range 3 {
				c.reacts(bo, "A1", "")
				c.passes(5 * time.Minute)
				c.delivers()
				c.reacts(bo, "A1", "📌")
				c.passes(5 * time.Minute)
				c.delivers()
			}
		}, []string{sent, note + "handed over", "conversation 2 to council@example.gov.uk: cancelled",
			"conversation 3 to council@example.gov.uk: cancelled", "conversation 4 to council@example.gov.uk: cancelled"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCouncil(t)
			c.says(ann, "A1")
			c.forwards()
			tt.story(c)
			c.expectOwedTo(tt.want...)
		})
	}

	c := newCouncil(t)
	c.says(ann, "A1")
	c.reacts(bo, "A1", "📌")
	c.passes(5 * time.Minute)
	c.refuses()
	c.reacts(bo, "A1", "")
	c.expectOwedTo("conversation 1 to council@example.gov.uk: refused") // nobody has it
}

// The note names everybody whose mark was taken back, and when.
func TestLoadTakenBack(t *testing.T) {
	c := newCouncil(t)
	seq := c.says(ann, "A1")
	c.reacts(ann, "A1", "📌")
	c.forwards()
	c.reacts(ann, "A1", "")
	c.passes(time.Minute)
	c.reacts(bo, "A1", "")
	load := func() (got TakenBackMarks, err error) {
		c.write(func(tx *sqlite.Tx) error { got, err = LoadTakenBack(tx, 1); return nil })
		return got, err
	}
	got, err := load()
	if err != nil {
		t.Fatal(err)
	}
	var who []people.ID
	for _, m := range got.Marks {
		who = append(who, m.Person)
	}
	if want := []people.ID{c.meets(ann), c.meets(bo)}; !slices.Equal(who, want) || got.Conversation.ID != 1 || !got.Marks[1].Back.Equal(c.now) {
		t.Errorf("the note is about %+v; want the marks of %v on conversation 1", got, want)
	}
	c.write(func(tx *sqlite.Tx) error {
		emails, err := EmailedWith(tx, seq)
		if diff := cmp.Diff([]Email{{Letter, 1, 1}, {TakenBackLetter, 1, 1}}, emails); diff != "" {
			t.Errorf("emails with the message (-want +got)\n%s", diff)
		}
		return err
	})
	c.reacts(bo, "A1", "📌")
	if _, err := load(); !errors.Is(err, ErrStands) {
		t.Errorf("it is marked again, and the note: %v", err)
	}
	c.reacts(bo, "A1", "")
	c.write(func(tx *sqlite.Tx) error { _, err := Forget(tx, []record.Seq{2, 3, 4, 5, 6, 7}); return err })
	if got, err := load(); err != nil || len(got.Marks) != 0 {
		t.Errorf("the reactions are destroyed, and the note is %+v, %v", got, err)
	}
}

// Who marks everything has some of it today and the rest on the next days; another member's
// marks are not kept waiting by it.
func TestOneMemberMarksEverything(t *testing.T) {
	if testing.Short() {
		t.Skip("one thing after another, which the race detector watches for long")
	}
	c := newCouncil(t)
	const all = MostADay*2 + 2
	for i := range all {
		c.passes(20 * time.Minute / all)
		c.says(ann, fmt.Sprint("A", i))
		c.marks(bo, ann, fmt.Sprint("A", i), "📌")
	}
	queued := func() int { return len(c.owedTo()) }
	if queued() != MostADay || c.waiting(ForAnotherDay) != all-MostADay {
		t.Errorf("%d are owed and %d wait", queued(), c.waiting(ForAnotherDay))
	}
	c.marks(ann, ann, fmt.Sprint("A", all-1), "📌") // joins one that waits, and has it go
	c.says(ann, "R")
	c.marks(bo, ann, "R", "🚩") // a report is not kept waiting by it
	if queued() != MostADay+2 || c.waiting(ForAnotherDay) != all-MostADay-1 {
		t.Errorf("%d are owed and %d wait", queued(), c.waiting(ForAnotherDay))
	}
	c.marks(bo, ann, fmt.Sprint("A", all-2), "") // taken back while it waits
	if n := c.resumes(); n != 0 {
		t.Errorf("%d went on the same day", n)
	}
	for day, want := range []int{MostADay, 0} {
		c.passes(24 * time.Hour)
		if n := c.resumes(); n != want {
			t.Errorf("day %d: %d went; want %d", day+2, n, want)
		}
	}
	c.passes(time.Hour)
	c.delivers()
	if c.waiting(ForAnotherDay) != 0 || c.state(all-1) != TakenBack {
		t.Errorf("%d wait still; what was taken back is %s", c.waiting(ForAnotherDay), c.state(all-1))
	}
	sent := make(map[record.Seq]bool)
	for id := range int64(all) {
		for _, seq := range c.conversation(id + 1).Seqs {
			sent[seq] = true
		}
	}
	if len(sent) != all+1 { // they are one conversation: what waits has gone with others
		t.Errorf("%d messages went; want %d", len(sent), all+1)
	}
	n := 0
	c.write(func(tx *sqlite.Tx) error {
		return journal.Of(tx, journal.MarkWaits, func(journal.Entry, int64) error { n++; return nil })
	})
	if n != all-MostADay {
		t.Errorf("the journal tells of %d that wait; want %d", n, all-MostADay)
	}
}

// Reactions that may have been meant as marks are counted, and no others.
func TestMissed(t *testing.T) {
	for _, tt := range []struct {
		name  string
		story func(c *council)
		want  Misses
	}{
		{"a mark", func(c *council) { c.reacts(bo, "A1", "📌") }, Misses{}},
		{"any other emoji", func(c *council) { c.reacts(bo, "A1", "👍") }, Misses{}},
		{"taken back", func(c *council) { c.reacts(bo, "A1", "👍"); c.reacts(bo, "A1", "") }, Misses{}},
		{"by a stranger", func(c *council) { c.reacts(sam, "A1", "📌") }, Misses{NotAllowed: 1}},
		{"by who has left", func(c *council) { c.reacts(ed, "A1", "🚩") }, Misses{NotAllowed: 1}},
		{"by another role", func(c *council) { c.reacts(cy, "A1", "📌"); c.reacts(jo, "A1", "🔒") }, Misses{NotAllowed: 2}},
		{"looks like it", func(c *council) { c.reacts(bo, "A1", "📍") }, Misses{LookAlikes: 1}},
		{"looks like others", func(c *council) { c.reacts(bo, "A1", "🏁"); c.reacts(bo, "A1", "🔓") }, Misses{LookAlikes: 2}},
		{"looks like it, and may not anyway", func(c *council) { c.reacts(sam, "A1", "📍"); c.reacts(bo, "A1", "⛔") }, Misses{}},
		{"looks like a hold", func(c *council) { c.reacts(ann, "A1", "⛔") }, Misses{LookAlikes: 1}},
		{"a mark changed into what looks like it", func(c *council) { c.reacts(bo, "A1", "📌"); c.reacts(bo, "A1", "📍") }, Misses{LookAlikes: 1}},
		{"delivered twice", func(c *council) {
			r := reaction(bo, "A1", "📍")
			r.ID = "M1"
			c.receives(r)
			c.receives(r)
		}, Misses{LookAlikes: 1}},
		{"before and after", func(c *council) {
			c.now = monday.Add(-time.Millisecond)
			c.reacts(bo, "A1", "📍")
			c.now = monday.Add(time.Hour)
			c.reacts(bo, "A2", "📍")
		}, Misses{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCouncil(t)
			c.says(ann, "A1")
			c.says(ann, "A2")
			tt.story(c)
			c.write(func(tx *sqlite.Tx) error {
				got, err := Missed(tx, monday, monday.Add(time.Hour))
				if got != tt.want {
					t.Errorf("missed %+v; want %+v", got, tt.want)
				}
				return err
			})
		})
	}
}

// The clerk has a conversation forwarded that nobody has marked.
func TestByHand(t *testing.T) {
	c := newCouncil(t)
	first := c.says(ann, "A1")
	second := c.says(bo, "B1")
	hand := func(seq record.Seq) (h Handed) {
		c.write(func(tx *sqlite.Tx) (err error) {
			h, err = c.rules.ByHand(tx, c.now, seq, "Jo Marsh", "for the file")
			return err
		})
		return h
	}
	c.reacts(bo, "A1", "📌") // still settling
	if h := hand(first); h != (Handed{Conversation: 2, Messages: 2}) {
		t.Errorf("by hand: %+v", h)
	}
	c.delivers() // at once
	c.expectOwedTo("conversation 1 to council@example.gov.uk: queued", "conversation 2 to council@example.gov.uk: handed over")
	if v := c.conversation(2); v.ByHand != "Jo Marsh" || !v.Owed.Equal(monday) || v.Marked != first || len(v.Marks) != 0 {
		t.Errorf("the conversation is %+v", v)
	}
	if h := hand(second); h != (Handed{Conversation: 2}) {
		t.Errorf("by hand, when all of it has gone: %+v", h)
	}
	third := c.says(ann, "A2")
	if h := hand(second); h != (Handed{Conversation: 3, Messages: 1}) {
		t.Errorf("by hand, when it has grown: %+v", h)
	}
	c.passes(5 * time.Minute)
	c.delivers()
	c.expectOwedTo("conversation 1 to council@example.gov.uk: cancelled", "conversation 2 to council@example.gov.uk: handed over",
		"conversation 3 to council@example.gov.uk: handed over")
	if v := c.conversation(3); v.Continues != 2 || !slices.Equal(v.Seqs, []record.Seq{third}) {
		t.Errorf("the continuation is %+v", v)
	}
	c.reacts(bo, "A1", "") // whose mark has sent nothing
	if n := len(c.owedTo()); n != 3 {
		t.Errorf("a note is owed of a mark that sent nothing: %q", c.owedTo())
	}
	c.write(func(tx *sqlite.Tx) error {
		thread, err := Thread(tx, 3)
		if diff := cmp.Diff([]Email{{Letter, 2, 1}, {Letter, 3, 1}}, thread); diff != "" {
			t.Errorf("thread (-want +got)\n%s", diff)
		}
		var why []string
		err = errors.Join(err, journal.Of(tx, journal.ForwardedByHand, func(e journal.Entry, _ int64) error {
			why = append(why, fmt.Sprint(e.Who, ": ", e.Reason, ": ", e.About))
			return nil
		}))
		want := []string{`Jo Marsh: for the file: {"conversation":2,"messages":2,"record":1}`, `Jo Marsh: for the file: {"conversation":3,"messages":1,"record":2}`}
		if diff := cmp.Diff(want, why); diff != "" {
			t.Errorf("journal (-want +got)\n%s", diff)
		}
		return err
	})
}

// A message that is destroyed takes with it what was composed of it and waits, whatever its
// mark does.
func TestForgetComposedReports(t *testing.T) {
	c := newCouncil(t)
	seq := c.says(ann, "A1")
	c.marks(bo, ann, "A1", "🚩")
	c.marks(ann, ann, "A1", "🔒") // may not
	c.passes(5 * time.Minute)
	c.deliversWith(notNow)
	composed := func() (is bool) {
		c.write(func(tx *sqlite.Tx) error {
			it, err := mail.Find(tx, Letter, 1)
			is = !it.ComposedAt.IsZero()
			return err
		})
		return is
	}
	if !composed() {
		t.Fatal("nothing is composed")
	}
	c.write(func(tx *sqlite.Tx) error { _, err := Forget(tx, []record.Seq{seq}); return err })
	if composed() {
		t.Error("a composed report waits that shows what was destroyed")
	}
}

// What was sent has its note as soon as no mark stands on it, whoever had marked it the last,
// and though that mark itself sent nothing.
func TestANoteOnceTheLastOfSeveralMarksIsTakenBack(t *testing.T) {
	c := newCouncil(t)
	c.says(ann, "A1")
	c.reacts(bo, "A1", "📌")
	c.passes(5 * time.Minute)
	c.delivers()
	c.reacts(ann, "A1", "📌")
	c.reacts(bo, "A1", "")
	c.reacts(ann, "A1", "") // in time
	c.passes(5 * time.Minute)
	c.delivers()
	c.expectOwedTo("conversation 1 to council@example.gov.uk: handed over", "conversation 2 to council@example.gov.uk: cancelled",
		"taken back 1 to council@example.gov.uk: handed over")
	c.write(func(tx *sqlite.Tx) error {
		note, err := LoadTakenBack(tx, 1)
		if len(note.Marks) != 1 || note.Marks[0].Emoji != "📌" {
			t.Errorf("the note is of %+v; want the mark that had something sent", note.Marks)
		}
		return err
	})
}

// Tens of thousands of marks by one member wait: that is looked at every minute, and neither
// holds up what arrives nor keeps others waiting.
func TestManyConversationsWait(t *testing.T) {
	if testing.Short() {
		t.Skip("slow, and nothing runs beside")
	}
	const many = 20_000
	c := newCouncil(t)
	c.says(ann, "A1")
	c.reacts(bo, "A1", "📌")
	c.write(func(tx *sqlite.Tx) error {
		person := c.person(tx, bo)
		for i := range many + MostADay {
			waits, owed := ForAnotherDay, ""
			if i < MostADay {
				waits, owed = "", sqlite.FormatTime(monday)
			}
			if _, err := tx.Exec(`INSERT INTO conversation (id, target, state, pause_seconds, at_most, mark, does, recipient, waits, owed_at)
				VALUES (?, randomblob(32), 'settling', 900, 200, 'important', 'forward', 'council@example.gov.uk', ?, ?)`, i+100, waits, owed); err != nil {
				return err
			}
			if _, err := tx.Exec("INSERT INTO mark (reaction, target, person, emoji, marked_at, conversation) SELECT 1000 + id, target, ?, '📌', ?, id FROM conversation WHERE id = ?",
				person, sqlite.FormatTime(monday), i+100); err != nil {
				return err
			}
		}
		return nil
	})
	start := time.Now()
	for day, want := range []int{0, MostADay, MostADay} {
		if n := c.resumes(); n != want {
			t.Errorf("day %d: %d went; want %d", day+1, n, want)
		}
		c.passes(24 * time.Hour)
	}
	if took := time.Since(start); took > time.Minute { // 0.3 s on a machine with nothing else to do; 40 s a day if each is looked at
		t.Errorf("it took %v", took)
	}
	if n := c.waiting(ForAnotherDay); n != many-2*MostADay {
		t.Errorf("%d wait", n)
	}
}

func (c *council) person(tx *sqlite.Tx, a record.Address) people.ID {
	c.Helper()
	names, err := people.LoadNames(tx)
	if err != nil {
		c.Fatal(err)
	}
	return names.Behind(a)
}
