package letter

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"muniment/internal/archive"
	"muniment/internal/disposal"
	"muniment/internal/forward"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/saying"
)

// opening says what the letter is about.
func (r *weekly) opening() []block {
	var groups []string
	for _, g := range r.groups {
		groups = append(groups, r.w.group(g))
	}
	in := "the WhatsApp group " + saying.And(groups)
	if len(groups) > 1 {
		in = "the WhatsApp groups " + saying.And(groups)
	}
	days := "from " + weekday(r.Period.First) + " to " + weekday(r.Period.Last)
	if r.Period.First == r.Period.Last {
		days = "on " + weekday(r.Period.First)
	}
	bs := []block{paragraph("What happened in %s %s, and how the record stood on %s. All times are London time.", in, days, saying.Moment(r.date))}
	if r.Began.After(r.Period.Start()) {
		bs = append(bs, paragraph("The record began on %s.", saying.Moment(r.Began)))
	}
	if r.date.Before(r.Period.End()) {
		bs = append(bs, paragraph("The %s is not over: this is what there is so far.", r.noun()))
	}
	return bs
}

// noun is what the digest calls its days.
func (r *weekly) noun() string {
	switch r.Kind {
	case forward.DailyLetter:
		return "day"
	case forward.MeetingLetter:
		return "time"
	}
	return "week"
}

// during and before say when, of the digest's days.
func (r *weekly) during() string {
	switch r.Kind {
	case forward.DailyLetter:
		return "that day"
	case forward.MeetingLetter:
		return "in this time"
	}
	return "this week"
}

func (r *weekly) before() string {
	if r.Kind == forward.DailyLetter {
		return "before that day"
	}
	return "before this " + r.noun()
}

// health says how the archive is. It is well only if nothing needs attention, and if
// nothing by which that is judged is missing or unknown.
func (r *weekly) health(toDo int) []block {
	doubts := r.healthDoubts()
	switch {
	case toDo == 1:
		return []block{{Callout: "One thing needs your attention. It is told below."}, paragraph("%s.", saying.Capital(r.vitals()))}
	case toDo > 1:
		return []block{{Callout: saying.Number(int64(toDo)) + " things need your attention. They are listed below, the most urgent first."},
			paragraph("%s.", saying.Capital(r.vitals()))}
	case len(doubts) > 0:
		return []block{paragraph("Nothing needs your attention. That the archive is well cannot be said all the same: %s.", saying.And(doubts)),
			paragraph("%s.", saying.Capital(r.vitals()))}
	}
	return []block{paragraph("The archive is well: %s. Nothing needs your attention.", r.vitals())}
}

// vitals are the signs by which the archive's health is judged, in words that go on in a
// sentence.
func (r *weekly) vitals() string {
	gaps := "no gaps known"
	if !r.nothingMissing() {
		gaps = "gaps known, or possible"
	}
	phone := "the council’s phone has not been seen yet"
	if !r.PhoneSeen.IsZero() {
		phone = "the council’s phone was seen " + r.ago(r.PhoneSeen)
	}
	messages := r.count(func(m archive.Record) bool { return m.Kind == record.Message })
	return fmt.Sprintf("%s %s, %s, %s, %s, %s", saying.Count(messages, "message"), r.during(), gaps, phone, r.lastBackup(), r.nextDisposal())
}

// healthDoubts are what is missing or unknown of what must be so if the archive is well.
func (r *weekly) healthDoubts() (all []string) {
	if !r.nothingMissing() {
		all = append(all, "something that was sent is missing, or may be")
	}
	switch {
	case r.PhoneSeen.IsZero():
		all = append(all, "the council’s phone has not been seen yet")
	case r.date.Sub(r.PhoneSeen) > phonePatience:
		all = append(all, "the council’s phone was last seen "+r.ago(r.PhoneSeen))
	}
	if b := r.Backups; !b.Made || b.Last.IsZero() || r.date.Sub(b.Last) > backupPatience {
		all = append(all, r.lastBackup())
	}
	for _, group := range r.groups {
		if r.w.Groups[group].EveryCouncillor && !r.rosters[group].Known {
			all = append(all, "it is not known who is in the group"+r.in(group))
		}
	}
	return all
}

// phonePatience is for how long the council's phone may be unseen while all is well: then the
// journal says so, too.
const phonePatience = 3 * 24 * time.Hour

// backupPatience is how old the last backup may be while all is well.
const backupPatience = 3 * 24 * time.Hour

// lastBackup says when the last backup was made.
func (r *weekly) lastBackup() string {
	switch b := r.Backups; {
	case !b.Made:
		return "no backups are made"
	case b.Last.IsZero():
		return "no backup has been made yet"
	}
	return "the last backup was made " + r.ago(r.Backups.Last)
}

// ago says on which day something was, from the letter's date.
func (r *weekly) ago(t time.Time) string {
	switch today := retention.DateOf(r.date); retention.DateOf(t) {
	case today:
		return "today"
	case today.AddDays(-1):
		return "yesterday"
	}
	return "on " + saying.Day(t)
}

// nextDisposal says when something is to be destroyed next.
func (r *weekly) nextDisposal() string {
	var next disposal.List
	for _, l := range r.lists {
		if next.ID == 0 || l.DestroyOn < next.DestroyOn {
			next = l.List
		}
	}
	if next.ID == 0 {
		return "no disposal announced"
	}
	return fmt.Sprintf("next disposal on %s (%s)", next.DestroyOn.Long(), saying.Count(next.Records, "record"))
}

// nothingMissing reports whether nothing is known to be missing, and nothing may be.
func (r *weekly) nothingMissing() bool {
	return r.teller().NothingMissing(r.statement) &&
		!slices.ContainsFunc(r.gaps, func(g archive.Gap) bool { return saying.LostGap(g) || g.Kind == archive.ListBroken })
}

// glances shows the totals, of each group by itself.
func (r *weekly) glances() (bs []block) {
	gaps := fact{"Gaps", r.missingInAll()}
	groups := slices.Clone(r.groups)
	for _, s := range shares(groups, r.records, groupOf) {
		if !slices.Contains(groups, s.group) {
			groups = append(groups, s.group)
		}
	}
	if len(groups) == 1 {
		return append([]block{{Facts: append(r.glance(), gaps)}}, r.perDay()...)
	}
	for _, group := range groups {
		one := r.of(group)
		bs = append(bs, block{Day: saying.Capital(strings.TrimPrefix(r.in(group), " in "))}, block{Facts: one.glance()})
		bs = append(bs, one.perDay()...)
	}
	return append(bs, block{Day: "In all groups"}, block{Facts: []fact{gaps}})
}

// perDay draws how many messages were sent on each day of a week, if any were.
func (r *weekly) perDay() []block {
	if r.Kind != forward.DigestLetter {
		return nil
	}
	c := &chart{Caption: "Messages per day"}
	sum := 0
	for d := r.Period.First; d <= r.Period.Last; d = d.AddDays(1) {
		n := r.count(func(m archive.Record) bool { return m.Kind == record.Message && retention.DateOf(m.Sent) == d })
		c.Bars = append(c.Bars, bar{Name: d.Weekday().String(), N: n})
		sum += n
	}
	if sum == 0 {
		return nil
	}
	return []block{{Chart: c}}
}
