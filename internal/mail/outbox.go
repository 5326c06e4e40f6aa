package mail

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
	"unicode"

	"muniment/internal/journal"
	"muniment/internal/sqlite"
)

// ErrNothingToSend is what a compose function returns if the email is not owed
// any more: it is cancelled.
var ErrNothingToSend = errors.New("there is nothing to send")

// ErrLater is what a compose function returns if what the email is to hold is not
// there yet: it waits, as after a failed attempt.
var ErrLater = errors.New("what it is to hold, or to follow, is not there yet")

// DefaultPerHour is how many emails an outbox puts to the server within an hour
// unless it is told otherwise. Hosting companies count too, and some silently
// discard what goes over their limit after having accepted it.
const DefaultPerHour = 60

// poll is the longest time without a look at the outbox: other processes queue
// emails as well, and clocks are set.
const poll = time.Minute

// again is how soon the outbox looks again when the archive could not be read or
// written: at first, and at most a minute.
const again = 5 * time.Second

// notOurs is what is said of an email that is kept back.
const notOurs = "its recipient is not at one of the council's domains"

// Outbox hands the emails that are due over to the mail server, one at a time.
type Outbox struct {
	db      *sqlite.DB
	log     *slog.Logger
	allowed func(to string) bool
	send    func(ctx context.Context, from, to string, msg []byte) (answer string, err error)
	compose func(ctx context.Context, it Item) ([]byte, error)
	now     func() time.Time
	perHour int
	wake    chan struct{}

	turn chan struct{} // holds a token while a pass is under way, which alone touches:

	// Whatever keeps every email waiting is not remembered across a restart, so
	// that whoever mends a password and restarts sees at once whether it helped.
	failures   int       // in a row, of those that concern every email
	stalled    time.Time // when the last of them was
	resume     time.Time
	heldUrgent bool // it was an urgent email that met it

	resolved bool // what an earlier run left has been looked at

	// unrecorded records what came of the last attempt, if the archive has not
	// taken that yet; nil if it has. Nothing is sent before it has.
	unrecorded func(ctx context.Context) error
}

// New returns the outbox of the archive db.
//
// What is for a recipient that is not allowed, since the configuration may have
// changed since it was queued, waits until it is. send puts one email to the
// server; see [Transport.Send]. compose writes the email it, bearing the time
// Item.ComposedAt; it may return [ErrNothingToSend] or [ErrLater], and its errors are logged, so
// must hold no content. At most perHour emails are tried within an hour; 0 means
// [DefaultPerHour].
func New(
	db *sqlite.DB,
	log *slog.Logger,
	allowed func(to string) bool,
	send func(ctx context.Context, from, to string, msg []byte) (answer string, err error),
	compose func(ctx context.Context, it Item) ([]byte, error),
	now func() time.Time,
	perHour int,
) *Outbox {
	if perHour <= 0 {
		perHour = DefaultPerHour
	}
	return &Outbox{
		db: db, log: log, allowed: allowed, send: send, compose: compose, now: now, perHour: perHour,
		wake: make(chan struct{}, 1),
		turn: make(chan struct{}, 1),
	}
}

// Wake makes Run look at the outbox now: something was queued, or the clock was
// stepped.
func (o *Outbox) Wake() {
	select {
	case o.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// Run delivers what falls due until ctx is done, and then returns nil. If the
// archive cannot be read or written, as when a command keeps it for long, it tries
// again.
func (o *Outbox) Run(ctx context.Context) error {
	failures := 0
	for {
		wait, err := o.deliver(ctx)
		if ctx.Err() != nil {
			return nil
		}
		failures++
		if err == nil {
			failures = 0
		} else {
			wait = min(again<<min(failures-1, 4), poll)
			o.log.Error("the outbox cannot read or write the archive, will try again", "err", err, "in", wait)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-o.wake:
		case <-time.After(min(wait, poll)):
		}
	}
}

// DeliverDue makes one attempt at every email that is due now. What came of them
// is in the outbox; an error says that the archive could not be read or written,
// or that ctx is done.
func (o *Outbox) DeliverDue(ctx context.Context) error {
	_, err := o.deliver(ctx)
	return err
}

// deliver is DeliverDue; it also says after what time something is due again.
func (o *Outbox) deliver(ctx context.Context) (wait time.Duration, err error) {
	select {
	case o.turn <- struct{}{}:
		defer func() { <-o.turn }()
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	for {
		if err := o.record(ctx); err != nil {
			return 0, fmt.Errorf("outbox: %w", err)
		}
		if err := o.resolve(ctx); err != nil {
			return 0, fmt.Errorf("outbox: %w", err)
		}
		now := o.now()
		first, due, err := o.next(ctx, now)
		switch {
		case err != nil:
			return 0, fmt.Errorf("outbox: %w", err)
		case first == nil:
			return poll, nil
		case !o.allowed(first.to.Address):
			if err := o.keepBack(ctx, *first); err != nil {
				return 0, fmt.Errorf("outbox: %w", err)
			}
			continue
		case due.After(now):
			return due.Sub(now), nil
		}
		if err := o.attempt(ctx, *first, now); err != nil {
			return 0, fmt.Errorf("outbox: email %d: %w", first.ID, err)
		}
	}
}

// An owed email is one to one of its recipients.
type owed struct {
	Item
	to Recipient
}

// next returns the email whose turn is next, and when; nil if none waits. What is urgent
// goes before all else, and is not held up by the hour's limit; then what has waited for
// longest. After one that was urgent met a fault of all, another is tried first.
func (o *Outbox) next(ctx context.Context, now time.Time) (first *owed, due time.Time, err error) {
	err = o.db.Read(ctx, func(tx *sqlite.Tx) error {
		resume, err := o.resumes(tx, now)
		if err != nil {
			return err
		}
		classes := []bool{true, false} // whether urgent
		if o.failures > 0 && o.heldUrgent {
			slices.Reverse(classes)
		}
		for _, urgent := range classes {
			next, at, err := earliest(tx, now, urgent)
			if err != nil {
				return err
			} else if next == nil {
				continue
			}
			if !urgent {
				room, err := roomFrom(tx, now, o.perHour)
				if err != nil {
					return err
				}
				at = latest(at, room)
			}
			if at = latest(at, resume); first == nil || at.Before(due) && due.After(now) {
				first, due = next, at
			}
		}
		return nil
	})
	return first, due, err
}

// resumes returns from when emails may go again after a failure that concerns all. When
// somebody has had one tried again since, that is now: he has seen to it, or thinks so.
func (o *Outbox) resumes(tx *sqlite.Tx, now time.Time) (time.Time, error) {
	resume := intended(o.resume, now)
	if !resume.After(now) {
		return resume, nil
	}
	_, retried, err := journal.LastOf(tx, journal.MailRetried)
	if retried.After(o.stalled) && !retried.After(now) { // or the clock was ahead when he did
		resume = now
	}
	return resume, err
}

// earliest returns the email that is due first of those that are urgent or not, and when;
// nil if none is owed. One that is put off farther than any is, is due now: see intended.
func earliest(tx *sqlite.Tx, now time.Time, urgent bool) (first *owed, due time.Time, err error) {
	const owing = "SELECT email, address FROM recipient WHERE finished_at IS NULL AND NOT kept_back AND urgent = ? "
	soon := sqlite.FormatTime(now.Add(farthest))
	var id int64
	var to string
	err = tx.QueryRow(owing+"AND next_attempt > ? ORDER BY next_attempt LIMIT 1", urgent, soon).Scan(&id, &to)
	if errors.Is(err, sql.ErrNoRows) {
		err = tx.QueryRow(owing+"ORDER BY next_attempt LIMIT 1", urgent).Scan(&id, &to)
	}
	if errors.Is(err, sql.ErrNoRows) {
		return nil, due, nil
	} else if err != nil {
		return nil, due, err
	}
	items, err := find(tx, "id = ?", id)
	if err != nil {
		return nil, due, err
	}
	for _, r := range items[0].Recipients {
		if r.Address == to {
			first = &owed{items[0], r}
		}
	}
	return first, intended(first.to.NextAttempt, now), nil
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// roomFrom returns from when one more attempt stays within perHour.
func roomFrom(tx *sqlite.Tx, now time.Time, perHour int) (time.Time, error) {
	var at string
	err := tx.QueryRow(`
		SELECT last_attempt
		FROM recipient
		WHERE last_attempt > ? AND last_attempt <= ? AND state <> 'cancelled'
		ORDER BY last_attempt DESC
		LIMIT 1 OFFSET ?`,
		sqlite.FormatTime(now.Add(-time.Hour)), sqlite.FormatTime(now), perHour-1).Scan(&at)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, nil
	} else if err != nil {
		return time.Time{}, err
	}
	t, err := sqlite.ParseTime(at)
	return t.Add(time.Hour), err
}

// longestPause is how long an email waits at most between two attempts.
const longestPause = time.Hour

// backoff returns how long to wait after so many failures in a row: a minute,
// doubled each time, at most an hour; up to a quarter less, so that councils on
// one mail server do not return to it all at once.
func backoff(failures int) time.Duration {
	d := min(time.Minute<<min(max(failures-1, 0), 6), longestPause)
	return d - rand.N(d/4)
}

// printable returns what a server said as one line, of sensible length, that is
// safe to show on a terminal.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
	if r := []rune(s); len(r) > 500 {
		s = string(r[:499]) + "…"
	}
	return s
}
