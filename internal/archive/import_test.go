package archive

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muniment/internal/journal"
	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
	"muniment/internal/transcript"
)

const chatName = "Cranford councillors"

// exported reads the text of an export, of which each line begins with its time on 2
// March 2026, as "9:36 Ann Brook: text", on an Android phone.
func (o *office) exported(lines ...string) *transcript.Export {
	o.Helper()
	var b strings.Builder
	for _, l := range lines {
		at, rest, _ := strings.Cut(l, " ")
		if len(at) < 5 {
			at = "0" + at
		}
		fmt.Fprintf(&b, "02/03/2026, %s - %s\n", at, rest)
	}
	return o.parsed(b.String())
}

func (o *office) parsed(text string) *transcript.Export {
	o.Helper()
	e, err := transcript.Read(strings.NewReader(text), int64(len(text)), "x.txt", transcript.Options{Zone: retention.London, Now: o.now})
	if err != nil {
		o.Fatal(err)
	}
	return e
}

// importing is an import of e, of an export without files.
func (o *office) importing(e *transcript.Export) Import {
	return Import{
		Export: e, Zone: "Europe/London", Group: official, Names: []string{chatName},
		Who: "Jo Marsh", Reason: "minute 26/014", Anyway: true, DB: o.db, Now: func() time.Time { return o.now },
		Lost: func(record.Seq) bool { return false },
		Put: func(ctx context.Context, _ []record.File, write func(*sqlite.Tx) error) error {
			return o.db.Write(ctx, write)
		},
	}
}

func (o *office) imports(e *transcript.Export) Imported {
	o.Helper()
	done, err := o.archive.Import(context.Background(), o.importing(e))
	if err != nil {
		o.Fatal(err)
	}
	return done
}

func (o *office) compares(e *transcript.Export) (c Comparison) {
	o.Helper()
	o.write(func(tx *sqlite.Tx) (err error) {
		c, err = o.archive.Compare(tx, o.now, official, e, []string{chatName}, func(record.Seq) bool { return false })
		return err
	})
	return c
}

// at is a moment on 2 March 2026, in London and UTC alike.
func at(clock string) time.Time {
	if strings.Count(clock, ":") == 1 {
		clock += ":00"
	}
	t, err := time.Parse("2006-01-02 15:04:05", "2026-03-02 "+clock)
	if err != nil {
		panic(err)
	}
	return t
}

func sent(r record.Received, clock string) record.Received {
	r.Sent = at(clock)
	return r
}

func (o *office) called(jid string) string {
	o.Helper()
	var name string
	o.write(func(tx *sqlite.Tx) error {
		names, err := people.LoadNames(tx)
		if err == nil {
			name = names.OfJID(jid)
		}
		return err
	})
	return name
}

func TestImport(t *testing.T) {
	o := newOffice(t)
	o.now = monday.AddDate(0, 0, 7)
	e := o.exported(
		`9:30 Messages and calls are end-to-end encrypted.`,
		`9:30 Dot Ellis created group "Cranford councillors"`,
		"9:31 Dot Ellis added \u202a+44 7700 900103\u202c",
		`9:36 Ann Brook: The culvert at Mill Lane is blocked again.`,
		"9:37 \u202a+44 7700 900103\u202c: I know, @\u2068Ann Brook\u2069 and @\u2068+44 7700 900104\u2069.",
		"9:38 ~\u202fCy: IMG-20260302-WA0001.jpg (file attached)\nThe grating",
		"9:39 Ann Brook: POLL:\nMonday?\nOPTION: Yes (2 votes)\nOPTION: No (0 votes)\n",
		"9:40 Ann Brook: location: https://maps.google.com/?q=51.4816,-0.4109",
		"9:41 Ann Brook: This message was deleted",
		"9:42 Ann Brook: <Media omitted>",
		"9:43 07700 900105: My number for a name, @\u206807700 900105\u2069 <This message was edited>",
	)
	done := o.imports(e)
	if done.ID != 1 || done.Messages != 8 || done.Notices != 3 || done.Known != 0 || done.Resumed {
		t.Errorf("done: %+v", done)
	}
	var got []string
	for _, r := range o.records() {
		if r.Import != 1 || !r.Captured.Equal(o.now) {
			t.Errorf("record %d: import %d, captured %v", r.Seq, r.Import, r.Captured)
		}
		got = append(got, fmt.Sprintf("%s %s %s %q %v %s", r.Sent.Format("15:04"), r.Kind, r.Type, r.Text, r.Mentions, r.Due))
	}
	want := []string{
		`09:30 group notice "Messages and calls are end-to-end encrypted." [] 2032-03-03`,
		`09:30 group notice "Dot Ellis created group \"Cranford councillors\"" [] 2032-03-03`,
		`09:31 group notice "Dot Ellis added @447700900103" [447700900103@s.whatsapp.net] 2032-03-03`,
		`09:36 message text "The culvert at Mill Lane is blocked again." [] 2032-03-03`,
		`09:37 message text "I know, @Ann Brook and @447700900104." [447700900104@s.whatsapp.net] 2032-03-03`,
		`09:38 message image "The grating" [] 2032-03-03`,
		`09:39 message poll "Monday?\nYes\nNo" [] 2032-03-03`,
		`09:40 message location "" [] 2032-03-03`,
		`09:41 message blank "This message was deleted" [] 2032-03-03`,
		`09:42 message media "" [] 2032-03-03`,
		`09:43 message text "My number for a name, @447700900105" [447700900105@s.whatsapp.net] 2032-03-03`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("records (-want +got)\n%s", diff)
	}
	if !o.record(11).Details.Edited || o.record(4).Details.Edited {
		t.Error("it is not told what was edited")
	}
	poll := o.record(7).Details
	if poll.Poll == nil || poll.Poll.Question != "Monday?" || !slices.Equal(poll.Tally, []record.Count{{Option: "Yes", Votes: 2}, {Option: "No", Votes: 0}}) {
		t.Errorf("the poll: %+v", poll)
	}
	if place := o.record(8).Details.Place; place == nil || place.Latitude != 51.4816 {
		t.Errorf("the place: %+v", place)
	}
	if n := o.number("SELECT count(*) FROM record WHERE seq = 4 AND instr(protobuf, CAST('02/03/2026, 09:36 - Ann Brook: ' AS BLOB)) = 1"); n != 1 {
		t.Error("the line of the export is not kept")
	}
	if n := o.number("SELECT count(*) FROM record WHERE sender LIKE '%90010_%' AND sender NOT LIKE '44770090010_@s.whatsapp.net'"); n != 0 {
		t.Error("a number passes for a name")
	}
	if name := o.called("~ Cy@export"); !strings.HasPrefix(name, "~ Cy (") {
		t.Errorf("an author is called %q", name)
	}
	o.expectSound()
}

// However the phone's owner, or somebody himself, has put a number into a name, it is not
// shown.
func TestNumbersInNames(t *testing.T) {
	o := newOffice(t)
	o.now = monday.AddDate(0, 0, 7)
	lines := []string{
		"9:30 Dot Ellis added 07700 900103",
		"9:31 Dot Ellis added ~\u202f+44 7700 900103",
		"9:32 ~\u202f+44 7700 900103: one",
		"9:33 Bo 07700 900102: two",
		"9:34 07700\u2013900\u2013102: three",
		"9:35 ٠٧٧٠٠٩٠٠١٠٦: four",
		"9:36 \u202d07700 900107\u202c: five",
		"9:37 Ann: @\u2068~\u202f+44 7700 900103\u2069, @\u2068Bo 07700 900102\u2069, @\u2068٠٧٧٠٠٩٠٠١٠٦\u2069 and @\u2068+44.7700.900105\u2069?",
	}
	o.imports(o.exported(lines...))
	if again := o.imports(o.exported(lines...)); again.ID != 0 || again.Known != 6 {
		t.Errorf("again: %+v", again)
	}
	cy := says(cy, "C1", "six")
	cy.PushName = "+44 7700 900103"
	o.captures(cy)
	records := o.records()
	o.write(func(tx *sqlite.Tx) error {
		names, err := people.LoadNames(tx)
		for _, r := range records {
			if shown := names.Of(r.Person) + ": " + names.Mentioning(r.Text, r.Mentions); strings.Contains(shown, "7700") || strings.Contains(shown, "٧") {
				t.Errorf("it is shown: %s", shown)
			}
		}
		return err
	})
}

// What was done once is not done again, by whatever phone.
func TestImportTwice(t *testing.T) {
	o := newOffice(t)
	o.now = monday.AddDate(0, 0, 7)
	lines := []string{
		`9:30 Dot Ellis created group "Cranford councillors"`,
		`9:36 Ann Brook: ok`, `9:36 Ann Brook: ok`, `9:36 Bo Carter: ok`,
		`9:37 Ann Brook: <Media omitted>`, `9:37 Ann Brook: <Media omitted>`,
		`9:38 Bo Carter: null`, `9:39 Bo Carter: This message was deleted`,
		"9:40 Bo Carter: Would @\u2068Ann Brook\u2069 or @\u2068+44 7700 900104\u2069 bring it?",
	}
	if done := o.imports(o.exported(lines...)); done.Messages != 8 {
		t.Fatalf("first: %+v", done)
	}
	records := len(o.records())
	again := o.imports(o.exported(lines...))
	if again.ID != 0 || again.Messages != 0 || again.Known != 8 || len(again.New) != 0 {
		t.Errorf("again: %+v", again)
	}
	// Another phone has seconds, other names and other quotation marks.
	other := o.imports(o.parsed(strings.Join([]string{
		"[02/03/2026, 09:30:05] Cranford councillors: \u200eDot Ellis created group “Cranford councillors”",
		"[02/03/2026, 09:36:01] Ann (council): ok", "[02/03/2026, 09:36:20] Bo: ok", "[02/03/2026, 09:36:59] Ann (council): ok",
		"[02/03/2026, 09:37:10] Ann (council): \u200eimage omitted", "[02/03/2026, 09:37:11] Ann (council): \u200evideo omitted",
		"[02/03/2026, 09:39:11] Bo: \u200eThis message was deleted.",
		"[02/03/2026, 09:40:11] Bo: Would @\u2068Ann (council)\u2069 or @\u2068~\u202fDot\u2069 bring it?",
	}, "\n")))
	if other.Messages != 0 || other.Known != 7 {
		t.Errorf("from another phone: %+v", other)
	}
	if n := len(o.records()); n != records {
		t.Errorf("%d records; want %d", n, records)
	}
	if n := o.journaled(journal.ExportCompared); n != 2 {
		t.Errorf("%d comparisons in the journal; want 2", n)
	}
	if n := o.journaled(journal.ImportFinished); n != 1 {
		t.Errorf("%d imports in the journal; want 1", n)
	}
}

// TestMatching: which lines of an export are records that were captured.
func TestMatching(t *testing.T) {
	if testing.Short() {
		t.Skip("one thing after another, which the race detector watches for long")
	}
	annIs, boIs := "\u202a+44 7700 900101\u202c", "\u202a+44 7700 900102\u202c"
	annLong := record.Address{JID: ann.JID, Alt: "447700900101@s.whatsapp.net"}
	boLong := record.Address{JID: bo.JID, Alt: "447700900102@s.whatsapp.net"}
	typed := func(r record.Received, typ record.Type) record.Received { r.Type = typ; return r }
	file := func(r record.Received, typ record.Type, name string) record.Received {
		r.Type, r.File = typ, &record.File{Name: name, Sealed: []byte("x")}
		return r
	}
	mentions := func(r record.Received, jid string) record.Received { r.Mentions = []string{jid}; return r }
	edit := func(who record.Address, id, of, text string) record.Received {
		return record.Received{Kind: record.Edit, Type: record.Text, ID: id, Sender: who, Text: text, Target: &record.Ref{ID: of, Sender: annLong}}
	}
	for _, tt := range []struct {
		name     string
		captured []record.Received
		lines    []string
		missing  []int // lines, from 1
		lacks    []record.Seq
	}{
		{name: "the same", captured: []record.Received{sent(says(annLong, "A1", "The culvert"), "9:36:20")}, lines: []string{"9:36 Ann: The culvert"}},
		{name: "other words", captured: []record.Received{sent(says(annLong, "A1", "The culvert"), "9:36:20")},
			lines: []string{"9:36 Ann: The hedge"}, missing: []int{1}, lacks: []record.Seq{1}},
		{name: "another time", captured: []record.Received{sent(says(annLong, "A1", "The culvert"), "9:36:20")},
			lines: []string{"9:38 Ann: The culvert"}, missing: []int{1}},
		{name: "the phone's own clock is a little slow", captured: []record.Received{sent(says(annLong, "A1", "The culvert"), "9:37:01")},
			lines: []string{"9:36 Ann: The culvert"}},
		{name: "sent by somebody else", captured: []record.Received{sent(says(annLong, "A1", "Agreed."), "9:36"), sent(says(boLong, "B1", "I am here."), "9:30")},
			lines: []string{"9:36 " + boIs + ": Agreed.", "9:30 " + boIs + ": I am here."}, missing: []int{1}, lacks: []record.Seq{1}},
		{name: "three times, of which two were captured",
			captured: []record.Received{sent(says(annLong, "A1", "ok"), "9:36:01"), sent(says(annLong, "A2", "ok"), "9:36:02")},
			lines:    []string{"9:36 Ann: ok", "9:36 Ann: ok", "9:36 Ann: ok"}, missing: []int{3}},
		{name: "of two who say the same, the one who is known by the number",
			captured: []record.Received{sent(says(boLong, "B1", "ok"), "9:36:01"), sent(says(annLong, "A1", "Good morning."), "9:30")},
			lines:    []string{"9:30 " + annIs + ": Good morning.", "9:36 " + annIs + ": ok", "9:36 " + boIs + ": ok"}, missing: []int{2}},
		{name: "of two who say the same, the one whom other messages tell",
			captured: []record.Received{
				sent(says(boLong, "B1", "The hedge is cut at last."), "9:20"), sent(says(boLong, "B2", "The gate is mended too."), "9:21"), sent(says(boLong, "B3", "So is the bench there."), "9:22"),
				sent(says(annLong, "A1", "The culvert is blocked."), "9:23"), sent(says(annLong, "A2", "The drain as well, look."), "9:24"), sent(says(annLong, "A3", "And the other culvert."), "9:25"),
				sent(says(boLong, "B4", "ok"), "9:36:01")},
			lines: []string{"9:20 Bob: The hedge is cut at last.", "9:21 Bob: The gate is mended too.", "9:22 Bob: So is the bench there.",
				"9:23 Chair: The culvert is blocked.", "9:24 Chair: The drain as well, look.", "9:25 Chair: And the other culvert.",
				"9:36 Chair: ok", "9:36 Bob: ok"}, missing: []int{7}},
		{name: "edited later", captured: []record.Received{sent(says(annLong, "A1", "Mill Lain"), "9:36"), sent(edit(annLong, "A2", "A1", "Mill Lane"), "9:40")},
			lines: []string{"9:36 Ann: Mill Lane <This message was edited>"}},
		{name: "edited, and the phone never learnt", captured: []record.Received{sent(says(annLong, "A1", "Mill Lain"), "9:36"), sent(edit(annLong, "A2", "A1", "Mill Lane"), "9:40")},
			lines: []string{"9:36 Ann: Mill Lain"}},
		{name: "deleted later", captured: []record.Received{sent(says(annLong, "A1", "Mill Lain"), "9:36")}, lines: []string{"9:36 Ann: This message was deleted"}},
		{name: "deleted, and never captured", lines: []string{"9:36 Ann: This message was deleted"}, missing: []int{1}},
		{name: "the one that is deleted is the one that nothing else is",
			captured: []record.Received{sent(says(annLong, "A1", "Mill Lain"), "9:36:10"), sent(says(annLong, "A2", "Mill Lane"), "9:36:40")},
			lines:    []string{"9:36 Ann: This message was deleted", "9:36 Ann: Mill Lane"}},
		{name: "a mention", captured: []record.Received{sent(mentions(says(annLong, "A1", "Would @200000000000102 go?"), bo.JID), "9:36")},
			lines: []string{"9:36 Ann: Would @\u2068Bob\u2069 go?"}},
		{name: "another mention is the same words", captured: []record.Received{sent(mentions(says(annLong, "A1", "@447700900102 and @200000000000101"), "447700900102@s.whatsapp.net"), "9:36")},
			lines: []string{"9:36 Ann: @\u2068Bob\u2069 and @200000000000101"}},
		{name: "spaces and marks", captured: []record.Received{sent(says(annLong, "A1", "one\u00a0two\n\nthree\u200e  four ❤️"), "9:36")},
			lines: []string{"9:36 Ann: one two\n\nthree four ❤"}},
		{name: "a photo that was left out", captured: []record.Received{sent(file(says(annLong, "A1", ""), record.Image, ""), "9:36")}, lines: []string{"9:36 Ann: <Media omitted>"}},
		{name: "two photos", captured: []record.Received{sent(file(says(annLong, "A1", ""), record.Image, ""), "9:36")},
			lines: []string{"9:36 Ann: IMG-20260302-WA0001.jpg (file attached)", "9:36 Ann: IMG-20260302-WA0002.jpg (file attached)"}, missing: []int{2}},
		{name: "a video is no photo", captured: []record.Received{sent(file(says(annLong, "A1", ""), record.Image, ""), "9:36")},
			lines: []string{"9:36 Ann: VID-20260302-WA0001.mp4 (file attached)"}, missing: []int{1}, lacks: []record.Seq{1}},
		{name: "photos with captions, the other way round", captured: []record.Received{
			sent(file(says(annLong, "A1", "before"), record.Image, ""), "9:36"), sent(file(says(annLong, "A2", "after"), record.Image, ""), "9:36")},
			lines: []string{"9:36 Ann: IMG-20260302-WA0002.jpg (file attached)\nafter", "9:36 Ann: IMG-20260302-WA0001.jpg (file attached)\nbefore"}},
		{name: "a photo whose caption was left out", captured: []record.Received{sent(file(says(annLong, "A1", "The grating"), record.Image, ""), "9:36")},
			lines: []string{"9:36 Ann: <Media omitted>"}},
		{name: "a photo with another caption", captured: []record.Received{sent(file(says(annLong, "A1", "The grating"), record.Image, ""), "9:36")},
			lines: []string{"9:36 Ann: IMG-20260302-WA0001.jpg (file attached)\nThe gate"}, missing: []int{1}, lacks: []record.Seq{1}},
		{name: "a document with its name for a caption", captured: []record.Received{sent(file(says(annLong, "A1", ""), record.Document, "Survey.pdf"), "9:36")},
			lines: []string{"9:36 Ann: Survey.pdf (file attached)\nSurvey.pdf"}},
		{name: "a poll", captured: []record.Received{sent(typed(says(annLong, "A1", "Monday?\nYes"), record.Poll), "9:36")},
			lines: []string{"9:36 Ann: POLL:\nMonday?\nOPTION: Yes (1 vote)\nOPTION: No (0 votes)"}},
		{name: "what was not read is what was there", captured: []record.Received{sent(record.Received{Kind: record.Unsupported, Type: "newfangled", ID: "A1", Sender: annLong}, "9:36")},
			lines: []string{"9:36 Ann: A thing of next year"}},
		{name: "but a text that is there is itself", captured: []record.Received{
			sent(record.Received{Kind: record.Unsupported, Type: "newfangled", ID: "A1", Sender: annLong}, "9:36"), sent(says(annLong, "A2", "Hello"), "9:36")},
			lines: []string{"9:36 Ann: Hello", "9:36 Ann: A thing of next year"}},
		{name: "an event with its name", captured: []record.Received{sent(typed(says(annLong, "A1", "Litter pick\nat the green"), record.Event), "9:36")},
			lines: []string{"9:36 Ann: EVENT: Litter pick"}},
		{name: "an event is no other words", captured: []record.Received{sent(typed(says(annLong, "A1", "Litter pick\nat the green"), record.Event), "9:36")},
			lines: []string{"9:36 Ann: I resign."}, missing: []int{1}, lacks: []record.Seq{1}},
		{name: "an album is shown nowhere", captured: []record.Received{sent(typed(says(annLong, "A1", ""), record.Album), "9:36")},
			lines: []string{"9:36 Ann: Hello"}, missing: []int{1}},
		{name: "what the phone has no more", captured: []record.Received{
			sent(says(annLong, "A1", "one"), "9:36"), sent(says(annLong, "A2", "two"), "9:37"), sent(says(annLong, "A3", "three"), "9:38")},
			lines: []string{"9:36 Ann: one", "9:38 Ann: three"}, lacks: []record.Seq{2}},
		{name: "before and after the export nothing is lacking", captured: []record.Received{
			sent(says(annLong, "A1", "one"), "9:30"), sent(says(annLong, "A2", "two"), "9:37:59"), sent(says(annLong, "A3", "three"), "9:38")},
			lines: []string{"9:36 Ann: zero", "9:37 Ann: two"}, missing: []int{1}},
		{name: "a notice of what was captured", captured: []record.Received{
			{Kind: record.Participants, Type: record.Left, Sender: boLong, Participants: []record.Participant{{Address: boLong}}, Sent: at("9:36:20")}},
			lines: []string{"9:36 Bob left", "9:50 Bob joined using this group's invite link"}, missing: []int{2}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOffice(t)
			for _, r := range tt.captured {
				o.captures(r)
			}
			o.captures(sent(says(record.Address{JID: "200000000000199@lid"}, "Z1", "That is all for today."), "11:00"))
			o.now = monday.AddDate(0, 0, 7)
			e := o.exported(tt.lines...)
			c := o.compares(e)
			var missing []int
			for _, n := range c.New {
				missing = append(missing, n+1)
			}
			if diff := cmp.Diff(tt.missing, missing); diff != "" {
				t.Errorf("missing in the archive (-want +got)\n%s", diff)
			}
			if diff := cmp.Diff(tt.lacks, c.Lacks); diff != "" {
				t.Errorf("missing on the phone (-want +got)\n%s", diff)
			}
			before := len(o.records())
			o.imports(e)
			if n := len(o.records()) - before; n != len(tt.missing) {
				t.Errorf("%d records were imported; want %d", n, len(tt.missing))
			}
			if again := o.compares(e); len(again.New) != 0 {
				t.Errorf("after the import, lines %v are still new", again.New)
			}
			o.expectSound()
		})
	}
}

// In the hour that clocks show twice, an entry is either.
func TestMatchingInTheRepeatedHour(t *testing.T) {
	o := newOffice(t)
	second := time.Date(2026, 10, 25, 1, 10, 0, 0, time.UTC)
	r := says(ann, "A1", "The culvert")
	r.Sent = second
	o.captures(r)
	o.now = second.AddDate(0, 0, 1)
	if c := o.compares(o.parsed("25/10/2026, 01:10 - Ann: The culvert\n")); c.Known != 1 {
		t.Errorf("%+v", c)
	}
}

func TestWhatIsNotImported(t *testing.T) {
	o := newOffice(t)
	o.now = time.Date(2032, 3, 3, 12, 0, 0, 0, time.UTC)
	e := o.parsed("02/03/2026, 09:36 - Ann: due today\n03/03/2026, 09:36 - Ann: due tomorrow\n03/03/2032, 12:00 - Ann: now\n")
	done := o.imports(e)
	if done.PastDue != 1 || done.Comparison.Messages != 3 || len(o.records()) != 2 {
		t.Errorf("%+v", done)
	}
	o.now = time.Date(2032, 3, 1, 12, 0, 0, 0, time.UTC)
	if c := o.compares(o.parsed("03/03/2032, 12:00 - Ann: the day after tomorrow\n03/13/2032, 12:00 - Ann: x\n")); len(c.Future) == 0 {
		t.Errorf("the future: %+v", c)
	}
}

// A longer period does not bring back what may have been destroyed under a shorter one.
func TestWhatALongerPeriodDoesNotBringBack(t *testing.T) {
	o := newOffice(t)
	o.now = time.Date(2032, 3, 3, 12, 0, 0, 0, time.UTC)
	o.archive.schedule = retention.ForYears(10)
	e := o.parsed("02/03/2026, 09:36 - Ann: due under the old period\n03/03/2026, 09:36 - Ann: due tomorrow under the old\n03/03/2032, 12:00 - Ann: now\n")
	for i := range 2 { // before and after the new schedule is adopted
		if c := o.compares(e); c.PastDue != 1 {
			t.Errorf("%d: %+v", i, c)
		}
		o.imports(e)
		o.write(func(tx *sqlite.Tx) error { return o.archive.Adopt(tx, o.now) })
		o.now = o.now.AddDate(1, 0, 0)
	}
}

// What is later than all that the device has received, it may still receive; unless it is
// not linked any more.
func TestWhatMayStillCome(t *testing.T) {
	for _, tt := range []struct {
		name   string
		gap    GapKind
		opened string
		later  int
	}{
		{"connected", "", "", 2},
		{"not connected", NotConnected, "9:36", 2},
		{"not linked", NotLinked, "9:36", 0},
		{"not linked, but only later", NotLinked, "9:38", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOffice(t)
			o.captures(sent(says(ann, "A1", "The culvert"), "9:36:20"))
			o.now = monday.AddDate(0, 0, 7)
			if tt.gap != "" {
				o.write(func(tx *sqlite.Tx) error { return OpenGap(tx, o.now, at(tt.opened), tt.gap, "x") })
			}
			c := o.compares(o.exported("9:30 Ann: before", "9:36 Ann: The culvert", "9:36 Ann: The hedge", "9:37 Ann: later", "9:38 Ann: later still"))
			if len(c.Later) != tt.later || len(c.New) != 4-tt.later {
				t.Errorf("later: %v, new: %v", c.Later, c.New)
			}
		})
	}
}

// An export of another chat is refused, and why is said.
func TestDoubt(t *testing.T) {
	hour := []string{"9:36 Ann: The culvert is blocked", "9:37 Bo: I know it is blocked", "9:38 Ann: Who goes to mend it", "9:39 Bo: I do, with a spade", "9:40 Ann: Thank you so much"}
	for _, tt := range []struct {
		name  string
		clock string // of the captured messages; empty: none
		lines []string
		file  string
		want  string
	}{
		{"the same messages", "9:36", hour, "x.txt", ""},
		{"none of them", "9:36", []string{"9:36 Ann: a", "9:37 Ann: b", "9:38 Ann: c", "9:39 Ann: d", "9:39 Ann: e"}, "x.txt", "another chat"},
		{"an hour off", "8:36", append(slices.Clone(hour), "8:36 Zed: x", "8:37 Zed: x", "8:38 Zed: x", "8:39 Zed: x", "8:40 Zed: x"), "x.txt", "another hour (+1.0 h)"},
		{"before the link, called otherwise", "", hour, "WhatsApp Chat with Bo Carter.txt", "nothing shows"},
		{"before the link, called so", "", hour, "WhatsApp Chat with cranford  Councillors.txt", ""},
		{"before the link, called so in a notice", "", append([]string{`9:30 Dot created group "Cranford councillors"`}, hour...), "x.txt", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOffice(t)
			if tt.clock != "" {
				for i, l := range hour {
					_, text, _ := strings.Cut(l, ": ")
					o.captures(sent(says(ann, fmt.Sprint("A", i), text), tt.clock[:3]+fmt.Sprint(6 + i)[:1]))
				}
			}
			o.now = monday.AddDate(0, 0, 7)
			e := o.exported(tt.lines...)
			if m := strings.TrimSuffix(strings.TrimPrefix(tt.file, "WhatsApp Chat with "), ".txt"); m != "x" {
				e.Names = append(e.Names, m)
			}
			i := o.importing(e)
			i.Anyway = false
			before := len(o.records())
			_, err := o.archive.Import(context.Background(), i)
			var doubt Doubt
			if (tt.want == "") != (err == nil) || tt.want != "" && (!errors.As(err, &doubt) || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("%v; want one about %q", err, tt.want)
			}
			if tt.want != "" && len(o.records()) != before {
				t.Error("it was imported")
			}
		})
	}
}

// That somebody said "ok" in both, or sent a photo, does not make a private chat the
// group's; nor does what somebody sent to both.
func TestDoubtInSpiteOfWhatAnybodySays(t *testing.T) {
	o := newOffice(t)
	photo := says(ann, "A2", "")
	photo.Type, photo.File = record.Image, &record.File{Sealed: []byte("x")}
	o.captures(sent(says(ann, "A1", "ok"), "9:36"))
	o.captures(sent(photo, "9:37"))
	o.captures(sent(says(bo, "B1", "The road is closed at Mill Lane."), "9:40"))
	o.captures(sent(says(bo, "B2", "Good night"), "9:59"))
	o.now = monday.AddDate(0, 0, 7)
	for _, lines := range [][]string{
		{"8:30 Zed: The doctor says that it is serious.", "9:36 Zed: ok", "9:37 Zed: <Media omitted>"},
		{"9:40 Zed: The road is closed at Mill Lane.", "9:41 Zed: Are you at home?", "9:42 Zed: I bring supper"},
	} {
		i := o.importing(o.exported(lines...))
		i.Anyway = false
		var doubt Doubt
		if _, err := o.archive.Import(context.Background(), i); !errors.As(err, &doubt) {
			t.Errorf("%q was imported: %v", lines, err)
		}
	}
}

// The same export is not taken in once more because another zone is given.
func TestDoubtAboutTheZoneOfAnImport(t *testing.T) {
	o := newOffice(t)
	o.now = monday.AddDate(0, 0, 7)
	text := "02/03/2026, 09:30 - Dot created group \"Cranford councillors\"\n"
	for i, says := range []string{"The culvert is blocked", "I know it is blocked", "Who goes to mend it", "I do, with a spade", "Thank you so much"} {
		text += fmt.Sprintf("02/03/2026, 09:3%d - Ann: %s\n", i, says)
	}
	o.imports(o.parsed(text))
	before := len(o.records())
	e, err := transcript.Parse([]byte(text), transcript.Options{Zone: time.FixedZone("Madrid", 3600), Now: o.now})
	if err != nil {
		t.Fatal(err)
	}
	i := o.importing(e)
	i.Anyway, i.Zone = false, "Europe/Madrid"
	var doubt Doubt
	if _, err := o.archive.Import(context.Background(), i); !errors.As(err, &doubt) || !strings.Contains(err.Error(), "another hour (-1.0 h)") {
		t.Errorf("%v", err)
	}
	if after := len(o.records()); after != before {
		t.Errorf("%d records; before it were %d", after, before)
	}
}

// Whom the phone's owner calls exactly as the register does is that person; a name that
// somebody gave himself is none.
func TestAuthorsOnTheRegister(t *testing.T) {
	o := newOffice(t)
	o.write(func(tx *sqlite.Tx) error {
		return people.AddMember(tx, o.now, "Jo Marsh", "elected", people.Member{Name: "Cllr Ann Brook", Role: "councillor"}, ann)
	})
	o.now = monday.AddDate(0, 0, 7)
	done := o.imports(o.exported("9:36 Cllr Ann Brook: one", "9:37 ~ Cllr Ann Brook: two", "9:38 Ann Brook: three"))
	if !slices.Equal(done.Tied, []string{"Cllr Ann Brook"}) {
		t.Errorf("tied: %q", done.Tied)
	}
	rs := o.records()
	annIs := o.captures(says(ann, "A1", "four")).Person
	if rs[0].Person != annIs || rs[1].Person == annIs || rs[2].Person == annIs {
		t.Errorf("sent by %d, %d, %d; she is %d", rs[0].Person, rs[1].Person, rs[2].Person, annIs)
	}
	if o.journaled(journal.MemberIdentified) != 1 {
		t.Error("it is not in the journal")
	}
	o.expectSound()
}

// errKilled is what the process does not live to see.
var errKilled = errors.New("killed")

// long is an export of so many messages.
func (o *office) long(n int) *transcript.Export {
	var b strings.Builder
	start := time.Date(2025, 3, 2, 9, 0, 0, 0, time.UTC)
	for i := range n {
		fmt.Fprintf(&b, "%s - %s: message %d of the culvert at Mill Lane, which is blocked\n", start.Add(time.Duration(i)*7*time.Minute).In(retention.London).Format("02/01/2006, 15:04"),
			[]string{"Ann Brook", "Bo Carter", "Dot Ellis"}[i%3], i)
	}
	return o.parsed(b.String())
}

// It breaks off anywhere, and is done again: nothing is lost, nothing twice.
func TestImportThatBreaksOff(t *testing.T) {
	o := newOffice(t)
	e := o.long(3*atOnce + 10)
	for _, committed := range []bool{false, true} {
		i := o.importing(e)
		puts := 0
		i.Put = func(ctx context.Context, _ []record.File, write func(*sqlite.Tx) error) error {
			if puts++; puts < 2 {
				return o.db.Write(ctx, write)
			}
			if committed {
				if err := o.db.Write(ctx, write); err != nil {
					return err
				}
			}
			return errKilled
		}
		if _, err := o.archive.Import(context.Background(), i); !errors.Is(err, errKilled) {
			t.Fatalf("the import: %v", err)
		}
	}
	if n := len(o.records()); n != 3*atOnce {
		t.Fatalf("%d records when it breaks off", n)
	}
	done := o.imports(e)
	if done.ID != 1 || !done.Resumed || done.Messages != 10 || len(o.records()) != 3*atOnce+10 {
		t.Errorf("taken up: %+v; %d records", done, len(o.records()))
	}
	if n := o.number("SELECT records FROM import WHERE finished_at IS NOT NULL"); n != 3*atOnce+10 {
		t.Errorf("the import has %d records", n)
	}
	o.expectSound()
}

// The daemon captures meanwhile what is in the export, too.
func TestImportBesideTheDaemon(t *testing.T) {
	o := newOffice(t)
	e := o.long(2*atOnce + 10)
	last := e.Entries[len(e.Entries)-1]
	i := o.importing(e)
	captured := false
	i.Progress = func(int64, int64) {
		if !captured {
			captured = true
			r := says(ann, "A1", last.Text)
			r.Sent = last.At.Add(20 * time.Second)
			o.captures(r)
		}
	}
	if _, err := o.archive.Import(context.Background(), i); err != nil {
		t.Fatal(err)
	}
	if n := len(o.records()); n != 2*atOnce+10 {
		t.Errorf("%d records; want %d", n, 2*atOnce+10)
	}
	o.expectSound()
}
