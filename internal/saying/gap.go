package saying

import (
	"fmt"
	"strings"
	"time"

	"muniment/internal/archive"
)

// absences says of each kind of gap what was not: of a time in a clause, as it goes on
// after "From Monday to Tuesday …"; of messages in a noun.
var absences = map[archive.GapKind]struct{ short, past, still string }{
	archive.NotConnected: {"not connected to WhatsApp", "this system was not connected to WhatsApp", "this system has not been connected to WhatsApp"},
	archive.NotLinked:    {"not linked to WhatsApp", "this system was not linked to WhatsApp", "this system has not been linked to WhatsApp"},
	archive.LostWithMachine: {"lost, and not in the backup", "what was recorded was lost: it is not in the backup from which the archive was restored",
		"what is recorded has been lost"},
	archive.NotInGroup: {"not in the group", "the council’s account was not in the group%s", "the council’s account has not been in the group%s"},
	archive.ListBroken: {"changes of who is in the group not told", "WhatsApp had not told of every change of who is in the group%s",
		"WhatsApp has not told of every change of who is in the group%s"},
	archive.NotDecrypted: {"a message that could not be read", "", ""},
	archive.NotReceived:  {"a message that never came", "", ""},
	archive.NotDelivered: {"messages that were announced and did not come", "", ""},
	archive.Abandoned:    {"messages that arrived and were not recorded", "", ""},
}

// GapKind says in a few words what sort of gap one of that kind is: "not connected to
// WhatsApp".
func GapKind(k archive.GapKind) string {
	if a, known := absences[k]; known {
		return a.short
	}
	return string(k)
}

// LostGap reports whether something stays missing of what a gap is about, as far as is
// known: of a time whose messages WhatsApp hands over afterwards nothing does, once it is over.
func LostGap(g archive.Gap) bool {
	return g.Closed.IsZero() || !g.Kind.Heals() || g.Ending == archive.Quoted
}

// Gap tells of a gap in sentences.
type Gap struct {
	Title string // what it is, in a few words: "Not connected to WhatsApp"
	What  string // what it is, and when, in a sentence
	Cause string // why; empty if that is not known, or said by What
	Fate  string // what became of what was sent, or will become of it
}

// Text returns what it is and what became of it; the cause is left to those who look after
// the system.
func (g Gap) Text() string { return strings.Join(nonEmpty(g.What, g.Fate), " ") }

// Gap tells of a gap. If the teller knows names, that of who sent a missing message is
// told, as long as it is known.
func (t Teller) Gap(g archive.Gap) Gap {
	said := Gap{Title: t.title(g), Cause: sentence(g.Cause)}
	switch g.Kind {
	case archive.NotDecrypted, archive.NotReceived:
		said.What, said.Fate = t.lacking(g)
	case archive.NotDelivered:
		said.What = fmt.Sprintf("On %s WhatsApp announced messages that did not come.", Moment(g.Opened))
		said.Fate = "Of which chat they were is not known. They may be missing."
	case archive.Abandoned:
		said.What = fmt.Sprintf("Messages that arrived between %s and %s were not recorded.", Moment(g.Opened.AddDate(0, 0, -1)), Moment(g.Opened))
		said.Fate = "They are missing."
	default:
		said.What = t.Time(g.Kind, g.Group, g.Opened, g.Closed)
		said.Fate = afterwards(g)
	}
	return said
}

// title is what g is, with who sent it and the group, as far as they are to be told.
func (t Teller) title(g archive.Gap) string {
	title := GapKind(g.Kind)
	if g.Further > 0 {
		title = "further messages that never came"
	}
	switch g.Kind {
	case archive.NotDecrypted, archive.NotReceived:
		if g.Further > 0 {
			return Capital(title + t.in(g.Group))
		}
		from := t.in(g.Group)
		if name := t.sender(g); name != "" {
			from = " from " + name + from
		}
		title = strings.Replace(title, "a message", "a message"+from, 1)
	case archive.NotInGroup, archive.ListBroken:
		title = strings.Replace(title, "the group", "the group"+t.called(g.Group), 1)
	}
	return Capital(title)
}

// Time says of a time of that kind, and of which group, when it was; to is zero as long as
// it lasts. Of what is no time it says nothing.
func (t Teller) Time(kind archive.GapKind, group string, from, to time.Time) string {
	a := absences[kind]
	past, still := a.past, a.still
	if strings.Contains(past, "%s") {
		past, still = fmt.Sprintf(past, t.called(group)), fmt.Sprintf(still, t.called(group))
	}
	switch {
	case past == "":
		return ""
	case to.IsZero():
		return fmt.Sprintf("Since %s %s.", Moment(from), still)
	case Moment(from) == Moment(to):
		return fmt.Sprintf("On %s, for %s, %s.", Moment(from), Length(to.Sub(from).Truncate(time.Second)), past)
	}
	return fmt.Sprintf("From %s %s.", Period(from, to), past)
}

// keptFor is how long an absence may last before WhatsApp may not have kept all that
// was sent meanwhile: it unlinks devices after about as long.
const keptFor = 14 * 24 * time.Hour

// afterwards says what becomes of what was sent in a time.
func afterwards(g archive.Gap) string {
	over := !g.Closed.IsZero()
	switch {
	case g.Kind == archive.NotConnected && !over:
		return "What was sent since then has not been received yet. WhatsApp keeps it, and hands it over when there is a connection again."
	case g.Kind == archive.NotConnected && g.Closed.Sub(g.Opened) > keptFor:
		return "WhatsApp hands over afterwards what was sent meanwhile, but that was long: it may not have kept everything."
	case g.Kind == archive.NotConnected:
		return "WhatsApp kept what was sent, and handed it over afterwards."
	case g.Kind == archive.NotLinked && !over:
		return "What is sent is missing, until it is linked again." + supplied(g.Supplied)
	case g.Kind == archive.NotInGroup && !over:
		return "What is sent there is missing, until it is added again." + supplied(g.Supplied)
	case g.Kind == archive.NotLinked, g.Kind == archive.NotInGroup:
		return "What was sent then is missing." + supplied(g.Supplied)
	case g.Kind == archive.LostWithMachine:
		return "What was sent then is missing, and so is what was entered or decided in this system." + supplied(g.Supplied)
	case g.Kind == archive.ListBroken && !over:
		return "WhatsApp is being asked who is in it. No message is missing because of this."
	case g.Kind == archive.ListBroken:
		return "Since then the list is right; of what changed before, only the outcome is known. No message is missing because of this."
	}
	return ""
}

// supplied says what the council's phone brought of a time, as a sentence that follows.
func supplied(n int) string {
	switch n {
	case 0:
		return ""
	case 1:
		return " The council’s own phone supplied 1 record of it later; whether that is all is not known."
	}
	return fmt.Sprintf(" The council’s own phone supplied %s of it later; whether that is all is not known.", Count(n, "record"))
}

// lacking tells of a message that could not be read, or never came.
func (t Teller) lacking(g archive.Gap) (what, fate string) {
	if g.Further > 0 {
		return fmt.Sprintf("Further messages%s that one member answered or changed did not come.", t.in(g.Group)),
			fmt.Sprintf("Such were named %s. They are missing, or never were. The council’s own phone is not asked for them.", times(g.Further))
	}
	from, sent := "", ""
	if name := t.sender(g); name != "" {
		from = " from " + name
	}
	if !g.Sent.IsZero() {
		sent = ", sent on " + Moment(g.Sent) + ","
	}
	switch {
	case g.Kind == archive.NotDecrypted && sent != "":
		what = fmt.Sprintf("A message%s%s%s could not be read when it arrived.", from, t.in(g.Group), sent)
	case g.Kind == archive.NotDecrypted:
		what = fmt.Sprintf("A message%s%s that arrived on %s could not be read.", from, t.in(g.Group), Moment(g.Opened))
	case g.NamedBy != 0:
		what = fmt.Sprintf("A message%s%s%s that record %d answers or changes did not come.", from, t.in(g.Group), sent, g.NamedBy)
	default:
		what = fmt.Sprintf("A message%s%s%s that others answer or change did not come.", from, t.in(g.Group), sent)
	}
	return what, end(g)
}

// end says what became of a message that was missing.
func end(g archive.Gap) string {
	switch {
	case g.Closed.IsZero():
		return "It is missing. " + asked(g)
	case g.Ending == archive.FromPhone:
		return "The council’s own phone supplied it later."
	case g.Ending == archive.Earlier:
		return "It was sent before the record began, and is no part of it."
	case g.Ending == archive.Quoted && g.QuotedIn != 0:
		return fmt.Sprintf("Record %d quotes it; whether it said that cannot be checked, since the message itself is missing.", g.QuotedIn)
	case g.Ending == archive.Quoted:
		return "It was quoted; whether it said that cannot be checked, since the message itself is missing."
	}
	return "It came later."
}

// asked says how a message that is missing is asked for.
func asked(g archive.Gap) string {
	switch {
	case g.Asked == 0 && g.Asking:
		return "The council’s own phone will be asked for it."
	case g.Asked == 0:
		return "The council’s own phone is not asked for it."
	case g.Asking:
		return fmt.Sprintf("The council’s own phone has been asked for it %s, and will be asked again.", times(g.Asked))
	}
	return fmt.Sprintf("The council’s own phone was asked for it %s, the last time on %s, and does not have it, or did not answer.", times(g.Asked), Moment(g.AskedAt))
}

// times writes how often: once, twice, 3 times.
func times(n int) string {
	switch n {
	case 1:
		return "once"
	case 2:
		return "twice"
	}
	return Number(int64(n)) + " times"
}

// sender is what who sent a missing message is called; empty if that is not known, or not
// to be told.
func (t Teller) sender(g archive.Gap) string {
	if t.Names == nil || g.Sender == "" {
		return ""
	}
	return Called(t.Names.OfJID(g.Sender))
}

// called is the name of a group as it follows "the group", where there are several.
func (t Teller) called(group string) string {
	name, listed := t.Groups[group]
	switch {
	case !listed && len(t.Groups) > 0:
		return ", which is no longer in the configuration,"
	case len(t.Groups) < 2:
		return ""
	}
	return " “" + OneLine(name) + "”"
}

// in says in which group something was, where there are several.
func (t Teller) in(group string) string {
	name, listed := t.Groups[group]
	switch {
	case group == "" || len(t.Groups) == 0 || listed && len(t.Groups) == 1:
		return ""
	case !listed:
		return " in a group that is no longer in the configuration"
	}
	return " in “" + OneLine(name) + "”"
}

// sentence makes a sentence of a cause, whoever wrote it.
func sentence(s string) string {
	if s = strings.TrimRight(OneLine(s), "."); s == "" {
		return ""
	}
	if strings.HasPrefix(s, "muniment ") { // the program's name has no capital
		return s + "."
	}
	return Capital(s) + "."
}
