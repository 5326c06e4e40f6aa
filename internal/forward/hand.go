package forward

import (
	"fmt"
	"slices"
	"time"

	"muniment/internal/archive"
	"muniment/internal/journal"
	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// byHand is the name under which conversations stand that nobody marked; no mark can be
// called that.
const byHand = "by hand"

// Handed is what came of forwarding by hand.
type Handed struct {
	Conversation int64 // owed; if all has gone before, the latest with which it did
	Messages     int   // that go; 0: all have gone
	Cut          bool  // the conversation is longer than one may be
}

// ByHand forwards the conversation around a message at once, for somebody who has said
// why. Messages that have gone to that mailbox do not go again; if all have, nothing is
// done.
func (f Rules) ByHand(tx *sqlite.Tx, now time.Time, message record.Seq, who, reason string) (h Handed, err error) {
	to := f.To
	if i := slices.IndexFunc(f.Marks, func(m record.Mark) bool { return m.Does == record.Forward }); i >= 0 {
		to = or(f.Marks[i].To, to)
	}
	c, err := choose(tx, message, f.Choice, record.Forward, []string{to})
	if err != nil || len(c.fresh) == 0 {
		return Handed{Conversation: c.continues}, err
	}
	target, err := archive.Origin(tx, message)
	if err != nil {
		return Handed{}, err
	}
	h = Handed{Messages: len(c.fresh), Cut: c.cut}
	if h.Conversation, err = f.open(tx, now, record.Mark{Name: byHand, Does: record.Forward, To: to}, target, record.Address{}); err != nil {
		return Handed{}, fmt.Errorf("forward record %d by hand: %w", message, err)
	}
	if _, err := tx.Exec("UPDATE conversation SET by_hand = ?, owed_at = ? WHERE id = ?", who, sqlite.FormatTime(now), h.Conversation); err != nil {
		return Handed{}, fmt.Errorf("forward record %d by hand: %w", message, err)
	}
	if err := f.queue(tx, now, Letter, h.Conversation, []string{to}, now); err != nil {
		return Handed{}, err
	}
	if _, err := Settle(tx, h.Conversation); err != nil {
		return Handed{}, err
	}
	return h, journal.Write(tx, journal.Entry{At: now, Who: who, Act: journal.ForwardedByHand, Reason: reason,
		About: journal.About{"record": message, "conversation": h.Conversation, "messages": h.Messages}})
}
