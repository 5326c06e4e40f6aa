package sqlite_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"muniment/internal/sqlite"
	"muniment/internal/sqlite/sqlitetest"
)

// While the archive is copied others go on writing, and the copy is one state of it: each of
// their transactions is in it whole or not at all. Nothing that was deleted is.
func TestCopyIsOneState(t *testing.T) {
	dir := t.TempDir()
	db, err := sqlitetest.Create(t.Context(), filepath.Join(dir, "archive.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	write := func(f func(*sqlite.Tx) error) {
		t.Helper()
		if err := db.Write(context.WithoutCancel(t.Context()), f); err != nil {
			t.Error(err)
		}
	}
	const canary = "the deleted canary sings no more"
	write(func(tx *sqlite.Tx) error {
		_, err := tx.Exec("CREATE TABLE pair (a TEXT, b INTEGER)")
		for i := 0; i < 2000 && err == nil; i++ {
			_, err = tx.Exec("INSERT INTO pair VALUES (?, 0)", fmt.Sprintf("%s %d", canary, i))
		}
		return err
	})
	write(func(tx *sqlite.Tx) error {
		_, err := tx.Exec("UPDATE pair SET a = 'x'")
		return err
	})
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for n := 1; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			write(func(tx *sqlite.Tx) error {
				_, err := tx.Exec("UPDATE pair SET b = ? WHERE rowid = 1", n)
				if err == nil {
					_, err = tx.Exec("UPDATE pair SET b = ? WHERE rowid = 2000", n)
				}
				return err
			})
		}
	}()
	for i := range 10 {
		path := filepath.Join(dir, fmt.Sprintf("copy-%d.db", i))
		if err := db.CopyTo(t.Context(), path); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, []byte(canary)) {
			t.Error("the copy holds what was deleted")
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("others could read the copy: %v, %v", info.Mode(), err)
		}
		copied, err := sqlite.Open(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		if err := copied.Read(t.Context(), func(tx *sqlite.Tx) error {
			var first, last, all int
			err := tx.QueryRow("SELECT (SELECT b FROM pair WHERE rowid = 1), (SELECT b FROM pair WHERE rowid = 2000), count(*) FROM pair").Scan(&first, &last, &all)
			if first != last || all != 2000 {
				t.Errorf("the copy holds half a transaction: %d, %d, %d rows", first, last, all)
			}
			return err
		}); err != nil {
			t.Error(err)
		}
		if err := copied.Close(); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	<-stopped
}

// A copy never takes the place of anything, and one that was not finished is not left.
func TestCopyOverwritesNothing(t *testing.T) {
	dir := t.TempDir()
	db, err := sqlitetest.Create(t.Context(), filepath.Join(dir, "archive.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	path := filepath.Join(dir, "there")
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := db.CopyTo(t.Context(), path); err == nil {
		t.Error("it was overwritten")
	}
	if b, _ := os.ReadFile(path); string(b) != "mine" {
		t.Errorf("it is now %q", b)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	path = filepath.Join(dir, "new")
	if err := db.CopyTo(over, path); err == nil {
		t.Error("it was copied, though nobody wanted it any more")
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("half a copy was left")
	}
}
