package vault

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"muniment/internal/record"
	"muniment/internal/sqlite"
)

func TestAFileThatIsGone(t *testing.T) {
	c := newCouncil(t)
	_, f := seal(record.Image, words(10)) // WhatsApp never had it
	c.wants(4, record.Image, f)
	c.fetches()
	c.is(4, Lost, "WhatsApp no longer has it", 1)
	c.steps(365 * 24 * time.Hour)
	c.fetches()
	if n := c.wa.times(f); n != 1 {
		t.Errorf("WhatsApp was asked %d times", n)
	}
	c.has(0)
}

func TestWhatComesIsNotWhatWasAnnounced(t *testing.T) {
	c := newCouncil(t)
	plain := words(1000)
	f := c.wa.has(record.Image, plain)
	wrong, _ := seal(record.Image, words(1000))
	for name, sends := range map[string][]byte{"another": wrong, "nothing": nil, "a little": wrong[:5]} {
		t.Run(name, func(*testing.T) {
			g := f
			g.Path = "/" + strings.ReplaceAll(name, " ", "-")
			c.wa.answers(g.Path, func(a http.ResponseWriter, _ *http.Request) { a.Write(sends) })
			seq := record.Seq(len(c.told) + 1)
			c.wants(seq, record.Image, g)
			for n := range 3 {
				c.is(seq, Wanted, "", n)
				c.fetches()
				c.has(0)
				c.steps(time.Hour)
			}
			c.is(seq, Lost, "what WhatsApp delivered is not what the message announced", 3)
		})
	}

	// Other failures do not count as such.
	c.wants(9, record.Image, f)
	c.wa.isDown(true)
	for range 2 {
		c.fetches()
		c.steps(time.Hour)
	}
	c.wa.isDown(false)
	c.wa.answers(f.Path, func(a http.ResponseWriter, _ *http.Request) { a.Write(wrong) })
	for n := range 3 {
		c.is(9, Wanted, "", 2+n)
		c.fetches()
		c.steps(6 * time.Hour)
	}
	c.is(9, Lost, "what WhatsApp delivered is not what the message announced", 5)

	// In the end the right one comes.
	right, f := seal(record.Image, plain)
	c.wants(10, record.Image, f)
	c.wa.answers(f.Path, func(a http.ResponseWriter, _ *http.Request) { a.Write(wrong) })
	for range 2 {
		c.fetches()
		c.steps(6 * time.Hour)
	}
	c.wa.answers(f.Path, func(a http.ResponseWriter, _ *http.Request) { a.Write(right) })
	c.fetches()
	c.is(10, Kept, "", 3)
	c.holds(10, plain)
}

// The sealed file is the one announced, and yet does not open to the one announced.
func TestWhatWasAnnouncedDoesNotOpen(t *testing.T) {
	c := newCouncil(t)
	plain := words(1000)
	var seq record.Seq
	for name, spoil := range map[string]func(sealed []byte, f *record.File) []byte{
		"another digest": func(s []byte, f *record.File) []byte { f.Digest[0] ^= 1; return s },
		"another key":    func(s []byte, f *record.File) []byte { f.Key[0] ^= 1; return s },
		"a broken MAC":   func(s []byte, f *record.File) []byte { s[len(s)-1] ^= 1; return s },
		"broken content": func(s []byte, f *record.File) []byte { s[200] ^= 1; return s },
		"half a block":   func(s []byte, f *record.File) []byte { return s[8:] },
		"a MAC only":     func(s []byte, f *record.File) []byte { return s[:10] },
		"less":           func(s []byte, f *record.File) []byte { return s[:3] },
		"nothing":        func(s []byte, f *record.File) []byte { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			seq++
			sealed, f := seal(record.Image, plain)
			sealed = spoil(sealed, &f)
			sum := sha256.Sum256(sealed)
			f.Sealed = sum[:]
			c.wa.answers(f.Path, func(a http.ResponseWriter, _ *http.Request) { a.Write(sealed) })
			c.wants(seq, record.Image, f)
			c.fetches()
			c.is(seq, Lost, "it cannot be opened with what the message says", 1)
			if m := c.file(seq); m.Size != f.Size {
				t.Errorf("its size is %d; the message says %d", m.Size, f.Size)
			}
			c.has(0)
		})
	}
}

func TestTheServerIsDownAndComesBack(t *testing.T) {
	c := newCouncil(t)
	plain := words(1000)
	f := c.wa.has(record.Audio, plain)
	c.wants(1, record.Audio, f)
	c.wa.isDown(true)
	for n, after := range []time.Duration{time.Minute, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 6 * time.Hour, 6 * time.Hour} {
		c.fetches()
		c.is(1, Wanted, "", n+1)
		c.steps(after - time.Millisecond)
		c.fetches()
		c.is(1, Wanted, "", n+1) // not due yet
		c.steps(time.Millisecond)
	}
	c.wa.isDown(false)
	c.fetches()
	c.is(1, Kept, "", 7)
	c.holds(1, plain)
}

func TestNobodyAnswers(t *testing.T) {
	c := newCouncil(t)
	plain := words(1000)
	c.wants(1, record.Audio, c.wa.has(record.Audio, plain))
	up := c.vault.Download
	l, err := net.Listen("tcp", "127.0.0.1:0")
	c.must(err)
	c.must(l.Close())
	c.vault.Download = download("http://" + l.Addr().String())
	c.fetches()
	c.is(1, Wanted, "", 1)
	if log := c.log.String(); !strings.Contains(log, "connection refused") {
		t.Errorf("the log does not say why:\n%s", log)
	}
	c.vault.Download = up
	c.write(func(tx *sqlite.Tx) error { return Retry(tx, c.now()) }) // connected again
	c.fetches()
	c.holds(1, plain)
}

// While there is no connection, nothing is attempted and so nothing put off: at the next
// one everything is due as it was.
func TestNotConnected(t *testing.T) {
	c := newCouncil(t)
	connected := false
	c.vault.Connected = func() bool { return connected }
	plain := words(1000)
	f := c.wa.has(record.Audio, plain)
	c.wants(1, record.Audio, f)
	c.fetches()
	c.is(1, Wanted, "", 0)
	connected = true
	c.fetches()
	c.is(1, Kept, "", 1)
	c.holds(1, plain)
}

// The connection breaks under an attempt and is there again before the attempt has failed:
// that is not put off.
func TestConnectedAgainDuringAnAttempt(t *testing.T) {
	c := newCouncil(t)
	plain := words(1000)
	c.wants(1, record.Audio, c.wa.has(record.Audio, plain))
	up := c.vault.Download
	c.vault.Download = func(context.Context, record.Type, record.File, io.Writer) error {
		c.vault.Download = up
		c.steps(time.Second)
		c.write(func(tx *sqlite.Tx) error { return Retry(tx, c.now()) })
		return errors.New("the connection broke")
	}
	c.fetches()
	c.is(1, Kept, "", 2)
	c.holds(1, plain)
}

func TestAFileIsGivenUpAfterThirtyDays(t *testing.T) {
	if testing.Short() {
		t.Skip("one thing after another, which the race detector watches for long")
	}
	c := newCouncil(t)
	c.wants(1, record.Audio, c.wa.has(record.Audio, words(10)))
	c.wa.isDown(true)
	for start := c.now(); c.now().Sub(start) < patience-time.Hour; c.steps(time.Hour) {
		c.fetches()
	}
	if m := c.file(1); m.State != Wanted || m.attempts < enough {
		t.Errorf("after almost 30 days it is %s, after %d attempts", m.State, m.attempts)
	}
	c.steps(6 * time.Hour)
	c.fetches()
	c.is(1, Lost, "it could not be fetched for 30 days", c.file(1).attempts)
}

// A daemon that was switched off has not tried for thirty days.
func TestAFileIsNotGivenUpUntried(t *testing.T) {
	c := newCouncil(t)
	plain := words(10)
	c.wants(1, record.Audio, c.wa.has(record.Audio, plain))
	c.wa.isDown(true)
	c.fetches()
	c.steps(365 * 24 * time.Hour)
	for range 10 {
		c.fetches()
		c.steps(6 * time.Hour)
	}
	c.is(1, Wanted, "", 11)
	c.wa.isDown(false)
	c.fetches()
	c.holds(1, plain)
}

// A file put off by a clock that was ahead is due when that is set right.
func TestTheClockIsSetBack(t *testing.T) {
	c := newCouncil(t)
	plain := words(10)
	c.steps(365 * 24 * time.Hour)
	c.wants(1, record.Audio, c.wa.has(record.Audio, plain))
	c.steps(-365 * 24 * time.Hour)
	c.fetches()
	c.holds(1, plain)
}

// That our own disk takes nothing is no reason to give up what WhatsApp has.
func TestOurOwnDiskFails(t *testing.T) {
	c := newCouncil(t)
	plain := words(10)
	f := c.wa.has(record.Audio, plain)
	c.must(os.WriteFile(c.vault.Directory, nil, 0o600)) // a file where the directory should be
	c.wants(1, record.Audio, f)
	for range 60 * 4 {
		c.fetches()
		c.steps(6 * time.Hour)
	}
	c.is(1, Wanted, "", 240)
	if log := c.log.String(); !strings.Contains(log, "our own disk: ") || !strings.Contains(log, "not a directory") {
		t.Errorf("the log does not say why:\n%.1000s", log)
	}
	c.must(os.Remove(c.vault.Directory))
	c.wa.isDown(true)
	for range 29 * 4 {
		c.fetches()
		c.steps(6 * time.Hour)
	}
	c.is(1, Wanted, "", 240+29*4)
	c.wa.isDown(false)
	c.fetches()
	c.holds(1, plain)
}

// The disk fills up while a file arrives: that is no attempt that failed at WhatsApp's.
func TestTheDiskIsFull(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("there is no /dev/full here")
	}
	defer full.Close()
	idle := time.NewTimer(time.Hour)
	s := &sink{file: full, room: 100, idle: idle, arrived: new(atomic.Int64)}
	for range 2 {
		if _, err := s.Write(words(10)); !errors.Is(err, errOurs) || !noRoom(err) {
			t.Errorf("%v; want a failure of our own", err)
		}
	}
}

// The file is in its place, but that could not be noted. It is found there.
func TestTheArchiveRefusesWhatIsInItsPlace(t *testing.T) {
	c := newCouncil(t)
	plain := words(1000)
	f := c.wa.has(record.Audio, plain)
	c.wants(1, record.Audio, f)
	c.write(func(tx *sqlite.Tx) error {
		_, err := tx.Exec("CREATE TRIGGER full BEFORE UPDATE ON media WHEN NEW.state = 'kept' BEGIN SELECT RAISE(ABORT, 'the disk is full'); END")
		return err
	})
	c.fetches()
	c.is(1, Wanted, "", 1)
	c.has(1)
	if n := c.sweeps(); n != 0 {
		t.Errorf("%d files were removed that are wanted", n)
	}
	c.write(func(tx *sqlite.Tx) error { _, err := tx.Exec("DROP TRIGGER full"); return err })
	c.restarts()
	c.steps(time.Minute)
	c.fetches()
	c.is(1, Kept, "", 2)
	c.holds(1, plain)
	if n := c.wa.times(f); n != 1 {
		t.Errorf("WhatsApp was asked %d times", n)
	}
}

// It was noted, but whoever noted it was not told so.
func TestTheArchiveTookItAfterAll(t *testing.T) {
	c := newCouncil(t)
	plain := words(1000)
	f := c.wa.has(record.Audio, plain)
	c.wants(1, record.Audio, f)
	again, _, err := c.vault.begin(t.Context())
	c.must(err)
	c.vault.end(again)
	c.fetches()
	again.ctx = t.Context()
	c.must(c.vault.attempt(again))
	c.is(1, Kept, "", 1)
	c.holds(1, plain)
	c.has(1)
	if n := c.wa.times(f); n != 1 {
		t.Errorf("WhatsApp was asked %d times", n)
	}
}

// Nothing can be noted at all: whoever asked is told, and it is tried again.
func TestTheArchiveTakesNothing(t *testing.T) {
	c := newCouncil(t)
	plain := words(1000)
	c.wants(1, record.Audio, c.wa.has(record.Audio, plain))
	c.write(func(tx *sqlite.Tx) error {
		_, err := tx.Exec("CREATE TRIGGER full BEFORE UPDATE ON media BEGIN SELECT RAISE(ABORT, 'the disk is full'); END")
		return err
	})
	if err := c.vault.FetchDue(t.Context()); err == nil || !strings.Contains(err.Error(), "file of record 1: constraint failed: the disk is full") {
		t.Errorf("fetch: %v", err)
	}
	c.write(func(tx *sqlite.Tx) error { _, err := tx.Exec("DROP TRIGGER full"); return err })
	c.is(1, Wanted, "", 0)
	c.fetches()
	c.holds(1, plain)
}

func TestABodyWithoutEndIsCut(t *testing.T) {
	c := newCouncil(t)
	_, f := seal(record.Image, words(1000))
	var sent atomic.Int64
	c.wa.answers(f.Path, func(a http.ResponseWriter, _ *http.Request) {
		for piece := make([]byte, 1<<16); ; {
			n, err := a.Write(piece)
			sent.Add(int64(n))
			if err != nil {
				return
			}
		}
	})
	c.wants(1, record.Image, f)
	for range 3 {
		c.fetches()
		c.has(0)
		c.steps(time.Hour)
	}
	c.is(1, Lost, "what WhatsApp delivered is not what the message announced", 3)
	if n := sent.Load(); n > 3*160<<20 {
		t.Errorf("%d bytes were taken", n)
	}
}

func TestLimit(t *testing.T) {
	for said, want := range map[int64]int64{
		-1: 64 << 20, 0: 64 << 20, 1000: 64 << 20, 16 << 20: 4 * (16<<20 + 26), 100 << 20: 4 * (100<<20 + 26),
		2 << 30: 4 << 30, 1 << 62: 4 << 30, 1<<63 - 1: 4 << 30,
	} {
		if got := limit(said); got != want {
			t.Errorf("of %d bytes, %d are taken at most; want %d", said, got, want)
		}
	}
}

// A download that brings nothing any more does not keep others waiting for ever.
func TestADownloadStalls(t *testing.T) {
	before := stall
	defer func() { stall = before }()
	stall = 500 * time.Millisecond
	c := newCouncil(t)
	plain := words(100_000)
	var files []record.File
	for seq := range record.Seq(atOnce) {
		f, _ := c.wa.hasBehindTap(record.Image, plain)
		c.wants(seq+1, record.Image, f)
		files = append(files, f)
	}
	c.steps(time.Second)
	sealed, slow := seal(record.Image, plain)
	c.wa.answers(slow.Path, func(a http.ResponseWriter, _ *http.Request) {
		for ; len(sealed) > 0; sealed = sealed[min(10_000, len(sealed)):] {
			time.Sleep(stall / 8)
			a.Write(sealed[:min(10_000, len(sealed))])
			a.(http.Flusher).Flush()
		}
	})
	c.wants(9, record.Image, slow)
	c.fetches()
	c.is(9, Kept, "", 1)
	c.holds(9, plain)
	for n, f := range files {
		c.is(record.Seq(n+1), Wanted, "", 1)
		if c.wa.times(f) != 1 {
			t.Errorf("WhatsApp was asked %d times", c.wa.times(f))
		}
	}
	c.has(1)
	if log := c.log.String(); !strings.Contains(log, "nothing came for a while") {
		t.Errorf("the log does not say why:\n%s", log)
	}
}

// Whoever stops the daemon stops a download, which is then no attempt.
func TestStoppedInTheMiddleOfAFile(t *testing.T) {
	c := newCouncil(t)
	plain := words(300_000)
	f, tap := c.wa.hasBehindTap(record.Video, plain)
	c.wants(1, record.Video, f)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- c.vault.Run(ctx) }()
	<-tap.reached
	cancel()
	c.must(<-done)
	c.is(1, Wanted, "", 0)
	c.has(0)

	for _, seq := range []record.Seq{1, 50} { // had it been killed
		c.must(os.WriteFile(c.vault.part(seq), plain[:1000], 0o600))
	}
	c.restarts()
	close(tap.open)
	ctx, cancel = context.WithCancel(t.Context())
	go func() { done <- c.vault.Run(ctx) }()
	c.waits(func(n Count) bool { return n.Kept == 1 })
	cancel()
	c.must(<-done)
	c.is(1, Kept, "", 1)
	c.holds(1, plain)
	c.has(1)
	if err := c.vault.FetchDue(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("fetch when it is over: %v", err)
	}
}

func TestARecordIsDestroyedWhileItsFileArrives(t *testing.T) {
	for name, tt := range map[string]struct {
		sweep, shared bool
		left          int
	}{
		"and a sweep follows":                           {sweep: true},
		"and nothing follows":                           {},
		"and another record needs it":                   {shared: true, left: 1},
		"and a sweep follows, but another record needs": {sweep: true, shared: true, left: 1},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCouncil(t)
			plain := words(300_000)
			f, tap := c.wa.hasBehindTap(record.Video, plain)
			ask := c.vault.Download
			c.vault.Download = func(ctx context.Context, t record.Type, f record.File, w io.Writer) error {
				defer time.Sleep(50 * time.Millisecond) // it does not stop at once
				return ask(ctx, t, f, w)
			}
			c.wants(1, record.Video, f)
			c.wants(3, record.Video, c.wa.has(record.Video, plain)) // has nothing to do with it
			if tt.shared {
				c.wants(2, record.Video, f)
			}
			done := make(chan error)
			go func() { done <- c.vault.FetchDue(t.Context()) }()
			<-tap.reached
			c.waits(func(n Count) bool { return n.Kept == 1 })
			c.must(os.WriteFile(c.vault.part(77), nil, 0o600))
			c.forgets(1)
			if tt.sweep {
				if n := c.sweeps(); n != 1 {
					t.Errorf("%d files were removed; want what lay about", n)
				}
				if _, err := os.Stat(c.vault.part(1)); err == nil {
					t.Error("after the sweep, the part is there")
				}
				c.sweeps()
			} else {
				c.must(os.Remove(c.vault.part(77)))
			}
			close(tap.open)
			c.must(<-done)
			c.has(1 + tt.left)
			c.holds(3, plain)
			if tt.shared {
				c.holds(2, plain)
			}
			if n := c.wa.times(f); n > 2 { // twice, if the first was stopped for its record
				t.Errorf("WhatsApp was asked %d times", n)
			}
		})
	}
}

// A sweep looks at the very moment when the file has arrived and is not in its place.
func TestARecordIsDestroyedBeforeItsFileIsInItsPlace(t *testing.T) {
	c := newCouncil(t)
	f := c.wa.has(record.Image, words(1000))
	c.wants(1, record.Image, f)
	arrived := make(chan struct{})
	arrive := c.vault.Download
	c.vault.Download = func(ctx context.Context, t record.Type, f record.File, w io.Writer) error {
		c.vault.mu.Lock() // as Sweep does; nothing comes into its place now
		defer close(arrived)
		return arrive(ctx, t, f, w)
	}
	done := make(chan error)
	go func() { done <- c.vault.FetchDue(t.Context()) }()
	<-arrived
	c.forgets(1)
	c.read(func(tx *sqlite.Tx) error {
		stopped, err := c.vault.stopForgotten(tx)
		if len(stopped) != 1 {
			t.Errorf("%d were stopped", len(stopped))
		}
		return err
	})
	c.vault.mu.Unlock()
	c.must(<-done)
	c.has(0)
}

// Sweeps, captures and destruction go on while files arrive: at the end there is what
// records need, and nothing else.
func TestEverythingAtOnce(t *testing.T) {
	rounds := 60
	if testing.Short() {
		rounds = 15
	}
	c := newCouncil(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- c.vault.Run(ctx) }()
	plain := make(map[record.Seq][]byte)
	var seq record.Seq
	for round := range rounds {
		for range 3 {
			seq++
			plain[seq] = words(20_000)
			f := c.wa.has(record.Image, plain[seq])
			c.wants(seq, record.Image, f)
			seq++
			plain[seq] = plain[seq-1]
			c.wants(seq, record.Image, f)
			c.vault.Wake()
		}
		for gone := range plain {
			if int(gone)%5 == round%5 {
				c.forgets(gone)
				delete(plain, gone)
			}
		}
		c.sweeps()
	}
	c.waits(func(n Count) bool { return n.Wanted == 0 })
	cancel()
	c.must(<-done)
	needed := make(map[string]bool)
	for seq, p := range plain {
		c.holds(seq, p)
		needed[string(c.file(seq).Sealed)] = true
	}
	c.has(len(needed))
	if n := c.sweeps(); n != 0 {
		t.Errorf("%d files were left over", n)
	}
}
