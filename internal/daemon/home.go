package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"muniment/internal/archive"
	"muniment/internal/journal"
	"muniment/internal/ledger"
	"muniment/internal/sqlite"
	"muniment/internal/whatsapp"
)

// Home is the state directory of one council's instance.
type Home string

// The files in it.
func (h Home) archive() string   { return filepath.Join(string(h), "archive.db") }
func (h Home) session() string   { return filepath.Join(string(h), "session.db") }
func (h Home) bufferKey() string { return filepath.Join(string(h), "buffer.key") }
func (h Home) ledgerKey() string { return filepath.Join(string(h), "ledger.key") }
func (h Home) lock() string      { return filepath.Join(string(h), "lock") }

// demonstration marks a directory that holds nothing real.
func (h Home) demonstration() string { return filepath.Join(string(h), "DEMONSTRATION") }

// ErrDemonstration is returned where a demonstration's directory is about to be
// used for real.
var ErrDemonstration = errors.New("this directory holds a demonstration; choose another for the council's record")

// ErrBusy is returned where another command uses the link already.
var ErrBusy = errors.New("muniment is running already with this directory: only one of run, link and groups can use the link at a time (stop the service first: systemctl stop muniment)")

// Make lays out a new archive in the directory, with its keys.
func (h Home) Make(ctx context.Context, now time.Time, who string) error {
	if err := os.MkdirAll(string(h), 0o700); err != nil {
		return fmt.Errorf("make the state directory: %w", err)
	}
	db, err := sqlite.Create(ctx, h.archive())
	if err != nil {
		return err
	}
	defer db.Close()
	if err := ledger.NewKey(h.ledgerKey(), "muniment"); err != nil {
		return err
	}
	return db.Write(ctx, func(tx *sqlite.Tx) error { return archive.Lay(tx, now, who) })
}

// MarkDemonstration marks the directory as one that holds nothing real.
func (h Home) MarkDemonstration() error {
	if err := os.MkdirAll(string(h), 0o700); err != nil {
		return err
	}
	return os.WriteFile(h.demonstration(), []byte("DEMONSTRATION: nothing in this directory is real.\n"), 0o600)
}

// IsDemonstration reports whether the directory is so marked.
func (h Home) IsDemonstration() bool {
	_, err := os.Stat(h.demonstration())
	return err == nil
}

// OpenArchive opens the archive's database; its error says what to do where
// there is none.
func (h Home) OpenArchive(ctx context.Context) (*sqlite.DB, error) {
	db, err := sqlite.Open(ctx, h.archive())
	if errors.Is(err, sqlite.ErrNoArchive) {
		return nil, fmt.Errorf("%w in %s: run `muniment init` first", err, string(h))
	} else if errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("%w: run this as the user who owns %s, such as `sudo -u muniment muniment …`", err, string(h))
	}
	return db, err
}

// OpenKey reads the key that signs the ledger's checkpoints.
func (h Home) OpenKey() (*ledger.Key, error) { return ledger.LoadKey(h.ledgerKey()) }

// Lock takes the link for one command; release gives it back. The lock goes
// with the process, however it ends.
func (h Home) Lock() (release func(), err error) {
	f, err := h.tryLock(unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK})
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
		return nil, ErrBusy
	} else if err != nil {
		return nil, fmt.Errorf("lock %s: %w", string(h), err)
	}
	return func() { f.Close() }, nil
}

// Running reports whether a command uses the link now, the daemon as a rule. It
// only asks: a command that begins meanwhile is not disturbed.
func (h Home) Running() bool {
	lock := unix.Flock_t{Type: unix.F_WRLCK}
	f, err := h.tryLock(unix.F_OFD_GETLK, &lock)
	if err != nil {
		return false
	}
	f.Close()
	return lock.Type != unix.F_UNLCK
}

func (h Home) tryLock(command int, lock *unix.Flock_t) (*os.File, error) {
	f, err := os.OpenFile(h.lock(), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.FcntlFlock(f.Fd(), command, lock); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Link is the companion device opened for pairing and for looking, not for
// capturing.
type Link struct {
	*whatsapp.Session
	db      *sqlite.DB
	now     func() time.Time
	release func()
}

// OpenLink opens the companion device. It needs an archive, so that what is
// linked can be run, and the link for itself.
func OpenLink(ctx context.Context, o Options) (_ *Link, err error) {
	h := Home(o.Config.StateDirectory)
	if h.IsDemonstration() && !o.Demonstration {
		return nil, ErrDemonstration
	}
	l := &Link{now: o.clock()}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.Close())
		}
	}()
	if l.db, err = h.OpenArchive(ctx); err != nil {
		return nil, err
	}
	if l.release, err = h.Lock(); err != nil {
		return nil, err
	}
	if l.Session, err = h.openSession(ctx, o); err != nil {
		return nil, err
	}
	return l, nil
}

// Pair links this machine by QR code and journals it; see [whatsapp.Session.Link].
func (l *Link) Pair(ctx context.Context, show func(code string)) error {
	if err := l.Link(ctx, show); err != nil {
		return err
	}
	return l.db.Write(ctx, func(tx *sqlite.Tx) error {
		return journal.Write(tx, journal.Entry{At: l.now(), Who: journal.Daemon, Act: journal.Linked})
	})
}

// Close closes the device and gives the link back.
func (l *Link) Close() error {
	var errs []error
	if l.Session != nil {
		errs = append(errs, l.Session.Close())
	}
	if l.db != nil {
		errs = append(errs, l.db.Close())
	}
	if l.release != nil {
		l.release()
	}
	return errors.Join(errs...)
}
