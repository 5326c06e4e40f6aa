package whatsapp

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"
)

// A link is what is known of the connection. It tells the hooks when that
// changes, and the watchdog.
type link struct {
	hooks Hooks
	log   *slog.Logger
	base  func() context.Context
	now   func() time.Time // the hooks' clock
	hurry time.Duration    // what waits are divided by

	telling sync.Mutex // held while a hook is called
	untold  []telling  // with telling held: what a hook would not take yet, in order

	mu    sync.Mutex
	state linkState
	over  bool   // no hook is called any more
	cause string // why the link is down or lost, as was told
	plain bool   // that is an outage, and nothing that WhatsApp has said

	last  ending    // how the connection ended last, or was refused
	nth   int       // how often in a row before that
	until time.Time // when to connect again after that; zero once we try

	upSince time.Time // when the connection that there is, or was last, was logged in; zero: none since last
	upUntil time.Time // when it broke; zero: it stands
	ponged  time.Time // last keepalive known to be answered, while some are not
	heard   time.Time // when WhatsApp last said anything
	said    time.Time // when WhatsApp last said anything that is no answer
	because string    // why we break the connection ourselves; empty: we do not

	since   time.Time     // of the last event or attempt of ours
	tried   bool          // we have tried to connect since the link is down for the cause
	tries   int           // attempts of ours in a row
	pause   time.Duration // how long to leave it to whatsmeow before the next one
	beat    time.Time     // last time the reconnect loop moved
	attempt time.Time     // when the task under way began; zero: none
}

type linkState int

const (
	unknown linkState = iota
	up
	down
	lost
)

// A telling calls a hook.
type telling func(context.Context) error

// connected notes that we are logged in. A connection on which its pings were not
// answered, whatsmeow renews without a word: that it was broken is told now.
func (k *link) connected() {
	k.change(func(now time.Time) (tell []telling) {
		switch {
		case k.state == up && k.ponged.IsZero():
			return nil
		case k.until.After(now): // verify cuts it
			return nil
		case k.state == up:
			tell = append(tell, k.tellDown(now, k.lastHeard(now), unanswered))
		}
		k.state, k.cause, k.plain = up, "", false
		k.upSince, k.upUntil, k.ponged, k.said = now, time.Time{}, time.Time{}, now
		k.until, k.because, k.tries, k.pause = time.Time{}, "", 0, 0
		return append(tell, func(ctx context.Context) error { return k.hooks.Connected(ctx) })
	})
}

// disconnected notes that there is no connection, and that nobody has said why. One such
// cause after another is no news; and that the connection ends which WhatsApp has ended
// is none either.
func (k *link) disconnected(cause string) {
	k.change(func(now time.Time) []telling {
		if k.until.After(now) || k.state == down && (k.plain || !k.tried) {
			return nil
		}
		since := now
		if k.state == up {
			since = k.lastHeard(now)
		}
		if k.because != "" {
			cause = k.because
		}
		k.fall(now, cause)
		k.plain = true
		return []telling{k.tellDown(now, since, cause)}
	})
}

// end notes that WhatsApp has ended the connection, or refuses one, and sets when to
// connect again.
func (k *link) end(e ending) {
	k.change(func(now time.Time) []telling {
		cause := e.what + " " + e.then
		if e.act == linkAgain {
			k.fall(now, cause)
			k.state = lost
			return []telling{func(ctx context.Context) error { return k.hooks.LinkLost(ctx, cause) }}
		}
		if k.until.After(now) && k.last.kind == e.kind {
			return nil
		}
		k.putOff(now, e)
		if k.nth > 0 && e.still != "" {
			cause = e.what + " " + e.still
		}
		if k.state == down && k.cause == cause {
			return nil
		}
		k.fall(now, cause)
		return []telling{k.tellDown(now, now, cause)}
	})
}

// putOff sets when to connect again. After a connection that has stood for longer than
// we would have to wait, counting begins anew.
func (k *link) putOff(now time.Time, e ending) {
	var stood time.Duration
	switch {
	case k.upSince.IsZero():
	case k.upUntil.IsZero():
		stood = now.Sub(k.upSince)
	default:
		stood = k.upUntil.Sub(k.upSince)
	}
	k.nth++
	alternate := k.last.kind != "" && k.last.kind != e.kind && stood < k.hurried(time.Minute)
	if k.last.kind != e.kind || stood > k.hurried(e.wait(k.nth)) {
		k.nth = 0
	}
	k.last, k.upSince = e, time.Time{}
	wait := k.hurried(e.wait(k.nth))
	if alternate { // each by itself may be answered at once, but not for ever
		wait = max(wait, k.hurried(5*time.Minute))
	}
	k.until = now.Add(wait + rand.N(wait/20+1))
}

func (k *link) hurried(d time.Duration) time.Duration { return d / max(k.hurry, 1) }

// unhelped notes that nothing can be done yet about how the connection ended: it ends so
// once more.
func (k *link) unhelped() {
	k.mu.Lock()
	e := k.last
	k.mu.Unlock()
	k.end(e)
}

// fall notes that the link is down. The caller holds k.mu.
func (k *link) fall(now time.Time, cause string) {
	if k.state == up {
		k.upUntil = now
	}
	k.state, k.cause, k.plain, k.because, k.ponged = down, cause, false, "", time.Time{}
	k.tried = false
}

// lastHeard returns when WhatsApp was last known to be there, while the link is up. The
// caller holds k.mu.
func (k *link) lastHeard(now time.Time) time.Time {
	last := k.heard
	if !k.ponged.IsZero() { // and what was heard since is of another connection
		last = k.ponged
	}
	if last.Before(k.upSince) {
		return k.upSince
	}
	return last
}

// tellDown tells that the link is down since then. While the machine sleeps, only the
// clock on the wall goes on.
func (k *link) tellDown(now, since time.Time, cause string) telling {
	at := k.now().Add(-max(now.Sub(since), now.Round(0).Sub(since.Round(0))))
	return func(ctx context.Context) error { return k.hooks.Disconnected(ctx, at, cause) }
}

// change changes the state by f, and then tells what f returns. Once lost, the link stays
// lost.
func (k *link) change(f func(now time.Time) []telling) {
	k.telling.Lock()
	defer k.telling.Unlock()
	k.mu.Lock()
	k.since = time.Now()
	if k.state != lost && !k.over {
		k.untold = append(k.untold, f(k.since)...)
	}
	over := k.over
	k.mu.Unlock()
	if !over {
		k.tell()
	}
}

// tell calls the hooks that are owed a call. The caller holds k.telling.
func (k *link) tell() {
	for len(k.untold) > 0 {
		ctx, cancel := context.WithTimeout(k.base(), captureTimeout)
		err := k.untold[0](ctx)
		cancel()
		if err != nil {
			k.log.Error("state of the link not recorded; it will be tried again", "err", err)
			return
		}
		k.untold = k.untold[1:]
	}
}

// pass calls a hook when those before have been called, or later, if it fails.
func (k *link) pass(t telling) {
	k.telling.Lock()
	defer k.telling.Unlock()
	k.mu.Lock()
	over := k.over
	k.mu.Unlock()
	if !over {
		k.untold = append(k.untold, t)
		k.tell()
	}
}

// retell tells what could not be recorded before.
func (k *link) retell() {
	k.telling.Lock()
	defer k.telling.Unlock()
	k.mu.Lock()
	over := k.over
	k.mu.Unlock()
	if !over {
		k.tell()
	}
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
	k.ponged = last
}

func (k *link) answered() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.ponged = time.Time{}
}

// hear notes that WhatsApp has said something, be it only an answer.
func (k *link) hear(answer bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.heard = time.Now()
	if !answer {
		k.said = k.heard
	}
}

// breaking notes why we are about to break the connection ourselves.
func (k *link) breaking(why string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.state == up {
		k.because = why
	}
}

// A task is what is to be done for the link.
type task int

const (
	nothing task = iota
	verify       // whether the state is what whatsmeow's events said
	renew        // the connection, ourselves: it has been down for too long, or the wait is over
	upgrade      // likewise, but first learn which version WhatsApp wants
	reset        // a connection that stands, and on which nothing is heard
)

// tick notes that the reconnect loop moves, and says what is to be done. Unless
// it is nothing, that is under way until finished or attempted is called.
func (k *link) tick(now time.Time, patience time.Duration) (due task) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.beat = now
	quiet := now.Sub(k.since)
	defer func() {
		if due != nothing {
			k.attempt = now
		}
	}()
	switch {
	case k.state == lost, !k.attempt.IsZero():
		return nothing
	case !k.until.IsZero() && !now.Before(k.until):
		k.until = time.Time{}
		if k.last.act == updateFirst {
			return upgrade
		}
		return renew
	case k.until.IsZero() && k.state != up && quiet >= max(patience, k.pause):
		return renew
	case k.state == up && now.Sub(k.said) >= k.hurried(silentFor):
		k.said = now // once
		return reset
	case quiet >= settling:
		return verify
	}
	return nothing
}

const (
	// settling is how long after an event its fellows may still be on their way.
	settling = time.Second
	// silentFor is how long WhatsApp may answer pings and say nothing else.
	silentFor = 12 * time.Hour
)

// finished notes the end of a task.
func (k *link) finished() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.attempt = time.Time{}
}

// attempted notes the end of an attempt of ours to connect. The longer the outage, the
// longer the next one waits, up to five minutes.
func (k *link) attempted(patience time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.attempt, k.since = time.Time{}, time.Now()
	k.tried = true
	k.tries = min(k.tries+1, 4)
	k.pause = time.Duration(k.tries) * patience
	k.pause += rand.N(k.pause/5 + 1)
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

// isFirst reports whether the connection ended, or was refused, as it did last, only once
// in a row.
func (k *link) isFirst() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.nth == 0
}

// waiting reports whether there is to be no connection now.
func (k *link) waiting() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.until.After(time.Now())
}

// State is how the link to WhatsApp is.
type State struct {
	Connected bool
	For       time.Duration // how long it has been, if it is
	Cause     string        // if not, why: sentences; empty when Run has only begun
	Again     time.Time     // when it will be tried again; zero: now, or never
}

func (k *link) present() State {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := time.Now()
	s := State{Connected: k.state == up, Cause: k.cause}
	if s.Connected {
		s.For = now.Sub(k.upSince)
	}
	if k.until.After(now) {
		s.Again = k.now().Add(k.until.Sub(now))
	}
	return s
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
	case k.state == up && !k.ponged.IsZero() && now.Sub(k.ponged) > limit:
		return errors.New("WhatsApp does not answer, and the connection is not renewed")
	}
	return nil
}
