package archive

import (
	"database/sql"
	"errors"
	"fmt"
	"time"

	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// A known list is who is in a group as far as that is known without a break: up to a
// moment, and to a version as WhatsApp counts them.
type knownList struct {
	version string
	at      time.Time
}

// lastKnown returns it; is is false while WhatsApp has never told the whole list.
func lastKnown(tx *sqlite.Tx, group string) (l knownList, is bool, err error) {
	var at string
	err = tx.QueryRow("SELECT version, at FROM group_list WHERE group_jid = ?", group).Scan(&l.version, &at)
	if errors.Is(err, sql.ErrNoRows) {
		return knownList{}, false, nil
	} else if err != nil {
		return knownList{}, false, fmt.Errorf("last list of participants: %w", err)
	}
	l.at, err = sqlite.ParseTime(at)
	return l, true, err
}

func (l knownList) keep(tx *sqlite.Tx, group string) error {
	if _, err := tx.Exec(`
		INSERT INTO group_list (group_jid, version, at) VALUES (?1, ?2, ?3)
		ON CONFLICT DO UPDATE SET version = ?2, at = ?3`, group, l.version, sqlite.FormatTime(l.at)); err != nil {
		return fmt.Errorf("note the list of participants: %w", err)
	}
	return nil
}

// Moved follows r, a change of participants that has just been captured, and reports
// whether WhatsApp must be asked for the list. Each change names the version of the list
// before it: if that is not the last one known, a change was never told, and a gap opens,
// until the list comes.
func Moved(tx *sqlite.Tx, now time.Time, r record.Received) (ask bool, err error) {
	l, is, err := lastKnown(tx, r.Group)
	if err != nil || !is || r.Version == "" || r.Version == l.version {
		return false, err
	}
	d, err := record.ParseDetails(r.Details)
	if err != nil {
		return false, err
	}
	switch before := d.Version; {
	case before == "" || before == l.version:
		l.version = r.Version
		broken, err := isOpen(tx, ListBroken, r.Group)
		if err != nil {
			return false, err
		}
		if !broken && r.Sent.After(l.at) {
			l.at = r.Sent
		}
		return false, l.keep(tx, r.Group)
	case r.Sent.Before(l.at.Truncate(time.Second)): // WhatsApp's times are whole seconds
		// It comes late. The list had it, and may not be what was made of it now.
		return true, nil
	}
	if _, err := OpenGroupGap(tx, now, l.at, ListBroken, r.Group, "WhatsApp did not tell of a change of who is in the group"); err != nil {
		return false, err
	}
	l.version = r.Version
	return true, l.keep(tx, r.Group)
}

// Listed follows r, the whole list of who is in a group, before it is captured or found
// to say nothing new. differs says whether it is another than was known: then, unless
// WhatsApp counts no change, there were changes that it never told.
func Listed(tx *sqlite.Tx, now time.Time, r record.Received, differs bool) error {
	l, is, err := lastKnown(tx, r.Group)
	if err != nil {
		return err
	}
	told, err := isOpen(tx, ListBroken, r.Group)
	if err != nil {
		return err
	}
	out, err := isOpen(tx, NotInGroup, r.Group)
	if err != nil {
		return err
	}
	counted := r.Version == "" || r.Version != l.version
	if is && differs && counted && !told && !out {
		if _, err := OpenGroupGap(tx, now, l.at, ListBroken, r.Group, "WhatsApp's list of who is in the group is another than its notices made it"); err != nil {
			return err
		}
	}
	if err := CloseGroupGap(tx, now, ListBroken, r.Group); err != nil {
		return err
	}
	if err := CloseGroupGap(tx, now, NotInGroup, r.Group); err != nil {
		return err
	}
	return knownList{r.Version, r.Sent}.keep(tx, r.Group)
}

// KnownVersion reports whether r, a list of all present, is of the version that is known
// already.
func KnownVersion(tx *sqlite.Tx, r record.Received) (bool, error) {
	l, is, err := lastKnown(tx, r.Group)
	return is && l.version == r.Version, err
}

// Outside notes that the council's account is not in a group from a moment on: what is
// sent there is not received. Since is zero where that is not told; then it may have been
// at any time since something was last heard from there. It reports whether that is news.
func Outside(tx *sqlite.Tx, now, since time.Time, group, cause string) (news bool, err error) {
	if since.IsZero() {
		if since, err = lastHeard(tx, now, group); err != nil {
			return false, err
		}
	}
	return OpenGroupGap(tx, now, since, NotInGroup, group, cause)
}

// lastHeard returns when a record of the group was last sent, or its list told; now if
// never.
func lastHeard(tx *sqlite.Tx, now time.Time, group string) (time.Time, error) {
	l, is, err := lastKnown(tx, group)
	if err != nil {
		return time.Time{}, err
	}
	var last string
	if err := tx.QueryRow("SELECT coalesce(max(sent), '') FROM record WHERE group_jid = ? AND sent <= ?", group, sqlite.FormatTime(now)).Scan(&last); err != nil {
		return time.Time{}, fmt.Errorf("last record of a group: %w", err)
	}
	sent, err := sqlite.ParseTime(last)
	switch {
	case err != nil:
		return time.Time{}, err
	case !is && sent.IsZero():
		return now, nil
	case sent.After(l.at):
		return sent, nil
	}
	return l.at, nil
}
