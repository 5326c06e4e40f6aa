package journal

import (
	"database/sql"
	"errors"
	"fmt"

	"muniment/internal/sqlite"
)

// Evidence is what proves an entry: its leaf, and what that commits to.
type Evidence struct {
	Leaf  int64
	Salt  []byte
	Facts [][2]string // name and value, in the order of the canonical bytes
}

// OfDestruction returns the entry that tells of the destruction of the record with that
// number; false if there is none.
func OfDestruction(tx *sqlite.Tx, seq int64) (ev Evidence, is bool, err error) {
	var e Entry
	var at, about string
	err = tx.QueryRow(`
		SELECT id, at, who, act, reason, about, salt, leaf FROM journal
		WHERE act = ? AND EXISTS (SELECT 1 FROM json_each(about, '$.records') WHERE value = ?) ORDER BY id DESC LIMIT 1`, RunStep, seq).
		Scan(&e.ID, &at, &e.Who, &e.Act, &e.Reason, &about, &ev.Salt, &ev.Leaf)
	if errors.Is(err, sql.ErrNoRows) {
		return ev, false, nil
	}
	if err == nil {
		e.At, err = sqlite.ParseTime(at)
	}
	if err != nil {
		return ev, false, fmt.Errorf("journal entry of the destruction of record %d: %w", seq, err)
	}
	ev.Facts = facts(e, about)
	return ev, true, nil
}
