package daemon_test

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	"muniment/internal/archive"
	"muniment/internal/record"
	"muniment/internal/sqlite"
	"muniment/internal/standin"
)

// Thousands of messages have waited, and WhatsApp delivers them all at once, more than
// whatsmeow keeps in order by itself. Several are of one second, so that what WhatsApp
// says of the time does not tell which was first.
func TestThousandsAtOnce(t *testing.T) {
	n := 3500
	if testing.Short() {
		n = 500
	}
	w := foundAt(t, standin.Options{Window: 2 * n})
	w.showLogOfFailure()
	start := time.Now().Add(-time.Hour)
	speakers := []*standin.Member{w.ann, w.bo, w.stranger, w.phone}
	var said []*standin.Message
	for i := range n {
		said = append(said, speakers[i%4].At(start.Add(time.Duration(i)*150*time.Millisecond)).Says(fmt.Sprintf("Message %d.", i)))
	}
	c := w.spawn()
	w.must(w.server.WaitOnline(w.soon()))
	within, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	w.must(w.server.WaitSettled(within))
	w.must(c.Process.Signal(syscall.SIGTERM))
	w.must(c.Wait())

	shown := func(each func(*sqlite.Tx, func(archive.Record) error) error) {
		t.Helper()
		next, inversions := 0, 0
		w.read(func(tx *sqlite.Tx) error {
			return each(tx, func(r archive.Record) error {
				if r.Kind != record.Message {
					return nil
				}
				if next < n && r.ID != said[next].ID() {
					inversions++
				}
				next++
				return nil
			})
		})
		if next != n || inversions != 0 {
			t.Errorf("%d of %d messages shown, %d not in their place", next, n, inversions)
		}
	}
	shown(archive.Each)
	shown(func(tx *sqlite.Tx, f func(archive.Record) error) error {
		return archive.Between(tx, start.Add(-time.Hour), time.Now().Add(time.Hour), f)
	})
	w.accounted()
	w.verifies()
	w.onlyReceives()
}
