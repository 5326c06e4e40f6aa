package vault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"muniment/internal/journal"
	"muniment/internal/sqlite"
)

// leastFree returns how many bytes files never take of a disk of that size: messages need
// little, but go on for a long time with this. See [Vault.room].
var leastFree = func(disk int64) int64 { return min(512<<20, disk/10) }

// errFull is returned where a file would take what is kept free for messages.
var errFull = errors.New("the disk is nearly full, and what is left of it is kept for messages")

// room returns how many bytes files may still take on their disk, below zero if it is too
// full already. Free for messages stays leastFree or, if that is more, twice the archive's
// size: a destruction run rebuilds it, and must not fail because of photos.
func (v *Vault) room() (int64, error) {
	var disk unix.Statfs_t
	err := statfs(v.Directory, &disk)
	if errors.Is(err, fs.ErrNotExist) { // made for the first file
		err = statfs(filepath.Dir(v.Directory), &disk)
	}
	if err != nil {
		return 0, fmt.Errorf("how much of the disk is free: %w", err)
	}
	keep := leastFree(int64(disk.Blocks) * int64(disk.Bsize))
	if archive, err := os.Stat(v.DB.Path()); err == nil {
		keep = max(keep, 2*archive.Size())
	}
	return int64(disk.Bavail)*int64(disk.Bsize) - keep, nil
}

// Full reports whether the disk is nearly full: no file may take anything more.
func (v *Vault) Full() (bool, error) {
	room, err := v.room()
	return room < 0, err
}

func statfs(path string, disk *unix.Statfs_t) error {
	for {
		if err := unix.Statfs(path, disk); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// takenAtMost is how many bytes a file that is fetched still takes, as its sender says.
func (f *fetch) takenAtMost() int64 {
	return max(sealedSize(min(f.Size, largest))-f.arrived.Load(), 0)
}

// largest is how large a file can be that WhatsApp takes: what a sender says above that
// must not keep a file waiting for ever.
const largest = 2 << 30

// noRoom reports whether err says that our own disk takes no more.
func noRoom(err error) bool {
	return errors.Is(err, errFull) || errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) || errors.Is(err, unix.EFBIG)
}

// A gauge writes to a file, and stops when the disk is too full: who says how large a file
// is may be wrong, and others write to the disk too.
type gauge struct {
	to     io.Writer
	vault  *Vault
	unseen int64 // bytes, since it last looked
}

// gaugeAfter is how much is written without a look at the disk.
const gaugeAfter = 1 << 20

// gauge returns a writer to a file of the media directory that looks at once.
func (v *Vault) gauge(to io.Writer) *gauge { return &gauge{to, v, gaugeAfter} }

// Spare returns a writer to a file that does not stay, on the same disk: it takes nothing of
// what is kept free for messages either.
func (v *Vault) Spare(to io.Writer) io.Writer { return v.gauge(to) }

// Write is [io.Writer].
func (g *gauge) Write(p []byte) (int, error) {
	if g.unseen += int64(len(p)); g.unseen >= gaugeAfter {
		room, err := g.vault.room()
		if err == nil && room < 0 {
			err = errFull
		}
		if err != nil {
			return 0, err
		}
		g.unseen = 0
	}
	return g.to.Write(p)
}

// tell notes, once, that files wait because the disk is nearly full, or that they do no
// more.
func (v *Vault) tell(ctx context.Context, waits bool) error {
	v.telling.Lock()
	defer v.telling.Unlock()
	if v.told != nil && *v.told == waits {
		return nil
	}
	var since time.Time // as the journal has it
	err := v.DB.Read(ctx, func(tx *sqlite.Tx) (err error) {
		since, err = WaitingSince(tx)
		return err
	})
	if err != nil {
		return err
	}
	news := since.IsZero() == waits
	if news {
		act := journal.DiskEnough
		if waits {
			act = journal.DiskLow
		}
		if err := v.DB.Write(ctx, func(tx *sqlite.Tx) error {
			return journal.Write(tx, journal.Entry{At: v.Now(), Who: journal.Daemon, Act: act})
		}); err != nil {
			return err
		}
	}
	v.told = &waits
	switch {
	case waits: // of an earlier run too: whoever starts the daemon should know
		v.Log.Warn("the disk is nearly full: photos and other files wait, messages are still recorded")
	case news:
		v.Log.Info("there is room on the disk again: files are fetched")
	}
	return nil
}

// WaitingSince returns since when files wait because the disk is nearly full; zero if none
// does.
func WaitingSince(tx *sqlite.Tx) (time.Time, error) {
	low, since, err := journal.LastOf(tx, journal.DiskLow)
	if err != nil || low == 0 {
		return time.Time{}, err
	}
	if enough, _, err := journal.LastOf(tx, journal.DiskEnough); err != nil || enough > low {
		return time.Time{}, err
	}
	return since, nil
}
