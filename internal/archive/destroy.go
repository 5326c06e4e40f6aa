package archive

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"unicode"
	"unicode/utf8"

	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
)

// today is the period of the schedule in force for a record, in years: of several rules
// the longest, and without one as good as for ever.
const today = "(SELECT coalesce(max(s.period), 9999) FROM schedule s WHERE s.of_class = class AND s.of_group IN ('', group_jid))"

// isDue is true of a record, on date ?1, whose time is over both by the period that
// it was captured under and by the one of today: where these differ, the
// longer counts. (Around 29 February that may be a day late, never early.)
const isDue = "due <= ?1 AND (years >= " + today + " OR coalesce(date(due, '-1 day', '+' || (" + today + " - years) || ' years', '+1 day') <= ?1, 0))"

// Due returns the numbers of the records, in order, that may be destroyed from
// the given date on and are not on hold. Those are left out for which skip is
// true, and what follows them, which goes when they go.
func (a *Archive) Due(tx *sqlite.Tx, on retention.Date, skip func(record.Seq) bool) ([]record.Seq, error) {
	if err := allTakenIn(tx); err != nil {
		return nil, fmt.Errorf("records due on %s: %w", on, err)
	}
	rows, err := tx.Query(`
		SELECT seq, CASE WHEN `+follows+` THEN coalesce((SELECT t.seq FROM record t WHERE t.origin = record.target), 0) ELSE 0 END
		FROM record WHERE `+isDue+" AND "+rootOf("record")+" NOT IN ("+
		heldAmong("SELECT DISTINCT "+rootOf("r")+" AS origin FROM record r WHERE "+isDue, inForce)+") ORDER BY seq", on)
	if err != nil {
		return nil, fmt.Errorf("records due on %s: %w", on, err)
	}
	defer rows.Close()
	var due []record.Seq
	for rows.Next() {
		var seq, of record.Seq
		if err := rows.Scan(&seq, &of); err != nil {
			return nil, fmt.Errorf("records due on %s: %w", on, err)
		}
		if !skip(seq) && !skip(of) {
			due = append(due, seq)
		}
	}
	return due, rows.Err()
}

// Destruction is by which run, when and on whose authority records are destroyed.
type Destruction struct {
	Run       int64
	On        retention.Date
	Authority string
	// Early is true of early disposal: what is destroyed need not be due. Nothing else
	// is different: what is on hold stays.
	Early bool
}

// Destroyed is what the run must look for afterwards, and must not keep.
type Destroyed struct {
	Seq   record.Seq
	Group string // JID
	ID    string
	Salts [][]byte // of the record and of the quotations that went with it
	// PushName is the sender's own name for himself, unless he is the council:
	// that name the device keeps.
	PushName   string
	Kind       record.Kind
	Bytes      int64 // that the archive kept of it, its file not counted
	Quotations int   // of it and in it, that went with it
	Indexed    bool  // it stood in the search index
	// Content is what it said and quoted, and whatever text there is in its
	// protobuf. Of a record that this program does not read, and of one with a file,
	// that is all of it.
	Content [][]byte
}

// mayGo is true of a record whose time is over (see isDue), or of any if ?3: that of
// [Destruction.Early].
const mayGo = "(?3 OR " + isDue + ")"

// letThrough is the destroying statement's decision: which of the records ?2 may go, with
// the edits, deletions and reactions that follow them. Of all others, a trigger refuses
// that they be deleted.
var letThrough = `
	INSERT INTO destruction (seq, origin) SELECT seq, origin FROM record
	WHERE (seq IN (SELECT value FROM json_each(?2))
		OR (` + follows + ` AND target IN (
			SELECT origin FROM record WHERE seq IN (SELECT value FROM json_each(?2)) AND ` + mayGo + `)))
		AND ` + mayGo + ` AND ` + rootOf("record") + ` NOT IN (` +
	heldAmong("SELECT DISTINCT "+rootOf("r")+" AS origin FROM record r WHERE r.seq IN (SELECT value FROM json_each(?2))", inForce) + ")"

// Destroy destroys those of the given records that are due and not on hold, and
// the edits, deletions and reactions that follow them, and leaves a stub of each. Quotations of them in later
// messages go too. It is decided here, in the transaction that destroys,
// whatever the caller found before.
//
// The salt goes with the record, so the leaf that stays in the ledger can no
// longer be tested against a guess.
func (a *Archive) Destroy(tx *sqlite.Tx, d Destruction, seqs []record.Seq) (destroyed []Destroyed, err error) {
	if err := Reconcile(tx); err != nil { // else a hold on a member might miss what he sent
		return nil, err
	}
	if err := allTakenIn(tx); err != nil {
		return nil, fmt.Errorf("destroy records: %w", err)
	}
	schedule, err := InForce(tx)
	if err != nil {
		return nil, err
	}
	if _, err := tx.Exec(letThrough, d.On, toJSON(seqs), d.Early); err != nil {
		return nil, fmt.Errorf("decide which records go: %w", err)
	}
	all, err := deleteLetThrough(tx)
	if err != nil {
		return nil, fmt.Errorf("destroy records: %w", err)
	}
	for _, g := range all {
		if err := g.finish(tx, d, schedule); err != nil {
			return nil, fmt.Errorf("destroy record %d: %w", g.Seq, err)
		}
		destroyed = append(destroyed, g.Destroyed)
	}
	if _, err := tx.Exec("DELETE FROM destruction"); err != nil {
		return nil, fmt.Errorf("destroy records: %w", err)
	}
	return destroyed, nil
}

// LetThrough returns how many records stand as let through. Outside of the transaction that
// destroys them there are none.
func LetThrough(tx *sqlite.Tx) (n int64, err error) {
	if err := tx.QueryRow("SELECT count(*) FROM destruction").Scan(&n); err != nil {
		return 0, fmt.Errorf("records let through: %w", err)
	}
	return n, nil
}

// deleteLetThrough deletes the records that may go.
func deleteLetThrough(tx *sqlite.Tx) ([]gone, error) {
	rows, err := tx.Query(`
		DELETE FROM record WHERE seq IN (SELECT seq FROM destruction)
		RETURNING seq, group_jid, origin, leaf, class, years, kind, sent, id, push_name, own, text, protobuf, salt, file_name, file_sealed IS NOT NULL, text_at, details,
			` + searchable)
	if err != nil {
		return nil, err
	}
	return scanGone(rows)
}

// finish leaves the stub of a record that was deleted, and destroys what belonged to it.
func (g *gone) finish(tx *sqlite.Tx, d Destruction, schedule retention.Schedule) error {
	if _, err := tx.Exec(`
		INSERT INTO stub (seq, origin, sent_on, class, rule, destroyed_on, run, authority, leaf)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		g.Seq, g.origin, g.sentOn, g.class, schedule.RuleFor(g.class, g.Group, g.years), d.On, d.Run, d.Authority, g.leaf); err != nil {
		return fmt.Errorf("leave a stub: %w", err)
	}
	return g.destroyBelongings(tx)
}

// destroyBelongings destroys what belonged to a record that was deleted.
func (g *gone) destroyBelongings(tx *sqlite.Tx) error {
	if err := g.destroyQuotations(tx); err != nil {
		return fmt.Errorf("its quotations: %w", err)
	}
	if err := g.destroyReading(tx); err != nil {
		return fmt.Errorf("its reading: %w", err)
	}
	return forgetAsking(tx, g.Seq, g.Group, g.ID)
}

// gone is a destroyed record and what its stub keeps.
type gone struct {
	Destroyed
	origin   []byte
	leaf     int64
	class    retention.Class
	years    int
	sentOn   retention.Date
	protobuf []byte // as it is kept
}

func scanGone(rows *sql.Rows) (all []gone, err error) {
	defer rows.Close()
	for rows.Next() {
		var g gone
		var sent, text, fileName, details string
		var own, hasFile bool
		var salt []byte
		var textAt sql.NullInt64
		if err := rows.Scan(&g.Seq, &g.Group, &g.origin, &g.leaf, &g.class, &g.years, &g.Kind, &sent, &g.ID, &g.PushName, &own,
			&text, &g.protobuf, &salt, &fileName, &hasFile, &textAt, &details, &g.Indexed); err != nil {
			return nil, err
		}
		at, err := sqlite.ParseTime(sent)
		if err != nil {
			return nil, err
		}
		g.sentOn = retention.DateOf(at)
		g.Salts = [][]byte{salt}
		g.Content = append(texts(putBack(g.protobuf, text, textAt), text), []byte(text), []byte(fileName), []byte(details))
		g.Bytes = int64(len(g.protobuf) + len(text) + len(fileName) + len(details))
		if g.Kind == record.Unsupported || hasFile { // which brings a small picture of itself
			g.Content = append(g.Content, g.protobuf)
		}
		if own {
			g.PushName = ""
		}
		all = append(all, g)
	}
	return all, rows.Err()
}

// minText is how many bytes of a protobuf must be text to be taken for such.
const minText = 24

// texts returns what reads as text in a protobuf: captions, the title of a link's
// page, file names. What is known already is left out.
func texts(protobuf []byte, known string) (found [][]byte) {
	if len(known) >= minText {
		protobuf = bytes.ReplaceAll(protobuf, []byte(known), []byte{0})
	}
	from := 0
	for at := 0; at <= len(protobuf); {
		c, size := utf8.DecodeRune(protobuf[at:])
		if at < len(protobuf) && (c != utf8.RuneError || size > 1) && (unicode.IsPrint(c) || c == '\n') {
			at += size
			continue
		}
		if at-from >= minText {
			found = append(found, protobuf[from:at:at])
		}
		at += max(size, 1)
		from = at
	}
	return found
}

// destroyQuotations destroys the quotations of the record in later messages, of
// which the digests stay, and those that it carried itself.
func (g *gone) destroyQuotations(tx *sqlite.Tx) error {
	rows, err := tx.Query("SELECT salt, text, protobuf FROM quotation WHERE (origin = ? OR record = ?) AND salt IS NOT NULL", g.origin, g.Seq)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var salt, text, protobuf []byte
		if err := rows.Scan(&salt, &text, &protobuf); err != nil {
			return err
		}
		g.Quotations++
		g.Salts = append(g.Salts, salt)
		g.Content = append(g.Content, text)
		g.Content = append(g.Content, texts(protobuf, string(text))...)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	if _, err := tx.Exec(`
		UPDATE quotation SET salt = NULL, id = NULL, sender = NULL, text = NULL, protobuf = NULL
		WHERE origin = ?`, g.origin); err != nil {
		return err
	}
	_, err = tx.Exec("DELETE FROM quotation WHERE record = ?", g.Seq)
	return err
}

// destroyReading destroys what is left of a record that could not be read at capture.
// What may still be unread in it is searched for as well.
func (g *gone) destroyReading(tx *sqlite.Tx) error {
	var salt []byte
	err := tx.QueryRow("DELETE FROM reread WHERE seq = ? RETURNING salt", g.Seq).Scan(&salt)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	} else if err != nil {
		return err
	}
	g.Salts, g.Content = append(g.Salts, salt), append(g.Content, g.protobuf)
	return nil
}

// Destroyable reports whether any of the given records may be destroyed from the
// given date on: is due and not on hold.
func (a *Archive) Destroyable(tx *sqlite.Tx, on retention.Date, seqs []record.Seq) (is bool, err error) {
	if err := tx.QueryRow("SELECT EXISTS (SELECT 1 FROM record WHERE seq IN (SELECT value FROM json_each(?2)) AND "+isDue+" AND NOT "+onHold+")",
		on, toJSON(seqs)).Scan(&is); err != nil {
		return false, fmt.Errorf("records due on %s: %w", on, err)
	}
	return is, nil
}

// AllDue reports whether every one of the given records that is still here is due
// on the given date, on hold or not.
func (a *Archive) AllDue(tx *sqlite.Tx, on retention.Date, seqs []record.Seq) (are bool, err error) {
	if err := tx.QueryRow("SELECT NOT EXISTS (SELECT 1 FROM record WHERE seq IN (SELECT value FROM json_each(?2)) AND NOT ("+isDue+"))",
		on, toJSON(seqs)).Scan(&are); err != nil {
		return false, fmt.Errorf("records due on %s: %w", on, err)
	}
	return are, nil
}

// Senders returns who sent the surviving records, and whose are on hold.
func Senders(tx *sqlite.Tx) (map[people.ID]bool, error) {
	rows, err := tx.Query("SELECT DISTINCT person FROM record WHERE person IS NOT NULL UNION SELECT person FROM hold WHERE person <> 0")
	if err != nil {
		return nil, fmt.Errorf("senders of the records: %w", err)
	}
	defer rows.Close()
	senders := make(map[people.ID]bool)
	for rows.Next() {
		var p people.ID
		if err := rows.Scan(&p); err != nil {
			return nil, fmt.Errorf("senders of the records: %w", err)
		}
		senders[p] = true
	}
	return senders, rows.Err()
}

// PushNames returns what the senders of the surviving records called themselves.
func PushNames(tx *sqlite.Tx) (map[string]bool, error) {
	rows, err := tx.Query("SELECT DISTINCT push_name FROM record")
	if err != nil {
		return nil, fmt.Errorf("push names in the records: %w", err)
	}
	defer rows.Close()
	names := make(map[string]bool)
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, fmt.Errorf("push names in the records: %w", err)
		}
		names[name] = true
	}
	return names, rows.Err()
}

// Addresses returns every participant's address that a surviving record names, or that is
// the sender's of a message that is asked for.
func Addresses(tx *sqlite.Tx) (map[string]bool, error) {
	rows, err := tx.Query(`
		SELECT sender FROM record
		UNION SELECT sender_alt FROM record
		UNION SELECT m.value FROM record, json_each(mentions) m
		UNION SELECT p.value ->> 'jid' FROM record, json_each(participants) p
		UNION SELECT p.value ->> 'alt' FROM record, json_each(participants) p
		UNION SELECT sender FROM quotation WHERE salt IS NOT NULL
		UNION SELECT sender FROM gap`)
	if err != nil {
		return nil, fmt.Errorf("addresses in the records: %w", err)
	}
	defer rows.Close()
	addresses := make(map[string]bool)
	for rows.Next() {
		var jid sql.NullString
		if err := rows.Scan(&jid); err != nil {
			return nil, fmt.Errorf("addresses in the records: %w", err)
		}
		addresses[jid.String] = true
	}
	return addresses, rows.Err()
}

// Contents calls f for everything that surviving records say and carry, their quotations
// too, and for what is kept of destroyed and of missing ones, of holds and of imports:
// piece by piece, in no order. f must not keep what it is given.
func Contents(tx *sqlite.Tx, f func(content []byte) error) error {
	for _, query := range []string{
		`SELECT text, protobuf, id, file_name, details, push_name, sender, sender_alt, mentions, participants, group_jid FROM record`,
		`SELECT text, protobuf, id, sender FROM quotation WHERE salt IS NOT NULL`,
		`SELECT DISTINCT rule FROM stub UNION SELECT authority FROM stub`,
		`SELECT who, reason FROM import`,
		`SELECT cause, message_id, sender FROM gap`,
		`SELECT search, reason, case_ref, group_name, placed_by, release_reason FROM hold`,
	} {
		if err := contents(tx, query, f); err != nil {
			return fmt.Errorf("search the records: %w", err)
		}
	}
	return nil
}

func contents(tx *sqlite.Tx, query string, f func([]byte) error) error {
	rows, err := tx.Query(query)
	if err != nil {
		return err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	row, to := make([]sql.RawBytes, len(columns)), make([]any, len(columns))
	for i := range row {
		to[i] = &row[i]
	}
	for rows.Next() {
		if err := rows.Scan(to...); err != nil {
			return err
		}
		for _, content := range row {
			if err := f(content); err != nil {
				return err
			}
		}
	}
	return rows.Err()
}
