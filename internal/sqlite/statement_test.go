package sqlite

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
)

// A statement kept prepared does what it did when it was new: after an error, a
// rollback and a change of the layout, within another's rows, and when there are
// more statements than are kept.
func TestPreparedStatements(t *testing.T) {
	ctx := context.Background()
	db, err := Create(ctx, filepath.Join(t.TempDir(), "archive.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	const insert, count = "INSERT INTO tree_hash VALUES (?, zeroblob(32))", "SELECT count(*) FROM tree_hash"
	add := func(n int, fail bool) error {
		return db.Write(ctx, func(tx *Tx) error {
			if _, err := tx.Exec(insert, n); err != nil {
				return err
			}
			var have int
			if err := tx.QueryRow(count).Scan(&have); err != nil || fail {
				return fmt.Errorf("refused: %v", err)
			}
			return nil
		})
	}
	for n := range 5 {
		if err := add(n, true); err == nil {
			t.Fatal("a refused transaction was committed")
		}
		if err := add(n, false); err != nil {
			t.Fatal(err)
		}
		if err := add(n, false); err == nil {
			t.Fatal("the same row was written twice")
		}
		if err := db.Scrub(ctx); err != nil {
			t.Fatal(err)
		}
		if _, err := db.writer.Exec(fmt.Sprintf("CREATE TABLE more_%d (x)", n)); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Write(ctx, func(tx *Tx) error {
		rows, err := tx.Query(count + " GROUP BY idx")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var have int
			if err := tx.QueryRow(count).Scan(&have); err != nil || have != 5 {
				t.Errorf("%d rows, err %v; want 5", have, err)
			}
		}
		return rows.Err()
	}); err != nil {
		t.Fatal(err)
	}
	for n := range maxStatements + 50 {
		if err := db.Write(ctx, func(tx *Tx) error {
			var got int
			if err := tx.QueryRow(fmt.Sprintf("SELECT %d", n)).Scan(&got); err != nil || got != n {
				t.Errorf("%d, err %v; want %d", got, err, n)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(db.prepared.ready); n > maxStatements {
		t.Errorf("%d statements are kept; want at most %d", n, maxStatements)
	}
}
