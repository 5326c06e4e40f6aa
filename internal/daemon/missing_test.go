package daemon_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"muniment/internal/archive"
	"muniment/internal/daemon"
	"muniment/internal/sqlite"
	"muniment/internal/standin"
)

// A watch is a daemon whose clock is set, and which looks for what is missing when it is
// told to.
type watch struct {
	*town
	*daemon.Daemon
	ahead *atomic.Int64 // nanoseconds
	stop  func()
}

// watch runs the daemon in this process. Its clock starts as the last one's stood.
func (w *town) watch(ahead *atomic.Int64) watch {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	o := w.options()
	o.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	d, err := daemon.Open(ctx, o)
	w.must(err)
	done := make(chan error, 1)
	before := strings.Count(w.log.String(), connectedLine)
	go func() { done <- d.Run(ctx) }()
	for deadline := w.soon(); strings.Count(w.log.String(), connectedLine) == before; time.Sleep(5 * time.Millisecond) {
		w.must(deadline.Err()) // WhatsApp takes us for connected before we do
	}
	return watch{w, d, ahead, sync.OnceFunc(func() {
		cancel()
		w.must(errors.Join(<-done, d.Close()))
	})}
}

// connectedLine is what the daemon logs when it is connected, and asks for something then.
const connectedLine = `msg="connected to WhatsApp"`

// looks has the daemon look for what is missing when so much time has passed, and ask the
// phone for one message.
func (w watch) looks(after time.Duration) {
	w.t.Helper()
	w.must(w.server.WaitSettled(w.soon()))
	w.ahead.Add(int64(after))
	w.must(w.FindHoles(w.t.Context()))
	w.must(w.AskAgain(w.t.Context()))
}

// requests counts how often the council's phone was asked for a message.
func (w *town) requests(m *standin.Message) (n int) {
	for _, e := range w.server.Journal() {
		for _, r := range e.Peer.GetProtocolMessage().GetPeerDataOperationRequestMessage().GetPlaceholderMessageResendRequest() {
			if k := r.GetMessageKey(); k.GetID() == m.ID() && k.GetRemoteJID() == w.official.JID().String() && k.GetFromMe() == (m.Sender() == w.phone) {
				n++
			}
		}
	}
	return n
}

// missing returns the gaps of messages, the first first.
func (w *town) missing() (gaps []archive.Gap) {
	w.t.Helper()
	w.read(func(tx *sqlite.Tx) error {
		all, err := archive.Gaps(tx)
		for _, g := range all {
			if g.Kind == archive.NotReceived || g.Kind == archive.NotDecrypted {
				gaps = append([]archive.Gap{g}, gaps...)
			}
		}
		return err
	})
	return gaps
}

// A message was never delivered: a reaction shows that there was one, the phone is asked
// for it, over a restart, and supplies it.
func TestAMessageThatWasNeverDelivered(t *testing.T) {
	w := found(t)
	d := w.watch(new(atomic.Int64))
	defer func() { d.stop() }()
	lost := w.ann.Missed().Says("The bridge is closed from Monday.")
	own := w.phone.Missed().Says("The clerk is away.")
	w.bo.Reacts(lost, "👍")
	w.bo.Replies(own, "Until when?")
	d.looks(0)
	if gaps := w.missing(); len(gaps) != 0 {
		t.Fatalf("missing, though it may be on its way: %+v", gaps)
	}
	d.looks(10 * time.Minute)
	gaps := w.missing()
	if len(gaps) != 2 || gaps[0].Kind != archive.NotReceived || gaps[0].Asked+gaps[1].Asked != 1 {
		t.Fatalf("missing: %+v", gaps)
	}
	d.stop()
	d = w.watch(d.ahead)
	d.looks(time.Minute)
	if n, m := w.requests(lost), w.requests(own); n != 1 || m != 1 {
		t.Errorf("the phone was asked %d times for the one message, %d for the other", n, m)
	}
	w.phone.Supplies(lost)
	w.phone.Supplies(own)
	w.must(w.server.WaitSettled(w.soon()))
	d.looks(15 * time.Minute)
	if n := w.requests(lost); n != 1 {
		t.Errorf("asked %d times", n)
	}
	for _, g := range w.missing() {
		if g.Closed.IsZero() || g.Ending != archive.FromPhone || g.Asked != 1 || g.Asking {
			t.Errorf("the gap: %+v", g)
		}
	}
	for _, m := range []*standin.Message{lost, own} {
		if r := w.the(m); !r.Supplied || r.Text != m.Text() || r.Own != (m == own) {
			t.Errorf("the message: %+v", r)
		}
	}
	d.stop()
	w.accounted()
	w.verifies()
	w.onlyReceives()
	w.logTellsNothing()
}

// What the phone supplies of the time before everybody had the privacy notice is not
// recorded, and not missing either.
func TestAMessageFromBeforeTheRecord(t *testing.T) {
	w := found(t)
	d := w.watch(new(atomic.Int64))
	defer d.stop()
	london := time.FixedZone("BST", 3600) // given on 1 September
	old := w.ann.At(time.Date(2026, 8, 31, 23, 59, 59, 0, london)).Missed().Says("Before anybody was told of the record.")
	first := w.ann.At(time.Date(2026, 9, 1, 0, 0, 0, 0, london)).Missed().Says("The first of the record.")
	w.bo.Reacts(old, "👍")
	w.bo.Reacts(first, "👍")
	d.looks(10 * time.Minute)
	d.looks(0)
	if w.requests(old) != 1 || w.requests(first) != 1 {
		t.Errorf("asked %d and %d times", w.requests(old), w.requests(first))
	}
	w.phone.Supplies(old)
	w.phone.Supplies(first)
	w.must(w.server.WaitSettled(w.soon()))
	gaps := w.missing()
	if len(gaps) != 2 || gaps[0].Ending != archive.Earlier || gaps[0].Closed.IsZero() || gaps[1].Ending != archive.FromPhone {
		t.Errorf("gaps: %+v", gaps)
	}
	d.stop()
	if records := w.records(); len(records[old.ID()]) != 0 || len(records[first.ID()]) != 1 {
		t.Errorf("captured from before: %d; from then on: %d", len(records[old.ID()]), len(records[first.ID()]))
	}
	w.nothingOf("Before anybody was told")
	w.accounted()
	w.verifies()
}

// The phone does not have a message that could not be read. It is asked for, now and then,
// and no more; what others quote of it is then all that is known.
func TestThePhoneDoesNotAnswer(t *testing.T) {
	w := found(t)
	d := w.watch(new(atomic.Int64))
	defer d.stop()
	w.ann.Says("To have a key to be missed.")
	lost := w.ann.Unhearing().Garbled().Says("The fence is down.")
	w.must(w.server.WaitJournal(w.soon(), func(e standin.Entry) bool { return e.Kind == "retry receipt" }))
	d.looks(time.Minute)
	if n := w.requests(lost); n != 1 { // by whatsmeow
		t.Errorf("asked %d times within two minutes", n)
	}
	w.bo.Replies(lost, "I know.")
	for range 10 {
		d.looks(8 * 24 * time.Hour)
	}
	if n := w.requests(lost); n < 2 || n > 8 {
		t.Errorf("asked %d times", n)
	}
	if g := w.missing()[0]; g.Asking || g.Ending != archive.Quoted || g.Closed.IsZero() || g.Asked != w.requests(lost)-1 {
		t.Errorf("the gap: %+v", g)
	}
	lost.Resend() // months later
	w.must(w.server.WaitSettled(w.soon()))
	if r := w.the(lost); r.Text != lost.Text() {
		t.Errorf("the message: %+v", r)
	}
	d.stop()
	w.verifies()
	w.onlyReceives()
}

// Many messages are missing, more than one member can show of a day: the phone is asked
// for one at a time.
func TestManyAreMissing(t *testing.T) {
	w := found(t)
	d := w.watch(new(atomic.Int64))
	defer d.stop()
	late := w.ann.Missed().Says("Delivered at last.")
	w.bo.Reacts(late, "👍")
	for range 59 {
		w.bo.Reacts(w.ann.Missed().Says("Never delivered."), "👍")
	}
	for range 5 {
		d.looks(10 * time.Minute)
	}
	if gaps := w.missing(); len(gaps) != 51 {
		t.Errorf("%d gaps, want 50 messages and that there are more", len(gaps))
	}
	asked := 0
	for _, e := range w.server.Journal() {
		asked += len(e.Peer.GetProtocolMessage().GetPeerDataOperationRequestMessage().GetPlaceholderMessageResendRequest())
	}
	if asked != 5 {
		t.Errorf("asked %d times; want once each time", asked)
	}
	late.Arrives()
	w.must(w.server.WaitSettled(w.soon()))
	if gaps := w.missing(); gaps[0].Closed.IsZero() || gaps[0].Ending != "" {
		t.Errorf("the one that came: %+v", gaps[0])
	}
	d.stop()
	w.accounted()
	w.onlyReceives()
}

// absences returns the gaps in which nothing was received, the first first.
func (w *town) absences() (gaps []archive.Gap) {
	w.t.Helper()
	w.read(func(tx *sqlite.Tx) error {
		all, err := archive.Gaps(tx)
		for _, g := range all {
			if g.Kind == archive.NotConnected || g.Kind == archive.NotLinked {
				gaps = append([]archive.Gap{g}, gaps...)
			}
		}
		return err
	})
	return gaps
}

// The daemon is killed while it is not connected. Both are told, one after the other, and
// no time is left out.
func TestKilledWhileNotConnected(t *testing.T) {
	breaksConnections(t)
	w := found(t)
	w.showLogOfFailure()
	c := w.spawn()
	w.must(w.server.WaitOnline(w.soon()))
	before := w.ann.Says("Before.")
	w.must(w.server.WaitSettled(w.soon()))
	w.server.Down()
	for ctx := w.soon(); ; time.Sleep(10 * time.Millisecond) { // another process notes it
		if gaps := w.absences(); len(gaps) > 0 && gaps[len(gaps)-1].Closed.IsZero() {
			break
		}
		w.must(ctx.Err())
	}
	w.must(c.Process.Signal(syscall.SIGKILL))
	_ = c.Wait() // killed: it cannot have ended well
	open := len(w.absences())
	w.server.Up()
	stop := w.run()
	w.ann.Says("After.")
	w.must(w.server.WaitSettled(w.soon()))
	stop()
	gaps := w.absences()
	if len(gaps) != open+1 || gaps[open].Cause != "muniment was not running" || gaps[open-1].Cause == gaps[open].Cause {
		t.Fatalf("absences: %+v", gaps)
	}
	if captured := w.the(before).Captured; gaps[open].Opened.Before(captured) {
		t.Errorf("not running since %v; something was captured at %v", gaps[open].Opened, captured)
	}
	if gaps[open].Opened.Before(gaps[open-1].Opened) {
		t.Errorf("not running since %v; it was there when it was interrupted, at %v", gaps[open].Opened, gaps[open-1].Opened)
	}
	for i, g := range gaps {
		if g.Closed.IsZero() || i >= open && g.Opened.After(gaps[i-1].Closed) {
			t.Errorf("%+v is open, or leaves out some time after %+v", g, gaps[max(i-1, 0)])
		}
	}
	w.accounted()
	w.verifies()
}

// The clock is set back by a day while the daemon is not running: no gap ends before it
// begins, and none lies in the future.
func TestTheClockIsSetBackWhileNotRunning(t *testing.T) {
	w := found(t)
	ahead := new(atomic.Int64)
	ahead.Store(int64(24 * time.Hour))
	d := w.watch(ahead)
	w.ann.Says("With a clock that is wrong.")
	w.must(w.server.WaitSettled(w.soon()))
	d.stop()
	ahead.Store(0)
	d = w.watch(ahead)
	w.ann.Says("With one that is right.")
	w.must(w.server.WaitSettled(w.soon()))
	d.stop()
	for _, g := range w.absences() {
		if g.Closed.Before(g.Opened) || g.Opened.After(time.Now()) {
			t.Errorf("a gap from %v to %v", g.Opened, g.Closed)
		}
	}
	w.accounted()
	w.verifies()
}

// While there is no connection nobody can be asked; whose message it was that is missing is
// not kept for longer all the same.
func TestNobodyAsksForEverWithoutAConnection(t *testing.T) {
	w := found(t)
	d := w.watch(new(atomic.Int64))
	w.bo.Reacts(w.ann.Missed().Says("The bridge is closed from Monday."), "👍")
	d.looks(10 * time.Minute)
	d.stop()
	if gaps := w.missing(); len(gaps) != 1 || gaps[0].Sender == "" {
		t.Fatalf("missing: %+v", gaps)
	}
	o := w.options()
	o.Now = func() time.Time { return time.Now().AddDate(0, 0, 15) }
	off, err := daemon.Open(t.Context(), o)
	w.must(err)
	w.must(off.AskAgain(t.Context()))
	w.must(off.Close())
	if gaps := w.missing(); len(gaps) != 1 || gaps[0].Sender != "" || gaps[0].Asking || !gaps[0].Closed.IsZero() {
		t.Errorf("after two weeks: %+v", gaps)
	}
}
