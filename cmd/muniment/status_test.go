package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"muniment/internal/archive"
	"muniment/internal/config"
	"muniment/internal/journal"
	"muniment/internal/people"
	"muniment/internal/sqlite"
	"muniment/internal/sqlite/sqlitetest"
)

func TestAttentionInPlainEnglish(t *testing.T) {
	noon := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		of   archive.Attention
		want string
	}{
		{archive.Attention{}, ""},
		{archive.Attention{Strangers: []people.ID{1}}, "1 person is in the group, and not on the register: `muniment member list --strangers`"},
		{archive.Attention{Strangers: []people.ID{1, 2}, Admins: 1}, "2 people are in the group, and not on the register (1 admin): `muniment member list --strangers`"},
		{archive.Attention{Former: []people.ID{1}}, "1 person is in the group, and not in office: `muniment member list`"},
		{archive.Attention{Outside: noon}, "the council's account has not been in the group since 2 March 2026 at 12:00: what is sent there is not recorded"},
		{archive.Attention{Timer: 7 * 24 * 60 * 60, TimerSince: noon}, "messages in the group disappear from phones after 7 days, since 2 March 2026 at 12:00"},
		{archive.Attention{ViewOnce: 2}, "2 messages to be viewed once in the group in the last 30 days: what they show is not recorded"},
		{archive.Attention{Strangers: []people.ID{1}, Outside: noon, ViewOnce: 1},
			"the council's account has not been in the group since 2 March 2026 at 12:00: what is sent there is not recorded\n" +
				"1 person is in the group, and not on the register: `muniment member list --strangers`\n" +
				"1 message to be viewed once in the group in the last 30 days: what they show is not recorded"},
	} {
		if got := strings.Join(attention(tt.of, "the group"), "\n"); got != tt.want {
			t.Errorf("%+v is\n%s\nwant\n%s", tt.of, got, tt.want)
		}
	}
}

// That files wait for room on the disk is shown as long as they do.
func TestFilesThatWaitInStatus(t *testing.T) {
	db, err := sqlitetest.Create(t.Context(), filepath.Join(t.TempDir(), "archive.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	noon := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	low := "the disk is nearly full since 2 March 2026 at 12:00: photos and files wait, messages are still recorded; make room"
	for _, step := range []struct {
		act           journal.Act
		running, full bool
		want          string
	}{
		{journal.Started, false, false, ""},
		{journal.DiskLow, false, false, low},
		{journal.DiskLow, false, true, "the disk is full: nothing can be recorded; WhatsApp keeps what is sent and will deliver it again; make room"},
		{journal.DiskLow, true, true, "the archive cannot be written to since 2 March 2026 at 12:00: the disk is full; " +
			"WhatsApp keeps what is sent and will deliver it again; make room"},
		{journal.DiskLow, true, false, "nothing has been written to the archive since 2 March 2026 at 12:00, see the log of the service; " +
			"WhatsApp keeps what is sent and will deliver it again\n" + low},
		{journal.DiskEnough, false, false, ""},
	} {
		err := db.Write(t.Context(), func(tx *sqlite.Tx) error {
			if _, err := archive.BeginIntake(tx, noon); err != nil {
				return err
			}
			if err := journal.Write(tx, journal.Entry{At: noon, Who: journal.Daemon, Act: step.act}); err != nil {
				return err
			}
			lines, err := diskAttention(tx, step.running, step.full)
			if got := strings.Join(lines, "\n"); got != step.want {
				t.Errorf("after %q:\n%s\nwant\n%s", step.act, got, step.want)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// Status says in two lines what is missing; of a group that is not in the configuration any
// more, too.
func TestGapsInStatus(t *testing.T) {
	db := gappy(t)
	for _, tt := range []struct {
		at      string
		running bool
		want    string
	}{
		{"6 14:00", true, "Gaps       3 open, 5 closed: see `muniment gaps`\n" +
			"           1 message, others of unknown number and 3 hours 30 minutes are known to be missing. What\n" +
			"           was sent since Friday 6 November 2026 at 13:55 has not been received yet.\n"},
		{"6 18:00", false, "Gaps       3 open, 5 closed: see `muniment gaps`\n" +
			"           1 message, others of unknown number and 3 hours 30 minutes are known to be missing. What\n" +
			"           was sent since Friday 6 November 2026 at 13:55 has not been received yet. Muniment was\n" +
			"           last running on Friday 6 November 2026 at 14:00; of what was sent since then nothing is\n" +
			"           known yet.\n"},
		{"2 09:30", true, "Gaps       0 open, 0 closed: see `muniment gaps`\n" +
			"           So far, as far as is known, nothing that was sent in this period since the record began\n" +
			"           is missing.\n"},
	} {
		var b strings.Builder
		cfg := config.Config{Groups: []config.Group{{JID: "1@g.us", Name: "Councillors"}}}
		if err := db.Read(t.Context(), func(tx *sqlite.Tx) error { return printGaps(&b, tx, cfg, london(tt.at), tt.running) }); err != nil || b.String() != tt.want {
			t.Errorf("%v\n%s\nwant\n%s", err, &b, tt.want)
		}
	}
}
