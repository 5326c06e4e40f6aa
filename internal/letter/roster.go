package letter

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"muniment/internal/archive"
	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/saying"
	"muniment/internal/sqlite"
)

// RosterQuery says of which group and moment a report is wanted.
type RosterQuery struct {
	Group     string         // JID
	At        time.Time      // the moment that is reported
	Day       retention.Date // whose end that is; empty: the report is of the moment that it is made
	DrawnUp   time.Time
	Reference int64      // of the report's entry in the journal
	Last      RosterMade // the report before, as at an earlier moment; zero: there is none
}

// RosterMade is a report that was made before.
type RosterMade struct {
	Reference   int64
	At, DrawnUp time.Time
}

// Roster is the report of who was in a group at a moment (REQUIREMENTS.md, C6), which may
// be given to any councillor. What was in the group is replayed from the records, and the
// register from the journal; it shows nobody's telephone number.
type Roster struct {
	RosterQuery
	w     *Writer
	group Group
	names *people.Names

	known      bool
	begins     time.Time
	incomplete []string // why the list may be, a sentence each
	unseen     []string // why changes may be missing

	members  map[people.ID]people.Member // the entry of each person that counted then
	numbered map[people.ID]int           // of unidentified participants

	in, absent, strangers     []rosterLine
	councillors               int // in office
	councillorsIn, officersIn int
	othersIn                  int
	changes                   []rosterChange
}

// rosterLine is a person in the report.
type rosterLine struct {
	person people.ID
	member people.Member // the zero Member of who is not on the register
	in     archive.Enrolled
	gone   archive.Departed // the zero Departed of who was never seen in the group
	since  people.Member    // of who is not on the register: the entry that was made since
}

// Roster reads what the report says.
func (w *Writer) Roster(tx *sqlite.Tx, q RosterQuery) (*Roster, error) {
	r := &Roster{RosterQuery: q, w: w, group: w.Groups[q.Group], numbered: make(map[people.ID]int)}
	for _, part := range []func(*sqlite.Tx) error{r.readPeople, r.readGaps, r.readChanges} {
		if err := part(tx); err != nil {
			return nil, fmt.Errorf("report of who is in the group: %w", err)
		}
	}
	return r, nil
}

func (r *Roster) readPeople(tx *sqlite.Tx) (err error) {
	if r.names, err = people.LoadNames(tx); err != nil {
		return err
	}
	register, err := people.RegisterAt(tx, r.At)
	if err != nil {
		return err
	}
	r.members = make(map[people.ID]people.Member)
	for _, m := range register {
		if had, ok := r.members[m.Person]; !ok || m.InOffice(r.At) && !had.InOffice(r.At) || !had.InOffice(r.At) && had.Until.Before(m.Until) {
			r.members[m.Person] = m
		}
	}
	roster, err := archive.RosterAt(tx, r.Group, r.At)
	if err != nil {
		return err
	}
	r.known, r.begins = roster.Known, roster.Begins
	r.compare(roster)
	return nil
}

// compare sorts who was in the group and who was on the register into who was in both, in
// the group only, or a councillor and not in the group.
func (r *Roster) compare(roster archive.Roster) {
	in := make(map[people.ID]bool)
	for _, e := range roster.In {
		in[e.Person] = true
		l := rosterLine{person: e.Person, in: e}
		var known bool
		if l.member, known = r.members[e.Person]; known {
			r.in = append(r.in, l)
		} else {
			l.since, _ = r.names.Member(e.Person)
			r.strangers = append(r.strangers, l)
		}
		switch {
		case !known || !l.member.InOffice(r.At) || l.member.Role == "other":
			r.othersIn++
		case l.member.Councillor():
			r.councillorsIn++
		default:
			r.officersIn++
		}
	}
	for p, m := range r.members {
		if !m.Councillor() || !m.InOffice(r.At) {
			continue
		}
		r.councillors++
		if in[p] || !r.group.EveryCouncillor {
			continue
		}
		l := rosterLine{person: p, member: m}
		if i := slices.IndexFunc(roster.Gone, func(d archive.Departed) bool { return d.Person == p }); i >= 0 {
			l.gone = roster.Gone[i]
		}
		r.absent = append(r.absent, l)
	}
	slices.SortFunc(r.in, r.inOrder)
	slices.SortFunc(r.absent, r.inOrder)
	slices.SortStableFunc(r.strangers, func(a, b rosterLine) int { return a.in.Seen.Compare(b.in.Seen) })
	for _, l := range r.strangers {
		r.called(l.person)
	}
}

// inOrder orders the report: who was in office first, by role and name.
func (r *Roster) inOrder(a, b rosterLine) int {
	rank := func(l rosterLine) int {
		if !l.member.InOffice(r.At) {
			return len(people.Roles)
		}
		return slices.Index([]string{"chair", "councillor", "clerk", "deputy", "officer", "other"}, l.member.Role)
	}
	return cmp.Or(cmp.Compare(rank(a), rank(b)), strings.Compare(a.member.Name, b.member.Name), cmp.Compare(a.member.ID, b.member.ID))
}

// called names somebody: as the register did then, or else by a number in this report.
func (r *Roster) called(p people.ID) string {
	p = r.names.Is(p)
	if m, ok := r.members[p]; ok {
		return enteredName(m.Name)
	}
	if r.numbered[p] == 0 {
		r.numbered[p] = len(r.numbered) + 1
	}
	return fmt.Sprintf("Unidentified participant %d", r.numbered[p])
}

// ownName returns what somebody calls himself, marked as not verified; empty if that is
// not known, or is not for this report.
func (r *Roster) ownName(p people.ID) string {
	name, verified := "", saying.NotVerified
	if names := r.names.PushNames(p); len(names) > 0 {
		name = names[0].Name
	} else if names := r.names.Exported(p); len(names) > 0 {
		name, verified = names[0], " (name in an imported chat, not verified)"
	}
	if name == "" || people.HoldsNumber(name) {
		return ""
	}
	return saying.Called(name) + verified
}

// longNumber is what may be a telephone number within a text. A date has eight digits.
var longNumber = regexp.MustCompile(`\+?\(?\p{Nd}(?:[ ().\-–/]{0,3}\p{Nd}){8,}`)

// entered returns what somebody entered in the register or the journal, without telephone
// numbers.
func entered(s string) string {
	return longNumber.ReplaceAllString(saying.OneLine(s), "[number not shown]")
}

func enteredName(s string) string { return saying.Called(entered(s)) }

// readGaps finds out why the list may be incomplete, and what changes may be missing.
func (r *Roster) readGaps(tx *sqlite.Tx) error {
	gaps, err := archive.Gaps(tx)
	if err != nil {
		return err
	}
	var teller saying.Teller
	for _, g := range slices.Backward(archive.Distinct(gaps, r.At)) { // the oldest first
		if g.Closed.After(r.At) {
			g.Closed = time.Time{}
		}
		when := teller.Time(g.Kind, g.Group, g.Opened, g.Closed)
		healed := g.Kind == archive.NotConnected && !g.Closed.IsZero() // all was delivered afterwards
		switch {
		case when == "" || healed || g.Group != "" && g.Group != r.Group:
		case g.Closed.IsZero():
			r.incomplete = append(r.incomplete, "This list may be incomplete. "+when)
		case g.Closed.After(r.Last.At):
			r.unseen = append(r.unseen, when+" Of what changed then only the outcome is known.")
		}
	}
	return nil
}

// rosterChange is a change of who is in the group, or of the register.
type rosterChange struct {
	At     time.Time
	What   string
	By     string // empty: it is not known
	Reason string // empty: none is given
}

// readChanges reads what has changed since the last report, and what came too late for it.
func (r *Roster) readChanges(tx *sqlite.Tx) error {
	moves, err := archive.Changes(tx, r.Group, time.Time{}, r.At.Add(time.Nanosecond))
	if err != nil {
		return err
	}
	ever := make(map[people.ID]bool) // in the group
	for _, l := range append(slices.Clone(r.in), r.strangers...) {
		ever[l.person] = true
	}
	for _, c := range moves {
		for _, p := range c.Who {
			ever[p] = true
		}
		late := !c.At.After(r.Last.At) && c.Captured.After(r.Last.DrawnUp)
		if c.At.After(r.Last.At) || late {
			r.changes = append(r.changes, r.move(c, late))
		}
	}
	register, err := people.RegisterChanges(tx, r.Last.At.Add(time.Nanosecond), r.At.Add(time.Nanosecond))
	if err != nil {
		return err
	}
	for _, c := range register {
		m := cmp.Or(c.Is.Person, c.Was.Person)
		concerns := ever[m] || r.group.EveryCouncillor && (c.Was.Councillor() || c.Is.Councillor())
		if what := entryChange(c); concerns && what != "" {
			r.changes = append(r.changes, rosterChange{c.At, what, enteredName(c.Who), entered(c.Reason)})
		}
	}
	slices.SortStableFunc(r.changes, func(a, b rosterChange) int { return a.At.Compare(b.At) })
	return nil
}

// move puts a change of who is in the group in words.
func (r *Roster) move(c archive.Change, late bool) rosterChange {
	var names []string
	for _, p := range c.Who {
		names = append(names, r.called(p))
	}
	who, was := saying.And(names), were(len(names))
	did := rosterChange{At: c.At}
	switch c.Type {
	case record.Joined:
		did.What, did.By = who+" joined", who
	case record.Left:
		did.What, did.By = who+" left", who
	case record.Added, record.Removed:
		did.What = who + " " + was + " " + string(c.Type)
	case record.Promoted:
		did.What = who + " " + was + " made admin"
	case record.Demoted:
		did.What = who + " " + was + " made admin no longer"
	case record.Renumbered:
		did.What, did.By = who+" changed number", who
		if c.Was != 0 {
			did.What = fmt.Sprintf("%s came in the place of %s, by a change of number", who, r.called(c.Was))
		}
	}
	if c.By != 0 {
		did.By = r.called(c.By)
	}
	switch {
	case c.Found:
		did.By, did.Reason = "", "WhatsApp told nothing of it: a list of "+retention.DateOf(c.At).Long()+" shows it"
		did.What = map[record.Type]string{record.Joined: who + " " + was + " in the group", record.Left: who + " " + was + " not in the group any more",
			record.Promoted: who + " " + was + " admin", record.Demoted: who + " " + was + " not admin any more"}[c.Type]
	case c.Reason == "invite":
		did.Reason = "by invite link"
	default:
		did.Reason = entered(c.Reason)
	}
	if late {
		did.What += fmt.Sprintf(" (this came to the system only on %s)", retention.DateOf(c.Captured).Long())
	}
	return did
}

// entryChange puts a change of the register in words; empty if it is none of this report's.
func entryChange(c people.RegisterChange) string {
	is, was := c.Is, c.Was
	switch {
	case was.ID == 0:
		return fmt.Sprintf("%s was put on the register as %s", enteredName(is.Name), is.Role)
	case is.ID == 0:
		return enteredName(was.Name) + " was taken off the register"
	case c.Identified:
		return enteredName(is.Name) + " was identified with another account in WhatsApp"
	}
	var parts []string
	tell := func(changed bool, format string, args ...any) {
		if changed {
			parts = append(parts, fmt.Sprintf(format, args...))
		}
	}
	tell(is.Name != was.Name, "now called %s", enteredName(is.Name))
	tell(is.Role != was.Role, "%s, was %s", is.Role, was.Role)
	tell(!is.From.Equal(was.From), "in office %s", fromWhen(is.From))
	tell(!is.Until.Equal(was.Until), "in office %s", untilWhen(is.Until))
	tell(is.Absence.Reason != was.Absence.Reason, "not in the group because: %s", cmp.Or(is.Absence.Reason, "not recorded"))
	tell(is.Absence.Alternative != was.Absence.Alternative, "receives instead: %s", instead(is.Absence))
	tell(!is.Absence.Confirmed.Equal(was.Absence.Confirmed), "confirmed: %s", dateOr(is.Absence.Confirmed, "no longer"))
	tell(is.Notice != was.Notice, "privacy notice: %s", noticeGiven(is.Notice))
	if len(parts) == 0 {
		return ""
	}
	return enteredName(was.Name) + ": " + strings.Join(parts, "; ")
}

func fromWhen(t time.Time) string {
	if t.IsZero() {
		return "from a date that is not recorded"
	}
	return "from " + retention.DateOf(t).Long()
}

// untilWhen says when a term ends: on the day before the moment from which the entry
// counts no more.
func untilWhen(t time.Time) string {
	if t.IsZero() {
		return "without an end"
	}
	return "until " + retention.DateOf(t.Add(-time.Millisecond)).Long()
}

func dateOr(t time.Time, none string) string {
	if t.IsZero() {
		return none
	}
	return retention.DateOf(t).Long()
}

// noticeGiven says which privacy notice somebody was given, and when.
func noticeGiven(n people.Notice) string {
	if n.On.IsZero() {
		return "not recorded"
	}
	s := retention.DateOf(n.On).Long()
	if n.Version != "" {
		s += ", version " + entered(n.Version)
	}
	return s
}

// missingAlternative is what stands where nothing is recorded of what a councillor who is
// not in the group receives instead.
const missingAlternative = "GAP"

// instead says what somebody who is not in the group receives instead.
func instead(a people.Absence) string {
	return cmp.Or(entered(a.Alternative), missingAlternative)
}
