package whatsapp

import (
	"context"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	"muniment/internal/record"
	"muniment/internal/standin"
)

func TestLinkLeavesEverythingToRun(t *testing.T) {
	w := newWorld(t)
	s := w.open()
	if s.Linked() {
		t.Fatal("linked before linking")
	}
	if err := s.Run(w.within(), Hooks{}); !errors.Is(err, ErrNotLinked) {
		t.Errorf("Run without a link: %v, want ErrNotLinked", err)
	}
	if _, err := s.Groups(w.within()); !errors.Is(err, ErrNotLinked) {
		t.Errorf("Groups without a link: %v, want ErrNotLinked", err)
	}
	if err := s.Link(w.within(), w.scanned()); err != nil {
		t.Fatal(err)
	}
	if !s.Linked() {
		t.Fatal("not linked after linking")
	}
	if err := s.Link(w.within(), w.scanned()); !errors.Is(err, ErrAlreadyLinked) {
		t.Errorf("Link with a link: %v, want ErrAlreadyLinked", err)
	}
	w.ann.Says("Said between link and run.")
	groups, err := s.Groups(w.within())
	if err != nil {
		t.Fatal(err)
	}
	want := []Group{{w.group.JID().String(), "Official group", 3}, {w.works.JID().String(), "Works", 3}}
	if diff := cmp.Diff(want, groups); diff != "" {
		t.Errorf("groups (-want +got):\n%s", diff)
	}
	if n := len(w.server.Settled()); n != 0 {
		t.Errorf("%d stanzas settled while nobody captured: %v", n, w.server.Settled())
	}
	if n, err := s.Unfinished(w.within()); n != 0 || err != nil {
		t.Errorf("Unfinished = %d, %v; nothing may be decrypted while nobody captures", n, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	s = w.open()
	m := newMemory(t)
	w.run(s, m)
	if rs := m.awaitRecords(1); rs[0].Text != "Said between link and run." {
		t.Errorf("captured %q", rs[0].Text)
	}
	w.settled()
	m.balance()
	w.receiveOnly("Said between")
}

func TestLinkIsOnDiskWhenItReturns(t *testing.T) {
	w := newWorld(t)
	s := w.linked()
	if info, err := os.Stat(s.options.Path + "-wal"); err == nil && info.Size() > 0 {
		t.Errorf("the write-ahead log holds %d bytes after linking", info.Size())
	}
	for _, p := range []string{s.options.Path, s.options.KeyPath} {
		if info, err := os.Stat(p); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v", filepath.Base(p), info.Mode(), err)
		}
	}
	if name := w.deviceName(); name != "Council record" {
		t.Errorf("the phone lists this machine as %q", name)
	}
}

// deviceName is what the client called itself when it asked to be linked.
func (w *world) deviceName() string {
	for _, e := range w.server.Journal() {
		if b := e.Payload.GetDevicePairingData().GetDeviceProps(); b != nil {
			return string(b[2:][:len("Council record")]) // field 1, the name
		}
	}
	return ""
}

func TestCapture(t *testing.T) {
	for _, mode := range []string{"LID", "PN"} {
		t.Run(mode, func(t *testing.T) {
			w := newWorld(t)
			address := func(m *standin.Member) record.Address {
				return record.Address{JID: m.LID().String(), Alt: m.JID().String()}
			}
			if mode == "PN" {
				w.group.SetAddressing(types.AddressingModePN)
				address = func(m *standin.Member) record.Address {
					return record.Address{JID: m.JID().String(), Alt: m.LID().String()}
				}
			}
			s := w.linked()
			m := newMemory(t)
			w.run(s, m)
			m.await("the list of those present", func() bool { return len(m.present) == 1 })

			bridge := w.ann.Says("The bridge is closed.")
			reply := w.bo.Replies(bridge, "Since when, @Ann Brook?", w.ann)
			w.bo.Reacts(bridge, "📌")
			w.bo.TakesBack(bridge)
			w.council.Reacts(reply, "👍")
			w.cat.Joins(w.group)
			w.cat.In(w.group).Leaves(w.group)
			w.council.In(w.group).Adds(w.cat)
			w.council.In(w.group).Removes(w.cat)
			poll := w.ann.Polls("When?", "Now", "Later")
			photo := w.bo.SendsImage([]byte("jpeg"), "The bridge")
			minutes := w.ann.SendsDocument("Minutes.pdf", "application/pdf", []byte("%PDF"), "March")
			w.ann.Edits(bridge, "The bridge is open.")
			w.ann.EditsBare(bridge, "The bridge is closed again.")
			w.bo.ForgesEdit(bridge, "There is no bridge.")
			w.ann.Deletes(bridge)
			w.council.Deletes(reply)
			w.bo.ForgesDeletion(bridge)
			w.council.Promotes(w.bo)
			w.council.Demotes(w.bo)
			w.ann.Retitles("The official group")
			w.ann.Describes("For council business.")
			w.ann.Describes("")
			w.ann.SetsTimer(24 * time.Hour)
			w.ann.SetsTimer(0)
			w.cat.In(w.works).Says("Not for the record.")
			w.cat.Tells(w.council, "Nor this.")
			w.settled()

			ann, bo, cat, council := address(w.ann), address(w.bo), address(w.cat), address(w.council)
			r := func(kind record.Kind, typ record.Type, sender record.Address, more record.Received) record.Received {
				more.Kind, more.Type, more.Sender, more.Group = kind, typ, sender, w.group.JID().String()
				return more
			}
			// Mentions are in the sender's text by user part, and in the group's mode.
			mention := ann.JID
			said := "Since when, @" + strings.SplitN(mention, "@", 2)[0] + "?"
			of := record.Ref{ID: bridge.ID(), Sender: ann}
			want := []record.Received{
				r(record.Message, record.Text, ann, record.Received{ID: bridge.ID(), PushName: "Ann Brook", Text: "The bridge is closed."}),
				r(record.Message, record.Text, bo, record.Received{ID: reply.ID(), PushName: "Bo Nott", Text: said, Target: &of,
					Mentions: []string{mention}, Quotations: []record.Quotation{{Of: of, Text: "The bridge is closed."}}}),
				r(record.Reaction, record.ReactionAdded, bo, record.Received{PushName: "Bo Nott", Emoji: "📌", Target: &of}),
				r(record.Reaction, record.ReactionRemoved, bo, record.Received{PushName: "Bo Nott", Target: &of}),
				r(record.Reaction, record.ReactionAdded, council, record.Received{PushName: w.council.Name(), Own: true, Emoji: "👍",
					Target: &record.Ref{ID: reply.ID(), Sender: bo}}),
				r(record.Participants, record.Joined, cat, record.Received{Participants: plainly(cat)}),
				r(record.Participants, record.Left, cat, record.Received{Participants: plainly(cat)}),
				r(record.Participants, record.Added, council, record.Received{Own: true, Participants: plainly(cat)}),
				r(record.Participants, record.Removed, council, record.Received{Own: true, Participants: plainly(cat)}),
				r(record.Message, record.Poll, ann, record.Received{ID: poll.ID(), PushName: "Ann Brook", Text: "When?\nNow\nLater",
					Details: record.Details{Poll: &record.Ballot{Question: "When?", Options: []string{"Now", "Later"}, Choose: 1}}.Encode()}),
				r(record.Message, record.Image, bo, record.Received{ID: photo.ID(), PushName: "Bo Nott", Text: "The bridge", File: file(photo, "", "image/jpeg")}),
				r(record.Message, record.Document, ann, record.Received{ID: minutes.ID(), PushName: "Ann Brook", Text: "March",
					File: file(minutes, "Minutes.pdf", "application/pdf")}),
				r(record.Edit, record.Text, ann, record.Received{PushName: "Ann Brook", Text: "The bridge is open.", Target: &of}),
				r(record.Edit, record.Text, ann, record.Received{PushName: "Ann Brook", Text: "The bridge is closed again.", Target: &of}),
				r(record.Edit, record.Text, bo, record.Received{PushName: "Bo Nott", Text: "There is no bridge.", Target: &of}),
				r(record.Deletion, record.ByAuthor, ann, record.Received{PushName: "Ann Brook", Target: &of}),
				r(record.Deletion, record.ByAdmin, council, record.Received{PushName: w.council.Name(), Own: true,
					Target: &record.Ref{ID: reply.ID(), Sender: bo}}),
				r(record.Deletion, record.ByAdmin, bo, record.Received{PushName: "Bo Nott", Target: &of}),
				r(record.Participants, record.Promoted, council, record.Received{Own: true, Participants: plainly(bo)}),
				r(record.Participants, record.Demoted, council, record.Received{Own: true, Participants: plainly(bo)}),
				r(record.Group, record.Subject, ann, record.Received{Text: "The official group"}),
				r(record.Group, record.Description, ann, record.Received{Text: "For council business."}),
				r(record.Group, record.Description, ann, record.Received{}),
				r(record.Group, record.Timer, ann, record.Received{Text: "86400"}),
				r(record.Group, record.Timer, ann, record.Received{Text: "0"}),
			}
			got := m.awaitRecords(len(want))
			// Without an ID that the test knows, that there is one is enough.
			for i := range got {
				moved := got[i].Kind == record.Participants && got[i].Type != record.Promoted && got[i].Type != record.Demoted
				if (got[i].ID == "") != moved {
					t.Errorf("record %d, %s %s: ID %q", i, got[i].Kind, got[i].Type, got[i].ID)
				}
				if want[min(i, len(want)-1)].ID == "" {
					got[i].ID = ""
				}
				if since := time.Since(got[i].Sent); since < 0 || since > time.Minute || got[i].Sent.Location() != time.UTC {
					t.Errorf("record %d sent at %v", i, got[i].Sent)
				}
				if len(got[i].Protobuf) == 0 && !moved {
					t.Errorf("record %d, %s %s, has no protobuf", i, got[i].Kind, got[i].Type)
				}
			}
			checkVersions(t, got)
			ignore := cmpopts.IgnoreFields(record.Received{}, "Sent", "Protobuf", "Version", "Details")
			if diff := cmp.Diff(want, got, ignore, cmpopts.IgnoreFields(record.Quotation{}, "Protobuf")); diff != "" {
				t.Errorf("records (-want +got):\n%s", diff)
			}
			checkQuotation(t, got[1])
			present := m.present[0]
			all := plainly(council, ann, bo)
			all[0].Admin = true
			if present.Sender.JID != w.council.LID().String() || !present.Own || present.Kind != record.Participants {
				t.Errorf("list of those present: %+v", present)
			}
			if diff := cmp.Diff(all, present.Participants); diff != "" {
				t.Errorf("present (-want +got):\n%s", diff)
			}
			asked, err := s.Participants(w.within(), w.group.JID().String())
			if diff := cmp.Diff(all, asked); diff != "" || err != nil {
				t.Errorf("Participants: %v (-want +got):\n%s", err, diff)
			}
			if err := s.Alive(); err != nil {
				t.Errorf("Alive: %v", err)
			}
			m.await("events out of scope", func() bool { return m.skipped >= 2 })
			m.balance()
			w.receiveOnly("bridge", "record.", "Nor this")
		})
	}
}

// checkVersions checks that each change of participants names the version before it, and
// the reason for which somebody joined.
func checkVersions(t *testing.T, rs []record.Received) {
	t.Helper()
	version := ""
	for i, r := range rs {
		if r.Kind != record.Participants {
			continue
		}
		d, err := record.ParseDetails(r.Details)
		if err != nil || d.Version == "" || version != "" && d.Version != version || r.Version == d.Version {
			t.Errorf("record %d, %s: from version %q to %q after %q, %v", i, r.Type, d.Version, r.Version, version, err)
		}
		version = r.Version
		if invited := r.Type == record.Joined; invited != (d.Reason == "invite") {
			t.Errorf("record %d, %s: reason %q", i, r.Type, d.Reason)
		}
	}
}

// file is what a record says of the file of m.
func file(m *standin.Message, name, mime string) *record.File {
	u := m.Upload()
	return &record.File{Name: name, MIME: mime, Size: int64(u.FileLength), Path: u.DirectPath,
		Key: u.MediaKey, Digest: u.FileSHA256, Sealed: u.FileEncSHA256}
}

func TestAdminsAreToldAgainWhenTheyChange(t *testing.T) {
	if testing.Short() {
		t.Skip("breaks a connection, where whatsmeow has data races of its own")
	}
	w := newWorld(t)
	s := w.linked()
	m := newMemory(t)
	w.run(s, m)
	w.ready(m)
	w.council.Promotes(w.bo)
	m.awaitRecords(1)
	w.server.Drop()
	m.await("another list of those present", func() bool { return len(m.present) > 1 })
	for i, want := range []bool{false, true} {
		if p := m.present[i].Participants[2]; p.JID != w.bo.LID().String() || p.Admin != want {
			t.Errorf("list %d: %+v, want admin %v", i, p, want)
		}
	}
}

// checkQuotation checks where the quoted text is, and where it is not.
func checkQuotation(t *testing.T, r record.Received) {
	t.Helper()
	if strings.Contains(string(r.Protobuf), "The bridge") {
		t.Error("the reply's protobuf still quotes")
	}
	var c waE2E.ContextInfo
	if err := proto.Unmarshal(r.Quotations[0].Protobuf, &c); err != nil {
		t.Fatal(err)
	}
	if c.GetStanzaID() != r.Target.ID || c.GetQuotedMessage().GetConversation() != "The bridge is closed." {
		t.Errorf("quotation's protobuf: %v", &c)
	}
}

func TestOtherChatsLeaveNoTrace(t *testing.T) {
	w := newWorld(t)
	s := w.linked()
	m := newMemory(t)
	var canaries []string
	searched := make(chan struct{}, 100)
	m.skip = func(context.Context) error { // the message is in the buffer at this moment
		w.search(canaries)
		searched <- struct{}{}
		return nil
	}
	m.refuse = func(record.Received, int) error {
		w.search(canaries)
		return nil
	}
	canary := func(s string) string {
		s = "canary " + s + " 7d4f2c91"
		canaries = append(canaries, s)
		return s
	}
	dm, other, listed := canary("direct"), canary("other group"), canary("listed")
	canaries = append(canaries, "Cat Hill") // her push name
	w.run(s, m)
	m.await("the list of those present", func() bool { return len(m.present) == 1 })

	w.cat.Tells(w.council, dm)
	w.cat.In(w.works).Says(other)
	w.ann.Says(listed)
	w.settled()
	m.awaitRecords(1)
	m.await("events out of scope", func() bool { return m.skipped >= 2 })
	if len(searched) < 2 {
		t.Errorf("searched %d times in the act", len(searched))
	}
	w.search(canaries) // the program has not ended: as after a kill

	if err := s.ScrubBuffer(w.within()); err != nil {
		t.Error(err)
	}
	w.search(canaries)
	w.receiveOnly(canaries...)
}

// search looks for texts in every file of the state directory.
func (w *world) search(texts []string) {
	files, err := filepath.Glob(filepath.Join(w.dir, "*"))
	if err != nil || len(files) < 2 {
		w.t.Errorf("files: %v, %v", files, err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			w.t.Error(err)
		}
		for _, s := range texts {
			for _, form := range forms(s) {
				if strings.Contains(string(b), form) {
					w.t.Errorf("%s holds %q", filepath.Base(f), s)
				}
			}
		}
	}
}

// forms are the text raw, in UTF-16, and in base64 at each of three offsets.
func forms(s string) []string {
	var little []byte
	for _, u := range utf16.Encode([]rune(s)) {
		little = append(little, byte(u), byte(u>>8))
	}
	all := []string{s, string(little), string(little[1:])}
	for i := range 3 {
		padded := strings.Repeat("\x00", i) + s
		enc := base64.StdEncoding.EncodeToString([]byte(padded))
		all = append(all, enc[(i*8+5)/6:len(padded)*8/6]) // what depends on s alone
	}
	return all
}

func TestFailedCaptureIsDeliveredAgain(t *testing.T) {
	for name, fail := range map[string]func(r record.Received, nth int) error{
		"error": func(_ record.Received, nth int) error {
			if nth == 2 || nth == 5 {
				return errDisk
			}
			return nil
		},
		"panic": func(_ record.Received, nth int) error {
			if nth == 2 || nth == 5 {
				panic("secret of Ann Brook")
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			s := w.linked()
			m := newMemory(t)
			m.refuse = fail
			w.run(s, m)
			w.ready(m)
			var want []string
			for _, text := range strings.Fields("one two three four five six") {
				w.ann.Says(text)
				want = append(want, text)
			}
			w.settled()
			m.await("all texts", func() bool { return len(texts(m.records)) == len(want) })
			got := texts(m.records)
			slices.Sort(got)
			slices.Sort(want)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("texts (-want +got):\n%s", diff)
			}
			if n, err := s.Unfinished(w.within()); n != 0 || err != nil {
				t.Errorf("Unfinished = %d, %v", n, err)
			}
			m.balance()
			w.receiveOnly("secret")
			if !strings.Contains(w.log.String(), map[string]string{"error": "disk full", "panic": "type=string"}[name]) {
				t.Errorf("the log does not tell:\n%s", w.log)
			}
		})
	}
}

// texts lists what was said, once each: delivery is at least once.
func texts(rs []record.Received) (all []string) {
	for _, r := range rs {
		if r.Text != "" && !slices.Contains(all, r.Text) {
			all = append(all, r.Text)
		}
	}
	return all
}

func TestBrokenConnectionLosesNothing(t *testing.T) {
	w := newWorld(t)
	s := w.linked()
	m := newMemory(t)
	w.run(s, m)
	w.ready(m)
	const n = 60
	for i := range n {
		if i == 10 || i == 40 {
			m.await("connection", func() bool { return m.state[len(m.state)-1] == "connected" })
			w.server.DropAfter(5)
		}
		w.ann.Says(strings.Repeat("x", i+1))
		if i == 20 { // the first drop has come, or comes with what is under way
			m.await("interruption", func() bool { return len(m.state) > 1 })
		}
	}
	w.settled()
	m.await("all texts", func() bool { return len(texts(m.records)) == n })
	m.balance()
	m.await("reconnection", func() bool {
		return slices.Contains(m.state, "disconnected: The connection to WhatsApp was interrupted.") && m.state[len(m.state)-1] == "connected"
	})
	w.receiveOnly()
}

func TestUndecryptableMessageIsMissingUntilItComes(t *testing.T) {
	w := newWorld(t)
	s := w.linked()
	m := newMemory(t)
	w.run(s, m)
	w.ann.Says("First.")
	m.awaitRecords(1)
	lost := w.ann.Garbled().Unhearing().Says("Garbled on its way.")
	w.cat.In(w.works).Garbled().Unhearing().Says("Nobody's business.")
	m.await("a missing message", func() bool { return len(m.missing) > 0 && m.skipped > 0 })
	want := missing{
		group: w.group.JID().String(),
		ref:   record.Ref{ID: lost.ID(), Sender: record.Address{JID: w.ann.LID().String(), Alt: w.ann.JID().String()}},
		cause: "it could not be decrypted",
	}
	if got := m.missing[0]; got != want {
		t.Errorf("missing %+v, want %+v", got, want)
	}
	lost.Resend()
	if rs := m.awaitRecords(2); rs[1].ID != lost.ID() || rs[1].Text != "Garbled on its way." {
		t.Errorf("captured %q as %s", rs[1].Text, rs[1].ID)
	}
	w.settled()
	m.balance()
	w.receiveOnly("Garbled", "Nobody's")
}

// The connection breaks while the sender is about to be asked for another copy: he is
// asked over the next one, and the message is not acknowledged before.
func TestTheSenderIsAskedBeforeAMessageIsAcknowledged(t *testing.T) {
	w := newWorld(t)
	s := w.linked()
	m := newMemory(t)
	logins := func() (n int) {
		for _, e := range w.server.Journal() {
			if e.Kind == "login" {
				n++
			}
		}
		return n
	}
	var once sync.Once
	m.overlook = func(Missed) error { // the request is about to leave
		once.Do(func() {
			before := logins()
			w.server.Drop()
			for begun := time.Now(); logins() == before && time.Since(begun) < 10*time.Second; {
				time.Sleep(100 * time.Microsecond) // it must go on before WhatsApp delivers again
			}
			time.Sleep(300 * time.Microsecond)
		})
		return nil
	}
	w.run(s, m)
	w.ready(m)
	w.ann.Says("First.")
	m.awaitRecords(1)
	lost := w.ann.Garbled().Says("Garbled on its way.")
	if rs := m.awaitRecords(2); rs[1].ID != lost.ID() || rs[1].Text != "Garbled on its way." {
		t.Errorf("captured %q", rs[1].Text)
	}
	w.settled()
	w.receiveOnly("Garbled")
}

// WhatsApp keeps from linked devices what is to be viewed once: that it was sent is all
// that there is to have, and nothing is missing.
func TestViewOnceIsARecord(t *testing.T) {
	w := newWorld(t)
	s := w.linked()
	m := newMemory(t)
	m.refuse = func(_ record.Received, nth int) error {
		if nth == 1 {
			return errDisk
		}
		return nil
	}
	w.run(s, m)
	w.ready(m)
	sent := w.ann.Once().SendsImage([]byte("jpeg"), "Only for you")
	w.cat.In(w.works).Once().SendsImage([]byte("jpeg"), "Nobody's business")
	w.bo.Says("What was that?") // what could not be captured is, before the next event
	rs := m.awaitRecords(2)
	want := record.Received{Kind: record.Message, Type: record.ViewOnce, Group: w.group.JID().String(), ID: sent.ID(), PushName: "Ann Brook",
		Sender: record.Address{JID: w.ann.LID().String(), Alt: w.ann.JID().String()}}
	if diff := cmp.Diff(want, rs[0], cmpopts.IgnoreFields(record.Received{}, "Sent")); diff != "" || rs[0].Sent.IsZero() {
		t.Errorf("(-want +got):\n%s", diff)
	}
	m.await("the other to be skipped", func() bool { return m.skipped > 0 })
	if len(m.missing) > 0 {
		t.Errorf("missing: %+v", m.missing)
	}
	w.settled()
	m.balance()
	w.receiveOnly("Only for you", "Nobody's")
}

func TestLostLinkIsToldAndDoesNotEndRun(t *testing.T) {
	for _, tt := range []struct {
		name  string
		lose  func(s *standin.Server)
		cause string
	}{
		{"unlinked on the phone", func(s *standin.Server) { s.Phone().Unlinks() }, "removed from the linked devices"},
		{"removed", func(s *standin.Server) { s.Kick("401", "device_removed") }, "removed from the linked devices"},
		{"locked", func(s *standin.Server) { s.Refuse(403); s.Drop() }, "locked the council's account"},
		{"banned for good", func(s *standin.Server) { s.Refuse(406); s.Drop() }, "banned or logged out"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			s := w.linked()
			m := newMemory(t)
			w.run(s, m)
			w.ready(m)
			tt.lose(w.server)
			m.await("loss", func() bool { return strings.HasPrefix(m.state[len(m.state)-1], "lost: ") })
			if got := m.state[len(m.state)-1]; !strings.Contains(got, tt.cause) {
				t.Errorf("told %q, want %q in it", got, tt.cause)
			}
			if err := s.Alive(); err != nil {
				t.Errorf("Alive: %v", err)
			}
			for deadline := time.Now().Add(time.Minute); s.Linked() && time.Now().Before(deadline); {
				s.Unfinished(w.within()) // goes through the same database
			}
			if s.Linked() {
				t.Error("still linked")
			}
			w.receiveOnly()
		})
	}
}

func TestLinkAgainAfterALoss(t *testing.T) {
	w := newWorld(t)
	s := w.linked()
	m := newMemory(t)
	stop := w.run(s, m)
	w.ready(m)
	w.council.Unlinks()
	m.await("loss", func() bool { return strings.HasPrefix(m.state[len(m.state)-1], "lost: ") })
	stop()
	for deadline := time.Now().Add(time.Minute); s.Linked() && time.Now().Before(deadline); {
		s.Unfinished(w.within())
	}
	if err := s.Link(w.within(), w.scanned()); err != nil {
		t.Fatal(err)
	}
	w.run(s, m)
	w.ann.Says("Here again.")
	m.awaitRecords(1)
	w.search([]string{"Ann Brook"})
}

func TestServerUnreachableAtFirst(t *testing.T) {
	w := newWorld(t)
	s := w.linked()
	w.server.Down()
	m := newMemory(t)
	w.run(s, m)
	m.await("the bad news", func() bool { return len(m.state) == 1 && strings.HasPrefix(m.state[0], "disconnected: ") })
	w.ann.Says("Said while down.")
	w.server.Up()
	m.awaitRecords(1)
}

func TestStopAbortsACaptureThatHangs(t *testing.T) {
	if testing.Short() {
		t.Skip("waits out the grace period")
	}
	w := newWorld(t)
	s := w.linked()
	m := newMemory(t)
	hanging := make(chan struct{})
	h := m.hooks()
	h.Capture = func(ctx context.Context, r record.Received) error {
		if r.Type != record.Text {
			return nil
		}
		close(hanging)
		<-ctx.Done()
		return ctx.Err()
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, h) }()
	w.ann.Says("Must not be lost.")
	<-hanging
	began := time.Now()
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if d := time.Since(began); d > 2*grace {
		t.Errorf("Run took %v to end", d)
	}
	if n, err := s.Unfinished(w.within()); n != 1 || err != nil {
		t.Errorf("Unfinished = %d, %v, want 1", n, err)
	}
	if w.server.Unsettled() == 0 {
		t.Error("the message was settled though it was not captured")
	}
	w.run(s, m)
	if rs := m.awaitRecords(1); rs[0].Text != "Must not be lost." {
		t.Errorf("captured %q", rs[0].Text)
	}
}
