package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"muniment/internal/daemon"
)

func (a *app) initCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "init",
		Short: "Make the state directory, the archive and its keys",
		Long: `Init makes the state directory that the configuration names, an empty archive in
it, and the key that signs the archive's ledger. It never touches an archive that
is there already.`,
		Example: `  sudo muniment init
  muniment init --config ./muniment.toml`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := a.load()
			if err != nil {
				return err
			}
			home := daemon.Home(cfg.StateDirectory)
			if home.IsDemonstration() {
				return daemon.ErrDemonstration
			}
			if err := home.Make(c.Context(), now(), systemUser); err != nil {
				return err
			}
			key, err := home.OpenKey()
			if err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), `The archive is in %s.

Its ledger is signed with a key that only this machine has. Keep this line, which
checks its signatures, somewhere else, such as with the council's papers:

    %s

Next: sudo muniment link
`, cfg.StateDirectory, key.Public())
			return nil
		},
	}
}
