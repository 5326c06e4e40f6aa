package standin_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/proto/waHistorySync"
	"go.mau.fi/whatsmeow/proto/waWeb"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"

	"muniment/internal/standin"
)

func TestRedeliveredUntilSettled(t *testing.T) {
	v, c := found(t, standin.Options{})
	c.settled()
	refused := make(chan struct{}, 3)
	c.mu.Lock()
	c.refuse = func(evt any) bool {
		switch evt.(type) {
		case *events.Message, *events.GroupInfo:
			refused <- struct{}{}
			return true
		}
		return false
	}
	c.mu.Unlock()
	first := v.ann.Says("One.")
	v.cy.Joins(v.group)
	second := v.bo.Says("Two.")
	for range 3 {
		<-refused
	}
	if n := v.Unsettled(); n != 3 {
		t.Errorf("%d unsettled, want 3", n)
	}
	c.mu.Lock()
	c.refuse = nil
	c.mu.Unlock()
	v.Drop()
	c.message(first)
	c.message(second)
	await(c, func(e *events.GroupInfo) bool { return len(e.Join) == 1 })
	c.settled()
	if e := all[*events.OfflineSyncPreview](c, nil); len(e) != 2 || e[1].Messages != 2 || e[1].Notifications != 1 {
		t.Errorf("%d previews, the last %+v", len(e), e[len(e)-1])
	}
	var tags []string
	for _, s := range v.Settled()[1:] { // after the keys that the phone shared
		tags = append(tags, s.Tag+" "+s.By)
	}
	if want := []string{"message receipt inactive", "notification ack", "message receipt inactive"}; !slices.Equal(tags, want) {
		t.Errorf("settled: %v, want %v", tags, want)
	}
}

func TestDropLosesNothing(t *testing.T) {
	v, c := found(t, standin.Options{Window: 20})
	const n = 60
	v.DropAfter(17)
	var sent []*standin.Message
	for i := range n {
		sent = append(sent, []*standin.Member{v.ann, v.bo}[i%2].Says(fmt.Sprint(i)))
		if i == n/2 {
			v.Drop()
		}
	}
	c.settled()
	for _, m := range sent {
		if c.message(m).Message.GetConversation() != m.Text() {
			t.Errorf("message %s came with another text", m.Text())
		}
	}
	settled := make(map[string]bool)
	for _, s := range v.Settled() {
		settled[s.ID] = true
	}
	for _, m := range sent {
		if !settled[m.ID()] {
			t.Errorf("message %s is not counted as settled", m.Text())
		}
	}
}

func TestOutage(t *testing.T) {
	v, c := found(t, standin.Options{})
	addr := v.Addr()
	v.Down()
	await[*events.Disconnected](c, nil)
	m := v.ann.Says("Is this thing on?")
	v.Up()
	if v.Addr() != addr {
		t.Errorf("address moved from %s to %s", addr, v.Addr())
	}
	c.message(m)
	c.settled()
}

func TestOutOfOrder(t *testing.T) {
	v, c := found(t, standin.Options{})
	v.ann.Says("So that her key is there.")
	c.settled()
	const n, within = 60, 5
	v.Shuffle(rand.New(rand.NewPCG(1, 1)), within)
	v.Down()
	await[*events.Disconnected](c, nil)
	for i := range n {
		v.ann.Says(strconv.Itoa(i))
	}
	v.Up()
	c.settled()
	var overtaken int
	var seen []int
	for _, e := range c.messages()[1:] {
		i, err := strconv.Atoi(e.Message.GetConversation())
		if err != nil {
			t.Fatal(err)
		}
		for _, before := range seen {
			if before > i {
				overtaken++
			}
			if before > i+within {
				t.Errorf("%d came before %d", before, i)
			}
		}
		seen = append(seen, i)
	}
	if len(seen) != n || overtaken == 0 {
		t.Errorf("%d messages came, overtaken %d times", len(seen), overtaken)
	}
}

func TestDuplicates(t *testing.T) {
	v, c := found(t, standin.Options{})
	m := v.ann.Says("Once.")
	m.Again()
	c.settled()
	n := v.bo.Says("Twice.")
	n.Anew()
	c.message(v.ann.Says("Last."))
	c.settled()
	var texts []string
	for _, e := range c.messages() {
		texts = append(texts, e.Message.GetConversation())
	}
	if want := []string{"Once.", "Twice.", "Twice.", "Last."}; !slices.Equal(texts, want) {
		t.Errorf("texts = %q, want %q", texts, want)
	}
	settled := 0
	for _, s := range v.Settled() {
		if s.ID == m.ID() {
			settled++
		}
	}
	if settled != 2 {
		t.Errorf("both copies of a message count as %d settled", settled)
	}
}

func TestUndecryptableThenResent(t *testing.T) {
	v, c := found(t, standin.Options{})
	c.message(v.ann.Says("Before."))
	for _, tt := range []struct {
		mishap string
		voice  standin.Voice
	}{
		{"garbled", v.ann.Garbled()},
		{"keyless", v.ann.Keyless()},
		{"keyless at first", v.bo.Keyless()},
	} {
		m := tt.voice.Unhearing().Says("A " + tt.mishap + " message.")
		undecryptable := func(e *events.UndecryptableMessage) bool { return e.Info.ID == m.ID() }
		await(c, undecryptable)
		if err := v.WaitJournal(within(t), func(e standin.Entry) bool {
			return e.Kind == "retry receipt" && e.Node.Attrs["id"] == m.ID()
		}); err != nil {
			t.Fatal(err)
		}
		c.settled() // by an ack, although nothing has been read
		if s := v.Settled(); s[len(s)-1].ID != m.ID() || s[len(s)-1].By != "ack" {
			t.Errorf("%s: settled %+v", tt.mishap, s[len(s)-1])
		}
		m.Resend()
		if e := c.message(m); e.Message.GetConversation() != m.Text() || e.RetryCount != 1 {
			t.Errorf("%s: %+v %v", tt.mishap, e.RetryCount, e.Message)
		}
		c.settled()
	}
	self := v.ann.Garbled().Says("Resent without being told.")
	c.message(self)
	direct := v.ann.Garbled().Tells(v.council, "In private.")
	c.message(direct)
	c.message(v.bo.Says("After."))
	c.settled()

	// The client has also asked the council's own phone.
	asked := 0
	for _, e := range v.Journal() {
		if e.Peer.GetProtocolMessage().GetPeerDataOperationRequestMessage().GetPeerDataOperationRequestType() ==
			waE2E.PeerDataOperationRequestType_PLACEHOLDER_MESSAGE_RESEND {
			asked++
		}
	}
	if asked != 5 {
		t.Errorf("the phone was asked for %d messages, want 5", asked)
	}
	if outside := v.Journal().Outside(); len(outside) > 0 {
		t.Errorf("client sent what it may not:\n%s", outside)
	}
}

func TestPreKeysAreUsedUpAndReplenished(t *testing.T) {
	if testing.Short() {
		t.Skip("needs as many senders as the client has prekeys")
	}
	v, c := found(t, standin.Options{})
	const uploaded, enough = 812, 5
	for i := range uploaded - enough + 1 {
		v.Member(fmt.Sprint("Resident ", i), "").Tells(v.council, "Good morning.")
	}
	c.settled()
	v.Drop()
	uploads := 0
	if err := v.WaitJournal(within(t), func(e standin.Entry) bool {
		if e.Kind == "prekeys" && e.Node.Attrs["type"] == "set" {
			uploads++
		}
		return uploads == 2
	}); err != nil {
		t.Error(err)
	}
}

func TestQueriesAboutDevices(t *testing.T) {
	v, c := found(t, standin.Options{})
	v.ann.Elsewhere().Says("I have two devices.")
	devices, err := c.GetUserDevices(within(t), []types.JID{v.ann.LID(), v.council.JID()})
	if err != nil || len(devices) != 4 { // the client itself is one
		t.Errorf("devices: %v, %v", devices, err)
	}
	if outside := v.Journal().Outside(); len(outside) > 0 {
		t.Errorf("client sent what it may not:\n%s", outside)
	}
}

// TestQueueInOrder has a long absence delivered through a small window.
func TestQueueInOrder(t *testing.T) {
	if testing.Short() {
		t.Skip("delivers many messages")
	}
	v, c := found(t, standin.Options{})
	c.stop()
	if err := v.WaitOffline(within(t)); err != nil {
		t.Fatal(err)
	}
	const n = 1500
	for i := range n {
		v.ann.Says(fmt.Sprint(i))
	}
	again := openClient(t, v.Server, c.file)
	again.connect()
	again.settled()
	var texts []string
	for _, e := range again.messages() {
		texts = append(texts, e.Message.GetConversation())
	}
	for i, text := range texts {
		if text != fmt.Sprint(i) {
			t.Fatalf("message %d says %s", i, text)
		}
	}
	if len(texts) != n {
		t.Errorf("%d messages, want %d", len(texts), n)
	}
}

func TestUnknownQueriesAreAnswered(t *testing.T) {
	v, c := found(t, standin.Options{})
	if _, err := c.GetBlocklist(within(t)); err == nil {
		t.Error("blocklist query succeeded")
	}
	if outside := v.Journal().Outside(); len(outside) != 1 {
		t.Errorf("outside: %s", outside)
	}
}

func TestThePhoneSuppliesWhatCouldNotBeRead(t *testing.T) {
	v, c := found(t, standin.Options{})
	m := v.ann.Garbled().Unhearing().Says("Said once only.")
	await(c, func(e *events.UndecryptableMessage) bool { return e.Info.ID == m.ID() })
	if err := v.WaitJournal(within(t), func(e standin.Entry) bool { return e.Kind == "peer message" && e.Peer != nil }); err != nil {
		t.Fatal(err)
	}
	v.council.Supplies(m)
	e := c.message(m)
	if e.Message.GetConversation() != m.Text() || e.UnavailableRequestID == "" || e.Info.Sender.ToNonAD() != v.ann.LID() {
		t.Errorf("supplied: %+v", e)
	}
	c.settled()
}

func TestHistory(t *testing.T) {
	v, c := found(t, standin.Options{})
	v.council.SharesHistory(&waHistorySync.HistorySync{
		SyncType: waHistorySync.HistorySync_RECENT.Enum(),
		Conversations: []*waHistorySync.Conversation{{ID: proto.String(v.group.JID().String()), Messages: []*waHistorySync.HistorySyncMsg{{
			Message: &waWeb.WebMessageInfo{Key: v.ann.Says("Long ago.").Key(v.council), Message: &waE2E.Message{Conversation: proto.String("Long ago.")}},
		}}}},
	})
	e := await[*events.HistorySync](c, nil)
	if got := e.Data.GetConversations()[0].GetMessages()[0].GetMessage().GetMessage().GetConversation(); got != "Long ago." {
		t.Errorf("history says %q", got)
	}
	c.settled()
	if outside := v.Journal().Outside(); len(outside) > 0 {
		t.Errorf("client sent what it may not:\n%s", outside)
	}
}
