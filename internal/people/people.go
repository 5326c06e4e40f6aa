// Package people knows who is behind an address, who is on the council's member
// register, and who is in a group now.
//
// WhatsApp may name the same person by a LID today and by a phone number (PN)
// tomorrow. A person here is whoever is known to be the same; when two turn out
// to be one, the younger is kept as an alias, because records captured under it
// must still be found. Two LIDs are never one person.
package people

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"muniment/internal/journal"
	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// ID is a person's number in the archive.
type ID int64

// Identity is all that a person is known by.
type Identity struct {
	ID      ID
	JIDs    []string // the one just given first, then its alternative, then the others
	Aliases []ID     // taken for other persons once
}

// Identify returns the person behind a, making one known where there is none,
// and notes what it calls itself (empty: nothing said).
func Identify(tx *sqlite.Tx, now time.Time, a record.Address, pushName string) (Identity, error) {
	if a.JID == "" {
		return Identity{}, errors.New("identify: no address")
	}
	is, called, err := lookUp(tx, a)
	if err == nil && (is.ID == 0 || a.Alt != "" && !slices.Contains(is.JIDs, a.Alt)) {
		if err = learn(tx, now, a); err == nil {
			is, called, err = lookUp(tx, a)
		}
	}
	if err != nil {
		return Identity{}, fmt.Errorf("identify: %w", err)
	}
	if pushName != "" && pushName != called {
		if err := callsHimself(tx, now, is.ID, pushName); err != nil {
			return Identity{}, fmt.Errorf("identify: %w", err)
		}
	}
	return is, nil
}

// LookUp returns who is behind a, as far as is known: it makes nobody known. Of somebody
// unknown it returns the addresses only.
func LookUp(tx *sqlite.Tx, a record.Address) (Identity, error) {
	is, _, err := lookUp(tx, a)
	if err == nil && is.ID == 0 && a.Alt != "" {
		is, _, err = lookUp(tx, record.Address{JID: a.Alt, Alt: a.JID})
	}
	if err != nil {
		return Identity{}, fmt.Errorf("look up: %w", err)
	}
	for _, jid := range []string{a.JID, a.Alt} {
		if jid != "" && !slices.Contains(is.JIDs, jid) {
			is.JIDs = append(is.JIDs, jid)
		}
	}
	return is, nil
}

// lookUp returns what is known of the person behind a.JID, and its latest push name;
// the zero Identity if nobody is.
func lookUp(tx *sqlite.Tx, a record.Address) (is Identity, pushName string, err error) {
	var jids, aliases string
	err = tx.QueryRow(`
		SELECT p.id, coalesce((SELECT name FROM push_name WHERE person = p.id AND until = ''), ''), (SELECT json_group_array(jid) FROM address WHERE person = p.id),
			(SELECT json_group_array(id) FROM person WHERE same_as = p.id)
		FROM address a JOIN person p ON p.id = a.person WHERE a.jid = ?`, a.JID).Scan(&is.ID, &pushName, &jids, &aliases)
	if errors.Is(err, sql.ErrNoRows) {
		return Identity{}, "", nil
	} else if err != nil {
		return Identity{}, "", err
	}
	if err := errors.Join(json.Unmarshal([]byte(jids), &is.JIDs), json.Unmarshal([]byte(aliases), &is.Aliases)); err != nil {
		return Identity{}, "", err
	}
	slices.SortStableFunc(is.JIDs, func(a1, a2 string) int {
		rank := func(jid string) int { return slices.Index([]string{"", a.Alt, a.JID}, jid) }
		return rank(a2) - rank(a1)
	})
	return is, pushName, nil
}

// learn makes a person known under a, which says something new: of nobody known
// yet, of another address, that two persons are one, or that a number has been
// given to somebody else.
func learn(tx *sqlite.Tx, now time.Time, a record.Address) error {
	if isLID(a.JID) == isLID(a.Alt) {
		a.Alt = "" // two LIDs are two people, whatever we are told; of two numbers see [Renumbered]
	}
	before, err := release(tx, a)
	if err != nil {
		return err
	}
	p, err := behind(tx, a.JID)
	if err != nil {
		return err
	}
	if a.Alt != "" {
		q, err := behind(tx, a.Alt)
		if err != nil {
			return err
		}
		switch {
		case p == 0:
			p = q
		case q != 0 && p != q:
			if p, err = merge(tx, now, p, q); err != nil {
				return err
			}
		}
	}
	if p == 0 {
		if p, err = newPerson(tx); err != nil {
			return err
		}
	}
	for _, jid := range []string{a.JID, a.Alt} {
		if jid == "" {
			continue
		}
		if _, err := tx.Exec("INSERT INTO address (jid, person) VALUES (?, ?) ON CONFLICT DO NOTHING", jid, p); err != nil {
			return err
		}
	}
	if before == 0 {
		return nil
	}
	return journal.Write(tx, journal.Entry{At: now, Who: journal.Daemon, Act: journal.NumberMoved,
		About: journal.About{"from person": before, "to person": p}})
}

// release takes the number in a from its person and returns him, if he is known
// by another LID than the one in a; 0 otherwise. A LID is of one account for good,
// but a number that was given up is given to somebody else. Who had it before
// keeps all else, his entry in the member register too.
func release(tx *sqlite.Tx, a record.Address) (before ID, err error) {
	lid, number := a.JID, a.Alt
	if isLID(number) {
		lid, number = number, lid
	}
	if !isNumber(number) || !isLID(lid) {
		return 0, nil
	}
	err = tx.QueryRow(`
		DELETE FROM address WHERE jid = ?1
			AND EXISTS (SELECT 1 FROM address o WHERE o.person = address.person AND o.jid LIKE '%@lid')
			AND NOT EXISTS (SELECT 1 FROM address o WHERE o.person = address.person AND o.jid = ?2)
		RETURNING person`, number, lid).Scan(&before)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return before, err
}

func newPerson(tx *sqlite.Tx) (p ID, err error) {
	err = tx.QueryRow("INSERT INTO person DEFAULT VALUES RETURNING id").Scan(&p)
	return p, err
}

// behind returns the person behind one JID, 0 if nobody is known.
func behind(tx *sqlite.Tx, jid string) (p ID, err error) {
	err = tx.QueryRow("SELECT person FROM address WHERE jid = ?", jid).Scan(&p)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return p, err
}

// merge makes two persons one, the elder, and returns it.
func merge(tx *sqlite.Tx, now time.Time, a, b ID) (ID, error) {
	elder, younger := min(a, b), max(a, b)
	// Where both are on the member register, both entries stay as they were
	// entered; see [Member.compare] for which counts.
	for _, q := range []string{
		"UPDATE person SET same_as = ?1 WHERE id = ?2 OR same_as = ?2",
		"UPDATE address SET person = ?1 WHERE person = ?2",
		`UPDATE participant SET admin = 1 WHERE person = ?1 AND group_jid IN
			(SELECT group_jid FROM participant WHERE person = ?2 AND admin)`,
		"UPDATE OR IGNORE participant SET person = ?1 WHERE person = ?2",
		"DELETE FROM participant WHERE person = ?2",
		"UPDATE member SET person = ?1 WHERE person = ?2",
	} {
		if _, err := tx.Exec(q, elder, younger); err != nil {
			return 0, fmt.Errorf("two persons are one: %w", err)
		}
	}
	if err := mergePushNames(tx, now, elder, younger); err != nil {
		return 0, fmt.Errorf("two persons are one: %w", err)
	}
	return elder, nil
}

// Join notes that p is in group; Leave that it is not. Both may be repeated.
func Join(tx *sqlite.Tx, group string, p ID) error {
	if _, err := tx.Exec("INSERT INTO participant (group_jid, person) VALUES (?, ?) ON CONFLICT DO NOTHING", group, p); err != nil {
		return fmt.Errorf("note who is in the group: %w", err)
	}
	return nil
}

// Promote notes whether p, who is in group, is one of its admins.
func Promote(tx *sqlite.Tx, group string, p ID, admin bool) error {
	if _, err := tx.Exec("UPDATE participant SET admin = ?3 WHERE group_jid = ?1 AND person = ?2 AND admin <> ?3", group, p, admin); err != nil {
		return fmt.Errorf("note who is an admin: %w", err)
	}
	return nil
}

// Leave notes that p is not in group.
func Leave(tx *sqlite.Tx, group string, p ID) error {
	if _, err := tx.Exec("DELETE FROM participant WHERE group_jid = ? AND person = ?", group, p); err != nil {
		return fmt.Errorf("note who is in the group: %w", err)
	}
	return nil
}

// Participants returns who is in group now.
func Participants(tx *sqlite.Tx, group string) (map[ID]bool, error) {
	return persons(tx, "SELECT person FROM participant WHERE group_jid = ?", group)
}

// Admins returns which of those in group now are its admins.
func Admins(tx *sqlite.Tx, group string) (map[ID]bool, error) {
	return persons(tx, "SELECT person FROM participant WHERE group_jid = ? AND admin", group)
}

func persons(tx *sqlite.Tx, query, group string) (map[ID]bool, error) {
	rows, err := tx.Query(query, group)
	if err != nil {
		return nil, fmt.Errorf("who is in the group: %w", err)
	}
	defer rows.Close()
	in := make(map[ID]bool)
	for rows.Next() {
		var p ID
		if err := rows.Scan(&p); err != nil {
			return nil, fmt.Errorf("who is in the group: %w", err)
		}
		in[p] = true
	}
	return in, rows.Err()
}

// Aliases returns who turned out to be whom.
func Aliases(tx *sqlite.Tx) (map[ID]ID, error) {
	is := make(map[ID]ID)
	return is, scan(tx, "SELECT id, same_as FROM person WHERE same_as IS NOT NULL", func(rows *sql.Rows) error {
		var alias, p ID
		if err := rows.Scan(&alias, &p); err != nil {
			return err
		}
		is[alias] = p
		return nil
	})
}

func scan(tx *sqlite.Tx, query string, f func(*sql.Rows) error) error {
	rows, err := tx.Query(query)
	if err != nil {
		return fmt.Errorf("read people: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows); err != nil {
			return fmt.Errorf("read people: %w", err)
		}
	}
	return rows.Err()
}
