package people

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"muniment/internal/journal"
	"muniment/internal/sqlite"
)

// RegisterAt returns the member register as it was at that time, in the order of entry,
// as the journal tells. It lacks the email addresses, which the journal does not keep.
// Two who turned out to be one since are one.
func RegisterAt(tx *sqlite.Tx, at time.Time) ([]Member, error) {
	register := make(map[int64]Member)
	err := replay(tx, register, func(e journal.Entry) bool { return !e.At.After(at) }, func(RegisterChange) {})
	return slices.SortedFunc(maps.Values(register), func(a, b Member) int { return cmp.Compare(a.ID, b.ID) }), err
}

// RegisterChange is a change of one entry of the member register.
type RegisterChange struct {
	At          time.Time
	Who, Reason string
	Was         Member // before; the zero Member of an entry that is new
	Is          Member // from then on; the zero Member of an entry that was removed
	Identified  bool   // nothing of what it says changed: the person was found to be another too
}

// RegisterChanges returns what was changed on the member register from one moment on and
// before another, in order of time, as the journal tells.
func RegisterChanges(tx *sqlite.Tx, from, before time.Time) (all []RegisterChange, err error) {
	err = replay(tx, make(map[int64]Member), func(e journal.Entry) bool { return e.At.Before(before) }, func(c RegisterChange) {
		if !c.At.Before(from) {
			all = append(all, c)
		}
	})
	return all, err
}

// replay does to register what the journal says was done, as far as until is true, and
// tells each change.
func replay(tx *sqlite.Tx, register map[int64]Member, until func(journal.Entry) bool, tell func(RegisterChange)) error {
	var entries []journal.Entry
	for _, act := range []journal.Act{journal.MemberAdded, journal.MemberChanged, journal.MemberEnded, journal.MemberRemoved, journal.MemberIdentified} {
		if err := journal.Of(tx, act, func(e journal.Entry, _ int64) error {
			if until(e) {
				entries = append(entries, e)
			}
			return nil
		}); err != nil {
			return err
		}
	}
	slices.SortFunc(entries, func(a, b journal.Entry) int { return cmp.Compare(a.ID, b.ID) })
	is, err := Aliases(tx)
	if err != nil {
		return err
	}
	for _, e := range entries {
		id := e.About.Number("member")
		m := register[id]
		c := RegisterChange{At: e.At, Who: e.Who, Reason: e.Reason, Was: m}
		switch e.Act {
		case journal.MemberAdded:
			p := ID(e.About.Number("person"))
			m = Member{ID: id, Person: cmp.Or(is[p], p), Entered: e.At}
			m.hear(e.About)
		case journal.MemberIdentified:
			c.Identified = true
		case journal.MemberRemoved:
			delete(register, id)
			tell(c)
			continue
		default:
			after, _ := e.About["after"].(map[string]any)
			m.hear(after)
		}
		register[id], c.Is = m, m
		tell(c)
	}
	return nil
}

// about is how the journal names an entry.
func (m Member) about() journal.About {
	return journal.About{"member": m.ID, "name": m.Name, "role": m.Role}
}

// says is what the journal says of an entry: all but its email address.
func (m Member) says() map[string]string {
	return map[string]string{
		"name":           m.Name,
		"role":           m.Role,
		"from":           formatTime(m.From),
		"until":          formatTime(m.Until),
		"absent":         m.Absence.Reason,
		"instead":        m.Absence.Alternative,
		"confirmed":      formatTime(m.Absence.Confirmed),
		"notice given":   formatTime(m.Notice.On),
		"notice version": m.Notice.Version,
	}
}

// hear is the reverse of says: of what is not said, m stays as it was.
func (m *Member) hear(said map[string]any) {
	text := func(field string, to *string) {
		if s, ok := said[field].(string); ok {
			*to = s
		}
	}
	moment := func(field string, to *time.Time) {
		s, ok := said[field].(string)
		if t, err := sqlite.ParseTime(s); ok && err == nil {
			*to = t
		}
	}
	text("name", &m.Name)
	text("role", &m.Role)
	moment("from", &m.From)
	moment("until", &m.Until)
	text("absent", &m.Absence.Reason)
	text("instead", &m.Absence.Alternative)
	moment("confirmed", &m.Absence.Confirmed)
	moment("notice given", &m.Notice.On)
	text("notice version", &m.Notice.Version)
}
