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
	"strings"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"
)

// mediaHost is where the client is told to find attachments; its name does not
// matter, since every way leads to the stand-in.
const mediaHost = "media.standin.invalid"

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
	sealed := append(bytes.Clone(file), bytes.Repeat([]byte{byte(padding)}, padding)...)
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

// Expire takes a file off the media server: it is 410 Gone from then on.
func (s *Server) Expire(u Upload) {
	path, _, _ := strings.Cut(u.DirectPath, "?")
	s.mu.Lock()
	s.blobs[path] = nil
	s.mu.Unlock()
}

// serveMedia serves the encrypted files.
func (s *Server) serveMedia(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	file, known := s.blobs[r.URL.Path]
	s.mu.Unlock()
	switch {
	case r.Method == http.MethodDelete: // of history, once it has been read
	case !known:
		http.NotFound(w, r)
	case file == nil:
		http.Error(w, "gone", http.StatusGone)
	default:
		w.Header().Set("Content-Type", "application/octet-stream")
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
