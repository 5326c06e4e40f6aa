package content

import (
	"testing"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"muniment/internal/record"
)

// A photo is fetched whatever else is in its message: WhatsApp deletes it within weeks.
func TestAPhotoBesidesSomethingElse(t *testing.T) {
	besides := picture("The culvert", nil)
	besides.ProtoReflect().SetUnknown(protowire.AppendVarint(protowire.AppendTag(nil, 9000, protowire.VarintType), 1))
	empty := picture("The culvert", nil)
	empty.Conversation = proto.String("")
	words := picture("The culvert", nil)
	words.Conversation = proto.String("Hello")
	poll := picture("The culvert", nil)
	poll.Chat = &waE2E.Chat{DisplayName: proto.String("x")}
	for name, m := range map[string]*waE2E.Message{"a field that whatsmeow does not know": besides, "an empty text": empty, "words": words, "a chat": poll,
		"as a child of an album": {AssociatedChildMessage: wrapped(picture("The culvert", nil))},
		"group mentioned":        {GroupMentionedMessage: wrapped(picture("The culvert", nil))},
	} {
		r, is := reader().Read(fromAnn(), m)
		if !is || r.File == nil {
			t.Errorf("%s: kind %s, type %s, no file", name, r.Kind, r.Type)
		}
	}
}

// Words are words, in whatever wrapper.
func TestWordsInAViewOnceWrapper(t *testing.T) {
	for name, m := range map[string]*waE2E.Message{
		"text":  {ViewOnceMessage: wrapped(text("I will not declare it."))},
		"text2": {ViewOnceMessageV2: wrapped(reply("I will not declare it.", nil))},
	} {
		r, _ := reader().Read(fromAnn(), m)
		if r.Kind != record.Message || r.Text == "" {
			t.Errorf("%s: kind %s, type %s, text %q: neither shown nor found by a search", name, r.Kind, r.Type, r.Text)
		}
	}
	if r, _ := reader().Read(fromAnn(), &waE2E.Message{ViewOnceMessage: wrapped(deletionOf(keyOf(true, "")))}); r.Kind != record.Deletion {
		t.Errorf("deletion: kind %s, type %s", r.Kind, r.Type)
	}
}
