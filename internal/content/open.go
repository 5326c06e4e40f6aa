package content

import (
	"slices"
	"strings"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/reflect/protoreflect"

	"muniment/internal/record"
)

// opened is what a message holds once it is unwrapped.
type opened struct {
	parts  []part
	around []*waE2E.MessageContextInfo // what is said of the message as a whole, innermost first
	keys   bool                        // there were keys
	once   bool                        // a wrapper says that it is to be viewed once
}

// A part is a field of a message that is content.
type part struct {
	field  string
	value  any  // a string or a protobuf message; nil if it is not known
	once   bool // within a wrapper of what is to be viewed once
	edited bool // within one of what changes an earlier message
}

// amends reports whether p is about an earlier message.
func (p part) amends() bool {
	_, is := p.value.(*waE2E.ProtocolMessage)
	return is
}

// open unwraps m, through wrappers of whatever kind and in whatever order, and takes the
// keys out of it. What is within is as deep as protobuf allows, and is looked at once.
func open(m *waE2E.Message) (o opened) {
	o.look(m, false, false)
	slices.Reverse(o.around)
	return o
}

func (o *opened) look(m *waE2E.Message, once, edited bool) {
	o.keys = dropKeys(m) || o.keys
	if m.MessageContextInfo != nil {
		o.around = append(o.around, m.MessageContextInfo)
	}
	for _, f := range setFields(m.ProtoReflect()) {
		p := part{field: string(f.Name()), once: once, edited: edited}
		if p.field == "messageContextInfo" {
			continue
		}
		if v := m.ProtoReflect().Get(f); f.Message() == nil {
			p.value = v.String()
		} else {
			p.value = v.Message().Interface()
		}
		o.once = o.once || wrapsOnce(p.field)
		if within := unwrap(p); within != nil {
			o.look(within, once || wrapsOnce(p.field), edited || p.field == "editedMessage")
			continue
		}
		o.add(p)
	}
	if len(m.ProtoReflect().GetUnknown()) > 0 {
		o.add(part{field: "unknown", once: once, edited: edited})
	}
}

// maxParts bounds what one message can cost, in which there should be one part.
const maxParts = 32

func (o *opened) add(p part) {
	if len(o.parts) < maxParts {
		o.parts = append(o.parts, p)
	}
}

// unwrap returns what p wraps; nil if it is no wrapper, or an empty one.
func unwrap(p part) *waE2E.Message {
	switch wrapper := p.value.(type) {
	case *waE2E.FutureProofMessage:
		return wrapper.GetMessage()
	case *waE2E.DeviceSentMessage:
		return wrapper.GetMessage()
	}
	return nil
}

// name is what a message is called that cannot be read: by WhatsApp's names for what it
// holds.
func (o opened) name() record.Type {
	var names []string
	for _, p := range o.parts {
		switch m := p.value.(type) {
		case *waE2E.ProtocolMessage:
			if m.Type != nil {
				p.field = strings.ToLower(m.GetType().String())
			}
		default:
			if p.edited {
				p.field = "editedMessage"
			}
		}
		if !slices.Contains(names, p.field) {
			names = append(names, p.field)
		}
	}
	if len(names) == 0 {
		return "empty"
	}
	return record.Type(strings.Join(names, "+"))
}

// dropKeys removes sender keys and reports whether there were any.
func dropKeys(m *waE2E.Message) bool {
	had := m.SenderKeyDistributionMessage != nil || m.FastRatchetKeySenderKeyDistributionMessage != nil
	m.SenderKeyDistributionMessage, m.FastRatchetKeySenderKeyDistributionMessage = nil, nil
	return had
}

// setFields returns the fields that are set, by number.
func setFields(m protoreflect.Message) (fields []protoreflect.FieldDescriptor) {
	m.Range(func(f protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
		fields = append(fields, f)
		return true
	})
	slices.SortFunc(fields, func(a, b protoreflect.FieldDescriptor) int { return int(a.Number() - b.Number()) })
	return fields
}

// eachWithin calls visit with every message that stands in a field of m, in the order
// of the fields' numbers.
func eachWithin(m protoreflect.Message, visit func(f protoreflect.FieldDescriptor, within protoreflect.Message)) {
	for _, f := range setFields(m) {
		if f.Message() == nil {
			continue
		}
		v := m.Get(f)
		switch {
		case f.IsList():
			for i := range v.List().Len() {
				visit(f, v.List().Get(i).Message())
			}
		case f.IsMap():
			if f.MapValue().Message() != nil {
				for _, k := range sortedKeys(v.Map()) {
					visit(f, v.Map().Get(k).Message())
				}
			}
		default:
			visit(f, v.Message())
		}
	}
}

func sortedKeys(m protoreflect.Map) (keys []protoreflect.MapKey) {
	m.Range(func(k protoreflect.MapKey, _ protoreflect.Value) bool {
		keys = append(keys, k)
		return true
	})
	slices.SortFunc(keys, func(a, b protoreflect.MapKey) int { return strings.Compare(a.String(), b.String()) })
	return keys
}
