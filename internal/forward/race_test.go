package forward

import (
	"context"
	"testing"
	"time"

	"muniment/internal/mail"
	"muniment/internal/sqlite"
)

// A message is edited while its letter is being written: that bears an earlier time, so
// that it does not show the edit, and a correction is owed.
func TestEditedWhileTheLetterIsWritten(t *testing.T) {
	c := newCouncil(t)
	c.says(ann, "A1")
	c.reacts(bo, "A1", "📌")
	c.passes(5 * time.Minute)
	compose := func(_ context.Context, it mail.Item) ([]byte, error) {
		c.write(func(tx *sqlite.Tx) error { _, err := Settle(tx, it.About); return err })
		c.passes(2 * time.Second) // it is read, photos are made small
		c.edits(ann, "A1", "at nine")
		return []byte("letter"), nil
	}
	send := func(context.Context, string, string, []byte) (string, error) { return "250 taken", nil }
	if err := mail.New(c.db, logNothing(), anywhere, send, compose, func() time.Time { return c.now }, 0).DeliverDue(context.Background()); err != nil {
		t.Fatal(err)
	}
	if len(c.corrections()) == 0 {
		t.Error("the letter does not show the edit, and no correction is owed, ever")
	}
}
