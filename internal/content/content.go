// Package content reads what a WhatsApp message says: protobuf in, record out.
//
// It is pure. The same message gives the same record, live, resent, or read again from
// what is kept of it; senders can write anything, and whatever they write becomes a
// record, of which the protobuf is kept if nothing else can be read.
package content

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"time"

	"go.mau.fi/whatsmeow/proto/waCommon"
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

// A Reader reads messages. It is pure but for what it is given: looking up the other
// address of a person, and the message that another one names.
type Reader struct {
	// Other looks up the same person's other JID (LID for PN, PN for LID); it returns
	// nothing where that is not known. Nil: none is known.
	Other func(jid string) string

	// Original returns the message that another names, as it is kept: what is encrypted
	// under its secret needs it. It reports false while the message is not here. Nil:
	// no message is here.
	Original func(group string, of record.Ref) (Original, bool)
}

// Original is a message as it is kept.
type Original struct {
	Sender   record.Address
	Protobuf []byte   // without quotations; [record.Received.Protobuf]
	Added    []string // options that were added to a poll since
}

// Envelope is what is known of a message besides what it says.
type Envelope struct {
	Group    string // JID
	ID       string // message ID; only our own phone can leave it empty
	Sender   record.Address
	PushName string
	Own      bool
	Sent     time.Time
}

// Read makes a record of a message as it was delivered, wrappers and all. There is none
// if the message brings nothing but keys: of a sender's first message they come as an
// event of their own, and the content follows under the same ID. M is not altered.
//
// The message is kept as it came, since wrappers tell of timers and view-once; but
// without the keys, which are no content and only come with some deliveries, without
// what was to be viewed once, and without quotations, which are kept on their own.
func (t Reader) Read(e Envelope, m *waE2E.Message) (r record.Received, is bool) {
	if m == nil {
		m = &waE2E.Message{}
	}
	return t.read(e, proto.Clone(m).(*waE2E.Message))
}

// ReadAgain reads a message from what [Reader.Read] kept of it. What is read is the same
// but for what is kept elsewhere: the quotations, and with them whom a reply answers.
// What another version kept as unsupported may be more now, and so may what could not be
// read for want of the message that it names.
func (t Reader) ReadAgain(e Envelope, protobuf []byte) (record.Received, error) {
	var m waE2E.Message
	if err := proto.Unmarshal(protobuf, &m); err != nil {
		return record.Received{}, errors.New("what is kept of a message is no message")
	}
	r, is := t.read(e, &m)
	if !is {
		return record.Received{}, errors.New("what is kept of a message are keys only")
	}
	return r, nil
}

// read may alter raw.
func (t Reader) read(e Envelope, raw *waE2E.Message) (r record.Received, is bool) {
	hadKeys := dropKeys(raw)
	hideOnce(raw.ProtoReflect(), false)
	unwrapped := (&events.Message{RawMessage: raw}).UnwrapRaw()
	hadKeys = dropKeys(unwrapped.Message) || hadKeys
	unwrapped.Message = bare(unwrapped.Message, 0)
	content := contentOf(unwrapped.Message)
	if hadKeys && len(content) == 0 && !isOnce(unwrapped, content) {
		return record.Received{}, false
	}

	r = record.Received{
		Group: e.Group, ID: e.ID, Sender: e.Sender, PushName: Valid(e.PushName), Own: e.Own, Sent: e.Sent.UTC(),
	}
	t.classify(&r, unwrapped, content)
	r.Quotations = takeQuotations(raw, func(participant string) record.Address {
		return t.named(participant, r.Group)
	})
	r.Protobuf = marshal(raw)
	if r.ID == "" {
		r.ID = "unnamed:" + digest(r.Protobuf)
	}
	return r, true
}

// maxWraps is how deep a message may be wrapped.
const maxWraps = 5

// bare returns the text or file within wrappers that whatsmeow leaves alone, such as
// the larger copy of a photo; m itself if there is none. Those of edits, and of what is
// to be viewed once, have a meaning of their own.
func bare(m *waE2E.Message, depth int) *waE2E.Message {
	content := contentOf(m)
	if len(content) != 1 || depth == maxWraps || wrapsOnce(content[0]) || content[0] == "editedMessage" {
		return m
	}
	field := m.ProtoReflect().Descriptor().Fields().ByName(protoreflect.Name(content[0]))
	if field == nil || field.Message() == nil {
		return m
	}
	wrapper, is := m.ProtoReflect().Get(field).Message().Interface().(*waE2E.FutureProofMessage)
	if !is || wrapper.GetMessage() == nil {
		return m
	}
	within := bare(wrapper.GetMessage(), depth+1)
	if _, file := attached(within); file != nil || within.Conversation != nil || within.ExtendedTextMessage != nil {
		return within
	}
	return m
}

// classify reads what is read today; the rest is unsupported, and named.
func (t Reader) classify(r *record.Received, evt *events.Message, content []string) {
	m := evt.Message
	only := func(name string) bool { return len(content) == 1 && content[0] == name }
	amends := evt.IsEdit || m.GetProtocolMessage() != nil || m.GetReactionMessage() != nil
	typ, file := attached(m)
	switch {
	case isOnce(evt, content):
		r.Kind, r.Type = record.Unsupported, "view_once"
	case !amends && file != nil: // whatever else is there: WhatsApp keeps it for weeks only
		t.said(r, typ, m)
		r.File = fileOf(file)
	case !amends && (m.Conversation != nil || m.ExtendedTextMessage != nil):
		t.said(r, record.Text, m)
	case !evt.IsEdit && only("reactionMessage") && t.reaction(r, m.GetReactionMessage()):
	case only("protocolMessage") && t.amendment(r, m.GetProtocolMessage()):
	case len(content) == 1 && t.sealed(r, m):
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

// said reads a message that people wrote, with a file or without.
func (t Reader) said(r *record.Received, typ record.Type, m *waE2E.Message) {
	r.Kind, r.Type = record.Message, typ
	r.Text = Valid(readable(m))
	context := contextOf(m)
	if id := context.GetStanzaID(); id != "" {
		r.Target = &record.Ref{ID: id, Sender: t.named(context.GetParticipant(), r.Group)}
	}
	r.Mentions = mentions(context)
}

// contextOf is what a message that people wrote says of others; nil if nothing.
func contextOf(m *waE2E.Message) *waE2E.ContextInfo {
	if m.GetExtendedTextMessage() != nil {
		return m.ExtendedTextMessage.GetContextInfo()
	}
	if _, file := attached(m); file != nil {
		return file.GetContextInfo()
	}
	return nil
}

func mentions(context *waE2E.ContextInfo) (all []string) {
	for _, mentioned := range context.GetMentionedJID() {
		jid, ok := user(mentioned)
		if ok && !slices.Contains(all, jid.String()) && len(all) < maxMentions {
			all = append(all, jid.String())
		}
	}
	return all
}

// reaction reads a reaction, if it says of whose message it is.
func (t Reader) reaction(r *record.Received, m *waE2E.ReactionMessage) bool {
	target, ok := t.target(r, m.GetKey())
	if !ok {
		return false
	}
	r.Kind, r.Type = record.Reaction, record.ReactionAdded
	r.Emoji = Valid(m.GetText())
	if r.Emoji == "" {
		r.Type = record.ReactionRemoved
	}
	r.Target = &target
	return true
}

// amendment reads an edit or a deletion, if it says of whose message it is. Whether
// its sender is entitled to it is not asked here: what is forged is kept as well, and
// its target tells. The key of an edit names the original, however often edited.
func (t Reader) amendment(r *record.Received, m *waE2E.ProtocolMessage) bool {
	target, ok := t.target(r, m.GetKey())
	if !ok || m.Type == nil {
		return false
	}
	switch m.GetType() {
	case waE2E.ProtocolMessage_MESSAGE_EDIT:
		// A clone, since to unwrap may alter.
		edited := (&events.Message{RawMessage: proto.Clone(m.GetEditedMessage()).(*waE2E.Message)}).UnwrapRaw()
		_, file := attached(edited.Message)
		text := edited.Message.GetConversation() != "" || edited.Message.GetExtendedTextMessage() != nil || file != nil
		if !text || isOnce(edited, contentOf(edited.Message)) {
			return false
		}
		r.Kind, r.Type = record.Edit, record.Text
		r.Text = Valid(readable(edited.Message))
		r.Mentions = mentions(contextOf(edited.Message))
	case waE2E.ProtocolMessage_REVOKE:
		r.Kind, r.Type = record.Deletion, record.ByAdmin
		if target.Sender == r.Sender {
			r.Type = record.ByAuthor
		}
	default:
		return false
	}
	r.Target = &target
	return true
}

// target reads the key by which r names another message, if it says of whose it is.
// It is written from the point of view of r's sender: fromMe means a message of their
// own, whatever the participant.
func (t Reader) target(r *record.Received, key *waCommon.MessageKey) (record.Ref, bool) {
	target := record.Ref{ID: key.GetID(), Sender: r.Sender}
	if !key.GetFromMe() {
		jid, ok := user(key.GetParticipant())
		if !ok {
			return record.Ref{}, false
		}
		if target.Sender = t.Address(jid, types.EmptyJID, ""); Same(target.Sender, r.Sender) {
			target.Sender = r.Sender
		}
	}
	return target, target.ID != ""
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
		m.GetPtvMessage().GetCaption(),
		m.GetDocumentMessage().GetCaption(),
	} {
		if s != "" {
			return s
		}
	}
	return ""
}

// Address returns a person's address. Alt is the other one if it is known already. Where
// there is no address at all, the group's stands in for it: the archive takes no record
// of nobody.
func (t Reader) Address(jid, alt types.JID, group string) record.Address {
	if jid = jid.ToNonAD(); jid.IsEmpty() || jid.User == "" {
		return record.Address{JID: group}
	}
	a := record.Address{JID: jid.String()}
	if alt.User != "" {
		a.Alt = alt.ToNonAD().String()
	} else if alt.IsEmpty() && t.Other != nil {
		a.Alt = t.Other(a.JID)
	}
	return a
}

// named returns the address of somebody whom a sender named.
func (t Reader) named(participant, group string) record.Address {
	jid, ok := user(participant)
	if !ok {
		jid = types.EmptyJID
	}
	return t.Address(jid, types.EmptyJID, group)
}

// user reads the JID of a person; senders can write anything there.
func user(s string) (types.JID, bool) {
	jid, err := types.ParseJID(s)
	if err != nil || jid.User == "" || jid.Server == "" {
		return types.EmptyJID, false
	}
	jid = jid.ToNonAD()
	return jid, Valid(jid.String()) == jid.String()
}

// Same reports whether a and b are one person, as far as they themselves tell.
func Same(a, b record.Address) bool {
	return a.JID == b.JID || a.Alt != "" && a.Alt == b.JID || b.Alt != "" && a.JID == b.Alt
}

// Valid makes what a sender wrote a text: protobuf does not ask for that.
func Valid(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

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

// eachWithin calls visit with every message that stands in a field of m, in the order
// of the fields' numbers.
func eachWithin(m protoreflect.Message, visit func(f protoreflect.FieldDescriptor, within protoreflect.Message)) {
	for _, f := range setFields(m) {
		if f.Message() == nil {
			continue
		}
		v := m.Get(f)
		switch {
		case f.IsList():
			for i := range v.List().Len() {
				visit(f, v.List().Get(i).Message())
			}
		case f.IsMap():
			if f.MapValue().Message() != nil {
				for _, k := range sortedKeys(v.Map()) {
					visit(f, v.Map().Get(k).Message())
				}
			}
		default:
			visit(f, v.Message())
		}
	}
}

func sortedKeys(m protoreflect.Map) (keys []protoreflect.MapKey) {
	m.Range(func(k protoreflect.MapKey, _ protoreflect.Value) bool {
		keys = append(keys, k)
		return true
	})
	slices.SortFunc(keys, func(a, b protoreflect.MapKey) int { return strings.Compare(a.String(), b.String()) })
	return keys
}
