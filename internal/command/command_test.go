package command_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"muniment/internal/command"
)

// program is a real one that the council may have: a script.
func program(t *testing.T, script string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// What goes wrong with a command is told without anything that it printed.
func TestACommandFails(t *testing.T) {
	for _, tt := range []struct {
		name, script, want string
	}{
		{"it says so", "cat >/dev/null; echo secret; exit 3", "the alert command failed: exit status 3"},
		{"it reads nothing", "exit 0", ""},
		{"it reads nothing and fails", "exit 1", "the alert command failed: exit status 1"},
		{"it takes too long", "sleep 60", "the alert command did not end within 200ms, and was killed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := command.Command{Name: "the alert command", Argv: []string{program(t, tt.script)}, Patience: 200 * time.Millisecond}
			if !strings.Contains(tt.want, "killed") {
				c.Patience = 10 * time.Second
			}
			begin := time.Now()
			err := c.Run(t.Context(), strings.NewReader(strings.Repeat("text ", 1<<15)))
			if got := fmt.Sprint(err); tt.want != "" && got != tt.want || tt.want == "" && err != nil {
				t.Errorf("%v; want %q", err, tt.want)
			}
			if took := time.Since(begin); took > 20*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
	t.Run("its children take too long", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "pid")
		c := command.Command{Name: "the alert command", Argv: []string{program(t, `echo $$ >"$1"; sh -c 'sleep 60; true'; true`), file}, Patience: 2 * time.Second}
		if err := c.Run(t.Context(), nil); err == nil {
			t.Error("no error")
		}
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		group, err := strconv.Atoi(strings.TrimSpace(string(b)))
		if err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(10 * time.Second); syscall.Kill(-group, 0) == nil; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("some of them are still there")
			}
		}
	})
	t.Run("it is not there", func(t *testing.T) {
		c := command.Command{Name: "the alert command", Argv: []string{"/nowhere/tell"}, Patience: time.Second}
		if err := c.Run(t.Context(), nil); !errors.Is(err, os.ErrNotExist) {
			t.Error(err)
		}
	})
}
