package daemon

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"muniment/internal/backup"
)

// Restoring prepares the state directory for a restore from a backup: it is made if need be,
// and belongs to that alone until release is called. The rest of r is the caller's.
func (h Home) Restoring() (r *backup.Restore, release func(), err error) {
	if h.IsDemonstration() {
		return nil, nil, ErrDemonstration
	}
	if err := os.MkdirAll(string(h), 0o700); err != nil {
		return nil, nil, fmt.Errorf("make the state directory: %w", err)
	}
	if err := h.accessible(); err != nil {
		return nil, nil, err
	}
	if release, err = h.Lock(); err != nil {
		return nil, nil, err
	}
	_, err = os.Stat(h.session())
	return &backup.Restore{State: string(h), Linked: err == nil}, release, nil
}

// unfinished says of a directory without an archive that a restore into it was begun.
func (h Home) unfinished() error {
	_, err := os.Stat(h.archive())
	if errors.Is(err, fs.ErrNotExist) && backup.Unfinished(string(h)) {
		return fmt.Errorf("%w (in %s)", backup.ErrUnfinished, string(h))
	}
	return nil
}
