package config

import (
	"strconv"

	"github.com/pelletier/go-toml/v2/unstable"
)

// An index tells where in a file each key stands. go-toml's stable interface
// tells that only of errors of its own.
type index struct {
	at       map[string]position // by path, where it is first mentioned; of items of lists too
	keys     []string            // paths of headers and keys, in the order of the file
	repeated []occurrence        // keys and headers that may stand once and stand again

	parser unstable.Parser
	header string          // path of the header above the current line
	given  map[string]bool // the keys, as a set
	tables map[string]int  // how many [[tables]] there are of a path so far
}

type occurrence struct {
	path string
	position
}

// newIndex indexes data as far as it is TOML.
func newIndex(data []byte) index {
	x := index{at: make(map[string]position), given: make(map[string]bool), tables: make(map[string]int)}
	x.parser.Reset(data)
	for x.parser.NextExpression() {
		expr := x.parser.Expression()
		switch expr.Kind {
		case unstable.Table:
			x.header = x.add("", expr.Key())
		case unstable.ArrayTable:
			x.header = x.addTable(expr.Key())
		case unstable.KeyValue:
			x.keyValue(x.header, expr)
		}
	}
	return x
}

// add notes the dotted key below parent, and returns its path.
func (x *index) add(parent string, key unstable.Iterator) string {
	path, at := x.resolve(parent, key)
	if x.given[path] {
		x.repeated = append(x.repeated, occurrence{path, at})
		return path
	}
	x.note(path, at)
	return path
}

// addTable notes one more table of an array of tables, and returns its path.
func (x *index) addTable(key unstable.Iterator) string {
	array, at := x.resolve("", key)
	if !x.given[array] {
		x.note(array, at)
	}
	path := array + "." + strconv.Itoa(x.tables[array])
	x.tables[array]++
	x.note(path, at)
	return path
}

func (x *index) note(path string, at position) {
	x.given[path] = true
	x.keys = append(x.keys, path)
	x.mention(path, at)
}

func (x *index) mention(path string, at position) {
	if _, known := x.at[path]; !known {
		x.at[path] = at
	}
}

// resolve returns the path of the dotted key below parent, and where it stands.
// A part that names an array of tables stands for the last of them.
func (x *index) resolve(parent string, key unstable.Iterator) (path string, at position) {
	path = parent
	for key.Next() {
		if n := x.tables[path]; n > 0 {
			path += "." + strconv.Itoa(n-1)
		}
		if at.line == 0 {
			at = x.position(key.Node().Raw)
		}
		if path != "" {
			path += "."
		}
		path += part(string(key.Node().Data))
		x.mention(path, at)
	}
	return path, at
}

// part returns a part of a key such that it cannot be taken for several, or none.
func part(key string) string {
	for _, c := range key {
		bare := c == '_' || c == '-' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !bare {
			return strconv.QuoteToASCII(key)
		}
	}
	if key == "" {
		return `""`
	}
	return key
}

func (x *index) keyValue(parent string, expr *unstable.Node) {
	x.value(x.add(parent, expr.Key()), expr.Value())
}

// value notes what stands inside of a value.
func (x *index) value(path string, v *unstable.Node) {
	children := v.Children()
	switch v.Kind {
	case unstable.InlineTable:
		for children.Next() {
			x.keyValue(path, children.Node())
		}
	case unstable.Array:
		for i := 0; children.Next(); i++ {
			item := path + "." + strconv.Itoa(i)
			if raw := children.Node().Raw; raw.Length > 0 {
				x.mention(item, x.position(raw))
			}
			x.value(item, children.Node())
		}
	}
}

func (x *index) position(raw unstable.Range) position {
	start := x.parser.Shape(raw).Start
	return position{start.Line, start.Column}
}
