package verify_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"muniment/internal/archive"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
	"muniment/internal/transcript"
)

// Whatever somebody does to what is kept of an import is noticed.
func TestAnImportAltered(t *testing.T) {
	for _, tt := range []struct{ name, tamper, want string }{
		{"nothing", "", ""},
		{"the file", "UPDATE import SET digest = randomblob(32)", "import 1 is not what the journal says"},
		{"the zone", "UPDATE import SET zone = 'Europe/Paris'", "import 1 is not what the journal says"},
		{"the unit of its times", "UPDATE import SET unit = 1", "import 1 is not what the journal says"},
		{"who did it", "UPDATE import SET who = 'Cllr Gus Hale'", "import 1 is not what the journal says"},
		{"its note removed", "DELETE FROM import", "import 1 is what records came from, but its note is gone"},
		{"another inserted", "INSERT INTO import (group_jid, digest, zone, unit, who, reason, begun_at) SELECT group_jid, digest, zone, unit, who, reason, begun_at FROM import",
			"import 2 is not in the journal"},
		{"a record of it passed off as received", "UPDATE record SET import = 0", "record 1 is not what was captured"},
		{"a line of the export", "UPDATE record SET protobuf = CAST('02/03/2026, 09:36 - Bo: ' AS BLOB)", "record 1 is not what was captured"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := newVault(t)
			v.now = monday.AddDate(0, 0, 7)
			const text = "02/03/2026, 09:36 - Ann: The culvert at Mill Lane\n"
			e, err := transcript.Read(strings.NewReader(text), int64(len(text)), "WhatsApp Chat with Cranford councillors.txt",
				transcript.Options{Zone: retention.London, Now: v.now})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := v.archive.Import(context.Background(), archive.Import{
				Export: e, Zone: "Europe/London", Group: official, Names: []string{"Cranford councillors"}, Who: "Jo Marsh", Reason: "minute 26/014",
				DB: v.db, Now: func() time.Time { return v.now }, Lost: func(record.Seq) bool { return false },
				Put: func(ctx context.Context, _ []record.File, write func(*sqlite.Tx) error) error {
					return v.db.Write(ctx, write)
				},
			}); err != nil {
				t.Fatal(err)
			}
			if tt.tamper != "" {
				v.tampers(strings.Split(tt.tamper, "; ")...)
			}
			faults := strings.Join(v.verifies().Faults, "; ")
			if !strings.Contains(faults, tt.want) || tt.want == "" && faults != "" {
				t.Errorf("faults %q; want %q", faults, tt.want)
			}
		})
	}
}
