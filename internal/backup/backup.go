// Package backup makes backups of the archive, keeps account of them, and removes them when
// their time is over.
//
// A backup directory holds, for every night, one sealed file, encrypted to a key whose
// secret is not on this machine; beside these the files of the vault as they are, which are
// of no use without the archive; and a signed account of what each disposal run destroyed,
// so that what is brought back from an older backup can be destroyed again.
//
// A backup is made of a copy of the archive that was opened and verified. So for a while all
// content lies a second time on the disk, in the clear; it is removed however that ends, and
// before any search for what was destroyed.
package backup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"filippo.io/age"

	"muniment/internal/command"
	"muniment/internal/journal"
	"muniment/internal/ledger"
	"muniment/internal/sqlite"
	"muniment/internal/vault"
)

// A Target is where backups go, and what they are made of.
type Target struct {
	DB    *sqlite.DB
	Key   *ledger.Key
	Vault *vault.Vault
	Log   *slog.Logger
	Now   func() time.Time

	State    string // the state directory, where the plain copy lies for a while
	KeyFile  string // the ledger's key
	Config   string // the configuration's file
	Schedule string // the retention schedule's; empty if the council has none of its own

	Directory string        // the backup directory
	Recipient age.Recipient // who can open the sealed files
	KeepDays  int

	// Copy makes another place hold all that the directory holds; Prune removes from there
	// what the directory no longer holds. Without arguments there is none. See [Target.Send].
	Copy, Prune command.Command

	Council, Program string // as the manifest names them

	sending sync.Mutex // one command at a time
}

// By is who has something done, and why.
type By struct{ Who, Reason string }

// Nightly is who has it done when nobody does but the program.
var Nightly = By{Who: journal.Daemon}

// Round makes a backup, removes those whose time is over, and has all of it copied elsewhere.
// That one of these fails keeps none of the others; each is journaled.
func (t *Target) Round(ctx context.Context, by By) error {
	made := t.Make(ctx, by)
	err := errors.Join(made, t.Expire(ctx))
	return errors.Join(err, t.Send(ctx, by))
}

// readmeName is the name of a file that tells whoever finds the directory what it is. It
// names the archive, too: see [Target.ours].
const readmeName = "README.txt"

func (t *Target) readme() []byte {
	return fmt.Appendf(nil, `These are backups of the record of a council's WhatsApp group, made by muniment.

The archive of the key %s

archive-*.age   The whole archive as it was at that time (UTC), with its keys and its
                configuration, encrypted. To open one by hand, with the secret key:
                age -d -i KEYFILE archive-….age | tar -x
                To go on with the record from one: muniment restore --help
media/          Photos and other files as WhatsApp delivered them, encrypted. Their keys are
                in the archive.
destroyed/      What was destroyed lawfully since. Whoever restores an older backup has to
                destroy it again; muniment restore does so.
`, t.Key.Public())
}

// ours returns nil if the directory is there, and is the one in which this archive's backups
// lie. An empty directory might be one that another disk should be mounted upon: to take what
// lies on that for gone would be wrong, and to fill this one of no use.
func (t *Target) ours(ctx context.Context) error {
	path := filepath.Join(t.Directory, readmeName)
	said, err := os.ReadFile(path)
	switch {
	case err == nil && bytes.Contains(said, []byte(t.Key.Public())):
		return nil
	case err == nil:
		return fmt.Errorf("the backup directory %s holds the backups of another archive: give each archive one of its own", t.Directory)
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("the backup directory cannot be read: %w", err)
	}
	if info, err := os.Stat(t.Directory); err != nil || !info.IsDir() {
		return fmt.Errorf("there is no backup directory %s: make it, for the user that muniment runs as, or mount its disk", t.Directory)
	}
	var here []Backup
	if err := t.DB.Read(ctx, func(tx *sqlite.Tx) (err error) {
		here, err = t.here(tx)
		return err
	}); err != nil {
		return err
	}
	if len(here) > 0 {
		return fmt.Errorf("the backup directory %s does not hold the backups that were made there: is its disk mounted? If they are lost, have backups made in a directory of another name", t.Directory)
	}
	return t.place(readmeName, t.readme())
}

// place writes a file of the backup directory, so that it is there whole or not at all.
func (t *Target) place(name string, content []byte) error {
	path := filepath.Join(t.Directory, name)
	if have, err := os.ReadFile(path); err == nil && bytes.Equal(have, content) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := newPart(path)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.finish(err == nil))
}

// partSuffix is at the end of the name of what is not whole yet.
const partSuffix = ".part"

// part is a file that gets its name when it is whole.
type part struct {
	*os.File
	path string // that it will have
}

func newPart(path string) (part, error) {
	f, err := os.OpenFile(path+partSuffix, os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	return part{f, path}, err
}

// finish gives the file its name once it is on disk, or removes it.
func (p part) finish(whole bool) error {
	if !whole {
		return errors.Join(p.Close(), os.Remove(p.Name()))
	}
	if err := errors.Join(p.Sync(), p.Close()); err != nil {
		return errors.Join(err, os.Remove(p.Name()))
	}
	if err := os.Rename(p.Name(), p.path); err != nil {
		return err
	}
	return syncDirectory(filepath.Dir(p.path))
}

// removeParts removes what was not finished in the backup directory.
func (t *Target) removeParts() error {
	return filepath.WalkDir(t.Directory, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() || filepath.Ext(path) != partSuffix {
			return err
		}
		name, err := filepath.Rel(t.Directory, path)
		if err != nil || !known(name[:len(name)-len(partSuffix)]) {
			return err
		}
		return os.Remove(path)
	})
}

// known reports whether a file of the backup directory has a name that muniment gives.
func known(name string) bool {
	if _, is := MadeAt(name); is || name == readmeName {
		return true
	}
	if media, err := filepath.Rel(MediaDirectory, name); err == nil {
		if _, is := vault.SealedAs(media); is {
			return true
		}
	}
	account, err := filepath.Match(filepath.Join(DestroyedDirectory, "*.note"), name)
	return account && err == nil
}
