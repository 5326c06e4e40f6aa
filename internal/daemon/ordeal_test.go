package daemon_test

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"muniment/internal/daemon"
	"muniment/internal/record"
	"muniment/internal/standin"
)

// An ordeal is a town of twenty that talks in every way it can while everything goes
// wrong around the daemon, which is a process of its own. All that happens is drawn from
// one seed; when it happens is up to the machine.
type ordeal struct {
	*town
	draw   *rand.Rand
	daemon *process
	deeds  map[string]int // what was done to the daemon, by name

	members  []*standin.Member // in the group now, besides the council's own account
	away     []*standin.Member // who will come, or come back
	bells    *standin.Group    // which nobody records
	said     []*utterance
	recent   []*utterance // that can be answered, changed and delivered again
	moves    map[string]int
	told     int // how often somebody spoke
	nudged   int
	checked  int // settlements
	captured map[string]int
	newest   int64 // of the records in captured
}

// An utterance is something that was sent to the group, and what must be in the archive
// of it.
type utterance struct {
	*standin.Message
	kind        record.Kind
	text, emoji string
	photo       []byte
	of          *utterance // what it answers, belongs to or changes
	options     []string   // of a poll
	how         string     // what befell it on its way
	lost        bool       // it cannot be read, and nobody sends it again
}

// endure founds a town for an ordeal.
func endure(w *town, seed uint64) *ordeal {
	o := &ordeal{
		town: w, draw: rand.New(rand.NewPCG(seed, 5)), deeds: make(map[string]int), moves: make(map[string]int),
		captured: make(map[string]int), members: []*standin.Member{w.ann, w.bo, w.stranger},
	}
	for i := range 18 {
		number := fmt.Sprintf("+4477009003%02d", i)
		if i%5 == 4 {
			number = "" // it is hidden
		}
		m := w.server.Member(fmt.Sprintf("Member %d", i), number)
		if i < 15 {
			m.Joins(w.official)
			o.moves["joined "+m.LID().String()]++
			o.members = append(o.members, m)
		} else {
			o.away = append(o.away, m)
		}
	}
	o.bells = w.server.Group("Bell ringers", w.phone, w.bo)
	w.must(os.Mkdir(w.path("child"), 0o700))
	w.environment = append(w.environment, childControl+"="+w.path("child"))
	w.showLogOfFailure()
	return o
}

// A process is the daemon.
type process struct {
	*exec.Cmd
	gone chan struct{} // closed when it has ended
	err  error
}

func (o *ordeal) begins() {
	o.t.Helper()
	p := &process{Cmd: o.spawn(), gone: make(chan struct{})}
	go func() {
		p.err = p.Wait()
		close(p.gone)
	}()
	o.daemon = p
}

// signals sends the daemon a signal.
func (o *ordeal) signals(s syscall.Signal) {
	o.t.Helper()
	o.must(o.daemon.Process.Signal(s))
}

// waitGone waits until the daemon has ended.
func (o *ordeal) waitGone() {
	o.t.Helper()
	select {
	case <-o.daemon.gone:
	case <-time.After(time.Minute):
		o.t.Fatal("the daemon does not end")
	}
}

// stops ends the daemon as systemd would.
func (o *ordeal) stops() {
	o.t.Helper()
	o.must(o.server.WaitOnline(o.soon())) // it listens to signals then
	o.signals(syscall.SIGTERM)
	o.waitGone()
	if o.daemon.err != nil {
		o.t.Errorf("stopped: %v", o.daemon.err)
	}
}

// settles waits until the daemon has caught up with what was sent, within reason.
func (o *ordeal) settles(most int) {
	o.t.Helper()
	if o.server.Unsettled() <= most {
		return
	}
	stuck := time.Now().Add(3 * time.Second)
	for before := o.server.Unsettled(); ; time.Sleep(2 * time.Millisecond) {
		now := o.server.Unsettled()
		switch {
		case now <= most/2:
			return
		case now < before:
			before, stuck = now, time.Now().Add(3*time.Second)
		case time.Now().After(stuck): // what failed comes again when the connection is new
			o.nudged++
			o.server.Drop()
			stuck = time.Now().Add(10 * time.Second)
		}
		select {
		case <-o.daemon.gone:
			o.t.Fatalf("the daemon has ended by itself: %v", o.daemon.err)
		default:
		}
	}
}

// says has somebody say or do something.
func (o *ordeal) says() {
	o.told++
	m := o.members[o.draw.IntN(len(o.members))]
	v := m.Voice
	if o.draw.IntN(25) == 0 {
		m = o.phone
		v = m.Voice
	} else if o.draw.IntN(8) == 0 {
		v = v.Elsewhere()
	}
	switch d := o.draw.IntN(1000); {
	case d < 15:
		o.comesOrGoes()
	case d < 30:
		o.bo.In(o.bells).Says("Practice is on Thursday.")
		o.bo.Tells(o.phone, "Between us.")
	case d < 430 || len(o.recent) < 10:
		o.speaks(v)
	default:
		o.reacts(m, v, d)
	}
}

// speaks has somebody say something new.
func (o *ordeal) speaks(v standin.Voice) {
	u := &utterance{kind: record.Message, text: fmt.Sprintf("Message %d.", o.told)}
	mayAnswer := true
	switch d := o.draw.IntN(100); {
	case d == 0:
		u.how, u.lost, mayAnswer = "lost", true, false
		v = v.Unhearing().Garbled()
	case d <= 3:
		u.how, v = "garbled", v.Garbled()
	case d <= 5:
		u.how, v = "sent without its key", v.Keyless()
	}
	switch d := o.draw.IntN(100); {
	case d < 6:
		u.photo = make([]byte, 100+o.draw.IntN(20_000))
		for i := range u.photo {
			u.photo[i] = byte(o.draw.Uint32())
		}
		u.Message = v.SendsImage(u.photo, u.text)
	case d < 12:
		u.options = []string{"Saturday", "Sunday", "Never"}
		u.Message = v.Polls(u.text, u.options...)
		u.text += "\nSaturday\nSunday\nNever"
	case d < 30 && len(o.recent) > 0:
		u.of = o.some()
		u.Message = v.Replies(u.of.Message, u.text)
	default:
		u.Message = v.Says(u.text)
	}
	o.said = append(o.said, u)
	if mayAnswer {
		o.recent = append(o.recent, u)
		if len(o.recent) > 60 {
			o.recent = o.recent[1:]
		}
	}
}

func (o *ordeal) some() *utterance { return o.recent[o.draw.IntN(len(o.recent))] }

// reacts has somebody do something to what was said; d says what.
func (o *ordeal) reacts(m *standin.Member, v standin.Voice, d int) {
	u := &utterance{of: o.some()}
	switch {
	case d < 700:
		u.kind, u.emoji = record.Reaction, []string{"👍", "😮", "❤️", "🙏"}[o.draw.IntN(4)]
		u.Message = v.Reacts(u.of.Message, u.emoji)
	case d < 740:
		u.kind = record.Reaction
		u.Message = v.TakesBack(u.of.Message)
	case d < 830 && u.of.Sender() == m && u.of.options == nil:
		u.kind, u.text = record.Edit, fmt.Sprintf("Message %d, edited.", o.told)
		if o.draw.IntN(2) == 0 {
			v = v.Sealed()
		}
		u.Message = v.Edits(u.of.Message, u.text)
	case d < 860 && (u.of.Sender() == m || m == o.phone):
		u.kind = record.Deletion
		u.Message = v.Deletes(u.of.Message)
	case u.of.options != nil:
		u.kind = record.Vote
		u.Message = v.Votes(u.of.Message, u.of.options[o.draw.IntN(3)])
	default:
		o.speaks(v)
		return
	}
	o.said = append(o.said, u)
}

// comesOrGoes has somebody come or go.
func (o *ordeal) comesOrGoes() {
	moved := func(as string, m *standin.Member) { o.moves[as+" "+m.LID().String()]++ }
	if i := o.draw.IntN(len(o.members)); i > 2 && o.draw.IntN(2) == 0 { // the first three stay
		m := o.members[i]
		o.members = append(o.members[:i:i], o.members[i+1:]...)
		o.away = append(o.away, m)
		if o.draw.IntN(2) == 0 {
			m.Leaves(o.official)
			moved("left", m)
		} else {
			o.phone.Removes(m)
			moved("removed", m)
		}
		return
	}
	if len(o.away) == 0 {
		return
	}
	m := o.away[0]
	o.away = o.away[1:]
	o.members = append(o.members, m)
	if o.draw.IntN(2) == 0 {
		m.Joins(o.official)
		moved("joined", m)
	} else {
		o.phone.Adds(m)
		moved("added", m)
	}
}

// talk has people speak n times, without waiting for the daemon.
func (o *ordeal) talk(n int) {
	for range n {
		o.says()
	}
}

// pause lets some time pass, up to that much.
func (o *ordeal) pause(most time.Duration) {
	time.Sleep(time.Duration(o.draw.Int64N(int64(most))))
}

// harms does something to the daemon.
func (o *ordeal) harms() {
	o.t.Helper()
	total := 0
	for _, h := range harms {
		total += h.weight
	}
	n := o.draw.IntN(total)
	for _, h := range harms {
		if n -= h.weight; n < 0 {
			o.deeds[h.name]++
			h.do(o)
			return
		}
	}
}

// A harm is something that happens to the daemon, and how often, against others.
type harm struct {
	name   string
	weight int
	do     func(*ordeal)
}

var harms = []harm{
	{"killed", 6, func(o *ordeal) {
		o.talk(o.draw.IntN(30))
		o.pause(60 * time.Millisecond)
		o.signals(syscall.SIGKILL)
		o.restarts()
	}},
	{"killed between commit and acknowledgement", 6, func(o *ordeal) {
		o.must(o.server.WaitOnline(o.soon()))
		o.signals(killAfterCommit)
		for range 200 { // until it has got the signal, and captured something
			o.speaks(o.ann.Voice)
			select {
			case <-o.daemon.gone:
			case <-time.After(100 * time.Millisecond):
				continue
			}
			break
		}
		o.restarts()
	}},
	{"failed after a commit", 6, func(o *ordeal) {
		o.must(o.server.WaitOnline(o.soon()))
		o.signals(failAfterCommit)
		o.talk(3)
	}},
	{"stopped", 2, func(o *ordeal) {
		o.talk(o.draw.IntN(30))
		o.stops()
		o.settledIsKept()
		o.talk(o.draw.IntN(30))
		o.begins()
	}},
	{"disk full", 6, func(o *ordeal) {
		o.must(o.server.WaitOnline(o.soon())) // it would not start
		limit := unix.Rlimit{Cur: uint64(o.draw.IntN(2) * o.draw.IntN(2<<20)), Max: unix.RLIM_INFINITY}
		o.must(unix.Prlimit(o.daemon.Process.Pid, unix.RLIMIT_FSIZE, &limit, nil))
		o.talk(o.draw.IntN(10))
		o.pause(300 * time.Millisecond)
		limit.Cur = unix.RLIM_INFINITY
		o.must(unix.Prlimit(o.daemon.Process.Pid, unix.RLIMIT_FSIZE, &limit, nil))
	}},
	{"cut while an event was being handled", 6, func(o *ordeal) {
		unlock := o.locks()
		o.talk(3 + o.draw.IntN(10))
		o.pause(100 * time.Millisecond)
		o.server.Drop()
		o.pause(400 * time.Millisecond)
		unlock()
	}},
	{"cut", 6, func(o *ordeal) { o.server.Drop() }},
	{"cut later", 4, func(o *ordeal) { o.server.DropAfter(1 + o.draw.IntN(40)) }},
	{"turned out by the server", 1, func(o *ordeal) { o.server.Kick("503", "") }},
	{"outage", 2, func(o *ordeal) {
		o.server.Down()
		o.talk(o.draw.IntN(60))
		o.server.Up()
	}},
	{"delivered out of order", 3, func(o *ordeal) {
		o.server.Shuffle(rand.New(rand.NewPCG(o.draw.Uint64(), 0)), o.draw.IntN(30))
		o.server.Down()
		o.talk(20 + o.draw.IntN(40))
		o.server.Up()
	}},
	{"delivered again", 6, func(o *ordeal) {
		for range 5 {
			o.some().Again()
		}
	}},
	{"delivered again, encrypted anew", 6, func(o *ordeal) {
		for range 5 {
			o.some().Anew()
		}
	}},
	{"clock stepped", 4, func(o *ordeal) {
		o.steps(time.Duration(o.draw.Int64N(int64(4*24*time.Hour))) - 2*24*time.Hour)
	}},
	{"files refused", 2, func(o *ordeal) {
		if o.draw.IntN(2) == 0 {
			o.server.FailMedia(2)
		} else {
			o.server.CutMedia(2, o.draw.IntN(100))
		}
	}},
}

// restarts waits until the daemon has been killed, and starts it again.
func (o *ordeal) restarts() {
	o.t.Helper()
	o.waitGone()
	if o.daemon.err == nil || o.daemon.ProcessState.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		o.t.Fatalf("the daemon was not killed: %v", o.daemon.err)
	}
	o.settledIsKept()
	if o.draw.IntN(2) == 0 {
		o.talk(o.draw.IntN(40))
	}
	o.begins()
}

// locks keeps the daemon from writing to the archive until unlock is called.
func (o *ordeal) locks() (unlock func()) {
	o.t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(o.path("state"), "archive.db")+"?_pragma=busy_timeout(10000)&_txlock=immediate")
	o.must(err)
	tx, err := db.Begin()
	o.must(err)
	return func() {
		o.must(tx.Rollback())
		o.must(db.Close())
	}
}

// steps puts the daemon's clock ahead of the right time, or back.
func (o *ordeal) steps(by time.Duration) {
	o.t.Helper()
	o.must(os.WriteFile(o.path("child/clock.new"), []byte(by.String()), 0o600))
	o.must(os.Rename(o.path("child/clock.new"), o.path("child/clock")))
}

// The child's end. What is done there the released program knows nothing of.

// childControl names the directory by which a test controls the daemon that it has
// started: "clock" there says by how much its clock is wrong, and it writes "goroutines",
// how many it has, and "commits", when it committed each record.
const childControl = "MUNIMENT_TEST_CONTROL"

// The signals upon which a daemon under test kills itself, or reports a failure, at the
// next record that it captures: after the commit, before anything is acknowledged.
const (
	killAfterCommit = syscall.SIGUSR1
	failAfterCommit = syscall.SIGUSR2
)

// controlled has the daemon of the options do as the test wants, if it does.
func controlled(o *daemon.Options) {
	dir := os.Getenv(childControl)
	if dir == "" {
		return
	}
	o.Now = func() time.Time {
		b, _ := os.ReadFile(filepath.Join(dir, "clock")) // none: it is right
		by, _ := time.ParseDuration(string(b))
		return time.Now().Add(by)
	}
	s := &saboteur{Handler: o.Log.Handler()}
	s.commits, _ = os.OpenFile(filepath.Join(dir, "commits"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	o.Log = slog.New(s)
	wanted := make(chan os.Signal, 10)
	signal.Notify(wanted, killAfterCommit, failAfterCommit)
	go func() {
		for {
			select {
			case sig := <-wanted:
				s.deed.Store(int64(sig.(syscall.Signal)))
			case <-time.After(200 * time.Millisecond):
			}
			_ = os.WriteFile(filepath.Join(dir, "goroutines"), []byte(strconv.Itoa(runtime.NumGoroutine())), 0o600)
		}
	}()
}

// A saboteur is the daemon's log. That a record was received is logged between its commit
// and the handler's return.
type saboteur struct {
	slog.Handler
	deed    atomic.Int64
	commits *os.File // when records were committed; nil if it could not be opened
}

func (s *saboteur) Handle(ctx context.Context, r slog.Record) error {
	err := s.Handler.Handle(ctx, r)
	if r.Message == "record received" {
		if s.commits != nil {
			fmt.Fprintln(s.commits, time.Now().UnixNano())
		}
		switch syscall.Signal(s.deed.Swap(0)) {
		case killAfterCommit:
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		case failAfterCommit:
			panic("after the commit")
		}
	}
	return err
}
