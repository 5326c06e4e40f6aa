package archive

import (
	"errors"
	"slices"
	"testing"

	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// sends is a message of that type.
func sends(who record.Address, id string, t record.Type, text string, d record.Details) record.Received {
	r := says(who, id, text)
	r.Type, r.Details = t, d.Encode()
	return r
}

func TestSearchForThings(t *testing.T) {
	o := newOffice(t)
	o.captures(sends(ann, "A1", record.Poll, "When shall we meet?\nMonday\nTuesday", record.Details{}))                                                 // 1
	o.captures(does(bo, 1, record.Vote, record.Cast, "V1"))                                                                                             // 2
	o.captures(sends(ann, "A2", record.Location, "", record.Details{Place: &record.Place{Latitude: 51.5}}))                                             // 3
	o.captures(sends(bo, "B1", record.LiveLocation, "on my way", record.Details{Place: &record.Place{}}))                                               // 4
	o.captures(sends(bo, "B2", record.Voice, "", record.Details{Seconds: 42}))                                                                          // 5
	o.captures(sends(bo, "B3", record.Audio, "", record.Details{}))                                                                                     // 6
	o.captures(sends(bo, "B4", record.VideoNote, "", record.Details{}))                                                                                 // 7
	o.captures(sends(bo, "B5", record.GIF, "hooray", record.Details{}))                                                                                 // 8
	o.captures(sends(bo, "B6", record.Text, "see cranford.example", record.Details{Link: &record.Link{URL: "cranford.example"}}))                       // 9
	o.captures(sends(bo, "B7", record.Text, `"link":`, record.Details{Place: &record.Place{Name: `"link":`}}))                                          // 10
	o.captures(sends(bo, "B8", record.ViewOnce, "", record.Details{}))                                                                                  // 11
	o.captures(sends(bo, "B9", record.Contact, "Joe Bloggs\n020 7946 0000", record.Details{Contacts: []record.Card{{Name: "Joe Bloggs"}}}))             // 12
	o.captures(sends(bo, "C1", record.Event, "Litter pick", record.Details{Event: &record.Gathering{Link: "https://call.example/x"}}))                  // 13
	o.captures(record.Received{Kind: record.Edit, Type: record.Poll, ID: "E1", Sender: ann, Text: "When?", Target: &record.Ref{ID: "A1", Sender: ann}}) // 14
	for query, want := range map[string][]record.Seq{
		"has:poll":         {14, 1},
		"has:place":        {4, 3},
		"has:voice":        {5},
		"has:audio":        {6, 5},
		"has:video":        {8, 7},
		"has:gif":          {8},
		"has:link":         {13, 9},
		"has:view-once":    {11},
		"HAS:Contact":      {12},
		"has:event":        {13},
		"tuesday":          {1},
		"has:poll tuesday": {1},
		"7946":             {12},
	} {
		if got := o.finds(query); !slices.Equal(got, want) {
			t.Errorf("%s finds %v; want %v", query, got, want)
		}
	}
}

// Of what became of a group, a search finds what somebody wrote, and no code.
func TestSearchFindsNoCodes(t *testing.T) {
	o := newOffice(t)
	for _, change := range []struct {
		t    record.Type
		text string
	}{
		{record.Subject, "Cranford lane watch"}, {record.Description, "Be kind"}, {record.Notice, "Ann joined"},
		{record.Timer, "604800"}, {record.Picture, "set"}, {record.Editors, "admins"}, {record.Writers, "all"},
		{record.Approval, "on"}, {record.Community, "joined"}, {record.Suspension, "off"},
	} {
		o.captures(record.Received{Kind: record.Group, Type: change.t, ID: "group:" + string(change.t), Sender: ann, Text: change.text})
	}
	timer := o.captures(says(ann, "A1", "timer"))
	for query, want := range map[string][]record.Seq{
		"lane": {1}, "kind": {2}, "joined": {3}, "604800": nil, "set": nil, "admins": nil, "all": nil, "on": nil, "off": nil, "timer": {timer.Seq},
	} {
		if got := o.finds(query); !slices.Equal(got, want) {
			t.Errorf("%s finds %v; want %v", query, got, want)
		}
	}
	o.expectIndexSound()
	var all []record.Seq
	for _, r := range o.records() {
		all = append(all, r.Seq)
	}
	if n := len(o.destroysOn("2040-01-01", all...)); n != len(all) {
		t.Fatalf("%d of %d destroyed", n, len(all))
	}
	o.expectIndexSound()
	o.write(func(tx *sqlite.Tx) error {
		if _, err := tx.Exec("CREATE VIRTUAL TABLE temp.words USING fts5vocab(main, record_search, instance)"); err != nil {
			return err
		}
		var left string
		if err := tx.QueryRow("SELECT coalesce(group_concat(term, ' '), '') FROM temp.words").Scan(&left); err != nil || left != "" {
			t.Errorf("words of destroyed records in the index: %q, %v", left, err)
		}
		return nil
	})
}

func (o *office) expectIndexSound() {
	o.Helper()
	o.write(func(tx *sqlite.Tx) error {
		lacking, orphans, err := Unsearchable(tx)
		if err != nil || len(lacking) > 0 || orphans > 0 {
			o.Errorf("the index lacks %v and has %d entries too many: %v", lacking, orphans, err)
		}
		return nil
	})
}

// What is read only later is found by what it says then, and not by what it said.
func TestSearchFindsWhatIsReadLater(t *testing.T) {
	for _, indexed := range []bool{true, false} {
		o := newOffice(t)
		vote := o.captures(does(bo, 1, record.Vote, record.Sealed, "V1"))
		message := o.captures(sends(ann, "A2", "album", "an old reading", record.Details{}))
		o.captures(sends(ann, "A3", record.Text, "emptied", record.Details{}))
		if indexed {
			o.finds("anything")
		}
		o.write(func(tx *sqlite.Tx) error {
			for _, q := range []string{
				"DROP TRIGGER record_is_read_once",
				"UPDATE record SET type = 'cast', text = 'Monday' WHERE seq = 1",
				"UPDATE record SET text = 'a fresh reading' WHERE seq = 2",
				"UPDATE record SET text = '' WHERE seq = 3",
			} {
				if _, err := tx.Exec(q); err != nil {
					return err
				}
			}
			return nil
		})
		for query, want := range map[string][]record.Seq{
			"monday": {vote.Seq}, "fresh": {message.Seq}, "old": nil, "reading": {message.Seq}, "emptied": nil,
		} {
			if got := o.finds(query); !slices.Equal(got, want) {
				t.Errorf("indexed before: %v: %s finds %v; want %v", indexed, query, got, want)
			}
		}
		o.expectIndexSound()
	}
}

// Whatever people type is a query or is told what is wrong with it; and a query can be
// asked.
func FuzzQuery(f *testing.F) {
	o := newOffice(f)
	o.captures(says(ann, "A1", "The culvert at Mill Lane is blocked"))
	o.captures(sends(bo, "B1", record.Poll, "When shall we meet?\nMonday\nTuesday", record.Details{}))
	o.write(func(tx *sqlite.Tx) error {
		return people.AddMember(tx, o.now, "sysadmin", "election", people.Member{Name: "Cllr Ann Brook", Role: "councillor"}, ann)
	})
	for _, s := range []string{
		"culvert lane", `"mill lane"`, "plan*", "badger OR hedgehog", "lane -culvert", `from:"ann b" after:2026-11-01 before:2026-12-01 has:photo`,
		`"quoted ' -- ; ("`, "text: AND NEAR(", "26/01234/FU*", "-", "*", `""`, "OR", "has:", "a\x00b", "\xff", "📌 é \u0301", "after:9999-12-31", "before:0000-00-00",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		q, err := ParseQuery(s)
		if err != nil {
			return
		}
		var hits []Hit
		err = o.db.Write(t.Context(), func(tx *sqlite.Tx) (err error) {
			hits, _, err = Search(tx, q, 10)
			return err
		})
		if err != nil && !errors.Is(err, ErrNobody) && !errors.Is(err, ErrNoGroup) {
			t.Fatalf("%q, which is %+v: %v", s, q, err)
		}
		if len(hits) > 2 {
			t.Errorf("%q finds %d of two records", s, len(hits))
		}
		if again, err := ParseQuery(" " + s + " "); err != nil || again.match != q.match || !slices.Equal(again.Has, q.Has) || !slices.Equal(again.From, q.From) {
			t.Errorf("%q is another query with spaces around it: %+v, %+v, %v", s, q, again, err)
		}
	})
}
