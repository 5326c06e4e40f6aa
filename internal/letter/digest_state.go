package letter

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"muniment/internal/archive"
	"muniment/internal/disposal"
	"muniment/internal/mail"
	"muniment/internal/retention"
	"muniment/internal/saying"
)

// held puts each hold that is in force in words.
func (r *weekly) held() (all []string) {
	for _, h := range r.holds {
		s := fmt.Sprintf("Hold %d, on %s. Placed on %s by %s: %s.", h.ID, r.covers(h), retention.DateOf(h.Placed).Long(),
			saying.OneLine(h.PlacedBy), strings.TrimRight(saying.OneLine(h.Reason), "."))
		switch {
		case h.Review == "":
			s += " No date is set for its review."
		case r.overdue(h):
			s += fmt.Sprintf(" It was to be reviewed by %s.", h.Review.Long())
		default:
			s += fmt.Sprintf(" To be reviewed by %s.", h.Review.Long())
		}
		all = append(all, s)
	}
	return all
}

// covers says what a hold covers.
func (r *weekly) covers(h archive.Hold) string {
	c := h.Cover
	switch c.Scope {
	case archive.Everything:
		return "everything" + r.everywhere()
	case archive.Dates:
		return "what was sent " + between(c.From, c.Through) + r.everywhere()
	case archive.ByMember:
		return "what " + r.heldNames[h.ID] + " sent" + r.everywhere()
	}
	s := recordNumbers(c.Records)
	if c.Search != "" {
		s += ", found by a search for “" + saying.Excerpt(c.Search, 80) + "”"
	}
	return s
}

// everywhere says that something is about every group, where there are several.
func (r *weekly) everywhere() string {
	if len(r.groups) < 2 {
		return ""
	}
	return " in every group"
}

// due tells of the disposal lists that are not carried out yet.
func (r *weekly) due() []block {
	if len(r.lists) == 0 {
		return nil
	}
	lead := "Nothing is destroyed until a named person has approved its list, and nothing that is on hold."
	switch r.Approval {
	case disposal.Standing:
		lead = fmt.Sprintf("Each list is destroyed on its day, except what is on hold. The council approved that in advance (minute %s).", saying.OneLine(r.Minute))
	case disposal.Unset:
		lead = "The council has not set how destruction is approved, so nothing is destroyed."
	}
	var all []string
	for _, l := range r.lists {
		s := fmt.Sprintf("%s: %s%s", l.DestroyOn.Long(), saying.Count(l.Records, "record"), r.groupsOf(l))
		if l.onHold > 0 {
			s += fmt.Sprintf(", of which %s on hold", saying.Number(int64(l.onHold)))
		}
		s += fmt.Sprintf(" (list %d)", l.ID)
		switch doubt := r.Doubts[l.ID]; {
		case l.Run != 0:
			s += "; this has begun, and is not finished"
		case l.Approved.IsZero() && r.Approval == disposal.Each:
			s += "; not approved yet"
		case doubt != "" && r.Approval != disposal.Unset:
			s += "; waits: " + saying.OneLine(doubt)
		case r.Approval == disposal.Each:
			s += fmt.Sprintf("; approved by %s on %s", saying.OneLine(l.ApprovedBy), retention.DateOf(l.Approved).Long())
		}
		all = append(all, s)
	}
	return []block{{Paragraph: lead}, {List: all}}
}

// groupsOf says of which groups the records of a list are.
func (r *weekly) groupsOf(l openList) string {
	parts := shares(r.groups, l.records, groupOf)
	if len(parts) == 1 {
		return r.in(parts[0].group)
	}
	var each []string
	for _, s := range parts {
		each = append(each, saying.Number(int64(len(s.all)))+r.in(s.group))
	}
	if len(each) == 0 {
		return ""
	}
	return " (" + saying.And(each) + ")"
}

// brief is how long an interruption may be to be counted and not told.
const brief = 10 * time.Minute

// notInGroup tells of a time when the council's account was not in a group.
func (r *weekly) notInGroup(g archive.Gap) string {
	if g.Closed.IsZero() {
		return fmt.Sprintf("The council’s account has not been in the group %s since %s. Messages sent since then are missing from this record.",
			r.w.group(g.Group), saying.Moment(g.Opened))
	}
	return fmt.Sprintf("The council’s account was not in the group %s from %s to %s. Messages sent then are missing from this record.",
		r.w.group(g.Group), saying.Moment(g.Opened), saying.Moment(g.Closed))
}

// missing tells what is known to be missing, or may be.
func (r *weekly) missing() (bs []block) {
	var lost, later []string
	var older []archive.Gap
	short := 0
	for _, g := range r.gaps {
		ongoing := g.Closed.IsZero()
		switch {
		case g.Kind == archive.Abandoned:
			lost = append(lost, fmt.Sprintf("Messages that arrived between %s and %s were not recorded. They are missing from this record.",
				saying.Moment(g.Opened.AddDate(0, 0, -1)), saying.Moment(g.Opened)))
		case g.Kind == archive.NotDecrypted && !ongoing: // it came after all
		case g.Kind == archive.NotDecrypted && g.Opened.Before(r.Week.Start()):
			older = append(older, g)
		case g.Kind == archive.NotDecrypted:
			lost = append(lost, fmt.Sprintf("A message that arrived on %s%s could not be read. It is missing from this record.", saying.Moment(g.Opened), r.in(g.Group)))
		case g.Kind == archive.NotInGroup:
			lost = append(lost, r.notInGroup(g))
		case g.Kind == archive.ListBroken && ongoing:
			lost = append(lost, fmt.Sprintf("WhatsApp has not told who is in the group %s since %s. It is being asked.", r.w.group(g.Group), saying.Moment(g.Opened)))
		case g.Kind == archive.ListBroken:
			lost = append(lost, fmt.Sprintf("Between %s and %s who is in the group %s changed, and WhatsApp did not tell how. Since then the list is right.",
				saying.Moment(g.Opened), saying.Moment(g.Closed), r.w.group(g.Group)))
		case ongoing:
			lost = append(lost, fmt.Sprintf("The system has not been connected since %s. Messages sent since then may be missing from this record.", saying.Moment(g.Opened)))
		case g.Kind == archive.NotLinked:
			lost = append(lost, fmt.Sprintf("The system was not connected from %s to %s. Messages sent then may be missing from this record.",
				saying.Moment(g.Opened), saying.Moment(g.Closed)))
		case g.Closed.Sub(g.Opened) < brief:
			short++
		default:
			later = append(later, r.when(g.Opened)+" to "+r.when(g.Closed))
		}
	}
	for _, s := range shares(r.groups, older, func(g archive.Gap) string { return g.Group }) {
		switch n := len(s.all); n {
		case 1:
			lost = append(lost, fmt.Sprintf("A message that arrived on %s%s could not be read, and is still missing.", saying.Moment(s.all[0].Opened), r.in(s.group)))
		default:
			lost = append(lost, fmt.Sprintf("%s that arrived before this week%s could not be read, the last on %s. They are still missing.",
				saying.Count(n, "message"), r.in(s.group), saying.Moment(s.all[n-1].Opened)))
		}
	}
	bs = list(atMost(lost))
	if short > 0 {
		later = append(later, saying.Count(short, "interruption")+" of less than 10 minutes")
	}
	if len(later) > 0 {
		bs = append(bs, paragraph("The system was also not connected at the times below. WhatsApp keeps what is sent meanwhile, and it was received "+
			"afterwards, as far as WhatsApp kept it:"), block{List: atMost(later)})
	}
	return bs
}

// housekeeping says how record and program fare, and ends with the checkpoint.
func (r *weekly) housekeeping() []block {
	bs := []block{{Facts: given(slices.Concat([]fact{
		{"Policy", r.policy()},
		{"Policy review", r.review()},
		{"Link to WhatsApp", r.link()},
		{"Last recorded", r.lastRecorded()},
		{"Records", r.recordsInAll()},
		{"Files", r.filesInAll()},
		{"Received", r.received()},
	}, r.imported(), []fact{
		{"Emails this week", r.emailsInAll()},
		{"Program", r.Program},
	}))}}
	if len(r.groups) > 1 {
		bs = append([]block{paragraph("All of this is of all groups together.")}, bs...)
	}
	if r.Checkpoint == "" {
		return bs
	}
	return append(bs,
		paragraph("Keep this email. The lines below fix the whole record as it stands: saved as a file, this email shows at any later time "+
			"whether anything was altered or taken out since, by the command muniment verify --checkpoint FILE."),
		block{Verbatim: r.Checkpoint})
}

func (r *weekly) policy() string {
	s := r.w.PolicyTitle
	if s != "" && r.w.PolicySection != "" {
		s += ", section " + r.w.PolicySection
	}
	return s
}

func (r *weekly) review() string {
	switch today := retention.DateOf(r.date); {
	case r.Review == "":
		return "no date is given"
	case today > r.Review:
		return "overdue, was due by " + r.Review.Long()
	}
	return "due by " + r.Review.Long()
}

func (r *weekly) link() string {
	if r.NeverLinked {
		return "never linked"
	}
	if g, ok := r.open(archive.NotLinked); ok {
		return "lost since " + saying.Moment(g.Opened)
	}
	if g, ok := r.open(archive.NotConnected); ok {
		return "not connected since " + saying.Moment(g.Opened)
	}
	return "in order, as far as is known"
}

func (r *weekly) lastRecorded() string {
	if r.Account.LastCaptured.IsZero() {
		return "nothing yet"
	}
	return saying.Moment(r.Account.LastCaptured)
}

func (r *weekly) recordsInAll() string {
	a := r.Account
	s := saying.Number(a.Kept) + " kept"
	if a.OnHold > 0 {
		s += fmt.Sprintf(", %s of them on hold", saying.Number(a.OnHold))
	}
	return s + fmt.Sprintf("; %s destroyed at the end of their time", numberOrNone(int(a.Destroyed)))
}

func (r *weekly) filesInAll() string {
	c := r.fileCount
	return sums(sum{c.Kept, "kept"}, sum{c.Wanted, "still being fetched"}, sum{c.Lost, "lost"})
}

// received shows that what came is accounted for (DESIGN.md, invariant 7).
func (r *weekly) received() string {
	if len(r.intakes) == 0 {
		return "nothing this week"
	}
	var all archive.Intake
	for _, i := range r.intakes {
		all.Received += i.Received
		all.Captured += i.Captured
		all.Duplicate += i.Duplicate
		all.OutOfScope += i.OutOfScope
		all.Failed += i.Failed
	}
	s := fmt.Sprintf("%s since %s: %s recorded, %s received again, %s not of the group, %s failed", saying.Number(all.Received),
		saying.Day(r.intakes[len(r.intakes)-1].Started), saying.Number(all.Captured), saying.Number(all.Duplicate), saying.Number(all.OutOfScope), saying.Number(all.Failed))
	if n := all.Unaccounted(); n != 0 {
		s += fmt.Sprintf("; not accounted for: %s", saying.Number(n))
	}
	return s
}

// imported tells of the imports of the week: what they brought was not received.
func (r *weekly) imported() (all []fact) {
	for _, i := range r.imports {
		s := fmt.Sprintf("%s from a phone’s export of the chat%s, for %s", saying.Count(i.Records, "record"), r.in(i.Group), enteredName(i.Who))
		if reason := entered(i.Reason); reason != "" {
			s += fmt.Sprintf(", because “%s”", saying.Excerpt(reason, 200))
		}
		if !i.Finished {
			s += "; the import is not finished"
		}
		all = append(all, fact{"Imported this week", s})
	}
	return all
}

func (r *weekly) emailsInAll() string {
	var handed, waiting, refused int
	for _, it := range r.emails {
		switch {
		case it.State == mail.Waiting:
			waiting++
		case !r.inWeek(it.FinishedAt):
		case it.State == mail.Refused:
			refused++
		default:
			handed++
		}
	}
	return sums(sum{handed, "handed to the mail server"}, sum{waiting, "waiting"}, sum{refused, "refused"})
}
