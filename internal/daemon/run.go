package daemon

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
	"golang.org/x/sync/errgroup"

	"muniment/internal/alert"
	"muniment/internal/archive"
	"muniment/internal/journal"
	"muniment/internal/ledger"
	"muniment/internal/mail"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
	"muniment/internal/systemd"
	"muniment/internal/whatsapp"
)

// heartbeat is how often the daemon notes that it is there. After a crash, the
// gap begins at the last one.
const heartbeat = time.Minute

// lookAgain is how soon after it was refused a write is tried again: to be connected again
// soon after there is room matters more than a failing write.
const lookAgain = 3 * time.Second

// A message that was decrypted but never captured is given up when it is older
// than WhatsApp keeps one, and when this run has been connected for long enough
// to have been given what was waiting: to give it up earlier would have it
// acknowledged, when it comes, as one that was dealt with.
const (
	abandonAfter = 31 * 24 * time.Hour
	queueDrained = time.Hour
)

// Serve opens the daemon, runs it until ctx is done, and closes it. To be told to
// stop is no error, however early.
func Serve(ctx context.Context, o Options) error {
	d, err := Open(ctx, o)
	if err == nil {
		err = errors.Join(d.Run(ctx), d.Close())
	}
	err = started(err)
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// Run does the daemon's work until ctx is done, and then stops cleanly. Losing
// the link to WhatsApp does not end it.
func (d *Daemon) Run(ctx context.Context) (err error) {
	if err := d.begin(ctx); err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	for _, work := range []func(context.Context) error{
		func(ctx context.Context) error { return d.session.Run(ctx, d.hooks()) },
		d.outbox.Run,
		d.vault.Run,
		d.runHistory,
		d.runSchedule,
		d.beat,
		d.askAgain,
		d.commandAlerts,
		d.runBackups,
		func(ctx context.Context) error { return systemd.Watchdog(ctx, d.alive) },
	} {
		g.Go(func() error { return d.guarded(ctx, work) })
	}
	if err := systemd.Ready(); err != nil {
		d.log.Warn("systemd does not hear us", "err", err)
	}
	d.log.Info("daemon started", "version", d.o.Version)
	<-ctx.Done()
	if err := systemd.Stopping(); err != nil {
		d.log.Warn("systemd does not hear us", "err", err)
	}
	err = g.Wait()
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	return errors.Join(err, d.end())
}

// guarded does work and makes of a panic an error that ends the daemon, so that
// systemd starts it anew. What the panic says is not told: it may be content.
func (d *Daemon) guarded(ctx context.Context, work func(context.Context) error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			d.log.Error("panic", "type", fmt.Sprintf("%T", v), "stack", string(debug.Stack()))
			err = errors.New("the program has a fault, see the log above")
		}
	}()
	return work(ctx)
}

// begin opens this run's account, and a gap since the daemon was last there.
func (d *Daemon) begin(ctx context.Context) error {
	d.startedAt = d.now()
	return d.db.Write(ctx, func(tx *sqlite.Tx) error {
		seen, err := archive.LastSeen(tx, d.now())
		if err != nil {
			return err
		}
		if !seen.IsZero() {
			if err := archive.OpenGap(tx, d.now(), seen, archive.NotConnected, "muniment was not running"); err != nil {
				return err
			}
		}
		if d.intake, err = archive.BeginIntake(tx, d.now()); err != nil {
			return err
		}
		return d.journaled(tx, journal.Started, journal.About{"version": d.o.Version, "configuration": d.o.Config.File})
	})
}

// end closes the account and signs what the ledger holds. It has time of its
// own: the daemon's context is done.
func (d *Daemon) end() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	err := d.db.Write(ctx, func(tx *sqlite.Tx) error {
		if err := archive.Alive(tx, d.now(), d.intake); err != nil {
			return err
		}
		if d.uncounted > 0 { // no hook is called any more
			if err := archive.CountAll(tx, d.now(), d.intake, d.received.Load(), archive.HasFailed, d.uncounted); err != nil {
				return err
			}
		}
		if err := d.journaled(tx, journal.Stopped, nil); err != nil {
			return err
		}
		_, err := d.key.Sign(tx, d.now())
		return err
	})
	if err != nil {
		return fmt.Errorf("stop: %w", err)
	}
	d.log.Info("daemon stopped")
	return nil
}

// runSchedule does the nightly work when the daemon starts, in case a night was
// missed, and every night; and likewise the digests.
func (d *Daemon) runSchedule(ctx context.Context) error {
	c := cron.New(cron.WithLocation(retention.London), cron.WithChain(cron.SkipIfStillRunning(cron.DiscardLogger)))
	nightly := func() {
		err := d.guarded(ctx, d.Nightly)
		if err != nil && ctx.Err() == nil {
			d.log.Error("nightly work failed; it will be tried again", "err", err)
		}
	}
	if _, err := c.AddFunc(d.o.Config.Schedule.Nightly, nightly); err != nil {
		return fmt.Errorf("schedule.nightly: %w", err)
	}
	owe := func(what func(context.Context, time.Duration) error, wait time.Duration) {
		err := d.guarded(ctx, func(ctx context.Context) error { return what(ctx, wait) })
		if err != nil && ctx.Err() == nil {
			d.log.Error("digest not queued; it will be tried again", "err", err)
		}
	}
	if _, err := c.AddFunc(d.o.Config.Digest.Schedule, func() { owe(d.oweDigests, 0) }); err != nil {
		return fmt.Errorf("digest.schedule: %w", err)
	}
	if _, err := c.AddFunc(meetingsEvery, func() { owe(d.oweMeetings, 0) }); err != nil {
		return fmt.Errorf("meetings: %w", err)
	}
	if !d.o.Demonstration { // its clock is stepped, and its nights with it
		nightly()
		owe(d.oweDigests, catchUp)
		owe(d.oweMeetings, catchUp)
		c.Start()
	}
	<-ctx.Done()
	<-c.Stop().Done()
	return nil
}

// Nightly does what is due since last time: it gives up messages that will not
// come again, removes backups whose time is over, draws up and carries out disposal lists, and signs the ledger
// and has it stamped with the time.
func (d *Daemon) Nightly(ctx context.Context) error {
	err := errors.Join(d.writable(ctx), d.abandon(ctx), d.expireBackups(ctx), d.remindOfReviews(ctx), d.dispose(ctx), d.sign(ctx), d.stamp(ctx)) // none waits for another
	d.outbox.Wake()
	return err
}

// abandon gives up messages that will not come again, and says so.
func (d *Daemon) abandon(ctx context.Context) error {
	since := d.connectedAt.Load()
	if since == 0 || time.Since(time.Unix(0, since)) < queueDrained {
		return nil
	}
	n, err := d.session.AbandonBuffered(ctx, abandonAfter)
	if err != nil || n == 0 {
		return err
	}
	d.log.Warn("messages were decrypted, not captured, and never delivered again", "messages", n)
	return d.db.Write(ctx, func(tx *sqlite.Tx) error {
		return archive.OpenGap(tx, d.now(), d.now().Add(-abandonAfter), archive.Abandoned,
			fmt.Sprintf("%d messages never delivered again", n))
	})
}

// sign signs the ledger, once a day.
func (d *Daemon) sign(ctx context.Context) error {
	return d.db.Write(ctx, func(tx *sqlite.Tx) error {
		last, err := ledger.LastSigned(tx)
		if err != nil || !last.IsZero() && retention.DateOf(last) == retention.DateOf(d.now()) {
			return err
		}
		_, err = d.key.Sign(tx, d.now())
		return err
	})
}

// Deliver hands over the emails that are due now. Run does it by itself.
func (d *Daemon) Deliver(ctx context.Context) error { return d.outbox.DeliverDue(ctx) }

// beat notes now and then that the daemon is there, and tells systemd how it is.
func (d *Daemon) beat(ctx context.Context) error {
	tick := time.NewTicker(heartbeat)
	defer tick.Stop()
	var again <-chan time.Time // while the archive takes no writes
	for {
		if err := d.tellStatus(ctx); err != nil && ctx.Err() == nil {
			d.log.Error("status not told", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-d.lookNow:
		case <-again:
		}
		again = nil
		if !d.judge(ctx, d.written(ctx)) {
			again = time.After(lookAgain)
			continue
		}
		if err := d.index(ctx); err != nil && ctx.Err() == nil {
			d.log.Error("the search index is not up to date; it will be tried again", "err", err)
		}
		if err := d.holdWhatCame(ctx); err != nil && ctx.Err() == nil {
			d.log.Error("what is to be on hold is not all taken in; it will be tried again", "err", err)
		}
		if err := d.watchPhone(ctx); err != nil && ctx.Err() == nil {
			d.log.Warn("the council's phone was not looked after; it will be tried again", "err", err)
		}
		if err := d.resume(ctx); err != nil && ctx.Err() == nil {
			d.log.Error("conversations that wait were not looked at; it will be tried again", "err", err)
		}
		if err := d.FindHoles(ctx); err != nil && ctx.Err() == nil {
			d.log.Error("not all is known that is missing; it will be tried again", "err", err)
		}
		if err := d.Alert(ctx); err != nil && ctx.Err() == nil {
			d.log.Error("not everybody is told of what is wrong; it will be tried again", "err", err)
		}
	}
}

// index brings the search index up to date, in steps that a capture need not wait for,
// and who sent what.
func (d *Daemon) index(ctx context.Context) error {
	if err := d.db.Write(ctx, archive.Reconcile); err != nil {
		return err
	}
	for done := false; !done; {
		err := d.db.Write(ctx, func(tx *sqlite.Tx) (err error) {
			done, err = archive.Index(tx, 200)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (d *Daemon) tellStatus(ctx context.Context) error {
	if r := d.refused.Load(); r != nil {
		return systemd.Status(unwritable(r.why))
	}
	var kept int64
	var waiting []mail.Item
	var wrong []alert.Alert
	err := d.db.Read(ctx, func(tx *sqlite.Tx) (err error) {
		if kept, err = archive.Kept(tx); err != nil {
			return err
		}
		if wrong, err = alert.Open(tx); err != nil {
			return err
		}
		waiting, err = mail.List(tx, mail.Queued)
		return err
	})
	if err != nil {
		return err
	}
	var alerts strings.Builder
	for _, a := range wrong {
		fmt.Fprintf(&alerts, "ALERT: %s; ", d.letters.AlertTitle(a))
	}
	link := linkState(d.session.State())
	if err := d.session.Alive(); err != nil {
		link = err.Error()
	}
	return systemd.Status(fmt.Sprintf("%s%s; %d records kept; %d emails waiting", alerts.String(), link, kept, len(waiting)))
}

// linkState says in one line how the link to WhatsApp is.
func linkState(s whatsapp.State) string {
	switch {
	case s.Connected:
		return "connected to WhatsApp"
	case s.Cause == "":
		return "connecting to WhatsApp"
	case s.Again.IsZero():
		return "not connected: " + strings.TrimSuffix(s.Cause, ".")
	}
	return fmt.Sprintf("not connected, to be tried again on %s: %s",
		s.Again.In(retention.London).Format("2 January at 15:04"), strings.TrimSuffix(s.Cause, "."))
}

// alive is what systemd's watchdog is fed on: the archive takes writes, and the
// link listens or tries to. That the disk is full no new start mends; who goes on is there
// when it is not any more, and says meanwhile what is wrong.
func (d *Daemon) alive() error {
	written := d.writable(context.Background())
	if sqlite.Refusal(written) != "" {
		written = nil
	}
	err := errors.Join(written, d.session.Alive())
	if err != nil {
		d.log.Error("not alive", "err", err)
	}
	return err
}
