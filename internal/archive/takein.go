package archive

import (
	"errors"
	"fmt"
	"time"

	"muniment/internal/journal"
	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// ErrAhead is returned for a search from: somebody that is to go on: the names of people
// change, and it would then find what another sent, or nothing.
var ErrAhead = errors.New("from: cannot stand in a search whose hold takes in what comes, since names change: hold what that person sends, or leave it out")

// ErrNotTakenIn is returned where records are to be destroyed before the holds that take in
// what comes have been told of all that came: see [TakeIn].
var ErrNotTakenIn = errors.New("a hold that takes in what its search finds has not seen every record yet")

// FoundBy returns what q finds, which is what text says, as what a hold covers: now, or, if
// ahead, also whatever comes that it finds.
func FoundBy(tx *sqlite.Tx, text string, q Query, ahead bool) (c Cover, err error) {
	if ahead && len(q.From) > 0 {
		return Cover{}, ErrAhead
	}
	c = Cover{Scope: Records, Search: text, Ahead: ahead}
	if c.Records, err = SearchAll(tx, q); err != nil {
		return Cover{}, err
	}
	if q.In != "" {
		c.Group, err = q.group()
		c.GroupName = q.Groups[c.Group]
	}
	return c, err
}

// query is the search of a hold, of the records after a number. It goes on in the group
// that was meant when the hold was placed, whatever that is called since.
func (c Cover) query(after record.Seq) (Query, error) {
	q, err := ParseQuery(c.Search)
	if err != nil {
		return Query{}, err
	}
	q.Groups, q.after = map[string]string{c.Group: q.In}, after
	return q, nil
}

// TakeIn adds to the holds that take in what their search finds whatever has come since
// they last did, and journals what. It brings the search index up to date first, so tx must
// be one that writes. Lists and the destroying statement want it done before, in
// their transaction.
func TakeIn(tx *sqlite.Tx, now time.Time) error {
	holds, err := searching(tx, inForce)
	if err != nil || len(holds) == 0 {
		return err
	}
	return takeIn(tx, now, holds)
}

// takeIn does that for the given holds.
func takeIn(tx *sqlite.Tx, now time.Time, holds []searchingHold) error {
	if err := indexAll(tx); err != nil {
		return fmt.Errorf("take in what comes: %w", err)
	}
	var last record.Seq
	if err := tx.QueryRow("SELECT indexed FROM archive").Scan(&last); err != nil {
		return fmt.Errorf("take in what comes: %w", err)
	}
	for _, h := range holds {
		if h.searched >= last {
			continue
		}
		if err := h.takeIn(tx, now, last); err != nil {
			return fmt.Errorf("take in what comes, for hold %d: %w", h.id, err)
		}
	}
	return nil
}

// searchingHold is a hold that takes in what its search finds.
type searchingHold struct {
	id       int64
	cover    Cover
	searched record.Seq // up to this record
}

// searching returns the holds h that are meant of those that take in what comes.
func searching(tx *sqlite.Tx, which string, args ...any) (holds []searchingHold, err error) {
	rows, err := tx.Query("SELECT h.id, h.search, h.group_jid, h.searched FROM hold h WHERE h.ahead = 1 AND "+which+" ORDER BY h.id", args...)
	if err != nil {
		return nil, fmt.Errorf("holds that take in what comes: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var h searchingHold
		if err := rows.Scan(&h.id, &h.cover.Search, &h.cover.Group, &h.searched); err != nil {
			return nil, fmt.Errorf("holds that take in what comes: %w", err)
		}
		holds = append(holds, h)
	}
	return holds, rows.Err()
}

func (h searchingHold) takeIn(tx *sqlite.Tx, now time.Time, last record.Seq) error {
	q, err := h.cover.query(h.searched)
	if err != nil {
		return err
	}
	var found []record.Seq
	if err := q.find(tx, -1, func(hit Hit) { found = append(found, hit.Seq) }); err != nil {
		return err
	}
	if _, err := tx.Exec("UPDATE hold SET searched = ? WHERE id = ?", last, h.id); err != nil || len(found) == 0 {
		return err
	}
	rows, err := tx.Query("INSERT OR IGNORE INTO hold_record (hold, seq) SELECT ?, value FROM json_each(?) RETURNING seq", h.id, toJSON(found))
	if err != nil {
		return err
	}
	taken, err := scanSeqs(rows)
	if err != nil || len(taken) == 0 {
		return err
	}
	return journal.Write(tx, journal.Entry{At: now, Who: journal.Daemon, Act: journal.HoldGrew,
		About: journal.About{"hold": h.id, "records": record.Spans(taken)}})
}

// allTakenIn returns ErrNotTakenIn if [TakeIn] is to be called first.
func allTakenIn(tx *sqlite.Tx) error {
	var behind bool
	if err := tx.QueryRow("SELECT EXISTS (SELECT 1 FROM hold h WHERE h.ahead = 1 AND " + inForce +
		" AND h.searched < (SELECT coalesce(max(seq), 0) FROM record))").Scan(&behind); err != nil {
		return fmt.Errorf("holds that take in what comes: %w", err)
	}
	if behind {
		return ErrNotTakenIn
	}
	return nil
}

// NotTakenIn returns the records that a hold in force should have taken in and has not, and
// whether it claims to have seen records that there never were.
func NotTakenIn(tx *sqlite.Tx, hold int64) (missing []record.Seq, ahead bool, err error) {
	holds, err := searching(tx, "h.id = ? AND "+inForce, hold)
	if err != nil || len(holds) == 0 {
		return nil, false, err
	}
	next, err := nextSeq(tx)
	if err != nil {
		return nil, false, err
	}
	rows, err := tx.Query("SELECT seq FROM hold_record WHERE hold = ?", hold)
	if err != nil {
		return nil, false, fmt.Errorf("what hold %d has taken in: %w", hold, err)
	}
	taken, err := scanSeqs(rows)
	if err != nil {
		return nil, false, fmt.Errorf("what hold %d has taken in: %w", hold, err)
	}
	has := make(map[record.Seq]bool, len(taken))
	for _, seq := range taken {
		has[seq] = true
	}
	h := holds[0]
	q, err := h.cover.query(0)
	if err == nil {
		err = q.find(tx, -1, func(hit Hit) {
			if hit.Seq <= h.searched && !has[hit.Seq] {
				missing = append(missing, hit.Seq)
			}
		})
	}
	if err != nil {
		return nil, false, fmt.Errorf("the search of hold %d: %w", hold, err)
	}
	return missing, h.searched >= next, nil
}
