package standin

import (
	"slices"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/proto/waWeb"
	"google.golang.org/protobuf/proto"
)

// What passes between a companion and the primary phone of its account alone.

// readPeerMessage decrypts a message of the companion's to the account's own
// phone. It returns nil for any other. The caller holds Server.mu.
func (c *connection) readPeerMessage(node *waBinary.Node) *waE2E.Message {
	p := c.linked
	if p == nil || node.Attrs["category"] != "peer" || node.Attrs["to"] != p.account.jid {
		return nil
	}
	encrypted := node.GetChildByTag("enc")
	kind, _ := encrypted.Attrs["type"].(string)
	ciphertext, _ := encrypted.Content.([]byte)
	content, err := p.account.device(0).decrypt(p, kind, ciphertext)
	if err != nil {
		return nil
	}
	return content
}

// SendsCompanion makes the member's phone, which must be the companion's primary,
// send content to the companion itself, as it does with keys and history.
func (m *Member) SendsCompanion(content *waE2E.Message) *Message {
	defer m.lock().Unlock()
	if p := m.server.companion; p == nil || p.account != m {
		panic("standin: " + m.name + " has no companion")
	}
	return m.sendsCompanion(content)
}

func (m *Member) sendsCompanion(content *waE2E.Message) *Message {
	content = proto.Clone(content).(*waE2E.Message)
	return (&Message{voice: m.Voice, id: newID(), to: m, peer: true, time: m.Voice.time(), content: content}).dispatch()
}

// Supplies makes the phone, which must be the companion's primary, give the
// companion its own copy of a message of a group, as it does when asked for one
// that the companion could not read.
func (m *Member) Supplies(lost *Message) *Message {
	defer m.lock().Unlock()
	info := &waWeb.WebMessageInfo{
		Key: lost.key(m.Voice), Message: lost.content, PushName: proto.String(lost.voice.member.name),
		MessageTimestamp: proto.Uint64(uint64(lost.time.Unix())), Participant: lost.key(m.Voice).Participant,
	}
	return m.sendsCompanion(&waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{
		Type: waE2E.ProtocolMessage_PEER_DATA_OPERATION_REQUEST_RESPONSE_MESSAGE.Enum(),
		PeerDataOperationRequestResponseMessage: &waE2E.PeerDataOperationRequestResponseMessage{
			PeerDataOperationRequestType: waE2E.PeerDataOperationRequestType_PLACEHOLDER_MESSAGE_RESEND.Enum(),
			StanzaID:                     proto.String(m.server.requestFor(lost)),
			PeerDataOperationResult: []*waE2E.PeerDataOperationRequestResponseMessage_PeerDataOperationResult{{
				PlaceholderMessageResendResponse: &waE2E.PeerDataOperationRequestResponseMessage_PeerDataOperationResult_PlaceholderMessageResendResponse{
					WebMessageInfoBytes: must(proto.Marshal(info)),
				},
			}},
		},
	}})
}

// requestFor is the ID of the companion's last request for its phone's copy of a
// message; empty if it made none.
func (s *Server) requestFor(lost *Message) string {
	for _, e := range slices.Backward(s.journal) {
		for _, r := range e.Peer.GetProtocolMessage().GetPeerDataOperationRequestMessage().GetPlaceholderMessageResendRequest() {
			if r.GetMessageKey().GetID() == lost.id {
				id, _ := e.Node.Attrs["id"].(string)
				return id
			}
		}
	}
	return ""
}

// sharesKeys gives a companion just linked the key of the app state, as phones
// do first of all. So there is a Signal session between the two.
func (m *Member) sharesKeys() {
	m.sendsCompanion(&waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{
		Type: waE2E.ProtocolMessage_APP_STATE_SYNC_KEY_SHARE.Enum(),
		AppStateSyncKeyShare: &waE2E.AppStateSyncKeyShare{Keys: []*waE2E.AppStateSyncKey{{
			KeyID: &waE2E.AppStateSyncKeyId{KeyID: appStateKeyID},
			KeyData: &waE2E.AppStateSyncKeyData{
				KeyData:     m.state.key,
				Fingerprint: &waE2E.AppStateSyncKeyFingerprint{RawID: proto.Uint32(1), CurrentIndex: proto.Uint32(1)},
				Timestamp:   proto.Int64(m.server.options.Now().UnixMilli()),
			},
		}}},
	}})
}

// Reads makes the phone, which must be the companion's primary, say that it has read a
// message of a group, as it says to all devices of its account.
func (v Voice) Reads(read *Message) {
	m := v.member
	defer m.lock().Unlock()
	m.server.enqueue(waBinary.Node{Tag: "receipt", Attrs: waBinary.Attrs{
		"from": read.group.jid, "participant": m.lid, "id": read.id, "type": "read-self", "t": v.time().Unix(),
	}})
}
