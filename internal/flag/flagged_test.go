package flag_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muniment/internal/archive"
	"muniment/internal/corpus"
	"muniment/internal/flag"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
	"muniment/internal/sqlite/sqlitetest"
)

var (
	ann = record.Address{JID: "200000000000101@lid"}
	bo  = record.Address{JID: "200000000000102@lid"}

	monday = time.Date(2026, 11, 16, 9, 0, 0, 0, time.UTC)
)

// A council talks, a minute between any two messages.
type council struct {
	*testing.T
	db  *sqlite.DB
	a   *archive.Archive
	now time.Time
}

func newCouncil(t *testing.T) *council {
	c := &council{T: t, now: monday}
	var err error
	if c.db, err = sqlitetest.Create(t.Context(), filepath.Join(t.TempDir(), "archive.db")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.db.Close() })
	c.write(func(tx *sqlite.Tx) error {
		if err := archive.Lay(tx, c.now, "sysadmin"); err != nil {
			return err
		}
		c.a, err = archive.Load(tx, retention.ForYears(6))
		return err
	})
	return c
}

func (c *council) write(f func(*sqlite.Tx) error) {
	c.Helper()
	if err := c.db.Write(context.Background(), f); err != nil {
		c.Fatal(err)
	}
}

// captures captures r and returns its number.
func (c *council) captures(r record.Received) (seq record.Seq) {
	c.Helper()
	c.now = c.now.Add(time.Minute)
	r.Group, r.Sent = "120363000000000001@g.us", c.now
	if r.ID == "" {
		r.ID = c.now.Format("150405")
	}
	if r.Sender.JID == "" {
		r.Sender = ann
	}
	c.write(func(tx *sqlite.Tx) error {
		captured, err := c.a.Capture(tx, c.now, r)
		seq = captured.Seq
		return err
	})
	return seq
}

func (c *council) says(id, text string) record.Seq {
	return c.captures(record.Received{Kind: record.Message, Type: record.Text, ID: id, Text: text})
}

func (c *council) edits(who record.Address, id, text string) record.Seq {
	return c.captures(record.Received{Kind: record.Edit, Type: record.Text, Sender: who, Target: &record.Ref{ID: id, Sender: ann}, Text: text})
}

// flagged returns what is flagged now, in words, of what was sent or changed since.
func (c *council) flagged(since time.Time) (all []string) {
	c.Helper()
	if err := c.db.Read(context.Background(), func(tx *sqlite.Tx) error {
		flags, err := flag.Reader{}.Between(tx, since, c.now.Add(time.Minute), c.now)
		for _, concern := range flag.Concerns {
			for _, seq := range flags.Messages(concern) {
				all = append(all, fmt.Sprint(seq, " ", flags.Of(seq, concern)))
			}
		}
		return err
	}); err != nil {
		c.Fatal(err)
	}
	return all
}

func (c *council) dismisses(concerns []flag.Concern, seqs ...record.Seq) (err error) {
	c.now = c.now.Add(time.Minute)
	return c.db.Write(context.Background(), func(tx *sqlite.Tx) error {
		return flag.Reader{}.Dismiss(tx, c.now, "Jo Marsh", "asked", seqs, concerns...)
	})
}

func (c *council) want(want ...string) {
	c.Helper()
	if diff := cmp.Diff(want, c.flagged(monday)); diff != "" {
		c.Error(diff)
	}
}

const (
	number   = "Mine is AB123456C."
	harmless = "Never mind."
)

// What was edited away is on record, and so is what somebody else would have made of it.
func TestAMessageIsReadAsItIsAndAsItWas(t *testing.T) {
	c := newCouncil(t)
	one := c.says("A1", number)
	c.edits(ann, "A1", harmless)
	two := c.says("A2", harmless)
	edit := c.edits(ann, "A2", number)
	c.edits(ann, "A2", harmless)
	three := c.says("A3", harmless)
	c.edits(bo, "A3", number)
	orphan := c.edits(ann, "A4", number)
	c.want("1 [a National Insurance number]", "3 [a National Insurance number]", "6 [a National Insurance number]", "8 [a National Insurance number]")

	c.write(func(tx *sqlite.Tx) error {
		flags, err := flag.Reader{}.Between(tx, monday, c.now.Add(time.Minute), c.now)
		for _, seq := range []record.Seq{one, two, edit, three, orphan} {
			if !flags.Personal(seq) {
				t.Errorf("record %d may be repeated", seq)
			}
		}
		return err
	})

	// One that was sent before counts where it is changed.
	later := c.now.Add(time.Second)
	c.edits(ann, "A1", "Really.")
	if diff := cmp.Diff([]string{"1 [a National Insurance number]"}, c.flagged(later)); diff != "" {
		t.Error(diff)
	}
}

func TestWhatIsRead(t *testing.T) {
	c := newCouncil(t)
	c.captures(record.Received{Kind: record.Message, Type: record.Image, Text: number})
	c.captures(record.Received{Kind: record.Message, Type: record.Poll, Text: "Is it confidential?\nYes\nNo"})
	c.captures(record.Received{Kind: record.Option, Type: record.OptionAdded, Text: "Ask jo@mail.example"})
	c.captures(record.Received{Kind: record.Group, Type: record.Description, Text: "Ring 07700 900123"})
	c.captures(record.Received{Kind: record.Message, Type: record.Location, Text: "Rose Cottage, Mill Lane, TW5 9AB"})
	c.captures(record.Received{Kind: record.Message, Type: record.Contact, Text: "Cancer Support"})
	c.captures(record.Received{Kind: record.Reaction, Type: record.ReactionAdded, Emoji: "👍", Target: &record.Ref{ID: "A", Sender: ann}})
	c.want("1 [a National Insurance number]", "2 [words about something confidential]", "3 [an email address that is not the council’s]",
		"4 [a telephone number]", "2 [a poll]")
}

func TestNoConcern(t *testing.T) {
	c := newCouncil(t)
	both := c.says("A1", "Agreed: "+number)
	other := c.says("A2", number)
	plain := c.says("A3", harmless)
	c.want("1 [a National Insurance number]", "2 [a National Insurance number]", "1 [words of agreement]")

	// All of them or none.
	if err := c.dismisses(flag.Concerns, other, plain); !errors.Is(err, flag.ErrNotFlagged) || err.Error() != "record 3: not flagged" {
		t.Errorf("of what is not flagged: %v", err)
	}
	if err := c.dismisses([]flag.Concern{flag.Meeting}, other); !errors.Is(err, flag.ErrNotFlagged) {
		t.Errorf("of what is flagged for something else: %v", err)
	}
	before := c.now
	if err := c.dismisses([]flag.Concern{flag.Meeting}, both); err != nil {
		t.Fatal(err)
	}
	c.want("1 [a National Insurance number]", "2 [a National Insurance number]")
	if err := c.dismisses(flag.Concerns, both, other); err != nil {
		t.Fatal(err)
	}
	c.want()
	if err := c.dismisses(flag.Concerns, both); !errors.Is(err, flag.ErrNotFlagged) {
		t.Errorf("once more: %v", err)
	}

	// What is said in it since, nobody has looked at.
	c.edits(ann, "A1", "Agreed: it was AB123456D.")
	c.want("1 [a National Insurance number]", "1 [words of agreement]")

	// As it was known then, it was no concern of nobody's yet.
	c.now = before
	c.want("1 [a National Insurance number]", "2 [a National Insurance number]", "1 [words of agreement]")
}

// What flags add to a digest of ten thousand messages.
func BenchmarkDigest(b *testing.B) {
	db, err := sqlitetest.Create(b.Context(), filepath.Join(b.TempDir(), "archive.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	var records []archive.Record
	for m := range corpus.Chat(1, corpus.Options{Count: 10_000, Long: true}) {
		records = append(records, archive.Record{Seq: record.Seq(m.N + 1), Kind: record.Message, Type: record.Text, Text: m.Text, Captured: m.Sent})
	}
	for b.Loop() {
		if err := db.Read(b.Context(), func(tx *sqlite.Tx) error {
			_, err := flag.Reader{}.Flags(tx, monday, records)
			return err
		}); err != nil {
			b.Fatal(err)
		}
	}
}
