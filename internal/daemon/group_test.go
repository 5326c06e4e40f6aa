package daemon_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	waBinary "go.mau.fi/whatsmeow/binary"

	"muniment/internal/archive"
	"muniment/internal/journal"
	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// eventually waits until something is so in the archive.
func (w *town) eventually(what string, is func(*sqlite.Tx) (bool, error)) {
	w.t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for so := false; !so; time.Sleep(20 * time.Millisecond) { // another connection writes it
		w.read(func(tx *sqlite.Tx) (err error) { so, err = is(tx); return err })
		if time.Now().After(deadline) {
			w.t.Fatalf("waited in vain for %s\n%s", what, w.log)
		}
	}
}

// gaps returns the kinds of the gaps of the official group, the first first, and whether
// they are closed.
func gaps(tx *sqlite.Tx) (kinds []string, err error) {
	all, err := archive.Gaps(tx)
	for _, g := range slices.Backward(all) {
		state := "closed"
		if g.Closed.IsZero() {
			state = "open"
		}
		if g.Group != "" {
			kinds = append(kinds, fmt.Sprintf("%s, %s", g.Kind, state))
		}
	}
	return kinds, err
}

// haveGaps waits for the gaps of the official group.
func (w *town) haveGaps(want ...string) {
	w.t.Helper()
	w.eventually(fmt.Sprintf("the gaps %q", want), func(tx *sqlite.Tx) (bool, error) {
		got, err := gaps(tx)
		return slices.Equal(got, want), err
	})
}

// isListed waits for the first list of participants.
func (w *town) isListed() {
	w.t.Helper()
	w.eventually("the list of participants", func(tx *sqlite.Tx) (bool, error) {
		at, err := archive.LastList(tx, w.official.JID().String())
		return !at.IsZero(), err
	})
}

// present returns the names of who is in the group now, as the archive knows.
func (w *town) present() (names []string) {
	w.t.Helper()
	w.read(func(tx *sqlite.Tx) error {
		r, err := archive.RosterAt(tx, w.official.JID().String(), time.Now().Add(time.Hour))
		if err != nil {
			return err
		}
		called, err := people.LoadNames(tx)
		if err != nil {
			return err
		}
		in, err := people.Participants(tx, w.official.JID().String())
		for _, e := range r.In {
			names = append(names, called.Of(e.Person))
			if !in[e.Person] {
				w.t.Errorf("%s is on the roster and not in the group", called.Of(e.Person))
			}
		}
		if len(in) != len(r.In) {
			w.t.Errorf("%d in the group, %d on the roster", len(in), len(r.In))
		}
		slices.Sort(names)
		return err
	})
	return names
}

// queries counts how often WhatsApp was asked about a group.
func (w *town) queries() (n int) {
	for _, e := range w.server.Journal() {
		if e.Kind == "group query" && e.Node.Attrs["to"] == w.official.JID() {
			n++
		}
	}
	return n
}

// A change that WhatsApp never told is noticed by the next one: a gap opens, and one
// question closes it, whatever else is told meanwhile.
func TestAMissedChangeOfParticipants(t *testing.T) {
	for _, mode := range someModes() {
		t.Run(string(mode), func(t *testing.T) {
			w := found(t)
			w.official.SetAddressing(mode)
			cat, dee := w.server.Member("Cat", "+447700900103"), w.server.Member("Dee", "+447700900104")
			stop := w.run()
			w.isListed()
			w.stranger.In(w.official).Leaves(w.official)
			w.must(w.server.WaitSettled(w.soon()))
			w.haveGaps()
			before := w.queries()
			w.phone.In(w.official).Untold().Adds(cat)
			w.phone.In(w.official).Adds(dee)
			w.phone.In(w.official).Promotes(w.bo)
			w.phone.In(w.official).Demotes(w.bo)
			w.haveGaps("list of participants, closed")
			w.must(w.server.WaitSettled(w.soon()))
			if n := w.queries() - before; n != 1 {
				t.Errorf("asked %d times, want once", n)
			}
			if got := w.present(); len(got) != 5 || got[0] != "Cllr Ann Brook" || got[1] != "Cllr Bo Carter" {
				t.Errorf("in the group: %q", got)
			}
			w.read(func(tx *sqlite.Tx) error {
				changes, err := archive.Changes(tx, w.official.JID().String(), time.Time{}, time.Now().Add(time.Hour))
				var told []string
				for _, c := range changes {
					told = append(told, fmt.Sprintf("%s %v", c.Type, c.Found))
				}
				want := []string{"left false", "added false", "promoted false", "demoted false", "joined true"}
				if diff := cmp.Diff(want, told); diff != "" {
					t.Errorf("changes (-want +got):\n%s", diff)
				}
				return err
			})
			stop()
			w.accounted()
			w.verifies()
			w.onlyReceives()
		})
	}
}

// What changed while nobody was connected, and was not told afterwards, the next list
// tells; what was told afterwards is no gap.
func TestAChangedListAfterAnAbsence(t *testing.T) {
	breaksConnections(t)
	w := found(t)
	cat, dee := w.server.Member("Cat", "+447700900103"), w.server.Member("Dee", "+447700900104")
	stop := w.run()
	w.isListed()
	w.must(w.server.WaitSettled(w.soon()))
	stop()
	w.phone.In(w.official).Adds(cat) // WhatsApp keeps the notice
	stop = w.run()
	w.must(w.server.WaitSettled(w.soon()))
	w.eventually("the list after it", func(*sqlite.Tx) (bool, error) { return w.queries() == 2, nil })
	stop()
	w.haveGaps()

	w.phone.In(w.official).Untold().Adds(dee)
	stop = w.run()
	w.haveGaps("list of participants, closed")
	stop()
	if got := w.present(); len(got) != 6 {
		t.Errorf("in the group: %q", got)
	}
	// The daemon is killed between a change that shows a gap and the list.
	child := w.spawn()
	w.must(w.server.WaitOnline(w.soon()))
	w.eventually("the list of the child", func(*sqlite.Tx) (bool, error) { return w.queries() == 4, nil })
	w.server.Busy(1000)
	w.phone.In(w.official).Untold().Removes(dee)
	w.phone.In(w.official).Removes(cat)
	w.haveGaps("list of participants, closed", "list of participants, open")
	w.must(child.Process.Kill())
	child.Wait()
	w.server.Busy(0)
	stop = w.run()
	w.haveGaps("list of participants, closed", "list of participants, closed")
	stop()
	if got := w.present(); len(got) != 4 {
		t.Errorf("in the group: %q", got)
	}
	w.verifies()
	w.onlyReceives()
}

// While the council's account is not in the group, what is said there is missing for good,
// and it is said; from when it is back, it is recorded again.
func TestTheAccountIsRemovedFromTheGroup(t *testing.T) {
	for _, mode := range someModes() {
		t.Run(string(mode), func(t *testing.T) {
			w := found(t)
			w.official.SetAddressing(mode)
			stop := w.run()
			w.isListed()
			w.phone.In(w.official).Promotes(w.ann)
			w.ann.In(w.official).Removes(w.phone)
			w.haveGaps("not in the group, open")
			missed := w.ann.In(w.official).Says("Now that the council is not here.")
			w.must(w.server.WaitSettled(w.soon()))
			var since time.Time
			w.read(func(tx *sqlite.Tx) error {
				a, err := archive.AttentionTo(tx, w.official.JID().String(), time.Now())
				since = a.Outside
				return err
			})
			if ago := time.Since(since); ago < 0 || ago > time.Minute {
				t.Errorf("not in the group since %s", since)
			}
			stop()
			stop = w.run() // and WhatsApp says so again when it is asked
			w.must(w.server.WaitSettled(w.soon()))
			w.haveGaps("not in the group, open")
			w.ann.In(w.official).Adds(w.phone)
			w.haveGaps("not in the group, closed")
			after := w.ann.In(w.official).Says("Welcome back.")
			w.must(w.server.WaitSettled(w.soon()))
			stop()
			records := w.records()
			if len(records[missed.ID()]) != 0 || len(records[after.ID()]) != 1 {
				t.Errorf("captured while not in the group: %d, and back in it: %d", len(records[missed.ID()]), len(records[after.ID()]))
			}
			if n := len(w.journaled(journal.AccountOutside)); n != 1 {
				t.Errorf("told %d times", n)
			}
			w.accounted()
			w.verifies()
			w.onlyReceives()
		})
	}
}

// The account was removed while nobody was connected, and nobody ever told.
func TestTheAccountWasRemovedUnheard(t *testing.T) {
	breaksConnections(t)
	w := found(t)
	stop := w.run()
	w.isListed()
	w.phone.In(w.official).Promotes(w.ann)
	last := w.ann.Says("The last words.")
	w.must(w.server.WaitSettled(w.soon()))
	stop()
	w.ann.In(w.official).Untold().Removes(w.phone)
	stop = w.run()
	w.haveGaps("not in the group, open")
	stop()
	w.read(func(tx *sqlite.Tx) error {
		a, err := archive.AttentionTo(tx, w.official.JID().String(), time.Now())
		if heard := w.records()[last.ID()][0].Sent; a.Outside.Before(heard) || a.Outside.After(heard.Add(time.Minute)) {
			t.Errorf("not in the group since %s, but last heard of at %s", a.Outside, heard)
		}
		return err
	})
}

// One call is one record, whatever is told of it.
func TestACallIsOneRecord(t *testing.T) {
	for _, mode := range modes {
		t.Run(string(mode), func(t *testing.T) {
			w := found(t)
			w.official.SetAddressing(mode)
			stop := w.run()
			w.isListed()
			call := w.ann.In(w.official).Calls(true)
			call.Rings()
			call.Ends()
			w.server.Group("Bell ringers", w.phone, w.bo)
			w.must(w.server.WaitSettled(w.soon()))
			stop()
			all := w.records()
			rs := all["call:"+call.ID()]
			if len(rs) != 1 || rs[0].Kind != record.Message || rs[0].Type != record.Call || rs[0].Details.Called != "video" {
				t.Errorf("records of the call: %+v", rs)
			}
			w.accounted()
			w.verifies()
			w.onlyReceives()
		})
	}
}

// journaled returns what the entries of an act are about.
func (w *town) journaled(act journal.Act) (about []string) {
	w.t.Helper()
	w.read(func(tx *sqlite.Tx) error {
		return journal.Of(tx, act, func(e journal.Entry, _ int64) error {
			about = append(about, e.About.String())
			return nil
		})
	})
	return about
}

func TestWhatDeservesAttention(t *testing.T) {
	w := found(t)
	group := w.official.JID().String()
	stop := w.run()
	w.isListed()
	attention := func() (a archive.Attention) {
		w.t.Helper()
		w.must(w.server.WaitSettled(w.soon()))
		w.read(func(tx *sqlite.Tx) (err error) { a, err = archive.AttentionTo(tx, group, time.Now()); return err })
		a.TimerSince = a.TimerSince.Truncate(24 * time.Hour)
		return a
	}
	today := time.Now().UTC().Truncate(24 * time.Hour)
	cat := w.server.Member("Cat", "+447700900103")
	w.phone.In(w.official).Adds(cat)
	w.phone.In(w.official).Removes(cat)
	w.phone.In(w.official).Adds(cat) // of whom enough was said
	w.phone.In(w.official).Promotes(w.bo, cat)
	w.phone.In(w.official).Retitles("The council")
	w.ann.In(w.official).SetsTimer(24 * time.Hour)
	w.ann.In(w.official).SetsTimer(7 * 24 * time.Hour) // no news, it was on
	w.ann.In(w.official).Changes(waBinary.Node{Tag: "locked"})
	w.bo.In(w.official).Once().SendsImage([]byte("jpeg"), "")
	w.eventually("the view-once message", func(tx *sqlite.Tx) (bool, error) { // it is settled before it is captured
		a, err := archive.AttentionTo(tx, group, time.Now())
		return a.ViewOnce > 0, err
	})
	got := attention()
	if len(got.Strangers) != 3 || got.Admins != 2 || got.ViewOnce != 1 || len(got.Former) != 0 || got.Timer != 7*24*60*60 || !got.TimerSince.Equal(today) {
		t.Errorf("attention %+v", got)
	}
	w.ann.In(w.official).SetsTimer(0)
	w.phone.In(w.official).Removes(cat)
	w.stranger.In(w.official).Leaves(w.official)
	w.archive(func(db *sqlite.DB) error {
		return db.Write(t.Context(), func(tx *sqlite.Tx) error {
			a := record.Address{JID: w.phone.LID().String(), Alt: w.phone.JID().String()}
			return people.AddMember(tx, time.Now(), "the test", "", people.Member{Name: "Council phone", Role: "other"}, a)
		})
	})
	if got := attention(); !cmp.Equal(got, archive.Attention{ViewOnce: 1}) { // which is over, and told for a month
		t.Errorf("all was seen to, and yet: %+v", got)
	}
	stop()

	ids := func(members ...string) string { return "[" + strings.Join(members, ",") + "]" }
	var person = make(map[string]string)
	w.read(func(tx *sqlite.Tx) error {
		names, err := people.LoadNames(tx)
		for name, jid := range map[string]string{"zed": w.stranger.LID().String(), "cat": cat.LID().String()} {
			person[name] = fmt.Sprint(names.Behind(record.Address{JID: jid}))
		}
		return err
	})
	const about = `{"group":"Cranford councillors","people":%s,"record":%d}`
	for act, want := range map[journal.Act][]string{
		journal.StrangerPresent: {fmt.Sprintf(about, ids(person["zed"]), 1), fmt.Sprintf(about, ids(person["cat"]), 2)},
		journal.StrangerAdmin:   {fmt.Sprintf(about, ids(person["cat"]), 5)},
		journal.GroupRenamed:    {`{"group":"Cranford councillors","record":6}`},
		journal.TimerOn:         {`{"group":"Cranford councillors","record":7}`},
		journal.ViewOnceSent:    {`{"group":"Cranford councillors","record":10}`},
	} {
		if diff := cmp.Diff(want, w.journaled(act)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", act, diff)
		}
	}
	w.logTellsNothing()
	w.verifies()
}

// What was switched on or renamed while nobody was connected, and was never told, is told
// when the list is asked for.
func TestSettingsThatNobodyTold(t *testing.T) {
	breaksConnections(t)
	w := found(t)
	group := w.official.JID().String()
	stop := w.run()
	w.isListed()
	stop()
	began := time.Now()
	w.ann.In(w.official).Untold().SetsTimer(24 * time.Hour)
	w.ann.In(w.official).Untold().Retitles("The council")
	stop = w.run()
	timer := func() (a archive.Attention) {
		w.read(func(tx *sqlite.Tx) (err error) { a, err = archive.AttentionTo(tx, group, time.Now()); return err })
		return a
	}
	w.eventually("the timer", func(*sqlite.Tx) (bool, error) { return timer().Timer == 24*60*60, nil })
	if since := timer().TimerSince; since.Before(began.Truncate(time.Millisecond)) {
		t.Errorf("on since %s, which nobody can know", since)
	}
	stop()
	w.run()() // it says nothing new
	for _, act := range []journal.Act{journal.TimerOn, journal.GroupRenamed} {
		if diff := cmp.Diff([]string{`{"group":"Cranford councillors","record":2}`}, w.journaled(act)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", act, diff)
		}
	}
	w.ann.In(w.official).Untold().SetsTimer(0)
	stop = w.run()
	w.eventually("no timer", func(*sqlite.Tx) (bool, error) { return timer().Timer == 0, nil })
	stop()
	w.haveGaps() // who is in the group was known all the time
	w.verifies()
}
