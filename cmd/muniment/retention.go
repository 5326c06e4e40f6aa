package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"muniment/internal/archive"
	"muniment/internal/config"
	"muniment/internal/daemon"
	"muniment/internal/retention"
	"muniment/internal/saying"
	"muniment/internal/sqlite"
)

func (a *app) retentionCommand() *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use:   "retention",
		Short: "Show the retention schedule in force: what is kept for how long, and by which minute",
		Long: `Retention shows the retention schedule that the record is kept under: since when it is in
force, the minute that adopted it, and of each class what it covers, for how long it is
kept and on what authority. With --all it shows every schedule that was ever in force, as
the journal tells them.

The schedule stands in a file that the configuration names; see configs/retention.toml.
After it has been edited, "muniment check" tells whether it can be adopted, and the
service adopts it when it is restarted.`,
		Example: `  muniment retention
  muniment retention --all`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withArchive(c.Context(), func(cfg config.Config, _ daemon.Home, db *sqlite.DB) error {
				return db.Read(c.Context(), func(tx *sqlite.Tx) error {
					return printRetention(c.OutOrStdout(), tx, cfg, all)
				})
			})
		},
	}
	c.Flags().BoolVar(&all, "all", false, "every schedule that was ever in force, the latest first")
	return c
}

func printRetention(out io.Writer, tx *sqlite.Tx, cfg config.Config, all bool) error {
	schedules, err := archive.Schedules(tx)
	if err != nil {
		return err
	}
	slices.Reverse(schedules)
	var b strings.Builder
	for i, s := range schedules {
		switch {
		case i == 0:
			fmt.Fprintf(&b, "In force since %s%s.\n", moment(s.At), adoptedBy(s.Schedule))
		case !all:
			continue
		default:
			fmt.Fprintf(&b, "\nFrom %s until %s%s.\n", moment(s.At), moment(schedules[i-1].At), adoptedBy(s.Schedule))
		}
		printSchedule(&b, s.Schedule, cfg)
	}
	ar, err := archive.Load(tx, cfg.Retention.Schedule)
	if err != nil {
		return err
	}
	shorter := archive.Shorter{}
	switch err := ar.Adoptable(tx); {
	case errors.As(err, &shorter):
		fmt.Fprintf(&b, "\nThe configuration has another, which cannot be adopted, and the service will not start with it:\n%s.\n", shorter)
	case err != nil:
		return err
	case len(schedules) > 0 && !schedules[0].Is(cfg.Retention.Schedule):
		b.WriteString("\nThe configuration has another. The service adopts it when it is restarted.\n")
	}
	_, err = io.WriteString(out, b.String())
	return err
}

func adoptedBy(s retention.Schedule) string {
	if s.Minute == "" {
		return ", adopted by no minute that is known"
	}
	return ", adopted by minute " + printable(s.Minute)
}

func printSchedule(b *strings.Builder, s retention.Schedule, cfg config.Config) {
	called := groupNames(cfg)
	for _, r := range s.Rules {
		fmt.Fprintf(b, "\n  %-14s%s", r.Class, r.Period())
		if r.Authority != "" {
			fmt.Fprintf(b, " (%s)", printable(r.Authority))
		}
		b.WriteByte('\n')
		if r.Covers != "" {
			fmt.Fprintf(b, "  %-14s%s\n", "", printable(r.Covers))
		}
		var names []string
		for _, jid := range r.Groups {
			names = append(names, cmp.Or(called[jid], "a group that is not in the configuration"))
		}
		if len(names) > 0 {
			fmt.Fprintf(b, "  %-14sonly in %s\n", "", saying.And(names))
		}
	}
	if lacks := withoutRule(s); lacks != "" {
		fmt.Fprintf(b, "\n  %s\n", lacks)
	}
}

// withoutRule says of which classes that this program keeps the schedule says nothing in
// general; empty if of none.
func withoutRule(s retention.Schedule) string {
	var lacks []string
	for _, c := range []retention.Class{retention.Messages, retention.Rosters, retention.AccessLog} {
		if !slices.ContainsFunc(s.Rules, func(r retention.Rule) bool { return r.Class == c && len(r.Groups) == 0 }) {
			lacks = append(lacks, string(c))
		}
	}
	if len(lacks) == 0 {
		return ""
	}
	return "No rule says for how long " + saying.And(lacks) + " is kept: without one it is kept for good."
}
