package standin

import (
	"fmt"
	"sync"
	"time"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"
)

// What members say to each other, and do to what was said.

// Says makes the member say text in the group. Each member mentioned must occur
// in the text by name, as @Name.
func (v Voice) Says(text string, mentioned ...*Member) *Message {
	return v.Mentioning(mentioned...).Sends(saying(text))
}

// Replies makes the member quote a message and reply to it, where it was sent.
// For mentioned see [Voice.Says].
func (v Voice) Replies(to *Message, text string, mentioned ...*Member) *Message {
	defer v.lock().Unlock()
	return v.Quoting(to).Mentioning(mentioned...).answer(to, saying(text))
}

// Forwards makes the member forward a message to the group. It counts how often that
// has been done.
func (v Voice) Forwards(m *Message) *Message {
	content := m.Content()
	content.MessageContextInfo = nil
	about := aboutOf(inner(content))
	if about == nil {
		panic("standin: message " + m.id + " cannot be forwarded")
	}
	times := about.GetForwardingScore() + 1
	*about = waE2E.ContextInfo{IsForwarded: proto.Bool(true), ForwardingScore: proto.Uint32(times)}
	return v.Sends(content)
}

// Reacts makes the member react to a message, or change an earlier reaction.
func (v Voice) Reacts(to *Message, emoji string) *Message {
	defer v.lock().Unlock()
	reaction := &waE2E.ReactionMessage{Text: proto.String(emoji), SenderTimestampMS: proto.Int64(v.time().UnixMilli())}
	if v.sealed {
		sealed, iv := v.seal(to, "Enc Reaction", reaction)
		v.opened = reaction
		return v.answer(to, &waE2E.Message{EncReactionMessage: &waE2E.EncReactionMessage{
			TargetMessageKey: to.key(v), EncPayload: sealed, EncIV: iv,
		}})
	}
	reaction.Key = to.key(v)
	return v.answer(to, &waE2E.Message{ReactionMessage: reaction})
}

// TakesBack makes the member take back the reaction to a message.
func (v Voice) TakesBack(to *Message) *Message { return v.Reacts(to, "") }

// Comments makes the member comment on a message.
func (v Voice) Comments(on *Message, text string) *Message {
	defer v.lock().Unlock()
	if v.sealed {
		sealed, iv := v.seal(on, "Enc Comment", saying(text))
		return v.answer(on, &waE2E.Message{EncCommentMessage: &waE2E.EncCommentMessage{
			TargetMessageKey: on.key(v), EncPayload: sealed, EncIV: iv,
		}})
	}
	return v.answer(on, &waE2E.Message{CommentMessage: &waE2E.CommentMessage{Message: saying(text), TargetMessageKey: on.key(v)}})
}

// Edits makes the member change the text, or the caption, of a message of theirs.
// For mentioned see [Voice.Says].
func (v Voice) Edits(m *Message, text string, mentioned ...*Member) *Message {
	v.mustOwn(m)
	defer v.lock().Unlock()
	now := m.reworded(text)
	v.Mentioning(mentioned...).mention(m.group, now)
	if v.sealed {
		return v.answer(m, v.sealing(m, messageEdit, v.edit(m, now)))
	}
	return v.answer(m, &waE2E.Message{EditedMessage: &waE2E.FutureProofMessage{Message: v.edit(m, now)}})
}

// EditsBare is [Voice.Edits] in the other form that there is: without a wrapper. If
// it is [Voice.Sealed], the new message itself is what is sealed.
func (v Voice) EditsBare(m *Message, text string) *Message {
	v.mustOwn(m)
	defer v.lock().Unlock()
	now := m.reworded(text)
	if v.sealed {
		return v.answer(m, v.sealing(m, messageEdit, now))
	}
	return v.answer(m, v.edit(m, now))
}

// ForgesEdit makes the member change the text of whosever message; see [Voice.Forging].
func (v Voice) ForgesEdit(m *Message, text string) *Message { return v.Forging().Edits(m, text) }

func (v Voice) edit(m *Message, now *waE2E.Message) *waE2E.Message {
	return &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{
		Key:           m.key(v),
		Type:          waE2E.ProtocolMessage_MESSAGE_EDIT.Enum(),
		EditedMessage: now,
		TimestampMS:   proto.Int64(v.time().UnixMilli()),
	}}
}

// reworded is what the message says, with another text or caption.
func (m *Message) reworded(text string) *waE2E.Message {
	now := proto.Clone(inner(m.content)).(*waE2E.Message)
	if now.MessageContextInfo = nil; now.ExtendedTextMessage != nil || now.Conversation != nil {
		return saying(text)
	}
	*aboutOf(now) = waE2E.ContextInfo{}
	*wordsOf(now) = proto.String(text)
	return now
}

func (v Voice) mustOwn(m *Message) {
	if m.voice.member != v.member && !v.forging {
		panic(fmt.Sprintf("standin: message %s is not %s's; see Forging", m.id, v.member.name))
	}
}

// Deletes makes the member delete a message for everyone: one of theirs, or as
// an admin somebody else's.
func (v Voice) Deletes(m *Message) *Message {
	if m.voice.member != v.member {
		v.mustLead(m)
	}
	return v.ForgesDeletion(m)
}

// mustLead panics unless the member is an admin of the group that m was sent to.
func (v Voice) mustLead(m *Message) {
	defer v.lock().Unlock()
	if m.group == nil {
		v.mustOwn(m)
	}
	v.In(m.group).asAdmin()
}

// ForgesDeletion makes the member delete whosever message, admin or not, as only an
// altered app can: the server does not ask.
func (v Voice) ForgesDeletion(m *Message) *Message {
	defer v.lock().Unlock()
	return v.answer(m, &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{
		Key: m.key(v), Type: waE2E.ProtocolMessage_REVOKE.Enum(),
	}})
}

// Pins makes the member pin a message in the chat, for so long.
func (v Voice) Pins(m *Message, d time.Duration) *Message {
	defer v.lock().Unlock()
	pin := v.pin(m, waE2E.PinInChatMessage_PIN_FOR_ALL)
	pin.MessageContextInfo = &waE2E.MessageContextInfo{MessageAddOnDurationInSecs: proto.Uint32(uint32(d.Seconds()))}
	return v.answer(m, pin)
}

// Unpins makes the member take a message's pin off.
func (v Voice) Unpins(m *Message) *Message {
	defer v.lock().Unlock()
	return v.answer(m, v.pin(m, waE2E.PinInChatMessage_UNPIN_FOR_ALL))
}

func (v Voice) pin(m *Message, kind waE2E.PinInChatMessage_Type) *waE2E.Message {
	return &waE2E.Message{PinInChatMessage: &waE2E.PinInChatMessage{
		Key: m.key(v), Type: kind.Enum(), SenderTimestampMS: proto.Int64(v.time().UnixMilli()),
	}}
}

// Keeps makes the member keep a message in the chat that would disappear.
func (v Voice) Keeps(m *Message) *Message { return v.keeps(m, waE2E.KeepType_KEEP_FOR_ALL) }

// Unkeeps makes the member let a kept message disappear after all.
func (v Voice) Unkeeps(m *Message) *Message { return v.keeps(m, waE2E.KeepType_UNDO_KEEP_FOR_ALL) }

func (v Voice) keeps(m *Message, kind waE2E.KeepType) *Message {
	defer v.lock().Unlock()
	return v.answer(m, &waE2E.Message{KeepInChatMessage: &waE2E.KeepInChatMessage{
		Key: m.key(v), KeepType: kind.Enum(), TimestampMS: proto.Int64(v.time().UnixMilli()),
	}})
}

// Sends makes the member send whatever content to the group. The attributes of
// the stanza follow from the content.
func (v Voice) Sends(content *waE2E.Message) *Message {
	defer v.lock().Unlock()
	return v.send(v.inGroup(), nil, content)
}

// Tells makes the member send a direct message. Of these the companion gets
// what its own account receives or sends.
func (v Voice) Tells(to *Member, text string) *Message { return v.SendsTo(to, saying(text)) }

// SendsTo makes the member send whatever content to another.
func (v Voice) SendsTo(to *Member, content *waE2E.Message) *Message {
	defer v.lock().Unlock()
	return v.send(nil, to, content)
}

// lock locks the server's state, for the length of what a member does.
func (v Voice) lock() *sync.Mutex {
	mu := &v.member.server.mu
	mu.Lock()
	return mu
}

// answer sends content where m was sent.
func (v Voice) answer(m *Message, content *waE2E.Message) *Message {
	if m.group == nil {
		return v.send(nil, m.other(v.member), content)
	}
	v.group = m.group
	return v.send(v.inGroup(), nil, content)
}

// send sends content to a group or a person. The caller holds Server.mu.
func (v Voice) send(g *Group, to *Member, content *waE2E.Message) *Message {
	m := &Message{voice: v, id: v.id, group: g, to: to, time: v.time(), content: v.compose(g, content), opened: v.opened}
	if m.id == "" {
		m.id = newID()
	}
	return m.dispatch()
}
