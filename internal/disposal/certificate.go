package disposal

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"muniment/internal/archive"
	"muniment/internal/journal"
	"muniment/internal/ledger"
	"muniment/internal/mail"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
)

// Issuer is what a certificate says of the council and of the program.
type Issuer struct {
	Council       string `json:"council"`
	PolicyTitle   string `json:"policy_title"`
	PolicyAdopted string `json:"policy_adopted"`
	PolicyMinute  string `json:"policy_minute"`
	PolicySection string `json:"policy_section"`
	Program       string `json:"program"` // and its version
	Host          string `json:"host"`
}

// Status says whether what was destroyed may still lie in a backup.
type Status string

// The statuses of a certificate.
const (
	Interim Status = "interim" // it does, until the last backup made before has gone; nobody will use it
	Final   Status = "final"   // it does not, or there are no backups that this program knows of
)

// Certificate is the account of one run (REQUIREMENTS.md 3.8).
//
// What is issued is its JSON with a signature beside it: see [Certificate.Document]. It
// cannot hold the checkpoint that covers it, nor its own digest. So the journal's entry of
// the issue commits to the digest, the certificate says where in the ledger that entry
// stands, and the checkpoint beside it covers the entry.
type Certificate struct {
	Number int64     `json:"number"` // of the run
	Status Status    `json:"status"`
	Issued time.Time `json:"issued_at"`
	Issuer Issuer    `json:"issuer"`
	List   int64     `json:"list"`

	Authority  string    `json:"authority"`
	ApprovedBy string    `json:"approved_by,omitempty"` // where the list was approved
	Approver   string    `json:"approver,omitempty"`    // his role
	Approved   time.Time `json:"approved_at,omitzero"`
	Digest     string    `json:"list_digest,omitempty"`    // of what was approved
	Because    Because   `json:"early_disposal,omitempty"` // why it was destroyed before its time
	ProposedBy string    `json:"proposed_by,omitempty"`    // likewise: who proposed it,
	Proposer   string    `json:"proposer,omitempty"`       // and in which role
	NoticeOn   time.Time `json:"notice_accepted_at,omitzero"`
	Started    time.Time `json:"started_at"`
	Finished   time.Time `json:"finished_at"`
	Class      string    `json:"class"`
	Rule       string    `json:"rule"`

	SentFrom retention.Date `json:"sent_from"`
	SentTo   retention.Date `json:"sent_to"`

	Groups    []GroupRecords `json:"groups"` // of which the records were
	Counts    Counts         `json:"counts"`
	Media     int            `json:"files_destroyed"` // photos, documents and so on, of these records
	Copies    Copies         `json:"copies_destroyed"`
	Entries   int            `json:"log_entries_destroyed"` // of the journal's access log
	Kept      int            `json:"kept_on_hold"`          // stood on the list and were on hold, at some time since it was drawn up
	TakenOff  int            `json:"taken_off"`             // of these: the hold was released, and they come onto another list
	Holds     []int64        `json:"holds"`                 // the numbers of these holds
	NotDue    int            `json:"not_due"`               // stood on the list, and are kept for longer than was thought
	Errors    int            `json:"errors"`                // always 0: else there is no certificate
	Destroyed []archive.Stub `json:"destroyed"`
	Log       []journal.Stub `json:"destroyed_log_entries"`

	SearchedAt time.Time `json:"searched_at"` // since when the files are known to be clean
	Searched   int       `json:"records_searched_for"`
	Unsearched int       `json:"records_not_searched_for"`     // the run was interrupted
	Unsought   int       `json:"log_entries_not_searched_for"` // likewise
	Files      int       `json:"files_searched"`
	Bytes      int64     `json:"bytes_searched"`
	Found      int       `json:"fragments_found"` // always 0: else there is no certificate
	// FoundBefore is what an earlier search found, where the run was interrupted
	// since and could not search for it again.
	FoundBefore int              `json:"fragments_found_before_interruption"`
	Backups     CertifiedBackups `json:"backups"`
	Emails      []EmailedCopy    `json:"emailed_copies"`
	NotCovered  []string         `json:"not_covered"`

	// Commitments is the head of a tree (RFC 6962) of the leaves of what was destroyed, in
	// the order of Destroyed, then of Log.
	Commitments []byte `json:"commitments"`
	Leaf        int64  `json:"leaf"` // where in the ledger the entry stands that commits to this certificate

	body             []byte // the JSON as it was issued
	Note, Checkpoint string `json:"-"`
}

// Counts are what was destroyed.
type Counts struct {
	Messages  int   `json:"messages"`
	Edits     int   `json:"edits"`
	Deletions int   `json:"deletions"`
	Reactions int   `json:"reactions"`
	Votes     int   `json:"votes"`
	Changes   int   `json:"changes"` // of who was in the group, and of the group
	Other     int   `json:"other"`
	Bytes     int64 `json:"bytes"`      // of the records
	FileBytes int64 `json:"file_bytes"` // of the files that went with them
}

// Copies are what else there was of it, and went with it.
type Copies struct {
	SearchEntries int   `json:"search_entries"`
	Quotations    int   `json:"quotations"` // in other messages, and in these of others
	Letters       int64 `json:"letters"`    // composed emails in the outbox
	Marks         int64 `json:"marks"`
	Flags         int64 `json:"flags"` // that something was no concern
	Keys          int   `json:"keys"`  // salts of leaves, and keys of files
}

// tally is what a run has destroyed so far, as it is kept.
type tally struct {
	Counts Counts `json:"counts"`
	Copies Copies `json:"copies"`
}

func (t *tally) add(g archive.Destroyed) {
	switch g.Kind {
	case record.Message, record.Unsupported:
		t.Counts.Messages++
	case record.Edit:
		t.Counts.Edits++
	case record.Deletion:
		t.Counts.Deletions++
	case record.Reaction:
		t.Counts.Reactions++
	case record.Vote:
		t.Counts.Votes++
	case record.Participants, record.Group:
		t.Counts.Changes++
	default:
		t.Counts.Other++
	}
	t.Counts.Bytes += g.Bytes
	t.Copies.Quotations += g.Quotations
	t.Copies.Keys += len(g.Salts)
	if g.Indexed {
		t.Copies.SearchEntries++
	}
}

// CertifiedBackups is what a certificate says of backups made before the files were clean.
type CertifiedBackups struct {
	Configured bool           `json:"configured"`
	Left       int            `json:"left"`              // that hold what was destroyed, here or elsewhere
	Never      bool           `json:"removed_by_others"` // some will not be removed by this program's doing
	Gone       retention.Date `json:"gone_by,omitempty"` // by which day the last should have gone
}

// GroupRecords are the records of one group, in order of number.
type GroupRecords struct {
	Group   string       `json:"group"` // in a certificate its name, empty if it was not listed any more; in a notice its JID
	Records []record.Seq `json:"records"`
}

// went is what a run destroyed: it is at its end, so that does not change any more, and is
// read where nobody waits for it.
type went struct {
	records []archive.Stub
	entries []journal.Stub
	emails  []emailWith
}

func whatWent(tx *sqlite.Tx, run int64) (w went, err error) {
	if w.records, err = archive.StubsOf(tx, run); err != nil {
		return w, err
	}
	if w.entries, err = journal.StubsOf(tx, run); err != nil {
		return w, err
	}
	w.emails, err = emailsWith(tx, w.records)
	return w, err
}

// certify makes the certificate of a run.
func (d *Disposal) certify(tx *sqlite.Tx, l List, r running, w went) (c Certificate, err error) {
	c = Certificate{Number: r.id, Issuer: d.Issuer, List: l.ID, Authority: r.authority, Finished: d.Now().UTC(),
		Holds: []int64{}, NotCovered: notCovered}
	if c.Authority != standingOn(d.Policy.Minute) {
		c.ApprovedBy, c.Approver, c.Approved, c.Digest = l.ApprovedBy, l.Approver, l.Approved, l.Digest
		c.Because, c.ProposedBy, c.Proposer = l.Because, l.ProposedBy, l.Proposer
	}
	if err := c.ran(tx, r); err != nil {
		return c, fmt.Errorf("certificate of run %d: %w", r.id, err)
	}
	if l.Because == "" { // else there is no notice
		notice, err := mail.Find(tx, NoticeLetter, l.ID)
		if err != nil {
			return c, err
		}
		c.NoticeOn = notice.FinishedAt
	}
	if err := c.notDestroyed(tx, l); err != nil {
		return c, err
	}
	c.Destroyed = append([]archive.Stub{}, w.records...) // in JSON, none is a list too
	c.Log = append([]journal.Stub{}, w.entries...)
	c.sumUp()
	groups, err := groupsOf(tx, r.id)
	if err != nil {
		return c, err
	}
	c.Groups = byGroup(groups)
	if c.Emails, err = emailedCopies(tx, w.emails); err != nil {
		return c, err
	}
	digests, err := emailedDigests(tx, c.Destroyed)
	if err != nil {
		return c, err
	}
	c.Emails = append(c.Emails, digests...)
	c.Backups, err = d.backedUp(tx, c.SearchedAt)
	return c, err
}

// notCovered is where else there may be copies.
var notCovered = []string{
	"the phones of the people in the group, and their own backups",
	"WhatsApp's servers",
	"copies of the computer's files that something other than this program made",
	"the emailed copies that are listed, and what was passed on of them",
	"what was disclosed in answers to requests, or printed",
	"what a disk keeps of overwritten data where no program can reach it",
}

// ran reads what is kept of the run.
func (c *Certificate) ran(tx *sqlite.Tx, r running) error {
	var started, searched, counts string
	if err := tx.QueryRow(`
		SELECT started_at, coalesce(searched_at, ''), unsearched - searched, searched, files, bytes, media, counts, entries_unsearched
		FROM disposal_run WHERE id = ?`, r.id).
		Scan(&started, &searched, &c.Unsearched, &c.Searched, &c.Files, &c.Bytes, &c.Media, &counts, &c.Unsought); err != nil {
		return err
	}
	if c.Unsearched > 0 || c.Unsought > 0 {
		c.FoundBefore = r.residue
	}
	var t tally
	if err := json.Unmarshal([]byte(counts), &t); err != nil {
		return err
	}
	c.Counts, c.Copies = t.Counts, t.Copies
	var err error
	if c.Started, err = sqlite.ParseTime(started); err != nil {
		return err
	}
	c.SearchedAt, err = sqlite.ParseTime(searched)
	return err
}

// notDestroyed tells what stood on the list and is kept, and why.
func (c *Certificate) notDestroyed(tx *sqlite.Tx, l List) error {
	left, err := Items(tx, l.ID)
	if err != nil {
		return err
	}
	off, err := takenOff(tx, l.ID)
	if err != nil {
		return err
	}
	c.TakenOff, c.Kept = len(off), len(off)
	on := make(map[record.Seq]bool)
	holds, err := archive.Holds(tx)
	if err != nil {
		return err
	}
	released, err := releasedSince(tx, l.ID)
	if err != nil {
		return err
	}
	for _, h := range holds {
		of := left
		if slices.Contains(released, h.ID) {
			of = off
		} else if !h.Released.IsZero() {
			continue
		}
		held, err := archive.HeldBy(tx, h.ID, of)
		if err != nil {
			return err
		}
		if len(held) > 0 {
			c.Holds = append(c.Holds, h.ID)
		}
		for _, seq := range held {
			on[seq] = true
		}
	}
	for _, seq := range left {
		if on[seq] {
			c.Kept++
		} else {
			c.NotDue++
		}
	}
	return nil
}

// sumUp says of all that was destroyed what is said of each.
func (c *Certificate) sumUp() {
	var rules, classes []string
	var leaves []ledger.Hash
	for i, stub := range c.Destroyed {
		if i == 0 || stub.SentOn < c.SentFrom {
			c.SentFrom = stub.SentOn
		}
		c.SentTo = max(c.SentTo, stub.SentOn)
		if !slices.Contains(classes, string(stub.Class)) {
			classes = append(classes, string(stub.Class))
		}
		if !slices.Contains(rules, stub.Rule) { // the period may have been changed between two of them
			rules = append(rules, stub.Rule)
		}
		leaves = append(leaves, ledger.Hash(stub.Commitment))
	}
	for _, stub := range c.Log {
		if !slices.Contains(classes, string(stub.Class)) {
			classes = append(classes, string(stub.Class))
		}
		if !slices.Contains(rules, stub.Rule) {
			rules = append(rules, stub.Rule)
		}
		leaves = append(leaves, stub.Hash)
	}
	c.Entries = len(c.Log)
	c.Class, c.Rule = strings.Join(classes, "; "), strings.Join(rules, "; ")
	head := ledger.HeadOf(leaves)
	c.Commitments = head[:]
}

// backedUp tells what backups made before a moment still hold.
func (d *Disposal) backedUp(tx *sqlite.Tx, before time.Time) (CertifiedBackups, error) {
	if d.Backups == nil {
		return CertifiedBackups{}, nil
	}
	b, err := d.Backups(tx, before)
	if err != nil {
		return CertifiedBackups{}, fmt.Errorf("what backups there are: %w", err)
	}
	return CertifiedBackups{Configured: true, Left: b.Left, Never: b.Never, Gone: b.Gone}, nil
}

// byGroup puts records in the order of their groups and of their numbers.
func byGroup(records map[string][]record.Seq) []GroupRecords {
	all := []GroupRecords{} // in JSON, none is a list too
	for _, group := range slices.Sorted(maps.Keys(records)) {
		all = append(all, GroupRecords{group, slices.Sorted(slices.Values(records[group]))})
	}
	return all
}

// Notice is what the clerk is told of a list before it is destroyed.
type Notice struct {
	List      List
	Approval  Approval
	Minute    string
	From, To  retention.Date // when the messages were sent
	Messages  int
	Reactions int
	Changes   int // of who is in the group
	Other     int
	Groups    []GroupRecords
}

// Notice returns what is to be said of the list.
func (d *Disposal) Notice(tx *sqlite.Tx, list int64) (Notice, error) {
	n := Notice{Approval: d.Policy.Approval, Minute: d.Policy.Minute}
	var err error
	if n.List, err = OpenList(tx, list); err != nil {
		return Notice{}, err
	}
	seqs, err := Items(tx, list)
	if err != nil {
		return Notice{}, err
	}
	records, err := archive.Some(tx, seqs)
	if err != nil {
		return Notice{}, err
	}
	groups := make(map[string][]record.Seq)
	for _, r := range records {
		switch r.Kind {
		case record.Message:
			n.Messages++
		case record.Reaction:
			n.Reactions++
		case record.Participants:
			n.Changes++
		default:
			n.Other++
		}
		if n.From == "" || r.SentOn < n.From {
			n.From = r.SentOn
		}
		n.To = max(n.To, r.SentOn)
		groups[r.Group] = append(groups[r.Group], r.Seq)
	}
	n.Groups = byGroup(groups)
	return n, nil
}
