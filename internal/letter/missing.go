package letter

import (
	"fmt"
	"slices"
	"time"

	"muniment/internal/archive"
	"muniment/internal/record"
	"muniment/internal/saying"
)

// missing says what is known to be missing of the conversation. It looks from its
// first message to its last and, on either side, as far as the rule would have
// looked for more. Of a message that others name it is told in the letter that holds
// these.
func (r reading) missing(teller saying.Teller) (bs []block) {
	from, to := r.extent()
	var messages []archive.Gap
	for _, g := range archive.Distinct(r.gaps, r.date) {
		if g.Closed.After(r.date) { // what came later is not in this letter
			g.Closed, g.Ending = time.Time{}, ""
		}
		begins, ends := g.Extent(r.date, time.Time{})
		switch {
		case !saying.LostGap(g), g.Kind == archive.ListBroken, g.Group != "" && g.Group != r.group():
		case g.Kind == archive.NotReceived && g.Sent.IsZero():
			if r.shows(g.NamedBy) {
				messages = append(messages, g)
			}
		case !within(begins, ends, from, to):
		case g.Kind == archive.NotDecrypted, g.Kind == archive.NotReceived:
			messages = append(messages, g)
		default:
			bs = append(bs, block{Callout: teller.Gap(g).Text()})
		}
	}
	if n := len(messages); n > mostMissing {
		return append(bs, block{Callout: fmt.Sprintf("%s of this time or of this conversation are missing. %s", saying.Count(n, "message"), seeGaps)})
	}
	for _, g := range slices.Backward(messages) { // the oldest first
		bs = append(bs, block{Callout: teller.Gap(g).Text()})
	}
	return bs
}

// mostMissing is of how many missing messages a letter tells one by one.
const mostMissing = 5

const seeGaps = "The weekly email tells of them (or muniment gaps)."

// shows reports whether a record is in the letter.
func (r reading) shows(seq record.Seq) bool {
	if seq == 0 {
		return false
	}
	is := func(m archive.Record) bool { return m.Seq == seq }
	for _, all := range r.followers {
		if slices.ContainsFunc(all, is) {
			return true
		}
	}
	return slices.ContainsFunc(r.messages, is)
}

// extent returns from when to when messages of the conversation may have been sent.
func (r reading) extent() (from, to time.Time) {
	for _, m := range r.messages {
		if m.Destroyed != "" {
			continue
		}
		if from.IsZero() || m.Sent.Before(from) {
			from = m.Sent
		}
		if m.Sent.After(to) {
			to = m.Sent
		}
	}
	return from.Add(-r.Rule.Pause), to.Add(r.Rule.Pause)
}

// group returns the JID of the conversation's group.
func (r reading) group() string {
	for _, m := range append([]archive.Record{r.marked}, r.messages...) {
		if m.Group != "" {
			return m.Group
		}
	}
	return ""
}

// within reports whether the time from a to b has anything of that from c to d.
func within(a, b, c, d time.Time) bool { return !a.After(d) && !b.Before(c) }
