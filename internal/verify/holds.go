package verify

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"muniment/internal/archive"
	"muniment/internal/journal"
	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// toldHold is a hold as the journal tells of it.
type toldHold struct {
	placed   journal.Entry // with what has been said of the hold since
	records  []string      // spans of the records that it was placed on, and of those taken in since
	reminded string
	released string // its account; empty: it is in force
}

// compareHolds compares the holds with what the journal says of them: destruction
// goes by the holds, and only the journal's entries are leaves.
func (r *Report) compareHolds(tx *sqlite.Tx) error {
	told, err := toldHolds(tx)
	if err != nil {
		return err
	}
	holds, err := archive.Holds(tx)
	if err != nil {
		return err
	}
	for _, h := range holds {
		if err := r.compareHold(tx, h, told[h.ID]); err != nil {
			return err
		}
		delete(told, h.ID)
	}
	if n, err := archive.LetThrough(tx); err != nil {
		return err
	} else if n > 0 {
		r.fault("%d records may be destroyed past the holds: that was inserted", n)
	}
	for _, id := range slices.Sorted(maps.Keys(told)) {
		r.fault("hold %d was placed, as the journal says, but is gone: it was removed", id)
	}
	return nil
}

// toldHolds returns the holds as the journal tells of them.
func toldHolds(tx *sqlite.Tx) (map[int64]*toldHold, error) {
	told := make(map[int64]*toldHold)
	of := func(act journal.Act, f func(t *toldHold, e journal.Entry)) error {
		return journal.Of(tx, act, func(e journal.Entry, _ int64) error {
			if t := told[e.About.Number("hold")]; t != nil {
				f(t, e)
			}
			return nil
		})
	}
	err := errors.Join(
		journal.Of(tx, journal.HoldPlaced, func(e journal.Entry, _ int64) error {
			t := &toldHold{placed: e}
			if e.About["kind"] == nil { // as before there were kinds
				e.About["kind"] = archive.Other
			}
			if spans, ok := e.About["records"].(string); ok {
				t.records = append(t.records, spans)
			}
			told[e.About.Number("hold")] = t
			return nil
		}),
		of(journal.HoldDescribed, func(t *toldHold, e journal.Entry) {
			t.placed.About["kind"], t.placed.About["case"] = e.About["kind"], e.About["case"]
			if e.About["case"] == "" {
				delete(t.placed.About, "case")
			}
		}),
		of(journal.HoldReviewed, func(t *toldHold, e journal.Entry) { t.placed.About["review"] = e.About["review"] }),
		of(journal.HoldGrew, func(t *toldHold, e journal.Entry) {
			spans, _ := e.About["records"].(string)
			t.records = append(t.records, spans)
		}),
		of(journal.HoldReminded, func(t *toldHold, e journal.Entry) { t.reminded, _ = e.About["on"].(string) }),
		of(journal.HoldReleased, func(t *toldHold, e journal.Entry) { t.released = account(e.Who, e.Reason, e.At, nil) }),
	)
	for _, t := range told {
		if t.records != nil {
			seqs, _ := record.ParseSpans(strings.Join(t.records, ", ")) // what cannot be read was altered, and its leaf tells
			t.placed.About["records"] = record.Spans(seqs)
		}
	}
	return told, err
}

// compareHold compares one hold with what the journal tells of it; nil: nothing.
func (r *Report) compareHold(tx *sqlite.Tx, h archive.Hold, told *toldHold) error {
	if told == nil {
		r.fault("hold %d is not in the journal: it was inserted", h.ID)
		return nil
	}
	placed := told.placed
	switch inForce := h.Released.IsZero(); {
	case account(placed.Who, placed.Reason, placed.At, placed.About) != account(h.PlacedBy, h.Reason, h.Placed, h.About()):
		r.fault("hold %d is not what the journal says: it was altered", h.ID)
	case told.reminded != string(h.Reminded):
		r.fault("when somebody was reminded of the review of hold %d is not what the journal says: it was altered", h.ID)
	case inForce && told.released != "":
		r.fault("hold %d was released, as the journal says, but is in force: it was altered", h.ID)
	case !inForce && told.released == "":
		r.fault("hold %d was ended, but the journal knows of no release: it was altered", h.ID)
	case !inForce && told.released != account(h.ReleasedBy, h.ReleaseReason, h.Released, nil):
		r.fault("the release of hold %d is not what the journal says: it was altered", h.ID)
	}
	missing, ahead, err := archive.NotTakenIn(tx, h.ID)
	switch {
	case err != nil:
		r.fault("what hold %d takes in cannot be told: %v", h.ID, err)
	case ahead || len(missing) > 0:
		r.fault("hold %d has not taken in all that its search finds: up to which record it has was altered", h.ID)
	}
	return r.compareMember(tx, h)
}

// compareMember compares whose messages a hold keeps with the member register.
func (r *Report) compareMember(tx *sqlite.Tx, h archive.Hold) error {
	if h.Cover.Scope != archive.ByMember {
		return nil
	}
	m, err := people.MemberByID(tx, h.Cover.Member)
	if errors.Is(err, people.ErrNotOnRegister) {
		return nil // removed since; the hold goes on
	} else if err != nil {
		return err
	}
	if r.names.Is(m.Person) != r.names.Is(h.Person) {
		r.fault("hold %d is on the messages of another than %s: it was altered", h.ID, m.Name)
	}
	return nil
}
