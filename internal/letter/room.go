package letter

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"muniment/internal/archive"
	"muniment/internal/record"
	"muniment/internal/saying"
)

// What an email may hold, in bytes as it is sent. Mail servers take 20 MB or so, and
// anybody in the group can write as much as he likes; so all of it is bounded, which
// makes some 18 MB in all. What there is no room for is named, and is on record.
const (
	mostEnclosed = 14_500_000 // pictures and files; 10 MiB of files are as much alone
	mostPictures = 8_000_000  // of these, the pictures that are shown
	mostText     = 2_500_000  // the messages, in plain text and HTML together
)

// room is what one email may hold of each.
type room struct{ text, enclosed, pictures int64 }

// roomOf returns the room in an email to a mail server with a limit; 0 if that is not
// known. Some is left for what is before the messages and after them, and for what servers on
// the way add.
func roomOf(limit int64) room {
	all := int64(mostText + mostEnclosed)
	if limit > 0 {
		all = min(all, max(limit-limit/16-50_000, 0))
	}
	text := min(mostText, all/4)
	return room{text, min(mostEnclosed, all-text), min(mostPictures, (all-text)/2)}
}

// What a letter repeats at most.
const (
	mostCharacters = 10_000 // of one version of a message
	mostVersions   = 5      // of one message, and as many attempts to change it
	mostEntries    = 200    // of a list in the digest
	mostNames      = 50     // of people in a sentence
	mostOption     = 100    // characters of an option in a poll, beside its votes
)

// encoded returns how many bytes a file of n bytes takes in the email.
func encoded(n int64) int64 { return n*137/100 + 600 }

// largest returns how large a file may be that has so much room.
func largest(room int64) int64 { return (room - 600) * 100 / 137 }

// weight returns how many bytes s takes in the email at most, nearly: it stands there
// as plain text and as HTML, both as quoted-printable.
func weight(s string) int64 {
	n := int64(16) // the line's frame
	for i := range len(s) {
		if c := s[i]; c >= 0x80 || strings.IndexByte("=<>&\"'+`\t", c) >= 0 {
			n += 7
		} else {
			n += 2
		}
	}
	return n + n/16
}

// weight returns how many bytes the words of m take in the email at most, nearly.
func (m *message) weight() (n int64) {
	n = 600
	texts := [][]string{{m.Name, m.Record, m.InReplyTo, m.What, m.Reactions}, m.Lines, m.Notes}
	if m.Standing != nil {
		texts = append(texts, m.Standing.Items)
	}
	for _, ss := range texts {
		for _, s := range ss {
			n += weight(s)
		}
	}
	for _, e := range m.Earlier {
		n += 100 + weight(e.When)
		for _, l := range e.Lines {
			n += weight(l)
		}
	}
	return n
}

// linesOf returns the lines of what record seq says, as far as a letter repeats them.
func linesOf(said saying.Saying, seq record.Seq) (ls []string) {
	room := mostCharacters
	for _, words := range said.Words {
		text, cut := beginning(words, room)
		ls = append(ls, saying.Lines(text)...)
		if cut {
			return append(ls, fmt.Sprintf("… the rest is in record %d", seq))
		}
		room -= utf8.RuneCountInString(text)
	}
	return ls
}

// beginning returns the first n characters of s, and whether there are more.
func beginning(s string, n int) (string, bool) {
	for i := range s {
		if n == 0 {
			return s[:i], true
		}
		n--
	}
	return s, false
}

// some joins names, as far as a sentence has room for them.
func some(names []string) string { return saying.Some(names, mostNames) }

// atMost returns the first of the items of a list, and how many more there are.
func atMost(items []string) []string {
	if left := len(items) - mostEntries; left > 0 {
		items = append(slices.Clone(items[:mostEntries]), fmt.Sprintf("There are %s more, which this email has no room for. They are on record.", saying.Number(int64(left))))
	}
	return items
}

// told returns the versions of a message that a letter shows, the first and the last
// ones, and how many between them it leaves out.
func told(all []archive.Record) (shown []archive.Record, left int) {
	if left = len(all) - mostVersions; left <= 0 {
		return all, 0
	}
	return append(all[:1:1], all[1+left:]...), left
}

// leftOut tells that versions are not shown.
func leftOut(n int) version {
	return version{When: fmt.Sprintf("It had %s after that, which this email has no room for. They are on record.", saying.Count(n, "other version"))}
}

// collected is what a section of the digest shows; what there is no room for it counts.
type collected struct {
	blocks  []block
	entries int
	weight  int64
	left    int
}

// full reports whether there is no room for another entry, and counts that then.
func (c *collected) full() bool {
	if c.entries < mostEntries && c.weight < mostText/4 {
		return false
	}
	c.left++
	return true
}

func (c *collected) add(m *message) {
	c.entries++
	c.weight += m.weight()
	c.blocks = append(c.blocks, block{Message: m})
}

// all returns what there is, and says how many there are besides.
func (c *collected) all() []block {
	if c.left > 0 {
		c.blocks = append(c.blocks, block{Callout: fmt.Sprintf("There %s %s more, which this email has no room for. What it was is on record.",
			isAre(c.left), saying.Number(int64(c.left)))})
	}
	return c.blocks
}

func isAre(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}
