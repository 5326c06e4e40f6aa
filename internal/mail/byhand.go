package mail

import (
	"errors"
	"fmt"
	"time"

	"muniment/internal/journal"
	"muniment/internal/sqlite"
)

// Why somebody's word is not done.
var (
	ErrNotOwed  = errors.New("it is not owed to anybody: it was handed over to the mail server, or taken back")
	ErrTooEarly = errors.New("it is not to go yet, and will by itself")
	ErrOnItsWay = errors.New("it is just being sent: look again in a moment")
)

// ByID returns an email, or [ErrNotQueued].
func ByID(tx *sqlite.Tx, id int64) (Item, error) {
	items, err := find(tx, "id = ?", id)
	if err == nil && len(items) == 0 {
		err = ErrNotQueued
	}
	if err != nil {
		return Item{}, fmt.Errorf("email %d: %w", id, err)
	}
	return items[0], nil
}

// Retry owes an email now to everybody to whom it has not been handed over, on somebody's
// word: also one that was refused, has expired or was cancelled. If somebody may have it,
// the same bytes go; else it is composed anew.
func Retry(tx *sqlite.Tx, now time.Time, id int64, who, reason string) error {
	it, err := ByID(tx, id)
	switch {
	case err != nil:
		return err
	case it.State == Queued && it.Early(now):
		return fmt.Errorf("email %d: %w", id, ErrTooEarly)
	}
	return byHand(tx, now, it, who, reason, journal.MailRetried, `UPDATE recipient
		SET state = `+waits+`, next_attempt = ?, finished_at = NULL, failing_since = NULL, kept_back = 0, last_answer = ''
		WHERE email = ? AND state NOT IN ('handed over', 'sending')`)
}

// CancelByHand takes back an email, on somebody's word, for everybody to whom it has not
// been handed over: also one that was refused or has expired, so that nobody is told of
// it any more.
func CancelByHand(tx *sqlite.Tx, now time.Time, id int64, who, reason string) error {
	it, err := ByID(tx, id)
	if err != nil {
		return err
	}
	return byHand(tx, now, it, who, reason, journal.MailCancelled,
		"UPDATE recipient SET state = 'cancelled', finished_at = ? WHERE email = ? AND state NOT IN ('handed over', 'sending', 'cancelled')")
}

// byHand does to an email what a statement says, and journals it.
func byHand(tx *sqlite.Tx, now time.Time, it Item, who, reason string, act journal.Act, statement string) error {
	done, err := tx.Exec(statement, sqlite.FormatTime(now), it.ID)
	if err != nil {
		return fmt.Errorf("email %d: %w", it.ID, err)
	}
	if n, err := done.RowsAffected(); err != nil {
		return err
	} else if n == 0 && it.State == Sending {
		return fmt.Errorf("email %d: %w", it.ID, ErrOnItsWay)
	} else if n == 0 {
		return fmt.Errorf("email %d: %w", it.ID, ErrNotOwed)
	}
	if _, err := tx.Exec("UPDATE email SET message = NULL WHERE id = ? AND "+certain, it.ID); err != nil {
		return fmt.Errorf("email %d: %w", it.ID, err)
	}
	return journal.Write(tx, journal.Entry{At: now, Who: who, Reason: reason, Act: act,
		About: journal.About{"outbox": it.ID, "kind": it.Kind, "about": it.About, "part": it.Part}})
}
