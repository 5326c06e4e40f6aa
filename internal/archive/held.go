package archive

import (
	"database/sql"
	"fmt"

	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// covers is true of the hold h if it covers the record c itself; the view held says the
// same of those in force (0036_holds.sql).
const covers = `(h.scope = 'all'
	OR h.scope = 'dates' AND c.sent >= h.from_at AND c.sent < h.before_at
	OR h.scope = 'member' AND c.person = h.person
	OR h.scope = 'group' AND c.group_jid = h.group_jid
	OR h.scope = 'records' AND EXISTS (SELECT 1 FROM hold_record i WHERE i.hold = h.id AND i.seq = c.seq))`

// rootOf returns the origin of the message that a record belongs to: itself, or the
// message that it edits, deletes or reacts to. Its table is called name.
func rootOf(name string) string {
	return fmt.Sprintf("CASE WHEN "+following(name)+" THEN coalesce(%[1]s.target, %[1]s.origin) ELSE %[1]s.origin END", name)
}

// heldAmong selects, of the messages that roots selects by their origins, those that
// one of the holds h keeps which are meant. A message is kept if the hold covers it,
// anything that belongs to it, or anything that answers or quotes it, and so on: what
// is held remains whole, an answer is none without its question, and a quotation goes
// with what it quotes. Each message is looked at once, however many belong to it.
func heldAmong(roots, which string) string {
	return `
		SELECT m.origin FROM (` + roots + `) m
		WHERE EXISTS (SELECT 1 FROM hold h WHERE ` + which + ` AND h.scope = 'all')
		OR EXISTS (SELECT 1 FROM hold h WHERE ` + which + `) AND EXISTS (
			WITH RECURSIVE upon (origin) AS (
				SELECT m.origin
				UNION SELECT r.origin FROM upon JOIN record r ON r.target = upon.origin WHERE NOT ` + following("r") + `
				UNION SELECT ` + rootOf("r") + ` FROM upon JOIN quotation q ON q.origin = upon.origin JOIN record r ON r.seq = q.record
			)
			SELECT 1 FROM upon CROSS JOIN record c ON c.origin = upon.origin OR c.target = upon.origin AND ` + following("c") + `
			WHERE EXISTS (SELECT 1 FROM hold h WHERE ` + which + " AND " + covers + "))"
}

// heldBy returns the hold predicate, of a row of record, for the holds h that are meant.
func heldBy(which string) string {
	return "(" + rootOf("record") + " IN (" + heldAmong("SELECT "+rootOf("record")+" AS origin", which) + "))"
}

const inForce = "h.released_at IS NULL"

// onHold is the hold predicate, of a row of record.
var onHold = heldBy(inForce)

// allHeld selects the numbers of all records that the holds h which are meant keep. It
// is heldAmong turned round, which goes out from what is covered and not from every
// message.
func allHeld(which string) string {
	return `
		WITH RECURSIVE kept (origin) AS (
			SELECT ` + rootOf("c") + ` FROM record c WHERE EXISTS (SELECT 1 FROM hold h WHERE ` + which + " AND " + covers + `)
			UNION SELECT r.target FROM kept JOIN record r ON r.origin = kept.origin WHERE r.target IS NOT NULL AND NOT ` + following("r") + `
			UNION SELECT q.origin FROM kept JOIN record r ON r.origin = kept.origin OR r.target = kept.origin AND ` + following("r") + `
				JOIN quotation q ON q.record = r.seq
		)
		SELECT seq FROM record WHERE ` + rootOf("record") + " IN (SELECT origin FROM kept)"
}

// HeldBy returns those of the given records that the hold covers, or covered until
// it was released, with all that shares their fate.
func HeldBy(tx *sqlite.Tx, hold int64, seqs []record.Seq) ([]record.Seq, error) {
	rows, err := tx.Query("SELECT seq FROM record WHERE seq IN (SELECT value FROM json_each(?1)) AND "+heldBy("h.id = ?2")+" ORDER BY seq",
		toJSON(seqs), hold)
	if err != nil {
		return nil, fmt.Errorf("what hold %d covers: %w", hold, err)
	}
	held, err := scanSeqs(rows)
	if err != nil {
		return nil, fmt.Errorf("what hold %d covers: %w", hold, err)
	}
	return held, nil
}

// OnHold returns those of the given records that a hold in force keeps, with all that
// shares their fate.
func OnHold(tx *sqlite.Tx, seqs []record.Seq) ([]record.Seq, error) {
	rows, err := tx.Query("SELECT seq FROM record WHERE seq IN (SELECT value FROM json_each(?1)) AND "+onHold+" ORDER BY seq", toJSON(seqs))
	if err != nil {
		return nil, fmt.Errorf("what is on hold: %w", err)
	}
	held, err := scanSeqs(rows)
	if err != nil {
		return nil, fmt.Errorf("what is on hold: %w", err)
	}
	return held, nil
}

// CountHeld returns how many records are kept from destruction by the hold.
func CountHeld(tx *sqlite.Tx, hold int64) (n int64, err error) {
	if err := tx.QueryRow("SELECT count(*) FROM ("+allHeld("h.id = ?1 AND "+inForce)+")", hold).Scan(&n); err != nil {
		return 0, fmt.Errorf("what hold %d covers: %w", hold, err)
	}
	return n, nil
}

// CountCovered returns how many records the hold covers by itself; what else is kept, is
// kept for their sake.
func CountCovered(tx *sqlite.Tx, hold int64) (n int64, err error) {
	if err := tx.QueryRow("SELECT count(*) FROM record c WHERE EXISTS (SELECT 1 FROM hold h WHERE h.id = ?1 AND "+inForce+" AND "+covers+")", hold).Scan(&n); err != nil {
		return 0, fmt.Errorf("what hold %d covers: %w", hold, err)
	}
	return n, nil
}

func scanSeqs(rows *sql.Rows) (seqs []record.Seq, err error) {
	defer rows.Close()
	for rows.Next() {
		var s record.Seq
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		seqs = append(seqs, s)
	}
	return seqs, rows.Err()
}
