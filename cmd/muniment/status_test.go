package main

import (
	"strings"
	"testing"
	"time"

	"muniment/internal/archive"
	"muniment/internal/people"
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
