package forward

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muniment/internal/mail"
	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// edits edits Ann's message of that ID, as who.
func (c *council) edits(who record.Address, of, text string) {
	c.receives(record.Received{Kind: record.Edit, Type: record.Text, Sender: who, Text: text, Target: &record.Ref{ID: of, Sender: ann}})
}

// deletes deletes Ann's message of that ID, as who.
func (c *council) deletes(who record.Address, of string) {
	c.receives(record.Received{Kind: record.Deletion, Type: record.ByAuthor, Sender: who, Target: &record.Ref{ID: of, Sender: ann}})
}

// corrections lists the states of the corrections in the outbox.
func (c *council) corrections() (states []string) {
	c.Helper()
	c.write(func(tx *sqlite.Tx) error {
		for id := int64(1); ; id++ {
			it, err := mail.Find(tx, CorrectionLetter, id)
			if errors.Is(err, mail.ErrNotQueued) {
				return nil
			} else if err != nil {
				return err
			}
			states = append(states, string(it.State))
		}
	})
	return states
}

func notNow(context.Context, string, string, []byte) (string, error) {
	return "", errors.New("not now")
}

func TestWhenACorrectionIsOwed(t *testing.T) {
	if testing.Short() {
		t.Skip("one thing after another, which the race detector watches for long")
	}
	const waiting, handedOver = "queued", "handed over"
	for _, tt := range []struct {
		name  string
		story func(c *council)
		want  []string
	}{
		{"edited before the letter is written: it says so itself", func(c *council) {
			c.reacts(bo, "A1", "📌")
			c.edits(ann, "A1", "at nine")
			c.passes(5 * time.Minute)
			c.delivers()
		}, nil},
		{"edited afterwards", func(c *council) {
			c.forwards()
			c.edits(ann, "A1", "at nine")
		}, []string{waiting}},
		{"deleted afterwards", func(c *council) {
			c.forwards()
			c.deletes(ann, "A1")
		}, []string{waiting}},
		{"edited by somebody else: it does not count", func(c *council) {
			c.forwards()
			c.edits(sam, "A1", "never")
			c.deletes(sam, "A1")
		}, nil},
		{"edited, and nobody forwarded it", func(c *council) { c.edits(ann, "A1", "at nine") }, nil},
		{"two changes at once are one correction", func(c *council) {
			c.forwards()
			c.edits(ann, "A1", "at nine")
			c.deletes(ann, "A1")
		}, []string{waiting}},
		{"one after another are two", func(c *council) {
			c.forwards()
			c.edits(ann, "A1", "at nine")
			c.passes(5 * time.Minute)
			c.delivers()
			c.deletes(ann, "A1")
		}, []string{handedOver, waiting}},
		{"the letter is written and waits for the mail server", func(c *council) {
			c.reacts(bo, "A1", "📌")
			c.passes(5 * time.Minute)
			c.deliversWith(notNow)
			c.edits(ann, "A1", "at nine")
		}, []string{waiting}},
		{"the mail server refused the letter", func(c *council) {
			c.reacts(bo, "A1", "📌")
			c.passes(5 * time.Minute)
			c.refuses()
			c.edits(ann, "A1", "at nine")
		}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCouncil(t)
			c.says(ann, "A1")
			tt.story(c)
			if diff := cmp.Diff(tt.want, c.corrections()); diff != "" {
				t.Errorf("corrections (-want +got)\n%s", diff)
			}
		})
	}
}

func (c *council) forwards() {
	c.Helper()
	c.reacts(bo, "A1", "📌")
	c.passes(5 * time.Minute)
	c.delivers()
	c.passes(time.Hour)
}

// A correction tells what has changed since the letter before it.
func TestSinceWhenACorrectionTells(t *testing.T) {
	c := newCouncil(t)
	seq := c.says(ann, "A1")
	c.forwards()
	letter := c.now.Add(-time.Hour)
	c.edits(ann, "A1", "at nine")
	c.passes(5 * time.Minute)
	c.delivers()
	first := c.now
	c.passes(time.Hour)
	c.deletes(ann, "A1")
	c.write(func(tx *sqlite.Tx) error {
		for id, since := range map[int64]time.Time{1: letter, 2: first} {
			k, err := LoadCorrection(tx, id)
			if err != nil {
				return err
			}
			if !k.Since.Equal(since) || k.Conversation.ID != 1 {
				t.Errorf("correction %d of conversation %d tells what has changed since %s; want %s", id, k.Conversation.ID, k.Since, since)
			}
		}
		emails, err := EmailedWith(tx, seq)
		if diff := cmp.Diff([]Email{{Letter, 1, 1}, {CorrectionLetter, 1, 1}, {CorrectionLetter, 2, 1}}, emails); diff != "" {
			t.Errorf("emails with the message (-want +got)\n%s", diff)
		}
		return err
	})
}
