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
	var changes []journal.Entry
	for _, act := range []journal.Act{journal.MemberAdded, journal.MemberChanged, journal.MemberEnded, journal.MemberRemoved} {
		if err := journal.Of(tx, act, func(e journal.Entry, _ int64) error {
			if !e.At.After(at) {
				changes = append(changes, e)
			}
			return nil
		}); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(changes, func(a, b journal.Entry) int { return cmp.Compare(a.ID, b.ID) })
	is, err := Aliases(tx)
	if err != nil {
		return nil, err
	}
	register := make(map[int64]Member)
	for _, e := range changes {
		m := register[e.About.Number("member")]
		switch e.Act {
		case journal.MemberAdded:
			p := ID(e.About.Number("person"))
			m = Member{ID: e.About.Number("member"), Person: cmp.Or(is[p], p), Entered: e.At}
			m.hear(e.About)
		case journal.MemberRemoved:
			delete(register, m.ID)
			continue
		default:
			after, _ := e.About["after"].(map[string]any)
			m.hear(after)
		}
		register[m.ID] = m
	}
	return slices.SortedFunc(maps.Values(register), func(a, b Member) int { return cmp.Compare(a.ID, b.ID) }), nil
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
