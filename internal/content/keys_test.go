package content

import (
	"slices"
	"strings"
	"testing"

	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"muniment/internal/record"
)

// setKeys exchanges the keys in m by which it names another message.
func setKeys(m protoreflect.Message, key *waCommon.MessageKey) (n int) {
	for _, f := range setFields(m) {
		if f.Message() == nil || f.IsMap() || f.IsList() {
			continue
		}
		if _, is := m.Get(f).Message().Interface().(*waCommon.MessageKey); is {
			if m.Clear(f); key != nil {
				m.Set(f, protoreflect.ValueOfMessage(key.ProtoReflect()))
			}
			n++
			continue
		}
		n += setKeys(m.Get(f).Message(), key)
	}
	return n
}

// TestKeys has every sample that names another message name others: whose a message is
// said to be is kept as it was said, and what does not say it has no effect.
func TestKeys(t *testing.T) {
	with := func(id, participant string, fromMe bool) *waCommon.MessageKey {
		return &waCommon.MessageKey{ID: &id, Participant: &participant, FromMe: &fromMe}
	}
	keys := []struct {
		name string
		key  *waCommon.MessageKey
		of   *record.Ref
	}{
		{"one's own", with("ID0", "", true), &record.Ref{ID: "ID0", Sender: ann}},
		{"another's", with("ID0", "1002:7@lid", false), &record.Ref{ID: "ID0", Sender: bo}},
		{"another's, by number", with("ID0", boPN.String(), false), &record.Ref{ID: "ID0", Sender: record.Address{JID: bo.Alt, Alt: bo.JID}}},
		{"another's, claimed as one's own", with("ID0", boLID.String(), true), &record.Ref{ID: "ID0", Sender: ann}},
		{"one's own, by number", with("ID0", annPN.String(), false), &record.Ref{ID: "ID0", Sender: ann}},
		{"a stranger's", with("ID0", "9@lid", false), &record.Ref{ID: "ID0", Sender: record.Address{JID: "9@lid"}}},
		{"with an ID that is no text", with("\xff", "", true), &record.Ref{ID: "\uFFFD", Sender: ann}},
		{"nobody's", with("ID0", "", false), nil},
		{"no person's", with("ID0", "1.2.3@x", false), nil},
		{"without an ID", with("", boLID.String(), false), nil},
		{"without a key", nil, nil},
	}
	var named int
	for _, s := range samples() {
		plain := readsWell(t, s.name, s.m)
		if plain.Target == nil || plain.Quotations != nil || strings.Contains(s.name, "question") {
			continue
		}
		named++
		for _, k := range keys {
			m := proto.Clone(s.m).(*waE2E.Message)
			if setKeys(m.ProtoReflect(), k.key) == 0 {
				t.Fatalf("%s has no key", s.name)
			}
			r := readsWell(t, s.name, m)
			switch {
			case k.of != nil:
				if r.Kind != plain.Kind || r.Target == nil || *r.Target != *k.of {
					t.Errorf("%s, %s: %s %s of %+v", s.name, k.name, r.Kind, r.Type, r.Target)
				}
			case r.Target != nil:
				t.Errorf("%s, %s: of %+v", s.name, k.name, r.Target)
			case plain.Kind != record.Message && r.Kind != record.Unsupported:
				t.Errorf("%s, %s: %s %s", s.name, k.name, r.Kind, r.Type)
			}
		}
	}
	if named < 30 {
		t.Errorf("only %d samples name another message", named)
	}
}

// TestSeveralParts has messages that hold more than apps send in one.
func TestSeveralParts(t *testing.T) {
	photo, place := picture("The bridge", nil).ImageMessage, &waE2E.LocationMessage{Name: str("Mill Lane")}
	many := text("words")
	for _, name := range slices.Repeat(wrappers(), 3) {
		many = wrap(many, name)
		many.Conversation = str("words")
	}
	for _, tt := range []struct {
		name string
		m    *waE2E.Message
		want string
		file record.Type
	}{
		{"words and a photo", &waE2E.Message{Conversation: str("Look:"), ImageMessage: photo}, "message image The bridge|Look:", record.Image},
		{"a place and a photo in a wrapper", &waE2E.Message{LocationMessage: place, EphemeralMessage: wrapped(&waE2E.Message{ImageMessage: photo})}, "message image The bridge|Mill Lane", record.Image},
		{"a place and words", &waE2E.Message{LocationMessage: place, Conversation: str("Here")}, "message text Here|Mill Lane", ""},
		{"a photo and a deletion", &waE2E.Message{ImageMessage: photo, ProtocolMessage: deletionOf(keyOf(true, "")).ProtocolMessage}, "unsupported imageMessage+revoke ", record.Image},
		{"a reaction and a vote", &waE2E.Message{ReactionMessage: reaction("📌", keyOf(true, "")).ReactionMessage,
			PollUpdateMessage: &waE2E.PollUpdateMessage{PollCreationMessageKey: keyOf(true, "")}}, "unsupported reactionMessage+pollUpdateMessage ", ""},
		{"words and what is not read", &waE2E.Message{Conversation: str("Here"), Chat: &waE2E.Chat{}}, "message text Here", ""},
		{"two that are not read", &waE2E.Message{RequestPhoneNumberMessage: &waE2E.RequestPhoneNumberMessage{}, Chat: &waE2E.Chat{}}, "unsupported chat+requestPhoneNumberMessage ", ""},
	} {
		r := readsWell(t, tt.name, tt.m)
		if got := string(r.Kind) + " " + string(r.Type) + " " + strings.ReplaceAll(r.Text, "\n", "|"); got != tt.want || r.FileType() != tt.file {
			t.Errorf("%s: %s, file of type %q", tt.name, got, r.FileType())
		}
	}
	if r := readsWell(t, "many", many); strings.Count(r.Text, "words") != maxParts {
		t.Errorf("%d of many parts are read", strings.Count(r.Text, "words"))
	}
}

// A quoted message reads as the message does.
func TestQuotationsReadAlike(t *testing.T) {
	for _, s := range samples() {
		plain := readsWell(t, s.name, s.m)
		r := readsWell(t, s.name, reply("Why?", &waE2E.ContextInfo{StanzaID: str("ID0"), Participant: str(boLID.String()), QuotedMessage: s.m}))
		if len(r.Quotations) != 1+len(plain.Quotations) || r.Quotations[0].Text != plain.Text {
			t.Errorf("%s: quoted as %+v, said as %q", s.name, r.Quotations, plain.Text)
		}
	}
}
