package main

import (
	"bytes"
	"strings"
	"testing"

	"muniment/internal/archive"
	"muniment/internal/record"
)

func TestWhoCameAndWent(t *testing.T) {
	member := "Cllr Ann Brook"
	for _, c := range []struct {
		type_  record.Type
		caused bool
		people []string
		want   string
	}{
		{record.Joined, true, []string{"Kit"}, "Kit joined the group"},
		{record.Left, true, []string{"Kit"}, "Kit left the group"},
		{record.Added, true, []string{"Kit"}, "Kit was added by Cllr Ann Brook"},
		{record.Removed, true, []string{"Kit", "Bo", "Cy"}, "Kit, Bo and Cy were removed by Cllr Ann Brook"},
		{record.Added, false, []string{"Kit", "Bo"}, "Kit and Bo were added"},
		{record.Present, true, []string{"Kit", "Bo"}, "In the group: Kit, Bo"},
		{record.Joined, true, []string{"K\x1b[2J\nit"}, "K[2J it joined the group"},
		{record.Promoted, true, []string{"Kit"}, "Kit was made an admin by Cllr Ann Brook"},
		{record.Demoted, true, []string{"Kit", "Bo"}, "Kit and Bo were dismissed as admins by Cllr Ann Brook"},
		{record.Promoted, false, []string{"Kit"}, "Kit was made an admin"},
		{"knighted", true, nil, "nobody (knighted)"},
	} {
		if got := (shownRecord{Type: &c.type_, Member: &member, people: c.people, caused: c.caused}).moved(); got != c.want {
			t.Errorf("%s: %q; want %q", c.type_, got, c.want)
		}
	}
}

func TestUnexplained(t *testing.T) {
	for _, c := range []struct {
		by    actor
		named bool
		want  string
	}{
		{actor{"Jo Marsh", "request"}, true, ""},
		{actor{"sam (system user)", ""}, false, "The journal will say that sam (system user) looked, and give no reason: use --for and --reason.\n"},
		{actor{"Jo Marsh", ""}, true, "The journal will say that Jo Marsh looked, and give no reason: use --for and --reason.\n"},
		{actor{"sam (system user)", "request"}, false, "The journal will say that sam (system user) looked: use --for to say on whose word.\n"},
	} {
		if got := unexplained(c.by, c.named); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
	if atTerminal(&bytes.Buffer{}) {
		t.Error("a buffer is no terminal")
	}
}

func TestDisappearing(t *testing.T) {
	for seconds, want := range map[string]string{
		"0": "", "604800": "7 days", "86400": "1 day", "7776000": "90 days", "3600": "1 hour", "90": "90 seconds", "300": "5 minutes",
		"soon": "a time that this version cannot read",
	} {
		if got := disappearing(seconds); got != want {
			t.Errorf("%s: %q; want %q", seconds, got, want)
		}
	}
}

// A change of a message that is not here is not told as one that counts.
func TestForgedChangeOfWhatIsNotKept(t *testing.T) {
	v := viewerWith(t, map[string]string{"447700900103": "Cy"})
	v.amended = map[record.Seq]archive.Record{}
	for _, r := range []archive.Record{
		{Seq: 2, Kind: record.Deletion, Type: record.ByAdmin, Person: 1, Answers: true},
		{Seq: 3, Kind: record.Edit, Type: record.Text, Person: 1, Answers: true, Text: "I resign"},
	} {
		if said := v.show(r).tells(r.Text, ""); strings.HasPrefix(said, "deleted ") || strings.HasPrefix(said, "edited ") {
			t.Errorf("not entitled to it, not effective, and told as: %s", said)
		}
	}
}
