package whatsapp

import (
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/proto/waWeb"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"

	"muniment/internal/content"
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

func testTranslator() translator {
	others := map[string]string{ann.JID: ann.Alt, ann.Alt: ann.JID, bo.JID: bo.Alt, bo.Alt: bo.JID}
	return translator{
		groups: map[string]bool{official.String(): true},
		own:    map[string]bool{annLID.String(): true},
		reader: content.Reader{Other: func(jid string) string { return others[jid] }},
	}
}

// from makes the event of a message as whatsmeow does, Ann's second device
// being the sender.
func from(chat types.JID, m *waE2E.Message) *events.Message {
	sender := annLID
	sender.Device = 2
	return (&events.Message{
		Info: types.MessageInfo{
			MessageSource: types.MessageSource{Chat: chat, Sender: sender, SenderAlt: annPN, IsGroup: true},
			ID:            "ID1", PushName: "Ann", Timestamp: noon,
		},
		RawMessage: m,
	}).UnwrapRaw()
}

func text(s string) *waE2E.Message { return &waE2E.Message{Conversation: &s} }

func keyOf(fromMe bool, participant string) *waCommon.MessageKey {
	return &waCommon.MessageKey{FromMe: &fromMe, ID: proto.String("ID0"), Participant: &participant}
}

func keys() *waE2E.SenderKeyDistributionMessage {
	return &waE2E.SenderKeyDistributionMessage{AxolotlSenderKeyDistributionMessage: []byte("key")}
}

func TestNoRecord(t *testing.T) {
	almost := official
	almost.Device = 1
	for name, evt := range map[string]*events.Message{
		"another group":        from(types.NewJID("120363000000000002", types.GroupServer), text("x")),
		"a person":             from(boPN, text("x")),
		"the group's number":   from(types.NewJID(official.User, types.DefaultUserServer), text("x")),
		"not to the letter":    from(almost, text("x")),
		"nowhere":              from(types.EmptyJID, text("x")),
		"keys only":            from(official, &waE2E.Message{SenderKeyDistributionMessage: keys()}),
		"keys and their frame": from(official, &waE2E.Message{SenderKeyDistributionMessage: keys(), MessageContextInfo: &waE2E.MessageContextInfo{}}),
	} {
		if r, is := testTranslator().message(evt); is || !reflect.DeepEqual(r, record.Received{}) {
			t.Errorf("%s: a record: %v", name, r)
		}
	}
}

// What was asked for again has come, though it says nothing.
func TestEmptyMessageResent(t *testing.T) {
	evt := from(official, &waE2E.Message{SenderKeyDistributionMessage: keys()})
	evt.RetryCount = 1
	if r, is := testTranslator().message(evt); !is || r.Kind != record.Unsupported || r.Type != "empty" {
		t.Errorf("got %v, %t", r, is)
	}
}

func TestEditFromOurPhoneKeepsItsOwnID(t *testing.T) {
	edit := &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{
		Type: waE2E.ProtocolMessage_MESSAGE_EDIT.Enum(), Key: keyOf(true, ""), EditedMessage: text("new")}}
	evt := from(official, edit)
	evt.SourceWebMsg = &waWeb.WebMessageInfo{Key: &waCommon.MessageKey{ID: proto.String("ID7")}, Message: edit}
	evt.Info.ID, evt.Message = "ID0", text("new") // as ParseWebMessage leaves it
	r, is := testTranslator().message(evt)
	if !is || r.ID != "ID7" || r.Kind != record.Edit || r.Text != "new" || *r.Target != (record.Ref{ID: "ID0", Sender: ann}) {
		t.Errorf("got %v %s %q of %+v", r, r.ID, r.Text, r.Target)
	}
}

func TestDeletionFromOurPhone(t *testing.T) {
	evt := from(official, &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{Type: waE2E.ProtocolMessage_REVOKE.Enum(), Key: keyOf(true, "")}})
	evt.Info.Sender, evt.Info.IsFromMe = annPN, true // as ParseWebMessage gives our own
	r, is := testTranslator().message(evt)
	if !is || r.Kind != record.Deletion || r.Type != record.ByAuthor || r.Target.Sender != r.Sender || r.Sender.JID != ann.Alt || !r.Own {
		t.Errorf("got %v by %+v of %+v", r, r.Sender, r.Target)
	}
}

func TestTranslateGroupChange(t *testing.T) {
	base := func() *events.GroupInfo {
		return &events.GroupInfo{JID: official, Sender: &boLID, SenderPN: &boPN, Timestamp: noon, ParticipantVersionID: "7"}
	}
	by := func(sender *types.JID, f func(*events.GroupInfo)) *events.GroupInfo {
		evt := base()
		evt.Sender, evt.SenderPN = sender, nil
		f(evt)
		return evt
	}
	moved := func(typ record.Type, sender record.Address, who ...record.Address) record.Received {
		return record.Received{Kind: record.Participants, Type: typ, Group: official.String(), Sender: sender,
			Own: sender == ann, Sent: noon.UTC(), Version: "7", Participants: plainly(who...)}
	}
	changed := func(typ record.Type, text string) record.Received {
		return record.Received{Kind: record.Group, Type: typ, Group: official.String(), Sender: bo, Sent: noon.UTC(), Version: "7", Text: text}
	}
	group := record.Address{JID: official.String()}
	for _, tt := range []struct {
		name string
		evt  *events.GroupInfo
		want []record.Received
	}{
		{"added", by(&boLID, func(e *events.GroupInfo) { e.Join = []types.JID{annLID, catLID} }), []record.Received{moved(record.Added, bo, ann, cat)}},
		{"joined by oneself", by(&boLID, func(e *events.GroupInfo) { e.Join = []types.JID{boLID} }), []record.Received{moved(record.Joined, bo, bo)}},
		{"joined by oneself, under the other address", by(&boPN, func(e *events.GroupInfo) { e.Join = []types.JID{boLID} }), []record.Received{moved(record.Joined, bo, bo)}},
		{"joined by link", by(nil, func(e *events.GroupInfo) { e.Join, e.JoinReason = []types.JID{catLID, annLID}, "invite" }),
			[]record.Received{withDetails(moved(record.Joined, group, cat, ann), `{"reason":"invite"}`)}},
		{"added for another reason, and the version before", by(&boLID, func(e *events.GroupInfo) {
			e.Join, e.JoinReason, e.PrevParticipantVersionID = []types.JID{catLID}, "linked_group_join\xff", "6"
		}), []record.Received{withDetails(moved(record.Added, bo, cat), `{"reason":"linked_group_join`+"\uFFFD"+`","previous_version":"6"}`)}},
		{"joined, nobody says how", by(nil, func(e *events.GroupInfo) { e.Join = []types.JID{annLID} }), []record.Received{moved(record.Joined, ann, ann)}},
		{"left", by(&annLID, func(e *events.GroupInfo) { e.Leave = []types.JID{annLID} }), []record.Received{moved(record.Left, ann, ann)}},
		{"removed", by(&boLID, func(e *events.GroupInfo) { e.Leave = []types.JID{catLID} }), []record.Received{moved(record.Removed, bo, cat)}},
		{"removed, nobody says by whom", by(nil, func(e *events.GroupInfo) { e.Leave = []types.JID{catLID, annLID} }), []record.Received{moved(record.Removed, group, cat, ann)}},
		{"both at once", by(&boLID, func(e *events.GroupInfo) { e.Join, e.Leave = []types.JID{annLID}, []types.JID{catLID} }),
			[]record.Received{moved(record.Added, bo, ann), moved(record.Removed, bo, cat)}},
		{"promoted", by(&boLID, func(e *events.GroupInfo) { e.Promote = []types.JID{annLID, catLID} }), []record.Received{moved(record.Promoted, bo, ann, cat)}},
		{"promoted, nobody says whom", by(&boLID, func(e *events.GroupInfo) { e.Promote = []types.JID{{}} }), []record.Received{{Kind: record.Unsupported,
			Type: "group_promote", Group: official.String(), Sender: bo, Sent: noon.UTC(), Version: "7"}}},
		{"demoted, and a name", by(&boLID, func(e *events.GroupInfo) { e.Demote, e.Name = []types.JID{annLID}, &types.GroupName{Name: "New \xff"} }),
			[]record.Received{changed(record.Subject, "New \uFFFD"), moved(record.Demoted, bo, ann)}},
		{"described", by(&boLID, func(e *events.GroupInfo) { e.Topic = &types.GroupTopic{Topic: "For\nbusiness"} }), []record.Received{changed(record.Description, "For\nbusiness")}},
		{"no longer described", by(&boLID, func(e *events.GroupInfo) { e.Topic = &types.GroupTopic{TopicDeleted: true} }), []record.Received{changed(record.Description, "")}},
		{"timer", by(&boLID, func(e *events.GroupInfo) {
			e.Ephemeral = &types.GroupEphemeral{IsEphemeral: true, DisappearingTimer: 86400}
		}), []record.Received{changed(record.Timer, "86400")}},
		{"timer off", by(&boLID, func(e *events.GroupInfo) { e.Ephemeral = &types.GroupEphemeral{DisappearingTimer: 86400} }), []record.Received{changed(record.Timer, "0")}},
		{"another group", &events.GroupInfo{JID: types.NewJID("2", types.GroupServer), Join: []types.JID{annLID}}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := testTranslator().group(tt.evt)
			for i := range got { // what becomes of these: TestGroupChangesAreKept
				got[i].ID, got[i].Protobuf = "", nil
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func withDetails(r record.Received, details string) record.Received {
	r.Details = details
	return r
}

// plainly lists people who are no admins.
func plainly(who ...record.Address) (ps []record.Participant) {
	for _, a := range who {
		ps = append(ps, record.Participant{Address: a})
	}
	return ps
}

func TestUndecryptableCauses(t *testing.T) {
	seen := make(map[string]bool)
	for _, evt := range []*events.UndecryptableMessage{
		{},
		{DecryptFailMode: events.DecryptFailHide},
		{IsUnavailable: true},
	} {
		cause := undecryptable(evt)
		if cause == "" || seen[cause] {
			t.Errorf("%+v: %q", evt, cause)
		}
		seen[cause] = true
	}
}
