package alert

// Kind names what is wrong, or what has happened. The alert command is given it.
type Kind string

// What may be wrong, and is well again some day.
const (
	LinkLost     Kind = "link-lost"     // until somebody links again
	Banned       Kind = "banned"        // by WhatsApp, for a time
	Replaced     Kind = "replaced"      // by another program with the same link
	Outdated     Kind = "outdated"      // for WhatsApp, and to be another version did not help
	Refused      Kind = "refused"       // by WhatsApp, again and again
	NotConnected Kind = "not-connected" // for a quarter of an hour

	PhoneUnseen Kind = "phone-unseen" // the council's own, for days
	Outside     Kind = "outside"      // the council's account is not in a group
	TimerOn     Kind = "timer-on"     // messages disappear

	Unwritable   Kind = "unwritable" // the archive
	DiskLow      Kind = "disk-low"
	MailStuck    Kind = "mail-stuck" // no email at all can be handed over
	MailLate     Kind = "mail-late"  // some emails wait for more than a day
	NoChair      Kind = "no-chair"   // address, and an email waits for one
	Expiring     Kind = "expiring"   // a secret, or a certificate, soon
	Expired      Kind = "expired"
	VerifyFailed Kind = "verification-failed"

	BackupFailed    Kind = "backup-failed"
	NoBackup        Kind = "no-backup"         // that is good, of the last days
	BackupNotCopied Kind = "backup-not-copied" // elsewhere
	BackupNotPruned Kind = "backup-not-pruned" // elsewhere, when its time was over
	Restored        Kind = "restored"          // from a backup, and nobody has entered again what was lost
)

// What happens, and has no end that could be told.
const (
	Missing     Kind = "missing"  // messages that stay missing
	Stranger    Kind = "stranger" // in a group
	NewAdmin    Kind = "unknown-admin"
	Renamed     Kind = "group-renamed"
	ClockJumped Kind = "clock-jumped"
	Residue     Kind = "residue"      // of what was destroyed
	Unaccounted Kind = "unaccounted"  // a fault of the program
	MailRefused Kind = "mail-refused" // for good, or given up
	AlertLost   Kind = "alert-lost"   // likewise
)

// Kinds are all there are, in the order in which they are shown.
var Kinds = []Kind{
	LinkLost, Banned, Replaced, Outdated, Refused, NotConnected, PhoneUnseen, Outside, TimerOn,
	Unwritable, DiskLow, MailStuck, MailLate, NoChair, Expiring, Expired, VerifyFailed,
	BackupFailed, NoBackup, BackupNotCopied, BackupNotPruned, Restored,
	Missing, Stranger, NewAdmin, Renamed, ClockJumped, Residue, Unaccounted, MailRefused, AlertLost,
}

// A manner is how one kind is told.
type manner struct {
	// topic is what kinds have in common that are one matter, so that only the worst of them
	// is told; empty: it is a matter of its own.
	topic string
	level int // the higher is the worse

	event bool // it has no end

	clerk, sysadmin bool // who has to do something

	// daily is set where each day costs something that cannot be had again: then it is said
	// again every day for a week.
	daily bool

	// unmailed is set where an email would have to wait for what it tells of to be over. Its
	// end is told by email.
	unmailed bool
}

// level is how bad the kinds of the link are: what is told of one is not told again as a
// lesser one before there is a connection.
var manners = map[Kind]manner{
	NotConnected: {topic: "link", level: 1, sysadmin: true, daily: true},
	Refused:      {topic: "link", level: 2, sysadmin: true, daily: true},
	Outdated:     {topic: "link", level: 3, sysadmin: true, daily: true},
	Replaced:     {topic: "link", level: 4, sysadmin: true, daily: true},
	Banned:       {topic: "link", level: 5, clerk: true, sysadmin: true},
	LinkLost:     {topic: "link", level: 6, clerk: true, sysadmin: true, daily: true},

	PhoneUnseen:  {clerk: true},
	Outside:      {clerk: true, daily: true},
	TimerOn:      {clerk: true},
	Unwritable:   {sysadmin: true, unmailed: true},
	DiskLow:      {sysadmin: true},
	MailStuck:    {sysadmin: true, unmailed: true},
	MailLate:     {sysadmin: true},
	NoChair:      {sysadmin: true},
	Expiring:     {topic: "expiry", sysadmin: true},
	Expired:      {topic: "expiry", level: 100, sysadmin: true},
	VerifyFailed: {clerk: true, sysadmin: true},

	BackupFailed:    {topic: "backup", level: 1, sysadmin: true},
	NoBackup:        {topic: "backup", level: 2, clerk: true, sysadmin: true},
	BackupNotCopied: {sysadmin: true},
	BackupNotPruned: {sysadmin: true},
	Restored:        {clerk: true, sysadmin: true, daily: true},

	Missing:     {event: true, clerk: true},
	Stranger:    {event: true, clerk: true},
	NewAdmin:    {event: true, clerk: true},
	Renamed:     {event: true, clerk: true},
	ClockJumped: {event: true, sysadmin: true},
	Residue:     {event: true, clerk: true, sysadmin: true},
	Unaccounted: {event: true, sysadmin: true},
	MailRefused: {event: true, sysadmin: true},
	AlertLost:   {event: true, clerk: true, sysadmin: true},
}

// Event reports whether the kind happens, and has no end that could be told.
func (k Kind) Event() bool { return manners[k].event }

// Daily reports whether it is said again every day for a week.
func (k Kind) Daily() bool { return manners[k].daily }

func (k Kind) topic() string {
	if t := manners[k].topic; t != "" {
		return t
	}
	return string(k)
}
