// Package sqlite opens the daemon's databases and holds the layout of the
// archive: every table, by the migrations in this package.
//
// It knows no table's meaning. Each table is owned by one package, named in the
// first line of the migration that creates it, and only that package queries it.
package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"time"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // registers the driver "sqlite"
)

//go:embed migrations/*.sql
var migrations embed.FS

// ErrNoArchive is returned by [Open] where there is no database: a wrong path
// must not silently begin a new archive.
var ErrNoArchive = errors.New("there is no archive")

// DB is the archive's database file.
//
// A commit has reached the disk when Write returns (synchronous=FULL): messages
// are acknowledged on the strength of it. What is deleted is overwritten
// (secure_delete, on since the file's creation).
type DB struct {
	path     string
	writer   *sql.DB // one connection; transactions begin immediate
	prepared statements
	reader   *sql.DB
}

// Tx is a transaction. Packages that write take one from their caller, so that
// what belongs together is committed together.
type Tx struct {
	*sql.Tx
	prepared *statements // nil: none are kept
}

// Create makes a new archive database at path and lays out its tables. It
// refuses a path where there is a file already.
func Create(ctx context.Context, path string) (*DB, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("there is an archive at %s already", path)
	} else if err != nil {
		return nil, fmt.Errorf("create archive: %w", err)
	}
	if err := f.Close(); err != nil {
		return nil, fmt.Errorf("create archive: %w", err)
	}
	return Open(ctx, path)
}

// Open opens the archive database at path and brings its layout up to date. It
// returns [ErrNoArchive] if there is none, and refuses a database written by a
// newer version of the program.
func Open(ctx context.Context, path string) (*DB, error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNoArchive
	} else if err != nil {
		return nil, fmt.Errorf("open archive: %w", err)
	}
	d := &DB{path: path}
	var err error
	if d.writer, err = open(path, "immediate", "synchronous(FULL)"); err != nil {
		return nil, err
	}
	d.writer.SetMaxOpenConns(1)
	d.prepared.db = d.writer
	if err := migrate(ctx, d.writer); err != nil {
		d.writer.Close()
		return nil, fmt.Errorf("open archive %s: %w", path, err)
	}
	if d.reader, err = open(path, "deferred", "query_only(1)"); err != nil {
		d.writer.Close()
		return nil, err
	}
	d.reader.SetMaxOpenConns(4)
	return d, nil
}

// OpenSession opens or creates the database file of the companion device's
// session. Its tables are whatsmeow's own. synchronous=NORMAL suffices there:
// see ARCHITECTURE.md, Decisions.
func OpenSession(path string) (*sql.DB, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open session: %w", err)
	}
	if err := f.Close(); err != nil {
		return nil, fmt.Errorf("open session: %w", err)
	}
	return open(path, "immediate", "synchronous(NORMAL)")
}

// open never takes more than the given file: temporary tables stay in memory,
// so that no content strays into a directory nobody cleans.
func open(path, txlock string, pragmas ...string) (*sql.DB, error) {
	q := url.Values{
		"_txlock": {txlock},
		"_pragma": append([]string{
			"busy_timeout(10000)",
			"secure_delete(1)",
			"journal_mode(WAL)",
			"foreign_keys(1)",
			"temp_store(MEMORY)",
		}, pragmas...),
	}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+q.Encode())
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return db, nil
}

func migrate(ctx context.Context, db *sql.DB) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, files)
	if err != nil {
		return err
	}
	have, err := p.GetDBVersion(ctx)
	if err != nil {
		return err
	}
	sources := p.ListSources()
	if newest := sources[len(sources)-1].Version; have > newest {
		return fmt.Errorf("it was written by a newer muniment (layout %d, this program knows %d): install that version again", have, newest)
	}
	_, err = p.Up(ctx)
	return err
}

// Says reports whether fragment stands in every archive: in the text that lays
// out the tables, or in the words that such files begin with.
func Says(tx *Tx, fragment []byte) (says bool, err error) {
	if err := tx.QueryRow(`
		SELECT instr(CAST('SQLite format 3' AS BLOB), ?1)
			OR EXISTS (SELECT 1 FROM sqlite_schema WHERE instr(CAST(sql AS BLOB), ?1))`, fragment).Scan(&says); err != nil {
		return false, fmt.Errorf("search the layout: %w", err)
	}
	return says, nil
}

// Path returns the database's file name.
func (d *DB) Path() string { return d.path }

// Write runs f in a transaction and commits it. When Write returns nil, what f
// wrote is on disk; when it returns an error, nothing of it is, unless the
// commit itself failed: then it may be, and f must be safe to repeat.
func (d *DB) Write(ctx context.Context, f func(*Tx) error) error {
	defer d.prepared.prepare(ctx)
	return in(ctx, d.writer, &d.prepared, f)
}

// Read runs f on one consistent state of the database.
func (d *DB) Read(ctx context.Context, f func(*Tx) error) error {
	return in(ctx, d.reader, nil, f)
}

func in(ctx context.Context, db *sql.DB, prepared *statements, f func(*Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer tx.Rollback()
	if err := f(&Tx{tx, prepared}); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// Scrub leaves in the file and its write-ahead log nothing of what was deleted:
// it rebuilds the indexes, since page splits leave keys in gaps that deletion
// does not reach, and empties the log into the file.
func (d *DB) Scrub(ctx context.Context) error {
	if _, err := d.writer.ExecContext(ctx, "REINDEX"); err != nil {
		return fmt.Errorf("scrub archive: %w", err)
	}
	return emptyLog(ctx, d.writer)
}

// EmptyLog moves everything from the write-ahead log of a database opened here
// into its file and truncates the log.
func EmptyLog(ctx context.Context, db *sql.DB) error { return emptyLog(ctx, db) }

func emptyLog(ctx context.Context, db *sql.DB) error {
	var busy, log, moved int
	if err := db.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &log, &moved); err != nil {
		return fmt.Errorf("empty write-ahead log: %w", err)
	}
	if busy != 0 {
		return errors.New("empty write-ahead log: a reader is in the way")
	}
	return nil
}

// Close empties the write-ahead log and closes the database.
func (d *DB) Close() error {
	return errors.Join(d.reader.Close(), d.writer.Close())
}

// timeLayout is RFC 3339 in UTC with milliseconds, so that text order is time
// order and an archivist can read it.
const timeLayout = "2006-01-02T15:04:05.000Z"

// FormatTime writes t as the databases keep times.
func FormatTime(t time.Time) string { return t.UTC().Format(timeLayout) }

// ParseTime reads what [FormatTime] wrote; the empty text is the zero time.
func ParseTime(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(timeLayout, s)
	if err != nil {
		return time.Time{}, fmt.Errorf("time %q in the archive: %w", s, err)
	}
	return t, nil
}
