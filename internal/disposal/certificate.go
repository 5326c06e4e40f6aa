package disposal

import (
	"cmp"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"muniment/internal/archive"
	"muniment/internal/forward"
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

// Certificate is the account of one run (REQUIREMENTS.md 3.8).
type Certificate struct {
	Number int64  `json:"number"` // of the run
	Issuer Issuer `json:"issuer"`
	List   int64  `json:"list"`

	Authority string    `json:"authority"`
	NoticeOn  time.Time `json:"notice_accepted_at"`
	Started   time.Time `json:"started_at"`
	Finished  time.Time `json:"finished_at"`
	Class     string    `json:"class"`
	Rule      string    `json:"rule"`

	SentFrom retention.Date `json:"sent_from"`
	SentTo   retention.Date `json:"sent_to"`

	Groups     []GroupRecords `json:"groups"` // of which the records were
	Destroyed  []archive.Stub `json:"destroyed"`
	Media      int            `json:"files_destroyed"` // photos, documents and so on, of these records
	Kept       int            `json:"kept_on_hold"`    // stood on the list and were on hold, at some time since it was drawn up
	Searched   int            `json:"records_searched_for"`
	Unsearched int            `json:"records_not_searched_for"` // the run was interrupted
	Files      int            `json:"files_searched"`
	Bytes      int64          `json:"bytes_searched"`
	Found      int            `json:"fragments_found"` // always 0: else there is no certificate
	// FoundBefore is what an earlier search found, where the run was interrupted
	// since and could not search for it again.
	FoundBefore int           `json:"fragments_found_before_interruption"`
	Emails      []EmailedCopy `json:"emailed_copies"`
	Checkpoint  string        `json:"checkpoint"` // signed; it covers the journal's account of this run
}

// GroupRecords are the records of one group, in order of number.
type GroupRecords struct {
	Group   string       `json:"group"` // in a certificate its name, empty if it was not listed any more; in a notice its JID
	Records []record.Seq `json:"records"`
}

// EmailedCopy is an email that holds destroyed records. It lies in the council's
// mailboxes, where this program cannot reach it.
type EmailedCopy struct {
	Conversation int64          `json:"conversation"`         // as in its subject
	Correction   bool           `json:"correction,omitempty"` // of that conversation
	Digest       retention.Date `json:"digest,omitempty"`     // the Sunday of the week that a digest sums up: it may show the records
	MessageID    string         `json:"message_id"`
	SentAt       time.Time      `json:"handed_over_at"`
	Records      int            `json:"records_destroyed"` // of those in it
}

// certify writes the certificate of a run, as JSON, and journals the run's end.
func (d *Disposal) certify(tx *sqlite.Tx, l List, r running, s search) (string, error) {
	c := Certificate{Number: r.id, Issuer: d.Issuer, List: l.ID, Authority: r.authority, Finished: d.Now().UTC(),
		Searched: s.records, Files: s.files, Bytes: s.bytes}
	var started string
	var unsearched int
	if err := tx.QueryRow("SELECT started_at, unsearched, media FROM disposal_run WHERE id = ?", r.id).Scan(&started, &unsearched, &c.Media); err != nil {
		return "", fmt.Errorf("certificate of run %d: %w", r.id, err)
	}
	if c.Unsearched = unsearched - s.records; c.Unsearched > 0 {
		c.FoundBefore = r.residue
	}
	var err error
	if c.Started, err = sqlite.ParseTime(started); err != nil {
		return "", err
	}
	notice, err := mail.Find(tx, NoticeLetter, l.ID)
	if err != nil {
		return "", err
	}
	c.NoticeOn = notice.FinishedAt
	kept, err := Items(tx, l.ID)
	if err != nil {
		return "", err
	}
	if c.Kept, err = takenOff(tx, l.ID); err != nil {
		return "", err
	}
	c.Kept += len(kept)
	if c.Destroyed, err = archive.StubsOf(tx, r.id); err != nil {
		return "", err
	} else if c.Destroyed == nil {
		c.Destroyed = []archive.Stub{} // in JSON, none is a list too
	}
	var rules []string
	for i, stub := range c.Destroyed {
		if i == 0 || stub.SentOn < c.SentFrom {
			c.SentFrom = stub.SentOn
		}
		c.SentTo = max(c.SentTo, stub.SentOn)
		c.Class = string(stub.Class)
		if !slices.Contains(rules, stub.Rule) { // the period may have been changed between two of them
			rules = append(rules, stub.Rule)
		}
	}
	c.Rule = strings.Join(rules, "; ")
	groups, err := groupsOf(tx, r.id)
	if err != nil {
		return "", err
	}
	c.Groups = byGroup(groups)
	if c.Emails, err = emailedCopies(tx, c.Destroyed); err != nil {
		return "", err
	}
	digests, err := emailedDigests(tx, c.Destroyed)
	if err != nil {
		return "", err
	}
	c.Emails = append(c.Emails, digests...)
	if err := journal.Write(tx, journal.Entry{At: d.Now(), Who: journal.Daemon, Act: journal.RunFinished, Reason: r.authority,
		About: journal.About{"run": r.id, "list": l.ID, "destroyed": len(c.Destroyed), "files": c.Media, "kept on hold": c.Kept,
			"searched for": c.Searched, "files searched": c.Files, "bytes searched": c.Bytes}}); err != nil {
		return "", err
	}
	checkpoint, err := d.Key.Sign(tx, d.Now())
	if err != nil {
		return "", err
	}
	c.Checkpoint = checkpoint.Note
	b, err := json.Marshal(c)
	return string(b), err
}

// byGroup puts records in the order of their groups and of their numbers.
func byGroup(records map[string][]record.Seq) []GroupRecords {
	all := []GroupRecords{} // in JSON, none is a list too
	for _, group := range slices.Sorted(maps.Keys(records)) {
		all = append(all, GroupRecords{group, slices.Sorted(slices.Values(records[group]))})
	}
	return all
}

// emailedCopies returns the emails that were handed over with any of the stubs'
// records in them.
func emailedCopies(tx *sqlite.Tx, stubs []archive.Stub) ([]EmailedCopy, error) {
	records := make(map[forward.Email]int)
	var order []forward.Email
	for _, s := range stubs {
		emails, err := forward.EmailedWith(tx, s.Seq)
		if err != nil {
			return nil, err
		}
		for _, e := range emails {
			if records[e]++; records[e] == 1 {
				order = append(order, e)
			}
		}
	}
	copies := []EmailedCopy{} // in JSON, none is a list too
	for _, e := range order {
		it, err := mail.Find(tx, e.Kind, e.About)
		if err != nil {
			return nil, err
		}
		if it.State != mail.HandedOver {
			continue
		}
		of := EmailedCopy{Conversation: e.About, MessageID: it.MessageID, SentAt: it.FinishedAt, Records: records[e]}
		if e.Kind == forward.CorrectionLetter {
			c, err := forward.LoadCorrection(tx, e.About)
			if err != nil {
				return nil, err
			}
			of.Conversation, of.Correction = c.Conversation.ID, true
		}
		copies = append(copies, of)
	}
	return copies, nil
}

// lateWeeks is in how many digests after its week's own something may be shown that came
// late.
const lateWeeks = 8

// emailedDigests returns the digests that were handed over and may show any of the
// stubs' records: of each, the first after it was captured. What kind of record it was
// is not known any more, and not all are shown.
func emailedDigests(tx *sqlite.Tx, stubs []archive.Stub) ([]EmailedCopy, error) {
	signed, err := ledger.SignedSince(tx, 0)
	if err != nil {
		return nil, err
	}
	digests := make(map[retention.Week]mail.Item)
	find := func(w retention.Week) (mail.Item, error) {
		it, known := digests[w]
		if known {
			return it, nil
		}
		it, err := mail.Find(tx, forward.DigestLetter, w.Number())
		if errors.Is(err, mail.ErrNotQueued) {
			err = nil
		}
		digests[w] = it
		return it, err
	}
	records := make(map[retention.Week]int)
	for _, s := range stubs {
		var captured time.Time // not before: it was in the ledger by then
		i, _ := slices.BinarySearchFunc(signed, s.Leaf+1, func(c ledger.Signed, size int64) int { return cmp.Compare(c.Size, size) })
		if i < len(signed) {
			captured = signed[i].At
		}
		for n, w := 0, retention.WeekOf(s.SentOn); n <= lateWeeks; n, w = n+1, w.Plus(1) {
			it, err := find(w)
			if err != nil {
				return nil, err
			}
			if it.State == mail.HandedOver && !it.FinishedAt.Before(captured) {
				records[w]++
				break
			}
		}
	}
	var copies []EmailedCopy
	for _, w := range slices.Sorted(maps.Keys(records)) {
		it := digests[w]
		copies = append(copies, EmailedCopy{Digest: w.Sunday(), MessageID: it.MessageID, SentAt: it.FinishedAt, Records: records[w]})
	}
	return copies, nil
}

// ErrNoCertificate is returned where there is no finished run of that number.
var ErrNoCertificate = errors.New("there is no certificate of that number")

// LoadCertificate returns the certificate of a finished run.
func LoadCertificate(tx *sqlite.Tx, run int64) (c Certificate, err error) {
	var text sql.NullString
	err = tx.QueryRow("SELECT certificate FROM disposal_run WHERE id = ?", run).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) || err == nil && !text.Valid {
		return c, fmt.Errorf("certificate %d: %w", run, ErrNoCertificate)
	} else if err != nil {
		return c, fmt.Errorf("certificate %d: %w", run, err)
	}
	return c, json.Unmarshal([]byte(text.String), &c)
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
