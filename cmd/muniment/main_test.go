package main

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"muniment": program, "tamper": tamper, "chat": chat, "journal": journalOf, "pack": pack, "older": older,
		"everything": everything, "gap": gap, "proveall": proveAll, "adopt": adopt})
}

// program is the program; in a script that has a stand-in, it trusts that.
func program() {
	if os.Getenv("TEST_LINK_SEED") != "" {
		trust()
	}
	main()
}

// tamper FILE SQL does to a database what no command of ours would.
func tamper() {
	db, err := sql.Open("sqlite", os.Args[1])
	if err == nil {
		_, err = db.Exec(os.Args[2])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func TestScripts(t *testing.T) {
	scripts, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	if racing && testing.Short() {
		scripts = slices.DeleteFunc(scripts, func(path string) bool { return !slices.Contains(concurrent, filepath.Base(path)) })
	}
	testscript.Run(t, testscript.Params{
		Files:         scripts,
		UpdateScripts: *update,
		Setup: func(env *testscript.Env) error {
			config := strings.ReplaceAll(scriptConfig, "$WORK", env.WorkDir)
			env.Values[phones{}] = &phones{}
			return os.WriteFile(filepath.Join(env.WorkDir, "muniment.toml"), []byte(config), 0o600)
		},
		Condition: func(cond string) (bool, error) {
			if cond == "root" {
				return os.Geteuid() == 0, nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"eachonce": eachOnce, "whatsapp": whatsApp, "phone": phone},
	})
}

// concurrent are the scripts of commands in which something goes on beside something
// else. Of the others the race detector would see nothing, twenty times as slowly; of the
// demonstration and of imports it sees no more than in the tests of their packages.
var concurrent = []string{"everything.txtar", "begin.txtar"}

// scriptConfig is the configuration that scripts find: complete, but for a mail
// server that is there.
const scriptConfig = `state_directory = "$WORK/state"
[council]
name = "Cranford Parish Council"
domains = ["cranford-pc.example"]
[policy]
minute = "24/037"
[[group]]
jid = "120363000000000001@g.us"
name = "Cranford councillors"
purpose = "Quick, informal messages. No decisions are made here."
[notice]
version = "1"
given_on = 2026-09-01
method = "Emailed to every member"
[mail]
server = "127.0.0.1:1"
from = "record@cranford-pc.example"
conversations_to = "council@cranford-pc.example"
clerk = "clerk@cranford-pc.example"
[disposal]
approval = "each"
`

// eachOnce FILE N checks that FILE, the output of records --json, has N records,
// each with every documented field and each once.
func eachOnce(ts *testscript.TestScript, _ bool, args []string) {
	var n int
	fmt.Sscan(args[1], &n)
	seen := make(map[float64]bool)
	for line := range strings.Lines(ts.ReadFile(args[0])) {
		var r map[string]any
		ts.Check(json.Unmarshal([]byte(line), &r))
		for _, field := range strings.Fields("seq kind type id group sent_at captured_at member text details import supplied reply_to amends effective edited_by deleted_by emoji file_name media on_hold destroyed") {
			if _, ok := r[field]; !ok {
				ts.Fatalf("a record lacks the field %s: %s", field, line)
			}
		}
		if len(r) != 22 {
			ts.Fatalf("a record has fields that are not documented: %s", line)
		}
		seq := r["seq"].(float64)
		if seen[seq] {
			ts.Fatalf("record %v is there twice", seq)
		}
		seen[seq] = true
	}
	if len(seen) != n {
		ts.Fatalf("%d records, not %d", len(seen), n)
	}
}

// What --help says of every command is read by people: a golden file shows it.
func TestHelp(t *testing.T) {
	var b bytes.Buffer
	var each func(c *cobra.Command)
	each = func(c *cobra.Command) {
		if c.Name() == "completion" || c.Name() == "help" {
			return
		}
		fmt.Fprintf(&b, "$ %s --help\n\n", c.CommandPath())
		c.SetOut(&b)
		if err := c.Help(); err != nil {
			t.Fatal(err)
		}
		b.WriteString("\n")
		if c.Runnable() && c.Example == "" {
			t.Errorf("%s has no example", c.CommandPath())
		}
		for _, sub := range c.Commands() {
			each(sub)
		}
	}
	each(newRoot())
	golden(t, "testdata/help.golden", b.Bytes())
}

func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}
