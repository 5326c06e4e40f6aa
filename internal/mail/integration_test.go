//go:build integration

package mail

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A council's real mail server: Postfix and Dovecot, by .ci/mailserver.
type postOffice struct {
	dir           string
	starttls, tls string // addresses
	roots         *x509.CertPool
}

func openPostOffice(t *testing.T) *postOffice {
	t.Helper()
	script, err := filepath.Abs("../../.ci/mailserver")
	if err != nil {
		t.Fatal(err)
	}
	// Not t.TempDir: its name is too long for sockets, and others may not enter it.
	dir, err := os.MkdirTemp("/tmp", "mail")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	p := &postOffice{dir: dir, starttls: freeAddr(t), tls: freeAddr(t), roots: x509.NewCertPool()}
	run := func(args ...string) {
		if out, err := exec.Command(script, args...).CombinedOutput(); err != nil {
			t.Errorf("%s %s: %v\n%s", script, strings.Join(args, " "), err, out)
		}
	}
	t.Cleanup(func() { run("stop", dir) })
	run("start", dir, port(p.starttls), port(p.tls))
	ca, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	if err != nil || !p.roots.AppendCertsFromPEM(ca) {
		t.Fatalf("the server's authority: %v", err)
	}
	return p
}

func freeAddr(t *testing.T) string {
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

func (p *postOffice) transport(security Security) *Transport {
	t := &Transport{
		Server: p.starttls, Security: security, Username: username, Password: "s3cret",
		Helo: "muniment.council.test", Roots: p.roots, Idle: 20 * time.Second,
	}
	if security == TLS {
		t.Server = p.tls
	}
	return t
}

// mailbox waits until an address has at least n emails, and returns all, as sent:
// without the trace that the servers put before them, and with CRLF again.
func (p *postOffice) mailbox(t *testing.T, address string, n int) (mails [][]byte) {
	t.Helper()
	var names []string
	for range 200 {
		names, _ = filepath.Glob(filepath.Join(p.dir, "mail", address, "new", "*"))
		if len(names) >= n {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		mails = append(mails, withoutTrace(bytes.ReplaceAll(b, []byte("\n"), []byte("\r\n"))))
	}
	return mails
}

// withoutTrace drops the fields that servers put at the top: RFC 5321, 4.4.
func withoutTrace(b []byte) []byte {
	for {
		field, rest, _ := bytes.Cut(b, []byte("\r\n"))
		name, _, _ := strings.Cut(string(field), ":")
		switch name {
		case "Return-Path", "Delivered-To", "Received":
		default:
			return b
		}
		for bytes.HasPrefix(rest, []byte(" ")) || bytes.HasPrefix(rest, []byte("\t")) {
			_, rest, _ = bytes.Cut(rest, []byte("\r\n"))
		}
		b = rest
	}
}

func TestPostfixAndDovecot(t *testing.T) {
	p := openPostOffice(t)
	for _, security := range []Security{STARTTLS, TLS} {
		t.Run(string(security), func(t *testing.T) { p.takesAndKeeps(t, security) })
	}
	t.Run("full, then emptied", p.fullThenEmptied)
	t.Run("gone", p.gone)
	t.Run("wrong password, then mended", p.wrongPassword)
	t.Run("not trusted", func(t *testing.T) {
		tr := p.transport(STARTTLS)
		tr.Roots = newAuthority(t).roots()
		if _, err := tr.Send(t.Context(), username, "stranger@council.test", letter); err == nil {
			t.Error("sent to a server that nobody vouches for")
		}
	})
}

func (p *postOffice) takesAndKeeps(t *testing.T, security Security) {
	tr := p.transport(security)
	probe, err := tr.Check(t.Context())
	if err != nil || probe.TLS != "TLS 1.3" || probe.Login != "PLAIN" || time.Until(probe.Expires) < 24*time.Hour {
		t.Errorf("check: %+v, err %v", probe, err)
	}
	o := newOffice(t, tr.Send)
	kind := "letter-" + string(security)
	o.queue(kind, 1)
	o.deliver()
	it := o.expect(Item{Kind: kind, About: 1}, HandedOver, 1)
	if !strings.Contains(it.LastAnswer, "queued as") {
		t.Errorf("answer %q", it.LastAnswer)
	}
	want, _ := o.compose(t.Context(), it)
	if got := p.mailbox(t, it.To, 1); len(got) != 1 || !bytes.Equal(got[0], want) {
		t.Errorf("the mailbox has\n%q\nwant\n%q", got, want)
	}

	// All of it arrives as it was composed, also what is long or begins with a dot.
	long := fmt.Appendf(nil, "Message-ID: <long.%s@council.test>\r\nDate: Sun, 22 Nov 2026 12:00:00 +0000\r\n"+
		"From: %s\r\n\r\n%s", security, username, bytes.Repeat([]byte(".ŵ 📌 a line\r\n.\r\n"), 1<<16))
	if _, err := tr.Send(t.Context(), username, kind+"-long@council.test", long); err != nil {
		t.Fatal(err)
	}
	if got := p.mailbox(t, kind+"-long@council.test", 1); len(got) != 1 || !bytes.Equal(got[0], long) {
		t.Errorf("%d long emails, or not as sent", len(got))
	}
}

func (p *postOffice) fullThenEmptied(t *testing.T) {
	o := newOffice(t, p.transport(STARTTLS).Send)
	it := o.queue("full", 1)
	o.deliver()
	if got := o.expect(it, Waiting, 1); !strings.Contains(got.LastAnswer, "452 4.2.2") {
		t.Errorf("answer %q", got.LastAnswer)
	}
	if err := os.WriteFile(filepath.Join(p.dir, "recipients"), []byte("/^gone@/ 550 5.1.1 No such user\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("postfix", "-c", filepath.Join(p.dir, "postfix"), "reload").CombinedOutput(); err != nil {
		t.Fatalf("reload: %v\n%s", err, out)
	}
	for range 40 { // until Postfix's processes have been replaced
		o.step(2 * time.Hour)
		o.deliver()
		if o.find("full", 1).State == HandedOver {
			break
		}
		time.Sleep(250 * time.Millisecond)
	}
	it = o.find("full", 1)
	want, _ := o.compose(t.Context(), it)
	if got := p.mailbox(t, it.To, 1); it.State != HandedOver || len(got) != 1 || !bytes.Equal(got[0], want) {
		t.Errorf("%s (%s), the mailbox has\n%q\nwant\n%q", it.State, it.LastAnswer, got, want)
	}
}

func (p *postOffice) gone(t *testing.T) {
	o := newOffice(t, p.transport(TLS).Send)
	gone, letter := o.queue("gone", 1), o.queue("other", 1)
	o.deliver()
	if got := o.expect(gone, Refused, 1); !strings.Contains(got.LastAnswer, "550 5.1.1") {
		t.Errorf("answer %q", got.LastAnswer)
	}
	o.expect(letter, HandedOver, 1)
}

func (p *postOffice) wrongPassword(t *testing.T) {
	tr := p.transport(STARTTLS)
	tr.Password = "wrong"
	o := newOffice(t, tr.Send)
	it := o.queue("letter", 1)
	o.deliver()
	if got := o.expect(it, Waiting, 1); !strings.Contains(got.LastAnswer, "535 5.7.8") {
		t.Errorf("answer %q", got.LastAnswer)
	}
	tr.Password = "s3cret"
	o.step(time.Minute)
	o.deliver()
	o.expect(it, HandedOver, 2)
}
