package daemon_test

import (
	"strings"
	"testing"
	"time"

	"muniment/internal/archive"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
	"muniment/internal/transcript"
	"muniment/internal/vault"
)

// imports brings the text of an export into the archive.
func (w *town) imports(text string) {
	w.t.Helper()
	e, err := transcript.Read(strings.NewReader(text), int64(len(text)), "WhatsApp Chat with Cranford councillors.txt",
		transcript.Options{Zone: retention.London, Now: time.Now()})
	w.must(err)
	w.archive(func(db *sqlite.DB) error {
		var a *archive.Archive
		if err := db.Read(w.t.Context(), func(tx *sqlite.Tx) (err error) {
			a, err = archive.Load(tx, retention.ForYears(6))
			return err
		}); err != nil {
			return err
		}
		_, err := a.Import(w.t.Context(), archive.Import{
			Export: e, Zone: "Europe/London", Group: w.official.JID().String(), Names: []string{"Cranford councillors"},
			Who: "Jo Marsh", Reason: "minute 26/014", Anyway: true, DB: db, Now: time.Now,
			Lost: func(record.Seq) bool { return false }, Put: w.home().Vault(db).Put, Keep: vault.Keep,
		})
		return err
	})
}

// Whoever sends a message chooses its ID, and can tell which an imported one of his will
// have. Neither does a message under that ID keep his words of before the link out, nor is
// what was imported edited or deleted by it.
func TestAMessageThatBearsTheIDOfAnImportedOne(t *testing.T) {
	const words = "We sell the field before anybody asks."
	export := time.Now().AddDate(0, 0, -30).In(retention.London).Format("02/01/2006, 15:04") + " - Cllr Bo Carter: " + words + "\n"
	imported := func(r archive.Record) bool { return r.Import != 0 && r.Kind == record.Message }
	w := found(t)
	w.imports(export)
	id := w.all(imported)[0].ID
	stop := w.run()
	m := w.bo.In(w.official).Bearing(id).Says("Good morning.")
	w.bo.Edits(m, "Good evening.")
	w.bo.Deletes(m)
	w.must(w.server.WaitSettled(w.soon()))
	stop()
	if rs := w.all(imported); len(rs) != 1 || rs[0].EditedBy != 0 || rs[0].DeletedBy != 0 {
		t.Errorf("imported before: %+v", rs)
	}
	if rs := w.all(func(r archive.Record) bool { return r.Text == "Good morning." }); len(rs) != 1 {
		t.Errorf("what he said under its ID: %+v", rs)
	}
	w.verifies()

	w = found(t)
	stop = w.run()
	w.bo.In(w.official).Bearing(id).Says("Good morning.")
	w.must(w.server.WaitSettled(w.soon()))
	stop()
	w.imports(export)
	if rs := w.all(imported); len(rs) != 1 || rs[0].Text != words {
		t.Errorf("imported after: %+v", rs)
	}
	w.accounted()
	w.verifies()
}
