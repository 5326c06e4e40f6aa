package archive

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"muniment/internal/journal"
	"muniment/internal/ledger"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
)

// RunAccount is what a disposal run destroyed, as its signed account tells backups.
type RunAccount struct {
	Run     int64
	Records []Gone
	Entries []journal.Stub
}

// accountForm is the first line of an account.
const accountForm = "muniment destroyed 1"

// ReadAccount reads the account of a run, which says what [Account] told, and of which the caller has checked the signature. What
// it cannot read whole, it refuses: a line left out would come back to life.
func ReadAccount(text string) (a RunAccount, err error) {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if lines[0] != accountForm {
		return a, errors.New("it is no account of what was destroyed, or one of a newer muniment")
	}
	run, is := "", false
	if len(lines) > 1 {
		run, is = strings.CutPrefix(lines[1], "run ")
	}
	if a.Run, err = strconv.ParseInt(run, 10, 64); err != nil || !is || a.Run <= 0 {
		return RunAccount{}, errors.New("the account does not say of which run it is")
	}
	for i, line := range lines[2:] {
		if err := a.readLine(line); err != nil {
			return RunAccount{}, fmt.Errorf("line %d of the account: %w", i+3, err)
		}
	}
	return a, nil
}

func (a *RunAccount) readLine(line string) error {
	var of struct {
		Seq   record.Seq `json:"seq"`
		Entry int64      `json:"entry"`
	}
	var g Gone
	var e journal.Stub
	err := json.Unmarshal([]byte(line), &of)
	switch {
	case err != nil:
	case (of.Seq > 0) == (of.Entry > 0) || of.Seq < 0 || of.Entry < 0:
		return errors.New("it is neither of a record nor of an entry")
	case of.Seq > 0:
		err = json.Unmarshal([]byte(line), &g)
	default:
		err = json.Unmarshal([]byte(line), &e)
	}
	switch {
	case err != nil:
		return errors.New("it is not JSON of the form that it should have") // its own words might repeat anything
	case of.Seq > 0 && len(g.Hash) != len(ledger.Hash{}), of.Entry > 0 && e.Hash == ledger.Hash{}:
		return errors.New("it has no leaf")
	case of.Seq > 0 && len(g.Origin) == 0:
		return errors.New("it does not say which record it was")
	case of.Seq > 0 && !(isDate(g.On) && isDate(g.SentOn)), of.Entry > 0 && !isDate(e.DestroyedOn):
		return errors.New("it has no date")
	case of.Seq > 0:
		a.Records = append(a.Records, g)
	default:
		a.Entries = append(a.Entries, e)
	}
	return nil
}

func isDate(d retention.Date) bool {
	_, err := retention.ParseDate(string(d))
	return err == nil
}

// Replayed is what became of the records of an account in a restored archive.
type Replayed struct {
	Destroyed []Destroyed  // now
	Quoted    []Destroyed  // of what was barred, what others had quoted of it
	Barred    []record.Seq // stubs, under new numbers, of what the backup never had, so that it cannot come again
	Known     int          // stubs already
	Otherwise []record.Seq // kept: captured anew since, so this account is not of them
}

// Replay destroys in a restored archive what the account of a run says was destroyed after
// the backup had been made, or in part after it. The run was lawful, and so its repetition
// is: neither a due date nor a hold is asked for, since what the restored archive knows of
// holds is of the time of the backup, and what was on hold when the run came would not have
// gone. The holds themselves stay.
func (a *Archive) Replay(tx *sqlite.Tx, now time.Time, run int64, records []Gone) (r Replayed, err error) {
	of := make(map[record.Seq]Gone) // by their numbers here
	var barred []Gone
	for _, w := range records {
		seq, leaf, err := here(tx, w.Origin)
		switch {
		case err != nil:
			return r, fmt.Errorf("repeat the destruction of record %d: %w", w.Seq, err)
		case seq == 0:
			barred = append(barred, w)
		case leaf == nil:
			r.Known++
		case !bytes.Equal(leaf[:], w.Hash):
			r.Otherwise = append(r.Otherwise, seq)
		default:
			of[seq] = w
			if err := letAccountThrough(tx, seq, w.Origin); err != nil {
				return r, err
			}
		}
	}
	all, err := deleteLetThrough(tx)
	if err != nil {
		return r, fmt.Errorf("destroy records again: %w", err)
	}
	for _, g := range all {
		w := of[g.Seq]
		if err := leaveStub(tx, run, g.Seq, g.leaf, w); err != nil {
			return r, err
		}
		if err := g.destroyBelongings(tx); err != nil {
			return r, fmt.Errorf("destroy record %d again: %w", g.Seq, err)
		}
		r.Destroyed = append(r.Destroyed, g.Destroyed)
	}
	for _, w := range barred {
		g, err := bar(tx, now, run, w)
		if err != nil {
			return r, fmt.Errorf("keep what was destroyed from coming again: %w", err)
		}
		r.Barred, r.Quoted = append(r.Barred, g.Seq), append(r.Quoted, g)
	}
	if _, err := tx.Exec("DELETE FROM destruction"); err != nil {
		return r, fmt.Errorf("destroy records again: %w", err)
	}
	return r, nil
}

// here returns the number of the record of that origin, with its leaf, or of its stub,
// without; 0 if there is neither.
func here(tx *sqlite.Tx, origin []byte) (seq record.Seq, hash *ledger.Hash, err error) {
	var leaf int64
	err = tx.QueryRow("SELECT seq, leaf FROM record WHERE origin = ?", origin).Scan(&seq, &leaf)
	if err == nil {
		h, err := ledger.LeafAt(tx, leaf)
		return seq, &h, err
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return 0, nil, err
	}
	err = tx.QueryRow("SELECT seq FROM stub WHERE origin = ?", origin).Scan(&seq)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil, nil
	}
	return seq, nil, err
}

// letAccountThrough lets the destroying statement have a record, or the quotations of one.
func letAccountThrough(tx *sqlite.Tx, seq record.Seq, origin []byte) error {
	if _, err := tx.Exec("INSERT INTO destruction (seq, origin, by_account) VALUES (?, ?, 1)", seq, origin); err != nil {
		return fmt.Errorf("repeat the destruction of record %d: %w", seq, err)
	}
	return nil
}

func leaveStub(tx *sqlite.Tx, run int64, seq record.Seq, leaf int64, w Gone) error {
	if _, err := tx.Exec(`
		INSERT INTO stub (seq, origin, sent_on, class, rule, destroyed_on, run, authority, leaf)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		seq, w.Origin, w.SentOn, w.Class, w.Rule, w.On, run, w.Authority, leaf); err != nil {
		return fmt.Errorf("leave a stub of record %d: %w", seq, err)
	}
	return nil
}

// bar leaves a stub of what was captured and destroyed after the backup had been made, under
// a number of its own and with its leaf as a leaf of this ledger, so that redelivery, history
// or an import cannot bring it back. What others quote of it goes, and it is not missing any
// more.
func bar(tx *sqlite.Tx, now time.Time, run int64, w Gone) (Destroyed, error) {
	g := gone{origin: w.Origin}
	var err error
	if g.Seq, err = nextSeq(tx); err != nil {
		return g.Destroyed, err
	}
	if g.leaf, err = ledger.AppendHash(tx, ledger.Hash(w.Hash)); err != nil {
		return g.Destroyed, err
	}
	if err := leaveStub(tx, run, g.Seq, g.leaf, w); err != nil {
		return g.Destroyed, err
	}
	if err := letAccountThrough(tx, g.Seq, w.Origin); err != nil {
		return g.Destroyed, err
	}
	if err := g.destroyQuotations(tx); err != nil {
		return g.Destroyed, err
	}
	return g.Destroyed, closeGaps(tx, now, "", "origin = ?1", w.Origin)
}
