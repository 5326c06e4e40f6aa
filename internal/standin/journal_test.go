package standin_test

import (
	"strings"
	"testing"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	"muniment/internal/standin"
)

func TestClassify(t *testing.T) {
	own := types.NewJID("447700900000", types.DefaultUserServer)
	ann := types.NewJID("447700900101", types.DefaultUserServer)
	group := types.NewJID("120363000000000001", types.GroupServer)
	type attrs = waBinary.Attrs
	iq := func(xmlns, kind string, content ...waBinary.Node) waBinary.Node {
		return waBinary.Node{Tag: "iq", Attrs: attrs{"xmlns": xmlns, "type": kind, "id": "1"}, Content: content}
	}
	node := func(tag string, a attrs, content ...waBinary.Node) waBinary.Node {
		return waBinary.Node{Tag: tag, Attrs: a, Content: content}
	}
	for _, tt := range []struct {
		kind string // empty if not allowed
		node waBinary.Node
	}{
		{"ack", node("ack", attrs{"class": "message", "to": group})},
		{"inactive receipt", node("receipt", attrs{"type": "inactive", "to": group})},
		{"sender receipt", node("receipt", attrs{"type": "sender", "to": group})},
		{"peer receipt", node("receipt", attrs{"type": "peer_msg", "to": own})},
		{"history receipt", node("receipt", attrs{"type": "hist_sync", "to": own})},
		{"retry receipt", node("receipt", attrs{"type": "retry", "to": group}, node("retry", nil))},
		{"media retry", node("receipt", attrs{"type": "server-error", "to": own}, node("encrypt", nil), node("rmr", nil))},
		{"peer message", node("message", attrs{"category": "peer", "to": own}, node("enc", nil))},
		{"prekeys", iq("encrypt", "get", node("count", nil))},
		{"prekeys", iq("encrypt", "set", node("registration", nil), node("type", nil), node("identity", nil), node("list", nil), node("skey", nil))},
		{"ping", iq("w:p", "get")},
		{"active", iq("passive", "set", node("active", nil))},
		{"app-state read", iq("w:sync:app:state", "set", node("sync", nil, node("collection", attrs{"name": "regular"})))},
		{"group query", iq("w:g2", "get", node("query", attrs{"request": "interactive"}))},
		{"group query", iq("w:g2", "get", node("participating", nil))},
		{"device query", iq("usync", "get", node("usync", nil, node("query", nil, node("devices", nil)), node("list", nil)))},
		{"device query", iq("encrypt", "get", node("key", nil, node("user", nil)))},
		{"media query", iq("w:m", "set", node("media_conn", nil))},
		{"pairing", iq("", "result")},
		{"unlinking", iq("md", "set", node("remove-companion-device", nil))},
		{"unified session", node("ib", nil, node("unified_session", nil))},

		{"", node("message", attrs{"to": group, "type": "text"}, node("enc", nil))},
		{"", node("message", attrs{"to": group, "type": "reaction"}, node("enc", nil))},
		{"", node("message", attrs{"to": ann, "type": "text"}, node("enc", nil))},
		{"", node("message", attrs{"to": ann, "category": "peer"}, node("enc", nil))},
		{"", node("message", attrs{"to": group, "category": "peer"}, node("enc", nil))},
		{"", node("receipt", attrs{"to": group})}, // the second grey tick
		{"", node("receipt", attrs{"type": "read", "to": group})},
		{"", node("receipt", attrs{"type": "read-self", "to": group})},
		{"", node("receipt", attrs{"type": "played", "to": ann})},
		{"", node("receipt", attrs{"type": "server-error", "to": ann})},
		{"", node("presence", attrs{"type": "available"})},
		{"", node("presence", attrs{"type": "unavailable"})},
		{"", node("presence", attrs{"type": "subscribe", "to": ann})},
		{"", node("chatstate", attrs{"to": group}, node("composing", nil))},
		{"", node("call", attrs{"to": ann}, node("reject", nil))},
		{"", iq("passive", "set", node("passive", nil))},
		{"", iq("w:sync:app:state", "set", node("sync", nil, node("collection", attrs{"name": "regular"}, node("patch", nil))))},
		{"", iq("w:g2", "set", node("leave", nil))},
		{"", iq("w:g2", "get", node("invite", nil))},
		{"", iq("w:g2", "get")},
		{"", iq("usync", "get", node("usync", nil, node("query", nil, node("devices", nil), node("status", nil)), node("list", nil)))},
		{"", iq("privacy", "set", node("privacy", nil))},
		{"", iq("blocklist", "get")},
		{"", iq("encrypt", "set", node("rotate", nil))},
		{"", iq("md", "set", node("remove-companion-device", nil), node("other", nil))},
		{"", iq("status", "set", node("status", nil))},
		{"", node("ib", nil, node("unified_session", nil), node("dirty", nil))},
	} {
		if got := standin.Classify(tt.node, own); got != tt.kind {
			t.Errorf("Classify(%s) = %q, want %q", tt.node, got, tt.kind)
		}
	}
	if got := standin.Classify(node("message", attrs{"category": "peer", "to": types.EmptyJID}), types.EmptyJID); got != "" {
		t.Errorf("a peer message before pairing is %q", got)
	}
}

func TestJournalShowsWhatTheClientMayNotSend(t *testing.T) {
	v, c := found(t, standin.Options{})
	ctx := within(t)
	m := c.message(v.ann.Says("The bridge is closed."))
	c.settled()
	if outside := v.Journal().Outside(); len(outside) > 0 {
		t.Fatalf("outside: %s", outside)
	}
	if _, err := c.SendMessage(ctx, v.group.JID(), &waE2E.Message{Conversation: proto.String("Indeed.")}); err != nil {
		t.Error(err)
	}
	if _, err := c.SendMessage(ctx, v.group.JID(), c.BuildReaction(m.Info.Chat, m.Info.Sender, m.Info.ID, "👍")); err != nil {
		t.Error(err)
	}
	c.Store.PushName = "Council"
	if err := c.SendPresence(ctx, types.PresenceAvailable); err != nil {
		t.Error(err)
	}
	if err := c.SendChatPresence(ctx, v.group.JID(), types.ChatPresenceComposing, ""); err != nil {
		t.Error(err)
	}
	if err := v.WaitJournal(ctx, func(e standin.Entry) bool { return e.Node.Tag == "chatstate" }); err != nil {
		t.Fatal(err)
	}
	var tags []string
	for _, e := range v.Journal().Outside() {
		tags = append(tags, e.Node.Tag)
	}
	if got, want := strings.Join(tags, " "), "message message presence chatstate"; got != want {
		t.Errorf("outside: %s, want %s", got, want)
	}
	if s := v.Journal().Outside().String(); strings.Count(s, "\n") != 4 || !strings.Contains(s, "NOT ALLOWED") {
		t.Errorf("rendered:\n%s", s)
	}
}
