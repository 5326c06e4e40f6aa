package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"muniment/internal/archive"
	"muniment/internal/config"
	"muniment/internal/sqlite"
)

// adopt ARCHIVE CONFIGURATION adopts the retention schedule, as the daemon does when it
// starts.
func adopt() {
	err := func() error {
		cfg, err := config.Load(os.Args[2])
		if err != nil {
			return err
		}
		db, err := sqlite.Open(context.Background(), os.Args[1])
		if err != nil {
			return err
		}
		return errors.Join(db.Write(context.Background(), func(tx *sqlite.Tx) error {
			a, err := archive.Load(tx, cfg.Retention.Schedule)
			if err != nil {
				return err
			}
			return a.Adopt(tx, time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC))
		}), db.Close())
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
