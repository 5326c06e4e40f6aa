package config

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const referencePath = "../../configs/muniment.toml"

// A setting is a line of the reference that is switched off by a "#" before it.
var settingLine = regexp.MustCompile(`(?m)^#(\[\[?[\w.]+\]\]?|\w+ = .*)$`)

const exampleMark = "  # example"

// reference returns the reference documentation with those settings switched on
// that want says.
func reference(t *testing.T, want func(line string) bool) string {
	t.Helper()
	data, err := os.ReadFile(referencePath)
	if err != nil {
		t.Fatal(err)
	}
	return settingLine.ReplaceAllStringFunc(string(data), func(line string) string {
		if want(line) {
			return line[1:]
		}
		return line
	})
}

func isExample(line string) bool {
	return strings.HasSuffix(line, exampleMark) || strings.HasPrefix(line, "#[")
}

func TestReferenceAsShippedIsTheDefaults(t *testing.T) {
	for _, tt := range []struct {
		name string
		on   func(line string) bool
	}{
		{"with nothing switched on", func(string) bool { return false }},
		{"with the documented defaults switched on", func(line string) bool { return !isExample(line) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := load(t, reference(t, tt.on))
			if err != nil {
				t.Fatal(err)
			}
			want := defaults()
			want.File = got.File
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("defaults (-code +reference):\n%s", diff)
			}
		})
	}
}

func TestReferenceWithItsExamplesIsReadyToRun(t *testing.T) {
	c, err := load(t, reference(t, func(string) bool { return true }))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.ReadyToRun(); err != nil {
		t.Errorf("not ready to run: %v", err)
	}
	want := Policy{
		Title:   "WhatsApp Use Policy",
		Adopted: day(2024, time.September, 16),
		Minute:  "24/037",
		Review:  Review{Due: day(2026, time.September, 30), MonthOnly: true},
		Section: "5",
	}
	if diff := cmp.Diff(want, c.Policy); diff != "" {
		t.Errorf("policy (-source +reference):\n%s", diff)
	}
}

// What the sysadmin reads and what the code reads are the same keys, in the same
// sections.
func TestReferenceDocumentsEveryKey(t *testing.T) {
	text := reference(t, func(string) bool { return true })
	doc, err := parse(referencePath, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	c := defaults()
	c.read(doc)
	documented := make(map[string]bool) // of either group; a section of sections by these
	for key := range maps.Keys(doc.index.given) {
		for path, nested := display(key), true; nested; path, _, nested = cutLast(path, ".") {
			documented[path] = true
		}
	}
	for key := range maps.Keys(doc.asked) {
		if !documented[display(key)] {
			t.Errorf("the reference does not document %s", key)
		}
	}
	for _, key := range doc.index.keys {
		if !doc.asked[key] {
			t.Errorf("the reference documents %s, which does not exist", key)
		}
	}
}

// A setting is marked as NEEDED if and only if, without it, run would refuse.
func TestReferenceMarksWhatIsNeeded(t *testing.T) {
	data, err := os.ReadFile(referencePath)
	if err != nil {
		t.Fatal(err)
	}
	for _, setting := range regexp.MustCompile(`(?m)^((?:# .*\n)*)#(\w+ = .*)$`).FindAllStringSubmatch(string(data), -1) {
		comment, line := setting[1], "#"+setting[2]
		c, err := load(t, reference(t, func(other string) bool { return other != line }))
		if err != nil {
			t.Fatal(err)
		}
		marked, refused := strings.HasPrefix(comment, "# NEEDED."), c.ReadyToRun() != nil
		if marked != refused {
			t.Errorf("%s\nis marked as NEEDED: %v; run refuses without it: %v", line, marked, refused)
		}
	}
}

func TestReferenceIsWhereTheErrorsSay(t *testing.T) {
	_, err := Load(filepath.Join(t.TempDir(), "none.toml"))
	if err == nil || !strings.Contains(err.Error(), strings.TrimPrefix(referencePath, "../../")) {
		t.Errorf("Load of a missing file does not name %s: %v", referencePath, err)
	}
}
