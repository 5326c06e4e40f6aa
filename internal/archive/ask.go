package archive

import (
	"database/sql"
	"errors"
	"fmt"
	"time"

	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// When the council's phone is asked for a missing message. Of one that could not be read
// whatsmeow has asked it once, and the sender's phone as well: so a little later; of one
// that was never received at once.
const firstAsk = 2 * time.Minute

// askPauses are the times after which it is asked again; after the last of them, an
// answer has this much time before it was asked in vain.
var askPauses = []time.Duration{10 * time.Minute, time.Hour, 6 * time.Hour, 24 * time.Hour, 3 * 24 * time.Hour, 7 * 24 * time.Hour, 24 * time.Hour}

// askFor is for how long a message is asked for, where so many are missing that not each
// has had its turn.
const askFor = 14 * 24 * time.Hour

// maxAskStep bounds of how many messages one call of NextToAsk finds that they are not to
// be asked for any more: a capture waits meanwhile.
const maxAskStep = 50

// NextToAsk returns a missing message that the council's phone is to be asked for now, and
// counts that; false if there is none. It is counted before it is done, so that a crash
// cannot have the phone asked without end: an attempt that failed is one, too. What could
// not be read comes before what was never received, since anybody can name a message that
// never was, and what was asked for less often first.
//
// Where it was asked for in vain, or was found meanwhile under another of its sender's
// addresses, that is noted.
func (a *Archive) NextToAsk(tx *sqlite.Tx, now time.Time) (m Missed, is bool, err error) {
	for range maxAskStep {
		due, is, err := nextDue(tx, now)
		if err != nil || !is {
			return Missed{}, false, err
		}
		sender, err := people.LookUp(tx, due.Ref.Sender)
		if err != nil {
			return Missed{}, false, fmt.Errorf("what to ask for: %w", err)
		}
		missing, err := a.isMissing(tx, due.Group, sender, due.Ref.ID)
		switch {
		case err != nil:
			return Missed{}, false, err
		case !missing:
			err = closeGaps(tx, now, "", "id = ?1", due.gap)
		case due.asked >= len(askPauses) || now.Sub(due.opened) > askFor:
			err = a.endAsking(tx, now, due.gap, due.Group, sender, due.Ref.ID)
		default:
			_, err = tx.Exec("UPDATE gap SET asked = asked + 1, asked_at = ?, ask_at = ? WHERE id = ?",
				sqlite.FormatTime(now), sqlite.FormatTime(now.Add(askPauses[due.asked])), due.gap)
			if err == nil {
				return due.Missed, true, nil
			}
		}
		if err != nil {
			return Missed{}, false, fmt.Errorf("what to ask for: %w", err)
		}
	}
	return Missed{}, false, nil
}

// dueAsk is a message that it is time to ask for.
type dueAsk struct {
	Missed
	gap    int64
	asked  int
	opened time.Time
}

// nextDue returns the one whose turn it is. Where it is not due for longer than there are
// pauses, the clock was ahead.
func nextDue(tx *sqlite.Tx, now time.Time) (d dueAsk, is bool, err error) {
	var opened string
	err = tx.QueryRow(`
		WITH lately (sender, n) AS MATERIALIZED (
			SELECT sender, count(*) FROM gap WHERE ask_at IS NOT NULL AND asked_at > ?4 AND asked_at <= ?1 GROUP BY sender)
		SELECT id, group_jid, message_id, gap.sender, own, asked, opened_at FROM gap LEFT JOIN lately USING (sender)
		WHERE ask_at IS NOT NULL AND (ask_at <= ?1 OR ask_at > ?2)
		ORDER BY kind = ?3, coalesce(n, 0), asked, ask_at, id LIMIT 1`,
		sqlite.FormatTime(now), sqlite.FormatTime(now.Add(askFor)), NotReceived, sqlite.FormatTime(now.Add(-time.Hour))).
		Scan(&d.gap, &d.Group, &d.Ref.ID, &d.Ref.Sender.JID, &d.Own, &d.asked, &opened)
	if errors.Is(err, sql.ErrNoRows) {
		return dueAsk{}, false, nil
	}
	if err == nil {
		d.opened, err = sqlite.ParseTime(opened)
	}
	if err != nil {
		return dueAsk{}, false, fmt.Errorf("what to ask for: %w", err)
	}
	return d, true, nil
}

// EndAsking has nobody ask any more for messages that were found to be missing two weeks ago,
// whether they could be asked for or not: without a link nobody asks, and which they are, and
// who sent them, must not stay for that. It does so of a few at a time.
func (a *Archive) EndAsking(tx *sqlite.Tx, now time.Time) error {
	rows, err := tx.Query("SELECT id, group_jid, message_id, sender FROM gap WHERE ask_at IS NOT NULL AND opened_at < ? LIMIT ?",
		sqlite.FormatTime(now.Add(-askFor)), maxAskStep)
	if err != nil {
		return fmt.Errorf("end asking: %w", err)
	}
	defer rows.Close()
	var all []dueAsk
	for rows.Next() {
		var d dueAsk
		if err := rows.Scan(&d.gap, &d.Group, &d.Ref.ID, &d.Ref.Sender.JID); err != nil {
			return fmt.Errorf("end asking: %w", err)
		}
		all = append(all, d)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return fmt.Errorf("end asking: %w", err)
	}
	for _, d := range all {
		sender, err := people.LookUp(tx, d.Ref.Sender)
		if err != nil {
			return fmt.Errorf("end asking: %w", err)
		}
		missing, err := a.isMissing(tx, d.Group, sender, d.Ref.ID)
		if err == nil && !missing {
			err = closeGaps(tx, now, "", "id = ?1", d.gap)
		} else if err == nil {
			err = a.endAsking(tx, now, d.gap, d.Group, sender, d.Ref.ID)
		}
		if err != nil {
			return fmt.Errorf("end asking: %w", err)
		}
	}
	return nil
}

// endAsking notes that a message is not asked for any more, and forgets which it was. If
// somebody quotes it, what it said is known, and the gap ends; else it stays.
func (a *Archive) endAsking(tx *sqlite.Tx, now time.Time, gap int64, group string, sender people.Identity, id string) error {
	if _, err := tx.Exec("UPDATE gap SET message_id = '', sender = '', ask_at = NULL WHERE id = ?", gap); err != nil {
		return fmt.Errorf("end asking: %w", err)
	}
	in, args := oneOf(a.originsOf(record.Message, group, sender, id))
	var quoted bool // the text of a quotation that was destroyed is null
	if err := tx.QueryRow("SELECT EXISTS (SELECT 1 FROM quotation WHERE origin "+in+" AND text <> '')", args...).Scan(&quoted); err != nil {
		return fmt.Errorf("end asking: %w", err)
	}
	if !quoted {
		return nil
	}
	return closeGaps(tx, now, Quoted, "id = ?1", gap)
}

// forgetAsking has no message asked for any more that has the ID of one that was destroyed:
// the ID must not stay. Nor must what only that one named: it is older, and due as well.
func forgetAsking(tx *sqlite.Tx, seq record.Seq, group, id string) error {
	_, err := tx.Exec(`UPDATE gap SET message_id = '', sender = '', ask_at = NULL
		WHERE ask_at IS NOT NULL AND (group_jid = ? AND message_id = ? OR named_by = ?)`, group, id, seq)
	return err
}
