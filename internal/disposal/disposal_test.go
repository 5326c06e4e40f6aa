package disposal

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"muniment/internal/archive"
	"muniment/internal/flag"
	"muniment/internal/forward"
	"muniment/internal/journal"
	"muniment/internal/ledger"
	"muniment/internal/mail"
	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
	"muniment/internal/sqlite/sqlitetest"
	"muniment/internal/vault"
	"muniment/internal/verify"
)

const (
	official = "120363000000000001@g.us"
	officers = "120363000000000002@g.us"
	culvert  = "The culvert at Mill Lane is blocked again, who will ring the county about it?"
	fence    = "The fence of the allotments has blown down; Bo has the number of the contractor."
)

var (
	ann = record.Address{JID: "200000000000101@lid"}
	bo  = record.Address{JID: "200000000000102@lid"}
	// said is when the records of the stories were sent: they may be destroyed
	// from 3 March 2032, and stand on a list from 2 February.
	said = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
)

// council is an archive with the daemon's nightly work, a mail server that does
// what it is told, and a calendar.
type council struct {
	*testing.T
	dir     string
	db      *sqlite.DB
	archive *archive.Archive
	key     *ledger.Key
	d       *Disposal
	now     time.Time
	emails  []mail.Item // that were handed over
	answer  error       // of the mail server
	scrub   error       // of the session's scrub
}

func newCouncil(t *testing.T) *council {
	t.Helper()
	c := &council{T: t, dir: t.TempDir(), now: time.Date(2032, 1, 28, 12, 0, 0, 0, time.UTC)}
	var err error
	if c.db, err = sqlitetest.Create(context.Background(), filepath.Join(c.dir, "archive.db")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.db.Close() })
	key := filepath.Join(c.dir, "ledger.key")
	if err := ledger.NewKey(key, "example.gov.uk"); err != nil {
		t.Fatal(err)
	}
	if c.key, err = ledger.LoadKey(key); err != nil {
		t.Fatal(err)
	}
	c.write(func(tx *sqlite.Tx) error {
		if err := archive.Lay(tx, c.now, "sysadmin"); err != nil {
			return err
		}
		c.archive, err = archive.Load(tx, retention.ForYears(6))
		return err
	})
	c.restarts()
	c.d.Policy = Policy{Approval: Standing, Minute: "26/117", NoticeDays: 30, From: "muniment@example.gov.uk", To: "clerk@example.gov.uk"}
	return c
}

// restarts loses all that the program has in memory only.
func (c *council) restarts() {
	d := &Disposal{
		DB: c.db, Archive: c.archive, Key: c.key, Log: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return c.now }, Directory: c.dir,
		Verify: func(ctx context.Context) error {
			r, err := verify.Run(ctx, c.db, c.key, verify.With{Disposal: Faults})
			if err == nil && !r.OK() {
				err = errors.New(strings.Join(r.Faults, "; "))
			}
			return err
		},
		Vault:        &vault.Vault{Directory: filepath.Join(c.dir, "media"), DB: c.db, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return c.now }},
		Groups:       map[string]string{official: "Example councillors", officers: "Officers who look after the allotments"},
		ScrubSession: func(context.Context) error { return c.scrub },
		Issuer: Issuer{Council: "Example Parish Council", PolicyTitle: "WhatsApp and Social Media Policy", PolicyAdopted: "1 May 2025",
			PolicyMinute: "25/40", PolicySection: "5", Program: "muniment test", Host: "registry"},
	}
	if c.d != nil {
		d.Policy = c.d.Policy
	}
	c.d = d
}

func (c *council) write(f func(tx *sqlite.Tx) error) {
	c.Helper()
	if err := c.db.Write(context.Background(), f); err != nil {
		c.Fatal(err)
	}
}

func (c *council) captures(r record.Received) (k archive.Captured) {
	c.Helper()
	if r.Group == "" {
		r.Group = official
	}
	if r.Sent.IsZero() {
		r.Sent = said
	}
	c.write(func(tx *sqlite.Tx) (err error) { k, err = c.archive.Capture(tx, c.now, r); return err })
	return k
}

// says captures a message of March 2026.
func (c *council) says(who record.Address, id, text string) record.Seq {
	c.Helper()
	return c.captures(record.Received{Kind: record.Message, Type: record.Text, Sender: who, ID: id, Text: text, Protobuf: []byte("\n" + text)}).Seq
}

func (c *council) reacts(who record.Address, id, emoji, of string) record.Seq {
	c.Helper()
	return c.captures(record.Received{Kind: record.Reaction, Type: record.ReactionAdded, Sender: who, ID: id, Emoji: emoji,
		Target: &record.Ref{ID: of, Sender: ann}}).Seq
}

// night is the daemon's nightly work at three o'clock, London, of the next day,
// and what it owes is put to the mail server.
func (c *council) night() error {
	c.Helper()
	c.now = retention.DateOf(c.now).AddDays(1).Start().Add(3 * time.Hour)
	err := c.d.Nightly(context.Background())
	c.write(func(tx *sqlite.Tx) error { _, err := c.key.Sign(tx, c.now); return err })
	c.delivers()
	return err
}

// nightsUntil is every night up to that of the date.
func (c *council) nightsUntil(date retention.Date) {
	c.Helper()
	for retention.DateOf(c.now) < date {
		if err := c.night(); err != nil {
			c.Fatalf("night of %s: %v", retention.DateOf(c.now), err)
		}
	}
}

func (c *council) delivers() {
	c.Helper()
	compose := func(_ context.Context, it mail.Item) ([]byte, error) {
		if it.Kind == NoticeLetter {
			var err error
			c.write(func(tx *sqlite.Tx) error { _, err = c.d.Notice(tx, it.About); return nil })
			if errors.Is(err, ErrNoList) {
				return nil, mail.ErrNothingToSend
			}
		}
		c.emails = append(c.emails, it)
		return []byte("letter"), nil
	}
	send := func(context.Context, string, string, []byte) (string, error) { return "250 taken", c.answer }
	out := mail.New(c.db, c.d.Log, func(string) bool { return true }, send, compose, func() time.Time { return c.now }, 10_000)
	if err := out.DeliverDue(context.Background()); err != nil {
		c.Fatal(err)
	}
	if c.answer != nil {
		c.emails = nil
	}
}

// letters tells what was handed over, kind by kind.
func (c *council) letters() (kinds []string) {
	for _, it := range c.emails {
		kinds = append(kinds, fmt.Sprint(it.Kind, " ", it.About))
	}
	return kinds
}

func (c *council) expectLetters(want ...string) {
	c.Helper()
	if diff := cmp.Diff(want, c.letters()); diff != "" {
		c.Errorf("%s: handed over (-want +got)\n%s", retention.DateOf(c.now), diff)
	}
}

func (c *council) expectKept(want int64) {
	c.Helper()
	c.write(func(tx *sqlite.Tx) error {
		acc, err := c.archive.Count(tx)
		if acc.Kept != want {
			c.Errorf("%s: %d records kept; want %d", retention.DateOf(c.now), acc.Kept, want)
		}
		return err
	})
}

// doubt is why the list is not destroyed now.
func (c *council) doubt(list int64) (why string) {
	c.Helper()
	c.write(func(tx *sqlite.Tx) error {
		l, err := OpenList(tx, list)
		if err != nil {
			return err
		}
		if err := c.d.Doubts(tx, l); err != nil {
			why = err.Error()
		}
		return nil
	})
	return why
}

func (c *council) expectDoubt(list int64, want string) {
	c.Helper()
	if why := c.doubt(list); !strings.Contains(why, want) {
		c.Errorf("%s: list %d is in doubt because %q; want %q", retention.DateOf(c.now), list, why, want)
	}
}

func (c *council) certificate(run int64) (cert Certificate, err error) {
	err = c.db.Read(context.Background(), func(tx *sqlite.Tx) (err error) {
		cert, err = LoadCertificate(tx, run)
		return err
	})
	return cert, err
}

func (c *council) certified(run int64) Certificate {
	c.Helper()
	cert, err := c.certificate(run)
	if err != nil {
		c.Fatal(err)
	}
	return cert
}

func (c *council) journaled(a journal.Act) (n int) {
	c.Helper()
	c.write(func(tx *sqlite.Tx) error {
		return journal.Each(tx, func(e journal.Entry) error {
			if e.Act == a {
				n++
			}
			return nil
		})
	})
	return n
}

func (c *council) expectVerified() {
	c.Helper()
	if err := c.d.Verify(context.Background()); err != nil {
		c.Errorf("%s: %v", retention.DateOf(c.now), err)
	}
}

// expectNoTrace searches every file for a text in every form in which it might
// lie there.
func (c *council) expectNoTrace(text string) {
	c.Helper()
	if found := c.traces(text); len(found) > 0 {
		c.Errorf("%q is still in %q", text, found)
	}
}

func (c *council) traces(text string) (found []string) {
	c.Helper()
	forms := map[string][]byte{"raw": []byte(text)}
	var wide []byte
	for _, u := range utf16.Encode([]rune(text)) {
		wide = binary.LittleEndian.AppendUint16(wide, u)
	}
	forms["UTF-16"] = wide
	for shift := range 3 {
		s := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", shift) + text))
		forms[fmt.Sprint("base64/", shift)] = []byte(s[4 : len(s)-4]) // without what depends on its neighbours
	}
	if err := filepath.WalkDir(c.dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		for name, form := range forms {
			if bytes.Contains(b, form) {
				found = append(found, e.Name()+" "+name)
			}
		}
		return err
	}); err != nil {
		c.Fatal(err)
	}
	return found
}

// From the list to the certificate, day by day.
func TestSixYearsOn(t *testing.T) {
	c := newCouncil(t)
	c.says(ann, "3EB0AAAAAAAAAAAAAAAA", culvert)                      // 1
	c.reacts(bo, "3EB0BBBBBBBBBBBBBBBB", "👍", "3EB0AAAAAAAAAAAAAAAA") // 2
	newer := c.captures(record.Received{Kind: record.Message, Type: record.Text, Sender: bo, ID: "3EB0CCCCCCCCCCCCCCCC",
		Text: "New business altogether, of this very month.", Sent: c.now}).Seq // 3
	if len(c.traces(culvert)) == 0 {
		t.Fatal("the search finds nothing even before the destruction")
	}

	c.nightsUntil("2032-02-01")
	c.expectLetters()
	c.nightsUntil("2032-02-02")
	c.expectLetters("disposal notice 1")
	c.expectDoubt(1, "its day is 3 March 2032")
	c.write(func(tx *sqlite.Tx) error {
		n, err := c.d.Notice(tx, 1)
		n.List.DrawnUp = time.Time{}
		want := Notice{List: List{ID: 1, DestroyOn: "2032-03-03", Records: 2}, Approval: Standing, Minute: "26/117",
			From: "2026-03-02", To: "2026-03-02", Messages: 1, Reactions: 1, Groups: []GroupRecords{{official, []record.Seq{1, 2}}}}
		if diff := cmp.Diff(want, n); diff != "" {
			t.Errorf("notice (-want +got)\n%s", diff)
		}
		return err
	})
	c.nightsUntil("2032-03-02")
	c.expectKept(3)
	c.expectLetters("disposal notice 1")

	late := c.reacts(ann, "3EB0DDDDDDDDDDDDDDDD", "🙏", "3EB0AAAAAAAAAAAAAAAA") // 4: after the list was drawn up
	c.nightsUntil("2032-03-03")
	c.expectLetters("disposal notice 1", "disposal certificate 1")
	c.expectKept(1)
	for _, text := range []string{culvert, culvert[10:40], "3EB0AAAAAAAAAAAAAAAA", "3EB0BBBBBBBBBBBBBBBB", "3EB0DDDDDDDDDDDDDDDD", ann.JID} {
		c.expectNoTrace(text)
	}
	c.expectVerified()

	cert := c.certified(1)
	if len(cert.Destroyed) != 3 || cert.Destroyed[2].Seq != late {
		t.Errorf("destroyed: %+v; want records 1, 2 and %d", cert.Destroyed, late)
	}
	cert.expect(t, c, newer)
	c.nightsUntil("2032-03-10")
	c.expectKept(1)
	c.expectLetters("disposal notice 1", "disposal certificate 1")
	c.expectVerified()
}

// A list may hold records of several groups: notice and certificate say which, by name,
// and somebody's words that are such a name are no residue.
func TestRecordsOfSeveralGroups(t *testing.T) {
	c := newCouncil(t)
	in := func(group, id, text string) {
		c.captures(record.Received{Kind: record.Message, Type: record.Text, Group: group, Sender: ann, ID: id, Text: text, Protobuf: []byte("\n" + text)})
	}
	in(officers, "A1", c.d.Groups[officers])
	in(official, "A1", culvert)
	in("120363000000000003@g.us", "A1", fence)
	in(officers, "A2", "So do I.")
	c.nightsUntil("2032-02-02")
	c.write(func(tx *sqlite.Tx) error {
		n, err := c.d.Notice(tx, 1)
		want := []GroupRecords{{official, []record.Seq{2}}, {officers, []record.Seq{1, 4}}, {"120363000000000003@g.us", []record.Seq{3}}}
		if diff := cmp.Diff(want, n.Groups); diff != "" {
			t.Errorf("groups of the notice (-want +got)\n%s", diff)
		}
		return err
	})
	c.nightsUntil("2032-03-03")
	want := []GroupRecords{{"", []record.Seq{3}}, {"Example councillors", []record.Seq{2}}, {c.d.Groups[officers], []record.Seq{1, 4}}}
	if diff := cmp.Diff(want, c.certified(1).Groups); diff != "" {
		t.Errorf("groups of the certificate (-want +got)\n%s", diff)
	}
	c.expectNoTrace(officers)
}

// expect checks what the certificate of TestSixYearsOn says.
func (cert Certificate) expect(t *testing.T, c *council, newer record.Seq) {
	t.Helper()
	for _, s := range cert.Destroyed {
		if s.Seq == newer || s.SentOn != "2026-03-02" || s.DestroyedOn != "2032-03-03" || s.Class != retention.Messages {
			t.Errorf("destroyed: %+v", s)
		}
	}
	if cert.Files < 2 || cert.Bytes < 4096 {
		t.Errorf("searched %d files of %d bytes", cert.Files, cert.Bytes)
	}
	if _, err := c.key.Open(cert.Checkpoint); err != nil {
		t.Errorf("its checkpoint: %v", err)
	}
	r, err := verify.Run(context.Background(), c.db, c.key, verify.With{Checkpoints: []string{cert.Checkpoint}})
	if err != nil || !r.OK() {
		t.Errorf("its checkpoint does not verify: %v %v", r.Faults, err)
	}
	night := time.Date(2032, 3, 3, 3, 0, 0, 0, time.UTC)
	if _, err := c.key.OpenText(cert.Note); err != nil {
		t.Errorf("its signature: %v", err)
	}
	if bytes := cert.Counts.Bytes; bytes < int64(len(culvert)) {
		t.Errorf("%d bytes were destroyed", bytes)
	}
	cert.Destroyed, cert.Files, cert.Bytes, cert.Checkpoint, cert.Note, cert.body = nil, 0, 0, "", "", nil
	cert.Counts.Bytes, cert.Commitments, cert.Leaf = 0, nil, 0
	want := Certificate{
		Number: 1, Status: Final, Issued: night, List: 1, Issuer: c.d.Issuer, Authority: "standing approval, minute 26/117",
		NoticeOn: time.Date(2032, 2, 2, 3, 0, 0, 0, time.UTC), Started: night, Finished: night,
		Class: "WA-MSG", Rule: "WA-MSG: 6 years from the date of the message",
		SentFrom: "2026-03-02", SentTo: "2026-03-02", SearchedAt: night, Searched: 3,
		Counts: Counts{Messages: 1, Reactions: 2}, Copies: Copies{SearchEntries: 1, Keys: 3},
		Holds: []int64{}, Log: []journal.Stub{}, NotCovered: notCovered,
		Groups: []GroupRecords{{"Example councillors", []record.Seq{1, 2, 4}}},
		Emails: []EmailedCopy{}, // in JSON an empty list, not null
	}
	if diff := cmp.Diff(want, cert, cmp.AllowUnexported(Certificate{})); diff != "" {
		t.Errorf("certificate (-want +got)\n%s", diff)
	}
}

func TestNothingIsDestroyedInDoubt(t *testing.T) {
	if testing.Short() {
		t.Skip("one thing after another, which the race detector watches for long")
	}
	for _, tt := range []struct {
		name  string
		story func(c *council) // until the list's day is over
		doubt string           // empty: it is gone
	}{
		{"nothing speaks against it", func(*council) {}, ""},
		{"the council has not decided how to approve", func(c *council) { c.d.Policy.Approval = Unset }, "has not decided"},
		{"an approval of no known kind", func(c *council) { c.d.Policy.Approval = "perhaps" }, "has not decided"},
		{"a standing approval without a minute", func(c *council) { c.d.Policy.Minute = "" }, "names no minute"},
		{"nobody has approved this list", func(c *council) { c.d.Policy.Approval = Each }, "nobody has approved it yet"},
		{"the clerk has approved it", func(c *council) {
			c.d.Policy.Approval = Each
			c.nightsUntil("2032-02-20")
			c.approves(1)
		}, ""},
		{"everything is on hold", func(c *council) { c.nightsUntil("2032-02-20"); c.holds() }, "everything on it is on hold"},
		{"the mail server never answered", func(c *council) { c.answer = &mail.Failure{Stage: mail.Connecting} }, "not been accepted"},
		{"the notice was accepted five days late", func(c *council) {
			c.answer = &mail.Failure{Stage: mail.Connecting}
			c.nightsUntil("2032-02-06")
			c.answer = nil
		}, "the notice was accepted late; 30 days from it end on 8 March 2032"},
		{"the clock jumped", func(c *council) {
			c.nightsUntil("2032-02-10")
			c.now = c.now.AddDate(0, 0, 9)
		}, "clock jumped"},
		{"the clock jumped and was confirmed", func(c *council) {
			c.nightsUntil("2032-02-10")
			c.now = c.now.AddDate(0, 0, 9)
			c.nightsUntil("2032-02-25")
			c.write(func(tx *sqlite.Tx) error { return ConfirmClock(tx, c.now, "Jane Clerk", "the machine was off") })
		}, ""},
		{"the clock went back an hour, against the log", func(c *council) {
			c.nightsUntil("2032-02-10")
			c.now = c.now.Add(-30 * time.Hour)
		}, "clock jumped"},
		{"a day off is no jump", func(c *council) {
			c.nightsUntil("2032-02-10")
			c.now = c.now.AddDate(0, 0, 6)
		}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCouncil(t)
			c.says(ann, "3EB0AAAAAAAAAAAAAAAA", culvert)
			tt.story(c)
			c.nightsUntil("2032-03-04")
			if tt.doubt == "" {
				c.expectKept(0)
				c.certified(1)
				return
			}
			c.expectKept(1)
			c.expectDoubt(1, tt.doubt)
			if _, err := c.certificate(1); !errors.Is(err, ErrNoCertificate) {
				t.Errorf("certificate: %v; want none", err)
			}
		})
	}
}

func (c *council) approves(list int64) {
	c.Helper()
	c.write(func(tx *sqlite.Tx) error {
		_, err := Approve(tx, c.now, list, Approver{Who: "Jane Clerk", Role: "clerk", Reason: "looked through"})
		return err
	})
}

func (c *council) holds() (id int64) {
	c.Helper()
	c.write(func(tx *sqlite.Tx) (err error) {
		id, err = archive.PlaceHold(tx, c.now, "Jane Clerk", "flood inquiry", "", archive.Cover{Scope: archive.Everything})
		return err
	})
	return id
}

func (c *council) releases(id int64) {
	c.Helper()
	c.write(func(tx *sqlite.Tx) error { return archive.ReleaseHold(tx, c.now, id, "Jane Clerk", "closed") })
}

func TestApproval(t *testing.T) {
	c := newCouncil(t)
	c.d.Policy.Approval = Each
	c.says(ann, "3EB0AAAAAAAAAAAAAAAA", culvert)
	c.nightsUntil("2032-02-02")
	c.approves(1)
	for _, list := range []int64{1, 7} {
		if err := c.db.Write(context.Background(), func(tx *sqlite.Tx) error {
			_, err := Approve(tx, c.now, list, Approver{Who: "Ann", Role: "chair", Reason: ""})
			return err
		}); err == nil {
			t.Errorf("list %d was approved", list)
		}
	}
	c.nightsUntil("2032-03-03")
	if cert := c.certified(1); cert.Authority != "approved by the clerk on 2 February 2032" {
		t.Errorf("authority %q", cert.Authority)
	}
}

func TestTheNoticeArrivesLate(t *testing.T) {
	c := newCouncil(t)
	c.says(ann, "3EB0AAAAAAAAAAAAAAAA", culvert)
	c.answer = &mail.Failure{Stage: mail.Connecting}
	c.nightsUntil("2032-02-11")
	c.answer = nil
	c.nightsUntil("2032-02-12")
	c.nightsUntil("2032-03-12")
	c.expectKept(1)
	c.nightsUntil("2032-03-13") // 30 days from the 12th
	c.expectKept(0)
}

// What the mail server refuses for good is kept, and gets a list and a notice of
// its own once its day has come.
func TestTheNoticeIsRefused(t *testing.T) {
	c := newCouncil(t)
	c.says(ann, "3EB0AAAAAAAAAAAAAAAA", culvert)
	c.nightsUntil("2032-02-01")
	c.answer = &mail.Failure{Stage: mail.Connecting}
	c.nightsUntil("2032-02-02")
	c.write(func(tx *sqlite.Tx) error { // a mail.Failure can only be made by a server
		_, err := tx.Exec("UPDATE recipient SET state = ?, finished_at = next_attempt WHERE email IN (SELECT id FROM email WHERE kind = ?)", mail.Refused, NoticeLetter)
		return err
	})
	c.answer = nil
	c.nightsUntil("2032-03-02")
	c.expectDoubt(1, "its day")
	c.nightsUntil("2032-03-03")
	c.expectLetters("disposal notice 2")
	c.nightsUntil("2032-04-01")
	c.expectKept(1)
	c.nightsUntil("2032-04-02")
	c.expectKept(0)
	c.expectLetters("disposal notice 2", "disposal certificate 1")
}

// A hold stops the destruction; when it is released, what it held needs a new
// list, with its full notice.
func TestAHoldAndItsRelease(t *testing.T) {
	c := newCouncil(t)
	c.says(ann, "3EB0AAAAAAAAAAAAAAAA", culvert)
	c.nightsUntil("2032-02-20")
	hold := c.holds()
	c.nightsUntil("2032-03-10")
	c.expectKept(1)
	c.releases(hold)
	c.nightsUntil("2032-03-11")
	c.expectKept(1)
	c.expectLetters("disposal notice 1", "disposal notice 2")
	if n := c.journaled(journal.ListLapsed); n != 1 {
		t.Errorf("%d lists lapsed; want 1", n)
	}
	c.nightsUntil("2032-04-09")
	c.expectKept(1)
	c.nightsUntil("2032-04-10")
	c.expectKept(0)
	c.expectLetters("disposal notice 1", "disposal notice 2", "disposal certificate 1")
}

func TestOnHoldNothingIsListed(t *testing.T) {
	c := newCouncil(t)
	c.says(ann, "3EB0AAAAAAAAAAAAAAAA", culvert)
	c.holds()
	c.nightsUntil("2032-03-10")
	c.expectLetters()
}

// A clock that is years ahead lists nothing: the list would bear a day of then.
func TestAClockFarAhead(t *testing.T) {
	c := newCouncil(t)
	c.captures(record.Received{Kind: record.Message, Type: record.Text, Sender: ann, ID: "A1", Text: culvert, Sent: c.now})
	right := c.now
	c.now = c.now.AddDate(9, 0, 0)
	if err := c.night(); err != nil {
		t.Fatal(err)
	}
	c.now = right
	if err := c.night(); err != nil {
		t.Fatal(err)
	}
	c.expectLetters()
	c.expectKept(1)
	if n := c.journaled(journal.ClockJumped); n != 2 {
		t.Errorf("%d jumps are in the journal; want there and back", n)
	}
}

func TestAnArchiveThatDoesNotVerifyIsKept(t *testing.T) {
	c := newCouncil(t)
	c.says(ann, "3EB0AAAAAAAAAAAAAAAA", culvert)
	c.nightsUntil("2032-03-02")
	real := c.d.Verify
	c.d.Verify = func(context.Context) error { return errors.New("record 1 was altered") }
	c.nightsUntil("2032-03-03")
	c.expectKept(1)
	c.d.Verify = real
	c.nightsUntil("2032-03-04")
	c.expectKept(0)
}

// many captures more records than are destroyed in one transaction.
func (c *council) many() {
	for i := range 120 {
		c.says(ann, fmt.Sprintf("3EB0AAAAAAAAAAAAAA%04d", i), fmt.Sprintf("Message %d. %s", i, culvert))
	}
}

// begun begins the run of list 1 and destroys the first fifty; then the machine
// is switched off.
func (c *council) begun() {
	c.Helper()
	c.nightsUntil("2032-03-02")
	c.now = c.now.AddDate(0, 0, 1)
	ctx := context.Background()
	var l List
	c.write(func(tx *sqlite.Tx) (err error) { l, err = OpenList(tx, 1); return err })
	r, err := c.d.begin(ctx, l)
	if err != nil {
		c.Fatal(err)
	}
	if gone, err := c.d.step(ctx, l, r, r.seqs[:atOnce]); err != nil || len(gone.records) != atOnce {
		c.Fatalf("destroyed %d, err %v", len(gone.records), err)
	}
	c.restarts()
}

func TestAnInterruptedRunIsTakenUpAgain(t *testing.T) {
	c := newCouncil(t)
	c.many()
	c.begun()
	c.expectVerified()
	c.expectKept(70)
	c.nightsUntil("2032-03-04")
	c.expectKept(0)
	if cert := c.certified(1); len(cert.Destroyed) != 120 || cert.Searched != 70 || cert.Unsearched != 50 {
		t.Errorf("destroyed %d, searched for %d, not for %d; want 120, 70, 50", len(cert.Destroyed), cert.Searched, cert.Unsearched)
	}
	if n := c.journaled(journal.RunStarted); n != 1 {
		t.Errorf("%d runs started; want 1", n)
	}
	c.expectNoTrace(culvert)
	c.expectVerified()
}

// Everything is destroyed, but before the files are searched the daemon fails: as
// long as it lives it knows what to search for.
func TestTheScrubFails(t *testing.T) {
	if testing.Short() {
		t.Skip("one thing after another, which the race detector watches for long")
	}
	for _, tt := range []struct {
		name                 string
		between              func(c *council)
		searched, unsearched int
	}{
		{"and is tried again", func(*council) {}, 120, 0},
		{"and the daemon is started anew", (*council).restarts, 0, 120},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCouncil(t)
			c.many()
			c.nightsUntil("2032-03-02")
			c.scrub = errors.New("session: disk full")
			if err := c.night(); err == nil || !errors.Is(err, c.scrub) {
				t.Fatalf("the night went by with %v", err)
			}
			if _, err := c.certificate(1); !errors.Is(err, ErrNoCertificate) {
				t.Errorf("certificate: %v; want none", err)
			}
			c.scrub = nil
			tt.between(c)
			c.nightsUntil("2032-03-04")
			if cert := c.certified(1); len(cert.Destroyed) != 120 || cert.Searched != tt.searched || cert.Unsearched != tt.unsearched {
				t.Errorf("destroyed %d, searched for %d, not for %d", len(cert.Destroyed), cert.Searched, cert.Unsearched)
			}
			c.expectNoTrace(culvert)
		})
	}
}

// A run that destroys more than may be kept in memory searches the files in between. If that
// fails, what was destroyed since the last search is searched for as long as it is known.
func TestALargeRunSearchesInBetween(t *testing.T) {
	if testing.Short() {
		t.Skip("one thing after another, which the race detector watches for long")
	}
	SearchOften(t, 5)
	for _, tt := range []struct {
		name                 string
		searches             int  // of that night: of 50, 50 and 20 records, and of none
		fails                bool // the last of them
		between              func(c *council)
		searched, unsearched int
	}{
		{"and ends", 4, false, nil, 120, 0},
		{"and fails at the second search", 2, true, func(*council) {}, 120, 0},
		{"and the daemon is started anew after that", 2, true, (*council).restarts, 70, 50},
		{"and the daemon is started anew at its end", 3, true, (*council).restarts, 100, 20},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCouncil(t)
			c.many()
			c.nightsUntil("2032-03-02")
			searches := 0
			c.d.ScrubSession = func(context.Context) error {
				if searches++; tt.fails && searches == tt.searches {
					return errors.New("session: disk full")
				}
				return nil
			}
			if err := c.night(); (err != nil) != tt.fails || searches != tt.searches {
				t.Fatalf("the night went by with %v after %d searches", err, searches)
			}
			if tt.fails {
				if _, err := c.certificate(1); !errors.Is(err, ErrNoCertificate) {
					t.Errorf("certificate: %v; want none", err)
				}
				tt.between(c)
				c.nightsUntil("2032-03-04")
			}
			if cert := c.certified(1); len(cert.Destroyed) != 120 || cert.Searched != tt.searched || cert.Unsearched != tt.unsearched || cert.SearchedAt.IsZero() {
				t.Errorf("destroyed %d, searched for %d, not for %d; clean since %v", len(cert.Destroyed), cert.Searched, cert.Unsearched, cert.SearchedAt)
			}
			c.expectNoTrace(culvert)
			c.expectVerified()
		})
	}
}

// A hold placed while a run is interrupted keeps the rest. Released or not, the
// rest is not destroyed by this run.
func TestAHoldDuringARun(t *testing.T) {
	for _, released := range []bool{false, true} {
		t.Run(fmt.Sprintf("released again: %v", released), func(t *testing.T) {
			c := newCouncil(t)
			c.many()
			c.begun()
			hold := c.holds()
			if released {
				c.releases(hold)
			}
			c.nightsUntil("2032-03-05")
			c.expectKept(70)
			if cert := c.certified(1); len(cert.Destroyed) != 50 || cert.Kept != 70 {
				t.Errorf("destroyed %d, kept %d; want 50, 70", len(cert.Destroyed), cert.Kept)
			}
			if released {
				c.expectLetters("disposal notice 1", "disposal certificate 1", "disposal notice 2")
				c.nightsUntil("2032-04-10")
				c.expectKept(0)
			}
			c.expectVerified()
		})
	}
}

// Somebody left a copy where the archive lies: there is no certificate until it
// is gone, and none at all if the daemon forgot what to look for.
func TestResidue(t *testing.T) {
	if testing.Short() {
		t.Skip("one thing after another, which the race detector watches for long")
	}
	for _, tt := range []struct {
		name  string
		plant string
	}{
		{"a window of the text", "notes: " + culvert[24:60]},
		{"the message ID", "id=3EB0AAAAAAAAAAAAAAAA;"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCouncil(t)
			c.says(ann, "3EB0AAAAAAAAAAAAAAAA", culvert)
			other := c.captures(record.Received{Kind: record.Message, Type: record.Text, Sender: bo, ID: "B1", Text: fence, Sent: said.AddDate(0, 0, 3)})
			copied := filepath.Join(c.dir, "deep", "copy.txt")
			if err := errors.Join(os.Mkdir(filepath.Dir(copied), 0o700), os.WriteFile(copied, []byte(tt.plant), 0o600)); err != nil {
				t.Fatal(err)
			}
			c.nightsUntil("2032-03-02")
			for range 2 {
				if err := c.night(); err == nil || !strings.Contains(err.Error(), "still in the files") {
					t.Errorf("residue: %v", err)
				}
				if _, err := c.certificate(1); !errors.Is(err, ErrNoCertificate) {
					t.Errorf("certificate: %v; want none", err)
				}
			}
			if n := c.journaled(journal.ResidueFound); n != 1 {
				t.Errorf("residue is journaled %d times; want once", n)
			}
			c.expectKept(1)
			c.expectLetters("disposal notice 1", "disposal notice 2")
			if err := os.Remove(copied); err != nil {
				t.Fatal(err)
			}
			c.nightsUntil("2032-03-10") // which also is the other list's day: it was not held up
			if cert := c.certified(1); cert.Searched != 1 || cert.Found != 0 {
				t.Errorf("certificate: %+v", cert)
			}
			if cert := c.certified(2); cert.Destroyed[0].Seq != other.Seq {
				t.Errorf("the other list's certificate: %+v", cert)
			}
		})
	}
}

// What was found and is not known any more after a restart does not hold the run up
// for ever: the certificate says what could not be searched for, and that something
// had been found.
func TestResidueIsNotForgotten(t *testing.T) {
	c := newCouncil(t)
	c.says(ann, "3EB0AAAAAAAAAAAAAAAA", culvert)
	if err := os.WriteFile(filepath.Join(c.dir, "copy.txt"), []byte(culvert), 0o600); err != nil {
		t.Fatal(err)
	}
	c.nightsUntil("2032-03-02")
	if err := c.night(); err == nil {
		t.Fatal("residue was not found")
	}
	c.restarts()
	c.nightsUntil("2032-03-04")
	if cert := c.certified(1); cert.Searched != 0 || cert.Unsearched != 1 || cert.FoundBefore == 0 {
		t.Errorf("searched for %d, not for %d, found before %d", cert.Searched, cert.Unsearched, cert.FoundBefore)
	}
}

// What a surviving record says, or the program itself, is not residue, even if a
// destroyed record said it too.
func TestWhatOthersSayIsNoResidue(t *testing.T) {
	if testing.Short() {
		t.Skip("one thing after another, which the race detector watches for long")
	}
	for _, text := range []string{
		culvert, // which a newer record repeats
		"CREATE TABLE record (\n\tseq          INTEGER PRIMARY KEY,",
		"WhatsApp and Social Media Policy",
		"WA-MSG: 6 years from the date of the message",
		"Councillor Bartholomew Fairweather",
		"the council's flood inquiry of 2031",
		"SQLite format 3",
		strings.Repeat("\x00", 200),
		strings.Repeat("ha", 100),
		"clerk@example.gov.uk",
		"standing approval, minute 26/117",
	} {
		t.Run(text[:min(20, len(text))], func(t *testing.T) {
			c := newCouncil(t)
			c.says(ann, text, text) // as its ID, too
			c.captures(record.Received{Kind: record.Message, Type: record.Text, Sender: bo, ID: "B1", Text: culvert, Sent: c.now})
			c.write(func(tx *sqlite.Tx) error {
				return people.AddMember(tx, c.now, "sysadmin", "elected",
					people.Member{Name: "Councillor Bartholomew Fairweather", Role: "councillor"}, bo)
			})
			c.write(func(tx *sqlite.Tx) error {
				id, err := archive.PlaceHold(tx, c.now, "Jane Clerk", "the council's flood inquiry of 2031", "", archive.Cover{Scope: archive.Everything})
				if err != nil {
					return err
				}
				return archive.ReleaseHold(tx, c.now, id, "Jane Clerk", "closed")
			})
			c.nightsUntil("2032-03-03")
			c.certified(1)
		})
	}
}

// Quotations of what was destroyed go too, wherever they are; of a kind that this
// program does not read, nothing of the protobuf stays.
func TestNothingOfItsFamilyStays(t *testing.T) {
	c := newCouncil(t)
	c.says(ann, "3EB0AAAAAAAAAAAAAAAA", culvert)
	ref := record.Ref{ID: "3EB0AAAAAAAAAAAAAAAA", Sender: ann}
	c.captures(record.Received{Kind: record.Message, Type: record.Text, Sender: bo, ID: "B1", Text: "I shall ring them.", Sent: c.now,
		Target: &ref, Quotations: []record.Quotation{{Of: ref, Text: culvert, Protobuf: []byte("context " + culvert)}}})
	c.captures(record.Received{Kind: record.Unsupported, Type: "imageMessage", Sender: ann, ID: "3EB0EEEEEEEEEEEEEEEE",
		Protobuf: []byte("caption: " + fence)})
	c.nightsUntil("2032-03-03")
	c.expectKept(1)
	for _, text := range []string{culvert, fence, "3EB0AAAAAAAAAAAAAAAA", "3EB0EEEEEEEEEEEEEEEE"} {
		c.expectNoTrace(text)
	}
	c.expectVerified()
}

// Who stays in the group is known by what he calls himself now. A former name goes with
// the last record that bears it.
// What the clerk said of a message goes with it, and is no fault then.
func TestFlagsGoWithTheirMessages(t *testing.T) {
	c := newCouncil(t)
	seq := c.says(ann, "A1", "Agreed then: "+culvert)
	c.write(func(tx *sqlite.Tx) error {
		return flag.Reader{}.Dismiss(tx, c.now, "Jane Clerk", "nothing to be decided", []record.Seq{seq}, flag.Meeting)
	})
	c.nightsUntil("2032-03-03")
	c.expectKept(0)
	var left int
	c.write(func(tx *sqlite.Tx) error { return tx.QueryRow("SELECT count(*) FROM no_concern").Scan(&left) })
	if left != 0 {
		t.Errorf("of %d messages it is still kept that they were no concern", left)
	}
	c.expectNoTrace(culvert)
	c.expectVerified()
}

func TestFormerPushNamesGo(t *testing.T) {
	c := newCouncil(t)
	for i, name := range []string{"Annabel of the Allotments Society", "Annabel who keeps the bees"} {
		c.captures(record.Received{Kind: record.Message, Type: record.Text, Sender: ann, ID: fmt.Sprint("A", i), PushName: name, Text: "Hello.", Sent: said})
	}
	c.write(func(tx *sqlite.Tx) error {
		return people.Changed(tx, c.now, record.Received{Type: record.Present, Group: official, Participants: []record.Participant{{Address: ann}}})
	})
	c.nightsUntil("2032-03-03")
	c.expectKept(0)
	c.expectNoTrace("Annabel of the Allotments Society")
	c.write(func(tx *sqlite.Tx) error {
		names, err := people.LoadNames(tx)
		if name := names.OfJID(ann.JID); name != "Annabel who keeps the bees (name not verified)" {
			t.Errorf("she is called %q", name)
		}
		return err
	})
	c.expectVerified()
}

// The certificate names the emails that hold destroyed records, and the archive
// keeps no longer who marked them.
func TestEmailedCopies(t *testing.T) {
	c := newCouncil(t)
	rules := forward.Rules{Choice: record.DefaultRule, Marks: record.Marks{
		{Name: "important", Emoji: []string{"📌"}, Roles: []string{"councillor"}, Does: record.Forward},
		{Name: "concern", Emoji: []string{"🚩"}, Roles: []string{"councillor"}, Does: record.Report},
	},
		To: "council@example.gov.uk", Post: forward.Post{From: c.d.Policy.From, Clerk: c.d.Policy.To, Token: c.archive.Token()}}
	c.write(func(tx *sqlite.Tx) error {
		if err := people.AddMember(tx, c.now, "sysadmin", "elected", people.Member{Name: "Bo", Role: "councillor"}, bo); err != nil {
			return err
		}
		return people.Changed(tx, c.now, record.Received{Type: record.Present, Group: official, Participants: []record.Participant{{Address: ann}, {Address: bo}}})
	})
	c.says(ann, "A1", culvert)
	c.says(ann, "A2", fence)
	for n, emoji := range []string{"📌", "🚩", "👍"} { // the last takes the report back
		mark := record.Received{Kind: record.Reaction, Type: record.ReactionAdded, Group: official, Sender: bo, ID: fmt.Sprint("B", n), Emoji: emoji,
			Sent: said.Add(time.Duration(n) * time.Second), Target: &record.Ref{ID: fmt.Sprint("A", 1+(n+1)/2), Sender: ann}}
		c.write(func(tx *sqlite.Tx) error {
			k, err := c.archive.Capture(tx, c.now, mark)
			if err != nil {
				return err
			}
			if err := rules.Reacted(tx, c.now, mark, k); err != nil || n == 2 {
				return err
			}
			_, err = forward.Settle(tx, int64(n+1))
			return err
		})
		c.delivers()
	}
	sent := c.now
	c.nightsUntil("2032-03-03")
	want := []EmailedCopy{
		{Conversation: 1, MessageID: "conversation.1." + rules.Token + "@example.gov.uk", SentAt: sent, Records: 2},
		{Conversation: 2, MessageID: "conversation.2." + rules.Token + "@example.gov.uk", SentAt: sent, Records: 2},
		{Conversation: 2, Note: true, MessageID: "taken-back.1." + rules.Token + "@example.gov.uk", SentAt: sent, Records: 2},
	}
	if diff := cmp.Diff(want, c.certified(1).Emails); diff != "" {
		t.Errorf("emailed copies (-want +got)\n%s", diff)
	}
	c.write(func(tx *sqlite.Tx) error {
		v, err := forward.Load(tx, 1)
		if len(v.Marks) != 0 {
			t.Errorf("who marked it is still known: %+v", v.Marks)
		}
		return err
	})
}

func TestNightlyAsOftenAsOneLikes(t *testing.T) {
	if testing.Short() {
		t.Skip("one thing after another, which the race detector watches for long")
	}
	c := newCouncil(t)
	c.says(ann, "3EB0AAAAAAAAAAAAAAAA", culvert)
	for retention.DateOf(c.now) < "2032-03-05" {
		c.nightsUntil(retention.DateOf(c.now).AddDays(1))
		for range 2 {
			if err := c.d.Nightly(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
	}
	c.delivers()
	c.expectKept(0)
	c.expectLetters("disposal notice 1", "disposal certificate 1")
}

func TestMissedNights(t *testing.T) {
	c := newCouncil(t)
	c.says(ann, "3EB0AAAAAAAAAAAAAAAA", culvert)
	for range 8 { // every sixth night only
		c.now = c.now.AddDate(0, 0, 5)
		if err := c.night(); err != nil {
			t.Fatal(err)
		}
	}
	c.expectKept(0)
	c.expectLetters("disposal notice 1", "disposal certificate 1")
	if cert := c.certified(1); cert.Started.Before(cert.NoticeOn.AddDate(0, 0, 29)) {
		t.Errorf("notice on %v, destroyed on %v", cert.NoticeOn, cert.Started)
	}
}

// A reaction that comes after its message was listed needs no list of its own; one
// that comes when the message is gone does.
func TestLateReactions(t *testing.T) {
	c := newCouncil(t)
	c.says(ann, "3EB0AAAAAAAAAAAAAAAA", culvert)
	c.nightsUntil("2032-02-10")
	c.reacts(bo, "3EB0BBBBBBBBBBBBBBBB", "👍", "3EB0AAAAAAAAAAAAAAAA")
	c.nightsUntil("2032-03-03")
	c.expectKept(0)
	c.expectLetters("disposal notice 1", "disposal certificate 1")
	c.reacts(bo, "3EB0CCCCCCCCCCCCCCCC", "👎", "3EB0AAAAAAAAAAAAAAAA")
	c.nightsUntil("2032-04-02")
	c.expectKept(1)
	c.nightsUntil("2032-04-03")
	c.expectKept(0)
	c.expectLetters("disposal notice 1", "disposal certificate 1", "disposal notice 2", "disposal certificate 2")
}

// Everything on a list may go with the message that it belonged to, if that came
// last of all: there is no certificate of nothing.
func TestAnEmptiedListLapses(t *testing.T) {
	c := newCouncil(t)
	c.says(ann, "3EB0AAAAAAAAAAAAAAAA", culvert)
	c.nightsUntil("2032-02-10")
	c.write(func(tx *sqlite.Tx) error { _, err := tx.Exec("DELETE FROM disposal_item"); return err })
	c.d.Policy.NoticeDays = 1
	c.nightsUntil("2032-02-11")
	if n := c.journaled(journal.ListLapsed); n != 1 {
		t.Errorf("%d lists lapsed; want 1", n)
	}
}

// On which London day a message goes that was sent at such a time.
func TestTheDay(t *testing.T) {
	if testing.Short() {
		t.Skip("one thing after another, which the race detector watches for long")
	}
	for _, tt := range []struct {
		name string
		sent time.Time
		day  retention.Date
	}{
		{"a winter evening", time.Date(2026, 3, 2, 22, 30, 0, 0, time.UTC), "2032-03-03"},
		{"a summer night is the next day in London", time.Date(2026, 6, 30, 23, 30, 0, 0, time.UTC), "2032-07-02"},
		{"29 February", time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC), "2030-03-02"},
		{"28 February of a year before a leap year", time.Date(2026, 2, 28, 10, 0, 0, 0, time.UTC), "2032-02-29"},
		{"the last second of a year", time.Date(2026, 12, 31, 23, 59, 59, 0, time.UTC), "2033-01-01"},
		{"destroyed on the day that clocks go forward", time.Date(2026, 3, 27, 12, 0, 0, 0, time.UTC), "2032-03-28"},
		{"destroyed on the day that they go back", time.Date(2026, 10, 30, 12, 0, 0, 0, time.UTC), "2032-10-31"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCouncil(t)
			c.now = tt.day.AddDays(-33).Start().Add(12 * time.Hour)
			c.captures(record.Received{Kind: record.Message, Type: record.Text, Sender: ann, ID: "A1", Text: culvert, Sent: tt.sent})
			c.write(func(tx *sqlite.Tx) error { return ConfirmClock(tx, c.now, "Jane Clerk", "the story begins here") })
			c.nightsUntil(tt.day.AddDays(-31))
			c.expectLetters()
			c.nightsUntil(tt.day.AddDays(-30))
			c.expectLetters("disposal notice 1")
			c.nightsUntil(tt.day.AddDays(-1))
			c.expectKept(1)
			c.nightsUntil(tt.day)
			c.expectKept(0)
		})
	}
}
