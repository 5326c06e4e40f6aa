package standin_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mau.fi/libsignal/logger"
	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/store/sqlstore"
	"go.mau.fi/whatsmeow/types/events"
	waLog "go.mau.fi/whatsmeow/util/log"
	_ "modernc.org/sqlite"

	"muniment/internal/standin"
)

// seed is the same for all servers here, since a process can trust one root
// only and the tests run side by side.
const seed = "standin tests"

func TestMain(m *testing.M) {
	if url := os.Getenv("STANDIN_TEST_GET"); url != "" {
		fetch(url)
		return
	}
	s, err := standin.Start(standin.Options{Seed: seed})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	s.Trust()
	// Else libsignal writes to stderr of its own accord.
	var quiet logger.Loggable = silence{}
	logger.Setup(&quiet)
	s.Close()
	os.Exit(m.Run())
}

// silence is a libsignal logger that drops everything.
type silence struct{}

func (silence) Debug(string, string)   {}
func (silence) Info(string, string)    {}
func (silence) Warning(string, string) {}
func (silence) Error(string, string)   {}
func (silence) Configure(string)       {}

// start starts a server for one test.
func start(t *testing.T, o standin.Options) *standin.Server {
	t.Helper()
	o.Seed = seed
	s, err := standin.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("journal:\n%s", s.Journal())
		}
		s.Close()
	})
	return s
}

// within is long enough for anything that is to happen.
func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// A client is an unmodified whatsmeow client and the events that it has had.
type client struct {
	*whatsmeow.Client
	t         *testing.T
	server    *standin.Server
	container *sqlstore.Container
	file      string

	mu      sync.Mutex
	changed chan struct{}
	events  []any
	refuse  func(evt any) bool // answers false to these events
}

// newClient makes a client with a database of its own, and not yet linked.
func newClient(t *testing.T, s *standin.Server) *client {
	return openClient(t, s, filepath.Join(t.TempDir(), "wa.db"))
}

// openClient makes a client of the database there is.
func openClient(t *testing.T, s *standin.Server, file string) *client {
	t.Helper()
	ctx := within(t)
	dsn := "file:" + file + "?_pragma=foreign_keys(1)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)" +
		"&_pragma=busy_timeout(10000)&_txlock=immediate"
	container, err := sqlstore.New(ctx, "sqlite", dsn, nil)
	if err != nil {
		t.Fatal(err)
	}
	device, err := container.GetFirstDevice(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var log waLog.Logger
	if os.Getenv("STANDIN_LOG") != "" {
		log = waLog.Stdout(t.Name(), "DEBUG", false)
	}
	c := &client{
		Client: whatsmeow.NewClient(device, log), t: t, server: s, container: container, file: file,
		changed: make(chan struct{}),
	}
	c.reach(s.HTTPClient())
	c.SynchronousAck = true
	c.EnableDecryptedEventBuffer = true
	c.AddEventHandlerWithSuccessStatus(c.handle)
	t.Cleanup(c.stop)
	return c
}

func (c *client) reach(h *http.Client) {
	c.SetPreLoginHTTPClient(h)
	c.SetWebsocketHTTPClient(h)
	c.SetMediaHTTPClient(h)
}

func (c *client) stop() {
	c.Disconnect()
	c.container.Close()
}

func (c *client) handle(evt any) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refuse != nil && c.refuse(evt) {
		return false
	}
	c.events = append(c.events, evt)
	close(c.changed)
	c.changed = make(chan struct{})
	return true
}

// link pairs the client with the council's account and waits until it has done
// what it does of itself when first online.
func (c *client) link() {
	c.t.Helper()
	if err := c.pair(); err != nil {
		c.t.Fatal(err)
	}
	if err := c.server.WaitOnline(within(c.t)); err != nil {
		c.t.Fatal(err)
	}
	await[*events.Connected](c, nil)
	c.settled()
	if err := c.server.WaitJournal(within(c.t), func(e standin.Entry) bool {
		return strings.Contains(e.String(), `name="regular_low"`)
	}); err != nil {
		c.t.Fatal(err)
	}
	// When this has been answered, so has all before: whatsmeow has data races of
	// its own if it loses its connection while a query is open.
	if _, err := c.GetJoinedGroups(within(c.t)); err != nil {
		c.t.Fatal(err)
	}
}

// pair shows a code and has the council's phone scan it.
func (c *client) pair() error {
	c.t.Helper()
	ctx := within(c.t)
	codes, err := c.GetQRChannel(ctx)
	if err != nil {
		c.t.Fatal(err)
	}
	if err := c.Connect(); err != nil {
		c.t.Fatal(err)
	}
	code := <-codes
	if code.Event != whatsmeow.QRChannelEventCode {
		c.t.Fatalf("QR channel: %+v", code)
	}
	return c.server.Phone().ScanQR(code.Code)
}

func (c *client) connect() {
	c.t.Helper()
	if err := c.Connect(); err != nil {
		c.t.Fatal(err)
	}
	if err := c.server.WaitOnline(within(c.t)); err != nil {
		c.t.Fatal(err)
	}
}

// linkedOnDisk reports whether the client's database holds a linked device, waiting
// a little for it to be as wanted.
func (c *client) linkedOnDisk(want bool) bool {
	c.t.Helper()
	for ctx := within(c.t); ; {
		device, err := c.container.GetFirstDevice(ctx)
		if err != nil {
			c.t.Fatal(err)
		}
		if linked := device.ID != nil; linked == want || ctx.Err() != nil {
			return linked
		}
	}
}

// settled waits until everything sent is settled.
func (c *client) settled() {
	c.t.Helper()
	if err := c.server.WaitSettled(within(c.t)); err != nil {
		c.t.Fatal(err)
	}
}

// all returns the events of type E so far that match.
func all[E any](c *client, match func(E) bool) []E {
	c.mu.Lock()
	defer c.mu.Unlock()
	var found []E
	for _, evt := range c.events {
		if e, ok := evt.(E); ok && (match == nil || match(e)) {
			found = append(found, e)
		}
	}
	return found
}

// await waits for the first event of type E that matches.
func await[E any](c *client, match func(E) bool) E {
	c.t.Helper()
	ctx := within(c.t)
	for {
		c.mu.Lock()
		changed := c.changed
		c.mu.Unlock()
		if found := all(c, match); len(found) > 0 {
			return found[0]
		}
		select {
		case <-changed:
		case <-ctx.Done():
			c.t.Fatalf("no such %T came", *new(E))
		}
	}
}

// message waits for the event that brings the content of m.
func (c *client) message(m *standin.Message) *events.Message {
	c.t.Helper()
	return await(c, func(e *events.Message) bool { return e.Info.ID == m.ID() && hasContent(e) })
}

// messages returns the events that have brought content, but for those from the
// account's own phone to the companion.
func (c *client) messages() []*events.Message {
	return all(c, func(e *events.Message) bool { return e.Info.Category != "peer" && hasContent(e) })
}

// hasContent reports whether an event brings more than a sender key.
func hasContent(e *events.Message) bool {
	return e.RawMessage.SenderKeyDistributionMessage == nil || e.RetryCount > 0
}
