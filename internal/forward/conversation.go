package forward

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"muniment/internal/archive"
	"muniment/internal/mail"
	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// Conversation is a conversation that was marked, or forwarded by hand.
type Conversation struct {
	ID         int64
	MarkName   string      // of the mark
	Does       record.Deed // what the mark does: report and look are letters of their own
	AboutClerk bool        // a report about a message of the clerk or the deputy: it is for the chair alone
	Waits      Wait        // why it is not owed yet, while it settles; empty: it is
	ByHand     string      // for whom it was forwarded by hand; empty: it was marked
	Owed       time.Time   // since when; zero: it waits, or that was not kept

	Marked    record.Seq // the marked message
	Marks     []Mark     // those that stood when it settled, in order of marking
	Rule      record.Rule
	Cut       bool // the rule would have chosen more than it allows
	Seqs      []record.Seq
	Continues int64 // the conversation that went before, of which these are the new messages

	// A long one is sent in parts: Parts are the messages of each. Part says of which Seqs
	// are; it is 0 when they are all of them. See [LoadPart].
	Part  int
	Parts [][]record.Seq
}

// Mark is who marked the conversation, with what and when.
type Mark struct {
	Person people.ID
	Emoji  string
	At     time.Time

	takenBack record.Seq // by which reaction; 0: not
}

// Load returns the conversation id.
func Load(tx *sqlite.Tx, id int64) (Conversation, error) {
	c := Conversation{ID: id}
	var target []byte
	var owed string
	var pause int64
	if err := tx.QueryRow(`
		SELECT target, pause_seconds, at_most, cut, coalesce(continues, 0), mark, does, about_clerk, waits, by_hand, owed_at
		FROM conversation WHERE id = ?`, id).
		Scan(&target, &pause, &c.Rule.AtMost, &c.Cut, &c.Continues, &c.MarkName, &c.Does, &c.AboutClerk, &c.Waits, &c.ByHand, &owed); err != nil {
		return Conversation{}, fmt.Errorf("conversation %d: %w", id, err)
	}
	c.Rule.Pause = time.Duration(pause) * time.Second
	var err error
	if c.Owed, err = sqlite.ParseTime(owed); err != nil {
		return Conversation{}, err
	}
	if c.Marked, err = archive.Find(tx, target); err != nil {
		return Conversation{}, err
	}
	if c.Marks, err = marksWhere(tx, "conversation = ? AND stood = 1", id); err != nil {
		return Conversation{}, fmt.Errorf("conversation %d: %w", id, err)
	}
	for i := range c.Marks {
		c.Marks[i].takenBack = 0 // it stood
	}
	return c, c.loadParts(tx)
}

// marksWhere returns the marks that a condition selects, in order of marking.
func marksWhere(tx *sqlite.Tx, where string, args ...any) (marks []Mark, err error) {
	rows, err := tx.Query("SELECT person, emoji, marked_at, taken_back FROM mark WHERE "+where+" ORDER BY reaction", args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var m Mark
		var at string
		if err := rows.Scan(&m.Person, &m.Emoji, &at, &m.takenBack); err != nil {
			return nil, err
		}
		if m.At, err = sqlite.ParseTime(at); err != nil {
			return nil, err
		}
		marks = append(marks, m)
	}
	return marks, rows.Err()
}

// Thread returns the emails that led to the one of the conversation id, of each its first part, oldest first and
// that one last: each continues the one before. What belongs to a conversation, such as
// a correction of it, answers the last of these.
func Thread(tx *sqlite.Tx, id int64) (thread []Email, err error) {
	for id != 0 {
		thread = append(thread, Email{Letter, id, 1})
		if err := tx.QueryRow("SELECT coalesce(continues, 0) FROM conversation WHERE id = ?", id).Scan(&id); err != nil {
			return nil, fmt.Errorf("thread of conversation %d: %w", thread[0].About, err)
		}
	}
	slices.Reverse(thread)
	return thread, nil
}

// EmailedWith returns the emails that hold the record seq: as one of their messages,
// or as the beginning that is shown with an answer to it or of the marked message;
// and the corrections of these, and notes about their marks.
func EmailedWith(tx *sqlite.Tx, seq record.Seq) ([]Email, error) {
	letters, err := showing(tx, seq)
	if err != nil {
		return nil, fmt.Errorf("emails with record %d: %w", seq, err)
	}
	var emails []Email
	for i, e := range letters {
		emails = append(emails, e)
		if i+1 < len(letters) && letters[i+1].About == e.About {
			continue // another part of it
		}
		corrections, err := correctionsOf(tx, e.About)
		if err != nil {
			return nil, fmt.Errorf("emails with record %d: %w", seq, err)
		}
		for _, n := range corrections {
			emails = append(emails, Email{CorrectionLetter, n, 1})
		}
		notes, err := notesOf(tx, e.About)
		if err != nil {
			return nil, fmt.Errorf("emails with record %d: %w", seq, err)
		}
		for _, n := range notes {
			emails = append(emails, Email{TakenBackLetter, n, 1})
		}
	}
	return emails, nil
}

// showing returns the emails about conversations that show something of the message seq.
// What belongs to a message is shown with it, and goes with it.
func showing(tx *sqlite.Tx, seq record.Seq) ([]Email, error) {
	answers, err := archive.Answers(tx, seq)
	if err != nil {
		return nil, err
	}
	var emails []Email
	for _, s := range append(answers, seq) {
		of, err := partsWith(tx, s, "")
		if err != nil {
			return nil, err
		}
		emails = append(emails, of...)
	}
	target, err := archive.Origin(tx, seq)
	if err != nil {
		return nil, err
	}
	of, err := query(tx, "SELECT id FROM conversation WHERE target = ? AND state = ?", target, Settled)
	if err != nil {
		return nil, err
	}
	for _, id := range of {
		emails = append(emails, Email{Letter, id, 1})
	}
	slices.SortFunc(emails, func(a, b Email) int { return cmp.Or(cmp.Compare(a.About, b.About), cmp.Compare(a.Part, b.Part)) })
	return slices.Compact(emails), nil
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

// Forgotten counts what [Forget] removed.
type Forgotten struct {
	Marks   int64
	Letters int64 // composed, and still in the outbox
}

// Forget removes what is known here of records that have been destroyed: the marks
// that were among them, and composed letters that hold any of them and are still in the
// outbox: they wait, or may have arrived.
func Forget(tx *sqlite.Tx, destroyed []record.Seq) (n Forgotten, err error) {
	held, err := mail.Held(tx)
	if err != nil {
		return n, err
	}
	discard := func(kind string, about int64) error {
		letters, err := mail.Discard(tx, kind, about)
		n.Letters += letters
		return err
	}
	for _, seq := range destroyed {
		r, err := tx.Exec("DELETE FROM mark WHERE reaction = ?", seq)
		if err != nil {
			return n, fmt.Errorf("forget mark by record %d: %w", seq, err)
		}
		marks, err := r.RowsAffected()
		if err != nil {
			return n, err
		}
		n.Marks += marks
		if len(held) == 0 {
			continue
		}
		emails, err := EmailedWith(tx, seq)
		if err != nil {
			return n, err
		}
		for _, e := range emails {
			if err := discard(e.Kind, e.About); err != nil {
				return n, err
			}
		}
	}
	for _, it := range held {
		if !IsDigest(it.Kind) || len(destroyed) == 0 { // a digest may show any of them
			continue
		}
		if err := discard(it.Kind, it.About); err != nil {
			return n, err
		}
	}
	return n, nil
}

// StateOf returns how far the conversation id has come.
func StateOf(tx *sqlite.Tx, id int64) (s State, err error) {
	if err := tx.QueryRow("SELECT state FROM conversation WHERE id = ?", id).Scan(&s); err != nil {
		return "", fmt.Errorf("conversation %d: %w", id, err)
	}
	return s, nil
}
