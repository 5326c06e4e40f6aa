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
	failures int // in a row, of those that concern every email
	resume   time.Time

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
		now := o.now()
		id, due, kept, err := o.next(ctx, now)
		if err == nil {
			err = o.keepBack(ctx, kept)
		}
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

// next returns the email whose turn is next, and when; 0 if none waits. kept are
// those that may not go and do not say so yet.
func (o *Outbox) next(ctx context.Context, now time.Time) (id int64, due time.Time, kept []Item, err error) {
	err = o.db.Read(ctx, func(tx *sqlite.Tx) error {
		waiting, err := List(tx, Waiting)
		if err != nil {
			return err
		}
		for _, it := range waiting {
			at := intended(it.NextAttempt, now)
			switch {
			case !o.allowed(it.To):
				if it.LastAnswer != notOurs {
					kept = append(kept, it)
				}
			case id == 0 || at.Before(due):
				id, due = it.ID, at
			}
		}
		room, err := roomFrom(tx, now, o.perHour)
		if err != nil {
			return err
		}
		for _, t := range []time.Time{room, intended(o.resume, now)} {
			if t.After(due) {
				due = t
			}
		}
		return nil
	})
	return id, due, kept, err
}

// keepBack notes that emails may not go to where they were to go. It is no
// attempt: the next comes when it is allowed.
func (o *Outbox) keepBack(ctx context.Context, kept []Item) error {
	for _, it := range kept {
		o.log.Error("email kept back: "+notOurs, "email", it.ID, "kind", it.Kind, "about", it.About)
		if err := o.note(ctx, it, it.NextAttempt, notOurs); err != nil {
			return err
		}
	}
	return nil
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
	it, msg, err := o.begin(ctx, id, now)
	if errors.Is(err, sql.ErrNoRows) {
		return nil // cancelled meanwhile
	} else if err != nil {
		return err
	}
	log := o.log.With("email", it.ID, "kind", it.Kind, "about", it.About, "attempt", it.Attempts)

	if msg == nil {
		msg, err = o.compose(ctx, it)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, ErrNothingToSend):
			log.Info("email cancelled: there is nothing to send")
			return o.finish(ctx, it, Cancelled, "", nil)
		case errors.Is(err, ErrLater):
			log.Info("email waits for what it is to hold")
			return o.postpone(ctx, it, err.Error())
		case err != nil:
			log.Error("email not composed, will be tried again", "err", err)
			return o.postpone(ctx, it, "it could not be composed; the log says why")
		}
		if is, err := o.keep(ctx, it, msg); err != nil || !is {
			return err
		}
	}

	answer, err := o.send(ctx, it.From, it.To, msg)
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	o.unrecorded = o.outcome(log, it, answer, err)
	return o.record(context.WithoutCancel(ctx))
}

// outcome judges what came of an attempt and returns what records it, which may
// be called again until it succeeds.
func (o *Outbox) outcome(log *slog.Logger, it Item, answer string, err error) func(context.Context) error {
	var f *Failure
	errors.As(err, &f)
	o.judge(f)
	about := journal.About{"outbox": it.ID, "kind": it.Kind, "about": it.About}
	switch {
	case err == nil:
		log.Info("email handed over")
		return func(ctx context.Context) error {
			return o.finish(ctx, it, HandedOver, answer, &journal.Entry{Act: journal.MailHandedOver, About: about})
		}
	case f == nil:
		log.Warn("email not handed over, will be tried again")
		return func(ctx context.Context) error { return o.postpone(ctx, it, err.Error()) }
	case f.Permanent():
		log.Error("email refused by the server, kept", "code", f.Code, "enhanced", f.Enhanced)
		about["code"], about["enhanced"] = f.Code, f.Enhanced
		return func(ctx context.Context) error {
			return o.finish(ctx, it, Refused, f.Error(), &journal.Entry{Act: journal.MailRefused, About: about})
		}
	case f.General():
		log.Error("no email can be handed over, all wait", "stage", f.Stage, "code", f.Code, "enhanced", f.Enhanced,
			"until", o.resume)
		return func(ctx context.Context) error { return o.note(ctx, it, it.NextAttempt, f.Error()) }
	default:
		log.Warn("email not handed over, will be tried again", "stage", f.Stage, "code", f.Code, "enhanced", f.Enhanced)
		return func(ctx context.Context) error { return o.postpone(ctx, it, f.Error()) }
	}
}

// record records what came of the last attempt, unless the archive has it.
func (o *Outbox) record(ctx context.Context) error {
	if o.unrecorded == nil {
		return nil
	}
	if err := o.unrecorded(ctx); err != nil {
		return fmt.Errorf("what came of an email is not recorded yet: %w", err)
	}
	o.unrecorded = nil
	return nil
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
// short, and returns its letter; nil if that is not composed yet.
func (o *Outbox) begin(ctx context.Context, id int64, now time.Time) (it Item, msg []byte, err error) {
	err = o.db.Write(ctx, func(tx *sqlite.Tx) error {
		if it, err = scan(tx.QueryRow(`
			UPDATE outbox SET attempts = attempts + 1, last_attempt = ?1,
				composed_at = CASE WHEN message IS NULL THEN ?1 ELSE composed_at END
			WHERE id = ?2 AND state = 'waiting' RETURNING `+columns, sqlite.FormatTime(now), id)); err != nil {
			return err
		}
		if it.Attempts > patientAttempts { // an attempt that ends the program must not be made again at once, for ever
			if _, err := tx.Exec("UPDATE outbox SET next_attempt = ? WHERE id = ?", sqlite.FormatTime(now.Add(backoff(it.Attempts))), id); err != nil {
				return err
			}
		}
		return tx.QueryRow("SELECT message FROM outbox WHERE id = ?", id).Scan(&msg)
	})
	return it, msg, err
}

// patientAttempts is how often an email is tried again at once after the program ended
// in the middle of an attempt.
const patientAttempts = 3

// keep keeps the letter as composed, and reports whether the email still waits for it:
// see [Discard].
func (o *Outbox) keep(ctx context.Context, it Item, msg []byte) (is bool, err error) {
	err = o.db.Write(ctx, func(tx *sqlite.Tx) error {
		done, err := tx.Exec("UPDATE outbox SET message = ?, composed_at = ? WHERE id = ? AND state = 'waiting' AND last_attempt = ?",
			msg, sqlite.FormatTime(it.ComposedAt), it.ID, sqlite.FormatTime(it.LastAttempt))
		if err != nil {
			return err
		}
		n, err := done.RowsAffected()
		is = n > 0
		return err
	})
	return is, err
}

// postpone puts off an email by itself.
func (o *Outbox) postpone(ctx context.Context, it Item, answer string) error {
	return o.note(ctx, it, o.now().Add(backoff(it.Attempts)), answer)
}

// note records an attempt after which the email still waits.
func (o *Outbox) note(ctx context.Context, it Item, next time.Time, answer string) error {
	return o.db.Write(ctx, func(tx *sqlite.Tx) error {
		_, err := tx.Exec(`UPDATE outbox SET next_attempt = ?, last_answer = ?, composed_at = CASE WHEN message IS NULL THEN NULL ELSE composed_at END
			WHERE id = ? AND state = 'waiting'`, sqlite.FormatTime(next), printable(answer), it.ID)
		return err
	})
}

// finish records an email's final state, journals it if there is an entry, and
// clears the letter. An email cancelled while it was on its way was handed over all
// the same. Finishing again changes nothing.
func (o *Outbox) finish(ctx context.Context, it Item, state State, answer string, entry *journal.Entry) error {
	return o.db.Write(ctx, func(tx *sqlite.Tx) error {
		now := o.now()
		done, err := tx.Exec(`
			UPDATE outbox SET state = ?, last_answer = ?, finished_at = ?, message = NULL
			WHERE id = ? AND state IN ('waiting', 'cancelled')`,
			state, printable(answer), sqlite.FormatTime(now), it.ID)
		if err != nil {
			return err
		}
		if n, err := done.RowsAffected(); err != nil || n == 0 || entry == nil {
			return err
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
