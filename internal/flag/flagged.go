package flag

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"muniment/internal/archive"
	"muniment/internal/journal"
	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// Flags are what was found in some records, by the message that these are or belong to.
type Flags struct {
	of      map[record.Seq]found
	message map[record.Seq]record.Seq // that a record is, or changes
}

// Of returns what was found, of one concern, in the message with that number, or in the
// one that the edit with that number changes, as it is and as it was.
func (f Flags) Of(seq record.Seq, c Concern) []Kind { return f.of[f.message[seq]].of(c) }

// Personal reports whether the message, or the one that the edit is of, may hold personal
// or confidential details: then nothing that it says, or ever said, may be repeated.
func (f Flags) Personal(seq record.Seq) bool { return len(f.Of(seq, Personal)) > 0 }

// Messages returns which messages are flagged for that concern.
func (f Flags) Messages(c Concern) (seqs []record.Seq) {
	for _, seq := range slices.Sorted(maps.Keys(f.of)) {
		if len(f.of[seq].of(c)) > 0 {
			seqs = append(seqs, seq)
		}
	}
	return seqs
}

// Flags reads records, as they were known at that date: messages with all that changes
// them, whoever sent it. For a message counts what any of these says, but for what the
// clerk has said since to be no concern.
func (r Reader) Flags(tx *sqlite.Tx, date time.Time, records []archive.Record) (Flags, error) {
	f := Flags{of: make(map[record.Seq]found), message: make(map[record.Seq]record.Seq)}
	dismissed, err := dismissals(tx, date)
	if err != nil {
		return f, err
	}
	for _, m := range records {
		if _, read := f.message[m.Seq]; read || !written(m) {
			continue
		}
		of := m.Seq
		if m.Kind == record.Edit && m.Amends != 0 {
			of = m.Amends
		}
		f.message[m.Seq] = of
		in := r.find(m.Text + "\n" + m.FileName)
		in[Poll] = m.Kind == record.Message && m.Type == record.Poll
		all := f.of[of]
		for k, is := range in {
			all[k] = all[k] || is && !dismissed.cover(of, Kind(k).Concern(), m)
		}
		if all != (found{}) {
			f.of[of] = all
		}
	}
	return f, nil
}

// written reports whether somebody wrote what m says. What a place or a card on which
// somebody's number stands is called, comes from an address book or a map.
func written(m archive.Record) bool {
	switch m.Kind {
	case record.Message:
		return !slices.Contains([]record.Type{record.Location, record.LiveLocation, record.Contact}, m.Type)
	case record.Edit, record.Option:
		return true
	case record.Group:
		return m.Type == record.Subject || m.Type == record.Description
	}
	return false
}

// Between returns what is flagged, at that date, of what was sent, or changed, from one moment
// on and before another.
func (r Reader) Between(tx *sqlite.Tx, from, before, date time.Time) (Flags, error) {
	var seqs []record.Seq
	if err := archive.Between(tx, from, before, func(m archive.Record) error {
		if m.Captured.After(date) {
			return nil
		}
		if m.Kind == record.Edit && m.Amends != 0 {
			seqs = append(seqs, m.Amends)
		}
		seqs = append(seqs, m.Seq)
		return nil
	}, record.Message, record.Edit, record.Option, record.Group); err != nil {
		return Flags{}, err
	}
	return r.those(tx, date, seqs)
}

// those returns what is flagged of these messages.
func (r Reader) those(tx *sqlite.Tx, date time.Time, seqs []record.Seq) (Flags, error) {
	records, err := archive.Some(tx, seqs)
	if err != nil {
		return Flags{}, err
	}
	changes, err := archive.ChangesOf(tx, seqs)
	if err != nil {
		return Flags{}, err
	}
	changes = slices.DeleteFunc(changes, func(m archive.Record) bool { return m.Captured.After(date) })
	return r.Flags(tx, date, append(records, changes...))
}

// ErrNotFlagged is returned for a message that is not flagged, or not any more.
var ErrNotFlagged = errors.New("not flagged")

// Dismiss notes that somebody says of messages that what is flagged in them is none of
// these concerns. It is all of them or none.
func (r Reader) Dismiss(tx *sqlite.Tx, now time.Time, who, reason string, seqs []record.Seq, concerns ...Concern) error {
	flags, err := r.those(tx, now, seqs)
	if err != nil {
		return err
	}
	about := make(journal.About)
	for _, seq := range seqs {
		flagged := false
		for _, c := range concerns {
			if len(flags.of[seq].of(c)) == 0 {
				continue
			}
			flagged = true
			so, _ := about[string(c)].([]record.Seq)
			about[string(c)] = append(so, seq)
			if _, err := tx.Exec("INSERT OR IGNORE INTO no_concern (seq, concern, at) VALUES (?, ?, ?)", seq, c, sqlite.FormatTime(now)); err != nil {
				return fmt.Errorf("flag of record %d: %w", seq, err)
			}
		}
		if !flagged {
			return fmt.Errorf("record %d: %w", seq, ErrNotFlagged)
		}
	}
	return journal.Write(tx, journal.Entry{At: now, Who: who, Act: journal.FlagDismissed, Reason: reason, About: about})
}

// Forget forgets what was said of messages, in the transaction that destroys these.
func Forget(tx *sqlite.Tx, destroyed []record.Seq) (n int64, err error) {
	for _, seq := range destroyed {
		r, err := tx.Exec("DELETE FROM no_concern WHERE seq = ?", seq)
		if err != nil {
			return 0, fmt.Errorf("forget flag of record %d: %w", seq, err)
		}
		flags, err := r.RowsAffected()
		if err != nil {
			return 0, err
		}
		n += flags
	}
	return n, nil
}

// Dismissed is that somebody has said of a message that it is none of a concern.
type Dismissed struct {
	Seq     record.Seq
	Concern Concern
	At      time.Time
}

// Dismissals calls f for each.
func Dismissals(tx *sqlite.Tx, f func(Dismissed) error) error {
	rows, err := tx.Query("SELECT seq, concern, at FROM no_concern ORDER BY seq, concern, at")
	if err != nil {
		return fmt.Errorf("flags that were dismissed: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var d Dismissed
		var at string
		if err := rows.Scan(&d.Seq, &d.Concern, &at); err != nil {
			return fmt.Errorf("flags that were dismissed: %w", err)
		}
		if d.At, err = sqlite.ParseTime(at); err != nil {
			return fmt.Errorf("flag of record %d: %w", d.Seq, err)
		}
		if err := f(d); err != nil {
			return err
		}
	}
	return rows.Err()
}

// dismissed is when it was last said of messages that they are no concern.
type dismissed map[Concern]map[record.Seq]time.Time

func dismissals(tx *sqlite.Tx, date time.Time) (dismissed, error) {
	all := dismissed{Personal: {}, Meeting: {}}
	return all, Dismissals(tx, func(d Dismissed) error {
		if !d.At.After(date) && d.At.After(all[d.Concern][d.Seq]) {
			all[d.Concern][d.Seq] = d.At
		}
		return nil
	})
}

// cover reports whether it was said of the message seq when m, which is that message or
// changes it, could be read.
func (d dismissed) cover(seq record.Seq, c Concern, m archive.Record) bool {
	at, is := d[c][seq]
	return is && !m.Captured.After(at) && !m.ReadAt.After(at)
}
