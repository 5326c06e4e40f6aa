package letter

import (
	"fmt"
	"strconv"
	"time"

	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/saying"
)

// momentUTC returns moment with the time in UTC too, for who compares logs.
func momentUTC(t time.Time) string {
	return fmt.Sprintf("%s (%s UTC)", saying.Moment(t), t.UTC().Format("2006-01-02 15:04:05"))
}

// between says over which dates something extends.
func between(from, to retention.Date) string {
	switch {
	case from == "":
		return "never"
	case from == to:
		return "on " + from.Long()
	}
	return "between " + from.Long() + " and " + to.Long()
}

// years returns a number of years as one would say it.
func years(n int) string {
	words := []string{"no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"}
	if n == 1 {
		return "one year"
	}
	if n < len(words) {
		return words[n] + " years"
	}
	return saying.Number(int64(n)) + " years"
}

// recordNumbers names records, in order of number: records 1 to 14, 17 and 18.
func recordNumbers(seqs []record.Seq) string {
	var runs []string
	for i := 0; i < len(seqs); {
		j := i
		for j+1 < len(seqs) && seqs[j+1] == seqs[j]+1 {
			j++
		}
		switch {
		case j-i >= 2:
			runs = append(runs, fmt.Sprintf("%d to %d", seqs[i], seqs[j]))
		case j > i:
			runs = append(runs, strconv.Itoa(int(seqs[i])), strconv.Itoa(int(seqs[j])))
		default:
			runs = append(runs, strconv.Itoa(int(seqs[i])))
		}
		i = j + 1
	}
	switch len(seqs) {
	case 0:
		return "none"
	case 1:
		return "record " + runs[0]
	}
	return "records " + saying.And(runs)
}
