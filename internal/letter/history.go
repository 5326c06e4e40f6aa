package letter

import (
	"fmt"
	"slices"
	"time"

	"muniment/internal/archive"
	"muniment/internal/people"
	"muniment/internal/record"
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

// versions returns every version of m, from the first: m itself, and the edits that
// its sender made.
func (h history) versions(m archive.Record) []archive.Record {
	all := []archive.Record{m}
	for _, c := range h {
		if c.Kind == record.Edit && c.Entitled {
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
func (h history) tell(v *message, m archive.Record, names *people.Names) {
	for _, c := range h {
		if !c.Entitled {
			v.Notes = append(v.Notes, attempt(c, names))
		}
	}
	if d, is := h.deletion(); is {
		v.Notes = append(v.Notes, deleted(d, m, names)+" The council’s record keeps it.")
	}
	versions := h.versions(m)
	for i, old := range versions[:len(versions)-1] {
		when := "As first sent:"
		if i > 0 {
			when = fmt.Sprintf("As edited on %s:", moment(old.Sent))
		}
		v.Earlier = append(v.Earlier, version{When: when, Lines: typedLines(old, names)})
	}
	if last := versions[len(versions)-1]; len(versions) > 1 {
		v.Notes = append(v.Notes, fmt.Sprintf("Edited on %s (record %d). Above is what it says since.", moment(last.Sent), last.Seq))
	}
}

// typedLines returns what was typed in one version of a message.
func typedLines(m archive.Record, names *people.Names) []string {
	if m.Text == "" {
		return []string{"(no words)"}
	}
	return lines(names.Mentioning(m.Text, m.Mentions))
}

// deleted says who deleted m, and when.
func deleted(d, m archive.Record, names *people.Names) string {
	by := "its sender"
	if d.Person != m.Person {
		by = oneLine(names.Of(d.Person)) + ", an administrator of the group,"
	}
	return fmt.Sprintf("Deleted by %s on %s (record %d).", by, moment(d.Sent), d.Seq)
}

// attempt says who tried to change a message without a right to it.
func attempt(c archive.Record, names *people.Names) string {
	what := "edit"
	if c.Kind == record.Deletion {
		what = "delete"
	}
	return fmt.Sprintf("%s tried to %s this message on %s (record %d), without the right to do so. It has no effect here.",
		oneLine(names.Of(c.Person)), what, moment(c.Sent), c.Seq)
}
