package disposal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"muniment/internal/archive"
	"muniment/internal/journal"
	"muniment/internal/ledger"
	"muniment/internal/mail"
	"muniment/internal/record"
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

// CheckClock goes through the times at which anything was written since the clock
// was last confirmed or doubted, in the order of the ledger, and up to now, and
// journals every jump. It is called when the daemon starts and every night. It looks
// at each step, since whatever is written with a wrong clock makes the next one
// small.
func CheckClock(tx *sqlite.Tx, now time.Time) error {
	times, err := knownTimes(tx)
	if err != nil || len(times) == 0 {
		return err
	}
	times = append(times, now)
	for i, to := range times[1:] {
		from := times[i]
		if !to.Before(from.Add(-time.Minute)) && to.Sub(from) <= maxSilence {
			continue
		}
		if err := journal.Write(tx, journal.Entry{At: now, Who: journal.Daemon, Act: journal.ClockJumped,
			About: journal.About{"from": sqlite.FormatTime(from), "to": sqlite.FormatTime(to)}}); err != nil {
			return err
		}
	}
	return nil
}

// knownTimes returns when entries and checkpoints were written since the clock was
// last confirmed or doubted, in the order of the ledger.
func knownTimes(tx *sqlite.Tx) (times []time.Time, err error) {
	jumped, _, err := journal.LastOf(tx, journal.ClockJumped)
	if err != nil {
		return nil, err
	}
	confirmed, _, err := journal.LastOf(tx, journal.ClockConfirmed)
	if err != nil {
		return nil, err
	}
	// What was written before an entry that is destroyed was looked at when that was.
	destroyed, err := journal.LastStub(tx)
	if err != nil {
		return nil, err
	}
	entries, err := journal.Times(tx, max(jumped, confirmed, destroyed))
	if err != nil || len(entries) == 0 {
		return nil, err
	}
	signed, err := ledger.SignedSince(tx, entries[0].Leaf)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		for len(signed) > 0 && signed[0].Size <= e.Leaf { // made before this entry
			times, signed = append(times, signed[0].At), signed[1:]
		}
		times = append(times, e.At)
	}
	for _, s := range signed {
		times = append(times, s.At)
	}
	return times, nil
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
	case l.Because != "":
		return d.earlyDoubts(tx, l)
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
	if err := generalDoubt(tx); err != nil {
		return err
	}
	return d.allOnHold(tx, l)
}

// generalDoubt is a doubt about more than one list: about the clock, or about what was
// lost.
func generalDoubt(tx *sqlite.Tx) error {
	if err := restoreInDoubt(tx); err != nil {
		return err
	}
	if inDoubt, err := clockInDoubt(tx); err != nil {
		return err
	} else if inDoubt {
		return Doubt("the computer's clock jumped, and nobody has confirmed that it is right (muniment disposal confirm-clock)")
	}
	return nil
}

// restoreInDoubt returns a doubt while nobody has said that the holds of a time that was lost
// were entered again: what they are on, the archive does not know.
func restoreInDoubt(tx *sqlite.Tx) error {
	r, is, err := archive.Unconfirmed(tx)
	if err != nil || !is {
		return err
	}
	return Doubt(fmt.Sprintf("the archive was restored from a backup of %s, and nobody has confirmed that holds and requests of the time since were entered again (muniment disposal confirm-restore)",
		retention.DateOf(r.MadeAt).Long()))
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
	if some, err := d.Archive.Destroyable(tx, retention.DateOf(d.Now()), seqs); err != nil {
		return err
	} else if some {
		return nil
	}
	if entries, err := freeEntries(tx, l.ID, retention.DateOf(d.Now()), true); err != nil || len(entries) > 0 {
		return err
	}
	return Doubt("everything on it is on hold")
}

// lapse closes the open lists that will never be run, and takes off the others what was
// on hold since. Which these are is looked for beforehand, and decided again.
func (d *Disposal) lapse(ctx context.Context) error {
	var lists []List
	if err := d.DB.Read(ctx, func(tx *sqlite.Tx) error {
		open, err := scanLists(tx.Query(listColumns + " WHERE closed_at IS NULL AND run IS NULL"))
		if err != nil {
			return err
		}
		for _, l := range open {
			released, err := releasedSince(tx, l.ID)
			if err != nil {
				return err
			}
			if why, err := d.lapsed(tx, l); err != nil {
				return err
			} else if why != "" || len(released) > 0 {
				lists = append(lists, l)
			}
		}
		return nil
	}); err != nil || len(lists) == 0 {
		return err
	}
	return d.DB.Write(ctx, func(tx *sqlite.Tx) error {
		for _, l := range lists {
			if err := d.lapseIn(tx, l.ID); err != nil {
				return err
			}
		}
		return nil
	})
}

func (d *Disposal) lapseIn(tx *sqlite.Tx, list int64) error {
	l, err := OpenList(tx, list)
	if errors.Is(err, ErrNoList) || err == nil && l.Run != 0 {
		return nil
	} else if err != nil {
		return err
	}
	why, err := d.lapsed(tx, l)
	if err != nil {
		return err
	}
	if why == "" {
		if err := archive.TakeIn(tx, d.Now()); err != nil {
			return err
		}
		seqs, err := Items(tx, l.ID)
		if err != nil {
			return err
		}
		if err := d.takeOff(tx, l.ID, seqs); err != nil {
			return err
		}
		return d.takeOffEntries(tx, l.ID)
	}
	if err := closeList(tx, d.Now(), l.ID); err != nil {
		return err
	}
	return journal.Write(tx, journal.Entry{At: d.Now(), Who: journal.Daemon, Act: journal.ListLapsed, Reason: why,
		About: journal.About{"list": l.ID}})
}

// Outlook says what is to become of the open list l as things stand now, for a
// reader: it will lapse, or why it waits, or that it is to be destroyed.
func (d *Disposal) Outlook(tx *sqlite.Tx, l List) (string, error) {
	if l.Run == 0 {
		if why, err := d.lapsed(tx, l); err != nil {
			return "", err
		} else if why != "" {
			return "lapses tonight: " + why, nil
		}
	}
	err := d.Doubts(tx, l)
	doubt := Doubt("")
	switch {
	case errors.As(err, &doubt):
		return "waits: " + string(doubt), nil
	case err != nil:
		return "", err
	case l.Run != 0:
		return fmt.Sprintf("run %d has begun and is not finished", l.Run), nil
	}
	return "to be destroyed tonight, if the archive verifies", nil
}

// lapsed says why l will never be run; empty if it may be. What it holds still
// goes on another list, with a notice of its own.
func (d *Disposal) lapsed(tx *sqlite.Tx, l List) (why string, err error) {
	if l.Records == 0 && l.Entries == 0 {
		if reduced, err := wasReduced(tx, l.ID); err != nil {
			return "", err
		} else if reduced {
			return "a hold was released since it was drawn up; " + l.follows(), nil
		}
		return "all on it went with the messages that it belonged to", nil
	}
	seqs, err := Items(tx, l.ID)
	if err != nil {
		return "", err
	}
	if was, err := wasHeld(tx, l.ID, seqs); err != nil {
		return "", err
	} else if len(was) == len(seqs) && len(seqs) > 0 && l.Entries == 0 {
		return "a hold was released since it was drawn up; " + l.follows(), nil
	}
	if l.Because != "" {
		return d.proposalLapsed(tx, l, seqs)
	}
	if due, err := d.Archive.AllDue(tx, l.DestroyOn, seqs); err != nil {
		return "", err
	} else if !due {
		return "not all on it is due on its day any more: a longer period was adopted, or a message arrived late; a new list follows", nil
	}
	if due, err := entriesAllDue(tx, l); err != nil {
		return "", err
	} else if !due {
		return "not all of the access log on it is due on its day any more: a longer period was adopted; a new list follows", nil
	}
	notice, err := mail.Find(tx, NoticeLetter, l.ID)
	if err != nil {
		return "", fmt.Errorf("notice of list %d: %w", l.ID, err)
	}
	if (notice.State == mail.Refused || notice.State == mail.Expired) && retention.DateOf(d.Now()) >= l.DestroyOn {
		return "the mail server did not take its notice; a new list follows", nil
	}
	return "", nil
}

// mostUnconfirmed is how many days an early disposal waits for somebody to confirm it.
const mostUnconfirmed = 60

// proposalLapsed says why an early disposal lapses that nobody has confirmed. While it
// stands, what is on it stands on no other list: nothing may be kept by that beyond its time.
func (d *Disposal) proposalLapsed(tx *sqlite.Tx, l List, seqs []record.Seq) (why string, err error) {
	if !l.Approved.IsZero() {
		return "", nil
	}
	today := retention.DateOf(d.Now())
	if retention.DateOf(l.DrawnUp).DaysTo(today) >= mostUnconfirmed {
		return fmt.Sprintf("nobody has confirmed it in %d days; %s", mostUnconfirmed, l.follows()), nil
	}
	for _, seq := range seqs { // few
		if due, err := d.Archive.AllDue(tx, today.AddDays(d.Policy.NoticeDays), []record.Seq{seq}); err != nil {
			return "", err
		} else if due {
			return "nobody has confirmed it, and something on it is due to go in any case; for the rest, " + l.follows(), nil
		}
	}
	return "", nil
}

// follows says how what stands on a list that lapsed gets on another.
func (l List) follows() string {
	if l.Because != "" {
		return "propose it again if it is still to go"
	}
	return "a new list follows"
}

// wasHeld returns those of the given records that were on hold at some time since the
// list was drawn up, by a hold released since: what was on hold is never destroyed
// under a list that gave notice before (C9). The journal knows which came first,
// whatever the clock said at the time; of a list that it does not know the worst is
// supposed.
func wasHeld(tx *sqlite.Tx, list int64, seqs []record.Seq) (was []record.Seq, err error) {
	released, _, err := journal.LastOf(tx, journal.HoldReleased)
	if err != nil || released == 0 {
		return nil, err
	}
	holds, err := releasedSince(tx, list)
	if err != nil {
		return nil, err
	}
	for _, hold := range holds {
		by, err := archive.HeldBy(tx, hold, seqs)
		if err != nil {
			return nil, err
		}
		was = append(was, by...)
	}
	slices.Sort(was)
	return slices.Compact(was), nil
}

// releasedSince returns the holds that were released since a list was drawn up.
func releasedSince(tx *sqlite.Tx, list int64) (holds []int64, err error) {
	var drawnUp int64
	for _, act := range []journal.Act{journal.ListDrawnUp, journal.EarlyProposed} {
		if err := journal.Of(tx, act, func(e journal.Entry, _ int64) error {
			if e.About.Number("list") == list {
				drawnUp = e.ID
			}
			return nil
		}); err != nil {
			return nil, err
		}
	}
	return holds, journal.Of(tx, journal.HoldReleased, func(e journal.Entry, _ int64) error {
		if e.ID > drawnUp {
			holds = append(holds, e.About.Number("hold"))
		}
		return nil
	})
}

// takenOff returns which records were taken off a list; see takeOff.
func takenOff(tx *sqlite.Tx, list int64) (off []record.Seq, err error) {
	err = journal.Of(tx, journal.ListReduced, func(e journal.Entry, _ int64) error {
		if e.About.Number("list") != list {
			return nil
		}
		spans, _ := e.About["records"].(string)
		seqs, err := record.ParseSpans(spans)
		off = append(off, seqs...)
		return err
	})
	return off, err
}

// wasReduced reports whether anything was taken off a list; see takeOff.
func wasReduced(tx *sqlite.Tx, list int64) (was bool, err error) {
	err = journal.Of(tx, journal.ListReduced, func(e journal.Entry, _ int64) error {
		was = was || e.About.Number("list") == list
		return nil
	})
	return was, err
}

// takeOff takes off a list those of the given records that were on hold since it was drawn
// up. They go on the next, with a notice of its own.
func (d *Disposal) takeOff(tx *sqlite.Tx, list int64, seqs []record.Seq) error {
	was, err := wasHeld(tx, list, seqs)
	if err != nil || len(was) == 0 {
		return err
	}
	for _, seq := range was {
		if _, err := tx.Exec("DELETE FROM disposal_item WHERE seq = ? AND list = ?", seq, list); err != nil {
			return fmt.Errorf("take record %d off disposal list %d: %w", seq, list, err)
		}
	}
	return journal.Write(tx, journal.Entry{At: d.Now(), Who: journal.Daemon, Act: journal.ListReduced,
		Reason: "on hold since it was drawn up", About: journal.About{"list": list, "records": record.Spans(was), "count": len(was)}})
}
