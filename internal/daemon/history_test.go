package daemon_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muniment/internal/history"
	"muniment/internal/record"
	"muniment/internal/sqlite"
	"muniment/internal/standin"
)

// pieces returns what the phone has offered, the first first.
func (w *town) pieces() (all []history.Piece) {
	w.t.Helper()
	w.read(func(tx *sqlite.Tx) (err error) {
		all, err = history.Pieces(tx)
		return err
	})
	return all
}

// taken waits until so many pieces of history are done, or lost, and returns all.
func (w *town) taken(n int) []history.Piece {
	w.t.Helper()
	w.eventually(fmt.Sprintf("%d pieces of history", n), func(tx *sqlite.Tx) (bool, error) {
		all, err := history.Pieces(tx)
		over := 0
		for _, p := range all {
			if !p.Finished.IsZero() {
				over++
			}
		}
		return over == n, err
	})
	return w.pieces()
}

// What history cannot have: of each person only the last reaction, vote and response to a
// message; what sealed them; of what was deleted that it was; of what was to be viewed once
// not even that.
func historyLacks(s seen) bool {
	for _, name := range []string{
		"reaction", "reaction changed", "reaction taken back", "sealed reaction", "sealed reaction changed",
		"vote", "vote changed", "response", "response with guests",
		"deleted", "deletion", "deleted by an admin", "deletion by an admin", "deleted photo", "deletion of a photo",
		"photo to view once", "voice message to view once", "disappearing photo to view once",
		"edited in a wrapper", "edit in a wrapper", "sealed edit in a wrapper", "deletion in a wrapper",
	} {
		if s.Message == name {
			return true
		}
	}
	return false
}

// The same messages give the same records, delivered and by history, by LID and by number,
// and whoever sent them; and they are the same when they are read again.
func TestTheCorpusByHistory(t *testing.T) {
	w := found(t)
	live := &way{name: "live"}
	ways := []*way{
		{name: "by history"}, {name: "by history, by number", byNumber: true}, {name: "by history, of the council itself", office: true},
		{name: "now by LID, now by number", changes: true},
	}
	for _, y := range append(ways, live) {
		y.found(w)
	}
	missed := standin.Voice.Missed
	for _, y := range ways {
		y.ann, y.bo = missed, missed
		y.sendEverything(w)
	}
	stop := w.run()
	live.sendEverything(w)
	w.must(w.server.WaitSettled(w.soon()))
	notices := w.phone.OffersHistory(3)
	all := w.taken(len(notices))
	w.waitKept()
	stop()

	known := 0
	for _, p := range all {
		t.Logf("piece %d: %+v", p.Number, p.Count)
		if known += p.Known; p.State != history.Done || p.New == 0 {
			t.Errorf("piece %d: %s (%s), %+v", p.Number, p.State, p.Reason, p.Count)
		}
		if p.File.Path != "" || len(p.File.Key) > 0 {
			t.Errorf("piece %d is done, and where it was is still known", p.Number)
		}
	}
	if known == 0 {
		t.Error("nothing of the group that was delivered was known")
	}
	want := live.seen(w)
	for _, y := range ways {
		if diff := cmp.Diff(comparable(want), comparable(y.seen(w))); diff != "" {
			t.Errorf("%s: not as live:\n%s", y.name, diff)
		}
	}
	w.readsAgain()
	w.accounted()
	w.verifies()
	w.onlyReceives()
}

// comparable leaves out what history cannot have.
func comparable(all []seen) (some []seen) {
	for _, s := range all {
		if historyLacks(s) {
			continue
		}
		for _, name := range []*string{&s.DeletedBy, &s.EditedBy, &s.Amends, &s.ReplyTo} {
			if historyLacks(seen{Message: *name}) {
				*name = ""
			}
		}
		if s.Kind == string(record.Reaction) || s.Kind == string(record.Vote) || s.Kind == string(record.Response) {
			s.Effective = false // of several
		}
		some = append(some, s)
	}
	return some
}
