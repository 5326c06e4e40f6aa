package archive

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/sqlite"
)

var (
	dee = record.Address{JID: "200000000000104@lid"}
	// The group itself stands as the sender where WhatsApp names nobody.
	nobody = record.Address{JID: official}
)

func (o *office) rosterAt(at time.Time) (r Roster) {
	o.Helper()
	o.write(func(tx *sqlite.Tx) (err error) { r, err = RosterAt(tx, official, at); return err })
	return r
}

// is returns the person behind a.
func (o *office) is(a record.Address) (p people.ID) {
	o.Helper()
	o.write(func(tx *sqlite.Tx) error {
		names, err := people.LoadNames(tx)
		p = names.Behind(a)
		return err
	})
	if p == 0 {
		o.Fatalf("nobody is behind %+v", a)
	}
	return p
}

// moves captures a change of participants at a time of day of the story.
func (o *office) moves(at time.Time, t record.Type, by record.Address, ps ...record.Participant) {
	o.Helper()
	o.captures(record.Received{Kind: record.Participants, Type: t, Sender: by, Sent: at, Participants: ps})
}

func TestRosterAtEveryMoment(t *testing.T) {
	o := newOffice(t)
	day := func(n int) time.Time { return monday.AddDate(0, 0, n) }
	admin := record.Participant{Address: ann, Admin: true}
	o.moves(day(1), record.Joined, dee, those(dee)...) // before any list
	o.moves(day(2), record.Present, ann, admin, those(bo)[0], those(dee)[0])
	o.moves(day(3), record.Added, ann, those(cy)...)
	o.moves(day(4), record.Promoted, ann, those(bo)...)
	o.moves(day(5), record.Left, cy, those(cy)...)
	o.moves(day(6), record.Removed, bo, those(dee)...)
	o.moves(day(7), record.Joined, cy, those(cy)...)
	o.moves(day(8), record.Demoted, bo, admin)
	o.moves(day(9), record.Added, nobody, those(dee)...)
	// We were away; the list says that Bo has gone and that someone came.
	eve := record.Address{JID: "200000000000105@lid"}
	o.moves(day(20), record.Present, ann, those(ann, cy, dee, eve)...)
	o.captures(record.Received{Kind: record.Participants, Type: record.Left, Group: "other@g.us", Sender: ann, Sent: day(21), Participants: those(ann)})

	a, b, c, d, e := o.is(ann), o.is(bo), o.is(cy), o.is(dee), o.is(eve)
	first := Enrolled{Person: a, Admin: true, How: record.Present, Seen: day(2)}
	began := func(in ...Enrolled) Roster { return Roster{Known: true, Begins: day(2), In: in} }
	bos := Enrolled{Person: b, How: record.Present, Seen: day(2)}
	bosAdmin := bos
	bosAdmin.Admin = true
	dees := Enrolled{Person: d, How: record.Joined, Seen: day(1)}
	cys := Enrolled{Person: c, How: record.Added, Seen: day(3), By: a}
	back := Enrolled{Person: c, How: record.Joined, Seen: day(7)}
	cyLeft, deeRemoved := Departed{c, record.Left, day(5), 0}, Departed{d, record.Removed, day(6), b}
	plain := first
	plain.Admin = false
	deeBack := Enrolled{Person: d, How: record.Added, Seen: day(9)}
	for _, tt := range []struct {
		after int
		want  Roster
	}{
		{1, Roster{Begins: day(2)}},
		{2, began(dees, first, bos)},
		{3, began(dees, first, bos, cys)},
		{4, began(dees, first, bosAdmin, cys)},
		{5, Roster{true, day(2), []Enrolled{dees, first, bosAdmin}, []Departed{cyLeft}}},
		{6, Roster{true, day(2), []Enrolled{first, bosAdmin}, []Departed{deeRemoved, cyLeft}}},
		{7, Roster{true, day(2), []Enrolled{first, bosAdmin, back}, []Departed{deeRemoved}}},
		{8, Roster{true, day(2), []Enrolled{plain, bosAdmin, back}, []Departed{deeRemoved}}},
		{9, began(deeBack, plain, bosAdmin, back)},
		{19, began(deeBack, plain, bosAdmin, back)},
		{30, Roster{true, day(2), []Enrolled{deeBack, plain, back, {Person: e, How: record.Present, Seen: day(20)}},
			[]Departed{{b, record.Present, day(20), 0}}}},
	} {
		if diff := cmp.Diff(tt.want, o.rosterAt(day(tt.after))); diff != "" {
			t.Errorf("after day %d (-want +got)\n%s", tt.after, diff)
		}
	}
	if r := o.rosterAt(day(3).Add(-time.Millisecond)); len(r.In) != 3 {
		t.Errorf("just before Cy was added %d are in", len(r.In))
	}
	if dees.Since() != day(1) || !first.Since().IsZero() {
		t.Error("since when they are there")
	}
}

// Within a second the order of capture counts: WhatsApp's times are whole seconds,
// the lists' are not.
func TestRosterWithinASecond(t *testing.T) {
	o := newOffice(t)
	o.moves(monday, record.Present, ann, those(ann, bo)...)
	at := monday.Add(time.Hour)
	o.moves(at.Add(300*time.Millisecond), record.Present, ann, those(ann, bo, cy)...)
	o.moves(at, record.Left, bo, those(bo)...) // in the second of the list, and after it
	o.moves(at, record.Added, ann, those(dee)...)
	o.moves(at, record.Removed, ann, those(dee)...)
	var in []people.ID
	for _, e := range o.rosterAt(at.Add(time.Minute)).In {
		in = append(in, e.Person)
	}
	if diff := cmp.Diff([]people.ID{o.is(ann), o.is(cy)}, in); diff != "" {
		t.Errorf("in the group (-want +got)\n%s", diff)
	}
}

// What arrives late is replayed when it happened.
func TestRosterOfWhatArrivesLate(t *testing.T) {
	o := newOffice(t)
	o.moves(monday, record.Present, ann, those(ann, bo, cy)...)
	o.moves(monday.Add(3*time.Hour), record.Added, ann, those(bo)...)
	o.moves(monday.Add(time.Hour), record.Left, bo, those(bo)...)
	r := o.rosterAt(monday.Add(2 * time.Hour))
	if len(r.In) != 2 || len(r.Gone) != 1 {
		t.Errorf("between leaving and coming back: %+v", r)
	}
	if r := o.rosterAt(monday.Add(4 * time.Hour)); len(r.In) != 3 {
		t.Errorf("after coming back: %+v", r)
	}
}

// Who was listed by number and leaves by LID is one person, once that is known. Who
// came with LID and number stays himself when the number is somebody else's; who was
// named by the number alone becomes him, as in mentions.
func TestRosterOfPeopleWithTwoAddresses(t *testing.T) {
	o := newOffice(t)
	number := record.Address{JID: "447700900102@s.whatsapp.net"}
	o.moves(monday, record.Present, ann, those(ann, number)...)
	o.moves(monday.Add(time.Hour), record.Left, bo, those(bo)...)
	if r := o.rosterAt(monday.Add(2 * time.Hour)); len(r.In) != 2 {
		t.Fatalf("before they are known to be one: %+v", r)
	}
	o.captures(says(record.Address{JID: bo.JID, Alt: number.JID}, "B1", "it was I"))
	if r := o.rosterAt(monday.Add(2 * time.Hour)); len(r.In) != 1 || r.In[0].Person != o.is(ann) || len(r.Gone) != 1 {
		t.Errorf("now that they are: %+v", r)
	}
	o.moves(monday.Add(3*time.Hour), record.Added, ann, those(record.Address{JID: bo.JID, Alt: number.JID})...)
	o.captures(says(record.Address{JID: cy.JID, Alt: number.JID}, "C1", "this number is mine now"))
	r := o.rosterAt(monday.Add(4 * time.Hour))
	if len(r.In) != 3 || r.In[1].Person != o.is(bo) || r.In[1].By != o.is(ann) || r.In[2].Person != o.is(cy) {
		t.Errorf("after the number has moved: %+v", r)
	}
}

func TestRosterOfAGroupWithoutAList(t *testing.T) {
	o := newOffice(t)
	o.moves(monday, record.Joined, bo, those(bo)...)
	if diff := cmp.Diff(Roster{}, o.rosterAt(monday.Add(time.Hour))); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestChangesOfTheRoster(t *testing.T) {
	o := newOffice(t)
	day := func(n int) time.Time { return monday.AddDate(0, 0, n) }
	admin := record.Participant{Address: ann, Admin: true}
	invited := func(r record.Received) record.Received {
		r.Kind, r.Type, r.Group, r.Details = record.Participants, record.Joined, official, record.Details{Reason: "invite", Version: "1"}.Encode()
		return r
	}
	newNumber, oldNumber := record.Address{JID: "447700900555@s.whatsapp.net"}, record.Address{JID: "447700900105@s.whatsapp.net"}
	stranger := record.Address{JID: "447700900556@s.whatsapp.net"}

	o.moves(day(1), record.Present, ann, admin, those(bo)[0], those(oldNumber)[0])
	first := o.captures(invited(record.Received{Sender: cy, Sent: day(2), Participants: those(cy)})).Seq
	o.moves(day(3), record.Added, ann, those(dee, stranger)...)
	o.moves(day(4), record.Promoted, ann, those(bo)...)
	o.moves(day(5), record.Removed, nobody, those(dee)...)
	o.moves(day(6), record.Left, cy, those(cy)...)
	// WhatsApp names the old number and the new one, in either order.
	o.moves(day(7), record.Renumbered, oldNumber, those(newNumber)...)
	o.write(func(tx *sqlite.Tx) error { return people.Renumbered(tx, o.now, oldNumber, newNumber) })
	o.moves(day(8), record.Renumbered, dee, those(stranger)...) // two LIDs, or nobody knows: not known to be one
	o.moves(day(20), record.Present, ann, those(ann, cy, dee, newNumber)...)
	o.moves(day(30), record.Left, ann, those(ann)...)
	o.captures(record.Received{Kind: record.Participants, Type: record.Left, Group: "other@g.us", Sender: ann, Sent: day(9), Participants: those(ann)})

	a, b, c, d, e, s := o.is(ann), o.is(bo), o.is(cy), o.is(dee), o.is(newNumber), o.is(stranger)
	if e != o.is(oldNumber) {
		t.Fatal("two numbers of one person are two people")
	}
	found := func(typ record.Type, who ...people.ID) Change {
		return Change{Seq: first + 7, At: day(20), Type: typ, Found: true, Who: who}
	}
	want := []Change{
		{Seq: first, At: day(2), Type: record.Joined, Who: []people.ID{c}, Reason: "invite"},
		{Seq: first + 1, At: day(3), Type: record.Added, Who: []people.ID{d, s}, By: a},
		{Seq: first + 2, At: day(4), Type: record.Promoted, Who: []people.ID{b}, By: a},
		{Seq: first + 3, At: day(5), Type: record.Removed, Who: []people.ID{d}},
		{Seq: first + 4, At: day(6), Type: record.Left, Who: []people.ID{c}},
		{Seq: first + 5, At: day(7), Type: record.Renumbered, Who: []people.ID{e}},
		{Seq: first + 6, At: day(8), Type: record.Renumbered, Who: []people.ID{d}, Was: s},
		found(record.Joined, c), found(record.Left, b), found(record.Demoted, a),
	}
	changes := func(from, before time.Time) (got []Change) {
		o.write(func(tx *sqlite.Tx) (err error) { got, err = Changes(tx, official, from, before); return err })
		for i := range got {
			if got[i].Captured.IsZero() {
				t.Errorf("it is not said when record %d was captured", got[i].Seq)
			}
			got[i].Captured = time.Time{}
		}
		return got
	}
	if diff := cmp.Diff(want, changes(time.Time{}, day(30))); diff != "" {
		t.Errorf("changes (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff(want[2:4], changes(day(4), day(6))); diff != "" {
		t.Errorf("changes of two days (-want +got)\n%s", diff)
	}
	if got := changes(time.Time{}, day(1)); got != nil {
		t.Errorf("before there was anything: %v", got)
	}
	o.write(func(tx *sqlite.Tx) error {
		r, err := RosterAt(tx, official, day(10))
		want := Enrolled{Person: d, How: record.Renumbered, Seen: day(8)}
		for _, in := range r.In {
			if in.Person == d && in != want {
				t.Errorf("in the place of another: %+v", in)
			}
		}
		if len(r.In) != 4 || len(r.Gone) != 2 {
			t.Errorf("roster after ten days: %+v", r)
		}
		return err
	})
}
