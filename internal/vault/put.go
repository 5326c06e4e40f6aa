package vault

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// sealedPrefix begins the names of files that were sealed here and that no record has
// yet. Whoever seals them puts them in their places soon, or has died.
const (
	sealedPrefix = "sealed-"
	soon         = 24 * time.Hour
)

// Seal seals a file that did not come from WhatsApp as one that did: under a fresh key,
// as a stream, so that it never lies on the disk in the clear. It returns f with the key,
// both digests and the size. The file waits in the media directory for [Vault.Put]. It
// refuses to take what is kept free of the disk for messages.
func (v *Vault) Seal(ctx context.Context, t record.Type, f record.File, plain io.Reader) (record.File, error) {
	if purposes[t] == "" {
		return f, fmt.Errorf("seal a file: no file is a %s", t)
	}
	if err := os.MkdirAll(v.Directory, 0o700); err != nil {
		return f, fmt.Errorf("seal a file: %w", bare(err))
	}
	part, err := os.CreateTemp(v.Directory, sealedPrefix)
	if err != nil {
		return f, fmt.Errorf("seal a file: %w", bare(err))
	}
	defer os.Remove(part.Name()) // unless it has its name by then
	defer part.Close()
	f.Key = make([]byte, keySize)
	rand.Read(f.Key) // never fails
	s, err := newSealer(v.gauge(part), Media{Type: t, File: f})
	if err != nil {
		return f, err
	}
	if _, err := pour(ctx, s, plain); err != nil {
		return f, fmt.Errorf("seal a file: %w", bare(err))
	}
	if err := errors.Join(s.end(), part.Sync()); err != nil {
		return f, fmt.Errorf("seal a file: %w", bare(err))
	}
	f.Size, f.Digest, f.Sealed = s.size, s.plain.Sum(nil), s.sealed.Sum(nil)
	if err := os.Rename(part.Name(), v.waiting(f.Sealed)); err != nil {
		return f, fmt.Errorf("seal a file: %w", bare(err))
	}
	return f, nil
}

// waiting is where a sealed file waits.
func (v *Vault) waiting(sealed []byte) string {
	return filepath.Join(v.Directory, fmt.Sprintf("%s%x", sealedPrefix, sealed))
}

// Put brings files that [Vault.Seal] sealed to their places and calls write in a
// transaction, which notes by [Keep] whose they are. What it does not note goes with the
// next [Vault.Sweep]; none comes in between, not even one of another process.
func (v *Vault) Put(ctx context.Context, files []record.File, write func(*sqlite.Tx) error) error {
	if len(files) == 0 {
		return v.DB.Write(ctx, write)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	unlock, err := v.lock()
	if err != nil {
		return fmt.Errorf("put files into the vault: %w", err)
	}
	defer unlock()
	changed := []string{v.Directory, filepath.Dir(v.Directory)}
	for _, f := range files {
		to := v.place(f.Sealed)
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return fmt.Errorf("put files into the vault: %w", bare(err))
		}
		if err := os.Rename(v.waiting(f.Sealed), to); err != nil {
			return fmt.Errorf("put files into the vault: %w", bare(err))
		}
		changed = append(changed, filepath.Dir(to))
	}
	if err := syncAll(changed...); err != nil {
		return fmt.Errorf("put files into the vault: %w", bare(err))
	}
	return v.DB.Write(ctx, write)
}

// Keep notes, in the transaction of [Vault.Put] that captures the record, that a file is
// its.
func Keep(tx *sqlite.Tx, now time.Time, seq record.Seq, t record.Type, f record.File) error {
	if _, err := tx.Exec(`
		INSERT INTO media (seq, type, name, mime, size, path, key, digest, sealed, state, reason, since, next_attempt, finished_at)
		VALUES (?1, ?2, ?3, ?4, ?5, '', ?6, ?7, ?8, 'kept', '', ?9, ?9, ?9)`,
		seq, t, f.Name, f.MIME, f.Size, f.Key, f.Digest, f.Sealed, sqlite.FormatTime(now)); err != nil {
		return fmt.Errorf("keep the file of record %d: %w", seq, err)
	}
	return nil
}

// lock keeps other processes from sweeping the media directory, or from putting files
// into it, until unlock is called. The directory has to be there.
func (v *Vault) lock() (unlock func(), err error) {
	d, err := os.Open(v.Directory)
	if err != nil {
		return nil, bare(err)
	}
	for {
		if err = syscall.Flock(int(d.Fd()), syscall.LOCK_EX); !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		d.Close()
		return nil, err
	}
	return func() { d.Close() }, nil
}

// sealer writes what is written to it sealed.
type sealer struct {
	to            io.Writer
	mode          cipher.BlockMode
	rest          []byte // less than a block
	size          int64
	plain, sealed hash.Hash
	mac           hash.Hash
}

func newSealer(to io.Writer, m Media) (*sealer, error) {
	iv, key, macKey, err := derive(m)
	if err != nil {
		return nil, err
	}
	c, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("a file's key: %w", err)
	}
	s := &sealer{to: to, mode: cipher.NewCBCEncrypter(c, iv), plain: sha256.New(), sealed: sha256.New(), mac: hmac.New(sha256.New, macKey)}
	s.mac.Write(iv)
	return s, nil
}

// Write is [io.Writer].
func (s *sealer) Write(p []byte) (int, error) {
	s.plain.Write(p)
	s.size += int64(len(p))
	whole := append(s.rest, p...)
	n := len(whole) / block * block
	s.rest = append([]byte(nil), whole[n:]...)
	return len(p), s.encrypt(whole[:n])
}

func (s *sealer) encrypt(blocks []byte) error {
	s.mode.CryptBlocks(blocks, blocks)
	s.sealed.Write(blocks)
	s.mac.Write(blocks)
	_, err := s.to.Write(blocks)
	return err
}

// end pads what is left to a block and writes the MAC.
func (s *sealer) end() error {
	padding := block - len(s.rest)
	for range padding {
		s.rest = append(s.rest, byte(padding))
	}
	if err := s.encrypt(s.rest); err != nil {
		return err
	}
	tag := s.mac.Sum(nil)[:macSize]
	s.sealed.Write(tag)
	_, err := s.to.Write(tag)
	return err
}
