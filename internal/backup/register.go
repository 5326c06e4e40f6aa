package backup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"muniment/internal/journal"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
)

// Backup is a sealed file as the register knows it.
type Backup struct {
	ID         int64
	Directory  string
	Name       string
	MadeAt     time.Time // what it holds is the archive as it was then
	Bytes      int64
	Digest     []byte // of the file; empty: it was found in the directory, and not made by this archive
	Leaves     int64
	Records    int64
	Sent       time.Time // since when a copy may be elsewhere; zero: there is none by our doing
	Copied     time.Time // since when one certainly is
	Gone       time.Time // from its directory; zero: it is there
	RemoteGone time.Time // likewise every copy
}

// Path is where the file lies.
func (b Backup) Path() string { return filepath.Join(b.Directory, b.Name) }

// Verified reports whether this archive made it, and so verified what it holds.
func (b Backup) Verified() bool { return len(b.Digest) > 0 }

// Elsewhere reports whether a copy of it may be elsewhere.
func (b Backup) Elsewhere() bool { return !b.Sent.IsZero() && b.RemoteGone.IsZero() }

// All returns the register, the oldest first.
func All(tx *sqlite.Tx) ([]Backup, error) {
	rows, err := tx.Query(`
		SELECT id, directory, name, made_at, bytes, digest, leaves, records,
			coalesce(sent_at, ''), coalesce(copied_at, ''), coalesce(gone_at, ''), coalesce(remote_gone_at, '')
		FROM backup ORDER BY made_at, id`)
	if err != nil {
		return nil, fmt.Errorf("read the register of backups: %w", err)
	}
	defer rows.Close()
	var all []Backup
	for rows.Next() {
		var b Backup
		var made, sent, copied, gone, remoteGone string
		if err := rows.Scan(&b.ID, &b.Directory, &b.Name, &made, &b.Bytes, &b.Digest, &b.Leaves, &b.Records, &sent, &copied, &gone, &remoteGone); err != nil {
			return nil, fmt.Errorf("read the register of backups: %w", err)
		}
		for _, t := range []struct {
			to   *time.Time
			text string
		}{{&b.MadeAt, made}, {&b.Sent, sent}, {&b.Copied, copied}, {&b.Gone, gone}, {&b.RemoteGone, remoteGone}} {
			if *t.to, err = sqlite.ParseTime(t.text); err != nil {
				return nil, fmt.Errorf("read the register of backups: %w", err)
			}
		}
		all = append(all, b)
	}
	return all, rows.Err()
}

// here returns the backups that should lie in the directory.
func (t *Target) here(tx *sqlite.Tx) ([]Backup, error) {
	all, err := All(tx)
	return slices.DeleteFunc(all, func(b Backup) bool { return b.Directory != t.Directory || !b.Gone.IsZero() }), err
}

// register enters a backup that was made.
func (t *Target) register(tx *sqlite.Tx, b Backup, by By) error {
	id, err := enter(tx, b)
	if err != nil {
		return err
	}
	return journal.Write(tx, journal.Entry{At: t.Now(), Who: by.Who, Act: journal.BackupMade, Reason: by.Reason,
		About: journal.About{"backup": id, "leaves": b.Leaves, "records": b.Records, "bytes": b.Bytes}})
}

// enter writes a backup into the register. One that had gone may be there again, put back by
// somebody.
func enter(tx *sqlite.Tx, b Backup) (id int64, err error) {
	if b.Digest == nil {
		b.Digest = []byte{}
	}
	var sent any
	if !b.Sent.IsZero() {
		sent = sqlite.FormatTime(b.Sent)
	}
	if err := tx.QueryRow(`
		INSERT INTO backup (directory, name, made_at, bytes, digest, leaves, records, sent_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (directory, name) DO UPDATE SET gone_at = NULL, remote_gone_at = NULL, copied_at = NULL, sent_at = coalesce(excluded.sent_at, sent_at)
		RETURNING id`,
		b.Directory, b.Name, sqlite.FormatTime(b.MadeAt), b.Bytes, b.Digest, b.Leaves, b.Records, sent).Scan(&id); err != nil {
		return 0, fmt.Errorf("register a backup: %w", err)
	}
	return id, nil
}

// Reconcile compares the register with the directory. What is there no more is noted as
// gone; what is there and was not known is entered: it was put into its place just before the
// program was killed, or the archive was restored from an older one. It must be done before
// [Target.Backups] is asked. Nobody may be making a backup meanwhile: see [Quiet].
func (t *Target) Reconcile(ctx context.Context) error {
	if err := t.ours(ctx); err != nil {
		return err
	}
	entries, err := os.ReadDir(t.Directory)
	if err != nil {
		return fmt.Errorf("the backup directory cannot be read: %w", err)
	}
	there := make(map[string]fs.DirEntry)
	for _, e := range entries {
		if _, is := MadeAt(e.Name()); is && e.Type().IsRegular() {
			there[e.Name()] = e
		}
	}
	return t.DB.Write(ctx, func(tx *sqlite.Tx) error {
		here, err := t.here(tx)
		if err != nil {
			return err
		}
		for _, b := range here {
			if _, is := there[b.Name]; is {
				delete(there, b.Name)
			} else if err := t.gone(tx, b, "it was not in the backup directory any more"); err != nil {
				return err
			}
		}
		for name, e := range there {
			if err := t.found(tx, name, e); err != nil {
				return err
			}
		}
		return nil
	})
}

func (t *Target) found(tx *sqlite.Tx, name string, e fs.DirEntry) error {
	info, err := e.Info()
	if err != nil {
		return err
	}
	b := Backup{Directory: t.Directory, Name: name, Bytes: info.Size()}
	b.MadeAt, _ = MadeAt(name)
	if len(t.Copy.Argv) > 0 { // nobody knows whether it was copied elsewhere
		b.Sent = t.Now()
	}
	id, err := enter(tx, b)
	if err != nil {
		return err
	}
	return journal.Write(tx, journal.Entry{At: t.Now(), Who: journal.Daemon, Act: journal.BackupFound, About: journal.About{"backup": id}})
}

// gone notes that a backup is not in its directory any more.
func (t *Target) gone(tx *sqlite.Tx, b Backup, why string) error {
	if _, err := tx.Exec("UPDATE backup SET gone_at = ? WHERE id = ?", sqlite.FormatTime(t.Now()), b.ID); err != nil {
		return fmt.Errorf("backup %d: %w", b.ID, err)
	}
	return journal.Write(tx, journal.Entry{At: t.Now(), Who: journal.Daemon, Act: journal.BackupGone, Reason: why, About: journal.About{"backup": b.ID}})
}

// Expire removes from the directory the backups whose time is over; but never the newest,
// and none while the clock is in doubt.
func (t *Target) Expire(ctx context.Context) error {
	release, err := Quiet(ctx, t.State)
	if err != nil {
		return err
	}
	defer release()
	return t.expire(ctx)
}

func (t *Target) expire(ctx context.Context) error {
	if err := t.ours(ctx); err != nil {
		return err
	}
	var over []Backup
	if err := t.DB.Read(ctx, func(tx *sqlite.Tx) error {
		doubted, err := journal.ClockInDoubt(tx)
		if err != nil || doubted {
			return err
		}
		here, err := t.here(tx)
		if err != nil || len(here) == 0 {
			return err
		}
		// Whatever the clock said. Those that were only found got their numbers in no order,
		// and nobody knows whether they can be opened.
		number := func(b Backup) int64 {
			if b.Verified() {
				return b.ID
			}
			return 0
		}
		newest := slices.MaxFunc(here, func(a, b Backup) int {
			return cmp.Or(cmp.Compare(number(a), number(b)), a.MadeAt.Compare(b.MadeAt))
		})
		last := slices.MaxFunc(here, func(a, b Backup) int { return a.MadeAt.Compare(b.MadeAt) })
		for _, b := range here {
			if b.ID != newest.ID && (b.ID != last.ID || b.Verified()) && t.expires(b) <= retention.DateOf(t.Now()) {
				over = append(over, b)
			}
		}
		return nil
	}); err != nil {
		return err
	}
	var errs []error
	for _, b := range over {
		if err := os.Remove(b.Path()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("remove a backup whose time is over: %w", err))
			continue
		}
		if err := syncDirectory(t.Directory); err != nil { // before it is said to have gone
			errs = append(errs, err)
			continue
		}
		errs = append(errs, t.DB.Write(ctx, func(tx *sqlite.Tx) error { return t.gone(tx, b, "its time was over") }))
	}
	return errors.Join(errs...)
}

// expires is the day on which a backup is removed.
func (t *Target) expires(b Backup) retention.Date {
	return retention.DateOf(b.MadeAt).AddDays(t.KeepDays)
}

// Left is what backups still hold of what was in the archive once.
type Left struct {
	Number int            // of backups that are not known to have gone, here or elsewhere
	Never  bool           // some of them never will by our doing
	Gone   retention.Date // by which day the last should have gone; empty if some never will
}

// Backups returns what the backups made before a moment still hold. A backup of which the
// clock says that it is yet to be made was made while the clock was ahead: it counts.
func (t *Target) Backups(tx *sqlite.Tx, before time.Time) (left Left, err error) {
	all, err := All(tx)
	if err != nil {
		return Left{}, err
	}
	for _, b := range all {
		here := b.Gone.IsZero()
		if !here && !b.Elsewhere() || !b.MadeAt.Before(before) && !b.MadeAt.After(t.Now()) {
			continue
		}
		left.Number++
		left.Never = left.Never || here && b.Directory != t.Directory || b.Elsewhere() && len(t.Prune.Argv) == 0
		left.Gone = max(left.Gone, t.expires(b))
	}
	if left.Never {
		left.Gone = ""
	}
	return left, nil
}

// failed journals that something failed, unless the same is known since it last succeeded.
func (t *Target) failed(ctx context.Context, by By, act, success journal.Act, why error) error {
	ctx = context.WithoutCancel(ctx)
	return t.DB.Write(ctx, func(tx *sqlite.Tx) error {
		known, err := failure(tx, act, success)
		if err != nil || known.Reason == why.Error() {
			return err
		}
		return journal.Write(tx, journal.Entry{At: t.Now(), Who: by.Who, Act: act, Reason: why.Error()})
	})
}

// failure returns the last entry of a failure after the last success; none has the number 0.
func failure(tx *sqlite.Tx, act, success journal.Act) (last journal.Entry, err error) {
	id, _, err := journal.LastOf(tx, act)
	if err != nil || id == 0 {
		return journal.Entry{}, err
	}
	if done, _, err := journal.LastOf(tx, success); err != nil || done > id {
		return journal.Entry{}, err
	}
	err = journal.Of(tx, act, func(e journal.Entry, _ int64) error {
		last = e
		return nil
	})
	return last, err
}

// Standing is how it stands with the backups.
type Standing struct {
	Last      Backup    // the newest that was verified; the zero one: there is none
	Here      int       // how many there are, in whichever directory
	Elsewhere int       // of how many a copy may be elsewhere
	Copied    time.Time // when copying elsewhere last succeeded; zero: never

	// What failed when it was last tried; none has the number 0.
	Failed, NotCopied, NotPruned journal.Entry
}

// StandingOf reads how it stands.
func StandingOf(tx *sqlite.Tx) (s Standing, err error) {
	all, err := All(tx)
	if err != nil {
		return s, err
	}
	for _, b := range all {
		if b.Gone.IsZero() {
			s.Here++
			if b.Verified() && b.ID > s.Last.ID { // whatever the clock said
				s.Last = b
			}
		}
		if b.Elsewhere() {
			s.Elsewhere++
		}
	}
	if _, s.Copied, err = journal.LastOf(tx, journal.BackupCopied); err != nil {
		return s, err
	}
	for _, f := range []struct {
		into         *journal.Entry
		act, success journal.Act
	}{
		{&s.Failed, journal.BackupFailed, journal.BackupMade},
		{&s.NotCopied, journal.BackupNotCopied, journal.BackupCopied},
		{&s.NotPruned, journal.BackupNotPruned, journal.BackupPruned},
	} {
		if *f.into, err = failure(tx, f.act, f.success); err != nil {
			return s, err
		}
	}
	return s, nil
}

// stamp notes that something has happened to backups at that moment; but only of those to
// which it had not happened before.
func stamp(tx *sqlite.Tx, now, column string, all []Backup) error {
	for _, b := range all {
		if _, err := tx.Exec("UPDATE backup SET "+column+" = coalesce("+column+", ?) WHERE id = ?", now, b.ID); err != nil {
			return fmt.Errorf("backup %d: %w", b.ID, err)
		}
	}
	return nil
}

// NoteGone notes on somebody's word that a backup has gone, from its directory or from
// everywhere else. file is its name, with or without its directory.
func NoteGone(tx *sqlite.Tx, now time.Time, by By, file string, elsewhere bool) error {
	all, err := All(tx)
	if err != nil {
		return err
	}
	named := slices.DeleteFunc(all, func(b Backup) bool { return b.Path() != file && b.Name != file })
	if len(named) != 1 {
		return fmt.Errorf("there are %d backups called %s on the register: see “muniment backup list”", len(named), file)
	}
	b, column, where := named[0], "gone_at", "here"
	if elsewhere {
		column, where = "remote_gone_at", "elsewhere"
		if b.Sent.IsZero() || !b.RemoteGone.IsZero() {
			return fmt.Errorf("there is no copy of %s elsewhere that is known", file)
		}
	} else if !b.Gone.IsZero() {
		return fmt.Errorf("%s is gone already", file)
	} else if _, err := os.Lstat(b.Path()); err == nil {
		return fmt.Errorf("%s is still there", b.Path())
	} else if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("it cannot be seen whether %s is there: %w", file, err)
	}
	if err := stamp(tx, sqlite.FormatTime(now), column, named); err != nil {
		return err
	}
	return journal.Write(tx, journal.Entry{At: now, Who: by.Who, Act: journal.BackupGone, Reason: by.Reason, About: journal.About{"backup": b.ID, "where": where}})
}
