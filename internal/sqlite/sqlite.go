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
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // registers the driver "sqlite"
)

//go:embed migrations/*.sql
var migrations embed.FS

// ErrNoArchive is returned by [Open] where there is no database: a wrong path
// must not silently begin a new archive.
var ErrNoArchive = errors.New("there is no archive")

// ErrEmptied is returned by [Open] where there is a file with nothing in it: to
// lay out tables there would cover up what happened to the archive.
var ErrEmptied = errors.New("the archive's file is there, but nothing is in it: it was emptied or replaced")

// Damaged reports whether err says that a database file is not what SQLite wrote.
func Damaged(err error) bool {
	const corrupt, notADatabase = 11, 26 // SQLITE_CORRUPT, SQLITE_NOTADB
	var coded interface{ Code() int }
	if errors.As(err, &coded) {
		switch coded.Code() & 0xff {
		case corrupt, notADatabase:
			return true
		}
	}
	return errors.Is(err, ErrEmptied)
}

// Refusal says in words for everybody why the disk takes no write; empty if err is anything
// else. To try again is of use when somebody has made room, and no new start helps.
func Refusal(err error) string {
	const ( // SQLite's names, after SQLITE_
		full     = 13         // FULL
		readOnly = 8          // READONLY
		write    = 10 | 3<<8  // IOERR_WRITE
		opened   = 10 | 18<<8 // IOERR_SHMOPEN: the log's index cannot be begun
		grown    = 10 | 19<<8 // IOERR_SHMSIZE: nor grow
	)
	var coded interface{ Code() int }
	if !errors.As(err, &coded) {
		return ""
	}
	switch code := coded.Code(); {
	case code == full:
		return "the disk is full"
	case code == write, code == opened, code == grown: // a quota, or a limit on the size of files, as a rule
		return "the disk does not take it"
	case code&0xff == readOnly:
		return "the disk is read-only"
	}
	return ""
}

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
	return openArchive(ctx, path, true)
}

// Open opens the archive database at path and brings its layout up to date. It
// returns [ErrNoArchive] if there is none, [ErrEmptied] if there is a file
// without an archive in it, and refuses a database written by a newer version of
// the program.
func Open(ctx context.Context, path string) (*DB, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, ErrNoArchive
	case err != nil:
		return nil, fmt.Errorf("open archive: %w", err)
	case info.Size() == 0:
		return nil, ErrEmptied
	}
	return openArchive(ctx, path, false)
}

// openArchive opens the database; only a fresh one may have no tables.
func openArchive(ctx context.Context, path string, fresh bool) (*DB, error) {
	d := &DB{path: path}
	var err error
	if d.writer, err = open(path, "immediate", "synchronous(FULL)"); err != nil {
		return nil, err
	}
	d.writer.SetMaxOpenConns(1)
	d.prepared.db = d.writer
	if err := migrate(ctx, d.writer, fresh); err != nil {
		d.writer.Close()
		return nil, fmt.Errorf("open archive %s: %w", path, err)
	}
	if d.reader, err = open(path, "deferred", "query_only(1)", smallCache); err != nil {
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
	return open(path, "immediate", "synchronous(NORMAL)", smallCache)
}

// smallCache is of connections other than the one that writes the archive. Of these there
// may be eight, and with SQLite's two megabytes each the daemon's memory grew for days; what
// they do not find there, the system has.
const smallCache = "cache_size(-500)"

// logLimit is what a write-ahead log may keep of its size, in bytes, once what is in it
// has been moved into the file: while somebody reads, be it a minute to verify, it cannot
// be, and the log grows; without a limit it would stay as large for ever.
const logLimit = 16 << 20

// open never takes more than the given file: temporary tables stay in memory,
// so that no content strays into a directory nobody cleans. See also vacuum.
func open(path, txlock string, pragmas ...string) (*sql.DB, error) {
	q := url.Values{
		"_txlock": {txlock},
		"_pragma": append([]string{
			"busy_timeout(10000)",
			"secure_delete(1)",
			"journal_mode(WAL)",
			"foreign_keys(1)",
			"recursive_triggers(1)", // else REPLACE deletes past the triggers
			"temp_store(MEMORY)",
			fmt.Sprintf("journal_size_limit(%d)", logLimit),
		}, pragmas...),
	}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+q.Encode())
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return db, nil
}

func migrate(ctx context.Context, db *sql.DB, fresh bool) error {
	var laid bool
	if err := db.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'goose_db_version')").Scan(&laid); err != nil {
		return err
	}
	if !laid && !fresh {
		return ErrEmptied
	}
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

// Sound has SQLite check the structure of the file, and returns what it found
// wrong. It reads all of it, by a connection of its own: one that has been open for
// a while goes by what it remembers of the search index, and takes what others
// have written since for damage.
func (d *DB) Sound(ctx context.Context) (faults []string, err error) {
	db, err := open(d.path, "deferred", "query_only(1)")
	if err != nil {
		return nil, err
	}
	defer db.Close()
	rows, err := db.QueryContext(ctx, "PRAGMA quick_check(20)")
	if err != nil {
		return nil, fmt.Errorf("check the file: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, fmt.Errorf("check the file: %w", err)
		}
		if s != "ok" {
			faults = append(faults, s)
		}
	}
	return faults, rows.Err()
}

// Dangling returns, of each table, how many of its rows name a row of another that is not there.
// No statement of ours can make such a row, nor remove what one names.
func Dangling(tx *Tx) (rows map[string]int, err error) {
	all, err := tx.Query(`SELECT "table", count(*) FROM pragma_foreign_key_check GROUP BY 1`)
	if err != nil {
		return nil, fmt.Errorf("check what rows name: %w", err)
	}
	defer all.Close()
	rows = make(map[string]int)
	for all.Next() {
		var table string
		var n int
		if err := all.Scan(&table, &n); err != nil {
			return nil, fmt.Errorf("check what rows name: %w", err)
		}
		rows[table] = n
	}
	return rows, all.Err()
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

// ErrReader is returned by [DB.Scrub] where somebody reads the database and holds
// on to a state of it that is past: the log cannot be emptied until he is done.
var ErrReader = errors.New("a reader is in the way")

// Scrub leaves in the file and its write-ahead log nothing of what was deleted.
//
// It copies what is left into a fresh file and that over this one. Nothing less
// will do: where SQLite merges or splits the pages of a table, whole rows stay
// behind in gaps that no later deletion overwrites, and REINDEX leaves tables
// alone. Meanwhile nobody else can write.
func (d *DB) Scrub(ctx context.Context) error {
	if err := d.vacuum(ctx); err != nil {
		return fmt.Errorf("scrub archive: %w", err)
	}
	return d.EmptyLog(ctx)
}

// vacuuming is held while SQLite's directory for temporary files, which is one
// for the whole process, is that of an archive.
var vacuuming sync.Mutex

// vacuum rebuilds the file by way of one beside it: in memory, the copy would
// take more than the archive's size. The copy has no name from the moment that
// it is made, so it goes with the process, however that ends.
func (d *DB) vacuum(ctx context.Context) (err error) {
	vacuuming.Lock()
	defer vacuuming.Unlock()
	conn, err := d.writer.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	directory, err := filepath.Abs(filepath.Dir(d.path))
	if err != nil {
		return err
	}
	defer func() { // the context may have ended: not what the writer writes next
		_, back := conn.ExecContext(context.WithoutCancel(ctx), "PRAGMA temp_store = MEMORY")
		err = errors.Join(err, back)
	}()
	for _, statement := range []string{
		"PRAGMA temp_store_directory = '" + strings.ReplaceAll(directory, "'", "''") + "'",
		"PRAGMA temp_store = FILE",
		"VACUUM",
	} {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// EmptyLog does the latter half of [DB.Scrub]: it waits a while for readers, and
// returns [ErrReader] if they do not finish.
func (d *DB) EmptyLog(ctx context.Context) error { return emptyLog(ctx, d.writer) }

// EmptyLog moves everything from the write-ahead log of a database opened here
// into its file and truncates the log.
func EmptyLog(ctx context.Context, db *sql.DB) error { return emptyLog(ctx, db) }

func emptyLog(ctx context.Context, db *sql.DB) error {
	var busy, log, moved int
	if err := db.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &log, &moved); err != nil {
		return fmt.Errorf("empty write-ahead log: %w", err)
	}
	if busy != 0 {
		return fmt.Errorf("empty write-ahead log: %w", ErrReader)
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
