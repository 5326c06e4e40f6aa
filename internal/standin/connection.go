package standin

import (
	"maps"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/coder/websocket"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waWa6"
	"go.mau.fi/whatsmeow/types"
)

// Grace is how long the server waits for a client that it has turned away to
// hang up first. whatsmeow may overlook the reason if the end comes with it.
const (
	graceAfterFailure = 250 * time.Millisecond
	graceAfterPairing = 5 * time.Second
)

// A connection is one client's connection, from its handshake to its end.
type connection struct {
	server *Server
	ws     *websocket.Conn
	stream net.Conn // the bytes in ws's messages
	noise  *noiseConn
	static [32]byte  // the client's static key, as proved in the handshake
	number int       // counts the connections of the server
	own    types.JID // the account that the client says it belongs to; empty until it is paired

	once sync.Once
	done chan struct{} // closed when the connection ends

	// Guarded by server.mu:
	active  bool       // the companion has said that it is active
	backlog int        // offline stanzas still to be delivered; -1 when all are
	offline int        // offline stanzas there were when it became active
	pairing *pairing   // being paired over this connection
	linked  *companion // logged in over this connection
}

func newConnection(s *Server, ws *websocket.Conn, stream net.Conn) *connection {
	return &connection{server: s, ws: ws, stream: stream, done: make(chan struct{})}
}

// close cuts the connection. The caller does not hold server.mu.
func (c *connection) close() {
	c.once.Do(func() {
		close(c.done)
		c.ws.CloseNow()
	})
}

// closeAfter cuts the connection if the client has not done so within d.
func (c *connection) closeAfter(d time.Duration) {
	c.server.running.Go(func() {
		select {
		case <-time.After(d):
			c.close()
		case <-c.done:
		}
	})
}

// send sends nodes in order. A connection that cannot be written is closed.
func (c *connection) send(nodes ...waBinary.Node) {
	for _, node := range nodes {
		if c.isHushed() {
			return
		}
		if err := c.noise.send(node); err != nil {
			c.close()
			return
		}
	}
}

// converse talks with a client until either hangs up.
func (s *Server) converse(c *connection) {
	defer c.close()
	noise, payload, static, err := s.noise.accept(c.stream)
	if err != nil {
		return
	}
	c.noise, c.static = noise, static
	if payload.GetUsername() != 0 {
		c.own = types.NewJID(strconv.FormatUint(payload.GetUsername(), 10), types.DefaultUserServer)
	}
	s.mu.Lock()
	s.connections++
	c.number = s.connections
	s.record(c, Entry{Payload: payload, Kind: payloadKind(payload)})
	s.mu.Unlock()

	begin := c.login
	if payload.GetDevicePairingData() != nil {
		begin = c.beginPairing
	}
	handle := begin(payload)
	defer c.end()
	for {
		node, err := noise.receive()
		if err != nil {
			return
		}
		s.mu.Lock()
		entry := Entry{Node: *node}
		if node.Tag == "message" {
			entry.Peer = c.readPeerMessage(node)
		}
		s.record(c, entry)
		s.answerHistory(entry.Peer)
		s.mu.Unlock()
		handle(node)
	}
}

// end forgets the connection.
func (c *connection) end() {
	s := c.server
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.pairing != nil {
		delete(s.waiting, c.pairing.ref)
	}
	if s.online == c {
		s.online = nil
		c.linked.unsend()
	}
	s.notify()
}

// fail refuses a login.
func (c *connection) fail(reason int) func(*waBinary.Node) {
	failure := waBinary.Node{Tag: "failure", Attrs: waBinary.Attrs{"reason": reason, "location": "lla"}}
	if reason == 402 { // a temporary ban
		expire := time.Hour
		c.server.mu.Lock()
		if until := c.server.banned; !until.IsZero() {
			expire = until.Sub(c.server.options.Now()) + time.Second - 1
		}
		c.server.mu.Unlock()
		maps.Copy(failure.Attrs, waBinary.Attrs{"code": 101, "expire": int(expire / time.Second)})
	}
	c.send(failure)
	c.closeAfter(graceAfterFailure)
	return func(*waBinary.Node) {}
}

// login lets a companion in, if it is the one that is linked, and returns what
// handles its nodes from then on.
func (c *connection) login(payload *waWa6.ClientPayload) func(*waBinary.Node) {
	s := c.server
	s.mu.Lock()
	p, refusal, earlier := s.companion, s.refusal, s.online
	switch {
	case refusal != 0:
	case s.banned.After(s.options.Now()):
		refusal = 402
	case payload.GetUserAgent().GetAppVersion().GetTertiary() < s.oldest:
		refusal = 405
	case !p.is(payload, c.static):
		refusal = 401
	}
	if refusal == 0 {
		c.linked, s.online, s.hushed = p, c, false
		p.unsend()
		s.notify()
	}
	s.mu.Unlock()
	if refusal != 0 {
		return c.fail(refusal)
	}
	if earlier != nil {
		earlier.expel("", "replaced")
	}
	c.send(waBinary.Node{Tag: "success", Attrs: waBinary.Attrs{
		"t": s.options.Now().Unix(), "lid": p.lid(), "props": 27, "location": "lla", "companion_enc_static": "",
	}})
	s.running.Go(c.pump)
	return c.handle
}

// expel ends the stream of a logged-in client with the reason given.
func (c *connection) expel(code, conflict string) {
	end := waBinary.Node{Tag: "stream:error", Attrs: waBinary.Attrs{"code": code}}
	if conflict != "" {
		end.Content = []waBinary.Node{{Tag: "conflict", Attrs: waBinary.Attrs{"type": conflict}}}
	}
	c.closeAfter(graceAfterFailure)
	c.server.running.Go(func() { c.send(end) }) // it may be too late, and the client gone
}

// handle deals with a node of a logged-in companion.
func (c *connection) handle(node *waBinary.Node) {
	switch node.Tag {
	case "iq":
		if kind := node.Attrs["type"]; kind == "get" || kind == "set" {
			c.send(c.answer(node))
			if isActive(node) {
				c.activate()
			}
		}
	case "receipt":
		c.server.receipt(c, node)
		ack := waBinary.Attrs{"class": "receipt", "id": node.Attrs["id"], "from": node.Attrs["to"]}
		for _, key := range []string{"type", "participant"} {
			if v, ok := node.Attrs[key]; ok {
				ack[key] = v
			}
		}
		c.send(waBinary.Node{Tag: "ack", Attrs: ack})
	case "ack":
		c.server.ack(c, node)
	case "message":
		c.send(waBinary.Node{Tag: "ack", Attrs: waBinary.Attrs{
			"class": "message", "id": node.Attrs["id"], "from": node.Attrs["to"], "t": c.server.options.Now().Unix(),
		}})
	}
}

func isActive(node *waBinary.Node) bool {
	_, ok := node.GetOptionalChildByTag("active")
	return ok && node.Attrs["xmlns"] == "passive"
}

// activate begins to deliver what is queued: first what came while the
// companion was away, between a preview and a count.
func (c *connection) activate() {
	s := c.server
	s.mu.Lock()
	if s.online != c || c.active {
		s.mu.Unlock()
		return
	}
	s.shuffle(c.linked.queue)
	var messages, notifications int
	for i, st := range c.linked.queue {
		st.offline = i + 1
		if st.node.Tag == "message" {
			messages++
		} else {
			notifications++
		}
	}
	c.offline = messages + notifications
	c.backlog = c.offline
	overstated := s.overstated
	s.mu.Unlock()
	c.send(fromServer("ib", waBinary.Node{Tag: "offline_preview", Attrs: waBinary.Attrs{
		"count": c.offline + overstated, "message": messages + overstated, "notification": notifications, "receipt": 0, "appdata": 0,
	}}))
	s.mu.Lock()
	c.active = true
	s.notify()
	s.mu.Unlock()
}

// pump delivers the queue until the connection ends.
func (c *connection) pump() {
	s := c.server
	for {
		s.mu.Lock()
		node, ok := c.next()
		changed, drop := s.changed, false
		if ok && node.Tag != "ib" && s.dropAfter > 0 {
			s.dropAfter--
			drop = s.dropAfter == 0
		}
		s.mu.Unlock()
		if ok {
			c.send(node)
			if drop {
				c.close()
			}
			continue
		}
		select {
		case <-changed:
		case <-c.done:
			return
		}
	}
}

// next returns what is to be delivered next, if anything may be now. The caller
// holds server.mu.
func (c *connection) next() (waBinary.Node, bool) {
	if !c.active || c.server.online != c {
		return waBinary.Node{}, false
	}
	if c.backlog == 0 {
		c.backlog = -1
		return fromServer("ib", waBinary.Node{Tag: "offline", Attrs: waBinary.Attrs{"count": c.offline}}), true
	}
	unsettled := 0
	for _, st := range c.linked.queue {
		if st.sent {
			if unsettled++; unsettled >= c.server.options.Window {
				break
			}
			continue
		}
		st.sent = true
		node := st.node
		if st.offline > 0 {
			node.Attrs = maps.Clone(node.Attrs)
			node.Attrs["offline"] = st.offline - 1
			c.backlog--
		}
		return node, true
	}
	return waBinary.Node{}, false
}

// fromServer wraps content in a stanza of the server's own.
func fromServer(tag string, content ...waBinary.Node) waBinary.Node {
	return waBinary.Node{Tag: tag, Attrs: waBinary.Attrs{"from": types.ServerJID}, Content: content}
}

// Drop cuts the companion's connection without a word.
func (s *Server) Drop() {
	s.mu.Lock()
	c := s.online
	s.mu.Unlock()
	if c != nil {
		c.close()
	}
}

// DropAfter cuts the companion's connection once n more messages and
// notifications have been delivered to it, whether or not it settles them.
func (s *Server) DropAfter(n int) {
	s.mu.Lock()
	s.dropAfter = n
	s.mu.Unlock()
}

// Shuffle makes the server deliver what came while the companion was away out of order,
// at every login from now on: nothing is put before what was sent more than within places
// earlier. Draw is where the order comes from. Zero ends it.
func (s *Server) Shuffle(draw *rand.Rand, within int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.draw, s.disorder = draw, within
}

// shuffle does so. The caller holds s.mu.
func (s *Server) shuffle(queue []*stanza) {
	if s.disorder == 0 {
		return
	}
	place := make(map[*stanza]int, len(queue))
	for i, st := range queue {
		place[st] = i + s.draw.IntN(s.disorder+1)
	}
	slices.SortStableFunc(queue, func(a, b *stanza) int { return place[a] - place[b] })
}

// Overstates has the server announce n more messages than it delivers, whenever the
// companion connects from now on.
func (s *Server) Overstates(n int) {
	s.mu.Lock()
	s.overstated = n
	s.mu.Unlock()
}

// Stammers sends the companion, which must be online, something that is no stanza.
func (s *Server) Stammers() {
	s.mu.Lock()
	c := s.online
	s.mu.Unlock()
	if c.noise.sendPlain([]byte{0, 248, 3}) != nil {
		c.close()
	}
}

// Refuse makes every login fail with the reason given, until [Server.Admit]:
// 401 and 403 (logged out), 402 (temporary ban), 405 (client outdated), 500 and
// 503 (unavailable). It does not touch the connection there is.
func (s *Server) Refuse(reason int) {
	s.mu.Lock()
	s.refusal = reason
	s.mu.Unlock()
}

// Ban bans the account until a time by the server's clock: logins fail with reason 402,
// and are told for how long. It does not touch the connection there is.
func (s *Server) Ban(until time.Time) {
	s.mu.Lock()
	s.banned = until
	s.mu.Unlock()
}

// OldestApp makes logins of older versions of WhatsApp's app, and their attempts to be
// linked, fail with reason 405. A version is told by its last number.
func (s *Server) OldestApp(oldest uint32) {
	s.mu.Lock()
	s.oldest = oldest
	s.mu.Unlock()
}

// NewestApp makes the page of web.whatsapp.com name the version of WhatsApp's app; 0: the
// page names none.
func (s *Server) NewestApp(version uint32) {
	s.mu.Lock()
	s.newest = version
	s.mu.Unlock()
}

// Hush makes the server keep the companion's connection and say nothing on it any more:
// neither answers nor anything else. The next login is answered again.
func (s *Server) Hush() {
	s.mu.Lock()
	s.hushed = true
	s.mu.Unlock()
}

// isHushed reports whether nothing is to be said on the connection.
func (c *connection) isHushed() bool {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	return c.server.hushed && c.server.online == c
}

// Admit ends [Server.Refuse].
func (s *Server) Admit() { s.Refuse(0) }

// Kick ends the companion's stream with a stream:error of the given code, such
// as "503", and conflict type, such as "replaced"; either may be empty.
func (s *Server) Kick(code, conflict string) {
	s.mu.Lock()
	c := s.online
	s.mu.Unlock()
	if c != nil {
		c.expel(code, conflict)
	}
}
