package archive

import (
	"fmt"
	"slices"
	"time"

	"muniment/internal/journal"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
)

// Statement is the capture statement: what is known of how complete the record of a
// period is, as of a moment. It names nobody, and nothing that became known after that
// moment is in it.
type Statement struct {
	From, Through retention.Date // both of them in the period
	At            time.Time
	Begins        []Beginning // of each group that was asked about
	Since, Until  time.Time   // of which part of the period something was recorded; none, if Until is not after Since
	Seen          time.Time   // when the daemon was last there, if that is why Until is not later; else zero

	NotConnected Times
	NotLinked    Times
	Lost         Times         // what was recorded then was lost: the archive was restored from a backup
	Outside      Times         // the council's account was not in a group
	Lists        Times         // it was not told how who is in a group changed
	Missing      time.Duration // how long, taken together, it was not linked or outside, or what was recorded is lost

	Unread    Messages // could not be read when they arrived
	Unseen    Messages // others answer or change them
	Further   int      // how often members named more such messages, not looked into one by one, perhaps of the period
	Abandoned int      // how often messages had arrived that were not recorded
	Announced int      // how often WhatsApp announced more than it delivered
	Away      int      // days on which the daemon was not there, and of which no gap says so

	Gaps []Gap    // all of the period, in order of time; a time reaches beyond it, if it did
	Days []Intake // an account for each day that something is known of; without Started if the daemon was not there

	Supplied  int // records of the period that the council's own phone supplied
	Imported  int // those that are from a phone's export
	Destroyed int // those of any group that were destroyed at the end of their time

	FilesWanted, FilesLost int // of messages of the period; what the vault knows, whoever asks has to add

	absences []span // times without a connection, or a link
}

// Beginning is when the record of a group begins.
type Beginning struct {
	Group string    // JID
	At    time.Time // zero: it has not begun
}

// Times are times of one kind within the period.
type Times struct {
	Number   int
	Total    time.Duration // without counting any moment twice
	Longest  time.Duration // of one of them, as long as it was, within the period and without
	Open     time.Time     // since when the one lasts that is not over; zero: all are
	Supplied int           // records of them that the council's phone supplied
}

// Messages are single messages that did not come, or not in a form that could be read.
type Messages struct {
	Number   int // all of them; each ended as one of the next four, or is missing
	Came     int // later
	Phone    int // came from the council's phone
	Earlier  int // were sent before the record began
	Quoted   int // are known from quotations, and otherwise missing
	Missing  int
	Undated  int       // of the missing: when they were sent is not known, perhaps in the period
	Asking   int       // of the missing: they will be asked for again
	Asked    int       // how often that one was asked for which was asked for most
	From, To time.Time // when the first and the last of the missing was sent, as far as that is known; else when it arrived
}

// Running is how long ago the daemon may have been seen last while it runs: it notes
// that it is there every minute.
const Running = 3 * time.Minute

// StatementOn returns the statement on a period of London days, both included, and some
// groups, as of at. Seen is when the daemon was last there; the zero time if it never was.
func StatementOn(tx *sqlite.Tx, groups []string, from, through retention.Date, at, seen time.Time) (s Statement, err error) {
	s = Statement{From: from, Through: through, At: at}
	if s.start().After(at) {
		return s, nil
	}
	var first time.Time
	for _, g := range groups {
		begins, err := began(tx, g)
		if err != nil {
			return Statement{}, fmt.Errorf("capture statement: %w", err)
		}
		if begins.After(at) {
			begins = time.Time{}
		}
		s.Begins = append(s.Begins, Beginning{g, begins})
		if !begins.IsZero() && (first.IsZero() || begins.Before(first)) {
			first = begins
		}
	}
	s.extend(first, seen)
	for _, part := range []func(*sqlite.Tx, []string) error{s.readGaps, s.readDays, s.readRecords} {
		if err := part(tx, groups); err != nil {
			return Statement{}, fmt.Errorf("capture statement: %w", err)
		}
	}
	return s, nil
}

// extend finds out of which part of the period something is known: from the beginning of
// the record up to now, or to when the daemon was last there.
func (s *Statement) extend(begins, seen time.Time) {
	if begins.IsZero() {
		return
	}
	s.Since, s.Until = s.start(), s.end()
	if begins.After(s.Since) {
		s.Since = begins
	}
	if s.At.Before(s.Until) {
		s.Until = s.At
	}
	if seen.Add(Running).Before(s.Until) {
		s.Seen, s.Until = seen, seen
	}
}

func (s *Statement) start() time.Time { return s.From.Start() }
func (s *Statement) end() time.Time   { return s.Through.AddDays(1).Start() }

// began returns when the record of a group begins: with the first that was received of it,
// be it only the list of who is in it, which is asked for as soon as there is a connection.
// If anything has been destroyed that may have been before that, it begins with the link.
func began(tx *sqlite.Tx, group string) (time.Time, error) {
	var text string
	if err := tx.QueryRow(`SELECT coalesce((SELECT sent FROM record WHERE group_jid = ? AND import = 0 AND supplied = 0
		ORDER BY sent, seq LIMIT 1), '')`, group).Scan(&text); err != nil {
		return time.Time{}, err
	}
	first, err := sqlite.ParseTime(text)
	if err != nil {
		return time.Time{}, err
	}
	var linked time.Time
	if err := journal.Of(tx, journal.Linked, func(e journal.Entry, _ int64) error {
		if linked.IsZero() {
			linked = e.At
		}
		return nil
	}); err != nil || linked.IsZero() {
		return first, err
	}
	before := retention.Date("9999-12-31")
	if !first.IsZero() {
		before = retention.DateOf(first)
	}
	var older bool
	if err := tx.QueryRow("SELECT EXISTS (SELECT 1 FROM stub WHERE sent_on >= ? AND sent_on < ?)",
		retention.DateOf(linked), before).Scan(&older); err != nil {
		return time.Time{}, err
	}
	if older || !first.IsZero() && first.Before(linked) {
		return linked, nil
	}
	return first, nil
}

// readGaps reads the gaps of the period, and sums them up.
func (s *Statement) readGaps(tx *sqlite.Tx, groups []string) error {
	all, err := Gaps(tx)
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(g Gap) bool { return g.Group != "" && !slices.Contains(groups, g.Group) })
	for i, g := range all {
		if g.Closed.After(s.At) {
			all[i].Closed, all[i].Ending = time.Time{}, ""
		}
	}
	naming, err := s.naming(tx, all)
	if err != nil {
		return err
	}
	if err := s.readQuoted(tx, all); err != nil {
		return err
	}
	times := make(map[GapKind][]Gap)
	for _, g := range slices.Backward(Distinct(all, s.At)) { // the oldest first
		from, to := g.Extent(s.At, naming[g.NamedBy])
		if !from.Before(s.end()) || to.Before(s.start()) {
			continue
		}
		s.Gaps = append(s.Gaps, g)
		switch g.Kind {
		case NotDecrypted:
			s.Unread.add(g, to)
		case NotReceived:
			if s.Further += g.Further; g.Further == 0 {
				s.Unseen.add(g, to)
			}
		case Abandoned:
			s.Abandoned++
		case NotDelivered:
			s.Announced++
		default:
			times[g.Kind] = append(times[g.Kind], g)
		}
	}
	s.NotConnected, s.NotLinked = s.sum(times[NotConnected]), s.sum(times[NotLinked])
	s.Outside, s.Lists = s.sum(times[NotInGroup]), s.sum(times[ListBroken])
	s.Lost = s.sum(times[LostWithMachine])
	s.Missing = s.sum(slices.Concat(times[NotLinked], times[NotInGroup], times[LostWithMachine])).Total
	s.absences = s.spans(slices.Concat(times[NotConnected], times[NotLinked], times[LostWithMachine]))
	return nil
}

// Distinct returns the gaps of up to that moment without those times without a connection
// that went over into one without a link: what WhatsApp had kept meanwhile went with the
// link, and the gap of that begins as early.
func Distinct(gaps []Gap, at time.Time) []Gap {
	gaps = slices.DeleteFunc(slices.Clone(gaps), func(g Gap) bool { return g.Opened.After(at) })
	return slices.DeleteFunc(slices.Clone(gaps), func(g Gap) bool {
		_, to := g.Extent(at, time.Time{})
		return g.Kind == NotConnected && slices.ContainsFunc(gaps, func(l Gap) bool {
			_, until := l.Extent(at, time.Time{})
			return l.Kind == NotLinked && !l.Opened.After(g.Opened) && !until.Before(to)
		})
	})
}

// naming returns when the records were sent that show of messages that these exist.
func (s *Statement) naming(tx *sqlite.Tx, gaps []Gap) (map[record.Seq]time.Time, error) {
	var seqs []record.Seq
	for _, g := range gaps {
		if g.Kind == NotReceived && g.Sent.IsZero() && g.NamedBy != 0 {
			seqs = append(seqs, g.NamedBy)
		}
	}
	records, err := Some(tx, seqs)
	sent := make(map[record.Seq]time.Time, len(records))
	for _, r := range records {
		sent[r.Seq] = r.Sent
	}
	return sent, err
}

// readQuoted finds of messages that are known from a quotation in which record that is;
// and which of them came later all the same.
func (s *Statement) readQuoted(tx *sqlite.Tx, gaps []Gap) error {
	for i, g := range gaps {
		if g.Ending != Quoted {
			continue
		}
		var here bool
		if err := tx.QueryRow(`SELECT
			EXISTS (SELECT 1 FROM record r WHERE r.origin = gap.origin AND r.captured <= ?2),
			coalesce((SELECT min(q.record) FROM quotation q WHERE q.origin = gap.origin AND q.salt IS NOT NULL AND q.text <> ''), 0)
			FROM gap WHERE id = ?1`, g.ID, sqlite.FormatTime(s.At)).Scan(&here, &gaps[i].QuotedIn); err != nil {
			return err
		}
		if here {
			gaps[i].Ending, gaps[i].QuotedIn = "", 0
		}
	}
	return nil
}

// Extent returns from when to when that lasts, or may have been, which g is about. Of a
// message that others name, it is perhaps known only that it was sent before that; named
// is when. What arrived and was not recorded was found within a day.
func (g Gap) Extent(at, named time.Time) (from, to time.Time) {
	switch {
	case g.Kind == Abandoned:
		return g.Opened.AddDate(0, 0, -1), g.Opened
	case g.Kind == NotDelivered:
		return g.Opened, g.Opened
	case !g.Sent.IsZero():
		return g.Sent, g.Sent
	case g.Kind == NotDecrypted:
		return g.Opened, g.Opened
	case g.Kind == NotReceived:
		if named.IsZero() || named.After(g.Opened) {
			named = g.Opened
		}
		if g.missing() || g.Ending == Quoted {
			return time.Time{}, named
		}
		return named, named
	case g.Closed.IsZero():
		return g.Opened, at
	}
	return g.Opened, g.Closed
}

// Covers reports whether a message that was sent at that time, by the clock of whoever had
// it, may be missing because of g. When a message was sent that others name is not known.
func (g Gap) Covers(sent time.Time) bool {
	const wrong = 2 * time.Minute
	switch {
	case g.Kind == ListBroken, g.Kind == NotDelivered, g.Kind == NotReceived && g.Sent.IsZero():
		return false
	case g.Kind == NotDecrypted, g.Kind == NotReceived:
		at, _ := g.Extent(g.Opened, time.Time{})
		return sent.Sub(at).Abs() < wrong
	case g.Kind == Abandoned:
		from, to := g.Extent(g.Opened, time.Time{})
		return !sent.Before(from.Add(-wrong)) && sent.Before(to.Add(wrong))
	}
	return !sent.Before(g.Opened.Truncate(time.Minute)) && (g.Closed.IsZero() || sent.Before(g.Closed))
}

// missing reports whether g is about a message that is not here in any form.
func (g Gap) missing() bool { return g.Closed.IsZero() }

func (m *Messages) add(g Gap, sent time.Time) {
	m.Number++
	switch {
	case g.missing():
		m.Missing++
		m.Asked = max(m.Asked, g.Asked)
		if g.Asking {
			m.Asking++
		}
		if g.Sent.IsZero() && g.Kind == NotReceived {
			m.Undated++
			return
		}
		if m.From.IsZero() || sent.Before(m.From) {
			m.From = sent
		}
		if sent.After(m.To) {
			m.To = sent
		}
	case g.Ending == Earlier:
		m.Earlier++
	case g.Ending == Quoted:
		m.Quoted++
	case g.Ending == FromPhone:
		m.Phone++
		m.Came++
	default:
		m.Came++
	}
}

// A span is a time without a pause.
type span struct{ from, to time.Time }

// spans returns the times of gaps, in order. One that begins as another ends goes on with
// another cause.
func (s *Statement) spans(gaps []Gap) (all []span) {
	gaps = slices.SortedStableFunc(slices.Values(gaps), func(a, b Gap) int { return a.Opened.Compare(b.Opened) })
	for _, g := range gaps {
		from, to := g.Extent(s.At, time.Time{})
		if last := len(all) - 1; last >= 0 && !from.After(all[last].to) {
			if to.After(all[last].to) {
				all[last].to = to
			}
			continue
		}
		all = append(all, span{from, to})
	}
	return all
}

// sum adds up times, as far as they are within the period.
func (s *Statement) sum(gaps []Gap) (t Times) {
	for _, g := range gaps {
		t.Supplied += g.Supplied
		if g.Closed.IsZero() && (t.Open.IsZero() || g.Opened.Before(t.Open)) {
			t.Open = g.Opened
		}
	}
	for _, p := range s.spans(gaps) {
		t.Number++
		t.Longest = max(t.Longest, p.to.Sub(p.from))
		if p.from.Before(s.start()) {
			p.from = s.start()
		}
		if p.to.After(s.end()) {
			p.to = s.end()
		}
		t.Total += max(0, p.to.Sub(p.from))
	}
	return t
}

// readDays reads the accounts of the days of which something is known.
func (s *Statement) readDays(tx *sqlite.Tx, _ []string) error {
	if !s.Until.After(s.Since) {
		return nil
	}
	all, err := Intakes(tx)
	if err != nil {
		return err
	}
	days := make(map[retention.Date]*Intake)
	for d, last := retention.DateOf(s.Since), retention.DateOf(s.Until.Add(-time.Millisecond)); d <= last; d = d.AddDays(1) {
		s.Days = append(s.Days, Intake{Day: d})
	}
	for i := range s.Days {
		days[s.Days[i].Day] = &s.Days[i]
	}
	for _, i := range all {
		if i.Started.After(s.At) {
			continue
		}
		if d, known := days[i.Day]; known {
			d.add(i)
		}
		// An account of an older version is of a whole run.
		for day := i.Day.AddDays(1); day <= retention.DateOf(i.Seen); day = day.AddDays(1) {
			if d, known := days[day]; known && d.Started.IsZero() {
				d.Started, d.Seen = day.Start(), i.Seen
			}
		}
	}
	for _, d := range s.Days {
		if d.Started.IsZero() && d.Day != retention.DateOf(s.Until) && !s.absent(d.Day) { // at Until it was there
			s.Away++
		}
	}
	return nil
}

// absent reports whether it is known that all of a day, as far as the statement is about
// it, was without a connection.
func (s *Statement) absent(day retention.Date) bool {
	from, to := day.Start(), day.AddDays(1).Start()
	if from.Before(s.Since) {
		from = s.Since
	}
	if to.After(s.Until) {
		to = s.Until
	}
	return slices.ContainsFunc(s.absences, func(p span) bool { return !p.from.After(from) && !p.to.Before(to) })
}

// Sum returns the account of all these days together.
func Sum(days []Intake) (all Intake) {
	for _, d := range days {
		all.add(d)
	}
	return all
}

// add adds the account of another run, or of another day, to i.
func (i *Intake) add(d Intake) {
	if !d.Started.IsZero() && (i.Started.IsZero() || d.Started.Before(i.Started)) {
		i.Started = d.Started
	}
	if d.Seen.After(i.Seen) {
		i.Seen = d.Seen
	}
	i.Received, i.Captured, i.Duplicate = i.Received+d.Received, i.Captured+d.Captured, i.Duplicate+d.Duplicate
	i.OutOfScope, i.Failed = i.OutOfScope+d.OutOfScope, i.Failed+d.Failed
}

// readRecords counts the records that came otherwise than by being delivered, and those
// that are not there any more.
func (s *Statement) readRecords(tx *sqlite.Tx, groups []string) error {
	for _, g := range groups {
		var supplied, imported int
		if err := tx.QueryRow(`SELECT coalesce(sum(supplied), 0), coalesce(sum(import <> 0), 0) FROM record
			WHERE group_jid = ? AND sent >= ? AND sent < ? AND captured <= ?`,
			g, sqlite.FormatTime(s.start()), sqlite.FormatTime(s.end()), sqlite.FormatTime(s.At)).Scan(&supplied, &imported); err != nil {
			return err
		}
		s.Supplied, s.Imported = s.Supplied+supplied, s.Imported+imported
	}
	return tx.QueryRow("SELECT count(*) FROM stub WHERE sent_on BETWEEN ? AND ? AND destroyed_on <= ?",
		s.From, s.Through, retention.DateOf(s.At)).Scan(&s.Destroyed)
}
