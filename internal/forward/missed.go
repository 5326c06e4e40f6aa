package forward

import (
	"fmt"
	"slices"
	"time"

	"muniment/internal/archive"
	"muniment/internal/journal"
	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// Why is the reason for which a reaction did not count that may have been meant as a mark.
type Why string

// The reasons.
const (
	NotInGroup Why = "not in the group"
	NoRole     Why = "not in office in a role that may"
	LooksLike  Why = "another emoji that looks like it"
)

// mayMark returns why p's reaction r does not count as the mark; empty: it does. Who
// marks is in the group and had one of the mark's roles when he did: a mark that arrives
// late is not lost for it.
func mayMark(tx *sqlite.Tx, agreed record.Mark, r record.Received, p people.ID) (Why, error) {
	in, err := people.Participants(tx, r.Group)
	if err != nil {
		return "", err
	}
	// What waited for us at the very first run comes before we are told who is in
	// the group. Until then we rely on WhatsApp: only who is in a group can react
	// there.
	if len(in) > 0 && !in[p] {
		return NotInGroup, nil
	}
	names, err := people.LoadNames(tx)
	if err != nil {
		return "", err
	}
	if m, ok := names.InOffice(p, r.Sent); !ok || !slices.Contains(agreed.Roles, m.Role) {
		return NoRole, nil
	}
	return "", nil
}

// near takes note of a reaction that is no mark: it may look like one, and its sender
// believe that it is.
func (f Rules) near(tx *sqlite.Tx, now time.Time, r record.Received, c archive.Captured) error {
	if r.Type != record.ReactionAdded {
		return nil
	}
	like, is := f.Marks.Near(r.Emoji)
	if !is {
		return nil
	}
	why, err := mayMark(tx, like, r, c.Person)
	if err != nil || why != "" {
		return err
	}
	return NotCounted(tx, now, c, like.Name, LooksLike)
}

// NotCounted journals that a reaction did not count as a mark: nobody in the group is
// told, since this program sends nothing there.
func NotCounted(tx *sqlite.Tx, now time.Time, c archive.Captured, mark string, why Why) error {
	return journal.Write(tx, journal.Entry{At: now, Who: journal.Daemon, Act: journal.MarkNotCounted,
		About: journal.About{"record": c.Seq, "person": c.Person, "mark": mark, "why": why}})
}

// Misses counts reactions that did not count as marks.
type Misses struct {
	NotAllowed int // with a mark, by those who may not use it
	LookAlikes int // with what only looks like a mark
}

// Missed counts the reactions that did not count as marks, by when they were captured:
// from a time on, and before another.
func Missed(tx *sqlite.Tx, from, before time.Time) (n Misses, err error) {
	err = journal.Of(tx, journal.MarkNotCounted, func(e journal.Entry, _ int64) error {
		switch {
		case e.At.Before(from) || !e.At.Before(before):
		case e.About["why"] == string(LooksLike):
			n.LookAlikes++
		default:
			n.NotAllowed++
		}
		return nil
	})
	if err != nil {
		return Misses{}, fmt.Errorf("reactions that did not count: %w", err)
	}
	return n, nil
}
