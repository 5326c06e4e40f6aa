package main

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"muniment/internal/archive"
	"muniment/internal/config"
	"muniment/internal/journal"
	"muniment/internal/sqlite"
	"muniment/internal/sqlite/sqlitetest"
)

// Status says when the council's phone was last seen, and when that is long ago what to
// do; once it is in use again, or it is too late, no more.
func TestPhoneInStatus(t *testing.T) {
	db, err := sqlitetest.Create(t.Context(), filepath.Join(t.TempDir(), "archive.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	linked := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	day := func(n int) time.Time { return linked.AddDate(0, 0, n) }
	const warning = "Attention  the council's phone has not been seen since 4 December 2026 at 12:00: open WhatsApp on it; after about 14 days WhatsApp unlinks this machine\n"
	for _, step := range []struct {
		name       string
		act        func(*sqlite.Tx) error
		seen, want string
	}{
		{"linked", func(tx *sqlite.Tx) error {
			return errors.Join(archive.Lay(tx, linked, "the test"), journal.Write(tx, journal.Entry{At: linked, Who: journal.Daemon, Act: journal.Linked}))
		}, "1 December 2026 at 12:00", ""},
		{"seen", func(tx *sqlite.Tx) error { return archive.SawPhone(tx, day(3), day(3)) }, "4 December 2026 at 12:00", ""},
		{"earlier, told late", func(tx *sqlite.Tx) error { return archive.SawPhone(tx, day(3), day(2)) }, "4 December 2026 at 12:00", ""},
		{"unseen", func(tx *sqlite.Tx) error { return archive.MissPhone(tx, day(10), day(3), 7) }, "4 December 2026 at 12:00", warning},
		{"and still", func(tx *sqlite.Tx) error { return archive.MissPhone(tx, day(13), day(3), 10) }, "4 December 2026 at 12:00", warning},
		{"earlier, told late again", func(tx *sqlite.Tx) error { return archive.SawPhone(tx, day(13), day(1)) }, "4 December 2026 at 12:00", warning},
		{"back", func(tx *sqlite.Tx) error { return archive.SawPhone(tx, day(14), day(15)) }, "15 December 2026 at 12:00", ""}, // not in the future
		{"unseen again", func(tx *sqlite.Tx) error { return archive.MissPhone(tx, day(21), day(14), 7) }, "15 December 2026 at 12:00",
			strings.Replace(warning, "4 Dec", "15 Dec", 1)},
		{"unlinked", func(tx *sqlite.Tx) error {
			return journal.Write(tx, journal.Entry{At: day(28), Who: journal.Daemon, Act: journal.LinkLost})
		}, "15 December 2026 at 12:00", ""},
	} {
		err := db.Write(t.Context(), func(tx *sqlite.Tx) error {
			if err := step.act(tx); err != nil {
				return err
			}
			var link, attention strings.Builder
			if err := printLink(&link, tx, true); err != nil {
				return err
			}
			if want := "           the council's phone was last seen on " + step.seen + "\n"; !strings.HasSuffix(link.String(), want) {
				t.Errorf("%s: %q, want %q at the end", step.name, link.String(), want)
			}
			err := printAttention(&attention, tx, config.Config{}, true, false)
			if attention.String() != step.want {
				t.Errorf("%s: %q, want %q", step.name, attention.String(), step.want)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
