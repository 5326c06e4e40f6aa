package backup_test

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"filippo.io/age"

	"muniment/internal/archive"
	"muniment/internal/backup"
	"muniment/internal/command"
	"muniment/internal/journal"
	"muniment/internal/ledger"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
	"muniment/internal/sqlite/sqlitetest"
	"muniment/internal/vault"
	"muniment/internal/verify"
)

const official = "120363000000000001@g.us"

var (
	ann    = record.Address{JID: "200000000000101@lid"}
	monday = time.Date(2026, 3, 2, 4, 0, 0, 0, time.UTC)
)

// A council has an archive with its key, files, a configuration, and a backup directory on
// what is to be another disk.
type council struct {
	testing.TB
	dir     string
	db      *sqlite.DB
	key     *ledger.Key
	vault   *vault.Vault
	archive *archive.Archive
	target  *backup.Target
	secret  *age.X25519Identity
	clock   time.Time
	said    int
}

func newCouncil(t testing.TB) *council {
	t.Helper()
	c := &council{TB: t, dir: t.TempDir(), clock: monday}
	for _, name := range []string{"state", "backups"} {
		c.must(os.Mkdir(c.path(name), 0o700))
	}
	c.must(os.WriteFile(c.path("muniment.toml"), []byte("# the configuration\n"), 0o600))
	c.must(ledger.NewKey(c.path("state/ledger.key"), "muniment"))
	var err error
	c.secret, err = age.GenerateX25519Identity()
	c.must(err)
	db, err := sqlitetest.Create(context.Background(), c.path("state/archive.db"))
	c.must(err)
	c.must(db.Write(context.Background(), func(tx *sqlite.Tx) error { return archive.Lay(tx, c.clock, "sysadmin") }))
	c.must(db.Close())
	c.open()
	t.Cleanup(func() { c.db.Close() })
	return c
}

// open opens the archive, and says where its backups go.
func (c *council) open() { c.openFor(c.secret.Recipient()) }

func (c *council) openFor(recipient age.Recipient) {
	c.Helper()
	var err error
	c.db, err = sqlite.Open(context.Background(), c.path("state/archive.db"))
	c.must(err)
	c.key, err = ledger.LoadKey(c.path("state/ledger.key"))
	c.must(err)
	c.write(func(tx *sqlite.Tx) (err error) {
		c.archive, err = archive.Load(tx, retention.ForYears(6))
		return err
	})
	now := func() time.Time { return c.clock }
	c.vault = &vault.Vault{Directory: c.path("state/media"), DB: c.db, Log: slog.New(slog.DiscardHandler), Now: now}
	c.target = &backup.Target{
		DB: c.db, Key: c.key, Vault: c.vault, Log: slog.New(slog.DiscardHandler), Now: now,
		State: c.path("state"), KeyFile: c.path("state/ledger.key"), Config: c.path("muniment.toml"),
		Directory: c.path("backups"), Recipient: recipient, KeepDays: 35, Council: "Cranford", Program: "muniment test",
	}
}

func (c *council) must(err error) {
	c.Helper()
	if err != nil {
		c.Fatal(err)
	}
}

func (c *council) path(name string) string { return filepath.Join(c.dir, name) }

func (c *council) write(f func(tx *sqlite.Tx) error) {
	c.Helper()
	c.must(c.db.Write(context.Background(), f))
}

func (c *council) read(f func(tx *sqlite.Tx) error) {
	c.Helper()
	c.must(c.db.Read(context.Background(), f))
}

func (c *council) says(text string) (seq record.Seq) {
	c.Helper()
	c.said++
	r := record.Received{Kind: record.Message, Type: record.Text, ID: fmt.Sprintf("A%d", c.said), Sender: ann, Text: text, Protobuf: []byte(text), Group: official, Sent: c.clock}
	c.write(func(tx *sqlite.Tx) error {
		captured, err := c.archive.Capture(tx, c.clock, r)
		seq = captured.Seq
		return err
	})
	return seq
}

// shares captures a message with a file, and returns where the vault keeps that.
func (c *council) shares(plain string) (seq record.Seq, sealed []byte) {
	c.Helper()
	c.said++
	f, err := c.vault.Seal(context.Background(), record.Document, record.File{Name: "Survey.pdf", MIME: "application/pdf"}, bytes.NewReader([]byte(plain)))
	c.must(err)
	r := record.Received{Kind: record.Message, Type: record.Document, ID: fmt.Sprintf("A%d", c.said), Sender: ann, Protobuf: []byte("p"), Group: official, Sent: c.clock, File: &f}
	c.must(c.vault.Put(context.Background(), []record.File{f}, func(tx *sqlite.Tx) error {
		captured, err := c.archive.Capture(tx, c.clock, r)
		if seq = captured.Seq; err != nil {
			return err
		}
		return vault.Keep(tx, c.clock, seq, record.Document, f)
	}))
	return seq, f.Sealed
}

// destroys destroys a record with its file, as a run does seven years later.
func (c *council) destroys(seq record.Seq) {
	c.Helper()
	c.clock = c.clock.AddDate(7, 0, 0)
	c.write(func(tx *sqlite.Tx) error {
		gone, err := c.archive.Destroy(tx, archive.Destruction{Run: 12, On: retention.DateOf(c.clock), Authority: "minute 12"}, []record.Seq{seq})
		if err != nil || len(gone) != 1 {
			return fmt.Errorf("destroyed %d: %w", len(gone), err)
		}
		if _, err := vault.Forget(tx, []record.Seq{seq}); err != nil {
			return err
		}
		return journal.Write(tx, journal.Entry{At: c.clock, Who: journal.Daemon, Act: journal.RunStep, About: journal.About{"run": 12, "records": []record.Seq{seq}}})
	})
}

// days lets so many days pass.
func (c *council) days(n int) { c.clock = c.clock.AddDate(0, 0, n) }

func (c *council) makes() {
	c.Helper()
	c.must(c.target.Make(context.Background(), backup.Nightly))
}

// register returns the register.
func (c *council) register() (all []backup.Backup) {
	c.Helper()
	c.read(func(tx *sqlite.Tx) (err error) {
		all, err = backup.All(tx)
		return err
	})
	return all
}

// left returns what backups made up to now still hold.
func (c *council) left() (left backup.Left) {
	c.Helper()
	c.read(func(tx *sqlite.Tx) (err error) {
		left, err = c.target.Backups(tx, c.clock.Add(time.Second))
		return err
	})
	return left
}

// files returns the names of all files below a directory.
func (c *council) files(directory string) (names []string) {
	c.Helper()
	c.must(filepath.WalkDir(c.path(directory), func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			name, _ := filepath.Rel(c.path(directory), path)
			names = append(names, name)
		}
		return err
	}))
	slices.Sort(names)
	return names
}

// opens opens a sealed backup, and returns the directory with what was in it, verified.
func (c *council) opens(path string) (backup.Manifest, string) {
	c.Helper()
	f, err := os.Open(path)
	c.must(err)
	defer f.Close()
	o, err := backup.Open(f, c.secret)
	c.must(err)
	out := c.TempDir()
	c.must(o.Extract(out))
	db, err := sqlite.Open(context.Background(), filepath.Join(out, backup.ArchiveName))
	c.must(err)
	defer db.Close()
	key, err := ledger.LoadKey(filepath.Join(out, backup.KeyName))
	c.must(err)
	report, err := verify.Run(context.Background(), db, key, verify.With{Checkpoints: []string{o.Manifest.Checkpoint}})
	c.must(err)
	if !report.OK() || report.Leaves != o.Manifest.Leaves || report.Records != o.Manifest.Records {
		c.Errorf("what was sealed does not verify, or is not what the manifest says: %+v, %+v", report, o.Manifest)
	}
	return o.Manifest, out
}

// acts returns how often each act of backups is in the journal, and the last reason of each.
func (c *council) acts() (times map[journal.Act]int, why map[journal.Act]string) {
	c.Helper()
	times, why = make(map[journal.Act]int), make(map[journal.Act]string)
	c.read(func(tx *sqlite.Tx) error {
		return journal.Each(tx, func(e journal.Entry) error {
			times[e.Act]++
			why[e.Act] = e.Reason
			return nil
		})
	})
	return times, why
}

// runs is a command that is a script.
func (c *council) runs(script string) command.Command {
	return command.Command{Name: "the copy command", Argv: []string{"/bin/sh", "-c", script}, Patience: 20 * time.Second}
}
