package whatsapp

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"muniment/internal/record"
)

// maxMentions bounds what one message can cost: a group has at most 1024
// participants. The protobuf keeps them all.
const maxMentions = 1024

// A translator makes records of what WhatsApp delivered. It is pure, but for
// alt, which looks up the same person's other address (LID for PN, PN for LID)
// and returns an empty one where it is not known.
type translator struct {
	groups map[string]bool // JIDs of the listed groups
	own    map[string]bool // JIDs of the council's own account
	alt    func(types.JID) types.JID
}

// listed reports whether chat is one of the listed groups, to the letter.
func (t translator) listed(chat types.JID) bool { return t.groups[chat.String()] }

// message makes a record of a message. There is none if the chat is not listed,
// or if the message brings nothing but keys: of a sender's first message they
// come as an event of their own, and the content follows under the same ID.
//
// Everything is read from the raw message, unwrapped again here, and not from
// evt.Message: what our own phone resends on request has been rewritten there
// (ParseWebMessage gives an edit the ID and the looks of what it edits). The raw
// message is also what is kept, since wrappers tell of timers and view-once; but
// without the keys, which are no content and only come with some deliveries.
func (t translator) message(evt *events.Message) (r record.Received, is bool) {
	if !t.listed(evt.Info.Chat) {
		return record.Received{}, false
	}
	raw := evt.RawMessage
	if raw == nil {
		raw = evt.Message
	}
	if raw == nil {
		raw = &waE2E.Message{}
	}
	raw = proto.Clone(raw).(*waE2E.Message)
	hadKeys := dropKeys(raw)
	unwrapped := (&events.Message{RawMessage: raw}).UnwrapRaw()
	hadKeys = dropKeys(unwrapped.Message) || hadKeys
	content := contentOf(unwrapped.Message)
	if hadKeys && len(content) == 0 {
		return record.Received{}, false
	}

	r = record.Received{
		Group:    evt.Info.Chat.String(),
		ID:       evt.Info.ID,
		Sender:   t.address(evt.Info.Sender, evt.Info.SenderAlt, evt.Info.Chat),
		PushName: valid(evt.Info.PushName),
		Own:      evt.Info.IsFromMe,
		Sent:     evt.Info.Timestamp.UTC(),
	}
	if evt.SourceWebMsg != nil {
		r.ID = evt.SourceWebMsg.GetKey().GetID()
	}
	t.classify(&r, unwrapped, content)
	r.Quotations = takeQuotations(raw, func(participant string) record.Address {
		return t.parsed(participant, evt.Info.Chat)
	})
	r.Protobuf = marshal(raw)
	if r.ID == "" { // only our own phone could send that
		r.ID = "unnamed:" + digest(r.Protobuf)
	}
	return r, true
}

// classify reads what is read today; the rest is unsupported, and named.
func (t translator) classify(r *record.Received, evt *events.Message, content []string) {
	m := evt.Message
	only := func(name string) bool { return len(content) == 1 && content[0] == name }
	amends := evt.IsEdit || m.GetProtocolMessage() != nil || m.GetReactionMessage() != nil
	switch {
	case !amends && (m.Conversation != nil || m.ExtendedTextMessage != nil):
		t.text(r, m)
	case !evt.IsEdit && only("reactionMessage") && t.reaction(r, m.GetReactionMessage()):
	case only("protocolMessage"):
		r.Kind, r.Type = record.Unsupported, protocolType(m.GetProtocolMessage())
	case len(content) == 0:
		r.Kind, r.Type = record.Unsupported, "empty"
	case evt.IsEdit: // the new text without the frame that says of what
		r.Kind, r.Type = record.Unsupported, "editedMessage"
	default:
		r.Kind, r.Type = record.Unsupported, record.Type(strings.Join(content, "+"))
	}
}

func (t translator) text(r *record.Received, m *waE2E.Message) {
	r.Kind, r.Type = record.Message, record.Text
	r.Text = valid(readable(m))
	context := m.GetExtendedTextMessage().GetContextInfo()
	if id := context.GetStanzaID(); id != "" {
		r.Target = &record.Ref{ID: id, Sender: t.parsed(context.GetParticipant(), chatOf(r))}
	}
	for _, mentioned := range context.GetMentionedJID() {
		jid, ok := user(mentioned)
		if ok && !slices.Contains(r.Mentions, jid.String()) && len(r.Mentions) < maxMentions {
			r.Mentions = append(r.Mentions, jid.String())
		}
	}
}

// reaction reads a reaction, if it says of whose message it is. The key is
// written from the reactor's point of view: fromMe means the reactor's own
// message, whatever the participant.
func (t translator) reaction(r *record.Received, m *waE2E.ReactionMessage) bool {
	target := record.Ref{ID: m.GetKey().GetID(), Sender: r.Sender}
	if !m.GetKey().GetFromMe() {
		jid, ok := user(m.GetKey().GetParticipant())
		if !ok {
			return false
		}
		if target.Sender = t.address(jid, types.EmptyJID, jid); same(target.Sender, r.Sender) {
			target.Sender = r.Sender
		}
	}
	if target.ID == "" {
		return false
	}
	r.Kind, r.Type = record.Reaction, record.ReactionAdded
	r.Emoji = valid(m.GetText())
	if r.Emoji == "" {
		r.Type = record.ReactionRemoved
	}
	r.Target = &target
	return true
}

// protocolType names a protocol message as WhatsApp does: revoke, message_edit.
func protocolType(m *waE2E.ProtocolMessage) record.Type {
	if m.Type == nil {
		return "protocolMessage"
	}
	return record.Type(strings.ToLower(m.GetType().String()))
}

// contentOf names the fields of a message that are content, in the order of
// their numbers. A kind of message that this program's whatsmeow does not know
// is there all the same.
func contentOf(m *waE2E.Message) (names []string) {
	for _, f := range setFields(m.ProtoReflect()) {
		if f.Name() != "messageContextInfo" {
			names = append(names, string(f.Name()))
		}
	}
	if len(m.ProtoReflect().GetUnknown()) > 0 {
		names = append(names, "unknown")
	}
	return names
}

// dropKeys removes sender keys and reports whether there were any.
func dropKeys(m *waE2E.Message) bool {
	had := m.SenderKeyDistributionMessage != nil || m.FastRatchetKeySenderKeyDistributionMessage != nil
	m.SenderKeyDistributionMessage, m.FastRatchetKeySenderKeyDistributionMessage = nil, nil
	return had
}

// readable returns the text that a person would read in a message.
func readable(m *waE2E.Message) string {
	for _, s := range []string{
		m.GetConversation(),
		m.GetExtendedTextMessage().GetText(),
		m.GetImageMessage().GetCaption(),
		m.GetVideoMessage().GetCaption(),
		m.GetDocumentMessage().GetCaption(),
	} {
		if s != "" {
			return s
		}
	}
	return ""
}

// address returns a person's address. Alt is the other one if it is known
// already. Where there is no address at all, the group's stands in for it: the
// archive takes no record of nobody.
func (t translator) address(jid, alt, group types.JID) record.Address {
	if jid = jid.ToNonAD(); jid.IsEmpty() || jid.User == "" {
		return record.Address{JID: group.String()}
	}
	if alt.IsEmpty() {
		alt = t.alt(jid)
	}
	a := record.Address{JID: jid.String()}
	if !alt.IsEmpty() && alt.User != "" {
		a.Alt = alt.ToNonAD().String()
	}
	return a
}

// parsed returns the address of somebody whom a sender named.
func (t translator) parsed(participant string, group types.JID) record.Address {
	jid, ok := user(participant)
	if !ok {
		jid = types.EmptyJID
	}
	return t.address(jid, types.EmptyJID, group)
}

// user reads the JID of a person; senders can write anything there.
func user(s string) (types.JID, bool) {
	jid, err := types.ParseJID(s)
	if err != nil || jid.User == "" || jid.Server == "" {
		return types.EmptyJID, false
	}
	jid = jid.ToNonAD()
	return jid, valid(jid.String()) == jid.String()
}

func same(a, b record.Address) bool {
	return a.JID == b.JID || a.Alt != "" && a.Alt == b.JID || b.Alt != "" && a.JID == b.Alt
}

func chatOf(r *record.Received) types.JID {
	return types.NewJID(strings.TrimSuffix(r.Group, "@"+types.GroupServer), types.GroupServer)
}

// valid makes what a sender wrote a text: protobuf does not ask for that.
func valid(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// marshal is deterministic: the ledger commits to it.
func marshal(m proto.Message) []byte {
	b, err := proto.MarshalOptions{Deterministic: true, AllowPartial: true}.Marshal(m)
	if err != nil {
		return nil // strings that are no UTF-8 in proto3: unmarshalling refuses them
	}
	return b
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

// setFields returns the fields that are set, by number.
func setFields(m protoreflect.Message) (fields []protoreflect.FieldDescriptor) {
	m.Range(func(f protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
		fields = append(fields, f)
		return true
	})
	slices.SortFunc(fields, func(a, b protoreflect.FieldDescriptor) int { return int(a.Number() - b.Number()) })
	return fields
}
