package history

import (
	"fmt"
	"time"

	"muniment/internal/sqlite"
)

// Anchor is a message as the phone names it, of a listed group.
type Anchor struct {
	ID   string
	Own  bool // the council's own account sent it
	Sent time.Time
}

// Request is what the phone is asked for: what was sent in a group before an anchor.
type Request struct {
	Gap          int64 // its number
	Group        string
	Since, Until time.Time // of the gap
	Before       Anchor    // none yet, if it has no ID
	Asked        int       // how often the phone was asked on account of this gap
	Outcome      string    // how it ended, in words for everybody; empty while it goes on
}

// How often, and how long, the phone is asked. It is in somebody's pocket.
const (
	AskCount  = 50 // messages that it is asked for at once
	maxAsked  = 40 // requests for one gap and group
	askPause  = time.Minute
	answering = 10 * time.Minute // while which nothing else is asked
)

// silences are how long the phone may leave a request unanswered before it is made again;
// after the last it is not.
var silences = []time.Duration{answering, time.Hour, 6 * time.Hour, 24 * time.Hour, 3 * 24 * time.Hour}

// How asking ends.
const (
	Through    = "the phone's history was read back to before the gap"
	NothingNew = "the phone has nothing more"
	Unanswered = "the phone did not answer"
	Enough     = "the phone was asked as often as it may be"
)

// Plan notes that the phone is to be asked for what a group said in the time of a gap; it
// may be noted already.
func Plan(tx *sqlite.Tx, now time.Time, gap int64, group string, since, until time.Time) error {
	return exec(tx, "INSERT INTO history_request (gap, group_jid, since, until, ask_at) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
		gap, group, sqlite.FormatTime(since), sqlite.FormatTime(until), sqlite.FormatTime(now))
}

// NextRequest returns what to ask the phone for now; false if it is nothing. One request
// is under way at a time. First returns the first message of a group that was sent after
// that time and is here: where there is none, the request waits for one. Ended are those
// found to be over.
//
// What it returns counts as asked, in this transaction, so that a crash cannot have the
// phone asked without end.
func NextRequest(tx *sqlite.Tx, now time.Time, first func(group string, after time.Time) (Anchor, bool, error)) (q Request, is bool, ended []Request, err error) {
	if busy, err := busy(tx, now); err != nil || busy {
		return Request{}, false, nil, err
	}
	due, err := requests(tx, "ask_at IS NOT NULL AND (ask_at <= ? OR ask_at > ?) ORDER BY asked, gap DESC, group_jid",
		sqlite.FormatTime(now), sqlite.FormatTime(now.Add(2*silences[len(silences)-1])))
	if err != nil {
		return Request{}, false, nil, err
	}
	for _, r := range due {
		if r.waiting {
			r.silent++
		}
		over := ""
		switch {
		case r.silent >= len(silences):
			over = Unanswered
		case r.Asked >= maxAsked:
			over = Enough
		}
		if over != "" {
			if err := r.end(tx, over); err != nil {
				return Request{}, false, nil, err
			}
			ended = append(ended, r.Request)
			continue
		}
		if r.Before.ID == "" {
			a, found, err := first(r.Group, r.Until)
			if err != nil {
				return Request{}, false, nil, err
			} else if !found {
				continue
			}
			r.Before = a
		}
		r.Asked++
		return r.Request, true, ended, exec(tx, `
			UPDATE history_request SET anchor_id = ?, anchor_own = ?, anchor_sent = ?, asked = ?, silent = ?, asked_at = ?, waiting = 1, ask_at = ?
			WHERE gap = ? AND group_jid = ?`, r.Before.ID, r.Before.Own, sqlite.FormatTime(r.Before.Sent), r.Asked, r.silent,
			sqlite.FormatTime(now), sqlite.FormatTime(now.Add(silences[r.silent])), r.Gap, r.Group)
	}
	return Request{}, false, ended, nil
}

// busy reports whether the phone was asked for something a moment ago, or is answering.
func busy(tx *sqlite.Tx, now time.Time) (is bool, err error) {
	if err := tx.QueryRow(`
		SELECT EXISTS (SELECT 1 FROM history_request WHERE asked_at <= ?1 AND (asked_at > ?2 OR waiting AND asked_at > ?3))`,
		sqlite.FormatTime(now), sqlite.FormatTime(now.Add(-askPause)), sqlite.FormatTime(now.Add(-answering))).Scan(&is); err != nil {
		return false, fmt.Errorf("what to ask the phone for: %w", err)
	}
	return is, nil
}

// Failed notes that a request could not be made after all.
func Failed(tx *sqlite.Tx, now time.Time, q Request) error {
	return exec(tx, "UPDATE history_request SET waiting = 0, ask_at = ? WHERE gap = ? AND group_jid = ?",
		sqlite.FormatTime(now.Add(askPause)), q.Gap, q.Group)
}

// Answered notes that a piece came that answers a request, and the oldest message of each
// listed group in it. It returns the request that this ends, if it ends one.
func Answered(tx *sqlite.Tx, now time.Time, oldest map[string]Anchor) (ended Request, is bool, err error) {
	open, err := requests(tx, "ask_at IS NOT NULL AND waiting ORDER BY asked_at DESC")
	if err != nil {
		return Request{}, false, err
	}
	for _, r := range open {
		a, told := oldest[r.Group]
		if !told && len(oldest) > 0 {
			continue // the answer to another
		}
		switch {
		case !told, a.ID == r.Before.ID, a.Sent.After(r.Before.Sent):
			err = r.end(tx, NothingNew)
		case a.Sent.Before(r.Since):
			err = r.end(tx, Through)
		default:
			return Request{}, false, exec(tx, `
				UPDATE history_request SET anchor_id = ?, anchor_own = ?, anchor_sent = ?, waiting = 0, silent = 0, ask_at = ?
				WHERE gap = ? AND group_jid = ?`, a.ID, a.Own, sqlite.FormatTime(a.Sent), sqlite.FormatTime(now), r.Gap, r.Group)
		}
		return r.Request, err == nil, err
	}
	return Request{}, false, nil
}

// Requests returns what the phone is, and was, asked for, the latest gap first.
func Requests(tx *sqlite.Tx) (all []Request, err error) {
	rs, err := requests(tx, "1 ORDER BY gap DESC, group_jid")
	for _, r := range rs {
		all = append(all, r.Request)
	}
	return all, err
}

type request struct {
	Request
	silent  int
	waiting bool
}

// end notes that nothing more is asked for, and forgets the message that was asked before.
func (r *request) end(tx *sqlite.Tx, outcome string) error {
	r.Outcome = outcome
	return exec(tx, "UPDATE history_request SET anchor_id = '', anchor_sent = NULL, waiting = 0, ask_at = NULL, outcome = ? WHERE gap = ? AND group_jid = ?",
		outcome, r.Gap, r.Group)
}

func requests(tx *sqlite.Tx, which string, args ...any) (all []request, err error) {
	rows, err := tx.Query(`
		SELECT gap, group_jid, since, until, anchor_id, anchor_own, coalesce(anchor_sent, ''), asked, silent, waiting, outcome
		FROM history_request WHERE `+which, args...)
	if err != nil {
		return nil, fmt.Errorf("what to ask the phone for: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var r request
		var since, until, sent string
		if err := rows.Scan(&r.Gap, &r.Group, &since, &until, &r.Before.ID, &r.Before.Own, &sent, &r.Asked, &r.silent, &r.waiting, &r.Outcome); err != nil {
			return nil, fmt.Errorf("what to ask the phone for: %w", err)
		}
		for _, t := range []struct {
			to   *time.Time
			from string
		}{{&r.Since, since}, {&r.Until, until}, {&r.Before.Sent, sent}} {
			if *t.to, err = sqlite.ParseTime(t.from); err != nil {
				return nil, fmt.Errorf("what to ask the phone for: %w", err)
			}
		}
		all = append(all, r)
	}
	return all, rows.Err()
}
