//go:build integration

package mailtest

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Password is that of every account.
const Password = "s3cret"

// A Server is a council's real mail server, Postfix and Dovecot: see .ci/mailserver.
type Server struct {
	Dir                 string
	STARTTLS, TLS, IMAP string // addresses
	CAFile              string
	Roots               *x509.CertPool

	stopped bool
}

// Start starts a server that ends with the test. Without what it needs the test fails.
func Start(t testing.TB) *Server {
	t.Helper()
	// Not t.TempDir: its name is too long for sockets, and others may not enter it.
	dir, err := os.MkdirTemp("/tmp", "mail")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &Server{
		Dir: dir, STARTTLS: freeAddr(t), TLS: freeAddr(t), IMAP: freeAddr(t),
		CAFile: filepath.Join(dir, "ca.pem"), Roots: x509.NewCertPool(),
	}
	t.Cleanup(func() { run(t, program(t, "mailserver"), "stop", dir) })
	run(t, program(t, "mailserver"), "start", dir, port(s.STARTTLS), port(s.TLS), port(s.IMAP))
	ca, err := os.ReadFile(s.CAFile)
	if err != nil || !s.Roots.AppendCertsFromPEM(ca) {
		t.Fatalf("the server's authority: %v", err)
	}
	return s
}

// program returns the path of one of .ci; tests run two directories below the top, as a
// rule.
func program(t testing.TB, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("../../.ci", name))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// run runs a program that keeps none of our files.
func run(t testing.TB, name string, args ...string) []byte {
	t.Helper()
	var out, complaints bytes.Buffer
	c := exec.Command(name, args...)
	c.Stdout, c.Stderr = &out, &complaints
	if err := c.Run(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, complaints.String())
	}
	return out.Bytes()
}

func freeAddr(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func port(addr string) string {
	_, port, _ := net.SplitHostPort(addr)
	return port
}

// Stop stops Postfix, once it has delivered what it accepted: if it were stopped in the
// middle of that, it would deliver again. Then nobody answers on its ports, until Resume
// or the test's end.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	s.Drained(t)
	s.stopped = true
	t.Cleanup(func() {
		if s.stopped {
			s.Resume(t)
		}
	})
	b, err := os.ReadFile(filepath.Join(s.Dir, "queue", "pid", "master.pid"))
	if err != nil {
		t.Fatal(err)
	}
	master, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	// `postfix stop` does the same, and sleeps for seconds.
	if err := syscall.Kill(master, syscall.SIGTERM); err != nil {
		t.Fatalf("stop Postfix: %v", err)
	}
	await(t, "Postfix to end", func() bool {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", master))
		return err != nil || bytes.Contains(status, []byte("State:\tZ")) // nobody has asked yet what became of it
	})
}

// Resume starts Postfix again.
func (s *Server) Resume(t testing.TB) {
	t.Helper()
	s.stopped = false
	// Its daemons must not inherit a pipe: whoever reads it would wait for them.
	if err := exec.Command("postfix", "-c", filepath.Join(s.Dir, "postfix"), "start").Run(); err != nil {
		log, _ := os.ReadFile(filepath.Join(s.Dir, "postfix.log"))
		t.Fatalf("start Postfix: %v\n%s", err, log[max(0, len(log)-2000):])
	}
	for _, addr := range []string{s.STARTTLS, s.TLS} {
		await(t, addr+" to listen", func() bool {
			c, err := net.Dial("tcp", addr)
			if err != nil {
				return false
			}
			return c.Close() == nil
		})
	}
}

// Configure changes settings of Postfix, as "name=value", until restore is called or the
// test ends.
func (s *Server) Configure(t testing.TB, settings ...string) (restore func()) {
	t.Helper()
	path := filepath.Join(s.Dir, "postfix", "main.cf")
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	set := func(b []byte) {
		s.Stop(t)
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		s.Resume(t)
	}
	restore = sync.OnceFunc(func() { set(before) })
	t.Cleanup(restore)
	set(append(slices.Clone(before), strings.Join(settings, "\n")+"\n"...)) // the last of a name counts
	return restore
}

// ShowOther has Postfix show the certificate of a server of another name, likewise.
func (s *Server) ShowOther(t testing.TB) (restore func()) {
	t.Helper()
	return s.Configure(t, "smtpd_tls_cert_file="+s.Dir+"/other.pem", "smtpd_tls_key_file="+s.Dir+"/other.key")
}

// Answer sets what Postfix says to recipients, from the next on and until the test ends:
// lines of a pattern and an answer, as in "full@* 452 4.2.2 Mailbox full". Others are
// taken.
func (s *Server) Answer(t testing.TB, lines ...string) {
	t.Helper()
	path := filepath.Join(s.Dir, "recipients")
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	set := func(b []byte) {
		if err := os.WriteFile(path+".new", b, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { set(before) })
	set([]byte(strings.Join(lines, "\n") + "\n"))
}

// An Email is one as it was read back by IMAP, and as Python understands it.
type Email struct {
	Raw     []byte // with the trace that the servers put before it
	Number  int
	Thread  int // as the server threads them, by References
	Answers int // the number of the one that this one answers in its thread; 0: none
	Defects []string
	Fields  map[string]string // by name in lower case, decoded
	Parts   []Part            // those that have no parts
}

// A Part of an email.
type Part struct {
	Type, Disposition, Filename string
	ContentID                   string
	SHA256                      string // of what it holds
	Text                        string // if it is one
}

// Sent returns the email as it was sent.
func (e Email) Sent() []byte { return WithoutTrace(e.Raw) }

// ID returns the Message-ID, with its brackets.
func (e Email) ID() string { return e.Fields["message-id"] }

// Text returns what the email says in plain text, on Unix's lines.
func (e Email) Text() string {
	for _, p := range e.Parts {
		if p.Type == "text/plain" && p.Disposition != "attachment" {
			return strings.ReplaceAll(p.Text, "\r\n", "\n")
		}
	}
	return ""
}

// Mailbox waits until an address has at least n emails and returns all by IMAP, in the
// order of their arrival.
func (s *Server) Mailbox(t testing.TB, address string, n int) []Email {
	t.Helper()
	var emails []Email
	out := run(t, program(t, "mailbox"), port(s.IMAP), s.CAFile, address, strconv.Itoa(n))
	if err := json.Unmarshal(out, &emails); err != nil {
		t.Fatalf("mailbox: %v\n%s", err, out)
	}
	return emails
}

// Drained waits until Postfix has nothing more to deliver: what is not in a mailbox now
// was not accepted.
func (s *Server) Drained(t testing.TB) {
	t.Helper()
	await(t, "the queue to be empty", func() bool {
		for _, queue := range []string{"maildrop", "incoming", "active", "deferred"} {
			found := false
			_ = filepath.WalkDir(filepath.Join(s.Dir, "queue", queue), func(_ string, e os.DirEntry, err error) error {
				found = found || err == nil && !e.IsDir()
				return nil
			})
			if found {
				return false
			}
		}
		return true
	})
}

// await waits until something is so.
func await(t testing.TB, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// Sound checks that nothing is wrong with any of the emails and that no two have the
// same Message-ID.
func Sound(t testing.TB, emails []Email) {
	t.Helper()
	seen := make(map[string]bool)
	for _, e := range emails {
		if len(e.Defects) > 0 {
			t.Errorf("email %q is not well made: %q", e.Fields["subject"], e.Defects)
		}
		if id := e.ID(); !strings.HasPrefix(id, "<") || seen[id] {
			t.Errorf("email %q: the Message-ID %q is none, or there twice", e.Fields["subject"], id)
		}
		seen[e.ID()] = true
	}
}

// WithoutTrace drops the fields that servers put at the top: RFC 5321, 4.4.
func WithoutTrace(b []byte) []byte {
	for {
		field, rest, _ := bytes.Cut(b, []byte("\r\n"))
		name, _, _ := strings.Cut(string(field), ":")
		switch name {
		case "Return-Path", "Delivered-To", "X-Original-To", "Received":
		default:
			return b
		}
		for bytes.HasPrefix(rest, []byte(" ")) || bytes.HasPrefix(rest, []byte("\t")) {
			_, rest, _ = bytes.Cut(rest, []byte("\r\n"))
		}
		b = rest
	}
}

// Certificate returns the server's own, or "other", that of a server of another name.
func (s *Server) Certificate(t testing.TB, name string) tls.Certificate {
	t.Helper()
	c, err := tls.LoadX509KeyPair(filepath.Join(s.Dir, name+".pem"), filepath.Join(s.Dir, name+".key"))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Proxy opens a proxy before the server: see [Proxy].
func (s *Server) Proxy(t testing.TB) *Proxy {
	t.Helper()
	return NewProxy(t, &tls.Config{Certificates: []tls.Certificate{s.Certificate(t, "server")}}, func() (net.Conn, error) {
		return tls.Dial("tcp", s.TLS, &tls.Config{RootCAs: s.Roots})
	})
}
