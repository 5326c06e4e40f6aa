package standin

import (
	"fmt"
	"strings"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// What phones put around what people write.

// compose makes a message of what is to be said: with those whom it mentions, what it
// answers, a secret for what may refer to it later, and in its wrappers.
func (v Voice) compose(g *Group, content *waE2E.Message) *waE2E.Message {
	content = proto.Clone(content).(*waE2E.Message)
	said := inner(content)
	v.mention(g, said)
	v.quote(said)
	speaks := speaks(said)
	if speaks {
		v.equip(content)
	}
	if v.once {
		content = once(content)
	}
	for i := range v.wrappers {
		content = wrapped(content, v.wrappers[len(v.wrappers)-1-i])
	}
	if speaks && g != nil && g.timer > 0 {
		if about := aboutOf(said); about != nil {
			about.Expiration = proto.Uint32(uint32(g.timer.Seconds()))
		}
		content = wrapped(content, "ephemeralMessage")
	}
	return content
}

// equip gives content a secret, and says what it is part of.
func (v Voice) equip(content *waE2E.Message) {
	if content.MessageContextInfo == nil {
		content.MessageContextInfo = &waE2E.MessageContextInfo{}
	}
	if content.MessageContextInfo.MessageSecret == nil {
		content.MessageContextInfo.MessageSecret = randomBytes(32)
	}
	if v.part != nil {
		content.MessageContextInfo.MessageAssociation = v.part
	}
}

// speaks reports whether a message says something of its own. What only refers to
// another gets no secret, and does not disappear by itself.
func speaks(m *waE2E.Message) bool {
	return m.ReactionMessage == nil && m.EncReactionMessage == nil && m.ProtocolMessage == nil &&
		m.SecretEncryptedMessage == nil && m.PollUpdateMessage == nil && m.PollAddOptionMessage == nil &&
		m.EncEventResponseMessage == nil && m.PinInChatMessage == nil && m.KeepInChatMessage == nil
}

// saying is a message of nothing but text.
func saying(text string) *waE2E.Message { return &waE2E.Message{Conversation: proto.String(text)} }

// mention makes the names that m mentions addresses, and lists them.
func (v Voice) mention(g *Group, m *waE2E.Message) {
	if len(v.mentioning) == 0 {
		return
	}
	about, words := aboutOf(m), wordsOf(m) // in this order: m may become another kind of text
	if words == nil || *words == nil {
		panic("standin: a message without text mentions nobody")
	}
	text := **words
	for _, mentioned := range v.mentioning {
		if !strings.Contains(text, "@"+mentioned.name) {
			panic(fmt.Sprintf("standin: text mentions no @%s", mentioned.name))
		}
		address := v.names(mentioned, g)
		text = strings.ReplaceAll(text, "@"+mentioned.name, "@"+address.User)
		about.MentionedJID = append(about.MentionedJID, address.String())
	}
	*words = &text
}

// quote makes m a reply.
func (v Voice) quote(m *waE2E.Message) {
	if v.quoting == nil {
		return
	}
	about := aboutOf(m)
	if about == nil {
		panic("standin: such a message quotes nothing")
	}
	about.StanzaID = proto.String(v.quoting.id)
	about.Participant = proto.String(v.names(v.quoting.voice.member, v.quoting.group).String())
	about.QuotedMessage = v.quoting.Content()
	about.QuotedMessage.MessageContextInfo = nil
}

// aboutOf is what a message, without wrappers, says of other messages and people; nil
// if such a message cannot. A plain text becomes one that can.
func aboutOf(m *waE2E.Message) *waE2E.ContextInfo {
	if m.Conversation != nil {
		m.ExtendedTextMessage = &waE2E.ExtendedTextMessage{Text: m.Conversation}
		m.Conversation = nil
	}
	var about *waE2E.ContextInfo
	m.ProtoReflect().Range(func(f protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		if f.Message() == nil {
			return true
		}
		if field := f.Message().Fields().ByName("contextInfo"); field != nil {
			about = value.Message().Mutable(field).Message().Interface().(*waE2E.ContextInfo)
		}
		return about == nil
	})
	return about
}

// wordsOf is where a message, without wrappers, has its text or caption; nil if such
// a message has none.
func wordsOf(m *waE2E.Message) **string {
	switch {
	case m.Conversation != nil:
		return &m.Conversation
	case m.ExtendedTextMessage != nil:
		return &m.ExtendedTextMessage.Text
	case m.ImageMessage != nil:
		return &m.ImageMessage.Caption
	case m.VideoMessage != nil:
		return &m.VideoMessage.Caption
	case m.PtvMessage != nil:
		return &m.PtvMessage.Caption
	case m.DocumentMessage != nil:
		return &m.DocumentMessage.Caption
	case m.LiveLocationMessage != nil:
		return &m.LiveLocationMessage.Caption
	}
	return nil
}

// wrapped puts content into a wrapper. What is said of the message as a whole stays
// outside.
func wrapped(content *waE2E.Message, field string) *waE2E.Message {
	outside := content.MessageContextInfo
	content.MessageContextInfo = nil
	whole := &waE2E.Message{MessageContextInfo: outside}
	for _, f := range wrapperFields {
		if string(f.Name()) == field {
			wrapper := &waE2E.FutureProofMessage{Message: content}
			whole.ProtoReflect().Set(f, protoreflect.ValueOfMessage(wrapper.ProtoReflect()))
			return whole
		}
	}
	panic("standin: there is no wrapper " + field)
}

// wrapperFields are the fields of a message that hold another in the place of it.
var wrapperFields = func() (wrappers []protoreflect.FieldDescriptor) {
	fields := (&waE2E.Message{}).ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		if f := fields.Get(i); f.Message() != nil && f.Message().Name() == "FutureProofMessage" {
			wrappers = append(wrappers, f)
		}
	}
	return wrappers
}()

// inner takes the wrappers off a message.
func inner(m *waE2E.Message) *waE2E.Message {
	for {
		next := within(m)
		if next == nil {
			return m
		}
		m = next
	}
}

func within(m *waE2E.Message) *waE2E.Message {
	for _, f := range wrapperFields {
		if m.ProtoReflect().Has(f) {
			return m.ProtoReflect().Get(f).Message().Interface().(*waE2E.FutureProofMessage).Message
		}
	}
	return nil
}

// once is content to be viewed once. Of a recording there is a form of its own.
func once(content *waE2E.Message) *waE2E.Message {
	switch {
	case content.ImageMessage != nil:
		content.ImageMessage.ViewOnce = proto.Bool(true)
	case content.VideoMessage != nil:
		content.VideoMessage.ViewOnce = proto.Bool(true)
	case content.AudioMessage != nil:
		content.AudioMessage.ViewOnce = proto.Bool(true)
		return wrapped(content, "viewOnceMessageV2Extension")
	}
	return wrapped(content, "viewOnceMessageV2")
}
