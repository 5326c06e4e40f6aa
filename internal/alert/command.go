package alert

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"muniment/internal/command"
	"muniment/internal/sqlite"
)

// Run has the council's own way of telling somebody run, a program: it does not pass through
// the mail server, which may be what the alert is about. It is given a subject and a text on
// its standard input, and in its environment of what kind the alert is, and whether it is
// raised or has ended.
func Run(ctx context.Context, c command.Command, k Kind, s Sort, subject, text string) error {
	return c.Run(ctx, strings.NewReader(subject+"\n\n"+text), "MUNIMENT_ALERT="+string(k), "MUNIMENT_ALERT_STATE="+string(s))
}

// tryAgain is after how long a command that failed is run again, by how often it did; after
// the last of them it is given up.
var tryAgain = []time.Duration{time.Minute, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 6 * time.Hour}

// Begin returns the next telling for which the command has to be run now, and notes that it
// is: should nothing be noted of how it ended, it is run again later. It returns
// [ErrNoTelling] if there is none.
func Begin(tx *sqlite.Tx, now time.Time) (Telling, error) {
	var id int64
	var tries int
	// What is to be run long after now was noted while the clock was ahead.
	err := tx.QueryRow("SELECT id, tries FROM alert_telling WHERE next_try <= ? OR next_try > ? ORDER BY id LIMIT 1",
		sqlite.FormatTime(now), sqlite.FormatTime(now.Add(24*time.Hour))).Scan(&id, &tries)
	if errors.Is(err, sql.ErrNoRows) {
		return Telling{}, ErrNoTelling
	} else if err != nil {
		return Telling{}, fmt.Errorf("alert command: %w", err)
	}
	var next any
	if tries < len(tryAgain) {
		next = sqlite.FormatTime(now.Add(tryAgain[tries]))
	}
	if _, err := tx.Exec("UPDATE alert_telling SET tries = tries + 1, next_try = ? WHERE id = ?", next, id); err != nil {
		return Telling{}, fmt.Errorf("alert command: %w", err)
	}
	return Load(tx, id)
}

// Done notes that the command has succeeded.
func Done(tx *sqlite.Tx, id int64) error {
	if _, err := tx.Exec("UPDATE alert_telling SET next_try = NULL WHERE id = ?", id); err != nil {
		return fmt.Errorf("alert command: %w", err)
	}
	return nil
}
