package record

import (
	"fmt"
	"slices"
	"strings"
)

// Spans writes record numbers for a reader: "3-5, 9". Each is written once, in order.
func Spans(seqs []Seq) string {
	seqs = slices.Clone(seqs)
	slices.Sort(seqs)
	seqs = slices.Compact(seqs)
	var b strings.Builder
	for i := 0; i < len(seqs); {
		last := i
		for last+1 < len(seqs) && seqs[last+1] == seqs[last]+1 {
			last++
		}
		if i > 0 {
			b.WriteString(", ")
		}
		if fmt.Fprint(&b, seqs[i]); last > i {
			fmt.Fprintf(&b, "-%d", seqs[last])
		}
		i = last + 1
	}
	return b.String()
}
