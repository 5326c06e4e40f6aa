package retention

import (
	"fmt"
	"slices"
	"time"

	"muniment/internal/record"
)

// Class is what a rule of the retention schedule is for.
type Class string

// The classes. Those of cases are the council's to set; nothing here carries them yet.
const (
	Messages     Class = "WA-MSG"       // what is said or done in a group
	Rosters      Class = "WA-ROSTER"    // who is in a group, and who comes and goes
	AccessLog    Class = "WA-ACCESSLOG" // entries of the journal that say who looked, and the like
	Certificates Class = "WA-CERT"      // what tells why records are no longer held
	Disputes     Class = "WA-DISPUTE"
	Policies     Class = "WA-POLICY" // breaches of the policy
	Breaches     Class = "WA-BREACH" // of personal data
	Requests     Class = "WA-FOI"
	Subjects     Class = "WA-SAR" // requests of those whom data is about
)

// Trigger is what a period counts from.
type Trigger string

// The triggers, as a schedule writes them.
const (
	FromMessage Trigger = "message"
	FromList    Trigger = "list"
	FromEntry   Trigger = "entry"
	FromIssue   Trigger = "issued"
	FromClosing Trigger = "closed"
)

// Words says in plain words what a period counts from.
func (t Trigger) Words() string {
	switch t {
	case FromMessage:
		return "the date of the message"
	case FromList:
		return "the date of the list or change"
	case FromEntry:
		return "the date of the entry"
	case FromIssue:
		return "the date of issue"
	case FromClosing:
		return "the day on which the case was closed"
	}
	return "an event that this program does not know"
}

// Triggers tells of each class what its period counts from.
//
// Who was in a group (REQUIREMENTS.md 3.1: six years after the person leaves) counts from
// the date of each list and change. Every list is kept anew once a year, so whoever leaves
// is named for six years more: by his leaving and by the last lists with him in them.
// That he joined many years before need not be kept for as long as he stays.
var Triggers = map[Class]Trigger{
	Messages: FromMessage, Rosters: FromList, AccessLog: FromEntry, Certificates: FromIssue,
	Disputes: FromClosing, Policies: FromClosing, Breaches: FromClosing, Requests: FromClosing, Subjects: FromClosing,
}

// ClassOf returns the class of a record. What belongs to a message is of its class.
func ClassOf(k record.Kind) Class {
	if k == record.Participants {
		return Rosters
	}
	return Messages
}

// Permanent is the number of years of what is kept for good.
const Permanent = 9999

// Rule is a row of the schedule.
type Rule struct {
	Class     Class    `json:"class"`
	Covers    string   `json:"covers"` // in plain words
	From      Trigger  `json:"from"`
	Years     int      `json:"years"`
	Authority string   `json:"authority"`
	Groups    []string `json:"groups,omitempty"` // only in these; none: in all
}

// Period says for how long the rule keeps.
func (r Rule) Period() string {
	if r.Years >= Permanent {
		return "for good"
	}
	return count(r.Years) + " from " + r.From.Words()
}

func count(years int) string {
	if years == 1 {
		return "1 year"
	}
	return fmt.Sprintf("%d years", years)
}

// Schedule is the council's retention schedule.
type Schedule struct {
	Minute string `json:"minute"` // that adopted it
	Rules  []Rule `json:"rules"`
}

// Default returns the program's own schedule, for a council that has adopted none but
// its policy. It is that of configs/retention.toml.
func Default() Schedule {
	return Schedule{Rules: []Rule{
		{Class: Messages, Covers: "Everything said or done in an official group: messages, edits, deletions, reactions, votes, files, changes of the group", From: FromMessage, Years: 6, Authority: "Policy §5"},
		{Class: Rosters, Covers: "Who was in an official group: lists of participants, and who joined, left or became an admin", From: FromList, Years: 6, Authority: "Policy §5"},
		{Class: AccessLog, Covers: "Who looked at the record, searched it or had something sent, when and why", From: FromEntry, Years: 6, Authority: "Policy §5"},
		{Class: Certificates, Covers: "Why records are no longer held: lists, approvals, holds, runs, certificates, what remains of destroyed records", From: FromIssue, Years: Permanent, Authority: "Policy §5"},
		{Class: Disputes, Covers: "Disputes that arose from the use of WhatsApp, and their resolution", From: FromClosing, Years: 6, Authority: "Policy §3"},
		{Class: Policies, Covers: "Breaches of the policy, and what was done", From: FromClosing, Years: 6, Authority: "Policy §4"},
		{Class: Breaches, Covers: "The register of breaches of personal data", From: FromClosing, Years: 6, Authority: "Policy §5"},
		{Class: Requests, Covers: "Requests under the Freedom of Information Act and the Environmental Information Regulations", From: FromClosing, Years: 3, Authority: "Policy §1"},
		{Class: Subjects, Covers: "Requests of people for what is held about them", From: FromClosing, Years: 3, Authority: "Policy §1"},
	}}
}

// ForYears returns the program's own schedule, but for what is captured, which is kept
// for so many years.
func ForYears(years int) Schedule {
	s := Default()
	for i, r := range s.Rules {
		if r.Class == Messages || r.Class == Rosters {
			s.Rules[i].Years = years
		}
	}
	return s
}

// Years returns for how many years something of a class is kept, in a group: of several
// rules the longest wins, and without one it is kept for good.
func (s Schedule) Years(c Class, group string) int {
	longest := 0
	for _, r := range s.Rules {
		if r.Class == c && (len(r.Groups) == 0 || slices.Contains(r.Groups, group)) {
			longest = max(longest, r.Years)
		}
	}
	if longest == 0 {
		return Permanent
	}
	return longest
}

// Due returns when a message falls due, in a group without a rule of its own.
func (s Schedule) Due(sent time.Time) Date { return DueAfter(sent, s.Years(Messages, "")) }

// RuleFor names the rule that something of a class follows, captured when its period was
// so many years, for stubs and certificates. A longer period extends it, a shorter one
// does not: whoever wrote then relied on it.
func (s Schedule) RuleFor(c Class, group string, years int) string {
	now := Rule{From: Triggers[c], Years: s.Years(c, group)}
	text := string(c) + ": " + Rule{From: now.From, Years: max(now.Years, years)}.Period()
	if years < now.Years {
		text += fmt.Sprintf(" (%d when it was captured)", years)
	}
	return text
}

// Shortens returns the classes that s keeps for a shorter time than before, in any
// group. What no rule was for was kept for good.
func (s Schedule) Shortens(before Schedule) (classes []Class) {
	groups := []string{""} // none of those that are named
	for _, r := range slices.Concat(s.Rules, before.Rules) {
		groups = append(groups, r.Groups...)
	}
	for _, r := range s.Rules {
		shorter := slices.ContainsFunc(groups, func(g string) bool { return s.Years(r.Class, g) < before.Years(r.Class, g) })
		if shorter && !slices.Contains(classes, r.Class) {
			classes = append(classes, r.Class)
		}
	}
	return classes
}
