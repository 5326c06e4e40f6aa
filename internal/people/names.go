package people

import (
	"cmp"
	"database/sql"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// Names says what people are called in everything that is shown: the name on
// the member register, else what they call themselves, or what an imported chat calls
// them, marked as unverified, unless that [HoldsNumber], else a number of its own (DESIGN.md, invariant 9).
type Names struct {
	is        map[ID]ID
	behind    map[string]ID
	entries   map[ID][]Member // the one that counts first
	pushNames map[ID][]PushName
	exported  map[ID][]string // what phones call them whose export was imported
	unknown   map[ID]int
}

// LoadNames reads the names of all people known.
func LoadNames(tx *sqlite.Tx) (*Names, error) {
	n := &Names{is: map[ID]ID{}, behind: map[string]ID{}, entries: map[ID][]Member{}, exported: map[ID][]string{}, unknown: map[ID]int{}}
	members, err := Members(tx)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(members, Member.compare)
	for _, m := range members {
		n.entries[m.Person] = append(n.entries[m.Person], m)
	}
	if n.pushNames, err = pushNames(tx); err != nil {
		return nil, err
	}
	err = scan(tx, "SELECT id, coalesce(same_as, id) FROM person", func(rows *sql.Rows) error {
		var id, is ID
		if err := rows.Scan(&id, &is); err != nil {
			return err
		}
		n.is[id] = is
		return nil
	})
	if err != nil {
		return nil, err
	}
	return n, scan(tx, "SELECT jid, person FROM address ORDER BY jid", func(rows *sql.Rows) error {
		var jid string
		var p ID
		if err := rows.Scan(&jid, &p); err != nil {
			return err
		}
		n.behind[jid] = p
		if name, ok := ExportedName(record.Address{JID: jid}); ok {
			n.exported[p] = append(n.exported[p], name)
		}
		return nil
	})
}

// Member returns p's entry in the member register, which may have ended: it
// still says what p is called.
func (n *Names) Member(p ID) (Member, bool) {
	if all := n.entries[n.is[p]]; len(all) > 0 {
		return all[0], true
	}
	return Member{}, false
}

// Entries returns all entries of p in the member register, the one that counts first.
func (n *Names) Entries(p ID) []Member { return n.entries[n.is[p]] }

// InOffice returns the entry in the member register under which p was in office at that
// time.
func (n *Names) InOffice(p ID, at time.Time) (Member, bool) {
	all := n.entries[n.is[p]]
	if i := slices.IndexFunc(all, func(m Member) bool { return m.InOffice(at) }); i >= 0 {
		return all[i], true
	}
	return Member{}, false
}

// Strangers returns everybody who is not on the register.
func (n *Names) Strangers() (who []ID) {
	for id, is := range n.is {
		if id == is && len(n.entries[id]) == 0 {
			who = append(who, id)
		}
	}
	slices.Sort(who)
	return who
}

// PushNames returns what p has called himself, the latest first.
func (n *Names) PushNames(p ID) []PushName { return n.pushNames[n.is[p]] }

// Of returns what p is called.
func (n *Names) Of(p ID) string {
	is := n.is[p]
	if m, ok := n.Member(is); ok {
		return m.Name
	}
	if names := n.pushNames[is]; len(names) > 0 && !HoldsNumber(names[0].Name) {
		return names[0].Name + " (name not verified)"
	}
	if i := slices.IndexFunc(n.exported[is], func(s string) bool { return !HoldsNumber(s) }); i >= 0 {
		return n.exported[is][i] + " (name in an imported chat, not verified)"
	}
	if n.unknown[is] == 0 {
		n.unknown[is] = len(n.unknown) + 1
	}
	return fmt.Sprintf("Unidentified participant %d", n.unknown[is])
}

// HoldsNumber reports whether a name may have a telephone number in it, as some give their
// contacts, or themselves. It is shown nowhere but at the terminal of the sysadmin who asks
// who somebody is.
func HoldsNumber(name string) bool {
	digits := 0
	for _, r := range name {
		if unicode.IsDigit(r) {
			digits++
		}
	}
	return digits >= 7
}

// Exported returns what phones call p whose export of the chat was imported.
func (n *Names) Exported(p ID) []string { return n.exported[n.is[p]] }

// Called returns everybody whose names have in them words that begin with all the
// words of name: the name on the register, all that he has called himself, and what
// imported chats call him. Case makes no difference.
func (n *Names) Called(name string) (who []ID) {
	wanted := strings.Fields(strings.ToLower(name))
	for id, is := range n.is {
		if id != is {
			continue
		}
		called := strings.Join(n.exported[id], " ")
		for _, m := range n.entries[id] {
			called += " " + m.Name
		}
		for _, p := range n.pushNames[id] {
			called += " " + p.Name
		}
		words := strings.Fields(strings.ToLower(called))
		all := len(wanted) > 0
		for _, w := range wanted {
			all = all && slices.ContainsFunc(words, func(have string) bool { return strings.HasPrefix(have, w) })
		}
		if all {
			who = append(who, id)
		}
	}
	slices.Sort(who)
	return who
}

// Is returns who p turned out to be: p itself, as a rule.
func (n *Names) Is(p ID) ID {
	if is, known := n.is[p]; known {
		return is
	}
	return p
}

// Behind returns the person behind a, 0 if nobody is known. It goes by the LID where
// there is one: the number may be somebody else's by now.
func (n *Names) Behind(a record.Address) ID {
	if isLID(a.Alt) {
		a.JID, a.Alt = a.Alt, a.JID
	}
	return cmp.Or(n.behind[a.JID], n.behind[a.Alt])
}

// OfJID returns what the person behind jid is called.
func (n *Names) OfJID(jid string) string { return n.Of(n.behind[jid]) }

// Mentioning returns text with every mention of a participant, which WhatsApp
// writes as @ and a number, turned into a name. Only whole numbers are mentions:
// of one that merely begins like another, no digits may be left over.
func (n *Names) Mentioning(text string, mentions []string) string {
	if len(mentions) == 0 {
		return text
	}
	mentioned := make(map[string]string, len(mentions))
	for _, jid := range mentions {
		user, _, _ := strings.Cut(jid, "@")
		mentioned["@"+user] = jid
	}
	return mention.ReplaceAllStringFunc(text, func(number string) string {
		if jid, ok := mentioned[number]; ok {
			return "@" + n.OfJID(jid)
		}
		return number
	})
}

var mention = regexp.MustCompile(`@[0-9]+`)
