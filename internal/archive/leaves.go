package archive

import (
	"bytes"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"muniment/internal/ledger"
	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
)

// Leaf is what a record or stub answers for in the ledger.
type Leaf struct {
	Seq      record.Seq
	Leaf     int64
	Stub     bool        // Hash is not known any more
	Hash     ledger.Hash // computed anew from what the record says now
	Sender   record.Address
	Person   people.ID // who that is, as the record has it
	HasFile  bool      // it brought a file,
	FileName string
	File     []byte      // with this SHA-256 as delivered, encrypted; empty if it did not say
	Kind     record.Kind // as captured
	Group    string
	Class    retention.Class
	Years    int      // the period that it says it was captured under,
	Follows  bool     // unless it is its message's, which is here
	Reread   bool     // it could not be read at capture; the leaf is that of the record as captured,
	Reading  []byte   // and this the digest of what is read in it now
	Faults   []string // of the record's quotations and due date

	Facts  []record.Fact // what the leaf commits to, of a record of which part can be withheld
	Secret []byte        // and where their salts come from
}

// Leaves calls f for every record and stub, in the order of the ledger.
func Leaves(tx *sqlite.Tx, f func(Leaf) error) error {
	return eachLeaf(tx, f, leaves+" ORDER BY leaf")
}

// LeafOf returns the leaf of the record or stub with that number; false if there is none.
func LeafOf(tx *sqlite.Tx, seq record.Seq) (l Leaf, is bool, err error) {
	err = eachLeaf(tx, func(of Leaf) error { l, is = of, true; return nil }, "SELECT * FROM ("+leaves+") WHERE seq = ?", seq)
	return l, is, err
}

// leaves selects what is behind each leaf; its columns are read by scanLeaf.
var leaves = `
	SELECT seq, leaf, 0, origin, kind, type, group_jid, id, sender, sender_alt, push_name, own, sent, captured,
		text, emoji, target, mentions, participants, version, protobuf, salt,
		(SELECT count(*) FROM quotation q WHERE q.record = seq),
		due, due_from, years, coalesce(person, 0), file_name, file_sealed IS NOT NULL, file_sealed, by_admin, text_at, details, import, supplied,
		CASE WHEN ` + follows + ` THEN (SELECT p.due || ' ' || p.years FROM record p WHERE p.origin = record.target) END,
		CASE WHEN ` + follows + ` THEN (SELECT s.sent_on FROM stub s WHERE s.origin = record.target) END,
		EXISTS (SELECT 1 FROM reread g WHERE g.seq = record.seq), form, class
	FROM record
	UNION ALL
	SELECT seq, leaf, 1, origin, '', '', '', '', '', '', '', 0, '', '', '', '', NULL, '', '', '', x'', x'', 0,
		'', '', 0, 0, '', 0, NULL, 0, NULL, '', 0, 0, NULL, NULL, 0, 0, class FROM stub`

func eachLeaf(tx *sqlite.Tx, f func(Leaf) error, query string, args ...any) error {
	rows, err := tx.Query(query, args...)
	if err != nil {
		return fmt.Errorf("read leaves: %w", err)
	}
	defer rows.Close()
	quotations, err := tx.Prepare(`
		SELECT n, digest, origin, salt, id, sender, text, protobuf, EXISTS (SELECT 1 FROM stub s WHERE s.origin = q.origin)
		FROM quotation q WHERE record = ? ORDER BY n`)
	if err != nil {
		return fmt.Errorf("read leaves: %w", err)
	}
	defer quotations.Close()
	rereads, err := tx.Prepare("SELECT kind, type, target, file, salt FROM reread WHERE seq = ?")
	if err != nil {
		return fmt.Errorf("read leaves: %w", err)
	}
	defer rereads.Close()
	for rows.Next() {
		l, err := scanLeaf(quotations, rereads, rows)
		if err != nil {
			return fmt.Errorf("read leaves: %w", err)
		}
		if err := f(l); err != nil {
			return err
		}
	}
	return rows.Err()
}

// scanLeaf makes a leaf of a row; quoted selects the quotations of a record, and reread
// what it was before it could be read.
func scanLeaf(quoted, reread *sql.Stmt, rows *sql.Rows) (Leaf, error) {
	var l Leaf
	var r record.Received
	var sent, captured, mentions, participants string
	var origin, target, secret []byte
	var quotations int
	var k kept
	var file record.File
	var textAt sql.NullInt64
	var form int
	if err := rows.Scan(&l.Seq, &l.Leaf, &l.Stub, &origin, &r.Kind, &r.Type, &r.Group, &r.ID, &r.Sender.JID, &r.Sender.Alt,
		&r.PushName, &r.Own, &sent, &captured, &r.Text, &r.Emoji, &target, &mentions, &participants, &r.Version,
		&r.Protobuf, &secret, &quotations, &k.due, &k.from, &k.years,
		&l.Person, &file.Name, &l.HasFile, &file.Sealed, &r.ByAdmin, &textAt, &r.Details, &r.Import, &r.Supplied, &k.parent, &k.gone,
		&l.Reread, &form, &l.Class); err != nil {
		return Leaf{}, err
	}
	if l.Stub {
		return l, nil
	}
	r.Protobuf = putBack(r.Protobuf, r.Text, textAt)
	if l.HasFile { // though the message may not say which
		r.File, l.File = &file, file.Sealed
	}
	var digests [][sha256.Size]byte
	if quotations > 0 {
		var err error
		if digests, l.Faults, err = quotationDigests(quoted, l.Seq); err != nil {
			return Leaf{}, err
		}
	}
	var at time.Time
	var errs [4]error
	r.Sent, errs[0] = sqlite.ParseTime(sent)
	at, errs[1] = sqlite.ParseTime(captured)
	errs[2] = fromJSON(mentions, &r.Mentions)
	errs[3] = fromJSON(participants, &r.Participants)
	if errors.Join(errs[:]...) != nil {
		l.Faults = append(l.Faults, "it cannot be read: it was altered")
	} else if !k.agrees(r, at) {
		l.Faults = append(l.Faults, "it is not kept for as long as it should be: its due date was altered")
	}
	l.Years, l.Follows, l.Sender, l.FileName = k.years, k.parent.Valid, r.Sender, file.Name
	if l.Reread {
		if err := l.asCaptured(reread, &r, &target); err != nil {
			return Leaf{}, err
		}
	}
	l.Kind, l.Group = r.Kind, r.Group
	switch form {
	case openForm:
		l.Hash = ledger.LeafHash(secret, record.CanonicalBeforeSeals(l.Seq, origin, at, r, target, digests))
	case sealedForm:
		l.Facts, l.Secret = record.Facts(l.Seq, origin, at, r, target, digests), secret
		canonical, salt := record.Canonical(l.Facts, secret)
		l.Hash = ledger.LeafHash(salt, canonical)
	default: // no leaf is made so, and none agrees
	}
	return l, nil
}

// asCaptured digests what is read in r, and undoes the reading: of what could not be read
// at capture, the leaf commits to no more than what it was thought to be.
func (l *Leaf) asCaptured(reread *sql.Stmt, r *record.Received, target *[]byte) error {
	now, named := *r, *target
	var salt []byte
	var file bool
	if err := reread.QueryRow(l.Seq).Scan(&r.Kind, &r.Type, target, &file, &salt); err != nil {
		return err
	}
	digest := record.ReadingDigest(salt, l.Seq, now, named)
	l.Reading = digest[:]
	r.Text, r.Emoji, r.Details, r.Mentions, r.Participants = "", "", "", nil, nil
	if !file {
		r.File = nil
	}
	return nil
}

// kept is for how long a record says that it is kept, and what that rests on.
type kept struct {
	term
	parent sql.NullString // of what follows a message: its due date and its years,
	gone   sql.NullString // or the date of a destroyed one
}

// agrees reports whether the due date is the one that follows from the rest.
func (k kept) agrees(r record.Received, captured time.Time) bool {
	switch {
	case k.parent.Valid:
		return k.from == parentClock && k.parent.String == fmt.Sprintf("%s %d", k.due, k.years)
	case k.from == ownClock:
		return k.due == retention.DueAfter(retention.From(r.Sent, captured), k.years)
	default:
		sentOn, err := retention.ParseDate(k.gone.String)
		return err == nil && k.due == retention.DueAfter(sentOn.Start(), k.years)
	}
}

// quotationDigests returns the digests that a reply commits to, and what does
// not agree with its digest any more.
func quotationDigests(quoted *sql.Stmt, seq record.Seq) (digests [][sha256.Size]byte, faults []string, err error) {
	rows, err := quoted.Query(seq)
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var n int
		var digest, origin, salt, protobuf []byte
		var id, sender, text sql.NullString
		var destroyed bool // the message quoted
		if err := rows.Scan(&n, &digest, &origin, &salt, &id, &sender, &text, &protobuf, &destroyed); err != nil {
			return nil, nil, err
		}
		var d [sha256.Size]byte
		copy(d[:], digest)
		digests = append(digests, d)
		if salt == nil { // as it should be if it went with the message it quoted
			if !destroyed {
				faults = append(faults, fmt.Sprintf("quotation %d in it was removed", n+1))
			}
			continue
		}
		now := record.QuotationDigest(salt, origin, record.Quotation{
			Of:   record.Ref{ID: id.String, Sender: record.Address{JID: sender.String}},
			Text: text.String, Protobuf: protobuf,
		})
		if !bytes.Equal(now[:], digest) {
			faults = append(faults, fmt.Sprintf("quotation %d in it was altered", n+1))
		}
	}
	return digests, faults, rows.Err()
}
