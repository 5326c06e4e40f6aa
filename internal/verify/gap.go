package verify

import (
	"maps"
	"slices"

	"muniment/internal/archive"
	"muniment/internal/journal"
	"muniment/internal/sqlite"
)

// A gapMoment is when a gap of a kind was opened, and why, or closed, and how, to compare
// how many there were.
type gapMoment struct{ kind, at, how string }

// compareGaps compares the gaps with what the journal says of them: that nothing else is
// missing goes by the gaps, and only the journal's entries are leaves. Of a message that
// could not be read the journal has no cause; and one entry of an older version may close
// several. How often a message was asked for, and what the phone supplied of a time, is
// not compared: nothing is said to be complete on the strength of it.
func (r *Report) compareGaps(tx *sqlite.Tx) error {
	opened, closed := make(map[gapMoment]int), make(map[gapMoment]int)
	if err := journal.Of(tx, journal.GapOpened, func(e journal.Entry, _ int64) error {
		m := gapMoment{kind: e.Reason, at: sqlite.FormatTime(e.At)}
		if since, is := e.About["since"].(string); is {
			m.at = since
			m.how, _ = e.About["cause"].(string)
		}
		opened[m]++
		return nil
	}); err != nil {
		return err
	}
	if err := journal.Of(tx, journal.GapClosed, func(e journal.Entry, _ int64) error {
		m := gapMoment{kind: e.Reason, at: sqlite.FormatTime(e.At)}
		if until, is := e.About["until"].(string); is {
			m.at = until
		}
		m.how, _ = e.About["ending"].(string)
		closed[m] = 0
		return nil
	}); err != nil {
		return err
	}
	gaps, err := archive.Gaps(tx)
	if err != nil {
		return err
	}
	inserted, ended := 0, 0
	for _, g := range gaps {
		m := gapMoment{kind: string(g.Kind), at: sqlite.FormatTime(g.Opened), how: g.Cause}
		if g.Kind == archive.NotDecrypted {
			m.how = ""
		}
		if opened[m]--; opened[m] < 0 {
			inserted++
		}
		if g.Closed.IsZero() {
			continue
		}
		m = gapMoment{kind: string(g.Kind), at: sqlite.FormatTime(g.Closed), how: string(g.Ending)}
		if _, known := closed[m]; !known {
			ended++
			continue
		}
		closed[m]++
	}
	removed := 0
	for m := range maps.Values(opened) {
		removed += max(m, 0)
	}
	if removed > 0 {
		r.fault("gaps that were opened, as the journal says, are gone (%d): they were altered or removed", removed)
	}
	if inserted > 0 {
		r.fault("gaps are not in the journal (%d): they were altered or inserted", inserted)
	}
	if ended > 0 {
		r.fault("gaps were closed of which the journal does not know that (%d): they were altered", ended)
	}
	if slices.Contains(slices.Collect(maps.Values(closed)), 0) && removed == 0 {
		r.fault("gaps were closed, as the journal says, but are open: they were altered")
	}
	return nil
}
