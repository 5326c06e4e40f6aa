package archive

import (
	"fmt"
	"time"

	"muniment/internal/journal"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
)

// reviewMonths is how many months ahead a hold is reviewed at the latest
// (REQUIREMENTS.md, C9).
const reviewMonths = 6

// LastReview returns the last day on which a hold may be reviewed that is placed, or
// found to be needed still, today.
func LastReview(today retention.Date) retention.Date { return today.AddMonths(reviewMonths) }

// ReviewHold records that a hold is still needed, and until when that is not asked again.
func ReviewHold(tx *sqlite.Tx, now time.Time, id int64, who, reason string, until retention.Date) error {
	today := retention.DateOf(now)
	if until <= today || until > LastReview(today) {
		return fmt.Errorf("hold %d: it is reviewed again after today and by %s, not on %s", id, LastReview(today).Long(), until.Long())
	}
	return change(tx, id, journal.Entry{At: now, Who: who, Act: journal.HoldReviewed, Reason: reason,
		About: journal.About{"hold": id, "review": until}}, "review_on = ?2", until)
}

// DescribeHold says of what kind a hold is and for which case, of which no more was known
// when it was placed.
func DescribeHold(tx *sqlite.Tx, now time.Time, id int64, who, reason string, kind HoldKind, forCase string) error {
	return change(tx, id, journal.Entry{At: now, Who: who, Act: journal.HoldDescribed, Reason: reason,
		About: journal.About{"hold": id, "kind": kind, "case": forCase}}, "kind = ?2, case_ref = ?3", kind, forCase)
}

// change sets columns of a hold in force, and journals it.
func change(tx *sqlite.Tx, id int64, e journal.Entry, set string, values ...any) error {
	res, err := tx.Exec("UPDATE hold SET "+set+" WHERE id = ?1 AND released_at IS NULL", append([]any{id}, values...)...)
	if err != nil {
		return fmt.Errorf("hold %d: %w", id, err)
	}
	if n, _ := res.RowsAffected(); n == 0 {
		return fmt.Errorf("hold %d: %w", id, ErrNoHold)
	}
	return journal.Write(tx, e)
}

// remindEvery is after how many days somebody is reminded again of a review.
const remindEvery = 7

// ToReview returns the holds in force of whose review somebody is to be reminded today:
// when its day has come, and every week while it is overdue. Those missed meanwhile are not
// made up for.
func ToReview(tx *sqlite.Tx, today retention.Date) (ids []int64, err error) {
	rows, err := tx.Query(`
		SELECT h.id FROM hold h WHERE `+inForce+` AND h.review_on <> '' AND h.review_on <= ?1
			AND (h.reminded_on < h.review_on OR h.reminded_on <= ?2) ORDER BY h.id`, today, today.AddDays(-remindEvery))
	if err != nil {
		return nil, fmt.Errorf("holds to be reviewed: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("holds to be reviewed: %w", err)
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

// Reminded records that somebody is reminded of a hold's review, and returns the number of
// the entry in the journal that says so.
func Reminded(tx *sqlite.Tx, now time.Time, id int64) (entry int64, err error) {
	today := retention.DateOf(now)
	if err := change(tx, id, journal.Entry{At: now, Who: journal.Daemon, Act: journal.HoldReminded,
		About: journal.About{"hold": id, "on": today}}, "reminded_on = ?2", today); err != nil {
		return 0, err
	}
	return journal.LastID(tx)
}

// RemindedOf returns the hold of whose review an entry in the journal reminds; an ID of 0
// if that has been answered since: the hold is released, or reviewed.
func RemindedOf(tx *sqlite.Tx, entry int64) (h Hold, err error) {
	var id int64
	var on retention.Date
	if err := journal.Of(tx, journal.HoldReminded, func(e journal.Entry, _ int64) error {
		if e.ID == entry {
			id, on = e.About.Number("hold"), retention.DateOf(e.At)
		}
		return nil
	}); err != nil {
		return Hold{}, err
	}
	holds, err := Holds(tx)
	for _, h := range holds {
		if h.ID == id && h.Released.IsZero() && h.Review <= on {
			return h, err
		}
	}
	return Hold{}, err
}
