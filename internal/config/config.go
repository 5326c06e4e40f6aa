// Package config owns the configuration file: what may stand in it, what it
// means when something is left out, and what is wrong with it.
//
// There is one file, written by the council's system administrator, and it is
// read once: a restart loses nothing, so restarting is reloading. The file
// never holds a secret. What we log in to the mail server by comes from systemd or
// from a file of its own, by [Mail.Secret].
//
// Two questions are kept apart. [Load] asks whether what is written is right,
// and refuses the file if anything in it is wrong. [Config.ReadyToRun] asks
// whether enough is written to keep a record lawfully, which it need not be
// while the council is still setting up.
//
// The package knows nothing of what the settings are used for, and whoever uses
// them is handed values, not a Config.
package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"muniment/internal/record"
	"muniment/internal/retention"
)

// How the connection to the mail server is secured. There is no third way.
const (
	SecuritySTARTTLS = "starttls" // a plain connection that must become TLS before anything is sent
	SecurityTLS      = "tls"      // TLS from the first byte
)

// How we log in to the mail server.
const (
	AuthPassword = "password"
	AuthOAuth    = "oauth" // by tokens, as an application: the only way of Microsoft 365's that lasts
)

// Who approves that records past their period are destroyed. Empty, nobody has,
// and nothing is destroyed.
const (
	ApprovalStanding = "standing" // the council has, for good, in a minuted decision
	ApprovalEach     = "each"     // the clerk does, list by list
)

// How much of what was said digests repeat.
const (
	ContentReferences = "references" // nothing: the numbers of the records
	ContentExtracts   = "extracts"   // the beginning of each message
	ContentFull       = "full"
)

// A Config is the configuration of one council's instance, defaults filled in.
type Config struct {
	// File is where the configuration was read from, for messages.
	File string

	// StateDirectory holds the archive, the session and the media.
	StateDirectory string

	Council      Council
	Policy       Policy
	Groups       []Group
	Notice       Notice       // of the groups that have none of their own
	Marks        record.Marks // what holds in a group where it says nothing itself
	Conversation Conversation // likewise
	Mail         Mail
	Retention    Retention
	Disposal     Disposal
	Schedule     Schedule
	Digest       Digest
	Alerts       Alerts
	Meetings     Meetings
	Backup       Backup
	Ledger       Ledger
}

// A Council is the body whose record this is.
type Council struct {
	Name      string
	Regulator string // of data protection, whose name the law changes now and then

	// Domains are the council's own mail domains, in lower case. Emails go to
	// addresses at exactly these and to no other; see [Council.Owns].
	Domains []string
}

// Owns reports whether address, a bare email address, is at one of the
// council's own domains. A subdomain is another domain.
func (c Council) Owns(address string) bool {
	_, domain, ok := cutLast(address, "@")
	if !ok {
		return false
	}
	for _, own := range c.Domains {
		if strings.EqualFold(domain, own) {
			return true
		}
	}
	return false
}

// A Policy says by which authority the record is kept and destroyed. Its title,
// date and minute are printed on certificates of destruction.
type Policy struct {
	Title   string
	Adopted time.Time // a date: midnight UTC, zero if not given
	Minute  string    // the reference of the minute that adopted it
	Review  Review
	Section string // the section that sets the retention period
}

// A Group is an official group, and what the council says it is for. What it leaves
// to the rest of the file is filled in.
type Group struct {
	JID     string // never shown: the address of an old group contains a phone number
	Name    string // how every output names it, whatever WhatsApp calls it; no other has the same
	Purpose string

	// EveryCouncillor says that whoever is a councillor belongs in it: who is not is told
	// of in reports.
	EveryCouncillor bool

	ConversationsTo string // the mailbox that conversations marked in it go to
	Notice          Notice
	Marks           record.Marks // those without an emoji are not in use in it
	Conversation    Conversation
}

// A Notice says which privacy notice the members of the group were given, when
// and how. The record may not be kept before they were.
type Notice struct {
	Version string
	GivenOn time.Time // a date: midnight UTC, zero if not given
	Method  string
}

// A Conversation says which messages a mark forwards together, when, and what with them.
type Conversation struct {
	// Settle is how long a mark must stand before anything is sent.
	Settle time.Duration

	// Pause is how long a silence ends the conversation.
	Pause time.Duration

	// AtMost bounds the number of messages in one conversation.
	AtMost int

	// Attach is how many bytes of photos and other files an email may carry.
	Attach int64
}

// Mail says how emails leave, and to whom.
type Mail struct {
	Server   string // host:port
	Security string // SecuritySTARTTLS or SecurityTLS
	Username string // empty if the server asks for no password

	Auth         string // AuthPassword or AuthOAuth
	PasswordFile string // read when systemd hands over no password
	OAuth        OAuth

	From            string
	ConversationsTo string // the mailbox that marked conversations go to, of groups that name none
	Clerk           string // who receives notices, certificates and alerts

	CAFile  string // certificates trusted besides the system's own; empty for none
	Helo    string // the name we greet the server with; empty for the machine's own
	PerHour int    // the most emails sent in an hour
}

// An OAuth says where tokens for the mail server are had, and which application we are
// there.
type OAuth struct {
	TokenURL string // https; of Microsoft's tenant, or as the file has it
	ClientID string
	Scope    string

	SecretFile    string    // read when systemd hands over no secret
	SecretExpires time.Time // a date: midnight UTC, zero if not given
}

// Disposal says who approves destruction and how long before it they are told.
type Disposal struct {
	Approval       string // ApprovalStanding, ApprovalEach, or empty for none
	ApprovalMinute string // the minute of the standing approval
	NoticeDays     int    // never below 30
}

// A Schedule says when the nightly work is done.
type Schedule struct {
	// Nightly is a cron line of five fields, in London time, and never falls
	// between 01:00 and 01:59, which summer time skips and repeats.
	Nightly string
}

// How often the clerk gets a digest.
const (
	EveryWeek = "week"
	EveryDay  = "day"
)

// A Digest says when the clerk is sent the digest of the week or the day that is over, and
// how much of what was said digests repeat.
type Digest struct {
	Every    string // EveryWeek or EveryDay
	Schedule string // as [Schedule.Nightly]
	Content  string // ContentReferences, ContentExtracts or ContentFull
}

// Meetings says when the council meets: before each, every councillor is sent a digest.
type Meetings struct {
	Dates      []time.Time // midnight UTC
	DaysBefore int
}

// Alerts says who is told at once of what is wrong with the machine, and how besides by
// email.
type Alerts struct {
	TechnicalTo string   // the clerk, if nobody else
	Command     []string // a program, by its whole path, and its arguments; empty for none
}

// Backup says where backups go, when they are made and for how long each is kept.
type Backup struct {
	Directory string // empty: none are made
	Recipient string // the public key that they are encrypted to
	Schedule  string // as [Schedule.Nightly]
	KeepDays  int    // at most 35

	// Programs, each by its whole path, and their arguments; empty for none.
	Copy  []string // makes another place hold what the directory holds
	Prune []string // removes from there what the directory no longer holds
}

// Made reports whether backups are made.
func (b Backup) Made() bool { return b.Directory != "" && b.Recipient != "" }

// Ledger says who stamps the ledger's daily checkpoint with the time.
type Ledger struct {
	TimestampURL string // https, of an authority that speaks RFC 3161; empty: nobody
	TimestampCA  string // a file of certificates, PEM, that vouch for it; empty: not checked here
}

// defaults returns what holds where the file says nothing.
func defaults() Config {
	// Under systemd the state directory is systemd's to name. It may name
	// several; the unit's first is ours.
	state, _, _ := strings.Cut(os.Getenv("STATE_DIRECTORY"), ":")
	if state == "" {
		state = "/var/lib/muniment"
	}
	return Config{
		StateDirectory: state,
		Council:        Council{Regulator: "the Information Commissioner"},
		Policy:         Policy{Section: "5"},
		Marks:          defaultMarks(),
		Conversation:   Conversation{Settle: 3 * time.Minute, Pause: 15 * time.Minute, AtMost: 200, Attach: 10 << 20},
		Mail:           Mail{Security: SecuritySTARTTLS, Auth: AuthPassword, OAuth: OAuth{Scope: "https://outlook.office365.com/.default"}, PerHour: 60},
		Retention:      Retention{Schedule: retention.Default()},
		Disposal:       Disposal{NoticeDays: 30},
		Schedule:       Schedule{Nightly: "30 2 * * *"},
		Digest:         Digest{Every: EveryWeek, Schedule: "0 7 * * 1", Content: ContentExtracts},
		Meetings:       Meetings{DaysBefore: 5},
		Backup:         Backup{Schedule: "0 4 * * *", KeepDays: 35},
	}
}

// Load reads the configuration at path.
//
// Its error names every fault of the file, a line each, with the position and
// what to do. No value from the file is quoted in it, since a secret may have
// been put there by mistake. What is merely not given yet is not a fault here:
// see [Config.ReadyToRun].
func Load(path string) (Config, error) {
	data, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Config{}, fmt.Errorf("there is no configuration at %s: copy configs/muniment.toml there and edit it: %w", path, err)
	case errors.Is(err, fs.ErrPermission):
		return Config{}, fmt.Errorf("the configuration may not be read: run this with sudo, or, if it is the service that says so, let its user read the file (chown root:muniment, chmod 0640): %w", err)
	case err != nil:
		return Config{}, fmt.Errorf("read the configuration: %w", err)
	}
	doc, err := parse(path, data)
	if err != nil {
		return Config{}, err
	}
	c := defaults()
	c.File = path
	c.read(doc)
	doc.noteUnknown()
	wrong := c.loadSchedule(doc)
	if err := errors.Join(doc.err(), wrong); err != nil {
		return Config{}, err
	}
	return c, nil
}

// read takes over what doc gives, and notes in doc what is wrong with it. The
// keys asked for here are all the keys there are.
func (c *Config) read(doc *document) {
	top := doc.top()
	top.text("state_directory", &c.StateDirectory, absolutePath)
	c.Council.read(top.section("council"))
	c.Policy.read(top.section("policy"))
	c.Notice.read(top.section("notice"))
	c.Marks = readMarks(top.section("mark"), c.Council, c.Marks)
	conversation := top.section("conversation")
	c.Conversation.read(conversation)
	conversation.megabytes("attach_megabytes", 10, &c.Conversation.Attach)
	c.Mail.read(top.section("mail"), c.Council)
	c.readGroups(top.sections("group"))
	top.section("retention").text("schedule", &c.Retention.File)
	c.Disposal.read(top.section("disposal"))
	top.section("schedule").text("nightly", &c.Schedule.Nightly, cronLine("30 2 * * *", "for every night at 02:30"))
	c.Digest.read(top.section("digest"))
	c.Alerts.read(top.section("alerts"), c.Council, c.Mail)
	c.Backup.read(top.section("backup"))
	ledger := top.section("ledger")
	ledger.text("timestamp_url", &c.Ledger.TimestampURL, httpsAddress)
	ledger.text("timestamp_ca", &c.Ledger.TimestampCA, absolutePath)
	meetings := top.section("meetings")
	meetings.dates("dates", &c.Meetings.Dates)
	meetings.number("days_before", 1, 30, &c.Meetings.DaysBefore)
}

func (c *Council) read(s section) {
	s.text("name", &c.Name)
	s.text("regulator", &c.Regulator)
	s.list("domains", &c.Domains, mailDomain)
	for i, domain := range c.Domains {
		c.Domains[i] = strings.ToLower(domain)
	}
}

func (p *Policy) read(s section) {
	s.text("title", &p.Title)
	s.date("adopted", &p.Adopted)
	s.text("minute", &p.Minute)
	s.review("review", &p.Review)
	s.text("section", &p.Section)
	if !p.Review.Due.IsZero() && p.Review.Due.Before(p.Adopted) {
		s.fault("review", "the review is before the policy was adopted: correct one of the two dates")
	}
}

// readGroups comes after the sections that a group takes its defaults from.
func (c *Config) readGroups(sections []section) {
	jids, names := make(map[string]section), make(map[string]section)
	for _, s := range sections {
		g := Group{EveryCouncillor: true, ConversationsTo: c.Mail.ConversationsTo, Conversation: c.Conversation}
		s.text("jid", &g.JID, groupJID)
		s.text("name", &g.Name)
		s.prose("purpose", &g.Purpose)
		s.yes("every_councillor", &g.EveryCouncillor)
		s.text("conversations_to", &g.ConversationsTo, emailAddress, ownAddress(c.Council))
		if before, twice := jids[g.JID]; twice && g.JID != "" {
			s.fault("jid", "this is the same group as in line %d: remove one of the two", before.position("jid").line)
		}
		name := strings.ToLower(g.Name)
		if before, twice := names[name]; twice && name != "" {
			s.fault("name", "the group in line %d has this name too, and in emails and reports nobody could tell them apart: choose another", before.position("name").line)
		}
		jids[g.JID], names[name] = s, s
		g.Notice.readOwn(s.section("notice"), c.Notice)
		g.Marks = readMarks(s.section("mark"), c.Council, c.Marks)
		g.Conversation.read(s.section("conversation"))
		c.Groups = append(c.Groups, g)
	}
}

// readOwn reads the notice of one group. It is that of all groups, or another: what
// one of them states is never taken for what the other says.
func (n *Notice) readOwn(s section, all Notice) {
	if len(s.values) == 0 {
		*n = all
	}
	n.read(s)
}

func (n *Notice) read(s section) {
	s.text("version", &n.Version)
	s.date("given_on", &n.GivenOn)
	s.prose("method", &n.Method)
}

func (c *Conversation) read(s section) {
	s.duration("settle", 0, 24*time.Hour, &c.Settle)
	s.duration("pause", time.Second, 24*time.Hour, &c.Pause)
	s.number("at_most", 1, 1000, &c.AtMost)
}

func (m *Mail) read(s section, council Council) {
	s.text("server", &m.Server, mailServer)
	s.text("security", &m.Security, oneOf(SecuritySTARTTLS, SecurityTLS))
	s.text("username", &m.Username)
	s.text("auth", &m.Auth, oneOf(AuthPassword, AuthOAuth))
	s.text("password_file", &m.PasswordFile, absolutePath)
	m.OAuth.read(s.section("oauth"))
	s.text("from", &m.From, emailAddress, ownAddress(council))
	s.text("conversations_to", &m.ConversationsTo, emailAddress, ownAddress(council))
	s.text("clerk", &m.Clerk, emailAddress, ownAddress(council))
	s.text("ca_file", &m.CAFile, absolutePath)
	s.text("helo", &m.Helo, hostName)
	s.number("per_hour", 1, 3600, &m.PerHour)
}

func (o *OAuth) read(s section) {
	tenant := ""
	s.text("tenant", &tenant, hostName)
	if tenant != "" {
		o.TokenURL = "https://login.microsoftonline.com/" + tenant + "/oauth2/v2.0/token"
	}
	s.text("token_url", &o.TokenURL, httpsAddress)
	s.text("client_id", &o.ClientID)
	s.text("scope", &o.Scope)
	s.text("secret_file", &o.SecretFile, absolutePath)
	s.date("secret_expires", &o.SecretExpires)
}

func (d *Digest) read(s section) {
	s.text("every", &d.Every, oneOf(EveryWeek, EveryDay))
	if d.Every == EveryDay {
		d.Schedule = "0 7 * * *"
	}
	s.text("schedule", &d.Schedule, cronLine("0 7 * * 1", "for every Monday at 07:00"))
	s.text("content", &d.Content, oneOf(ContentReferences, ContentExtracts, ContentFull))
}

// read comes after the section that the default is taken from.
func (a *Alerts) read(s section, council Council, mail Mail) {
	a.TechnicalTo = mail.Clerk
	s.text("technical_to", &a.TechnicalTo, emailAddress, ownAddress(council))
	s.command("command", &a.Command)
}

func (b *Backup) read(s section) {
	s.text("directory", &b.Directory, absolutePath)
	s.text("recipient", &b.Recipient, ageRecipient)
	s.text("schedule", &b.Schedule, cronLine("0 4 * * *", "for every night at 04:00"))
	s.number("keep_days", 1, 35, &b.KeepDays)
	s.command("copy_command", &b.Copy)
	s.command("prune_command", &b.Prune)
}

func (d *Disposal) read(s section) {
	s.text("approval", &d.Approval, oneOf(ApprovalStanding, ApprovalEach))
	s.text("approval_minute", &d.ApprovalMinute)
	s.number("notice_days", 30, 365, &d.NoticeDays)
	if d.Approval == ApprovalStanding && d.ApprovalMinute == "" {
		s.fault("approval", "a standing approval must be a decision of the council: put the reference of its minute in approval_minute")
	}
}
