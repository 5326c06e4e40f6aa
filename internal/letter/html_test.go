package letter

import (
	"encoding/xml"
	"errors"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// element is a piece of a page.
type element struct {
	name string
	attr map[string]string
	in   []string // the names of those around it, outermost first
	text string   // of it and of all in it
}

// elements returns those of a page in the order of reading. It is written as XML
// would be, but for elements that have no end.
func elements(t *testing.T, html string) (all []*element) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(html))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	var open []*element
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			if len(open) > 0 {
				t.Fatalf("%s is never closed", open[len(open)-1].name)
			}
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			e := &element{name: token.Name.Local, attr: make(map[string]string)}
			for _, a := range token.Attr {
				e.attr[a.Name.Local] = a.Value
			}
			for _, around := range open {
				e.in = append(e.in, around.name)
			}
			all, open = append(all, e), append(open, e)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			for _, around := range open {
				around.text += string(token)
			}
		}
	}
}

// Whatever shows a letter shows the same: every element that could look otherwise
// bears its style, and none a style that Word or Gmail lacks.
func TestEveryElementBearsItsStyle(t *testing.T) {
	styled := []string{"body", "td", "th", "p", "h1", "h2", "h3", "ul", "li", "img", "pre"}
	missing := regexp.MustCompile(`(^|;)(display:(grid|flex|inline-block)|float:|position:|background(-image)?:|margin:[^;]*-|(min|max)-height)`)
	for name, g := range goldens(t) {
		for _, e := range elements(t, g.html) {
			style := e.attr["style"]
			if slices.Contains(styled, e.name) && style == "" {
				t.Errorf("%s: %s %v has no style of its own", name, e.name, e.attr)
			}
			if found := missing.FindString(style); found != "" {
				t.Errorf("%s: %s relies on %s", name, e.name, found)
			}
			if kind := e.attr["class"]; kind != "" && !slices.Contains(slices.Collect(maps.Keys(styles)), kind) {
				t.Errorf("%s: nothing is known of %s.%s", name, e.name, kind)
			}
		}
	}
}

// Who has a letter read to them hears it in order, and is told what is what.
func TestLettersReadAloud(t *testing.T) {
	for name, g := range goldens(t) {
		rank, titles := 0, 0
		for _, e := range elements(t, g.html) {
			switch e.name {
			case "html":
				if e.attr["lang"] != "en-GB" {
					t.Errorf("%s: its language is %q", name, e.attr["lang"])
				}
			case "title":
				if strings.TrimSpace(e.text) == "" {
					t.Errorf("%s has no title", name)
				}
			case "h1", "h2", "h3":
				next := int(e.name[1] - '0')
				if next > rank+1 {
					t.Errorf("%s: %q is a heading of rank %d below one of rank %d", name, e.text, next, rank)
				}
				if rank = next; rank == 1 {
					titles++
				}
			case "img":
				if e.attr["alt"] == "" || e.attr["width"] == "" || !strings.HasPrefix(e.attr["src"], "cid:") {
					t.Errorf("%s: a picture is %v", name, e.attr)
				}
			case "th":
				if e.attr["scope"] == "" {
					t.Errorf("%s: it is not said what the heading %q is of", name, e.text)
				}
			case "script", "link", "a", "form", "iframe", "object":
				t.Errorf("%s has a %s", name, e.name)
			}
		}
		if titles != 1 {
			t.Errorf("%s has %d headings of the first rank", name, titles)
		}
		for _, table := range strings.SplitAfter(g.html, "<table")[1:] {
			tag, rest, _ := strings.Cut(table, ">")
			layout := strings.Contains(tag, `role="presentation"`)
			if first, _, _ := strings.Cut(rest, "</tr>"); !layout && !strings.Contains(first, "<th ") {
				t.Errorf("%s: a table without headings is not said to be for layout: <table%s>", name, tag)
			}
		}
	}
}

// The sheet of a page is one that Gmail keeps, and everything in it that has a
// colour in the light has one in the dark, twice: Outlook has its own way.
func TestTheSheet(t *testing.T) {
	html := goldens(t)["conversation"].html
	_, rest, _ := strings.Cut(html, "<style>\n:root")
	sheet, rest, _ := strings.Cut(rest, "</style>")
	_, rest, _ = strings.Cut(rest, "<style>")
	outlook, _, _ := strings.Cut(rest, "</style>")
	if n := len(sheet); n > 8000 {
		t.Errorf("it has %d bytes: Gmail drops one of more than 8,192", n)
	}
	_, dark, ok := strings.Cut(sheet, "(prefers-color-scheme: dark)")
	if !ok {
		t.Fatal("it knows no dark")
	}
	either := strings.NewReplacer("#9aa09d", "", "#3f8f82", "") // bars: seen on either ground
	for kind, style := range styles {
		if !strings.Contains(either.Replace(style), "#") {
			continue
		}
		is := regexp.MustCompile(`\.` + kind + `\b`)
		for where, sheet := range map[string]string{"the dark": dark, "Outlook’s dark": outlook} {
			if !is.MatchString(sheet) {
				t.Errorf("%s has no colour in %s", kind, where)
			}
		}
	}
}
