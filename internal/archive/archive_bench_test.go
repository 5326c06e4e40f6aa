package archive_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"muniment/internal/archive"
	"muniment/internal/forward"
	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
)

// BenchmarkCapture measures all that stands between a message's arrival and its
// acknowledgement: one transaction, on disk, as daemon.capture makes it. Beside
// it, in the same minutes, it measures what this disk needs at the least for one
// durable write (the floor), because disks differ by more than programs do.
//
//	go test -run - -bench Capture -benchtime 3000x ./internal/archive
func BenchmarkCapture(b *testing.B) {
	for _, size := range []int{0, 100_000} {
		b.Run(fmt.Sprintf("archive=%d", size), func(b *testing.B) {
			if size > 0 && testing.Short() {
				b.Skip("takes a while to fill")
			}
			benchmarkCapture(b, size)
		})
	}
}

func benchmarkCapture(b *testing.B, size int) {
	c := newCouncil(b)
	c.fill(b, size)
	floor := newFloor(b)
	var captures, floors []time.Duration
	var cpu time.Duration
	for b.Loop() {
		floors = append(floors, floor.write(b))
		r := c.next()
		busy, began := cpuTime(b), time.Now()
		c.capture(b, r)
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
	b.ReportMetric(float64(c.close(b))/float64(c.count), "B/record")
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

// council is a council of believable habits: what it says is drawn anew at every
// run from the same seed.
type council struct {
	db      *sqlite.DB
	path    string
	archive *archive.Archive
	forward forward.Rules
	intake  int64
	rand    *rand.Rand
	zipf    *rand.Zipf
	now     time.Time
	count   int
	last    []record.Received // the latest messages, which others answer
}

const councillors = 12

func newCouncil(b *testing.B) *council {
	r := rand.New(rand.NewPCG(1894, 12)) // the year of the parish councils' Act
	c := &council{
		path: filepath.Join(b.TempDir(), "archive.db"),
		rand: r, zipf: rand.NewZipf(r, 1.2, 3, 49_999),
		now: time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC),
		forward: forward.Rules{
			Marks: record.Marks{"📌"}, Roles: []string{"councillor"}, Settle: 3 * time.Minute, Choice: record.DefaultRule,
			From: "muniment@example.gov.uk", To: "clerk@example.gov.uk",
		},
	}
	var err error
	if c.db, err = sqlite.Create(context.Background(), c.path); err != nil {
		b.Fatal(err)
	}
	c.write(b, func(tx *sqlite.Tx) error {
		if err := archive.Lay(tx, c.now, "sysadmin"); err != nil {
			return err
		}
		if c.archive, err = archive.Load(tx, retention.Schedule{MessageYears: 6}); err != nil {
			return err
		}
		c.forward.Token = c.archive.Token()
		if c.intake, err = archive.BeginIntake(tx, c.now); err != nil {
			return err
		}
		for i := range councillors {
			is, err := people.Identify(tx, time.Now(), councillor(i), "")
			if err != nil {
				return err
			}
			m := people.Member{Name: fmt.Sprintf("Councillor %d", i), Role: "councillor"}
			if err := people.AddMember(tx, c.now, "sysadmin", "elected", m, councillor(i)); err != nil {
				return err
			}
			if err := people.Join(tx, officialGroup, is.ID); err != nil {
				return err
			}
		}
		return nil
	})
	return c
}

const officialGroup = "120363000000000001@g.us"

func councillor(i int) record.Address {
	return record.Address{
		JID: fmt.Sprintf("2000000000000%02d@lid", i),
		Alt: fmt.Sprintf("4477009001%02d@s.whatsapp.net", i),
	}
}

func (c *council) write(b *testing.B, f func(tx *sqlite.Tx) error) {
	if err := c.db.Write(context.Background(), f); err != nil {
		b.Fatal(err)
	}
}

// captureIn is what daemon.capture does in its transaction.
func (c *council) captureIn(tx *sqlite.Tx, r record.Received) error {
	k, err := c.archive.Capture(tx, c.now, r)
	if err != nil {
		return err
	}
	if r.Kind == record.Reaction {
		if err := c.forward.Reacted(tx, c.now, r, k); err != nil {
			return err
		}
	}
	return archive.Count(tx, c.intake, int64(c.count), archive.WasCaptured)
}

func (c *council) capture(b *testing.B, r record.Received) {
	c.write(b, func(tx *sqlite.Tx) error { return c.captureIn(tx, r) })
}

// fill captures so many records, a thousand at a time.
func (c *council) fill(b *testing.B, size int) {
	for c.count < size {
		c.write(b, func(tx *sqlite.Tx) error {
			for range 1000 {
				if err := c.captureIn(tx, c.next()); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

// next is the next that somebody says: one in eight is a reaction, one in six a
// reply with a quotation; one reaction in ten is a mark.
func (c *council) next() record.Received {
	c.count++
	c.now = c.now.Add(time.Duration(c.rand.ExpFloat64() * float64(20*time.Minute)))
	r := record.Received{
		Kind: record.Message, Type: record.Text, Group: officialGroup,
		ID:     fmt.Sprintf("3EB0%016X%02X", c.rand.Uint64(), c.count%256),
		Sender: councillor(c.rand.IntN(councillors)), PushName: "Cllr", Sent: c.now,
	}
	var of record.Received
	if len(c.last) > 0 {
		of = c.last[c.rand.IntN(len(c.last))]
	}
	if of.ID != "" && c.rand.IntN(8) == 0 {
		r.Kind, r.Type, r.Emoji = record.Reaction, record.ReactionAdded, "👍"
		if c.rand.IntN(10) == 0 {
			r.Emoji = "📌"
		}
		r.Target = &record.Ref{ID: of.ID, Sender: of.Sender}
		r.Protobuf = c.bytes(90)
		return r
	}
	r.Text = c.words()
	r.Protobuf = append([]byte(r.Text), c.bytes(100)...)
	if of.ID != "" && c.rand.IntN(6) == 0 {
		ref := record.Ref{ID: of.ID, Sender: of.Sender}
		r.Target = &ref
		r.Quotations = []record.Quotation{{Of: ref, Text: of.Text, Protobuf: append([]byte(of.Text), c.bytes(60)...)}}
	}
	if c.last = append(c.last, r); len(c.last) > 30 {
		c.last = c.last[1:]
	}
	return r
}

// words are about 200 bytes of text in the middle, and sometimes many more.
func (c *council) words() string {
	var s strings.Builder
	for n := 200 * max(0.05, min(6, 1+c.rand.NormFloat64()*0.6)); s.Len() < int(n); {
		fmt.Fprintf(&s, "%s ", word(c.zipf.Uint64()))
	}
	return strings.TrimSpace(s.String())
}

// word is the nth most frequent word: the frequent ones are short.
func word(n uint64) string {
	var b []byte
	for n += 20; n > 0; n /= 20 {
		b = append(b, "bcdfghjklmnprstvwxyz"[n%20], "aeiou"[n%5])
	}
	return string(b)
}

func (c *council) bytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(c.rand.Uint32())
	}
	return b
}

// close closes the archive and returns how large its file is.
func (c *council) close(b *testing.B) int64 {
	if err := c.db.Close(); err != nil {
		b.Fatal(err)
	}
	fi, err := os.Stat(c.path)
	if err != nil {
		b.Fatal(err)
	}
	return fi.Size()
}
