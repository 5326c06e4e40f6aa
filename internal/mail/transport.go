package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// Security says how the connection to the mail server is protected. There is no
// unprotected one.
type Security string

// The two ways in which mail servers take email from their users.
const (
	STARTTLS Security = "starttls" // usually port 587
	TLS      Security = "tls"      // from the first byte; usually port 465
)

// Transport puts emails to the council's mail server. Nothing, the password least
// of all, is sent over a connection that is not encrypted by TLS 1.2 or newer
// with a certificate verified for the server's name.
type Transport struct {
	Server   string // host:port
	Security Security
	Username string // empty: the server asks for none
	Password string
	Helo     string         // the name by which we introduce ourselves
	Roots    *x509.CertPool // who may vouch for the server; nil: whom the system trusts

	// Idle is how long connecting and logging in may take, and then how long the
	// server may keep silent or take nothing of the email; after the email's end
	// five times as long. 0 means two minutes.
	Idle time.Duration
}

// Probe is what [Transport.Check] found.
type Probe struct {
	TLS     string    // version, as in "TLS 1.3"
	Expires time.Time // of the server's certificate
	Login   string    // PLAIN or LOGIN; empty without a user name
}

// Stage is how far an attempt came.
type Stage string

// The stages of an attempt, in their order.
const (
	Connecting Stage = "connecting"
	Securing   Stage = "securing"
	LoggingIn  Stage = "logging in"
	Sender     Stage = "sender"
	Recipient  Stage = "recipient"
	Message    Stage = "message"
)

// Failure is why an email was not handed over. Its text quotes the server and so
// may hold addresses: show it, never log it. Its fields may be logged.
type Failure struct {
	Stage    Stage
	Code     int    // of the server's answer; 0 if it gave none
	Enhanced string // as in "5.1.1"; empty if the server gave none
	server   string
	err      error
}

func (f *Failure) Error() string {
	reason := fmt.Sprint(f.Code, " ", f.Enhanced)
	if f.err != nil {
		reason = f.err.Error()
	}
	var answer *smtp.SMTPError
	if errors.As(f.err, &answer) {
		reason = strings.Join(strings.Fields(fmt.Sprintf("%d %s %s", f.Code, f.Enhanced, answer.Message)), " ")
	}
	switch f.Stage {
	case Connecting:
		return fmt.Sprintf("cannot reach the mail server %s: %s", f.server, reason)
	case Securing:
		return fmt.Sprintf("no protected connection to the mail server %s, so nothing was sent: %s", f.server, reason)
	case LoggingIn:
		return fmt.Sprintf("cannot log in to the mail server %s, check user name and password: %s", f.server, reason)
	case Sender:
		return fmt.Sprintf("the mail server %s takes no email from our address: %s", f.server, reason)
	case Recipient:
		return fmt.Sprintf("the mail server %s did not take the recipient: %s", f.server, reason)
	default:
		return fmt.Sprintf("the mail server %s did not take the email: %s", f.server, reason)
	}
}

func (f *Failure) Unwrap() error { return f.err }

// Permanent reports whether the server has said that it will never take this
// email. Everything else is temporary or can be mended.
func (f *Failure) Permanent() bool {
	if f.Code/100 != 5 || strings.HasPrefix(f.Enhanced, "4.") || f.General() {
		return false
	}
	return f.Stage == Sender || f.Stage == Recipient || f.Stage == Message
}

// General reports whether no other email would fare better at present: the
// server is out of reach, unprotected, or refuses us rather than this email.
func (f *Failure) General() bool {
	const tooLarge = 552
	switch f.Stage {
	case Connecting, Securing, LoggingIn:
		return true
	case Sender:
		return f.Code/100 == 5 && f.Code != tooLarge
	}
	switch f.Code {
	case 530, 534, 535, 538: // RFC 4954
		return true
	}
	switch f.Enhanced {
	case "5.7.3", "5.7.8", "5.7.30", "5.7.57", "5.7.60", "5.7.139":
		// Credentials not valid, and what Exchange Online says of them: basic
		// authentication switched off, not authenticated, not allowed as this sender.
		return true
	}
	return false
}

// Send puts one email to the server and returns the server's answer once it has
// accepted it. Any other outcome is a [*Failure], or ctx's error. If the answer
// to a whole email was lost, the server may have accepted it.
func (t *Transport) Send(ctx context.Context, from, to string, msg []byte) (answer string, err error) {
	s, err := t.open(ctx)
	if err != nil {
		return "", err
	}
	defer s.hangUp()
	stage, answer, err := s.put(from, to, msg)
	if err != nil {
		return "", t.failure(ctx, stage, err)
	}
	s.quit()
	return answer, nil
}

// Check does everything that comes before sending, and sends nothing.
func (t *Transport) Check(ctx context.Context) (Probe, error) {
	s, err := t.open(ctx)
	if err != nil {
		return Probe{}, err
	}
	defer s.hangUp()
	state, _ := s.client.TLSConnectionState()
	s.quit()
	return Probe{
		TLS:     tls.VersionName(state.Version),
		Expires: state.PeerCertificates[0].NotAfter,
		Login:   s.login,
	}, nil
}

// A session is a protected connection on which we are logged in.
type session struct {
	client *smtp.Client
	login  string // the mechanism
	hangUp func()
}

// open connects, secures the connection and logs in.
func (t *Transport) open(ctx context.Context) (*session, error) {
	host, _, err := net.SplitHostPort(t.Server)
	if err != nil {
		return nil, t.failure(ctx, Connecting, err)
	}
	opening, cancel := context.WithTimeoutCause(ctx, t.idle(), errors.New("it did not answer in time"))
	defer cancel()
	raw, err := new(net.Dialer).DialContext(opening, "tcp", t.Server)
	if err != nil {
		return nil, t.failure(ctx, Connecting, err)
	}
	// go-smtp knows no context. Closing what lies beneath ends whatever it waits
	// for, and unlike its own Close never waits for the other side.
	stop := context.AfterFunc(opening, func() { raw.Close() })
	fail := func(stage Stage, err error) (*session, error) {
		stop()
		raw.Close()
		if cause := context.Cause(opening); cause != nil {
			err = cause
		}
		return nil, t.failure(ctx, stage, err)
	}
	c, err := t.secure(opening, &steadyConn{raw, t.idle()}, &tls.Config{
		ServerName: host,
		RootCAs:    t.Roots,
		MinVersion: tls.VersionTLS12,
	})
	if err != nil {
		return fail(Securing, err)
	}
	mechanism, err := t.logIn(c)
	if err != nil {
		return fail(LoggingIn, err)
	}
	if !stop() {
		return fail(LoggingIn, opening.Err())
	}
	stop = context.AfterFunc(ctx, func() { raw.Close() })
	return &session{client: c, login: mechanism, hangUp: func() { stop(); raw.Close() }}, nil
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

// logIn authenticates us, if there is a user name, and returns by which mechanism.
func (t *Transport) logIn(c *smtp.Client) (mechanism string, err error) {
	switch {
	case t.Username == "":
		return "", nil
	case c.SupportsAuth(sasl.Plain):
		return sasl.Plain, c.Auth(sasl.NewPlainClient("", t.Username, t.Password))
	case c.SupportsAuth(sasl.Login): // Exchange Online offers no PLAIN
		return sasl.Login, c.Auth(sasl.NewLoginClient(t.Username, t.Password))
	}
	return "", errors.New("the server offers neither PLAIN nor LOGIN")
}

// put sends one email and says at which stage it failed, if it did.
func (s *session) put(from, to string, msg []byte) (stage Stage, answer string, err error) {
	options := &smtp.MailOptions{Size: int64(len(msg)), UTF8: !isASCII(from + to)}
	if err := s.client.Mail(from, options); err != nil {
		return Sender, "", err
	}
	if err := s.client.Rcpt(to, nil); err != nil {
		return Recipient, "", err
	}
	w, err := s.client.Data()
	if err != nil {
		return Message, "", err
	}
	if _, err := w.Write(msg); err != nil {
		return Message, "", err // and no Close: half an email must not be ended
	}
	response, err := w.CloseWithResponse()
	if err != nil {
		return Message, "", err
	}
	return Message, "250 " + response.StatusText, nil
}

// quit takes leave. The email is handed over already, so a server that does not
// answer must not keep us from recording it.
func (s *session) quit() {
	s.client.CommandTimeout = min(s.client.CommandTimeout, 2*time.Second)
	s.client.Quit()
}

func (t *Transport) idle() time.Duration {
	if t.Idle > 0 {
		return t.Idle
	}
	return 2 * time.Minute
}

// failure describes err; if ctx is done, that is why.
func (t *Transport) failure(ctx context.Context, stage Stage, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("mail server %s: %w", t.Server, ctx.Err())
	}
	f := &Failure{Stage: stage, server: t.Server, err: err}
	var answer *smtp.SMTPError
	if errors.As(err, &answer) {
		f.Code = answer.Code
		if e := answer.EnhancedCode; e != smtp.EnhancedCodeNotSet {
			f.Enhanced = fmt.Sprintf("%d.%d.%d", e[0], e[1], e[2])
		}
	}
	return f
}

// steadyConn fails when the other side takes nothing for a while: go-smtp sets no
// deadline on the body of an email.
type steadyConn struct {
	net.Conn
	idle time.Duration
}

func (c *steadyConn) Write(b []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(c.idle)); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r > 127 }) < 0
}
