// Package history keeps account of what the council's own phone offers of the past, and of
// what it is asked for: each piece of history is fetched, read and settled with the phone
// once, over any interruption.
//
// It knows no records. Who calls it reads what a piece holds of the listed groups and
// captures it; a piece is gone through as a stream, see [Walk], and of other chats nothing
// is held.
package history

import (
	"fmt"
	"time"

	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// Notice is the phone's message that it has a piece of history for this device.
type Notice struct {
	ID       string // the message's
	Kind     string // WhatsApp's name for the sort of piece: "RECENT", "ON_DEMAND"
	Chunk    int
	Progress int         // per cent
	File     record.File // where it is, and how to check and open it
	Handle   string      // by which it is deleted
	Inline   []byte      // the piece itself, if it came with the notice; never kept
	Replaces string      // the ID of an earlier notice of the same piece, if this is another
}

// OnDemand is the kind of piece that answers a request.
const OnDemand = "ON_DEMAND"

// brings are the kinds of pieces that hold messages of chats. The others hold what is none
// of ours, or nothing: contacts' names, status updates, settings.
var brings = map[string]bool{"INITIAL_BOOTSTRAP": true, "FULL": true, "RECENT": true, OnDemand: true}

// State is how far a piece has come.
type State string

// The states of a piece.
const (
	Inline  State = "inline"  // it came with its notice, and is read from that only
	Offered State = "offered" // it is to be fetched and read
	Read    State = "read"    // it is to be settled with the phone
	Done    State = "done"
	Lost    State = "lost" // it could not be had, or not be read
)

// Piece is a piece of history.
type Piece struct {
	Notice    // without its place once it is done or lost
	Number    int64
	OfferedAt time.Time
	State     State
	Reason    string // why it is lost, or was not read, in words for everybody
	Attempts  int
	AskedAt   time.Time // when the phone was asked to upload it once more; zero: it was not
	Finished  time.Time // when it was done or lost; zero while it is neither
	Count
}

// Count is what there was in a piece of listed groups, and what became of that.
type Count struct {
	New, Known int
	Early      int // from before the record began
	Due        int // past its period
	Unread     int // of a kind that history does not tell, or not in a form that can be read
}

// Seen is how much there was.
func (c Count) Seen() int { return c.New + c.Known + c.Early + c.Due + c.Unread }

// replaced is why nothing more is done about a piece of which another notice came.
const replaced = "the phone offered it once more"

// Offer notes a notice. One that comes again is the piece that there is.
func Offer(tx *sqlite.Tx, now time.Time, n Notice) (Piece, error) {
	state := Offered
	switch {
	case !brings[n.Kind]:
		state = Read // nobody looks at it
	case len(n.Inline) > 0:
		state = Inline
	}
	at := sqlite.FormatTime(now)
	if n.Replaces != "" { // and is not to be deleted at WhatsApp: it may be the same file
		old, is, err := one(tx, "message_id = ? AND message_id <> ? AND state = 'offered'", n.Replaces, n.ID)
		if err == nil && is {
			err = end(tx, now, old.Number, Done, replaced)
		}
		if err != nil {
			return Piece{}, err
		}
	}
	if _, err := tx.Exec(`
		INSERT INTO history (message_id, offered_at, kind, chunk, progress, path, file_key, digest, sealed, size, handle, state, next_attempt)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?2) ON CONFLICT DO NOTHING`,
		n.ID, at, n.Kind, n.Chunk, n.Progress, n.File.Path, bytesOf(n.File.Key), bytesOf(n.File.Digest), bytesOf(n.File.Sealed),
		n.File.Size, n.Handle, state); err != nil {
		return Piece{}, fmt.Errorf("note a piece of history: %w", err)
	}
	p, _, err := one(tx, "message_id = ?", n.ID)
	return p, err
}

func bytesOf(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// farthest is longer than anything is ever put off: what seems to be due after it was put
// off by a clock that was ahead.
const farthest = 24 * time.Hour

// Next returns the first piece, in order of coming, that something is to be done with
// now; false if there is none. One that is put off does not hold up the others.
func Next(tx *sqlite.Tx, now time.Time) (Piece, bool, error) {
	return one(tx, "state IN ('offered', 'read') AND (next_attempt <= ? OR next_attempt > ?) ORDER BY id LIMIT 1",
		sqlite.FormatTime(now), sqlite.FormatTime(now.Add(farthest)))
}

// Pieces returns all pieces, in order of coming.
func Pieces(tx *sqlite.Tx) (all []Piece, err error) {
	err = each(tx, func(p Piece) { all = append(all, p) }, "1 ORDER BY id")
	return all, err
}

func one(tx *sqlite.Tx, which string, args ...any) (p Piece, is bool, err error) {
	err = each(tx, func(found Piece) { p, is = found, true }, which, args...)
	return p, is, err
}

func each(tx *sqlite.Tx, f func(Piece), which string, args ...any) error {
	rows, err := tx.Query(`
		SELECT id, message_id, offered_at, kind, chunk, progress, path, file_key, digest, sealed, size, handle,
			state, reason, attempts, coalesce(asked_at, ''), coalesce(finished_at, ''), fresh, known, early, due, unread
		FROM history WHERE `+which, args...)
	if err != nil {
		return fmt.Errorf("read pieces of history: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var p Piece
		var offered, asked, finished string
		if err := rows.Scan(&p.Number, &p.ID, &offered, &p.Kind, &p.Chunk, &p.Progress, &p.File.Path, &p.File.Key, &p.File.Digest,
			&p.File.Sealed, &p.File.Size, &p.Handle, &p.State, &p.Reason, &p.Attempts, &asked, &finished,
			&p.New, &p.Known, &p.Early, &p.Due, &p.Unread); err != nil {
			return fmt.Errorf("read pieces of history: %w", err)
		}
		p.File.Type = record.History
		for _, t := range []struct {
			to   *time.Time
			from string
		}{{&p.OfferedAt, offered}, {&p.AskedAt, asked}, {&p.Finished, finished}} {
			if *t.to, err = sqlite.ParseTime(t.from); err != nil {
				return fmt.Errorf("read pieces of history: %w", err)
			}
		}
		f(p)
	}
	return rows.Err()
}

// Took notes how many records a piece has brought by now that were new. It belongs to the
// transaction that captures them: if the piece has to be read again from its beginning,
// they will be known.
func Took(tx *sqlite.Tx, number int64, fresh int) error {
	return exec(tx, "UPDATE history SET fresh = fresh + ? WHERE id = ?", fresh, number)
}

// HasRead notes that a piece was read to its end and what there was in it; of c, New and
// Known are those of the last reading, and what of the latter an earlier one had captured
// was new. It returns the whole account.
func HasRead(tx *sqlite.Tx, number int64, c Count) (Count, error) {
	var fresh int
	if err := tx.QueryRow("SELECT fresh FROM history WHERE id = ?", number).Scan(&fresh); err != nil {
		return Count{}, fmt.Errorf("piece of history %d: %w", number, err)
	}
	c.Known -= fresh - c.New
	c.New = fresh
	return c, exec(tx, "UPDATE history SET state = 'read', attempts = 0, known = ?, early = ?, due = ?, unread = ? WHERE id = ?",
		c.Known, c.Early, c.Due, c.Unread, number)
}

// Finish notes that a piece is done.
func Finish(tx *sqlite.Tx, now time.Time, number int64) error { return end(tx, now, number, Done, "") }

// Lose notes that a piece cannot be had, or not be read. What was captured of it stays.
func Lose(tx *sqlite.Tx, now time.Time, number int64, reason string) error {
	return end(tx, now, number, Lost, reason)
}

func end(tx *sqlite.Tx, now time.Time, number int64, s State, reason string) error {
	return exec(tx, `UPDATE history SET state = ?, reason = ?, finished_at = ?, path = '', file_key = x'', digest = x'', sealed = x'', handle = ''
		WHERE id = ?`, s, reason, sqlite.FormatTime(now), number)
}

// PutOff notes that an attempt failed, and when to try again.
func PutOff(tx *sqlite.Tx, number int64, next time.Time) error {
	return exec(tx, "UPDATE history SET attempts = attempts + 1, next_attempt = ? WHERE id = ?", sqlite.FormatTime(next), number)
}

// Asked notes that the phone was asked to upload a piece once more.
func Asked(tx *sqlite.Tx, now time.Time, number int64) error {
	return exec(tx, "UPDATE history SET asked_at = ? WHERE id = ?", sqlite.FormatTime(now), number)
}

// Reconnected has everything tried again that was put off, since there is a connection.
func Reconnected(tx *sqlite.Tx, now time.Time) error {
	return exec(tx, "UPDATE history SET next_attempt = ?1 WHERE state IN ('offered', 'read') AND next_attempt > ?1 AND asked_at IS NULL", sqlite.FormatTime(now))
}

func exec(tx *sqlite.Tx, statement string, args ...any) error {
	if _, err := tx.Exec(statement, args...); err != nil {
		return fmt.Errorf("note a piece of history: %w", err)
	}
	return nil
}
