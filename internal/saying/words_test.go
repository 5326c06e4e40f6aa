package saying

import (
	"strings"
	"testing"
	"time"
)

func TestClock(t *testing.T) {
	for utc, want := range map[string]string{
		"2026-10-24T23:59:00Z": "00:59",     // summer time
		"2026-10-25T00:00:00Z": "01:00 BST", // comes again
		"2026-10-25T00:59:59Z": "01:59 BST",
		"2026-10-25T01:00:00Z": "01:00 GMT",
		"2026-10-25T01:59:59Z": "01:59 GMT",
		"2026-10-25T02:00:00Z": "02:00",
		"2027-03-28T00:59:00Z": "00:59", // an hour is left out: nothing comes twice
		"2027-03-28T01:00:00Z": "02:00",
	} {
		at, err := time.Parse(time.RFC3339, utc)
		if err != nil {
			t.Fatal(err)
		}
		if got := Clock(at); got != want {
			t.Errorf("Clock(%s) = %s; want %s", utc, got, want)
		}
	}
}

func TestWords(t *testing.T) {
	for _, tt := range []struct{ got, want string }{
		{Number(999), "999"},
		{Number(1_482_752), "1,482,752"},
		{Count(1, "message"), "1 message"},
		{Count(1200, "message"), "1,200 messages"},
		{Length(15 * time.Minute), "15 minutes"},
		{Length(time.Hour + time.Minute), "1 hour 1 minute"},
		{Length(90 * time.Second), "1 minute 30 seconds"},
		{Length(0), "a second"},
		{Span(86400), "1 day"},
		{Span(90 * 86400), "90 days"},
		{Span(86401), "24 hours 1 second"},
		{Period(*utc("2026-12-03 19:30"), time.Time{}), "Thursday 3 December 2026 at 19:30"},
		{Period(*utc("2026-12-03 19:30"), *utc("2026-12-03 21:00")), "Thursday 3 December 2026 at 19:30 to 21:00"},
		{Period(*utc("2026-10-24 22:30"), *utc("2026-10-25 00:30")), "Saturday 24 October 2026 at 23:30 to Sunday 25 October 2026 at 01:30 BST"},
		{And(nil), ""},
		{And([]string{"a", "b", "c"}), "a, b and c"},
		{Some([]string{"a", "b", "c", "d"}, 2), "a, b and 2 others"},
		{Some([]string{"a", "b", "c"}, 2), "a, b and c"},
		{Some([]string{"a", "b", "c"}, 0), "a, b and c"},
		{Called(strings.Repeat("a ", 100) + OfAPhone), strings.Repeat("a ", 29) + "a…" + OfAPhone},
		{Called("Ann  Brook" + NotVerified), "Ann Brook (name not verified)"},
		{Capital("école"), "École"},
		{Lower("Voted in record 12"), "voted in record 12"},
		{Lower("WhatsApp suspended the group"), "WhatsApp suspended the group"},
		{Excerpt("one two three four", 9), "one two…"},
		{Excerpt("  a\n\n b ", 9), "a b"},
		{OneLine("a\u202eb\u2066c"), "abc"},
		{strings.Join(Lines("\n\na \r\nb\u2028c\n\n"), "|"), "a|b|c"},
		{strings.Join(Lines("a\x00b\xff"), "|"), "a\uFFFDb\uFFFD"},
	} {
		if tt.got != tt.want {
			t.Errorf("got %q; want %q", tt.got, tt.want)
		}
	}
}
