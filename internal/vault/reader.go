package vault

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"sync"

	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// A sealed file is the AES-256-CBC ciphertext of the file, padded to whole blocks,
// and the beginning of the HMAC-SHA256 over IV and ciphertext.
const (
	keySize = 32
	macSize = 10
	block   = aes.BlockSize
)

// purposes are what the keys of a file are derived for. A sticker is an image.
var purposes = map[record.Type]string{
	record.Image:     "WhatsApp Image Keys",
	record.Sticker:   "WhatsApp Image Keys",
	record.Video:     "WhatsApp Video Keys",
	record.GIF:       "WhatsApp Video Keys",
	record.VideoNote: "WhatsApp Video Keys",
	record.Audio:     "WhatsApp Audio Keys",
	record.Voice:     "WhatsApp Audio Keys",
	record.Document:  "WhatsApp Document Keys",
	record.Stickers:  "WhatsApp Sticker Pack Keys",
	record.History:   "WhatsApp History Keys", // what the council's own phone offers; see [Unseal]
}

// derive returns what seals the file m.
func derive(m Media) (iv, key, macKey []byte, err error) {
	k, err := hkdf.Key(sha256.New, m.Key, nil, purposes[m.Type], 112)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("derive a file's keys: %w", err)
	}
	return k[:16], k[16:48], k[48:80], nil // the rest is for another use
}

// sealedSize returns how large a file of so many bytes is when it is sealed.
func sealedSize(size int64) int64 { return (size/block+1)*block + macSize }

var (
	// ErrNotKept is returned for a file that is wanted, or lost, or was never there;
	// what is returned says which.
	ErrNotKept = errors.New("its file is not kept")
	// ErrDamaged is returned for a sealed file that does not open to the file that
	// the message announces; by [Vault.Open] for one too that is missing or cannot be
	// read.
	ErrDamaged = errors.New("the file is damaged; if there is a backup, restore it from there")
)

// Reader reads a file that is kept, from any offset, and decrypts it on the way, in
// little memory. Who reads all of it in order gets ErrDamaged in place of io.EOF if
// it is not the file that the message announces; a part cannot be checked.
//
// As long as a Reader is open, the disk holds the file, even if its record is
// destroyed meanwhile: close it soon.
type Reader struct {
	file   *os.File
	plain  *io.SectionReader
	digest []byte
	sum    hash.Hash // of what was read in order
	summed int64     // bytes
}

// unreadable is an error that is [ErrDamaged] and says what is the matter.
type unreadable struct{ error }

func (unreadable) Is(target error) bool { return target == ErrDamaged }

func (u unreadable) Unwrap() error { return u.error }

// Open opens the file of a record. It returns [ErrNotKept] if it is wanted or lost,
// [ErrDamaged] if it is kept and is not there as it should be; any other error is one
// of the database. The Reader outlives tx.
func (v *Vault) Open(tx *sqlite.Tx, seq record.Seq) (*Reader, error) {
	files, err := Of(tx, []record.Seq{seq})
	if err != nil {
		return nil, err
	}
	m, ok := files[seq]
	switch {
	case !ok:
		return nil, fmt.Errorf("record %d: %w: there was none, or it was destroyed", seq, ErrNotKept)
	case m.State == Wanted:
		return nil, fmt.Errorf("record %d: %w: it has not been fetched yet", seq, ErrNotKept)
	case m.State == Lost:
		return nil, fmt.Errorf("record %d: %w: %s", seq, ErrNotKept, m.Reason)
	}
	f, err := os.Open(v.place(m.Sealed))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, unreadable{fmt.Errorf("record %d: its file is missing from the media directory: restore it from a backup: %w", seq, bare(err))}
	} else if err != nil {
		return nil, unreadable{fmt.Errorf("record %d: %w", seq, bare(err))}
	}
	r, err := newReader(f, m)
	if err != nil {
		f.Close()
		return nil, unreadable{fmt.Errorf("record %d: %w", seq, bare(err))}
	}
	return r, nil
}

// newReader reads the sealed file f, of which it looks at no more than the end.
func newReader(f *os.File, m Media) (*Reader, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	length := info.Size() - macSize
	if length < block || length%block != 0 {
		return nil, ErrDamaged
	}
	iv, key, _, err := derive(m)
	if err != nil {
		return nil, err
	}
	c, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("a file's key: %w", err)
	}
	d := &decrypter{f, c, iv}
	var last [block]byte
	if _, err := d.ReadAt(last[:], length-block); err != nil {
		return nil, err
	}
	padding := last[block-1]
	if padding == 0 || padding > block {
		return nil, ErrDamaged
	}
	return &Reader{f, io.NewSectionReader(d, 0, length-int64(padding)), m.Digest, sha256.New(), 0}, nil
}

// Size returns how many bytes the file has.
func (r *Reader) Size() int64 { return r.plain.Size() }

// Read is [io.Reader].
func (r *Reader) Read(p []byte) (n int, err error) {
	at, _ := r.plain.Seek(0, io.SeekCurrent) // cannot fail
	n, err = r.plain.Read(p)
	if end := at + int64(n); at <= r.summed && r.summed < end {
		r.sum.Write(p[r.summed-at : n])
		r.summed = end
	}
	if errors.Is(err, io.EOF) && r.summed == r.Size() && !bytes.Equal(r.sum.Sum(nil), r.digest) {
		err = ErrDamaged
	}
	return n, err
}

// WriteTo is [io.WriterTo]. It reads in larger pieces than most would.
func (r *Reader) WriteTo(w io.Writer) (int64, error) { return pour(context.Background(), w, r) }

// ReadAt is [io.ReaderAt]. It checks nothing.
func (r *Reader) ReadAt(p []byte, off int64) (int, error) { return r.plain.ReadAt(p, off) }

// Seek is [io.Seeker].
func (r *Reader) Seek(offset int64, whence int) (int64, error) { return r.plain.Seek(offset, whence) }

// Close closes the file.
func (r *Reader) Close() error { return r.file.Close() }

// A decrypter reads the blocks of a sealed file decrypted, padding and all. Where
// they end is for its caller to know.
type decrypter struct {
	sealed io.ReaderAt
	cipher cipher.Block
	iv     []byte
}

// piece is how many bytes are read and decrypted at once.
const piece = 64 << 10

// pieces holds room for a piece and the block before it.
var pieces = sync.Pool{New: func() any { return new([block + piece]byte) }}

// ReadAt is [io.ReaderAt]. Each block is decrypted by means of the one before.
func (d *decrypter) ReadAt(p []byte, off int64) (n int, err error) {
	buf := pieces.Get().(*[block + piece]byte)
	defer pieces.Put(buf)
	for n < len(p) {
		skip := int(off % block)
		b := buf[:block+min(piece, (skip+len(p)-n+block-1)/block*block)]
		if from := off - int64(skip) - block; from >= 0 {
			_, err = d.sealed.ReadAt(b, from)
		} else {
			copy(b, d.iv)
			_, err = d.sealed.ReadAt(b[block:], 0)
		}
		if errors.Is(err, io.EOF) {
			return n, ErrDamaged // it was longer when it was opened
		} else if err != nil {
			return n, err
		}
		cipher.NewCBCDecrypter(d.cipher, b[:block]).CryptBlocks(b[block:], b[block:])
		done := copy(p[n:], b[block+skip:])
		n, off = n+done, off+int64(done)
	}
	return n, nil
}

// errOther is returned for a sealed file that is not the one announced.
var errOther = errors.New(other)

// prove reads the sealed file f through. It returns errOther if that is not the one
// that the message announces, ErrDamaged if it does not open to the one that the
// message announces, else the size of that.
func prove(ctx context.Context, f *os.File, m Media) (size int64, err error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	iv, _, macKey, err := derive(m)
	if err != nil {
		return 0, err
	}
	sum, mac := sha256.New(), hmac.New(sha256.New, macKey)
	mac.Write(iv)
	length := max(info.Size()-macSize, 0)
	if _, err := pour(ctx, io.MultiWriter(sum, mac), io.NewSectionReader(f, 0, length)); err != nil {
		return 0, err
	}
	tag, err := io.ReadAll(io.NewSectionReader(f, length, macSize))
	if err != nil {
		return 0, err
	}
	if sum.Write(tag); !bytes.Equal(sum.Sum(nil), m.Sealed) {
		return 0, errOther
	}
	if !hmac.Equal(mac.Sum(nil)[:macSize], tag) {
		return 0, ErrDamaged
	}
	r, err := newReader(f, m)
	if err != nil {
		return 0, err
	}
	return pour(ctx, io.Discard, r)
}

// pour copies r to w in pieces, until ctx is done.
func pour(ctx context.Context, w io.Writer, r io.Reader) (int64, error) {
	return io.CopyBuffer(struct{ io.Writer }{w}, until{ctx, r}, make([]byte, piece))
}

// until reads until ctx is done.
type until struct {
	ctx context.Context
	r   io.Reader
}

func (u until) Read(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.r.Read(p)
}

// Unseal opens a file that is sealed as those of messages are and is not the vault's own:
// a piece of history. It reads it through first, and returns [ErrDamaged] if it is not the
// one that of announces. The Reader takes f over; if there is an error, it stays the
// caller's.
func Unseal(ctx context.Context, f *os.File, of record.File) (*Reader, error) {
	m := Media{Type: of.Type, File: of}
	if _, err := prove(ctx, f, m); errors.Is(err, errOther) {
		return nil, unreadable{bare(err)}
	} else if err != nil {
		return nil, bare(err)
	}
	r, err := newReader(f, m)
	if err != nil {
		return nil, bare(err)
	}
	return r, nil
}
