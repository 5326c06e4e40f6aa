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
	"muniment/internal/forward"
	"muniment/internal/journal"
	"muniment/internal/mail"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
)

const digestHelp = `The daemon emails the clerk a digest of each week that is over, on Mondays at 07:00, or
of each day, as the configuration says: what needs attention, what was marked, shared,
changed and deleted, who joined and left, what is on hold, what is due to be destroyed,
and what is missing. What it missed while it was off it sends later, for the last eight
weeks. No day is in two digests.

Before a meeting of the council whose day is in the configuration, it emails every
councillor who has an address of the council's own on the member register, in the group
or not, what happened in the group since the meeting before.

With --print the digest is printed, as it would be written now: of the week or the day
so far, of that in which --week or --day lies, or that before the --meeting. As --format
html it is a page for paper, with --large in letters of 18 points. That somebody looked
is kept in the journal, as with ` + "`muniment records`" + `. For a meeting, this tells for
whom it is to be printed: the councillors who have no such address.

With --send the digest of the last week or day that is over, or of the one that is said,
is owed now, if there is none yet; the daemon sends it within a minute. Each is sent
once: where there is one, this tells what became of it. Nothing of what it says is
printed.`

func (a *app) digestCommand() *cobra.Command {
	w := &wantedDigest{}
	var by actor
	c := &cobra.Command{
		Use:   "digest --print | --send",
		Short: "Print or send the clerk's digest, or the councillors' before a meeting",
		Long:  digestHelp,
		Example: `  sudo muniment digest --print --for "Jo Marsh" --reason "before the meeting"
  sudo muniment digest --print --week "22 November 2026" --for "Jo Marsh" --reason "the email was lost"
  sudo muniment digest --send --for "Jo Marsh" --reason "wanted before Monday"
  sudo muniment digest --send --day 2026-11-22 --for "Jo Marsh" --reason "wanted before seven"
  sudo muniment digest --print --meeting 2026-12-07 --format html --large --for "Jo Marsh" --reason "for Cllr Grant" > digest.html`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if w.send && (by.reason == "" || !c.Flags().Changed("for")) {
				return usageError{errors.New("say on whose word and why: --for NAME --reason TEXT; both are kept in the journal")}
			}
			if err := w.check(now()); err != nil {
				return usageError{err}
			}
			return a.withArchive(c.Context(), func(cfg config.Config, home daemon.Home, db *sqlite.DB) error {
				if w.send {
					return w.sends(c.Context(), c.OutOrStdout(), cfg, db, by)
				}
				if atTerminal(c.ErrOrStderr()) {
					fmt.Fprint(c.ErrOrStderr(), unexplained(by, c.Flags().Changed("for")))
				}
				return w.prints(c, cfg, home, db, by)
			})
		},
	}
	w.flags(c)
	return by.flags(c, false)
}

// wantedDigest is which digest is wanted, and how, as it is typed.
type wantedDigest struct {
	print, send        bool
	week, day, meeting string
	format             string
	large              bool

	of retention.Date // what was said, or today
}

func (w *wantedDigest) flags(c *cobra.Command) {
	c.Flags().BoolVar(&w.print, "print", false, "print it")
	c.Flags().BoolVar(&w.send, "send", false, "owe it now to whom it goes")
	c.Flags().StringVar(&w.week, "week", "", "of the week in which this `day` lies, such as \"22 November 2026\" or 2026-11-22")
	c.Flags().StringVar(&w.day, "day", "", "of this `day`")
	c.Flags().StringVar(&w.meeting, "meeting", "", "before the meeting on this `day`")
	c.Flags().StringVar(&w.format, "format", "text", "how it is printed: text or html")
	c.Flags().BoolVar(&w.large, "large", false, "print it as html in letters of 18 points")
}

// check reads what was typed.
func (w *wantedDigest) check(now time.Time) (err error) {
	said := ""
	for _, s := range []string{w.week, w.day, w.meeting} {
		if s != "" && said != "" {
			return errors.New("say one of --week, --day and --meeting")
		}
		said += s
	}
	switch {
	case w.print == w.send:
		return errors.New("say what to do with the digest: --print or --send")
	case w.format != "text" && w.format != "html":
		return fmt.Errorf("--format: %q is none: write text or html", w.format)
	case w.large && w.format != "html":
		return errors.New("large letters take --format html")
	}
	w.of, err = parseDay(said, now)
	return err
}

// edition returns the digest that is wanted.
func (w *wantedDigest) edition(tx *sqlite.Tx, cfg config.Config, at time.Time) (e forward.Edition, err error) {
	said := w.week + w.day + w.meeting
	switch daily := cfg.Digest.Every == config.EveryDay; {
	case w.meeting != "":
		return forward.BeforeMeeting(tx, w.of, at)
	case w.day != "" || said == "" && daily:
		e = forward.Daily(w.of)
		if said == "" && w.send {
			e = forward.Daily(w.of.AddDays(-1))
		}
	default:
		week := retention.WeekOf(w.of)
		if said == "" && w.send {
			week = week.Plus(-1)
		}
		e = forward.Weekly(week)
	}
	return e, inRecord(tx, e, at)
}

// inRecord refuses, as wrong use, what there cannot be a digest of.
func inRecord(tx *sqlite.Tx, e forward.Edition, at time.Time) error {
	began, err := daemon.Began(tx)
	switch {
	case err != nil:
		return err
	case e.Period.Start().After(at):
		return usageError{fmt.Errorf("%s has not begun", daysOf(e))}
	case !e.Period.End().After(began):
		return usageError{fmt.Errorf("the record began on %s, after %s", day(began), daysOf(e))}
	}
	return nil
}

// prints prints the digest; nothing is shown unless the journal says so.
func (w *wantedDigest) prints(c *cobra.Command, cfg config.Config, home daemon.Home, db *sqlite.DB, by actor) error {
	at := now()
	var e forward.Edition
	var paper []string
	if err := db.Write(c.Context(), func(tx *sqlite.Tx) (err error) {
		if e, err = w.edition(tx, cfg, at); err != nil {
			return err
		}
		if e.Kind == forward.MeetingLetter {
			if _, paper, err = daemon.Councillors(tx, cfg, e.Meeting); err != nil {
				return err
			}
		}
		return journal.Write(tx, journal.Entry{At: at, Who: by.who, Act: journal.Viewed, Reason: by.reason, About: aboutDigest(e)})
	}); err != nil {
		return err
	}
	for _, name := range paper {
		fmt.Fprintf(c.ErrOrStderr(), "To be printed for %s, who has no email address of the council's own on the register.\n", printable(name))
	}
	var text string
	if err := db.Read(c.Context(), func(tx *sqlite.Tx) error {
		g, err := daemon.DigestOf(tx, cfg, version(), at, e)
		if err != nil {
			return err
		}
		letters := daemon.Letters(cfg, home.IsDemonstration())
		if w.format == "html" {
			text, err = letters.DigestPage(tx, at, g, w.large)
		} else {
			text, err = letters.DigestText(tx, at, g)
		}
		return err
	}); err != nil {
		return err
	}
	for line := range strings.Lines(text) {
		if _, err := fmt.Fprintln(c.OutOrStdout(), printable(strings.TrimRight(line, "\n"))); err != nil {
			return err
		}
	}
	return nil
}

// aboutDigest is what the journal keeps of which digest it was.
func aboutDigest(e forward.Edition) journal.About {
	about := journal.About{"digest": e.About()}
	if e.Kind != forward.DigestLetter {
		about["kind"] = e.Kind
	}
	return about
}

// sends owes the digest, or says what became of it.
func (w *wantedDigest) sends(ctx context.Context, out io.Writer, cfg config.Config, db *sqlite.DB, by actor) error {
	if cfg.Mail.From == "" || cfg.Mail.Clerk == "" {
		return usageError{fmt.Errorf("email is not set up: put from and clerk under [mail] in %s", cfg.File)}
	}
	at := now()
	var said string
	if err := db.Write(ctx, func(tx *sqlite.Tx) error {
		e, err := w.edition(tx, cfg, at)
		if err != nil {
			return err
		}
		if err := sendable(e, at); err != nil {
			return usageError{err}
		}
		if told, err := alreadyTold(tx, e); err != nil || told != "" {
			said = told
			return err
		}
		if err := daemon.OweDigest(tx, cfg, at, at, e); err != nil {
			return err
		}
		who := "the clerk"
		if e.Kind == forward.MeetingLetter {
			who = "the councillors"
		}
		said = nameOf(e) + " is owed to " + who + ": the daemon sends it within a minute, if it runs.\n"
		return journal.Write(tx, journal.Entry{At: at, Who: by.who, Act: journal.DigestAsked, Reason: by.reason, About: aboutDigest(e)})
	}); err != nil {
		return err
	}
	_, err := io.WriteString(out, said)
	return err
}

// sendable refuses a digest whose time has not come, or is over.
func sendable(e forward.Edition, at time.Time) error {
	switch {
	case e.Kind == forward.MeetingLetter && e.Meeting <= retention.DateOf(at):
		return fmt.Errorf("the day of the meeting, %s, has come: councillors are sent nothing any more; print it with --print", e.Meeting.Long())
	case e.Kind != forward.MeetingLetter && e.Period.End().After(at):
		return fmt.Errorf("%s is not over: see what there is so far with `muniment digest --print`", daysOf(e))
	}
	return nil
}

// alreadyTold says what became of a digest that is in the outbox, or of the one that tells
// of its days; empty if there is none.
func alreadyTold(tx *sqlite.Tx, e forward.Edition) (string, error) {
	if it, err := e.Email(tx); err == nil {
		return whatBecame(e, it)
	} else if !errors.Is(err, mail.ErrNotQueued) {
		return "", err
	}
	switch e.Kind {
	case forward.DailyLetter:
		week := forward.Weekly(retention.WeekOf(e.Period.Last))
		if it, err := week.Email(tx); err == nil {
			return whatBecame(week, it)
		} else if !errors.Is(err, mail.ErrNotQueued) {
			return "", err
		}
	case forward.DigestLetter:
		for d := e.Period.First; d <= e.Period.Last; d = d.AddDays(1) {
			if owed, err := forward.Daily(d).Owed(tx); err != nil {
				return "", err
			} else if owed {
				return "", usageError{fmt.Errorf("that week was told day by day: say which with --day, such as --day %s", d)}
			}
		}
	}
	return "", nil
}

// daysOf names the days that a digest is about.
func daysOf(e forward.Edition) string {
	if e.Kind == forward.DailyLetter {
		return e.Period.Last.Weekday().String() + " " + e.Period.Last.Long()
	}
	return "the week ending Sunday " + e.Period.Last.Long()
}

func nameOf(e forward.Edition) string {
	if e.Kind == forward.MeetingLetter {
		return "The digest before the meeting on " + e.Meeting.Long()
	}
	return "The digest of " + daysOf(e)
}

// whatBecame says what became of a digest that is in the outbox already.
func whatBecame(e forward.Edition, it mail.Item) (string, error) {
	switch {
	case it.State == mail.HandedOver:
		return fmt.Sprintf("%s was handed over to the mail server on %s.\n", nameOf(e), moment(it.FinishedAt)), nil
	case it.State.Open():
		return fmt.Sprintf("%s is owed since %s and waits: see `muniment status`.\n", nameOf(e), moment(it.QueuedAt)), nil
	case it.State == mail.Cancelled:
		return "", fmt.Errorf("it was cancelled on %s, and will not be sent: read it with `muniment digest --print --%s`", moment(it.FinishedAt), asked(e))
	}
	why := "the mail server refused it"
	if it.State == mail.Expired {
		why = "it could not be handed over to the mail server for so long that it was given up"
	}
	return "", fmt.Errorf("%s on %s, and it will not be sent again: see why with `muniment status`, and read it with `muniment digest --print --%s`",
		why, moment(it.FinishedAt), asked(e))
}

// asked is how a digest is asked for.
func asked(e forward.Edition) string {
	switch e.Kind {
	case forward.DailyLetter:
		return "day " + string(e.Period.Last)
	case forward.MeetingLetter:
		return "meeting " + string(e.Meeting)
	}
	return "week " + string(e.Period.Last)
}
