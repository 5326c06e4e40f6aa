package disposal

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"muniment/internal/archive"
	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
	"muniment/internal/vault"
)

// A certificate counts no file that never was.
func TestFilesOnTheCertificate(t *testing.T) {
	c := newCouncil(t)
	file := record.File{Sealed: bytes.Repeat([]byte{7}, 32)} // lost: the message does not say how to fetch it
	k := c.captures(record.Received{Kind: record.Message, Type: record.Image, Sender: ann, ID: "3EB0A", Text: "the culvert", File: &file, Protobuf: []byte("x")})
	c.write(func(tx *sqlite.Tx) error { return vault.Want(tx, c.now, k.Seq, record.Image, file) })
	c.nightsUntil("2032-03-03")
	if cert := c.certified(1); cert.Media != 0 {
		t.Errorf("the certificate says that %d files were destroyed; there never was one", cert.Media)
	}
}

// Who gave up his number is not forgotten while a record of his is kept.
func TestStrangerWithARecord(t *testing.T) {
	c := newCouncil(t)
	number := record.Address{JID: "447700900102@s.whatsapp.net"}
	c.says(ann, "3EB0AAAAAAAAAAAAAAAA", culvert)
	c.captures(record.Received{Kind: record.Message, Type: record.Text, Sender: number, ID: "3EB0B", Text: "by number, and later", Sent: said.AddDate(1, 0, 0)})
	c.write(func(tx *sqlite.Tx) error {
		if _, err := people.Identify(tx, c.now, record.Address{JID: bo.JID, Alt: number.JID}, ""); err != nil {
			return err
		}
		_, err := people.Identify(tx, c.now, record.Address{JID: "200000000000109@lid", Alt: number.JID}, "")
		return err
	})
	for retention.DateOf(c.now) < "2032-03-03" {
		if err := c.night(); err != nil {
			t.Fatal(err)
		}
	}
	c.certified(1)
}

// No word of a destroyed record survives a run in the search index, though records are
// indexed while it merges.
func TestRunWhileIndexing(t *testing.T) {
	c := newCouncil(t)
	c.write(func(tx *sqlite.Tx) error {
		for i := range 1500 {
			text := ""
			for j := range 100 {
				text += fmt.Sprintf("w%07dx%07d ", i*100+j, (i*100+j)*7919%9999991)
			}
			if _, err := c.archive.Capture(tx, c.now, record.Received{Kind: record.Message, Type: record.Text, Group: official, Sender: bo, ID: fmt.Sprint("B", i), Sent: c.now, Text: text}); err != nil {
				return err
			}
		}
		return nil
	})
	c.says(ann, "3EB0AAAAAAAAAAAAAAAA", "the zyzzogetonxqv is blocked again, who will ring the county about it?")
	index := func() {
		for done := false; !done; {
			c.write(func(tx *sqlite.Tx) (err error) { done, err = archive.Index(tx, 200); return err })
		}
	}
	index()
	if err := c.d.mergeSearch(context.Background()); err != nil {
		t.Fatal(err)
	}
	c.nightsUntil("2032-03-02")
	now := c.now
	stop, stopped := make(chan bool), make(chan bool)
	go func() { // captures, indexed
		defer close(stopped)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			c.db.Write(context.Background(), func(tx *sqlite.Tx) error {
				_, err := c.archive.Capture(tx, now, record.Received{Kind: record.Message, Type: record.Text, Group: official, Sender: bo, ID: fmt.Sprint("C", i), Sent: now, Text: "the hedge"})
				if err != nil {
					return err
				}
				_, err = archive.Index(tx, 200)
				return err
			})
			time.Sleep(3 * time.Millisecond)
		}
	}()
	c.nightsUntil("2032-03-03")
	close(stop)
	<-stopped
	c.certified(1)
	c.expectNoTrace("zogetonxqv")
}
