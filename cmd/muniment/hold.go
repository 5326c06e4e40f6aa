package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"muniment/internal/archive"
	"muniment/internal/config"
	"muniment/internal/daemon"
	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
)

func (a *app) holdCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:   "hold",
		Short: "Keep records from being destroyed",
		Long: `A hold suspends destruction, for a recorded reason: an information request, a
complaint, a dispute, a claim. While it is in force nothing that it covers is
destroyed, whatever has been approved. It covers everything, or the part of the
record that was named when it was placed.

Information that has been requested must not be destroyed to prevent its
disclosure: that is a criminal offence (Freedom of Information Act 2000, section
77; Data Protection Act 2018, section 173).`,
		Example: `  muniment hold place --all --for "Jo Marsh" --reason "request FOI-2026-003"
  muniment hold place --member "Cllr Ann Brook" --for "Jo Marsh" --reason "complaint 2"
  muniment hold list
  muniment hold release 1 --for "Jo Marsh" --reason "request answered, review period over"`,
	}, a.holdPlaceCommand(), a.holdReleaseCommand(), a.holdListCommand())
}

func (a *app) holdPlaceCommand() *cobra.Command {
	var what cover
	var review string
	var by actor
	c := &cobra.Command{
		Use:   "place",
		Short: "Place a hold on everything, or on a part of the record",
		Long: `Place keeps records from being destroyed. Say what, in one way:

  --all                      everything, also what is still to come
  --record 12,15-18          these records; may be given more than once
  --from DATE --through DATE what was sent on these days and between them (London)
  --member NAME              what this person on the member register sent, or will send
  --search QUERY             what a search finds now; what comes later is not held.
                             The query is as for ` + "`muniment search`" + ` and is kept.

With a record the whole of it is kept: its message, every edit, deletion and
reaction, the file, and the message that it answers.

A hold does not end by itself. By the review date somebody should ask whether it
is still needed: six months ahead, or earlier with --review.`,
		Example: `  muniment hold place --all --for "Jo Marsh" --reason "request FOI-2026-003"
  muniment hold place --from "1 November 2026" --through "30 November 2026" --for "Jo Marsh" --reason "dispute 4"
  muniment hold place --search '"mill lane" OR culvert' --review 2027-02-01 --for "Jo Marsh" --reason "request FOI-2026-003"`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := what.check(); err != nil {
				return usageError{err}
			}
			reviewOn, err := reviewDate(review, retention.DateOf(now()))
			if err != nil {
				return usageError{err}
			}
			return a.withArchive(c.Context(), func(cfg config.Config, _ daemon.Home, db *sqlite.DB) error {
				var placed []heldNow
				if err := db.Write(c.Context(), func(tx *sqlite.Tx) error {
					covered, err := what.find(tx, groupNames(cfg))
					if err != nil {
						return err
					}
					id, err := archive.PlaceHold(tx, now(), by.who, by.reason, reviewOn, covered)
					if err != nil {
						return err
					}
					placed, err = holdsNow(tx, func(h archive.Hold) bool { return h.ID == id })
					return err
				}); err != nil {
					return err
				}
				_, err := fmt.Fprint(c.OutOrStdout(), placed[0].told())
				return err
			})
		},
	}
	what.flags(c)
	c.Flags().StringVar(&review, "review", "", "the `date` of the review, such as \"1 February 2027\" (default six months ahead, and no later)")
	return by.flags(c, true)
}

// cover is what is to be held, as it is typed.
type cover struct {
	all           bool
	records       []string
	from, through string
	member        string
	search        string

	flag func(string) bool // whether it was given
}

func (w *cover) flags(c *cobra.Command) {
	c.Flags().BoolVar(&w.all, "all", false, "hold everything")
	c.Flags().StringSliceVar(&w.records, "record", nil, "hold the records with these `numbers`, such as 12,15-18")
	c.Flags().StringVar(&w.from, "from", "", "hold what was sent from this `date` on, such as \"1 November 2026\" or 2026-11-01")
	c.Flags().StringVar(&w.through, "through", "", "hold what was sent up to this `date`, the day itself included")
	c.Flags().StringVar(&w.member, "member", "", "hold what a person sent: the `name`, exactly as the register has it")
	c.Flags().StringVar(&w.search, "search", "", "hold what a search for `query` finds now")
	w.flag = c.Flags().Changed
}

// check refuses all but one way of saying what is held.
func (w *cover) check() error {
	ways := 0
	for _, given := range []bool{w.all, w.flag("record"), w.flag("from") || w.flag("through"), w.flag("member"), w.flag("search")} {
		if given {
			ways++
		}
	}
	switch {
	case ways == 0:
		return errors.New("say what the hold covers: --all, --record, --from and --through, --member or --search")
	case ways > 1:
		return errors.New("say what the hold covers in one way: --all, --record, --from and --through, --member or --search; " +
			"place another hold for the rest")
	case w.flag("from") != w.flag("through"):
		return errors.New("give the first day and the last: --from DATE --through DATE")
	}
	return nil
}

// find returns what is meant; groups are the official ones.
func (w *cover) find(tx *sqlite.Tx, groups map[string]string) (c archive.Cover, err error) {
	switch {
	case w.all:
		return archive.Cover{Scope: archive.Everything}, nil
	case w.flag("record"):
		seqs, err := recordNumbers(w.records)
		if err != nil {
			return archive.Cover{}, err
		}
		return archive.Cover{Scope: archive.Records, Records: seqs}, allKept(tx, seqs)
	case w.flag("from"):
		return w.dates()
	case w.flag("member"):
		return w.ofMember(tx)
	}
	q, err := parseQuery(w.search)
	if err != nil {
		return archive.Cover{}, usageError{err}
	}
	q.Groups = groups
	seqs, err := archive.SearchAll(tx, q)
	if errors.Is(err, archive.ErrNobody) || errors.Is(err, archive.ErrNoGroup) {
		err = usageError{err}
	}
	return archive.Cover{Scope: archive.Records, Records: seqs, Search: w.search}, err
}

func (w *cover) ofMember(tx *sqlite.Tx) (archive.Cover, error) {
	m, err := memberNamed(tx, w.member)
	if errors.Is(err, people.ErrAmbiguous) {
		err = fmt.Errorf("%w: tell them apart with `muniment member edit --new-name` first", err)
	}
	return archive.Cover{Scope: archive.ByMember, Member: m.ID}, err
}

func (w *cover) dates() (archive.Cover, error) {
	first, err := givenDay(w.from)
	if err != nil {
		return archive.Cover{}, usageError{fmt.Errorf("--from: %w", err)}
	}
	last, err := givenDay(w.through)
	if err != nil {
		return archive.Cover{}, usageError{fmt.Errorf("--through: %w", err)}
	}
	if last < first {
		return archive.Cover{}, usageError{fmt.Errorf("the last day, %s, is before the first, %s", last.Long(), first.Long())}
	}
	return archive.Cover{Scope: archive.Dates, From: first, Through: last}, nil
}

// givenDay reads a date that must be given.
func givenDay(s string) (retention.Date, error) {
	if s == "" {
		return "", errors.New("no date is given")
	}
	return parseDay(s, time.Time{})
}

// mostRecords is how many records a hold may name: the journal names them too.
const mostRecords = 100_000

// recordNumbers reads record numbers as people write them: 12 and 15-18.
func recordNumbers(spans []string) (seqs []record.Seq, err error) {
	for _, s := range spans {
		first, last, isSpan := strings.Cut(strings.TrimSpace(s), "-")
		if !isSpan {
			last = first
		}
		from, err := strconv.ParseInt(strings.TrimSpace(first), 10, 64)
		to, err2 := strconv.ParseInt(strings.TrimSpace(last), 10, 64)
		switch {
		case err != nil || err2 != nil || from < 1 || to < from:
			return nil, usageError{fmt.Errorf("%q is not a record number: write --record 12,15-18", s)}
		case to-from >= mostRecords-int64(len(seqs)):
			return nil, usageError{fmt.Errorf("these are more than %d records: use --from and --through", mostRecords)}
		}
		for n := range to - from + 1 {
			seqs = append(seqs, record.Seq(from+n))
		}
	}
	slices.Sort(seqs)
	return slices.Compact(seqs), nil
}

// allKept refuses records that are not there: who names one believes that it is held.
func allKept(tx *sqlite.Tx, seqs []record.Seq) error {
	found, err := archive.Some(tx, seqs)
	if err != nil {
		return err
	}
	kept := make(map[record.Seq]bool, len(found))
	for _, r := range found {
		kept[r.Seq] = r.Destroyed == ""
	}
	missing := slices.DeleteFunc(slices.Clone(seqs), func(s record.Seq) bool { return kept[s] })
	if len(missing) == 0 {
		return nil
	}
	spans := record.Spans(missing)
	if len(spans) > 200 {
		spans = fmt.Sprintf("%s from %d to %d", count(len(missing), "record"), missing[0], missing[len(missing)-1])
	}
	return fmt.Errorf("not in the archive, or destroyed already: %s; nothing was put on hold", spans)
}

// reviewMonths is how many months ahead a hold is reviewed at the latest
// (REQUIREMENTS.md, C9).
const reviewMonths = 6

// reviewDate reads the date of a hold's review, six months ahead if none is given.
func reviewDate(s string, today retention.Date) (retention.Date, error) {
	latest := today.AddMonths(reviewMonths)
	if s == "" {
		return latest, nil
	}
	d, err := givenDay(s)
	switch {
	case err != nil:
		return "", fmt.Errorf("--review: %w", err)
	case d <= today:
		return "", fmt.Errorf("--review: %s is not to come", d.Long())
	case d > latest:
		return "", fmt.Errorf("--review: %s is more than six months ahead; a hold is reviewed by %s", d.Long(), latest.Long())
	}
	return d, nil
}

// heldNow is a hold with what it covers, in words.
type heldNow struct {
	archive.Hold
	covers string
	keeps  int64 // records, with all that is kept for them; of a hold that is released, 0
}

// holdsNow returns the holds that are meant.
func holdsNow(tx *sqlite.Tx, meant func(archive.Hold) bool) (all []heldNow, err error) {
	holds, err := archive.Holds(tx)
	if err != nil {
		return nil, err
	}
	names, err := people.LoadNames(tx)
	if err != nil {
		return nil, err
	}
	for _, h := range holds {
		if !meant(h) {
			continue
		}
		n := heldNow{Hold: h, covers: covered(h)}
		if h.Cover.Scope == archive.ByMember {
			n.covers = "what " + printable(names.Of(h.Person)) + " sent"
		}
		if h.Released.IsZero() {
			if n.keeps, err = archive.CountHeld(tx, h.ID); err != nil {
				return nil, err
			}
		}
		all = append(all, n)
	}
	return all, nil
}

// covered says in words what a hold covers, without a name.
func covered(h archive.Hold) string {
	c := h.Cover
	switch {
	case c.Scope == archive.Everything:
		return "everything"
	case c.Scope == archive.ByMember:
		return "what one member sent"
	case c.Scope == archive.Dates && c.From == c.Through:
		return "what was sent on " + c.From.Long()
	case c.Scope == archive.Dates:
		return fmt.Sprintf("what was sent from %s to %s", c.From.Long(), c.Through.Long())
	case c.Search != "":
		return fmt.Sprintf("%s found by a search for %s", count(len(c.Records), "record"), printable(c.Search))
	}
	if spans := record.Spans(c.Records); len(spans) <= 40 {
		if len(c.Records) == 1 {
			return "record " + spans
		}
		return "records " + spans
	}
	return fmt.Sprintf("%s from %d to %d", count(len(c.Records), "record"), slices.Min(c.Records), slices.Max(c.Records))
}

// told says what was done by placing h.
func (h heldNow) told() string {
	review := fmt.Sprintf("To be reviewed by %s.\n", h.Review.Long())
	switch {
	case h.Cover.Scope == archive.Everything:
		return fmt.Sprintf("Hold %d is in force: nothing is destroyed until it is released.\n%s", h.ID, review)
	case h.keeps == 0:
		return fmt.Sprintf("Hold %d is in force: there is no record yet that it keeps.\nIt covers %s.\n%s", h.ID, h.covers, review)
	case h.keeps == 1:
		return fmt.Sprintf("Hold %d is in force: 1 record is kept from destruction.\nIt covers %s.\n%s", h.ID, h.covers, review)
	}
	return fmt.Sprintf("Hold %d is in force: %d records are kept from destruction, with what belongs to them.\nIt covers %s.\n%s",
		h.ID, h.keeps, h.covers, review)
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
					err = archive.ReleaseHold(tx, now(), id, by.who, by.reason)
					if errors.Is(err, archive.ErrNoHold) {
						return fmt.Errorf("%w: see `muniment hold list`", err)
					} else if err != nil {
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
	all := false
	for _, h := range holds {
		if h.Released.IsZero() {
			ids = append(ids, strconv.FormatInt(h.ID, 10))
			all = all || h.Cover.Scope == archive.Everything
		}
	}
	n := len(ids)
	if n == 0 {
		return "No hold is in force: what it kept goes on a new disposal list when it is due."
	}
	which, covers := "Hold "+ids[0]+" is", "it covers"
	if n > 1 {
		which, covers = fmt.Sprintf("Holds %s and %s are", strings.Join(ids[:n-1], ", "), ids[n-1]), "they cover"
	}
	if all {
		return which + " still in force: nothing is destroyed."
	}
	return which + " still in force: what " + covers + " is not destroyed. What else was kept goes on a new disposal list when it is due."
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
		Use:   "list",
		Short: "Show all holds",
		Long: `List shows what each hold covers, how many records it keeps from destruction now,
with what belongs to them, and by when it is to be reviewed.`,
		Example: "  muniment hold list",
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withArchive(c.Context(), func(_ config.Config, _ daemon.Home, db *sqlite.DB) error {
				return db.Read(c.Context(), func(tx *sqlite.Tx) error {
					holds, err := holdsNow(tx, func(archive.Hold) bool { return true })
					if err != nil {
						return err
					}
					return listHolds(c.OutOrStdout(), holds, retention.DateOf(now()))
				})
			})
		},
	}
}

func listHolds(out io.Writer, holds []heldNow, today retention.Date) error {
	if len(holds) == 0 {
		_, err := fmt.Fprintln(out, "There has been no hold yet.")
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "HOLD\tCOVERS\tKEEPS\tPLACED\tBY\tREASON\tREVIEW BY\tRELEASED")
	for _, h := range holds {
		keeps, released := strconv.FormatInt(h.keeps, 10), "in force"
		if !h.Released.IsZero() {
			keeps, released = "-", fmt.Sprintf("%s by %s: %s", day(h.Released), printable(h.ReleasedBy), printable(h.ReleaseReason))
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", h.ID, h.covers, keeps, day(h.Placed), printable(h.PlacedBy), printable(h.Reason),
			h.reviewBy(today), released)
	}
	return w.Flush()
}

// reviewBy says by when h is to be reviewed, and if that is overdue.
func (h heldNow) reviewBy(today retention.Date) string {
	switch {
	case h.Review == "" || !h.Released.IsZero():
		return "-"
	case h.Review < today:
		return h.Review.Long() + ", OVERDUE"
	}
	return h.Review.Long()
}

// day writes the London date of t.
func day(t time.Time) string { return retention.DateOf(t).Long() }
