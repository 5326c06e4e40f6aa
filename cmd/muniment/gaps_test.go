package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muniment/internal/archive"
	"muniment/internal/config"
	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
	"muniment/internal/sqlite/sqlitetest"
	"muniment/internal/vault"
)

// london returns a time of November 2026 in London, such as "2 09:00".
func london(s string) time.Time {
	t, err := time.ParseInLocation("2006-01-2 15:04", "2026-11-"+s, retention.London)
	if err != nil {
		panic(err)
	}
	return t
}

// gappy makes an archive with a week in which something of each sort goes missing.
func gappy(t *testing.T) *sqlite.DB {
	t.Helper()
	db, err := sqlitetest.Create(t.Context(), filepath.Join(t.TempDir(), "archive.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	const group = "1@g.us"
	ann := record.Address{JID: "100000000000101@lid", Alt: "447700900101@s.whatsapp.net"}
	err = db.Write(t.Context(), func(tx *sqlite.Tx) error {
		if err := archive.Lay(tx, london("2 08:00"), "test"); err != nil {
			return err
		}
		a, err := archive.Load(tx, retention.ForYears(6))
		if err != nil {
			return err
		}
		err = people.AddMember(tx, london("2 08:00"), "Jo Marsh", "test", people.Member{Name: "Cllr Ann Brook", Role: "councillor"}, ann)
		run, begun := archive.BeginIntake(tx, london("2 09:00"))
		err = errors.Join(err, begun)
		capture := func(id, sent string, r record.Received) record.Seq {
			r.Kind, r.Type, r.Group, r.ID, r.Sender, r.Sent = record.Message, record.Text, group, id, ann, london(sent)
			c, failed := a.Capture(tx, r.Sent.Add(time.Second), r)
			err = errors.Join(err, failed)
			return c.Seq
		}
		times := func(kind archive.GapKind, in, from, till, cause string) {
			_, failed := archive.OpenGroupGap(tx, london(from), london(from), kind, in, cause)
			if err = errors.Join(err, failed); till == "" {
				return
			}
			if in == "" {
				err = errors.Join(err, archive.CloseGap(tx, london(till)))
			} else {
				err = errors.Join(err, archive.CloseGroupGap(tx, london(till), kind, in))
			}
		}
		misses := func(id, sent string) {
			err = errors.Join(err, a.MissMessage(tx, london(sent), archive.Missed{Group: group, Ref: record.Ref{ID: id, Sender: ann}, Sent: london(sent), Cause: "it could not be decrypted"}))
		}
		photo := capture("A1", "2 09:03", record.Received{})
		err = errors.Join(err, vault.Want(tx, london("2 09:04"), photo, record.Image, record.File{}))
		times(archive.NotConnected, "", "2 22:00", "3 06:30", "muniment was not running")
		times(archive.NotConnected, "", "4 10:00", "4 10:01", "the network was down")
		times(archive.NotLinked, "", "5 10:00", "5 12:30", "Somebody removed this device on the council's phone.")
		times(archive.NotInGroup, group, "5 14:00", "5 15:00", "Somebody removed the council's account from the group.")
		misses("U1", "6 10:00")
		misses("U2", "6 11:00")
		capture("U2", "6 11:00", record.Received{Supplied: true})
		times(archive.Abandoned, "", "6 02:30", "", "2 messages never delivered again")
		for i := range 5 {
			err = errors.Join(err, archive.Count(tx, london("6 12:00"), run, int64(i+1), archive.WasCaptured))
		}
		for _, day := range []string{"2 23:59", "3 23:59", "4 23:59", "5 23:59", "6 14:00"} {
			err = errors.Join(err, archive.Alive(tx, london(day), run))
		}
		times(archive.NotConnected, "", "6 13:55", "", "The network is down.")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// What `muniment gaps` prints, as the sysadmin sees it and as programs do.
func TestGapsInPlainEnglish(t *testing.T) {
	db := gappy(t)
	one := config.Config{Groups: []config.Group{{JID: "1@g.us", Name: "Cranford councillors"}}}
	two := config.Config{Groups: append(one.Groups, config.Group{JID: "2@g.us", Name: "Officers"})}
	for _, tt := range []struct {
		golden string
		w      wantedGaps
		cfg    config.Config
	}{
		{"gaps.txt", wantedGaps{days: true}, one},
		{"gaps-names.txt", wantedGaps{names: true, all: true, from: "6 November 2026", through: "2026-11-06"}, two},
		{"gaps.json", wantedGaps{names: true, asJSON: true}, two},
	} {
		var b strings.Builder
		err := db.Read(t.Context(), func(tx *sqlite.Tx) error {
			if err := tt.w.check(); err != nil {
				return err
			}
			r, err := tt.w.report(tx, tt.cfg, london("6 14:00"), true)
			if err != nil {
				return err
			}
			if tt.w.asJSON {
				return r.printJSON(&b)
			}
			return r.print(&b, &tt.w)
		})
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("testdata", tt.golden)
		if *update {
			if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), b.String()); diff != "" {
			t.Errorf("%s (-want +got)\n%s", tt.golden, diff)
		}
		for line := range strings.Lines(b.String()) {
			if !tt.w.asJSON && wide(strings.TrimSuffix(line, "\n")) > 100 {
				t.Errorf("%s has a line that is too wide: %s", tt.golden, line)
			}
		}
		if strings.Contains(b.String(), "447700") || strings.Contains(b.String(), "@g.us") || strings.Contains(b.String(), "@lid") {
			t.Errorf("%s has an address", tt.golden)
		}
	}
}
