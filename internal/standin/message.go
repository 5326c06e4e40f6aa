package standin

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"strings"
	"time"

	"go.mau.fi/libsignal/keys/prekey"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"
)

// A Message is something that a member has sent: a text, a reaction, an edit or
// whatever else. What it says never changes.
type Message struct {
	voice   Voice
	id      string
	group   *Group  // nil if direct
	to      *Member // of a direct message
	peer    bool    // from the account's own phone to the companion itself
	time    time.Time
	content *waE2E.Message
	opened  proto.Message // what it has sealed under the secret of another, if phones keep that
	order   int           // of sending

	// Guarded by Server.mu:
	stanza  *waBinary.Node // as delivered first; nil if the companion got none
	retries int            // the count of the last request to resend it
	bundle  *prekey.Bundle // the companion's keys, if that request brought any
	options []string       // added to it, if it is a poll
}

// ID is the message's ID, chosen by the sender's phone.
func (m *Message) ID() string { return m.id }

// Text is the text that a person would read; empty if there is none.
func (m *Message) Text() string {
	if words := wordsOf(inner(m.content)); words != nil && *words != nil {
		return **words
	}
	return ""
}

// Sender is who sent the message.
func (m *Message) Sender() *Member { return m.voice.member }

// Group is where the message was sent; nil if it was sent to one person.
func (m *Message) Group() *Group { return m.group }

// Time is when the server took the message; clients see whole seconds of it.
func (m *Message) Time() time.Time { return m.time }

// Once reports whether the message is to be viewed once, so that no companion gets it.
func (m *Message) Once() bool { return m.voice.once }

// Content returns a copy of what the message says.
func (m *Message) Content() *waE2E.Message { return proto.Clone(m.content).(*waE2E.Message) }

// Key returns the key by which by refers to the message, as in a reaction.
func (m *Message) Key(by *Member) *waCommon.MessageKey {
	defer m.voice.lock().Unlock()
	return m.key(by.Voice)
}

func (m *Message) server() *Server { return m.voice.member.server }

func (m *Message) key(by Voice) *waCommon.MessageKey {
	sender := m.voice.member
	key := &waCommon.MessageKey{ID: proto.String(m.id), FromMe: proto.Bool(sender == by.member)}
	if m.group == nil {
		key.RemoteJID = proto.String(m.other(by.member).lid.String())
		return key
	}
	key.RemoteJID = proto.String(m.group.jid.String())
	if sender != by.member {
		key.Participant = proto.String(by.names(sender, m.group).String())
	}
	return key
}

// other is whom a direct message is with, as one of the two sees it.
func (m *Message) other(one *Member) *Member {
	if m.to == one {
		return m.voice.member
	}
	return m.to
}

// dispatch sends a message for the first time.
func (m *Message) dispatch() *Message {
	sent := m.server().messages
	m.server().said++
	m.order = m.server().said
	sent[m.id] = append(sent[m.id], m)
	m.deliver()
	return m
}

// deliver encrypts the message and puts it in the companion's queue, if it is
// meant for the companion too. The caller holds Server.mu.
func (m *Message) deliver() {
	s, p, v := m.server(), m.server().companion, m.voice
	if !m.reaches(p) {
		return
	}
	node := m.envelope()
	switch {
	case v.once:
		node.Content = []waBinary.Node{{Tag: "unavailable", Attrs: waBinary.Attrs{"type": "view_once"}}}
	default:
		node.Content = m.encrypted(p)
	}
	if v.altering != nil {
		v.altering(&node)
	}
	if m.stanza == nil {
		m.stanza = &node
	}
	s.enqueue(node)
}

// encrypted is what the message says, encrypted to p or to its group, with the key if
// p needs it, and what the server is told besides.
func (m *Message) encrypted(p *companion) (nodes []waBinary.Node) {
	v := m.voice
	d := v.member.device(v.from)
	if m.group == nil {
		nodes = append(nodes, d.encrypt(p, m.enclosed(), nil))
	} else {
		if v.keyless {
			d.rotate(m.group)
		}
		key := d.distribution(m.group)
		if d.keyed[m.group] != p && !v.keyless {
			d.keyed[m.group] = p
			nodes = append(nodes, d.encrypt(p, &waE2E.Message{SenderKeyDistributionMessage: key}, nil))
		}
		nodes = append(nodes, d.encryptToGroup(m.group, m.content))
	}
	payload := &nodes[len(nodes)-1]
	describe(payload, m.content)
	if v.garbled {
		ciphertext := payload.Content.([]byte)
		ciphertext[len(ciphertext)-20] ^= 0xff
	}
	if meta := metaAttrs(m.content); meta != nil {
		nodes = append(nodes, waBinary.Node{Tag: "meta", Attrs: meta})
	}
	return nodes
}

// reaches reports whether p gets the message. Its own messages never come back
// to the device that sent them, but the companion sends none.
func (m *Message) reaches(p *companion) bool {
	switch {
	case p == nil, m.voice.missed:
		return false
	case m.group != nil:
		return m.group.participant(p.account) != nil
	default:
		return m.to == p.account || m.voice.member == p.account
	}
}

// enclosed is the content as it goes into a pairwise message: what the account
// itself sends to one other reaches its companion wrapped up with its destination.
func (m *Message) enclosed() *waE2E.Message {
	if m.peer || m.group != nil || m.voice.member != m.server().companion.account {
		return m.content
	}
	return &waE2E.Message{DeviceSentMessage: &waE2E.DeviceSentMessage{
		DestinationJID: proto.String(m.to.lid.String()), Message: m.content,
	}}
}

// envelope is the stanza around the encrypted message.
func (m *Message) envelope() waBinary.Node {
	v := m.voice
	attrs := waBinary.Attrs{
		"id": m.id, "t": m.time.Unix(), "type": stanzaType(m.content), "notify": cmp.Or(v.called, v.member.name), "edit": editAttr(m.content),
	}
	switch {
	case m.peer:
		attrs["from"], attrs["type"], attrs["category"] = v.member.jid, "peer_msg", "peer"
	case m.group != nil:
		address, other := v.address(m.group)
		attrs["from"], attrs["participant"], attrs["addressing_mode"] = m.group.jid, address, string(m.group.mode)
		if other.User != "" {
			attrs[m.group.otherAttr()] = other.ToNonAD()
		}
	default:
		attrs["from"] = onDevice(v.member.lid, v.from)
		if v.member.jid.User != "" {
			attrs["sender_pn"] = v.member.jid
		}
		if v.member == m.server().companion.account {
			attrs["recipient"] = m.to.lid
			if m.to.jid.User != "" {
				attrs["peer_recipient_pn"] = m.to.jid
			}
		}
	}
	return waBinary.Node{Tag: "message", Attrs: attrs}
}

// Arrives delivers a message after all that the companion has missed.
func (m *Message) Arrives() {
	defer m.voice.lock().Unlock()
	m.voice.missed = false
	m.deliver()
}

// Again delivers the message a second time, the same to the last byte.
func (m *Message) Again() {
	defer m.voice.lock().Unlock()
	m.mustHaveReached()
	m.server().enqueue(*m.stanza)
}

// Anew delivers the message a second time, under the same ID but encrypted anew.
func (m *Message) Anew() {
	defer m.voice.lock().Unlock()
	m.mustHaveReached()
	m.voice.garbled, m.voice.keyless = false, false
	m.deliver()
}

// Resend makes the sender's phone send the message again to the companion alone,
// as it does when asked to; it includes the sender key.
func (m *Message) Resend() {
	defer m.voice.lock().Unlock()
	m.mustHaveReached()
	m.resend()
}

func (m *Message) mustHaveReached() {
	if m.stanza == nil || m.server().companion == nil {
		panic("standin: message " + m.id + " has not reached the companion")
	}
}

func (m *Message) resend() {
	s := m.server()
	d := m.voice.member.device(m.voice.from)
	content := m.enclosed()
	if m.group != nil {
		content = proto.Clone(content).(*waE2E.Message)
		content.SenderKeyDistributionMessage = d.distribution(m.group)
		d.keyed[m.group] = s.companion
	}
	if m.bundle == nil && m.retries > 1 { // the session itself must be at fault
		m.bundle = s.companion.bundle()
	}
	encrypted := d.encrypt(s.companion, content, m.bundle)
	m.bundle = nil
	describe(&encrypted, m.content)
	encrypted.Attrs["count"] = max(m.retries, 1)
	node := m.envelope()
	node.Content = []waBinary.Node{encrypted}
	s.enqueue(node)
}

// retry takes the companion's request to resend a message. The caller holds s.mu.
func (s *Server) retry(c *connection, node *waBinary.Node) {
	child := node.GetChildByTag("retry")
	id, _ := child.Attrs["id"].(string)
	from, _ := node.Attrs["to"].(types.JID)
	participant, _ := node.Attrs["participant"].(types.JID)
	for _, m := range s.messages[id] {
		if m.stanza == nil || c.linked != s.companion || m.stanza.Attrs["from"] != from {
			continue
		}
		if sender, _ := m.stanza.Attrs["participant"].(types.JID); sender != participant {
			continue
		}
		m.retries = child.AttrGetter().Int("count")
		m.bundle = retryBundle(s.companion, node)
		if !m.voice.unhearing {
			m.resend()
		}
	}
}

// retryBundle reads the keys that a request to resend may bring.
func retryBundle(p *companion, node *waBinary.Node) *prekey.Bundle {
	sent := node.GetChildByTag("keys")
	oneTime, ok1 := readPreKey(sent.GetChildByTag("key"))
	signed, ok2 := readPreKey(sent.GetChildByTag("skey"))
	if !ok1 || !ok2 || len(signed.signature) != 64 {
		return nil
	}
	return newBundle(p.registration, p.device, p.identity, signed, &oneTime)
}

// newID makes a message ID in the manner of Android's.
func newID() string {
	return "AC" + strings.ToUpper(hex.EncodeToString(randomBytes(15)))
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}
