package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"muniment/internal/archive"
	"muniment/internal/journal"
	"muniment/internal/ledger"
	"muniment/internal/sqlite"
	"muniment/internal/vault"
	"muniment/internal/whatsapp"
)

// Home is the state directory of one council's instance.
type Home string

// The files in it.
func (h Home) archive() string   { return filepath.Join(string(h), "archive.db") }
func (h Home) session() string   { return filepath.Join(string(h), "session.db") }
func (h Home) bufferKey() string { return filepath.Join(string(h), "buffer.key") }
func (h Home) ledgerKey() string { return filepath.Join(string(h), "ledger.key") }
func (h Home) media() string     { return filepath.Join(string(h), "media") }
func (h Home) history() string   { return filepath.Join(string(h), "history.part") } // sealed; while a piece is read
func (h Home) lock() string      { return filepath.Join(string(h), "lock") }

// demonstration marks a directory that holds nothing real. The demonstration
// marks its own directory likewise, so that neither is taken for the real thing.
func (h Home) demonstration() string { return filepath.Join(string(h), DemonstrationMark) }

// DemonstrationMark is the name of the file that marks a demonstration.
const DemonstrationMark = "DEMONSTRATION.txt"

// ErrDemonstration is returned where a demonstration's directory is about to be
// used for real.
var ErrDemonstration = errors.New("this directory holds a demonstration; choose another for the council's record")

// ErrBusy is returned where another command uses the link already.
var ErrBusy = errors.New("muniment is running already with this directory: only one of run, link and groups can use the link at a time (stop the service first: systemctl stop muniment)")

// Make lays out a new archive in the directory, with its keys. It is built under
// another name, so that an interrupted Make can be done again.
func (h Home) Make(ctx context.Context, now time.Time, who string) error {
	if err := os.MkdirAll(string(h), 0o700); err != nil {
		return fmt.Errorf("make the state directory: %w", err)
	}
	if _, err := os.Stat(h.archive()); err == nil {
		return fmt.Errorf("there is an archive at %s already", h.archive())
	}
	if err := h.unfinished(); err != nil {
		return err
	}
	building := h.archive() + ".new"
	for _, leftover := range []string{building, building + "-wal", building + "-shm"} {
		if err := os.Remove(leftover); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("make the archive: %w", err)
		}
	}
	if _, err := ledger.LoadKey(h.ledgerKey()); err != nil {
		if err := h.newKey(); err != nil {
			return err
		}
	}
	db, err := sqlite.Create(ctx, building)
	if err != nil {
		return err
	}
	err = db.Write(ctx, func(tx *sqlite.Tx) error { return archive.Lay(tx, now, who) })
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	if err := os.Rename(building, h.archive()); err != nil {
		return fmt.Errorf("make the archive: %w", err)
	}
	return nil
}

// newKey makes the ledger's key. Without an archive, a file that is no key can
// only be left from an interrupted Make.
func (h Home) newKey() error {
	if err := os.Remove(h.ledgerKey()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("make the ledger's key: %w", err)
	}
	return ledger.NewKey(h.ledgerKey(), "muniment")
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
	if err := h.accessible(); err != nil {
		return nil, err
	}
	if err := h.unfinished(); err != nil {
		return nil, err
	}
	db, err := sqlite.Open(ctx, h.archive())
	if errors.Is(err, sqlite.ErrNoArchive) {
		return nil, fmt.Errorf("%w in %s: run `muniment init` first", err, string(h))
	}
	return db, err
}

// accessible refuses to begin where a file cannot be opened, and says whose it
// is: SQLite would only say that it cannot.
func (h Home) accessible() error {
	for _, path := range []string{string(h), h.archive(), h.session(), h.bufferKey(), h.ledgerKey(), h.lock()} {
		f, err := os.Open(path)
		if errors.Is(err, fs.ErrPermission) {
			return fmt.Errorf("%s may not be opened by this user: run this with sudo; if that does not help, chown -R it to the user that the service runs as", path)
		}
		if err == nil {
			f.Close()
		}
	}
	return nil
}

// Owner returns the user and group that the state directory belongs to; false if
// there is none yet.
func (h Home) Owner() (uid, gid int, ok bool) {
	info, err := os.Stat(string(h))
	if err != nil {
		return 0, 0, false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0, false
	}
	return int(stat.Uid), int(stat.Gid), true
}

// OpenKey reads the key that signs the ledger's checkpoints.
func (h Home) OpenKey() (*ledger.Key, error) { return ledger.LoadKey(h.ledgerKey()) }

// Vault returns the files of the archive db, to open and check them: it fetches none.
func (h Home) Vault(db *sqlite.DB) *vault.Vault {
	return &vault.Vault{Directory: h.media(), DB: db, Log: slog.New(slog.DiscardHandler), Now: time.Now}
}

// Lock takes the link for one command; release gives it back. The lock goes
// with the process, however it ends.
func (h Home) Lock() (release func(), err error) {
	f, err := os.OpenFile(h.lock(), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the link: %w", err)
	}
	err = unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK})
	if err == nil {
		return func() { f.Close() }, nil
	}
	f.Close()
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
		return nil, ErrBusy
	}
	return nil, fmt.Errorf("lock the link: %w", err)
}

// Running reports whether a command uses the link now, the daemon as a rule. It
// only asks: a command that begins meanwhile is not disturbed.
func (h Home) Running() bool {
	f, err := os.Open(h.lock())
	if err != nil {
		return false
	}
	defer f.Close()
	lock := unix.Flock_t{Type: unix.F_WRLCK}
	return unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, &lock) == nil && lock.Type != unix.F_UNLCK
}

// Full reports whether the disk is too full for a message: no page of the archive fits.
func (h Home) Full() bool {
	var disk unix.Statfs_t
	return unix.Statfs(string(h), &disk) == nil && int64(disk.Bavail)*int64(disk.Bsize) < 64<<10
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

// Pair links this machine as p says and journals it; see [whatsapp.Session.Link].
func (l *Link) Pair(ctx context.Context, p whatsapp.Pairing) error {
	if err := l.Link(ctx, p); err != nil {
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
