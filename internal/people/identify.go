package people

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"muniment/internal/journal"
	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// The errors of [IdentifyMember].
var (
	ErrNeverMet   = errors.New("nobody is known by that")
	ErrAnotherLID = errors.New("WhatsApp knows this person by another LID, and a LID is one person for good; nothing was changed")
)

// IdentifyMember ties a to the person of the entry id, on somebody's word: a LID whose
// number WhatsApp hides, another number, or an author in an imported chat. Whoever was
// met under it is that person from then on, and was before. It cannot be undone: what
// either has sent, and is held, is given to the one person.
//
// Whoever relies on who sent what calls archive.Reconcile afterwards.
func IdentifyMember(tx *sqlite.Tx, now time.Time, who, reason string, id int64, a record.Address) error {
	m, err := MemberByID(tx, id)
	if err != nil {
		return err
	}
	other, err := behind(tx, a.JID)
	switch {
	case err != nil:
		return fmt.Errorf("identify member: %w", err)
	case other == m.Person:
		return ErrUnchanged
	case other == 0 && !isNumber(a.JID):
		return ErrNeverMet
	}
	if there, err := MemberAt(tx, a); err == nil {
		return fmt.Errorf("this is somebody else, %w: %s (%s); nothing was changed", ErrOnRegister, there.Name, there.Role)
	} else if !errors.Is(err, ErrNotOnRegister) {
		return err
	}
	about := m.about()
	if other == 0 {
		_, err = tx.Exec("INSERT INTO address (jid, person) VALUES (?, ?)", a.JID, m.Person)
	} else {
		about["person"], about["other person"] = min(m.Person, other), max(m.Person, other)
		err = unite(tx, now, m.Person, other)
	}
	if err != nil {
		return fmt.Errorf("identify member: %w", err)
	}
	about["by"] = "number"
	if isLID(a.JID) {
		about["by"] = "LID"
	} else if _, ok := ExportedName(a); ok {
		about["by"] = "name in an imported chat"
	}
	return journal.Write(tx, journal.Entry{At: now, Who: who, Act: journal.MemberIdentified, Reason: reason, About: about})
}

// unite makes two persons one, unless they have different LIDs.
func unite(tx *sqlite.Tx, now time.Time, p, q ID) error {
	two, err := twoAccounts(tx, p, q)
	if err != nil {
		return err
	}
	if two {
		return ErrAnotherLID
	}
	_, err = merge(tx, now, p, q)
	return err
}

// twoAccounts reports whether p and q have different LIDs, and so are two people.
func twoAccounts(tx *sqlite.Tx, p, q ID) (two bool, err error) {
	err = tx.QueryRow("SELECT count(*) > 1 FROM address WHERE person IN (?, ?) AND jid LIKE '%@lid'", p, q).Scan(&two)
	return two, err
}

// Renumbered notes, as WhatsApp tells, that whoever had the address old has the address
// new: they are one person, unless they have different LIDs. Where both are on the
// register as two, the number was somebody else's before, and goes to who has it now.
//
// The old number stays with the person, too. If it is ever given to somebody else, the
// LID tells; see release.
func Renumbered(tx *sqlite.Tx, now time.Time, old, new record.Address) error {
	was, err := Identify(tx, now, old, "")
	if err != nil {
		return err
	}
	is, err := Identify(tx, now, new, "")
	if err != nil || was.ID == is.ID {
		return err
	}
	two, err := twoAccounts(tx, was.ID, is.ID)
	if err != nil || two {
		return err
	}
	taken, err := bothOnRegister(tx, was.ID, is.ID)
	if err != nil {
		return err
	}
	if taken && isNumber(new.JID) && !slices.ContainsFunc(is.JIDs, isLID) {
		if _, err := tx.Exec("UPDATE address SET person = ? WHERE jid = ?", was.ID, new.JID); err != nil {
			return fmt.Errorf("renumbered: %w", err)
		}
		return journal.Write(tx, journal.Entry{At: now, Who: journal.Daemon, Act: journal.NumberMoved,
			About: journal.About{"from person": is.ID, "to person": was.ID}})
	}
	p, err := merge(tx, now, was.ID, is.ID)
	if err != nil {
		return fmt.Errorf("renumbered: %w", err)
	}
	return journal.Write(tx, journal.Entry{At: now, Who: journal.Daemon, Act: journal.NumberChanged,
		About: journal.About{"person": p, "other person": max(was.ID, is.ID)}})
}

// bothOnRegister reports whether p and q are on the register under different names.
func bothOnRegister(tx *sqlite.Tx, p, q ID) (both bool, err error) {
	err = tx.QueryRow("SELECT EXISTS (SELECT 1 FROM member a JOIN member b ON a.name <> b.name WHERE a.person = ? AND b.person = ?)", p, q).Scan(&both)
	return both, err
}
