package whatsapp

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waMmsRetry"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"muniment/internal/content"
	"muniment/internal/record"
)

// What the council's phone may answer, besides where the file is now.
var (
	ErrNotOnPhone  = errors.New("the council's phone has not got the file")
	ErrNotSupplied = errors.New("the council's phone could not supply the file")
)

// FileAnswer is what the council's own phone says of a file that it was asked for, see
// [Session.AskFile]. It comes by way of WhatsApp's server, which may say any such thing;
// but what is encrypted under the file's key, only somebody who has the message can have
// written.
type FileAnswer struct {
	Group  string
	Ref    record.Ref // of the message; the sender's other address is not looked up
	Sealed bool       // it is encrypted; else it is an error of which the server tells

	// Open opens the answer with the file's key, and returns where on WhatsApp's servers
	// the file is now: [ErrNotOnPhone], [ErrNotSupplied], or another error if it is no
	// answer about that file.
	Open func(key []byte) (path string, err error)
}

// AskFile asks the council's own phone to upload the file of a message once more, because
// WhatsApp no longer has it. Key is the file's. The answer comes to [Hooks.FileAnswered];
// perhaps when the phone is switched on again, perhaps never. It returns [ErrNotConnected]
// if Run is not connected.
func (s *Session) AskFile(ctx context.Context, group string, ref record.Ref, own bool, key []byte) error {
	l := s.listener.Load()
	if l == nil || !l.link.isUp() {
		return ErrNotConnected
	}
	chat, err := types.ParseJID(group)
	if err != nil || !l.t.listed(chat) {
		return errors.New("ask for a file: it is of no listed group")
	}
	sender, err := types.ParseJID(ref.Sender.JID)
	if err != nil || ref.ID == "" || sender.User == "" {
		return errors.New("ask for a file: it is of no message")
	}
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	id := strings.TrimPrefix(ref.ID, "sent:") // see content.ID
	info := &types.MessageInfo{ID: id, MessageSource: types.MessageSource{Chat: chat, Sender: sender, IsFromMe: own, IsGroup: true}}
	if err := l.client.SendMediaRetryReceipt(ctx, info, key); err != nil {
		return fmt.Errorf("ask for a file: %w", plain(err))
	}
	return nil
}

// answered hands over what the phone answered. It is no message, and counts as a delivery
// without one.
func (l *listener) answered(ctx context.Context, evt *events.MediaRetry) error {
	if !l.t.listed(evt.ChatID) {
		return l.hand(ctx, record.Received{}, false)
	}
	l.hooks.Received()
	return l.hooks.FileAnswered(ctx, FileAnswer{
		Group:  evt.ChatID.String(),
		Ref:    record.Ref{ID: content.ID(evt.MessageID), Sender: record.Address{JID: evt.SenderID.ToNonAD().String()}},
		Sealed: evt.Error == nil || evt.Ciphertext != nil,
		Open:   func(key []byte) (string, error) { return openAnswer(evt, key) },
	})
}

func openAnswer(evt *events.MediaRetry, key []byte) (path string, err error) {
	if evt.Error == nil && len(evt.IV) != 12 { // GCM panics
		return "", errors.New("it is not encrypted as such answers are")
	}
	answer, err := whatsmeow.DecryptMediaRetryNotification(evt, key)
	switch {
	case errors.Is(err, whatsmeow.ErrMediaNotAvailableOnPhone):
		return "", ErrNotOnPhone
	case errors.Is(err, whatsmeow.ErrUnknownMediaRetryError):
		return "", ErrNotSupplied
	case err != nil:
		return "", errors.New("it is not encrypted under the key of that file")
	}
	switch answer.GetResult() {
	case waMmsRetry.MediaRetryNotification_SUCCESS:
		return answer.GetDirectPath(), nil
	case waMmsRetry.MediaRetryNotification_NOT_FOUND:
		return "", ErrNotOnPhone
	}
	return "", ErrNotSupplied
}
