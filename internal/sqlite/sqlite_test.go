package sqlite

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestCreateThenOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "archive.db")
	ctx := context.Background()
	if _, err := Open(ctx, path); !errors.Is(err, ErrNoArchive) {
		t.Fatalf("open before create: %v; want ErrNoArchive", err)
	}
	db, err := Create(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	db.Close()
	if _, err := Create(ctx, path); err == nil {
		t.Error("a second create succeeded")
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, err %v; want 0600", fi.Mode(), err)
	}
	db, err = Open(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for pragma, want := range map[string]string{
		"synchronous": "2", "secure_delete": "1", "journal_mode": "wal", "foreign_keys": "1",
	} {
		var got string
		if err := db.writer.QueryRow("PRAGMA " + pragma).Scan(&got); err != nil || got != want {
			t.Errorf("%s = %q, err %v; want %q", pragma, got, err, want)
		}
	}
}

func TestOpenRefusesANewerLayout(t *testing.T) {
	path := filepath.Join(t.TempDir(), "archive.db")
	ctx := context.Background()
	db, err := Create(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.writer.Exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)"); err != nil {
		t.Fatal(err)
	}
	db.Close()
	if _, err := Open(ctx, path); err == nil {
		t.Error("a database of a newer program was opened")
	}
}

func TestWriteIsAllOrNothing(t *testing.T) {
	ctx := context.Background()
	db, err := Create(ctx, filepath.Join(t.TempDir(), "archive.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	refused := errors.New("refused")
	err = db.Write(ctx, func(tx *Tx) error {
		if _, err := tx.Exec("INSERT INTO tree_hash VALUES (0, zeroblob(32))"); err != nil {
			return err
		}
		return refused
	})
	if !errors.Is(err, refused) {
		t.Fatal(err)
	}
	var n int
	if err := db.Read(ctx, func(tx *Tx) error {
		return tx.QueryRow("SELECT count(*) FROM tree_hash").Scan(&n)
	}); err != nil || n != 0 {
		t.Errorf("%d rows, err %v; want none", n, err)
	}
	if err := db.Read(ctx, func(tx *Tx) error {
		_, err := tx.Exec("INSERT INTO tree_hash VALUES (0, zeroblob(32))")
		return err
	}); err == nil {
		t.Error("a reader wrote")
	}
}
