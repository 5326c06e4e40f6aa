package vault

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// askAgain is how long the council's phone is waited for after it was asked once, twice
// and so on, before it is asked again; the last is for how long after that the file is
// wanted. A phone may be switched off for a weekend.
var askAgain = []time.Duration{time.Hour, 6 * time.Hour, 24 * time.Hour, 3 * 24 * time.Hour, 24 * time.Hour}

// mostAsked is how many files the phone is asked for in an hour: each time it uploads one,
// over the line that its owner pays for.
const mostAsked = 30

// gone does what is left to do for a file that WhatsApp no longer has: its servers keep one
// for weeks only, but the council's own phone has it perhaps, and uploads it when it is
// asked. Meanwhile WhatsApp is asked now and then, which costs nothing: that it has
// something no more has been said in error before.
func (v *Vault) gone(f *fetch, log *slog.Logger) error {
	now := v.Now()
	if f.Asked > 0 && !now.Before(f.AskedAt) { // else the clock was ahead then
		wait := f.AskedAt.Add(askAgain[min(f.Asked, len(askAgain))-1]).Sub(now)
		if wait > 0 {
			return v.DB.Write(f.ctx, func(tx *sqlite.Tx) error {
				return putOff(tx, f, now.Add(min(wait, backoff[len(backoff)-1])))
			})
		}
	}
	switch {
	case v.Ask == nil:
		return v.lose(f, log, gone)
	case f.Asked >= len(askAgain):
		return v.lose(f, log, silent)
	}
	return v.ask(f, log)
}

// ask asks the council's phone for a file, unless it was asked for too many within the
// hour. That it is asked is on disk before it is, since its answer may come at once.
func (v *Vault) ask(f *fetch, log *slog.Logger) error {
	now := v.Now()
	var full bool
	err := v.DB.Write(f.ctx, func(tx *sqlite.Tx) error {
		first, n, err := askedSince(tx, now.Add(-time.Hour), now)
		if err != nil {
			return err
		}
		if full = n >= mostAsked; full {
			return putOff(tx, f, first.Add(time.Hour))
		}
		if _, err := tx.Exec("UPDATE media SET asked = asked + 1, asked_at = ? WHERE seq = ? AND state = 'wanted'", sqlite.FormatTime(now), f.Seq); err != nil {
			return err
		}
		return putOff(tx, f, now.Add(min(askAgain[f.Asked], backoff[len(backoff)-1])))
	})
	if err != nil || full {
		return err
	}
	switch err = v.Ask(f.ctx, f.Seq, f.Key); {
	case err == nil:
		log.Info("WhatsApp no longer has the file; the council's phone was asked for it", "asked", f.Asked+1)
		return nil
	case errors.Is(err, ErrGone):
		return v.lose(f, log, gone)
	}
	log.Warn("the council's phone could not be asked for a file, will be tried again", "err", bare(err))
	return v.DB.Write(f.ctx, func(tx *sqlite.Tx) error {
		was := any(nil)
		if f.Asked > 0 {
			was = sqlite.FormatTime(f.AskedAt)
		}
		if _, err := tx.Exec("UPDATE media SET asked = ?, asked_at = ? WHERE seq = ?", f.Asked, was, f.Seq); err != nil {
			return err
		}
		return putOff(tx, f, now.Add(backoff[0]))
	})
}

// askedSince counts the files that the phone was asked for in a time, and returns when the
// first of them was.
func askedSince(tx *sqlite.Tx, from, to time.Time) (first time.Time, n int, err error) {
	var s string
	if err := tx.QueryRow("SELECT count(*), coalesce(min(asked_at), '') FROM media WHERE asked > 0 AND asked_at > ? AND asked_at <= ?",
		sqlite.FormatTime(from), sqlite.FormatTime(to)).Scan(&n, &s); err != nil {
		return first, 0, fmt.Errorf("count what the phone was asked for: %w", err)
	}
	first, err = sqlite.ParseTime(s)
	return first, n, err
}

// AskedFor returns the files that the council's phone was asked for and that are wanted
// still, in order of the records.
func AskedFor(tx *sqlite.Tx) (files []Media, err error) {
	err = each(tx, func(m Media) error {
		files = append(files, m)
		return nil
	}, "SELECT "+columns+" FROM media WHERE asked > 0 AND state = 'wanted' ORDER BY seq")
	return files, err
}

// Supplied notes that the council's phone has uploaded the file of a record once more, to
// where path says, and has it fetched from there; see [Vault.Wake]. It reports whether
// anybody waits for it. That it is the same file, its digests tell when it comes.
func Supplied(tx *sqlite.Tx, now time.Time, seq record.Seq, path string) (bool, error) {
	if !strings.HasPrefix(path, "/") {
		return false, nil
	}
	done, err := tx.Exec(`
		UPDATE media SET path = ?, attempts = 0, next_attempt = ?
		WHERE seq = ? AND state = 'wanted' AND asked > 0`, path, sqlite.FormatTime(now), seq)
	if err != nil {
		return false, fmt.Errorf("the file of record %d was supplied: %w", seq, err)
	}
	n, err := done.RowsAffected()
	return n > 0, err
}

// NotSupplied notes that the council's phone has not got the file of a record either: it
// is lost. It reports whether anybody has waited for it.
func NotSupplied(tx *sqlite.Tx, now time.Time, seq record.Seq) (bool, error) {
	done, err := tx.Exec(`
		UPDATE media SET state = 'lost', reason = ?, finished_at = ?
		WHERE seq = ? AND state = 'wanted' AND asked > 0`, nowhere, sqlite.FormatTime(now), seq)
	if err != nil {
		return false, fmt.Errorf("the file of record %d was not supplied: %w", seq, err)
	}
	if n, err := done.RowsAffected(); err != nil || n == 0 {
		return false, err
	}
	return true, journalLoss(tx, now, seq, nowhere)
}
