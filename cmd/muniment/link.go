package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"text/tabwriter"
	"unicode/utf8"

	"github.com/mdp/qrterminal/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"muniment/internal/daemon"
	"muniment/internal/people"
	"muniment/internal/systemd"
	"muniment/internal/whatsapp"
)

func (a *app) linkCommand() *cobra.Command {
	var how linkFlags
	c := &cobra.Command{
		Use:   "link",
		Short: "Link to the council's WhatsApp account, by QR code or by a code to type",
		Long: `Link shows a QR code to be scanned by the council's phone: in WhatsApp, Settings,
Linked devices, Link a device. The phone will list this machine as "Council record".
Then it lists the groups that the account is in.

A code is good for some seconds only, and a new one follows; WhatsApp may also ask
that a second one be scanned. With --text, standard output has the codes and nothing
else; what else there is to say goes to standard error.

With --phone and the number of the council's account, the code is one of eight
characters to be typed on the phone, for where it cannot be held before this screen.
The number goes to WhatsApp and is kept nowhere. After a few attempts, WhatsApp
refuses more for a day or so.

If the account demands a passkey for linking, link says what to do: a line is run in
a browser that can use the passkey, and its answer pasted here. So it must run at a
terminal then.

Messages that arrive meanwhile are not acknowledged: WhatsApp delivers them again
to "muniment run".`,
		Example: `  sudo muniment link
  sudo muniment link --phone "07700 900123"
  sudo muniment link --text | while read -r code; do qrencode -t UTF8 "$code"; done`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := how.check(c); err != nil {
				return usageError{err}
			}
			return a.withSession(c, func(s *daemon.Link) error { return a.link(c, s, how) })
		},
	}
	c.Flags().BoolVar(&how.text, "text", false, "print each code as a line of text, for other QR tools")
	c.Flags().StringVar(&how.phone, "phone", "", "link by a code that is typed on the phone of this `number`")
	return c
}

// linkFlags are how this machine is to be linked.
type linkFlags struct {
	text  bool
	phone string // as given; after check, as WhatsApp wants it; empty: by QR code
}

// check checks the number. An error does not repeat it.
func (l *linkFlags) check(c *cobra.Command) error {
	if !c.Flags().Changed("phone") {
		return nil
	}
	a, err := people.ParseNumber(l.phone)
	if err != nil {
		return errors.New("--phone is no telephone number: write it as 07700 900123 or +44 7700 900123")
	}
	l.phone, _, _ = strings.Cut(a.JID, "@")
	return nil
}

// link shows codes until one is used, and then the groups.
//
// Whatever reads the codes may go away before the phone has scanned one, such as
// `head -n 1`. The linking goes on, since half of one is no use to anybody: so
// neither a broken pipe nor a failed write ends it.
func (a *app) link(c *cobra.Command, s *daemon.Link, how linkFlags) error {
	signal.Ignore(syscall.SIGPIPE)
	out := c.OutOrStdout()
	said := out // what is no code
	if how.text {
		said = c.ErrOrStderr()
	}
	if !s.Linked() {
		fmt.Fprintln(c.ErrOrStderr(), "Connecting to WhatsApp …")
	}
	p := whatsapp.Pairing{Phone: how.phone, Show: func(code string) {
		switch {
		case how.text:
			fmt.Fprintln(out, code)
		case how.phone != "":
			fmt.Fprintf(out, typeThis, code)
		default:
			showCode(out, code)
		}
	}}
	if in, ok := c.InOrStdin().(*os.File); ok && term.IsTerminal(int(in.Fd())) {
		q := &questioner{in: in, out: c.ErrOrStderr()}
		p.Passkey, p.Compare = q.passkey, q.compare
	}
	err := s.Pair(c.Context(), p)
	switch {
	case errors.Is(err, whatsapp.ErrAlreadyLinked):
		return fmt.Errorf("%w: to link anew, first remove \"Council record\" under Linked devices on the phone", err)
	case err != nil && c.Context().Err() != nil && !s.Linked():
		return errors.New("stopped; nothing was linked")
	case err != nil:
		return err
	}
	fmt.Fprint(said, "Linked. The account is in these groups:\n\n")
	if err := listGroups(c, said, s); errors.Is(err, syscall.EPIPE) {
		fmt.Fprintln(c.ErrOrStderr(), "Linked. `sudo muniment groups` lists the account's groups.")
	} else if err != nil {
		return fmt.Errorf("this machine is linked, but: %w", err)
	}
	fmt.Fprintf(said, "\nPut the official group under [[group]] in %s.\n", a.configPath)
	return nil
}

// typeThis goes with a code to be typed.
const typeThis = `On the council's phone, in WhatsApp: Settings, Linked devices, Link a device, Link
with phone number instead. Type this code there:

    %s

It is good for a few minutes. The phone may call this machine "Chrome (Linux)" while
it asks, since WhatsApp takes no other name then.

`

// showCode shows a code to be scanned. That the window is too small for it is
// said below it, where it can be read: the code's upper part has scrolled away.
func showCode(out io.Writer, code string) {
	var b bytes.Buffer
	qrterminal.GenerateHalfBlock(code, qrterminal.L, &b)
	high := bytes.Count(b.Bytes(), []byte("\n")) + 5 // with what is said below, and the prompt
	first, _, _ := strings.Cut(b.String(), "\n")
	wide := utf8.RuneCountInString(first) + 4
	fmt.Fprintln(&b, "Scan this with the council's phone: in WhatsApp, Settings,")
	fmt.Fprintln(&b, "Linked devices, Link a device.")
	if columns, lines, ok := window(out); ok && (lines < high || columns < wide) {
		fmt.Fprintf(&b, "Make the window at least %d lines high and %d columns wide.\n", high, wide)
	}
	fmt.Fprintln(&b)
	_, _ = b.WriteTo(out) // see link
}

// window returns how large the terminal is that w writes to, if it is one.
func window(w io.Writer) (columns, lines int, ok bool) {
	f, ok := w.(*os.File)
	if !ok {
		return 0, 0, false
	}
	columns, lines, err := term.GetSize(int(f.Fd()))
	return columns, lines, err == nil
}

func (a *app) groupsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "groups",
		Short: "List the groups that the linked account is in",
		Long: `Groups lists the groups that the linked account is in, with the identifier that
the configuration needs. It is for the sysadmin's eyes: an old group's identifier
holds a telephone number.`,
		Example: "  sudo muniment groups",
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
		return fmt.Errorf("%w: run `sudo muniment link` first", err)
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
