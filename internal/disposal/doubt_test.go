package disposal

import (
	"fmt"
	"testing"

	"muniment/internal/archive"
	"muniment/internal/journal"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
)

// Whatever is journaled or signed with a wrong clock before the night makes the next
// step small, but not this one.
func TestAClockJumpIsNotMasked(t *testing.T) {
	if testing.Short() {
		t.Skip("one thing after another, which the race detector watches for long")
	}
	for name, act := range map[string]func(c *council){
		"nothing": func(*council) {},
		"a lost link": func(c *council) {
			c.write(func(tx *sqlite.Tx) error {
				return archive.OpenGap(tx, c.now, c.now, archive.NotConnected, "interrupted")
			})
		},
		"a checkpoint": func(c *council) { c.write(func(tx *sqlite.Tx) error { _, err := c.key.Sign(tx, c.now); return err }) },
		"a start": func(c *council) {
			c.write(func(tx *sqlite.Tx) error {
				return journal.Write(tx, journal.Entry{At: c.now, Who: journal.Daemon, Act: journal.Started})
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCouncil(t)
			c.says(ann, "3EB0AAAAAAAAAAAAAAAA", culvert)
			c.nightsUntil("2032-02-02") // the list is drawn up, the notice handed over
			c.now = c.now.AddDate(0, 0, 30)
			act(c)
			c.nightsUntil("2032-03-06")
			c.expectKept(1)
			c.expectDoubt(1, "clock jumped")
			if n := c.journaled(journal.ClockJumped); n != 1 {
				t.Errorf("the jump is in the journal %d times; want once", n)
			}
			c.write(func(tx *sqlite.Tx) error { return ConfirmClock(tx, c.now, "Jane Clerk", "the machine was off") })
			c.nightsUntil("2032-03-07")
			c.expectKept(0)
		})
	}
}

// There and back within one day is a jump too: what was written meanwhile may bear
// any time.
func TestAClockThatWentAndCameBack(t *testing.T) {
	c := newCouncil(t)
	c.says(ann, "3EB0AAAAAAAAAAAAAAAA", culvert)
	c.nightsUntil("2032-02-05")
	right := c.now
	c.now = c.now.AddDate(1, 0, 0)
	c.holds()
	c.now = right
	c.nightsUntil("2032-02-06")
	c.expectDoubt(1, "day is") // that comes first
	if n := c.journaled(journal.ClockJumped); n != 2 {
		t.Errorf("%d jumps are in the journal; want there and back", n)
	}
}

// Whether a list was drawn up before a hold was released is not told by the clock.
func TestAReleaseWhileTheClockIsSlow(t *testing.T) {
	c := newCouncil(t)
	c.says(ann, "3EB0AAAAAAAAAAAAAAAA", culvert)
	c.nightsUntil("2032-02-05")
	id := c.holds()
	c.nightsUntil("2032-02-07")
	right := c.now
	c.now = c.now.AddDate(0, 0, -6) // before the list was drawn up
	c.releases(id)
	c.now = right
	c.write(func(tx *sqlite.Tx) error {
		if err := CheckClock(tx, c.now); err != nil {
			return err
		}
		return ConfirmClock(tx, c.now, "Jane Clerk", "the battery is replaced")
	})
	c.nightsUntil("2032-03-08")
	c.expectKept(1)
	if n := c.journaled(journal.ListLapsed); n != 1 {
		t.Errorf("%d lists lapsed; want 1", n)
	}
	c.nightsUntil("2032-03-10") // thirty days from a new list
	c.expectKept(0)
}

func (c *council) adopts(years int) {
	c.Helper()
	c.write(func(tx *sqlite.Tx) (err error) {
		schedule := retention.ForYears(years)
		schedule.Minute = fmt.Sprint("26/", years)
		if c.archive, err = archive.Load(tx, schedule); err != nil {
			return err
		}
		return c.archive.Adopt(tx, c.now)
	})
	c.restarts()
}

// The council adopts another period. A longer one extends what is kept already, a
// shorter one does not shorten it; stubs and certificates name the rule that counted.
func TestAnotherPeriod(t *testing.T) {
	if testing.Short() {
		t.Skip("one thing after another, which the race detector watches for long")
	}
	for _, tt := range []struct {
		name  string
		years int
		day   retention.Date // of destruction
		rule  string
	}{
		{"longer", 7, "2033-03-03", "WA-MSG: 7 years from the date of the message (6 when it was captured)"},
		{"shorter", 3, "2032-03-03", "WA-MSG: 6 years from the date of the message"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCouncil(t)
			c.says(ann, "3EB0AAAAAAAAAAAAAAAA", culvert)
			c.nightsUntil("2032-02-05") // there is a list already
			c.adopts(tt.years)
			c.nightsUntil(tt.day.AddDays(-1))
			c.expectKept(1)
			c.nightsUntil(tt.day)
			c.expectKept(0)
			if cert := c.certified(1); cert.Rule != tt.rule || cert.Destroyed[0].Rule != tt.rule {
				t.Errorf("the rule is %q, of the stub %q; want %q", cert.Rule, cert.Destroyed[0].Rule, tt.rule)
			}
			c.expectVerified()
		})
	}
}

// What was captured under different periods may fall due on one day.
func TestPeriodsMixed(t *testing.T) {
	if testing.Short() {
		t.Skip("one thing after another, which the race detector watches for long")
	}
	c := newCouncil(t)
	c.says(ann, "A1", culvert)
	c.adopts(7)
	c.captures(record.Received{Kind: record.Message, Type: record.Text, Sender: bo, ID: "B1", Text: fence})
	c.reacts(bo, "B2", "👍", "A1")
	c.expectVerified()
	c.nightsUntil("2033-03-03")
	c.expectKept(0)
	const want = "WA-MSG: 7 years from the date of the message (6 when it was captured); WA-MSG: 7 years from the date of the message"
	if cert := c.certified(1); cert.Rule != want || len(cert.Destroyed) != 3 {
		t.Errorf("the rule is %q, for %d records; want %q, 3", cert.Rule, len(cert.Destroyed), want)
	}
	if n := c.journaled(journal.ScheduleAdopted); n != 1 {
		t.Errorf("the change is in the journal %d times; want once", n)
	}
	c.expectVerified()
}
