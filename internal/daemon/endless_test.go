package daemon_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"

	"muniment/internal/archive"
	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// all returns the records of which is is true.
func (w *town) all(is func(archive.Record) bool) (all []archive.Record) {
	w.t.Helper()
	w.read(func(tx *sqlite.Tx) error {
		return archive.Each(tx, func(r archive.Record) error {
			if is(r) {
				all = append(all, r)
			}
			return nil
		})
	})
	return all
}

// Whoever sends a message chooses its ID. The ID of a call, which everybody is told, hides
// nothing that its caller says; nor does the archive's own for it.
func TestAMessageThatBearsTheIDOfACall(t *testing.T) {
	w := found(t)
	stop := w.run()
	call := w.ann.In(w.official).Calls(false)
	for _, id := range []string{call.ID(), "call:" + call.ID()} {
		m := w.ann.Bearing(id).Says("We sell the field.")
		w.bo.Replies(m, "Not for less than it is worth.")
		w.ann.Sealed().Edits(m, "We sell the field for a pound.")
	}
	w.must(w.server.WaitSettled(w.soon()))
	stop()
	said := w.all(func(r archive.Record) bool { return r.Text == "We sell the field." && r.EditedBy != 0 })
	answers := w.all(func(r archive.Record) bool { return r.Text == "Not for less than it is worth." && r.ReplyTo != 0 })
	if len(said) != 2 || len(answers) != 2 {
		t.Errorf("said: %+v\nanswers: %+v", said, answers)
	}
	w.accounted()
	w.verifies()
}

// An admin knows what a notice of a change will say before he makes it, and so the ID that
// it will have here. A message of his under that ID does not hide it.
func TestAMessageThatBearsTheIDOfANotice(t *testing.T) {
	if testing.Short() {
		t.Skip("does much, and nothing that others of a short run do not")
	}
	w := found(t)
	timer := func(r archive.Record) bool { return r.Kind == record.Group && r.Type == record.Timer }
	at := time.Now().Truncate(time.Second).Add(-time.Hour)
	stop := w.run()
	w.isListed()
	w.ann.In(w.official).At(at).SetsTimer(24 * time.Hour)
	w.must(w.server.WaitSettled(w.soon()))
	stop()
	id := w.all(timer)[0].ID

	w = found(t) // another archive, with the same people
	stop = w.run()
	w.isListed()
	w.ann.In(w.official).At(at.Add(-time.Minute)).Bearing(id).Sends(&waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{
		Type: waE2E.ProtocolMessage_EPHEMERAL_SETTING.Enum(), EphemeralExpiration: proto.Uint32(0),
	}})
	w.ann.In(w.official).At(at).SetsTimer(24 * time.Hour)
	w.must(w.server.WaitSettled(w.soon()))
	stop()
	if rs := w.all(timer); !slices.ContainsFunc(rs, func(r archive.Record) bool { return r.ID == id && r.Text == "86400" }) {
		t.Errorf("records of the timer: %+v; the notice would be %s", rs, id)
	}
	w.accounted()
	w.verifies()
}

// A member can edit his poll without end, and send votes that nobody can read. Each option
// that somebody adds then has all of them looked at again, which must not take longer than
// a message may take to be captured.
func TestOptionsAndVotesWithoutEnd(t *testing.T) {
	if testing.Short() {
		t.Skip("unpacks megabytes of options again and again")
	}
	w := found(t)
	stop := w.run()
	poll := w.bo.Polls("When?", "Monday", "Tuesday")
	for i := range 100 {
		ballot := &waE2E.PollCreationMessage{Name: proto.String("When?")}
		for k := range 1024 {
			ballot.Options = append(ballot.Options, &waE2E.PollCreationMessage_Option{OptionName: proto.String(fmt.Sprintf("Day %d of week %d", k, i))})
		}
		w.bo.In(w.official).Sends(&waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{
			Type: waE2E.ProtocolMessage_MESSAGE_EDIT.Enum(), Key: poll.Key(w.bo), EditedMessage: &waE2E.Message{PollCreationMessage: ballot},
		}})
	}
	for range 20 {
		vote := w.bo.Votes(poll, "Monday").Content()
		vote.PollUpdateMessage.Vote.EncPayload[0] ^= 1
		w.bo.In(w.official).Sends(vote)
	}
	w.must(w.server.WaitSettled(w.soon()))
	began := time.Now()
	option := w.ann.AddsOption(poll, "Friday")
	vote := w.ann.Votes(poll, "Friday")
	w.must(w.server.WaitSettled(w.soon()))
	if took := time.Since(began); took > 20*time.Second { // 0.1 s on a machine with nothing else to do
		t.Errorf("an option and a vote took %s", took)
	}
	stop()
	if o, v := w.the(option), w.the(vote); o.Text != "Friday" || v.Text != "Friday" {
		t.Errorf("the option is %+v, the vote %+v", o, v)
	}
	w.accounted()
	w.verifies()
}

// A member can send settings of the group without end, true or not. How often WhatsApp is
// asked whether they are true is not for him to say.
func TestSettingsWithoutEnd(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 5 s")
	}
	w := found(t)
	stop := w.run()
	w.isListed()
	before := w.queries()
	for i := range 50 {
		setting := &waE2E.ProtocolMessage{Type: waE2E.ProtocolMessage_EPHEMERAL_SETTING.Enum(), EphemeralExpiration: proto.Uint32(uint32(i))}
		if i%2 == 0 {
			setting = &waE2E.ProtocolMessage{Type: waE2E.ProtocolMessage_GROUP_MEMBER_LABEL_CHANGE.Enum(), MemberLabel: &waE2E.MemberLabel{Label: proto.String("Treasurer")}}
		}
		w.bo.In(w.official).Sends(&waE2E.Message{ProtocolMessage: setting})
		time.Sleep(100 * time.Millisecond)
	}
	w.must(w.server.WaitSettled(w.soon()))
	stop()
	if n := w.queries() - before; n > 1 {
		t.Errorf("WhatsApp was asked %d times", n)
	}
	w.accounted()
}
