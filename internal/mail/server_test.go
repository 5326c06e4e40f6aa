package mail

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"math/big"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

const (
	username = "council@council.test"
	password = "not for the log"
)

// An authority issues certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{key: newKey(t)}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "Test CA"},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	a.cert, _ = a.sign(t, template, template, a.key)
	return a
}

// issue returns a certificate for an address or a name.
func (a *authority) issue(t *testing.T, host string, until time.Time) tls.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2),
		NotBefore:    time.Now().Add(-2 * time.Hour),
		NotAfter:     until,
	}
	if ip := net.ParseIP(host); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{host}
	}
	key := newKey(t)
	_, der := a.sign(t, template, a.cert, key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func (a *authority) sign(t *testing.T, template, parent *x509.Certificate, key *ecdsa.PrivateKey) (*x509.Certificate, []byte) {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, der
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (a *authority) roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// A server is a real mail server that misbehaves as it is told.
type server struct {
	addr string

	mu         sync.Mutex
	mechanisms []string
	password   string
	token      string // what is taken by XOAUTH2 and OAUTHBEARER
	conns      map[net.Conn]bool
	opened     int // connections so far
	logins     int // tried
	kept       []kept
	onMail     func(from string) error
	onRcpt     func(to string) error
	onData     func(c *smtp.Conn, m kept) error // after the whole email was received
	beforeData func()
}

// kept is an email that the server has accepted.
type kept struct {
	from, to, helo string
	parameters     string // of MAIL: SMTPUTF8, or none
	body           []byte
}

// serve starts a server that ends with the test. Without a certificate it offers
// no STARTTLS, but would take anything in the clear.
func serve(t *testing.T, security Security, config *tls.Config, set ...func(*smtp.Server)) *server {
	t.Helper()
	s := &server{mechanisms: []string{sasl.Plain, sasl.Login}, password: password, conns: make(map[net.Conn]bool)}
	srv := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		return &serverSession{server: s, conn: c}, nil
	}))
	srv.Domain = "mail.test"
	srv.TLSConfig = config
	srv.AllowInsecureAuth = config == nil
	srv.ErrorLog = log.New(io.Discard, "", 0)
	for _, f := range set {
		f(srv)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = l.Addr().String()
	l = smallListener{l, s}
	if security == TLS {
		l = tls.NewListener(l, config)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		srv.Serve(l)
	}()
	t.Cleanup(func() {
		srv.Close()
		l.Close() // which it does not know yet, if it has not come to serve
		<-done
	})
	return s
}

// do changes how the server behaves.
func (s *server) do(f func(s *server)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s)
}

func (s *server) mails() []kept {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]kept(nil), s.kept...)
}

func (s *server) tried() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.logins
}

// smallListener accepts connections with small buffers, so that a server that
// does not read is felt soon.
type smallListener struct {
	net.Listener
	server *server
}

func (l smallListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c.(*net.TCPConn).SetReadBuffer(16 << 10)
	c = countedConn{c, l.server}
	l.server.do(func(s *server) {
		s.conns[c] = true
		s.opened++
	})
	return c, nil
}

// countedConn tells its server that it was closed.
type countedConn struct {
	net.Conn
	server *server
}

func (c countedConn) Close() error {
	c.server.do(func(s *server) { delete(s.conns, c) })
	return c.Conn.Close()
}

// connections returns how many there were, and how many there are.
func (s *server) connections() (opened, open int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.opened, len(s.conns)
}

// drop breaks all connections, as a server that has waited long enough.
func (s *server) drop() {
	s.mu.Lock()
	conns := slices.Collect(maps.Keys(s.conns))
	s.mu.Unlock()
	for _, c := range conns {
		c.Close()
	}
}

type serverSession struct {
	server   *server
	conn     *smtp.Conn
	loggedIn bool
	m        kept
}

func (s *serverSession) Reset()        { s.m = kept{} }
func (s *serverSession) Logout() error { return nil }

func (s *serverSession) AuthMechanisms() []string {
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	return s.server.mechanisms
}

func (s *serverSession) Auth(mechanism string) (sasl.Server, error) {
	check := func(_, user, pass string) error {
		s.server.mu.Lock()
		defer s.server.mu.Unlock()
		s.server.logins++
		if user != username || pass != s.server.password {
			return &smtp.SMTPError{Code: 535, EnhancedCode: smtp.EnhancedCode{5, 7, 8}, Message: "go away, " + user}
		}
		s.loggedIn = true
		return nil
	}
	switch mechanism {
	case sasl.Login:
		return &loginServer{check: check}, nil
	case xoauth2Name:
		return &tokenServer{session: s, want: "user=%s\x01auth=Bearer %s\x01\x01", last: ""}, nil
	case sasl.OAuthBearer:
		return &tokenServer{session: s, want: "n,a=%s,\x01auth=Bearer %s\x01\x01", last: "\x01"}, nil
	}
	return sasl.NewPlainServer(check), nil
}

// loginServer is the server's side of LOGIN, which go-sasl does not have.
type loginServer struct {
	check func(identity, user, pass string) error
	user  string
}

func (l *loginServer) Next(response []byte) (challenge []byte, done bool, err error) {
	switch {
	case response == nil:
		return []byte("Username:"), false, nil
	case l.user == "":
		l.user = string(response)
		return []byte("Password:"), false, nil
	}
	return nil, true, l.check("", l.user, string(response))
}

// tokenServer is the server's side of XOAUTH2 and OAUTHBEARER. It explains in a
// challenge that it does not take a token, and refuses once that was answered.
type tokenServer struct {
	session *serverSession
	want    string // with the right user and token
	last    string // the answer to the explanation
	refused bool
}

func (o *tokenServer) Next(response []byte) (challenge []byte, done bool, err error) {
	server := o.session.server
	server.mu.Lock()
	defer server.mu.Unlock()
	switch {
	case o.refused && string(response) != o.last:
		return nil, true, answer(501, [3]int{5, 5, 2}, "that is no answer")
	case o.refused:
		return nil, true, answer(535, [3]int{5, 7, 3}, "Authentication unsuccessful")
	}
	server.logins++
	if string(response) != fmt.Sprintf(o.want, username, server.token) {
		o.refused = true
		return []byte(`{"status":"400","schemes":"Bearer"}`), false, nil
	}
	o.session.loggedIn = true
	return nil, true, nil
}

func (s *serverSession) Mail(from string, options *smtp.MailOptions) error {
	if !s.loggedIn && s.server.AuthRequired() {
		return smtp.ErrAuthRequired
	}
	s.m.from, s.m.helo = from, s.conn.Hostname()
	if options.UTF8 {
		s.m.parameters = "SMTPUTF8"
	}
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	if s.server.onMail != nil {
		return s.server.onMail(from)
	}
	return nil
}

func (s *server) AuthRequired() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.password != ""
}

func (s *serverSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.m.to = to
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	if s.server.onRcpt != nil {
		return s.server.onRcpt(to)
	}
	return nil
}

func (s *serverSession) Data(r io.Reader) error {
	s.server.mu.Lock()
	before, after := s.server.beforeData, s.server.onData
	s.server.mu.Unlock()
	if before != nil {
		before()
	}
	var b bytes.Buffer
	if _, err := b.ReadFrom(r); err != nil {
		return err
	}
	s.m.body = b.Bytes()
	if after != nil {
		if err := after(s.conn, s.m); err != nil {
			return err
		}
	}
	s.server.keep(s.m)
	return nil
}

func (s *server) keep(m kept) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept = append(s.kept, m)
}

// answer is an SMTP error with which a server answers.
func answer(code int, enhanced [3]int, text string) error {
	return &smtp.SMTPError{Code: code, EnhancedCode: enhanced, Message: text}
}

// dieUnanswered keeps the email and breaks the connection.
func (s *server) dieUnanswered(c *smtp.Conn, m kept) error {
	s.keep(m)
	c.Conn().Close()
	return errors.New("the connection is gone")
}

func refuseData(*smtp.Conn, kept) error {
	return answer(554, [3]int{5, 7, 1}, "not like this")
}

// hangingData gives no answer until release is closed.
func hangingData(release <-chan struct{}) func(*smtp.Conn, kept) error {
	return func(*smtp.Conn, kept) error {
		<-release
		return errors.New("too late")
	}
}
