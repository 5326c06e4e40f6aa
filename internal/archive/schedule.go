package archive

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"muniment/internal/journal"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
)

// Adopt makes the schedule that the archive was loaded with the one in force, if it is
// not, and has the journal tell it: before the first record under it. A longer period
// counts at once for all that is here; a shorter one, for what is captured from now on.
func (a *Archive) Adopt(tx *sqlite.Tx, now time.Time) error {
	before, err := a.adoptable(tx)
	if err != nil || equal(before, a.schedule) {
		return err
	}
	if err := putSchedule(tx, a.schedule); err != nil {
		return err
	}
	return journal.Write(tx, journal.Entry{At: now, Who: journal.Daemon, Act: journal.ScheduleAdopted, About: a.told(a.schedule)})
}

// Shorter is why a schedule is not adopted: it is for the council to shorten a period.
type Shorter struct{ Classes []retention.Class }

func (s Shorter) Error() string {
	var classes []string
	for _, c := range s.Classes {
		classes = append(classes, string(c))
	}
	return "the retention schedule keeps " + strings.Join(classes, ", ") +
		" for a shorter time than the one in force, which only a new decision of the council can do: " +
		"give the reference of the minute of that decision as minute in the schedule, one that no schedule had before, or put the period back"
}

// Adoptable returns why the schedule that the archive was loaded with cannot be adopted:
// a [Shorter], or an error; nil if it can.
func (a *Archive) Adoptable(tx *sqlite.Tx) error {
	_, err := a.adoptable(tx)
	return err
}

// adoptable returns the schedule that is in force.
func (a *Archive) adoptable(tx *sqlite.Tx) (before retention.Schedule, err error) {
	if before, err = InForce(tx); err != nil {
		return before, err
	}
	shorter := a.schedule.Shortens(before)
	if len(shorter) == 0 {
		return before, nil
	}
	known := []string{"", before.Minute}
	all, err := Schedules(tx)
	for _, s := range all {
		known = append(known, s.Minute)
	}
	if err == nil && slices.Contains(known, a.schedule.Minute) {
		err = Shorter{shorter}
	}
	return before, err
}

func equal(s, t retention.Schedule) bool { return toJSON(s) == toJSON(t) }

// putSchedule writes down the schedule that is in force.
func putSchedule(tx *sqlite.Tx, s retention.Schedule) error {
	if _, err := tx.Exec("UPDATE archive SET minute = ?", s.Minute); err != nil {
		return fmt.Errorf("adopt the retention schedule: %w", err)
	}
	if _, err := tx.Exec("DELETE FROM schedule"); err != nil {
		return fmt.Errorf("adopt the retention schedule: %w", err)
	}
	for i, r := range s.Rules {
		groups := r.Groups
		if len(groups) == 0 {
			groups = []string{""}
		}
		for _, g := range groups {
			if _, err := tx.Exec("INSERT INTO schedule (rule, of_class, of_group, period, counts, covers, authority) VALUES (?, ?, ?, ?, ?, ?, ?)",
				i, r.Class, g, r.Years, r.From, r.Covers, r.Authority); err != nil {
				return fmt.Errorf("adopt the retention schedule: %w", err)
			}
		}
	}
	return nil
}

// InForce returns the schedule that records are kept under.
func InForce(tx *sqlite.Tx) (s retention.Schedule, err error) {
	if err := tx.QueryRow("SELECT minute FROM archive").Scan(&s.Minute); err != nil {
		return s, fmt.Errorf("read the retention schedule: %w", err)
	}
	rows, err := tx.Query("SELECT rule, of_class, of_group, period, counts, covers, authority FROM schedule ORDER BY rule, of_group")
	if err != nil {
		return s, fmt.Errorf("read the retention schedule: %w", err)
	}
	defer rows.Close()
	for last := -1; rows.Next(); {
		var n int
		var r retention.Rule
		var group string
		if err := rows.Scan(&n, &r.Class, &group, &r.Years, &r.From, &r.Covers, &r.Authority); err != nil {
			return s, fmt.Errorf("read the retention schedule: %w", err)
		}
		if n != last {
			s.Rules, last = append(s.Rules, r), n
		}
		if rule := &s.Rules[len(s.Rules)-1]; group != "" {
			rule.Groups = append(rule.Groups, group)
		}
	}
	return s, rows.Err()
}

// period returns for how many years something of a class is kept that is captured now.
func period(tx *sqlite.Tx, c retention.Class, group string) (years int, err error) {
	err = tx.QueryRow("SELECT coalesce(max(period), ?) FROM schedule WHERE of_class = ? AND of_group IN ('', ?)",
		retention.Permanent, c, group).Scan(&years)
	return years, err
}

// told is what the journal, and so the ledger, says of a schedule: all of it. Its groups
// are tokens there, since an address may hold a telephone number.
func (a *Archive) told(s retention.Schedule) journal.About {
	rules := slices.Clone(s.Rules)
	for i, r := range rules {
		rules[i].Groups = nil
		for _, g := range r.Groups {
			rules[i].Groups = append(rules[i].Groups, groupToken(a.key, g))
		}
	}
	s.Rules = rules
	digest := sha256.Sum256([]byte(toJSON(s)))
	return journal.About{"schedule": s, "digest": hex.EncodeToString(digest[:])}
}

// groupToken names a group without telling its address.
func groupToken(key []byte, jid string) string {
	h := hmac.New(sha256.New, key)
	h.Write([]byte("group token " + jid))
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// Adopted is a schedule that was adopted.
type Adopted struct {
	retention.Schedule // with the addresses of the groups that are known
	At                 time.Time
	Leaf               int64 // of the journal's entry; what comes after it is captured under the schedule
	Classless          bool  // from before there were classes: everything was a message
}

// Is reports whether it is the schedule s. From before there were classes, only periods
// are known.
func (a Adopted) Is(s retention.Schedule) bool { return equal(a.Schedule, s) }

// Schedules returns the schedules that were adopted, the first first, as the journal tells
// them. The archive is laid out with one.
func Schedules(tx *sqlite.Tx) (all []Adopted, err error) {
	for _, act := range []journal.Act{journal.Created, journal.PeriodChanged, journal.ScheduleAdopted} {
		if err := journal.Of(tx, act, func(e journal.Entry, leaf int64) error {
			a := Adopted{At: e.At, Leaf: leaf, Classless: e.About["schedule"] == nil}
			a.Schedule = scheduleIn(e)
			all = append(all, a)
			return nil
		}); err != nil {
			return nil, fmt.Errorf("read the retention schedules: %w", err)
		}
	}
	slices.SortFunc(all, func(a, b Adopted) int { return cmp.Compare(a.Leaf, b.Leaf) })
	return all, nameGroups(tx, all)
}

// nameGroups puts the addresses of the groups in the place of their tokens.
func nameGroups(tx *sqlite.Tx, all []Adopted) error {
	var jids map[string]string
	for _, s := range all {
		for _, r := range s.Rules {
			for i, token := range r.Groups {
				if jids == nil {
					var err error
					if jids, err = groupTokens(tx); err != nil {
						return err
					}
				}
				if jid := jids[token]; jid != "" {
					r.Groups[i] = jid
				}
			}
		}
	}
	return nil
}

// scheduleIn returns the schedule that an entry tells. Those from before there were
// schedules tell a number of years, or nothing: six.
func scheduleIn(e journal.Entry) (s retention.Schedule) {
	if e.About["schedule"] == nil {
		years := 6
		if e.Act == journal.PeriodChanged {
			years = int(e.About.Number("years"))
		}
		return retention.Schedule{Rules: []retention.Rule{
			{Class: retention.Messages, From: retention.FromMessage, Years: years},
			{Class: retention.Rosters, From: retention.FromList, Years: years}}}
	}
	if json.Unmarshal([]byte(toJSON(e.About["schedule"])), &s) != nil {
		return retention.Schedule{} // it was altered, and its leaf tells
	}
	return s
}

// groupTokens returns the addresses of the groups that the archive knows, by their tokens.
func groupTokens(tx *sqlite.Tx) (map[string]string, error) {
	var key []byte
	if err := tx.QueryRow("SELECT origin_key FROM archive").Scan(&key); err != nil {
		return nil, fmt.Errorf("groups of the archive: %w", err)
	}
	rows, err := tx.Query("SELECT DISTINCT of_group FROM schedule UNION SELECT DISTINCT group_jid FROM record")
	if err != nil {
		return nil, fmt.Errorf("groups of the archive: %w", err)
	}
	defer rows.Close()
	jids := make(map[string]string)
	for rows.Next() {
		var jid string
		if err := rows.Scan(&jid); err != nil {
			return nil, fmt.Errorf("groups of the archive: %w", err)
		}
		jids[groupToken(key, jid)] = jid
	}
	return jids, rows.Err()
}
