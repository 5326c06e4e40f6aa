package standin_test

import (
	"testing"
	"time"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/reflect/protoreflect"

	"muniment/internal/standin"
)

// notContent are the fields of a message that are none of its content, or that a group
// never sees.
var notContent = []protoreflect.Name{
	"senderKeyDistributionMessage", "fastRatchetKeySenderKeyDistributionMessage", // keys
	"messageContextInfo", "deviceSentMessage", // what is around it
}

func TestEverythingIsEverything(t *testing.T) {
	v := &village{Server: start(t, standin.Options{})}
	ann, bo := v.Member("Ann Brook", "+447700900101"), v.Member("Bo Nott", "+447700900102")
	v.Group("Official group", ann, bo)
	occurs, names := map[protoreflect.Name]bool{}, map[string]bool{}
	for _, s := range (standin.Everything{From: time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC), Ann: ann.Voice, Bo: bo.Voice}).Send() {
		fieldsOf(s.Content().ProtoReflect(), occurs)
		if names[s.Name] {
			t.Errorf("two are called %q", s.Name)
		}
		names[s.Name] = true
	}
	for _, name := range notContent {
		occurs[name] = true
	}
	fields := (&waE2E.Message{}).ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		if name := fields.Get(i).Name(); !occurs[name] {
			t.Errorf("nothing has %s", name)
		}
	}
	t.Logf("%d messages", len(names))
}

// fieldsOf collects the fields of messages that are set in m or within.
func fieldsOf(m protoreflect.Message, occurs map[protoreflect.Name]bool) {
	m.Range(func(f protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		if _, is := m.Interface().(*waE2E.Message); is {
			occurs[f.Name()] = true
		}
		if within, is := value.Interface().(protoreflect.Message); is {
			fieldsOf(within, occurs)
		}
		return true
	})
}
