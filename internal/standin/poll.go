package standin

import (
	"crypto/sha256"
	"slices"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Polls makes the member put a question of which one option may be chosen.
func (v Voice) Polls(question string, options ...string) *Message {
	poll := ballot(question, options)
	poll.SelectableOptionsCount = proto.Uint32(1)
	return v.Sends(&waE2E.Message{PollCreationMessageV3: poll})
}

// PollsFreely makes the member put a question of which any number of options may be
// chosen.
func (v Voice) PollsFreely(question string, options ...string) *Message {
	return v.Sends(&waE2E.Message{PollCreationMessage: ballot(question, options)})
}

func ballot(question string, options []string) *waE2E.PollCreationMessage {
	poll := &waE2E.PollCreationMessage{Name: proto.String(question), SelectableOptionsCount: proto.Uint32(0)}
	for _, option := range options {
		poll.Options = append(poll.Options, &waE2E.PollCreationMessage_Option{OptionName: proto.String(option)})
	}
	return poll
}

// pollOf is the poll that a message puts, in whichever of its forms; nil if none.
func pollOf(m *waE2E.Message) (poll *waE2E.PollCreationMessage) {
	inner(m).ProtoReflect().Range(func(_ protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		if field, ok := value.Interface().(protoreflect.Message); ok {
			poll, _ = field.Interface().(*waE2E.PollCreationMessage)
		}
		return poll == nil
	})
	return poll
}

// mustPoll is the poll that m puts to a group.
func (m *Message) mustPoll() *waE2E.PollCreationMessage {
	poll := pollOf(m.content)
	if poll == nil || m.group == nil {
		panic("standin: message " + m.id + " is not a poll in a group")
	}
	return poll
}

// Votes makes the member vote in a poll, or change an earlier vote; to choose
// nothing is to withdraw it. A vote names the options by their digests.
func (v Voice) Votes(poll *Message, options ...string) *Message {
	defer v.lock().Unlock()
	known := slices.Clone(poll.options)
	for _, option := range poll.mustPoll().Options {
		known = append(known, option.GetOptionName())
	}
	vote := &waE2E.PollVoteMessage{}
	for _, option := range options {
		if !slices.Contains(known, option) {
			panic("standin: the poll has no option " + option)
		}
		digest := sha256.Sum256([]byte(option))
		vote.SelectedOptions = append(vote.SelectedOptions, digest[:])
	}
	sealed, iv := v.seal(poll, "Poll Vote", vote)
	v.opened = vote
	return v.answer(poll, &waE2E.Message{PollUpdateMessage: &waE2E.PollUpdateMessage{
		PollCreationMessageKey: poll.key(v),
		Vote:                   &waE2E.PollEncValue{EncPayload: sealed, EncIV: iv},
		SenderTimestampMS:      proto.Int64(v.time().UnixMilli()),
	}})
}

// AddsOption makes the member add an option to a poll.
func (v Voice) AddsOption(poll *Message, option string) *Message {
	return v.addsOption(poll, option, pollAddOption)
}

// AddsOptionAsEdit is [Voice.AddsOption] sealed as an edit of the poll, which is how
// whatsmeow reads it.
func (v Voice) AddsOptionAsEdit(poll *Message, option string) *Message {
	return v.Sealed().addsOption(poll, option, seal{pollAddOption.kind, pollEdit.use})
}

func (v Voice) addsOption(poll *Message, option string, s seal) *Message {
	defer v.lock().Unlock()
	poll.mustPoll()
	poll.options = append(poll.options, option)
	added := &waE2E.Message{PollAddOptionMessage: &waE2E.PollAddOptionMessage{
		PollCreationMessageKey: poll.key(v),
		AddOption:              &waE2E.PollCreationMessage_Option{OptionName: proto.String(option)},
	}}
	if v.sealed {
		added = v.sealing(poll, s, added)
	}
	return v.answer(poll, added)
}

// Repolls makes the member change a poll of theirs. Such an edit is always sealed.
func (v Voice) Repolls(poll *Message, question string, options ...string) *Message {
	v.mustOwn(poll)
	defer v.lock().Unlock()
	now := proto.Clone(poll.mustPoll()).(*waE2E.PollCreationMessage)
	now.Name, now.Options = proto.String(question), ballot("", options).Options
	poll.options = append(poll.options, options...)
	return v.answer(poll, v.sealing(poll, pollEdit, v.edit(poll, &waE2E.Message{PollCreationMessageV3: now})))
}
