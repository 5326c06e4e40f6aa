package archive

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/sqlite"
)

func (o *office) finds(query string) (seqs []record.Seq) {
	o.Helper()
	q, err := ParseQuery(query)
	if err != nil {
		o.Fatalf("%s: %v", query, err)
	}
	o.write(func(tx *sqlite.Tx) error {
		hits, more, err := Search(tx, q, 100)
		if more {
			o.Errorf("%s: more than 100", query)
		}
		for _, h := range hits {
			seqs = append(seqs, h.Seq)
		}
		all, err2 := SearchAll(tx, q)
		if !slices.Equal(all, seqs) {
			o.Errorf("%s: SearchAll finds %v, Search %v", query, all, seqs)
		}
		return errors.Join(err, err2)
	})
	return seqs
}

func TestSearch(t *testing.T) {
	o := newOffice(t)
	o.present(ann, bo)                                                                            // 1
	o.captures(says(ann, "A1", "The culvert at Mill Lane is blocked: see https://river.example")) // 2
	o.captures(says(bo, "B1", "Planning application 26/01234/FUL, objections by Friday"))         // 3
	o.captures(edits(ann, "E1", "The culvert at Mill Lane is clear again", ann, "A1"))            // 4
	o.captures(says(bo, "B2", "Café rents: the lane's planners don't agree"))                     // 5
	o.captures(deletes(bo, "D1", bo, "B2"))                                                       // 6
	photo := says(bo, "B3", "The badger")
	photo.Type, photo.File = record.Image, &record.File{Sealed: []byte("x")}
	o.captures(photo) // 7
	o.now = o.now.Add(240 * time.Hour)
	survey := says(ann, "A2", "")
	survey.Type, survey.File = record.Document, &record.File{Name: "Drainage survey 2026.pdf", Sealed: []byte("y")}
	o.captures(survey)                                                                                                             // 8
	o.captures(record.Received{Kind: record.Group, Type: record.Subject, ID: "group:1", Sender: ann, Text: "Cranford lane watch"}) // 9
	o.captures(record.Received{Kind: record.Group, Type: record.Timer, ID: "group:2", Sender: ann, Text: "604800"})                // 10
	o.write(func(tx *sqlite.Tx) error {
		return people.AddMember(tx, o.now, "sysadmin", "election", people.Member{Name: "Cllr Ann Brook", Role: "councillor"}, ann)
	})
	for query, want := range map[string][]record.Seq{
		"culvert":                 {4, 2}, // the old version too
		"blocked":                 {2},
		"cafe":                    {5}, // deleted, and without its accent
		"CAFÉ":                    {5},
		"mill lane":               {4, 2},
		`"lane mill"`:             nil,
		`"mill lane"`:             {4, 2},
		"lane":                    {9, 5, 4, 2},
		"plan*":                   {5, 3},
		`"planning appl"*`:        {3},
		"badger OR friday":        {7, 3},
		"lane badger OR planners": {5},
		"lane -culvert":           {9, 5},
		"26/01234/FUL":            {3},
		"26/01234/FU*":            {3},
		"don't":                   {5},
		"survey":                  {8},
		"from:ann lane":           {9, 4, 2},
		`from:"ann b" lane`:       {9, 4, 2},
		"from:brook has:document": {8},
		"has:photo":               {7},
		"has:file":                {8, 7},
		"has:link":                {2},
		"lane after:2026-03-03":   {9},
		"lane before:2026-03-03":  {5, 4, 2},
		"after:2026-03-03 has:file before:2026-04-01": {8},
		"604800":            nil,
		"or":                nil,
		`text: AND NEAR(`:   nil,
		"lane file_name":    nil,
		`"quoted ' -- ; ("`: nil,
	} {
		if got := o.finds(query); !slices.Equal(got, want) {
			t.Errorf("%s finds %v; want %v", query, got, want)
		}
	}
}

func TestQueriesThatAreNone(t *testing.T) {
	for query, says := range map[string]string{
		`"open`:             "not closed",
		"a OR":              "between two words",
		"OR a":              "between two words",
		"a OR from:ann":     "between words",
		"📌":                 "words and numbers",
		"-culvert":          "not only what to leave out",
		"a OR -b":           "between two words",
		"from:":             "say what",
		"after:yesterday":   "written like 2026-11-22",
		"has:cake":          "has: takes album, audio, call, comment, contact, document, event, file, gif, invite, link, payment, photo, place, poll, sticker, video, view-once or voice",
		"-from:ann culvert": "before words",
		"in: culvert":       "say what, directly after",
		"in:a in:b":         "in: stands once",
	} {
		if _, err := ParseQuery(query); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v; want %q", query, err, says)
		}
	}
	o := newOffice(t)
	q, err := ParseQuery("from:nobody")
	if err != nil {
		t.Fatal(err)
	}
	o.write(func(tx *sqlite.Tx) error {
		if _, _, err := Search(tx, q, 10); !errors.Is(err, ErrNobody) {
			t.Errorf("from:nobody: %v", err)
		}
		if _, err := SearchAll(tx, Query{}); err == nil {
			t.Error("all records are found by asking for nothing")
		}
		return nil
	})
}

// What was sent in one group is found in it, with words or without, and not in another.
func TestSearchInAGroup(t *testing.T) {
	o := newOffice(t)
	const officers = "120363000000000002@g.us"
	in := func(group, id, text string) record.Seq {
		r := says(ann, id, text)
		r.Group, r.PushName = group, "Ann"
		return o.captures(r).Seq
	}
	here, there := in(official, "A1", "The culvert at Mill Lane"), in(officers, "A1", "The culvert again")
	quiet := in(officers, "A2", "Friday")
	groups := map[string]string{official: "Cranford councillors", officers: "Officers"}
	for query, want := range map[string][]record.Seq{
		`culvert`:                               {there, here},
		`culvert in:officers`:                   {there},
		`in:"cranford councillors"`:             {here},
		`IN:Officers`:                           {quiet, there},
		`in:Officers from:ann after:2026-01-01`: {quiet, there},
		`in:Officers lane`:                      nil,
	} {
		q, err := ParseQuery(query)
		if err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		q.Groups = groups
		o.write(func(tx *sqlite.Tx) error {
			seqs, err := SearchAll(tx, q)
			if !slices.Equal(seqs, want) {
				t.Errorf("%s finds %v, not %v", query, seqs, want)
			}
			return err
		})
	}
	q, err := ParseQuery("in:Officer culvert")
	if err != nil {
		t.Fatal(err)
	}
	q.Groups = groups
	o.write(func(tx *sqlite.Tx) error {
		if _, err := SearchAll(tx, q); !errors.Is(err, ErrNoGroup) || err.Error() != `search: no group in the configuration is called "Officer"; there is "Cranford councillors", "Officers"` {
			t.Errorf("in:Officer: %v", err)
		}
		return nil
	})
}

// Whatever people type is either refused in words or a query that SQLite takes.
func FuzzParseQuery(f *testing.F) {
	for _, s := range []string{`mill "lane cul"* OR badger -x from:"ann b" after:2026-01-01`, `"`, `a" b`, "*", "x*y", "col:a", "a\x00b", "^a", "{a b}: c", "NEAR(a b)", "-", "--a", "😀x"} {
		f.Add(s)
	}
	o := newOffice(f)
	o.captures(says(ann, "A1", "The culvert at Mill Lane is blocked"))
	f.Fuzz(func(t *testing.T, s string) {
		q, err := ParseQuery(s)
		if err != nil {
			return
		}
		if err := o.db.Write(t.Context(), func(tx *sqlite.Tx) error {
			_, _, err := Search(tx, q, 10)
			return err
		}); err != nil && !errors.Is(err, ErrNobody) && !errors.Is(err, ErrNoGroup) {
			t.Errorf("%q became %q: %v", s, q.match, err)
		}
	})
}

// After a destruction and the merge that follows it, the index holds no word that
// only destroyed records said.
func TestNothingStaysInTheIndex(t *testing.T) {
	o := newOffice(t)
	for i := range 300 {
		text := "the hedge and the verge"
		if i%3 == 0 {
			text = "outinterviewers quarrelled"
		}
		o.captures(says(ann, "A"+time.Duration(i).String(), text))
	}
	var gone []record.Seq
	for _, r := range o.records() {
		if strings.Contains(r.Text, "quarrelled") {
			gone = append(gone, r.Seq)
		}
	}
	o.finds("quarrelled") // now they are in the index
	if n := len(o.destroysOn("2040-01-01", gone...)); n != 100 {
		t.Fatalf("%d destroyed", n)
	}
	if got := o.finds("quarrelled"); got != nil {
		t.Errorf("found after the destruction: %v", got)
	}
	steps := 0
	for done := false; !done; steps++ {
		o.write(func(tx *sqlite.Tx) (err error) {
			done, err = MergeSearch(tx, steps == 0)
			return err
		})
	}
	t.Logf("merged in %d steps", steps)
	o.write(func(tx *sqlite.Tx) error {
		if _, err := tx.Exec("CREATE VIRTUAL TABLE temp.words USING fts5vocab(main, record_search, row)"); err != nil {
			return err
		}
		rows, err := tx.Query("SELECT term FROM temp.words")
		if err != nil {
			return err
		}
		defer rows.Close()
		var words []string
		for rows.Next() {
			var w string
			if err := rows.Scan(&w); err != nil {
				return err
			}
			words = append(words, w)
		}
		if diff := cmp.Diff([]string{"and", "hedge", "the", "verge"}, words); diff != "" {
			t.Errorf("words in the index (-want +got)\n%s", diff)
		}
		if _, err := tx.Exec("INSERT INTO record_search (record_search, rank) VALUES ('integrity-check', 1)"); err != nil {
			t.Errorf("the index does not agree with the records: %v", err)
		}
		for _, w := range []string{"quarrelled", "outinterviewers"} {
			var held bool
			if err := tx.QueryRow("SELECT EXISTS (SELECT 1 FROM record_search_data WHERE instr(block, CAST(? AS BLOB)))", w[2:]).Scan(&held); err != nil || held {
				t.Errorf("%q is still in the index's pages: %v, %v", w, held, err)
			}
		}
		return rows.Err()
	})
}
