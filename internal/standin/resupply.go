package standin

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waMmsRetry"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"
)

// Supplies says what the council's phone does when its companion asks it for a file that
// is on the media server no more.
type Supplies int

// The phone uploads it again to another place; has not got it any more, and says so, or the
// server does; fails; uploads something else; or is switched off, and answers once it is
// set to anything else.
const (
	SuppliesFile Supplies = iota
	SuppliesNotFound
	SuppliesNotFoundUnsealed
	SuppliesError
	SuppliesWrongFile
	SuppliesNothing
)

// SetSupplies says how the council's phone answers for files from now on. It answers at
// once what it was asked for while it was switched off.
func (s *Server) SetSupplies(as Supplies) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.supplies = as
	if as == SuppliesNothing {
		return
	}
	waiting := s.unsupplied
	s.unsupplied = nil
	for _, m := range waiting {
		s.answerFor(m)
	}
}

// resupply is how the phone takes the request of its companion for a file. What it cannot
// open, or does not know, it leaves unanswered. The caller holds s.mu.
func (s *Server) resupply(c *connection, node *waBinary.Node) {
	p := c.linked
	id, _ := node.Attrs["id"].(string)
	rmr := node.GetChildByTag("rmr")
	if p == nil {
		return
	}
	for _, m := range s.messages[id] {
		if m.peer && m.piece() != nil {
			s.reoffer(m, node)
			return
		}
		u := m.upload()
		if u == nil || m.group == nil || !m.isNamed(rmr, p.account) {
			continue
		}
		sealed, _ := node.GetChildByTag("encrypt", "enc_p").Content.([]byte)
		iv, _ := node.GetChildByTag("encrypt", "enc_iv").Content.([]byte)
		if len(iv) != 12 {
			continue
		}
		var request waMmsRetry.ServerErrorReceipt
		plain, err := mediaRetryCipher(*u).Open(nil, iv, sealed, []byte(id))
		if err != nil || proto.Unmarshal(plain, &request) != nil || request.GetStanzaID() != id {
			continue
		}
		if s.supplies == SuppliesNothing {
			s.unsupplied = append(s.unsupplied, m)
			return
		}
		s.answerFor(m)
		return
	}
}

// isNamed reports whether a request names the message as the account sees it.
func (m *Message) isNamed(rmr waBinary.Node, by *Member) bool {
	key := m.key(by.Voice)
	chat, _ := rmr.Attrs["jid"].(types.JID)
	who, _ := rmr.Attrs["participant"].(types.JID)
	own := rmr.AttrGetter().Bool("from_me")
	return chat.String() == key.GetRemoteJID() && own == key.GetFromMe() &&
		(own || who.ToNonAD().String() == key.GetParticipant())
}

// answerFor has the phone answer for the file of a message. The caller holds s.mu.
func (s *Server) answerFor(m *Message) {
	u := *m.upload()
	answer := &waMmsRetry.MediaRetryNotification{StanzaID: proto.String(m.id), Result: waMmsRetry.MediaRetryNotification_SUCCESS.Enum()}
	file := s.uploads[string(u.FileEncSHA256)]
	switch s.supplies {
	case SuppliesNotFound:
		answer.Result = waMmsRetry.MediaRetryNotification_NOT_FOUND.Enum()
	case SuppliesError:
		answer.Result = waMmsRetry.MediaRetryNotification_GENERAL_ERROR.Enum()
	case SuppliesWrongFile:
		file = bytes.Repeat([]byte("?"), len(file))
	}
	if answer.GetResult() == waMmsRetry.MediaRetryNotification_SUCCESS {
		answer.DirectPath = proto.String(s.again(u))
		path, _, _ := strings.Cut(answer.GetDirectPath(), "?")
		s.blobs[path] = file
	}
	content := []waBinary.Node{{Tag: "error", Attrs: waBinary.Attrs{"code": 2}}}
	if s.supplies != SuppliesNotFoundUnsealed {
		iv := randomBytes(12)
		content = []waBinary.Node{{Tag: "encrypt", Content: []waBinary.Node{
			{Tag: "enc_p", Content: mediaRetryCipher(u).Seal(nil, iv, must(proto.Marshal(answer)), []byte(m.id))},
			{Tag: "enc_iv", Content: iv},
		}}}
	}
	s.notifyOfFile(m, content)
}

// again uploads a file once more and returns where it is now. The caller holds s.mu.
func (s *Server) again(u Upload) string {
	path := fmt.Sprintf("/v/again-%d-%s.enc", len(s.blobs), hex.EncodeToString(u.FileEncSHA256[:8]))
	s.blobs[path] = s.uploads[string(u.FileEncSHA256)]
	return path + "?ccb=11-4"
}

// AnswersAboutFile makes the server tell the companion something about the file of a
// message that nobody has asked for, and that the phone did not write.
func (s *Server) AnswersAboutFile(m *Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.notifyOfFile(m, []waBinary.Node{{Tag: "encrypt", Content: []waBinary.Node{
		{Tag: "enc_p", Content: randomBytes(40)}, {Tag: "enc_iv", Content: randomBytes(12)},
	}}})
}

func (s *Server) notifyOfFile(m *Message, content []waBinary.Node) {
	p := s.companion
	if p == nil {
		return
	}
	key := m.key(p.account.Voice)
	rmr := waBinary.Attrs{"jid": must(types.ParseJID(key.GetRemoteJID())), "from_me": key.GetFromMe()}
	if !key.GetFromMe() {
		rmr["participant"] = must(types.ParseJID(key.GetParticipant()))
	}
	s.enqueue(waBinary.Node{
		Tag: "notification",
		Attrs: waBinary.Attrs{
			"type": "mediaretry", "id": m.id, "from": p.account.jid, "t": s.options.Now().Unix(),
		},
		Content: append(content, waBinary.Node{Tag: "rmr", Attrs: rmr}),
	})
}

// mediaRetryCipher encrypts what is said about a file, under its key.
func mediaRetryCipher(u Upload) cipher.AEAD {
	key := must(hkdf.Key(sha256.New, u.MediaKey, nil, "WhatsApp Media Retry Notification", 32))
	return must(cipher.NewGCM(must(aes.NewCipher(key))))
}
