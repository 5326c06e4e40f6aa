package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"muniment/internal/archive"
	"muniment/internal/config"
	"muniment/internal/daemon"
	"muniment/internal/journal"
	"muniment/internal/record"
	"muniment/internal/saying"
	"muniment/internal/sqlite"
	"muniment/internal/vault"
)

func (a *app) mediaCommand() *cobra.Command {
	var by actor
	return by.flags(&cobra.Command{
		Use:   "media RECORD > FILE",
		Short: "Take a photo, document or other file out of the archive",
		Long: `Media writes the file that a record brought, as its sender sent it, to standard
output. The archive keeps it encrypted: what is written here is not, and nobody
destroys it when the record falls due. Delete it when it has served.

"muniment records" and "muniment search" show which records have a file.`,
		Example: `  sudo muniment media 14 --for "Jo Marsh" --reason "request FOI-2026-003" > culvert.jpg`,
		Args:    oneNumber("the number of the record, as `muniment records` shows it"),
		RunE: func(c *cobra.Command, args []string) error {
			if atTerminal(c.OutOrStdout()) {
				return usageError{errors.New("a terminal cannot show a file: send it to one, as in `muniment media 14 > culvert.jpg`")}
			}
			n, _ := strconv.ParseInt(args[0], 10, 64) // checked by Args
			return a.withArchive(c.Context(), func(_ config.Config, home daemon.Home, db *sqlite.DB) error {
				return takeOut(c, home, db, record.Seq(n), by)
			})
		},
	}, true)
}

// takeOut writes the file of a record out. The journal knows before anything is
// written; that it was what was sent is known at the end.
func takeOut(c *cobra.Command, home daemon.Home, db *sqlite.DB, seq record.Seq, by actor) error {
	r, err := openMedia(c.Context(), home, db, seq)
	if err != nil {
		return err
	}
	defer r.Close()
	if err := db.Write(c.Context(), func(tx *sqlite.Tx) error {
		return journal.Write(tx, journal.Entry{At: now(), Who: by.who, Act: journal.FileViewed, Reason: by.reason,
			About: journal.About{"record": seq}})
	}); err != nil {
		return err
	}
	out := c.OutOrStdout()
	if atTerminal(c.ErrOrStderr()) && r.Size() > 20<<20 {
		out = io.MultiWriter(out, progressbar.DefaultBytes(r.Size(), "writing"))
	}
	if _, err := r.WriteTo(out); err != nil {
		return fmt.Errorf("what was written is not the file of record %d as it was sent, do not use it: %w", seq, err)
	}
	return nil
}

// openMedia opens the file of a record, or says why there is none.
func openMedia(ctx context.Context, home daemon.Home, db *sqlite.DB, seq record.Seq) (r *vault.Reader, err error) {
	err = db.Read(ctx, func(tx *sqlite.Tx) error {
		of, err := vault.Of(tx, []record.Seq{seq})
		if err != nil {
			return err
		}
		switch m, has := of[seq]; {
		case !has:
			return noFile(tx, seq)
		case m.State == vault.Lost:
			return fmt.Errorf("the file of record %d is lost: %s", seq, m.Reason)
		case m.State == vault.Wanted && m.Asked > 0:
			return fmt.Errorf("the file of record %d is not here yet: WhatsApp no longer has it, and the council's phone was asked for it on %s; keep that switched on and connected",
				seq, moment(m.AskedAt))
		case m.State == vault.Wanted:
			return fmt.Errorf("the file of record %d is not fetched yet: the daemon does so while it is connected to WhatsApp", seq)
		}
		r, err = home.Vault(db).Open(tx, seq)
		return err
	})
	return r, err
}

// noFile says why a record has no file.
func noFile(tx *sqlite.Tx, seq record.Seq) error {
	rs, err := archive.Some(tx, []record.Seq{seq})
	switch {
	case err != nil:
		return err
	case len(rs) == 0:
		return fmt.Errorf("there is no record %d", seq)
	case rs[0].Destroyed != "":
		return fmt.Errorf("record %d was destroyed on %s", seq, rs[0].Destroyed.Long())
	case rs[0].Import != 0 && saying.IsFile(rs[0].Type):
		return fmt.Errorf("the file of record %d was not in the phone's export", seq)
	}
	return fmt.Errorf("record %d has no file", seq)
}
