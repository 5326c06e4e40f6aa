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
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"muniment/internal/archive"
	"muniment/internal/config"
	"muniment/internal/disposal"
	"muniment/internal/forward"
	"muniment/internal/journal"
	"muniment/internal/ledger"
	"muniment/internal/letter"
	"muniment/internal/mail"
	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/retention"
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
	// Password tells the mail account's; nil: the configuration's way. A
	// command that gives up root's rights reads it before.
	Password func() (string, error)
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
	release  func()

	pieces chan struct{} // one of history is to be read
	heard  sync.Map      // groups of which this run has had the list of participants

	intake    int64        // this run's account
	received  atomic.Int64 // events at the door
	uncounted int64        // of them, those that failed when not even that could be written; of the hooks

	refused atomic.Pointer[refusal] // the archive takes no writes; nil: it does
	lookNow chan struct{}           // see look

	phoneAsked  time.Time    // when this run last asked the council's phone whether it is there; WatchPhone's
	connectedAt atomic.Int64 // when this run was first connected, Unix nanoseconds; 0: not yet
}

// Open opens everything that Run needs and refuses, with a sentence saying what
// to do, whatever is not ready for it. [whatsapp.ErrNotLinked] is among the
// reasons.
func Open(ctx context.Context, o Options) (_ *Daemon, err error) {
	d := &Daemon{o: o, home: Home(o.Config.StateDirectory), log: o.Log, now: o.clock(), lookNow: make(chan struct{}, 1), pieces: make(chan struct{}, 1)}
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
		if slices.ContainsFunc(g.Mark.Hold, record.Marks(g.Mark.Emoji).Has) {
			err = errors.Join(err, fmt.Errorf("mark.hold%s: the same emoji cannot mark a conversation and place a hold; skin tones make no difference: choose another", of))
		}
		if given := g.Notice.GivenOn; given.After(now.Add(24 * time.Hour)) {
			err = errors.Join(err, fmt.Errorf("the privacy notice%s is to be given on %s, which is in the future: the record may not begin before everyone has it", of, longDate(given)))
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
		if d.archive, err = archive.Load(tx, retention.Schedule{MessageYears: c.Retention.Years}); err != nil {
			return err
		}
		// Before anything is written with this clock.
		return disposal.CheckClock(tx, d.now())
	})
	if err != nil {
		return err
	}
	d.forward = make(map[string]forward.Rules)
	for _, g := range c.Groups {
		d.forward[g.JID] = forward.Rules{
			Marks: record.Marks(g.Mark.Emoji), Roles: g.Mark.Roles, Settle: g.Mark.Settle,
			Choice: record.Rule{Pause: g.Mark.Pause, AtMost: g.Mark.AtMost},
			From:   c.Mail.From, To: g.ConversationsTo, Token: d.archive.Token(),
		}
	}
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
	d.vault = &vault.Vault{Directory: d.home.media(), DB: d.db, Log: d.log, Now: d.now, Download: d.download, Ask: d.askFile}
	d.disposal = &disposal.Disposal{
		DB: d.db, Archive: d.archive, Vault: d.vault, Groups: names, Key: d.key, Log: d.log, Now: d.now,
		Policy: disposal.Policy{
			Approval: disposal.Approval(c.Disposal.Approval), Minute: c.Disposal.ApprovalMinute,
			NoticeDays: c.Disposal.NoticeDays, From: c.Mail.From, To: c.Mail.Clerk,
		},
		Directory:    string(d.home),
		Verify:       d.verify,
		ScrubSession: d.session.ScrubBuffer,
		Issuer: disposal.Issuer{
			Council: c.Council.Name, PolicyTitle: c.Policy.Title, PolicyAdopted: longDate(c.Policy.Adopted),
			PolicyMinute: c.Policy.Minute, PolicySection: c.Policy.Section,
			Program: "muniment " + d.o.Version, Host: host,
		},
	}
	d.letters = Letters(c, d.o.Demonstration)
	d.letters.Files = letter.Files{Vault: d.vault, Most: c.Mark.Attach}
	transport, err := Transport(c, d.o.Password)
	if err != nil {
		return err
	}
	d.outbox = mail.New(d.db, d.log, c.Council.Owns, transport.Send, d.compose, d.now, c.Mail.PerHour)
	return nil
}

// Letters returns the writer of the council's letters.
func Letters(c config.Config, demonstration bool) letter.Writer {
	groups := make(map[string]letter.Group)
	for _, g := range c.Groups {
		groups[g.JID] = letter.Group{Name: g.Name, Purpose: g.Purpose, EveryCouncillor: g.EveryCouncillor,
			Notice: people.Notice{On: g.Notice.GivenOn, Version: g.Notice.Version}}
	}
	return letter.Writer{
		Council: c.Council.Name, Groups: groups, Demonstration: demonstration,
		PolicyTitle: c.Policy.Title, PolicySection: c.Policy.Section, PolicyReference: policyReference(c.Policy),
		Schedule: retention.Schedule{MessageYears: c.Retention.Years},
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

// Transport returns the way to the council's mail server; for password see
// [Options].
func Transport(c config.Config, password func() (string, error)) (*mail.Transport, error) {
	if password == nil {
		password = c.Mail.Password
	}
	t := &mail.Transport{
		Server: c.Mail.Server, Security: mail.Security(c.Mail.Security),
		Username: c.Mail.Username, Helo: c.Mail.Helo,
	}
	var err error
	if t.Password, err = password(); err != nil {
		return nil, err
	}
	if c.Mail.CAFile == "" {
		return t, nil
	}
	if t.Roots, err = x509.SystemCertPool(); err != nil {
		return nil, fmt.Errorf("the system's certificates: %w", err)
	}
	pem, err := os.ReadFile(c.Mail.CAFile)
	if err != nil {
		return nil, fmt.Errorf("mail.ca_file: %w", err)
	}
	if !t.Roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("mail.ca_file: there is no certificate in %s", c.Mail.CAFile)
	}
	return t, nil
}

func longDate(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format("2 January 2006")
}

// verify checks the whole archive; a disposal run asks for it first.
func (d *Daemon) verify(ctx context.Context) error {
	r, err := verify.Run(ctx, d.db, d.key, verify.With{})
	if err != nil {
		return err
	}
	if !r.OK() {
		return fmt.Errorf("%d faults; see `muniment verify`", len(r.Faults)+r.More)
	}
	return nil
}

// Close closes everything; Run must have returned.
func (d *Daemon) Close() error {
	var errs []error
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

// compose has the letter written that an item of the outbox stands for.
func (d *Daemon) compose(ctx context.Context, it mail.Item) (msg []byte, err error) {
	h := letter.Header{MessageID: it.MessageID, From: it.From, To: it.To, Date: it.ComposedAt}
	switch it.Kind {
	case forward.Letter:
		return d.composeConversation(ctx, h, it)
	case forward.DigestLetter:
		return d.composeDigest(ctx, h, it.About)
	}
	err = d.db.Read(ctx, func(tx *sqlite.Tx) error {
		switch it.Kind {
		case disposal.NoticeLetter:
			n, err := d.disposal.Notice(tx, it.About)
			if errors.Is(err, disposal.ErrNoList) { // it lapsed before it could be sent
				return mail.ErrNothingToSend
			} else if err != nil {
				return err
			}
			msg, err = d.letters.Notice(tx, h, n)
			return err
		case disposal.CertificateLetter:
			c, err := disposal.LoadCertificate(tx, it.About)
			if err != nil {
				return err
			}
			msg, err = d.letters.Certificate(h, c)
			return err
		case forward.CorrectionLetter:
			msg, err = d.composeCorrection(tx, h, it.About)
			return err
		case holdLetter:
			msg, err = d.composeHold(tx, h, it.About)
			return err
		}
		return fmt.Errorf("there is no letter of the kind %q", it.Kind)
	})
	return msg, err
}

// filesWait is how long a conversation waits for its photos and other files.
const filesWait = 30 * time.Minute

// composeConversation decides first, once and for good, which messages belong to
// the conversation. Files that are being fetched are waited for, for a while.
func (d *Daemon) composeConversation(ctx context.Context, h letter.Header, it mail.Item) (msg []byte, err error) {
	err = d.db.Write(ctx, func(tx *sqlite.Tx) error {
		_, err := forward.Settle(tx, it.About)
		return err
	})
	if err != nil {
		return nil, err
	}
	err = d.db.Read(ctx, func(tx *sqlite.Tx) error {
		state, err := forward.StateOf(tx, it.About)
		if err != nil {
			return err
		}
		if state != forward.Settled {
			return mail.ErrNothingToSend
		}
		c, err := forward.Load(tx, it.About)
		if err != nil {
			return err
		}
		if wait, err := d.filesWanted(tx, c.Seqs); err != nil {
			return err
		} else if wait && !it.Early(d.now()) && d.now().Before(it.NotBefore.Add(filesWait)) {
			return mail.ErrLater
		}
		if c.Continues != 0 {
			h.InReplyTo = d.messageID(forward.Letter, c.Continues)
		}
		msg, err = d.letters.Conversation(tx, h, c)
		return nothingLeft(err)
	})
	return msg, err
}

// filesWanted reports whether a file of one of the messages is still to be fetched.
func (d *Daemon) filesWanted(tx *sqlite.Tx, seqs []record.Seq) (bool, error) {
	files, err := vault.Of(tx, seqs)
	for _, f := range files {
		if f.State == vault.Wanted {
			return true, err
		}
	}
	return false, err
}

func (d *Daemon) composeCorrection(tx *sqlite.Tx, h letter.Header, id int64) ([]byte, error) {
	c, err := forward.LoadCorrection(tx, id)
	if err != nil {
		return nil, err
	}
	switch it, err := mail.Find(tx, forward.Letter, c.Conversation.ID); {
	case err != nil:
		return nil, err
	case it.State == mail.Waiting:
		return nil, mail.ErrLater
	case it.State != mail.HandedOver: // nobody has it
		return nil, mail.ErrNothingToSend
	}
	h.InReplyTo = d.messageID(forward.Letter, c.Conversation.ID)
	msg, err := d.letters.Correction(tx, h, c)
	return msg, nothingLeft(err)
}

func (d *Daemon) composeHold(tx *sqlite.Tx, h letter.Header, id int64) ([]byte, error) {
	holds, err := archive.Holds(tx)
	if err != nil {
		return nil, err
	}
	for _, placed := range holds {
		if placed.ID == id {
			return d.letters.Hold(h, placed)
		}
	}
	return nil, fmt.Errorf("there is no hold %d", id)
}

// nothingLeft has an email cancelled of which nothing is kept any more.
func nothingLeft(err error) error {
	if errors.Is(err, letter.ErrNothingLeft) {
		return mail.ErrNothingToSend
	}
	return err
}

func (d *Daemon) messageID(kind string, about int64) string {
	return mail.MessageID(kind, about, d.archive.Token(), d.o.Config.Mail.From)
}

// journaled writes an entry of the daemon's own.
func (d *Daemon) journaled(tx *sqlite.Tx, a journal.Act, about journal.About) error {
	return journal.Write(tx, journal.Entry{At: d.now(), Who: journal.Daemon, Act: a, About: about})
}
