package config

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"
)

// Whatever the file holds, it is either taken or refused with faults that stand
// within it; it is refused unread only if it is not TOML; and no value in it goes
// unseen, else a misspelt key could.
func FuzzFile(f *testing.F) {
	f.Add([]byte(complete))
	for _, path := range []string{referencePath, "testdata/wrong.toml", "testdata/repeated.toml"} {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("mail.server.x = 1\n'mail.server' = 2\n[[group]]\n[group.a]\nb = [{c = {}}, [{d = 1}]]\n[[group.e]]\n[group.e.f]\ng = 1\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		doc, err := parse("f", data)
		if err == nil {
			noteUnseen(t, doc, "", doc.values)
			c := defaults()
			c.read(doc)
			doc.noteUnknown()
			err = doc.err()
		} else if toml.Unmarshal(data, new(map[string]any)) == nil {
			t.Errorf("refused unread although it is TOML: %v", err)
		}
		if err == nil {
			return
		}
		lines := strings.Split(string(data), "\n")
		for _, err := range err.(interface{ Unwrap() []error }).Unwrap() {
			at := err.(fault).position
			if at.line < 1 || at.line > len(lines) || at.column < 1 || at.column > len(lines[at.line-1])+1 {
				t.Errorf("fault outside of the file: %v", err)
			}
		}
	})
}

// noteUnseen fails t for values below v that the index knows nothing of.
func noteUnseen(t *testing.T, doc *document, path string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for key, v := range v {
			noteUnseen(t, doc, section{path: path}.join(part(key)), v)
		}
	case []any:
		for i, v := range v {
			if _, isTable := v.(map[string]any); isTable {
				noteUnseen(t, doc, path+"."+strconv.Itoa(i), v)
			}
		}
	default:
		if !slices.Contains(doc.index.keys, path) {
			t.Errorf("the index does not know %s", path)
		}
	}
}
