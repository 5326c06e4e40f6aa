package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"muniment/internal/record"
)

// The roles of a council, as the member register has them.
var (
	allRoles  = []string{"councillor", "chair", "clerk", "deputy", "officer", "other"}
	mostRoles = []string{"councillor", "chair", "clerk", "deputy", "officer"}

	// holders may put everything on hold. The deputy acts for the clerk, and to keep
	// something too long harms less than to destroy it too soon.
	holders = []string{"clerk", "deputy", "chair"}
)

// defaultMarks are the marks where the file says nothing.
func defaultMarks() record.Marks {
	return record.Marks{
		{Name: "important", Emoji: []string{"📌"}, Roles: mostRoles, Does: record.Forward},
		{Name: "concern", Emoji: []string{"🚩"}, Roles: mostRoles, Does: record.Report},
		{Name: "private", Emoji: []string{"🔒"}, Roles: mostRoles, Does: record.Look},
		{Name: "hold", Emoji: []string{"🛑"}, Roles: holders, Does: record.Hold},
	}
}

// readMarks returns marks as the sections of s change them and add to them. A section
// changes the mark of its name; what it does not say stays.
func readMarks(s section, council Council, marks record.Marks) record.Marks {
	marks = slices.Clone(marks)
	given := make(map[string]section) // those that say which emoji the mark has
	var names []string
	for _, m := range marks {
		names = append(names, m.Name)
	}
	for _, key := range s.keys() {
		if _, is := s.values[key].(map[string]any); !is || slices.Contains(names, key) {
			continue // not a mark but a key that does not exist, or one that is there
		}
		if part(key) != key {
			s.doc.closed[s.join(part(key))] = true
			s.fault(part(key), "write the name of a mark in letters, digits and hyphens")
			continue
		}
		names = append(names, key)
	}
	for i, name := range names {
		if i == len(marks) {
			marks = append(marks, record.Mark{Name: name})
		}
		sub := s.section(name)
		readMark(sub, council, &marks[i])
		if sub.gives("emoji") {
			given[name] = sub
		}
	}
	checkEmoji(marks, given)
	return marks
}

// readMark reads one section of a mark; what m says already comes from the section that
// it inherits, or from the defaults.
func readMark(s section, council Council, m *record.Mark) {
	var deeds []string
	for _, d := range record.Deeds {
		deeds = append(deeds, string(d))
	}
	does := string(m.Does)
	if known := m.Does != ""; !known || !strings.HasPrefix(s.path, "group.") {
		s.text("does", &does, oneOf(deeds...))
		if known && does != string(m.Does) {
			s.fault("does", "what this mark does cannot be changed: write \"%s\", or remove the line and give a mark of your own another name", m.Does)
			does = string(m.Does)
		}
	}
	m.Does = record.Deed(does)
	if m.Roles == nil {
		m.Roles = mostRoles
		if m.Does == record.Hold {
			m.Roles = holders
		}
	}
	s.list("emoji", &m.Emoji, emoji)
	s.list("roles", &m.Roles, oneOf(allRoles...))
	switch {
	case len(m.Roles) == 0 && s.gives("roles"):
		s.fault("roles", "without a role nobody can use this mark: name at least one, or remove the line; for no mark at all write emoji = []")
	case m.Does == record.Hold && s.gives("roles") && slices.ContainsFunc(m.Roles, func(r string) bool { return !slices.Contains(holders, r) }):
		s.fault("roles", "only the clerk, the deputy clerk and the chair can put everything on hold: name none but these, or remove the line")
	}
	if m.Does == record.Hold {
		return // its email goes to the clerk
	}
	s.text("to", &m.To, emailAddress, ownAddress(council))
	if m.Does == record.Report {
		s.text("about_clerk_to", &m.AboutClerk, emailAddress, ownAddress(council))
	}
}

// checkEmoji notes what nobody could tell apart, at those sections that say so: what is
// inherited was looked at where it stands.
func checkEmoji(marks record.Marks, given map[string]section) {
	inOrder := slices.Clone(marks)
	line := func(m record.Mark) int { // 0: not in these sections
		if s, own := given[m.Name]; own {
			return s.position("emoji").line
		}
		return 0
	}
	slices.SortStableFunc(inOrder, func(a, b record.Mark) int { return cmp.Compare(line(a), line(b)) })
	for i, m := range inOrder {
		s, own := given[m.Name]
		if !own {
			continue
		}
		for j, e := range m.Emoji {
			if (record.Mark{Emoji: m.Emoji[:j]}).Has(e) {
				s.fault("emoji", "the same emoji stands here twice; skin tones make no difference: remove one")
			}
			if other, taken := inOrder[:i].Of(e); taken {
				s.fault("emoji", "the mark %q has this emoji too; skin tones make no difference: choose another", other.Name)
			}
		}
		forwards := func(m record.Mark) bool { return m.Does == record.Forward && len(m.Emoji) > 0 }
		if m.Does == record.Forward && len(m.Emoji) == 0 && !slices.ContainsFunc(marks, forwards) {
			s.fault("emoji", "without an emoji no conversation can be marked for council email: name at least one, or remove the line")
		}
	}
}

// incomplete says what the marks of a group, or of all, still lack.
func incomplete(marks record.Marks) (lacking []string) {
	for _, m := range marks {
		if m.Does == "" {
			lacking = append(lacking, fmt.Sprintf("does under [mark.%s]", m.Name))
		}
		if m.Emoji == nil {
			lacking = append(lacking, fmt.Sprintf("emoji under [mark.%s]", m.Name))
		}
	}
	return lacking
}
