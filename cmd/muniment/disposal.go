package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"muniment/internal/config"
	"muniment/internal/daemon"
	"muniment/internal/disposal"
	"muniment/internal/people"
	"muniment/internal/sqlite"
)

func (a *app) disposalCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:   "disposal",
		Short: "See and approve what is to be destroyed",
		Long: `Every night the daemon lists what falls due in 30 days and sends the clerk a notice.
On the day it destroys what is on the list, if the council's approval is standing
or the list was approved, and nothing is on hold. Then it searches its files for
what it destroyed and issues a certificate.`,
		Example: `  muniment disposal list
  muniment disposal approve 3 --role clerk --for "Jo Marsh" --reason "seen, nothing to keep"
  muniment disposal certificate 3`,
	}, a.disposalListCommand(), a.disposalApproveCommand(), a.disposalCertificateCommand(), a.disposalConfirmClockCommand())
}

func (a *app) disposalListCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "Show the disposal lists",
		Example: "  muniment disposal list",
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withArchive(c.Context(), func(_ config.Config, _ daemon.Home, db *sqlite.DB) error {
				return db.Read(c.Context(), func(tx *sqlite.Tx) error { return listDisposals(c, tx) })
			})
		},
	}
}

func listDisposals(c *cobra.Command, tx *sqlite.Tx) error {
	lists, err := disposal.Lists(tx)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "LIST\tDRAWN UP\tDESTROY FROM\tRECORDS\tAPPROVED\tSTATE")
	for _, l := range lists {
		approved := "-"
		if !l.Approved.IsZero() {
			approved = fmt.Sprintf("%s by %s", day(l.Approved), l.ApprovedBy)
		}
		state := "open"
		if !l.Closed.IsZero() {
			state = "closed " + day(l.Closed)
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%d\t%s\t%s\n", l.ID, day(l.DrawnUp), l.DestroyOn.Long(), l.Records, approved, state)
	}
	return w.Flush()
}

func (a *app) disposalApproveCommand() *cobra.Command {
	var by actor
	var role string
	c := &cobra.Command{
		Use:   "approve LIST",
		Short: "Approve the destruction of a list",
		Long: `Approve records that a named person approves the destruction of a list. It is
needed where the configuration says approval = "each". What is on hold is kept all
the same.`,
		Example: `  muniment disposal approve 3 --role clerk --for "Jo Marsh" --reason "seen, nothing to keep"`,
		Args:    oneNumber("the number of the list, as `muniment disposal list` shows it"),
		RunE: func(c *cobra.Command, args []string) error {
			list, _ := strconv.ParseInt(args[0], 10, 64) // checked by Args
			if !slices.Contains(people.Roles, role) {
				return usageError{fmt.Errorf("say in which role: --role %s; the stubs keep it, not the name", strings.Join(people.Roles, "|"))}
			}
			return a.withArchive(c.Context(), func(cfg config.Config, _ daemon.Home, db *sqlite.DB) error {
				if disposal.Approval(cfg.Disposal.Approval) != disposal.Each {
					return errors.New("lists are approved one by one only where the configuration says approval = \"each\" under [disposal]")
				}
				if err := db.Write(c.Context(), func(tx *sqlite.Tx) error {
					return disposal.Approve(tx, now(), list, by.who, role, by.reason)
				}); err != nil {
					return err
				}
				fmt.Fprintf(c.OutOrStdout(), "List %d is approved.\n", list)
				return nil
			})
		},
	}
	c.Flags().StringVar(&role, "role", "", "the approver's role: "+strings.Join(people.Roles, ", "))
	return by.flags(c, true)
}

func (a *app) disposalCertificateCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "certificate RUN",
		Short:   "Print the certificate of a run as JSON",
		Example: "  muniment disposal certificate 3",
		Args:    oneNumber("the number of the run, as the certificate bears it"),
		RunE: func(c *cobra.Command, args []string) error {
			run, _ := strconv.ParseInt(args[0], 10, 64) // checked by Args
			return a.withArchive(c.Context(), func(_ config.Config, _ daemon.Home, db *sqlite.DB) error {
				return db.Read(c.Context(), func(tx *sqlite.Tx) error {
					cert, err := disposal.LoadCertificate(tx, run)
					if err != nil {
						return err
					}
					return printCertificate(c.OutOrStdout(), cert)
				})
			})
		},
	}
}

func printCertificate(out io.Writer, c disposal.Certificate) error {
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	return enc.Encode(c)
}

func (a *app) disposalConfirmClockCommand() *cobra.Command {
	var by actor
	return by.flags(&cobra.Command{
		Use:   "confirm-clock",
		Short: "Say that the machine's clock is right after a jump",
		Long: `When the machine's clock is behind what the archive knows, or more than seven days
ahead of it (such as after a long time switched off), nothing is destroyed until
somebody has looked and says that it is right.`,
		Example: `  muniment disposal confirm-clock --for "Sam Reed" --reason "machine was off for two weeks"`,
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withArchive(c.Context(), func(_ config.Config, _ daemon.Home, db *sqlite.DB) error {
				if err := db.Write(c.Context(), func(tx *sqlite.Tx) error {
					return disposal.ConfirmClock(tx, now(), by.who, by.reason)
				}); err != nil {
					return err
				}
				fmt.Fprintln(c.OutOrStdout(), "The clock is confirmed.")
				return nil
			})
		},
	}, true)
}
