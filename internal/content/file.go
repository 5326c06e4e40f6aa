package content

import (
	"math"
	"slices"
	"strings"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/reflect/protoreflect"

	"muniment/internal/record"
)

// An attachment is a part of a message that is a file.
type attachment interface {
	GetDirectPath() string
	GetMediaKey() []byte
	GetFileSHA256() []byte
	GetFileEncSHA256() []byte
	GetFileLength() uint64
	GetContextInfo() *waE2E.ContextInfo
}

// file reads a file that is a message of its own.
func (r *reading) file(a attachment, p part) bool {
	var words []string
	switch m := a.(type) {
	case *waE2E.ImageMessage:
		words = []string{m.GetCaption()}
	case *waE2E.VideoMessage:
		words = []string{m.GetCaption()}
		r.details.Seconds = int(m.GetSeconds())
	case *waE2E.AudioMessage:
		r.details.Seconds = int(m.GetSeconds())
	case *waE2E.DocumentMessage:
		words = []string{m.GetCaption()}
		r.details.Pages = int(m.GetPageCount())
	case *waE2E.StickerPackMessage:
		words = []string{OneLine(m.GetName()), OneLine(m.GetPublisher()), m.GetPackDescription(), m.GetCaption()}
	}
	typ := fileType(a, p.field)
	if p.once || marksOnce(a) {
		r.details.Once = typ
		return r.says(record.ViewOnce)
	}
	r.File = fileOf(a)
	return r.says(typ, words...)
}

// brings adds a file to a message of another type, the first that it has. One that is to
// be viewed once cannot be had.
func (r *reading) brings(a attachment, p part) {
	if r.File == nil && !p.once && !marksOnce(a) {
		r.File = fileOf(a)
		r.File.Type = fileType(a, "")
	}
}

// fileType is what sort of file a is; field is where it stands. None is empty: what is
// not known here is an image.
func fileType(a attachment, field string) record.Type {
	switch m := a.(type) {
	case *waE2E.VideoMessage:
		switch {
		case field == "ptvMessage":
			return record.VideoNote
		case m.GetGifPlayback():
			return record.GIF
		}
		return record.Video
	case *waE2E.AudioMessage:
		if m.GetPTT() {
			return record.Voice
		}
		return record.Audio
	case *waE2E.DocumentMessage:
		return record.Document
	case *waE2E.StickerMessage:
		return record.Sticker
	case *waE2E.StickerPackMessage:
		return record.Stickers
	}
	return record.Image
}

// fileOf is what a message says of its file. Senders can write anything there, or
// nothing; whether the file can be had is for others to find out.
func fileOf(a attachment) *record.File {
	f := &record.File{
		Size:   int64(min(a.GetFileLength(), math.MaxInt64)),
		Path:   Valid(a.GetDirectPath()),
		Key:    a.GetMediaKey(),
		Digest: a.GetFileSHA256(),
		Sealed: a.GetFileEncSHA256(),
	}
	if m, ok := a.(interface{ GetMimetype() string }); ok {
		f.MIME = OneLine(m.GetMimetype())
	}
	if d, ok := a.(*waE2E.DocumentMessage); ok {
		if f.Name = OneLine(d.GetFileName()); f.Name == "" {
			f.Name = OneLine(d.GetTitle())
		}
	}
	return f
}

func marksOnce(a attachment) bool {
	m, ok := a.(interface{ GetViewOnce() bool })
	return ok && m.GetViewOnce()
}

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
