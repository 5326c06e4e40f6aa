package letter

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"muniment/internal/archive"
	"muniment/internal/disposal"
	"muniment/internal/flag"
	"muniment/internal/forward"
	"muniment/internal/mail"
	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/saying"
	"muniment/internal/sqlite"
	"muniment/internal/vault"
)

// Content says how much of what was said a digest repeats.
type Content string

// The contents of digests (C5).
const (
	References Content = "references" // nothing: the numbers of the records, who and when
	Extracts   Content = "extracts"   // the first 200 characters of each message
	Full       Content = "full"
)

const extract = 200

// Digest is the days that a digest is about, and what it has to say that records and
// registers do not tell.
type Digest struct {
	forward.Edition
	Began   time.Time // when the archive was made
	Content Content

	// What was sent before these days is in it all the same if it came between these,
	// too late for the digest before; zero: nothing did.
	LateFrom, LateBefore time.Time

	Approval disposal.Approval // of destruction
	Minute   string            // of a standing approval
	Doubts   map[int64]string  // why an open disposal list whose day has come is not destroyed, by its number

	Review         retention.Date // the last day for the policy's review; empty: none is given
	NeverLinked    bool           // to WhatsApp, up to now
	Meetings       []Meeting      // that are near; the next first
	ClockDoubted   bool
	Restored       *archive.Restoration // that nobody has confirmed yet; nil: none
	PhoneSeen      time.Time            // when the council's own phone was last in use, as far as is known; zero: never
	PhoneMissed    time.Time            // since when it has not been, if for long; zero: it has
	FilesWait      time.Time            // since when the disk is too full for files; zero: it is not
	AbandonedAfter time.Duration        // when a message that was never captured is given up
	Account        archive.Tally
	Backups        Backups
	Program        string
	Checkpoint     string // signed; empty: none is shown,
	Key            string // nor the public key that checks it
}

// Backups is how it stands with the backups.
type Backups struct {
	Made      bool      // the council has backups made
	Last      time.Time // when the newest was made that was verified; zero: there is none
	Kept      int
	Directory string
	Elsewhere bool // they are to be copied to another place
	Copied    time.Time

	Rehearsed    time.Time // when it was last proved that one can be restored; zero: never
	RehearsalDue bool      // that was too long ago, or never, and there have been backups for as long
}

// Meeting is a meeting of the council before which councillors are sent a digest.
type Meeting struct {
	On      retention.Date
	Sent    retention.Date // on which it is, or was
	Emailed int            // councillors who are sent it
	Print   []string       // councillors for whom it is to be printed
}

// edition returns what a digest is called.
func edition(e forward.Edition) string {
	switch e.Kind {
	case forward.DailyLetter:
		return "WhatsApp record: " + weekday(e.Period.Last)
	case forward.MeetingLetter:
		return "WhatsApp record before the meeting on " + weekday(e.Meeting)
	}
	return "WhatsApp record: week ending " + weekday(e.Period.Last)
}

// weekday returns a date with the day of its week: Sunday 22 November 2026.
func weekday(d retention.Date) string { return d.Weekday().String() + " " + d.Long() }

// Digest writes the letter of an edition. State, such as what is on hold, is
// that of the letter's date.
func (w *Writer) Digest(tx *sqlite.Tx, h Header, g Digest) ([]byte, error) {
	d, err := w.digest(tx, h, g)
	if err != nil {
		return nil, err
	}
	msg, err := w.write(h, d)
	if err != nil {
		return nil, fmt.Errorf("%s %d: %w", g.Kind, g.About(), err)
	}
	return msg, nil
}

// DigestText returns the plain text of the letter that [Writer.Digest] would write at
// that time.
func (w *Writer) DigestText(tx *sqlite.Tx, at time.Time, g Digest) (string, error) {
	d, err := w.onPaper(tx, at, g)
	if err != nil {
		return "", err
	}
	return d.text(), nil
}

// DigestPage returns what [Writer.DigestText] does as a page of HTML that is made to be
// printed, if wanted in large letters.
func (w *Writer) DigestPage(tx *sqlite.Tx, at time.Time, g Digest, large bool) (string, error) {
	d, err := w.onPaper(tx, at, g)
	if err != nil {
		return "", err
	}
	d.Report, d.Large = true, large
	return d.html()
}

func (w *Writer) onPaper(tx *sqlite.Tx, at time.Time, g Digest) (document, error) {
	d, err := w.digest(tx, Header{Date: at}, g)
	d.Council = saying.OneLine(w.Council)
	if w.Demonstration {
		d.Demonstration = demonstration
	}
	return d, err
}

// digest says it all, under the headings of REQUIREMENTS.md 4.3. A heading that has
// nothing to tell says so: that is evidence too.
func (w *Writer) digest(tx *sqlite.Tx, h Header, g Digest) (document, error) {
	r := &weekly{Digest: g, w: w, date: h.Date}
	if err := r.read(tx); err != nil {
		return document{}, fmt.Errorf("%s %d: %w", g.Kind, g.About(), err)
	}
	title := edition(g.Edition)
	d := document{Subject: title, Title: title}
	d.add(r.opening()...)
	if g.Kind != forward.MeetingLetter {
		d.add(r.health(len(r.attention()))...)
	}
	for _, s := range r.sections() {
		if g.Kind == forward.MeetingLetter && !s.forAll {
			continue
		}
		if len(s.blocks) == 0 {
			s.blocks = []block{paragraph("%s", s.none)}
		}
		d.section(s.heading, s.blocks...)
	}
	d.DisposeAfter = r.dispose
	if d.DisposeAfter == "" { // it names people all the same
		d.DisposeAfter = w.Schedule.Due(g.Period.Last.Start())
	}
	d.informal()
	return d, nil
}

// section is a part of a digest.
type section struct {
	forAll  bool // every councillor may see it, in the group or not; else it is the clerk's
	heading string
	blocks  []block
	none    string // what it says if there are no blocks
}

func (r *weekly) sections() []section {
	return []section{
		{true, "At a glance", r.glances(), ""},
		{false, "Needs your attention", matters(r.attention()), "None."},
		{true, "Conversations members marked as important", r.marked(), "None."},
		{false, "May need to go to a meeting", r.forAMeeting(), "None."},
		{false, "Please check: may contain personal or confidential details", r.toCheck(), "None."},
		{true, "Photos and documents shared", r.shared(), "None."},
		{true, "Changed or deleted after sending", r.changed(), "None."},
		{true, "Who joined or left", list(atMost(r.moved())), "None."},
		{true, "Councillors not in the group, and what they receive instead", r.absent(), r.allPresent()},
		{false, "Information requests and their deadlines", nil, noRequests},
		{false, "Reports, disputes and data breaches", r.reports(), noReports},
		{false, "On hold: must not be destroyed", list(atMost(r.held())), "None."},
		{false, "Due to be destroyed", r.due(), "None."},
		{true, "Gaps in the record", r.missing(), ""},
		{true, "Policy and housekeeping", r.housekeeping(), ""},
	}
}

// What stands under headings of which this program knows little: none would say too much.
const (
	noRequests = "None is known here: this program does not keep the council’s requests. Please look in the council’s own list, and place a hold for each " +
		"that is open (muniment hold)."
	noReports = "No concern was reported to the clerk by a mark in the group. Disputes and data breaches are not kept in this program: please look in the council’s own lists."
)

// list returns a list of items; nothing if there are none.
func list(items []string) []block {
	if len(items) == 0 {
		return nil
	}
	return []block{{List: items}}
}

// weekly is a digest with what the archive says of its days.
type weekly struct {
	Digest
	w      *Writer
	date   time.Time
	names  *people.Names
	groups []string // JIDs, in the order of their names

	records       []archive.Record // of these days, in order of time
	conversations []markedConversation
	reported      []markedConversation          // of which a concern was reported to the clerk
	originals     map[record.Seq]archive.Record // the messages that these concern
	histories     map[record.Seq]history        // of these, and of messages in these days
	flags         flag.Flags
	files         map[record.Seq]vault.Media
	lost          []archive.Record // whose files were given up then
	fileCount     vault.Count
	statement     archive.Statement // of these days
	gaps          []archive.Gap     // those of these days, and what is open still; the oldest first
	holds         []archive.Hold
	heldNames     map[int64]string // whom a hold is about, by its number
	lists         []openList
	emails        []mail.Item
	misses        forward.Misses               // of these days
	unaddressed   int                          // emails for the chair that wait for an address
	intakes       []archive.Intake             // of these days, the latest first
	imports       []archive.Brought            // then
	rosters       map[string]archive.Roster    // of each group, at their end
	present       map[string][]people.ID       // in each group now
	attentions    map[string]archive.Attention // likewise
	members       []people.Member              // one entry each

	dispose retention.Date // the latest that a record shown falls due
}

// markedConversation is a conversation that was marked.
type markedConversation struct {
	forward.Conversation
	state forward.State
	marks []archive.Record // on these days
	email mail.Item
}

func (c markedConversation) group() string { return c.marks[0].Group }

// openList is a disposal list that is not closed.
type openList struct {
	disposal.List
	records []archive.Record
	onHold  int // of these
}

func (r *weekly) read(tx *sqlite.Tx) (err error) {
	if r.names, err = people.LoadNames(tx); err != nil {
		return err
	}
	r.groups = slices.SortedFunc(maps.Keys(r.w.Groups), func(a, b string) int {
		return cmp.Or(cmp.Compare(r.w.group(a), r.w.group(b)), cmp.Compare(a, b))
	})
	for _, part := range []func(*sqlite.Tx) error{
		r.readRecords, r.readConversations, r.readOriginals, r.readFlags, r.readFiles, r.readGaps, r.readHolds, r.readLists, r.readEmails, r.readImports, r.readPeople,
	} {
		if err := part(tx); err != nil {
			return err
		}
	}
	return nil
}

// late is how long after it was sent something is looked for that came too late.
// WhatsApp keeps for a device what it could not hand over for about a month.
const late = 35 * 24 * time.Hour

// readRecords reads what was sent on these days and is known at the letter's date; and
// what came too late for the digest before.
func (r *weekly) readRecords(tx *sqlite.Tx) error {
	start := r.Period.Start()
	return archive.Between(tx, start.Add(-late), r.Period.End(), func(m archive.Record) error {
		cameLate := !m.Captured.Before(r.LateFrom) && m.Captured.Before(r.LateBefore)
		if r.known(m.Captured) && (!m.Sent.Before(start) || cameLate) {
			r.records = append(r.records, m)
		}
		return nil
	})
}

// known reports whether what happened at that time can be in the letter.
func (r *weekly) known(t time.Time) bool { return !t.After(r.date) }

// inPeriod reports whether something was found out then, or since.
func (r *weekly) inPeriod(t time.Time) bool { return !t.Before(r.Period.Start()) && r.known(t) }

// end returns the last moment of these days, or of so much of it as is over.
func (r *weekly) end() time.Time {
	if end := r.Period.End().Add(-time.Millisecond); end.Before(r.date) {
		return end
	}
	return r.date
}

func (r *weekly) readConversations(tx *sqlite.Tx) error {
	var reactions []record.Seq
	by := make(map[record.Seq]archive.Record)
	for _, m := range r.records {
		if m.Kind == record.Reaction && m.Type == record.ReactionAdded {
			reactions = append(reactions, m.Seq)
			by[m.Seq] = m
		}
	}
	marks, err := forward.MarkedBy(tx, reactions)
	if err != nil {
		return err
	}
	if r.conversations, err = r.readMarked(tx, marks, by); err != nil {
		return err
	}
	if marks, err = forward.ReportedBy(tx, reactions); err != nil {
		return err
	}
	if r.reported, err = r.readMarked(tx, marks, by); err != nil {
		return err
	}
	if r.unaddressed, _, err = forward.Waiting(tx, forward.ForAnAddress); err != nil {
		return err
	}
	r.misses, err = forward.Missed(tx, r.Period.Start(), r.end().Add(time.Millisecond))
	return err
}

// readMarked reads conversations with the marks that each has on these days.
func (r *weekly) readMarked(tx *sqlite.Tx, marks map[int64][]record.Seq, by map[record.Seq]archive.Record) (all []markedConversation, err error) {
	for _, id := range slices.Sorted(maps.Keys(marks)) {
		c := markedConversation{}
		for _, seq := range marks[id] {
			c.marks = append(c.marks, by[seq])
		}
		slices.SortFunc(c.marks, inTime)
		if c.Conversation, err = forward.Load(tx, id); err != nil {
			return nil, err
		}
		if c.state, err = forward.StateOf(tx, id); err != nil {
			return nil, err
		}
		c.email, err = mail.Find(tx, forward.Letter, id)
		c.email = r.asKnown(c.email)
		if err != nil && !(c.Waits != "" && errors.Is(err, mail.ErrNotQueued)) {
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

// readOriginals reads the messages that were marked, edited or deleted, and what was
// done to all messages.
func (r *weekly) readOriginals(tx *sqlite.Tx) error {
	var seqs, messages []record.Seq
	for _, c := range r.conversations {
		seqs = append(seqs, c.Marked)
	}
	for _, m := range r.records {
		switch m.Kind {
		case record.Edit, record.Deletion:
			seqs = append(seqs, m.ReplyTo)
		case record.Message:
			messages = append(messages, m.Seq)
		}
	}
	originals, err := archive.Some(tx, seqs)
	if err != nil {
		return err
	}
	r.originals = make(map[record.Seq]archive.Record)
	for _, m := range originals {
		r.originals[m.Seq] = m
	}
	r.histories, err = historiesOf(tx, append(messages, seqs...), r.date)
	return err
}

func (r *weekly) readFiles(tx *sqlite.Tx) (err error) {
	var seqs []record.Seq
	for _, m := range slices.AppendSeq(slices.Clone(r.records), maps.Values(r.originals)) {
		if m.HasFile {
			seqs = append(seqs, m.Seq)
		}
	}
	if r.files, err = vault.Of(tx, seqs); err != nil {
		return err
	}
	if r.fileCount, err = vault.Counts(tx); err != nil {
		return err
	}
	// A file is given up a month after it was sent: not only what was sent now may be.
	var lost []record.Seq
	if err := vault.Each(tx, func(f vault.Media) error {
		if f.State == vault.Lost && r.inPeriod(f.Finished) {
			lost = append(lost, f.Seq)
		}
		return nil
	}); err != nil {
		return err
	}
	r.lost, err = archive.Some(tx, lost)
	return err
}

// readGaps reads the gaps of these days, and those that are open.
func (r *weekly) readGaps(tx *sqlite.Tx) error {
	var err error
	if r.statement, err = archive.StatementOn(tx, r.groups, r.Period.First, r.Period.Last, r.date, r.date); err != nil {
		return err
	}
	gaps, err := archive.Gaps(tx)
	if err != nil {
		return err
	}
	for _, g := range gaps {
		if !r.known(g.Closed) {
			g.Closed, g.Ending = time.Time{}, ""
		}
		from, to := g.Opened, g.Closed
		switch {
		case g.Kind == archive.Abandoned: // it is noted when what arrived then is given up
			from = g.Opened.Add(r.AbandonedAfter)
			to = from
		case g.Kind == archive.NotDelivered:
			to = from
		case to.IsZero(): // so it is now
			from, to = r.Period.Start(), r.date
		}
		if r.known(g.Opened) && from.Before(r.Period.End()) && !to.Before(r.Period.Start()) {
			r.gaps = append(r.gaps, g)
		}
	}
	slices.SortStableFunc(r.gaps, func(a, b archive.Gap) int { return a.Opened.Compare(b.Opened) })
	return nil
}

func (r *weekly) readHolds(tx *sqlite.Tx) error {
	holds, err := archive.Holds(tx)
	if err != nil {
		return err
	}
	r.heldNames = make(map[int64]string)
	for _, h := range holds {
		if released := !h.Released.IsZero() && r.known(h.Released); released || !r.known(h.Placed) {
			continue
		}
		r.holds = append(r.holds, h)
		if h.Cover.Scope == archive.ByMember {
			r.heldNames[h.ID] = r.name(h.Person)
		}
	}
	return nil
}

func (r *weekly) readLists(tx *sqlite.Tx) error {
	lists, err := disposal.Lists(tx)
	if err != nil {
		return err
	}
	for _, l := range slices.Backward(lists) { // the oldest first
		if !l.Closed.IsZero() || !r.known(l.DrawnUp) {
			continue
		}
		seqs, err := disposal.Items(tx, l.ID)
		if err != nil {
			return err
		}
		records, err := archive.Some(tx, seqs)
		if err != nil {
			return err
		}
		open := openList{List: l, records: records}
		for _, m := range records {
			if m.OnHold {
				open.onHold++
			}
		}
		r.lists = append(r.lists, open)
	}
	return nil
}

func (r *weekly) readEmails(tx *sqlite.Tx) (err error) {
	items, err := mail.List(tx, mail.Queued, mail.Sending, mail.Unknown, mail.HandedOver, mail.Refused, mail.Expired)
	if err != nil {
		return err
	}
	for _, it := range items {
		if itself := it.Kind == r.Kind && it.About == r.About(); !itself && r.known(it.QueuedAt) {
			r.emails = append(r.emails, r.asKnown(it))
		}
	}
	intakes, err := archive.Intakes(tx)
	for _, i := range intakes {
		last := i.Seen
		if i.Started.After(last) { // while the clock was ahead
			last = i.Started
		}
		if !last.Before(r.Period.Start()) && i.Started.Before(r.Period.End()) {
			r.intakes = append(r.intakes, i)
		}
	}
	return err
}

// asKnown returns an email as it was at the letter's date.
func (r *weekly) asKnown(it mail.Item) mail.Item {
	it.Recipients = slices.Clone(it.Recipients)
	for i, to := range it.Recipients {
		if !r.known(to.FinishedAt) {
			it.Recipients[i].State, it.Recipients[i].FinishedAt = mail.Queued, time.Time{}
		}
	}
	return it
}

// readImports reads what was imported on these days, or in so much of it as is over.
func (r *weekly) readImports(tx *sqlite.Tx) (err error) {
	r.imports, err = archive.ImportedBetween(tx, r.Period.Start(), r.end().Add(time.Millisecond))
	return err
}

func (r *weekly) readPeople(tx *sqlite.Tx) error {
	r.rosters, r.present = make(map[string]archive.Roster), make(map[string][]people.ID)
	r.attentions = make(map[string]archive.Attention)
	for _, group := range r.groups {
		var err error
		if r.attentions[group], err = archive.AttentionTo(tx, group, r.date); err != nil {
			return err
		}
		now, err := people.Participants(tx, group)
		if err != nil {
			return err
		}
		r.present[group] = slices.Sorted(maps.Keys(now))
		roster, err := archive.RosterAt(tx, group, r.end())
		if err != nil {
			return err
		}
		if !roster.Known { // the lists that told it may be destroyed by now
			for _, p := range r.present[group] {
				roster.In = append(roster.In, archive.Enrolled{Person: p})
			}
			roster.Known = len(roster.In) > 0
		}
		r.rosters[group] = roster
	}
	entries, err := people.Members(tx)
	if err != nil {
		return err
	}
	for _, m := range entries {
		if counts, _ := r.names.Member(m.Person); counts.ID == m.ID {
			r.members = append(r.members, m)
		}
	}
	return nil
}

// name returns what somebody is called.
func (r *weekly) name(p people.ID) string { return saying.Called(r.names.Of(p)) }

// by says who did something, if WhatsApp has: else the group stands as the sender.
func (r *weekly) by(m archive.Record) string {
	if m.Person == r.names.Behind(record.Address{JID: m.Group}) {
		return ""
	}
	return " by " + r.name(m.Person)
}

// when says when something was, briefly.
func (r *weekly) when(t time.Time) string {
	layout := "Mon 2 Jan, "
	if t.Before(r.Period.Start().AddDate(0, -6, 0)) {
		layout = "Mon 2 Jan 2006, "
	}
	return t.In(retention.London).Format(layout) + saying.Clock(t)
}

// tell tells what a record says. The messages that edits and deletions change the
// digest knows.
func (r *weekly) tell(m archive.Record) saying.Saying {
	return r.teller().Of(m, r.originals[m.Amends])
}

func (r *weekly) teller() saying.Teller {
	return saying.Teller{Names: r.names, Groups: r.w.names(), Most: mostNames}
}

// quiet reports whether none of the words of a message are repeated. Councillors are not sent
// again what was taken back.
func (r *weekly) quiet(m archive.Record) bool {
	_, deleted := r.histories[m.Seq].deletion()
	return r.Content == References || r.sensitive(m) || deleted && r.Kind == forward.MeetingLetter
}

// words returns as much of what m, or one version of it, says as the digest may repeat.
func (r *weekly) words(m archive.Record) []string {
	if m.Kind == record.Edit { // what it says, and not what it does
		m = edited(archive.Record{}, m)
	}
	said := r.tell(m)
	switch text := saying.OneLine(said.Text()); {
	case r.Content == References || text == "":
		return nil
	case r.Content == Full:
		return linesOf(said, m.Seq)
	default:
		return []string{saying.Excerpt(text, extract)}
	}
}

// quote returns a text of m within a sentence; empty if the digest may not repeat it.
func (r *weekly) quote(m archive.Record, text string) string {
	switch {
	case r.Content == References || r.sensitive(m):
		return ""
	case r.Content == Full:
		return "“" + saying.Excerpt(text, mostCharacters) + "”"
	}
	return "“" + saying.Excerpt(text, extract) + "”"
}

// in names the group, where there are several.
func (r *weekly) in(group string) string { return r.w.in(group) }

// share is what there is of one group.
type share[T any] struct {
	group string
	all   []T
}

// shares sorts things by the groups that they are of: first as the groups are ordered,
// last those of groups that are not listed any more.
func shares[T any](order []string, things []T, group func(T) string) (all []share[T]) {
	by := make(map[string][]T)
	for _, t := range things {
		by[group(t)] = append(by[group(t)], t)
	}
	for _, g := range append(slices.Clone(order), slices.Sorted(maps.Keys(by))...) {
		if len(by[g]) > 0 {
			all = append(all, share[T]{g, by[g]})
			delete(by, g)
		}
	}
	return all
}

func groupOf(m archive.Record) string { return m.Group }

func seqsOf(records []archive.Record) (seqs []record.Seq) {
	for _, m := range records {
		seqs = append(seqs, m.Seq)
	}
	return seqs
}

// of returns what there is of one group.
func (r *weekly) of(group string) *weekly {
	one := *r
	one.records, one.conversations = nil, nil
	for _, m := range r.records {
		if m.Group == group {
			one.records = append(one.records, m)
		}
	}
	for _, c := range r.conversations {
		if c.group() == group {
			one.conversations = append(one.conversations, c)
		}
	}
	return &one
}

// shows notes that the digest shows a record.
func (r *weekly) shows(m archive.Record) { r.dispose = max(r.dispose, m.Due) }

// message shows a record, as it is now.
func (r *weekly) message(m archive.Record) *message {
	v := r.head(m)
	if m.Destroyed != "" {
		return v
	}
	h := r.histories[m.Seq]
	if !r.quiet(m) {
		v.Lines = r.words(h.now(m))
	}
	if d, is := h.deletion(); is {
		v.Notes = append(v.Notes, r.deletion(d, m))
	}
	return v
}

// head shows of a record who sent it, and when, what it is and what it brought.
func (r *weekly) head(m archive.Record) *message {
	v := &message{Record: fmt.Sprintf("record %d%s", m.Seq, r.in(m.Group))}
	if m.Destroyed != "" {
		v.Time, v.Name = "—", "A message since destroyed"
		v.Record = fmt.Sprintf("record %d", m.Seq)
		return v
	}
	r.shows(m)
	v.Time, v.Name = r.when(m.Sent), r.name(m.Person)
	if isChange(m) { // of what is not here
		return v
	}
	said := r.tell(r.histories[m.Seq].now(m))
	switch {
	case m.HasFile:
		v.Notes = []string{r.file(m, said)}
	case saying.IsFile(m.Type):
		v.Notes = []string{"[" + said.Title() + ": not kept]"}
	default:
		v.What = saying.OneLine(said.Title())
	}
	v.Notes = append(v.Notes, said.Notes...)
	if r.sensitive(m) && r.Content != References && r.Kind != forward.MeetingLetter { // flags are for the clerk
		v.Notes = append(v.Notes, notRepeated)
	}
	return v
}

// file says what became of a message's file.
func (r *weekly) file(m archive.Record, said saying.Saying) string {
	what := saying.OneLine(said.Title())
	f, ok := r.files[m.Seq]
	if name := saying.OneLine(m.FileName); name != "" && !r.quiet(m) {
		what += " called “" + saying.Excerpt(name, 80) + "”"
	}
	switch {
	case ok && f.State == vault.Kept:
		return fmt.Sprintf("[%s, %s: kept]", what, size(f.Size))
	case ok && f.State == vault.Lost && r.known(f.Finished):
		return fmt.Sprintf("[%s: lost, because %s]", what, f.Reason)
	case ok:
		return fmt.Sprintf("[%s: still being fetched from WhatsApp]", what)
	}
	return fmt.Sprintf("[%s: not kept]", what)
}
