package daemon

import (
	"context"
	"fmt"
	"time"

	"muniment/internal/alert"
	"muniment/internal/archive"
	"muniment/internal/journal"
	"muniment/internal/sqlite"
	"muniment/internal/systemd"
	"muniment/internal/vault"
)

// A refusal is that nothing can be written to the archive or to the session, since when
// and why: the disk is full, as a rule. Then nothing is acknowledged, and WhatsApp keeps
// what is sent.
type refusal struct {
	since time.Time
	why   string
}

// unwritable says to everybody what that means.
func unwritable(why string) string {
	return "the archive cannot be written to: " + why + "; WhatsApp keeps what is sent and will deliver it again"
}

// look has beat see whether the disk takes writes, since it did not just now, or does again;
// and tell systemd how it is.
func (d *Daemon) look() {
	select {
	case d.lookNow <- struct{}{}:
	default: // it will look anyway
	}
}

// took notes that the archive has taken a write.
func (d *Daemon) took() {
	if d.refused.Load() != nil {
		d.look()
	}
}

// writable writes to the archive that the daemon is there.
func (d *Daemon) writable(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	return d.db.Write(ctx, func(tx *sqlite.Tx) error { return archive.Alive(tx, d.now(), d.intake) })
}

// written writes to the archive, and to the session if that was refused.
func (d *Daemon) written(ctx context.Context) error {
	if err := d.writable(ctx); err != nil || d.session.Refused() == "" {
		return err
	}
	return d.session.Write(ctx)
}

// judge notes whether the archive takes writes, by what came of one, and says so when that
// changes. It returns false if there is no use in writing more. Only beat calls it.
func (d *Daemon) judge(ctx context.Context, err error) bool {
	was := d.refused.Load()
	why := sqlite.Refusal(err)
	switch {
	case ctx.Err() != nil:
	case why != "" && was == nil:
		d.refused.Store(&refusal{d.now(), why})
		d.log.Error(unwritable(why))
		d.tellUnwritable(why)
		d.session.Pause("Nothing could be written to the disk.")
	case err == nil && was != nil:
		if err := d.recover(ctx, *was); err != nil {
			d.log.Error("the archive takes writes again, but not this", "err", err)
			return false
		}
		d.refused.Store(nil)
		d.log.Info("the archive can be written to again")
	case err != nil && why == "":
		d.log.Error("the archive cannot be written to", "err", err)
	}
	return err == nil
}

// recover makes good what could not be written, once it can be again. What was sent
// meanwhile comes with the next connection.
func (d *Daemon) recover(ctx context.Context, from refusal) error {
	err := d.db.Write(ctx, func(tx *sqlite.Tx) error {
		err := journal.Write(tx, journal.Entry{At: d.now(), Who: journal.Daemon, Act: journal.Unwritable, Reason: from.why,
			About: journal.About{"since": from.since.UTC().Format(time.RFC3339)}})
		if err != nil {
			return err
		}
		if err := d.desk.Passed(tx, d.now(), alert.Condition{Kind: alert.Unwritable, Since: from.since, Cause: from.why}); err != nil {
			return err
		}
		return vault.Retry(tx, d.now())
	})
	if err != nil {
		return err
	}
	d.vault.Wake()
	d.outbox.Wake()
	d.session.Resume()
	return nil
}

// started says why the daemon could not start, in words for people if it is the disk.
func started(err error) error {
	why := sqlite.Refusal(err)
	if why == "" {
		return err
	}
	_ = systemd.Status(unwritable(why)) // said in the log too
	return fmt.Errorf("%s: %w", unwritable(why), err)
}
