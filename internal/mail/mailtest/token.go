//go:build integration

package mailtest

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// Tokens is a token endpoint as Microsoft has one, whose tokens the [Server] takes: an
// application that shows its secret is given one for an account.
type Tokens struct {
	ClientID, Secret string

	account string
	key     []byte // of the server
	cert    tls.Certificate
	addr    string

	mu     sync.Mutex
	server *http.Server // nil: the endpoint is down
	given  int
}

// OpenTokens opens a token endpoint that ends with the test. The server's authority
// vouches for it.
func (s *Server) OpenTokens(t testing.TB, account string) *Tokens {
	t.Helper()
	key, err := os.ReadFile(filepath.Join(s.Dir, "jwt.key"))
	if err != nil {
		t.Fatal(err)
	}
	o := &Tokens{
		ClientID: "an application", Secret: "the application's secret",
		account: account, key: key, cert: s.Certificate(t, "server"), addr: freeAddr(t),
	}
	o.Up(t)
	t.Cleanup(o.Down)
	return o
}

// URL is where tokens are given.
func (o *Tokens) URL() string { return "https://" + o.addr + "/token" }

// Given returns how many tokens were given.
func (o *Tokens) Given() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.given
}

// Down takes the endpoint down: nobody answers there.
func (o *Tokens) Down() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.server != nil {
		o.server.Close()
		o.server = nil
	}
}

// Up has the endpoint answer again.
func (o *Tokens) Up(t testing.TB) {
	t.Helper()
	l, err := net.Listen("tcp", o.addr)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(o.answer)}
	o.mu.Lock()
	o.server = server
	o.mu.Unlock()
	go server.Serve(tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{o.cert}}))
}

func (o *Tokens) answer(w http.ResponseWriter, r *http.Request) {
	say := func(status int, answer map[string]any) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(answer)
	}
	switch {
	case r.Method != http.MethodPost || r.FormValue("grant_type") != "client_credentials":
		say(http.StatusBadRequest, map[string]any{"error": "unsupported_grant_type"})
	case r.FormValue("client_id") != o.ClientID || r.FormValue("client_secret") != o.Secret:
		say(http.StatusUnauthorized, map[string]any{"error": "invalid_client",
			"error_description": "AADSTS7000215: Invalid client secret provided."})
	default:
		o.mu.Lock()
		o.given++
		o.mu.Unlock()
		say(http.StatusOK, map[string]any{"token_type": "Bearer", "expires_in": 3600, "access_token": o.token()})
	}
}

// token returns a JSON web token by which its bearer is the account.
func (o *Tokens) token() string {
	part := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			panic(err)
		}
		return base64.RawURLEncoding.EncodeToString(b)
	}
	now := time.Now().Unix()
	signed := part(map[string]string{"alg": "HS256", "typ": "JWT"}) + "." +
		part(map[string]any{"sub": o.ClientID, "upn": o.account, "iat": now, "exp": now + 3600})
	mac := hmac.New(sha256.New, o.key)
	mac.Write([]byte(signed))
	return signed + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}
