package letter

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"muniment/internal/archive"
	"muniment/internal/flag"
	"muniment/internal/forward"
	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
	"muniment/internal/sqlite/sqlitetest"
)

// A council is an archive with people who talk. Everything in it is captured by
// the code that the daemon runs.
type council struct {
	t     testing.TB
	db    *sqlite.DB
	a     *archive.Archive
	rules forward.Rules
	ids   int
}

const cranford = "120363041234567890@g.us"

var schedule = retention.ForYears(6)

// The people. Their numbers are Ofcom's for drama.
var (
	ann = person{record.Address{JID: "100000000000101@lid", Alt: "447700900101@s.whatsapp.net"}, "Ann 🌻"}
	bo  = person{record.Address{JID: "100000000000102@lid", Alt: "447700900102@s.whatsapp.net"}, "Bo"}
	dee = person{record.Address{JID: "100000000000103@lid", Alt: "447700900103@s.whatsapp.net"}, "Dee E"}
	jo  = person{record.Address{JID: "100000000000104@lid", Alt: "447700900104@s.whatsapp.net"}, "Jo"}
	sam = person{record.Address{JID: "100000000000105@lid", Alt: "447700900105@s.whatsapp.net"}, "Sam W"}
	pat = person{record.Address{JID: "100000000000106@lid"}, ""}
)

type person struct {
	record.Address
	pushName string
}

func newCouncil(t testing.TB) *council {
	t.Helper()
	db, err := sqlitetest.Create(t.Context(), filepath.Join(t.TempDir(), "archive.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	c := &council{t: t, db: db, rules: forward.Rules{
		Marks:  record.Marks{{Name: "important", Emoji: []string{"📌"}, Roles: []string{"councillor", "clerk"}, Does: record.Forward}},
		Settle: 3 * time.Minute, Choice: record.DefaultRule,
		To: "council@cranford-pc.example",
		Post: forward.Post{From: "record@cranford-pc.example", Clerk: "clerk@cranford-pc.example", Token: "0123456789abcdef",
			Owns: func(address string) bool { return strings.HasSuffix(address, "@cranford-pc.example") }},
	}}
	began := at("2020-01-06 09:00")
	c.write(func(tx *sqlite.Tx) error {
		if err := archive.Lay(tx, began, "test"); err != nil {
			return err
		}
		if c.a, err = archive.Load(tx, schedule); err != nil {
			return err
		}
		for _, m := range []struct {
			person
			name, role string
		}{{ann, "Cllr Ann Brook", "councillor"}, {bo, "Cllr Bo Carter", "councillor"}, {dee, "Cllr Dee Evans", "councillor"}, {jo, "Jo Hall", "clerk"}} {
			if err := people.AddMember(tx, began, "Jo Hall", "test", people.Member{Name: m.name, Role: m.role}, m.Address); err != nil {
				return err
			}
		}
		for _, p := range []person{ann, bo, dee, jo, sam, pat} {
			is, err := people.Identify(tx, began, p.Address, p.pushName)
			if err != nil {
				return err
			}
			if err := people.Join(tx, cranford, is.ID); err != nil {
				return err
			}
		}
		return nil
	})
	return c
}

// at returns a London time.
func at(s string) time.Time {
	t, err := time.ParseInLocation("2006-01-02 15:04", s, retention.London)
	if err != nil {
		panic(err)
	}
	return t
}

func (c *council) write(f func(*sqlite.Tx) error) {
	c.t.Helper()
	if err := c.db.Write(context.Background(), f); err != nil {
		c.t.Fatal(err)
	}
}

// said is a message in the archive.
type said struct {
	record.Ref
	seq record.Seq
}

func (c *council) capture(r record.Received) said {
	c.t.Helper()
	c.ids++
	r.Group, r.ID = cranford, fmt.Sprintf("3EB0%016X", c.ids)
	s := said{Ref: record.Ref{ID: r.ID, Sender: r.Sender}}
	c.write(func(tx *sqlite.Tx) error {
		captured, err := c.a.Capture(tx, r.Sent.Add(time.Second), r)
		if err != nil {
			return err
		}
		s.seq = captured.Seq
		if r.Kind == record.Reaction {
			return c.rules.Reacted(tx, r.Sent.Add(time.Second), r, captured)
		}
		return nil
	})
	return s
}

func (c *council) says(p person, when time.Time, text string, mentions ...person) said {
	c.t.Helper()
	return c.replies(p, when, nil, text, mentions...)
}

func (c *council) replies(p person, when time.Time, to *said, text string, mentions ...person) said {
	c.t.Helper()
	r := record.Received{Kind: record.Message, Type: record.Text, Sender: p.Address, PushName: p.pushName, Sent: when, Text: text}
	if to != nil {
		r.Target = &to.Ref
	}
	for _, m := range mentions {
		r.Mentions = append(r.Mentions, m.JID)
	}
	return c.capture(r)
}

// sends a message of that type; its words are in its details alone.
func (c *council) sends(p person, when time.Time, t record.Type, d record.Details) said {
	c.t.Helper()
	return c.capture(record.Received{Kind: record.Message, Type: t, Sender: p.Address, PushName: p.pushName, Sent: when, Details: d.Encode()})
}

// reacts with an emoji; with none, takes it back.
func (c *council) reacts(p person, when time.Time, to said, emoji string) {
	c.t.Helper()
	r := record.Received{Kind: record.Reaction, Type: record.ReactionAdded, Sender: p.Address, PushName: p.pushName,
		Sent: when, Emoji: emoji, Target: &to.Ref}
	if emoji == "" {
		r.Type = record.ReactionRemoved
	}
	c.capture(r)
}

// destroys destroys a message that is due on that day.
func (c *council) destroys(s said, on retention.Date) {
	c.t.Helper()
	c.write(func(tx *sqlite.Tx) error {
		gone, err := c.a.Destroy(tx, archive.Destruction{Run: 1, On: on, Authority: "test"}, []record.Seq{s.seq})
		if err == nil && len(gone) == 0 {
			err = fmt.Errorf("record %d was not destroyed", s.seq)
		}
		return err
	})
}

// settled returns the conversation with that number, decided.
func (c *council) settled(id int64) (conversation forward.Conversation) {
	c.t.Helper()
	c.write(func(tx *sqlite.Tx) error {
		state, err := forward.Settle(tx, id)
		if err != nil {
			return err
		}
		if state != forward.Settled {
			return fmt.Errorf("conversation %d is %s", id, state)
		}
		conversation, err = forward.Load(tx, id)
		return err
	})
	return conversation
}

// letter writes the letter of a conversation.
func (c *council) letter(w *Writer, h Header, conversation forward.Conversation) (msg []byte) {
	c.t.Helper()
	err := c.db.Read(context.Background(), func(tx *sqlite.Tx) (err error) {
		msg, err = w.Conversation(tx, h, conversation)
		return err
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return msg
}

func writer() *Writer {
	return &Writer{
		Council:     "Cranford Parish Council",
		Groups:      map[string]Group{cranford: {Name: "Cranford councillors", EveryCouncillor: true}},
		Regulator:   "the Information Commissioner",
		PolicyTitle: "WhatsApp Use Policy", PolicySection: "5", Schedule: schedule,
		Flags: flag.Reader{Domains: []string{"cranford-pc.example"}},
	}
}

func header(id string, date time.Time) Header {
	return Header{MessageID: id + ".0123456789abcdef@cranford-pc.example", Date: date,
		From: "record@cranford-pc.example", To: []string{"council@cranford-pc.example"}}
}

// night is a talk in the night in which the clocks went back, with a mark by Ann.
type night struct {
	*council
	flood, plan, rung said
	end               time.Time
}

func stormNight(t *testing.T) night {
	c := newCouncil(t)
	old := c.says(dee, at("2020-10-20 10:00"), "The pump is kept in the barn behind the church. The key is with the warden.")
	c.destroys(old, "2026-10-21")

	one := time.Date(2026, 10, 25, 0, 0, 0, 0, time.UTC) // 01:00 in summer time; it comes again
	n := night{council: c, end: one.Add(3 * time.Hour)}
	n.flood = c.says(bo, at("2026-10-24 23:48"), "The river is over the bank at Mill Lane again. Two cars are stuck in the ford.")
	c.says(jo, at("2026-10-24 23:55"), "@100000000000102 has anybody rung the county’s flood line? "+
		"https://flood.example/report?place=mill-lane&what=ford+and+footbridge&more=nothing-else-that-matters-here", bo)
	photo := c.sends(pat, at("2026-10-25 00:04"), record.Image, record.Details{})
	c.replies(sam, at("2026-10-25 00:06"), &n.flood, "The older one is mine 😅\n\nIt can wait till the morning.")
	c.replies(jo, at("2026-10-25 00:10"), &photo, "Is that the footbridge?")
	n.plan = c.replies(dee, at("2026-10-25 00:15"), &old, "What we could do tonight:\n"+
		"  1. close the lane at <The Bell> & put the signs out\n"+
		"  2. ask the warden for the pump\n"+
		"  3. look after Mrs Green, who is on her own and whose back door is lower than the lane, so that she is the first to have the water in\n"+
		"@100000000000101, @100000000000105, can you?", ann, sam)
	c.sends(sam, at("2026-10-25 00:21"), record.Poll, record.Details{Poll: &record.Ballot{
		Question: "Who has sandbags?", Options: []string{"I have", "I have not"}, Choose: 1}})
	key := c.replies(sam, one.Add(20*time.Minute), &n.plan, "Pump is going. The water is 4\" below her step.")
	n.rung = c.replies(ann, one.Add(30*time.Minute), &key, "Rung the county: they come at first light. Signs are out.")
	c.replies(pat, one.Add(90*time.Minute), &n.rung, "Going to bed. Mrs Green is at her sister’s.")

	c.reacts(bo, at("2026-10-25 00:16"), n.plan, "❤️")
	c.reacts(bo, at("2026-10-25 00:17"), n.plan, "👍")
	c.reacts(jo, at("2026-10-25 00:18"), n.plan, "👍🏽")
	c.reacts(sam, at("2026-10-25 00:19"), n.plan, "😂")
	c.reacts(sam, at("2026-10-25 00:20"), n.plan, "")
	c.reacts(ann, one.Add(100*time.Minute), n.plan, "📌")
	c.reacts(dee, one.Add(101*time.Minute), n.flood, "🙏")
	return n
}
