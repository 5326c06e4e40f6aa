package vault

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// place is where a file belongs.
func (v *Vault) place(sealed []byte) string {
	return filepath.Join(v.Directory, Name(sealed))
}

const partPrefix = "part-"

// part is where the file of a record lies until it is proved.
func (v *Vault) part(seq record.Seq) string {
	return filepath.Join(v.Directory, partPrefix+strconv.FormatInt(int64(seq), 10))
}

// Sweep removes from the media directory every file that no record needs, and
// returns how many: of records that were destroyed, and what was left unfinished.
// What is being fetched for a record that was destroyed is stopped. What the vault
// did not put there, it leaves. It may be called while Run runs, but not within a
// transaction.
func (v *Vault) Sweep(ctx context.Context) (removed int, err error) {
	var stopped []*fetch
	changed := make(map[string]bool) // directories
	v.mu.Lock()
	unlock, err := v.lock()
	none := errors.Is(err, fs.ErrNotExist)
	if err != nil && !none {
		v.mu.Unlock()
		return 0, fmt.Errorf("sweep the media directory: %w", err)
	}
	err = v.DB.Read(ctx, func(tx *sqlite.Tx) (err error) {
		if stopped, err = v.stopForgotten(tx); err != nil || none {
			return err
		}
		return filepath.WalkDir(v.Directory, func(path string, e fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil // a part that is done with
			} else if err != nil || e.IsDir() {
				return err
			}
			if is, err := v.needed(tx, path); is || err != nil {
				return err
			}
			changed[filepath.Dir(path)] = true
			if err := os.Remove(path); err != nil {
				return err
			}
			removed++
			return nil
		})
	})
	err = errors.Join(err, syncAll(slices.Collect(maps.Keys(changed))...))
	if !none {
		unlock()
	}
	v.mu.Unlock()
	for _, f := range stopped {
		select {
		case <-f.ended: // and its part removed
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	if err != nil {
		return removed, fmt.Errorf("sweep the media directory: %w", bare(err))
	}
	return removed, nil
}

// stopForgotten stops the fetching of files whose records were destroyed, and
// returns it. The caller holds mu.
func (v *Vault) stopForgotten(tx *sqlite.Tx) (stopped []*fetch, err error) {
	known, err := Of(tx, slices.Collect(maps.Keys(v.fetching)))
	if err != nil {
		return nil, err
	}
	for seq, f := range v.fetching {
		if _, is := known[seq]; !is {
			f.stop()
			stopped = append(stopped, f)
		}
	}
	return stopped, nil
}

// needed reports whether a file of the media directory has to stay there. The caller
// holds mu.
func (v *Vault) needed(tx *sqlite.Tx, path string) (is bool, err error) {
	name := filepath.Base(path)
	if n, ok := strings.CutPrefix(name, partPrefix); ok {
		seq, err := strconv.ParseInt(n, 10, 64)
		return err != nil || path != v.part(record.Seq(seq)) || v.fetching[record.Seq(seq)] != nil, nil
	}
	if strings.HasPrefix(name, sealedPrefix) {
		info, err := os.Stat(path)
		return err != nil || v.Now().Sub(info.ModTime()) < soon, nil // where there is none, it was put
	}
	if !v.Holds(path) {
		return true, nil
	}
	sealed, err := hex.DecodeString(name)
	if err != nil {
		return true, nil
	}
	return named(tx, sealed)
}

// Holds reports whether path is where the vault keeps a sealed file. What lies there
// tells nothing without its key, so a search of the files may leave it out.
func (v *Vault) Holds(path string) bool {
	name, err := filepath.Rel(v.Directory, path)
	_, is := SealedAs(name)
	return err == nil && is
}

// Needed reports whether a record needs the file that is kept under that digest.
func Needed(tx *sqlite.Tx, sealed []byte) (bool, error) { return named(tx, sealed) }

// named reports whether a record needs the file of that digest in its place.
func named(tx *sqlite.Tx, sealed []byte) (is bool, err error) {
	err = tx.QueryRow("SELECT EXISTS (SELECT 1 FROM media WHERE sealed = ? AND state <> 'lost')", sealed).Scan(&is)
	return is, err
}

// Check reads the sealed file of a record through, if it is kept, and returns what
// is wrong with it, in a sentence; empty if nothing is. A file whose record was
// destroyed since m was read is not missing.
func (v *Vault) Check(ctx context.Context, m Media) (fault string, err error) {
	if m.State != Kept {
		return "", nil
	}
	f, err := os.Open(v.place(m.Sealed))
	if errors.Is(err, fs.ErrNotExist) {
		var still map[record.Seq]Media
		err := v.DB.Read(ctx, func(tx *sqlite.Tx) (err error) {
			still, err = Of(tx, []record.Seq{m.Seq})
			return err
		})
		if err != nil || len(still) == 0 {
			return "", err
		}
		return fmt.Sprintf("the file of record %d is missing from the media directory", m.Seq), nil
	} else if err != nil {
		return "", fmt.Errorf("check the file of record %d: %w", m.Seq, bare(err))
	}
	defer f.Close()
	switch _, err := prove(ctx, f, m); {
	case errors.Is(err, errOther):
		return fmt.Sprintf("the file of record %d is not what was delivered: it was altered or damaged", m.Seq), nil
	case errors.Is(err, ErrDamaged):
		return fmt.Sprintf("the file of record %d does not open with what is known of it: that was altered", m.Seq), nil
	case err != nil:
		return "", fmt.Errorf("check the file of record %d: %w", m.Seq, bare(err))
	}
	return "", nil
}

// syncAll returns nil once what was done in the directories is on disk.
func syncAll(directories ...string) error {
	for _, name := range directories {
		d, err := os.Open(name)
		if err != nil {
			return err
		}
		if err := errors.Join(d.Sync(), d.Close()); err != nil {
			return err
		}
	}
	return nil
}
