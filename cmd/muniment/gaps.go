package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"muniment/internal/archive"
	"muniment/internal/config"
	"muniment/internal/daemon"
	"muniment/internal/journal"
	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/saying"
	"muniment/internal/sqlite"
	"muniment/internal/vault"
)

const gapsHelp = `Gaps tells what is known to be missing of a period, which is in London days and
includes both: each time at which nothing was received, and each message that did
not come or could not be read, with what became of it. After that stands the capture
statement: what is known of how complete the record of the period is. Without --from
and --through the period is all of the record. What is not over, or missing still,
does not make the command fail: its exit code is 0.

It shows no message, and says when something was sent and not by whom: so it needs
neither --for nor --reason, as ` + "`muniment status`" + `. With --names it tells whose messages
are missing, as long as they are asked for, so that they can be asked to post them
again. That is to look at records: the journal keeps who looked, with --for and
--reason, as with ` + "`muniment records`" + `.

With --days it shows what was received on each day and what became of it:

  captured          is a record now, or was made part of one
  duplicate         had been received before
  not of the group  another chat, or a delivery without a message
  failed            could not be read, and is told above; or could not be kept at that
                    moment, was not acknowledged, and is received again

With --json it prints one object, with these fields. Times are UTC, days are
London's; what does not apply or is not known is null.

  from, through      the period
  as_at              when this was found out
  groups             objects of name, and begins: when the record of the group does
  verdict            what it comes to, in a sentence or a few
  nothing_missing    whether nothing is known to be missing of what was sent since the
                     record began, and nothing is known that speaks against it
  statement          the rest of it, in sentences
  not_connected, not_linked, lost, not_in_group
                     objects of times: how many; seconds: in all; open_since; supplied:
                     how many records of them the council's own phone supplied
  unread, unseen     messages that could not be read; messages that others answer or
                     change, and that did not come: objects of number, came (later),
                     from_phone (of those), before_record, quoted, missing, undated
                     (of the missing: perhaps not of this period)
  further            how often members named more messages that did not come than are
                     listed one by one: 50 a day of each member's
  abandoned          how often messages had arrived that were not recorded
  announced          how often WhatsApp announced messages that did not come
  supplied, imported, destroyed
                     records of the period that the council's own phone supplied later;
                     that are from a phone's export; that are destroyed
  files_lost, files_wanted
                     files of messages of the period that were lost; still to be fetched
  gaps               objects of
                       number      the gap's
                       kind        not connected, not linked, not in the group, list of
                                   participants, abandoned: of a time; not decrypted,
                                   not received: of a message; not delivered
                       what        in a few words
                       group       null: all of them
                       opened_at   when it began or, of a message, was found
                       closed_at   null: it is not over
                       cause
                       ending      of a message: from the phone, before the record, known
                                   from a quotation; null: it came of itself, or is missing
                       fate        what became of what was sent, in sentences
                       sender      with --names
                       sent_at     of a message, as WhatsApp says
                       named_by    seq of the record that shows that it exists
                       quoted_in   seq of the record that quotes it
                       asked       how often the council's phone was asked for it
                       asked_at    when last
                       asking      whether it will be asked again
                       supplied    of a time: records of it that the phone supplied
                       further     if not 0, it is of no single message: how often more
                                   were named
  days               objects of day, running (whether muniment was), received, captured,
                     duplicate, out_of_scope, failed, unaccounted`

func (a *app) gapsCommand() *cobra.Command {
	w := &wantedGaps{}
	var by actor
	c := &cobra.Command{
		Use:   "gaps",
		Short: "Tell what is known to be missing of a period",
		Long:  gapsHelp,
		Example: `  muniment gaps
  muniment gaps --from "1 November 2026" --through "30 November 2026" --days
  muniment gaps --names --for "Jo Marsh" --reason "to have them posted again"
  muniment gaps --from 2026-11-01 --through 2026-11-30 --json`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := w.check(); err != nil {
				return usageError{err}
			}
			return a.withArchive(c.Context(), func(cfg config.Config, home daemon.Home, db *sqlite.DB) error {
				if w.names && atTerminal(c.ErrOrStderr()) {
					fmt.Fprint(c.ErrOrStderr(), unexplained(by, c.Flags().Changed("for")))
				}
				if w.names {
					if err := db.Write(c.Context(), func(tx *sqlite.Tx) error {
						return journal.Write(tx, journal.Entry{At: now(), Who: by.who, Act: journal.Viewed, Reason: by.reason,
							About: journal.About{"gaps": "with names"}})
					}); err != nil {
						return err
					}
				}
				var r gapReport
				if err := db.Read(c.Context(), func(tx *sqlite.Tx) (err error) {
					r, err = w.report(tx, cfg, now(), home.Running())
					return err
				}); err != nil {
					return err
				}
				if w.asJSON {
					return r.printJSON(c.OutOrStdout())
				}
				return r.print(c.OutOrStdout(), w)
			})
		},
	}
	c.Flags().StringVar(&w.from, "from", "", "from this `date` on, such as \"1 November 2026\" or 2026-11-01 (default: since the record began)")
	c.Flags().StringVar(&w.through, "through", "", "through this `date` (default: today)")
	c.Flags().StringVar(&w.group, "group", "", "only the group of this `name`")
	c.Flags().BoolVar(&w.days, "days", false, "show what was received on each day, too")
	c.Flags().BoolVar(&w.all, "all", false, "list interruptions of less than ten minutes, too")
	c.Flags().BoolVar(&w.names, "names", false, "tell whose messages are missing; the journal keeps that somebody looked")
	c.Flags().BoolVar(&w.asJSON, "json", false, "print one JSON object")
	return by.flags(c, false)
}

// wantedGaps is which report is wanted, as it is typed.
type wantedGaps struct {
	from, through, group     string
	days, all, names, asJSON bool

	first, last retention.Date // empty: not given
}

// check reads what was typed.
func (w *wantedGaps) check() (err error) {
	for _, d := range []struct {
		flag, text string
		day        *retention.Date
	}{{"--from", w.from, &w.first}, {"--through", w.through, &w.last}} {
		if d.text == "" {
			continue
		}
		if *d.day, err = givenDay(d.text); err != nil {
			return fmt.Errorf("%s: %w", d.flag, err)
		}
	}
	if w.first != "" && w.last != "" && w.last < w.first {
		return errors.New("--through is before --from")
	}
	return nil
}

// gapReport is a capture statement with what it takes to tell it.
type gapReport struct {
	archive.Statement
	teller saying.Teller
}

// report finds out what is known of the period.
func (w *wantedGaps) report(tx *sqlite.Tx, cfg config.Config, at time.Time, running bool) (r gapReport, err error) {
	r.teller.Groups = groupNames(cfg)
	if w.names {
		if r.teller.Names, err = people.LoadNames(tx); err != nil {
			return r, err
		}
	}
	groups, err := w.groups(tx, cfg)
	if err != nil {
		return r, err
	}
	r.Statement, err = statementOn(tx, groups, w.first, w.last, at, running)
	return r, err
}

// groups returns which groups are asked about: also those of which there are records, though
// they are not in the configuration any more.
func (w *wantedGaps) groups(tx *sqlite.Tx, cfg config.Config) (jids []string, err error) {
	named, err := groupsNamed(cfg, w.group)
	if err != nil {
		return nil, usageError{err}
	}
	for _, g := range named {
		jids = append(jids, g.JID)
	}
	if w.group != "" {
		w.group = named[0].Name
		return jids, nil
	}
	kept, err := archive.KeptIn(tx)
	for _, jid := range slices.Sorted(maps.Keys(kept)) {
		if !slices.Contains(jids, jid) {
			jids = append(jids, jid)
		}
	}
	return jids, err
}

// statementOn returns the capture statement on groups and a period; without a first day,
// since the record began, and without a last, up to today.
func statementOn(tx *sqlite.Tx, groups []string, from, through retention.Date, at time.Time, running bool) (s archive.Statement, err error) {
	seen := at
	if !running {
		if seen, err = archive.LastSeen(tx, at); err != nil {
			return s, err
		}
	}
	if from == "" {
		if from, err = firstDay(tx, groups, at); err != nil {
			return s, err
		}
	}
	if through == "" {
		through = max(from, retention.DateOf(at))
	}
	if through < from {
		from = through // nothing was recorded yet
	}
	if s, err = archive.StatementOn(tx, groups, from, through, at, seen); err != nil {
		return s, err
	}
	return s, countFiles(tx, &s)
}

// firstDay returns the day on which the record of the first of the groups begins; if none
// has begun, that on which the archive was made.
func firstDay(tx *sqlite.Tx, groups []string, at time.Time) (retention.Date, error) {
	began, err := daemon.Began(tx)
	if err != nil {
		return "", err
	}
	today := retention.DateOf(at)
	s, err := archive.StatementOn(tx, groups, today, today, at, at)
	if err != nil {
		return "", err
	}
	first := time.Time{}
	for _, b := range s.Begins {
		if !b.At.IsZero() && (first.IsZero() || b.At.Before(first)) {
			first = b.At
		}
	}
	if first.IsZero() {
		first = began
	}
	return min(retention.DateOf(first), today), nil
}

// countFiles adds to s how many files of messages of its period and groups are missing.
func countFiles(tx *sqlite.Tx, s *archive.Statement) error {
	missing := make(map[record.Seq]vault.State)
	if err := vault.Each(tx, func(m vault.Media) error {
		if m.State != vault.Kept {
			missing[m.Seq] = m.State
		}
		return nil
	}); err != nil {
		return err
	}
	records, err := archive.Some(tx, slices.Sorted(maps.Keys(missing)))
	for _, r := range records {
		d := retention.DateOf(r.Sent)
		asked := slices.ContainsFunc(s.Begins, func(b archive.Beginning) bool { return b.Group == r.Group })
		switch {
		case !asked || d < s.From || d > s.Through:
		case missing[r.Seq] == vault.Lost:
			s.FilesLost++
		default:
			s.FilesWanted++
		}
	}
	return err
}

// period says which days these are.
func period(from, through retention.Date) string {
	if from == through {
		return from.Long()
	}
	return from.Long() + " to " + through.Long()
}

// print prints the report for a reader.
func (r gapReport) print(out io.Writer, w *wantedGaps) error {
	to := screenOf(out)
	var b strings.Builder
	of := ""
	if w.group != "" {
		of = " of “" + w.group + "”"
	}
	fmt.Fprintf(&b, "Gaps in the record%s, %s\n", printable(of), period(r.From, r.Through))
	if err := r.list(&b, to, w.all); err != nil {
		return err
	}
	fmt.Fprintf(&b, "\nCapture statement%s, %s, as of %s\n\n", printable(of), period(r.From, r.Through), moment(r.At))
	if err := to.row(&b, nil, printable(r.teller.Verdict(r.Statement))); err != nil {
		return err
	}
	b.WriteString("\n")
	for _, s := range r.teller.Statement(r.Statement) {
		if err := to.row(&b, []int{1}, "-", printable(s)); err != nil {
			return err
		}
	}
	if w.days {
		b.WriteString("\n")
		widths := []int{15, 8, 8, 9, 16, 6}
		for _, row := range append([][]string{saying.DayColumns}, saying.Days(r.Statement)...) {
			if err := to.row(&b, widths, row...); err != nil {
				return err
			}
		}
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// brief is how long an interruption may be to be counted only.
const brief = 10 * time.Minute

// list prints the gaps: those that are not over, those that leave something missing, and
// those that left nothing missing.
func (r gapReport) list(out io.Writer, to screen, all bool) error {
	var open, lost, healed []archive.Gap
	short := 0
	for _, g := range slices.Backward(r.Gaps) { // the latest first
		switch {
		case g.Closed.IsZero() && g.Kind != archive.Abandoned && g.Kind != archive.NotDelivered:
			open = append(open, g)
		case saying.LostGap(g):
			lost = append(lost, g)
		case !all && g.Kind == archive.NotConnected && g.Closed.Sub(g.Opened) < brief:
			short++
		default:
			healed = append(healed, g)
		}
	}
	switch {
	case len(r.Gaps) > 0:
	case r.From > retention.DateOf(r.At): // the statement says that it is still to come
		return nil
	default:
		_, err := fmt.Fprintln(out, "\nNone is known.")
		return err
	}
	for _, part := range []struct {
		heading string
		gaps    []archive.Gap
	}{{"Not over, or missing still", open}, {"Over, and something stays missing", lost}, {"Over, and nothing is missing because of it", healed}} {
		if len(part.gaps) == 0 {
			continue
		}
		fmt.Fprintf(out, "\n%s\n\n", part.heading)
		for _, g := range part.gaps {
			from, until := gapTimes(g)
			said := r.teller.Gap(g)
			if err := to.row(out, []int{17, 17}, from, until,
				printable(strings.Join(nonEmpty(said.Title+".", said.Cause, said.Fate), " "))); err != nil {
				return err
			}
		}
	}
	if short > 0 {
		fmt.Fprintf(out, "\nAlso %s of less than 10 minutes, with nothing missing: see --all.\n", count(short, "interruption"))
	}
	return nil
}

// gapTimes returns from when to when a gap was; of a message, when it was sent or found to be
// missing, and when it came.
func gapTimes(g archive.Gap) (from, until string) {
	opened := g.Opened
	if !g.Sent.IsZero() {
		opened = g.Sent
	}
	switch {
	case g.Kind == archive.Abandoned:
		return shortMoment(opened.AddDate(0, 0, -1)), shortMoment(opened)
	case g.Kind == archive.NotDelivered:
		return shortMoment(opened), ""
	case g.Closed.IsZero() && (g.Kind == archive.NotDecrypted || g.Kind == archive.NotReceived):
		return shortMoment(opened), "missing"
	case g.Closed.IsZero():
		return shortMoment(opened), "not over"
	}
	return shortMoment(opened), shortMoment(g.Closed)
}

// The report as JSON; the help says what is what.
type (
	shownGaps struct {
		From           retention.Date `json:"from"`
		Through        retention.Date `json:"through"`
		AsAt           string         `json:"as_at"`
		Groups         []shownGroup   `json:"groups"`
		Verdict        string         `json:"verdict"`
		NothingMissing bool           `json:"nothing_missing"`
		Statement      []string       `json:"statement"`
		NotConnected   shownTimes     `json:"not_connected"`
		NotLinked      shownTimes     `json:"not_linked"`
		Lost           shownTimes     `json:"lost"`
		NotInGroup     shownTimes     `json:"not_in_group"`
		Unread         shownMessages  `json:"unread"`
		Unseen         shownMessages  `json:"unseen"`
		Further        int            `json:"further"`
		Abandoned      int            `json:"abandoned"`
		Announced      int            `json:"announced"`
		Supplied       int            `json:"supplied"`
		Imported       int            `json:"imported"`
		Destroyed      int            `json:"destroyed"`
		FilesLost      int            `json:"files_lost"`
		FilesWanted    int            `json:"files_wanted"`
		Gaps           []shownGap     `json:"gaps"`
		Days           []shownAccount `json:"days"`
	}
	shownGroup struct {
		Name   *string `json:"name"`
		Begins *string `json:"begins"`
	}
	shownTimes struct {
		Times     int     `json:"times"`
		Seconds   int64   `json:"seconds"`
		OpenSince *string `json:"open_since"`
		Supplied  int     `json:"supplied"`
	}
	shownMessages struct {
		Number       int `json:"number"`
		Came         int `json:"came"`
		FromPhone    int `json:"from_phone"`
		BeforeRecord int `json:"before_record"`
		Quoted       int `json:"quoted"`
		Missing      int `json:"missing"`
		Undated      int `json:"undated"`
	}
	shownGap struct {
		Number   int64           `json:"number"`
		Kind     archive.GapKind `json:"kind"`
		What     string          `json:"what"`
		Group    *string         `json:"group"`
		OpenedAt *string         `json:"opened_at"`
		ClosedAt *string         `json:"closed_at"`
		Cause    *string         `json:"cause"`
		Ending   *archive.Ending `json:"ending"`
		Fate     string          `json:"fate"`
		Sender   *string         `json:"sender"`
		SentAt   *string         `json:"sent_at"`
		NamedBy  *record.Seq     `json:"named_by"`
		QuotedIn *record.Seq     `json:"quoted_in"`
		Asked    int             `json:"asked"`
		AskedAt  *string         `json:"asked_at"`
		Asking   bool            `json:"asking"`
		Supplied int             `json:"supplied"`
		Further  int             `json:"further"`
	}
	shownAccount struct {
		Day         retention.Date `json:"day"`
		Running     bool           `json:"running"`
		Received    int64          `json:"received"`
		Captured    int64          `json:"captured"`
		Duplicate   int64          `json:"duplicate"`
		OutOfScope  int64          `json:"out_of_scope"`
		Failed      int64          `json:"failed"`
		Unaccounted int64          `json:"unaccounted"`
	}
)

func (r gapReport) printJSON(out io.Writer) error {
	s := r.Statement
	shown := shownGaps{
		From: s.From, Through: s.Through, AsAt: s.At.UTC().Format(time.RFC3339), Groups: []shownGroup{},
		Verdict: r.teller.Verdict(s), NothingMissing: r.teller.NothingMissing(s), Statement: append([]string{}, r.teller.Statement(s)...),
		NotConnected: showTimes(s.NotConnected), NotLinked: showTimes(s.NotLinked), Lost: showTimes(s.Lost), NotInGroup: showTimes(s.Outside),
		Unread: showMessages(s.Unread), Unseen: showMessages(s.Unseen), Further: s.Further, Abandoned: s.Abandoned, Announced: s.Announced,
		Supplied: s.Supplied, Imported: s.Imported, Destroyed: s.Destroyed, FilesLost: s.FilesLost, FilesWanted: s.FilesWanted,
		Gaps: []shownGap{}, Days: []shownAccount{},
	}
	for _, b := range s.Begins {
		shown.Groups = append(shown.Groups, shownGroup{given(r.teller.Groups[b.Group]), utc(b.At)})
	}
	for _, g := range s.Gaps {
		said := r.teller.Gap(g)
		one := shownGap{
			Number: g.ID, Kind: g.Kind, What: said.Title, Group: given(r.teller.Groups[g.Group]), OpenedAt: utc(g.Opened), ClosedAt: utc(g.Closed),
			Cause: given(said.Cause), Ending: given(g.Ending), Fate: said.Fate, SentAt: utc(g.Sent), NamedBy: given(g.NamedBy), QuotedIn: given(g.QuotedIn),
			Asked: g.Asked, AskedAt: utc(g.AskedAt), Asking: g.Asking, Supplied: g.Supplied, Further: g.Further,
		}
		if r.teller.Names != nil && g.Sender != "" {
			one.Sender = given(r.teller.Names.OfJID(g.Sender))
		}
		shown.Gaps = append(shown.Gaps, one)
	}
	for _, d := range s.Days {
		shown.Days = append(shown.Days, shownAccount{Day: d.Day, Running: !d.Started.IsZero(), Received: d.Received, Captured: d.Captured,
			Duplicate: d.Duplicate, OutOfScope: d.OutOfScope, Failed: d.Failed, Unaccounted: d.Unaccounted()})
	}
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	return enc.Encode(shown)
}

func showTimes(t archive.Times) shownTimes {
	return shownTimes{Times: t.Number, Seconds: int64(t.Total.Seconds()), OpenSince: utc(t.Open), Supplied: t.Supplied}
}

func showMessages(m archive.Messages) shownMessages {
	return shownMessages{Number: m.Number, Came: m.Came, FromPhone: m.Phone, BeforeRecord: m.Earlier, Quoted: m.Quoted, Missing: m.Missing, Undated: m.Undated}
}

// utc writes a time for programs; nil for none.
func utc(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	s := t.UTC().Format(time.RFC3339)
	return &s
}
