package archive

import (
	"fmt"
	"time"

	"muniment/internal/journal"
	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// holePatience is how long after it was captured a record is asked whether the message
// that it names is here: what was queued does not always come in order.
const holePatience = 10 * time.Minute

// maxNamed bounds how many messages one record can show to be missing by what it quotes:
// phones quote one, and each would be asked for.
const maxNamed = 8

// mostHoles is of how many messages the records of one sender can show within a day that
// they are missing, each as a gap of its own that the phone is asked for: an ID is easily
// invented. How often more are named is counted.
const mostHoles = 50

// Names reads which message a record names: the archive itself keeps no more than an
// origin, which tells nothing.
type Names struct {
	// Target returns the message that a record names, as it is read again from what is
	// kept of it; nil if that cannot be read.
	Target func(tx *sqlite.Tx, d Delivered) (*record.Ref, error)
	// Elsewhere reports whether a quotation, by its protobuf, is of a message of
	// another chat than that group.
	Elsewhere func(group string, quotation []byte) bool
}

// FindHoles looks for messages that others name, by reacting to them, answering, quoting,
// changing or deleting them, and that are neither here nor destroyed: they exist, and were
// never received. Each becomes a gap, once; but see mostHoles. It looks at so many records at most, from
// where it stopped the last time, and reports whether it is done: what was captured in
// the last ten minutes has to wait. Imported records name nothing.
func (a *Archive) FindHoles(tx *sqlite.Tx, now time.Time, atMost int, names Names) (done bool, err error) {
	after, last, done, err := settled(tx, now, atMost)
	if err != nil {
		return false, fmt.Errorf("find holes: %w", err)
	}
	if last == after {
		return done, nil
	}
	named, err := a.quotedHoles(tx, after, last, names)
	if err == nil {
		var more []naming
		more, err = a.targetHoles(tx, after, last, names)
		named = append(named, more...)
	}
	for _, n := range named {
		if err == nil {
			err = a.hole(tx, now, n)
		}
	}
	if err == nil {
		_, err = tx.Exec("UPDATE archive SET holes_through = ?", last)
	}
	if err != nil {
		return false, fmt.Errorf("find holes: %w", err)
	}
	return done, nil
}

// settled returns which records are next: those after one number through another. What
// seems to be captured later than now was so before the clock was set back.
func settled(tx *sqlite.Tx, now time.Time, atMost int) (after, last record.Seq, done bool, err error) {
	if err := tx.QueryRow("SELECT holes_through FROM archive").Scan(&after); err != nil {
		return 0, 0, false, err
	}
	rows, err := tx.Query("SELECT seq, captured <= ? OR captured > ? FROM record WHERE seq > ? ORDER BY seq LIMIT ?",
		sqlite.FormatTime(now.Add(-holePatience)), sqlite.FormatTime(now), after, atMost)
	if err != nil {
		return 0, 0, false, err
	}
	defer rows.Close()
	n := 0
	for last = after; rows.Next(); n++ {
		var seq record.Seq
		var is bool
		if err := rows.Scan(&seq, &is); err != nil {
			return 0, 0, false, err
		}
		if !is {
			return after, last, true, nil
		}
		last = seq
	}
	return after, last, n < atMost, rows.Err()
}

// MissDeleted notes that a message was deleted for everyone before it was received, as the
// council's phone tells, which still knows that there was one. What is here is not missing.
func (a *Archive) MissDeleted(tx *sqlite.Tx, now time.Time, group string, of record.Ref) error {
	if err := a.hole(tx, now, naming{group: group, of: of, deletes: true}); err != nil {
		return fmt.Errorf("open gap: %w", err)
	}
	return nil
}

// A naming is that a record names a message that does not seem to be here.
type naming struct {
	by      record.Seq // 0: the phone's history does
	group   string
	of      record.Ref
	deletes bool // the message is nowhere to be had any more
}

const notHere = "NOT EXISTS (SELECT 1 FROM record o WHERE o.origin = %[1]s) AND NOT EXISTS (SELECT 1 FROM stub o WHERE o.origin = %[1]s)"

// quotedHoles returns what is quoted and not here.
func (a *Archive) quotedHoles(tx *sqlite.Tx, after, through record.Seq, names Names) (all []naming, err error) {
	rows, err := tx.Query(`
		SELECT q.record, r.group_jid, q.id, q.sender, q.protobuf FROM quotation q JOIN record r ON r.seq = q.record
		WHERE q.record > ? AND q.record <= ? AND q.n < ? AND r.import = 0 AND q.salt IS NOT NULL AND q.id <> ''
			AND `+fmt.Sprintf(notHere, "q.origin")+" ORDER BY q.record, q.n", after, through, maxNamed)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var n naming
		var protobuf []byte
		if err := rows.Scan(&n.by, &n.group, &n.of.ID, &n.of.Sender.JID, &protobuf); err != nil {
			return nil, err
		}
		if !names.Elsewhere(n.group, protobuf) {
			all = append(all, n)
		}
	}
	return all, rows.Err()
}

// targetHoles returns what is named otherwise and not here.
func (a *Archive) targetHoles(tx *sqlite.Tx, after, through record.Seq, names Names) (all []naming, err error) {
	records, err := delivered(tx, `seq > ? AND seq <= ? AND import = 0 AND target IS NOT NULL
		AND NOT EXISTS (SELECT 1 FROM quotation q WHERE q.record = record.seq AND q.origin = record.target)
		AND `+fmt.Sprintf(notHere, "record.target")+" ORDER BY seq", after, through)
	if err != nil {
		return nil, err
	}
	for _, d := range records {
		of, err := names.Target(tx, d)
		if err != nil {
			return nil, err
		}
		if of == nil || of.ID == "" {
			continue
		}
		r := d.Received
		deletes := r.Kind == record.Deletion && (r.Type == record.ByAuthor || r.ByAdmin)
		all = append(all, naming{by: d.Seq, group: r.Group, of: *of, deletes: deletes})
	}
	return all, nil
}

// Why a message is missing that others name.
const (
	neverDelivered = "it was never delivered, but others answered it or changed it"
	nobodysMessage = "it was never delivered; those who answered it do not say whose it was, so it cannot be asked for"
	tooManyNamed   = "one member named more of them within a day than are listed one by one"
	deletedBefore  = "it was deleted for everyone before it was delivered, so nobody has it any more"
)

// hole notes that a message is missing, unless it is here under another of its sender's
// addresses. If it is known to be missing, what names it may say more of it.
func (a *Archive) hole(tx *sqlite.Tx, now time.Time, n naming) error {
	sender, err := people.LookUp(tx, n.of.Sender)
	if err != nil {
		return err
	}
	missing, err := a.isMissing(tx, n.group, sender, n.of.ID)
	if err != nil || !missing {
		return err
	}
	g, known, err := a.gapOf(tx, n.group, sender, n.of.ID)
	switch {
	case err != nil:
		return err
	case known && g.open && (n.deletes || !g.asking):
		return a.endAsking(tx, now, g.id, n.group, sender, n.of.ID)
	case known:
		return nil
	}
	if n.by != 0 {
		if further, err := a.further(tx, now, n); err != nil || further {
			return err
		}
	}
	cause, ask := neverDelivered, true
	if n.deletes {
		cause, ask = deletedBefore, false
	} else if n.of.Sender.JID == n.group { // it stands in for nobody
		cause, ask = nobodysMessage, false
	}
	at := sqlite.FormatTime(now)
	if err := tx.QueryRow(`
		INSERT INTO gap (kind, origin, group_jid, opened_at, cause, message_id, sender, named_by, ask_at)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, nullif(?8, 0), ?4) RETURNING id`, NotReceived, a.origin(record.Message, n.group, n.of.Sender.JID, n.of.ID),
		n.group, at, cause, n.of.ID, n.of.Sender.JID, n.by).Scan(&g.id); err != nil {
		return err
	}
	about := journal.About{"since": at, "cause": cause}
	if n.by != 0 {
		about["record"] = n.by
	}
	if err := journal.Write(tx, journal.Entry{At: now, Who: journal.Daemon, Act: journal.GapOpened, Reason: string(NotReceived), About: about}); err != nil || ask {
		return err
	}
	return a.endAsking(tx, now, g.id, n.group, sender, n.of.ID)
}

// further notes that a message is missing of which the sender of the record that names it
// has named too many, and reports whether that is so. Which message it is, is not kept, so
// that it is counted as often as it is named.
func (a *Archive) further(tx *sqlite.Tx, now time.Time, n naming) (is bool, err error) {
	var named int
	var id int64
	if err := tx.QueryRow(`
		SELECT count(*), coalesce(max(iif(g.further > 0, g.id, 0)), 0) FROM gap g JOIN record r ON r.seq = g.named_by
		WHERE g.opened_at > ?1 AND g.opened_at <= ?2 AND g.kind = ?3 AND g.group_jid = ?4
			AND r.sender = (SELECT sender FROM record WHERE seq = ?5)`,
		sqlite.FormatTime(now.Add(-24*time.Hour)), sqlite.FormatTime(now), NotReceived, n.group, n.by).Scan(&named, &id); err != nil {
		return false, err
	}
	switch {
	case id != 0:
		_, err = tx.Exec("UPDATE gap SET further = further + 1 WHERE id = ?", id)
		return true, err
	case named < mostHoles:
		return false, nil
	}
	at := sqlite.FormatTime(now)
	if _, err := tx.Exec("INSERT INTO gap (kind, group_jid, opened_at, cause, named_by, further) VALUES (?, ?, ?, ?, ?, 1)",
		NotReceived, n.group, at, tooManyNamed, n.by); err != nil {
		return false, err
	}
	return true, journal.Write(tx, journal.Entry{At: now, Who: journal.Daemon, Act: journal.GapOpened, Reason: string(NotReceived),
		About: journal.About{"since": at, "cause": tooManyNamed, "record": n.by}})
}
