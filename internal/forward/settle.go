package forward

import (
	"fmt"
	"slices"
	"time"

	"muniment/internal/archive"
	"muniment/internal/mail"
	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// Settle decides which messages the conversation forwards. Decided once, it
// stays: settling again changes nothing.
func Settle(tx *sqlite.Tx, id int64) (State, error) {
	s, err := settle(tx, id)
	if err != nil {
		return "", fmt.Errorf("conversation %d: %w", id, err)
	}
	return s, nil
}

// GoesOnWith returns the conversation that the one which is settling would continue if it
// settled now, or in which all of it has gone; 0: none, or it is settled.
func GoesOnWith(tx *sqlite.Tx, id int64) (int64, error) {
	c, _, err := chooseOf(tx, id)
	if err != nil {
		return 0, fmt.Errorf("conversation %d: %w", id, err)
	}
	return c.continues, nil
}

func settle(tx *sqlite.Tx, id int64) (State, error) {
	c, state, err := chooseOf(tx, id)
	switch {
	case err != nil:
		return "", err
	case state != Settling:
		return state, nil
	case !c.kept:
		return NotKept, decide(tx, id, NotKept, false, 0)
	case len(c.fresh) == 0:
		return NothingNew, decide(tx, id, NothingNew, c.cut, c.continues)
	}
	for _, seq := range c.fresh {
		if _, err := tx.Exec("INSERT INTO forwarded (conversation, seq) VALUES (?, ?)", id, seq); err != nil {
			return "", err
		}
	}
	if _, err := tx.Exec("UPDATE mark SET stood = 1 WHERE conversation = ? AND taken_back = 0", id); err != nil {
		return "", err
	}
	return Settled, decide(tx, id, Settled, c.cut, c.continues)
}

// choice is what of a conversation goes.
type choice struct {
	kept      bool         // the marked message is in the archive
	fresh     []record.Seq // the messages that have not gone before
	cut       bool         // the rule would have chosen more than it allows
	continues int64        // the latest conversation with which others have gone; 0: none
}

// chooseOf returns what goes of the conversation id, as long as it is settling.
func chooseOf(tx *sqlite.Tx, id int64) (c choice, state State, err error) {
	var target []byte
	var does record.Deed
	var pause, atMost int64
	if err := tx.QueryRow("SELECT target, state, does, pause_seconds, at_most FROM conversation WHERE id = ?", id).
		Scan(&target, &state, &does, &pause, &atMost); err != nil || state != Settling {
		return choice{}, state, err
	}
	marked, err := archive.Find(tx, target)
	if err != nil {
		return choice{}, state, err
	}
	it, err := mail.Find(tx, Letter, id)
	if err != nil {
		return choice{}, state, err
	}
	c, err = choose(tx, marked, record.Rule{Pause: time.Duration(pause) * time.Second, AtMost: int(atMost)}, does, it.To)
	return c, state, err
}

// choose returns what goes of the conversation around a message. What has gone to the
// same mailbox for the same purpose does not go again: that the council has a message
// does not mean that the chair has been told of a concern about it.
func choose(tx *sqlite.Tx, marked record.Seq, rule record.Rule, does record.Deed, to []string) (c choice, err error) {
	if does == record.Look { // the message alone is asked about
		rule = record.Rule{AtMost: 1}
	}
	lines, err := archive.Around(tx, marked, rule.AtMost)
	if err != nil {
		return choice{}, err
	}
	chosen, cut := rule.Conversation(marked, lines)
	c = choice{kept: len(chosen) > 0, cut: cut && does != record.Look}
	for _, seq := range chosen {
		earlier, err := lastWith(tx, seq, does, to)
		if err != nil {
			return choice{}, err
		}
		if c.continues = max(c.continues, earlier); earlier == 0 {
			c.fresh = append(c.fresh, seq)
		}
	}
	return c, nil
}

// lastWith returns the latest conversation with which seq has gone to a mailbox, or is
// about to, for that purpose; 0 if there is none: what was refused or cancelled has
// reached nobody.
func lastWith(tx *sqlite.Tx, seq record.Seq, does record.Deed, to []string) (last int64, err error) {
	emails, err := partsWith(tx, seq, does)
	if err != nil {
		return 0, err
	}
	for _, e := range emails {
		it, err := mail.FindPart(tx, Letter, e.About, e.Part)
		if err != nil {
			return 0, err
		}
		if reaches(it) && slices.Equal(it.To, to) {
			last = max(last, e.About)
		}
	}
	return last, nil
}

// reaches reports whether an email has been handed over, or will be.
func reaches(it mail.Item) bool { return it.State == mail.HandedOver || it.State.Open() }

func decide(tx *sqlite.Tx, id int64, s State, cut bool, continues int64) error {
	if _, err := tx.Exec("UPDATE conversation SET state = ?, waits = '', cut = ?, continues = nullif(?, 0) WHERE id = ?", s, cut, continues, id); err != nil {
		return fmt.Errorf("conversation %d: %w", id, err)
	}
	return nil
}
