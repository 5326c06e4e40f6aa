package verify

import (
	"fmt"
	"time"

	"muniment/internal/archive"
	"muniment/internal/ledger"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
)

// A Loss is that the archive was restored from a backup, and so lost what came after that.
type Loss struct {
	archive.Restoration
	Lost int64 // leaves, or more, as a checkpoint from elsewhere proves; 0: none was given that does
}

// String tells of the loss in a sentence.
func (l Loss) String() string {
	lost := "what was recorded after"
	if l.Lost > 0 {
		lost = fmt.Sprintf("%d leaves or more, recorded after", l.Lost)
	}
	were := "was"
	if l.Lost > 0 {
		were = "were"
	}
	return fmt.Sprintf("%s the backup of %s %s lost when the archive was restored on %s", lost, onDay(l.MadeAt), were, onDay(l.At))
}

func onDay(t time.Time) string { return t.In(retention.London).Format("2 January 2006 at 15:04") }

// compareRestored finds the losses, and compares the entries that tell of them with their
// places: such an entry is the first leaf after those of the backup, whose head it names.
func (r *Report) compareRestored(tx *sqlite.Tx) error {
	all, err := archive.Restorations(tx)
	if err != nil {
		return err
	}
	for _, one := range all {
		root, err := ledger.Root(tx, one.Leaf)
		if err != nil {
			return damage(err.Error())
		}
		if one.Leaf != one.Leaves || one.Head != root.String() {
			r.fault("journal entry %d says that the archive was restored, but does not stand behind the backup that it names: it was inserted", one.Entry)
		}
		r.Losses = append(r.Losses, Loss{Restoration: one})
	}
	return nil
}

// lossOf returns the restore in which that was lost which a checkpoint from elsewhere covers
// and which is not here; nil if none explains it. A checkpoint says how many restores there
// had been before it: only a later one can have lost anything of it, and only what is beyond
// the backup. All else must agree.
func (r *Report) lossOf(c ledger.Checkpoint) *Loss {
	for i := c.Restored; i < len(r.Losses); i++ {
		if r.Losses[i].Leaves < c.Size {
			return &r.Losses[i]
		}
	}
	return nil
}

// restoredBefore returns how often the archive had been restored when it had so many leaves.
func (r *Report) restoredBefore(size int64) (times int) {
	for _, l := range r.Losses {
		if l.Leaf < size {
			times++
		}
	}
	return times
}

// A head is what somebody signed of the tree.
type head struct {
	ledger.Hash
	size int64
	loss *Loss // that explains it if it is not what is here; else nil
}

// notHere tells of a head that the tree does not have.
func (r *Report) notHere(h head, otherwise string, args ...any) {
	if h.loss == nil {
		r.fault(otherwise, args...)
		return
	}
	h.loss.Lost = max(h.loss.Lost, h.size-h.loss.Leaves)
}

// orLost names the restores that may explain why a reference does not agree. It does not say
// before which restore it was made, so it may be of what is here, and the fault is told.
func (r *Report) orLost(size int64) (s string) {
	for _, l := range r.Losses {
		if l.Leaves < size {
			s += fmt.Sprintf("; or the email that bears it was sent between %s and %s, and what it is of was lost in the restore", onDay(l.MadeAt), onDay(l.At))
		}
	}
	return s
}
