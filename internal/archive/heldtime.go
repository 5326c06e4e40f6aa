package archive

import (
	"fmt"

	"muniment/internal/journal"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
)

// endOfTime is after all that is ever written.
var endOfTime = retention.Never.Start()

// HeldTimes returns the times of which nothing is destroyed, whatever it is, because of the
// holds in force and of those with these numbers, released or not: all time for one on
// everything, its days for one on days. One on certain messages is on no time; any
// other is taken to be on everything.
func HeldTimes(tx *sqlite.Tx, also []int64) (spans []journal.Span, err error) {
	rows, err := tx.Query(`
		SELECT scope, from_at, before_at FROM hold
		WHERE (released_at IS NULL OR id IN (SELECT value FROM json_each(?))) AND scope NOT IN ('member', 'records', 'group')`, toJSON(also))
	if err != nil {
		return nil, fmt.Errorf("times on hold: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var scope Scope
		var from, before string
		if err := rows.Scan(&scope, &from, &before); err != nil {
			return nil, fmt.Errorf("times on hold: %w", err)
		}
		s := journal.Span{Before: endOfTime}
		if scope == Dates {
			if s.From, err = sqlite.ParseTime(from); err != nil {
				return nil, fmt.Errorf("times on hold: %w", err)
			}
			if s.Before, err = sqlite.ParseTime(before); err != nil {
				return nil, fmt.Errorf("times on hold: %w", err)
			}
		}
		spans = append(spans, s)
	}
	return spans, rows.Err()
}
