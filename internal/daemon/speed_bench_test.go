package daemon_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/store/sqlstore"

	"muniment/internal/sqlite"
	"muniment/internal/standin"
)

// backlog is how many messages wait in each round of BenchmarkBacklog.
const backlog = 1000

// BenchmarkBacklog measures how fast what waited for the daemon is captured, through the
// real client, against the same client with the same session and nothing to do: both are
// processes of their own, each with a stand-in, and take turns.
//
//	go test -run - -bench Backlog -benchtime 5x ./internal/daemon
func BenchmarkBacklog(b *testing.B) {
	ours, bare := newClub(b), newClub(b)
	bare.bare = true
	ours.round(100) // keys, and a warm cache
	bare.round(100)
	var captured, handled []time.Duration
	cpu, cpuBare := ours.cpu, bare.cpu
	ours.most, bare.most = 0, 0
	for b.Loop() {
		captured = append(captured, ours.round(backlog))
		handled = append(handled, bare.round(backlog))
	}
	var ratios []float64
	for i := range captured {
		ratios = append(ratios, float64(handled[i])/float64(captured[i]))
	}
	slices.Sort(ratios)
	perSecond := func(ds []time.Duration) float64 {
		slices.Sort(ds)
		return backlog / ds[(len(ds)-1)/2].Seconds()
	}
	micros := func(cpu time.Duration) float64 {
		return float64(cpu.Microseconds()) / float64(backlog*len(captured))
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(ratios[(len(ratios)-1)/2], "of-bare")
	b.ReportMetric(perSecond(captured), "msg/s")
	b.ReportMetric(perSecond(handled), "bare-msg/s")
	b.ReportMetric(micros(ours.cpu-cpu), "cpu-µs/msg")
	b.ReportMetric(micros(bare.cpu-cpuBare), "bare-cpu-µs/msg")
	b.ReportMetric(float64(ours.most)/1e6, "MB-RSS")
	b.ReportMetric(float64(bare.most)/1e6, "bare-MB-RSS")
}

// BenchmarkLive measures how long a message takes from the phone that sends it to its
// commit: twenty a second, and each as soon as the one before is acknowledged. Beside it
// stands what this disk needs at the least for one durable write, in the same moments.
//
//	go test -run - -bench Live -benchtime 400x ./internal/daemon
func BenchmarkLive(b *testing.B) {
	for _, speed := range []struct {
		name  string
		pause time.Duration
	}{{"20-a-second", 50 * time.Millisecond}, {"back-to-back", 0}} {
		b.Run(speed.name, func(b *testing.B) {
			c := newClub(b)
			b.Setenv(childControl, c.path("child"))
			c.must(os.Mkdir(c.path("child"), 0o700))
			p := c.spawn()
			defer func() { c.must(p.Process.Kill()); _ = p.Wait() }()
			c.must(c.server.WaitOnline(c.soon()))
			c.says(100)
			c.must(c.server.WaitSettled(c.soon()))
			before := len(c.commits())
			floor := newFloor(b, c.dir)
			var sent []time.Time
			var floors []time.Duration
			busy := cpuOf(b, p.Process.Pid)
			for b.Loop() {
				sent = append(sent, time.Now())
				c.says(1)
				c.must(c.server.WaitSettled(c.soon()))
				floors = append(floors, floor.write(b))
				time.Sleep(speed.pause)
			}
			busy = cpuOf(b, p.Process.Pid) - busy
			var took []time.Duration
			for i, at := range c.commits()[before:] {
				took = append(took, at.Sub(sent[i]))
			}
			if len(took) != len(sent) {
				b.Fatalf("%d sent, %d captured", len(sent), len(took))
			}
			at := func(ds []time.Duration, p int) float64 {
				slices.Sort(ds)
				return float64(ds[(len(ds)-1)*p/100]) / float64(time.Millisecond)
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(at(took, 50), "p50-ms")
			b.ReportMetric(at(took, 99), "p99-ms")
			b.ReportMetric(at(floors, 50), "floor-ms")
			b.ReportMetric(20*at(floors, 50)+20, "p99-aim-ms")
			b.ReportMetric(float64(busy.Microseconds())/float64(len(sent)), "cpu-µs/msg")
		})
	}
}

// A club is a town of which twenty talk, evenly.
type club struct {
	*town
	members []*standin.Member
	last    []*standin.Message
	spoken  int
	bare    bool          // its daemon is the bare client
	cpu     time.Duration // used so far, of its daemons
	most    int64         // memory of any of them, at the end of a round
}

func newClub(b *testing.B) *club {
	c := &club{town: found(b)}
	c.members = []*standin.Member{c.ann, c.bo, c.stranger}
	for i := range 17 {
		m := c.server.Member(fmt.Sprintf("Member %d", i), fmt.Sprintf("+4477009003%02d", i))
		m.Joins(c.official)
		c.members = append(c.members, m)
	}
	return c
}

// says has members say something, as often, of usual length: of ten, three are answers
// and one is a reaction.
func (c *club) says(n int) {
	for range n {
		c.spoken++
		v := c.members[c.spoken*7%len(c.members)].Voice
		text := fmt.Sprintf("Message %d. ", c.spoken) + strings.Repeat("The handrail on the footbridge has come away. ", 1+c.spoken*5%6)
		var m *standin.Message
		switch {
		case c.spoken%10 < 3 && len(c.last) > 0:
			m = v.Replies(c.last[c.spoken*3%len(c.last)], text)
		case c.spoken%10 == 5 && len(c.last) > 0:
			v.Reacts(c.last[c.spoken*3%len(c.last)], "👍")
			continue
		default:
			m = v.Says(text)
		}
		if c.last = append(c.last, m); len(c.last) > 20 {
			c.last = c.last[1:]
		}
	}
}

// round has n messages wait for the daemon, and returns how long it takes from when it is
// online until all of them are settled.
func (c *club) round(n int) (took time.Duration) {
	c.t.Helper()
	c.says(n)
	p := c.spawnAs(c.bare)
	c.must(c.server.WaitOnline(c.soon()))
	began := time.Now()
	c.must(c.server.WaitSettled(c.soon()))
	took = time.Since(began)
	c.most = max(c.most, rss(c.t, p.Process.Pid))
	c.must(p.Process.Signal(syscall.SIGTERM))
	c.must(p.Wait())
	c.cpu += p.ProcessState.UserTime() + p.ProcessState.SystemTime()
	return took
}

// childBare has the test binary be a client that does nothing: the session's file.
const childBare = "MUNIMENT_TEST_BARE"

func (c *club) spawnAs(bare bool) *exec.Cmd {
	if bare {
		c.environment = []string{childBare + "=" + c.path("state/session.db")}
	}
	return c.spawn()
}

// bareClient is whatsmeow as we use it, and nothing else.
func bareClient(ctx context.Context, path string) error {
	db, err := sqlite.OpenSession(path)
	if err != nil {
		return err
	}
	defer db.Close()
	device, err := sqlstore.NewWithDB(db, "sqlite", nil).GetFirstDevice(ctx)
	if err != nil {
		return err
	}
	nothing := &store.NoopStore{}
	device.Contacts, device.ChatSettings, device.MsgSecrets = nothing, nothing, nothing
	device.PrivacyTokens, device.NCTSalt = nothing, nothing
	cli := whatsmeow.NewClient(device, nil)
	cli.SynchronousAck = true
	cli.EnableDecryptedEventBuffer = true
	cli.ManualHistorySyncDownload = true
	cli.DisableManualHistorySyncReceipt = true
	cli.UseRetryMessageStore = false
	cli.AddEventHandlerWithSuccessStatus(func(any) bool { return true })
	if err := cli.Connect(); err != nil {
		return err
	}
	<-ctx.Done()
	cli.Disconnect()
	return nil
}

// commits returns when the daemon has committed each record.
func (c *club) commits() (at []time.Time) {
	c.t.Helper()
	b, err := os.ReadFile(c.path("child/commits"))
	c.must(err)
	for line := range strings.Lines(string(b)) {
		var nanos int64
		if _, err := fmt.Sscan(line, &nanos); err != nil {
			c.t.Fatal(err)
		}
		at = append(at, time.Unix(0, nanos))
	}
	return at
}

// cpuOf is the time that a process has used.
func cpuOf(t testing.TB, pid int) time.Duration {
	t.Helper()
	s, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Skip("no /proc here")
	}
	_, rest, _ := strings.Cut(string(s), ") ")
	fields := strings.Fields(rest) // from the third on
	var user, system int64
	if _, err := fmt.Sscan(fields[11]+" "+fields[12], &user, &system); err != nil {
		t.Fatal(err)
	}
	return time.Duration(user+system) * time.Second / 100 // clock ticks, as Linux shows them
}

// floor overwrites one page of a file and waits until it is on disk.
type floor struct {
	f    *os.File
	page [4096]byte
}

func newFloor(b *testing.B, dir string) *floor {
	f, err := os.Create(filepath.Join(dir, "floor"))
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
