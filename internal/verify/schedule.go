package verify

import (
	"muniment/internal/archive"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
)

// compareSchedule compares the retention schedule in force with the journal: destruction
// goes by the one, and only the journal's entries are leaves.
func (r *Report) compareSchedule(tx *sqlite.Tx) (err error) {
	if r.schedules, err = archive.Schedules(tx); err != nil {
		return err
	}
	inForce, err := archive.InForce(tx)
	if len(r.schedules) == 0 { // the first entry was altered, and its leaf tells
		r.schedules = []archive.Adopted{{Schedule: inForce}}
	} else if err == nil && !r.schedules[len(r.schedules)-1].Is(inForce) {
		r.fault("the retention schedule is not the one that the journal tells of: it was altered")
	}
	return err
}

// comparePeriod compares class and period of a record with the schedule of its time. What
// follows a message has the period of that.
func (r *Report) comparePeriod(rec *archive.Leaf) {
	schedule := r.schedules[0]
	class := retention.ClassOf(rec.Kind)
	if schedule.Classless {
		class = retention.Messages
	}
	switch years := schedule.Years(class, rec.Group); {
	case rec.Stub:
	case rec.Class != class:
		r.fault("record %d is kept as %s, but those of its kind as %s: it was altered", rec.Seq, rec.Class, class)
	case !rec.Follows && rec.Years != years:
		r.fault("record %d is kept for %d years, but those of its time for %d: it was altered", rec.Seq, rec.Years, years)
	}
}
