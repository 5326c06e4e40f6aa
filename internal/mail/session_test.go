package mail

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emersion/go-smtp"
)

const (
	ourselves = "council@council.test"
	clerk     = "clerk@council.test"
)

// eventually waits for what a server does by itself.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !is(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("in vain waited for: %s", what)
		}
	}
}

func mustSend(t *testing.T, tr *Transport) {
	t.Helper()
	if _, err := tr.Send(t.Context(), ourselves, clerk, letter); err != nil {
		t.Fatal(err)
	}
}

func TestEmailsShareOneConnection(t *testing.T) {
	s, tr := goodServer(t, STARTTLS)
	for range mostEmails {
		mustSend(t, tr)
	}
	if opened, _ := s.connections(); opened != 1 || s.tried() != 1 || len(s.mails()) != mostEmails {
		t.Errorf("%d connections, %d logins, %d emails; want 1, 1 and %d", opened, s.tried(), len(s.mails()), mostEmails)
	}
	mustSend(t, tr) // one more than a connection carries
	if opened, _ := s.connections(); opened != 2 {
		t.Errorf("%d connections; want 2", opened)
	}
}

func TestAnUnusedConnectionIsNotKept(t *testing.T) {
	none := func(s *server) func() bool {
		return func() bool { _, open := s.connections(); return open == 0 }
	}
	t.Run("for long", func(t *testing.T) {
		s, tr := goodServer(t, TLS)
		tr.Keep = 20 * time.Millisecond
		mustSend(t, tr)
		eventually(t, "the end of the connection", none(s))
		mustSend(t, tr)
		if opened, _ := s.connections(); opened != 2 || len(s.mails()) != 2 {
			t.Errorf("%d connections, %d emails; want 2 and 2", opened, len(s.mails()))
		}
	})
	t.Run("after Close", func(t *testing.T) {
		s, tr := goodServer(t, TLS)
		tr.Close()
		mustSend(t, tr)
		tr.Close()
		eventually(t, "the end of the connection", none(s))
		mustSend(t, tr)
		tr.Close()
	})
}

func TestTheServerMayDropAConnectionBetweenEmails(t *testing.T) {
	s, tr := goodServer(t, STARTTLS)
	for range 3 {
		mustSend(t, tr)
		s.drop()
	}
	if opened, _ := s.connections(); opened != 3 || len(s.mails()) != 3 {
		t.Errorf("%d connections, %d emails; want 3 and 3", opened, len(s.mails()))
	}
}

func TestOneConnectionWhoeverUsesIt(t *testing.T) {
	var open, most, taken atomic.Int32
	tr, _ := badServer(t, func(c *talk) {
		if n := open.Add(1); n > most.Load() {
			most.Store(n)
		}
		for c.until("DATA", "QUIT") == "DATA" {
			c.say("354 go on")
			c.take()
			taken.Add(1)
			c.say("250 taken")
		}
		open.Add(-1)
		c.say("221 bye")
	})
	tr.Keep = time.Millisecond
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 5 {
				if _, err := tr.Send(t.Context(), ourselves, clerk, letter); err != nil {
					t.Error(err)
				}
				if _, err := tr.Check(t.Context()); err != nil {
					t.Error(err)
				}
				tr.CertificateExpires()
			}
		})
	}
	all.Wait()
	if most.Load() != 1 || taken.Load() != 20 {
		t.Errorf("%d connections at once, %d emails; want 1 and 20", most.Load(), taken.Load())
	}
	waiting, cancel := context.WithCancel(t.Context())
	done, _ := tr.turn(t.Context())
	defer done()
	cancel()
	if _, err := tr.Send(waiting, ourselves, clerk, letter); !errors.Is(err, context.Canceled) {
		t.Errorf("waiting for the connection: err %v; want ctx's", err)
	}
}

// A talk is one connection to a server that behaves as no good one does.
type talk struct {
	net.Conn
	in *bufio.Reader
}

func (c *talk) say(lines ...string) {
	fmt.Fprint(c, strings.Join(lines, "\r\n")+"\r\n")
}

// hear returns the next command; empty if the other side has gone.
func (c *talk) hear() string {
	line, err := c.in.ReadString('\n')
	if err != nil {
		return ""
	}
	return strings.TrimRight(line, "\r\n")
}

// until answers what it hears as a good server until it hears one of these commands,
// which it leaves unanswered and returns. It returns nothing if none came.
func (c *talk) until(commands ...string) string {
	for {
		verb, _, _ := strings.Cut(c.hear(), " ")
		if verb == "" || slices.Contains(commands, verb) {
			return verb
		}
		switch verb {
		case "EHLO":
			c.say("250-bad.test", "250 AUTH PLAIN")
		case "AUTH":
			c.say("235 2.7.0 welcome")
		case "DATA":
			c.say("354 go on")
			c.take()
			c.say("250 2.0.0 taken")
		case "QUIT":
			c.say("221 bye")
			return ""
		default:
			c.say("250 fine")
		}
	}
}

// take takes an email until its end.
func (c *talk) take() {
	for {
		if line := c.hear(); line == "." || line == "" && c.gone() {
			return
		}
	}
}

func (c *talk) gone() bool { _, err := c.in.Peek(1); return err != nil }

// badServer has the connections that come, the first with the first story and so on;
// the last story goes on for all that follow. It returns how to reach it and how many
// came.
func badServer(t *testing.T, stories ...func(c *talk)) (*Transport, *atomic.Int32) {
	t.Helper()
	ca := newAuthority(t)
	config := &tls.Config{Certificates: []tls.Certificate{ca.issue(t, "127.0.0.1", time.Now().Add(time.Hour))}}
	l, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		t.Fatal(err)
	}
	came := new(atomic.Int32)
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			n := int(came.Add(1))
			all.Go(func() {
				defer context.AfterFunc(t.Context(), func() { c.Close() })()
				defer c.Close()
				talk := &talk{c, bufio.NewReader(c)}
				talk.say("220 bad.test")
				stories[min(n, len(stories))-1](talk)
			})
		}
	})
	tr := &Transport{
		Server: l.Addr().String(), Security: TLS, Username: username, Password: password,
		Roots: ca.roots(), Idle: 5 * time.Second,
	}
	t.Cleanup(func() {
		tr.Close()
		l.Close()
		all.Wait()
	})
	return tr, came
}

// stages are the commands of a session, and what an answer to each is about.
var stages = []struct {
	command string
	stage   Stage
}{
	{"EHLO", Securing}, {"AUTH", LoggingIn}, {"MAIL", NamingSender}, {"RCPT", NamingRecipient}, {"DATA", GivingMessage},
}

func TestAServerThatIsClosing(t *testing.T) {
	endings := map[string]func(c *talk){
		"says so":       func(c *talk) { c.say("421 4.3.2 closing") },
		"just goes":     func(*talk) {},
		"is in no mood": func(c *talk) { c.say("535 5.7.8 who are you?") }, // as if what we logged in with had run out
	}
	for ending, end := range endings {
		for _, tt := range stages {
			t.Run(fmt.Sprintf("%s at %s of a new session", ending, tt.command), func(t *testing.T) {
				t.Parallel()
				tr, came := badServer(t, func(c *talk) {
					if c.until(tt.command) != "" {
						end(c)
					}
				})
				_, err := tr.Send(t.Context(), ourselves, clerk, letter)
				var f *Failure
				if !errors.As(err, &f) || f.Stage != tt.stage || f.Permanent() || f.Unknown() {
					t.Fatalf("err %v; want a temporary failure at stage %q", err, tt.stage)
				}
				refused := ending == "is in no mood"
				if want := refused || tt.stage != NamingRecipient && tt.stage != GivingMessage; f.General() != want {
					t.Errorf("%v: general %v", f, f.General())
				}
				if f.Credentials() != refused {
					t.Errorf("%v: credentials %v", f, f.Credentials())
				}
				if n := came.Load(); n != 1 {
					t.Errorf("%d connections; want one try", n)
				}
			})
		}
		// It says nothing of the email, of which the server has seen nothing: that goes on
		// another connection.
		for _, command := range []string{"NOOP", "MAIL", "RCPT", "DATA"} {
			t.Run(fmt.Sprintf("%s at %s of a session that was kept", ending, command), func(t *testing.T) {
				t.Parallel()
				var taken atomic.Int32
				good := func(c *talk) {
					for c.until("DATA") != "" {
						c.say("354 go on")
						c.take()
						taken.Add(1)
						c.say("250 taken")
					}
				}
				tr, came := badServer(t, func(c *talk) {
					c.until("DATA")
					c.say("354 go on")
					c.take()
					taken.Add(1)
					c.say("250 taken")
					if c.until(command) != "" {
						end(c)
					}
				}, good)
				mustSend(t, tr)
				mustSend(t, tr)
				if n := came.Load(); n != 2 || taken.Load() != 2 {
					t.Errorf("%d connections, %d emails taken; want 2 and 2", n, taken.Load())
				}
			})
		}
	}
}

func TestWhatBecameOfAnEmailThatWasBegun(t *testing.T) {
	long := bytes.Repeat([]byte("a line of a long letter\r\n"), 1<<18)
	for _, tt := range []struct {
		name    string
		msg     []byte
		story   func(c *talk) // after the answer to DATA
		answer  string        // empty: it was not handed over
		unknown bool
		code    int
	}{
		{name: "taken", story: func(c *talk) { c.take(); c.say("250-2.0.0 queued", "250 as 1") }, answer: "250 2.0.0 queued as 1"},
		{name: "taken, with a code that is not the usual one", story: func(c *talk) { c.take(); c.say("251 it goes elsewhere") }, answer: "251 it goes elsewhere"},
		{name: "closed in the middle", msg: long, story: func(c *talk) { c.hear() }},
		{name: "refused in the middle", msg: long, story: func(c *talk) { c.hear(); c.say("552 5.3.4 too much") }},
		{name: "closed after the end", story: func(c *talk) { c.take() }, unknown: true},
		{name: "nonsense after the end", story: func(c *talk) { c.take(); c.say("taken, I think") }, unknown: true},
		{name: "asked for more after the end", story: func(c *talk) { c.take(); c.say("354 go on") }, unknown: true, code: 354},
		{name: "put off after the end", story: func(c *talk) { c.take(); c.say("451 4.3.0 try later") }, code: 451},
		{name: "closing after the end", story: func(c *talk) { c.take(); c.say("421 4.3.0 closing") }, code: 421},
		{name: "refused after the end", story: func(c *talk) { c.take(); c.say("554 no") }, code: 554},
	} {
		for _, before := range []int{0, 1} { // emails on the same connection
			t.Run(fmt.Sprintf("%s, after %d", tt.name, before), func(t *testing.T) {
				t.Parallel()
				tr, came := badServer(t, func(c *talk) {
					for range before {
						c.until("DATA")
						c.say("354 go on")
						c.take()
						c.say("250 taken")
					}
					if c.until("DATA") != "" {
						c.say("354 go on")
						tt.story(c)
					}
				})
				for range before {
					mustSend(t, tr)
				}
				msg := tt.msg
				if msg == nil {
					msg = letter
				}
				answer, err := tr.Send(t.Context(), ourselves, clerk, msg)
				if n := came.Load(); n != 1 {
					t.Errorf("%d connections; an email that was begun is not begun again", n)
				}
				if answer != tt.answer || (err == nil) != (tt.answer != "") {
					t.Fatalf("answer %q, err %v; want %q", answer, err, tt.answer)
				}
				if err == nil {
					return
				}
				var f *Failure
				if !errors.As(err, &f) || f.Stage != GivingMessage || f.Unknown() != tt.unknown || f.Code != tt.code {
					t.Fatalf("err %v; want unknown %v, code %d", err, tt.unknown, tt.code)
				}
				if f.General() || f.Permanent() != (tt.code/100 == 5) {
					t.Errorf("%v: general %v, permanent %v", f, f.General(), f.Permanent())
				}
			})
		}
	}
}

// A server that takes a little now and then is never silent for long.
func TestAServerThatTakesTheEmailTooSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		var server sync.WaitGroup
		server.Go(func() {
			defer theirs.Close()
			c := &talk{theirs, bufio.NewReaderSize(theirs, 16)}
			c.say("220 bad.test")
			c.until("DATA")
			c.say("354 go on")
			for err := error(nil); err == nil; _, err = c.in.Discard(4 << 10) {
				time.Sleep(time.Minute)
			}
		})
		defer server.Wait()
		defer ours.Close()
		conn := &steadyConn{Conn: ours, idle: 2 * time.Minute}
		s := &session{client: smtp.NewClient(conn), raw: ours, conn: conn}
		start := time.Now()
		stage, _, err := s.put(ourselves, clerk, bytes.Repeat([]byte("a line of a long letter\r\n"), 1<<14))
		if stage != GivingMessage || !errors.Is(err, os.ErrDeadlineExceeded) || s.whole {
			t.Errorf("stage %q, err %v, whole %v", stage, err, s.whole)
		}
		if d := time.Since(start); d != 30*time.Minute {
			t.Errorf("took %v; want half an hour", d)
		}
	})
}

func TestToldToStopInTheMiddleOfAnEmail(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	var second atomic.Bool
	tr, came := badServer(t, func(c *talk) {
		for c.until("DATA") != "" {
			c.say("354 go on")
			if second.Load() {
				c.hear()
				stop()
				<-t.Context().Done() // and takes no more
				return
			}
			c.take()
			c.say("250 taken")
		}
	}, func(c *talk) { c.until("QUIT") })
	mustSend(t, tr)
	second.Store(true)
	start := time.Now()
	_, err := tr.Send(ctx, ourselves, clerk, bytes.Repeat([]byte("a line of a long letter\r\n"), 1<<19))
	var f *Failure
	if !errors.Is(err, context.Canceled) || errors.As(err, &f) {
		t.Errorf("err %v; want ctx's, and certainty that the email was not taken", err)
	}
	if d := time.Since(start); d > 20*time.Second { // as long as the body's deadline is far off
		t.Errorf("took %v", d)
	}
	mustSend(t, tr) // another daemon would
	if n := came.Load(); n != 2 {
		t.Errorf("%d connections; want 2", n)
	}
}

func TestLimit(t *testing.T) {
	ca := newAuthority(t)
	config := &tls.Config{Certificates: []tls.Certificate{ca.issue(t, "127.0.0.1", time.Now().Add(time.Hour))}}
	s := serve(t, TLS, config, func(srv *smtp.Server) { srv.MaxMessageBytes = 2_000_000 })
	tr := s.transport(TLS, ca)
	if !tr.CertificateExpires().IsZero() {
		t.Error("a certificate's expiry is known before there was a connection")
	}
	limit, err := tr.Limit(t.Context())
	if err != nil || limit != 2_000_000 {
		t.Fatalf("limit %d, err %v; want 2000000", limit, err)
	}
	if left := time.Until(tr.CertificateExpires()); left < 50*time.Minute || left > time.Hour {
		t.Errorf("the certificate is good for %v; want an hour", left)
	}
	asked := 0
	s.do(func(s *server) { s.onMail = func(string) error { asked++; return nil } })
	_, err = tr.Send(t.Context(), ourselves, clerk, make([]byte, 2_500_000))
	var f *Failure
	if !errors.As(err, &f) || !f.Permanent() || f.Unknown() || f.Code != 552 || !strings.Contains(err.Error(), "it is 2.50 MB, and the server takes at most 2.00 MB") {
		t.Errorf("err %v; want a refusal that says both sizes", err)
	}
	if asked != 0 {
		t.Error("the server was asked, though it had said what it takes")
	}
	mustSend(t, tr)
	if opened, _ := s.connections(); opened != 1 || asked != 1 {
		t.Errorf("%d connections, %d emails begun; want 1 and 1", opened, asked)
	}
	s.drop()
	if limit, err := tr.Limit(t.Context()); err != nil || limit != 2_000_000 {
		t.Errorf("limit %d, err %v without a connection; want what was learnt", limit, err)
	}
	_, silent := goodServer(t, TLS)
	if limit, err := silent.Limit(t.Context()); err != nil || limit != 0 {
		t.Errorf("limit %d, err %v; want 0 of a server that tells none", limit, err)
	}
	silent.Server = "127.0.0.1:1"
	silent.known = Probe{}
	silent.Close()
	if _, err := silent.Limit(t.Context()); !errors.As(err, &f) || f.Stage != Connecting {
		t.Errorf("err %v; want a failure", err)
	}
}

func TestAddressesBeyondASCII(t *testing.T) {
	ca := newAuthority(t)
	config := &tls.Config{Certificates: []tls.Certificate{ca.issue(t, "127.0.0.1", time.Now().Add(time.Hour))}}
	const siân = "siân@council.test"
	s := serve(t, TLS, config, func(srv *smtp.Server) { srv.EnableSMTPUTF8 = true })
	tr := s.transport(TLS, ca)
	if _, err := tr.Send(t.Context(), ourselves, siân, letter); err != nil {
		t.Fatal(err)
	}
	if p, err := tr.Check(t.Context()); err != nil || !p.UTF8 {
		t.Errorf("%+v, err %v; want SMTPUTF8", p, err)
	}
	if m := s.mails(); len(m) != 1 || m[0].to != siân || m[0].parameters != "SMTPUTF8" {
		t.Errorf("%+v; want one for %s, by SMTPUTF8", m, siân)
	}
	mustSend(t, tr)
	if m := s.mails(); len(m) != 2 || m[1].parameters != "" {
		t.Error("SMTPUTF8 was asked for without need")
	}

	s, tr = goodServer(t, TLS)
	for _, tt := range []struct {
		from, to string
		stage    Stage
		general  bool // our own address does for no email
	}{
		{ourselves, siân, NamingRecipient, false},
		{siân, clerk, NamingSender, true},
	} {
		_, err := tr.Send(t.Context(), tt.from, tt.to, letter)
		var f *Failure
		if !errors.As(err, &f) || f.Stage != tt.stage || f.Permanent() == tt.general || f.General() != tt.general || !strings.Contains(err.Error(), "SMTPUTF8") {
			t.Errorf("from %s to %s: err %v", tt.from, tt.to, err)
		}
	}
	if len(s.mails()) != 0 {
		t.Error("it was sent all the same")
	}
}

// Nobody waits for a server that does not say goodbye.
func TestCloseDoesNotWaitForLong(t *testing.T) {
	t.Parallel()
	tr, _ := badServer(t, func(c *talk) {
		c.until("QUIT")
		c.hear() // until the other side has gone
	})
	mustSend(t, tr)
	start := time.Now()
	tr.Close()
	if d := time.Since(start); d > 10*time.Second {
		t.Errorf("took %v", d)
	}
}
