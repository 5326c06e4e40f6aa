package archive

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"muniment/internal/journal"
	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// GapKind says why something is missing.
type GapKind string

// The kinds of gaps.
const (
	NotConnected GapKind = "not connected" // a time; WhatsApp keeps what is sent, and delivers it afterwards
	NotLinked    GapKind = "not linked"    // a time; what was sent is missing for good
	NotDecrypted GapKind = "not decrypted" // a message
	NotReceived  GapKind = "not received"  // a message; others answer it or change it, so it exists
	NotDelivered GapKind = "not delivered" // messages that WhatsApp announced, of any chat, when we connected
	Abandoned    GapKind = "abandoned"     // decrypted, never captured, never sent again

	// Of one group:
	ListBroken GapKind = "list of participants" // a time; who came and went was not told, and the list was asked for
	NotInGroup GapKind = "not in the group"     // a time; what was sent is missing for good
)

// Heals reports whether what was missing is here once a gap of the kind is closed. Of
// the others something stays missing.
func (k GapKind) Heals() bool {
	return k == NotConnected || k == NotDecrypted || k == NotReceived || k == ListBroken
}

// Ending says how a gap was closed, where that is not plain.
type Ending string

// The endings.
const (
	FromPhone Ending = "from the phone"         // the council's phone supplied the message
	Earlier   Ending = "before the record"      // the message was sent before the record began
	Quoted    Ending = "known from a quotation" // what it said is known from those who quote it
)

// Gap is a time, or a message, known to be missing.
type Gap struct {
	ID     int64 // its number
	Kind   GapKind
	Group  string // empty: every group
	Opened time.Time
	Cause  string
	Closed time.Time // zero while open
	Ending Ending

	Sent     time.Time  // of a message, as WhatsApp says; zero: not known
	NamedBy  record.Seq // of a message that was not received: who shows that it exists
	Asked    int        // how often it was asked for
	AskedAt  time.Time  // last; zero: never
	Asking   bool       // it will be asked for again
	Supplied int        // of a time: records that the council's phone supplied of it later
}

// Missed is a message of a listed group that was delivered and cannot be read.
type Missed struct {
	Group string
	Ref   record.Ref
	Own   bool      // the council's own account sent it
	Sent  time.Time // as WhatsApp says; zero if it does not
	Cause string
}

// MissMessage opens a gap for a message of a listed group that could not be
// decrypted. It is closed when the message is captured after all. A message
// that has been captured already is not missing.
func (a *Archive) MissMessage(tx *sqlite.Tx, now time.Time, m Missed) error {
	sender, err := people.Identify(tx, now, m.Ref.Sender, "")
	if err != nil {
		return fmt.Errorf("open gap: %w", err)
	}
	// What could not be read may have been of any kind that has an ID.
	origins := a.originsOf(record.Message, m.Group, sender, m.Ref.ID)
	any := slices.Clone(origins)
	for _, kind := range append(slices.Clone(record.Followers), record.Group) { // some settings come as messages
		any = append(any, a.originsOf(kind, m.Group, sender, m.Ref.ID)...)
	}
	seq, _, err := find(tx, any)
	if err != nil {
		return fmt.Errorf("open gap: %w", err)
	} else if seq != 0 {
		return nil
	}
	var opened bool
	err = tx.QueryRow(`
		INSERT INTO gap (kind, origin, group_jid, opened_at, cause, message_id, sender, own, sent, ask_at)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?4)
		ON CONFLICT DO NOTHING RETURNING 1`,
		NotDecrypted, origins[0], m.Group, sqlite.FormatTime(now), m.Cause,
		m.Ref.ID, m.Ref.Sender.JID, m.Own, timeOrNull(m.Sent)).Scan(&opened)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	} else if err != nil {
		return fmt.Errorf("open gap: %w", err)
	}
	return journal.Write(tx, journal.Entry{At: now, Who: journal.Daemon, Act: journal.GapOpened, Reason: string(NotDecrypted)})
}

// healGap closes the gap of a message that has been captured after all,
// whatever it turned out to be.
func (a *Archive) healGap(tx *sqlite.Tx, now time.Time, r record.Received, sender people.Identity) error {
	if r.ID == "" {
		return nil
	}
	in, args := oneOf(a.originsOf(record.Message, r.Group, sender, r.ID))
	return closeGaps(tx, now, NotDecrypted, "origin "+in, args...)
}

// OpenGap notes that from since on nothing is received, or that something is
// lost. A gap of the same kind that is open stays the one it is.
func OpenGap(tx *sqlite.Tx, now, since time.Time, kind GapKind, cause string) error {
	_, err := OpenGroupGap(tx, now, since, kind, "", cause)
	return err
}

// OpenGroupGap notes the same of one group, and reports whether that is news.
func OpenGroupGap(tx *sqlite.Tx, now, since time.Time, kind GapKind, group, cause string) (news bool, err error) {
	open, err := isOpen(tx, kind, group)
	if err != nil || open && kind != Abandoned {
		return false, err
	}
	if _, err := tx.Exec("INSERT INTO gap (kind, group_jid, opened_at, cause) VALUES (?, ?, ?, ?)",
		kind, group, sqlite.FormatTime(since), cause); err != nil {
		return false, fmt.Errorf("open gap: %w", err)
	}
	return true, journal.Write(tx, journal.Entry{At: now, Who: journal.Daemon, Act: journal.GapOpened, Reason: string(kind),
		About: journal.About{"since": sqlite.FormatTime(since), "cause": cause}})
}

func isOpen(tx *sqlite.Tx, kind GapKind, group string) (open bool, err error) {
	err = tx.QueryRow("SELECT EXISTS (SELECT 1 FROM gap WHERE kind = ? AND group_jid = ? AND closed_at IS NULL)", kind, group).Scan(&open)
	if err != nil {
		return false, fmt.Errorf("open gap: %w", err)
	}
	return open, nil
}

// CloseGap notes that we are connected again: no more is missed, and what was
// sent while not connected is received now. What was sent while not linked stays
// missing, as the gap's kind says.
func CloseGap(tx *sqlite.Tx, now time.Time) error {
	return errors.Join(closeGaps(tx, now, NotConnected, "1"), closeGaps(tx, now, NotLinked, "1"))
}

// CloseGroupGap notes that what was opened by [OpenGroupGap] is over; there may be
// nothing open.
func CloseGroupGap(tx *sqlite.Tx, now time.Time, kind GapKind, group string) error {
	return closeGaps(tx, now, kind, "group_jid = ?1", group)
}

func closeGaps(tx *sqlite.Tx, now time.Time, kind GapKind, which string, args ...any) error {
	n := len(args)
	res, err := tx.Exec(fmt.Sprintf("UPDATE gap SET closed_at = ?%d WHERE kind = ?%d AND closed_at IS NULL AND %s", n+1, n+2, which),
		append(args, sqlite.FormatTime(now), kind)...)
	if err != nil {
		return fmt.Errorf("close gap: %w", err)
	}
	if n, _ := res.RowsAffected(); n == 0 {
		return nil
	}
	return journal.Write(tx, journal.Entry{At: now, Who: journal.Daemon, Act: journal.GapClosed, Reason: string(kind)})
}

// Gaps returns all gaps, the latest first.
func Gaps(tx *sqlite.Tx) ([]Gap, error) {
	rows, err := tx.Query(`
		SELECT id, kind, group_jid, opened_at, cause, coalesce(closed_at, ''), ending,
			coalesce(sent, ''), coalesce(named_by, 0), asked, coalesce(asked_at, ''), ask_at IS NOT NULL, supplied
		FROM gap ORDER BY id DESC`)
	if err != nil {
		return nil, fmt.Errorf("read gaps: %w", err)
	}
	defer rows.Close()
	var gaps []Gap
	for rows.Next() {
		var g Gap
		var opened, closed, sent, asked string
		if err := rows.Scan(&g.ID, &g.Kind, &g.Group, &opened, &g.Cause, &closed, &g.Ending,
			&sent, &g.NamedBy, &g.Asked, &asked, &g.Asking, &g.Supplied); err != nil {
			return nil, fmt.Errorf("read gaps: %w", err)
		}
		for _, t := range []struct {
			to   *time.Time
			from string
		}{{&g.Opened, opened}, {&g.Closed, closed}, {&g.Sent, sent}, {&g.AskedAt, asked}} {
			if *t.to, err = sqlite.ParseTime(t.from); err != nil {
				return nil, fmt.Errorf("read gaps: %w", err)
			}
		}
		gaps = append(gaps, g)
	}
	return gaps, rows.Err()
}

// timeOrNull is t for a column that may be null; a zero t is.
func timeOrNull(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return sqlite.FormatTime(t)
}
