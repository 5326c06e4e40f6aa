package letter

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"muniment/internal/archive"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/saying"
)

// noNumbers is the statement with which every report ends (C6).
const noNumbers = "Telephone numbers are not shown in this report and are not given out by this system."

// Text returns the report as plain text, with lines ending in "\n".
func (r *Roster) Text() string { return r.document().text() }

// HTML returns the report as a page that needs nothing from elsewhere.
func (r *Roster) HTML() (string, error) { return r.document().html() }

// document says it all, under the headings of C6.
func (r *Roster) document() document {
	d := document{Council: saying.OneLine(r.w.Council), Title: fmt.Sprintf("Who %s in the WhatsApp group %s", r.is(), r.w.group(r.Group)), Report: true}
	if r.w.Demonstration {
		d.Demonstration = strings.Replace(demonstration, "email", "report", 1)
	}
	d.add(block{Facts: given([]fact{
		{"Report", fmt.Sprintf("number %d, made on %s", r.Reference, momentUTC(r.DrawnUp))},
		{"As at", r.moment()},
		{"Group", r.group.Name},
		{"Purpose", r.group.Purpose},
		{"Policy", r.w.PolicyReference},
		{"Privacy notice", r.notice()},
	})})
	d.Footer = []string{noNumbers}
	if !r.known {
		d.add(block{Callout: r.unknown()})
		if r.begins.IsZero() && len(r.absent) > 0 {
			d.section("Councillors in office", r.inOffice()...)
		}
		return d
	}
	d.add(paragraph("The record of who is in the group begins on %s.", saying.Moment(r.begins)))
	for _, s := range r.incomplete {
		d.add(block{Callout: s})
	}
	d.section("In numbers", r.sums()...)
	d.section("A. In the group", r.enrolled()...)
	d.section("B. Councillors not in the group", r.outside()...)
	d.section("C. In the group but not on the register", r.unidentified()...)
	d.section("D. Changes since the last report", r.changed()...)
	return d
}

func (r *Roster) is() string {
	if r.Day == "" {
		return "is"
	}
	return "was"
}

func (r *Roster) moment() string {
	if r.Day == "" {
		return saying.Moment(r.At)
	}
	return "the end of " + r.Day.Long()
}

// notice says which privacy notice the people in the group have been given, as the
// configuration has it.
func (r *Roster) notice() string {
	n := r.group.Notice
	if n.Version == "" {
		return ""
	}
	return fmt.Sprintf("version %s, given on %s", n.Version, retention.DateOf(n.On).Long())
}

// unknown says why it is not known who was in the group.
func (r *Roster) unknown() string {
	if r.begins.IsZero() {
		return "No list of who is in the group is kept: WhatsApp is asked for one whenever this system connects, and an old one is destroyed at the end of its time."
	}
	return fmt.Sprintf("The record of who is in the group begins on %s. Who was in it before is not known.", saying.Moment(r.begins))
}

// coverage says how many of the councillors are in the group.
func (r *Roster) coverage() string {
	return fmt.Sprintf("%d of %s", r.councillorsIn, saying.Count(r.councillors, "councillor"))
}

// Summary returns the report in a few sentences: how many were in the group, and which
// councillors were not.
func (r *Roster) Summary() []string {
	if !r.known {
		return []string{r.unknown()}
	}
	s := r.coverage() + " " + map[string]string{"is": "are", "was": "were"}[r.is()] + " in the group"
	switch {
	case r.officersIn > 0 && r.othersIn > 0:
		s += fmt.Sprintf(", with %s and %s", saying.Count(r.officersIn, "officer"), saying.Count(r.othersIn, "other"))
	case r.officersIn > 0:
		s += ", with " + saying.Count(r.officersIn, "officer")
	case r.othersIn > 0:
		s += ", with " + saying.Count(r.othersIn, "other")
	}
	all := []string{s + "."}
	for _, l := range r.absent {
		all = append(all, fmt.Sprintf("%s: %s. Receives instead: %s.", r.called(l.person), r.went(l), instead(l.member.Absence)))
	}
	return all
}

func (r *Roster) sums() []block {
	return []block{{Facts: []fact{
		{"Councillors in office", numberOrNone(r.councillors)},
		{"In the group", r.coverage()},
		{"Officers in the group", numberOrNone(r.officersIn)},
		{"Others in the group", numberOrNone(r.othersIn)},
	}}}
}

func (r *Roster) enrolled() []block {
	if len(r.in) == 0 {
		return []block{paragraph("Nobody who is on the register.")}
	}
	t := &table{Columns: []string{"Name", "Role", "Joined on", "How", "Admin", "Privacy notice"}}
	for _, l := range r.in {
		t.Rows = append(t.Rows, []string{r.called(l.person), r.role(l), joinedOn(l.in), r.came(l.in), yesNo(l.in.Admin), noticeGiven(l.member.Notice)})
	}
	return []block{{Table: t}}
}

// role says in which office somebody was.
func (r *Roster) role(l rosterLine) string {
	switch m := l.member; {
	case m.Ended(r.At):
		return m.Role + " " + untilWhen(m.Until)
	case !m.InOffice(r.At):
		return m.Role + " " + fromWhen(m.From)
	}
	return l.member.Role
}

func joinedOn(e archive.Enrolled) string {
	if since := e.Since(); !since.IsZero() {
		return retention.DateOf(since).Long()
	}
	return "not known"
}

// came says how somebody came to be in the group.
func (r *Roster) came(e archive.Enrolled) string {
	switch {
	case e.Reason == "invite":
		return "by invite link"
	case e.How == record.Joined:
		return "by invite link or request"
	case e.How == record.Added && e.By != 0:
		return "added by " + r.actor(e)
	case e.How == record.Added:
		return "added; WhatsApp does not say by whom"
	case e.How == record.Renumbered:
		return "by a change of number"
	case e.Seen.Equal(r.begins):
		return "there at the start"
	}
	return "first on the list of " + retention.DateOf(e.Seen).Long()
}

// actor names who added somebody, with the role.
func (r *Roster) actor(e archive.Enrolled) string {
	if m, ok := r.members[r.names.Is(e.By)]; ok {
		return m.Role + " " + r.called(e.By)
	}
	return r.called(e.By)
}

func yesNo(is bool) string {
	if is {
		return "yes"
	}
	return "no"
}

func (r *Roster) outside() []block {
	switch {
	case !r.group.EveryCouncillor:
		return []block{paragraph("Not listed: this group is not meant for every councillor.")}
	case r.councillors == 0:
		return []block{paragraph("None: there was no councillor on the register.")}
	case len(r.absent) == 0:
		return []block{paragraph("None.")}
	}
	t := &table{Columns: []string{"Name", "Role", "Why", "Receives instead", "Confirmed on"}}
	gaps := 0
	for _, l := range r.absent {
		with := instead(l.member.Absence)
		if with == missingAlternative {
			gaps++
		}
		t.Rows = append(t.Rows, []string{r.called(l.person), l.member.Role, r.went(l), with, dateOr(l.member.Absence.Confirmed, "not confirmed")})
	}
	bs := []block{{Table: t}}
	if gaps > 0 {
		bs = append(bs, block{Callout: missingAlternative + ": it is not recorded what the councillor receives instead. Please see to it that everyone gets the same information, and have it entered (muniment member edit)."})
	}
	return bs
}

// inOffice lists the councillors as the register has them: that is known also where it is
// not known who is in the group.
func (r *Roster) inOffice() []block {
	t := &table{Columns: []string{"Name", "Role", "Why not in the group", "Receives instead", "Confirmed on"}}
	for _, l := range r.absent {
		a := l.member.Absence
		t.Rows = append(t.Rows, []string{r.called(l.person), l.member.Role, cmp.Or(a.Reason, "not recorded"),
			cmp.Or(entered(a.Alternative), "not recorded"), dateOr(a.Confirmed, "not confirmed")})
	}
	return []block{paragraph("This is what the register says. Nothing needs to be recorded of those who are in the group."), {Table: t}}
}

// went says why somebody is not in the group: what the register says, and what was seen.
func (r *Roster) went(l rosterLine) string {
	seen := ""
	switch on := retention.DateOf(l.gone.At).Long(); {
	case l.gone.Person == 0:
	case l.gone.How == record.Left:
		seen = "left on " + on
	case l.gone.How == record.Removed && l.gone.By != 0:
		seen = fmt.Sprintf("removed on %s by %s", on, r.called(l.gone.By))
	case l.gone.How == record.Removed:
		seen = "removed on " + on
	default:
		seen = "no longer on the list of " + on
	}
	reason := l.member.Absence.Reason
	if word := string(l.gone.How); word != "" && reason == word {
		reason = ""
	}
	if reason == "" && seen == "" {
		return "not recorded; not seen there since the record began"
	}
	return strings.Join(slices.DeleteFunc([]string{reason, seen}, func(s string) bool { return s == "" }), "; ")
}

func (r *Roster) unidentified() []block {
	if len(r.strangers) == 0 {
		return []block{paragraph("Nobody.")}
	}
	t := &table{Columns: []string{"Who", "Calls themselves", "First seen", "How", "Admin", "Action needed"}}
	for _, l := range r.strangers {
		t.Rows = append(t.Rows, []string{r.called(l.person), cmp.Or(r.ownName(l.person), "not known"), retention.DateOf(l.in.Seen).Long(), r.came(l.in), yesNo(l.in.Admin), r.action(l)})
	}
	return []block{{Table: t}}
}

// action says what is to be done about somebody who was not on the register.
func (r *Roster) action(l rosterLine) string {
	if m := l.since; m.ID != 0 {
		return fmt.Sprintf("none: put on the register as %s on %s", enteredName(m.Name), retention.DateOf(m.Entered).Long())
	}
	return "find out who this is; register or remove"
}

func (r *Roster) changed() []block {
	lead := "Since the record began:"
	if !r.Last.At.IsZero() {
		lead = fmt.Sprintf("Since report number %d, as at %s:", r.Last.Reference, saying.Moment(r.Last.At))
	}
	bs := []block{paragraph("%s", lead)}
	if len(r.changes) == 0 {
		bs = []block{paragraph("%s none.", lead)}
	} else {
		t := &table{Columns: []string{"When", "What", "Made by", "Reason"}}
		for _, c := range r.changes {
			when := retention.DateOf(c.At).Long() + ", " + saying.Clock(c.At)
			t.Rows = append(t.Rows, []string{when, c.What, cmp.Or(c.By, "not known"), cmp.Or(c.Reason, "none given")})
		}
		bs = append(bs, block{Table: t})
	}
	for _, s := range r.unseen {
		bs = append(bs, block{Callout: s})
	}
	return bs
}
