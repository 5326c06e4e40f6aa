package standin

import (
	"bytes"
	"cmp"
	"compress/zlib"
	"slices"
	"time"

	"go.mau.fi/whatsmeow"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/proto/waHistorySync"
	"go.mau.fi/whatsmeow/proto/waMmsRetry"
	"go.mau.fi/whatsmeow/proto/waWeb"
	"google.golang.org/protobuf/proto"
)

// What the account's own phone has of the past, and how its companion gets it: in pieces,
// each a file on the media server of which the companion gets a notice.

// SharesHistory makes the phone, which must be the companion's primary, offer
// the companion a piece of history, as it does after linking and on request.
func (m *Member) SharesHistory(h *waHistorySync.HistorySync) *Message {
	return m.offers(h, packed(h), false)
}

// SharesHistoryInline is [Member.SharesHistory] of a piece that is so small that it comes
// with its notice.
func (m *Member) SharesHistoryInline(h *waHistorySync.HistorySync) *Message {
	return m.offers(h, packed(h), true)
}

// SharesAsHistory makes the phone offer a file that is a piece of history by its notice
// only.
func (m *Member) SharesAsHistory(kind waHistorySync.HistorySync_HistorySyncType, file []byte) *Message {
	return m.offers(&waHistorySync.HistorySync{SyncType: kind.Enum()}, file, false)
}

func (m *Member) offers(h *waHistorySync.HistorySync, file []byte, inline bool) *Message {
	notice := &waE2E.HistorySyncNotification{
		SyncType:   waE2E.HistorySyncType(h.GetSyncType()).Enum(),
		ChunkOrder: h.ChunkOrder, Progress: h.Progress,
	}
	if inline {
		notice.InitialHistBootstrapInlinePayload = file
	} else {
		m.server.Upload(whatsmeow.MediaHistory, file).placed(notice)
	}
	return m.SendsCompanion(noticeOf(notice))
}

func packed(h *waHistorySync.HistorySync) []byte {
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	z.Write(must(proto.Marshal(h)))
	z.Close()
	return b.Bytes()
}

func (u Upload) placed(n *waE2E.HistorySyncNotification) {
	n.DirectPath, n.MediaKey, n.FileSHA256, n.FileEncSHA256, n.FileLength = &u.DirectPath, u.MediaKey, u.FileSHA256, u.FileEncSHA256, &u.FileLength
}

func noticeOf(n *waE2E.HistorySyncNotification) *waE2E.Message {
	return &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{
		Type: waE2E.ProtocolMessage_HISTORY_SYNC_NOTIFICATION.Enum(), HistorySyncNotification: n,
	}}
}

// piece is the piece of history that a message gives notice of; nil if it is none.
func (m *Message) piece() *Upload {
	n := m.content.GetProtocolMessage().GetHistorySyncNotification()
	if n.GetDirectPath() == "" {
		return nil
	}
	return &Upload{n.GetDirectPath(), n.GetMediaKey(), n.GetFileSHA256(), n.GetFileEncSHA256(), n.GetFileLength()}
}

// OffersHistory makes the phone, which must be the companion's primary, offer all that it
// has of every chat in so many pieces, the newest first, as it does after linking.
func (m *Member) OffersHistory(pieces int) (notices []*Message) {
	m.server.mu.Lock()
	var chats []*waHistorySync.Conversation
	for _, g := range m.server.groups {
		if g.participant(m) != nil {
			chats = append(chats, m.keeps(g))
		}
	}
	m.server.mu.Unlock()
	for n := range pieces {
		h := &waHistorySync.HistorySync{
			SyncType:   waHistorySync.HistorySync_RECENT.Enum(),
			ChunkOrder: proto.Uint32(uint32(n + 1)), Progress: proto.Uint32(uint32(100 * (n + 1) / pieces)),
		}
		for _, c := range chats {
			from, to := len(c.Messages)*n/pieces, len(c.Messages)*(n+1)/pieces
			h.Conversations = append(h.Conversations, &waHistorySync.Conversation{ID: c.ID, Name: c.Name, Messages: c.Messages[from:to]})
		}
		notices = append(notices, m.SharesHistory(h))
	}
	return notices
}

// AnswersHistory makes the phone give its companion, or not, what it is asked for of the
// past. At first it does not, as one that is switched off.
func (s *Server) AnswersHistory(yes bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.historian = yes
}

// answerHistory is how the phone takes a request of its companion's for more of a chat. The
// caller holds s.mu.
func (s *Server) answerHistory(request *waE2E.Message) {
	q := request.GetProtocolMessage().GetPeerDataOperationRequestMessage().GetHistorySyncOnDemandRequest()
	p := s.companion
	if q == nil || p == nil || !s.historian {
		return
	}
	h := &waHistorySync.HistorySync{SyncType: waHistorySync.HistorySync_ON_DEMAND.Enum()}
	for _, g := range s.groups {
		if g.jid.String() != q.GetChatJID() || g.participant(p.account) == nil {
			continue
		}
		chat := p.account.keeps(g)
		before := time.Unix(q.GetOldestMsgTimestampMS(), 0) // which are seconds
		first := slices.IndexFunc(chat.Messages, func(m *waHistorySync.HistorySyncMsg) bool {
			return m.Message.GetKey().GetID() == q.GetOldestMsgID()
		}) + 1
		if first == 0 { // the phone has not got that; it goes by the time
			first = slices.IndexFunc(chat.Messages, func(m *waHistorySync.HistorySyncMsg) bool {
				return time.Unix(int64(m.Message.GetMessageTimestamp()), 0).Before(before)
			})
		}
		if first < 0 {
			first = len(chat.Messages)
		}
		chat.Messages = chat.Messages[first:min(len(chat.Messages), first+int(q.GetOnDemandMsgCount()))]
		h.Conversations = append(h.Conversations, chat)
	}
	s.running.Go(func() { p.account.SharesHistory(h) })
}

// reoffer is how the phone takes the request of its companion for a piece of history that
// is on the media server no more. The caller holds s.mu.
func (s *Server) reoffer(m *Message, node *waBinary.Node) {
	u := *m.piece()
	sealed, _ := node.GetChildByTag("encrypt", "enc_p").Content.([]byte)
	iv, _ := node.GetChildByTag("encrypt", "enc_iv").Content.([]byte)
	var request waMmsRetry.ServerErrorReceipt
	if len(iv) != 12 || s.supplies != SuppliesFile {
		return
	}
	plain, err := mediaRetryCipher(u).Open(nil, iv, sealed, []byte(m.id))
	if err != nil || proto.Unmarshal(plain, &request) != nil || request.GetStanzaID() != m.id {
		return
	}
	again := proto.Clone(m.content.GetProtocolMessage().GetHistorySyncNotification()).(*waE2E.HistorySyncNotification)
	u.DirectPath = s.again(u)
	u.placed(again)
	again.OriginalMessageID = proto.String(m.id)
	m.voice.member.sendsCompanion(noticeOf(again))
}

// keeps is what the phone keeps of a group, the newest first. What was sent to a message
// is kept with it: of each person the last reaction, vote or response. A message that was
// deleted has only left a trace. The caller holds Server.mu.
func (m *Member) keeps(g *Group) *waHistorySync.Conversation {
	chat := &waHistorySync.Conversation{ID: proto.String(g.jid.String()), Name: proto.String(g.subject)}
	var said []*Message
	for _, all := range m.server.messages {
		for _, x := range all {
			if x.group == g {
				said = append(said, x)
			}
		}
	}
	slices.SortFunc(said, func(a, b *Message) int { return cmp.Or(a.time.Compare(b.time), a.order-b.order) })
	kept := make(map[string]*waWeb.WebMessageInfo)
	for _, x := range said {
		if x.keptWith(m, kept) {
			continue
		}
		info := x.info(m)
		kept[x.id] = info
		chat.Messages = append(chat.Messages, &waHistorySync.HistorySyncMsg{Message: info, MsgOrderID: proto.Uint64(uint64(x.order))})
	}
	slices.Reverse(chat.Messages)
	return chat
}

// info is the message as the account's phone keeps it.
func (x *Message) info(by *Member) *waWeb.WebMessageInfo {
	key := x.key(by.Voice)
	info := &waWeb.WebMessageInfo{
		Key: key, Participant: key.Participant, PushName: proto.String(cmp.Or(x.voice.called, x.voice.member.name)),
		MessageTimestamp: proto.Uint64(uint64(x.time.Unix())), Status: waWeb.WebMessageInfo_READ.Enum(),
	}
	if !x.voice.once {
		info.Message = x.Content()
		info.MessageSecret = info.Message.GetMessageContextInfo().GetMessageSecret()
		if info.Message.MessageContextInfo != nil {
			info.Message.MessageContextInfo.MessageSecret = nil
		}
	}
	return info
}

// keptWith enters the message in the one that it belongs to, if it is kept so.
func (x *Message) keptWith(by *Member, kept map[string]*waWeb.WebMessageInfo) bool {
	key, at := x.key(by.Voice), proto.Int64(x.time.UnixMilli())
	c := inner(x.content)
	sameAs := func(other interface{ GetParticipant() string }) bool {
		return other.GetParticipant() == key.GetParticipant()
	}
	switch {
	case c.ReactionMessage != nil, c.EncReactionMessage != nil:
		reaction, of := c.ReactionMessage, c.GetReactionMessage().GetKey()
		if reaction == nil {
			reaction, of = x.opened.(*waE2E.ReactionMessage), c.EncReactionMessage.GetTargetMessageKey()
		}
		if to := kept[of.GetID()]; to != nil {
			to.Reactions = slices.DeleteFunc(to.Reactions, func(r *waWeb.Reaction) bool { return sameAs(r.Key) })
			to.Reactions = append(to.Reactions, &waWeb.Reaction{Key: key, Text: reaction.Text, SenderTimestampMS: at})
		}
		return true
	case c.PollUpdateMessage != nil:
		if to := kept[c.PollUpdateMessage.GetPollCreationMessageKey().GetID()]; to != nil {
			to.PollUpdates = slices.DeleteFunc(to.PollUpdates, func(u *waWeb.PollUpdate) bool { return sameAs(u.PollUpdateMessageKey) })
			to.PollUpdates = append(to.PollUpdates, &waWeb.PollUpdate{
				PollUpdateMessageKey: key, Vote: x.opened.(*waE2E.PollVoteMessage), SenderTimestampMS: at,
			})
		}
		return true
	case c.EncEventResponseMessage != nil:
		if to := kept[c.EncEventResponseMessage.GetEventCreationMessageKey().GetID()]; to != nil {
			to.EventResponses = slices.DeleteFunc(to.EventResponses, func(r *waWeb.EventResponse) bool { return sameAs(r.EventResponseMessageKey) })
			to.EventResponses = append(to.EventResponses, &waWeb.EventResponse{
				EventResponseMessageKey: key, TimestampMS: at, EventResponseMessage: x.opened.(*waE2E.EventResponseMessage),
			})
		}
		return true
	case c.GetProtocolMessage().GetType() == waE2E.ProtocolMessage_REVOKE && c.ProtocolMessage != nil:
		if gone := kept[c.ProtocolMessage.GetKey().GetID()]; gone != nil {
			gone.Message, gone.MessageSecret, gone.Reactions, gone.PollUpdates, gone.EventResponses = nil, nil, nil, nil, nil
			gone.MessageStubType = waWeb.WebMessageInfo_REVOKE.Enum()
		}
		return true
	}
	return false
}
