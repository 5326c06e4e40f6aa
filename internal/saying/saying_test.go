package saying

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muniment/internal/archive"
	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/sqlite"
	"muniment/internal/sqlite/sqlitetest"
)

var update = flag.Bool("update", false, "write the golden files anew")

const group = "120363041234567890@g.us"

// The people, of whom Bo and Dee are not on the register, and nobody knows what Pat is called.
var (
	ann = record.Address{JID: "100000000000101@lid", Alt: "447700900101@s.whatsapp.net"}
	bo  = record.Address{JID: "447700900102@s.whatsapp.net"}
	dee = record.Address{JID: "100000000000103@lid"}
	pat = record.Address{JID: "100000000000104@lid", Alt: "447700900104@s.whatsapp.net"}
)

// town returns who tells of the people, and who they are.
func town(t testing.TB) (teller Teller, ids map[string]people.ID) {
	t.Helper()
	db, err := sqlitetest.Create(context.Background(), filepath.Join(t.TempDir(), "archive.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	now := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	ids = make(map[string]people.ID)
	err = db.Write(context.Background(), func(tx *sqlite.Tx) error {
		if err := archive.Lay(tx, now, "test"); err != nil {
			return err
		}
		if err := people.AddMember(tx, now, "Jo Hall", "test", people.Member{Name: "Cllr Ann Brook", Role: "councillor"}, ann); err != nil {
			return err
		}
		for name, a := range map[string]record.Address{"ann": ann, "bo": bo, "dee": dee, "pat": pat, "group": {JID: group}} {
			pushName := map[string]string{"bo": "Bo", "dee": "Dee who calls herself by more words than any list of people ever has room for"}[name]
			is, err := people.Identify(tx, now, a, pushName)
			if err != nil {
				return err
			}
			ids[name] = is.ID
		}
		teller.Names, err = people.LoadNames(tx)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return teller, ids
}

// told is a record with what is known of the one that it names.
type told struct {
	r      archive.Record
	target archive.Record
}

func utc(s string) *time.Time {
	t, err := time.Parse("2006-01-02 15:04", s)
	if err != nil {
		panic(err)
	}
	return &t
}

// everything is at least one record of each kind and type.
func everything(ids map[string]people.ID) []told {
	poll := record.Ballot{Question: "When shall we meet?", Options: []string{"Monday", "Tuesday", "Never"}}
	with := func(f func(*record.Ballot)) *record.Ballot { b := poll; f(&b); return &b }
	lane := &record.Place{Latitude: 51.50735, Longitude: -0.12776, Name: "Mill Lane", Address: "Cranford"}
	pick := record.Gathering{Name: "Litter pick", Description: "Bring gloves.\nTea afterwards.", Starts: utc("2026-12-03 19:30"), Ends: utc("2026-12-03 21:00")}
	event := func(f func(*record.Gathering)) *record.Gathering { g := pick; f(&g); return &g }
	message := func(t record.Type, text string, d record.Details) told {
		return told{r: archive.Record{Kind: record.Message, Type: t, Text: text, Details: d}}
	}
	part := func(t record.Type, part string, of record.Seq) told {
		return told{r: archive.Record{Kind: record.Message, Type: t, Answers: true, ReplyTo: of, Details: record.Details{Part: part}}}
	}
	follows := func(k record.Kind, t record.Type, d record.Details) told {
		return told{r: archive.Record{Kind: k, Type: t, Answers: true, ReplyTo: 12, Details: d}}
	}
	orphan := func(k record.Kind, t record.Type) told {
		return told{r: archive.Record{Kind: k, Type: t, Answers: true, Details: record.Details{Chosen: []string{"Monday"}}}}
	}
	edit := func(t record.Type, text string, d record.Details) told {
		return told{r: archive.Record{Kind: record.Edit, Type: t, Text: text, Details: d, Amends: 12, ReplyTo: 12, Entitled: true},
			target: archive.Record{Seq: 12, Person: ids["ann"]}}
	}
	deletes := func(by string, entitled bool, target archive.Record) told {
		return told{r: archive.Record{Kind: record.Deletion, Type: record.ByAuthor, Person: ids[by], Entitled: entitled, Amends: target.Seq}, target: target}
	}
	moved := func(t record.Type, by, reason string, who ...record.Address) told {
		r := archive.Record{Kind: record.Participants, Type: t, Person: ids[by], Details: record.Details{Reason: reason}}
		for _, a := range who {
			r.Participants = append(r.Participants, record.Participant{Address: a})
		}
		return told{r: r}
	}
	change := func(t record.Type, by, text string) told {
		return told{r: archive.Record{Kind: record.Group, Type: t, Person: ids[by], Text: text}}
	}
	unread := func(name record.Type, by string) told {
		return told{r: archive.Record{Kind: record.Unsupported, Type: name, Person: ids[by]}}
	}
	imported := message(record.Text, "From before the archive began", record.Details{})
	imported.r.Import = 1
	edited := message(record.Text, "From before, and not as it was", record.Details{Edited: true})
	edited.r.Import = 1
	supplied := message(record.Text, "It could not be read at first", record.Details{})
	supplied.r.Supplied = true
	mentioning := message(record.Text, "@100000000000101 and @447700900104, ring 07700 900101", record.Details{})
	mentioning.r.Mentions = []string{ann.JID, pat.Alt}
	comment := message(record.Comment, "Agreed.", record.Details{})
	comment.r.ReplyTo = 12
	attempt := edit(record.Text, "No.", record.Details{})
	attempt.r.Entitled = false
	blind := edit(record.Text, "Perhaps.", record.Details{})
	blind.r.Amends, blind.target = 0, archive.Record{}

	setUp := moved(record.Present, "ann", "", bo)
	setUp.r.Details.Settings = map[record.Type]string{record.Subject: "Official chat", record.Description: "Be kind.", record.Timer: "604800",
		record.Editors: "all", record.Writers: "admins", record.Approval: "on", record.Suspension: "off"}

	return []told{
		message(record.Text, "The culvert is blocked.\nAgain.", record.Details{}),
		message(record.Text, "", record.Details{}), mentioning, imported, edited, supplied,
		message(record.Text, "Passed on", record.Details{Forwarded: 1}),
		message(record.Text, "Passed on for ever", record.Details{Forwarded: 5, Expires: 7 * 24 * 3600}),
		message(record.Text, "For a while", record.Details{Expires: 90}),
		message(record.Text, "See this", record.Details{Link: &record.Link{URL: "https://river.example/levels", Title: "River levels", Description: "Today"}}),
		message(record.Text, "See https://river.example/levels", record.Details{Link: &record.Link{URL: "https://river.example/levels", Title: "River levels"}}),
		message(record.Text, "See https://river.example/levels", record.Details{Link: &record.Link{URL: "https://river.example/levels"}}),
		message(record.Image, "", record.Details{}),
		message(record.Image, "The footbridge", record.Details{}),
		message(record.Video, "The ford", record.Details{Seconds: 65}),
		message(record.GIF, "", record.Details{Seconds: 3}),
		message(record.VideoNote, "", record.Details{Seconds: 60}),
		message(record.Audio, "", record.Details{Seconds: 3725}),
		message(record.Voice, "", record.Details{Seconds: 42}),
		message(record.Document, "For Thursday", record.Details{Pages: 12}),
		message(record.Document, "", record.Details{Pages: 1}),
		message(record.Sticker, "", record.Details{}),
		message(record.Stickers, "Badgers", record.Details{}),
		message(record.Album, "", record.Details{Photos: 3, Videos: 1}),
		message(record.Album, "", record.Details{}),
		part(record.Image, record.PartOfAlbum, 12), part(record.Video, record.PartOfAlbum, 0),
		part(record.Image, record.LargerCopy, 12), part(record.Video, record.LargerCopy, 0),
		part(record.Video, record.OtherCopy, 12), part(record.Video, record.MovingCopy, 12),
		part(record.Image, record.CoverPicture, 12), part(record.Image, record.OptionPicture, 12),
		message(record.ViewOnce, "", record.Details{}),
		message(record.ViewOnce, "", record.Details{Once: record.Voice, Seconds: 7}),
		message(record.Contact, "Joe Bloggs\nBloggs Plumbing", record.Details{Contacts: []record.Card{{Name: "Joe Bloggs", Organisation: "Bloggs Plumbing",
			Numbers: []string{"020 7946 0000"}, Emails: []string{"joe@bloggs.example"}}}}),
		message(record.Contact, "Ann\n+44 7700 900101\nPat\n07700900104", record.Details{Contacts: []record.Card{
			{Name: "Ann", Numbers: []string{"+44 7700 900101", "+1 202-555-0123"}}, {Name: "447700900104", Numbers: []string{"07700 900104"}}}}),
		message(record.Location, "Mill Lane\nCranford", record.Details{Place: lane}),
		message(record.Location, "The hall\nBy the bridge", record.Details{Place: &record.Place{Name: "The hall"}}),
		message(record.Location, "", record.Details{Place: &record.Place{Latitude: -1, Longitude: 0.5}}),
		message(record.LiveLocation, "On my way", record.Details{Place: &record.Place{Latitude: 51.5, Longitude: -0.1, Accuracy: 20}}),
		message(record.Poll, "When shall we meet?\nMonday\nTuesday\nNever", record.Details{Poll: with(func(b *record.Ballot) { b.Choose = 1 })}),
		message(record.Poll, "When shall we meet?", record.Details{Poll: with(func(b *record.Ballot) {
			b.Choose, b.Adding, b.Secret, b.Ends = 2, true, true, utc("2026-07-01 18:00")
		})}),
		message(record.Poll, "", record.Details{Poll: &poll}),
		message(record.Poll, "", record.Details{Poll: with(func(b *record.Ballot) { b.Quiz, b.Correct = true, "Never" })}),
		message(record.Poll, "Of which only the words are known\nYes\nNo", record.Details{}),
		message(record.Poll, "When?\nNot at all\nMonday", record.Details{Poll: &record.Ballot{Question: "When?", Options: []string{"Not\nat all", "Monday"}, Choose: 1}}),
		message(record.Poll, "Where?\nHere\nThere", record.Details{Poll: &record.Ballot{Question: "Where?", Options: []string{"Here", "There"}},
			Tally: []record.Count{{Option: "Here", Votes: 3}, {Option: "There", Votes: 1}}}),
		message(record.PollResult, "", record.Details{Poll: &poll, Tally: []record.Count{{Option: "Monday", Votes: 1}, {Option: "Tuesday", Votes: 1200}}}),
		message(record.Event, "Litter pick", record.Details{Event: &pick, Place: lane}),
		message(record.Event, "", record.Details{Event: event(func(g *record.Gathering) {
			g.Description, g.Ends, g.Guests, g.Link, g.Cancelled = "", utc("2026-12-04 00:30"), true, "https://call.example/x", true
		})}),
		message(record.Event, "", record.Details{Event: &record.Gathering{Name: "Some day"}}),
		message(record.Invite, "Cranford allotments\nDo join", record.Details{Called: "group"}),
		message(record.Invite, "", record.Details{}),
		message(record.Invite, "Litter pick\nCome", record.Details{Called: "event", Event: &record.Gathering{Name: "Litter pick", Starts: utc("2026-12-03 19:30")}, Until: utc("2026-12-01 12:00")}),
		comment,
		message(record.Menu, "What is it about?\nBins\nStreets\nRoads", record.Details{Offers: []string{"Bins", "Roads"}, Place: lane}),
		message(record.Choice, "Bins", record.Details{Chosen: []string{"Bins"}}),
		message(record.Payment, "For the hall", record.Details{Amount: "12.50 GBP"}),
		message(record.Payment, "", record.Details{Called: "payment"}),
		message(record.Payment, "The hall", record.Details{Called: "request", Amount: "12.50 GBP"}),
		message(record.Payment, "", record.Details{Called: "invitation", Until: utc("2026-12-03 19:30")}),
		message(record.Order, "Two trees", record.Details{Amount: "80.00 GBP", Called: "accepted"}),
		message(record.Call, "", record.Details{Called: "video", Seconds: 720}),
		message(record.Call, "", record.Details{Called: "voice, missed"}), message(record.Call, "", record.Details{}),
		message(record.Call, "Budget", record.Details{Called: "video, scheduled", Event: &record.Gathering{Name: "Budget", Starts: utc("2026-12-03 19:30")}}),
		{r: archive.Record{Kind: record.Message, Type: record.Call, Answers: true, ReplyTo: 12, Details: record.Details{Called: "scheduled, cancelled"}}},
		message(record.History, "", record.Details{}), message(record.History, "", record.Details{Shared: 40}),
		message(record.Media, "", record.Details{}),
		message(record.Blank, "Waiting for this message", record.Details{}),
		unread("pollCreationMessageV9", "bo"), unread("group_of_the_future", "bo"), unread("group_of_the_future", "group"),

		edit(record.Text, "The culvert is half blocked.", record.Details{}),
		edit(record.Image, "The other footbridge", record.Details{}),
		edit(record.Poll, "", record.Details{Poll: with(func(b *record.Ballot) { b.Options, b.Choose = b.Options[:2], 1 })}),
		edit(record.Event, "", record.Details{Event: event(func(g *record.Gathering) { g.Cancelled = true })}),
		attempt, blind,
		deletes("ann", true, archive.Record{Seq: 12, Person: ids["ann"]}),
		deletes("ann", true, archive.Record{Seq: 12, Person: ids["bo"]}),
		deletes("bo", false, archive.Record{Seq: 12, Person: ids["ann"]}),
		deletes("bo", false, archive.Record{Seq: 12, Destroyed: "2026-01-01"}),
		deletes("bo", false, archive.Record{}),
		{r: archive.Record{Kind: record.Deletion, Type: record.ByAdmin, Person: ids["ann"], Entitled: true, Amends: 12}, target: archive.Record{Seq: 12, Person: ids["bo"]}},
		{r: archive.Record{Kind: record.Reaction, Type: record.ReactionAdded, Emoji: "👍", ReplyTo: 12}},
		{r: archive.Record{Kind: record.Reaction, Type: record.ReactionAdded, Emoji: "any text may stand here"}},
		follows(record.Reaction, record.ReactionRemoved, record.Details{}),
		follows(record.Vote, record.Cast, record.Details{Chosen: []string{"Monday"}}),
		{r: archive.Record{Kind: record.Vote, Type: record.Cast, ReplyTo: 12, Details: record.Details{Chosen: []string{"Monday"}}, ReadAt: *utc("2026-12-03 19:30")}},
		{r: archive.Record{Kind: record.Vote, Type: record.Sealed, ReplyTo: 12, ReadAt: *utc("2026-12-03 19:30")}},
		follows(record.Vote, record.Cast, record.Details{Chosen: []string{"Monday", "Tuesday"}, Unknown: 1}),
		follows(record.Vote, record.Cast, record.Details{Unknown: 2}),
		follows(record.Vote, record.Cast, record.Details{}),
		follows(record.Vote, record.Withdrawn, record.Details{}),
		orphan(record.Vote, record.Cast),
		{r: archive.Record{Kind: record.Option, Type: record.OptionAdded, Text: "Wednesday", ReplyTo: 12}},
		follows(record.Response, record.Going, record.Details{Guests: 1}),
		follows(record.Response, record.NotGoing, record.Details{}),
		follows(record.Response, record.Maybe, record.Details{Guests: 2}),
		follows(record.Pin, record.Pinned, record.Details{Until: utc("2026-12-03 19:30")}),
		follows(record.Pin, record.Pinned, record.Details{}),
		follows(record.Pin, record.Unpinned, record.Details{}),
		follows(record.Keep, record.KeptInChat, record.Details{}),
		follows(record.Keep, record.UnkeptInChat, record.Details{}),
		orphan(record.Pin, record.Pinned),
		follows(record.Edit, record.Sealed, record.Details{}), follows(record.Reaction, record.Sealed, record.Details{}),
		orphan(record.Edit, record.Sealed), orphan(record.Reaction, record.Sealed), orphan(record.Vote, record.Sealed),
		orphan(record.Option, record.Sealed), orphan(record.Response, record.Sealed), orphan(record.Message, record.Sealed),

		moved(record.Joined, "bo", "", bo), moved(record.Joined, "bo", "invite", bo), moved(record.Joined, "group", "some_reason", bo, dee),
		moved(record.Left, "bo", "", bo),
		moved(record.Added, "ann", "", bo, pat), moved(record.Added, "group", "", bo), moved(record.Removed, "ann", "", dee), moved(record.Removed, "ann", ""),
		moved(record.Promoted, "ann", "", bo), moved(record.Promoted, "group", "", bo, pat), moved(record.Demoted, "ann", "", bo, pat),
		moved(record.Renumbered, "bo", "", pat),
		setUp, moved(record.Present, "ann", "", ann, bo, dee, pat), moved(record.Present, "ann", ""),
		moved("of_the_future", "ann", "", bo),
		change(record.Subject, "ann", "Official chat"), change(record.Subject, "group", "Official chat"),
		change(record.Description, "ann", "Be kind.\nBe brief."), change(record.Description, "group", ""),
		change(record.Timer, "ann", "604800"), change(record.Timer, "group", "5400"), change(record.Timer, "ann", "0"), change(record.Timer, "group", "?"),
		change(record.Picture, "ann", "set"), change(record.Picture, "group", "removed"),
		change(record.Editors, "ann", "admins"), change(record.Editors, "group", "all"),
		change(record.Writers, "ann", "admins"), change(record.Writers, "group", "all"),
		change(record.Approval, "ann", "on"), change(record.Approval, "group", "off"),
		change(record.InviteLink, "ann", ""), change(record.InviteLink, "group", "AbCdEf"),
		change(record.Closed, "ann", ""), change(record.Community, "ann", "joined"), change(record.Community, "group", "left"),
		change(record.Suspension, "group", "on"), change(record.Suspension, "ann", "off"),
		change(record.Approval, "ann", ""), change(record.Privacy, "ann", "on"), change(record.Privacy, "group", "off"),
		change(record.Label, "ann", "Clerk"), change(record.Label, "ann", ""),
		change(record.Notice, "group", "Ann added Bo"), change("of_the_future", "ann", "x"), change(record.Approval, "ann", "perhaps"),
	}
}

// The golden file is what people read of every kind of record.
func TestEveryKind(t *testing.T) {
	teller, ids := town(t)
	var b bytes.Buffer
	for _, e := range everything(ids) {
		r := e.r
		r.Seq, r.Group = 99, group
		if r.Person == 0 {
			r.Person = ids["ann"]
		}
		s := teller.Of(r, e.target)
		who := teller.Name(r.Person) + ": "
		if s.Alone {
			who = ""
		}
		fmt.Fprintf(&b, "%s, %s\n    %s%s\n", r.Kind, r.Type, who, s.Title())
		for _, w := range s.Words {
			fmt.Fprintf(&b, "    | %s\n", strings.ReplaceAll(w, "\n", "\n    | "))
		}
		for _, n := range append(slices.Clone(s.Notes), s.Expiry) {
			if n != "" {
				fmt.Fprintf(&b, "    %s\n", n)
			}
		}
		if r.Kind == record.Message || r.Kind == record.Unsupported {
			fmt.Fprintf(&b, "    (in reply to %s)\n", teller.Brief(r, 30))
		}
		b.WriteByte('\n')
	}
	const golden = "testdata/everything.golden"
	if *update {
		if err := os.WriteFile(golden, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("%s (-want +got); after a change that is meant, go test -update\n%s", golden, diff)
	}
	for _, private := range []string{"447700900101", "7700 900104", "7700900104", "100000000000", "@lid", "whatsapp.net", "120363"} {
		if strings.Contains(b.String(), private) {
			t.Errorf("%q is told", private)
		}
	}
}

// No kind and no type that is written in package record is left out of the golden file.
func TestNoKindIsLeftOut(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), "../record/record.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	golden, err := os.ReadFile("testdata/everything.golden")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	ast.Inspect(f, func(node ast.Node) bool {
		v, is := node.(*ast.ValueSpec)
		if !is || len(v.Values) != 1 {
			return true
		}
		typ, _ := v.Type.(*ast.Ident)
		lit, _ := v.Values[0].(*ast.BasicLit)
		if typ == nil || lit == nil || typ.Name != "Kind" && typ.Name != "Type" {
			return true
		}
		n++
		value, err := strconv.Unquote(lit.Value)
		if err != nil {
			t.Fatal(err)
		}
		if pattern := map[string]string{"Kind": "\n" + value + ", ", "Type": ", " + value + "\n"}[typ.Name]; !bytes.Contains(append([]byte("\n"), golden...), []byte(pattern)) {
			t.Errorf("the golden file has nothing of %s %s", typ.Name, v.Names[0])
		}
		return true
	})
	if n < 60 {
		t.Fatalf("only %d kinds and types found", n)
	}
}

// A sentence names so many people at most, and nobody at any length.
func TestLongLists(t *testing.T) {
	teller, ids := town(t)
	teller.Most = 2
	r := archive.Record{Kind: record.Participants, Type: record.Added, Group: group, Person: ids["ann"], Participants: []record.Participant{
		{Address: bo}, {Address: dee}, {Address: ann}, {Address: pat}}}
	if got, want := teller.Of(r, archive.Record{}).What,
		"Bo (name not verified), Dee who calls herself by more words than any list of people… (name not verified) and 2 others were added by Cllr Ann Brook"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// What a card shows, or does not, of the number of somebody who is known.
func TestNumbersOnCards(t *testing.T) {
	teller, _ := town(t)
	for number, shown := range map[string]bool{
		"07700 900101": false, "+44 7700 900101": false, "+447700900101": false, "447700900101": false, "0044 7700 900101": false,
		"+44 (0) 7700 900101": false, "07700-900-104": false, "(07700) 900102": false,
		"07700 900109": true, "020 7946 0000": true, "+1 202-555-0123": true, "999": true, "100000000000101": true,
	} {
		r := archive.Record{Kind: record.Message, Type: record.Contact, Text: "Somebody\n" + number + "\nfor ever",
			Details: record.Details{Contacts: []record.Card{{Name: "Somebody", Organisation: number, Numbers: []string{number}}}}}
		before := r.Details.Encode()
		said := strings.Join(teller.Of(r, archive.Record{}).Words, "\n")
		for where, text := range map[string]string{"words": said, "text": teller.Text(r), "details": teller.Details(r.Details).Encode()} {
			if strings.Contains(text, number) != shown || strings.Contains(text, NotShown) == shown {
				t.Errorf("%s: the %s are %q", number, where, text)
			}
		}
		if spans := teller.Hidden(r); (len(spans) == 0) != shown {
			t.Errorf("%s: hidden are %v", number, spans)
		}
		if r.Details.Encode() != before {
			t.Errorf("%s: the record itself has changed", number)
		}
		r.Type, r.Details = record.Text, record.Details{}
		if got := teller.Text(r); got != r.Text {
			t.Errorf("%s was typed, and is shown as %q", number, got)
		}
	}
}

// However somebody is mentioned, and wherever in the details, his number is not shown.
func TestMentionsInDetails(t *testing.T) {
	teller, _ := town(t)
	var d record.Details
	fill(reflect.ValueOf(&d).Elem(), "@447700900101 @100000000000103 @447700900999")
	d.Part, d.Once, d.Version = "", "", "" // codes
	before := d.Encode()
	shown := teller.Details(d).Encode()
	if n := strings.Count(before, "@447700900101"); n < 20 || strings.Count(shown, "@Cllr Ann Brook") != n {
		t.Errorf("%d mentions became\n%s", n, shown)
	}
	if strings.Contains(shown, "447700900101") || strings.Contains(shown, "100000000000103") || !strings.Contains(shown, "@447700900999") {
		t.Errorf("the details are shown as\n%s", shown)
	}
	if d.Encode() != before {
		t.Error("the record itself has changed")
	}
	vote := teller.Of(archive.Record{Kind: record.Vote, Type: record.Cast, Details: d}, archive.Record{})
	if strings.Contains(vote.Text(), "0101") {
		t.Errorf("a vote is shown as %q", vote.Text())
	}
}

// fill sets every text within v.
func fill(v reflect.Value, text string) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Pointer:
		if v.Type() != reflect.TypeFor[*time.Time]() {
			v.Set(reflect.New(v.Type().Elem()))
			fill(v.Elem(), text)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), text)
	case reflect.Map:
		value := reflect.New(v.Type().Elem()).Elem()
		fill(value, text)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf(record.Subject), value)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), text)
		}
	}
}

// Whatever a message holds, all its words are told, once, and it is told as something.
func FuzzWords(f *testing.F) {
	teller, ids := town(f)
	for _, e := range everything(ids) {
		f.Add(string(e.r.Kind), string(e.r.Type), e.r.Text, e.r.Details.Encode())
	}
	f.Fuzz(func(t *testing.T, kind, typ, text, details string) {
		d, err := record.ParseDetails(details)
		if err != nil {
			return
		}
		r := archive.Record{Seq: 99, Kind: record.Kind(kind), Type: record.Type(typ), Text: text, Details: d, Person: ids["ann"], Group: group}
		s := teller.Of(r, archive.Record{})
		if s.What == "" && len(s.Words) == 0 && len(s.Notes) == 0 {
			t.Error("nothing is told")
		}
		if r.Kind == record.Message && teller.Brief(r, 20) == "" {
			t.Error("nothing is told in brief")
		}
		if r.Kind != record.Message && r.Kind != record.Edit || r.Type == record.Sealed {
			return
		}
		said := OneLine(strings.Join(s.Words, "\n"))
		for _, line := range Lines(teller.Text(r)) {
			if !strings.Contains(said, OneLine(line)) {
				t.Errorf("%q is not told in %q", line, said)
			}
		}
	})
}
