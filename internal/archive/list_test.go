package archive

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muniment/internal/journal"
	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// list is WhatsApp's whole list at a version.
func (o *office) list(at time.Time, version string, differs bool) {
	o.Helper()
	o.now = at
	o.write(func(tx *sqlite.Tx) error {
		return Listed(tx, at, record.Received{Kind: record.Participants, Type: record.Present, Group: official, Sent: at, Version: version}, differs)
	})
}

// move is a change from one version to another, and whether it makes us ask for the list.
func (o *office) move(at time.Time, before, version string) (ask bool) {
	o.Helper()
	o.now = at
	r := record.Received{Kind: record.Participants, Type: record.Joined, Group: official, Sent: at, Version: version,
		Details: record.Details{Version: before}.Encode()}
	o.write(func(tx *sqlite.Tx) (err error) { ask, err = Moved(tx, at, r); return err })
	return ask
}

// gaps are shown with their times in hours after monday.
func (o *office) gaps() (shown []string) {
	o.Helper()
	hours := func(t time.Time) string {
		if t.IsZero() {
			return "still"
		}
		return fmt.Sprint(t.Sub(monday).Hours())
	}
	o.write(func(tx *sqlite.Tx) error {
		gaps, err := Gaps(tx)
		for _, g := range gaps {
			shown = append(shown, fmt.Sprintf("%s, %s, %s to %s", g.Kind, g.Group, hours(g.Opened), hours(g.Closed)))
		}
		return err
	})
	return shown
}

func TestAMissedChangeOpensAGap(t *testing.T) {
	hour := func(n float64) time.Time { return monday.Add(time.Duration(n * float64(time.Hour))) }
	broken := func(s string) string { return "list of participants, " + official + ", " + s }
	for _, tt := range []struct {
		name    string
		happens func(o *office)
		want    []string
	}{
		{"nothing is known before the first list", func(o *office) {
			if o.move(hour(1), "1", "2") {
				o.Error("asks")
			}
		}, nil},
		{"the first list", func(o *office) { o.list(hour(1), "1", true) }, nil},
		{"one after the other", func(o *office) {
			o.list(hour(1), "1", true)
			if o.move(hour(2), "1", "2") || o.move(hour(3), "2", "3") {
				o.Error("asks")
			}
			o.list(hour(4), "3", false)
		}, nil},
		{"one is missing", func(o *office) {
			o.list(hour(1), "1", true)
			o.move(hour(2), "1", "2")
			if !o.move(hour(4), "3", "4") || o.move(hour(5), "4", "5") {
				o.Error("asks not, or more than once")
			}
			if diff := cmp.Diff([]string{broken("2 to still")}, o.gaps()); diff != "" {
				o.Error(diff)
			}
			o.list(hour(6), "5", true)
			if o.move(hour(7), "5", "6") {
				o.Error("asks")
			}
			if !o.move(hour(8), "7", "8") {
				o.Error("asks not")
			}
		}, []string{broken("7 to still"), broken("2 to 6")}},
		{"two are missing before the list comes", func(o *office) {
			o.list(hour(1), "1", true)
			if !o.move(hour(3), "2", "3") || !o.move(hour(5), "4", "5") {
				o.Error("asks not")
			}
			o.list(hour(6), "5", true)
		}, []string{broken("1 to 6")}},
		{"one comes that the list had", func(o *office) {
			o.list(hour(1), "1", true)
			o.list(hour(5), "3", false)
			if !o.move(hour(2), "1", "2") { // the list may not be what it is made now
				o.Error("asks not")
			}
			if o.move(hour(3), "2", "3") {
				o.Error("asks for the list's own version")
			}
			if o.move(hour(6), "3", "4") {
				o.Error("asks though all is whole")
			}
		}, nil},
		{"another list, and nothing told", func(o *office) {
			o.list(hour(1), "1", true)
			o.move(hour(2), "1", "2")
			o.list(hour(9), "5", true)
		}, []string{broken("2 to 9")}},
		{"another version, and the same people", func(o *office) {
			o.list(hour(1), "1", true)
			o.list(hour(9), "5", false)
		}, nil},
		{"the same version, and other people: two are one, or were", func(o *office) {
			o.list(hour(1), "1", true)
			o.list(hour(9), "1", true)
		}, nil},
		{"without versions other people are enough", func(o *office) {
			o.list(hour(1), "", true)
			if o.move(hour(2), "", "") {
				o.Error("asks")
			}
			o.list(hour(9), "", true)
		}, []string{broken("1 to 9")}},
		{"out of the group, and back: no more is said of who came meanwhile", func(o *office) {
			o.list(hour(1), "1", true)
			for range 2 {
				o.write(func(tx *sqlite.Tx) error { _, err := Outside(tx, hour(3), hour(2), official, "Removed."); return err })
			}
			o.list(hour(9), "5", true)
		}, []string{"not in the group, " + official + ", 2 to 9"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOffice(t)
			tt.happens(o)
			if diff := cmp.Diff(tt.want, o.gaps()); diff != "" {
				t.Errorf("gaps (-want +got):\n%s", diff)
			}
		})
	}
}

// Since when the account is not in the group nobody may know: then it was there when
// something was last heard from the group, and not a moment later.
func TestOutsideSinceSomethingWasLastHeard(t *testing.T) {
	o := newOffice(t)
	told := func(now time.Time) bool {
		var news bool
		o.write(func(tx *sqlite.Tx) (err error) {
			news, err = Outside(tx, now, time.Time{}, official, "WhatsApp says so.")
			return err
		})
		return news
	}
	o.list(monday.Add(time.Hour), "1", true)
	r := says(ann, "A", "The last words.")
	r.Sent = monday.Add(2 * time.Hour)
	o.captures(r)
	r = says(ann, "B", "From a telephone that is years ahead.")
	r.Sent = monday.AddDate(5, 0, 0)
	o.captures(r)
	if !told(monday.Add(5*time.Hour)) || told(monday.Add(6*time.Hour)) {
		t.Error("news once, and once only")
	}
	if diff := cmp.Diff([]string{"not in the group, " + official + ", 2 to still"}, o.gaps()); diff != "" {
		t.Errorf("gaps (-want +got):\n%s", diff)
	}
	if n := o.journaled(journal.GapOpened); n != 1 {
		t.Errorf("%d gaps in the journal", n)
	}

	o = newOffice(t)
	told(monday.Add(5 * time.Hour))
	if diff := cmp.Diff([]string{"not in the group, " + official + ", 5 to still"}, o.gaps()); diff != "" {
		t.Errorf("of a group from which nothing was ever heard (-want +got):\n%s", diff)
	}
}

func TestGapsOfOneGroupAreItsOwn(t *testing.T) {
	o := newOffice(t)
	o.write(func(tx *sqlite.Tx) error {
		for _, group := range []string{official, "other@g.us"} {
			if news, err := OpenGroupGap(tx, monday, monday, NotInGroup, group, "Removed."); err != nil || !news {
				t.Errorf("opened %v, %v", news, err)
			}
		}
		if err := CloseGap(tx, monday.Add(time.Hour)); err != nil { // connected again
			return err
		}
		return CloseGroupGap(tx, monday.Add(2*time.Hour), NotInGroup, official)
	})
	want := []string{"not in the group, other@g.us, 0 to still", "not in the group, " + official + ", 0 to 2"}
	if diff := cmp.Diff(want, o.gaps()); diff != "" {
		t.Errorf("gaps (-want +got):\n%s", diff)
	}
}

func TestSettingsOfAGroup(t *testing.T) {
	o := newOffice(t)
	hour := func(n int) time.Time { return monday.Add(time.Duration(n) * time.Hour) }
	changes := func(n int, typ record.Type, text string) record.Seq {
		return o.captures(record.Received{Kind: record.Group, Type: typ, ID: fmt.Sprint("G", n), Sender: ann, Sent: hour(n), Text: text}).Seq
	}
	listed := func(n int, set map[record.Type]string) record.Received {
		return record.Received{Kind: record.Participants, Type: record.Present, Sender: ann, Sent: hour(n), Group: official,
			Participants: those(ann), Version: fmt.Sprint(n), Details: record.Details{Settings: set}.Encode()}
	}
	settings := func(before record.Seq) (got map[record.Type]Setting) {
		o.write(func(tx *sqlite.Tx) (err error) { got, err = Settings(tx, official, before); return err })
		return got
	}
	isNew := func(r record.Received) bool {
		var known bool
		o.write(func(tx *sqlite.Tx) (err error) { known, err = SetUpAs(tx, r); return err })
		return !known
	}
	if got := settings(0); len(got) != 0 {
		t.Errorf("of nothing: %v", got)
	}
	first := listed(1, map[record.Type]string{record.Subject: "Council", record.Timer: "0", record.Writers: "all"})
	if !isNew(first) {
		t.Error("the first list says nothing new")
	}
	one := o.captures(first).Seq
	changes(2, record.Subject, "The council")
	if isNew(listed(3, map[record.Type]string{record.Subject: "The council", record.Timer: "0"})) || !isNew(listed(3, map[record.Type]string{record.Subject: "Council"})) {
		t.Error("what is new goes by the last change")
	}
	on := changes(4, record.Timer, "86400")
	found := o.captures(listed(6, map[record.Type]string{record.Subject: "The council", record.Timer: "86400", record.Writers: "admins"})).Seq
	changes(5, record.Writers, "all") // comes late, and was so before the list
	o.captures(record.Received{Kind: record.Group, Type: record.Timer, Group: "other@g.us", ID: "G", Sender: ann, Sent: hour(7), Text: "0"})
	want := map[record.Type]Setting{
		record.Subject: {"The council", hour(2), one + 1},
		record.Timer:   {"86400", hour(4), on},
		record.Writers: {"admins", hour(6), found},
	}
	if diff := cmp.Diff(want, settings(0)); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
	if got := settings(on)[record.Timer]; got != (Setting{"0", hour(1), one}) {
		t.Errorf("before it was switched on: %+v", got)
	}
}

// A setting that came as a message, and comes again undecryptable, is not missing.
func TestASettingThatIsHereIsNotMissing(t *testing.T) {
	o := newOffice(t)
	o.captures(record.Received{Kind: record.Group, Type: record.Timer, Text: "0", ID: "A1", Sender: ann})
	o.write(func(tx *sqlite.Tx) error {
		if err := o.archive.MissMessage(tx, o.now, Missed{Group: official, Ref: record.Ref{ID: "A1", Sender: ann}, Cause: "it could not be decrypted"}); err != nil {
			return err
		}
		gaps, err := Gaps(tx)
		if len(gaps) != 0 {
			t.Errorf("gaps: %+v", gaps)
		}
		return err
	})
}
