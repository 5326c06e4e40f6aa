package letter

import (
	"fmt"
	"time"

	"muniment/internal/archive"
	"muniment/internal/saying"
)

// missing says what is known to be missing of the conversation. It looks from its
// first message to its last and, on either side, as far as the rule would have
// looked for more.
func (r reading) missing() (bs []block) {
	from, to := r.extent()
	var unread []time.Time
	for _, g := range r.gaps {
		opened, closed := g.Opened, g.Closed
		if closed.IsZero() || closed.After(r.date) {
			closed = r.date // what came later is not in this letter
		}
		switch g.Kind {
		case archive.NotDecrypted:
			if g.Group == r.group() && closed.Equal(r.date) && within(opened, opened, from, to) && !opened.After(r.date) {
				unread = append(unread, opened)
			}
		case archive.NotConnected, archive.NotLinked:
			// WhatsApp delivers afterwards what was sent while we were not connected.
			lost := g.Kind == archive.NotLinked || closed.Equal(r.date)
			if lost && opened.Before(closed) && within(opened, closed, from, to) {
				bs = append(bs, block{Callout: fmt.Sprintf("The system was not connected from %s to %s. "+
					"Messages sent then may be missing from this record.", saying.Moment(opened), saying.Moment(closed))})
			}
		case archive.NotInGroup:
			if g.Group == r.group() && opened.Before(closed) && within(opened, closed, from, to) {
				bs = append(bs, block{Callout: fmt.Sprintf("The council’s account was not in the group from %s to %s. "+
					"Messages sent then are missing from this record.", saying.Moment(opened), saying.Moment(closed))})
			}
		case archive.Abandoned: // it is found a day late at most
			if since := opened.AddDate(0, 0, -1); within(since, opened, from, to) {
				bs = append(bs, block{Callout: fmt.Sprintf("Messages that arrived between %s and %s were not recorded. "+
					"They are missing from this record.", saying.Moment(since), saying.Moment(opened))})
			}
		}
	}
	switch n := len(unread); n { // the latest first
	case 0:
	case 1:
		bs = append(bs, block{Callout: fmt.Sprintf("A message that arrived on %s could not be read. It is missing from this record.", saying.Moment(unread[0]))})
	default:
		bs = append(bs, block{Callout: fmt.Sprintf("%s that arrived between %s and %s could not be read. They are missing from this record.",
			saying.Count(n, "message"), saying.Moment(unread[n-1]), saying.Moment(unread[0]))})
	}
	return bs
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
