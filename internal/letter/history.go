package letter

import (
	"fmt"
	"slices"
	"time"

	"muniment/internal/archive"
	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/saying"
	"muniment/internal/sqlite"
)

// history is what has been done to a message since it was sent, up to the date of a
// letter, in order of time: edits and deletions, attempts too.
type history []archive.Record

// historiesOf returns the histories of messages, by their numbers.
func historiesOf(tx *sqlite.Tx, seqs []record.Seq, date time.Time) (map[record.Seq]history, error) {
	changes, err := archive.ChangesOf(tx, seqs)
	if err != nil {
		return nil, err
	}
	of := make(map[record.Seq]history)
	for _, c := range changes {
		if !c.Captured.After(date) {
			of[c.Amends] = append(of[c.Amends], c)
		}
	}
	return of, nil
}

// versions returns every version of m, from the first: m itself, and what it became by
// the edits that its sender made while it was not deleted, as far as they can be read.
func (h history) versions(m archive.Record) []archive.Record {
	all := []archive.Record{m}
	edits, _ := h.edits()
	for _, e := range edits {
		if e.Type != record.Sealed {
			all = append(all, edited(m, e))
		}
	}
	return all
}

// edited returns the message m as its edit e has it: e says what it says, but not where
// it came from and what else it is.
func edited(m, e archive.Record) archive.Record {
	was, is := m.Details, e.Details
	is.Forwarded, is.Expires, is.Part = was.Forwarded, was.Expires, was.Part
	if saying.IsFile(m.Type) { // only the words on it can be edited
		is.Seconds, is.Pages, e.Type = was.Seconds, was.Pages, m.Type
	}
	m.Kind, m.Type, m.Text, m.Mentions, m.Details = record.Message, e.Type, e.Text, e.Mentions, is
	m.Seq, m.Sent, m.Captured, m.ReadAt = e.Seq, e.Sent, e.Captured, e.ReadAt
	return m
}

// unread returns the edits of the sender of which nobody can tell what they say.
func (h history) unread() (all []archive.Record) {
	edits, _ := h.edits()
	for _, e := range edits {
		if e.Type == record.Sealed {
			all = append(all, e)
		}
	}
	return all
}

// edits returns the edits of the sender: those before the message was deleted, and
// those after, which have no effect.
func (h history) edits() (inTime, late []archive.Record) {
	deleted := false
	for _, c := range h {
		switch {
		case !c.Entitled:
		case c.Kind == record.Deletion:
			deleted = true
		case deleted:
			late = append(late, c)
		default:
			inTime = append(inTime, c)
		}
	}
	return inTime, late
}

// attempts returns what others tried, without a right to it.
func (h history) attempts() (all []archive.Record) {
	for _, c := range h {
		if !c.Entitled {
			all = append(all, c)
		}
	}
	return all
}

// now returns the latest version of m.
func (h history) now(m archive.Record) archive.Record {
	all := h.versions(m)
	return all[len(all)-1]
}

// deletion returns the first deletion that counts.
func (h history) deletion() (archive.Record, bool) {
	i := slices.IndexFunc(h, func(c archive.Record) bool { return c.Kind == record.Deletion && c.Entitled })
	if i < 0 {
		return archive.Record{}, false
	}
	return h[i], true
}

// tell adds to v, which shows the latest version of m, what the history says.
func (h history) tell(v *message, m archive.Record, teller saying.Teller) {
	names := teller.Names
	attempts := h.attempts()
	for _, c := range attempts[:min(len(attempts), mostVersions)] {
		v.Notes = append(v.Notes, attempt(c, names))
	}
	if more := len(attempts) - mostVersions; more > 0 {
		v.Notes = append(v.Notes, fmt.Sprintf("There %s %s more of that kind. They are on record.", were(more), saying.Count(more, "attempt")))
	}
	if d, is := h.deletion(); is {
		v.Notes = append(v.Notes, deleted(d, m, names)+" The council’s record keeps it.")
	}
	if _, late := h.edits(); len(late) > 0 {
		v.Notes = append(v.Notes, tooLate(late, saying.Moment))
	}
	for _, e := range h.unread() {
		v.Notes = append(v.Notes, fmt.Sprintf("Edited on %s (record %d). What it says since cannot be read.", saying.Moment(e.Sent), e.Seq))
	}
	versions, left := told(h.versions(m))
	for i, old := range versions[:len(versions)-1] {
		when := "As first sent:"
		if i > 0 {
			when = fmt.Sprintf("As edited on %s:", saying.Moment(old.Sent))
		}
		v.Earlier = append(v.Earlier, version{When: when, Lines: wordsOf(old, teller)})
		if i == 0 && left > 0 {
			v.Earlier = append(v.Earlier, leftOut(left))
		}
	}
	if last := versions[len(versions)-1]; len(versions) > 1 {
		v.Notes = append(v.Notes, fmt.Sprintf("Edited on %s (record %d). Above is what it says since.", saying.Moment(last.Sent), last.Seq))
	}
}

// wordsOf returns the lines of what one version of a message said.
func wordsOf(m archive.Record, teller saying.Teller) []string {
	if said := linesOf(teller.Of(m, archive.Record{}), m.Seq); len(said) > 0 {
		return said
	}
	return []string{"(no words)"}
}

// tooLate tells of edits that the sender of a message sent after it was deleted.
func tooLate(late []archive.Record, when func(time.Time) string) string {
	s := fmt.Sprintf("Its sender edited it on %s (record %d), after it was deleted.", when(late[0].Sent), late[0].Seq)
	if n := len(late); n > 1 {
		s = fmt.Sprintf("Its sender edited it %s times from %s on (record %d), after it was deleted.", saying.Number(int64(n)), when(late[0].Sent), late[0].Seq)
	}
	return s + " That has no effect here."
}

// deleted says who deleted m, and when.
func deleted(d, m archive.Record, names *people.Names) string {
	by := "its sender"
	if d.Person != m.Person {
		by = saying.Called(names.Of(d.Person)) + ", an administrator of the group,"
	}
	return fmt.Sprintf("Deleted by %s on %s (record %d).", by, saying.Moment(d.Sent), d.Seq)
}

// attempt says who tried to change a message without a right to it.
func attempt(c archive.Record, names *people.Names) string {
	what := "edit"
	if c.Kind == record.Deletion {
		what = "delete"
	}
	return fmt.Sprintf("%s tried to %s this message on %s (record %d), without the right to do so. It has no effect here.",
		saying.Called(names.Of(c.Person)), what, saying.Moment(c.Sent), c.Seq)
}
