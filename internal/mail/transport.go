package mail

import (
	"context"
	"crypto/x509"
	"errors"
	"strings"
	"sync"
	"time"
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
//
// There is never more than one connection. It is kept for a while for the next email;
// see [Transport.Close].
type Transport struct {
	Server   string // host:port
	Security Security
	Username string // empty: the server asks for none
	Password string
	OAuth    *OAuth         // tokens to log in with instead of the password; nil: there are none
	Helo     string         // the name by which we introduce ourselves
	Roots    *x509.CertPool // who may vouch for the server; nil: whom the system trusts

	// Idle is how long connecting and logging in may take, and then how long the
	// server may keep silent or take nothing of the email; after the email's end
	// five times as long, and for all of it fifteen times. 0 means two minutes.
	Idle time.Duration

	// Keep is how long a connection is kept that nothing is sent on. 0 means half a
	// minute.
	Keep time.Duration

	made  sync.Once
	turns chan struct{} // holds a token while the connection is in use, which alone touches:
	kept  *session      // for the next email; nil: there is none
	end   *time.Timer   // of kept

	mu    sync.Mutex
	known Probe // of the last session; zero before the first
}

// Probe is what [Transport.Check] found.
type Probe struct {
	TLS     string    // version, as in "TLS 1.3"
	Expires time.Time // of the server's certificate
	Login   string    // the mechanism, as in "PLAIN"; empty without a user name
	Size    int64     // of the largest email that the server takes; 0: it does not say
	UTF8    bool      // it takes addresses with letters beyond ASCII
}

// mostEmails is how many emails are sent on one connection: servers count, too.
const mostEmails = 50

// Send puts one email to the server and returns the server's answer once it has
// accepted it. Any other outcome is a [*Failure], or, if ctx was done before the
// email's end was given, ctx's error: see [Failure.Unknown].
func (t *Transport) Send(ctx context.Context, from, to string, msg []byte) (answer string, err error) {
	done, err := t.turn(ctx)
	if err != nil {
		return "", err
	}
	defer done()
	for {
		s, old, err := t.session(ctx)
		if err != nil {
			return "", err
		}
		if err := t.suits(s, from, to, len(msg)); err != nil {
			t.keep(s)
			return "", err
		}
		answer, err := t.put(ctx, s, from, to, msg)
		var f *Failure
		switch {
		case err == nil:
			t.keep(s)
			return answer, nil
		case old && !s.begun && errors.As(err, &f) && f.ended():
			// The email was not judged: a new session shows what comes of it.
		default:
			return "", err
		}
	}
}

// suits returns why the server would not take this email, going by what it has said
// of itself.
func (t *Transport) suits(s *session, from, to string, size int) error {
	const needs = "it has letters beyond ASCII, for which the server would have to offer SMTPUTF8"
	switch {
	case s.probe.Size > 0 && int64(size) > s.probe.Size:
		return t.notOffered(GivingMessage, 552, "5.3.4", "it is %.2f MB, and the server takes at most %.2f MB", float64(size)/1e6, float64(s.probe.Size)/1e6)
	case !s.probe.UTF8 && !isASCII(from):
		return t.notOffered(NamingSender, 553, "5.6.7", needs)
	case !s.probe.UTF8 && !isASCII(to):
		return t.notOffered(NamingRecipient, 553, "5.6.7", needs)
	}
	return nil
}

// put puts one email to the server on s, which is of no more use if that fails.
func (t *Transport) put(ctx context.Context, s *session, from, to string, msg []byte) (answer string, err error) {
	last, done := withGrace(ctx, answering)
	defer done()
	release := s.bind(last)
	stage, answer, err := s.put(from, to, msg)
	release()
	if err == nil {
		s.emails++
		return answer, nil
	}
	s.hangUp()
	err = t.failure(ctx, stage, err)
	var f *Failure
	switch {
	case !s.whole:
	case errors.As(err, &f):
		f.whole = true
	default:
		f = &Failure{Stage: stage, server: t.Server, whole: true, err: ctx.Err()}
		err = f
	}
	return "", err
}

// Limit returns the size of the largest email that the server takes, as it said when
// it was last asked; 0 if it does not say.
func (t *Transport) Limit(ctx context.Context) (int64, error) {
	if p := t.learnt(); p.TLS != "" {
		return p.Size, nil
	}
	done, err := t.turn(ctx)
	if err != nil {
		return 0, err
	}
	defer done()
	s, _, err := t.session(ctx)
	if err != nil {
		return 0, err
	}
	t.keep(s)
	return s.probe.Size, nil
}

// CertificateExpires returns when the certificate expires that the server showed last;
// zero if it has not shown any yet.
func (t *Transport) CertificateExpires() time.Time { return t.learnt().Expires }

// Check does everything that comes before sending, anew, and sends nothing.
func (t *Transport) Check(ctx context.Context) (Probe, error) {
	done, err := t.turn(ctx)
	if err != nil {
		return Probe{}, err
	}
	defer done()
	t.leave()
	s, err := t.open(ctx)
	if err != nil {
		return Probe{}, err
	}
	t.keep(s)
	return s.probe, nil
}

// Close ends the connection that is kept, if there is one. Whatever is sent after it
// opens another.
func (t *Transport) Close() {
	done, err := t.turn(context.Background())
	if err != nil {
		return
	}
	defer done()
	t.leave()
}

// turn waits for the connection to be free; it is again when done is called.
func (t *Transport) turn(ctx context.Context) (done func(), err error) {
	t.made.Do(func() { t.turns = make(chan struct{}, 1) })
	select {
	case t.turns <- struct{}{}:
		return func() { <-t.turns }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// session returns the session that was kept, if the server still has it, or else a new
// one. The caller has the turn.
func (t *Transport) session(ctx context.Context) (s *session, old bool, err error) {
	if s := t.take(); s != nil {
		if s.alive(ctx) {
			return s, true, nil
		}
		s.hangUp()
	}
	s, err = t.open(ctx)
	return s, false, err
}

// take returns the session that was kept, if any, which is not kept any more.
func (t *Transport) take() *session {
	s := t.kept
	if s != nil {
		t.kept = nil
		t.end.Stop()
	}
	return s
}

// keep keeps s for the next email, unless it has carried enough.
func (t *Transport) keep(s *session) {
	if s.emails >= mostEmails {
		s.quit()
		return
	}
	keep := t.Keep
	if keep == 0 {
		keep = 30 * time.Second
	}
	t.kept = s
	t.end = time.AfterFunc(keep, func() {
		select {
		case t.turns <- struct{}{}:
			if t.kept == s {
				t.leave()
			}
			<-t.turns
		default: // it is in use again
		}
	})
}

// leave ends the session that is kept, if any.
func (t *Transport) leave() {
	if s := t.take(); s != nil {
		s.quit()
	}
}

// learn notes what a session has found.
func (t *Transport) learn(p Probe) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.known = p
}

func (t *Transport) learnt() Probe {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.known
}

func (t *Transport) idle() time.Duration {
	if t.Idle > 0 {
		return t.Idle
	}
	return 2 * time.Minute
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r > 127 }) < 0
}
