package main

import (
	"bytes"
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"muniment/internal/config"
	"muniment/internal/mail"
)

// tokenPost is a mail server that takes the token "good" and nothing else.
type tokenPost struct{}

func (tokenPost) AuthMechanisms() []string             { return []string{"XOAUTH2"} }
func (tokenPost) Mail(string, *smtp.MailOptions) error { return nil }
func (tokenPost) Rcpt(string, *smtp.RcptOptions) error { return nil }
func (tokenPost) Data(r io.Reader) error               { _, err := io.Copy(io.Discard, r); return err }
func (tokenPost) Reset()                               {}
func (tokenPost) Logout() error                        { return nil }
func (tokenPost) Auth(string) (sasl.Server, error)     { return tokenPost{}, nil }
func (tokenPost) Next(response []byte) ([]byte, bool, error) {
	if string(response) != "user=record@cranford.example\x01auth=Bearer good\x01\x01" {
		return nil, true, &smtp.SMTPError{Code: 535, EnhancedCode: smtp.EnhancedCode{5, 7, 3}, Message: "Authentication unsuccessful"}
	}
	return nil, true, nil
}

// check, from the configuration's file to the mail server, which takes tokens.
func TestCheckLogsInWithAToken(t *testing.T) {
	endpoint := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.FormValue("client_secret") != "s3cret" {
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"error":"invalid_client","error_description":"AADSTS7000222: The provided client secret keys are expired. Trace ID: 0"}`)
			return
		}
		fmt.Fprint(w, `{"token_type":"Bearer","expires_in":3600,"access_token":"good"}`)
	}))
	defer endpoint.Close()
	post := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return tokenPost{}, nil }))
	post.MaxMessageBytes, post.EnableSMTPUTF8 = 36_000_000, true
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: endpoint.TLS.Certificates})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error)
	go func() { served <- post.Serve(l) }()
	defer func() { post.Close(); <-served }()

	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	authority := write("ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: endpoint.Certificate().Raw})))
	expires := now().Add(10 * 24 * time.Hour)
	file := write("muniment.toml", fmt.Sprintf(`
state_directory = %q
[council]
domains = ["cranford.example"]
[mail]
server = %q
security = "tls"
username = "record@cranford.example"
from = "record@cranford.example"
auth = "oauth"
ca_file = %q
[mail.oauth]
token_url = "%s/tenant/oauth2/v2.0/token"
client_id = "the-client"
secret_file = %q
secret_expires = %s
`, filepath.Join(dir, "state"), l.Addr(), authority, endpoint.URL, filepath.Join(dir, "secret"), expires.Format(time.DateOnly)))
	check := func() string {
		cfg, err := config.Load(file)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		new(app).checkMail(t.Context(), &checklist{out: &out}, cfg, false)
		return out.String()
	}

	write("secret", "s3cret\n")
	_, port, _ := net.SplitHostPort(l.Addr().String())
	want := "ok         email: 127.0.0.1:" + port + " answers over TLS 1.3; logged in by XOAUTH2; it takes emails up to 36 MB; it takes addresses with letters beyond ASCII; " +
		"its certificate is valid until " + shortDate(endpoint.Certificate().NotAfter) + "\n" +
		"SEE TO IT  secret for mail tokens: it expires on " + shortDate(expires) + ", and from then on no email leaves: make a new one and correct secret_expires under [mail.oauth]\n"
	if got := check(); got != want {
		t.Errorf("check says\n%s\nwant\n%s", got, want)
	}
	write("secret", "old one\n")
	got := check()
	for _, want := range []string{"NOT RIGHT  email: no token to log in to the mail server", "AADSTS7000222", "make a new one for the application", "SEE TO IT  secret for mail tokens"} {
		if !strings.Contains(got, want) {
			t.Errorf("check says\n%s\nwithout %q", got, want)
		}
	}
	if strings.Contains(got, "old one") {
		t.Errorf("check tells the secret:\n%s", got)
	}
	if err := os.Remove(filepath.Join(dir, "secret")); err != nil {
		t.Fatal(err)
	}
	if got := check(); !strings.Contains(got, "NOT RIGHT  email: the secret for mail tokens is not there: put it in "+dir) {
		t.Errorf("without a secret, check says\n%s", got)
	}
}

func TestWhatCheckSaysOfTheMailServer(t *testing.T) {
	expires := time.Date(2027, 1, 3, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		p    mail.Probe
		want string
	}{
		{mail.Probe{TLS: "TLS 1.2", Expires: expires},
			"smtp.example:587 answers over TLS 1.2; its certificate is valid until 3 January 2027"},
		{mail.Probe{TLS: "TLS 1.3", Expires: expires, Login: "LOGIN", Size: 157286400},
			"smtp.example:587 answers over TLS 1.3; logged in by LOGIN; it takes emails up to 157 MB; its certificate is valid until 3 January 2027"},
	} {
		if got := aboutServer(config.Mail{Server: "smtp.example:587"}, tt.p); got != tt.want {
			t.Errorf("%s\nwant\n%s", got, tt.want)
		}
	}
	for _, tt := range []struct {
		expires time.Time
		want    string
	}{
		{time.Time{}, "SEE TO IT  secret for mail tokens: when it expires is not known"},
		{now().Add(31 * 24 * time.Hour), "ok         secret for mail tokens: expires on "},
		{now().Add(29 * 24 * time.Hour), "SEE TO IT  secret for mail tokens: it expires on "},
		{now().Add(-24 * time.Hour), "SEE TO IT  secret for mail tokens: it expires on "},
	} {
		var out bytes.Buffer
		(&checklist{out: &out}).showSecret(config.OAuth{SecretExpires: tt.expires})
		if !strings.HasPrefix(out.String(), tt.want) {
			t.Errorf("%s\nwant\n%s", out.String(), tt.want)
		}
	}
}

// Whoever is told of alerts is sent the test email too.
func TestCheckTriesTheAddressForAlerts(t *testing.T) {
	cfg := config.Config{Mail: config.Mail{Clerk: "clerk@cranford.example"}, Alerts: config.Alerts{TechnicalTo: "it@cranford.example"}}
	if got := fmt.Sprint(mailboxes(cfg)); got != "[clerk@cranford.example it@cranford.example]" {
		t.Errorf("it goes to %s", got)
	}
}

// The alert command is what is left when emails cannot be sent: that it cannot be run, nobody
// should learn only then.
func TestCheckLooksForTheAlertCommand(t *testing.T) {
	dir := t.TempDir()
	script := filepath.Join(dir, "page-somebody")
	if err := os.WriteFile(script, []byte("#!/bin/sh\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		command []string
		want    string
	}{
		{nil, ""},
		{[]string{"/bin/sh", "-c", "exit 1"}, "ok         alert command: /bin/sh is there"},
		{[]string{filepath.Join(dir, "gone")}, "NOT RIGHT  alert command: " + dir + "/gone cannot be run, so that nobody is told"},
		{[]string{script}, "NOT RIGHT  alert command: " + script},
		{[]string{dir}, "NOT RIGHT  alert command: " + dir},
	} {
		var out bytes.Buffer
		checkAlertCommand(&checklist{out: &out}, tt.command)
		if got := out.String(); !strings.HasPrefix(got, tt.want) || (got == "") != (tt.want == "") {
			t.Errorf("of %q check says %q; want %q", tt.command, got, tt.want)
		}
	}
}
