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
	case bl.Chart != nil:
		bl.Chart.text(b)
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

// gap is how many spaces stand between two columns of a table.
const gap = 3

// text sets the columns flush. Where rows have several lines, an empty one stands
// between them.
func (t *table) text(b *strings.Builder) {
	widths := t.widths()
	var lines [][]string
	spacious := false
	for _, row := range append([][]string{t.Columns}, t.Rows...) {
		lines = append(lines, flush(row, widths))
		spacious = spacious || len(lines[len(lines)-1]) > 1
	}
	for i, row := range lines {
		if spacious && i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(strings.Join(row, ""))
	}
}

// flush returns the lines of a row.
func flush(row []string, widths []int) (lines []string) {
	cells := make([][]string, len(row))
	tallest := 0
	for c, cell := range row {
		cells[c] = broken(cell, widths[c])
		tallest = max(tallest, len(cells[c]))
	}
	for n := range tallest {
		var line strings.Builder
		for c, cell := range cells {
			text := ""
			if n < len(cell) {
				text = cell[n]
			}
			line.WriteString(text + strings.Repeat(" ", max(widths[c]-width(text), 0)+gap))
		}
		lines = append(lines, strings.TrimRight(line.String(), " ")+"\n")
	}
	return lines
}

// widths returns how wide each column is: as its widest cell, if there is room for that;
// else the widest give way, as far as no word is broken.
func (t *table) widths() []int {
	widths, least := make([]int, len(t.Columns)), make([]int, len(t.Columns))
	sum := gap * (len(t.Columns) - 1)
	for c := range t.Columns {
		for _, row := range append([][]string{t.Columns}, t.Rows...) {
			widths[c] = max(widths[c], width(row[c]))
			for _, word := range strings.Fields(row[c]) {
				least[c] = max(least[c], width(word))
			}
		}
		sum += widths[c]
	}
	for ; sum > columns; sum-- {
		widest := -1
		for c := range widths {
			if widths[c] > least[c] && (widest < 0 || widths[c] > widths[widest]) {
				widest = c
			}
		}
		if widest < 0 {
			break
		}
		widths[widest]--
	}
	return widths
}

// broken returns the lines of text, at most so wide if no word is wider.
func broken(text string, most int) (lines []string) {
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && width(line)+1+width(word) > most {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimLeft(line+" "+word, " ")
	}
	return append(lines, line)
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
