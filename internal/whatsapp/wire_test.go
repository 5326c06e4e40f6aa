package whatsapp

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"

	"muniment/internal/record"
	"muniment/internal/standin"
)

// without removes an attribute of a stanza.
func without(attr string) func(*waBinary.Node) {
	return func(n *waBinary.Node) { delete(n.Attrs, attr) }
}

// encrypted changes an attribute of the ciphertext of a stanza.
func encrypted(attr string, value any) func(*waBinary.Node) {
	return func(n *waBinary.Node) {
		for _, child := range n.GetChildren() {
			if child.Attrs["type"] == "skmsg" {
				child.Attrs[attr] = value
			}
		}
	}
}

func emptied(n *waBinary.Node) { n.Content = nil }

func withheld(n *waBinary.Node) { n.Content = []waBinary.Node{{Tag: "unavailable"}} }

// broken is a message that is no protobuf of one.
func broken() *waE2E.Message {
	m := &waE2E.Message{Conversation: proto.String("Broken.")}
	m.ProtoReflect().SetUnknown([]byte{0xff})
	return m
}

// unread are the ways in which a message of Ann's can come and not be read, and what is
// said of it.
var unread = map[string]struct {
	send  func(ann standin.Voice) *standin.Message
	cause string
}{
	"garbled": {func(ann standin.Voice) *standin.Message { return ann.Garbled().Unhearing().Says("x") }, "it could not be decrypted"},
	"a garbled reaction": {func(ann standin.Voice) *standin.Message {
		return ann.Garbled().Unhearing().Reacts(ann.Says("First."), "👍")
	}, "it could not be decrypted (a reaction, a vote, an edit or the like)"},
	"without its key": {func(ann standin.Voice) *standin.Message { return ann.Keyless().Unhearing().Says("x") }, "it could not be decrypted"},
	"not available":   {func(ann standin.Voice) *standin.Message { return ann.Altered(withheld).Says("x") }, "WhatsApp delivered it without its content"},
	"empty":           {func(ann standin.Voice) *standin.Message { return ann.Altered(emptied).Says("x") }, "it could not be taken apart"},
	"without a time":  {func(ann standin.Voice) *standin.Message { return ann.Altered(without("t")).Says("x") }, "it could not be taken apart"},
	"no message":      {func(ann standin.Voice) *standin.Message { return ann.Sends(broken()) }, "it could not be taken apart"},
	"encrypted otherwise": {func(ann standin.Voice) *standin.Message { return ann.Altered(encrypted("type", "newmsg")).Says("x") },
		"it is encrypted in a way that this version does not know"},
	"encrypted in another version": {func(ann standin.Voice) *standin.Message { return ann.Unhearing().Altered(encrypted("v", 9)).Says("x") },
		"it is encrypted in a way that this version does not know"},
}

// answers counts what was said to the server of a message.
func (w *world) answers(m *standin.Message) (n int) {
	for _, e := range w.server.Journal() {
		if e.Node.Attrs["id"] == m.ID() {
			n++
		}
	}
	return n
}

// Of a message that cannot be read, nothing is said to WhatsApp before it is on disk that
// there was one: neither by whatsmeow's acknowledgement, nor by its asking for another copy.
func TestNothingIsSettledBeforeItIsAccountedFor(t *testing.T) {
	for name, tt := range unread {
		for _, fault := range []string{"", "failed", "failed, but happened"} {
			t.Run(strings.TrimSuffix(name+", "+fault, ", "), func(t *testing.T) {
				if fault != "" && testing.Short() {
					t.Skip("breaks a connection, where whatsmeow has data races of its own")
				}
				w := newWorld(t)
				s := w.linked()
				m := newMemory(t)
				sent := make(chan *standin.Message, 1)
				tries := 0
				m.overlook = func(x Missed) error {
					said := <-sent
					sent <- said
					if x.Ref.ID != said.ID() || x.Group != w.group.JID().String() || x.Ref.Sender.JID != w.ann.LID().String() || x.Cause != tt.cause {
						t.Errorf("missing: %+v", x)
					}
					if n := w.answers(said); n > 0 {
						t.Errorf("%d answers were given before that was on disk", n)
					}
					if tries++; fault != "" && tries == 1 {
						if fault == "failed, but happened" {
							m.change(func() { m.missing = append(m.missing, missing{}); m.failed-- })
						}
						return errDisk
					}
					return nil
				}
				w.run(s, m)
				w.ready(m)
				w.bo.Says("Before.")
				m.awaitRecords(1)
				said := tt.send(w.ann.Voice)
				sent <- said
				m.await("the missing message", func() bool { return len(m.missing) > 0 && tries > min(len(fault), 1) })
				w.settled()
				w.bo.Says("After.")
				m.await("the next message", func() bool { return slices.Contains(texts(m.records), "After.") })
				if want := 1 + min(len(fault), 1); tries != want {
					t.Errorf("noted %d times, want %d", tries, want)
				}
				m.balance()
				w.receiveOnly()
			})
		}
	}
}

// What bears no ID can be told apart from nothing else.
func TestAMessageWithoutAnID(t *testing.T) {
	w := newWorld(t)
	s := w.linked()
	m := newMemory(t)
	w.run(s, m)
	w.ready(m)
	w.ann.Altered(without("id")).Says("x")
	m.await("the loss", func() bool { return len(m.lost) > 0 })
	w.settled()
	if diff := cmp.Diff([]string{unnamed}, m.lost); diff != "" {
		t.Error(diff)
	}
	m.balance()
	w.receiveOnly()
}

// What comes twice is told from what is encrypted in a way that nobody knows, though
// whatsmeow tells of neither.
func TestADuplicateIsNotMissing(t *testing.T) {
	w := newWorld(t)
	s := w.linked()
	m := newMemory(t)
	w.run(s, m)
	said := w.ann.Says("Once.")
	m.awaitRecords(1)
	w.settled()
	said.Again()
	said.Anew()
	m.awaitRecords(2) // whether it is the same again, the archive knows
	w.settled()
	if len(m.missing)+m.failed > 0 {
		t.Errorf("missing: %+v, failed: %d", m.missing, m.failed)
	}
	m.balance()
}

// notice is a message of the phone's to this device, of no consequence.
func notice() *waE2E.Message {
	return &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{
		Type:                                   waE2E.ProtocolMessage_INITIAL_SECURITY_NOTIFICATION_SETTING_SYNC.Enum(),
		InitialSecurityNotificationSettingSync: &waE2E.InitialSecurityNotificationSettingSync{SecurityNotificationEnabled: proto.Bool(true)},
	}}
}

// whatsmeow says that a message of our own phone's to this device has arrived while it is
// still being handled.
func TestOurPhonesNoticesAreSettledOnceTheyAreHandled(t *testing.T) {
	if testing.Short() {
		t.Skip("breaks a connection, where whatsmeow has data races of its own")
	}
	w := newWorld(t)
	s := w.linked()
	m := newMemory(t)
	w.run(s, m)
	w.ready(m)
	w.settled() // the keys that the phone shared
	tries := 0
	sent := make(chan *standin.Message, 1)
	m.skip = func(context.Context) error {
		said := <-sent
		sent <- said
		time.Sleep(50 * time.Millisecond) // whatsmeow would have said it by then
		if n := w.answers(said); n > 0 {
			t.Errorf("%d answers were given before it was handled", n)
		}
		if tries++; tries == 1 {
			m.change(func() { m.failed++ })
			return errDisk
		}
		return nil
	}
	sent <- w.council.SendsCompanion(notice())
	m.await("the notice", func() bool { return m.skipped > 0 && tries == 2 })
	w.settled()
	m.balance()
	w.receiveOnly()
}

// What our phone sends again, whatsmeow settles whatever the handler says.
func TestWhatOurPhoneSendsAgainIsSettledOnceItIsCaptured(t *testing.T) {
	if testing.Short() {
		t.Skip("breaks a connection, where whatsmeow has data races of its own")
	}
	w := newWorld(t)
	s := w.linked()
	m := newMemory(t)
	w.run(s, m)
	w.ready(m)
	lost := w.ann.Garbled().Unhearing().Says("Garbled on its way.")
	m.await("the missing message", func() bool { return len(m.missing) > 0 })
	w.settled()
	tries := 0
	m.refuse = func(r record.Received, _ int) error {
		if tries++; tries < 3 {
			return errDisk
		}
		return nil
	}
	w.council.Supplies(lost)
	if rs := m.awaitRecords(1); rs[0].Text != "Garbled on its way." || !rs[0].Supplied {
		t.Errorf("captured %+v", rs[0])
	}
	w.settled()
	if n, err := s.Unfinished(w.within()); n != 0 || err != nil {
		t.Errorf("Unfinished = %d, %v", n, err)
	}
	m.balance()
	w.receiveOnly()
}

// Of calls and pictures, whatsmeow does not care whether they were dealt with.
func TestCallsAndPicturesAreSettledOnceTheyAreCaptured(t *testing.T) {
	if testing.Short() {
		t.Skip("breaks a connection, where whatsmeow has data races of its own")
	}
	w := newWorld(t)
	s := w.linked()
	m := newMemory(t)
	w.run(s, m)
	w.ready(m)
	w.settled()
	before := len(w.server.Settled())
	tries := 0
	m.refuse = func(record.Received, int) error {
		if tries++; tries%2 == 1 {
			return errDisk
		}
		if n := len(w.server.Settled()) - before; n != len(m.records) {
			t.Errorf("%d settled, %d captured", n, len(m.records))
		}
		return nil
	}
	w.ann.Calls(true)
	m.awaitRecords(1)
	w.settled()
	w.ann.SetsPicture()
	if rs := m.awaitRecords(2); rs[0].Type != record.Call || rs[1].Type != record.Picture {
		t.Errorf("captured %s, %s", rs[0].Type, rs[1].Type)
	}
	w.settled()
	w.ann.Altered(func(n *waBinary.Node) { delete(n.GetChildren()[0].Attrs, "id") }).SetsPicture() // and this it drops
	if rs := m.awaitRecords(3); rs[2].Type != record.Picture || rs[2].Text != "set" || rs[2].Sender.JID != w.ann.LID().String() {
		t.Errorf("captured %+v", rs[2])
	}
	w.settled()
	if tries != 6 {
		t.Errorf("tried %d times", tries)
	}
	m.balance()
	w.receiveOnly()
}

// Everything here depends on whatsmeow's logging each stanza as a value.
func TestWhatsmeowLogsEachStanza(t *testing.T) {
	w := newWorld(t)
	s := w.linked()
	m := newMemory(t)
	w.run(s, m)
	w.ready(m)
	l := s.listener.Load()
	l.wire.mu.Lock()
	defer l.wire.mu.Unlock()
	if l.wire.connection == 0 || l.wire.logins == 0 {
		t.Errorf("dialled %d times, logged in %d times", l.wire.connection, l.wire.logins)
	}
	if len(l.wire.deliveries) > 0 && w.server.Unsettled() == 0 {
		t.Errorf("what has left is not seen: %v", l.wire.deliveries)
	}
}

// 3,500 messages wait. Beyond 2,048 in its queue, whatsmeow loses their order; one that cannot
// be decrypted has it wait for the server, one that cannot be captured is never settled
// over that connection, and now and then the disk is slow.
func TestALongQueueKeepsItsOrder(t *testing.T) {
	if testing.Short() {
		t.Skip("takes several seconds")
	}
	w := newWorldOf(t, standin.Options{Window: 10_000})
	s := w.linked()
	m := newMemory(t)
	const n = 3500
	const garbled, failing = 700, 3200
	slow := []string{"5", "300", "705"}
	var want []string
	for i := range n {
		text := fmt.Sprint(i)
		switch by := []*standin.Member{w.ann, w.bo}[i%2]; i {
		case garbled:
			by.Garbled().Unhearing().Says(text)
		case failing:
			by.Says(text)
		default:
			by.Says(text)
			want = append(want, text)
		}
	}
	refused := false
	m.refuse = func(r record.Received, _ int) error {
		if slices.Contains(slow, r.Text) {
			time.Sleep(brief + brief/2)
		}
		if r.Text == fmt.Sprint(failing) && !refused {
			refused = true
			return errDisk
		}
		return nil
	}
	w.run(s, m)
	m.await("all messages", func() bool { return len(texts(m.records)) == n-1 && len(m.missing) > 0 })
	w.settled()
	m.mu.Lock()
	got := slices.DeleteFunc(texts(m.records), func(text string) bool { return text == fmt.Sprint(failing) })
	m.mu.Unlock()
	inversions := 0
	for i := range want {
		if got[i] != want[i] {
			inversions++
		}
	}
	if inversions > 0 {
		t.Errorf("%d of %d messages are not in their place", inversions, n)
	}
	m.balance()
}

// What WhatsApp announces is compared with what it delivers.
func TestWhatWasAnnouncedAndDidNotCome(t *testing.T) {
	for name, tt := range map[string]struct {
		overstated int
		want       []string
	}{
		"all came":    {0, nil},
		"two did not": {2, []string{"WhatsApp announced 5 messages and delivered 2. It does not say of which chat they were."}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			s := w.linked()
			s.lull = 50 * time.Millisecond
			m := newMemory(t)
			stop := w.run(s, m)
			w.ready(m)
			w.settled() // the keys that the phone shared
			stop()
			w.log = &output{}
			s.options.Log = slog.New(slog.NewTextHandler(w.log, nil))
			w.server.Overstates(tt.overstated)
			first := w.ann.Says("One.")
			first.Again()
			w.cat.In(w.works).Says("Nobody's business.")
			w.cat.Joins(w.group)
			w.run(s, m)
			for deadline := time.Now().Add(2 * time.Minute); !strings.Contains(w.log.String(), "offline queue delivered"); {
				if time.Sleep(5 * time.Millisecond); time.Now().After(deadline) {
					t.Fatal("nothing was compared")
				}
			}
			w.settled()
			w.ann.Says("After.")
			m.await("the next message", func() bool { return slices.Contains(texts(m.records), "After.") })
			m.await("the loss", func() bool { return len(m.lost) >= len(tt.want) })
			if diff := cmp.Diff(tt.want, m.lost); diff != "" {
				t.Errorf("lost (-want +got):\n%s", diff)
			}
			m.balance()
			w.receiveOnly()
		})
	}
}

// Of a frame that is no stanza, nobody can tell what it was.
func TestAFrameThatIsNoStanza(t *testing.T) {
	if testing.Short() {
		t.Skip("breaks a connection, where whatsmeow has data races of its own")
	}
	w := newWorld(t)
	s := w.linked()
	m := newMemory(t)
	w.run(s, m)
	w.ready(m)
	w.server.Stammers()
	m.await("the loss", func() bool { return len(m.lost) == 1 })
	m.await("another connection", func() bool {
		return len(m.state) >= 3 && m.state[len(m.state)-1] == "connected"
	})
	w.ann.Says("After.")
	m.awaitRecords(1)
	if m.lost[0] != unnamed {
		t.Errorf("told: %q", m.lost[0])
	}
	w.receiveOnly()
}
