// Package daemon wires the packages together and gives them their lifetime: it
// captures what WhatsApp delivers, has letters composed and sent, and does the
// nightly work.
//
// Everything that a schedule does here can be called at any other time: what is
// due is computed from the archive, never from when a timer fired.
package daemon

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"muniment/internal/alert"
	"muniment/internal/archive"
	"muniment/internal/backup"
	"muniment/internal/command"
	"muniment/internal/config"
	"muniment/internal/disposal"
	"muniment/internal/flag"
	"muniment/internal/forward"
	"muniment/internal/journal"
	"muniment/internal/ledger"
	"muniment/internal/letter"
	"muniment/internal/mail"
	"muniment/internal/people"
	"muniment/internal/sqlite"
	"muniment/internal/vault"
	"muniment/internal/verify"
	"muniment/internal/whatsapp"
)

// Options say what the daemon is to do.
type Options struct {
	Config  config.Config
	Log     *slog.Logger
	Version string

	// Now tells the time; nil: the machine's clock. The demonstration steps it.
	Now func() time.Time
	// HTTP reaches WhatsApp; nil: as the environment says.
	HTTP *http.Client
	// Secret tells what we log in to the mail server by; nil: the configuration's
	// way. A command that gives up root's rights reads it before.
	Secret func() (string, error)
	// Demonstration says that nothing here is real. Without it, a directory
	// that is marked as a demonstration's is refused.
	Demonstration bool
}

// clock tells the time as the options say.
func (o Options) clock() func() time.Time {
	if o.Now == nil {
		return time.Now
	}
	return o.Now
}

// Daemon is a council's instance, opened.
type Daemon struct {
	o        Options
	home     Home
	log      *slog.Logger
	now      func() time.Time
	db       *sqlite.DB
	key      *ledger.Key
	archive  *archive.Archive
	session  *whatsapp.Session
	forward  map[string]forward.Rules // of each group, by its JID
	vault    *vault.Vault
	disposal *disposal.Disposal
	letters  letter.Writer
	outbox   *mail.Outbox
	backups  *backup.Target // nil: none are made
	release  func()

	transport *mail.Transport // the way to the council's mail server

	pieces chan struct{} // one of history is to be read
	heard  sync.Map      // groups of which this run has had the list of participants

	backupTried    time.Time // when this run last tried to make one; of runBackups
	backupsDoubted error     // why it is not known which there are; of dispose, which alone writes it

	intake    int64        // this run's account
	received  atomic.Int64 // events at the door
	uncounted int64        // of them, those that failed when not even that could be written; of the hooks

	refused atomic.Pointer[refusal] // the archive takes no writes; nil: it does
	lookNow chan struct{}           // see look

	desk           alert.Desk
	command        command.Command
	toTell         chan struct{}      // the alert command is to be run
	urgent         chan alert.Telling // likewise, for what the archive does not know
	unwritableTold time.Time          // when that was last told so; of judge
	expiries       func() []Expiry    // what expires, as far as is known
	startedAt      time.Time

	phoneAsked  time.Time    // when this run last asked the council's phone whether it is there; WatchPhone's
	connectedAt atomic.Int64 // when this run was first connected, Unix nanoseconds; 0: not yet
}

// Open opens everything that Run needs and refuses, with a sentence saying what
// to do, whatever is not ready for it. [whatsapp.ErrNotLinked] is among the
// reasons.
func Open(ctx context.Context, o Options) (_ *Daemon, err error) {
	d := &Daemon{o: o, home: Home(o.Config.StateDirectory), log: o.Log, now: o.clock(), lookNow: make(chan struct{}, 1), pieces: make(chan struct{}, 1),
		toTell: make(chan struct{}, 1), urgent: make(chan alert.Telling, 1)}
	if d.home.IsDemonstration() && !o.Demonstration {
		return nil, ErrDemonstration
	}
	if d.db, err = d.home.OpenArchive(ctx); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.Close())
		}
	}()
	if d.release, err = d.home.Lock(); err != nil {
		return nil, err
	}
	if d.session, err = d.home.openSession(ctx, o); err != nil {
		return nil, err
	}
	if err := d.ready(); err != nil {
		return nil, err
	}
	if d.key, err = d.home.OpenKey(); err != nil {
		return nil, err
	}
	if err := d.wire(ctx); err != nil {
		return nil, err
	}
	return d, nil
}

// ErrIncomplete is returned where the configuration lacks what Run needs.
var ErrIncomplete = errors.New("not ready to run")

// ready returns every reason why Run must not begin.
func (d *Daemon) ready() error {
	var reasons []error
	if !d.session.Linked() {
		reasons = append(reasons, fmt.Errorf("%w: run `muniment link` first", whatsapp.ErrNotLinked))
	}
	if err := Complete(d.o.Config, d.now()); err != nil {
		reasons = append(reasons, fmt.Errorf("%w:\n%w", ErrIncomplete, err))
	}
	return errors.Join(reasons...)
}

// Complete returns every reason why the configuration does not suffice for Run
// now, a line each.
func Complete(c config.Config, now time.Time) error {
	err := c.ReadyToRun()
	for i, g := range c.Groups {
		of := ""
		if len(c.Groups) > 1 {
			of = fmt.Sprintf(" of group %d", i+1)
		}
		if given := g.Notice.GivenOn; given.After(now.Add(24 * time.Hour)) {
			err = errors.Join(err, fmt.Errorf("the privacy notice%s is to be given on %s, which is in the future: the record may not begin before everyone has it", of, longDate(given)))
		}
	}
	if c.Backup.Recipient != "" {
		if _, wrong := backup.ParseRecipient(c.Backup.Recipient); wrong != nil {
			err = errors.Join(err, fmt.Errorf("the key that backups are to be encrypted to, recipient under [backup] in %s, is not one: %w", c.File, wrong))
		}
	}
	return err
}

// openSession opens the companion device.
func (h Home) openSession(ctx context.Context, o Options) (*whatsapp.Session, error) {
	var groups []string
	for _, g := range o.Config.Groups {
		if g.JID != "" { // link and groups are there to tell it
			groups = append(groups, g.JID)
		}
	}
	return whatsapp.Open(ctx, whatsapp.Options{
		Path: h.session(), KeyPath: h.bufferKey(), Groups: groups, HTTP: o.HTTP, Log: o.Log, Now: o.Now,
	})
}

// load reads what the archive and the configuration say of how records are captured, and
// what they cause.
func (d *Daemon) load(ctx context.Context) error {
	c := d.o.Config
	err := d.db.Write(ctx, func(tx *sqlite.Tx) error {
		var err error
		if d.archive, err = archive.Load(tx, c.Retention.Schedule); err != nil {
			return err
		}
		// Before anything is written with this clock.
		if err := disposal.CheckClock(tx, d.now()); err != nil {
			return err
		}
		return d.archive.Adopt(tx, d.now())
	})
	if err != nil {
		return err
	}
	d.openDesk(c)
	d.forward = Forwarding(c, d.archive.Token())
	return nil
}

// wire makes the parts from the configuration.
func (d *Daemon) wire(ctx context.Context) error {
	c := d.o.Config
	if err := d.load(ctx); err != nil {
		return err
	}
	names := make(map[string]string)
	for _, g := range c.Groups {
		names[g.JID] = g.Name
	}
	host, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("this machine's name: %w", err)
	}
	d.vault = &vault.Vault{Directory: d.home.media(), DB: d.db, Log: d.log, Now: d.now,
		Download: d.download, Connected: d.session.Connected, Ask: d.askFile}
	d.disposal = Deciding(c, d.archive, d.now)
	d.disposal.DB, d.disposal.Vault, d.disposal.Groups, d.disposal.Key, d.disposal.Log = d.db, d.vault, names, d.key, d.log
	d.disposal.Directory, d.disposal.Verify, d.disposal.ScrubSession = string(d.home), d.verify, d.session.ScrubBuffer
	d.disposal.Issuer = disposal.Issuer{
		Council: c.Council.Name, PolicyTitle: c.Policy.Title, PolicyAdopted: longDate(c.Policy.Adopted),
		PolicyMinute: c.Policy.Minute, PolicySection: c.Policy.Section,
		Program: "muniment " + d.o.Version, Host: host,
	}
	if err := d.wireBackups(ctx); err != nil {
		return err
	}
	d.letters = Letters(c, d.o.Demonstration)
	d.letters.Files = letter.Files{Vault: d.vault, Most: c.Conversation.Attach}
	if d.transport, err = Transport(c, d.o.Secret); err != nil {
		return err
	}
	d.expiries = d.mailExpiries
	d.outbox = mail.New(d.db, d.log, c.Council.Owns, d.transport.Send, d.compose, d.now, c.Mail.PerHour)
	return nil
}

// Deciding returns what lists and early disposals are decided by, without what it takes to
// destroy.
func Deciding(c config.Config, a *archive.Archive, now func() time.Time) *disposal.Disposal {
	return &disposal.Disposal{
		Archive: a, Now: now, Owns: c.Council.Owns,
		Policy: disposal.Policy{
			Approval: disposal.Approval(c.Disposal.Approval), Minute: c.Disposal.ApprovalMinute,
			NoticeDays: c.Disposal.NoticeDays, From: c.Mail.From, To: c.Mail.Clerk,
		},
		Chair: func(tx *sqlite.Tx) (string, error) {
			return forward.Post{From: c.Mail.From, Clerk: c.Mail.Clerk, Owns: c.Council.Owns}.Chair(tx, now())
		},
	}
}

// Letters returns the writer of the council's letters.
func Letters(c config.Config, demonstration bool) letter.Writer {
	groups := make(map[string]letter.Group)
	for _, g := range c.Groups {
		groups[g.JID] = letter.Group{Name: g.Name, Purpose: g.Purpose, EveryCouncillor: g.EveryCouncillor,
			Notice: people.Notice{On: g.Notice.GivenOn, Version: g.Notice.Version}}
	}
	return letter.Writer{
		Council: c.Council.Name, Regulator: c.Council.Regulator, Groups: groups, Demonstration: demonstration, Flags: flag.Reader{Domains: c.Council.Domains},
		PolicyTitle: c.Policy.Title, PolicySection: c.Policy.Section, PolicyReference: policyReference(c.Policy),
		Schedule: c.Retention.Schedule,
	}
}

// policyReference names the policy under which the record is kept.
func policyReference(p config.Policy) string {
	var parts []string
	if p.Title != "" {
		parts = append(parts, p.Title)
	}
	if !p.Adopted.IsZero() {
		parts = append(parts, "adopted on "+longDate(p.Adopted))
	}
	if p.Minute != "" {
		parts = append(parts, "minute "+p.Minute)
	}
	return strings.Join(parts, ", ")
}

// Transport returns the way to the council's mail server; for secret see [Options].
func Transport(c config.Config, secret func() (string, error)) (*mail.Transport, error) {
	if secret == nil {
		secret = c.Mail.Secret
	}
	known, err := secret()
	if err != nil {
		return nil, err
	}
	t := &mail.Transport{
		Server: c.Mail.Server, Security: mail.Security(c.Mail.Security),
		Username: c.Mail.Username, Helo: c.Mail.Helo,
	}
	if t.Roots, err = trusted(c.Mail.CAFile); err != nil {
		return nil, err
	}
	if c.Mail.Auth != config.AuthOAuth {
		t.Password = known
		return t, nil
	}
	o := c.Mail.OAuth
	t.OAuth = &mail.OAuth{TokenURL: o.TokenURL, ClientID: o.ClientID, Scope: o.Scope, Secret: known, Roots: t.Roots}
	return t, nil
}

// mailExpiries returns what emails depend on and expires: of the certificate, when, once the
// server was met. A certificate is somebody
// else's to renew, mostly by a machine and about a month before; a secret is ours.
func (d *Daemon) mailExpiries() (all []Expiry) {
	const day = 24 * time.Hour
	all = append(all, Expiry{What: "The mail server's certificate", At: d.transport.CertificateExpires(), Notice: 14 * day})
	if m := d.o.Config.Mail; m.Auth == config.AuthOAuth && !m.OAuth.SecretExpires.IsZero() {
		all = append(all, Expiry{What: "The secret by which we log in to the mail server", At: m.OAuth.SecretExpires, Notice: 30 * day})
	}
	return all
}

// trusted returns who may vouch for the mail server, besides those whom the system
// trusts; nil: nobody else.
func trusted(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("the system's certificates: %w", err)
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("mail.ca_file: %w", err)
	}
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("mail.ca_file: there is no certificate in %s", file)
	}
	return roots, nil
}

func longDate(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format("2 January 2006")
}

// verify checks the whole archive; a disposal run asks for it first. That it fails, or does
// no more, is journaled and told.
func (d *Daemon) verify(ctx context.Context) error {
	r, err := verify.Run(ctx, d.db, d.key, verify.With{Disposal: disposal.Faults})
	if err != nil {
		return err
	}
	if err := d.verified(ctx, r.OK()); err != nil {
		return err
	}
	if !r.OK() {
		return fmt.Errorf("%d faults; see `muniment verify`", len(r.Faults)+r.More)
	}
	return nil
}

// verified notes whether the archive verifies, if that is news.
func (d *Daemon) verified(ctx context.Context, ok bool) error {
	defer d.tell()
	return d.db.Write(ctx, func(tx *sqlite.Tx) error {
		wrong, err := verifyWrong(tx)
		if failed := len(wrong) > 0; err != nil || failed != ok {
			return err
		}
		act := journal.VerifyFailed
		if ok {
			act = journal.VerifyPassed
		}
		if err := d.journaled(tx, act, nil); err != nil {
			return err
		}
		if wrong, err = verifyWrong(tx); err != nil {
			return err
		}
		return d.raise(tx, wrong)
	})
}

// Close closes everything; Run must have returned.
func (d *Daemon) Close() error {
	var errs []error
	if d.transport != nil {
		d.transport.Close()
	}
	if d.session != nil {
		errs = append(errs, d.session.Close())
	}
	if d.db != nil {
		errs = append(errs, d.db.Close())
	}
	if d.release != nil {
		d.release()
	}
	return errors.Join(errs...)
}

func (d *Daemon) messageID(kind string, about int64) string {
	return mail.MessageID(kind, about, d.archive.Token(), d.o.Config.Mail.From)
}

// journaled writes an entry of the daemon's own.
func (d *Daemon) journaled(tx *sqlite.Tx, a journal.Act, about journal.About) error {
	return journal.Write(tx, journal.Entry{At: d.now(), Who: journal.Daemon, Act: a, About: about})
}
