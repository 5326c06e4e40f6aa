package journal

import (
	"context"
	"crypto/sha256"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muniment/internal/ledger"
	"muniment/internal/sqlite"
	"muniment/internal/sqlite/sqlitetest"
)

var monday = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

func newArchive(t *testing.T) *sqlite.DB {
	t.Helper()
	db, err := sqlitetest.Create(context.Background(), filepath.Join(t.TempDir(), "archive.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func write(t *testing.T, db *sqlite.DB, f func(tx *sqlite.Tx) error) {
	t.Helper()
	if err := db.Write(context.Background(), f); err != nil {
		t.Fatal(err)
	}
}

func all(t *testing.T, db *sqlite.DB) (es []Entry) {
	t.Helper()
	write(t, db, func(tx *sqlite.Tx) error {
		return Each(tx, func(e Entry) error { es = append(es, e); return nil })
	})
	return es
}

// What was done is told in order, with its reason, as it was written.
func TestEntriesAreKeptAsWritten(t *testing.T) {
	db := newArchive(t)
	want := []Entry{
		{ID: 1, At: monday, Who: "sysadmin", Act: Created, About: About{}},
		{ID: 2, At: monday.Add(time.Hour), Who: "Jane Clerk", Act: HoldPlaced, Reason: "flood inquiry\n\"Mill Lane\" \x00 ☔",
			About: About{"hold": 1.0, "scope": "all"}},
		{ID: 3, At: monday.Add(2 * time.Hour), Who: Daemon, Act: GapOpened, Reason: "not connected", About: About{"cause": "network <down>"}},
	}
	for _, e := range want {
		e.ID = 0
		write(t, db, func(tx *sqlite.Tx) error { return Write(tx, e) })
	}
	if diff := cmp.Diff(want, all(t, db)); diff != "" {
		t.Errorf("journal (-want +got)\n%s", diff)
	}
}

// Each entry is a leaf of the ledger in its own transaction, and what the journal
// says now gives that leaf again.
func TestEveryEntryIsALeaf(t *testing.T) {
	db := newArchive(t)
	stored := make(map[int64]ledger.Hash)
	for i := range 5 {
		write(t, db, func(tx *sqlite.Tx) error {
			return Write(tx, Entry{At: monday, Who: Daemon, Act: Started, Reason: strings.Repeat("again ", i), About: About{"i": i}})
		})
	}
	refused := errors.New("refused")
	if err := db.Write(context.Background(), func(tx *sqlite.Tx) error {
		return errors.Join(Write(tx, Entry{At: monday, Who: Daemon, Act: Stopped}), refused)
	}); !errors.Is(err, refused) {
		t.Fatal(err)
	}
	write(t, db, func(tx *sqlite.Tx) error {
		if size, err := ledger.Size(tx); err != nil || size != 5 {
			t.Errorf("the ledger has %d leaves, err %v; want 5", size, err)
		}
		root, err := ledger.Root(tx, 5)
		if err != nil {
			return err
		}
		before := root
		if err := Leaves(tx, func(l Leaf) error {
			if l.Leaf != l.ID-1 || l.Stub {
				t.Errorf("entry %d is leaf %d, a stub: %v", l.ID, l.Leaf, l.Stub)
			}
			stored[l.Leaf] = l.Hash
			return nil
		}); err != nil {
			return err
		}
		n01, n23 := node(stored[0], stored[1]), node(stored[2], stored[3])
		if got := node(node(n01, n23), stored[4]); got != before {
			t.Errorf("the leaves derived anew give head %v; the ledger has %v", got, before)
		}
		return nil
	})
}

func TestAnEntryIsNeverAltered(t *testing.T) {
	db := newArchive(t)
	write(t, db, func(tx *sqlite.Tx) error { return Write(tx, Entry{At: monday, Who: "Jane Clerk", Act: HoldPlaced}) })
	for _, column := range []string{"id", "at", "who", "act", "reason", "about", "salt", "leaf"} {
		err := db.Write(context.Background(), func(tx *sqlite.Tx) error {
			_, err := tx.Exec("UPDATE journal SET " + column + " = " + column)
			return err
		})
		if err == nil || !strings.Contains(err.Error(), "never altered") {
			t.Errorf("UPDATE of %s: %v; want a refusal", column, err)
		}
	}
}

func TestLast(t *testing.T) {
	db := newArchive(t)
	write(t, db, func(tx *sqlite.Tx) error {
		if at, err := Last(tx); err != nil || !at.IsZero() {
			t.Errorf("Last of an empty journal = %v, %v", at, err)
		}
		for i, a := range []Act{Started, ClockJumped, Started, Stopped} {
			if err := Write(tx, Entry{At: monday.Add(time.Duration(i) * time.Hour), Who: Daemon, Act: a}); err != nil {
				return err
			}
		}
		return nil
	})
	write(t, db, func(tx *sqlite.Tx) error {
		if at, err := Last(tx); err != nil || !at.Equal(monday.Add(3*time.Hour)) {
			t.Errorf("Last = %v, %v", at, err)
		}
		for _, tt := range []struct {
			act Act
			id  int64
			at  time.Time
		}{
			{Started, 3, monday.Add(2 * time.Hour)},
			{ClockJumped, 2, monday.Add(time.Hour)},
			{HoldPlaced, 0, time.Time{}},
		} {
			if id, at, err := LastOf(tx, tt.act); err != nil || id != tt.id || !at.Equal(tt.at) {
				t.Errorf("LastOf(%q) = %d, %v, %v; want %d, %v", tt.act, id, at, err, tt.id, tt.at)
			}
		}
		return nil
	})
}

func TestSays(t *testing.T) {
	db := newArchive(t)
	write(t, db, func(tx *sqlite.Tx) error {
		return Write(tx, Entry{At: monday, Who: "Jane Clerk", Act: HoldPlaced, Reason: "flood inquiry ☔", About: About{"scope": "all of it"}})
	})
	for fragment, want := range map[string]bool{
		"Jane Clerk": true, "flood inquiry ☔": true, "all of it": true, "inquiry": true, "Inquiry": false, "culvert": false,
	} {
		write(t, db, func(tx *sqlite.Tx) error {
			if says, err := Says(tx, []byte(fragment)); err != nil || says != want {
				t.Errorf("Says(%q) = %v, %v; want %v", fragment, says, err, want)
			}
			return nil
		})
	}
}

// The records that runs destroyed can be told from the journal alone.
func TestDestroyed(t *testing.T) {
	db := newArchive(t)
	write(t, db, func(tx *sqlite.Tx) error {
		return errors.Join(
			Write(tx, Entry{At: monday, Who: Daemon, Act: RunStep, About: About{"run": 1, "records": []int64{3, 4}}}),
			Write(tx, Entry{At: monday, Who: Daemon, Act: ListDrawnUp, About: About{"records": 9}}),
			Write(tx, Entry{At: monday, Who: Daemon, Act: RunStep, About: About{"run": 2, "records": []int64{1}}}))
	})
	var got []int64
	write(t, db, func(tx *sqlite.Tx) error {
		return EachStep(tx, func(seqs, _ []int64) error { got = append(got, seqs...); return nil })
	})
	if diff := cmp.Diff([]int64{3, 4, 1}, got); diff != "" {
		t.Errorf("destroyed (-want +got)\n%s", diff)
	}
}

func node(left, right ledger.Hash) ledger.Hash {
	return sha256.Sum256(slices.Concat([]byte{1}, left[:], right[:]))
}
