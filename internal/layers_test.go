// Package internal_test holds the rules of the repository that ARCHITECTURE.md
// states and a machine can check.
package internal_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "muniment/"

// layers lists, for each package, the packages of this module that it may
// import. ARCHITECTURE.md says why. A package that is not here fails the test.
var layers = map[string][]string{
	"internal/record":            {},
	"internal/retention":         {"record"},
	"internal/content":           {"record"},
	"internal/transcript":        {},
	"internal/sqlite":            {},
	"internal/sqlite/sqlitetest": {"sqlite"},
	"internal/ledger":            {"sqlite"},
	"internal/journal":           {"retention", "sqlite", "ledger"},
	"internal/people":            {"record", "journal", "sqlite"},
	"internal/vault":             {"record", "journal", "sqlite"},
	"internal/history":           {"record", "sqlite"},
	"internal/archive":           {"record", "retention", "transcript", "people", "journal", "ledger", "sqlite"},
	"internal/saying":            {"record", "retention", "people", "archive"},
	"internal/flag":              {"record", "archive", "journal", "sqlite"},
	"internal/mail":              {"journal", "sqlite"},
	"internal/command":           {},
	"internal/alert":             {"journal", "mail", "sqlite", "command"},
	"internal/mail/mailtest":     {},
	"internal/forward":           {"record", "retention", "archive", "people", "mail", "journal", "sqlite"},
	"internal/disposal":          {"record", "retention", "people", "vault", "archive", "flag", "mail", "forward", "journal", "ledger", "sqlite"},
	"internal/letter":            {"record", "retention", "people", "vault", "archive", "flag", "saying", "mail", "forward", "disposal", "alert", "sqlite"},
	"internal/verify":            {"record", "retention", "people", "vault", "archive", "flag", "journal", "ledger", "sqlite"},
	"internal/backup":            {"retention", "vault", "archive", "disposal", "verify", "journal", "ledger", "sqlite", "command"},
	"internal/whatsapp":          {"record", "retention", "content", "sqlite"},
	"internal/config":            {"record", "retention"},
	"internal/systemd":           {},
	"internal/standin":           {},
	"internal/corpus":            {},
	"internal/daemon": {"record", "retention", "content", "people", "vault", "history", "archive", "flag", "mail", "forward", "disposal", "alert", "letter", "verify", "backup", "command",
		"whatsapp", "config", "systemd", "journal", "ledger", "sqlite"},
	"cmd/muniment": {"record", "retention", "transcript", "people", "vault", "archive", "flag", "saying", "mail", "forward", "disposal", "alert", "letter", "verify", "backup", "command",
		"whatsapp", "config", "systemd", "journal", "ledger", "sqlite", "daemon", "standin", "corpus"},
}

// owners lists, for each third-party module that shapes the program, the only
// packages that may import it.
var owners = map[string][]string{
	"modernc.org/sqlite":              {"internal/sqlite"},
	"github.com/pressly/goose":        {"internal/sqlite"},
	"golang.org/x/mod":                {"internal/ledger"},
	"github.com/digitorus/timestamp":  {"internal/ledger"},
	"github.com/nyaruka/phonenumbers": {"internal/people"},
	"github.com/emersion/go-smtp":     {"internal/mail", "internal/standin"}, // there: the council's mail server
	"github.com/emersion/go-sasl":     {"internal/mail", "internal/standin"},
	"github.com/emersion/go-message":  {"internal/letter"},
	"go.mau.fi/whatsmeow":             {"internal/content", "internal/whatsapp", "internal/standin"},
	"go.mau.fi/libsignal":             {"internal/standin", "internal/whatsapp"},
	"github.com/pelletier/go-toml":    {"internal/config"},
	"github.com/coreos/go-systemd":    {"internal/systemd"},
	"github.com/robfig/cron":          {"internal/daemon", "internal/config"}, // there: to refuse a line that is none
	"github.com/spf13/cobra":          {"cmd/muniment"},
	"github.com/mdp/qrterminal":       {"cmd/muniment"},
	"github.com/schollz/progressbar":  {"cmd/muniment"},
	"golang.org/x/oauth2":             {"internal/mail"},
	"golang.org/x/sync":               {"internal/daemon"},
	"golang.org/x/image":              {"internal/letter"},
	"filippo.io/age":                  {"internal/backup"},
}

// standinUsers are the files, besides tests, that may import the stand-in.
var standinUsers = regexp.MustCompile(`^cmd/muniment/demo_\w+\.go$`)

type source struct {
	path string // from the top of the repository
	file *ast.File
}

func (s source) pkg() string  { return path.Dir(s.path) }
func (s source) isTest() bool { return strings.HasSuffix(s.path, "_test.go") }

func sources(t *testing.T) (all []source) {
	t.Helper()
	fset := token.NewFileSet()
	for _, top := range []string{"../cmd", "../internal"} {
		err := filepath.WalkDir(top, func(p string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() && e.Name() == "testdata" {
				if err == nil {
					err = fs.SkipDir
				}
				return err
			}
			if !strings.HasSuffix(p, ".go") {
				return nil
			}
			f, err := parser.ParseFile(fset, p, nil, parser.ParseComments)
			if err != nil {
				return err
			}
			all = append(all, source{strings.TrimPrefix(filepath.ToSlash(p), "../"), f})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func TestPackagesImportOnlyWhatStandsBelowThem(t *testing.T) {
	for _, s := range sources(t) {
		if s.isTest() {
			continue
		}
		allowed, known := layers[s.pkg()]
		if !known {
			t.Errorf("%s: package %s is not in the table of layers: is it a new room? then ARCHITECTURE.md has to know", s.path, s.pkg())
			continue
		}
		for _, spec := range s.file.Imports {
			imported, _ := strconv.Unquote(spec.Path.Value)
			if ours, ok := strings.CutPrefix(imported, module); ok {
				name := strings.TrimPrefix(ours, "internal/")
				if !slices.Contains(allowed, name) {
					t.Errorf("%s imports %s, which the table of layers does not allow", s.path, name)
				}
				if name == "standin" && !standinUsers.MatchString(s.path) {
					t.Errorf("%s imports the stand-in: only the demonstration and tests may", s.path)
				}
			}
			for lib, by := range owners {
				if (imported == lib || strings.HasPrefix(imported, lib+"/")) && !slices.Contains(by, s.pkg()) {
					t.Errorf("%s imports %s, which belongs to %s", s.path, imported, strings.Join(by, " and "))
				}
			}
		}
	}
}

func TestEveryPackageSaysWhatItOwns(t *testing.T) {
	comments := make(map[string]int)
	for _, s := range sources(t) {
		if !s.isTest() {
			comments[s.pkg()] += 0
			if s.file.Doc != nil {
				comments[s.pkg()]++
			}
		}
	}
	for pkg, n := range comments {
		if n != 1 {
			t.Errorf("%s has %d package comments; it should have one", pkg, n)
		}
	}
}

// A table has one owner, named in the migration that creates it; no other
// package's statements name the table.
func TestATableHasOneOwner(t *testing.T) {
	ownerLine := regexp.MustCompile(`^-- Owner: (\w+)\.`)
	used := regexp.MustCompile(`\b(?:FROM|INTO|UPDATE|JOIN|IGNORE)\s+(\w+)`)
	created := regexp.MustCompile(`(?m)^CREATE TABLE (\w+)`)
	files, err := filepath.Glob("sqlite/migrations/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatalf("migrations: %v, %v", files, err)
	}
	owner := make(map[string]string)
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		m := ownerLine.FindSubmatch(b)
		if m == nil {
			t.Errorf("%s does not name the owner in its first line", f)
			continue
		}
		for _, c := range created.FindAllSubmatch(b, -1) {
			owner[string(c[1])] = "internal/" + string(m[1])
		}
	}
	for _, s := range sources(t) {
		if s.isTest() {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			lit, ok := n.(*ast.BasicLit)
			if !ok || lit.Kind != token.STRING {
				return true
			}
			for _, m := range used.FindAllStringSubmatch(lit.Value, -1) {
				if by, is := owner[m[1]]; is && s.pkg() != by {
					t.Errorf("%s names the table %s, which belongs to %s", s.path, m[1], by)
				}
			}
			return true
		})
	}
}

func TestGoModHasNoReplacements(t *testing.T) {
	b, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if regexp.MustCompile(`(?m)^\s*replace\b`).Match(b) {
		t.Error("go.mod replaces a module: what is built would not be what is named")
	}
}
