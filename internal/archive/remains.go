package archive

import (
	"fmt"

	"muniment/internal/ledger"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
)

// Remains is what is left of a destroyed record, as it is told to people outside: its
// stub, and its leaf, which alone tells nothing of what it said.
type Remains struct {
	Seq       record.Seq      `json:"seq"`
	Leaf      int64           `json:"leaf"`
	Hash      ledger.Hash     `json:"hash"`
	SentOn    retention.Date  `json:"sent_on"`
	Class     retention.Class `json:"class"`
	Rule      string          `json:"rule"`
	On        retention.Date  `json:"on"`
	Authority string          `json:"authority"`
}

// RemainsOf returns what is left of the destroyed record with that number.
func RemainsOf(tx *sqlite.Tx, seq record.Seq) (r Remains, err error) {
	if err := tx.QueryRow("SELECT seq, leaf, sent_on, class, rule, destroyed_on, authority FROM stub WHERE seq = ?", seq).
		Scan(&r.Seq, &r.Leaf, &r.SentOn, &r.Class, &r.Rule, &r.On, &r.Authority); err != nil {
		return r, fmt.Errorf("what is left of record %d: %w", seq, err)
	}
	r.Hash, err = ledger.Leaf(tx, r.Leaf)
	return r, err
}
