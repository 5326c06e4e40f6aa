package disposal

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"muniment/internal/archive"
	"muniment/internal/record"
	"muniment/internal/sqlite"
	"muniment/internal/vault"
)

// A hold on one record keeps that one; the others on its list go. Released, it goes
// on a list of its own, with a notice of its own.
func TestAHoldOnOneRecord(t *testing.T) {
	if testing.Short() {
		t.Skip("one thing after another, which the race detector watches for long")
	}
	c := newCouncil(t)
	held := c.says(ann, "3EB0AAAAAAAAAAAAAAAA", culvert)
	c.says(ann, "3EB0BBBBBBBBBBBBBBBB", "the hedge in Church Lane wants cutting back")
	var hold int64
	c.nightsUntil("2032-02-05")
	c.write(func(tx *sqlite.Tx) (err error) {
		hold, err = archive.PlaceHold(tx, c.now, "Jane Clerk", "request 7", "", archive.Cover{Scope: archive.Records, Records: []record.Seq{held}})
		return err
	})
	c.nightsUntil("2032-03-03")
	if cert := c.certified(1); len(cert.Destroyed) != 1 || cert.Kept != 1 {
		t.Errorf("%d destroyed, %d kept on hold", len(cert.Destroyed), cert.Kept)
	}
	c.expectKept(1)
	c.nightsUntil("2032-06-01")
	c.expectKept(1)
	c.releases(hold)
	c.nightsUntil("2032-06-02")
	c.expectLists("standing approval, minute "+c.d.Policy.Minute, "waits: its day is 2 July 2032")
	c.nightsUntil("2032-07-01")
	c.expectKept(1)
	c.nightsUntil("2032-07-02")
	c.expectKept(0)
	c.certified(2)
}

// What was on hold for a time between the notice and the day is taken off the list,
// and nothing else is.
func TestAHoldPlacedAndReleasedBeforeTheDay(t *testing.T) {
	if testing.Short() {
		t.Skip("one thing after another, which the race detector watches for long")
	}
	c := newCouncil(t)
	held := c.says(ann, "3EB0AAAAAAAAAAAAAAAA", culvert)
	other := c.says(ann, "3EB0BBBBBBBBBBBBBBBB", "the hedge in Church Lane wants cutting back")
	c.nightsUntil("2032-02-05")
	c.write(func(tx *sqlite.Tx) error {
		hold, err := archive.PlaceHold(tx, c.now, "Jane Clerk", "request 7", "", archive.Cover{Scope: archive.Records, Records: []record.Seq{held}})
		if err != nil {
			return err
		}
		return archive.ReleaseHold(tx, c.now, hold, "Jane Clerk", "a mistake")
	})
	c.nightsUntil("2032-03-03")
	if cert := c.certified(1); len(cert.Destroyed) != 1 || cert.Destroyed[0].Seq != other || cert.Kept != 1 {
		t.Errorf("destroyed %+v, %d kept on hold; want record %d", cert.Destroyed, cert.Kept, other)
	}
	c.expectKept(1)
	c.nightsUntil("2032-03-31")
	c.certified(2) // a notice on 6 February, and thirty days; but it was not the first list's day before
	c.expectKept(0)
}

// A run destroys the files of its records: with the last record that needs it, a file
// goes from the disk, and its key from everywhere.
func TestFilesGoWithTheirRecords(t *testing.T) {
	if testing.Short() {
		t.Skip("one thing after another, which the race detector watches for long")
	}
	c := newCouncil(t)
	plain := bytes.Repeat([]byte("a photo of the culvert, "), 400)
	sealed, file := seal(plain)
	c.d.Vault.Download = func(_ context.Context, _ record.Type, _ record.File, w io.Writer) error {
		_, err := w.Write(sealed)
		return err
	}
	photo := func(id string, sent time.Time) record.Seq {
		k := c.captures(record.Received{Kind: record.Message, Type: record.Image, Sender: ann, ID: id, Sent: sent, Text: "the culvert", File: &file,
			Protobuf: append([]byte("a photo: "), file.Key...)})
		c.write(func(tx *sqlite.Tx) error { return vault.Want(tx, c.now, k.Seq, record.Image, file) })
		return k.Seq
	}
	photo("3EB0AAAAAAAAAAAAAAAA", said)
	last := photo("3EB0BBBBBBBBBBBBBBBB", said.AddDate(0, 0, 40)) // the same, forwarded
	if err := c.d.Vault.FetchDue(context.Background()); err != nil {
		t.Fatal(err)
	}
	if n := c.files(); n != 1 {
		t.Fatalf("%d files kept", n)
	}
	c.nightsUntil("2032-03-03")
	if cert := c.certified(1); cert.Media != 0 {
		t.Errorf("the certificate tells of %d files, though another record needs it", cert.Media)
	}
	if n := c.files(); n != 1 {
		t.Errorf("%d files kept while another record needs it", n)
	}
	c.write(func(tx *sqlite.Tx) error {
		r, err := c.d.Vault.Open(tx, last)
		if err != nil {
			return err
		}
		defer r.Close()
		got, err := io.ReadAll(r)
		if !bytes.Equal(got, plain) {
			t.Error("the other record's file is not what it was")
		}
		return err
	})
	c.nightsUntil("2032-04-12")
	if cert := c.certified(2); cert.Media != 1 {
		t.Errorf("the certificate tells of %d files", cert.Media)
	}
	if n := c.files(); n != 0 {
		t.Errorf("%d files kept after the last", n)
	}
	for _, secret := range [][]byte{file.Key, file.Sealed, file.Digest} {
		if err := filepath.WalkDir(c.dir, func(path string, e fs.DirEntry, err error) error {
			if err != nil || !e.Type().IsRegular() {
				return err
			}
			b, err := os.ReadFile(path)
			if bytes.Contains(b, secret) {
				t.Errorf("%s holds what opens the file", path)
			}
			return err
		}); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
}

// files counts what is in the media directory.
func (c *council) files() (n int) {
	c.Helper()
	err := filepath.WalkDir(c.d.Vault.Directory, func(_ string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			n++
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		c.Fatal(err)
	}
	return n
}

// seal encrypts a photo as WhatsApp does.
func seal(plain []byte) (sealed []byte, f record.File) {
	key := bytes.Repeat([]byte{7, 11, 13, 17}, 8)
	keys, err := hkdf.Key(sha256.New, key, nil, "WhatsApp Image Keys", 112)
	if err != nil {
		panic(err)
	}
	block, err := aes.NewCipher(keys[16:48])
	if err != nil {
		panic(err)
	}
	padding := aes.BlockSize - len(plain)%aes.BlockSize
	sealed = append(bytes.Clone(plain), bytes.Repeat([]byte{byte(padding)}, padding)...)
	cipher.NewCBCEncrypter(block, keys[:16]).CryptBlocks(sealed, sealed)
	mac := hmac.New(sha256.New, keys[48:80])
	mac.Write(keys[:16])
	mac.Write(sealed)
	sealed = append(sealed, mac.Sum(nil)[:10]...)
	digest, delivered := sha256.Sum256(plain), sha256.Sum256(sealed)
	return sealed, record.File{MIME: "image/jpeg", Size: int64(len(plain)), Path: "/v/t62.7118-24/culvert?ccb=11-4",
		Key: key, Digest: digest[:], Sealed: delivered[:]}
}
