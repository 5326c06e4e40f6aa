package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"muniment/internal/archive"
	"muniment/internal/config"
	"muniment/internal/disposal"
	"muniment/internal/forward"
	"muniment/internal/journal"
	"muniment/internal/ledger"
	"muniment/internal/letter"
	"muniment/internal/mail"
	"muniment/internal/people"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
	"muniment/internal/vault"
)

// missedDigests is how many weeks back the clerk still gets digests that were missed.
const missedDigests = 8

// catchUp is how long after the daemon's start a missed digest waits: WhatsApp then
// hands over what was sent while the daemon was not there.
const catchUp = 10 * time.Minute

// meetingsEvery is when it is looked whether a meeting is near: a cron line.
const meetingsEvery = "0 7 * * *"

// Digest owes each of the clerk's digests that is due and was never owed, and wakes the
// outbox. It may be called at any time and as often as one likes.
func (d *Daemon) Digest(ctx context.Context) error { return d.oweDigests(ctx, 0) }

// Meetings owes councillors the edition before each meeting that is near, and likewise.
func (d *Daemon) Meetings(ctx context.Context) error { return d.oweMeetings(ctx, 0) }

// oweDigests is Digest, but what is owed waits for so long.
func (d *Daemon) oweDigests(ctx context.Context, wait time.Duration) error {
	now := d.now()
	err := d.db.Write(ctx, func(tx *sqlite.Tx) error {
		editions, err := digestsMissing(tx, d.o.Config.Digest.Every == config.EveryDay, now)
		if err != nil {
			return err
		}
		for _, e := range editions {
			if err := OweDigest(tx, d.o.Config, now, now.Add(wait), e); err != nil {
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

// oweMeetings is Meetings, but what is owed waits for so long. An edition that is late is
// sent as long as the day of the meeting has not come; what waits then is cancelled.
func (d *Daemon) oweMeetings(ctx context.Context, wait time.Duration) error {
	now, c := d.now(), d.o.Config
	err := d.db.Write(ctx, func(tx *sqlite.Tx) error {
		today := retention.DateOf(now)
		for _, day := range c.Meetings.Dates {
			e := forward.Edition{Kind: forward.MeetingLetter, Meeting: dateOf(day)}
			var err error
			switch {
			case e.Meeting <= today:
				err = mail.Cancel(tx, e.Kind, e.About(), now)
			case e.Meeting.AddDays(-c.Meetings.DaysBefore) <= today:
				err = OweDigest(tx, c, now, now.Add(wait), e)
			}
			if err != nil && !errors.Is(err, ErrNoAddress) {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("digest before a meeting: %w", err)
	}
	d.outbox.Wake()
	return nil
}

// ErrNoAddress is returned where no councillor has an email address of the council's own.
var ErrNoAddress = errors.New("no councillor on the member register has an email address of the council's own")

func digestsMissing(tx *sqlite.Tx, daily bool, now time.Time) ([]forward.Edition, error) {
	began, err := Began(tx)
	if err != nil || began.IsZero() {
		return nil, err
	}
	return missing(began, now, daily, func(e forward.Edition) (bool, error) { return e.Owed(tx) })
}

// missing returns the clerk's digests that are due, since the archive was made, and were
// never owed; none of longer ago than missedDigests. It is computed from the outbox, so that
// it makes no difference when a timer fires, or how often.
//
// Every day is in one digest, and in no two. A week that has begun day by day ends so, if the
// council goes over to weekly digests in the middle of it. Where there is to be one each day,
// this week and the last are told day by day; an older week of which nothing was told is told
// at once, so that nobody gets an email for each day of a long absence.
func missing(began, now time.Time, daily bool, owed func(forward.Edition) (bool, error)) (editions []forward.Edition, err error) {
	first, today := retention.DateOf(began), retention.DateOf(now)
	this := retention.WeekOf(today)
	for week := max(retention.WeekOf(first), this.Plus(-missedDigests)); week <= this; week = week.Plus(1) {
		if whole, err := owed(forward.Weekly(week)); err != nil {
			return nil, err
		} else if whole {
			continue
		}
		var days []forward.Edition
		byDay := daily && week >= this.Plus(-1)
		for d := max(first, week.Monday()); d <= week.Sunday() && d < today; d = d.AddDays(1) {
			switch told, err := owed(forward.Daily(d)); {
			case err != nil:
				return nil, err
			case told:
				byDay = true
			default:
				days = append(days, forward.Daily(d))
			}
		}
		if byDay {
			editions = append(editions, days...)
		} else if week < this {
			editions = append(editions, forward.Weekly(week))
		}
	}
	return editions, nil
}

// OweDigest owes the clerk a digest, or councillors theirs, from then on. Each is owed once.
// After the commit the outbox may be woken; it looks by itself within a minute.
func OweDigest(tx *sqlite.Tx, c config.Config, now, then time.Time, e forward.Edition) error {
	a, err := archive.Load(tx, c.Retention.Schedule)
	if err != nil {
		return err
	}
	it := mail.Item{
		Kind: e.Kind, About: e.About(), From: c.Mail.From, To: []string{c.Mail.Clerk}, NotBefore: then,
		MessageID: mail.MessageID(e.Kind, e.About(), a.Token(), c.Mail.From),
	}
	if e.Kind == forward.MeetingLetter {
		if it.To, _, err = Councillors(tx, c, e.Meeting); err != nil {
			return err
		} else if len(it.To) == 0 {
			return ErrNoAddress
		}
	}
	_, err = mail.Queue(tx, now, it)
	return err
}

// Councillors returns where the edition before a meeting goes: to every councillor of that
// day, in the group or not, at an address of the council's own; and by name those who have
// none on the register, for whom it is to be printed.
func Councillors(tx *sqlite.Tx, c config.Config, meeting retention.Date) (addresses, print []string, err error) {
	members, err := people.Members(tx)
	if err != nil {
		return nil, nil, err
	}
	for _, m := range members {
		switch {
		case !m.Councillor() || !m.InOffice(meeting.Start()):
		case m.Email == "" || !c.Council.Owns(m.Email):
			print = append(print, m.Name)
		case !slices.ContainsFunc(addresses, func(a string) bool { return strings.EqualFold(a, m.Email) }):
			addresses = append(addresses, m.Email)
		}
	}
	return addresses, print, nil
}

// dateOf returns a date of the configuration.
func dateOf(day time.Time) retention.Date { return retention.Date(day.Format(time.DateOnly)) }

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

// composeDigest has the digest written, with a checkpoint signed for it: it fixes all
// that the digest can show. Once the day of a meeting has come, its edition is not.
func (d *Daemon) composeDigest(ctx context.Context, h letter.Header, kind string, number int64) (msg []byte, err error) {
	if kind == forward.MeetingLetter && number <= retention.DateOf(d.now()).Number() {
		return nil, mail.ErrNothingToSend
	}
	var signed ledger.Checkpoint
	if err := d.db.Write(ctx, func(tx *sqlite.Tx) (err error) {
		signed, err = d.key.Sign(tx, d.now())
		return err
	}); err != nil {
		return nil, err
	}
	err = d.db.Read(ctx, func(tx *sqlite.Tx) error {
		e, err := forward.EditionOf(tx, kind, number, h.Date)
		if err != nil {
			return err
		}
		g, err := DigestOf(tx, d.o.Config, d.o.Version, h.Date, e)
		if err != nil {
			return err
		}
		g.Checkpoint, g.Key = signed.Note, d.key.Public()
		msg, err = d.letters.Digest(tx, h, g)
		return err
	})
	return msg, err
}

// DigestOf gathers what a digest has to say that letters do not find by themselves; all but
// a checkpoint.
func DigestOf(tx *sqlite.Tx, c config.Config, version string, now time.Time, e forward.Edition) (g letter.Digest, err error) {
	g = letter.Digest{
		Edition: e, Content: letter.Content(c.Digest.Content),
		Approval: disposal.Approval(c.Disposal.Approval), Minute: c.Disposal.ApprovalMinute,
		AbandonedAfter: abandonAfter, Program: "muniment " + version,
	}
	if due := c.Policy.Review.Due; !due.IsZero() {
		g.Review = dateOf(due)
	}
	linked, _, err := journal.LastOf(tx, journal.Linked)
	if err != nil {
		return g, err
	}
	g.NeverLinked = linked == 0
	a, err := archive.Load(tx, c.Retention.Schedule)
	if err != nil {
		return g, err
	}
	for _, gather := range []func() error{
		func() (err error) { g.Began, err = Began(tx); return err },
		func() (err error) { g.LateFrom, g.LateBefore, err = late(tx, now, e); return err },
		func() (err error) { g.ClockDoubted, err = clockDoubted(tx); return err },
		func() (err error) { g.PhoneSeen, err = archive.PhoneSeen(tx); return err },
		func() (err error) { g.PhoneMissed, err = archive.PhoneMissed(tx); return err },
		func() (err error) { g.FilesWait, err = vault.WaitingSince(tx); return err },
		func() (err error) { g.Account, err = a.Count(tx); return err },
		func() (err error) { g.Backups, err = backupsOf(tx, c, now); return err },
		func() error {
			r, is, err := archive.Unconfirmed(tx)
			if is {
				g.Restored = &r
			}
			return err
		},
		func() (err error) { g.Meetings, err = meetingsNear(tx, c, now); return err },
	} {
		if err := gather(); err != nil {
			return g, err
		}
	}
	g.Doubts, err = doubts(tx, &disposal.Disposal{
		Archive: a, Now: func() time.Time { return now },
		Policy: disposal.Policy{Approval: g.Approval, Minute: g.Minute, NoticeDays: c.Disposal.NoticeDays},
	})
	return g, err
}

// meetingsAhead is how many days before a meeting the clerk is told for whom the edition
// before it is to be printed: each weekly digest tells of two weeks.
const meetingsAhead = 14

// meetingsNear returns the meetings whose editions the clerk may have to print.
func meetingsNear(tx *sqlite.Tx, c config.Config, now time.Time) (near []letter.Meeting, err error) {
	today := retention.DateOf(now)
	for _, day := range c.Meetings.Dates {
		m := letter.Meeting{On: dateOf(day)}
		if m.On <= today || today.AddDays(meetingsAhead) < m.On {
			continue
		}
		addresses, print, err := Councillors(tx, c, m.On)
		if err != nil {
			return nil, err
		}
		m.Emailed, m.Print, m.Sent = len(addresses), print, m.On.AddDays(-c.Meetings.DaysBefore)
		near = append(near, m)
	}
	return near, nil
}

// late returns when what was sent before the digest's days must have come in order to be
// told in it: since the digest before was written. If that is not written yet, it will
// tell all that has come by then, and nothing is late; if there is none, what came
// before these days began is nobody's.
func late(tx *sqlite.Tx, now time.Time, e forward.Edition) (from, before time.Time, err error) {
	own, err := e.Email(tx)
	if err != nil && !errors.Is(err, mail.ErrNotQueued) {
		return from, before, err
	}
	if before = own.ComposedAt; before.IsZero() {
		before = now.Add(time.Millisecond) // up to now, and with it
	}
	last, found, err := lastBefore(tx, e)
	switch {
	case err != nil || !found:
		return e.Period.Start(), before, err
	case last.ComposedAt.IsZero():
		return time.Time{}, time.Time{}, nil
	}
	return last.ComposedAt, before, nil
}

// lastBefore returns the email of the digest before e, if there was one not too long ago.
func lastBefore(tx *sqlite.Tx, e forward.Edition) (last mail.Item, found bool, err error) {
	if e.Kind == forward.MeetingLetter {
		editions, emails, err := forward.MeetingEditions(tx)
		for i, other := range editions {
			if other.Meeting < e.Meeting && emails[i].ComposedAt.After(last.ComposedAt) {
				last, found = emails[i], true
			}
		}
		return last, found, err
	}
	for d := e.Period.First.AddDays(-1); d >= e.Period.First.AddDays(-7*missedDigests); d = d.AddDays(-1) {
		editions := []forward.Edition{forward.Daily(d)}
		if d.Weekday() == time.Sunday {
			editions = append(editions, forward.Weekly(retention.WeekOf(d)))
		}
		for _, of := range editions {
			if last, err = of.Email(tx); !errors.Is(err, mail.ErrNotQueued) {
				return last, err == nil, err
			}
		}
	}
	return mail.Item{}, false, nil
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
