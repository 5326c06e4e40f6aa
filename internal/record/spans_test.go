package record

import (
	"slices"
	"testing"
)

func TestSpansAreReadAsTheyWereWritten(t *testing.T) {
	for _, seqs := range [][]Seq{nil, {7}, {1, 2}, {3, 4, 5, 9}, {1, 3, 5, 6, 7, 1000}} {
		if got, err := ParseSpans(Spans(seqs)); err != nil || !slices.Equal(got, seqs) {
			t.Errorf("%v was written %q and read %v (%v)", seqs, Spans(seqs), got, err)
		}
	}
	for _, s := range []string{"x", "1-", "-", "3,4", "1-2-3"} {
		if got, err := ParseSpans(s); err == nil {
			t.Errorf("%q was read as %v", s, got)
		}
	}
}
