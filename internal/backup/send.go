package backup

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"muniment/internal/journal"
	"muniment/internal/sqlite"
)

// Send has the directory copied elsewhere, and what has gone from it removed there, if there
// are commands for these.
//
// What they do nobody can see from here, so their exit code is believed: after a copy that
// succeeded, another place holds all that the directory holds; after a prune that succeeded,
// nothing that the directory no longer holds. From the moment that a copy is begun, it may
// be anywhere.
func (t *Target) Send(ctx context.Context, by By) error {
	if len(t.Copy.Argv) == 0 && len(t.Prune.Argv) == 0 {
		return nil
	}
	return errors.Join(t.copyOut(ctx, by), t.prune(ctx, by))
}

// copyOut has the directory copied elsewhere. The files that are new there, besides those of
// the vault, are named to the command.
func (t *Target) copyOut(ctx context.Context, by By, accounts ...string) error {
	if len(t.Copy.Argv) == 0 {
		return nil
	}
	t.sending.Lock()
	defer t.sending.Unlock()
	if err := t.ours(ctx); err != nil { // which is told as a backup that failed
		return err
	}
	var here []Backup
	err := t.DB.Write(ctx, func(tx *sqlite.Tx) (err error) {
		if here, err = t.here(tx); err != nil {
			return err
		}
		return stamp(tx, sqlite.FormatTime(t.Now()), "sent_at", here)
	})
	if err == nil {
		fresh := slices.DeleteFunc(slices.Clone(here), func(b Backup) bool { return !b.Copied.IsZero() })
		err = t.Copy.Run(ctx, nil, t.variables(append(names(fresh), accounts...))...)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return errors.Join(err, t.failed(ctx, by, journal.BackupNotCopied, journal.BackupCopied, err))
	}
	return t.DB.Write(ctx, func(tx *sqlite.Tx) error {
		if err := stamp(tx, sqlite.FormatTime(t.Now()), "copied_at", here); err != nil {
			return err
		}
		return journal.Write(tx, journal.Entry{At: t.Now(), Who: by.Who, Act: journal.BackupCopied, Reason: by.Reason, About: journal.About{"backups": len(here)}})
	})
}

// prune has removed elsewhere what is not in the directory any more, backups and files.
func (t *Target) prune(ctx context.Context, by By) error {
	if len(t.Prune.Argv) == 0 {
		return nil
	}
	t.sending.Lock()
	defer t.sending.Unlock()
	if err := t.ours(ctx); err != nil { // an empty directory would have everything removed elsewhere
		return err
	}
	var gone []Backup
	err := t.DB.Read(ctx, func(tx *sqlite.Tx) error {
		all, err := All(tx)
		gone = slices.DeleteFunc(all, func(b Backup) bool { return b.Gone.IsZero() || !b.Elsewhere() })
		return err
	})
	if err == nil {
		err = t.Prune.Run(ctx, nil, t.variables(names(gone))...)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return errors.Join(err, t.failed(ctx, by, journal.BackupNotPruned, journal.BackupPruned, err))
	}
	return t.DB.Write(ctx, func(tx *sqlite.Tx) error {
		if err := stamp(tx, sqlite.FormatTime(t.Now()), "remote_gone_at", gone); err != nil {
			return err
		}
		if failed, err := failure(tx, journal.BackupNotPruned, journal.BackupPruned); err != nil || failed.ID == 0 && len(gone) == 0 {
			return err // nothing worth an entry
		}
		return journal.Write(tx, journal.Entry{At: t.Now(), Who: by.Who, Act: journal.BackupPruned, Reason: by.Reason, About: journal.About{"backups": len(gone)}})
	})
}

// variables are what a command is told in its environment.
func (t *Target) variables(files []string) []string {
	return []string{"MUNIMENT_BACKUP_DIRECTORY=" + t.Directory, "MUNIMENT_BACKUP_FILES=" + strings.Join(files, "\n")}
}

func names(all []Backup) (names []string) {
	for _, b := range all {
		names = append(names, b.Name)
	}
	return names
}

// Publish writes the account of what a run destroyed where whoever restores a backup finds
// it, removes the destroyed records' files from the directory, and has all that copied
// elsewhere. Only then may there be a certificate. Whoever calls it keeps backups from being
// made meanwhile: see [Quiet].
func (t *Target) Publish(ctx context.Context, run int64, account string) error {
	if err := t.ours(ctx); err != nil {
		return err
	}
	if err := t.setAside(run, []byte(account)); err != nil {
		return err
	}
	if err := t.place(AccountName(run), []byte(account)); err != nil {
		return err
	}
	if err := syncDirectory(filepath.Join(t.Directory)); err != nil { // the accounts' directory may be new
		return err
	}
	if err := t.removeFiles(ctx); err != nil {
		return err
	}
	if err := t.copyOut(ctx, Nightly, AccountName(run)); err != nil {
		return err
	}
	if err := t.prune(ctx, Nightly); err != nil && ctx.Err() == nil {
		t.Log.Error("copies of backups elsewhere not removed; it will be tried again", "err", err) // no certificate waits for it
	}
	return ctx.Err()
}

// setAside keeps another account of a run of that number under a name of its own. An archive
// that was restored without the accounts gives their numbers anew, and what they name must
// not come back from an older backup. Whoever restores reads all.
func (t *Target) setAside(run int64, account []byte) error {
	path := filepath.Join(t.Directory, AccountName(run))
	have, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && bytes.Equal(have, account) {
		return nil
	} else if err != nil {
		return err
	}
	sum := sha256.Sum256(have)
	return t.place(fmt.Sprintf("%s-%x.note", strings.TrimSuffix(AccountName(run), ".note"), sum[:8]), have)
}
