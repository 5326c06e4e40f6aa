package vault

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"muniment/internal/journal"
	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// keepsFree has the vault keep so much free that files may take so many bytes and no more;
// others write to the disk of the tests too, so nothing here comes close to that.
func (c *council) keepsFree(but int64) {
	c.Helper()
	var disk unix.Statfs_t
	c.must(statfs(c.dir, &disk))
	keep := int64(disk.Bavail)*int64(disk.Bsize) - but
	leastFree = func(int64) int64 { return keep }
}

func (c *council) restoresRoom() {
	before := leastFree
	c.Cleanup(func() { leastFree = before })
}

const much = 1 << 40

// toldOf counts the journal's entries of an act.
func (c *council) toldOf(a journal.Act) (n int) {
	c.Helper()
	c.read(func(tx *sqlite.Tx) error {
		return journal.Of(tx, a, func(journal.Entry, int64) error { n++; return nil })
	})
	return n
}

func (c *council) waitsSince() (since time.Time) {
	c.Helper()
	c.read(func(tx *sqlite.Tx) (err error) { since, err = WaitingSince(tx); return err })
	return since
}

// The disk is nearly full: WhatsApp is not asked, nothing counts against a file, and the
// journal tells once, however long it lasts and however often the daemon starts.
func TestFilesWaitForRoom(t *testing.T) {
	c := newCouncil(t)
	c.restoresRoom()
	plain := words(1000)
	f := c.wa.has(record.Image, plain)
	c.keepsFree(-much)
	c.fetches()
	if since := c.waitsSince(); !since.IsZero() || c.toldOf(journal.DiskLow) != 0 {
		t.Errorf("nothing waits, and yet something does since %s", since)
	}
	c.wants(1, record.Image, f)
	low := c.now()
	for range 3 {
		for range 3 {
			c.fetches()
			c.steps(20 * 24 * time.Hour)
		}
		c.restarts()
	}
	c.is(1, Wanted, "", 0)
	if n := c.wa.times(f); n != 0 {
		t.Errorf("WhatsApp was asked %d times", n)
	}
	if since := c.waitsSince(); !since.Equal(low) || c.toldOf(journal.DiskLow) != 1 || c.toldOf(journal.DiskEnough) != 0 {
		t.Errorf("waits since %s; the journal tells of it %d times", since, c.toldOf(journal.DiskLow))
	}
	if n := strings.Count(c.log.String(), "the disk is nearly full"); n != 3 {
		t.Errorf("the log tells %d times in three runs", n)
	}
	c.keepsFree(much)
	c.fetches()
	c.is(1, Kept, "", 1)
	c.holds(1, plain)
	c.fetches()
	if since := c.waitsSince(); !since.IsZero() || c.toldOf(journal.DiskEnough) != 1 {
		t.Errorf("waits since %s; the journal tells %d times that it is over", since, c.toldOf(journal.DiskEnough))
	}
}

// A film for which there is no room keeps nothing else waiting.
func TestASmallFilePassesALargeOne(t *testing.T) {
	c := newCouncil(t)
	c.restoresRoom()
	small, large := words(1000), words(2000)
	film := c.wa.has(record.Video, large)
	film.Size = 1 << 62 // so its sender says
	c.wants(1, record.Video, film)
	c.wants(2, record.Image, c.wa.has(record.Image, small))
	c.keepsFree(largest / 2)
	c.fetches()
	c.is(1, Wanted, "", 0)
	c.holds(2, small)
	if c.waitsSince().IsZero() || c.wa.times(film) != 0 {
		t.Errorf("waits since %s; asked for %d times", c.waitsSince(), c.wa.times(film))
	}
	c.keepsFree(2 * largest)
	c.fetches()
	c.fetches()
	c.holds(1, large)
	if !c.waitsSince().IsZero() {
		t.Error("something waits still")
	}
}

// Those that arrive at the same time share the room that there is.
func TestFilesThatArriveTakeRoom(t *testing.T) {
	c := newCouncil(t)
	c.restoresRoom()
	film, tap := c.wa.hasBehindTap(record.Video, words(100_000))
	film.Size = largest
	c.wants(1, record.Video, film)
	c.keepsFree(largest + largest/2)
	done := make(chan error)
	go func() { done <- c.vault.FetchDue(t.Context()) }()
	<-tap.reached
	another := c.wa.has(record.Video, words(1000))
	another.Size = largest
	c.wants(2, record.Video, another)
	f, waits, err := c.vault.begin(t.Context())
	if err != nil || f != nil || !waits {
		t.Errorf("beside it: %+v, %v, %v", f, waits, err)
	}
	close(tap.open)
	c.must(<-done)
	c.fetches()
	if m := c.file(2); m.State != Kept {
		t.Errorf("afterwards: %s", m.State)
	}
}

// Somebody else fills the disk while a file arrives. What there is of it goes, and no
// attempt counts.
func TestTheDiskFillsUpWhileAFileArrives(t *testing.T) {
	for name, fails := range map[string]error{"nearly": nil, "wholly": unix.ENOSPC, "by quota": unix.EDQUOT, "by limit": unix.EFBIG} {
		t.Run(name, func(t *testing.T) {
			c := newCouncil(t)
			c.restoresRoom()
			plain := words(3 * gaugeAfter)
			f := c.wa.has(record.Video, plain)
			c.wants(1, record.Video, f)
			fetch := c.vault.Download
			c.vault.Download = func(ctx context.Context, t record.Type, f record.File, w io.Writer) error {
				if _, err := w.Write(make([]byte, gaugeAfter)); err != nil {
					return err
				}
				if fails != nil { // so the disk answers
					w.(*sink).file = broke{fails}
				}
				c.keepsFree(-much)
				_, err := w.Write(make([]byte, gaugeAfter))
				return err
			}
			for range 3 {
				c.keepsFree(much)
				a, _, err := c.vault.begin(t.Context())
				c.must(err)
				if a == nil {
					t.Fatal("it is not due")
				}
				c.must(c.vault.attempt(a))
				c.vault.end(a)
				c.has(0)
				c.steps(roomAgain)
			}
			c.is(1, Wanted, "", 0)
			c.keepsFree(much)
			c.vault.Download = fetch
			c.fetches()
			c.is(1, Kept, "", 1)
			c.holds(1, plain)
		})
	}
}

// broke refuses to be written to.
type broke struct{ error }

func (b broke) Write([]byte) (int, error) {
	return 0, &os.PathError{Op: "write", Path: "part", Err: b.error}
}

// What is kept free grows with the archive.
func TestRoomForTheArchive(t *testing.T) {
	c := newCouncil(t)
	c.restoresRoom()
	leastFree = func(int64) int64 { return 0 }
	before, err := c.vault.room()
	c.must(err)
	c.must(os.Truncate(c.path("archive.db"), 2<<40)) // it takes no room itself
	after, err := c.vault.room()
	c.must(err)
	if kept := before - after; kept < 3<<40 || kept > 5<<40 {
		t.Errorf("for an archive of 2 TiB, %d bytes are kept free", kept)
	}
}

func TestSmallDisksKeepLessFree(t *testing.T) {
	for disk, want := range map[int64]int64{0: 0, 1 << 30: 1 << 30 / 10, 5 << 30: 512 << 20, 1 << 40: 512 << 20} {
		if got := leastFree(disk); got != want {
			t.Errorf("of %d bytes, %d are kept free; want %d", disk, got, want)
		}
	}
}

// Nor do the files of an import take what is kept free.
func TestAnImportedFileWaitsForNothing(t *testing.T) {
	c := newCouncil(t)
	c.restoresRoom()
	c.keepsFree(-much)
	_, err := c.vault.Seal(t.Context(), record.Image, record.File{}, bytes.NewReader(words(10)))
	if !errors.Is(err, errFull) || !strings.Contains(err.Error(), "nearly full") {
		t.Errorf("sealed: %v", err)
	}
	left, err := filepath.Glob(filepath.Join(c.vault.Directory, "*"))
	if c.must(err); len(left) != 0 {
		t.Errorf("left behind: %q", left)
	}
}
