package verify_test

import (
	"compress/gzip"
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"

	"muniment/internal/archive"
	"muniment/internal/ledger"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
)

// An archive that a version before there were seals has written: eight records, two of
// which it destroyed, and a checkpoint. It verifies, goes on, and what is altered in it
// is told.
func TestAnArchiveFromBeforeThereWereSeals(t *testing.T) {
	v := openOld(t, "testdata/before-seals")
	r := v.verifies()
	v.expectFaults(r)
	if r.Records != 6 || r.Stubs != 2 || r.Checkpoints != 2 {
		t.Errorf("report: %+v", r)
	}
	v.captures(says(ann, "A10", "Written since."))
	v.expectFaults(v.verifies())
	v.tampers("UPDATE record SET text = 'All is well.' WHERE seq = 4")
	v.expectFaults(v.verifies(), altered(4))
}

// openOld opens a copy of an archive that was kept from an earlier version.
func openOld(t *testing.T, name string) *vault {
	t.Helper()
	packed, err := os.Open(name + ".db.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	unpacked, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(unpacked)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "archive.db")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	v := &vault{T: t, now: monday.AddDate(8, 0, 0)}
	if v.key, err = ledger.LoadKey(name + ".key"); err != nil {
		t.Fatal(err)
	}
	if v.db, err = sqlite.Open(context.Background(), path); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.db.Close() })
	v.write(func(tx *sqlite.Tx) error {
		v.archive, err = archive.Load(tx, retention.ForYears(6))
		return err
	})
	return v
}
