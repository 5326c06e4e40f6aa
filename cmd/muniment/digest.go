package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"muniment/internal/config"
	"muniment/internal/daemon"
	"muniment/internal/journal"
	"muniment/internal/mail"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
)

func (a *app) digestCommand() *cobra.Command {
	var show, send bool
	var in string
	var by actor
	c := &cobra.Command{
		Use:   "digest --print | --send",
		Short: "Print or send the clerk's weekly email",
		Long: `The daemon emails the clerk a digest of each week that is over, on Mondays at 07:00
if the configuration does not say otherwise: what needs attention, what was marked,
shared, changed and deleted, who joined and left, what is on hold, what is due to be
destroyed, and what is missing. What it missed while it was off it sends later, for
the last eight weeks.

With --print the digest is printed, as it would be written now: of the week so far,
or of the week in which the --week day lies. That somebody looked is kept in the
journal, as with ` + "`muniment records`" + `.

With --send the digest of the last week that is over, or of the --week day's, is owed
to the clerk now, if there is none yet; the daemon sends it within a minute. Each
week's is sent once: where there is one, this tells what became of it. Nothing of
what it says is printed.`,
		Example: `  sudo muniment digest --print --for "Jo Marsh" --reason "before the meeting"
  sudo muniment digest --print --week "22 November 2026" --for "Jo Marsh" --reason "the email was lost"
  sudo muniment digest --send --for "Jo Marsh" --reason "wanted before Monday"`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			switch {
			case show == send:
				return usageError{errors.New("say what to do with the digest: --print or --send")}
			case send && (by.reason == "" || !c.Flags().Changed("for")):
				return usageError{errors.New("say on whose word and why: --for NAME --reason TEXT; both are kept in the journal")}
			}
			day, err := parseDay(in, now())
			if err != nil {
				return usageError{err}
			}
			week := retention.WeekOf(day)
			if in == "" && send {
				week = week.Plus(-1)
			}
			return a.withArchive(c.Context(), func(cfg config.Config, home daemon.Home, db *sqlite.DB) error {
				if show {
					if atTerminal(c.ErrOrStderr()) {
						fmt.Fprint(c.ErrOrStderr(), unexplained(by, c.Flags().Changed("for")))
					}
					return printDigest(c.Context(), c.OutOrStdout(), cfg, home, db, week, by)
				}
				return sendDigest(c.Context(), c.OutOrStdout(), cfg, db, week, by)
			})
		},
	}
	c.Flags().BoolVar(&show, "print", false, "print it")
	c.Flags().BoolVar(&send, "send", false, "owe it to the clerk now")
	c.Flags().StringVar(&in, "week", "", "any `day` of the week, such as \"22 November 2026\" or 2026-11-22")
	return by.flags(c, false)
}

// inRecord refuses, as wrong use, a week of which there cannot be a digest.
func inRecord(tx *sqlite.Tx, week retention.Week, at time.Time) error {
	began, err := daemon.Began(tx)
	switch {
	case err != nil:
		return err
	case week.Start().After(at):
		return usageError{fmt.Errorf("the week ending Sunday %s has not begun", week.Sunday().Long())}
	case !week.End().After(began):
		return usageError{fmt.Errorf("the record began on %s, after the week ending Sunday %s", day(began), week.Sunday().Long())}
	}
	return nil
}

// printDigest prints the digest of a week; nothing is shown unless the journal says so.
func printDigest(ctx context.Context, out io.Writer, cfg config.Config, home daemon.Home, db *sqlite.DB, week retention.Week, by actor) error {
	at := now()
	if err := db.Write(ctx, func(tx *sqlite.Tx) error {
		if err := inRecord(tx, week, at); err != nil {
			return err
		}
		return journal.Write(tx, journal.Entry{At: at, Who: by.who, Act: journal.Viewed, Reason: by.reason,
			About: journal.About{"digest": week.Number()}})
	}); err != nil {
		return err
	}
	var text string
	if err := db.Read(ctx, func(tx *sqlite.Tx) error {
		g, err := daemon.DigestOf(tx, cfg, version(), at, week)
		if err != nil {
			return err
		}
		letters := daemon.Letters(cfg, home.IsDemonstration())
		text, err = letters.DigestText(tx, at, g)
		return err
	}); err != nil {
		return err
	}
	for line := range strings.Lines(text) {
		if _, err := fmt.Fprintln(out, printable(strings.TrimRight(line, "\n"))); err != nil {
			return err
		}
	}
	return nil
}

// sendDigest owes the digest of a week to the clerk, or says what became of it.
func sendDigest(ctx context.Context, out io.Writer, cfg config.Config, db *sqlite.DB, week retention.Week, by actor) error {
	if cfg.Mail.From == "" || cfg.Mail.Clerk == "" {
		return usageError{fmt.Errorf("email is not set up: put from and clerk under [mail] in %s", cfg.File)}
	}
	at := now()
	said := nameOf(week) + " is owed to the clerk: the daemon sends it within a minute, if it runs.\n"
	if err := db.Write(ctx, func(tx *sqlite.Tx) error {
		if err := inRecord(tx, week, at); err != nil {
			return err
		}
		if week.End().After(at) {
			return usageError{fmt.Errorf("the week ending Sunday %s is not over: see what there is so far with `muniment digest --print`", week.Sunday().Long())}
		}
		it, err := daemon.FindDigest(tx, week)
		if err == nil {
			said, err = whatBecame(week, it)
			return err
		} else if !errors.Is(err, mail.ErrNotQueued) {
			return err
		}
		if err := daemon.OweDigest(tx, cfg, at, at, week); err != nil {
			return err
		}
		return journal.Write(tx, journal.Entry{At: at, Who: by.who, Act: journal.DigestAsked, Reason: by.reason,
			About: journal.About{"digest": week.Number()}})
	}); err != nil {
		return err
	}
	_, err := io.WriteString(out, said)
	return err
}

func nameOf(week retention.Week) string {
	return "The digest of the week ending Sunday " + week.Sunday().Long()
}

// whatBecame says what became of a digest that is in the outbox already.
func whatBecame(week retention.Week, it mail.Item) (string, error) {
	switch it.State {
	case mail.HandedOver:
		return fmt.Sprintf("%s was handed over to the mail server on %s.\n", nameOf(week), moment(it.FinishedAt)), nil
	case mail.Waiting:
		return fmt.Sprintf("%s is owed since %s and waits: see `muniment status`.\n", nameOf(week), moment(it.QueuedAt)), nil
	}
	return "", fmt.Errorf("the mail server refused it on %s, and it will not be sent again: see why with `muniment status`, and read it with `muniment digest --print --week %s`",
		moment(it.FinishedAt), week.Sunday())
}
