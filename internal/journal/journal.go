// Package journal keeps the account of who did what, when and why: every view,
// hold, approval, run, start, stop and change of the member register. Each entry
// is a leaf of the ledger, written in the transaction of the act itself. Entries of the
// access log are destroyed when they are due, and leave a stub.
//
// An entry holds names of those who act, numbers and dates. It never holds what
// a record says.
package journal

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"muniment/internal/ledger"
	"muniment/internal/sqlite"
)

// Act names what was done.
type Act string

// The acts.
const (
	Created          Act = "archive created"
	Started          Act = "daemon started"
	Stopped          Act = "daemon stopped"
	Linked           Act = "device linked"
	LinkLost         Act = "link lost"
	PhoneUnseen      Act = "council's phone not in use for days" // WhatsApp unlinks this machine after about 14
	PhoneBack        Act = "council's phone in use again"
	GapOpened        Act = "gap opened"
	GapClosed        Act = "gap closed"
	StrangerPresent  Act = "in the group, and not in office on the register"
	StrangerAdmin    Act = "admin of the group, and not in office on the register"
	AccountOutside   Act = "council's account not in the group"
	TimerOn          Act = "messages set to disappear"
	GroupRenamed     Act = "name of the group changed"
	ViewOnceSent     Act = "message sent to be viewed once"
	MemberAdded      Act = "member added"
	MemberChanged    Act = "member changed"
	MemberEnded      Act = "member ended" // his entry; he has left office
	MemberRemoved    Act = "member removed"
	MemberIdentified Act = "member identified"             // with somebody whom nobody knew
	NumberMoved      Act = "number is somebody else's now" // by WhatsApp
	NumberChanged    Act = "number changed"                // likewise; the person is the same
	Viewed           Act = "records viewed"
	Proved           Act = "record proved" // to whom the file is given
	Searched         Act = "records searched"
	FileViewed       Act = "file viewed"
	FlagDismissed    Act = "flag found to be no concern"
	FileLost         Act = "file lost"                               // it could not be had from WhatsApp
	Unwritable       Act = "archive could not be written to"         // noted when it can be again
	HistoryRead      Act = "history of the council's phone read"     // a piece of what it has of the past
	HistoryLost      Act = "history of the council's phone not read" // it could not be had, or not be read
	HistoryAsked     Act = "council's phone asked for history"       // that is missing, and how it ended
	DiskLow          Act = "disk nearly full: files wait"
	DiskEnough       Act = "disk has room for files again"
	ExportCompared   Act = "export compared" // a phone's, of the chat, with the records
	ImportBegun      Act = "import begun"
	ImportFinished   Act = "import finished"
	HoldPlaced       Act = "hold placed"
	HoldGrew         Act = "records taken into hold" // that its search found later
	HoldDescribed    Act = "hold described"          // its kind and case
	HoldReviewed     Act = "hold reviewed"           // and still needed
	HoldReminded     Act = "reminded of the review of a hold"
	HoldReleased     Act = "hold released"
	ParentArrived    Act = "due date taken from the original"
	ReadAgain        Act = "records read again" // that could not be read at capture
	Reindexed        Act = "all records read again, and search index rebuilt"
	PeriodChanged    Act = "retention period changed" // before there were schedules
	ScheduleAdopted  Act = "retention schedule adopted"
	MailHandedOver   Act = "email handed over"
	MailRefused      Act = "email refused"
	MailExpired      Act = "email expired" // it was tried for five days
	MailRetried      Act = "email to be tried again"
	MailCancelled    Act = "email taken back"
	DigestAsked      Act = "digest asked for"
	MarkNotCounted   Act = "reaction did not count as a mark"
	MarkWaits        Act = "marked conversation put off"
	ForwardedByHand  Act = "conversation forwarded by hand"
	ListDrawnUp      Act = "disposal list drawn up"
	ListReduced      Act = "records taken off disposal list"
	ListApproved     Act = "disposal list approved"
	EarlyProposed    Act = "early disposal proposed"
	EarlyConfirmed   Act = "early disposal confirmed"
	RunStarted       Act = "disposal run started"
	RunStep          Act = "records destroyed"
	ResidueFound     Act = "residue of destroyed records found"
	RunFinished      Act = "disposal run finished"
	FinalCertificate Act = "final certificate of destruction issued" // the last backup of what was destroyed has gone
	ListLapsed       Act = "disposal list lapsed"
	VerifyFailed     Act = "verification failed"
	VerifyPassed     Act = "verification passed" // after it had failed
	AlertRaised      Act = "alert raised"
	AlertEnded       Act = "alert ended"
	ClockJumped      Act = "clock jumped"
	ClockConfirmed   Act = "clock confirmed"
	BackupMade       Act = "backup made"
	BackupFailed     Act = "backup failed"
	BackupFound      Act = "backup found" // in its directory, and not on the register
	BackupGone       Act = "backup gone"
	BackupCopied     Act = "backups copied elsewhere"
	BackupNotCopied  Act = "backups not copied elsewhere"
	BackupPruned     Act = "copies of backups elsewhere removed"
	BackupNotPruned  Act = "copies of backups elsewhere not removed"
	Restored         Act = "archive restored"
	Replayed         Act = "account of a disposal run repeated" // what it had destroyed after the backup, again
	RestoreConfirmed Act = "lost time entered again after restore"
	Rehearsed        Act = "backup rehearsed"
	RehearsalFailed  Act = "rehearsal of backup failed"
	FilesNotRestored Act = "files not in the backup" // they are wanted again
)

// Daemon is who acts when nobody does but the program.
const Daemon = "muniment"

// Entry is one act.
type Entry struct {
	ID     int64
	At     time.Time
	Who    string
	Act    Act
	Reason string
	About  About
}

// About tells what an act concerned: numbers, dates, counts.
type About map[string]any

// String returns a as it is kept: two that say the same are the same text.
func (a About) String() string {
	b, err := json.Marshal(a) // sorts its keys
	if err != nil {
		return ""
	}
	return string(b)
}

// Write adds e to the journal; its ID is given here.
func Write(tx *sqlite.Tx, e Entry) error {
	about, err := json.Marshal(e.About) // sorts its keys
	if err != nil {
		return fmt.Errorf("journal %q: %w", e.Act, err)
	}
	var last int64
	if err := tx.QueryRow("SELECT coalesce(max(id), 0) FROM journal").Scan(&last); err != nil {
		return fmt.Errorf("journal %q: %w", e.Act, err)
	}
	e.ID = last + 1
	leaf, salt, err := ledger.Append(tx, func(int64) []byte { return canonical(e, string(about)) })
	if err != nil {
		return fmt.Errorf("journal %q: %w", e.Act, err)
	}
	if _, err := tx.Exec(`
		INSERT INTO journal (id, at, who, act, reason, about, salt, leaf)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
		e.ID, sqlite.FormatTime(e.At), e.Who, e.Act, e.Reason, string(about), salt, leaf,
	); err != nil {
		return fmt.Errorf("journal %q: %w", e.Act, err)
	}
	return nil
}

// canonical is what an entry's leaf commits to, in the form of
// record.Canonical: "name length:value\n".
func canonical(e Entry, about string) []byte {
	var b strings.Builder
	b.WriteString(Form + "\n")
	for _, f := range facts(e, about) {
		fmt.Fprintf(&b, "%s %d:%s\n", f[0], len(f[1]), f[1])
	}
	return []byte(b.String())
}

// Form is the first line of the canonical bytes of an entry.
const Form = "muniment journal 1"

// facts are what an entry's leaf commits to, each with its name.
func facts(e Entry, about string) [][2]string {
	return [][2]string{
		{"id", strconv.FormatInt(e.ID, 10)},
		{"at", sqlite.FormatTime(e.At)},
		{"who", e.Who},
		{"act", string(e.Act)},
		{"reason", e.Reason},
		{"about", about},
	}
}

// Leaf is what an entry or its stub answers for in the ledger.
type Leaf struct {
	ID   int64
	Leaf int64
	Stub bool        // Hash is not known any more
	Hash ledger.Hash // computed anew from what the journal says now
}

// Leaves calls f for every entry and every stub, in the order of the ledger.
func Leaves(tx *sqlite.Tx, f func(Leaf) error) error {
	rows, err := tx.Query("SELECT id, leaf FROM journal_stub ORDER BY leaf")
	if err != nil {
		return fmt.Errorf("read journal: %w", err)
	}
	defer rows.Close()
	var stub *Leaf // the next; nil after the last
	next := func() error {
		if stub = nil; !rows.Next() {
			return rows.Err()
		}
		stub = &Leaf{Stub: true}
		return rows.Scan(&stub.ID, &stub.Leaf)
	}
	stubsBefore := func(leaf int64) error {
		for stub != nil && stub.Leaf < leaf {
			if err := f(*stub); err != nil {
				return err
			}
			if err := next(); err != nil {
				return fmt.Errorf("read journal: %w", err)
			}
		}
		return nil
	}
	if err := next(); err != nil {
		return fmt.Errorf("read journal: %w", err)
	}
	if err := each(tx, func(e Entry, about string, salt []byte, leaf int64) error {
		if err := stubsBefore(leaf); err != nil {
			return err
		}
		return f(Leaf{ID: e.ID, Leaf: leaf, Hash: ledger.LeafHash(salt, canonical(e, about))})
	}); err != nil {
		return err
	}
	return stubsBefore(math.MaxInt64)
}

// Each calls f for every entry, oldest first.
func Each(tx *sqlite.Tx, f func(Entry) error) error {
	return each(tx, func(e Entry, about string, _ []byte, _ int64) error {
		if err := json.Unmarshal([]byte(about), &e.About); err != nil {
			return fmt.Errorf("journal entry %d: %w", e.ID, err)
		}
		return f(e)
	})
}

func each(tx *sqlite.Tx, f func(e Entry, about string, salt []byte, leaf int64) error) error {
	rows, err := tx.Query("SELECT id, at, who, act, reason, about, salt, leaf FROM journal ORDER BY leaf")
	if err != nil {
		return fmt.Errorf("read journal: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var e Entry
		var at, about string
		var salt []byte
		var leaf int64
		if err := rows.Scan(&e.ID, &at, &e.Who, &e.Act, &e.Reason, &about, &salt, &leaf); err != nil {
			return fmt.Errorf("read journal: %w", err)
		}
		if e.At, err = sqlite.ParseTime(at); err != nil {
			return fmt.Errorf("journal entry %d: %w", e.ID, err)
		}
		if err := f(e, about, salt, leaf); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Of calls f for every entry of an act, oldest first, with its leaf. What cannot be
// read is left out: it was altered, and its leaf tells.
func Of(tx *sqlite.Tx, a Act, f func(e Entry, leaf int64) error) error {
	rows, err := tx.Query("SELECT id, at, who, reason, about, leaf FROM journal WHERE act = ? ORDER BY id", a)
	if err != nil {
		return fmt.Errorf("read journal: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		e := Entry{Act: a}
		var at, about string
		var leaf int64
		if err := rows.Scan(&e.ID, &at, &e.Who, &e.Reason, &about, &leaf); err != nil {
			return fmt.Errorf("read journal: %w", err)
		}
		var unread error
		if e.At, unread = sqlite.ParseTime(at); unread != nil || json.Unmarshal([]byte(about), &e.About) != nil {
			continue
		}
		if err := f(e, leaf); err != nil {
			return err
		}
	}
	return rows.Err()
}

// After returns the entries after the one with a number, oldest first. What cannot be read
// is left out: it was altered, and its leaf tells.
func After(tx *sqlite.Tx, id int64) ([]Entry, error) {
	rows, err := tx.Query("SELECT id, at, who, act, reason, about FROM journal WHERE id > ? ORDER BY id", id)
	if err != nil {
		return nil, fmt.Errorf("read journal: %w", err)
	}
	defer rows.Close()
	var entries []Entry
	for rows.Next() {
		var e Entry
		var at, about string
		if err := rows.Scan(&e.ID, &at, &e.Who, &e.Act, &e.Reason, &about); err != nil {
			return nil, fmt.Errorf("read journal: %w", err)
		}
		var unread error
		if e.At, unread = sqlite.ParseTime(at); unread != nil || json.Unmarshal([]byte(about), &e.About) != nil {
			continue
		}
		entries = append(entries, e)
	}
	return entries, rows.Err()
}

// Number returns the number of that name in what an entry is about; 0 if there is
// none.
func (a About) Number(name string) int64 {
	n, _ := a[name].(float64) // as JSON reads numbers
	return int64(n)
}

// A Time is when an entry was written, and its place in the ledger.
type Time struct {
	At   time.Time
	Leaf int64
}

// Times returns the times of the entry with the number first and of all after it,
// in the order of writing.
func Times(tx *sqlite.Tx, first int64) ([]Time, error) {
	rows, err := tx.Query("SELECT at, leaf FROM journal WHERE id >= ? ORDER BY id", first)
	if err != nil {
		return nil, fmt.Errorf("read journal: %w", err)
	}
	defer rows.Close()
	var times []Time
	for rows.Next() {
		var t Time
		var at string
		if err := rows.Scan(&at, &t.Leaf); err != nil {
			return nil, fmt.Errorf("read journal: %w", err)
		}
		if t.At, err = sqlite.ParseTime(at); err != nil {
			return nil, fmt.Errorf("read journal: %w", err)
		}
		times = append(times, t)
	}
	return times, rows.Err()
}

// EachStep calls f with the numbers of the records and of the journal's own entries that
// each step of a disposal run destroyed, in the order of destruction. What cannot be read is left out: it
// was altered, and its leaf tells.
func EachStep(tx *sqlite.Tx, f func(seqs, entries []int64) error) error {
	rows, err := tx.Query("SELECT about FROM journal WHERE act = ? ORDER BY id", RunStep)
	if err != nil {
		return fmt.Errorf("read journal: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return fmt.Errorf("read journal: %w", err)
		}
		var about struct{ Records, Entries []int64 }
		if json.Unmarshal([]byte(text), &about) != nil {
			continue
		}
		if err := f(about.Records, about.Entries); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Last returns the time of the latest entry; zero if there is none.
func Last(tx *sqlite.Tx) (time.Time, error) {
	_, at, err := latest(tx, "1")
	return at, err
}

// LastID returns the number of the latest entry; 0 if there is none.
func LastID(tx *sqlite.Tx) (int64, error) {
	id, _, err := latest(tx, "1")
	return id, err
}

// LastOf returns the number and time of the latest entry of an act; 0 if there
// is none.
func LastOf(tx *sqlite.Tx, a Act) (id int64, at time.Time, err error) {
	return latest(tx, "act = ?", a)
}

// ClockInDoubt reports whether the clock has jumped and nobody has confirmed it since.
func ClockInDoubt(tx *sqlite.Tx) (bool, error) {
	jumped, _, err := LastOf(tx, ClockJumped)
	if err != nil {
		return false, err
	}
	confirmed, _, err := LastOf(tx, ClockConfirmed)
	return jumped > confirmed, err
}

func latest(tx *sqlite.Tx, which string, args ...any) (id int64, at time.Time, err error) {
	var s string
	err = tx.QueryRow("SELECT id, at FROM journal WHERE "+which+" ORDER BY id DESC LIMIT 1", args...).Scan(&id, &s)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, time.Time{}, nil
	} else if err != nil {
		return 0, time.Time{}, fmt.Errorf("read journal: %w", err)
	}
	at, err = sqlite.ParseTime(s)
	return id, at, err
}

// Says reports whether an entry holds fragment.
func Says(tx *sqlite.Tx, fragment []byte) (says bool, err error) {
	if err := tx.QueryRow(`
		SELECT EXISTS (SELECT 1 FROM journal
			WHERE instr(CAST(who AS BLOB), ?1) OR instr(CAST(reason AS BLOB), ?1) OR instr(CAST(about AS BLOB), ?1))`,
		fragment).Scan(&says); err != nil {
		return false, fmt.Errorf("search the journal: %w", err)
	}
	return says, nil
}
