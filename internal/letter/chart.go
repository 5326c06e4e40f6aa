package letter

import (
	"fmt"
	"strings"

	"muniment/internal/saying"
)

// chart is a row of numbers that is drawn. It is made of the cells of a table, each with its
// number beside it, and of no picture: so it is there where pictures are not shown, in dark
// mode, and for who listens to it.
type chart struct {
	Caption string
	Bars    []bar
}

type bar struct {
	Name string
	N    int
}

// widest is how long the longest bar is, in pixels: there is room for it on a small screen.
const widest = 160

// drawn is a bar as the HTML shows it.
type drawn struct {
	Name, Number string
	Width        int // in pixels; 0: there is none
}

// Drawn returns the bars as they are drawn.
func (c *chart) Drawn() (all []drawn) {
	most := 1
	for _, b := range c.Bars {
		most = max(most, b.N)
	}
	for _, b := range c.Bars {
		width := b.N * widest / most
		if b.N > 0 {
			width = max(width, 2)
		}
		all = append(all, drawn{b.Name, saying.Number(int64(b.N)), width})
	}
	return all
}

// text says what the chart would show.
//
//	Messages per day: Monday 4 · Tuesday 0
func (c *chart) text(b *strings.Builder) {
	var all []string
	for _, bar := range c.Bars {
		all = append(all, fmt.Sprintf("%s %s", bar.Name, saying.Number(int64(bar.N))))
	}
	fill(b, "", "    ", c.Caption+": "+strings.Join(all, " · "))
}
