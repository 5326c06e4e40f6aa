package people

import (
	"fmt"
	"time"

	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// Changed brings who is in the group, and who its admins are, up to date with r, a
// change of participants.
func Changed(tx *sqlite.Tx, now time.Time, r record.Received) error {
	if r.Type == record.Renumbered {
		for _, one := range r.Participants {
			if err := changedNumber(tx, now, r.Group, one.Address, r.Sender); err != nil {
				return err
			}
		}
		return nil
	}
	named, err := identifyAll(tx, now, r.Participants)
	if err != nil {
		return err
	}
	before, err := Participants(tx, r.Group)
	if err != nil {
		return err
	}
	if r.Type != record.Present && len(before) == 0 {
		return nil // a list of all is still to come; one person is none
	}
	if r.Type == record.Present {
		for p := range before {
			if _, still := named[p]; !still {
				if err := Leave(tx, r.Group, p); err != nil {
					return err
				}
			}
		}
	}
	for p, admin := range named {
		if err := change(tx, r, p, admin); err != nil {
			return err
		}
	}
	return nil
}

// changedNumber notes that somebody has another number: old is now new, or new was old.
// WhatsApp does not say for certain which of them was before: whoever was in the group.
// Where they cannot be one, the one takes the other's place there.
func changedNumber(tx *sqlite.Tx, now time.Time, group string, old, new record.Address) error {
	in, err := Participants(tx, group)
	if err != nil {
		return err
	}
	p, err := Identify(tx, now, old, "")
	if err != nil {
		return err
	}
	q, err := Identify(tx, now, new, "")
	if err != nil {
		return err
	}
	certain := in[p.ID] != in[q.ID]
	if in[q.ID] && certain {
		old, new, p, q = new, old, q, p
	}
	if two, err := bothOnRegister(tx, p.ID, q.ID); err != nil || two && !certain {
		return err // whose number it was, nobody knows
	}
	if err := Renumbered(tx, now, old, new); err != nil || !certain {
		return err
	}
	if q, err = Identify(tx, now, new, ""); err != nil {
		return err
	}
	if _, err := tx.Exec("UPDATE OR REPLACE participant SET person = ? WHERE group_jid = ? AND person = ?", q.ID, group, p.ID); err != nil {
		return fmt.Errorf("who is in the group: %w", err)
	}
	return nil
}

func change(tx *sqlite.Tx, r record.Received, p ID, admin bool) error {
	switch r.Type {
	case record.Left, record.Removed:
		return Leave(tx, r.Group, p)
	case record.Promoted, record.Demoted:
		return Promote(tx, r.Group, p, r.Type == record.Promoted)
	}
	if err := Join(tx, r.Group, p); err != nil || r.Type != record.Present {
		return err
	}
	return Promote(tx, r.Group, p, admin)
}

// Known reports whether r, a list of all present, says nothing new.
func Known(tx *sqlite.Tx, now time.Time, r record.Received) (bool, error) {
	before, err := Participants(tx, r.Group)
	if err != nil {
		return false, err
	}
	admins, err := Admins(tx, r.Group)
	if err != nil {
		return false, err
	}
	present, err := identifyAll(tx, now, r.Participants)
	if err != nil {
		return false, err
	}
	for p, admin := range present {
		if !before[p] || admins[p] != admin {
			return false, nil
		}
	}
	return len(present) == len(before), nil
}

// identifyAll returns the persons among ps, and whether each is an admin.
func identifyAll(tx *sqlite.Tx, now time.Time, ps []record.Participant) (map[ID]bool, error) {
	admin := make(map[ID]bool, len(ps))
	for _, p := range ps {
		is, err := Identify(tx, now, p.Address, "")
		if err != nil {
			return nil, fmt.Errorf("who is in the group: %w", err)
		}
		admin[is.ID] = admin[is.ID] || p.Admin
	}
	return admin, nil
}
