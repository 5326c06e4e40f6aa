package whatsapp

import (
	"context"
	"errors"
	"fmt"

	"go.mau.fi/whatsmeow/types"

	"muniment/internal/content"
	"muniment/internal/record"
)

// Connected reports whether Run is connected to WhatsApp.
func (s *Session) Connected() bool {
	l := s.listener.Load()
	return l != nil && l.link.isUp()
}

// AskMessage asks the council's own phone for its copy of a message of a listed group; own
// says that the council's account sent it. If the phone has it and is there, it comes as a
// record that is supplied; else nothing comes. It needs Run to be connected.
func (s *Session) AskMessage(ctx context.Context, group string, ref record.Ref, own bool) error {
	l := s.listener.Load()
	if l == nil || !l.link.isUp() {
		return ErrNotConnected
	}
	chat, err := types.ParseJID(group)
	if err != nil || !l.t.listed(chat) {
		return errors.New("ask for a message: not a listed group")
	}
	sender, err := types.ParseJID(ref.Sender.JID)
	if err != nil || sender.User == "" {
		return errors.New("ask for a message: its sender has no address")
	}
	if own { // and then the key names nobody
		sender = types.EmptyJID
	}
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	if _, err := l.client.SendPeerMessage(ctx, l.client.BuildUnavailableMessageRequest(chat, sender, content.Sent(ref.ID))); err != nil {
		return fmt.Errorf("ask for a message: %w", plain(err))
	}
	return nil
}
