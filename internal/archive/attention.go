package archive

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// Attention is what somebody of the council should look at in one group, as it is now.
// What was seen to is not in it.
type Attention struct {
	Strangers []people.ID // in the group, and not on the member register
	Admins    int         // how many of them are admins of the group
	Former    []people.ID // in the group, and on the register, but not in office

	Outside    time.Time // since when the council's account is not in the group; zero: it is
	Timer      int64     // seconds after which messages disappear from phones; 0: they stay
	TimerSince time.Time
	ViewOnce   int // how many messages were sent to be viewed once, in [Lately]
}

// Lately is how far back an attention looks at what is over.
const Lately = 30 * 24 * time.Hour

// AttentionTo returns what deserves attention in a group.
func AttentionTo(tx *sqlite.Tx, group string, now time.Time) (a Attention, err error) {
	if err := a.lookAtPeople(tx, group, now); err != nil {
		return Attention{}, err
	}
	gaps, err := Gaps(tx)
	if err != nil {
		return Attention{}, err
	}
	for _, g := range gaps {
		if g.Kind == NotInGroup && g.Group == group && g.Closed.IsZero() {
			a.Outside = g.Opened
		}
	}
	settings, err := Settings(tx, group, 0)
	if err != nil {
		return Attention{}, err
	}
	if timer := settings[record.Timer]; timer.On() {
		a.Timer, _ = strconv.ParseInt(timer.Text, 10, 64)
		a.TimerSince = timer.Since
	}
	if err := tx.QueryRow("SELECT count(*) FROM record WHERE group_jid = ? AND sent >= ? AND kind = ? AND type = ?",
		group, sqlite.FormatTime(now.Add(-Lately)), record.Message, record.ViewOnce).Scan(&a.ViewOnce); err != nil {
		return Attention{}, fmt.Errorf("count view-once messages: %w", err)
	}
	return a, nil
}

func (a *Attention) lookAtPeople(tx *sqlite.Tx, group string, now time.Time) error {
	names, err := people.LoadNames(tx)
	if err != nil {
		return err
	}
	present, err := people.Participants(tx, group)
	if err != nil {
		return err
	}
	admins, err := people.Admins(tx, group)
	if err != nil {
		return err
	}
	for p := range present {
		_, inOffice := names.InOffice(p, now)
		_, registered := names.Member(p)
		switch {
		case inOffice:
		case registered:
			a.Former = append(a.Former, p)
		default:
			a.Strangers = append(a.Strangers, p)
			if admins[p] {
				a.Admins++
			}
		}
	}
	slices.Sort(a.Strangers)
	slices.Sort(a.Former)
	return nil
}
