package letter

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"muniment/internal/archive"
	"muniment/internal/disposal"
	"muniment/internal/forward"
	"muniment/internal/mail"
	"muniment/internal/retention"
	"muniment/internal/saying"
)

// held puts each hold that is in force in words.
func (r *weekly) held() (all []string) {
	for _, h := range r.holds {
		s := fmt.Sprintf("Hold %d, on %s.", h.ID, r.covers(h))
		if of := saying.HoldFor(h); of != "" {
			s += " For " + of + "."
		}
		s += fmt.Sprintf(" Placed on %s by %s: %s.", retention.DateOf(h.Placed).Long(),
			saying.OneLine(h.PlacedBy), strings.TrimRight(saying.OneLine(h.Reason), "."))
		switch {
		case h.Review == "":
			s += " No date is set for its review."
		case r.overdue(h):
			s += fmt.Sprintf(" It was to be reviewed by %s.", h.Review.Long())
		default:
			s += fmt.Sprintf(" To be reviewed by %s.", h.Review.Long())
		}
		if law := saying.HoldLaw(h.Kind); law != "" {
			s += " " + law
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
	case archive.InGroup:
		return "what was sent in “" + saying.OneLine(c.GroupName) + "”"
	}
	s := recordNumbers(c.Records)
	if c.Search != "" {
		s += ", found by a search for “" + saying.Excerpt(c.Search, 80) + "”"
	}
	if c.Ahead {
		s += ", and what it finds later"
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
		if l.Because != "" {
			all = append(all, early(l.List))
			continue
		}
		s := fmt.Sprintf("%s: %s%s", l.DestroyOn.Long(), saying.Listed(l.Records, l.Entries), r.groupsOf(l))
		if l.onHold > 0 {
			s += fmt.Sprintf(", of which %s on hold", saying.Number(int64(l.onHold)))
		}
		s += fmt.Sprintf(" (list %d)", l.ID)
		switch doubt := r.Doubts[l.ID]; {
		case l.Run != 0:
			s += "; this has begun, and is not finished"
		case l.Approved.IsZero() && r.Approval == disposal.Each:
			s += "; not approved yet"
			if l.DestroyOn < retention.DateOf(r.date) {
				s += ", and overdue: it is kept for longer than the policy says"
			}
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

// missing tells what is known to be missing, or may be: what it comes to, each gap
// that leaves something missing, and when else there was no connection. What was missing
// before and is still is told with it.
func (r *weekly) missing() []block {
	var lost, later []string
	var older []archive.Gap
	short := 0
	for _, g := range archive.Distinct(r.gaps, r.date) {
		message := g.Kind == archive.NotDecrypted || g.Kind == archive.NotReceived
		switch {
		case message && g.Closed.IsZero() && g.Opened.Before(r.Period.Start()):
			older = append(older, g)
		case saying.LostGap(g) || g.Kind == archive.ListBroken:
			lost = append(lost, r.teller().Gap(g).Text())
		case message: // it came after all
		case g.Closed.Sub(g.Opened) < brief:
			short++
		default:
			later = append(later, r.when(g.Opened)+" to "+r.when(g.Closed))
		}
	}
	lost = append(lost, r.older(older)...)
	bs := append([]block{paragraph("%s", r.verdict())}, list(atMost(lost))...)
	if s := r.statement; s.Unread.Number+s.Unseen.Number > s.Unread.Missing+s.Unseen.Missing {
		for _, told := range r.teller().Messages(s) {
			bs = append(bs, paragraph("%s", told))
		}
	}
	if short > 0 {
		later = append(later, saying.Count(short, "interruption")+" of less than 10 minutes")
	}
	if len(later) > 0 {
		bs = append(bs, paragraph("At the times below this system was not connected to WhatsApp, which kept what was sent, and handed it over afterwards:"),
			block{List: atMost(later)})
	}
	if r.Kind == forward.MeetingLetter {
		return bs
	}
	return append(bs, r.accounts()...)
}

// verdict says what is known of all of it.
func (r *weekly) verdict() string { return r.teller().Verdict(r.statement) }

// older tells of messages that were found to be missing before, and are still.
func (r *weekly) older(gaps []archive.Gap) (all []string) {
	for _, s := range shares(r.groups, gaps, func(g archive.Gap) string { return g.Group }) {
		switch n := len(s.all); n {
		case 1:
			all = append(all, r.teller().Gap(s.all[0]).Text())
		default:
			all = append(all, fmt.Sprintf("%s from %s%s are still missing, the last of them noticed on %s.",
				saying.Count(n, "message"), r.before(), r.in(s.group), saying.Moment(s.all[n-1].Opened)))
		}
	}
	return all
}

// accounts shows what was received on each day, and what became of it
// (DESIGN.md, invariant 7).
func (r *weekly) accounts() []block {
	var days []fact
	told := false
	for _, d := range r.statement.Days {
		told = told || d.Started.IsZero() || d.Received != 0
		text := saying.Sums(d)
		switch {
		case d.Started.IsZero():
			text = saying.NoAccount + "."
		case d.Received == 0 && d.Unaccounted() == 0:
			text = "nothing."
		}
		days = append(days, fact{d.Day.Start().In(retention.London).Format("Mon 2 Jan"), text})
	}
	if !told {
		return nil
	}
	return []block{paragraph("What was received on each day, and what became of it:"), {Facts: days}}
}

// housekeeping says how record and program fare, and ends with the checkpoint. Councillors
// are told of the policy alone.
func (r *weekly) housekeeping() []block {
	if r.Kind == forward.MeetingLetter {
		return []block{{Facts: given([]fact{{"Policy", r.policy()}, {"Policy review", r.review()}})}}
	}
	bs := []block{{Facts: given(slices.Concat([]fact{
		{"Policy", r.policy()},
		{"Policy review", r.review()},
		{"Link to WhatsApp", r.link()},
		{"Last recorded", r.lastRecorded()},
		{"Records", r.recordsInAll()},
		{"Files", r.filesInAll()},
		{"Received", r.received()},
	}, r.imported(), []fact{
		{"Emails " + r.during(), r.emailsInAll()},
		{"Backups", r.backups()},
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
		block{Verbatim: r.Checkpoint},
		paragraph("Its signature is checked with the public key below. A file that is said to prove what stands in the record must rest on the same key:"),
		block{Verbatim: r.Key})
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

// backups says what there is to go on from if this computer is lost.
func (r *weekly) backups() string {
	b := r.Backups
	switch {
	case !b.Made:
		return "none are made: if this computer’s disk fails, the record is lost"
	case b.Last.IsZero():
		return "none has been made yet"
	}
	s := fmt.Sprintf("the last was made on %s, and verified; %s kept in %s", saying.Moment(b.Last), numberOrNone(b.Kept), saying.OneLine(b.Directory))
	switch {
	case b.Elsewhere && b.Copied.IsZero():
		s += "; they have not been copied to another place yet"
	case b.Elsewhere:
		s += "; they were last copied to another place on " + saying.Moment(b.Copied)
	}
	return s
}

// received shows that what came is accounted for (DESIGN.md, invariant 7).
func (r *weekly) received() string {
	all := archive.Sum(r.statement.Days)
	if all.Received == 0 && all.Unaccounted() == 0 {
		return "nothing " + r.during()
	}
	return saying.Sums(all)
}

// imported tells of the imports: what they brought was not received.
func (r *weekly) imported() (all []fact) {
	for _, i := range r.imports {
		s := fmt.Sprintf("%s from a phone’s export of the chat%s, for %s", saying.Count(i.Records, "record"), r.in(i.Group), enteredName(i.Who))
		if reason := entered(i.Reason); reason != "" {
			s += fmt.Sprintf(", because “%s”", saying.Excerpt(reason, 200))
		}
		if !i.Finished {
			s += "; the import is not finished"
		}
		all = append(all, fact{"Imported " + r.during(), s})
	}
	return all
}

// emailsInAll counts what came of emails: of one to several, each outcome.
func (r *weekly) emailsInAll() string {
	counts := make(map[mail.State]int)
	for _, it := range r.emails {
		for state, to := range outcomes(it) {
			if state.Open() || slices.ContainsFunc(to, func(to mail.Recipient) bool { return r.inPeriod(to.FinishedAt) }) {
				counts[state]++
			}
		}
	}
	return sums(sum{counts[mail.HandedOver], "handed to the mail server"}, sum{counts[mail.Queued] + counts[mail.Sending], "waiting"},
		sum{counts[mail.Unknown], "of unknown outcome, to be sent again"}, sum{counts[mail.Refused], "refused"}, sum{counts[mail.Expired], "given up"})
}

// early tells of an early disposal that is not done yet.
func early(l disposal.List) string {
	s := fmt.Sprintf("Early disposal %d, %s: %s", l.ID, l.Because, saying.Listed(l.Records, l.Entries))
	switch {
	case l.Run != 0:
		return s + "; this has begun, and is not finished"
	case l.Approved.IsZero():
		return s + fmt.Sprintf("; proposed by %s, not confirmed yet", saying.OneLine(l.ProposedBy))
	}
	return s + fmt.Sprintf("; proposed by %s, confirmed by %s on %s", saying.OneLine(l.ProposedBy), saying.OneLine(l.ApprovedBy), retention.DateOf(l.Approved).Long())
}
