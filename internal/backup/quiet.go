package backup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// plain is where the copy of the archive lies until it is sealed.
func plain(state string) string { return filepath.Join(state, "backup.plain") }

// Quiet waits until no backup is being made, by whichever process, and keeps any from being
// made until release is called. A copy that one left when it was killed is removed: it holds
// all content. A disposal run needs it, so that what it destroys is not in a copy of which it
// does not know.
func Quiet(ctx context.Context, state string) (release func(), err error) {
	release, err = lock(ctx, filepath.Join(state, "backup.lock"))
	if err != nil {
		return nil, fmt.Errorf("wait for the backup: %w", err)
	}
	if err := os.RemoveAll(plain(state)); err != nil {
		release()
		return nil, fmt.Errorf("remove the copy that a backup left: %w", err)
	}
	return release, nil
}

// lock takes a lock that goes with the process, however it ends.
func lock(ctx context.Context, path string) (release func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK})
		if err == nil {
			return func() { f.Close() }, nil
		}
		if !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EACCES) {
			return nil, errors.Join(err, f.Close())
		}
		select { // to wait in the system could not be broken off
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), f.Close())
		case <-time.After(20 * time.Millisecond):
		}
	}
}
