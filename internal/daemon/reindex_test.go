package daemon_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muniment/internal/archive"
	"muniment/internal/content"
	"muniment/internal/daemon"
	"muniment/internal/journal"
	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
	"muniment/internal/standin"
)

// reindexes reads all records again.
func (w *town) reindexes(check bool) (x daemon.Reindexed) {
	w.t.Helper()
	w.archive(func(db *sqlite.DB) (err error) {
		x, err = daemon.Reindex(w.t.Context(), w.options(), db, "Jo Marsh", "an update", check, nil)
		return err
	})
	return x
}

// capturesUnread captures messages as an older version does that reads none of them.
func (w *town) capturesUnread(messages ...*standin.Message) {
	w.t.Helper()
	w.captures(func(_ *standin.Message, r record.Received) record.Received {
		return record.Received{Kind: record.Unsupported, Type: "oldMessage", Group: r.Group, ID: r.ID, Sender: r.Sender, PushName: r.PushName,
			Own: r.Own, Sent: r.Sent, Quotations: r.Quotations, Protobuf: r.Protobuf}
	}, messages...)
}

// captures captures messages, each as it is made of what would be read.
func (w *town) captures(as func(*standin.Message, record.Received) record.Received, messages ...*standin.Message) {
	w.t.Helper()
	w.archive(func(db *sqlite.DB) error {
		return db.Write(w.t.Context(), func(tx *sqlite.Tx) error {
			a, err := archive.Load(tx, retention.ForYears(6))
			if err != nil {
				return err
			}
			for _, m := range messages {
				who := m.Sender()
				r, is := content.Reader{}.Read(content.Envelope{Group: m.Group().JID().String(), ID: m.ID(), PushName: who.Name(), Sent: m.Time().Truncate(time.Second),
					Sender: record.Address{JID: who.LID().String(), Alt: who.JID().String()}}, m.Content())
				if !is {
					w.t.Fatalf("message %s is no record", m.ID())
				}
				if _, err := a.Capture(tx, time.Now(), as(m, r)); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// What an older version could read nothing of, this one reads as if it had been there:
// the views are the same, and what is delivered once more changes nothing.
func TestReadAgainIsAsReadLive(t *testing.T) {
	if testing.Short() {
		t.Skip("one thing after another, which the race detector watches for long")
	}
	w := found(t)
	live, later := &way{name: "live"}, &way{name: "read later"}
	live.found(w)
	later.found(w)
	stop := w.run()
	w.isListed()
	stop()
	later.sendEverything(w)
	var old []*standin.Message
	onPhonesOnly := map[string]bool{"photo to view once": true, "voice message to view once": true, "disappearing photo to view once": true}
	for _, s := range later.sent {
		if !onPhonesOnly[s.Name] {
			old = append(old, s.Message)
		}
	}
	w.capturesUnread(old...)
	checked := w.reindexes(true)
	if got := w.seen(later.group, later.sent); slices.ContainsFunc(got, func(s seen) bool { return s.Kind != "" && s.Kind != "unsupported" }) {
		t.Fatal("to check has changed something")
	}
	x := w.reindexes(false)
	if diff := cmp.Diff(checked.Unread, x.Unread); diff != "" {
		t.Errorf("cannot be read yet, as checked and as done:\n%s", diff)
	}
	w.verifies()
	if again := w.reindexes(false); len(again.News) > 0 || len(again.Otherwise) > 0 || !maps.Equal(again.Unread, x.Unread) {
		t.Errorf("done again, it reads %v, and %v otherwise", again.News, again.Otherwise)
	}

	before := w.seen(later.group, later.sent)
	stop = w.run() // what waited is delivered once more
	live.sendEverything(w)
	w.must(w.server.WaitSettled(w.soon()))
	stop()
	stop = w.run() // what was tried too early is tried again at each connection
	w.waitKept()
	stop()
	want, after := w.seen(live.group, live.sent), w.seen(later.group, later.sent)
	unread := func(s seen) seen { // they have another name
		if s.Kind == "unsupported" {
			s.Type = ""
		}
		return s
	}
	kinds := map[record.Kind]int64{}
	for i := range want {
		if want[i].Kind != "unsupported" && !onPhonesOnly[want[i].Message] {
			kinds[record.Kind(want[i].Kind)]++
		}
		if diff := cmp.Diff(unread(want[i]), unread(after[i])); diff != "" {
			t.Errorf("%s, not as live:\n%s", want[i].Message, diff)
		}
		before[i].File, after[i].File = "", "" // was not fetched yet
		if !onPhonesOnly[want[i].Message] && before[i].ReplyTo == after[i].ReplyTo && !cmp.Equal(before[i], after[i]) {
			t.Errorf("%s: delivered once more, it is another:\n%s", want[i].Message, cmp.Diff(before[i], after[i]))
		}
	}
	for _, news := range []map[record.Kind]int64{x.News, checked.News} {
		if diff := cmp.Diff(kinds, news); diff != "" || len(x.Otherwise) > 0 || x.Unread["oldMessage"] == 0 {
			t.Errorf("read otherwise: %v; unread: %v; read now, of what is there:\n%s", x.Otherwise, x.Unread, diff)
		}
	}
	w.accounted()
	w.verifies()
	w.onlyReceives()
	if n := len(w.journaled(journal.Reindexed)); n != 2 {
		t.Errorf("reindexed %d times, as the journal says", n)
	}
}

// Changes of a group are read again as messages are; who is in the group now is told by
// the lists, and not by a change of long ago.
func TestChangesOfAGroupReadAgain(t *testing.T) {
	w := found(t)
	stop := w.run()
	w.isListed()
	stop()
	bo := record.Address{JID: w.bo.LID().String(), Alt: w.bo.JID().String()}
	change := func(s content.Stanza, who ...record.Participant) record.Received {
		b := content.Change{Group: w.official.JID().String(), Actor: bo, At: time.Now().Add(-time.Hour).Unix(), Stanza: s, Participants: who}.Encode()
		r, err := content.ReadChange(b)
		w.must(err)
		return r
	}
	subject := change(content.Stanza{Tag: "subject", Attrs: map[string]string{"subject": "Cranford Councillors"}})
	demotion := change(content.Stanza{Tag: "demote"}, record.Participant{Address: record.Address{JID: w.phone.LID().String()}})
	future := change(content.Stanza{Tag: "of_the_future"})
	if subject.Kind != record.Group || demotion.Kind != record.Participants || future.Kind != record.Unsupported {
		t.Fatalf("%s, %s, %s", subject.Kind, demotion.Kind, future.Kind)
	}
	var admins int
	w.archive(func(db *sqlite.DB) error {
		return db.Write(t.Context(), func(tx *sqlite.Tx) error {
			before, err := people.Admins(tx, subject.Group)
			if err != nil {
				return err
			}
			admins = len(before)
			a, err := archive.Load(tx, retention.ForYears(6))
			for _, r := range []record.Received{subject, demotion, future} {
				r.Kind, r.Type, r.Text, r.Details, r.Participants = record.Unsupported, "group_old", "", "", nil
				if err == nil {
					_, err = a.Capture(tx, time.Now(), r)
				}
			}
			return err
		})
	})
	if x := w.reindexes(false); x.News[record.Group] != 1 || x.News[record.Participants] != 1 || x.Unread["group_old"] != 1 || len(x.Otherwise) > 0 {
		t.Errorf("read: %v; not: %v; otherwise: %v", x.News, x.Unread, x.Otherwise)
	}
	if r := w.records()[subject.ID][0]; r.Kind != record.Group || r.Type != record.Subject || r.Text != "Cranford Councillors" {
		t.Errorf("%+v", r)
	}
	if r := w.records()[demotion.ID][0]; r.Type != record.Demoted || len(r.Participants) != 1 {
		t.Errorf("%+v", r)
	}
	w.read(func(tx *sqlite.Tx) error {
		now, err := people.Admins(tx, subject.Group)
		if len(now) != admins || admins == 0 {
			t.Errorf("%d admins; before, %d", len(now), admins)
		}
		return err
	})
	w.verifies()
}
