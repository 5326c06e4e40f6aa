package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"muniment/internal/archive"
	"muniment/internal/config"
	"muniment/internal/daemon"
	"muniment/internal/journal"
	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
)

func (a *app) recordsCommand() *cobra.Command {
	var asJSON bool
	var by actor
	c := &cobra.Command{
		Use:   "records",
		Short: "Show the records in the archive",
		Long: `Records shows every record in order of capture, and what remains of destroyed
ones. That somebody looked is kept in the journal: on whose word and why, as given
with --for and --reason, or else only which user of this machine it was.

With --json it prints one object a line, with these fields. Times are UTC; what
does not apply is null.

  seq          the record's number, by which letters and certificates call it
  kind         message, reaction, participants, unsupported
  type         of a message: text; of a reaction: added, removed; of participants:
               joined, left, added, removed, present; of unsupported: WhatsApp's name
  id           WhatsApp's ID of the message
  group        the group's name, as configured
  sent_at      the time that WhatsApp gives it
  captured_at  when it was on disk here
  member       who sent it: the name on the member register, or else marked as unverified
  text         of a message: its text, with mentions as names; of participants: who
  reply_to     seq of the record that it answers or reacts to
  amends       seq of the record that it changes: of the same person's earlier reaction
  effective    whether nothing later has amended it
  emoji        of a reaction
  media        not captured by this version: always null
  on_hold      whether it is kept from destruction
  destroyed    the date of its destruction; then only seq, on_hold and this are set`,
		Example: `  sudo muniment records --for "Jo Marsh" --reason "request FOI-2026-003" | less
  sudo muniment records --json --for "Jo Marsh" --reason "request FOI-2026-003"`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withArchive(c.Context(), func(cfg config.Config, _ daemon.Home, db *sqlite.DB) error {
				if atTerminal(c.ErrOrStderr()) {
					fmt.Fprint(c.ErrOrStderr(), unexplained(by, c.Flags().Changed("for")))
				}
				if err := db.Write(c.Context(), func(tx *sqlite.Tx) error {
					return journal.Write(tx, journal.Entry{At: now(), Who: by.who, Act: journal.Viewed, Reason: by.reason,
						About: journal.About{"records": "all"}})
				}); err != nil {
					return err
				}
				return db.Read(c.Context(), func(tx *sqlite.Tx) error {
					return printRecords(c.OutOrStdout(), tx, cfg, asJSON)
				})
			})
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line")
	return by.flags(c, false)
}

// unexplained says what the journal will lack of a look at the records; nothing
// where it lacks nothing. Looking is not refused: other programs read the
// records too, and the system's user is known in any case.
func unexplained(by actor, named bool) string {
	switch {
	case by.reason == "":
		return fmt.Sprintf("The journal will say that %s looked, and give no reason: use --for and --reason.\n", by.who)
	case !named:
		return fmt.Sprintf("The journal will say that %s looked: use --for to say on whose word.\n", by.who)
	}
	return ""
}

// atTerminal reports whether somebody reads at a terminal what is written to w.
func atTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// printRecords prints every record and stub to out.
func printRecords(out io.Writer, tx *sqlite.Tx, cfg config.Config, asJSON bool) error {
	names, err := people.LoadNames(tx)
	if err != nil {
		return err
	}
	groups := make(map[string]string)
	for _, g := range cfg.Groups {
		groups[g.JID] = g.Name
	}
	show := shownRecord{}.printLine
	if asJSON {
		enc := json.NewEncoder(out)
		enc.SetEscapeHTML(false)
		show = func(_ io.Writer, s shownRecord) error { return enc.Encode(s) }
	}
	none := true
	err = archive.Each(tx, func(r archive.Record) error {
		none = false
		return show(out, showRecord(r, names, groups))
	})
	if err == nil && none && !asJSON {
		_, err = fmt.Fprintln(out, "There are no records yet.")
	}
	return err
}

// shownRecord is a record as this command shows it: names, never addresses.
type shownRecord struct {
	Seq        record.Seq      `json:"seq"`
	Kind       *record.Kind    `json:"kind"`
	Type       *record.Type    `json:"type"`
	ID         *string         `json:"id"`
	Group      *string         `json:"group"`
	SentAt     *string         `json:"sent_at"`
	CapturedAt *string         `json:"captured_at"`
	Member     *string         `json:"member"`
	Text       *string         `json:"text"`
	ReplyTo    *record.Seq     `json:"reply_to"`
	Amends     *record.Seq     `json:"amends"`
	Effective  *bool           `json:"effective"`
	Emoji      *string         `json:"emoji"`
	Media      *string         `json:"media"`
	OnHold     bool            `json:"on_hold"`
	Destroyed  *retention.Date `json:"destroyed"`

	sent   time.Time
	people []string // of a change of participants
	caused bool     // by Member, as far as WhatsApp said
}

func showRecord(r archive.Record, names *people.Names, groups map[string]string) shownRecord {
	if r.Destroyed != "" {
		return shownRecord{Seq: r.Seq, Destroyed: &r.Destroyed}
	}
	sender := names.Of(r.Person)
	s := shownRecord{
		Seq: r.Seq, Kind: &r.Kind, Type: &r.Type, ID: given(r.ID),
		Group: given(groups[r.Group]), SentAt: given(r.Sent.UTC().Format(time.RFC3339)),
		CapturedAt: given(r.Captured.UTC().Format(time.RFC3339Nano)), Member: &sender,
		Text: given(names.Mentioning(r.Text, r.Mentions)), ReplyTo: given(r.ReplyTo), Amends: given(r.Amends),
		Effective: &r.Effective, Emoji: given(r.Emoji), OnHold: r.OnHold, sent: r.Sent,
	}
	for _, p := range r.Participants {
		s.people = append(s.people, names.OfJID(p.JID))
	}
	// Of a change that names nobody as its cause, the group stands as the sender.
	s.caused = r.Type != record.Added && r.Type != record.Removed ||
		!strings.HasPrefix(sender, "Unidentified ") || sender != names.OfJID(r.Group)
	if s.Text == nil && s.people != nil {
		s.Text = given(strings.Join(s.people, ", "))
	}
	return s
}

// given returns a pointer to v, nil for the zero value.
func given[T comparable](v T) *T {
	var none T
	if v == none {
		return nil
	}
	return &v
}

// printLine prints s for a reader.
func (shownRecord) printLine(out io.Writer, s shownRecord) error {
	var b strings.Builder
	if s.Destroyed != nil {
		fmt.Fprintf(&b, "%6d  destroyed on %s", s.Seq, s.Destroyed.Long())
	} else {
		fmt.Fprintf(&b, "%6d  %s  ", s.Seq, s.sent.In(retention.London).Format("2 Jan 2006 15:04"))
		if *s.Kind == record.Participants {
			b.WriteString(s.moved())
		} else {
			fmt.Fprintf(&b, "%s: %s", printable(*s.Member), s.says())
		}
		if s.OnHold {
			b.WriteString("  [on hold]")
		}
	}
	_, err := fmt.Fprintln(out, b.String())
	return err
}

// says puts what a record is in words.
func (s shownRecord) says() string {
	var text, emoji string
	if s.Text != nil {
		text = printable(*s.Text)
	}
	if s.Emoji != nil {
		emoji = printable(*s.Emoji)
	}
	to := "a message that is not kept"
	if s.ReplyTo != nil {
		to = fmt.Sprintf("record %d", *s.ReplyTo)
	}
	switch *s.Kind {
	case record.Message:
		if s.ReplyTo != nil {
			return fmt.Sprintf("(in reply to %s) %s", to, text)
		}
		return text
	case record.Reaction:
		if *s.Type == record.ReactionRemoved {
			return "took back the reaction to " + to
		}
		return fmt.Sprintf("reacted %s to %s", emoji, to)
	}
	return fmt.Sprintf("(kept, not shown by this version: %s)", *s.Type)
}

// moved puts a change of who is in the group in words.
func (s shownRecord) moved() string {
	if *s.Type == record.Present {
		return "In the group: " + printable(strings.Join(s.people, ", "))
	}
	who, was := "nobody", "was" // of whom no address was given
	if last := len(s.people) - 1; last == 0 {
		who = s.people[0]
	} else if last > 0 {
		who, was = strings.Join(s.people[:last], ", ")+" and "+s.people[last], "were"
	}
	var what string
	switch *s.Type {
	case record.Joined:
		what = "joined the group"
	case record.Left:
		what = "left the group"
	case record.Added, record.Removed:
		what = fmt.Sprintf("%s %s", was, *s.Type)
		if s.caused {
			what += " by " + *s.Member
		}
	default:
		what = fmt.Sprintf("(%s)", *s.Type)
	}
	return printable(who + " " + what)
}

// printable makes text from outside fit for a terminal: one line, no control
// characters.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case r < ' ' || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069:
			return -1
		}
		return r
	}, s)
}
