package people

import (
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nyaruka/phonenumbers"

	"muniment/internal/journal"
	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// Member is an entry of the council's member register.
type Member struct {
	ID     int64
	Person ID
	Name   string
	Role   string    // one of [Roles]
	Email  string    // empty: none known
	Until  time.Time // the moment from which it counts no more; zero: none
}

// Roles are those that the member register knows.
var Roles = []string{"councillor", "chair", "clerk", "officer"}

// Ended reports whether the entry counts no more at that time. It still says what
// the person is called: who leaves the council was a councillor when he spoke.
func (m Member) Ended(at time.Time) bool { return !m.Until.IsZero() && !at.Before(m.Until) }

// before reports whether m counts rather than other, an entry of the same person:
// who came back is what he is now, and of two entries for people who turned out
// to be one the first counts.
func (m Member) before(other Member) bool {
	switch {
	case m.Until.Equal(other.Until):
		return m.ID < other.ID
	case m.Until.IsZero() || other.Until.IsZero():
		return m.Until.IsZero()
	}
	return m.Until.After(other.Until)
}

// The errors of looking for an entry.
var (
	ErrOnRegister    = errors.New("on the register already")
	ErrNotOnRegister = errors.New("not on the member register")
	ErrAmbiguous     = errors.New("more than one person on the member register is called that")
	ErrUnchanged     = errors.New("the member register says so already; nothing was changed")
)

// AddMember puts m on the member register under the address a and journals it.
// Whose entry has an end may have another: he came back, or has another office.
func AddMember(tx *sqlite.Tx, now time.Time, who, reason string, m Member, a record.Address) error {
	is, err := Identify(tx, now, a, "")
	if err != nil {
		return err
	}
	if there, err := MemberAt(tx, a); err == nil && there.Until.IsZero() {
		what := "number"
		if isLID(a.JID) {
			what = "LID"
		}
		return fmt.Errorf("this %s is %w, as %s (%s); nothing was changed", what, ErrOnRegister, there.Name, there.Role)
	} else if err != nil && !errors.Is(err, ErrNotOnRegister) {
		return err
	}
	if err := tx.QueryRow(`
		INSERT INTO member (person, name, role, email, added_at) VALUES (?, ?, ?, ?, ?) RETURNING id`,
		is.ID, m.Name, m.Role, m.Email, sqlite.FormatTime(now),
	).Scan(&m.ID); err != nil {
		return fmt.Errorf("add member: %w", err)
	}
	return journal.Write(tx, journal.Entry{At: now, Who: who, Act: journal.MemberAdded, Reason: reason, About: m.about()})
}

// about is what the journal says of an entry.
func (m Member) about() journal.About {
	return journal.About{"member": m.ID, "name": m.Name, "role": m.Role}
}

// ChangeMember gives the entry m.ID the name, role and email of m and journals
// what it was and is; of the email address only that it changed.
func ChangeMember(tx *sqlite.Tx, now time.Time, who, reason string, m Member) error {
	was, err := MemberByID(tx, m.ID)
	if err != nil {
		return err
	}
	about := was.about()
	if m.Name != was.Name {
		about["new name"] = m.Name
	}
	if m.Role != was.Role {
		about["new role"] = m.Role
	}
	if m.Email != was.Email {
		about["email"] = "changed"
	}
	if len(about) == len(was.about()) {
		return ErrUnchanged
	}
	if _, err := tx.Exec("UPDATE member SET name = ?, role = ?, email = ? WHERE id = ?", m.Name, m.Role, m.Email, m.ID); err != nil {
		return fmt.Errorf("change member: %w", err)
	}
	return journal.Write(tx, journal.Entry{At: now, Who: who, Act: journal.MemberChanged, Reason: reason, About: about})
}

// EndMember lets the entry count no more from that moment on: the person has left
// office, or will. A later end replaces an earlier one.
func EndMember(tx *sqlite.Tx, now time.Time, who, reason string, id int64, until time.Time) error {
	m, err := MemberByID(tx, id)
	if err != nil {
		return err
	}
	if m.Until.Equal(until) {
		return ErrUnchanged
	}
	if _, err := tx.Exec("UPDATE member SET until = ? WHERE id = ?", sqlite.FormatTime(until), id); err != nil {
		return fmt.Errorf("end member: %w", err)
	}
	about := m.about()
	about["until"] = sqlite.FormatTime(until)
	return journal.Write(tx, journal.Entry{At: now, Who: who, Act: journal.MemberEnded, Reason: reason, About: about})
}

// RemoveMember removes an entry that was a mistake. The person stays known, as
// everybody is who is not on the register: by what he calls himself.
func RemoveMember(tx *sqlite.Tx, now time.Time, who, reason string, id int64) error {
	m, err := MemberByID(tx, id)
	if err != nil {
		return err
	}
	if _, err := tx.Exec("DELETE FROM member WHERE id = ?", id); err != nil {
		return fmt.Errorf("remove member: %w", err)
	}
	return journal.Write(tx, journal.Entry{At: now, Who: who, Act: journal.MemberRemoved, Reason: reason, About: m.about()})
}

// MemberAt returns the entry that counts of the person behind a.
func MemberAt(tx *sqlite.Tx, a record.Address) (Member, error) {
	p, err := behind(tx, a.JID)
	if err != nil {
		return Member{}, fmt.Errorf("read the member register: %w", err)
	}
	return foremost(tx, func(m Member) bool { return p != 0 && m.Person == p })
}

// MemberNamed returns the entry with exactly that name. Where one person has
// several, it is the one that counts; where several persons do, ErrAmbiguous.
func MemberNamed(tx *sqlite.Tx, name string) (Member, error) {
	return foremost(tx, func(m Member) bool { return m.Name == name })
}

// MemberByID returns the entry with that number.
func MemberByID(tx *sqlite.Tx, id int64) (Member, error) {
	return foremost(tx, func(m Member) bool { return m.ID == id })
}

// foremost returns, of the entries that are meant, the one that counts.
func foremost(tx *sqlite.Tx, meant func(Member) bool) (found Member, err error) {
	all, err := Members(tx)
	if err != nil {
		return Member{}, err
	}
	for _, m := range all {
		switch {
		case !meant(m):
		case found.ID != 0 && m.Person != found.Person:
			return Member{}, ErrAmbiguous
		case found.ID == 0 || m.before(found):
			found = m
		}
	}
	if found.ID == 0 {
		return Member{}, ErrNotOnRegister
	}
	return found, nil
}

// Members returns the member register in the order of entry.
func Members(tx *sqlite.Tx) ([]Member, error) {
	var ms []Member
	err := scan(tx, "SELECT id, person, name, role, email, until FROM member ORDER BY id", func(rows *sql.Rows) error {
		var m Member
		var until string
		if err := rows.Scan(&m.ID, &m.Person, &m.Name, &m.Role, &m.Email, &until); err != nil {
			return err
		}
		var err error
		m.Until, err = sqlite.ParseTime(until)
		ms = append(ms, m)
		return err
	})
	return ms, err
}

// ParseNumber turns a telephone number as people write it (a UK number without
// its country code, or any with one) into WhatsApp's address for it. A number
// is not refused for belonging to a range that is not in use.
func ParseNumber(s string) (record.Address, error) {
	n, err := phonenumbers.Parse(s, "GB")
	if err != nil {
		return record.Address{}, fmt.Errorf("%q is not a telephone number: write it as 07700 900123 or +44 7700 900123", s)
	}
	length := phonenumbers.IsPossibleNumberWithReason(n)
	// Nearly all UK numbers have ten digits after the zero; the library lets nine
	// pass because a few old landlines have them, and those it knows to be valid.
	if n.GetCountryCode() == 44 && len(phonenumbers.GetNationalSignificantNumber(n)) < 10 && !phonenumbers.IsValidNumber(n) {
		length = phonenumbers.TOO_SHORT
	}
	switch length {
	case phonenumbers.IS_POSSIBLE:
		return record.Address{JID: strings.TrimPrefix(phonenumbers.Format(n, phonenumbers.E164), "+") + numbers}, nil
	case phonenumbers.TOO_SHORT, phonenumbers.IS_POSSIBLE_LOCAL_ONLY:
		return record.Address{}, fmt.Errorf("%q has too few digits for a telephone number: write it as 07700 900123 or +44 7700 900123", s)
	case phonenumbers.TOO_LONG:
		return record.Address{}, fmt.Errorf("%q has too many digits for a telephone number: write it as 07700 900123 or +44 7700 900123", s)
	}
	return record.Address{}, fmt.Errorf("%q is not a telephone number: write it as 07700 900123 or +44 7700 900123", s)
}

// numbers is WhatsApp's server of telephone numbers, as it ends their addresses.
const numbers = "@s.whatsapp.net"

func isLID(jid string) bool { return strings.HasSuffix(jid, "@lid") }

// Addresses returns how the sysadmin tells everybody known from others: the
// telephone number, written as [ParseNumber] reads it, or where it is hidden
// the LID. It is for her terminal alone (DESIGN.md, invariant 9).
func Addresses(tx *sqlite.Tx) (map[ID]string, error) {
	of := make(map[ID]string)
	return of, scan(tx, "SELECT jid, person FROM address ORDER BY jid", func(rows *sql.Rows) error {
		var jid string
		var p ID
		if err := rows.Scan(&jid, &p); err != nil {
			return err
		}
		if user, isNumber := strings.CutSuffix(jid, numbers); isNumber {
			of[p] = writeNumber(user)
		} else if of[p] == "" {
			of[p] = jid
		}
		return nil
	})
}

// writeNumber writes the digits of a number as people do: a UK number without
// its country code.
func writeNumber(digits string) string {
	n, err := phonenumbers.Parse("+"+digits, "")
	switch {
	case err != nil:
		return "+" + digits
	case n.GetCountryCode() == 44:
		return phonenumbers.Format(n, phonenumbers.NATIONAL)
	}
	return phonenumbers.Format(n, phonenumbers.INTERNATIONAL)
}
