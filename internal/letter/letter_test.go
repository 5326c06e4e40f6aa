package letter

import (
	"bytes"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	netmail "net/mail"
	"net/textproto"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muniment/internal/archive"
	"muniment/internal/disposal"
	"muniment/internal/forward"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/saying"
	"muniment/internal/sqlite"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestConversation(t *testing.T) {
	n := stormNight(t)
	golden(t, "conversation", n.letter(writer(), header("conversation.1", n.end), n.settled(1)))
}

// A conversation that grew sends its new messages only, and says to whom they belong.
func TestConversationContinued(t *testing.T) {
	n := stormNight(t)
	n.settled(1)
	n.replies(bo, at("2026-10-26 08:10"), &n.rung, "County lorry is here. @100000000000103 the lane is open from nine.", dee)
	later := n.replies(dee, at("2026-10-26 08:12"), &n.plan, "Thank you all.")
	n.reacts(dee, at("2026-10-26 08:20"), n.rung, "📌")
	n.reacts(jo, at("2026-10-26 08:21"), n.rung, "📌")
	n.reacts(ann, at("2026-10-26 08:22"), later, "❤️")
	h := header("conversation.2", at("2026-10-26 08:30"))
	h.InReplyTo = header("conversation.1", n.end).MessageID
	golden(t, "conversation-continued", n.letter(writer(), h, n.settled(2)))
}

// What is known to be missing from the time of a conversation is told, and only
// that.
func TestGaps(t *testing.T) {
	first, last := at("2027-01-04 10:00"), at("2027-01-04 10:10")
	date := at("2027-01-04 12:00")
	const missing = "From Monday 4 January 2027 at %s to %s this system was not linked to WhatsApp. What was sent then is missing."
	gap := func(kind archive.GapKind, opened, closed string) archive.Gap {
		g := archive.Gap{Kind: kind, Opened: at("2027-01-04 " + opened)}
		if kind == archive.NotDecrypted {
			g.Group = cranford
		}
		if closed != "" {
			g.Closed = at("2027-01-04 " + closed)
		}
		return g
	}
	other := gap(archive.NotDecrypted, "10:05", "")
	other.Group = "another@g.us"
	asked := gap(archive.NotDecrypted, "10:05", "")
	asked.Sent, asked.Asked, asked.Asking = at("2027-01-04 10:04"), 2, true
	quoted := archive.Gap{Kind: archive.NotReceived, Group: cranford, Opened: at("2027-01-04 10:30"), Closed: at("2027-01-04 11:00"), Ending: archive.Quoted, NamedBy: 7}
	elsewhere := archive.Gap{Kind: archive.NotReceived, Group: cranford, Opened: at("2027-01-04 10:05"), NamedBy: 8}
	const unread = "A message that arrived on Monday 4 January 2027 at %s could not be read. It is missing. The council’s own phone is not asked for it."
	for _, tt := range []struct {
		name string
		gaps []archive.Gap
		want []string
	}{
		{"nothing", nil, nil},
		{"not connected, and caught up", []archive.Gap{gap(archive.NotConnected, "10:02", "10:05")}, nil},
		{"not connected even now", []archive.Gap{gap(archive.NotConnected, "10:20", "")}, []string{
			"Since Monday 4 January 2027 at 10:20 this system has not been connected to WhatsApp. " +
				"What was sent since then has not been received yet. WhatsApp keeps it, and hands it over when there is a connection again."}},
		{"not connected when the letter was made", []archive.Gap{gap(archive.NotConnected, "10:20", "13:00")}, []string{
			"Since Monday 4 January 2027 at 10:20 this system has not been connected to WhatsApp. " +
				"What was sent since then has not been received yet. WhatsApp keeps it, and hands it over when there is a connection again."}},
		{"not connected, and then not linked", []archive.Gap{gap(archive.NotLinked, "10:02", "10:05"), gap(archive.NotConnected, "10:02", "10:04")},
			[]string{fmt.Sprintf(missing, "10:02", "10:05")}},
		{"not linked then", []archive.Gap{gap(archive.NotLinked, "10:02", "10:05")}, []string{fmt.Sprintf(missing, "10:02", "10:05")}},
		{"not linked when an answer would have come", []archive.Gap{gap(archive.NotLinked, "10:12", "11:30")}, []string{fmt.Sprintf(missing, "10:12", "11:30")}},
		{"not linked at another time", []archive.Gap{gap(archive.NotLinked, "10:30", "11:30"), gap(archive.NotLinked, "08:00", "09:40")}, nil},
		{"a message that could not be read", []archive.Gap{gap(archive.NotDecrypted, "10:05", "")},
			[]string{fmt.Sprintf(unread, "10:05")}},
		{"one that is asked for", []archive.Gap{asked}, []string{"A message, sent on Monday 4 January 2027 at 10:04, could not be read when it arrived. It is missing. " +
			"The council’s own phone has been asked for it twice, and will be asked again."}},
		{"one that is known from a quotation", []archive.Gap{quoted}, []string{"A message that record 7 answers or changes did not come. " +
			"It was quoted; whether it said that cannot be checked, since the message itself is missing."}},
		{"one that a message of another letter answers", []archive.Gap{elsewhere}, nil},
		{"two that could not be read", []archive.Gap{gap(archive.NotDecrypted, "10:07", ""), gap(archive.NotDecrypted, "10:05", "")},
			[]string{fmt.Sprintf(unread, "10:05"), fmt.Sprintf(unread, "10:07")}},
		{"six that could not be read", slices.Repeat([]archive.Gap{gap(archive.NotDecrypted, "10:07", "")}, 6),
			[]string{"6 messages of this time or of this conversation are missing. The weekly email tells of them (or muniment gaps)."}},
		{"one that came after all", []archive.Gap{gap(archive.NotDecrypted, "10:05", "10:06")}, nil},
		{"one of another group", []archive.Gap{other}, nil},
		{"one long before", []archive.Gap{gap(archive.NotDecrypted, "08:05", "")}, nil},
		{"after the date of the letter", []archive.Gap{gap(archive.NotConnected, "12:01", ""), gap(archive.NotDecrypted, "12:02", "")}, nil},
		{"messages given up", []archive.Gap{gap(archive.Abandoned, "11:00", "")},
			[]string{"Messages that arrived between Sunday 3 January 2027 at 11:00 and Monday 4 January 2027 at 11:00 were not recorded. They are missing."}},
		{"messages given up long ago", []archive.Gap{gap(archive.Abandoned, "09:00", "")}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := reading{Conversation: forward.Conversation{Rule: record.Rule{Pause: 15 * time.Minute}}, date: date, gaps: tt.gaps,
				messages: []archive.Record{{Destroyed: "2026-01-01"}, {Seq: 7, Group: cranford, Sent: first}, {Group: cranford, Sent: last}}}
			var got []string
			for _, b := range r.missing(saying.Teller{}) {
				got = append(got, b.Callout)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("missing (-want +got)\n%s", diff)
			}
		})
	}
}

// The letter itself tells it, before the messages.
func TestALetterTellsWhatIsMissing(t *testing.T) {
	n := stormNight(t)
	n.write(func(tx *sqlite.Tx) error {
		return archive.OpenGap(tx, n.end, n.end.Add(-2*time.Hour), archive.NotLinked, "logged out")
	})
	head, _, _ := strings.Cut(string(n.letter(writer(), header("conversation.1", n.end), n.settled(1))), "The messages\r\n")
	if !strings.Contains(head, "\r\n*** Since Sunday 25 October 2026") {
		t.Errorf("the letter begins\n%s", head)
	}
}

// A conversation longer than the rule allows says so; and a demonstration, that
// it is one.
func TestConversationCut(t *testing.T) {
	c := newCouncil(t)
	c.rules.Choice = record.Rule{Pause: 90 * time.Minute, AtMost: 2}
	start := at("2027-01-04 10:00")
	for i, p := range []person{ann, bo, dee} {
		c.says(p, start.Add(time.Duration(i)*time.Hour), []string{"The heating in the hall is off.", "Not in the office.", "It is on now."}[i])
	}
	last := c.says(jo, start.Add(150*time.Minute), "The meter was empty.")
	c.reacts(bo, start.Add(151*time.Minute), last, "📌")
	w := writer()
	w.Demonstration = true
	golden(t, "conversation-cut", c.letter(w, header("conversation.1", start.Add(155*time.Minute)), c.settled(1)))
}

func TestNotice(t *testing.T) {
	for _, tt := range []struct {
		name   string
		policy disposal.Policy
	}{
		{"notice-standing", disposal.Policy{Approval: disposal.Standing, Minute: "24/037"}},
		{"notice-each", disposal.Policy{Approval: disposal.Each}},
		{"notice-unset", disposal.Policy{}},
		{"notice-groups", disposal.Policy{Approval: disposal.Each}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := stormNight(t)
			c := n.council
			w := writer()
			if tt.name == "notice-groups" {
				w.Groups["120363041234567891@g.us"] = Group{Name: "Officers"}
				c.takes(record.Received{Kind: record.Message, Type: record.Text, Group: "120363041234567891@g.us", Sender: jo.Address,
					Sent: n.end, Text: "The office is shut on Friday."}, n.end)
			}
			c.capture(record.Received{Kind: record.Participants, Type: record.Joined, Sender: pat.Address,
				Sent: n.end, Participants: []record.Participant{{Address: pat.Address}}})
			now := at("2032-09-26 02:30")
			tt.policy.NoticeDays = 30
			tt.policy.From, tt.policy.To = "record@cranford-pc.example", "clerk@cranford-pc.example"
			d := &disposal.Disposal{DB: c.db, Archive: c.a, Policy: tt.policy, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return now }}
			var msg []byte
			c.write(func(tx *sqlite.Tx) error {
				due, err := d.Falling(tx)
				if err != nil {
					return err
				}
				list, err := d.DrawUp(tx, due)
				if err != nil {
					return err
				}
				notice, err := d.Notice(tx, list)
				if err != nil {
					return err
				}
				msg, err = w.Notice(tx, header("disposal-notice.1", now), notice)
				return err
			})
			golden(t, tt.name, msg)
		})
	}
}

// certificate is that of an ordinary run.
func certificate() disposal.Certificate {
	c := disposal.Certificate{
		Number: 2, Status: disposal.Interim, List: 3,
		Issuer: disposal.Issuer{
			Council: "Cranford Parish Council", PolicyTitle: "WhatsApp Use Policy", PolicyAdopted: "16 September 2024",
			PolicyMinute: "24/037", PolicySection: "5", Program: "muniment 0.1.0", Host: "parish-office",
		},
		Authority: "standing approval, minute 24/037",
		NoticeOn:  at("2032-09-26 02:31"),
		Started:   time.Date(2032, 10, 26, 2, 30, 0, 0, time.UTC),
		Finished:  time.Date(2032, 10, 26, 2, 30, 4, 0, time.UTC),
		Class:     "WA-MSG", Rule: schedule.RuleFor(retention.Messages, "", 6),
		SentFrom: "2026-10-24", SentTo: "2026-10-25",
		Searched: 4, Files: 11, Bytes: 1_482_752,
		Counts:      disposal.Counts{Messages: 2, Edits: 1, Reactions: 1, Bytes: 2_180, FileBytes: 1_340_000},
		Copies:      disposal.Copies{SearchEntries: 3, Quotations: 1, Marks: 1, Keys: 7},
		Backups:     disposal.CertifiedBackups{Configured: true, Left: 35, Gone: "2032-11-30"},
		Commitments: []byte("0123456789abcdefghijklmnopqrstuv"), Leaf: 1203,
		Note: "muniment certificate 1\nnumber 2\nstatus interim\nsha256 CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n" +
			"— cranford-pc.example/muniment GHFmZhA2gK0mT8bKkq8kq3mMpw1kXv5mD7cVZQ0lRkqG0kqg2Jw2yCq7gJm4Vf0tqzqH8n1yqkqz4n7eQzqfXq0YJgA=\n",
		Emails: []disposal.EmailedCopy{{
			Conversation: 1,
			MessageID:    "conversation.1.0123456789abcdef@cranford-pc.example", SentAt: at("2026-10-25 02:48"), Records: 3,
		}, {
			Conversation: 1, Correction: true,
			MessageID: "correction.1.0123456789abcdef@cranford-pc.example", SentAt: at("2026-10-25 09:12"), Records: 3,
		}, {
			Digest:    "2026-10-25",
			MessageID: "digest.20261025.0123456789abcdef@cranford-pc.example", SentAt: at("2026-10-26 07:00"), Records: 4,
		}},
		Media: 2,
		Checkpoint: "cranford-pc.example/muniment\n1204\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n" +
			"— cranford-pc.example/muniment GHFmZhA2gK0mT8bKkq8kq3mMpw1kXv5mD7cVZQ0lRkqG0kqg2Jw2yCq7gJm4Vf0tqzqH8n1yqkqz4n7eQzqfXq0YJgA=\n",
	}
	for i, sent := range []retention.Date{"2026-10-24", "2026-10-24", "2026-10-25", "2026-10-25"} {
		c.Destroyed = append(c.Destroyed, archive.Stub{Seq: record.Seq(1101 + i), SentOn: sent, Class: "WA-MSG",
			Rule: schedule.RuleFor(retention.Messages, "", 6), DestroyedOn: "2032-10-26", Leaf: int64(1130 + 2*i)})
	}
	return c
}

func TestCertificate(t *testing.T) {
	h := header("disposal-certificate.2", at("2032-10-26 03:31"))
	msg, err := writer().Certificate(h, certificate())
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "certificate", msg)

	c := certificate()
	c.Searched, c.Unsearched, c.Kept, c.Emails = 3, 1, 2, nil
	c.FoundBefore = 2
	c.Holds, c.NotDue = []int64{4, 7}, 1
	c.Status, c.Backups = disposal.Final, disposal.CertifiedBackups{}
	c.Authority = "approved by the chair on 1 October 2032"
	c.ApprovedBy, c.Approver, c.Approved = "Councillor Anwen Price", "chair", at("2032-10-01 10:02")
	if msg, err = writer().Certificate(h, c); err != nil {
		t.Fatal(err)
	}
	golden(t, "certificate-interrupted", msg)
}

// Where there are several groups, or another than the one there is now, notice and
// certificate say which it was.
func TestCertificateOfSeveralGroups(t *testing.T) {
	c := certificate()
	c.Groups = []disposal.GroupRecords{{Group: "", Records: []record.Seq{1102}}, {Group: "Officers", Records: []record.Seq{1101, 1103, 1104}}}
	msg, err := writer().Certificate(header("disposal-certificate.2", at("2032-10-26 03:31")), c)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "certificate-groups", msg)
	c.Groups = c.Groups[1:]
	if msg, err = writer().Certificate(header("disposal-certificate.2", c.Finished), c); err != nil {
		t.Fatal(err)
	}
	if text := strings.Join(strings.Fields(parse(t, msg).text), " "); !strings.Contains(text, "4 records of the council’s WhatsApp group “Officers”, sent") {
		t.Errorf("it does not say that it is of the officers:\n%s", text)
	}
}

// A run that found everything on hold destroyed nothing and is certified all the same.
func TestCertificateOfNothing(t *testing.T) {
	c := certificate()
	c.Destroyed, c.Emails, c.SentFrom, c.SentTo, c.Searched, c.Kept = nil, nil, "", "", 0, 4
	msg, err := writer().Certificate(header("disposal-certificate.2", c.Finished), c)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"No record of the council’s WhatsApp group was destroyed.", "4 records on the list were not destroyed"} {
		if text := strings.Join(strings.Fields(parse(t, msg).text), " "); !strings.Contains(text, want) {
			t.Errorf("it does not say %q:\n%s", want, text)
		}
	}
}

func TestTest(t *testing.T) {
	msg, err := writer().Test(header("test.1", at("2026-11-24 14:05")), Connection{Server: "smtp.example:587", TLS: "TLS 1.3"})
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "test", msg)
}

// Whatever comes into the archive after the date of a letter is not in it: the
// next attempt sends the same bytes.
func TestEveryAttemptIsTheSame(t *testing.T) {
	n := stormNight(t)
	c := n.settled(1)
	h := header("conversation.1", n.end)
	first := n.letter(writer(), h, c)
	for range 20 {
		if again := n.letter(writer(), h, c); !bytes.Equal(first, again) {
			t.Fatal("two attempts differ")
		}
	}
	n.reacts(dee, n.end.Add(time.Minute), n.plan, "🎉")
	n.reacts(bo, n.end.Add(time.Minute), n.plan, "")
	n.says(dee, n.end.Add(2*time.Minute), "Good night.")
	if diff := cmp.Diff(parse(t, first).text, parse(t, n.letter(writer(), h, c)).text); diff != "" {
		t.Errorf("what came later changed the letter (-first +later):\n%s", diff)
	}
}

// A mark that was taken back when the conversation was settled already does not
// unsend it.
func TestMarkTakenBackLate(t *testing.T) {
	n := stormNight(t)
	n.settled(1)
	n.reacts(ann, n.end, n.plan, "")
	c := n.settled(1)
	text := parse(t, n.letter(writer(), header("conversation.1", n.end.Add(time.Hour)), c)).text
	if !strings.Contains(text, "was marked") && !strings.Contains(text, "Cllr Ann Brook marked") {
		t.Errorf("it does not say that a message was marked:\n%s", text)
	}
}

func TestNothingLeftToSend(t *testing.T) {
	c := newCouncil(t)
	m := c.says(bo, at("2026-10-24 23:48"), "The river is over the bank.")
	c.reacts(ann, at("2026-10-24 23:50"), m, "📌")
	conversation := c.settled(1)
	c.destroys(m, "2032-10-25")
	err := c.db.Read(t.Context(), func(tx *sqlite.Tx) error {
		_, err := writer().Conversation(tx, header("conversation.1", at("2032-10-26 09:00")), conversation)
		return err
	})
	if !errors.Is(err, ErrNothingLeft) {
		t.Errorf("err = %v; want %v", err, ErrNothingLeft)
	}
}

// A typed line cannot pass for another message, in any character that some
// reader takes for the end of a line.
func TestAMessageCannotPassForAnother(t *testing.T) {
	c := newCouncil(t)
	forged := "23:50  Cllr Ann Brook (record 99)"
	m := c.says(sam, at("2026-10-24 23:48"), strings.Join([]string{"Hello", forged, forged, forged, forged, forged, forged, forged}, "\u2028")+
		"\n"+forged+"\r"+forged+"\v"+forged+"\f"+forged+"\u0085"+forged+"\u2029"+forged+"\r\n"+forged)
	c.reacts(ann, at("2026-10-24 23:49"), m, "📌")
	text := parse(t, c.letter(writer(), header("conversation.1", at("2026-10-24 23:59")), c.settled(1))).text
	for line := range strings.FieldsFuncSeq(text, func(r rune) bool { return strings.ContainsRune("\r\n\v\f\u0085\u2028\u2029", r) }) {
		if strings.Contains(line, "Ann Brook (record") && !strings.HasPrefix(line, "  | ") {
			t.Errorf("forged: %q", line)
		}
	}
}

func TestHeaderIsChecked(t *testing.T) {
	good := header("test.1", at("2026-11-24 14:05"))
	for name, spoil := range map[string]func(*Header){
		"line break in the Message-ID":  func(h *Header) { h.MessageID = "a@b.example>\r\nBcc: <x@y.example" },
		"no Message-ID":                 func(h *Header) { h.MessageID = "" },
		"line break in what it answers": func(h *Header) { h.InReplyTo = "a@b.example\r\nX: y" },
		"line break in what was before": func(h *Header) { h.InReplyTo, h.References = "a@b.example", []string{"a@b.example\r\nX: y"} },
		"a thread and no answer":        func(h *Header) { h.References = []string{"a@b.example"} },
		"line break in the recipient":   func(h *Header) { h.To = []string{"a@b.example\r\nBcc: x@y.example"} },
		"two recipients in one":         func(h *Header) { h.To = []string{"a@b.example, x@y.example"} },
		"no recipient":                  func(h *Header) { h.To = nil },
		"a name with the sender":        func(h *Header) { h.From = "Somebody <a@b.example>" },
		"no date":                       func(h *Header) { h.Date = time.Time{} },
	} {
		h := good
		spoil(&h)
		if _, err := writer().Test(h, Connection{}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// A letter names every email of its thread, however many there are, in lines that are
// not too long; of very many the first and the last.
func TestThread(t *testing.T) {
	for n, want := range map[int]int{0: 0, 1: 1, 2: 2, 50: 50, 51: 50, 400: 50} {
		h := header("test.1", at("2026-11-24 14:05"))
		var ids []string
		for i := range n {
			ids = append(ids, fmt.Sprintf("conversation.%d.0123456789abcdef@cranford-pc.example", i+1))
		}
		if n > 0 {
			h.References, h.InReplyTo = ids[:n-1], ids[n-1]
		}
		msg, err := writer().Test(h, Connection{})
		if err != nil {
			t.Fatal(err)
		}
		fields := parse(t, msg).fields // which also looks at the length of lines
		got := strings.Fields(fields.Get("References"))
		if len(got) != want {
			t.Errorf("of %d emails it names %d; want %d", n, len(got), want)
		}
		if n > 0 && (got[0] != "<"+ids[0]+">" || got[len(got)-1] != "<"+ids[n-1]+">" || fields.Get("In-Reply-To") != "<"+ids[n-1]+">") {
			t.Errorf("of %d emails: References %q, In-Reply-To %q", n, got, fields.Get("In-Reply-To"))
		}
		if got := strings.ReplaceAll(string(msg), "\r\n", ""); strings.Count(got, "<conversation.") != want+min(n, 1) {
			t.Errorf("of %d emails it has\n%s", n, got)
		}
	}
}

// Neither the numbers nor the addresses of anybody are in any letter.
func TestNoNumberLeaves(t *testing.T) {
	numbers := regexp.MustCompile(`@(s\.whatsapp\.net|lid|g\.us)|447700900|07700\s?900|1000000000001|12036304|3EB0`)
	for name, g := range goldens(t) {
		for part, s := range map[string]string{"text": g.text, "HTML": g.html, "header": g.header} {
			if found := numbers.FindString(s); found != "" {
				t.Errorf("%s: %s holds %q", name, part, found)
			}
		}
	}
}

// REQUIREMENTS.md, N1: chat is never presented as a decision. The footer alone
// uses these words; notices and certificates name the minute that they rest on.
func TestChatIsNoDecision(t *testing.T) {
	const footer = "This is a record of informal discussion. It is not the minutes and does not record any decision of the council. " +
		"Decisions are made only at properly called meetings."
	words := regexp.MustCompile(`(?i)\b(minutes?|decisions?|decided|resolutions?|resolved|agreed|delivered|guaranteed?|compliant|certified)\b`)
	allowed := regexp.MustCompile(`\b\d+ minutes?\b|\bminute \d+/\d+|Minute reference`)
	for name, g := range goldens(t) {
		text := strings.Join(strings.Fields(g.text), " ")
		kind, _, _ := strings.Cut(name, "-")
		if is := slices.Contains([]string{"conversation", "correction", "digest", "report", "look"}, kind); is != strings.Contains(text, footer) {
			t.Errorf("%s: the footer stands there: %v; want %v", name, !is, is)
		}
		text = allowed.ReplaceAllString(strings.ReplaceAll(text, footer, ""), "")
		if found := words.FindString(text); found != "" {
			t.Errorf("%s says %q", name, found)
		}
	}
}

// Lines are short enough to be read anywhere, wherever they can be broken.
func TestPlainTextIsNarrow(t *testing.T) {
	for name, g := range goldens(t) {
		for line := range strings.Lines(g.text) {
			line = strings.TrimRight(line, "\n")
			if strings.HasPrefix(line, "— ") {
				continue // the signature of a checkpoint
			}
			if words := strings.Fields(line); width(line) > 76 && width(words[len(words)-1]) < 60 {
				t.Errorf("%s: %d columns: %s", name, width(line), line)
			}
		}
	}
}

// Both parts say the same: the words of one are the words of the other. Of a
// picture they are those that stand for it.
func TestTextAndHTMLAgree(t *testing.T) {
	pictures := regexp.MustCompile(`<img [^>]*alt="([^"]*)"[^>]*>`)
	tags := regexp.MustCompile(`(?s)<!--.*?-->|<(style|title)>.*?</(style|title)>|<[^>]*>`)
	marks := regexp.MustCompile(`[][|*>=_-]+|\b\d\d:\d\d( [GB][MS]T)?\b|[·():]`)
	words := func(s string) map[string]bool {
		set := make(map[string]bool)
		for _, w := range strings.Fields(marks.ReplaceAllString(s, " ")) {
			set[strings.ToLower(w)] = true
		}
		return set
	}
	entities := strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&", "&#34;", `"`, "&#39;", "'", "&#43;", "+")
	for name, g := range goldens(t) {
		html := words(entities.Replace(tags.ReplaceAllString(pictures.ReplaceAllString(g.html, "$1"), " ")))
		if diff := cmp.Diff(words(g.text), html); diff != "" {
			t.Errorf("%s (-text +HTML):\n%s", name, diff)
		}
	}
}

// An email is a page of its own: nothing is fetched, nothing runs, nothing links.
// Pictures are in the email.
func TestNothingRemote(t *testing.T) {
	enclosed := regexp.MustCompile(`<img src="cid:[^"]*"`)
	active := regexp.MustCompile(`(?i)<(script|img|link|a|iframe|object|form|svg)\b|\bon[a-z]+=|url\(|@import|src=|href=`)
	for name, g := range goldens(t) {
		if found := active.FindString(enclosed.ReplaceAllString(g.html, "")); found != "" {
			t.Errorf("%s has %q", name, found)
		}
	}
}

// parsed is an email as the standard library reads it.
type parsed struct {
	header     string
	fields     netmail.Header
	structure  string // mixed(related(alternative(text/plain text/html) image/jpeg) application/pdf)
	text, html string // lines ending in "\n"
	enclosed   []enclosed
}

// enclosed is a picture of the letter, or a file attached to it.
type enclosed struct {
	header    textproto.MIMEHeader
	mediaType string
	body      []byte
}

func parse(t testing.TB, msg []byte) parsed {
	t.Helper()
	m, err := netmail.ReadMessage(bytes.NewReader(msg))
	if err != nil {
		t.Fatal(err)
	}
	head, _, _ := bytes.Cut(msg, []byte("\r\n\r\n"))
	p := parsed{header: string(head), fields: m.Header}
	p.structure = p.part(t, textproto.MIMEHeader(m.Header), m.Body)
	if !strings.Contains(p.structure, "alternative(text/plain text/html)") {
		t.Fatalf("structure: %s", p.structure)
	}
	for line := range strings.SplitSeq(string(msg), "\r\n") {
		name := strings.HasPrefix(line, " filename") || strings.HasPrefix(line, " name=") || strings.HasPrefix(line, "Content-Type: ")
		if len(line) > 78 && (!name || len(line) > 500) || strings.ContainsAny(line, "\r\n") {
			t.Fatalf("no sound line: %q", line)
		}
	}
	return p
}

// part reads one part, with those in it, and returns its structure.
func (p *parsed) part(t testing.TB, h textproto.MIMEHeader, body io.Reader) string {
	t.Helper()
	mediaType, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil {
		t.Fatalf("content type %q: %v", h.Get("Content-Type"), err)
	}
	if kind, ok := strings.CutPrefix(mediaType, "multipart/"); ok {
		if want := map[string]string{"related": "multipart/alternative"}[kind]; params["type"] != want {
			t.Fatalf("%s has the type %q; want %q", kind, params["type"], want)
		}
		var in []string
		parts := multipart.NewReader(body, params["boundary"])
		for {
			part, err := parts.NextRawPart()
			if err == io.EOF {
				return kind + "(" + strings.Join(in, " ") + ")"
			}
			if err != nil {
				t.Fatal(err)
			}
			in = append(in, p.part(t, part.Header, part))
		}
	}
	var b []byte
	switch encoding := h.Get("Content-Transfer-Encoding"); {
	case encoding == "quoted-printable" && params["charset"] == "utf-8":
		b, err = io.ReadAll(quotedprintable.NewReader(body))
	case encoding == "base64" && (!strings.HasPrefix(mediaType, "text/") || strings.HasPrefix(h.Get("Content-Disposition"), "attachment")):
		b, err = io.ReadAll(base64.NewDecoder(base64.StdEncoding, body))
	default:
		t.Fatalf("part is %v", h)
	}
	if err != nil {
		t.Fatal(err)
	}
	switch mediaType {
	case "text/plain":
		p.text = strings.ReplaceAll(string(b), "\r\n", "\n")
	case "text/html":
		p.html = strings.ReplaceAll(string(b), "\r\n", "\n")
	default:
		p.enclosed = append(p.enclosed, enclosed{h, mediaType, b})
	}
	return mediaType
}

// golden compares an email with the file kept of it, and its two parts with
// theirs, which are there to be read.
func golden(t *testing.T, name string, msg []byte) {
	t.Helper()
	p := parse(t, msg)
	for suffix, got := range map[string]string{".eml": string(msg), ".txt": p.text, ".html": p.html} {
		file := filepath.Join("testdata", name+suffix)
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("%s (-want +got; -update writes it anew):\n%s", file, diff)
		}
	}
}

// goldens returns all golden emails.
func goldens(t *testing.T) map[string]parsed {
	t.Helper()
	files, err := filepath.Glob("testdata/*.eml")
	if err != nil || len(files) < 10 {
		t.Fatalf("golden files: %q, %v", files, err)
	}
	all := make(map[string]parsed)
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all[strings.TrimSuffix(filepath.Base(f), ".eml")] = parse(t, b)
	}
	return all
}
