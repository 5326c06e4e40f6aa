package vault

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"muniment/internal/record"
	"muniment/internal/sqlite"
)

func TestAFileOfEveryTypeComesAndIsRead(t *testing.T) {
	c := newCouncil(t)
	sizes := []int{0, 1, 15, 16, 17, 31, 32, 100_000, piece - 1, piece, piece + 1, 300_001}
	plain := make(map[record.Seq][]byte)
	var bytes int64
	for _, typ := range []record.Type{record.Image, record.Video, record.Audio, record.Document, record.Sticker} {
		for _, n := range sizes {
			seq := record.Seq(len(plain) + 1)
			plain[seq] = words(n)
			bytes += int64(n)
			f := c.wa.has(typ, plain[seq])
			f.Size = []int64{f.Size, 0, -1, 1 << 62}[seq%4] // what senders say
			c.wants(seq, typ, f)
			if m := c.file(seq); m.Size < 0 || m.State != Wanted {
				t.Errorf("wanted: %+v", m)
			}
		}
	}
	c.fetches()
	for seq, p := range plain {
		c.is(seq, Kept, "", 1)
		c.holds(seq, p)
	}
	c.has(len(plain))
	c.read(func(tx *sqlite.Tx) error {
		n, err := Counts(tx)
		if want := (Count{Kept: len(plain), Bytes: bytes}); n != want {
			t.Errorf("counts %+v; want %+v", n, want)
		}
		var seqs []record.Seq
		if err := Each(tx, func(m Media) error { seqs = append(seqs, m.Seq); return nil }); err != nil {
			return err
		}
		if len(seqs) != len(plain) || !slices.IsSorted(seqs) {
			t.Errorf("each calls for %v", seqs)
		}
		return err
	})
	if c.wa.most > atOnce {
		t.Errorf("%d files were fetched at once", c.wa.most)
	}
	for name, want := range map[string]os.FileMode{
		c.vault.Directory: 0o700, filepath.Dir(c.files()[0]): 0o700, c.files()[0]: 0o600,
	} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s has mode %v, %v; want %v", name, info.Mode(), err, want)
		}
	}
}

// The vectors were made by another implementation: key 00 01 02 … 1f.
func TestFilesAreSealedAsWhatsAppDoesIt(t *testing.T) {
	const minutes = "Minutes of the meeting of 4 May"
	key, err := hex.DecodeString("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")
	if err != nil {
		t.Fatal(err)
	}
	for typ, want := range map[record.Type]string{
		record.Image:    "a22ec9c595306714b8516686e9de36133d82b8f3c3b198a0c27ec5c10d07034943276d796dae5caf483f",
		record.Sticker:  "a22ec9c595306714b8516686e9de36133d82b8f3c3b198a0c27ec5c10d07034943276d796dae5caf483f",
		record.Video:    "cbe32335acfb616daf0829618c9431495be5d5f34d612783e59118a5314eb09cfa5ccd9e9e597579f694",
		record.Audio:    "3005b8dc4bf6f030957dc54c645df50094d5020157e9ff0414c1451adfe66e3a4dc0703d7291630a7d9e",
		record.Document: "1ed4eee50015d31862e5fdd84648f8fe36ec5a2d03dece055a7f8fbbee375649c521a471df84a5bbd0b7",
	} {
		sealed, err := hex.DecodeString(want)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(t.TempDir(), "sealed")
		if err := os.WriteFile(name, sealed, 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		var b bytes.Buffer
		said, err := sealTo(&b, typ, key, strings.NewReader(minutes))
		if err != nil {
			t.Fatal(err)
		}
		if hex.EncodeToString(b.Bytes()) != want {
			t.Errorf("%s: the tests seal it otherwise: %x", typ, b.Bytes())
		}
		if n, err := prove(t.Context(), f, Media{Type: typ, File: said}); n != int64(len(minutes)) || err != nil {
			t.Errorf("%s: %d bytes, %v", typ, n, err)
		}
		if int64(b.Len()) != sealedSize(int64(len(minutes))) {
			t.Errorf("%d bytes; sealedSize says %d", b.Len(), sealedSize(int64(len(minutes))))
		}
	}
}

func TestAMessageThatDoesNotSayEnough(t *testing.T) {
	c := newCouncil(t)
	var seq record.Seq
	for name, spoil := range map[string]func(t *record.Type, f *record.File){
		"no key":                   func(_ *record.Type, f *record.File) { f.Key = nil },
		"a short key":              func(_ *record.Type, f *record.File) { f.Key = f.Key[:16] },
		"no digest":                func(_ *record.Type, f *record.File) { f.Digest = nil },
		"a short digest":           func(_ *record.Type, f *record.File) { f.Digest = f.Digest[:20] },
		"no digest as sealed":      func(_ *record.Type, f *record.File) { f.Sealed = nil },
		"a long digest as sealed":  func(_ *record.Type, f *record.File) { f.Sealed = append(f.Sealed, 0) },
		"no path":                  func(_ *record.Type, f *record.File) { f.Path = "" },
		"a path on another server": func(_ *record.Type, f *record.File) { f.Path = "@evil.example/x" },
		"a type without files":     func(t *record.Type, _ *record.File) { *t = record.Text },
		"nothing":                  func(_ *record.Type, f *record.File) { *f = record.File{} },
	} {
		t.Run(name, func(t *testing.T) {
			seq++
			typ, f := record.Image, c.wa.has(record.Image, words(100))
			spoil(&typ, &f)
			c.wants(seq, typ, f)
			c.wants(seq, typ, f) // once only in the journal
			c.fetches()
			c.is(seq, Lost, "the message does not say how to fetch it", 0)
			if n := c.wa.times(f); n > 0 {
				t.Errorf("WhatsApp was asked %d times", n)
			}
			if g := c.forgets(seq); len(g) != 1 || !bytes.Equal(g[0].Key, f.Key) || !bytes.Equal(g[0].Sealed, f.Sealed) {
				t.Errorf("forgotten: %+v", g)
			}
		})
	}
}

func TestAFileIsWantedOnce(t *testing.T) {
	c := newCouncil(t)
	f := c.wa.has(record.Image, words(100))
	c.wants(1, record.Image, f)
	c.wants(1, record.Image, f)
	c.fetches()
	c.wants(1, record.Image, f) // WhatsApp delivers messages again
	c.is(1, Kept, "", 1)
	c.fetches()
	if n := c.wa.times(f); n != 1 {
		t.Errorf("WhatsApp was asked %d times", n)
	}
}

func TestTwoMessagesShareAFile(t *testing.T) {
	c := newCouncil(t)
	plan := words(1000)
	f := c.wa.has(record.Document, plan)
	g := f
	g.Name = "Fwd drawing"
	c.wants(1, record.Document, f) // both before anything is fetched
	c.wants(2, record.Document, g)
	c.fetches()
	c.wants(3, record.Document, g) // and one when it is there
	c.fetches()
	if n := c.wa.times(f); n != 1 {
		t.Errorf("WhatsApp was asked %d times", n)
	}
	for seq := range record.Seq(3) {
		c.holds(seq+1, plan)
	}
	c.has(1)
	c.read(func(tx *sqlite.Tx) error {
		n, err := Counts(tx)
		if want := (Count{Kept: 3, Bytes: 1000}); n != want {
			t.Errorf("counts %+v; want %+v", n, want)
		}
		return err
	})

	gone := c.forgets(1, 3, 99)
	if len(gone) != 2 || gone[0].Name != f.Name || gone[0].Path != f.Path || !bytes.Equal(gone[0].Key, f.Key) ||
		!bytes.Equal(gone[0].Digest, f.Digest) || !bytes.Equal(gone[0].Sealed, f.Sealed) || gone[1].Seq != 3 {
		t.Errorf("forgotten: %+v", gone)
	}
	if n := c.sweeps(); n != 0 {
		t.Errorf("%d files were removed that a record needs", n)
	}
	c.holds(2, plan)
	for what, fragment := range map[string][]byte{"name": []byte(g.Name), "key": f.Key, "digest": f.Digest, "sealed": f.Sealed, "path": []byte(f.Path)} {
		c.read(func(tx *sqlite.Tx) error {
			says, err := Says(tx, fragment)
			if !says {
				t.Errorf("nothing says the %s of what is left", what)
			}
			return err
		})
	}

	c.forgets(2)
	if n := c.sweeps(); n != 1 {
		t.Errorf("%d files were removed; want 1", n)
	}
	c.has(0)
	c.read(func(tx *sqlite.Tx) error {
		says, err := Says(tx, f.Key)
		if says {
			t.Error("the key of a forgotten file is still there")
		}
		if files, err := Of(tx, []record.Seq{1, 2, 3}); err != nil || len(files) > 0 {
			t.Errorf("forgotten files: %v, %v", files, err)
		}
		return err
	})
}

// A message may announce somebody else's file with a key that does not open it.
func TestAMessageThatAnnouncesAnothersFile(t *testing.T) {
	c := newCouncil(t)
	plan := words(1000)
	f := c.wa.has(record.Document, plan)
	c.wants(1, record.Document, f)
	c.fetches()
	g := f
	g.Key = bytes.Repeat([]byte{7}, 32)
	c.wants(2, record.Document, g)
	c.fetches()
	c.is(2, Lost, "it cannot be opened with what the message says", 1)
	c.holds(1, plan)
	c.forgets(1)
	c.sweeps()
	c.has(0) // what is lost needs none
}

func TestWhatIsNotKeptIsNotOpened(t *testing.T) {
	c := newCouncil(t)
	c.wants(1, record.Image, c.wa.has(record.Image, words(10)))
	c.wants(2, record.Image, record.File{})
	for seq, says := range map[record.Seq]string{1: "not been fetched yet", 2: "does not say how", 3: "there was none"} {
		c.read(func(tx *sqlite.Tx) error {
			if _, err := c.vault.Open(tx, seq); !errors.Is(err, ErrNotKept) || !strings.Contains(err.Error(), says) {
				t.Errorf("record %d: %v; want ErrNotKept, and %q", seq, err, says)
			}
			return nil
		})
	}
}

// What happens to files outside is found, told apart, and told with what to do.
func TestFilesThatAreAlteredOrMissing(t *testing.T) {
	c := newCouncil(t)
	for seq := range record.Seq(5) {
		c.wants(seq+1, record.Video, c.wa.has(record.Video, words(1000)))
	}
	c.fetches()
	place := func(seq record.Seq) string { return c.vault.place(c.file(seq).Sealed) }
	c.must(os.Remove(place(1)))
	altered, err := os.ReadFile(place(2))
	c.must(err)
	altered[100] ^= 1
	c.must(os.WriteFile(place(2), altered, 0o600))
	c.must(os.Truncate(place(3), 500))
	five := c.file(5)
	c.forgets(5)
	c.sweeps()

	for seq, want := range map[record.Seq]string{
		1: "the file of record 1 is missing from the media directory",
		2: "the file of record 2 is not what was delivered: it was altered or damaged",
		3: "the file of record 3 is not what was delivered: it was altered or damaged",
		4: "",
	} {
		if fault, err := c.vault.Check(t.Context(), c.file(seq)); fault != want || err != nil {
			t.Errorf("record %d: %q, %v; want %q", seq, fault, err, want)
		}
	}
	if fault, err := c.vault.Check(t.Context(), five); fault != "" || err != nil {
		t.Errorf("a file that was destroyed is checked: %q, %v", fault, err)
	}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.vault.Check(done, c.file(4)); !errors.Is(err, context.Canceled) {
		t.Errorf("a check that was broken off: %v", err)
	}

	c.read(func(tx *sqlite.Tx) error {
		if _, err := c.vault.Open(tx, 1); !errors.Is(err, os.ErrNotExist) || !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "backup") ||
			strings.Contains(err.Error(), filepath.Base(place(1))) {
			t.Errorf("a missing file is opened: %v", err)
		}
		if _, err := c.vault.Open(tx, 3); !errors.Is(err, ErrDamaged) {
			t.Errorf("a file cut short is opened: %v", err)
		}
		return nil
	})
	for name, read := range map[string]func(r *Reader) error{
		"read":    func(r *Reader) error { _, err := io.ReadAll(r); return err },
		"WriteTo": func(r *Reader) error { _, err := r.WriteTo(io.Discard); return err },
		"sections": func(r *Reader) error {
			_, err := io.Copy(io.Discard, io.MultiReader(io.LimitReader(r, 512), r))
			return err
		},
		"sniffed": func(r *Reader) error {
			if _, err := io.ReadFull(r, make([]byte, 512)); err != nil {
				return err
			}
			if _, err := r.Seek(0, io.SeekStart); err != nil {
				return err
			}
			_, err := io.Copy(io.Discard, r)
			return err
		},
	} {
		if err := read(c.opens(2)); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: an altered file is read: %v", name, err)
		}
		if err := read(c.opens(4)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	r := c.opens(2)
	if _, err := r.Seek(500, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(r); len(rest) != 500 || err != nil {
		t.Errorf("a part: %d bytes, %v", len(rest), err)
	}
	r = c.opens(4)
	c.must(os.Truncate(place(4), 100))
	if _, err := io.ReadAll(r); !errors.Is(err, ErrDamaged) {
		t.Errorf("a file cut short while it is read: %v", err)
	}

	// What is damaged is replaced if it comes once more.
	f := c.file(2).File
	c.wants(6, record.Video, f)
	c.fetches()
	c.is(2, Kept, "", 1)
	if fault, err := c.vault.Check(t.Context(), c.file(2)); fault != "" || err != nil {
		t.Errorf("after it came once more: %q, %v", fault, err)
	}
}

func TestASweepLeavesWhatIsNotTheVaults(t *testing.T) {
	c := newCouncil(t)
	if n := c.sweeps(); n != 0 { // no directory yet
		t.Errorf("%d files removed", n)
	}
	c.wants(1, record.Image, c.wa.has(record.Image, words(10)))
	c.fetches()
	c.forgets(1)
	foreign := []string{"README", "part-", "part-x", "part-5/part-6", strings.Repeat("ab", 32), "ab/" + strings.Repeat("ab", 31), "cd/" + strings.Repeat("ab", 32)}
	for _, name := range foreign {
		name = filepath.Join(c.vault.Directory, name)
		c.must(os.MkdirAll(filepath.Dir(name), 0o700))
		c.must(os.WriteFile(name, nil, 0o600))
	}
	c.must(os.WriteFile(c.vault.part(4), nil, 0o600))
	if n := c.sweeps(); n != 2 {
		t.Errorf("%d files removed; want the forgotten one and the unfinished one", n)
	}
	if left := c.files(); len(left) != len(foreign) {
		t.Errorf("left: %q; want %q", left, foreign)
	}
}

// The disk holds a file for those who read it.
func TestAFileIsReadWhileItIsDestroyed(t *testing.T) {
	c := newCouncil(t)
	plain := words(300_000)
	c.wants(1, record.Video, c.wa.has(record.Video, plain))
	c.fetches()
	r := c.opens(1)
	if _, err := io.ReadFull(r, make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	c.forgets(1)
	c.sweeps()
	c.has(0)
	if rest, err := io.ReadAll(r); err != nil || !bytes.Equal(rest, plain[1000:]) {
		t.Errorf("%d bytes, %v", len(rest), err)
	}
}

// Nothing that a file says is in any file of the archive, ever.
func TestNothingInTheClearTouchesTheDisk(t *testing.T) {
	c := newCouncil(t)
	plain := words(300_000)
	f, tap := c.wa.hasBehindTap(record.Document, plain)
	c.wants(1, record.Document, f)
	search := func(when string) (all int) {
		c.must(filepath.WalkDir(c.dir, func(path string, e os.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			b, err := os.ReadFile(path)
			all += len(b)
			for at := 0; at+24 < len(plain); at += 1000 {
				if bytes.Contains(b, plain[at:at+24]) {
					t.Errorf("%s, %s says what the file says", when, path)
					break
				}
			}
			return err
		}))
		return all
	}
	done := make(chan error)
	go func() { done <- c.vault.FetchDue(t.Context()) }()
	<-tap.reached
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if info, err := os.Stat(c.vault.part(1)); err == nil && info.Size() > 100_000 {
			break
		} else if time.Now().After(deadline) {
			t.Fatal("nothing arrives")
		}
	}
	if n := search("while it is fetched"); n < 100_000 {
		t.Errorf("only %d bytes were searched", n)
	}
	close(tap.open)
	c.must(<-done)
	c.holds(1, plain)
	if n := search("when it is kept and was read"); n < 300_000 {
		t.Errorf("only %d bytes were searched", n)
	}
}

func TestRunFetchesWhatComes(t *testing.T) {
	c := newCouncil(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- c.vault.Run(ctx) }()
	plain := make(map[record.Seq][]byte)
	for seq := record.Seq(1); seq <= 30; seq++ {
		plain[seq] = words(50_000)
		sealed, f := seal(record.Image, plain[seq])
		c.wa.answers(f.Path, func(a http.ResponseWriter, _ *http.Request) {
			c.wa.waitsFor(atOnce) // so that they have to wait for each other
			a.Write(sealed)
		})
		c.wants(seq, record.Image, f)
	}
	c.vault.Wake() // for all of them
	c.waits(func(n Count) bool { return n.Kept == 30 })
	cancel()
	c.must(<-done)
	for seq, p := range plain {
		c.holds(seq, p)
	}
	if c.wa.most != atOnce {
		t.Errorf("%d were fetched at once at most; want %d", c.wa.most, atOnce)
	}
}

// waits waits until the counts are as they should be.
func (c *council) waits(are func(Count) bool) {
	c.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		var n Count
		c.read(func(tx *sqlite.Tx) (err error) {
			n, err = Counts(tx)
			return err
		})
		if are(n) {
			return
		} else if time.Now().After(deadline) {
			c.Fatalf("there are %+v", n)
		}
	}
}
