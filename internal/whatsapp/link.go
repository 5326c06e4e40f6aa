package whatsapp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"go.mau.fi/whatsmeow/types/events"
)

// lossCause says, for the clerk and the sysadmin, why there is no link any
// more. It returns the empty string for an event after which whatsmeow connects
// again by itself.
func lossCause(evt any) string {
	const relink = " To go on recording, link this machine again: see muniment link."
	switch evt := evt.(type) {
	case *events.LoggedOut:
		switch evt.Reason {
		case events.ConnectFailureMainDeviceGone:
			return "WhatsApp has locked the council's account, or its phone was replaced." + relink
		case events.ConnectFailureUnknownLogout:
			return "WhatsApp has banned or logged out the council's account." + relink
		}
		return "This machine was removed from the linked devices, on the phone or because the phone was not used for long." + relink
	case *events.TemporaryBan:
		if evt.Expire > 0 {
			return fmt.Sprintf("WhatsApp has banned the council's account for %s. Restart muniment when that is over.", evt.Expire.Round(time.Minute))
		}
		return "WhatsApp has banned the council's account for a time. Restart muniment when that is over."
	case *events.ClientOutdated:
		return "WhatsApp no longer accepts this version of muniment. Install a newer one."
	case *events.StreamReplaced:
		return "Another program has connected with this machine's link. Stop it, or a copy of this machine, and restart muniment."
	case *events.ConnectFailure:
		return fmt.Sprintf("WhatsApp refuses the connection (reason %d). Restart muniment later; if that does not help, install a newer version.", int(evt.Reason))
	case *events.CATRefreshError:
		return "WhatsApp refuses the connection (authentication token)."
	}
	return ""
}

// A link is what is known of the connection. It tells the hooks when that
// changes, and the watchdog.
type link struct {
	hooks Hooks
	log   *slog.Logger
	base  func() context.Context

	telling sync.Mutex // held while a hook is called

	mu      sync.Mutex
	state   linkState
	over    bool      // no hook is called any more
	since   time.Time // of the last event or attempt of ours
	heard   time.Time // last keepalive known to be answered, while some are not
	beat    time.Time // last time the reconnect loop moved
	attempt time.Time // when the task under way began; zero: none
}

type linkState int

const (
	unknown linkState = iota
	up
	down
	lost
)

func (k *link) connected() {
	k.become(up, func(ctx context.Context) error { return k.hooks.Connected(ctx) })
}

func (k *link) disconnected(cause string) {
	k.become(down, func(ctx context.Context) error { return k.hooks.Disconnected(ctx, cause) })
}

func (k *link) lose(cause string) {
	k.become(lost, func(ctx context.Context) error { return k.hooks.LinkLost(ctx, cause) })
}

// become changes the state and tells; once lost, the link stays lost.
func (k *link) become(s linkState, tell func(context.Context) error) {
	k.telling.Lock()
	defer k.telling.Unlock()
	if !k.set(s) {
		return
	}
	ctx, cancel := context.WithTimeout(k.base(), captureTimeout)
	defer cancel()
	if err := tell(ctx); err != nil {
		k.log.Error("state of the link not recorded", "err", err)
	}
}

// set reports whether the state has changed, and somebody wants to know.
func (k *link) set(s linkState) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.since, k.heard = time.Now(), time.Time{}
	if k.state == s || k.state == lost || k.over {
		return false
	}
	k.state = s
	return true
}

// silence keeps hooks from being called; one may still be running.
func (k *link) silence() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.over = true
}

// wait waits for a hook that is still running.
func (k *link) wait() {
	k.telling.Lock()
	defer k.telling.Unlock()
}

func (k *link) unanswered(last time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.heard = last
}

func (k *link) answered() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.heard = time.Time{}
}

// A task is what is to be done for the link.
type task int

const (
	nothing task = iota
	verify       // whether the state is what whatsmeow's events said
	renew        // the connection, ourselves: it has been down for too long
)

// tick notes that the reconnect loop moves, and says what is to be done. Unless
// it is nothing, that is under way until finished or attempted is called.
func (k *link) tick(now time.Time, patience time.Duration) task {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.beat = now
	quiet := now.Sub(k.since)
	switch {
	case k.state == lost, !k.attempt.IsZero():
		return nothing
	case k.state != up && quiet >= patience:
		k.attempt = now
		return renew
	case quiet >= settling:
		k.attempt = now
		return verify
	}
	return nothing
}

// settling is how long after an event its fellows may still be on their way.
const settling = time.Second

// finished notes the end of a task.
func (k *link) finished() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.attempt = time.Time{}
}

// attempted notes the end of an attempt of ours to connect.
func (k *link) attempted() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.attempt, k.since = time.Time{}, time.Now()
}

// quiet is how long nothing has happened to the link.
func (k *link) quiet() time.Duration {
	k.mu.Lock()
	defer k.mu.Unlock()
	return time.Since(k.since)
}

func (k *link) isUp() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.state == up
}

// alive is what the watchdog asks. whatsmeow itself reconnects when keepalives
// were unanswered for three minutes.
func (k *link) alive(now time.Time) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	const limit = 5 * time.Minute
	switch {
	case k.state == lost: // nothing to be done here, and said to everybody
		return nil
	case now.Sub(k.beat) > limit:
		return errors.New("the reconnect loop stands still")
	case !k.attempt.IsZero() && now.Sub(k.attempt) > limit:
		return errors.New("an attempt to connect to WhatsApp does not end")
	case k.state == up && !k.heard.IsZero() && now.Sub(k.heard) > limit:
		return errors.New("WhatsApp does not answer, and the connection is not renewed")
	}
	return nil
}
