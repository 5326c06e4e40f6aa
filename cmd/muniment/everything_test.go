package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"muniment/internal/archive"
	"muniment/internal/config"
	"muniment/internal/daemon"
	"muniment/internal/sqlite"
	"muniment/internal/standin"
	"muniment/internal/vault"
	"muniment/internal/whatsapp"
)

// everything CONFIG links the archive to a council's account on the stand-in and has
// members send one message of each kind there is, and change the group in each way.
func everything() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := sendEverything(ctx, os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func sendEverything(ctx context.Context, path string) error {
	c, err := config.Load(path)
	if err != nil {
		return err
	}
	server, err := standin.Start(standin.Options{})
	if err != nil {
		return err
	}
	defer server.Close()
	server.Trust()
	office := server.Phone()
	ann, bo := server.Member("Ann", "+447700900101"), server.Member("Bo", "+447700900102")
	cy, dee := server.Member("Cy", "+447700900103"), server.Member("Dee", "+447700900104")
	group := server.Group("Cranford PC", ann, office, bo)

	o := daemon.Options{Config: c, Version: "test", HTTP: server.HTTPClient(), Log: slog.New(slog.DiscardHandler)}
	link, err := daemon.OpenLink(ctx, o)
	if err != nil {
		return err
	}
	if err := errors.Join(link.Pair(ctx, whatsapp.Pairing{Show: func(code string) { office.ScanQR(code) }}), link.Close()); err != nil {
		return err
	}
	d, err := daemon.Open(ctx, o)
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- d.Run(running) }()
	err = func() error {
		if err := waitUntil(ctx, c, func(tx *sqlite.Tx) (bool, error) { // the group is listed, as the first record
			listed, err := archive.LastList(tx, group.JID().String())
			return !listed.IsZero(), err
		}); err != nil {
			return err
		}
		begin := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
		standin.Everything{From: begin, Ann: ann.Voice, Bo: bo.Voice}.Send()
		standin.EveryChange(begin.Add(24*time.Hour), group, ann, bo, cy, dee)
		if err := server.WaitSettled(ctx); err != nil {
			return err
		}
		return waitUntil(ctx, c, func(tx *sqlite.Tx) (bool, error) { // all files are fetched
			files, err := vault.Counts(tx)
			return files.Wanted == 0, err
		})
	}()
	stop()
	return errors.Join(err, <-done, d.Close())
}

// waitUntil waits until something is true of the archive.
func waitUntil(ctx context.Context, c config.Config, is func(*sqlite.Tx) (bool, error)) error {
	db, err := daemon.Home(c.StateDirectory).OpenArchive(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	for done := false; !done && err == nil; {
		err = db.Read(ctx, func(tx *sqlite.Tx) (err error) { done, err = is(tx); return err })
		time.Sleep(10 * time.Millisecond) // it tells nobody
	}
	return err
}
