package standin

import (
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"
)

// What reaches a linked device of chats that are neither a group nor with one person:
// an archive has to let it pass.

// PostsStatus makes the member show the companion's account a status update, as phones do
// to those whom they know.
func (m *Member) PostsStatus(content *waE2E.Message) *Message {
	defer m.lock().Unlock()
	v := m.Voice
	v.group = m.server.statusOf(m)
	return v.send(v.group, nil, content)
}

// statusOf is the list of those who see what m posts, as the group that it is to Signal.
func (s *Server) statusOf(m *Member) *Group {
	if g := s.statuses[m]; g != nil {
		return g
	}
	g := &Group{
		server: s, jid: types.StatusBroadcastJID, mode: types.AddressingModeLID,
		participants: []*participant{{Member: m}},
	}
	if s.phone != nil && s.phone != m {
		g.participants = append(g.participants, &participant{Member: s.phone})
	}
	s.statuses[m] = g
	return g
}

// Notifies makes the server send the companion a notification of that type that concerns
// the member: of a new picture, say, or of what he tells about himself.
func (m *Member) Notifies(kind string, content ...waBinary.Node) {
	defer m.lock().Unlock()
	s := m.server
	s.enqueue(waBinary.Node{
		Tag: "notification", Content: content,
		Attrs: waBinary.Attrs{"from": m.lid, "type": kind, "id": s.nextNotice(), "t": s.options.Now().Unix(), "notify": m.name},
	})
}

// Publishes sends the companion a post of a channel that its account follows. Channels are
// not encrypted.
func (s *Server) Publishes(channel types.JID, content *waE2E.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.published++
	s.enqueue(waBinary.Node{
		Tag: "message",
		Attrs: waBinary.Attrs{
			"from": channel, "id": newID(), "server_id": s.published, "t": s.options.Now().Unix(), "type": stanzaType(content),
		},
		Content: []waBinary.Node{{Tag: "plaintext", Content: must(proto.Marshal(content))}},
	})
}
