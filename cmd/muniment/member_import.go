package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"muniment/internal/archive"
	"muniment/internal/config"
	"muniment/internal/daemon"
	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/sqlite"
)

func (a *app) memberImportCommand() *cobra.Command {
	var check bool
	var by actor
	c := &cobra.Command{
		Use:   "import FILE.csv",
		Short: "Put a table of people on the member register",
		Long: `Import reads a table that a spreadsheet has saved as CSV, best as "CSV UTF-8", with
commas, semicolons or tabs between the cells. Its first line names the columns, in
any order; only name is needed, and role for whoever is new:

  name            as emails and reports are to show it
  number          used for WhatsApp: 07700 900123 or +44 7700 900123
  lid             instead, WhatsApp's identifier of a person whose number is hidden
  role            ` + strings.Join(people.Roles, ", ") + `
  from, until     the first and the last day in office
  email           the person's council address
  absent because  ` + strings.Join(people.Reasons, ", ") + `
  instead         what the person gets who is not in the group, such as a weekly
                  digest by email (or: alternative)
  confirmed       the day on which the person said so
  notice given    the day on which the person was given the privacy notice
  notice version  which one; else the one in the configuration

Days are written 3 May 2027, 3/5/2027 (the third of May) or 2027-05-03.

A person is known by the number, else by the name exactly as it is on the register.
Who is not on it is added; of who is, what the table says is changed. An empty cell
says nothing: to take something away use ` + "`muniment member edit`" + `. Who has left
office and is in the table with a later first day gets another entry. Nobody is
removed for not being in the table.

All of it is done, or, if anything is wrong, nothing: then every fault is told by
line and column. To import the same table twice changes nothing.

With --check it only tells what it would do.`,
		Example: `  muniment member import councillors.csv --check
  muniment member import councillors.csv --for "Jo Marsh" --reason "election of 6 May 2027"`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageError{errors.New("name the file: muniment member import FILE.csv")}
			}
			return nil
		},
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		if !check && (by.reason == "" || !c.Flags().Changed("for")) {
			return usageError{errors.New("say on whose word and why: --for NAME --reason TEXT; both are kept in the journal. Or only look: --check")}
		}
		b, err := readFile(args[0], 1<<20)
		if err != nil {
			return err
		}
		rows, faults := readRegister(b)
		i := &registerImport{by: by, faults: faults, from: make(map[int64]int)}
		err = a.withArchive(c.Context(), func(cfg config.Config, _ daemon.Home, db *sqlite.DB) error {
			i.cfg = cfg
			return db.Write(c.Context(), func(tx *sqlite.Tx) error {
				if err := i.all(tx, rows); err != nil {
					return err
				}
				if check {
					return errOnlyChecked
				}
				return archive.Reconcile(tx)
			})
		})
		if err != nil && !errors.Is(err, errOnlyChecked) {
			return err
		}
		i.tell(c.OutOrStdout(), check)
		return nil
	}
	c.Flags().BoolVar(&check, "check", false, "only tell what would be done")
	return by.flags(c, false)
}

// errOnlyChecked takes back what was done for a look.
var errOnlyChecked = errors.New("only checked")

// readFile reads a file that is no longer than most.
func readFile(name string, most int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(b)) > most {
		err = fmt.Errorf("%s is too large for a table of a council's people", name)
	}
	return b, err
}

// registerImport puts rows on the register.
type registerImport struct {
	cfg                       config.Config
	by                        actor
	faults                    []error
	from                      map[int64]int // which entry each line was of
	added, changed, unchanged []string
	elsewhere                 []string // in office, and not in the file
}

// all puts rows on the register; if anything is wrong, it returns all that is.
func (i *registerImport) all(tx *sqlite.Tx, rows []row) error {
	for _, r := range rows {
		if wrong := r.check(i.cfg); len(wrong) > 0 {
			i.faults = append(i.faults, wrong...)
			continue
		}
		var fault faultIn
		if err := i.one(tx, r); errors.As(err, &fault) {
			i.faults = append(i.faults, fault)
		} else if err != nil {
			return fmt.Errorf("line %d: %w", r.line, err)
		}
	}
	if len(i.faults) > 0 {
		slices.SortStableFunc(i.faults, byLine)
		return usageError{fmt.Errorf("%s; nothing was changed:\n%w", count(len(i.faults), "fault"), errors.Join(i.faults...))}
	}
	members, err := people.Members(tx)
	for _, m := range members {
		if i.from[m.ID] == 0 && m.InOffice(now()) {
			i.elsewhere = append(i.elsewhere, fmt.Sprintf("%s, %s", m.Name, inOffice(m)))
		}
	}
	return err
}

func byLine(a, b error) int {
	var first, second faultIn
	errors.As(a, &first)
	errors.As(b, &second)
	return first.line - second.line
}

// one puts a row on the register.
func (i *registerImport) one(tx *sqlite.Tx, r row) error {
	var address record.Address
	var err error
	if r.number != "" || r.lid != "" {
		if address, err = memberAddress(r.number, r.lid, false); err != nil {
			return err
		}
	}
	entries, tie, err := entriesOf(tx, r, address)
	if err != nil {
		return err
	}
	m, err := i.meant(r, entries)
	if err != nil {
		return err
	}
	if m.ID == 0 && tie { // who has an entry by the name
		if m.ID, err = i.add(tx, r, record.Address{}); err != nil {
			return err
		}
		return i.tie(tx, r, m.ID, address)
	} else if m.ID == 0 {
		_, err = i.add(tx, r, address)
		return err
	}
	if line := i.from[m.ID]; line > 0 {
		return faultIn{r.line, "", fmt.Errorf("line %d is of the same person, %s; of several terms the first must come first", line, m.Name)}
	}
	i.from[m.ID] = r.line
	return i.edit(tx, r, m, address, tie)
}

// entriesOf returns the entries of the person of whom r is, the one that counts first,
// and whether the address is to be tied to him.
func entriesOf(tx *sqlite.Tx, r row, address record.Address) (entries []people.Member, tie bool, err error) {
	m, err := people.MemberAt(tx, address)
	named, errNamed := people.MemberNamed(tx, r.says["name"])
	switch {
	case errors.Is(err, people.ErrNotOnRegister):
		m, err = named, errNamed
		tie = err == nil && address.JID != ""
	case err == nil && errNamed == nil && named.Person != m.Person:
		return nil, false, faultIn{r.line, "name", fmt.Errorf("this is the name of one, and the number of another, %s", m.Name)}
	}
	switch {
	case errors.Is(err, people.ErrNotOnRegister):
		return nil, false, nil
	case errors.Is(err, people.ErrAmbiguous):
		return nil, false, faultIn{r.line, "name", fmt.Errorf("%w: give the number that the register has", err)}
	case err != nil:
		return nil, false, err
	}
	if tie && r.number != "" {
		numbers, err := people.Addresses(tx)
		if err != nil {
			return nil, false, err
		}
		if has := numbers[m.Person]; has != "" && !strings.HasSuffix(has, "@lid") {
			return nil, false, faultIn{r.line, "number", fmt.Errorf("%s is on the register with another number: if it is the same person, "+
				"add this one with `muniment member identify`; if not, give one of them another name", m.Name)}
		}
	}
	names, err := people.LoadNames(tx)
	return names.Entries(m.Person), tie, err
}

// meant returns which of a person's entries r is of; the zero Member for a new one.
func (i *registerImport) meant(r row, entries []people.Member) (people.Member, error) {
	if len(entries) == 0 {
		return people.Member{}, nil
	}
	var says people.Member
	r.says.apply(&says, i.cfg)
	dated := !says.From.IsZero() || !says.Until.IsZero()
	last := entries[0]
	for n := len(entries) - 1; n >= 0; n-- {
		m := entries[n]
		switch {
		case i.from[m.ID] > 0:
		case (dated || !m.Ended(now())) && r.agrees(m, i.cfg):
			return m, nil
		case m.Role == says.Role:
			last = m
		}
	}
	switch {
	case !last.Until.IsZero() && !says.From.Before(last.Until):
		return people.Member{}, nil
	case last.Ended(now()) && !dated:
		return people.Member{}, faultIn{r.line, "", fmt.Errorf("%s was in office until %s: give the first day of a new term in the column from, or leave the line out",
			last.Name, lastDay(last.Until))}
	}
	return last, nil
}

// agrees reports whether r is of the term and the office of m.
func (r row) agrees(m people.Member, cfg config.Config) bool {
	is := m
	r.says.apply(&is, cfg)
	return is.Role == m.Role && is.From.Equal(m.From) && is.Until.Equal(m.Until)
}

// add makes a new entry and returns its number.
func (i *registerImport) add(tx *sqlite.Tx, r row, address record.Address) (int64, error) {
	if r.says["role"] == "" {
		return 0, faultIn{r.line, "role", fmt.Errorf("%s is not on the register: give the role", r.says["name"])}
	}
	var m people.Member
	r.says.apply(&m, i.cfg)
	if wrong := r.faultsOf(contradictions(m)); len(wrong) > 0 {
		return 0, wrong[0]
	}
	if err := people.AddMember(tx, now(), i.by.who, i.by.reason, m, address); errors.Is(err, people.ErrOnRegister) {
		return 0, faultIn{r.line, "", err}
	} else if err != nil {
		return 0, err
	}
	all, err := people.Members(tx)
	if err != nil {
		return 0, err
	}
	m.ID = all[len(all)-1].ID
	i.from[m.ID] = r.line
	i.added = append(i.added, tells(m))
	return m.ID, nil
}

// edit has the entry m say what r says.
func (i *registerImport) edit(tx *sqlite.Tx, r row, m people.Member, address record.Address, tie bool) error {
	was := m
	r.says.apply(&m, i.cfg)
	if wrong := r.faultsOf(contradictions(m)); len(wrong) > 0 {
		return wrong[0]
	}
	var changes []string
	for _, f := range fields {
		if before, after := f.get(was), f.get(m); before != after {
			changes = append(changes, fmt.Sprintf("%s: %s → %s", strings.ReplaceAll(f.name, "-", " "), orNone(before), orNone(after)))
		}
	}
	if len(changes) > 0 {
		if err := people.EditMember(tx, now(), i.by.who, i.by.reason, m); err != nil {
			return err
		}
	}
	if tie {
		if err := i.tie(tx, r, m.ID, address); err != nil {
			return err
		}
		changes = append(changes, "number: added")
	}
	if len(changes) == 0 {
		i.unchanged = append(i.unchanged, tells(m))
	} else {
		i.changed = append(i.changed, fmt.Sprintf("%s: %s", was.Name, strings.Join(changes, "; ")))
	}
	return nil
}

// tie ties the address to the person of the entry.
func (i *registerImport) tie(tx *sqlite.Tx, r row, id int64, address record.Address) error {
	err := people.IdentifyMember(tx, now(), i.by.who, i.by.reason, id, address)
	switch {
	case errors.Is(err, people.ErrNeverMet):
		return faultIn{r.line, "lid", errors.New("nobody with this LID has been seen: see `muniment member list --strangers`")}
	case errors.Is(err, people.ErrAnotherLID):
		return faultIn{r.line, "", err}
	}
	return err
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// tell says what was done, or would be.
func (i *registerImport) tell(out io.Writer, check bool) {
	var b bytes.Buffer
	for _, part := range []struct {
		what string
		who  []string
	}{{"added", i.added}, {"changed", i.changed}, {"unchanged", i.unchanged}, {"not in the file, and left as they are", i.elsewhere}} {
		if len(part.who) > 0 {
			fmt.Fprintf(&b, "%s:\n", strings.ToUpper(part.what[:1])+part.what[1:])
			for _, s := range part.who {
				fmt.Fprintf(&b, "  %s\n", printable(s))
			}
		}
	}
	done := "%d added, %d changed, %d unchanged.\n"
	if check {
		done = "This would be done: " + done + "Nothing is changed yet: --check only looks.\n"
	}
	fmt.Fprintf(&b, done, len(i.added), len(i.changed), len(i.unchanged))
	_, _ = b.WriteTo(out)
}
