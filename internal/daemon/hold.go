package daemon

import (
	"fmt"
	"slices"

	"muniment/internal/archive"
	"muniment/internal/config"
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

// mayHold are the roles of those who place a hold by reacting. The deputy acts for the
// clerk, and to keep something too long harms less than to destroy it too soon.
var mayHold = []string{"clerk", "deputy", "chair"}

// holdAsked places a hold on everything if r, a fresh reaction, asks for one: the
// clerk, the deputy or the chair has reacted with the agreed emoji. Who has done so to the same
// message before, and whose hold is in force, has what he asks for; a hold for any
// other reason may be released while this one is needed. Taking the reaction back
// releases nothing.
func (d *Daemon) holdAsked(tx *sqlite.Tx, r record.Received, c archive.Captured) error {
	emoji, group := d.asksHold(r)
	if r.Type != record.ReactionAdded || emoji == "" {
		return nil
	}
	names, err := people.LoadNames(tx)
	if err != nil {
		return err
	}
	m, ok := names.InOffice(c.Person, r.Sent)
	if !ok || !slices.Contains(mayHold, m.Role) {
		return nil
	}
	holds, err := archive.Holds(tx)
	if err != nil {
		return err
	}
	message, err := archive.Find(tx, c.Target)
	if err != nil {
		return err
	}
	reason := fmt.Sprintf("a reaction with %s to record %d%s", emoji, message, group)
	if message == 0 { // it is not here, or not yet
		reason = fmt.Sprintf("a reaction with %s, record %d%s", emoji, c.Seq, group)
	}
	for _, h := range holds {
		if h.Released.IsZero() && h.PlacedBy == m.Name && h.Reason == reason {
			return nil
		}
	}
	review := retention.DateOf(d.now()).AddMonths(holdReview)
	id, err := archive.PlaceHold(tx, d.now(), m.Name, reason, review, archive.Cover{Scope: archive.Everything})
	if err != nil {
		return err
	}
	_, err = mail.Queue(tx, d.now(), mail.Item{
		Kind: holdLetter, About: id, MessageID: d.messageID(holdLetter, id),
		From: d.o.Config.Mail.From, To: d.o.Config.Mail.Clerk,
	})
	return err
}

// asksHold returns which emoji of those agreed for its group r is; empty if none. Where
// there are several groups, it says too which one it was.
func (d *Daemon) asksHold(r record.Received) (emoji, group string) {
	groups := d.o.Config.Groups
	i := slices.IndexFunc(groups, func(g config.Group) bool { return g.JID == r.Group })
	if i < 0 {
		return "", ""
	}
	for _, e := range groups[i].Mark.Hold {
		if (record.Marks{e}).Has(r.Emoji) {
			emoji = e
		}
	}
	if len(groups) > 1 {
		group = fmt.Sprintf(" in “%s”", groups[i].Name)
	}
	return emoji, group
}
