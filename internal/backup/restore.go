package backup

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"filippo.io/age"

	"muniment/internal/archive"
	"muniment/internal/disposal"
	"muniment/internal/journal"
	"muniment/internal/ledger"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
	"muniment/internal/vault"
	"muniment/internal/verify"
)

// A Restore puts what a backup holds where an archive is to be again.
//
// All of it is built in a directory of its own, and the archive gets its name last. So a
// restore that is broken off, however, leaves no archive, and can be done again; and nothing
// reads a restored archive in which something is that was destroyed since.
type Restore struct {
	State      string         // the state directory, without an archive
	From       string         // the sealed file
	Media      string         // the directory of the vault's files that belong to it
	Accounts   []string       // directories of accounts of what was destroyed
	Identities []age.Identity // that open it
	Linked     bool           // the machine still has its link to WhatsApp

	Checkpoints    []string // from elsewhere, that it should agree with
	AcceptFaults   bool     // restore it even if it does not verify
	AcceptUnknown  bool     // and even if the account of a run is missing
	Who, Reason    string
	Log            *slog.Logger
	Now            func() time.Time
	Progress       func(what string)     // is told what is being done; may be nil
	VerifyProgress func(done, all int64) // likewise while it is verified
}

// Restored is the account of a restore.
type Restored struct {
	Manifest Manifest
	Key      string // the public key of the archive
	Lost     archive.Restoration
	Again    disposal.Replayed
	Faults   []string // that were accepted
	Unknown  []int64  // runs of which no account was found, and that was accepted
	Files    int      // photos and others
	Missing  int      // of these: not in the backup, or damaged there; they are fetched again if they can be
	Configs  []string // where the configuration lies as it was
}

// buildingName is the directory in which a restore is built. While it is there and no archive
// is, a restore has been begun and not finished.
const buildingName = "restore.part"

// ErrUnfinished is returned where a restore was begun and not finished.
var ErrUnfinished = errors.New("a restore was begun and not finished, so there is no archive yet: run “muniment restore” again as before")

// Unfinished reports whether a restore into a state directory was begun and not finished.
func Unfinished(state string) bool {
	_, err := os.Stat(filepath.Join(state, buildingName))
	return err == nil
}

func (r *Restore) path(name string) string { return filepath.Join(r.State, buildingName, name) }

func (r *Restore) doing(what string) {
	r.Log.Debug(what)
	if r.Progress != nil {
		r.Progress(what)
	}
}

// Run restores. Nobody else may use the state directory meanwhile.
func (r *Restore) Run(ctx context.Context) (done Restored, err error) {
	if err := r.room(); err != nil {
		return done, err
	}
	if err := os.RemoveAll(r.path("")); err != nil { // of an attempt that was broken off
		return done, err
	}
	if err := os.Mkdir(r.path(""), 0o700); err != nil {
		return done, err
	}
	if err := r.build(ctx, &done); err != nil {
		return done, errors.Join(err, os.RemoveAll(r.path("")))
	}
	r.doing("putting it in place")
	return done, r.place(&done)
}

// room returns nil if nothing is in the way.
func (r *Restore) room() error {
	archive := filepath.Join(r.State, ArchiveName)
	if _, err := os.Lstat(archive); err == nil {
		return fmt.Errorf("there is an archive at %s: it is never restored over another. If it is no longer of use, stop the service and move the whole directory away", archive)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, name := range []string{ArchiveName + "-wal", ArchiveName + "-shm"} {
		if _, err := os.Lstat(filepath.Join(r.State, name)); err == nil { // SQLite would take it for the restored one's
			return fmt.Errorf("%s is left of another archive: move it away, with what else is in that directory", filepath.Join(r.State, name))
		}
	}
	return nil
}

// build makes in the building directory what is to be put in place, and copies the vault's
// files.
func (r *Restore) build(ctx context.Context, done *Restored) (err error) {
	r.doing("opening the backup")
	key, err := r.open(done)
	if err != nil {
		return err
	}
	done.Key = key.Public()
	accounts, err := readAccounts(key, r.Accounts)
	if err != nil {
		return err
	}
	db, err := sqlite.Open(ctx, r.path(ArchiveName))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := r.prove(ctx, db, key, done); err != nil {
		return err
	}
	if done.Unknown, err = unknown(ctx, db, accounts); err != nil {
		return err
	}
	if len(done.Unknown) > 0 && !r.AcceptUnknown {
		return fmt.Errorf("the account of disposal run %d is missing, and what that destroyed would come back: look for destroyed/%06d.note in older copies of the backup directory, and give it with --destroyed; "+
			"if there never was one, --accept-missing-account", done.Unknown[0], done.Unknown[0])
	}
	if err := r.note(ctx, db, key, done); err != nil {
		return err
	}
	r.doing("destroying again what was destroyed since")
	if done.Again, err = repeat(ctx, db, key, r.path(""), r.Log, r.Now, accounts, r.Who, r.Reason); err != nil {
		return err
	}
	r.doing("copying photos and other files")
	if err := r.copyFiles(ctx, db, done); err != nil {
		return err
	}
	r.doing("verifying what was restored")
	report, err := verify.Run(ctx, db, key, verify.With{Disposal: disposal.Faults, Progress: r.VerifyProgress})
	if err != nil {
		return err
	}
	if !report.OK() && len(done.Faults) == 0 {
		return fmt.Errorf("what was restored does not verify, so it was not put in place: %s", report.Faults[0])
	}
	return nil
}

// open takes the backup apart and returns the key that was in it.
func (r *Restore) open(done *Restored) (*ledger.Key, error) {
	f, err := os.Open(r.From)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	o, err := Open(f, r.Identities...)
	if err != nil {
		return nil, err
	}
	if err := o.Extract(r.path("")); err != nil {
		return nil, err
	}
	done.Manifest = o.Manifest
	key, err := ledger.LoadKey(r.path(KeyName))
	if err != nil {
		return nil, err
	}
	have, err := os.ReadFile(filepath.Join(r.State, KeyName))
	if errors.Is(err, fs.ErrNotExist) {
		return key, nil
	} else if err != nil {
		return nil, err
	}
	brought, err := os.ReadFile(r.path(KeyName))
	if err == nil && !bytes.Equal(have, brought) {
		err = fmt.Errorf("%s is the key of another archive: move it away, and keep it", filepath.Join(r.State, KeyName))
	}
	return key, err
}

// prove verifies what the backup holds, against its manifest and what else is known.
func (r *Restore) prove(ctx context.Context, db *sqlite.DB, key *ledger.Key, done *Restored) error {
	r.doing("verifying the backup")
	head, err := key.Open(done.Manifest.Checkpoint)
	if err != nil || head.Size != done.Manifest.Leaves {
		return errors.New("the backup's manifest does not bear the signature of the archive in it, so it is none of muniment’s")
	}
	report, err := verify.Run(ctx, db, key, verify.With{Disposal: disposal.Faults, Checkpoints: append([]string{head.Note}, key.Own(r.Checkpoints)...), Progress: r.VerifyProgress})
	if err != nil {
		return err
	}
	if report.Leaves != head.Size {
		return fmt.Errorf("the backup has %d leaves, but its manifest says %d: it was altered", report.Leaves, head.Size)
	}
	if report.OK() {
		return nil
	}
	done.Faults = report.Faults
	if !r.AcceptFaults {
		return fmt.Errorf("the backup does not verify: %s (%d faults in all). Restore from an older one; if there is no better one, --accept-faults restores it as it is, and the archive will go on saying that it does not verify",
			report.Faults[0], len(report.Faults)+report.More)
	}
	return nil
}

// note writes into the restored archive that it was restored, before anything else.
func (r *Restore) note(ctx context.Context, db *sqlite.DB, key *ledger.Key, done *Restored) error {
	done.Lost = archive.Restoration{At: r.Now(), Who: r.Who, Reason: r.Reason, Backup: filepath.Base(r.From),
		MadeAt: done.Manifest.MadeAt, Leaves: done.Manifest.Leaves, Journal: done.Manifest.Journal}
	return db.Write(ctx, func(tx *sqlite.Tx) error { return archive.NoteRestored(tx, key, done.Lost, r.Linked) })
}

// copyFiles copies the vault's files that the archive needs, and has those fetched again that
// are not in the backup.
func (r *Restore) copyFiles(ctx context.Context, db *sqlite.DB, done *Restored) error {
	var digests [][]byte
	if err := db.Read(ctx, func(tx *sqlite.Tx) (err error) {
		digests, err = vault.Digests(tx)
		return err
	}); err != nil {
		return err
	}
	changed := map[string]bool{r.State: true}
	var missing [][]byte
	for _, sealed := range digests {
		if err := ctx.Err(); err != nil {
			return err
		}
		to := filepath.Join(r.State, MediaDirectory, vault.Name(sealed))
		err := r.copyFile(sealed, to)
		if errors.Is(err, errDamaged) || errors.Is(err, fs.ErrNotExist) {
			missing = append(missing, sealed)
			continue
		} else if err != nil {
			return fmt.Errorf("copy a photo or other file: %w", err)
		}
		done.Files++
		changed[filepath.Dir(to)], changed[filepath.Dir(filepath.Dir(to))] = true, true
	}
	for name := range changed {
		if err := syncDirectory(name); err != nil {
			return err
		}
	}
	done.Missing = len(missing)
	if done.Missing == 0 {
		return nil
	}
	return db.Write(ctx, func(tx *sqlite.Tx) error {
		if err := vault.WantAgain(tx, r.Now(), missing); err != nil {
			return err
		}
		return journal.Write(tx, journal.Entry{At: r.Now(), Who: r.Who, Act: journal.FilesNotRestored, Reason: r.Reason, About: journal.About{"files": done.Missing}})
	})
}

// copyFile copies a file from the backup, unless it is in its place already.
func (r *Restore) copyFile(sealed []byte, to string) error {
	if is, err := hasDigest(to, sealed); is || err != nil {
		return err
	}
	from, err := os.Open(filepath.Join(r.Media, vault.Name(sealed)))
	if err != nil {
		return err
	}
	return errors.Join(copySealed(from, to, sealed), from.Close())
}

// hasDigest reports whether there is a file with that SHA-256.
func hasDigest(path string, sealed []byte) (bool, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	h := sha256.New()
	_, err = io.Copy(h, f)
	return bytes.Equal(h.Sum(nil), sealed), errors.Join(err, f.Close())
}

// place gives what was built its names, the archive last.
func (r *Restore) place(done *Restored) error {
	if log, err := os.Stat(r.path(ArchiveName + "-wal")); err == nil && log.Size() > 0 { // it would be left behind
		return errors.New("what was restored was not closed as it should be: run it again")
	}
	for _, name := range []string{ConfigName, ScheduleName} {
		path, err := r.placeConfig(name, done.Manifest.MadeAt)
		if err != nil {
			return err
		}
		if path != "" {
			done.Configs = append(done.Configs, path)
		}
	}
	r.Log.Debug("restore: configuration in its place")
	for _, name := range []string{KeyName, ArchiveName} {
		if err := os.Rename(r.path(name), filepath.Join(r.State, name)); err != nil {
			return err
		}
		if err := syncDirectory(r.State); err != nil {
			return err
		}
		if name == KeyName {
			r.Log.Debug("restore: key in its place")
		}
	}
	r.Log.Debug("restore: archive in its place")
	return os.RemoveAll(r.path(""))
}

// placeConfig puts a configuration beside the archive, under a name that says of when it is:
// never in place of one that is there.
func (r *Restore) placeConfig(name string, madeAt time.Time) (path string, err error) {
	path = filepath.Join(r.State, madeAt.UTC().Format("20060102T150405Z-")+name)
	err = os.Rename(r.path(name), path)
	if errors.Is(err, fs.ErrNotExist) { // the council has none
		return "", nil
	}
	return path, err
}

// readAccounts reads the accounts in directories, in the order of their runs. Each has to bear
// the signature of the key that was in the backup. Of a run of which there are several, from
// several directories, all count.
func readAccounts(key *ledger.Key, directories []string) (all []archive.RunAccount, err error) {
	for _, directory := range directories {
		paths, err := filepath.Glob(filepath.Join(directory, "*.note"))
		if err != nil {
			return nil, err
		}
		for _, path := range paths {
			b, err := os.ReadFile(path)
			if err != nil {
				return nil, fmt.Errorf("read what was destroyed: %w", err)
			}
			text, err := key.OpenText(string(b))
			if err != nil {
				return nil, fmt.Errorf("%s does not bear this archive’s signature: it is of another archive, was altered or is damaged. Nothing is restored, since what it names would come back: get it from another copy of the backups", path)
			}
			a, err := archive.ReadAccount(text)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
			all = append(all, a)
		}
	}
	slices.SortStableFunc(all, func(a, b archive.RunAccount) int { return int(a.Run - b.Run) })
	return all, nil
}

// unknown returns the runs after the last that the backup knows of which no account is there,
// though there is one of a later run.
func unknown(ctx context.Context, db *sqlite.DB, accounts []archive.RunAccount) (runs []int64, err error) {
	if len(accounts) == 0 {
		return nil, nil
	}
	var last int64
	if err := db.Read(ctx, func(tx *sqlite.Tx) (err error) {
		last, err = disposal.LastRun(tx)
		return err
	}); err != nil {
		return nil, err
	}
	for run := last + 1; run < accounts[len(accounts)-1].Run; run++ {
		if !slices.ContainsFunc(accounts, func(a archive.RunAccount) bool { return a.Run == run }) {
			runs = append(runs, run)
		}
	}
	return runs, nil
}

// repeat destroys in a restored archive, which lies in a directory, what the accounts name.
func repeat(ctx context.Context, db *sqlite.DB, key *ledger.Key, directory string, log *slog.Logger, now func() time.Time,
	accounts []archive.RunAccount, who, reason string) (again disposal.Replayed, err error) {
	d := &disposal.Disposal{DB: db, Key: key, Log: log, Now: now, Directory: directory,
		Vault:        &vault.Vault{Directory: filepath.Join(directory, MediaDirectory), DB: db, Log: log, Now: now}, // no files are there yet
		ScrubSession: func(context.Context) error { return nil }}                                                    // which no backup has
	if err := db.Read(ctx, func(tx *sqlite.Tx) (err error) {
		d.Archive, err = archive.Load(tx, retention.Default())
		return err
	}); err != nil {
		return again, err
	}
	return d.Replay(ctx, accounts, who, reason)
}
