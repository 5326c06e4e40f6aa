package content

import (
	"crypto/sha256"
	"slices"

	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/util/gcmutil"
	"go.mau.fi/whatsmeow/util/hkdfutil"
	"google.golang.org/protobuf/proto"

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

// sealIn returns what is encrypted in a part of a message.
func sealIn(p part) (s seal, is bool) {
	switch m := p.value.(type) {
	case *waE2E.PollUpdateMessage:
		s = seal{kind: record.Vote, of: m.GetPollCreationMessageKey(), uses: []string{"Poll Vote"}, bound: true, payload: m.GetVote()}
	case *waE2E.EncReactionMessage:
		s = seal{kind: record.Reaction, of: m.GetTargetMessageKey(), uses: []string{"Enc Reaction"}, payload: m}
	case *waE2E.EncCommentMessage:
		s = seal{kind: record.Message, of: m.GetTargetMessageKey(), uses: []string{"Enc Comment"}, payload: m}
	case *waE2E.EncEventResponseMessage:
		s = seal{kind: record.Response, of: m.GetEventCreationMessageKey(), uses: []string{"Event Response"}, bound: true, payload: m}
	case *waE2E.SecretEncryptedMessage:
		s = seal{of: m.GetTargetMessageKey(), payload: m}
		switch m.GetSecretEncType() {
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
func (r *reading) sealed(p part) bool {
	s, is := sealIn(p)
	if !is || !r.about(s.of) {
		return false
	}
	r.Kind, r.Type = s.kind, record.Sealed
	if r.Original == nil {
		return true
	}
	if o, here := r.Original(r.Group, *r.Target); here {
		if plain, ok := r.decrypt(s, o); ok {
			r.unseal(s, plain, o)
		}
	}
	return true
}

// decrypt opens what is sealed. The key is made of the secret, the message's ID and the
// addresses of both senders. In one group phones name a person by LID or by number, and
// the message that has the secret may have come under the other address: so both are
// tried. What no key opens was not made with this secret, or not for this message by this
// sender.
func (r *reading) decrypt(s seal, o Original) (plain []byte, ok bool) {
	iv, payload := s.payload.GetEncIV(), s.payload.GetEncPayload()
	if len(iv) != ivSize { // which would panic
		return nil, false
	}
	authors, senders := r.addresses(r.Target.Sender, o.Sender), r.addresses(r.Sender)
	for _, secret := range secretsOf(o.Protobuf) {
		for _, use := range s.uses {
			for _, author := range authors {
				for _, sender := range senders {
					key := hkdfutil.SHA256(secret, nil, []byte(s.of.GetID()+author+sender+use), 32)
					var bound []byte
					if s.bound {
						bound = []byte(s.of.GetID() + "\x00" + sender)
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
func (r Reader) addresses(of ...record.Address) (all []string) {
	for _, a := range of {
		all = append(all, a.JID, a.Alt)
	}
	for _, a := range of {
		if r.Other != nil && a.Alt == "" {
			all = append(all, r.Other(a.JID))
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
	for _, c := range open(&m).around {
		if secret := c.GetMessageSecret(); len(secret) > 0 {
			secrets = append(secrets, secret)
		}
	}
	return secrets
}

// unseal reads what was encrypted in r, of which kind and target are read. From then on
// r is what it would be had that come in the clear. What makes no sense leaves it as it
// is: sealed.
func (r *reading) unseal(s seal, plain []byte, o Original) {
	switch s.kind {
	case record.Vote:
		r.vote(plain, o)
		return
	case record.Response:
		r.response(plain)
		return
	}
	m := inTheClear(s, plain)
	if m == nil {
		return
	}
	hideOnce(m.ProtoReflect(), false)
	reader := *r
	reader.Original = nil // what is sealed within stays so
	if c := reader.within(m); c.Kind == r.Kind && c.Type != record.Sealed {
		r.Type, r.Text, r.details, r.File, r.Emoji, r.Mentions = c.Type, c.Text, c.details, c.File, c.Emoji, c.Mentions
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
	for _, p := range open(&m).parts {
		switch content := p.value.(type) {
		case *waE2E.CommentMessage:
			content.TargetMessageKey = s.of
			return &m
		case *waE2E.PollAddOptionMessage:
			content.PollCreationMessageKey = s.of
			return &m
		case *waE2E.ProtocolMessage:
			content.Key = s.of
			return &m
		}
	}
	switch s.kind { // the content alone
	case record.Message:
		return &waE2E.Message{CommentMessage: &waE2E.CommentMessage{Message: &m, TargetMessageKey: s.of}}
	case record.Edit:
		return &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{
			Type: waE2E.ProtocolMessage_MESSAGE_EDIT.Enum(), Key: s.of, EditedMessage: &m,
		}}
	}
	return nil
}

// vote reads a vote. It names options by the digests of their names, so that the poll
// is needed to tell which they are.
func (r *reading) vote(plain []byte, o Original) {
	var vote waE2E.PollVoteMessage
	if proto.Unmarshal(plain, &vote) != nil || len(vote.SelectedOptions) == 0 && len(vote.ProtoReflect().GetUnknown()) > 0 {
		return
	}
	r.Type = record.Cast
	if len(vote.SelectedOptions) == 0 {
		r.Type = record.Withdrawn
	}
	known := make(map[string]bool) // digests, whether they are those of an option
	for _, digest := range vote.SelectedOptions {
		known[string(digest)] = false
	}
	for _, name := range append(optionsOf(o.Protobuf), o.Added...) {
		digest := sha256.Sum256([]byte(name))
		if told, chosen := known[string(digest[:])]; chosen && !told {
			known[string(digest[:])] = true
			r.details.Chosen = append(r.details.Chosen, Valid(name))
		}
	}
	r.Text = lines(r.details.Chosen...)
	r.details.Unknown = len(known) - len(r.details.Chosen)
}

// optionsOf returns the names of the options of the poll that a message is.
func optionsOf(protobuf []byte) (names []string) {
	var m waE2E.Message
	if proto.Unmarshal(protobuf, &m) != nil {
		return nil
	}
	for _, p := range open(&m).parts { // in whichever of the forms there are, and wrapped however
		if poll, is := p.value.(*waE2E.PollCreationMessage); is {
			for _, option := range poll.GetOptions() {
				names = append(names, option.GetOptionName())
			}
		}
	}
	return names
}

// response reads whether somebody comes to an event.
func (r *reading) response(plain []byte) {
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
	r.details.Guests = max(int(response.GetExtraGuestCount()), 0)
}
