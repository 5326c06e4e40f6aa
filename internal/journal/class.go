package journal

import (
	"slices"

	"muniment/internal/retention"
)

// classes tells which acts are of the access log, and why all others are kept for good:
// what is still kept rests on them, or they explain why something is not. An act that is
// not here is kept, too.
var classes = []struct {
	class retention.Class
	why   string
	acts  []Act
}{
	{retention.AccessLog, "who looked at the record, or had something sent; nothing rests on it",
		[]Act{Viewed, Searched, FileViewed, Proved, ExportCompared, DigestAsked, ForwardedByHand}},
	{retention.AccessLog, "that the daemon ran; gaps have entries of their own",
		[]Act{Started, Stopped}},
	{retention.AccessLog, "what became of an email; the outbox knows, too",
		[]Act{MailHandedOver, MailRefused, MailExpired, MailRetried, MailCancelled}},
	{retention.AccessLog, "what somebody was told of at the time",
		[]Act{AlertRaised, AlertEnded, MarkNotCounted, MarkWaits}},

	{retention.Certificates, "why records are no longer held; verification takes no stub without it",
		[]Act{ListDrawnUp, ListReduced, ListApproved, EarlyProposed, EarlyConfirmed, ListLapsed, RunStarted, RunStep, ResidueFound, RunFinished}},
	{retention.Certificates, "what kept records from destruction, and by whose word it ended; holds are verified by it",
		[]Act{HoldPlaced, HoldReleased}},
	{retention.Certificates, "for how long what is kept: due dates are verified by it",
		[]Act{Created, PeriodChanged, ScheduleAdopted, ParentArrived}},
	{retention.Certificates, "why the record is not complete: capture statements and gaps rest on it",
		[]Act{GapOpened, GapClosed, Linked, LinkLost, PhoneUnseen, PhoneBack, Unwritable, HistoryRead, HistoryLost, HistoryAsked,
			FileLost, DiskLow, DiskEnough, AccountOutside, TimerOn, ViewOnceSent}},
	{retention.Certificates, "where records came from and how they are read: they are verified by it",
		[]Act{ImportBegun, ImportFinished, ReadAgain, Reindexed, FlagDismissed}},
	{retention.Certificates, "who somebody is in the records; the member register is verified by it",
		[]Act{MemberAdded, MemberChanged, MemberEnded, MemberRemoved, MemberIdentified, NumberMoved, NumberChanged,
			StrangerPresent, StrangerAdmin, GroupRenamed}},
	{retention.Certificates, "where copies of what is destroyed may still be",
		[]Act{BackupMade, BackupFailed, BackupFound, BackupGone, BackupCopied, BackupNotCopied, BackupPruned, BackupNotPruned}},
	{retention.Certificates, "whether the archive and its clock could be relied on",
		[]Act{VerifyFailed, VerifyPassed, ClockJumped, ClockConfirmed}},
}

// accessLog are the acts of which entries are destroyed when they are due.
var accessLog = func() (acts []Act) {
	for _, c := range classes {
		if c.class == retention.AccessLog {
			acts = append(acts, c.acts...)
		}
	}
	return acts
}()

// ClassOf returns the class of the entries of an act.
func ClassOf(a Act) retention.Class {
	if slices.Contains(accessLog, a) {
		return retention.AccessLog
	}
	return retention.Certificates
}
