package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"muniment/internal/archive"
	"muniment/internal/config"
	"muniment/internal/daemon"
	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/sqlite"
)

func (a *app) memberCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:   "member",
		Short: "Keep the member register: who is who on the council",
		Long: `The member register says whose number is whose, so that emails and reports show
names and not numbers, and whose mark counts. It also says when somebody's term
begins and ends, why somebody is not in the group and what they get instead, and
which privacy notice they were given. Every change is kept in the journal, with
what was there before.`,
		Example: `  muniment member list --strangers
  muniment member add --name "Cllr Ann Brook" --role councillor --number "07700 900101"
  muniment member import councillors.csv --check
  muniment member end --name "Cllr Ann Brook" --until "3 May 2027" --for "Jo Marsh" --reason "did not stand again"
  muniment member list`,
	}, a.memberAddCommand(), a.memberEditCommand(), a.memberEndCommand(), a.memberRemoveCommand(),
		a.memberIdentifyCommand(), a.memberImportCommand(), a.memberListCommand())
}

func (a *app) memberAddCommand() *cobra.Command {
	says := make(said)
	var number, lid string
	var noWhatsApp bool
	var by actor
	c := &cobra.Command{
		Use:   "add",
		Short: "Put a person on the member register",
		Long: `Add puts a person on the member register. The number is the one that the person
uses WhatsApp with; only ` + "`muniment member list`" + ` shows it. WhatsApp may hide
it: ` + "`muniment member list --strangers`" + ` shows who in the group is not on the
register yet, with the number or else the LID.

Who is not in the group needs no number: say why, with --no-whatsapp or
--absent-because, and what the person gets --instead. Who joins later is tied to
the entry by ` + "`muniment member identify`" + `.

Who comes back to the council, or has another office, is added again when the
earlier entry has been ended.

Roles: ` + strings.Join(people.Roles, ", ") + `. The deputy is the deputy clerk.
Marks and holds count from the first day in office to the last.`,
		Example: `  muniment member add --name "Cllr Ann Brook" --role councillor --number "07700 900101" --email a.brook@cranford-pc.example.gov.uk
  muniment member add --name "Jo Marsh" --role clerk --number "+44 7700 900102" --for "Jo Marsh" --reason "new clerk"
  muniment member add --name "Cllr Kit Lowe" --role councillor --lid 194000000000001@lid --from "6 May 2027" --notice-given "7 May 2027"
  muniment member add --name "Cllr Pat Quill" --role councillor --no-whatsapp --instead "weekly digest by email" --confirmed "7 May 2027"`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if noWhatsApp {
				if number != "" || lid != "" || says["absent-because"] != "" {
					return usageError{errors.New("--no-whatsapp says that there is no number, and why: leave out --number, --lid and --absent-because")}
				}
				says["absent-because"] = "does not use WhatsApp"
			}
			address, err := memberAddress(number, lid, says["absent-because"] != "")
			if err != nil {
				return usageError{err}
			}
			if strings.TrimSpace(says["name"]) == "" {
				return usageError{errors.New("give the person's name: --name \"Cllr Ann Brook\"")}
			}
			if says["role"] == "" {
				return usageError{fmt.Errorf("give the person's role: --role %s", strings.Join(people.Roles, "|"))}
			}
			var m people.Member
			return a.writeRegister(c.Context(), func(cfg config.Config, tx *sqlite.Tx) error {
				if err := says.applyFlags(&m, cfg); err != nil {
					return err
				}
				return people.AddMember(tx, now(), by.who, by.reason, m, address)
			}, func() { fmt.Fprintf(c.OutOrStdout(), "%s (%s) is on the member register.\n", m.Name, inOffice(m)) })
		},
	}
	c.Flags().StringVar(&number, "number", "", "the telephone number used for WhatsApp")
	c.Flags().StringVar(&lid, "lid", "", "instead of the number, WhatsApp's `identifier` of a person whose number is hidden")
	c.Flags().BoolVar(&noWhatsApp, "no-whatsapp", false, "the person does not use WhatsApp, and has no number here")
	says.flags(c)
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

// memberAddress reads by what WhatsApp knows a person; the zero address is that of
// somebody absent.
func memberAddress(number, lid string, absent bool) (record.Address, error) {
	switch {
	case number == "" && lid == "" && absent:
		return record.Address{}, nil
	case number == "" && lid == "":
		return record.Address{}, errors.New("give the person's WhatsApp number: --number \"07700 900101\"; --lid if it is hidden; --no-whatsapp or --absent-because if there is none")
	case number != "" && lid != "":
		return record.Address{}, errors.New("give the person's number or LID, not both: WhatsApp tells what belongs together")
	case lid != "":
		user, server, _ := strings.Cut(lid, "@")
		if user == "" || strings.Trim(user, "0123456789") != "" || server != "lid" {
			return record.Address{}, errors.New("write the LID as 194000000000001@lid, as `muniment member list --strangers` shows it")
		}
		return record.Address{JID: lid}, nil
	}
	return people.ParseNumber(number)
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
		if m, err = memberNamed(tx, w.name); errors.Is(err, people.ErrAmbiguous) {
			err = fmt.Errorf("%w: use --number or --lid, as `muniment member list` shows them", err)
		}
		return m, err
	}
	if w.name != "" || (w.number == "") == (w.lid == "") {
		return m, usageError{errors.New("say whose entry, with one of --name, --number and --lid")}
	}
	address, err := memberAddress(w.number, w.lid, false)
	if err != nil {
		return m, usageError{err}
	}
	if m, err = people.MemberAt(tx, address); errors.Is(err, people.ErrNotOnRegister) {
		return m, errors.New("nobody on the member register has this number or LID: see `muniment member list`")
	}
	return m, err
}

// memberNamed returns the entry of whoever is called name.
func memberNamed(tx *sqlite.Tx, name string) (people.Member, error) {
	m, err := people.MemberNamed(tx, name)
	switch {
	case errors.Is(err, people.ErrNotOnRegister):
		err = fmt.Errorf("nobody on the member register is called %q: see `muniment member list`", name)
	case errors.Is(err, people.ErrAmbiguous):
		err = fmt.Errorf("%w, %q", err, name)
	}
	return m, err
}

func (a *app) memberEditCommand() *cobra.Command {
	var whose chosen
	var newName string
	says := make(said)
	var by actor
	c := &cobra.Command{
		Use:   "edit",
		Short: "Correct or complete an entry of the member register",
		Long: `Edit corrects an entry, or says more of the person: the name, the role, the email
address, the term, why the person is not in the group, what the person gets
instead, which privacy notice was given. What is not named stays; "" takes
something away. A new name is shown with what the person said before, too.

For another telephone number of the same person use ` + "`muniment member identify`" + `.
If the number was a mistake, remove the entry and add the person again.`,
		Example: `  muniment member edit --name "Cllr Ann Brok" --new-name "Cllr Ann Brook" --for "Jo Marsh" --reason "misspelt"
  muniment member edit --number "07700 900101" --role chair --for "Jo Marsh" --reason "elected chair, minute 27/003"
  muniment member edit --name "Cllr Bo Carter" --absent-because "chose not to" --instead "weekly digest by email" --confirmed "7 May 2027" --for "Jo Marsh" --reason "told me"
  muniment member edit --name "Cllr Kit Lowe" --notice-given "7 May 2027" --for "Jo Marsh" --reason "new member, given by hand"`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if c.Flags().Changed("new-name") {
				says["name"] = newName
			}
			if len(says) == 0 {
				return usageError{errors.New("say what to change: --new-name, --role, --email, --from or another of those that --help tells of")}
			}
			var m people.Member
			return a.writeRegister(c.Context(), func(cfg config.Config, tx *sqlite.Tx) (err error) {
				if m, err = whose.find(tx); err != nil {
					return err
				}
				if err := says.applyFlags(&m, cfg); err != nil {
					return err
				}
				return people.EditMember(tx, now(), by.who, by.reason, m)
			}, func() { fmt.Fprintf(c.OutOrStdout(), "The member register now says: %s\n", tells(m)) })
		},
	}
	whose.flags(c)
	c.Flags().StringVar(&newName, "new-name", "", "the `name` to be shown from now on")
	says.flags(c, "name")
	return by.flags(c, true)
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
			return a.writeRegister(c.Context(), func(cfg config.Config, tx *sqlite.Tx) (err error) {
				if m, err = whose.find(tx); err != nil {
					return err
				}
				if err := (said{"until": string(day)}).applyFlags(&m, cfg); err != nil {
					return err
				}
				return people.EndMember(tx, now(), by.who, by.reason, m.ID, m.Until)
			}, func() { fmt.Fprintf(c.OutOrStdout(), "The member register now says: %s, %s\n", m.Name, inOffice(m)) })
		},
	}
	whose.flags(c)
	c.Flags().StringVar(&last, "until", "", "the last `day` in office, such as \"3 May 2027\" or 2027-05-03 (default today)")
	return by.flags(c, true)
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

func (a *app) memberIdentifyCommand() *cobra.Command {
	var name, number, lid, exported string
	var by actor
	c := &cobra.Command{
		Use:   "identify",
		Short: "Say who on the register a person is whom WhatsApp does not name",
		Long: `Identify ties somebody of whom little is known to a person on the member register:

  --lid       whose number WhatsApp hides, as ` + "`muniment member list --strangers`" + `
              shows it
  --exported  an author in an imported chat, by the name that the phone had for him
  --number    another number of the person

From then on, and for all that is in the record already, the two are one: messages,
votes and reactions are shown under the name, and a hold on the person holds them.
A mark counts only if its sender was known when it was made.

A LID is one person for good: who has one is not given another. Nor can this be
undone, because from then on nothing tells apart what was known of either: make sure
first. What was received is kept with the address that it came from, as ever.`,
		Example: `  muniment member identify --name "Cllr Ann Brook" --lid 194000000000001@lid --for "Jo Marsh" --reason "asked her"
  muniment member identify --name "Cllr Ann Brook" --exported "Ann from the allotments" --for "Jo Marsh" --reason "my own phone's name for her"
  muniment member identify --name "Cllr Ann Brook" --number "07700 900177" --for "Jo Marsh" --reason "her new number"`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if name == "" || len(nonEmpty(number, lid, exported)) != 1 {
				return usageError{errors.New("say who it is, with --name, and who is meant, with one of --lid, --exported and --number")}
			}
			address := people.Exported(exported)
			if exported == "" {
				var err error
				if address, err = memberAddress(number, lid, false); err != nil {
					return usageError{err}
				}
			}
			return a.writeRegister(c.Context(), func(_ config.Config, tx *sqlite.Tx) error {
				m, err := memberNamed(tx, name)
				if errors.Is(err, people.ErrAmbiguous) {
					return fmt.Errorf("%w: tell them apart with `muniment member edit --new-name` first", err)
				} else if err != nil {
					return err
				}
				switch err = people.IdentifyMember(tx, now(), by.who, by.reason, m.ID, address); {
				case errors.Is(err, people.ErrNeverMet) && exported != "":
					return fmt.Errorf("no imported chat has an author %q: see `muniment member list --strangers`; nothing was changed", exported)
				case errors.Is(err, people.ErrNeverMet):
					return errors.New("nobody with this LID has been seen: see `muniment member list --strangers`; nothing was changed")
				case err != nil:
					return err
				}
				return archive.Reconcile(tx)
			}, func() {
				fmt.Fprintf(c.OutOrStdout(), "It is %s: all that was received is shown under the name.\n", name)
			})
		},
	}
	c.Flags().StringVar(&name, "name", "", "who it is: the `name`, exactly as the register has it")
	c.Flags().StringVar(&lid, "lid", "", "WhatsApp's `identifier` of a person whose number is hidden")
	c.Flags().StringVar(&exported, "exported", "", "the `name` of an author in an imported chat")
	c.Flags().StringVar(&number, "number", "", "another telephone `number` of the person")
	return by.flags(c, true)
}
