package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"muniment/internal/config"
	"muniment/internal/daemon"

	"muniment/internal/sqlite"
)

func (a *app) reindexCommand() *cobra.Command {
	var check bool
	var by actor
	c := &cobra.Command{
		Use:   "reindex",
		Short: "Read again what could not be read, and rebuild the search index",
		Long: `WhatsApp invents new kinds of messages. What cannot be read is kept as it was
delivered. Reindex reads all records again; run it after an update. What can be read
now and could not before is shown from then on, found by searches, and has its
effects: an edit, a vote, a file that is to be fetched. All else stays as it was read
when it was captured; what this version would read in another way is counted, and
nothing of it is changed.

A mark that can be read only now counts from now on, however old: its conversation is
emailed, so expect some emails. As with any mark, the member must be in the group and
have been in office then. If the marked message is due to be destroyed, none is sent.

Then the search index is built anew from the records. A search meanwhile finds
everything, but builds the rest itself first: with hundreds of thousands of records,
choose a quiet hour.

The daemon may run meanwhile. If it is interrupted, do it again. That it was done, on
whose word and why, and which records were read, is kept in the journal. With --check
it only counts, changes nothing, and needs neither --for nor --reason.`,
		Example: `  muniment reindex --check
  muniment reindex --for "Jo Marsh" --reason "update to version 1.4"`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if !check && (by.reason == "" || !c.Flags().Changed("for")) {
				return usageError{errors.New("say on whose word and why: --for NAME --reason TEXT; both are kept in the journal. To change nothing: --check")}
			}
			return a.withArchive(c.Context(), func(cfg config.Config, _ daemon.Home, db *sqlite.DB) error {
				if err := daemon.Complete(cfg, now()); err != nil && !check { // emails may be owed
					return usageError{err}
				}
				x, err := daemon.Reindex(c.Context(), daemon.Options{Config: cfg, Version: version()}, db, by.who, by.reason, check, progress("reading"))
				if err != nil {
					return err
				}
				return printReindexed(c.OutOrStdout(), x, check)
			})
		},
	}
	c.Flags().BoolVar(&check, "check", false, "only count; change nothing")
	return by.flags(c, false)
}

func printReindexed(out io.Writer, x daemon.Reindexed, check bool) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Read %s again.\n\n", count(x.Records-x.Nothing, "record"))
	can, index := "can be read now and could not before: they are shown from now on", "\nThe search index was built anew.\n"
	if check {
		can, index = "can be read by this version and could not before", "\nNothing was changed.\n"
	}
	tell(&b, can, x.News)
	tell(&b, "cannot be read yet", x.Unread)
	tell(&b, "would be read in another way by this version; they stay as they were read", x.Otherwise)
	if x.Nothing > 0 {
		fmt.Fprintf(&b, "  %d besides bring nothing that could be read again, such as lists of participants\n", x.Nothing)
	}
	b.WriteString(index)
	_, err := io.WriteString(out, b.String())
	return err
}

// tell writes how many records what is true of, and of which kinds they are.
func tell[K ~string](b *strings.Builder, what string, counts map[K]int64) {
	var all int64
	var kinds []string
	for _, k := range slices.SortedFunc(maps.Keys(counts), func(x, y K) int { return cmp.Or(cmp.Compare(counts[y], counts[x]), cmp.Compare(x, y)) }) {
		all += counts[k]
		kinds = append(kinds, fmt.Sprintf("%s: %d", k, counts[k]))
	}
	if all == 0 {
		fmt.Fprintf(b, "  0 %s\n", what)
		return
	}
	fmt.Fprintf(b, "  %d %s (%s)\n", all, what, strings.Join(kinds, ", "))
}
