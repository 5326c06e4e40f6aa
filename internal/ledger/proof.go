package ledger

import (
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"muniment/internal/sqlite"
)

// Prove returns the hashes that lead from a leaf to the head of the tree's first size
// leaves.
func Prove(tx *sqlite.Tx, size, leaf int64) ([]Hash, error) {
	path, err := tlog.ProveRecord(size, leaf, reader{tx})
	if err != nil {
		return nil, fmt.Errorf("ledger: prove leaf %d of %d: %w", leaf, size, err)
	}
	return path, nil
}

// Holds reports whether a leaf stands at its place under the checkpoint c, as the hashes
// that [Prove] returned show.
func (c Checkpoint) Holds(path []Hash, leaf int64, h Hash) bool {
	return tlog.CheckRecord(path, c.Size, c.Root, leaf, h) == nil
}

// Covering returns the first checkpoint that covers a leaf: the longer ago it was signed,
// the more it proves. It returns false if none does yet.
func Covering(tx *sqlite.Tx, k *PublicKey, leaf int64) (c Checkpoint, is bool, err error) {
	rows, err := tx.Query("SELECT note FROM checkpoint WHERE size > ? ORDER BY id LIMIT 1", leaf)
	if err != nil {
		return c, false, fmt.Errorf("ledger: read checkpoints: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var note string
		if err := rows.Scan(&note); err != nil {
			return c, false, fmt.Errorf("ledger: read checkpoints: %w", err)
		}
		if c, err = k.Open(note); err != nil {
			return c, false, fmt.Errorf("the first checkpoint after leaf %d: %w; run `muniment verify`", leaf, err)
		}
		is = true
	}
	return c, is, rows.Err()
}

// Leaf returns the hash of the leaf at that place.
func Leaf(tx *sqlite.Tx, leaf int64) (Hash, error) {
	h, err := reader{tx}.ReadHashes([]int64{StoredIndex(leaf)})
	if err != nil {
		return Hash{}, fmt.Errorf("ledger: leaf %d: %w", leaf, err)
	}
	return h[0], nil
}
