package daemon_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"muniment/internal/alert"
	"muniment/internal/sqlite"
)

// titles are the subjects of the alerts that have arrived, in order, without the council.
func (w *town) titles() (all []string) {
	w.t.Helper()
	for _, e := range w.alerts() {
		all = append(all, strings.TrimPrefix(header(w.t, e, "Subject"), "[Cranford Parish Council] "))
	}
	return all
}

const strangerTitle = "Alert: Somebody is in the group “Cranford councillors” who is not in office"

// Somebody joins whom nobody knows; the connection breaks for long, and is there again; the
// council's phone logs this machine out. Each is told once, the last within moments; and
// nothing in any of it tells who or what.
func TestAlertsOfADay(t *testing.T) {
	breaksConnections(t)
	w := found(t)
	run := w.watch(new(atomic.Int64))
	defer run.stop()
	passes := func(d time.Duration) {
		t.Helper()
		run.ahead.Add(int64(d))
		w.must(run.Alert(t.Context()))
	}
	want := []string{strangerTitle} // who was in it from the start
	told := func(more ...string) {
		t.Helper()
		want = append(want, more...)
		w.alerted(len(want))
		if got := w.titles(); !slices.Equal(got, want) {
			t.Errorf("told\n%q, want\n%q", got, want)
		}
	}
	told()
	passes(11 * time.Minute)
	joiner := w.server.Member("Quentin the Unknown", "+447700900188")
	w.phone.In(w.official).Adds(joiner)
	told(strangerTitle)
	joiner.In(w.official).Says("Who would have thought of the weir?")
	w.must(w.server.WaitSettled(w.soon()))

	w.server.Down()
	w.haveLog("not connected to WhatsApp")
	passes(14 * time.Minute)
	told()
	passes(2 * time.Minute)
	told("Alert: This system is not connected to WhatsApp")
	passes(time.Hour)
	told()
	w.server.Up()
	w.must(w.server.WaitOnline(w.soon()))
	w.until("the gap is closed", func(tx *sqlite.Tx) (bool, error) {
		open, err := alert.Open(tx)
		if err == nil && len(open) > 0 {
			err = run.Alert(t.Context())
		}
		return len(open) == 0, err
	})
	passes(11 * time.Minute)
	told("Over: This system is connected to WhatsApp again")

	begin := time.Now()
	w.phone.Unlinks()
	told("Alert: The link to WhatsApp is lost: nothing is recorded")
	if took := time.Since(begin); took > 30*time.Second {
		t.Errorf("it took %s", took)
	}
	passes(10 * time.Minute)
	told()
	run.stop()
	for _, e := range w.alerts() {
		text := plain(e) + string(e)
		for _, secret := range []string{"Quentin", "Zed", "Ann", "weir", "447700900", "7700 900", joiner.LID().User, w.official.JID().User} {
			if strings.Contains(text, secret) {
				t.Errorf("an alert holds %q:\n%s", secret, text)
			}
		}
	}
	w.verifies()
}

// haveLog waits until the log says so.
func (w *town) haveLog(line string) {
	w.t.Helper()
	for ctx := w.soon(); !strings.Contains(w.log.String(), line); time.Sleep(10 * time.Millisecond) {
		w.must(ctx.Err())
	}
}

// It is killed just after it has found something, and again after it was told; and started
// anew. Nobody is told twice, and nothing is lost.
func TestKilledBetweenAlertAndEmail(t *testing.T) {
	if testing.Short() {
		t.Skip("kills processes, of which the race detector sees nothing")
	}
	w := found(t)
	w.showLogOfFailure()
	w.must(os.WriteFile(w.path("smtp-password"), []byte("wrong\n"), 0o600)) // so that it is killed before
	for range 2 {
		c := w.spawn()
		w.until("it is found", func(tx *sqlite.Tx) (bool, error) {
			_, err := alert.Load(tx, 1)
			return err == nil, nil
		})
		w.must(c.Process.Signal(syscall.SIGKILL))
		_ = c.Wait()
	}
	w.must(os.WriteFile(w.path("smtp-password"), []byte("secret\n"), 0o600))
	for range 2 {
		c := w.spawn()
		w.alerted(1)
		w.until("it is noted", func(tx *sqlite.Tx) (bool, error) {
			var n int
			err := tx.QueryRow("SELECT count(*) FROM journal WHERE act = 'email handed over'").Scan(&n)
			return n > 0, err
		})
		w.must(c.Process.Signal(syscall.SIGKILL))
		_ = c.Wait()
	}
	if got := w.titles(); !slices.Equal(got, []string{strangerTitle}) {
		t.Errorf("told %q", got)
	}
}

// The alert command, as a program of its own: it says that it failed although it ran, and
// later that it ran. It is run for each alert until it says so.
func TestTheAlertCommand(t *testing.T) {
	w := found(t)
	script := w.path("tell")
	w.must(os.WriteFile(script, []byte("#!/bin/sh\n{ echo \"$1 $MUNIMENT_ALERT $MUNIMENT_ALERT_STATE\"; cat; } >>\"$2\"\ntest -e \"$3\"\n"), 0o700))
	w.edit("[disposal]", fmt.Sprintf("[alerts]\ntechnical_to = \"it@cranford-pc.example\"\ncommand = [%q, \"the duty engineer\", %q, %q]\n[disposal]",
		script, w.path("told"), w.path("works")))
	run := w.watch(new(atomic.Int64))
	defer run.stop()
	told := func(n int) string {
		t.Helper()
		for ctx := w.soon(); ; time.Sleep(10 * time.Millisecond) {
			b, _ := os.ReadFile(w.path("told"))
			if strings.Count(string(b), "the duty engineer stranger raised\n[Cranford Parish Council] "+strangerTitle+"\n\nCranford Parish Council\n") >= n {
				return string(b)
			}
			if ctx.Err() != nil {
				t.Fatalf("the command was not run %d times:\n%s\n%s", n, b, w.log)
			}
		}
	}
	told(1)
	w.haveLog("nobody was told by the alert command")
	w.must(run.CommandDue(t.Context())) // not yet
	run.ahead.Add(int64(61 * time.Second))
	w.must(run.CommandDue(t.Context()))
	told(2)
	w.must(os.WriteFile(w.path("works"), nil, 0o600))
	run.ahead.Add(int64(6 * time.Minute))
	w.must(run.CommandDue(t.Context()))
	told(3)
	run.ahead.Add(int64(24 * time.Hour))
	w.must(run.CommandDue(t.Context()))
	run.stop()
	if n := strings.Count(told(3), "the duty engineer"); n != 3 {
		t.Errorf("the command was run %d times, want 3", n)
	}
	w.alerted(1) // the email goes all the same
	w.logTellsNothing()
}
