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

// Which marks a digest tells of: those that stood, and those that stand so far.
func TestMarkedBy(t *testing.T) {
	c := newCouncil(t)
	mark := func(who record.Address, of string) record.Seq { return c.receives(reaction(who, of, "📌")) }
	c.says(ann, "A1")
	c.says(ann, "A2")
	first, second := mark(bo, "A1"), mark(ann, "A1")
	other := c.receives(reaction(bo, "A2", "👍"))
	c.passes(5 * time.Minute)
	c.delivers()
	c.reacts(bo, "A1", "") // too late: it stood
	taken := mark(bo, "A2")
	c.reacts(bo, "A2", "") // in time
	fresh := mark(ann, "A2")
	c.write(func(tx *sqlite.Tx) error {
		got, err := MarkedBy(tx, []record.Seq{first, second, other, taken, fresh, 999})
		if diff := cmp.Diff(map[int64][]record.Seq{1: {first, second}, 3: {fresh}}, got); diff != "" {
			t.Errorf("marks (-want +got)\n%s", diff)
		}
		return err
	})
}

// A composed digest that waits goes with whatever is destroyed: it may show it.
func TestForgetComposedDigests(t *testing.T) {
	c := newCouncil(t)
	seq := c.says(ann, "A1")
	c.write(func(tx *sqlite.Tx) error {
		_, err := mail.Queue(tx, c.now, mail.Item{Kind: DigestLetter, About: 20260308, MessageID: "d", From: c.rules.From, To: []string{c.rules.To}})
		return err
	})
	compose := func(context.Context, mail.Item) ([]byte, error) { return []byte("digest"), nil }
	send := func(context.Context, string, string, []byte) (string, error) { return "", errors.New("not now") }
	o := mail.New(c.db, logNothing(), anywhere, send, compose, func() time.Time { return c.now }, 0)
	if err := o.DeliverDue(t.Context()); err != nil {
		t.Fatal(err)
	}
	composed := func() (is bool) {
		c.write(func(tx *sqlite.Tx) error {
			it, err := mail.Find(tx, DigestLetter, 20260308)
			is = !it.ComposedAt.IsZero()
			return err
		})
		return is
	}
	c.write(func(tx *sqlite.Tx) error { _, err := Forget(tx, nil); return err })
	if !composed() {
		t.Error("nothing was destroyed, and the digest went")
	}
	c.write(func(tx *sqlite.Tx) error { _, err := Forget(tx, []record.Seq{seq}); return err })
	if composed() {
		t.Error("a composed digest waits that may show what was destroyed")
	}
}
