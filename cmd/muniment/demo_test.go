package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// demoLeftovers makes what a demonstration leaves, and returns its directory.
func demoLeftovers(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{demoMark, demoLog, "certificate-12.json", "archive/" + demoMark, "archive/archive.db",
		"archive/media/5/5ea1ed", "mailbox/001.eml"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestClaimDirectory(t *testing.T) {
	dir := demoLeftovers(t)
	_, release, err := claimDirectory(dir)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 || entries[0].Name() != demoMark {
		t.Errorf("what is left: %v, %v", entries, err)
	}
	if _, _, err := claimDirectory(dir); err == nil || !strings.Contains(err.Error(), "a demonstration is running in "+dir) {
		t.Errorf("a second one: %v", err)
	}
	release()
	_, release, err = claimDirectory(dir)
	if err != nil {
		t.Fatalf("after the first: %v", err)
	}
	release()
}

// Where anything is not a demonstration's own, nothing is touched.
func TestClaimDirectoryRefuses(t *testing.T) {
	outside := t.TempDir()
	precious := filepath.Join(outside, "precious")
	if err := os.WriteFile(precious, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		remove, link, to, want string
	}{
		"another file":           {"", "notes.txt", precious, `"notes.txt", which no demonstration made`},
		"another's certificate":  {"", "certificate-1a.json", precious, `"certificate-1a.json", which no demonstration made`},
		"a link to a directory":  {"mailbox", "mailbox", outside, `"mailbox", which no demonstration made`},
		"a link for the mark":    {demoMark, demoMark, precious, "neither empty nor a demonstration's"},
		"no mark":                {demoMark, "", "", "neither empty nor a demonstration's"},
		"an archive that is not": {"archive/" + demoMark, "", "", `"archive", which no demonstration made`},
	} {
		t.Run(name, func(t *testing.T) {
			dir := demoLeftovers(t)
			if c.remove != "" {
				if err := os.RemoveAll(filepath.Join(dir, c.remove)); err != nil {
					t.Fatal(err)
				}
			}
			if c.link != "" {
				if err := os.Symlink(c.to, filepath.Join(dir, c.link)); err != nil {
					t.Fatal(err)
				}
			}
			if _, _, err := claimDirectory(dir); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("err = %v; want %s", err, c.want)
			}
			for _, path := range []string{precious, filepath.Join(dir, demoLog), filepath.Join(dir, "archive/archive.db")} {
				if _, err := os.Stat(path); err != nil {
					t.Error(err)
				}
			}
		})
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(demoLeftovers(t), link); err != nil {
		t.Fatal(err)
	}
	if _, _, err := claimDirectory(link); err == nil || !strings.Contains(err.Error(), "is a symbolic link") {
		t.Errorf("err = %v", err)
	}
}

// Told to stop, at whatever moment, the demonstration ends at once and says
// nothing more but where it is.
func TestDemoStopped(t *testing.T) {
	for _, after := range []time.Duration{0, 50 * time.Millisecond, 300 * time.Millisecond, 700 * time.Millisecond, 2 * time.Second} {
		dir, release, err := claimDirectory(filepath.Join(t.TempDir(), "demo"))
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		var stopped time.Time
		time.AfterFunc(after, func() { stopped = time.Now(); stop() })
		var out bytes.Buffer
		if err := runDemo(ctx, dir, narrator{out: &out, pause: 100 * time.Millisecond, stopped: ctx.Done()}); err != nil {
			t.Errorf("after %v: %v", after, err)
		}
		if late := time.Since(stopped); late > 8*time.Second {
			t.Errorf("after %v: it took %v", after, late)
		}
		if want := "\nStopped. What there is so far lies in " + dir + ".\n"; !strings.HasSuffix(out.String(), want) {
			t.Errorf("after %v: it ends with %q", after, out.String()[max(0, out.Len()-200):])
		}
		release()
	}
}

func TestFold(t *testing.T) {
	for _, c := range []struct {
		first, rest, text string
		want              []string
	}{
		{"", "", "", []string{""}},
		{"| ", "|   ", "one two three", []string{"| one two", "|   three"}},
		{"", "  ", "onetwothreefour x", []string{"onetwothre", "  efour x"}},
		{"| ", "| ", "— onetwothreefour", []string{"| —", "| onetwoth", "| reefour"}},
	} {
		if got := fold(c.first, c.rest, c.text, 10); !slices.Equal(got, c.want) {
			t.Error(cmp.Diff(c.want, got))
		}
	}
}
