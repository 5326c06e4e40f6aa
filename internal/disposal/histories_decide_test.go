package disposal_test

import (
	"errors"
	"slices"

	"pgregory.net/rapid"

	"muniment/internal/archive"
	"muniment/internal/disposal"
	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// What people decide about lists, in the histories of [TestRandomHistories].

var (
	clerk = disposal.Approver{Who: "Jo Marsh", Role: "clerk", Reason: "seen"}
	chair = disposal.Approver{Who: "Kim Lane", Role: "chair", Reason: "agreed"}
)

// open draws one of the open lists that is as it should be.
func (h *history) open(t *rapid.T, is func(disposal.List) bool) int64 {
	var all []int64
	for _, l := range h.lists(is) {
		all = append(all, l.ID)
	}
	if len(all) == 0 {
		t.Skip("no such list")
	}
	return rapid.SampledFrom(all).Draw(t, "list")
}

// lists returns the open lists that are as they should be.
func (h *history) lists(is func(disposal.List) bool) (all []disposal.List) {
	h.write(func(tx *sqlite.Tx) (err error) { all, err = disposal.Lists(tx); return err })
	return slices.DeleteFunc(all, func(l disposal.List) bool { return !l.Closed.IsZero() || !is(l) })
}

func waits(l disposal.List) bool    { return l.Because == "" && l.Approved.IsZero() }
func proposed(l disposal.List) bool { return l.Because != "" && l.Approved.IsZero() }

// on returns the facts that stand on a list.
func (h *history) on(list int64) (all []*fact) {
	h.write(func(tx *sqlite.Tx) error {
		seqs, err := disposal.Items(tx, list)
		for _, f := range h.facts {
			if slices.Contains(seqs, f.seq) {
				all = append(all, f)
			}
		}
		return err
	})
	return all
}

func (h *history) approves(t *rapid.T) { h.approve(h.open(t, waits)) }

// approvesAll is a clerk who leaves nothing undone.
func (h *history) approvesAll() {
	for _, l := range h.lists(waits) {
		h.approve(l.ID)
	}
}

func (h *history) approve(list int64) {
	h.write(func(tx *sqlite.Tx) error { _, err := disposal.Approve(tx, h.now, list, clerk); return err })
	for _, f := range h.on(list) {
		f.approved = true
	}
}

// proposes is that something was sent by mistake.
func (h *history) proposes(t *rapid.T) {
	if h.restored {
		t.Skip("holds are not entered again yet")
	}
	f := h.here(t, "mistake")
	listed := false
	for _, l := range h.lists(func(disposal.List) bool { return true }) {
		listed = listed || slices.Contains(h.on(l.ID), f)
	}
	held := h.onHold()[f]
	err := h.tries(func(tx *sqlite.Tx) error {
		_, err := h.d.Propose(tx, disposal.SentByMistake, []record.Seq{f.seq}, clerk)
		return err
	})
	if errors.Is(err, disposal.ErrOnHold) != held || (err != nil) != (held || listed) {
		t.Errorf("early disposal of record %d, on hold: %t, on a list: %t: %v", f.seq, held, listed, err)
	}
}

// tries returns the error of what may be refused.
func (h *history) tries(f func(tx *sqlite.Tx) error) (refused error) {
	if err := h.db.Write(h.Context(), func(tx *sqlite.Tx) error { refused = f(tx); return refused }); err != nil && refused == nil {
		h.Fatal(err)
	}
	return refused
}

func (h *history) confirms(t *rapid.T) {
	if h.restored {
		t.Skip("holds are not entered again yet")
	}
	list := h.open(t, proposed)
	held, kept := false, h.onHold()
	for _, f := range h.on(list) {
		held = held || kept[f.root]
	}
	err := h.tries(func(tx *sqlite.Tx) error { return h.d.Confirm(tx, list, chair) })
	if errors.Is(err, disposal.ErrOnHold) != held || (err != nil) != held {
		t.Errorf("confirm early disposal %d, on hold: %t: %v", list, held, err)
	}
	if err == nil {
		for _, f := range h.on(list) {
			f.root.early = true
		}
	}
}

func (h *history) withdraws(t *rapid.T) {
	list := h.open(t, func(l disposal.List) bool { return l.Because != "" && l.Run == 0 })
	on := h.on(list)
	h.write(func(tx *sqlite.Tx) error { return h.d.Withdraw(tx, list, clerk.Who, "it was none") })
	for _, f := range on {
		f.root.early = false
	}
}

// heldAgain enters the holds again as the model has them: after a restore those that were
// placed since the backup are lost, and those that were released are back.
func (h *history) heldAgain(inBackup map[int64]hold) {
	now := make(map[int64]hold)
	for id := range inBackup {
		if _, is := h.held[id]; is {
			now[id] = h.held[id]
			continue
		}
		h.write(func(tx *sqlite.Tx) error {
			return archive.ReleaseHold(tx, h.now, id, "Jo Marsh", "answered, before the restore")
		})
	}
	for id, hold := range h.held {
		if _, is := inBackup[id]; is {
			continue
		}
		h.write(func(tx *sqlite.Tx) error {
			again, err := archive.PlaceHold(tx, h.now, "Jo Marsh", "request 12", "", hold.cover)
			now[again] = hold
			return err
		})
	}
	h.held = now
}
