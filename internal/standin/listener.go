package standin

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"

	"github.com/coder/websocket"
)

// tlsHandshake is the first byte of a TLS connection.
const tlsHandshake = 0x16

// listen opens the port and serves it until [Server.Down].
func (s *Server) listen(addr string) error {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("listen for clients: %w", err)
	}
	web := &http.Server{Handler: http.HandlerFunc(s.serve), ErrorLog: log.New(io.Discard, "", 0)}
	front := &sniffed{addr: l.Addr(), conns: make(chan net.Conn), done: make(chan struct{})}
	s.mu.Lock()
	s.listener, s.front, s.http = l, front, web
	s.mu.Unlock()
	s.running.Go(func() { web.Serve(front) })
	s.running.Go(func() {
		defer front.Close()
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if conn = s.track(conn); conn != nil {
				s.running.Go(func() { s.sniff(conn, front) })
			}
		}
	})
	return nil
}

// Down stops the server from accepting connections and drops those there are,
// as an outage would. All state is kept.
func (s *Server) Down() {
	s.mu.Lock()
	listener, web := s.listener, s.http
	s.listener, s.http = nil, nil
	s.mu.Unlock()
	if listener == nil {
		return
	}
	listener.Close()
	web.Close()
	s.mu.Lock()
	for conn := range s.raw {
		conn.Close()
	}
	s.mu.Unlock()
}

// Up ends an outage: the server accepts connections again, at the same address.
func (s *Server) Up() {
	s.mu.Lock()
	up, closed := s.listener != nil, s.closed
	s.mu.Unlock()
	if up || closed {
		return
	}
	if err := s.listen(s.addr); err != nil {
		panic(fmt.Sprintf("standin: up: %v", err))
	}
}

// sniff looks at the first byte of conn, takes off TLS if it is spoken, and
// hands the rest on as HTTP.
func (s *Server) sniff(conn net.Conn, front *sniffed) {
	r := bufio.NewReader(conn)
	first, err := r.Peek(1)
	if err != nil {
		conn.Close()
		return
	}
	conn = &readAheadConn{conn, r}
	if first[0] == tlsHandshake {
		// HTTP/2 is not offered: a websocket cannot be had over it.
		conn = tls.Server(conn, &tls.Config{GetCertificate: s.tls.certificate, NextProtos: []string{"http/1.1"}})
	}
	front.hand(conn)
}

// serve answers one HTTP request: a proxy's CONNECT, the websocket, or media.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	front := s.front
	if s.listener == nil {
		s.mu.Unlock()
		http.Error(w, "down", http.StatusServiceUnavailable)
		return
	}
	s.running.Add(1)
	s.mu.Unlock()
	defer s.running.Done()
	switch {
	case r.Method == http.MethodConnect:
		s.serveConnect(w, front)
	case r.URL.Path == "/ws/chat":
		s.serveChat(w, r)
	case r.URL.Path == "/" || r.URL.Path == "": // of web.whatsapp.com
		s.servePage(w)
	default:
		s.serveMedia(w, r)
	}
}

// serveConnect is the proxy: wherever the client wants to go, it comes here.
func (s *Server) serveConnect(w http.ResponseWriter, front *sniffed) {
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	if _, err := io.WriteString(conn, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		conn.Close()
		return
	}
	s.sniff(&readAheadConn{conn, buffered.Reader}, front)
}

// serveChat is the websocket: one connection of a client, from its handshake
// to its end.
func (s *Server) serveChat(w http.ResponseWriter, r *http.Request) {
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil {
		return
	}
	defer ws.CloseNow()
	ws.SetReadLimit(maxFrame + 1024)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var done sync.WaitGroup
	done.Go(func() { // here a panic ends the program; net/http would hide it
		s.converse(newConnection(s, ws, websocket.NetConn(ctx, ws, websocket.MessageBinary)))
	})
	done.Wait()
}

// servePage is what a browser gets that is to become WhatsApp's app.
func (s *Server) servePage(w http.ResponseWriter) {
	s.mu.Lock()
	newest := s.newest
	s.pages++
	s.notify()
	s.mu.Unlock()
	if newest == 0 {
		http.Error(w, "not today", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintf(w, `<!doctype html><script>{"server_revision":1,"client_revision":%d,"tier":"sb"}</script>`, newest)
}

// Pages is how often the page of web.whatsapp.com was asked for.
func (s *Server) Pages() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pages
}

// track notes that conn is open until it is closed. It returns nil, and closes
// conn, if the server is down.
func (s *Server) track(conn net.Conn) net.Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener == nil {
		conn.Close()
		return nil
	}
	s.raw[conn] = struct{}{}
	return &trackedConn{conn, s}
}

// A trackedConn is a connection that the server can cut.
type trackedConn struct {
	net.Conn
	server *Server
}

func (c *trackedConn) Close() error {
	c.server.mu.Lock()
	delete(c.server.raw, c.Conn)
	c.server.mu.Unlock()
	return c.Conn.Close()
}

// A readAheadConn is a connection of which r has read a little already.
type readAheadConn struct {
	net.Conn
	r *bufio.Reader
}

func (c *readAheadConn) Read(p []byte) (int, error) { return c.r.Read(p) }

// sniffed is a net.Listener of the connections that [Server.sniff] let pass.
type sniffed struct {
	addr  net.Addr
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func (l *sniffed) hand(conn net.Conn) {
	select {
	case l.conns <- conn:
	case <-l.done:
		conn.Close()
	}
}

func (l *sniffed) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *sniffed) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *sniffed) Addr() net.Addr { return l.addr }
