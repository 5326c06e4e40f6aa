package archive

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muniment/internal/journal"
	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
)

const allotments = "120363000000000002@g.us"

// conversation is what is put on hold in the tests below: every kind of record that there
// can be around a message, each by somebody else, on a day of its own.
//
//	1 Ann asks                 Monday
//	2 Bo edits his answer      Tuesday, before that is known
//	3 Bo answers, quoting 1    Wednesday
//	4 Cy reacts to the answer  Thursday
//	5 Dee asks, quoting 3      Friday
//	6 Ann deletes the question Saturday
//	7 Eve asks elsewhere       Sunday
func conversation(t *testing.T) *office {
	o := newOffice(t)
	dee, eve := record.Address{JID: "200000000000104@lid"}, record.Address{JID: "200000000000105@lid"}
	o.write(func(tx *sqlite.Tx) error {
		for name, a := range map[string]record.Address{"Ann": ann, "Bo": bo, "Cy": cy, "Dee": dee, "Eve": eve} {
			if err := people.AddMember(tx, o.now, "sysadmin", "elected", people.Member{Name: name, Role: "councillor"}, a); err != nil {
				return err
			}
		}
		return nil
	})
	deleted := record.Received{Kind: record.Deletion, Type: record.ByAuthor, ID: "D1", Sender: ann, Target: &record.Ref{ID: "A1", Sender: ann}}
	elsewhere := says(eve, "E1", "are the plots flooded?")
	elsewhere.Group = allotments
	for day, r := range []record.Received{
		says(ann, "A1", "is the culvert blocked?"),
		edits(bo, "B2", "since Sunday, by leaves", bo, "B1"),
		quotes(bo, "B1", "since Monday", ann, "A1", "is the culvert blocked?"),
		reacts(cy, "R1", "👍", bo, "B1"),
		quotes(dee, "D0", "who says so?", bo, "B1", "since Monday"),
		deleted,
		elsewhere,
	} {
		o.now = monday.AddDate(0, 0, day)
		o.captures(r)
	}
	return o
}

func (o *office) member(name string) (id int64) {
	o.Helper()
	o.write(func(tx *sqlite.Tx) error {
		m, err := people.MemberNamed(tx, name)
		id = m.ID
		return err
	})
	return id
}

func (o *office) places(c Cover) (id int64) {
	o.Helper()
	o.write(func(tx *sqlite.Tx) (err error) {
		id, err = PlaceHold(tx, o.now, "Jane Clerk", "request 7", "", c)
		return err
	})
	return id
}

func (o *office) takesIn() {
	o.Helper()
	o.write(func(tx *sqlite.Tx) error { return TakeIn(tx, o.now) })
}

// Each scope, against each kind of record: what it covers by itself, and what is kept for
// the sake of that, upwards and never downwards.
func TestEachScopeAgainstEachKindOfRecord(t *testing.T) {
	if testing.Short() {
		t.Skip("one thing after another, which the race detector watches for long")
	}
	type covers = []record.Seq
	question, answer := covers{1, 6}, covers{1, 2, 3, 4, 6}
	all := covers{1, 2, 3, 4, 5, 6, 7}
	for _, tt := range []struct {
		scope string
		kinds [7]covers // of the hold that covers record 1, 2, …: what it keeps
		of    func(o *office, seq record.Seq) Cover
		by    func(seq record.Seq) int64 // how many records it covers by itself
	}{
		{"records", [7]covers{question, answer, answer, answer, {1, 2, 3, 4, 5, 6}, question, {7}},
			func(_ *office, seq record.Seq) Cover { return Cover{Scope: Records, Records: covers{seq}} },
			func(record.Seq) int64 { return 1 }},
		{"dates", [7]covers{question, answer, answer, answer, {1, 2, 3, 4, 5, 6}, question, {7}},
			func(_ *office, seq record.Seq) Cover {
				day := retention.DateOf(monday).AddDays(int(seq) - 1)
				return Cover{Scope: Dates, From: day, Through: day}
			},
			func(record.Seq) int64 { return 1 }},
		{"member", [7]covers{question, answer, answer, answer, {1, 2, 3, 4, 5, 6}, question, {7}},
			func(o *office, seq record.Seq) Cover {
				return Cover{Scope: ByMember, Member: o.member([]string{"Ann", "Bo", "Bo", "Cy", "Dee", "Ann", "Eve"}[seq-1])}
			},
			func(seq record.Seq) int64 { return []int64{2, 2, 2, 1, 1, 2, 1}[seq-1] }},
		{"group", [7]covers{{1, 2, 3, 4, 5, 6}, {1, 2, 3, 4, 5, 6}, {1, 2, 3, 4, 5, 6}, {1, 2, 3, 4, 5, 6}, {1, 2, 3, 4, 5, 6}, {1, 2, 3, 4, 5, 6}, {7}},
			func(_ *office, seq record.Seq) Cover {
				if seq == 7 {
					return Cover{Scope: InGroup, Group: allotments, GroupName: "Allotments"}
				}
				return Cover{Scope: InGroup, Group: official, GroupName: "Council"}
			},
			func(seq record.Seq) int64 { return []int64{6, 6, 6, 6, 6, 6, 1}[seq-1] }},
		{"search that goes on", [7]covers{question, answer, answer, {}, {1, 2, 3, 4, 5, 6}, {}, {7}},
			func(_ *office, seq record.Seq) Cover {
				words := []string{"culvert", "leaves", "monday", "nothing", "who", "nothing", "plots"}[seq-1]
				return Cover{Scope: Records, Search: words, Ahead: true}
			},
			func(seq record.Seq) int64 { return []int64{1, 1, 1, 0, 1, 0, 1}[seq-1] }},
		{"everything", [7]covers{all, all, all, all, all, all, all},
			func(*office, record.Seq) Cover { return Cover{Scope: Everything} },
			func(record.Seq) int64 { return 7 }},
	} {
		t.Run(tt.scope, func(t *testing.T) {
			o := conversation(t)
			for i, keeps := range tt.kinds {
				seq := record.Seq(i + 1)
				id := o.places(tt.of(o, seq))
				o.takesIn()
				held := covers{}
				for _, r := range o.records() {
					if r.OnHold {
						held = append(held, r.Seq)
					}
				}
				if diff := cmp.Diff(keeps, held); diff != "" {
					t.Errorf("on hold by what covers record %d (-want +got)\n%s", seq, diff)
				}
				o.write(func(tx *sqlite.Tx) error {
					by, err := CountCovered(tx, id)
					kept, err2 := CountHeld(tx, id)
					if by != tt.by(seq) || int(kept) != len(keeps) {
						t.Errorf("of the hold that covers record %d it is said that it covers %d and keeps %d; want %d and %d", seq, by, kept, tt.by(seq), len(keeps))
					}
					return errors.Join(err, err2)
				})
				direct := o.number("SELECT count(*) FROM held WHERE seq IN (SELECT seq FROM record)")
				if direct != tt.by(seq) {
					t.Errorf("the triggers take %d records for covered, want %d", direct, tt.by(seq))
				}
				o.releases(id)
			}
			// What the last of them keeps, nothing destroys; the rest goes.
			id := o.places(tt.of(o, 3))
			o.takesIn()
			o.destroysOn("2040-01-01", all...)
			var kept covers
			for _, r := range o.records() {
				if r.Destroyed == "" {
					kept = append(kept, r.Seq)
				}
			}
			if diff := cmp.Diff(tt.kinds[2], kept); diff != "" {
				t.Errorf("left (-want +got)\n%s", diff)
			}
			o.releases(id)
			if o.destroysOn("2040-01-01", all...); o.number("SELECT count(*) FROM record") != 0 {
				t.Error("after the release not all goes")
			}
			o.expectSound()
		})
	}
}

// A search that goes on takes in what comes, in whatever way: sent, edited, supplied late,
// or read only later. What it took in stays on hold, and the journal tells when.
func TestASearchThatGoesOn(t *testing.T) {
	o := newOffice(t)
	first := o.captures(says(ann, "A1", "is the culvert blocked?")).Seq
	other := o.captures(says(bo, "B1", "the bins are full")).Seq
	id := o.places(Cover{Scope: Records, Records: []record.Seq{first}, Search: "culvert", Ahead: true})
	o.takesIn()
	entries := func() (all []string) {
		o.write(func(tx *sqlite.Tx) error {
			return journal.Of(tx, journal.HoldGrew, func(e journal.Entry, _ int64) error {
				all = append(all, e.About.String())
				return nil
			})
		})
		return all
	}
	if got := entries(); got != nil {
		t.Errorf("nothing has come, and the journal has %s", got)
	}
	o.captures(says(bo, "B2", "the verge"))
	later := o.captures(says(cy, "C1", "the Culvert again")).Seq
	edit := o.captures(edits(bo, "B3", "the bins, and the culvert", bo, "B1")).Seq
	if err := o.db.Write(context.Background(), func(tx *sqlite.Tx) error {
		_, err := o.archive.Destroy(tx, Destruction{Run: 1, On: "2040-01-01", Authority: "minute 12"}, []record.Seq{later})
		return err
	}); !errors.Is(err, ErrNotTakenIn) {
		t.Errorf("destroyed before it was looked whether it is to be on hold: %v", err)
	}
	o.takesIn()
	o.takesIn()
	if want := []string{fmt.Sprintf(`{"hold":%d,"records":"%d-%d"}`, id, later, edit)}; !slices.Equal(entries(), want) {
		t.Errorf("the journal has %s, want %s", entries(), want)
	}
	for _, seq := range []record.Seq{first, other, later, edit} {
		if !o.record(seq).OnHold {
			t.Errorf("record %d is not on hold", seq)
		}
	}
	// The index is built anew: it goes through all again, and finds nothing new.
	o.write(ClearIndex)
	o.takesIn()
	if len(entries()) != 1 {
		t.Errorf("after the index was rebuilt the journal has %s", entries())
	}
	// What has come just before the release was on hold, too.
	last := o.captures(says(cy, "C2", "culvert, for the last time")).Seq
	o.releases(id)
	o.write(func(tx *sqlite.Tx) error {
		by, err := HeldBy(tx, id, []record.Seq{last})
		if len(by) != 1 {
			t.Error("what came just before the release is not known to have been on hold")
		}
		return err
	})
	o.captures(says(cy, "C3", "culvert, after all"))
	o.takesIn()
	if n := o.number("SELECT count(*) FROM hold_record WHERE hold = ?", id); n != 4 {
		t.Errorf("a hold that is released has taken in more: %d", n)
	}
	o.expectSound()
}

// What could not be read at capture is found by the search when it is read, though that has
// gone past it.
func TestASearchFindsWhatIsReadLater(t *testing.T) {
	o := newOffice(t)
	r := says(ann, "A1", "")
	r.Kind, r.Type, r.Text = record.Unsupported, "newKindOfMessage", ""
	seq := o.captures(r).Seq
	o.captures(says(bo, "B1", "nothing of the kind"))
	o.places(Cover{Scope: Records, Search: "culvert", Ahead: true})
	o.takesIn()
	o.write(func(tx *sqlite.Tx) error {
		_, err := tx.Exec("INSERT INTO reread (seq, kind, type, target, file, salt, at) SELECT seq, kind, type, target, 0, zeroblob(32), captured FROM record WHERE seq = ?", seq)
		return err
	})
	o.write(func(tx *sqlite.Tx) error {
		_, err := tx.Exec("UPDATE record SET kind = 'message', type = 'text', text = 'the culvert is blocked' WHERE seq = ?", seq)
		return err
	})
	o.takesIn()
	if !o.record(seq).OnHold {
		t.Error("it is not on hold")
	}
}

// A search in a group goes on in that group, whatever it is called later.
func TestASearchInAGroupGoesOn(t *testing.T) {
	o := conversation(t)
	var c Cover
	o.write(func(tx *sqlite.Tx) error {
		const text = "in:allotments are"
		q, err := ParseQuery(text)
		if err != nil {
			return err
		}
		q.Groups = map[string]string{official: "Council", allotments: "Allotments"}
		c, err = FoundBy(tx, text, q, true)
		return err
	})
	if c.Group != allotments || c.GroupName != "Allotments" || len(c.Records) != 1 {
		t.Fatalf("found: %+v", c)
	}
	o.places(c)
	o.captures(says(ann, "A5", "there are bins"))
	elsewhere := says(ann, "A6", "there are slugs")
	elsewhere.Group = allotments
	seq := o.captures(elsewhere).Seq
	o.takesIn()
	if !o.record(seq).OnHold || o.record(seq-1).OnHold {
		t.Error("not what was sent in that group is on hold, and nothing else")
	}
	o.write(func(tx *sqlite.Tx) error {
		q, err := ParseQuery("from:ann culvert")
		if err != nil {
			return err
		}
		if _, err := FoundBy(tx, "from:ann culvert", q, true); !errors.Is(err, ErrAhead) {
			t.Errorf("a search by name goes on: %v", err)
		}
		_, err = FoundBy(tx, "from:ann culvert", q, false)
		return err
	})
}

// Of days, members and groups, what comes later is covered as what is here; and days to come
// may be held.
func TestHoldsOfWhatIsToCome(t *testing.T) {
	o := conversation(t)
	tomorrow := retention.DateOf(o.now).AddDays(1)
	for name, c := range map[string]Cover{
		"days":   {Scope: Dates, From: tomorrow, Through: tomorrow.AddDays(30)},
		"member": {Scope: ByMember, Member: o.member("Ann")},
		"group":  {Scope: InGroup, Group: allotments, GroupName: "Allotments"},
	} {
		id := o.places(c)
		r := says(ann, "later "+name, "later")
		r.Group, r.Sent = allotments, tomorrow.Start().Add(time.Hour)
		if seq := o.captures(r).Seq; !o.record(seq).OnHold {
			t.Errorf("by %s: what came later is not on hold", name)
		}
		o.releases(id)
	}
}

// Somebody is reminded on the day of a hold's review and once a week after it, whatever is
// missed meanwhile, until it has been reviewed or released.
func TestReviews(t *testing.T) {
	o := newOffice(t)
	o.write(func(tx *sqlite.Tx) error {
		_, err := Place(tx, o.now, "Jane Clerk", Hold{Kind: FOI, Case: "FOI-2026-003", Reason: "request 7", Review: "2026-06-01", Cover: Cover{Scope: Everything}})
		return err
	})
	o.holds("no date is set for its review")
	reminded := func(d retention.Date) bool {
		o.now = d.Start().Add(time.Hour)
		var ids []int64
		o.write(func(tx *sqlite.Tx) (err error) {
			if ids, err = ToReview(tx, d); err != nil {
				return err
			}
			for _, id := range ids {
				entry, err := Reminded(tx, o.now, id)
				if err != nil {
					return err
				}
				if h, err := RemindedOf(tx, entry); err != nil || h.ID != 1 || h.Case != "FOI-2026-003" {
					return fmt.Errorf("the reminder is of %+v, %w", h, err)
				}
			}
			return nil
		})
		return len(ids) == 1
	}
	for _, tt := range []struct {
		on    retention.Date
		until retention.Date // the hold is reviewed then
		want  bool
	}{
		{"2026-05-31", "", false},
		{"2026-06-01", "", true},
		{"2026-06-01", "", false},
		{"2026-06-07", "", false},
		{"2026-06-08", "", true},
		{"2026-07-10", "", true}, // nothing ran for a month
		{"2026-07-11", "", false},
		{"2026-07-17", "2026-10-01", true},
		{"2026-07-30", "", false},
		{"2026-10-02", "", true},
		{"2026-10-09", "", true},
	} {
		if got := reminded(tt.on); got != tt.want {
			t.Errorf("on %s somebody was reminded: %v", tt.on, got)
		}
		if tt.until != "" {
			o.write(func(tx *sqlite.Tx) error {
				entry, err := journal.LastID(tx)
				if err != nil {
					return err
				}
				if err := ReviewHold(tx, o.now, 1, "Jane Clerk", "not yet answered", tt.until); err != nil {
					return err
				}
				h, err := RemindedOf(tx, entry)
				if h.ID != 0 {
					t.Error("it is reviewed, and the reminder still goes out")
				}
				return err
			})
		}
	}
	for _, until := range []retention.Date{retention.DateOf(o.now), "2027-04-10"} {
		if err := o.db.Write(context.Background(), func(tx *sqlite.Tx) error {
			return ReviewHold(tx, o.now, 1, "Jane Clerk", "not yet answered", until)
		}); err == nil {
			t.Errorf("to be reviewed again on %s, today being %s", until, retention.DateOf(o.now))
		}
	}
	o.releases(1)
	if reminded("2026-12-01") {
		t.Error("somebody is reminded of a hold that is released")
	}
	for _, err := range []error{
		o.db.Write(context.Background(), func(tx *sqlite.Tx) error { return ReviewHold(tx, o.now, 1, "Jane Clerk", "x", "2027-01-01") }),
		o.db.Write(context.Background(), func(tx *sqlite.Tx) error { return DescribeHold(tx, o.now, 1, "Jane Clerk", "x", SAR, "") }),
	} {
		if !errors.Is(err, ErrNoHold) {
			t.Errorf("of a hold that is released: %v", err)
		}
	}
}

func TestKindsOfHolds(t *testing.T) {
	o := newOffice(t)
	for _, k := range HoldKinds {
		o.write(func(tx *sqlite.Tx) error { // the table knows them all
			_, err := Place(tx, o.now, "Jane Clerk", Hold{Kind: k, Cover: Cover{Scope: Everything}})
			return err
		})
		for _, s := range []string{string(k), k.Typed(), " " + strings.ToUpper(k.Typed())} {
			if got, err := ParseHoldKind(s); got != k || err != nil {
				t.Errorf("%q is read as %q, %v", s, got, err)
			}
		}
	}
	for _, s := range []string{"", "fio", "internalreview", "foi eir"} {
		if k, err := ParseHoldKind(s); err == nil {
			t.Errorf("%q is read as %q", s, k)
		}
	}
}
