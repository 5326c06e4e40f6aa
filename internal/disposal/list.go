// Package disposal destroys what the council need no longer keep: it draws up the
// list of what falls due, gives notice, waits for approval, runs, proves by
// searching the files that nothing is left, and certifies.
//
// Where anything is in doubt it keeps, and says so.
package disposal

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"muniment/internal/archive"
	"muniment/internal/journal"
	"muniment/internal/ledger"
	"muniment/internal/mail"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
	"muniment/internal/vault"
)

// The kinds under which letters of this package stand in the outbox. A notice is
// about a list, a certificate about a run; of an interim one, the final one follows.
const (
	NoticeLetter      = "disposal notice"
	CertificateLetter = "disposal certificate"
	FinalLetter       = "final disposal certificate"
)

// Approval is how the council approves destruction.
type Approval string

// The ways of approval.
const (
	Unset    Approval = ""         // nothing is destroyed
	Standing Approval = "standing" // by the adopted policy, with its minute
	Each     Approval = "each"     // list by list, by a named person
)

// Policy is what the council has decided.
type Policy struct {
	Approval   Approval
	Minute     string // of the standing approval
	NoticeDays int    // between the notice and the destruction
	From, To   string // of notices and certificates
}

// Disposal carries the policy out.
type Disposal struct {
	DB      *sqlite.DB
	Archive *archive.Archive
	Key     *ledger.Key
	Policy  Policy
	Log     *slog.Logger
	Now     func() time.Time

	Vault  *vault.Vault      // of the files that go with records
	Groups map[string]string // what the groups are called, by JID

	// Directory is where every file lies that is searched after a run.
	Directory string
	// Verify checks the whole archive before anything of it is destroyed.
	Verify func(context.Context) error
	// ScrubSession leaves nothing deleted in the companion device's files.
	ScrubSession func(context.Context) error
	// Issuer is what certificates say of council and program.
	Issuer Issuer
	// Chair returns the address of the chair, at the council's own domains; empty if there is
	// none. Nil: likewise.
	Chair func(tx *sqlite.Tx) (string, error)
	// Owns reports whether an address is at the council's own domains. Nil: none is.
	Owns func(address string) bool

	// Publish puts the account of what a run destroyed, a signed text, where whoever restores
	// a backup finds it; the same again does no harm. There is no certificate before that.
	// Nil: there are no backups.
	Publish func(ctx context.Context, run int64, account string) error
	// Backups tells of the backups that were made before a moment. Nil: there are none.
	Backups func(tx *sqlite.Tx, before time.Time) (Backups, error)

	turn     sync.Mutex           // held by Nightly, which alone touches:
	searches map[int64]*fragments // what is to be searched for, by run
}

// Backups are those made before a moment. What was destroyed since is still in them.
type Backups struct {
	Left  int            // not known to have gone, here or elsewhere
	Never bool           // some of them never will by our doing: there is no command that removes copies elsewhere
	Gone  retention.Date // by which day the last should have gone
}

// List is a disposal list: records that fall due together.
type List struct {
	ID         int64
	DrawnUp    time.Time
	DestroyOn  retention.Date // not before
	ApprovedBy string
	Approver   string // the approver's role
	Approved   time.Time
	Digest     string    // of what was on it when it was approved, as [Digest] returns it
	Because    Because   // of an early disposal; empty: what is on it is due
	ProposedBy string    // likewise: by whom,
	Proposer   string    // and in which role
	Closed     time.Time // run, or lapsed
	Records    int       // still on it
	Entries    int       // of the journal's access log, likewise

	Run       int64  // that destroyed it, or is doing so; 0: none
	Authority string // on which the run rests
	Destroyed int    // by the run, once it is finished
}

// drawUp draws up the list of the week, unless there is one already: on Monday, as a rule.
// A list that would bear a wrong day is not drawn up.
func (d *Disposal) drawUp(ctx context.Context) error {
	var due Falling
	read := func(tx *sqlite.Tx) error {
		if is, err := d.hasDrawnUp(tx); err != nil || is {
			return err
		}
		if inDoubt, err := clockInDoubt(tx); err != nil || inDoubt {
			return err
		}
		var err error
		due, err = d.Falling(tx)
		return err
	}
	err := d.DB.Read(ctx, read)
	if errors.Is(err, archive.ErrNotTakenIn) { // something was captured a moment ago
		err = d.DB.Write(ctx, func(tx *sqlite.Tx) error {
			if err := archive.TakeIn(tx, d.Now()); err != nil {
				return err
			}
			return read(tx)
		})
	}
	if err != nil || due.none() {
		return err
	}
	return d.DB.Write(ctx, func(tx *sqlite.Tx) error {
		if is, err := d.hasDrawnUp(tx); err != nil || is { // by another process, meanwhile
			return err
		}
		_, err := d.DrawUp(tx, due)
		return err
	})
}

// hasDrawnUp reports whether a list was drawn up in this week.
func (d *Disposal) hasDrawnUp(tx *sqlite.Tx) (bool, error) {
	var last sql.NullString
	if err := tx.QueryRow("SELECT max(drawn_up_at) FROM disposal_list WHERE because = ''").Scan(&last); err != nil {
		return false, fmt.Errorf("last disposal list: %w", err)
	}
	if !last.Valid {
		return false, nil
	}
	at, err := sqlite.ParseTime(last.String)
	return retention.WeekOf(retention.DateOf(at)) >= retention.WeekOf(retention.DateOf(d.Now())), err
}

// Falling is what falls due within the period of notice and stands on no list yet.
type Falling struct {
	On      retention.Date // by this date
	Records []record.Seq
	Entries []int64 // of the journal's access log
}

func (f Falling) none() bool { return len(f.Records)+len(f.Entries) == 0 }

// Falling returns what falls due within the period of notice and stands on no list yet.
func (d *Disposal) Falling(tx *sqlite.Tx) (f Falling, err error) {
	f.On = retention.DateOf(d.Now()).AddDays(d.Policy.NoticeDays)
	listed, err := items(tx)
	if err != nil {
		return f, err
	}
	if f.Records, err = d.Archive.Due(tx, f.On, func(s record.Seq) bool { return listed[s] }); err != nil {
		return f, err
	}
	f.Entries, err = entriesDue(tx, f.On)
	return f, err
}

// DrawUp makes a list of what falls due, and owes the clerk the notice. Of records that
// were destroyed, or put on a list, since that was found, none is put on it.
func (d *Disposal) DrawUp(tx *sqlite.Tx, due Falling) (list int64, err error) {
	now := d.Now()
	if err := tx.QueryRow("INSERT INTO disposal_list (drawn_up_at, destroy_on) VALUES (?, ?) RETURNING id",
		sqlite.FormatTime(now), due.On).Scan(&list); err != nil {
		return 0, fmt.Errorf("draw up disposal list: %w", err)
	}
	records, err := putRecords(tx, list, due.Records)
	if err != nil {
		return 0, err
	}
	if err := putEntries(tx, list, due.Entries); err != nil {
		return 0, err
	}
	if err := d.queue(tx, NoticeLetter, list, d.Policy.To); err != nil {
		return 0, err
	}
	return list, journal.Write(tx, journal.Entry{At: now, Who: journal.Daemon, Act: journal.ListDrawnUp,
		About: journal.About{"list": list, "records": records, "entries": len(due.Entries), "destroy on": due.On}})
}

// putRecords puts records on a list, all at once: there may be a million of them, and
// captures wait. It returns how many it put.
func putRecords(tx *sqlite.Tx, list int64, seqs []record.Seq) (int64, error) {
	if len(seqs) == 0 { // null is one, to SQLite
		return 0, nil
	}
	numbers, err := json.Marshal(seqs)
	if err != nil {
		return 0, err
	}
	res, err := tx.Exec("INSERT OR IGNORE INTO disposal_item (seq, list) SELECT value, ? FROM json_each(?)", list, string(numbers))
	if err != nil {
		return 0, fmt.Errorf("draw up disposal list %d: %w", list, err)
	}
	return res.RowsAffected()
}

func (d *Disposal) queue(tx *sqlite.Tx, kind string, about int64, to ...string) error {
	return d.queuePart(tx, kind, about, 1, to...)
}

// queuePart owes one of several emails of a kind about the same.
func (d *Disposal) queuePart(tx *sqlite.Tx, kind string, about int64, part int, to ...string) error {
	id := kind
	if part > 1 {
		id = fmt.Sprintf("%s %d", kind, part)
	}
	_, err := mail.Queue(tx, d.Now(), mail.Item{
		Kind: kind, About: about, Part: part,
		MessageID: mail.MessageID(id, about, d.Archive.Token(), d.Policy.From),
		From:      d.Policy.From, To: to,
	})
	return err
}

// items returns every record that stands on an open list.
func items(tx *sqlite.Tx) (map[record.Seq]bool, error) {
	seqs, err := scanSeqs(tx.Query("SELECT seq FROM disposal_item"))
	if err != nil {
		return nil, err
	}
	on := make(map[record.Seq]bool, len(seqs))
	for _, s := range seqs {
		on[s] = true
	}
	return on, nil
}

// Items returns the records on a list that are not destroyed yet.
func Items(tx *sqlite.Tx, list int64) ([]record.Seq, error) {
	return scanSeqs(tx.Query("SELECT seq FROM disposal_item WHERE list = ? ORDER BY seq", list))
}

// stillOn returns those of the given records that stand on the list, and did when it was
// approved, where each list is.
func (d *Disposal) stillOn(tx *sqlite.Tx, l List, seqs []record.Seq) ([]record.Seq, error) {
	wanted, err := json.Marshal(seqs)
	if err != nil {
		return nil, err
	}
	return scanSeqs(tx.Query("SELECT seq FROM disposal_item WHERE list = ? AND (approved OR NOT ?) AND seq IN (SELECT value FROM json_each(?)) ORDER BY seq",
		l.ID, d.approvedOne(l), string(wanted)))
}

// approvedOne reports whether the list rests on an approval of its own.
func (d *Disposal) approvedOne(l List) bool { return l.Because != "" || d.Policy.Approval == Each }

func scanSeqs(rows *sql.Rows, err error) ([]record.Seq, error) {
	return scanNumbers[record.Seq](rows, err)
}

func scanNumbers[N ~int64](rows *sql.Rows, err error) (numbers []N, _ error) {
	if err != nil {
		return nil, fmt.Errorf("read disposal list: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var n N
		if err := rows.Scan(&n); err != nil {
			return nil, fmt.Errorf("read disposal list: %w", err)
		}
		numbers = append(numbers, n)
	}
	return numbers, rows.Err()
}

const listColumns = `SELECT id, drawn_up_at, destroy_on, coalesce(approved_by, ''), coalesce(approver, ''),
	coalesce(approved_at, ''), coalesce(closed_at, ''),
	(SELECT count(*) FROM disposal_item i WHERE i.list = disposal_list.id),
	(SELECT count(*) FROM disposal_entry e WHERE e.list = disposal_list.id),
	digest, because, proposed_by, proposer,
	coalesce(run, 0), coalesce(authority, ''), coalesce((SELECT json_array_length(body, '$.destroyed') FROM certificate c WHERE c.run = ran.run LIMIT 1), 0)
	FROM disposal_list LEFT JOIN (SELECT id AS run, list, authority FROM disposal_run) ran ON list = id`

// Lists returns all lists, the latest first.
func Lists(tx *sqlite.Tx) ([]List, error) {
	return scanLists(tx.Query(listColumns + " ORDER BY id DESC"))
}

// ErrNoList is returned where there is no such list, or it is closed.
var ErrNoList = errors.New("there is no such open disposal list")

// closedList is an ErrNoList that can say more.
type closedList struct {
	id int64
	on retention.Date
}

func (c closedList) Error() string      { return fmt.Sprintf("list %d was closed on %s", c.id, c.on.Long()) }
func (closedList) Is(target error) bool { return target == ErrNoList }

// OpenList returns the open list with that number.
func OpenList(tx *sqlite.Tx, id int64) (List, error) {
	lists, err := scanLists(tx.Query(listColumns+" WHERE id = ?", id))
	switch {
	case err != nil:
		return List{}, err
	case len(lists) == 0:
		return List{}, fmt.Errorf("list %d: %w", id, ErrNoList)
	case !lists[0].Closed.IsZero():
		return List{}, closedList{id, retention.DateOf(lists[0].Closed)}
	}
	return lists[0], nil
}

// Lapse is what became of a list that was closed without a run.
type Lapse struct {
	Why     string
	Records int // that stood on it when it was drawn up
}

// Lapses returns the lists that lapsed. The journal tells of them: a list that is
// closed keeps nothing of what was on it.
func Lapses(tx *sqlite.Tx) (map[int64]Lapse, error) {
	lapses, drawnUp := make(map[int64]Lapse), make(map[int64]int)
	if err := journal.Of(tx, journal.ListDrawnUp, func(e journal.Entry, _ int64) error {
		drawnUp[e.About.Number("list")] = int(e.About.Number("records"))
		return nil
	}); err != nil {
		return nil, err
	}
	if err := journal.Of(tx, journal.EarlyProposed, func(e journal.Entry, _ int64) error {
		drawnUp[e.About.Number("list")] = int(e.About.Number("count"))
		return nil
	}); err != nil {
		return nil, err
	}
	return lapses, journal.Of(tx, journal.ListLapsed, func(e journal.Entry, _ int64) error {
		list := e.About.Number("list")
		lapses[list] = Lapse{Why: e.Reason, Records: drawnUp[list]}
		return nil
	})
}

func scanLists(rows *sql.Rows, err error) ([]List, error) {
	if err != nil {
		return nil, fmt.Errorf("read disposal lists: %w", err)
	}
	defer rows.Close()
	var lists []List
	for rows.Next() {
		var l List
		var drawn, approved, closed string
		if err := rows.Scan(&l.ID, &drawn, &l.DestroyOn, &l.ApprovedBy, &l.Approver, &approved, &closed, &l.Records, &l.Entries,
			&l.Digest, &l.Because, &l.ProposedBy, &l.Proposer, &l.Run, &l.Authority, &l.Destroyed); err != nil {
			return nil, fmt.Errorf("read disposal lists: %w", err)
		}
		for _, t := range []struct {
			to   *time.Time
			from string
		}{{&l.DrawnUp, drawn}, {&l.Approved, approved}, {&l.Closed, closed}} {
			if *t.to, err = sqlite.ParseTime(t.from); err != nil {
				return nil, err
			}
		}
		lists = append(lists, l)
	}
	return lists, rows.Err()
}

// closeList closes a list; what it still holds may stand on another.
func closeList(tx *sqlite.Tx, now time.Time, list int64) error {
	for _, table := range []string{"disposal_item", "disposal_entry"} {
		if _, err := tx.Exec("DELETE FROM "+table+" WHERE list = ?", list); err != nil {
			return fmt.Errorf("close disposal list %d: %w", list, err)
		}
	}
	if _, err := tx.Exec("UPDATE disposal_list SET closed_at = ? WHERE id = ?", sqlite.FormatTime(now), list); err != nil {
		return fmt.Errorf("close disposal list %d: %w", list, err)
	}
	return nil
}
