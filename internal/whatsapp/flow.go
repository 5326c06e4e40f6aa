package whatsapp

import (
	"context"
	"fmt"
	"hash/maphash"
	"strconv"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
)

const (
	// enough stanzas may wait for whatsmeow's handlers; the next one waits to be read, and
	// TCP keeps those behind it with WhatsApp. Beyond 2,048 whatsmeow loses their order.
	enough = 500
	// batch is how many are then handled before reading goes on: to wake up for each one
	// costs more than all else here.
	batch = 100
	// tooMany is the same while whatsmeow waits for an answer, which comes behind them.
	tooMany = 1900
	// With a handler that does not move, nothing is kept waiting for longer: not if an
	// answer is waited for, perhaps by whatsmeow in that handler;
	brief = time.Second
	// nor otherwise. A disk that is slow to take what a hook of ours writes is no reason to
	// lose the order.
	patient = 5 * time.Second
	// forgotten is when an answer is not waited for any more (whatsmeow: 75 seconds).
	forgotten = 2 * time.Minute
)

// A flow is how much there is on its way; guarded by the wire's lock.
type flow struct {
	queued   int                  // arrived over this connection, not handled yet
	moved    time.Time            // when that last became less
	stalled  bool                 // it did not for too long: nothing is held up until it does
	room     chan struct{}        // it became less
	asked    map[string]time.Time // questions whose answers are awaited, by ID
	requests map[string]bool      // messages to our own phone that the server has to confirm, by ID

	seed    maphash.Seed
	preview *preview // of this connection; nil: none came yet
}

// A preview is what WhatsApp announced when we connected, and what came of it.
type preview struct {
	messages, all int             // announced
	came          int             // stanzas of the offline queue
	seen          map[uint64]bool // distinct messages among them, by a hash of their labels
	last          time.Time       // when the last one came
}

func newFlow() flow {
	return flow{
		room: make(chan struct{}, 1), asked: make(map[string]time.Time), requests: make(map[string]bool), seed: maphash.MakeSeed(),
	}
}

// anew begins with another connection.
func (f *flow) anew() {
	f.queued, f.stalled, f.preview = 0, false, nil
	clear(f.requests)
	ask(f.room)
}

// settled notes that a stanza is done with; d may be nil.
func (w *wire) settled(d *delivery) {
	if d == nil || !d.queued || d.connection != w.connection {
		return
	}
	d.queued = false
	w.queued--
	w.moved, w.stalled = time.Now(), false
	if w.queued%batch == 0 {
		ask(w.room)
	}
}

// asks notes a question whose answer whatsmeow awaits. Not the ping: nothing waits for its
// answer but a clock, for three minutes.
func (w *wire) asks(n *waBinary.Node) {
	id, _ := n.Attrs["id"].(string)
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case n.Tag == "message":
		w.requests[id] = true
	case n.Attrs["xmlns"] != "w:p" && (n.Attrs["type"] == "get" || n.Attrs["type"] == "set"):
		w.asked[id] = time.Now()
	}
}

// answered notes an answer.
func (w *wire) answered(n *waBinary.Node) {
	id, _ := n.Attrs["id"].(string)
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.requests, id)
	delete(w.asked, id)
}

// makeRoom holds up the goroutine that reads while too much of what arrived over the same
// connection is not handled.
func (w *wire) makeRoom(connection int) {
	began := time.Now()
	for less := 0; ; less = batch {
		wait, confirm := w.wait(connection, began, less)
		for _, id := range confirm {
			w.confirm(id)
		}
		if wait <= 0 {
			return
		}
		timer := time.NewTimer(wait)
		select {
		case <-w.room:
		case <-timer.C:
		case <-w.l.stopped:
		}
		timer.Stop()
	}
}

// wait returns how long to wait for room, and for less than would be enough; and which of
// our messages to confirm.
func (w *wire) wait(connection int, began time.Time, less int) (wait time.Duration, confirm []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.queued <= enough-less || w.stalled || w.connection != connection || w.l.stopping.Load() {
		return 0, nil
	}
	for id := range w.requests {
		confirm = append(confirm, id)
	}
	clear(w.requests)
	limit, most := enough, patient
	for id, since := range w.asked {
		if time.Since(since) > forgotten {
			delete(w.asked, id)
		}
	}
	if len(w.asked) > 0 {
		limit = tooMany
		if w.l.busy.Load() == 0 { // no hook of ours, none of which waits for an answer
			most = brief
		}
	}
	if w.queued <= limit-less {
		return 0, confirm
	}
	since := began
	if w.moved.After(since) {
		since = w.moved
	}
	wait = most - time.Since(since)
	w.stalled = wait <= 0
	return min(wait, brief), confirm
}

// confirm tells whatsmeow that the server has taken a message to our own phone. It asks the
// phone for what it could not decrypt, and waits for that, with all else standing still;
// and the server's word comes behind all those that are held up here. All that is lost is
// that the server may have refused, and then the phone does not answer.
func (w *wire) confirm(id string) {
	whole := w.l.client.DangerousInternals() //lint:ignore SA1019 it means: dangerous
	whole.ReceiveResponse(w.l.base, &waBinary.Node{Tag: "ack", Attrs: waBinary.Attrs{
		"class": "message", "id": id, "t": strconv.FormatInt(time.Now().Unix(), 10),
	}})
}

// count counts what comes of the offline queue. The caller holds the lock.
func (w *wire) count(a label, n *waBinary.Node) {
	if _, offline := n.Attrs["offline"]; !offline || w.preview == nil {
		return
	}
	w.preview.came++
	w.preview.last = time.Now()
	if n.Tag == "message" {
		w.preview.seen[maphash.Comparable(w.seed, a)] = true
	}
}

// announced takes in what WhatsApp says of the offline queue: what there is, before it, and
// that it was all, after it.
func (w *wire) announced(n *waBinary.Node) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if child, is := n.GetOptionalChildByTag("offline_preview"); is {
		ag := child.AttrGetter()
		w.preview = &preview{messages: ag.OptionalInt("message"), all: ag.OptionalInt("count"), seen: make(map[uint64]bool)}
	}
	if _, is := n.GetOptionalChildByTag("offline"); is && w.preview != nil {
		p := w.preview
		p.last = time.Now()
		time.AfterFunc(w.l.session.lull, func() { w.compare(p) })
	}
}

// short reports whether less came than was announced. That it was messages which did not
// come shows only if all that came is less as well: what WhatsApp counts as a message is not
// known for certain, and a message that came twice is counted once.
func (p *preview) short() bool { return len(p.seen) < p.messages && p.came < p.all }

// compare compares what was announced with what came, once nothing has come for a while. A
// connection that broke meanwhile compares nothing: the next one does.
func (w *wire) compare(p *preview) {
	defer w.guard()
	w.mu.Lock()
	if w.preview != p || w.l.stopping.Load() {
		w.mu.Unlock()
		return
	}
	if rest := w.l.session.lull - time.Since(p.last); rest > 0 {
		w.mu.Unlock()
		time.AfterFunc(rest, func() { w.compare(p) })
		return
	}
	w.preview = nil
	w.mu.Unlock()
	w.l.log.Info("offline queue delivered", "messages", len(p.seen), "announced", p.messages, "stanzas", p.came, "stanzas announced", p.all)
	if !p.short() {
		return
	}
	w.lose(fmt.Sprintf("WhatsApp announced %s and delivered %d. It does not say of which chat they were.", messages(p.messages), len(p.seen)))
}

// lose commits that something is lost, as often as it takes.
func (w *wire) lose(cause string) {
	err := w.l.inTurn(func(ctx context.Context) error { return w.l.hooks.Lost(ctx, cause) })
	if err != nil && !w.l.stopping.Load() {
		w.l.log.Error("what WhatsApp did not deliver is not recorded; it will be tried again", "err", err)
		time.AfterFunc(w.l.session.askAgain, func() { w.lose(cause) })
	}
}

func messages(n int) string {
	if n == 1 {
		return "1 message"
	}
	return fmt.Sprintf("%d messages", n)
}
