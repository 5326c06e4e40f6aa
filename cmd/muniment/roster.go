package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"muniment/internal/config"
	"muniment/internal/daemon"
	"muniment/internal/journal"
	"muniment/internal/letter"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
)

const rosterHelp = `Roster reports who was in the group at the end of a day, or is now: who of the
council, since when, by whom added and with which privacy notice; which councillors
were not, why, and what they receive instead; who is not on the register; and what
has changed since the last report, with who changed it and why. Before WhatsApp has
told who is in the group, it lists the councillors in office. It may be given to
any councillor. It tells what the records and the register said of that time, and
shows no telephone number. That somebody looked is kept in the journal, as with
` + "`muniment records`" + `, whose entry's number is the report's.

With several groups it makes a report of each, one after the other; as HTML, of the
one that --group names.

With --format json it prints one object a line for each group, with these fields.
Times are UTC, days are London's; what does not apply or is not known is null.

  reference              the number of the report, and of its entry in the journal
  drawn_up_at            when the report was made
  as_at                  the moment that is reported
  council, group, purpose, policy
                         as configured
  notice                 the privacy notice of the group, as configured: given_on, version
  begins                 when the record of who is in the group begins
  known                  whether it had begun at that moment; if not, there are no lists
  incomplete             why the lists may be, in sentences
  every_councillor       whether every councillor belongs in the group
  councillors_in_office  how many there were, the chair included
  councillors_in_group, officers_in_group, others_in_group
  in_group               who was in the group and on the register: objects of
                           name, role, in_office
                           how     invite link; joined (by invite link or request);
                                   added; renumbered; present: all that is known is
                                   that they stood on a list
                           joined  when; null for present
                           seen    when they were first seen to be there, this time
                           by      who added them
                           admin
                           notice  that they were given: given_on, version
  not_in_group           councillors in office who were not: objects of
                           name, role
                           reason  as the register says
                           how     left; removed; renumbered; absent: they no longer
                                   stood on a list; null if they were never seen there
                           went    when; of absent, when that list was made
                           by      who removed them
                           alternative, confirmed_on   what they receive instead
                           gap     that no alternative is recorded
  not_on_register        who else was in the group: objects of name (a number in this
                         report), own_name (not verified), how, joined, seen, by, admin,
                         identified_as (on the register since), action_needed
  since                  the report before: reference, as_at
  changes                since then: objects of at, what, by, reason
  changes_missing        why there may be others, in sentences
  statement              on telephone numbers`

func (a *app) rosterCommand() *cobra.Command {
	w := &wantedRoster{}
	var by actor
	c := &cobra.Command{
		Use:   "roster",
		Short: "Report who is, or was, in the group",
		Long:  rosterHelp,
		Example: `  muniment roster --for "Jo Marsh" --reason "asked by Cllr Carter"
  muniment roster --at "30 November 2026" --for "Jo Marsh" --reason "request FOI-2026-003"
  muniment roster --format html -o roster.html --for "Jo Marsh" --reason "for the annual meeting"`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := w.check(now()); err != nil {
				return usageError{err}
			}
			out, err := w.open(c.OutOrStdout())
			if err != nil {
				return err
			}
			err = a.withArchive(c.Context(), func(cfg config.Config, home daemon.Home, db *sqlite.DB) error {
				if atTerminal(c.ErrOrStderr()) {
					fmt.Fprint(c.ErrOrStderr(), unexplained(by, c.Flags().Changed("for")))
				}
				letters := daemon.Letters(cfg, home.IsDemonstration())
				text, err := w.write(c, cfg, &letters, db, by)
				if err == nil {
					_, err = io.WriteString(out, text)
				}
				return err
			})
			return errors.Join(err, w.close(out, err != nil))
		},
	}
	w.flags(c)
	return by.flags(c, false)
}

// wantedRoster is which report is wanted, as it is typed.
type wantedRoster struct {
	at, group, format, file string
	asJSON                  bool

	moment time.Time
	day    retention.Date // whose end that is; empty: now
}

func (w *wantedRoster) flags(c *cobra.Command) {
	c.Flags().StringVar(&w.at, "at", "", "report the end of this `date`, such as \"30 November 2026\" or 2026-11-30 (default now)")
	c.Flags().StringVar(&w.group, "group", "", "only the group of this `name`")
	c.Flags().StringVar(&w.format, "format", "", "text, html or json (default text)")
	c.Flags().BoolVar(&w.asJSON, "json", false, "the same as --format json")
	c.Flags().StringVarP(&w.file, "output", "o", "", "write to this `file`, which must not be there yet")
}

// check reads what was typed.
func (w *wantedRoster) check(now time.Time) (err error) {
	if w.asJSON {
		if w.format != "" && w.format != "json" {
			return errors.New("say one format: --json or --format")
		}
		w.format = "json"
	}
	switch w.format = cmp.Or(w.format, "text"); w.format {
	case "text", "html", "json":
	default:
		return fmt.Errorf("--format: %q is none: write text, html or json", w.format)
	}
	w.moment, w.day, err = asAt(w.at, now)
	return err
}

// asAt returns the moment that is meant: the end of a day that is over, or now.
func asAt(s string, now time.Time) (time.Time, retention.Date, error) {
	if s == "" {
		return now, "", nil
	}
	d, err := givenDay(s)
	switch today := retention.DateOf(now); {
	case err != nil:
		return now, "", fmt.Errorf("--at: %w", err)
	case d > today:
		return now, "", fmt.Errorf("--at: %s is still to come", d.Long())
	case d == today:
		return now, "", nil
	}
	return d.AddDays(1).Start().Add(-time.Millisecond), d, nil
}

// open opens where the report goes. It comes before the command gives up root's rights,
// which alone may allow it.
func (w *wantedRoster) open(stdout io.Writer) (io.Writer, error) {
	if w.file == "" {
		return stdout, nil
	}
	f, err := os.OpenFile(w.file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if errors.Is(err, fs.ErrExist) {
		return nil, usageError{fmt.Errorf("there is a %s already: name another file", w.file)}
	}
	return f, err
}

// close closes the file, and leaves none where there is no report.
func (w *wantedRoster) close(out io.Writer, failed bool) error {
	f, ok := out.(*os.File)
	if !ok || w.file == "" {
		return nil
	}
	err := f.Close()
	if failed {
		err = errors.Join(err, os.Remove(w.file))
	}
	return err
}

// write returns the reports; nothing is shown unless the journal says so.
func (w *wantedRoster) write(c *cobra.Command, cfg config.Config, letters *letter.Writer, db *sqlite.DB, by actor) (string, error) {
	groups, err := groupsNamed(cfg, w.group)
	if err != nil {
		return "", usageError{err}
	}
	if w.format == "html" && len(groups) > 1 {
		return "", usageError{errors.New("a page is about one group: say which with --group")}
	}
	var b strings.Builder
	err = db.Write(c.Context(), func(tx *sqlite.Tx) error {
		for i, g := range groups {
			if i > 0 && w.format == "text" {
				b.WriteString("\n\n")
			}
			r, err := w.report(tx, now(), g, letters, by)
			if err != nil {
				return err
			}
			text, err := w.formatted(r)
			if err != nil {
				return err
			}
			b.WriteString(text)
		}
		return nil
	})
	return b.String(), err
}

// report makes the report of a group and journals it.
func (w *wantedRoster) report(tx *sqlite.Tx, now time.Time, g config.Group, letters *letter.Writer, by actor) (*letter.Roster, error) {
	q := letter.RosterQuery{Group: g.JID, At: w.moment, Day: w.day, DrawnUp: now}
	var err error
	if q.Last, err = lastRoster(tx, g, w.moment); err != nil {
		return nil, err
	}
	if err := journal.Write(tx, journal.Entry{At: q.DrawnUp, Who: by.who, Act: journal.Viewed, Reason: by.reason,
		About: journal.About{"roster": g.Name, "at": sqlite.FormatTime(w.moment)}}); err != nil {
		return nil, err
	}
	if q.Reference, _, err = journal.LastOf(tx, journal.Viewed); err != nil {
		return nil, err
	}
	return letters.Roster(tx, q)
}

// lastRoster returns the last report of a group that was of an earlier moment.
func lastRoster(tx *sqlite.Tx, g config.Group, before time.Time) (last letter.RosterMade, err error) {
	err = journal.Of(tx, journal.Viewed, func(e journal.Entry, _ int64) error {
		text, _ := e.About["at"].(string)
		at, err := sqlite.ParseTime(text)
		if e.About["roster"] == g.Name && err == nil && !at.IsZero() && at.Before(before) {
			last = letter.RosterMade{Reference: e.ID, At: at, DrawnUp: e.At}
		}
		return nil
	})
	return last, err
}

func (w *wantedRoster) formatted(r *letter.Roster) (string, error) {
	switch w.format {
	case "html":
		return r.HTML()
	case "json":
		b, err := r.JSON()
		return string(b) + "\n", err
	}
	var b strings.Builder
	for line := range strings.Lines(r.Text()) {
		b.WriteString(printable(strings.TrimRight(line, "\n")) + "\n")
	}
	return b.String(), nil
}

// groupsNamed returns the listed group of that name; all for none.
func groupsNamed(cfg config.Config, name string) ([]config.Group, error) {
	if name == "" {
		return cfg.Groups, nil
	}
	var called []string
	for _, g := range cfg.Groups {
		if strings.EqualFold(g.Name, name) {
			return []config.Group{g}, nil
		}
		called = append(called, fmt.Sprintf("%q", g.Name))
	}
	return nil, fmt.Errorf("no group in the configuration is called %q; there is %s", name, cmp.Or(strings.Join(called, ", "), "none"))
}
