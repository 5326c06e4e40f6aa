package whatsapp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"go.mau.fi/whatsmeow"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"muniment/internal/content"
)

// A wire watches what passes between whatsmeow and WhatsApp. whatsmeow logs each stanza,
// as a value: what has arrived, before it is queued, on the goroutine that reads; and what
// is to leave, after it has chosen the connection and before it writes (client.go,
// handleFrame and sendNodeAndGetData). [whatsmeowLog] passes them on to here, and whatever
// is done here is done before whatsmeow goes on.
//
// So nothing of a listed group is settled before it is accounted for: what whatsmeow cannot
// decrypt or take apart, it acknowledges before it tells of it, or without ever telling, and
// WhatsApp does not deliver it again. What is left then of the message is committed first;
// if that fails, the stanza is kept from leaving.
//
// No stanza is ever formatted: that would cost more than all else here, and log content.
type wire struct {
	l      *listener
	groups map[types.JID]bool // the listed ones

	mu sync.Mutex
	// connection counts what was dialled. What is to leave over an earlier one cannot any
	// more: whatsmeow dials when the one before is closed.
	connection int
	logins     int // seen
	login      int // connection at the last but one: what came before is forgotten
	deliveries map[label]*delivery
	peers      map[string]*peer // messages of our own phone to this device, by ID
	past       map[label]int    // connection of what was accounted for here and settled
	refused    map[string]bool  // by tag: a handler failed to which whatsmeow does not listen
	unasked    map[string]bool  // messages, by ID: the request for another copy did not leave
	garbled    []time.Time      // when a frame could not be taken apart, of late
	nameless   time.Time        // when it was last told that a stanza had no name

	flow
}

// A label is what a stanza and its acknowledgement have in common.
type label struct {
	tag, id  string
	from, by types.JID // the chat, and who of a group
}

// A delivery is a stanza that has arrived and is not settled yet.
type delivery struct {
	connection int
	queued     bool // it counts among those that whatsmeow has not handled

	// Of a message of a listed group:
	attrs     waBinary.Attrs
	parts     int  // ciphertexts of which whatsmeow has not told yet what they are
	odd       bool // one is of a version of which it may never tell, and take it for handled
	withheld  bool // WhatsApp says that the content is not available,
	once      bool // because it is to be viewed once
	hidden    bool // phones do not show that it could not be decrypted
	spent     bool // it was encrypted under a key that was used before
	accounted bool

	// Of a notice of a listed group: changes of its picture that whatsmeow does not tell of.
	pictures []*events.Picture
}

// A peer is a message of our own phone to this device that is not settled yet. whatsmeow
// says that it has arrived before it hands it over.
type peer struct {
	begun, over chan struct{} // closed
	ok          bool          // once it is over
}

func newWire(l *listener, groups []string) *wire {
	w := &wire{
		l: l, groups: make(map[types.JID]bool), deliveries: make(map[label]*delivery), peers: make(map[string]*peer),
		past: make(map[label]int), refused: make(map[string]bool), unasked: make(map[string]bool), flow: newFlow(),
	}
	for _, g := range groups {
		if jid, err := types.ParseJID(g); err == nil { // Open has seen to it
			w.groups[jid] = true
		}
	}
	return w
}

// labelOf makes the label of a stanza; from is the attribute that names the chat.
func labelOf(n *waBinary.Node, tag, from string) label {
	if tag == "appdata" { // settled as a message is
		tag = "message"
	}
	a := label{tag: tag}
	a.id, _ = n.Attrs["id"].(string)
	a.from, _ = n.Attrs[from].(types.JID)
	a.by, _ = n.Attrs["participant"].(types.JID)
	return a
}

// guard is deferred where whatsmeow would not survive a panic of ours.
func (w *wire) guard() {
	if v := recover(); v != nil {
		w.l.log.Error("watching the connection panicked", "type", fmt.Sprintf("%T", v), "stack", string(debug.Stack()))
	}
}

// dialled notes that another connection is made; the one before is closed.
func (w *wire) dialled() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.connection++
	w.flow.anew()
}

// arrived takes in a stanza before whatsmeow does.
func (w *wire) arrived(n *waBinary.Node) {
	defer w.guard()
	w.l.link.hear(n.Tag == "iq" || n.Tag == "ack")
	switch n.Tag {
	case "success":
		w.begin()
	case "iq", "ack":
		w.answered(n)
	case "ib":
		w.announced(n)
	case "message", "appdata", "status", "notification", "receipt", "call":
		w.makeRoom(w.deliver(n))
	}
}

// begin notes a login. What was delivered over the connection before may still be on
// whatsmeow's hands; what came earlier has been delivered again, or will be.
func (w *wire) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.logins++
	for a, d := range w.deliveries {
		if d.connection < w.login {
			delete(w.deliveries, a)
		}
	}
	for a, connection := range w.past {
		if connection < w.login {
			delete(w.past, a)
		}
	}
	clear(w.refused)
	w.login = w.connection
}

// deliver notes a stanza that has to be settled, and returns of which connection it is.
func (w *wire) deliver(n *waBinary.Node) (connection int) {
	a := labelOf(n, n.Tag, "from")
	w.mu.Lock()
	defer w.mu.Unlock()
	d := w.deliveries[a]
	if d == nil {
		d = &delivery{}
		_, d.accounted = w.past[a]
		w.deliveries[a] = d
	}
	if !d.queued || d.connection != w.connection {
		d.queued = true
		w.queued++
	}
	d.connection = w.connection
	switch {
	case w.groups[a.from] && (a.tag == "message" || a.tag == "status"):
		d.note(n)
	case w.groups[a.from] && a.tag == "notification" && n.Attrs["type"] == "picture":
		d.pictures = dropped(n, a.from)
	case a.tag == "message" && n.Attrs["category"] == "peer":
		w.peers[a.id] = &peer{begun: make(chan struct{}), over: make(chan struct{})}
	}
	w.count(a, n)
	return w.connection
}

// note keeps of a message what may have to be said of it.
func (d *delivery) note(n *waBinary.Node) {
	d.attrs, d.parts = n.Attrs, 0
	for _, child := range n.GetChildren() {
		switch child.Tag {
		case "enc":
			d.parts++
			d.odd = d.odd || child.AttrGetter().OptionalInt("v") != 2
			d.hidden = d.hidden || child.Attrs["decrypt-fail"] == string(events.DecryptFailHide)
		case "unavailable":
			d.withheld, d.once = true, child.Attrs["type"] == string(events.UnavailableTypeViewOnce)
		}
	}
}

// dropped returns the changes of a group's picture in a notice of which whatsmeow does not
// tell, since something is missing that it expects (notification.go,
// handlePictureNotification): WhatsApp has been seen to leave out a new picture's ID.
func dropped(n *waBinary.Node, group types.JID) (all []*events.Picture) {
	at := n.AttrGetter()
	for _, child := range n.GetChildren() {
		of := child.AttrGetter()
		_, hasJID := child.Attrs["jid"].(types.JID)
		_, hasID := child.Attrs["id"].(string)
		remove := child.Tag == "delete"
		if (remove || child.Tag == "add" || child.Tag == "set") && (!hasJID || !remove && !hasID) {
			all = append(all, &events.Picture{
				JID: group, Author: of.OptionalJIDOrEmpty("author"), Timestamp: at.OptionalUnixTime("t"),
				Remove: remove, PictureID: cmp.Or(of.OptionalString("id"), of.OptionalString("hash"), "unknown"),
			})
		}
	}
	return all
}

// capture captures the changes of a group's picture of which whatsmeow does not tell.
func (w *wire) capture(pictures []*events.Picture) (ok bool) {
	defer w.guard()
	err := w.l.inTurn(func(ctx context.Context) error {
		for _, p := range pictures {
			r, is := w.l.t.picture(p)
			if err := w.l.hand(ctx, r, is); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		w.l.log.Error("change of a group's picture not captured, not acknowledged", "err", err)
	}
	return err == nil
}

// leaving sees to what must be so before a stanza leaves. If it cannot be, the connection
// is gone over which it would.
func (w *wire) leaving(n *waBinary.Node) {
	defer w.guard()
	w.mu.Lock()
	connection := w.connection // or, if that one is closed already, an earlier one
	w.mu.Unlock()
	switch n.Tag {
	case "iq", "message":
		w.asks(n)
	case "ack":
		class, _ := n.Attrs["class"].(string)
		w.settling(connection, n, labelOf(n, class, "to"))
	case "receipt":
		a := labelOf(n, "message", "to")
		switch n.Attrs["type"] {
		case string(types.ReceiptTypePeerMsg):
			if !w.handled(a.id) {
				w.veto(connection)
				return
			}
			fallthrough
		case nil, string(types.ReceiptTypeInactive), string(types.ReceiptTypeSender), string(types.ReceiptTypeRetry):
			w.settling(connection, n, a)
		}
	}
}

// settling accounts for what n settles, or, if it asks for another copy, will be settled
// next: as far as the handler has not.
func (w *wire) settling(connection int, n *waBinary.Node, a label) {
	retry := n.Attrs["type"] == string(types.ReceiptTypeRetry)
	ack := n.Tag == "ack"
	message := a.tag == "message" || a.tag == "status"
	w.mu.Lock()
	d := w.deliveries[a]
	refused := ack && w.refused[a.tag]
	delete(w.refused, a.tag)
	if message { // the sender has to be asked first
		refused = refused || ack && w.unasked[a.id]
		delete(w.unasked, a.id)
	}
	owing := false
	if w.groups[a.from] && message {
		if _, past := w.past[a]; d == nil && (ack || retry) && !past { // it came twice, perhaps
			d = &delivery{attrs: waBinary.Attrs{"from": a.from, "id": a.id, "participant": a.by}}
		}
		owing = d != nil && !d.accounted && (ack || retry || d.parts > 0 || d.odd)
	} else if ack && message && a.from.IsEmpty() {
		d, owing = &delivery{}, true // of which chat it is, nobody can tell
	}
	w.mu.Unlock()
	if refused || owing && !w.account(a, d, why(n, d)) || ack && d != nil && len(d.pictures) > 0 && !w.capture(d.pictures) {
		w.veto(connection)
		return
	}
	if retry {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if ack && d != nil && d.accounted { // an event may follow that says it could not be read
		w.past[a] = connection
	}
	w.settled(w.deliveries[a])
	delete(w.deliveries, a)
	if ack && a.tag == "message" {
		delete(w.peers, a.id)
	}
}

// notAsked notes that the request for another copy of a message did not leave, because the
// connection broke. whatsmeow acknowledges the message all the same, and by then there may
// be another connection.
func (w *wire) notAsked(args []any) {
	if len(args) == 0 {
		return
	}
	if id, is := args[0].(string); is {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.unasked[id] = true
	}
}

// why says in plain words why a message is settled that is not here.
func why(n *waBinary.Node, d *delivery) string {
	code, refuses := n.Attrs["error"]
	switch {
	case d.withheld && d.parts == 0:
		return "WhatsApp delivered it without its content"
	case refuses && code != whatsmeow.NackMissingMessageSecret:
		return "it could not be taken apart"
	case n.Tag == "receipt" && n.Attrs["type"] != string(types.ReceiptTypeRetry) && !d.spent:
		return "it is encrypted in a way that this version does not know"
	case d.hidden:
		return "it could not be decrypted (a reaction, a vote, an edit or the like)"
	}
	return "it could not be decrypted"
}

// account commits that there is a message, and what is known of it, and reports whether
// that is on disk.
func (w *wire) account(a label, d *delivery, cause string) (ok bool) {
	defer w.guard()
	l := w.l
	if !l.begin() {
		return false
	}
	defer l.end()
	if w.accounted(d) {
		return true
	}
	ctx, cancel := context.WithTimeout(l.base, captureTimeout)
	defer cancel()
	var err error
	switch e := l.t.envelope(w.info(d)); {
	case a.id == "" || a.from.IsEmpty(): // it has no name: of a group, or none at all
		err = w.tellNameless(ctx)
	case d.once && d.parts == 0:
		l.hooks.Received()
		err = l.hooks.Capture(ctx, content.NotDelivered(e))
	default:
		l.hooks.Received()
		err = l.hooks.Missing(ctx, missed(e, cause))
	}
	if err != nil {
		l.log.Error("message that cannot be read not recorded, not acknowledged", "err", err)
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	d.accounted = true
	return true
}

// tellNameless commits that something has arrived that bears no ID, or names no chat; once
// a day, since WhatsApp cannot be told which one it was, and may deliver it again.
func (w *wire) tellNameless(ctx context.Context) error {
	if !w.nameless.IsZero() && time.Since(w.nameless) < 24*time.Hour { // with the listener's turn
		return nil
	}
	err := w.l.hooks.Lost(ctx, unnamed)
	if err == nil {
		w.nameless = time.Now()
	}
	return err
}

func (w *wire) accounted(d *delivery) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return d.accounted
}

// info reads a message's stanza as whatsmeow would (message.go, parseMessageInfo), as far
// as anything is there.
func (w *wire) info(d *delivery) types.MessageInfo {
	n := waBinary.Node{Attrs: d.attrs}
	ag := n.AttrGetter()
	var info types.MessageInfo
	info.Chat, info.Sender = ag.OptionalJIDOrEmpty("from"), ag.OptionalJIDOrEmpty("participant")
	info.SenderAlt = ag.OptionalJIDOrEmpty("participant_lid")
	if types.AddressingMode(ag.OptionalString("addressing_mode")) == types.AddressingModeLID {
		info.SenderAlt = ag.OptionalJIDOrEmpty("participant_pn")
	}
	info.ID, info.PushName = ag.OptionalString("id"), ag.OptionalString("notify")
	info.Timestamp = ag.OptionalUnixTime("t")
	info.IsFromMe = w.l.t.own[info.Sender.ToNonAD().String()]
	return info
}

// veto keeps what is about to leave over a connection from leaving. It asks for a reconnect,
// which brings all that is not settled again, and waits until that has come, or until Run
// has cut the connection.
func (w *wire) veto(connection int) {
	ask(w.l.again)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for patience := time.After(2 * time.Minute); ; {
		select {
		case <-w.l.stopped:
			return
		case <-patience:
			w.l.client.ResetConnection()
			return
		case <-tick.C:
			w.mu.Lock()
			gone := w.connection != connection
			w.mu.Unlock()
			if gone {
				return
			}
		}
	}
}

// What the handler tells the wire:

// took notes that a part of a message was handled: its content, or keys only.
func (w *wire) took(info types.MessageInfo, content bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if d := w.deliveries[labelOfInfo(info)]; d != nil {
		d.parts--
		d.accounted = d.accounted || content
	}
}

// knows reports whether a message is accounted for, so that an event that says it could
// not be read says nothing new.
func (w *wire) knows(info types.MessageInfo) bool {
	a := labelOfInfo(info)
	w.mu.Lock()
	defer w.mu.Unlock()
	_, past := w.past[a]
	d := w.deliveries[a]
	return past || d != nil && d.accounted
}

func labelOfInfo(info types.MessageInfo) label {
	return label{tag: "message", id: info.ID, from: info.Chat, by: info.Sender}
}

// skips notes that whatsmeow skips a ciphertext: it was handled before; or, if spent, its
// key was used before, by whatever it was. Args are those of its log line.
func (w *wire) skips(args []any, spent bool) {
	if len(args) == 0 {
		return
	}
	id, _ := args[0].(string)
	w.mu.Lock()
	defer w.mu.Unlock()
	if p := w.peers[id]; p != nil && !spent {
		p.end(true)
	}
	for a, d := range w.deliveries {
		switch {
		case a.id != id || !w.groups[a.from]:
		case spent:
			d.spent = true
		default:
			d.parts--
		}
	}
}

// fails notes that the handler did not deal with an event. Of some, whatsmeow
// acknowledges the stanza all the same.
func (w *wire) fails(evt any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch evt := evt.(type) {
	case *events.Message:
		if evt.SourceWebMsg == nil {
			w.settled(w.deliveries[labelOfInfo(evt.Info)])
			return
		}
		// Our phone has sent it again within another message, which whatsmeow takes to be
		// done with. That must come again, too.
		w.l.session.seal.keepNext()
		for _, p := range w.peers {
			p.end(false)
		}
	case *events.Picture, *events.MediaRetry:
		w.refused["notification"] = true
	case *events.CallOffer, *events.CallOfferNotice, *events.CallTerminate, *events.UnknownCallEvent:
		w.refused["call"] = true
	}
}

// handling notes that the handler begins with a message of our own phone's to this device;
// it returns what to call in the end.
func (w *wire) handling(evt any) (done func(ok bool)) {
	m, is := evt.(*events.Message)
	if !is || m.Info.Category != "peer" {
		return func(bool) {}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.peers[m.Info.ID]
	if p == nil {
		return func(bool) {}
	}
	p.begin()
	return func(ok bool) {
		w.mu.Lock()
		defer w.mu.Unlock()
		p.end(ok)
	}
}

func (p *peer) begin() {
	select {
	case <-p.begun:
	default:
		close(p.begun)
	}
}

func (p *peer) end(ok bool) {
	select {
	case <-p.over:
	default:
		p.begin()
		p.ok = ok
		close(p.over)
	}
}

// beginsSoon is how long the handler may take to begin with a message of which whatsmeow
// says already that it has arrived; one that it does not hand over at all is let go then.
const beginsSoon = 10 * time.Second

// handled waits until a message of our own phone's to this device has been handled, and
// reports whether it may be settled.
func (w *wire) handled(id string) bool {
	w.mu.Lock()
	p := w.peers[id]
	w.mu.Unlock()
	if p == nil {
		return true
	}
	select {
	case <-p.begun:
	case <-w.l.stopped: // the connection is cut
		return true
	case <-time.After(beginsSoon):
		w.l.log.Warn("a message of the council's phone to this device was not handed over")
		return true
	}
	select {
	case <-p.over:
	case <-w.l.stopped:
		return true
	case <-time.After(2 * captureTimeout): // it waits for its turn, and takes it
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if p.ok && w.peers[id] == p {
		delete(w.peers, id)
	}
	return p.ok
}

const unnamed = "Something arrived that could not be taken apart."

// noticeDropped sees to what a notice of a change of a group has said that is not here: of
// what was lost of a group's changes, its list tells.
func (w *wire) noticeDropped() { w.l.lists.want(listPause, true, w.l.session.options.Groups...) }

// sees reports whether stanzas come by at all.
func (w *wire) sees() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.logins > 0
}

// frameLost commits that something has arrived of which not even the stanza can be read,
// and has it delivered again, in case it is better then: three times in an hour, no more.
func (w *wire) frameLost() {
	defer w.guard()
	w.mu.Lock()
	now := time.Now()
	for len(w.garbled) > 0 && now.Sub(w.garbled[0]) > time.Hour {
		w.garbled = w.garbled[1:]
	}
	often := len(w.garbled) >= 3
	if !often {
		w.garbled = append(w.garbled, now)
	}
	w.mu.Unlock()
	if often {
		return
	}
	if err := w.l.inTurn(func(ctx context.Context) error { return w.l.hooks.Lost(ctx, unnamed) }); err != nil && !errors.Is(err, ErrNotConnected) {
		w.l.log.Error("that something arrived which cannot be taken apart is not recorded", "err", err)
	}
	ask(w.l.again)
}
