package mail

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
)

// letter has what a transport might spoil: leading dots, bytes beyond ASCII.
var letter = []byte("Message-ID: <letter.1@council.test>\r\n\r\n.\r\n..dots\r\nŵ £ 📌\r\n")

// transport returns one that would reach s.
func (s *server) transport(security Security, ca *authority) *Transport {
	return &Transport{
		Server: s.addr, Security: security, Username: username, Password: password,
		Helo: "muniment.council.test", Roots: ca.roots(), Idle: 10 * time.Second,
	}
}

// goodServer is one that does everything right.
func goodServer(t *testing.T, security Security) (*server, *Transport) {
	t.Helper()
	ca := newAuthority(t)
	s := serve(t, security, &tls.Config{Certificates: []tls.Certificate{ca.issue(t, "127.0.0.1", time.Now().Add(time.Hour))}})
	return s, s.transport(security, ca)
}

func TestSend(t *testing.T) {
	for _, security := range []Security{STARTTLS, TLS} {
		for _, mechanism := range []string{sasl.Plain, sasl.Login, ""} {
			t.Run(fmt.Sprintf("%s with login by %q", security, mechanism), func(t *testing.T) {
				s, tr := goodServer(t, security)
				s.do(func(s *server) { s.mechanisms = []string{mechanism} })
				if mechanism == "" {
					tr.Username = ""
					s.do(func(s *server) { s.password = "" })
				}
				got, err := tr.Send(t.Context(), "council@council.test", "clerk@council.test", letter)
				if err != nil || !strings.HasPrefix(got, "250 ") {
					t.Fatalf("answer %q, err %v", got, err)
				}
				mails := s.mails()
				if len(mails) != 1 || !bytes.Equal(mails[0].body, letter) {
					t.Fatalf("the server has %q; want the letter once", mails)
				}
				if m := mails[0]; m.from != "council@council.test" || m.to != "clerk@council.test" || m.helo != "muniment.council.test" {
					t.Errorf("from %q to %q by %q", m.from, m.to, m.helo)
				}
			})
		}
	}
}

func TestNothingIsSentUnlessProtected(t *testing.T) {
	ca, stranger := newAuthority(t), newAuthority(t)
	soon := time.Now().Add(time.Hour)
	with := func(c tls.Certificate) *tls.Config { return &tls.Config{Certificates: []tls.Certificate{c}} }
	old := with(ca.issue(t, "127.0.0.1", soon))
	old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	for _, tt := range []struct {
		name   string
		config *tls.Config
	}{
		{"certificate by an unknown authority", with(stranger.issue(t, "127.0.0.1", soon))},
		{"certificate for another server", with(ca.issue(t, "mail.elsewhere.test", soon))},
		{"certificate expired", with(ca.issue(t, "127.0.0.1", time.Now().Add(-time.Minute)))},
		{"TLS too old", old},
		{"STARTTLS not offered", nil},
	} {
		for _, security := range []Security{STARTTLS, TLS} {
			if security == TLS && tt.config == nil {
				continue
			}
			t.Run(fmt.Sprintf("%s, %s", tt.name, security), func(t *testing.T) {
				s := serve(t, security, tt.config)
				_, err := s.transport(security, ca).Send(t.Context(), "council@council.test", "clerk@council.test", letter)
				var f *Failure
				if !errors.As(err, &f) || f.Stage != Securing || !f.General() || f.Permanent() {
					t.Errorf("err %v; want a general failure while securing", err)
				}
				if s.tried() != 0 || len(s.mails()) != 0 {
					t.Errorf("%d logins, %d emails; want none", s.tried(), len(s.mails()))
				}
			})
		}
	}
	t.Run("no security chosen", func(t *testing.T) {
		s := serve(t, STARTTLS, old)
		if _, err := s.transport("", ca).Send(t.Context(), "a@council.test", "b@council.test", letter); err == nil {
			t.Error("sent")
		}
	})
}

func TestFailuresTellWhatToDo(t *testing.T) {
	for _, tt := range []struct {
		name               string
		set                func(s *server)
		stage              Stage
		code               int
		enhanced           string
		permanent, general bool
	}{
		{name: "wrong password", set: func(s *server) { s.password = "another" },
			stage: LoggingIn, code: 535, enhanced: "5.7.8", general: true},
		{name: "no mechanism of ours", set: func(s *server) { s.mechanisms = []string{"XOAUTH2"} },
			stage: LoggingIn, general: true},
		{name: "sender not ours", set: func(s *server) {
			s.onMail = func(string) error { return answer(553, [3]int{5, 7, 1}, "not your address") }
		}, stage: NamingSender, code: 553, enhanced: "5.7.1", general: true},
		{name: "email too large", set: func(s *server) {
			s.onMail = func(string) error { return answer(552, [3]int{5, 3, 4}, "too large") }
		}, stage: NamingSender, code: 552, enhanced: "5.3.4", permanent: true},
		{name: "no such recipient", set: func(s *server) {
			s.onRcpt = func(string) error { return answer(550, [3]int{5, 1, 1}, "gone") }
		}, stage: NamingRecipient, code: 550, enhanced: "5.1.1", permanent: true},
		{name: "mailbox full for now", set: func(s *server) {
			s.onRcpt = func(string) error { return answer(452, [3]int{4, 2, 2}, "full") }
		}, stage: NamingRecipient, code: 452, enhanced: "4.2.2"},
		{name: "enhanced code takes the refusal back", set: func(s *server) {
			s.onRcpt = func(string) error { return answer(550, [3]int{4, 7, 1}, "greylisted") }
		}, stage: NamingRecipient, code: 550, enhanced: "4.7.1"},
		{name: "logged in, but told to", set: func(s *server) {
			s.onRcpt = func(string) error { return answer(530, [3]int{5, 7, 57}, "not authenticated") }
		}, stage: NamingRecipient, code: 530, enhanced: "5.7.57", general: true},
		{name: "content refused", set: func(s *server) {
			s.beforeData = nil
			s.onRcpt = nil
			s.onData = refuseData
		}, stage: GivingMessage, code: 554, enhanced: "5.7.1", permanent: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, tr := goodServer(t, STARTTLS)
			s.do(tt.set)
			_, err := tr.Send(t.Context(), "council@council.test", "clerk@council.test", letter)
			var f *Failure
			if !errors.As(err, &f) {
				t.Fatalf("err %v; want a Failure", err)
			}
			if f.Stage != tt.stage || f.Code != tt.code || f.Enhanced != tt.enhanced || f.Permanent() != tt.permanent || f.General() != tt.general {
				t.Errorf("%s: stage %q, %d %q, permanent %v, general %v; want %q, %d %q, %v, %v", f,
					f.Stage, f.Code, f.Enhanced, f.Permanent(), f.General(), tt.stage, tt.code, tt.enhanced, tt.permanent, tt.general)
			}
			if text := f.Error(); !strings.Contains(text, s.addr) || f.Enhanced != "" && !strings.Contains(text, fmt.Sprint(f.Code, " ", f.Enhanced, " ")) {
				t.Errorf("%q names neither server nor answer", text)
			}
			if len(s.mails()) != 0 {
				t.Errorf("%d emails kept", len(s.mails()))
			}
		})
	}
}

func TestSendEndsWhenTheServerHangs(t *testing.T) {
	hang := make(chan struct{})
	t.Cleanup(func() { close(hang) })
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	for _, tt := range []struct {
		name    string
		stage   Stage
		msg     []byte
		set     func(s *server, tr *Transport)
		unknown bool
	}{
		{"before its greeting", Securing, letter, func(_ *server, tr *Transport) { tr.Server = silent.Addr().String() }, false},
		{"taking nothing of the email", GivingMessage, bytes.Repeat([]byte("a line of a long letter\r\n"), 1<<19),
			func(s *server, _ *Transport) { s.beforeData = func() { <-hang } }, false},
		{"after the email's end", GivingMessage, letter,
			func(s *server, _ *Transport) { s.onData = hangingData(hang) }, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, tr := goodServer(t, STARTTLS)
			tr.Idle = 1500 * time.Millisecond
			s.do(func(s *server) { tt.set(s, tr) })
			start := time.Now()
			_, err := tr.Send(t.Context(), "council@council.test", "clerk@council.test", tt.msg)
			var f *Failure
			if !errors.As(err, &f) || f.Stage != tt.stage || f.Permanent() || f.General() != (tt.stage == Securing) || f.Unknown() != tt.unknown {
				t.Errorf("err %v; want a temporary failure at stage %q, unknown: %v", err, tt.stage, tt.unknown)
			}
			if d := time.Since(start); d > 8*time.Second {
				t.Errorf("took %v", d)
			}
		})
		t.Run(tt.name+", until ctx is done", func(t *testing.T) {
			t.Parallel()
			s, tr := goodServer(t, STARTTLS)
			s.do(func(s *server) { tt.set(s, tr) })
			ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
			defer cancel()
			start := time.Now()
			_, err := tr.Send(ctx, "council@council.test", "clerk@council.test", tt.msg)
			var f *Failure
			if !errors.Is(err, context.DeadlineExceeded) || tt.unknown != (errors.As(err, &f) && f.Unknown()) {
				t.Errorf("err %v; want ctx's, unknown: %v", err, tt.unknown)
			}
			if d := time.Since(start); d > 8*time.Second {
				t.Errorf("took %v", d)
			}
		})
	}
}

func TestCheckSendsNothing(t *testing.T) {
	s, tr := goodServer(t, TLS)
	p, err := tr.Check(t.Context())
	if err != nil || p.TLS != "TLS 1.3" || p.Login != sasl.Plain || time.Until(p.Expires) < 50*time.Minute {
		t.Errorf("%+v, err %v", p, err)
	}
	if s.tried() != 1 || len(s.mails()) != 0 {
		t.Errorf("%d logins, %d emails; want 1 and none", s.tried(), len(s.mails()))
	}
	tr.Password = "wrong"
	if _, err := tr.Check(t.Context()); err == nil || strings.Contains(err.Error(), "wrong") {
		t.Errorf("err %v; want one, without the password", err)
	}
}

func TestSendWithoutServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	tr := &Transport{Server: l.Addr().String(), Security: TLS}
	var f *Failure
	if _, err := tr.Send(t.Context(), "a@council.test", "b@council.test", letter); !errors.As(err, &f) || f.Stage != Connecting || !f.General() {
		t.Errorf("err %v; want a general failure while connecting", err)
	}
}
