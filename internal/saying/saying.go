// Package saying puts records in plain English, everywhere alike: in letters and
// digests, and at the terminal.
//
// It decides nothing and reads nothing: the same record, among people of the same names,
// is always told in the same words. What this program says and what somebody wrote are
// kept apart, so that who shows them can keep them apart too. Neither has been made fit
// for a page or a terminal: names and words may hold any character.
package saying

import (
	"fmt"
	"strings"

	"muniment/internal/archive"
	"muniment/internal/people"
	"muniment/internal/record"
)

// Saying is what a record says, or what somebody did by it.
type Saying struct {
	// What it is, or what was done: "Poll", "Voted in the poll of record 12 for",
	// "Kit joined". Empty: words, and nothing that would need to be said of them.
	What string

	// Alone is set where What is a sentence of its own; else it is the sender's: he sent
	// what it names, or did what it tells.
	Alone bool

	Extent string   // how long or how large it is: "0 min 42 s", "12 pages"; or empty
	Words  []string // what somebody wrote or chose, in pieces, each of which may have several lines
	Notes  []string // what else is to be known of it, in sentences
	Expiry string   // a sentence that it disappears from phones; empty: nobody set it to
}

// Title is What with its extent: "Voice message, 0 min 42 s".
func (s Saying) Title() string {
	if s.Extent == "" {
		return s.What
	}
	return s.What + ", " + s.Extent
}

// Text returns the words alone, in one text.
func (s Saying) Text() string { return strings.Join(s.Words, between) }

// between stands between pieces of words where all are in one line.
const between = " · "

// Teller tells what records say.
type Teller struct {
	Names  *people.Names
	Groups map[string]string // what the official groups are called, by JID; for what is told of gaps
	Most   int               // how many people a sentence names, before it says how many others; 0: all
}

// Of tells what r says. Target is the record that r names, as far as who tells it knows:
// only of edits and deletions it matters who sent that, and whether it is kept.
func (t Teller) Of(r, target archive.Record) Saying {
	if r.Type == record.Sealed {
		return t.noted(r, Saying{What: sealed(r)})
	}
	switch r.Kind {
	case record.Message:
		return t.noted(r, t.content(r))
	case record.Unsupported:
		return t.noted(r, t.unsupported(r))
	case record.Edit:
		return t.noted(r, t.edit(r, target))
	case record.Deletion:
		return t.noted(r, deletion(r, target))
	case record.Participants:
		return t.noted(r, t.participants(r))
	case record.Group:
		return t.noted(r, t.group(r))
	}
	return t.noted(r, t.deed(r))
}

// Imported is the note on what an import brought.
const Imported = "From a phone’s export of the chat; this system did not receive it."

// Supplied is the note on what the council's own phone sent because it was asked, or from
// its history.
const Supplied = "Supplied later by the council’s own phone; it had not come from WhatsApp, or not in a form that could be read."

// noted adds what is to be known of records of every kind.
func (t Teller) noted(r archive.Record, s Saying) Saying {
	d := r.Details
	switch {
	case d.Forwarded >= manyTimes:
		s.Notes = append(s.Notes, "Forwarded many times.")
	case d.Forwarded > 0:
		s.Notes = append(s.Notes, "Forwarded.")
	}
	if r.Import != 0 {
		s.Notes = append(s.Notes, Imported)
	}
	if r.Supplied {
		s.Notes = append(s.Notes, Supplied)
	}
	switch {
	case d.Edited && r.Import == 0:
		s.Notes = append(s.Notes, "The council's phone supplied it as it was edited; what it said before is not known.")
	case d.Edited:
		s.Notes = append(s.Notes, "The export says that it was edited, but not what it said before.")
	}
	if read := r.ReadAt; !read.IsZero() && Day(read) != Day(r.Captured) && r.Type != record.Sealed {
		s.Notes = append(s.Notes, "This system could not read it before "+Day(read)+".")
	}
	if d.Expires > 0 {
		s.Expiry = "Set to disappear from phones after " + Span(int64(d.Expires)) + "."
	}
	return s
}

// manyTimes is what WhatsApp counts as forwarded many times.
const manyTimes = 5

// Name returns what somebody is called, short enough for a sentence.
func (t Teller) Name(p people.ID) string { return Called(t.Names.Of(p)) }

// Actor returns who did r; empty if WhatsApp has not said. Of a change of the group that
// names nobody, the group stands as the sender.
func (t Teller) Actor(r archive.Record) string {
	if (r.Kind == record.Participants || IsGroupChange(r)) && r.Person == t.Names.Behind(record.Address{JID: r.Group}) {
		return ""
	}
	return t.Name(r.Person)
}

// by is " by" whoever did r; empty if WhatsApp has not said.
func (t Teller) by(r archive.Record) string {
	if who := t.Actor(r); who != "" {
		return " by " + who
	}
	return ""
}

// Answers reports whether r is a reply to the message that it names: what is part of
// another message, or about it, is none.
func Answers(r archive.Record) bool {
	return r.Kind == record.Message && r.Answers && r.Details.Part == "" &&
		r.Type != record.Comment && r.Type != record.Call && r.Type != record.Sealed
}

// the names what r names: "record 12", or "the poll in record 12".
func the(noun string, seq record.Seq) string {
	switch {
	case seq == 0:
		return article(noun) + " " + noun + " that is not in the record"
	case noun == "message":
		return fmt.Sprintf("record %d", seq)
	}
	return fmt.Sprintf("the %s in record %d", noun, seq)
}
