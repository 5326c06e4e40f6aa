package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	netmail "net/mail"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"muniment/internal/config"
	"muniment/internal/daemon"
	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
)

func (a *app) memberCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:   "member",
		Short: "Keep the member register: who is who on the council",
		Long: `The member register says whose number is whose, so that emails and reports show
names and not numbers, and whose mark counts.`,
		Example: `  muniment member list --strangers
  muniment member add --name "Cllr Ann Brook" --role councillor --number "07700 900101"
  muniment member end --name "Cllr Ann Brook" --until "3 May 2027" --for "Jo Marsh" --reason "did not stand again"
  muniment member list`,
	}, a.memberAddCommand(), a.memberChangeCommand(), a.memberEndCommand(), a.memberRemoveCommand(), a.memberListCommand())
}

func (a *app) memberAddCommand() *cobra.Command {
	var m people.Member
	var number, lid string
	var by actor
	c := &cobra.Command{
		Use:   "add",
		Short: "Put a person on the member register",
		Long: `Add puts a person on the member register. The number is the one that the person
uses WhatsApp with; only ` + "`muniment member list`" + ` shows it. WhatsApp may hide
it: ` + "`muniment member list --strangers`" + ` shows who in the group is not on the
register yet, with the number or else the LID.

Who comes back to the council, or has another office, is added again when the
earlier entry has been ended.

Roles: ` + strings.Join(people.Roles, ", ") + `.`,
		Example: `  muniment member add --name "Cllr Ann Brook" --role councillor --number "07700 900101" --email a.brook@cranford-pc.example.gov.uk
  muniment member add --name "Jo Marsh" --role clerk --number "+44 7700 900102" --for "Jo Marsh" --reason "new clerk"
  muniment member add --name "Cllr Kit Lowe" --role councillor --lid 194000000000001@lid`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			address, err := memberAddress(number, lid)
			if err != nil {
				return usageError{err}
			}
			if m.Name = strings.TrimSpace(m.Name); m.Name == "" {
				return usageError{errors.New("give the person's name: --name \"Cllr Ann Brook\"")}
			}
			return a.writeRegister(c.Context(), func(cfg config.Config, tx *sqlite.Tx) error {
				if err := checkMember(cfg, m); err != nil {
					return err
				}
				return people.AddMember(tx, now(), by.who, by.reason, m, address)
			}, func() { fmt.Fprintf(c.OutOrStdout(), "%s (%s) is on the member register.\n", m.Name, m.Role) })
		},
	}
	c.Flags().StringVar(&m.Name, "name", "", "as emails and reports are to show it")
	c.Flags().StringVar(&m.Role, "role", "", strings.Join(people.Roles, ", "))
	c.Flags().StringVar(&m.Email, "email", "", "the person's council email `address`")
	c.Flags().StringVar(&number, "number", "", "the telephone number used for WhatsApp")
	c.Flags().StringVar(&lid, "lid", "", "instead of the number, WhatsApp's `identifier` of a person whose number is hidden")
	return by.flags(c, false)
}

// writeRegister changes the member register with f, in one transaction, and then
// tells what was done.
func (a *app) writeRegister(ctx context.Context, f func(config.Config, *sqlite.Tx) error, tell func()) error {
	return a.withArchive(ctx, func(cfg config.Config, _ daemon.Home, db *sqlite.DB) error {
		if err := db.Write(ctx, func(tx *sqlite.Tx) error { return f(cfg, tx) }); err != nil {
			return err
		}
		tell()
		return nil
	})
}

func memberAddress(number, lid string) (record.Address, error) {
	switch {
	case (number == "") == (lid == ""):
		return record.Address{}, errors.New("give the person's WhatsApp number: --number \"07700 900101\"; or --lid if it is hidden")
	case lid != "":
		user, server, _ := strings.Cut(lid, "@")
		if user == "" || strings.Trim(user, "0123456789") != "" || server != "lid" {
			return record.Address{}, errors.New("write the LID as 194000000000001@lid, as `muniment member list --strangers` shows it")
		}
		return record.Address{JID: lid}, nil
	}
	return people.ParseNumber(number)
}

// checkMember refuses what an entry of the register should not say, as wrong use.
func checkMember(cfg config.Config, m people.Member) error {
	if err := plainName("the name", m.Name); err != nil {
		return usageError{err}
	}
	if !slices.Contains(people.Roles, m.Role) {
		return usageError{fmt.Errorf("give the person's role: --role %s", strings.Join(people.Roles, "|"))}
	}
	if m.Email == "" {
		return nil
	}
	if e, err := netmail.ParseAddress(m.Email); err != nil || e.Address != m.Email {
		return usageError{fmt.Errorf("%q is not an email address", m.Email)}
	}
	if !cfg.Council.Owns(m.Email) {
		return usageError{fmt.Errorf("%s is not at a domain of the council (%s): give the person's council address, or none",
			m.Email, cmp.Or(strings.Join(cfg.Council.Domains, ", "), "none is configured"))}
	}
	return nil
}

// plainName refuses a name that would spoil what is shown: with control
// characters, or a telephone number, which no output may show (DESIGN.md,
// invariant 9).
func plainName(what, s string) error {
	digits := 0
	for _, r := range s {
		if unicode.IsDigit(r) {
			digits++
		}
	}
	switch {
	case strings.TrimSpace(s) == "":
		return fmt.Errorf("%s is empty", what)
	case !utf8.ValidString(s) || printable(s) != s:
		return fmt.Errorf("%s holds a line break or another character that cannot be shown: %q", what, s)
	case digits >= 7:
		return fmt.Errorf("%s looks like a telephone number, which emails and reports do not show", what)
	}
	return nil
}

// chosen is how a command's user says whose entry is meant.
type chosen struct{ name, number, lid string }

func (w *chosen) flags(c *cobra.Command) {
	c.Flags().StringVar(&w.name, "name", "", "whose entry: the `name`, exactly as the register has it")
	c.Flags().StringVar(&w.number, "number", "", "whose entry: the telephone `number` used for WhatsApp")
	c.Flags().StringVar(&w.lid, "lid", "", "whose entry: WhatsApp's `identifier` of a person whose number is hidden")
}

// find returns the entry that is meant.
func (w chosen) find(tx *sqlite.Tx) (m people.Member, err error) {
	if w.name != "" && w.number == "" && w.lid == "" {
		switch m, err = people.MemberNamed(tx, w.name); {
		case errors.Is(err, people.ErrNotOnRegister):
			return m, fmt.Errorf("nobody on the member register is called %q: see `muniment member list`", w.name)
		case errors.Is(err, people.ErrAmbiguous):
			return m, fmt.Errorf("more than one person on the member register is called %q: use --number or --lid, as `muniment member list` shows them", w.name)
		}
		return m, err
	}
	if w.name != "" || (w.number == "") == (w.lid == "") {
		return m, usageError{errors.New("say whose entry, with one of --name, --number and --lid")}
	}
	address, err := memberAddress(w.number, w.lid)
	if err != nil {
		return m, usageError{err}
	}
	if m, err = people.MemberAt(tx, address); errors.Is(err, people.ErrNotOnRegister) {
		return m, errors.New("nobody on the member register has this number or LID: see `muniment member list`")
	}
	return m, err
}

func (a *app) memberChangeCommand() *cobra.Command {
	var whose chosen
	var to people.Member
	var by actor
	c := &cobra.Command{
		Use:   "change",
		Short: "Correct a name, role or email address on the member register",
		Long: `Change corrects the name, role or email address of an entry. The new name is
shown with what the person said before, too.

For a wrong telephone number, remove the entry and add the person again.`,
		Example: `  muniment member change --name "Cllr Ann Brok" --new-name "Cllr Ann Brook" --for "Jo Marsh" --reason "misspelt"
  muniment member change --number "07700 900101" --role chair --for "Jo Marsh" --reason "elected chair, minute 27/003"`,
		Args: noArgs,
	}
	c.RunE = func(c *cobra.Command, _ []string) error {
		given := c.Flags().Changed
		if !given("new-name") && !given("role") && !given("email") {
			return usageError{errors.New("say what to change: --new-name, --role or --email")}
		}
		var m people.Member
		return a.writeRegister(c.Context(), func(cfg config.Config, tx *sqlite.Tx) (err error) {
			if m, err = whose.find(tx); err != nil {
				return err
			}
			if given("new-name") {
				m.Name = strings.TrimSpace(to.Name)
			}
			if given("role") {
				m.Role = to.Role
			}
			if given("email") {
				m.Email = to.Email
			}
			if err := checkMember(cfg, m); err != nil {
				return err
			}
			return people.EditMember(tx, now(), by.who, by.reason, m)
		}, func() {
			fmt.Fprintf(c.OutOrStdout(), "The member register now says: %s\n", strings.Join(nonEmpty(m.Name, inOffice(m), m.Email), ", "))
		})
	}
	whose.flags(c)
	c.Flags().StringVar(&to.Name, "new-name", "", "the `name` to be shown from now on")
	c.Flags().StringVar(&to.Role, "role", "", "the new role: "+strings.Join(people.Roles, ", "))
	c.Flags().StringVar(&to.Email, "email", "", "the person's new council email `address`; \"\" for none")
	return by.flags(c, true)
}

func nonEmpty(all ...string) []string {
	return slices.DeleteFunc(all, func(s string) bool { return s == "" })
}

func (a *app) memberEndCommand() *cobra.Command {
	var whose chosen
	var last string
	var by actor
	c := &cobra.Command{
		Use:   "end",
		Short: "Note that a person leaves office",
		Long: `End notes the last day on which a person is in office, today if --until does not
say otherwise. Everything that the person said keeps the name. Marks made after
that day do not count.

WhatsApp is not told: remove the person from the group there.`,
		Example: `  muniment member end --name "Cllr Ann Brook" --for "Jo Marsh" --reason "resigned"
  muniment member end --number "07700 900101" --until "3 May 2027" --for "Jo Marsh" --reason "did not stand again"`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			day, err := parseDay(last, now())
			if err != nil {
				return usageError{err}
			}
			var m people.Member
			return a.writeRegister(c.Context(), func(_ config.Config, tx *sqlite.Tx) (err error) {
				if m, err = whose.find(tx); err != nil {
					return err
				}
				m.Until = day.AddDays(1).Start()
				return people.EndMember(tx, now(), by.who, by.reason, m.ID, m.Until)
			}, func() { fmt.Fprintf(c.OutOrStdout(), "The member register now says: %s, %s\n", m.Name, inOffice(m)) })
		},
	}
	whose.flags(c)
	c.Flags().StringVar(&last, "until", "", "the last `day` in office, such as \"3 May 2027\" or 2027-05-03 (default today)")
	return by.flags(c, true)
}

// parseDay reads a date as people write it, or as computers do; empty is today.
func parseDay(s string, now time.Time) (retention.Date, error) {
	if s == "" {
		return retention.DateOf(now), nil
	}
	if t, err := time.Parse("2 January 2006", s); err == nil {
		return retention.ParseDate(t.Format(time.DateOnly))
	}
	d, err := retention.ParseDate(s)
	if err != nil {
		return "", fmt.Errorf("%q is not a date: write it as 3 May 2027 or 2027-05-03", s)
	}
	return d, nil
}

// inOffice says in which office m is, from when and until when.
func inOffice(m people.Member) string {
	term := m.Role
	if !m.From.IsZero() {
		term += " from " + day(m.From)
	}
	if !m.Until.IsZero() {
		term += " until " + day(m.Until.Add(-time.Second))
	}
	return term
}

func (a *app) memberRemoveCommand() *cobra.Command {
	var whose chosen
	var by actor
	c := &cobra.Command{
		Use:   "remove",
		Short: "Remove a mistaken entry from the member register",
		Long: `Remove takes an entry off the member register that should never have been on it:
the wrong number, the wrong person. What the person said is then shown under the
name that WhatsApp gives, marked as not verified. Marks that were made in the
meantime stay.

For a person who leaves office use ` + "`muniment member end`" + `, which keeps the name.`,
		Example: `  muniment member remove --number "07700 900101" --for "Jo Marsh" --reason "wrong number"`,
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var m people.Member
			return a.writeRegister(c.Context(), func(_ config.Config, tx *sqlite.Tx) (err error) {
				if m, err = whose.find(tx); err != nil {
					return err
				}
				return people.RemoveMember(tx, now(), by.who, by.reason, m.ID)
			}, func() {
				fmt.Fprintf(c.OutOrStdout(), "The entry of %s (%s) is removed from the member register.\n", m.Name, m.Role)
			})
		},
	}
	whose.flags(c)
	return by.flags(c, true)
}

func (a *app) memberListCommand() *cobra.Command {
	var strangers bool
	c := &cobra.Command{
		Use:   "list",
		Short: "Show the member register, or who is missing on it",
		Long: `List shows the member register. It shows telephone numbers, so that a mistake can
be found; do not pass its output on.

With --strangers it shows instead who is in the group and not on the register, and
how to add them. A name that nobody has verified is what the person calls himself.`,
		Example: `  muniment member list
  muniment member list --strangers`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			show := listMembers
			if strangers {
				show = listStrangers
			}
			return a.withArchive(c.Context(), func(cfg config.Config, _ daemon.Home, db *sqlite.DB) error {
				return db.Read(c.Context(), func(tx *sqlite.Tx) error { return show(c.OutOrStdout(), cfg, tx) })
			})
		},
	}
	c.Flags().BoolVar(&strangers, "strangers", false, "show who is in the group and not on the register")
	return c
}

// groupsOf returns the names of the listed groups in which each person is now.
func groupsOf(cfg config.Config, tx *sqlite.Tx) (map[people.ID][]string, error) {
	in := make(map[people.ID][]string)
	for _, g := range cfg.Groups {
		present, err := people.Participants(tx, g.JID)
		if err != nil {
			return nil, err
		}
		for p := range present {
			in[p] = append(in[p], g.Name)
		}
	}
	return in, nil
}

func listMembers(out io.Writer, cfg config.Config, tx *sqlite.Tx) error {
	members, err := people.Members(tx)
	if err != nil {
		return err
	}
	in, err := groupsOf(cfg, tx)
	if err != nil {
		return err
	}
	numbers, err := people.Addresses(tx)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "NAME\tROLE\tNUMBER\tEMAIL\tIN THE GROUP")
	for _, m := range members {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", printable(m.Name), inOffice(m), numbers[m.Person], printable(cmp.Or(m.Email, "-")),
			cmp.Or(strings.Join(in[m.Person], ", "), "no"))
	}
	return w.Flush()
}

// listStrangers shows who is in a listed group and not on the register. What they
// call themselves does not go into the command that it suggests: they might call
// themselves a command.
func listStrangers(out io.Writer, cfg config.Config, tx *sqlite.Tx) error {
	names, err := people.LoadNames(tx)
	if err != nil {
		return err
	}
	in, err := groupsOf(cfg, tx)
	if err != nil {
		return err
	}
	numbers, err := people.Addresses(tx)
	if err != nil {
		return err
	}
	var rows []string
	for _, p := range slices.Sorted(maps.Keys(in)) {
		if _, ok := names.Member(p); ok {
			continue
		}
		by := "--number"
		if strings.HasSuffix(numbers[p], "@lid") {
			by = "--lid"
		}
		rows = append(rows, fmt.Sprintf("%s\t%s\tmuniment member add %s %q --role ROLE --name NAME\n",
			printable(names.Of(p)), strings.Join(in[p], ", "), by, numbers[p]))
	}
	switch {
	case len(in) == 0:
		fmt.Fprintln(out, "Nobody is known to be in the group yet: the daemon learns who is when it connects.")
		return nil
	case len(rows) == 0:
		fmt.Fprintln(out, "Everybody who is in the group is on the member register.")
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "NAME\tIN THE GROUP\tTO PUT THEM ON THE REGISTER")
	for _, row := range rows {
		fmt.Fprint(w, row)
	}
	return w.Flush()
}
