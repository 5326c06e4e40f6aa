package main

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"muniment/internal/config"
	"muniment/internal/people"
)

// tellRows writes what was read of a table of people, a row a line.
func tellRows(rows []row) string {
	var b strings.Builder
	for _, r := range rows {
		fmt.Fprintf(&b, "%d: %s%s", r.line, r.number, r.lid)
		for _, f := range fields {
			if s, ok := r.says[f.name]; ok {
				fmt.Fprintf(&b, " %s=%q", f.name, s)
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

func TestReadRegister(t *testing.T) {
	for _, tt := range []struct {
		name, file, rows string
		faults           []string
	}{
		{"as we call the columns", "name,role,number\nAnn,clerk,07700 900101\n", "2: 07700 900101 name=\"Ann\" role=\"clerk\"\n", nil},
		{"as Excel saves it", "\ufeffName;Role;Absent because;Number\r\nAnn;clerk;;07700 900101\r\n;;;\r\n", "2: 07700 900101 name=\"Ann\" role=\"clerk\"\n", nil},
		{"with tabs", "NAME\tROLE\tE-mail\nAnn\t\ta@b.example\n", "2:  name=\"Ann\" email=\"a@b.example\"\n", nil},
		{"in any order, otherwise called", " Notice_given , TELEPHONE,Alternative, name\n1/2/2026,07700900101,\"a letter, weekly\",Ann\n",
			"2: 07700900101 name=\"Ann\" instead=\"a letter, weekly\" notice-given=\"1/2/2026\"\n", nil},
		{"quotation marks and line breaks", "name,instead\n\"Ann \"\"A\"\" Brook\",\"one\ntwo\"\nBo,\n", "2:  name=\"Ann \\\"A\\\" Brook\" instead=\"one\\ntwo\"\n4:  name=\"Bo\"\n", nil},
		{"a formula is text", "name\n=HYPERLINK(1)\n@SUM\n+1\n", "2:  name=\"=HYPERLINK(1)\"\n3:  name=\"@SUM\"\n4:  name=\"+1\"\n", nil},
		{"spaces of a spreadsheet", "name\n\u00a0Ann\u00a0Brook \n", "2:  name=\"Ann Brook\"\n", nil},
		{"a line that is short, and columns without heading or content", "name,role,,\nAnn\nBo,clerk,,\n", "2:  name=\"Ann\"\n3:  name=\"Bo\" role=\"clerk\"\n", nil},
		{"nothing", "", "", []string{"it is empty: its first line must name the columns: name, number, lid, role, from, until, email, absent because, instead, confirmed, notice given, notice version"}},
		{"headings only", "name,role\n", "", nil},
		{"not UTF-8", "name\nSi\xe2n\n", "", []string{"it is not UTF-8 text: in the spreadsheet, save it as \"CSV UTF-8\""}},
		{"no name", "role,number\nclerk,1\n", "", []string{"line 1: there must be a column name"}},
		{"columns that are not known, and one twice", "name,ward,phone,mobile,shoe size\n", "", []string{
			"line 1: no column is called \"ward\"; there may be: " + headings(),
			"line 1: columns 3 and 4 are both for the same, number",
			"line 1: no column is called \"shoe size\"; there may be: " + headings()}},
		{"more cells than columns", "name\nAnn,clerk\n", "2:  name=\"Ann\"\n", []string{`line 2: "clerk" stands beyond the columns that have a heading`}},
		{"a quotation mark too many", "name\nAnn\nBo \"the\" Carter\n", "", []string{
			"line 3: a quotation mark stands where none should be, or is missing (at character 4); what follows cannot be read"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rows, faults := readRegister([]byte(tt.file))
			if diff := cmp.Diff(tt.rows, tellRows(rows)); diff != "" {
				t.Errorf("rows (-want +got)\n%s", diff)
			}
			var told []string
			for _, f := range faults {
				told = append(told, f.Error())
			}
			if diff := cmp.Diff(tt.faults, told); diff != "" {
				t.Errorf("faults (-want +got)\n%s", diff)
			}
		})
	}
}

func TestParseDay(t *testing.T) {
	for s, want := range map[string]string{
		"6 May 2027": "2027-05-06", "06 may 2027": "2027-05-06", "6 Sep 2027": "2027-09-06", "6-May-2027": "2027-05-06",
		"6/5/2027": "2027-05-06", "06/05/2027": "2027-05-06", "6.5.2027": "2027-05-06", "6-5-2027": "2027-05-06", "2027-05-06": "2027-05-06",
		"29/2/2028": "2028-02-29", "29/2/2027": "", "5/13/2027": "", "6/5/27": "", "May": "", "6 May 0027": "", "46148": "",
	} {
		if d, err := parseDay(s, time.Time{}); string(d) != want || (err == nil) != (want != "") {
			t.Errorf("parseDay(%q) = %q, %v; want %q", s, d, err, want)
		}
	}
}

// FuzzRegister reads any table. What is read of an entry, and written as it is shown,
// reads the same again.
func FuzzRegister(f *testing.F) {
	f.Add([]byte("name,role,number\nAnn,clerk,07700 900101\n"))
	f.Add([]byte("\ufeffName;Role;From;Until;Absent because\r\n\"Cllr \"\"Bo\"\"\";Deputy Clerk;6/5/2023;2027-05-03;Left\r\n"))
	f.Add([]byte("name\tlid\tnotice given\tnotice version\tconfirmed\tinstead\temail\n=1+1\t1@lid\t1 May 2026\t2\t1.5.2026\ta letter\tx@council.example\n"))
	f.Add([]byte("name\n\"Ann"))
	cfg := config.Config{Council: config.Council{Domains: []string{"council.example"}}}
	f.Fuzz(func(t *testing.T, b []byte) {
		rows, faults := readRegister(b)
		last := 1
		for _, r := range rows {
			if r.line <= last {
				t.Errorf("line %d comes after line %d", r.line, last)
			}
			last = r.line
			for _, err := range r.check(cfg) {
				if s := err.Error(); !strings.HasPrefix(s, fmt.Sprintf("line %d", r.line)) || !utf8.ValidString(s) {
					t.Errorf("fault %q of line %d", s, r.line)
				}
			}
			for name, value := range r.says {
				if value == "" || value != strings.TrimSpace(value) || heading(name) != name {
					t.Errorf("line %d says %q=%q", r.line, name, value)
				}
			}
			var m, again people.Member
			if wrong := r.says.apply(&m, cfg); len(wrong) > 0 {
				continue
			}
			shown := make(said)
			for _, f := range fields {
				shown[f.name] = f.get(m)
			}
			if shown["role"] == "" {
				shown["role"], m.Role = "other", "other"
			}
			if shown["name"] == "" {
				shown["name"], m.Name = "X", "X"
			}
			if wrong := shown.apply(&again, cfg); len(wrong) > 0 || !reflect.DeepEqual(m, again) {
				t.Errorf("%q reads as %+v, shown as %q, and that as %+v, %v", r.says, m, shown, again, wrong)
			}
		}
		if len(rows) == 0 && len(faults) == 0 && len(strings.TrimSpace(string(b))) > 0 && !strings.Contains(strings.ToLower(string(b)), "name") {
			t.Error("nothing was read, and nothing is wrong")
		}
	})
}
