// Package forward turns marks into emails owed to the council's mailboxes.
//
// A member marks a message with an agreed emoji. What is owed commits with the
// reaction itself; which messages belong to the conversation is decided once, when
// the mark has settled, and then stays. The package decides; it composes nothing.
package forward

import (
	"database/sql"
	"errors"
	"fmt"
	"time"

	"muniment/internal/archive"
	"muniment/internal/mail"
	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// Letter is the kind under which conversations stand in the outbox, whatever their mark
// does; what an item is about is the conversation's number.
const Letter = "conversation"

// Rules say what marks there are in a group, and where its conversations go.
type Rules struct {
	Marks  record.Marks
	Settle time.Duration // in which a mark can be taken back
	Choice record.Rule
	To     string // the mailbox of conversations that are forwarded
	Post
}

// Post is what all emails of this package have in common, whatever the group.
type Post struct {
	From   string
	Clerk  string                    // the address of whoever is told of concerns
	Shared []string                  // mailboxes of the council's that more than one may read, the clerk among them
	Owns   func(address string) bool // whether an address is at the council's own domains
	Token  string                    // of the archive, for Message-IDs
}

// State is how far a conversation has come.
type State string

// The states of a conversation.
const (
	Settling   State = "settling"    // it may be taken back; or it waits, see [Wait]
	Settled    State = "settled"     // chosen, and owed or sent
	TakenBack  State = "taken back"  // in time
	NothingNew State = "nothing new" // all of it went with an earlier one
	NotKept    State = "not kept"    // the marked message is not in the archive; see [Rules.Arrived]
)

// Reacted takes note of a freshly captured reaction, in its transaction: it may
// be a mark, and it may take one back. Holds are not placed here.
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
	if err := f.reacted(tx, now, r, c); err != nil {
		return fmt.Errorf("mark by record %d: %w", c.Seq, err)
	}
	return nil
}

func (f Rules) reacted(tx *sqlite.Tx, now time.Time, r record.Received, c archive.Captured) error {
	var agreed record.Mark
	var is bool
	if r.Type == record.ReactionAdded {
		agreed, is = f.Marks.Of(r.Emoji)
	}
	standing, err := standing(tx, c)
	if err != nil {
		return err
	}
	if is && standing == agreed.Name {
		return nil
	}
	if standing != "" {
		if err := f.takeBack(tx, now, c, standing); err != nil {
			return err
		}
	}
	if !is {
		return f.near(tx, now, r, c)
	}
	if agreed.Does == record.Hold {
		return nil
	}
	why, err := mayMark(tx, agreed, r, c.Person)
	if err != nil {
		return err
	}
	if why != "" {
		return NotCounted(tx, now, c, agreed.Name, why)
	}
	return f.mark(tx, now, agreed, r, c)
}

// standing returns the name of the mark that this person has put on this message;
// empty: none.
func standing(tx *sqlite.Tx, c archive.Captured) (name string, err error) {
	err = tx.QueryRow(`
		SELECT c.mark FROM mark m JOIN conversation c ON c.id = m.conversation
		WHERE m.target = ? AND m.person = ? AND m.taken_back = 0 ORDER BY m.reaction DESC LIMIT 1`, c.Target, c.Person).Scan(&name)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return name, err
}

// mark notes the mark and owes its conversation. While one is settling around
// the same message, the mark joins it.
func (f Rules) mark(tx *sqlite.Tx, now time.Time, agreed record.Mark, r record.Received, c archive.Captured) error {
	id, err := f.settling(tx, now, agreed, c.Target, r.Target.Sender)
	if err != nil {
		return err
	}
	if _, err = tx.Exec(`
		INSERT INTO mark (reaction, target, person, emoji, marked_at, conversation) VALUES (?, ?, ?, ?, ?, ?)`,
		c.Seq, c.Target, c.Person, r.Emoji, sqlite.FormatTime(r.Sent), id); err != nil {
		return err
	}
	return f.release(tx, now, id, now.Add(f.Settle))
}

// settling returns the conversation that is settling around a message under a mark, and
// makes one if there is none.
func (f Rules) settling(tx *sqlite.Tx, now time.Time, agreed record.Mark, target []byte, author record.Address) (id int64, err error) {
	err = tx.QueryRow("SELECT id FROM conversation WHERE target = ? AND mark = ? AND state = ?", target, agreed.Name, Settling).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return f.open(tx, now, agreed, target, author)
	}
	return id, err
}

// Arrived takes note of a freshly captured message, in its transaction: it may
// have been marked before it came, and its conversation given up as not kept. Then
// it is owed anew. So is a report that is still settling: whose message it is about
// is known only now.
func (f Rules) Arrived(tx *sqlite.Tx, now time.Time, c archive.Captured) error {
	var marked bool // hardly ever
	if err := tx.QueryRow("SELECT EXISTS (SELECT 1 FROM conversation WHERE target = ?)", c.Origin).Scan(&marked); err != nil || !marked {
		return err
	}
	for _, agreed := range f.Marks {
		if err := f.revive(tx, now, agreed, c.Origin); err != nil {
			return fmt.Errorf("marks on record %d: %w", c.Seq, err)
		}
	}
	return nil
}

func (f Rules) revive(tx *sqlite.Tx, now time.Time, agreed record.Mark, target []byte) error {
	ids, err := query(tx, `
		SELECT id FROM conversation c WHERE target = ? AND mark = ? AND (state = ? OR state = ? AND does = ?)
			AND EXISTS (SELECT 1 FROM mark m WHERE m.conversation = c.id AND m.taken_back = 0)`,
		target, agreed.Name, NotKept, Settling, record.Report)
	if err != nil || len(ids) == 0 {
		return err
	}
	for _, id := range ids {
		if err := decide(tx, id, NotKept, false, 0); err != nil {
			return err
		}
		if err := mail.Cancel(tx, Letter, id, now); err != nil {
			return err
		}
	}
	anew, err := f.settling(tx, now, agreed, target, record.Address{}) // it is here
	if err != nil {
		return err
	}
	for _, id := range ids {
		if _, err := tx.Exec("UPDATE mark SET conversation = ? WHERE conversation = ? AND taken_back = 0", anew, id); err != nil {
			return err
		}
	}
	return f.release(tx, now, anew, now.Add(f.Settle))
}

// takeBack notes that a mark was taken back. If nothing was sent yet and nobody else
// marked the message so, nothing is owed any more; if it was, nothing is recalled, and a
// note is filed with it.
func (f Rules) takeBack(tx *sqlite.Tx, now time.Time, c archive.Captured, name string) error {
	if err := settleOverdue(tx, now, c.Target, name); err != nil {
		return err
	}
	if _, err := tx.Exec("UPDATE mark SET taken_back = ? WHERE target = ? AND person = ? AND taken_back = 0",
		c.Seq, c.Target, c.Person); err != nil {
		return err
	}
	var id int64
	err := tx.QueryRow(`
		UPDATE conversation SET state = ?3, waits = '' WHERE target = ?1 AND mark = ?2 AND state = ?4
			AND NOT EXISTS (SELECT 1 FROM mark m WHERE m.conversation = conversation.id AND m.taken_back = 0)
		RETURNING id`, c.Target, name, TakenBack, Settling).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return f.note(tx, now, c.Target, name)
	} else if err != nil {
		return err
	}
	if err := mail.Cancel(tx, Letter, id, now); err != nil {
		return err
	}
	return f.note(tx, now, c.Target, name) // on what went before under this mark, if anything did
}

// settleOverdue settles the conversation around a message if its time has come and
// only the mail server has kept it from being sent: the mark stood until then.
func settleOverdue(tx *sqlite.Tx, now time.Time, target []byte, name string) error {
	ids, err := query(tx, "SELECT id FROM conversation WHERE target = ? AND mark = ? AND state = ? AND waits = ''", target, name, Settling)
	if err != nil || len(ids) == 0 {
		return err
	}
	it, err := mail.Find(tx, Letter, ids[0])
	if err != nil || it.Early(now) {
		return err
	}
	_, err = Settle(tx, ids[0])
	return err
}
