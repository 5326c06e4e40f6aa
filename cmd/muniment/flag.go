package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"muniment/internal/archive"
	"muniment/internal/config"
	"muniment/internal/daemon"
	"muniment/internal/flag"
	"muniment/internal/forward"
	"muniment/internal/journal"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/saying"
	"muniment/internal/sqlite"
)

func (a *app) flagCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:   "flag",
		Short: "Show what may need the clerk's eye, and note what does not",
		Long: `Flags are advice to the clerk: messages that may hold personal or confidential
details, and messages about something that may need a meeting of the council. They are
found by patterns of words and digits, which miss things and raise false alarms. Nothing
acts upon a flag, but that the clerk's digest repeats nothing of a message that may hold
personal or confidential details.`,
		Example: `  sudo muniment flag list --for "Jo Marsh" --reason "as every Monday"
  sudo muniment flag dismiss 12 --for "Jo Marsh" --reason "the number of a form"`,
	}, a.flagListCommand(), a.flagDismissCommand())
}

func (a *app) flagListCommand() *cobra.Command {
	var in string
	var by actor
	c := &cobra.Command{
		Use:   "list",
		Short: "Show what is flagged in a week",
		Long: `List shows what is flagged of the messages that were sent in a week, or changed in it:
their record numbers, when they were sent and what was found, not what they say nor who
sent them. A message is read as it is and as it was before it was changed. What was
dismissed is left out. Without --week it is the week so far.

That somebody looked is kept in the journal, as with ` + "`muniment records`" + `.`,
		Example: `  sudo muniment flag list --for "Jo Marsh" --reason "as every Monday"
  sudo muniment flag list --week "22 November 2026" --for "Jo Marsh" --reason "the email was lost"`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			day, err := parseDay(in, now())
			if err != nil {
				return usageError{err}
			}
			week := retention.WeekOf(day)
			return a.withArchive(c.Context(), func(cfg config.Config, _ daemon.Home, db *sqlite.DB) error {
				if atTerminal(c.ErrOrStderr()) {
					fmt.Fprint(c.ErrOrStderr(), unexplained(by, c.Flags().Changed("for")))
				}
				return listFlags(c.Context(), c.OutOrStdout(), cfg, db, week, by)
			})
		},
	}
	c.Flags().StringVar(&in, "week", "", "any `day` of the week, such as \"22 November 2026\" or 2026-11-22")
	return by.flags(c, false)
}

// flagHeadings are those of the digest.
var flagHeadings = map[flag.Concern]string{
	flag.Meeting:  "May need to go to a meeting:",
	flag.Personal: "Please check, may contain personal or confidential details:",
}

// listFlags prints what is flagged of a week; nothing is shown unless the journal says so.
func listFlags(ctx context.Context, out io.Writer, cfg config.Config, db *sqlite.DB, week retention.Week, by actor) error {
	at := now()
	if err := db.Write(ctx, func(tx *sqlite.Tx) error {
		if err := inRecord(tx, forward.Weekly(week), at); err != nil {
			return err
		}
		return journal.Write(tx, journal.Entry{At: at, Who: by.who, Act: journal.Viewed, Reason: by.reason,
			About: journal.About{"flags": week.Number()}})
	}); err != nil {
		return err
	}
	return db.Read(ctx, func(tx *sqlite.Tx) error {
		flags, err := flag.Reader{Domains: cfg.Council.Domains}.Between(tx, week.Start(), week.End(), at)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "Week ending Sunday %s\n", week.Sunday().Long())
		for _, c := range []flag.Concern{flag.Meeting, flag.Personal} {
			fmt.Fprintf(out, "\n%s\n", flagHeadings[c])
			if err := printFlags(out, tx, flags, c); err != nil {
				return err
			}
		}
		return nil
	})
}

// printFlags prints what is flagged for one concern, in order of time.
func printFlags(out io.Writer, tx *sqlite.Tx, flags flag.Flags, c flag.Concern) error {
	messages, err := archive.Some(tx, flags.Messages(c))
	if err != nil {
		return err
	}
	slices.SortStableFunc(messages, func(a, b archive.Record) int { return a.Sent.Compare(b.Sent) })
	for _, m := range messages {
		var found []string
		for _, k := range flags.Of(m.Seq, c) {
			found = append(found, k.String())
		}
		if _, err := fmt.Fprintf(out, "  record %d, %s: %s\n", m.Seq, moment(m.Sent), saying.And(found)); err != nil {
			return err
		}
	}
	if len(messages) == 0 {
		_, err = fmt.Fprintln(out, "  none")
	}
	return err
}

func (a *app) flagDismissCommand() *cobra.Command {
	var only string
	var by actor
	c := &cobra.Command{
		Use:   "dismiss NUMBER...",
		Short: "Note that what is flagged is no concern",
		Long: `Dismiss notes that somebody has looked at these records and found that what is flagged
in them is no concern. Digests then do not flag them any more, and repeat what they say
as of all others. If such a message is changed afterwards, it is read anew.

With --only meeting or --only personal just that flag is dismissed. Nothing is shown of
what the records say. Who said so and why stands in the journal.`,
		Example: `  sudo muniment flag dismiss 12 --for "Jo Marsh" --reason "the number of a form"
  sudo muniment flag dismiss 12 15-18 --only meeting --for "Jo Marsh" --reason "about the quiz"`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError{errors.New("give the numbers of the records, as `muniment flag list` shows them")}
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			seqs, err := recordNumbers(strings.Split(strings.Join(args, ","), ","))
			if err != nil {
				return usageError{errors.New("give the numbers of the records, such as 12 15-18")}
			}
			concerns := flag.Concerns
			if c.Flags().Changed("only") {
				concerns = []flag.Concern{flag.Concern(only)}
			}
			if !slices.Contains(flag.Concerns, concerns[0]) {
				return usageError{fmt.Errorf("--only %q: give meeting or personal", only)}
			}
			return a.withArchive(c.Context(), func(cfg config.Config, _ daemon.Home, db *sqlite.DB) error {
				if err := db.Write(c.Context(), func(tx *sqlite.Tx) error {
					return flag.Reader{Domains: cfg.Council.Domains}.Dismiss(tx, now(), by.who, by.reason, seqs, concerns...)
				}); errors.Is(err, flag.ErrNotFlagged) {
					return fmt.Errorf("%w: nothing was noted; see `muniment flag list`", err)
				} else if err != nil {
					return err
				}
				_, err := fmt.Fprintf(c.OutOrStdout(), "Noted: what is flagged in %s is no concern.\n", spansOf(seqs))
				return err
			})
		},
	}
	c.Flags().StringVar(&only, "only", "", "dismiss only `this` flag: meeting or personal")
	return by.flags(c, true)
}

// spansOf names records: record 12, records 12, 15-18.
func spansOf(seqs []record.Seq) string {
	if len(seqs) == 1 {
		return fmt.Sprintf("record %d", seqs[0])
	}
	return "records " + record.Spans(seqs)
}
