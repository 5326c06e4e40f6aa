package mail

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"muniment/internal/sqlite"
	"muniment/internal/sqlite/sqlitetest"
)

// A drainage is how an outbox handed over what had gathered in it.
type drainage struct {
	heap, rss []uint64 // in bytes, when each tenth of the letters had been handed over
	allocated uint64   // bytes, for each letter
	took, cpu time.Duration
}

// drain has an outbox hand over n letters of 50 kB, as many in an hour as it may by default.
func drain(t testing.TB, n int) (d drainage) {
	t.Helper()
	db, err := sqlitetest.Create(t.Context(), filepath.Join(t.TempDir(), "archive.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	now := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	if err := db.Write(t.Context(), func(tx *sqlite.Tx) error {
		for i := range n {
			if _, err := Queue(tx, now, Item{Kind: "letter", About: int64(i), MessageID: fmt.Sprintf("letter.%d@council.test", i),
				From: "council@council.test", To: []string{"clerk@council.test"}}); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	sent := 0
	send := func(context.Context, string, string, []byte) (string, error) {
		now = now.Add(time.Hour / DefaultPerHour)
		if sent++; sent%(n/10) == 0 {
			d.heap, d.rss = append(d.heap, heap()), append(d.rss, resident(t))
		}
		return "250 ok", nil
	}
	compose := func(context.Context, Item) ([]byte, error) {
		return bytes.Repeat([]byte("The culvert is blocked again, and the lane is under water.\r\n"), 850), nil
	}
	o := New(db, slog.New(slog.DiscardHandler), func(string) bool { return true }, send, compose, func() time.Time { return now }, 0)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start, busy := time.Now(), processor(t)
	if err := o.DeliverDue(t.Context()); err != nil || sent != n {
		t.Fatalf("%d of %d sent, err %v", sent, n, err)
	}
	d.took, d.cpu = time.Since(start), processor(t)-busy
	runtime.ReadMemStats(&after)
	d.allocated = (after.TotalAlloc - before.TotalAlloc) / uint64(n)
	return d
}

// heap returns what is in use, or was and has not been given back yet.
func heap() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse
}

// resident returns how much memory the process has, by the system's account.
func resident(t testing.TB) uint64 {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Skip("the system does not say how much memory a process has")
	}
	var size, pages uint64
	if _, err := fmt.Sscan(string(b), &size, &pages); err != nil {
		t.Fatal(err)
	}
	return pages * uint64(os.Getpagesize())
}

// processor returns for how long the process has been at work.
func processor(t testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// grown returns how much more there was at any time than after the first tenth.
func grown(sizes []uint64) (most uint64) {
	for _, s := range sizes {
		most = max(most, s-min(s, sizes[0]))
	}
	return most
}

// However many letters wait, one is in memory at a time, and each costs the same.
func TestDrainInFlatMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("thousands of commits")
	}
	few, many := drain(t, 100), drain(t, 1000)
	if many.allocated > few.allocated*3/2 {
		t.Errorf("of 1,000 letters each takes %d kB, of 100 each %d", many.allocated>>10, few.allocated>>10)
	}
	const much = 10 << 20 // a fifth of the letters
	if heap, rss := grown(many.heap), grown(many.rss); heap > much || rss > much {
		t.Errorf("while 1,000 letters went, the heap grew by %d kB, the process by %d", heap>>10, rss>>10)
	}
}

func BenchmarkDrain(b *testing.B) {
	for _, n := range []int{1000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var d drainage
			for b.Loop() {
				d = drain(b, n)
			}
			b.ReportMetric(float64(d.took.Microseconds())/float64(n), "µs/letter")
			b.ReportMetric(float64(d.cpu.Microseconds())/float64(n), "µs-CPU/letter")
			b.ReportMetric(float64(d.allocated)/1e3, "kB/letter")
			b.ReportMetric(float64(grown(d.heap))/1e6, "MB-heap-grown")
			b.ReportMetric(float64(grown(d.rss))/1e6, "MB-rss-grown")
		})
	}
}
