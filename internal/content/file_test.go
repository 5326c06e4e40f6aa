package content

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"

	"muniment/internal/record"
)

var (
	theKey    = []byte("key of 32 bytes")
	theDigest = []byte("digest of the file")
	theSealed = []byte("digest of the file, encrypted")
	theFile   = record.File{MIME: "image/jpeg", Size: 1234, Path: "/v/x.enc?ccb=11-4", Key: theKey, Digest: theDigest, Sealed: theSealed}
)

func picture(caption string, c *waE2E.ContextInfo) *waE2E.Message {
	return &waE2E.Message{ImageMessage: &waE2E.ImageMessage{
		Caption: &caption, ContextInfo: c, Mimetype: proto.String("image/jpeg"), FileLength: proto.Uint64(1234), DirectPath: &theFile.Path,
		MediaKey: theKey, FileSHA256: theDigest, FileEncSHA256: theSealed, JPEGThumbnail: []byte("a small picture"), URL: proto.String("https://mmg/v/x.enc"),
	}}
}

func editOf(key *waCommon.MessageKey, m *waE2E.Message) *waE2E.Message {
	return &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{Type: waE2E.ProtocolMessage_MESSAGE_EDIT.Enum(), Key: key, EditedMessage: m}}
}

func deletionOf(key *waCommon.MessageKey) *waE2E.Message {
	return &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{Type: waE2E.ProtocolMessage_REVOKE.Enum(), Key: key}}
}

func TestReadMedia(t *testing.T) {
	sent := func(typ record.Type, text string, f record.File) record.Received {
		return record.Received{Kind: record.Message, Type: typ, Text: text, File: &f}
	}
	full := func(mime string) record.File {
		f := theFile
		f.MIME = mime
		return f
	}
	named := func(name string) record.File {
		f := full("application/pdf")
		f.Name = name
		return f
	}
	video := &waE2E.VideoMessage{Caption: proto.String("The flood"), Mimetype: proto.String("video/mp4"), FileLength: proto.Uint64(1234),
		DirectPath: &theFile.Path, MediaKey: theKey, FileSHA256: theDigest, FileEncSHA256: theSealed, GifPlayback: proto.Bool(true)}
	audio := &waE2E.AudioMessage{PTT: proto.Bool(true), Mimetype: proto.String("audio/ogg; codecs=opus"), FileLength: proto.Uint64(1234),
		DirectPath: &theFile.Path, MediaKey: theKey, FileSHA256: theDigest, FileEncSHA256: theSealed}
	document := func(name, title, caption string) *waE2E.Message {
		return &waE2E.Message{DocumentMessage: &waE2E.DocumentMessage{FileName: &name, Title: &title, Caption: &caption,
			Mimetype: proto.String("application/pdf"), FileLength: proto.Uint64(1234),
			DirectPath: &theFile.Path, MediaKey: theKey, FileSHA256: theDigest, FileEncSHA256: theSealed}}
	}
	sticker := &waE2E.Message{StickerMessage: &waE2E.StickerMessage{Mimetype: proto.String("image/webp"), FileLength: proto.Uint64(1234),
		DirectPath: &theFile.Path, MediaKey: theKey, FileSHA256: theDigest, FileEncSHA256: theSealed}}
	answering := sent(record.Image, "Look, @1002", theFile)
	answering.Target, answering.Mentions = &record.Ref{ID: "ID0", Sender: bo}, []string{boLID.String()}

	for _, tt := range []struct {
		name string
		m    *waE2E.Message
		want record.Received
	}{
		{"image", picture("The bridge", nil), sent(record.Image, "The bridge", theFile)},
		{"image that disappears", &waE2E.Message{EphemeralMessage: wrapped(picture("", nil))}, sent(record.Image, "", theFile)},
		{"image of our own phone", &waE2E.Message{DeviceSentMessage: &waE2E.DeviceSentMessage{Message: picture("", nil)}}, sent(record.Image, "", theFile)},
		{"image that replies and mentions", picture("Look, @1002", &waE2E.ContextInfo{StanzaID: proto.String("ID0"), Participant: proto.String(boLID.String()),
			QuotedMessage: picture("The river", nil), MentionedJID: []string{boLID.String()}}), answering},
		{"image of which nothing is said", &waE2E.Message{ImageMessage: &waE2E.ImageMessage{}}, sent(record.Image, "", record.File{})},
		{"image of nonsense", &waE2E.Message{ImageMessage: &waE2E.ImageMessage{Caption: proto.String("a\xff"), Mimetype: proto.String("x\r\ny"),
			FileLength: proto.Uint64(math.MaxUint64), DirectPath: proto.String("\xff"), MediaKey: []byte("short")}},
			sent(record.Image, "a\uFFFD", record.File{MIME: "x  y", Size: math.MaxInt64, Path: "\uFFFD", Key: []byte("short")})},
		{"moving picture", &waE2E.Message{VideoMessage: video}, sent(record.GIF, "The flood", full("video/mp4"))},
		{"round video", &waE2E.Message{PtvMessage: video}, sent(record.VideoNote, "The flood", full("video/mp4"))},
		{"voice", &waE2E.Message{AudioMessage: audio}, sent(record.Voice, "", full("audio/ogg; codecs=opus"))},
		{"document", document("minutes.pdf", "Minutes", ""), sent(record.Document, "", named("minutes.pdf"))},
		{"document with a title only", document("", "Minutes", ""), sent(record.Document, "", named("Minutes"))},
		{"document with a caption", &waE2E.Message{DocumentWithCaptionMessage: wrapped(document("minutes.pdf", "", "March"))}, sent(record.Document, "March", named("minutes.pdf"))},
		{"document with a strange name", document("../a\nb\u2028c\xff\u202Efdp.exe", "", ""), sent(record.Document, "", named("../a b c\uFFFD\u202Efdp.exe"))},
		{"sticker", sticker, sent(record.Sticker, "", full("image/webp"))},
		{"sticker that moves", &waE2E.Message{LottieStickerMessage: wrapped(sticker)}, sent(record.Sticker, "", full("image/webp"))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := reads(t, tt.m, tt.want)
			if tt.name == "image" && !strings.Contains(string(got.Protobuf), "a small picture") {
				t.Error("the small picture that came with it is not kept")
			}
			if len(tt.want.Mentions) > 0 && (len(got.Quotations) != 1 || got.Quotations[0].Text != "The river") {
				t.Errorf("quotations %+v", got.Quotations)
			}
		})
	}
}

func TestReadEditsAndDeletions(t *testing.T) {
	of := func(who record.Address) *record.Ref { return &record.Ref{ID: "ID0", Sender: who} }
	editedTo := func(typ record.Type, text string) record.Received {
		return record.Received{Kind: record.Edit, Type: typ, Text: text, Target: of(ann)}
	}
	edited := func(text string, target record.Address) record.Received {
		return record.Received{Kind: record.Edit, Type: record.Text, Text: text, Target: of(target)}
	}
	deleted := func(by record.Type, target record.Address) record.Received {
		return record.Received{Kind: record.Deletion, Type: by, Target: of(target)}
	}
	unsupported := func(typ record.Type) record.Received { return record.Received{Kind: record.Unsupported, Type: typ} }
	own, bos := keyOf(true, ""), keyOf(false, "1002:5@lid")
	mentioning := edited("Ask @1002.", ann)
	mentioning.Mentions = []string{boLID.String()}
	catByNumber := record.Address{JID: "447700900103@s.whatsapp.net"}

	for _, tt := range []struct {
		name string
		m    *waE2E.Message
		want record.Received
	}{
		{"edit, wrapped", &waE2E.Message{EditedMessage: wrapped(editOf(own, text("new")))}, edited("new", ann)},
		{"edit, bare", editOf(own, text("new")), edited("new", ann)},
		{"edit of our own phone, of a message that disappears", &waE2E.Message{DeviceSentMessage: &waE2E.DeviceSentMessage{
			Message: &waE2E.Message{EphemeralMessage: wrapped(&waE2E.Message{EditedMessage: wrapped(editOf(own, text("new")))})}}}, edited("new", ann)},
		{"edit with mentions and a quotation", editOf(own, reply("Ask @1002.", &waE2E.ContextInfo{StanzaID: proto.String("ID-1"),
			Participant: proto.String(catLID.String()), QuotedMessage: text("Who?"), MentionedJID: []string{boLID.String()}})), mentioning},
		{"edit of a caption", editOf(own, picture("new", nil)), editedTo(record.Image, "new")},
		{"edit of a caption of a document", editOf(own, &waE2E.Message{DocumentWithCaptionMessage: wrapped(&waE2E.Message{
			DocumentMessage: &waE2E.DocumentMessage{Caption: proto.String("new")}})}), editedTo(record.Document, "new")},
		{"edit that takes a caption away", editOf(own, picture("", nil)), editedTo(record.Image, "")},
		{"edit of what disappears", editOf(own, &waE2E.Message{EphemeralMessage: wrapped(text("new")), MessageContextInfo: &waE2E.MessageContextInfo{}}), edited("new", ann)},
		{"edit that is no UTF-8", editOf(own, text("a\xff")), edited("a\uFFFD", ann)},
		{"edit, forged", editOf(bos, text("new")), edited("new", bo)},
		{"edit, forged, named by number", editOf(keyOf(false, catByNumber.JID), text("new")), edited("new", catByNumber)},
		{"edit, claimed as one's own", editOf(keyOf(true, boLID.String()), text("new")), edited("new", ann)},
		{"edit of one's own, named by number", editOf(keyOf(false, annPN.String()), text("new")), edited("new", ann)},
		{"edit of nobody's", editOf(keyOf(false, "1.2.3@x"), text("new")), unsupported("message_edit")},
		{"edit of nothing", editOf(nil, text("new")), unsupported("message_edit")},
		{"edit without an ID", editOf(&waCommon.MessageKey{FromMe: proto.Bool(true)}, text("new")), unsupported("message_edit")},
		{"edit into nothing", editOf(own, nil), unsupported("message_edit")},
		{"edit into a reaction", editOf(own, reaction("x", own)), unsupported("message_edit")},
		{"edit into an edit", editOf(own, editOf(own, text("new"))), unsupported("message_edit")},
		{"edit of what is viewed once", editOf(own, &waE2E.Message{ViewOnceMessageV2: wrapped(picture("new", nil))}), unsupported("message_edit")},

		{"deletion", deletionOf(own), deleted(record.ByAuthor, ann)},
		{"deletion, whatever the participant", deletionOf(keyOf(true, boLID.String())), deleted(record.ByAuthor, ann)},
		{"deletion of one's own, as an admin's", deletionOf(keyOf(false, annLID.String())), deleted(record.ByAuthor, ann)},
		{"deletion of one's own, named by number", deletionOf(keyOf(false, annPN.String())), deleted(record.ByAuthor, ann)},
		{"deletion of another's", deletionOf(bos), deleted(record.ByAdmin, bo)},
		{"deletion of another's, named by number", deletionOf(keyOf(false, boPN.String())), deleted(record.ByAdmin, record.Address{JID: bo.Alt, Alt: bo.JID})},
		{"deletion of nobody's", deletionOf(keyOf(false, "")), unsupported("revoke")},
		{"deletion of nothing", deletionOf(nil), unsupported("revoke")},
		{"deletion without an ID", deletionOf(&waCommon.MessageKey{FromMe: proto.Bool(true)}), unsupported("revoke")},
		{"protocol message of no type", &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{Key: own}}, unsupported("protocolMessage")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := reads(t, tt.m, tt.want)
			check(t, got)
			var kept waE2E.Message
			if err := proto.Unmarshal(got.Protobuf, &kept); err != nil || got.Quotations == nil && !strings.Contains(tt.name, "once") && !proto.Equal(&kept, tt.m) {
				t.Errorf("kept %v, %v; want %v", &kept, err, tt.m)
			}
			if len(tt.want.Mentions) > 0 && (len(got.Quotations) != 1 || got.Quotations[0].Text != "Who?" || strings.Contains(string(got.Protobuf), "Who?")) {
				t.Errorf("quotations %+v", got.Quotations)
			}
		})
	}
}

// TestViewOnce has nothing kept by which what was to be viewed once could be viewed.
func TestViewOnce(t *testing.T) {
	marked := picture("Only for you", nil)
	marked.ImageMessage.ViewOnce = proto.Bool(true)
	voice := &waE2E.Message{AudioMessage: &waE2E.AudioMessage{MediaKey: theKey, DirectPath: &theFile.Path, Waveform: []byte("a small picture"), Seconds: proto.Uint32(7)}}
	quoting := picture("", &waE2E.ContextInfo{StanzaID: proto.String("ID0"), Participant: proto.String(boLID.String()), QuotedMessage: picture("Quoted.", nil)})
	strange := picture("", nil)
	strange.ImageMessage.ProtoReflect().SetUnknown(future().ProtoReflect().GetUnknown())
	once := func(m *waE2E.Message) *waE2E.Message { return &waE2E.Message{ViewOnceMessageV2: wrapped(m)} }
	of := map[string]record.Details{"voice": {Seconds: 7, Once: record.Audio}, "of the future": {}, "resent": {}}
	for name, m := range map[string]*waE2E.Message{
		"first form":     {ViewOnceMessage: wrapped(marked)},
		"second form":    once(picture("Only for you", nil)),
		"voice":          {ViewOnceMessageV2Extension: wrapped(voice)},
		"disappearing":   {EphemeralMessage: wrapped(once(marked))},
		"without a wrap": marked,
		"wrapped oddly":  {DocumentWithCaptionMessage: wrapped(once(marked))},
		"quoting":        once(quoting),
		"of the future":  once(future()),
		"resent":         {ViewOnceMessageV2: wrapped(future()), SenderKeyDistributionMessage: keys()},
		"strange":        once(strange),
	} {
		t.Run(name, func(t *testing.T) {
			want := record.Received{Kind: record.Message, Type: record.ViewOnce, Details: record.Details{Once: record.Image}.Encode()}
			if d, other := of[name]; other {
				want.Details = d.Encode()
			}
			if name == "quoting" {
				want.Target = &record.Ref{ID: "ID0", Sender: bo}
			}
			r := reads(t, m, want)
			check(t, r)
			for _, s := range []string{string(theKey), string(theDigest), string(theSealed), theFile.Path, "mmg", "a small picture", "Only for you", "\x04\x01x"} {
				if strings.Contains(string(r.Protobuf), s) {
					t.Errorf("%q is kept", s)
				}
			}
			if name == "quoting" && (len(r.Quotations) != 1 || r.Quotations[0].Text != "Quoted." || !strings.Contains(string(r.Quotations[0].Protobuf), string(theKey))) {
				t.Errorf("quotations %+v", r.Quotations)
			}
		})
	}

	r := reads(t, reply("Nice.", &waE2E.ContextInfo{StanzaID: proto.String("ID0"), Participant: proto.String(boLID.String()), QuotedMessage: once(marked)}),
		record.Received{Kind: record.Message, Type: record.Text, Text: "Nice.", Target: &record.Ref{ID: "ID0", Sender: bo}})
	if diff := cmp.Diff("", r.Quotations[0].Text); diff != "" || strings.Contains(string(r.Quotations[0].Protobuf), string(theKey)) {
		t.Errorf("quoted, it can be viewed again: %+v", r.Quotations[0])
	}
}
