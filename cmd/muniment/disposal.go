package main

import (
	"cmp"
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
	"muniment/internal/saying"
	"muniment/internal/sqlite"
)

func (a *app) disposalCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:   "disposal",
		Short: "See and approve what is to be destroyed",
		Long: `Every week, on Monday, the daemon lists what falls due in 30 days and sends the clerk a
notice. On the day it destroys what is on the list, if the council's approval is standing
or the list was approved, and nothing is on hold. Then it searches its files for
what it destroyed and issues a certificate.`,
		Example: `  muniment disposal list
  muniment disposal approve 3 --role clerk --for "Jo Marsh" --reason "seen, nothing to keep"
  muniment disposal certificate 3
  muniment disposal propose --record 412-414 --because sent-by-mistake --role clerk --for "Jo Marsh" --reason "private pictures"`,
	}, a.disposalListCommand(), a.disposalShowCommand(), a.disposalApproveCommand(), a.disposalProposeCommand(), a.disposalConfirmCommand(),
		a.disposalWithdrawCommand(), a.disposalCertificateCommand(), a.disposalConfirmClockCommand(), a.disposalConfirmRestoreCommand())
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
	records, err := archive.Load(tx, cfg.Retention.Schedule)
	if err != nil {
		return err
	}
	d := daemon.Deciding(cfg, records, now)
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "LIST\tDRAWN UP\tDESTROY FROM\tRECORDS\tAPPROVED\tSTATE")
	for _, l := range lists {
		n, state, early := l.Records, "", ""
		if l.Because != "" {
			early = ", early: " + string(l.Because)
		}
		log := ""
		if l.Entries > 0 {
			log = " and " + saying.LogEntries(l.Entries)
		}
		switch lapse, lapsed := lapses[l.ID]; {
		case l.Closed.IsZero():
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
		fmt.Fprintf(w, "%d\t%s\t%s\t%d%s%s\t%s\t%s\n", l.ID, day(l.DrawnUp), l.DestroyOn.Long(), n, of, log+early, approvalOf(l, d.Policy), printable(state))
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
	if l.Because != "" && l.Approved.IsZero() {
		return "proposed by " + printable(l.ProposedBy)
	}
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

func (a *app) disposalCertificateCommand() *cobra.Command {
	var asJSON, asHTML bool
	c := &cobra.Command{
		Use:   "certificate RUN",
		Short: "Print the certificate of a run, as JSON or as a page",
		Long: `Certificate prints the certificate of a run with its signature, as it is attached to
the email: the final one, once the last backup of what was destroyed has gone, and the
interim one before. "muniment verify --certificate FILE" checks one that was saved.

With --html it prints the same as a page for people.`,
		Example: `  muniment disposal certificate 3
  muniment disposal certificate 3 --html > certificate-3.html`,
		Args: oneNumber("the number of the run, as the certificate bears it"),
		RunE: func(c *cobra.Command, args []string) error {
			run, _ := strconv.ParseInt(args[0], 10, 64) // checked by Args
			return a.withArchive(c.Context(), func(cfg config.Config, home daemon.Home, db *sqlite.DB) error {
				return db.Read(c.Context(), func(tx *sqlite.Tx) error {
					cert, err := disposal.LoadCertificate(tx, run)
					if err != nil {
						return err
					}
					if !asHTML {
						return printCertificate(c.OutOrStdout(), cert)
					}
					letters := daemon.Letters(cfg, home.IsDemonstration())
					page, err := letters.CertificateHTML(cert)
					if err != nil {
						return err
					}
					_, err = io.WriteString(c.OutOrStdout(), page)
					return err
				})
			})
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print it as JSON, as it was signed (this is so by itself)")
	c.Flags().BoolVar(&asHTML, "html", false, "print it as a page")
	c.MarkFlagsMutuallyExclusive("json", "html")
	return c
}

func printCertificate(out io.Writer, c disposal.Certificate) error {
	b, err := c.Document()
	if err != nil {
		return err
	}
	_, err = out.Write(b)
	return err
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
