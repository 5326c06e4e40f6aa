package daemon

import (
	"context"
	"errors"
	"fmt"
	"time"

	"muniment/internal/archive"
	"muniment/internal/config"
	"muniment/internal/disposal"
	"muniment/internal/forward"
	"muniment/internal/journal"
	"muniment/internal/ledger"
	"muniment/internal/letter"
	"muniment/internal/mail"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
	"muniment/internal/vault"
)

// missedDigests is how many weeks back the clerk still gets digests that were missed.
const missedDigests = 8

// catchUp is how long after the daemon's start a missed digest waits: WhatsApp then
// hands over what was sent while the daemon was not there.
const catchUp = 10 * time.Minute

// Digest owes the clerk the digest of each week that is over and has none yet, and
// wakes the outbox. It may be called at any time and as often as one likes.
func (d *Daemon) Digest(ctx context.Context) error { return d.oweDigests(ctx, d.now()) }

// oweDigests is Digest, but what is owed waits until then.
func (d *Daemon) oweDigests(ctx context.Context, then time.Time) error {
	err := d.db.Write(ctx, func(tx *sqlite.Tx) error {
		weeks, err := digestsMissing(tx, d.now())
		if err != nil {
			return err
		}
		for _, week := range weeks {
			if err := OweDigest(tx, d.o.Config, d.now(), then, week); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("digest: %w", err)
	}
	d.outbox.Wake()
	return nil
}

// digestsMissing returns the weeks that are over, since the archive was made, and have
// no digest; none of longer ago than missedDigests. It is computed from the outbox, so
// that it makes no difference when a timer fires, or how often.
func digestsMissing(tx *sqlite.Tx, now time.Time) (weeks []retention.Week, err error) {
	began, err := Began(tx)
	if err != nil || began.IsZero() {
		return nil, err
	}
	this := retention.WeekOf(retention.DateOf(now))
	first := retention.WeekOf(retention.DateOf(began))
	for week := max(first, this.Plus(-missedDigests)); week < this; week = week.Plus(1) {
		_, err := FindDigest(tx, week)
		if errors.Is(err, mail.ErrNotQueued) {
			weeks = append(weeks, week)
		} else if err != nil {
			return nil, err
		}
	}
	return weeks, nil
}

// OweDigest owes the clerk the digest of a week, from then on. Each is owed once. After
// the commit the outbox may be woken; it looks by itself within a minute.
func OweDigest(tx *sqlite.Tx, c config.Config, now, then time.Time, week retention.Week) error {
	a, err := archive.Load(tx, schedule(c))
	if err != nil {
		return err
	}
	_, err = mail.Queue(tx, now, mail.Item{
		Kind: forward.DigestLetter, About: week.Number(),
		MessageID: mail.MessageID(forward.DigestLetter, week.Number(), a.Token(), c.Mail.From),
		From:      c.Mail.From, To: c.Mail.Clerk, NotBefore: then,
	})
	return err
}

// FindDigest returns the email that the digest of a week is, or [mail.ErrNotQueued].
func FindDigest(tx *sqlite.Tx, week retention.Week) (mail.Item, error) {
	return mail.Find(tx, forward.DigestLetter, week.Number())
}

// Began returns when the archive was made.
func Began(tx *sqlite.Tx) (began time.Time, err error) {
	err = journal.Of(tx, journal.Created, func(e journal.Entry, _ int64) error {
		if began.IsZero() {
			began = e.At
		}
		return nil
	})
	return began, err
}

func schedule(c config.Config) retention.Schedule {
	return retention.Schedule{MessageYears: c.Retention.Years}
}

// composeDigest has the digest written, with a checkpoint signed for it: it fixes all
// that the digest can show.
func (d *Daemon) composeDigest(ctx context.Context, h letter.Header, number int64) (msg []byte, err error) {
	week, err := retention.WeekNumbered(number)
	if err != nil {
		return nil, err
	}
	var signed ledger.Checkpoint
	if err := d.db.Write(ctx, func(tx *sqlite.Tx) (err error) {
		signed, err = d.key.Sign(tx, d.now())
		return err
	}); err != nil {
		return nil, err
	}
	err = d.db.Read(ctx, func(tx *sqlite.Tx) error {
		g, err := DigestOf(tx, d.o.Config, d.o.Version, h.Date, week)
		if err != nil {
			return err
		}
		g.Checkpoint = signed.Note
		msg, err = d.letters.Digest(tx, h, g)
		return err
	})
	return msg, err
}

// DigestOf gathers what the digest of a week has to say that letters do not find by
// themselves; all but a checkpoint.
func DigestOf(tx *sqlite.Tx, c config.Config, version string, now time.Time, week retention.Week) (g letter.Digest, err error) {
	g = letter.Digest{
		Week: week, Content: letter.Content(c.Digest.Content),
		Approval: disposal.Approval(c.Disposal.Approval), Minute: c.Disposal.ApprovalMinute,
		AbandonedAfter: abandonAfter, Program: "muniment " + version,
	}
	if due := c.Policy.Review.Due; !due.IsZero() {
		g.Review = retention.Date(due.Format(time.DateOnly))
	}
	if g.Began, err = Began(tx); err != nil {
		return g, err
	}
	if g.LateFrom, g.LateBefore, err = late(tx, now, week); err != nil {
		return g, err
	}
	linked, _, err := journal.LastOf(tx, journal.Linked)
	if err != nil {
		return g, err
	}
	g.NeverLinked = linked == 0
	if g.ClockDoubted, err = clockDoubted(tx); err != nil {
		return g, err
	}
	if g.PhoneMissed, err = archive.PhoneMissed(tx); err != nil {
		return g, err
	}
	if g.FilesWait, err = vault.WaitingSince(tx); err != nil {
		return g, err
	}
	a, err := archive.Load(tx, schedule(c))
	if err != nil {
		return g, err
	}
	if g.Account, err = a.Count(tx); err != nil {
		return g, err
	}
	g.Doubts, err = doubts(tx, &disposal.Disposal{
		Archive: a, Now: func() time.Time { return now },
		Policy: disposal.Policy{Approval: g.Approval, Minute: g.Minute, NoticeDays: c.Disposal.NoticeDays},
	})
	return g, err
}

// late returns when what was sent before the week must have come in order to be told in
// its digest: since the digest before was written. If that is not written yet, it will
// tell all that has come by then, and nothing is late; if there is none, what came
// before the week began is nobody's.
func late(tx *sqlite.Tx, now time.Time, week retention.Week) (from, before time.Time, err error) {
	own, err := FindDigest(tx, week)
	if err != nil && !errors.Is(err, mail.ErrNotQueued) {
		return from, before, err
	}
	if before = own.ComposedAt; before.IsZero() {
		before = now.Add(time.Millisecond) // up to now, and with it
	}
	for n := 1; n <= missedDigests; n++ {
		last, err := FindDigest(tx, week.Plus(-n))
		switch {
		case errors.Is(err, mail.ErrNotQueued):
			continue
		case err != nil:
			return from, before, err
		case last.ComposedAt.IsZero():
			return time.Time{}, time.Time{}, nil
		}
		return last.ComposedAt, before, nil
	}
	return week.Start(), before, nil
}

// clockDoubted reports whether the clock has jumped and nobody has confirmed it.
func clockDoubted(tx *sqlite.Tx) (bool, error) {
	jumped, _, err := journal.LastOf(tx, journal.ClockJumped)
	if err != nil {
		return false, err
	}
	confirmed, _, err := journal.LastOf(tx, journal.ClockConfirmed)
	return jumped > confirmed, err
}

// doubts returns why open disposal lists whose day has come are not destroyed.
func doubts(tx *sqlite.Tx, d *disposal.Disposal) (map[int64]string, error) {
	lists, err := disposal.Lists(tx)
	if err != nil {
		return nil, err
	}
	why := make(map[int64]string)
	for _, l := range lists {
		if !l.Closed.IsZero() || retention.DateOf(d.Now()) < l.DestroyOn {
			continue
		}
		err := d.Doubts(tx, l)
		if doubt := disposal.Doubt(""); errors.As(err, &doubt) {
			why[l.ID] = string(doubt)
		} else if err != nil {
			return nil, err
		}
	}
	return why, nil
}
