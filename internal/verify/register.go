package verify

import (
	"time"

	"muniment/internal/people"
	"muniment/internal/sqlite"
)

// compareRegister compares the member register with what the journal says of it: who is
// named in everything that is shown, and whose marks count, goes by the register, and
// only the journal's entries are leaves. Email addresses are not in the journal.
func (r *Report) compareRegister(tx *sqlite.Tx) error {
	told, err := people.RegisterAt(tx, time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC))
	if err != nil {
		return err
	}
	entered := make(map[int64]people.Member)
	for _, m := range told {
		entered[m.ID] = m
	}
	members, err := people.Members(tx)
	if err != nil {
		return err
	}
	for _, m := range members {
		was, known := entered[m.ID]
		delete(entered, m.ID)
		m.Email, m.Person = was.Email, r.names.Is(m.Person)
		switch was.Person = r.names.Is(was.Person); {
		case !known:
			r.fault("entry %d of the member register is not in the journal: it was inserted", m.ID)
		case m.Person != was.Person:
			r.fault("entry %d of the member register is another person's than the journal says: it was altered", m.ID)
		case m != was:
			r.fault("entry %d of the member register is not what the journal says: it was altered", m.ID)
		}
	}
	for _, m := range told {
		if _, missing := entered[m.ID]; missing {
			r.fault("entry %d of the member register was made, as the journal says, but is gone: it was removed", m.ID)
		}
	}
	return nil
}
