package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"muniment/internal/archive"
	"muniment/internal/config"
	"muniment/internal/daemon"
	"muniment/internal/journal"
	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
)

func (a *app) rosterCommand() *cobra.Command {
	var at, name string
	var asJSON bool
	var by actor
	c := &cobra.Command{
		Use:   "roster",
		Short: "Report who is, or was, in the group",
		Long: `Roster reports who was in the group at the end of a day, or is now: who of the
council and since when, which councillors were not, and who is not on the member
register. It may be given to any councillor. It tells what the records and the
register say of that time, and shows no telephone number. That somebody looked is
kept in the journal, as with ` + "`muniment records`" + `.

With several groups it makes a report of each, one after the other.

With --json it prints one object a line for each group, with these fields. Times
are UTC; what does not apply or is not known is null.

  council, group, purpose, policy
                         as configured
  as_at                  the moment that is reported
  drawn_up_at            when the report was made
  reference              the number of its entry in the journal
  begins                 when the record of who is in the group begins
  known                  whether it had begun at that moment; if not, there is no more
  disconnected           whether nothing was received then, so that it may be wrong
  councillors_in_office  how many there were, the chair included
  councillors_in_group   how many of them were in the group
  in_group               who was in the group and is on the register: objects of
                           name, role, in_office, admin
                           how     joined (by invite link or request); added; present:
                                   all that is known is that they stood on a list
                           joined  when; null for present
                           seen    when they were first seen to be there, this time
                           by      who added them
  not_on_register        who else was in the group: objects of the same fields
  not_in_group           councillors in office who were not: objects of name, role and
                           how   left; removed; absent: they no longer stood on a
                                 list; null if they were never seen there
                           went  when; of absent, when that list was made
                           by    who removed them`,
		Example: `  muniment roster --for "Jo Marsh" --reason "asked by Cllr Carter"
  muniment roster --at "30 November 2026" --for "Jo Marsh" --reason "request FOI-2026-003"`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			when, err := asAt(at, now())
			if err != nil {
				return usageError{err}
			}
			return a.withArchive(c.Context(), func(cfg config.Config, _ daemon.Home, db *sqlite.DB) error {
				groups, err := groupsNamed(cfg, name)
				if err != nil {
					return usageError{err}
				}
				if atTerminal(c.ErrOrStderr()) {
					fmt.Fprint(c.ErrOrStderr(), unexplained(by, c.Flags().Changed("for")))
				}
				show := rosterReport.print
				if asJSON {
					show = rosterReport.printJSON
				}
				var out bytes.Buffer // nothing is shown unless the journal says so
				if err := db.Write(c.Context(), func(tx *sqlite.Tx) error {
					for i, g := range groups {
						if i > 0 && !asJSON {
							out.WriteString("\n\n")
						}
						r, err := reportRoster(tx, cfg, g, when, by)
						if err != nil {
							return err
						}
						if err := show(r, &out); err != nil {
							return err
						}
					}
					return nil
				}); err != nil {
					return err
				}
				_, err = out.WriteTo(c.OutOrStdout())
				return err
			})
		},
	}
	c.Flags().StringVar(&at, "at", "", "report the end of this `date`, such as \"30 November 2026\" or 2026-11-30 (default now)")
	c.Flags().StringVar(&name, "group", "", "only the group of this `name`")
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line")
	return by.flags(c, false)
}

// groupsNamed returns the listed group of that name; all for none.
func groupsNamed(cfg config.Config, name string) ([]config.Group, error) {
	if name == "" {
		return cfg.Groups, nil
	}
	var called []string
	for _, g := range cfg.Groups {
		if g.Name == name {
			return []config.Group{g}, nil
		}
		called = append(called, fmt.Sprintf("%q", g.Name))
	}
	return nil, fmt.Errorf("no listed group is called %q; there is %s", name, cmp.Or(strings.Join(called, ", "), "none"))
}

// instant is what a roster is of: the end of a day, or now.
type instant struct {
	time.Time
	day retention.Date // empty: now
}

func asAt(s string, now time.Time) (instant, error) {
	if s == "" {
		return instant{now, ""}, nil
	}
	d, err := givenDay(s)
	switch today := retention.DateOf(now); {
	case err != nil:
		return instant{}, fmt.Errorf("--at: %w", err)
	case d > today:
		return instant{}, fmt.Errorf("--at: %s is still to come", d.Long())
	case d == today:
		return instant{now, ""}, nil
	}
	return instant{d.AddDays(1).Start().Add(-time.Millisecond), d}, nil
}

func (i instant) String() string {
	if i.day == "" {
		return moment(i.Time)
	}
	return "the end of " + i.day.Long()
}

// rosterReport is the report of REQUIREMENTS.md, C6.
type rosterReport struct {
	council, policy string
	group           config.Group
	at              instant
	drawnUp         time.Time
	reference       int64 // the entry in the journal
	roster          archive.Roster
	disconnected    bool // at that time nothing was received
	names           *people.Names

	in, out, strangers []rosterLine
	later              []rosterLine // councillors who were put on the register since
	offices            int          // councillors in office
}

// rosterLine is a person in the report.
type rosterLine struct {
	name string
	office
	in   *archive.Enrolled
	gone *archive.Departed
}

// reportRoster makes the report and journals it.
func reportRoster(tx *sqlite.Tx, cfg config.Config, g config.Group, at instant, by actor) (rosterReport, error) {
	r := rosterReport{council: cfg.Council.Name, policy: policyOf(cfg.Policy), group: g, at: at, drawnUp: now()}
	if err := journal.Write(tx, journal.Entry{At: r.drawnUp, Who: by.who, Act: journal.Viewed, Reason: by.reason,
		About: journal.About{"roster": g.Name, "at": sqlite.FormatTime(at.Time)}}); err != nil {
		return r, err
	}
	var err error
	if r.reference, _, err = journal.LastOf(tx, journal.Viewed); err != nil {
		return r, err
	}
	if r.names, err = people.LoadNames(tx); err != nil {
		return r, err
	}
	if r.roster, err = archive.RosterAt(tx, g.JID, at.Time); err != nil || !r.roster.Known {
		return r, err
	}
	if r.disconnected, err = disconnectedAt(tx, at.Time); err != nil {
		return r, err
	}
	register, err := registerAt(tx, at.Time)
	if err != nil {
		return r, err
	}
	r.compare(register)
	return r, nil
}

// policyOf names the policy under which the record is kept.
func policyOf(p config.Policy) string {
	var adopted, minute string
	if !p.Adopted.IsZero() {
		adopted = "adopted on " + p.Adopted.Format("2 January 2006")
	}
	if p.Minute != "" {
		minute = "minute " + p.Minute
	}
	return strings.Join(nonEmpty(p.Title, adopted, minute), ", ")
}

// disconnectedAt reports whether it is not known what happened at that time: who came
// and went then may be missing.
func disconnectedAt(tx *sqlite.Tx, at time.Time) (bool, error) {
	gaps, err := archive.Gaps(tx)
	return slices.ContainsFunc(gaps, func(g archive.Gap) bool {
		in := !g.Opened.After(at) && (g.Closed.IsZero() || at.Before(g.Closed))
		return in && (g.Kind == archive.NotLinked || g.Kind == archive.NotConnected && g.Closed.IsZero())
	}), err
}

// office is an entry of the member register, with the role that it said at some time.
type office struct {
	people.Member
	held bool // it was on the register then, and counted
}

// registerAt returns the member register, as the journal tells, with the roles that it
// said at that time. What has been entered since of names and terms counts for then, too.
func registerAt(tx *sqlite.Tx, at time.Time) ([]office, error) {
	known, err := people.RegisterAt(tx, now())
	if err != nil {
		return nil, err
	}
	then, err := people.RegisterAt(tx, at)
	if err != nil {
		return nil, err
	}
	register := make([]office, len(known))
	for i, m := range known {
		was := slices.IndexFunc(then, func(e people.Member) bool { return e.ID == m.ID })
		if was >= 0 {
			m.Role = then[was].Role
		}
		register[i] = office{m, m.InOffice(at) && was >= 0}
	}
	return register, nil
}

// compare sorts who is in the group and who is on the register into who is in both,
// in the group only, or a councillor and not in the group.
func (r *rosterReport) compare(register []office) {
	of := make(map[people.ID]office) // the entry that says what a person was
	for _, o := range register {
		if was, ok := of[o.Person]; !ok || o.held && !was.held {
			of[o.Person] = o
		}
	}
	in := make(map[people.ID]bool)
	for i, e := range r.roster.In {
		in[e.Person] = true
		if o, ok := of[e.Person]; ok {
			r.in = append(r.in, rosterLine{name: o.Name, office: o, in: &r.roster.In[i]})
		} else {
			r.strangers = append(r.strangers, rosterLine{name: r.called(e.Person), in: &r.roster.In[i]})
		}
	}
	for _, o := range of {
		l := rosterLine{name: o.Name, office: o}
		switch {
		case !o.Councillor() || !o.InOffice(r.at.Time):
			continue
		case o.held:
			r.offices++
		}
		if in[o.Person] {
			continue
		} else if !o.held {
			r.later = append(r.later, l)
			continue
		}
		if i := slices.IndexFunc(r.roster.Gone, func(d archive.Departed) bool { return d.Person == o.Person }); i >= 0 {
			l.gone = &r.roster.Gone[i]
		}
		r.out = append(r.out, l)
	}
	slices.SortFunc(r.in, before)
	slices.SortFunc(r.out, before)
	slices.SortFunc(r.later, before)
	slices.SortStableFunc(r.strangers, func(a, b rosterLine) int { return a.in.Seen.Compare(b.in.Seen) })
}

// before orders the report: who is in office first, by role and name.
func before(a, b rosterLine) int {
	rank := func(l rosterLine) int {
		if !l.held {
			return 9
		}
		return slices.Index([]string{"chair", "councillor", "clerk", "deputy", "officer", "other"}, l.Role)
	}
	return cmp.Or(cmp.Compare(rank(a), rank(b)), strings.Compare(a.name, b.name), cmp.Compare(a.ID, b.ID))
}

// called names somebody. Who is not on the register and gives a number for a name has
// none here.
func (r rosterReport) called(p people.ID) string {
	name := printable(r.names.Of(p))
	if _, ok := r.names.Member(p); ok || strings.HasPrefix(name, "Unidentified ") || plainName("", name) == nil {
		return name
	}
	return "Somebody whose name is not shown"
}

// print prints the report for a reader.
func (r rosterReport) print(out io.Writer) error {
	is, was := "is", "are"
	if r.at.day != "" {
		is, was = "was", "were"
	}
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintf(w, "Who %s in the official WhatsApp group\n\n", is)
	for _, line := range [][2]string{
		{"Council", r.council}, {"Group", r.group.Name}, {"Purpose", r.group.Purpose}, {"As at", r.at.String()}, {"Policy", r.policy},
		{"Report", fmt.Sprintf("journal entry %d, drawn up on %s", r.reference, moment(r.drawnUp))},
	} {
		fmt.Fprintf(w, "%s\t%s\n", line[0], printable(line[1]))
	}
	fmt.Fprintln(w)
	if r.roster.Known {
		r.printCounts(w, was)
		r.printIn(w)
		r.printOut(w)
		r.printStrangers(w)
	} else {
		fmt.Fprintln(w, r.unknown())
	}
	fmt.Fprintln(w, "\nTelephone numbers are not shown in this report and are not given out by this system.")
	return w.Flush()
}

// unknown says why it is not known who was in the group.
func (r rosterReport) unknown() string {
	if r.roster.Begins.IsZero() {
		return "No list of who is in the group is kept: WhatsApp is asked for one whenever this system connects, and an old one is destroyed at the end of its time."
	}
	return fmt.Sprintf("The record of who is in the group begins on %s. Who was in it before is not known.", moment(r.roster.Begins))
}

func (r rosterReport) printCounts(w io.Writer, were string) {
	councillors, officers, others := 0, 0, len(r.strangers)
	for _, l := range r.in {
		switch {
		case !l.held || l.Role == "other":
			others++
		case l.Councillor():
			councillors++
		default:
			officers++
		}
	}
	with := ""
	switch {
	case officers > 0 && others > 0:
		with = fmt.Sprintf(", with %s and %s", count(officers, "officer"), count(others, "other"))
	case officers > 0:
		with = ", with " + count(officers, "officer")
	case others > 0:
		with = ", with " + count(others, "other")
	}
	fmt.Fprintf(w, "%d of %s %s in the group%s.\n", councillors, count(r.offices, "councillor"), were, with)
	if r.disconnected {
		fmt.Fprintln(w, "This system was not connected to WhatsApp then: who came or went meanwhile is not known.")
	}
}

func (r rosterReport) printIn(w io.Writer) {
	fmt.Fprint(w, "\nA. In the group\n\n")
	if len(r.in) == 0 {
		fmt.Fprintln(w, "Nobody who is on the member register.")
		return
	}
	fmt.Fprintln(w, "NAME\tROLE\tJOINED\tHOW\tADMIN")
	for _, l := range r.in {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", printable(l.name), l.role(r.at.Time), joinedOn(l.in), r.came(l.in), yes(l.in.Admin))
	}
}

// role says in which office somebody was at that time.
func (l rosterLine) role(at time.Time) string {
	switch {
	case !l.InOffice(at):
		return inOffice(l.Member)
	case !l.held:
		return fmt.Sprintf("%s (on the register since %s)", l.Role, day(l.Entered))
	}
	return l.Role
}

func joinedOn(e *archive.Enrolled) string {
	if since := e.Since(); !since.IsZero() {
		return day(since)
	}
	return "not known"
}

// came says how somebody came to be in the group.
func (r rosterReport) came(e *archive.Enrolled) string {
	switch {
	case e.How == record.Joined:
		return "by invite link or request"
	case e.How == record.Added && e.By != 0:
		return "added by " + r.called(e.By)
	case e.How == record.Added:
		return "added"
	case e.Seen.Equal(r.roster.Begins):
		return "there when the record began, on " + day(e.Seen)
	}
	return "first on the list of " + day(e.Seen)
}

func yes(is bool) string {
	if is {
		return "yes"
	}
	return "no"
}

func (r rosterReport) printOut(w io.Writer) {
	fmt.Fprint(w, "\nB. Councillors not in the group\n\n")
	if len(r.out) == 0 {
		fmt.Fprintln(w, "None.")
	} else {
		fmt.Fprintln(w, "NAME\tROLE\tWHY")
	}
	for _, l := range r.out {
		fmt.Fprintf(w, "%s\t%s\t%s\n", printable(l.name), l.Role, r.went(l.gone))
	}
	for _, l := range r.later {
		fmt.Fprintf(w, "Put on the member register since, and not counted: %s, on %s.\n", printable(l.name), day(l.Entered))
	}
}

// went says how somebody came not to be in the group.
func (r rosterReport) went(d *archive.Departed) string {
	switch {
	case d == nil:
		return "not seen there since the record began, on " + day(r.roster.Begins)
	case d.How == record.Left:
		return "left on " + day(d.At)
	case d.How == record.Removed && d.By != 0:
		return fmt.Sprintf("removed on %s by %s", day(d.At), r.called(d.By))
	case d.How == record.Removed:
		return "removed on " + day(d.At)
	}
	return "no longer on the list of " + day(d.At)
}

func (r rosterReport) printStrangers(w io.Writer) {
	fmt.Fprint(w, "\nC. In the group but not on the member register\n\n")
	if len(r.strangers) == 0 {
		fmt.Fprintln(w, "Nobody.")
		return
	}
	fmt.Fprintln(w, "NAME\tFIRST SEEN\tHOW\tADMIN")
	for _, l := range r.strangers {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", l.name, day(l.in.Seen), r.came(l.in), yes(l.in.Admin))
	}
	fmt.Fprintln(w, "Action needed: find out who they are, and put them on the register or have them leave the group.")
}

// shownEnrolled and shownDeparted are people in the report for other programs.
type shownEnrolled struct {
	Name     string      `json:"name"`
	Role     *string     `json:"role"`
	InOffice bool        `json:"in_office"`
	Admin    bool        `json:"admin"`
	How      record.Type `json:"how"`
	Joined   *string     `json:"joined"`
	Seen     *string     `json:"seen"`
	By       *string     `json:"by"`
}

type shownDeparted struct {
	Name string  `json:"name"`
	Role string  `json:"role"`
	How  *string `json:"how"`
	Went *string `json:"went"`
	By   *string `json:"by"`
}

// printJSON prints the report for other programs.
func (r rosterReport) printJSON(out io.Writer) error {
	type known struct {
		Disconnected        bool            `json:"disconnected"`
		CouncillorsInOffice int             `json:"councillors_in_office"`
		CouncillorsInGroup  int             `json:"councillors_in_group"`
		InGroup             []shownEnrolled `json:"in_group"`
		NotOnRegister       []shownEnrolled `json:"not_on_register"`
		NotInGroup          []shownDeparted `json:"not_in_group"`
	}
	shown := struct {
		Council   string  `json:"council"`
		Group     string  `json:"group"`
		Purpose   string  `json:"purpose"`
		Policy    string  `json:"policy"`
		AsAt      *string `json:"as_at"`
		DrawnUpAt *string `json:"drawn_up_at"`
		Reference int64   `json:"reference"`
		Begins    *string `json:"begins"`
		Known     bool    `json:"known"`
		*known
	}{r.council, r.group.Name, r.group.Purpose, r.policy, utc(r.at.Time), utc(r.drawnUp), r.reference, utc(r.roster.Begins), r.roster.Known, nil}
	if r.roster.Known {
		shown.known = &known{r.disconnected, r.offices, r.offices - len(r.out), []shownEnrolled{}, []shownEnrolled{}, []shownDeparted{}}
		for _, l := range r.in {
			shown.InGroup = append(shown.InGroup, r.enrolled(l))
		}
		for _, l := range r.strangers {
			shown.NotOnRegister = append(shown.NotOnRegister, r.enrolled(l))
		}
		for _, l := range r.out {
			shown.NotInGroup = append(shown.NotInGroup, r.departed(l))
		}
	}
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	return enc.Encode(shown)
}

func (r rosterReport) enrolled(l rosterLine) shownEnrolled {
	e := shownEnrolled{Name: l.name, Role: given(l.Role), InOffice: l.held, Admin: l.in.Admin, How: l.in.How,
		Joined: utc(l.in.Since()), Seen: utc(l.in.Seen)}
	if l.in.By != 0 {
		e.By = given(r.called(l.in.By))
	}
	return e
}

func (r rosterReport) departed(l rosterLine) shownDeparted {
	d := shownDeparted{Name: l.name, Role: l.Role}
	if l.gone == nil {
		return d
	}
	d.How, d.Went = given(string(l.gone.How)), utc(l.gone.At)
	if l.gone.How == record.Present {
		d.How = given("absent")
	}
	if l.gone.By != 0 {
		d.By = given(r.called(l.gone.By))
	}
	return d
}

// utc writes t for other programs; nil for no time.
func utc(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	return given(t.UTC().Format(time.RFC3339))
}
