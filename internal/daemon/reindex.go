package daemon

import (
	"context"
	"errors"
	"slices"
	"time"

	"muniment/internal/archive"
	"muniment/internal/journal"
	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// Reindexed is what came of reading all records again.
type Reindexed struct {
	Records   int64 // that are kept
	Nothing   int64 // of these, without anything to be read again: lists of participants, what was imported
	News      map[record.Kind]int64
	Unread    map[string]int64 // cannot be read yet, by what they are
	Otherwise map[record.Kind]int64
}

// What takes how long is what lets a daemon capture beside it: a step is a transaction.
const (
	readStep  = 500
	writeStep = 50
	indexStep = 500
	stepPause = 5 * time.Millisecond // in which a capture that waits gets its turn
)

// Reindex reads all records again from what was delivered, and sets what can be read now
// and could not before; all else stays as it was read. Then it builds the search index
// anew. With check it changes nothing. The daemon may run meanwhile. Progress, if not
// nil, is called now and then with what is done, of how much.
//
// It can be done again at any time, also when it was interrupted: what it has read is
// read, and the daemon goes on building the index.
func Reindex(ctx context.Context, o Options, db *sqlite.DB, who, reason string, check bool, progress func(done, all int64)) (Reindexed, error) {
	d := &Daemon{o: o, now: o.clock(), db: db, home: Home(o.Config.StateDirectory)}
	if err := d.load(ctx); err != nil {
		return Reindexed{}, err
	}
	x := &reindexing{Daemon: d, Reindexed: Reindexed{News: map[record.Kind]int64{}, Unread: map[string]int64{}, Otherwise: map[record.Kind]int64{}}}
	if x.progress = progress; progress == nil {
		x.progress = func(done, all int64) {}
	}
	if err := db.Read(ctx, func(tx *sqlite.Tx) (err error) { x.Records, err = archive.Kept(tx); return err }); err != nil {
		return Reindexed{}, err
	}
	if x.all = x.Records; !check {
		x.all *= 2 // once to read, and once into the index
	}
	if err := x.readAll(ctx); err != nil || check {
		return x.Reindexed, err
	}
	if err := x.setAll(ctx, who, reason); err != nil {
		return Reindexed{}, err
	}
	return x.Reindexed, x.rebuildIndex(ctx)
}

// reindexing is Reindex under way.
type reindexing struct {
	*Daemon
	Reindexed
	others, votes []record.Seq // that can be read now
	done, all     int64
	progress      func(done, all int64)
}

// readAll reads all records, and counts.
func (x *reindexing) readAll(ctx context.Context) error {
	for last := record.Seq(0); ; {
		var delivered []archive.Delivered
		if err := x.db.Read(ctx, func(tx *sqlite.Tx) (err error) {
			if delivered, err = archive.DeliveredAfter(tx, last, readStep); err != nil {
				return err
			}
			for _, was := range delivered {
				if err := x.read(reader{tx: tx, archive: x.archive}, was); err != nil {
					return err
				}
			}
			return nil
		}); err != nil || len(delivered) == 0 {
			return err
		}
		last = delivered[len(delivered)-1].Seq
		x.advance(len(delivered))
	}
}

func (x *reindexing) read(rd reader, was archive.Delivered) error {
	again, differs, err := rd.compare(was)
	switch {
	case err != nil:
		return err
	case !was.Unread() && again.Kind == "":
		x.Nothing++
	case was.News(again):
		x.News[again.Kind]++
		if again.Kind == record.Vote {
			x.votes = append(x.votes, was.Seq)
		} else {
			x.others = append(x.others, was.Seq)
		}
	case was.Unread():
		x.Unread[whatIsUnread(was.Received)]++
	case differs:
		x.Otherwise[was.Received.Kind]++
	}
	return nil
}

// whatIsUnread says what it is of a record that cannot be read: WhatsApp's name for it, or
// the kind that it is known to be.
func whatIsUnread(r record.Received) string {
	switch {
	case r.Kind == record.Unsupported:
		return string(r.Type)
	case r.Type == record.Sealed:
		return "encrypted " + string(r.Kind)
	}
	return "vote for an option that is not here"
}

// setAll sets what can be read now. What changes a poll comes before the votes in it. The
// latest come first, so that of two reactions the one that counts is known when the
// other is asked whether it is a mark.
func (x *reindexing) setAll(ctx context.Context, who, reason string) error {
	slices.Reverse(x.others)
	slices.Reverse(x.votes)
	clear(x.News) // what is set now counts: the daemon may have been faster
	for _, seqs := range [][]record.Seq{x.others, x.votes} {
		for step := range slices.Chunk(seqs, writeStep) {
			var news []record.Received
			if err := x.step(ctx, func(tx *sqlite.Tx) (err error) {
				news, err = x.readAgain(tx, who, reason, step)
				return err
			}); err != nil {
				return err
			}
			for _, r := range news {
				x.News[r.Kind]++
			}
		}
	}
	return x.step(ctx, func(tx *sqlite.Tx) error {
		if err := archive.ClearIndex(tx); err != nil {
			return err
		}
		return journal.Write(tx, journal.Entry{At: x.now(), Who: who, Act: journal.Reindexed, Reason: reason, About: journal.About{
			"records": x.Records, "read now": sum(x.News), "unread": sum(x.Unread), "otherwise": sum(x.Otherwise), "version": x.o.Version}})
	})
}

func (x *reindexing) rebuildIndex(ctx context.Context) error {
	for done := false; !done; {
		if err := x.step(ctx, func(tx *sqlite.Tx) (err error) {
			done, err = archive.Index(tx, indexStep)
			return err
		}); err != nil {
			return err
		}
		x.advance(indexStep)
	}
	x.progress(x.all, x.all)
	return nil
}

func (x *reindexing) step(ctx context.Context, f func(tx *sqlite.Tx) error) error {
	err := x.db.Write(ctx, f)
	select {
	case <-ctx.Done():
		return errors.Join(err, ctx.Err())
	case <-time.After(stepPause):
		return err
	}
}

func (x *reindexing) advance(n int) {
	x.done = min(x.done+int64(n), x.all)
	x.progress(x.done, x.all)
}

func sum[K comparable](counts map[K]int64) (all int64) {
	for _, n := range counts {
		all += n
	}
	return all
}
