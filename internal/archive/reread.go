package archive

import (
	"bytes"
	"cmp"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"muniment/internal/journal"
	"muniment/internal/ledger"
	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
)

// Original is a message as it is kept, to read what is encrypted under its secret.
type Original struct {
	Sender   record.Address // as captured
	Protobuf []byte
	Added    []string // options that were added to a poll since
}

// Original returns the message of a group that ref names; false if it is not here.
func (a *Archive) Original(tx *sqlite.Tx, group string, ref record.Ref) (o Original, is bool, err error) {
	sender, err := people.LookUp(tx, ref.Sender)
	if err != nil {
		return Original{}, false, fmt.Errorf("original: %w", err)
	}
	in, args := oneOf(a.originsOf(record.Message, group, sender, ref.ID))
	var origin []byte
	var text string
	var textAt sql.NullInt64
	err = tx.QueryRow("SELECT origin, sender, sender_alt, protobuf, text, text_at FROM record WHERE origin "+in, args...).
		Scan(&origin, &o.Sender.JID, &o.Sender.Alt, &o.Protobuf, &text, &textAt)
	if errors.Is(err, sql.ErrNoRows) {
		return Original{}, false, nil
	} else if err != nil {
		return Original{}, false, fmt.Errorf("original: %w", err)
	}
	o.Protobuf = putBack(o.Protobuf, text, textAt)
	if o.Added, err = added(tx, origin); err != nil {
		return Original{}, false, fmt.Errorf("original: %w", err)
	}
	return o, true, nil
}

// maxAdded bounds what the votes in a poll can cost: each is compared with all options.
const maxAdded = 4096

// added returns the names of the options that a poll was given since, by whomever: a
// vote names an option by its digest, so that none can pass for another. Should there be
// too many, those go first that phones heed.
func added(tx *sqlite.Tx, poll []byte) (names []string, err error) {
	rows, err := tx.Query(`
		SELECT e.kind, e.text, e.details FROM record m JOIN record e ON e.target = m.origin
		WHERE m.origin = ? AND e.kind IN ('option', 'edit') AND e.type <> 'sealed' ORDER BY e.kind = 'edit', NOT `+entitled+`, e.sent, e.seq`, poll)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	once := make(map[string]bool)
	for len(names) < maxAdded && rows.Next() {
		var kind record.Kind
		var text, details string
		if err := rows.Scan(&kind, &text, &details); err != nil {
			return nil, err
		}
		d, err := record.ParseDetails(details)
		if err != nil {
			return nil, err
		}
		var options []string
		if kind == record.Option {
			options = append(options, text)
		}
		if d.Poll != nil {
			options = append(options, d.Poll.Options...)
		}
		for _, name := range options {
			if !once[name] {
				once[name], names = true, append(names, name)
			}
		}
	}
	return names, rows.Err()
}

// Delivered is a record as it was delivered, to be read again, and what was read in it
// before.
type Delivered struct {
	Seq      record.Seq
	Received record.Received // Target and Quotations are nil, and of a file only Name and Sealed are known
	Reread   bool            // it could not be read at capture, and has been read since

	origin, target []byte
}

// Unread reports whether the record could not be read yet, or not wholly.
func (d Delivered) Unread() bool {
	return d.Received.Kind == record.Unsupported || d.Received.Type == record.Sealed || d.unknown() > 0
}

// unknown returns for how many options a vote is that nobody knows. It is read as often
// as one of them turns up: its leaf says no more than that there was a vote.
func (d Delivered) unknown() int {
	if d.Received.Kind != record.Vote || !d.Reread {
		return 0
	}
	return unknownOf(d.Received)
}

func unknownOf(r record.Received) int {
	details, err := record.ParseDetails(r.Details)
	if err != nil {
		return 0 // it was altered
	}
	return details.Unknown
}

// News reports whether r, another reading of the record, says what could not be read
// before. All else stays as it was read once, and so does a file that could be read though
// the rest could not.
func (d Delivered) News(r record.Received) bool {
	was := d.Received
	empty := was.Text == "" && was.Emoji == "" && was.Details == "" && was.Mentions == nil && was.Participants == nil
	switch {
	case d.unknown() > 0:
		return r.Kind == record.Vote && r.Type != record.Sealed && unknownOf(r) < d.unknown()
	case !empty || r.Kind == record.Unsupported || was.File != nil && !sameFile(was.File, r.File):
		return false
	case was.Kind == record.Unsupported:
		return true // if only of which kind it is
	}
	return was.Type == record.Sealed && r.Type != record.Sealed && r.Kind == was.Kind
}

func sameFile(a, b *record.File) bool {
	return a == nil && b == nil || a != nil && b != nil && a.Name == b.Name && bytes.Equal(a.Sealed, b.Sealed)
}

const deliveredColumns = `seq, kind, type, group_jid, id, sender, sender_alt, push_name, own, sent, text, emoji, mentions, participants,
	version, protobuf, file_name, file_sealed IS NOT NULL, file_sealed, by_admin, text_at, details, import, supplied, origin, target,
	EXISTS (SELECT 1 FROM reread g WHERE g.seq = record.seq)`

// DeliveredAfter returns at most so many records after that number, in order.
func DeliveredAfter(tx *sqlite.Tx, after record.Seq, atMost int) ([]Delivered, error) {
	return delivered(tx, "seq > ? ORDER BY seq LIMIT ?", after, atMost)
}

// DeliveredSome returns the records with these numbers, as far as they are here, in
// order.
func DeliveredSome(tx *sqlite.Tx, seqs []record.Seq) ([]Delivered, error) {
	return delivered(tx, "seq IN (SELECT value FROM json_each(?)) ORDER BY seq", toJSON(seqs))
}

// Waiting returns the numbers of the records that could not be read, or not wholly, and
// belong to the message with that origin: encrypted under its secret, or votes for an
// option that it has not.
func Waiting(tx *sqlite.Tx, origin []byte) ([]record.Seq, error) {
	rows, err := tx.Query("SELECT seq FROM record WHERE target = ? AND (type = 'sealed' OR kind = 'vote' AND details LIKE '%\"unknown\":%') ORDER BY seq", origin)
	if err != nil {
		return nil, fmt.Errorf("what waits to be read: %w", err)
	}
	seqs, err := scanSeqs(rows)
	if err != nil {
		return nil, fmt.Errorf("what waits to be read: %w", err)
	}
	return seqs, nil
}

func delivered(tx *sqlite.Tx, which string, args ...any) (all []Delivered, err error) {
	rows, err := tx.Query("SELECT "+deliveredColumns+" FROM record WHERE "+which, args...)
	if err != nil {
		return nil, fmt.Errorf("records as delivered: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var d Delivered
		r := &d.Received
		var sent, mentions, participants string
		var file record.File
		var hasFile bool
		var textAt sql.NullInt64
		if err := rows.Scan(&d.Seq, &r.Kind, &r.Type, &r.Group, &r.ID, &r.Sender.JID, &r.Sender.Alt, &r.PushName, &r.Own, &sent,
			&r.Text, &r.Emoji, &mentions, &participants, &r.Version, &r.Protobuf, &file.Name, &hasFile, &file.Sealed, &r.ByAdmin,
			&textAt, &r.Details, &r.Import, &r.Supplied, &d.origin, &d.target, &d.Reread); err != nil {
			return nil, fmt.Errorf("records as delivered: %w", err)
		}
		if hasFile {
			r.File = &file
		}
		r.Protobuf = putBack(r.Protobuf, r.Text, textAt)
		if r.Sent, err = sqlite.ParseTime(sent); err != nil {
			return nil, fmt.Errorf("record %d: %w", d.Seq, err)
		}
		if err := errors.Join(fromJSON(mentions, &r.Mentions), fromJSON(participants, &r.Participants)); err != nil {
			return nil, fmt.Errorf("record %d: %w", d.Seq, err)
		}
		all = append(all, d)
	}
	return all, rows.Err()
}

// Agrees reports whether r, another reading of the record, says what was read before.
func (a *Archive) Agrees(tx *sqlite.Tx, d Delivered, r record.Received) (bool, error) {
	was := d.Received
	if was.Kind != r.Kind || was.Type != r.Type || was.Text != r.Text || was.Emoji != r.Emoji || was.Details != r.Details ||
		!slices.Equal(was.Mentions, r.Mentions) || !slices.Equal(was.Participants, r.Participants) || !sameFile(was.File, r.File) {
		return false, nil
	}
	origins, err := a.named(tx, d, r)
	if err != nil {
		return false, fmt.Errorf("record %d: %w", d.Seq, err)
	}
	isTarget := func(origin []byte) bool { return bytes.Equal(origin, d.target) }
	return len(origins) == 0 && d.target == nil || slices.ContainsFunc(origins, isTarget), nil
}

// named returns the origins under which the message may stand that r, another reading of
// d, names. Whom a reply answers is told by its quotation, which was taken out of it.
func (a *Archive) named(tx *sqlite.Tx, d Delivered, r record.Received) ([][]byte, error) {
	if r.Target != nil {
		sender, err := people.LookUp(tx, r.Target.Sender)
		return a.originsOf(record.Message, r.Group, sender, r.Target.ID), err
	}
	if r.Kind != record.Message {
		return nil, nil
	}
	var quoted []byte // the outermost: those within it follow it
	err := tx.QueryRow("SELECT origin FROM quotation WHERE record = ? AND n = 0 AND coalesce(id, '-') <> ''", d.Seq).Scan(&quoted)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return [][]byte{quoted}, err
}

// A Reading is what is read in a record that could not be read before.
type Reading struct {
	Of       Delivered
	Received record.Received
}

// Reread sets the readings of records that could not be read at capture; see
// [Delivered.News]. It journals them with who has them read, on whose word, and by which
// version of the program. Who sent them and when they must go is what it was, unless a
// record turns out to follow a message.
func (a *Archive) Reread(tx *sqlite.Tx, now time.Time, who, reason, version string, readings []Reading) (cs []Captured, err error) {
	digests := make(map[string]string)
	handed := make(map[record.Seq]int64) // by the number of the message whose clock they got
	for _, rd := range readings {
		seq := rd.Of.Seq
		c, digest, err := a.reread(tx, now, rd)
		if err != nil {
			return nil, fmt.Errorf("read record %d again: %w", seq, err)
		}
		if c.Target != nil && rd.Of.target == nil && rd.Received.Kind.Follows() {
			parent, n, err := follow(tx, rd.Of.Received.Group, c)
			if err != nil {
				return nil, fmt.Errorf("read record %d again: %w", seq, err)
			}
			handed[parent] += n
		}
		cs = append(cs, c)
		digests[strconv.FormatInt(int64(seq), 10)] = hex.EncodeToString(digest)
	}
	for _, parent := range slices.Sorted(maps.Keys(handed)) {
		if handed[parent] == 0 {
			continue
		}
		if err := journal.Write(tx, journal.Entry{At: now, Who: journal.Daemon, Act: journal.ParentArrived,
			About: journal.About{"record": parent, "records": handed[parent], "quotations": 0}}); err != nil {
			return nil, err
		}
	}
	if len(cs) == 0 {
		return nil, nil
	}
	return cs, journal.Write(tx, journal.Entry{At: now, Who: who, Act: journal.ReadAgain, Reason: reason,
		About: journal.About{"readings": digests, "version": version}})
}

// reread sets one reading and returns its digest, which tells nothing without the salt
// that goes with the record.
func (a *Archive) reread(tx *sqlite.Tx, now time.Time, rd Reading) (c Captured, digest []byte, err error) {
	d, r := rd.Of, rd.Received
	if !d.News(r) {
		return Captured{}, nil, errors.New("it says nothing new")
	}
	sender, err := people.Identify(tx, now, d.Received.Sender, "")
	if err != nil {
		return Captured{}, nil, err
	}
	c = Captured{Seq: d.Seq, Fresh: true, Person: sender.ID, Aliases: sender.Aliases, Origin: d.origin, Target: d.target}
	if d.Received.Kind == record.Unsupported { // what is sealed has named it already
		if c.Target, err = a.nowNamed(tx, now, d, r); err != nil {
			return Captured{}, nil, err
		}
		if _, err := tx.Exec("UPDATE archive SET holes_through = min(holes_through, ?)", d.Seq-1); err != nil {
			return Captured{}, nil, err
		}
	}
	for _, jid := range r.Mentions {
		if _, err := people.Identify(tx, now, record.Address{JID: jid}, ""); err != nil {
			return Captured{}, nil, err
		}
	}
	for _, p := range r.Participants {
		if _, err := people.Identify(tx, now, p.Address, ""); err != nil {
			return Captured{}, nil, err
		}
	}
	if _, err := tx.Exec("INSERT INTO reread (seq, kind, type, target, file, salt, at) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
		d.Seq, d.Received.Kind, d.Received.Type, d.target, d.Received.File != nil, ledger.NewSalt(), sqlite.FormatTime(now)); err != nil {
		return Captured{}, nil, err
	}
	var salt []byte
	if err := tx.QueryRow("SELECT salt FROM reread WHERE seq = ?", d.Seq).Scan(&salt); err != nil {
		return Captured{}, nil, err
	}
	var fileName string
	var fileSealed []byte
	if r.File != nil {
		fileName, fileSealed = r.File.Name, notNull(r.File.Sealed)
	}
	if _, err := tx.Exec(`
		UPDATE record SET kind = ?, type = ?, text = ?, emoji = ?, target = ?, mentions = ?, participants = ?, details = ?, file_name = ?, file_sealed = ?
		WHERE seq = ?`,
		r.Kind, r.Type, r.Text, r.Emoji, c.Target, toJSON(r.Mentions), toJSON(r.Participants), r.Details, fileName, fileSealed, d.Seq); err != nil {
		return Captured{}, nil, err
	}
	sum := record.ReadingDigest(salt, d.Seq, r, c.Target)
	return c, sum[:], reassign(tx, sender)
}

// nowNamed returns the origin of the message that a record turns out to name; nil if none.
func (a *Archive) nowNamed(tx *sqlite.Tx, now time.Time, d Delivered, r record.Received) ([]byte, error) {
	if r.Target != nil {
		return a.originOfRef(tx, now, d.Received.Group, *r.Target)
	}
	origins, err := a.named(tx, d, r)
	if err != nil || len(origins) == 0 {
		return nil, err
	}
	return origins[0], nil
}

// follow gives a record the clock of the message that it turns out to follow, if that is
// known, and hands it on. It returns the number of that message, and how many records
// got its clock.
func follow(tx *sqlite.Tx, group string, c Captured) (parent record.Seq, n int64, err error) {
	t, destroyed, err := termOf(tx, group, c.Target)
	if err != nil || t.due == "" {
		return 0, 0, err
	}
	if parent, _, err = find(tx, [][]byte{c.Target}); err != nil {
		return 0, 0, err
	}
	if destroyed { // the period is the one that the record was captured under
		var sentOn retention.Date
		if err := tx.QueryRow("SELECT s.sent_on, r.years FROM stub s, record r WHERE s.seq = ? AND r.seq = ?", parent, c.Seq).Scan(&sentOn, &t.years); err != nil {
			return 0, 0, err
		}
		t.due = retention.DueAfter(sentOn.Start(), t.years)
	}
	if _, err := tx.Exec("UPDATE record SET due = ?, years = ?, due_from = ? WHERE seq = ?", t.due, t.years, parentClock, c.Seq); err != nil {
		return 0, 0, err
	}
	records, _, err := handOn(tx, c.Origin, t)
	return parent, records + 1, err
}

// handOn gives what follows a message, and quotations of it, its clock. Only what was
// read again can be followed and follow itself: then it hands the clock on.
func handOn(tx *sqlite.Tx, origin []byte, t term) (records, quotations int64, err error) {
	rows, err := tx.Query(`
		UPDATE record SET due = ?2, years = ?3, due_from = 'parent'
		WHERE target = ?1 AND `+follows+` AND (due, years, due_from) <> (?2, ?3, 'parent')
		RETURNING CASE WHEN EXISTS (SELECT 1 FROM reread g WHERE g.seq = record.seq) THEN origin END`, origin, t.due, t.years)
	if err != nil {
		return 0, 0, err
	}
	defer rows.Close()
	var followed [][]byte
	for rows.Next() {
		var o []byte
		if err := rows.Scan(&o); err != nil {
			return 0, 0, err
		}
		if records++; o != nil {
			followed = append(followed, o)
		}
	}
	if err := cmp.Or(rows.Err(), rows.Close()); err != nil {
		return 0, 0, err
	}
	done, err := tx.Exec("UPDATE quotation SET due = ?2 WHERE origin = ?1", origin, t.due)
	if err != nil {
		return 0, 0, err
	}
	quotations, _ = done.RowsAffected() // SQLite always knows
	for _, o := range followed {
		r, q, err := handOn(tx, o, t)
		if err != nil {
			return 0, 0, err
		}
		records, quotations = records+r, quotations+q
	}
	return records, quotations, nil
}

// Readings returns the digests that the journal has of what was read in records later
// than they were captured: of each the last.
func Readings(tx *sqlite.Tx) (map[record.Seq][]byte, error) {
	readings := make(map[record.Seq][]byte)
	err := journal.Of(tx, journal.ReadAgain, func(e journal.Entry, _ int64) error {
		digests, _ := e.About["readings"].(map[string]any)
		for number, digest := range digests {
			seq, err := strconv.ParseInt(number, 10, 64)
			text, _ := digest.(string)
			sum, unread := hex.DecodeString(text)
			if err == nil && unread == nil { // else it was altered, and its leaf tells
				readings[record.Seq(seq)] = sum
			}
		}
		return nil
	})
	return readings, err
}
