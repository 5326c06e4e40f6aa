package record

import (
	"fmt"
	"slices"
	"strconv"
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

// ParseSpans reads what [Spans] writes.
func ParseSpans(s string) (seqs []Seq, err error) {
	for span := range strings.SplitSeq(s, ", ") {
		if span == "" {
			continue
		}
		first, last, more := strings.Cut(span, "-")
		if !more {
			last = first
		}
		from, err := strconv.ParseInt(first, 10, 64)
		to, err2 := strconv.ParseInt(last, 10, 64)
		if err != nil || err2 != nil || to < from || to-from > mostInSpan {
			return seqs, fmt.Errorf("%q is no span of record numbers", span)
		}
		for n := from; n <= to; n++ {
			seqs = append(seqs, Seq(n))
		}
	}
	return seqs, nil
}

// mostInSpan is more than there are records in any archive: what was altered must not take
// the memory of the machine.
const mostInSpan = 50_000_000
