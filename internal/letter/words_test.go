package letter

import (
	"strings"
	"testing"

	"muniment/internal/record"
)

func TestWords(t *testing.T) {
	for _, tt := range []struct{ got, want string }{
		{recordNumbers([]record.Seq{17}), "record 17"},
		{recordNumbers([]record.Seq{17, 18}), "records 17 and 18"},
		{recordNumbers([]record.Seq{1, 2, 3, 4, 17, 20, 21, 22}), "records 1 to 4, 17 and 20 to 22"},
		{years(6), "six years"},
		{years(12), "12 years"},
		{between("2026-10-24", "2026-10-24"), "on 24 October 2026"},
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
