package backup_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"iter"
	"os"
	"slices"
	"testing"
	"time"

	"muniment/internal/archive"
	"muniment/internal/backup"
	"muniment/internal/corpus"
	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// BenchmarkBackup measures a backup of the seeded corpus: of 100,000 records (not with
// -short) and of a million if MUNIMENT_BENCH_MILLION is set, which takes minutes to fill.
// Beside it a message is captured every ten milliseconds, as when nothing is backed up, while
// the archive is copied, and from the beginning of a backup to its end.
//
//	go test -run - -bench Backup -benchtime 3x ./internal/backup
func BenchmarkBackup(b *testing.B) {
	for _, size := range []int{100_000, 1_000_000} {
		if testing.Short() || size > 100_000 && os.Getenv("MUNIMENT_BENCH_MILLION") == "" {
			continue
		}
		b.Run(fmt.Sprintf("archive=%d", size), func(b *testing.B) { benchmarkBackup(b, size) })
	}
}

func benchmarkBackup(b *testing.B, size int) {
	p := newParish(b, size)
	p.clock = time.Now()
	usual := p.captureFor(func() { time.Sleep(5 * time.Second) })
	var copying, backing []time.Duration
	var copied, made time.Duration
	b.ResetTimer()
	n := 0
	for b.Loop() {
		n++
		path := p.path(fmt.Sprintf("copy-%d.db", n))
		copying = append(copying, p.captureFor(func() {
			began := time.Now()
			p.must(p.db.CopyTo(context.Background(), path))
			copied += time.Since(began)
		})...)
		p.must(os.Remove(path))
		p.clock = p.clock.Add(time.Hour)
		backing = append(backing, p.captureFor(func() {
			began := time.Now()
			p.makes()
			made += time.Since(began)
		})...)
	}
	b.StopTimer()
	info, err := os.Stat(p.db.Path())
	p.must(err)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(info.Size())/1e6, "MB")
	b.ReportMetric(copied.Seconds()/float64(n), "copy-s")
	b.ReportMetric(made.Seconds()/float64(n), "backup-s")
	for _, of := range []struct {
		name string
		took []time.Duration
	}{{"usual", usual}, {"copying", copying}, {"backup", backing}} {
		slices.Sort(of.took)
		at := func(percent int) float64 {
			return float64(of.took[(len(of.took)-1)*percent/100]) / float64(time.Millisecond)
		}
		b.ReportMetric(at(50), of.name+"-p50-ms")
		b.ReportMetric(at(99), of.name+"-p99-ms")
		b.ReportMetric(at(100), of.name+"-max-ms")
	}
}

// A parish is a council that talks without end.
type parish struct {
	*council
	next func() (corpus.Message, bool)
}

func newParish(b *testing.B, size int) *parish {
	p := &parish{council: newCouncil(b)}
	next, stop := iter.Pull(corpus.Chat(1, corpus.Options{Begin: time.Date(2025, 1, 1, 7, 0, 0, 0, time.UTC), PerDay: max(size/500, 200), Members: 400, Long: true}))
	b.Cleanup(stop)
	p.next = next
	for done := 0; done < size; done += 1000 {
		p.write(func(tx *sqlite.Tx) error {
			for range 1000 {
				if err := p.capture(tx); err != nil {
					return err
				}
			}
			_, err := archive.Index(tx, 2000)
			return err
		})
	}
	p.must(p.db.EmptyLog(context.Background()))
	return p
}

// capture captures the next message.
func (p *parish) capture(tx *sqlite.Tx) error {
	m, ok := p.next()
	if !ok {
		return fmt.Errorf("they have nothing more to say")
	}
	r := record.Received{Kind: record.Message, Type: record.Text, Group: official, ID: fmt.Sprintf("M%d", m.N), Sent: m.Sent,
		Sender: record.Address{JID: fmt.Sprintf("2000000000%05d@lid", m.Sender)}, Text: m.Text + " "}
	noise := sha256.Sum256([]byte(r.ID))
	r.Protobuf = append([]byte("\n\x10"+r.Text), append(noise[:], noise[:]...)...)
	_, err := p.archive.Capture(tx, m.Sent, r)
	return err
}

// captureFor captures a message every ten milliseconds while something is done, and returns
// how long each took.
func (p *parish) captureFor(do func()) (took []time.Duration) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			began := time.Now()
			p.write(p.capture)
			took = append(took, time.Since(began))
			select {
			case <-done:
				return
			case <-time.After(10*time.Millisecond - min(took[len(took)-1], 10*time.Millisecond)):
			}
		}
	}()
	do()
	close(done)
	<-ended
	return took
}

// BenchmarkRestore measures a restore of 100,000 records to another machine, of which a tenth
// was destroyed since the backup, and a rehearsal of it.
//
//	go test -run - -bench Restore -benchtime 1x ./internal/backup
func BenchmarkRestore(b *testing.B) {
	if testing.Short() {
		b.Skip("it takes minutes to fill the archive")
	}
	p := newParish(b, 100_000)
	p.clock = time.Now()
	p.makes()
	var seqs []record.Seq
	for seq := record.Seq(1); seq <= 100_000; seq += 10 {
		seqs = append(seqs, seq)
	}
	p.disposes(1, seqs...)
	var restored, rehearsed time.Duration
	n := 0
	b.ResetTimer()
	for b.Loop() {
		n++
		r := p.restoring()
		p.must(os.MkdirAll(r.State, 0o700))
		began := time.Now()
		done, err := r.Run(context.Background())
		p.must(err)
		restored += time.Since(began)
		if done.Again.Destroyed < len(seqs) {
			b.Fatalf("destroyed again: %d of %d", done.Again.Destroyed, len(seqs))
		}
		p.must(os.RemoveAll(r.State))
		began = time.Now()
		_, err = p.target.Rehearse(context.Background(), "", backup.Nightly, p.secret)
		p.must(err)
		rehearsed += time.Since(began)
	}
	b.StopTimer()
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(restored.Seconds()/float64(n), "restore-s")
	b.ReportMetric(rehearsed.Seconds()/float64(n), "rehearsal-s")
}
