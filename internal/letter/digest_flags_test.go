package letter

import (
	"fmt"
	"strings"
	"testing"

	"muniment/internal/flag"
	"muniment/internal/forward"
	"muniment/internal/record"
	"muniment/internal/sqlite"
	"muniment/internal/vault"
)

// careless is what members write in a WhatsApp group that does not belong there, and a
// word of each that no digest may repeat.
var careless = []string{"07700 900105", "Wednesday’s child", "AB123456C", "anaemic", "Rose Cottage", "Kestrel", "zebra", "magpie"}

// carelessly brings personal details into the group in every way that a digest shows:
// marked, shared, edited, deleted, tried to be edited, as the name of a file and of the
// group; and what may need a meeting.
func (c *council) carelessly() {
	c.t.Helper()
	c.says(bo, at("2026-11-19 12:20"), "Agreed then, go ahead and order the hinge. All in favour?")
	c.says(ann, at("2026-11-19 12:25"), "5 for, 1 against")
	child := c.says(ann, at("2026-11-19 20:00"), "Sam is on 07700 900105, and Wednesday’s child: born on 4 March 1961.")
	c.edits(ann, at("2026-11-19 20:02"), child, "Sam will be there at ten.")
	tried := c.says(sam, at("2026-11-19 20:10"), "I shall bring a flask.")
	c.edits(bo, at("2026-11-19 20:11"), tried, "I shall bring AB123456C.")
	note := c.brings(dee, at("2026-11-19 20:20"), record.Document, "Her sick note, anaemic.pdf", "")
	c.fetched(note, at("2026-11-19 20:21"), vault.Kept, "", 120_000)
	house := c.says(dee, at("2026-11-19 20:30"), "She lives at Rose Cottage, Mill Lane, TW5 9AB.")
	c.did(bo, at("2026-11-19 20:31"), record.Received{Kind: record.Reaction, Type: record.ReactionAdded, Emoji: "📌", Target: &house.Ref})
	photo := c.brings(bo, at("2026-11-19 20:40"), record.Image, "", "Confidential: Kestrel Farm")
	c.fetched(photo, at("2026-11-19 20:41"), vault.Kept, "", 230_000)
	c.deletes(bo, at("2026-11-19 20:45"), photo, record.ByAuthor)
	c.did(bo, at("2026-11-21 08:05"), record.Received{Kind: record.Group, Type: record.Description, Text: "Write to zebra@mail.example."})
}

// asksCarelessly does so in a poll, and in all that is made of one.
func (c *council) asksCarelessly() {
	c.t.Helper()
	for i, typ := range []record.Type{record.Poll, record.PollResult, record.Invite, record.Call} { // the words of a poll stand in its result, too
		asked := c.did(sam, at("2026-11-19 20:32"), record.Received{Kind: record.Message, Type: typ, Text: "Confidential: magpie?\nYes",
			ID: fmt.Sprint("ASKED", i), Details: record.Details{Poll: &record.Ballot{Question: "Confidential: magpie?", Options: []string{"Yes"}}}.Encode()})
		c.did(bo, at("2026-11-19 20:33"), record.Received{Kind: record.Reaction, Type: record.ReactionAdded, Emoji: "📌", ID: fmt.Sprint("MARKED", i), Target: &asked.Ref})
	}
}

// What may be personal is in no digest, in whichever content, though the rest of it is.
func TestNothingPersonalIsInADigest(t *testing.T) {
	if testing.Short() {
		t.Skip("one thing after another, which the race detector watches for long")
	}
	for _, content := range []Content{References, Extracts, Full} {
		d := everything(t)
		d.asksCarelessly()
		d.g.Content = content
		p := parse(t, d.sent())
		for part, s := range map[string]string{"text": p.text, "HTML": p.html} {
			for _, said := range careless {
				if strings.Contains(s, said) {
					t.Errorf("%s: the %s holds %q", content, part, said)
				}
			}
			if has := strings.Contains(s, "The notice is on the website"); has != (content != References) {
				t.Errorf("%s: the %s holds what is harmless: %t", content, part, has)
			}
		}
	}
}

// Councillors get an edition before a meeting. Flags are for the clerk: theirs neither
// repeats nor tells of them.
func TestFlagsAreForTheClerk(t *testing.T) {
	d := everything(t)
	d.asksCarelessly()
	d.g.Kind, d.g.Meeting, d.g.Content = forward.MeetingLetter, "2026-11-25", Full
	p := parse(t, d.sent())
	for part, s := range map[string]string{"text": p.text, "HTML": p.html} {
		for _, said := range append(careless, "May need to go", "Please check", "postcode", "muniment flag") {
			if strings.Contains(s, said) {
				t.Errorf("the %s holds %q", part, said)
			}
		}
		if !strings.Contains(s, "handrail on the footbridge") {
			t.Errorf("the %s does not tell of what was marked", part)
		}
	}
}

// What the clerk has said to be no concern is shown like all else.
func TestNoConcernInADigest(t *testing.T) {
	d := newDigested(t)
	d.moves(jo, at("2026-11-10 09:00"), record.Present, jo, ann, bo, dee)
	confidential := d.brings(ann, at("2026-11-17 09:00"), record.Image, "", "A confidential otter")
	agreed := d.says(bo, at("2026-11-17 09:10"), "Agreed.")
	dismiss := func(when string, s said) {
		d.write(func(tx *sqlite.Tx) error {
			return d.w.Flags.Dismiss(tx, at(when), "Jo Hall", "asked", []record.Seq{s.seq}, flag.Concerns...)
		})
	}
	shows := func(text string, want bool) {
		t.Helper()
		if got := parse(t, d.sent()).text; strings.Contains(got, text) != want {
			t.Errorf("holds %q: %t\n%s", text, !want, got)
		}
	}
	meeting := fmt.Sprintf("Cllr Bo Carter, record %d: words of agreement.", agreed.seq)
	shows("otter", false)
	shows(meeting, true)
	dismiss("2026-11-17 10:00", confidential)
	shows("otter", true)
	shows(meeting, true)
	dismiss("2026-11-23 08:00", agreed) // after the digest was written
	shows(meeting, true)
	dismiss("2026-11-17 10:00", agreed)
	shows(meeting, false)
}

// What was sent before the week and is told of in it, is flagged in it: nobody looks up in
// vain what is not repeated.
func TestWhatWasSentBeforeIsFlagged(t *testing.T) {
	d := newDigested(t)
	d.moves(jo, at("2026-11-10 09:00"), record.Present, jo, ann, bo, dee)
	marked := d.says(ann, at("2026-11-11 09:00"), "A confidential otter")
	edited := d.says(ann, at("2026-11-11 09:10"), "Another confidential otter")
	deleted := d.says(ann, at("2026-11-11 09:20"), "One more confidential otter")
	left := d.says(ann, at("2026-11-11 09:30"), "The last confidential otter")
	d.did(bo, at("2026-11-17 12:01"), record.Received{Kind: record.Reaction, Type: record.ReactionAdded, Emoji: "📌", Target: &marked.Ref})
	d.deletes(ann, at("2026-11-17 12:02"), deleted, record.ByAuthor)
	d.edits(ann, at("2026-11-17 12:03"), edited, "A badger")
	text := parse(t, d.sent()).text
	if strings.Contains(text, "otter") || strings.Contains(text, "badger") {
		t.Error("it is repeated")
	}
	for _, m := range []said{marked, edited, deleted} {
		if !strings.Contains(text, fmt.Sprintf("Cllr Ann Brook, record %d: words about", m.seq)) {
			t.Errorf("record %d is not flagged:\n%s", m.seq, text)
		}
	}
	if strings.Contains(text, fmt.Sprintf("record %d:", left.seq)) {
		t.Errorf("record %d is flagged, of which nothing is told", left.seq)
	}
}
