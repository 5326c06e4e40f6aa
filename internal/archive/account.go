package archive

import (
	"encoding/json"
	"fmt"
	"strings"

	"muniment/internal/ledger"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
)

// Stub is what remains of a destroyed record: nothing of what it said or of who
// said it.
type Stub struct {
	Seq         record.Seq      `json:"record"`
	SentOn      retention.Date  `json:"sent_on"`
	Class       retention.Class `json:"class"`
	Rule        string          `json:"rule"`
	DestroyedOn retention.Date  `json:"destroyed_on"`
	Leaf        int64           `json:"leaf"`       // its place in the ledger
	Commitment  []byte          `json:"commitment"` // that leaf, as the ledger keeps it
	Origin      []byte          `json:"-"`
	Authority   string          `json:"-"`
}

// StubsOf returns the stubs that a run left, in order of number.
func StubsOf(tx *sqlite.Tx, run int64) ([]Stub, error) {
	rows, err := tx.Query("SELECT seq, sent_on, class, rule, destroyed_on, leaf, origin, authority FROM stub WHERE run = ? ORDER BY seq", run)
	if err != nil {
		return nil, fmt.Errorf("stubs of run %d: %w", run, err)
	}
	defer rows.Close()
	var stubs []Stub
	for rows.Next() {
		var s Stub
		if err := rows.Scan(&s.Seq, &s.SentOn, &s.Class, &s.Rule, &s.DestroyedOn, &s.Leaf, &s.Origin, &s.Authority); err != nil {
			return nil, fmt.Errorf("stubs of run %d: %w", run, err)
		}
		stubs = append(stubs, s)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("stubs of run %d: %w", run, err)
	}
	for i := range stubs {
		h, err := ledger.LeafAt(tx, stubs[i].Leaf)
		if err != nil {
			return nil, fmt.Errorf("stubs of run %d: %w", run, err)
		}
		stubs[i].Commitment = h[:]
	}
	return stubs, nil
}

// Gone is what the account of a run says of a record that it destroyed: which it was, in
// an archive where it still is, and on what its destruction rests. It says nothing of
// what the record said.
type Gone struct {
	Seq       record.Seq      `json:"seq"`
	Leaf      int64           `json:"leaf"`
	Hash      []byte          `json:"hash"` // of the leaf, as the ledger keeps it
	Origin    []byte          `json:"origin"`
	SentOn    retention.Date  `json:"sent_on"`
	Class     retention.Class `json:"class"`
	Rule      string          `json:"rule"`
	On        retention.Date  `json:"on"`
	Authority string          `json:"authority"`
}

// Account returns what a run has destroyed, a line of JSON for each record, in order of
// number. Whoever restores an older archive destroys the same in it: a number may be given
// anew to another record, so number and leaf hash have to agree.
func Account(tx *sqlite.Tx, run int64) (text string, err error) {
	stubs, err := StubsOf(tx, run)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, s := range stubs {
		line, err := json.Marshal(Gone{s.Seq, s.Leaf, s.Commitment, s.Origin, s.SentOn, s.Class, s.Rule, s.DestroyedOn, s.Authority})
		if err != nil {
			return "", fmt.Errorf("account of run %d: %w", run, err)
		}
		b.Write(line)
		b.WriteByte('\n')
	}
	return b.String(), nil
}
