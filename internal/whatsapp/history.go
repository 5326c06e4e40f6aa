package whatsapp

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"muniment/internal/content"
	"muniment/internal/record"
)

// HistoryNotice is the message of the council's own phone that it has a piece of history
// for this device: on WhatsApp's servers, sealed, of all chats together. whatsmeow fetches
// none (see [Session.client]), since it would inflate each in memory, whole, and write
// down what of other chats it holds.
type HistoryNotice struct {
	ID       string
	Kind     string // WhatsApp's name for the sort of piece: "RECENT", "ON_DEMAND"
	Chunk    int
	Progress int // per cent, as the phone counts
	File     record.File
	Handle   string // by which it is deleted
	Inline   []byte // the piece itself, deflated, if it is so small that it came with the notice
	Replaces string // the ID of an earlier notice of the same piece, if this is another
}

// historyNotice reads a notice of history. Only our own phone can make one, in a message
// to this device alone: what others write that looks like one is what they write.
func (t translator) historyNotice(evt *events.Message) (n HistoryNotice, is bool) {
	i := evt.Info
	if !i.IsFromMe || i.Category != "peer" || i.Sender.Device != 0 || !t.own[i.Sender.String()] || !t.own[i.Chat.ToNonAD().String()] {
		return HistoryNotice{}, false
	}
	raw := evt.RawMessage
	if raw == nil {
		raw = evt.Message
	}
	p := raw.GetProtocolMessage()
	h := p.GetHistorySyncNotification()
	if h == nil || p.GetType() != waE2E.ProtocolMessage_HISTORY_SYNC_NOTIFICATION || i.ID == "" {
		return HistoryNotice{}, false
	}
	return HistoryNotice{
		ID: i.ID, Kind: h.GetSyncType().String(), Chunk: int(h.GetChunkOrder()), Progress: int(h.GetProgress()),
		File: record.File{
			Type: record.History, Path: content.Valid(h.GetDirectPath()), Size: int64(min(h.GetFileLength(), 1<<62)),
			Key: h.GetMediaKey(), Digest: h.GetFileSHA256(), Sealed: h.GetFileEncSHA256(),
		},
		Handle: content.Valid(h.GetEncHandle()), Inline: h.GetInitialHistBootstrapInlinePayload(),
		Replaces: content.Valid(h.GetOriginalMessageID()),
	}, true
}

// Past reads a message of a listed group as the council's phone keeps it, out of a piece
// of history. It needs Run.
func (s *Session) Past(group string, message []byte) (content.Past, error) {
	l := s.listener.Load()
	if l == nil {
		return content.Past{}, ErrNotConnected
	}
	return l.t.reader.History(group, l.self, message), nil
}

// SettleHistory tells the council's phone that a piece of history has been taken in, and
// has WhatsApp delete it. That it could not be deleted is no error: WhatsApp does so by
// itself after some weeks. It needs Run to be connected.
func (s *Session) SettleHistory(ctx context.Context, n HistoryNotice) error {
	l := s.listener.Load()
	if l == nil || !l.link.isUp() {
		return ErrNotConnected
	}
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	if err := l.client.SendProtocolMessageReceipt(ctx, n.ID, types.ReceiptTypeHistorySync); err != nil {
		return fmt.Errorf("settle a piece of history: %w", plain(err))
	}
	if n.File.Path == "" {
		return nil
	}
	if err := l.client.DeleteMedia(ctx, whatsmeow.MediaHistory, n.File.Path, n.File.Sealed, n.Handle); err != nil {
		l.log.Warn("a piece of history could not be deleted at WhatsApp; it will expire there", "err", plain(err))
	}
	return nil
}

// AskHistoryAgain asks the council's phone to upload a piece of history once more, which
// WhatsApp no longer has. If it does, another notice comes. It needs Run to be connected.
func (s *Session) AskHistoryAgain(ctx context.Context, n HistoryNotice) error {
	l := s.listener.Load()
	if l == nil || !l.link.isUp() {
		return ErrNotConnected
	}
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	if err := l.client.SendHistorySyncServerErrorReceipt(ctx, n.ID, n.File.Key); err != nil {
		return fmt.Errorf("ask for a piece of history again: %w", plain(err))
	}
	return nil
}

// Anchor is a message of a listed group, by which the council's phone is told before which
// one it is asked for more.
type Anchor struct {
	ID   string
	Own  bool // the council's own account sent it
	Sent time.Time
}

// AskHistory asks the council's own phone for so many messages of a listed group that were
// sent before one. If the phone is there, a notice of history comes, of the kind
// "ON_DEMAND"; else nothing comes. It needs Run to be connected.
func (s *Session) AskHistory(ctx context.Context, group string, before Anchor, count int) error {
	l := s.listener.Load()
	if l == nil || !l.link.isUp() {
		return ErrNotConnected
	}
	chat, err := types.ParseJID(group)
	if err != nil || !l.t.listed(chat) || before.ID == "" {
		return errors.New("ask for history: not before a message of a listed group")
	}
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	info := &types.MessageInfo{
		ID: content.Sent(before.ID), Timestamp: before.Sent,
		MessageSource: types.MessageSource{Chat: chat, IsFromMe: before.Own, IsGroup: true},
	}
	if _, err := l.client.SendPeerMessage(ctx, l.client.BuildHistorySyncRequest(info, count)); err != nil {
		return fmt.Errorf("ask for history: %w", plain(err))
	}
	return nil
}
