package content

import (
	"testing"
	"time"

	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/proto/waWeb"
	"google.golang.org/protobuf/proto"

	"muniment/internal/record"
)

var office = record.Address{JID: "1009@lid", Alt: "447700900100@s.whatsapp.net"}

// kept is a message of Ann's as the council's phone keeps it.
func kept(change func(*waWeb.WebMessageInfo)) []byte {
	m := &waWeb.WebMessageInfo{
		Key:     &waCommon.MessageKey{RemoteJID: proto.String(official.String()), ID: proto.String("ID1"), FromMe: proto.Bool(false), Participant: proto.String("1001:7@lid")},
		Message: text("The handrail is loose."), MessageTimestamp: proto.Uint64(uint64(noon.Unix())), PushName: proto.String("Ann"),
	}
	if change != nil {
		change(m)
	}
	b, err := proto.MarshalOptions{AllowPartial: true}.Marshal(m)
	if err != nil {
		panic(err)
	}
	return b
}

func past(change func(*waWeb.WebMessageInfo)) Past {
	return reader().History(official.String(), office, kept(change))
}

func TestHistory(t *testing.T) {
	live, _ := reader().Read(fromAnn(), text("The handrail is loose."))
	p := past(nil)
	if len(p.Records) != 1 || p.Unread != 0 || p.Deleted != nil || p.ID != "ID1" || p.Own || !p.Sent.Equal(noon) {
		t.Fatalf("%+v", p)
	}
	got := p.Records[0]
	if !got.Supplied {
		t.Error("it is not told from what was delivered")
	}
	got.Supplied = false
	equal(t, "a text", live, got)
}

func equal(t *testing.T, what string, want, got record.Received) {
	t.Helper()
	if string(want.Protobuf) != string(got.Protobuf) {
		t.Errorf("%s: the protobufs differ", what)
	}
	if want.Sender != got.Sender || want.Kind != got.Kind || want.Type != got.Type || want.Text != got.Text || want.ID != got.ID ||
		want.Own != got.Own || !want.Sent.Equal(got.Sent) || want.PushName != got.PushName || want.Details != got.Details || want.Supplied != got.Supplied {
		t.Errorf("%s:\nwant %+v\ngot  %+v", what, want, got)
	}
}

// The council's account is whoever the phone says is itself, and its address in the list.
func TestHistoryOfTheCouncilsOwn(t *testing.T) {
	for name, change := range map[string]func(*waCommon.MessageKey){
		"by fromMe":     func(k *waCommon.MessageKey) { k.FromMe, k.Participant = proto.Bool(true), nil },
		"by its LID":    func(k *waCommon.MessageKey) { k.Participant = proto.String(office.JID) },
		"by its number": func(k *waCommon.MessageKey) { k.Participant = proto.String(office.Alt) },
	} {
		p := past(func(m *waWeb.WebMessageInfo) { change(m.Key) })
		if len(p.Records) != 1 || !p.Records[0].Own || !Same(p.Records[0].Sender, office) {
			t.Errorf("%s: %+v", name, p)
		}
	}
}

func TestWhatOfHistoryMakesNoRecord(t *testing.T) {
	for name, change := range map[string]func(*waWeb.WebMessageInfo){
		"of another chat":       func(m *waWeb.WebMessageInfo) { m.Key.RemoteJID = proto.String("1001@lid") },
		"by nobody":             func(m *waWeb.WebMessageInfo) { m.Key.Participant = nil },
		"by the group":          func(m *waWeb.WebMessageInfo) { m.Key.Participant = proto.String(official.String()) },
		"without an ID":         func(m *waWeb.WebMessageInfo) { m.Key.ID = nil },
		"without a key":         func(m *waWeb.WebMessageInfo) { m.Key = nil },
		"who joined":            func(m *waWeb.WebMessageInfo) { m.MessageStubType = waWeb.WebMessageInfo_GROUP_PARTICIPANT_ADD.Enum() },
		"what the phone cannot": func(m *waWeb.WebMessageInfo) { m.MessageStubType = waWeb.WebMessageInfo_CIPHERTEXT.Enum() },
		"what a member shared":  func(m *waWeb.WebMessageInfo) { m.IsGroupHistoryMessage = proto.Bool(true) },
		"without content":       func(m *waWeb.WebMessageInfo) { m.Message = nil },
		"what was not sent yet": func(m *waWeb.WebMessageInfo) {
			m.Key.FromMe, m.Status = proto.Bool(true), waWeb.WebMessageInfo_PENDING.Enum()
		},
		"a vote without the secret": func(m *waWeb.WebMessageInfo) { m.Message, m.PollUpdates = nil, []*waWeb.PollUpdate{{}} },
	} {
		if p := past(change); len(p.Records) != 0 || p.Unread == 0 || p.Deleted != nil {
			t.Errorf("%s: %+v", name, p)
		}
	}
	if p := reader().History(official.String(), office, []byte("\xff")); p.Unread != 1 {
		t.Errorf("what is no message: %+v", p)
	}
	deleted := past(func(m *waWeb.WebMessageInfo) {
		m.Message, m.MessageStubType = nil, waWeb.WebMessageInfo_REVOKE.Enum()
	})
	if len(deleted.Records) != 0 || deleted.Deleted == nil || deleted.Deleted.ID != "ID1" || deleted.Deleted.Sender != ann {
		t.Errorf("deleted: %+v", deleted)
	}
}

// A message that was edited is the message, as the phone has it, and not an edit that names
// itself; an edit with an ID of its own is an edit.
func TestHistoryOfWhatWasEdited(t *testing.T) {
	edited := func(of string) Past {
		return past(func(m *waWeb.WebMessageInfo) {
			m.Message = &waE2E.Message{EditedMessage: &waE2E.FutureProofMessage{Message: &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{
				Type: waE2E.ProtocolMessage_MESSAGE_EDIT.Enum(), EditedMessage: text("The handrail is mended."),
				Key: &waCommon.MessageKey{FromMe: proto.Bool(true), ID: proto.String(of), RemoteJID: proto.String(official.String())},
			}}}}
		})
	}
	p := edited("ID1")
	if len(p.Records) != 1 {
		t.Fatalf("%+v", p)
	}
	r := p.Records[0]
	if r.Kind != record.Message || r.Type != record.Text || r.Text != "The handrail is mended." || r.Target != nil || r.Details != `{"edited":true}` {
		t.Errorf("%+v", r)
	}
	again, err := reader().ReadAgain(fromAnn(), r.Protobuf)
	if again.Supplied = true; err != nil {
		t.Fatal(err)
	}
	equal(t, "read again", r, again)
	if r := edited("ID0").Records[0]; r.Kind != record.Edit || r.Target == nil || r.Target.ID != "ID0" {
		t.Errorf("an edit: %+v", r)
	}
}

// Who reacted when is told by the reaction's own key; a time before the message's is none.
func TestHistoryOfReactions(t *testing.T) {
	p := past(func(m *waWeb.WebMessageInfo) {
		key := func(id, who string) *waCommon.MessageKey {
			return &waCommon.MessageKey{RemoteJID: proto.String(official.String()), ID: proto.String(id), Participant: proto.String(who)}
		}
		own := key("R3", "")
		own.FromMe, own.Participant = proto.Bool(true), nil
		m.Reactions = []*waWeb.Reaction{
			{Key: key("R1", bo.Alt), Text: proto.String("📌"), SenderTimestampMS: proto.Int64(noon.Add(90 * time.Second).UnixMilli())},
			{Key: key("R2", "1001:3@lid"), Text: proto.String(""), SenderTimestampMS: proto.Int64(noon.Add(-time.Hour).UnixMilli())},
			{Key: own, Text: proto.String("👍")},
			{Text: proto.String("👎")},
		}
	})
	if len(p.Records) != 4 || p.Unread != 1 {
		t.Fatalf("%+v", p)
	}
	for i, want := range []record.Received{
		{ID: "R1", Sender: record.Address{JID: bo.Alt, Alt: bo.JID}, Emoji: "📌", Type: record.ReactionAdded, Sent: noon.Add(90 * time.Second)},
		{ID: "R2", Sender: ann, Type: record.ReactionRemoved, Sent: noon},
		{ID: "R3", Sender: office, Emoji: "👍", Type: record.ReactionAdded, Sent: noon, Own: true},
	} {
		got := p.Records[i+1]
		if got.Kind != record.Reaction || got.ID != want.ID || got.Sender != want.Sender || got.Emoji != want.Emoji || got.Type != want.Type ||
			!got.Sent.Equal(want.Sent) || got.Own != want.Own || !got.Supplied || got.Target == nil || got.Target.ID != "ID1" || !Same(got.Target.Sender, ann) {
			t.Errorf("reaction %d: %+v", i+1, got)
		}
	}
}

// Whatever there is in a piece, reading it does not panic, and what it makes is of the group.
func FuzzHistory(f *testing.F) {
	f.Add(kept(nil))
	f.Add(kept(func(m *waWeb.WebMessageInfo) {
		m.MessageSecret = []byte("a secret of thirty-two bytes ...")
		m.PollUpdates = []*waWeb.PollUpdate{{PollUpdateMessageKey: m.Key, Vote: &waE2E.PollVoteMessage{SelectedOptions: [][]byte{{1}}}}}
		m.EventResponses = []*waWeb.EventResponse{{EventResponseMessageKey: m.Key, EventResponseMessage: &waE2E.EventResponseMessage{}}}
		m.MessageAddOns = []*waWeb.MessageAddOn{{MessageAddOnKey: m.Key, MessageAddOn: text("?")}}
	}))
	f.Fuzz(func(t *testing.T, info []byte) {
		p := reader().History(official.String(), office, info)
		for _, r := range p.Records {
			if r.Group != official.String() || r.ID == "" || r.Sender.JID == "" || !r.Supplied || r.Sent.IsZero() {
				t.Errorf("%+v", r)
			}
		}
		again := reader().History(official.String(), office, info)
		for i := range p.Records {
			if string(p.Records[i].Protobuf) != string(again.Records[i].Protobuf) {
				t.Errorf("read twice, record %d is not the same", i)
			}
		}
	})
}
