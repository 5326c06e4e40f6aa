package whatsapp

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"

	"muniment/internal/content"
	"muniment/internal/record"
)

const (
	// loginPatience is how long a connection may take to become a login.
	// whatsmeow fetches and uploads keys first, 75 seconds at most for each
	// request.
	loginPatience = 4 * time.Minute
	// grace is how long an event may take to be captured when Run must end.
	grace = 3 * time.Second
	// dialing is how long Run waits at its end for a connection to be closed, before it
	// takes it that one is still being dialled.
	dialing = 200 * time.Millisecond
	// queryTimeout bounds a question to WhatsApp.
	queryTimeout = 30 * time.Second
)

// Run connects and captures until ctx is done, and then returns nil. A lost
// link is told to the hooks and does not end it. A connection that breaks is
// renewed, at the latest five minutes after the last attempt; one that WhatsApp
// refuses, when that may have changed (see endingOf).
func (s *Session) Run(ctx context.Context, h Hooks) error {
	if !s.Linked() {
		return ErrNotLinked
	}
	if len(s.options.Groups) == 0 {
		return errors.New("no group is listed")
	}
	l := s.listen(ctx, h)
	defer s.listener.Store(nil)
	s.listener.Store(l)
	fault := func() {
		if s.Refused() != "" {
			h.Refused()
		}
		ask(l.again)
	}
	s.seal.onFault.Store(&fault)
	defer s.seal.onFault.Store(nil)
	s.seal.open.Store(true)
	defer s.seal.open.Store(false)

	connection, cut := context.WithCancel(context.WithoutCancel(ctx))
	var background sync.WaitGroup
	l.link.tick(time.Now(), 0) // an attempt is under way, from the start
	background.Go(l.guarded(func() { l.connect(connection) }))
	l.supervise(ctx, connection, &background)
	l.stop(cut)
	background.Wait()
	l.client.Disconnect()
	return nil
}

// listen makes the listener of one Run.
func (s *Session) listen(ctx context.Context, h Hooks) *listener {
	l := &listener{
		session: s,
		hooks:   h,
		self:    record.Address{JID: s.device.GetJID().ToNonAD().String()},
		log:     s.options.Log,
		turn:    make(chan struct{}, 1),
		stopped: make(chan struct{}),
		again:   make(chan struct{}, 1),
		pausing: make(chan struct{}, 1),
		lists:   lists{nudge: make(chan struct{}, 1)},
		present: make(map[string]record.Received),
	}
	l.wire = newWire(l, s.options.Groups)
	l.client, l.quiet = s.client(l.wire)
	own := map[string]bool{l.self.JID: true}
	if lid := s.device.GetLID(); !lid.IsEmpty() {
		l.self = record.Address{JID: lid.ToNonAD().String(), Alt: l.self.JID}
		own[l.self.JID] = true
	}
	l.t = translator{groups: make(map[string]bool), own: own, reader: content.Reader{Other: s.other}}
	for _, g := range s.options.Groups {
		l.t.groups[g] = true
	}
	l.base, l.abort = context.WithCancel(context.WithoutCancel(ctx))
	l.link = link{hooks: h, log: l.log, base: func() context.Context { return l.base }, now: s.options.Now, hurry: s.hurry}
	l.client.InitialAutoReconnect = true
	l.client.AddEventHandlerWithSuccessStatus(l.handle)
	return l
}

// other looks up somebody's other JID, empty if it is not known.
func (s *Session) other(jid string) string {
	ctx, cancel := context.WithTimeout(context.Background(), captureTimeout)
	defer cancel()
	known, err := types.ParseJID(jid)
	if err != nil {
		return ""
	}
	var other types.JID
	switch known.Server {
	case types.DefaultUserServer:
		other, _ = s.container.LIDMap.GetLIDForPN(ctx, known)
	case types.HiddenUserServer:
		other, _ = s.container.LIDMap.GetPNForLID(ctx, known)
	}
	if other.User == "" {
		return ""
	}
	return other.ToNonAD().String()
}

// supervise keeps the connection until ctx is done.
func (l *listener) supervise(ctx, connection context.Context, background *sync.WaitGroup) {
	ticker := time.NewTicker(min(5*time.Second, l.session.patience/2))
	defer ticker.Stop()
	var redeliver <-chan time.Time
	var retries backoff
	var askAt <-chan time.Time // when to ask for lists of participants
	var asked sync.Mutex       // held while that is under way
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			due := l.link.tick(now, l.session.patience)
			if l.paused.Load() && due != nothing {
				background.Go(l.guarded(l.rest))
				continue
			}
			switch due {
			case verify:
				background.Go(l.guarded(func() { l.verify(connection) }))
			case renew:
				background.Go(l.guarded(func() { l.reconnect(connection) }))
			case upgrade:
				background.Go(l.guarded(func() { l.update(connection) }))
			case reset:
				background.Go(l.guarded(func() {
					defer l.link.finished()
					l.renew(silence)
				}))
			}
		case <-l.pausing:
			act := l.client.Disconnect
			if !l.paused.Load() {
				act = func() { l.reconnect(connection) }
				if l.link.waiting() {
					continue
				}
			}
			background.Go(l.guarded(act))
		case <-l.again:
			if redeliver == nil {
				redeliver = time.After(retries.next(time.Now()))
			}
		case <-redeliver:
			if redeliver = nil; l.paused.Load() {
				continue
			}
			background.Go(l.guarded(func() { l.renew(redelivery) }))
		case <-l.lists.nudge:
			askAt = l.lists.wait()
		case <-askAt:
			if askAt = nil; !l.link.isUp() { // not yet, or no more
				if l.lists.wait() != nil {
					askAt = time.After(settling)
				}
				continue
			}
			background.Go(l.guarded(func() {
				asked.Lock()
				defer asked.Unlock()
				l.askLists(connection)
			}))
		}
	}
}

// guarded keeps a panic in whatsmeow from ending the program with its value on
// standard error, where it may show content. The watchdog sees to what then
// stands still.
func (l *listener) guarded(f func()) func() {
	return func() {
		defer func() {
			if v := recover(); v != nil {
				l.log.Error("connection panicked", "type", fmt.Sprintf("%T", v), "stack", string(debug.Stack()))
			}
		}()
		f()
	}
}

// A backoff says how long to wait before something is delivered again: briefly
// at first, so that a passing failure costs little, and never above a minute.
// That other messages were captured meanwhile does not matter; quiet does.
type backoff struct {
	round int
	last  time.Time
}

func (b *backoff) next(now time.Time) time.Duration {
	if now.Sub(b.last) > 5*time.Minute {
		b.round = 0
	}
	b.last = now
	d := min(250*time.Millisecond<<b.round, time.Minute)
	b.round = min(b.round+1, 8)
	return d
}

// connect begins the first connection. Where the network is down whatsmeow goes
// on trying.
func (l *listener) connect(ctx context.Context) {
	defer l.link.attempted(l.session.patience)
	err := l.client.ConnectContext(ctx)
	switch {
	case err == nil, errors.Is(err, whatsmeow.ErrAlreadyConnected), ctx.Err() != nil:
	case errors.Is(err, store.ErrDeviceDeleted): // and told, as the loss of the link
	default:
		l.log.Warn("connection to WhatsApp failed", "err", plain(err))
		l.link.disconnected(unreachable)
	}
}

// renew breaks a connection that stands, and has whatsmeow make another.
func (l *listener) renew(why string) {
	l.link.breaking(why)
	l.client.ResetConnection()
}

// reconnect puts an end to whatsmeow's own attempts and begins anew, unless a
// login is under way.
func (l *listener) reconnect(ctx context.Context) {
	if l.client.IsConnected() && l.link.quiet() < loginPatience {
		l.link.finished()
		return
	}
	l.client.Disconnect()
	l.connect(ctx)
}

// verify corrects the state of the link where whatsmeow's events misled. Each
// comes from a goroutine of its own: when a connection breaks and the next one
// stands at once, the end of the old may be told after the beginning of the new;
// and a connection that breaks during login is told as begun, after its end. Where
// there is to be no connection for a while, whatsmeow may have made one all the same.
func (l *listener) verify(ctx context.Context) {
	defer l.link.finished()
	l.link.retell()
	connected := l.client.IsConnected() // waits for a dial under way
	switch {
	case l.link.waiting():
		if connected {
			l.client.Disconnect()
		}
	case l.link.isUp() && !connected:
		l.link.disconnected(interrupted)
	case !l.link.isUp() && connected && l.client.IsLoggedIn():
		// IsLoggedIn says whether we ever were: an answer proves it.
		if _, err := l.askGroup(ctx, l.session.options.Groups[0]); err == nil || notThere(err) != "" {
			l.link.connected()
			l.lists.want(0, false, l.session.options.Groups...)
		}
	}
}

// stop cuts the connection, so that nothing more is acknowledged, and lets the
// event that is being captured finish, or aborts it. It takes the turn for good:
// nothing follows.
func (l *listener) stop(cut context.CancelFunc) {
	l.stopping.Store(true)
	l.quiet.Store(true)
	l.link.silence()
	// Disconnect waits for a dial that is under way, which cut ends; but to cut a connection
	// that stands has whatsmeow close it twice at once, and race with itself.
	disconnected := make(chan struct{})
	go func() {
		defer close(disconnected)
		l.client.Disconnect()
	}()
	select {
	case <-disconnected:
	case <-time.After(dialing):
	}
	cut()
	<-disconnected
	timer := time.AfterFunc(grace, l.abort)
	l.turn <- struct{}{}
	timer.Stop()
	close(l.stopped)
	l.abort()
	l.link.wait()
}

// Participants lists who is in a group now, each by both addresses where
// WhatsApp tells them, and who its admins are. It needs Run to be connected.
func (s *Session) Participants(ctx context.Context, group string) ([]record.Participant, error) {
	l := s.listener.Load()
	if l == nil || !l.link.isUp() {
		return nil, ErrNotConnected
	}
	g, err := l.askGroup(ctx, group)
	return g.who, err
}

// State returns how the link is. Without Run there is none, and no more is known.
func (s *Session) State() State {
	if l := s.listener.Load(); l != nil {
		return l.link.present()
	}
	return State{}
}

// Alive returns an error if events are stuck, or if the session neither hears
// from WhatsApp nor tries to. Without Run there is nothing to be alive.
func (s *Session) Alive() error {
	l := s.listener.Load()
	if l == nil {
		return nil
	}
	if since := l.busy.Load(); since != 0 && time.Since(time.Unix(0, since)) > 2*time.Minute {
		return errors.New("an event from WhatsApp is stuck")
	}
	return l.link.alive(time.Now())
}
