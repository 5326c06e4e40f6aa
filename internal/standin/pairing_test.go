package standin_test

import (
	"strconv"
	"strings"
	"testing"

	"go.mau.fi/whatsmeow/types/events"
	"go.mau.fi/whatsmeow/util/keys"

	"muniment/internal/standin"
)

func TestPairing(t *testing.T) {
	v, c := found(t, standin.Options{})
	if e := await[*events.PairSuccess](c, nil); e.ID != v.Companion() || e.ID.User != v.council.JID().User || e.ID.Device == 0 {
		t.Errorf("paired as %v, companion is %v", e.ID, v.Companion())
	}
	if err := v.WaitPaired(within(t)); err != nil {
		t.Error(err)
	}
	m := v.ann.Says("The bridge is closed.")
	c.message(m)
	c.settled()
	journal := v.Journal()
	if !strings.Contains(journal[0].String(), "wants to pair") {
		t.Errorf("journal begins with %s", journal[0])
	}
	if last := journal[len(journal)-1]; last.Connection != 2 {
		t.Errorf("last entry came over connection %d, want 2: %s", last.Connection, last)
	}
}

func TestPairingNeedsTheCodeOnTheScreen(t *testing.T) {
	s := start(t, standin.Options{})
	for _, code := range []string{"", "2@nobody,AA==,AA==,AA==", "2@nobody" + strings.Repeat(","+strings.Repeat("A", 43)+"=", 3)} {
		if err := s.Phone().ScanQR(code); err == nil {
			t.Errorf("ScanQR(%q) succeeded", code)
		}
	}
	c := newClient(t, s)
	codes, err := c.GetQRChannel(within(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Connect(); err != nil {
		t.Fatal(err)
	}
	code := (<-codes).Code
	parts := strings.Split(code, ",")
	parts[3] = strings.Repeat("A", 43) + "=" // the secret
	if err := s.Phone().ScanQR(strings.Join(parts, ",")); err == nil || !strings.Contains(err.Error(), "hmac-mismatch") {
		t.Errorf("pairing with a wrong secret: %v, want hmac-mismatch", err)
	}
	await[*events.PairError](c, nil)
	if jid := s.Companion(); !jid.IsEmpty() {
		t.Errorf("companion = %v, want none", jid)
	}
}

func TestLoginAgain(t *testing.T) {
	v, c := found(t, standin.Options{})
	c.settled()
	c.stop()
	if err := v.WaitOffline(within(t)); err != nil {
		t.Fatal(err)
	}
	m := v.ann.Says("While you were out.")
	again := openClient(t, v.Server, c.file)
	again.connect()
	if e := again.message(m); e.Message.GetConversation() != m.Text() {
		t.Errorf("text = %q", e.Message.GetConversation())
	}
	again.settled()
	if e := await[*events.OfflineSyncPreview](again, nil); e.Messages != 1 || e.Total != 1 {
		t.Errorf("preview = %+v", e)
	}
	if e := await[*events.OfflineSyncCompleted](again, nil); e.Count != 1 {
		t.Errorf("completed = %+v", e)
	}
}

func TestRefusedLogins(t *testing.T) {
	for _, tt := range []struct {
		reason int
		comes  func(*client)
		stays  bool // the device stays linked in the client's store
	}{
		{401, func(c *client) { await[*events.LoggedOut](c, nil) }, false},
		{403, func(c *client) { await[*events.LoggedOut](c, nil) }, false},
		{402, func(c *client) { await[*events.TemporaryBan](c, nil) }, true},
		{405, func(c *client) { await[*events.ClientOutdated](c, nil) }, true},
		{503, func(c *client) { await[*events.Disconnected](c, nil) }, true},
	} {
		t.Run(strconv.Itoa(tt.reason), func(t *testing.T) {
			t.Parallel()
			v, c := found(t, standin.Options{})
			v.Refuse(tt.reason)
			v.Drop()
			tt.comes(c)
			if got := c.linkedOnDisk(tt.stays); got != tt.stays {
				t.Errorf("still linked, by its own account: %v, want %v", got, tt.stays)
			}
			if tt.reason == 503 { // the client tries again of itself
				v.Admit()
				m := v.ann.Says("Welcome back.")
				c.message(m)
			}
		})
	}
}

func TestUnlinkedByThePhone(t *testing.T) {
	v, c := found(t, standin.Options{})
	v.council.Unlinks()
	await[*events.LoggedOut](c, nil)
	if !v.Companion().IsEmpty() {
		t.Errorf("companion = %v, want none", v.Companion())
	}
	v.ann.Says("Nobody hears this.")
}

func TestUnlinkedByTheClient(t *testing.T) {
	v, c := found(t, standin.Options{})
	if err := c.Logout(within(t)); err != nil {
		t.Fatal(err)
	}
	if !v.Companion().IsEmpty() {
		t.Errorf("companion = %v, want none", v.Companion())
	}
	again := newClient(t, v.Server)
	again.link()
	m := v.ann.Says("Hello again.")
	again.message(m)
	if outside := v.Journal().Outside(); len(outside) > 0 {
		t.Errorf("client sent what it may not:\n%s", outside)
	}
}

func TestTwoProcessesThrowEachOtherOut(t *testing.T) {
	v, c := found(t, standin.Options{})
	other := openClient(t, v.Server, c.file)
	other.connect()
	await[*events.StreamReplaced](c, nil)
	other.message(v.ann.Says("To the second."))
}

func TestKick(t *testing.T) {
	v, c := found(t, standin.Options{})
	v.Kick("503", "")
	await[*events.Disconnected](c, nil)
	c.message(v.ann.Says("After the restart."))
}

func TestAStrangerIsNotLetIn(t *testing.T) {
	v, c := found(t, standin.Options{})
	c.stop()
	if err := v.WaitOffline(within(t)); err != nil {
		t.Fatal(err)
	}
	other := openClient(t, v.Server, c.file)
	other.Store.NoiseKey = keys.NewKeyPair()
	if err := other.Connect(); err != nil {
		t.Fatal(err)
	}
	await[*events.LoggedOut](other, nil)
}

func TestSeedFixesTheRootKey(t *testing.T) {
	one, two := start(t, standin.Options{}), start(t, standin.Options{})
	if one.RootKey() != two.RootKey() {
		t.Error("one seed, two root keys")
	}
	other, err := standin.Start(standin.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if other.RootKey() == one.RootKey() {
		t.Error("no seed, yet the same root key")
	}
}
