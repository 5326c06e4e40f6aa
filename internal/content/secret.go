package content

import (
	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"

	"muniment/internal/record"
)

// sealed reads of what is encrypted under a secret of another message what it is and
// which message it names, if it does; and all of it if that message is here.
func (t Reader) sealed(r *record.Received, m *waE2E.Message) bool {
	var kind record.Kind
	var key *waCommon.MessageKey
	switch {
	case m.GetPollUpdateMessage() != nil:
		kind, key = record.Vote, m.PollUpdateMessage.GetPollCreationMessageKey()
	case m.GetEncReactionMessage() != nil:
		kind, key = record.Reaction, m.EncReactionMessage.GetTargetMessageKey()
	case m.GetEncCommentMessage() != nil:
		kind, key = record.Message, m.EncCommentMessage.GetTargetMessageKey()
	case m.GetEncEventResponseMessage() != nil:
		kind, key = record.Response, m.EncEventResponseMessage.GetEventCreationMessageKey()
	case m.GetSecretEncryptedMessage() != nil:
		key = m.SecretEncryptedMessage.GetTargetMessageKey()
		switch m.SecretEncryptedMessage.GetSecretEncType() {
		case waE2E.SecretEncryptedMessage_MESSAGE_EDIT, waE2E.SecretEncryptedMessage_EVENT_EDIT, waE2E.SecretEncryptedMessage_POLL_EDIT:
			kind = record.Edit
		case waE2E.SecretEncryptedMessage_POLL_ADD_OPTION:
			kind = record.Option
		}
	}
	target, ok := t.target(r, key)
	if kind == "" || !ok {
		return false
	}
	r.Kind, r.Type, r.Target = kind, record.Sealed, &target
	t.unseal(r, m)
	return true
}

// unseal reads what is encrypted in m, of which r has kind and target, if it can: from
// then on r is what it would be had m come in the clear. Otherwise r stays sealed.
func (t Reader) unseal(r *record.Received, m *waE2E.Message) {}
