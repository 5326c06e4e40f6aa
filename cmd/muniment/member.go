package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

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
names and not numbers, and whose mark counts.`,
		Example: `  muniment member add --name "Cllr Ann Brook" --role councillor --number "07700 900101"
  muniment member list`,
	}, a.memberAddCommand(), a.memberListCommand())
}

func (a *app) memberAddCommand() *cobra.Command {
	var m people.Member
	var number, lid string
	var by actor
	c := &cobra.Command{
		Use:   "add",
		Short: "Put a person on the member register",
		Long: `Add puts a person on the member register. The number is the one that the person
uses WhatsApp with; it is shown to nobody.

Roles: ` + strings.Join(people.Roles, ", ") + `.`,
		Example: `  muniment member add --name "Cllr Ann Brook" --role councillor --number "07700 900101" --email a.brook@cranford-pc.example.gov.uk
  muniment member add --name "Jo Marsh" --role clerk --number "+44 7700 900102" --for "Jo Marsh" --reason "new clerk"`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			address, err := memberAddress(number, lid)
			if err != nil {
				return usageError{err}
			}
			if m.Name == "" {
				return usageError{errors.New("give the person's name: --name \"Cllr Ann Brook\"")}
			}
			if !slices.Contains(people.Roles, m.Role) {
				return usageError{fmt.Errorf("give the person's role: --role %s", strings.Join(people.Roles, "|"))}
			}
			return a.withArchive(c.Context(), func(_ config.Config, _ daemon.Home, db *sqlite.DB) error {
				if err := db.Write(c.Context(), func(tx *sqlite.Tx) error {
					return people.AddMember(tx, now(), by.who, by.reason, m, address)
				}); err != nil {
					return err
				}
				fmt.Fprintf(c.OutOrStdout(), "%s (%s) is on the member register.\n", m.Name, m.Role)
				return nil
			})
		},
	}
	c.Flags().StringVar(&m.Name, "name", "", "as emails and reports are to show it")
	c.Flags().StringVar(&m.Role, "role", "", strings.Join(people.Roles, ", "))
	c.Flags().StringVar(&m.Email, "email", "", "the person's council email `address`")
	c.Flags().StringVar(&number, "number", "", "the telephone number used for WhatsApp")
	c.Flags().StringVar(&lid, "lid", "", "instead of the number, WhatsApp's `identifier` of a person whose number is hidden")
	return by.flags(c, false)
}

func memberAddress(number, lid string) (record.Address, error) {
	switch {
	case (number == "") == (lid == ""):
		return record.Address{}, errors.New("give the person's WhatsApp number: --number \"07700 900101\"; or --lid if it is hidden")
	case lid != "":
		if user, server, _ := strings.Cut(lid, "@"); user == "" || server != "lid" {
			return record.Address{}, errors.New("a LID ends in @lid")
		}
		return record.Address{JID: lid}, nil
	}
	return people.ParseNumber(number)
}

func (a *app) memberListCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "Show the member register",
		Example: "  muniment member list",
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withArchive(c.Context(), func(cfg config.Config, _ daemon.Home, db *sqlite.DB) error {
				return db.Read(c.Context(), func(tx *sqlite.Tx) error { return listMembers(c, cfg, tx) })
			})
		},
	}
}

func listMembers(c *cobra.Command, cfg config.Config, tx *sqlite.Tx) error {
	members, err := people.Members(tx)
	if err != nil {
		return err
	}
	in := make(map[people.ID][]string)
	for _, g := range cfg.Groups {
		present, err := people.Participants(tx, g.JID)
		if err != nil {
			return err
		}
		for p := range present {
			in[p] = append(in[p], g.Name)
		}
	}
	w := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "NAME\tROLE\tEMAIL\tIN THE GROUP")
	for _, m := range members {
		groups := strings.Join(in[m.Person], ", ")
		if groups == "" {
			groups = "no"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", m.Name, m.Role, m.Email, groups)
	}
	return w.Flush()
}
