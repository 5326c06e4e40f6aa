package daemon

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muniment/internal/archive"
	"muniment/internal/journal"
	"muniment/internal/ledger"
	"muniment/internal/sqlite"
)

// After a restore clerk and sysadmin are told every day what has to be done, until somebody
// says that it was.
func TestRestoreIsToldUntilItIsConfirmed(t *testing.T) {
	o := newOffice(t)
	path := filepath.Join(t.TempDir(), "ledger.key")
	o.must(ledger.NewKey(path, "muniment"))
	key, err := ledger.LoadKey(path)
	o.must(err)
	o.must(o.d.db.Write(o.ctx, func(tx *sqlite.Tx) error {
		size, err := ledger.Size(tx)
		if err != nil {
			return err
		}
		last, err := journal.LastID(tx)
		if err != nil {
			return err
		}
		return archive.NoteRestored(tx, key, archive.Restoration{At: o.at, MadeAt: o.at.Add(-30 * time.Hour), Who: "Sam Reed",
			Reason: "the disk failed", Leaves: size, Journal: last}, true)
	}))
	o.passes(time.Minute)
	o.passes(25 * time.Hour)
	o.must(o.d.db.Write(o.ctx, func(tx *sqlite.Tx) error { return archive.ConfirmRestore(tx, o.at, "Jo Marsh", "all entered") }))
	o.passes(time.Minute)
	o.passes(20 * time.Minute)
	want := []string{"raised restored to clerk+it", "reminder restored to clerk+it", "ended restored to clerk+it"}
	told := slices.DeleteFunc(o.told(), func(s string) bool { return strings.Contains(s, "mail-") }) // nothing sends them here
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}
