package standin

import (
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
)

// What the server may read of a message: a few attributes outside the
// encryption, which the sender's phone derives from the content.

// inner takes the wrappers off a message.
func inner(m *waE2E.Message) *waE2E.Message {
	for {
		var next *waE2E.Message
		for _, wrapper := range []*waE2E.FutureProofMessage{
			m.GetEphemeralMessage(), m.GetViewOnceMessage(), m.GetViewOnceMessageV2(), m.GetViewOnceMessageV2Extension(),
			m.GetDocumentWithCaptionMessage(), m.GetEditedMessage(), m.GetLottieStickerMessage(),
		} {
			if wrapper.GetMessage() != nil {
				next = wrapper.GetMessage()
			}
		}
		if next == nil {
			return m
		}
		m = next
	}
}

// stanzaType is the type of a message's stanza. Edits, deletions and pins are "text".
func stanzaType(content *waE2E.Message) string {
	m := inner(content)
	switch {
	case m.GetReactionMessage() != nil, m.GetEncReactionMessage() != nil:
		return "reaction"
	case pollType(m) != "":
		return "poll"
	case mediaType(m) != "":
		return "media"
	}
	return "text"
}

// pollType says what a message has to do with a poll, if anything.
func pollType(content *waE2E.Message) string {
	m := inner(content)
	switch {
	case m.GetPollUpdateMessage() != nil:
		return "vote"
	case m.GetPollCreationMessage() != nil, m.GetPollCreationMessageV2() != nil, m.GetPollCreationMessageV3() != nil:
		return "creation"
	}
	return ""
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
	}
	return ""
}

// editAttr says what a message does to an earlier one, if anything.
func editAttr(content *waE2E.Message) string {
	m := inner(content)
	p := m.GetProtocolMessage()
	switch {
	case p.GetType() == waE2E.ProtocolMessage_MESSAGE_EDIT && p.GetEditedMessage() != nil,
		m.GetSecretEncryptedMessage().GetSecretEncType() == waE2E.SecretEncryptedMessage_MESSAGE_EDIT:
		return string(types.EditAttributeMessageEdit)
	case m.GetPinInChatMessage() != nil:
		return string(types.EditAttributePinInChat)
	case p != nil && p.GetType() == waE2E.ProtocolMessage_REVOKE && !p.GetKey().GetFromMe():
		return string(types.EditAttributeAdminRevoke)
	case p != nil && p.GetKey() != nil && p.GetType() == waE2E.ProtocolMessage_REVOKE,
		m.GetReactionMessage() != nil && m.GetReactionMessage().GetText() == "":
		return string(types.EditAttributeSenderRevoke)
	}
	return ""
}

// describe puts on an encrypted message what must be known of it undecrypted.
func describe(encrypted *waBinary.Node, content *waE2E.Message) {
	m := inner(content)
	if kind := mediaType(m); kind != "" {
		encrypted.Attrs["mediatype"] = kind
	}
	if m.GetReactionMessage() != nil || m.GetPinInChatMessage() != nil || m.GetPollUpdateMessage() != nil ||
		m.GetProtocolMessage().GetType() == waE2E.ProtocolMessage_MESSAGE_EDIT && m.GetProtocolMessage() != nil {
		encrypted.Attrs["decrypt-fail"] = "hide"
	}
}
