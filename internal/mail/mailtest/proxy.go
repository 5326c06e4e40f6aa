// Package mailtest is what tests of email share: a proxy that breaks off what a client
// and a mail server say to each other at any point, and, with the build tag integration,
// a council's real mail server and a token endpoint beside it.
package mailtest

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// The steps of a conversation that are not commands or the [Answer] to one.
const (
	Connection = "the connection"
	Greeting   = "the greeting"
	Body       = "the email's first line"
	Half       = "the email's second half"
	End        = "the email's end"
)

// Answer returns the step that is the answer to another.
func Answer(step string) string { return "the answer to " + step }

// A Proxy passes on what a client and a mail server say to each other, step by step, and
// can be told to break off before any of them. It speaks TLS from the first byte and so
// reads all of it. Clients that do not wait for an answer before they go on are not
// understood.
type Proxy struct {
	Addr string

	config *tls.Config
	dial   func() (net.Conn, error)

	mu     sync.Mutex
	before func(step string) bool
	open   map[net.Conn]bool
}

// NewProxy opens a proxy that ends with the test. It shows the certificate of config;
// dial connects to the server behind it, TLS and all.
func NewProxy(t testing.TB, config *tls.Config, dial func() (net.Conn, error)) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Addr: l.Addr().String(), config: config, dial: dial, open: make(map[net.Conn]bool)}
	var talks sync.WaitGroup
	talks.Go(func() {
		for {
			raw, err := l.Accept()
			if err != nil {
				return
			}
			talks.Go(func() { p.talk(raw) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		p.Drop()
		talks.Wait()
	})
	return p
}

// Before has f asked before each step whether to pass it on; if it is not, both sides
// find the connection broken. f may take its time, or kill somebody. nil passes all on.
func (p *Proxy) Before(f func(step string) (pass bool)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.before = f
}

// Drop breaks all connections that there are.
func (p *Proxy) Drop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.open {
		c.Close()
	}
}

func (p *Proxy) passes(step string) bool {
	p.mu.Lock()
	before := p.before
	p.mu.Unlock()
	return before == nil || before(step)
}

// keep has a connection broken with the others, and returns what ends it.
func (p *Proxy) keep(c net.Conn) (end func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open[c] = true
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.open, c)
		c.Close()
	}
}

// talk passes one conversation on, until it ends or is broken off.
func (p *Proxy) talk(raw net.Conn) {
	defer p.keep(raw)()
	if !p.passes(Connection) {
		return
	}
	behind, err := p.dial()
	if err != nil {
		return
	}
	if c, is := behind.(*tls.Conn); is { // no leave is taken: the connection is just gone
		defer p.keep(c.NetConn())()
	} else {
		defer p.keep(behind)()
	}
	front := tls.Server(raw, p.config)
	client, server := bufio.NewReader(front), bufio.NewReader(behind)

	// relay passes an answer on and reports its code; 0 ends it all.
	relay := func(step string) (code int) {
		answer, code := readAnswer(server)
		if code == 0 || !p.passes(step) {
			return 0
		}
		if _, err := front.Write(answer); err != nil {
			return 0
		}
		return code
	}
	if relay(Greeting) == 0 {
		return
	}
	size := 0
	for {
		line, err := client.ReadBytes('\n')
		if err != nil {
			return
		}
		step := command(line)
		if _, given, is := strings.Cut(string(line), " SIZE="); is {
			size, _ = strconv.Atoi(strings.Fields(given)[0])
		}
		if !p.passes(step) {
			return
		}
		if _, err := behind.Write(line); err != nil {
			return
		}
		code := relay(Answer(step))
		if code == 0 {
			return
		}
		if step == "DATA" && code == 354 && (!p.passBody(client, behind, size) || relay(Answer(End)) == 0) {
			return
		}
	}
}

// passBody passes an email of about that size on and reports whether it did.
func (p *Proxy) passBody(client *bufio.Reader, server net.Conn, size int) bool {
	passed := 0
	for {
		line, err := client.ReadBytes('\n')
		if err != nil {
			return false
		}
		end := string(line) == ".\r\n"
		switch before := passed; {
		case end && !p.passes(End), before == 0 && !p.passes(Body):
			return false
		case before < size/2 && before+len(line) >= size/2 && !p.passes(Half):
			return false
		}
		if _, err := server.Write(line); err != nil {
			return false
		}
		if passed += len(line); end {
			return true
		}
	}
}

// command returns the verb of a client's line. What has none is part of a login.
func command(line []byte) string {
	verb, _, _ := bytes.Cut(bytes.TrimSpace(line), []byte(" "))
	switch v := strings.ToUpper(string(verb)); v {
	case "EHLO", "HELO", "MAIL", "RCPT", "DATA", "NOOP", "RSET", "QUIT":
		return v
	}
	return "AUTH"
}

// readAnswer reads an answer, of several lines perhaps; its code is 0 if there is none.
func readAnswer(r *bufio.Reader) (answer []byte, code int) {
	for {
		line, err := r.ReadBytes('\n')
		if err != nil || len(line) < 4 {
			return nil, 0
		}
		answer = append(answer, line...)
		if line[3] != '-' {
			code, _ = strconv.Atoi(string(line[:3]))
			return answer, code
		}
	}
}
