package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"muniment/internal/config"
	"muniment/internal/daemon"
	"muniment/internal/letter"
)

// errNotReady is returned when a check found something wrong; it has been told.
var errNotReady = errors.New("not ready; see above")

func (a *app) checkCommand() *cobra.Command {
	var noEmail bool
	c := &cobra.Command{
		Use:   "check",
		Short: "Check configuration, archive, clock, disk and the way to council email",
		Long: `Check looks at everything that the daemon needs, and sends a test email to the
council's mailbox and to the clerk (not with --no-email). Each line says what was
found, and what to do if it is not right.`,
		Example: `  sudo -u muniment muniment check
  sudo -u muniment muniment check --no-email`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := a.load()
			if err != nil {
				return err
			}
			k := &checklist{out: c.OutOrStdout()}
			k.add("configuration", "read from "+cfg.File, cfg.ReadyToRun())
			checkArchive(c.Context(), k, cfg)
			checkClock(k)
			checkDisk(k, cfg.StateDirectory)
			checkMail(c.Context(), k, cfg, !noEmail)
			if k.failed {
				return errNotReady
			}
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

func (k *checklist) add(what, found string, err error) {
	if err != nil {
		k.failed = true
		fmt.Fprintf(k.out, "NOT RIGHT  %s: %v\n", what, err)
		return
	}
	fmt.Fprintf(k.out, "ok         %s: %s\n", what, found)
}

func checkArchive(ctx context.Context, k *checklist, cfg config.Config) {
	db, err := daemon.Home(cfg.StateDirectory).OpenArchive(ctx)
	if err == nil {
		err = db.Close()
	}
	k.add("archive", "in "+cfg.StateDirectory, err)
}

// checkClock asks the kernel whether something keeps the clock right.
func checkClock(k *checklist) {
	const unsynchronised = 5 // TIME_ERROR of adjtimex(2)
	state, err := syscall.Adjtimex(&syscall.Timex{})
	if err == nil && state == unsynchronised {
		err = errors.New("nothing keeps it right: switch on time synchronisation (timedatectl set-ntp true)")
	}
	k.add("clock", time.Now().UTC().Format("2006-01-02 15:04:05 UTC")+", synchronised", err)
}

// leastDisk is how much room there should be: years of one group's text, and
// what a disposal run needs to rebuild indexes.
const leastDisk = 1 << 30

func checkDisk(k *checklist, directory string) {
	var fs syscall.Statfs_t
	err := syscall.Statfs(directory, &fs)
	free := fs.Bavail * uint64(fs.Bsize)
	if err == nil && free < leastDisk {
		err = fmt.Errorf("only %d MB are free where %s lies: make room, at least 1,000 MB", free>>20, directory)
	}
	k.add("disk", fmt.Sprintf("%d MB free", free>>20), err)
}

// checkMail logs in to the mail server and, if it may, sends the test email.
func checkMail(ctx context.Context, k *checklist, cfg config.Config, send bool) {
	if cfg.Mail.Server == "" {
		k.add("email", "", errors.New("no mail server is configured"))
		return
	}
	transport, err := daemon.Transport(cfg)
	if err != nil {
		k.add("email", "", err)
		return
	}
	probe, err := transport.Check(ctx)
	k.add("email", fmt.Sprintf("%s answers over %s; its certificate is valid until %s",
		cfg.Mail.Server, probe.TLS, probe.Expires.Format("2 January 2006")), err)
	if err != nil || !send {
		return
	}
	letters := daemon.Letters(cfg, false)
	for _, to := range slices.Compact([]string{cfg.Mail.ConversationsTo, cfg.Mail.Clerk}) {
		at := time.Now()
		msg, err := letters.Test(letter.Header{
			MessageID: fmt.Sprintf("check.%d@%s", at.UnixNano(), cfg.Council.Domains[0]),
			From:      cfg.Mail.From, To: to, Date: at,
		}, letter.Connection{Server: cfg.Mail.Server, TLS: probe.TLS})
		if err == nil {
			_, err = transport.Send(ctx, cfg.Mail.From, to, msg)
		}
		k.add("test email", "handed over for "+to+": see that it arrives", err)
	}
}
