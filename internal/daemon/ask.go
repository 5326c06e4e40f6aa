package daemon

import (
	"context"
	"errors"
	"time"

	"muniment/internal/archive"
	"muniment/internal/content"
	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// askEvery is how long it takes from one request for a missing message to the next, which
// is not before WhatsApp has taken the one before: at most 60 an hour, however many are
// missing. The phone is in somebody's pocket.
const askEvery = time.Minute

// holeStep is of how many records one transaction finds out what they name.
const holeStep = 200

// FindHoles looks for messages that others name and that are not here, in steps that a
// capture need not wait for. Run does it by itself, every minute.
func (d *Daemon) FindHoles(ctx context.Context) error {
	for done := false; !done; {
		err := d.db.Write(ctx, func(tx *sqlite.Tx) (err error) {
			done, err = d.archive.FindHoles(tx, d.now(), holeStep, archive.Names{Target: d.target, Elsewhere: content.QuotedElsewhere})
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// target reads again which message a record names.
func (d *Daemon) target(tx *sqlite.Tx, was archive.Delivered) (*record.Ref, error) {
	again, err := reader{tx: tx, archive: d.archive}.read(was.Received)
	if errors.Is(err, errNothingKept) {
		return nil, nil
	}
	return again.Target, err
}

// askAgain has the council's phone asked for what is missing, until ctx is done.
func (d *Daemon) askAgain(ctx context.Context) error {
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := d.AskAgain(ctx); err != nil && ctx.Err() == nil {
			d.log.Warn("the phone was not asked for a message that is missing; it will be tried again", "err", err)
		}
	}
}

// AskAgain asks the council's phone for one missing message whose time has come, unless
// there is none or no connection; then it only ends what has been asked for too long. Run does it by itself.
func (d *Daemon) AskAgain(ctx context.Context) error {
	if !d.session.Connected() {
		return d.db.Write(ctx, func(tx *sqlite.Tx) error { return d.archive.EndAsking(tx, d.now()) })
	}
	var m archive.Missed
	var is bool
	err := d.db.Write(ctx, func(tx *sqlite.Tx) (err error) {
		m, is, err = d.archive.NextToAsk(tx, d.now())
		return err
	})
	if err != nil || !is {
		return err
	}
	if err := d.session.AskMessage(ctx, m.Group, m.Ref, m.Own); err != nil {
		return err
	}
	d.log.Info("the phone was asked for a message that is missing")
	return nil
}
