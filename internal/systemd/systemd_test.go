package systemd

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"
)

// manager plays systemd: it listens where NOTIFY_SOCKET says.
func manager(t *testing.T) *net.UnixConn {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	t.Setenv("NOTIFY_SOCKET", path)
	return conn
}

// heard returns what conn has been told, up to and including last.
func heard(t *testing.T, conn *net.UnixConn, last string) []string {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	var states []string
	buf := make([]byte, 4096)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			t.Fatalf("heard %q, then: %v", states, err)
		}
		states = append(states, string(buf[:n]))
		if states[len(states)-1] == last {
			return states
		}
	}
}

func TestSystemdIsToldWhatHappens(t *testing.T) {
	conn := manager(t)
	for _, err := range []error{
		Ready(),
		Status("keeping the record of 1 group"),
		Status("one line\r\nREADY=1\nSTOPPING=1"),
		Stopping(),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	got := heard(t, conn, "STOPPING=1")
	want := []string{
		"READY=1",
		"STATUS=keeping the record of 1 group",
		"STATUS=one line READY=1 STOPPING=1",
		"STOPPING=1",
	}
	if !slices.Equal(got, want) {
		t.Errorf("systemd heard %q, want %q", got, want)
	}
}

func TestNothingIsSaidWhenSystemdIsNotThere(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	for _, err := range []error{Ready(), Status("x"), Stopping()} {
		if err != nil {
			t.Error(err)
		}
	}
}

func TestNotBeingHeardIsAnError(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", filepath.Join(t.TempDir(), "none"))
	if err := Ready(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Ready without a listener: %v", err)
	}
}

func TestWatchdogIsFedOnlyWhileAlive(t *testing.T) {
	conn := manager(t)
	t.Setenv("WATCHDOG_USEC", "2000")
	t.Setenv("WATCHDOG_PID", strconv.Itoa(os.Getpid()))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()

	answers := []error{nil, errors.New("stuck"), errors.New("stuck"), nil, errors.New("stuck")}
	asked := 0
	err := Watchdog(ctx, func() error {
		answer := answers[asked]
		if asked++; asked == len(answers) {
			cancel()
		}
		return answer
	})
	if err != nil {
		t.Fatal(err)
	}
	if asked != len(answers) {
		t.Errorf("asked %d times, want %d", asked, len(answers))
	}
	if err := Stopping(); err != nil {
		t.Fatal(err)
	}
	got := heard(t, conn, "STOPPING=1")
	if want := []string{"WATCHDOG=1", "WATCHDOG=1", "STOPPING=1"}; !slices.Equal(got, want) {
		t.Errorf("systemd heard %q, want %q", got, want)
	}
}

func TestWatchdogGoesOnWhenAFeedIsLost(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", filepath.Join(t.TempDir(), "none"))
	t.Setenv("WATCHDOG_USEC", "2000")
	t.Setenv("WATCHDOG_PID", "")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	asked := 0
	err := Watchdog(ctx, func() error {
		if asked++; asked == 3 {
			cancel()
		}
		return nil
	})
	if err != nil || asked != 3 {
		t.Errorf("Watchdog = %v after %d feeds, want nil after 3", err, asked)
	}
}

func TestWatchdogHasNothingToDo(t *testing.T) {
	for _, tt := range []struct {
		name, usec, pid string
		wantErr         bool
	}{
		{name: "systemd is not there"},
		{name: "another process is watched", usec: "2000", pid: "1"},
		{name: "the time is no number", usec: "soon", wantErr: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("WATCHDOG_USEC", tt.usec)
			t.Setenv("WATCHDOG_PID", tt.pid)
			err := Watchdog(t.Context(), func() error {
				t.Error("asked whether alive")
				return nil
			})
			if (err != nil) != tt.wantErr {
				t.Errorf("Watchdog: %v", err)
			}
		})
	}
}
