package main

import (
	"os"
	"runtime/debug"

	"github.com/spf13/cobra"

	"muniment/internal/daemon"
	"muniment/internal/systemd"
)

func (a *app) runCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "run",
		Short: "Keep the record: the daemon itself",
		Long: `Run captures the official group, forwards marked conversations, and does the
nightly work, until it is told to stop (SIGTERM). A message is acknowledged to
WhatsApp only when it is safely on disk, so it may be killed at any moment.

It refuses to start, and says what to do, while there is no archive, no link, no
group, no mail domain of the council, or no record of the privacy notice having
been given.

The service of systemd/muniment.service runs it. Its log goes to standard error and
holds no message, name or number.`,
		Example: `  systemctl start muniment
  sudo muniment run`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := a.load()
			if err != nil {
				return err
			}
			if os.Getenv("GOMEMLIMIT") == "" { // the unit allows 512 MB; a large photo takes half of that
				debug.SetMemoryLimit(300 << 20)
			}
			return daemon.Serve(c.Context(), daemon.Options{
				Config: cfg, Secret: a.secret, Log: systemd.NewLogger(c.ErrOrStderr()), Version: version(),
			})
		},
	}
}
