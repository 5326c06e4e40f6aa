// Package config owns the configuration file: what may stand in it, what it
// means when something is left out, and what is wrong with it.
//
// There is one file, written by the council's system administrator, and it is
// read once: a restart loses nothing, so restarting is reloading. The file
// never holds a secret. The password of the mail account comes from systemd or
// from a file of its own, by [Mail.Password].
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
	"slices"
	"strings"
	"time"
)

// How the connection to the mail server is secured. There is no third way.
const (
	SecuritySTARTTLS = "starttls" // a plain connection that must become TLS before anything is sent
	SecurityTLS      = "tls"      // TLS from the first byte
)

// Who approves that records past their period are destroyed. Empty, nobody has,
// and nothing is destroyed.
const (
	ApprovalStanding = "standing" // the council has, for good, in a minuted decision
	ApprovalEach     = "each"     // the clerk does, list by list
)

// How much of what was said the weekly digest repeats.
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

	Council   Council
	Policy    Policy
	Groups    []Group
	Notice    Notice // of the groups that have none of their own
	Mark      Mark   // what holds in a group where it says nothing itself
	Mail      Mail
	Retention Retention
	Disposal  Disposal
	Schedule  Schedule
	Digest    Digest
}

// A Council is the body whose record this is.
type Council struct {
	Name string

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
	Mark            Mark
}

// A Notice says which privacy notice the members of the group were given, when
// and how. The record may not be kept before they were.
type Notice struct {
	Version string
	GivenOn time.Time // a date: midnight UTC, zero if not given
	Method  string
}

// A Mark says how members mark a conversation as important, and which messages
// the conversation then consists of.
type Mark struct {
	// Emoji are the reactions that mark, as written in the file: variation
	// selectors and skin tones are not removed here.
	Emoji []string

	// Hold are the reactions by which the clerk, the deputy clerk or the chair puts
	// everything on hold; none: they cannot.
	Hold []string

	// Attach is how many bytes of photos and other files an email may carry.
	Attach int64

	// Roles are those on the member register whose reactions mark.
	Roles []string

	// Settle is how long a mark must stand before the conversation is sent.
	Settle time.Duration

	// Pause is how long a silence ends the conversation.
	Pause time.Duration

	// AtMost bounds the number of messages in one conversation.
	AtMost int
}

// Mail says how emails leave, and to whom.
type Mail struct {
	Server   string // host:port
	Security string // SecuritySTARTTLS or SecurityTLS
	Username string // empty if the server asks for no password

	// PasswordFile is read when systemd hands over no password.
	PasswordFile string

	From            string
	ConversationsTo string // the mailbox that marked conversations go to, of groups that name none
	Clerk           string // who receives notices, certificates and alerts

	CAFile  string // certificates trusted besides the system's own; empty for none
	Helo    string // the name we greet the server with; empty for the machine's own
	PerHour int    // the most emails sent in an hour
}

// Retention says how long messages are kept.
type Retention struct {
	Years int
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

// A Digest says when the clerk is sent the digest of the week that is over, and how
// much of what was said it repeats.
type Digest struct {
	Schedule string // as [Schedule.Nightly]
	Content  string // ContentReferences, ContentExtracts or ContentFull
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
		Policy:         Policy{Section: "5"},
		Mark: Mark{
			Emoji:  []string{"📌"},
			Hold:   []string{"🔒"},
			Attach: 10 << 20,
			Roles:  []string{"councillor", "chair", "clerk", "deputy", "officer"},
			Settle: 3 * time.Minute,
			Pause:  15 * time.Minute,
			AtMost: 200,
		},
		Mail:      Mail{Security: SecuritySTARTTLS, PerHour: 60},
		Retention: Retention{Years: 6},
		Disposal:  Disposal{NoticeDays: 30},
		Schedule:  Schedule{Nightly: "30 2 * * *"},
		Digest:    Digest{Schedule: "0 7 * * 1", Content: ContentExtracts},
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
	if err := doc.err(); err != nil {
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
	mark := top.section("mark")
	c.Mark.read(mark)
	mark.megabytes("attach_megabytes", 10, &c.Mark.Attach)
	c.Mail.read(top.section("mail"), c.Council)
	c.readGroups(top.sections("group"))
	top.section("retention").number("years", 1, 100, &c.Retention.Years)
	c.Disposal.read(top.section("disposal"))
	top.section("schedule").text("nightly", &c.Schedule.Nightly, cronLine("30 2 * * *", "for every night at 02:30"))
	c.Digest.read(top.section("digest"))
}

func (c *Council) read(s section) {
	s.text("name", &c.Name)
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
		g := Group{EveryCouncillor: true, ConversationsTo: c.Mail.ConversationsTo, Mark: c.Mark}
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
		g.Mark.read(s.section("mark"))
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

func (m *Mark) read(s section) {
	s.list("emoji", &m.Emoji, emoji)
	s.list("roles", &m.Roles, oneOf("councillor", "chair", "clerk", "deputy", "officer", "other"))
	if len(m.Emoji) == 0 && s.gives("emoji") {
		s.fault("emoji", "without an emoji nothing can be marked: name at least one, or remove the line")
	}
	s.list("hold", &m.Hold, emoji)
	for _, e := range m.Hold {
		if slices.Contains(m.Emoji, e) && s.gives("emoji", "hold") {
			s.fault("hold", "the same emoji cannot mark a conversation and place a hold: choose another")
		}
	}
	if len(m.Roles) == 0 && s.gives("roles") {
		s.fault("roles", "without a role nobody can mark: name at least one, or remove the line")
	}
	s.duration("settle", 0, 24*time.Hour, &m.Settle)
	s.duration("pause", time.Second, 24*time.Hour, &m.Pause)
	s.number("at_most", 1, 1000, &m.AtMost)
}

func (m *Mail) read(s section, council Council) {
	s.text("server", &m.Server, mailServer)
	s.text("security", &m.Security, oneOf(SecuritySTARTTLS, SecurityTLS))
	s.text("username", &m.Username)
	s.text("password_file", &m.PasswordFile, absolutePath)
	s.text("from", &m.From, emailAddress, ownAddress(council))
	s.text("conversations_to", &m.ConversationsTo, emailAddress, ownAddress(council))
	s.text("clerk", &m.Clerk, emailAddress, ownAddress(council))
	s.text("ca_file", &m.CAFile, absolutePath)
	s.text("helo", &m.Helo, hostName)
	s.number("per_hour", 1, 3600, &m.PerHour)
}

func (d *Digest) read(s section) {
	s.text("schedule", &d.Schedule, cronLine("0 7 * * 1", "for every Monday at 07:00"))
	s.text("content", &d.Content, oneOf(ContentReferences, ContentExtracts, ContentFull))
}

func (d *Disposal) read(s section) {
	s.text("approval", &d.Approval, oneOf(ApprovalStanding, ApprovalEach))
	s.text("approval_minute", &d.ApprovalMinute)
	s.number("notice_days", 30, 365, &d.NoticeDays)
	if d.Approval == ApprovalStanding && d.ApprovalMinute == "" {
		s.fault("approval", "a standing approval must be a decision of the council: put the reference of its minute in approval_minute")
	}
}
