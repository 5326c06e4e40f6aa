package whatsapp

import (
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"

	"muniment/internal/content"
	"muniment/internal/record"
)

// A translator makes records of what WhatsApp delivered of the listed groups.
type translator struct {
	groups map[string]bool // JIDs of the listed groups
	own    map[string]bool // JIDs of the council's own account
	reader content.Reader
}

// listed reports whether chat is one of the listed groups, to the letter.
func (t translator) listed(chat types.JID) bool { return t.groups[chat.String()] }

// message makes a record of a message. There is none if the chat is not listed, or if
// the message brings nothing but keys.
//
// It is read from the raw message and not from evt.Message: what our own phone resends
// on request has been rewritten there (ParseWebMessage gives an edit the ID and the
// looks of what it edits).
func (t translator) message(evt *events.Message) (r record.Received, is bool) {
	if !t.listed(evt.Info.Chat) {
		return record.Received{}, false
	}
	raw := evt.RawMessage
	if raw == nil {
		raw = evt.Message
	}
	if evt.RetryCount > 0 && raw.GetSenderKeyDistributionMessage() != nil {
		raw = proto.Clone(raw).(*waE2E.Message) // the key came with the message, which can be empty
		raw.SenderKeyDistributionMessage = nil
	}
	e := t.envelope(evt.Info)
	if evt.SourceWebMsg != nil {
		e.ID = content.ID(evt.SourceWebMsg.GetKey().GetID())
	}
	r, is = t.reader.Read(e, raw)
	r.Supplied = evt.SourceWebMsg != nil
	return r, is
}

func (t translator) envelope(info types.MessageInfo) content.Envelope {
	return content.Envelope{
		Group:    info.Chat.String(),
		ID:       content.ID(info.ID),
		Sender:   t.address(info.Sender, info.SenderAlt, info.Chat),
		PushName: info.PushName,
		Own:      info.IsFromMe,
		Sent:     info.Timestamp,
	}
}

// address returns a person's address, or the group's where there is none. Alt is the
// other one if it is known already.
func (t translator) address(jid, alt, group types.JID) record.Address {
	return t.reader.Address(jid, alt, group.String())
}
