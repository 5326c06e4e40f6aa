package disposal

import (
	"errors"
	"fmt"
	"time"

	"muniment/internal/mail"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
)

// ReminderLetter is the kind under which a reminder stands in the outbox that a list waits
// for approval; it is about the reminder's number.
const ReminderLetter = "disposal reminder"

// chairAfter is after how many days without approval the chair is told, too (REQUIREMENTS.md
// 3.4): to keep what should be destroyed is a failure as well.
const chairAfter = 60

// A Reminder is what is said of a list that nobody has approved.
type Reminder struct {
	Notice
	Waits   int  // days, since the notice was accepted
	Overdue int  // days, since it should have been destroyed; 0: its day has not come
	ToChair bool // the chair is told, too
	NoChair bool // and would be, had he an address of the council's own on the register
}

// remind owes a reminder of every list that has waited another week for approval. Weeks
// that were missed are caught up by one.
func (d *Disposal) remind(tx *sqlite.Tx) error {
	if d.Policy.Approval != Each {
		return nil
	}
	lists, err := scanLists(tx.Query(listColumns + " WHERE closed_at IS NULL AND run IS NULL AND approved_at IS NULL AND because = '' ORDER BY id"))
	if err != nil {
		return err
	}
	for _, l := range lists {
		since, err := noticed(tx, l)
		if err != nil {
			return err
		}
		days := since.days(d.Now())
		if days < 7 {
			continue
		}
		if err := d.remindOf(tx, l, days); err != nil {
			return fmt.Errorf("reminder of list %d: %w", l.ID, err)
		}
	}
	return nil
}

func (d *Disposal) remindOf(tx *sqlite.Tx, l List, days int) error {
	var told int
	if err := tx.QueryRow("SELECT coalesce(max(week), 0) FROM disposal_reminder WHERE list = ?", l.ID).Scan(&told); err != nil || days/7 <= told {
		return err
	}
	to := []string{d.Policy.To}
	if days >= chairAfter && d.Chair != nil {
		chair, err := d.Chair(tx)
		if err != nil {
			return err
		}
		if chair != "" {
			to = append(to, chair)
		}
	}
	var id int64
	if err := tx.QueryRow("INSERT INTO disposal_reminder (list, week, to_chair) VALUES (?, ?, ?) RETURNING id", l.ID, days/7, len(to) > 1).Scan(&id); err != nil {
		return err
	}
	return d.queue(tx, ReminderLetter, id, to...)
}

// day is when a notice was accepted; none: it was not.
type day retention.Date

func noticed(tx *sqlite.Tx, l List) (day, error) {
	notice, err := mail.Find(tx, NoticeLetter, l.ID)
	if errors.Is(err, mail.ErrNotQueued) || err == nil && notice.State != mail.HandedOver {
		return "", nil
	}
	return day(retention.DateOf(notice.FinishedAt)), err
}

// days returns how many days ago that was; 0 if it was not.
func (d day) days(now time.Time) int {
	if d == "" {
		return 0
	}
	return retention.Date(d).DaysTo(retention.DateOf(now))
}

// Reminder returns what is to be said; [ErrNoList] if the list waits no more.
func (d *Disposal) Reminder(tx *sqlite.Tx, id int64) (r Reminder, err error) {
	var list int64
	if err := tx.QueryRow("SELECT list, to_chair FROM disposal_reminder WHERE id = ?", id).Scan(&list, &r.ToChair); err != nil {
		return r, fmt.Errorf("reminder %d: %w", id, err)
	}
	if r.Notice, err = d.Notice(tx, list); err != nil {
		return r, err
	}
	if !r.List.Approved.IsZero() {
		return r, closedList{list, retention.DateOf(r.List.Approved)}
	}
	since, err := noticed(tx, r.List)
	if err != nil {
		return r, err
	}
	r.Waits = since.days(d.Now())
	r.Overdue = max(0, r.List.DestroyOn.DaysTo(retention.DateOf(d.Now())))
	r.NoChair = r.Waits >= chairAfter && !r.ToChair
	return r, nil
}
