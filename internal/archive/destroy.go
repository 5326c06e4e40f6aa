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

// isDue is true of a record, on date ?1, whose time is over both by the period that
// it was captured under and by the one of today, ?2 years: where these differ, the
// longer counts. (Around 29 February that may be a day late, never early.)
const isDue = "due <= ?1 AND (years >= ?2 OR date(due, '-1 day', '+' || (?2 - years) || ' years', '+1 day') <= ?1)"

// Due returns the numbers of the records, in order, that may be destroyed from
// the given date on and are not on hold. Those are left out for which skip is
// true, and what follows them, which goes when they go.
func (a *Archive) Due(tx *sqlite.Tx, on retention.Date, skip func(record.Seq) bool) ([]record.Seq, error) {
	rows, err := tx.Query(`
		SELECT seq, CASE WHEN `+follows+` THEN coalesce((SELECT t.seq FROM record t WHERE t.origin = record.target), 0) ELSE 0 END
		FROM record WHERE `+isDue+" AND "+rootOf("record")+" NOT IN ("+
		heldAmong("SELECT DISTINCT "+rootOf("r")+" AS origin FROM record r WHERE "+isDue, inForce)+") ORDER BY seq", on, a.schedule.MessageYears)
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
}

// Destroyed is what the run must look for afterwards, and must not keep.
type Destroyed struct {
	Seq   record.Seq
	Group string // JID
	ID    string
	Salts [][]byte // of the record and of the quotations that went with it
	// PushName is the sender's own name for himself, unless he is the council:
	// that name the device keeps.
	PushName string
	// Content is what it said and quoted, and whatever text there is in its
	// protobuf. Of a record that this program does not read, and of one with a file,
	// that is all of it.
	Content [][]byte
}

// Destroy destroys those of the given records that are due and not on hold, and
// the edits, deletions and reactions that follow them, and leaves a stub of each. Quotations of them in later
// messages go too. It is decided here, in the destroying statement itself,
// whatever the caller found before.
//
// The salt goes with the record, so the leaf that stays in the ledger can no
// longer be tested against a guess.
func (a *Archive) Destroy(tx *sqlite.Tx, d Destruction, seqs []record.Seq) ([]Destroyed, error) {
	if err := Reconcile(tx); err != nil { // else a hold on a member might miss what he sent
		return nil, err
	}
	rows, err := tx.Query(`
		DELETE FROM record
		WHERE (seq IN (SELECT value FROM json_each(?3))
			OR (`+follows+` AND target IN (
				SELECT origin FROM record WHERE seq IN (SELECT value FROM json_each(?3)) AND `+isDue+`)))
			AND `+isDue+` AND `+rootOf("record")+` NOT IN (`+
		heldAmong("SELECT DISTINCT "+rootOf("r")+" AS origin FROM record r WHERE r.seq IN (SELECT value FROM json_each(?3))", inForce)+`)
		RETURNING seq, group_jid, origin, leaf, class, years, kind, sent, id, push_name, own, text, protobuf, salt, file_name, file_sealed IS NOT NULL, text_at, details`,
		d.On, a.schedule.MessageYears, toJSON(seqs))
	if err != nil {
		return nil, fmt.Errorf("destroy records: %w", err)
	}
	all, err := scanGone(rows)
	if err != nil {
		return nil, fmt.Errorf("destroy records: %w", err)
	}
	var destroyed []Destroyed
	for _, g := range all {
		if _, err := tx.Exec(`
			INSERT INTO stub (seq, origin, sent_on, class, rule, destroyed_on, run, authority, leaf)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			g.Seq, g.origin, g.sentOn, g.class, a.schedule.RuleFor(g.years), d.On, d.Run, d.Authority, g.leaf); err != nil {
			return nil, fmt.Errorf("leave stub of record %d: %w", g.Seq, err)
		}
		if err := g.destroyQuotations(tx); err != nil {
			return nil, fmt.Errorf("destroy quotations of record %d: %w", g.Seq, err)
		}
		if err := g.destroyReading(tx); err != nil {
			return nil, fmt.Errorf("destroy the reading of record %d: %w", g.Seq, err)
		}
		if err := forgetAsking(tx, g.Seq, g.Group, g.ID); err != nil {
			return nil, fmt.Errorf("destroy record %d: %w", g.Seq, err)
		}
		destroyed = append(destroyed, g.Destroyed)
	}
	return destroyed, nil
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
		var kind record.Kind
		var sent, text, fileName, details string
		var own, hasFile bool
		var salt []byte
		var textAt sql.NullInt64
		if err := rows.Scan(&g.Seq, &g.Group, &g.origin, &g.leaf, &g.class, &g.years, &kind, &sent, &g.ID, &g.PushName, &own,
			&text, &g.protobuf, &salt, &fileName, &hasFile, &textAt, &details); err != nil {
			return nil, err
		}
		at, err := sqlite.ParseTime(sent)
		if err != nil {
			return nil, err
		}
		g.sentOn = retention.DateOf(at)
		g.Salts = [][]byte{salt}
		g.Content = append(texts(putBack(g.protobuf, text, textAt), text), []byte(text), []byte(fileName), []byte(details))
		if kind == record.Unsupported || hasFile { // which brings a small picture of itself
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
	if err := tx.QueryRow("SELECT EXISTS (SELECT 1 FROM record WHERE seq IN (SELECT value FROM json_each(?3)) AND "+isDue+" AND NOT "+onHold+")",
		on, a.schedule.MessageYears, toJSON(seqs)).Scan(&is); err != nil {
		return false, fmt.Errorf("records due on %s: %w", on, err)
	}
	return is, nil
}

// AllDue reports whether every one of the given records that is still here is due
// on the given date, on hold or not.
func (a *Archive) AllDue(tx *sqlite.Tx, on retention.Date, seqs []record.Seq) (are bool, err error) {
	if err := tx.QueryRow("SELECT NOT EXISTS (SELECT 1 FROM record WHERE seq IN (SELECT value FROM json_each(?3)) AND NOT ("+isDue+"))",
		on, a.schedule.MessageYears, toJSON(seqs)).Scan(&are); err != nil {
		return false, fmt.Errorf("records due on %s: %w", on, err)
	}
	return are, nil
}

// Stub is what remains of a destroyed record: nothing of what it said or of who
// said it.
type Stub struct {
	Seq         record.Seq      `json:"record"`
	SentOn      retention.Date  `json:"sent_on"`
	Class       retention.Class `json:"class"`
	Rule        string          `json:"rule"`
	DestroyedOn retention.Date  `json:"destroyed_on"`
	Leaf        int64           `json:"leaf"` // its place in the ledger
}

// StubsOf returns the stubs that a run left, in order of number.
func StubsOf(tx *sqlite.Tx, run int64) ([]Stub, error) {
	rows, err := tx.Query("SELECT seq, sent_on, class, rule, destroyed_on, leaf FROM stub WHERE run = ? ORDER BY seq", run)
	if err != nil {
		return nil, fmt.Errorf("stubs of run %d: %w", run, err)
	}
	defer rows.Close()
	var stubs []Stub
	for rows.Next() {
		var s Stub
		if err := rows.Scan(&s.Seq, &s.SentOn, &s.Class, &s.Rule, &s.DestroyedOn, &s.Leaf); err != nil {
			return nil, fmt.Errorf("stubs of run %d: %w", run, err)
		}
		stubs = append(stubs, s)
	}
	return stubs, rows.Err()
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

// Held reports whether a surviving record says fragment, in its text, in what it
// carries, or in a quotation; or whether it stands in what is kept of destroyed
// and of missing ones.
func Held(tx *sqlite.Tx, fragment []byte) (bool, error) {
	var held bool
	err := tx.QueryRow(`
		SELECT EXISTS (SELECT 1 FROM record WHERE instr(CAST(text AS BLOB), ?1) OR instr(protobuf, ?1) OR instr(CAST(id AS BLOB), ?1)
				OR instr(CAST(file_name AS BLOB), ?1) OR instr(CAST(details AS BLOB), ?1))
			OR EXISTS (SELECT 1 FROM quotation WHERE salt IS NOT NULL
				AND (instr(CAST(text AS BLOB), ?1) OR instr(protobuf, ?1) OR instr(CAST(id AS BLOB), ?1) OR instr(CAST(sender AS BLOB), ?1)))
			OR EXISTS (SELECT 1 FROM record WHERE instr(CAST(push_name AS BLOB), ?1) OR instr(CAST(sender AS BLOB), ?1)
				OR instr(CAST(sender_alt AS BLOB), ?1) OR instr(CAST(mentions AS BLOB), ?1) OR instr(CAST(participants AS BLOB), ?1)
				OR instr(CAST(group_jid AS BLOB), ?1))
			OR EXISTS (SELECT 1 FROM stub WHERE instr(CAST(rule AS BLOB), ?1) OR instr(CAST(authority AS BLOB), ?1))
			OR EXISTS (SELECT 1 FROM import WHERE instr(CAST(who || reason AS BLOB), ?1))
			OR EXISTS (SELECT 1 FROM gap WHERE instr(CAST(cause AS BLOB), ?1) OR instr(CAST(message_id AS BLOB), ?1) OR instr(CAST(sender AS BLOB), ?1))
			OR EXISTS (SELECT 1 FROM hold WHERE instr(CAST(search || reason || placed_by || coalesce(release_reason, '') AS BLOB), ?1))`, fragment).Scan(&held)
	if err != nil {
		return false, fmt.Errorf("search the records: %w", err)
	}
	return held, nil
}
