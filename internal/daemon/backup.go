package daemon

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/robfig/cron/v3"

	"muniment/internal/alert"
	"muniment/internal/backup"
	"muniment/internal/command"
	"muniment/internal/config"
	"muniment/internal/disposal"
	"muniment/internal/ledger"
	"muniment/internal/letter"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
)

// sendPatience is how long a command may take that copies backups elsewhere: the first time
// it copies all photos.
const sendPatience = 6 * time.Hour

// Backups returns where the backups of the archive db go, and what they are made of; nil if
// none are made.
func (h Home) Backups(c config.Config, db *sqlite.DB, key *ledger.Key, log *slog.Logger, now func() time.Time, version string) (*backup.Target, error) {
	if !c.Backup.Made() {
		return nil, nil
	}
	recipient, err := backup.ParseRecipient(c.Backup.Recipient)
	if err != nil {
		return nil, errors.New("backup.recipient: " + err.Error())
	}
	return &backup.Target{
		DB: db, Key: key, Vault: h.Vault(db), Log: log, Now: now,
		State: string(h), KeyFile: h.ledgerKey(), Config: c.File, Schedule: c.Retention.File,
		Directory: c.Backup.Directory, Recipient: recipient, KeepDays: c.Backup.KeepDays,
		Copy:    command.Command{Name: "the command that copies backups elsewhere", Argv: c.Backup.Copy, Patience: sendPatience},
		Prune:   command.Command{Name: "the command that removes old backups elsewhere", Argv: c.Backup.Prune, Patience: sendPatience},
		Council: c.Council.Name, Program: "muniment " + version,
	}, nil
}

// wireBackups has disposal know of the backups.
func (d *Daemon) wireBackups(ctx context.Context) (err error) {
	if d.backups, err = d.home.Backups(d.o.Config, d.db, d.key, d.log, d.now, d.o.Version); err != nil {
		return err
	}
	register := d.backups
	if register == nil { // there may be some of the time when they were made
		register = &backup.Target{Now: d.now}
		var once []backup.Backup
		if err := d.db.Read(ctx, func(tx *sqlite.Tx) (err error) {
			once, err = backup.All(tx)
			return err
		}); err != nil || len(once) == 0 {
			return err
		}
	} else {
		d.disposal.Publish = d.backups.Publish
	}
	d.disposal.Backups = func(tx *sqlite.Tx, before time.Time) (disposal.Backups, error) {
		if d.backupsDoubted != nil {
			return disposal.Backups{}, d.backupsDoubted
		}
		left, err := register.Backups(tx, before)
		return disposal.Backups{Left: left.Number, Never: left.Never, Gone: left.Gone}, err
	}
	return nil
}

// Quiet keeps backups from being made until release is called; see [backup.Quiet].
func (h Home) Quiet(ctx context.Context) (release func(), err error) {
	return backup.Quiet(ctx, string(h))
}

// lookForBackups is how often it is looked whether a backup is due: a timer that is set for
// the next night may not go off when the machine sleeps.
const lookForBackups = 10 * time.Minute

// runBackups looks now and then whether a backup is due.
func (d *Daemon) runBackups(ctx context.Context) error {
	if d.backups == nil || d.o.Demonstration { // its clock is stepped
		<-ctx.Done()
		return nil
	}
	for {
		if err := d.backUp(ctx); err != nil && ctx.Err() == nil {
			d.log.Error("backup failed; it will be tried again", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(lookForBackups):
		}
	}
}

// backUp makes a backup if one is due, and does what belongs to it.
func (d *Daemon) backUp(ctx context.Context) error {
	due, err := d.backupDue(ctx)
	if err != nil || !due {
		return err
	}
	d.backupTried = d.now()
	err = d.backups.Round(ctx, backup.Nightly)
	d.look()
	return err
}

// backupDue reports whether the time for a backup has come since the last was made, be it
// that the machine was off then, or since one was tried in vain: that is tried again at its
// next time, or when the daemon starts.
func (d *Daemon) backupDue(ctx context.Context) (due bool, err error) {
	err = d.db.Read(ctx, func(tx *sqlite.Tx) error {
		s, err := backup.StandingOf(tx)
		if err != nil {
			return err
		}
		last := later(s.Last.MadeAt, d.backupTried)
		if last.After(d.now()) { // the clock was ahead
			last = time.Time{}
		}
		next, err := nextBackup(d.o.Config.Backup, last)
		due = last.IsZero() || !next.After(d.now())
		return err
	})
	return due, err
}

// nextBackup returns when the backup after one of that time is to be made.
func nextBackup(c config.Backup, last time.Time) (time.Time, error) {
	schedule, err := cron.ParseStandard(c.Schedule)
	if err != nil {
		return time.Time{}, err
	}
	return schedule.Next(last.In(retention.London)), nil
}

// dispose does what is due of disposal. No backup is made meanwhile, and what an earlier one
// left is removed; and the register is compared with what is there, since a run goes by it.
func (d *Daemon) dispose(ctx context.Context) error {
	release, err := d.home.Quiet(ctx)
	if err != nil {
		return err
	}
	defer release()
	if d.backups != nil {
		d.backupsDoubted = d.backups.Reconcile(ctx)
	}
	return d.disposal.Nightly(ctx)
}

// expireBackups removes the backups whose time is over, whether or not one is made tonight.
func (d *Daemon) expireBackups(ctx context.Context) error {
	if d.backups == nil {
		return nil
	}
	return d.backups.Expire(ctx)
}

// noneFor is for how long there may be no backup, after one was due, before somebody is told
// even if nothing is known to have failed.
const noneFor = 2 * 24 * time.Hour

// backupWrong tells that no backups are made as they should be, or are not where they should
// be, or still are.
func (d *Daemon) backupWrong(tx *sqlite.Tx) (all []alert.Condition, err error) {
	if d.backups == nil {
		return nil, nil
	}
	s, err := backup.StandingOf(tx)
	if err != nil {
		return nil, err
	}
	last := s.Last.MadeAt
	if last.IsZero() {
		last = d.startedAt
	}
	next, err := nextBackup(d.o.Config.Backup, last)
	if err != nil {
		return nil, err
	}
	switch late := d.now().Sub(next) >= noneFor; {
	case late:
		all = append(all, alert.Condition{Kind: alert.NoBackup, Since: last, Cause: s.Failed.Reason, Unsure: d.now().Sub(d.startedAt) < settlesIn})
	case s.Failed.ID != 0:
		all = append(all, alert.Condition{Kind: alert.BackupFailed, Since: s.Failed.At, Cause: s.Failed.Reason})
	}
	if s.NotCopied.ID != 0 {
		all = append(all, alert.Condition{Kind: alert.BackupNotCopied, Since: s.NotCopied.At, Cause: s.NotCopied.Reason})
	}
	if s.NotPruned.ID != 0 {
		all = append(all, alert.Condition{Kind: alert.BackupNotPruned, Since: s.NotPruned.At, Cause: s.NotPruned.Reason})
	}
	return all, nil
}

// backupsOf gathers what a digest says of backups.
func backupsOf(tx *sqlite.Tx, c config.Config, now time.Time) (b letter.Backups, err error) {
	s, err := backup.StandingOf(tx)
	if err != nil {
		return b, err
	}
	b = letter.Backups{Made: c.Backup.Made(), Last: s.Last.MadeAt, Kept: s.Here, Directory: c.Backup.Directory, Elsewhere: len(c.Backup.Copy) > 0, Copied: s.Copied}
	var since time.Time
	if b.Rehearsed, since, err = backup.LastRehearsed(tx); err != nil {
		return b, err
	}
	if !b.Rehearsed.IsZero() {
		since = b.Rehearsed
	}
	b.RehearsalDue = b.Made && !since.IsZero() && now.Sub(since) > backup.RehearseEvery
	return b, nil
}
