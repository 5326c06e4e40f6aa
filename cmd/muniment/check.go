package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"muniment/internal/archive"
	"muniment/internal/config"
	"muniment/internal/daemon"
	"muniment/internal/letter"
	"muniment/internal/mail"
	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
)

// errNotReady is returned when a check found something wrong; it has been told.
var errNotReady = errors.New("not ready: see what is NOT RIGHT above")

func (a *app) checkCommand() *cobra.Command {
	var noEmail bool
	c := &cobra.Command{
		Use:   "check",
		Short: "Check configuration, archive, link, clock, disk and the way to council email",
		Long: `Check looks at what the daemon needs, shows what is set for each group, and sends a
test email to the council's mailboxes, to the clerk and to who is told of technical
alerts (not with --no-email). Each line says what was found, and what to do if it is
not right.`,
		Example: `  sudo muniment check
  sudo muniment check --no-email`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := a.load()
			if err != nil {
				return err
			}
			k := &checklist{out: c.OutOrStdout()}
			incomplete := daemon.Complete(cfg, now())
			k.add("configuration", "read from "+cfg.File, incomplete)
			k.showGroups(cfg)
			checkArchive(c.Context(), k, cfg)
			checkLink(c.Context(), k, cfg)
			checkClock(k)
			checkDisk(k, cfg.StateDirectory)
			checkBackups(k, cfg)
			checkAlertCommand(k, cfg.Alerts.Command)
			a.checkMail(c.Context(), k, cfg, !noEmail)
			switch {
			case incomplete != nil:
				return usageError{errNotReady}
			case k.failed:
				return errNotReady
			}
			fmt.Fprintln(k.out, "Ready.")
			return nil
		},
	}
	c.Flags().BoolVar(&noEmail, "no-email", false, "send no test email; only log in to the mail server")
	return c
}

// checklist tells what was found, a line each.
type checklist struct {
	out    io.Writer
	failed bool
}

// add tells what was found, or each reason why it is not right.
func (k *checklist) add(what, found string, err error) {
	if err == nil {
		fmt.Fprintf(k.out, "ok         %s: %s\n", what, found)
		return
	}
	k.failed = true
	for reason := range strings.Lines(err.Error()) {
		fmt.Fprintf(k.out, "NOT RIGHT  %s: %s\n", what, strings.TrimSpace(reason))
	}
}

// doubt tells what may be right, but should be seen to.
func (k *checklist) doubt(what, found string) {
	fmt.Fprintf(k.out, "SEE TO IT  %s: %s\n", what, found)
}

// showGroups tells what is set for each group: it is for people to see whether that is
// what the council decided.
func (k *checklist) showGroups(cfg config.Config) {
	for _, g := range cfg.Groups {
		if g.Name == "" {
			continue // said by now
		}
		k.add("group “"+printable(g.Name)+"”", strings.Join(nonEmpty(aboutNotice(g.Notice), "purpose: "+g.Purpose), "; "), nil)
		for _, m := range g.Marks {
			k.add(fmt.Sprintf("mark “%s” in “%s”", m.Name, printable(g.Name)), aboutMark(m, g, cfg.Mail.Clerk), nil)
		}
	}
}

func aboutNotice(n config.Notice) string {
	if n.Version == "" || n.GivenOn.IsZero() {
		return ""
	}
	return fmt.Sprintf("privacy notice version %s given on %s", n.Version, n.GivenOn.Format("2 January 2006"))
}

// aboutMark says what a mark is in a group, and what it does.
func aboutMark(m record.Mark, g config.Group, clerk string) string {
	if len(m.Emoji) == 0 {
		return "not in use"
	}
	var emoji []string
	for _, e := range m.Emoji {
		emoji = append(emoji, fmt.Sprintf("%s (%s)", e, codePoints(e)))
	}
	does := map[record.Deed]string{
		record.Forward: "sends the conversation" + to(cmp.Or(m.To, g.ConversationsTo)),
		record.Report: fmt.Sprintf("reports a concern%s; about a message of the clerk or the deputy%s", to(cmp.Or(m.To, clerk)),
			cmp.Or(to(m.AboutClerk), " to the chair, at the address on the register")),
		record.Look: "asks to look whether the message belongs in the group" + to(cmp.Or(m.To, clerk)),
		record.Hold: "puts everything on hold",
	}[m.Does]
	return fmt.Sprintf("%s from any %s %s", strings.Join(emoji, " or "), either(m.Roles), does)
}

func to(address string) string {
	if address == "" {
		return ""
	}
	return " to " + address
}

// codePoints writes an emoji as what it consists of: two that look alike need not be one.
func codePoints(emoji string) string {
	var points []string
	for _, r := range emoji {
		points = append(points, fmt.Sprintf("U+%04X", r))
	}
	return strings.Join(points, " ")
}

// either lists what is one or the other.
func either(all []string) string {
	last := len(all) - 1
	if last < 1 {
		return strings.Join(all, "")
	}
	return strings.Join(all[:last], ", ") + " or " + all[last]
}

// mailboxes returns every address that emails go to.
func mailboxes(cfg config.Config) (all []string) {
	for _, g := range cfg.Groups {
		all = append(all, g.ConversationsTo)
		for _, m := range g.Marks {
			all = append(all, m.To, m.AboutClerk)
		}
	}
	all = nonEmpty(append(all, cfg.Mail.ConversationsTo, cfg.Mail.Clerk, cfg.Alerts.TechnicalTo)...)
	slices.Sort(all)
	return slices.Compact(all)
}

// checkArchive opens the archive, its key and the member register, and looks at
// who else could.
func checkArchive(ctx context.Context, k *checklist, cfg config.Config) {
	home := daemon.Home(cfg.StateDirectory)
	db, err := home.OpenArchive(ctx)
	if err != nil {
		k.add("archive", "", err)
		return
	}
	_, err = home.OpenKey()
	k.add("archive", "in "+cfg.StateDirectory, errors.Join(err, private(cfg.StateDirectory)))
	checkRetention(ctx, k, cfg, db)
	var members []people.Member
	err = db.Read(ctx, func(tx *sqlite.Tx) (err error) {
		members, err = people.Members(tx)
		return err
	})
	if err == nil && len(members) == 0 {
		err = errors.New("nobody is on the member register, so that nobody can mark and no name is known: sudo muniment member add")
	}
	k.add("members", fmt.Sprintf("%d on the register", len(members)), errors.Join(err, db.Close()))
}

// checkRetention tells for how long is kept, and whether the schedule can be adopted.
func checkRetention(ctx context.Context, k *checklist, cfg config.Config, db *sqlite.DB) {
	s := cfg.Retention.Schedule
	err := db.Read(ctx, func(tx *sqlite.Tx) error {
		ar, err := archive.Load(tx, s)
		if err != nil {
			return err
		}
		return ar.Adoptable(tx)
	})
	messages := retention.Rule{From: retention.FromMessage, Years: s.Years(retention.Messages, "")}
	k.add("retention", "messages are kept "+strings.TrimPrefix(messages.Period(), "for ")+", by "+
		cmp.Or(cfg.Retention.File, "the program's own schedule"), err)
	if lacks := withoutRule(s); lacks != "" {
		k.doubt("retention", lacks)
	}
}

// private returns which files others than their owner can open.
func private(directory string) error {
	var open []error
	err := filepath.WalkDir(directory, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		} else if err == nil && info.Mode().Perm()&0o077 != 0 {
			open = append(open, fmt.Errorf("%s can be opened by others (mode %04o): chmod go= %s", path, info.Mode().Perm(), path))
		}
		return err
	})
	return errors.Join(append(open, err)...)
}

// checkLink asks the session whether there is a link. While the daemon runs, it
// is the daemon's.
func checkLink(ctx context.Context, k *checklist, cfg config.Config) {
	home := daemon.Home(cfg.StateDirectory)
	if home.Running() {
		k.add("link", "in use by the daemon, which is running", nil)
		return
	}
	l, err := daemon.OpenLink(ctx, daemon.Options{Config: cfg, Log: slog.New(slog.DiscardHandler)})
	if err == nil {
		if !l.Linked() {
			err = errors.New("this machine is not linked to a WhatsApp account: sudo muniment link")
		}
		err = errors.Join(err, l.Close())
	}
	k.add("link", "there is one", err)
}

// checkClock asks the kernel whether something keeps the clock right. On some
// virtual machines the host does, and the kernel does not know.
func checkClock(k *checklist) {
	const unsynchronised = 5 // TIME_ERROR of adjtimex(2)
	state, err := syscall.Adjtimex(&syscall.Timex{})
	at := now().UTC().Format("2006-01-02 15:04:05 UTC")
	if err == nil && state == unsynchronised {
		k.doubt("clock", at+"; the system knows of nothing that keeps it right: switch on time synchronisation (timedatectl set-ntp true), unless the machine's host sees to it")
		return
	}
	k.add("clock", at+", synchronised", err)
}

// leastDisk is how much room there should be, in bytes: years of one group's
// text, and what a disposal run needs to rebuild the archive's file.
const leastDisk = 1 << 30

func checkDisk(k *checklist, directory string) {
	var disk syscall.Statfs_t
	err := syscall.Statfs(directory, &disk)
	free := disk.Bavail * uint64(disk.Bsize)
	switch {
	case err != nil:
		err = fmt.Errorf("%s: %w", directory, err)
	case free < leastDisk:
		err = fmt.Errorf("only %d MB are free where %s lies: make room, at least 1 GB", free>>20, directory)
	}
	k.add("disk", fmt.Sprintf("%d GB free", free>>30), err)
}

// checkAlertCommand sees whether the program can be run that tells of what no email can. It
// is not run: it would wake somebody.
func checkAlertCommand(k *checklist, command []string) {
	if len(command) == 0 {
		return
	}
	err := executable(command, "nobody is told when emails cannot be sent", "command under [alerts]")
	k.add("alert command", command[0]+" is there; it was not run", err)
}

// mailPatience is how long the mail server may take.
const mailPatience = 20 * time.Second

// checkMail logs in to the mail server and, if it may, sends the test email.
func (a *app) checkMail(ctx context.Context, k *checklist, cfg config.Config, send bool) {
	if cfg.Mail.Server == "" || cfg.Mail.From == "" {
		k.add("email", "", errors.New("it is not set up in the configuration"))
		return
	}
	transport, err := daemon.Transport(cfg, a.secret)
	if err != nil {
		k.add("email", "", err)
		return
	}
	defer transport.Close()
	ctx, cancel := context.WithTimeout(ctx, mailPatience)
	defer cancel()
	probe, err := transport.Check(ctx)
	k.add("email", aboutServer(cfg.Mail, probe), hinted(err, cfg.Mail))
	if cfg.Mail.Auth == config.AuthOAuth {
		k.showSecret(cfg.Mail.OAuth)
	}
	if err != nil {
		return
	}
	if soon(probe.Expires) {
		k.doubt("email", fmt.Sprintf("the server's certificate expires on %s: see that whoever runs %s renews it in time", shortDate(probe.Expires), cfg.Mail.Server))
	}
	if !send {
		return
	}
	letters := daemon.Letters(cfg, false)
	for _, to := range mailboxes(cfg) {
		err := sendTest(ctx, transport, &letters, cfg, to, probe.TLS)
		k.add("test email to "+to, "handed over: see that it arrives", err)
	}
}

// aboutServer says what the mail server is like.
func aboutServer(m config.Mail, p mail.Probe) string {
	said := fmt.Sprintf("%s answers over %s", m.Server, p.TLS)
	if p.Login != "" {
		said += "; logged in by " + p.Login
	}
	if p.Size > 0 {
		said += fmt.Sprintf("; it takes emails up to %d MB", p.Size/1e6)
	}
	if p.UTF8 {
		said += "; it takes addresses with letters beyond ASCII"
	}
	return said + "; its certificate is valid until " + shortDate(p.Expires)
}

// showSecret tells how long tokens can be had for the secret: when it expires, no email
// leaves any more.
func (k *checklist) showSecret(o config.OAuth) {
	const what = "secret for mail tokens"
	switch {
	case o.SecretExpires.IsZero():
		k.doubt(what, "when it expires is not known: put that day in secret_expires under [mail.oauth], so that you are warned")
	case soon(o.SecretExpires):
		k.doubt(what, fmt.Sprintf("it expires on %s, and from then on no email leaves: make a new one and correct secret_expires under [mail.oauth]", shortDate(o.SecretExpires)))
	default:
		k.add(what, "expires on "+shortDate(o.SecretExpires), nil)
	}
}

// soon reports whether t is within thirty days, or past.
func soon(t time.Time) bool { return t.Sub(now()) < 30*24*time.Hour }

func shortDate(t time.Time) string { return t.Format("2 January 2006") }

// hinted adds to why the mail server could not be used what is most often the
// reason.
func hinted(err error, m config.Mail) error {
	hint := ""
	switch {
	case err == nil:
		return nil
	case strings.HasSuffix(m.Server, ":465") && m.Security == config.SecuritySTARTTLS:
		hint = `port 465 usually wants security = "tls"`
	case strings.HasSuffix(m.Server, ":587") && m.Security == config.SecurityTLS:
		hint = `port 587 usually wants security = "starttls"`
	case strings.Contains(err.Error(), "unknown authority"):
		hint = "if the certificate is of the council's own making, name its authority's in ca_file under [mail]"
	case strings.Contains(err.Error(), "cannot reach"):
		hint = "is its name under [mail] right, and does a firewall let this machine out?"
	default:
		return err
	}
	return fmt.Errorf("%w (%s)", err, hint)
}

// sendTest sends the test email to one of the council's addresses.
func sendTest(ctx context.Context, transport *mail.Transport, letters *letter.Writer, cfg config.Config, to, tls string) error {
	if !cfg.Council.Owns(to) || !cfg.Council.Owns(cfg.Mail.From) {
		return errors.New("it is not at one of the council's domains, and emails go to no other")
	}
	at := now()
	msg, err := letters.Test(letter.Header{
		MessageID: fmt.Sprintf("check.%d@%s", at.UnixNano(), cfg.Council.Domains[0]),
		From:      cfg.Mail.From, To: []string{to}, Date: at,
	}, letter.Connection{Server: cfg.Mail.Server, TLS: tls})
	if err == nil {
		_, err = transport.Send(ctx, cfg.Mail.From, to, msg)
	}
	return err
}
