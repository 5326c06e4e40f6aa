package daemon

import (
	"fmt"

	"muniment/internal/archive"
	"muniment/internal/mail"
	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
)

// holdLetter is the kind under which the letter stands in the outbox that tells the
// clerk of a hold placed in the group; what it is about is the hold's number.
const holdLetter = "hold"

// holdReview is after how many months a hold placed in the group is to be reviewed (C9).
const holdReview = 6

// holdAsked places a hold on everything if r, a fresh reaction, asks for one: the
// clerk or the chair has reacted with the agreed emoji. Whoever has one in force
// already has what he asks for. Taking the reaction back releases nothing.
func (d *Daemon) holdAsked(tx *sqlite.Tx, r record.Received, c archive.Captured) error {
	if r.Type != record.ReactionAdded || !record.Marks(d.o.Config.Mark.Hold).Has(r.Emoji) {
		return nil
	}
	names, err := people.LoadNames(tx)
	if err != nil {
		return err
	}
	m, ok := names.Member(c.Person)
	if !ok || m.Ended(r.Sent) || m.Role != "clerk" && m.Role != "chair" {
		return nil
	}
	holds, err := archive.Holds(tx)
	if err != nil {
		return err
	}
	for _, h := range holds {
		if h.Released.IsZero() && h.Cover.Scope == archive.Everything && h.PlacedBy == m.Name {
			return nil
		}
	}
	review := d.now().AddDate(0, holdReview, 0)
	reason := fmt.Sprintf("a reaction with %s in the group, record %d", r.Emoji, c.Seq)
	id, err := archive.PlaceHold(tx, d.now(), m.Name, reason, retention.DateOf(review), archive.Cover{Scope: archive.Everything})
	if err != nil {
		return err
	}
	_, err = mail.Queue(tx, d.now(), mail.Item{
		Kind: holdLetter, About: id, MessageID: d.messageID(holdLetter, id),
		From: d.o.Config.Mail.From, To: d.o.Config.Mail.Clerk,
	})
	return err
}
