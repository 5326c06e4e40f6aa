package archive

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muniment/internal/journal"
	"muniment/internal/ledger"
	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
	"muniment/internal/sqlite/sqlitetest"
)

const official = "120363000000000001@g.us"

var (
	ann    = record.Address{JID: "200000000000101@lid"}
	bo     = record.Address{JID: "200000000000102@lid"}
	monday = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
)

// office is an archive, and a clock that goes a minute with every capture.
type office struct {
	testing.TB
	db      *sqlite.DB
	archive *Archive
	now     time.Time
}

func newOffice(t testing.TB) *office {
	t.Helper()
	db, err := sqlitetest.Create(context.Background(), filepath.Join(t.TempDir(), "archive.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	o := &office{TB: t, db: db, now: monday}
	o.write(func(tx *sqlite.Tx) error {
		if err := Lay(tx, o.now, "sysadmin"); err != nil {
			return err
		}
		var err error
		o.archive, err = Load(tx, retention.ForYears(6))
		return err
	})
	return o
}

func (o *office) write(f func(tx *sqlite.Tx) error) {
	o.Helper()
	if err := o.db.Write(context.Background(), f); err != nil {
		o.Fatal(err)
	}
}

func (o *office) captures(r record.Received) (c Captured) {
	o.Helper()
	o.now = o.now.Add(time.Minute)
	if r.Sent.IsZero() {
		r.Sent = o.now
	}
	if r.Group == "" {
		r.Group = official
	}
	o.write(func(tx *sqlite.Tx) (err error) {
		c, err = o.archive.Capture(tx, o.now, r)
		return err
	})
	return c
}

// those are participants who are no admins.
func those(who ...record.Address) (ps []record.Participant) {
	for _, a := range who {
		ps = append(ps, record.Participant{Address: a})
	}
	return ps
}

func says(who record.Address, id, text string) record.Received {
	return record.Received{Kind: record.Message, Type: record.Text, ID: id, Sender: who, Text: text, Protobuf: []byte("pb " + text)}
}

func reacts(who record.Address, id, emoji string, to record.Address, of string) record.Received {
	r := record.Received{Kind: record.Reaction, Type: record.ReactionAdded, ID: id, Sender: who, Emoji: emoji,
		Target: &record.Ref{ID: of, Sender: to}}
	if emoji == "" {
		r.Type = record.ReactionRemoved
	}
	return r
}

// quotes answers a message and carries what it claims that the message said.
func quotes(who record.Address, id, text string, to record.Address, of, quoted string) record.Received {
	r := says(who, id, text)
	ref := record.Ref{ID: of, Sender: to}
	r.Target = &ref
	r.Quotations = []record.Quotation{{Of: ref, Text: quoted, Protobuf: []byte("pb " + quoted)}}
	return r
}

func (o *office) records() (rs []Record) {
	o.Helper()
	o.write(func(tx *sqlite.Tx) error {
		return Each(tx, func(r Record) error { rs = append(rs, r); return nil })
	})
	return rs
}

func (o *office) record(seq record.Seq) Record {
	o.Helper()
	var rs []Record
	o.write(func(tx *sqlite.Tx) (err error) { rs, err = Some(tx, []record.Seq{seq}); return err })
	if len(rs) != 1 {
		o.Fatalf("record %d: found %d of them", seq, len(rs))
	}
	return rs[0]
}

func (o *office) account() (a Tally) {
	o.Helper()
	o.write(func(tx *sqlite.Tx) (err error) { a, err = o.archive.Count(tx); return err })
	return a
}

// number is what one query counts: for what the package has no function for.
func (o *office) number(query string, args ...any) (n int64) {
	o.Helper()
	o.write(func(tx *sqlite.Tx) error { return tx.QueryRow(query, args...).Scan(&n) })
	return n
}

func (o *office) journaled(a journal.Act) (n int) {
	o.Helper()
	o.write(func(tx *sqlite.Tx) error {
		return journal.Each(tx, func(e journal.Entry) error {
			if e.Act == a {
				n++
			}
			return nil
		})
	})
	return n
}

// expectSound derives every leaf anew and compares it with the ledger.
func (o *office) expectSound() {
	o.Helper()
	o.write(func(tx *sqlite.Tx) error {
		hashes := make(map[int64]ledger.Hash)
		if err := ledger.Hashes(tx, func(idx int64, h ledger.Hash) error { hashes[idx] = h; return nil }); err != nil {
			return err
		}
		return Leaves(tx, func(l Leaf) error {
			if h := hashes[storedIndex(l.Leaf)]; !l.Stub && h != l.Hash {
				o.Errorf("record %d does not agree with its leaf", l.Seq)
			}
			for _, f := range l.Faults {
				o.Errorf("record %d: %s", l.Seq, f)
			}
			return nil
		})
	})
}

// storedIndex is where the ledger stores a leaf: after all the hashes that those
// before it completed.
func storedIndex(leaf int64) (idx int64) {
	for ; leaf > 0; leaf >>= 1 {
		idx += leaf
	}
	return idx
}

func TestCaptureTwiceIsOneRecord(t *testing.T) {
	o := newOffice(t)
	r := says(ann, "A1", "The culvert is blocked.")
	r.Sent = monday
	first := o.captures(r)
	again := o.captures(r)
	if !first.Fresh || again.Fresh || first.Seq != 1 || again.Seq != 1 {
		t.Errorf("captured as %+v, then as %+v", first, again)
	}
	if n := len(o.records()); n != 1 {
		t.Errorf("%d records; want 1", n)
	}
	o.expectSound()
}

func TestWhatIsARecordOfItsOwn(t *testing.T) {
	base := says(ann, "A1", "Agreed.")
	base.Group, base.Sent = official, monday
	for _, tt := range []struct {
		name   string
		change func(r *record.Received)
		fresh  bool
	}{
		{"the same again", func(*record.Received) {}, false},
		{"the same with another text", func(r *record.Received) { r.Text = "Not agreed." }, false},
		{"the same with another time", func(r *record.Received) { r.Sent = monday.Add(time.Hour) }, false},
		{"the same, unreadable to this version", func(r *record.Received) { r.Kind = record.Unsupported }, false},
		{"the same ID from another sender", func(r *record.Received) { r.Sender = bo }, true},
		{"the same ID in another group", func(r *record.Received) { r.Group = "other@g.us" }, true},
		{"another ID", func(r *record.Received) { r.ID = "A2" }, true},
		{"a reaction under the same ID", func(r *record.Received) {
			*r = reacts(ann, "A1", "👍", bo, "B1")
			r.Group, r.Sent = official, monday
		}, true},
		{"a change of participants without an ID", func(r *record.Received) {
			*r = record.Received{Kind: record.Participants, Type: record.Left, Group: official, Sender: ann, Sent: monday,
				Participants: those(ann)}
		}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOffice(t)
			o.captures(base)
			r := base
			tt.change(&r)
			if c := o.captures(r); c.Fresh != tt.fresh {
				t.Errorf("captured as %+v; want fresh %v", c, tt.fresh)
			}
			o.expectSound()
		})
	}
}

func TestChangesOfParticipants(t *testing.T) {
	o := newOffice(t)
	left := record.Received{Kind: record.Participants, Type: record.Left, Sender: ann, Sent: monday,
		Participants: those(ann, bo), Version: "7"}
	o.captures(left)
	turned := left
	turned.Participants = those(bo, ann)
	if c := o.captures(turned); c.Fresh {
		t.Error("the same people in another order are another record")
	}
	for name, change := range map[string]func(r *record.Received){
		"another time":   func(r *record.Received) { r.Sent = monday.Add(time.Second) },
		"another type":   func(r *record.Received) { r.Type = record.Removed },
		"another actor":  func(r *record.Received) { r.Sender = bo },
		"other people":   func(r *record.Received) { r.Participants = those(bo) },
		"a later change": func(r *record.Received) { r.Version = "8" },
	} {
		r := left
		change(&r)
		if c := o.captures(r); !c.Fresh {
			t.Errorf("%s: not a record of its own", name)
		}
	}
	if rs := o.records(); len(rs) != 6 || len(rs[0].Participants) != 2 {
		t.Errorf("records: %+v", rs)
	}
	o.expectSound()
}

// Record, leaf, quotation and person are on disk together, or none of them is.
func TestCaptureIsAllOrNothing(t *testing.T) {
	o := newOffice(t)
	o.captures(says(ann, "A1", "first"))
	refused := errors.New("refused")
	before := o.number("SELECT count(*) FROM tree_hash")
	err := o.db.Write(context.Background(), func(tx *sqlite.Tx) error {
		r := quotes(bo, "B1", "second", ann, "A1", "first")
		r.Group, r.Sent = official, o.now
		_, err := o.archive.Capture(tx, o.now, r)
		return errors.Join(err, refused)
	})
	if !errors.Is(err, refused) {
		t.Fatal(err)
	}
	for table, want := range map[string]int64{"record": 1, "quotation": 0, "address": 1, "tree_hash": before} {
		if n := o.number("SELECT count(*) FROM " + table); n != want {
			t.Errorf("%d rows in %s; want %d", n, table, want)
		}
	}
	if c := o.captures(quotes(bo, "B1", "second", ann, "A1", "first")); !c.Fresh || c.Seq != 2 {
		t.Errorf("captured afterwards as %+v; want record 2", c)
	}
	o.expectSound()
}

func TestARecordIsNeverAltered(t *testing.T) {
	o := newOffice(t)
	o.captures(says(ann, "A1", "first"))
	var columns string // but for who the sender is found to be, and the due date, which has a rule of its own
	o.write(func(tx *sqlite.Tx) error {
		return tx.QueryRow("SELECT group_concat(name, ' ') FROM pragma_table_info('record') WHERE name NOT IN ('person', 'due', 'due_from', 'years')").Scan(&columns)
	})
	for _, column := range strings.Fields(columns) {
		err := o.db.Write(context.Background(), func(tx *sqlite.Tx) error {
			_, err := tx.Exec("UPDATE record SET " + column + " = " + column)
			return err
		})
		if err == nil || !strings.Contains(err.Error(), "never altered") {
			t.Errorf("UPDATE of %s: %v; want a refusal", column, err)
		}
	}
}

// A due date is fixed at capture; only that of a reaction changes, when its message
// arrives.
func TestADueDateIsFixed(t *testing.T) {
	o := newOffice(t)
	o.captures(says(ann, "A1", "first"))
	o.captures(reacts(bo, "B1", "👍", ann, "A1"))
	for _, change := range []string{"due = '2026-03-03'", "years = 1", "due_from = 'parent'", "due_from = 'own'", "due = '2026-03-03', due_from = 'own'"} {
		err := o.db.Write(context.Background(), func(tx *sqlite.Tx) error {
			_, err := tx.Exec("UPDATE record SET " + change)
			return err
		})
		if err == nil || !strings.Contains(err.Error(), "fixed once") {
			t.Errorf("UPDATE SET %s: %v; want a refusal", change, err)
		}
	}
}

// Whatever bytes a member sends, what is kept gives the same leaf again.
func TestAnyBytesAreKeptAsTheyCame(t *testing.T) {
	o := newOffice(t)
	for i, text := range []string{"", "\x00", "a\x00b", "\xff\xfe", "☔\uFE0F", strings.Repeat("long ", 20000), `{"json":"\u2028"}`} {
		r := quotes(ann, fmt.Sprint("A", i, text[:min(4, len(text))]), text, bo, text[:min(4, len(text))], text)
		r.PushName, r.Emoji, r.Version = text, text, text
		r.Protobuf = []byte(text)
		c := o.captures(r)
		if got := o.record(c.Seq); got.Text != text {
			t.Errorf("kept %q of %q", got.Text, text)
		}
	}
	r := says(ann, "none", "")
	r.Protobuf = nil
	o.captures(r)
	o.expectSound()
}

func TestNumbersAreNeverUsedAgain(t *testing.T) {
	o := newOffice(t)
	for i := range 3 {
		o.captures(says(ann, fmt.Sprint("A", i), "soon gone"))
	}
	o.passes(7)
	o.destroys(3)
	if c := o.captures(says(ann, "A9", "later")); c.Seq != 4 {
		t.Errorf("the record after the last was destroyed is %d; want 4", c.Seq)
	}
	o.destroys(1, 2)
	if c := o.captures(says(ann, "A10", "later")); c.Seq != 5 {
		t.Errorf("and then %d; want 5", c.Seq)
	}
}

// passes lets years go by.
func (o *office) passes(years int) { o.now = o.now.AddDate(years, 0, 0) }

func (o *office) destroys(seqs ...record.Seq) (gone []record.Seq) {
	o.Helper()
	o.write(func(tx *sqlite.Tx) error {
		ds, err := o.archive.Destroy(tx, Destruction{Run: 1, On: retention.DateOf(o.now), Authority: "minute 12"}, seqs)
		for _, d := range ds {
			gone = append(gone, d.Seq)
		}
		return err
	})
	return gone
}

func TestDueDates(t *testing.T) {
	for _, tt := range []struct {
		name string
		sent time.Time
		due  retention.Date
	}{
		{"six years and a day, London date", time.Date(2025, 6, 30, 23, 30, 0, 0, time.UTC), "2031-07-02"},
		{"29 February", time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC), "2030-03-02"},
		{"a clock a day ahead is believed", monday.Add(23 * time.Hour), "2032-03-04"},
		{"a clock of the future is not: it counts from capture", monday.AddDate(10, 0, 0), "2032-03-03"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOffice(t)
			r := says(ann, "A1", "x")
			r.Sent = tt.sent
			if due := o.record(o.captures(r).Seq).Due; due != tt.due {
				t.Errorf("due %s; want %s", due, tt.due)
			}
		})
	}
}

func TestAReactionFollowsItsMessagesClock(t *testing.T) {
	o := newOffice(t)
	o.captures(says(ann, "A1", "old"))
	o.passes(5)
	if due := o.record(o.captures(reacts(bo, "B1", "👍", ann, "A1")).Seq).Due; due != "2032-03-03" {
		t.Errorf("the reaction is due %s; want 2032-03-03 as the message", due)
	}
}

// After an absence a reaction and a quotation arrive before the message that they
// belong to. They take its clock when it comes, once, and the journal says so.
func TestTheMessageArrivesAfterItsReactions(t *testing.T) {
	o := newOffice(t)
	sent := o.now
	o.passes(1)
	early := o.captures(reacts(bo, "B1", "👍", ann, "A1")).Seq
	o.captures(quotes(bo, "B2", "see above", ann, "A1", "old"))
	if due := o.record(early).Due; due != "2033-03-03" {
		t.Errorf("the reaction is due %s; want its own date for now", due)
	}
	m := says(ann, "A1", "old")
	m.Sent = sent
	seq := o.captures(m).Seq
	o.captures(m)
	if r := o.record(early); r.Due != "2032-03-03" || r.ReplyTo != seq {
		t.Errorf("the reaction is due %s and of record %d; want 2032-03-03, %d", r.Due, r.ReplyTo, seq)
	}
	if n := o.number("SELECT count(*) FROM quotation WHERE due = '2032-03-03'"); n != 1 {
		t.Errorf("%d quotations on the original's clock; want 1", n)
	}
	if n := o.journaled(journal.ParentArrived); n != 1 {
		t.Errorf("journaled %d times; want once", n)
	}
	o.expectSound()
}

func TestQuotations(t *testing.T) {
	for _, tt := range []struct {
		name  string
		story func(o *office)
		due   string
		kept  int64
	}{
		{"on the original's clock", func(o *office) {
			o.captures(says(ann, "A1", "old"))
			o.passes(2)
			o.captures(quotes(bo, "B1", "reply", ann, "A1", "old"))
		}, "2032-03-03", 1},
		{"on the reply's while the original is not known", func(o *office) {
			o.passes(2)
			o.captures(quotes(bo, "B1", "reply", ann, "A1", "old"))
		}, "2034-03-03", 1},
		{"of a destroyed message only the digest", func(o *office) {
			o.captures(says(ann, "A1", "old"))
			o.passes(7)
			o.destroys(1)
			o.captures(quotes(bo, "B1", "reply", ann, "A1", "old"))
		}, "2032-03-03", 0},
		{"it goes when the original goes", func(o *office) {
			o.captures(says(ann, "A1", "old"))
			o.passes(5)
			o.captures(quotes(bo, "B1", "reply", ann, "A1", "old"))
			o.passes(2)
			o.destroys(1)
		}, "2032-03-03", 0},
		{"of a message past its time but on hold it is kept", func(o *office) {
			o.captures(says(ann, "A1", "old"))
			o.passes(7)
			o.captures(quotes(bo, "B1", "reply", ann, "A1", "old"))
		}, "2032-03-03", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOffice(t)
			tt.story(o)
			var due string
			o.write(func(tx *sqlite.Tx) error { return tx.QueryRow("SELECT due FROM quotation").Scan(&due) })
			kept := o.number("SELECT count(*) FROM quotation WHERE salt IS NOT NULL AND text = 'old' AND protobuf IS NOT NULL")
			bare := o.number(`SELECT count(*) FROM quotation WHERE salt IS NULL AND id IS NULL AND sender IS NULL
				AND text IS NULL AND protobuf IS NULL`)
			if due != tt.due || kept != tt.kept || bare != 1-tt.kept {
				t.Errorf("due %s, %d kept, %d bare; want %s, %d kept", due, kept, bare, tt.due, tt.kept)
			}
			o.expectSound()
		})
	}
}

func TestAReplyTakesItsQuotationsAlong(t *testing.T) {
	o := newOffice(t)
	o.captures(quotes(bo, "B1", "reply", ann, "never seen", "from elsewhere"))
	o.passes(7)
	o.destroys(1)
	if n := o.number("SELECT count(*) FROM quotation"); n != 0 {
		t.Errorf("%d quotations left", n)
	}
}

func TestDestroyedStaysDestroyed(t *testing.T) {
	o := newOffice(t)
	r := says(record.Address{JID: ann.JID, Alt: "447700900101@s.whatsapp.net"}, "A1", "old")
	r.Sent = monday
	o.captures(r)
	o.passes(7)
	o.destroys(1)
	// Everything else that was known of the sender is forgotten too.
	o.write(func(tx *sqlite.Tx) error { return people.ForgetStrangers(tx, nil, nil, nil) })
	o.captures(says(bo, "B1", "a new person, who may bear a number used before"))
	for _, sender := range []record.Address{r.Sender, ann} {
		r.Sender = sender
		if c := o.captures(r); c.Fresh || c.Seq != 1 {
			t.Errorf("redelivered, it is %+v; want the stub of record 1", c)
		}
	}
	rs := o.records()
	want := Record{Seq: 1, Class: retention.Messages, SentOn: "2026-03-02", Destroyed: "2033-03-02"}
	if diff := cmp.Diff(want, rs[0]); diff != "" {
		t.Errorf("stub (-want +got)\n%s", diff)
	}
	if late := o.record(o.captures(reacts(bo, "B2", "👍", ann, "A1")).Seq); late.Due != "2032-03-03" || late.ReplyTo != 1 {
		t.Errorf("a reaction to a destroyed message is due %s, of record %d", late.Due, late.ReplyTo)
	}
	o.expectSound()
}

func TestDestroy(t *testing.T) {
	story := func(t *testing.T) *office {
		o := newOffice(t)
		o.captures(says(ann, "A1", "old"))           // 1
		o.captures(reacts(bo, "B1", "👍", ann, "A1")) // 2
		o.captures(says(ann, "A2", "old too"))       // 3
		o.captures(reacts(bo, "B2", "👍", ann, "A2")) // 4
		o.now = time.Date(2032, 3, 3, 3, 0, 0, 0, time.UTC)
		o.captures(reacts(ann, "A3", "👍", ann, "A1")) // 5: late
		o.captures(says(bo, "B3", "new"))             // 6
		return o
	}
	for _, tt := range []struct {
		name string
		do   func(o *office)
		seqs []record.Seq
		want []record.Seq
	}{
		{"it takes the reactions along, late ones too", func(*office) {}, []record.Seq{1}, []record.Seq{1, 2, 5}},
		{"one that is not due is refused", func(*office) {}, []record.Seq{6}, nil},
		{"it is not due the day before", func(o *office) { o.now = o.now.AddDate(0, 0, -1) }, []record.Seq{1}, nil},
		{"one on hold is refused, with its reactions", func(o *office) { o.holds("flood inquiry") }, []record.Seq{1, 3}, nil},
		{"once released it may go", func(o *office) { o.releases(o.holds("flood inquiry")) }, []record.Seq{1}, []record.Seq{1, 2, 5}},
		{"while any hold is in force nothing goes", func(o *office) {
			first := o.holds("flood inquiry")
			o.holds("claim")
			o.releases(first)
		}, []record.Seq{1}, nil},
		{"what is not there is no error", func(*office) {}, []record.Seq{99}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := story(t)
			tt.do(o)
			if diff := cmp.Diff(tt.want, o.destroys(tt.seqs...)); diff != "" {
				t.Errorf("destroyed (-want +got)\n%s", diff)
			}
			if kept := o.account().Kept; kept != int64(6-len(tt.want)) {
				t.Errorf("%d kept", kept)
			}
			o.expectSound()
		})
	}
}

func (o *office) holds(reason string) (id int64) {
	o.Helper()
	o.write(func(tx *sqlite.Tx) (err error) {
		id, err = PlaceHold(tx, o.now, "Jane Clerk", reason, "", Cover{Scope: Everything})
		return err
	})
	return id
}

func (o *office) releases(id int64) {
	o.Helper()
	o.write(func(tx *sqlite.Tx) error { return ReleaseHold(tx, o.now, id, "Jane Clerk", "settled") })
}

func TestHolds(t *testing.T) {
	o := newOffice(t)
	o.captures(says(ann, "A1", "x"))
	id := o.holds("flood inquiry")
	if a := o.account(); a.OnHold != 1 || !o.record(1).OnHold {
		t.Errorf("on hold: %+v", a)
	}
	o.releases(id)
	for _, gone := range []int64{id, 99} {
		if err := o.db.Write(context.Background(), func(tx *sqlite.Tx) error {
			return ReleaseHold(tx, o.now, gone, "Jane Clerk", "again")
		}); !errors.Is(err, ErrNoHold) {
			t.Errorf("release of hold %d: %v; want ErrNoHold", gone, err)
		}
	}
	o.write(func(tx *sqlite.Tx) error {
		hs, err := Holds(tx)
		want := []Hold{{ID: 1, Kind: Other, Cover: Cover{Scope: Everything}, Reason: "flood inquiry", PlacedBy: "Jane Clerk", Placed: o.now,
			ReleasedBy: "Jane Clerk", Released: o.now, ReleaseReason: "settled"}}
		if diff := cmp.Diff(want, hs); diff != "" {
			t.Errorf("holds (-want +got)\n%s", diff)
		}
		return err
	})
	if o.journaled(journal.HoldPlaced) != 1 || o.journaled(journal.HoldReleased) != 1 {
		t.Error("a hold was not journaled")
	}
}

func TestReactionsAmendOneAnother(t *testing.T) {
	type view struct {
		Seq, Amends record.Seq
		Effective   bool
	}
	at := func(minute int, r record.Received) record.Received {
		r.Sent = monday.Add(time.Duration(minute) * time.Minute)
		return r
	}
	for _, tt := range []struct {
		name      string
		reactions []record.Received
		want      []view
	}{
		{"one stands", []record.Received{at(1, reacts(bo, "B1", "👍", ann, "A1"))}, []view{{2, 0, true}}},
		{"changed, then taken back", []record.Received{
			at(1, reacts(bo, "B1", "👍", ann, "A1")), at(2, reacts(bo, "B2", "📌", ann, "A1")), at(3, reacts(bo, "B3", "", ann, "A1")),
		}, []view{{2, 0, false}, {3, 2, false}, {4, 3, true}}},
		{"in whatever order they arrive", []record.Received{
			at(3, reacts(bo, "B3", "", ann, "A1")), at(1, reacts(bo, "B1", "👍", ann, "A1")), at(2, reacts(bo, "B2", "📌", ann, "A1")),
		}, []view{{2, 4, true}, {3, 0, false}, {4, 3, false}}},
		{"of the same second the later arrived counts", []record.Received{
			at(1, reacts(bo, "B1", "👍", ann, "A1")), at(1, reacts(bo, "B2", "", ann, "A1")),
		}, []view{{2, 0, false}, {3, 2, true}}},
		{"another person's is another matter", []record.Received{
			at(1, reacts(bo, "B1", "👍", ann, "A1")), at(2, reacts(ann, "A2", "📌", ann, "A1")),
		}, []view{{2, 0, true}, {3, 0, true}}},
		{"and so is another message's", []record.Received{
			at(1, reacts(bo, "B1", "👍", ann, "A1")), at(2, reacts(bo, "B2", "📌", ann, "A0")),
		}, []view{{2, 0, true}, {3, 0, true}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOffice(t)
			o.captures(says(ann, "A1", "x"))
			for _, r := range tt.reactions {
				o.captures(r)
			}
			var got []view
			for _, r := range o.records()[1:] {
				got = append(got, view{r.Seq, r.Amends, r.Effective})
				var superseded bool
				o.write(func(tx *sqlite.Tx) (err error) { superseded, err = Superseded(tx, r.Seq); return err })
				if superseded == r.Effective {
					t.Errorf("record %d: superseded %v, effective %v", r.Seq, superseded, r.Effective)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("reactions (-want +got)\n%s", diff)
			}
		})
	}
}

// Ann is met by her LID; later WhatsApp says whose number that is, and she was
// known by that already. What was captured under either is found under both.
func TestAPersonTurnsOutToBeAnother(t *testing.T) {
	o := newOffice(t)
	number := record.Address{JID: "447700900101@s.whatsapp.net"}
	both := record.Address{JID: number.JID, Alt: ann.JID}
	elder := o.captures(says(number, "A0", "by my number")).Person
	m := o.captures(says(ann, "A1", "by my LID"))
	o.captures(reacts(ann, "R1", "📌", bo, "B1")) // of a message that is not here yet
	if m.Person == elder {
		t.Fatal("known to be one all along")
	}

	if c := o.captures(says(both, "A1", "by my LID")); c.Fresh || c.Seq != m.Seq || c.Person != elder {
		t.Errorf("redelivered after the merge, it is %+v; want record %d of person %d", c, m.Seq, elder)
	}
	for i, to := range []record.Address{ann, number, both} {
		if c := o.captures(reacts(bo, fmt.Sprint("R2", i), "👍", to, "A1")); o.record(c.Seq).ReplyTo != m.Seq {
			t.Errorf("a reaction to her message by %+v does not find it", to)
		}
		if c := o.captures(quotes(bo, fmt.Sprint("Q2", i), "yes", to, "A0", "by my number")); o.record(c.Seq).ReplyTo != 1 {
			t.Errorf("a reply to her message by %+v does not find it", to)
		}
	}
	back := o.captures(reacts(both, "R3", "", bo, "B1"))
	if r := o.record(back.Seq); r.Amends != 3 || o.record(3).Effective {
		t.Errorf("what she takes back amends %d; want 3, captured when she was another", r.Amends)
	}
	o.expectSound()
}

// Reactions to a message arrive before it, under an address that only later turns
// out to be its sender's.
func TestAReactionKnewItsSenderByAnotherName(t *testing.T) {
	o := newOffice(t)
	number := "447700900101@s.whatsapp.net"
	early := o.captures(reacts(bo, "R1", "👍", record.Address{JID: number}, "A1"))
	m := o.captures(says(record.Address{JID: ann.JID, Alt: number}, "A1", "x"))
	late := o.captures(reacts(bo, "R2", "", ann, "A1"))
	if o.record(early.Seq).ReplyTo != m.Seq || o.record(late.Seq).ReplyTo != m.Seq || o.record(early.Seq).Effective {
		t.Errorf("the reactions are of %d and %d; want %d", o.record(early.Seq).ReplyTo, o.record(late.Seq).ReplyTo, m.Seq)
	}
}

func TestGaps(t *testing.T) {
	o := newOffice(t)
	miss := func(by record.Address, id string) {
		o.write(func(tx *sqlite.Tx) error {
			return o.archive.MissMessage(tx, o.now, Missed{Group: official, Ref: record.Ref{ID: id, Sender: by}, Cause: "no session"})
		})
	}
	open := func() (n int) {
		o.write(func(tx *sqlite.Tx) error {
			gs, err := Gaps(tx)
			for _, g := range gs {
				if g.Closed.IsZero() {
					n++
				}
			}
			return err
		})
		return n
	}
	expect := func(what string, want int) {
		t.Helper()
		if n := open(); n != want {
			t.Errorf("%s: %d gaps open; want %d", what, n, want)
		}
	}
	miss(ann, "A1")
	miss(ann, "A1")
	expect("missed twice is missing once", 1)
	o.captures(says(ann, "A2", "another"))
	expect("another message does not heal it", 1)
	o.captures(says(ann, "A1", "after all"))
	expect("the message came after all", 0)
	miss(ann, "A1")
	expect("what is captured is not missing", 0)

	miss(bo, "B1")
	o.captures(reacts(bo, "B1", "👍", ann, "A1"))
	expect("it turned out to be a reaction", 0)
	miss(bo, "B1")
	expect("and that is not missing either", 0)
	miss(record.Address{JID: "447700900102@s.whatsapp.net"}, "B2")
	o.captures(says(record.Address{JID: bo.JID, Alt: "447700900102@s.whatsapp.net"}, "B2", "x"))
	expect("missed by his number, captured by his LID", 0)

	disconnected := func(since time.Time) {
		o.write(func(tx *sqlite.Tx) error { return OpenGap(tx, o.now, since, NotConnected, "network down") })
	}
	disconnected(monday)
	disconnected(monday.Add(time.Hour))
	expect("one absence is one gap", 1)
	o.write(func(tx *sqlite.Tx) error {
		gs, err := Gaps(tx)
		want := Gap{ID: 4, Kind: NotConnected, Opened: monday, Cause: "network down"}
		if diff := cmp.Diff(want, gs[0]); diff != "" {
			t.Errorf("gap (-want +got)\n%s", diff)
		}
		return err
	})
	o.write(func(tx *sqlite.Tx) error { return CloseGap(tx, o.now) })
	o.write(func(tx *sqlite.Tx) error { return CloseGap(tx, o.now) })
	expect("connected again", 0)
	if opened, closed := o.journaled(journal.GapOpened), o.journaled(journal.GapClosed); opened != 4 || closed != 4 {
		t.Errorf("journaled %d openings and %d closings; want 4 of each", opened, closed)
	}
}

func TestAccount(t *testing.T) {
	o := newOffice(t)
	o.captures(says(ann, "A1", "x"))
	poll := says(bo, "B1", "")
	poll.Kind, poll.Type = record.Unsupported, "pollCreationMessage"
	o.captures(poll)
	want := Tally{Kept: 2, Unsupported: map[string]int64{"pollCreationMessage": 1}, LastCaptured: o.now}
	if diff := cmp.Diff(want, o.account()); diff != "" {
		t.Errorf("account (-want +got)\n%s", diff)
	}
	o.passes(7)
	o.destroys(1, 2)
	want = Tally{Destroyed: 2, Unsupported: map[string]int64{}}
	if diff := cmp.Diff(want, o.account()); diff != "" {
		t.Errorf("account (-want +got)\n%s", diff)
	}
}

func TestAccountOnHold(t *testing.T) {
	o := newOffice(t)
	o.captures(says(ann, "A1", "x"))
	o.captures(says(ann, "A2", "y"))
	id := o.holds("flood inquiry")
	if a := o.account(); a.Kept != 2 || a.OnHold != 2 {
		t.Errorf("account: %+v; want 2 kept, on hold", a)
	}
	o.releases(id)
	if a := o.account(); a.OnHold != 0 {
		t.Errorf("account: %+v; want none on hold", a)
	}
}

// What of a protobuf is searched for after destruction.
func TestTextsInAProtobuf(t *testing.T) {
	const title = "Überschwemmung am Bach: what to do ☔"
	for _, tt := range []struct {
		name, protobuf, known string
		want                  []string
	}{
		{"nothing", "", "", nil},
		{"numbers only", "\x08\x01\x10\xff\xff\x03" + strings.Repeat("\x80", 60), "", nil},
		{"too short", "\x0a\x05hello\x12\x17" + strings.Repeat("x", 23), "", nil},
		{"a title between bytes", "\x0a\x03" + title + "\xff\x00", "", []string{title}},
		{"two", title + "\x01" + title, "", []string{title, title}},
		{"what is known is not told again", "\x0a\x03" + title + "\x12\x03" + title[:30], title, []string{title[:30]}},
		{"of two lines", "\x01first line of the text\nsecond\x01", "", []string{"first line of the text\nsecond"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, b := range texts([]byte(tt.protobuf), tt.known) {
				got = append(got, string(b))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("texts (-want +got)\n%s", diff)
			}
		})
	}
}

func TestAround(t *testing.T) {
	o := newOffice(t)
	var thread record.Received
	for i := range 20 {
		r := says(ann, fmt.Sprint("A", i), "x")
		if i == 0 {
			thread = r
		}
		o.captures(r) // 1 … 20
	}
	o.captures(reacts(bo, "R", "👍", ann, "A10")) // 21: no line of a conversation
	elsewhere := says(ann, "E", "x")
	elsewhere.Group = "other@g.us"
	o.captures(elsewhere)                                                       // 22
	o.captures(quotes(bo, "B1", "to the first", thread.Sender, thread.ID, "x")) // 23
	seqs := func(of record.Seq, n int) (got []record.Seq) {
		o.write(func(tx *sqlite.Tx) error {
			lines, err := Around(tx, of, n)
			for _, l := range lines {
				got = append(got, l.Seq)
			}
			return err
		})
		return got
	}
	for _, tt := range []struct {
		name string
		of   record.Seq
		n    int
		want []record.Seq
	}{
		{"neighbours on both sides", 11, 2, []record.Seq{9, 10, 11, 12, 13}},
		{"at the beginning, and what answers it", 1, 2, []record.Seq{1, 2, 3, 23}},
		{"at the end, and what it answers", 23, 1, []record.Seq{1, 20, 23}},
		{"only of its own group", 22, 5, []record.Seq{22}},
		{"of nothing, nothing", 99, 5, nil},
		{"of no record, nothing", 0, 5, nil},
	} {
		if diff := cmp.Diff(tt.want, seqs(tt.of, tt.n)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", tt.name, diff)
		}
	}
}

// What surviving records say is told, and nothing else.
func TestContents(t *testing.T) {
	o := newOffice(t)
	o.captures(quotes(ann, "3EB0AAAAAAAA", "The surviving text ☔", bo, "3EB0BBBBBBBB", "The quoted text"))
	for fragment, want := range map[string]bool{
		"surviving text ☔": true, "quoted text": true, "3EB0AAAAAAAA": true, "3EB0BBBBBBBB": true, "pb The": true,
		bo.JID: true, ann.JID: true, official: true,
		"destroyed text": false, "Surviving": false,
	} {
		if held := o.held(fragment); held != want {
			t.Errorf("%q is held: %v; want %v", fragment, held, want)
		}
	}
}

func TestAddresses(t *testing.T) {
	o := newOffice(t)
	r := quotes(record.Address{JID: "a@lid", Alt: "a@pn"}, "A1", "@1", record.Address{JID: "q@lid"}, "Q", "x")
	r.Mentions = []string{"m@lid"}
	o.captures(r)
	o.captures(record.Received{Kind: record.Participants, Type: record.Added, Sender: record.Address{JID: "b@lid"},
		Participants: those(record.Address{JID: "c@lid", Alt: "c@pn"})})
	o.write(func(tx *sqlite.Tx) error {
		got, err := Addresses(tx)
		delete(got, "")
		want := map[string]bool{"a@lid": true, "a@pn": true, "q@lid": true, "m@lid": true, "b@lid": true, "c@lid": true, "c@pn": true}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("addresses (-want +got)\n%s", diff)
		}
		return err
	})
}

func TestLoadWithoutAnArchive(t *testing.T) {
	db, err := sqlitetest.Create(context.Background(), filepath.Join(t.TempDir(), "archive.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Read(context.Background(), func(tx *sqlite.Tx) error {
		_, err := Load(tx, retention.ForYears(6))
		return err
	}); !errors.Is(err, sqlite.ErrNoArchive) {
		t.Errorf("Load of an empty database: %v; want ErrNoArchive", err)
	}
}

// Two archives give the same message different origins, and nobody can derive one
// without the key.
func TestOriginsAreThisArchivesOwn(t *testing.T) {
	one, two := newOffice(t), newOffice(t)
	if one.archive.Token() == two.archive.Token() {
		t.Error("two archives have the same token")
	}
	a, b := one.archive.origin(record.Message, official, ann.JID, "A1"), two.archive.origin(record.Message, official, ann.JID, "A1")
	if string(a) == string(b) {
		t.Error("two archives give a message the same origin")
	}
	if string(one.archive.origin(record.Message, "g", "ab", "c")) == string(one.archive.origin(record.Message, "g", "a", "bc")) {
		t.Error("sender and ID run into one another")
	}
}
