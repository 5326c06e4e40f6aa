package letter

import (
	"bytes"
	"context"
	"errors"
	"mime"
	"os"
	"strings"
	"testing"
	"time"

	"muniment/internal/disposal"
	"muniment/internal/forward"
	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// marking is a council with marks for everything.
func marking(t *testing.T) *council {
	c := newCouncil(t)
	all := []string{"councillor", "clerk"}
	c.rules.Marks = record.Marks{
		{Name: "important", Emoji: []string{"📌"}, Roles: all, Does: record.Forward},
		{Name: "concern", Emoji: []string{"🚩"}, Roles: all, Does: record.Report, AboutClerk: "chair@cranford-pc.example"},
		{Name: "private", Emoji: []string{"🔒"}, Roles: all, Does: record.Look},
	}
	return c
}

// talks has people say what should not have been said.
func (c *council) talks() (list, from said) {
	start := at("2027-01-04 10:00")
	c.says(bo, start, "Who is behind with the allotment rents?")
	list = c.says(dee, start.Add(time.Minute), "Mrs Green, plot 4, since Michaelmas. She is in hospital again.")
	from = c.says(jo, start.Add(2*time.Minute), "And the Wheelers, as ever. I shall put the list up in the hall.")
	return list, from
}

// to is a header of an email that is not for the council mailbox.
func to(address, id string, date time.Time) Header {
	h := header(id, date)
	h.To = []string{address}
	return h
}

func TestReport(t *testing.T) {
	c := marking(t)
	list, _ := c.talks()
	c.reacts(ann, at("2027-01-04 10:05"), list, "🚩")
	c.reacts(bo, at("2027-01-04 10:06"), list, "🚩")
	msg := c.letter(writer(), to("clerk@cranford-pc.example", "conversation.1", at("2027-01-04 10:09")), c.settled(1))
	golden(t, "report", msg)
	if subject := headerLine(msg, "Subject"); strings.Contains(subject, "Ann") || strings.Contains(subject, "Green") {
		t.Errorf("the subject names people: %s", subject)
	}
}

// What is about the clerk is told to the chair as such.
func TestReportAboutTheClerk(t *testing.T) {
	c := marking(t)
	_, from := c.talks()
	c.reacts(ann, at("2027-01-04 10:05"), from, "🚩")
	golden(t, "report-clerk", c.letter(writer(), to("chair@cranford-pc.example", "conversation.1", at("2027-01-04 10:08")), c.settled(1)))
}

func TestLook(t *testing.T) {
	c := marking(t)
	list, _ := c.talks()
	c.reacts(bo, at("2027-01-04 10:05"), list, "🔒")
	msg := c.letter(writer(), to("clerk@cranford-pc.example", "conversation.1", at("2027-01-04 10:08")), c.settled(1))
	golden(t, "look", msg)
	if bytes.Contains(msg, []byte("allotment rents")) {
		t.Error("it shows other messages than the one that is asked about")
	}
}

func TestTakenBack(t *testing.T) {
	c := marking(t)
	list, _ := c.talks()
	c.reacts(ann, at("2027-01-04 10:05"), list, "📌")
	c.reacts(bo, at("2027-01-04 10:06"), list, "📌")
	c.settled(1)
	c.reacts(bo, at("2027-01-05 18:30"), list, "")
	c.reacts(ann, at("2027-01-06 08:00"), list, "👍")
	h := header("taken-back.1", at("2027-01-06 08:04"))
	h.InReplyTo = header("conversation.1", time.Time{}).MessageID
	compose := func() (msg []byte, err error) {
		err = c.db.Read(context.Background(), func(tx *sqlite.Tx) error {
			marks, err := forward.LoadTakenBack(tx, 1)
			if err != nil {
				return err
			}
			msg, err = writer().TakenBack(tx, h, marks)
			return err
		})
		return msg, err
	}
	msg, err := compose()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "taken-back", msg)
	if bytes.Contains(msg, []byte("plot 4")) {
		t.Error("it repeats what was said")
	}
	c.write(func(tx *sqlite.Tx) error {
		_, err := forward.Forget(tx, []record.Seq{list.seq + 2, list.seq + 3})
		return err
	})
	if _, err := compose(); !errors.Is(err, ErrNothingLeft) {
		t.Errorf("nobody knows who took anything back, and it says: %v", err)
	}
}

func TestConversationByHand(t *testing.T) {
	c := marking(t)
	list, _ := c.talks()
	c.write(func(tx *sqlite.Tx) error {
		_, err := c.rules.ByHand(tx, at("2027-01-07 09:00"), list.seq, "Jo Hall", "for the file")
		return err
	})
	golden(t, "conversation-by-hand", c.letter(writer(), header("conversation.1", at("2027-01-07 09:00")), c.settled(1)))
}

// A correction of what was reported says whom it was told.
func TestCorrectionOfAReport(t *testing.T) {
	c := marking(t)
	list, _ := c.talks()
	c.reacts(ann, at("2027-01-04 10:05"), list, "🚩")
	sent := at("2027-01-04 10:08")
	c.edits(dee, sent.Add(time.Hour), list, "(removed)")
	msg, err := c.correction(to("clerk@cranford-pc.example", "correction.1", sent.Add(2*time.Hour)), sent)
	if err != nil {
		t.Fatal(err)
	}
	if text := parse(t, msg).text; !strings.Contains(strings.Join(strings.Fields(text), " "), "edited or deleted after the concern was reported to you.") {
		t.Errorf("the correction says\n%s", text)
	}
}

// headerLine returns a header of an email as it stands there.
func headerLine(msg []byte, name string) string {
	for line := range strings.Lines(string(msg)) {
		if rest, is := strings.CutPrefix(line, name+": "); is {
			return rest
		}
	}
	return ""
}

// A certificate calls an email by what stands in its subject.
func TestCertificateNamesNotes(t *testing.T) {
	e := disposal.EmailedCopy{Conversation: 1, Note: true, Records: 2}
	msg, err := os.ReadFile("testdata/taken-back.eml")
	if err != nil {
		t.Fatal(err)
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(parse(t, msg).fields.Get("Subject"))
	if name := strings.Trim(subjectOf(e), "“”"); err != nil || !strings.Contains(subject, name) {
		t.Errorf("the certificate calls it %q, and its subject is %q (%v)", name, subject, err)
	}
	if holding(e) != "which names who had marked one of these records" {
		t.Errorf("it holds: %s", holding(e))
	}
}

// What members meant as a mark and was none is told as a number; what waits says so.
func TestDigestOfMarks(t *testing.T) {
	d := newDigested(t)
	d.rules.Marks = marking(t).rules.Marks
	d.rules.Marks[1].AboutClerk = ""
	m := d.says(dee, at("2026-11-17 10:00"), "The bench at the pond is rotten.")
	own := d.says(jo, at("2026-11-17 10:30"), "I shall see to it.")
	for minute, r := range []struct {
		who   person
		emoji string
		of    said
	}{{sam, "📌", m}, {pat, "🚩", m}, {ann, "📍", m}, {bo, "🚩", m}, {dee, "🚩", own}} {
		d.did(r.who, at("2026-11-17 11:00").Add(time.Duration(minute)*time.Minute),
			record.Received{Kind: record.Reaction, Type: record.ReactionAdded, Emoji: r.emoji, Target: &r.of.Ref})
	}
	text := strings.Join(strings.Fields(parse(t, d.sent()).text), " ")
	for _, want := range []string{
		"3 reactions did not count as marks: 2 by people who may not use that mark and 1 with an emoji that only looks like one.",
		"No address of the chair: 1 email for the chair cannot be sent",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("it does not say %q\n%s", want, text)
		}
	}
	if strings.Contains(text, "Marked by") {
		t.Errorf("it tells of a report as if it were a conversation for the council\n%s", text)
	}
}

// A member marks too much: the digest says what waits.
func TestDigestOfWhatWaits(t *testing.T) {
	d := newDigested(t)
	for n := range forward.MostADay + 1 {
		m := d.says(dee, at("2026-11-17 10:00").Add(time.Duration(n)*20*time.Minute/31), "The bench at the pond is rotten.")
		d.did(ann, at("2026-11-17 11:00").Add(time.Duration(n)*time.Second), record.Received{Kind: record.Reaction, Type: record.ReactionAdded, Emoji: "📌", Target: &m.Ref})
	}
	text := strings.Join(strings.Fields(parse(t, d.sent()).text), " ")
	if want := "It waits for another day: only so many conversations are emailed in one."; strings.Count(text, want) != 1 {
		t.Errorf("it does not say once %q\n%s", want, text)
	}
}

// Of a concern about a message that is not in the record, the digest does not point to an
// email; and if the message is the clerk's, it says nothing.
func TestReportsWithoutTheirMessageInADigest(t *testing.T) {
	d := newDigested(t)
	d.rules.Marks = marking(t).rules.Marks
	d.moves(jo, at("2026-11-10 09:00"), record.Present, jo, ann, bo, dee)
	for id, author := range map[string]person{"gone": bo, "gone too": jo} {
		d.did(ann, at("2026-11-17 10:00"), record.Received{Kind: record.Reaction, Type: record.ReactionAdded, Emoji: "🚩", Target: &record.Ref{ID: id, Sender: author.Address}})
	}
	d.sendsEmails(at("2026-11-17 10:10"), nil)
	text := strings.Join(strings.Fields(parse(t, d.sent()).text), " ")
	if n := strings.Count(text, "A concern was reported on Tue 17 Nov, 10:00, as conversation"); n != 1 || !strings.Contains(text, "Nothing was emailed, since the marked message is not in the record.") {
		t.Errorf("it tells of %d concerns:\n%s", n, text)
	}
}
