package main

import (
	"bytes"
	"strings"
	"testing"

	"muniment/internal/archive"
	"muniment/internal/record"
)

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

// A change of a message that is not here is not told as one that counts.
func TestForgedChangeOfWhatIsNotKept(t *testing.T) {
	v := viewerWith(t, map[string]string{"447700900103": "Cy"})
	v.amended = map[record.Seq]archive.Record{}
	for _, r := range []archive.Record{
		{Seq: 2, Kind: record.Deletion, Type: record.ByAdmin, Person: 1, Answers: true},
		{Seq: 3, Kind: record.Edit, Type: record.Text, Person: 1, Answers: true, Text: "I resign"},
	} {
		if said := v.show(r).tells(r.Text, ""); strings.HasPrefix(said, "Deleted ") || strings.HasPrefix(said, "Edited ") {
			t.Errorf("not entitled to it, not effective, and told as: %s", said)
		}
	}
}
