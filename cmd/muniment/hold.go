package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
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
	"muniment/internal/saying"
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
		Example: `  muniment hold place --all --kind foi --case FOI-2026-003 --for "Jo Marsh" --reason "minutes of the culvert"
  muniment hold place --member "Cllr Ann Brook" --kind policy-breach --for "Jo Marsh" --reason "complaint 2"
  muniment hold list
  muniment hold review 1 --until "1 June 2027" --for "Jo Marsh" --reason "the tribunal sits in May"
  muniment hold release 1 --for "Jo Marsh" --reason "request answered, review period over"`,
	}, a.holdPlaceCommand(), a.holdDescribeCommand(), a.holdReviewCommand(), a.holdReleaseCommand(), a.holdListCommand())
}

func (a *app) holdPlaceCommand() *cobra.Command {
	var what cover
	var review string
	var about subject
	var by actor
	c := &cobra.Command{
		Use:   "place",
		Short: "Place a hold on everything, or on a part of the record",
		Long: `Place keeps records from being destroyed. Say what, in one way:

  --all                      everything, also what is still to come
  --record 12,15-18          these records; may be given more than once
  --from DATE --through DATE what is sent on these days and between them (London),
                             which may be days to come
  --member NAME              what this person on the member register sent, or will send
  --group NAME               what was or will be sent in this group, as it is
                             configured
  --search QUERY             what a search finds now; what comes later is not held.
                             The query is as for ` + "`muniment search`" + ` and is kept.
  --search QUERY --and-what-comes
                             and also what that search finds later, as it comes

With a record the whole of it is kept: its message, every edit, deletion and
reaction, the file, and the message that it answers.

--kind says what it is for, and --case for which case, such as FOI-2026-003. The kinds
are ` + kindsInWords() + `.

A hold does not end by itself. By the review date somebody should ask whether it
is still needed: six months ahead, or earlier with --review.`,
		Example: `  muniment hold place --all --kind foi --case FOI-2026-003 --for "Jo Marsh" --reason "asks for everything"
  muniment hold place --from "1 November 2026" --through "30 November 2026" --kind dispute --for "Jo Marsh" --reason "dispute 4"
  muniment hold place --search '"mill lane" OR culvert' --and-what-comes --review 2027-02-01 --kind sar --case SAR-2026-001 \\
      --for "Jo Marsh" --reason "a resident of Mill Lane"`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := what.check(); err != nil {
				return usageError{err}
			}
			reviewOn, err := reviewDate(review, retention.DateOf(now()))
			if err != nil {
				return usageError{fmt.Errorf("--review: %w", err)}
			}
			kind, forCase, err := about.read()
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
					id, err := archive.Place(tx, now(), by.who, archive.Hold{Kind: kind, Case: forCase, Reason: by.reason, Review: reviewOn, Cover: covered})
					if err != nil {
						return err
					}
					placed, err = holdsNow(tx, func(h archive.Hold) bool { return h.ID == id })
					return err
				}); err != nil {
					return err
				}
				_, err := fmt.Fprint(c.OutOrStdout(), placed[0].told(retention.DateOf(now())))
				return err
			})
		},
	}
	what.flags(c)
	about.flags(c)
	c.Flags().StringVar(&review, "review", "", "the `date` of the review, such as \"1 February 2027\" (default six months ahead, and no later)")
	return by.flags(c, true)
}

// cover is what is to be held, as it is typed.
type cover struct {
	all           bool
	records       []string
	from, through string
	member        string
	group         string
	search        string
	ahead         bool

	flag func(string) bool // whether it was given
}

func (w *cover) flags(c *cobra.Command) {
	c.Flags().BoolVar(&w.all, "all", false, "hold everything")
	c.Flags().StringSliceVar(&w.records, "record", nil, "hold the records with these `numbers`, such as 12,15-18")
	c.Flags().StringVar(&w.from, "from", "", "hold what was sent from this `date` on, such as \"1 November 2026\" or 2026-11-01")
	c.Flags().StringVar(&w.through, "through", "", "hold what was sent up to this `date`, the day itself included")
	c.Flags().StringVar(&w.member, "member", "", "hold what a person sent: the `name`, exactly as the register has it")
	c.Flags().StringVar(&w.group, "group", "", "hold what was sent in a group: the `name`, as it is configured")
	c.Flags().StringVar(&w.search, "search", "", "hold what a search for `query` finds now")
	c.Flags().BoolVar(&w.ahead, "and-what-comes", false, "with --search: hold also what the search finds later")
	w.flag = c.Flags().Changed
}

// check refuses all but one way of saying what is held.
func (w *cover) check() error {
	ways := 0
	for _, given := range []bool{w.all, w.flag("record"), w.flag("from") || w.flag("through"), w.flag("member"), w.flag("group"), w.flag("search")} {
		if given {
			ways++
		}
	}
	switch {
	case ways == 0:
		return errors.New("say what the hold covers: --all, --record, --from and --through, --member, --group or --search")
	case ways > 1:
		return errors.New("say what the hold covers in one way: --all, --record, --from and --through, --member, --group or --search; " +
			"place another hold for the rest")
	case w.flag("from") != w.flag("through"):
		return errors.New("give the first day and the last: --from DATE --through DATE")
	case w.ahead && !w.flag("search"):
		return errors.New("--and-what-comes stands with --search: all other holds but those of --record cover what comes as it is")
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
	case w.flag("group"):
		return w.inGroup(groups)
	}
	q, err := parseQuery(w.search)
	if err != nil {
		return archive.Cover{}, usageError{err}
	}
	q.Groups = groups
	c, err = archive.FoundBy(tx, w.search, q, w.ahead)
	if errors.Is(err, archive.ErrNobody) || errors.Is(err, archive.ErrNoGroup) || errors.Is(err, archive.ErrAhead) {
		err = usageError{err}
	}
	return c, err
}

// inGroup finds the group by its name, of those that are official.
func (w *cover) inGroup(groups map[string]string) (archive.Cover, error) {
	var names []string
	for _, jid := range slices.Sorted(maps.Keys(groups)) {
		if strings.EqualFold(groups[jid], w.group) {
			return archive.Cover{Scope: archive.InGroup, Group: jid, GroupName: groups[jid]}, nil
		}
		names = append(names, fmt.Sprintf("%q", groups[jid]))
	}
	return archive.Cover{}, usageError{fmt.Errorf("no group in the configuration is called %q; there is %s", w.group,
		cmp.Or(strings.Join(names, ", "), "none"))}
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

// reviewDate reads the date of a hold's review, six months ahead if none is given.
func reviewDate(s string, today retention.Date) (retention.Date, error) {
	latest := archive.LastReview(today)
	if s == "" {
		return latest, nil
	}
	d, err := givenDay(s)
	switch {
	case err != nil:
		return "", err
	case d <= today:
		return "", fmt.Errorf("%s is not to come", d.Long())
	case d > latest:
		return "", fmt.Errorf("%s is more than six months ahead; a hold is reviewed by %s", d.Long(), latest.Long())
	}
	return d, nil
}

// heldNow is a hold with what it covers, in words.
type heldNow struct {
	archive.Hold
	covers  string
	covered int64 // records, by itself; of a hold that is released, 0
	keeps   int64 // records, with all that is kept for them
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
			if n.covered, err = archive.CountCovered(tx, h.ID); err != nil {
				return nil, err
			}
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
	case c.Scope == archive.InGroup:
		return "what was sent in “" + printable(c.GroupName) + "”"
	case c.Ahead:
		return fmt.Sprintf("%s found by a search for %s, and what it finds later", count(len(c.Records), "record"), printable(c.Search))
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
func (h heldNow) told(today retention.Date) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Hold %d is in force: ", h.ID)
	switch {
	case h.Cover.Scope == archive.Everything:
		b.WriteString("nothing is destroyed until it is released.\n")
	case h.keeps == 0:
		fmt.Fprintf(&b, "there is no record yet that it keeps.\nIt covers %s.\n", h.covers)
	case h.keeps == 1:
		fmt.Fprintf(&b, "1 record is kept from destruction.\nIt covers %s.\n", h.covers)
	default:
		fmt.Fprintf(&b, "%d records are kept from destruction, with what belongs to them.\nIt covers %s.\n", h.keeps, h.covers)
	}
	if s := h.whatComes(today); s != "" {
		b.WriteString(s + "\n")
	}
	fmt.Fprintf(&b, "To be reviewed by %s.\n", h.Review.Long())
	if law := saying.HoldLaw(h.Kind); law != "" {
		b.WriteString(law + "\n")
	}
	return b.String()
}

// whatComes says what becomes of what is still to be sent, where somebody may wonder.
func (h heldNow) whatComes(today retention.Date) string {
	c := h.Cover
	switch {
	case c.Scope == archive.Dates && c.Through >= today:
		return "What is sent on days that are still to come is covered as it comes."
	case c.Scope == archive.ByMember || c.Scope == archive.InGroup:
		return "What comes later is covered as it comes."
	case c.Search != "" && !c.Ahead:
		return "What the search would find later is not covered: for that, place it with --and-what-comes."
	}
	return ""
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
		Long: `List shows what each hold is for and covers, how many records it keeps from
destruction now, and by when it is to be reviewed. “4 (1, and 3 with it)” means that it
covers one record and keeps three more for its sake: the message that it belongs to,
what else belongs to that, and what it answers or quotes.`,
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
	fmt.Fprintln(w, "HOLD\tKIND\tCASE\tCOVERS\tKEEPS\tPLACED\tBY\tREASON\tREVIEW BY\tRELEASED")
	var law []string
	for _, h := range holds {
		released := "in force"
		if !h.Released.IsZero() {
			released = fmt.Sprintf("%s by %s: %s", day(h.Released), printable(h.ReleasedBy), printable(h.ReleaseReason))
		} else if s := saying.HoldLaw(h.Kind); s != "" {
			law = append(law, fmt.Sprintf("Hold %d: %s\n", h.ID, s))
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", h.ID, h.Kind.Typed(), printable(cmp.Or(h.Case, "-")), h.covers, h.counted(),
			day(h.Placed), printable(h.PlacedBy), printable(h.Reason), h.reviewBy(today), released)
	}
	if err := w.Flush(); err != nil || len(law) == 0 {
		return err
	}
	_, err := fmt.Fprint(out, "\n"+strings.Join(law, ""))
	return err
}

// counted says how many records h keeps, and how many of them for the sake of others.
func (h heldNow) counted() string {
	switch also := h.keeps - h.covered; {
	case !h.Released.IsZero():
		return "-"
	case also == 0:
		return strconv.FormatInt(h.keeps, 10)
	case h.covered == 1:
		return fmt.Sprintf("%d (1, and %d with it)", h.keeps, also)
	default:
		return fmt.Sprintf("%d (%d, and %d with them)", h.keeps, h.covered, also)
	}
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
