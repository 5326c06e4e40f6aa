package archive

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/sqlite"
)

var boNumber = record.Address{JID: "447700900102@s.whatsapp.net"}

// Two persons become one through a list of participants: a hold on the member, placed
// afterwards, and a search for him, cover what he sent under his LID.
func TestHoldOnMemberAfterMerge(t *testing.T) {
	o := newOffice(t)
	var m people.Member
	o.write(func(tx *sqlite.Tx) (err error) {
		if err := people.AddMember(tx, o.now, "sysadmin", "elected", people.Member{Name: "Bo Hill", Role: "councillor"}, boNumber); err != nil {
			return err
		}
		m, err = people.MemberNamed(tx, "Bo Hill")
		return err
	})
	said := o.captures(says(bo, "B1", "the culvert is blocked, I told them so in May")) // by his LID alone
	// WhatsApp tells who is in the group, with both addresses. Bo never writes again.
	list := record.Received{Kind: record.Participants, Type: record.Present, Group: official, Sender: ann, Sent: o.now,
		Participants: []record.Participant{{Address: ann, Admin: true}, {Address: record.Address{JID: bo.JID, Alt: boNumber.JID}}}}
	o.captures(list)
	o.write(func(tx *sqlite.Tx) error { return people.Changed(tx, o.now, list) })
	o.write(func(tx *sqlite.Tx) error {
		names, err := people.LoadNames(tx)
		if err != nil {
			return err
		}
		rs, err := Some(tx, []record.Seq{said.Seq})
		if err != nil {
			return err
		}
		if got := names.Of(rs[0].Person); got != "Bo Hill" {
			t.Fatalf("the record is shown as by %s", got)
		}
		_, err = PlaceHold(tx, o.now, "Jane Clerk", "request 7", "", Cover{Scope: ByMember, Member: m.ID})
		if err != nil {
			return err
		}
		q, err := ParseQuery("from:bo")
		if err != nil {
			return err
		}
		hits, _, err := Search(tx, q, 10)
		if len(hits) != 1 {
			t.Errorf("a search from:bo finds %d records, want 1", len(hits))
		}
		return err
	})
	if !o.record(said.Seq).OnHold {
		t.Error("what Bo sent is not on hold")
	}
	if gone := o.destroysOn("2032-03-10", said.Seq); len(gone) != 0 {
		t.Error("what Bo sent was destroyed in spite of the hold on him")
	}
}

// What a record on hold quotes is kept, even if it is no answer to it.
func TestQuotationInHeldRecord(t *testing.T) {
	for _, tt := range []struct {
		name string
		r    func() record.Received
	}{
		{"a poll that quotes", func() record.Received {
			r := quotes(bo, "B1", "", ann, "A1", "we knew of the asbestos")
			r.Kind, r.Type, r.Target, r.Text = record.Unsupported, "pollCreationMessage", nil, ""
			return r
		}},
		{"a quotation within", func() record.Received {
			r := quotes(bo, "B1", "and I answered", cy, "C1", "is that so?")
			r.Quotations = append(r.Quotations, record.Quotation{Of: record.Ref{ID: "A1", Sender: ann}, Text: "we knew of the asbestos", Protobuf: []byte("pb q")})
			return r
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOffice(t)
			a := o.captures(says(ann, "A1", "we knew of the asbestos"))
			o.captures(says(cy, "C1", "is that so?"))
			b := o.captures(tt.r())
			o.write(func(tx *sqlite.Tx) error {
				_, err := PlaceHold(tx, o.now, "Jane Clerk", "request 7", "", Cover{Scope: Records, Records: []record.Seq{b.Seq}})
				return err
			})
			o.destroysOn("2032-03-10", a.Seq)
			if n := o.number("SELECT count(*) FROM quotation WHERE record = ? AND salt IS NULL", b.Seq); n != 0 {
				t.Errorf("%d quotations in the record on hold were destroyed", n)
			}
		})
	}
}

// A hold on the edit of a reply keeps the reply and what that answers.
func TestHoldOnEditOfReply(t *testing.T) {
	o := newOffice(t)
	q := o.captures(says(ann, "A1", "who knew of the asbestos?"))
	o.captures(quotes(bo, "B1", "nobody did", ann, "A1", "who knew of the asbestos?"))
	e := o.captures(edits(bo, "E1", "I did", bo, "B1"))
	o.write(func(tx *sqlite.Tx) error {
		_, err := PlaceHold(tx, o.now, "Jane Clerk", "request 7", "", Cover{Scope: Records, Records: []record.Seq{e.Seq}})
		return err
	})
	if !o.record(q.Seq).OnHold {
		t.Error("the question is not on hold")
	}
	o.destroysOn("2032-03-10", q.Seq)
	if n := o.number("SELECT count(*) FROM quotation WHERE salt IS NULL"); n != 0 {
		t.Errorf("%d quotations in the reply on hold were destroyed", n)
	}
}

// The merge that takes words out of the index goes on to its end while others add to it.
func TestMergeSearchWhileIndexing(t *testing.T) {
	for _, meanwhile := range []int{0, 2} {
		t.Run(fmt.Sprintf("%d captures meanwhile", meanwhile), func(t *testing.T) { advMerge(t, meanwhile) })
	}
}

func advMerge(t *testing.T, meanwhile int) {
	o := newOffice(t)
	words := func(from, n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "w%07dx%07d ", from+i, (from+i)*7919%9999991)
		}
		return b.String()
	}
	for i := range 300 {
		o.captures(says(ann, fmt.Sprintf("A%d", i), words(i*200, 200)))
	}
	secret := o.captures(says(ann, "S", "zyzzogetonxqv"))
	index := func() { o.write(func(tx *sqlite.Tx) error { return indexAll(tx) }) }
	merge := func(begin bool) (done bool) {
		o.write(func(tx *sqlite.Tx) (err error) { done, err = MergeSearch(tx, begin); return err })
		return done
	}
	all := func() {
		for begin, done := true, false; !done; begin = false {
			done = merge(begin)
		}
	}
	index()
	all()
	held := func() bool {
		found := false
		o.write(func(tx *sqlite.Tx) error {
			rows, err := tx.Query("SELECT block FROM record_search_data")
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				var b []byte
				if err := rows.Scan(&b); err != nil {
					return err
				}
				found = found || bytes.Contains(b, []byte("zogetonxqv"))
			}
			return rows.Err()
		})
		return found
	}
	if !held() {
		t.Fatal("the word is not in the index to begin with")
	}
	o.destroysOn("2032-03-10", secret.Seq)
	// The nightly run merges; meanwhile captures are indexed, as the daemon does.
	steps := 0
	for begin, done := true, false; !done; begin = false {
		done = merge(begin)
		if steps++; steps <= meanwhile {
			o.captures(says(bo, fmt.Sprintf("B%d", steps), "the hedge wants cutting"))
			index()
		}
	}
	t.Logf("%d steps", steps)
	if held() {
		t.Error("a word of the destroyed record is still in the search index, though the merge says it is done")
	}
}

// Until WhatsApp has told who the admins are, as after an upgrade, its word is taken.
func TestAdminUnknownAfterUpgrade(t *testing.T) {
	o := newOffice(t)
	m := o.captures(says(bo, "B1", "one"))
	o.write(func(tx *sqlite.Tx) error { // as the version before left it: who is in the group, and no more
		for _, a := range []record.Address{ann, bo} {
			is, err := people.Identify(tx, o.now, a, "")
			if err != nil {
				return err
			}
			if err := people.Join(tx, official, is.ID); err != nil {
				return err
			}
		}
		return nil
	})
	o.captures(deletes(ann, "D1", bo, "B1"))
	if o.record(m.Seq).DeletedBy == 0 {
		t.Error("an admin's deletion is kept for good as an attempt: nobody was known as an admin of the group")
	}
}

// An edit that an earlier version kept unread, and that is delivered again, is one record.
func TestRedeliveredAfterUpgrade(t *testing.T) {
	o := newOffice(t)
	o.captures(says(bo, "B1", "one"))
	old := edits(bo, "E1", "two", bo, "B1")
	old.Kind, old.Type, old.Text, old.Target = record.Unsupported, "message_edit", "", nil
	first := o.captures(old)
	again := o.captures(edits(bo, "E1", "two", bo, "B1"))
	if again.Fresh || again.Seq != first.Seq {
		t.Errorf("one delivery is two records: %d and %d", first.Seq, again.Seq)
	}
}

// And one that was destroyed stays destroyed.
func TestRedeliveredAfterDestruction(t *testing.T) {
	o := newOffice(t)
	old := edits(bo, "E1", "two", bo, "B1")
	old.Kind, old.Type, old.Text, old.Target = record.Unsupported, "message_edit", "", nil
	first := o.captures(old)
	o.destroysOn("2032-03-10", first.Seq)
	if again := o.captures(edits(bo, "E1", "two", bo, "B1")); again.Fresh {
		t.Errorf("what was destroyed is a record again: %d", again.Seq)
	}
}

// A deletion counts of a message that is not read, too.
func TestDeletionOfUnsupported(t *testing.T) {
	o := newOffice(t)
	o.present(ann, bo, cy)
	r := says(bo, "B1", "")
	r.Kind, r.Type = record.Unsupported, "locationMessage"
	m := o.captures(r)
	d := o.captures(deletes(bo, "D1", bo, "B1"))
	if !o.record(d.Seq).Effective {
		t.Error("the deletion does not count")
	}
	if got := o.record(m.Seq); got.DeletedBy != d.Seq || got.Effective {
		t.Errorf("the deleted record is shown as standing: deleted by %d, effective %v", got.DeletedBy, got.Effective)
	}
}

// A file of which the message says nothing has a leaf that agrees.
func TestEmptyFile(t *testing.T) {
	o := newOffice(t)
	r := says(bo, "B1", "look at this photo of the culvert")
	r.Type, r.File = record.Image, &record.File{}
	o.captures(r)
	r.ID, r.File = "B2", &record.File{Name: "x.pdf"}
	o.captures(r)
	r.ID, r.File = "B3", &record.File{Sealed: []byte{}}
	r.Text = string([]byte{0x61, 0xff, 0xfe, 0x62, 0, 0x63, 0x61, 0xff, 0xfe, 0x62, 0, 0x63, 0x61, 0xff, 0xfe, 0x62, 0, 0x63})
	r.Protobuf = []byte("xx" + r.Text + "yy")
	o.captures(r)
	r.ID, r.Protobuf, r.Text = "B4", nil, "text of sixteen and more"
	o.captures(r)
	r.ID, r.Protobuf = "B5", []byte(r.Text)
	o.captures(r)
	o.expectSound()
}

// Long queries are taken.
func FuzzAdvQuery(f *testing.F) {
	for _, s := range []string{"a OR b", `"a b"*`, "-a b", "has:photo from:ann", "𞤀", "\u0345", "a -\"𞤀\"", "𝒳*", "ↀ", "a\x00b", "²", "\ue000", "AND NOT NEAR(a b)", "text:foo", "{a b}:c", "^a", "a+b"} {
		f.Add(s)
	}
	o := newOffice(f)
	o.captures(says(ann, "A", "a b c foo 𞤀 ² text"))
	f.Fuzz(func(t *testing.T, s string) {
		q, err := ParseQuery(s)
		if err != nil {
			return
		}
		if err := o.db.Write(context.Background(), func(tx *sqlite.Tx) error {
			_, _, err := Search(tx, q, 10)
			return err
		}); err != nil && !strings.Contains(err.Error(), "nobody on the member") {
			t.Errorf("%q: %v", s, err)
		}
	})
}

func TestLongQuery(t *testing.T) {
	if testing.Short() {
		t.Skip("one thing after another, which the race detector watches for long")
	}
	o := newOffice(t)
	o.captures(says(ann, "A", "a b c"))
	for _, s := range []string{strings.Repeat("a OR ", 3000) + "b", strings.Repeat("a ", 3000), "a " + strings.Repeat("-x ", 3000)} {
		q, err := ParseQuery(s)
		if err != nil {
			t.Error(err)
			continue
		}
		if err := o.db.Write(context.Background(), func(tx *sqlite.Tx) error { _, _, err := Search(tx, q, 10); return err }); err != nil {
			t.Errorf("%.20s…: %v", s, err)
		}
	}
}

var _ = time.Second
