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
// about a list, a certificate about a run.
const (
	NoticeLetter      = "disposal notice"
	CertificateLetter = "disposal certificate"
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

	turn     sync.Mutex           // held by Nightly, which alone touches:
	searches map[int64]*fragments // what is to be searched for, by run
}

// List is a disposal list: records that fall due together.
type List struct {
	ID         int64
	DrawnUp    time.Time
	DestroyOn  retention.Date // not before
	ApprovedBy string
	Approver   string // the approver's role
	Approved   time.Time
	Closed     time.Time // run, or lapsed
	Records    int       // still on it

	Run       int64  // that destroyed it, or is doing so; 0: none
	Authority string // on which the run rests
	Destroyed int    // by the run, once it is finished
}

// DrawUp lists what falls due within the period of notice and stands on no list
// yet, and owes the clerk the notice. It returns 0 where there is nothing.
func (d *Disposal) DrawUp(tx *sqlite.Tx) (list int64, err error) {
	now := d.Now()
	on := retention.DateOf(now).AddDays(d.Policy.NoticeDays)
	listed, err := items(tx)
	if err != nil {
		return 0, err
	}
	due, err := d.Archive.Due(tx, on, func(s record.Seq) bool { return listed[s] })
	if err != nil || len(due) == 0 {
		return 0, err
	}
	if err := tx.QueryRow("INSERT INTO disposal_list (drawn_up_at, destroy_on) VALUES (?, ?) RETURNING id",
		sqlite.FormatTime(now), on).Scan(&list); err != nil {
		return 0, fmt.Errorf("draw up disposal list: %w", err)
	}
	for _, seq := range due {
		if _, err := tx.Exec("INSERT INTO disposal_item (seq, list) VALUES (?, ?)", seq, list); err != nil {
			return 0, fmt.Errorf("draw up disposal list %d: %w", list, err)
		}
	}
	if err := d.queue(tx, NoticeLetter, list); err != nil {
		return 0, err
	}
	return list, journal.Write(tx, journal.Entry{At: now, Who: journal.Daemon, Act: journal.ListDrawnUp,
		About: journal.About{"list": list, "records": len(due), "destroy on": on}})
}

func (d *Disposal) queue(tx *sqlite.Tx, kind string, about int64) error {
	_, err := mail.Queue(tx, d.Now(), mail.Item{
		Kind: kind, About: about,
		MessageID: mail.MessageID(kind, about, d.Archive.Token(), d.Policy.From),
		From:      d.Policy.From, To: d.Policy.To,
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

// stillOn returns those of the given records that stand on the list.
func stillOn(tx *sqlite.Tx, list int64, seqs []record.Seq) ([]record.Seq, error) {
	wanted, err := json.Marshal(seqs)
	if err != nil {
		return nil, err
	}
	return scanSeqs(tx.Query("SELECT seq FROM disposal_item WHERE list = ? AND seq IN (SELECT value FROM json_each(?)) ORDER BY seq", list, string(wanted)))
}

func scanSeqs(rows *sql.Rows, err error) ([]record.Seq, error) {
	if err != nil {
		return nil, fmt.Errorf("read disposal list: %w", err)
	}
	defer rows.Close()
	var seqs []record.Seq
	for rows.Next() {
		var s record.Seq
		if err := rows.Scan(&s); err != nil {
			return nil, fmt.Errorf("read disposal list: %w", err)
		}
		seqs = append(seqs, s)
	}
	return seqs, rows.Err()
}

const listColumns = `SELECT id, drawn_up_at, destroy_on, coalesce(approved_by, ''), coalesce(approver, ''),
	coalesce(approved_at, ''), coalesce(closed_at, ''),
	(SELECT count(*) FROM disposal_item i WHERE i.list = disposal_list.id),
	coalesce(run, 0), coalesce(authority, ''), coalesce(json_array_length(certificate, '$.destroyed'), 0)
	FROM disposal_list LEFT JOIN (SELECT id AS run, list, authority, certificate FROM disposal_run) ON list = id`

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
		if err := rows.Scan(&l.ID, &drawn, &l.DestroyOn, &l.ApprovedBy, &l.Approver, &approved, &closed, &l.Records,
			&l.Run, &l.Authority, &l.Destroyed); err != nil {
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

// Approve records that a named person approves the destruction of a list.
func Approve(tx *sqlite.Tx, now time.Time, list int64, who, role, reason string) error {
	l, err := OpenList(tx, list)
	if err != nil {
		return err
	}
	if !l.Approved.IsZero() {
		return fmt.Errorf("list %d was approved already, by %s on %s", list, l.ApprovedBy, retention.DateOf(l.Approved).Long())
	}
	if _, err := tx.Exec("UPDATE disposal_list SET approved_by = ?, approver = ?, approved_at = ? WHERE id = ?",
		who, role, sqlite.FormatTime(now), list); err != nil {
		return fmt.Errorf("approve list %d: %w", list, err)
	}
	return journal.Write(tx, journal.Entry{At: now, Who: who, Act: journal.ListApproved, Reason: reason,
		About: journal.About{"list": list, "role": role, "records": l.Records}})
}

// closeList closes a list; what it still holds may stand on another.
func closeList(tx *sqlite.Tx, now time.Time, list int64) error {
	if _, err := tx.Exec("DELETE FROM disposal_item WHERE list = ?", list); err != nil {
		return fmt.Errorf("close disposal list %d: %w", list, err)
	}
	if _, err := tx.Exec("UPDATE disposal_list SET closed_at = ? WHERE id = ?", sqlite.FormatTime(now), list); err != nil {
		return fmt.Errorf("close disposal list %d: %w", list, err)
	}
	return nil
}
