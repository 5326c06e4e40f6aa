package backup

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"muniment/internal/archive"
	"muniment/internal/disposal"
	"muniment/internal/journal"
	"muniment/internal/sqlite"
	"muniment/internal/verify"
)

// spare is what must stay free on the disk of the archive while the copy lies there, besides
// the room for the copy: messages go on coming in.
const spare = 64 << 20

// Make makes a backup and copies the vault's files that the directory lacks. That it fails is
// journaled, once for each reason.
func (t *Target) Make(ctx context.Context, by By) error {
	err := t.make(ctx, by)
	if err == nil {
		return nil
	}
	if ctx.Err() != nil { // it was broken off, which says nothing of the next
		return fmt.Errorf("make a backup: %w", err)
	}
	return errors.Join(fmt.Errorf("make a backup: %w", err), t.failed(ctx, by, journal.BackupFailed, journal.BackupMade, err))
}

func (t *Target) make(ctx context.Context, by By) error {
	release, err := Quiet(ctx, t.State)
	if err != nil {
		return err
	}
	defer release()
	if err := t.Reconcile(ctx); err != nil {
		return err
	}
	if err := t.removeParts(); err != nil {
		return err
	}
	b := Backup{Directory: t.Directory, MadeAt: t.Now().Truncate(time.Second)}
	b.Name = NameOf(b.MadeAt)
	if _, err := os.Lstat(b.Path()); err == nil {
		return fmt.Errorf("there is a backup of this very second already")
	}
	if err := t.makeSealed(ctx, &b); err != nil {
		return err
	}
	t.Log.Debug("backup: in its place")
	if err := t.DB.Write(ctx, func(tx *sqlite.Tx) error { return t.register(tx, b, by) }); err != nil {
		return err
	}
	t.Log.Info("backup made", "bytes", b.Bytes, "leaves", b.Leaves)
	return t.copyFiles(ctx)
}

// makeSealed makes the sealed file, and completes what is known of it. Whatever happens, the
// plain copy is removed.
func (t *Target) makeSealed(ctx context.Context, b *Backup) (err error) {
	if err := os.Mkdir(plain(t.State), 0o700); err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, os.RemoveAll(plain(t.State)))
	}()
	if err := t.room(); err != nil {
		return err
	}
	copied := filepath.Join(plain(t.State), ArchiveName)
	if err := t.DB.CopyTo(ctx, copied); err != nil {
		return err
	}
	t.Log.Debug("backup: archive copied")
	m, err := t.prove(ctx, copied, b.MadeAt)
	if err != nil {
		return err
	}
	b.Leaves, b.Records = m.Leaves, m.Records
	t.Log.Debug("backup: copy verified")
	members := []member{{ArchiveName, copied}, {KeyName, t.KeyFile}, {ConfigName, t.Config}}
	if t.Schedule != "" {
		members = append(members, member{ScheduleName, t.Schedule})
	}
	f, err := newPart(b.Path())
	if err != nil {
		return err
	}
	written := &digest{to: f.File, Hash: sha256.New()}
	err = seal(written, t.Recipient, m, members)
	t.Log.Debug("backup: sealed")
	b.Bytes, b.Digest = written.n, written.Sum(nil)
	if err == nil {
		err = readBack(ctx, f.File, b.Digest)
	}
	t.Log.Debug("backup: read back")
	return errors.Join(err, f.finish(err == nil))
}

// room returns nil if the disk of the archive has room for a copy of it.
func (t *Target) room() error {
	var disk unix.Statfs_t
	if err := unix.Statfs(t.State, &disk); err != nil {
		return fmt.Errorf("how much of the disk is free: %w", err)
	}
	info, err := os.Stat(t.DB.Path())
	if err != nil {
		return err
	}
	if free := int64(disk.Bavail) * int64(disk.Bsize); free < info.Size()+info.Size()/10+spare {
		return errors.New("there is not enough room on the disk of the archive for a copy of it: make room")
	}
	return nil
}

// prove opens the copy and verifies it, as if it had been restored, and returns what the
// manifest says of it. A checkpoint is signed in it, so that what is lost if it is ever
// restored begins at a place that is known.
func (t *Target) prove(ctx context.Context, path string, madeAt time.Time) (m Manifest, err error) {
	db, err := sqlite.Open(ctx, path)
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	m = Manifest{MadeAt: madeAt.UTC(), Program: t.Program, Council: t.Council}
	if err := db.Write(ctx, func(tx *sqlite.Tx) error {
		signed, err := t.Key.Sign(tx, madeAt)
		if err != nil {
			return err
		}
		m.Leaves, m.Root, m.Checkpoint = signed.Size, base64.StdEncoding.EncodeToString(signed.Root[:]), signed.Note
		if m.Records, err = archive.Kept(tx); err != nil {
			return err
		}
		m.Journal, err = journal.LastID(tx)
		return err
	}); err != nil {
		return m, err
	}
	report, err := verify.Run(ctx, db, t.Key, verify.With{Disposal: disposal.Faults, Gently: true})
	if err != nil {
		return m, err
	}
	if !report.OK() {
		return m, fmt.Errorf("the copy of the archive does not verify, so it is no backup (%d faults): see “muniment verify”", len(report.Faults)+report.More)
	}
	return m, nil
}

// digest hashes and counts what is written to a file, and has it brought to the disk bit by
// bit: to do so at the end would have captures wait meanwhile, if it is the same disk.
type digest struct {
	to *os.File
	hash.Hash
	n, synced int64
}

// atOnce is how many bytes are brought to the disk together.
const atOnce = 4 << 20

func (d *digest) Write(b []byte) (int, error) {
	n, err := d.to.Write(b)
	d.Hash.Write(b[:n])
	d.n += int64(n)
	if err == nil && d.n-d.synced >= atOnce {
		d.synced = d.n
		err = d.to.Sync()
	}
	return n, err
}

// readBack reads a file from the disk, not from memory as far as the system can be asked for
// that, and compares.
func readBack(ctx context.Context, f *os.File, want []byte) error {
	if err := f.Sync(); err != nil {
		return err
	}
	_ = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED) // it is no matter if it cannot
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return err
	}
	if !bytes.Equal(h.Sum(nil), want) {
		return errors.New("what was read back from the backup directory is not what was written: see to its disk")
	}
	return ctx.Err()
}
