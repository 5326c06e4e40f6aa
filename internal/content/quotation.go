package content

import (
	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"muniment/internal/record"
)

// takeQuotations removes from m, at any depth, the copies of earlier messages and what
// names them, and returns them in the order of the fields they stood in, an outer
// quotation before those within it. A quotation within a quotation is one of its own,
// because each must go with its own original.
//
// What is in fields that this program's whatsmeow does not know stays where it is;
// nobody can tell what it is. So does what is beyond maxQuotations.
func (r Reader) takeQuotations(m *waE2E.Message, rec record.Received) []record.Quotation {
	r.Original = nil // whatever is here by now, a quotation says the same
	q := quoter{reading: reading{Reader: r, Received: rec}}
	q.walk(m.ProtoReflect())
	return q.taken
}

// maxQuotations bounds what one message can cost: each quotation may name a person and a
// message of its own, and all of them are captured in one transaction, which must not
// last longer than the capture of a message may. Phones quote one message.
const maxQuotations = 4096

type quoter struct {
	reading
	taken []record.Quotation
}

func (q *quoter) walk(m protoreflect.Message) {
	if c, ok := m.Interface().(*waE2E.ContextInfo); ok {
		q.take(c)
	}
	eachWithin(m, func(_ protoreflect.FieldDescriptor, within protoreflect.Message) { q.walk(within) })
}

// take moves what quotes out of c.
func (q *quoter) take(c *waE2E.ContextInfo) {
	if !quotes(c) || len(q.taken) >= maxQuotations {
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
		Of: record.Ref{ID: ID(moved.GetStanzaID()), Sender: q.named(moved.GetParticipant(), q.Group)},
	})
	var text []string
	question := moved.GetQuestionReplyQuotedMessage()
	for _, quoted := range []*waE2E.Message{moved.QuotedMessage, question.GetQuotedQuestion(), question.GetQuotedResponse()} {
		if quoted != nil {
			q.walk(quoted.ProtoReflect())
			said := q.within(quoted)
			text = append(text, said.Text)
		}
	}
	q.taken[at].Text = lines(text...)
	q.taken[at].Protobuf = marshal(moved)
}

func quotes(c *waE2E.ContextInfo) bool {
	return c.StanzaID != nil || c.Participant != nil || c.QuotedMessage != nil || c.QuestionReplyQuotedMessage != nil
}

// QuotedElsewhere reports whether a quotation, by its protobuf, is of a message that was
// sent in another chat than that group.
func QuotedElsewhere(group string, quotation []byte) bool {
	var c waE2E.ContextInfo
	if err := (proto.UnmarshalOptions{AllowPartial: true}).Unmarshal(quotation, &c); err != nil {
		return false
	}
	return c.GetRemoteJID() != "" && c.GetRemoteJID() != group
}
