package letter

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"muniment/internal/archive"
	"muniment/internal/forward"
	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/saying"
	"muniment/internal/sqlite"
)

// ErrNothingLeft is returned for a conversation of which no message is kept any
// more: there is nothing left to send.
var ErrNothingLeft = errors.New("no message of the conversation is kept any more")

// Conversation writes the letter of a marked conversation.
//
// Its subject tells which conversation it is, but no word of what was said: mail
// servers keep subjects in their logs and phones show them on locked screens,
// and there they would outlast the destruction of the record. The body has the
// messages; X-Council-Dispose-After is the latest date at which any of them falls
// due.
func (w *Writer) Conversation(tx *sqlite.Tx, h Header, c forward.Conversation) ([]byte, error) {
	r, err := read(tx, h, c)
	if err != nil {
		return nil, fmt.Errorf("conversation %d: %w", c.ID, err)
	}
	if r.pictures, r.files, err = w.Files.illustrate(tx, r.messages, r.room); err != nil {
		return nil, fmt.Errorf("conversation %d: %w", c.ID, err)
	}
	d := w.document(r)
	if h.Reference != "" {
		d.Footer = append(d.Footer, "Integrity reference: "+h.Reference+". It fixes every record that there was when this email was written. "+
			"Whether any was altered or taken out since is shown by the command muniment verify --reference.")
	}
	msg, err := w.write(h, d)
	if err != nil {
		return nil, fmt.Errorf("conversation %d: %w", c.ID, err)
	}
	return msg, nil
}

// reading is a conversation with what the archive says of it.
type reading struct {
	forward.Conversation
	names     *people.Names
	date      time.Time
	room      room
	began     retention.Date // the whole conversation
	marked    archive.Record
	messages  []archive.Record // oldest first
	originals map[record.Seq]archive.Record
	followers map[record.Seq][]archive.Record // reactions, votes and the like, up to date, in order of time
	earlier   *forward.Conversation           // that this one continues
	gaps      []archive.Gap                   // the latest first
	histories map[record.Seq]history          // of the messages and of what they answer, up to date
	pictures  map[record.Seq][]picture
	files     map[record.Seq][]file
}

func read(tx *sqlite.Tx, h Header, c forward.Conversation) (r reading, err error) {
	r = reading{Conversation: c, date: h.Date, room: roomOf(h.Limit), originals: make(map[record.Seq]archive.Record)}
	if r.names, err = people.LoadNames(tx); err != nil {
		return r, err
	}
	if r.messages, err = archive.Some(tx, c.Seqs); err != nil {
		return r, err
	}
	if !slices.ContainsFunc(r.messages, func(m archive.Record) bool { return m.Destroyed == "" }) {
		return r, ErrNothingLeft
	}
	slices.SortFunc(r.messages, func(a, b archive.Record) int {
		return cmp.Or(cmp.Compare(a.SentOn, b.SentOn), a.Sent.Compare(b.Sent), cmp.Compare(a.Seq, b.Seq))
	})
	if r.began, err = began(tx, c); err != nil {
		return r, err
	}
	others := []record.Seq{c.Marked}
	for _, m := range r.messages {
		others = append(others, m.ReplyTo)
	}
	originals, err := archive.Some(tx, others)
	if err != nil {
		return r, err
	}
	for _, o := range originals {
		r.originals[o.Seq] = o
	}
	r.marked = r.originals[c.Marked]
	if r.followers, err = followersOf(tx, c.Seqs, h.Date); err != nil {
		return r, err
	}
	if r.histories, err = historiesOf(tx, append(others, c.Seqs...), h.Date); err != nil {
		return r, err
	}
	if r.gaps, err = archive.Gaps(tx); err != nil {
		return r, err
	}
	if c.Continues != 0 {
		earlier, err := forward.Load(tx, c.Continues)
		if err != nil {
			return r, err
		}
		r.earlier = &earlier
	}
	return r, nil
}

// began returns the day of the first message of a conversation, in whichever part it is.
func began(tx *sqlite.Tx, c forward.Conversation) (first retention.Date, err error) {
	all, err := archive.Some(tx, slices.Concat(c.Parts...))
	for _, m := range all {
		if first == "" || m.SentOn < first {
			first = m.SentOn
		}
	}
	return first, err
}

// conversation says it all, in the order of reading: people without a name get
// their numbers in that order.
func (w *Writer) conversation(r reading) document {
	d := document{Title: "A WhatsApp conversation marked for council email"}
	d.Subject = fmt.Sprintf("WhatsApp conversation %d of %s%s%s%s", r.ID, r.began.Long(), w.in(r.group()), r.ofParts(", "), r.markers())
	d.add(w.opening(r)...)
	d.add(r.missing(saying.Teller{Names: r.names, Groups: w.names()})...)
	d.section("The messages", r.days()...)
	d.section("How these messages were chosen", r.choice()...)
	d.DisposeAfter = r.dispose()
	d.informal()
	return d
}

// dispose returns the latest date at which any of the messages falls due, or what
// belongs to one.
func (r reading) dispose() (on retention.Date) {
	for _, m := range r.messages {
		on = max(on, m.Due)
		for _, f := range r.followers[m.Seq] {
			on = max(on, f.Due)
		}
	}
	return on
}

// disposal says what should become of the letter in the council's mailboxes.
func (d *document) disposal() string {
	if d.DisposeAfter == retention.Never {
		return "the council keeps what is in it for good"
	}
	return "it should be deleted after " + d.DisposeAfter.Long()
}

// informal adds what every letter says at its end that holds messages.
func (d *document) informal() {
	d.Footer = append(d.Footer,
		"This is a record of informal discussion. It is not the minutes and does not record any decision of the council. "+
			"Decisions are made only at properly called meetings. This email is a council record and is not deleted "+
			"automatically: "+d.disposal()+".",
		"The telephone numbers of the people in the group are not shown. A number in a message was typed by its sender.",
	)
	if slices.ContainsFunc(d.Blocks, func(b block) bool { return showsName(b, saying.NotVerified) }) {
		d.Footer = append(d.Footer, "A name that is not verified is the one that its owner uses in WhatsApp. "+
			"It is not on the council’s register.")
	}
	if slices.ContainsFunc(d.Blocks, func(b block) bool { return showsName(b, saying.OfAPhone) }) {
		d.Footer = append(d.Footer, "A name in an imported chat is the one by which the phone that exported the chat knew its owner. "+
			"It is not on the council’s register.")
	}
}

// showsName reports whether a block names somebody whose name is marked so.
func showsName(b block, mark string) bool {
	said := b.Paragraph + strings.Join(b.List, " ")
	if m := b.Message; m != nil {
		said += m.Name + m.InReplyTo + m.Reactions + strings.Join(m.Notes, " ")
		if m.Standing != nil {
			said += strings.Join(m.Standing.Items, " ")
		}
	}
	return strings.Contains(said, mark)
}

// markers names, in a subject, who marked the conversation.
func (r reading) markers() string {
	switch len(r.Marks) {
	case 0: // nobody, or all destroyed since
		if r.ByHand != "" {
			return ", forwarded by hand for " + saying.OneLine(r.ByHand)
		}
		return ""
	case 1:
		return ", marked by " + r.name(r.Marks[0].Person)
	default:
		return ", marked by " + r.name(r.Marks[0].Person) + " and others"
	}
}

// opening says who marked what, and what of it this letter holds.
func (w *Writer) opening(r reading) []block { return append(w.occasion(r), r.below()...) }

// occasion says who marked what.
func (w *Writer) occasion(r reading) (bs []block) {
	group := w.group(r.group())
	if r.ByHand != "" {
		bs = append(bs, paragraph("This conversation in the WhatsApp group %s was forwarded by hand for %s on %s, around record %d.",
			group, saying.OneLine(r.ByHand), saying.Moment(r.Owed), r.Marked))
	}
	for i, m := range r.Marks {
		what := "a message in the WhatsApp group " + group
		if i > 0 {
			what = "it too,"
		}
		bs = append(bs, paragraph("%s marked %s on %s with %s.", r.name(m.Person), what, saying.Moment(m.At), emoji(m.Emoji)))
	}
	return bs
}

// picked says how the message was picked around which the conversation was chosen.
func (r reading) picked() string {
	if r.ByHand != "" {
		return "chosen"
	}
	return "marked"
}

// below says what of the conversation this letter holds.
func (r reading) below() (bs []block) {
	bs = append(bs, paragraph("Below: %s, oldest first. All times are London time.", saying.Count(len(r.messages), "message")))
	if expiry := r.expiry(); expiry != "" {
		bs = append(bs, paragraph("%s", expiry))
	}
	if r.earlier != nil {
		bs = append(bs, block{Callout: "These are only the new messages. The others are in the email about conversation " +
			fmt.Sprint(r.earlier.ID) + by(r.earlier.Marks, r.name) + "."})
	}
	if r.PartWith(r.Marked) == 0 {
		bs = append(bs, paragraph("The %s message itself is in an earlier email: %s.", r.picked(), r.describe(r.marked, time.Time{})))
	}
	if part := r.ofParts(""); part != "" {
		told := fmt.Sprintf("This is %s. The conversation has %s, too many for one email. The other parts follow as replies to this one.",
			part, saying.Count(r.length(), "message"))
		if in := r.PartWith(r.Marked); in > 1 {
			told += fmt.Sprintf(" The %s message is in part %d.", r.picked(), in)
		}
		bs = append(bs, block{Callout: told})
	}
	if r.Cut {
		bs = append(bs, block{Callout: fmt.Sprintf("This is not the whole conversation. It is longer than %s, the most that "+
			"one email may hold. The messages farthest in time from the %s one were left out, neighbours before replies. "+
			"They are on record.", saying.Count(r.Rule.AtMost, "message"), r.picked())})
	}
	return bs
}

func by(marks []forward.Mark, name func(people.ID) string) string {
	if len(marks) == 0 {
		return ""
	}
	return ", marked by " + name(marks[0].Person) + " on " + saying.Moment(marks[0].At)
}

// days returns the messages under the days on which they were sent.
//
// When there is no room for the words of a message, it says so. The marked one is
// shown in any case.
func (r reading) days() (bs []block) {
	var today string
	room := r.room.text
	for _, m := range r.messages {
		if d := saying.Day(m.SentOn.Start()); d != today {
			today = d
			bs = append(bs, block{Day: d})
		}
		v := r.message(m)
		if w := v.weight(); w <= room {
			room -= w
		} else if !v.Marked {
			v = &message{Time: v.Time, Name: v.Name, Record: v.Record, Pictures: v.Pictures, Files: v.Files,
				Notes: []string{fmt.Sprintf("[This email has no room for it. It is kept as record %d]", m.Seq)}}
		}
		bs = append(bs, block{Message: v})
	}
	return bs
}

func (r reading) message(m archive.Record) *message {
	v := &message{Record: fmt.Sprintf("record %d", m.Seq), Marked: m.Seq == r.Marked && r.ByHand == ""}
	if m.Destroyed != "" {
		v.Time, v.Name = "—", "A message since destroyed"
		v.Notes = []string{"[Destroyed on " + m.Destroyed.Long() + "]"}
		return v
	}
	v.Time, v.Name = saying.Clock(m.Sent), r.name(m.Person)
	changes := r.histories[m.Seq]
	now := changes.now(m)
	said := r.teller().Of(now, archive.Record{})
	v.Lines = linesOf(said, now.Seq)
	v.What = saying.OneLine(whatShows(said, m))
	switch {
	case saying.Answers(m):
		v.InReplyTo = "In reply to " + r.describe(r.originals[m.ReplyTo], m.Sent)
	case m.Type == record.Comment:
		v.InReplyTo, v.What = "Comment on "+r.describe(r.originals[m.ReplyTo], m.Sent), ""
	}
	for _, p := range r.pictures[m.Seq] {
		p.Alt = fmt.Sprintf("Photo from %s, %s; no description supplied", v.Name, v.Time)
		v.Pictures = append(v.Pictures, p)
	}
	v.Files = r.files[m.Seq]
	v.Notes = append(v.Notes, said.Notes...)
	if m.Kind == record.Message && saying.IsFile(m.Type) && !m.HasFile {
		v.Notes = append(v.Notes, "The file is not in the record.")
	}
	v.Notes = append(v.Notes, r.pinned(m.Seq)...)
	changes.tell(v, m, r.teller())
	v.Standing = r.standing(m.Seq, now)
	v.Reactions = r.reactionsTo(m.Seq)
	return v
}

// teller tells what the records say.
func (r reading) teller() saying.Teller { return saying.Teller{Names: r.names, Most: mostNames} }

// whatShows says what a message is, where neither its picture nor the line about its
// file does.
func whatShows(said saying.Saying, m archive.Record) string {
	if m.HasFile && saying.IsFile(m.Type) && said.Extent == "" {
		return ""
	}
	return said.Title()
}

// expiry says which messages were set to disappear from phones; empty if none was.
func (r reading) expiry() string {
	var after []string
	n := 0
	for _, m := range r.messages {
		if m.Details.Expires == 0 {
			continue
		}
		n++
		if s := saying.Span(int64(m.Details.Expires)); !slices.Contains(after, s) {
			after = append(after, s)
		}
	}
	which := "These messages were"
	switch {
	case n == 0:
		return ""
	case n < len(r.messages):
		which = saying.Number(int64(n)) + " of these messages " + were(n)
	}
	return fmt.Sprintf("%s set to disappear from members’ phones after %s. The council’s record keeps what it has received.",
		which, strings.Join(after, " or "))
}

// describe names a message within a sentence, as seen from one sent at another
// time.
func (r reading) describe(m archive.Record, from time.Time) string {
	switch {
	case m.Seq == 0:
		return "a message that is not in the record"
	case m.Destroyed != "":
		return fmt.Sprintf("a message since destroyed (record %d)", m.Seq)
	}
	at := saying.Clock(m.Sent)
	if saying.Day(m.Sent) != saying.Day(from) {
		at = saying.Moment(m.Sent)
	}
	s := fmt.Sprintf("%s, %s: %s", r.name(m.Person), at, saying.OneLine(r.teller().Brief(r.histories[m.Seq].now(m), 60)))
	if !slices.Contains(r.Seqs, m.Seq) {
		s += fmt.Sprintf(" (record %d)", m.Seq)
	}
	if m.Import != 0 {
		s += ", from a phone’s export of the chat"
	}
	return s
}

func (r reading) name(p people.ID) string { return saying.Called(r.names.Of(p)) }

// emoji returns what somebody reacted with. Any text may stand there.
func emoji(s string) string { return saying.Excerpt(s, 12) }

// choice puts the rule in words.
func (r reading) choice() []block {
	return []block{
		paragraph("The program chose them by a fixed rule, the same for every conversation:"),
		{List: []string{
			fmt.Sprintf("the %s message (record %d);", r.picked(), r.Marked),
			"the message that it answers, the one which that answers, and so on, with every reply to any of them;",
			fmt.Sprintf("the messages before and after it, as far as nobody paused for longer than %s;", saying.Length(r.Rule.Pause)),
			fmt.Sprintf("at most %s.", saying.Count(r.Rule.AtMost, "message")),
		}},
	}
}
