package archive

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muniment/internal/journal"
	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// sealed is what somebody does to Ann's message A1 and nobody can read yet.
func sealed(who record.Address, kind record.Kind, id string) record.Received {
	return does(who, 1, kind, record.Sealed, id)
}

// unknown is a message of a kind that is not read yet.
func unknown(who record.Address, id string) record.Received {
	return record.Received{Kind: record.Unsupported, Type: "futureMessage", ID: id, Sender: who, Protobuf: []byte("pb " + id)}
}

// vote is the reading of a vote for Ann's poll A1.
func vote(options ...string) record.Received {
	return record.Received{Kind: record.Vote, Type: record.Cast, Text: strings.Join(options, "\n"), Details: record.Details{Chosen: options}.Encode()}
}

// reads gives a record another reading, as by a version that can.
func (o *office) reads(seq record.Seq, r record.Received) Captured {
	o.Helper()
	c, err := o.tryRead(seq, r)
	if err != nil {
		o.Fatal(err)
	}
	return c
}

func (o *office) tryRead(seq record.Seq, r record.Received) (c Captured, err error) {
	o.Helper()
	r.Group = official
	err = o.db.Write(context.Background(), func(tx *sqlite.Tx) error {
		d := o.delivered(tx, seq)
		cs, err := o.archive.Reread(tx, o.now, "Jo Marsh", "an update", "v2", []Reading{{d, r}})
		if err == nil {
			c = cs[0]
		}
		return err
	})
	return c, err
}

func (o *office) delivered(tx *sqlite.Tx, seq record.Seq) Delivered {
	o.Helper()
	ds, err := DeliveredSome(tx, []record.Seq{seq})
	if err != nil || len(ds) != 1 {
		o.Fatalf("record %d: %d of them, %v", seq, len(ds), err)
	}
	return ds[0]
}

// A vote that came before its poll is what it would have been, once it can be read: in
// views, in searches, for redelivery, for destruction. Its leaf stays what it was.
func TestAVoteThatComesBeforeItsPoll(t *testing.T) {
	o := newOffice(t)
	early := o.captures(sealed(bo, record.Vote, "V1"))
	if n := o.account().Sealed; n != 1 {
		t.Errorf("%d are sealed", n)
	}
	if r := o.record(early.Seq); r.Effective || r.Type != record.Sealed {
		t.Errorf("sealed: %+v", r)
	}
	o.finds("anything") // the index is past it
	poll := o.captures(sends(ann, "A1", record.Poll, "When?\nMonday\nTuesday", record.Details{}))
	if !poll.Awaited {
		t.Error("nobody awaited the poll")
	}
	var waiting []record.Seq
	o.write(func(tx *sqlite.Tx) (err error) { waiting, err = Waiting(tx, poll.Origin); return err })
	if !slices.Equal(waiting, []record.Seq{early.Seq}) {
		t.Fatalf("sealed: %v", waiting)
	}
	before := o.record(early.Seq)
	o.passes(1)
	c := o.reads(early.Seq, vote("Tuesday"))
	if c.Seq != early.Seq || c.Person != early.Person || !slices.Equal(c.Origin, early.Origin) || !slices.Equal(c.Target, early.Target) || !c.Fresh {
		t.Errorf("read as %+v; captured as %+v", c, early)
	}
	r := o.record(early.Seq)
	if r.Kind != record.Vote || r.Type != record.Cast || r.Text != "Tuesday" || !r.Effective || r.ReplyTo != poll.Seq ||
		!slices.Equal(r.Details.Chosen, []string{"Tuesday"}) || r.Due != before.Due || !r.Sent.Equal(before.Sent) {
		t.Errorf("read: %+v", r)
	}
	if !r.ReadAt.Equal(o.now.Truncate(time.Millisecond)) || !before.ReadAt.IsZero() {
		t.Errorf("read at %s; before, at %s", r.ReadAt, before.ReadAt)
	}
	if found := o.finds("tuesday"); !slices.Equal(found, []record.Seq{poll.Seq, early.Seq}) {
		t.Errorf("found: %v", found)
	}
	o.expectIndexSound()
	o.expectSound()
	for _, again := range []record.Received{sealed(bo, record.Vote, "V1"), does(bo, 1, record.Vote, record.Cast, "V1")} {
		if c := o.captures(again); c.Fresh || c.Seq != early.Seq {
			t.Errorf("delivered again, it is record %d, new: %v", c.Seq, c.Fresh)
		}
	}
	if _, err := o.tryRead(early.Seq, vote("Monday")); err == nil {
		t.Error("it was read a third time")
	}
	if n := o.account().Sealed; n != 0 {
		t.Errorf("%d are sealed", n)
	}
	o.passes(7)
	if gone := o.destroys(poll.Seq); len(gone) != 2 {
		t.Errorf("destroyed: %v", gone)
	}
	if n := o.number("SELECT count(*) FROM reread"); n != 0 {
		t.Errorf("%d rows are left of what was destroyed", n)
	}
	o.expectIndexSound()
	o.expectSound()
	if c := o.captures(does(bo, 1, record.Vote, record.Cast, "V1")); c.Fresh {
		t.Error("what was destroyed came back")
	}
}

// What an older version could not read can turn out to be anything.
func TestUnsupportedTurnsOutToBe(t *testing.T) {
	toA1 := &record.Ref{ID: "A1", Sender: ann}
	for _, tt := range []struct {
		name  string
		r     record.Received
		check func(r Record, message record.Seq) bool
	}{
		{"a message", record.Received{Kind: record.Message, Type: record.Image, Text: "culvert", File: &record.File{Name: "c.jpg", Sealed: []byte("s")}},
			func(r Record, _ record.Seq) bool {
				return r.Text == "culvert" && r.FileName == "c.jpg" && r.HasFile && r.ReplyTo == 0 && r.Effective
			}},
		{"a reply", record.Received{Kind: record.Message, Type: record.Text, Text: "culvert", Target: toA1, Mentions: []string{cy.JID}},
			func(r Record, m record.Seq) bool {
				return r.ReplyTo == m && r.Amends == 0 && slices.Equal(r.Mentions, []string{cy.JID})
			}},
		{"an edit of another's", record.Received{Kind: record.Edit, Type: record.Text, Text: "culvert", Target: toA1},
			func(r Record, m record.Seq) bool { return r.Amends == m && !r.Entitled && !r.Effective }},
		{"a reaction", record.Received{Kind: record.Reaction, Type: record.ReactionAdded, Emoji: "👍", Target: toA1},
			func(r Record, m record.Seq) bool { return r.ReplyTo == m && r.Emoji == "👍" && r.Effective }},
		{"a deletion of another's", record.Received{Kind: record.Deletion, Type: record.ByAdmin, Target: toA1},
			func(r Record, m record.Seq) bool { return r.ReplyTo == m && !r.Entitled }},
		{"people who came", record.Received{Kind: record.Participants, Type: record.Added, Participants: those(cy)},
			func(r Record, _ record.Seq) bool { return len(r.Participants) == 1 && r.Participants[0].JID == cy.JID }},
		{"sealed", record.Received{Kind: record.Response, Type: record.Sealed, Target: toA1},
			func(r Record, m record.Seq) bool { return r.ReplyTo == m && !r.Effective }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOffice(t)
			message := o.captures(says(ann, "A1", "Is the culvert blocked?"))
			o.present(cy, ann, bo)
			o.passes(1) // its due date is another
			c := o.captures(unknown(bo, "B1"))
			o.reads(c.Seq, tt.r)
			r := o.record(c.Seq)
			if r.Kind != tt.r.Kind || r.Type != tt.r.Type || !tt.check(r, message.Seq) {
				t.Errorf("%+v", r)
			}
			if follows := r.Due == o.record(message.Seq).Due; follows != tt.r.Kind.Follows() {
				t.Errorf("it follows the message's clock: %v", follows)
			}
			o.expectSound()
			o.expectIndexSound()
			again := tt.r
			again.ID, again.Sender, again.Protobuf = "B1", bo, []byte("pb B1")
			if again := o.captures(again); again.Fresh || again.Seq != c.Seq {
				t.Errorf("delivered again, it is record %d, new: %v", again.Seq, again.Fresh)
			}
			if again := o.captures(unknown(bo, "B1")); again.Fresh {
				t.Error("delivered again and not read, it is new")
			}
			o.passes(8)
			o.destroys(c.Seq)
			if again := o.captures(again); again.Fresh {
				t.Error("what was destroyed came back")
			}
		})
	}
}

// Whether somebody was an admin when it came is known of a deletion that is read later.
func TestADeletionByAnAdminReadLater(t *testing.T) {
	o := newOffice(t)
	message := o.captures(says(ann, "A1", "Is the culvert blocked?"))
	o.present(bo, ann, cy)
	c := o.captures(unknown(bo, "B1"))
	o.present(cy, ann, bo)
	o.reads(c.Seq, record.Received{Kind: record.Deletion, Type: record.ByAdmin, Target: &record.Ref{ID: "A1", Sender: ann}})
	if r := o.record(message.Seq); r.DeletedBy != c.Seq {
		t.Errorf("deleted by record %d", r.DeletedBy)
	}
	o.expectSound()
}

// A file that could be read though the rest could not is part of the leaf, and stays.
func TestAFileOfWhatCouldNotBeRead(t *testing.T) {
	o := newOffice(t)
	odd := unknown(bo, "B1")
	odd.File = &record.File{Name: "c.jpg", Sealed: []byte("s"), Type: record.Image}
	c := o.captures(odd)
	if _, err := o.tryRead(c.Seq, record.Received{Kind: record.Message, Type: record.Text, Text: "x"}); err == nil {
		t.Error("the file is gone")
	}
	o.reads(c.Seq, record.Received{Kind: record.Message, Type: record.Image, Text: "culvert", File: odd.File})
	o.expectSound()
	if r := o.record(c.Seq); r.FileName != "c.jpg" || r.Text != "culvert" {
		t.Errorf("%+v", r)
	}
}

// First it is known what it is, and later what it says: the leaf is of the first capture.
func TestReadInTwoSteps(t *testing.T) {
	o := newOffice(t)
	c := o.captures(unknown(bo, "V1"))
	o.reads(c.Seq, sealed(bo, record.Vote, "V1"))
	o.expectSound()
	poll := o.captures(says(ann, "A1", "When?"))
	o.reads(c.Seq, vote("Monday"))
	o.expectSound()
	if r := o.record(c.Seq); r.ReplyTo != poll.Seq || r.Text != "Monday" || r.Due != o.record(poll.Seq).Due {
		t.Errorf("%+v", r)
	}
	var of []Leaf
	o.write(func(tx *sqlite.Tx) error {
		readings, err := Readings(tx)
		if err != nil {
			return err
		}
		return Leaves(tx, func(l Leaf) error {
			if l.Reread {
				of = append(of, l)
				if !slices.Equal(readings[l.Seq], l.Reading) {
					t.Errorf("record %d: the journal has not its last reading", l.Seq)
				}
			}
			return nil
		})
	})
	if len(of) != 1 || o.journaled(journal.ReadAgain) != 2 || o.journaled(journal.ParentArrived) != 1 {
		t.Errorf("%d leaves of what was read later, %d entries of that", len(of), o.journaled(journal.ReadAgain))
	}
}

func TestNews(t *testing.T) {
	unread, locked := Delivered{Received: unknown(bo, "B1")}, Delivered{Received: sealed(bo, record.Vote, "V1")}
	full := unread
	full.Received.Text = "something"
	for _, tt := range []struct {
		name string
		d    Delivered
		r    record.Received
		news bool
	}{
		{"what was unsupported is a message", unread, says(bo, "B1", "x"), true},
		{"what was unsupported is sealed", unread, sealed(bo, record.Vote, "B1"), true},
		{"what was unsupported has another name", unread, record.Received{Kind: record.Unsupported, Type: "newer"}, false},
		{"what was unsupported said something", full, says(bo, "B1", "x"), false},
		{"what was sealed is open", locked, vote("Monday"), true},
		{"what was sealed is sealed", locked, sealed(bo, record.Vote, "V1"), false},
		{"what was sealed is of another kind", locked, says(bo, "B1", "x"), false},
		{"what was sealed is not understood", locked, unknown(bo, "V1"), false},
		{"what was read is read otherwise", Delivered{Received: says(bo, "B1", "x")}, says(bo, "B1", "y"), false},
	} {
		if news := tt.d.News(tt.r); news != tt.news {
			t.Errorf("%s: news: %v", tt.name, news)
		}
	}
}

// Nothing but what could not be read can be set, and only with a row of reread.
func TestOnlyTheUnreadIsReadAgain(t *testing.T) {
	const reread = "INSERT INTO reread SELECT seq, kind, type, target, file_sealed IS NOT NULL, randomblob(32), captured FROM record WHERE seq = "
	for _, tt := range []struct {
		name  string
		seq   int
		first string
		set   string
		ok    bool
	}{
		{"unsupported", 2, reread + "2", "kind = 'message', type = 'text', text = 'x'", true},
		{"unsupported, to another target", 2, reread + "2", "kind = 'edit', target = x'01'", true},
		{"sealed", 3, reread + "3", "type = 'cast', details = '{}'", true},
		{"without a row", 2, "", "kind = 'message'", false},
		{"a message", 1, reread + "1", "text = 'x'", false},
		{"another kind of what is sealed", 3, reread + "3", "kind = 'reaction', type = 'added'", false},
		{"another target of what is sealed", 3, reread + "3", "type = 'cast', target = x'01'", false},
		{"what is unsupported and says something", 4, reread + "4", "kind = 'message'", false},
		{"the protobuf", 2, reread + "2", "kind = 'message', protobuf = x'01'", false},
		{"the sender", 2, reread + "2", "kind = 'message', sender = 'x'", false},
		{"the time", 2, reread + "2", "kind = 'message', sent = ''", false},
		{"the leaf", 2, reread + "2", "kind = 'message', leaf = 99", false},
		{"a row that is not as captured", 2, "INSERT INTO reread VALUES (2, 'vote', 'sealed', NULL, 0, x'', '')", "kind = 'message'", false},
		{"a row of no record", 2, "INSERT INTO reread VALUES (9, 'unsupported', 'x', NULL, 0, x'', '')", "kind = 'message'", false},
		{"the row changed", 2, reread + "2", "kind = kind; UPDATE reread SET kind = 'vote'", false},
		{"the row removed", 2, reread + "2", "kind = 'message'; DELETE FROM reread", false},
		{"unsupported with a file", 5, reread + "5", "kind = 'message', type = 'image', text = 'x'", true},
		{"another file", 5, reread + "5", "kind = 'message', file_sealed = x'01'", false},
		{"another name of the file", 5, reread + "5", "kind = 'message', file_name = 'x'", false},
		{"no file", 5, reread + "5", "kind = 'message', file_sealed = NULL", false},
		{"a row that knows no file", 5, "INSERT INTO reread SELECT seq, kind, type, target, 0, randomblob(32), captured FROM record WHERE seq = 5", "kind = 'message'", false},
		{"read twice", 2, reread + "2", "kind = 'message', text = 'x'; UPDATE record SET text = 'y' WHERE seq = 2", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOffice(t)
			o.captures(says(ann, "A1", "first"))
			o.captures(unknown(bo, "B1"))
			o.captures(sealed(bo, record.Vote, "V1"))
			odd := unknown(bo, "B2")
			odd.Text = "something"
			o.captures(odd)
			odd = unknown(bo, "B3")
			odd.File = &record.File{Sealed: []byte("s")}
			o.captures(odd)
			err := o.db.Write(context.Background(), func(tx *sqlite.Tx) error {
				if tt.first != "" {
					if _, err := tx.Exec(tt.first); err != nil {
						return err
					}
				}
				set, rest, _ := strings.Cut(tt.set, ";")
				_, err := tx.Exec(fmt.Sprintf("UPDATE record SET %s WHERE seq = %d; %s", set, tt.seq, rest))
				return err
			})
			if (err == nil) != tt.ok {
				t.Errorf("%v", err)
			}
		})
	}
}

// What turns out to follow a message hands its clock on to what follows it: anybody can
// react to what is no message, or pin what pins him.
func TestTheClockIsHandedOn(t *testing.T) {
	pins := func(id string) record.Received {
		return record.Received{Kind: record.Pin, Type: record.Pinned, Target: &record.Ref{ID: id, Sender: bo}}
	}
	t.Run("the message is here", func(t *testing.T) {
		o := newOffice(t)
		message := o.captures(says(bo, "B0", "first"))
		o.passes(1)
		pin := o.captures(unknown(bo, "B1"))
		reaction := o.captures(reacts(ann, "A1", "👍", bo, "B1"))
		quoting := o.captures(quotes(ann, "A2", "what?", bo, "B1", "a pin"))
		o.reads(pin.Seq, pins("B0"))
		want := o.record(message.Seq).Due
		for _, seq := range []record.Seq{pin.Seq, reaction.Seq} {
			if r := o.record(seq); r.Due != want {
				t.Errorf("record %d is due on %s; want %s", seq, r.Due, want)
			}
		}
		if n := o.number("SELECT count(*) FROM quotation WHERE record = ? AND due = ?", quoting.Seq, want); n != 1 {
			t.Error("the quotation is not due with what it quotes")
		}
		o.expectSound()
	})
	t.Run("the message comes last", func(t *testing.T) {
		o := newOffice(t)
		pin, reaction := o.captures(unknown(bo, "B1")), o.captures(reacts(ann, "A1", "👍", bo, "B1"))
		o.reads(pin.Seq, pins("B0"))
		o.expectSound()
		late := says(bo, "B0", "first")
		late.Sent = o.now.AddDate(-2, 0, 0)
		o.passes(1)
		message := o.captures(late)
		want := o.record(message.Seq).Due
		for _, seq := range []record.Seq{pin.Seq, reaction.Seq} {
			if r := o.record(seq); r.Due != want {
				t.Errorf("record %d is due on %s; want %s", seq, r.Due, want)
			}
		}
		o.expectSound()
	})
	t.Run("two that pin each other", func(t *testing.T) {
		o := newOffice(t)
		one := o.captures(unknown(bo, "B1"))
		o.passes(1)
		other := o.captures(unknown(bo, "B2"))
		o.reads(one.Seq, pins("B2"))
		o.reads(other.Seq, pins("B1"))
		o.expectSound()
	})
	t.Run("one that pins itself", func(t *testing.T) {
		o := newOffice(t)
		o.reads(o.captures(unknown(bo, "B1")).Seq, pins("B1"))
		o.expectSound()
	})
	t.Run("the message is destroyed", func(t *testing.T) {
		o := newOffice(t)
		message := o.captures(says(bo, "B0", "first"))
		o.passes(7)
		o.destroys(message.Seq)
		pin := o.captures(unknown(bo, "B1"))
		o.reads(pin.Seq, pins("B0"))
		if r := o.record(pin.Seq); string(r.Due) > o.now.Format(time.DateOnly) {
			t.Errorf("it is due on %s only", r.Due)
		}
		o.expectSound()
	})
}

// What is encrypted is read with the message that it names, by whichever address.
func TestOriginal(t *testing.T) {
	o := newOffice(t)
	number := record.Address{JID: "447700900101@s.whatsapp.net", Alt: ann.JID}
	poll := sends(ann, "A1", record.Poll, "When shall we meet, and where?", record.Details{})
	c := o.captures(poll)
	o.captures(says(number, "A9", "by number"))
	added := does(bo, 1, record.Option, record.OptionAdded, "O1")
	added.Text = "Friday"
	o.captures(added)
	edit := does(ann, 2, record.Edit, record.Poll, "E1")
	edit.Text, edit.Details = "When?\nSaturday", record.Details{Poll: &record.Ballot{Question: "When?", Options: []string{"Saturday"}}}.Encode()
	o.captures(edit)
	o.captures(sealed(bo, record.Option, "O2"))
	want := Original{Sender: ann, Protobuf: poll.Protobuf, Added: []string{"Friday", "Saturday"}}
	for name, of := range map[string]struct {
		group string
		ref   record.Ref
		is    bool
	}{
		"by LID":                {official, record.Ref{ID: "A1", Sender: ann}, true},
		"by number":             {official, record.Ref{ID: "A1", Sender: record.Address{JID: number.JID}}, true},
		"by both":               {official, record.Ref{ID: "A1", Sender: number}, true},
		"another ID":            {official, record.Ref{ID: "A2", Sender: ann}, false},
		"another's of that ID":  {official, record.Ref{ID: "A1", Sender: bo}, false},
		"in another group":      {"120363000000000002@g.us", record.Ref{ID: "A1", Sender: ann}, false},
		"of somebody not known": {official, record.Ref{ID: "A1", Sender: record.Address{JID: "9@lid"}}, false},
	} {
		o.write(func(tx *sqlite.Tx) error {
			got, is, err := o.archive.Original(tx, of.group, of.ref)
			if is != of.is || err != nil {
				t.Errorf("%s: %v, %v", name, is, err)
			}
			if diff := cmp.Diff(want, got); is && diff != "" {
				t.Errorf("%s (-want +got)\n%s", name, diff)
			}
			return nil
		})
	}
	o.passes(7)
	o.destroys(c.Seq)
	o.write(func(tx *sqlite.Tx) error {
		if _, is, err := o.archive.Original(tx, official, record.Ref{ID: "A1", Sender: ann}); is || err != nil {
			t.Errorf("destroyed: %v, %v", is, err)
		}
		return nil
	})
}

// Another reading agrees with the first if it says the same of the same message.
func TestAgrees(t *testing.T) {
	o := newOffice(t)
	o.captures(says(ann, "A1", "The culvert is blocked."))
	o.captures(reacts(bo, "B1", "👍", ann, "A1"))
	o.captures(quotes(bo, "B2", "Since when?", ann, "A1", "The culvert is blocked."))
	plain := reacts(bo, "B1", "👍", ann, "A1")
	reply := says(bo, "B2", "Since when?") // as it is read again: the quotation was taken out of it
	for _, tt := range []struct {
		name   string
		seq    record.Seq
		r      record.Received
		agrees bool
	}{
		{"a message", 1, says(ann, "A1", "The culvert is blocked."), true},
		{"another text", 1, says(ann, "A1", "The culvert is clear."), false},
		{"with details", 1, sends(ann, "A1", record.Text, "The culvert is blocked.", record.Details{Forwarded: 1}), false},
		{"another type", 1, sends(ann, "A1", record.Poll, "The culvert is blocked.", record.Details{}), false},
		{"in answer to something", 1, quotes(ann, "A1", "The culvert is blocked.", bo, "B9", ""), false},
		{"a reaction", 2, plain, true},
		{"another emoji", 2, reacts(bo, "B1", "👎", ann, "A1"), false},
		{"to another message", 2, reacts(bo, "B1", "👍", ann, "A2"), false},
		{"to nothing", 2, record.Received{Kind: record.Reaction, Type: record.ReactionAdded, Emoji: "👍"}, false},
		{"a reply", 3, reply, true},
	} {
		o.write(func(tx *sqlite.Tx) error {
			tt.r.Group = official
			agrees, err := o.archive.Agrees(tx, o.delivered(tx, tt.seq), tt.r)
			if agrees != tt.agrees || err != nil {
				t.Errorf("%s: %v, %v", tt.name, agrees, err)
			}
			return nil
		})
	}
}

// Its sender chooses a message's ID. One that cannot be read does not keep out what comes
// under the same ID and can be.
func TestWhatBearsTheIDOfWhatCouldNotBeRead(t *testing.T) {
	o := newOffice(t)
	message := o.captures(says(ann, "A1", "I resign."))
	o.captures(unknown(ann, "A2"))
	deletion := record.Received{Kind: record.Deletion, Type: record.ByAuthor, ID: "A2", Sender: ann, Target: &record.Ref{ID: "A1", Sender: ann}, Protobuf: []byte("deletion")}
	c := o.captures(deletion)
	if !c.Fresh || o.record(message.Seq).DeletedBy != c.Seq {
		t.Errorf("the deletion: %+v", c)
	}
	if c := o.captures(deletion); c.Fresh {
		t.Error("delivered again, it is new")
	}
	o.expectSound()
}
