package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"muniment/internal/config"
	"muniment/internal/daemon"
	"muniment/internal/people"
	"muniment/internal/sqlite"
)

func (a *app) memberListCommand() *cobra.Command {
	var strangers bool
	c := &cobra.Command{
		Use:   "list",
		Short: "Show the member register, or who is missing on it",
		Long: `List shows the member register. It shows telephone numbers, so that a mistake can
be found; do not pass its output on.

With --strangers it shows instead who is in the group and not on the register, who
is known only from what was said there, and who is named in imported chats; and how
to put them on the register. A name that nobody has verified is what the person
calls himself; names that he had before are shown with it.`,
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
	c.Flags().BoolVar(&strangers, "strangers", false, "show who is not on the register")
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
	if len(members) == 0 {
		_, err := fmt.Fprintln(out, "Nobody is on the register yet: muniment member add, or muniment member import.")
		return err
	}
	no := "no"
	if len(in) == 0 { // the daemon has not asked yet
		no = "not known"
	}
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "NAME\tROLE\tNUMBER\tEMAIL\tNOTICE\tIN THE GROUP")
	for _, m := range members {
		there := strings.Join(in[m.Person], ", ")
		if there == "" {
			there = no
		}
		if why := absence(m); len(in[m.Person]) == 0 && why != "" {
			there = "no: " + why
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", printable(m.Name), inOffice(m), cmp.Or(numbers[m.Person], "none"),
			printable(cmp.Or(m.Email, "-")), printable(cmp.Or(strings.TrimPrefix(notice(m), "notice "), "-")), printable(there))
	}
	return w.Flush()
}

// listStrangers shows who is not on the register. What they call themselves, or somebody
// else does, does not go into the commands that it suggests: they might call themselves a
// command.
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
	var present, known, imported []string
	hidden := false
	for _, p := range names.Strangers() {
		by := "--number"
		if strings.HasSuffix(numbers[p], "@lid") {
			by, hidden = "--lid", true
		}
		add := fmt.Sprintf("muniment member add %s %q --role ROLE --name NAME", by, numbers[p])
		switch name := printable(everCalled(names, p)); {
		case len(in[p]) > 0:
			present = append(present, fmt.Sprintf("%s\t%s\t%s", name, strings.Join(in[p], ", "), add))
		case numbers[p] != "":
			known = append(known, fmt.Sprintf("%s\t%s", name, add))
		}
		for _, name := range names.Exported(p) {
			imported = append(imported, printable(name)+"\tmuniment member identify --exported NAME-IN-THE-CHAT --name NAME")
		}
	}
	switch {
	case len(in) == 0:
		fmt.Fprintln(out, "Nobody is known to be in the group yet: the daemon learns who is when it connects.")
	case len(present) == 0:
		fmt.Fprintln(out, "Everybody who is in the group is on the member register.")
	}
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	for _, part := range []struct {
		about, heading string
		rows           []string
	}{
		{"", "NAME\tIN THE GROUP\tTO PUT THEM ON THE REGISTER", present},
		{"\nNot in the group now, and known from what was said there:\n", "NAME\tTO PUT THEM ON THE REGISTER", known},
		{"\nAuthors in imported chats, and no more is known of them:\n", "NAME IN THE CHAT\tTO SAY WHO ON THE REGISTER IT IS", imported},
	} {
		if len(part.rows) > 0 {
			fmt.Fprintf(w, "%s%s\n%s\n", part.about, part.heading, strings.Join(part.rows, "\n"))
		}
	}
	if hidden {
		fmt.Fprintln(w, "\nWho is on the register already, by another number or none: muniment member identify --lid LID --name NAME")
	}
	return w.Flush()
}

// everCalled says what a stranger is called, and what he called himself before.
func everCalled(names *people.Names, p people.ID) string {
	called := names.Of(p)
	var before []string
	for _, n := range names.PushNames(p) {
		if !n.Until.IsZero() {
			before = append(before, fmt.Sprintf("%s until %s", n.Name, day(n.Until)))
		}
	}
	if len(before) > 0 {
		called += ", before: " + strings.Join(before, ", ")
	}
	return called
}
