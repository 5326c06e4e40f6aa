package alert

import (
	"database/sql"
	"errors"
	"fmt"
	"time"

	"muniment/internal/mail"
	"muniment/internal/sqlite"
)

// Sort says what a telling is.
type Sort string

// The sorts.
const (
	Raised   Sort = "raised"
	Reminder Sort = "reminder" // it still is so
	Further  Sort = "further"  // events, after the first
	Ended    Sort = "ended"
)

// A Telling is what is said of an alert at one time: one email, and one run of the alert
// command.
type Telling struct {
	ID     int64
	Sort   Sort
	At     time.Time
	Kind   Kind
	About  string
	Since  time.Time
	Until  time.Time // of what has ended
	Cause  string
	Number int
	First  int64 // the first telling of this alert that was an email, if that is another; or 0
}

// ErrNoTelling is returned for a number that no telling has.
var ErrNoTelling = errors.New("there is no such alert")

// Load returns a telling.
func Load(tx *sqlite.Tx, id int64) (t Telling, err error) {
	var alert int64
	var at, since, until string
	err = tx.QueryRow(`
		SELECT t.id, t.sort, t.at, t.kind, a.about, t.since, coalesce(t.until, ''), t.cause, t.number, a.id
		FROM alert_telling t JOIN alert a ON a.id = t.alert
		WHERE t.id = ?`, id).Scan(&t.ID, &t.Sort, &at, &t.Kind, &t.About, &since, &until, &t.Cause, &t.Number, &alert)
	if errors.Is(err, sql.ErrNoRows) {
		return Telling{}, ErrNoTelling
	} else if err != nil {
		return Telling{}, fmt.Errorf("read alert: %w", err)
	}
	if err := parse(map[*time.Time]string{&t.At: at, &t.Since: since, &t.Until: until}); err != nil {
		return Telling{}, err
	}
	t.First, err = firstMailed(tx, alert, id)
	return t, err
}

// firstMailed returns the first email about an alert before a telling; 0 if there is none.
func firstMailed(tx *sqlite.Tx, alert, before int64) (int64, error) {
	var ids []int64
	rows, err := tx.Query("SELECT id FROM alert_telling WHERE alert = ? AND id < ? ORDER BY id", alert, before)
	if err != nil {
		return 0, fmt.Errorf("read alert: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return 0, fmt.Errorf("read alert: %w", err)
		}
		ids = append(ids, id)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return 0, fmt.Errorf("read alert: %w", err)
	}
	for _, id := range ids {
		if _, err := mail.Find(tx, Mail, id); err == nil {
			return id, nil
		} else if !errors.Is(err, mail.ErrNotQueued) {
			return 0, err
		}
	}
	return 0, nil
}

// News calls f with what has come since it was last called for the same thing, such as the
// journal, and notes up to where that goes: f is given up to where it has looked, and
// returns up to where it looked.
func News(tx *sqlite.Tx, what string, f func(seen int64) (upto int64, err error)) error {
	var seen int64
	err := tx.QueryRow("SELECT upto FROM alert_seen WHERE what = ?", what).Scan(&seen)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("what has been told of the %s: %w", what, err)
	}
	upto, err := f(seen)
	if err != nil || upto == seen {
		return err
	}
	if _, err := tx.Exec("INSERT INTO alert_seen (what, upto) VALUES (?, ?) ON CONFLICT (what) DO UPDATE SET upto = excluded.upto", what, upto); err != nil {
		return fmt.Errorf("what has been told of the %s: %w", what, err)
	}
	return nil
}
