package disposal

import (
	"context"
	"fmt"
	"slices"

	"muniment/internal/archive"
	"muniment/internal/flag"
	"muniment/internal/forward"
	"muniment/internal/journal"
	"muniment/internal/record"
	"muniment/internal/sqlite"
	"muniment/internal/vault"
)

// Replayed is what was destroyed again in a restored archive.
type Replayed struct {
	Runs      int          // of which there were accounts
	Last      int64        // the highest number of a run among these
	Destroyed int          // records, now
	Barred    int          // records that the backup never had, and that cannot come again
	Otherwise []record.Seq // kept: captured anew since they had been destroyed
	Entries   int          // of the journal
}

// Replay destroys in a restored archive what runs had destroyed after the backup was made, as
// their accounts say, of which the caller has checked the signatures; and proves, as a run
// does, that nothing of it is left in any file. Nobody but the caller may have the archive
// open. Who has it restored, and why, stands in the journal.
func (d *Disposal) Replay(ctx context.Context, accounts []archive.RunAccount, who, reason string) (r Replayed, err error) {
	f := new(fragments)
	for _, a := range accounts {
		var sum Replayed
		for records := range slices.Chunk(a.Records, atOnce*10) { // nobody waits for a turn
			if err := d.DB.Write(ctx, func(tx *sqlite.Tx) error { return d.replay(tx, a.Run, records, &sum, f, who) }); err != nil {
				return r, fmt.Errorf("repeat run %d: %w", a.Run, err)
			}
			if f.full() {
				if _, err := d.prove(ctx, running{}, f); err != nil {
					return r, err
				}
				*f = fragments{}
			}
		}
		if err := d.DB.Write(ctx, func(tx *sqlite.Tx) error {
			if err := d.repeatEntries(tx, a, &sum, f, who); err != nil {
				return err
			}
			return journal.Write(tx, journal.Entry{At: d.Now(), Who: who, Act: journal.Replayed, Reason: reason, About: journal.About{
				"run": a.Run, "records": sum.Destroyed, "entries": sum.Entries, "not in the backup": sum.Barred, "captured anew": len(sum.Otherwise)}})
		}); err != nil {
			return r, fmt.Errorf("repeat run %d: %w", a.Run, err)
		}
		r.Runs++
		r.Last = max(r.Last, a.Run)
		r.Destroyed, r.Barred, r.Entries = r.Destroyed+sum.Destroyed, r.Barred+sum.Barred, r.Entries+sum.Entries
		r.Otherwise = append(r.Otherwise, sum.Otherwise...)
	}
	if f.records+f.entries == 0 {
		return r, nil
	}
	_, err = d.prove(ctx, running{}, f)
	return r, err
}

// replay repeats a part of a run in one transaction with its entry in the journal.
func (d *Disposal) replay(tx *sqlite.Tx, run int64, records []archive.Gone, sum *Replayed, f *fragments, who string) error {
	again, err := d.Archive.Replay(tx, d.Now(), run, records)
	if err != nil {
		return err
	}
	sum.Otherwise = append(sum.Otherwise, again.Otherwise...)
	sum.Destroyed, sum.Barred = sum.Destroyed+len(again.Destroyed), sum.Barred+len(again.Barred)
	for _, g := range slices.Concat(again.Destroyed, again.Quoted) {
		f.add(g)
	}
	went := seqsOf(again.Destroyed)
	if len(went)+len(again.Barred) == 0 {
		return nil
	}
	media, _, err := d.forget(tx, went)
	if err != nil {
		return err
	}
	for _, m := range media {
		f.addFile(m)
	}
	files, _, err := goneForGood(tx, media)
	if err != nil {
		return err
	}
	var begun bool // before the backup was made
	if err := tx.QueryRow("SELECT EXISTS (SELECT 1 FROM disposal_run WHERE id = ?)", run).Scan(&begun); err != nil {
		return fmt.Errorf("run %d: %w", run, err)
	}
	if begun {
		if err := d.noteGroups(tx, run, again.Destroyed); err != nil {
			return err
		}
	}
	return journal.Write(tx, journal.Entry{At: d.Now(), Who: who, Act: journal.RunStep, Reason: "again, after a restore",
		About: journal.About{"run": run, "records": slices.Sorted(slices.Values(append(went, again.Barred...))), "files": files}})
}

// repeatEntries destroys the journal's entries again that the account of a run names.
func (d *Disposal) repeatEntries(tx *sqlite.Tx, a archive.RunAccount, sum *Replayed, f *fragments, who string) error {
	gone, err := journal.Repeat(tx, a.Run, a.Entries)
	if err != nil || len(gone) == 0 {
		return err
	}
	var went []int64
	for _, g := range gone {
		f.addEntry(g)
		went = append(went, g.ID)
	}
	sum.Entries = len(went)
	if err := forgetEntries(tx, went); err != nil {
		return err
	}
	return journal.Write(tx, journal.Entry{At: d.Now(), Who: who, Act: journal.RunStep, Reason: "again, after a restore",
		About: journal.About{"run": a.Run, "entries": went}})
}

// forget has everything forget the destroyed records that knows of them besides the archive,
// and returns what was known of their files, and how much else went.
func (d *Disposal) forget(tx *sqlite.Tx, went []record.Seq) (files []vault.Media, n Copies, err error) {
	if files, err = vault.Forget(tx, went); err != nil {
		return nil, n, err
	}
	for _, seq := range went {
		if _, err := tx.Exec("DELETE FROM disposal_item WHERE seq = ?", seq); err != nil {
			return nil, n, fmt.Errorf("take record %d off its list: %w", seq, err)
		}
	}
	mailed, err := forward.Forget(tx, went)
	if err != nil {
		return nil, n, err
	}
	n.Marks, n.Letters = mailed.Marks, mailed.Letters
	n.Flags, err = flag.Forget(tx, went)
	return files, n, err
}

// nextRun returns the number of the next run. Those of runs that are known by their accounts
// only are not given again: an account bears its run's number.
func nextRun(tx *sqlite.Tx) (next int64, err error) {
	if err := tx.QueryRow("SELECT coalesce(max(id), 0) + 1 FROM disposal_run").Scan(&next); err != nil {
		return 0, fmt.Errorf("number of the next run: %w", err)
	}
	err = journal.Of(tx, journal.Replayed, func(e journal.Entry, _ int64) error {
		next = max(next, e.About.Number("run")+1)
		return nil
	})
	return next, err
}

// LastRun returns the number of the last run that the archive knows of; 0 if there was none.
func LastRun(tx *sqlite.Tx) (int64, error) {
	next, err := nextRun(tx)
	return next - 1, err
}
