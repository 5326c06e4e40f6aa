// Package forward turns marks into conversations owed to council email.
//
// A member marks a message with an agreed emoji. What is owed commits with the
// reaction itself; which messages belong to the conversation is decided once, when
// the mark has settled, and then stays. The package decides; it composes nothing.
package forward

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"muniment/internal/archive"
	"muniment/internal/mail"
	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// Letter is the kind under which conversations stand in the outbox; what an item
// is about is the conversation's number.
const Letter = "conversation"

// Rules say who may mark, with what, and where conversations go.
type Rules struct {
	Marks  record.Marks
	Roles  []string      // on the member register, of those whose marks count
	Settle time.Duration // in which a mark can be taken back
	Choice record.Rule
	From   string
	To     string
	Token  string // of the archive, for Message-IDs
}

// State is how far a conversation has come.
type State string

// The states of a conversation.
const (
	Settling   State = "settling"
	Settled    State = "settled"     // chosen, and owed or sent
	TakenBack  State = "taken back"  // in time
	NothingNew State = "nothing new" // all of it went with an earlier one
	NotKept    State = "not kept"    // the marked message is not in the archive; see [Rules.Arrived]
)

// Reacted takes note of a freshly captured reaction, in its transaction: it may
// be a mark, and it may take one back.
func (f Rules) Reacted(tx *sqlite.Tx, now time.Time, r record.Received, c archive.Captured) error {
	if c.Target == nil || r.Type == record.Sealed {
		return nil // to no message, or nobody knows with what: it marks nothing, and takes no mark back
	}
	superseded, err := archive.Superseded(tx, c.Seq)
	if err != nil || superseded {
		return err
	}
	for _, alias := range c.Aliases {
		if _, err := tx.Exec("UPDATE mark SET person = ? WHERE person = ?", c.Person, alias); err != nil {
			return fmt.Errorf("mark by record %d: %w", c.Seq, err)
		}
	}
	isMark := r.Type == record.ReactionAdded && f.Marks.Has(r.Emoji)
	standing, err := f.standing(tx, c)
	if err != nil {
		return fmt.Errorf("mark by record %d: %w", c.Seq, err)
	}
	switch {
	case standing && !isMark:
		err = f.takeBack(tx, now, c)
	case !standing && isMark:
		var may bool
		if may, err = f.mayMark(tx, r, c.Person); err == nil && may {
			err = f.mark(tx, now, r, c)
		}
	}
	if err != nil {
		return fmt.Errorf("mark by record %d: %w", c.Seq, err)
	}
	return nil
}

// standing reports whether this person has marked this message already.
func (f Rules) standing(tx *sqlite.Tx, c archive.Captured) (is bool, err error) {
	err = tx.QueryRow("SELECT EXISTS (SELECT 1 FROM mark WHERE target = ? AND person = ? AND taken_back = 0)", c.Target, c.Person).Scan(&is)
	return is, err
}

// mayMark reports whether p, who reacted with r, is in the group and had one of
// the roles when he did: a mark that arrives late is not lost for it.
func (f Rules) mayMark(tx *sqlite.Tx, r record.Received, p people.ID) (bool, error) {
	in, err := people.Participants(tx, r.Group)
	if err != nil {
		return false, err
	}
	// What waited for us at the very first run comes before we are told who is in
	// the group. Until then we rely on WhatsApp: only who is in a group can react
	// there.
	if len(in) > 0 && !in[p] {
		return false, nil
	}
	names, err := people.LoadNames(tx)
	if err != nil {
		return false, err
	}
	m, ok := names.InOffice(p, r.Sent)
	return ok && slices.Contains(f.Roles, m.Role), nil
}

// mark notes the mark and owes its conversation. While one is settling around
// the same message, the mark joins it.
func (f Rules) mark(tx *sqlite.Tx, now time.Time, r record.Received, c archive.Captured) error {
	id, err := f.settling(tx, now, c.Target)
	if err != nil {
		return err
	}
	_, err = tx.Exec(`
		INSERT INTO mark (reaction, target, person, emoji, marked_at, conversation) VALUES (?, ?, ?, ?, ?, ?)`,
		c.Seq, c.Target, c.Person, r.Emoji, sqlite.FormatTime(r.Sent), id)
	return err
}

// Arrived takes note of a freshly captured message, in its transaction: it may
// have been marked before it came, and its conversation given up as not kept. Then
// it is owed anew.
func (f Rules) Arrived(tx *sqlite.Tx, now time.Time, c archive.Captured) error {
	if err := f.revive(tx, now, c.Origin); err != nil {
		return fmt.Errorf("marks on record %d: %w", c.Seq, err)
	}
	return nil
}

func (f Rules) revive(tx *sqlite.Tx, now time.Time, target []byte) error {
	const givenUp = "FROM mark WHERE target = ?1 AND taken_back = 0 AND conversation IN (SELECT id FROM conversation WHERE target = ?1 AND state = '" + string(NotKept) + "')"
	var marked bool
	if err := tx.QueryRow("SELECT EXISTS (SELECT 1 "+givenUp+")", target).Scan(&marked); err != nil || !marked {
		return err
	}
	id, err := f.settling(tx, now, target)
	if err != nil {
		return err
	}
	_, err = tx.Exec("UPDATE mark SET conversation = ?2 WHERE reaction IN (SELECT reaction "+givenUp+")", target, id)
	return err
}

// settling returns the conversation that is settling around a message, and owes
// one if there is none.
func (f Rules) settling(tx *sqlite.Tx, now time.Time, target []byte) (id int64, err error) {
	err = tx.QueryRow("SELECT id FROM conversation WHERE target = ? AND state = ?", target, Settling).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return f.owe(tx, now, target)
	}
	return id, err
}

func (f Rules) owe(tx *sqlite.Tx, now time.Time, target []byte) (id int64, err error) {
	if err := tx.QueryRow(`
		INSERT INTO conversation (target, state, pause_seconds, at_most) VALUES (?, ?, ?, ?) RETURNING id`,
		target, Settling, int64(f.Choice.Pause/time.Second), f.Choice.AtMost).Scan(&id); err != nil {
		return 0, err
	}
	_, err = mail.Queue(tx, now, mail.Item{
		Kind: Letter, About: id,
		MessageID: mail.MessageID(Letter, id, f.Token, f.From),
		From:      f.From, To: f.To,
		NotBefore: now.Add(f.Settle),
	})
	return id, err
}

// takeBack notes that a mark was taken back. If that was in time and nobody else
// marked the message, nothing is owed any more.
func (f Rules) takeBack(tx *sqlite.Tx, now time.Time, c archive.Captured) error {
	if err := settleOverdue(tx, now, c.Target); err != nil {
		return err
	}
	if _, err := tx.Exec("UPDATE mark SET taken_back = ? WHERE target = ? AND person = ? AND taken_back = 0",
		c.Seq, c.Target, c.Person); err != nil {
		return err
	}
	var id int64
	err := tx.QueryRow(`
		UPDATE conversation SET state = ?2 WHERE target = ?1 AND state = ?3
			AND NOT EXISTS (SELECT 1 FROM mark m WHERE m.conversation = conversation.id AND m.taken_back = 0)
		RETURNING id`, c.Target, TakenBack, Settling).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	} else if err != nil {
		return err
	}
	return mail.Cancel(tx, Letter, id, now)
}

// settleOverdue settles the conversation around a message if its time has come and
// only the mail server has kept it from being sent: the mark stood until then.
func settleOverdue(tx *sqlite.Tx, now time.Time, target []byte) error {
	var id int64
	err := tx.QueryRow("SELECT id FROM conversation WHERE target = ? AND state = ?", target, Settling).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	} else if err != nil {
		return err
	}
	it, err := mail.Find(tx, Letter, id)
	if err != nil || it.Early(now) {
		return err
	}
	_, err = Settle(tx, id)
	return err
}

// Settle decides which messages the conversation forwards. Decided once, it
// stays: settling again changes nothing.
func Settle(tx *sqlite.Tx, id int64) (State, error) {
	var target []byte
	var state State
	var pause, atMost int64
	if err := tx.QueryRow("SELECT target, state, pause_seconds, at_most FROM conversation WHERE id = ?", id).
		Scan(&target, &state, &pause, &atMost); err != nil {
		return "", fmt.Errorf("conversation %d: %w", id, err)
	}
	if state != Settling {
		return state, nil
	}
	marked, err := archive.Find(tx, target)
	if err != nil {
		return "", fmt.Errorf("conversation %d: %w", id, err)
	}
	lines, err := archive.Around(tx, marked, int(atMost))
	if err != nil {
		return "", fmt.Errorf("conversation %d: %w", id, err)
	}
	rule := record.Rule{Pause: time.Duration(pause) * time.Second, AtMost: int(atMost)}
	chosen, cut := rule.Conversation(marked, lines)
	if len(chosen) == 0 {
		return NotKept, decide(tx, id, NotKept, false, 0)
	}
	var fresh []record.Seq
	var continues int64
	for _, seq := range chosen {
		earlier, err := lastWith(tx, seq)
		if err != nil {
			return "", fmt.Errorf("conversation %d: %w", id, err)
		}
		if continues = max(continues, earlier); earlier == 0 {
			fresh = append(fresh, seq)
		}
	}
	if len(fresh) == 0 {
		return NothingNew, decide(tx, id, NothingNew, cut, continues)
	}
	for _, seq := range fresh {
		if _, err := tx.Exec("INSERT INTO forwarded (conversation, seq) VALUES (?, ?)", id, seq); err != nil {
			return "", fmt.Errorf("conversation %d: %w", id, err)
		}
	}
	if _, err := tx.Exec("UPDATE mark SET stood = 1 WHERE conversation = ? AND taken_back = 0", id); err != nil {
		return "", fmt.Errorf("conversation %d: %w", id, err)
	}
	return Settled, decide(tx, id, Settled, cut, continues)
}

// lastWith returns the latest conversation that forwarded seq or is about to, 0 if
// there is none: what was refused or cancelled has reached nobody.
func lastWith(tx *sqlite.Tx, seq record.Seq) (last int64, err error) {
	ids, err := conversationsOf(tx, seq)
	if err != nil {
		return 0, err
	}
	for _, id := range ids {
		it, err := mail.Find(tx, Letter, id)
		if err != nil {
			return 0, err
		}
		if it.State == mail.HandedOver || it.State == mail.Waiting {
			last = max(last, id)
		}
	}
	return last, nil
}

func decide(tx *sqlite.Tx, id int64, s State, cut bool, continues int64) error {
	if _, err := tx.Exec("UPDATE conversation SET state = ?, cut = ?, continues = nullif(?, 0) WHERE id = ?", s, cut, continues, id); err != nil {
		return fmt.Errorf("conversation %d: %w", id, err)
	}
	return nil
}

// Conversation is a settled conversation.
type Conversation struct {
	ID        int64
	Marked    record.Seq // the marked message
	Marks     []Mark     // those that stood when it settled, in order of marking
	Rule      record.Rule
	Cut       bool // the rule would have chosen more than it allows
	Seqs      []record.Seq
	Continues int64 // the conversation that went before, of which these are the new messages
}

// Mark is who marked the conversation, with what and when.
type Mark struct {
	Person people.ID
	Emoji  string
	At     time.Time
}

// Load returns the settled conversation id.
func Load(tx *sqlite.Tx, id int64) (Conversation, error) {
	c := Conversation{ID: id}
	var target []byte
	var pause int64
	if err := tx.QueryRow(`
		SELECT target, pause_seconds, at_most, cut, coalesce(continues, 0) FROM conversation WHERE id = ?`, id).
		Scan(&target, &pause, &c.Rule.AtMost, &c.Cut, &c.Continues); err != nil {
		return Conversation{}, fmt.Errorf("conversation %d: %w", id, err)
	}
	c.Rule.Pause = time.Duration(pause) * time.Second
	var err error
	if c.Marked, err = archive.Find(tx, target); err != nil {
		return Conversation{}, err
	}
	rows, err := tx.Query("SELECT person, emoji, marked_at FROM mark WHERE conversation = ? AND stood = 1 ORDER BY reaction", id)
	if err != nil {
		return Conversation{}, fmt.Errorf("conversation %d: %w", id, err)
	}
	defer rows.Close()
	for rows.Next() {
		var m Mark
		var at string
		if err := rows.Scan(&m.Person, &m.Emoji, &at); err != nil {
			return Conversation{}, fmt.Errorf("conversation %d: %w", id, err)
		}
		if m.At, err = sqlite.ParseTime(at); err != nil {
			return Conversation{}, err
		}
		c.Marks = append(c.Marks, m)
	}
	if err := rows.Err(); err != nil {
		return Conversation{}, fmt.Errorf("conversation %d: %w", id, err)
	}
	c.Seqs, err = seqsOf(tx, id)
	return c, err
}

func seqsOf(tx *sqlite.Tx, id int64) ([]record.Seq, error) {
	rows, err := tx.Query("SELECT seq FROM forwarded WHERE conversation = ? ORDER BY seq", id)
	if err != nil {
		return nil, fmt.Errorf("conversation %d: %w", id, err)
	}
	defer rows.Close()
	var seqs []record.Seq
	for rows.Next() {
		var s record.Seq
		if err := rows.Scan(&s); err != nil {
			return nil, fmt.Errorf("conversation %d: %w", id, err)
		}
		seqs = append(seqs, s)
	}
	return seqs, rows.Err()
}

// EmailedWith returns the emails that hold the record seq: as one of their messages,
// or as the beginning that is shown with an answer to it or of the marked message;
// and the corrections of these.
func EmailedWith(tx *sqlite.Tx, seq record.Seq) ([]Email, error) {
	ids, err := showing(tx, seq)
	if err != nil {
		return nil, fmt.Errorf("emails with record %d: %w", seq, err)
	}
	var emails []Email
	for _, id := range ids {
		emails = append(emails, Email{Letter, id})
		corrections, err := correctionsOf(tx, id)
		if err != nil {
			return nil, fmt.Errorf("emails with record %d: %w", seq, err)
		}
		for _, n := range corrections {
			emails = append(emails, Email{CorrectionLetter, n})
		}
	}
	return emails, nil
}

// showing returns the conversations whose email shows something of the message seq.
// What belongs to a message is shown with it, and goes with it.
func showing(tx *sqlite.Tx, seq record.Seq) ([]int64, error) {
	answers, err := archive.Answers(tx, seq)
	if err != nil {
		return nil, err
	}
	var ids []int64
	for _, s := range append(answers, seq) {
		of, err := conversationsOf(tx, s)
		if err != nil {
			return nil, err
		}
		ids = append(ids, of...)
	}
	target, err := archive.Origin(tx, seq)
	if err != nil {
		return nil, err
	}
	of, err := query(tx, "SELECT id FROM conversation WHERE target = ? AND state = ?", target, Settled)
	if err != nil {
		return nil, err
	}
	ids = append(ids, of...)
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

func conversationsOf(tx *sqlite.Tx, seq record.Seq) ([]int64, error) {
	return query(tx, "SELECT conversation FROM forwarded WHERE seq = ?", seq)
}

// query returns the conversations that q selects.
func query(tx *sqlite.Tx, q string, args ...any) (ids []int64, err error) {
	rows, err := tx.Query(q, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

// Forget removes what is known here of records that have been destroyed: the marks
// that were among them, and composed letters that hold any of them and still wait.
func Forget(tx *sqlite.Tx, destroyed []record.Seq) error {
	waiting, err := mail.List(tx, mail.Waiting)
	if err != nil {
		return err
	}
	for _, seq := range destroyed {
		if _, err := tx.Exec("DELETE FROM mark WHERE reaction = ?", seq); err != nil {
			return fmt.Errorf("forget mark by record %d: %w", seq, err)
		}
		if len(waiting) == 0 {
			continue
		}
		emails, err := EmailedWith(tx, seq)
		if err != nil {
			return err
		}
		for _, e := range emails {
			if err := mail.Discard(tx, e.Kind, e.About); err != nil {
				return err
			}
		}
	}
	for _, it := range waiting {
		if it.Kind != DigestLetter || len(destroyed) == 0 { // a digest may show any of them
			continue
		}
		if err := mail.Discard(tx, it.Kind, it.About); err != nil {
			return err
		}
	}
	return nil
}

// StateOf returns how far the conversation id has come.
func StateOf(tx *sqlite.Tx, id int64) (s State, err error) {
	if err := tx.QueryRow("SELECT state FROM conversation WHERE id = ?", id).Scan(&s); err != nil {
		return "", fmt.Errorf("conversation %d: %w", id, err)
	}
	return s, nil
}
