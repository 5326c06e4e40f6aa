package backup

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"muniment/internal/archive"
	"muniment/internal/sqlite"
	"muniment/internal/vault"
)

// copyFiles copies the vault's files that the directory lacks, and removes those from it that
// no record needs any more. What is merely missing in the vault stays in the directory.
func (t *Target) copyFiles(ctx context.Context) error {
	var digests [][]byte
	var restored bool
	if err := t.DB.Read(ctx, func(tx *sqlite.Tx) (err error) {
		if digests, err = vault.Digests(tx); err != nil {
			return err
		}
		_, restored, err = archive.Unconfirmed(tx)
		return err
	}); err != nil {
		return err
	}
	changed := make(map[string]bool)
	damaged := 0
	for _, sealed := range digests {
		if err := ctx.Err(); err != nil {
			return err
		}
		copied, err := t.copyFile(sealed)
		if errors.Is(err, errDamaged) {
			damaged++
		} else if err != nil {
			return fmt.Errorf("copy a photo or other file: %w", err)
		}
		if copied {
			changed[filepath.Dir(vault.Name(sealed))] = true
		}
	}
	if len(changed) > 0 {
		changed["."] = true
	}
	for name := range changed {
		if err := syncDirectory(filepath.Join(t.Directory, MediaDirectory, name)); err != nil {
			return err
		}
	}
	t.Log.Debug("backup: files copied")
	// Right after a restore, newer backups may need files of which the archive knows nothing;
	// somebody may yet go back to one of these.
	var err error
	if !restored {
		err = t.removeFiles(ctx)
	}
	if damaged > 0 {
		err = errors.Join(err, fmt.Errorf("%d photos or other files are damaged in the archive, and were not copied: see “muniment verify”", damaged))
	}
	return err
}

// errDamaged is returned of a file that is not what its name says.
var errDamaged = errors.New("the file is damaged")

// copyFile copies one file unless it is there.
func (t *Target) copyFile(sealed []byte) (copied bool, err error) {
	from, err := os.Open(filepath.Join(t.Vault.Directory, vault.Name(sealed)))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil // just destroyed, or missing: verify tells
	} else if err != nil {
		return false, err
	}
	defer from.Close()
	info, err := from.Stat()
	if err != nil {
		return false, err
	}
	to := filepath.Join(t.Directory, MediaDirectory, vault.Name(sealed))
	if there, err := os.Lstat(to); err == nil && there.Mode().IsRegular() && there.Size() == info.Size() {
		return false, nil
	}
	if err := copySealed(from, to, sealed); err != nil {
		return false, err
	}
	return true, nil
}

// copySealed copies one of the vault's files, if it is what its name says.
func copySealed(from io.Reader, to string, sealed []byte) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	p, err := newPart(to)
	if err != nil {
		return err
	}
	h := sha256.New()
	_, err = io.Copy(io.MultiWriter(p, h), from)
	if err == nil && !bytes.Equal(h.Sum(nil), sealed) {
		err = errDamaged
	}
	if err == nil {
		err = p.Sync()
	}
	if err := errors.Join(err, p.Close()); err != nil {
		return errors.Join(err, os.Remove(p.Name()))
	}
	return os.Rename(p.Name(), to)
}

// removeFiles removes from the directory the files that no record needs any more: of records
// that were destroyed. What is not one of the vault's is left.
func (t *Target) removeFiles(ctx context.Context) error {
	media := filepath.Join(t.Directory, MediaDirectory)
	changed := make(map[string]bool)
	err := t.DB.Read(ctx, func(tx *sqlite.Tx) error {
		return filepath.WalkDir(media, func(path string, e fs.DirEntry, err error) error {
			if path == media && errors.Is(err, fs.ErrNotExist) {
				return nil
			} else if err != nil || e.IsDir() {
				return err
			}
			name, err := filepath.Rel(media, path)
			if err != nil {
				return err
			}
			sealed, is := vault.SealedAs(name)
			if !is {
				return nil
			}
			needed, err := vault.Needed(tx, sealed)
			if err != nil || needed {
				return err
			}
			changed[filepath.Dir(path)] = true
			return os.Remove(path)
		})
	})
	for name := range changed {
		err = errors.Join(err, syncDirectory(name))
	}
	if err != nil {
		return fmt.Errorf("remove files of destroyed records from the backup directory: %w", err)
	}
	return nil
}
