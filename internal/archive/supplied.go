package archive

import (
	"database/sql"
	"errors"
	"fmt"
	"time"

	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// Lack is a time of which messages are missing that the council's phone may have.
type Lack struct {
	Gap          int64  // its number
	Group        string // empty: every group
	Since, Until time.Time
}

// Lacks returns the times of which messages are missing that the council's phone may have,
// the latest gap first: while this machine was not linked, what was recorded by a machine that
// was lost, what arrived and was never recorded, and what was announced and never delivered. A time that lasts is not among
// them.
func Lacks(tx *sqlite.Tx) (all []Lack, err error) {
	gaps, err := Gaps(tx)
	if err != nil {
		return nil, err
	}
	for _, g := range gaps {
		l := Lack{g.ID, g.Group, g.Opened, g.Closed}
		switch {
		case (g.Kind == NotLinked || g.Kind == LostWithMachine) && !g.Closed.IsZero():
		case g.Kind == Abandoned, g.Kind == NotDelivered:
			l.Since, l.Until = g.Opened.Add(-aDay), g.Opened
			if g.Kind == NotDelivered { // it was sent while we were away
				l.Since = awaySince(gaps, l)
			}
		default:
			continue
		}
		all = append(all, l)
	}
	return all, nil
}

// awaySince returns when we had last been connected before that, but not less than a day
// earlier: the end of our absence is noted beside what was found out by it.
func awaySince(gaps []Gap, l Lack) time.Time {
	since := l.Since
	for _, g := range gaps {
		if g.Kind == NotConnected && !g.Opened.After(l.Until) && (g.Closed.IsZero() || g.Closed.After(l.Until.Add(-time.Hour))) && g.Opened.Before(since) {
			since = g.Opened
		}
	}
	return since
}

// Supplied notes that the council's phone has supplied records of a group, sent at these
// times, which were captured: they count for the gaps of these times. The gaps stay: that
// nothing else is missing nobody can say.
func Supplied(tx *sqlite.Tx, group string, times []time.Time) error {
	if len(times) == 0 {
		return nil
	}
	lacks, err := Lacks(tx)
	if err != nil {
		return err
	}
	for _, l := range lacks {
		n := 0
		for _, t := range times { // which are of whole seconds
			if (l.Group == "" || l.Group == group) && !t.Before(l.Since.Truncate(time.Second)) && !t.After(l.Until) {
				n++
			}
		}
		if n == 0 {
			continue
		}
		if _, err := tx.Exec("UPDATE gap SET supplied = supplied + ? WHERE id = ?", n, l.Gap); err != nil {
			return fmt.Errorf("gap %d: %w", l.Gap, err)
		}
	}
	return nil
}

// FirstAfter returns the first message of a group that was sent at a time or later and is
// here; false if there is none.
func FirstAfter(tx *sqlite.Tx, group string, after time.Time) (r record.Received, is bool, err error) {
	var sent string
	err = tx.QueryRow(`
		SELECT id, own, sent FROM record
		WHERE group_jid = ? AND sent >= ? AND kind = 'message' AND import = 0 AND id <> '' AND (instr(id, ':') = 0 OR id LIKE 'sent:%')
		ORDER BY sent, seq LIMIT 1`, group, sqlite.FormatTime(after)).Scan(&r.ID, &r.Own, &sent)
	if errors.Is(err, sql.ErrNoRows) {
		return record.Received{}, false, nil
	}
	if err == nil {
		r.Sent, err = sqlite.ParseTime(sent)
	}
	if err != nil {
		return record.Received{}, false, fmt.Errorf("first message after a time: %w", err)
	}
	r.Group = group
	return r, true, nil
}
