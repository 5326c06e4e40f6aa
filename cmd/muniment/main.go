// Muniment keeps the record of a council's official WhatsApp group: it archives
// every message, forwards the conversations that members mark to council email,
// and destroys what has expired.
//
// Exit codes:
//
//	0  done
//	1  it failed; the message says why and what to do
//	2  wrong use: an unknown command or flag, or a faulty or incomplete configuration
//	3  verify found damage, or a proof does not hold
//	4  this machine is not linked to a WhatsApp account
//	5  import --check found a difference between the phone and the archive
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"os/user"
	"runtime/debug"
	"syscall"
	"time"
	_ "time/tzdata" // London's calendar, wherever this runs

	"github.com/spf13/cobra"

	"muniment/internal/config"
	"muniment/internal/daemon"
	"muniment/internal/sqlite"
	"muniment/internal/whatsapp"
)

// The exit codes besides 0.
const (
	exitFailed    = 1
	exitUsage     = 2
	exitDamaged   = 3
	exitNotLinked = 4
	exitDiffers   = 5
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run runs the program with args and returns its exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	fmt.Fprintf(stderr, "muniment: %v\n", err)
	return exitCode(err)
}

// exitCode is the one place where errors become exit codes.
func exitCode(err error) int {
	var usage usageError
	switch {
	case errors.Is(err, whatsapp.ErrNotLinked):
		return exitNotLinked
	case errors.Is(err, errDamaged), errors.Is(err, errNotProved):
		return exitDamaged
	case errors.Is(err, errDiffers):
		return exitDiffers
	case errors.As(err, &usage), errors.Is(err, daemon.ErrIncomplete):
		return exitUsage
	}
	return exitFailed
}

// usageError is an error in what the user asked for.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// app is what commands share.
type app struct {
	configPath string
	// secret is how to come by what we log in to the mail server by, if root's rights
	// had to be given up; else nil.
	secret func() (string, error)
}

func newRoot() *cobra.Command {
	a := &app{}
	root := &cobra.Command{
		Use:   "muniment",
		Short: "Keep the record of a council's official WhatsApp group",
		Long: `muniment links to the council's WhatsApp account as a companion device, archives
every message of the official group, forwards the conversations that members mark
with an emoji to council email, and destroys what has expired.

It only reads: it never posts, reacts, or shows that a message was read.

Exit codes: 0 done; 1 failed; 2 wrong use or a faulty or incomplete configuration;
3 verify found damage; 4 not linked to a WhatsApp account; 5 import --check found a
difference.`,
		Example: `  muniment demo            see all of it work, with nothing real
  muniment init            make the archive
  muniment link            link to the council's WhatsApp account
  muniment groups          find the official group
  muniment check           is everything ready?
  muniment run             keep the record`,
		Args:          noArgs,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.PersistentFlags().StringVar(&a.configPath, "config", "/etc/muniment/muniment.toml", "the configuration `file`")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w; see `%s --help`", err, c.CommandPath())}
	})
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(
		a.initCommand(), a.linkCommand(), a.groupsCommand(), a.memberCommand(), a.checkCommand(), a.runCommand(),
		a.statusCommand(), a.gapsCommand(), a.recordsCommand(), a.searchCommand(), a.mediaCommand(), a.rosterCommand(), a.digestCommand(), a.flagCommand(), a.outboxCommand(), a.importCommand(),
		a.forwardCommand(), a.retentionCommand(), a.holdCommand(), a.disposalCommand(), a.verifyCommand(), a.proveCommand(), a.keyCommand(), a.backupCommand(), a.restoreCommand(), a.reindexCommand(),
		demoCommand(), versionCommand(),
	)
	return root
}

// noArgs refuses arguments, with the exit code for wrong use.
func noArgs(c *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return nil
	case c.HasSubCommands():
		return usageError{fmt.Errorf("unknown command %q; see `%s --help`", args[0], c.CommandPath())}
	}
	return usageError{fmt.Errorf("%s takes no arguments; see `%s --help`", c.CommandPath(), c.CommandPath())}
}

// group makes a command that only holds others.
func group(c *cobra.Command, commands ...*cobra.Command) *cobra.Command {
	c.Args = noArgs
	c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	c.AddCommand(commands...)
	return c
}

// load reads the configuration. A command that root runs becomes, from then on,
// the user that the archive belongs to: a file made by root would lock the
// service out.
func (a *app) load() (config.Config, error) {
	c, err := config.Load(a.configPath)
	if err != nil {
		return config.Config{}, usageError{err}
	}
	uid, gid, ok := daemon.Home(c.StateDirectory).Owner()
	if !ok || uid == 0 || os.Geteuid() != 0 {
		return c, nil
	}
	secret, unread := c.Mail.Secret() // which only root may read
	a.secret = func() (string, error) { return secret, unread }
	err = errors.Join(syscall.Setgroups([]int{gid}), syscall.Setgid(gid), syscall.Setuid(uid))
	if err != nil {
		return config.Config{}, fmt.Errorf("become the user that %s belongs to: %w", c.StateDirectory, err)
	}
	return c, nil
}

// withArchive reads the configuration, opens the archive and calls f.
func (a *app) withArchive(ctx context.Context, f func(c config.Config, home daemon.Home, db *sqlite.DB) error) error {
	c, err := a.load()
	if err != nil {
		return err
	}
	home := daemon.Home(c.StateDirectory)
	db, err := home.OpenArchive(ctx)
	if err != nil {
		return err
	}
	return errors.Join(f(c, home, db), db.Close())
}

// systemUser is who began this program, before it became somebody else.
var systemUser = osUser()

// actor is who acts and why, as every acting command is told.
type actor struct{ who, reason string }

// flags adds --for and --reason to c. Where they are not required, the operating
// system's user acts.
func (who *actor) flags(c *cobra.Command, required bool) *cobra.Command {
	c.Flags().StringVar(&who.who, "for", "", "the `name` of the person on whose word this is done")
	c.Flags().StringVar(&who.reason, "reason", "", "why, as it will stand in the journal")
	before := c.RunE
	c.RunE = func(c *cobra.Command, args []string) error {
		if required && (who.who == "" || who.reason == "") {
			return usageError{errors.New("say on whose word and why: --for NAME --reason TEXT; both are kept in the journal")}
		}
		if who.who == "" {
			who.who = systemUser
		} else if err := plainName("--for", who.who); err != nil {
			return usageError{err}
		}
		return before(c, args)
	}
	return c
}

func osUser() string {
	if name := os.Getenv("SUDO_USER"); name != "" && os.Geteuid() == 0 {
		return name + " (system user)"
	}
	if u, err := user.Current(); err == nil {
		return u.Username + " (system user)"
	}
	return "unknown system user"
}

// now is the commands' clock.
func now() time.Time { return time.Now() }

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "development version"
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Example: "  muniment version",
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			fmt.Fprintf(c.OutOrStdout(), "muniment %s\n", version())
			return nil
		},
	}
}
