package archive

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muniment/internal/journal"
	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// names reads what records name as the tests made them: what is kept of them tells
// nothing.
type names map[string]record.Ref // by the ID of the record

func (n names) read() Names {
	return Names{
		Target: func(_ *sqlite.Tx, d Delivered) (*record.Ref, error) {
			if of, is := n[d.Received.ID]; is {
				return &of, nil
			}
			return nil, nil
		},
		Elsewhere: func(_ string, quotation []byte) bool { return string(quotation) == "pb of another chat" },
	}
}

// names captures r and knows what it names.
func (n names) captures(o *office, r record.Received) record.Seq {
	o.Helper()
	if r.Target != nil && r.Quotations == nil {
		n[r.ID] = *r.Target
	}
	return o.captures(r).Seq
}

// findsHoles looks at what is old enough, in steps of so many records.
func (o *office) findsHoles(n names, atMost int) {
	o.Helper()
	for done := false; !done; {
		o.write(func(tx *sqlite.Tx) (err error) {
			done, err = o.archive.FindHoles(tx, o.now, atMost, n.read())
			return err
		})
	}
}

// asks returns the ID of the message that the phone is asked for next; empty: none.
func (o *office) asks() (id string) {
	o.Helper()
	o.write(func(tx *sqlite.Tx) error {
		m, _, err := o.archive.NextToAsk(tx, o.now)
		id = m.Ref.ID
		return err
	})
	return id
}

// later lets enough time pass that what was captured is old enough.
func (o *office) later() { o.now = o.now.Add(holePatience) }

func amends(kind record.Kind, typ record.Type, who record.Address, id string, to record.Address, of string) record.Received {
	return record.Received{Kind: kind, Type: typ, ID: id, Sender: who, Target: &record.Ref{ID: of, Sender: to}}
}

// A message that others name and that is not here is missing; once, by whom it is named
// first, and not if it comes soon.
func TestHoles(t *testing.T) {
	quoted := func(of, protobuf string) record.Received {
		r := quotes(bo, "B"+of, "I agree", ann, of, "")
		r.Quotations[0].Protobuf = []byte(protobuf)
		return r
	}
	imported := reacts(bo, "B-import", "👍", ann, "X")
	imported.Import = 1
	importedReply := quoted("X", "pb")
	importedReply.Import = 1
	byAdmin := amends(record.Deletion, record.ByAdmin, bo, "B-deletes", ann, "X")
	for _, tt := range []struct {
		name  string
		named record.Received
		cause string // empty: nothing is missing
		asked bool
	}{
		{"a reaction", reacts(bo, "B1", "👍", ann, "X"), neverDelivered, true},
		{"an edit", amends(record.Edit, record.Text, ann, "A1", ann, "X"), neverDelivered, true},
		{"a vote", amends(record.Vote, record.Cast, bo, "B1", ann, "X"), neverDelivered, true},
		{"what is sealed", amends(record.Vote, record.Sealed, bo, "B1", ann, "X"), neverDelivered, true},
		{"a pin", amends(record.Pin, record.Pinned, bo, "B1", ann, "X"), neverDelivered, true},
		{"a comment", amends(record.Message, record.Comment, bo, "B1", ann, "X"), neverDelivered, true},
		{"a quotation", quoted("X", "pb"), neverDelivered, true},
		{"a quotation of another chat", quoted("X", "pb of another chat"), "", false},
		{"a quotation of nothing", quoted("", "pb"), "", false},
		{"of nobody", reacts(bo, "B1", "👍", record.Address{JID: official}, "X"), nobodysMessage, false},
		{"its author deletes it", amends(record.Deletion, record.ByAuthor, ann, "A1", ann, "X"), deletedBefore, false},
		{"an admin deletes it", byAdmin, deletedBefore, false},
		{"what an import says", imported, "", false},
		{"what an import quotes", importedReply, "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o, n := newOffice(t), names{}
			by := n.captures(o, tt.named)
			n.captures(o, reacts(bo, "B2", "👍", bo, "Y"))
			o.captures(says(bo, "Y", "This one was only late."))
			o.findsHoles(n, 1)
			if gaps := o.theGaps(); len(gaps) != 0 {
				t.Fatalf("before it may be late: %+v", gaps)
			}
			o.later()
			n.captures(o, reacts(bo, "B3", "👎", ann, "X"))
			o.findsHoles(n, 1)
			var want []Gap
			if tt.cause != "" {
				want = []Gap{{ID: 1, Kind: NotReceived, Group: official, Opened: o.now, Cause: tt.cause, NamedBy: by, Asking: tt.asked}}
				if tt.asked {
					want[0].Sender = ann.JID
				}
			}
			if diff := cmp.Diff(want, o.theGaps()); diff != "" {
				t.Errorf("gaps (-want +got)\n%s", diff)
			}
			o.expectNothingToAsk()
			if id := o.asks(); (id == "X") != tt.asked {
				t.Errorf("asked for %q", id)
			}
			o.expectSound()
		})
	}
}

// What names it came before an earlier search, in another order, or again: it is missing
// once.
func TestAHoleIsFoundOnce(t *testing.T) {
	o, n := newOffice(t), names{}
	number := record.Address{JID: "447700900101@s.whatsapp.net"}
	n.captures(o, reacts(bo, "B1", "👍", number, "X")) // by her number, which nobody knows yet
	o.later()
	o.findsHoles(n, 100)
	o.captures(says(record.Address{JID: ann.JID, Alt: number.JID}, "A1", "Now it is known."))
	n.captures(o, reacts(bo, "B2", "👍", ann, "X"))
	o.misses(ann, "X")
	o.later()
	o.findsHoles(n, 100)
	o.write(func(tx *sqlite.Tx) error { _, err := tx.Exec("UPDATE archive SET holes_through = 0"); return err })
	o.findsHoles(n, 2)
	if gaps := o.theGaps(); len(gaps) != 1 || !gaps[0].Closed.IsZero() {
		t.Errorf("gaps: %+v; want one that is open", gaps)
	}
	if n := o.journaled(journal.GapOpened); n != 1 {
		t.Errorf("journaled %d times", n)
	}
	o.captures(says(ann, "X", "Here it is."))
	if g := o.theGaps()[0]; g.Closed.IsZero() {
		t.Errorf("it is here: %+v", g)
	}
}

// The clock is set back after the records were captured: they need not wait for it.
func TestTheClockIsSetBackBeforeHolesAreLookedFor(t *testing.T) {
	o, n := newOffice(t), names{}
	o.now = o.now.AddDate(1, 0, 0)
	n.captures(o, reacts(bo, "B1", "👍", ann, "X"))
	o.now = monday
	o.findsHoles(n, 100)
	if gaps := o.theGaps(); len(gaps) != 1 {
		t.Errorf("gaps: %+v", gaps)
	}
}

// A message is named by an address of its sender that turns out to be hers before it is
// looked for.
func TestAMessageIsNamedByAnotherAddress(t *testing.T) {
	o, n := newOffice(t), names{}
	number := record.Address{JID: "447700900101@s.whatsapp.net"}
	o.captures(says(ann, "X", "By her LID."))
	n.captures(o, reacts(bo, "B1", "👍", number, "X"))
	o.captures(says(record.Address{JID: ann.JID, Alt: number.JID}, "A2", "Both are me."))
	o.later()
	o.findsHoles(n, 100)
	if gaps := o.theGaps(); len(gaps) != 0 {
		t.Errorf("missing: %+v", gaps)
	}
}

// Under which of her addresses the message is here turns out only after it was missing by
// the other: it is not asked for.
func TestAMissingMessageIsHereUnderAnotherAddress(t *testing.T) {
	o, n := newOffice(t), names{}
	number := record.Address{JID: "447700900101@s.whatsapp.net"}
	o.captures(says(ann, "X", "By her LID."))
	n.captures(o, reacts(bo, "B1", "👍", number, "X"))
	o.later()
	o.findsHoles(n, 100)
	if gaps := o.theGaps(); len(gaps) != 1 {
		t.Fatalf("gaps: %+v", gaps)
	}
	o.captures(says(record.Address{JID: ann.JID, Alt: number.JID}, "A2", "Both are me."))
	if id := o.asks(); id != "" {
		t.Errorf("asked for %q", id)
	}
	if g := o.theGaps()[0]; g.Closed.IsZero() || g.Asked != 0 {
		t.Errorf("the gap: %+v", g)
	}
}

// A destroyed message is not missing, whoever names it, and its ID does not stay.
func TestADestroyedMessageIsNoHole(t *testing.T) {
	o, n := newOffice(t), names{}
	number := record.Address{JID: "447700900101@s.whatsapp.net"}
	m := o.captures(says(ann, "DESTROYED", "x"))
	n.captures(o, reacts(bo, "B1", "👍", number, "DESTROYED")) // which nobody knows to be hers
	o.passes(7)
	o.findsHoles(n, 100)
	if id := o.asks(); id != "DESTROYED" {
		t.Fatalf("asked for %q", id)
	}
	o.destroys(m.Seq)
	if held := o.held("DESTROYED"); held {
		t.Error("its ID is kept")
	}
	n.captures(o, reacts(bo, "B2", "👍", ann, "DESTROYED"))
	o.later()
	o.findsHoles(n, 100)
	if gaps := o.theGaps(); len(gaps) != 1 || gaps[0].Asking {
		t.Errorf("gaps: %+v", gaps)
	}
}

func (o *office) held(words string) (held bool) {
	o.Helper()
	o.write(func(tx *sqlite.Tx) error {
		return Contents(tx, func(content []byte) error {
			held = held || bytes.Contains(content, []byte(words))
			return nil
		})
	})
	return held
}

// The ID of a message that is asked for is kept for as long as that, and no longer.
func TestWhatIsAskedForIsHeld(t *testing.T) {
	o := newOffice(t)
	o.misses(ann, "ASKED-FOR")
	if !o.held("ASKED-FOR") || !o.held(ann.JID) {
		t.Error("what the gap keeps is not found there")
	}
	o.captures(says(bo, "B1", "x"))
	for range 100 {
		o.now = o.now.Add(24 * time.Hour)
		o.asks()
	}
	if o.held("ASKED-FOR") {
		t.Error("it is kept although nobody asks any more")
	}
}

// A message is asked for seven times in two weeks, however often the program looks; then
// no more, and it stays missing.
func TestAskedForInVain(t *testing.T) {
	if testing.Short() {
		t.Skip("does much, and nothing that others of a short run do not")
	}
	o := newOffice(t)
	o.misses(ann, "X")
	var after []time.Duration
	for o.now.Sub(monday) < 30*24*time.Hour {
		if o.asks() != "" {
			after = append(after, o.now.Sub(monday))
		}
		o.now = o.now.Add(time.Minute)
		if len(after) == 6 { // the rest takes long
			o.now = o.now.Add(time.Hour)
		}
	}
	const day = 24 * time.Hour
	want := []time.Duration{2 * time.Minute, 12 * time.Minute, 72 * time.Minute, 432 * time.Minute, day + 432*time.Minute, 4*day + 432*time.Minute}
	if len(after) != 7 || !cmp.Equal(want, after[:6]) {
		t.Errorf("asked after %v", after)
	}
	g := o.theGaps()[0]
	if !g.Closed.IsZero() || g.Asking || g.Asked != 7 || g.AskedAt.IsZero() {
		t.Errorf("the gap: %+v", g)
	}
	o.expectNothingToAsk()
	o.captures(says(ann, "X", "It comes after all."))
	if g := o.theGaps()[0]; g.Closed.IsZero() {
		t.Errorf("it came: %+v", g)
	}
}

// What was asked for in vain and is quoted is known, whenever it is quoted; not before,
// for the message itself would say more.
func TestKnownFromAQuotation(t *testing.T) {
	const long = 30 * 24 * time.Hour
	for _, tt := range []struct {
		name string
		do   func(o *office, n names)
		want Ending
	}{
		{"quoted before", func(o *office, n names) {
			o.captures(quotes(bo, "B1", "I agree", ann, "X", "The fence is down."))
			o.now = o.now.Add(long)
			o.asks()
		}, Quoted},
		{"quoted after", func(o *office, n names) {
			o.now = o.now.Add(long)
			o.asks()
			o.captures(quotes(bo, "B1", "I agree", ann, "X", "The fence is down."))
		}, Quoted},
		{"deleted, then quoted", func(o *office, n names) {
			n.captures(o, amends(record.Deletion, record.ByAuthor, ann, "A1", ann, "X"))
			o.later()
			o.findsHoles(n, 100)
			o.captures(quotes(bo, "B1", "I agree", ann, "X", "The fence is down."))
		}, Quoted},
		{"quoted, then deleted", func(o *office, n names) {
			o.captures(quotes(bo, "B1", "I agree", ann, "X", "The fence is down."))
			n.captures(o, amends(record.Deletion, record.ByAuthor, ann, "A1", ann, "X"))
		}, Quoted},
		{"still asked for", func(o *office, n names) {
			o.captures(quotes(bo, "B1", "I agree", ann, "X", "The fence is down."))
			o.asks()
		}, ""},
		{"the quotation says nothing", func(o *office, n names) {
			o.captures(quotes(bo, "B1", "Nice!", ann, "X", "")) // a photo
			o.now = o.now.Add(long)
			o.asks()
		}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o, n := newOffice(t), names{}
			o.misses(ann, "X")
			tt.do(o, n)
			o.later()
			o.findsHoles(n, 100)
			if g := o.theGaps()[0]; g.Ending != tt.want || g.Closed.IsZero() != (tt.want == "") {
				t.Errorf("the gap: %+v", g)
			}
		})
	}
}

// Members react to hundreds of messages that never were. What could not be read comes
// first all the same, and it ends some day.
func TestManyHolesAreAskedForInTurn(t *testing.T) {
	if testing.Short() {
		t.Skip("does much, and nothing that others of a short run do not")
	}
	o, n := newOffice(t), names{}
	for i := range 300 {
		who := record.Address{JID: fmt.Sprintf("2000000000000%02d@lid", i%10)}
		n.captures(o, reacts(who, fmt.Sprint("B", i), "👍", ann, fmt.Sprint("X", i)))
	}
	o.later()
	o.findsHoles(n, 50)
	o.misses(ann, "REAL")
	o.now = o.now.Add(firstAsk)
	if id := o.asks(); id != "REAL" {
		t.Errorf("asked for %q first", id)
	}
	once := make(map[string]int)
	for range 200 {
		once[o.asks()]++
	}
	if len(once) != 200 {
		t.Errorf("200 requests were for %d messages", len(once))
	}
	o.now = o.now.Add(askPauses[0]) // those that were asked for are due again
	if first, second := o.asks(), o.asks(); first != "REAL" || once[second] != 0 {
		t.Errorf("asked for %s again, then for %s, which was asked for %d times while others were not", first, second, once[second])
	}
	asked := 203
	for o.now.Sub(monday) < 30*24*time.Hour {
		o.now = o.now.Add(time.Hour) // of the sixty requests
		for range 5 {
			if o.asks() != "" {
				asked++
			}
		}
	}
	if o.number("SELECT count(*) FROM gap WHERE ask_at IS NOT NULL OR message_id <> ''") != 0 {
		t.Error("there is no end to it")
	}
	if asked > 301*len(askPauses) {
		t.Errorf("asked %d times", asked)
	}
}

// A clock that was ahead when a message was asked for does not put off the next time.
func TestTheClockIsSetBackWhileAMessageIsAskedFor(t *testing.T) {
	o := newOffice(t)
	o.now = o.now.AddDate(1, 0, 0)
	o.misses(ann, "X")
	o.now = monday
	if id := o.asks(); id != "X" {
		t.Errorf("asked for %q", id)
	}
}

// A record that can be read only by a later version names a message that is not here.
func TestAHoleIsFoundByALaterVersion(t *testing.T) {
	o, n := newOffice(t), names{}
	unread := says(bo, "B1", "")
	unread.Kind, unread.Type = record.Unsupported, "newReactionMessage"
	seq := o.captures(unread).Seq
	o.captures(says(bo, "B2", "And so on."))
	o.later()
	o.findsHoles(n, 100)
	r := reacts(bo, "B1", "👍", ann, "X")
	n["B1"] = *r.Target
	o.reads(seq, r)
	o.findsHoles(n, 100)
	if gaps := o.theGaps(); len(gaps) != 1 || gaps[0].NamedBy != seq {
		t.Errorf("gaps: %+v", gaps)
	}
}

// A member invents messages by the hundred. The gaps do not grow with them, nor what the
// council's phone is asked for; how many more were named is told, and what others name has
// its gaps as ever. So it is for each day.
func TestInventedMessagesAreBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("one thing after another, which the race detector watches for long")
	}
	o, n := newOffice(t), names{}
	invents := func(who record.Address, from, to int) {
		t.Helper()
		for i := from; i < to; i++ {
			n.captures(o, reacts(who, fmt.Sprint("R", i), "👍", ann, fmt.Sprint("invented", i)))
		}
		o.later()
		o.findsHoles(n, 100)
	}
	expect := func(gaps, further, entries int) {
		t.Helper()
		opened := 0
		o.write(func(tx *sqlite.Tx) error {
			return journal.Of(tx, journal.GapOpened, func(journal.Entry, int64) error { opened++; return nil })
		})
		all := o.theGaps()
		sum := 0
		for _, g := range all {
			sum += g.Further
		}
		if len(all) != gaps || sum != further || opened != entries {
			t.Errorf("%d gaps, %d further, %d entries; want %d, %d, %d", len(all), sum, opened, gaps, further, entries)
		}
	}
	invents(bo, 0, mostHoles)
	expect(mostHoles, 0, mostHoles)
	invents(bo, 1000, 1300)
	expect(mostHoles+1, 300, mostHoles+1)
	n.captures(o, reacts(ann, "R-ann", "👍", ann, "another")) // somebody else
	n.captures(o, reacts(bo, "R-known", "👍", ann, "another"))
	o.later()
	o.findsHoles(n, 100)
	expect(mostHoles+2, 300, mostHoles+2)
	o.now = o.now.Add(24 * time.Hour)
	invents(bo, 2000, 2000+mostHoles+5)
	expect(2*mostHoles+3, 305, 2*mostHoles+3)
	if s := o.number("SELECT count(*) FROM gap WHERE further > 0 AND (ask_at IS NOT NULL OR message_id || sender <> '')"); s != 0 {
		t.Errorf("%d gaps of further messages are asked for, or say which they are", s)
	}
	o.expectSound()
}

// A member sends what nobody can read, by the hundred. What others sent has its turn, and its
// next ones.
func TestNobodysMessagesWaitForThoseOfOneMember(t *testing.T) {
	o := newOffice(t)
	for i := range 300 {
		o.misses(bo, fmt.Sprint("B", i))
	}
	o.misses(ann, "A")
	o.now = o.now.Add(firstAsk)
	var turns []int
	for turn := range 200 { // one a minute
		if o.asks() == "A" {
			turns = append(turns, turn)
		}
		o.now = o.now.Add(time.Minute)
	}
	if len(turns) != 3 || turns[0] > 1 || turns[1] > 12 || turns[2] > 75 {
		t.Errorf("asked for what another sent at the turns %v", turns)
	}
}
