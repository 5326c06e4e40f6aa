package forward

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muniment/internal/mail"
	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// A long conversation is divided once; the parts after the first are owed with that, and
// destruction knows every one of them.
func TestParts(t *testing.T) {
	c := newCouncil(t)
	one := c.says(ann, "A1")
	two := c.says(ann, "A2")
	three := c.receives(record.Received{Kind: record.Message, Type: record.Text, Sender: bo, Text: "Yes.", Target: &record.Ref{ID: "A1", Sender: ann}})
	c.reacts(bo, "A2", "📌")
	now := monday.Add(time.Hour)
	c.write(func(tx *sqlite.Tx) error {
		if _, err := Settle(tx, 1); err != nil {
			return err
		}
		if divided, err := Divided(tx, 1); err != nil || divided {
			t.Errorf("it is divided before anybody divided it: %v", err)
		}
		if whole, err := LoadPart(tx, 1, 1); err != nil || !cmp.Equal(whole.Seqs, []record.Seq{one, two, three}) {
			t.Errorf("as long as it is not divided it is %v, %v", whole.Seqs, err)
		}
		if err := Divide(tx, now, 1, [][]record.Seq{{one}, {two}, {three}}, "token"); err != nil {
			return err
		}
		return Divide(tx, now, 1, [][]record.Seq{{one, two, three}}, "token") // it stays
	})
	c.write(func(tx *sqlite.Tx) error {
		for n, want := range [][]record.Seq{{one}, {two}, {three}} {
			part, err := LoadPart(tx, 1, n+1)
			if err != nil || !cmp.Equal(part.Seqs, want) || part.Part != n+1 || len(part.Parts) != 3 || part.PartWith(two) != 2 {
				t.Errorf("part %d is %+v, %v", n+1, part, err)
			}
			it, err := mail.FindPart(tx, Letter, 1, n+1)
			if err != nil || it.State != mail.Queued || !cmp.Equal(it.To, []string{"council@example.gov.uk"}) {
				t.Errorf("of part %d is owed %+v, %v", n+1, it, err)
			}
		}
		if _, err := LoadPart(tx, 1, 4); err == nil {
			t.Error("it has a fourth part")
		}
		parts, err := mail.Parts(tx, Letter, 1)
		ids := make(map[string]bool)
		for _, it := range parts {
			ids[it.MessageID] = true
		}
		if err != nil || len(parts) != 3 || len(ids) != 3 {
			t.Errorf("its parts are %+v, %v", parts, err)
		}
		// Record 1 is shown again with its answer; the marked message, or that it was, in the first.
		for seq, want := range map[record.Seq][]Email{
			one: {{Letter, 1, 1}, {Letter, 1, 3}}, two: {{Letter, 1, 1}, {Letter, 1, 2}}, three: {{Letter, 1, 3}},
		} {
			got, err := EmailedWith(tx, seq)
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("emails with record %d (-want +got)\n%s%v", seq, diff, err)
			}
		}
		return nil
	})
}

// What was in a part that the mail server refused has reached nobody: marked again, it goes.
func TestWhatWasInARefusedPartGoesAgain(t *testing.T) {
	c := newCouncil(t)
	one, two := c.says(ann, "A1"), c.says(ann, "A2")
	c.reacts(bo, "A1", "📌")
	c.passes(5 * time.Minute)
	c.write(func(tx *sqlite.Tx) error {
		if _, err := Settle(tx, 1); err != nil {
			return err
		}
		return Divide(tx, c.now, 1, [][]record.Seq{{one}, {two}}, "token")
	})
	attempts := 0
	c.deliversWith(func(context.Context, string, string, []byte) (string, error) {
		if attempts++; attempts == 2 {
			return "", &mail.Failure{Stage: mail.NamingRecipient, Code: 550, Enhanced: "5.1.1"}
		}
		return "250 taken", nil
	})
	c.reacts(ann, "A2", "📌")
	c.passes(5 * time.Minute)
	c.delivers()
	if v := c.conversation(2); v.Continues != 1 || !cmp.Equal(v.Seqs, []record.Seq{two}) {
		t.Errorf("marked again, %v go, and continue conversation %d", v.Seqs, v.Continues)
	}
}
