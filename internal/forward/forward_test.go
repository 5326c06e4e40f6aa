package forward

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"muniment/internal/archive"
	"muniment/internal/mail"
	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
	"muniment/internal/sqlite/sqlitetest"
)

const official = "120363000000000001@g.us"

var monday = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// A council is Ann, who is in the chair, and Bo, councillors; Cy, an officer, whose marks
// do not count; Ed, a councillor who has left the group; Sam, a stranger in it; and Jo, the
// clerk.
type council struct {
	*testing.T
	db      *sqlite.DB
	archive *archive.Archive
	rules   Rules
	now     time.Time
	ids     int
}

var (
	ann = record.Address{JID: "200000000000101@lid"}
	bo  = record.Address{JID: "200000000000102@lid"}
	cy  = record.Address{JID: "200000000000103@lid"}
	ed  = record.Address{JID: "200000000000104@lid"}
	sam = record.Address{JID: "200000000000105@lid"}
	jo  = record.Address{JID: "200000000000106@lid"}
)

func newCouncil(t *testing.T) *council {
	t.Helper()
	db, err := sqlitetest.Create(context.Background(), filepath.Join(t.TempDir(), "archive.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	c := &council{T: t, db: db, now: monday, rules: Rules{
		Marks: record.Marks{
			{Name: "important", Emoji: []string{"📌", "🗂"}, Roles: []string{"councillor", "chair"}, Does: record.Forward},
			{Name: "concern", Emoji: []string{"🚩"}, Roles: []string{"councillor", "chair", "clerk"}, Does: record.Report},
			{Name: "private", Emoji: []string{"🔒"}, Roles: []string{"councillor"}, Does: record.Look},
			{Name: "hold", Emoji: []string{"🛑"}, Roles: []string{"clerk", "chair"}, Does: record.Hold},
		},
		Settle: 3 * time.Minute, Choice: record.DefaultRule,
		To:   "council@example.gov.uk",
		Post: Post{From: "muniment@example.gov.uk", Clerk: "clerk@example.gov.uk", Owns: ownDomain, Token: "token"},
	}}
	c.write(func(tx *sqlite.Tx) error {
		if err := archive.Lay(tx, c.now, "sysadmin"); err != nil {
			return err
		}
		if c.archive, err = archive.Load(tx, retention.ForYears(6)); err != nil {
			return err
		}
		for _, m := range []struct {
			name, role, email string
			a                 record.Address
		}{{"Ann", "chair", "ann@example.gov.uk", ann}, {"Bo", "councillor", "", bo}, {"Cy", "officer", "", cy}, {"Ed", "councillor", "", ed}, {"Jo", "clerk", "", jo}} {
			if err := people.AddMember(tx, c.now, "sysadmin", "elected", people.Member{Name: m.name, Role: m.role, Email: m.email}, m.a); err != nil {
				return err
			}
		}
		return people.Changed(tx, c.now, record.Received{Kind: record.Participants, Type: record.Present, Group: official,
			Participants: []record.Participant{{Address: ann, Admin: true}, {Address: bo}, {Address: cy}, {Address: sam}, {Address: jo}}})
	})
	return c
}

func ownDomain(address string) bool { return strings.HasSuffix(address, "@example.gov.uk") }

func (c *council) write(f func(tx *sqlite.Tx) error) {
	c.Helper()
	if err := c.db.Write(context.Background(), f); err != nil {
		c.Fatal(err)
	}
}

// receives captures as the daemon does.
func (c *council) receives(r record.Received) (seq record.Seq) {
	c.Helper()
	c.write(func(tx *sqlite.Tx) error {
		k, err := c.receivesIn(tx, r)
		seq = k.Seq
		return err
	})
	return seq
}

func (c *council) receivesIn(tx *sqlite.Tx, r record.Received) (archive.Captured, error) {
	if r.Group == "" {
		r.Group = official
	}
	if r.Sent.IsZero() {
		r.Sent = c.now
	}
	if r.ID == "" {
		c.ids++
		r.ID = fmt.Sprint("ID", c.ids)
	}
	k, err := c.archive.Capture(tx, c.now, r)
	if err != nil || !k.Fresh {
		return k, err
	}
	switch r.Kind {
	case record.Reaction:
		return k, c.rules.Reacted(tx, c.now, r, k)
	case record.Edit, record.Deletion:
		return k, c.rules.Changed(tx, c.now, k)
	}
	return k, c.rules.Arrived(tx, c.now, k)
}

func (c *council) says(who record.Address, id string) record.Seq {
	c.Helper()
	return c.receives(record.Received{Kind: record.Message, Type: record.Text, Sender: who, ID: id, Text: "about the culvert"})
}

// reacts reacts to Ann's message of that ID; without an emoji, takes it back.
func (c *council) reacts(who record.Address, of, emoji string) { c.receives(reaction(who, of, emoji)) }

func reaction(who record.Address, of, emoji string) record.Received {
	r := record.Received{Kind: record.Reaction, Type: record.ReactionAdded, Sender: who, Emoji: emoji,
		Target: &record.Ref{ID: of, Sender: ann}}
	if emoji == "" {
		r.Type = record.ReactionRemoved
	}
	return r
}

func (c *council) passes(d time.Duration) { c.now = c.now.Add(d) }

// owed lists what stands in the outbox: the conversation, and its state there.
func (c *council) owed() (owed []string) {
	c.Helper()
	c.write(func(tx *sqlite.Tx) error {
		for id := int64(1); ; id++ {
			it, err := mail.Find(tx, Letter, id)
			if errors.Is(err, mail.ErrNotQueued) {
				return nil
			} else if err != nil {
				return err
			}
			owed = append(owed, string(it.State))
		}
	})
	return owed
}

func (c *council) expectOwed(want ...string) {
	c.Helper()
	if diff := cmp.Diff(want, c.owed()); diff != "" {
		c.Errorf("owed (-want +got)\n%s", diff)
	}
}

// delivers hands over what is due, as the daemon does.
func (c *council) delivers() {
	c.Helper()
	c.deliversWith(func(context.Context, string, string, []byte) (string, error) { return "250 taken", nil })
}

// refuses has the mail server refuse what is due, for good.
func (c *council) refuses() {
	c.Helper()
	c.deliversWith(func(context.Context, string, string, []byte) (string, error) {
		return "", &mail.Failure{Stage: mail.NamingRecipient, Code: 550, Enhanced: "5.1.1"}
	})
}

func (c *council) deliversWith(send func(context.Context, string, string, []byte) (string, error)) {
	c.Helper()
	compose := func(_ context.Context, it mail.Item) ([]byte, error) {
		if it.Kind != Letter {
			return []byte(it.Kind), nil
		}
		var state State
		c.write(func(tx *sqlite.Tx) (err error) { state, err = Settle(tx, it.About); return err })
		if state != Settled {
			return nil, mail.ErrNothingToSend
		}
		return []byte("letter"), nil
	}
	if err := mail.New(c.db, logNothing(), anywhere, send, compose, func() time.Time { return c.now }, 0).DeliverDue(context.Background()); err != nil {
		c.Fatal(err)
	}
}

func (c *council) conversation(id int64) (v Conversation) {
	c.Helper()
	c.write(func(tx *sqlite.Tx) (err error) { v, err = Load(tx, id); return err })
	return v
}

func (c *council) state(id int64) (s State) {
	c.Helper()
	c.write(func(tx *sqlite.Tx) (err error) { s, err = StateOf(tx, id); return err })
	return s
}

func TestWhatIsOwed(t *testing.T) {
	if testing.Short() {
		t.Skip("one thing after another, which the race detector watches for long")
	}
	const waiting, cancelled = "queued", "cancelled"
	for _, tt := range []struct {
		name  string
		story func(c *council)
		want  []string
	}{
		{"nobody marks anything", func(*council) {}, nil},
		{"a member in the group marks", func(c *council) { c.reacts(bo, "A1", "📌") }, []string{waiting}},
		{"with the other agreed emoji", func(c *council) { c.reacts(bo, "A1", "🗂") }, []string{waiting}},
		{"with a skin tone and a variation selector", func(c *council) { c.reacts(bo, "A1", "📌🏽\uFE0F") }, []string{waiting}},
		{"her own message", func(c *council) { c.reacts(ann, "A1", "📌") }, []string{waiting}},
		{"with another emoji", func(c *council) { c.reacts(bo, "A1", "👍") }, nil},
		{"a stranger in the group marks", func(c *council) { c.reacts(sam, "A1", "📌") }, nil},
		{"a member whose role does not count", func(c *council) { c.reacts(cy, "A1", "📌") }, nil},
		{"a member who has left the group", func(c *council) { c.reacts(ed, "A1", "📌") }, nil},
		{"the same mark again", func(c *council) { c.reacts(bo, "A1", "📌"); c.reacts(bo, "A1", "📌") }, []string{waiting}},
		{"taken back in time", func(c *council) { c.reacts(bo, "A1", "📌"); c.reacts(bo, "A1", "") }, []string{cancelled}},
		{"changed to another emoji is taken back", func(c *council) { c.reacts(bo, "A1", "📌"); c.reacts(bo, "A1", "👍") }, []string{cancelled}},
		{"changed to the other mark still stands", func(c *council) { c.reacts(bo, "A1", "📌"); c.reacts(bo, "A1", "🗂") }, []string{waiting}},
		{"another emoji changed to the mark", func(c *council) { c.reacts(bo, "A1", "👍"); c.reacts(bo, "A1", "📌") }, []string{waiting}},
		{"a reaction that cannot be read takes no mark back", func(c *council) {
			c.reacts(bo, "A1", "📌")
			sealed := reaction(bo, "A1", "")
			sealed.Type = record.Sealed
			c.receives(sealed)
		}, []string{waiting}},
		{"taken back and marked again", func(c *council) { c.reacts(bo, "A1", "📌"); c.reacts(bo, "A1", ""); c.reacts(bo, "A1", "📌") },
			[]string{cancelled, waiting}},
		{"two mark the same message", func(c *council) { c.reacts(bo, "A1", "📌"); c.reacts(ann, "A1", "📌") }, []string{waiting}},
		{"one of two takes it back", func(c *council) { c.reacts(bo, "A1", "📌"); c.reacts(ann, "A1", "📌"); c.reacts(bo, "A1", "") }, []string{waiting}},
		{"both take it back", func(c *council) {
			c.reacts(bo, "A1", "📌")
			c.reacts(ann, "A1", "📌")
			c.reacts(bo, "A1", "")
			c.reacts(ann, "A1", "")
		}, []string{cancelled}},
		{"a stranger takes back what he never marked", func(c *council) { c.reacts(bo, "A1", "📌"); c.reacts(sam, "A1", "") }, []string{waiting}},
		{"two messages are two conversations", func(c *council) { c.says(ann, "A2"); c.reacts(bo, "A1", "📌"); c.reacts(bo, "A2", "📌") },
			[]string{waiting, waiting}},
		{"who left the group after marking may still take it back", func(c *council) {
			c.reacts(bo, "A1", "📌")
			c.write(func(tx *sqlite.Tx) error {
				return people.Changed(tx, c.now, record.Received{Type: record.Left, Group: official, Participants: []record.Participant{{Address: bo}}})
			})
			c.reacts(bo, "A1", "")
		}, []string{cancelled}},
		{"taken back arrives before the mark", func(c *council) {
			back, mark := reaction(bo, "A1", ""), reaction(bo, "A1", "📌")
			mark.Sent, back.Sent = c.now.Add(-2*time.Minute), c.now.Add(-time.Minute)
			c.receives(back)
			c.receives(mark)
		}, nil},
		{"an older taking back arrives after the mark", func(c *council) {
			back, mark := reaction(bo, "A1", ""), reaction(bo, "A1", "📌")
			back.Sent, mark.Sent = c.now.Add(-2*time.Minute), c.now.Add(-time.Minute)
			c.receives(mark)
			c.receives(back)
		}, []string{waiting}},
		{"the mark delivered twice", func(c *council) {
			mark := reaction(bo, "A1", "📌")
			mark.ID = "M1"
			c.receives(mark)
			c.reacts(bo, "A1", "")
			c.receives(mark)
		}, []string{cancelled}},
		{"a reaction to no message", func(c *council) {
			r := reaction(bo, "A1", "📌")
			r.Target = nil
			c.receives(r)
		}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCouncil(t)
			c.says(ann, "A1")
			tt.story(c)
			c.expectOwed(tt.want...)
		})
	}
}

// Two groups talk at the same moment, with the same message IDs by the same person, and
// answer across: a conversation is of one group.
func TestConversationStaysInItsGroup(t *testing.T) {
	c := newCouncil(t)
	const other = "120363000000000002@g.us"
	in := func(group, id, answers string) record.Seq {
		r := record.Received{Kind: record.Message, Type: record.Text, Sender: ann, Group: group, ID: id, Text: "about the culvert"}
		if answers != "" {
			r.Target = &record.Ref{ID: answers, Sender: ann}
		}
		return c.receives(r)
	}
	var here, there []record.Seq
	for _, id := range []string{"A1", "A2"} {
		here, there = append(here, in(official, id, "")), append(there, in(other, id, ""))
	}
	here = append(here, in(official, "A3", "A1"))
	there = append(there, in(other, "B3", "A1"), in(other, "B4", "A3")) // the last answers what is not in its group
	c.write(func(tx *sqlite.Tx) error {
		return people.Changed(tx, c.now, record.Received{Kind: record.Participants, Type: record.Present, Group: other,
			Participants: []record.Participant{{Address: bo}}})
	})
	c.reacts(bo, "A1", "📌")
	marks := reaction(bo, "A1", "📌")
	marks.Group = other
	c.receives(marks)
	beyond := reaction(bo, "A3", "📌")
	beyond.Group = other
	c.receives(beyond)
	c.passes(5 * time.Minute)
	c.delivers()
	c.expectOwed("handed over", "handed over", "cancelled")
	for id, want := range map[int64][]record.Seq{1: here, 2: there} {
		if diff := cmp.Diff(want, c.conversation(id).Seqs); diff != "" {
			t.Errorf("conversation %d (-want +got)\n%s", id, diff)
		}
	}
	if s := c.state(3); s != NotKept {
		t.Errorf("a mark on a message of another group: %s", s)
	}
}

// Bo marks as one address and takes back as another that only now is known to be
// his.
func TestTakenBackByWhoTurnsOutToBeTheSame(t *testing.T) {
	c := newCouncil(t)
	c.says(ann, "A1")
	number := record.Address{JID: "447700900107@s.whatsapp.net"}
	c.write(func(tx *sqlite.Tx) error {
		if err := people.AddMember(tx, c.now, "sysadmin", "elected", people.Member{Name: "Flo", Role: "councillor"}, number); err != nil {
			return err
		}
		is, err := people.Identify(tx, c.now, number, "")
		if err != nil {
			return err
		}
		return people.Join(tx, official, is.ID)
	})
	lid := record.Address{JID: "200000000000107@lid"}
	c.says(number, "F1")
	c.reacts(number, "A1", "📌")
	c.reacts(record.Address{JID: lid.JID, Alt: number.JID}, "A1", "")
	c.expectOwed("cancelled")

	// And the other way round: the younger of the two made the mark.
	c = newCouncil(t)
	c.says(ann, "A1")
	gus := c.meets(number)
	c.write(func(tx *sqlite.Tx) error {
		if err := people.AddMember(tx, c.now, "sysadmin", "elected", people.Member{Name: "Gus", Role: "councillor"}, lid); err != nil {
			return err
		}
		return people.Join(tx, official, c.identify(tx, lid))
	})
	c.reacts(lid, "A1", "📌")
	c.expectOwed("queued")
	c.reacts(record.Address{JID: lid.JID, Alt: number.JID}, "A1", "")
	c.expectOwed("cancelled")
	if now := c.meets(lid); now != gus {
		t.Errorf("he is person %d; want the elder, %d", now, gus)
	}
}

// Who has left office marks no longer; a mark made before counts however late it
// arrives.
func TestMarkOfWhoLeftOffice(t *testing.T) {
	c := newCouncil(t)
	c.says(ann, "A1")
	c.write(func(tx *sqlite.Tx) error {
		m, err := people.MemberAt(tx, bo)
		if err != nil {
			return err
		}
		return people.EndMember(tx, c.now, "clerk", "resigned", m.ID, c.now.Add(time.Hour))
	})
	c.now = c.now.Add(2 * time.Hour)
	c.reacts(bo, "A1", "📌")
	c.expectOwed()
	late := reaction(bo, "A1", "🗂")
	late.Sent = c.now.Add(-time.Hour - time.Second)
	c.says(ann, "A2")
	late.Target.ID = "A2"
	c.receives(late)
	c.expectOwed("queued")
}

func (c *council) meets(a record.Address) (p people.ID) {
	c.Helper()
	c.write(func(tx *sqlite.Tx) error { p = c.identify(tx, a); return nil })
	return p
}

func (c *council) identify(tx *sqlite.Tx, a record.Address) people.ID {
	c.Helper()
	is, err := people.Identify(tx, c.now, a, "")
	if err != nil {
		c.Fatal(err)
	}
	return is.ID
}

// The email is owed by the very commit that keeps the reaction.
func TestTheOutboxRowCommitsWithTheReaction(t *testing.T) {
	c := newCouncil(t)
	c.says(ann, "A1")
	refused := errors.New("refused")
	if err := c.db.Write(context.Background(), func(tx *sqlite.Tx) error {
		_, err := c.receivesIn(tx, reaction(bo, "A1", "📌"))
		return errors.Join(err, refused)
	}); !errors.Is(err, refused) {
		t.Fatal(err)
	}
	c.expectOwed()
	c.reacts(bo, "A1", "📌")
	c.expectOwed("queued")
	c.write(func(tx *sqlite.Tx) error {
		it, err := mail.Find(tx, Letter, 1)
		want := mail.Item{ID: 1, Kind: Letter, About: 1, MessageID: "conversation.1.token@example.gov.uk",
			Part: 1, From: c.rules.From, To: []string{c.rules.To}, State: mail.Queued,
			QueuedAt: monday, NotBefore: monday.Add(3 * time.Minute),
			Recipients: []mail.Recipient{{Address: c.rules.To, State: mail.Queued, NextAttempt: monday.Add(3 * time.Minute)}}}
		if diff := cmp.Diff(want, it); diff != "" {
			t.Errorf("outbox (-want +got)\n%s", diff)
		}
		return err
	})
}

// A conversation is sent once it has settled; a second marker sends nothing; when
// it has grown, only what is new goes, as its continuation.
func TestAConversationGrows(t *testing.T) {
	c := newCouncil(t)
	first := c.says(ann, "A1")
	c.passes(time.Minute)
	second := c.says(bo, "B1")
	c.reacts(bo, "A1", "📌")
	c.passes(2 * time.Minute)
	c.delivers()
	c.expectOwed("queued")
	c.reacts(ann, "A1", "📌") // joins while it settles
	c.passes(2 * time.Minute)
	c.delivers()
	c.expectOwed("handed over")
	want := Conversation{ID: 1, MarkName: "important", Does: record.Forward, Owed: monday.Add(time.Minute), Marked: first, Rule: record.DefaultRule, Seqs: []record.Seq{first, second}, Parts: [][]record.Seq{{first, second}}, Marks: []Mark{
		{Person: c.meets(bo), Emoji: "📌", At: monday.Add(time.Minute)},
		{Person: c.meets(ann), Emoji: "📌", At: monday.Add(3 * time.Minute)},
	}}
	if diff := cmp.Diff(want, c.conversation(1), cmpopts.IgnoreUnexported(Mark{})); diff != "" {
		t.Errorf("conversation (-want +got)\n%s", diff)
	}

	c.reacts(bo, "A1", "") // taken back too late: recorded, nothing unsent
	c.expectOwed("handed over")
	c.reacts(bo, "A1", "📌")
	c.passes(5 * time.Minute)
	c.delivers()
	c.expectOwed("handed over", "cancelled")
	if s := c.state(2); s != NothingNew {
		t.Errorf("the second conversation is %q; want nothing new", s)
	}

	third := c.says(ann, "A2")
	c.reacts(bo, "A1", "")
	c.reacts(bo, "A1", "📌")
	c.passes(5 * time.Minute)
	c.delivers()
	c.expectOwed("handed over", "cancelled", "handed over")
	if v := c.conversation(3); !cmp.Equal(v.Seqs, []record.Seq{third}) || v.Continues != 1 || v.Marked != first {
		t.Errorf("the continuation is %+v; want record %d, continuing 1", v, third)
	}
	c.write(func(tx *sqlite.Tx) error {
		ids, err := EmailedWith(tx, third)
		if !cmp.Equal(ids, []Email{{Letter, 3, 1}}) {
			t.Errorf("record %d was emailed with %v", third, ids)
		}
		return err
	})
}

// Bo marks what could not be decrypted yet; it is sent again after the mark has
// settled.
func TestAMarkIsThereBeforeTheMessage(t *testing.T) {
	for _, tt := range []struct {
		name   string
		before func(c *council) // the message comes, long after the mark
		after  func(c *council)
		want   []string
		marks  int
	}{
		{"it is owed once the message comes", nil, nil, []string{"cancelled", "handed over"}, 1},
		{"and once only, if it is marked again", nil, func(c *council) { c.reacts(bo, "A1", "📌") }, []string{"cancelled", "handed over"}, 1},
		{"with all who marked it", func(c *council) { c.reacts(ann, "A1", "📌") }, nil, []string{"cancelled", "handed over"}, 2},
		{"not if the mark was taken back", func(c *council) { c.reacts(bo, "A1", "") }, nil, []string{"cancelled"}, 0},
		{"nor if it is in time after the message came", nil, func(c *council) { c.reacts(bo, "A1", "") }, []string{"cancelled", "cancelled"}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCouncil(t)
			c.reacts(bo, "A1", "📌")
			c.passes(10 * time.Minute)
			c.delivers()
			if s := c.state(1); s != NotKept {
				t.Errorf("before the message the conversation is %q; want not kept", s)
			}
			if tt.before != nil {
				tt.before(c)
			}
			seq := c.says(ann, "A1")
			c.says(ann, "A2") // of which no mark was waiting
			if tt.after != nil {
				tt.after(c)
			}
			c.passes(10 * time.Minute)
			c.delivers()
			c.expectOwed(tt.want...)
			if tt.marks == 0 {
				return
			}
			if v := c.conversation(2); v.Marked != seq || len(v.Marks) != tt.marks || v.Continues != 0 {
				t.Errorf("the conversation is %+v; want record %d, marked by %d", v, seq, tt.marks)
			}
		})
	}
}

// What was refused or cancelled has reached nobody: the next mark sends it.
func TestAMarkAfterARefusal(t *testing.T) {
	c := newCouncil(t)
	first := c.says(ann, "A1")
	c.reacts(bo, "A1", "📌")
	c.passes(10 * time.Minute)
	c.refuses()
	c.expectOwed("refused")
	c.passes(time.Hour) // the mailbox is mended
	c.reacts(ann, "A1", "📌")
	c.passes(10 * time.Minute)
	c.delivers()
	c.expectOwed("refused", "handed over")
	if v := c.conversation(2); !cmp.Equal(v.Seqs, []record.Seq{first}) || v.Continues != 0 {
		t.Errorf("the second conversation is %+v; want record %d, continuing none", v, first)
	}
}

// Nobody reaches the mail server, and the mark is taken back after it has settled.
func TestTakenBackTooLateWhileTheEmailWaits(t *testing.T) {
	c := newCouncil(t)
	c.says(ann, "A1")
	c.reacts(bo, "A1", "📌")
	c.passes(3 * time.Minute)
	c.reacts(bo, "A1", "")
	c.expectOwed("queued")
	if s := c.state(1); s != Settled {
		t.Errorf("the conversation is %q; want settled", s)
	}
	c.passes(time.Hour)
	c.delivers()
	c.expectOwed("handed over")
	if marks := c.conversation(1).Marks; len(marks) != 1 || marks[0].Person != c.meets(bo) {
		t.Errorf("marks %+v; want Bo's, which stood", marks)
	}
}

// At the very first run, what waited for us comes before the list of participants.
func TestMarkedBeforeAnybodyIsKnownToBeInTheGroup(t *testing.T) {
	present := func(who ...record.Address) record.Received {
		r := record.Received{Kind: record.Participants, Type: record.Present, Group: official}
		for _, a := range who {
			r.Participants = append(r.Participants, record.Participant{Address: a})
		}
		return r
	}
	c := newCouncil(t)
	c.write(func(tx *sqlite.Tx) error { return people.Changed(tx, c.now, present()) })
	c.says(ann, "A1")
	c.says(ann, "A2")
	joined := present(sam)
	joined.Type = record.Joined
	c.write(func(tx *sqlite.Tx) error { return people.Changed(tx, c.now, joined) })
	c.reacts(sam, "A1", "📌") // on no register
	c.expectOwed()
	c.reacts(bo, "A1", "📌")
	c.expectOwed("queued")
	c.write(func(tx *sqlite.Tx) error { return people.Changed(tx, c.now, present(ann)) })
	c.reacts(bo, "A2", "📌")
	c.expectOwed("queued")
}

// Once decided, what a conversation forwards stays, however often it is settled.
func TestSettlingIsFinal(t *testing.T) {
	c := newCouncil(t)
	c.rules.Choice.AtMost = 2
	for i := range 4 {
		c.says(ann, fmt.Sprint("A", i))
	}
	c.reacts(bo, "A1", "📌")
	settle := func() (s State) {
		c.write(func(tx *sqlite.Tx) (err error) { s, err = Settle(tx, 1); return err })
		return s
	}
	if s := settle(); s != Settled {
		t.Fatalf("settled as %q", s)
	}
	before := c.conversation(1)
	if !before.Cut || len(before.Seqs) != 2 {
		t.Errorf("at most two of four were chosen: %+v", before)
	}
	c.says(ann, "A9")
	if s := settle(); s != Settled {
		t.Errorf("settled again as %q", s)
	}
	if diff := cmp.Diff(before, c.conversation(1), cmpopts.IgnoreUnexported(Mark{})); diff != "" {
		t.Errorf("conversation (-want +got)\n%s", diff)
	}
}

func TestAMarkOnAMessageThatIsNotKept(t *testing.T) {
	c := newCouncil(t)
	c.reacts(bo, "A1", "📌")
	c.passes(time.Hour)
	c.delivers()
	c.expectOwed("cancelled")
	if s := c.state(1); s != NotKept {
		t.Errorf("the conversation is %q; want not kept", s)
	}
}

// What a destroyed reaction said of its sender is not kept as a mark either.
func TestForget(t *testing.T) {
	c := newCouncil(t)
	c.says(ann, "A1")
	c.reacts(bo, "A1", "📌")
	c.reacts(ann, "A1", "📌")
	c.passes(time.Hour)
	c.delivers()
	c.write(func(tx *sqlite.Tx) error { _, err := Forget(tx, []record.Seq{1, 2}); return err })
	if marks := c.conversation(1).Marks; len(marks) != 1 || marks[0].Person != c.meets(ann) {
		t.Errorf("marks left: %+v; want Ann's", marks)
	}
}

func anywhere(string) bool { return true }

func logNothing() *slog.Logger { return slog.New(slog.DiscardHandler) }

// What a letter says of who marked it must not change between two attempts.
func TestAMarkTakenBackTooLateStaysInTheLetter(t *testing.T) {
	c := newCouncil(t)
	c.says(ann, "M1")
	c.reacts(bo, "M1", "📌")
	c.passes(4 * time.Minute)
	c.write(func(tx *sqlite.Tx) error {
		_, err := Settle(tx, 1)
		return err
	})
	before := c.conversation(1)
	c.reacts(bo, "M1", "")
	if diff := cmp.Diff(before, c.conversation(1), cmpopts.IgnoreUnexported(Mark{})); diff != "" || len(before.Marks) != 1 {
		t.Errorf("%d marks; (-before +after):\n%s", len(before.Marks), diff)
	}
}

// A continuation shows the beginning of the marked message, which is in an earlier
// email.
func TestAnEmailHoldsTheMarkedMessage(t *testing.T) {
	c := newCouncil(t)
	marked := c.says(ann, "A1")
	c.reacts(bo, "A1", "📌")
	c.passes(5 * time.Minute)
	c.delivers()
	grown := c.says(ann, "A2")
	c.reacts(ann, "A1", "📌")
	c.passes(5 * time.Minute)
	c.delivers()
	c.expectOwed("handed over", "handed over")
	c.write(func(tx *sqlite.Tx) error {
		for seq, want := range map[record.Seq][]Email{marked: {{Letter, 1, 1}, {Letter, 2, 1}}, grown: {{Letter, 2, 1}}} {
			if got, err := EmailedWith(tx, seq); err != nil || !cmp.Equal(got, want) {
				t.Errorf("record %d is in the emails %v, err %v; want %v", seq, got, err, want)
			}
		}
		return nil
	})
}

// A composed letter that still waits goes with the records that it holds.
func TestForgetComposedLetters(t *testing.T) {
	c := newCouncil(t)
	one, other := c.says(ann, "A1"), c.receives(record.Received{Kind: record.Message, Type: record.Text, Sender: bo, ID: "B1",
		Sent: c.now.Add(time.Hour), Text: "about the hedge"})
	c.reacts(bo, "A1", "📌")
	c.receives(record.Received{Kind: record.Reaction, Type: record.ReactionAdded, Sender: ann, Emoji: "📌", Target: &record.Ref{ID: "B1", Sender: bo}})
	c.passes(5 * time.Minute)
	c.deliversWith(func(context.Context, string, string, []byte) (string, error) { return "", errors.New("not now") })
	composed := func() (at []bool) {
		c.write(func(tx *sqlite.Tx) error {
			for id := range int64(2) {
				it, err := mail.Find(tx, Letter, id+1)
				if err != nil {
					return err
				}
				at = append(at, !it.ComposedAt.IsZero())
			}
			return nil
		})
		return at
	}
	if diff := cmp.Diff([]bool{true, true}, composed()); diff != "" {
		t.Errorf("composed (-want +got)\n%s", diff)
	}
	c.write(func(tx *sqlite.Tx) error { _, err := Forget(tx, []record.Seq{one}); return err })
	if diff := cmp.Diff([]bool{false, true}, composed()); diff != "" {
		t.Errorf("composed, after record %d but not %d was destroyed (-want +got)\n%s", one, other, diff)
	}
}

// The program ended while a letter was on its way, and then the mail server refused it:
// nobody knows whether it had arrived before, so it stays in the outbox; not for longer
// than the records that it holds.
func TestForgetLettersThatMayHaveArrived(t *testing.T) {
	c := newCouncil(t)
	one := c.says(ann, "A1")
	c.reacts(bo, "A1", "📌")
	c.passes(5 * time.Minute)
	func() {
		defer func() { _ = recover() }()
		c.deliversWith(func(context.Context, string, string, []byte) (string, error) { panic("the program ends here") })
	}()
	c.refuses()
	held := func() (kinds []string) {
		c.write(func(tx *sqlite.Tx) error {
			items, err := mail.Held(tx)
			for _, it := range items {
				kinds = append(kinds, it.Kind+", "+string(it.State))
			}
			return err
		})
		return kinds
	}
	if diff := cmp.Diff([]string{"conversation, refused"}, held()); diff != "" {
		t.Errorf("held (-want +got)\n%s", diff)
	}
	c.write(func(tx *sqlite.Tx) error { _, err := Forget(tx, []record.Seq{one}); return err })
	if got := held(); len(got) != 0 {
		t.Errorf("still held after its record was destroyed: %q", got)
	}
}

// An answer is shown with the beginning of what it answers, so its email holds
// that message too.
func TestAnEmailHoldsWhatItsMessagesAnswer(t *testing.T) {
	c := newCouncil(t)
	question := c.says(ann, "M1")
	c.passes(time.Hour)
	answer := c.receives(record.Received{Kind: record.Message, Type: record.Text, Sender: bo, Text: "Yes.",
		Target: &record.Ref{ID: "M1", Sender: ann}})
	c.write(func(tx *sqlite.Tx) error {
		if _, err := tx.Exec("INSERT INTO conversation (id, target, state, pause_seconds, at_most) VALUES (7, x'', 'settled', 1, 1)"); err != nil {
			return err
		}
		if _, err := tx.Exec("INSERT INTO forwarded VALUES (7, ?, 1)", answer); err != nil {
			return err
		}
		for _, seq := range []record.Seq{question, answer} {
			if got, err := EmailedWith(tx, seq); err != nil || !cmp.Equal(got, []Email{{Letter, 7, 1}}) {
				t.Errorf("record %d is in the emails %v, err %v; want 7", seq, got, err)
			}
		}
		return nil
	})
}
