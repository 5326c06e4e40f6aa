package saying

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"muniment/internal/archive"
	"muniment/internal/retention"
)

// Verdict says in a sentence or a few what a statement comes to. It never says that
// nothing is missing where that is not known.
func (t Teller) Verdict(s archive.Statement) string {
	_, known, begun := t.beginnings(s)
	switch {
	case s.From.Start().After(s.At):
		return "This period is still to come."
	case begun == 0:
		return unknown + ": the record has not begun."
	case s.Since.Before(s.Until):
	case !s.Seen.IsZero():
		return fmt.Sprintf("%s: muniment was last running on %s.", unknown, Moment(s.Seen))
	case s.Until.IsZero():
		return unknown + ": muniment has never been running."
	case len(known) == 0: // it begins this very moment
		return unknown + " yet."
	default:
		return unknown + ": " + Lower(known[0])
	}
	var all []string
	if missing := lost(s); len(missing) > 0 {
		all = append(all, Capital(And(missing))+" "+isOrAre(missing)+" known to be missing.")
	}
	doubts := t.doubts(s)
	if len(all)+len(doubts) == 0 {
		lead, since := "As far as is known", ""
		if s.At.Before(s.Through.AddDays(1).Start()) {
			lead = "So far, as far as is known"
		}
		if s.Since.After(s.From.Start()) {
			since = " since the record began"
		}
		all = append(all, fmt.Sprintf("%s, nothing that was sent in this period%s is missing.", lead, since))
	}
	return strings.Join(slices.Concat(all, doubts, known), " ")
}

const unknown = "It is not known how complete the record of this period is"

// NothingMissing reports whether the verdict is that nothing is missing of what was sent
// since the record began.
func (t Teller) NothingMissing(s archive.Statement) bool {
	return s.Since.Before(s.Until) && len(lost(s)) == 0 && len(t.doubts(s)) == 0
}

// lost names what is known to be missing, in words that go on in a sentence.
func lost(s archive.Statement) (all []string) {
	if n := s.Unread.Missing + s.Unseen.Missing - s.Unseen.Undated; n > 0 {
		all = append(all, Count(n, "message"))
	}
	switch {
	case s.Abandoned > 0 && len(all) > 0:
		all = append(all, "others of unknown number")
	case s.Abandoned > 0:
		all = append(all, "messages of unknown number")
	}
	if s.Missing > 0 {
		all = append(all, roughly(s.Missing))
	}
	return all
}

// isOrAre is the verb of what lost has named.
func isOrAre(all []string) string {
	if len(all) == 1 && (strings.HasPrefix(all[0], "1 ") && strings.Count(all[0], " ") == 1 || all[0] == "a second") {
		return "is"
	}
	return "are"
}

// doubts are why it cannot be said that nothing is missing, besides what is known to be.
func (t Teller) doubts(s archive.Statement) (all []string) {
	if n := s.Unseen.Undated; n > 0 {
		all = append(all, fmt.Sprintf("%s missing of which it is not known when %s sent, perhaps in this period.", are(n, "message"), itWas(n)))
	}
	if n := s.Further; n > 0 {
		all = append(all, fmt.Sprintf("Further messages that members named %s may be missing.", times(n)))
	}
	if n := s.Unread.Quoted + s.Unseen.Quoted; n > 0 {
		all = append(all, fmt.Sprintf("%s known only from a quotation.", are(n, "message")))
	}
	if s.Announced > 0 {
		all = append(all, fmt.Sprintf("Messages that WhatsApp announced %s and that did not come may be missing.", times(s.Announced)))
	}
	if !s.NotConnected.Open.IsZero() {
		all = append(all, fmt.Sprintf("What was sent since %s has not been received yet.", Moment(s.NotConnected.Open)))
	}
	if s.NotConnected.Longest > keptFor {
		all = append(all, "Of what was sent while there was no connection for more than two weeks, something may be missing.")
	}
	if n := s.Away; n > 0 {
		all = append(all, fmt.Sprintf("On %s it is not known whether muniment was running.", Count(n, "day")))
	}
	if n := archive.Sum(s.Days).Unaccounted(); n != 0 {
		all = append(all, fmt.Sprintf("IT IS NOT KNOWN WHAT BECAME OF %s THAT WHATSAPP SENT.", strings.ToUpper(Count(int(n), "event"))))
	}
	if !s.Seen.IsZero() {
		all = append(all, fmt.Sprintf("Muniment was last running on %s; of what was sent since then nothing is known yet.", Moment(s.Seen)))
	}
	return all
}

// beginnings says when the record of each group begins, and of which it begins only after
// the first day of the period, or has not begun. Begun is how many have.
func (t Teller) beginnings(s archive.Statement) (all, within []string, begun int) {
	for _, b := range s.Begins {
		of := "The record" + strings.Replace(t.in(b.Group), " in ", " of ", 1)
		switch {
		case b.At.IsZero():
			all = append(all, of+" has not begun.")
			within = append(within, of+" has not begun.")
			continue
		case retention.DateOf(b.At) > s.From:
			within = append(within, fmt.Sprintf("%s begins on %s; what was sent before was not received.", of, Moment(b.At)))
		}
		begun++
		all = append(all, fmt.Sprintf("%s begins on %s.", of, Moment(b.At)))
	}
	return all, within, begun
}

// Statement says in sentences all that a statement has to say besides its verdict. Where
// there is nothing to be said of something, it says that.
func (t Teller) Statement(s archive.Statement) (all []string) {
	if s.From.Start().After(s.At) {
		return nil
	}
	began, _, begun := t.beginnings(s)
	all = append(all, began...)
	if begun > 0 && s.Since.Before(s.Until) {
		all = append(all, t.absent(s)...)
		all = append(all, t.Messages(s)...)
	}
	all = append(all, otherwise(s)...)
	if len(s.Days) > 0 {
		all = append(all, account(s)...)
	}
	if s.At.Before(s.Through.AddDays(1).Start()) {
		all = append(all, fmt.Sprintf("The period is not over. This is what is known so far, on %s.", Moment(s.At)))
	}
	return all
}

// absent tells of the times of the period.
func (t Teller) absent(s archive.Statement) (all []string) {
	if s.NotConnected.Number+s.NotLinked.Number+s.Lost.Number+s.Away == 0 {
		all = append(all, "This system was connected to WhatsApp all the time, as far as is known.")
	}
	if c := s.NotConnected; c.Number > 0 {
		fate := " WhatsApp kept what was sent, and handed it over afterwards."
		switch {
		case !c.Open.IsZero():
			fate = fmt.Sprintf(" WhatsApp keeps what is sent meanwhile and hands it over afterwards; what was sent since %s has not been received yet.", Moment(c.Open))
		case c.Longest > keptFor:
			fate = fmt.Sprintf(" WhatsApp hands over afterwards what was sent meanwhile; but once it was for %s, and it may not have kept everything.", roughly(c.Longest))
		}
		all = append(all, extent(c)+" this system was not connected to WhatsApp."+fate)
	}
	if l := s.NotLinked; l.Number > 0 {
		still := ""
		if !l.Open.IsZero() {
			still = fmt.Sprintf(" Since %s it has not been linked.", Moment(l.Open))
		}
		all = append(all, extent(l)+" this system was not linked to WhatsApp. What was sent then is missing."+still+supplied(l.Supplied))
	}
	if l := s.Lost; l.Number > 0 {
		all = append(all, extent(l)+" what was recorded was lost afterwards, and the archive was restored from an older backup. What was sent then is missing."+supplied(l.Supplied))
	}
	if o := s.Outside; o.Number > 0 {
		still := ""
		if !o.Open.IsZero() {
			still = fmt.Sprintf(" Since %s it has not been there.", Moment(o.Open))
		}
		all = append(all, fmt.Sprintf("%s the council’s account was not in the group%s. What was sent there then is missing.", extent(o), t.these(s, archive.NotInGroup))+still+supplied(o.Supplied))
	}
	if l := s.Lists; l.Number > 0 {
		all = append(all, fmt.Sprintf("%s, WhatsApp did not tell of every change of who is in the group%s. No message is missing because of this.",
			Capital(times(l.Number)), t.these(s, archive.ListBroken)))
	}
	return all
}

// these names the groups that gaps of a kind are about, where there are several groups.
func (t Teller) these(s archive.Statement, kind archive.GapKind) string {
	var names []string
	for _, g := range s.Gaps {
		if name := strings.TrimPrefix(t.called(g.Group), " "); g.Kind == kind && name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return " " + strings.Join(names, " or ")
}

// extent says how often something was, and how long in all, as a sentence of it begins.
func extent(t archive.Times) string {
	if t.Number == 1 {
		return "Once, for " + roughly(t.Total) + ","
	}
	return Capital(times(t.Number)) + ", for " + roughly(t.Total) + " in all,"
}

// roughly is a duration in words without more detail than it needs: its seconds, if
// it is less than an hour, else its minutes, and its days where there are several.
func roughly(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < time.Hour:
		return Length(d.Truncate(time.Second))
	case d >= 2*day:
		s := Count(int(d/day), "day")
		if h := d % day / time.Hour; h > 0 {
			s += " " + Count(int(h), "hour")
		}
		return s
	}
	return Length(d.Truncate(time.Minute))
}

// Messages tells of the messages of the period that did not come, or could not be read.
func (t Teller) Messages(s archive.Statement) (all []string) {
	if m := s.Unread; m.Number > 0 {
		all = append(all, strings.Join(append([]string{fmt.Sprintf("%s could not be read when %s arrived.", Count(m.Number, "message"), it(m.Number))},
			became(m)...), " "))
	} else {
		all = append(all, "Every message that arrived could be decrypted, as far as is known.")
	}
	if m := s.Unseen; m.Number > 0 {
		all = append(all, strings.Join(append([]string{fmt.Sprintf("%s that others answer or change did not come.", Count(m.Number, "message"))},
			became(m)...), " "))
	}
	if n := s.Further; n > 0 {
		all = append(all, fmt.Sprintf("Single members answered or changed so many messages that did not come that not each was looked for: further ones were named %s.", times(n)))
	}
	if n := s.Abandoned; n > 0 {
		all = append(all, fmt.Sprintf("Messages that had arrived were not recorded and did not come again, %s. They are missing.", times(n)))
	}
	if n := s.Announced; n > 0 {
		all = append(all, fmt.Sprintf("WhatsApp announced messages that did not come, %s. Of which chat they were is not known.", times(n)))
	}
	return all
}

// became says what became of messages that did not come, or could not be read.
func became(m archive.Messages) (all []string) {
	if m.Came > 0 {
		how := Number(int64(m.Came)) + " came later"
		if m.Came == m.Number {
			how = Capital(it(m.Came)) + " came later"
		}
		switch {
		case m.Phone == m.Came:
			how += ", from the council’s own phone"
		case m.Phone > 0:
			how += fmt.Sprintf(", %s of them from the council’s own phone", Number(int64(m.Phone)))
		}
		all = append(all, how+".")
	}
	if m.Earlier > 0 {
		all = append(all, fmt.Sprintf("%s sent before the record began, and %s no part of it.", were(m.Earlier), is(m.Earlier)))
	}
	if m.Quoted > 0 {
		all = append(all, fmt.Sprintf("%s known from a quotation.", are(m.Quoted, "")))
	}
	if m.Missing == 0 {
		return all
	}
	missing := are(m.Missing, "")
	if m.Missing == m.Number {
		missing = Capital(it(m.Missing)) + " " + is(m.Missing)
	}
	missing += " missing"
	if dated := m.Missing - m.Undated; dated > 0 {
		of := ""
		if dated < m.Missing {
			of = " " + Number(int64(dated)) + " of them"
		}
		if Moment(m.From) == Moment(m.To) {
			missing += "," + of + " sent on " + Moment(m.From)
		} else {
			missing += "," + of + " sent from " + Moment(m.From) + " to " + Moment(m.To)
		}
	}
	switch {
	case m.Undated == m.Missing:
		missing += "; when " + itWas(m.Missing) + " sent is not known, perhaps not in this period"
	case m.Undated > 0:
		missing += fmt.Sprintf("; when %s sent is not known, perhaps not in this period", were(m.Undated))
	}
	all = append(all, missing+".", asking(m))
	return all
}

// asking says how those that are missing are asked for.
func asking(m archive.Messages) string {
	them := "it"
	if m.Missing > 1 {
		them = "them"
	}
	often := " " + times(m.Asked)
	if m.Missing > 1 {
		often = ", at most" + often + " each,"
	}
	switch {
	case m.Asked == 0 && m.Asking > 0:
		return "The council’s own phone will be asked for " + them + "."
	case m.Asked == 0:
		return "The council’s own phone is not asked for " + them + "."
	case m.Asking == m.Missing:
		return fmt.Sprintf("The council’s own phone has been asked for %s%s and will be asked again.", them, often)
	case m.Asking > 0:
		return fmt.Sprintf("The council’s own phone has been asked for %s%s and will be asked again for %s.", them, often, Number(int64(m.Asking)))
	}
	return fmt.Sprintf("The council’s own phone was asked for %s%s without success.", them, often)
}

// otherwise tells of records that came otherwise than from WhatsApp at the time, of files,
// and of what was destroyed.
func otherwise(s archive.Statement) (all []string) {
	if s.Supplied > 0 {
		all = append(all, fmt.Sprintf("%s of this period %s supplied later by the council’s own phone.", Count(s.Supplied, "record"), wasOrWere(s.Supplied)))
	}
	if s.Imported > 0 {
		all = append(all, fmt.Sprintf("%s of this period %s from a phone’s export of the chat; this system did not receive %s.",
			Count(s.Imported, "record"), is(s.Imported), them(s.Imported)))
	}
	switch {
	case s.FilesLost > 0 && s.FilesWanted > 0:
		all = append(all, fmt.Sprintf("Of the files that messages of this period brought, %s lost, and %s still being fetched.", are(s.FilesLost, ""), are(s.FilesWanted, "")))
	case s.FilesLost > 0:
		all = append(all, fmt.Sprintf("Of the files that messages of this period brought, %s lost.", are(s.FilesLost, "")))
	case s.FilesWanted > 0:
		all = append(all, fmt.Sprintf("Of the files that messages of this period brought, %s still being fetched.", are(s.FilesWanted, "")))
	}
	if s.Destroyed > 0 {
		all = append(all, fmt.Sprintf("%s of this period %s destroyed at the end of %s time.", Count(s.Destroyed, "record"), wasOrWere(s.Destroyed), their(s.Destroyed)))
	}
	return all
}

// account says what became of all that WhatsApp sent (DESIGN.md, invariant 7).
func account(s archive.Statement) (all []string) {
	all = append(all, Account(archive.Sum(s.Days)))
	if s.Away > 0 { // said in the verdict
		return all
	}
	var away []string
	for _, d := range s.Days {
		if d.Started.IsZero() {
			away = append(away, d.Day.Long())
		}
	}
	switch n := len(away); {
	case n == 1:
		all = append(all, fmt.Sprintf("On %s muniment was not running.", away[0]))
	case n > 1:
		all = append(all, fmt.Sprintf("On %s muniment was not running, the first %s and the last %s.", Count(n, "day"), away[0], away[n-1]))
	}
	return all
}

// Account says what became of what was received: every event ended in one of four ways.
func Account(i archive.Intake) string { return "Received: " + Sums(i) }

// Sums says the same after a word of who tells it.
func Sums(i archive.Intake) string {
	s := fmt.Sprintf("%s = %s captured + %s duplicate + %s not of the group + %s failed.", Number(i.Received),
		Number(i.Captured), Number(i.Duplicate), Number(i.OutOfScope), Number(i.Failed))
	if n := i.Unaccounted(); n != 0 {
		s += fmt.Sprintf(" NOT ACCOUNTED FOR: %s.", Number(n))
	}
	return s
}

// NoAccount stands for the account of a day that has none.
const NoAccount = "no account: muniment was not running, as far as is known"

// DayColumns are the headings of [Days].
var DayColumns = []string{"Day", "Received", "Captured", "Duplicate", "Not of the group", "Failed", ""}

// Days returns the account of each day in a row, the last cell of which says what is out of
// the ordinary.
func Days(s archive.Statement) (rows [][]string) {
	for _, d := range s.Days {
		if d.Started.IsZero() {
			rows = append(rows, []string{shortDay(d.Day), "", "", "", "", "", NoAccount})
			continue
		}
		note := ""
		if retention.DateOf(s.At) == d.Day {
			note = "so far"
		}
		if n := d.Unaccounted(); n != 0 {
			note = strings.Join(nonEmpty("NOT ACCOUNTED FOR: "+Number(n), note), ", ")
		}
		rows = append(rows, []string{shortDay(d.Day), Number(d.Received), Number(d.Captured), Number(d.Duplicate), Number(d.OutOfScope), Number(d.Failed), note})
	}
	return rows
}

func shortDay(d retention.Date) string {
	return d.Start().In(retention.London).Format("Mon 2 Jan 2006")
}

// are is a number of things with the verb: 1 message is, 2 messages are. Without a noun
// it is the number alone.
func are(n int, noun string) string {
	s := Number(int64(n))
	if noun != "" {
		s = Count(n, noun)
	}
	return s + " " + is(n)
}

func were(n int) string { return Number(int64(n)) + " " + wasOrWere(n) }

func is(n int) string        { return either(n, "is", "are") }
func it(n int) string        { return either(n, "it", "they") }
func them(n int) string      { return either(n, "it", "them") }
func their(n int) string     { return either(n, "its", "their") }
func itWas(n int) string     { return either(n, "it was", "they were") }
func wasOrWere(n int) string { return either(n, "was", "were") }

func either(n int, one, several string) string {
	if n == 1 {
		return one
	}
	return several
}
