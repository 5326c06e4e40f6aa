package letter

import (
	"strings"
	"testing"
	"time"

	"muniment/internal/record"
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
		if got := clock(at); got != want {
			t.Errorf("clock(%s) = %s; want %s", utc, got, want)
		}
	}
}

func TestWords(t *testing.T) {
	for _, tt := range []struct{ got, want string }{
		{recordNumbers([]record.Seq{17}), "record 17"},
		{recordNumbers([]record.Seq{17, 18}), "records 17 and 18"},
		{recordNumbers([]record.Seq{1, 2, 3, 4, 17, 20, 21, 22}), "records 1 to 4, 17 and 20 to 22"},
		{number(999), "999"},
		{number(1_482_752), "1,482,752"},
		{count(1, "message"), "1 message"},
		{count(1200, "message"), "1,200 messages"},
		{length(15 * time.Minute), "15 minutes"},
		{length(time.Hour + time.Minute), "1 hour 1 minute"},
		{length(90 * time.Second), "1 minute 30 seconds"},
		{years(6), "six years"},
		{years(12), "12 years"},
		{and([]string{"a", "b", "c"}), "a, b and c"},
		{between("2026-10-24", "2026-10-24"), "on 24 October 2026"},
		{excerpt("one two three four", 9), "one two…"},
		{excerpt("  a\n\n b ", 9), "a b"},
		{oneLine("a\u202eb\u2066c"), "abc"},
		{strings.Join(lines("\n\na \r\nb\u2028c\n\n"), "|"), "a|b|c"},
		{strings.Join(lines("a\x00b\xff"), "|"), "a\uFFFDb\uFFFD"},
	} {
		if tt.got != tt.want {
			t.Errorf("got %q; want %q", tt.got, tt.want)
		}
	}
}

// What cannot be shown is named in plain words, whatever WhatsApp calls it.
func TestNotShown(t *testing.T) {
	for name, want := range map[record.Type]string{
		"imageMessage":               "A photo",
		"imageMessage+unknown":       "A photo",
		"documentWithCaptionMessage": "A document",
		"viewOnceMessageV2Extension": "A photo, video or voice message that could be viewed only once",
		"viewOnceMessageV2":          "A photo, video or voice message that could be viewed only once",
		"pollCreationMessage":        "A poll",
		"pollCreationMessageV3":      "A poll",
		"pollUpdateMessage":          "A vote in a poll",
		"encEventResponseMessage":    "An answer to an event",
		"message_edit":               "An earlier message was changed by its sender",
		"editedMessage":              "An earlier message was changed by its sender",
		"revoke":                     "An earlier message was deleted in WhatsApp",
		"group_subject":              "The group’s name was changed",
		"group_membership_approval":  "How people are let into the group was changed",
		"group_something_new":        "The group was changed",
		"groupInviteMessage":         "An invitation to a group",
		"somethingNewMessage":        "Something that this program cannot read yet",
		"":                           "Something that this program cannot read yet",
	} {
		if got := nounFor(record.Unsupported, name); got != want {
			t.Errorf("%q is %q; want %q", name, got, want)
		}
	}
}

func TestGroupThatIsNotConfigured(t *testing.T) {
	if got := (&Writer{}).group(cranford); strings.Contains(got, "1203") {
		t.Errorf("group is called %q", got)
	}
}
