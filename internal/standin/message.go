package standin

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"
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

	// Guarded by Server.mu:
	stanza  *waBinary.Node // as delivered first; nil if the companion got none
	retries int            // the count of the last request to resend it
	bundle  *prekey.Bundle // the companion's keys, if that request brought any
}

// ID is the message's ID, chosen by the sender's phone.
func (m *Message) ID() string { return m.id }

// Text is the text that a person would read; empty if there is none.
func (m *Message) Text() string {
	if t := m.content.GetExtendedTextMessage().GetText(); t != "" {
		return t
	}
	return m.content.GetConversation()
}

// Sender is who sent the message.
func (m *Message) Sender() *Member { return m.voice.member }

// Group is where the message was sent; nil if it was sent to one person.
func (m *Message) Group() *Group { return m.group }

// Time is when the server took the message; clients see whole seconds of it.
func (m *Message) Time() time.Time { return m.time }

// Content returns a copy of what the message says.
func (m *Message) Content() *waE2E.Message { return proto.Clone(m.content).(*waE2E.Message) }

// Key returns the key by which by refers to the message, as in a reaction.
func (m *Message) Key(by *Member) *waCommon.MessageKey {
	defer m.voice.lock().Unlock()
	return m.key(by)
}

func (m *Message) server() *Server { return m.voice.member.server }

func (m *Message) key(by *Member) *waCommon.MessageKey {
	sender := m.voice.member
	key := &waCommon.MessageKey{ID: proto.String(m.id), FromMe: proto.Bool(sender == by)}
	if m.group == nil {
		key.RemoteJID = proto.String(m.other(by).lid.String())
		return key
	}
	key.RemoteJID = proto.String(m.group.jid.String())
	if sender != by {
		address, _ := sender.addressIn(m.group)
		key.Participant = proto.String(address.String())
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

// Says makes the member say text in the group. Each member mentioned must occur
// in the text by name, as @Name.
func (v Voice) Says(text string, mentioned ...*Member) *Message {
	defer v.lock().Unlock()
	g := v.inGroup()
	return v.send(g, nil, withText(g, text, nil, mentioned))
}

// Replies makes the member quote a message and reply to it, where it was sent.
// For mentioned see [Voice.Says].
func (v Voice) Replies(to *Message, text string, mentioned ...*Member) *Message {
	defer v.lock().Unlock()
	author := to.voice.member.lid
	if to.group != nil {
		author, _ = to.voice.member.addressIn(to.group)
	}
	quoted := to.Content()
	quoted.MessageContextInfo = nil
	return v.answer(to, withText(to.group, text, &waE2E.ContextInfo{
		StanzaID: proto.String(to.id), Participant: proto.String(author.String()), QuotedMessage: quoted,
	}, mentioned))
}

// Reacts makes the member react to a message, or change an earlier reaction.
func (v Voice) Reacts(to *Message, emoji string) *Message {
	defer v.lock().Unlock()
	return v.answer(to, &waE2E.Message{ReactionMessage: &waE2E.ReactionMessage{
		Key: to.key(v.member), Text: proto.String(emoji), SenderTimestampMS: proto.Int64(v.time().UnixMilli()),
	}})
}

// TakesBack makes the member take back the reaction to a message.
func (v Voice) TakesBack(to *Message) *Message { return v.Reacts(to, "") }

// Edits makes the member change the text of a message of theirs.
func (v Voice) Edits(m *Message, text string) *Message {
	v.mustOwn(m)
	return v.ForgesEdit(m, text)
}

// EditsBare is [Voice.Edits] in the other form that there is: without a wrapper.
func (v Voice) EditsBare(m *Message, text string) *Message {
	v.mustOwn(m)
	defer v.lock().Unlock()
	return v.answer(m, v.edit(m, text))
}

// ForgesEdit makes the member change the text of whosever message, as only an
// altered app can: the server does not see what is in a message.
func (v Voice) ForgesEdit(m *Message, text string) *Message {
	defer v.lock().Unlock()
	return v.answer(m, &waE2E.Message{EditedMessage: &waE2E.FutureProofMessage{Message: v.edit(m, text)}})
}

func (v Voice) edit(m *Message, text string) *waE2E.Message {
	return &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{
		Key:           m.key(v.member),
		Type:          waE2E.ProtocolMessage_MESSAGE_EDIT.Enum(),
		EditedMessage: &waE2E.Message{Conversation: proto.String(text)},
		TimestampMS:   proto.Int64(v.time().UnixMilli()),
	}}
}

func (v Voice) mustOwn(m *Message) {
	if m.voice.member != v.member {
		panic(fmt.Sprintf("standin: message %s is not %s's; see ForgesEdit", m.id, v.member.name))
	}
}

// Deletes makes the member delete a message for everyone: one of theirs, or as
// an admin somebody else's.
func (v Voice) Deletes(m *Message) *Message {
	if m.voice.member != v.member {
		v.mustLead(m)
	}
	return v.ForgesDeletion(m)
}

// mustLead panics unless the member is an admin of the group that m was sent to.
func (v Voice) mustLead(m *Message) {
	defer v.lock().Unlock()
	if m.group == nil {
		v.mustOwn(m)
	}
	v.In(m.group).asAdmin()
}

// ForgesDeletion makes the member delete whosever message, admin or not, as only an
// altered app can: the server does not ask.
func (v Voice) ForgesDeletion(m *Message) *Message {
	defer v.lock().Unlock()
	return v.answer(m, &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{
		Key: m.key(v.member), Type: waE2E.ProtocolMessage_REVOKE.Enum(),
	}})
}

// Sends makes the member send whatever content to the group. The attributes of
// the stanza follow from the content.
func (v Voice) Sends(content *waE2E.Message) *Message {
	defer v.lock().Unlock()
	return v.send(v.inGroup(), nil, content)
}

// Tells makes the member send a direct message. Of these the companion gets
// what its own account receives or sends.
func (v Voice) Tells(to *Member, text string) *Message {
	return v.SendsTo(to, &waE2E.Message{Conversation: proto.String(text)})
}

// SendsTo makes the member send whatever content to another.
func (v Voice) SendsTo(to *Member, content *waE2E.Message) *Message {
	defer v.lock().Unlock()
	return v.send(nil, to, content)
}

// lock locks the server's state, for the length of what a member does.
func (v Voice) lock() *sync.Mutex {
	mu := &v.member.server.mu
	mu.Lock()
	return mu
}

// withText makes a text message. It is a plain conversation unless it refers to
// anything.
func withText(g *Group, text string, about *waE2E.ContextInfo, mentioned []*Member) *waE2E.Message {
	if about == nil && len(mentioned) == 0 {
		return &waE2E.Message{Conversation: proto.String(text)}
	}
	if about == nil {
		about = &waE2E.ContextInfo{}
	}
	for _, m := range mentioned {
		address := m.lid
		if g != nil {
			address, _ = m.addressIn(g)
		}
		if !strings.Contains(text, "@"+m.name) {
			panic(fmt.Sprintf("standin: text mentions no @%s", m.name))
		}
		text = strings.ReplaceAll(text, "@"+m.name, "@"+address.User)
		about.MentionedJID = append(about.MentionedJID, address.String())
	}
	return &waE2E.Message{ExtendedTextMessage: &waE2E.ExtendedTextMessage{Text: proto.String(text), ContextInfo: about}}
}

// answer sends content where m was sent.
func (v Voice) answer(m *Message, content *waE2E.Message) *Message {
	if m.group == nil {
		return v.send(nil, m.other(v.member), content)
	}
	v.group = m.group
	return v.send(v.inGroup(), nil, content)
}

// send sends content to a group or a person. The caller holds Server.mu.
func (v Voice) send(g *Group, to *Member, content *waE2E.Message) *Message {
	content = proto.Clone(content).(*waE2E.Message)
	if needsSecret(content) {
		content.MessageContextInfo = &waE2E.MessageContextInfo{MessageSecret: randomBytes(32)}
	}
	return (&Message{voice: v, id: newID(), group: g, to: to, time: v.time(), content: content}).dispatch()
}

// dispatch sends a message for the first time.
func (m *Message) dispatch() *Message {
	sent := m.server().messages
	sent[m.id] = append(sent[m.id], m)
	m.deliver()
	return m
}

// needsSecret reports whether phones give such a message a secret, for what may
// later refer to it.
func needsSecret(content *waE2E.Message) bool {
	return content.GetMessageContextInfo().GetMessageSecret() == nil && content.ReactionMessage == nil &&
		content.ProtocolMessage == nil && content.EditedMessage == nil && content.PollUpdateMessage == nil
}

// deliver encrypts the message and puts it in the companion's queue, if it is
// meant for the companion too. The caller holds Server.mu.
func (m *Message) deliver() {
	s, p, v := m.server(), m.server().companion, m.voice
	if !m.reaches(p) {
		return
	}
	d := v.member.device(v.from)
	var encrypted []waBinary.Node
	if m.group == nil {
		encrypted = append(encrypted, d.encrypt(p, m.enclosed(), nil))
	} else {
		if v.keyless {
			d.rotate(m.group)
		}
		key := d.distribution(m.group)
		if d.keyed[m.group] != p && !v.keyless {
			d.keyed[m.group] = p
			encrypted = append(encrypted, d.encrypt(p, &waE2E.Message{SenderKeyDistributionMessage: key}, nil))
		}
		encrypted = append(encrypted, d.encryptToGroup(m.group, m.content))
	}
	payload := &encrypted[len(encrypted)-1]
	describe(payload, m.content)
	if v.garbled {
		ciphertext := payload.Content.([]byte)
		ciphertext[len(ciphertext)-20] ^= 0xff
	}
	node := m.envelope()
	if polls := pollType(m.content); polls != "" {
		encrypted = append(encrypted, waBinary.Node{Tag: "meta", Attrs: waBinary.Attrs{"polltype": polls}})
	}
	node.Content = encrypted
	if m.stanza == nil {
		m.stanza = &node
	}
	s.enqueue(node)
}

// reaches reports whether p gets the message. Its own messages never come back
// to the device that sent them, but the companion sends none.
func (m *Message) reaches(p *companion) bool {
	switch {
	case p == nil:
		return false
	case m.group != nil:
		return m.group.participant(p.account) != nil
	default:
		return m.to == p.account || m.voice.member == p.account
	}
}

// enclosed is the content as it goes into a pairwise message: what the account
// itself sends to others reaches its companion wrapped up with its destination.
func (m *Message) enclosed() *waE2E.Message {
	if m.peer || m.voice.member != m.server().companion.account {
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
		"id": m.id, "t": m.time.Unix(), "type": stanzaType(m.content), "notify": v.member.name, "edit": editAttr(m.content),
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
