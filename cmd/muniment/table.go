package main

import (
	"io"
	"os"
	"strings"
	"unicode"

	"golang.org/x/term"

	"muniment/internal/archive"
)

// screen is what a table is laid out for.
type screen struct {
	width int
	bold  bool // words between archive.Found and archive.End can be shown so
}

// screenOf returns what is known of where w goes.
func screenOf(w io.Writer) screen {
	if !atTerminal(w) {
		return screen{width: 100}
	}
	s := screen{width: 80, bold: os.Getenv("NO_COLOR") == ""}
	if width, _, err := term.GetSize(int(w.(*os.File).Fd())); err == nil && width >= 60 {
		s.width = width
	}
	return s
}

// row writes cells side by side, each broken into lines of its width. The last may be as wide
// as what is left.
func (s screen) row(out io.Writer, widths []int, cells ...string) error {
	left := s.width
	folded := make([][]string, len(cells))
	height := 1
	for i, cell := range cells {
		width := left
		if i < len(widths) {
			width = widths[i]
		}
		folded[i] = wrap(cell, width)
		height = max(height, len(folded[i]))
		left = max(left-width-2, 20)
	}
	var b strings.Builder
	for n := range height {
		var line strings.Builder
		for i := range cells {
			cell := ""
			if n < len(folded[i]) {
				cell = folded[i][n]
			}
			line.WriteString(cell)
			if i < len(widths) {
				line.WriteString(strings.Repeat(" ", widths[i]-wide(cell)+2))
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	_, err := io.WriteString(out, s.style(b.String()))
	return err
}

// style writes what stands between archive.Found and archive.End in bold, or as all else.
func (s screen) style(text string) string {
	on, off := "", ""
	if s.bold {
		on, off = "\x1b[1m", "\x1b[22m"
	}
	return strings.NewReplacer(archive.Found, on, archive.End, off).Replace(text)
}

// wrap breaks text into lines that are no wider than width, between words where it
// can. Each line opens and closes its own bold words.
func wrap(text string, width int) (lines []string) {
	var line strings.Builder
	used, found := 0, false
	write := func(r rune) {
		line.WriteRune(r)
		used += runeWidth(r)
	}
	next := func() {
		if found {
			line.WriteString(archive.End)
		}
		lines = append(lines, line.String())
		line.Reset()
		used = 0
		if found {
			line.WriteString(archive.Found)
		}
	}
	for _, word := range strings.Fields(text) {
		if used > 0 && used+1+wide(word) > width {
			next()
		} else if used > 0 {
			write(' ')
		}
		for _, r := range word {
			if used+runeWidth(r) > width {
				next()
			}
			switch string(r) {
			case archive.Found:
				found = true
			case archive.End:
				found = false
			}
			write(r)
		}
	}
	if line.Len() > 0 {
		lines = append(lines, line.String())
	}
	return lines
}

// wide returns how many columns of a terminal s takes.
func wide(s string) (n int) {
	for _, r := range s {
		n += runeWidth(r)
	}
	return n
}

// wideRunes are those that take two columns: most of East Asian writing, and emoji.
var wideRunes = &unicode.RangeTable{
	R16: []unicode.Range16{{0x1100, 0x115f, 1}, {0x2e80, 0xa4cf, 1}, {0xac00, 0xd7a3, 1}, {0xf900, 0xfaff, 1}, {0xfe30, 0xfe6f, 1}, {0xff00, 0xff60, 1}},
	R32: []unicode.Range32{{0x1f300, 0x1f64f, 1}, {0x1f680, 0x1f6ff, 1}, {0x1f900, 0x1faff, 1}, {0x20000, 0x3fffd, 1}},
}

func runeWidth(r rune) int {
	switch {
	case r < ' ', unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	case unicode.Is(wideRunes, r):
		return 2
	}
	return 1
}
