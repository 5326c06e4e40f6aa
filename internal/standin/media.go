package standin

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
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
	s.blobs[path], s.uploads[string(sealedSum[:])] = sealed, sealed
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
	if u := m.upload(); u != nil {
		return *u
	}
	panic("standin: message " + m.id + " has no file")
}

// upload is the file of a message, nil if it has none.
func (m *Message) upload() *Upload {
	if u := m.piece(); u != nil {
		return u
	}
	c := inner(m.content)
	for _, file := range []interface {
		whatsmeow.DownloadableMessage
		GetFileLength() uint64
	}{c.GetImageMessage(), c.GetVideoMessage(), c.GetPtvMessage(), c.GetAudioMessage(), c.GetDocumentMessage(), c.GetStickerMessage()} {
		if path := file.GetDirectPath(); path != "" {
			return &Upload{path, file.GetMediaKey(), file.GetFileSHA256(), file.GetFileEncSHA256(), file.GetFileLength()}
		}
	}
	return nil
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

// HoldMedia keeps requests for media unanswered until release is called.
func (s *Server) HoldMedia() (release func()) {
	held := make(chan struct{})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mediaHeld = held
	return func() { close(held) }
}

// serveMedia serves the encrypted files.
func (s *Server) serveMedia(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.record(nil, Entry{Media: r.Method + " " + r.URL.Path})
	held := s.mediaHeld
	s.mu.Unlock()
	if held != nil {
		select {
		case <-held:
		case <-r.Context().Done():
			return
		}
	}
	s.mu.Lock()
	file, known := s.blobs[r.URL.Path]
	fault := s.mediaFault
	s.mediaFault.times = max(fault.times-1, 0)
	s.mu.Unlock()
	switch {
	case r.Method == http.MethodDelete: // of history, once it has been read
		s.forget(r.URL.Path)
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

// forget removes the file that a request to delete names by its digest.
func (s *Server) forget(path string) {
	digest, _ := base64.URLEncoding.DecodeString(path[strings.LastIndex(path, "/")+1:])
	s.mu.Lock()
	defer s.mu.Unlock()
	for at, file := range s.blobs {
		if sum := sha256.Sum256(file); bytes.Equal(sum[:], digest) {
			s.blobs[at] = nil
		}
	}
}

// Holds reports whether the media server still has a file.
func (s *Server) Holds(u Upload) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, file := range s.blobs {
		if sum := sha256.Sum256(file); bytes.Equal(sum[:], u.FileEncSHA256) {
			return true
		}
	}
	return false
}

// attach uploads a file and enters it in the message that brings it.
func (v Voice) attach(purpose whatsmeow.MediaType, file []byte, to proto.Message) {
	u := v.member.server.Upload(purpose, file)
	m := to.ProtoReflect()
	for name, value := range map[protoreflect.Name]any{
		"directPath": u.DirectPath, "mediaKey": u.MediaKey, "fileSHA256": u.FileSHA256, "fileEncSHA256": u.FileEncSHA256,
		"fileLength": u.FileLength, "mediaKeyTimestamp": v.time().Unix(),
	} {
		if f := m.Descriptor().Fields().ByName(name); f != nil {
			m.Set(f, protoreflect.ValueOf(value))
		}
	}
}

// SendsImage makes the member send a JPEG picture.
func (v Voice) SendsImage(jpeg []byte, caption string) *Message {
	return v.Sends(&waE2E.Message{ImageMessage: v.image(jpeg, caption)})
}

func (v Voice) image(jpeg []byte, caption string) *waE2E.ImageMessage {
	image := &waE2E.ImageMessage{Mimetype: proto.String("image/jpeg"), Caption: text(caption)}
	v.attach(whatsmeow.MediaImage, jpeg, image)
	return image
}

// SendsVideo makes the member send an MP4 film.
func (v Voice) SendsVideo(mp4 []byte, caption string) *Message {
	return v.Sends(&waE2E.Message{VideoMessage: v.video(mp4, caption)})
}

// SendsGIF makes the member send a moving picture, which is an MP4 film too.
func (v Voice) SendsGIF(mp4 []byte, caption string) *Message {
	video := v.video(mp4, caption)
	video.GifPlayback = proto.Bool(true)
	return v.Sends(&waE2E.Message{VideoMessage: video})
}

// SendsVideoNote makes the member send a film recorded in the chat.
func (v Voice) SendsVideoNote(mp4 []byte) *Message {
	return v.Sends(&waE2E.Message{PtvMessage: v.video(mp4, "")})
}

func (v Voice) video(mp4 []byte, caption string) *waE2E.VideoMessage {
	video := &waE2E.VideoMessage{Mimetype: proto.String("video/mp4"), Caption: text(caption), Seconds: v.seconds()}
	v.attach(whatsmeow.MediaVideo, mp4, video)
	return video
}

// SendsVoice makes the member send a recording made in the chat.
func (v Voice) SendsVoice(ogg []byte) *Message {
	audio := &waE2E.AudioMessage{Mimetype: proto.String("audio/ogg; codecs=opus"), PTT: proto.Bool(true), Seconds: v.seconds()}
	v.attach(whatsmeow.MediaAudio, ogg, audio)
	return v.Sends(&waE2E.Message{AudioMessage: audio})
}

// SendsAudio makes the member send a recording that they had.
func (v Voice) SendsAudio(mp3 []byte) *Message {
	audio := &waE2E.AudioMessage{Mimetype: proto.String("audio/mpeg"), Seconds: v.seconds()}
	v.attach(whatsmeow.MediaAudio, mp3, audio)
	return v.Sends(&waE2E.Message{AudioMessage: audio})
}

// seconds is how long a recording takes, as a message says it; nil if the voice does not.
func (v Voice) seconds() *uint32 {
	if v.lasting == 0 {
		return nil
	}
	return proto.Uint32(uint32(v.lasting.Seconds()))
}

// SendsSticker makes the member send a WebP sticker.
func (v Voice) SendsSticker(webp []byte) *Message {
	sticker := &waE2E.StickerMessage{Mimetype: proto.String("image/webp")}
	v.attach(whatsmeow.MediaImage, webp, sticker)
	return v.Sends(&waE2E.Message{StickerMessage: sticker})
}

// SendsLottie makes the member send a moving sticker of the newer kind.
func (v Voice) SendsLottie(was []byte) *Message {
	sticker := &waE2E.StickerMessage{
		Mimetype: proto.String("application/was"), IsAnimated: proto.Bool(true), IsLottie: proto.Bool(true),
	}
	v.attach(whatsmeow.MediaImage, was, sticker)
	return v.Wrapped("lottieStickerMessage").Sends(&waE2E.Message{StickerMessage: sticker})
}

// SendsDocument makes the member send a file.
func (v Voice) SendsDocument(name, mimeType string, file []byte, caption string) *Message {
	document := &waE2E.DocumentMessage{
		FileName: proto.String(name), Title: proto.String(name), Mimetype: proto.String(mimeType), Caption: text(caption),
	}
	v.attach(whatsmeow.MediaDocument, file, document)
	if caption != "" {
		v.wrappers = append(slices.Clone(v.wrappers), "documentWithCaptionMessage")
	}
	return v.Sends(&waE2E.Message{DocumentMessage: document})
}

// BeginsAlbum makes the member announce an album of so many photos and videos, which
// follow as messages of their own; see [Voice.InAlbum].
func (v Voice) BeginsAlbum(photos, videos uint32) *Message {
	return v.Sends(&waE2E.Message{AlbumMessage: &waE2E.AlbumMessage{
		ExpectedImageCount: proto.Uint32(photos), ExpectedVideoCount: proto.Uint32(videos),
	}})
}

// InAlbum makes what is sent part of an album.
func (v Voice) InAlbum(album *Message) Voice {
	return v.partOf(album, waE2E.MessageAssociation_MEDIA_ALBUM)
}

// SendsLarger makes the member's phone send a picture of theirs once more, in the size
// in which it was taken, as phones do by themselves.
func (v Voice) SendsLarger(photo *Message, jpeg []byte) *Message {
	v.mustOwn(photo)
	v = v.partOf(photo, waE2E.MessageAssociation_HD_IMAGE_DUAL_UPLOAD)
	return v.Wrapped("associatedChildMessage").SendsImage(jpeg, "")
}

func (v Voice) partOf(m *Message, as waE2E.MessageAssociation_AssociationType) Voice {
	defer v.lock().Unlock()
	v.part = &waE2E.MessageAssociation{AssociationType: as.Enum(), ParentMessageKey: m.key(v)}
	return v
}

// text is s as an optional field of a message.
func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
