package backup

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"filippo.io/age"

	"muniment/internal/archive"
	"muniment/internal/disposal"
	"muniment/internal/journal"
	"muniment/internal/ledger"
	"muniment/internal/sqlite"
	"muniment/internal/vault"
	"muniment/internal/verify"
)

// RehearseEvery is how often a restore should be rehearsed: what nobody has ever restored is
// no backup.
const RehearseEvery = 92 * 24 * time.Hour

// Rehearsed is what a rehearsal found.
type Rehearsed struct {
	Manifest  Manifest
	Name      string
	Records   int64 // that a restore would bring back
	Stubs     int64
	Destroyed int // records that were destroyed again
	Files     int // photos and others, all of them in the directory and as they should be
}

// Rehearse does with a sealed backup all that a restore does, in a directory that is removed
// afterwards, and compares the outcome with the archive. An empty name is the newest. Only who
// has the secret key can do it; it is forgotten with the command.
func (t *Target) Rehearse(ctx context.Context, name string, by By, identities ...age.Identity) (done Rehearsed, err error) {
	release, err := Quiet(ctx, t.State) // which removes the directory, too, if this is killed
	if err != nil {
		return done, err
	}
	defer release()
	if err := t.ours(ctx); err != nil {
		return done, err
	}
	if name == "" {
		if name, err = Newest(t.Directory); err != nil {
			return done, err
		}
	}
	done.Name = filepath.Base(name)
	defer func() { err = errors.Join(err, os.RemoveAll(plain(t.State))) }()
	if err = t.rehearse(ctx, name, &done, by, identities); err != nil && ctx.Err() == nil {
		return done, errors.Join(fmt.Errorf("rehearse a restore: %w", err), t.failed(ctx, by, journal.RehearsalFailed, journal.Rehearsed, err))
	} else if err != nil {
		return done, err
	}
	return done, t.DB.Write(ctx, func(tx *sqlite.Tx) error {
		return journal.Write(tx, journal.Entry{At: t.Now(), Who: by.Who, Act: journal.Rehearsed, Reason: by.Reason, About: journal.About{
			"backup": done.Name, "made": sqlite.FormatTime(done.Manifest.MadeAt), "records": done.Records, "destroyed again": done.Destroyed, "files": done.Files}})
	})
}

func (t *Target) rehearse(ctx context.Context, name string, done *Rehearsed, by By, identities []age.Identity) (err error) {
	if err := t.room(); err != nil {
		return err
	}
	if err := os.Mkdir(plain(t.State), 0o700); err != nil {
		return err
	}
	f, err := os.Open(filepath.Join(t.Directory, filepath.Base(name)))
	if filepath.IsAbs(name) {
		f, err = os.Open(name)
	}
	if err != nil {
		return err
	}
	defer f.Close()
	o, err := Open(f, identities...)
	if err != nil {
		return err
	}
	if err := o.Extract(plain(t.State)); err != nil {
		return err
	}
	done.Manifest = o.Manifest
	key, err := ledger.LoadKey(filepath.Join(plain(t.State), KeyName))
	if err != nil {
		return err
	}
	if key.Public() != t.Key.Public() {
		return errors.New("the backup is of another archive")
	}
	db, err := sqlite.Open(ctx, filepath.Join(plain(t.State), ArchiveName))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	report, err := verify.Run(ctx, db, key, verify.With{Disposal: disposal.Faults, Checkpoints: []string{o.Manifest.Checkpoint}})
	if err != nil {
		return err
	}
	if !report.OK() {
		return fmt.Errorf("what is in the backup does not verify: %s", report.Faults[0])
	}
	accounts, err := readAccounts(key, []string{filepath.Join(t.Directory, DestroyedDirectory)})
	if err != nil {
		return err
	}
	again, err := repeat(ctx, db, key, plain(t.State), t.Log, t.Now, accounts, by.Who, by.Reason)
	if err != nil {
		return err
	}
	done.Destroyed = again.Destroyed
	if err := t.compare(ctx, db, done); err != nil {
		return err
	}
	return t.checkFiles(ctx, db, done)
}

// compare compares what a restore would bring back with the archive: whatever is destroyed
// here is destroyed there, and all else that was here then is there.
func (t *Target) compare(ctx context.Context, restored *sqlite.DB, done *Rehearsed) error {
	count := func(db *sqlite.DB) (kept, stubs int64, err error) {
		err = db.Read(ctx, func(tx *sqlite.Tx) error {
			kept, stubs, err = archive.Before(tx, done.Manifest.Leaves)
			return err
		})
		return kept, stubs, err
	}
	var head ledger.Hash
	if err := t.DB.Read(ctx, func(tx *sqlite.Tx) (err error) {
		head, err = ledger.Root(tx, done.Manifest.Leaves)
		return err
	}); err != nil {
		return err
	}
	if base64.StdEncoding.EncodeToString(head[:]) != done.Manifest.Root {
		return errors.New("the backup does not hold what the archive held then: was the archive restored since?")
	}
	kept, stubs, err := count(t.DB)
	if err != nil {
		return err
	}
	if done.Records, done.Stubs, err = count(restored); err != nil {
		return err
	}
	if kept != done.Records || stubs != done.Stubs {
		return fmt.Errorf("of what was recorded up to then the archive has %d records and %d stubs, but a restore would bring back %d and %d: are the accounts in %s whole?",
			kept, stubs, done.Records, done.Stubs, filepath.Join(t.Directory, DestroyedDirectory))
	}
	return nil
}

// checkFiles reads the vault's files in the directory that a restore would need.
func (t *Target) checkFiles(ctx context.Context, restored *sqlite.DB, done *Rehearsed) error {
	var digests [][]byte
	if err := restored.Read(ctx, func(tx *sqlite.Tx) (err error) {
		digests, err = vault.Digests(tx)
		return err
	}); err != nil {
		return err
	}
	bad := 0
	for _, sealed := range digests {
		if err := ctx.Err(); err != nil {
			return err
		}
		if is, err := hasDigest(filepath.Join(t.Directory, MediaDirectory, vault.Name(sealed)), sealed); err != nil {
			return err
		} else if !is {
			bad++
		}
	}
	done.Files = len(digests) - bad
	if bad > 0 {
		return fmt.Errorf("%d photos or other files are missing in the backup directory, or damaged there", bad)
	}
	return nil
}

// Newest returns the newest sealed file in a backup directory.
func Newest(directory string) (path string, err error) {
	entries, err := os.ReadDir(directory)
	if err != nil {
		return "", fmt.Errorf("read the backup directory: %w", err)
	}
	for _, e := range entries { // in the order of their names, and so of time
		if _, is := MadeAt(e.Name()); is {
			path = filepath.Join(directory, e.Name())
		}
	}
	if path == "" {
		return "", fmt.Errorf("there is no backup in %s: their names begin with archive- and end with .age", directory)
	}
	return path, nil
}

// LastRehearsed returns when a restore was last rehearsed; since is when the first backup was
// made, if none ever was. Both are zero where there is no backup.
func LastRehearsed(tx *sqlite.Tx) (last, since time.Time, err error) {
	if _, last, err = journal.LastOf(tx, journal.Rehearsed); err != nil || !last.IsZero() {
		return last, time.Time{}, err
	}
	all, err := All(tx)
	if err != nil || len(all) == 0 {
		return last, since, err
	}
	return last, all[0].MadeAt, nil
}
