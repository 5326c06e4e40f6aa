package daemon_test

import (
	"database/sql"
	"testing"
	"time"

	"muniment/internal/archive"
	"muniment/internal/daemon"
	"muniment/internal/sqlite"
)

// What was said while this machine was not linked is missing for good, and the
// record never says otherwise.
func TestWhatWasSaidWithoutALinkIsMissing(t *testing.T) {
	breaksConnections(t)
	w := found(t)
	stop := w.run()
	w.ann.Says("Before the link was lost.")
	w.must(w.server.WaitSettled(w.soon()))
	w.phone.Unlinks()
	w.must(w.server.WaitOffline(w.soon()))
	stop()
	missed := w.ann.Says("While nobody was linked.")
	w.relink()
	stop = w.run()
	after := w.ann.Says("After.")
	w.must(w.server.WaitSettled(w.soon()))
	stop()
	records := w.records()
	if len(records[missed.ID()]) != 0 || len(records[after.ID()]) != 1 {
		t.Errorf("captured without a link: %d, after it: %d", len(records[missed.ID()]), len(records[after.ID()]))
	}
	w.read(func(tx *sqlite.Tx) error {
		gaps, err := archive.Gaps(tx)
		lost := 0
		for _, g := range gaps {
			if g.Kind == archive.NotLinked {
				lost++
			}
			if g.Closed.IsZero() {
				t.Errorf("%q is still open", g.Kind)
			}
		}
		if lost != 1 {
			t.Errorf("%d gaps say that something is missing for good; want 1: %+v", lost, gaps)
		}
		return err
	})
	w.verifies()
}

// relink links this machine again.
func (w *town) relink() {
	w.t.Helper()
	link, err := daemon.OpenLink(w.t.Context(), w.options())
	w.must(err)
	w.must(link.Pair(w.t.Context(), w.scanned()))
	w.must(link.Close())
}

// A message was decrypted, but the machine failed before it was captured, and was
// off for weeks. When WhatsApp delivers it again, it is captured.
func TestDecryptedBeforeALongAbsence(t *testing.T) {
	breaksConnections(t)
	w := found(t)
	stop := w.run()
	w.ann.Says("So that the next one needs no key.")
	w.must(w.server.WaitSettled(w.soon()))
	unlock := w.lockArchive()
	late := w.ann.Says("Decrypted, and not captured.")
	for w.unfinished(0) == 0 {
		time.Sleep(10 * time.Millisecond) // whatsmeow's database tells nobody
	}
	go func() { time.Sleep(time.Second); unlock() }() // the power cut: nothing of it is captured
	w.server.Down()
	stop()
	if len(w.records()[late.ID()]) == 0 { // else it was quicker than the cut
		w.unfinished(16 * 24 * time.Hour)
	}
	w.server.Up()
	stop = w.run()
	w.must(w.server.WaitSettled(w.soon()))
	stop()
	if n := len(w.records()[late.ID()]); n != 1 {
		t.Errorf("captured %d times", n)
	}
}

// lockArchive takes the archive's write lock, as another process might.
func (w *town) lockArchive() (unlock func()) {
	w.t.Helper()
	db, err := sql.Open("sqlite", "file:"+w.path("state/archive.db")+"?_txlock=immediate&_pragma=busy_timeout(5000)")
	w.must(err)
	tx, err := db.Begin()
	w.must(err)
	return func() {
		tx.Rollback()
		db.Close()
	}
}

// unfinished counts the messages that were decrypted and not captured, and makes
// them older.
func (w *town) unfinished(older time.Duration) int64 {
	w.t.Helper()
	db, err := sql.Open("sqlite", "file:"+w.path("state/session.db")+"?_pragma=busy_timeout(5000)")
	w.must(err)
	defer db.Close()
	res, err := db.Exec("UPDATE whatsmeow_event_buffer SET insert_timestamp = insert_timestamp - ? WHERE plaintext IS NOT NULL", older.Milliseconds())
	w.must(err)
	n, err := res.RowsAffected()
	w.must(err)
	return n
}

// Another process holds the archive's lock for longer than anybody should. Told
// to stop, the daemon still stops within the ten seconds it has.
func TestStopsWhileTheArchiveIsLocked(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for locks")
	}
	w := found(t)
	stop := w.run()
	unlock := w.lockArchive()
	defer unlock()
	w.ann.Says("This one has to wait.")
	for w.unfinished(0) == 0 {
		time.Sleep(10 * time.Millisecond)
	}
	begin := time.Now()
	w.expectUncleanStop = true
	stop()
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("it took %s to stop", took)
	}
}
