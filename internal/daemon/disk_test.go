package daemon_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"muniment/internal/archive"
	"muniment/internal/journal"
	"muniment/internal/sqlite"
	"muniment/internal/standin"
)

// A manager is what systemd hears of a daemon.
type manager struct {
	conn *net.UnixConn
	told chan string
}

// manages has systemd listen to what c is going to be.
func (w *town) manages(c *exec.Cmd) *manager {
	w.t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: w.path("notify"), Net: "unixgram"})
	w.must(err)
	w.t.Cleanup(func() { conn.Close() })
	c.Env = append(c.Env, "NOTIFY_SOCKET="+w.path("notify"), "WATCHDOG_USEC=400000")
	m := &manager{conn, make(chan string, 1000)}
	go func() {
		defer close(m.told)
		b := make([]byte, 1000)
		for {
			n, err := conn.Read(b)
			if err != nil {
				return
			}
			m.told <- string(b[:n])
		}
	}()
	return m
}

// hears waits until systemd is told something that begins so.
func (w *town) hears(m *manager, want string) {
	w.t.Helper()
	for ctx := w.soon(); ; {
		select {
		case s := <-m.told:
			if strings.HasPrefix(s, want) {
				return
			}
		case <-ctx.Done():
			w.t.Fatalf("systemd was not told %q; the log:\n%s", want, w.log)
		}
	}
}

// fills has the disk take nothing more of a process: no file of its can grow beyond that.
func (w *town) fills(c *exec.Cmd, bytes uint64) {
	w.t.Helper()
	w.must(unix.Prlimit(c.Process.Pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: bytes, Max: unix.RLIM_INFINITY}, nil))
}

const (
	refusedFor   = "the archive cannot be written to: the disk "
	deliversMore = "; WhatsApp keeps what is sent and will deliver it again"
)

// The disk is full, for the archive and the session alike, while a council talks. Nothing
// is acknowledged that is not in the archive; the daemon goes on and says what is wrong;
// and when there is room again, everything comes, in order, and is accounted for.
func TestTheDiskIsFull(t *testing.T) {
	breaksConnections(t)
	w := found(t)
	w.talksWhileFull("does not take it", func(c *exec.Cmd) { w.fills(c, 0) }, func(c *exec.Cmd) { w.fills(c, unix.RLIM_INFINITY) })
}

func (w *town) talksWhileFull(why string, fill, empty func(*exec.Cmd)) {
	t := w.t
	t.Helper()
	c := w.command(os.Args[0])
	c.Stderr = w.log // by a pipe: the log is no file on that disk
	systemd := w.manages(c)
	w.must(c.Start())
	t.Cleanup(func() { c.Process.Kill() })
	w.must(w.server.WaitOnline(w.soon()))
	said := []*standin.Message{w.ann.Says("Before.")}
	w.must(w.server.WaitSettled(w.soon()))

	fill(c)
	say := func(what string) {
		for n := range 15 {
			said = append(said, []*standin.Member{w.ann, w.bo, w.stranger}[n%3].Says(fmt.Sprintf("%s, message %d.", what, n)))
		}
	}
	say("While it is full")
	w.hears(systemd, "STATUS="+refusedFor+why+deliversMore)
	w.must(w.server.WaitOffline(w.soon())) // so that nothing can be acknowledged
	say("And later")
	w.bo.Reacts(said[0], "📌")
	once := w.ann.Once().SendsImage([]byte("jpeg"), "") // of which whatsmeow says that it has come, whatever we say
	for range 8 {
		w.hears(systemd, "WATCHDOG=1") // it is not killed: that would not help
	}
	unsettled := w.unsettled(append(said, once))

	empty(c)
	w.must(w.server.WaitSettled(w.soon()))
	w.hears(systemd, "STATUS=connected")
	w.emailed(1)
	w.must(c.Process.Signal(syscall.SIGTERM))
	w.must(c.Wait())

	records := w.records()
	for _, m := range said {
		if rs := records[m.ID()]; !slices.Contains(unsettled, m) && (len(rs) != 1 || rs[0].Captured.After(w.unwritable())) {
			t.Errorf("%q was settled before it was in the archive", m.Text())
		}
	}
	if len(unsettled) < 15 {
		t.Errorf("only %d messages were not settled: the disk was not full", len(unsettled))
	}
	if len(records[once.ID()]) != 1 || !slices.Contains(unsettled, once) {
		t.Error("what was to be viewed once was settled while nothing could be written")
	}
	w.settledIsCaptured(w.server.Settled())
	w.inOrder(said)
	if log := w.log.String(); strings.Count(log, refusedFor+why+deliversMore) != 1 || !strings.Contains(log, "can be written to again") {
		t.Errorf("the log does not say once what is wrong:\n%.3000s", log)
	}
	w.logTellsNothing()
	w.read(func(tx *sqlite.Tx) error {
		gaps, err := archive.Gaps(tx)
		told := false
		for _, g := range gaps {
			told = told || g.Cause == "Nothing could be written to the disk."
			if g.Closed.IsZero() {
				t.Errorf("a gap is open still: %+v", g)
			}
		}
		if !told {
			t.Errorf("that nothing could be written is no absence: %+v", gaps)
		}
		return err
	})
	w.accounted()
	w.verifies()
	w.onlyReceives()
}

// unwritable returns when it was noted that the archive could be written to again.
func (w *town) unwritable() (at time.Time) {
	w.t.Helper()
	w.read(func(tx *sqlite.Tx) (err error) {
		_, at, err = journal.LastOf(tx, journal.Unwritable)
		return err
	})
	if at.IsZero() {
		w.t.Error("the journal does not tell that the archive could not be written to")
	}
	return at
}

// unsettled returns which messages WhatsApp was not told of that they were received, or
// that they could not be read.
func (w *town) unsettled(said []*standin.Message) (left []*standin.Message) {
	settled := make(map[string]bool)
	for _, s := range w.server.Settled() {
		settled[s.ID] = true
	}
	for _, m := range said {
		if !settled[m.ID()] {
			left = append(left, m)
		}
	}
	return left
}

// inOrder checks that all that was said is in the archive once, and in that order.
func (w *town) inOrder(said []*standin.Message) {
	w.t.Helper()
	records := w.records()
	var last time.Time
	for _, m := range said {
		rs := records[m.ID()]
		if len(rs) != 1 || rs[0].Text != m.Text() {
			w.t.Errorf("%q is in the archive %d times", m.Text(), len(rs))
		} else if rs[0].Sent.Before(last) {
			w.t.Errorf("%q is before what was said before it", m.Text())
		} else {
			last = rs[0].Sent
		}
	}
}

// A daemon that is started while the disk is full says so and ends, however often systemd
// starts it; nothing is acknowledged, and the first start with room gets everything.
func TestStartedWhileTheDiskIsFull(t *testing.T) {
	w := found(t)
	w.run()()
	said := []*standin.Message{w.ann.Says("Is anybody there?")}
	for range 2 {
		c := w.command("sh", "-c", `ulimit -S -f 0 && exec "$0"`, os.Args[0])
		c.Stderr = w.log
		if err := c.Run(); err == nil {
			t.Error("it ended well")
		}
	}
	if log := w.log.String(); strings.Count(log, "the archive cannot be written to: the disk") < 2 {
		t.Errorf("it did not say why:\n%s", log)
	}
	if w.server.Unsettled() == 0 {
		t.Error("what it could not write is settled")
	}
	stop := w.run()
	w.must(w.server.WaitSettled(w.soon()))
	stop()
	w.inOrder(said)
	w.accounted()
	w.verifies()
}
