package letter

import (
	"fmt"
	"strings"

	"muniment/internal/alert"
	"muniment/internal/saying"
)

// An alarm is what is said of one kind of alert. What it says of how many and where is put
// in by [told].
type alarm struct {
	what  string // the subject and title: a sentence without its full stop
	many  string // of several events: likewise, with their number
	means string
	do    string // who should do what
	over  string // the title when it is over; of what has no end, empty
	then  string // what that means
}

const (
	delivers = "What is sent meanwhile is not lost: WhatsApp keeps it for some weeks, and hands it over when there is a connection again."
	caughtUp = "What was sent meanwhile WhatsApp kept, and hands over now. Nobody needs to do anything."
)

// alarms are in the words of the reader: {in} stands for “ in the group …”, {group} for the
// group’s name, {about} for what the alert names and {n} for how many.
var alarms = map[alert.Kind]alarm{
	alert.LinkLost: {
		what:  "The link to WhatsApp is lost: nothing is recorded",
		means: "What is sent in the group from now on is not recorded, and is missing for good, until this system is linked again.",
		do: "Please have it linked again today. That takes the council’s phone and the person who looks after the computer, who stops the service, " +
			"runs the command (sudo muniment link), scans its code with the phone, and starts the service again.",
		over: "This system is linked to WhatsApp again",
		then: "Messages are recorded again. What was sent in between is missing from the record; the weekly summary and the capture statement say so. " +
			"If it matters, please have it posted again.",
	},
	alert.Banned: {
		what:  "WhatsApp has banned the council’s account for a time",
		means: "Nothing is received until the ban is over. " + delivers,
		do: "Please open WhatsApp on the council’s phone and see what it says of the ban, and whether the council can ask for a review there. " +
			"The person who looks after the computer need not do anything: trying to connect more often would make it worse.",
		over: "WhatsApp accepts the council’s account again",
		then: caughtUp,
	},
	alert.Replaced: {
		what: "Another program uses this system’s link to WhatsApp",
		means: "Somebody may have copied this computer, or restored a backup of it elsewhere. Only one of the two can be connected at a time, and the other " +
			"receives what this one should record.",
		do: "If that was done on purpose, please stop the other one. If nobody knows of it, take it for a breach of security: on the council’s phone, " +
			"under Linked devices, log out this system, and have it linked again (sudo muniment link).",
		over: "This system is connected to WhatsApp again",
		then: "What was sent meanwhile WhatsApp kept, as far as the other program did not receive it, and hands over now. If nobody knows what that was, it still has to be found out.",
	},
	alert.Outdated: {
		what:  "WhatsApp no longer accepts this version of the program",
		means: "Nothing is received until a newer version is installed, or WhatsApp changes its mind. " + delivers,
		do:    "Please have a newer version of muniment installed within a week or two.",
		over:  "WhatsApp accepts the program again",
		then:  caughtUp,
	},
	alert.Refused: {
		what:  "WhatsApp refuses the connection",
		means: "Nothing is received until it accepts one. " + delivers,
		do: "The program tries again by itself. If it is not connected within a day, please have a newer version of muniment installed, " +
			"and have looked on the council’s phone whether WhatsApp says anything there.",
		over: "This system is connected to WhatsApp again",
		then: caughtUp,
	},
	alert.NotConnected: {
		what:  "This system is not connected to WhatsApp",
		means: "Nothing has been received for a quarter of an hour or more. " + delivers + " After about two weeks WhatsApp ends the link.",
		do: "The program tries again by itself. Please see whether the computer reaches the internet, and whether others can use WhatsApp; " +
			"the command shows what the program knows (muniment status).",
		over: "This system is connected to WhatsApp again",
		then: caughtUp,
	},
	alert.PhoneUnseen: {
		what: "The council’s phone has not been in use for {n} days",
		means: "After about 14 days WhatsApp unlinks this system, and from then on nothing is recorded: what is sent after that is missing for good, " +
			"until it is linked again.",
		do:   "Please switch on the phone that has the council’s WhatsApp account, see that it is on the internet, and open WhatsApp on it.",
		over: "The council’s phone is in use again",
		then: "The link is not in danger any more. Nobody needs to do anything.",
	},
	alert.Outside: {
		what:  "The council’s account is not in the group {group}",
		means: "Nothing that is sent there is recorded, and it is missing for good, until the account is in the group again.",
		do:    "Please have an administrator of the group add the council’s account again today, and find out why it is not in it.",
		over:  "The council’s account is in the group {group} again",
		then: "Messages are recorded again. What was sent there in between is missing from the record; the weekly summary and the capture statement say so. " +
			"If it matters, please have it posted again.",
	},
	alert.TimerOn: {
		what: "Messages have been set to disappear{in}",
		means: "Messages disappear from the members’ phones after some time. The record keeps what it has received, but members can no longer " +
			"look up on their phones what was said.",
		do:   "Please ask an administrator of the group to switch disappearing messages off, unless the council wants them. The weekly summary says who switched them on.",
		over: "Messages no longer disappear{in}",
		then: "New messages stay on the members’ phones. Nobody needs to do anything.",
	},
	alert.Unwritable: {
		what:  "Nothing can be written to the archive",
		means: "Nothing is recorded while that lasts. " + delivers,
		do: "Please have this seen to now: as a rule the computer’s disk is full. Make room on it, or see to the disk. " +
			"The program goes on by itself; the command shows how it is (muniment status).",
		over: "The archive can be written to again",
		then: "Nothing was recorded in between, and no email could be sent. What was sent meanwhile WhatsApp kept, and hands over now. " +
			"Please see that it does not come to that again: as a rule the computer’s disk was full.",
	},
	alert.DiskLow: {
		what: "The computer’s disk is nearly full",
		means: "Messages are still recorded, but photos and other files wait, and WhatsApp keeps those for some weeks only. When the disk is full " +
			"nothing can be recorded.",
		do:   "Please have room made on the disk of the archive, or have a larger one put in.",
		over: "There is room on the computer’s disk again",
		then: "Photos and other files are fetched again. Nobody needs to do anything.",
	},
	alert.MailStuck: {
		what: "No email can be handed to the mail server",
		means: "For an hour or more the mail server has not accepted any email of this system. They wait, and are tried again; nothing is lost. Alerts cannot " +
			"be sent by email meanwhile, which is why you are told in this way.",
		do:   "Please see to the mail server, or to its password. The commands show what it says (muniment status, muniment check).",
		over: "Emails can be handed to the mail server again",
		then: "What has waited is being handed over, alerts among it. Nobody needs to do anything.",
	},
	alert.MailLate: {
		what:  "Emails have waited for more than a day",
		many:  "{n} emails have waited for more than a day",
		means: "The council does not have yet what they say. They are tried again.",
		do:    "Please see why (muniment status): who is to receive them may have a full mailbox, or an address that is not at one of the council’s domains.",
		over:  "No email has waited for more than a day any more",
		then:  "The mail server has them all, or they are not owed any more. Emails that it refused are told of in an alert of their own.",
	},
	alert.NoChair: {
		what: "There is no address of the chair",
		means: "An email that is for the chair waits: the member register has no email address of the chair at the council’s own domains, or it is the " +
			"clerk’s or a shared mailbox. It goes to nobody else.",
		do:   "Please ask the chair for an address at the council’s own domains, and enter it (sudo muniment member edit). What waits then goes by itself.",
		over: "There is an address of the chair again",
		then: "What was for the chair has been sent, or is not owed any more. Nobody needs to do anything.",
	},
	alert.Expiring: {
		what:  "{about} expires soon",
		means: "When it has expired, emails cannot be sent any more, alerts included. They will wait.",
		do:    "Please have it renewed before.",
		over:  "{about} no longer expires soon",
		then:  "It was renewed. Nobody needs to do anything.",
	},
	alert.Expired: {
		what:  "{about} has expired",
		means: "Emails cannot be sent any more, alerts included. They wait, and nothing is lost.",
		do:    "Please have it renewed today.",
		over:  "{about} is valid again",
		then:  "It was renewed. Nobody needs to do anything.",
	},
	alert.VerifyFailed: {
		what:  "The record does not verify",
		means: "What the archive holds is not what was recorded: it was altered, or is damaged. Nothing is destroyed until it verifies.",
		do: "Please have it looked into at once, and keep the backups. The command says what is wrong (sudo muniment verify). " +
			"Until that is known, please do not rely on the record.",
		over: "The record verifies again",
		then: "Everything in the archive is again as it was recorded. Please keep a note of what the cause was.",
	},
	alert.BackupFailed: {
		what: "A backup of the record could not be made",
		means: "What was recorded since the last good backup would be lost with this computer’s disk. Recording goes on, and the next backup is tried " +
			"at its usual time.",
		do:   "Please see what is wrong: as a rule the backup disk is full, or not mounted. The commands show what is known (muniment backup list, muniment check).",
		over: "Backups of the record are made again",
		then: "A backup was made and verified. Nobody needs to do anything.",
	},
	alert.NoBackup: {
		what:  "There is no good backup of the last days",
		means: "If this computer’s disk fails, everything that was recorded since the last good backup is lost for good, because WhatsApp does not keep it.",
		do: "Please have this seen to today: as a rule the backup disk is full, or not mounted. The commands show what is known (muniment backup list, muniment check), " +
			"and make one at once (sudo muniment backup now).",
		over: "There is a good backup of the record again",
		then: "A backup was made and verified. Nobody needs to do anything.",
	},
	alert.BackupNotCopied: {
		what:  "Backups could not be copied to their other place",
		means: "The latest backups are in one place only. Nothing that was to be destroyed gets its certificate until the copy succeeds.",
		do:    "Please see whether that place can be reached, and has room; the command that copies there is in the configuration, under [backup]. It is run again after the next backup.",
		over:  "Backups are copied to their other place again",
		then:  "Both places hold the same. Nobody needs to do anything.",
	},
	alert.BackupNotPruned: {
		what:  "Old backups could not be removed from their other place",
		means: "What the council has destroyed may still be in them, and certificates of destruction stay interim until they have gone.",
		do:    "Please see why; the command that removes them is in the configuration, under [backup]. It is run again after the next backup.",
		over:  "Old backups are removed from their other place again",
		then:  "Nobody needs to do anything.",
	},
	alert.Restored: {
		what: "The record was restored from a backup, and what came after that is lost",
		means: "The computer or its disk failed. What was sent in the group since the backup is missing, as far as the council’s phone does not supply it, and so is what was entered or decided in this " +
			"system: holds, information requests, members and their roles, approvals. Emails of that time may come a second time. Nothing is destroyed until somebody has said that this was seen to.",
		do: "Please go through your emails and papers of that time, and have entered again what is lost, the holds first (sudo muniment hold place, sudo muniment member). " +
			"When all is there, please have that said (sudo muniment disposal confirm-restore). Please keep the digests and certificates that you were sent: they prove what is lost.",
		over: "What was lost when the record was restored has been entered again, as far as it can be",
		then: "Somebody has said so, and the journal has who. What was due in the meantime is destroyed as the council has decided. The record goes on saying what is missing.",
	},
	alert.Missing: {
		what: "A message is missing from the record{in}",
		many: "{n} messages, or more, are missing from the record{in}",
		means: "It is known to have been sent, and could not be recorded within an hour. The program goes on asking the council’s phone for it, where that " +
			"can help, and it may come yet.",
		do: "Please see that the council’s phone is switched on and on the internet. The weekly summary says what is missing; if it matters, " +
			"please look for it in the group on that phone, and have it posted again.",
	},
	alert.Stranger: {
		what:  "Somebody is in the group{group_} who is not in office",
		many:  "{n} people are in the group{group_} who are not in office",
		means: "They are not on the member register, or have left office since. They can read what is said there, and what they write is recorded.",
		do: "Please look in the group, and find out who it is. Whoever belongs there should be put on the register (muniment member), and be given the privacy notice; " +
			"whoever does not should be removed from the group by an administrator of it.",
	},
	alert.NewAdmin: {
		what:  "An administrator of the group{group_} is not in office",
		many:  "{n} administrators of the group{group_} are not in office",
		means: "They are not on the member register, or have left office since. Administrators can add and remove members, and delete what others write. The record keeps what was deleted.",
		do: "Please look in the group, under its information, who the administrators are. If nobody knows why, another administrator should dismiss them, and " +
			"somebody should ask whether a member’s phone is in other hands.",
	},
	alert.Renamed: {
		what:  "The name of the group {group} was changed in WhatsApp",
		many:  "The name of the group {group} was changed in WhatsApp {n} times",
		means: "Emails and reports go on calling it by the name that the council has set. Nothing else changes.",
		do:    "If the council did not intend it, please have an administrator of the group change it back.",
	},
	alert.ClockJumped: {
		what: "The computer’s clock has jumped",
		many: "The computer’s clock has jumped {n} times",
		means: "Times in the record since then may be wrong: of when something was received, not of when it was sent, which WhatsApp says. " +
			"Nothing is destroyed until somebody has said that the clock is right.",
		do: "Please have the clock compared with another one, and set if need be. When it is right, please have that said (sudo muniment disposal confirm-clock).",
	},
	alert.Residue: {
		what:  "Something of what was to be destroyed was found afterwards",
		means: "A search of all files after a destruction has found something of it. The program cleans and searches again by itself; the certificate will say so.",
		do:    "Please wait for the certificate. If none has come by tomorrow, please have this seen to (muniment disposal list).",
	},
	alert.Unaccounted: {
		what:  "A fault of the program: it is not known what became of something that was received",
		many:  "A fault of the program: it is not known what became of {n} things that were received",
		means: "Everything that WhatsApp sends has to be accounted for, and this is not. It may have been a message.",
		do:    "Please have this reported to who maintains the program, with what the command shows (muniment status).",
	},
	alert.MailRefused: {
		what:  "An email is given up: the mail server does not take it",
		many:  "{n} emails are given up: the mail server does not take them",
		means: "It was refused, or not taken for days. What it was to say has not reached somebody of the council, and it is not tried again by itself.",
		do: "Please see which it was, and what the mail server says (muniment status); correct what is wrong, such as the address. " +
			"What the email was to say is still in the record.",
	},
	alert.AlertLost: {
		what:  "An alert is given up: the mail server does not take it",
		many:  "{n} alerts are given up: the mail server does not take them",
		means: "Somebody who should have been told at once was not. This email goes to everybody who is told of alerts.",
		do:    "Please see which it was (muniment status), what is wrong with the address that it was for, and correct that in the program’s configuration.",
	},
}

// Alert writes what is told of an alert.
func (w *Writer) Alert(h Header, t alert.Telling) ([]byte, error) {
	d, err := w.alert(t)
	if err != nil {
		return nil, err
	}
	return w.write(h, d)
}

// AlertText returns the same as a subject and plain text, for who is not told by email.
func (w *Writer) AlertText(t alert.Telling) (subject, text string, err error) {
	d, err := w.alert(t)
	if err != nil {
		return "", "", err
	}
	d = w.marked(d)
	return d.Subject, d.text(), nil
}

// AlertTitle says in a line what is wrong.
func (w *Writer) AlertTitle(a alert.Alert) string {
	return w.told(alarms[a.Kind].title(a.Number), a.About, a.Number)
}

// title is what is wrong, of one or of many.
func (m alarm) title(number int) string {
	if number > 1 && m.many != "" {
		return m.many
	}
	return m.what
}

// told puts into words where, which and how many.
func (w *Writer) told(s, about string, number int) string {
	about = saying.OneLine(about)
	in, group := "", ""
	if about != "" {
		group = " “" + about + "”"
		in = " in the group" + group
	}
	return strings.NewReplacer("{in}", in, "{group_}", group, "{group}", strings.TrimSpace(group), "{about}", about,
		"{n}", saying.Number(int64(number))).Replace(s)
}

func (w *Writer) alert(t alert.Telling) (document, error) {
	m, known := alarms[t.Kind]
	if !known || t.Sort == alert.Ended && m.over == "" {
		return document{}, fmt.Errorf("there is no alert of the kind %q", t.Kind)
	}
	say := func(s string) string { return w.told(s, t.About, t.Number) }
	var d document
	facts := []fact{{"Since", saying.Moment(t.Since)}}
	if t.Kind.Event() {
		facts[0].Name = "When"
	}
	if t.Sort == alert.Ended {
		d.Title = say(m.over)
		d.Subject = "Over: " + d.Title
		facts = append(facts, fact{"Until", saying.Moment(t.Until)})
		d.add(paragraph("%s", say(m.then)), block{Facts: facts})
	} else {
		d.Title = say(m.title(t.Number))
		d.Subject = map[alert.Sort]string{alert.Raised: "Alert: ", alert.Reminder: "Still: ", alert.Further: "Alert: "}[t.Sort] + d.Title
		if t.Sort == alert.Further {
			facts = []fact{{"When", "Since the last email about this"}}
		}
		d.add(block{Callout: say(m.means)})
		if t.Kind != alert.Expiring && t.Kind != alert.Expired { // since when that is known is of no interest
			d.add(block{Facts: facts})
		}
		if t.Cause != "" {
			d.add(paragraph("What is known of it: %s", saying.OneLine(t.Cause)))
		}
		d.section("What to do", paragraph("%s", say(m.do)))
		if strings.Contains(m.do, "(muniment ") || strings.Contains(m.do, "(sudo ") {
			d.add(paragraph("What is in brackets and begins with “muniment” or “sudo” is a command, for the person who looks after the computer."))
		}
	}
	d.Footer = []string{alertFooter(t)}
	return d, nil
}

// alertFooter says what else will be told, so that nobody waits for what does not come.
func alertFooter(t alert.Telling) string {
	const nobody = "This email holds nothing of what was said in the group, and names nobody."
	switch {
	case t.Sort == alert.Ended:
		return nobody + " If it happens again within a day, you are told at once; that it is over, only when it has been so for longer."
	case t.Kind.Event():
		return nobody + " What else of this kind happens within the next while is told together."
	case t.Kind.Daily():
		return nobody + " You are reminded once a day for a week, and told when it is over."
	}
	return nobody + " You are told when it is over, and not before; the weekly summary shows it as long as it lasts."
}
