package daemon

import (
	"context"
	"errors"
	"fmt"
	"time"

	"muniment/internal/archive"
	"muniment/internal/config"
	"muniment/internal/forward"
	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// Forwarding returns the rules of each group, by its JID; token is the archive's.
func Forwarding(c config.Config, token string) map[string]forward.Rules {
	rules := make(map[string]forward.Rules)
	for _, g := range c.Groups {
		rules[g.JID] = forward.Rules{
			Marks: g.Marks, Settle: g.Conversation.Settle,
			Choice: record.Rule{Pause: g.Conversation.Pause, AtMost: g.Conversation.AtMost},
			To:     g.ConversationsTo, Post: post(c, token),
		}
	}
	return rules
}

func post(c config.Config, token string) forward.Post {
	return forward.Post{From: c.Mail.From, Clerk: c.Mail.Clerk, Shared: c.SharedMailboxes(), Owns: c.Council.Owns, Token: token}
}

// resume owes the conversations that had to wait and need not any more.
func (d *Daemon) resume(ctx context.Context) error {
	var n int
	if err := d.db.Write(ctx, func(tx *sqlite.Tx) (err error) {
		n, err = post(d.o.Config, d.archive.Token()).Resume(tx, d.now())
		return err
	}); err != nil {
		return err
	}
	if n > 0 {
		d.outbox.Wake()
	}
	return nil
}

// ErrNotAMessage is returned for a record around which there is no conversation.
var ErrNotAMessage = errors.New("choose a message")

// ForwardByHand forwards the conversation around a message at once, on somebody's word.
// The outbox looks by itself within a minute.
func ForwardByHand(tx *sqlite.Tx, c config.Config, now time.Time, seq record.Seq, who, reason string) (forward.Handed, error) {
	found, err := archive.Some(tx, []record.Seq{seq})
	if err != nil {
		return forward.Handed{}, err
	}
	if len(found) == 0 {
		return forward.Handed{}, fmt.Errorf("there is no record %d: %w", seq, ErrNotAMessage)
	}
	r := found[0]
	switch {
	case r.Destroyed != "":
		return forward.Handed{}, fmt.Errorf("record %d was destroyed on %s: %w", seq, r.Destroyed.Long(), ErrNotAMessage)
	case r.Kind != record.Message && r.Kind != record.Unsupported && r.ReplyTo != 0:
		return forward.Handed{}, fmt.Errorf("record %d is no message, it belongs to record %d (%s): %w", seq, r.ReplyTo, r.Kind, ErrNotAMessage)
	case r.Kind != record.Message && r.Kind != record.Unsupported:
		return forward.Handed{}, fmt.Errorf("record %d is no message (%s): %w", seq, r.Kind, ErrNotAMessage)
	}
	a, err := archive.Load(tx, c.Retention.Schedule)
	if err != nil {
		return forward.Handed{}, err
	}
	rules, listed := Forwarding(c, a.Token())[r.Group]
	if !listed {
		return forward.Handed{}, fmt.Errorf("record %d is of a group that is no longer in the configuration: %w of one that is", seq, ErrNotAMessage)
	}
	if rules.From == "" || rules.To == "" {
		return forward.Handed{}, fmt.Errorf("%w: put from and conversations_to under [mail] in %s", ErrIncomplete, c.File)
	}
	return rules.ByHand(tx, now, seq, who, reason)
}
