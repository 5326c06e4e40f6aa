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
	emails, err := partsWith(tx, change[0].Amends, "")
	if err != nil {
		return fmt.Errorf("correction for record %d: %w", c.Seq, err)
	}
	for _, e := range emails {
		if err := f.correct(tx, now, e); err != nil {
			return fmt.Errorf("correction for record %d: %w", c.Seq, err)
		}
	}
	return nil
}

// correct owes a correction of the conversation if the part with the message has been
// composed: one that has not will show the message as it is by then.
func (f Rules) correct(tx *sqlite.Tx, now time.Time, e Email) error {
	it, err := mail.FindPart(tx, Letter, e.About, e.Part)
	if err != nil || !said(it) {
		return err
	}
	corrections, err := correctionsOf(tx, e.About)
	if err != nil {
		return err
	}
	for _, n := range corrections {
		it, err := mail.Find(tx, CorrectionLetter, n)
		if err != nil {
			return err
		}
		if it.State.Open() && it.ComposedAt.IsZero() {
			return nil // it will say this too
		}
	}
	var n int64
	if err := tx.QueryRow("INSERT INTO correction (conversation) VALUES (?) RETURNING id", e.About).Scan(&n); err != nil {
		return err
	}
	return f.queue(tx, now, CorrectionLetter, n, it.To, now.Add(f.Settle))
}

// said reports whether the letter it has said what it says: it is written, and has
// been sent or will be.
func said(it mail.Item) bool {
	return it.State == mail.HandedOver || it.State.Open() && !it.ComposedAt.IsZero()
}

func correctionsOf(tx *sqlite.Tx, conversation int64) ([]int64, error) {
	return query(tx, "SELECT id FROM correction WHERE conversation = ? ORDER BY id", conversation)
}

// Correction is what has become of the messages of a forwarded conversation.
type Correction struct {
	ID           int64
	Conversation Conversation
	Since        time.Time // when the letter before it was written, of the conversation or its last correction
	Earlier      []Email   // corrections of the same conversation that were written before, in order
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
	letters, err := mail.Parts(tx, Letter, conversation)
	if err != nil {
		return c, fmt.Errorf("correction %d: %w", id, err)
	}
	for _, it := range letters { // the first to be written: what changed after that, another part may not show
		if said(it) && (c.Since.IsZero() || it.ComposedAt.Before(c.Since)) {
			c.Since = it.ComposedAt
		}
	}
	earlier, err := correctionsOf(tx, conversation)
	if err != nil {
		return c, fmt.Errorf("correction %d: %w", id, err)
	}
	for _, n := range earlier {
		if n >= id {
			break
		}
		it, err := mail.Find(tx, CorrectionLetter, n)
		if err != nil {
			return c, fmt.Errorf("correction %d: %w", id, err)
		}
		if !said(it) {
			continue
		}
		c.Earlier = append(c.Earlier, Email{CorrectionLetter, n, 1})
		if it.ComposedAt.After(c.Since) {
			c.Since = it.ComposedAt
		}
	}
	return c, nil
}

// Email names an email of this package in the outbox.
type Email struct {
	Kind  string // Letter, CorrectionLetter or TakenBackLetter
	About int64
	Part  int
}
