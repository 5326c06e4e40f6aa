package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"muniment/internal/archive"
	"muniment/internal/config"
	"muniment/internal/daemon"
	"muniment/internal/disposal"
	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/saying"
	"muniment/internal/sqlite"
)

// office is in which role somebody acts: stubs and certificates keep it, not the name.
type office struct{ role string }

func (o *office) flag(c *cobra.Command) {
	c.Flags().StringVar(&o.role, "role", "", "the person's role: "+strings.Join(people.Roles, ", "))
}

func (o *office) check() error {
	if !slices.Contains(people.Roles, o.role) {
		return usageError{fmt.Errorf("say in which role: --role %s; the stubs keep it, not the name", strings.Join(people.Roles, "|"))}
	}
	return nil
}

func (a *app) disposalApproveCommand() *cobra.Command {
	var by actor
	var in office
	var digest string
	c := &cobra.Command{
		Use:   "approve LIST",
		Short: "Approve the destruction of a list",
		Long: `Approve records that a named person approves the destruction of a list: of what stands
on it now, and nothing else. It is needed where the configuration says approval = "each".
What is on hold is kept all the same.

With --digest it is refused unless the list is the one that was seen: its digest, or the
beginning of it, as ` + "`muniment disposal show`" + ` prints it.`,
		Example: `  muniment disposal approve 3 --role clerk --for "Jo Marsh" --reason "seen, nothing to keep"
  muniment disposal approve 3 --digest 5f0c1a9e --role clerk --for "Jo Marsh" --reason "seen, nothing to keep"`,
		Args: oneNumber("the number of the list, as `muniment disposal list` shows it"),
		RunE: func(c *cobra.Command, args []string) error {
			list, _ := strconv.ParseInt(args[0], 10, 64) // checked by Args
			if err := in.check(); err != nil {
				return err
			}
			return a.withArchive(c.Context(), func(cfg config.Config, _ daemon.Home, db *sqlite.DB) error {
				if disposal.Approval(cfg.Disposal.Approval) != disposal.Each {
					return errors.New("lists are approved one by one only where the configuration says approval = \"each\" under [disposal]")
				}
				var approved string
				if err := db.Write(c.Context(), func(tx *sqlite.Tx) (err error) {
					approved, err = disposal.Approve(tx, now(), list, disposal.Approver{Who: by.who, Role: in.role, Reason: by.reason, Digest: digest})
					return err
				}); err != nil {
					return err
				}
				fmt.Fprintf(c.OutOrStdout(), "List %d is approved. Its digest is %s.\n", list, approved)
				return nil
			})
		},
	}
	in.flag(c)
	c.Flags().StringVar(&digest, "digest", "", "the `digest` of the list that was seen, or its beginning")
	return by.flags(c, true)
}

func (a *app) disposalShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show LIST",
		Short: "Show what stands on a list: numbers, days and kinds",
		Long: `Show tells what stands on an open list, without what it says, and the list's digest: who
approves it, approves that.`,
		Example: "  muniment disposal show 3",
		Args:    oneNumber("the number of the list, as `muniment disposal list` shows it"),
		RunE: func(c *cobra.Command, args []string) error {
			list, _ := strconv.ParseInt(args[0], 10, 64) // checked by Args
			return a.withArchive(c.Context(), func(cfg config.Config, _ daemon.Home, db *sqlite.DB) error {
				return db.Read(c.Context(), func(tx *sqlite.Tx) error { return showList(c.OutOrStdout(), cfg, tx, list) })
			})
		},
	}
}

func showList(out io.Writer, cfg config.Config, tx *sqlite.Tx, list int64) error {
	records, err := archive.Load(tx, cfg.Retention.Schedule)
	if err != nil {
		return err
	}
	d := daemon.Deciding(cfg, records, now)
	n, err := d.Notice(tx, list)
	if err != nil {
		return err
	}
	seqs, err := disposal.Items(tx, list)
	if err != nil {
		return err
	}
	held, err := archive.OnHold(tx, seqs)
	if err != nil {
		return err
	}
	digest, err := disposal.Digest(tx, n.List)
	if err != nil {
		return err
	}
	outlook, err := d.Outlook(tx, n.List)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "List %d, drawn up on %s, to be destroyed from %s: %s.\n", list, day(n.List.DrawnUp), n.List.DestroyOn.Long(), printable(outlook))
	if n.List.Because != "" {
		fmt.Fprintf(out, "Early disposal, %s, proposed by %s, %s.\n", n.List.Because, printable(n.List.ProposedBy), n.List.Proposer)
	}
	fmt.Fprintf(out, "\n  Records    %s%s\n", saying.Count(len(seqs), "record"), numbersOf(seqs))
	if len(seqs) > 0 {
		fmt.Fprintf(out, "  Sent       from %s to %s\n", n.From.Long(), n.To.Long())
	}
	for _, k := range []struct {
		name string
		n    int
	}{{"messages", n.Messages}, {"reactions", n.Reactions}, {"joins and leaves", n.Changes}, {"other, such as votes and edits", n.Other}} {
		if k.n > 0 {
			fmt.Fprintf(out, "             %d %s\n", k.n, k.name)
		}
	}
	if n.List.Entries > 0 {
		fmt.Fprintf(out, "  Log        %s\n", saying.LogEntries(n.List.Entries))
	}
	if len(held) > 0 {
		fmt.Fprintf(out, "  On hold    %s%s: not destroyed\n", saying.Count(len(held), "record"), numbersOf(held))
	}
	_, err = fmt.Fprintf(out, "  Digest     %s\n", digest)
	return err
}

func numbersOf(seqs []record.Seq) string {
	if spans := record.Spans(seqs); len(seqs) > 0 && len(spans) <= 120 {
		return ": " + spans
	}
	return ""
}
