package whatsapp

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"muniment/internal/sqlite"
)

const (
	keySize   = 32
	newSuffix = ".new"
	// replaceAfter is how long a key may stay in use once the buffer is empty:
	// to replace it at once would cost two fsyncs for every message.
	replaceAfter = time.Second
	// abstention is for how long at most nothing is decrypted after our own database
	// has failed: see eventBuffer.GetBufferedEvent.
	abstention = 5 * time.Second
)

// A seal guards what is in the event buffer with a key in a file of its own,
// which is replaced whenever the buffer is empty: what is left of old rows in
// freed pages and in the write-ahead log can then be read by nobody.
//
// One message that never finishes, such as one whose protobuf does not parse,
// keeps the key in use until it is abandoned.
type seal struct {
	db      *sql.DB
	path    string
	log     *slog.Logger
	open    atomic.Bool            // somebody captures
	onFault atomic.Pointer[func()] // our own database failed
	faulty  atomic.Int64           // when it failed on this connection, Unix nanoseconds; 0: it did not
	lost    atomic.Int64           // rows that went with their device
	refusal atomic.Pointer[string] // why, if the disk does not take it
	keep    atomic.Bool            // see keepNext

	// turn is held, by whoever has put a value in, from the lookup of a
	// ciphertext until it is buffered, and while the key is replaced. So a row
	// is never sealed under a key that is not on disk, or not any more.
	turn chan struct{}
	key  sealingKey // with turn
	used bool       // with turn: the key may have sealed something

	timer struct {
		sync.Mutex
		*time.Timer // nil: none is running
		closed      bool
	}
}

// openSeal reads the key, or makes one. A damaged or lost key does not prevent
// listening: see eventBuffer.GetBufferedEvent.
func openSeal(ctx context.Context, db *sql.DB, path string, log *slog.Logger) (*seal, error) {
	s := &seal{db: db, path: path, log: log, turn: make(chan struct{}, 1), used: true}
	raw, err := os.ReadFile(path)
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("read key of the event buffer: %w", err)
	case len(raw) == keySize:
		s.key = newSealingKey(raw)
	default:
		n, err := s.unfinished(ctx)
		if err != nil {
			return nil, err
		}
		if n > 0 {
			log.Error("key of the event buffer was lost", "unfinished", n)
		}
		return s, s.replace()
	}
	_, err = s.replaceIfEmpty(ctx)
	return s, err
}

// keepNext keeps the row of the message that is being handled, which whatsmeow is about to
// blank though it was not dealt with.
func (s *seal) keepNext() { s.keep.Store(true) }

// take waits for the turn.
func (s *seal) take(ctx context.Context) error {
	select {
	case s.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// give gives the turn back, if it is taken.
func (s *seal) give() {
	select {
	case <-s.turn:
	default:
	}
}

// trouble reports a failure of our own database. Of the error it logs no text:
// libsignal's name whom the message came from.
func (s *seal) trouble(err error) error {
	if !errors.Is(err, context.Canceled) {
		var coded interface{ Code() int }
		code := 0
		if errors.As(err, &coded) {
			code = coded.Code()
		}
		s.log.Error("session database failed, message not acknowledged", "sqlite", code)
		s.abstain()
		if why := sqlite.Refusal(err); why != "" {
			s.refusal.Store(&why)
		}
		if f := s.onFault.Load(); f != nil {
			(*f)()
		}
	}
	return notNow{err}
}

// abstain notes that the database has failed.
func (s *seal) abstain() { s.faulty.Store(time.Now().UnixNano()) }

// abstains reports whether the database has failed just now, on this connection.
func (s *seal) abstains() bool {
	at := s.faulty.Load()
	return at != 0 && time.Since(time.Unix(0, at)) < abstention
}

// replaceSoon replaces the key a little later, if nothing is pending then.
func (s *seal) replaceSoon() {
	s.timer.Lock()
	defer s.timer.Unlock()
	if s.timer.Timer != nil || s.timer.closed {
		return
	}
	s.timer.Timer = time.AfterFunc(replaceAfter, func() {
		s.timer.Lock()
		s.timer.Timer = nil
		s.timer.Unlock()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if _, err := s.replaceIfEmpty(ctx); err != nil {
			s.log.Warn("key of the event buffer could not be replaced", "err", err)
		}
	})
}

// replaceIfEmpty replaces the key if it may have sealed something and nothing
// is pending, and reports whether nothing sealed under the old key is readable.
func (s *seal) replaceIfEmpty(ctx context.Context) (done bool, err error) {
	if err := s.take(ctx); err != nil {
		return false, err
	}
	defer s.give()
	if !s.used {
		return true, nil
	}
	n, err := s.unfinished(ctx)
	if err != nil || n > 0 {
		return false, err
	}
	return true, s.replace()
}

// replace makes a new key, durable before it is used. The old file's blocks are
// overwritten, as far as the file system lets us.
func (s *seal) replace() error {
	old, _ := os.OpenFile(s.path, os.O_WRONLY, 0) // there may be none
	if old != nil {
		defer old.Close()
	}
	raw := make([]byte, keySize)
	rand.Read(raw)
	if err := writeDurably(s.path, raw); err != nil {
		return fmt.Errorf("replace key of the event buffer: %w", err)
	}
	s.key, s.used = newSealingKey(raw), false
	if old != nil {
		_, err := old.WriteAt(make([]byte, keySize), 0)
		if err = errors.Join(err, old.Sync()); err != nil {
			return fmt.Errorf("overwrite old key of the event buffer: %w", err)
		}
	}
	return nil
}

// writeDurably replaces the file at path; a crash leaves the old or the new.
func writeDurably(path string, content []byte) error {
	f, err := os.OpenFile(path+newSuffix, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+newSuffix, path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// close replaces the key for the last time.
func (s *seal) close(ctx context.Context) error {
	s.timer.Lock()
	s.timer.closed = true
	if s.timer.Timer != nil {
		s.timer.Stop()
	}
	s.timer.Unlock()
	_, err := s.replaceIfEmpty(ctx)
	return err
}

// An index of our own spares counting the unfinished a look at every message of
// the last 14 days. It holds times only. It is not there while whatsmeow changes
// the layout of its tables, which must not trip over it.

func dropPendingIndex(ctx context.Context, db *sql.DB) error {
	_, err := db.ExecContext(ctx, "DROP INDEX IF EXISTS muniment_pending")
	return err
}

func createPendingIndex(ctx context.Context, db *sql.DB) error {
	_, err := db.ExecContext(ctx, `
		CREATE INDEX muniment_pending ON whatsmeow_event_buffer (insert_timestamp)
		WHERE plaintext IS NOT NULL`)
	return err
}

func (s *seal) unfinished(ctx context.Context) (n int, err error) {
	err = s.db.QueryRowContext(ctx, "SELECT count(*) FROM whatsmeow_event_buffer WHERE plaintext IS NOT NULL").Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("count unfinished messages: %w", err)
	}
	return n, nil
}

func (s *seal) abandon(ctx context.Context, before time.Time) (int, error) {
	blanked, err := s.db.ExecContext(ctx, `
		UPDATE whatsmeow_event_buffer SET plaintext = NULL
		WHERE plaintext IS NOT NULL AND insert_timestamp < ?`, before.UnixMilli())
	if err != nil {
		return 0, fmt.Errorf("abandon unfinished messages: %w", err)
	}
	n, _ := blanked.RowsAffected() // SQLite always knows
	if n > 0 {
		s.replaceSoon()
	}
	return int(n + s.lost.Swap(0)), nil
}

// A sealingKey is an AES-256 key used with GCM under random nonces.
type sealingKey struct{ cipher.AEAD }

func newSealingKey(raw []byte) sealingKey {
	block, err := aes.NewCipher(raw)
	if err != nil {
		panic(fmt.Sprintf("whatsapp: %v", err)) // the size is right: cannot happen
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(fmt.Sprintf("whatsapp: %v", err))
	}
	return sealingKey{aead}
}

func (k sealingKey) seal(plaintext, about []byte) []byte {
	return k.Seal(nil, nil, plaintext, about)
}

func (k sealingKey) unseal(sealed, about []byte) ([]byte, error) {
	plaintext, err := k.Open(nil, nil, sealed, about)
	if err != nil {
		return nil, errors.New("it was sealed under another key, or is damaged")
	}
	return plaintext, nil
}
