package alert_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"muniment/internal/alert"
	"muniment/internal/journal"
	"muniment/internal/mail"
	"muniment/internal/sqlite"
	"muniment/internal/sqlite/sqlitetest"
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// office is a council's archive, in which alerts are told, with a clock.
type office struct {
	t    *testing.T
	path string
	db   *sqlite.DB
	desk alert.Desk
	now  time.Time
	step time.Duration // between two looks
}

func open(t *testing.T) *office {
	o := &office{t: t, path: filepath.Join(t.TempDir(), "archive.db"), now: noon, step: time.Minute, desk: alert.Desk{
		From: "record@cranford-pc.example", Clerk: "clerk@cranford-pc.example", Sysadmin: "it@cranford-pc.example", Token: "0123456789abcdef",
	}}
	db, err := sqlitetest.Create(t.Context(), o.path)
	o.must(err)
	o.db = db
	t.Cleanup(func() { o.db.Close() })
	return o
}

func (o *office) must(err error) {
	o.t.Helper()
	if err != nil {
		o.t.Fatal(err)
	}
}

func (o *office) write(f func(*sqlite.Tx) error) {
	o.t.Helper()
	o.must(o.db.Write(o.t.Context(), f))
}

// restarts closes the archive and opens it again.
func (o *office) restarts() {
	o.t.Helper()
	o.must(o.db.Close())
	db, err := sqlite.Open(o.t.Context(), o.path)
	o.must(err)
	o.db = db
}

// finds is what the daemon does each minute, when that is wrong.
func (o *office) finds(wrong ...alert.Condition) {
	o.t.Helper()
	o.write(func(tx *sqlite.Tx) error {
		_, err := o.desk.Check(tx, o.now, wrong)
		return err
	})
}

// lets passes time, by default minute by minute, in which that is wrong.
func (o *office) lets(pass time.Duration, wrong ...alert.Condition) {
	o.t.Helper()
	for end := o.now.Add(pass); o.now.Before(end); {
		o.now = o.now.Add(o.step)
		o.finds(wrong...)
	}
}

func (o *office) happens(k alert.Kind, about string, n int) {
	o.t.Helper()
	o.write(func(tx *sqlite.Tx) error {
		_, err := o.desk.Happened(tx, o.now, alert.Event{Kind: k, About: about, At: o.now, Number: n})
		return err
	})
}

// told is every email, with how long after noon it was told, to whom, and what it says.
func (o *office) told() (all []string) {
	o.t.Helper()
	o.write(func(tx *sqlite.Tx) error {
		items, err := mail.List(tx, mail.Queued)
		for _, it := range items {
			told, err := alert.Load(tx, it.About)
			if err != nil {
				return err
			}
			var to []string
			for _, r := range it.Recipients {
				name, _, _ := strings.Cut(r.Address, "@")
				to = append(to, name)
			}
			s := fmt.Sprintf("%s %s: %s", strings.Replace(told.At.Sub(noon).String(), "m0s", "m", 1), strings.Join(to, "+"), told.Sort)
			if told.Number != 0 {
				s += fmt.Sprint(" ", told.Number)
			}
			all = append(all, s+" "+string(told.Kind))
		}
		return err
	})
	return all
}

func (o *office) expect(want ...string) {
	o.t.Helper()
	if got := o.told(); !slices.Equal(got, want) {
		o.t.Errorf("told\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

func (o *office) acts() (acts []journal.Act) {
	o.t.Helper()
	o.write(func(tx *sqlite.Tx) error {
		return journal.Each(tx, func(e journal.Entry) error { acts = append(acts, e.Act); return nil })
	})
	return acts
}

var disk = alert.Condition{Kind: alert.DiskLow, Since: noon}

// It is told once, however often anybody looks and the daemon starts, and when it is over.
func TestOnceAndItsEnd(t *testing.T) {
	o := open(t)
	o.finds(disk)
	o.lets(20*time.Minute, disk)
	o.restarts()
	o.step = time.Hour
	o.lets(3*24*time.Hour, disk)
	o.step = time.Minute
	o.expect("0s it: raised disk-low")
	o.lets(9 * time.Minute)
	o.restarts()
	o.expect("0s it: raised disk-low")
	o.lets(time.Hour)
	o.expect("0s it: raised disk-low", "72h31m it: ended disk-low")
	if got := o.acts(); !slices.Equal(got, []journal.Act{journal.AlertRaised, journal.AlertEnded}) {
		t.Errorf("journal: %q", got)
	}
	o.write(func(tx *sqlite.Tx) error {
		ended, err := alert.Load(tx, 2)
		if at := noon.Add(72*time.Hour + 21*time.Minute); err == nil && (ended.First != 1 || !ended.Until.Equal(at)) {
			t.Errorf("it follows %d and ended at %s; want 1 and %s", ended.First, ended.Until, at)
		}
		return err
	})
}

// What comes and goes every minute is one alert: it is not well before it has been so for a
// while. The next day that it comes back, it is another.
func TestFlapping(t *testing.T) {
	o := open(t)
	for range 60 {
		o.lets(time.Minute, disk)
		o.lets(5 * time.Minute)
	}
	o.expect("1m it: raised disk-low")
	o.lets(time.Hour)
	o.now = o.now.Add(47 * time.Hour)
	o.lets(time.Minute, disk)
	o.expect("1m it: raised disk-low", "6h6m it: ended disk-low", "54h1m it: raised disk-low")
}

// Whoever wanted many emails cannot have them: what comes back as soon as it was told to be
// over has to be well for longer and longer.
func TestManyAlertsCannotBeHad(t *testing.T) {
	if testing.Short() {
		t.Skip("one thing after another, which the race detector watches for long")
	}
	o := open(t)
	o.step = 10 * time.Minute
	wrong := true
	for o.now.Before(noon.Add(4 * 24 * time.Hour)) {
		before := len(o.told())
		if wrong {
			o.lets(o.step, disk)
		} else {
			o.lets(o.step)
		}
		if len(o.told()) > before {
			wrong = !wrong
		}
	}
	first, all := 0, o.told()
	for _, s := range all {
		at, err := time.ParseDuration(strings.Fields(s)[0])
		o.must(err)
		if at < 24*time.Hour {
			first++
		}
	}
	if first > 7 || len(all) > 7+2*3 {
		t.Errorf("%d emails in four days, %d of them on the first day:\n%s", len(all), first, strings.Join(all, "\n"))
	}
}

// What costs something each day is said again each day, for a week; until it is worse.
func TestReminders(t *testing.T) {
	o := open(t)
	lost := alert.Condition{Kind: alert.LinkLost, Since: noon}
	o.finds(lost)
	o.step = time.Hour
	o.lets(30*24*time.Hour, lost)
	want := []string{"0s clerk+it: raised link-lost"}
	for day := 1; day <= 7; day++ {
		want = append(want, fmt.Sprintf("%dh0m clerk+it: reminder link-lost", 24*day))
	}
	o.expect(want...)
}

// The link has one alert, that of the worst. Only when there is a connection it is over.
func TestTheWorstOfOneMatter(t *testing.T) {
	o := open(t)
	unsure := alert.Condition{Kind: alert.NotConnected, Since: noon, Unsure: true}
	out := alert.Condition{Kind: alert.NotConnected, Since: noon}
	banned := alert.Condition{Kind: alert.Banned, Since: noon, Cause: "WhatsApp has banned the council's account until Friday."}
	o.lets(15*time.Minute, unsure)
	o.expect()
	o.lets(time.Minute, out)
	o.write(func(tx *sqlite.Tx) error {
		for range 2 {
			if _, err := o.desk.Raise(tx, o.now, banned); err != nil {
				return err
			}
		}
		return nil
	})
	o.lets(5*time.Hour, out)
	o.lets(time.Hour, unsure)
	o.lets(10 * time.Minute)
	o.expect("16m it: raised not-connected", "16m clerk+it: raised banned")
	o.lets(time.Minute)
	o.expect("16m it: raised not-connected", "16m clerk+it: raised banned", "6h27m clerk+it: ended banned")
}

// The same thing gets worse in steps.
func TestWorse(t *testing.T) {
	o := open(t)
	o.step = 6 * time.Hour
	for day := range 15 {
		var wrong []alert.Condition
		for _, days := range []int{12, 10, 7} {
			if day >= days {
				wrong = append(wrong, alert.Condition{Kind: alert.PhoneUnseen, Since: noon, Level: days, Number: days})
				break
			}
		}
		o.lets(24*time.Hour, wrong...)
	}
	o.expect("174h0m clerk: raised 7 phone-unseen", "246h0m clerk: raised 10 phone-unseen", "294h0m clerk: raised 12 phone-unseen")
}

// Of what expires and in which group, each is a matter of its own.
func TestSeveralOfAKind(t *testing.T) {
	o := open(t)
	of := func(about string) alert.Condition {
		return alert.Condition{Kind: alert.Outside, About: about, Since: noon}
	}
	o.finds(of("Cranford councillors"), of("Cranford officers"))
	o.lets(11*time.Minute, of("Cranford officers"))
	o.expect("0s clerk: raised outside", "0s clerk: raised outside", "11m clerk: ended outside")
	o.write(func(tx *sqlite.Tx) error {
		left, err := alert.Open(tx)
		if len(left) != 1 || left[0].About != "Cranford officers" {
			t.Errorf("open: %+v", left)
		}
		return err
	})
}

// The first is told at once; those who follow, together.
func TestEvents(t *testing.T) {
	o := open(t)
	o.happens(alert.Stranger, "Cranford councillors", 1)
	for range 5 {
		o.lets(time.Minute)
		o.happens(alert.Stranger, "Cranford councillors", 2)
	}
	o.happens(alert.Renamed, "Cranford councillors", 0)
	o.restarts()
	o.expect("0s clerk: raised 1 stranger", "5m clerk: raised 1 group-renamed")
	o.lets(5 * time.Minute)
	o.expect("0s clerk: raised 1 stranger", "5m clerk: raised 1 group-renamed", "10m clerk: further 10 stranger")
	o.lets(3 * time.Hour)
	o.happens(alert.Stranger, "Cranford councillors", 1)
	o.expect("0s clerk: raised 1 stranger", "5m clerk: raised 1 group-renamed", "10m clerk: further 10 stranger", "3h10m clerk: raised 1 stranger")
	o.write(func(tx *sqlite.Tx) error {
		all, err := alert.Open(tx)
		if len(all) != 0 {
			t.Errorf("shown as wrong: %+v", all)
		}
		return err
	})
}

// One every five minutes for three days.
func TestAStormOfEvents(t *testing.T) {
	o := open(t)
	for range 3 * 24 * 12 {
		o.happens(alert.NewAdmin, "", 1)
		o.now = o.now.Add(5 * time.Minute)
		o.finds()
	}
	told := o.told()
	if len(told) > 7 {
		t.Errorf("%d emails:\n%s", len(told), strings.Join(told, "\n"))
	}
}

// That no email can be sent is not told by email, but that it is over.
func TestWhatAnEmailWouldWaitFor(t *testing.T) {
	o := open(t)
	stuck := alert.Condition{Kind: alert.MailStuck, Since: noon.Add(-time.Hour)}
	o.finds(stuck)
	o.expect()
	o.write(func(tx *sqlite.Tx) error {
		all, err := alert.Open(tx)
		if len(all) != 1 || all[0].Kind != alert.MailStuck {
			t.Errorf("open: %+v", all)
		}
		return err
	})
	o.lets(11 * time.Minute)
	o.expect("11m it: ended mail-stuck")
	o.write(func(tx *sqlite.Tx) error {
		ended, err := alert.Load(tx, 2)
		if ended.First != 0 {
			t.Errorf("the email follows %d, which was none", ended.First)
		}
		return err
	})
}

// The archive could not be written to, so nothing was told in it; then it could again, and
// again not.
func TestPassed(t *testing.T) {
	o := open(t)
	full := alert.Condition{Kind: alert.Unwritable, Since: noon, Cause: "the disk is full"}
	for range 3 {
		o.now = o.now.Add(5 * time.Minute)
		o.write(func(tx *sqlite.Tx) error { return o.desk.Passed(tx, o.now, full) })
		o.finds()
	}
	o.expect()
	o.lets(10 * time.Minute)
	o.expect("25m it: ended unwritable")
}

// The clock was a month ahead, and has been set right.
func TestTheClockWasAhead(t *testing.T) {
	o := open(t)
	lost := alert.Condition{Kind: alert.Outside, Since: noon}
	o.now = noon.AddDate(0, 1, 0)
	o.finds(disk, lost)
	o.lets(time.Minute, lost) // the disk is well then
	o.happens(alert.ClockJumped, "", 1)
	o.now = noon
	o.lets(12*time.Minute, lost)
	got := o.told()
	if want := []string{"1m clerk: reminder outside", "11m it: ended disk-low"}; len(got) != 5 || !slices.Equal(got[3:], want) {
		t.Errorf("told %q; want three, and then %q", got, want)
	}
}

// Without a sysadmin of its own, the clerk is told, once.
func TestTheClerkIsTheSysadmin(t *testing.T) {
	o := open(t)
	o.desk.Sysadmin = o.desk.Clerk
	o.finds(disk, alert.Condition{Kind: alert.LinkLost, Since: noon})
	o.expect("0s clerk: raised disk-low", "0s clerk: raised link-lost")
}

func TestNews(t *testing.T) {
	o := open(t)
	var asked []int64
	for range 2 {
		o.write(func(tx *sqlite.Tx) error {
			return alert.News(tx, "journal", func(seen int64) (int64, error) { asked = append(asked, seen); return 7, nil })
		})
		o.restarts()
	}
	if !slices.Equal(asked, []int64{0, 7}) {
		t.Errorf("looked from %v", asked)
	}
}
