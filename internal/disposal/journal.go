package disposal

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"muniment/internal/archive"
	"muniment/internal/journal"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
)

// Entries of the journal's access log stand on the lists with the records, and are
// destroyed by the same runs under the same approval.

// logDue returns which entries of the access log may be destroyed on a date: by the
// schedule in force, and by no hold on their days, now or by one of these holds.
func logDue(tx *sqlite.Tx, on retention.Date, holds []int64) (journal.Log, error) {
	schedule, err := archive.InForce(tx)
	if err != nil {
		return journal.Log{}, err
	}
	held, err := archive.HeldTimes(tx, holds)
	return journal.Log{Before: retention.DueBefore(on, schedule.Years(retention.AccessLog, "")), OnHold: held}, err
}

// entriesDue returns the entries of the access log that may be destroyed from the given
// date on, and stand on no list.
func entriesDue(tx *sqlite.Tx, on retention.Date) ([]int64, error) {
	due, err := logDue(tx, on, nil)
	if err != nil {
		return nil, err
	}
	ids, err := journal.Due(tx, due)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	listed, err := scanNumbers[int64](tx.Query("SELECT id FROM disposal_entry ORDER BY id"))
	if err != nil {
		return nil, err
	}
	return without(ids, listed), nil
}

// without returns all but those that are in others. Both are in order.
func without(all, others []int64) (rest []int64) {
	for _, n := range all {
		if _, is := slices.BinarySearch(others, n); !is {
			rest = append(rest, n)
		}
	}
	return rest
}

// putEntries puts entries on a list.
func putEntries(tx *sqlite.Tx, list int64, ids []int64) error {
	if len(ids) == 0 {
		return nil
	}
	numbers, err := json.Marshal(ids)
	if err != nil {
		return err
	}
	if _, err := tx.Exec("INSERT INTO disposal_entry (id, list) SELECT value, ? FROM json_each(?)", list, string(numbers)); err != nil {
		return fmt.Errorf("draw up disposal list %d: %w", list, err)
	}
	return nil
}

// Entries returns the entries of the access log on a list that are not destroyed yet.
func Entries(tx *sqlite.Tx, list int64) ([]int64, error) {
	return scanNumbers[int64](tx.Query("SELECT id FROM disposal_entry WHERE list = ? ORDER BY id", list))
}

// forgetEntries takes entries off their list.
func forgetEntries(tx *sqlite.Tx, ids []int64) error {
	for _, id := range ids {
		if _, err := tx.Exec("DELETE FROM disposal_entry WHERE id = ?", id); err != nil {
			return fmt.Errorf("take journal entry %d off its disposal list: %w", id, err)
		}
	}
	return nil
}

// freeEntries returns the entries on a list that may be destroyed on a date; were says
// that a hold which was released since the list was drawn up still counts.
func freeEntries(tx *sqlite.Tx, list int64, on retention.Date, were bool) (free []int64, err error) {
	ids, err := Entries(tx, list)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	var released []int64
	if were {
		if released, err = releasedSince(tx, list); err != nil {
			return nil, err
		}
	}
	due, err := logDue(tx, on, released)
	if err != nil {
		return nil, err
	}
	return journal.StillDue(tx, due, ids)
}

// takeOffEntries takes off a list the entries of days that were on hold since it was drawn
// up, by a hold released since. They go on the next, with a notice of its own.
func (d *Disposal) takeOffEntries(tx *sqlite.Tx, list int64) error {
	released, err := releasedSince(tx, list)
	if err != nil || len(released) == 0 {
		return err
	}
	held, err := archive.HeldTimes(tx, released)
	if err != nil || len(held) == 0 {
		return err
	}
	on, err := Entries(tx, list)
	if err != nil || len(on) == 0 {
		return err
	}
	free, err := journal.StillDue(tx, journal.Log{Before: retention.Never.Start(), OnHold: held}, on)
	if err != nil || len(free) == len(on) {
		return err
	}
	was := without(on, free)
	if err := forgetEntries(tx, was); err != nil {
		return err
	}
	return journal.Write(tx, journal.Entry{At: d.Now(), Who: journal.Daemon, Act: journal.ListReduced,
		Reason: "on hold since it was drawn up", About: journal.About{"list": list, "entries": len(was)}})
}

// entriesAtOnce is how many entries are destroyed in one transaction.
const entriesAtOnce = 200

// destroyEntries destroys the entries on the list l, in steps.
func (d *Disposal) destroyEntries(ctx context.Context, l List, r running, f *fragments) error {
	var ids []int64
	if err := d.DB.Read(ctx, func(tx *sqlite.Tx) (err error) {
		ids, err = Entries(tx, l.ID)
		return err
	}); err != nil {
		return err
	}
	for some := range slices.Chunk(ids, entriesAtOnce) {
		var gone []journal.Destroyed
		if err := d.DB.Write(ctx, func(tx *sqlite.Tx) (err error) {
			gone, err = d.destroySome(tx, l, r, some)
			return err
		}); err != nil {
			return err
		}
		for _, g := range gone {
			f.addEntry(g)
		}
		if err := d.searchIfFull(ctx, r, f); err != nil {
			return err
		}
	}
	return nil
}

// destroySome destroys those of the given entries that still stand on the list and may be
// destroyed, in one transaction with its account.
func (d *Disposal) destroySome(tx *sqlite.Tx, l List, r running, ids []int64) ([]journal.Destroyed, error) {
	if err := d.takeOffEntries(tx, l.ID); err != nil {
		return nil, err
	}
	ids, err := d.entriesStillOn(tx, l, ids)
	if err != nil {
		return nil, err
	}
	due, err := logDue(tx, r.on, nil)
	if err != nil {
		return nil, err
	}
	schedule, err := archive.InForce(tx)
	if err != nil {
		return nil, err
	}
	rule := schedule.RuleFor(retention.AccessLog, "", schedule.Years(retention.AccessLog, ""))
	gone, err := journal.Destroy(tx, journal.Destruction{Run: r.id, On: r.on, Authority: r.authority, Rule: rule}, due, ids)
	if err != nil || len(gone) == 0 {
		return nil, err
	}
	var went []int64
	for _, g := range gone {
		went = append(went, g.ID)
	}
	if err := forgetEntries(tx, went); err != nil {
		return nil, err
	}
	if _, err := tx.Exec("UPDATE disposal_run SET entries_unsearched = entries_unsearched + ? WHERE id = ?", len(went), r.id); err != nil {
		return nil, fmt.Errorf("run %d: %w", r.id, err)
	}
	return gone, journal.Write(tx, journal.Entry{At: d.Now(), Who: journal.Daemon, Act: journal.RunStep,
		About: journal.About{"run": r.id, "entries": went}})
}

// entriesStillOn returns those of the given entries that stand on the list, and did when
// it was approved, where each list is.
func (d *Disposal) entriesStillOn(tx *sqlite.Tx, l List, ids []int64) ([]int64, error) {
	wanted, err := json.Marshal(ids)
	if err != nil {
		return nil, err
	}
	return scanNumbers[int64](tx.Query("SELECT id FROM disposal_entry WHERE list = ? AND (approved OR NOT ?) AND id IN (SELECT value FROM json_each(?)) ORDER BY id",
		l.ID, d.approvedOne(l), string(wanted)))
}

// addEntry adds what an entry said.
func (f *fragments) addEntry(g journal.Destroyed) {
	f.entries++
	f.put(g.Salt)
	for _, text := range g.Texts {
		f.putWindows(text)
	}
}

// entriesAllDue reports whether every entry of the access log on the list is due on its
// day, on hold or not.
func entriesAllDue(tx *sqlite.Tx, l List) (bool, error) {
	on, err := Entries(tx, l.ID)
	if err != nil || len(on) == 0 {
		return true, err
	}
	schedule, err := archive.InForce(tx)
	if err != nil {
		return false, err
	}
	due, err := journal.StillDue(tx, journal.Log{Before: retention.DueBefore(l.DestroyOn, schedule.Years(retention.AccessLog, ""))}, on)
	return len(due) == len(on), err
}
