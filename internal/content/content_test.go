package content

import (
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"muniment/internal/record"
)

var (
	official = types.NewJID("120363000000000001", types.GroupServer)
	annLID   = types.NewJID("1001", types.HiddenUserServer)
	annPN    = types.NewJID("447700900101", types.DefaultUserServer)
	boLID    = types.NewJID("1002", types.HiddenUserServer)
	boPN     = types.NewJID("447700900102", types.DefaultUserServer)
	catLID   = types.NewJID("1003", types.HiddenUserServer) // whose number is not known

	ann = record.Address{JID: annLID.String(), Alt: annPN.String()}
	bo  = record.Address{JID: boLID.String(), Alt: boPN.String()}
	cat = record.Address{JID: catLID.String()}

	noon = time.Unix(1_800_000_000, 0)
)

// reader knows Ann's and Bo's other addresses, and no message.
func reader() Reader {
	others := map[string]string{ann.JID: ann.Alt, ann.Alt: ann.JID, bo.JID: bo.Alt, bo.Alt: bo.JID}
	return Reader{Other: func(jid string) string { return others[jid] }}
}

// fromAnn is the envelope of Ann's message.
func fromAnn() Envelope {
	return Envelope{Group: official.String(), ID: "ID1", Sender: ann, PushName: "Ann", Sent: noon}
}

func text(s string) *waE2E.Message { return &waE2E.Message{Conversation: &s} }

func reply(s string, c *waE2E.ContextInfo) *waE2E.Message {
	return &waE2E.Message{ExtendedTextMessage: &waE2E.ExtendedTextMessage{Text: &s, ContextInfo: c}}
}

func reaction(emoji string, key *waCommon.MessageKey) *waE2E.Message {
	return &waE2E.Message{ReactionMessage: &waE2E.ReactionMessage{Key: key, Text: &emoji}}
}

func keyOf(fromMe bool, participant string) *waCommon.MessageKey {
	return &waCommon.MessageKey{FromMe: &fromMe, ID: proto.String("ID0"), Participant: &participant}
}

func keys() *waE2E.SenderKeyDistributionMessage {
	return &waE2E.SenderKeyDistributionMessage{AxolotlSenderKeyDistributionMessage: []byte("key")}
}

func wrapped(m *waE2E.Message) *waE2E.FutureProofMessage {
	return &waE2E.FutureProofMessage{Message: m}
}

func TestRead(t *testing.T) {
	edit := &waE2E.ProtocolMessage{Type: waE2E.ProtocolMessage_MESSAGE_EDIT.Enum(), Key: keyOf(true, ""), EditedMessage: text("new")}
	of := func(who record.Address) *record.Ref { return &record.Ref{ID: "ID0", Sender: who} }
	unsupported := func(typ record.Type) record.Received {
		return record.Received{Kind: record.Unsupported, Type: typ}
	}
	said := func(s string) record.Received {
		return record.Received{Kind: record.Message, Type: record.Text, Text: s}
	}
	reacted := func(typ record.Type, emoji string, to record.Address) record.Received {
		return record.Received{Kind: record.Reaction, Type: typ, Emoji: emoji, Target: of(to)}
	}
	for _, tt := range []struct {
		name string
		m    *waE2E.Message
		want record.Received // without what all have in common
	}{
		{"text", text("Hello."), said("Hello.")},
		{"text with a preview", reply("Hello.", nil), said("Hello.")},
		{"disappearing text", &waE2E.Message{EphemeralMessage: wrapped(text("Hello."))}, said("Hello.")},
		{"text of our own phone", &waE2E.Message{DeviceSentMessage: &waE2E.DeviceSentMessage{Message: text("Hello.")}}, said("Hello.")},
		{"text with keys, as resent", &waE2E.Message{Conversation: proto.String("Hello."), SenderKeyDistributionMessage: keys()}, said("Hello.")},
		{"text that is no UTF-8", text("a\xffb"), said("a\uFFFDb")},
		{"mentions", reply("@1002 @447700900101", &waE2E.ContextInfo{MentionedJID: []string{"1002:3@lid", "447700900101@s.whatsapp.net", "1002@lid", "@", "1:2:3@x"}}),
			record.Received{Kind: record.Message, Type: record.Text, Text: "@1002 @447700900101", Mentions: []string{boLID.String(), annPN.String()}}},
		{"reaction to another's", reaction("📌", keyOf(false, "1002:5@lid")), reacted(record.ReactionAdded, "📌", bo)},
		{"reaction to another's, named by number", reaction("📌", keyOf(false, boPN.String())),
			reacted(record.ReactionAdded, "📌", record.Address{JID: bo.Alt, Alt: bo.JID})},
		{"reaction to the reactor's own", reaction("📌", keyOf(true, "")), reacted(record.ReactionAdded, "📌", ann)},
		{"reaction to the reactor's own, whatever the participant", reaction("📌", keyOf(true, boLID.String())), reacted(record.ReactionAdded, "📌", ann)},
		{"reaction to the reactor's own, named by number", reaction("📌", keyOf(false, annPN.String())), reacted(record.ReactionAdded, "📌", ann)},
		{"reaction taken back", reaction("", keyOf(false, boLID.String())), reacted(record.ReactionRemoved, "", bo)},
		{"reaction to nobody's", reaction("📌", keyOf(false, "")), unsupported("reactionMessage")},
		{"reaction to nothing", reaction("📌", nil), unsupported("reactionMessage")},
		{"edit without its frame", &waE2E.Message{EditedMessage: wrapped(text("new"))}, unsupported("editedMessage")},
		{"timer", &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{Type: waE2E.ProtocolMessage_EPHEMERAL_SETTING.Enum(), EphemeralExpiration: proto.Uint32(86400)}},
			record.Received{Kind: record.Group, Type: record.Timer, Text: "86400"}},
		{"revoke and text at once", &waE2E.Message{Conversation: proto.String("x"), ProtocolMessage: edit}, unsupported("conversation+message_edit")},
		{"image and location at once", &waE2E.Message{ImageMessage: &waE2E.ImageMessage{}, LocationMessage: &waE2E.LocationMessage{}},
			record.Received{Kind: record.Message, Type: record.Image, File: &record.File{}}},
		{"edit, encrypted with a secret", &waE2E.Message{SecretEncryptedMessage: &waE2E.SecretEncryptedMessage{TargetMessageKey: keyOf(true, ""),
			SecretEncType: waE2E.SecretEncryptedMessage_MESSAGE_EDIT.Enum()}},
			record.Received{Kind: record.Edit, Type: record.Sealed, Target: of(ann)}},
		{"nothing", &waE2E.Message{}, unsupported("empty")},
		{"a kind of the future", future(), unsupported("unknown")},
	} {
		t.Run(tt.name, func(t *testing.T) { reads(t, tt.m, tt.want) })
	}
}

// reads checks what becomes of m; want is without what all have in common.
func reads(t *testing.T, m *waE2E.Message, want record.Received) record.Received {
	t.Helper()
	want.Group, want.ID, want.Sender = official.String(), "ID1", ann
	want.PushName, want.Sent = "Ann", noon.UTC()
	got, is := reader().Read(fromAnn(), m)
	if !is {
		t.Fatal("no record")
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(record.Received{}, "Protobuf", "Quotations")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	readsAgain(t, got)
	return got
}

// future is a message of a kind that is not known.
func future() *waE2E.Message {
	var m waE2E.Message
	m.ProtoReflect().SetUnknown(protowire.AppendBytes(protowire.AppendTag(nil, 9999, protowire.BytesType), []byte("x")))
	return &m
}

func TestQuotationsAreTakenOutAtAnyDepth(t *testing.T) {
	inner := reply("Inner.", &waE2E.ContextInfo{StanzaID: proto.String("ID-inmost"), Participant: proto.String(catLID.String()), QuotedMessage: text("Inmost.")})
	m := reply("Outer.", &waE2E.ContextInfo{
		StanzaID: proto.String("ID-inner"), Participant: proto.String(boLID.String()), QuotedMessage: inner,
		MentionedJID: []string{boLID.String()}, IsForwarded: proto.Bool(true),
	})
	before := proto.Clone(m)
	r, is := reader().Read(fromAnn(), m)
	if !is {
		t.Fatal("no record")
	}
	if !proto.Equal(before, m) {
		t.Error("the event's message was altered")
	}
	want := []record.Quotation{
		{Of: record.Ref{ID: "ID-inner", Sender: bo}, Text: "Inner."},
		{Of: record.Ref{ID: "ID-inmost", Sender: cat}, Text: "Inmost."},
	}
	if diff := cmp.Diff(want, r.Quotations, cmpopts.IgnoreFields(record.Quotation{}, "Protobuf")); diff != "" {
		t.Errorf("quotations (-want +got):\n%s", diff)
	}
	if r.Target == nil || *r.Target != want[0].Of {
		t.Errorf("target %+v", r.Target)
	}
	kept := string(r.Protobuf)
	if strings.Contains(kept, "Inner.") || strings.Contains(kept, "Inmost.") || strings.Contains(string(r.Quotations[0].Protobuf), "Inmost.") {
		t.Error("a quotation was left in place")
	}
	var left waE2E.Message
	if err := proto.Unmarshal(r.Protobuf, &left); err != nil {
		t.Fatal(err)
	}
	if c := left.GetExtendedTextMessage().GetContextInfo(); !c.GetIsForwarded() || len(c.GetMentionedJID()) != 1 {
		t.Errorf("what is no quotation was taken too: %v", c)
	}
}

func TestQuotationOfNobody(t *testing.T) {
	r, _ := reader().Read(fromAnn(), reply("x", &waE2E.ContextInfo{StanzaID: proto.String("ID0"), Participant: proto.String("1.2.3@x")}))
	if r.Target.Sender.JID != official.String() || r.Quotations[0].Of.Sender.JID != official.String() {
		t.Errorf("target %+v, quotation of %+v, want the group in the sender's place", r.Target, r.Quotations[0].Of)
	}
}

// FuzzRead asks for what must hold of any message whatsoever.
func FuzzRead(f *testing.F) {
	for _, m := range []*waE2E.Message{
		{SenderKeyDistributionMessage: keys()},
		reply("x", &waE2E.ContextInfo{StanzaID: proto.String("ID0"), Participant: proto.String("1002@lid"), MentionedJID: []string{"1@lid"},
			QuotedMessage: reply("y", &waE2E.ContextInfo{QuotedMessage: text("z")})}),
		{EphemeralMessage: wrapped(&waE2E.Message{ImageMessage: &waE2E.ImageMessage{
			ContextInfo: &waE2E.ContextInfo{QuestionReplyQuotedMessage: &waE2E.ContextInfo_QuestionReplyQuotedMessage{QuotedQuestion: text("q")}}}})},
		{ProtocolMessage: &waE2E.ProtocolMessage{EditedMessage: reply("x", &waE2E.ContextInfo{Participant: proto.String("a.b.c@")})}},
		editOf(keyOf(true, ""), reply("x", &waE2E.ContextInfo{MentionedJID: []string{"1@lid"}, QuotedMessage: text("y")})),
		{EditedMessage: wrapped(editOf(keyOf(false, "1002@lid"), picture("x", nil)))},
		deletionOf(keyOf(false, "1002:1@lid")), deletionOf(&waCommon.MessageKey{ID: proto.String("\xff")}),
		picture("x", &waE2E.ContextInfo{StanzaID: proto.String("ID0"), QuotedMessage: picture("y", nil)}),
		{DocumentWithCaptionMessage: wrapped(&waE2E.Message{DocumentMessage: &waE2E.DocumentMessage{FileName: proto.String("a\nb\xff"), FileLength: proto.Uint64(1 << 63)}})},
		{AudioMessage: &waE2E.AudioMessage{ViewOnce: proto.Bool(true), MediaKey: []byte("k")}},
		{EventMessage: &waE2E.EventMessage{StartTime: proto.Int64(math.MaxInt64), EndTime: proto.Int64(math.MinInt64), Location: &waE2E.LocationMessage{DegreesLatitude: proto.Float64(math.NaN())}}},
		{LocationMessage: &waE2E.LocationMessage{DegreesLatitude: proto.Float64(math.Inf(1)), Name: proto.String("\xff")}},
		{RequestPaymentMessage: &waE2E.RequestPaymentMessage{Amount: &waE2E.Money{Value: proto.Int64(math.MinInt64), Offset: proto.Uint32(math.MaxUint32), CurrencyCode: proto.String("\xff")}}},
	} {
		f.Add(bytesOf(f, m))
	}
	for _, s := range samples() {
		f.Add(bytesOf(f, s.m))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var m waE2E.Message
		if proto.Unmarshal(b, &m) != nil {
			return
		}
		before := proto.Clone(&m)
		r, is := reader().Read(fromAnn(), &m)
		if proto.Equal(before, before) && !proto.Equal(before, &m) { // NaN is not equal to itself
			t.Error("the message was altered")
		}
		if !is {
			if !reflect.DeepEqual(r, record.Received{}) {
				t.Errorf("no record, but %+v", r)
			}
			return
		}
		check(t, r)
		if again, _ := reader().Read(fromAnn(), &m); !reflect.DeepEqual(r, again) {
			t.Error("read anew, it is another record")
		}
		readsAgain(t, r)
	})
}

func bytesOf(t testing.TB, m *waE2E.Message) []byte {
	t.Helper()
	b, err := proto.MarshalOptions{Deterministic: true, AllowPartial: true}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// readsAgain checks that r is read again from what is kept of it.
func readsAgain(t *testing.T, r record.Received) {
	t.Helper()
	again, err := reader().ReadAgain(Envelope{Group: r.Group, ID: r.ID, Sender: r.Sender, PushName: r.PushName, Own: r.Own, Sent: r.Sent}, r.Protobuf)
	if err != nil {
		t.Fatal(err)
	}
	if r.Quotations != nil {
		r.Quotations = nil
		if r.Kind == record.Message && again.Target == nil {
			r.Target = nil
		}
	}
	if diff := cmp.Diff(r, again); diff != "" {
		t.Errorf("read again, it is another record (-was +is):\n%s", diff)
	}
}

func check(t *testing.T, r record.Received) {
	t.Helper()
	if r.Kind == "" || r.Type == "" || r.Group != official.String() || r.ID == "" || r.Sender != ann {
		t.Errorf("incomplete: %+v", r)
	}
	if r.Target != nil && (r.Target.ID == "" || r.Target.Sender.JID == "") {
		t.Errorf("target %+v", r.Target)
	}
	if r.Kind.Follows() && r.Target == nil {
		t.Errorf("%s of nothing", r.Kind)
	}
	if r.Kind == record.Deletion && (r.Type == record.ByAuthor) != (r.Target.Sender == r.Sender) {
		t.Errorf("deletion by %s of a message of %+v", r.Type, r.Target.Sender)
	}
	if !utf8.ValidString(r.Text + r.Emoji + strings.Join(r.Mentions, "")) {
		t.Error("not UTF-8")
	}
	if files := []record.Type{record.Image, record.Video, record.GIF, record.VideoNote, record.Audio, record.Voice, record.Document, record.Sticker, record.Stickers}; r.File != nil && !slices.Contains(files, r.FileType()) ||
		r.File == nil && r.Kind == record.Message && slices.Contains(files, r.Type) {
		t.Errorf("%s %s with file %+v", r.Kind, r.Type, r.File)
	}
	if d, err := record.ParseDetails(r.Details); err != nil || d.Encode() != r.Details {
		t.Errorf("details %s, %v", r.Details, err)
	}
	if f := r.File; f != nil && (f.Size < 0 || !utf8.ValidString(f.Name+f.MIME+f.Path) || strings.ContainsAny(f.Name+f.MIME, "\r\n\u2028")) {
		t.Errorf("file %+v", f)
	}
	var kept waE2E.Message
	if err := (proto.UnmarshalOptions{AllowPartial: true}).Unmarshal(r.Protobuf, &kept); err != nil {
		t.Fatal(err)
	}
	if n := countQuotations(kept.ProtoReflect()); n != 0 {
		t.Errorf("%d quotations left in the record", n)
	}
	if n := countOnce(kept.ProtoReflect(), false); n != 0 {
		t.Errorf("%d files to be viewed once left in the record", n)
	}
	for _, q := range r.Quotations {
		var c waE2E.ContextInfo
		if err := (proto.UnmarshalOptions{AllowPartial: true}).Unmarshal(q.Protobuf, &c); err != nil {
			t.Fatal(err)
		}
		if n := countQuotations(c.ProtoReflect()); n != 1 {
			t.Errorf("%d quotations in a quotation", n)
		}
		if n := countOnce(c.ProtoReflect(), false); n != 0 {
			t.Errorf("%d files to be viewed once left in a quotation", n)
		}
		if q.Of.Sender.JID == "" || !utf8.ValidString(q.Text+q.Of.Sender.JID) {
			t.Errorf("quotation of %+v", q.Of)
		}
	}
}

// countQuotations counts in a way of its own.
func countQuotations(m protoreflect.Message) (n int) {
	if c, ok := m.Interface().(*waE2E.ContextInfo); ok &&
		(c.StanzaID != nil || c.Participant != nil || c.QuotedMessage != nil || c.QuestionReplyQuotedMessage != nil) {
		n++
	}
	everyWithin(m, func(_ protoreflect.FieldDescriptor, within protoreflect.Message) { n += countQuotations(within) })
	return n
}

// countOnce counts the files to be viewed once that could be had, or seen.
func countOnce(m protoreflect.Message, once bool) (n int) {
	switch m := m.Interface().(type) {
	case *waE2E.ContextInfo:
		once = false
	case interface{ GetViewOnce() bool }:
		once = once || m.GetViewOnce()
	}
	a, file := m.Interface().(attachment)
	thumb, shown := m.Interface().(interface{ GetJPEGThumbnail() []byte })
	if once && (file && (a.GetMediaKey() != nil || a.GetDirectPath() != "" || a.GetFileSHA256() != nil) || shown && file && thumb.GetJPEGThumbnail() != nil) {
		n++
	}
	everyWithin(m, func(f protoreflect.FieldDescriptor, within protoreflect.Message) {
		_, wrapper := within.Interface().(*waE2E.FutureProofMessage)
		n += countOnce(within, once || wrapper && strings.Contains(string(f.Name()), "Once"))
	})
	return n
}

func everyWithin(m protoreflect.Message, visit func(protoreflect.FieldDescriptor, protoreflect.Message)) {
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.IsMap():
			v.Map().Range(func(_ protoreflect.MapKey, v protoreflect.Value) bool {
				if f.MapValue().Message() != nil {
					visit(f, v.Message())
				}
				return true
			})
		case f.Message() == nil:
		case f.IsList():
			for i := range v.List().Len() {
				visit(f, v.List().Get(i).Message())
			}
		default:
			visit(f, v.Message())
		}
		return true
	})
}
