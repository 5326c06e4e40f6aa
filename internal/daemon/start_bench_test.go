package daemon_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// BenchmarkStart measures the daemon as a process of its own, linked and connected:
// from its start to READY, and its memory when nothing has happened for a while.
// MUNIMENT_BENCH_ARCHIVE names the database of a large archive, such as the
// benchmarks of internal/archive make; without it, the archive is empty.
//
//	MUNIMENT_BENCH_ARCHIVE=archive.db go test -run - -bench Start -benchtime 5x ./internal/daemon
func BenchmarkStart(b *testing.B) {
	w := found(b)
	if large := os.Getenv("MUNIMENT_BENCH_ARCHIVE"); large != "" {
		w.takes(large)
	}
	var ready time.Duration
	var most int64
	for b.Loop() {
		address := filepath.Join(b.TempDir(), "notify")
		conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: address, Net: "unixgram"})
		w.must(err)
		b.Setenv("NOTIFY_SOCKET", address)
		began := time.Now()
		c := w.spawn()
		w.must(conn.SetReadDeadline(began.Add(time.Minute)))
		for buf := make([]byte, 4096); ; {
			n, err := conn.Read(buf)
			w.must(err)
			if strings.Contains(string(buf[:n]), "READY=1") {
				break
			}
		}
		ready += time.Since(began)
		w.must(w.server.WaitOnline(w.soon()))
		time.Sleep(3 * time.Second)
		most = max(most, rss(b, c.Process.Pid))
		w.must(c.Process.Kill())
		_ = c.Wait() // killed: it cannot have ended well
		w.must(conn.Close())
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(ready.Milliseconds())/float64(b.N), "ms-to-READY")
	b.ReportMetric(float64(most)/1e6, "MB-RSS")
}

// takes puts another archive in the place of the town's.
func (w *town) takes(path string) {
	w.t.Helper()
	for _, suffix := range []string{"", "-wal"} {
		to := filepath.Join(w.path("state"), "archive.db"+suffix)
		if err := os.Remove(to); err != nil && !os.IsNotExist(err) {
			w.t.Fatal(err)
		}
		from, err := os.Open(path + suffix)
		if os.IsNotExist(err) {
			continue
		}
		w.must(err)
		out, err := os.Create(to)
		w.must(err)
		_, err = io.Copy(out, from)
		w.must(err)
		w.must(from.Close())
		w.must(out.Close())
	}
}

// rss is how much memory a process has, in bytes.
func rss(b testing.TB, pid int) int64 {
	s, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		b.Skip("no /proc here")
	}
	var size, pages int64
	if _, err := fmt.Sscan(string(s), &size, &pages); err != nil {
		b.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}
