package letter

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"muniment/internal/forward"
	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// inParts divides a settled conversation and writes the letter of each part.
func (c *council) inParts(w *Writer, h Header, id int64) (parts []forward.Conversation, letters [][]byte) {
	c.t.Helper()
	whole := c.settled(id)
	c.write(func(tx *sqlite.Tx) error {
		divided, err := w.Divide(tx, h, whole)
		if err != nil {
			return err
		}
		if err := forward.Divide(tx, h.Date, id, divided, "0123456789abcdef"); err != nil {
			return err
		}
		for n := range divided {
			part, err := forward.LoadPart(tx, id, n+1)
			if err != nil {
				return err
			}
			h := h
			if n > 0 {
				h.InReplyTo, h.MessageID = h.MessageID, fmt.Sprintf("conversation-part-%d.%d.0123456789abcdef@cranford-pc.example", n+1, id)
			}
			msg, err := w.Conversation(tx, h, part)
			if err != nil {
				return err
			}
			parts, letters = append(parts, part), append(letters, msg)
		}
		return nil
	})
	return parts, letters
}

// A conversation that is too long for one email is sent in parts. Every message is in one of
// them, as it would be if there were one; each part says what it is of.
func TestConversationInParts(t *testing.T) {
	n := stormNight(t)
	h := header("conversation.1", n.end)
	h.Limit = 80_000
	parts, letters := n.inParts(writer(), h, 1)
	if len(parts) != 2 {
		t.Fatalf("it is sent in %d parts", len(parts))
	}
	var shown []record.Seq
	for i, p := range parts {
		golden(t, fmt.Sprintf("conversation-part-%d", i+1), letters[i])
		if len(letters[i]) > int(h.Limit) {
			t.Errorf("part %d has %d bytes", i+1, len(letters[i]))
		}
		shown = append(shown, p.Seqs...)
		for _, m := range p.Seqs {
			if text := parse(t, letters[i]).text; !strings.Contains(text, fmt.Sprintf("(record %d)\n", m)) || strings.Contains(text, "no room") {
				t.Errorf("part %d does not show record %d", i+1, m)
			}
		}
	}
	slices.Sort(shown)
	if want := n.settled(1).Seqs; !slices.Equal(shown, want) {
		t.Errorf("the parts show %d, the conversation has %d", shown, want)
	}
}

// The photos of a long conversation are in its parts, every one of them, attached and
// shown; each part is no larger than a mail server takes.
func TestManyPhotosInParts(t *testing.T) {
	if testing.Short() {
		t.Skip("slow")
	}
	c, dir := newCouncil(t), t.TempDir()
	m := c.says(bo, at("2026-11-17 10:00"), "The stile is loose.")
	photo := noise(700)
	const n = 30
	for i := range n {
		c.keepsFile(dir, sam, at("2026-11-17 10:01").Add(time.Duration(i)*time.Second), record.Image, "", "image/jpeg", append(bytes.Clone(photo), byte(i)))
	}
	c.keepsFile(dir, dee, at("2026-11-17 10:03"), record.Document, "atlas.pdf", "application/pdf", make([]byte, 8_000_000))
	c.reacts(ann, at("2026-11-17 10:04"), m, "📌")
	w := c.withFiles(dir)
	h := header("conversation.1", at("2026-11-17 10:10"))
	h.Limit = 10_000_000
	parts, letters := c.inParts(w, h, 1)
	attached, shown := 0, 0
	for i, msg := range letters {
		t.Logf("part %d of %d: %d messages, %d bytes", i+1, len(parts), len(parts[i].Seqs), len(msg))
		if len(msg) > int(h.Limit) {
			t.Errorf("part %d has %d bytes", i+1, len(msg))
		}
		p := parse(t, msg)
		attached, shown = attached+strings.Count(p.text, "  Attached: "), shown+strings.Count(p.html, "<img ")
		if i < len(parts)-1 && len(msg) < int(h.Limit)/3 {
			t.Errorf("part %d has only %d bytes", i+1, len(msg))
		}
	}
	if attached != n || shown < n*4/5 {
		t.Errorf("%d files are attached, %d photos are shown; want %d", attached, shown, n)
	}
	last := strings.Join(strings.Fields(parse(t, letters[len(letters)-1]).text), " ")
	if want := "Not attached: atlas.pdf (PDF, 8 MB): too large for this email. It is kept as"; !strings.Contains(last, want) {
		t.Errorf("the last part does not say %q", want)
	}
}

// Long messages have parts of their own, but nobody can send the council more emails than
// it can read: what has no room in the last is named there.
func TestLongMessagesInParts(t *testing.T) {
	if testing.Short() {
		t.Skip("one thing after another, which the race detector watches for long")
	}
	for _, tt := range []struct{ messages, parts, named int }{{6, 3, 0}, {60, mostParts, 13}} {
		c := newCouncil(t)
		for i := range tt.messages - 1 {
			c.says(sam, at("2026-11-17 10:01").Add(time.Duration(i)*time.Second), strings.Repeat("😅", 12_000))
		}
		m := c.says(bo, at("2026-11-17 10:05"), "Quite.")
		c.reacts(ann, at("2026-11-17 10:06"), m, "📌")
		parts, letters := c.inParts(writer(), header("conversation.1", at("2026-11-17 10:10")), 1)
		named, messages := 0, 0
		for i, msg := range letters {
			messages += len(parts[i].Seqs)
			named += strings.Count(parse(t, msg).text, "[This email has no room for it.")
		}
		if len(parts) != tt.parts || messages != tt.messages || named != tt.named {
			t.Errorf("%d of %d messages are in %d parts, %d only named; want %d parts, %d", messages, tt.messages, len(parts), named, tt.parts, tt.named)
		}
	}
}
