package archive

import (
	"errors"
	"fmt"
	"time"

	"muniment/internal/journal"
	"muniment/internal/ledger"
	"muniment/internal/sqlite"
)

// Restoration is that the archive was restored from a backup, and so lost what came after
// that. Its journal entry is the first leaf after those of the backup.
type Restoration struct {
	Entry   int64     // its number in the journal
	Leaf    int64     // its place in the ledger; the leaves that had stood there and after it are lost
	At      time.Time // when it was restored
	Who     string
	Reason  string
	Backup  string    // the file's name
	MadeAt  time.Time // when the backup was made: what came later is lost
	Leaves  int64     // that the backup has
	Head    string    // of these
	Journal int64     // the number of its last journal entry
}

// NoteRestored notes in a restored archive, before anything else is written there, that it
// was restored, and what is lost by that: what came since the backup was made. Linked is
// whether the machine is linked to WhatsApp all the same.
func NoteRestored(tx *sqlite.Tx, key *ledger.Key, r Restoration, linked bool) error {
	size, err := ledger.Size(tx)
	if err != nil {
		return err
	}
	root, err := ledger.Root(tx, size)
	if err != nil {
		return err
	}
	if size != r.Leaves {
		return fmt.Errorf("restore: the backup has %d leaves, but its manifest says %d", size, r.Leaves)
	}
	if err := journal.Write(tx, journal.Entry{At: r.At, Who: r.Who, Act: journal.Restored, Reason: r.Reason, About: journal.About{
		"backup": r.Backup, "made": sqlite.FormatTime(r.MadeAt), "leaves": size, "head": root.String(), "entries": r.Journal,
	}}); err != nil {
		return err
	}
	var times int
	if err := tx.QueryRow("UPDATE archive SET restored = restored + 1 RETURNING restored").Scan(&times); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	if _, err := key.SignRestored(tx, r.At, times); err != nil {
		return err
	}
	// What WhatsApp kept while there was no connection went to the machine that is lost.
	since, err := neverDeliveredSince(tx, r.MadeAt)
	if err != nil {
		return err
	}
	if err := closeGapsAt(tx, r.At, since, "", "kind = ?1", NotConnected); err != nil {
		return err
	}
	if err := OpenGap(tx, r.At, since, LostWithMachine, "the archive was restored from a backup"); err != nil {
		return err
	}
	if err := CloseGroupGap(tx, r.At, LostWithMachine, ""); err != nil || linked {
		return err
	}
	return OpenGap(tx, r.At, r.At, NotLinked, "the archive was restored on a machine that is not linked yet")
}

// Restorations returns every restore of the archive, the oldest first. What cannot be read is
// left out: it was altered, and its leaf tells.
func Restorations(tx *sqlite.Tx) (all []Restoration, err error) {
	err = journal.Of(tx, journal.Restored, func(e journal.Entry, leaf int64) error {
		r := Restoration{Entry: e.ID, Leaf: leaf, At: e.At, Who: e.Who, Reason: e.Reason, Leaves: e.About.Number("leaves"), Journal: e.About.Number("entries")}
		r.Backup, _ = e.About["backup"].(string)
		r.Head, _ = e.About["head"].(string)
		made, _ := e.About["made"].(string)
		var unread error
		if r.MadeAt, unread = sqlite.ParseTime(made); unread == nil && made != "" {
			all = append(all, r)
		}
		return nil
	})
	return all, err
}

// Unconfirmed returns the last restore of which nobody has said yet that what was decided in
// the lost time was entered again; false if there is none. Holds may be among that, so
// nothing is destroyed meanwhile.
func Unconfirmed(tx *sqlite.Tx) (Restoration, bool, error) {
	restored, _, err := journal.LastOf(tx, journal.Restored)
	if err != nil || restored == 0 {
		return Restoration{}, false, err
	}
	all, err := Restorations(tx)
	if err != nil {
		return Restoration{}, false, err
	}
	if len(all) == 0 { // in doubt, nothing is destroyed
		return Restoration{}, false, errors.New("the journal's entry of the restore cannot be read: it was altered")
	}
	confirmed, _, err := journal.LastOf(tx, journal.RestoreConfirmed)
	return all[len(all)-1], confirmed < restored, err
}

// ErrNotRestored is returned where no restore waits to be confirmed.
var ErrNotRestored = errors.New("no restore waits for it")

// ConfirmRestore notes that a named person says that what was decided in the lost time, holds
// above all, was entered again.
func ConfirmRestore(tx *sqlite.Tx, now time.Time, who, reason string) error {
	r, is, err := Unconfirmed(tx)
	if err != nil {
		return err
	}
	if !is {
		return fmt.Errorf("there is nothing to confirm: %w", ErrNotRestored)
	}
	return journal.Write(tx, journal.Entry{At: now, Who: who, Act: journal.RestoreConfirmed, Reason: reason,
		About: journal.About{"restored": r.Entry}})
}

// Before returns how many of the records that are among the first leaves of the ledger are
// kept, and how many are stubs.
func Before(tx *sqlite.Tx, leaves int64) (kept, stubs int64, err error) {
	if err := tx.QueryRow("SELECT (SELECT count(*) FROM record WHERE leaf < ?1), (SELECT count(*) FROM stub WHERE leaf < ?1)", leaves).Scan(&kept, &stubs); err != nil {
		return 0, 0, fmt.Errorf("count records: %w", err)
	}
	return kept, stubs, nil
}
