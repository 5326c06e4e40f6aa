package whatsapp

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types/events"

	"muniment/internal/standin"
)

// Of each way in which a connection can end it is known again, by its cause alone, whether
// somebody should be told at once: the first time, and again.
func TestSortOf(t *testing.T) {
	for _, tt := range []struct {
		evt          any
		first, again Sort
	}{
		{&events.StreamReplaced{}, Replaced, Replaced},
		{&events.TemporaryBan{Expire: 48 * time.Hour}, Banned, Banned},
		{&events.TemporaryBan{}, Banned, Banned},
		{&events.ClientOutdated{}, Passes, Outdated},
		{&events.ConnectFailure{Reason: 503}, Passes, Refuses},
		{&events.CATRefreshError{Error: errDisk}, Passes, Refuses},
		{&events.StreamError{Code: "516"}, Passes, Passes},
	} {
		e, _ := endingOf(tt.evt, time.Now())
		again := e.then
		if e.still != "" {
			again = e.still
		}
		for _, c := range []struct {
			cause string
			want  Sort
		}{{e.what + " " + e.then, tt.first}, {e.what + " " + again, tt.again}} {
			if got := SortOf(c.cause); got != c.want {
				t.Errorf("%q is of the sort %d, want %d", c.cause, got, c.want)
			}
		}
	}
	for _, cause := range []string{interrupted, unreachable, unanswered, redelivery, silence, "muniment was not running"} {
		if got := SortOf(cause); got != Passes {
			t.Errorf("%q is of the sort %d", cause, got)
		}
	}
}

// What people are told of each way in which a connection can end, and how long we wait
// each time that it does.
func TestEndings(t *testing.T) {
	now := time.Date(2026, 12, 1, 14, 4, 58, 0, time.UTC)
	var b strings.Builder
	for _, evt := range []any{
		&events.LoggedOut{Reason: events.ConnectFailureLoggedOut},
		&events.LoggedOut{Reason: events.ConnectFailureMainDeviceGone},
		&events.LoggedOut{Reason: events.ConnectFailureUnknownLogout},
		&events.StreamReplaced{},
		&events.TemporaryBan{Code: events.TempBanBlockedByUsers, Expire: 48 * time.Hour},
		&events.TemporaryBan{},
		&events.ClientOutdated{},
		&events.ConnectFailure{Reason: 418, Message: "447700900101"},
		&events.StreamError{Code: "516"},
		&events.StreamError{Code: "447700900101"},
		&events.CATRefreshError{Error: errDisk},
	} {
		e, is := endingOf(evt, now)
		if !is {
			t.Errorf("%T is no ending", evt)
			continue
		}
		fmt.Fprintf(&b, "%s\n", e.what)
		fmt.Fprintf(&b, "    %s\n", e.then)
		if e.still != "" {
			fmt.Fprintf(&b, "    and again: %s\n", e.still)
		}
		if e.act == linkAgain {
			continue
		}
		var waits []string
		for n := range 12 {
			waits = append(waits, strings.NewReplacer("h0m0s", "h", "m0s", "m").Replace(e.wait(n).String()))
			if n > 0 && e.wait(n) == e.wait(n-1) && e.wait(n) > 0 {
				break
			}
		}
		fmt.Fprintf(&b, "    waits %s …\n", strings.Join(waits, ", "))
	}
	fmt.Fprintf(&b, "%s\n", strings.Join([]string{interrupted, unreachable, unanswered, redelivery, silence}, "\n"))
	golden(t, "endings.golden", b.String())
	for _, evt := range []any{&events.Disconnected{}, &events.Connected{}, &events.KeepAliveTimeout{}} {
		if e, is := endingOf(evt, now); is {
			t.Errorf("%T: %q", evt, e.what)
		}
	}
}

// hurried is a session in whose life a quarter of an hour is half a second.
func (w *world) hurried() *Session {
	s := w.linked()
	s.patience, s.hurry = 200*time.Millisecond, 1800
	return s
}

// states waits until the link has told so many states, and returns them.
func (m *memory) states(n int) []string {
	m.t.Helper()
	m.await(fmt.Sprintf("%d states of the link", n), func() bool { return len(m.state) >= n })
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]string(nil), m.state...)
}

// told checks that the last state is this one, or begins so.
func (w *world) told(m *memory, n int, want string) {
	w.t.Helper()
	if states := m.states(n); !strings.HasPrefix(states[n-1], want) {
		w.t.Fatalf("told %q, want %q as the %d.", states, want, n)
	}
}

func breaks(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("breaks connections, where whatsmeow has data races of its own")
	}
}

// Another program uses the link: we do not fight over it, and when it has gone we have it
// again, with what was said meanwhile.
func TestReplaced(t *testing.T) {
	breaks(t)
	w := newWorld(t)
	s := w.hurried()
	m := newMemory(t)
	w.run(s, m)
	w.ready(m)
	w.server.Kick("", "replaced")
	w.told(m, 2, "disconnected: Another program")
	if p := s.State(); p.Connected || p.Again.IsZero() || p.Cause != strings.TrimPrefix(m.states(2)[1], "disconnected: ") {
		t.Errorf("%+v", p)
	}
	w.must(w.server.WaitOffline(w.within()))
	w.ann.Says("While another program had the link.")
	w.told(m, 3, "connected")
	m.awaitRecords(1)
	w.server.Kick("", "replaced")
	w.told(m, 4, "disconnected: Another program") // once more
	w.told(m, 5, "connected")
	if err := s.Alive(); err != nil {
		t.Error(err)
	}
	w.receiveOnly()
}

// The account is banned until a time; the same again when it tries too early, and then
// it connects by itself.
func TestBannedForATime(t *testing.T) {
	breaks(t)
	w := newWorld(t)
	s := w.hurried()
	s.hurry = 120 // what is a minute for it is half a second
	m := newMemory(t)
	w.run(s, m)
	w.ready(m)
	w.server.Ban(time.Now().Add(3 * time.Second))
	w.server.Drop()
	w.told(m, 2, "disconnected: "+interrupted)
	w.told(m, 3, "disconnected: WhatsApp has banned the council's account until ")
	w.ann.Says("While it was banned.")
	for n := 4; ; n++ { // it may be tried in the minute before
		if states := m.states(n); states[n-1] == "connected" {
			break
		} else if !strings.Contains(states[n-1], "has banned") {
			t.Fatalf("told %q", states)
		}
	}
	m.awaitRecords(1)
}

// WhatsApp refuses our version; we ask which is the newest, and connect as that.
func TestOutdated(t *testing.T) {
	breaks(t)
	w := newWorldAlone(t, standin.Options{})
	t.Cleanup(func() { store.SetWAVersion(builtIn) })
	s := w.hurried()
	m := newMemory(t)
	w.run(s, m)
	w.ready(m)
	newer := builtIn[2] + 1000
	w.server.OldestApp(newer)
	w.server.NewestApp(newer + 1)
	w.server.Drop()
	w.told(m, 3, "disconnected: WhatsApp no longer accepts muniment's version")
	w.told(m, 4, "connected")
	if v := store.GetWAVersion(); v[2] != newer+1 || w.server.Pages() != 1 {
		t.Errorf("connected as %v, after %d questions", v, w.server.Pages())
	}
	w.receiveOnly()
}

// The newest version does not help: that is said once, and it is not asked for all the
// time. An hour later there is one that does.
func TestOutdatedAndTheNewestDoesNotHelp(t *testing.T) {
	breaks(t)
	w := newWorldAlone(t, standin.Options{})
	t.Cleanup(func() { store.SetWAVersion(builtIn) })
	s := w.hurried()
	m := newMemory(t)
	w.run(s, m)
	w.ready(m)
	w.server.OldestApp(builtIn[2] + 9)
	w.server.NewestApp(builtIn[2] + 1)
	w.server.Drop()
	w.told(m, 3, "disconnected: WhatsApp no longer accepts muniment's version of its app. muniment asks")
	w.told(m, 4, "disconnected: WhatsApp no longer accepts muniment's version of its app. Connecting as the newest one did not help")
	if n := w.server.Pages(); n != 1 {
		t.Errorf("%d questions", n)
	}
	w.server.NewestApp(builtIn[2] + 9)
	w.told(m, 5, "connected")
}

// WhatsApp's page names no version, or one that is older than the one we were made for: we
// stay what we are.
func TestOutdatedAndNoNewerVersion(t *testing.T) {
	breaks(t)
	for _, named := range []uint32{0, builtIn[2] - 1} {
		w := newWorldAlone(t, standin.Options{})
		t.Cleanup(func() { store.SetWAVersion(builtIn) })
		s := w.hurried()
		m := newMemory(t)
		stop := w.run(s, m)
		w.ready(m)
		w.server.OldestApp(builtIn[2] + 9)
		w.server.NewestApp(named)
		w.server.Drop()
		w.told(m, 4, "disconnected: WhatsApp no longer accepts muniment's version of its app. Connecting as")
		if v := store.GetWAVersion(); v != builtIn {
			t.Errorf("connects as %v", v)
		}
		w.server.OldestApp(0)
		w.told(m, 5, "connected")
		stop()
	}
}

// WhatsApp refuses for a reason that nobody knows, or wants a token, which would make
// whatsmeow panic; it is tried again.
func TestRefused(t *testing.T) {
	breaks(t)
	for reason, want := range map[int]string{418: "WhatsApp refuses the connection (reason 418).", 413: "WhatsApp refuses the connection, and asks for a token"} {
		t.Run(fmt.Sprint(reason), func(t *testing.T) {
			w := newWorld(t)
			s := w.hurried()
			m := newMemory(t)
			w.run(s, m)
			w.ready(m)
			w.server.Refuse(reason)
			w.server.Drop()
			w.told(m, 3, "disconnected: "+want)
			w.told(m, 4, "disconnected: "+want) // and what to do if that does not help
			w.server.Admit()
			w.told(m, 5, "connected")
		})
	}
}

// WhatsApp ends the connection for a reason that nobody knows. Once is nothing; again and
// again, we do not come back at once.
func TestStreamErrors(t *testing.T) {
	breaks(t)
	w := newWorld(t)
	s := w.hurried()
	s.hurry = 100 // five minutes are three seconds
	m := newMemory(t)
	w.run(s, m)
	w.ready(m)
	w.server.Kick("516", "")
	w.told(m, 2, "disconnected: WhatsApp has ended the connection (reason 516).")
	w.told(m, 3, "connected")
	w.server.Kick("516", "")
	w.told(m, 4, "disconnected: WhatsApp has ended the connection (reason 516).")
	if p := s.State(); p.Again.IsZero() {
		t.Error("it is tried again at once")
	}
	w.told(m, 5, "connected")
}

// WhatsApp keeps the connection open and says nothing: our pings are not answered, and
// the connection is renewed. What was missed by then was missed since the last answer.
func TestPingsAreNotAnswered(t *testing.T) {
	breaks(t)
	w := newWorldAlone(t, standin.Options{})
	pings := []*time.Duration{&whatsmeow.KeepAliveIntervalMin, &whatsmeow.KeepAliveIntervalMax,
		&whatsmeow.KeepAliveResponseDeadline, &whatsmeow.KeepAliveMaxFailTime}
	for i, shorter := range []time.Duration{50 * time.Millisecond, 60 * time.Millisecond, 100 * time.Millisecond, 700 * time.Millisecond} {
		usual := *pings[i]
		*pings[i] = shorter
		t.Cleanup(func() { *pings[i] = usual })
	}
	s := w.linked()
	m := newMemory(t)
	stop := w.run(s, m)
	w.ready(m)
	pinged := 0
	w.must(w.server.WaitJournal(w.within(), func(e standin.Entry) bool {
		if e.Kind == "ping" {
			pinged++
		}
		return pinged == 3 // the second one was answered
	}))
	hushed := time.Now()
	w.server.Hush()
	w.ann.Says("Said into the void.")
	w.told(m, 2, "disconnected: "+unanswered)
	noticed := time.Now()
	w.told(m, 3, "connected")
	m.awaitRecords(1)
	if since := m.since[0]; since.After(hushed.Add(100*time.Millisecond)) || noticed.Sub(since) < whatsmeow.KeepAliveMaxFailTime {
		t.Errorf("since %v; hushed at %v, noticed at %v", since, hushed, noticed)
	}
	w.server.Hush()
	stop() // in time, though nobody answers
}

// A connection on which nothing but answers comes is renewed, each time.
func TestNothingIsHeard(t *testing.T) {
	breaks(t)
	w := newWorld(t)
	s := w.hurried()
	s.hurry = 12 * 3600 // twelve hours are a second
	m := newMemory(t)
	w.run(s, m)
	w.ready(m)
	w.told(m, 2, "disconnected: "+silence)
	w.told(m, 3, "connected")
	w.ann.Says("Good morning.")
	m.awaitRecords(1)
	w.told(m, 4, "disconnected: "+silence)
	w.told(m, 5, "connected")
	w.receiveOnly()
}

// Whatever the connection is waiting for, Run ends at once, and nothing of it is left.
func TestStopsInEveryState(t *testing.T) {
	breaks(t)
	w := newWorldAlone(t, standin.Options{})
	s := w.linked()
	for _, tt := range []struct {
		name  string
		state string
		end   func()
	}{
		{"an outage", "disconnected: " + interrupted, w.server.Down},
		{"banned", "disconnected: WhatsApp has banned", func() { w.server.Ban(time.Now().Add(time.Hour)); w.server.Drop() }},
		{"replaced", "disconnected: Another", func() { w.server.Kick("", "replaced") }},
		{"outdated", "disconnected: WhatsApp no longer", func() { w.server.OldestApp(builtIn[2] + 1); w.server.Drop() }},
		{"refused", "disconnected: WhatsApp refuses", func() { w.server.Refuse(418); w.server.Drop() }},
		{"lost", "lost: ", func() { w.server.Kick("401", "device_removed") }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := runtime.NumGoroutine()
			m := newMemory(t)
			stop := w.run(s, m)
			w.ready(m)
			tt.end()
			m.await(tt.name, func() bool { return len(m.state) > 0 && strings.HasPrefix(m.state[len(m.state)-1], tt.state) })
			stop()
			w.server.Ban(time.Time{})
			w.server.OldestApp(0)
			w.server.Admit()
			w.server.Up()
			for deadline := time.Now().Add(time.Minute); runtime.NumGoroutine() > before; time.Sleep(10 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
				}
			}
		})
	}
}

// In an outage of days, attempts go on at our pace: whatsmeow by itself would try next in
// two hours.
func TestALongOutage(t *testing.T) {
	breaks(t)
	w := newWorld(t)
	s := w.hurried()
	m := newMemory(t)
	w.run(s, m)
	w.ready(m)
	journal := w.server.Journal()
	before := journal[len(journal)-1].Connection
	w.server.Down()
	w.told(m, 2, "disconnected: "+interrupted)
	s.listener.Load().client.AutoReconnectErrors = 3600
	w.server.Refuse(503)
	w.server.Up()
	tries := 0
	w.must(w.server.WaitJournal(w.within(), func(e standin.Entry) bool {
		if e.Payload != nil && e.Connection > before {
			tries++
		}
		return tries == 5
	}))
	w.server.Admit()
	w.told(m, 3, "connected")
	if states := m.states(3); len(states) != 3 {
		t.Errorf("told %q", states)
	}
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}
