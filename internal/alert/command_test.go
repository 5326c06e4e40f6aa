package alert_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"muniment/internal/alert"
	"muniment/internal/command"
	"muniment/internal/sqlite"
)

// program is a real one that the council may have: a script.
func program(t *testing.T, script string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "tell")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// The command is run as it stands, by no shell, and is given what it needs and nothing else.
func TestTheCommandIsRun(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "/run/systemd/notify")
	t.Setenv("CREDENTIALS_DIRECTORY", "/run/credentials")
	out := filepath.Join(t.TempDir(), "out")
	c := command.Command{Name: "the alert command", Argv: []string{program(t, `{ printf '%s|%s|' "$1" "$2"; cat; env; } >"$3"`), "two words; `reboot`", "$HOME", out}, Patience: 10 * time.Second}
	if err := alert.Run(t.Context(), c, alert.MailStuck, alert.Raised, "[Cranford] Alert: No email", "The text.\nIn two lines.\n"); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	said, env, _ := strings.Cut(string(b), "In two lines.\n")
	if want := "two words; `reboot`|$HOME|[Cranford] Alert: No email\n\nThe text.\n"; said != want {
		t.Errorf("it was given %q, want %q", said, want)
	}
	for _, want := range []string{"MUNIMENT_ALERT=mail-stuck\n", "MUNIMENT_ALERT_STATE=raised\n", "PATH="} {
		if !strings.Contains(env, want) {
			t.Errorf("its environment lacks %q:\n%s", want, env)
		}
	}
	for _, secret := range []string{"NOTIFY_SOCKET", "CREDENTIALS_DIRECTORY"} {
		if strings.Contains(env, secret) {
			t.Errorf("its environment holds %s", secret)
		}
	}
}

// due returns the tellings for which the command is to be run now.
func (o *office) due() (all []string) {
	o.t.Helper()
	for {
		var told alert.Telling
		err := o.db.Write(o.t.Context(), func(tx *sqlite.Tx) (err error) {
			told, err = alert.Begin(tx, o.now)
			return err
		})
		if errors.Is(err, alert.ErrNoTelling) {
			return all
		}
		o.must(err)
		all = append(all, fmt.Sprintf("%s %s", told.Sort, told.Kind))
	}
}

// The command is run for what is told by email and for what is not. While nothing is noted
// of how it ended (it failed, or it ran and we were killed, which nobody can tell apart), it is
// run again, in the end no more.
func TestTheCommandIsRunUntilItSucceeds(t *testing.T) {
	o := open(t)
	o.finds(alert.Condition{Kind: alert.Outside, Since: noon})
	if got := o.due(); len(got) != 0 {
		t.Errorf("without a command: %q", got)
	}
	o.desk.Commanded = true
	o.finds(disk, alert.Condition{Kind: alert.MailStuck, Since: noon}, alert.Condition{Kind: alert.Outside, Since: noon})
	want := []string{"raised disk-low", "raised mail-stuck"}
	if got := o.due(); !slices.Equal(got, want) {
		t.Errorf("due: %q, want %q", got, want)
	}
	o.must(o.db.Write(t.Context(), func(tx *sqlite.Tx) error { return alert.Done(tx, 3) }))
	runs := 0
	for range 24 * 60 {
		o.restartsSometimes()
		o.now = o.now.Add(time.Minute)
		for _, s := range o.due() {
			if s != "raised disk-low" {
				t.Errorf("run again: %s", s)
			}
			runs++
		}
	}
	if runs != 5 {
		t.Errorf("run %d times again, want 5", runs)
	}
}

func (o *office) restartsSometimes() {
	if o.now.Minute()%20 == 0 {
		o.restarts()
	}
}
