package content

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mau.fi/whatsmeow/proto/waAICommonDeprecated"
	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"muniment/internal/record"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// A sample is a message of one kind, as an app sends it.
type sample struct {
	name string
	m    *waE2E.Message
}

func num[T any](v T) *T { return &v }

func str(s string) *string { return &s }

// answering is the context of a reply to Bo.
func answering() *waE2E.ContextInfo {
	return &waE2E.ContextInfo{StanzaID: str("ID0"), Participant: str(boLID.String()), QuotedMessage: text("Where is it?")}
}

// of makes a message part of another one.
func partOf(m *waE2E.Message, as waE2E.MessageAssociation_AssociationType) *waE2E.Message {
	m.MessageContextInfo = &waE2E.MessageContextInfo{MessageAssociation: &waE2E.MessageAssociation{AssociationType: as.Enum(), ParentMessageKey: keyOf(true, "")}}
	return m
}

func film(change func(*waE2E.VideoMessage)) *waE2E.VideoMessage {
	v := &waE2E.VideoMessage{Caption: str("The flood"), Mimetype: str("video/mp4"), FileLength: num(uint64(1234)), Seconds: num(uint32(42)),
		DirectPath: &theFile.Path, MediaKey: theKey, FileSHA256: theDigest, FileEncSHA256: theSealed}
	change(v)
	return v
}

func sound(change func(*waE2E.AudioMessage)) *waE2E.Message {
	a := &waE2E.AudioMessage{Mimetype: str("audio/ogg; codecs=opus"), FileLength: num(uint64(1234)), Seconds: num(uint32(7)),
		DirectPath: &theFile.Path, MediaKey: theKey, FileSHA256: theDigest, FileEncSHA256: theSealed}
	change(a)
	return &waE2E.Message{AudioMessage: a}
}

func paper() *waE2E.DocumentMessage {
	return &waE2E.DocumentMessage{FileName: str("minutes.pdf"), Title: str("Minutes"), Mimetype: str("application/pdf"), FileLength: num(uint64(1234)),
		PageCount: num(uint32(3)), DirectPath: &theFile.Path, MediaKey: theKey, FileSHA256: theDigest, FileEncSHA256: theSealed}
}

func sticker() *waE2E.Message {
	return &waE2E.Message{StickerMessage: &waE2E.StickerMessage{Mimetype: str("image/webp"), FileLength: num(uint64(1234)), DirectPath: &theFile.Path,
		MediaKey: theKey, FileSHA256: theDigest, FileEncSHA256: theSealed}}
}

func ballot() *waE2E.PollCreationMessage {
	return &waE2E.PollCreationMessage{Name: str("When do we meet?"), SelectableOptionsCount: num(uint32(1)), Options: []*waE2E.PollCreationMessage_Option{
		{OptionName: str("Monday")}, {OptionName: str("Tuesday")}, {OptionName: str("Not\nat all")},
	}}
}

func lane() *waE2E.LocationMessage {
	return &waE2E.LocationMessage{DegreesLatitude: num(51.5), DegreesLongitude: num(-0.125), AccuracyInMeters: num(uint32(20)),
		Name: str("Mill Lane"), Address: str("Mill Lane\nCranford"), Comment: str("By the bridge")}
}

func card(name, vcard string) *waE2E.ContactMessage {
	return &waE2E.ContactMessage{DisplayName: &name, Vcard: &vcard}
}

const annsCard = "BEGIN:VCARD\nVERSION:3.0\nN:Brook;Ann;;;\nFN:Ann Brook\nORG:Cranford Council;Parks\nTITLE:Clerk\n" +
	"item1.TEL;waid=447700900101:+44 7700 900101\nitem1.X-ABLabel:Mobile\nEMAIL;TYPE=WORK:ann@cranford.example\nEND:VCARD"

func meeting() *waE2E.EventMessage {
	return &waE2E.EventMessage{Name: str("Site visit"), Description: str("Bring boots.\nAnd a torch."), Location: lane(), JoinLink: str("https://call.whatsapp.com/video/x"),
		StartTime: num(noon.Unix()), EndTime: num(noon.Add(time.Hour).Unix()), ExtraGuestsAllowed: num(true)}
}

func menuOf(header *waE2E.InteractiveMessage_Header) *waE2E.InteractiveMessage {
	return &waE2E.InteractiveMessage{Header: header, Body: &waE2E.InteractiveMessage_Body{Text: str("What is it about?")}, Footer: &waE2E.InteractiveMessage_Footer{Text: str("Council line")},
		InteractiveMessage: &waE2E.InteractiveMessage_NativeFlowMessage_{NativeFlowMessage: &waE2E.InteractiveMessage_NativeFlowMessage{Buttons: []*waE2E.InteractiveMessage_NativeFlowMessage_NativeFlowButton{
			{Name: str("quick_reply"), ButtonParamsJSON: str(`{"display_text":"A pothole","id":"1"}`)}, {Name: str("x"), ButtonParamsJSON: str("{")}}}}}
}

func samples() []sample {
	own, bos := keyOf(true, ""), keyOf(false, boLID.String())
	photo := func() *waE2E.Message { return picture("The bridge", nil) }
	all := []sample{
		{"text", text("Hello.")},
		{"text, answering", reply("Here, @1002", &waE2E.ContextInfo{StanzaID: str("ID0"), Participant: str(boLID.String()), QuotedMessage: text("Where?"), MentionedJID: []string{boLID.String()}})},
		{"text, forwarded", reply("Free parking!", &waE2E.ContextInfo{IsForwarded: num(true), ForwardingScore: num(uint32(2))})},
		{"text, forwarded many times", reply("Free parking!", &waE2E.ContextInfo{IsForwarded: num(true), ForwardingScore: num(uint32(127))})},
		{"text, disappearing", &waE2E.Message{EphemeralMessage: wrapped(reply("Gone tomorrow.", &waE2E.ContextInfo{Expiration: num(uint32(86400))}))}},
		{"text with a link", &waE2E.Message{ExtendedTextMessage: &waE2E.ExtendedTextMessage{Text: str("See https://cranford.example/flood"), MatchedText: str("https://cranford.example/flood"),
			Title: str("Flood\nwarning"), Description: str("The river rises.\nStay away."), JPEGThumbnail: []byte("jpeg")}}},
		{"image", photo()},
		{"image, answering", picture("Here", answering())},
		{"video", &waE2E.Message{VideoMessage: film(func(*waE2E.VideoMessage) {})}},
		{"GIF", &waE2E.Message{VideoMessage: film(func(v *waE2E.VideoMessage) { v.GifPlayback = num(true) })}},
		{"video note", &waE2E.Message{PtvMessage: film(func(v *waE2E.VideoMessage) { v.Caption = nil })}},
		{"voice note", sound(func(a *waE2E.AudioMessage) { a.PTT = num(true) })},
		{"audio", sound(func(*waE2E.AudioMessage) {})},
		{"document", &waE2E.Message{DocumentMessage: paper()}},
		{"document with a caption", &waE2E.Message{DocumentWithCaptionMessage: wrapped(&waE2E.Message{DocumentMessage: func() *waE2E.DocumentMessage {
			d := paper()
			d.Caption = str("For Monday")
			return d
		}()})}},
		{"sticker", sticker()},
		{"sticker that moves", &waE2E.Message{LottieStickerMessage: wrapped(sticker())}},
		{"sticker pack", &waE2E.Message{StickerPackMessage: &waE2E.StickerPackMessage{Name: str("Ducks"), Publisher: str("Pond"), Caption: str("For you"), PackDescription: str("All of them"),
			FileLength: num(uint64(1234)), DirectPath: &theFile.Path, MediaKey: theKey, FileSHA256: theDigest, FileEncSHA256: theSealed}}},
		{"view once, with its content", &waE2E.Message{ViewOnceMessageV2: wrapped(photo())}},
		{"view once, voice", &waE2E.Message{ViewOnceMessageV2Extension: wrapped(sound(func(a *waE2E.AudioMessage) { a.PTT = num(true) }))}},
		{"view once, the first form", &waE2E.Message{ViewOnceMessage: wrapped(&waE2E.Message{VideoMessage: film(func(*waE2E.VideoMessage) {})})}},
		{"album", &waE2E.Message{AlbumMessage: &waE2E.AlbumMessage{ExpectedImageCount: num(uint32(3)), ExpectedVideoCount: num(uint32(1))}}},
		{"photo of an album", partOf(photo(), waE2E.MessageAssociation_MEDIA_ALBUM)},
		{"photo of an album, answering", partOf(picture("", answering()), waE2E.MessageAssociation_MEDIA_ALBUM)},
		{"larger copy", partOf(&waE2E.Message{AssociatedChildMessage: wrapped(photo())}, waE2E.MessageAssociation_HD_IMAGE_DUAL_UPLOAD)},
		{"larger copy, said within", &waE2E.Message{AssociatedChildMessage: wrapped(partOf(&waE2E.Message{VideoMessage: film(func(*waE2E.VideoMessage) {})}, waE2E.MessageAssociation_HD_VIDEO_DUAL_UPLOAD))}},
		{"moving copy", partOf(&waE2E.Message{AssociatedChildMessage: wrapped(&waE2E.Message{VideoMessage: film(func(*waE2E.VideoMessage) {})})}, waE2E.MessageAssociation_MOTION_PHOTO)},
		{"cover of an event", partOf(&waE2E.Message{EventCoverImage: wrapped(photo())}, waE2E.MessageAssociation_EVENT_COVER_IMAGE)},
		{"picture of an option", partOf(&waE2E.Message{PollCreationOptionImageMessage: wrapped(photo())}, waE2E.MessageAssociation_MEDIA_POLL)},
		{"contact", &waE2E.Message{ContactMessage: card("Ann", annsCard)}},
		{"contact without a card", &waE2E.Message{ContactMessage: card("Ann", "")}},
		{"contacts", &waE2E.Message{ContactsArrayMessage: &waE2E.ContactsArrayMessage{DisplayName: str("2 contacts"), Contacts: []*waE2E.ContactMessage{
			card("Ann", annsCard), card("Bo", "BEGIN:VCARD\r\nFN:Bo Nott\r\nTEL:07700 900102\r\nTEL:07700 900102\r\nEND:VCARD")}}}},
		{"place", &waE2E.Message{LocationMessage: lane()}},
		{"place without a name", &waE2E.Message{LocationMessage: &waE2E.LocationMessage{DegreesLatitude: num(51.5), DegreesLongitude: num(-0.125)}}},
		{"place that moves", &waE2E.Message{LiveLocationMessage: &waE2E.LiveLocationMessage{DegreesLatitude: num(51.5), DegreesLongitude: num(-0.125), AccuracyInMeters: num(uint32(5)), Caption: str("On my way")}}},
		{"poll, first form", &waE2E.Message{PollCreationMessage: ballot()}},
		{"poll, second form", &waE2E.Message{PollCreationMessageV2: ballot()}},
		{"poll, third form", &waE2E.Message{PollCreationMessageV3: ballot()}},
		{"poll, fourth form", &waE2E.Message{PollCreationMessageV4: wrapped(&waE2E.Message{PollCreationMessageV3: ballot()})}},
		{"poll, fifth form", &waE2E.Message{PollCreationMessageV5: ballot()}},
		{"poll, sixth form", &waE2E.Message{PollCreationMessageV6: func() *waE2E.PollCreationMessage {
			b := ballot()
			b.EndTime, b.HideParticipantName, b.AllowAddOption, b.SelectableOptionsCount = num(noon.UnixMilli()), num(true), num(true), nil
			return b
		}()}},
		{"quiz", &waE2E.Message{PollCreationMessageV5: func() *waE2E.PollCreationMessage {
			b := ballot()
			b.PollType, b.CorrectAnswer = waE2E.PollType_QUIZ.Enum(), b.Options[1]
			return b
		}()}},
		{"poll's result", &waE2E.Message{PollResultSnapshotMessage: snapshot()}},
		{"poll's result, third form", &waE2E.Message{PollResultSnapshotMessageV3: snapshot()}},
		{"option added", &waE2E.Message{PollAddOptionMessage: &waE2E.PollAddOptionMessage{PollCreationMessageKey: bos, AddOption: &waE2E.PollCreationMessage_Option{OptionName: str("Friday")}}}},
		{"vote", &waE2E.Message{PollUpdateMessage: &waE2E.PollUpdateMessage{PollCreationMessageKey: bos, Vote: &waE2E.PollEncValue{EncPayload: []byte("x"), EncIV: []byte("y")}}}},
		{"event", &waE2E.Message{EventMessage: meeting()}},
		{"event, cancelled", &waE2E.Message{EventMessage: func() *waE2E.EventMessage {
			e := meeting()
			e.IsCanceled, e.Location = num(true), &waE2E.LocationMessage{Name: str("The hall")}
			return e
		}()}},
		{"answer to an event", &waE2E.Message{EncEventResponseMessage: &waE2E.EncEventResponseMessage{EventCreationMessageKey: bos, EncPayload: []byte("x"), EncIV: []byte("y")}}},
		{"invitation to a group", &waE2E.Message{GroupInviteMessage: &waE2E.GroupInviteMessage{GroupJID: str("1@g.us"), InviteCode: str("abc"), GroupName: str("Allotments"), Caption: str("Join us"), InviteExpiration: num(noon.Unix())}}},
		{"invitation to a community", &waE2E.Message{GroupInviteMessage: &waE2E.GroupInviteMessage{GroupName: str("Cranford"), GroupType: waE2E.GroupInviteMessage_PARENT.Enum()}}},
		{"invitation to run a channel", &waE2E.Message{NewsletterAdminInviteMessage: &waE2E.NewsletterAdminInviteMessage{NewsletterName: str("Council news"), Caption: str("Help us"), InviteExpiration: num(noon.Unix())}}},
		{"invitation to follow a channel", &waE2E.Message{NewsletterFollowerInviteMessageV2: &waE2E.NewsletterFollowerInviteMessage{NewsletterName: str("Council news"), Caption: str("Follow us")}}},
		{"invitation to an event", &waE2E.Message{EventInviteMessage: &waE2E.EventInviteMessage{EventTitle: str("Site visit"), Caption: str("Come"), StartTime: num(noon.Unix()), IsCanceled: num(true)}}},
		{"comment", &waE2E.Message{CommentMessage: &waE2E.CommentMessage{TargetMessageKey: bos, Message: text("I agree.")}}},
		{"comment with a photo", &waE2E.Message{CommentMessage: &waE2E.CommentMessage{TargetMessageKey: bos, Message: &waE2E.Message{EphemeralMessage: wrapped(picture("Look, @1002", &waE2E.ContextInfo{MentionedJID: []string{boLID.String()}}))}}}},
		{"comment, encrypted", &waE2E.Message{EncCommentMessage: &waE2E.EncCommentMessage{TargetMessageKey: bos, EncPayload: []byte("x"), EncIV: []byte("y")}}},
		{"reaction", reaction("📌", bos)},
		{"reaction taken back", reaction("", bos)},
		{"reaction, encrypted", &waE2E.Message{EncReactionMessage: &waE2E.EncReactionMessage{TargetMessageKey: bos, EncPayload: []byte("x"), EncIV: []byte("y")}}},
		{"pin", &waE2E.Message{PinInChatMessage: &waE2E.PinInChatMessage{Key: bos, Type: waE2E.PinInChatMessage_PIN_FOR_ALL.Enum()}, MessageContextInfo: &waE2E.MessageContextInfo{MessageAddOnDurationInSecs: num(uint32(604800))}}},
		{"unpin", &waE2E.Message{PinInChatMessage: &waE2E.PinInChatMessage{Key: bos, Type: waE2E.PinInChatMessage_UNPIN_FOR_ALL.Enum()}}},
		{"keep", &waE2E.Message{KeepInChatMessage: &waE2E.KeepInChatMessage{Key: bos, KeepType: waE2E.KeepType_KEEP_FOR_ALL.Enum()}}},
		{"keep no more", &waE2E.Message{KeepInChatMessage: &waE2E.KeepInChatMessage{Key: bos, KeepType: waE2E.KeepType_UNDO_KEEP_FOR_ALL.Enum()}}},
		{"edit, wrapped", &waE2E.Message{EditedMessage: wrapped(editOf(own, text("new")))}},
		{"edit, bare", editOf(own, text("new"))},
		{"edit of a caption", editOf(own, photo())},
		{"edit of a poll", editOf(own, &waE2E.Message{PollCreationMessageV3: ballot()})},
		{"edit of an event", editOf(own, &waE2E.Message{EventMessage: meeting()})},
		{"edit, encrypted", &waE2E.Message{SecretEncryptedMessage: &waE2E.SecretEncryptedMessage{TargetMessageKey: own, SecretEncType: waE2E.SecretEncryptedMessage_MESSAGE_EDIT.Enum(), EncPayload: []byte("x"), EncIV: []byte("y")}}},
		{"edit of a poll, encrypted", &waE2E.Message{SecretEncryptedMessage: &waE2E.SecretEncryptedMessage{TargetMessageKey: own, SecretEncType: waE2E.SecretEncryptedMessage_POLL_EDIT.Enum()}}},
		{"option added, encrypted", &waE2E.Message{SecretEncryptedMessage: &waE2E.SecretEncryptedMessage{TargetMessageKey: bos, SecretEncType: waE2E.SecretEncryptedMessage_POLL_ADD_OPTION.Enum()}}},
		{"message for later, encrypted", &waE2E.Message{SecretEncryptedMessage: &waE2E.SecretEncryptedMessage{TargetMessageKey: own, SecretEncType: waE2E.SecretEncryptedMessage_MESSAGE_SCHEDULE.Enum()}}},
		{"deletion", deletionOf(own)},
		{"deletion of another's", deletionOf(bos)},
		{"timer", &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{Type: waE2E.ProtocolMessage_EPHEMERAL_SETTING.Enum(), EphemeralExpiration: num(uint32(86400))}}},
		{"label", &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{Type: waE2E.ProtocolMessage_GROUP_MEMBER_LABEL_CHANGE.Enum(), MemberLabel: &waE2E.MemberLabel{Label: str("Clerk")}}}},
		{"privacy", &waE2E.Message{LimitSharingMessage: wrapped(&waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{Type: waE2E.ProtocolMessage_LIMIT_SHARING.Enum(), LimitSharing: &waCommon.LimitSharing{SharingLimited: num(true)}}})}},
		{"protocol message of another sort", &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{Type: waE2E.ProtocolMessage_SHARE_PHONE_NUMBER.Enum()}}},
	}
	return append(append(all, menus()...), others()...)
}

func snapshot() *waE2E.PollResultSnapshotMessage {
	return &waE2E.PollResultSnapshotMessage{Name: str("When do we meet?"), PollVotes: []*waE2E.PollResultSnapshotMessage_PollVote{
		{OptionName: str("Monday"), OptionVoteCount: num(int64(4))}, {OptionName: str("Tuesday"), OptionVoteCount: num(int64(-1))}}}
}

func menus() []sample {
	rows := []*waE2E.ListMessage_Section{{Title: str("Streets"), Rows: []*waE2E.ListMessage_Row{{Title: str("A pothole"), Description: str("In the road")}, {Title: str("A lamp")}}}}
	hydrated := &waE2E.TemplateMessage_HydratedFourRowTemplate{HydratedContentText: str("Your case is closed."), HydratedFooterText: str("Council line"),
		Title: &waE2E.TemplateMessage_HydratedFourRowTemplate_DocumentMessage{DocumentMessage: paper()},
		HydratedButtons: []*waE2E.HydratedTemplateButton{
			{HydratedButton: &waE2E.HydratedTemplateButton_UrlButton{UrlButton: &waE2E.HydratedTemplateButton_HydratedURLButton{DisplayText: str("Read"), URL: str("https://cranford.example")}}},
			{HydratedButton: &waE2E.HydratedTemplateButton_QuickReplyButton{QuickReplyButton: &waE2E.HydratedTemplateButton_HydratedQuickReplyButton{DisplayText: str("Thanks")}}},
			{HydratedButton: &waE2E.HydratedTemplateButton_CallButton{CallButton: &waE2E.HydratedTemplateButton_HydratedCallButton{DisplayText: str("Call us")}}}}}
	hsm := func(words ...string) *waE2E.HighlyStructuredMessage {
		return &waE2E.HighlyStructuredMessage{ElementName: str("reminder"), Params: words}
	}
	carousel := &waE2E.InteractiveMessage{Body: &waE2E.InteractiveMessage_Body{Text: str("Choose a walk")}, InteractiveMessage: &waE2E.InteractiveMessage_CarouselMessage_{
		CarouselMessage: &waE2E.InteractiveMessage_CarouselMessage{Cards: []*waE2E.InteractiveMessage{
			menuOf(&waE2E.InteractiveMessage_Header{Title: str("River"), Media: &waE2E.InteractiveMessage_Header_ImageMessage{ImageMessage: picture("", nil).ImageMessage}}),
			menuOf(&waE2E.InteractiveMessage_Header{Title: str("Hill"), Subtitle: str("Steep")})}}}}
	return []sample{
		{"list", &waE2E.Message{ListMessage: &waE2E.ListMessage{Title: str("Report"), Description: str("What is broken?"), ButtonText: str("Choose"), FooterText: str("Council line"), Sections: rows}}},
		{"choice from a list", &waE2E.Message{ListResponseMessage: &waE2E.ListResponseMessage{Title: str("A pothole"), Description: str("In the road"), ContextInfo: answering()}}},
		{"buttons with a photo", &waE2E.Message{ButtonsMessage: &waE2E.ButtonsMessage{ContentText: str("Is it here?"), FooterText: str("Council line"),
			Header:  &waE2E.ButtonsMessage_ImageMessage{ImageMessage: picture("Mill Lane", nil).ImageMessage},
			Buttons: []*waE2E.ButtonsMessage_Button{{ButtonText: &waE2E.ButtonsMessage_Button_ButtonText{DisplayText: str("Yes")}}, {ButtonText: &waE2E.ButtonsMessage_Button_ButtonText{DisplayText: str("No")}}}}}},
		{"buttons with a place", &waE2E.Message{ButtonsMessage: &waE2E.ButtonsMessage{ContentText: str("Here?"), Header: &waE2E.ButtonsMessage_LocationMessage{LocationMessage: lane()}}}},
		{"choice from buttons", &waE2E.Message{ButtonsResponseMessage: &waE2E.ButtonsResponseMessage{Response: &waE2E.ButtonsResponseMessage_SelectedDisplayText{SelectedDisplayText: "Yes"}}}},
		{"template", &waE2E.Message{TemplateMessage: &waE2E.TemplateMessage{HydratedTemplate: hydrated, Format: &waE2E.TemplateMessage_HydratedFourRowTemplate_{HydratedFourRowTemplate: hydrated}}}},
		{"template of four rows", &waE2E.Message{TemplateMessage: &waE2E.TemplateMessage{Format: &waE2E.TemplateMessage_FourRowTemplate_{FourRowTemplate: &waE2E.TemplateMessage_FourRowTemplate{
			Title: &waE2E.TemplateMessage_FourRowTemplate_HighlyStructuredMessage{HighlyStructuredMessage: hsm("Bin day")}, Content: hsm("Tuesday", "8 a.m."),
			Buttons: []*waE2E.TemplateButton{{Button: &waE2E.TemplateButton_QuickReplyButton_{QuickReplyButton: &waE2E.TemplateButton_QuickReplyButton{DisplayText: hsm("Thanks")}}}}}}}}},
		{"template that is interactive", &waE2E.Message{TemplateMessage: &waE2E.TemplateMessage{Format: &waE2E.TemplateMessage_InteractiveMessageTemplate{InteractiveMessageTemplate: menuOf(nil)}}}},
		{"choice from a template", &waE2E.Message{TemplateButtonReplyMessage: &waE2E.TemplateButtonReplyMessage{SelectedDisplayText: str("Thanks")}}},
		{"structured", &waE2E.Message{HighlyStructuredMessage: &waE2E.HighlyStructuredMessage{Params: []string{"Tuesday"}, LocalizableParams: []*waE2E.HighlyStructuredMessage_HSMLocalizableParameter{{Default: str("£12.50")}}}}},
		{"interactive", &waE2E.Message{InteractiveMessage: menuOf(&waE2E.InteractiveMessage_Header{Title: str("Report"), Media: &waE2E.InteractiveMessage_Header_VideoMessage{VideoMessage: film(func(*waE2E.VideoMessage) {})}})}},
		{"interactive, as some wrap it", &waE2E.Message{ViewOnceMessage: wrapped(&waE2E.Message{InteractiveMessage: menuOf(&waE2E.InteractiveMessage_Header{Media: &waE2E.InteractiveMessage_Header_ImageMessage{ImageMessage: picture("", nil).ImageMessage}})})}},
		{"carousel", &waE2E.Message{InteractiveMessage: carousel}},
		{"choice from an interactive message", &waE2E.Message{InteractiveResponseMessage: &waE2E.InteractiveResponseMessage{Body: &waE2E.InteractiveResponseMessage_Body{Text: str("A pothole")}}}},
	}
}

func others() []sample {
	bos := keyOf(false, boLID.String())
	gbp := func(value int64, offset uint32) *waE2E.Money {
		return &waE2E.Money{Value: &value, Offset: &offset, CurrencyCode: str("GBP")}
	}
	product := &waE2E.ProductMessage{Body: str("Take one"), Footer: str("Council shop"), Product: &waE2E.ProductMessage_ProductSnapshot{Title: str("Bin"), Description: str("Green"),
		CurrencyCode: str("GBP"), PriceAmount1000: num(int64(12500)), URL: str("https://shop.example/bin"), ProductImage: picture("", nil).ImageMessage}}
	return []sample{
		{"payment", &waE2E.Message{SendPaymentMessage: &waE2E.SendPaymentMessage{NoteMessage: reply("For the hall, @1002", &waE2E.ContextInfo{MentionedJID: []string{boLID.String()}}), RequestMessageKey: bos}}},
		{"payment asked for", &waE2E.Message{RequestPaymentMessage: &waE2E.RequestPaymentMessage{NoteMessage: text("The hall"), CurrencyCodeIso4217: str("GBP"), Amount1000: num(uint64(12500))}}},
		{"payment asked for, in money", &waE2E.Message{RequestPaymentMessage: &waE2E.RequestPaymentMessage{Amount: gbp(1250, 100)}}},
		{"payment declined", &waE2E.Message{DeclinePaymentRequestMessage: &waE2E.DeclinePaymentRequestMessage{Key: bos}}},
		{"payment cancelled", &waE2E.Message{CancelPaymentRequestMessage: &waE2E.CancelPaymentRequestMessage{Key: keyOf(true, "")}}},
		{"payment, invitation", &waE2E.Message{PaymentInviteMessage: &waE2E.PaymentInviteMessage{ExpiryTimestamp: num(noon.Unix())}}},
		{"payment, reminder", &waE2E.Message{PaymentReminderMessage: &waE2E.PaymentReminderMessage{Description: str("Rent of the hall"), Amount: gbp(99, 1)}}},
		{"payment, shared", &waE2E.Message{SplitPaymentMessage: &waE2E.SplitPaymentMessage{Description: str("Cake"), TotalAmount: gbp(12345, 1000)}}},
		{"payment, share paid", &waE2E.Message{SplitPaymentUpdateMessage: &waE2E.SplitPaymentUpdateMessage{SplitID: str("1")}}},
		{"invoice", &waE2E.Message{InvoiceMessage: &waE2E.InvoiceMessage{Note: str("March"), AttachmentType: waE2E.InvoiceMessage_PDF.Enum(), AttachmentMimetype: str("application/pdf"),
			AttachmentDirectPath: &theFile.Path, AttachmentMediaKey: theKey, AttachmentFileSHA256: theDigest, AttachmentFileEncSHA256: theSealed}}},
		{"order", &waE2E.Message{OrderMessage: &waE2E.OrderMessage{OrderTitle: str("Bins"), Message: str("Two please"), Status: waE2E.OrderMessage_ACCEPTED.Enum(), TotalAmount1000: num(int64(25000)), TotalCurrencyCode: str("GBP")}}},
		{"product", &waE2E.Message{ProductMessage: product}},
		{"call", &waE2E.Message{Call: &waE2E.Call{CallKey: []byte("k")}}},
		{"call, logged", &waE2E.Message{CallLogMesssage: &waE2E.CallLogMessage{IsVideo: num(true), CallOutcome: waE2E.CallLogMessage_MISSED.Enum()}}},
		{"call, logged, voice chat", &waE2E.Message{CallLogMesssage: &waE2E.CallLogMessage{DurationSecs: num(int64(125)), CallType: waE2E.CallLogMessage_VOICE_CHAT.Enum()}}},
		{"call, scheduled", &waE2E.Message{ScheduledCallCreationMessage: &waE2E.ScheduledCallCreationMessage{Title: str("Budget"), ScheduledTimestampMS: num(noon.UnixMilli()), CallType: waE2E.ScheduledCallCreationMessage_VIDEO.Enum()}}},
		{"call, no longer scheduled", &waE2E.Message{ScheduledCallEditMessage: &waE2E.ScheduledCallEditMessage{Key: keyOf(true, ""), EditType: waE2E.ScheduledCallEditMessage_CANCEL.Enum()}}},
		{"broadcast call", &waE2E.Message{BcallMessage: &waE2E.BCallMessage{MediaType: waE2E.BCallMessage_AUDIO.Enum(), Caption: str("Listen in")}}},
		{"history", &waE2E.Message{MessageHistoryBundle: &waE2E.MessageHistoryBundle{Mimetype: str("application/zip"), MediaKey: theKey, MessageHistoryMetadata: &waE2E.MessageHistoryMetadata{MessageCount: num(int64(40))}}}},
		{"history, notice", &waE2E.Message{MessageHistoryNotice: &waE2E.MessageHistoryNotice{MessageHistoryMetadata: &waE2E.MessageHistoryMetadata{MessageCount: num(int64(40))}}}},
		{"bot's answer", &waE2E.Message{BotForwardedMessage: wrapped(&waE2E.Message{RichResponseMessage: &waE2E.AIRichResponseMessage{
			Submessages: []*waAICommonDeprecated.AIRichResponseSubMessage{{MessageText: str("Bins go out on Tuesday.")}, {MessageText: str("Green ones.")}}}})}},
		{"answer to a question", &waE2E.Message{QuestionResponseMessage: &waE2E.QuestionResponseMessage{Key: bos, Text: str("Tuesday")}}},
		{"answer to a status", &waE2E.Message{StatusQuestionAnswerMessage: &waE2E.StatusQuestionAnswerMessage{Text: str("Tuesday")}}},
		{"status quoted", &waE2E.Message{StatusQuotedMessage: &waE2E.StatusQuotedMessage{Text: str("Tuesday")}}},
		{"music", &waE2E.Message{MusicMessage: &waE2E.MusicMessage{EmbeddedMusic: &waE2E.EmbeddedMusic{Title: str("Greensleeves"), Author: str("Anonymous")}}}},
		{"of our own phone", &waE2E.Message{DeviceSentMessage: &waE2E.DeviceSentMessage{Message: text("Hello.")}}},
		{"text beside a preview's style", &waE2E.Message{Conversation: str("Hello."), StatusLinkPreviewMetadata: &waE2E.StatusLinkPreviewMetadata{}}},
		{"nothing", &waE2E.Message{}},
		{"of the future", future()},
	}
}

// unread are the fields of a message that are not read, and why.
var unread = map[protoreflect.Name]string{
	"senderKeyDistributionMessage":               "keys; no record",
	"fastRatchetKeySenderKeyDistributionMessage": "keys; no record",
	"messageContextInfo":                         "about the message",
	"statusLinkPreviewMetadata":                  "about the message",
	"chat":                                       "no app sends it",
	"stickerSyncRmrMessage":                      "between somebody's own devices",
	"requestPhoneNumberMessage":                  "in a chat of two only",
	"placeholderMessage":                         "in place of what linked devices are not shown",
	"statusNotificationMessage":                  "about status updates, which are of no group",
	"statusStickerInteractionMessage":            "about status updates, which are of no group",
	"conditionalRevealMessage":                   "encrypted; the key comes later, and in a way that is not known",
	"groupRootKeyShare":                          "keys of that",
	"rootSecretDistributeMessage":                "keys of that",
}

// TestEveryFieldIsRead knows every field of a message: that it is read, in a sample, or
// why not. An upgrade of whatsmeow that brings another one fails here.
func TestEveryFieldIsRead(t *testing.T) {
	read := make(map[protoreflect.Name]bool)
	for _, s := range samples() {
		r, is := reader().Read(fromAnn(), s.m)
		if !is || r.Kind == record.Unsupported {
			continue
		}
		for m := s.m; m != nil; {
			o := m
			m = nil
			for _, f := range setFields(o.ProtoReflect()) {
				read[f.Name()] = true
				if w, is := o.ProtoReflect().Get(f).Interface().(protoreflect.Message); is {
					if within := unwrap(part{value: w.Interface()}); within != nil {
						m = within
					}
				}
			}
		}
	}
	fields := (&waE2E.Message{}).ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		_, left := unread[f.Name()]
		if !left && f.Message() != nil && f.Message().Name() == "FutureProofMessage" { // all are wrappers, and opened
			m := &waE2E.Message{}
			m.ProtoReflect().Set(f, protoreflect.ValueOfMessage(wrapped(text("Hello.")).ProtoReflect()))
			r, is := reader().Read(fromAnn(), m)
			if f.Name() != "editedMessage" && (!is || r.Kind != record.Message || r.Text != "Hello.") {
				t.Errorf("%s: %s %s %q", f.Name(), r.Kind, r.Type, r.Text)
			}
			continue
		}
		if !left && !read[f.Name()] {
			t.Errorf("%s is neither in a sample that is read nor among those left unread", f.Name())
		}
		if left && f.Message() != nil {
			m := &waE2E.Message{}
			m.ProtoReflect().Set(f, m.ProtoReflect().NewField(f))
			r, is := reader().Read(fromAnn(), m)
			if is && r.Kind != record.Unsupported || is && f.Name() != "messageContextInfo" && string(r.Type) != string(f.Name()) {
				t.Errorf("%s, which is left unread: %s %s", f.Name(), r.Kind, r.Type)
			}
		}
	}
}

// TestSamples compares what is read of each with the golden file, and what is read
// again.
func TestSamples(t *testing.T) {
	var out bytes.Buffer
	for _, s := range samples() {
		r := readsWell(t, s.name, s.m)
		fmt.Fprintf(&out, "-- %s --\n%s %s", s.name, r.Kind, r.Type)
		if r.Emoji != "" {
			fmt.Fprintf(&out, " %s", r.Emoji)
		}
		if r.Target != nil {
			fmt.Fprintf(&out, ", of %s by %s", r.Target.ID, r.Target.Sender.JID)
		}
		out.WriteByte('\n')
		for line := range strings.Lines(r.Text) {
			fmt.Fprintf(&out, "> %s\n", strings.TrimSuffix(line, "\n"))
		}
		if r.Details != "" {
			fmt.Fprintf(&out, "%s\n", r.Details)
		}
		if r.Mentions != nil {
			fmt.Fprintf(&out, "mentions %s\n", strings.Join(r.Mentions, " "))
		}
		if f := r.File; f != nil {
			fmt.Fprintf(&out, "file: %s %q, %s, %d bytes\n", r.FileType(), f.Name, f.MIME, f.Size)
		}
		for _, q := range r.Quotations {
			fmt.Fprintf(&out, "quotes %s by %s: %q\n", q.Of.ID, q.Of.Sender.JID, q.Text)
		}
	}
	const path = "testdata/samples.golden"
	if *update {
		if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	golden, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(golden), out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func readsWell(t *testing.T, name string, m *waE2E.Message) record.Received {
	t.Helper()
	before := proto.Clone(m)
	r, is := reader().Read(fromAnn(), m)
	if !is {
		t.Fatalf("%s: no record", name)
	}
	if !proto.Equal(before, m) {
		t.Errorf("%s: it was altered", name)
	}
	check(t, r)
	readsAgain(t, r)
	return r
}

// wrappers are the names of the fields that wrap a message without changing what it is.
func wrappers() (names []string) {
	fields := (&waE2E.Message{}).ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if f.Message() != nil && slices.Contains([]protoreflect.Name{"FutureProofMessage", "DeviceSentMessage"}, f.Message().Name()) &&
			!wrapsOnce(string(f.Name())) && f.Name() != "editedMessage" {
			names = append(names, string(f.Name()))
		}
	}
	return names
}

// wrap wraps m in a field of that name.
func wrap(m *waE2E.Message, field string) *waE2E.Message {
	outer := &waE2E.Message{}
	f := outer.ProtoReflect().Descriptor().Fields().ByName(protoreflect.Name(field))
	wrapper := outer.ProtoReflect().Mutable(f).Message()
	wrapper.Set(wrapper.Descriptor().Fields().ByName("message"), protoreflect.ValueOfMessage(m.ProtoReflect()))
	return outer
}

// TestWrappersChangeNothing has every sample in any wrappers, in any order.
func TestWrappersChangeNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("one thing after another, which the race detector watches for long")
	}
	names := wrappers()
	if len(names) < 20 {
		t.Fatalf("only %d wrappers: %v", len(names), names)
	}
	for i, s := range samples() {
		want := readsWell(t, s.name, s.m)
		for depth := 1; depth <= 4; depth++ {
			m := proto.Clone(s.m).(*waE2E.Message)
			var in []string
			for d := range depth {
				name := names[(i*7+depth*5+d*11)%len(names)]
				m, in = wrap(m, name), append(in, name)
			}
			got := readsWell(t, s.name, m)
			got.Protobuf, want.Protobuf = nil, nil
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s in %v (-want +got):\n%s", s.name, in, diff)
			}
		}
	}
}

// TestOnceWrappersHideFiles has every sample in the wrappers of what is viewed once: of
// files only that they were sent is kept, all else is read as it is.
func TestOnceWrappersHideFiles(t *testing.T) {
	for _, s := range samples() {
		plain := readsWell(t, s.name, s.m)
		for _, name := range []string{"viewOnceMessage", "viewOnceMessageV2", "viewOnceMessageV2Extension"} {
			r := readsWell(t, s.name, wrap(wrap(proto.Clone(s.m).(*waE2E.Message), name), "ephemeralMessage"))
			hidden := plain.Kind == record.Unsupported && !strings.Contains(s.name, "protocol") || plain.File != nil && plain.File.Type == "" || plain.Type == record.ViewOnce
			if hidden != (r.Type == record.ViewOnce) || r.File != nil && r.File.Path != "" && plain.Type != record.Payment {
				t.Errorf("%s in %s: %s %s, %+v", s.name, name, r.Kind, r.Type, r.File)
			}
			if !hidden && r.Text != plain.Text && plain.File == nil && s.name != "edit of a caption" {
				t.Errorf("%s in %s: %q", s.name, name, r.Text)
			}
		}
	}
}
