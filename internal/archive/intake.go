package archive

import (
	"fmt"
	"time"

	"muniment/internal/sqlite"
)

// Outcome is what became of one event that WhatsApp delivered.
type Outcome string

// The outcomes. Their names are columns of the intake table.
const (
	WasCaptured   Outcome = "captured"
	WasDuplicate  Outcome = "duplicate"
	WasOutOfScope Outcome = "out_of_scope"
	HasFailed     Outcome = "failed"
)

// Intake is the account of one run of the daemon: everything received ended as
// one of the other four (DESIGN.md, invariant 7).
type Intake struct {
	Started, Seen                                     time.Time
	Received, Captured, Duplicate, OutOfScope, Failed int64
}

// Unaccounted returns how many events were received of which nothing is known;
// it must be 0 when the daemon rests.
func (i Intake) Unaccounted() int64 {
	return i.Received - i.Captured - i.Duplicate - i.OutOfScope - i.Failed
}

// BeginIntake opens the account of a run of the daemon.
func BeginIntake(tx *sqlite.Tx, now time.Time) (id int64, err error) {
	at := sqlite.FormatTime(now)
	err = tx.QueryRow("INSERT INTO intake (started_at, seen_at) VALUES (?, ?) RETURNING id", at, at).Scan(&id)
	if err != nil {
		return 0, fmt.Errorf("begin intake: %w", err)
	}
	return id, nil
}

// Count adds one event with its outcome to the account. received is the number
// counted at the door so far.
func Count(tx *sqlite.Tx, id, received int64, o Outcome) error {
	if _, err := tx.Exec(fmt.Sprintf("UPDATE intake SET %[1]s = %[1]s + 1, received = max(received, ?) WHERE id = ?", o), received, id); err != nil {
		return fmt.Errorf("count intake: %w", err)
	}
	return nil
}

// Alive notes that the daemon was there at the given time.
func Alive(tx *sqlite.Tx, now time.Time, id int64) error {
	if _, err := tx.Exec("UPDATE intake SET seen_at = ? WHERE id = ?", sqlite.FormatTime(now), id); err != nil {
		return fmt.Errorf("note that the daemon is there: %w", err)
	}
	return nil
}

// Intakes returns the accounts of all runs of the daemon, the latest first.
func Intakes(tx *sqlite.Tx) ([]Intake, error) {
	rows, err := tx.Query(`
		SELECT started_at, seen_at, received, captured, duplicate, out_of_scope, failed
		FROM intake ORDER BY id DESC`)
	if err != nil {
		return nil, fmt.Errorf("read intake: %w", err)
	}
	defer rows.Close()
	var all []Intake
	for rows.Next() {
		var i Intake
		var started, seen string
		if err := rows.Scan(&started, &seen, &i.Received, &i.Captured, &i.Duplicate, &i.OutOfScope, &i.Failed); err != nil {
			return nil, fmt.Errorf("read intake: %w", err)
		}
		if i.Started, err = sqlite.ParseTime(started); err != nil {
			return nil, err
		}
		if i.Seen, err = sqlite.ParseTime(seen); err != nil {
			return nil, err
		}
		all = append(all, i)
	}
	return all, rows.Err()
}
