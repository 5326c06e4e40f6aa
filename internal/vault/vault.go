// Package vault keeps the files that messages bring: photos, videos, recordings,
// documents. It knows which are wanted, kept and lost, fetches what is wanted, and
// opens what is kept.
//
// A file is kept as WhatsApp delivers it, encrypted, under the SHA-256 that the
// message announces. In the clear it never touches the disk: it is decrypted as a
// stream when it is read. So a copy of the media directory without the archive is
// of no use, and a file is destroyed with its key even where overwriting cannot
// reach. Two records may share one; it goes with the last.
//
// How WhatsApp is asked for a file is not known here.
package vault

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"muniment/internal/journal"
	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// State is what has become of a file.
type State string

// The states. Kept and lost are final, but for what a restore did not bring back.
const (
	Wanted State = "wanted" // not fetched yet
	Kept   State = "kept"
	Lost   State = "lost"
)

// Why a file is lost, in words for everybody.
const (
	unsaid  = "the message does not say how to fetch it"
	gone    = "WhatsApp no longer has it"
	silent  = "WhatsApp no longer has it, and the council's phone did not supply it"
	nowhere = "WhatsApp no longer has it, and nor has the council's phone"
	other   = "what WhatsApp delivered is not what the message announced"
	unfit   = "it cannot be opened with what the message says"
	tooLong = "it could not be fetched for 30 days"
)

// Media is the file of a record.
type Media struct {
	Seq         record.Seq
	Type        record.Type
	record.File // as the message says; once it is kept, Size is as it is
	State       State
	Reason      string    // why it is lost, in words for everybody
	Finished    time.Time // when it was kept or lost; zero while it is wanted

	// Asked is how often the council's own phone was asked for it, because WhatsApp no
	// longer has it; AskedAt is when last.
	Asked   int
	AskedAt time.Time

	since           time.Time // from when patience counts
	attempts, wrong int       // those that brought something else are among the attempts
	next            string    // when the next attempt is due, as the archive has it
}

// LogValue tells files apart without disclosing what the message says.
func (m Media) LogValue() slog.Value { return slog.Int64Value(int64(m.Seq)) }

// Want notes, in the transaction that captures the record, that it brings a file:
// it is to be fetched, see [Vault.Wake]. If the message does not say enough for
// that, the file is lost from the beginning. A file that is known already stays
// what it is.
func Want(tx *sqlite.Tx, now time.Time, seq record.Seq, t record.Type, f record.File) error {
	state, reason, finished := Wanted, "", any(nil)
	if !fetchable(t, f) {
		state, reason, finished = Lost, unsaid, sqlite.FormatTime(now)
	}
	done, err := tx.Exec(`
		INSERT INTO media (seq, type, name, mime, size, path, key, digest, sealed, state, reason, since, next_attempt, finished_at)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, coalesce(?7, x''), coalesce(?8, x''), coalesce(?9, x''), ?10, ?11, ?12, ?12, ?13)
		ON CONFLICT DO NOTHING`,
		seq, t, f.Name, f.MIME, max(f.Size, 0), f.Path, f.Key, f.Digest, f.Sealed, state, reason, sqlite.FormatTime(now), finished)
	if err != nil {
		return fmt.Errorf("want the file of record %d: %w", seq, err)
	}
	if n, err := done.RowsAffected(); err != nil || n == 0 || state != Lost {
		return err
	}
	return journalLoss(tx, now, seq, reason)
}

// fetchable reports whether a message says enough of its file.
func fetchable(t record.Type, f record.File) bool {
	return purposes[t] != "" && strings.HasPrefix(f.Path, "/") &&
		len(f.Key) == keySize && len(f.Digest) == sha256.Size && len(f.Sealed) == sha256.Size
}

func journalLoss(tx *sqlite.Tx, now time.Time, seq record.Seq, reason string) error {
	return journal.Write(tx, journal.Entry{At: now, Who: journal.Daemon, Act: journal.FileLost, Reason: reason,
		About: journal.About{"record": seq}})
}

// Retry makes everything that is wanted due now, however often it failed: what kept
// it from being fetched, such as a lost connection, is over. What WhatsApp no longer has,
// it has not got back by that.
func Retry(tx *sqlite.Tx, now time.Time) error {
	if _, err := tx.Exec("UPDATE media SET next_attempt = ? WHERE state = 'wanted' AND asked = 0", sqlite.FormatTime(now)); err != nil {
		return fmt.Errorf("retry files: %w", err)
	}
	return nil
}

// WantAgain has files of these digests fetched again that were kept, and are not there: they
// were not in the backup from which the archive was restored. WhatsApp may have them still, or
// the council's phone.
func WantAgain(tx *sqlite.Tx, now time.Time, digests [][]byte) error {
	for _, sealed := range digests {
		if _, err := tx.Exec(`UPDATE media SET state = 'wanted', finished_at = NULL, since = ?1, next_attempt = ?1, attempts = 0, wrong = 0, asked = 0, asked_at = NULL
			WHERE sealed = ?2 AND state = 'kept'`, sqlite.FormatTime(now), sealed); err != nil {
			return fmt.Errorf("want a file again: %w", err)
		}
	}
	return nil
}

// Of returns the files of the given records, of those that have one.
func Of(tx *sqlite.Tx, seqs []record.Seq) (map[record.Seq]Media, error) {
	files := make(map[record.Seq]Media)
	err := each(tx, func(m Media) error {
		files[m.Seq] = m
		return nil
	}, "SELECT "+columns+" FROM media WHERE seq IN (SELECT value FROM json_each(?))", toJSON(seqs))
	return files, err
}

// Each calls f for every file, in order of the records.
func Each(tx *sqlite.Tx, f func(Media) error) error {
	return each(tx, f, "SELECT "+columns+" FROM media ORDER BY seq")
}

const columns = "seq, type, name, mime, size, path, key, digest, sealed, state, reason, coalesce(finished_at, ''), since, attempts, wrong, asked, coalesce(asked_at, ''), next_attempt"

// each calls f for what a statement that gives columns returns.
func each(tx *sqlite.Tx, f func(Media) error, query string, args ...any) error {
	rows, err := tx.Query(query, args...)
	if err != nil {
		return fmt.Errorf("read files: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var m Media
		var finished, since, asked string
		if err := rows.Scan(&m.Seq, &m.Type, &m.Name, &m.MIME, &m.Size, &m.Path, &m.Key, &m.Digest, &m.Sealed,
			&m.State, &m.Reason, &finished, &since, &m.attempts, &m.wrong, &m.Asked, &asked, &m.next); err != nil {
			return fmt.Errorf("read files: %w", err)
		}
		for _, t := range []struct {
			s  string
			to *time.Time
		}{{finished, &m.Finished}, {since, &m.since}, {asked, &m.AskedAt}} {
			if *t.to, err = sqlite.ParseTime(t.s); err != nil {
				return fmt.Errorf("file of record %d: %w", m.Seq, err)
			}
		}
		if err := f(m); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Count is how many files there are.
type Count struct {
	Wanted, Kept, Lost int
	Asked              int   // of those wanted: the council's phone was asked for them
	Bytes              int64 // of those kept; what records share counts once
}

// Counts counts the files.
func Counts(tx *sqlite.Tx) (c Count, err error) {
	err = tx.QueryRow(`
		SELECT count(*) FILTER (WHERE state = 'wanted'), count(*) FILTER (WHERE state = 'kept'), count(*) FILTER (WHERE state = 'lost'),
			count(*) FILTER (WHERE state = 'wanted' AND asked > 0),
			(SELECT coalesce(sum(size), 0) FROM (SELECT DISTINCT sealed, size FROM media WHERE state = 'kept'))
		FROM media`).Scan(&c.Wanted, &c.Kept, &c.Lost, &c.Asked, &c.Bytes)
	if err != nil {
		return Count{}, fmt.Errorf("count files: %w", err)
	}
	return c, nil
}

// Forget forgets the files of records, in the transaction that destroys these, and
// returns what was known of them: the run must look for it afterwards, and must not
// keep it. The files themselves go with the next [Vault.Sweep], unless other
// records share them.
func Forget(tx *sqlite.Tx, seqs []record.Seq) (forgotten []Media, err error) {
	err = each(tx, func(m Media) error {
		forgotten = append(forgotten, m)
		return nil
	}, "DELETE FROM media WHERE seq IN (SELECT value FROM json_each(?)) RETURNING "+columns, toJSON(seqs))
	return forgotten, err
}

// Says reports whether what is known of a file holds fragment.
func Says(tx *sqlite.Tx, fragment []byte) (says bool, err error) {
	if err := tx.QueryRow(`
		SELECT EXISTS (SELECT 1 FROM media
			WHERE instr(CAST(name AS BLOB), ?1) OR instr(CAST(mime AS BLOB), ?1) OR instr(CAST(path AS BLOB), ?1)
				OR instr(key, ?1) OR instr(digest, ?1) OR instr(sealed, ?1))`, fragment).Scan(&says); err != nil {
		return false, fmt.Errorf("search what is known of files: %w", err)
	}
	return says, nil
}

func toJSON(seqs []record.Seq) string {
	b, err := json.Marshal(seqs)
	if err != nil {
		panic(fmt.Sprintf("vault: %v", err)) // numbers only: cannot happen
	}
	return string(b)
}
