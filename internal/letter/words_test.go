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

func TestGroupThatIsNotConfigured(t *testing.T) {
	if got := (&Writer{}).group(cranford); strings.Contains(got, "1203") {
		t.Errorf("group is called %q", got)
	}
}
