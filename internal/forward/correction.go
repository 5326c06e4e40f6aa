package forward

import (
	"fmt"
	"time"

	"muniment/internal/archive"
	"muniment/internal/mail"
	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// CorrectionLetter is the kind under which corrections stand in the outbox; what an
// item is about is the correction's number.
const CorrectionLetter = "correction"

// Changed takes note of a freshly captured edit or deletion, in its transaction: if
// it counts, and the message has been forwarded as it was, a correction is owed to
// the same mailbox. Further changes join it as long as it is not composed.
func (f Rules) Changed(tx *sqlite.Tx, now time.Time, c archive.Captured) error {
	change, err := archive.Some(tx, []record.Seq{c.Seq})
	if err != nil || len(change) == 0 || !change[0].Effective {
		return err
	}
	ids, err := conversationsOf(tx, change[0].Amends)
	if err != nil {
		return fmt.Errorf("correction for record %d: %w", c.Seq, err)
	}
	for _, id := range ids {
		if err := f.correct(tx, now, id); err != nil {
			return fmt.Errorf("correction for record %d: %w", c.Seq, err)
		}
	}
	return nil
}

// correct owes a correction of the conversation if its letter has been composed: one
// that has not will show the message as it is by then.
func (f Rules) correct(tx *sqlite.Tx, now time.Time, id int64) error {
	it, err := mail.Find(tx, Letter, id)
	if err != nil || !said(it) {
		return err
	}
	corrections, err := correctionsOf(tx, id)
	if err != nil {
		return err
	}
	for _, n := range corrections {
		it, err := mail.Find(tx, CorrectionLetter, n)
		if err != nil {
			return err
		}
		if it.State == mail.Waiting && it.ComposedAt.IsZero() {
			return nil // it will say this too
		}
	}
	var n int64
	if err := tx.QueryRow("INSERT INTO correction (conversation) VALUES (?) RETURNING id", id).Scan(&n); err != nil {
		return err
	}
	_, err = mail.Queue(tx, now, mail.Item{
		Kind: CorrectionLetter, About: n,
		MessageID: mail.MessageID(CorrectionLetter, n, f.Token, f.From),
		From:      f.From, To: it.To,
		NotBefore: now.Add(f.Settle),
	})
	return err
}

// said reports whether the letter it has said what it says: it is written, and has
// been sent or will be.
func said(it mail.Item) bool {
	return it.State == mail.HandedOver || it.State == mail.Waiting && !it.ComposedAt.IsZero()
}

func correctionsOf(tx *sqlite.Tx, conversation int64) ([]int64, error) {
	return query(tx, "SELECT id FROM correction WHERE conversation = ? ORDER BY id", conversation)
}

// Correction is what has become of the messages of a forwarded conversation.
type Correction struct {
	ID           int64
	Conversation Conversation
	Since        time.Time // when the letter before it was written, of the conversation or its last correction
}

// LoadCorrection returns the correction id.
func LoadCorrection(tx *sqlite.Tx, id int64) (c Correction, err error) {
	c.ID = id
	var conversation int64
	if err := tx.QueryRow("SELECT conversation FROM correction WHERE id = ?", id).Scan(&conversation); err != nil {
		return c, fmt.Errorf("correction %d: %w", id, err)
	}
	if c.Conversation, err = Load(tx, conversation); err != nil {
		return c, err
	}
	before := []Email{{Letter, conversation}}
	earlier, err := correctionsOf(tx, conversation)
	if err != nil {
		return c, fmt.Errorf("correction %d: %w", id, err)
	}
	for _, n := range earlier {
		if n < id {
			before = append(before, Email{CorrectionLetter, n})
		}
	}
	for _, e := range before {
		it, err := mail.Find(tx, e.Kind, e.About)
		if err != nil {
			return c, fmt.Errorf("correction %d: %w", id, err)
		}
		if said(it) && it.ComposedAt.After(c.Since) {
			c.Since = it.ComposedAt
		}
	}
	return c, nil
}

// Email names an email of this package in the outbox.
type Email struct {
	Kind  string // Letter or CorrectionLetter
	About int64
}
