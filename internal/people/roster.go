package people

import (
	"fmt"
	"time"

	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// Changed brings who is in the group up to date with r, a change of
// participants.
func Changed(tx *sqlite.Tx, now time.Time, r record.Received) error {
	persons, err := identifyAll(tx, now, r.Participants)
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
			if !persons[p] {
				if err := Leave(tx, r.Group, p); err != nil {
					return err
				}
			}
		}
	}
	change := Join
	if r.Type == record.Left || r.Type == record.Removed {
		change = Leave
	}
	for p := range persons {
		if err := change(tx, r.Group, p); err != nil {
			return err
		}
	}
	return nil
}

// Known reports whether r, a list of all present, says nothing new.
func Known(tx *sqlite.Tx, now time.Time, r record.Received) (bool, error) {
	before, err := Participants(tx, r.Group)
	if err != nil {
		return false, err
	}
	present, err := identifyAll(tx, now, r.Participants)
	if err != nil {
		return false, err
	}
	for p := range present {
		if !before[p] {
			return false, nil
		}
	}
	return len(present) == len(before), nil
}

func identifyAll(tx *sqlite.Tx, now time.Time, addresses []record.Address) (map[ID]bool, error) {
	persons := make(map[ID]bool, len(addresses))
	for _, a := range addresses {
		is, err := Identify(tx, now, a, "")
		if err != nil {
			return nil, fmt.Errorf("who is in the group: %w", err)
		}
		persons[is.ID] = true
	}
	return persons, nil
}
