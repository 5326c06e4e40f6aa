package daemon_test

import (
	"bytes"
	"fmt"
	"io"
	"mime/quotedprintable"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"muniment/internal/daemon"
	"muniment/internal/forward"
	"muniment/internal/ledger"
	"muniment/internal/mail"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
	"muniment/internal/verify"
)

// stepped is a clock that stands still until it is set.
type stepped struct {
	mu  sync.Mutex
	now time.Time
}

func (c *stepped) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *stepped) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = t
}

// opened is a daemon that does only what it is told, by a clock of its own.
func (w *town) opened(c *stepped) *daemon.Daemon {
	w.t.Helper()
	o := w.options()
	o.Now = c.Now
	d, err := daemon.Open(w.t.Context(), o)
	w.must(err)
	return d
}

// digests returns the subjects of the digests that arrived, without what they all say.
func (w *town) digests() (weeks []string) {
	for _, e := range w.emails() {
		head, _, _ := strings.Cut(strings.ReplaceAll(string(e), "\r\n ", " "), "\r\n\r\n")
		if _, week, ok := strings.Cut(head, "WhatsApp record: week ending Sunday "); ok {
			week, _, _ = strings.Cut(week, "\r\n")
			weeks = append(weeks, week)
		}
	}
	return weeks
}

// Each week that is over has its digest once, whenever somebody looks: the first is of
// the week in which the archive was made, and after a long absence the last eight come.
func TestEachWeekHasItsDigestOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("does much, and nothing that others of a short run do not")
	}
	w := found(t)
	clock := &stepped{now: time.Now()}
	d := w.opened(clock)
	defer func() { w.must(d.Close()) }()
	began := retention.WeekOf(retention.DateOf(clock.now))
	var want []string
	expect := func(when time.Time, weeks ...retention.Week) {
		t.Helper()
		clock.set(when)
		for range 2 {
			w.must(d.Digest(t.Context()))
			w.must(d.Deliver(t.Context()))
		}
		for _, week := range weeks {
			want = append(want, week.Sunday().Long())
		}
		if got := w.digests(); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("by %s: digests of %q; want %q", when, got, want)
		}
	}
	expect(clock.now)
	expect(began.End().Add(-time.Second))
	expect(began.End(), began)
	expect(began.Plus(1).End().Add(-time.Second))
	expect(began.Plus(3).End().Add(50*time.Hour), began.Plus(1), began.Plus(2), began.Plus(3))
	var eight []retention.Week
	for n := 13; n <= 20; n++ {
		eight = append(eight, began.Plus(n))
	}
	expect(began.Plus(20).End().Add(7*time.Hour), eight...)

	first := plain(w.emails()[0])
	if !strings.Contains(first, "The record began on ") {
		t.Errorf("the first does not say when the record began:\n%s", first)
	}
	if !strings.Contains(string(w.emails()[0]), "To: <clerk@cranford-pc.example>") {
		t.Error("it does not go to the clerk")
	}
	w.verifiesWith(w.emails()[2])
}

// verifiesWith checks the archive against the checkpoint in an email.
func (w *town) verifiesWith(email []byte) {
	w.t.Helper()
	notes := ledger.Find(string(email))
	w.archive(func(db *sqlite.DB) error {
		key, err := w.home().OpenKey()
		if err != nil {
			return err
		}
		if decoded, err := io.ReadAll(quotedprintable.NewReader(bytes.NewReader(email))); err != nil || !bytes.Contains(decoded, []byte(key.Public())) {
			w.t.Errorf("the public key is not in it (%v):\n%s", err, email)
		}
		own := key.Own(notes)
		if len(own) != 1 {
			w.t.Fatalf("%d checkpoints in\n%s", len(own), email)
		}
		r, err := verify.Run(w.t.Context(), db, key, verify.With{Checkpoints: own})
		for _, f := range r.Faults {
			w.t.Errorf("verify: %s", f)
		}
		return err
	})
}

var referred = regexp.MustCompile(`Integrity\s+reference:\s+([0-9]+-[0-9a-f]{24})\.`)

// agreesWith checks the archive against the integrity reference in a conversation's email.
func (w *town) agreesWith(email string) {
	w.t.Helper()
	m := referred.FindStringSubmatch(email)
	if m == nil {
		w.t.Fatalf("there is no integrity reference in\n%s", email)
	}
	ref, err := ledger.ParseReference(m[1])
	w.must(err)
	w.archive(func(db *sqlite.DB) error {
		key, err := w.home().OpenKey()
		if err != nil {
			return err
		}
		r, err := verify.Run(w.t.Context(), db, key, verify.With{References: []ledger.Reference{ref}})
		for _, f := range r.Faults {
			w.t.Errorf("verify: %s", f)
		}
		return err
	})
}

// The ledger is signed every day, whether or not there is anything to do.
func TestTheLedgerIsSignedEveryDay(t *testing.T) {
	w := found(t)
	clock := &stepped{now: time.Now()}
	d := w.opened(clock)
	defer func() { w.must(d.Close()) }()
	days := make(map[retention.Date]int)
	for range 3 {
		clock.now = clock.now.AddDate(0, 0, 1)
		w.must(d.Nightly(t.Context()))
		w.must(d.Nightly(t.Context())) // a night that came twice
		days[retention.DateOf(clock.now)] = 0
	}
	w.archive(func(db *sqlite.DB) error {
		return db.Read(t.Context(), func(tx *sqlite.Tx) error {
			all, err := ledger.SignedSince(tx, 0)
			for _, s := range all {
				days[retention.DateOf(s.At)]++
			}
			return err
		})
	})
	for day, n := range days {
		if n != 1 {
			t.Errorf("on %s the ledger was signed %d times, want once", day, n)
		}
	}
}

// A time-stamping authority that does not answer keeps nothing from being done: the
// ledger is signed, and bears no stamp.
func TestAnAuthorityThatDoesNotAnswer(t *testing.T) {
	w := found(t)
	w.edit("[disposal]", "[ledger]\ntimestamp_url = 'https://127.0.0.1:1/'\n[disposal]")
	clock := &stepped{now: time.Now()}
	d := w.opened(clock)
	defer func() { w.must(d.Close()) }()
	clock.now = clock.now.AddDate(0, 0, 1)
	w.must(d.Nightly(t.Context()))
	w.archive(func(db *sqlite.DB) error {
		return db.Read(t.Context(), func(tx *sqlite.Tx) error {
			if _, _, is, err := ledger.Unstamped(tx); err != nil || !is {
				t.Errorf("a checkpoint without a stamp: %v, err %v", is, err)
			}
			return nil
		})
	})
	w.haveLog("not stamped with the time")
}

// Who looks every hour while the clocks change owes no digest twice and leaves none
// out.
func TestDigestsWhenTheClocksChange(t *testing.T) {
	if testing.Short() {
		t.Skip("does much, and nothing that others of a short run do not")
	}
	w := found(t)
	clock := &stepped{now: time.Now()}
	d := w.opened(clock)
	defer func() { w.must(d.Close()) }()
	change := time.Date(clock.now.Year()+1, 10, 20, 0, 0, 0, 0, retention.London) // within a week before it
	clock.set(change)
	w.must(d.Digest(t.Context()))
	before := w.owed()
	for h := range 14 * 24 {
		clock.set(change.Add(time.Duration(h) * time.Hour))
		w.must(d.Digest(t.Context()))
	}
	if got := w.owed() - before; got != 2 {
		t.Errorf("in two weeks %d digests were owed", got)
	}
}

// owed returns how many digests stand in the outbox.
func (w *town) owed() (n int) {
	w.t.Helper()
	w.read(func(tx *sqlite.Tx) error {
		for _, s := range []mail.State{mail.Queued, mail.HandedOver, mail.Refused, mail.Cancelled} {
			items, err := mail.List(tx, s)
			if err != nil {
				return err
			}
			for _, it := range items {
				if it.Kind == forward.DigestLetter {
					n++
				}
			}
		}
		return nil
	})
	return n
}

// A daemon that was not there when a week ended owes its digest when it starts, and
// first takes in what was sent meanwhile.
func TestADigestAfterAnAbsence(t *testing.T) {
	if testing.Short() {
		t.Skip("does much, and nothing that others of a short run do not")
	}
	w := found(t)
	w.must(os.Remove(w.path("state/archive.db")))
	this := retention.WeekOf(retention.DateOf(time.Now()))
	w.must(w.home().Make(t.Context(), this.Plus(-2).Start(), "the test"))
	stop := w.run()
	for soon := w.soon(); w.owed() < 2; time.Sleep(10 * time.Millisecond) { // the outbox tells nobody
		w.must(soon.Err())
	}
	stop()
	for _, week := range []retention.Week{this.Plus(-2), this.Plus(-1)} {
		w.read(func(tx *sqlite.Tx) error {
			it, err := mail.Find(tx, forward.DigestLetter, week.Number())
			if wait := it.NotBefore.Sub(it.QueuedAt); err == nil && (it.State != mail.Queued || wait < 5*time.Minute || wait > 15*time.Minute) {
				t.Errorf("it is %s, and waits for %s", it.State, wait)
			}
			return err
		})
	}
	clock := &stepped{now: time.Now().Add(time.Hour)}
	d := w.opened(clock)
	defer func() { w.must(d.Close()) }()
	w.must(d.Deliver(t.Context()))
	if got := w.digests(); len(got) != 2 {
		t.Fatalf("digests arrived: %q", got)
	}
}

// A digest tells what came since the one before it was written, so that nothing falls
// between two.
func TestFromWhenThingsAreLate(t *testing.T) {
	w := found(t)
	clock := &stepped{now: time.Now()}
	d := w.opened(clock)
	defer func() { w.must(d.Close()) }()
	first := retention.WeekOf(retention.DateOf(clock.now))
	written := first.End().Add(7 * time.Hour)
	clock.set(written)
	w.must(d.Digest(t.Context()))
	w.must(d.Deliver(t.Context()))
	clock.set(first.Plus(1).End().Add(7 * time.Hour))
	w.must(d.Digest(t.Context())) // owed, and not written yet
	now := clock.now
	for _, tt := range []struct {
		week         retention.Week
		from, before time.Time
	}{
		{first, first.Start(), written}, // printed again
		{first.Plus(1), written, now.Add(time.Millisecond)},
		{first.Plus(2), time.Time{}, time.Time{}}, // the one before will tell all that comes
		{first.Plus(3), time.Time{}, time.Time{}},
		{first.Plus(20), first.Plus(20).Start(), now.Add(time.Millisecond)},
	} {
		w.read(func(tx *sqlite.Tx) error {
			g, err := daemon.DigestOf(tx, w.options().Config, "test", now, forward.Weekly(tt.week))
			if !g.LateFrom.Equal(tt.from) || !g.LateBefore.Equal(tt.before) {
				t.Errorf("week of %s: from %s to %s; want %s to %s", tt.week, g.LateFrom, g.LateBefore, tt.from, tt.before)
			}
			return err
		})
	}
}
