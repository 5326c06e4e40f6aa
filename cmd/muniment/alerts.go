package main

import (
	"fmt"
	"io"

	"muniment/internal/alert"
	"muniment/internal/config"
	"muniment/internal/daemon"
	"muniment/internal/sqlite"
)

// printAlerts says which alerts are open: what somebody was told of, and is still so; nothing
// where none is.
func printAlerts(out io.Writer, tx *sqlite.Tx, cfg config.Config) error {
	open, err := alert.Open(tx)
	if err != nil {
		return err
	}
	letters := daemon.Letters(cfg, false)
	heading := "Alerts"
	for _, a := range open {
		fmt.Fprintf(out, "%-10s %s, since %s\n", heading, printable(letters.AlertTitle(a)), moment(a.Since))
		heading = ""
	}
	return nil
}
