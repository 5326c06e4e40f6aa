package mail

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"time"
	"unicode"

	"muniment/internal/journal"
	"muniment/internal/sqlite"
)

// ErrNothingToSend is what a compose function returns if the email is not owed
// any more: it is cancelled.
var ErrNothingToSend = errors.New("there is nothing to send")

// DefaultPerHour is how many emails an outbox puts to the server within an hour
// unless it is told otherwise. Hosting companies count too, and some silently
// discard what goes over their limit after having accepted it.
const DefaultPerHour = 60

// poll is the longest time without a look at the outbox: other processes queue
// emails as well, and clocks are set.
const poll = time.Minute

// Outbox hands the emails that are due over to the mail server, one at a time.
type Outbox struct {
	db      *sqlite.DB
	log     *slog.Logger
	send    func(ctx context.Context, from, to string, msg []byte) (answer string, err error)
	compose func(ctx context.Context, it Item) ([]byte, error)
	now     func() time.Time
	perHour int
	wake    chan struct{}

	turn chan struct{} // holds a token while a pass is under way, which alone touches:

	// Whatever keeps every email waiting is not remembered across a restart, so
	// that whoever mends a password and restarts sees at once whether it helped.
	failures int // in a row, of those that concern every email
	resume   time.Time
}

// New returns the outbox of the archive db.
//
// send puts one email to the server; see [Transport.Send]. compose writes the
// email it, to the same bytes for the same Item.ComposedAt; it may return
// [ErrNothingToSend], and its errors are logged, so must hold no content. At
// most perHour emails are tried within an hour; 0 means [DefaultPerHour].
func New(
	db *sqlite.DB,
	log *slog.Logger,
	send func(ctx context.Context, from, to string, msg []byte) (answer string, err error),
	compose func(ctx context.Context, it Item) ([]byte, error),
	now func() time.Time,
	perHour int,
) *Outbox {
	if perHour <= 0 {
		perHour = DefaultPerHour
	}
	return &Outbox{
		db: db, log: log, send: send, compose: compose, now: now, perHour: perHour,
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

// Run delivers what falls due until ctx is done, and then returns nil. It returns
// an error only if the archive cannot be read or written.
func (o *Outbox) Run(ctx context.Context) error {
	for {
		wait, err := o.deliver(ctx)
		if ctx.Err() != nil {
			return nil
		} else if err != nil {
			return err
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
		now := o.now()
		id, due, err := o.next(ctx, now)
		if err != nil {
			return 0, fmt.Errorf("outbox: %w", err)
		} else if id == 0 {
			return poll, nil
		} else if due.After(now) {
			return due.Sub(now), nil
		}
		if err := o.attempt(ctx, id, now); err != nil {
			return 0, fmt.Errorf("outbox: email %d: %w", id, err)
		}
	}
}

// next returns the email whose turn is next, and when; 0 if none waits.
func (o *Outbox) next(ctx context.Context, now time.Time) (id int64, due time.Time, err error) {
	err = o.db.Read(ctx, func(tx *sqlite.Tx) error {
		var at string
		err := tx.QueryRow(`
			SELECT id, next_attempt
			FROM outbox
			WHERE state = 'waiting'
			ORDER BY next_attempt, id
			LIMIT 1`).Scan(&id, &at)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		} else if err != nil {
			return err
		}
		if due, err = sqlite.ParseTime(at); err != nil {
			return err
		}
		room, err := roomFrom(tx, now, o.perHour)
		if err != nil {
			return err
		}
		for _, t := range []time.Time{room, o.resume} {
			if t.After(due) {
				due = t
			}
		}
		return nil
	})
	return id, due, err
}

// roomFrom returns from when one more attempt stays within perHour.
func roomFrom(tx *sqlite.Tx, now time.Time, perHour int) (time.Time, error) {
	var at string
	err := tx.QueryRow(`
		SELECT last_attempt
		FROM outbox
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

// attempt tries to hand over one email and records what came of it.
//
// Once the server has answered, ctx does not keep the answer from the archive.
func (o *Outbox) attempt(ctx context.Context, id int64, now time.Time) error {
	it, err := o.begin(ctx, id, now)
	if errors.Is(err, sql.ErrNoRows) {
		return nil // cancelled meanwhile
	} else if err != nil {
		return err
	}
	log := o.log.With("email", it.ID, "kind", it.Kind, "about", it.About, "attempt", it.Attempts)

	msg, err := o.compose(ctx, it)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, ErrNothingToSend):
		log.Info("email cancelled: there is nothing to send")
		return o.finish(ctx, it, Cancelled, "", nil)
	case err != nil:
		log.Error("email not composed, will be tried again", "err", err)
		return o.postpone(ctx, it, "it could not be composed; the log says why")
	}

	answer, err := o.send(ctx, it.From, it.To, msg)
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	var f *Failure
	errors.As(err, &f)
	o.judge(f)
	ctx = context.WithoutCancel(ctx)
	about := journal.About{"outbox": it.ID, "kind": it.Kind, "about": it.About}
	switch {
	case err == nil:
		log.Info("email handed over")
		return o.finish(ctx, it, HandedOver, answer, &journal.Entry{Act: journal.MailHandedOver, About: about})
	case f == nil:
		log.Warn("email not handed over, will be tried again")
		return o.postpone(ctx, it, err.Error())
	case f.Permanent():
		log.Error("email refused by the server, kept", "code", f.Code, "enhanced", f.Enhanced)
		about["code"], about["enhanced"] = f.Code, f.Enhanced
		return o.finish(ctx, it, Refused, f.Error(), &journal.Entry{Act: journal.MailRefused, About: about})
	case f.General():
		log.Error("no email can be handed over, all wait", "stage", f.Stage, "code", f.Code, "enhanced", f.Enhanced,
			"until", o.resume)
		return o.note(ctx, it, it.NextAttempt, f.Error())
	default:
		log.Warn("email not handed over, will be tried again", "stage", f.Stage, "code", f.Code, "enhanced", f.Enhanced)
		return o.postpone(ctx, it, f.Error())
	}
}

// judge takes from an attempt's failure, if any, whether all emails have to wait.
func (o *Outbox) judge(f *Failure) {
	if f == nil || !f.General() {
		o.failures, o.resume = 0, time.Time{}
		return
	}
	o.failures++
	o.resume = o.now().Add(backoff(o.failures))
}

// begin counts an attempt at an email, so that it is known even if it is cut
// short, and fixes before the first the time that the letter bears.
func (o *Outbox) begin(ctx context.Context, id int64, now time.Time) (it Item, err error) {
	err = o.db.Write(ctx, func(tx *sqlite.Tx) error {
		at := sqlite.FormatTime(now)
		it, err = scan(tx.QueryRow(`
			UPDATE outbox
			SET attempts = attempts + 1, last_attempt = ?, composed_at = coalesce(composed_at, ?)
			WHERE id = ? AND state = 'waiting'
			RETURNING `+columns, at, at, id))
		return err
	})
	return it, err
}

// postpone puts off an email by itself.
func (o *Outbox) postpone(ctx context.Context, it Item, answer string) error {
	return o.note(ctx, it, o.now().Add(backoff(it.Attempts)), answer)
}

// note records an attempt after which the email still waits.
func (o *Outbox) note(ctx context.Context, it Item, next time.Time, answer string) error {
	return o.db.Write(ctx, func(tx *sqlite.Tx) error {
		_, err := tx.Exec("UPDATE outbox SET next_attempt = ?, last_answer = ? WHERE id = ? AND state = 'waiting'",
			sqlite.FormatTime(next), printable(answer), it.ID)
		return err
	})
}

// finish records an email's final state, and journals it if there is an entry.
// An email cancelled while it was on its way was handed over all the same.
func (o *Outbox) finish(ctx context.Context, it Item, state State, answer string, entry *journal.Entry) error {
	return o.db.Write(ctx, func(tx *sqlite.Tx) error {
		now := o.now()
		if _, err := tx.Exec("UPDATE outbox SET state = ?, last_answer = ?, finished_at = ? WHERE id = ?",
			state, printable(answer), sqlite.FormatTime(now), it.ID); err != nil {
			return err
		}
		if entry == nil {
			return nil
		}
		entry.At, entry.Who = now, journal.Daemon
		return journal.Write(tx, *entry)
	})
}

// backoff returns how long to wait after so many failures in a row: a minute,
// doubled each time, at most an hour; up to a quarter less, so that councils on
// one mail server do not return to it all at once.
func backoff(failures int) time.Duration {
	d := min(time.Minute<<min(max(failures-1, 0), 6), time.Hour)
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
