package mail

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"golang.org/x/oauth2"
)

const secret = "a~client+secret/not=for the.log"

// tokens is an endpoint that gives tokens, as Microsoft Entra does.
type tokens struct {
	server *httptest.Server
	given  atomic.Int32 // so far
	lives  int          // how long each is good, in seconds

	// answer, if not nil, answers instead.
	answer http.HandlerFunc
}

func giveTokens(t *testing.T, ca *authority) *tokens {
	t.Helper()
	e := &tokens{lives: 3600}
	e.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if e.answer != nil {
			e.answer(w, r)
			return
		}
		got := fmt.Sprintf("%s %s %s %s", r.Method, r.FormValue("grant_type"), r.FormValue("client_id"), r.FormValue("scope"))
		if got != "POST client_credentials the-client https://outlook.office365.com/.default" || r.FormValue("client_secret") != secret {
			deny(w, 401, "invalid_client", "AADSTS7000215: Invalid client secret provided.")
			return
		}
		n := e.given.Add(1)
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"token_type":"Bearer","expires_in":%d,"ext_expires_in":%d,"access_token":"token-%d"}`, e.lives, e.lives, n)
	}))
	e.server.TLS = &tls.Config{Certificates: []tls.Certificate{ca.issue(t, "127.0.0.1", time.Now().Add(time.Hour))}}
	e.server.StartTLS()
	t.Cleanup(e.server.Close)
	return e
}

// deny answers as RFC 6749, section 5.2, has it.
func deny(w http.ResponseWriter, status int, code, description string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"error":%q,"error_description":%q,"trace_id":"0","correlation_id":"0"}`, code, description)
}

// takeTokens returns a mail server that takes the token named, by these mechanisms, an
// endpoint that gives tokens, and a transport that knows both.
func takeTokens(t *testing.T, token string, mechanisms ...string) (*server, *tokens, *Transport) {
	t.Helper()
	ca := newAuthority(t)
	s := serve(t, STARTTLS, &tls.Config{Certificates: []tls.Certificate{ca.issue(t, "127.0.0.1", time.Now().Add(time.Hour))}})
	s.do(func(s *server) { s.token, s.mechanisms = token, mechanisms })
	e := giveTokens(t, ca)
	tr := s.transport(STARTTLS, ca)
	tr.Password = ""
	tr.OAuth = &OAuth{
		TokenURL: e.server.URL + "/tenant/oauth2/v2.0/token", ClientID: "the-client", Secret: secret,
		Scope: "https://outlook.office365.com/.default", Roots: ca.roots(),
	}
	t.Cleanup(tr.Close)
	return s, e, tr
}

func TestLogInWithAToken(t *testing.T) {
	for _, tt := range []struct {
		offered []string
		taken   string
	}{
		{[]string{sasl.Login, "XOAUTH2"}, "XOAUTH2"}, // Exchange Online
		{[]string{sasl.OAuthBearer, sasl.Plain, "XOAUTH2"}, "XOAUTH2"},
		{[]string{sasl.Plain, sasl.OAuthBearer}, sasl.OAuthBearer},
	} {
		t.Run(strings.Join(tt.offered, " "), func(t *testing.T) {
			s, e, tr := takeTokens(t, "token-1", tt.offered...)
			if p, err := tr.Check(t.Context()); err != nil || p.Login != tt.taken {
				t.Fatalf("%+v, err %v; want %s", p, err, tt.taken)
			}
			mustSend(t, tr)
			s.drop()
			mustSend(t, tr)
			if e.given.Load() != 1 || s.tried() != 2 {
				t.Errorf("%d tokens for %d logins; want one for both", e.given.Load(), s.tried())
			}
		})
	}
}

func TestATokenThatIsRefused(t *testing.T) {
	for _, mechanism := range []string{"XOAUTH2", sasl.OAuthBearer} {
		t.Run(mechanism+", a new one, too", func(t *testing.T) {
			s, e, tr := takeTokens(t, "another", mechanism)
			_, err := tr.Send(t.Context(), ourselves, clerk, letter)
			var f *Failure
			if !errors.As(err, &f) || f.Stage != LoggingIn || f.Code != 535 || f.Enhanced != "5.7.3" || !f.Credentials() || !f.General() || f.Permanent() {
				t.Fatalf("err %v; want it for the sake of credentials", err)
			}
			for _, want := range []string{"535 5.7.3", "Add-MailboxPermission", "Set-CASMailbox", "New-ServicePrincipal"} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
			if strings.Contains(err.Error(), "token-") || len([]rune(err.Error())) > 500 {
				t.Errorf("%q holds the token, or is too long to be kept", err)
			}
			if e.given.Load() != 1 || s.tried() != 1 {
				t.Errorf("%d tokens, %d logins: a new one that is refused was tried again", e.given.Load(), s.tried())
			}
		})
		t.Run(mechanism+", after it was good", func(t *testing.T) {
			s, e, tr := takeTokens(t, "token-1", mechanism)
			mustSend(t, tr)
			s.drop()
			s.do(func(s *server) { s.token = "token-2" }) // the first was revoked
			mustSend(t, tr)
			if e.given.Load() != 2 || s.tried() != 3 {
				t.Errorf("%d tokens, %d logins; want 2 and 3", e.given.Load(), s.tried())
			}
		})
	}
	t.Run("that ends soon is replaced before", func(t *testing.T) {
		s, e, tr := takeTokens(t, "token-1", "XOAUTH2")
		e.lives = int(early/time.Second) - 1
		mustSend(t, tr)
		mustSend(t, tr) // on the same connection: no login
		if e.given.Load() != 1 {
			t.Errorf("%d tokens for one login", e.given.Load())
		}
		s.drop()
		s.do(func(s *server) { s.token = "token-2" })
		mustSend(t, tr)
		if s.tried() != 2 {
			t.Errorf("%d logins; want 2, none of them in vain", s.tried())
		}
	})
	t.Run("no mechanism for one", func(t *testing.T) {
		_, _, tr := takeTokens(t, "token-1", sasl.Plain, sasl.Login)
		_, err := tr.Send(t.Context(), ourselves, clerk, letter)
		if err == nil || !strings.Contains(err.Error(), "neither XOAUTH2 nor OAUTHBEARER, which a token needs; it offers PLAIN LOGIN") {
			t.Errorf("err %v", err)
		}
	})
}

func TestNoToken(t *testing.T) {
	describe := func(number int, what string) string {
		return fmt.Sprintf("AADSTS%d: %s Trace ID: 6f0e3f0c Correlation ID: 11 Timestamp: 2026-11-23 09:00:00Z", number, what)
	}
	for _, tt := range []struct {
		name        string
		set         func(e *tokens, o *OAuth)
		want        []string
		credentials bool
	}{
		{"wrong secret", func(_ *tokens, o *OAuth) { o.Secret = "wrong" }, []string{"AADSTS7000215", "Value, not its Secret ID"}, true},
		{"expired secret", denying(401, "invalid_client", describe(7000222, "The provided client secret keys are expired.")),
			[]string{"AADSTS7000222", "has expired", "secret_expires"}, true},
		{"unknown application", denying(400, "unauthorized_client", describe(700016, "Application with identifier 'x' was not found in the directory.")),
			[]string{"AADSTS700016", "client_id"}, true},
		{"unknown tenant", denying(400, "invalid_request", describe(90002, "Tenant 'nowhere' not found.")),
			[]string{"AADSTS90002", "correct tenant"}, true},
		{"scope", denying(400, "invalid_scope", describe(1002012, "The provided value for scope is not valid.")), []string{"/.default"}, true},
		{"an error without Microsoft's number", denying(401, "invalid_client", ""), []string{"invalid_client", "correct client_id"}, true},
		{"an error we do not know", denying(400, "strange", "Computer says no."), []string{"Computer says no."}, true},
		{"out of order", denying(503, "temporarily_unavailable", "AADSTS90033: A transient error has occurred."), []string{"transient"}, false},
		{"too many questions", denying(429, "invalid_request", "slow down"), []string{"slow down"}, false},
		{"a proxy in between", func(e *tokens, _ *OAuth) {
			e.answer = func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "<html>log in", http.StatusBadGateway) }
		}, []string{"502 Bad Gateway"}, false},
		{"no token in the answer", func(e *tokens, _ *OAuth) {
			e.answer = func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "{}") }
		}, []string{"an answer that is no token"}, false},
		{"sent elsewhere", func(e *tokens, _ *OAuth) {
			e.answer = func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, "http://127.0.0.1:1/elsewhere", http.StatusTemporaryRedirect)
			}
		}, []string{"307"}, false},
		{"nobody vouches for it", func(_ *tokens, o *OAuth) { o.Roots = newAuthority(t).roots() }, []string{"unknown authority"}, false},
		{"not protected", func(_ *tokens, o *OAuth) { o.TokenURL = strings.Replace(o.TokenURL, "https:", "http:", 1) }, []string{"no https address"}, false},
		{"not there", func(e *tokens, _ *OAuth) { e.server.Close() }, []string{"connection refused"}, false},
		{"repeats what it was sent", func(e *tokens, _ *OAuth) {
			e.answer = func(w http.ResponseWriter, r *http.Request) {
				deny(w, 400, "invalid_client", "I do not know "+r.FormValue("client_secret")+", sent as "+url.QueryEscape(r.FormValue("client_secret")))
			}
		}, []string{"I do not know (the secret), sent as (the secret)"}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, e, tr := takeTokens(t, "token-1", "XOAUTH2")
			tt.set(e, tr.OAuth)
			_, err := tr.Send(t.Context(), ourselves, clerk, letter)
			var f *Failure
			if !errors.As(err, &f) || f.Stage != Authorizing || !f.General() || f.Permanent() || f.Credentials() != tt.credentials {
				t.Fatalf("err %v; want a general failure, for the sake of credentials: %v", err, tt.credentials)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
			for _, bad := range []string{secret, url.QueryEscape(secret), "Trace ID", "<html>", "\n"} {
				if strings.Contains(err.Error(), bad) {
					t.Errorf("%q holds %q", err, bad)
				}
			}
			if opened, _ := s.connections(); opened != 0 {
				t.Errorf("%d connections without a token", opened)
			}
		})
	}
	t.Run("no answer", func(t *testing.T) {
		_, e, tr := takeTokens(t, "token-1", "XOAUTH2")
		e.answer = func(_ http.ResponseWriter, r *http.Request) {
			r.ParseForm()
			<-r.Context().Done()
		}
		tr.Idle = time.Second
		_, err := tr.Send(t.Context(), ourselves, clerk, letter)
		var f *Failure
		if !errors.As(err, &f) || f.Stage != Authorizing || !strings.Contains(err.Error(), "did not answer in time") {
			t.Errorf("err %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		tr.Idle = time.Minute
		if _, err := tr.Send(ctx, ourselves, clerk, letter); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("err %v; want ctx's", err)
		}
	})
}

func denying(status int, code, description string) func(*tokens, *OAuth) {
	return func(e *tokens, _ *OAuth) {
		e.answer = func(w http.ResponseWriter, _ *http.Request) { deny(w, status, code, description) }
	}
}

// Whatever an endpoint says, what we make of it is a line of sensible length without
// the secret.
func FuzzDenial(f *testing.F) {
	f.Add(400, "invalid_client", "AADSTS7000215: Invalid client secret provided. Trace ID: 0", "s3cret~value")
	f.Add(503, "", "", "s3cret~value")
	f.Add(401, "a\x00b", strings.Repeat("Ŵ", 200)+"s3cret~value", "s3cret~value")
	f.Fuzz(func(t *testing.T, status int, code, description, secret string) {
		if len(secret) < 8 || strings.ContainsAny(secret, " \t\r\n\v\f\u0085\u00a0") || strings.Contains("(the secret)", secret) {
			t.Skip("no secret")
		}
		o := &OAuth{Secret: secret}
		d := o.denial("login.test", &oauth2.RetrieveError{
			Response: &http.Response{StatusCode: status, Status: http.StatusText(status)}, ErrorCode: code, ErrorDescription: description,
		})
		if len(d.text) > mostWords+300 || strings.ContainsAny(d.text, "\r\n") {
			t.Errorf("%q", d.text)
		}
		said := strings.TrimPrefix(d.text, "login.test said: ")
		if strings.Contains(strings.ReplaceAll(said, "(the secret)", ""), secret) && !adviceHolds(secret) {
			t.Errorf("%q holds the secret", d.text)
		}
	})
}

// adviceHolds reports whether our own words happen to hold s.
func adviceHolds(s string) bool {
	for _, m := range []map[string]string{entraAdvice, oauthAdvice} {
		for _, advice := range m {
			if strings.Contains(": "+advice, s) {
				return true
			}
		}
	}
	return false
}
