package content

import (
	"strconv"
	"time"

	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"

	"muniment/internal/record"
)

// amendment reads what is about an earlier message, or about the group. Whether its
// sender is entitled to it is not asked here: what is forged is kept as well, and its
// target tells. What does not say of whose message it is cannot be read.
func (r *reading) amendment(p part) bool {
	switch m := p.value.(type) {
	case *waE2E.ReactionMessage:
		return r.about(m.GetKey()) && r.reaction(m)
	case *waE2E.PinInChatMessage:
		return r.about(m.GetKey()) && r.pin(m)
	case *waE2E.KeepInChatMessage:
		return r.about(m.GetKey()) && r.keep(m)
	case *waE2E.PollAddOptionMessage:
		return r.about(m.GetPollCreationMessageKey()) && r.option(m)
	case *waE2E.ProtocolMessage:
		if m.Type == nil {
			return false
		}
		switch m.GetType() {
		case waE2E.ProtocolMessage_MESSAGE_EDIT:
			return r.about(m.GetKey()) && (r.itself(m.GetEditedMessage()) || r.edit(m.GetEditedMessage()))
		case waE2E.ProtocolMessage_REVOKE:
			return r.about(m.GetKey()) && r.deletion()
		}
		return r.setting(m)
	}
	return false
}

// about notes the message that key names, if it does.
func (r *reading) about(key *waCommon.MessageKey) bool {
	target, ok := r.target(key)
	r.Target = &target
	return ok
}

// target reads the key by which r names another message, if it says of whose it is.
// It is written from the point of view of r's sender: fromMe means a message of their
// own, whatever the participant.
func (r *reading) target(key *waCommon.MessageKey) (record.Ref, bool) {
	target := record.Ref{ID: ID(key.GetID()), Sender: r.Sender}
	if !key.GetFromMe() {
		jid, ok := user(key.GetParticipant())
		if !ok {
			return record.Ref{}, false
		}
		if target.Sender = r.Address(jid, types.EmptyJID, ""); Same(target.Sender, r.Sender) {
			target.Sender = r.Sender
		}
	}
	return target, target.ID != ""
}

func (r *reading) reaction(m *waE2E.ReactionMessage) bool {
	r.Kind, r.Type, r.Emoji = record.Reaction, record.ReactionAdded, Valid(m.GetText())
	if r.Emoji == "" {
		r.Type = record.ReactionRemoved
	}
	return true
}

// edit reads the new content of a message; its type may be any that people write. The
// key of an edit names the original, however often edited.
func (r *reading) edit(m *waE2E.Message) bool {
	said := r.within(m)
	if said.Kind != record.Message || said.Type == record.ViewOnce || said.Type == record.Sealed {
		return false
	}
	if target, part, ok := r.partOf(); ok && (part == record.LargerCopy || part == record.OtherCopy) && said.File != nil {
		// Phones send these so, too. It changes nothing that was said.
		r.Kind, r.Type, r.Text, r.File, r.Target = said.Kind, said.Type, said.Text, said.File, &target
		r.details = said.details
		r.details.Part = part
		return true
	}
	r.Kind, r.Type, r.Text, r.Mentions = record.Edit, said.Type, said.Text, said.Mentions
	r.details = said.details
	r.details.Part = "" // what it is part of, the original tells
	return true
}

// itself reads a message that was edited, as the council's phone keeps it: an edit under
// the message's own ID. What it said before the phone no longer knows.
func (r *reading) itself(m *waE2E.Message) bool {
	if r.ID == "" || r.Target.ID != r.ID || !Same(r.Target.Sender, r.Sender) {
		return false
	}
	said := r.within(m)
	if said.Kind != record.Message || said.Type == record.Sealed {
		return false
	}
	r.Kind, r.Type, r.Text, r.Mentions, r.File, r.Target = said.Kind, said.Type, said.Text, said.Mentions, said.File, said.Target
	r.details = said.details
	r.details.Edited = true
	return true
}

func (r *reading) deletion() bool {
	r.Kind, r.Type = record.Deletion, record.ByAdmin
	if r.Target.Sender == r.Sender {
		r.Type = record.ByAuthor
	}
	return true
}

func (r *reading) pin(m *waE2E.PinInChatMessage) bool {
	switch m.GetType() {
	case waE2E.PinInChatMessage_PIN_FOR_ALL:
		r.Kind, r.Type = record.Pin, record.Pinned
		for _, c := range r.around {
			if s := c.GetMessageAddOnDurationInSecs(); s > 0 && r.details.Until == nil {
				r.details.Until = moment(r.Sent.Add(time.Duration(s) * time.Second).Unix())
			}
		}
	case waE2E.PinInChatMessage_UNPIN_FOR_ALL:
		r.Kind, r.Type = record.Pin, record.Unpinned
	default:
		return false
	}
	return true
}

func (r *reading) keep(m *waE2E.KeepInChatMessage) bool {
	switch m.GetKeepType() {
	case waE2E.KeepType_KEEP_FOR_ALL:
		r.Kind, r.Type = record.Keep, record.KeptInChat
	case waE2E.KeepType_UNDO_KEEP_FOR_ALL:
		r.Kind, r.Type = record.Keep, record.UnkeptInChat
	default:
		return false
	}
	return true
}

// setting reads a change of the group's settings that comes as a message.
func (r *reading) setting(m *waE2E.ProtocolMessage) bool {
	switch m.GetType() {
	case waE2E.ProtocolMessage_EPHEMERAL_SETTING:
		r.Type, r.Text = record.Timer, strconv.FormatUint(uint64(m.GetEphemeralExpiration()), 10)
	case waE2E.ProtocolMessage_GROUP_MEMBER_LABEL_CHANGE:
		r.Type, r.Text = record.Label, OneLine(m.GetMemberLabel().GetLabel())
	case waE2E.ProtocolMessage_LIMIT_SHARING:
		r.Type, r.Text = record.Privacy, "off"
		if m.GetLimitSharing().GetSharingLimited() {
			r.Text = "on"
		}
	default:
		return false
	}
	r.Kind = record.Group
	return true
}
