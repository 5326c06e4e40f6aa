package systemd

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const unitPath = "../../systemd/muniment.service"

func unit(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(unitPath)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// analyze runs systemd-analyze and returns all it prints.
func analyze(t *testing.T, args ...string) (string, error) {
	t.Helper()
	path, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not on this machine")
	}
	out, err := exec.CommandContext(t.Context(), path, args...).CombinedOutput()
	if strings.Contains(string(out), "unrecognized option") {
		t.Skipf("systemd-analyze is too old: %s", out)
	}
	return string(out), err
}

// The program and its user need not be on this machine, and what is wrong with
// the machine's own units does not matter.
func TestUnitIsUnderstoodBySystemd(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	here := filepath.Join(t.TempDir(), "muniment.service")
	text := strings.Replace(unit(t), "/usr/local/bin/muniment run", program+" run", 1)
	if err := os.WriteFile(here, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, _ := analyze(t, "verify", here)
	for line := range strings.Lines(out) {
		if strings.Contains(line, "muniment.service") {
			t.Error(strings.TrimSpace(line))
		}
	}
}

func TestUnitIsHardened(t *testing.T) {
	if out, err := analyze(t, "security", "--offline=yes", "--no-pager", "--threshold=20", unitPath); err != nil {
		t.Errorf("exposure is above 2.0: %v\n%s", err, out)
	}
}

// While the disk is full, every start fails; when there is room again, one must follow.
func TestUnitNeverGivesUp(t *testing.T) {
	for _, want := range []string{"StartLimitIntervalSec=0", "Restart=on-failure"} {
		if !regexp.MustCompile("(?m)^" + want + "$").MatchString(unit(t)) {
			t.Errorf("the unit lacks %s", want)
		}
	}
}

// A Go program that panics, or is told by the watchdog to abort, ends with exit
// code 2, which is also that of a faulty configuration. If 2 prevented a restart,
// a single crash would end the record.
func TestUnitRestartsAfterACrash(t *testing.T) {
	setting := regexp.MustCompile(`(?m)^RestartPreventExitStatus=(.*)$`).FindStringSubmatch(unit(t))
	if setting == nil {
		t.Fatal("the unit does not say after which exit codes a restart is of no use")
	}
	codes := strings.Fields(setting[1])
	if slices.Contains(codes, "2") || !slices.Contains(codes, "4") {
		t.Errorf("RestartPreventExitStatus=%s; want 4 (never linked) and never 2", setting[1])
	}
}
