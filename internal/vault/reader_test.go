package vault

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"runtime/metrics"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"muniment/internal/record"
)

// readerOf opens a sealed file that is not in a vault.
func readerOf(t testing.TB, sealed []byte, typ record.Type, f record.File) (*Reader, error) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "sealed")
	if err := os.WriteFile(name, sealed, 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	return newReader(file, Media{Type: typ, File: f})
}

// Whatever is asked of a Reader, it answers as if the file lay in memory. Each six
// bytes of ops are a question.
func FuzzReader(f *testing.F) {
	f.Add(uint32(0), []byte("\x00\x00\x00\x00\x00\x10\x01\x00\x00\x00\x00\x10"))
	f.Add(uint32(16), []byte("\x00\x00\x00\x00\x00\x10\x00\x00\x00\x00\x00\x01"))
	f.Add(uint32(100), []byte("\x01\x00\x00\x00\x50\xff\x02\x00\x00\x00\x21\x00\x00\x00\x00\x00\x00\x20"))
	f.Add(uint32(2*piece+5), []byte("\x01\x00\x00\xff\xf9\xff\x02\x00\x01\x00\x00\x00\x00\x00\x00\x00\x20\x20\x01\x00\x00\x00\x00\xff"))
	f.Add(uint32(piece), []byte("\x04\x00\x00\x00\x11\x00\x00\x00\x00\x00\x00\xff\x05\x00\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, size uint32, ops []byte) {
		plain := make([]byte, size%(2*piece+100))
		if _, err := io.ReadFull(noise(1, int64(len(plain))), plain); err != nil {
			t.Fatal(err)
		}
		sealed, said := seal(record.Document, plain)
		r, err := readerOf(t, sealed, record.Document, said)
		if err != nil {
			t.Fatal(err)
		}
		compare(t, r, plain, ops)
	})
}

func compare(t *testing.T, r *Reader, plain, ops []byte) {
	t.Helper()
	want := bytes.NewReader(plain)
	if r.Size() != want.Size() {
		t.Fatalf("size %d; want %d", r.Size(), want.Size())
	}
	for ; len(ops) >= 6; ops = ops[6:] {
		at := int64(ops[1])<<24 | int64(ops[2])<<16 | int64(ops[3])<<8 | int64(ops[4])
		n := int(ops[5]) * int(ops[5]) * 2
		got, wanted := make([]byte, n), make([]byte, n)
		var a, b int64
		var errA, errB error
		switch op := ops[0] % 8; op {
		case 0:
			var m, k int
			m, errA = io.ReadFull(r, got)
			k, errB = io.ReadFull(want, wanted)
			a, b = int64(m), int64(k)
		case 1:
			var m, k int
			m, errA = r.ReadAt(got, at%(want.Size()+100))
			k, errB = want.ReadAt(wanted, at%(want.Size()+100))
			if a, b = int64(m), int64(k); n == 0 {
				errA, errB = nil, nil // io.ReaderAt leaves open what that is at the end
			}
		case 2, 3, 4:
			whence := int(op) - 2
			off := at%(want.Size()+100) - 50
			a, errA = r.Seek(off, whence)
			b, errB = want.Seek(off, whence)
		case 5:
			var all bytes.Buffer
			a, errA = io.Copy(&all, r)
			got = all.Bytes()
			wanted, errB = io.ReadAll(want)
			b = int64(len(wanted))
		default:
			var m, k int
			m, errA = r.Read(got[:min(n, 50)])
			k, errB = io.ReadFull(want, wanted[:min(n, 50)])
			if errors.Is(errB, io.ErrUnexpectedEOF) || m == 0 {
				errA, errB = nil, nil
			}
			a, b = int64(m), int64(k)
		}
		if a != b || (errA == nil) != (errB == nil) || errors.Is(errA, io.EOF) != errors.Is(errB, io.EOF) || !bytes.Equal(got, wanted) {
			t.Fatalf("%d at %d, %d bytes: %d, %v; want %d, %v", ops[0]%8, at, n, a, errA, b, errB)
		}
	}
}

// The same with questions at random, for many sizes.
func TestAReaderReadsAnywhere(t *testing.T) {
	questions := 1000
	if testing.Short() {
		questions = 100
	}
	for _, size := range []int{0, 1, 15, 16, 17, 1000, piece - 1, piece, piece + 1, 3*piece + 7} {
		plain := words(size)
		sealed, said := seal(record.Video, plain)
		r, err := readerOf(t, sealed, record.Video, said)
		if err != nil {
			t.Fatal(err)
		}
		ops := make([]byte, 6*questions)
		for n := range ops {
			ops[n] = byte(rand.Int())
		}
		for n := 0; n < len(ops); n += 6 {
			ops[n+1] = 0
		}
		compare(t, r, plain, ops)
	}
}

// Several read one file at once.
func TestAReaderReadsForSeveral(t *testing.T) {
	plain := words(500_000)
	sealed, said := seal(record.Video, plain)
	r, err := readerOf(t, sealed, record.Video, said)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 200 {
				from := rand.IntN(len(plain))
				p := make([]byte, rand.IntN(100_000))
				n, err := r.ReadAt(p, int64(from))
				if want := plain[from:min(from+len(p), len(plain))]; !bytes.Equal(p[:n], want) || err != nil && !errors.Is(err, io.EOF) {
					t.Errorf("%d bytes at %d, %v", n, from, err)
				}
			}
		})
	}
	all.Wait()
}

// Whatever somebody puts on WhatsApp's servers, and says of it, it is a file or it
// is none.
func FuzzDamaged(f *testing.F) {
	sealed, said := seal(record.Image, words(100))
	f.Add(sealed, said.Key, []byte{0})
	f.Add(sealed[:26], said.Key, []byte{1})
	f.Add([]byte{}, said.Key, []byte{2})
	f.Fuzz(func(t *testing.T, sealed, key, digest []byte) {
		if len(key) != keySize {
			return
		}
		sum := sha256.Sum256(sealed)
		said := record.File{Key: key, Digest: digest, Sealed: sum[:]}
		r, err := readerOf(t, sealed, record.Image, said)
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Fatal(err)
			}
			return
		}
		if n, err := io.Copy(io.Discard, r); !errors.Is(err, ErrDamaged) || n != r.Size() || n > int64(len(sealed)) {
			t.Errorf("%d bytes of %d, %v", n, r.Size(), err)
		}
		if _, err := prove(t.Context(), r.file, Media{Type: record.Image, File: said}); !errors.Is(err, ErrDamaged) {
			t.Errorf("it was proved: %v", err)
		}
	})
}

// A large video is fetched, kept, checked and read in little memory.
func TestALargeVideoNeedsLittleMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a while, and the race detector needs memory of its own")
	}
	const size = int64(200 << 20)
	const most = 32 << 20
	c := newCouncil(t)
	name := c.path("at WhatsApp's")
	out, err := os.Create(name)
	c.must(err)
	f, err := sealTo(out, record.Video, bytes.Repeat([]byte{3}, 32), noise(2, size))
	c.must(err)
	c.must(out.Close())
	c.wa.answers(f.Path, func(a http.ResponseWriter, q *http.Request) { http.ServeFile(a, q, name) })
	c.wants(1, record.Video, f)

	heap := watchHeap()
	resident := residentPeak(t)
	began := time.Now()
	c.fetches()
	c.is(1, Kept, "", 1)
	fetched := time.Since(began)
	if fault, err := c.vault.Check(t.Context(), c.file(1)); fault != "" || err != nil {
		t.Errorf("%q, %v", fault, err)
	}
	began = time.Now()
	if sum := sumOf(sha256.New(), c.opens(1)); !bytes.Equal(sum, f.Digest) {
		t.Error("it reads otherwise")
	}
	read := time.Since(began)
	grown, rss := heap(), resident()
	t.Logf("%d MiB: fetched in %v, read in %v; the heap grew by %.1f MiB, the process by %.1f MiB",
		size>>20, fetched, read, float64(grown)/(1<<20), float64(rss)/(1<<20))
	if grown > most || rss > most {
		t.Errorf("the heap grew by %d bytes, the process by %d; want at most %d", grown, rss, most)
	}
}

// watchHeap watches how large the heap is, objects not yet swept included. The
// function returned tells by how much it grew at most.
func watchHeap() (grown func() int64) {
	now := func() int64 {
		s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		metrics.Read(s)
		return int64(s[0].Value.Uint64())
	}
	before := now()
	ctx, stop := context.WithCancel(context.Background())
	peak := make(chan int64)
	go func() {
		most := before
		for ctx.Err() == nil {
			most = max(most, now())
			time.Sleep(time.Millisecond)
		}
		peak <- most
	}()
	return func() int64 {
		stop()
		return <-peak - before
	}
}

// residentPeak does the same for the process's memory; where the system does not
// tell, it says 0.
func residentPeak(t *testing.T) (grown func() int64) {
	t.Helper()
	read := func(field string) (n int64) {
		b, err := os.ReadFile("/proc/self/status")
		if err != nil {
			return 0
		}
		for line := range strings.Lines(string(b)) {
			if rest, ok := strings.CutPrefix(line, field+":"); ok {
				n, err = strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
				if err != nil {
					t.Error(err)
				}
			}
		}
		return n << 10
	}
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		t.Log(fmt.Sprint("the process's memory is not measured: ", err))
		return func() int64 { return 0 }
	}
	before := read("VmRSS")
	return func() int64 { return read("VmHWM") - before }
}
