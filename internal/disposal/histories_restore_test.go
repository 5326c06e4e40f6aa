package disposal_test

import (
	"context"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"pgregory.net/rapid"

	"muniment/internal/archive"
	"muniment/internal/disposal"
	"muniment/internal/ledger"
	"muniment/internal/record"
	"muniment/internal/sqlite"
	"muniment/internal/vault"
)

// Backups and restores, in the histories of [TestRandomHistories]: what a backup is sealed
// with, and where it lies, is shown elsewhere.

// A backup is a copy of the archive and its files, and what the model knew then.
type backup struct {
	dir      string
	facts    []fact
	held     map[int64]hold
	restored archive.Restoration // what restoring it will say
}

func (h *history) backsUp(t *rapid.T) {
	if h.restored {
		t.Skip("holds are not entered again yet")
	}
	dir, err := os.MkdirTemp("", "muniment-backup")
	if err != nil {
		t.Fatal(err)
	}
	h.forgetBackup()
	b := &backup{dir: dir, held: maps.Clone(h.held), restored: archive.Restoration{MadeAt: h.now, Who: "Sam Reed", Reason: "the disk failed"}}
	for _, f := range h.facts {
		b.facts = append(b.facts, *f)
	}
	h.write(func(tx *sqlite.Tx) (err error) { b.restored.Leaves, err = ledger.Size(tx); return err })
	if err := h.db.CopyTo(context.Background(), filepath.Join(dir, "archive.db")); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(dir, "media"), os.DirFS(h.vault.Directory)); err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	h.backup = b
}

func (h *history) forgetBackup() {
	if h.backup != nil {
		os.RemoveAll(h.backup.dir)
	}
	h.backup = nil
}

// restores is that the machine is lost, and the last backup restored. Some nights pass
// before somebody has entered again what the clerk decided since.
func (h *history) restores(t *rapid.T) {
	if h.backup == nil {
		t.Skip("no backup")
	}
	h.confirmsRestore()
	b := h.backup
	h.replace(b)
	lost := b.restored
	lost.At = h.now
	h.write(func(tx *sqlite.Tx) error { return archive.NoteRestored(tx, h.key, lost, true) })
	if _, err := h.d.Replay(context.Background(), h.runs(), lost.Who, lost.Reason); err != nil {
		t.Fatal(err)
	}
	h.copiesFiles(b)

	for _, f := range h.facts[len(b.facts):] {
		if f.told {
			h.barred = append(h.barred, f)
		}
	}
	h.facts = h.facts[:len(b.facts)]
	for i, was := range b.facts {
		f := h.facts[i]
		if f.gone = was.gone || f.told; !f.gone { // the run could neither tell nor certify anything, or there was none
			f.approved, f.early = was.approved, was.early
		}
	}
	for id, hold := range h.held {
		if slices.ContainsFunc(hold.cover.Records, func(seq record.Seq) bool { return int(seq) > 0 && !h.has(seq) }) {
			delete(h.held, id) // what it covered is lost
		}
	}
	h.restored = true
}

func (h *history) entersAgain(t *rapid.T) {
	if !h.restored {
		t.Skip("there is nothing to enter again")
	}
	h.confirmsRestore()
}

func (h *history) has(seq record.Seq) bool {
	return slices.ContainsFunc(h.facts, func(f *fact) bool { return f.seq == seq })
}

// replace puts the backup's archive in the place of what is there.
func (h *history) replace(b *backup) {
	if err := h.db.Close(); err != nil {
		h.Fatal(err)
	}
	old, err := filepath.Glob(filepath.Join(h.dir, "archive.db*"))
	if err != nil {
		h.Fatal(err)
	}
	for _, path := range append(old, h.vault.Directory) {
		if err := os.RemoveAll(path); err != nil {
			h.Fatal(err)
		}
	}
	path := filepath.Join(h.dir, "archive.db")
	h.copies(filepath.Join(b.dir, "archive.db"), path)
	if h.db, err = sqlite.Open(context.Background(), path); err != nil {
		h.Fatal(err)
	}
	h.starts()
}

func (h *history) copies(from, to string) {
	r, err := os.Open(from)
	if err != nil {
		h.Fatal(err)
	}
	defer r.Close()
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		h.Fatal(err)
	}
	w, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		h.Fatal(err)
	}
	defer w.Close()
	if _, err := io.Copy(w, r); err != nil {
		h.Fatal(err)
	}
}

// copiesFiles copies the files that the restored archive needs.
func (h *history) copiesFiles(b *backup) {
	var digests [][]byte
	h.write(func(tx *sqlite.Tx) (err error) { digests, err = vault.Digests(tx); return err })
	for _, d := range digests {
		h.copies(filepath.Join(b.dir, "media", vault.Name(d)), filepath.Join(h.vault.Directory, vault.Name(d)))
	}
}

// publish puts an account where the backups lie.
func (h *history) publish(_ context.Context, run int64, account string) error {
	h.accounts[run] = account
	for _, g := range h.account(run).Records {
		for _, f := range h.facts {
			f.told = f.told || f.seq == g.Seq
		}
	}
	h.clock()
	return nil
}

func (h *history) account(run int64) archive.RunAccount {
	text, err := h.key.OpenText(h.accounts[run])
	if err != nil {
		h.Fatal(err)
	}
	a, err := archive.ReadAccount(text)
	if err != nil {
		h.Fatal(err)
	}
	return a
}

// runs are the accounts of what was destroyed.
func (h *history) runs() (all []archive.RunAccount) {
	for _, run := range slices.Sorted(maps.Keys(h.accounts)) {
		all = append(all, h.account(run))
	}
	return all
}

// confirmsRestore enters again what was decided since the backup, and says so.
func (h *history) confirmsRestore() {
	if !h.restored {
		return
	}
	h.heldAgain(h.backup.held)
	h.write(func(tx *sqlite.Tx) error {
		if err := disposal.CheckClock(tx, h.now); err != nil {
			return err
		}
		if err := disposal.ConfirmClock(tx, h.now, "sysadmin", "it was off"); err != nil {
			return err
		}
		return archive.ConfirmRestore(tx, h.now, "Jo Marsh", "all entered")
	})
	h.restored = false
}
