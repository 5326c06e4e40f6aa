package standin

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"
)

// SetMediaHosts says on which servers clients are told to find media; at first it is
// one. The names do not matter, since every way leads to the stand-in.
func (s *Server) SetMediaHosts(names ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mediaHosts = names
}

// An Upload is a file on the media server, encrypted, and what a message must
// say of it so that a client can find, check and decrypt it.
type Upload struct {
	DirectPath    string
	MediaKey      []byte
	FileSHA256    []byte // of the file itself
	FileEncSHA256 []byte // of the file as it lies on the server
	FileLength    uint64
}

// Upload encrypts a file and puts it on the media server. The purpose is one of
// whatsmeow's, such as whatsmeow.MediaImage.
func (s *Server) Upload(purpose whatsmeow.MediaType, file []byte) Upload {
	key := randomBytes(32)
	keys := must(hkdf.Key(sha256.New, key, nil, string(purpose), 112))
	iv, secret, macKey := keys[:16], keys[16:48], keys[48:80]
	padding := aes.BlockSize - len(file)%aes.BlockSize
	sealed := make([]byte, 0, len(file)+padding+10) // files may be large: one copy
	sealed = append(append(sealed, file...), bytes.Repeat([]byte{byte(padding)}, padding)...)
	cipher.NewCBCEncrypter(must(aes.NewCipher(secret)), iv).CryptBlocks(sealed, sealed)
	mac := hmac.New(sha256.New, macKey)
	mac.Write(iv)
	mac.Write(sealed)
	sealed = append(sealed, mac.Sum(nil)[:10]...)
	plainSum, sealedSum := sha256.Sum256(file), sha256.Sum256(sealed)
	path := "/v/" + hex.EncodeToString(sealedSum[:12]) + ".enc"
	s.mu.Lock()
	s.blobs[path] = sealed
	s.mu.Unlock()
	return Upload{
		// Clients add "&hash=…", so the path must have begun a query.
		DirectPath: path + "?ccb=11-4",
		MediaKey:   key, FileSHA256: plainSum[:], FileEncSHA256: sealedSum[:], FileLength: uint64(len(file)),
	}
}

// Upload is the file of a message that the stand-in's phones have sent; it panics if
// there is none.
func (m *Message) Upload() Upload {
	c := inner(m.content)
	for _, file := range []interface {
		whatsmeow.DownloadableMessage
		GetFileLength() uint64
	}{c.GetImageMessage(), c.GetVideoMessage(), c.GetPtvMessage(), c.GetAudioMessage(), c.GetDocumentMessage(), c.GetStickerMessage()} {
		if path := file.GetDirectPath(); path != "" {
			return Upload{path, file.GetMediaKey(), file.GetFileSHA256(), file.GetFileEncSHA256(), file.GetFileLength()}
		}
	}
	panic("standin: message " + m.id + " has no file")
}

// Expire takes a file off the media server: it is 410 Gone from then on.
func (s *Server) Expire(u Upload) { s.replace(u, nil) }

// Spoil has the media server give out something else in the place of a file.
func (s *Server) Spoil(u Upload) { s.replace(u, randomBytes(int(u.FileLength)+1)) }

func (s *Server) replace(u Upload, file []byte) {
	path, _, _ := strings.Cut(u.DirectPath, "?")
	s.mu.Lock()
	defer s.mu.Unlock()
	s.blobs[path] = file
}

// A mediaFault is what befalls the next requests for media.
type mediaFault struct {
	times int // how many; zero: none
	after int // bytes, when the answer breaks off; below zero: the server answers 503
}

// FailMedia has the media server answer the next n requests with 503.
func (s *Server) FailMedia(n int) { s.CutMedia(n, -1) }

// CutMedia breaks off the answers to the next n requests for media, each after that
// many bytes.
func (s *Server) CutMedia(n, after int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mediaFault = mediaFault{n, after}
}

// serveMedia serves the encrypted files.
func (s *Server) serveMedia(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.record(nil, Entry{Media: r.Method + " " + r.URL.Path})
	file, known := s.blobs[r.URL.Path]
	fault := s.mediaFault
	s.mediaFault.times = max(fault.times-1, 0)
	s.mu.Unlock()
	switch {
	case r.Method == http.MethodDelete: // of history, once it has been read
	case r.Method != http.MethodGet:
		http.Error(w, "nothing is taken here", http.StatusMethodNotAllowed)
	case fault.times > 0 && fault.after < 0:
		http.Error(w, "not now", http.StatusServiceUnavailable)
	case !known:
		http.NotFound(w, r)
	case file == nil:
		http.Error(w, "gone", http.StatusGone)
	default:
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Length", strconv.Itoa(len(file)))
		if fault.times > 0 {
			file = file[:min(fault.after, len(file))]
		}
		w.Write(file)
	}
}

// SendsImage makes the member send a JPEG picture.
func (v Voice) SendsImage(jpeg []byte, caption string) *Message {
	u := v.member.server.Upload(whatsmeow.MediaImage, jpeg)
	return v.Sends(&waE2E.Message{ImageMessage: &waE2E.ImageMessage{
		Mimetype: proto.String("image/jpeg"), Caption: text(caption),
		DirectPath: &u.DirectPath, MediaKey: u.MediaKey, FileSHA256: u.FileSHA256, FileEncSHA256: u.FileEncSHA256,
		FileLength: &u.FileLength, MediaKeyTimestamp: proto.Int64(v.time().Unix()),
	}})
}

// SendsVideo makes the member send an MP4 film.
func (v Voice) SendsVideo(mp4 []byte, caption string) *Message {
	u := v.member.server.Upload(whatsmeow.MediaVideo, mp4)
	return v.Sends(&waE2E.Message{VideoMessage: &waE2E.VideoMessage{
		Mimetype: proto.String("video/mp4"), Caption: text(caption),
		DirectPath: &u.DirectPath, MediaKey: u.MediaKey, FileSHA256: u.FileSHA256, FileEncSHA256: u.FileEncSHA256,
		FileLength: &u.FileLength, MediaKeyTimestamp: proto.Int64(v.time().Unix()),
	}})
}

// SendsVoice makes the member send a voice message.
func (v Voice) SendsVoice(ogg []byte) *Message {
	u := v.member.server.Upload(whatsmeow.MediaAudio, ogg)
	return v.Sends(&waE2E.Message{AudioMessage: &waE2E.AudioMessage{
		Mimetype: proto.String("audio/ogg; codecs=opus"), PTT: proto.Bool(true),
		DirectPath: &u.DirectPath, MediaKey: u.MediaKey, FileSHA256: u.FileSHA256, FileEncSHA256: u.FileEncSHA256,
		FileLength: &u.FileLength, MediaKeyTimestamp: proto.Int64(v.time().Unix()),
	}})
}

// SendsDocument makes the member send a file.
func (v Voice) SendsDocument(name, mimeType string, file []byte, caption string) *Message {
	u := v.member.server.Upload(whatsmeow.MediaDocument, file)
	content := &waE2E.Message{DocumentMessage: &waE2E.DocumentMessage{
		FileName: proto.String(name), Title: proto.String(name), Mimetype: proto.String(mimeType), Caption: text(caption),
		DirectPath: &u.DirectPath, MediaKey: u.MediaKey, FileSHA256: u.FileSHA256, FileEncSHA256: u.FileEncSHA256,
		FileLength: &u.FileLength, MediaKeyTimestamp: proto.Int64(v.time().Unix()),
	}}
	if caption != "" {
		content = &waE2E.Message{DocumentWithCaptionMessage: &waE2E.FutureProofMessage{Message: content}}
	}
	return v.Sends(content)
}

// text is s as an optional field of a message.
func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
