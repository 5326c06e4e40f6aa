// Package whatsapp is the companion device: it links to the council's account,
// listens, and hands what was said in the listed groups to its caller.
//
// It only receives. WhatsApp is told that a message has arrived when, and only
// when, the caller has it on disk; of chats that are not listed nothing is
// written anywhere in the clear. The package knows nothing of the archive: what
// its events cause elsewhere is handed in as function values.
package whatsapp

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/store/sqlstore"
	"go.mau.fi/whatsmeow/types"

	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// Errors that callers tell apart.
var (
	ErrNotLinked     = errors.New("this machine is not linked to a WhatsApp account")
	ErrAlreadyLinked = errors.New("this machine is already linked to a WhatsApp account")
	ErrTimedOut      = errors.New("nobody used the code in time")
	ErrNotConnected  = errors.New("not connected to WhatsApp")
	ErrGone          = errors.New("WhatsApp no longer has the file")
)

// Hooks are what the device's events cause elsewhere; all must be set. Those for
// events are called one at a time, those for the state of the link likewise but
// beside them, and none after Run has returned.
type Hooks struct {
	// Received counts an event at the door. After each call exactly one of
	// Capture, Skip, Missing, FileAnswered and History is called; so a change of a
	// group that makes two records is received twice.
	Received func()
	// Capture commits a record; nil means that it is on disk. It must be
	// idempotent: WhatsApp delivers at least once.
	Capture func(ctx context.Context, r record.Received) error
	// Skip counts an event that is out of scope: another chat, or keys only.
	Skip func(ctx context.Context) error
	// Missing commits that a message of a listed group cannot be read. It may
	// come more than once for a message, and the message may come after all.
	Missing func(ctx context.Context, m Missed) error
	// FileAnswered commits what the council's phone says of a file that it was asked
	// for. It may come although nobody asked.
	FileAnswered func(ctx context.Context, a FileAnswer) error
	// Outside commits that the council's account is not in a listed group, and since
	// when; zero if WhatsApp does not say. It may come more than once. The next list of
	// participants tells that it is back.
	Outside func(ctx context.Context, group string, since time.Time, cause string) error
	// Lost commits that WhatsApp announced or sent something that is not here, and of which
	// nobody can tell what it was, nor of which chat. The cause is a sentence for everybody.
	Lost func(ctx context.Context, cause string) error

	// Refused is called when the disk does not take what the session has to write, see
	// [Session.Refused]. It must not wait.
	Refused func()

	// History commits that the council's own phone has a piece of history for us, see
	// [HistoryNotice]. It may come more than once for one. Nil means that it is on disk: the
	// phone does not say it again.
	History func(ctx context.Context, n HistoryNotice) error

	// The state of the link; called when it changes, and again if it fails. Causes
	// are sentences for the clerk or the sysadmin and identify nobody. Disconnected
	// is called with the time, by Options.Now, at which WhatsApp was last known to
	// be there; and once more when the cause is another, since when it is. After
	// LinkLost nothing more comes until this machine is linked again.
	Connected    func(ctx context.Context) error
	Disconnected func(ctx context.Context, since time.Time, cause string) error
	LinkLost     func(ctx context.Context, cause string) error
	// PhoneSeen is called when the council's own phone was in use, with the time by
	// WhatsApp's clock, which may be long ago: what was queued comes in any order. It is
	// called once an hour at most, and like those above.
	PhoneSeen func(ctx context.Context, at time.Time) error
}

// Missed is a message of a listed group that was delivered and cannot be read.
type Missed struct {
	Group string
	Ref   record.Ref
	Own   bool      // the council's own account sent it
	Sent  time.Time // as WhatsApp says; zero if it does not
	Cause string    // for everybody; begins in lower case
}

// Options say where the session lies and what it listens to.
type Options struct {
	Path    string   // the database file, session.db
	KeyPath string   // the key of the event buffer, a file of its own
	Groups  []string // JIDs of the listed groups

	// DeviceName is how the phone lists this machine among the linked
	// devices; empty means "Council record".
	DeviceName string

	// HTTP reaches WhatsApp. Nil means one that honours HTTPS_PROXY and
	// SSL_CERT_FILE (DESIGN.md, The stand-in).
	HTTP *http.Client
	Log  *slog.Logger
	// Now dates the lists of participants that we ask for; nil: time.Now.
	// All other times are WhatsApp's.
	Now func() time.Time
}

// Session is this machine's link to WhatsApp. Link, Groups and Run use it one
// at a time.
type Session struct {
	options   Options
	db        *sql.DB
	container *container
	seal      *seal
	device    *store.Device // used by Link, Groups and Run only
	listener  atomic.Pointer[listener]

	// patience is how long the link may be down before we reconnect ourselves:
	// whatsmeow waits two seconds longer after each attempt, without end.
	patience time.Duration
	hurry    time.Duration // what waits after an end of the connection are divided by, in tests
	typing   time.Duration // how long a code that is to be typed on the phone is waited for
	stall    time.Duration // how long a download may go without a byte
	askAgain time.Duration // when a list of participants is asked for again, if WhatsApp did not answer
	lull     time.Duration // how long nothing comes of the offline queue before it is taken to be all
}

// Open opens the session, or creates one that is not linked.
func Open(ctx context.Context, o Options) (*Session, error) {
	for i, g := range o.Groups {
		if jid, err := types.ParseJID(g); err != nil || jid.Server != types.GroupServer || jid.String() != g {
			return nil, fmt.Errorf("open session: listed group %d is not the address of a group", i+1)
		}
	}
	if o.DeviceName == "" {
		o.DeviceName = "Council record"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.HTTP == nil {
		o.HTTP = newHTTP()
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	nameDevice(o.DeviceName)
	db, err := sqlite.OpenSession(o.Path)
	if err != nil {
		return nil, err
	}
	s := &Session{options: o, db: db, patience: time.Minute, hurry: 1, typing: typingTime, stall: stallLimit, askAgain: 5 * time.Minute, lull: 10 * time.Second}
	if err := s.load(ctx); err != nil {
		db.Close()
		return nil, fmt.Errorf("open session: %w", err)
	}
	return s, nil
}

func (s *Session) load(ctx context.Context) error {
	inner := sqlstore.NewWithDB(s.db, "sqlite", whatsmeowLog{log: s.options.Log, quiet: new(atomic.Bool)})
	if err := dropPendingIndex(ctx, s.db); err != nil {
		return err
	}
	if err := inner.Upgrade(ctx); err != nil {
		return err
	}
	if err := createPendingIndex(ctx, s.db); err != nil {
		return err
	}
	var err error
	if s.seal, err = openSeal(ctx, s.db, s.options.KeyPath, s.options.Log); err != nil {
		return err
	}
	s.container = &container{Container: inner, seal: s.seal}
	s.device, err = s.container.device(ctx)
	return err
}

var deviceName sync.Mutex

// nameDevice sets what the phone calls this machine. whatsmeow has one name for
// the whole process.
func nameDevice(name string) {
	deviceName.Lock()
	defer deviceName.Unlock()
	if store.DeviceProps.GetOs() != name {
		store.DeviceProps.Os = &name
	}
}

// Linked reports whether there is a link to use.
func (s *Session) Linked() bool { return s.container.linked.Load() }

// client returns a new connection to be. It sends nothing of its own accord but
// what invariant 4 allows: no presence, no read receipts, no history receipts.
// AutomaticMessageRerequestFromPhone stays off because with SynchronousAck it
// means nothing: the first retry asks our own phone anyway (retry.go).
//
// Once quiet is set, its complaints are not logged any more: they are about the
// end of the connection. W, if not nil, watches what passes.
func (s *Session) client(w *wire) (c *whatsmeow.Client, quiet *atomic.Bool) {
	quiet = new(atomic.Bool)
	c = whatsmeow.NewClient(s.device, whatsmeowLog{log: s.options.Log, quiet: quiet, wire: w})
	c.SynchronousAck = true
	c.EnableDecryptedEventBuffer = true
	c.ManualHistorySyncDownload = true
	c.DisableManualHistorySyncReceipt = true
	c.EmitAppStateEventsOnFullSync = false
	c.UseRetryMessageStore = false
	// whatsmeow calls it unasked when WhatsApp wants a token, and panics where there is none.
	c.RefreshCAT = func(context.Context) error { return errors.New("there are no such tokens") }
	c.SetPreLoginHTTPClient(s.options.HTTP)
	c.SetWebsocketHTTPClient(s.options.HTTP)
	c.SetMediaHTTPClient(s.options.HTTP)
	return c, quiet
}

// newHTTP returns what reaches WhatsApp, by way of the proxy that the environment names. A
// server that takes the connection and never answers would have whatsmeow wait for ever.
func newHTTP() *http.Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.ResponseHeaderTimeout = queryTimeout
	return &http.Client{Transport: t}
}

// Unfinished counts the messages, of any chat, that were decrypted and neither
// captured nor skipped yet. WhatsApp still has them and will deliver them again.
func (s *Session) Unfinished(ctx context.Context) (n int, err error) { return s.seal.unfinished(ctx) }

// AbandonBuffered blanks the messages that were decrypted longer ago than that,
// never finished, and not delivered again: WhatsApp keeps them for 14 days. It
// returns how many there were, including those that went with a lost link. Of
// which chat they were is not known.
func (s *Session) AbandonBuffered(ctx context.Context, olderThan time.Duration) (n int, err error) {
	return s.seal.abandon(ctx, time.Now().Add(-olderThan))
}

// ScrubBuffer makes unreadable what has gone through the event buffer, as far
// as it is finished, and empties the database's write-ahead log.
func (s *Session) ScrubBuffer(ctx context.Context) error {
	if _, err := s.seal.replaceIfEmpty(ctx); err != nil {
		return fmt.Errorf("scrub event buffer: %w", err)
	}
	if err := sqlite.EmptyLog(ctx, s.db); err != nil {
		return fmt.Errorf("scrub event buffer: %w", err)
	}
	return nil
}

// Close closes the session; Link, Groups and Run must have returned.
func (s *Session) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err := errors.Join(s.seal.close(ctx), s.db.Close())
	if err != nil {
		return fmt.Errorf("close session: %w", err)
	}
	return nil
}

// plain returns an error of whatsmeow's without what it quotes: its texts may
// hold addresses and whole stanzas, and errors end up in logs.
func plain(err error) error {
	for _, known := range []error{
		context.Canceled, context.DeadlineExceeded,
		whatsmeow.ErrIQTimedOut, whatsmeow.ErrIQDisconnected, whatsmeow.ErrNotConnected, whatsmeow.ErrNotLoggedIn,
		whatsmeow.ErrNotInGroup, whatsmeow.ErrGroupNotFound, whatsmeow.ErrIQRateOverLimit,
	} {
		if errors.Is(err, known) {
			return known
		}
	}
	var network interface{ Timeout() bool }
	if errors.As(err, &network) {
		return errors.New("WhatsApp could not be reached over the network")
	}
	return fmt.Errorf("unexpected %s from WhatsApp's side", strings.TrimPrefix(fmt.Sprintf("%T", err), "*"))
}
