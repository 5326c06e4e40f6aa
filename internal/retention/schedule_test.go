package retention

import (
	"slices"
	"testing"
	"time"

	"muniment/internal/record"
)

const (
	council  = "council@g.us"
	planning = "planning@g.us"
)

func minuted(minute string, rules ...Rule) Schedule { return Schedule{minute, rules} }

func forYears(c Class, years int, groups ...string) Rule {
	return Rule{Class: c, From: Triggers[c], Years: years, Groups: groups}
}

// Of several rules the longest wins, and what no rule is for is kept.
func TestWhichRuleApplies(t *testing.T) {
	for _, tt := range []struct {
		name  string
		rules []Rule
		class Class
		group string
		years int
		due   Date // of what was sent on 16 September 2024
	}{
		{"the rule of the class", []Rule{forYears(Messages, 6), forYears(Rosters, 2)}, Messages, council, 6, "2030-09-17"},
		{"another class has another", []Rule{forYears(Messages, 6), forYears(Rosters, 2)}, Rosters, council, 2, "2026-09-17"},
		{"the longest of several", []Rule{forYears(Messages, 6), forYears(Messages, 10), forYears(Messages, 1)}, Messages, council, 10, "2034-09-17"},
		{"a longer one of the group", []Rule{forYears(Messages, 6), forYears(Messages, 10, planning)}, Messages, planning, 10, "2034-09-17"},
		{"not of another group", []Rule{forYears(Messages, 6), forYears(Messages, 10, planning)}, Messages, council, 6, "2030-09-17"},
		{"a shorter one of the group does not count", []Rule{forYears(Messages, 6), forYears(Messages, 1, planning)}, Messages, planning, 6, "2030-09-17"},
		{"permanent is the longest", []Rule{forYears(Messages, 100), forYears(Messages, Permanent)}, Messages, council, Permanent, Never},
		{"no rule", []Rule{forYears(Messages, 6)}, Rosters, council, Permanent, Never},
		{"no rule for the group", []Rule{forYears(Messages, 6, planning)}, Messages, council, Permanent, Never},
		{"no rules at all", nil, Messages, council, Permanent, Never},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := minuted("", tt.rules...)
			years := s.Years(tt.class, tt.group)
			due := DueAfter(time.Date(2024, 9, 16, 22, 30, 0, 0, time.UTC), years)
			if years != tt.years || due != tt.due {
				t.Errorf("%d years, due %s; want %d, %s", years, due, tt.years, tt.due)
			}
		})
	}
}

func TestRuleFor(t *testing.T) {
	for _, tt := range []struct {
		class         Class
		now, captured int
		want          string
	}{
		{Messages, 6, 6, "WA-MSG: 6 years from the date of the message"},
		{Messages, 10, 6, "WA-MSG: 10 years from the date of the message (6 when it was captured)"},
		{Messages, 3, 6, "WA-MSG: 6 years from the date of the message"},
		{Messages, 1, 1, "WA-MSG: 1 year from the date of the message"},
		{Rosters, 6, 6, "WA-ROSTER: 6 years from the date of the list or change"},
		{Rosters, Permanent, 6, "WA-ROSTER: for good (6 when it was captured)"},
	} {
		if got := ForYears(tt.now).RuleFor(tt.class, council, tt.captured); got != tt.want {
			t.Errorf("of %d years, captured under %d: %q; want %q", tt.now, tt.captured, got, tt.want)
		}
	}
}

func TestWhatIsShorter(t *testing.T) {
	six := []Rule{forYears(Messages, 6), forYears(Rosters, 6)}
	for _, tt := range []struct {
		name          string
		before, after []Rule
		want          []Class
	}{
		{"the same", six, six, nil},
		{"longer", six, []Rule{forYears(Messages, 7), forYears(Rosters, Permanent)}, nil},
		{"shorter", six, []Rule{forYears(Messages, 7), forYears(Rosters, 5)}, []Class{Rosters}},
		{"a class removed is kept", six, six[:1], nil},
		{"and given a period again", six[:1], six, []Class{Rosters}},
		{"shorter in one group", []Rule{six[0], forYears(Messages, 10, planning)}, six[:1], []Class{Messages}},
		{"a rule of the group that is none", six[:1], []Rule{six[0], forYears(Messages, 2, planning)}, nil},
		{"for one group only", six[:1], []Rule{forYears(Messages, 6, planning)}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := minuted("", tt.after...).Shortens(minuted("", tt.before...)); !slices.Equal(got, tt.want) {
				t.Errorf("shortens %v; want %v", got, tt.want)
			}
		})
	}
}

func TestClassOf(t *testing.T) {
	for kind, want := range map[record.Kind]Class{
		record.Message: Messages, record.Reaction: Messages, record.Group: Messages, record.Unsupported: Messages, record.Participants: Rosters,
	} {
		if got := ClassOf(kind); got != want {
			t.Errorf("%s is of class %s; want %s", kind, got, want)
		}
	}
}

// The moment before which everything is due is that of the due dates themselves.
func TestDueBefore(t *testing.T) {
	for _, years := range []int{1, 4, 6} {
		for on := Date("2031-12-25"); on < "2033-03-10"; on = on.AddDays(1) {
			before := DueBefore(on, years)
			if last, first := DueAfter(before.Add(-time.Second), years), DueAfter(before, years); last > on || first <= on {
				t.Fatalf("%d years: what is due on %s lies before %s; the second before is due on %s, that moment on %s", years, on, before, last, first)
			}
		}
	}
	if before := DueBefore("2032-01-01", Permanent); !before.IsZero() {
		t.Errorf("what is kept for good is due if before %s", before)
	}
}
