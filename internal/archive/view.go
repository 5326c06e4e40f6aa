package archive

import (
	"database/sql"
	"fmt"
	"strings"
	"time"

	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
)

// Record is a record as it is shown. Of a destroyed one only Seq, Class, SentOn
// and Destroyed are set.
type Record struct {
	Seq          record.Seq
	Kind         record.Kind
	Type         record.Type
	Group        string // JID
	ID           string
	Person       people.ID // the sender
	Own          bool
	Sent         time.Time
	Captured     time.Time
	ReadAt       time.Time // when it was read, if it could not be at capture
	Text         string
	Details      record.Details
	Import       int64 // the import that brought it from a phone's export of the chat; 0: received
	Supplied     bool  // by the council's phone, later: see [record.Received]
	Emoji        string
	FileName     string
	HasFile      bool       // the vault knows what became of it
	Answers      bool       // it answers a message, belongs to one or changes one
	ReplyTo      record.Seq // which; 0 if none, or if that message was never kept
	Amends       record.Seq // what it changes: a message, or the same person's earlier reaction, vote or response to the same one
	EditedBy     record.Seq // of a message: the edit whose text counts; 0: none
	DeletedBy    record.Seq // of a message: the first deletion that counts; 0: none
	Entitled     bool       // of an edit or deletion: its sender had the right to it; else it was an attempt
	Effective    bool       // it counts: its sender was entitled to it, and nothing has amended it since
	Mentions     []string
	Participants []record.Participant
	Due          retention.Date
	OnHold       bool

	Class     retention.Class
	SentOn    retention.Date
	Destroyed retention.Date // empty while kept
}

// again is true of the record e when it takes the place of record, or the reverse: a
// later reaction, vote or response of the same person to the same message; a later pin
// or unpin of it, whoever did it. One that cannot be read takes no place. The + keeps
// SQLite from going through all that the person ever said.
const again = `e.target = record.target AND e.kind = record.kind AND e.type <> 'sealed'
	AND (+e.person = record.person OR record.kind IN ('pin', 'keep'))`

// replaceable is true of a record that another of its kind can take the place of.
const replaceable = "kind IN ('reaction', 'vote', 'response', 'pin', 'keep')"

// superseded is true of a record whose place another has taken. Which was first is told
// by WhatsApp's time: after an absence, events may arrive out of order.
const superseded = "(" + replaceable + " AND EXISTS (SELECT 1 FROM record e WHERE " + again + " AND (e.sent, e.seq) > (record.sent, record.seq)))"

// entitled is true of the edit or deletion e whose sender may change its message m:
// his own, or, to delete it, another's as an admin of the group. Phones heed no
// other; here it is kept as an attempt.
const entitled = "(e.person = m.person OR e.kind = 'deletion' AND e.by_admin)"

// counting returns the condition under which edits or deletions of the message m
// count; they are called e. An edit that cannot be read does not.
func counting(kind record.Kind) string {
	return "e.target = m.origin AND e.kind = '" + string(kind) + "' AND e.type <> 'sealed' AND " + entitled
}

// deleted is true of the message m if a deletion of it counts.
var deleted = "EXISTS (SELECT 1 FROM record e WHERE " + counting(record.Deletion) + ")"

// effective is true of a record that counts.
var effective = `CASE CASE kind WHEN 'unsupported' THEN 'message' ELSE kind END
	WHEN 'message' THEN (SELECT NOT EXISTS (SELECT 1 FROM record e WHERE ` + counting(record.Edit) + `) AND NOT ` + deleted + `
		FROM record m WHERE m.seq = record.seq)
	WHEN 'edit' THEN EXISTS (SELECT 1 FROM record m, record e
		WHERE m.origin = record.target AND e.seq = record.seq AND e.type <> 'sealed' AND ` + entitled + ` AND NOT ` + deleted + `
			AND NOT EXISTS (SELECT 1 FROM record l WHERE l.target = m.origin AND l.kind = 'edit' AND l.type <> 'sealed' AND +l.person = m.person
				AND (l.sent, l.seq) > (e.sent, e.seq)))
	WHEN 'deletion' THEN EXISTS (SELECT 1 FROM record m, record e
		WHERE m.origin = record.target AND e.seq = record.seq AND ` + entitled + `)
	ELSE type <> 'sealed' AND NOT ` + superseded + ` END`

// selection is the view of records and stubs together; its columns are read by
// scanRecord. Everything in it is derived: what amends what, what is on hold.
var selection = `
	SELECT seq, kind, type, group_jid, id, coalesce(person, 0), own, sent, captured, text, details, import, supplied, file_name, file_sealed IS NOT NULL,
		emoji, target IS NOT NULL,
		coalesce(
			(SELECT t.seq FROM record t WHERE t.origin = record.target),
			(SELECT s.seq FROM stub s WHERE s.origin = record.target), 0),
		CASE WHEN ` + replaceable + ` AND type <> 'sealed' THEN coalesce((SELECT e.seq FROM record e
			WHERE ` + again + ` AND (e.sent, e.seq) < (record.sent, record.seq)
			ORDER BY e.sent DESC, e.seq DESC LIMIT 1), 0) ELSE 0 END,
		CASE WHEN kind IN ('message', 'unsupported') THEN coalesce((SELECT e.seq FROM record m, record e
			WHERE m.seq = record.seq AND ` + counting(record.Edit) + ` ORDER BY e.sent DESC, e.seq DESC LIMIT 1), 0) ELSE 0 END,
		CASE WHEN kind IN ('message', 'unsupported') THEN coalesce((SELECT e.seq FROM record m, record e
			WHERE m.seq = record.seq AND ` + counting(record.Deletion) + ` ORDER BY e.sent, e.seq LIMIT 1), 0) ELSE 0 END,
		kind IN ('edit', 'deletion') AND EXISTS (SELECT 1 FROM record m, record e
			WHERE m.origin = record.target AND e.seq = record.seq AND ` + entitled + `),
		` + effective + `,
		mentions, participants, coalesce((SELECT g.at FROM reread g WHERE g.seq = record.seq), ''), due, ` + onHold + `, class, '', ''
	FROM record`

const stubs = `
	SELECT seq, '', '', '', '', 0, 0, '', '', '', '', 0, 0, '', 0, '', 0, 0, 0, 0, 0, 0, 0, '', '', '', '', 0, class, sent_on, destroyed_on
	FROM stub`

// Each calls f for every record and every stub, in order of number.
func Each(tx *sqlite.Tx, f func(Record) error) error {
	return query(tx, f, selection+" UNION ALL "+stubs+" ORDER BY seq")
}

// Between calls f for every record of these kinds sent from one moment on and before
// another, in order of time; without kinds, for every record.
func Between(tx *sqlite.Tx, from, before time.Time, f func(Record) error, kinds ...record.Kind) error {
	return query(tx, f, selection+` WHERE (?3 = 'null' OR kind IN (SELECT value FROM json_each(?3))) AND sent >= ?1 AND sent < ?2
		ORDER BY sent, seq`, sqlite.FormatTime(from), sqlite.FormatTime(before), toJSON(kinds))
}

// Some returns the records and stubs with these numbers, in order of number.
func Some(tx *sqlite.Tx, seqs []record.Seq) ([]Record, error) {
	var rs []Record
	list := toJSON(seqs)
	err := query(tx, func(r Record) error { rs = append(rs, r); return nil },
		selection+" WHERE seq IN (SELECT value FROM json_each(?1)) UNION ALL "+
			stubs+" WHERE seq IN (SELECT value FROM json_each(?1)) ORDER BY seq", list)
	return rs, err
}

// LastList returns when WhatsApp last told who is in the group, of the lists that are
// kept; zero if none is.
func LastList(tx *sqlite.Tx, group string) (time.Time, error) {
	var last string
	if err := tx.QueryRow("SELECT coalesce(max(sent), '') FROM record WHERE "+isChange+" AND kind = 'participants' AND type = 'present' AND +group_jid = ?", group).Scan(&last); err != nil {
		return time.Time{}, fmt.Errorf("last list of participants: %w", err)
	}
	return sqlite.ParseTime(last)
}

// ChangesOf returns every edit and deletion, attempts too, of the messages with these
// numbers, in order of time; ReplyTo is the message.
func ChangesOf(tx *sqlite.Tx, seqs []record.Seq) ([]Record, error) {
	var rs []Record
	err := query(tx, func(r Record) error { rs = append(rs, r); return nil },
		selection+` WHERE kind IN ('edit', 'deletion') AND target IN (
			SELECT origin FROM record WHERE seq IN (SELECT value FROM json_each(?1)))
		ORDER BY sent, seq`, toJSON(seqs))
	return rs, err
}

// FollowersOf returns every record of these kinds, whether it counts or not, that
// belongs to the messages with these numbers, in order of time; ReplyTo is the message.
func FollowersOf(tx *sqlite.Tx, seqs []record.Seq, kinds ...record.Kind) ([]Record, error) {
	var rs []Record
	err := query(tx, func(r Record) error { rs = append(rs, r); return nil },
		selection+` WHERE kind IN (SELECT value FROM json_each(?2)) AND target IN (
			SELECT origin FROM record WHERE seq IN (SELECT value FROM json_each(?1))
			UNION SELECT origin FROM stub WHERE seq IN (SELECT value FROM json_each(?1)))
		ORDER BY sent, seq`, toJSON(seqs), toJSON(kinds))
	return rs, err
}

// Answers returns the numbers of the messages that answer the record or stub seq.
func Answers(tx *sqlite.Tx, seq record.Seq) ([]record.Seq, error) {
	rows, err := tx.Query(`
		SELECT seq FROM record WHERE NOT `+follows+` AND target IN (
			SELECT origin FROM record WHERE seq = ?1 UNION SELECT origin FROM stub WHERE seq = ?1)
		ORDER BY seq`, seq)
	if err != nil {
		return nil, fmt.Errorf("answers to record %d: %w", seq, err)
	}
	seqs, err := scanSeqs(rows)
	if err != nil {
		return nil, fmt.Errorf("answers to record %d: %w", seq, err)
	}
	return seqs, nil
}

func query(tx *sqlite.Tx, f func(Record) error, q string, args ...any) error {
	rows, err := tx.Query(q, args...)
	if err != nil {
		return fmt.Errorf("read records: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		r, err := scanRecord(rows)
		if err != nil {
			return fmt.Errorf("read records: %w", err)
		}
		if err := f(r); err != nil {
			return err
		}
	}
	return rows.Err()
}

func scanRecord(rows *sql.Rows) (r Record, err error) {
	var sent, captured, readAt, details, mentions, participants string
	if err := rows.Scan(&r.Seq, &r.Kind, &r.Type, &r.Group, &r.ID, &r.Person, &r.Own, &sent, &captured, &r.Text, &details, &r.Import, &r.Supplied,
		&r.FileName, &r.HasFile, &r.Emoji, &r.Answers, &r.ReplyTo, &r.Amends, &r.EditedBy, &r.DeletedBy, &r.Entitled, &r.Effective, &mentions, &participants, &readAt, &r.Due, &r.OnHold,
		&r.Class, &r.SentOn, &r.Destroyed); err != nil {
		return Record{}, err
	}
	if r.Destroyed != "" {
		return r, nil
	}
	if r.Kind == record.Edit || r.Kind == record.Deletion {
		r.Amends = r.ReplyTo
	}
	if r.Sent, err = sqlite.ParseTime(sent); err != nil {
		return Record{}, err
	}
	if r.Captured, err = sqlite.ParseTime(captured); err != nil {
		return Record{}, err
	}
	if r.ReadAt, err = sqlite.ParseTime(readAt); err != nil {
		return Record{}, err
	}
	r.SentOn = retention.DateOf(r.Sent)
	if r.Details, err = record.ParseDetails(details); err != nil {
		return Record{}, err
	}
	if err := fromJSON(mentions, &r.Mentions); err != nil {
		return Record{}, err
	}
	return r, fromJSON(participants, &r.Participants)
}

// Superseded reports whether another record has taken the place of seq: of a reaction,
// whether its sender has reacted to the same message again since.
func Superseded(tx *sqlite.Tx, seq record.Seq) (is bool, err error) {
	if err := tx.QueryRow("SELECT "+superseded+" FROM record WHERE seq = ?", seq).Scan(&is); err != nil {
		return false, fmt.Errorf("what came after record %d: %w", seq, err)
	}
	return is, nil
}

// Find returns the number of the record or stub with that origin; 0 if there is
// neither.
func Find(tx *sqlite.Tx, origin []byte) (record.Seq, error) {
	seq, _, err := find(tx, [][]byte{origin})
	if err != nil {
		return 0, fmt.Errorf("find record: %w", err)
	}
	return seq, nil
}

// Origin returns the origin of the record or stub seq.
func Origin(tx *sqlite.Tx, seq record.Seq) (origin []byte, err error) {
	if err := tx.QueryRow("SELECT origin FROM record WHERE seq = ?1 UNION ALL SELECT origin FROM stub WHERE seq = ?1", seq).Scan(&origin); err != nil {
		return nil, fmt.Errorf("origin of record %d: %w", seq, err)
	}
	return origin, nil
}

// Around returns what a conversation around the message seq can be made of: the
// n messages of its group before and after it, and its whole reply tree.
func Around(tx *sqlite.Tx, seq record.Seq, n int) ([]record.Line, error) {
	const messages = "kind IN ('message', 'unsupported')"
	rows, err := tx.Query(strings.ReplaceAll(`
		WITH RECURSIVE
		at AS (SELECT group_jid, sent, seq FROM record WHERE seq = ?1),
		tree (seq) AS (
			SELECT ?1
			UNION
			SELECT r.seq FROM tree JOIN record p ON p.seq = tree.seq
				JOIN record r ON r.target = p.origin OR r.origin = p.target WHERE r.MESSAGES
		),
		before AS (
			SELECT r.seq FROM record r, at
			WHERE r.group_jid = at.group_jid AND (r.sent, r.seq) < (at.sent, at.seq) AND r.MESSAGES
			ORDER BY r.sent DESC, r.seq DESC LIMIT ?2
		),
		after AS (
			SELECT r.seq FROM record r, at
			WHERE r.group_jid = at.group_jid AND (r.sent, r.seq) > (at.sent, at.seq) AND r.MESSAGES
			ORDER BY r.sent, r.seq LIMIT ?2
		)
		SELECT r.seq, r.sent, coalesce((SELECT t.seq FROM record t WHERE t.origin = r.target), 0)
		FROM record r WHERE r.seq IN (SELECT seq FROM tree UNION SELECT seq FROM before UNION SELECT seq FROM after)`,
		"MESSAGES", messages), seq, n)
	if err != nil {
		return nil, fmt.Errorf("messages around record %d: %w", seq, err)
	}
	defer rows.Close()
	var lines []record.Line
	for rows.Next() {
		var l record.Line
		var sent string
		if err := rows.Scan(&l.Seq, &sent, &l.ReplyTo); err != nil {
			return nil, fmt.Errorf("messages around record %d: %w", seq, err)
		}
		if l.Sent, err = sqlite.ParseTime(sent); err != nil {
			return nil, err
		}
		lines = append(lines, l)
	}
	return lines, rows.Err()
}

// Kept returns how many records there are.
func Kept(tx *sqlite.Tx) (n int64, err error) {
	if err := tx.QueryRow("SELECT count(*) FROM record").Scan(&n); err != nil {
		return 0, fmt.Errorf("count records: %w", err)
	}
	return n, nil
}

// KeptIn returns how many records there are of each group, by its JID.
func KeptIn(tx *sqlite.Tx) (map[string]int64, error) {
	rows, err := tx.Query("SELECT group_jid, count(*) FROM record GROUP BY group_jid")
	if err != nil {
		return nil, fmt.Errorf("count records: %w", err)
	}
	defer rows.Close()
	in := make(map[string]int64)
	for rows.Next() {
		var group string
		var n int64
		if err := rows.Scan(&group, &n); err != nil {
			return nil, fmt.Errorf("count records: %w", err)
		}
		in[group] = n
	}
	return in, rows.Err()
}

// Tally is how many records there are, and how many there were.
type Tally struct {
	Kept, OnHold, Destroyed int64
	Unsupported             map[string]int64 // kept but not read, by WhatsApp's name for them
	Sealed                  int64            // encrypted under the secret of a message that is not here
	LastCaptured            time.Time
}

// Count returns the tally of the archive.
func (a *Archive) Count(tx *sqlite.Tx) (Tally, error) {
	acc := Tally{Unsupported: map[string]int64{}}
	var last string
	// Each part alone: SQLite then counts the entries of the smallest index.
	if err := tx.QueryRow("SELECT (SELECT count(*) FROM record), "+
		"CASE WHEN EXISTS (SELECT 1 FROM hold WHERE released_at IS NULL) THEN (SELECT count(*) FROM ("+allHeld(inForce)+")) ELSE 0 END, "+
		"(SELECT count(*) FROM stub), (SELECT count(*) FROM record WHERE type = 'sealed'), "+
		"coalesce((SELECT captured FROM record WHERE import = 0 ORDER BY seq DESC LIMIT 1), '')").
		Scan(&acc.Kept, &acc.OnHold, &acc.Destroyed, &acc.Sealed, &last); err != nil {
		return Tally{}, fmt.Errorf("count records: %w", err)
	}
	var err error
	if acc.LastCaptured, err = sqlite.ParseTime(last); err != nil {
		return Tally{}, err
	}
	rows, err := tx.Query("SELECT type, count(*) FROM record WHERE kind = 'unsupported' GROUP BY type") // as its index has it
	if err != nil {
		return Tally{}, fmt.Errorf("count records: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		var n int64
		if err := rows.Scan(&name, &n); err != nil {
			return Tally{}, fmt.Errorf("count records: %w", err)
		}
		acc.Unsupported[name] = n
	}
	return acc, rows.Err()
}
