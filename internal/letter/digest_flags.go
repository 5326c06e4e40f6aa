package letter

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"muniment/internal/archive"
	"muniment/internal/flag"
	"muniment/internal/record"
	"muniment/internal/saying"
	"muniment/internal/sqlite"
)

// readFlags reads in which of the messages that the digest shows there is something for
// the clerk to look at.
func (r *weekly) readFlags(tx *sqlite.Tx) (err error) {
	all := slices.AppendSeq(slices.Clone(r.records), maps.Values(r.originals))
	for changes := range maps.Values(r.histories) {
		all = append(all, changes...)
	}
	r.flags, err = r.w.Flags.Flags(tx, r.date, all)
	return err
}

// sensitive reports whether no digest may repeat the words of m, whatever the council has
// set: of a message that may hold personal or confidential details, and of what changes
// one (C5).
func (r *weekly) sensitive(m archive.Record) bool { return r.flags.Personal(m.Seq) }

// notRepeated says why nothing is shown of what somebody wrote.
const notRepeated = "Nothing of what it says is repeated here: see “Please check”."

// forAMeeting tells of what may need to go to a meeting.
func (r *weekly) forAMeeting() []block {
	all := r.flagged(flag.Meeting)
	if len(all) == 0 {
		return nil
	}
	lead := "This conversation"
	if len(all) > 1 {
		lead = "These conversations"
	}
	return []block{
		paragraph("%s may be about something the council needs to decide. If so, please put it on an agenda.", lead),
		{List: atMost(all)},
		paragraph("What an officer decides under powers that the council has delegated needs a written record of its own. %s", noConcern),
	}
}

// toCheck tells of what may hold personal or confidential details.
func (r *weekly) toCheck() []block {
	all := r.flagged(flag.Personal)
	if len(all) == 0 {
		return nil
	}
	return []block{
		paragraph("Words or numbers of that sort were found in what follows, as it is or as it was before it was changed. " +
			"They may be harmless. Nothing of what it says is repeated in this email; the record has it under its number."),
		{List: atMost(all)},
		paragraph("%s", noConcern),
	}
}

// noConcern says what to do about a false alarm.
const noConcern = "If any of these is no concern, please have that noted (muniment flag dismiss)."

// flagged puts in words what is flagged for that concern, of what was sent in these days, or
// was changed or marked in them: each message once, who sent it and when, and what was found,
// but never where.
func (r *weekly) flagged(c flag.Concern) (all []string) {
	var messages []archive.Record
	met := make(map[record.Seq]bool)
	for _, m := range r.records {
		if of, is := r.originals[m.ReplyTo]; is && m.Kind != record.Message && of.Destroyed == "" {
			m = of
		}
		if len(r.flags.Of(m.Seq, c)) > 0 && !met[m.Seq] {
			met[m.Seq] = true
			messages = append(messages, m)
		}
	}
	slices.SortFunc(messages, inTime)
	for _, m := range messages {
		r.shows(m)
		var found []string
		for _, k := range r.flags.Of(m.Seq, c) {
			found = append(found, k.String())
		}
		who := strings.Replace(r.by(m), " by ", ", ", 1)
		all = append(all, fmt.Sprintf("%s%s, record %d%s: %s.", r.when(m.Sent), who, m.Seq, r.in(m.Group), saying.And(found)))
	}
	return all
}
