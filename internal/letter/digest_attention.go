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
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/saying"
)

// patience is how long an email may wait before somebody should see to it.
const patience = 24 * time.Hour

// attention returns what somebody should act upon, each with what to do, the most
// urgent first.
func (r *weekly) attention() (all []fact) {
	for _, about := range []func() []fact{
		r.linkMatters, r.diskMatters, r.backupMatters, r.clockMatters, r.mailMatters, r.messageMatters, r.groupMatters, r.holdMatters, r.disposalMatters, r.meetingMatters, r.policyMatters,
	} {
		all = append(all, about()...)
	}
	return all
}

// matters shows what attention returns.
func matters(all []fact) []block {
	if len(all) == 0 {
		return nil
	}
	bs := []block{{Facts: all}}
	if slices.ContainsFunc(all, func(f fact) bool { return strings.Contains(f.Value, "(muniment ") }) {
		bs = append(bs, paragraph("What is in brackets and begins with “muniment” is a command, for the person who looks after the computer."))
	}
	return bs
}

func (r *weekly) linkMatters() (all []fact) {
	if r.NeverLinked {
		all = append(all, fact{"Not linked to WhatsApp", "It has never been linked, and nothing is received until it is. Please have it linked (muniment link)."})
	} else if g, ok := r.open(archive.NotLinked); ok {
		all = append(all, fact{"Link to WhatsApp lost", fmt.Sprintf("Nothing has been recorded since %s. "+
			"Please have it linked again today (muniment link).", saying.Moment(g.Opened))})
	} else if g, ok := r.open(archive.NotConnected); ok {
		all = append(all, fact{"No connection", fmt.Sprintf("WhatsApp has not been reached since %s. Please have this seen to (muniment status).",
			saying.Moment(g.Opened))})
	}
	if !r.PhoneMissed.IsZero() {
		all = append(all, fact{"The council’s phone", fmt.Sprintf("It has not been seen since %s. Please have WhatsApp opened on it: after about 14 days "+
			"WhatsApp unlinks this system, and nothing is recorded until it is linked again.", saying.Moment(r.PhoneMissed))})
	}
	for _, group := range r.groups {
		if since := r.attentions[group].Outside; !since.IsZero() {
			all = append(all, fact{"Not in the group", fmt.Sprintf("The council’s account has not been in the group %s since %s, and nothing that is sent there "+
				"is recorded. Please have an administrator of the group add it again today.", r.w.group(group), saying.Moment(since))})
		}
	}
	fresh := 0
	for _, g := range r.gaps {
		message := g.Kind == archive.NotDecrypted || g.Kind == archive.NotReceived || g.Kind == archive.NotDelivered
		if message && g.Closed.IsZero() && r.inPeriod(g.Opened) || g.Kind == archive.Abandoned {
			fresh++
		}
	}
	if fresh > 0 {
		all = append(all, fact{"Messages missing", "See “Gaps in the record”. Please look for them in the group on the council’s own phone, " +
			"and have whatever matters posted again."})
	}
	return all
}

// open returns the time of that kind that has not ended.
func (r *weekly) open(kind archive.GapKind) (archive.Gap, bool) {
	i := slices.IndexFunc(r.gaps, func(g archive.Gap) bool { return g.Kind == kind && g.Closed.IsZero() })
	if i < 0 {
		return archive.Gap{}, false
	}
	return r.gaps[i], true
}

func (r *weekly) diskMatters() []fact {
	if r.FilesWait.IsZero() {
		return nil
	}
	return []fact{{"Disk", fmt.Sprintf("The computer’s disk is nearly full: since %s photos and files wait, messages are still recorded. "+
		"WhatsApp keeps files for some weeks only. Please have room made (muniment status).", saying.Moment(r.FilesWait))}}
}

func (r *weekly) backupMatters() (all []fact) {
	b := r.Backups
	if b.Made && !b.Last.IsZero() && r.date.Sub(b.Last) > backupPatience {
		all = append(all, fact{"Backups", fmt.Sprintf("The last good backup is that of %s. What was recorded since would be lost with this computer’s disk. "+
			"Please have this seen to (muniment backup list).", saying.Moment(b.Last))})
	}
	if b.RehearsalDue {
		last := "Nobody has tried yet whether a backup can be restored"
		if !b.Rehearsed.IsZero() {
			last = "Whether a backup can be restored was last tried on " + saying.Moment(b.Rehearsed)
		}
		all = append(all, fact{"Backups", last + ". It should be tried every three months, with the secret key from where it is kept. " +
			"Please have that done (sudo muniment backup rehearse)."})
	}
	if l := r.Restored; l != nil {
		all = append(all, fact{"Lost and restored", fmt.Sprintf("The record was restored on %s from the backup of %s. Holds, requests, members and approvals of the time between have to be entered again, "+
			"and nothing is destroyed until somebody has said that they were (sudo muniment disposal confirm-restore).", saying.Moment(l.At), saying.Moment(l.MadeAt))})
	}
	return all
}

func (r *weekly) clockMatters() (all []fact) {
	if r.ClockDoubted {
		all = append(all, fact{"Clock", "The computer’s clock has jumped. Nothing is destroyed until somebody has found that it is right, " +
			"and said so (muniment disposal confirm-clock)."})
	}
	var unaccounted int64
	for _, i := range r.intakes {
		unaccounted += i.Unaccounted()
	}
	if unaccounted != 0 {
		all = append(all, fact{"Fault of the program", fmt.Sprintf("It is not known what became of %s that WhatsApp sent. Please have this reported.",
			saying.Count(int(unaccounted), "event"))})
	}
	return all
}

func (r *weekly) mailMatters() (all []fact) {
	var refused, expired, waiting []string
	for _, it := range r.emails {
		since := it.NotBefore
		if since.IsZero() {
			since = it.QueuedAt
		}
		in := outcomes(it)
		fresh := func(to mail.Recipient) bool { return r.inPeriod(to.FinishedAt) }
		if slices.ContainsFunc(in[mail.Refused], fresh) {
			refused = append(refused, EmailName(it)+toSome(it, in[mail.Refused]))
		}
		if slices.ContainsFunc(in[mail.Expired], fresh) {
			expired = append(expired, EmailName(it)+toSome(it, in[mail.Expired]))
		}
		if open := slices.Concat(in[mail.Queued], in[mail.Sending], in[mail.Unknown]); len(open) > 0 && r.date.Sub(since) > patience {
			waiting = append(waiting, EmailName(it)+toSome(it, open))
		}
	}
	if r.unaddressed > 0 {
		all = append(all, fact{"No address of the chair", fmt.Sprintf("%s for the chair cannot be sent: the member register has no address of the chair at the "+
			"council’s own domains, or it is the clerk’s or a shared mailbox. Please have it entered (muniment member edit); what waits then goes by itself.", saying.Capital(saying.Count(r.unaddressed, "email")))})
	}
	if len(refused) > 0 {
		all = append(all, fact{"Emails refused", fmt.Sprintf("The mail server refused %s. Please have this seen to (muniment outbox).", some(refused))})
	}
	if len(expired) > 0 {
		all = append(all, fact{"Emails given up", fmt.Sprintf("Tried for days and never handed to the mail server: %s. Please have this seen to, and them sent again "+
			"(muniment outbox).", some(expired))})
	}
	if len(waiting) > 0 {
		all = append(all, fact{"Emails waiting", fmt.Sprintf("Not handed to the mail server for more than a day: %s. Please have this seen to (muniment outbox).", some(waiting))})
	}
	return all
}

// outcomes sorts the recipients of an email by what came of it for them.
func outcomes(it mail.Item) map[mail.State][]mail.Recipient {
	by := make(map[mail.State][]mail.Recipient)
	for _, to := range it.Recipients {
		by[to.State] = append(by[to.State], to)
	}
	return by
}

// toSome names the recipients, unless they are all that there are.
func toSome(it mail.Item, to []mail.Recipient) string {
	if len(to) == len(it.Recipients) {
		return ""
	}
	return " to " + addresses(to)
}

func addresses(to []mail.Recipient) string {
	var all []string
	for _, each := range to {
		all = append(all, saying.OneLine(each.Address))
	}
	return some(all)
}

// EmailName says which email it is.
func EmailName(it mail.Item) string {
	switch it.Kind {
	case forward.Letter:
		return fmt.Sprintf("the email about conversation %d", it.About)
	case forward.CorrectionLetter:
		return "the correction of a conversation"
	case forward.TakenBackLetter:
		return "the note that a mark was taken back"
	case disposal.NoticeLetter:
		return fmt.Sprintf("the notice of disposal list %d", it.About)
	case disposal.ReminderLetter:
		return "the reminder that a disposal list waits for approval"
	case disposal.EarlyLetter:
		return fmt.Sprintf("the email about early disposal %d", it.About)
	case disposal.CertificateLetter:
		return fmt.Sprintf("the certificate of destruction %d", it.About)
	case disposal.FinalLetter:
		return fmt.Sprintf("the final certificate of destruction %d", it.About)
	}
	day, err := retention.DateNumbered(it.About)
	switch {
	case err != nil:
	case it.Kind == forward.DigestLetter:
		return "the weekly email of " + day.Long()
	case it.Kind == forward.DailyLetter:
		return "the daily email about " + weekday(day)
	case it.Kind == forward.MeetingLetter:
		return "the email to councillors before the meeting on " + weekday(day)
	}
	return fmt.Sprintf("an email (%s %d)", it.Kind, it.About)
}

func (r *weekly) messageMatters() (all []fact) {
	for _, s := range shares(r.groups, r.lost, groupOf) {
		all = append(all, fact{"Files lost", fmt.Sprintf("What %s%s brought could not be fetched from WhatsApp. If it matters, "+
			"please ask whoever sent it to post it again.", recordNumbers(seqsOf(s.all)), r.in(s.group))})
	}
	for _, s := range shares(r.groups, r.records, groupOf) {
		if n := r.of(s.group).count(r.isAttempt); n > 0 {
			all = append(all, fact{"Attempted changes", fmt.Sprintf("%s made%s to change or delete what somebody else had written, without effect: "+
				"see “Changed or deleted after sending”. WhatsApp’s own app does not allow that. Please ask how it came about.", attempts(n), r.in(s.group))})
		}
	}
	for _, s := range shares(r.groups, r.records, groupOf) {
		if once := slices.DeleteFunc(slices.Clone(s.all), func(m archive.Record) bool { return !isOnce(m) }); len(once) > 0 {
			all = append(all, fact{"Viewed once", fmt.Sprintf("%s %s sent to be viewed once%s. WhatsApp does not make that available to linked devices, "+
				"so only that it was sent is on record. Please ask the group not to send council business in this way.",
				saying.Capital(recordNumbers(seqsOf(once))), were(len(once)), r.in(s.group))})
		}
	}
	for _, group := range r.groups {
		if f, is := r.timerMatter(group); is {
			all = append(all, f)
		}
	}
	return all
}

// timerMatter tells that messages disappear from members' phones, as long as they do.
func (r *weekly) timerMatter(group string) (fact, bool) {
	a := r.attentions[group]
	if a.Timer == 0 {
		return fact{}, false
	}
	on := fmt.Sprintf("They have been switched on%s since %s.", r.in(group), saying.Moment(a.TimerSince))
	for _, m := range r.records {
		if seconds, is := timer(m); is && seconds > 0 && m.Group == group {
			on = fmt.Sprintf("They were switched on%s%s on %s.", r.by(m), r.in(group), r.when(m.Sent))
			r.shows(m)
		}
	}
	return fact{"Disappearing messages", on + " The record keeps what it has received, the members’ phones do not. " +
		"Please have them switched off again, unless the council wants them."}, true
}

func attempts(n int) string {
	if n == 1 {
		return "An attempt was"
	}
	return saying.Number(int64(n)) + " attempts were"
}

// groupMatters tells who is in the group that should perhaps not be, and who is new.
func (r *weekly) groupMatters() (all []fact) {
	var strangers, gone []string
	for _, group := range r.groups {
		for _, p := range r.present[group] {
			switch m, ok := r.names.Member(p); {
			case !ok:
				strangers = append(strangers, r.name(p)+r.in(group))
			case m.Ended(r.date):
				gone = append(gone, saying.OneLine(m.Name)+r.in(group))
			}
		}
	}
	if len(strangers) > 0 {
		all = append(all, fact{"Not on the register", fmt.Sprintf("In the group: %s. Please find out who they are; then have them "+
			"put on the register (muniment member), or removed from the group.%s", some(strangers), r.strangerAdmins())})
	}
	if len(gone) > 0 {
		all = append(all, fact{"Left office", fmt.Sprintf("Still in the group: %s. Please have them removed from it, unless they are to stay.", saying.And(gone))})
	}
	if who := r.joined(); len(who) > 0 {
		all = append(all, fact{"New in the group", some(who) + ". Please make sure that they have had the privacy notice."})
	}
	return all
}

// strangerAdmins says how many of those who are not on the register are administrators of
// a group; nothing if none is.
func (r *weekly) strangerAdmins() string {
	n := 0
	for _, group := range r.groups {
		n += r.attentions[group].Admins
	}
	switch n {
	case 0:
		return ""
	case 1:
		return " One of them is an administrator of the group, and can delete what others write."
	}
	return fmt.Sprintf(" %s of them are administrators of the group, and can delete what others write.", saying.Number(int64(n)))
}

// joined returns who came to the group, each once.
func (r *weekly) joined() (who []string) {
	for _, m := range r.records {
		if m.Kind != record.Participants || m.Type != record.Joined && m.Type != record.Added {
			continue
		}
		r.shows(m)
		for _, name := range r.participantsOf(m) {
			if name += r.in(m.Group); !slices.Contains(who, name) {
				who = append(who, name)
			}
		}
	}
	return who
}

func (r *weekly) participantsOf(m archive.Record) (names []string) {
	for _, p := range m.Participants {
		names = append(names, saying.Called(r.names.OfJID(p.JID)))
	}
	return names
}

func (r *weekly) holdMatters() (all []fact) {
	for _, h := range r.holds {
		if r.overdue(h) {
			all = append(all, fact{fmt.Sprintf("Hold %d", h.ID), fmt.Sprintf("It was to be reviewed by %s. Is it still needed? If so, please have that "+
				"recorded (muniment hold review %d); if not, have it released (muniment hold release %[2]d).", h.Review.Long(), h.ID)})
		}
	}
	return all
}

// overdue reports whether the day by which a hold was to be reviewed is over.
func (r *weekly) overdue(h archive.Hold) bool {
	return h.Review != "" && h.Review < retention.DateOf(r.date)
}

func (r *weekly) disposalMatters() (all []fact) {
	var waiting []disposal.List
	records, entries := 0, 0
	today := retention.DateOf(r.date)
	for _, l := range r.lists {
		if l.Because != "" {
			if l.Approved.IsZero() {
				all = append(all, fact{fmt.Sprintf("Early disposal %d", l.ID), fmt.Sprintf("%s proposed it on %s. Nothing happens unless somebody else confirms it.",
					saying.OneLine(l.ProposedBy), saying.Day(l.DrawnUp))})
			}
		} else if r.Approval != disposal.Standing && l.Approved.IsZero() && l.Run == 0 {
			waiting = append(waiting, l.List)
			records, entries = records+l.Records, entries+l.Entries
		} else if doubt := r.Doubts[l.ID]; doubt != "" && l.DestroyOn < today {
			all = append(all, fact{fmt.Sprintf("Disposal list %d", l.ID),
				fmt.Sprintf("It was to be destroyed on %s, and is not yet: %s.", l.DestroyOn.Long(), saying.OneLine(doubt))})
		}
	}
	var f fact
	switch len(waiting) {
	case 0:
		return all
	case 1:
		f.Name, f.Value = fmt.Sprintf("Disposal list %d", waiting[0].ID), fmt.Sprintf("It holds %s and waits", saying.Listed(records, entries))
	default:
		f.Name, f.Value = fmt.Sprintf("%d disposal lists", len(waiting)), fmt.Sprintf("They hold %s and wait", saying.Listed(records, entries))
	}
	if r.Approval == disposal.Each {
		f.Value += " for your approval: see “Due to be destroyed”."
	} else {
		f.Value += ", because the council has not set who approves destruction. Please bring that before the council."
	}
	return append(all, f)
}

// meetingMatters tells for whom the edition before a meeting is to be printed.
func (r *weekly) meetingMatters() (all []fact) {
	for _, m := range r.Meetings {
		if len(m.Print) == 0 {
			continue
		}
		var who []string
		for _, name := range m.Print {
			who = append(who, saying.OneLine(name))
		}
		all = append(all, fact{"Meeting on " + m.On.Long(), fmt.Sprintf("Councillors are sent a digest before it, by email on %s. On the register there is no email address "+
			"of the council’s own for %s: please have it printed for them then (muniment digest --meeting %s --print), or the address entered.",
			m.Sent.Long(), some(who), m.On)})
	}
	return all
}

// reviewNotice is how long before its day the policy's review is brought up.
const reviewNotice = 30

func (r *weekly) policyMatters() []fact {
	today := retention.DateOf(r.date)
	switch {
	case r.Review == "" || today.AddDays(reviewNotice) < r.Review:
		return nil
	case today > r.Review:
		return []fact{{"Policy", fmt.Sprintf("It was to be reviewed by %s. Please put it on an agenda, and have the new date entered.", r.Review.Long())}}
	}
	return []fact{{"Policy", fmt.Sprintf("It is to be reviewed by %s. Please put it on an agenda.", r.Review.Long())}}
}

// count returns how many of the records are so.
func (r *weekly) count(is func(archive.Record) bool) (n int) {
	for _, m := range r.records {
		if is(m) {
			n++
		}
	}
	return n
}

// glance returns the totals. None is of a single member (N6).
func (r *weekly) glance() []fact {
	start := r.Period.Start()
	isMessage := func(m archive.Record) bool { return m.Kind == record.Message }
	messages := numberOrNone(r.count(isMessage))
	if n := r.count(func(m archive.Record) bool { return isMessage(m) && m.Sent.Before(start) }); n > 0 {
		messages += fmt.Sprintf(", of which %s %s sent %s and came late", saying.Number(int64(n)), were(n), r.before())
	}
	fs := []fact{{"Messages", messages}}
	if n := r.count(isAsked); n > 0 {
		fs = append(fs, fact{"Polls and events", saying.Number(int64(n))})
	}
	if n := r.count(isUnread); n > 0 {
		fs = append(fs, fact{"Cannot be read yet", saying.Number(int64(n)) + ", kept in full"})
	}
	return append(fs,
		fact{"Photos and files", numberOrNone(r.count(isShared))},
		fact{"Marked", numberOf(len(r.conversations), "conversation")},
		fact{"Changed or deleted", r.changesInAll()},
		fact{"Joined or left", r.movesInAll()},
	)
}

func numberOrNone(n int) string {
	if n == 0 {
		return "none"
	}
	return saying.Number(int64(n))
}

func numberOf(n int, noun string) string {
	if n == 0 {
		return "none"
	}
	return saying.Count(n, noun)
}

// isAsked reports whether m asks people to vote, or to come.
func isAsked(m archive.Record) bool {
	return m.Kind == record.Message && (m.Type == record.Poll || m.Type == record.Event)
}

// isUnread reports whether somebody sent m, and this version cannot read it.
func isUnread(m archive.Record) bool {
	return m.Kind == record.Unsupported && !saying.IsGroupChange(m)
}

func (r *weekly) changesInAll() string {
	edits := r.count(func(m archive.Record) bool { return m.Kind == record.Edit && m.Entitled })
	deletions := r.count(func(m archive.Record) bool { return m.Kind == record.Deletion && m.Entitled })
	attempts := r.count(func(m archive.Record) bool { return isChange(m) && !m.Entitled })
	return sums(sum{edits, "changed"}, sum{deletions, "deleted"}, sum{attempts, "attempted"})
}

func (r *weekly) movesInAll() string {
	var came, went int
	for _, m := range r.records {
		if m.Kind != record.Participants {
			continue
		}
		switch m.Type {
		case record.Joined, record.Added:
			came += len(m.Participants)
		case record.Left, record.Removed:
			went += len(m.Participants)
		}
	}
	return sums(sum{came, "joined"}, sum{went, "left"})
}

func (r *weekly) missingInAll() string {
	if r.nothingMissing() {
		return "none known"
	}
	return "see “Gaps in the record”"
}

// sum is how many there are of something.
type sum struct {
	n    int
	what string
}

// sums says those that are not nought: 2 joined, 1 left.
func sums(all ...sum) string {
	var parts []string
	for _, s := range all {
		if s.n > 0 {
			parts = append(parts, saying.Number(int64(s.n))+" "+s.what)
		}
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}
