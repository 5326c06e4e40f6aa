package daemon

import (
	"context"
	"time"

	"muniment/internal/archive"
	"muniment/internal/journal"
	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// listAgain is after how long a list of all who are in the group is kept anew, even
// if it says nothing new: who was in the group is told by the lists and changes that
// are kept, and the first of these is destroyed some day.
const listAgain = 365 * 24 * time.Hour

// listed follows r, a list of all present, and reports whether it need not be kept.
func (d *Daemon) listed(tx *sqlite.Tx, r record.Received) (saysNothing bool, err error) {
	same, err := people.Known(tx, d.now(), r)
	if err != nil {
		return false, err
	}
	version, err := archive.KnownVersion(tx, r)
	if err != nil {
		return false, err
	}
	settings, err := archive.SetUpAs(tx, r)
	if err != nil {
		return false, err
	}
	last, err := archive.LastList(tx, r.Group)
	if err != nil {
		return false, err
	}
	known := same && version && settings && !last.IsZero() && r.Sent.Sub(last) <= listAgain
	return known, archive.Listed(tx, d.now(), r, !same)
}

// outside notes that the council's account is not in a group, and that this is missing
// for good.
func (d *Daemon) outside(ctx context.Context, group string, since time.Time, cause string) error {
	defer d.tell()
	return d.db.Write(ctx, func(tx *sqlite.Tx) error {
		news, err := archive.Outside(tx, d.now(), since, group, cause)
		if err != nil || !news {
			return err
		}
		d.log.Error("the council's account is not in a listed group: nothing is captured of it until it is", "cause", cause)
		if err := d.journaled(tx, journal.AccountOutside, journal.About{"group": d.called(group)}); err != nil {
			return err
		}
		gaps, err := archive.Gaps(tx)
		if err != nil {
			return err
		}
		wrong, err := d.groupsWrong(tx, gaps)
		if err != nil {
			return err
		}
		return d.raise(tx, wrong)
	})
}

// moved follows r, a change of participants that is new, and has WhatsApp asked for the
// list where one before it was never told.
func (d *Daemon) moved(tx *sqlite.Tx, r record.Received) (ask bool, err error) {
	if r.Kind != record.Participants || r.Type == record.Present {
		return false, nil
	}
	return archive.Moved(tx, d.now(), r)
}
