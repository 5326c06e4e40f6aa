package journal

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"testing"

	"muniment/internal/retention"
)

// Of no act is it said twice for how long its entries are kept, and why.
func TestEveryActHasOneClass(t *testing.T) {
	times := make(map[Act]int)
	for _, c := range classes {
		if c.why == "" {
			t.Errorf("%v are of class %s, and nobody says why", c.acts, c.class)
		}
		for _, a := range c.acts {
			times[a]++
		}
	}
	file, err := parser.ParseFile(token.NewFileSet(), "journal.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	acts := 0
	ast.Inspect(file, func(n ast.Node) bool {
		v, is := n.(*ast.ValueSpec)
		if typ, named := (*ast.Ident)(nil), false; is {
			if typ, named = v.Type.(*ast.Ident); !named || typ.Name != "Act" {
				return true
			}
			text, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			if acts++; times[Act(text)] > 1 {
				t.Errorf("%q is in the table %d times", text, times[Act(text)])
			} else if times[Act(text)] == 0 {
				t.Logf("%q is in no row of the table, and so kept for good: say why", text)
			}
		}
		return true
	})
	if acts < 60 {
		t.Errorf("found only %d acts in journal.go", acts)
	}
	if ClassOf(Viewed) != retention.AccessLog || ClassOf(RunStep) != retention.Certificates || ClassOf("something new") != retention.Certificates {
		t.Error("an act is of another class than the table says")
	}
}
