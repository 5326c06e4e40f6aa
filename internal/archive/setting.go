package archive

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// Setting is how a group is set up in one respect.
type Setting struct {
	Text  string     // as a record of a change says it; see [record.Type]
	Since time.Time  // when it was set; of what was found so, when that was
	Seq   record.Seq // the record that tells
}

// On reports whether s, a timer, makes messages disappear.
func (s Setting) On() bool { return s.Text != "" && s.Text != "0" }

// Settings returns how a group is set up, by the type of the record that would say so,
// as far as is known before the record with that number; 0 for all. It goes by the changes
// that WhatsApp told, and by what it answered when it was asked for the list of
// participants, whichever is later.
func Settings(tx *sqlite.Tx, group string, before record.Seq) (map[record.Type]Setting, error) {
	rows, err := tx.Query(`
		SELECT seq, kind, type, text, details, sent FROM record
		WHERE `+isChange+` AND kind IN ('group', 'participants') AND (kind = 'group' OR type = 'present' AND details <> '')
			AND +group_jid = ?1 AND (?2 = 0 OR seq < ?2)`, group, before)
	if err != nil {
		return nil, fmt.Errorf("settings of a group: %w", err)
	}
	defer rows.Close()
	type told struct {
		record.Type
		Setting
	}
	var all []told
	for rows.Next() {
		var s Setting
		var kind record.Kind
		var typ record.Type
		var details, sent string
		if err := rows.Scan(&s.Seq, &kind, &typ, &s.Text, &details, &sent); err != nil {
			return nil, fmt.Errorf("settings of a group: %w", err)
		}
		if s.Since, err = sqlite.ParseTime(sent); err != nil {
			return nil, err
		}
		if kind == record.Group {
			all = append(all, told{typ, s})
			continue
		}
		d, err := record.ParseDetails(details)
		if err != nil {
			return nil, err
		}
		for typ, text := range d.Settings {
			s.Text = text
			all = append(all, told{typ, s})
		}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("settings of a group: %w", err)
	}
	// As in a roster, within a second the order of capture counts.
	slices.SortStableFunc(all, func(a, b told) int {
		return cmp.Or(a.Since.Truncate(time.Second).Compare(b.Since.Truncate(time.Second)), cmp.Compare(a.Seq, b.Seq))
	})
	now := make(map[record.Type]Setting)
	for _, t := range all {
		if was, is := now[t.Type]; !is || was.Text != t.Text {
			now[t.Type] = t.Setting
		}
	}
	return now, nil
}

// SetUpAs reports whether r, a list of participants, says nothing new of how the group is
// set up.
func SetUpAs(tx *sqlite.Tx, r record.Received) (bool, error) {
	d, err := record.ParseDetails(r.Details)
	if err != nil || len(d.Settings) == 0 {
		return err == nil, err
	}
	now, err := Settings(tx, r.Group, 0)
	for typ, text := range d.Settings {
		if was, is := now[typ]; !is || was.Text != text {
			return false, err
		}
	}
	return true, err
}
