package forward

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"muniment/internal/archive"
	"muniment/internal/mail"
	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// TakenBackLetter is the kind under which notes stand in the outbox that marks were taken
// back; what an item is about is the note's number.
const TakenBackLetter = "taken back"

// note owes a note in the thread of what was sent under a mark, if no mark stands on the
// message any more: as long as one does, the email is what its owner wants. It waits as a
// mark does, for a thumb that slipped. A conversation has one such note: who marks it
// again and takes that back again says nothing new.
func (f Rules) note(tx *sqlite.Tx, now time.Time, target []byte, name string) error {
	if is, err := stands(tx, target, name); err != nil || is {
		return err
	}
	id, err := sentUnder(tx, target, name)
	if err != nil || id == 0 {
		return err
	}
	it, err := mail.Find(tx, Letter, id)
	if err != nil || !reaches(it) {
		return err
	}
	notes, err := notesOf(tx, id)
	if err != nil {
		return err
	}
	for _, n := range notes {
		if it, err := mail.Find(tx, TakenBackLetter, n); err != nil || reaches(it) {
			return err
		}
	}
	var n int64
	if err := tx.QueryRow("INSERT INTO withdrawal (conversation) VALUES (?) RETURNING id", id).Scan(&n); err != nil {
		return err
	}
	return f.queue(tx, now, TakenBackLetter, n, it.To, now.Add(f.Settle))
}

// stands reports whether anybody's mark of that name stands on a message.
func stands(tx *sqlite.Tx, target []byte, name string) (is bool, err error) {
	err = tx.QueryRow(`
		SELECT EXISTS (SELECT 1 FROM mark m JOIN conversation c ON c.id = m.conversation
			WHERE m.target = ? AND m.taken_back = 0 AND c.mark = ?)`, target, name).Scan(&is)
	return is, err
}

// sentUnder returns the latest conversation around a message that settled under a mark; 0:
// none.
func sentUnder(tx *sqlite.Tx, target []byte, name string) (id int64, err error) {
	err = tx.QueryRow("SELECT coalesce(max(id), 0) FROM conversation WHERE target = ? AND mark = ? AND state = ?", target, name, Settled).Scan(&id)
	return id, err
}

func notesOf(tx *sqlite.Tx, conversation int64) ([]int64, error) {
	return query(tx, "SELECT id FROM withdrawal WHERE conversation = ? ORDER BY id", conversation)
}

// NoteOf returns the conversation that the note id is filed with.
func NoteOf(tx *sqlite.Tx, id int64) (conversation int64, err error) {
	if err := tx.QueryRow("SELECT conversation FROM withdrawal WHERE id = ?", id).Scan(&conversation); err != nil {
		return 0, fmt.Errorf("note %d: %w", id, err)
	}
	return conversation, nil
}

// TakenBackMarks are the marks on a message that was sent, all of them taken back.
type TakenBackMarks struct {
	Conversation Conversation
	Marks        []Withdrawn // of each who marked it the last, in order of taking back
}

// Withdrawn is a mark that was taken back.
type Withdrawn struct {
	Mark
	Back time.Time
}

// ErrStands is returned for marks of which one stands again.
var ErrStands = errors.New("the message is marked again")

// LoadTakenBack returns what the note id is about. If the reactions have been destroyed
// since, there are no marks in it.
func LoadTakenBack(tx *sqlite.Tx, id int64) (t TakenBackMarks, err error) {
	var conversation int64
	var target []byte
	if err := tx.QueryRow("SELECT c.id, c.target FROM withdrawal w JOIN conversation c ON c.id = w.conversation WHERE w.id = ?", id).
		Scan(&conversation, &target); err != nil {
		return t, fmt.Errorf("note %d: %w", id, err)
	}
	if t.Conversation, err = Load(tx, conversation); err != nil {
		return t, err
	}
	is, err := stands(tx, target, t.Conversation.MarkName)
	if err == nil && is {
		return t, ErrStands
	} else if err == nil {
		err = t.read(tx, target)
	}
	if err != nil {
		return t, fmt.Errorf("note %d: %w", id, err)
	}
	return t, nil
}

// read reads the marks that had something sent, or would have if it had not been.
func (t *TakenBackMarks) read(tx *sqlite.Tx, target []byte) error {
	marks, err := marksWhere(tx, "target = ? AND taken_back <> 0 AND conversation IN (SELECT id FROM conversation WHERE mark = ? AND state IN (?, ?))",
		target, t.Conversation.MarkName, Settled, NothingNew)
	if err != nil {
		return err
	}
	var by []record.Seq
	for _, m := range marks {
		by = append(by, m.takenBack)
	}
	reactions, err := archive.Some(tx, by)
	if err != nil {
		return err
	}
	sent := make(map[record.Seq]time.Time)
	for _, r := range reactions {
		sent[r.Seq] = r.Sent
	}
	for _, m := range marks {
		t.Marks = slices.DeleteFunc(t.Marks, func(w Withdrawn) bool { return w.Person == m.Person })
		t.Marks = append(t.Marks, Withdrawn{m, sent[m.takenBack]})
	}
	slices.SortStableFunc(t.Marks, func(a, b Withdrawn) int { return a.Back.Compare(b.Back) })
	return nil
}
