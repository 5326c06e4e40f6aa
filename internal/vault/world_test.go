package vault

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"muniment/internal/journal"
	"muniment/internal/record"
	"muniment/internal/sqlite"
	"muniment/internal/sqlite/sqlitetest"
)

// A council has an archive, a vault, and a clock that the test sets. WhatsApp's
// servers are a real one on loopback.
type council struct {
	*testing.T
	dir   string
	db    *sqlite.DB
	vault *Vault
	wa    *whatsApp

	mu    sync.Mutex
	clock time.Time
	log   bytes.Buffer
	told  []record.File // of which nothing may be in the log
}

func newCouncil(t *testing.T) *council {
	t.Helper()
	c := &council{T: t, dir: t.TempDir(), wa: newWhatsApp(t), clock: time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)}
	db, err := sqlitetest.Create(t.Context(), c.path("archive.db"))
	c.must(err)
	c.must(db.Close())
	c.restarts()
	t.Cleanup(func() {
		c.must(c.db.Close())
		for _, f := range c.told {
			for what, said := range map[string]string{
				"name": f.Name, "path": strings.TrimPrefix(f.Path, "/"), "key": hex.EncodeToString(f.Key),
				"digest": hex.EncodeToString(f.Digest), "sealed digest": hex.EncodeToString(f.Sealed),
			} {
				if said != "" && strings.Contains(c.log.String(), said) {
					t.Errorf("the log holds a file's %s:\n%s", what, c.log.String())
					return
				}
			}
		}
	})
	return c
}

func (c *council) must(err error) {
	c.Helper()
	if err != nil {
		c.Fatal(err)
	}
}

func (c *council) path(name string) string { return filepath.Join(c.dir, name) }

// restarts loses all that the program has in memory only.
func (c *council) restarts() {
	c.Helper()
	if c.db != nil {
		c.must(c.db.Close())
	}
	db, err := sqlite.Open(context.Background(), c.path("archive.db"))
	c.must(err)
	c.db = db
	c.vault = &Vault{
		Directory: c.path("media"), DB: db, Log: slog.New(slog.NewTextHandler(&c.log, nil)), Now: c.now,
		Download: download(c.wa.URL),
	}
}

// download asks the server at url.
func download(url string) func(context.Context, record.Type, record.File, io.Writer) error {
	return func(ctx context.Context, _ record.Type, f record.File, w io.Writer) error {
		q, err := http.NewRequestWithContext(ctx, http.MethodGet, url+f.Path, nil)
		if err != nil {
			return err
		}
		a, err := http.DefaultClient.Do(q)
		if err != nil {
			return err
		}
		defer a.Body.Close()
		switch a.StatusCode {
		case http.StatusOK:
			_, err := io.Copy(w, a.Body)
			return err
		case http.StatusForbidden, http.StatusNotFound, http.StatusGone:
			return fmt.Errorf("status %d: %w", a.StatusCode, ErrGone)
		}
		return fmt.Errorf("status %d", a.StatusCode)
	}
}

func (c *council) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.clock
}

func (c *council) steps(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clock = c.clock.Add(d)
}

func (c *council) write(f func(tx *sqlite.Tx) error) {
	c.Helper()
	c.must(c.db.Write(context.Background(), f))
}

func (c *council) read(f func(tx *sqlite.Tx) error) {
	c.Helper()
	c.must(c.db.Read(context.Background(), f))
}

// wants is what capture does with a message that brings a file.
func (c *council) wants(seq record.Seq, t record.Type, f record.File) {
	c.Helper()
	c.told = append(c.told, f)
	c.write(func(tx *sqlite.Tx) error { return Want(tx, c.now(), seq, t, f) })
}

func (c *council) fetches() {
	c.Helper()
	c.must(c.vault.FetchDue(c.Context()))
}

func (c *council) forgets(seqs ...record.Seq) (forgotten []Media) {
	c.Helper()
	c.write(func(tx *sqlite.Tx) (err error) {
		forgotten, err = Forget(tx, seqs)
		return err
	})
	return forgotten
}

func (c *council) sweeps() int {
	c.Helper()
	n, err := c.vault.Sweep(c.Context())
	c.must(err)
	return n
}

func (c *council) file(seq record.Seq) Media {
	c.Helper()
	var files map[record.Seq]Media
	c.read(func(tx *sqlite.Tx) (err error) {
		files, err = Of(tx, []record.Seq{seq})
		return err
	})
	if _, ok := files[seq]; !ok {
		c.Fatalf("record %d has no file", seq)
	}
	return files[seq]
}

// is compares what has become of a file, after how many attempts.
func (c *council) is(seq record.Seq, s State, reason string, attempts int) {
	c.Helper()
	m := c.file(seq)
	if m.State != s || m.Reason != reason || m.attempts != attempts {
		c.Errorf("the file of record %d is %s (%s) after %d attempts; want %s (%s) after %d",
			seq, m.State, m.Reason, m.attempts, s, reason, attempts)
	}
	if (s == Wanted) != m.Finished.IsZero() {
		c.Errorf("the file of record %d is %s, and finished at %s", seq, m.State, m.Finished)
	}
	var lost int
	c.read(func(tx *sqlite.Tx) error {
		return journal.Of(tx, journal.FileLost, func(e journal.Entry, _ int64) error {
			if e.About.Number("record") == int64(seq) && e.Reason == reason {
				lost++
			}
			return nil
		})
	})
	if want := map[State]int{Lost: 1}[s]; lost != want {
		c.Errorf("the journal says %d times that the file of record %d is lost; want %d", lost, seq, want)
	}
}

func (c *council) opens(seq record.Seq) *Reader {
	c.Helper()
	var r *Reader
	c.read(func(tx *sqlite.Tx) (err error) {
		r, err = c.vault.Open(tx, seq)
		return err
	})
	c.Cleanup(func() { r.Close() })
	return r
}

// holds checks that the file of a record is kept and opens to plain.
func (c *council) holds(seq record.Seq, plain []byte) {
	c.Helper()
	m := c.file(seq)
	if m.State != Kept || m.Size != int64(len(plain)) {
		c.Fatalf("the file of record %d is %s, of %d bytes; want kept, of %d", seq, m.State, m.Size, len(plain))
	}
	r := c.opens(seq)
	got, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(got, plain) || r.Size() != int64(len(plain)) {
		c.Errorf("the file of record %d: %d bytes, %v; want %d bytes", seq, len(got), err, len(plain))
	}
	if fault, err := c.vault.Check(c.Context(), m); fault != "" || err != nil {
		c.Errorf("the file of record %d: %q, %v", seq, fault, err)
	}
}

// files are what is in the media directory.
func (c *council) files() (names []string) {
	c.Helper()
	c.must(filepath.WalkDir(c.vault.Directory, func(path string, e fs.DirEntry, err error) error {
		if os.IsNotExist(err) {
			return nil
		} else if err != nil || e.IsDir() {
			return err
		}
		names = append(names, path)
		return nil
	}))
	return names
}

// has checks how many files there are, and that all are called what they are.
func (c *council) has(n int) {
	c.Helper()
	names := c.files()
	if len(names) != n {
		c.Errorf("in the media directory is %q; want %d files", names, n)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		c.must(err)
		if sum := sha256.Sum256(b); filepath.Base(name) != hex.EncodeToString(sum[:]) {
			c.Errorf("%s is not what it is called", name)
		}
	}
}

// whatsApp is what keeps the files.
type whatsApp struct {
	*httptest.Server
	mu     sync.Mutex
	shelf  map[string]http.HandlerFunc // by path
	asked  map[string]int
	most   int // asked for at the same time
	asking int
	down   bool
}

func newWhatsApp(t *testing.T) *whatsApp {
	w := &whatsApp{shelf: make(map[string]http.HandlerFunc), asked: make(map[string]int)}
	w.Server = httptest.NewServer(w)
	t.Cleanup(w.Close)
	return w
}

func (w *whatsApp) ServeHTTP(a http.ResponseWriter, q *http.Request) {
	w.mu.Lock()
	answer, ok := w.shelf[q.URL.Path]
	down := w.down
	w.asked[q.URL.Path]++
	w.asking++
	w.most = max(w.most, w.asking)
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		w.asking--
		w.mu.Unlock()
	}()
	switch {
	case down:
		http.Error(a, "down", http.StatusServiceUnavailable)
	case !ok:
		http.Error(a, "gone", http.StatusGone)
	default:
		answer(a, q)
	}
}

// waitsFor returns when so many files were asked for at the same time; after ten
// seconds in any case.
func (w *whatsApp) waitsFor(n int) {
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		w.mu.Lock()
		most := w.most
		w.mu.Unlock()
		if most >= n {
			return
		}
	}
}

func (w *whatsApp) isDown(down bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = down
}

func (w *whatsApp) times(f record.File) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.asked[f.Path]
}

func (w *whatsApp) answers(path string, with http.HandlerFunc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.shelf[path] = with
}

// has gives WhatsApp a file and returns what a message says of it.
func (w *whatsApp) has(t record.Type, plain []byte) record.File {
	sealed, f := seal(t, plain)
	w.answers(f.Path, func(a http.ResponseWriter, _ *http.Request) { a.Write(sealed) })
	return f
}

// A tap lets a file come up to its half, and waits until it is opened.
type tap struct {
	reached chan struct{}
	open    chan struct{}
}

func (w *whatsApp) hasBehindTap(t record.Type, plain []byte) (record.File, tap) {
	sealed, f := seal(t, plain)
	p := tap{make(chan struct{}, 10), make(chan struct{})}
	w.answers(f.Path, func(a http.ResponseWriter, q *http.Request) {
		a.Header().Set("Content-Length", fmt.Sprint(len(sealed)))
		a.Write(sealed[:len(sealed)/2])
		a.(http.Flusher).Flush()
		p.reached <- struct{}{}
		select {
		case <-p.open:
			a.Write(sealed[len(sealed)/2:])
		case <-q.Context().Done():
		}
	})
	return f, p
}

// seal seals a file as phones do, and returns what the message says of it.
func seal(t record.Type, plain []byte) (sealed []byte, f record.File) {
	var b bytes.Buffer
	key := make([]byte, 32)
	for i := range key {
		key[i] = byte(rand.Int())
	}
	f, err := sealTo(&b, t, key, bytes.NewReader(plain))
	if err != nil {
		panic(err)
	}
	return b.Bytes(), f
}

// sealTo is seal as a stream.
func sealTo(w io.Writer, t record.Type, key []byte, plain io.Reader) (record.File, error) {
	info := map[record.Type]string{record.Image: "Image", record.Sticker: "Image", record.Video: "Video", record.Audio: "Audio", record.Document: "Document"}[t]
	k, err := hkdf.Key(sha256.New, key, nil, "WhatsApp "+info+" Keys", 112)
	if err != nil {
		return record.File{}, err
	}
	b, err := aes.NewCipher(k[16:48])
	if err != nil {
		return record.File{}, err
	}
	digest, sealed, mac := sha256.New(), sha256.New(), hmac.New(sha256.New, k[48:80])
	mac.Write(k[:16])
	to := io.MultiWriter(w, sealed, mac)
	cbc := cipher.NewCBCEncrypter(b, k[:16])
	f := record.File{Name: fmt.Sprintf("Drawing %x", key[:4]), MIME: "application/octet-stream", Key: key}
	piece := make([]byte, 1<<16)
	for last := false; !last; {
		n, err := io.ReadFull(plain, piece)
		digest.Write(piece[:n])
		f.Size += int64(n)
		p := piece[:n]
		if last = err == io.EOF || err == io.ErrUnexpectedEOF; last {
			padding := 16 - n%16
			p = append(bytes.Clone(p), bytes.Repeat([]byte{byte(padding)}, padding)...)
		} else if err != nil {
			return f, err
		}
		cbc.CryptBlocks(p, p)
		if _, err := to.Write(p); err != nil {
			return f, err
		}
	}
	tag := mac.Sum(nil)[:10]
	if _, err := io.MultiWriter(w, sealed).Write(tag); err != nil {
		return f, err
	}
	f.Digest, f.Sealed = digest.Sum(nil), sealed.Sum(nil)
	f.Path = "/v/" + hex.EncodeToString(f.Sealed[:12]) + ".enc"
	return f, nil
}

// words is a text of so many bytes that no other text has a part of.
func words(n int) []byte {
	var b bytes.Buffer
	from := rand.Uint64()
	for b.Len() < n {
		fmt.Fprintf(&b, "Sentence %x of the minutes. ", from)
		from++
	}
	return b.Bytes()[:n]
}

// noise reads the same bytes for the same seed.
func noise(seed byte, n int64) io.Reader {
	return io.LimitReader(rand.NewChaCha8([32]byte{seed}), n)
}

func sumOf(h hash.Hash, r io.Reader) []byte {
	if _, err := io.Copy(h, r); err != nil {
		panic(err)
	}
	return h.Sum(nil)
}

// sends answers with b.
func sends(b []byte) http.HandlerFunc {
	return func(a http.ResponseWriter, _ *http.Request) { a.Write(b) }
}

// gone410 answers that there is nothing any more, after it has called f.
func gone410(f func()) http.HandlerFunc {
	return func(a http.ResponseWriter, _ *http.Request) {
		f()
		http.Error(a, "gone", http.StatusGone)
	}
}
