package standin

import (
	"strings"
	"time"

	"go.mau.fi/whatsmeow/proto/waAICommonDeprecated"
	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// A Sent is one message of a corpus, and what it is called there.
type Sent struct {
	Name string
	*Message
}

// Everything is a corpus: one message of each kind that there is, in fixed words, always
// in the same order, a minute apart. Every field of waE2E.Message occurs in it that can
// be content; a test holds the two together. What is sent is what apps send as far as
// that is known, and for the rest what their protocol allows.
type Everything struct {
	From time.Time
	// Ann and Bo are who send it, in which group and with what mishap. Ann must be an
	// admin.
	Ann, Bo Voice
	// Before is called before each message, with its number from 0. It may be nil.
	Before func(n int)
}

// Send sends everything. It leaves the group's timer off.
func (e Everything) Send() []Sent {
	c := &corpus{Everything: e}
	c.texts()
	c.reactions()
	c.edits()
	c.deletions()
	c.media()
	c.albums()
	c.once()
	c.places()
	c.polls()
	c.pollForms()
	c.events()
	c.comments()
	c.pins()
	c.calls()
	c.invites()
	c.business()
	c.money()
	c.histories()
	c.oddities()
	c.protocol()
	c.wrappers()
	c.disappearing()
	return c.sent
}

// A corpus is being sent.
type corpus struct {
	Everything
	sent []Sent
	n    int
}

// a and b are the members, a minute later each time.
func (c *corpus) a() Voice { return c.later(c.Ann) }
func (c *corpus) b() Voice { return c.later(c.Bo) }

func (c *corpus) later(v Voice) Voice {
	if c.Before != nil {
		c.Before(c.n)
	}
	c.n++
	return v.At(c.now())
}

func (c *corpus) now() time.Time { return c.From.Add(time.Duration(c.n) * time.Minute) }

func (c *corpus) add(name string, m *Message) *Message {
	c.sent = append(c.sent, Sent{name, m})
	return m
}

// sends sends what needs nothing of the stand-in.
func (c *corpus) sends(name string, content *waE2E.Message) *Message {
	return c.add(name, c.a().Sends(content))
}

// address is how a member is addressed in the group.
func (c *corpus) address(v Voice) *string {
	defer v.lock().Unlock()
	return proto.String(v.names(v.member, v.inGroup()).String())
}

func (c *corpus) texts() {
	said := c.add("text", c.a().Says("The handrail on the footbridge has come away."))
	c.add("text in lines", c.b().Says("Three things:\n1. the handrail\n2. the bin\n\n3. the *gate*"))
	c.add("reply", c.b().Replies(said, "I saw it too."))
	c.add("reply that mentions", c.b().Replies(said, "@"+c.Ann.member.name+" did you ring the county?", c.Ann.member))
	c.add("mention", c.a().Says("@"+c.Bo.member.name+" please look at it, @"+c.Bo.member.name+".", c.Bo.member))
	c.add("mention by number", c.a().Says("Nobody is @447700900999 here, or @all."))
	c.sends("link", &waE2E.Message{ExtendedTextMessage: &waE2E.ExtendedTextMessage{
		Text:        proto.String("The county's page: https://county.example/bridges"),
		MatchedText: proto.String("https://county.example/bridges"), Title: proto.String("Bridges and culverts"),
		Description: proto.String("Report a fault"), JPEGThumbnail: []byte("small"),
	}})
	once := c.add("forwarded", c.b().Forwards(said))
	c.add("forwarded again", c.a().Forwards(once))
	c.sends("forwarded many times", &waE2E.Message{ExtendedTextMessage: &waE2E.ExtendedTextMessage{
		Text:        proto.String("Send this to ten friends."),
		ContextInfo: &waE2E.ContextInfo{IsForwarded: proto.Bool(true), ForwardingScore: proto.Uint32(127)},
	}})
	c.add("from another device", c.b().Elsewhere().Says("From my laptop."))
	c.add("long text", c.a().Says(strings.Repeat("It goes on and on. ", 40)))
	c.add("empty text", c.a().Says(""))
}

func (c *corpus) reactions() {
	m := c.add("reacted to", c.a().Says("Shall we meet on Tuesday?"))
	c.add("reaction", c.b().Reacts(m, "👍"))
	c.add("reaction changed", c.b().Reacts(m, "❤️"))
	c.add("reaction taken back", c.b().TakesBack(m))
	c.add("reaction to own", c.a().Reacts(m, "😀"))
	c.add("sealed reaction", c.b().Sealed().Reacts(m, "🎉"))
	c.add("sealed reaction changed", c.b().Sealed().Reacts(m, "😮"))
	c.add("sealed reaction taken back", c.b().Sealed().TakesBack(m))
}

func (c *corpus) edits() {
	m := c.add("edited", c.a().Says("The meeting is at six."))
	c.add("edit", c.a().Edits(m, "The meeting is at seven."))
	c.add("bare edit", c.a().EditsBare(m, "The meeting is at half past six."))
	c.add("sealed edit", c.a().Sealed().Edits(m, "The meeting is at eight."))
	c.add("bare sealed edit", c.a().Sealed().EditsBare(m, "The meeting is at nine."))
	c.add("edit that mentions", c.a().Sealed().Edits(m, "The meeting is when @"+c.Bo.member.name+" comes.", c.Bo.member))
	photo := c.add("captioned", c.b().SendsImage([]byte("a culvert"), "The culvert"))
	c.add("edit of a caption", c.b().Edits(photo, "The culvert in Mill Lane"))
	c.add("sealed edit of a caption", c.b().Sealed().Edits(photo, "The culvert in Church Lane"))
}

func (c *corpus) deletions() {
	haste := c.add("deleted", c.b().Says("Said in haste."))
	c.add("deletion", c.b().Deletes(haste))
	anger := c.add("deleted by an admin", c.b().Says("Said in anger."))
	c.add("deletion by an admin", c.a().Deletes(anger))
	photo := c.add("deleted photo", c.b().SendsImage([]byte("a mistake"), "Not this one"))
	c.add("deletion of a photo", c.b().Deletes(photo))
}

func (c *corpus) media() {
	photo := c.add("photo", c.a().SendsImage([]byte("a photo of the handrail"), "The handrail"))
	c.add("photo without caption", c.a().SendsImage([]byte("another photo"), ""))
	c.add("photo in reply", c.b().Quoting(photo).Mentioning(c.Ann.member).SendsImage([]byte("my photo"), "Mine, @"+c.Ann.member.name))
	c.add("forwarded photo", c.b().Forwards(photo))
	c.add("video", c.a().Lasting(73*time.Second).SendsVideo([]byte("a film"), "The flood"))
	c.add("GIF", c.b().SendsGIF([]byte("a moving picture"), "Quite"))
	c.add("video note", c.b().Lasting(11*time.Second).SendsVideoNote([]byte("a film of myself")))
	c.add("voice message", c.a().Lasting(14*time.Second).SendsVoice([]byte("a voice")))
	c.add("audio", c.a().Lasting(200*time.Second).SendsAudio([]byte("a recording")))
	c.add("document", c.b().SendsDocument("Minutes.pdf", "application/pdf", []byte("%PDF minutes"), ""))
	c.add("document with caption", c.b().SendsDocument("Budget.xlsx",
		"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", []byte("PK budget"), "For Tuesday"))
	c.add("sticker", c.a().SendsSticker([]byte("a sticker")))
	c.add("moving sticker", c.a().SendsLottie([]byte("a lottie")))
	pack := &waE2E.StickerPackMessage{
		StickerPackID: proto.String("pack"), Name: proto.String("Village"), Publisher: proto.String("Ann"),
		Stickers: []*waE2E.StickerPackMessage_Sticker{{FileName: proto.String("1.webp"), Emojis: []string{"🌳"}}},
	}
	v := c.a()
	v.attach("WhatsApp Sticker Pack Keys", []byte("stickers"), pack)
	c.add("stickers", v.Sends(&waE2E.Message{StickerPackMessage: pack}))
}

func (c *corpus) albums() {
	album := c.add("album", c.a().BeginsAlbum(2, 1))
	first := c.add("photo of an album", c.a().InAlbum(album).SendsImage([]byte("first of the album"), "Three of the fête"))
	c.add("second photo of an album", c.a().InAlbum(album).SendsImage([]byte("second of the album"), ""))
	c.add("video of an album", c.a().InAlbum(album).Lasting(5*time.Second).SendsVideo([]byte("third of the album"), ""))
	c.add("larger photo", c.a().SendsLarger(first, []byte("first of the album, in full size")))
	again := c.a() // the other way in which larger copies come: as an edit
	larger := again.image([]byte("first of the album, larger still"), "")
	again = again.partOf(first, waE2E.MessageAssociation_HD_IMAGE_DUAL_UPLOAD)
	edit := again.edit(first, &waE2E.Message{AssociatedChildMessage: &waE2E.FutureProofMessage{Message: &waE2E.Message{ImageMessage: larger}}})
	edit.MessageContextInfo = &waE2E.MessageContextInfo{MessageAssociation: again.part}
	c.add("larger photo as an edit", again.Wrapped("editedMessage").Sends(edit))
	film := again.Lasting(2*time.Second).video([]byte("the moment before"), "")
	v := c.a().partOf(first, waE2E.MessageAssociation_MOTION_PHOTO)
	c.add("motion of a photo", v.Wrapped("associatedChildMessage").Sends(&waE2E.Message{VideoMessage: film}))
}

func (c *corpus) once() {
	once := c.add("photo to view once", c.a().Once().SendsImage([]byte("for your eyes"), "Only once"))
	c.add("voice message to view once", c.a().Once().SendsVoice([]byte("for your ears")))
	c.add("reply to what was to view once", c.b().Replies(once, "I have seen it."))
	c.add("reaction to what was to view once", c.b().Reacts(once, "👀"))
	c.add("photo to view once that came", c.b().Wrapped("viewOnceMessageV2").SendsImage([]byte("for all eyes"), "From an old app"))
	c.add("text to view once that came", c.b().Wrapped("viewOnceMessage").Says("From an older app"))
}

func (c *corpus) places() {
	c.add("place", c.a().SendsPlace(51.75222, -1.25596, "Village hall", "Church Lane"))
	c.add("place without name", c.a().SendsPlace(51.75, -1.25, "", ""))
	c.add("live place", c.b().SharesPlace(51.7601, -1.2601, "Walking the bounds"))
	fencing := Card{"Fencing Ltd", "BEGIN:VCARD\nVERSION:3.0\nN:;Fencing Ltd;;;\nFN:Fencing Ltd\nORG:Fencing Ltd;\n" +
		"TEL;type=WORK;waid=447700900555:+44 7700 900555\nEMAIL:fence@fencing.example\nEND:VCARD"}
	c.add("contact", c.a().SendsCards(fencing))
	c.add("contacts", c.a().SendsCards(fencing, Card{"The Weir", "BEGIN:VCARD\nVERSION:3.0\nFN:The Weir\nTEL:01632 960123\nEND:VCARD"}))
}

func (c *corpus) polls() {
	poll := c.add("poll", c.a().Polls("Which day?", "Monday", "Tuesday", "Friday"))
	c.add("vote", c.b().Votes(poll, "Tuesday"))
	c.add("own vote", c.a().Votes(poll, "Monday"))
	c.add("vote changed", c.b().Votes(poll, "Friday"))
	c.add("vote withdrawn", c.b().Votes(poll))
	many := c.add("poll of any number", c.b().PollsFreely("What shall we buy?", "Bins", "Benches", "Bulbs"))
	c.add("vote for several", c.a().Votes(many, "Bins", "Bulbs"))
	c.add("option added", c.a().AddsOption(many, "A bell"))
	c.add("sealed option added", c.a().Sealed().AddsOption(many, "A bus shelter"))
	c.add("option added as an edit", c.a().AddsOptionAsEdit(many, "A bridge"))
	c.add("vote for what was added", c.b().Votes(many, "Bulbs", "A bell", "A bus shelter", "A bridge"))
	c.add("poll edited", c.b().Repolls(many, "What shall we buy this year?", "Bins", "Benches", "Bulbs"))
	c.add("reaction to a poll", c.a().Reacts(poll, "🗳"))
	c.add("reply to a poll", c.b().Replies(poll, "Not in harvest week."))
	counts := []*waE2E.PollResultSnapshotMessage_PollVote{
		{OptionName: proto.String("Monday"), OptionVoteCount: proto.Int64(1)}, {OptionName: proto.String("Tuesday"), OptionVoteCount: proto.Int64(0)},
	}
	c.sends("poll's result", &waE2E.Message{PollResultSnapshotMessage: &waE2E.PollResultSnapshotMessage{Name: proto.String("Which day?"), PollVotes: counts}})
	c.sends("quiz's result", &waE2E.Message{PollResultSnapshotMessageV3: &waE2E.PollResultSnapshotMessage{
		Name: proto.String("Which year?"), PollVotes: counts[:1], PollType: waE2E.PollType_QUIZ.Enum(),
	}})
}

// pollForms are the forms in which polls have been sent over the years. They say the
// same, and are voted in alike.
func (c *corpus) pollForms() {
	voted := func(name string, content *waE2E.Message) {
		poll := c.sends(name, content)
		c.add("vote in the "+name, c.b().Votes(poll, "1887"))
	}
	year := ballot("Which year?", []string{"1887", "1897"})
	voted("poll of announcements", &waE2E.Message{PollCreationMessageV2: year})
	voted("poll in a wrapper", &waE2E.Message{PollCreationMessageV4: &waE2E.FutureProofMessage{
		Message: &waE2E.Message{PollCreationMessage: year},
	}})
	quiz := ballot("Which year?", []string{"1887", "1897"})
	quiz.PollType, quiz.CorrectAnswer = waE2E.PollType_QUIZ.Enum(), quiz.Options[1]
	voted("quiz", &waE2E.Message{PollCreationMessageV5: quiz})
	open := ballot("Which year?", []string{"1887", "1897"})
	open.EndTime, open.HideParticipantName, open.AllowAddOption = proto.Int64(c.now().Add(48*time.Hour).Unix()), proto.Bool(true), proto.Bool(true)
	voted("poll that ends", &waE2E.Message{PollCreationMessageV6: open})
	v := c.a()
	picture := v.image([]byte("a choice"), "")
	c.add("picture of a poll's option", v.Wrapped("pollCreationOptionImageMessage").Sends(&waE2E.Message{ImageMessage: picture}))
}

func (c *corpus) events() {
	litter := func(name string) *waE2E.EventMessage {
		starts := c.now().Truncate(time.Hour).Add(72 * time.Hour)
		return &waE2E.EventMessage{
			Name: proto.String(name), Description: proto.String("Bags and gloves are there."),
			Location: &waE2E.LocationMessage{
				DegreesLatitude: proto.Float64(51.75222), DegreesLongitude: proto.Float64(-1.25596), Name: proto.String("Village hall"),
			},
			StartTime: proto.Int64(starts.Unix()), EndTime: proto.Int64(starts.Add(2 * time.Hour).Unix()), ExtraGuestsAllowed: proto.Bool(true),
		}
	}
	event := c.add("event", c.a().Plans(litter("Litter pick")))
	c.add("response", c.b().Responds(event, waE2E.EventResponseMessage_GOING, 0))
	c.add("response with guests", c.b().Responds(event, waE2E.EventResponseMessage_GOING, 2))
	c.add("own response", c.a().Responds(event, waE2E.EventResponseMessage_MAYBE, 0))
	c.add("response changed", c.b().Responds(event, waE2E.EventResponseMessage_NOT_GOING, 0))
	c.add("event edited", c.a().Replans(event, litter("Litter pick, with tea")))
	cancelled := litter("Litter pick, with tea")
	cancelled.IsCanceled = proto.Bool(true)
	c.add("event cancelled", c.a().Replans(event, cancelled))
	c.add("event with a call", c.b().Plans(&waE2E.EventMessage{
		Name: proto.String("Surgery"), JoinLink: proto.String("https://call.example/video/abc"),
		StartTime: proto.Int64(c.now().Truncate(time.Hour).Add(24 * time.Hour).Unix()), IsScheduleCall: proto.Bool(true),
	}))
	v := c.a()
	cover := v.image([]byte("a cover"), "")
	v = v.partOf(event, waE2E.MessageAssociation_EVENT_COVER_IMAGE)
	c.add("cover of an event", v.Wrapped("eventCoverImage").Sends(&waE2E.Message{ImageMessage: cover}))
}

func (c *corpus) comments() {
	m := c.add("commented on", c.a().Says("The clerk's report is on the website."))
	c.add("comment", c.b().Comments(m, "Page two is missing."))
	c.add("sealed comment", c.b().Sealed().Comments(m, "Now it is there."))
}

func (c *corpus) pins() {
	m := c.add("pinned", c.a().Says("Agenda: https://parish.example/agenda"))
	c.add("pin", c.a().Pins(m, 7*24*time.Hour))
	c.add("pin taken off", c.a().Unpins(m))
	c.add("kept", c.b().Keeps(m))
	c.add("kept no more", c.a().Unkeeps(m))
}

func (c *corpus) calls() {
	c.sends("call", &waE2E.Message{CallLogMesssage: &waE2E.CallLogMessage{
		IsVideo: proto.Bool(true), CallOutcome: waE2E.CallLogMessage_CONNECTED.Enum(), DurationSecs: proto.Int64(725),
		Participants: []*waE2E.CallLogMessage_CallParticipant{{
			JID: c.address(c.Bo), CallOutcome: waE2E.CallLogMessage_CONNECTED.Enum(),
		}},
	}})
	c.sends("missed call", &waE2E.Message{CallLogMesssage: &waE2E.CallLogMessage{CallOutcome: waE2E.CallLogMessage_MISSED.Enum()}})
	planned := c.sends("planned call", &waE2E.Message{ScheduledCallCreationMessage: &waE2E.ScheduledCallCreationMessage{
		ScheduledTimestampMS: proto.Int64(c.now().Truncate(time.Hour).Add(24 * time.Hour).UnixMilli()), CallType: waE2E.ScheduledCallCreationMessage_VIDEO.Enum(),
		Title: proto.String("Planning"),
	}})
	c.sends("planned call cancelled", &waE2E.Message{ScheduledCallEditMessage: &waE2E.ScheduledCallEditMessage{
		Key: planned.Key(c.Ann.member), EditType: waE2E.ScheduledCallEditMessage_CANCEL.Enum(),
	}})
	c.sends("broadcast call", &waE2E.Message{BcallMessage: &waE2E.BCallMessage{
		SessionID: proto.String("1"), MediaType: waE2E.BCallMessage_AUDIO.Enum(), Caption: proto.String("Listen in"),
	}})
	c.sends("call key", &waE2E.Message{Call: &waE2E.Call{CallKey: []byte("call key")}})
}

func (c *corpus) invites() {
	c.sends("invitation to a group", &waE2E.Message{GroupInviteMessage: &waE2E.GroupInviteMessage{
		GroupJID: proto.String("120363099999999999@g.us"), InviteCode: proto.String("AbCdEf"), InviteExpiration: proto.Int64(c.now().Add(72 * time.Hour).Unix()),
		GroupName: proto.String("Allotments"), Caption: proto.String("Join the allotment group"),
	}})
	c.sends("invitation to run a channel", &waE2E.Message{NewsletterAdminInviteMessage: &waE2E.NewsletterAdminInviteMessage{
		NewsletterJID: proto.String("120363088888888888@newsletter"), NewsletterName: proto.String("Parish news"), Caption: proto.String("Run it with me"),
	}})
	c.sends("invitation to follow a channel", &waE2E.Message{NewsletterFollowerInviteMessageV2: &waE2E.NewsletterFollowerInviteMessage{
		NewsletterJID: proto.String("120363088888888888@newsletter"), NewsletterName: proto.String("Parish news"), Caption: proto.String("Follow it"),
	}})
	c.sends("invitation to an event", &waE2E.Message{EventInviteMessage: &waE2E.EventInviteMessage{
		EventID: proto.String("1"), EventTitle: proto.String("Fête"), Caption: proto.String("Do come"),
		StartTime: proto.Int64(c.now().Truncate(time.Hour).Add(240 * time.Hour).Unix()),
	}})
}

// business is what shops and their programs send.
func (c *corpus) business() {
	c.sends("list", &waE2E.Message{ListMessage: &waE2E.ListMessage{
		Title: proto.String("Waste"), Description: proto.String("Which bin is it about?"), ButtonText: proto.String("Choose"),
		FooterText: proto.String("The county"), ListType: waE2E.ListMessage_SINGLE_SELECT.Enum(),
		Sections: []*waE2E.ListMessage_Section{{Title: proto.String("Bins"), Rows: []*waE2E.ListMessage_Row{
			{Title: proto.String("Green"), Description: proto.String("Garden"), RowID: proto.String("1")}, {Title: proto.String("Brown"), RowID: proto.String("2")},
		}}},
	}})
	c.sends("choice from a list", &waE2E.Message{ListResponseMessage: &waE2E.ListResponseMessage{
		Title: proto.String("Green"), Description: proto.String("Garden"),
		SingleSelectReply: &waE2E.ListResponseMessage_SingleSelectReply{SelectedRowID: proto.String("1")},
	}})
	c.sends("buttons", &waE2E.Message{ButtonsMessage: &waE2E.ButtonsMessage{
		Header: &waE2E.ButtonsMessage_Text{Text: "Survey"}, ContentText: proto.String("Are you content?"), FooterText: proto.String("The county"),
		Buttons: []*waE2E.ButtonsMessage_Button{
			{ButtonID: proto.String("1"), ButtonText: &waE2E.ButtonsMessage_Button_ButtonText{DisplayText: proto.String("Yes")}},
			{ButtonID: proto.String("2"), ButtonText: &waE2E.ButtonsMessage_Button_ButtonText{DisplayText: proto.String("No")}},
		},
	}})
	c.sends("choice of a button", &waE2E.Message{ButtonsResponseMessage: &waE2E.ButtonsResponseMessage{
		SelectedButtonID: proto.String("1"), Response: &waE2E.ButtonsResponseMessage_SelectedDisplayText{SelectedDisplayText: "Yes"},
	}})
	template := &waE2E.TemplateMessage_HydratedFourRowTemplate{
		Title:               &waE2E.TemplateMessage_HydratedFourRowTemplate_HydratedTitleText{HydratedTitleText: "Roadworks"},
		HydratedContentText: proto.String("Mill Lane is closed on Monday."), HydratedFooterText: proto.String("The county"),
		HydratedButtons: []*waE2E.HydratedTemplateButton{{HydratedButton: &waE2E.HydratedTemplateButton_QuickReplyButton{
			QuickReplyButton: &waE2E.HydratedTemplateButton_HydratedQuickReplyButton{DisplayText: proto.String("Thanks"), ID: proto.String("1")},
		}}},
	}
	c.sends("template", &waE2E.Message{TemplateMessage: &waE2E.TemplateMessage{
		Format: &waE2E.TemplateMessage_HydratedFourRowTemplate_{HydratedFourRowTemplate: template}, HydratedTemplate: template,
	}})
	c.sends("choice from a template", &waE2E.Message{TemplateButtonReplyMessage: &waE2E.TemplateButtonReplyMessage{
		SelectedID: proto.String("1"), SelectedDisplayText: proto.String("Thanks"),
	}})
	c.sends("old template", &waE2E.Message{HighlyStructuredMessage: &waE2E.HighlyStructuredMessage{
		Namespace: proto.String("county"), ElementName: proto.String("roadworks"), Params: []string{"Mill Lane", "Monday"},
	}})
	c.sends("interactive message", &waE2E.Message{InteractiveMessage: &waE2E.InteractiveMessage{
		Header: &waE2E.InteractiveMessage_Header{Title: proto.String("Permit")}, Body: &waE2E.InteractiveMessage_Body{Text: proto.String("Apply here.")},
		Footer: &waE2E.InteractiveMessage_Footer{Text: proto.String("The county")},
		InteractiveMessage: &waE2E.InteractiveMessage_NativeFlowMessage_{NativeFlowMessage: &waE2E.InteractiveMessage_NativeFlowMessage{
			Buttons: []*waE2E.InteractiveMessage_NativeFlowMessage_NativeFlowButton{
				{Name: proto.String("cta_url"), ButtonParamsJSON: proto.String(`{"display_text":"Apply","url":"https://county.example/permit"}`)},
			},
		}},
	}})
	c.sends("answer to an interactive message", &waE2E.Message{InteractiveResponseMessage: &waE2E.InteractiveResponseMessage{
		Body: &waE2E.InteractiveResponseMessage_Body{Text: proto.String("Applied")},
		InteractiveResponseMessage: &waE2E.InteractiveResponseMessage_NativeFlowResponseMessage_{
			NativeFlowResponseMessage: &waE2E.InteractiveResponseMessage_NativeFlowResponseMessage{Name: proto.String("permit"), ParamsJSON: proto.String(`{"plot":"7"}`)},
		},
	}})
}

func (c *corpus) money() {
	pounds := &waE2E.Money{Value: proto.Int64(12500), Offset: proto.Uint32(1000), CurrencyCode: proto.String("GBP")}
	note := func(text string) *waE2E.Message {
		return &waE2E.Message{ExtendedTextMessage: &waE2E.ExtendedTextMessage{Text: proto.String(text)}}
	}
	c.sends("product", &waE2E.Message{ProductMessage: &waE2E.ProductMessage{
		Product: &waE2E.ProductMessage_ProductSnapshot{
			ProductID: proto.String("1"), Title: proto.String("Bench"), Description: proto.String("Oak, 1.5 m"),
			CurrencyCode: proto.String("GBP"), PriceAmount1000: proto.Int64(480000),
		},
		BusinessOwnerJID: c.address(c.Ann), Body: proto.String("Made to order"),
	}})
	c.sends("order", &waE2E.Message{OrderMessage: &waE2E.OrderMessage{
		OrderID: proto.String("1"), ItemCount: proto.Int32(2), OrderTitle: proto.String("Benches"), Message: proto.String("Two, please"),
		TotalAmount1000: proto.Int64(960000), TotalCurrencyCode: proto.String("GBP"),
	}})
	c.sends("invoice", &waE2E.Message{InvoiceMessage: &waE2E.InvoiceMessage{Note: proto.String("Two benches"), Token: proto.String("1")}})
	request := c.sends("request for payment", &waE2E.Message{RequestPaymentMessage: &waE2E.RequestPaymentMessage{
		NoteMessage: note("Hall hire"), CurrencyCodeIso4217: proto.String("GBP"), Amount1000: proto.Uint64(12500), Amount: pounds,
		RequestFrom: c.address(c.Bo),
	}})
	c.add("payment", c.b().Sends(&waE2E.Message{SendPaymentMessage: &waE2E.SendPaymentMessage{
		NoteMessage: note("Paid"), RequestMessageKey: request.Key(c.Bo.member),
	}}))
	c.add("payment declined", c.b().Sends(&waE2E.Message{DeclinePaymentRequestMessage: &waE2E.DeclinePaymentRequestMessage{Key: request.Key(c.Bo.member)}}))
	c.sends("request for payment cancelled", &waE2E.Message{CancelPaymentRequestMessage: &waE2E.CancelPaymentRequestMessage{Key: request.Key(c.Ann.member)}})
	c.sends("invitation to pay", &waE2E.Message{PaymentInviteMessage: &waE2E.PaymentInviteMessage{ServiceType: waE2E.PaymentInviteMessage_UPI.Enum()}})
	c.sends("reminder to pay", &waE2E.Message{PaymentReminderMessage: &waE2E.PaymentReminderMessage{
		ReminderID: proto.String("1"), Description: proto.String("Hall hire"), Amount: pounds,
	}})
	c.sends("payment shared", &waE2E.Message{SplitPaymentMessage: &waE2E.SplitPaymentMessage{
		SplitID: proto.String("1"), TotalAmount: pounds, Description: proto.String("The clerk's leaving present"),
	}})
	c.sends("payment shared and paid", &waE2E.Message{SplitPaymentUpdateMessage: &waE2E.SplitPaymentUpdateMessage{SplitID: proto.String("1")}})
}

func (c *corpus) histories() {
	v := c.a()
	bundle := &waE2E.MessageHistoryBundle{Mimetype: proto.String("application/zip"), MessageHistoryMetadata: &waE2E.MessageHistoryMetadata{
		HistoryReceivers: []string{*c.address(c.Bo)}, MessageCount: proto.Int64(25),
		OldestMessageTimestampInWindow: proto.Int64(v.at.Add(-24 * time.Hour).Unix()),
	}}
	v.attach("WhatsApp History Keys", []byte("earlier messages"), bundle)
	c.add("earlier messages", v.Sends(&waE2E.Message{MessageHistoryBundle: bundle}))
	c.sends("notice of earlier messages", &waE2E.Message{MessageHistoryNotice: &waE2E.MessageHistoryNotice{
		MessageHistoryMetadata: &waE2E.MessageHistoryMetadata{HistoryReceivers: []string{*c.address(c.Bo)}, MessageCount: proto.Int64(25)},
	}})
}

// oddities are what belongs to other places or other times, and what nobody has seen.
func (c *corpus) oddities() {
	key := func() *waCommon.MessageKey { return c.sent[0].Key(c.Ann.member) }
	for _, odd := range []struct {
		name    string
		content *waE2E.Message
	}{
		{"chat", &waE2E.Message{Chat: &waE2E.Chat{DisplayName: proto.String("Allotments"), ID: proto.String("1")}}},
		{"request for a number", &waE2E.Message{RequestPhoneNumberMessage: &waE2E.RequestPhoneNumberMessage{}}},
		{"sticker sync", &waE2E.Message{StickerSyncRmrMessage: &waE2E.StickerSyncRMRMessage{Filehash: []string{"1"}}}},
		{"placeholder", &waE2E.Message{PlaceholderMessage: &waE2E.PlaceholderMessage{Type: waE2E.PlaceholderMessage_MASK_LINKED_DEVICES.Enum()}}},
		{"status notification", &waE2E.Message{StatusNotificationMessage: &waE2E.StatusNotificationMessage{ResponseMessageKey: key()}}},
		{"answer to a status question", &waE2E.Message{StatusQuestionAnswerMessage: &waE2E.StatusQuestionAnswerMessage{Key: key(), Text: proto.String("Blue")}}},
		{"answer to a question", &waE2E.Message{QuestionResponseMessage: &waE2E.QuestionResponseMessage{Key: key(), Text: proto.String("Green")}}},
		{"quoted status", &waE2E.Message{StatusQuotedMessage: &waE2E.StatusQuotedMessage{Text: proto.String("Sunset"), OriginalStatusID: key()}}},
		{"sticker on a status", &waE2E.Message{StatusStickerInteractionMessage: &waE2E.StatusStickerInteractionMessage{Key: key(), StickerKey: proto.String("1")}}},
		{"link preview of a status", &waE2E.Message{StatusLinkPreviewMetadata: &waE2E.StatusLinkPreviewMetadata{}}},
		{"answer of an AI", &waE2E.Message{RichResponseMessage: &waE2E.AIRichResponseMessage{
			Submessages: []*waAICommonDeprecated.AIRichResponseSubMessage{{MessageText: proto.String("As a language model")}},
		}}},
		{"message to be revealed", &waE2E.Message{ConditionalRevealMessage: &waE2E.ConditionalRevealMessage{
			EncPayload: []byte("later"), EncIV: []byte("twelve bytes"), RevealKeyID: proto.String("1"),
		}}},
		{"root keys", &waE2E.Message{GroupRootKeyShare: &waE2E.GroupRootKeyShare{Keys: []*waE2E.GroupRootKeyShareEntry{{KeyID: proto.String("1")}}}}},
		{"root secret", &waE2E.Message{RootSecretDistributeMessage: &waE2E.RootSecretDistributeMessage{ChatJID: proto.String("1")}}},
		{"music", &waE2E.Message{MusicMessage: &waE2E.MusicMessage{EmbeddedMusic: &waE2E.EmbeddedMusic{Title: proto.String("Jerusalem"), Author: proto.String("Parry")}}}},
		{"nothing", &waE2E.Message{}},
		{"two things at once", &waE2E.Message{Conversation: proto.String("Both"), LocationMessage: &waE2E.LocationMessage{Name: proto.String("Pump")}}},
	} {
		c.sends(odd.name, odd.content)
	}
	later := &waE2E.Message{} // of an app of next year
	later.ProtoReflect().SetUnknown(protowire.AppendString(protowire.AppendTag(nil, 4000, protowire.BytesType), "From next year"))
	c.sends("what nobody knows yet", later)
}

// protocol are messages between apps, which say nothing to people.
func (c *corpus) protocol() {
	for _, p := range []struct {
		name    string
		message *waE2E.ProtocolMessage
	}{
		{"timer of a chat", &waE2E.ProtocolMessage{Type: waE2E.ProtocolMessage_EPHEMERAL_SETTING.Enum(), EphemeralExpiration: proto.Uint32(86400)}},
		{"label of a member", &waE2E.ProtocolMessage{
			Type: waE2E.ProtocolMessage_GROUP_MEMBER_LABEL_CHANGE.Enum(), MemberLabel: &waE2E.MemberLabel{Label: proto.String("Chair")},
		}},
		{"limit on sharing", &waE2E.ProtocolMessage{
			Type: waE2E.ProtocolMessage_LIMIT_SHARING.Enum(), LimitSharing: &waCommon.LimitSharing{SharingLimited: proto.Bool(true)},
		}},
		{"number shared", &waE2E.ProtocolMessage{Type: waE2E.ProtocolMessage_SHARE_PHONE_NUMBER.Enum()}},
		{"welcome asked for", &waE2E.ProtocolMessage{Type: waE2E.ProtocolMessage_REQUEST_WELCOME_MESSAGE.Enum()}},
		{"reminder", &waE2E.ProtocolMessage{Type: waE2E.ProtocolMessage_REMINDER_MESSAGE.Enum()}},
		{"theme of a chat", &waE2E.ProtocolMessage{Type: waE2E.ProtocolMessage_CHAT_THEME_SETTING.Enum()}},
	} {
		c.sends(p.name, &waE2E.Message{ProtocolMessage: p.message})
	}
}

// wrappers are a text in each wrapper that there is, and in several.
func (c *corpus) wrappers() {
	for _, f := range wrapperFields {
		name := string(f.Name())
		c.add("text in "+name, c.a().Wrapped(name).Says("Wrapped."))
	}
	c.add("text in three wrappers", c.a().Wrapped("groupMentionedMessage", "spoilerMessage", "ephemeralMessage").Says("Wrapped well."))
	deep := make([]string, 30)
	for i := range deep {
		deep[i] = "groupMentionedMessage"
	}
	c.add("text in thirty wrappers", c.a().Wrapped(deep...).Says("Wrapped too well."))
	v := c.a()
	poll := ballot("In or out?", []string{"In", "Out"})
	inside := c.add("poll in two wrappers", v.Wrapped("ephemeralMessage", "groupMentionedMessage").Sends(&waE2E.Message{PollCreationMessageV3: poll}))
	c.add("vote in a wrapper", c.b().Wrapped("ephemeralMessage").Votes(inside, "In"))
	c.add("reaction in a wrapper", c.b().Wrapped("ephemeralMessage").Reacts(inside, "👍"))
	text := c.add("edited in a wrapper", c.b().Says("In the open."))
	c.add("edit in a wrapper", c.b().Wrapped("ephemeralMessage").Edits(text, "In a wrapper."))
	c.add("sealed edit in a wrapper", c.b().Sealed().Wrapped("ephemeralMessage").Edits(text, "Sealed, and in a wrapper."))
	c.add("deletion in a wrapper", c.b().Wrapped("ephemeralMessage").Deletes(text))
}

// disappearing is what is said while messages disappear from phones.
func (c *corpus) disappearing() {
	c.a().SetsTimer(24 * time.Hour)
	text := c.add("disappearing text", c.b().Says("Gone tomorrow."))
	c.add("disappearing reply", c.a().Replies(text, "So is this."))
	c.add("disappearing photo", c.b().SendsImage([]byte("gone tomorrow"), "This too"))
	c.add("disappearing document", c.b().SendsDocument("Gone.pdf", "application/pdf", []byte("%PDF gone"), "And this"))
	c.add("disappearing poll", c.b().Polls("Stay?", "Yes", "No"))
	c.add("disappearing place", c.b().SendsPlace(51.75, -1.25, "The ford", ""))
	c.add("reaction while messages disappear", c.a().Reacts(text, "👋"))
	c.add("edit while messages disappear", c.b().Edits(text, "Gone the day after."))
	c.add("kept while messages disappear", c.a().Keeps(text))
	c.add("disappearing photo to view once", c.a().Once().SendsImage([]byte("gone at once"), ""))
	c.a().SetsTimer(0)
}
