package archive_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"muniment/internal/archive"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
)

// BenchmarkDestroy measures a run that destroys a sixth of an archive, from the doubts
// before to the certificate, while messages are captured a hundred times a second: how
// long each of them takes, and the one that waits longest. How large the files become
// meanwhile is told against their size before.
//
//	go test -run - -bench Destroy -benchtime 1x ./internal/archive
func BenchmarkDestroy(b *testing.B) {
	for _, size := range sizes(b, 1) {
		b.Run(fmt.Sprintf("archive=%d", size), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				c, u := copied(b, full(b, size))
				u.confirmClock()
				u.nightly()
				u.delivers()
				c.now = c.now.AddDate(0, 0, 31)
				u.confirmClock()
				usual := beside(b, u, func() { time.Sleep(5 * time.Second) })
				b.StartTimer()
				during := beside(b, u, u.nightly)
				b.StopTimer()
				u.expectDestroyed(int64(size/10), retention.DateOf(c.now.AddDate(0, 0, -4)))
				b.ReportMetric(float64(during.most)/float64(usual.most), "x-disk")
				b.ReportMetric(micros(percentile(usual.took, 50)), "µs-p50-before")
				b.ReportMetric(micros(percentile(during.took, 50)), "µs-p50")
				b.ReportMetric(micros(percentile(usual.took, 99)), "µs-p99-before")
				b.ReportMetric(micros(percentile(during.took, 99)), "µs-p99")
				b.ReportMetric(micros(slices.Max(during.took)), "µs-longest")
				c.db.Close()
				b.StartTimer()
			}
		})
	}
}

// copied is a copy of a filled archive at the time when a sixth of it is about to be
// listed.
func copied(b *testing.B, of *chat) (*chat, *undertaker) {
	b.Helper()
	if err := of.db.EmptyLog(context.Background()); err != nil {
		b.Fatal(err)
	}
	home := b.TempDir()
	file, err := os.ReadFile(of.db.Path())
	if err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, "archive.db"), file, 0o600); err != nil {
		b.Fatal(err)
	}
	c := *of
	c.TB = b
	if c.db, err = sqlite.Open(context.Background(), filepath.Join(home, "archive.db")); err != nil {
		b.Fatal(err)
	}
	c.now = options(0).Begin.AddDate(7, 0, -31)
	c.write(func(tx *sqlite.Tx) (err error) {
		if c.archive, err = archive.Load(tx, retention.ForYears(6)); err != nil {
			return err
		}
		for done := false; !done && err == nil; {
			done, err = archive.Index(tx, 10_000)
		}
		return err
	})
	return &c, newUndertaker(b, &c, home)
}

// load is what captures beside something else took, and how large the files grew.
type load struct {
	took []time.Duration
	most int64
}

// beside captures a message every ten milliseconds while f runs.
func beside(b *testing.B, u *undertaker, f func()) (l load) {
	b.Helper()
	stop, now := make(chan bool), u.c.now
	var other sync.WaitGroup
	var failed error
	other.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			case <-time.After(10 * time.Millisecond):
			}
			r := record.Received{Kind: record.Message, Type: record.Text, Group: officialGroup, ID: fmt.Sprintf("NEW%d%d", i, time.Now().UnixNano()),
				Sender: u.c.address(i % 400), Sent: now, Text: "About the hedge by the school: who trims it?", Protobuf: noise(i, 200)}
			began := time.Now()
			if err := u.c.db.Write(context.Background(), func(tx *sqlite.Tx) error {
				_, err := u.c.archive.Capture(tx, now, r)
				return err
			}); err != nil {
				failed = errors.Join(failed, err)
			}
			l.took = append(l.took, time.Since(began))
			if i%10 == 0 {
				l.most = max(l.most, onDisk(u.home))
			}
		}
	})
	f()
	close(stop)
	other.Wait()
	if failed != nil {
		b.Fatal(failed)
	}
	return l
}

// onDisk is how large all files below a directory are.
func onDisk(directory string) (size int64) {
	filepath.WalkDir(directory, func(_ string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			if info, err := e.Info(); err == nil {
				size += info.Size()
			}
		}
		return nil
	})
	return size
}
