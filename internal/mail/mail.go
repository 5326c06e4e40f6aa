// Package mail is the outbox: emails that are owed, to whom, how often they were
// tried, and what came of it; and the transport that puts them to the council's
// mail server.
//
// It knows nothing of what a letter says, but it holds one for a while. A row of
// the outbox says which letter is owed; at the first attempt a function that the
// [Outbox] is given composes it, once. The bytes stay in the row until the outcome
// is known, a moment as a rule, and as long as the mail server is away; then they
// are cleared and overwritten. To compose again for another attempt would not do:
// names, roles and the archive may have changed since, and the server may have
// taken the first.
//
// What the server accepted is "handed over", never "delivered": nobody can know
// that.
//
// Delivery is at least once and never altered. If the answer to an email is lost,
// or the machine stops between the server's answer and our commit, the same
// bytes go again under the same Message-ID. Only what is destroyed meanwhile is
// not sent again; see [Discard].
package mail

import (
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"muniment/internal/sqlite"
)

// State says what became of an email.
type State string

// An email waits until it is in one of the other states, which are final.
const (
	Waiting    State = "waiting"
	HandedOver State = "handed over" // the mail server accepted it
	Refused    State = "refused"     // the mail server will never accept it; somebody must act
	Cancelled  State = "cancelled"   // it is not owed any more
)

// ErrNotQueued is returned by [Find] for an email that was never queued.
var ErrNotQueued = errors.New("no such email was queued")

// Item is one email to one recipient. Its kind and what it is about name it; the
// outbox does not know what either means.
type Item struct {
	ID        int64 // given by Queue
	Kind      string
	About     int64
	MessageID string // without angle brackets; never changes
	From, To  string
	NotBefore time.Time // it waits at least until then; zero: it need not

	// The rest is kept by this package.
	State       State
	QueuedAt    time.Time
	ComposedAt  time.Time // the time that the letter bears, from when it is begun; zero before, or if nothing came of it
	Attempts    int
	LastAttempt time.Time
	NextAttempt time.Time // while waiting
	LastAnswer  string    // what came of the last attempt; may hold addresses: show it, never log it
	FinishedAt  time.Time
}

// MessageID returns the Message-ID, without angle brackets, of the email of this
// kind about this number. It is always the same for the same archive, which
// token tells from all others.
func MessageID(kind string, about int64, token, from string) string {
	domain := from[strings.LastIndexByte(from, '@')+1:]
	return fmt.Sprintf("%s.%d.%s@%s", strings.ReplaceAll(kind, " ", "-"), about, token, domain)
}

// Queue owes the email it and returns its ID. An email of the same kind about the
// same number is owed once: queueing it again changes nothing and returns the ID
// that it has. After the commit, tell the outbox by [Outbox.Wake].
func Queue(tx *sqlite.Tx, now time.Time, it Item) (id int64, err error) {
	if it.Kind == "" || it.MessageID == "" || it.From == "" || it.To == "" {
		return 0, fmt.Errorf("queue email %q about %d: kind, message ID, sender or recipient is missing", it.Kind, it.About)
	}
	notBefore := sqlite.FormatTime(now)
	if !it.NotBefore.IsZero() {
		notBefore = sqlite.FormatTime(it.NotBefore)
	}
	err = tx.QueryRow(`
		INSERT INTO outbox (kind, about, message_id, sender, recipient, queued_at, not_before, next_attempt, state)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (kind, about) DO NOTHING
		RETURNING id`,
		it.Kind, it.About, it.MessageID, it.From, it.To, sqlite.FormatTime(now), notBefore, notBefore, Waiting,
	).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		err = tx.QueryRow("SELECT id FROM outbox WHERE kind = ? AND about = ?", it.Kind, it.About).Scan(&id)
	}
	if err != nil {
		return 0, fmt.Errorf("queue email %q about %d: %w", it.Kind, it.About, err)
	}
	return id, nil
}

// farthest is how far ahead of now an email is put off at most: a mark settles
// within a day, and a failed attempt is repeated within an hour.
const farthest = 25 * time.Hour

// intended returns the time t to which an email was put off. If that is farther
// ahead than any is, the clock was ahead and has been set right since: now.
func intended(t, now time.Time) time.Time {
	if t.Sub(now) > farthest {
		return now
	}
	return t
}

// Early reports whether the email still has to wait for its NotBefore.
func (it Item) Early(now time.Time) bool { return intended(it.NotBefore, now).After(now) }

// Cancel takes back an email that still waits; otherwise it changes nothing. If
// the email is just being sent and is accepted, it counts as handed over.
func Cancel(tx *sqlite.Tx, kind string, about int64, now time.Time) error {
	if _, err := tx.Exec(`
		UPDATE outbox
		SET state = ?, finished_at = ?, message = NULL
		WHERE kind = ? AND about = ? AND state = ?`,
		Cancelled, sqlite.FormatTime(now), kind, about, Waiting,
	); err != nil {
		return fmt.Errorf("cancel email %q about %d: %w", kind, about, err)
	}
	return nil
}

// Discard throws away the composed letter of an email that still waits, because
// something in it is being destroyed: it is composed anew at the next attempt. That
// destruction leaves nothing counts for more than that an email whose outcome is
// not known is repeated to the letter. One that is being composed just now will not
// be kept: its attempt is taken back.
func Discard(tx *sqlite.Tx, kind string, about int64) error {
	if _, err := tx.Exec("UPDATE outbox SET message = NULL, composed_at = NULL, last_attempt = NULL WHERE kind = ? AND about = ? AND state = 'waiting'",
		kind, about); err != nil {
		return fmt.Errorf("discard letter %q about %d: %w", kind, about, err)
	}
	return nil
}

// columns are those that scan reads.
const columns = `id, kind, about, message_id, sender, recipient, state, queued_at, not_before,
	coalesce(composed_at, ''), attempts, coalesce(last_attempt, ''), next_attempt, last_answer, coalesce(finished_at, '')`

// Find returns the email of this kind about this number, or [ErrNotQueued].
func Find(tx *sqlite.Tx, kind string, about int64) (Item, error) {
	it, err := scan(tx.QueryRow("SELECT "+columns+" FROM outbox WHERE kind = ? AND about = ?", kind, about))
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotQueued
	}
	if err != nil {
		return Item{}, fmt.Errorf("find email %q about %d: %w", kind, about, err)
	}
	return it, nil
}

// List returns the emails in a state, oldest first.
func List(tx *sqlite.Tx, state State) ([]Item, error) {
	rows, err := tx.Query("SELECT "+columns+" FROM outbox WHERE state = ? ORDER BY id", state)
	if err != nil {
		return nil, fmt.Errorf("list emails: %w", err)
	}
	defer rows.Close()
	var items []Item
	for rows.Next() {
		it, err := scan(rows)
		if err != nil {
			return nil, fmt.Errorf("list emails: %w", err)
		}
		items = append(items, it)
	}
	return items, rows.Err()
}

// scan reads one row of columns.
func scan(row interface{ Scan(...any) error }) (Item, error) {
	var it Item
	var queued, notBefore, composed, last, next, finished string
	if err := row.Scan(&it.ID, &it.Kind, &it.About, &it.MessageID, &it.From, &it.To, &it.State, &queued, &notBefore,
		&composed, &it.Attempts, &last, &next, &it.LastAnswer, &finished); err != nil {
		return Item{}, err
	}
	for _, f := range []struct {
		text string
		t    *time.Time
	}{
		{queued, &it.QueuedAt}, {notBefore, &it.NotBefore}, {composed, &it.ComposedAt},
		{last, &it.LastAttempt}, {next, &it.NextAttempt}, {finished, &it.FinishedAt},
	} {
		var err error
		if *f.t, err = sqlite.ParseTime(f.text); err != nil {
			return Item{}, err
		}
	}
	return it, nil
}
