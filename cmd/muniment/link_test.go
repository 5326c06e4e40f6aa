package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"muniment/internal/standin"
)

// rootSeed is what the stand-in's root key is made of, here and in the process
// that links.
const rootSeed = "link"

// TestLinkProcess is no test: it is the program, made to trust the stand-in, in a
// process of its own for the tests below.
func TestLinkProcess(t *testing.T) {
	config := os.Getenv("TEST_LINK_CONFIG")
	if config == "" {
		t.Skip("only the tests of link run this")
	}
	trust()
	os.Args = []string{"muniment", "link", "--text", "--config", config}
	main()
}

// trust makes this process trust the stand-ins of the tests here.
func trust() {
	server, err := standin.Start(standin.Options{Seed: rootSeed})
	if err != nil {
		panic(err)
	}
	server.Trust()
}

// linking is `muniment link --text` under way, with the first code shown.
type linking struct {
	*exec.Cmd
	server *standin.Server
	stdout *os.File // where the codes come from
	code   string
}

// link starts the linking. What it says besides goes to stderr, or with the codes
// if that is nil.
func link(t *testing.T, stderr io.Writer) linking {
	t.Helper()
	return linkAt(t, nil, stderr)
}

// linkAt is link where stdin is what is typed.
func linkAt(t *testing.T, stdin *os.File, stderr io.Writer) linking {
	t.Helper()
	dir := t.TempDir()
	server, err := standin.Start(standin.Options{Seed: rootSeed})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	server.Group("Cranford PC", server.Phone())
	ca, config := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "muniment.toml")
	if err := errors.Join(server.CAFile(ca),
		os.WriteFile(config, []byte(strings.ReplaceAll(scriptConfig, "$WORK", dir)), 0o600)); err != nil {
		t.Fatal(err)
	}
	if code := run(t.Context(), []string{"init", "--config", config}, nil, io.Discard, os.Stderr); code != 0 {
		t.Fatalf("init: exit code %d", code)
	}
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer write.Close()
	t.Cleanup(func() { read.Close() })
	l := linking{Cmd: exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestLinkProcess$"), server: server, stdout: read}
	l.Stdin = stdin
	// whatsmeow has data races of its own when it hangs up in mid-connection. What
	// the race detector says of them in this process must not be taken for what
	// the program says.
	l.Env = append(os.Environ(), "TEST_LINK_CONFIG="+config, "HTTPS_PROXY=http://"+server.Addr(), "SSL_CERT_FILE="+ca,
		"GORACE=exitcode=0 log_path="+filepath.Join(dir, "race"))
	l.Stdout, l.Stderr, l.WaitDelay = write, stderr, time.Second
	if stderr == nil {
		l.Stderr = write
	}
	if err := l.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(read); lines.Scan(); {
		if strings.Count(lines.Text(), ",") >= 3 {
			l.code = lines.Text()
			return l
		}
	}
	t.Fatalf("no code was shown: %v", l.Wait())
	return l
}

// Whoever reads the codes may go away once there is one, as `head -n 1` does.
func TestLinkOutlivesWhoeverReadsTheCodes(t *testing.T) {
	for name, stderr := range map[string]*bytes.Buffer{"the codes": {}, "all that it says": nil} {
		t.Run(name, func(t *testing.T) {
			var l linking
			if stderr == nil {
				l = link(t, nil)
			} else {
				l = link(t, stderr)
			}
			l.stdout.Close()
			if err := l.server.Phone().ScanQR(l.code); err != nil {
				t.Fatal(err)
			}
			if err := l.Wait(); err != nil {
				t.Errorf("link: %v", err)
			}
			if stderr != nil && (!strings.Contains(stderr.String(), "Linked. ") || !strings.Contains(stderr.String(), "Cranford PC")) {
				t.Errorf("it says\n%s", stderr)
			}
		})
	}
}

func TestLinkStopped(t *testing.T) {
	var stderr bytes.Buffer
	l := link(t, &stderr)
	if err := l.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := l.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("link: %v", err)
	}
	if got, want := stderr.String(), "Connecting to WhatsApp …\nmuniment: stopped; nothing was linked\n"; got != want {
		t.Errorf("it says\n%s; want\n%s", got, want)
	}
}

// Below the code stands what to do if the window cannot hold it.
func TestCodeAsShown(t *testing.T) {
	var b bytes.Buffer
	showCode(&b, strings.Repeat("2@AbCdEfGh,IjKlMnOpQrStUvWxYz+/0123", 7)) // as long as WhatsApp's
	if strings.Contains(b.String(), "Make the window") {
		t.Error("what is no window is called too small")
	}
	for l := range strings.Lines(b.String()) {
		if n := len([]rune(l)); n > 81 {
			t.Errorf("a line has %d columns: %s", n, l)
		}
	}
}
