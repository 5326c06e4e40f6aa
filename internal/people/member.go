package people

import (
	"cmp"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"muniment/internal/journal"
	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// Member is an entry of the council's member register.
type Member struct {
	ID      int64
	Person  ID
	Name    string
	Role    string    // one of [Roles]
	Email   string    // empty: none known
	From    time.Time // the moment from which it counts; zero: not said
	Until   time.Time // the moment from which it counts no more; zero: none
	Absence Absence
	Notice  Notice
	Entered time.Time // when it was put on the register
}

// Absence says why a person is not in the group, and what he gets instead.
type Absence struct {
	Reason      string    // one of [Reasons]; empty: not said
	Alternative string    // such as "weekly digest by email"; empty: not said
	Confirmed   time.Time // the day on which the person said so; zero: not said
}

// Notice says which privacy notice a person was given, and on which day.
type Notice struct {
	On      time.Time // zero: none was given
	Version string
}

// Roles are those that the member register knows. The deputy is the clerk's.
var Roles = []string{"councillor", "chair", "clerk", "deputy", "officer", "other"}

// Reasons are those for which somebody is not in the group.
var Reasons = []string{"chose not to", "does not use WhatsApp", "not invited", "left", "removed"}

// Ended reports whether the entry counts no more at that time. It still says what
// the person is called: who leaves the council was a councillor when he spoke.
func (m Member) Ended(at time.Time) bool { return !m.Until.IsZero() && !at.Before(m.Until) }

// InOffice reports whether the entry counts at that time.
func (m Member) InOffice(at time.Time) bool { return !at.Before(m.From) && !m.Ended(at) }

// Councillor reports whether m is on the council; whoever is in the chair is.
func (m Member) Councillor() bool { return m.Role == "councillor" || m.Role == "chair" }

// compare orders the entries of a person, the one that counts first: who came back is
// what he is now, and of two entries for people who turned out to be one the first
// counts.
func (m Member) compare(other Member) int {
	switch {
	case m.Until.Equal(other.Until):
		return cmp.Compare(m.ID, other.ID)
	case m.Until.IsZero():
		return -1
	case other.Until.IsZero():
		return 1
	}
	return other.Until.Compare(m.Until)
}

// The errors of looking for an entry.
var (
	ErrOnRegister    = errors.New("on the register already")
	ErrNotOnRegister = errors.New("not on the member register")
	ErrAmbiguous     = errors.New("more than one person on the member register is called that")
	ErrUnchanged     = errors.New("the member register says so already; nothing was changed")
)

// AddMember puts m on the member register under the address a and journals it. Who
// has no WhatsApp number has the zero address. Whose entry has an end may have another:
// he came back, or has another office.
func AddMember(tx *sqlite.Tx, now time.Time, who, reason string, m Member, a record.Address) (err error) {
	if m.Person, err = newcomer(tx, now, m.Name, a); err != nil {
		return err
	}
	if err := tx.QueryRow(`
		INSERT INTO member (person, name, role, email, from_at, until, absent, alternative, confirmed_at, notice_at, notice_version, added_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
		append(append([]any{m.Person}, m.columns()...), sqlite.FormatTime(now))...,
	).Scan(&m.ID); err != nil {
		return fmt.Errorf("add member: %w", err)
	}
	about := journal.About{"member": m.ID, "person": m.Person}
	for field, value := range m.says() {
		if value != "" {
			about[field] = value
		}
	}
	return journal.Write(tx, journal.Entry{At: now, Who: who, Act: journal.MemberAdded, Reason: reason, About: about})
}

// newcomer returns the person behind a, if he is to have an entry as name. Who has no
// address is known by the name alone.
func newcomer(tx *sqlite.Tx, now time.Time, name string, a record.Address) (ID, error) {
	var there Member
	var p ID
	var err error
	what := "name"
	if a.JID == "" {
		there, err = MemberNamed(tx, name)
		p = there.Person
	} else {
		what = "number"
		if isLID(a.JID) {
			what = "LID"
		}
		there, err = MemberAt(tx, a)
	}
	switch {
	case errors.Is(err, ErrNotOnRegister):
	case err != nil:
		return 0, err
	case there.Until.IsZero():
		return 0, fmt.Errorf("this %s is %w, as %s (%s); nothing was changed", what, ErrOnRegister, there.Name, there.Role)
	}
	if a.JID != "" {
		is, err := Identify(tx, now, a, "")
		return is.ID, err
	}
	if p == 0 {
		p, err = newPerson(tx)
		return p, err
	}
	return p, nil
}

// EditMember gives the entry m.ID what m says, besides the person, and journals what it
// was and is; of the email address only that it changed.
func EditMember(tx *sqlite.Tx, now time.Time, who, reason string, m Member) error {
	return edit(tx, now, who, reason, journal.MemberChanged, m)
}

// EndMember lets the entry count no more from that moment on: the person has left
// office, or will. A later end replaces an earlier one.
func EndMember(tx *sqlite.Tx, now time.Time, who, reason string, id int64, until time.Time) error {
	m, err := MemberByID(tx, id)
	if err != nil {
		return err
	}
	m.Until = until
	return edit(tx, now, who, reason, journal.MemberEnded, m)
}

func edit(tx *sqlite.Tx, now time.Time, who, reason string, act journal.Act, m Member) error {
	was, err := MemberByID(tx, m.ID)
	if err != nil {
		return err
	}
	said, before, after := was.says(), make(map[string]string), make(map[string]string)
	for field, value := range m.says() {
		if value != said[field] {
			before[field], after[field] = said[field], value
		}
	}
	about := was.about()
	if len(after) > 0 {
		about["before"], about["after"] = before, after
	}
	if m.Email != was.Email {
		about["email"] = "changed"
	}
	if len(about) == len(was.about()) {
		return ErrUnchanged
	}
	if _, err := tx.Exec(`
		UPDATE member SET (name, role, email, from_at, until, absent, alternative, confirmed_at, notice_at, notice_version)
			= (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) WHERE id = ?`, append(m.columns(), m.ID)...); err != nil {
		return fmt.Errorf("edit member: %w", err)
	}
	return journal.Write(tx, journal.Entry{At: now, Who: who, Act: act, Reason: reason, About: about})
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
		case found.ID == 0 || m.compare(found) < 0:
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
	err := scan(tx, `
		SELECT id, person, name, role, email, from_at, until, absent, alternative, confirmed_at, notice_at, notice_version, added_at
		FROM member ORDER BY id`, func(rows *sql.Rows) error {
		var m Member
		var from, until, confirmed, notice, entered string
		if err := rows.Scan(&m.ID, &m.Person, &m.Name, &m.Role, &m.Email, &from, &until,
			&m.Absence.Reason, &m.Absence.Alternative, &confirmed, &notice, &m.Notice.Version, &entered); err != nil {
			return err
		}
		var errs [5]error
		m.From, errs[0] = sqlite.ParseTime(from)
		m.Until, errs[1] = sqlite.ParseTime(until)
		m.Absence.Confirmed, errs[2] = sqlite.ParseTime(confirmed)
		m.Notice.On, errs[3] = sqlite.ParseTime(notice)
		m.Entered, errs[4] = sqlite.ParseTime(entered)
		ms = append(ms, m)
		return errors.Join(errs[:]...)
	})
	return ms, err
}

// columns are the values of m as they are kept, besides its number, its person and
// when it was entered.
func (m Member) columns() []any {
	return []any{m.Name, m.Role, m.Email, formatTime(m.From), formatTime(m.Until),
		m.Absence.Reason, m.Absence.Alternative, formatTime(m.Absence.Confirmed), formatTime(m.Notice.On), m.Notice.Version}
}

// formatTime writes t as it is kept; the zero time is the empty text.
func formatTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return sqlite.FormatTime(t)
}
