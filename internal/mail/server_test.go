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
	"io"
	"log"
	"math/big"
	"net"
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
	body           []byte
}

// serve starts a server that ends with the test. Without a certificate it offers
// no STARTTLS, but would take anything in the clear.
func serve(t *testing.T, security Security, config *tls.Config) *server {
	t.Helper()
	s := &server{mechanisms: []string{sasl.Plain, sasl.Login}, password: password}
	srv := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		return &serverSession{server: s, conn: c}, nil
	}))
	srv.Domain = "mail.test"
	srv.TLSConfig = config
	srv.AllowInsecureAuth = config == nil
	srv.ErrorLog = log.New(io.Discard, "", 0)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = l.Addr().String()
	l = smallListener{l}
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
type smallListener struct{ net.Listener }

func (l smallListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		c.(*net.TCPConn).SetReadBuffer(16 << 10)
	}
	return c, err
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
	if mechanism == sasl.Login {
		return &loginServer{check: check}, nil
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

func (s *serverSession) Mail(from string, _ *smtp.MailOptions) error {
	if !s.loggedIn && s.server.AuthRequired() {
		return smtp.ErrAuthRequired
	}
	s.m.from, s.m.helo = from, s.conn.Hostname()
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
