package daemon_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"muniment/internal/daemon"
	"muniment/internal/forward"
	"muniment/internal/mail"
	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
)

// beforeMeetings opens a daemon of a council that meets on these days.
func (w *town) beforeMeetings(c *stepped, meetings ...retention.Date) *daemon.Daemon {
	w.t.Helper()
	o := w.options()
	o.Now = c.Now
	o.Config.Meetings.Dates = nil
	for _, m := range meetings {
		day, err := time.Parse(time.DateOnly, string(m))
		w.must(err)
		o.Config.Meetings.Dates = append(o.Config.Meetings.Dates, day)
	}
	d, err := daemon.Open(w.t.Context(), o)
	w.must(err)
	w.t.Cleanup(func() { w.must(d.Close()) })
	return d
}

// editions returns what councillors were sent, by the day of the meeting and in the
// order in which it arrived, with whom it names.
func (w *town) editions() (all []string) {
	for _, e := range w.post.Emails() {
		head, _, _ := strings.Cut(strings.ReplaceAll(string(e), "\r\n ", " "), "\r\n\r\n")
		if _, rest, ok := strings.Cut(head, "WhatsApp record before the meeting on "); ok {
			day, _, _ := strings.Cut(rest, "\r\n")
			_, to, _ := strings.Cut(head, "\r\nTo: ")
			to, _, _ = strings.Cut(to, "\r\n")
			all = append(all, day+" to "+to)
		}
	}
	return all
}

// Before a meeting every councillor on the register gets the same email once, in the group or
// not; late, if it was missed, but not when the day has come. Who has no address of the
// council's own gets it on paper.
func TestTheEditionBeforeAMeeting(t *testing.T) {
	if testing.Short() {
		t.Skip("does much, and nothing that others of a short run do not")
	}
	w := found(t)
	today := retention.DateOf(time.Now())
	clock := &stepped{now: today.Start().Add(12 * time.Hour)}
	member := func(name, role, email string, from, until retention.Date) {
		m := people.Member{Name: name, Role: role, Email: email, From: from.Start()}
		if until != "" {
			m.Until = until.Start()
		}
		w.write(func(tx *sqlite.Tx) error {
			return people.AddMember(tx, time.Now(), "the test", "elected", m, record.Address{})
		})
	}
	long := today.AddDays(-100)
	member("Cllr Cy Dale", "councillor", "cy@cranford-pc.example", long, "")
	member("Cllr Di Eden", "chair", "Di@Cranford-PC.example", long, "")
	member("Cllr Ed Fox", "councillor", "ed.fox@elsewhere.example", long, "")
	member("Jo Hall", "clerk", "jo@cranford-pc.example", long, "")
	member("Cllr Gone Hill", "councillor", "gone@cranford-pc.example", long, today.AddDays(12))
	member("Cllr New Ivy", "councillor", "new@cranford-pc.example", today.AddDays(15), "")
	first, second, third := today.AddDays(20), today.AddDays(48), today.AddDays(90)
	d := w.beforeMeetings(clock, today.AddDays(-30), first, second, third)

	long20 := func(m retention.Date) string { return m.Weekday().String() + " " + m.Long() }
	const to = " to <Di@Cranford-PC.example>, <cy@cranford-pc.example>, <new@cranford-pc.example>"
	var want []string
	expect := func(when retention.Date, hour int, arrives ...retention.Date) {
		t.Helper()
		clock.set(when.Start().Add(time.Duration(hour) * time.Hour))
		for range 2 {
			w.must(d.Meetings(t.Context()))
			w.must(d.Deliver(t.Context()))
		}
		for _, m := range arrives {
			for range 3 { // a copy each
				want = append(want, long20(m)+to)
			}
		}
		if got := w.editions(); !slices.Equal(got, want) {
			t.Fatalf("on %s: %q; want %q", when, got, want)
		}
	}
	expect(today, 12)
	expect(first.AddDays(-6), 23)
	expect(first.AddDays(-5), 7, first)
	expect(first.AddDays(-4), 7)
	expect(first.AddDays(-5), 6) // the clock is set back
	expect(first, 7)
	expect(second.AddDays(-1), 23, second) // the machine was off
	expect(third, 0)                       // and for too long
	w.read(func(tx *sqlite.Tx) error {
		if e, err := forward.BeforeMeeting(tx, second, clock.now); err != nil || e.Period.First != first.AddDays(-5) || e.Period.Last != second.AddDays(-2) {
			t.Errorf("the second is of %v, %v", e.Period, err)
		}
		if _, err := mail.Find(tx, forward.MeetingLetter, third.Number()); !errors.Is(err, mail.ErrNotQueued) {
			t.Errorf("the third: %v", err)
		}
		_, paper, err := daemon.Councillors(tx, w.options().Config, first)
		if want := []string{"Cllr Ann Brook", "Cllr Bo Carter", "Cllr Ed Fox"}; !slices.Equal(slices.Sorted(slices.Values(paper)), want) {
			t.Errorf("to be printed for %q; want %q", paper, want)
		}
		return err
	})
	if copies := w.post.Emails(); fmt.Sprintf("%x", copies[len(copies)-1]) != fmt.Sprintf("%x", copies[len(copies)-2]) {
		t.Error("councillors were sent different bytes")
	}
}

// What waits for the mail server when the day of the meeting comes is not sent any more.
func TestAnEditionThatWaitedForTooLong(t *testing.T) {
	if testing.Short() {
		t.Skip("does much, and nothing that others of a short run do not")
	}
	w := found(t)
	today := retention.DateOf(time.Now())
	clock := &stepped{now: today.Start().Add(12 * time.Hour)}
	w.write(func(tx *sqlite.Tx) error {
		return people.AddMember(tx, time.Now(), "the test", "elected", people.Member{Name: "Cllr Cy Dale", Role: "councillor", Email: "cy@cranford-pc.example"}, record.Address{})
	})
	meeting := today.AddDays(3)
	d := w.beforeMeetings(clock, meeting)
	w.must(d.Meetings(t.Context()))
	clock.set(meeting.Start().Add(time.Minute))
	w.must(d.Meetings(t.Context()))
	w.must(d.Deliver(t.Context()))
	w.read(func(tx *sqlite.Tx) error {
		it, err := mail.Find(tx, forward.MeetingLetter, meeting.Number())
		if it.State != mail.Cancelled {
			t.Errorf("it is %s", it.State)
		}
		return err
	})
	if got := w.editions(); len(got) > 0 {
		t.Errorf("arrived: %q", got)
	}
}
