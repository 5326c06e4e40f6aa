package forward

import (
	"errors"
	"fmt"
	"time"

	"muniment/internal/mail"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
)

// The kinds under which digests stand in the outbox, and what an item of the kind is about,
// as the number of a day. Nothing here says which records one shows: whatever was sent, or
// came, in its period.
const (
	DigestLetter  = "digest"         // the clerk's, of a week: about its Sunday
	DailyLetter   = "daily digest"   // the clerk's, of a day: about that
	MeetingLetter = "meeting digest" // the councillors', before a meeting: about the day of the meeting
)

// Edition is one digest.
type Edition struct {
	Kind    string
	Period  retention.Period
	Meeting retention.Date // before which it comes; empty: it is the clerk's
}

// Weekly returns the clerk's digest of a week; Daily that of a day.
func Weekly(w retention.Week) Edition { return Edition{Kind: DigestLetter, Period: w.Period()} }
func Daily(d retention.Date) Edition {
	return Edition{Kind: DailyLetter, Period: retention.Period{First: d, Last: d}}
}

// About returns the number of the edition among those of its kind.
func (e Edition) About() int64 {
	if e.Kind == MeetingLetter {
		return e.Meeting.Number()
	}
	return e.Period.Last.Number()
}

// IsDigest reports whether emails of that kind are digests, of whatever edition.
func IsDigest(kind string) bool {
	return kind == DigestLetter || kind == DailyLetter || kind == MeetingLetter
}

// Email returns the email that the edition is, or [mail.ErrNotQueued].
func (e Edition) Email(tx *sqlite.Tx) (mail.Item, error) { return mail.Find(tx, e.Kind, e.About()) }

// Owed reports whether the edition is owed, or was.
func (e Edition) Owed(tx *sqlite.Tx) (bool, error) {
	_, err := e.Email(tx)
	if errors.Is(err, mail.ErrNotQueued) {
		return false, nil
	}
	return err == nil, err
}

// EditionOf returns the digest for which an item of the outbox stands, if it is composed
// at that time.
func EditionOf(tx *sqlite.Tx, kind string, about int64, at time.Time) (Edition, error) {
	day, err := retention.DateNumbered(about)
	if err != nil {
		return Edition{}, err
	}
	switch kind {
	case DigestLetter:
		week, err := retention.WeekNumbered(about)
		return Weekly(week), err
	case DailyLetter:
		return Daily(day), nil
	case MeetingLetter:
		return BeforeMeeting(tx, day, at)
	}
	return Edition{}, fmt.Errorf("%q is no digest", kind)
}

// How many days back the edition before a meeting goes where there was none before it, and
// at most.
const (
	usualDays = 35
	mostDays  = 92
)

// BeforeMeeting returns the councillors' edition before a meeting, if it is made at that
// time; one that is in the outbox was made when it was composed. Its days are those since
// the edition before the last meeting, up to the day before.
func BeforeMeeting(tx *sqlite.Tx, meeting retention.Date, at time.Time) (Edition, error) {
	items, err := meetings(tx)
	if err != nil {
		return Edition{}, err
	}
	e := Edition{Kind: MeetingLetter, Meeting: meeting}
	var before time.Time // when the last edition was made
	for _, it := range items {
		switch about := meeting.Number(); {
		case it.About == about:
			at = it.ComposedAt
		case it.About < about && it.ComposedAt.After(before):
			before = it.ComposedAt
		}
	}
	last := retention.DateOf(at).AddDays(-1)
	first := last.AddDays(1 - usualDays)
	if !before.IsZero() {
		first = max(retention.DateOf(before), last.AddDays(1-mostDays))
	}
	e.Period = retention.Period{First: min(first, last), Last: last}
	return e, nil
}

// MeetingEditions returns the editions before meetings that somebody was given, or may
// have been, with their emails, in the order in which they were queued.
func MeetingEditions(tx *sqlite.Tx) (editions []Edition, emails []mail.Item, err error) {
	if emails, err = meetings(tx); err != nil {
		return nil, nil, err
	}
	for _, it := range emails {
		e, err := EditionOf(tx, it.Kind, it.About, it.ComposedAt)
		if err != nil {
			return nil, nil, err
		}
		editions = append(editions, e)
	}
	return editions, emails, nil
}

// meetings returns the emails before meetings that are composed, but for those that
// nobody got and nobody will.
func meetings(tx *sqlite.Tx) (all []mail.Item, err error) {
	items, err := mail.List(tx, mail.Queued, mail.Sending, mail.Unknown, mail.HandedOver)
	for _, it := range items {
		if it.Kind == MeetingLetter && !it.ComposedAt.IsZero() {
			all = append(all, it)
		}
	}
	return all, err
}
