package archive

import (
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"muniment/internal/journal"
	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
)

// covers is true of the hold h if it covers the record c itself.
const covers = `(h.scope = 'all'
	OR h.scope = 'dates' AND c.sent >= h.from_at AND c.sent < h.before_at
	OR h.scope = 'member' AND c.person = h.person
	OR h.scope = 'records' AND EXISTS (SELECT 1 FROM hold_record i WHERE i.hold = h.id AND i.seq = c.seq))`

// rootOf returns the origin of the message that a record belongs to: itself, or the
// message that it edits, deletes or reacts to. Its table is called name.
func rootOf(name string) string {
	return fmt.Sprintf("CASE WHEN "+following(name)+" THEN coalesce(%[1]s.target, %[1]s.origin) ELSE %[1]s.origin END", name)
}

// heldAmong selects, of the messages that roots selects by their origins, those that
// one of the holds h keeps which are meant. A message is kept if the hold covers it,
// anything that belongs to it, or anything that answers or quotes it, and so on: what
// is held remains whole, an answer is none without its question, and a quotation goes
// with what it quotes. Each message is looked at once, however many belong to it.
func heldAmong(roots, which string) string {
	return `
		SELECT m.origin FROM (` + roots + `) m
		WHERE EXISTS (SELECT 1 FROM hold h WHERE ` + which + ` AND h.scope = 'all')
		OR EXISTS (SELECT 1 FROM hold h WHERE ` + which + `) AND EXISTS (
			WITH RECURSIVE upon (origin) AS (
				SELECT m.origin
				UNION SELECT r.origin FROM upon JOIN record r ON r.target = upon.origin WHERE NOT ` + following("r") + `
				UNION SELECT ` + rootOf("r") + ` FROM upon JOIN quotation q ON q.origin = upon.origin JOIN record r ON r.seq = q.record
			)
			SELECT 1 FROM upon CROSS JOIN record c ON c.origin = upon.origin OR c.target = upon.origin AND ` + following("c") + `
			WHERE EXISTS (SELECT 1 FROM hold h WHERE ` + which + " AND " + covers + "))"
}

// heldBy returns the hold predicate, of a row of record, for the holds h that are meant.
func heldBy(which string) string {
	return "(" + rootOf("record") + " IN (" + heldAmong("SELECT "+rootOf("record")+" AS origin", which) + "))"
}

const inForce = "h.released_at IS NULL"

// onHold is the hold predicate, of a row of record.
var onHold = heldBy(inForce)

// allHeld selects the numbers of all records that the holds h which are meant keep. It
// is heldAmong turned round, which goes out from what is covered and not from every
// message.
func allHeld(which string) string {
	return `
		WITH RECURSIVE kept (origin) AS (
			SELECT ` + rootOf("c") + ` FROM record c WHERE EXISTS (SELECT 1 FROM hold h WHERE ` + which + " AND " + covers + `)
			UNION SELECT r.target FROM kept JOIN record r ON r.origin = kept.origin WHERE r.target IS NOT NULL AND NOT ` + following("r") + `
			UNION SELECT q.origin FROM kept JOIN record r ON r.origin = kept.origin OR r.target = kept.origin AND ` + following("r") + `
				JOIN quotation q ON q.record = r.seq
		)
		SELECT seq FROM record WHERE ` + rootOf("record") + " IN (SELECT origin FROM kept)"
}

// Scope says what a hold covers.
type Scope string

// The scopes of holds.
const (
	Everything Scope = "all"
	Dates      Scope = "dates"
	ByMember   Scope = "member"
	Records    Scope = "records"
)

// Cover is what a hold covers; see the fields for which scope each is of. With a
// record, the message is held that it belongs to, all else that belongs to that,
// what it answers and what it quotes, and so on.
type Cover struct {
	Scope   Scope
	From    retention.Date // Dates: the first day of sending, in London,
	Through retention.Date // and the last
	Member  int64          // ByMember: all that this entry of the member register sent
	Records []record.Seq   // Records: these; given when it is placed
	Search  string         // Records: what was searched for to find them, if they were
}

// Hold is a recorded reason that suspends destruction. It stops destruction, not
// the clock (C9).
type Hold struct {
	ID            int64
	Cover         Cover
	Person        people.ID      // ByMember: who that is
	Review        retention.Date // by when somebody should ask whether it is still needed; empty: no date
	Reason        string
	PlacedBy      string
	Placed        time.Time
	ReleasedBy    string
	Released      time.Time // zero while it holds
	ReleaseReason string
}

// The errors of placing and releasing holds.
var (
	ErrNoHold    = errors.New("there is no such hold in force")
	ErrNotKept   = errors.New("not in the archive")
	errNoRecords = errors.New("there is nothing to hold: no record was named or found")
)

// PlaceHold suspends the destruction of what c covers and returns the hold's
// number. The review date may be empty.
func PlaceHold(tx *sqlite.Tx, now time.Time, who, reason string, review retention.Date, c Cover) (id int64, err error) {
	from, before, err := c.times()
	if err != nil {
		return 0, fmt.Errorf("place hold: %w", err)
	}
	if err := Reconcile(tx); err != nil {
		return 0, fmt.Errorf("place hold: %w", err)
	}
	var person people.ID
	if c.Scope == ByMember {
		m, err := people.MemberByID(tx, c.Member)
		if err != nil {
			return 0, fmt.Errorf("place hold: %w", err)
		}
		person = m.Person
	}
	if err := tx.QueryRow(`
		INSERT INTO hold (scope, from_at, before_at, member, person, search, review_on, reason, placed_by, placed_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
		c.Scope, from, before, c.Member, person, c.Search, review, reason, who, sqlite.FormatTime(now)).Scan(&id); err != nil {
		return 0, fmt.Errorf("place hold: %w", err)
	}
	if c.Scope == Records {
		if err := holdRecords(tx, id, c.Records); err != nil {
			return 0, fmt.Errorf("place hold: %w", err)
		}
	}
	h := Hold{ID: id, Cover: c, Review: review}
	return id, journal.Write(tx, journal.Entry{At: now, Who: who, Act: journal.HoldPlaced, Reason: reason, About: h.About()})
}

// times returns the moments between which c covers what was sent.
func (c Cover) times() (from, before string, err error) {
	if c.Scope != Dates {
		return "", "", nil
	}
	if c.Through < c.From {
		return "", "", fmt.Errorf("its last day, %s, is before its first, %s", c.Through.Long(), c.From.Long())
	}
	return sqlite.FormatTime(c.From.Start()), sqlite.FormatTime(c.Through.AddDays(1).Start()), nil
}

// About is what the journal, and so the ledger, says of the hold when it is placed.
func (h Hold) About() journal.About {
	c := h.Cover
	about := journal.About{"hold": h.ID, "scope": c.Scope}
	switch c.Scope {
	case Dates:
		about["from"], about["through"] = c.From, c.Through
	case ByMember:
		about["member"] = c.Member
	case Records:
		about["records"] = record.Spans(c.Records)
		if c.Search != "" {
			about["search"] = c.Search
		}
	}
	if h.Review != "" {
		about["review"] = h.Review
	}
	return about
}

func holdRecords(tx *sqlite.Tx, id int64, seqs []record.Seq) error {
	if len(seqs) == 0 {
		return errNoRecords
	}
	var missing sql.NullString
	list := toJSON(seqs)
	if err := tx.QueryRow("SELECT group_concat(value, ', ') FROM json_each(?) WHERE value NOT IN (SELECT seq FROM record)", list).Scan(&missing); err != nil {
		return err
	}
	if missing.Valid {
		return fmt.Errorf("record %s: %w", missing.String, ErrNotKept)
	}
	_, err := tx.Exec("INSERT OR IGNORE INTO hold_record (hold, seq) SELECT ?, value FROM json_each(?)", id, list)
	return err
}

// ReleaseHold ends a hold. What it held falls due for the next disposal list; it
// is never destroyed under one drawn up before.
func ReleaseHold(tx *sqlite.Tx, now time.Time, id int64, who, reason string) error {
	res, err := tx.Exec(`
		UPDATE hold SET released_by = ?, released_at = ?, release_reason = ? WHERE id = ? AND released_at IS NULL`,
		who, sqlite.FormatTime(now), reason, id)
	if err != nil {
		return fmt.Errorf("release hold %d: %w", id, err)
	}
	if n, _ := res.RowsAffected(); n == 0 {
		return fmt.Errorf("hold %d: %w", id, ErrNoHold)
	}
	return journal.Write(tx, journal.Entry{At: now, Who: who, Act: journal.HoldReleased, Reason: reason,
		About: journal.About{"hold": id}})
}

// HeldBy returns those of the given records that the hold covers, or covered until
// it was released, with all that shares their fate.
func HeldBy(tx *sqlite.Tx, hold int64, seqs []record.Seq) ([]record.Seq, error) {
	rows, err := tx.Query("SELECT seq FROM record WHERE seq IN (SELECT value FROM json_each(?1)) AND "+heldBy("h.id = ?2")+" ORDER BY seq",
		toJSON(seqs), hold)
	if err != nil {
		return nil, fmt.Errorf("what hold %d covers: %w", hold, err)
	}
	held, err := scanSeqs(rows)
	if err != nil {
		return nil, fmt.Errorf("what hold %d covers: %w", hold, err)
	}
	return held, nil
}

// CountHeld returns how many records are kept from destruction by the hold.
func CountHeld(tx *sqlite.Tx, hold int64) (n int64, err error) {
	if err := tx.QueryRow("SELECT count(*) FROM ("+allHeld("h.id = ?1 AND "+inForce)+")", hold).Scan(&n); err != nil {
		return 0, fmt.Errorf("what hold %d covers: %w", hold, err)
	}
	return n, nil
}

// Holds returns all holds, in force and released, in the order of placing, with
// the records that they name.
func Holds(tx *sqlite.Tx) ([]Hold, error) {
	rows, err := tx.Query(`
		SELECT id, scope, from_at, before_at, member, person, search, review_on,
			coalesce((SELECT group_concat(seq, ' ') FROM hold_record i WHERE i.hold = hold.id), ''),
			reason, placed_by, placed_at, released_by, coalesce(released_at, ''), release_reason
		FROM hold ORDER BY id`)
	if err != nil {
		return nil, fmt.Errorf("read holds: %w", err)
	}
	defer rows.Close()
	var hs []Hold
	for rows.Next() {
		h, err := scanHold(rows)
		if err != nil {
			return nil, fmt.Errorf("read holds: %w", err)
		}
		hs = append(hs, h)
	}
	return hs, rows.Err()
}

func scanHold(rows *sql.Rows) (h Hold, err error) {
	var from, before, named, placed, released string
	var by, why sql.NullString
	if err := rows.Scan(&h.ID, &h.Cover.Scope, &from, &before, &h.Cover.Member, &h.Person, &h.Cover.Search, &h.Review, &named,
		&h.Reason, &h.PlacedBy, &placed, &by, &released, &why); err != nil {
		return Hold{}, err
	}
	h.ReleasedBy, h.ReleaseReason = by.String, why.String
	for _, n := range strings.Fields(named) {
		var seq record.Seq
		if _, err := fmt.Sscan(n, &seq); err != nil {
			return Hold{}, err
		}
		h.Cover.Records = append(h.Cover.Records, seq)
	}
	if h.Cover.Scope == Dates {
		first, err := sqlite.ParseTime(from)
		if err != nil {
			return Hold{}, err
		}
		end, err := sqlite.ParseTime(before)
		if err != nil {
			return Hold{}, err
		}
		h.Cover.From, h.Cover.Through = retention.DateOf(first), retention.DateOf(end).AddDays(-1)
		if f, b, err := h.Cover.times(); err != nil || f != from || b != before {
			h.Cover.From, h.Cover.Through = retention.Date(from), retention.Date(before) // as they stand: no day begins then
		}
	}
	if h.Placed, err = sqlite.ParseTime(placed); err != nil {
		return Hold{}, err
	}
	h.Released, err = sqlite.ParseTime(released)
	return h, err
}

func scanSeqs(rows *sql.Rows) (seqs []record.Seq, err error) {
	defer rows.Close()
	for rows.Next() {
		var s record.Seq
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		seqs = append(seqs, s)
	}
	return seqs, rows.Err()
}
