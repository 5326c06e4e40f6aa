package archive

import (
	"fmt"
	"time"

	"muniment/internal/retention"
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

// Intake is the account of one day of one run of the daemon: everything received ended
// as one of the other four (DESIGN.md, invariant 7).
type Intake struct {
	Run                                               int64          // the same for all days of one run
	Day                                               retention.Date // London's; of an older version's, on which the run began
	Started, Seen                                     time.Time      // the first and the last that is known of the run on that day; not in this order where the clock was ahead
	Received, Captured, Duplicate, OutOfScope, Failed int64
}

// Unaccounted returns how many events were received of which nothing is known;
// it must be 0 when the daemon rests.
func (i Intake) Unaccounted() int64 {
	return i.Received - i.Captured - i.Duplicate - i.OutOfScope - i.Failed
}

// BeginIntake opens the accounts of a run of the daemon.
func BeginIntake(tx *sqlite.Tx, now time.Time) (run int64, err error) {
	at := sqlite.FormatTime(now)
	err = tx.QueryRow(`
		INSERT INTO intake (run, day, started_at, seen_at) VALUES ((SELECT coalesce(max(id), 0) + 1 FROM intake), ?1, ?2, ?2)
		RETURNING run`, retention.DateOf(now), at).Scan(&run)
	if err != nil {
		return 0, fmt.Errorf("begin intake: %w", err)
	}
	return run, nil
}

// Count adds one event with its outcome to the account of the day on which that is known.
// received is the number counted at the door since the run began: what it is above the
// accounts of the run's other days was received on this one. An event that was counted
// at the door and could not be counted here has to be, with the next one that can. It also
// notes that the daemon was there.
func Count(tx *sqlite.Tx, now time.Time, run, received int64, o Outcome) error {
	return CountAll(tx, now, run, received, o, 1)
}

// CountAll is [Count] for n events.
func CountAll(tx *sqlite.Tx, now time.Time, run, received int64, o Outcome, n int64) error {
	if _, err := tx.Exec(fmt.Sprintf(`
		INSERT INTO intake (run, day, started_at, seen_at, received, %[1]s)
		VALUES (?1, ?2, ?3, ?3, max(0, ?4 - (SELECT coalesce(sum(received), 0) FROM intake WHERE run = ?1 AND day <> ?2)), ?5)
		ON CONFLICT (run, day) DO UPDATE SET %[1]s = %[1]s + ?5, received = max(received, excluded.received), seen_at = excluded.seen_at`, o),
		run, retention.DateOf(now), sqlite.FormatTime(now), received, n); err != nil {
		return fmt.Errorf("count intake: %w", err)
	}
	return nil
}

// Alive notes that the daemon was there at the given time. What was noted of a later time
// was so while the clock was ahead; it would hide that the daemon was not there afterwards.
func Alive(tx *sqlite.Tx, now time.Time, run int64) error {
	if _, err := tx.Exec(`
		INSERT INTO intake (run, day, started_at, seen_at) VALUES (?1, ?2, ?3, ?3)
		ON CONFLICT (run, day) DO UPDATE SET seen_at = ?3`, run, retention.DateOf(now), sqlite.FormatTime(now)); err != nil {
		return fmt.Errorf("note that the daemon is there: %w", err)
	}
	if _, err := tx.Exec("UPDATE intake SET seen_at = ?1 WHERE seen_at > ?1", sqlite.FormatTime(now)); err != nil {
		return fmt.Errorf("note that the daemon is there: %w", err)
	}
	return nil
}

// LastSeen returns when the daemon was last there before now, as far as that was noted;
// the zero time if it never was. If the clock was ahead then, it was there just now.
func LastSeen(tx *sqlite.Tx, now time.Time) (time.Time, error) {
	var seen string
	if err := tx.QueryRow("SELECT coalesce(min(max(seen_at), ?), '') FROM intake", sqlite.FormatTime(now)).Scan(&seen); err != nil {
		return time.Time{}, fmt.Errorf("when the daemon was last there: %w", err)
	}
	return sqlite.ParseTime(seen)
}

// Intakes returns the accounts of all days of all runs of the daemon, the latest first.
func Intakes(tx *sqlite.Tx) ([]Intake, error) {
	rows, err := tx.Query(`
		SELECT run, day, started_at, seen_at, received, captured, duplicate, out_of_scope, failed
		FROM intake ORDER BY run DESC, day DESC`)
	if err != nil {
		return nil, fmt.Errorf("read intake: %w", err)
	}
	defer rows.Close()
	var all []Intake
	for rows.Next() {
		var i Intake
		var started, seen string
		if err := rows.Scan(&i.Run, &i.Day, &started, &seen, &i.Received, &i.Captured, &i.Duplicate, &i.OutOfScope, &i.Failed); err != nil {
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
