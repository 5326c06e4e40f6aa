package daemon

import (
	"context"
	"fmt"
	"slices"

	"muniment/internal/archive"
	"muniment/internal/config"
	"muniment/internal/forward"
	"muniment/internal/letter"
	"muniment/internal/mail"
	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
)

// holdLetter is the kind under which the letter stands in the outbox that tells the
// clerk of a hold placed in the group; what it is about is the hold's number.
const holdLetter = "hold"

// reviewLetter is the kind of the letter that asks whether a hold is still needed; what it is
// about is the number of the entry in the journal that it is owed by.
const reviewLetter = "hold review"

// holdAsked places a hold on everything if r, a fresh reaction, asks for one: the
// clerk, the deputy or the chair has reacted with the agreed emoji. Who has done so to the same
// message before, and whose hold is in force, has what he asks for; a hold for any
// other reason may be released while this one is needed. Taking the reaction back
// releases nothing.
func (d *Daemon) holdAsked(tx *sqlite.Tx, r record.Received, c archive.Captured) error {
	agreed, is := d.forward[r.Group].Marks.Of(r.Emoji)
	if r.Type != record.ReactionAdded || !is || agreed.Does != record.Hold {
		return nil
	}
	names, err := people.LoadNames(tx)
	if err != nil {
		return err
	}
	m, ok := names.InOffice(c.Person, r.Sent)
	if !ok || !slices.Contains(agreed.Roles, m.Role) {
		return forward.NotCounted(tx, d.now(), c, agreed.Name, forward.NoRole)
	}
	holds, err := archive.Holds(tx)
	if err != nil {
		return err
	}
	message, err := archive.Find(tx, c.Target)
	if err != nil {
		return err
	}
	emoji := agreed.Emoji[slices.IndexFunc(agreed.Emoji, func(e string) bool { return record.SameEmoji(e, r.Emoji) })]
	group := d.inGroup(r.Group)
	reason := fmt.Sprintf("a reaction with %s to record %d%s", emoji, message, group)
	if message == 0 { // it is not here, or not yet
		reason = fmt.Sprintf("a reaction with %s, record %d%s", emoji, c.Seq, group)
	}
	for _, h := range holds {
		if h.Released.IsZero() && h.PlacedBy == m.Name && h.Reason == reason {
			return nil
		}
	}
	review := archive.LastReview(retention.DateOf(d.now()))
	id, err := archive.PlaceHold(tx, d.now(), m.Name, reason, review, archive.Cover{Scope: archive.Everything})
	if err != nil {
		return err
	}
	_, err = mail.Queue(tx, d.now(), mail.Item{
		Kind: holdLetter, About: id, MessageID: d.messageID(holdLetter, id),
		From: d.o.Config.Mail.From, To: []string{d.o.Config.Mail.Clerk},
	})
	return err
}

// remindOfReviews owes the clerk an email for each hold whose review is due, and once a week
// while it is overdue.
func (d *Daemon) remindOfReviews(ctx context.Context) error {
	return d.db.Write(ctx, func(tx *sqlite.Tx) error {
		due, err := archive.ToReview(tx, retention.DateOf(d.now()))
		if err != nil {
			return err
		}
		for _, id := range due {
			entry, err := archive.Reminded(tx, d.now(), id)
			if err != nil {
				return err
			}
			if _, err := mail.Queue(tx, d.now(), mail.Item{
				Kind: reviewLetter, About: entry, MessageID: d.messageID(reviewLetter, entry),
				From: d.o.Config.Mail.From, To: []string{d.o.Config.Mail.Clerk},
			}); err != nil {
				return err
			}
		}
		return nil
	})
}

// holdWhatCame has the holds that go on searching take in what has come.
func (d *Daemon) holdWhatCame(ctx context.Context) error {
	return d.db.Write(ctx, func(tx *sqlite.Tx) error { return archive.TakeIn(tx, d.now()) })
}

func (d *Daemon) composeHold(tx *sqlite.Tx, h letter.Header, id int64) ([]byte, error) {
	holds, err := archive.Holds(tx)
	if err != nil {
		return nil, err
	}
	for _, placed := range holds {
		if placed.ID == id {
			return d.letters.Hold(h, placed)
		}
	}
	return nil, fmt.Errorf("there is no hold %d", id)
}

// composeReview has nothing to send if it has been answered meanwhile.
func (d *Daemon) composeReview(tx *sqlite.Tx, h letter.Header, entry int64) ([]byte, error) {
	hold, err := archive.RemindedOf(tx, entry)
	if err != nil {
		return nil, err
	}
	if hold.ID == 0 {
		return nil, mail.ErrNothingToSend
	}
	return d.letters.HoldReview(h, hold)
}

// inGroup says which group it was, where there are several.
func (d *Daemon) inGroup(jid string) string {
	groups := d.o.Config.Groups
	i := slices.IndexFunc(groups, func(g config.Group) bool { return g.JID == jid })
	if i < 0 || len(groups) == 1 {
		return ""
	}
	return fmt.Sprintf(" in “%s”", groups[i].Name)
}
