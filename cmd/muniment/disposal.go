package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"muniment/internal/archive"
	"muniment/internal/config"
	"muniment/internal/daemon"
	"muniment/internal/disposal"
	"muniment/internal/people"
	"muniment/internal/retention"
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
			return a.withArchive(c.Context(), func(cfg config.Config, _ daemon.Home, db *sqlite.DB) error {
				return db.Read(c.Context(), func(tx *sqlite.Tx) error { return listDisposals(c.OutOrStdout(), cfg, tx) })
			})
		},
	}
}

// listDisposals shows every list and what became of it, or why it waits.
func listDisposals(out io.Writer, cfg config.Config, tx *sqlite.Tx) error {
	lists, err := disposal.Lists(tx)
	if err != nil {
		return err
	}
	if len(lists) == 0 {
		_, err := fmt.Fprintln(out, "There is no list yet: nothing has come near the end of its time.")
		return err
	}
	lapses, err := disposal.Lapses(tx)
	if err != nil {
		return err
	}
	records, err := archive.Load(tx, retention.Schedule{MessageYears: cfg.Retention.Years})
	if err != nil {
		return err
	}
	policy := disposal.Policy{Approval: disposal.Approval(cfg.Disposal.Approval), Minute: cfg.Disposal.ApprovalMinute,
		NoticeDays: cfg.Disposal.NoticeDays}
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "LIST\tDRAWN UP\tDESTROY FROM\tRECORDS\tAPPROVED\tSTATE")
	for _, l := range lists {
		n, state := l.Records, ""
		switch lapse, lapsed := lapses[l.ID]; {
		case l.Closed.IsZero():
			d := disposal.Disposal{Archive: records, Policy: policy, Now: now}
			if state, err = d.Outlook(tx, l); err != nil {
				return err
			}
		case lapsed:
			n, state = lapse.Records, fmt.Sprintf("lapsed %s: %s", day(l.Closed), lapse.Why)
		default:
			n, state = l.Destroyed, fmt.Sprintf("destroyed %s, certificate %d", day(l.Closed), l.Run)
		}
		of, err := groupsOfList(tx, cfg, l)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%d%s\t%s\t%s\n", l.ID, day(l.DrawnUp), l.DestroyOn.Long(), n, of, approvalOf(l, policy), printable(state))
	}
	return w.Flush()
}

// groupsOfList says of which groups the records on a list are, where there are several.
// Of what is destroyed the certificate tells.
func groupsOfList(tx *sqlite.Tx, cfg config.Config, l disposal.List) (string, error) {
	seqs, err := disposal.Items(tx, l.ID)
	if err != nil {
		return "", err
	}
	records, err := archive.Some(tx, seqs)
	if err != nil {
		return "", err
	}
	names, counts := groupNames(cfg), make(map[string]int)
	for _, r := range records {
		counts[names[r.Group]]++
	}
	if len(cfg.Groups) == 1 && len(counts) == 1 && counts[cfg.Groups[0].Name] > 0 {
		return "", nil
	}
	var each []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		each = append(each, fmt.Sprintf("%d %s", counts[name], cmp.Or(printable(name), "of groups no longer configured")))
	}
	if len(each) == 0 {
		return "", nil
	}
	return ": " + strings.Join(each, ", "), nil
}

// approvalOf says on what the destruction of l rests: of a run what it rested on,
// of an open list what it would rest on now.
func approvalOf(l disposal.List, p disposal.Policy) string {
	minute, standing := strings.CutPrefix(l.Authority, "standing approval, ")
	switch {
	case standing:
		return printable(minute)
	case !l.Approved.IsZero():
		return fmt.Sprintf("%s by %s", day(l.Approved), printable(l.ApprovedBy))
	case l.Closed.IsZero() && p.Approval == disposal.Standing && p.Minute != "":
		return "minute " + printable(p.Minute)
	case l.Closed.IsZero() && p.Approval == disposal.Each:
		return "not yet"
	}
	return "-"
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
