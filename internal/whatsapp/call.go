package whatsapp

import (
	"fmt"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"

	"muniment/internal/content"
	"muniment/internal/record"
)

// call makes the record of a call in a listed group: who began it, when, and whether with
// pictures, if WhatsApp says. Its ID is made of the call's, which everybody is told: a
// message that bears that is another record.
func (t translator) call(m types.BasicCallMeta, media string) (r record.Received, is bool) {
	group := m.GroupJID
	if group.IsEmpty() {
		group = m.From
	}
	if !t.listed(group) {
		return record.Received{}, false
	}
	if m.CallCreator.IsEmpty() && m.From != group {
		m.CallCreator = m.From
	}
	by := t.address(m.CallCreator, m.CallCreatorAlt, group)
	r = record.Received{
		Kind: record.Message, Type: record.Call,
		Group: group.String(), ID: "call:" + content.Valid(m.CallID), Sender: by, Own: t.own[by.JID], Sent: m.Timestamp.UTC(),
	}
	if m.CallID == "" {
		r.ID = fmt.Sprintf("unnamed:call:%d", r.Sent.Unix())
	}
	switch media { // in the words of package content
	case "video":
		r.Details = record.Details{Called: "video"}.Encode()
	case "audio":
		r.Details = record.Details{Called: "voice"}.Encode()
	}
	return r, true
}

// mediaOf returns the medium of a call that is offered; empty if the offer does not say.
func mediaOf(offer *waBinary.Node) string {
	if offer == nil {
		return ""
	}
	if _, is := offer.GetOptionalChildByTag("video"); is {
		return "video"
	}
	if _, is := offer.GetOptionalChildByTag("audio"); is {
		return "audio"
	}
	return ""
}
