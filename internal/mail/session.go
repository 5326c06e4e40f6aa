package mail

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/emersion/go-smtp"
)

// A session is a protected connection on which we are logged in.
type session struct {
	client *smtp.Client
	raw    net.Conn // what lies beneath
	conn   *steadyConn
	probe  Probe
	emails int // handed over on it

	// Of the email that is put on it:
	begun bool // the server had us begin it: it may have had some of it
	whole bool // its end was given
}

// open connects, secures the connection and logs in.
func (t *Transport) open(ctx context.Context) (*session, error) {
	opening, cancel := context.WithTimeoutCause(ctx, t.idle(), errors.New("it did not answer in time"))
	defer cancel()
	token, fresh := "", true
	for {
		if t.OAuth != nil && t.Username != "" {
			var err error
			if token, fresh, err = t.OAuth.token(opening); err != nil {
				return nil, t.failure(ctx, Authorizing, inTime(opening, err))
			}
		}
		s, stage, err := t.dial(opening, token)
		if err == nil {
			t.learn(s.probe)
			return s, nil
		}
		err = t.failure(ctx, stage, inTime(opening, err))
		var f *Failure
		if fresh || !errors.As(err, &f) || !f.Credentials() {
			return nil, err
		}
		t.OAuth.forget() // it may have been revoked: a new one shows
	}
}

// inTime returns why ctx is done if that is the reason of err.
func inTime(ctx context.Context, err error) error {
	var answer *smtp.SMTPError
	if cause := context.Cause(ctx); cause != nil && !errors.As(err, &answer) {
		return cause
	}
	return err
}

// dial opens a session, or says at which stage that failed. ctx bounds no more than
// the opening.
func (t *Transport) dial(ctx context.Context, token string) (*session, Stage, error) {
	host, _, err := net.SplitHostPort(t.Server)
	if err != nil {
		return nil, Connecting, err
	}
	raw, err := new(net.Dialer).DialContext(ctx, "tcp", t.Server)
	if err != nil {
		return nil, Connecting, err
	}
	s := &session{raw: raw, conn: &steadyConn{Conn: raw, idle: t.idle()}}
	release := s.bind(ctx)
	fail := func(stage Stage, err error) (*session, Stage, error) {
		release()
		s.hangUp()
		return nil, stage, err
	}
	s.client, err = t.secure(ctx, s.conn, &tls.Config{
		ServerName: host,
		RootCAs:    t.Roots,
		MinVersion: tls.VersionTLS12,
	})
	if err != nil {
		return fail(Securing, err)
	}
	mechanism, err := t.logIn(s.client, token)
	if err != nil {
		return fail(LoggingIn, err)
	}
	if !release() {
		return fail(LoggingIn, ctx.Err())
	}
	state, _ := s.client.TLSConnectionState()
	size, _ := s.client.MaxMessageSize()
	utf8, _ := s.client.Extension("SMTPUTF8")
	s.probe = Probe{
		TLS:     tls.VersionName(state.Version),
		Expires: state.PeerCertificates[0].NotAfter,
		Login:   mechanism,
		Size:    int64(size),
		UTF8:    utf8,
	}
	return s, "", nil
}

// secure returns a client on conn that speaks TLS and has introduced itself.
func (t *Transport) secure(ctx context.Context, conn net.Conn, config *tls.Config) (*smtp.Client, error) {
	var c *smtp.Client
	switch t.Security {
	case TLS:
		protected := tls.Client(conn, config)
		if err := protected.HandshakeContext(ctx); err != nil {
			return nil, err
		}
		c = smtp.NewClient(protected)
	case STARTTLS:
		var err error
		if c, err = smtp.NewClientStartTLS(conn, config); err != nil { // also if the server does not offer it
			return nil, err
		}
	default:
		return nil, fmt.Errorf("security %q is neither %q nor %q", t.Security, STARTTLS, TLS)
	}
	c.CommandTimeout, c.SubmissionTimeout = t.idle(), 5*t.idle()
	helo := t.Helo
	if helo == "" {
		helo = "localhost"
	}
	// After STARTTLS this completes the handshake, and replaces the name
	// "localhost" by which go-smtp has asked for it.
	if err := c.Hello(helo); err != nil {
		return nil, err
	}
	if state, ok := c.TLSConnectionState(); !ok || !state.HandshakeComplete {
		return nil, errors.New("the connection is not encrypted")
	}
	return c, nil
}

// bind ends whatever s waits for when ctx is done, until it is released; release
// reports whether s is still of use. go-smtp knows no context. Closing what lies
// beneath, unlike its own Close, never waits for the other side.
func (s *session) bind(ctx context.Context) (release func() bool) {
	return context.AfterFunc(ctx, s.hangUp)
}

// hangUp ends s at once.
func (s *session) hangUp() { s.raw.Close() }

// quit takes leave. Nothing depends on the answer, so it is not waited for long.
func (s *session) quit() {
	s.client.CommandTimeout = min(s.client.CommandTimeout, 2*time.Second)
	s.client.Quit()
	s.hangUp()
}

// alive reports whether the server is still there.
func (s *session) alive(ctx context.Context) bool {
	release := s.bind(ctx)
	patience := s.client.CommandTimeout
	s.client.CommandTimeout = min(patience, 10*time.Second)
	err := s.client.Noop()
	s.client.CommandTimeout = patience
	return release() && err == nil
}

// put sends one email and says at which stage it failed, if it did.
func (s *session) put(from, to string, msg []byte) (stage Stage, answer string, err error) {
	s.begun, s.whole = false, false
	options := &smtp.MailOptions{Size: int64(len(msg)), UTF8: !isASCII(from + to)}
	if err := s.client.Mail(from, options); err != nil {
		return NamingSender, "", err
	}
	if err := s.client.Rcpt(to, nil); err != nil {
		return NamingRecipient, "", err
	}
	w, err := s.client.Data()
	if err != nil {
		return GivingMessage, "", err
	}
	s.begun = true
	s.conn.until = time.Now().Add(15 * s.conn.idle)
	defer func() { s.conn.until = time.Time{} }()
	if _, err := w.Write(msg); err != nil {
		return GivingMessage, "", err // and no Close: half an email must not be ended
	}
	s.whole = true // or on its way: what fails from here on may have arrived
	response, err := w.CloseWithResponse()
	var other *smtp.SMTPError
	switch {
	case err == nil:
		answer = fmt.Sprint(250, " ", response.StatusText)
	case errors.As(err, &other) && other.Code/100 == 2:
		answer = fmt.Sprint(other.Code, " ", other.Message)
	default:
		return GivingMessage, "", err
	}
	return GivingMessage, oneLine(answer), nil
}

// steadyConn fails when the other side takes nothing for a while, or not all in time:
// go-smtp sets no deadline on the body of an email.
type steadyConn struct {
	net.Conn
	idle  time.Duration
	until time.Time // zero: there is no such time
}

func (c *steadyConn) Write(b []byte) (int, error) {
	deadline := time.Now().Add(c.idle)
	if !c.until.IsZero() && c.until.Before(deadline) {
		deadline = c.until
	}
	if err := c.SetWriteDeadline(deadline); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}
