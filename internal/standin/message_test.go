package standin_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"

	"muniment/internal/standin"
)

func TestContentInBothAddressingModes(t *testing.T) {
	for _, mode := range []types.AddressingMode{types.AddressingModeLID, types.AddressingModePN} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			v, c := found(t, standin.Options{})
			address := (*standin.Member).LID
			if mode == types.AddressingModePN {
				v.group.SetAddressing(mode)
				address = (*standin.Member).JID
			}
			at := time.Date(2026, 3, 2, 19, 30, 0, 0, time.UTC)

			m := v.ann.At(at).Says("The bridge is closed.")
			e := c.message(m)
			if e.Info.Sender != address(v.ann) || !e.Info.Timestamp.Equal(at) || e.Info.AddressingMode != mode || e.Info.SenderAlt.IsEmpty() {
				t.Errorf("info = %+v", e.Info)
			}

			r := c.message(v.bo.Replies(m, "Since when, @Ann Brook?", v.ann)).Message.GetExtendedTextMessage()
			if got, want := r.GetText(), "Since when, @"+address(v.ann).User+"?"; got != want {
				t.Errorf("reply = %q, want %q", got, want)
			}
			about := r.GetContextInfo()
			if about.GetStanzaID() != m.ID() || about.GetParticipant() != address(v.ann).String() ||
				about.GetQuotedMessage().GetConversation() != m.Text() ||
				len(about.GetMentionedJID()) != 1 || about.GetMentionedJID()[0] != address(v.ann).String() {
				t.Errorf("context = %v", about)
			}

			for _, step := range []struct {
				sent  *standin.Message
				emoji string
				edit  types.EditAttribute
			}{
				{v.bo.Reacts(m, "👍"), "👍", ""}, {v.bo.Reacts(m, "📌"), "📌", ""}, {v.bo.TakesBack(m), "", "7"},
			} {
				e := c.message(step.sent)
				reaction := e.Message.GetReactionMessage()
				if reaction.GetText() != step.emoji || reaction.GetKey().GetID() != m.ID() || reaction.GetKey().GetFromMe() ||
					reaction.GetKey().GetParticipant() != address(v.ann).String() || e.Info.Edit != step.edit || e.Info.Type != "reaction" {
					t.Errorf("reaction %q: %v, info %+v", step.emoji, reaction, e.Info)
				}
			}

			edit := c.message(v.ann.Edits(m, "The bridge is open."))
			if got := edit.Message.GetProtocolMessage(); !edit.IsEdit || edit.Info.Edit != "1" || got.GetKey().GetID() != m.ID() ||
				!got.GetKey().GetFromMe() || got.GetEditedMessage().GetConversation() != "The bridge is open." {
				t.Errorf("edit = %v, info %+v", edit.Message, edit.Info)
			}
			bare := c.message(v.ann.EditsBare(m, "Open at last.")) // not to be told by IsEdit
			if got := bare.Message.GetProtocolMessage(); bare.IsEdit || bare.Info.Edit != "1" || got.GetKey().GetID() != m.ID() ||
				got.GetEditedMessage().GetConversation() != "Open at last." {
				t.Errorf("bare edit = %v, info %+v", bare.Message, bare.Info)
			}
			forged := c.message(v.bo.ForgesEdit(m, "Bo rules.")).Message.GetProtocolMessage()
			if forged.GetKey().GetFromMe() || forged.GetKey().GetParticipant() != address(v.ann).String() {
				t.Errorf("forged edit = %v", forged)
			}
			if e := c.message(v.ann.Deletes(m)); e.Info.Edit != "7" || e.Message.GetProtocolMessage().GetType() != waE2E.ProtocolMessage_REVOKE {
				t.Errorf("deletion = %v, info %+v", e.Message, e.Info)
			}
			said := v.bo.Says("By me.")
			if e := c.message(v.ann.Deletes(said)); e.Info.Edit != "8" || e.Message.GetProtocolMessage().GetKey().GetParticipant() != address(v.bo).String() {
				t.Errorf("admin's deletion = %v, info %+v", e.Message, e.Info)
			}
			if e := c.message(v.bo.ForgesDeletion(m)); e.Info.Edit != "8" || e.Message.GetProtocolMessage().GetKey().GetParticipant() != address(v.ann).String() {
				t.Errorf("forged deletion = %v, info %+v", e.Message, e.Info)
			}
			mustPanic(t, "edit of another's", func() { v.bo.Edits(m, "x") })
			mustPanic(t, "deletion by no admin", func() { v.bo.Deletes(m) })
			c.settled()
		})
	}
}

func mustPanic(t *testing.T, what string, f func()) {
	t.Helper()
	defer func() {
		if recover() == nil {
			t.Errorf("%s does not panic", what)
		}
	}()
	f()
}

func TestOtherContent(t *testing.T) {
	v, c := found(t, standin.Options{})
	ctx := within(t)

	poll := v.ann.Polls("Which day?", "Monday", "Tuesday")
	if e := c.message(poll); e.Info.Type != "poll" || e.Message.GetPollCreationMessageV3().GetName() != "Which day?" {
		t.Errorf("poll = %v, info %+v", e.Message, e.Info)
	}
	vote, err := c.DecryptPollVote(ctx, c.message(v.bo.Votes(poll, "Tuesday")))
	if err != nil || len(vote.GetSelectedOptions()) != 1 {
		t.Errorf("vote = %v, %v", vote, err)
	}

	picture := bytes.Repeat([]byte("jpeg"), 1000)
	e := c.message(v.ann.SendsImage(picture, "The bridge"))
	if e.Info.Type != "media" || e.Info.MediaType != "image" || e.Message.GetImageMessage().GetCaption() != "The bridge" {
		t.Errorf("image = %v, info %+v", e.Message, e.Info)
	}
	if got, err := c.Download(ctx, e.Message.GetImageMessage()); err != nil || !bytes.Equal(got, picture) {
		t.Errorf("download: %d bytes, %v", len(got), err)
	}
	e = c.message(v.ann.SendsDocument("minutes.pdf", "application/pdf", []byte("%PDF"), "March"))
	if got, err := c.Download(ctx, e.Message.GetDocumentMessage()); err != nil || string(got) != "%PDF" || !e.IsDocumentWithCaption {
		t.Errorf("download: %q, %v; event %+v", got, err, e.Info)
	}

	video := v.ann.SendsVideo(picture, "The flood")
	e = c.message(video)
	if got, err := c.Download(ctx, e.Message.GetVideoMessage()); err != nil || !bytes.Equal(got, picture) || e.Info.MediaType != "video" {
		t.Errorf("download: %d bytes, %v; info %+v", len(got), err, e.Info)
	}
	e = c.message(v.ann.SendsVoice([]byte("opus")))
	if got, err := c.Download(ctx, e.Message.GetAudioMessage()); err != nil || string(got) != "opus" || e.Info.MediaType != "ptt" {
		t.Errorf("download: %q, %v; info %+v", got, err, e.Info)
	}

	sticker := v.ann.Sends(&waE2E.Message{StickerMessage: &waE2E.StickerMessage{Mimetype: proto.String("image/webp")}})
	if e := c.message(sticker); e.Info.MediaType != "sticker" {
		t.Errorf("sticker info = %+v", e.Info)
	}
	c.settled()
	if outside := v.Journal().Outside(); len(outside) > 0 {
		t.Errorf("client sent what it may not:\n%s", outside)
	}
	asked := 0
	for _, e := range v.Journal() {
		if e.Kind == "media" {
			asked++
		}
	}
	if asked != 4 {
		t.Errorf("the journal has %d downloads of 4", asked)
	}
	if _, err := c.Upload(ctx, picture, whatsmeow.MediaImage); err == nil || len(v.Journal().Outside()) == 0 {
		t.Errorf("an upload: %v; outside: %s", err, v.Journal().Outside())
	}
}

func TestMediaFaults(t *testing.T) {
	s := start(t, standin.Options{})
	u := s.Upload(whatsmeow.MediaVideo, bytes.Repeat([]byte("mp4"), 1000))
	get := func() (status, n int, err error) {
		resp, err := s.HTTPClient().Get("https://media.example.invalid" + u.DirectPath)
		if err != nil {
			return 0, 0, err
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if sum := sha256.Sum256(b); err == nil && resp.StatusCode == 200 && !bytes.Equal(sum[:], u.FileEncSHA256) {
			err = errors.New("another file")
		}
		return resp.StatusCode, len(b), err
	}
	expect := func(wantStatus, wantBytes int, wantErr string) {
		t.Helper()
		status, n, err := get()
		if status != wantStatus || wantBytes >= 0 && n != wantBytes || fmt.Sprint(err) != wantErr {
			t.Errorf("status %d, %d bytes, %v; want %d, %d, %s", status, n, err, wantStatus, wantBytes, wantErr)
		}
	}
	const sealed = 3008 + 10
	expect(200, sealed, "<nil>")
	s.FailMedia(2)
	expect(503, -1, "<nil>")
	expect(503, -1, "<nil>")
	expect(200, sealed, "<nil>")
	s.CutMedia(2, 1000)
	expect(200, 1000, "unexpected EOF")
	expect(200, 1000, "unexpected EOF")
	expect(200, sealed, "<nil>")
	s.Spoil(u)
	expect(200, -1, "another file")
	s.Expire(u)
	expect(410, -1, "<nil>")
}

func TestWhoSpeaks(t *testing.T) {
	v, c := found(t, standin.Options{})
	dee := v.Member("Dee Quill", "")
	dee.Joins(v.group)

	if e := c.message(dee.Says("My number is my own.")); e.Info.Sender != dee.LID() || !e.Info.SenderAlt.IsEmpty() {
		t.Errorf("hidden number: %+v", e.Info)
	}
	phone, laptop := v.ann.Says("From my phone."), v.ann.Elsewhere().Says("From my laptop.")
	if e := c.message(phone); e.Info.Sender.Device != 0 {
		t.Errorf("phone: %+v", e.Info)
	}
	if e := c.message(laptop); e.Info.Sender.Device == 0 || e.Info.Sender.ToNonAD() != v.ann.LID() || e.Message.GetConversation() != "From my laptop." {
		t.Errorf("laptop: %+v %v", e.Info, e.Message)
	}
	own := v.council.Says("From the office.")
	if e := c.message(own); !e.Info.IsFromMe {
		t.Errorf("own phone: %+v", e.Info)
	}
	if e := c.message(v.council.Reacts(phone, "📌")); e.Message.GetReactionMessage().GetKey().GetParticipant() != v.ann.LID().String() {
		t.Errorf("own reaction: %v", e.Message)
	}
	c.settled()
	for _, s := range v.Settled() {
		if s.ID == own.ID() && s.By != "receipt sender" {
			t.Errorf("own message was settled by %q", s.By)
		}
	}
}

func TestOtherChats(t *testing.T) {
	v, c := found(t, standin.Options{})
	works := v.Group("Works", v.council, v.bo)

	direct := v.ann.Tells(v.council, "A word in private.")
	if e := c.message(direct); e.Info.IsGroup || e.Info.Chat != v.ann.LID() || e.Info.SenderAlt != v.ann.JID() || e.Message.GetConversation() != direct.Text() {
		t.Errorf("direct: %+v %v", e.Info, e.Message)
	}
	answer := v.council.Replies(direct, "Quite so.")
	if e := c.message(answer); !e.Info.IsFromMe || e.Info.Chat != v.ann.LID() || e.Message.GetExtendedTextMessage().GetText() != "Quite so." {
		t.Errorf("own direct: %+v %v", e.Info, e.Message)
	}
	elsewhere := v.bo.In(works).Says("Which spade?")
	if e := c.message(elsewhere); e.Info.Chat != works.JID() {
		t.Errorf("other group: %+v", e.Info)
	}
	v.ann.Tells(v.bo, "Not for the council.")
	private := v.Group("Just us", v.ann, v.bo)
	v.ann.In(private).Says("Nor this.")
	last := v.ann.Says("But this.")
	c.message(last)
	c.settled()
	for _, e := range c.messages() {
		if strings.HasPrefix(e.Message.GetConversation(), "No") {
			t.Errorf("the council heard %q", e.Message.GetConversation())
		}
	}
}

func TestJoiningAndLeaving(t *testing.T) {
	v, c := found(t, standin.Options{})
	info, err := c.GetGroupInfo(within(t), v.group.JID())
	if err != nil {
		t.Fatal(err)
	}
	version := info.ParticipantVersionID
	expect := func(what string, match func(*events.GroupInfo) bool) {
		t.Helper()
		e := await(c, match)
		if e.PrevParticipantVersionID != version || e.ParticipantVersionID == version || e.JID != v.group.JID() {
			t.Errorf("%s: version %q after %q, want after %q", what, e.ParticipantVersionID, e.PrevParticipantVersionID, version)
		}
		version = e.ParticipantVersionID
	}

	v.cy.Joins(v.group)
	expect("join", func(e *events.GroupInfo) bool {
		return len(e.Join) == 1 && e.Join[0] == v.cy.LID() && e.JoinReason == "invite" && *e.Sender == v.cy.LID()
	})
	before := v.bo.Says("Welcome.")
	c.message(v.cy.Says("Good evening."))
	v.cy.Leaves(v.group)
	expect("leave", func(e *events.GroupInfo) bool { return len(e.Leave) == 1 && e.Leave[0] == v.cy.LID() })
	after := v.bo.Says("That was short.")
	c.message(before)
	c.message(after)
	c.settled()
	if keys := all(c, func(e *events.Message) bool {
		return e.Info.ID == after.ID() && e.RawMessage.SenderKeyDistributionMessage != nil
	}); len(keys) != 1 {
		t.Errorf("Bo's message after the leaving came with %d new sender keys, want 1", len(keys))
	}
	v.ann.Adds(v.cy)
	expect("add", func(e *events.GroupInfo) bool {
		return len(e.Join) == 1 && e.JoinReason == "" && *e.Sender == v.ann.LID()
	})
	v.ann.Promotes(v.bo)
	expect("promote", func(e *events.GroupInfo) bool { return len(e.Promote) == 1 && e.Promote[0] == v.bo.LID() })
	admins := func(want ...types.JID) {
		t.Helper()
		var got []types.JID
		info, err := c.GetGroupInfo(within(t), v.group.JID())
		for _, p := range info.Participants {
			if p.IsAdmin {
				got = append(got, p.JID)
			}
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("admins %v, %v; want %v", got, err, want)
		}
	}
	admins(v.ann.LID(), v.bo.LID())
	v.bo.Removes(v.cy)
	expect("remove", func(e *events.GroupInfo) bool { return len(e.Leave) == 1 && *e.Sender == v.bo.LID() })
	v.ann.Demotes(v.bo)
	expect("demote", func(e *events.GroupInfo) bool { return len(e.Demote) == 1 })
	admins(v.ann.LID())

	v.ann.Retitles("Parish business")
	await(c, func(e *events.GroupInfo) bool { return e.Name != nil && e.Name.Name == "Parish business" })
	v.ann.Describes("Official.")
	await(c, func(e *events.GroupInfo) bool { return e.Topic != nil && e.Topic.Topic == "Official." })
	v.ann.SetsTimer(24 * time.Hour)
	await(c, func(e *events.GroupInfo) bool { return e.Ephemeral != nil && e.Ephemeral.DisappearingTimer == 86400 })
	info, err = c.GetGroupInfo(within(t), v.group.JID())
	if err != nil || info.Name != "Parish business" || info.Topic != "Official." || len(info.Participants) != 3 || info.ParticipantVersionID != version {
		t.Errorf("group info: %+v, %v", info, err)
	}
	c.settled()
}

func TestTheCouncilComesAndGoes(t *testing.T) {
	v, c := found(t, standin.Options{})
	works := v.Group("Works", v.ann, v.bo)
	if _, err := c.GetGroupInfo(within(t), works.JID()); err == nil {
		t.Error("group info of a group that the council is not in")
	}
	v.ann.In(works).Says("Not yet.")
	v.ann.In(works).Adds(v.council)
	if e := await[*events.JoinedGroup](c, nil); e.JID != works.JID() || len(e.Participants) != 3 {
		t.Errorf("joined: %+v", e)
	}
	c.message(v.ann.In(works).Says("Now."))
	v.ann.In(works).Removes(v.council)
	await(c, func(e *events.GroupInfo) bool { return len(e.Leave) == 1 && e.Leave[0] == v.council.LID() })
	v.ann.In(works).Says("No more.")
	c.message(v.ann.Says("Still here."))
	groups, err := c.GetJoinedGroups(within(t))
	if err != nil || len(groups) != 1 || groups[0].JID != v.group.JID() {
		t.Errorf("groups: %v, %v", groups, err)
	}
	c.settled()
}
