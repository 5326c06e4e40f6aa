package mail

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"muniment/internal/journal"
	"muniment/internal/sqlite"
)

// resolve looks, once, at what an earlier run left. An email that was being sent when the
// program ended may have arrived, if it was written; and what was kept back, since its
// recipient was not at one of the council's domains, may go by now.
func (o *Outbox) resolve(ctx context.Context) error {
	if o.resolved {
		return nil
	}
	err := o.db.Write(ctx, func(tx *sqlite.Tx) error {
		if _, err := tx.Exec("UPDATE recipient SET may_have_it = 1 WHERE " + underWay); err != nil {
			return err
		}
		if _, err := tx.Exec("UPDATE recipient SET state = " + waits + " WHERE state = 'sending'"); err != nil {
			return err
		}
		_, err := tx.Exec("UPDATE recipient SET kept_back = 0 WHERE kept_back")
		return err
	})
	o.resolved = err == nil
	return err
}

// waits is the state of a recipient who is owed an email that nobody is sending.
const waits = "CASE WHEN may_have_it THEN 'outcome unknown' ELSE 'queued' END"

// keepBack notes that an email may not go to where it was to go. It is no attempt.
func (o *Outbox) keepBack(ctx context.Context, it owed) error {
	o.log.Error("email kept back: "+notOurs, "email", it.ID, "kind", it.Kind, "about", it.About)
	return o.db.Write(ctx, func(tx *sqlite.Tx) error {
		_, err := tx.Exec("UPDATE recipient SET kept_back = 1, last_answer = ? WHERE email = ? AND address = ?", notOurs, it.ID, it.to.Address)
		return err
	})
}

// attempt tries to hand over one email and records what came of it.
//
// Once the server has answered, ctx does not keep the answer from the archive: see
// [recording].
func (o *Outbox) attempt(ctx context.Context, it owed, now time.Time) error {
	last, done := withGrace(ctx, recording)
	defer done()
	before := it.to
	msg, err := o.begin(ctx, &it, now)
	if errors.Is(err, sql.ErrNoRows) {
		return nil // cancelled meanwhile
	} else if err != nil {
		return err
	}
	log := o.log.With("email", it.ID, "kind", it.Kind, "about", it.About, "part", it.Part, "attempt", it.to.Attempts)

	var f *Failure
	if msg == nil {
		msg, err = o.compose(ctx, it.Item)
		switch {
		case ctx.Err() != nil:
			it.to = before
			return errors.Join(ctx.Err(), o.note(last, it))
		case errors.As(err, &f): // it has to know the server
			o.unrecorded = o.outcome(log, it, before, "", err)
			return o.record(last)
		case errors.Is(err, ErrNothingToSend):
			log.Info("email cancelled: there is nothing to send")
			return o.finish(ctx, it, Cancelled, "", nil)
		case errors.Is(err, ErrLater):
			log.Info("email waits for what it is to hold, or to follow")
			return o.postpone(ctx, it, before, err.Error())
		case err != nil:
			log.Error("email not composed, will be tried again", "err", err)
			return o.postpone(ctx, it, before, "it could not be composed; the log says why")
		}
		if is, err := o.keep(ctx, it, msg); err != nil || !is {
			it.to = before
			return errors.Join(err, o.note(last, it))
		}
	}

	answer, err := o.send(ctx, it.From, it.to.Address, msg)
	if err != nil && ctx.Err() != nil && (!errors.As(err, &f) || f.Unknown()) {
		// We were told to stop, and it is nobody's fault: at the next start it goes at once.
		it.to.NextAttempt, it.to.MayHaveIt = before.NextAttempt, it.to.MayHaveIt || f != nil
		o.unrecorded = func(ctx context.Context) error { return o.note(ctx, it) }
	} else {
		o.unrecorded = o.outcome(log, it, before, answer, err)
	}
	return errors.Join(ctx.Err(), o.record(last))
}

// When we are told to stop, the server has some time left to answer for the email on its
// way, for what it does not answer has to go again; and the archive has more, to take what
// came of it: another process may keep it for long. Both count from then. What is not known
// after that is unknown.
const (
	answering = 2 * time.Second
	recording = 2 * answering
)

// withGrace returns a context that is done a grace after ctx is.
func withGrace(ctx context.Context, grace time.Duration) (context.Context, context.CancelFunc) {
	last, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(grace, cancel) })
	return last, func() { stop(); cancel() }
}

// outcome judges what came of an attempt and returns what records it, which may
// be called again until it succeeds. before is what was known of the recipient when the
// attempt began.
func (o *Outbox) outcome(log *slog.Logger, it owed, before Recipient, answer string, err error) func(context.Context) error {
	var f *Failure
	errors.As(err, &f)
	o.judge(f)
	about := journal.About{"outbox": it.ID, "kind": it.Kind, "about": it.About}
	if it.Part > 1 {
		about["part"] = it.Part
	}
	switch {
	case err == nil:
		log.Info("email handed over")
		return func(ctx context.Context) error {
			return o.finish(ctx, it, HandedOver, answer, &journal.Entry{Act: journal.MailHandedOver, About: about})
		}
	case f == nil:
		log.Warn("email not handed over, will be tried again")
		return o.fail(log, it, before, err.Error(), about)
	case f.Unknown():
		log.Warn("the server was given the email, and its answer was lost; the same email will go again")
		it.to.MayHaveIt = true
		return o.fail(log, it, before, f.Error(), about)
	case f.Permanent():
		log.Error("email refused by the server, kept", "code", f.Code, "enhanced", f.Enhanced)
		about["code"], about["enhanced"] = f.Code, f.Enhanced
		return func(ctx context.Context) error {
			return o.finish(ctx, it, Refused, f.Error(), &journal.Entry{Act: journal.MailRefused, About: about})
		}
	case f.General():
		log.Error("no email can be handed over, all wait", "stage", f.Stage, "code", f.Code, "enhanced", f.Enhanced,
			"until", o.resume)
		return o.hold(it, before, f.Error())
	default:
		log.Warn("email not handed over, will be tried again", "stage", f.Stage, "code", f.Code, "enhanced", f.Enhanced)
		return o.fail(log, it, before, f.Error(), about)
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
	o.stalled = o.now()
	o.resume = o.stalled.Add(backoff(o.failures))
}

// begin counts an attempt at an email, so that it is known even if it is cut
// short, and returns its letter; nil if that is not composed yet. An email that is not
// owed to this recipient any more is [sql.ErrNoRows].
func (o *Outbox) begin(ctx context.Context, it *owed, now time.Time) (msg []byte, err error) {
	it.to.LastAttempt = now
	err = o.db.Write(ctx, func(tx *sqlite.Tx) error {
		if err := tx.QueryRow("UPDATE recipient SET state = 'sending', attempts = attempts + 1, last_attempt = ? WHERE email = ? AND address = ? AND "+open+" RETURNING attempts",
			sqlite.FormatTime(now), it.ID, it.to.Address).Scan(&it.to.Attempts); err != nil {
			return err
		}
		if it.to.Attempts > patientAttempts { // an attempt that ends the program must not be made again at once, for ever
			if _, err := tx.Exec("UPDATE recipient SET next_attempt = ? WHERE email = ? AND address = ?",
				sqlite.FormatTime(now.Add(backoff(it.to.Attempts))), it.ID, it.to.Address); err != nil {
				return err
			}
		}
		var composed string
		if err := tx.QueryRow("UPDATE email SET composed_at = CASE WHEN message IS NULL THEN ? ELSE composed_at END WHERE id = ? RETURNING composed_at, message",
			sqlite.FormatTime(now), it.ID).Scan(&composed, &msg); err != nil {
			return err
		}
		it.ComposedAt, err = sqlite.ParseTime(composed)
		return err
	})
	return msg, err
}

// patientAttempts is how often an email is tried again at once after the program ended
// in the middle of an attempt.
const patientAttempts = 3

// keep keeps the letter as composed, and reports whether the email still waits for it:
// see [Discard].
func (o *Outbox) keep(ctx context.Context, it owed, msg []byte) (is bool, err error) {
	err = o.db.Write(ctx, func(tx *sqlite.Tx) error {
		done, err := tx.Exec("UPDATE email SET message = ? WHERE id = ? AND composed_at = ? AND NOT "+settled,
			msg, it.ID, sqlite.FormatTime(it.ComposedAt))
		if err != nil {
			return err
		}
		n, err := done.RowsAffected()
		is = n > 0
		return err
	})
	return is, err
}

// postpone puts off an email that cannot go yet: the server knows nothing of it.
func (o *Outbox) postpone(ctx context.Context, it owed, before Recipient, answer string) error {
	it.to.NextAttempt, it.to.LastAttempt, it.to.LastAnswer = o.now().Add(backoff(it.to.Attempts)), before.LastAttempt, answer
	return o.note(ctx, it)
}

// fail returns what records that this email failed by itself: it is put off, or expires.
// Time counts against it while it is tried, so neither an outage before this attempt nor
// one in which the program did not run.
func (o *Outbox) fail(log *slog.Logger, it owed, before Recipient, answer string, about journal.About) func(context.Context) error {
	since, idle := it.to.FailingSince, it.to.LastAttempt.Sub(before.LastAttempt)-longestPause
	if !since.IsZero() && idle > 0 {
		since = since.Add(idle)
	}
	if since.IsZero() || since.After(it.to.LastAttempt) { // the clock was ahead
		since = it.to.LastAttempt
	}
	if it.to.LastAttempt.Sub(since) >= longest {
		log.Error("email expired, kept")
		return func(ctx context.Context) error {
			return o.finish(ctx, it, Expired, answer, &journal.Entry{Act: journal.MailExpired, About: about})
		}
	}
	it.to.FailingSince, it.to.LastAnswer = since, answer
	it.to.NextAttempt = o.now().Add(backoff(it.to.Attempts))
	return func(ctx context.Context) error { return o.note(ctx, it) }
}

// hold returns what records that an attempt failed by no fault of this email's: it does
// not count, nor does the time since the one before. Another is tried next: what is taken
// for a fault of all may be one of this email's, and then it alone waits.
func (o *Outbox) hold(it owed, before Recipient, answer string) func(context.Context) error {
	if passed := it.to.LastAttempt.Sub(before.LastAttempt); !it.to.FailingSince.IsZero() && passed > 0 {
		it.to.FailingSince = it.to.FailingSince.Add(passed)
	}
	it.to.Attempts, it.to.LastAnswer = before.Attempts, answer
	it.to.NextAttempt, o.heldUrgent = o.stalled.Add(time.Millisecond), it.Urgent
	return func(ctx context.Context) error { return o.note(ctx, it) }
}

// note records what is known of a recipient to whom an email is still owed after an
// attempt, or was until it was taken back meanwhile. Later parts of the same letter do not go before it.
func (o *Outbox) note(ctx context.Context, it owed) error {
	return o.db.Write(ctx, func(tx *sqlite.Tx) error {
		next := sqlite.FormatTime(it.to.NextAttempt)
		if _, err := tx.Exec(`UPDATE recipient SET may_have_it = ?1, state = CASE WHEN state = 'cancelled' THEN state WHEN ?1 THEN 'outcome unknown' ELSE 'queued' END,
				attempts = ?2, last_attempt = nullif(?3, ''), next_attempt = ?4, last_answer = ?5, failing_since = nullif(?6, '')
			WHERE email = ?7 AND address = ?8 AND (`+open+` OR state = 'cancelled')`,
			it.to.MayHaveIt, it.to.Attempts, timeOrEmpty(it.to.LastAttempt), next, printable(it.to.LastAnswer), timeOrEmpty(it.to.FailingSince),
			it.ID, it.to.Address); err != nil {
			return err
		}
		if _, err := tx.Exec(`UPDATE recipient SET next_attempt = max(next_attempt, ?) WHERE address = ? AND `+open+`
			AND email IN (SELECT id FROM email WHERE kind = ? AND about = ? AND part > ?)`,
			next, it.to.Address, it.Kind, it.About, it.Part); err != nil {
			return err
		}
		for _, set := range []string{"message = NULL WHERE " + certain, "composed_at = NULL WHERE message IS NULL AND NOT " + settled} {
			if _, err := tx.Exec("UPDATE email SET "+set+" AND id = ?", it.ID); err != nil {
				return err
			}
		}
		return nil
	})
}

func timeOrEmpty(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return sqlite.FormatTime(t)
}

// finish records what finally came of an email for a recipient, journals it if there is
// an entry, and clears the letter if nobody is owed it any more and nobody may have it
// without our knowing. An email cancelled while it was on its way was handed over all
// the same. Finishing again changes nothing.
func (o *Outbox) finish(ctx context.Context, it owed, state State, answer string, entry *journal.Entry) error {
	return o.db.Write(ctx, func(tx *sqlite.Tx) error {
		now := o.now()
		done, err := tx.Exec(`UPDATE recipient SET state = ?1, last_answer = ?2, finished_at = ?3, last_attempt = ?4, may_have_it = ?5
			WHERE email = ?6 AND address = ?7 AND (`+open+` OR state = 'cancelled')`,
			state, printable(answer), sqlite.FormatTime(now), sqlite.FormatTime(it.to.LastAttempt), it.to.MayHaveIt && state != HandedOver, it.ID, it.to.Address)
		if err != nil {
			return err
		}
		if _, err := tx.Exec("UPDATE email SET message = NULL WHERE id = ? AND "+certain, it.ID); err != nil {
			return err
		}
		if n, err := done.RowsAffected(); err != nil || n == 0 || entry == nil {
			return err
		}
		entry.At, entry.Who = now, journal.Daemon
		return journal.Write(tx, *entry)
	})
}
