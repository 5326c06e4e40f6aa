package archive

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
)

var cy = record.Address{JID: "200000000000103@lid"}

func edits(who record.Address, id, text string, of record.Address, target string) record.Received {
	return record.Received{Kind: record.Edit, Type: record.Text, ID: id, Sender: who, Text: text,
		Target: &record.Ref{ID: target, Sender: of}, Protobuf: []byte("edit " + text)}
}

func deletes(who record.Address, id string, of record.Address, target string) record.Received {
	r := record.Received{Kind: record.Deletion, Type: record.ByAdmin, ID: id, Sender: who,
		Target: &record.Ref{ID: target, Sender: of}, Protobuf: []byte("delete")}
	if who == of {
		r.Type = record.ByAuthor
	}
	return r
}

// admin tells the archive who is in the group, the first of them as its admin.
func (o *office) present(admin record.Address, others ...record.Address) {
	o.Helper()
	r := record.Received{Kind: record.Participants, Type: record.Present, Group: official, Sender: admin, Sent: o.now,
		Participants: append([]record.Participant{{Address: admin, Admin: true}}, those(others...)...)}
	o.captures(r)
	o.write(func(tx *sqlite.Tx) error { return people.Changed(tx, o.now, r) })
}

// What a member may not do to a message is kept, and has no effect.
func TestWhoMayChangeAMessage(t *testing.T) {
	for _, tt := range []struct {
		name      string
		change    record.Received
		counts    bool
		edited    bool
		deleted   bool
		untouched bool
	}{
		{name: "the author edits", change: edits(bo, "E", "at eight", bo, "B1"), counts: true, edited: true},
		{name: "another member edits", change: edits(cy, "E", "never", bo, "B1"), untouched: true},
		{name: "an admin edits", change: edits(ann, "E", "never", bo, "B1"), untouched: true},
		{name: "the author deletes", change: deletes(bo, "D", bo, "B1"), counts: true, deleted: true},
		{name: "another member deletes", change: deletes(cy, "D", bo, "B1"), untouched: true},
		{name: "an admin deletes", change: deletes(ann, "D", bo, "B1"), counts: true, deleted: true},
		{name: "of a message that nobody has", change: deletes(bo, "D", bo, "B9"), untouched: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOffice(t)
			o.present(ann, bo, cy)
			m := o.captures(says(bo, "B1", "at seven"))
			c := o.captures(tt.change)
			change, message := o.record(c.Seq), o.record(m.Seq)
			if change.Effective != tt.counts {
				t.Errorf("it counts: %v", change.Effective)
			}
			if got := message.EditedBy == c.Seq; got != tt.edited {
				t.Errorf("the message is edited by record %d", message.EditedBy)
			}
			if got := message.DeletedBy == c.Seq; got != tt.deleted {
				t.Errorf("the message is deleted by record %d", message.DeletedBy)
			}
			if message.Effective != tt.untouched {
				t.Errorf("the message counts as it was sent: %v", message.Effective)
			}
			if message.Text != "at seven" {
				t.Errorf("the message now says %q", message.Text)
			}
			o.expectSound()
		})
	}
}

// Rights are those at the time: a demotion later changes nothing, nor do rights
// given afterwards.
func TestRightsAtTheTime(t *testing.T) {
	o := newOffice(t)
	o.present(ann, bo, cy)
	one, two := o.captures(says(bo, "B1", "one")), o.captures(says(bo, "B2", "two"))
	o.captures(deletes(cy, "D1", bo, "B1"))
	o.captures(deletes(ann, "D2", bo, "B2"))
	o.present(cy, ann, bo) // now it is Cy
	if r := o.record(one.Seq); r.DeletedBy != 0 {
		t.Error("who became an admin later has deleted it")
	}
	if r := o.record(two.Seq); r.DeletedBy == 0 {
		t.Error("who is no admin any more had not the right to delete it then")
	}
}

// Before WhatsApp has told who is in the group, its word is taken.
func TestDeletionBeforeTheListHasCome(t *testing.T) {
	o := newOffice(t)
	m := o.captures(says(bo, "B1", "one"))
	o.captures(deletes(ann, "D1", bo, "B1"))
	if o.record(m.Seq).DeletedBy == 0 {
		t.Error("it is not deleted")
	}
}

// Every version is kept; the latest that was sent counts, however they arrive, and
// none does of a deleted message.
func TestVersions(t *testing.T) {
	o := newOffice(t)
	o.present(ann, bo)
	second := edits(bo, "E2", "at nine", bo, "B1")
	second.Sent = monday.Add(2 * time.Hour)
	first := edits(bo, "E1", "at eight", bo, "B1")
	first.Sent = monday.Add(time.Hour)
	e2 := o.captures(second) // before the message itself
	m := o.captures(says(bo, "B1", "at seven"))
	e1 := o.captures(first)
	if got := o.record(m.Seq).EditedBy; got != e2.Seq {
		t.Errorf("the version that counts is record %d; want %d", got, e2.Seq)
	}
	if o.record(e1.Seq).Effective || !o.record(e2.Seq).Effective {
		t.Error("not the latest version counts")
	}
	deletion := deletes(bo, "D1", bo, "B1")
	deletion.Sent = monday.Add(3 * time.Hour)
	d := o.captures(deletion)
	if o.record(e2.Seq).Effective {
		t.Error("an edit of a deleted message counts")
	}
	var got []record.Seq
	o.write(func(tx *sqlite.Tx) error {
		rs, err := ChangesOf(tx, []record.Seq{m.Seq})
		for _, r := range rs {
			got = append(got, r.Seq)
			if r.Amends != m.Seq {
				t.Errorf("record %d amends record %d", r.Seq, r.Amends)
			}
		}
		return err
	})
	if diff := cmp.Diff([]record.Seq{e1.Seq, e2.Seq, d.Seq}, got); diff != "" {
		t.Errorf("changes (-want +got)\n%s", diff)
	}
	// They have the clock of the message, even the one that came before it.
	due := o.record(m.Seq).Due
	for _, seq := range got {
		if o.record(seq).Due != due {
			t.Errorf("record %d falls due on %s, its message on %s", seq, o.record(seq).Due, due)
		}
	}
	o.expectSound()
	gone := o.destroysOn(due, m.Seq)
	if diff := cmp.Diff([]record.Seq{e2.Seq, m.Seq, e1.Seq, d.Seq}, gone); diff != "" {
		t.Errorf("destroyed with the message (-want +got)\n%s", diff)
	}
}

// destroysOn destroys what it may of the given records and returns what went.
func (o *office) destroysOn(on retention.Date, seqs ...record.Seq) (gone []record.Seq) {
	o.Helper()
	o.write(func(tx *sqlite.Tx) error {
		all, err := o.archive.Destroy(tx, Destruction{Run: 1, On: on, Authority: "minute 24/037"}, seqs)
		for _, d := range all {
			gone = append(gone, d.Seq)
		}
		return err
	})
	return gone
}

// A hold of a part holds that part whole, and nothing else.
func TestScopesOfHolds(t *testing.T) {
	begin := func(t *testing.T) (o *office, member int64) {
		o = newOffice(t)
		o.present(ann, bo, cy)                                             // 1
		o.captures(says(bo, "B1", "the culvert"))                          // 2
		o.captures(quotes(cy, "C1", "which one", bo, "B1", "the culvert")) // 3
		o.captures(edits(bo, "E1", "the Mill Lane culvert", bo, "B1"))     // 4
		o.captures(reacts(ann, "R1", "👍", cy, "C1"))                       // 5
		o.now = o.now.Add(72 * time.Hour)
		o.captures(says(cy, "C2", "the hedge")) // 6
		o.captures(says(bo, "B2", "the bins"))  // 7
		o.write(func(tx *sqlite.Tx) error {
			if err := people.AddMember(tx, o.now, "sysadmin", "election", people.Member{Name: "Bo Kite", Role: "councillor"}, bo); err != nil {
				return err
			}
			m, err := people.MemberNamed(tx, "Bo Kite")
			member = m.ID
			return err
		})
		return o, member
	}
	thursday := retention.DateOf(monday.Add(72 * time.Hour))
	for _, tt := range []struct {
		name  string
		cover func(member int64) Cover
		held  []record.Seq
	}{
		{"everything", func(int64) Cover { return Cover{Scope: Everything} }, []record.Seq{1, 2, 3, 4, 5, 6, 7}},
		{"a message, with what belongs to it", func(int64) Cover { return Cover{Scope: Records, Records: []record.Seq{2}} }, []record.Seq{2, 4}},
		{"an edit, with its message", func(int64) Cover { return Cover{Scope: Records, Records: []record.Seq{4}} }, []record.Seq{2, 4}},
		{"an answer, with its question", func(int64) Cover { return Cover{Scope: Records, Records: []record.Seq{3}} }, []record.Seq{2, 3, 4, 5}},
		{"a reaction, with its message and what that answers", func(int64) Cover { return Cover{Scope: Records, Records: []record.Seq{5}} }, []record.Seq{2, 3, 4, 5}},
		{"a day", func(int64) Cover { return Cover{Scope: Dates, From: thursday, Through: thursday} }, []record.Seq{6, 7}},
		{"a member", func(m int64) Cover { return Cover{Scope: ByMember, Member: m} }, []record.Seq{2, 4, 7}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o, member := begin(t)
			var id int64
			o.write(func(tx *sqlite.Tx) (err error) {
				id, err = PlaceHold(tx, o.now, "Jane Clerk", "request 7", "2026-09-01", tt.cover(member))
				return err
			})
			var held []record.Seq
			for _, r := range o.records() {
				if r.OnHold {
					held = append(held, r.Seq)
				}
			}
			if diff := cmp.Diff(tt.held, held); diff != "" {
				t.Errorf("on hold (-want +got)\n%s", diff)
			}
			o.write(func(tx *sqlite.Tx) error {
				n, err := CountHeld(tx, id)
				if int(n) != len(tt.held) {
					t.Errorf("%d are counted as on hold", n)
				}
				by, err2 := HeldBy(tx, id, []record.Seq{1, 2, 3, 4, 5, 6, 7})
				if diff := cmp.Diff(tt.held, by); diff != "" {
					t.Errorf("held by it (-want +got)\n%s", diff)
				}
				if err != nil {
					return err
				}
				return err2
			})
			var kept []record.Seq
			o.destroysOn("2040-01-01", 1, 2, 3, 4, 5, 6, 7)
			for _, r := range o.records() {
				if r.Destroyed == "" {
					kept = append(kept, r.Seq)
				}
			}
			if diff := cmp.Diff(tt.held, kept); diff != "" {
				t.Errorf("kept (-want +got)\n%s", diff)
			}
			o.expectSound()
			o.write(func(tx *sqlite.Tx) error { return ReleaseHold(tx, o.now, id, "Jane Clerk", "answered") })
			if gone := o.destroysOn("2040-01-01", tt.held...); len(gone) != len(tt.held) {
				t.Errorf("after its release %v are destroyed", gone)
			}
		})
	}
}

// A hold on a member holds what is found later to have been his.
func TestHoldOnAMemberOfTwoAddresses(t *testing.T) {
	o := newOffice(t)
	number := record.Address{JID: "447700900102@s.whatsapp.net"}
	other := o.captures(says(number, "B1", "the culvert"))
	o.write(func(tx *sqlite.Tx) error {
		if err := people.AddMember(tx, o.now, "sysadmin", "election", people.Member{Name: "Bo Kite", Role: "councillor"}, bo); err != nil {
			return err
		}
		_, err := PlaceHold(tx, o.now, "Jane Clerk", "request 7", "", Cover{Scope: ByMember, Member: 1})
		return err
	})
	if o.record(other.Seq).OnHold {
		t.Fatal("known to be one all along")
	}
	o.captures(says(record.Address{JID: bo.JID, Alt: number.JID}, "B2", "it is I"))
	if !o.record(other.Seq).OnHold {
		t.Error("what he sent by his number is not on hold")
	}
}

func TestHoldsThatCoverNothing(t *testing.T) {
	o := newOffice(t)
	o.captures(says(ann, "A1", "one"))
	for name, c := range map[string]Cover{
		"no records":                 {Scope: Records},
		"a record that is not there": {Scope: Records, Records: []record.Seq{1, 9}},
		"days that end before":       {Scope: Dates, From: "2026-03-02", Through: "2026-03-01"},
		"nobody on the register":     {Scope: ByMember, Member: 4},
		"a scope that is not known":  {Scope: "some"},
	} {
		err := o.db.Write(t.Context(), func(tx *sqlite.Tx) error {
			_, err := PlaceHold(tx, o.now, "Jane Clerk", "request 7", "", c)
			return err
		})
		if err == nil {
			t.Errorf("a hold of %s was placed", name)
		}
	}
	if o.record(1).OnHold {
		t.Error("a refused hold holds")
	}
}
