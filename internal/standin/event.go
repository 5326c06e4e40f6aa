package standin

import (
	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"
)

// Plans makes the member ask the group to an event.
func (v Voice) Plans(event *waE2E.EventMessage) *Message {
	return v.Sends(&waE2E.Message{EventMessage: event})
}

// Replans makes the member change an event of theirs. Such an edit is always sealed.
func (v Voice) Replans(event *Message, now *waE2E.EventMessage) *Message {
	v.mustOwn(event)
	defer v.lock().Unlock()
	return v.answer(event, v.sealing(event, eventEdit, v.edit(event, &waE2E.Message{EventMessage: now})))
}

// Responds makes the member say whether they come to an event, and how many guests
// they bring.
func (v Voice) Responds(event *Message, response waE2E.EventResponseMessage_EventResponseType, guests int32) *Message {
	defer v.lock().Unlock()
	answer := &waE2E.EventResponseMessage{Response: response.Enum(), TimestampMS: proto.Int64(v.time().UnixMilli())}
	if guests > 0 {
		answer.ExtraGuestCount = proto.Int32(guests)
	}
	sealed, iv := v.seal(event, "Event Response", answer)
	v.opened = answer
	return v.answer(event, &waE2E.Message{EncEventResponseMessage: &waE2E.EncEventResponseMessage{
		EventCreationMessageKey: event.key(v), EncPayload: sealed, EncIV: iv,
	}})
}
