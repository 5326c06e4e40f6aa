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
// An email may have several recipients. It is put to the server for each by itself, and
// has for each a [State] of its own: that one mailbox is full keeps it from nobody else,
// and who has it does not get it twice. What the server accepted is "handed over", never
// "delivered": nobody can know that.
//
// Nothing is ever dropped. What fails is tried again, with growing pauses; what the
// server refuses, or puts off for five days in which it is tried, stays until somebody
// acts ([Retry], [CancelByHand]). What keeps all emails from going, such as a wrong
// password, is no fault of any of them: it counts against none, and they wait, for however
// long; they take turns in finding out whether it is over. The parts of one letter go in
// their order.
//
// Delivery is at least once and never altered. If the answer to an email is lost,
// or the machine stops while it is being sent, its outcome is unknown, and the same
// bytes go again under the same Message-ID; they are kept until the outcome is known.
// Only what is destroyed meanwhile is not sent again; see [Discard].
package mail

import (
	"cmp"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"muniment/internal/sqlite"
)

// State says what became of an email, or of what one of its recipients is to have of it.
type State string

// An email is owed until it is in one of the last four states. Nobody is told more than
// that the mail server accepted it: whether it was delivered, nobody can know.
const (
	Queued     State = "queued"
	Sending    State = "sending"         // the mail server is being given it
	Unknown    State = "outcome unknown" // the server was given it, and its answer was lost: the same goes again
	HandedOver State = "handed over"     // the mail server accepted it
	Refused    State = "refused"         // the mail server will never accept it; somebody must act
	Expired    State = "expired"         // it was tried for long enough; somebody must act
	Cancelled  State = "cancelled"       // it is not owed any more
)

// Open reports whether the email is still owed.
func (s State) Open() bool { return s == Queued || s == Sending || s == Unknown }

// ErrNotQueued is returned by [Find] for an email that was never queued.
var ErrNotQueued = errors.New("no such email was queued")

// Item is one email. Its kind, what it is about and its part name it; the outbox does not
// know what these mean.
type Item struct {
	ID        int64 // given by Queue
	Kind      string
	About     int64
	Part      int    // from 1; Queue takes 0 for 1
	MessageID string // without angle brackets; never changes
	From      string
	To        []string
	NotBefore time.Time // it waits at least until then; zero: it need not
	Urgent    bool      // it goes before all others, whatever was sent within the hour

	// The rest is kept by this package.
	State      State // of all recipients: while it is open for one of them, that; else the best that came of it
	QueuedAt   time.Time
	ComposedAt time.Time   // the time that the letter bears, from when it is begun; zero before, or if nothing came of it
	FinishedAt time.Time   // when the last of the recipients was dealt with; zero while the email is open
	Recipients []Recipient // in the order of their addresses
}

// Recipient is one to whom an email goes, and what came of that.
type Recipient struct {
	Address      string
	State        State
	Attempts     int
	LastAttempt  time.Time
	NextAttempt  time.Time // while it is open
	LastAnswer   string    // what came of the last attempt; may hold addresses: show it, never log it
	FailingSince time.Time // since when this email fails for him, moved on by the time in which it was not tried, or none could go; zero: it does not fail
	MayHaveIt    bool      // the mail server was given it, and its answer was lost
	FinishedAt   time.Time
}

// Patience is how long an email may fail by itself before somebody should be told, and
// longest how long before it expires. While no email at all can go, neither runs.
const (
	Patience = 24 * time.Hour
	longest  = 5 * 24 * time.Hour
)

// Stuck reports whether somebody should be told that the mail server keeps putting this
// email off: some servers say that a fault is temporary which never passes by itself.
func (r Recipient) Stuck() bool {
	return r.State.Open() && !r.FailingSince.IsZero() && r.LastAttempt.Sub(r.FailingSince) >= Patience
}

// MessageID returns the Message-ID, without angle brackets, of the email of this
// kind about this number. It is always the same for the same archive, which
// token tells from all others.
func MessageID(kind string, about int64, token, from string) string {
	domain := from[strings.LastIndexByte(from, '@')+1:]
	return fmt.Sprintf("%s.%d.%s@%s", strings.ReplaceAll(kind, " ", "-"), about, token, domain)
}

// Queue owes the email it and returns its ID. An email of the same kind, about the
// same number, of the same part is owed once: queueing it again changes nothing and
// returns the ID that it has. After the commit, tell the outbox by [Outbox.Wake].
func Queue(tx *sqlite.Tx, now time.Time, it Item) (id int64, err error) {
	if it.Kind == "" || it.MessageID == "" || it.From == "" || len(it.To) == 0 || slices.Contains(it.To, "") {
		return 0, fmt.Errorf("queue email %q about %d: kind, message ID, sender or recipient is missing", it.Kind, it.About)
	}
	it.Part = max(it.Part, 1)
	notBefore := sqlite.FormatTime(now)
	if !it.NotBefore.IsZero() {
		notBefore = sqlite.FormatTime(it.NotBefore)
	}
	err = tx.QueryRow(`
		INSERT INTO email (kind, about, part, message_id, sender, queued_at, not_before)
		VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (kind, about, part) DO NOTHING
		RETURNING id`,
		it.Kind, it.About, it.Part, it.MessageID, it.From, sqlite.FormatTime(now), notBefore,
	).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		err = tx.QueryRow("SELECT id FROM email WHERE kind = ? AND about = ? AND part = ?", it.Kind, it.About, it.Part).Scan(&id)
		if err == nil {
			return id, nil
		}
	}
	if err != nil {
		return 0, fmt.Errorf("queue email %q about %d: %w", it.Kind, it.About, err)
	}
	for i, to := range it.To {
		if slices.ContainsFunc(it.To[:i], func(a string) bool { return strings.EqualFold(a, to) }) {
			continue // he would have it twice
		}
		if _, err := tx.Exec("INSERT INTO recipient (email, address, state, next_attempt, urgent) VALUES (?, ?, ?, ?, ?)",
			id, to, Queued, notBefore, it.Urgent); err != nil {
			return 0, fmt.Errorf("queue email %q about %d: %w", it.Kind, it.About, err)
		}
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

// Cancel takes back an email that is still owed, all its parts; otherwise it changes
// nothing. If it is just being sent and is accepted, it counts as handed over; until that is
// known, it may have arrived.
func Cancel(tx *sqlite.Tx, kind string, about int64, now time.Time) error {
	if _, err := tx.Exec(`UPDATE recipient SET may_have_it = may_have_it OR `+underWay+`, state = ?, finished_at = ?
		WHERE `+open+` AND email IN (SELECT id FROM email WHERE kind = ? AND about = ?)`,
		Cancelled, sqlite.FormatTime(now), kind, about,
	); err != nil {
		return fmt.Errorf("cancel email %q about %d: %w", kind, about, err)
	}
	if _, err := tx.Exec("UPDATE email SET message = NULL WHERE kind = ? AND about = ? AND "+certain, kind, about); err != nil {
		return fmt.Errorf("cancel email %q about %d: %w", kind, about, err)
	}
	return nil
}

// Conditions on a recipient that is open, or to whom something may be on its way, and on an
// email that is not open.
const (
	open     = "finished_at IS NULL"
	underWay = "state = 'sending' AND EXISTS (SELECT 1 FROM email WHERE id = recipient.email AND message IS NOT NULL)"
	settled  = "NOT EXISTS (SELECT 1 FROM recipient r WHERE r.email = email.id AND r." + open + ")"
	// certain is that the letter will not be needed again, as it is: it is settled, nobody may
	// have it without our knowing, and not one has it while another was refused it, and might
	// be sent something else under the same Message-ID one day.
	certain = "NOT EXISTS (SELECT 1 FROM recipient r WHERE r.email = email.id AND (r." + open + " OR r.may_have_it)) AND NOT (" +
		"EXISTS (SELECT 1 FROM recipient r WHERE r.email = email.id AND r.state = 'handed over') AND " +
		"EXISTS (SELECT 1 FROM recipient r WHERE r.email = email.id AND r.state IN ('refused', 'expired')))"
)

// Discard throws away the composed letter of an email, all its parts, because
// something in it is being destroyed: if it is still owed, it is composed anew at the
// next attempt. That destruction leaves nothing counts for more than that an email whose
// outcome is not known is repeated to the letter. One that is being composed just now
// will not be kept: its attempt is taken back. It returns how many letters there were.
func Discard(tx *sqlite.Tx, kind string, about int64) (letters int64, err error) {
	for _, set := range []string{"composed_at = NULL WHERE NOT " + settled, "message = NULL WHERE message IS NOT NULL"} {
		r, err := tx.Exec("UPDATE email SET "+set+" AND kind = ? AND about = ?", kind, about)
		if err != nil {
			return 0, fmt.Errorf("discard letter %q about %d: %w", kind, about, err)
		}
		if letters, err = r.RowsAffected(); err != nil { // of the latter in the end
			return 0, err
		}
	}
	return letters, nil
}

// Find returns the first part of the email of this kind about this number, or [ErrNotQueued].
func Find(tx *sqlite.Tx, kind string, about int64) (Item, error) {
	return FindPart(tx, kind, about, 1)
}

// FindPart returns a part of the email of this kind about this number, or [ErrNotQueued].
func FindPart(tx *sqlite.Tx, kind string, about int64, part int) (Item, error) {
	items, err := find(tx, "kind = ? AND about = ? AND part = ?", kind, about, part)
	if err == nil && len(items) == 0 {
		err = ErrNotQueued
	}
	if err != nil {
		return Item{}, fmt.Errorf("find part %d of email %q about %d: %w", part, kind, about, err)
	}
	return items[0], nil
}

// Parts returns all parts of the email of this kind about this number, the first one first.
func Parts(tx *sqlite.Tx, kind string, about int64) ([]Item, error) {
	items, err := find(tx, "kind = ? AND about = ?", kind, about)
	if err != nil {
		return nil, fmt.Errorf("find email %q about %d: %w", kind, about, err)
	}
	slices.SortFunc(items, func(a, b Item) int { return cmp.Compare(a.Part, b.Part) })
	return items, nil
}

// List returns the emails that are in one of these states for one of their recipients at
// least, oldest first.
func List(tx *sqlite.Tx, states ...State) ([]Item, error) {
	list, err := json.Marshal(states)
	if err != nil {
		return nil, err
	}
	items, err := find(tx, "id IN (SELECT email FROM recipient WHERE state IN (SELECT value FROM json_each(?)))", string(list))
	if err != nil {
		return nil, fmt.Errorf("list emails: %w", err)
	}
	return items, nil
}

// Counts returns how many emails there are for a recipient in each state.
func Counts(tx *sqlite.Tx) (map[State]int, error) {
	rows, err := tx.Query("SELECT state, count(*) FROM recipient GROUP BY state")
	if err != nil {
		return nil, fmt.Errorf("count emails: %w", err)
	}
	defer rows.Close()
	counts := make(map[State]int)
	for rows.Next() {
		var s State
		var n int
		if err := rows.Scan(&s, &n); err != nil {
			return nil, fmt.Errorf("count emails: %w", err)
		}
		counts[s] = n
	}
	return counts, rows.Err()
}

// Held returns the emails whose letter is in the outbox, or may be in a moment: those
// that are owed, and those that may have arrived, whatever came of them since.
func Held(tx *sqlite.Tx) ([]Item, error) {
	items, err := find(tx, "message IS NOT NULL OR NOT "+settled)
	if err != nil {
		return nil, fmt.Errorf("list emails whose letter is held: %w", err)
	}
	return items, nil
}

// find returns the emails that a condition on them selects, oldest first.
func find(tx *sqlite.Tx, where string, args ...any) (items []Item, err error) {
	rows, err := tx.Query(`
		SELECT e.id, e.kind, e.about, e.part, e.message_id, e.sender, e.queued_at, e.not_before, coalesce(e.composed_at, ''),
			r.urgent, r.address, r.state, r.attempts, coalesce(r.last_attempt, ''), r.next_attempt, r.last_answer,
			coalesce(r.failing_since, ''), r.may_have_it, coalesce(r.finished_at, '')
		FROM (SELECT * FROM email WHERE `+where+`) e JOIN recipient r ON r.email = e.id
		ORDER BY e.id, r.address`, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		it, r, err := scan(rows)
		if err != nil {
			return nil, err
		}
		if n := len(items); n == 0 || items[n-1].ID != it.ID {
			items = append(items, it)
		}
		last := &items[len(items)-1]
		last.To, last.Recipients = append(last.To, r.Address), append(last.Recipients, r)
	}
	for i := range items {
		items[i].sumUp()
	}
	return items, rows.Err()
}

// scan reads one row of find's.
func scan(row interface{ Scan(...any) error }) (it Item, r Recipient, err error) {
	var queued, notBefore, composed, last, next, failing, finished string
	if err := row.Scan(&it.ID, &it.Kind, &it.About, &it.Part, &it.MessageID, &it.From, &queued, &notBefore, &composed,
		&it.Urgent, &r.Address, &r.State, &r.Attempts, &last, &next, &r.LastAnswer, &failing, &r.MayHaveIt, &finished); err != nil {
		return it, r, err
	}
	for _, f := range []struct {
		text string
		t    *time.Time
	}{
		{queued, &it.QueuedAt}, {notBefore, &it.NotBefore}, {composed, &it.ComposedAt},
		{last, &r.LastAttempt}, {next, &r.NextAttempt}, {failing, &r.FailingSince}, {finished, &r.FinishedAt},
	} {
		if *f.t, err = sqlite.ParseTime(f.text); err != nil {
			return it, r, err
		}
	}
	return it, r, nil
}

// better are the states of an email as a whole, from what says most of it.
var better = []State{Unknown, Sending, Queued, HandedOver, Refused, Expired, Cancelled}

// sumUp says of the whole email what is known of its recipients.
func (it *Item) sumUp() {
	at := len(better)
	for _, r := range it.Recipients {
		at = min(at, slices.Index(better, r.State))
		if r.FinishedAt.After(it.FinishedAt) {
			it.FinishedAt = r.FinishedAt
		}
	}
	if it.State = better[at]; it.State.Open() {
		it.FinishedAt = time.Time{}
	}
}
