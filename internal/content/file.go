package content

import (
	"math"
	"slices"
	"strings"
	"unicode"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/reflect/protoreflect"

	"muniment/internal/record"
)

// An attachment is that part of a message which is about a file.
type attachment interface {
	GetDirectPath() string
	GetMediaKey() []byte
	GetFileSHA256() []byte
	GetFileEncSHA256() []byte
	GetFileLength() uint64
	GetMimetype() string
	GetContextInfo() *waE2E.ContextInfo
}

// attached returns what is attached to a message, or nil.
func attached(m *waE2E.Message) (record.Type, attachment) {
	switch {
	case m.GetImageMessage() != nil:
		return record.Image, m.ImageMessage
	case m.GetVideoMessage() != nil:
		return record.Video, m.VideoMessage
	case m.GetPtvMessage() != nil: // a video message, which apps show round
		return record.Video, m.PtvMessage
	case m.GetAudioMessage() != nil:
		return record.Audio, m.AudioMessage
	case m.GetDocumentMessage() != nil:
		return record.Document, m.DocumentMessage
	case m.GetStickerMessage() != nil:
		return record.Sticker, m.StickerMessage
	}
	return "", nil
}

// fileOf is what a message says of its file. Senders can write anything there, or
// nothing; whether the file can be had is for others to find out.
func fileOf(a attachment) *record.File {
	f := &record.File{
		MIME:   oneLine(a.GetMimetype()),
		Size:   int64(min(a.GetFileLength(), math.MaxInt64)),
		Path:   Valid(a.GetDirectPath()),
		Key:    a.GetMediaKey(),
		Digest: a.GetFileSHA256(),
		Sealed: a.GetFileEncSHA256(),
	}
	if d, ok := a.(*waE2E.DocumentMessage); ok {
		if f.Name = oneLine(d.GetFileName()); f.Name == "" {
			f.Name = oneLine(d.GetTitle())
		}
	}
	return f
}

// oneLine makes what a sender wrote a text without line breaks and the like.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, Valid(s))
}

// isOnce reports whether a message is a file, or something not understood, that is to
// be viewed once. Words are words, however they are wrapped.
func isOnce(unwrapped *events.Message, content []string) bool {
	_, a := attached(unwrapped.Message)
	if a == nil && len(content) > 0 && !slices.ContainsFunc(content, func(field string) bool { return !slices.Contains(words, field) }) {
		return false
	}
	marked, ok := a.(interface{ GetViewOnce() bool })
	return unwrapped.IsViewOnce || ok && marked.GetViewOnce() || slices.ContainsFunc(content, wrapsOnce)
}

// words are the fields of a message that hold no file.
var words = []string{"conversation", "extendedTextMessage", "protocolMessage", "reactionMessage"}

// wrapsOnce reports whether a field of that name holds a message to be viewed once.
func wrapsOnce(field string) bool { return strings.HasPrefix(field, "viewOnceMessage") }

// toldOfOnce are the fields that stay of a file to be viewed once.
var toldOfOnce = []protoreflect.Name{
	"mimetype", "fileLength", "seconds", "PTT", "gifPlayback", "height", "width", "viewOnce", "contextInfo",
}

// hideOnce takes out of m, at any depth, the files that are to be viewed once: their
// keys, where they lie, thumbnails, captions. WhatsApp shows those on phones only,
// once, and gives other devices a placeholder. Should one reach us all the same, the
// archive must not be the way to see it again: we keep that it was sent, and of what
// kind it was. What is not known to be harmless goes.
func hideOnce(m protoreflect.Message, once bool) {
	fields := m.Descriptor().Fields()
	if f := fields.ByName("viewOnce"); f != nil && f.Kind() == protoreflect.BoolKind {
		once = once || m.Get(f).Bool()
	}
	if once {
		m.SetUnknown(nil)
		if fields.ByName("mediaKey") != nil && fields.ByName("fileSHA256") != nil {
			for _, f := range setFields(m) {
				if !slices.Contains(toldOfOnce, f.Name()) {
					m.Clear(f)
				}
			}
		}
	}
	eachWithin(m, func(f protoreflect.FieldDescriptor, within protoreflect.Message) {
		// What it quotes is another message.
		hideOnce(within, once && f.Name() != "contextInfo" || wrapsOnce(string(f.Name())))
	})
}
