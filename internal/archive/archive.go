// Package archive keeps the records: it captures them, shows them, holds them,
// and destroys those whose time has come.
//
// A record is never altered. A message that comes again is the record that it
// was, and one that was destroyed stays destroyed: what is left of it, its stub,
// bears the same origin, an HMAC under a key kept here, that any redelivery has.
package archive

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"muniment/internal/journal"
	"muniment/internal/ledger"
	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
)

// Archive captures and destroys under the retention schedule that is in force.
type Archive struct {
	schedule retention.Schedule // that Adopt puts in force
	key      []byte             // of the origins
	restored int                // how often it was restored from a backup
}

// Lay makes a fresh database an archive.
func Lay(tx *sqlite.Tx, now time.Time, who string) error {
	if _, err := tx.Exec("INSERT INTO archive (id, origin_key, created_at) VALUES (1, ?, ?)",
		ledger.NewSalt(), sqlite.FormatTime(now)); err != nil {
		return fmt.Errorf("lay out archive: %w", err)
	}
	first := retention.Default() // until another is adopted
	if err := putSchedule(tx, first); err != nil {
		return err
	}
	return journal.Write(tx, journal.Entry{At: now, Who: who, Act: journal.Created, About: (*Archive)(nil).told(first)})
}

// Load returns the archive in the database. The schedule is the council's as it is
// configured; see [Archive.Adopt].
func Load(tx *sqlite.Tx, schedule retention.Schedule) (*Archive, error) {
	a := &Archive{schedule: schedule}
	if err := tx.QueryRow("SELECT origin_key, restored FROM archive").Scan(&a.key, &a.restored); errors.Is(err, sql.ErrNoRows) {
		return nil, sqlite.ErrNoArchive
	} else if err != nil {
		return nil, fmt.Errorf("load archive: %w", err)
	}
	return a, nil
}

// Token is a word that no other archive has, for the Message-IDs of its emails.
// It tells nothing of the key that it is derived from. After a restore it is another: the
// numbers that emails are about are given anew, and a mail server might take an email for one
// that it had before.
func (a *Archive) Token() string {
	h := hmac.New(sha256.New, a.key)
	h.Write([]byte("message-id token"))
	if a.restored > 0 {
		fmt.Fprintf(h, " %d", a.restored)
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// Captured is what became of one received record.
type Captured struct {
	Seq     record.Seq
	Fresh   bool // not known before
	Person  people.ID
	Aliases []people.ID // other persons that the sender was taken for once
	Origin  []byte      // of a fresh record: by which others name it
	Awaited bool        // others have named it before it came
	Target  []byte      // origin of the message that it answers, reacts to, edits or deletes
}

// Capture commits r to the archive, with its leaf. Sender is who sent it.
//
// WhatsApp delivers at least once, so capturing again is not an error: Capture
// returns the Seq there is, that of a stub too, and Fresh is false.
func (a *Archive) Capture(tx *sqlite.Tx, now time.Time, r record.Received) (Captured, error) {
	sender, err := people.Identify(tx, now, r.Sender, r.PushName)
	if err != nil {
		return Captured{}, fmt.Errorf("capture: %w", err)
	}
	c := Captured{Person: sender.ID, Aliases: sender.Aliases}
	if err := reassign(tx, sender); err != nil {
		return Captured{}, fmt.Errorf("capture: %w", err)
	}
	origins, err := a.origins(tx, now, r, sender)
	if err != nil {
		return Captured{}, fmt.Errorf("capture: %w", err)
	}
	c.Seq, _, err = find(tx, origins)
	if err == nil && c.Seq == 0 {
		c.Seq, err = a.unread(tx, r, sender)
	}
	if err != nil {
		return Captured{}, fmt.Errorf("capture: %w", err)
	} else if c.Seq != 0 {
		return c, a.healGap(tx, now, r, sender)
	}
	origin, expected, err := awaited(tx, origins)
	if err != nil {
		return Captured{}, fmt.Errorf("capture: %w", err)
	}
	if r.Target != nil {
		if c.Target, err = a.originOfRef(tx, now, r.Group, *r.Target); err != nil {
			return Captured{}, fmt.Errorf("capture: %w", err)
		}
	}
	if r.Kind == record.Deletion || r.Kind == record.Unsupported { // which may turn out to be one
		if r.ByAdmin, err = byAdmin(tx, r.Group, c.Person); err != nil {
			return Captured{}, fmt.Errorf("capture: %w", err)
		}
	}
	c.Fresh, c.Origin, c.Awaited = true, origin, expected
	if c.Seq, err = a.insert(tx, now, r, origin, c); err != nil {
		return Captured{}, fmt.Errorf("capture: %w", err)
	}
	if expected {
		if err := parentArrived(tx, now, c.Seq, r.Group, origin); err != nil {
			return Captured{}, fmt.Errorf("capture %d: %w", c.Seq, err)
		}
	}
	return c, a.healGap(tx, now, r, sender)
}

// reassign gives a person the records, and the holds on them, of those who it
// turned out to be.
func reassign(tx *sqlite.Tx, p people.Identity) error {
	for _, alias := range p.Aliases {
		if err := give(tx, alias, p.ID); err != nil {
			return err
		}
	}
	return nil
}

func give(tx *sqlite.Tx, alias, is people.ID) error {
	for _, q := range []string{
		"UPDATE record SET person = ?2 WHERE person = ?1",
		"UPDATE hold SET person = ?2 WHERE person = ?1",
	} {
		if _, err := tx.Exec(q, alias, is); err != nil {
			return err
		}
	}
	return nil
}

// Reconcile does for everybody what capturing does for who sent the record: two who
// turned out to be one, by whatever told of it, are one in records and holds. What
// depends on it calls it first.
func Reconcile(tx *sqlite.Tx) error {
	aliases, err := people.Aliases(tx)
	if err != nil {
		return err
	}
	for alias, is := range aliases {
		if err := give(tx, alias, is); err != nil {
			return fmt.Errorf("two persons are one: %w", err)
		}
	}
	return nil
}

// unread returns the number under which an earlier version of this program, which could
// not read it, captured r, whether it has been read since or not; 0 if none did. What
// that version kept of it is what this one keeps: its sender may have used the ID twice,
// and then the other is a record, too.
func (a *Archive) unread(tx *sqlite.Tx, r record.Received, sender people.Identity) (seq record.Seq, err error) {
	if r.Kind == record.Message || r.Kind == record.Unsupported || r.ID == "" {
		return 0, nil
	}
	origins := a.originsOf(record.Message, r.Group, sender, r.ID)
	in, args := oneOf(origins)
	var protobuf []byte
	var text string
	var textAt sql.NullInt64
	err = tx.QueryRow(fmt.Sprintf("SELECT seq, protobuf, text, text_at FROM record WHERE origin %s AND kind IN ('unsupported', ?%d)"+
		" UNION ALL SELECT seq, NULL, '', NULL FROM stub WHERE origin %[1]s LIMIT 1",
		in, len(origins)+1), append(args, r.Kind)...).Scan(&seq, &protobuf, &text, &textAt)
	if errors.Is(err, sql.ErrNoRows) || err == nil && protobuf != nil && !bytes.Equal(putBack(protobuf, text, textAt), r.Protobuf) {
		return 0, nil
	}
	return seq, err
}

// byAdmin reports whether p may delete what others sent to group, as far as is
// known. WhatsApp does not say so with the deletion. Until it has told who is in
// the group we rely on its own checks, as with marks.
func byAdmin(tx *sqlite.Tx, group string, p people.ID) (bool, error) {
	admins, err := people.Admins(tx, group)
	if err != nil || admins[p] {
		return admins[p], err
	}
	return len(admins) == 0, err
}

// insert writes the row, its leaf and its quotations.
func (a *Archive) insert(tx *sqlite.Tx, now time.Time, r record.Received, origin []byte, c Captured) (record.Seq, error) {
	seq, err := nextSeq(tx)
	if err != nil {
		return 0, err
	}
	t, err := a.term(tx, now, r, c.Target)
	if err != nil {
		return 0, err
	}
	digests, err := a.insertQuotations(tx, now, seq, r, t.due)
	if err != nil {
		return 0, err
	}
	for _, jid := range r.Mentions { // so that a mention can be shown as a name
		if _, err := people.Identify(tx, now, record.Address{JID: jid}, ""); err != nil {
			return 0, err
		}
	}
	secret := ledger.NewSalt()
	canonical, salt := record.Canonical(record.Facts(seq, origin, now, r, c.Target, digests), secret)
	leaf, err := ledger.AppendSalted(tx, salt, canonical)
	if err != nil {
		return 0, err
	}
	protobuf, textAt := cutOut(r.Protobuf, r.Text)
	var fileName string
	var fileSealed []byte
	if r.File != nil {
		fileName, fileSealed = r.File.Name, notNull(r.File.Sealed)
	}
	_, err = tx.Exec(`
		INSERT INTO record (seq, origin, kind, type, group_jid, id, person, sender, sender_alt, push_name, own,
			sent, captured, text, emoji, target, mentions, participants, version, protobuf,
			class, due, due_from, years, salt, leaf, file_name, file_sealed, by_admin, text_at, details, import, supplied, form)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		seq, origin, r.Kind, r.Type, r.Group, r.ID, c.Person, r.Sender.JID, r.Sender.Alt, r.PushName, r.Own,
		sqlite.FormatTime(r.Sent), sqlite.FormatTime(now), r.Text, r.Emoji, c.Target,
		toJSON(r.Mentions), toJSON(r.Participants), r.Version, notNull(protobuf),
		retention.ClassOf(r.Kind), t.due, t.from, t.years, secret, leaf, fileName, fileSealed, r.ByAdmin, textAt, r.Details, r.Import, r.Supplied, sealedForm,
	)
	if err != nil {
		return 0, fmt.Errorf("insert record %d: %w", seq, err)
	}
	return seq, nil
}

// In which form a record's leaf was made. In the first nothing could be withheld from a
// proof; see [record.Canonical].
const (
	openForm   = 1
	sealedForm = 2
)

// minCut is how many bytes of text are worth not keeping twice.
const minCut = 16

// cutOut returns protobuf without text, and where it stood, if it stands there
// once; else protobuf as it is, and nil. The text has a column of its own.
func cutOut(protobuf []byte, text string) (rest []byte, at any) {
	if len(text) < minCut || bytes.Count(protobuf, []byte(text)) != 1 {
		return protobuf, nil
	}
	i := bytes.Index(protobuf, []byte(text))
	return slices.Concat(protobuf[:i], protobuf[i+len(text):]), int64(i)
}

// putBack undoes cutOut. Of what was altered since, it makes something that is not
// what was cut.
func putBack(protobuf []byte, text string, at sql.NullInt64) []byte {
	if !at.Valid || at.Int64 < 0 || at.Int64 > int64(len(protobuf)) {
		return protobuf
	}
	return slices.Concat(protobuf[:at.Int64], []byte(text), protobuf[at.Int64:])
}

// nextSeq continues after the last record or stub, whichever is later: numbers
// are never used again.
func nextSeq(tx *sqlite.Tx) (seq record.Seq, err error) {
	err = tx.QueryRow(`
		SELECT 1 + max(coalesce((SELECT max(seq) FROM record), 0), coalesce((SELECT max(seq) FROM stub), 0))`).Scan(&seq)
	return seq, err
}

// The clocks that a due date follows.
const (
	ownClock    = "own"
	parentClock = "parent"
)

// term is for how long a record is kept.
type term struct {
	due   retention.Date // from whose start it may be destroyed, by
	years int
	from  string // which clock
}

// follows is true of a record that belongs to a message and follows it; see
// [record.Kind.Follows].
var follows = following("")

// following returns the condition follows, of a table that is called name.
func following(name string) string {
	if name != "" {
		name += "."
	}
	var kinds []string
	for _, k := range record.Followers {
		kinds = append(kinds, "'"+string(k)+"'")
	}
	return name + "kind IN (" + strings.Join(kinds, ", ") + ")"
}

// term returns for how long r is kept. What belongs to a message follows its clock
// (REQUIREMENTS.md 3.1); while the message is not known, its own.
func (a *Archive) term(tx *sqlite.Tx, now time.Time, r record.Received, target []byte) (term, error) {
	if r.Kind.Follows() && target != nil {
		if t, _, err := termOf(tx, r.Group, target); err != nil || t.due != "" {
			return t, err
		}
	}
	years, err := period(tx, retention.ClassOf(r.Kind), r.Group)
	if err != nil {
		return term{}, err
	}
	const kept = time.Millisecond // as exactly as the record says them
	return term{
		due:   retention.DueAfter(retention.From(r.Sent.Truncate(kept), now.Truncate(kept)), years),
		years: years, from: ownClock,
	}, nil
}

// termOf returns for how long the message of a group with that origin is kept, and
// whether it is destroyed already; an empty term if it is not known.
func termOf(tx *sqlite.Tx, group string, origin []byte) (t term, destroyed bool, err error) {
	t.from = parentClock
	err = tx.QueryRow("SELECT due, years FROM record WHERE origin = ?", origin).Scan(&t.due, &t.years)
	if !errors.Is(err, sql.ErrNoRows) {
		return t, false, err
	}
	var sentOn retention.Date
	err = tx.QueryRow("SELECT sent_on FROM stub WHERE origin = ?", origin).Scan(&sentOn)
	if errors.Is(err, sql.ErrNoRows) {
		return term{}, false, nil
	} else if err != nil {
		return term{}, false, err
	}
	if t.years, err = period(tx, retention.Messages, group); err != nil {
		return term{}, false, err
	}
	t.due = retention.DueAfter(sentOn.Start(), t.years)
	return t, true, nil
}

// parentArrived sets the clock of edits, deletions, reactions and quotations that
// came before the message they belong to: once, and journaled.
func parentArrived(tx *sqlite.Tx, now time.Time, seq record.Seq, group string, origin []byte) error {
	t, _, err := termOf(tx, group, origin)
	if err != nil {
		return err
	}
	r, q, err := handOn(tx, origin, t)
	if err != nil {
		return err
	}
	if r+q == 0 {
		return nil
	}
	return journal.Write(tx, journal.Entry{At: now, Who: journal.Daemon, Act: journal.ParentArrived,
		About: journal.About{"record": seq, "records": r, "quotations": q}})
}

// insertQuotations keeps the quotations in r, each on the clock of the message
// it quotes; where that is not known, on the reply's. Of a message that is
// destroyed nothing is kept but the digest.
func (a *Archive) insertQuotations(tx *sqlite.Tx, now time.Time, seq record.Seq, r record.Received, replyDue retention.Date) ([][sha256.Size]byte, error) {
	var digests [][sha256.Size]byte
	for n, q := range r.Quotations {
		origin, err := a.originOfRef(tx, now, r.Group, q.Of)
		if err != nil {
			return nil, err
		}
		original, destroyed, err := termOf(tx, r.Group, origin)
		if err != nil {
			return nil, err
		}
		due := original.due
		if due == "" {
			due = replyDue
		}
		salt := ledger.NewSalt()
		digest := record.QuotationDigest(salt, origin, q)
		digests = append(digests, digest)
		row := []any{seq, n, digest[:], origin, due, salt, q.Of.ID, q.Of.Sender.JID, q.Text, notNull(q.Protobuf)}
		if destroyed {
			row = []any{seq, n, digest[:], origin, due, nil, nil, nil, nil, nil}
		}
		if _, err := tx.Exec(`
			INSERT INTO quotation (record, n, digest, origin, due, salt, id, sender, text, protobuf)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, row...); err != nil {
			return nil, fmt.Errorf("insert quotation: %w", err)
		}
	}
	return digests, nil
}

// origins returns every origin that r can have been captured under: WhatsApp may
// have named its sender by another address then.
func (a *Archive) origins(tx *sqlite.Tx, now time.Time, r record.Received, sender people.Identity) ([][]byte, error) {
	if r.Kind != record.Participants {
		return a.originsOf(r.Kind, r.Group, sender, r.ID), nil
	}
	var who []string
	for _, p := range r.Participants {
		if _, err := people.Identify(tx, now, p.Address, ""); err != nil { // so that they have names
			return nil, err
		}
		who = append(who, p.JID)
	}
	slices.Sort(who)
	rest := append([]string{strconv.FormatInt(r.Sent.Unix(), 10), string(r.Type), r.Version}, who...)
	if r.Type == record.Present {
		rest = append(rest, r.Details) // how the group is set up may be all that is new
	}
	return a.originsOf(r.Kind, r.Group, sender, rest...), nil
}

func (a *Archive) originsOf(kind record.Kind, group string, sender people.Identity, rest ...string) [][]byte {
	origins := make([][]byte, 0, len(sender.JIDs))
	for _, jid := range sender.JIDs {
		origins = append(origins, a.origin(kind, group, jid, rest...))
	}
	return origins
}

// originOfRef returns the origin of the message that ref names: the one that is
// in the archive, else the one that others named before.
func (a *Archive) originOfRef(tx *sqlite.Tx, now time.Time, group string, ref record.Ref) ([]byte, error) {
	sender, err := people.Identify(tx, now, ref.Sender, "")
	if err != nil {
		return nil, err
	}
	origins := a.originsOf(record.Message, group, sender, ref.ID)
	seq, origin, err := find(tx, origins)
	if err != nil || seq != 0 {
		return origin, err
	}
	origin, _, err = awaited(tx, origins)
	return origin, err
}

// origin names a fact without telling anything of it. It depends on nothing but
// the fact and the key, so that what was destroyed and is delivered again is
// known even when everything else about its sender is forgotten. A message that
// is not read yet is still a message: what answers it must find it.
func (a *Archive) origin(kind record.Kind, group, sender string, rest ...string) []byte {
	if kind == record.Unsupported {
		kind = record.Message
	}
	h := hmac.New(sha256.New, a.key)
	for _, s := range append([]string{string(kind), group, sender}, rest...) {
		fmt.Fprintf(h, "%d:%s", len(s), s)
	}
	return h.Sum(nil)
}

// find returns the number and origin of the record or stub with one of these
// origins; 0 if there is none.
func find(tx *sqlite.Tx, origins [][]byte) (seq record.Seq, origin []byte, err error) {
	in, args := oneOf(origins)
	err = tx.QueryRow("SELECT seq, origin FROM record WHERE origin "+in+
		" UNION ALL SELECT seq, origin FROM stub WHERE origin "+in+" LIMIT 1", args...).Scan(&seq, &origin)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil, nil
	}
	return seq, origin, err
}

// awaited returns the origin by which a reaction, reply or quotation has named a
// message that is not here; is is false, and the origin the first, if none has.
func awaited(tx *sqlite.Tx, origins [][]byte) (origin []byte, is bool, err error) {
	in, args := oneOf(origins)
	err = tx.QueryRow("SELECT target FROM record WHERE target "+in+
		" UNION ALL SELECT origin FROM quotation WHERE origin "+in+" LIMIT 1", args...).Scan(&origin)
	if errors.Is(err, sql.ErrNoRows) {
		return origins[0], false, nil
	}
	return origin, true, err
}

// oneOf returns a condition that a column is one of the origins, and its
// arguments. The condition may stand in a query more than once.
func oneOf(origins [][]byte) (in string, args []any) {
	var b strings.Builder
	for i, o := range origins {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "?%d", i+1)
		args = append(args, o)
	}
	return "IN (" + b.String() + ")", args
}

func toJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("archive: %v", err)) // strings only: cannot happen
	}
	return string(b)
}

// fromJSON reads what toJSON wrote, into a list that is nil.
func fromJSON(s string, list any) error {
	if s == "null" { // as of nearly every record
		return nil
	}
	return json.Unmarshal([]byte(s), list)
}

func notNull(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
