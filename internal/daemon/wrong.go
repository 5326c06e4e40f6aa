package daemon

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"muniment/internal/alert"
	"muniment/internal/archive"
	"muniment/internal/config"
	"muniment/internal/forward"
	"muniment/internal/journal"
	"muniment/internal/mail"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
	"muniment/internal/vault"
	"muniment/internal/whatsapp"
)

const (
	// outageLasts is how long a connection may be interrupted before somebody is told: most
	// are over before anybody could do anything.
	outageLasts = 15 * time.Minute
	// settlesIn is how long after its start the daemon does not say yet that emails cannot be
	// sent: that they could not be before may be why it was started anew.
	settlesIn = 5 * time.Minute
	mailStuck = time.Hour
	// comesYet is how long a message that could not be read may be missing before somebody is
	// told: most are sent again within seconds.
	comesYet = time.Hour
)

// wrong returns all that is wrong now, as the archive says. A demonstration steps its clock,
// so that nothing is said there of what has lasted for how long.
func (d *Daemon) wrong(tx *sqlite.Tx, gaps []archive.Gap) (all []alert.Condition, err error) {
	parts := []func(*sqlite.Tx) ([]alert.Condition, error){
		func(tx *sqlite.Tx) ([]alert.Condition, error) { return d.groupsWrong(tx, gaps) },
		verifyWrong,
	}
	if !d.o.Demonstration {
		parts = append(parts,
			func(tx *sqlite.Tx) ([]alert.Condition, error) { return d.linkWrong(gaps), nil },
			func(tx *sqlite.Tx) ([]alert.Condition, error) { return d.phoneWrong(tx, gaps) },
			d.diskWrong, d.mailWrong, chairWrong, d.backupWrong, restoreWrong,
			func(*sqlite.Tx) ([]alert.Condition, error) { return d.expiryWrong(), nil })
	}
	for _, part := range parts {
		found, err := part(tx)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// openGap returns the gap of a kind that is open, of a group or of all.
func openGap(gaps []archive.Gap, kind archive.GapKind, group string) (archive.Gap, bool) {
	i := slices.IndexFunc(gaps, func(g archive.Gap) bool { return g.Kind == kind && g.Group == group && g.Closed.IsZero() })
	if i < 0 {
		return archive.Gap{}, false
	}
	return gaps[i], true
}

// linkWrong says why nothing is received, if nothing is. gaps are all, the latest first.
func (d *Daemon) linkWrong(gaps []archive.Gap) []alert.Condition {
	if g, is := openGap(gaps, archive.NotLinked, ""); is {
		return []alert.Condition{{Kind: alert.LinkLost, Since: g.Opened, Cause: g.Cause}}
	}
	g, is := openGap(gaps, archive.NotConnected, "")
	if !is {
		return nil
	}
	c := alert.Condition{Since: g.Opened, Cause: g.Cause}
	for _, before := range gaps { // each cause is a gap of its own
		if before.Kind == archive.NotConnected && before.Closed.Equal(c.Since) {
			c.Since = before.Opened
		}
	}
	switch whatsapp.SortOf(g.Cause) {
	case whatsapp.Banned:
		c.Kind = alert.Banned
	case whatsapp.Replaced:
		c.Kind = alert.Replaced
	case whatsapp.Outdated:
		c.Kind = alert.Outdated
	case whatsapp.Refuses:
		c.Kind = alert.Refused
	default:
		c.Kind = alert.NotConnected
		c.Unsure = d.now().Sub(later(c.Since, d.startedAt)) < outageLasts
	}
	return []alert.Condition{c}
}

// phoneWrong tells that the council's phone is not in use. While the link is lost nobody
// can know.
func (d *Daemon) phoneWrong(tx *sqlite.Tx, gaps []archive.Gap) ([]alert.Condition, error) {
	if _, lost := openGap(gaps, archive.NotLinked, ""); lost {
		return []alert.Condition{{Kind: alert.PhoneUnseen, Unsure: true}}, nil
	}
	since, days, err := archive.PhoneMissedFor(tx)
	if err != nil || days == 0 {
		return nil, err
	}
	return []alert.Condition{{Kind: alert.PhoneUnseen, Since: since, Level: days, Number: days}}, nil
}

func (d *Daemon) groupsWrong(tx *sqlite.Tx, gaps []archive.Gap) (all []alert.Condition, err error) {
	for _, g := range d.o.Config.Groups {
		if out, is := openGap(gaps, archive.NotInGroup, g.JID); is {
			all = append(all, alert.Condition{Kind: alert.Outside, About: g.Name, Since: out.Opened})
		}
		timer, err := timerWrong(tx, g)
		if err != nil {
			return nil, err
		}
		all = append(all, timer...)
	}
	return all, nil
}

// timerWrong tells that messages disappear from the phones of a group.
func timerWrong(tx *sqlite.Tx, g config.Group) ([]alert.Condition, error) {
	settings, err := archive.Settings(tx, g.JID, 0)
	if err != nil || !settings[record.Timer].On() {
		return nil, err
	}
	return []alert.Condition{{Kind: alert.TimerOn, About: g.Name, Since: settings[record.Timer].Since}}, nil
}

func verifyWrong(tx *sqlite.Tx) ([]alert.Condition, error) {
	failed, since, err := journal.LastOf(tx, journal.VerifyFailed)
	if err != nil || failed == 0 {
		return nil, err
	}
	if passed, _, err := journal.LastOf(tx, journal.VerifyPassed); err != nil || passed > failed {
		return nil, err
	}
	return []alert.Condition{{Kind: alert.VerifyFailed, Since: since}}, nil
}

// diskWrong tells that files wait for room on the disk, or would.
func (d *Daemon) diskWrong(tx *sqlite.Tx) ([]alert.Condition, error) {
	since, err := vault.WaitingSince(tx)
	if err != nil {
		return nil, err
	}
	full, err := d.vault.Full()
	if err != nil || since.IsZero() && !full {
		return nil, err
	}
	if since.IsZero() {
		since = d.now()
	}
	return []alert.Condition{{Kind: alert.DiskLow, Since: since}}, nil
}

// mailWrong tells that no email at all can be handed over, or that some wait for long.
func (d *Daemon) mailWrong(tx *sqlite.Tx) (all []alert.Condition, err error) {
	open, err := mail.List(tx, mail.Queued, mail.Sending, mail.Unknown)
	if err != nil || len(open) == 0 {
		return nil, err
	}
	_, handedOver, err := journal.LastOf(tx, journal.MailHandedOver)
	if err != nil {
		return nil, err
	}
	if handedOver.After(d.now()) { // the clock was ahead
		handedOver = time.Time{}
	}
	var tried, oldest time.Time // since when the first waits that was tried in vain, and the first of all
	late, putOff := 0, false
	for _, it := range open {
		since := later(it.QueuedAt, it.NotBefore)
		if from := later(since, handedOver); slices.ContainsFunc(it.Recipients, func(r mail.Recipient) bool {
			// And not only before the machine slept, or the clock was set.
			return r.State.Open() && r.LastAttempt.Sub(from) >= mailStuck/2
		}) {
			tried = earlier(tried, since)
		}
		putOff = putOff || slices.ContainsFunc(it.Recipients, mail.Recipient.Stuck)
		oldest = earlier(oldest, since)
		if d.now().Sub(since) >= mail.Patience {
			late++
		}
	}
	stuck := !tried.IsZero() && d.now().Sub(later(tried, handedOver)) >= mailStuck
	if stuck {
		all = append(all, alert.Condition{Kind: alert.MailStuck, Since: later(tried, handedOver), Unsure: d.now().Sub(d.startedAt) < settlesIn})
	}
	if late > 0 { // that it has waited is told when it can be: where one is put off by itself, others may go
		all = append(all, alert.Condition{Kind: alert.MailLate, Since: oldest, Number: late, Unsure: stuck && !putOff || d.now().Sub(d.startedAt) < settlesIn})
	}
	return all, nil
}

// chairWrong tells that the register has no address of the chair, and an email waits for
// it.
func chairWrong(tx *sqlite.Tx) ([]alert.Condition, error) {
	n, since, err := forward.Waiting(tx, forward.ForAnAddress)
	if err != nil || n == 0 {
		return nil, err
	}
	return []alert.Condition{{Kind: alert.NoChair, Since: since, Number: n}}, nil
}

// restoreWrong tells that the archive was restored, and nobody has said yet that what was
// decided in the lost time was entered again.
func restoreWrong(tx *sqlite.Tx) ([]alert.Condition, error) {
	r, is, err := archive.Unconfirmed(tx)
	if err != nil || !is {
		return nil, err
	}
	return []alert.Condition{{Kind: alert.Restored, Since: r.At, Cause: fmt.Sprintf("The backup was made on %s, and the archive restored from it on %s. Lost are the journal’s entries from number %d on, as they were then.",
		retention.DateOf(r.MadeAt).Long(), retention.DateOf(r.At).Long(), r.Journal+1)}}, nil
}

// An Expiry is when something expires without which no email can be sent. Its name begins
// a sentence. Notice is how long before somebody is told.
type Expiry struct {
	What   string
	At     time.Time // zero: it is not known just now
	Notice time.Duration
}

// expiryWrong tells of what expires: when its notice begins, when half of that is left, three
// days before, one, and when it has. What is not known just now is as it was.
func (d *Daemon) expiryWrong() (all []alert.Condition) {
	for _, e := range d.expiries() {
		if e.At.IsZero() {
			all = append(all, alert.Condition{Kind: alert.Expiring, About: e.What, Unsure: true})
			continue
		}
		left := e.At.Sub(d.now())
		if left > e.Notice {
			continue
		}
		c := alert.Condition{Kind: alert.Expiring, About: e.What, Since: d.now(), Cause: fmt.Sprintf("It expires on %s.", longDate(e.At.In(retention.London)))}
		for _, step := range []time.Duration{e.Notice / 2, 3 * 24 * time.Hour, 24 * time.Hour} {
			if left <= step {
				c.Level++
			}
		}
		if left <= 0 {
			c.Kind, c.Cause, c.Level = alert.Expired, fmt.Sprintf("It expired on %s.", longDate(e.At.In(retention.London))), 0
		}
		all = append(all, c)
	}
	return all
}

// news tells of what has happened since it last looked: as the journal says, as gaps say
// of which something stays missing, and as the accounts say.
func (d *Daemon) news(tx *sqlite.Tx, gaps []archive.Gap) (told bool, err error) {
	var events []alert.Event
	if err := alert.News(tx, "gap", func(seen int64) (int64, error) {
		var found []alert.Event
		found, seen = d.missed(gaps, seen)
		events = append(events, found...)
		return seen, nil
	}); err != nil {
		return false, err
	}
	if err := alert.News(tx, "intake", func(seen int64) (int64, error) {
		found, seen, err := d.unaccounted(tx, seen)
		events = append(events, found...)
		return seen, err
	}); err != nil {
		return false, err
	}
	for _, e := range events {
		news, err := d.desk.Happened(tx, d.now(), e)
		if err != nil {
			return false, err
		}
		told = told || news
	}
	news, err := d.journalNews(tx)
	return told || news, err
}

// journalNews tells of what has happened as the journal says.
func (d *Daemon) journalNews(tx *sqlite.Tx) (told bool, err error) {
	return told, alert.News(tx, "journal", func(seen int64) (int64, error) {
		entries, err := journal.After(tx, seen)
		if err != nil {
			return seen, err
		}
		for _, entry := range entries {
			seen = entry.ID
			e, is, err := eventOf(tx, entry)
			if err != nil {
				return seen, err
			} else if !is {
				continue
			}
			news, err := d.desk.Happened(tx, d.now(), e)
			if err != nil {
				return seen, err
			}
			told = told || news
		}
		return seen, nil
	})
}

// eventOf returns what of an entry of the journal is to be told, if anything is.
func eventOf(tx *sqlite.Tx, entry journal.Entry) (e alert.Event, is bool, err error) {
	group, _ := entry.About["group"].(string)
	e = alert.Event{About: group, At: entry.At}
	switch entry.Act {
	case journal.StrangerPresent, journal.StrangerAdmin:
		who, _ := entry.About["people"].([]any)
		e.Kind, e.Number = alert.Stranger, len(who)
		if entry.Act == journal.StrangerAdmin {
			e.Kind = alert.NewAdmin
		}
	case journal.GroupRenamed:
		e.Kind = alert.Renamed
	case journal.ClockJumped:
		e.Kind = alert.ClockJumped
	case journal.ResidueFound:
		e.Kind = alert.Residue
	case journal.MailRefused, journal.MailExpired:
		e.Kind = alert.MailRefused
		if entry.About["kind"] == alert.Mail {
			e.Kind = alert.AlertLost
			// That nobody was told of it helps nobody.
			lost, err := alert.Load(tx, entry.About.Number("about"))
			return e, err == nil && lost.Kind != alert.AlertLost, err
		}
	default:
		return e, false, nil
	}
	return e, true, nil
}

// missed returns of which gaps after one something stays missing, and up to which it has
// looked: those that may be closed yet it leaves for later, with all after them.
func (d *Daemon) missed(gaps []archive.Gap, seen int64) (events []alert.Event, upto int64) {
	for _, g := range slices.Backward(gaps) {
		if g.ID <= seen {
			continue
		}
		switch g.Kind {
		case archive.NotDecrypted, archive.NotReceived:
			if !g.Closed.IsZero() {
				break
			}
			if young := d.now().Sub(g.Opened); 0 <= young && young < comesYet {
				return events, seen
			}
			events = append(events, alert.Event{Kind: alert.Missing, About: d.called(g.Group), At: g.Opened, Number: max(g.Further, 1)})
		case archive.NotDelivered, archive.Abandoned:
			events = append(events, alert.Event{Kind: alert.Missing, At: g.Opened})
		}
		seen = g.ID
	}
	return together(events), seen
}

// together adds up events of one kind and group.
func together(events []alert.Event) (all []alert.Event) {
	for _, e := range events {
		e.Number = max(e.Number, 1)
		if i := slices.IndexFunc(all, func(a alert.Event) bool { return a.Kind == e.Kind && a.About == e.About }); i >= 0 {
			all[i].Number += e.Number
		} else {
			all = append(all, e)
		}
	}
	return all
}

// unaccounted returns of which days since one it is not known what became of what was
// received, and up to which it has looked. A day is judged when it is over.
func (d *Daemon) unaccounted(tx *sqlite.Tx, seen int64) (events []alert.Event, upto int64, err error) {
	today, err := number(retention.DateOf(d.now()))
	if err != nil {
		return nil, seen, err
	}
	intakes, err := archive.Intakes(tx)
	if err != nil {
		return nil, seen, err
	}
	upto = seen
	for _, i := range intakes {
		day, err := number(i.Day)
		if err != nil {
			return nil, seen, err
		}
		if day <= seen || day >= today {
			continue
		}
		upto = max(upto, day)
		if n := i.Unaccounted(); n != 0 {
			events = append(events, alert.Event{Kind: alert.Unaccounted, At: i.Seen, Number: int(max(n, -n))})
		}
	}
	return together(events), upto, nil
}

// number writes a date as a number that rises from day to day.
func number(day retention.Date) (int64, error) {
	return strconv.ParseInt(strings.ReplaceAll(string(day), "-", ""), 10, 64)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// earlier returns the earlier of two times; a zero a is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}
