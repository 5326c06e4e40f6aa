package archive

import (
	"database/sql"
	"errors"
	"fmt"
	"time"

	"muniment/internal/journal"
	"muniment/internal/sqlite"
)

// onHold is the hold predicate, of a row of record. It stands in the statement
// that destroys, so that no hold can be placed between the look and the deed.
const onHold = "EXISTS (SELECT 1 FROM hold WHERE released_at IS NULL AND scope = 'all')"

// Hold is a recorded reason that suspends destruction. It stops destruction, not
// the clock (C9). Its scope today is always everything.
type Hold struct {
	ID            int64
	Reason        string
	PlacedBy      string
	Placed        time.Time
	ReleasedBy    string
	Released      time.Time // zero while it holds
	ReleaseReason string
}

// ErrNoHold is returned where there is no such hold, or it is released already.
var ErrNoHold = errors.New("there is no such hold in force")

// PlaceHoldOnAll suspends all destruction and returns the hold's number.
func PlaceHoldOnAll(tx *sqlite.Tx, now time.Time, who, reason string) (id int64, err error) {
	if err := tx.QueryRow(`
		INSERT INTO hold (scope, reason, placed_by, placed_at) VALUES ('all', ?, ?, ?) RETURNING id`,
		reason, who, sqlite.FormatTime(now)).Scan(&id); err != nil {
		return 0, fmt.Errorf("place hold: %w", err)
	}
	return id, journal.Write(tx, journal.Entry{At: now, Who: who, Act: journal.HoldPlaced, Reason: reason,
		About: journal.About{"hold": id, "scope": "all"}})
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

// Holds returns all holds, in force and released, in the order of placing.
func Holds(tx *sqlite.Tx) ([]Hold, error) {
	rows, err := tx.Query(`
		SELECT id, reason, placed_by, placed_at, released_by, coalesce(released_at, ''), release_reason
		FROM hold ORDER BY id`)
	if err != nil {
		return nil, fmt.Errorf("read holds: %w", err)
	}
	defer rows.Close()
	var hs []Hold
	for rows.Next() {
		var h Hold
		var placed, released string
		var by, why sql.NullString
		if err := rows.Scan(&h.ID, &h.Reason, &h.PlacedBy, &placed, &by, &released, &why); err != nil {
			return nil, fmt.Errorf("read holds: %w", err)
		}
		h.ReleasedBy, h.ReleaseReason = by.String, why.String
		if h.Placed, err = sqlite.ParseTime(placed); err != nil {
			return nil, err
		}
		if h.Released, err = sqlite.ParseTime(released); err != nil {
			return nil, err
		}
		hs = append(hs, h)
	}
	return hs, rows.Err()
}
