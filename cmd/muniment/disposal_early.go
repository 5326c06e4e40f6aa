package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"muniment/internal/archive"
	"muniment/internal/config"
	"muniment/internal/daemon"
	"muniment/internal/disposal"
	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// becauses are the reasons for early disposal, as they are typed.
func becauses() (all []string) {
	for _, b := range disposal.Reasons {
		all = append(all, strings.ReplaceAll(string(b), " ", "-"))
	}
	return all
}

func (a *app) disposalProposeCommand() *cobra.Command {
	var by actor
	var in office
	var because string
	var records []string
	c := &cobra.Command{
		Use:   "propose",
		Short: "Propose to destroy records before their time",
		Long: `Propose begins an early disposal: of what is not council business, or was sent by
mistake. Nothing happens until another person confirms it; one of the two is the clerk, the
deputy clerk or the chair. With a message go its edits, the reactions to it and its file.
Nothing on hold can be proposed. That a member has deleted a message is no reason: the
record keeps what was deleted.

The clerk and the chair are told by email, and when it is confirmed whoever sent it.`,
		Example: `  muniment disposal propose --record 412-414 --because sent-by-mistake --role clerk --for "Jo Marsh" --reason "private pictures"`,
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := in.check(); err != nil {
				return err
			}
			if len(records) == 0 {
				return usageError{errors.New("say which records: --record 12,15-18")}
			}
			seqs, err := recordNumbers(records)
			if err != nil {
				return err
			}
			var list int64
			if err := a.decide(c.Context(), func(tx *sqlite.Tx, d *disposal.Disposal) (err error) {
				list, err = d.Propose(tx, disposal.Because(strings.ReplaceAll(because, "-", " ")), seqs, disposal.Approver{Who: by.who, Role: in.role, Reason: by.reason})
				return err
			}); err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "Early disposal %d is proposed, of records %s.\nIt waits for another person: muniment disposal confirm %d\n", list, record.Spans(seqs), list)
			return nil
		},
	}
	in.flag(c)
	c.Flags().StringSliceVar(&records, "record", nil, "the `numbers` of the records, such as 12,15-18")
	c.Flags().StringVar(&because, "because", "", "why: "+strings.Join(becauses(), " or "))
	return by.flags(c, true)
}

func (a *app) disposalConfirmCommand() *cobra.Command {
	var by actor
	var in office
	c := &cobra.Command{
		Use:   "confirm NUMBER",
		Short: "Confirm an early disposal that somebody else has proposed",
		Long: `Confirm has what was proposed destroyed in the coming night, unless it is on hold by
then. Whoever has proposed it cannot confirm it.`,
		Example: `  muniment disposal confirm 7 --role chair --for "Kim Lane" --reason "agreed"`,
		Args:    oneNumber("the number of the early disposal, as `muniment disposal list` shows it"),
		RunE: func(c *cobra.Command, args []string) error {
			list, _ := strconv.ParseInt(args[0], 10, 64) // checked by Args
			if err := in.check(); err != nil {
				return err
			}
			if err := a.decide(c.Context(), func(tx *sqlite.Tx, d *disposal.Disposal) error {
				return d.Confirm(tx, list, disposal.Approver{Who: by.who, Role: in.role, Reason: by.reason})
			}); err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "Early disposal %d is confirmed: it is destroyed in the coming night.\n", list)
			return nil
		},
	}
	in.flag(c)
	return by.flags(c, true)
}

func (a *app) disposalWithdrawCommand() *cobra.Command {
	var by actor
	return by.flags(&cobra.Command{
		Use:     "withdraw NUMBER",
		Short:   "End an early disposal before anything of it is destroyed",
		Example: `  muniment disposal withdraw 7 --for "Jo Marsh" --reason "somebody has asked for it"`,
		Args:    oneNumber("the number of the early disposal, as `muniment disposal list` shows it"),
		RunE: func(c *cobra.Command, args []string) error {
			list, _ := strconv.ParseInt(args[0], 10, 64) // checked by Args
			if err := a.decide(c.Context(), func(tx *sqlite.Tx, d *disposal.Disposal) error {
				return d.Withdraw(tx, list, by.who, by.reason)
			}); err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "Early disposal %d is withdrawn.\n", list)
			return nil
		},
	}, true)
}

// decide calls f in a transaction, with what decides about disposal.
func (a *app) decide(ctx context.Context, f func(*sqlite.Tx, *disposal.Disposal) error) error {
	return a.withArchive(ctx, func(cfg config.Config, _ daemon.Home, db *sqlite.DB) error {
		return db.Write(ctx, func(tx *sqlite.Tx) error {
			records, err := archive.Load(tx, cfg.Retention.Schedule)
			if err != nil {
				return err
			}
			return f(tx, daemon.Deciding(cfg, records, now))
		})
	})
}
