package letter

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"muniment/internal/archive"
	"muniment/internal/forward"
	"muniment/internal/mail"
	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/saying"
	"muniment/internal/vault"
)

// marked tells of the conversations that were marked, and where they went.
func (r *weekly) marked() []block {
	var all collected
	for _, c := range r.conversations {
		if all.full() {
			continue
		}
		heading := fmt.Sprintf("Conversation %d%s", c.ID, r.in(c.group()))
		if len(c.Seqs) > 0 {
			heading += ": " + saying.Count(len(c.Seqs), "message")
		}
		all.blocks = append(all.blocks, block{Day: heading})
		if c.Marked != 0 {
			all.add(r.message(r.originals[c.Marked]))
		}
		var who []string
		for _, m := range c.marks {
			who = append(who, fmt.Sprintf("by %s on %s", r.name(m.Person), r.when(m.Sent)))
			r.shows(m)
		}
		all.blocks = append(all.blocks, paragraph("Marked %s. %s", some(who), r.went(c)))
	}
	return append(all.all(), r.missed()...)
}

// missed tells of reactions that did not count as marks, though some of them may have been
// meant as such. How many there were says enough: who it was is in the journal.
func (r *weekly) missed() []block {
	n := r.misses.NotAllowed + r.misses.LookAlikes
	if n == 0 || r.Kind == forward.MeetingLetter {
		return nil
	}
	var which []string
	if n := r.misses.NotAllowed; n > 0 {
		which = append(which, saying.Number(int64(n))+" by people who may not use that mark")
	}
	if n := r.misses.LookAlikes; n > 0 {
		which = append(which, saying.Number(int64(n))+" with an emoji that only looks like one")
	}
	return []block{paragraph("%s did not count as marks: %s. Nobody in the group is told. If one was meant, the system administrator can forward "+
		"the conversation on your word (muniment forward).", saying.Capital(saying.Count(n, "reaction")), saying.And(which))}
}

// went says what became of a marked conversation.
func (r *weekly) went(c markedConversation) string {
	it := c.email
	switch c.state {
	case forward.Settling:
		if c.Waits == forward.ForAnotherDay {
			return "It waits for another day: only so many conversations are emailed in one."
		}
		return "It will be emailed in a moment."
	case forward.NothingNew:
		return fmt.Sprintf("Nothing was emailed, since all of it is in the email about conversation %d.", c.Continues)
	case forward.NotKept:
		return "Nothing was emailed, since the marked message is not in the record."
	}
	in := outcomes(it)
	var all []string
	if to := in[mail.HandedOver]; len(to) > 0 {
		all = append(all, fmt.Sprintf("Handed to the mail server on %s for %s.", r.when(finished(to)), addresses(to)))
	}
	if to := in[mail.Refused]; len(to) > 0 {
		all = append(all, fmt.Sprintf("The mail server refused it%s on %s.", forSome(it, to), r.when(finished(to))))
	}
	if to := in[mail.Expired]; len(to) > 0 {
		all = append(all, fmt.Sprintf("It was given up%s on %s, after days.", forSome(it, to), r.when(finished(to))))
	}
	switch waiting := slices.Concat(in[mail.Queued], in[mail.Sending]); {
	case len(waiting) > 0:
		all = append(all, fmt.Sprintf("It has not been handed to the mail server%s yet.", forSome(it, waiting)))
	case len(in[mail.Unknown]) > 0:
		all = append(all, fmt.Sprintf("Whether the mail server took it%s is not known: it is sent again.", forSome(it, in[mail.Unknown])))
	case len(all) == 0:
		all = append(all, "Nothing was emailed: none of its messages is kept any more, or it was cancelled.")
	}
	return strings.Join(all, " ")
}

// finished returns when the last of the recipients was dealt with.
func finished(to []mail.Recipient) (at time.Time) {
	for _, each := range to {
		if each.FinishedAt.After(at) {
			at = each.FinishedAt
		}
	}
	return at
}

// forSome names the recipients, unless they are all that there are.
func forSome(it mail.Item, to []mail.Recipient) string {
	return strings.Replace(toSome(it, to), " to ", " for ", 1)
}

// reports tells of the concerns that members reported to the clerk by a mark: by numbers
// alone, whatever digests repeat.
func (r *weekly) reports() []block {
	var all []string
	for _, c := range r.reported {
		for _, m := range c.marks {
			r.shows(m)
			all = append(all, fmt.Sprintf("A concern was reported%s on %s, as conversation %d. %s", r.in(m.Group), r.when(m.Sent), c.ID, r.went(c)))
		}
	}
	return list(atMost(all))
}

// isShared reports whether m brings a photo, a video, a recording or a document, or was
// to. A sticker is none.
func isShared(m archive.Record) bool {
	sticker := m.Type == record.Sticker || m.Type == record.Stickers
	return m.Kind == record.Message && !sticker && (m.HasFile || saying.IsFile(m.Type) || isOnce(m))
}

// isOnce reports whether m was sent to be viewed once: it is not kept then.
func isOnce(m archive.Record) bool { return m.Kind == record.Message && m.Type == record.ViewOnce }

// shared shows each; photos that somebody sent one after the other, without a word,
// together.
func (r *weekly) shared() []block {
	var all collected
	var run []archive.Record
	end := func() {
		if len(run) > 0 && !all.full() {
			all.add(r.album(run))
		}
		run = nil
	}
	for _, m := range r.records {
		if !isShared(m) {
			continue
		}
		if len(run) > 0 && !r.continues(run[len(run)-1], m) {
			end()
		}
		run = append(run, m)
	}
	end()
	return all.all()
}

// continues reports whether b is one more of what a is.
func (r *weekly) continues(a, b archive.Record) bool {
	plain := func(m archive.Record) bool {
		return r.files[m.Seq].State == vault.Kept && m.FileName == "" && len(r.histories[m.Seq]) == 0 && saying.OneLine(m.Text) == ""
	}
	return plain(a) && plain(b) && a.Person == b.Person && a.Group == b.Group && a.Type == b.Type && b.Sent.Sub(a.Sent) <= record.DefaultRule.Pause
}

// album shows a run of messages with files as one.
func (r *weekly) album(run []archive.Record) *message {
	v := r.message(run[0])
	if len(run) == 1 {
		return v
	}
	var seqs []record.Seq
	for _, m := range run {
		seqs = append(seqs, m.Seq)
		r.shows(m)
	}
	slices.Sort(seqs)
	v.Record = recordNumbers(seqs) + r.in(run[0].Group)
	v.Notes = []string{"[" + saying.Capital(saying.Count(len(run), wordFor(run[0].Type))) + ": kept]"}
	return v
}

// isAttempt reports whether m would change what another sent, without a right to it.
func (r *weekly) isAttempt(m archive.Record) bool {
	of := r.originals[m.ReplyTo]
	return isChange(m) && of.Seq != 0 && of.Destroyed == "" && !m.Entitled
}

func isChange(m archive.Record) bool { return m.Kind == record.Edit || m.Kind == record.Deletion }

// changed shows each message that was edited or deleted, with all that
// it said and all that was tried.
func (r *weekly) changed() []block {
	var all collected
	met := make(map[record.Seq]bool)
	for _, c := range r.records {
		if !isChange(c) || met[c.ReplyTo] {
			continue
		}
		of := r.originals[c.ReplyTo]
		orphan := of.Seq == 0 || of.Destroyed != ""
		if !orphan {
			met[of.Seq] = true
		}
		switch {
		case all.full():
		case orphan:
			all.add(r.orphan(c, of))
		default:
			all.add(r.versions(of))
		}
	}
	return all.all()
}

// orphan shows an edit or a deletion of a message that is not here. Whose that was is
// not known then, so anybody may ask for it.
func (r *weekly) orphan(c, of archive.Record) *message {
	v := r.head(c)
	what := "a message that is not in the record"
	if of.Seq != 0 {
		what = fmt.Sprintf("a message since destroyed, record %d", of.Seq)
	}
	verb := "change"
	if c.Kind == record.Deletion {
		verb = "delete"
	} else if r.Kind != forward.MeetingLetter && !r.quiet(c) {
		v.Lines = r.words(c)
	}
	v.Notes = append(v.Notes, fmt.Sprintf("Asked to %s %s; whether they had the right to is not known.", verb, what))
	return v
}

// versions shows what a message says, what it said before, and what was tried. Where
// no words are repeated, and to councillors, it tells only that there were other versions.
func (r *weekly) versions(m archive.Record) *message {
	v := r.head(m)
	h := r.histories[m.Seq]
	for _, c := range h {
		r.shows(c)
	}
	all, left := told(h.versions(m))
	last := len(all) - 1
	quiet := r.quiet(m)
	brief := quiet || r.Kind == forward.MeetingLetter // what it said before is not shown
	if !quiet {
		v.Lines = r.wordsOrNone(all[last])
	}
	for i, said := range all {
		switch {
		case i == last && i > 0, i > 0 && brief:
			v.Notes = append(v.Notes, fmt.Sprintf("Changed by its sender on %s (record %d).", r.when(said.Sent), said.Seq))
		case i == last || brief:
		case i == 0:
			v.Earlier = append(v.Earlier, version{"As first sent:", r.wordsOrNone(said)})
			if left > 0 {
				v.Earlier = append(v.Earlier, leftOut(left))
			}
		default:
			when := fmt.Sprintf("As changed on %s (record %d):", r.when(said.Sent), said.Seq)
			v.Earlier = append(v.Earlier, version{when, r.wordsOrNone(said)})
		}
	}
	attempts := h.attempts()
	for _, c := range attempts[:min(len(attempts), mostVersions)] {
		verb := "change"
		if c.Kind == record.Deletion {
			verb = "delete"
		}
		tried := fmt.Sprintf("%s tried to %s it on %s, without effect (record %d).", r.name(c.Person), verb, r.when(c.Sent), c.Seq)
		if c.Kind == record.Edit && !brief {
			v.Earlier = append(v.Earlier, version{tried + " It was to say:", r.wordsOrNone(c)})
		} else {
			v.Notes = append(v.Notes, tried)
		}
	}
	if more := len(attempts) - mostVersions; more > 0 {
		v.Notes = append(v.Notes, fmt.Sprintf("There %s %s more of that kind. They are on record.", were(more), saying.Count(more, "attempt")))
	}
	if d, is := h.deletion(); is {
		v.Notes = append(v.Notes, r.deletion(d, m))
	}
	for _, e := range h.unread() {
		v.Notes = append(v.Notes, fmt.Sprintf("Changed by its sender on %s (record %d), to what cannot be read.", r.when(e.Sent), e.Seq))
	}
	if _, late := h.edits(); len(late) > 0 {
		v.Notes = append(v.Notes, tooLate(late, r.when))
	}
	return v
}

// wordsOrNone returns the words of a version; that it has none is told too.
func (r *weekly) wordsOrNone(m archive.Record) []string {
	said := r.words(m)
	if said == nil && !m.HasFile {
		said = []string{"(no words)"}
	}
	return said
}

// deletion says who deleted m.
func (r *weekly) deletion(d, m archive.Record) string {
	by := "its sender"
	if d.Person != m.Person {
		by = r.name(d.Person) + ", an administrator of the group,"
	}
	return fmt.Sprintf("Deleted by %s on %s (record %d). The record keeps it.", by, r.when(d.Sent), d.Seq)
}

// moved tells, in order of time, what became of the group and of who is in it.
func (r *weekly) moved() (all []string) {
	for _, m := range r.records {
		if what := r.move(m); what != "" {
			r.shows(m)
			if !strings.HasSuffix(what, "”") {
				what += "."
			}
			all = append(all, r.when(m.Sent)+r.in(m.Group)+": "+what)
		}
	}
	return all
}

func (r *weekly) move(m archive.Record) string {
	if m.Kind != record.Participants && !saying.IsGroupChange(m) {
		return ""
	}
	said := r.tell(m)
	what := said.Title()
	switch {
	case !said.Alone:
		what = r.name(m.Person) + " " + saying.Lower(what)
	case m.Kind != record.Participants: // else it begins with a name
		what = saying.Lower(what)
	}
	switch text := r.quote(m, said.Text()); {
	case m.Kind == record.Participants: // how the group is set up, is told when it changes
	case text != "" && len(said.Words) > 0:
		what += " " + text
	default:
		what = strings.TrimSuffix(what, " to") // to what, is not repeated
	}
	for _, n := range said.Notes {
		what += ". " + strings.TrimSuffix(n, ".")
	}
	return saying.OneLine(what)
}

// timer returns after how many seconds messages are to disappear, if m says so.
func timer(m archive.Record) (seconds int64, is bool) {
	if m.Kind != record.Group || m.Type != record.Timer {
		return 0, false
	}
	seconds, err := strconv.ParseInt(m.Text, 10, 64)
	return seconds, err == nil
}

// absent tells which councillors are not in the groups that they belong in.
func (r *weekly) absent() (bs []block) {
	var missing, lacking []string
	for _, group := range r.groups {
		if !r.w.Groups[group].EveryCouncillor {
			continue
		}
		roster := r.rosters[group]
		if !roster.Known {
			bs = append(bs, paragraph("It is not known who is%s.", cmp.Or(r.in(group), " in the group")))
			continue
		}
		for _, m := range r.councillors() {
			if slices.ContainsFunc(roster.In, func(e archive.Enrolled) bool { return e.Person == m.Person }) {
				continue
			}
			name := saying.OneLine(m.Name)
			if len(r.groups) > 1 {
				name += ", not" + r.in(group)
			}
			name += cmp.Or(r.departed(roster, m.Person), reason(m.Absence))
			name += "; instead: " + instead(m.Absence)
			if called := saying.OneLine(m.Name); instead(m.Absence) == missingAlternative && !slices.Contains(lacking, called) {
				lacking = append(lacking, called)
			}
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		bs = append(bs, block{List: missing})
	}
	if len(lacking) > 0 && r.Kind != forward.MeetingLetter {
		bs = append(bs, paragraph("The register does not say what is provided instead for %s. Please make sure that they get the same "+
			"information, and have that put on the register (muniment member edit).", some(lacking)))
	}
	return bs
}

// reason says why somebody is not in the group, as the register has it.
func reason(a people.Absence) string {
	if a.Reason == "" {
		return ""
	}
	return fmt.Sprintf(" (%s)", a.Reason)
}

// departed says when somebody went, if that is known.
func (r *weekly) departed(roster archive.Roster, p people.ID) string {
	i := slices.IndexFunc(roster.Gone, func(d archive.Departed) bool { return d.Person == p })
	if i < 0 {
		return ""
	}
	verb := map[record.Type]string{record.Left: "left", record.Removed: "removed"}[roster.Gone[i].How]
	if verb == "" {
		return ""
	}
	return fmt.Sprintf(" (%s on %s)", verb, retention.DateOf(roster.Gone[i].At).Long())
}

// allPresent says that no councillor is missing.
func (r *weekly) allPresent() string {
	in := "the group"
	var meant []string
	for _, group := range r.groups {
		if r.w.Groups[group].EveryCouncillor {
			meant = append(meant, r.w.group(group))
		}
	}
	if len(r.groups) > 1 {
		in = saying.And(meant)
	}
	switch n := len(r.councillors()); {
	case len(meant) == 0:
		return "None: no group is meant for every councillor."
	case n == 0:
		return "None: there is no councillor on the register."
	case n == 1:
		return "None: the one councillor on the register is in " + in + "."
	default:
		return fmt.Sprintf("None: all %d councillors on the register are in %s.", n, in)
	}
}

// councillors returns those who were in office at the end, whoever is in
// the chair among them.
func (r *weekly) councillors() (all []people.Member) {
	for _, m := range r.members {
		if then, ok := r.names.InOffice(m.Person, r.end()); ok && then.Councillor() {
			all = append(all, then)
		}
	}
	return all
}
