package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"muniment/internal/config"
	"muniment/internal/daemon"
	"muniment/internal/letter"
	"muniment/internal/mail"
	"muniment/internal/sqlite"
)

func (a *app) outboxCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:   "outbox",
		Short: "See the emails that are owed, and what became of them",
		Long: `Every email stands in the outbox, for each of its recipients, until the mail server
has accepted it, and after that too. None is ever dropped: what the server refuses,
or what could not be handed over for five days, stays here until somebody acts.

  queued            it will be tried, or tried again
  sending           the mail server is being given it
  outcome unknown   the server was given it and its answer was lost: it may have it.
                    The same email goes again, with the same Message-ID
  handed over       the mail server accepted it; whether it was delivered is not known
  refused           the mail server will not take it
  expired           it was tried for five days
  cancelled         it is not owed any more`,
		Example: `  muniment outbox list
  muniment outbox show 12
  muniment outbox retry 12 --for "Jo Marsh" --reason "the mailbox has room again"`,
	}, a.outboxListCommand(), a.outboxShowCommand(), a.outboxRetryCommand(), a.outboxCancelCommand())
}

func (a *app) outboxListCommand() *cobra.Command {
	var all, asJSON bool
	c := &cobra.Command{
		Use:   "list",
		Short: "List the emails that are owed, and those that need somebody",
		Long: `List shows the emails that are still owed to somebody, and those that were refused or
have expired: one line for each recipient. With --all it shows all emails there ever
were, the oldest first.`,
		Example: `  muniment outbox list
  muniment outbox list --all --json`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withArchive(c.Context(), func(_ config.Config, _ daemon.Home, db *sqlite.DB) error {
				var items []mail.Item
				if err := db.Read(c.Context(), func(tx *sqlite.Tx) (err error) {
					items, err = mail.List(tx, wantedStates(all)...)
					return err
				}); err != nil {
					return err
				}
				if asJSON {
					return outboxJSON(c.OutOrStdout(), items)
				}
				return listOutbox(c.OutOrStdout(), items, all)
			})
		},
	}
	c.Flags().BoolVar(&all, "all", false, "those that were handed over or cancelled as well")
	c.Flags().BoolVar(&asJSON, "json", false, "for other programs: a list of emails, each with its recipients")
	return c
}

// wantedStates are those that somebody may have to do something about, or all.
func wantedStates(all bool) []mail.State {
	states := []mail.State{mail.Queued, mail.Sending, mail.Unknown, mail.Refused, mail.Expired}
	if all {
		states = append(states, mail.HandedOver, mail.Cancelled)
	}
	return states
}

// listOutbox prints a line for each email and recipient.
func listOutbox(out io.Writer, items []mail.Item, all bool) error {
	if len(items) == 0 {
		nothing := "No email waits, and none needs anybody."
		if all {
			nothing = "No email has been owed yet."
		}
		_, err := fmt.Fprintln(out, nothing)
		return err
	}
	to := screenOf(out)
	widths := []int{5, 34, 30}
	if err := to.row(out, widths, "EMAIL", "WHAT", "FOR", "STATE"); err != nil {
		return err
	}
	for _, it := range items {
		for _, r := range it.Recipients {
			if !slices.Contains(wantedStates(all), r.State) {
				continue
			}
			if err := to.row(out, widths, strconv.FormatInt(it.ID, 10), emailTitle(it), printable(r.Address), becameOf(it, r)); err != nil {
				return err
			}
		}
	}
	return nil
}

// emailTitle says which email it is.
func emailTitle(it mail.Item) string {
	title := printable(letter.EmailName(it))
	if it.Part > 1 {
		title += fmt.Sprintf(", part %d", it.Part)
	}
	return title
}

// becameOf says in a line what became of an email for one recipient, or will.
func becameOf(it mail.Item, r mail.Recipient) string {
	switch r.State {
	case mail.Queued, mail.Unknown:
		s := string(r.State)
		switch {
		case r.Attempts > 0:
			s += fmt.Sprintf(" after %s", count(r.Attempts, "attempt"))
		case it.Early(now()):
			return fmt.Sprintf("%s; goes on %s", s, moment(it.NotBefore))
		case r.LastAnswer != "": // kept back
			return fmt.Sprintf("%s: %s", s, printable(r.LastAnswer))
		}
		if r.NextAttempt.After(now()) {
			s += fmt.Sprintf("; again on %s", moment(r.NextAttempt))
		}
		return s
	case mail.Sending:
		return string(r.State)
	}
	return fmt.Sprintf("%s on %s", r.State, moment(r.FinishedAt))
}

// mailJSON is an email as it is printed for other programs. Times are in UTC.
type mailJSON struct {
	Email      int64           `json:"email"`
	Kind       string          `json:"kind"`
	About      int64           `json:"about"`
	Part       int             `json:"part"`
	MessageID  string          `json:"message_id"`
	State      mail.State      `json:"state"`
	Queued     time.Time       `json:"queued"`
	Composed   *time.Time      `json:"composed"`
	Recipients []recipientJSON `json:"recipients"`
}

type recipientJSON struct {
	Address  string     `json:"address"`
	State    mail.State `json:"state"`
	Attempts int        `json:"attempts"`
	Last     *time.Time `json:"last_attempt"`
	Next     *time.Time `json:"next_attempt"` // null unless it is still owed
	Answer   string     `json:"last_answer"`
	Finished *time.Time `json:"finished"`
}

func outboxJSON(out io.Writer, items []mail.Item) error {
	all := []mailJSON{}
	for _, it := range items {
		m := mailJSON{Email: it.ID, Kind: it.Kind, About: it.About, Part: it.Part, MessageID: it.MessageID, State: it.State,
			Queued: it.QueuedAt.UTC(), Composed: orNull(it.ComposedAt)}
		for _, r := range it.Recipients {
			j := recipientJSON{Address: r.Address, State: r.State, Attempts: r.Attempts, Last: orNull(r.LastAttempt), Answer: r.LastAnswer, Finished: orNull(r.FinishedAt)}
			if r.State.Open() {
				j.Next = orNull(r.NextAttempt)
			}
			m.Recipients = append(m.Recipients, j)
		}
		all = append(all, m)
	}
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	return e.Encode(all)
}

// orNull returns t for JSON, in which no time is null.
func orNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func (a *app) outboxShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show EMAIL",
		Short: "Show what is known of an email",
		Long: `Show tells all that is known of an email but what it says: when it was owed, written
and tried, and what the mail server answered for each of its recipients.`,
		Example: "  muniment outbox show 12",
		Args:    oneNumber("the number of the email, as `muniment outbox list` shows it"),
		RunE: func(c *cobra.Command, args []string) error {
			id, _ := strconv.ParseInt(args[0], 10, 64) // checked by Args
			return a.withArchive(c.Context(), func(_ config.Config, _ daemon.Home, db *sqlite.DB) error {
				return db.Read(c.Context(), func(tx *sqlite.Tx) error {
					it, err := mail.ByID(tx, id)
					if err != nil {
						return noEmail(id, err)
					}
					return showEmail(c.OutOrStdout(), it)
				})
			})
		},
	}
}

// noEmail says so of an email that there is not.
func noEmail(id int64, err error) error {
	if errors.Is(err, mail.ErrNotQueued) {
		return fmt.Errorf("there is no email %d: see `muniment outbox list --all`", id)
	}
	return err
}

func showEmail(out io.Writer, it mail.Item) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Email       %d, %s\n", it.ID, emailTitle(it))
	fmt.Fprintf(&b, "Message-ID  %s\n", it.MessageID)
	fmt.Fprintf(&b, "Owed since  %s\n", moment(it.QueuedAt))
	if it.ComposedAt.IsZero() {
		fmt.Fprintln(&b, "Written     not yet")
	} else {
		fmt.Fprintf(&b, "Written     %s\n", moment(it.ComposedAt))
	}
	for _, r := range it.Recipients {
		fmt.Fprintf(&b, "\nFor         %s\nState       %s\n", printable(r.Address), becameOf(it, r))
		if r.Attempts > 0 {
			fmt.Fprintf(&b, "Attempts    %d, the last on %s\n", r.Attempts, moment(r.LastAttempt))
		}
		if r.LastAnswer != "" {
			fmt.Fprintf(&b, "Answer      %s\n", printable(r.LastAnswer))
		}
	}
	_, err := io.WriteString(out, b.String())
	return err
}

func (a *app) outboxRetryCommand() *cobra.Command {
	return a.outboxActCommand("retry", "Have an email tried again now",
		`Retry has the daemon try an email again within a minute, for every recipient to whom
it has not been handed over: also one that was refused, that has expired, or that was
cancelled by hand. If it may have arrived already, the very same email goes; else it is
written anew.`, "the mailbox has room again", "Email %d will be tried within a minute, if the daemon runs.\n", mail.Retry)
}

func (a *app) outboxCancelCommand() *cobra.Command {
	return a.outboxActCommand("cancel", "Take back an email that is still owed",
		`Cancel takes back an email for every recipient to whom it has not been handed over.
What it was to tell stays on record; "muniment outbox retry" owes it again.`,
		"sent by hand", "Email %d is not owed any more.\n", mail.CancelByHand)
}

// outboxActCommand is a command that does something to one email.
func (a *app) outboxActCommand(name, short, long, reason, done string, act func(tx *sqlite.Tx, now time.Time, id int64, who, reason string) error) *cobra.Command {
	var by actor
	return by.flags(&cobra.Command{
		Use:     name + " EMAIL",
		Short:   short,
		Long:    long,
		Example: fmt.Sprintf("  muniment outbox %s 12 --for \"Jo Marsh\" --reason %q", name, reason),
		Args:    oneNumber("the number of the email, as `muniment outbox list` shows it"),
		RunE: func(c *cobra.Command, args []string) error {
			id, _ := strconv.ParseInt(args[0], 10, 64) // checked by Args
			return a.withArchive(c.Context(), func(_ config.Config, _ daemon.Home, db *sqlite.DB) error {
				if err := db.Write(c.Context(), func(tx *sqlite.Tx) error { return act(tx, now(), id, by.who, by.reason) }); err != nil {
					return noEmail(id, err)
				}
				_, err := fmt.Fprintf(c.OutOrStdout(), done, id)
				return err
			})
		},
	}, true)
}
