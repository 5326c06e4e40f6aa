package archive

import (
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
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

// Scope says what a hold covers.
type Scope string

// The scopes of holds.
const (
	Everything Scope = "all"
	Dates      Scope = "dates"
	ByMember   Scope = "member"
	InGroup    Scope = "group"
	Records    Scope = "records"
)

// Cover is what a hold covers; see the fields for which scope each is of. With a
// record, the message is held that it belongs to, all else that belongs to that,
// what it answers and what it quotes, and so on. Of all scopes but Records, what comes
// later is covered as what is here.
type Cover struct {
	Scope     Scope
	From      retention.Date // Dates: the first day of sending, in London,
	Through   retention.Date // and the last
	Member    int64          // ByMember: all that this entry of the member register sent
	Group     string         // InGroup: its JID; Records: the group that the search is confined to, if it is
	GroupName string         // what it was called when the hold was placed
	Records   []record.Seq   // Records: these; given when it is placed
	Search    string         // Records: what was searched for to find them, if they were
	Ahead     bool           // and whether what the search finds later is taken in; see [TakeIn]
}

// Hold is a recorded reason that suspends destruction. It stops destruction, not
// the clock (C9).
type Hold struct {
	ID            int64
	Kind          HoldKind
	Case          string // a reference, such as FOI-2026-003; empty: none was given
	Cover         Cover
	Person        people.ID      // ByMember: who that is
	Review        retention.Date // by when somebody should ask whether it is still needed; empty: no date
	Reminded      retention.Date // when somebody was last reminded of that; empty: never
	Reason        string
	PlacedBy      string
	Placed        time.Time
	ReleasedBy    string
	Released      time.Time // zero while it holds
	ReleaseReason string
	GroupKey      string // by which the journal names Cover.Group
}

// The errors of placing and releasing holds.
var (
	ErrNoHold    = errors.New("there is no such hold in force")
	ErrNotKept   = errors.New("not in the archive")
	errNoRecords = errors.New("there is nothing to hold: no record was named or found")
)

// PlaceHold places a hold of the kind Other, for no case: see [Place].
func PlaceHold(tx *sqlite.Tx, now time.Time, who, reason string, review retention.Date, c Cover) (id int64, err error) {
	return Place(tx, now, who, Hold{Kind: Other, Reason: reason, Review: review, Cover: c})
}

// Place suspends the destruction of what h covers and returns its number. Who places it and
// when is what the arguments say; the review date may be empty.
func Place(tx *sqlite.Tx, now time.Time, who string, h Hold) (id int64, err error) {
	if h.ID, err = place(tx, now, who, &h); err != nil {
		return 0, fmt.Errorf("place hold: %w", err)
	}
	return h.ID, journal.Write(tx, journal.Entry{At: now, Who: who, Act: journal.HoldPlaced, Reason: h.Reason, About: h.About()})
}

func place(tx *sqlite.Tx, now time.Time, who string, h *Hold) (id int64, err error) {
	c := h.Cover
	from, before, err := c.times()
	if err != nil {
		return 0, err
	}
	if c.Scope == InGroup && c.Group == "" {
		return 0, errors.New("it is not said which group")
	}
	if err := Reconcile(tx); err != nil {
		return 0, err
	}
	if c.Scope == ByMember {
		m, err := people.MemberByID(tx, c.Member)
		if err != nil {
			return 0, err
		}
		h.Person = m.Person
	}
	if h.GroupKey, err = groupKey(tx, c.Group); err != nil {
		return 0, err
	}
	if err := tx.QueryRow(`
		INSERT INTO hold (kind, case_ref, scope, from_at, before_at, member, person, group_jid, group_name, search, ahead,
			review_on, reason, placed_by, placed_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
		h.Kind, h.Case, c.Scope, from, before, c.Member, h.Person, c.Group, c.GroupName, c.Search, c.Ahead,
		h.Review, h.Reason, who, sqlite.FormatTime(now)).Scan(&id); err != nil {
		return 0, err
	}
	if c.Scope == Records && !(c.Ahead && len(c.Records) == 0) {
		return id, holdRecords(tx, id, c.Records)
	}
	return id, nil
}

// groupKey names a group in the journal: its JID may hold a telephone number, and its name
// changes. It is keyed as origins are.
func groupKey(tx *sqlite.Tx, jid string) (string, error) {
	if jid == "" {
		return "", nil
	}
	var key []byte
	if err := tx.QueryRow("SELECT origin_key FROM archive").Scan(&key); err != nil {
		return "", err
	}
	h := hmac.New(sha256.New, key)
	h.Write([]byte("group " + jid))
	return hex.EncodeToString(h.Sum(nil)[:16]), nil
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
	about := journal.About{"hold": h.ID, "kind": h.Kind, "scope": c.Scope}
	if h.Case != "" {
		about["case"] = h.Case
	}
	if c.Group != "" {
		about["group"], about["group key"] = c.GroupName, h.GroupKey
	}
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
		if c.Ahead {
			about["ahead"] = true
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
// is never destroyed under one drawn up before. What its search finds that it has not
// taken in yet, it does before.
func ReleaseHold(tx *sqlite.Tx, now time.Time, id int64, who, reason string) error {
	holds, err := searching(tx, "h.id = ? AND "+inForce, id)
	if err == nil && len(holds) > 0 {
		err = takeIn(tx, now, holds)
	}
	if err != nil {
		return fmt.Errorf("release hold %d: %w", id, err)
	}
	return change(tx, id, journal.Entry{At: now, Who: who, Act: journal.HoldReleased, Reason: reason,
		About: journal.About{"hold": id}}, "released_by = ?2, released_at = ?3, release_reason = ?4", who, sqlite.FormatTime(now), reason)
}

// Holds returns all holds, in force and released, in the order of placing, with
// the records that they name.
func Holds(tx *sqlite.Tx) ([]Hold, error) {
	rows, err := tx.Query(`
		SELECT id, kind, case_ref, scope, from_at, before_at, member, person, group_jid, group_name, search, ahead, review_on, reminded_on,
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
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, fmt.Errorf("read holds: %w", err)
	}
	for i := range hs {
		if hs[i].GroupKey, err = groupKey(tx, hs[i].Cover.Group); err != nil {
			return nil, fmt.Errorf("read holds: %w", err)
		}
	}
	return hs, nil
}

func scanHold(rows *sql.Rows) (h Hold, err error) {
	var from, before, named, placed, released string
	var by, why sql.NullString
	if err := rows.Scan(&h.ID, &h.Kind, &h.Case, &h.Cover.Scope, &from, &before, &h.Cover.Member, &h.Person, &h.Cover.Group, &h.Cover.GroupName,
		&h.Cover.Search, &h.Cover.Ahead, &h.Review, &h.Reminded, &named,
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
