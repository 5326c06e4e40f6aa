package disposal

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"muniment/internal/archive"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
	"muniment/internal/vault"
)

// unread captures what cannot be read yet, and reads gives it a reading.
func (c *council) unread(i int) archive.Captured {
	c.Helper()
	sent := said.AddDate(0, 0, i/30)
	id := fmt.Sprintf("3EB0CCCCCCCCCCCCCC%04d", i)
	encrypted := bytes.Repeat([]byte(fmt.Sprintf("\x92%04d\x80", i)), 20+i%200)
	if i%2 == 0 {
		return c.captures(record.Received{Kind: record.Unsupported, Type: "futureMessage", Sender: ann, ID: id, Sent: sent, Protobuf: encrypted})
	}
	return c.captures(record.Received{Kind: record.Vote, Type: record.Sealed, Sender: ann, ID: id, Sent: sent, Protobuf: encrypted,
		Target: &record.Ref{ID: "3EB0DDDDDDDDDDDDDDDD", Sender: bo}})
}

func (c *council) reads(seq record.Seq, r record.Received) {
	c.Helper()
	r.Group = official
	c.write(func(tx *sqlite.Tx) error {
		ds, err := archive.DeliveredSome(tx, []record.Seq{seq})
		if err != nil {
			return err
		}
		if _, err = c.archive.Reread(tx, c.now, "Jo Marsh", "an update", "v2", []archive.Reading{{Of: ds[0], Received: r}}); err != nil || r.File == nil {
			return err
		}
		return vault.Want(tx, c.now, seq, r.Type, *r.File)
	})
}

// Night after night a part goes of what was read later than it was captured. Of the
// reading nothing is left either, in the search index or elsewhere.
func TestNothingStaysOfWhatWasReadLater(t *testing.T) {
	if testing.Short() {
		t.Skip("does much, and nothing that others of a short run do not")
	}
	c := newCouncil(t)
	gone := make(map[retention.Date][]string)
	for i := range 240 {
		k := c.unread(i)
		if i%3 == 0 {
			c.write(func(tx *sqlite.Tx) error { _, err := archive.Index(tx, 1000); return err })
		}
		word := fmt.Sprintf("reading%04d", i)
		r := record.Received{Kind: record.Vote, Type: record.Cast, Text: word + strings.Repeat(" x", i%300), Details: record.Details{Chosen: []string{"chosen " + word}}.Encode()}
		if i%2 == 0 {
			r.Kind, r.Type, r.File = record.Message, record.Document, &record.File{Name: word + ".pdf", Sealed: []byte("s")}
		}
		c.reads(k.Seq, r)
		due := retention.ForYears(6).Due(said.AddDate(0, 0, i/30))
		gone[due] = append(gone[due], word, fmt.Sprintf("\x92%04d\x80", i))
	}
	c.expectVerified()
	for retention.DateOf(c.now) < "2032-03-12" {
		if err := c.night(); err != nil {
			t.Fatalf("night of %s: %v", retention.DateOf(c.now), err)
		}
		c.expectNowhere(gone)
	}
	c.expectKept(0)
	c.expectVerified()
}

// A copy of what was read later is searched for, and so is a copy of what it was read
// in, and the salt of the digest that the journal has.
func TestReadingsAreSearchedFor(t *testing.T) {
	if testing.Short() {
		t.Skip("one thing after another, which the race detector watches for long")
	}
	const reading = "Tuesday the third, in the village hall"
	for _, plant := range []string{"text", "details", "protobuf", "salt"} {
		t.Run(plant, func(t *testing.T) {
			c := newCouncil(t)
			k := c.unread(1)
			c.reads(k.Seq, record.Received{Kind: record.Vote, Type: record.Cast, Text: reading, Details: record.Details{Chosen: []string{"of " + reading}}.Encode()})
			var text, details, protobuf, salt []byte
			c.write(func(tx *sqlite.Tx) error {
				return tx.QueryRow("SELECT text, details, protobuf, g.salt FROM record JOIN reread g USING (seq)").Scan(&text, &details, &protobuf, &salt)
			})
			copies := map[string][]byte{"text": text, "details": details, "protobuf": protobuf, "salt": salt}
			c.nightsUntil("2032-03-02")
			if err := os.WriteFile(filepath.Join(c.dir, "copy"), copies[plant], 0o600); err != nil {
				t.Fatal(err)
			}
			if err := c.night(); err == nil || !strings.Contains(err.Error(), "still in the files") {
				t.Errorf("the night went by with %v", err)
			}
		})
	}
}
