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
	NotDelivered GapKind = "not delivered" // messages, of any chat, that WhatsApp announced when we connected, or that nobody could take apart
	Abandoned    GapKind = "abandoned"     // decrypted, never captured, never sent again

	LostWithMachine GapKind = "lost with the machine" // a time between a backup and its restore; what was recorded then is missing

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

	Sender   string     // of a message that is missing still: JID of who sent it
	Sent     time.Time  // of a message, as WhatsApp says; zero: not known
	NamedBy  record.Seq // of a message that was not received: who shows that it exists
	Further  int        // if not 0, it is about no single message: how often a sender's records named more in a day than each has a gap
	Asked    int        // how often the council's phone was asked for it, or it was tried to
	AskedAt  time.Time  // last; zero: never
	Asking   bool       // it will be asked for again
	Supplied int        // of a time: records that the council's phone supplied of it later
	QuotedIn record.Seq // of a message that is known from a quotation: where that is; only in a [Statement]
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
//
// whatsmeow has asked the council's phone for it by then, once.
func (a *Archive) MissMessage(tx *sqlite.Tx, now time.Time, m Missed) error {
	sender, err := people.Identify(tx, now, m.Ref.Sender, "")
	if err != nil {
		return fmt.Errorf("open gap: %w", err)
	}
	missing, err := a.isMissing(tx, m.Group, sender, m.Ref.ID)
	if err != nil || !missing {
		return err
	}
	_, known, err := a.gapOf(tx, m.Group, sender, m.Ref.ID)
	if err != nil || known {
		return err
	}
	if _, err = tx.Exec(`
		INSERT INTO gap (kind, origin, group_jid, opened_at, cause, message_id, sender, own, sent, ask_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		NotDecrypted, a.origin(record.Message, m.Group, m.Ref.Sender.JID, m.Ref.ID), m.Group, sqlite.FormatTime(now), m.Cause,
		m.Ref.ID, m.Ref.Sender.JID, m.Own, timeOrNull(m.Sent), sqlite.FormatTime(now.Add(firstAsk))); err != nil {
		return fmt.Errorf("open gap: %w", err)
	}
	return journal.Write(tx, journal.Entry{At: now, Who: journal.Daemon, Act: journal.GapOpened, Reason: string(NotDecrypted)})
}

// isMissing reports whether nothing is known of what sender sent under an ID: neither
// record nor stub. What could not be read may have been of any kind that has an ID.
func (a *Archive) isMissing(tx *sqlite.Tx, group string, sender people.Identity, id string) (bool, error) {
	origins := a.originsOf(record.Message, group, sender, id)
	for _, kind := range append(slices.Clone(record.Followers), record.Group) { // some settings come as messages
		origins = append(origins, a.originsOf(kind, group, sender, id)...)
	}
	seq, _, err := find(tx, origins)
	if err != nil {
		return false, fmt.Errorf("open gap: %w", err)
	}
	return seq == 0, nil
}

// gapOf returns the gap of a message, open or closed, if there is one. It may have been
// opened when its sender was known by another address.
func (a *Archive) gapOf(tx *sqlite.Tx, group string, sender people.Identity, id string) (g messageGap, known bool, err error) {
	in, args := oneOf(a.originsOf(record.Message, group, sender, id))
	err = tx.QueryRow("SELECT id, kind, closed_at IS NULL, ask_at IS NOT NULL FROM gap WHERE origin "+in+" ORDER BY closed_at IS NOT NULL LIMIT 1", args...).
		Scan(&g.id, &g.kind, &g.open, &g.asking)
	if errors.Is(err, sql.ErrNoRows) {
		return messageGap{}, false, nil
	} else if err != nil {
		return messageGap{}, false, fmt.Errorf("gap of a message: %w", err)
	}
	return g, true, nil
}

// messageGap is what has to be known of a message's gap to end it.
type messageGap struct {
	id           int64
	kind         GapKind
	open, asking bool
}

// healGap closes the gap of a message that has been captured after all, by whatever
// path it came, and whatever it turned out to be. That is told by its ID and sender: of a
// message that could not be read, nothing else is known. So a sender who uses an ID
// twice closes the gap of the one message with the other.
func (a *Archive) healGap(tx *sqlite.Tx, now time.Time, r record.Received, sender people.Identity) error {
	if r.ID == "" {
		return nil
	}
	var ending Ending
	if r.Supplied {
		ending = FromPhone
	}
	return a.endGap(tx, now, r.Group, sender, r.ID, ending)
}

// EndGap closes the gap of a message that is not captured and not missing either, if
// there is one that is open.
func (a *Archive) EndGap(tx *sqlite.Tx, now time.Time, group string, ref record.Ref, ending Ending) error {
	sender, err := people.LookUp(tx, ref.Sender)
	if err != nil {
		return fmt.Errorf("close gap: %w", err)
	}
	return a.endGap(tx, now, group, sender, ref.ID, ending)
}

func (a *Archive) endGap(tx *sqlite.Tx, now time.Time, group string, sender people.Identity, id string, ending Ending) error {
	in, args := oneOf(a.originsOf(record.Message, group, sender, id))
	var open bool // hardly ever; and to look is a statement that is kept prepared
	if err := tx.QueryRow("SELECT EXISTS (SELECT 1 FROM gap WHERE closed_at IS NULL AND origin "+in+")", args...).Scan(&open); err != nil {
		return fmt.Errorf("close gap: %w", err)
	}
	if !open {
		return nil
	}
	return closeGaps(tx, now, ending, "origin "+in, args...)
}

// OpenGap notes that from since on nothing is received, or that something is
// lost. A gap of the same kind that is open stays the one it is, if it is of a time; but
// where the cause of an absence is another now, the gap ends and the next begins.
func OpenGap(tx *sqlite.Tx, now, since time.Time, kind GapKind, cause string) error {
	_, err := OpenGroupGap(tx, now, since, kind, "", cause)
	return err
}

// OpenGroupGap notes the same of one group, and reports whether that is news.
func OpenGroupGap(tx *sqlite.Tx, now, since time.Time, kind GapKind, group, cause string) (news bool, err error) {
	absence := kind == NotConnected || kind == NotLinked
	was, open, err := causeOf(tx, kind, group)
	if err != nil || open && kind != Abandoned && kind != NotDelivered && (!absence || was == cause) {
		return false, err
	}
	if open && absence {
		if err := closeGapsAt(tx, now, since, "", "kind = ?1", kind); err != nil {
			return false, err
		}
	}
	switch kind {
	case NotConnected:
		if unlinked, err := isOpen(tx, NotLinked, ""); err != nil || unlinked { // and so not connected
			return false, err
		}
	case NotLinked:
		if since, err = neverDeliveredSince(tx, since); err != nil {
			return false, err
		}
		if err := closeGaps(tx, now, "", "kind = ?1", NotConnected); err != nil {
			return false, err
		}
	}
	if _, err := tx.Exec("INSERT INTO gap (kind, group_jid, opened_at, cause) VALUES (?, ?, ?, ?)",
		kind, group, sqlite.FormatTime(since), cause); err != nil {
		return false, fmt.Errorf("open gap: %w", err)
	}
	return true, journal.Write(tx, journal.Entry{At: now, Who: journal.Daemon, Act: journal.GapOpened, Reason: string(kind),
		About: journal.About{"since": sqlite.FormatTime(since), "cause": cause}})
}

// causeOf returns the cause of the gap of a kind that is open, if one is.
func causeOf(tx *sqlite.Tx, kind GapKind, group string) (cause string, open bool, err error) {
	err = tx.QueryRow("SELECT cause FROM gap WHERE kind = ? AND group_jid = ? AND closed_at IS NULL", kind, group).Scan(&cause)
	if errors.Is(err, sql.ErrNoRows) {
		return "", false, nil
	} else if err != nil {
		return "", false, fmt.Errorf("open gap: %w", err)
	}
	return cause, true, nil
}

func isOpen(tx *sqlite.Tx, kind GapKind, group string) (open bool, err error) {
	_, open, err = causeOf(tx, kind, group)
	return open, err
}

// neverDeliveredSince returns since when what was sent is missing, if the link is lost at
// lost: what WhatsApp kept for this machine while it was not connected went with the link.
// So that is since it was last connected, whatever the causes were that it was not.
func neverDeliveredSince(tx *sqlite.Tx, lost time.Time) (time.Time, error) {
	var id int64
	var since string
	err := tx.QueryRow("SELECT id, opened_at FROM gap WHERE kind = ? AND closed_at IS NULL", NotConnected).Scan(&id, &since)
	if errors.Is(err, sql.ErrNoRows) {
		return lost, nil
	}
	for err == nil {
		err = tx.QueryRow("SELECT id, opened_at FROM gap WHERE kind = ? AND closed_at = ? AND id < ? ORDER BY id DESC LIMIT 1",
			NotConnected, since, id).Scan(&id, &since)
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, fmt.Errorf("open gap: %w", err)
	}
	t, err := sqlite.ParseTime(since)
	if err == nil && t.After(lost) { // the clock was set back
		t = lost
	}
	return t, err
}

// CloseGap notes that we are connected again: no more is missed, and what was
// sent while not connected is received now. What was sent while not linked stays
// missing, as the gap's kind says.
func CloseGap(tx *sqlite.Tx, now time.Time) error {
	return closeGaps(tx, now, "", "kind IN (?1, ?2)", NotConnected, NotLinked)
}

// CloseGroupGap notes that what was opened by [OpenGroupGap] is over; there may be
// nothing open.
func CloseGroupGap(tx *sqlite.Tx, now time.Time, kind GapKind, group string) error {
	return closeGaps(tx, now, "", "kind = ?1 AND group_jid = ?2", kind, group)
}

// closeGaps closes those of the open gaps for which which holds. Nobody asks for their
// messages any more, and so it is forgotten which these were. Where the clock was set
// back meanwhile, a gap ends when it began.
func closeGaps(tx *sqlite.Tx, now time.Time, ending Ending, which string, args ...any) error {
	return closeGapsAt(tx, now, now, ending, which, args...)
}

// closeGapsAt closes gaps that ended at another time.
func closeGapsAt(tx *sqlite.Tx, now, at time.Time, ending Ending, which string, args ...any) error {
	n := len(args)
	rows, err := tx.Query(fmt.Sprintf(`
		UPDATE gap SET closed_at = max(opened_at, ?%d), ending = ?%d, message_id = '', sender = '', ask_at = NULL
		WHERE closed_at IS NULL AND %s RETURNING kind, closed_at`, n+1, n+2, which),
		append(args, sqlite.FormatTime(at), ending)...)
	if err != nil {
		return fmt.Errorf("close gap: %w", err)
	}
	defer rows.Close()
	var entries []journal.Entry
	for rows.Next() {
		e := journal.Entry{At: now, Who: journal.Daemon, Act: journal.GapClosed}
		var closed string
		if err := rows.Scan(&e.Reason, &closed); err != nil {
			return fmt.Errorf("close gap: %w", err)
		}
		about := journal.About{}
		if closed != sqlite.FormatTime(now) {
			about["until"] = closed
		}
		if ending != "" {
			about["ending"] = ending
		}
		if len(about) > 0 {
			e.About = about
		}
		entries = append(entries, e)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return fmt.Errorf("close gap: %w", err)
	}
	for _, e := range entries {
		if err := journal.Write(tx, e); err != nil {
			return err
		}
	}
	return nil
}

// Gaps returns all gaps, the latest first.
func Gaps(tx *sqlite.Tx) ([]Gap, error) {
	rows, err := tx.Query(`
		SELECT id, kind, group_jid, opened_at, cause, coalesce(closed_at, ''), ending,
			sender, coalesce(sent, ''), coalesce(named_by, 0), asked, coalesce(asked_at, ''), ask_at IS NOT NULL, supplied, further
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
			&g.Sender, &sent, &g.NamedBy, &g.Asked, &asked, &g.Asking, &g.Supplied, &g.Further); err != nil {
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
