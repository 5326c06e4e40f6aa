package forward

import (
	"fmt"
	"slices"
	"time"

	"muniment/internal/mail"
	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// Divided reports whether it is decided in which part of its email each message of the
// conversation is.
func Divided(tx *sqlite.Tx, id int64) (is bool, err error) {
	if err := tx.QueryRow("SELECT EXISTS (SELECT 1 FROM forwarded WHERE conversation = ? AND part > 0)", id).Scan(&is); err != nil {
		return false, fmt.Errorf("conversation %d: %w", id, err)
	}
	return is, nil
}

// Divide notes in which part of its email each message of a settled conversation is, and
// owes the parts after the first, to the same mailbox. Decided once, it stays: which
// message was sent with which must not depend on when, or how often, an email was
// tried. token is that of the archive, for Message-IDs.
func Divide(tx *sqlite.Tx, now time.Time, id int64, parts [][]record.Seq, token string) error {
	if is, err := Divided(tx, id); err != nil || is {
		return err
	}
	first, err := mail.Find(tx, Letter, id)
	if err != nil {
		return fmt.Errorf("divide conversation %d: %w", id, err)
	}
	for i, seqs := range parts {
		part := i + 1
		for _, seq := range seqs {
			if _, err := tx.Exec("UPDATE forwarded SET part = ? WHERE conversation = ? AND seq = ?", part, id, seq); err != nil {
				return fmt.Errorf("divide conversation %d: %w", id, err)
			}
		}
		if part == 1 {
			continue
		}
		if _, err := mail.Queue(tx, now, mail.Item{
			Kind: Letter, About: id, Part: part,
			MessageID: mail.MessageID(fmt.Sprintf("%s part %d", Letter, part), id, token, first.From),
			From:      first.From, To: first.To,
		}); err != nil {
			return fmt.Errorf("divide conversation %d: %w", id, err)
		}
	}
	return nil
}

// LoadPart returns a part of the email about the settled conversation id: its Seqs are
// those of the messages in it.
func LoadPart(tx *sqlite.Tx, id int64, part int) (Conversation, error) {
	c, err := Load(tx, id)
	if err != nil {
		return c, err
	}
	if part < 1 || part > len(c.Parts) {
		return c, fmt.Errorf("conversation %d has no part %d", id, part)
	}
	c.Part, c.Seqs = part, c.Parts[part-1]
	return c, nil
}

// PartWith returns the part of the email that the message seq is in; 0 if it is in none.
func (c Conversation) PartWith(seq record.Seq) int {
	return 1 + slices.IndexFunc(c.Parts, func(seqs []record.Seq) bool { return slices.Contains(seqs, seq) })
}

// partsWith returns the emails that have seq among their messages; if a deed is given, of
// marks that do that.
func partsWith(tx *sqlite.Tx, seq record.Seq, does record.Deed) (emails []Email, err error) {
	rows, err := tx.Query(`
		SELECT f.conversation, max(f.part, 1) FROM forwarded f JOIN conversation c ON c.id = f.conversation
		WHERE f.seq = ?1 AND (?2 = '' OR c.does = ?2)`, seq, does)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		e := Email{Kind: Letter}
		if err := rows.Scan(&e.About, &e.Part); err != nil {
			return nil, err
		}
		emails = append(emails, e)
	}
	return emails, rows.Err()
}

// loadParts reads which messages the conversation forwards, and in which part.
func (c *Conversation) loadParts(tx *sqlite.Tx) error {
	rows, err := tx.Query("SELECT seq, max(part, 1) FROM forwarded WHERE conversation = ? ORDER BY seq", c.ID)
	if err != nil {
		return fmt.Errorf("conversation %d: %w", c.ID, err)
	}
	defer rows.Close()
	for rows.Next() {
		var s record.Seq
		var part int
		if err := rows.Scan(&s, &part); err != nil {
			return fmt.Errorf("conversation %d: %w", c.ID, err)
		}
		for len(c.Parts) < part {
			c.Parts = append(c.Parts, nil)
		}
		c.Seqs, c.Parts[part-1] = append(c.Seqs, s), append(c.Parts[part-1], s)
	}
	return rows.Err()
}
