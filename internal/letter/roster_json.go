package letter

import (
	"encoding/json"
	"strings"
	"time"

	"muniment/internal/archive"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/saying"
)

// rosterJSON is the report for other programs. Times are UTC, days are London's; what does
// not apply or is not known is null.
type rosterJSON struct {
	Reference     int64       `json:"reference"`
	DrawnUpAt     string      `json:"drawn_up_at"`
	AsAt          string      `json:"as_at"`
	Council       string      `json:"council"`
	Group         string      `json:"group"`
	Purpose       string      `json:"purpose"`
	Policy        string      `json:"policy"`
	Notice        *noticeJSON `json:"notice"`
	Begins        *string     `json:"begins"`
	Known         bool        `json:"known"`
	Incomplete    []string    `json:"incomplete"`
	*listsJSON                // nothing of it unless known
	Statement     string      `json:"statement"`
	Demonstration string      `json:"demonstration,omitempty"`
}

type listsJSON struct {
	EveryCouncillor bool           `json:"every_councillor"`
	Councillors     int            `json:"councillors_in_office"`
	CouncillorsIn   int            `json:"councillors_in_group"`
	OfficersIn      int            `json:"officers_in_group"`
	OthersIn        int            `json:"others_in_group"`
	In              []enrolledJSON `json:"in_group"`
	Absent          []absentJSON   `json:"not_in_group"`
	Strangers       []strangerJSON `json:"not_on_register"`
	Since           *sinceJSON     `json:"since"`
	Changes         []changeJSON   `json:"changes"`
	Unseen          []string       `json:"changes_missing"`
}

type noticeJSON struct {
	GivenOn string  `json:"given_on"`
	Version *string `json:"version"`
}

type enrolledJSON struct {
	Name     string `json:"name"`
	Role     string `json:"role"`
	InOffice bool   `json:"in_office"`
	cameJSON
	Notice *noticeJSON `json:"notice"`
}

// cameJSON is how somebody came to be in the group.
type cameJSON struct {
	How    string  `json:"how"`
	Joined *string `json:"joined"`
	Seen   string  `json:"seen"`
	By     *string `json:"by"`
	Admin  bool    `json:"admin"`
}

type absentJSON struct {
	Name        string  `json:"name"`
	Role        string  `json:"role"`
	Reason      *string `json:"reason"`
	How         *string `json:"how"`
	Went        *string `json:"went"`
	By          *string `json:"by"`
	Alternative *string `json:"alternative"`
	Gap         bool    `json:"gap"`
	Confirmed   *string `json:"confirmed_on"`
}

type strangerJSON struct {
	Name    string  `json:"name"`
	OwnName *string `json:"own_name"`
	cameJSON
	Identified *string `json:"identified_as"`
	Action     string  `json:"action_needed"`
}

type sinceJSON struct {
	Reference int64  `json:"reference"`
	AsAt      string `json:"as_at"`
}

type changeJSON struct {
	At     string  `json:"at"`
	What   string  `json:"what"`
	By     *string `json:"by"`
	Reason *string `json:"reason"`
}

// JSON returns the report as one object in one line.
func (r *Roster) JSON() ([]byte, error) {
	j := rosterJSON{
		Reference: r.Reference, DrawnUpAt: utc(r.DrawnUp), AsAt: utc(r.At), Council: saying.OneLine(r.w.Council),
		Group: saying.OneLine(r.group.Name), Purpose: saying.OneLine(r.group.Purpose), Policy: saying.OneLine(r.w.PolicyReference),
		Notice: noticeOf(r.group.Notice.On, r.group.Notice.Version), Known: r.known, Incomplete: append([]string{}, r.incomplete...), Statement: noNumbers,
	}
	if !r.begins.IsZero() {
		j.Begins = orNull(utc(r.begins))
	}
	if r.w.Demonstration {
		j.Demonstration = strings.Replace(demonstration, "email", "report", 1)
	}
	if r.known {
		j.listsJSON = r.lists()
	}
	return json.Marshal(j)
}

func (r *Roster) lists() *listsJSON {
	j := &listsJSON{
		EveryCouncillor: r.group.EveryCouncillor, Councillors: r.councillors, CouncillorsIn: r.councillorsIn, OfficersIn: r.officersIn, OthersIn: r.othersIn,
		In: []enrolledJSON{}, Absent: []absentJSON{}, Strangers: []strangerJSON{}, Changes: []changeJSON{}, Unseen: append([]string{}, r.unseen...),
	}
	for _, l := range r.in {
		j.In = append(j.In, enrolledJSON{r.called(l.person), l.member.Role, l.member.InOffice(r.At), r.cameOf(l.in), noticeOf(l.member.Notice.On, l.member.Notice.Version)})
	}
	for _, l := range r.absent {
		j.Absent = append(j.Absent, r.absentOf(l))
	}
	for _, l := range r.strangers {
		j.Strangers = append(j.Strangers, strangerJSON{r.called(l.person), orNull(r.ownName(l.person)), r.cameOf(l.in), orNull(enteredName(l.since.Name)), r.action(l)})
	}
	if !r.Last.At.IsZero() {
		j.Since = &sinceJSON{r.Last.Reference, utc(r.Last.At)}
	}
	for _, c := range r.changes {
		j.Changes = append(j.Changes, changeJSON{utc(c.At), c.What, orNull(c.By), orNull(c.Reason)})
	}
	return j
}

func (r *Roster) cameOf(e archive.Enrolled) cameJSON {
	j := cameJSON{How: string(e.How), Seen: utc(e.Seen), Admin: e.Admin}
	if since := e.Since(); !since.IsZero() {
		j.Joined = orNull(utc(since))
	}
	if e.Reason == "invite" {
		j.How = "invite link"
	}
	if e.By != 0 {
		j.By = orNull(r.called(e.By))
	}
	return j
}

func (r *Roster) absentOf(l rosterLine) absentJSON {
	a := l.member.Absence
	j := absentJSON{Name: r.called(l.person), Role: l.member.Role, Reason: orNull(a.Reason), Alternative: orNull(entered(a.Alternative))}
	j.Gap = j.Alternative == nil
	if !a.Confirmed.IsZero() {
		j.Confirmed = orNull(string(retention.DateOf(a.Confirmed)))
	}
	if l.gone.Person == 0 {
		return j
	}
	j.How, j.Went = orNull(string(l.gone.How)), orNull(utc(l.gone.At))
	if l.gone.How == record.Present {
		j.How = orNull("absent")
	}
	if l.gone.By != 0 {
		j.By = orNull(r.called(l.gone.By))
	}
	return j
}

func noticeOf(on time.Time, version string) *noticeJSON {
	if on.IsZero() {
		return nil
	}
	return &noticeJSON{string(retention.DateOf(on)), orNull(entered(version))}
}

func utc(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// orNull returns s, null if it is empty.
func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
