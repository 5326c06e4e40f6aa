package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"muniment/internal/archive"
	"muniment/internal/history"
	"muniment/internal/journal"
	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
	"muniment/internal/vault"
	"muniment/internal/whatsapp"
)

// hooks is what the companion device's events cause here.
func (d *Daemon) hooks() whatsapp.Hooks {
	return whatsapp.Hooks{
		Received: func() { d.received.Add(1) },
		Capture:  d.capture,
		Skip: func(ctx context.Context) error {
			return d.counted(ctx, archive.WasOutOfScope, func(*sqlite.Tx) error { return nil })
		},
		Missing:      d.missing,
		FileAnswered: d.fileAnswered,
		Refused:      d.look,
		History:      d.historyOffered,
		Outside:      d.outside,
		Lost:         d.lost,
		Connected:    d.connected,
		Disconnected: d.disconnected,
		LinkLost:     d.linkLost,
		PhoneSeen:    d.phoneSeen,
	}
}

// capture commits a record and all that it causes in one transaction: who sent
// it, its leaf, who is in the group, the email that a mark owes, and the account.
// When it returns nil, all of it is on disk, and only then may the message be
// acknowledged to WhatsApp. It may be called again with the same record.
func (d *Daemon) capture(ctx context.Context, r record.Received) error {
	if r.Supplied && r.Sent.Before(d.begins(r.Group)) {
		return d.tooEarly(ctx, r)
	}
	outcome, askList := archive.WasDuplicate, false
	var news []record.Received
	err := d.db.Write(ctx, func(tx *sqlite.Tx) (err error) {
		if news, err = d.captureIn(tx, r); err == nil && len(news) > 0 {
			outcome = archive.WasCaptured
			askList, err = d.moved(tx, r)
		}
		return errors.Join(err, d.account(tx, outcome))
	})
	if err != nil {
		return d.failed(ctx, err)
	}
	d.uncounted = 0
	d.took()
	d.caused(news)
	if r.Type == record.Present {
		d.heard.Store(r.Group, true)
		d.wakeHistory()
	}
	if askList {
		d.session.AskList(r.Group)
	}
	d.log.Info("record received", "what", r, "outcome", outcome)
	return nil
}

// caused wakes those who have something to do for what has been captured.
func (d *Daemon) caused(news []record.Received) {
	for _, r := range news {
		if r.Kind.Follows() { // it may be a mark, or call for a correction
			d.outbox.Wake()
		}
		if r.File != nil {
			d.vault.Wake()
		}
		if ofGroup(r) {
			d.tell()
		}
	}
}

// begins returns when the record of a group began: as the day on which everybody had the
// privacy notice begins in London. What the council's phone still has from before is not
// recorded. Of a group that is not configured, the zero time.
func (d *Daemon) begins(group string) time.Time {
	for _, g := range d.o.Config.Groups {
		if g.JID == group && !g.Notice.GivenOn.IsZero() {
			return retention.Date(g.Notice.GivenOn.Format(time.DateOnly)).Start()
		}
	}
	return time.Time{}
}

// tooEarly notes that the council's phone has supplied a message from before the record
// began: nothing is missing, and nothing is captured.
func (d *Daemon) tooEarly(ctx context.Context, r record.Received) error {
	d.log.Info("a message from before the record began was not recorded", "what", r)
	return d.counted(ctx, archive.WasOutOfScope, func(tx *sqlite.Tx) error {
		return d.archive.EndGap(tx, d.now(), r.Group, record.Ref{ID: r.ID, Sender: r.Sender}, archive.Earlier)
	})
}

// captureIn captures r within tx. It returns what is new: r, unless it is known already,
// and what could not be read before r was here.
func (d *Daemon) captureIn(tx *sqlite.Tx, r record.Received) (news []record.Received, err error) {
	if r.Kind == record.Participants && r.Type == record.Present {
		if nothing, err := d.listed(tx, r); err != nil || nothing {
			return nil, err
		}
	}
	if r, err = d.unseal(tx, r); err != nil {
		return nil, err
	}
	c, err := d.archive.Capture(tx, d.now(), r)
	if err != nil || !c.Fresh {
		return nil, err
	}
	if err := d.causes(tx, r, c); err != nil {
		return nil, err
	}
	read, err := d.nowReadable(tx, r, c)
	return append([]record.Received{r}, read...), err
}

// causes sees to what a record causes, besides being there: one that has just been
// captured, or one that could not be read until now.
func (d *Daemon) causes(tx *sqlite.Tx, r record.Received, c archive.Captured) (err error) {
	rules := d.forward[r.Group]
	switch {
	case r.Type == record.Sealed && r.Kind.Follows(): // nobody knows yet
	case r.Kind == record.Participants: // it may tell that two are one
		err = errors.Join(people.Changed(tx, d.now(), r), archive.Reconcile(tx))
	case r.Kind == record.Reaction:
		err = errors.Join(rules.Reacted(tx, d.now(), r, c), d.holdAsked(tx, r, c))
	case r.Kind == record.Edit, r.Kind == record.Deletion:
		err = rules.Changed(tx, d.now(), c)
	case r.Kind == record.Message, r.Kind == record.Unsupported:
		err = rules.Arrived(tx, d.now(), c)
	}
	if err == nil && r.File != nil {
		err = vault.Want(tx, d.now(), c.Seq, r.FileType(), *r.File)
	}
	if err == nil {
		err = d.alert(tx, r, c)
	}
	if err == nil && ofGroup(r) {
		err = d.alertGroup(tx, r.Group)
	}
	return err
}

// download fetches a file, as WhatsApp keeps it.
func (d *Daemon) download(ctx context.Context, t record.Type, f record.File, w io.Writer) error {
	err := d.session.Download(ctx, t, f, w)
	if errors.Is(err, whatsapp.ErrGone) {
		return fmt.Errorf("%w: %w", vault.ErrGone, err)
	}
	return err
}

// counted does f and adds one event with its outcome to the account.
func (d *Daemon) counted(ctx context.Context, o archive.Outcome, f func(*sqlite.Tx) error) error {
	err := d.db.Write(ctx, func(tx *sqlite.Tx) error {
		return errors.Join(f(tx), d.account(tx, o))
	})
	if err != nil {
		return d.failed(ctx, err)
	}
	d.uncounted = 0
	d.took()
	return nil
}

// failed counts an event that could not be dealt with, if that much still can
// be, and returns why. An event that came too late, while the daemon stops, will
// be counted when it comes again.
func (d *Daemon) failed(ctx context.Context, why error) error {
	if errors.Is(why, context.Canceled) {
		return why
	}
	if sqlite.Refusal(why) != "" && d.refused.Load() == nil {
		d.look()
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := d.db.Write(ctx, func(tx *sqlite.Tx) error {
		return d.account(tx, archive.HasFailed)
	}); err != nil {
		d.log.Error("failed event not counted yet", "err", err)
		d.uncounted++
		return why
	}
	d.uncounted = 0
	return why
}

// account counts an event with its outcome, and those that failed and could not even be
// counted then.
func (d *Daemon) account(tx *sqlite.Tx, o archive.Outcome) error {
	err := archive.Count(tx, d.now(), d.intake, d.received.Load(), o)
	if err == nil && d.uncounted > 0 {
		err = archive.CountAll(tx, d.now(), d.intake, d.received.Load(), archive.HasFailed, d.uncounted)
	}
	return err
}

// missing notes a message that cannot be read.
func (d *Daemon) missing(ctx context.Context, m whatsapp.Missed) error {
	d.log.Warn("a message could not be read; a gap is open", "cause", m.Cause)
	return d.counted(ctx, archive.HasFailed, func(tx *sqlite.Tx) error {
		return d.archive.MissMessage(tx, d.now(), archive.Missed(m))
	})
}

// lost notes that WhatsApp announced or sent what is not here; of which chat, it does not
// say.
func (d *Daemon) lost(ctx context.Context, cause string) error {
	d.log.Warn("something did not arrive; a gap is open", "cause", cause)
	return d.db.Write(ctx, func(tx *sqlite.Tx) error {
		return archive.OpenGap(tx, d.now(), d.now(), archive.NotDelivered, cause)
	})
}

func (d *Daemon) connected(ctx context.Context) error {
	d.log.Info("connected to WhatsApp")
	defer d.look() // systemd shows how the link is
	d.connectedAt.CompareAndSwap(0, time.Now().UnixNano())
	err := d.db.Write(ctx, func(tx *sqlite.Tx) error {
		return errors.Join(archive.CloseGap(tx, d.now()), archive.Alive(tx, d.now(), d.intake), vault.Retry(tx, d.now()),
			history.Reconnected(tx, d.now()))
	})
	d.vault.Wake()
	d.wakeHistory()
	return err
}

func (d *Daemon) disconnected(ctx context.Context, since time.Time, cause string) error {
	d.log.Warn("not connected to WhatsApp", "cause", cause)
	defer d.tell()
	return d.db.Write(ctx, func(tx *sqlite.Tx) error { return d.absent(tx, since, archive.NotConnected, cause) })
}

func (d *Daemon) linkLost(ctx context.Context, cause string) error {
	d.log.Error("the link to WhatsApp is lost: nothing is captured until somebody links again", "cause", cause)
	defer d.tell()
	return d.db.Write(ctx, func(tx *sqlite.Tx) error {
		return errors.Join(
			d.journaled(tx, journal.LinkLost, journal.About{"cause": cause}), d.absent(tx, d.now(), archive.NotLinked, cause))
	})
}

// absent notes that nothing is received, and since when, and that the daemon is there:
// should it be killed, that it was not running is another cause. It tells somebody, unless
// that can wait.
func (d *Daemon) absent(tx *sqlite.Tx, since time.Time, kind archive.GapKind, cause string) error {
	now := d.now()
	return errors.Join(archive.OpenGap(tx, now, since, kind, cause), archive.Alive(tx, now, d.intake), d.raiseLink(tx))
}
