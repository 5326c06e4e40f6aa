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
	if r.pictures, r.files, err = w.Files.illustrate(tx, r.messages); err != nil {
		return nil, fmt.Errorf("conversation %d: %w", c.ID, err)
	}
	d := w.conversation(r)
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
	marked    archive.Record
	messages  []archive.Record // oldest first
	originals map[record.Seq]archive.Record
	reactions map[record.Seq][]archive.Record // as they stood at date, in order of time
	earlier   *forward.Conversation           // that this one continues
	gaps      []archive.Gap                   // the latest first
	histories map[record.Seq]history          // of the messages and of what they answer, up to date
	pictures  map[record.Seq][]picture
	files     map[record.Seq][]file
}

func read(tx *sqlite.Tx, h Header, c forward.Conversation) (r reading, err error) {
	r = reading{Conversation: c, date: h.Date, originals: make(map[record.Seq]archive.Record)}
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
	if r.reactions, err = reactionsTo(tx, c.Seqs, h.Date); err != nil {
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

// reactionsTo returns the reactions to the given messages that stood at a time:
// of each person the last, if it was not taken back. They are found anew, since
// the archive tells which stand now, and a letter must not change.
//
// It reads every record, for want of a narrower way.
func reactionsTo(tx *sqlite.Tx, seqs []record.Seq, at time.Time) (map[record.Seq][]archive.Record, error) {
	type by struct {
		message record.Seq
		person  people.ID
	}
	last := make(map[by]archive.Record)
	all, err := archive.FollowersOf(tx, seqs, record.Reaction)
	if err != nil {
		return nil, err
	}
	for _, r := range all {
		if r.Captured.After(at) {
			continue
		}
		b := by{r.ReplyTo, r.Person}
		if l, ok := last[b]; !ok || inTime(l, r) < 0 {
			last[b] = r
		}
	}
	reactions := make(map[record.Seq][]archive.Record)
	for _, r := range last {
		if r.Type == record.ReactionAdded {
			reactions[r.ReplyTo] = append(reactions[r.ReplyTo], r)
		}
	}
	for _, rs := range reactions {
		slices.SortFunc(rs, inTime)
	}
	return reactions, nil
}

func inTime(a, b archive.Record) int {
	return cmp.Or(a.Sent.Compare(b.Sent), cmp.Compare(a.Seq, b.Seq))
}

// conversation says it all, in the order of reading: people without a name get
// their numbers in that order.
func (w *Writer) conversation(r reading) document {
	d := document{Title: "A WhatsApp conversation marked for council email"}
	d.Subject = fmt.Sprintf("WhatsApp conversation %d of %s%s%s", r.ID, r.messages[0].SentOn.Long(), w.in(r.group()), r.markers())
	d.add(w.opening(r)...)
	d.add(r.missing()...)
	d.section("The messages", r.days()...)
	d.section("How these messages were chosen", r.choice()...)
	for _, rs := range append([][]archive.Record{r.messages}, r.allReactions()...) {
		for _, m := range rs {
			d.DisposeAfter = max(d.DisposeAfter, m.Due)
		}
	}
	d.informal()
	return d
}

// informal adds what every letter says at its end that holds messages.
func (d *document) informal() {
	d.Footer = append(d.Footer,
		"This is a record of informal discussion. It is not the minutes and does not record any decision of the council. "+
			"Decisions are made only at properly called meetings. This email is a council record and is not deleted "+
			"automatically: it should be deleted after "+d.DisposeAfter.Long()+".",
		"The telephone numbers of the people in the group are not shown. A number in a message was typed by its sender.",
	)
	if slices.ContainsFunc(d.Blocks, unverified) {
		d.Footer = append(d.Footer, "A name that is not verified is the one that its owner uses in WhatsApp. "+
			"It is not on the council’s register.")
	}
}

// unverified reports whether a block shows somebody who is not on the register.
func unverified(b block) bool {
	said := b.Paragraph + strings.Join(b.List, " ")
	if m := b.Message; m != nil {
		said += m.Name + m.InReplyTo + m.Reactions + strings.Join(m.Notes, " ")
	}
	return strings.Contains(said, saying.NotVerified)
}

// allReactions returns the reactions, message by message.
func (r reading) allReactions() (all [][]archive.Record) {
	for _, m := range r.messages {
		all = append(all, r.reactions[m.Seq])
	}
	return all
}

// markers names, in a subject, who marked the conversation.
func (r reading) markers() string {
	switch len(r.Marks) {
	case 0: // all destroyed since
		return ""
	case 1:
		return ", marked by " + r.name(r.Marks[0].Person)
	default:
		return ", marked by " + r.name(r.Marks[0].Person) + " and others"
	}
}

// opening says who marked what, and what of it this letter holds.
func (w *Writer) opening(r reading) (bs []block) {
	group := w.group(r.group())
	for i, m := range r.Marks {
		what := "a message in the WhatsApp group " + group
		if i > 0 {
			what = "it too,"
		}
		bs = append(bs, paragraph("%s marked %s on %s with %s.", r.name(m.Person), what, saying.Moment(m.At), emoji(m.Emoji)))
	}
	bs = append(bs, paragraph("Below: %s, oldest first. All times are London time.", saying.Count(len(r.messages), "message")))
	if r.earlier != nil {
		bs = append(bs, block{Callout: "These are only the new messages. The others are in the email about conversation " +
			fmt.Sprint(r.earlier.ID) + by(r.earlier.Marks, r.name) + "."})
	}
	if !slices.Contains(r.Seqs, r.Marked) {
		bs = append(bs, paragraph("The marked message itself is in an earlier email: %s.", r.describe(r.marked, time.Time{})))
	}
	if r.Cut {
		bs = append(bs, block{Callout: fmt.Sprintf("This is not the whole conversation. It is longer than %s, the most that "+
			"one email may hold. The messages farthest in time from the marked one were left out, neighbours before replies. "+
			"They are on record.", saying.Count(r.Rule.AtMost, "message"))})
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
	room := int64(mostText)
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
	v := &message{Record: fmt.Sprintf("record %d", m.Seq), Marked: m.Seq == r.Marked}
	if m.Destroyed != "" {
		v.Time, v.Name = "—", "A message since destroyed"
		v.Notes = []string{"[Destroyed on " + m.Destroyed.Long() + "]"}
		return v
	}
	v.Time, v.Name = saying.Clock(m.Sent), r.name(m.Person)
	if m.Answers {
		v.InReplyTo = "In reply to " + r.describe(r.originals[m.ReplyTo], m.Sent)
	}
	changes := r.histories[m.Seq]
	now := changes.now(m)
	if now.Text != "" {
		v.Lines = linesOf(now, r.names)
	}
	for _, p := range r.pictures[m.Seq] {
		p.Alt = fmt.Sprintf("Photo from %s, %s; no description supplied", v.Name, v.Time)
		v.Pictures = append(v.Pictures, p)
	}
	v.Files = r.files[m.Seq]
	if m.Kind != record.Message || len(v.Lines) == 0 && !m.HasFile {
		v.Notes = append(v.Notes, notShown(m.Kind, m.Type))
	}
	changes.tell(v, m, r.names)
	v.Reactions = r.reactionsTo(m.Seq)
	return v
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
	what := strings.ToLower(nounFor(m.Kind, m.Type)[:1]) + nounFor(m.Kind, m.Type)[1:]
	if now := r.histories[m.Seq].now(m); now.Text != "" {
		text, _ := wording(now, r.names)
		what = "“" + saying.Excerpt(text, 60) + "”"
	}
	s := fmt.Sprintf("%s, %s: %s", r.name(m.Person), at, what)
	if !slices.Contains(r.Seqs, m.Seq) {
		s += fmt.Sprintf(" (record %d)", m.Seq)
	}
	return s
}

// reactionsTo sums up the reactions to a message: 📌 Cllr Ann Brook; 👍 Dee Evans, Jo Hall.
func (r reading) reactionsTo(seq record.Seq) string {
	var order []string
	who := make(map[string][]string)
	for _, re := range r.reactions[seq] {
		e := emoji(re.Emoji)
		if who[e] == nil {
			order = append(order, e)
		}
		who[e] = append(who[e], r.name(re.Person))
	}
	for i, e := range order {
		order[i] = e + " " + strings.Join(who[e], ", ")
	}
	return strings.Join(order, "; ")
}

func (r reading) name(p people.ID) string { return saying.Called(r.names.Of(p)) }

// emoji returns what somebody reacted with. Any text may stand there.
func emoji(s string) string { return saying.Excerpt(s, 12) }

// choice puts the rule in words.
func (r reading) choice() []block {
	return []block{
		paragraph("The program chose them by a fixed rule, the same for every conversation:"),
		{List: []string{
			fmt.Sprintf("the marked message (record %d);", r.Marked),
			"the message that it answers, the one which that answers, and so on, with every reply to any of them;",
			fmt.Sprintf("the messages before and after it, as far as nobody paused for longer than %s;", saying.Length(r.Rule.Pause)),
			fmt.Sprintf("at most %s.", saying.Count(r.Rule.AtMost, "message")),
		}},
	}
}
