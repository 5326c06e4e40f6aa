package content

import (
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"muniment/internal/record"
)

// takeQuotations removes from m, at any depth, the copies of earlier messages
// and what names them, and returns them in the order of the fields they stood
// in, an outer quotation before those within it. A quotation within a quotation
// is one of its own, because each must go with its own original.
//
// What is in fields that this program's whatsmeow does not know stays where it
// is; nobody can tell what it is.
func takeQuotations(m *waE2E.Message, address func(participant string) record.Address) []record.Quotation {
	q := quoter{address: address}
	q.walk(m.ProtoReflect())
	return q.taken
}

type quoter struct {
	address func(participant string) record.Address
	taken   []record.Quotation
}

func (q *quoter) walk(m protoreflect.Message) {
	if c, ok := m.Interface().(*waE2E.ContextInfo); ok {
		q.take(c)
	}
	eachWithin(m, func(_ protoreflect.FieldDescriptor, within protoreflect.Message) { q.walk(within) })
}

// take moves what quotes out of c.
func (q *quoter) take(c *waE2E.ContextInfo) {
	if !quotes(c) {
		return
	}
	moved := &waE2E.ContextInfo{
		StanzaID: c.StanzaID, Participant: c.Participant, RemoteJID: c.RemoteJID, QuotedType: c.QuotedType,
		QuotedMessage: c.QuotedMessage, QuestionReplyQuotedMessage: c.QuestionReplyQuotedMessage,
	}
	c.StanzaID, c.Participant, c.RemoteJID, c.QuotedType = nil, nil, nil, nil
	c.QuotedMessage, c.QuestionReplyQuotedMessage = nil, nil

	at := len(q.taken)
	q.taken = append(q.taken, record.Quotation{
		Of: record.Ref{ID: moved.GetStanzaID(), Sender: q.address(moved.GetParticipant())},
	})
	for _, within := range []proto.Message{moved.QuotedMessage, moved.QuestionReplyQuotedMessage} {
		if within.ProtoReflect().IsValid() {
			q.walk(within.ProtoReflect())
		}
	}
	if moved.QuotedMessage != nil {
		dropKeys(moved.QuotedMessage)
	}
	q.taken[at].Protobuf = marshal(moved)
	quoted := (&events.Message{RawMessage: moved.QuotedMessage}).UnwrapRaw().Message
	q.taken[at].Text = Valid(readable(quoted))
}

func quotes(c *waE2E.ContextInfo) bool {
	return c.StanzaID != nil || c.Participant != nil || c.QuotedMessage != nil || c.QuestionReplyQuotedMessage != nil
}
