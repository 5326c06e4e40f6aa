package whatsapp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"muniment/internal/record"
	"muniment/internal/standin"
)

// seed is that of all servers here: a process can trust one root only.
const seed = "whatsapp tests"

func TestMain(m *testing.M) {
	s, err := standin.Start(standin.Options{Seed: seed})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	s.Trust()
	s.Close()
	os.Exit(m.Run())
}

// A world is a stand-in with a small council, and a state directory.
type world struct {
	t            *testing.T
	server       *standin.Server
	council      *standin.Member
	ann, bo, cat *standin.Member
	group, works *standin.Group // works is not listed
	dir          string
	log          *output
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return newWorldOf(t, standin.Options{})
}

func newWorldOf(t *testing.T, o standin.Options) *world {
	t.Helper()
	t.Parallel()
	return newWorldAlone(t, o)
}

// newWorldAlone is for a test that changes what is one for the process, and has to run
// while no other does.
func newWorldAlone(t *testing.T, o standin.Options) *world {
	t.Helper()
	o.Seed = seed
	server, err := standin.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, server: server, council: server.Phone(), dir: t.TempDir(), log: &output{}}
	w.ann = server.Member("Ann Brook", "+447700900101")
	w.bo = server.Member("Bo Nott", "+447700900102")
	w.cat = server.Member("Cat Hill", "+447700900103")
	w.group = server.Group("Official group", w.council, w.ann, w.bo)
	w.works = server.Group("Works", w.council, w.ann, w.cat)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("journal:\n%s\nlog:\n%s", server.Journal(), w.log)
		}
		server.Close()
	})
	return w
}

// within is long enough for anything that is to happen.
func (w *world) within() context.Context {
	ctx, cancel := context.WithTimeout(w.t.Context(), 2*time.Minute)
	w.t.Cleanup(cancel)
	return ctx
}

func (w *world) options() Options {
	return Options{
		Path:    filepath.Join(w.dir, "session.db"),
		KeyPath: filepath.Join(w.dir, "session.key"),
		Groups:  []string{w.group.JID().String()},
		HTTP:    w.server.HTTPClient(),
		Log:     slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
}

// open opens the session; it is closed at the end, unless the test does.
func (w *world) open() *Session {
	w.t.Helper()
	s, err := Open(w.within(), w.options())
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { s.Close() })
	return s
}

// linked opens a session and links it.
func (w *world) linked() *Session {
	w.t.Helper()
	s := w.open()
	if err := s.Link(w.within(), w.scanned()); err != nil {
		w.t.Fatal(err)
	}
	return s
}

// scanned is a pairing in which the council's phone scans the code.
func (w *world) scanned() Pairing {
	return Pairing{Show: func(code string) {
		go func() {
			if err := w.council.ScanQR(code); err != nil {
				w.t.Errorf("scan: %v", err)
			}
		}()
	}}
}

// run runs s until stop is called, or the test ends.
func (w *world) run(s *Session, m *memory) (stop func()) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, m.hooks()) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				w.t.Errorf("Run: %v", err)
			}
		case <-time.After(time.Minute):
			w.t.Error("Run did not end")
		}
	})
	w.t.Cleanup(stop)
	return stop
}

// ready waits until the connection stands and no question of whatsmeow's is open
// any more: it reads the app state after linking. To break the connection before
// is no mistake, but the race detector finds two in whatsmeow then: the device's
// stores are read without a lock while a lost link changes them, and
// exsync.Event.GetChan, called for every question that is cut short, writes a
// flag under a read lock.
func (w *world) ready(m *memory) {
	w.t.Helper()
	m.await("the list of those present", func() bool { return len(m.present) > 0 })
	if err := w.server.WaitJournal(w.within(), func(e standin.Entry) bool {
		return strings.Contains(e.String(), `name="regular_low"`)
	}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) settled() {
	w.t.Helper()
	if err := w.server.WaitSettled(w.within()); err != nil {
		w.t.Fatalf("not settled: %d left: %v", w.server.Unsettled(), err)
	}
}

// receiveOnly checks that nothing was sent but what invariant 4 allows, and
// that the log names nobody and quotes nothing.
func (w *world) receiveOnly(texts ...string) {
	w.t.Helper()
	if out := w.server.Journal().Outside(); len(out) > 0 {
		w.t.Errorf("the client sent what it may not:\n%s", out)
	}
	log := w.log.String()
	secret := append(texts, "@lid", "@s.whatsapp.net", "@g.us", "Official group")
	for _, m := range []*standin.Member{w.council, w.ann, w.bo, w.cat} {
		secret = append(secret, m.JID().User, m.LID().User, m.Name())
	}
	for _, s := range secret {
		if s != "" && strings.Contains(log, s) {
			w.t.Errorf("the log holds %q:\n%s", s, log)
		}
	}
}

// A missing is what was said of a message that cannot be read.
type missing struct {
	group string
	ref   record.Ref
	cause string
}

// An outside is what was said of a group that the council's account is not in.
type outside struct {
	group string
	since time.Time
	cause string
}

// A memory is the other side of the hooks: an archive that forgets.
type memory struct {
	t *testing.T

	mu       sync.Mutex
	changed  chan struct{}
	records  []record.Received
	present  []record.Received
	missing  []missing
	outside  []outside
	lost     []string
	answers  []FileAnswer
	offers   []HistoryNotice
	received int
	skipped  int
	failed   int
	state    []string
	since    []time.Time // of each disconnection
	phone    []time.Time // when it was seen

	// refuse, if set, is asked before a record that is no list of those
	// present is captured.
	refuse func(r record.Received, nth int) error
	// skip, if set, is asked before an event is skipped.
	skip func(ctx context.Context) error
	// answer, if set, is asked before the phone's answer about a file is taken.
	answer func() error
	// offer, if set, is asked before a notice of history is taken.
	offer func(n HistoryNotice) error
	// overlook, if set, is asked before a missing message is noted.
	overlook func(x Missed) error
}

func newMemory(t *testing.T) *memory { return &memory{t: t, changed: make(chan struct{})} }

func (m *memory) change(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
	close(m.changed)
	m.changed = make(chan struct{})
}

func (m *memory) hooks() Hooks {
	nth := 0
	state := func(s string) error {
		m.change(func() { m.state = append(m.state, s) })
		return nil
	}
	return Hooks{
		Received: func() { m.change(func() { m.received++ }) },
		Capture: func(ctx context.Context, r record.Received) error {
			if r.Type == record.Present {
				m.change(func() { m.present = append(m.present, r) })
				return ctx.Err()
			}
			nth++
			if m.refuse != nil {
				m.change(func() { m.failed++ }) // also if it panics
				if err := m.refuse(r, nth); err != nil {
					return err
				}
				m.change(func() { m.failed-- })
			}
			m.change(func() { m.records = append(m.records, r) })
			return ctx.Err()
		},
		Skip: func(ctx context.Context) error {
			if m.skip != nil {
				if err := m.skip(ctx); err != nil {
					return err
				}
			}
			m.change(func() { m.skipped++ })
			return ctx.Err()
		},
		Missing: func(ctx context.Context, x Missed) error {
			if m.overlook != nil {
				if err := m.overlook(x); err != nil {
					m.change(func() { m.failed++ })
					return err
				}
			}
			m.change(func() { m.missing = append(m.missing, missing{x.Group, x.Ref, x.Cause}) })
			return ctx.Err()
		},
		FileAnswered: func(ctx context.Context, a FileAnswer) error {
			if m.answer != nil {
				if err := m.answer(); err != nil {
					m.change(func() { m.failed++ })
					return err
				}
			}
			m.change(func() { m.answers = append(m.answers, a) })
			return ctx.Err()
		},
		History: func(ctx context.Context, n HistoryNotice) error {
			if m.offer != nil {
				if err := m.offer(n); err != nil {
					m.change(func() { m.failed++ })
					return err
				}
			}
			m.change(func() { m.offers = append(m.offers, n) })
			return ctx.Err()
		},
		Outside: func(ctx context.Context, group string, since time.Time, cause string) error {
			m.change(func() { m.outside = append(m.outside, outside{group, since, cause}) })
			return ctx.Err()
		},
		Refused: func() {},
		Lost: func(ctx context.Context, cause string) error {
			m.change(func() { m.lost = append(m.lost, cause) })
			return ctx.Err()
		},
		Connected: func(context.Context) error { return state("connected") },
		Disconnected: func(_ context.Context, since time.Time, cause string) error {
			m.change(func() { m.since = append(m.since, since) })
			return state("disconnected: " + cause)
		},
		LinkLost: func(_ context.Context, cause string) error { return state("lost: " + cause) },
		PhoneSeen: func(_ context.Context, at time.Time) error {
			m.change(func() { m.phone = append(m.phone, at) })
			return nil
		},
	}
}

// await waits until done.
func (m *memory) await(what string, done func() bool) {
	m.t.Helper()
	timeout := time.After(2 * time.Minute)
	for {
		m.mu.Lock()
		is, changed := done(), m.changed
		m.mu.Unlock()
		if is {
			return
		}
		select {
		case <-changed:
		case <-timeout:
			m.mu.Lock()
			defer m.mu.Unlock()
			m.t.Fatalf("waited in vain for %s; received %d, captured %d, present %d, skipped %d, missing %v, failed %d, %q",
				what, m.received, len(m.records), len(m.present), m.skipped, m.missing, m.failed, m.state)
		}
	}
}

func (m *memory) awaitRecords(n int) []record.Received {
	m.t.Helper()
	m.await(fmt.Sprintf("%d records", n), func() bool { return len(m.records) >= n })
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]record.Received(nil), m.records...)
}

// balance checks that every event was received once and dealt with once.
func (m *memory) balance() {
	m.t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	if sum := len(m.records) + len(m.present) + m.skipped + len(m.missing) + len(m.answers) + len(m.offers) + m.failed; sum != m.received {
		m.t.Errorf("received %d, but captured %d + present %d + skipped %d + missing %d + answers %d + offers %d + failed %d = %d",
			m.received, len(m.records), len(m.present), m.skipped, len(m.missing), len(m.answers), len(m.offers), m.failed, sum)
	}
}

// output is a log that is read while it is written.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

var errDisk = errors.New("disk full")
