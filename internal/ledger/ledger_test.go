package ledger_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"mime/quotedprintable"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"muniment/internal/ledger"
	"muniment/internal/sqlite"
	"muniment/internal/sqlite/sqlitetest"
)

func create(t *testing.T) *sqlite.DB {
	t.Helper()
	db, err := sqlitetest.Create(context.Background(), filepath.Join(t.TempDir(), "archive.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func write(t *testing.T, db *sqlite.DB, f func(*sqlite.Tx) error) {
	t.Helper()
	if err := db.Write(context.Background(), f); err != nil {
		t.Fatal(err)
	}
}

// The heads of a growing tree are those of RFC 6962, counted here naively.
func TestHeadsAreThoseOfTheWholeTree(t *testing.T) {
	db := create(t)
	var leaves []ledger.Hash
	for n := int64(0); n < 70; n++ {
		write(t, db, func(tx *sqlite.Tx) error {
			content := []byte(fmt.Sprint("content ", n))
			leaf, salt, err := ledger.Append(tx, func(int64) []byte { return content })
			if err != nil {
				return err
			}
			if leaf != n {
				t.Fatalf("leaf %d has place %d", n, leaf)
			}
			leaves = append(leaves, ledger.LeafHash(salt, content))
			size, err := ledger.Size(tx)
			if err != nil || size != n+1 {
				t.Fatalf("size %d, err %v; want %d", size, err, n+1)
			}
			root, err := ledger.Root(tx, size)
			if err != nil || root != naive(leaves) {
				t.Fatalf("head of %d leaves is wrong (err %v)", size, err)
			}
			if ledger.HeadOf(leaves) != root {
				t.Fatalf("head of %d leaves alone is wrong", size)
			}
			if at, err := ledger.LeafAt(tx, n); err != nil || at != leaves[n] {
				t.Fatalf("leaf %d is another (err %v)", n, err)
			}
			return nil
		})
	}
}

func TestARolledBackLeafLeavesNoTrace(t *testing.T) {
	db := create(t)
	add := func(fail bool) error {
		return db.Write(context.Background(), func(tx *sqlite.Tx) error {
			_, _, err := ledger.Append(tx, func(int64) []byte { return nil })
			if fail {
				return fmt.Errorf("refused")
			}
			return err
		})
	}
	add(true)
	if err := add(false); err != nil {
		t.Fatal(err)
	}
	write(t, db, func(tx *sqlite.Tx) error {
		if n, err := ledger.Size(tx); n != 1 || err != nil {
			t.Errorf("size %d, err %v; want 1", n, err)
		}
		return nil
	})
}

func TestCheckpoint(t *testing.T) {
	db := create(t)
	path := filepath.Join(t.TempDir(), "ledger.key")
	if err := ledger.NewKey(path, "muniment.example/1"); err != nil {
		t.Fatal(err)
	}
	if err := ledger.NewKey(path, "muniment.example/1"); err == nil {
		t.Error("a key was overwritten")
	}
	key, err := ledger.LoadKey(path)
	if err != nil {
		t.Fatal(err)
	}
	var made ledger.Checkpoint
	write(t, db, func(tx *sqlite.Tx) error {
		for range 5 {
			if _, _, err := ledger.Append(tx, func(int64) []byte { return nil }); err != nil {
				return err
			}
		}
		var err error
		made, err = key.Sign(tx, time.Now())
		return err
	})
	got, err := key.Open(made.Note)
	if err != nil || got != made {
		t.Errorf("opened %+v, err %v; want %+v", got, err, made)
	}
	if _, err := key.Open(strings.Replace(made.Note, "\n5\n", "\n6\n", 1)); err == nil {
		t.Error("a checkpoint with another size was believed")
	}
}

// naive is RFC 6962's definition of a tree's head.
func naive(leaves []ledger.Hash) ledger.Hash {
	if len(leaves) == 1 {
		return leaves[0]
	}
	k := 1
	for k*2 < len(leaves) {
		k *= 2
	}
	return node(naive(leaves[:k]), naive(leaves[k:]))
}

func node(l, r ledger.Hash) ledger.Hash {
	return sha256.Sum256(append(append([]byte{1}, l[:]...), r[:]...))
}

// A checkpoint goes through people's hands: mail programs, editors, paste.
func TestFindInWhatWasCopied(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.key")
	if err := ledger.NewKey(path, "muniment"); err != nil {
		t.Fatal(err)
	}
	key, err := ledger.LoadKey(path)
	if err != nil {
		t.Fatal(err)
	}
	db := create(t)
	for _, restored := range []int{0, 12} {
		write(t, db, func(tx *sqlite.Tx) error {
			if _, _, err := ledger.Append(tx, func(int64) []byte { return nil }); err != nil {
				return err
			}
			c, err := key.SignRestored(tx, time.Now(), restored)
			if err != nil {
				return err
			}
			findInWhatWasCopied(t, key, c)
			return nil
		})
	}
	for _, text := range []string{"", "nonsense", "muniment\n5\nshort\n\n— muniment xyz\n"} {
		if found := ledger.Find(text); found != nil {
			t.Errorf("found %q in %q", found, text)
		}
	}
}

func findInWhatWasCopied(t *testing.T, key *ledger.Key, c ledger.Checkpoint) {
	note := c.Note
	var qp strings.Builder
	w := quotedprintable.NewWriter(&qp)
	w.Write([]byte("Subject: Certificate\n\nSome words.\n\n" + note + "\nMore words.\n"))
	w.Close()
	wrapped := note[:len(note)-40] + "\n" + note[len(note)-40:]
	for name, text := range map[string]string{
		"as it is":                   note,
		"without its last newline":   strings.TrimSuffix(note, "\n"),
		"from Windows":               "\ufeff" + strings.ReplaceAll(note, "\n", "\r\n"),
		"among other words":          "Dear clerk,\n\n" + note + "\n\nYours",
		"indented":                   "  " + strings.ReplaceAll(note, "\n", "\n  "),
		"quoted in a reply":          "> " + strings.ReplaceAll(note, "\n", "\n> "),
		"with a wrapped signature":   wrapped,
		"with a hyphen for the dash": strings.Replace(note, "—", "-", 1),
		"with blank lines around":    "\n\n" + note + "\n\n",
		"in a certificate's JSON":    `{"checkpoint":"` + strings.ReplaceAll(note, "\n", `\n`) + `"}`,
		"in an email":                qp.String(),
	} {
		t.Run(name, func(t *testing.T) {
			own := key.Own(ledger.Find(text))
			if len(own) != 1 {
				t.Fatalf("not found in:\n%s", text)
			}
			found := own[0]
			if got, err := key.Open(found); err != nil || got.Restored != c.Restored || got.Size != c.Size {
				t.Errorf("found\n%s\nwhich is not\n%s", found, note)
			}
		})
	}
}

// Once it is known that the archive was restored, each checkpoint says so.
func TestCheckpointsSayHowOftenItWasRestored(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.key")
	if err := ledger.NewKey(path, "muniment"); err != nil {
		t.Fatal(err)
	}
	key, err := ledger.LoadKey(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, create(t), func(tx *sqlite.Tx) error {
		if _, _, err := ledger.Append(tx, func(int64) []byte { return nil }); err != nil {
			return err
		}
		sign := func() (ledger.Checkpoint, error) { return key.Sign(tx, time.Now()) }
		twice := func() (ledger.Checkpoint, error) { return key.SignRestored(tx, time.Now(), 2) }
		for i, step := range []struct {
			sign func() (ledger.Checkpoint, error)
			want int
		}{{sign, 0}, {sign, 0}, {twice, 2}, {sign, 2}, {sign, 2}} {
			c, err := step.sign()
			if err != nil {
				return err
			}
			if opened, err := key.Open(c.Note); err != nil || opened != c || c.Restored != step.want {
				t.Errorf("checkpoint %d: %+v, opened %+v (%v); want restored %d", i, c, opened, err, step.want)
			}
		}
		return nil
	})
}
