package archive_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"muniment/internal/archive"
	"muniment/internal/ledger"
	"muniment/internal/record"
	"muniment/internal/sqlite"
	"muniment/internal/verify"
)

// The benchmarks measure an archive of the seeded corpus, which is filled once for
// all of them: of no records, of 100,000 (not with -short) and of a million if
// MUNIMENT_BENCH_MILLION is set, which takes ten minutes to fill.
//
//	go test -run - -bench . -benchtime 2000x ./internal/archive
func sizes(b *testing.B, smallest int) (sizes []int) {
	for _, size := range []int{0, 100_000, 1_000_000} {
		if size < smallest || size > 0 && testing.Short() || size == 1_000_000 && os.Getenv("MUNIMENT_BENCH_MILLION") == "" {
			continue
		}
		sizes = append(sizes, size)
	}
	return sizes
}

var filled = make(map[int]*chat)

func TestMain(m *testing.M) {
	code := m.Run()
	for _, c := range filled {
		c.db.Close()
		os.RemoveAll(filepath.Dir(c.db.Path()))
	}
	os.Exit(code)
}

// full returns the archive of that size.
func full(b *testing.B, size int) *chat {
	b.Helper()
	if c := filled[size]; c != nil {
		c.TB = b
		return c
	}
	directory, err := os.MkdirTemp("", "muniment-bench")
	if err != nil {
		b.Fatal(err)
	}
	o := options(max(size, 100_000))
	c := newChat(b, directory, o)
	filled[size] = c
	c.next = pull(discard{b}, o) // it outlives this benchmark
	began := time.Now()
	c.fill(size)
	b.Logf("filled with %d records in %s", c.count, time.Since(began).Round(time.Second))
	return c
}

// discard keeps what a benchmark made from being cleaned up with it.
type discard struct{ testing.TB }

func (discard) Cleanup(func()) {}

// BenchmarkCapture measures all that stands between a message's arrival and its
// acknowledgement: one transaction, on disk, as daemon.capture makes it. Beside
// it, in the same minutes, it measures what this disk needs at the least for one
// durable write (the floor), because disks differ by more than programs do.
func BenchmarkCapture(b *testing.B) {
	for _, size := range sizes(b, 0) {
		b.Run(fmt.Sprintf("archive=%d", size), func(b *testing.B) { benchmarkCapture(b, full(b, size)) })
	}
}

func benchmarkCapture(b *testing.B, c *chat) {
	floor := newFloor(b)
	var captures, floors []time.Duration
	var cpu time.Duration
	var waiting []record.Received
	for b.Loop() {
		floors = append(floors, floor.write(b))
		if len(waiting) == 0 {
			waiting = c.receive()
		}
		r := waiting[0]
		waiting = waiting[1:]
		busy, began := cpuTime(b), time.Now()
		c.write(func(tx *sqlite.Tx) error { return c.capture(tx, r) })
		captures = append(captures, time.Since(began))
		cpu += cpuTime(b) - busy
	}
	b.ReportMetric(0, "ns/op") // it would count the floor's writes in
	p50, least := percentile(captures, 50), percentile(floors, 50)
	b.ReportMetric(micros(p50), "p50-µs")
	b.ReportMetric(micros(percentile(captures, 99)), "p99-µs")
	b.ReportMetric(micros(least), "floor-µs")
	b.ReportMetric(float64(p50)/float64(least), "x-floor")
	b.ReportMetric(micros(cpu)/float64(len(captures)), "cpu-µs")
	b.ReportMetric(float64(c.bytes())/float64(c.count), "B/record")
}

// bytes is how large the archive's file is, the index up to date and the log empty.
func (c *chat) bytes() int64 {
	c.Helper()
	for done := false; !done; {
		c.write(func(tx *sqlite.Tx) (err error) { done, err = archive.Index(tx, 1000); return err })
	}
	if err := c.db.EmptyLog(context.Background()); err != nil {
		c.Fatal(err)
	}
	fi, err := os.Stat(c.db.Path())
	if err != nil {
		c.Fatal(err)
	}
	return fi.Size()
}

// BenchmarkSearch measures a search for the newest fifty, with their snippets, and
// what it takes to show them.
func BenchmarkSearch(b *testing.B) {
	for _, size := range sizes(b, 1) {
		c := full(b, size)
		sender := strings.Fields(c.people[3].Name)[1]
		lately := " after:" + c.now.AddDate(0, -3, 0).Format(time.DateOnly)
		longAgo := " after:2021-06-01 before:2021-09-01"
		for _, s := range []struct{ name, query string }{
			{"common", "the"},
			{"usual", "council"},
			{"rare", "badger"},
			{"few", "trombone"},
			{"and", "planning application"},
			{"phrase", `"planning application"`},
			{"prefix", "pl*"},
			{"newest-3-months", "council" + lately},
			{"3-months-long-ago", "council" + longAgo},
			{"sender", "council from:" + sender},
			{"sender-in-window", "council from:" + sender + longAgo},
			{"photos", "has:photo from:" + sender},
		} {
			b.Run(fmt.Sprintf("archive=%d/%s", size, s.name), func(b *testing.B) { benchmarkSearch(b, c, s.query) })
		}
	}
}

func benchmarkSearch(b *testing.B, c *chat, query string) {
	c.TB = b
	q, err := archive.ParseQuery(query)
	if err != nil {
		b.Fatal(err)
	}
	var took []time.Duration
	hits := 0
	for b.Loop() {
		began := time.Now()
		c.write(func(tx *sqlite.Tx) error {
			found, _, err := archive.Search(tx, q, 50)
			hits = len(found)
			return err
		})
		took = append(took, time.Since(began))
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(micros(percentile(took, 50))/1000, "p50-ms")
	b.ReportMetric(micros(percentile(took, 99))/1000, "p99-ms")
	b.ReportMetric(float64(hits), "hits")
	var all []record.Seq
	c.write(func(tx *sqlite.Tx) (err error) { all, err = archive.SearchAll(tx, q); return err })
	b.ReportMetric(float64(len(all)), "matches")
}

// BenchmarkVerify measures the verification of everything, and the memory that the
// process has at most meanwhile.
func BenchmarkVerify(b *testing.B) {
	for _, size := range sizes(b, 1) {
		b.Run(fmt.Sprintf("archive=%d", size), func(b *testing.B) {
			c := full(b, size)
			path := filepath.Join(b.TempDir(), "ledger.key")
			if err := ledger.NewKey(path, "example.gov.uk"); err != nil {
				b.Fatal(err)
			}
			key, err := ledger.LoadKey(path)
			if err != nil {
				b.Fatal(err)
			}
			debug.FreeOSMemory()
			before := resident(b)
			most := before
			for b.Loop() {
				r, err := verify.Run(context.Background(), c.db, key, verify.With{Progress: func(done, _ int64) {
					if done%(1<<14) == 0 {
						most = max(most, resident(b))
					}
				}})
				if err != nil || !r.OK() && len(r.Faults) != 0 {
					b.Fatal(err, r.Faults)
				}
			}
			b.ReportMetric(float64(most)/1e6, "MB-RSS")
			b.ReportMetric(float64(most-before)/1e6, "MB-more")
		})
	}
}

// resident is how much memory the process has.
func resident(b *testing.B) int64 {
	s, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		b.Skip("no /proc here")
	}
	pages, err := strconv.ParseInt(strings.Fields(string(s))[1], 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

func percentile(ds []time.Duration, p int) time.Duration {
	slices.Sort(ds)
	return ds[(len(ds)-1)*p/100]
}

func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// floor overwrites one page of a file and waits until it is on disk.
type floor struct {
	f    *os.File
	page [4096]byte
}

func newFloor(b *testing.B) *floor {
	f, err := os.Create(filepath.Join(b.TempDir(), "floor"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { f.Close() })
	fl := &floor{f: f}
	for range 10 {
		fl.write(b)
	}
	return fl
}

func (f *floor) write(b *testing.B) time.Duration {
	f.page[0]++
	began := time.Now()
	if _, err := f.f.WriteAt(f.page[:], 0); err != nil {
		b.Fatal(err)
	}
	if err := syscall.Fdatasync(int(f.f.Fd())); err != nil {
		b.Fatal(err)
	}
	return time.Since(began)
}
