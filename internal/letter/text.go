package letter

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// columns is how wide the plain text is; a single word may be wider.
const columns = 72

// text returns the letter as plain text, with lines ending in "\n".
//
// What somebody typed into WhatsApp stands behind a bar, line by line, so that no
// message can pass for another, or for a word of the program.
func (d document) text() string {
	var b strings.Builder
	if d.Demonstration != "" {
		fill(&b, "*** ", "*** ", "DEMONSTRATION. "+d.Demonstration)
		b.WriteByte('\n')
	}
	fill(&b, "", "", d.Council)
	b.WriteByte('\n')
	heading(&b, d.Title)
	for _, bl := range d.Blocks {
		b.WriteByte('\n')
		bl.text(&b)
	}
	b.WriteString("\n" + strings.Repeat("_", columns) + "\n")
	for _, p := range d.Footer {
		b.WriteByte('\n')
		fill(&b, "", "", p)
	}
	return b.String()
}

func (bl block) text(b *strings.Builder) {
	switch {
	case bl.Section != "":
		b.WriteByte('\n')
		heading(b, bl.Section)
	case bl.Day != "":
		fill(b, "-- ", "   ", bl.Day+" --")
	case bl.Paragraph != "":
		fill(b, "", "", bl.Paragraph)
	case bl.Callout != "":
		fill(b, "*** ", "*** ", bl.Callout)
	case bl.Verbatim != "":
		b.WriteString(strings.TrimRight(bl.Verbatim, "\n") + "\n")
	case bl.Table != nil:
		bl.Table.text(b)
	case bl.Picture != nil:
		bl.Picture.text(b, "")
	case bl.Message != nil:
		bl.Message.text(b)
	}
	for _, item := range bl.List {
		fill(b, "  * ", "    ", item)
	}
	for _, f := range bl.Facts {
		fill(b, "", "    ", f.Name+": "+f.Value)
	}
}

func (m *message) text(b *strings.Builder) {
	if m.Marked {
		b.WriteString(">>> MARKED MESSAGE\n")
	}
	fill(b, m.Time+"  ", "    ", m.Name+" ("+m.Record+")")
	if m.InReplyTo != "" {
		fill(b, "  ", "  ", m.InReplyTo)
	}
	if m.What != "" {
		fill(b, "  ", "  ", m.What)
	}
	typed(b, m.Lines)
	for _, p := range m.Pictures {
		p.text(b, "  ")
	}
	for _, f := range m.Files {
		fill(b, "  ", "    ", f.String())
	}
	for _, n := range m.Notes {
		fill(b, "  ", "  ", n)
	}
	if s := m.Standing; s != nil {
		fill(b, "  ", "  ", s.Heading)
		for _, item := range s.Items {
			fill(b, "    * ", "      ", item)
		}
	}
	for _, e := range m.Earlier {
		fill(b, "  ", "  ", e.When)
		typed(b, e.Lines)
	}
	if m.Reactions != "" {
		fill(b, "  ", "    ", "Reactions: "+m.Reactions)
	}
}

// typed writes what somebody typed, behind a bar.
func typed(b *strings.Builder, lines []string) {
	for _, l := range lines {
		l = strings.ReplaceAll(l, "\t", "    ")
		if line := "  | " + l; width(line) <= columns {
			b.WriteString(strings.TrimRight(line, " ") + "\n")
			continue
		}
		bar := "  | " + l[:min(len(l)-len(strings.TrimLeft(l, " ")), columns/3)]
		fill(b, bar, bar, l)
	}
}

// text says what a picture would show.
func (p picture) text(b *strings.Builder, indent string) {
	fill(b, indent, indent, "["+p.Alt+"]")
	if p.Caption != "" {
		fill(b, indent, indent, p.Caption)
	}
}

// text sets the columns flush, each as wide as its widest cell.
func (t *table) text(b *strings.Builder) {
	widths := make([]int, len(t.Columns))
	rows := append([][]string{t.Columns}, t.Rows...)
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], width(cell))
		}
	}
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			line.WriteString(cell + strings.Repeat(" ", widths[i]-width(cell)+3))
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
}

func heading(b *strings.Builder, text string) {
	fill(b, "", "", text)
	b.WriteString(strings.Repeat("-", min(width(text), columns)) + "\n")
}

// fill writes text, broken between words, with first before its first line and
// rest before every other. A word is never broken: it may be an address.
func fill(b *strings.Builder, first, rest, text string) {
	line, at, empty := first, width(first), true
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == '\t' }) {
		w := width(word)
		if !empty && at+1+w > columns {
			b.WriteString(line + "\n")
			line, at, empty = rest, width(rest), true
		}
		if !empty {
			line, at = line+" ", at+1
		}
		line, at, empty = line+word, at+w, false
	}
	b.WriteString(strings.TrimRight(line, " ") + "\n")
}

// width returns how many columns s takes, nearly: marks that combine take none.
func width(s string) int {
	n := utf8.RuneCountInString(s)
	for _, r := range s {
		if unicode.In(r, unicode.Mn, unicode.Cf) {
			n--
		}
	}
	return n
}
