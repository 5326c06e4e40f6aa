package sqlite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
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

// After a scrub nothing of what was deleted is in any file, the one it is done with
// included, and there is no file that was not there before.
// That the disk is full is told from all other failures, for which a new start may help.
func TestWhyTheDiskRefuses(t *testing.T) {
	ctx := context.Background()
	db, err := Create(ctx, filepath.Join(t.TempDir(), "archive.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	write := func(statements ...string) error {
		return db.Write(ctx, func(tx *Tx) error {
			for _, s := range statements {
				if _, err := tx.Exec(s); err != nil {
					return fmt.Errorf("in a transaction: %w", err)
				}
			}
			return nil
		})
	}
	fill := "INSERT INTO big VALUES (randomblob(100000))"
	if err := write("CREATE TABLE big (b BLOB)", fill); err != nil || Refusal(err) != "" {
		t.Fatal(err)
	}
	if err := write("PRAGMA max_page_count = 1", fill); Refusal(err) != "the disk is full" {
		t.Errorf("full: %v, %q", err, Refusal(err))
	}
	if err := write("PRAGMA max_page_count = 1000000", fill); err != nil {
		t.Errorf("room again: %v", err)
	}
	for _, err := range []error{nil, errors.New("disk full"), write("no SQL"), context.DeadlineExceeded} {
		if why := Refusal(err); why != "" {
			t.Errorf("%v: %q", err, why)
		}
	}
	if err := write("PRAGMA query_only = 1", fill); Refusal(err) != "the disk is read-only" {
		t.Errorf("read-only: %v, %q", err, Refusal(err))
	}
}

func TestScrub(t *testing.T) {
	ctx := context.Background()
	dir := filepath.Join(t.TempDir(), "the parish's") // as a name may be
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	db, err := Create(ctx, filepath.Join(dir, "archive.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Write(ctx, func(tx *Tx) error {
		if _, err := tx.Exec("CREATE TABLE word (id INTEGER PRIMARY KEY, word TEXT)"); err != nil {
			return err
		}
		for n := range 2000 {
			if _, err := tx.Exec("INSERT INTO word VALUES (?, ?)", n, fmt.Sprintf("%04d%s", n, strings.Repeat("-", n%700))); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	before := names(t, dir)
	for rest := 10; rest > 0; rest-- { // a part each night
		if err := db.Write(ctx, func(tx *Tx) error {
			_, err := tx.Exec("DELETE FROM word WHERE id % ? = 0", rest)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if err := db.Scrub(ctx); err != nil {
			t.Fatal(err)
		}
		file, err := os.ReadFile(db.Path())
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Read(ctx, func(tx *Tx) error {
			for n := range 2000 {
				var kept bool
				if err := tx.QueryRow("SELECT EXISTS (SELECT 1 FROM word WHERE id = ?)", n).Scan(&kept); err != nil {
					return err
				}
				if is := bytes.Contains(file, fmt.Appendf(nil, "%04d--", n)); is && !kept {
					t.Errorf("word %d was deleted and is in the file", n)
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if after := names(t, dir); !slices.Equal(before, after) {
			t.Errorf("files %q; before there were %q", after, before)
		}
	}
	var store string
	if err := db.writer.QueryRow("PRAGMA temp_store").Scan(&store); err != nil || store != "2" {
		t.Errorf("temp_store = %s, err %v; want 2, memory", store, err)
	}
}

func names(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestScrubWithAReader(t *testing.T) {
	ctx := context.Background()
	db, err := Create(ctx, filepath.Join(t.TempDir(), "archive.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.writer.Exec("PRAGMA busy_timeout = 10"); err != nil {
		t.Fatal(err)
	}
	if err := db.Read(ctx, func(tx *Tx) error {
		var n int
		if err := tx.QueryRow("SELECT count(*) FROM tree_hash").Scan(&n); err != nil {
			return err
		}
		if err := db.Scrub(ctx); !errors.Is(err, ErrReader) {
			t.Errorf("scrub: %v; want ErrReader", err)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := db.EmptyLog(ctx); err != nil {
		t.Errorf("when the reader is done: %v", err)
	}
	if fi, err := os.Stat(db.Path() + "-wal"); err != nil || fi.Size() != 0 {
		t.Errorf("the log has %d bytes, err %v; want none", fi.Size(), err)
	}
}

// While somebody reads, the log only grows. Afterwards it gives the disk back.
func TestTheLogShrinksAfterALongReader(t *testing.T) {
	ctx := context.Background()
	db, err := Create(ctx, filepath.Join(t.TempDir(), "archive.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.writer.Exec("CREATE TABLE page (content)"); err != nil {
		t.Fatal(err)
	}
	write := func(size int) {
		t.Helper()
		if err := db.Write(ctx, func(tx *Tx) error {
			_, err := tx.Exec("INSERT INTO page VALUES (zeroblob(?))", size)
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	log := func() int64 {
		t.Helper()
		fi, err := os.Stat(db.Path() + "-wal")
		if err != nil {
			t.Fatal(err)
		}
		return fi.Size()
	}
	if err := db.Read(ctx, func(tx *Tx) error {
		var n int
		if err := tx.QueryRow("SELECT count(*) FROM page").Scan(&n); err != nil {
			return err
		}
		for range 30 {
			write(1 << 20)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if size := log(); size <= logLimit {
		t.Fatalf("the log has %d bytes: the test shows nothing", size)
	}
	for range 3 { // what is moved by the first goes with the next
		write(1)
	}
	if size := log(); size > logLimit {
		t.Errorf("the log still has %d bytes", size)
	}
}
