package vault

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// puts seals a file and keeps it for a record.
func (c *council) puts(seq record.Seq, t record.Type, plain []byte) record.File {
	c.Helper()
	f, err := c.vault.Seal(c.Context(), t, record.File{Name: "Survey.pdf", MIME: "application/pdf"}, bytes.NewReader(plain))
	c.must(err)
	c.must(c.vault.Put(c.Context(), []record.File{f}, func(tx *sqlite.Tx) error { return Keep(tx, c.now(), seq, t, f) }))
	return f
}

func plainText(size int64) []byte {
	b, err := io.ReadAll(noise(7, size))
	if err != nil {
		panic(err)
	}
	return b
}

// A file that did not come from WhatsApp is kept like one that did, whatever its size.
func TestPut(t *testing.T) {
	c := newCouncil(t)
	for i, size := range []int64{0, 1, block - 1, block, block + 1, piece - 1, piece, piece + 1, 3*piece + 5} {
		seq, plain := record.Seq(i+1), plainText(size)
		f := c.puts(seq, record.Document, plain)
		var r *Reader
		c.read(func(tx *sqlite.Tx) (err error) { r, err = c.vault.Open(tx, seq); return err })
		got, err := io.ReadAll(r)
		r.Close()
		if err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%d bytes: read %d, %v", size, len(got), err)
		}
		sealed, err := os.ReadFile(c.vault.place(f.Sealed))
		c.must(err)
		if int64(len(sealed)) != sealedSize(size) || size > 20 && bytes.Contains(sealed, plain[:20]) {
			t.Errorf("%d bytes: the sealed file has %d", size, len(sealed))
		}
		var of map[record.Seq]Media
		c.read(func(tx *sqlite.Tx) (err error) { of, err = Of(tx, []record.Seq{seq}); return err })
		m := of[seq]
		if m.State != Kept || m.Name != "Survey.pdf" || m.Size != size {
			t.Errorf("%d bytes: kept as %+v", size, m)
		}
		if fault, err := c.vault.Check(t.Context(), m); fault != "" || err != nil {
			t.Errorf("%d bytes: %q, %v", size, fault, err)
		}
	}
	if n, err := c.vault.Sweep(t.Context()); n != 0 || err != nil {
		t.Errorf("the sweep removed %d, %v", n, err)
	}
}

// No key is used twice: who knows one file's tells nothing of the same file elsewhere.
func TestPutTwiceIsTwoFiles(t *testing.T) {
	c := newCouncil(t)
	plain := plainText(1000)
	a, b := c.puts(1, record.Image, plain), c.puts(2, record.Image, plain)
	if bytes.Equal(a.Key, b.Key) || bytes.Equal(a.Sealed, b.Sealed) || !bytes.Equal(a.Digest, b.Digest) {
		t.Error("the same file, put twice, is not sealed anew")
	}
}

// What was put goes with its record.
func TestPutIsForgotten(t *testing.T) {
	c := newCouncil(t)
	f := c.puts(1, record.Image, plainText(1000))
	c.write(func(tx *sqlite.Tx) error { _, err := Forget(tx, []record.Seq{1}); return err })
	if n, err := c.vault.Sweep(t.Context()); n != 1 || err != nil {
		t.Errorf("the sweep removed %d, %v", n, err)
	}
	if _, err := os.Stat(c.vault.place(f.Sealed)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file: %v", err)
	}
}

// Wherever it ends, nothing stays that nobody needs: not a file that was sealed and not
// put, once its time is over, nor one whose transaction failed.
func TestPutThatBreaksOff(t *testing.T) {
	c := newCouncil(t)
	sealed, err := c.vault.Seal(t.Context(), record.Image, record.File{}, bytes.NewReader(plainText(100)))
	c.must(err)
	if n, err := c.vault.Sweep(t.Context()); n != 0 || err != nil {
		t.Errorf("a file that waits: the sweep removed %d, %v", n, err)
	}
	full := errors.New("disk full")
	if err := c.vault.Put(t.Context(), []record.File{sealed}, func(*sqlite.Tx) error { return full }); !errors.Is(err, full) {
		t.Errorf("put: %v", err)
	}
	if n, err := c.vault.Sweep(t.Context()); n != 1 || err != nil {
		t.Errorf("a file that was not noted: the sweep removed %d, %v", n, err)
	}
	if _, err := c.vault.Seal(t.Context(), record.Image, record.File{}, io.MultiReader(bytes.NewReader(plainText(100)), broken{})); err == nil {
		t.Error("half a file was sealed")
	}
	_, err = c.vault.Seal(t.Context(), record.Image, record.File{}, bytes.NewReader(plainText(100)))
	c.must(err)
	yesterday := time.Now().Add(-25 * time.Hour)
	waiting, err := filepath.Glob(filepath.Join(c.vault.Directory, sealedPrefix+"*"))
	c.must(err)
	if len(waiting) != 1 {
		t.Fatalf("%d files wait", len(waiting))
	}
	c.must(os.Chtimes(waiting[0], yesterday, yesterday))
	c.steps(time.Until(c.now()) * -1) // the clock is today's
	if n, err := c.vault.Sweep(t.Context()); n != 1 || err != nil {
		t.Errorf("a file that nobody put: the sweep removed %d, %v", n, err)
	}
}

// broken is what a damaged zip file gives.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("wrong checksum") }

// Another process, the daemon, sweeps all the time: it never takes a file between its
// coming into place and the commit.
func TestSweptWhilePutting(t *testing.T) {
	c := newCouncil(t)
	daemon := &Vault{Directory: c.vault.Directory, DB: c.db, Log: c.vault.Log, Now: c.now}
	ctx, stop := context.WithCancel(t.Context())
	var sweeping sync.WaitGroup
	sweeping.Go(func() {
		for ctx.Err() == nil {
			if _, err := daemon.Sweep(ctx); err != nil && ctx.Err() == nil {
				t.Error(err)
			}
		}
	})
	const files = 60
	for seq := record.Seq(1); seq <= files; seq++ {
		c.puts(seq, record.Image, plainText(100))
	}
	stop()
	sweeping.Wait()
	for seq := record.Seq(1); seq <= files; seq++ {
		c.read(func(tx *sqlite.Tx) error {
			r, err := c.vault.Open(tx, seq)
			if err != nil {
				t.Errorf("%v", err)
				return nil
			}
			return r.Close()
		})
	}
}

func TestWhatIsNoFileIsNotSealed(t *testing.T) {
	c := newCouncil(t)
	if _, err := c.vault.Seal(t.Context(), record.Text, record.File{}, strings.NewReader("x")); err == nil {
		t.Error("a text was sealed as a file")
	}
}
