package main

import (
	"context"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"muniment/internal/archive"
	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/saying"
	"muniment/internal/sqlite"
	"muniment/internal/sqlite/sqlitetest"
)

// viewerWith returns a viewer that knows the people with these numbers by these names.
func viewerWith(t *testing.T, called map[string]string) (v viewer) {
	t.Helper()
	db, err := sqlitetest.Create(context.Background(), filepath.Join(t.TempDir(), "archive.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Write(context.Background(), func(tx *sqlite.Tx) (err error) {
		for number, name := range called {
			if _, err := people.Identify(tx, time.Now(), record.Address{JID: number + "@s.whatsapp.net"}, name); err != nil {
				return err
			}
		}
		v.names, err = people.LoadNames(tx)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return v
}

// Wherever a piece is cut off and whatever is found in it, no part of a mention's
// number is left.
func TestNoPartOfAMentionIsLeft(t *testing.T) {
	v := viewerWith(t, map[string]string{"447700900103": "Cy", "4477009001": "Dee"})
	r := archive.Record{
		Text:     "Is @447700900103, or @4477009001? @447700900103",
		Mentions: []string{"447700900103@s.whatsapp.net", "4477009001@s.whatsapp.net"},
	}
	number := regexp.MustCompile(`[0-9]`)
	for from := range len(r.Text) {
		for to := from; to <= len(r.Text); to++ {
			for _, found := range [][]span{nil, {{from, to}}, {{from, (from + to) / 2}}, {{0, len(r.Text)}}} {
				e := v.cut(r, span{from, to}, found)
				if got := e.plain(); number.MatchString(got) {
					t.Fatalf("[%d:%d] with %v: %q", from, to, found, got)
				}
			}
		}
	}
}

func TestExcerpts(t *testing.T) {
	v := viewerWith(t, map[string]string{"447700900103": "Cy"})
	cy := []string{"447700900103@s.whatsapp.net"}
	cards := record.Details{Contacts: []record.Card{{Name: "Cy", Numbers: []string{"07700 900103", "020 7946 0000"}}}}
	long := strings.Repeat("é", excerptRunes-4) + " @447700900103"
	for _, c := range []struct {
		name       string
		r          archive.Record
		snippet    string
		text, file string
	}{
		{"found in the middle", archive.Record{Text: "the old hedge is cut"}, "the old \x02hedge\x03 is cut", "the old «hedge» is cut", ""},
		{"cut off at both ends", archive.Record{Text: "the old hedge is cut"}, "…old \x02hedge\x03 is…", "…old «hedge» is…", ""},
		{"an ellipsis of the sender's", archive.Record{Text: "… old hedge…"}, "… old \x02hedge\x03…", "… old «hedge»…", ""},
		{"a mention, found", archive.Record{Text: "hm @447700900103!", Mentions: cy}, "hm @\x02447700900103\x03!", "hm «@Cy (name not verified)»!", ""},
		{"a mention, its @ cut off", archive.Record{Text: "hm @447700900103 hedge", Mentions: cy}, "…447700900103 \x02hedge\x03", "…@Cy (name not verified) «hedge»", ""},
		{"a phrase with a mention", archive.Record{Text: "hm @447700900103 hedge", Mentions: cy}, "hm @\x02447700900103 hedge\x03", "hm «@Cy (name not verified)»« hedge»", ""},
		{"a number typed", archive.Record{Text: "ring 07700 900103"}, "ring \x0207700\x03 900103", "ring «07700» 900103", ""},
		{"in the file's name", archive.Record{Text: "@447700900103 here", Mentions: cy, FileName: "Old hedge.pdf"}, "Old \x02hedge\x03.pdf", "@Cy (name not verified) here", "Old «hedge».pdf"},
		{"no words", archive.Record{Text: long, Mentions: cy}, long[:100], strings.Repeat("é", excerptRunes-4) + "…", ""},
		{"a number on a card", archive.Record{Text: "Cy, 07700 900103, hedges", Details: cards}, "\x02Cy\x03, 07700…", "«Cy», (number not shown)…", ""},
		{"found by a number on a card", archive.Record{Text: "Cy, 07700 900103", Details: cards}, "Cy, \x0207700\x03 900103", "Cy, «(number not shown)»", ""},
		{"a card found otherwise", archive.Record{Text: "Cy", Details: cards}, "Cy", "Cy, (number not shown), 020 7946 0000", ""},
		{"control characters", archive.Record{Text: "the\x1b[2J\nhedge"}, "the\x1b[2J\n\x02hedge\x03", "the[2J «hedge»", ""},
		{"of another text", archive.Record{Text: "the hedge"}, "the \x02badger\x03", "the hedge", ""},
	} {
		c.r.Kind, c.r.Type = record.Message, record.Text
		if c.r.Details.Contacts != nil {
			c.r.Type = record.Contact
		}
		text, file := v.excerpts(c.r, saying.Teller{Names: v.names}.Of(c.r, archive.Record{}), c.snippet)
		marks := strings.NewReplacer(archive.Found, "«", archive.End, "»")
		if got := marks.Replace(text.printable()); got != c.text {
			t.Errorf("%s: %q; want %q", c.name, got, c.text)
		}
		if got := marks.Replace(file.printable()); got != c.file {
			t.Errorf("%s: the file is %q; want %q", c.name, got, c.file)
		}
	}
}

func TestRow(t *testing.T) {
	var b strings.Builder
	found := "the \x02old hedge and all of the verge\x03 📌📌 andaverylongwordindeedthatfitsnowhere"
	s := screen{width: 40, bold: true}
	if err := s.row(&b, []int{3, 10}, "12", "Cllr Ann Brook", found); err != nil {
		t.Fatal(err)
	}
	want := "12   Cllr Ann    the \x1b[1mold hedge and all\x1b[22m\n" +
		"     Brook       \x1b[1mof the verge\x1b[22m 📌📌\n" +
		"                 andaverylongwordindeedt\n" +
		"                 hatfitsnowhere\n"
	if got := b.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	b.Reset()
	if err := (screen{width: 40}).row(&b, []int{3, 10}, "12", "Ann", found); err != nil {
		t.Fatal(err)
	}
	if got := b.String(); strings.ContainsAny(got, "\x1b\x02\x03") {
		t.Errorf("escape codes where there are to be none: %q", got)
	}
}
