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

func TestLinkTellsEachStateOnce(t *testing.T) {
	var told []string
	tell := func(s string) error { told = append(told, s); return nil }
	k := link{
		hooks: Hooks{
			Connected:    func(context.Context) error { return tell("up") },
			Disconnected: func(_ context.Context, cause string) error { return tell("down " + cause) },
			LinkLost:     func(_ context.Context, cause string) error { return errors.Join(tell("lost "+cause), errDisk) },
		},
		log:  slog.New(slog.DiscardHandler),
		base: t.Context,
	}
	k.disconnected("a")
	k.disconnected("b")
	k.connected()
	k.connected()
	k.lose("c")
	k.lose("d")
	k.connected()
	k.disconnected("e")
	if want := []string{"down a", "up", "lost c"}; !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
	silent := link{hooks: k.hooks, log: k.log, base: t.Context}
	silent.silence()
	silent.connected()
	if len(told) != 3 {
		t.Errorf("told %q after Run", told[3:])
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
		{"keepalives unanswered for a while", &link{state: up, beat: now, heard: now.Add(-2 * time.Minute)}, true},
		{"keepalives unanswered for long", &link{state: up, beat: now, heard: long}, false},
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
		{"connected just now", &link{state: up, since: now}, nothing},
		{"connected", &link{state: up}, verify},
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

func TestLossCausesAreSentences(t *testing.T) {
	for _, evt := range []any{
		&events.LoggedOut{}, &events.LoggedOut{Reason: events.ConnectFailureMainDeviceGone},
		&events.LoggedOut{Reason: events.ConnectFailureUnknownLogout}, &events.TemporaryBan{},
		&events.TemporaryBan{Expire: time.Hour}, &events.ClientOutdated{}, &events.StreamReplaced{},
		&events.ConnectFailure{Reason: 418, Message: "447700900101"}, &events.CATRefreshError{Error: errDisk},
	} {
		cause := lossCause(evt)
		if len(cause) < 20 || !strings.HasSuffix(cause, ".") || strings.Contains(cause, "4477") || strings.Contains(cause, "disk") {
			t.Errorf("%T: %q", evt, cause)
		}
	}
	for _, evt := range []any{&events.Disconnected{}, &events.StreamError{}, &events.Connected{}} {
		if cause := lossCause(evt); cause != "" {
			t.Errorf("%T: %q", evt, cause)
		}
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
