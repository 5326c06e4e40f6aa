package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// CopyTo writes a copy of the database to path, where there must be no file: one consistent
// state of it, with nothing of what was deleted. Others go on writing meanwhile; what they
// commit is not in it.
//
// It is done in one step, from a connection of its own: SQLite's backup in small steps begins
// anew with every commit, and so never ends while messages come in. The copy need not survive
// a power cut: to wait until it is on disk would have every capture wait with it.
func (d *DB) CopyTo(ctx context.Context, path string) error {
	// Made beforehand, for its owner alone: SQLite fills an empty file.
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("copy the archive: %w", err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("copy the archive: %w", err)
	}
	db, err := open(d.path, "deferred", "synchronous(OFF)", smallCache)
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, "VACUUM INTO ?", path)
	if err := errors.Join(err, db.Close()); err != nil {
		if gone := os.Remove(path); gone != nil && !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
		return fmt.Errorf("copy the archive: %w", err)
	}
	return nil
}
