package standin_test

import (
	"bytes"
	"crypto/sha256"
	"slices"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"

	"muniment/internal/standin"
)

// What is sealed under a message's secret, whatsmeow opens, by crypto of its own. What
// is sealed in another's name it does not.
func TestSealed(t *testing.T) {
	for _, mode := range []types.AddressingMode{types.AddressingModeLID, types.AddressingModePN} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			v, c := found(t, standin.Options{})
			v.group.SetAddressing(mode)
			ctx := within(t)
			opened := func(m *standin.Message) *waE2E.Message {
				t.Helper()
				clear, err := c.DecryptSecretEncryptedMessage(ctx, c.message(m))
				if err != nil {
					t.Errorf("sealed change: %v", err)
				}
				return clear
			}

			m := v.ann.Says("The bridge is closed.")
			edit := v.ann.Sealed().Edits(m, "Ask @Bo Nott.", v.bo)
			if got := opened(edit).GetProtocolMessage(); got.GetKey().GetID() != m.ID() || c.message(edit).Info.Edit != "1" ||
				len(got.GetEditedMessage().GetExtendedTextMessage().GetContextInfo().GetMentionedJID()) != 1 {
				t.Errorf("edit: %v", got)
			}
			if got := opened(v.ann.Sealed().EditsBare(m, "Closed.")); got.GetConversation() != "Closed." {
				t.Errorf("bare edit: %v", got)
			}
			if got, err := c.DecryptReaction(ctx, c.message(v.bo.Sealed().Reacts(m, "👍"))); err != nil || got.GetText() != "👍" {
				t.Errorf("reaction: %v, %v", got, err)
			}
			if got, err := c.DecryptComment(ctx, c.message(v.bo.Sealed().Comments(m, "Quite."))); err != nil || got.GetConversation() != "Quite." {
				t.Errorf("comment: %v, %v", got, err)
			}

			poll := v.ann.PollsFreely("Which day?", "Monday", "Tuesday")
			v.bo.AddsOption(poll, "Friday")
			if got := opened(v.bo.AddsOptionAsEdit(poll, "Sunday")).GetPollAddOptionMessage(); got.GetAddOption().GetOptionName() != "Sunday" {
				t.Errorf("option: %v", got)
			}
			vote, err := c.DecryptPollVote(ctx, c.message(v.bo.Votes(poll, "Monday", "Friday")))
			friday := sha256.Sum256([]byte("Friday"))
			if err != nil || len(vote.GetSelectedOptions()) != 2 || !bytes.Equal(vote.SelectedOptions[1], friday[:]) {
				t.Errorf("vote: %v, %v", vote, err)
			}
			if vote, err := c.DecryptPollVote(ctx, c.message(v.bo.Posing(v.ann).Votes(poll, "Monday"))); err == nil {
				t.Errorf("a vote in another's name: %v", vote)
			}
			now := v.ann.Repolls(poll, "Which evening?", "Monday", "Tuesday")
			if got := opened(now).GetProtocolMessage().GetEditedMessage().GetPollCreationMessageV3(); got.GetName() != "Which evening?" {
				t.Errorf("poll edited: %v", got)
			}

			event := v.ann.Plans(&waE2E.EventMessage{Name: proto.String("Litter pick")})
			if got := opened(v.ann.Replans(event, &waE2E.EventMessage{Name: proto.String("Litter")})); got.GetProtocolMessage().
				GetEditedMessage().GetEventMessage().GetName() != "Litter" {
				t.Errorf("event edited: %v", got)
			}
			if e := c.message(v.bo.Responds(event, waE2E.EventResponseMessage_GOING, 2)); e.Message.GetEncEventResponseMessage() == nil {
				t.Errorf("response: %v", e.Message)
			}
			c.settled()
		})
	}
}

func TestWhatPhonesPutAround(t *testing.T) {
	v, c := found(t, standin.Options{})
	jpeg := []byte("jpeg")

	m := v.ann.Says("Seven o'clock at the hall.")
	once := v.bo.Forwards(m)
	twice := v.ann.Forwards(once)
	if about := c.message(twice).Message.GetExtendedTextMessage().GetContextInfo(); about.GetForwardingScore() != 2 || !about.GetIsForwarded() {
		t.Errorf("forwarded twice: %v", about)
	}
	photo := v.bo.Quoting(m).Mentioning(v.ann).SendsImage(jpeg, "Here, @Ann Brook.")
	image := c.message(photo).Message.GetImageMessage()
	if about := image.GetContextInfo(); about.GetStanzaID() != m.ID() || len(about.GetMentionedJID()) != 1 || image.GetCaption() != "Here, @"+v.ann.LID().User+"." {
		t.Errorf("photo that answers and mentions: %v", image)
	}
	edited := c.message(v.bo.Edits(photo, "There.")).Message.GetProtocolMessage().GetEditedMessage().GetImageMessage()
	if edited.GetCaption() != "There." || edited.GetDirectPath() == "" {
		t.Errorf("caption edited: %v", edited)
	}

	album := v.ann.BeginsAlbum(1, 0)
	part := c.message(v.ann.InAlbum(album).SendsImage(jpeg, "")).Message
	if a := part.GetMessageContextInfo().GetMessageAssociation(); a.GetParentMessageKey().GetID() != album.ID() || part.GetMessageContextInfo().GetMessageSecret() == nil {
		t.Errorf("part of an album: %v", part)
	}
	larger := c.message(v.bo.SendsLarger(photo, jpeg)).Message
	if a := larger.GetMessageContextInfo().GetMessageAssociation(); a.GetParentMessageKey().GetID() != photo.ID() ||
		larger.GetAssociatedChildMessage().GetMessage().GetImageMessage() == nil {
		t.Errorf("larger copy: %v", larger)
	}

	v.ann.SetsTimer(24 * time.Hour)
	fading := c.message(v.ann.SendsDocument("a.pdf", "application/pdf", []byte("%PDF"), "Fading"))
	if !fading.IsEphemeral || !fading.IsDocumentWithCaption || fading.Message.GetDocumentMessage().GetContextInfo().GetExpiration() != 86400 {
		t.Errorf("disappearing: %+v", fading)
	}
	if e := c.message(v.ann.Reacts(m, "👍")); e.IsEphemeral {
		t.Errorf("a reaction disappears: %v", e.Message)
	}
	v.ann.SetsTimer(0)

	nested := c.message(v.ann.Wrapped("ephemeralMessage", "spoilerMessage", "groupMentionedMessage").Says("Deep."))
	if !nested.IsEphemeral || nested.Message.GetSpoilerMessage().GetMessage().GetGroupMentionedMessage().GetMessage().GetConversation() != "Deep." {
		t.Errorf("nested: %v", nested.Message)
	}
	mustPanic(t, "a wrapper that is none", func() { v.ann.Wrapped("imageMessage").Says("x") })

	v.bo.Reusing(m).Says("Nine o'clock.")
	await(c, func(e *events.Message) bool {
		return e.Info.ID == m.ID() && e.Info.Sender == v.bo.LID() && e.Message.GetConversation() == "Nine o'clock."
	})
	if e := c.message(v.bo.Called("Bo the Brave").Says("I am.")); e.Info.PushName != "Bo the Brave" {
		t.Errorf("push name %q", e.Info.PushName)
	}
	if e := c.message(v.ann.Pins(m, time.Hour)); e.Info.Edit != "2" || e.Message.GetMessageContextInfo().GetMessageAddOnDurationInSecs() != 3600 {
		t.Errorf("pin: %v", e.Message)
	}
	c.message(v.ann.Unpins(m))
	c.message(v.ann.Keeps(m))
	if e := c.message(v.ann.Unkeeps(m)); e.Info.Edit != "7" {
		t.Errorf("own message kept no more: %+v", e.Info)
	}
	c.settled()
}

func TestViewOnce(t *testing.T) {
	v, c := found(t, standin.Options{})
	m := v.ann.Once().SendsImage([]byte("jpeg"), "Look once")
	e := await(c, func(e *events.UndecryptableMessage) bool { return e.Info.ID == m.ID() })
	if !e.IsUnavailable || e.UnavailableType != events.UnavailableTypeViewOnce || e.Info.Sender != v.ann.LID() {
		t.Errorf("view once: %+v", e)
	}
	c.settled()
	if got := c.messages(); len(got) > 0 {
		t.Errorf("it came: %v", got[0].Message)
	}
	shown := c.message(v.ann.Wrapped("viewOnceMessageV2").SendsImage([]byte("jpeg"), "As old apps do"))
	if !shown.IsViewOnceV2 {
		t.Errorf("view once with its content: %+v", shown)
	}
	if m.Content().GetViewOnceMessageV2().GetMessage().GetImageMessage().GetViewOnce() != true {
		t.Errorf("the phones got %v", m.Content())
	}
}

// A phone names people by the address that it has taken in.
func TestAddressingOfOnePhone(t *testing.T) {
	v, c := found(t, standin.Options{})
	m := v.ann.Says("A plan.")
	e := c.message(v.bo.Addressing(types.AddressingModePN).Reacts(m, "👍"))
	if key := e.Message.GetReactionMessage().GetKey(); key.GetParticipant() != v.ann.JID().String() || e.Info.Sender != v.bo.LID() {
		t.Errorf("key %v of %+v", key, e.Info)
	}
}

func TestMediaOfEachKind(t *testing.T) {
	v, c := found(t, standin.Options{})
	file := []byte("file")
	var got []string
	for _, m := range []*standin.Message{
		v.ann.SendsGIF(file, "Look"), v.ann.Lasting(9 * time.Second).SendsVideoNote(file), v.ann.SendsAudio(file),
		v.ann.SendsSticker(file), v.ann.SendsLottie(file), v.ann.Lasting(time.Minute).SendsVoice(file),
	} {
		e := c.message(m)
		got = append(got, e.Info.MediaType)
		if m.Upload().FileLength != 4 {
			t.Errorf("%s has no file", e.Info.MediaType)
		}
	}
	if want := []string{"gif", "ptv", "audio", "sticker", "sticker", "ptt"}; !slices.Equal(got, want) {
		t.Errorf("media %v, want %v", got, want)
	}
	if e := c.message(v.ann.SendsPlace(51.8, -1.3, "Village hall", "Church Lane")); e.Info.MediaType != "location" {
		t.Errorf("place: %+v", e.Info)
	}
	if e := c.message(v.ann.SharesPlace(51.8, -1.3, "On my way")); e.Message.GetLiveLocationMessage().GetCaption() != "On my way" {
		t.Errorf("live place: %+v", e.Message)
	}
	card := standin.Card{Name: "Fencing Ltd", VCard: "BEGIN:VCARD\nEND:VCARD"}
	if e := c.message(v.ann.SendsCards(card)); e.Info.MediaType != "vcard" {
		t.Errorf("card: %+v", e.Info)
	}
	if e := c.message(v.ann.SendsCards(card, card)); len(e.Message.GetContactsArrayMessage().GetContacts()) != 2 {
		t.Errorf("cards: %+v", e.Message)
	}
}
