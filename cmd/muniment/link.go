package main

import (
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/mdp/qrterminal/v3"
	"github.com/spf13/cobra"

	"muniment/internal/daemon"
	"muniment/internal/systemd"
	"muniment/internal/whatsapp"
)

func (a *app) linkCommand() *cobra.Command {
	var text bool
	c := &cobra.Command{
		Use:   "link",
		Short: "Link to the council's WhatsApp account by QR code",
		Long: `Link shows a QR code to be scanned by the council's phone: in WhatsApp, Settings,
Linked devices, Link a device. The phone will list this machine as "Council record".
Then it lists the groups that the account is in.

Messages that arrive meanwhile are not acknowledged: WhatsApp delivers them again
to "muniment run".`,
		Example: `  sudo -u muniment muniment link
  sudo -u muniment muniment link --text | head -n 1 | qrencode -t PNG -o code.png`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withSession(c, func(s *daemon.Link) error {
				out := c.OutOrStdout()
				err := s.Pair(c.Context(), func(code string) {
					if text {
						fmt.Fprintln(out, code)
						return
					}
					qrterminal.GenerateHalfBlock(code, qrterminal.L, out)
					fmt.Fprintln(out, "Scan this with the council's phone: WhatsApp, Settings, Linked devices, Link a device.")
					fmt.Fprintln(out)
				})
				if errors.Is(err, whatsapp.ErrAlreadyLinked) {
					return fmt.Errorf("%w: to link anew, first remove \"Council record\" under Linked devices on the phone", err)
				} else if err != nil {
					return err
				}
				fmt.Fprint(out, "Linked. The account is in these groups:\n\n")
				if err := listGroups(c, out, s); err != nil {
					return err
				}
				fmt.Fprintf(out, "\nPut the official group under [[group]] in %s.\n", a.configPath)
				return nil
			})
		},
	}
	c.Flags().BoolVar(&text, "text", false, "print each code as a line of text, for other QR tools")
	return c
}

func (a *app) groupsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "groups",
		Short: "List the groups that the linked account is in",
		Long: `Groups lists the groups that the linked account is in, with the identifier that
the configuration needs. It is for the sysadmin's eyes: an old group's identifier
holds a telephone number.`,
		Example: "  sudo -u muniment muniment groups",
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withSession(c, func(s *daemon.Link) error { return listGroups(c, c.OutOrStdout(), s) })
		},
	}
}

// withSession opens the companion device for f. The service must not run.
func (a *app) withSession(c *cobra.Command, f func(*daemon.Link) error) error {
	cfg, err := a.load()
	if err != nil {
		return err
	}
	s, err := daemon.OpenLink(c.Context(), daemon.Options{Config: cfg, Log: systemd.NewLogger(c.ErrOrStderr())})
	if err != nil {
		return err
	}
	return errors.Join(f(s), s.Close())
}

func listGroups(c *cobra.Command, out io.Writer, s *daemon.Link) error {
	groups, err := s.Groups(c.Context())
	if errors.Is(err, whatsapp.ErrNotLinked) {
		return fmt.Errorf("%w: run `muniment link` first", err)
	} else if err != nil {
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "GROUP\tPARTICIPANTS\tJID")
	for _, g := range groups {
		fmt.Fprintf(w, "%s\t%d\t%s\n", printable(g.Name), g.Participants, g.JID)
	}
	return w.Flush()
}
