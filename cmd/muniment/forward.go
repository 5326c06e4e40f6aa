package main

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"muniment/internal/config"
	"muniment/internal/daemon"
	"muniment/internal/record"
	"muniment/internal/sqlite"
)

func (a *app) forwardCommand() *cobra.Command {
	var by actor
	c := &cobra.Command{
		Use:   "forward NUMBER",
		Short: "Send a conversation to council email by hand",
		Long: `Forward sends the conversation around a message to the council mailbox, as a mark on it
would, and at once: on the clerk's word, where nobody has marked it. NUMBER is that of
the message's record (muniment search, muniment records). The email says for whom it was
forwarded.

What has been sent to that mailbox before is not sent again. If some of the conversation has
been, the rest goes as a reply to that email. Nothing of what it says is printed.`,
		Example: `  sudo muniment forward 1207 --for "Jo Marsh" --reason "for the planning file"`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageError{fmt.Errorf("give the number of one record; see `%s --help`", c.CommandPath())}
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			n, err := strconv.ParseInt(args[0], 10, 64)
			if err != nil || n < 1 {
				return usageError{fmt.Errorf("%q is not a record number", args[0])}
			}
			seq := record.Seq(n)
			return a.withArchive(c.Context(), func(cfg config.Config, _ daemon.Home, db *sqlite.DB) error {
				said := ""
				if err := db.Write(c.Context(), func(tx *sqlite.Tx) error {
					h, err := daemon.ForwardByHand(tx, cfg, now(), seq, by.who, by.reason)
					switch {
					case err != nil:
						return err
					case h.Messages == 0:
						said = fmt.Sprintf("Nothing new: all of it has been forwarded, the last of it as conversation %d.\n", h.Conversation)
						return nil
					}
					said = fmt.Sprintf("Owed as conversation %d: %s. The daemon sends it within a minute, if it runs.\n", h.Conversation, count(h.Messages, "message"))
					if h.Cut {
						said += "That is not the whole conversation: it is longer than one email may hold.\n"
					}
					return nil
				}); err != nil {
					if errors.Is(err, daemon.ErrNotAMessage) {
						err = usageError{err}
					}
					return err
				}
				_, err := fmt.Fprint(c.OutOrStdout(), said)
				return err
			})
		},
	}
	return by.flags(c, true)
}
