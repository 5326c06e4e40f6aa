package letter

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"muniment/internal/archive"
	"muniment/internal/forward"
	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// corrected is a conversation of which one message was edited twice, one deleted by
// its sender and one that somebody else tried to delete, before its letter if early.
func corrected(t *testing.T, early bool) (c *council, sent time.Time) {
	c = newCouncil(t)
	start := at("2027-01-04 10:00")
	c.capture(record.Received{Kind: record.Participants, Type: record.Present, Sender: jo.Address, Sent: start.Add(-time.Hour),
		Participants: []record.Participant{{Address: jo.Address, Admin: true}}})
	c.write(func(tx *sqlite.Tx) error {
		is, err := people.Identify(tx, start, jo.Address, "")
		if err != nil {
			return err
		}
		return people.Promote(tx, cranford, is.ID, true)
	})
	hall := c.says(ann, start, "The hall is booked for the 12th.")
	c.replies(bo, start.Add(time.Minute), &hall, "Good. I shall bring the keys.")
	sharp := c.says(dee, start.Add(2*time.Minute), "As if you ever had.\nYou never do.")
	plain := c.says(jo, start.Add(3*time.Minute), "Could we keep to the hall, please?")
	c.reacts(bo, start.Add(4*time.Minute), hall, "📌")
	sent = start.Add(7 * time.Minute)
	changes := sent.Add(time.Hour)
	if early {
		changes = start.Add(4*time.Minute + 10*time.Second)
	}
	c.edits(ann, changes, hall, "The hall is booked for the 14th.")
	c.edits(ann, changes.Add(10*time.Second), hall, "The hall is booked for the 19th, please note.")
	c.deletes(dee, changes.Add(20*time.Second), sharp, record.ByAuthor)
	c.deletes(sam, changes.Add(30*time.Second), plain, record.ByAdmin)
	return c, sent
}

// A letter that is written after the changes shows how things are, and how they were.
func TestConversationOfChangedMessages(t *testing.T) {
	c, sent := corrected(t, true)
	golden(t, "conversation-changed", c.letter(writer(), header("conversation.1", sent), c.settled(1)))
}

func (c *council) correction(h Header, since time.Time) (msg []byte, err error) {
	c.t.Helper()
	conversation := c.settled(1)
	err = c.db.Read(context.Background(), func(tx *sqlite.Tx) (err error) {
		msg, err = writer().Correction(tx, h, forward.Correction{ID: 1, Conversation: conversation, Since: since})
		return err
	})
	return msg, err
}

func TestCorrection(t *testing.T) {
	c, sent := corrected(t, false)
	h := header("correction.1", sent.Add(2*time.Hour))
	h.InReplyTo = header("conversation.1", sent).MessageID
	msg, err := c.correction(h, sent)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "correction", msg)
	if text := string(msg); strings.Contains(text, "Could we keep to the hall") {
		t.Error("it tells of what had no effect as if it had")
	}
	if _, err := c.correction(h, sent.Add(2*time.Hour)); !errors.Is(err, ErrNothingLeft) {
		t.Errorf("nothing has changed since, and it says: %v", err)
	}
}

func TestHold(t *testing.T) {
	msg, err := writer().Hold(header("hold.3", at("2027-01-04 10:05")), archive.Hold{
		ID: 3, Kind: archive.Other, Cover: archive.Cover{Scope: archive.Everything}, Review: "2027-07-04",
		Reason: "a reaction with 🛑 to record 7", PlacedBy: "Jo Hall", Placed: at("2027-01-04 10:04"),
	})
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "hold", msg)
	if bytes.Contains(msg, []byte("Dispose-After")) {
		t.Error("it says when to delete it, though it holds no message")
	}
}

// On the day of a hold's review, and every week after it, the clerk is asked.
func TestHoldReview(t *testing.T) {
	hold := archive.Hold{
		ID: 4, Kind: archive.SAR, Case: "SAR-2027-001", Cover: archive.Cover{Scope: archive.ByMember}, Review: "2027-07-04",
		Reason: "asks for all that was said of him.", PlacedBy: "Jo Hall", Placed: at("2027-01-04 10:04"),
	}
	for name, when := range map[string]string{"hold-review": "2027-07-04 00:01", "hold-review-overdue": "2027-07-11 00:01"} {
		msg, err := writer().HoldReview(header("hold-review.77", at(when)), hold)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name, msg)
	}
	hold.Kind, hold.Case = archive.Other, ""
	msg, err := writer().HoldReview(header("hold-review.78", at("2027-07-04 00:01")), hold)
	if err != nil || bytes.Contains(msg, []byte("criminal")) || !bytes.Contains(msg, []byte("Hold 4 is to be reviewed today.")) {
		t.Errorf("%v: of a hold for another reason it says\n%s", err, msg)
	}
}
