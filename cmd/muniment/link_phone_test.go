package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"

	"muniment/internal/standin"
)

// phones are what a script has of WhatsApp: none, until it says "whatsapp".
type phones struct{ server *standin.Server }

// whatsApp is the script's command that gives it a stand-in, which the program trusts.
func whatsApp(ts *testscript.TestScript, _ bool, _ []string) {
	server, err := standin.Start(standin.Options{Seed: rootSeed})
	ts.Check(err)
	ts.Defer(func() { server.Close() })
	server.Group("Cranford PC", server.Phone(), server.Member("Ann Brook", "+447700900101"))
	ts.Check(server.CAFile(ts.MkAbs("ca.pem")))
	ts.Setenv("TEST_LINK_SEED", rootSeed)
	ts.Setenv("HTTPS_PROXY", "http://"+server.Addr())
	ts.Setenv("SSL_CERT_FILE", ts.MkAbs("ca.pem"))
	ts.Setenv("GORACE", "exitcode=0 log_path="+ts.MkAbs("race")) // see link
	ts.Value(phones{}).(*phones).server = server
}

// codes matches a code to be typed, and one to be scanned.
var codes = map[string]*regexp.Regexp{
	"types": regexp.MustCompile(`(?m)^ *([1-9A-Z]{4}-[1-9A-Z]{4})$`),
	"scans": regexp.MustCompile(`(?m)^(\S+,\S+,\S+,\S+)$`),
}

// phone is the script's command for what the council's phone does: "types FILE" and "scans
// FILE" with the code that the file holds, once it does; "demands-passkey"; "refuses CODE".
func phone(ts *testscript.TestScript, _ bool, args []string) {
	server := ts.Value(phones{}).(*phones).server
	council := server.Phone()
	switch args[0] {
	case "demands-passkey":
		council.DemandsPasskey()
	case "refuses":
		code, err := strconv.Atoi(args[1])
		ts.Check(err)
		server.RefusePairing(code)
	default:
		for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
			b, _ := os.ReadFile(ts.MkAbs(args[1])) // or it is not there yet
			if m := codes[args[0]].FindSubmatch(b); m == nil {
				continue
			} else if args[0] == "types" {
				ts.Check(council.TypesCode(string(m[1])))
			} else {
				go council.ScanQR(string(m[1]))
			}
			return
		}
		ts.Fatalf("no code in %s", args[1])
	}
}

// terminal returns the two ends of a terminal: what a person types into, and what a
// program reads.
func terminal(t *testing.T) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminal to be had: %v", err)
	}
	t.Cleanup(func() { person.Close() })
	n, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCGPTN)
	if err := errors.Join(err, unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0)); err != nil {
		t.Skipf("no terminal to be had: %v", err)
	}
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminal to be had: %v", err)
	}
	t.Cleanup(func() { program.Close() })
	return person, program
}

// A dialogue is what the program says to somebody at the terminal, and what he answers.
type dialogue struct {
	t      *testing.T
	said   strings.Builder
	read   *bufio.Reader
	person *os.File
}

// until returns what the program says up to, and with, the text.
func (d *dialogue) until(text string) string {
	d.t.Helper()
	var b strings.Builder
	for !strings.HasSuffix(b.String(), text) {
		c, err := d.read.ReadByte()
		if err != nil {
			d.t.Fatalf("it says, instead of %q,\n%s", text, b.String())
		}
		b.WriteByte(c)
	}
	d.said.WriteString(b.String())
	return b.String()
}

func (d *dialogue) answer(s string) {
	d.t.Helper()
	fmt.Fprintf(&d.said, "<%s>\n", s)
	if _, err := io.WriteString(d.person, s+"\n"); err != nil {
		d.t.Fatal(err)
	}
}

var options = regexp.MustCompile(`parseRequestOptionsFromJSON\((\{.*\})\)\}\)`)

// What somebody sees who links an account that demands a passkey, at a terminal; the
// answers of the passkey and all that is random left out.
func TestLinkWithAPasskey(t *testing.T) {
	person, program := terminal(t)
	read, stderr, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	l := linkAt(t, program, stderr)
	stderr.Close()
	council := l.server.Phone()
	passkey := council.DemandsPasskey()
	l.server.Gates(standin.Gate{Refuse: 1, Break: 1})
	scanned := make(chan error, 1)
	go func() { scanned <- council.ScanQR(l.code) }()

	d := &dialogue{t: t, read: bufio.NewReader(read), person: person}
	answer := func() string {
		a, err := passkey.Answers(options.FindStringSubmatch(d.until("The answer: "))[1])
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	answer()
	d.answer("NotAllowedError: The operation either timed out or was not allowed.")
	for range 3 { // not accepted, garbled by the phone, and done
		d.answer(answer())
	}
	d.until("yes or no: ")
	d.answer("perhaps")
	d.until("yes or no: ")
	if code := council.Compares(); !strings.Contains(d.said.String(), code) {
		t.Errorf("the phone shows %s", code)
	}
	d.answer("yes")
	rest, err := io.ReadAll(d.read)
	if err := errors.Join(err, l.Wait(), <-scanned); err != nil {
		t.Error(err)
	}
	d.said.Write(rest)
	said := regexp.MustCompile(`"challenge":"[^"]*"`).ReplaceAllString(d.said.String(), `"challenge":"…"`)
	said = regexp.MustCompile(`<\{.*\}>`).ReplaceAllString(said, "<{…}>")
	said = regexp.MustCompile(`\b[1-9A-Z]{4}-[1-9A-Z]{4}\b`).ReplaceAllString(said, "ABCD-EFGH")
	said = regexp.MustCompile(`[^ ]*muniment\.toml`).ReplaceAllString(said, "muniment.toml")
	golden := filepath.Join("testdata", "link-passkey.golden")
	if *update {
		if err := os.WriteFile(golden, []byte(said), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if diff := cmp.Diff(string(want), said); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

// Whoever gives up at the question leaves nothing behind.
func TestLinkGivenUpAtThePasskey(t *testing.T) {
	for name, give := range map[string]func(*linking, *dialogue){
		"stopped":          func(l *linking, _ *dialogue) { l.Process.Signal(os.Interrupt) },
		"input ended":      func(_ *linking, d *dialogue) { io.WriteString(d.person, "\x04") },
		"WhatsApp went":    func(l *linking, _ *dialogue) { l.server.Down() },
		"terminal is gone": func(_ *linking, d *dialogue) { d.person.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			person, program := terminal(t)
			read, stderr, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer read.Close()
			l := linkAt(t, program, stderr)
			stderr.Close()
			program.Close()
			council := l.server.Phone()
			council.DemandsPasskey()
			go council.ScanQR(l.code)
			d := &dialogue{t: t, read: bufio.NewReader(read), person: person}
			d.until("The answer: ")
			give(&l, d)
			rest, _ := io.ReadAll(read)
			if err := l.Wait(); err == nil || !l.server.Companion().IsEmpty() {
				t.Errorf("it ends with %v, companion %v, and says\n%s", err, l.server.Companion(), rest)
			}
			if !strings.Contains(string(rest), "nothing was linked") && !strings.Contains(string(rest), "before this machine was linked") {
				t.Errorf("it says\n%s", rest)
			}
		})
	}
}
