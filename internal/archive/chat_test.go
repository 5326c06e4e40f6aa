package archive_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"muniment/internal/archive"
	"muniment/internal/corpus"
	"muniment/internal/forward"
	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
	"muniment/internal/sqlite/sqlitetest"
	"muniment/internal/vault"
)

const officialGroup = "120363000000000001@g.us"

// chat is an archive that takes in what a made-up council says, as the daemon does.
type chat struct {
	testing.TB
	db      *sqlite.DB
	archive *archive.Archive
	forward forward.Rules
	intake  int64
	people  []corpus.Person
	next    func() (corpus.Message, bool)
	sent    map[int]record.Received // what may still be answered or changed
	count   int
	now     time.Time
	alters  func(*record.Received) // what fill captures, if it is set
}

// options are those of PERFORMANCE.md: six years, 400 people, long messages.
func options(count int) corpus.Options {
	begin := time.Date(2020, 9, 7, 7, 0, 0, 0, time.UTC)
	return corpus.Options{Begin: begin, PerDay: max(1, count/(6*365)), Members: 400, Long: true, Mark: "📌"}
}

func newChat(t testing.TB, directory string, o corpus.Options) *chat {
	t.Helper()
	c := &chat{TB: t, people: corpus.People(o.Members), sent: make(map[int]record.Received), now: o.Begin,
		forward: forward.Rules{
			Marks:  record.Marks{{Name: "important", Emoji: []string{"📌"}, Roles: []string{"councillor", "chair", "clerk"}, Does: record.Forward}},
			Settle: 3 * time.Minute, Choice: record.DefaultRule,
			To:   "clerk@example.gov.uk",
			Post: forward.Post{From: "muniment@example.gov.uk"},
		}}
	c.next = pull(t, o)
	var err error
	if c.db, err = sqlitetest.Create(context.Background(), filepath.Join(directory, "archive.db")); err != nil {
		t.Fatal(err)
	}
	c.write(func(tx *sqlite.Tx) error {
		if err := archive.Lay(tx, c.now, "sysadmin"); err != nil {
			return err
		}
		if c.archive, err = archive.Load(tx, retention.ForYears(6)); err != nil {
			return err
		}
		c.forward.Token = c.archive.Token()
		if c.intake, err = archive.BeginIntake(tx, c.now); err != nil {
			return err
		}
		for i, p := range c.people {
			is, err := people.Identify(tx, c.now, c.address(i), p.First)
			if err != nil {
				return err
			}
			if err := people.AddMember(tx, c.now, "sysadmin", "elected", people.Member{Name: p.Name, Role: p.Role}, c.address(i)); err != nil {
				return err
			}
			if err := people.Join(tx, officialGroup, is.ID); err != nil {
				return err
			}
		}
		return nil
	})
	return c
}

// address is how WhatsApp addresses a person of the corpus.
func (c *chat) address(i int) record.Address {
	return record.Address{JID: fmt.Sprintf("2000000000%05d@lid", i), Alt: c.people[i].Number[1:] + "@s.whatsapp.net"}
}

func (c *chat) write(f func(tx *sqlite.Tx) error) {
	c.Helper()
	if err := c.db.Write(context.Background(), f); err != nil {
		c.Fatal(err)
	}
}

// receive makes records of the next message: what it is, and reactions to it.
func (c *chat) receive() (rs []record.Received) {
	m, ok := c.next()
	if !ok {
		c.Fatal("they have nothing more to say")
	}
	c.now = m.Sent.Add(time.Second)
	r := record.Received{
		Kind: record.Message, Type: record.Text, Group: officialGroup, ID: c.id(m.N), Sender: c.address(m.Sender),
		PushName: c.people[m.Sender].First, Sent: m.Sent, Text: m.Text,
	}
	switch m.Kind {
	case corpus.KindEdit:
		r.Kind = record.Edit
	case corpus.KindDeletion:
		r.Kind, r.Type = record.Deletion, record.ByAuthor
	case corpus.KindPhoto, corpus.KindDocument:
		r.Type = record.Image
		if m.Kind == corpus.KindDocument {
			r.Type = record.Document
		}
		sealed := sha256.Sum256([]byte(r.ID))
		r.File = &record.File{Name: m.FileName, MIME: "image/jpeg", Size: 200_000, Path: "/v/t62", Key: sealed[:], Digest: sealed[:], Sealed: sealed[:]}
	}
	if of, ok := c.sent[m.Target]; ok {
		ref := record.Ref{ID: of.ID, Sender: of.Sender}
		if r.Target = &ref; r.Kind == record.Message {
			r.Quotations = []record.Quotation{{Of: ref, Text: of.Text, Protobuf: append([]byte(of.Text), noise(m.N, 60)...)}}
		}
	}
	r.Protobuf = append([]byte("\n\x10"+r.Text), noise(m.N, 60)...) // a message secret and what little else there is
	c.sent[m.N] = r
	delete(c.sent, m.N-1000)
	rs = append(rs, r)
	for i, re := range m.Reactions {
		rs = append(rs, record.Received{
			Kind: record.Reaction, Type: record.ReactionAdded, Group: officialGroup, ID: fmt.Sprintf("%sR%d", c.id(m.N), i),
			Sender: c.address(re.Sender), PushName: c.people[re.Sender].First, Sent: m.Sent.Add(re.After), Emoji: re.Emoji,
			Target: &record.Ref{ID: r.ID, Sender: r.Sender}, Protobuf: noise(m.N+i, 90),
		})
	}
	return rs
}

func (c *chat) id(n int) string { return fmt.Sprintf("3EB0%X", noise(n, 9)) }

// noise is what cannot be made smaller: keys and digests.
func noise(n, size int) (b []byte) {
	for i := 0; len(b) < size; i++ {
		sum := sha256.Sum256(fmt.Appendf(nil, "%d %d", n, i))
		b = append(b, sum[:]...)
	}
	return b[:size]
}

// capture is what daemon.capture does in its transaction.
func (c *chat) capture(tx *sqlite.Tx, r record.Received) error {
	c.count++
	k, err := c.archive.Capture(tx, c.now, r)
	if err != nil {
		return err
	}
	switch r.Kind {
	case record.Reaction:
		err = c.forward.Reacted(tx, c.now, r, k)
	case record.Edit, record.Deletion:
		err = c.forward.Changed(tx, c.now, k)
	default:
		err = c.forward.Arrived(tx, c.now, k)
	}
	if err == nil && r.File != nil {
		err = vault.Want(tx, c.now, k.Seq, r.Type, *r.File)
	}
	if err != nil {
		return err
	}
	return archive.Count(tx, c.now, c.intake, int64(c.count), archive.WasCaptured)
}

// fill captures so many records, a thousand at a time, and takes them into the index.
func (c *chat) fill(size int) {
	c.Helper()
	for c.count < size {
		c.write(func(tx *sqlite.Tx) error {
			for end := min(c.count+1000, size); c.count < end; {
				for _, r := range c.receive() {
					if c.alters != nil {
						c.alters(&r)
					}
					if err := c.capture(tx, r); err != nil {
						return err
					}
				}
			}
			_, err := archive.Index(tx, 2000)
			return err
		})
	}
}
