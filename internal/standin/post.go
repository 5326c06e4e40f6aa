package standin

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// A Post is the council's mail server, at the other end of the story: it takes
// mail over STARTTLS, for a password, and keeps every email as a file. Its
// certificate is the stand-in's; see [Server.CAFile].
type Post struct {
	dir            string
	user, password string
	addr           string
	listener       net.Listener
	server         *smtp.Server
	served         chan error

	mu     sync.Mutex
	emails [][]byte
}

// OpenPost opens a mail server that knows one account and keeps what it is sent
// in dir, as 001.eml, 002.eml and so on. dir is made if it does not exist.
func (s *Server) OpenPost(dir, user, password string) (*Post, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open mail server: %w", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("open mail server: %w", err)
	}
	p := &Post{dir: dir, user: user, password: password, addr: l.Addr().String(), listener: l, served: make(chan error, 1)}
	p.server = smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &delivery{post: p}, nil }))
	p.server.Domain = "mail.council.example"
	p.server.TLSConfig = &tls.Config{GetCertificate: s.tls.certificate, MinVersion: tls.VersionTLS12}
	p.server.ErrorLog = discard{} // a client that is killed in mid-sentence is part of the story
	go func() { p.served <- p.server.Serve(l) }()
	return p, nil
}

// Addr is where the server listens, host and port.
func (p *Post) Addr() string { return p.addr }

// Dir is where the emails lie.
func (p *Post) Dir() string { return p.dir }

// Emails returns what arrived so far, oldest first.
func (p *Post) Emails() [][]byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.emails)
}

// Close ends the server.
func (p *Post) Close() error {
	err := p.server.Close()
	p.listener.Close() // which the server does not know yet, if it has not come to serve
	if served := <-p.served; !errors.Is(served, smtp.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// keep takes in one email; when it returns nil the email is safe.
func (p *Post) keep(msg []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	path := filepath.Join(p.dir, fmt.Sprintf("%03d.eml", len(p.emails)+1))
	if err := os.WriteFile(path, msg, 0o600); err != nil {
		return err
	}
	p.emails = append(p.emails, msg)
	return nil
}

// A delivery is one connection to the mail server.
type delivery struct {
	post     *Post
	loggedIn bool
}

func (d *delivery) AuthMechanisms() []string { return []string{sasl.Plain} }

func (d *delivery) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != d.post.user || password != d.post.password {
			return smtp.ErrAuthFailed
		}
		d.loggedIn = true
		return nil
	}), nil
}

func (d *delivery) Mail(string, *smtp.MailOptions) error {
	if !d.loggedIn {
		return smtp.ErrAuthRequired
	}
	return nil
}

func (d *delivery) Rcpt(string, *smtp.RcptOptions) error { return nil }
func (d *delivery) Reset()                               {}
func (d *delivery) Logout() error                        { return nil }

func (d *delivery) Data(r io.Reader) error {
	var b bytes.Buffer
	if _, err := io.Copy(&b, r); err != nil {
		return err
	}
	return d.post.keep(b.Bytes())
}

type discard struct{}

func (discard) Printf(string, ...any) {}
func (discard) Println(...any)        {}
