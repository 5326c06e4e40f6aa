package standin

import (
	"encoding/binary"
	"slices"
	"time"

	"go.mau.fi/libsignal/ecc"
	"go.mau.fi/libsignal/keys/identity"
	"go.mau.fi/libsignal/keys/prekey"
	"go.mau.fi/libsignal/util/optional"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waWa6"
	"go.mau.fi/whatsmeow/types"
)

// firstCompanionDevice is the device number of the first companion. It leaves
// room below for the members' other devices.
const firstCompanionDevice = 10

// A companion is the linked device under test, as the server knows it.
type companion struct {
	account      *Member
	device       uint16
	static       [32]byte // its Noise key
	identity     [32]byte
	registration uint32
	signed       publicPreKey
	oneTime      []publicPreKey // uploaded and not yet given to a phone
	queue        []*stanza      // not settled, in the order of sending
}

// A publicPreKey is the public half of a Signal prekey.
type publicPreKey struct {
	id        uint32
	public    [32]byte
	signature []byte // of a signed prekey
}

// A stanza is a message or notification that the companion must settle.
type stanza struct {
	node    waBinary.Node
	sent    bool // over the present connection
	offline int  // its place among what came while the companion was away, from 1
}

// A Settlement says how the companion settled a message or notification.
type Settlement struct {
	Tag    string    // "message" or "notification"
	ID     string    // not unique: IDs are chosen by senders
	Chat   types.JID // group or user
	Sender types.JID // of a group's message or notification, with the device
	Time   time.Time
	By     string // "receipt inactive", "receipt sender", "ack", "ack 491", …
}

func (p *companion) jid() types.JID { return onDevice(p.account.jid, p.device) }
func (p *companion) lid() types.JID { return onDevice(p.account.lid, p.device) }

// is reports whether it is the companion that logs in.
func (p *companion) is(payload *waWa6.ClientPayload, static [32]byte) bool {
	return p != nil && payload.GetUsername() == p.account.jid.UserInt() &&
		payload.GetDevice() == uint32(p.device) && static == p.static
}

// unsend has everything that is not settled delivered again.
func (p *companion) unsend() {
	for _, st := range p.queue {
		st.sent = false
	}
}

// bundle takes what a phone needs for a new session with the companion.
func (p *companion) bundle() *prekey.Bundle {
	var oneTime *publicPreKey
	if len(p.oneTime) > 0 {
		oneTime, p.oneTime = &p.oneTime[0], p.oneTime[1:]
	}
	return newBundle(p.registration, p.device, p.identity, p.signed, oneTime)
}

func newBundle(registration uint32, device uint16, id [32]byte, signed publicPreKey, oneTime *publicPreKey) *prekey.Bundle {
	var public ecc.ECPublicKeyable
	number := optional.NewEmptyUint32()
	if oneTime != nil {
		number, public = optional.NewOptionalUint32(oneTime.id), ecc.NewDjbECPublicKey(oneTime.public)
	}
	return prekey.NewBundle(registration, uint32(device), number, signed.id, public,
		ecc.NewDjbECPublicKey(signed.public), [64]byte(signed.signature), identity.NewKey(ecc.NewDjbECPublicKey(id)))
}

// keepPreKeys takes an upload of prekeys.
func (p *companion) keepPreKeys(upload *waBinary.Node) bool {
	signed, ok := readPreKey(upload.GetChildByTag("skey"))
	if !ok || len(signed.signature) != 64 {
		return false
	}
	p.signed = signed
	list := upload.GetChildByTag("list")
	for _, node := range list.GetChildren() {
		key, ok := readPreKey(node)
		if !ok {
			return false
		}
		p.oneTime = append(p.oneTime, key)
	}
	return true
}

func readPreKey(node waBinary.Node) (key publicPreKey, ok bool) {
	id, _ := node.GetChildByTag("id").Content.([]byte)
	public, _ := node.GetChildByTag("value").Content.([]byte)
	key.signature, _ = node.GetChildByTag("signature").Content.([]byte)
	if len(id) != 3 || len(public) != 32 {
		return key, false
	}
	key.id = binary.BigEndian.Uint32([]byte{0, id[0], id[1], id[2]})
	key.public = [32]byte(public)
	return key, true
}

// enqueue puts a stanza at the end of what the companion has to settle. The
// caller holds s.mu and has made sure that there is a companion.
func (s *Server) enqueue(node waBinary.Node) {
	s.companion.queue = append(s.companion.queue, &stanza{node: node})
	s.notify()
}

// receipt takes a receipt of the companion's. Retry requests go to the phone
// that sent the message; what says "received" settles it.
func (s *Server) receipt(c *connection, node *waBinary.Node) {
	s.mu.Lock()
	defer s.mu.Unlock()
	kind, _ := node.Attrs["type"].(string)
	switch kind {
	case "retry":
		s.retry(c, node)
	case "server-error":
		s.resupply(c, node)
	case "", "inactive", "sender", "peer_msg":
		by := "receipt"
		if kind != "" {
			by += " " + kind
		}
		s.settle(c, node, "message", by)
	}
}

// ack takes an acknowledgement of the companion's.
func (s *Server) ack(c *connection, node *waBinary.Node) {
	s.mu.Lock()
	defer s.mu.Unlock()
	class, _ := node.Attrs["class"].(string)
	by := "ack"
	if code, ok := node.Attrs["error"].(string); ok {
		by += " " + code
	}
	s.settle(c, node, class, by)
}

// settle strikes the oldest stanza that node answers off the queue.
func (s *Server) settle(c *connection, node *waBinary.Node, tag, by string) {
	if c.linked == nil {
		return
	}
	chat, _ := node.Attrs["to"].(types.JID)
	sender, _ := node.Attrs["participant"].(types.JID)
	i := slices.IndexFunc(c.linked.queue, func(st *stanza) bool {
		participant, _ := st.node.Attrs["participant"].(types.JID)
		return st.node.Tag == tag && st.node.Attrs["id"] == node.Attrs["id"] &&
			st.node.Attrs["from"] == chat && participant == sender
	})
	if i < 0 {
		return
	}
	if o, st := s.online, c.linked.queue[i]; o != nil && o.backlog > 0 && st.offline > 0 && !st.sent {
		o.backlog-- // settled before it was delivered again
	}
	c.linked.queue = slices.Delete(c.linked.queue, i, i+1)
	id, _ := node.Attrs["id"].(string)
	s.settled = append(s.settled, Settlement{tag, id, chat, sender, s.options.Now(), by})
	s.notify()
}

// Settled lists what the companion has settled, in the order in which it did.
func (s *Server) Settled() []Settlement {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.settled)
}

// Unsettled is how many messages and notifications the companion has still to
// settle, delivered or not.
func (s *Server) Unsettled() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.companion == nil {
		return 0
	}
	return len(s.companion.queue)
}
