package whatsapp

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"go.mau.fi/whatsmeow/types/events"

	"muniment/internal/retention"
)

// An ending is what it means that WhatsApp has ended the connection, or refuses one, and
// what is done about it.
type ending struct {
	kind string // what several in a row are counted by
	act  act
	// What has happened, and what happens next: sentences for the clerk and the sysadmin,
	// which identify nobody. They are the same at each attempt, as long as nothing is new:
	// a new cause is a new gap.
	what, then string
	still      string // what happens next from the second time in a row on; empty: then
	// wait is how long to wait before connecting again, after the nth time in a row.
	wait func(n int) time.Duration
}

// An act is what is done about an ending.
type act int

const (
	connectAgain act = iota
	updateFirst      // learn which version WhatsApp wants, and connect again
	linkAgain        // nothing that we could do
)

const (
	relink   = "Nothing is recorded until it is linked again (muniment link)."
	byItself = "muniment tries again by itself, at least every six hours."
	// Plain outages; whatsmeow sees to them, and we to whatsmeow.
	interrupted = "The connection to WhatsApp was interrupted."
	unreachable = "WhatsApp could not be reached."
	unanswered  = "WhatsApp did not answer any more, and the connection was renewed."
	// By these [SortOf] knows a cause again.
	banned   = "WhatsApp has banned the council's account"
	replaced = "Another program has connected with this machine's link"
	unhelped = "Connecting as the newest one did not help"
	newer    = " If that does not help within a day, install a newer muniment."
	// Renewed by ourselves.
	redelivery = "The connection was renewed, so that WhatsApp delivers again what could not be recorded."
	silence    = "The connection was renewed, because nothing had been heard on it for 12 hours."
)

// endingOf returns the ending that evt is; of any other event, and of those that whatsmeow
// deals with and tells as events.Disconnected, there is none.
func endingOf(evt any, now time.Time) (e ending, is bool) {
	e = ending{kind: fmt.Sprintf("%T", evt), then: byItself, wait: doubling(5*time.Minute, 6*time.Hour)}
	switch evt := evt.(type) {
	case *events.LoggedOut:
		e.act, e.then = linkAgain, relink
		switch evt.Reason {
		case events.ConnectFailureMainDeviceGone:
			e.what = "WhatsApp has locked the council's account, or its phone was replaced."
		case events.ConnectFailureUnknownLogout:
			e.what = "WhatsApp has banned or logged out the council's account."
		default:
			e.what = "This machine was removed from the linked devices, on the council's phone or because that was not used for long."
		}
	case *events.TemporaryBan:
		e.what = banned + " for a time, and does not say for how long."
		e.then, e.wait = "muniment tries again by itself, at least once a day.", doubling(time.Hour, 24*time.Hour)
		if evt.Expire > 0 {
			over := now.Add(evt.Expire).In(retention.London)
			e.what = fmt.Sprintf(banned+" until %s.", over.Format("2 January 2006 at 15:04"))
			e.then = "After that, muniment connects again by itself."
			e.wait = func(n int) time.Duration { return max(evt.Expire+afterBan, doubling(time.Minute, 24*time.Hour)(n)) }
		}
	case *events.ClientOutdated:
		e.act = updateFirst
		e.what = "WhatsApp no longer accepts muniment's version of its app."
		e.then = "muniment asks WhatsApp which one is the newest, and connects again as that."
		e.still = unhelped + ", or could not be tried: please install a newer muniment. Until then it tries again, at least once a day."
		e.wait = func(n int) time.Duration {
			if n == 0 {
				return 0
			}
			return doubling(time.Hour, 24*time.Hour)(n - 1)
		}
	case *events.StreamReplaced:
		e.what = replaced + ": this machine may have been copied, or restored from a backup elsewhere."
		e.then = "Only one of them may run: please stop the other. muniment tries again after a quarter of an hour, and then every hour."
		e.wait = func(n int) time.Duration { return []time.Duration{15 * time.Minute, time.Hour}[min(n, 1)] }
	case *events.ConnectFailure:
		e.what = fmt.Sprintf("WhatsApp refuses the connection (reason %d).", int(evt.Reason))
		e.still = byItself + newer
	case *events.StreamError:
		// Once is nothing: whatsmeow connects again. Each time, it would do so at once and for ever.
		e.what = "WhatsApp has ended the connection" + reason(evt.Code) + "."
		e.then, e.still = "muniment connects again.", byItself
		e.wait = func(n int) time.Duration {
			if n == 0 {
				return 0
			}
			return doubling(5*time.Minute, 6*time.Hour)(n - 1)
		}
	case *events.CATRefreshError:
		e.what = "WhatsApp refuses the connection, and asks for a token that muniment does not have."
		e.still = byItself + newer
	default:
		return ending{}, false
	}
	return e, true
}

// A Sort says what a cause comes to that the hooks were given: whether it passes by itself as a
// rule, or somebody should be told at once.
type Sort int

// The sorts.
const (
	Passes   Sort = iota
	Refuses       // not for the first time in a row
	Outdated      // and to be another version did not help
	Replaced
	Banned
)

// SortOf returns the sort of a cause. The cause is all that is kept of how a connection
// ended, so it is known by its words.
func SortOf(cause string) Sort {
	switch {
	case strings.HasPrefix(cause, banned):
		return Banned
	case strings.HasPrefix(cause, replaced):
		return Replaced
	case strings.Contains(cause, unhelped):
		return Outdated
	case strings.HasSuffix(cause, newer):
		return Refuses
	}
	return Passes
}

// afterBan is how long after the end of a ban we connect: clocks differ.
const afterBan = time.Minute

// reason says by which number WhatsApp explains itself, if that is one.
func reason(code string) string {
	if !regexp.MustCompile(`^[0-9]{1,5}$`).MatchString(code) {
		return ""
	}
	return " (reason " + code + ")"
}

// doubling waits the first time so long, then twice as long each time, up to most.
func doubling(first, most time.Duration) func(n int) time.Duration {
	return func(n int) time.Duration {
		d := first
		for range n {
			d = min(2*d, most)
		}
		return d
	}
}

// lossCause says, for the sysadmin at the terminal, why no connection can be had now. It
// returns the empty string for an event after which whatsmeow connects again by itself.
func lossCause(evt any) string {
	if _, passes := evt.(*events.StreamError); passes {
		return ""
	}
	e, _ := endingOf(evt, time.Now())
	return e.what
}
