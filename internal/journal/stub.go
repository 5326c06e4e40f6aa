package journal

import (
	"cmp"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"muniment/internal/ledger"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
)

// Span is a time, from From on and before Before.
type Span struct{ From, Before time.Time }

// Log is which entries of the access log may be destroyed: those that were written before
// a moment and in no span that is on hold.
type Log struct {
	Before time.Time // zero: none
	OnHold []Span
}

// within is true of an entry of the access log that may be destroyed: ?1 are the acts, ?2
// is the moment, ?3 are the spans.
const within = `act IN (SELECT value FROM json_each(?1)) AND at < ?2
	AND NOT EXISTS (SELECT 1 FROM json_each(?3) h WHERE at >= h.value ->> 0 AND at < h.value ->> 1)`

func (l Log) args() []any {
	spans := [][2]string{}
	for _, s := range l.OnHold {
		spans = append(spans, [2]string{sqlite.FormatTime(s.From), sqlite.FormatTime(s.Before)})
	}
	before := ""
	if !l.Before.IsZero() {
		before = sqlite.FormatTime(l.Before)
	}
	return []any{toJSON(accessLog), before, toJSON(spans)}
}

func toJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("journal: %v", err)) // strings and numbers only: cannot happen
	}
	return string(b)
}

// Due returns the numbers of the entries of the access log that may be destroyed, in order.
func Due(tx *sqlite.Tx, l Log) ([]int64, error) {
	return numbers(tx, "SELECT id FROM journal WHERE "+within+" ORDER BY id", l.args()...)
}

// StillDue returns those of the given entries that may be destroyed.
func StillDue(tx *sqlite.Tx, l Log, ids []int64) ([]int64, error) {
	return numbers(tx, "SELECT id FROM journal WHERE "+within+" AND id IN (SELECT value FROM json_each(?4)) ORDER BY id", append(l.args(), toJSON(ids))...)
}

func numbers(tx *sqlite.Tx, query string, args ...any) (ids []int64, err error) {
	rows, err := tx.Query(query, args...)
	if err != nil {
		return nil, fmt.Errorf("entries of the access log: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("entries of the access log: %w", err)
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

// Destruction is by which run, when, on whose authority and by which rule entries are
// destroyed.
type Destruction struct {
	Run       int64
	On        retention.Date
	Authority string
	Rule      string
}

// Destroyed is what the run must look for afterwards, and must not keep.
type Destroyed struct {
	ID    int64
	Salt  []byte
	Texts [][]byte
}

// Destroy destroys those of the given entries that may be, and leaves a stub of each. It
// is decided here, in the destroying statement itself, whatever the caller found before.
// The salt goes with the entry, so the leaf that stays can no longer be tested against a
// guess.
func Destroy(tx *sqlite.Tx, d Destruction, l Log, ids []int64) ([]Destroyed, error) {
	written, err := writtenOn(tx, ids)
	if err != nil {
		return nil, err
	}
	if _, err := tx.Exec(`
		INSERT INTO journal_stub (id, leaf, class, written_on, rule, destroyed_on, run, authority)
		SELECT id, leaf, ?4, (SELECT w.value FROM json_each(?5) w WHERE w.key = CAST(journal.id AS TEXT)), ?6, ?7, ?8, ?9
		FROM journal WHERE `+within+` AND id IN (SELECT value FROM json_each(?10))`,
		append(l.args(), retention.AccessLog, toJSON(written), d.Rule, d.On, d.Run, d.Authority, toJSON(ids))...); err != nil {
		return nil, fmt.Errorf("destroy entries of the access log: %w", err)
	}
	return deleteStubbed(tx, d.Run, ids)
}

// Repeat destroys in a restored archive the entries that a run destroyed after the backup was
// made, as its account says: those that have the number and the leaf.
func Repeat(tx *sqlite.Tx, run int64, stubs []Stub) ([]Destroyed, error) {
	var ids []int64
	for _, s := range stubs {
		var leaf int64
		var act Act
		err := tx.QueryRow("SELECT leaf, act FROM journal WHERE id = ?", s.Entry).Scan(&leaf, &act)
		if errors.Is(err, sql.ErrNoRows) {
			continue // destroyed, or never in the backup
		} else if err != nil {
			return nil, fmt.Errorf("destroy entry %d again: %w", s.Entry, err)
		}
		if h, err := ledger.LeafAt(tx, leaf); err != nil {
			return nil, err
		} else if h != s.Hash || ClassOf(act) != retention.AccessLog { // another has the number since
			continue
		}
		ids = append(ids, s.Entry)
	}
	written, err := writtenOn(tx, ids)
	if err != nil {
		return nil, err
	}
	for _, s := range stubs {
		if _, err := tx.Exec(`
			INSERT INTO journal_stub (id, leaf, class, written_on, rule, destroyed_on, run, authority)
			SELECT id, leaf, ?, ?, ?, ?, ?, ? FROM journal WHERE id = ? AND id IN (SELECT value FROM json_each(?))`,
			s.Class, written[s.Entry], s.Rule, s.DestroyedOn, run, s.Authority, s.Entry, toJSON(ids)); err != nil {
			return nil, fmt.Errorf("destroy entry %d again: %w", s.Entry, err)
		}
	}
	return deleteStubbed(tx, run, ids)
}

// deleteStubbed deletes entries of which a run has left stubs.
func deleteStubbed(tx *sqlite.Tx, run int64, ids []int64) ([]Destroyed, error) {
	rows, err := tx.Query(`
		DELETE FROM journal WHERE id IN (SELECT value FROM json_each(?)) AND id IN (SELECT id FROM journal_stub WHERE run = ?)
		RETURNING id, who, reason, about, salt`, toJSON(ids), run)
	if err != nil {
		return nil, fmt.Errorf("destroy entries of the access log: %w", err)
	}
	defer rows.Close()
	var gone []Destroyed
	for rows.Next() {
		var g Destroyed
		var who, reason, about []byte
		if err := rows.Scan(&g.ID, &who, &reason, &about, &g.Salt); err != nil {
			return nil, fmt.Errorf("destroy entries of the access log: %w", err)
		}
		if string(who) != Daemon { // whose words the program itself has
			g.Texts = append([][]byte{who, reason}, textsIn(about)...)
		}
		gone = append(gone, g)
	}
	slices.SortFunc(gone, func(a, b Destroyed) int { return cmp.Compare(a.ID, b.ID) })
	return gone, rows.Err()
}

// writtenOn returns the London dates of entries, by their numbers.
func writtenOn(tx *sqlite.Tx, ids []int64) (map[int64]retention.Date, error) {
	rows, err := tx.Query("SELECT id, at FROM journal WHERE id IN (SELECT value FROM json_each(?))", toJSON(ids))
	if err != nil {
		return nil, fmt.Errorf("entries of the access log: %w", err)
	}
	defer rows.Close()
	on := make(map[int64]retention.Date)
	for rows.Next() {
		var id int64
		var text string
		if err := rows.Scan(&id, &text); err != nil {
			return nil, fmt.Errorf("entries of the access log: %w", err)
		}
		at, err := sqlite.ParseTime(text)
		if err != nil {
			return nil, fmt.Errorf("entry %d of the access log: %w", id, err)
		}
		on[id] = retention.DateOf(at)
	}
	return on, rows.Err()
}

// textsIn returns the texts in what an entry was about, but for times: others have them, too.
func textsIn(about []byte) (texts [][]byte) {
	var v any
	if json.Unmarshal(about, &v) != nil {
		return [][]byte{about}
	}
	var in func(v any)
	in = func(v any) {
		switch v := v.(type) {
		case string:
			if _, err := sqlite.ParseTime(v); err != nil {
				texts = append(texts, []byte(v))
			}
		case []any:
			for _, v := range v {
				in(v)
			}
		case map[string]any:
			for _, v := range v {
				in(v)
			}
		}
	}
	in(v)
	return texts
}

// Stub is what remains of an entry: nothing of who did what, or why.
type Stub struct {
	Entry       int64           `json:"entry"`
	Leaf        int64           `json:"leaf"` // its place in the ledger
	Hash        ledger.Hash     `json:"hash"`
	Class       retention.Class `json:"class"`
	WrittenOn   retention.Date  `json:"-"`
	Rule        string          `json:"rule"`
	DestroyedOn retention.Date  `json:"on"`
	Authority   string          `json:"authority"`
}

// StubsOf returns the stubs that a run left, in order of number.
func StubsOf(tx *sqlite.Tx, run int64) ([]Stub, error) {
	rows, err := tx.Query("SELECT id, leaf, class, written_on, rule, destroyed_on, authority FROM journal_stub WHERE run = ? ORDER BY id", run)
	if err != nil {
		return nil, fmt.Errorf("entries that run %d destroyed: %w", run, err)
	}
	defer rows.Close()
	var stubs []Stub
	for rows.Next() {
		var s Stub
		if err := rows.Scan(&s.Entry, &s.Leaf, &s.Class, &s.WrittenOn, &s.Rule, &s.DestroyedOn, &s.Authority); err != nil {
			return nil, fmt.Errorf("entries that run %d destroyed: %w", run, err)
		}
		stubs = append(stubs, s)
	}
	if err := cmp.Or(rows.Err(), rows.Close()); err != nil {
		return nil, fmt.Errorf("entries that run %d destroyed: %w", run, err)
	}
	for i := range stubs {
		if stubs[i].Hash, err = ledger.LeafAt(tx, stubs[i].Leaf); err != nil {
			return nil, err
		}
	}
	return stubs, nil
}

// LastStub returns the number of the latest entry that is destroyed; 0 if none is.
func LastStub(tx *sqlite.Tx) (id int64, err error) {
	if err := tx.QueryRow("SELECT coalesce(max(id), 0) FROM journal_stub").Scan(&id); err != nil {
		return 0, fmt.Errorf("read the journal: %w", err)
	}
	return id, nil
}

// Account tells what a run destroyed of the journal, a line for each entry, for the backups:
// whoever restores one destroys it there, too.
func Account(tx *sqlite.Tx, run int64) (string, error) {
	stubs, err := StubsOf(tx, run)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, s := range stubs {
		b.WriteString(toJSON(s) + "\n")
	}
	return b.String(), nil
}
