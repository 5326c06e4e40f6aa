package daemon_test

import (
	"slices"
	"syscall"
	"testing"

	waBinary "go.mau.fi/whatsmeow/binary"

	"muniment/internal/archive"
	"muniment/internal/sqlite"
	"muniment/internal/standin"
)

// The daemon is killed as soon as WhatsApp hears anything of a message that cannot be read,
// after which it does not deliver that again. The gap is there, or the record of what was
// to be viewed once.
func TestKilledAsWhatCannotBeReadIsAcknowledged(t *testing.T) {
	w := found(t)
	w.showLogOfFailure()
	for name, say := range map[string]func() *standin.Message{
		"garbled": func() *standin.Message { return w.ann.Garbled().Unhearing().Says("Garbled.") },
		"empty": func() *standin.Message {
			return w.ann.Altered(func(n *waBinary.Node) { n.Content = nil }).Says("Empty.")
		},
		"to be viewed once": func() *standin.Message { return w.ann.Once().SendsImage([]byte("jpeg"), "") },
	} {
		c := w.spawn()
		w.must(w.server.WaitOnline(w.soon()))
		before := len(w.missing())
		said := say()
		w.must(w.server.WaitJournal(w.soon(), func(e standin.Entry) bool { return e.Node.Attrs["id"] == said.ID() }))
		w.must(c.Process.Signal(syscall.SIGKILL))
		_ = c.Wait() // killed: it cannot have ended well
		switch gaps, rs := w.missing(), w.records()[said.ID()]; {
		case said.Once() && len(rs) != 1:
			t.Errorf("%s: %d records", name, len(rs))
		case !said.Once() && len(gaps) != before+1:
			t.Errorf("%s: %d gaps, and %d before", name, len(gaps), before)
		}
	}
	c := w.spawn()
	w.must(w.server.WaitOnline(w.soon()))
	w.ann.Says("After.")
	w.must(w.server.WaitSettled(w.soon()))
	w.must(c.Process.Signal(syscall.SIGTERM))
	w.must(c.Wait())
	w.accounted()
	w.verifies()
	w.onlyReceives()
}

// Twice something arrives that nobody can take apart, and each time is a gap.
func TestWhatCannotBeTakenApart(t *testing.T) {
	if testing.Short() {
		t.Skip("breaks a connection, where whatsmeow has data races of its own")
	}
	w := found(t)
	stop := w.run()
	w.isListed()
	for n := range 2 {
		w.must(w.server.WaitOnline(w.soon()))
		w.server.Stammers()
		w.eventually("the gap", func(tx *sqlite.Tx) (bool, error) {
			gaps, err := archive.Gaps(tx)
			gaps = slices.DeleteFunc(gaps, func(g archive.Gap) bool {
				return g.Kind != archive.NotDelivered || g.Cause != "Something arrived that could not be taken apart."
			})
			return len(gaps) == n+1, err
		})
	}
	stop()
	w.accounted()
	w.verifies()
}
