package whatsapp

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"muniment/internal/content"
	"muniment/internal/record"
	"muniment/internal/standin"
)

var update = flag.Bool("update", false, "write golden files anew")

// golden compares got with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// shown writes what is read of a change, and what is kept of it.
func shown(rs []record.Received) string {
	var b strings.Builder
	for _, r := range rs {
		who := make([]string, len(r.Participants))
		for i, p := range r.Participants {
			who[i] = p.JID
		}
		fmt.Fprintf(&b, "%s %s %q", r.Kind, r.Type, r.Text)
		if len(who) > 0 {
			fmt.Fprintf(&b, " of %s", strings.Join(who, ", "))
		}
		if r.Details != "" {
			fmt.Fprintf(&b, " %s", r.Details)
		}
		fmt.Fprintf(&b, "\n\t%s\n\t%s\n", r.ID, r.Protobuf)
	}
	return b.String()
}

// What becomes of every change of a group that whatsmeow parses: the fields of its event
// are filled by turns, each with a value that says something.
func TestGroupChangesAreReadAndKept(t *testing.T) {
	link := "https://chat.whatsapp.com/x"
	base := events.GroupInfo{JID: official, Sender: &boLID, SenderPN: &boPN, Timestamp: noon}
	parent := types.GroupLinkTarget{JID: types.NewJID("99", types.GroupServer), GroupName: types.GroupName{Name: "Community", NameSetAt: noon}}
	var all []record.Received
	add := func(f func(*events.GroupInfo)) {
		evt := base
		f(&evt)
		rs := testTranslator().group(&evt)
		if diff := cmp.Diff(rs, testTranslator().group(&evt)); diff != "" {
			t.Errorf("the same again is not the same:\n%s", diff)
		}
		all = append(all, rs...)
	}
	add(func(e *events.GroupInfo) {
		e.Name = &types.GroupName{Name: "New name \xff", NameSetAt: noon, NameSetBy: boLID, NameSetByPN: boPN}
	})
	add(func(e *events.GroupInfo) {
		e.Topic = &types.GroupTopic{Topic: "About <us>\nand you", TopicID: "T1", TopicSetBy: boLID, TopicSetAt: noon}
	})
	add(func(e *events.GroupInfo) { e.Topic = &types.GroupTopic{TopicID: "T2", TopicDeleted: true} })
	for _, is := range []bool{true, false} {
		add(func(e *events.GroupInfo) { e.Locked = &types.GroupLocked{IsLocked: is} })
		add(func(e *events.GroupInfo) { e.Announce = &types.GroupAnnounce{IsAnnounce: is, AnnounceVersionID: "7"} })
		add(func(e *events.GroupInfo) {
			e.Ephemeral = &types.GroupEphemeral{IsEphemeral: is, DisappearingTimer: 86400}
		})
	}
	add(func(e *events.GroupInfo) {
		e.MembershipApprovalMode = &types.GroupMembershipApprovalMode{IsJoinApprovalRequired: true}
	})
	add(func(e *events.GroupInfo) { e.Delete = &types.GroupDelete{Deleted: true, DeleteReason: "admin"} })
	for _, kind := range []types.GroupLinkChangeType{types.GroupLinkChangeTypeParent, types.GroupLinkChangeTypeSibling} {
		add(func(e *events.GroupInfo) { e.Link = &types.GroupLinkChange{Type: kind, Group: parent} })
		add(func(e *events.GroupInfo) {
			e.Unlink = &types.GroupLinkChange{Type: kind, UnlinkReason: types.GroupUnlinkReasonDelete, Group: parent}
		})
	}
	add(func(e *events.GroupInfo) { e.NewInviteLink = &link })
	add(func(e *events.GroupInfo) {
		e.Promote, e.PrevParticipantVersionID, e.ParticipantVersionID = []types.JID{annLID, catLID}, "8", "9"
	})
	add(func(e *events.GroupInfo) { e.Demote = []types.JID{annLID} })
	add(func(e *events.GroupInfo) { e.Suspended = true })
	add(func(e *events.GroupInfo) { e.Unsuspended = true })
	for _, n := range []waBinary.Node{
		{Tag: "modify", Content: []waBinary.Node{{Tag: "participant", Attrs: waBinary.Attrs{"jid": types.NewJID("447700900555", types.DefaultUserServer)}}}},
		{Tag: "modify", Content: []waBinary.Node{{Tag: "participant", Attrs: waBinary.Attrs{"jid": catLID, "phone_number": types.NewJID("447700900556", types.DefaultUserServer)}}}},
		{Tag: "modify", Content: []waBinary.Node{{Tag: "participant", Attrs: waBinary.Attrs{"jid": annLID}}, {Tag: "participant", Attrs: waBinary.Attrs{"jid": catLID}}}},
		{Tag: "modify"},
		{Tag: "leave", Content: []waBinary.Node{{Tag: "participant", Attrs: waBinary.Attrs{"jid": catLID}}}},
		{Tag: "Member-Add_mode\n", Attrs: waBinary.Attrs{"b": 2, "a": boLID},
			Content: []waBinary.Node{{Tag: "x", Content: []byte("all")}, {Tag: "y", Content: "text"}, {Tag: "z", Content: []byte{0xff, 0}}}},
	} {
		add(func(e *events.GroupInfo) { e.UnknownChanges = []*waBinary.Node{&n, nil} })
	}
	add(func(*events.GroupInfo) {})
	all = append(all, testTranslator().group(&events.GroupInfo{JID: official, Timestamp: noon})...) // nobody is named
	for _, evt := range []*events.Picture{
		{JID: official, Author: boLID, Timestamp: noon, PictureID: "p"}, {JID: official, Timestamp: noon, Remove: true},
	} {
		if r, is := testTranslator().picture(evt); is {
			all = append(all, r)
		}
	}
	golden(t, "changes.golden", shown(all))

	seen := make(map[string]bool)
	for _, r := range all {
		again, err := content.ReadChange(r.Protobuf)
		again.Own = r.Own
		if diff := cmp.Diff(r, again); diff != "" || err != nil {
			t.Errorf("read again (-first +again), %v:\n%s", err, diff)
		}
		if seen[r.ID] || !json.Valid(r.Protobuf) || r.Sent != noon.UTC() {
			t.Errorf("%s is not of its own, or not whole: %s", r.ID, r.Protobuf)
		}
		seen[r.ID] = true
	}
	if _, is := testTranslator().picture(&events.Picture{JID: boPN}); is {
		t.Error("a person's picture is a record")
	}
}

// Every change through the real client, in groups of either kind.
func TestGroupChangesThroughTheClient(t *testing.T) {
	for _, mode := range []types.AddressingMode{types.AddressingModeLID, types.AddressingModePN} {
		t.Run(string(mode), func(t *testing.T) {
			w := newWorld(t)
			w.group.SetAddressing(mode)
			s := w.linked()
			m := newMemory(t)
			w.run(s, m)
			m.await("the list of those present", func() bool { return len(m.present) == 1 })
			node := func(tag string, attrs waBinary.Attrs, content ...waBinary.Node) waBinary.Node {
				return waBinary.Node{Tag: tag, Attrs: attrs, Content: content}
			}
			group := func() waBinary.Node {
				return node("group", waBinary.Attrs{"jid": types.NewJID("99", types.GroupServer), "subject": "Community", "s_t": 1})
			}
			old := types.NewJID("447700900555", types.DefaultUserServer)
			for _, change := range []waBinary.Node{
				node("locked", nil), node("unlocked", nil),
				node("announcement", waBinary.Attrs{"v_id": "1"}), node("not_announcement", waBinary.Attrs{"v_id": "2"}),
				node("invite", waBinary.Attrs{"code": "x"}),
				node("link", waBinary.Attrs{"link_type": "parent_group"}, group()),
				node("unlink", waBinary.Attrs{"unlink_type": "parent_group", "unlink_reason": "unlink_group"}, group()),
				node("suspended", nil), node("unsuspended", nil),
				node("modify", nil, node("participant", waBinary.Attrs{"jid": old})),
				node("member_add_mode", nil, waBinary.Node{Tag: "x"}),
				node("delete", waBinary.Attrs{"reason": "admin"}),
			} {
				w.bo.In(w.group).Changes(change)
			}
			type read struct {
				record.Kind
				record.Type
				Text string
			}
			var got []read
			rs := m.awaitRecords(12)
			for _, r := range rs {
				got = append(got, read{r.Kind, r.Type, r.Text})
			}
			want := []read{
				{record.Group, record.Editors, "admins"}, {record.Group, record.Editors, "all"},
				{record.Group, record.Writers, "admins"}, {record.Group, record.Writers, "all"},
				{record.Group, record.InviteLink, ""},
				{record.Group, record.Community, "joined"}, {record.Group, record.Community, "left"},
				{record.Group, record.Suspension, "on"}, {record.Group, record.Suspension, "off"},
				{record.Participants, record.Renumbered, ""}, {record.Unsupported, "group_member_add_mode", ""}, {record.Group, record.Closed, ""},
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("records (-want +got):\n%s", diff)
			}
			if who := rs[9].Participants; len(who) != 1 || who[0].JID != old.String() {
				t.Errorf("the old number is of %+v", who)
			}
			m.balance()
			w.receiveOnly()
		})
	}
}

// What a notice does not say is asked for: whether admins let people in, and what
// whatsmeow dropped because something that it expects was missing.
func TestTheListTellsWhatANoticeDoesNot(t *testing.T) {
	for name, tt := range map[string]struct {
		change waBinary.Node
		want   int // records of it
	}{
		"who lets people in":    {waBinary.Node{Tag: "membership_approval_mode", Content: []waBinary.Node{{Tag: "group_join", Attrs: waBinary.Attrs{"state": "on"}}}}, 1},
		"a name without a time": {waBinary.Node{Tag: "subject", Attrs: waBinary.Attrs{"subject": "Whatsmeow drops this"}}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			s := w.linked()
			m := newMemory(t)
			w.run(s, m)
			m.await("the list of those present", func() bool { return len(m.present) == 1 })
			w.ann.Changes(tt.change)
			m.await("the list again", func() bool { return len(m.present) == 2 })
			if len(m.records) != tt.want {
				t.Errorf("%d records, want %d", len(m.records), tt.want)
			}
			d, err := record.ParseDetails(m.present[1].Details)
			want := map[record.Type]string{
				record.Subject: "Official group", record.Description: "", record.Timer: "0", record.Editors: "all",
				record.Writers: "all", record.Approval: "off", record.Suspension: "off",
			}
			if diff := cmp.Diff(want, d.Settings); diff != "" || err != nil {
				t.Errorf("settings (-want +got), %v:\n%s", err, diff)
			}
			m.balance()
			w.receiveOnly("Whatsmeow drops this")
		})
	}
}

// The council's account is removed, by whom and when is told, and once more when WhatsApp
// is asked; and it is back when the list can be had again.
func TestTheOwnAccountIsRemoved(t *testing.T) {
	for _, mode := range []types.AddressingMode{types.AddressingModeLID, types.AddressingModePN} {
		t.Run(string(mode), func(t *testing.T) {
			w := newWorld(t)
			w.group.SetAddressing(mode)
			s := w.linked()
			m := newMemory(t)
			w.run(s, m)
			m.await("the list of those present", func() bool { return len(m.present) == 1 })
			w.council.In(w.group).Promotes(w.ann)
			w.ann.In(w.group).Removes(w.council)
			rs := m.awaitRecords(2)
			m.await("the answer that we are out", func() bool { return len(m.outside) == 2 })
			group := w.group.JID().String()
			want := []outside{
				{group, rs[1].Sent, "The council's account was removed from the group."},
				{group, time.Time{}, "WhatsApp says that the council's account is not in the group."},
			}
			if diff := cmp.Diff(want, m.outside, cmp.AllowUnexported(outside{})); diff != "" {
				t.Errorf("outside (-want +got):\n%s", diff)
			}
			w.ann.In(w.group).Adds(w.council)
			m.await("the list again", func() bool { return len(m.present) == 2 })
			w.council.In(w.group).Leaves(w.group)
			m.await("to be out again", func() bool { return len(m.outside) == 4 })
			if cause := m.outside[2].cause; cause != "The council's account has left the group." {
				t.Errorf("cause %q", cause)
			}
			m.balance()
			w.receiveOnly()
		})
	}
}

// A list that cannot be had is asked for again.
func TestAListIsAskedForUntilItComes(t *testing.T) {
	w := newWorld(t)
	s := w.linked()
	s.askAgain = 100 * time.Millisecond
	m := newMemory(t)
	w.server.Busy(3)
	w.run(s, m)
	m.await("the list of those present", func() bool { return len(m.present) == 1 })
	s.AskList(w.group.JID().String()) // somebody waits for it: it comes though it says nothing new
	m.await("the list again", func() bool { return len(m.present) == 2 })
	m.balance()
	w.receiveOnly()
}

func TestCalls(t *testing.T) {
	for _, mode := range []types.AddressingMode{types.AddressingModeLID, types.AddressingModePN} {
		t.Run(string(mode), func(t *testing.T) {
			w := newWorld(t)
			w.group.SetAddressing(mode)
			s := w.linked()
			m := newMemory(t)
			w.run(s, m)
			m.await("the list of those present", func() bool { return len(m.present) == 1 })
			first := w.ann.In(w.group).Calls(true)
			first.Rings()
			first.Ends()
			second := w.bo.In(w.group).Calls(false)
			w.cat.In(w.works).Calls(true).Ends()
			rs := m.awaitRecords(4)
			m.await("a call out of scope", func() bool { return m.skipped >= 2 })
			address := func(m *standin.Member) record.Address {
				if mode == types.AddressingModePN {
					return record.Address{JID: m.JID().String(), Alt: m.LID().String()}
				}
				return record.Address{JID: m.LID().String(), Alt: m.JID().String()}
			}
			call := func(id string, by record.Address, details string) record.Received {
				return record.Received{Kind: record.Message, Type: record.Call, Group: w.group.JID().String(), ID: id, Sender: by, Details: details}
			}
			want := []record.Received{
				call("call:"+first.ID(), address(w.ann), `{"called":"video"}`),
				call("call:"+first.ID(), address(w.ann), ""), call("call:"+first.ID(), address(w.ann), ""), // the archive knows it by its ID
				call("call:"+second.ID(), address(w.bo), `{"called":"voice"}`),
			}
			if diff := cmp.Diff(want, rs, cmpopts.IgnoreFields(record.Received{}, "Sent")); diff != "" {
				t.Errorf("records (-want +got):\n%s", diff)
			}
			m.balance()
			w.settled()
			w.receiveOnly(first.ID())
		})
	}
}

// Of a call, whatsmeow acknowledges the news whatever we say: it is kept from that, and the
// news comes again.
func TestACallThatCouldNotBeCapturedComesAgain(t *testing.T) {
	breaks(t)
	w := newWorld(t)
	s := w.linked()
	m := newMemory(t)
	failed := false
	m.refuse = func(r record.Received, _ int) error {
		if r.Type == record.Call && !failed {
			failed = true
			return errDisk
		}
		return nil
	}
	w.run(s, m)
	w.ready(m)
	call := w.ann.Calls(false)
	m.await("the failure", func() bool { return m.failed == 1 })
	w.ann.Says("After it.")
	rs := m.awaitRecords(2)
	if !slices.ContainsFunc(rs, func(r record.Received) bool { return r.ID == "call:"+call.ID() }) ||
		!slices.ContainsFunc(rs, func(r record.Received) bool { return r.Text == "After it." }) {
		t.Errorf("records %+v", rs)
	}
	m.balance()
}
