package archive

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muniment/internal/journal"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
)

const committee = "120363000000000002@g.us"

// adopts puts a schedule in force, or returns why it may not be.
func (o *office) adopts(minute string, rules ...retention.Rule) (err error) {
	o.Helper()
	return o.db.Write(context.Background(), func(tx *sqlite.Tx) error {
		if o.archive, err = Load(tx, retention.Schedule{Minute: minute, Rules: rules}); err != nil {
			return err
		}
		return o.archive.Adopt(tx, o.now)
	})
}

func years(c retention.Class, n int, groups ...string) retention.Rule {
	return retention.Rule{Class: c, From: retention.Triggers[c], Years: n, Covers: "as the council says", Authority: "Policy §5", Groups: groups}
}

// dueOf returns class and due date of a record.
func (o *office) dueOf(seq record.Seq) (class retention.Class, due retention.Date) {
	o.Helper()
	o.write(func(tx *sqlite.Tx) error {
		return tx.QueryRow("SELECT class, due FROM record WHERE seq = ?", seq).Scan(&class, &due)
	})
	return class, due
}

func (o *office) due(on retention.Date) (due []record.Seq) {
	o.Helper()
	o.write(func(tx *sqlite.Tx) (err error) {
		due, err = o.archive.Due(tx, on, func(record.Seq) bool { return false })
		return err
	})
	return due
}

// Class and period are those of the schedule in force at capture: who is in a group has a
// class of its own, what belongs to a message has that of the message, and one group may
// be kept for longer than another.
func TestClassAtCapture(t *testing.T) {
	o := newOffice(t)
	if err := o.adopts("26/101", years(retention.Messages, 6), years(retention.Messages, 10, committee), years(retention.Rosters, 8)); err != nil {
		t.Fatal(err)
	}
	list := record.Received{Kind: record.Participants, Type: record.Present, Sender: ann, Participants: those(ann, bo)}
	there := says(ann, "C1", "of the committee")
	there.Group = committee
	for i, tt := range []struct {
		r     record.Received
		class retention.Class
		due   retention.Date
	}{
		{says(ann, "A1", "first"), retention.Messages, "2032-03-03"},
		{reacts(bo, "B1", "👍", ann, "A1"), retention.Messages, "2032-03-03"},
		{list, retention.Rosters, "2034-03-03"},
		{there, retention.Messages, "2036-03-03"},
	} {
		o.captures(tt.r)
		if class, due := o.dueOf(record.Seq(i + 1)); class != tt.class || due != tt.due {
			t.Errorf("record %d is of class %s, due %s; want %s, %s", i+1, class, due, tt.class, tt.due)
		}
	}
	o.expectSound()
}

// What no rule is for is never due, whoever asks.
func TestWithoutARuleItIsKept(t *testing.T) {
	o := newOffice(t)
	o.captures(says(ann, "A1", "first"))
	if err := o.adopts("26/101", years(retention.Rosters, 6)); err != nil {
		t.Fatal(err)
	}
	o.captures(says(ann, "A2", "second"))
	if _, due := o.dueOf(2); due != retention.Never {
		t.Errorf("captured without a rule, it is due on %s", due)
	}
	o.passes(100)
	if due := o.due(retention.DateOf(o.now)); len(due) > 0 {
		t.Errorf("records %v are due a hundred years on", due)
	}
	o.write(func(tx *sqlite.Tx) error {
		for _, seq := range []record.Seq{1, 2} {
			if all, err := o.archive.AllDue(tx, retention.DateOf(o.now), []record.Seq{seq}); err != nil || all {
				t.Errorf("record %d is due: %v, err %v", seq, all, err)
			}
		}
		gone, err := o.archive.Destroy(tx, Destruction{Run: 1, On: retention.DateOf(o.now), Authority: "x"}, []record.Seq{1, 2})
		if len(gone) > 0 {
			t.Errorf("destroyed: %v", gone)
		}
		return err
	})
}

// A longer period counts for what is there already, a shorter one does not; with a rule
// again, what was captured under it is due as it would have been.
func TestPeriodsOfWhatIsThere(t *testing.T) {
	o := newOffice(t)
	o.captures(says(ann, "A1", "first")) // 2 March 2026, six years
	for _, tt := range []struct {
		name   string
		minute string
		rules  []retention.Rule
		due    retention.Date
	}{
		{"longer", "26/001", []retention.Rule{years(retention.Messages, 10)}, "2036-03-03"},
		{"longer in this group", "26/001", []retention.Rule{years(retention.Messages, 10), years(retention.Messages, 12, official)}, "2038-03-03"},
		{"longer in another", "26/002", []retention.Rule{years(retention.Messages, 7), years(retention.Messages, 12, committee)}, "2033-03-03"},
		{"none", "26/003", nil, ""},
		{"a shorter one", "26/004", []retention.Rule{years(retention.Messages, 2)}, "2032-03-03"},
	} {
		if err := o.adopts(tt.minute, tt.rules...); err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		on := tt.due
		if on == "" {
			if due := o.due("2999-01-01"); len(due) > 0 {
				t.Errorf("%s: it is due", tt.name)
			}
			continue
		}
		if before, then := o.due(on.AddDays(-1)), o.due(on); len(before) != 0 || len(then) != 1 {
			t.Errorf("%s: due the day before %s: %v, then: %v", tt.name, on, before, then)
		}
	}
}

// To shorten a period takes a minute that no schedule had before.
func TestShorteningNeedsAMinute(t *testing.T) {
	six, ten, four := years(retention.Messages, 6), years(retention.Messages, 10), years(retention.Messages, 4)
	lists := years(retention.Rosters, 6)
	o := newOffice(t)
	for _, step := range []struct {
		minute  string
		rules   []retention.Rule
		refused []retention.Class
	}{
		{"24/037", []retention.Rule{six, lists}, nil},
		{"24/037", []retention.Rule{four, lists}, []retention.Class{retention.Messages}},
		{"", []retention.Rule{four, lists}, []retention.Class{retention.Messages}},
		{"26/101", []retention.Rule{ten, lists}, nil},
		{"24/037", []retention.Rule{six, lists}, []retention.Class{retention.Messages}},
		{"26/101", []retention.Rule{ten}, nil},
		{"26/101", []retention.Rule{ten, lists}, []retention.Class{retention.Rosters}}, // it was to be kept
		{"27/014", []retention.Rule{four, lists}, nil},
		{"27/014", []retention.Rule{four, lists}, nil}, // as it is
	} {
		err := o.adopts(step.minute, step.rules...)
		var s Shorter
		if errors.As(err, &s); (err != nil) != (step.refused != nil) || !slices.Equal(s.Classes, step.refused) {
			t.Errorf("minute %q, %v: %v; want %v", step.minute, step.rules, err, step.refused)
		}
	}
	const told = 5 // with the one that the archive was laid out with; what is refused or as it is is not told
	var all []Adopted
	o.write(func(tx *sqlite.Tx) (err error) {
		all, err = Schedules(tx)
		return err
	})
	if len(all) != told {
		t.Errorf("the journal tells of %d schedules; want %d", len(all), told)
	}
}

// The journal tells the whole schedule, before the first record under it, and no address
// of a group.
func TestTheJournalTellsTheSchedule(t *testing.T) {
	o := newOffice(t)
	rules := []retention.Rule{years(retention.Messages, 6), years(retention.Messages, 10, committee)}
	if err := o.adopts("26/101", rules...); err != nil {
		t.Fatal(err)
	}
	o.captures(says(ann, "A1", "first"))
	o.write(func(tx *sqlite.Tx) error {
		all, err := Schedules(tx)
		if err != nil {
			return err
		}
		if diff := cmp.Diff(retention.Schedule{Minute: "26/101", Rules: rules}, all[1].Schedule); diff != "" || len(all) != 2 {
			t.Errorf("the second of %d schedules (-want +got)\n%s", len(all), diff)
		}
		if inForce, err := InForce(tx); err != nil || !all[1].Is(inForce) {
			t.Errorf("in force is %v, err %v", inForce, err)
		}
		if says, err := journal.Says(tx, []byte(committee)); err != nil || says {
			t.Errorf("the journal tells a group's address, err %v", err)
		}
		return err
	})
}

// A schedule that was in force for a few days, as the program's own is until the council's
// is adopted, has let nothing go.
func TestAScheduleOfAFewDays(t *testing.T) {
	o := newOffice(t)
	o.now = o.now.AddDate(0, 0, 3)
	if err := o.adopts("26/101", years(retention.Messages, 10)); err != nil {
		t.Fatal(err)
	}
	o.write(func(tx *sqlite.Tx) error {
		over, err := o.archive.PastDue(tx, o.now)
		if err != nil {
			return err
		}
		for ago, want := range map[int]bool{8: false, 11: true} {
			if got := over(official, o.now.AddDate(-ago, 0, 0)); got != want {
				t.Errorf("what was sent %d years ago is past its period: %v", ago, got)
			}
		}
		return nil
	})
	o.now = o.now.Add(time.Hour)
}
