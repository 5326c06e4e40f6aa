package standin

import (
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
)

// What the server may read of a message: a few attributes outside the
// encryption, which the sender's phone derives from the content.

// stanzaType is the type of a message's stanza. Edits, deletions and pins are "text".
func stanzaType(content *waE2E.Message) string {
	m := inner(content)
	switch {
	case m.ReactionMessage != nil, m.EncReactionMessage != nil:
		return "reaction"
	case m.PollUpdateMessage != nil, pollOf(m) != nil:
		return "poll"
	case m.EventMessage != nil:
		return "event"
	case mediaType(m) != "":
		return "media"
	}
	return "text"
}

// metaAttrs says what a message has to do with a poll or an event; nil if nothing.
func metaAttrs(content *waE2E.Message) waBinary.Attrs {
	m := inner(content)
	switch {
	case m.PollUpdateMessage != nil:
		return waBinary.Attrs{"polltype": "vote"}
	case pollOf(m) != nil:
		return waBinary.Attrs{"polltype": "creation"}
	case m.EventMessage != nil:
		return waBinary.Attrs{"event_type": "creation"}
	case m.EncEventResponseMessage != nil:
		return waBinary.Attrs{"event_type": "response"}
	case m.GetSecretEncryptedMessage().GetSecretEncType() == waE2E.SecretEncryptedMessage_EVENT_EDIT:
		return waBinary.Attrs{"event_type": "edit"}
	}
	return nil
}

// mediaType says what kind of attachment a message has, if any.
func mediaType(m *waE2E.Message) string {
	switch {
	case m.GetImageMessage() != nil:
		return "image"
	case m.GetVideoMessage().GetGifPlayback():
		return "gif"
	case m.GetVideoMessage() != nil:
		return "video"
	case m.GetPtvMessage() != nil:
		return "ptv"
	case m.GetAudioMessage().GetPTT():
		return "ptt"
	case m.GetAudioMessage() != nil:
		return "audio"
	case m.GetDocumentMessage() != nil:
		return "document"
	case m.GetStickerMessage() != nil:
		return "sticker"
	case m.GetContactMessage() != nil:
		return "vcard"
	case m.GetContactsArrayMessage() != nil:
		return "contact_array"
	case m.GetLocationMessage() != nil:
		return "location"
	case m.GetLiveLocationMessage() != nil:
		return "livelocation"
	case m.GetListMessage() != nil:
		return "list"
	case m.GetListResponseMessage() != nil:
		return "list_response"
	case m.GetButtonsResponseMessage() != nil:
		return "buttons_response"
	case m.GetInteractiveResponseMessage() != nil:
		return "native_flow_response"
	case m.GetOrderMessage() != nil:
		return "order"
	case m.GetProductMessage() != nil:
		return "product"
	case m.GetExtendedTextMessage().GetTitle() != "":
		return "url"
	}
	return ""
}

// editAttr says what a message does to an earlier one, if anything.
func editAttr(content *waE2E.Message) string {
	m := inner(content)
	p, revokes := m.ProtocolMessage, false
	if p.GetKey() != nil {
		revokes = p.GetType() == waE2E.ProtocolMessage_REVOKE
	}
	switch {
	case edits(m):
		return string(types.EditAttributeMessageEdit)
	case m.PinInChatMessage != nil:
		return string(types.EditAttributePinInChat)
	case revokes && !p.GetKey().GetFromMe():
		return string(types.EditAttributeAdminRevoke)
	case revokes, m.ReactionMessage != nil && m.ReactionMessage.GetText() == "",
		m.KeepInChatMessage.GetKeepType() == waE2E.KeepType_UNDO_KEEP_FOR_ALL && m.KeepInChatMessage.GetKey().GetFromMe():
		return string(types.EditAttributeSenderRevoke)
	}
	return ""
}

// edits reports whether m edits a message, a poll or an event.
func edits(m *waE2E.Message) bool {
	switch m.GetSecretEncryptedMessage().GetSecretEncType() {
	case waE2E.SecretEncryptedMessage_MESSAGE_EDIT, waE2E.SecretEncryptedMessage_POLL_EDIT, waE2E.SecretEncryptedMessage_EVENT_EDIT:
		return true
	}
	return m.GetProtocolMessage().GetEditedMessage() != nil && m.ProtocolMessage.GetType() == waE2E.ProtocolMessage_MESSAGE_EDIT
}

// describe puts on an encrypted message what must be known of it undecrypted.
func describe(encrypted *waBinary.Node, content *waE2E.Message) {
	m := inner(content)
	if kind := mediaType(m); kind != "" {
		encrypted.Attrs["mediatype"] = kind
	}
	if m.ReactionMessage != nil || m.EncReactionMessage != nil || m.PinInChatMessage != nil || m.KeepInChatMessage != nil ||
		m.PollUpdateMessage != nil || m.EncEventResponseMessage != nil || edits(m) {
		encrypted.Attrs["decrypt-fail"] = "hide"
	}
}
