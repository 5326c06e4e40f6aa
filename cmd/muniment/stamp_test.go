package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"muniment/internal/config"
	"muniment/internal/ledger"
	"muniment/internal/sqlite"
	"muniment/internal/sqlite/sqlitetest"
)

// Where an authority is configured, the status says whether it stamps the ledger.
func TestTimeStampInStatus(t *testing.T) {
	db, err := sqlitetest.Create(t.Context(), filepath.Join(t.TempDir(), "archive.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	path := filepath.Join(t.TempDir(), "ledger.key")
	if err := ledger.NewKey(path, "muniment"); err != nil {
		t.Fatal(err)
	}
	key, err := ledger.LoadKey(path)
	if err != nil {
		t.Fatal(err)
	}
	stampOf := func(made time.Time) func(*sqlite.Tx) error {
		return func(tx *sqlite.Tx) error {
			if _, err := key.Sign(tx, made); err != nil {
				return err
			}
			id, _, _, err := ledger.Unstamped(tx)
			if err != nil {
				return err
			}
			return ledger.KeepStamp(tx, id, []byte("a token"))
		}
	}
	with := config.Config{Ledger: config.Ledger{TimestampURL: "https://time.example"}}
	for _, step := range []struct {
		cfg  config.Config
		do   func(*sqlite.Tx) error
		want string
	}{
		{config.Config{}, nil, ""},
		{with, nil, "Time stamp none yet"},
		{with, stampOf(now().Add(-72 * time.Hour)), "Time stamp NONE since that of"},
		{with, stampOf(now().Add(-time.Hour)), "Time stamp of the ledger as it was on"},
	} {
		if err := db.Write(t.Context(), func(tx *sqlite.Tx) error {
			if step.do != nil {
				if err := step.do(tx); err != nil {
					return err
				}
			}
			var b strings.Builder
			if err := printStamp(&b, tx, step.cfg); err != nil {
				return err
			}
			if got := b.String(); !strings.HasPrefix(got, step.want) || step.want == "" && got != "" {
				t.Errorf("status says %q, want %q", got, step.want)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
}
