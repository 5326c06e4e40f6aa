package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"muniment/internal/archive"
	"muniment/internal/config"
	"muniment/internal/daemon"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
)

func (a *app) holdCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:   "hold",
		Short: "Keep records from being destroyed",
		Long: `A hold suspends destruction, for a recorded reason: an information request, a
complaint, a dispute, a claim. While it is in force nothing that it covers is
destroyed, whatever has been approved.

Information that has been requested must not be destroyed to prevent its
disclosure: that is a criminal offence (Freedom of Information Act 2000, section
77; Data Protection Act 2018, section 173).`,
		Example: `  muniment hold place --all --for "Jo Marsh" --reason "request FOI-2026-003"
  muniment hold list
  muniment hold release 1 --for "Jo Marsh" --reason "request answered, review period over"`,
	}, a.holdPlaceCommand(), a.holdReleaseCommand(), a.holdListCommand())
}

func (a *app) holdPlaceCommand() *cobra.Command {
	var all bool
	var by actor
	c := &cobra.Command{
		Use:     "place --all",
		Short:   "Place a hold on everything",
		Example: `  muniment hold place --all --for "Jo Marsh" --reason "request FOI-2026-003"`,
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if !all {
				return usageError{errors.New("say what the hold covers: this version knows --all, everything")}
			}
			return a.withArchive(c.Context(), func(_ config.Config, _ daemon.Home, db *sqlite.DB) error {
				var id int64
				if err := db.Write(c.Context(), func(tx *sqlite.Tx) (err error) {
					id, err = archive.PlaceHold(tx, now(), by.who, by.reason, "", archive.Cover{Scope: archive.Everything})
					return err
				}); err != nil {
					return err
				}
				fmt.Fprintf(c.OutOrStdout(), "Hold %d is in force: nothing is destroyed until it is released.\n", id)
				return nil
			})
		},
	}
	c.Flags().BoolVar(&all, "all", false, "hold everything")
	return by.flags(c, true)
}

func (a *app) holdReleaseCommand() *cobra.Command {
	var by actor
	return by.flags(&cobra.Command{
		Use:   "release NUMBER",
		Short: "Release a hold",
		Long: `Release ends a hold. What it kept falls due again, but is never destroyed under a
list of which notice was given before: a new list is drawn up, with a new notice.`,
		Example: `  muniment hold release 1 --for "Jo Marsh" --reason "request answered, review period over"`,
		Args:    oneNumber("the number of the hold, as `muniment hold list` shows it"),
		RunE: func(c *cobra.Command, args []string) error {
			id, _ := strconv.ParseInt(args[0], 10, 64) // checked by Args
			return a.withArchive(c.Context(), func(_ config.Config, _ daemon.Home, db *sqlite.DB) error {
				var holds []archive.Hold
				if err := db.Write(c.Context(), func(tx *sqlite.Tx) (err error) {
					if err := archive.ReleaseHold(tx, now(), id, by.who, by.reason); err != nil {
						return err
					}
					holds, err = archive.Holds(tx)
					return err
				}); err != nil {
					return err
				}
				fmt.Fprintf(c.OutOrStdout(), "Hold %d is released.\n%s\n", id, stillHeld(holds))
				return nil
			})
		},
	}, true)
}

// stillHeld says which of the holds still stop destruction.
func stillHeld(holds []archive.Hold) string {
	var ids []string
	for _, h := range holds {
		if h.Released.IsZero() {
			ids = append(ids, strconv.FormatInt(h.ID, 10))
		}
	}
	switch n := len(ids); n {
	case 0:
		return "No hold is in force: what it kept goes on a new disposal list when it is due."
	case 1:
		return fmt.Sprintf("Hold %s is still in force: nothing is destroyed.", ids[0])
	default:
		return fmt.Sprintf("Holds %s and %s are still in force: nothing is destroyed.", strings.Join(ids[:n-1], ", "), ids[n-1])
	}
}

// oneNumber wants exactly one argument, a whole number.
func oneNumber(what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) == 1 {
			if _, err := strconv.ParseInt(args[0], 10, 64); err == nil {
				return nil
			}
		}
		return usageError{fmt.Errorf("give %s", what)}
	}
}

func (a *app) holdListCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "Show all holds",
		Example: "  muniment hold list",
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withArchive(c.Context(), func(_ config.Config, _ daemon.Home, db *sqlite.DB) error {
				return db.Read(c.Context(), func(tx *sqlite.Tx) error {
					holds, err := archive.Holds(tx)
					if err != nil {
						return err
					}
					w := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 3, ' ', 0)
					fmt.Fprintln(w, "HOLD\tCOVERS\tPLACED\tBY\tREASON\tRELEASED")
					for _, h := range holds {
						released := "in force"
						if !h.Released.IsZero() {
							released = fmt.Sprintf("%s by %s: %s", day(h.Released), printable(h.ReleasedBy), printable(h.ReleaseReason))
						}
						fmt.Fprintf(w, "%d\teverything\t%s\t%s\t%s\t%s\n", h.ID, day(h.Placed), printable(h.PlacedBy), printable(h.Reason), released)
					}
					return w.Flush()
				})
			})
		},
	}
}

// day writes the London date of t.
func day(t time.Time) string { return retention.DateOf(t).Long() }
