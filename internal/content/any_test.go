package content

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// TestAnyMessage reads messages in which anything may be set to anything, as a sender
// may do it whose app is not WhatsApp's: see [check] for what must hold.
func TestAnyMessage(t *testing.T) {
	n := 20_000
	if testing.Short() {
		n = 2_000
	}
	kinds := make(map[string]int)
	for i := range n {
		rng := rand.New(rand.NewPCG(uint64(i), 4))
		var m waE2E.Message
		fill(rng, m.ProtoReflect(), 5)
		before := bytesOf(t, &m)
		r, is := reader().Read(fromAnn(), &m)
		if string(bytesOf(t, &m)) != string(before) {
			t.Errorf("message %d was altered", i)
		}
		if !is {
			continue
		}
		check(t, r)
		readsAgain(t, r)
		kinds[fmt.Sprint(r.Kind, " ", r.Type)]++
		if t.Failed() {
			t.Fatalf("message %d: %v", i, &m)
		}
	}
	if len(kinds) < 50 {
		t.Errorf("of only %d kinds: %v", len(kinds), kinds)
	}
}

// fill sets about one field of m, or a few within what m is made of.
func fill(rng *rand.Rand, m protoreflect.Message, depth int) {
	fields := m.Descriptor().Fields()
	n := 1
	switch name := m.Descriptor().Name(); {
	case name == "FutureProofMessage" || name == "DeviceSentMessage":
		n = fields.Len() // a wrapper is not often empty
	case name != "Message":
		n = rng.IntN(fields.Len() + 1)
	case rng.IntN(4) == 0:
		n = 2
	}
	for range n {
		f := fields.Get(rng.IntN(fields.Len()))
		if f.Message() != nil && depth == 0 {
			continue
		}
		switch {
		case f.IsMap():
		case f.IsList():
			list := m.Mutable(f).List()
			for range rng.IntN(3) {
				if f.Message() != nil {
					within := list.NewElement()
					fill(rng, within.Message(), depth-1)
					list.Append(within)
				} else {
					list.Append(value(rng, f))
				}
			}
		case f.Message() != nil:
			fill(rng, m.Mutable(f).Message(), depth-1)
		default:
			m.Set(f, value(rng, f))
		}
	}
}

func pick[T any](rng *rand.Rand, all ...T) T { return all[rng.IntN(len(all))] }

// value returns something for f, as senders may choose it.
func value(rng *rand.Rand, f protoreflect.FieldDescriptor) protoreflect.Value {
	number := pick(rng, 0, 1, 2, 3, -1, 86400, 1_800_000_000, 1_800_000_000_000, math.MaxInt64, math.MinInt64)
	switch f.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(rng.IntN(2) == 0)
	case protoreflect.EnumKind:
		values := f.Enum().Values()
		if rng.IntN(8) == 0 {
			return protoreflect.ValueOfEnum(99)
		}
		return protoreflect.ValueOfEnum(values.Get(rng.IntN(values.Len())).Number())
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(pick(rng, "", "words", "two\nlines\u2028three", "\xff\x00", "1002@lid", "1001:5@lid", "a.b.c@", "ID0",
			annsCard, "=?=\r\nN;QUOTED-PRINTABLE:=\r\n=\n\\", `{"display_text":"\u0000"}`, "https://cranford.example"))
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes(pick(rng, nil, []byte("key of 32 bytes and then a few.."), []byte("\xff")))
	case protoreflect.FloatKind:
		return protoreflect.ValueOfFloat32(float32(pick(rng, 0, 1.5, math.Inf(-1))))
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(pick(rng, 0, 51.5, -300, math.Inf(1), math.NaN()))
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return protoreflect.ValueOfUint32(uint32(number))
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return protoreflect.ValueOfUint64(uint64(number))
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return protoreflect.ValueOfInt32(int32(number))
	}
	return protoreflect.ValueOfInt64(int64(number))
}

// TestDeepNesting reads what is nested as deep as protobuf allows.
func TestDeepNesting(t *testing.T) {
	if testing.Short() {
		t.Skip("one thing after another, which the race detector watches for long")
	}
	deepest := func(wrap func(*waE2E.Message) *waE2E.Message) *waE2E.Message {
		var deep *waE2E.Message
		for m, depth := text("Hello."), 1; depth < 3000; depth++ { // at most three levels of protobuf's each
			m = wrap(m)
			deep = m
		}
		return deep
	}
	for name, m := range map[string]*waE2E.Message{
		"wrappers": deepest(func(m *waE2E.Message) *waE2E.Message { return wrap(m, "ephemeralMessage") }),
		"quotations": deepest(func(m *waE2E.Message) *waE2E.Message {
			return reply("x", &waE2E.ContextInfo{StanzaID: str("ID0"), QuotedMessage: m})
		}),
		"comments": deepest(func(m *waE2E.Message) *waE2E.Message {
			return &waE2E.Message{CommentMessage: &waE2E.CommentMessage{TargetMessageKey: keyOf(true, ""), Message: m}}
		}),
		"edits": deepest(func(m *waE2E.Message) *waE2E.Message { return editOf(keyOf(true, ""), m) }),
		"carousels": {InteractiveMessage: func() *waE2E.InteractiveMessage {
			m := menuOf(nil)
			for range 3000 {
				m = &waE2E.InteractiveMessage{InteractiveMessage: &waE2E.InteractiveMessage_CarouselMessage_{
					CarouselMessage: &waE2E.InteractiveMessage_CarouselMessage{Cards: []*waE2E.InteractiveMessage{m}}}}
			}
			return m
		}()},
	} {
		r, is := reader().Read(fromAnn(), m)
		if err := proto.Unmarshal(bytesOf(t, m), &waE2E.Message{}); !is || err != nil {
			t.Fatalf("%s: %v, %v", name, is, err)
		}
		if name == "quotations" && len(r.Quotations) != 2999 || name == "wrappers" && r.Text != "Hello." {
			t.Errorf("%s: %d quotations, %q", name, len(r.Quotations), r.Text)
		}
		readsAgain(t, r)
	}
}

// A message that quotes without end must still be captured, or it comes again for ever.
func TestQuotationsWithoutEnd(t *testing.T) {
	if testing.Short() {
		t.Skip("one thing after another, which the race detector watches for long")
	}
	var cards []*waE2E.ContactMessage
	for i := range 100_000 {
		cards = append(cards, &waE2E.ContactMessage{ContextInfo: &waE2E.ContextInfo{StanzaID: str("a"), Participant: str(fmt.Sprint(i, "@lid"))}})
	}
	r, _ := reader().Read(fromAnn(), &waE2E.Message{ContactsArrayMessage: &waE2E.ContactsArrayMessage{Contacts: cards}})
	if len(r.Quotations) != maxQuotations {
		t.Errorf("%d quotations", len(r.Quotations))
	}
}
