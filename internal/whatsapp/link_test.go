package whatsapp

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/types/events"

	"muniment/internal/standin"
)

func TestReconnectsWhenWhatsmeowWaitsTooLong(t *testing.T) {
	breaks(t)
	w := newWorld(t)
	s := w.linked()
	s.patience = 200 * time.Millisecond
	m := newMemory(t)
	w.run(s, m)
	w.ready(m)
	journal := w.server.Journal()
	last := journal[len(journal)-1].Connection
	w.server.Refuse(503)
	w.server.Drop()
	// whatsmeow alone would try at 0, 2, 6, 12, 20 … seconds.
	began := time.Now()
	const tries = 8
	err := w.server.WaitJournal(w.within(), func(e standin.Entry) bool {
		return e.Payload != nil && e.Connection >= last+tries
	})
	if d := time.Since(began); err != nil || d > 12*time.Second {
		t.Errorf("%d attempts in %v, %v", tries, d, err)
	}
	if err := s.Alive(); err != nil {
		t.Errorf("Alive: %v", err)
	}
	w.ann.Says("When it was down.")
	w.server.Admit()
	m.awaitRecords(1)
	m.await("reconnection", func() bool { return m.state[len(m.state)-1] == "connected" })
	if len(m.state) != 3 {
		t.Errorf("told %q, want each state once", m.state)
	}
}

func TestMisleadingEventsAreCorrected(t *testing.T) {
	breaks(t)
	w := newWorld(t)
	s := w.linked()
	s.patience = 2 * time.Second
	m := newMemory(t)
	w.run(s, m)
	w.ready(m)
	s.listener.Load().note(&events.Disconnected{}) // of an earlier connection
	m.await("correction", func() bool { return len(m.state) == 3 && m.state[2] == "connected" })
	w.server.Down()
	m.await("the outage", func() bool { return len(m.state) == 4 })
	s.listener.Load().note(&events.Connected{}) // of a login that was cut short
	m.await("correction", func() bool { return len(m.state) == 6 && m.state[5] != "connected" })
}

// tellingLink is a link of which told says what it told.
func tellingLink(t *testing.T, told *[]string, fail *error) *link {
	tell := func(s string) error {
		if *fail == nil {
			*told = append(*told, s)
		}
		return *fail
	}
	return &link{
		hooks: Hooks{
			Connected:    func(context.Context) error { return tell("up") },
			Disconnected: func(_ context.Context, _ time.Time, cause string) error { return tell("down: " + cause) },
			LinkLost:     func(_ context.Context, cause string) error { return tell("lost: " + cause) },
		},
		log: slog.New(slog.DiscardHandler), base: t.Context, now: time.Now,
	}
}

func TestLinkTellsEachStateOnce(t *testing.T) {
	var told []string
	var fail error
	k := tellingLink(t, &told, &fail)
	gone := ending{kind: "gone", act: linkAgain, what: "It is gone.", then: "For good."}
	k.disconnected("a")
	k.disconnected("b")
	k.connected()
	k.connected()
	k.end(gone)
	k.end(gone)
	k.connected()
	k.disconnected("e")
	if want := []string{"down: a", "up", "lost: It is gone. For good."}; !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
	silent := tellingLink(t, &told, &fail)
	silent.silence()
	silent.connected()
	if len(told) != 3 {
		t.Errorf("told %q after Run", told[3:])
	}
}

// A change of the link that cannot be recorded is recorded later, in its place.
func TestLinkTellsWhatCouldNotBeRecorded(t *testing.T) {
	var told []string
	fail := errDisk
	k := tellingLink(t, &told, &fail)
	k.connected()
	k.disconnected("a")
	k.retell()
	fail = nil
	k.retell()
	if want := []string{"up", "down: a"}; !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
	fail = errDisk
	k.connected()
	k.silence()
	fail = nil
	k.retell()
	if len(told) != 2 {
		t.Errorf("told %q after Run", told[2:])
	}
}

// Each stretch without a connection has its own cause: an outage does not hide what
// WhatsApp has said, and what WhatsApp says ends the outage.
func TestTheCauseIsThePresentOne(t *testing.T) {
	var told []string
	var fail error
	k := tellingLink(t, &told, &fail)
	refused := func(n string) ending {
		return ending{kind: "refused", what: "No" + n + ".", then: "Later.", still: "Much later.", wait: doubling(time.Hour, time.Hour)}
	}
	over := func() { // the wait
		k.until = time.Now()
		if due := k.tick(time.Now(), time.Minute); due != renew {
			t.Errorf("after the wait, %v is due", due)
		}
		k.attempted(time.Minute)
	}
	k.disconnected(interrupted)
	k.end(refused("")) // while whatsmeow tries again
	k.disconnected(interrupted)
	k.connected() // of an attempt that whatsmeow had begun before
	over()
	k.end(refused(""))
	over()
	k.end(refused(""))
	k.end(refused("")) // told twice
	over()
	k.disconnected(interrupted)
	k.disconnected(unreachable)
	k.end(refused(" way"))
	over()
	k.connected()
	if want := []string{
		"down: " + interrupted, "down: No. Later.", "down: No. Much later.",
		"down: " + interrupted, "down: No way. Much later.", "up",
	}; !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
}

// The first wait is short, and they grow; a connection that has stood for longer than the
// next is the beginning of another story.
func TestWaitsGrow(t *testing.T) {
	var told []string
	var fail error
	k := tellingLink(t, &told, &fail)
	e := ending{kind: "replaced", what: "Somebody else.", wait: func(n int) time.Duration {
		return []time.Duration{15 * time.Minute, time.Hour}[min(n, 1)]
	}}
	var waits []time.Duration
	for _, stood := range []time.Duration{0, time.Minute, 59 * time.Minute, 61 * time.Minute, 0} {
		k.until = time.Time{}
		if stood > 0 {
			k.connected()
			k.upSince = k.upSince.Add(-stood)
		}
		k.end(e)
		waits = append(waits, k.until.Sub(k.since).Truncate(15*time.Minute))
	}
	const quarter, hour = 15 * time.Minute, time.Hour
	if want := []time.Duration{quarter, hour, hour, quarter, hour}; !slices.Equal(waits, want) {
		t.Errorf("waits %v, want %v", waits, want)
	}
}

// However long an outage is, an attempt is never more than five minutes after another.
func TestPausesAreBounded(t *testing.T) {
	k := &link{state: down}
	longest := time.Duration(0)
	for range 200 {
		k.attempted(time.Minute)
		if k.pause < time.Minute || k.pause > 5*time.Minute {
			t.Fatalf("a pause of %v", k.pause)
		}
		longest = max(longest, k.pause)
	}
	if longest < 4*time.Minute {
		t.Errorf("the pauses do not grow: %v at most", longest)
	}
}

func TestAlive(t *testing.T) {
	now := time.Now()
	long := now.Add(-6 * time.Minute)
	for _, tt := range []struct {
		name  string
		link  *link
		alive bool
	}{
		{"connected", &link{state: up, beat: now}, true},
		{"down, trying", &link{state: down, beat: now, attempt: now}, true},
		{"down, whatsmeow waiting", &link{state: down, beat: now, since: long}, true},
		{"the loop stands still", &link{state: down, beat: long}, false},
		{"an attempt that does not end", &link{state: down, beat: now, attempt: long}, false},
		{"keepalives unanswered for a while", &link{state: up, beat: now, ponged: now.Add(-2 * time.Minute)}, true},
		{"keepalives unanswered for long", &link{state: up, beat: now, ponged: long}, false},
		{"lost for good", &link{state: lost, beat: long}, true},
	} {
		if err := tt.link.alive(now); (err == nil) != tt.alive {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	stuck := &Session{}
	l := &listener{}
	stuck.listener.Store(l)
	l.link.beat = now
	if err := stuck.Alive(); err != nil {
		t.Errorf("idle: %v", err)
	}
	l.busy.Store(long.UnixNano())
	if err := stuck.Alive(); err == nil {
		t.Error("an event that is stuck is said to be alive")
	}
}

func TestTickIsPatient(t *testing.T) {
	now := time.Now()
	for _, tt := range []struct {
		name string
		link *link
		due  task
	}{
		{"connected just now", &link{state: up, since: now, said: now}, nothing},
		{"connected", &link{state: up, said: now}, verify},
		{"connected, and hearing nothing", &link{state: up, said: now.Add(-13 * time.Hour)}, reset},
		{"refused just now", &link{state: down, since: now, until: now.Add(time.Minute)}, nothing},
		{"refused", &link{state: down, until: now.Add(time.Minute)}, verify},
		{"the wait is over", &link{state: down, since: now, until: now}, renew},
		{"outdated, and the wait is over", &link{state: down, since: now, until: now, last: ending{act: updateFirst}}, upgrade},
		{"lost", &link{state: lost}, nothing},
		{"down just now", &link{state: down, since: now}, nothing},
		{"down", &link{state: down, since: now.Add(-30 * time.Second)}, verify},
		{"down for long", &link{state: down, since: now.Add(-61 * time.Second)}, renew},
		{"under way", &link{state: down, attempt: now}, nothing},
	} {
		if due := tt.link.tick(now, time.Minute); due != tt.due {
			t.Errorf("%s: due %v, want %v", tt.name, due, tt.due)
		}
		if tt.link.beat != now {
			t.Errorf("%s: the loop did not move", tt.name)
		}
	}
}

// WhatsApp ends the connection for one reason and refuses the next for another, in turn: that
// we would answer each of them at once does not have us connect without a pause.
func TestEndingsThatAlternate(t *testing.T) {
	told := 0
	k := &link{now: time.Now, base: t.Context, log: slog.New(slog.DiscardHandler)}
	k.hooks.Disconnected = func(context.Context, time.Time, string) error { told++; return nil }
	for n := range 10 {
		var evt any = &events.ClientOutdated{}
		if n%2 == 1 {
			evt = &events.StreamError{Code: "503"}
		}
		e, _ := endingOf(evt, time.Now())
		k.end(e)
		if n > 0 && time.Until(k.until) < 4*time.Minute {
			t.Errorf("after %d endings, of which %d were told, the next attempt is in %v", n+1, told, time.Until(k.until))
		}
		k.until = time.Time{} // it is made
	}
}

func TestErrorsQuoteNothing(t *testing.T) {
	for _, err := range []error{
		errors.New("447700900101@s.whatsapp.net"),
		errors.Join(errors.New("447700900101"), context.Canceled),
	} {
		if got := plain(err); strings.Contains(got.Error(), "4477") {
			t.Errorf("plain(%v) = %v", err, got)
		}
	}
	if err := plain(context.Canceled); !errors.Is(err, context.Canceled) {
		t.Errorf("lost: %v", err)
	}
}
