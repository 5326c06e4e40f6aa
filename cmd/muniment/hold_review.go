package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"muniment/internal/archive"
	"muniment/internal/config"
	"muniment/internal/daemon"
	"muniment/internal/retention"
	"muniment/internal/saying"
	"muniment/internal/sqlite"
)

// subject is what a hold is for, as it is typed.
type subject struct {
	kind, forCase string
}

func (s *subject) flags(c *cobra.Command) {
	c.Flags().StringVar(&s.kind, "kind", archive.Other.Typed(), "what it is for: a `kind`, such as foi or dispute")
	c.Flags().StringVar(&s.forCase, "case", "", "for which case: its `reference`, such as FOI-2026-003")
}

// longestCase is how many characters a case's reference may have.
const longestCase = 60

func (s *subject) read() (archive.HoldKind, string, error) {
	kind, err := archive.ParseHoldKind(s.kind)
	if err != nil {
		return "", "", fmt.Errorf("--kind: %w", err)
	}
	ref := strings.Join(strings.Fields(s.forCase), " ")
	if len([]rune(ref)) > longestCase {
		return "", "", fmt.Errorf("--case: a reference has %d characters at most; what more there is to say is for --reason", longestCase)
	}
	return kind, ref, nil
}

// kindsInWords lists the kinds of holds as they are typed, in lines for a terminal.
func kindsInWords() string {
	var b strings.Builder
	width := len("are ")
	for i, k := range archive.HoldKinds {
		s := k.Typed()
		if i < len(archive.HoldKinds)-1 {
			s += ","
		}
		if width+len(s) > 85 {
			b.WriteString("\n")
			width = 0
		} else if i > 0 {
			b.WriteString(" ")
		}
		b.WriteString(s)
		width += len(s) + 1
	}
	return b.String()
}

func (a *app) holdDescribeCommand() *cobra.Command {
	var about subject
	var by actor
	c := &cobra.Command{
		Use:   "describe NUMBER",
		Short: "Say of what kind a hold is, and for which case",
		Long: `Describe says what a hold is for, where that was not known when it was placed: by a
reaction in the group, say, or before a request had its number. What it covers stays.

The kinds are ` + kindsInWords() + `.`,
		Example: `  muniment hold describe 2 --kind foi --case FOI-2026-003 --for "Jo Marsh" --reason "the request has its number"`,
		Args:    oneNumber("the number of the hold, as `muniment hold list` shows it"),
		RunE: func(c *cobra.Command, args []string) error {
			id, _ := strconv.ParseInt(args[0], 10, 64) // checked by Args
			kind, forCase, err := about.read()
			if err != nil {
				return usageError{err}
			}
			if !c.Flags().Changed("kind") && !c.Flags().Changed("case") {
				return usageError{errors.New("say what it is for: --kind KIND --case REFERENCE")}
			}
			return a.withArchive(c.Context(), func(_ config.Config, _ daemon.Home, db *sqlite.DB) error {
				if err := db.Write(c.Context(), func(tx *sqlite.Tx) error {
					h, err := holdInForce(tx, id)
					if err != nil {
						return err
					}
					if !c.Flags().Changed("kind") {
						kind = h.Kind
					}
					if !c.Flags().Changed("case") {
						forCase = h.Case
					}
					return archive.DescribeHold(tx, now(), id, by.who, by.reason, kind, forCase)
				}); err != nil {
					return err
				}
				s := fmt.Sprintf("Hold %d is for: %s", id, saying.HoldKind(kind))
				if forCase != "" {
					s += ", " + printable(forCase)
				}
				if law := saying.HoldLaw(kind); law != "" {
					s += ".\n" + law
				} else {
					s += "."
				}
				_, err := fmt.Fprintln(c.OutOrStdout(), s)
				return err
			})
		},
	}
	about.flags(c)
	return by.flags(c, true)
}

func (a *app) holdReviewCommand() *cobra.Command {
	var until string
	var by actor
	c := &cobra.Command{
		Use:   "review NUMBER --until DATE",
		Short: "Record that a hold is still needed",
		Long: `Review records that somebody has asked whether a hold is still needed, that it is, and
why, and when to ask again: six months ahead at the latest. Until then no reminder is
sent. A hold that is not needed any more is released.`,
		Example: `  muniment hold review 1 --until "1 June 2027" --for "Jo Marsh" --reason "the tribunal sits in May"`,
		Args:    oneNumber("the number of the hold, as `muniment hold list` shows it"),
		RunE: func(c *cobra.Command, args []string) error {
			id, _ := strconv.ParseInt(args[0], 10, 64) // checked by Args
			if until == "" {
				return usageError{errors.New("say when to ask again: --until DATE")}
			}
			on, err := reviewDate(until, retention.DateOf(now()))
			if err != nil {
				return usageError{fmt.Errorf("--until: %w", err)}
			}
			return a.withArchive(c.Context(), func(_ config.Config, _ daemon.Home, db *sqlite.DB) error {
				if err := db.Write(c.Context(), func(tx *sqlite.Tx) error {
					if _, err := holdInForce(tx, id); err != nil {
						return err
					}
					return archive.ReviewHold(tx, now(), id, by.who, by.reason, on)
				}); err != nil {
					return err
				}
				_, err := fmt.Fprintf(c.OutOrStdout(), "Hold %d stays in force. To be reviewed again by %s.\n", id, on.Long())
				return err
			})
		},
	}
	c.Flags().StringVar(&until, "until", "", "the `date` by which to ask again, such as \"1 June 2027\"")
	return by.flags(c, true)
}

// holdInForce returns the hold with that number, if it is in force.
func holdInForce(tx *sqlite.Tx, id int64) (archive.Hold, error) {
	holds, err := archive.Holds(tx)
	if err != nil {
		return archive.Hold{}, err
	}
	for _, h := range holds {
		if h.ID == id && h.Released.IsZero() {
			return h, nil
		}
	}
	return archive.Hold{}, fmt.Errorf("hold %d: %w: see `muniment hold list`", id, archive.ErrNoHold)
}
