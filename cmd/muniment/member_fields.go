package main

import (
	"cmp"
	"errors"
	"fmt"
	netmail "net/mail"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"muniment/internal/config"
	"muniment/internal/people"
	"muniment/internal/retention"
)

// A field is what an entry of the member register says, as people write it and read
// it: by a flag of a command, or in a column of a file.
type field struct {
	name  string // of the flag, and of the column with spaces for hyphens
	usage string
	set   func(m *people.Member, s string, cfg config.Config) error
	get   func(m people.Member) string // empty: not said
}

var fields = []field{
	{"name", "as emails and reports are to show it", setName, func(m people.Member) string { return m.Name }},
	{"role", strings.Join(people.Roles, ", "), setRole, func(m people.Member) string { return m.Role }},
	{"from", "the first `day` in office, such as \"6 May 2027\" or 2027-05-06",
		func(m *people.Member, s string, _ config.Config) error { return setDay(&m.From, s, 0) },
		func(m people.Member) string { return dayOr(m.From) }},
	{"until", "the last `day` in office",
		func(m *people.Member, s string, _ config.Config) error { return setDay(&m.Until, s, 1) },
		func(m people.Member) string { return lastDay(m.Until) }},
	{"email", "the person's council email `address`", setEmail, func(m people.Member) string { return m.Email }},
	{"absent-because", "why the person is not in the group: " + strings.Join(people.Reasons, ", "), setAbsent,
		func(m people.Member) string { return m.Absence.Reason }},
	{"instead", "what the person gets `instead`, such as \"weekly digest by email\"",
		func(m *people.Member, s string, _ config.Config) error {
			return setText(&m.Absence.Alternative, s, "what the person gets instead")
		},
		func(m people.Member) string { return m.Absence.Alternative }},
	{"confirmed", "the `day` on which the person said so",
		func(m *people.Member, s string, _ config.Config) error { return setPastDay(&m.Absence.Confirmed, s) },
		func(m people.Member) string { return dayOr(m.Absence.Confirmed) }},
	{"notice-given", "the `day` on which the person was given the privacy notice", setNotice,
		func(m people.Member) string { return dayOr(m.Notice.On) }},
	{"notice-version", "which `version` of it (default the one in the configuration)",
		func(m *people.Member, s string, _ config.Config) error {
			return setText(&m.Notice.Version, s, "the version")
		},
		func(m people.Member) string { return m.Notice.Version }},
}

// said is what somebody says of an entry, by the names of the fields. What is not said
// stays; what is empty is taken away.
type said map[string]string

// flags adds the fields to c's flags, besides those that are left out, and returns what
// is said in them when c runs.
func (s said) flags(c *cobra.Command, besides ...string) {
	values := make(map[string]*string)
	for _, f := range fields {
		if !slices.Contains(besides, f.name) {
			values[f.name] = c.Flags().String(f.name, "", f.usage)
		}
	}
	before := c.RunE
	c.RunE = func(c *cobra.Command, args []string) error {
		for name, value := range values {
			if c.Flags().Changed(name) {
				s[name] = *value
			}
		}
		return before(c, args)
	}
}

// apply has m say what s says, and returns what is wrong with it, by field.
func (s said) apply(m *people.Member, cfg config.Config) map[string]error {
	wrong := make(map[string]error)
	for _, f := range fields {
		if value, ok := s[f.name]; ok {
			if err := f.set(m, strings.TrimSpace(value), cfg); err != nil {
				wrong[f.name] = err
			}
		}
	}
	return wrong
}

// contradictions returns what m says that does not go together, by field.
func contradictions(m people.Member) map[string]error {
	switch {
	case !m.From.IsZero() && !m.Until.IsZero() && !m.From.Before(m.Until):
		return map[string]error{"until": fmt.Errorf("the last day in office, %s, is before the first, %s", lastDay(m.Until), dayOr(m.From))}
	case m.Notice.Version != "" && m.Notice.On.IsZero():
		return map[string]error{"notice-version": errors.New("say on which day this notice was given: notice-given")}
	case m.Notice.Version == "" && !m.Notice.On.IsZero():
		return map[string]error{"notice-given": errors.New("say which version of the notice was given: notice-version")}
	}
	return nil
}

// applyFlags has m say what a command's user says.
func (s said) applyFlags(m *people.Member, cfg config.Config) error {
	wrong := s.apply(m, cfg)
	if len(wrong) == 0 {
		wrong = contradictions(*m)
	}
	for _, f := range fields {
		if err := wrong[f.name]; err != nil {
			return usageError{err}
		}
	}
	return nil
}

func setName(m *people.Member, s string, _ config.Config) error {
	m.Name = s
	return plainName("the name", s)
}

func setRole(m *people.Member, s string, _ config.Config) error {
	m.Role = strings.ToLower(s)
	if m.Role == "deputy clerk" {
		m.Role = "deputy"
	}
	if !slices.Contains(people.Roles, m.Role) {
		return fmt.Errorf("%q is not a role: give the person's role, %s", s, strings.Join(people.Roles, "|"))
	}
	return nil
}

func setEmail(m *people.Member, s string, cfg config.Config) error {
	m.Email = s
	if s == "" {
		return nil
	}
	if e, err := netmail.ParseAddress(s); err != nil || e.Address != s {
		return fmt.Errorf("%q is not an email address", s)
	}
	if !cfg.Council.Owns(s) {
		return fmt.Errorf("%s is not at a domain of the council (%s): give the person's council address, or none",
			s, cmp.Or(strings.Join(cfg.Council.Domains, ", "), "none is configured"))
	}
	return nil
}

func setAbsent(m *people.Member, s string, _ config.Config) error {
	i := slices.IndexFunc(people.Reasons, func(r string) bool { return strings.EqualFold(r, s) })
	switch {
	case s == "":
		m.Absence.Reason = ""
	case i < 0:
		return fmt.Errorf("%q is not a reason: give one of %s", s, strings.Join(people.Reasons, ", "))
	default:
		m.Absence.Reason = people.Reasons[i]
	}
	return nil
}

// setNotice takes the notice away with its day, and has a new one be that which is
// configured, if it is one for all groups.
func setNotice(m *people.Member, s string, cfg config.Config) error {
	was := m.Notice.On
	if err := setPastDay(&m.Notice.On, s); err != nil || m.Notice.On.Equal(was) {
		return err
	}
	m.Notice.Version = ""
	if s == "" {
		return nil
	}
	for i, g := range cfg.Groups {
		if i > 0 && g.Notice.Version != m.Notice.Version {
			m.Notice.Version = ""
			break
		}
		m.Notice.Version = g.Notice.Version
	}
	return nil
}

func setText(to *string, s, what string) error {
	if s == "" {
		*to = ""
		return nil
	}
	*to = s
	return plainName(what, s)
}

// setDay sets a moment to the beginning of a day in London, or of the one so many days
// later.
func setDay(to *time.Time, s string, later int) error {
	if s == "" {
		*to = time.Time{}
		return nil
	}
	d, err := parseDay(s, time.Time{})
	if err != nil {
		return err
	}
	*to = d.AddDays(later).Start().UTC()
	return nil
}

func setPastDay(to *time.Time, s string) error {
	if err := setDay(to, s, 0); err != nil {
		return err
	}
	if to.After(now()) {
		return fmt.Errorf("%s is still to come", dayOr(*to))
	}
	return nil
}

// parseDay reads a date as people in Britain write it, or as computers do; empty is today.
func parseDay(s string, now time.Time) (retention.Date, error) {
	if s == "" {
		return retention.DateOf(now), nil
	}
	for _, layout := range []string{"2 January 2006", time.DateOnly, "2 Jan 2006", "2-Jan-2006", "2/1/2006", "2.1.2006", "2-1-2006"} {
		t, err := time.Parse(layout, s)
		switch {
		case err != nil:
		case t.Year() <= 1900: // a year of two digits, or one left out
			return "", fmt.Errorf("%q is too long ago to be meant: write the year with four digits, as in 3 May 2027", s)
		default:
			return retention.ParseDate(t.Format(time.DateOnly))
		}
	}
	return "", fmt.Errorf("%q is not a date: write it as 3 May 2027 or 2027-05-03", s)
}

// dayOr writes the day that t is the beginning of; nothing for no time.
func dayOr(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return day(t)
}

// lastDay writes the day before t; nothing for no time.
func lastDay(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return day(t.Add(-time.Second))
}

// plainName refuses a name that would spoil what is shown: with control
// characters, or a telephone number, which no output may show (DESIGN.md,
// invariant 9).
func plainName(what, s string) error {
	switch {
	case strings.TrimSpace(s) == "":
		return fmt.Errorf("%s is empty", what)
	case !utf8.ValidString(s) || printable(s) != s:
		return fmt.Errorf("%s holds a line break or another character that cannot be shown: %q", what, s)
	case people.HoldsNumber(s):
		return fmt.Errorf("%s looks like a telephone number, which emails and reports do not show", what)
	}
	return nil
}

// tells says all that m says, but for the number.
func tells(m people.Member) string {
	return strings.Join(nonEmpty(m.Name, inOffice(m), m.Email, absence(m), notice(m)), ", ")
}

func nonEmpty(all ...string) []string {
	return slices.DeleteFunc(all, func(s string) bool { return s == "" })
}

// inOffice says in which office m is, from when and until when.
func inOffice(m people.Member) string {
	term := m.Role
	if !m.From.IsZero() {
		term += " from " + dayOr(m.From)
	}
	if !m.Until.IsZero() {
		term += " until " + lastDay(m.Until)
	}
	return term
}

// absence says why m is not in the group, and what he gets instead.
func absence(m people.Member) string {
	instead := m.Absence.Alternative
	if instead != "" {
		instead = "instead: " + instead
	}
	said := strings.Join(nonEmpty(m.Absence.Reason, instead), "; ")
	if !m.Absence.Confirmed.IsZero() {
		said = strings.TrimSpace(fmt.Sprintf("%s (confirmed on %s)", said, dayOr(m.Absence.Confirmed)))
	}
	return said
}

// notice says which privacy notice m was given, and when.
func notice(m people.Member) string {
	if m.Notice.On.IsZero() {
		return ""
	}
	return fmt.Sprintf("notice %s on %s", m.Notice.Version, dayOr(m.Notice.On))
}
