package daemon

import (
	"context"
	"errors"
	"time"

	"muniment/internal/archive"
	"muniment/internal/sqlite"
	"muniment/internal/whatsapp"
)

// WhatsApp unlinks a device when the phone that it is linked to has not been in use for
// about fourteen days. So it is watched, asked, and told of in time.
const (
	phoneAskAfter = 3 * 24 * time.Hour
	phoneAskEvery = 24 * time.Hour
	// phoneJudged is how long a connection must have stood before the phone is said not to
	// have been in use: what was queued may tell that it was.
	phoneJudged = 10 * time.Minute
)

// phoneTold are the days after which it is told that the phone has not been seen.
var phoneTold = []int{12, 10, 7}

// phoneSeen notes that the council's own phone was in use.
func (d *Daemon) phoneSeen(ctx context.Context, at time.Time) error {
	return d.db.Write(ctx, func(tx *sqlite.Tx) error { return archive.SawPhone(tx, d.now(), at) })
}

// WatchPhone sees to it that somebody is told in time when the council's own phone has not
// been in use. After three days it asks the phone for a message, once a day: one that is
// switched on answers, and is seen. Run does it by itself, when a connection has stood for
// long enough.
func (d *Daemon) WatchPhone(ctx context.Context) error {
	var seen time.Time
	if err := d.db.Read(ctx, func(tx *sqlite.Tx) (err error) {
		seen, err = archive.PhoneSeen(tx)
		return err
	}); err != nil || seen.IsZero() {
		return err
	}
	now := d.now()
	if seen.After(now) { // the clock was ahead; else nothing would be told until it has caught up
		return d.phoneSeen(ctx, now)
	}
	for _, days := range phoneTold {
		if now.Sub(seen) < time.Duration(days)*24*time.Hour {
			continue
		}
		if err := d.db.Write(ctx, func(tx *sqlite.Tx) error { return archive.MissPhone(tx, now, seen, days) }); err != nil {
			return err
		}
		break
	}
	if now.Sub(seen) < phoneAskAfter || now.Sub(d.phoneAsked) < phoneAskEvery {
		return nil
	}
	d.phoneAsked = now
	return d.askPhone(ctx)
}

// askPhone asks the council's phone for one message of a listed group, of the past. Any
// answer does.
func (d *Daemon) askPhone(ctx context.Context) error {
	for _, g := range d.o.Config.Groups {
		var before whatsapp.Anchor
		var is bool
		if err := d.db.Read(ctx, func(tx *sqlite.Tx) error {
			r, found, err := archive.FirstAfter(tx, g.JID, time.Time{})
			before, is = whatsapp.Anchor{ID: r.ID, Own: r.Own, Sent: r.Sent}, found
			return err
		}); err != nil {
			return err
		}
		if !is {
			continue
		}
		err := d.session.AskHistory(ctx, g.JID, before, 1)
		if errors.Is(err, whatsapp.ErrNotConnected) {
			err = nil // tomorrow
		}
		return err
	}
	return nil
}

// watchPhone does WatchPhone when it can be judged. A demonstration steps its clock, and its
// phones do not.
func (d *Daemon) watchPhone(ctx context.Context) error {
	if d.o.Demonstration || d.session.State().For < phoneJudged {
		return nil
	}
	return d.WatchPhone(ctx)
}
