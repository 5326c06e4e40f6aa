package daemon_test

import (
	"strings"
	"testing"
	"time"

	"muniment/internal/archive"
	"muniment/internal/people"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
)

// What the clerk asks for from her phone stands by itself: the release of a hold that
// was placed in her name for another reason does not end it.
func TestAHoldFromThePhoneBesidesAnother(t *testing.T) {
	w := found(t)
	w.archive(func(db *sqlite.DB) error {
		return db.Write(t.Context(), func(tx *sqlite.Tx) error {
			a, err := people.ParseNumber("07700 900103")
			if err != nil {
				return err
			}
			if err := people.AddMember(tx, time.Now(), "the test", "", people.Member{Name: "Jo Hall", Role: "clerk"}, a); err != nil {
				return err
			}
			_, err = archive.PlaceHold(tx, time.Now(), "Jo Hall", "request FOI-2026-003", retention.DateOf(time.Now().AddDate(0, 3, 0)),
				archive.Cover{Scope: archive.Everything})
			return err
		})
	})
	jo := w.server.Member("Jo", "+447700900103")
	w.phone.Adds(jo)
	stop := w.run()
	m := w.ann.Says("I shall say it again in court.")
	jo.In(w.official).Reacts(m, "🛑")
	w.must(w.server.WaitSettled(w.soon()))
	stop()
	w.archive(func(db *sqlite.DB) error {
		return db.Write(t.Context(), func(tx *sqlite.Tx) error {
			return archive.ReleaseHold(tx, time.Now(), 1, "Jo Hall", "request answered")
		})
	})
	w.read(func(tx *sqlite.Tx) error {
		holds, err := archive.Holds(tx)
		for _, h := range holds {
			if h.Released.IsZero() {
				return err
			}
		}
		t.Error("the request is answered, its hold released; of the dispute that the clerk put on hold from her phone nothing is on hold, and she got no email")
		return err
	})
}

// The deputy may place a hold as the clerk may; a clerk whose term has not begun may not.
func TestTheDeputyPlacesAHold(t *testing.T) {
	w := found(t)
	w.archive(func(db *sqlite.DB) error {
		return db.Write(t.Context(), func(tx *sqlite.Tx) error {
			for number, m := range map[string]people.Member{
				"07700 900103": {Name: "Jo Hall", Role: "clerk", From: time.Now().AddDate(0, 0, 1)},
				"07700 900104": {Name: "Pat Quill", Role: "deputy", From: time.Now().AddDate(0, 0, -1)},
			} {
				a, err := people.ParseNumber(number)
				if err != nil {
					return err
				}
				if err := people.AddMember(tx, time.Now(), "the test", "", m, a); err != nil {
					return err
				}
			}
			return nil
		})
	})
	jo, pat := w.server.Member("Jo", "+447700900103"), w.server.Member("Pat", "+447700900104")
	w.phone.Adds(jo, pat)
	stop := w.run()
	m := w.ann.Says("I shall say it again in court.")
	jo.In(w.official).Reacts(m, "🛑")
	pat.In(w.official).Reacts(m, "🛑")
	w.must(w.server.WaitSettled(w.soon()))
	stop()
	w.read(func(tx *sqlite.Tx) error {
		holds, err := archive.Holds(tx)
		if len(holds) != 1 || holds[0].PlacedBy != "Pat Quill" {
			t.Errorf("holds: %+v; want one by the deputy", holds)
		}
		return err
	})
}

// On the day of a hold's review the clerk is asked whether it is still needed, once, and
// again a week later; and not if somebody has answered before the email could go.
func TestTheClerkIsRemindedOfAReview(t *testing.T) {
	w := found(t)
	clock := &stepped{now: time.Now()}
	d := w.opened(clock)
	defer func() { w.must(d.Close()) }()
	review := retention.DateOf(clock.now).AddDays(3)
	w.archive(func(db *sqlite.DB) error {
		return db.Write(t.Context(), func(tx *sqlite.Tx) error {
			_, err := archive.Place(tx, clock.now, "Jo Hall", archive.Hold{Kind: archive.FOI, Case: "FOI-2026-003", Reason: "the culvert",
				Review: review, Cover: archive.Cover{Scope: archive.Everything}})
			return err
		})
	})
	asked := func() (n int) {
		for _, e := range w.emails() {
			if text := string(e); strings.Contains(text, "FOI-2026-003") && strings.Contains(text, "section 77") && strings.Contains(text, "Hold 1: is it still needed?") {
				n++
			}
		}
		return n
	}
	for day, want := range []int{0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 2} {
		w.must(d.Nightly(t.Context()))
		w.must(d.Nightly(t.Context())) // a night that came twice
		w.must(d.Deliver(t.Context()))
		if n := asked(); n != want {
			t.Errorf("on day %d the clerk has been asked %d times, want %d", day, n, want)
		}
		clock.now = clock.now.AddDate(0, 0, 1)
	}
	clock.now = clock.now.AddDate(0, 0, 7)
	w.must(d.Nightly(t.Context()))
	w.archive(func(db *sqlite.DB) error {
		return db.Write(t.Context(), func(tx *sqlite.Tx) error {
			return archive.ReviewHold(tx, clock.now, 1, "Jo Hall", "not yet answered", retention.DateOf(clock.now).AddDays(90))
		})
	})
	w.must(d.Deliver(t.Context()))
	if n := asked(); n != 2 {
		t.Errorf("somebody has answered, and the clerk was asked %d times, want 2", n)
	}
}
