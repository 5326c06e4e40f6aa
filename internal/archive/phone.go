package archive

import (
	"fmt"
	"time"

	"muniment/internal/journal"
	"muniment/internal/sqlite"
)

// SawPhone notes that the council's own phone was in use at a time. If the journal said
// that it had not been seen for long, it says now that it has been. That it seemed to be in
// use later than now was noted while the clock was ahead.
func SawPhone(tx *sqlite.Tx, now, at time.Time) error {
	missed, err := PhoneMissed(tx)
	if err != nil {
		return err
	}
	if at.After(now) {
		at = now
	}
	if _, err := tx.Exec("UPDATE archive SET phone_seen = max(min(coalesce(phone_seen, ''), ?), ?)", sqlite.FormatTime(now), sqlite.FormatTime(at)); err != nil {
		return fmt.Errorf("note that the council's phone was in use: %w", err)
	}
	if missed.IsZero() || !at.After(missed) {
		return nil
	}
	return journal.Write(tx, journal.Entry{At: now, Who: journal.Daemon, Act: journal.PhoneBack,
		About: journal.About{"unseen since": sqlite.FormatTime(missed)}})
}

// PhoneSeen returns when the council's own phone was last known to be in use: at the latest
// when this machine was linked by it. The zero time means never.
func PhoneSeen(tx *sqlite.Tx) (time.Time, error) {
	var s string
	if err := tx.QueryRow("SELECT coalesce(phone_seen, '') FROM archive").Scan(&s); err != nil {
		return time.Time{}, fmt.Errorf("when the council's phone was last in use: %w", err)
	}
	seen, err := sqlite.ParseTime(s)
	if err != nil {
		return time.Time{}, err
	}
	_, linked, err := journal.LastOf(tx, journal.Linked)
	if linked.After(seen) {
		seen = linked
	}
	return seen, err
}

// MissPhone journals that the council's own phone has not been seen for so many days; once
// for each time that it was not, and for each number.
func MissPhone(tx *sqlite.Tx, now, seen time.Time, days int) error {
	told, err := missedSince(tx, seen)
	if err != nil || told >= days {
		return err
	}
	return journal.Write(tx, journal.Entry{At: now, Who: journal.Daemon, Act: journal.PhoneUnseen,
		About: journal.About{"since": sqlite.FormatTime(seen), "days": days}})
}

// PhoneMissed returns since when the council's own phone has not been seen, if that is so
// long that the journal says so; else the zero time. Once the link is lost it is too late,
// and nothing is said any more.
func PhoneMissed(tx *sqlite.Tx) (time.Time, error) {
	since, _, err := PhoneMissedFor(tx)
	return since, err
}

// PhoneMissedFor is [PhoneMissed]; it returns too for how many days, as the journal last said.
func PhoneMissedFor(tx *sqlite.Tx) (since time.Time, days int, err error) {
	seen, err := PhoneSeen(tx)
	if err != nil || seen.IsZero() {
		return time.Time{}, 0, err
	}
	linked, _, err := journal.LastOf(tx, journal.Linked)
	if err != nil {
		return time.Time{}, 0, err
	}
	if lost, _, err := journal.LastOf(tx, journal.LinkLost); err != nil || lost > linked {
		return time.Time{}, 0, err
	}
	if days, err = missedSince(tx, seen); err != nil || days == 0 {
		return time.Time{}, 0, err
	}
	return seen, days, nil
}

// missedSince returns of how many days the journal says that the phone was not seen since
// then.
func missedSince(tx *sqlite.Tx, seen time.Time) (days int, err error) {
	err = journal.Of(tx, journal.PhoneUnseen, func(e journal.Entry, _ int64) error {
		if e.About["since"] == sqlite.FormatTime(seen) {
			days = max(days, int(e.About.Number("days")))
		}
		return nil
	})
	return days, err
}
