package corpus

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Lines returns as many sentences of council business, to fill a document with.
func Lines(seed uint64, n int) []string {
	c := &chat{dice: newDice(seed)}
	lines := make([]string, n)
	for i := range lines {
		lines[i] = c.sentence(&env{wall: begin.AddDate(0, 0, c.n(365))})
	}
	return lines
}

const (
	columns = 88 // of Helvetica at eleven points, on most lines
	rows    = 46
)

// Document returns a PDF 1.4 of a title and lines, which are folded where they are
// too long. It shows what Windows-1252 has, and a question mark for the rest.
func Document(title string, lines []string) []byte {
	all := append(wrap(title), "")
	for _, l := range lines {
		all = append(all, wrap(l)...)
	}
	pages := slices.Collect(slices.Chunk(all, rows))
	var info, kids strings.Builder
	for _, u := range utf16.Encode([]rune(title)) {
		fmt.Fprintf(&info, "%04X", u)
	}
	for i := range pages {
		fmt.Fprintf(&kids, "%d 0 R ", 5+2*i)
	}
	objects := []string{
		"<< /Type /Catalog /Pages 2 0 R >>",
		fmt.Sprintf("<< /Type /Pages /Kids [ %s] /Count %d >>", &kids, len(pages)),
		"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
		fmt.Sprintf("<< /Title <FEFF%s> /Producer (Cranford Parish Council, which does not exist) >>", &info),
	}
	for i, page := range pages {
		var text strings.Builder
		text.WriteString("BT /F1 11 Tf 15 TL 56 780 Td\n")
		for _, row := range page {
			fmt.Fprintf(&text, "(%s) Tj T*\n", ansi(row))
		}
		text.WriteString("ET")
		objects = append(objects,
			fmt.Sprintf("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F1 3 0 R >> >> /Contents %d 0 R >>", 6+2*i),
			fmt.Sprintf("<< /Length %d >>\nstream\n%s\nendstream", text.Len(), &text))
	}
	var b, xref bytes.Buffer
	b.WriteString("%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
	for i, o := range objects {
		fmt.Fprintf(&xref, "%010d 00000 n \n", b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n%strailer\n<< /Size %[1]d /Root 1 0 R /Info 4 0 R >>\nstartxref\n%[3]d\n%%%%EOF\n",
		len(objects)+1, &xref, b.Len())
	return b.Bytes()
}

func wrap(line string) (rows []string) {
	row := ""
	for _, word := range strings.Fields(line) {
		if row != "" && utf8.RuneCountInString(row+word) >= columns {
			rows, row = append(rows, row), ""
		}
		row = strings.TrimPrefix(row+" "+word, " ")
	}
	return append(rows, row)
}

// upperHalf is Windows-1252 from 80 to 9F.
var upperHalf = []rune("€ ‚ƒ„…†‡ˆ‰Š‹Œ Ž  ‘’“”•–—˜™š›œ žŸ")

// ansi is the inside of a PDF's string, in Windows-1252.
func ansi(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch i := slices.Index(upperHalf, r); {
		case r == '(' || r == ')' || r == '\\':
			b.WriteString("\\" + string(r))
		case r >= ' ' && r < 0x7f || r >= 0xa0 && r <= 0xff:
			b.WriteByte(byte(r))
		case i >= 0:
			b.WriteByte(byte(0x80 + i))
		default:
			b.WriteByte('?')
		}
	}
	return b.String()
}
