package disposal

import (
	"fmt"
	"slices"
	"time"

	"muniment/internal/archive"
	"muniment/internal/journal"
	"muniment/internal/ledger"
	"muniment/internal/mail"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
)

// A Doubt is a reason not to destroy today. It is a sentence for the clerk.
type Doubt string

// Error makes a doubt an error.
func (d Doubt) Error() string { return string(d) }

// maxSilence is how far the clock may be ahead of the last thing that the
// archive knows before somebody must say that it is right (REQUIREMENTS.md 3.5).
const maxSilence = 7 * 24 * time.Hour

// CheckClock compares the clock with the latest thing in the archive and
// journals a jump. It is called before anything new is written with that clock:
// when the daemon starts and every night.
func CheckClock(tx *sqlite.Tx, now time.Time) error {
	last, err := lastKnown(tx)
	if err != nil || last.IsZero() {
		return err
	}
	if !now.Before(last.Add(-time.Minute)) && now.Sub(last) <= maxSilence {
		return nil
	}
	return journal.Write(tx, journal.Entry{At: now, Who: journal.Daemon, Act: journal.ClockJumped,
		About: journal.About{"from": sqlite.FormatTime(last), "to": sqlite.FormatTime(now)}})
}

// lastKnown returns the latest time that the archive knows of.
func lastKnown(tx *sqlite.Tx) (time.Time, error) {
	entry, err := journal.Last(tx)
	if err != nil {
		return time.Time{}, err
	}
	signed, err := ledger.LastSigned(tx)
	if err != nil {
		return time.Time{}, err
	}
	if signed.After(entry) {
		return signed, nil
	}
	return entry, nil
}

// ConfirmClock records that a named person has found the clock right.
func ConfirmClock(tx *sqlite.Tx, now time.Time, who, reason string) error {
	return journal.Write(tx, journal.Entry{At: now, Who: who, Act: journal.ClockConfirmed, Reason: reason})
}

func clockInDoubt(tx *sqlite.Tx) (bool, error) {
	jumped, _, err := journal.LastOf(tx, journal.ClockJumped)
	if err != nil {
		return false, err
	}
	confirmed, _, err := journal.LastOf(tx, journal.ClockConfirmed)
	return jumped > confirmed, err
}

// Doubts returns why the list l is not destroyed today, nil if it may be. The
// holds on single records are not among the reasons: they are decided in the
// destroying statement.
func (d *Disposal) Doubts(tx *sqlite.Tx, l List) error {
	if today := retention.DateOf(d.Now()); today < l.DestroyOn {
		return Doubt(fmt.Sprintf("its day is %s", l.DestroyOn.Long()))
	}
	switch {
	case d.Policy.Approval == Standing && d.Policy.Minute != "":
	case d.Policy.Approval == Standing:
		return Doubt("the standing approval names no minute")
	case d.Policy.Approval != Each:
		return Doubt("the council has not decided how destruction is approved ([disposal] approval in the configuration)")
	case l.Approved.IsZero():
		return Doubt("nobody has approved it yet")
	}
	if err := d.noticeInDoubt(tx, l); err != nil {
		return err
	}
	if inDoubt, err := clockInDoubt(tx); err != nil {
		return err
	} else if inDoubt {
		return Doubt("the computer's clock jumped, and nobody has confirmed that it is right (muniment disposal confirm-clock)")
	}
	return d.allOnHold(tx, l)
}

func (d *Disposal) noticeInDoubt(tx *sqlite.Tx, l List) error {
	notice, err := mail.Find(tx, NoticeLetter, l.ID)
	if err != nil {
		return fmt.Errorf("notice of list %d: %w", l.ID, err)
	}
	if notice.State != mail.HandedOver {
		return Doubt("the notice has not been accepted by the council's mail server")
	}
	from := retention.DateOf(notice.FinishedAt).AddDays(d.Policy.NoticeDays)
	if retention.DateOf(d.Now()) < from {
		return Doubt(fmt.Sprintf("the notice was accepted late; %d days from it end on %s", d.Policy.NoticeDays, from.Long()))
	}
	return nil
}

// allOnHold keeps a run from beginning that would destroy nothing. One that has
// begun is finished, so that what it destroyed is certified.
func (d *Disposal) allOnHold(tx *sqlite.Tx, l List) error {
	var begun bool
	if err := tx.QueryRow("SELECT EXISTS (SELECT 1 FROM disposal_run WHERE list = ?)", l.ID).Scan(&begun); err != nil || begun {
		return err
	}
	seqs, err := Items(tx, l.ID)
	if err != nil {
		return err
	}
	if some, err := archive.Destroyable(tx, retention.DateOf(d.Now()), seqs); err != nil {
		return err
	} else if !some {
		return Doubt("everything on it is on hold")
	}
	return nil
}

// lapse closes the open lists that will never be run.
func (d *Disposal) lapse(tx *sqlite.Tx) error {
	lists, err := scanLists(tx.Query(listColumns + " WHERE closed_at IS NULL AND id NOT IN (SELECT list FROM disposal_run)"))
	if err != nil {
		return err
	}
	for _, l := range lists {
		why, err := d.lapsed(tx, l)
		if err != nil {
			return err
		}
		if why == "" {
			continue
		}
		if err := closeList(tx, d.Now(), l.ID); err != nil {
			return err
		}
		if err := journal.Write(tx, journal.Entry{At: d.Now(), Who: journal.Daemon, Act: journal.ListLapsed, Reason: why,
			About: journal.About{"list": l.ID}}); err != nil {
			return err
		}
	}
	return nil
}

// lapsed says why l will never be run; empty if it may be. What it holds still
// goes on another list, with a notice of its own.
func (d *Disposal) lapsed(tx *sqlite.Tx, l List) (why string, err error) {
	if l.Records == 0 {
		return "all on it went with the messages that it belonged to", nil
	}
	if released, err := releasedSince(tx, l.DrawnUp); err != nil {
		return "", err
	} else if released {
		return "a hold was released since it was drawn up", nil
	}
	notice, err := mail.Find(tx, NoticeLetter, l.ID)
	if err != nil {
		return "", fmt.Errorf("notice of list %d: %w", l.ID, err)
	}
	if notice.State == mail.Refused && retention.DateOf(d.Now()) >= l.DestroyOn {
		return "the mail server refused its notice", nil
	}
	return "", nil
}

// releasedSince reports whether a hold was released since then: what was on hold
// is never destroyed under a list that gave notice before (C9).
func releasedSince(tx *sqlite.Tx, then time.Time) (bool, error) {
	holds, err := archive.Holds(tx)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(holds, func(h archive.Hold) bool { return !h.Released.Before(then) }), nil
}
