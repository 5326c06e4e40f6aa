package standin

import (
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"slices"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"
)

// Polls makes the member put a question of which one option may be chosen.
func (v Voice) Polls(question string, options ...string) *Message {
	poll := &waE2E.PollCreationMessage{Name: proto.String(question), SelectableOptionsCount: proto.Uint32(1)}
	for _, option := range options {
		poll.Options = append(poll.Options, &waE2E.PollCreationMessage_Option{OptionName: proto.String(option)})
	}
	return v.Sends(&waE2E.Message{PollCreationMessageV3: poll})
}

// Votes makes the member vote in a poll, or change an earlier vote; to choose
// nothing is to withdraw it. A vote is encrypted with the poll's own secret, and
// names the options by their digests.
func (v Voice) Votes(poll *Message, options ...string) *Message {
	defer v.lock().Unlock()
	question := inner(poll.content).GetPollCreationMessageV3()
	if question == nil || poll.group == nil {
		panic("standin: message " + poll.id + " is not a poll in a group")
	}
	vote := &waE2E.PollVoteMessage{}
	for _, option := range options {
		if !slices.ContainsFunc(question.Options, func(o *waE2E.PollCreationMessage_Option) bool { return o.GetOptionName() == option }) {
			panic("standin: the poll has no option " + option)
		}
		digest := sha256.Sum256([]byte(option))
		vote.SelectedOptions = append(vote.SelectedOptions, digest[:])
	}
	author, _ := poll.voice.member.addressIn(poll.group)
	voter, _ := v.member.addressIn(poll.group)
	secret := poll.content.GetMessageContextInfo().GetMessageSecret()
	key := must(hkdf.Key(sha256.New, secret, nil, poll.id+author.String()+voter.String()+"Poll Vote", 32))
	iv := randomBytes(12)
	sealed := newGCM(key).Seal(nil, iv, must(proto.Marshal(vote)), fmt.Appendf(nil, "%s\x00%s", poll.id, voter))
	return v.answer(poll, &waE2E.Message{PollUpdateMessage: &waE2E.PollUpdateMessage{
		PollCreationMessageKey: poll.key(v.member),
		Vote:                   &waE2E.PollEncValue{EncPayload: sealed, EncIV: iv},
		SenderTimestampMS:      proto.Int64(v.time().UnixMilli()),
	}})
}
