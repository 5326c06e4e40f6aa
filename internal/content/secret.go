package content

import (
	"crypto/sha256"
	"slices"

	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types/events"
	"go.mau.fi/whatsmeow/util/gcmutil"
	"go.mau.fi/whatsmeow/util/hkdfutil"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"muniment/internal/record"
)

// A seal is what is encrypted in a message under the secret of another.
type seal struct {
	kind    record.Kind
	of      *waCommon.MessageKey // the message whose secret it is
	uses    []string             // what WhatsApp calls the purpose, of which a key is made
	bound   bool                 // to the other message and to who sent it, once more
	payload interface {
		GetEncPayload() []byte
		GetEncIV() []byte
	}
}

// sealIn returns what is encrypted in m.
func sealIn(m *waE2E.Message) (s seal, is bool) {
	switch {
	case m.GetPollUpdateMessage() != nil:
		p := m.PollUpdateMessage
		s = seal{kind: record.Vote, of: p.GetPollCreationMessageKey(), uses: []string{"Poll Vote"}, bound: true, payload: p.GetVote()}
	case m.GetEncReactionMessage() != nil:
		p := m.EncReactionMessage
		s = seal{kind: record.Reaction, of: p.GetTargetMessageKey(), uses: []string{"Enc Reaction"}, payload: p}
	case m.GetEncCommentMessage() != nil:
		p := m.EncCommentMessage
		s = seal{kind: record.Message, of: p.GetTargetMessageKey(), uses: []string{"Enc Comment"}, payload: p}
	case m.GetEncEventResponseMessage() != nil:
		p := m.EncEventResponseMessage
		s = seal{kind: record.Response, of: p.GetEventCreationMessageKey(), uses: []string{"Event Response"}, bound: true, payload: p}
	case m.GetSecretEncryptedMessage() != nil:
		p := m.SecretEncryptedMessage
		s = seal{of: p.GetTargetMessageKey(), payload: p}
		switch p.GetSecretEncType() {
		case waE2E.SecretEncryptedMessage_MESSAGE_EDIT:
			s.kind, s.uses = record.Edit, []string{"Message Edit"}
		case waE2E.SecretEncryptedMessage_EVENT_EDIT:
			s.kind, s.uses = record.Edit, []string{"Event Edit"}
		case waE2E.SecretEncryptedMessage_POLL_EDIT:
			s.kind, s.uses = record.Edit, []string{"Poll Edit"}
		case waE2E.SecretEncryptedMessage_POLL_ADD_OPTION: // whatsmeow takes the first, and knows the second
			s.kind, s.uses = record.Option, []string{"Poll Edit", "Poll Add Option"}
		}
	}
	return s, s.kind != ""
}

// sealed reads of what is encrypted under a secret of another message what it is and
// which message it names, if it does; and all of it if that message is here.
func (t Reader) sealed(r *record.Received, m *waE2E.Message) bool {
	s, is := sealIn(m)
	if !is {
		return false
	}
	target, ok := t.target(r, s.of)
	if !ok {
		return false
	}
	r.Kind, r.Type, r.Target = s.kind, record.Sealed, &target
	if t.Original == nil {
		return true
	}
	if o, here := t.Original(r.Group, target); here {
		if plain, ok := t.open(s, r, o); ok {
			t.unseal(r, s, plain, o)
		}
	}
	return true
}

// open decrypts. The key is made of the secret, the message's ID and the addresses of
// both senders. In one group phones name a person by LID or by number, and the message
// that has the secret may have come under the other address: so both are tried. What no
// key opens was not made with this secret, or not for this message by this sender.
func (t Reader) open(s seal, r *record.Received, o Original) (plain []byte, ok bool) {
	iv, payload := s.payload.GetEncIV(), s.payload.GetEncPayload()
	if len(iv) != ivSize { // which would panic
		return nil, false
	}
	authors, senders := t.addresses(r.Target.Sender, o.Sender), t.addresses(r.Sender)
	for _, secret := range secretsOf(o.Protobuf) {
		for _, use := range s.uses {
			for _, author := range authors {
				for _, sender := range senders {
					key := hkdfutil.SHA256(secret, nil, []byte(r.Target.ID+author+sender+use), 32)
					var bound []byte
					if s.bound {
						bound = []byte(r.Target.ID + "\x00" + sender)
					}
					if plain, err := gcmutil.Decrypt(key, iv, payload, bound); err == nil {
						return plain, true
					}
				}
			}
		}
	}
	return nil, false
}

// ivSize is how many bytes AES-GCM wants for its initialisation vector.
const ivSize = 12

// addresses returns by what these, who are one person, may have been called.
func (t Reader) addresses(of ...record.Address) (all []string) {
	for _, a := range of {
		all = append(all, a.JID, a.Alt)
	}
	for _, a := range of {
		if t.Other != nil && a.Alt == "" {
			all = append(all, t.Other(a.JID))
		}
	}
	var once []string
	for _, jid := range all {
		if jid != "" && !slices.Contains(once, jid) {
			once = append(once, jid)
		}
	}
	return once
}

// secretsOf returns the secret that a message brings for what will refer to it. It
// stands beside the content, within the wrappers or without.
func secretsOf(protobuf []byte) (secrets [][]byte) {
	var m waE2E.Message
	if proto.Unmarshal(protobuf, &m) != nil {
		return nil
	}
	outer := m.GetMessageContextInfo().GetMessageSecret()
	inner := (&events.Message{RawMessage: &m}).UnwrapRaw().Message.GetMessageContextInfo().GetMessageSecret()
	for _, secret := range [][]byte{inner, outer} {
		if len(secret) > 0 {
			secrets = append(secrets, secret)
		}
	}
	return secrets
}

// unseal reads what was encrypted in r, of which kind and target are read. From then on
// r is what it would be had that come in the clear. What makes no sense leaves it as it
// is: sealed.
func (t Reader) unseal(r *record.Received, s seal, plain []byte, o Original) {
	switch s.kind {
	case record.Vote:
		voted(r, plain, o)
		return
	case record.Response:
		responded(r, plain)
		return
	}
	m := inTheClear(s, plain)
	if m == nil {
		return
	}
	clear := Reader{Other: t.Other} // what is sealed within stays so
	c, is := clear.read(Envelope{Group: r.Group, ID: r.ID, Sender: r.Sender, Sent: r.Sent}, m)
	if is && c.Kind == r.Kind && c.Type != record.Sealed {
		r.Type, r.Text, r.Details, r.File, r.Emoji, r.Mentions = c.Type, c.Text, c.Details, c.File, c.Emoji, c.Mentions
	}
}

// inTheClear returns the message that would say in the clear what was encrypted; nil if
// it makes no sense. Which message it names is told by the one that carries it: a key
// within could say anything.
func inTheClear(s seal, plain []byte) *waE2E.Message {
	if s.kind == record.Reaction {
		var reaction waE2E.ReactionMessage
		if proto.Unmarshal(plain, &reaction) != nil {
			return nil
		}
		reaction.Key = s.of
		return &waE2E.Message{ReactionMessage: &reaction}
	}
	var m waE2E.Message
	if proto.Unmarshal(plain, &m) != nil {
		return nil
	}
	unwrapped := (&events.Message{RawMessage: &m}).UnwrapRaw().Message
	switch {
	case s.kind == record.Message && m.GetCommentMessage() != nil:
		m.CommentMessage.TargetMessageKey = s.of
		return &m
	case s.kind == record.Message:
		return &waE2E.Message{CommentMessage: &waE2E.CommentMessage{Message: &m, TargetMessageKey: s.of}}
	case s.kind == record.Option && unwrapped.GetPollAddOptionMessage() != nil:
		unwrapped.PollAddOptionMessage.PollCreationMessageKey = s.of
		return unwrapped
	case s.kind == record.Edit && unwrapped.GetProtocolMessage() != nil:
		unwrapped.ProtocolMessage.Key = s.of
		return unwrapped
	case s.kind == record.Edit: // the new content alone
		return &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{
			Type: waE2E.ProtocolMessage_MESSAGE_EDIT.Enum(), Key: s.of, EditedMessage: &m,
		}}
	}
	return nil
}

// voted reads a vote. It names options by the digests of their names, so that the poll
// is needed to tell which they are.
func voted(r *record.Received, plain []byte, o Original) {
	var vote waE2E.PollVoteMessage
	if proto.Unmarshal(plain, &vote) != nil || len(vote.SelectedOptions) == 0 && len(vote.ProtoReflect().GetUnknown()) > 0 {
		return
	}
	r.Type = record.Cast
	if len(vote.SelectedOptions) == 0 {
		r.Type = record.Withdrawn
	}
	var d record.Details
	known := make(map[string]bool) // digests, whether they are those of an option
	for _, digest := range vote.SelectedOptions {
		known[string(digest)] = false
	}
	for _, name := range append(optionsOf(o.Protobuf), o.Added...) {
		digest := sha256.Sum256([]byte(name))
		if told, chosen := known[string(digest[:])]; chosen && !told {
			known[string(digest[:])] = true
			d.Chosen = append(d.Chosen, Valid(name))
		}
	}
	d.Unknown = len(known) - len(d.Chosen)
	r.Details = d.Encode()
}

// optionsOf returns the names of the options of the poll that a message is.
func optionsOf(protobuf []byte) (names []string) {
	var m waE2E.Message
	if proto.Unmarshal(protobuf, &m) != nil {
		return nil
	}
	var walk func(m protoreflect.Message)
	walk = func(m protoreflect.Message) {
		if poll, is := m.Interface().(*waE2E.PollCreationMessage); is {
			for _, option := range poll.GetOptions() {
				names = append(names, option.GetOptionName())
			}
			return
		}
		eachWithin(m, func(_ protoreflect.FieldDescriptor, within protoreflect.Message) { walk(within) })
	}
	walk(m.ProtoReflect()) // in whichever of the forms there are, and wrapped however
	return names
}

// responded reads whether somebody comes to an event.
func responded(r *record.Received, plain []byte) {
	var response waE2E.EventResponseMessage
	if proto.Unmarshal(plain, &response) != nil {
		return
	}
	switch response.GetResponse() {
	case waE2E.EventResponseMessage_GOING:
		r.Type = record.Going
	case waE2E.EventResponseMessage_NOT_GOING:
		r.Type = record.NotGoing
	case waE2E.EventResponseMessage_MAYBE:
		r.Type = record.Maybe
	default:
		return // a later version may know it
	}
	r.Details = record.Details{Guests: max(int(response.GetExtraGuestCount()), 0)}.Encode()
}
