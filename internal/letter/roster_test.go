package letter

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muniment/internal/archive"
	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/sqlite"
)

var (
	kit = person{record.Address{JID: "100000000000107@lid", Alt: "447700900107@s.whatsapp.net"}, "Kit 🚴"}
	num = person{record.Address{JID: "447700900108@s.whatsapp.net"}, "07700 900108"}
	moe = person{record.Address{JID: "100000000000109@lid"}, "Moe"}
	val = person{record.Address{JID: "100000000000110@lid"}, ""}
)

// rosterReport asks for the report that these tests are about: as at the end of November,
// made in December, when one as at the end of October had been made.
func rosterReport() RosterQuery {
	return RosterQuery{
		Group: cranford, At: at("2026-11-30 23:59").Add(59*time.Second + 999*time.Millisecond), Day: "2026-11-30",
		DrawnUp: at("2026-12-20 10:15"), Reference: 312,
		Last: RosterMade{Reference: 207, At: at("2026-10-31 23:59"), DrawnUp: at("2026-11-01 09:00")},
	}
}

func rosterWriter() *Writer {
	w := writer()
	w.PolicyReference = "WhatsApp Use Policy, adopted on 16 September 2024, minute 24/037"
	w.Groups[cranford] = Group{Name: "Cranford councillors", Purpose: "Quick, informal messages. No decisions are made here.", EveryCouncillor: true,
		Notice: people.Notice{On: at("2026-09-01 00:00"), Version: "2"}}
	return w
}

// enrols has all happen to the group and to the register that a report can tell of.
func enrols(t *testing.T) *council {
	c := newCouncil(t)
	on := func(s string) time.Time { return at(s + " 00:00") }
	edit := func(when, who, reason string, id int64, change func(*people.Member)) {
		c.write(func(tx *sqlite.Tx) error {
			m, err := people.MemberByID(tx, id)
			if err != nil {
				return err
			}
			change(&m)
			return people.EditMember(tx, at(when), who, reason, m)
		})
	}
	enter := func(when, reason string, m people.Member, a record.Address) {
		c.write(func(tx *sqlite.Tx) error { return people.AddMember(tx, at(when), "Jo Hall", reason, m, a) })
	}
	enter("2026-08-03 09:00", "elected in 2023", people.Member{Name: "Cllr Ed Frost", Role: "councillor", From: on("2023-05-08"),
		Absence: people.Absence{Reason: "does not use WhatsApp", Alternative: "weekly digest by email", Confirmed: on("2026-08-31")}}, record.Address{})
	enter("2026-08-03 09:01", "elected in 2023", people.Member{Name: "Cllr Flo Green", Role: "councillor",
		Absence: people.Absence{Reason: "not invited", Alternative: "the clerk rings 07700 900155 (ask for Flo)"}}, record.Address{})
	enter("2026-08-03 09:02", "co-opted", people.Member{Name: "Cllr Gus Hale", Role: "councillor"}, record.Address{})
	enter("2026-08-03 09:03", "", people.Member{Name: "Hal Ives", Role: "other", Notice: people.Notice{On: on("2026-09-01"), Version: "2"}}, sam.Address)
	enter("2026-08-03 09:04", "by-election of 3 December", people.Member{Name: "Cllr Val Knox", Role: "councillor", From: on("2026-12-04")}, val.Address)
	for id := range int64(4) {
		edit("2026-09-02 10:00", "Jo Hall", "handed out", id+1, func(m *people.Member) { m.Notice = people.Notice{On: on("2026-09-01"), Version: "2"} })
	}

	c.moves(ann, at("2026-09-01 09:00"), record.Present, ann, bo, jo, sam)
	c.moves(jo, at("2026-09-03 09:00"), record.Added, dee)
	c.did(kit, at("2026-09-10 09:00"), record.Received{Kind: record.Participants, Type: record.Joined, Details: record.Details{Reason: "invite"}.Encode(),
		Participants: []record.Participant{{Address: kit.Address}}})
	c.moves(bo, at("2026-10-05 09:00"), record.Left, bo)
	c.moves(jo, at("2026-10-30 09:00"), record.Added, val)

	// The last report was as at 31 October.
	c.takes(record.Received{Kind: record.Participants, Type: record.Promoted, Sender: ann.Address, Sent: at("2026-10-20 09:00"),
		Participants: []record.Participant{{Address: sam.Address}}}, at("2026-11-02 07:30"))
	c.takes(record.Received{Kind: record.Participants, Type: record.Removed, Sender: record.Address{JID: cranford}, Sent: at("2026-11-03 12:00"),
		Participants: []record.Participant{{Address: dee.Address}}}, at("2026-11-03 12:01"))
	c.moves(ann, at("2026-11-05 18:00"), record.Promoted, jo)
	c.moves(ann, at("2026-11-06 18:00"), record.Added, pat, num)
	c.says(num, at("2026-11-06 18:05"), "Hello")
	edit("2026-11-08 20:00", "Jo Hall", "minute 26/101; rang her on +44 7700 900101", 1, func(m *people.Member) { m.Role = "chair" })
	edit("2026-11-09 09:00", "Jo Hall", "he wrote", 2, func(m *people.Member) {
		m.Absence = people.Absence{Reason: "chose not to", Alternative: "papers by post", Confirmed: on("2026-11-07")}
	})
	edit("2026-11-09 09:05", "Jo Hall", "address changed", 3, func(m *people.Member) { m.Email = "dee@cranford-pc.example" })
	c.write(func(tx *sqlite.Tx) error {
		return errors.Join(
			people.EndMember(tx, at("2026-11-10 09:00"), "Jo Hall", "moved away", 8, on("2026-12-01")),
			archive.OpenGap(tx, at("2026-11-12 10:00"), at("2026-11-12 10:00"), archive.NotLinked, "logged out"),
			archive.CloseGap(tx, at("2026-11-12 15:00")))
	})
	c.moves(ann, at("2026-11-15 09:00"), record.Present, ann, jo, sam, pat, num, val, moe)
	c.says(moe, at("2026-11-15 10:00"), "Hello")
	c.write(func(tx *sqlite.Tx) error {
		_, err := archive.OpenGroupGap(tx, at("2026-11-29 08:00"), at("2026-11-29 08:00"), archive.ListBroken, cranford, "a change was not told")
		return err
	})

	// What came later is not as at 30 November.
	c.moves(jo, at("2026-12-02 09:00"), record.Removed, pat)
	enter("2026-12-03 09:00", "the new caretaker", people.Member{Name: "Moe Nash", Role: "officer"}, moe.Address)
	edit("2026-12-03 10:00", "Jo Hall", "as asked", 5, func(m *people.Member) { m.Name = "Cllr Edward Frost" })
	return c
}

func (c *council) roster(w *Writer, q RosterQuery) (r *Roster) {
	c.t.Helper()
	c.write(func(tx *sqlite.Tx) (err error) { r, err = w.Roster(tx, q); return err })
	return r
}

// formats returns the report in its three forms.
func (c *council) formats(r *Roster) map[string]string {
	c.t.Helper()
	page, err := r.HTML()
	if err != nil {
		c.t.Fatal(err)
	}
	object, err := r.JSON()
	if err != nil {
		c.t.Fatal(err)
	}
	return map[string]string{".txt": r.Text(), ".html": page, ".json": string(object) + "\n"}
}

func TestRoster(t *testing.T) {
	c := enrols(t)
	for suffix, got := range c.formats(c.roster(rosterWriter(), rosterReport())) {
		if suffix == ".json" {
			var pretty any
			if err := json.Unmarshal([]byte(got), &pretty); err != nil {
				t.Fatal(err)
			}
			b, _ := json.MarshalIndent(pretty, "", "  ")
			got = string(b) + "\n"
		}
		file := filepath.Join("testdata", "roster"+suffix)
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("%s (-want +got; -update writes it anew):\n%s", file, diff)
		}
	}
}

// No form of a report holds a telephone number or an address of anybody, nor a part of
// one, whoever typed it and wherever.
func TestRosterShowsNoNumber(t *testing.T) {
	c := enrols(t)
	number := regexp.MustCompile(`\+?44[\d ]{3,}|0?7700|900 ?1\d\d|10000000000|1203630|@lid|@s\.whatsapp|@g\.us`)
	for _, q := range []RosterQuery{rosterReport(), {Group: cranford, At: at("2027-01-05 09:00"), DrawnUp: at("2027-01-05 09:00")}, {Group: cranford, At: at("2026-08-30 09:00")}} {
		for suffix, text := range c.formats(c.roster(rosterWriter(), q)) {
			for _, found := range number.FindAllString(text, -1) {
				t.Errorf("%s as at %s holds %q", suffix, q.At, found)
			}
			if strings.Contains(text, "Telephone numbers are not shown") == false {
				t.Errorf("%s as at %s says nothing of telephone numbers", suffix, q.At)
			}
		}
	}
}

// What a report says of a moment stays, whatever is done afterwards.
func TestRosterOfAMomentStays(t *testing.T) {
	c := enrols(t)
	q := rosterReport()
	before := c.formats(c.roster(rosterWriter(), q))
	c.moves(jo, at("2026-12-10 09:00"), record.Removed, ann)
	c.moves(jo, at("2026-12-11 09:00"), record.Present, jo)
	c.write(func(tx *sqlite.Tx) error {
		return errors.Join(people.RemoveMember(tx, at("2026-12-12 09:00"), "Jo Hall", "a mistake", 7),
			people.EndMember(tx, at("2026-12-12 10:00"), "Jo Hall", "resigned", 1, at("2026-06-01 00:00")))
	})
	for suffix, after := range c.formats(c.roster(rosterWriter(), q)) {
		if diff := cmp.Diff(before[suffix], after); diff != "" {
			t.Errorf("%s (-before +after)\n%s", suffix, diff)
		}
	}
}

func TestRosterOfOtherGroups(t *testing.T) {
	c := enrols(t)
	w := rosterWriter()
	w.Demonstration = true
	w.Groups["120363041234567891@g.us"] = Group{Name: "Officers", Purpose: "Rotas."}
	q := rosterReport()
	q.Group = "120363041234567891@g.us"
	if text := c.roster(w, q).Text(); !strings.Contains(text, "No list of who is in the group is kept") || strings.Contains(text, "Ann Brook") {
		t.Errorf("of a group of which nothing is known:\n%s", text)
	}
	c.takes(record.Received{Group: q.Group, Kind: record.Participants, Type: record.Present, Sender: jo.Address, Sent: at("2026-11-20 09:00"),
		Participants: []record.Participant{{Address: jo.Address}, {Address: ann.Address}}}, at("2026-11-20 09:00"))
	text := strings.Join(strings.Fields(c.roster(w, q).Text()), " ")
	for _, want := range []string{"DEMONSTRATION", "Who was in the WhatsApp group “Officers”", "In the group: 1 of 6 councillors", "this group is not meant for every councillor",
		"Since report number 207, as at Saturday 31 October 2026 at 23:59:", "Cllr Ann Brook:", "Not listed:"} {
		if !strings.Contains(text, want) {
			t.Errorf("the report of the officers lacks %q:\n%s", want, text)
		}
	}
	for _, wrong := range []string{"Bo Carter", "Ed Frost", "Dee Evans", "Hal Ives", "GAP"} {
		if strings.Contains(text, wrong) {
			t.Errorf("the report of the officers tells of the councillors' group: %q", wrong)
		}
	}
	q.At, q.Day = at("2026-11-19 09:00"), "2026-11-18"
	if text := c.formats(c.roster(w, q))[".html"]; !strings.Contains(text, "begins on Friday 20 November 2026 at 09:00") {
		t.Errorf("of a time before the record:\n%s", text)
	}
}

// Of a group that was never connected to, the report has what the register says.
func TestRosterBeforeTheFirstList(t *testing.T) {
	c := newCouncil(t)
	c.write(func(tx *sqlite.Tx) error {
		for _, m := range []people.Member{
			{Name: "Cllr Flo Green", Role: "councillor", Absence: people.Absence{Reason: "does not use WhatsApp", Alternative: "weekly digest by email", Confirmed: at("2026-11-02 00:00")}},
			{Name: "Cllr Val Knox", Role: "councillor", From: at("2026-12-04 00:00")},
		} {
			if err := people.AddMember(tx, at("2026-11-03 09:00"), "Jo Hall", "elected", m, record.Address{}); err != nil {
				return err
			}
		}
		return nil
	})
	q := rosterReport()
	q.Last = RosterMade{}
	w := rosterWriter()
	_, text, found := strings.Cut(c.roster(w, q).Text(), "Councillors in office\n")
	if !found {
		t.Fatal("it does not list the councillors")
	}
	for _, want := range []string{"Cllr Ann", "Cllr Bo", "does not use", "weekly", "2 November", "not recorded"} {
		if !strings.Contains(text, want) {
			t.Errorf("it lacks %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "Val") || strings.Contains(text, missingAlternative) {
		t.Errorf("it lists who is not in office yet, or knows of a gap:\n%s", text)
	}
	w.Groups[cranford] = Group{Name: "Cranford councillors"}
	if text := c.roster(w, q).Text(); strings.Contains(text, "Councillors in office") {
		t.Errorf("of a group that is not meant for every councillor:\n%s", text)
	}
}

// The first report tells all since the record began.
func TestFirstRoster(t *testing.T) {
	c := enrols(t)
	q := rosterReport()
	q.Last = RosterMade{}
	text := c.formats(c.roster(rosterWriter(), q))[".html"]
	for _, want := range []string{"Since the record began:", "Cllr Dee Evans was added", "Cllr Bo Carter left", "Cllr Ed Frost was put on the register as councillor"} {
		if !strings.Contains(text, want) {
			t.Errorf("the first report lacks %q", want)
		}
	}
}

// A page is made for people who cannot see it, too, and needs nothing from elsewhere.
func TestRosterPage(t *testing.T) {
	c := enrols(t)
	page := c.formats(c.roster(rosterWriter(), rosterReport()))[".html"]
	for _, want := range []string{`<html lang="en-GB">`, `<th role="columnheader" scope="col" `, `<th role="rowheader" scope="row" `, "@page { size: A4", "@media screen and (prefers-color-scheme: dark)"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	for _, wrong := range []string{"http:", "https:", "src=", "<script", "<link", "url("} {
		if strings.Contains(page, wrong) {
			t.Errorf("the page holds %s", wrong)
		}
	}
	if n := strings.Count(page, "<h1 "); n != 1 {
		t.Errorf("%d headings of the first rank", n)
	}
}
