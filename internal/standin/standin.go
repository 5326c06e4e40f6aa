// Package standin is a WhatsApp server with its phones, on loopback, that an
// unmodified whatsmeow client cannot tell from the real one in what muniment
// uses. It serves the tests and the demo, and nothing else may import it.
//
// A [Server] listens on one port for websocket, media and proxy traffic. A
// [Member] is a person with a phone of their own: a Signal identity, sessions
// and sender keys, so what reaches the client is encrypted as it is by a real
// phone. Stories are told in the members' words:
//
//	server, err := standin.Start(standin.Options{})
//	council := server.Phone()
//	ann := server.Member("Ann Brook", "+447700900101")
//	bo := server.Member("Bo Nott", "+447700900102")
//	server.Group("Official group", council, ann, bo)
//	council.ScanQR(code)
//	m := ann.Says("The bridge is closed.")
//	bo.Reacts(m, "📌")
//	server.Drop()
//
// The stand-in keeps everything it sent until the client settles it, delivers
// it again at the next login if not, and writes down every stanza that the
// client sends: see [Server.Settled] and [Server.Journal].
//
// What a member sends goes to the first group that the member is in, now and
// from the phone; see [Voice] for the rest. What is sent before a companion is
// linked, or where its account is not, does not reach it. When one is linked, its
// phone first of all shares the key of the app state with it, as phones do.
//
// It knows one companion device at a time. Its state is in memory only; use
// [Server.Down] and [Server.Up] for an outage. It says nothing of what the real
// server does beyond what muniment needs: of channels and status no more than posts, of
// calls the news only, no communities.
package standin

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/util/keys"
)

// Options are the settings of a [Server]. The zero value is fit for tests.
type Options struct {
	// Addr is where to listen; empty means a free port of 127.0.0.1.
	Addr string
	// Seed fixes the root key, so that a client built or patched to trust it
	// trusts every stand-in with the same seed. Empty means a random key.
	Seed string
	// Now is the clock of the server and the phones; nil means time.Now.
	Now func() time.Time
	// Window is how many stanzas may be delivered and not yet settled at any
	// moment; zero means 500. whatsmeow loses their order beyond 2048.
	Window int
}

// A Server is a WhatsApp server and everybody who has an account on it.
type Server struct {
	options Options
	noise   *noiseIdentity
	tls     *authority
	addr    string // as first bound

	mu      sync.Mutex    // guards all below, and all state of members, groups and messages
	changed chan struct{} // closed and replaced at every change that somebody may wait for

	listener    net.Listener // nil while down
	front       *sniffed
	http        *http.Server
	raw         map[net.Conn]struct{} // every open TCP connection
	closed      bool
	running     sync.WaitGroup
	connections int         // ever accepted
	online      *connection // the logged-in one, if any
	waiting     map[string]*pairing

	members    []*Member
	phone      *Member
	groups     []*Group
	statuses   map[*Member]*Group // of each who has posted one: who sees it
	published  int                // posts of channels
	messages   map[string][]*Message
	blobs      map[string][]byte // media by path; nil: expired
	uploads    map[string][]byte // all that was ever uploaded, by its digest: phones have it still
	supplies   Supplies          // what the phone does when asked for one
	unsupplied []*Message        // of which files the phone was asked while it was switched off
	said       int               // messages sent
	historian  bool              // the phone answers for the past
	notices    int               // notifications made
	companion  *companion
	devices    uint16 // device number given last
	refusal    int
	banned     time.Time // until when the account is
	oldest     uint32    // version of WhatsApp's app that may log in
	newest     uint32    // that the page of web.whatsapp.com names; 0: none
	pages      int       // how often that page was asked for
	hushed     bool      // nothing is said to who is online
	unpaired   int       // the error for clients that want to be linked; 0: none
	renewals   int       // how many scans to answer with the wish for another code
	gate       Gate      // how the passkey's part of pairings goes
	busy       int       // questions about groups to be left without an answer
	dropAfter  int
	overstated int        // by how many messages what is queued is overstated
	disorder   int        // by how many places stanzas may overtake others at a login
	draw       *rand.Rand // for that
	mediaFault mediaFault
	mediaHeld  chan struct{} // nil, or closed when requests are answered
	mediaHosts []string
	journal    Journal
	settled    []Settlement
}

// Start starts a server. Its clients trust it only after [Server.Trust], or if
// they were otherwise given its [Server.RootKey].
func Start(o Options) (*Server, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Window == 0 {
		o.Window = 500
	}
	if o.Addr == "" {
		o.Addr = "127.0.0.1:0"
	}
	authority, err := newAuthority()
	if err != nil {
		return nil, fmt.Errorf("make certificate authority: %w", err)
	}
	s := &Server{
		options:    o,
		noise:      newNoiseIdentity(o.Seed),
		tls:        authority,
		changed:    make(chan struct{}),
		raw:        make(map[net.Conn]struct{}),
		waiting:    make(map[string]*pairing),
		messages:   make(map[string][]*Message),
		statuses:   make(map[*Member]*Group),
		blobs:      make(map[string][]byte),
		uploads:    make(map[string][]byte),
		devices:    firstCompanionDevice - 1,
		mediaHosts: []string{"media.standin.invalid"},
	}
	if err := s.listen(o.Addr); err != nil {
		return nil, err
	}
	s.addr = s.listener.Addr().String()
	return s, nil
}

// Close ends all connections and waits until nothing of the server runs.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	s.notify()
	s.mu.Unlock()
	s.Down()
	s.running.Wait()
	return nil
}

// Addr is the host and port that the server listens on. It stays the same over
// [Server.Down] and [Server.Up].
func (s *Server) Addr() string { return s.addr }

// RootKey is the public key that a client must hold as whatsmeow.WACertPubKey.
func (s *Server) RootKey() [32]byte { return *s.noise.root.Pub }

// Trust makes every whatsmeow client of this process trust the server, by
// overwriting whatsmeow.WACertPubKey. Call it before any client connects; one
// process can trust one root at a time, so servers to be used side by side
// need the same [Options.Seed].
func (s *Server) Trust() { whatsmeow.WACertPubKey = s.RootKey() }

// HTTPClient returns a client that reaches the stand-in whatever host it is
// asked for, without TLS. Give it to whatsmeow's SetPreLoginHTTPClient,
// SetWebsocketHTTPClient and SetMediaHTTPClient.
func (s *Server) HTTPClient() *http.Client {
	dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, s.addr)
	}
	return &http.Client{Transport: &http.Transport{DialContext: dial, DialTLSContext: dial}}
}

// CAFile writes the certificate authority to path in PEM, so that a process
// run with SSL_CERT_FILE=path and HTTPS_PROXY=http://Addr reaches the stand-in
// instead of the real server.
func (s *Server) CAFile(path string) error { return s.tls.write(path) }

// Companion is the phone-number address of the linked companion device; empty
// if none is linked.
func (s *Server) Companion() types.JID {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.companion == nil {
		return types.EmptyJID
	}
	return s.companion.jid()
}

// WaitPaired waits until a companion device is linked.
func (s *Server) WaitPaired(ctx context.Context) error {
	return s.wait(ctx, "a companion is linked", func() bool { return s.companion != nil })
}

// WaitOnline waits until the companion is logged in and has declared itself
// active, from when on it gets what is queued for it.
func (s *Server) WaitOnline(ctx context.Context) error {
	return s.wait(ctx, "the companion is online", func() bool { return s.online != nil && s.online.active })
}

// WaitOffline waits until the companion has no connection.
func (s *Server) WaitOffline(ctx context.Context) error {
	return s.wait(ctx, "the companion is offline", func() bool { return s.online == nil })
}

// WaitSettled waits until the companion has settled all that was sent to it.
func (s *Server) WaitSettled(ctx context.Context) error {
	return s.wait(ctx, "everything sent is settled", func() bool {
		return s.companion == nil || len(s.companion.queue) == 0
	})
}

// WaitJournal waits until the journal holds an entry that match accepts.
func (s *Server) WaitJournal(ctx context.Context, match func(Entry) bool) error {
	seen := 0
	return s.wait(ctx, "the journal holds the entry", func() bool {
		for ; seen < len(s.journal); seen++ {
			if match(s.journal[seen]) {
				return true
			}
		}
		return false
	})
}

// wait returns once cond holds; cond is called with s.mu held.
func (s *Server) wait(ctx context.Context, what string, cond func() bool) error {
	for {
		s.mu.Lock()
		holds, changed, closed := cond(), s.changed, s.closed
		s.mu.Unlock()
		switch {
		case holds:
			return nil
		case closed:
			return fmt.Errorf("wait until %s: %w", what, errClosed)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("wait until %s: %w", what, context.Cause(ctx))
		}
	}
}

// notify wakes all who wait for a change. The caller holds s.mu.
func (s *Server) notify() {
	close(s.changed)
	s.changed = make(chan struct{})
}

var errClosed = errors.New("stand-in is closed")

// must is for what cannot fail between our own phones and server.
func must[T any](v T, err error) T {
	if err != nil {
		panic(fmt.Sprintf("standin: %v", err))
	}
	return v
}

// clampedKey makes a Curve25519 key pair of 32 secret bytes.
func clampedKey(secret [32]byte) *keys.KeyPair {
	secret[0] &= 248
	secret[31] = secret[31]&127 | 64
	return keys.NewKeyPairFromPrivateKey(secret)
}
