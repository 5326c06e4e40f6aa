package standin

import (
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"
)

// Votes, responses to events, and in newer apps edits and more are encrypted once
// again, under the secret that the message brought which they refer to: whoever has
// not got that message cannot read them.

// seal encrypts what refers to m. The key is bound to the use, to m, to its author and
// to who seals; votes and responses are bound to m and to who seals once more.
func (v Voice) seal(m *Message, use string, what proto.Message) (sealed, iv []byte) {
	secret := m.content.GetMessageContextInfo().GetMessageSecret()
	if secret == nil {
		panic("standin: message " + m.id + " has no secret")
	}
	by := v.member
	if v.posing != nil {
		by = v.posing
	}
	author, sealer := v.names(m.voice.member, m.group), v.names(by, m.group)
	key := must(hkdf.Key(sha256.New, secret, nil, m.id+author.String()+sealer.String()+use, 32))
	var bound []byte
	if use == "Poll Vote" || use == "Event Response" {
		bound = fmt.Appendf(nil, "%s\x00%s", m.id, sealer)
	}
	iv = randomBytes(12)
	return newGCM(key).Seal(nil, iv, must(proto.Marshal(what)), bound), iv
}

// A seal is a kind of sealed change.
type seal struct {
	kind waE2E.SecretEncryptedMessage_SecretEncType
	use  string
}

var (
	messageEdit   = seal{waE2E.SecretEncryptedMessage_MESSAGE_EDIT, "Message Edit"}
	eventEdit     = seal{waE2E.SecretEncryptedMessage_EVENT_EDIT, "Event Edit"}
	pollEdit      = seal{waE2E.SecretEncryptedMessage_POLL_EDIT, "Poll Edit"}
	pollAddOption = seal{waE2E.SecretEncryptedMessage_POLL_ADD_OPTION, "Poll Add Option"}
)

// sealing is the sealed change of m that content is in the clear.
func (v Voice) sealing(m *Message, s seal, content *waE2E.Message) *waE2E.Message {
	sealed, iv := v.seal(m, s.use, content)
	return &waE2E.Message{SecretEncryptedMessage: &waE2E.SecretEncryptedMessage{
		TargetMessageKey: m.key(v), EncPayload: sealed, EncIV: iv, SecretEncType: s.kind.Enum(),
	}}
}
