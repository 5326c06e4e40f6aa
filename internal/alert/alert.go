// Package alert owns what somebody of the council is told at once: which alerts there
// are, what was told of each, by email and by the council's own alert command, and that
// it is over.
//
// It is handed what is wrong now, and compares that with what has been told, in the
// transaction in which both are written. So what is told does not depend on when
// anybody looked, nor on restarts. It knows no content, no names of people and no
// numbers, and is handed none.
//
// However often something comes and goes, few emails tell of it: that it is well again
// is told when it has been so for a while, and for longer each time that it comes back
// within a day. What happens again and again is told together, likewise.
package alert

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"muniment/internal/journal"
	"muniment/internal/mail"
	"muniment/internal/sqlite"
)

// A Condition is something that is wrong now.
type Condition struct {
	Kind  Kind
	About string // which of several, in words that may be shown; may be empty
	Since time.Time
	Cause string // sentences of the program's, for everybody; may be empty
	// Level rises where the same thing gets worse, and then it is told anew. A kind that
	// has a level of its own is above all lesser kinds of its topic.
	Level  int
	Number int // of what is wrong, where it can be counted
	// Unsure is set where it is too early to say, or cannot be known just now: an alert that
	// is open stays so, and none is raised.
	Unsure bool
}

// An Event is something that has happened.
type Event struct {
	Kind   Kind
	About  string
	At     time.Time
	Number int // of what has happened; 0 is taken for 1
}

// An Alert is what is wrong, as it was last known, or events that are being told.
type Alert struct {
	ID     int64
	Kind   Kind
	About  string
	Since  time.Time
	Cause  string
	Number int

	topic     string
	level     int
	rounds    int
	reminders int
	wellAt    time.Time
	ended     time.Time
}

const (
	// back is how soon after its end an alert that is raised again is the same one.
	back = 24 * time.Hour
	// A reminder comes a day after the last telling, and no more than that many times: from
	// then on the weekly summary tells it.
	remindAfter = 24 * time.Hour
	remindMost  = 7
)

// pauses are how long something must have been well before that is told, or nothing have
// happened before it is told at once again: by how often it came back.
var pauses = []time.Duration{10 * time.Minute, time.Hour, 6 * time.Hour, 24 * time.Hour}

func (a Alert) pause() time.Duration { return pauses[min(a.rounds, len(pauses)-1)] }

// A Desk tells what there is to tell.
type Desk struct {
	From            string
	Clerk, Sysadmin string // addresses
	Token           string // of the archive, for Message-IDs
	Commanded       bool   // there is an alert command
}

// Mail is the kind under which alerts stand in the outbox; what such an email is about is
// a telling's number.
const Mail = "alert"

// Check compares everything that is wrong now with what has been told. It reports whether
// there is something new to tell.
func (d Desk) Check(tx *sqlite.Tx, now time.Time, wrong []Condition) (news bool, err error) {
	open, err := list(tx, "ended_at IS NULL")
	if err != nil {
		return false, err
	}
	t := teller{desk: d, tx: tx, now: now}
	for _, a := range open {
		if a.Kind.Event() {
			err = t.gather(a)
		} else if i := slices.IndexFunc(wrong, a.is); i >= 0 {
			err = t.holds(a, wrong[i])
		} else {
			err = t.passes(a)
		}
		if err != nil {
			return false, err
		}
	}
	for _, c := range wrong {
		if c.Unsure || slices.ContainsFunc(open, func(a Alert) bool { return a.is(c) }) {
			continue
		}
		if err := t.raise(c); err != nil {
			return false, err
		}
	}
	return t.told, nil
}

// Raise tells at once of one thing that is wrong, whatever else is.
func (d Desk) Raise(tx *sqlite.Tx, now time.Time, c Condition) (news bool, err error) {
	t := teller{desk: d, tx: tx, now: now}
	last, err := latest(tx, c.Kind.topic(), c.About)
	if err == nil && last.ID != 0 && last.ended.IsZero() {
		err = t.holds(last, c)
	} else if err == nil {
		err = t.raise(c)
	}
	return t.told, err
}

// Passed notes that something was wrong, of which everybody was told who could be while it
// was, and is well again now.
func (d Desk) Passed(tx *sqlite.Tx, now time.Time, c Condition) error {
	last, err := latest(tx, c.Kind.topic(), c.About)
	if err != nil {
		return err
	}
	t := teller{desk: d, tx: tx, now: now}
	if last.ID == 0 || !last.ended.IsZero() {
		if last, err = t.begin(last, c); err != nil {
			return err
		}
	}
	return t.set(last.ID, "well_at = ?", sqlite.FormatTime(now))
}

// Happened tells of an event: at once, or together with others if that kind of thing has
// happened just before.
func (d Desk) Happened(tx *sqlite.Tx, now time.Time, e Event) (news bool, err error) {
	last, err := latest(tx, e.Kind.topic(), e.About)
	if err != nil {
		return false, err
	}
	t := teller{desk: d, tx: tx, now: now}
	number := max(e.Number, 1)
	if last.ID != 0 && last.ended.IsZero() {
		return false, t.set(last.ID, "number = number + ?", number)
	}
	return true, t.raise(Condition{Kind: e.Kind, About: e.About, Since: e.At, Number: number})
}

// is reports whether c is what the alert is about.
func (a Alert) is(c Condition) bool { return a.topic == c.Kind.topic() && a.About == c.About }

// level is how bad c is.
func (c Condition) level() int { return manners[c.Kind].level + c.Level }

// A teller tells within one transaction.
type teller struct {
	desk Desk
	tx   *sqlite.Tx
	now  time.Time
	told bool
}

// begin opens an alert: anew, or the last of that matter again.
func (t *teller) begin(last Alert, c Condition) (a Alert, err error) {
	a = Alert{ID: last.ID, Kind: c.Kind, About: c.About, Since: c.Since, Cause: c.Cause, Number: c.Number, topic: c.Kind.topic(), level: c.level()}
	if last.ID != 0 && !elapsed(last.ended, t.now, back) {
		a.rounds = last.rounds + 1
		err = t.set(a.ID, "ended_at = NULL, well_at = NULL, reminders = 0, rounds = ?, kind = ?, level = ?, since = ?, cause = ?, number = ?",
			a.rounds, a.Kind, a.level, sqlite.FormatTime(a.Since), a.Cause, a.Number)
		return a, err
	}
	if err := t.tx.QueryRow(`
		INSERT INTO alert (topic, about, kind, level, since, cause, number)
		VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id`,
		a.topic, a.About, a.Kind, a.level, sqlite.FormatTime(a.Since), a.Cause, a.Number).Scan(&a.ID); err != nil {
		return Alert{}, fmt.Errorf("raise alert: %w", err)
	}
	return a, nil
}

func (t *teller) raise(c Condition) error {
	last, err := latest(t.tx, c.Kind.topic(), c.About)
	if err != nil {
		return err
	}
	a, err := t.begin(last, c)
	if err != nil {
		return err
	}
	return t.raised(a)
}

// raised tells of an alert, and has it count as told whatever it was until now.
func (t *teller) raised(a Alert) error {
	if err := t.journal(journal.AlertRaised, a); err != nil {
		return err
	}
	return t.tell(a, Raised, time.Time{})
}

// holds follows an alert of which c still is so.
func (t *teller) holds(a Alert, c Condition) error {
	if !a.wellAt.IsZero() {
		if err := t.set(a.ID, "well_at = NULL"); err != nil {
			return err
		}
	}
	if c.Unsure {
		return nil
	}
	a.Number = c.Number
	if worse := c.level() > a.level; worse {
		a.Kind, a.Cause, a.level = c.Kind, c.Cause, c.level()
		if err := t.set(a.ID, "kind = ?, cause = ?, level = ?, number = ?, reminders = 0", a.Kind, a.Cause, a.level, a.Number); err != nil {
			return err
		}
		return t.raised(a)
	}
	if err := t.set(a.ID, "number = ?", a.Number); err != nil || !a.Kind.Daily() || a.reminders >= remindMost {
		return err
	}
	last, err := t.lastTold(a)
	if err != nil || !elapsed(last, t.now, remindAfter) {
		return err
	}
	if err := t.set(a.ID, "reminders = reminders + 1"); err != nil {
		return err
	}
	return t.tell(a, Reminder, time.Time{})
}

// passes follows an alert of which nothing is wrong any more, and tells so when that has
// lasted.
func (t *teller) passes(a Alert) error {
	if a.wellAt.IsZero() || a.wellAt.After(t.now) {
		return t.set(a.ID, "well_at = ?", sqlite.FormatTime(t.now))
	}
	if t.now.Sub(a.wellAt) < a.pause() {
		return nil
	}
	if err := t.set(a.ID, "ended_at = ?", sqlite.FormatTime(t.now)); err != nil {
		return err
	}
	if err := t.journal(journal.AlertEnded, a); err != nil {
		return err
	}
	return t.tell(a, Ended, a.wellAt)
}

// gather follows events of which the first was told: together those since then are, after
// a while; and if there were none, the next is told at once.
func (t *teller) gather(a Alert) error {
	last, err := t.lastTold(a)
	if err != nil || !elapsed(last, t.now, a.pause()) {
		return err
	}
	if a.Number == 0 {
		return t.set(a.ID, "ended_at = ?", sqlite.FormatTime(t.now))
	}
	if err := t.set(a.ID, "rounds = rounds + 1"); err != nil {
		return err
	}
	return t.tell(a, Further, time.Time{})
}

// tell writes a telling, and owes its email.
func (t *teller) tell(a Alert, s Sort, until time.Time) error {
	var next any
	if t.desk.Commanded {
		next = sqlite.FormatTime(t.now)
	}
	var id int64
	if err := t.tx.QueryRow(`
		INSERT INTO alert_telling (alert, sort, at, kind, since, until, cause, number, next_try)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
		a.ID, s, sqlite.FormatTime(t.now), a.Kind, sqlite.FormatTime(a.Since), timeOrNull(until), a.Cause, a.Number, next).Scan(&id); err != nil {
		return fmt.Errorf("tell of alert %d: %w", a.ID, err)
	}
	t.told = true
	if a.Kind.Event() {
		if err := t.set(a.ID, "number = 0"); err != nil {
			return err
		}
	}
	to := t.desk.to(a.Kind)
	if manners[a.Kind].unmailed && s != Ended || t.desk.From == "" || slices.Contains(to, "") { // or email is not set up yet
		return nil
	}
	_, err := mail.Queue(t.tx, t.now, mail.Item{
		Kind: Mail, About: id, MessageID: mail.MessageID(Mail, id, t.desk.Token, t.desk.From),
		From: t.desk.From, To: to, Urgent: true,
	})
	return err
}

// to returns who is told.
func (d Desk) to(k Kind) (addresses []string) {
	m := manners[k]
	if m.clerk {
		addresses = append(addresses, d.Clerk)
	}
	if m.sysadmin && (!m.clerk || d.Sysadmin != d.Clerk) {
		addresses = append(addresses, d.Sysadmin)
	}
	return addresses
}

func (t *teller) journal(act journal.Act, a Alert) error {
	return journal.Write(t.tx, journal.Entry{At: t.now, Who: journal.Daemon, Act: act,
		About: journal.About{"alert": a.ID, "kind": a.Kind}})
}

func (t *teller) set(id int64, what string, args ...any) error {
	if _, err := t.tx.Exec("UPDATE alert SET "+what+" WHERE id = ?", append(args, id)...); err != nil {
		return fmt.Errorf("alert %d: %w", id, err)
	}
	return nil
}

// lastTold returns when an alert was last told of.
func (t *teller) lastTold(a Alert) (time.Time, error) {
	var at string
	err := t.tx.QueryRow("SELECT at FROM alert_telling WHERE alert = ? ORDER BY id DESC LIMIT 1", a.ID).Scan(&at)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, nil
	} else if err != nil {
		return time.Time{}, fmt.Errorf("alert %d: %w", a.ID, err)
	}
	return sqlite.ParseTime(at)
}

// elapsed reports whether so long has passed since then. What is to come was noted while
// the clock was ahead.
func elapsed(since, now time.Time, d time.Duration) bool {
	return since.After(now) || now.Sub(since) >= d
}

// Open returns what is wrong as far as that was told, the first first; of events nothing.
// What is well again, and not told yet, is not in it.
func Open(tx *sqlite.Tx) ([]Alert, error) {
	all, err := list(tx, "ended_at IS NULL AND well_at IS NULL")
	return slices.DeleteFunc(all, func(a Alert) bool { return a.Kind.Event() }), err
}

// latest returns the last alert of a matter; none has the number 0.
func latest(tx *sqlite.Tx, topic, about string) (Alert, error) {
	all, err := list(tx, "id = (SELECT max(id) FROM alert WHERE topic = ? AND about = ?)", topic, about)
	if err != nil || len(all) == 0 {
		return Alert{}, err
	}
	return all[0], nil
}

func list(tx *sqlite.Tx, which string, args ...any) ([]Alert, error) {
	rows, err := tx.Query(`
		SELECT id, topic, about, kind, level, since, cause, number, rounds, reminders, coalesce(well_at, ''), coalesce(ended_at, '')
		FROM alert WHERE `+which+` ORDER BY id`, args...)
	if err != nil {
		return nil, fmt.Errorf("read alerts: %w", err)
	}
	defer rows.Close()
	var all []Alert
	for rows.Next() {
		var a Alert
		var since, well, ended string
		if err := rows.Scan(&a.ID, &a.topic, &a.About, &a.Kind, &a.level, &since, &a.Cause, &a.Number, &a.rounds, &a.reminders, &well, &ended); err != nil {
			return nil, fmt.Errorf("read alerts: %w", err)
		}
		if err := parse(map[*time.Time]string{&a.Since: since, &a.wellAt: well, &a.ended: ended}); err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	return all, rows.Err()
}

func parse(times map[*time.Time]string) error {
	for to, text := range times {
		var err error
		if *to, err = sqlite.ParseTime(text); err != nil {
			return fmt.Errorf("read alerts: %w", err)
		}
	}
	return nil
}

// timeOrNull is t for a column that may be null; a zero t is.
func timeOrNull(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return sqlite.FormatTime(t)
}
