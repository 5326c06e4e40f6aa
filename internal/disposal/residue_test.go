package disposal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"muniment/internal/archive"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
)

// Night after night a part goes of an archive whose pages are full: of what was
// destroyed no text, name or number is left, neither where the search looks nor
// where it does not, since the text is too short.
func TestNothingStaysNightAfterNight(t *testing.T) {
	if testing.Short() {
		t.Skip("one thing after another, which the race detector watches for long")
	}
	const size = 600
	for _, tt := range []struct {
		name           string
		quotes, padded bool
	}{
		{"short texts in long protobufs", false, true},
		{"with quotations", true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCouncil(t)
			rnd := rand.New(rand.NewPCG(1894, 12))
			gone := make(map[retention.Date][]string) // from when on what is to be found nowhere
			c.write(func(tx *sqlite.Tx) error {
				for i := range size {
					r := somebodySays(i, rnd, tt.quotes, tt.padded)
					r.Sent = said.AddDate(0, 0, i/50)
					if _, err := c.archive.Capture(tx, c.now, r); err != nil {
						return err
					}
					due := retention.ForYears(6).Due(r.Sent)
					gone[due] = append(gone[due], fmt.Sprintf("no. %04d,", i), r.PushName, r.Sender.Alt, r.ID)
				}
				return nil
			})
			for retention.DateOf(c.now) < "2032-03-24" {
				if err := c.night(); err != nil {
					t.Fatalf("night of %s: %v", retention.DateOf(c.now), err)
				}
				c.expectNowhere(gone)
			}
			c.expectKept(0)
		})
	}
}

func somebodySays(i int, rnd *rand.Rand, quotes, padded bool) record.Received {
	text := fmt.Sprintf("no. %04d, ", i)
	protobuf := text + strings.Repeat("p", rnd.IntN(900))
	if !padded {
		text += strings.Repeat(fmt.Sprintf("w%d%c ", rnd.IntN(1e6), 'a'+rnd.IntN(26)), 1+rnd.IntN(120))
		protobuf = text
	}
	r := record.Received{Kind: record.Message, Type: record.Text, Group: official, ID: fmt.Sprintf("3EB0AAAAAAAAAAAAAA%04d", i), Text: text,
		Sender:   record.Address{JID: fmt.Sprintf("20000000%06d@lid", i), Alt: fmt.Sprintf("4477%08d@s.whatsapp.net", 10_000_000+i)},
		PushName: fmt.Sprintf("Pushname%04d", i), Protobuf: []byte("\n" + protobuf)}
	if quotes && i > 10 && rnd.IntN(3) == 0 {
		of := i - 1 - rnd.IntN(10)
		quoted := fmt.Sprintf("quoted %d %s", of, strings.Repeat(fmt.Sprintf("q%d ", rnd.IntN(1e6)), 1+rnd.IntN(60)))
		r.Quotations = []record.Quotation{{Of: record.Ref{ID: fmt.Sprintf("3EB0BBBBBBBBBBBBBB%04d", of), Sender: ann}, Text: quoted, Protobuf: []byte(quoted)}}
	}
	return r
}

// expectNowhere looks in every file for what should be gone by now.
func (c *council) expectNowhere(gone map[retention.Date][]string) {
	c.Helper()
	if err := filepath.WalkDir(c.dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		for due, words := range gone {
			for _, w := range words {
				if due.AddDays(6) <= retention.DateOf(c.now) && bytes.Contains(b, []byte(w)) { // a list goes once a week
					c.Errorf("%s: %q, which was to go on %s, is still in %s", retention.DateOf(c.now), w, due, e.Name())
				}
			}
		}
		return err
	}); err != nil {
		c.Fatal(err)
	}
}

// A copy of no more than this somewhere in the archive's directory is found.
func TestWhatIsSearchedFor(t *testing.T) {
	if testing.Short() {
		t.Skip("one thing after another, which the race detector watches for long")
	}
	const (
		preview = "Flood alert for the Brook at Lower Mill, Environment Agency"
		caption = "the crate was marked 'fragile', and look at it now"
	)
	for _, tt := range []struct {
		name, plant string
		found       bool
	}{
		{"the sender's own name", "contact: Bartholomew F.; new", true},
		{"the title of a link's page", preview, true},
		{"a caption within a quotation", caption, true},
		{"a word or two", "Flood alert", false},
		{"a surviving record's sender", "Mehetabel Overton", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCouncil(t)
			c.captures(record.Received{Kind: record.Message, Type: record.Text, Sender: ann, ID: "A1", PushName: "Bartholomew F.", Text: "See this.",
				Protobuf: []byte("\x32\x80\x01\x0a\x09See this.\x2a\x3b" + preview + "\x00\xff\xd8\xff\xe0")})
			c.captures(record.Received{Kind: record.Message, Type: record.Text, Sender: bo, ID: "B1", PushName: "Mehetabel Overton", Text: "Yes.",
				Quotations: []record.Quotation{{Of: record.Ref{ID: "A0", Sender: ann}, Text: "photo", Protobuf: []byte("\x1a\x05photo\x22\x32" + caption + "\x08\x01")}}})
			c.captures(record.Received{Kind: record.Message, Type: record.Text, Sender: bo, ID: "B2", PushName: "Mehetabel Overton", Text: "New.", Sent: c.now})
			c.nightsUntil("2032-03-02")
			if err := os.WriteFile(filepath.Join(c.dir, "copy.txt"), []byte(tt.plant), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := c.night(); tt.found != (err != nil && strings.Contains(err.Error(), "still in the files")) {
				t.Errorf("the night went by with %v", err)
			}
		})
	}
}

// Somebody has said the same but for the last letter, and in the file stands that letter
// next to it: of another column, by chance. That is no residue.
func TestWhatStandsNextToItByChance(t *testing.T) {
	c := newCouncil(t)
	c.says(ann, "A1", "Nothing was said of that when the Selshaw estate was built.")
	c.captures(record.Received{Kind: record.Message, Type: record.Text, ID: "B1", Sender: bo, Sent: c.now,
		Text: "And when the Selshaw estate was built", Emoji: "."}) // the next column
	c.nightsUntil("2032-03-02")
	if found := c.traces("the Selshaw estate was built."); len(found) == 0 {
		t.Fatal("it does not stand next to it")
	}
	c.nightsUntil("2032-03-03")
	if cert := c.certified(1); cert.Searched != 1 {
		t.Errorf("searched for %d records", cert.Searched)
	}
	if found := c.traces("estate was built."); len(found) == 0 {
		t.Error("it does not stand next to it any more: nothing was tried")
	}
}

// The council's own name is the device's and stays in its files.
func TestTheCouncilsOwnNameIsNoResidue(t *testing.T) {
	c := newCouncil(t)
	c.captures(record.Received{Kind: record.Message, Type: record.Text, Sender: ann, ID: "A1", PushName: "Cranford Parish Council", Own: true, Text: "Hello."})
	if err := os.WriteFile(filepath.Join(c.dir, "session.db"), []byte("push_name=Cranford Parish Council"), 0o600); err != nil {
		t.Fatal(err)
	}
	c.nightsUntil("2032-03-03")
	c.certified(1)
}

// A record goes that answers a message which never came, and for which the council's phone is
// still asked. Neither that message's ID nor its sender's number stays.
func TestWhatIsMissingGoesWithWhatNamesIt(t *testing.T) {
	c := newCouncil(t)
	const id, number = "3EB0C767D097B7C8A0F1E2D3", "447700900987@s.whatsapp.net"
	c.captures(record.Received{Kind: record.Message, Type: record.Text, Sender: bo, ID: "B1", Text: "I agree with that.", Protobuf: []byte("pb"),
		Quotations: []record.Quotation{{Of: record.Ref{ID: id, Sender: record.Address{JID: number}}, Text: "so he said of the bridge, at length", Protobuf: []byte("pb")}}})
	c.write(func(tx *sqlite.Tx) error {
		_, err := c.archive.FindHoles(tx, c.now.Add(time.Hour), 10, archive.Names{Elsewhere: func(string, []byte) bool { return false }})
		if gaps, _ := archive.Gaps(tx); len(gaps) != 1 || !gaps[0].Asking {
			t.Errorf("gaps: %+v", gaps)
		}
		return err
	})
	c.nightsUntil("2032-03-03")
	c.certified(1)
	c.expectNowhere(map[retention.Date][]string{"2032-03-02": {id, number[:12]}})
}

// A command that shows records and whose output nobody takes holds the archive
// open. Where it ends after a while the run goes on; else the next night takes it up
// again and still knows what to search for.
func TestAReaderInTheWay(t *testing.T) {
	defer func(before time.Duration) { pause = before }(pause)
	pause = time.Millisecond
	c := newCouncil(t)
	c.says(ann, "3EB0AAAAAAAAAAAAAAAA", culvert)
	c.nightsUntil("2032-03-02")
	reads, ends := make(chan bool), make(chan error)
	go func() {
		ends <- c.db.Read(context.Background(), func(tx *sqlite.Tx) error {
			return archive.Each(tx, func(archive.Record) error {
				close(reads)
				time.Sleep(time.Second)
				return nil
			})
		})
	}()
	<-reads
	c.nightsUntil("2032-03-03")
	if err := <-ends; err != nil {
		t.Fatal(err)
	}
	c.certified(1)

	c.captures(record.Received{Kind: record.Message, Type: record.Text, Sender: ann, ID: "A2", Text: fence, Sent: said.AddDate(0, 2, 0)})
	c.nightsUntil("2032-05-02")
	tries := 0
	c.d.ScrubSession = func(context.Context) error { tries++; return fmt.Errorf("session: %w", sqlite.ErrReader) }
	if err := c.night(); !errors.Is(err, sqlite.ErrReader) || tries != patience {
		t.Errorf("the night went by with %v after %d tries", err, tries)
	}
	c.d.ScrubSession = func(context.Context) error { return nil }
	c.nightsUntil("2032-05-04")
	if cert := c.certified(2); cert.Searched != 1 || cert.Unsearched != 0 {
		t.Errorf("searched for %d, not for %d", cert.Searched, cert.Unsearched)
	}
	c.expectNoTrace(fence)
}

func TestTheSearchStopsWhenToldTo(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "large"), make([]byte, 8<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := new(fragments).search(ctx, dir, func(string) bool { return false }); !errors.Is(err, context.Canceled) {
		t.Errorf("the search ended with %v", err)
	}
}
