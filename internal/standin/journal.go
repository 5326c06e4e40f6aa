package standin

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/proto/waWa6"
)

// An Entry is one thing that the client sent.
type Entry struct {
	Time       time.Time
	Connection int // which connection it came over, from 1; 0 for media
	// Kind is the kind of traffic that the client is allowed, see [Classify];
	// empty for what it may not send.
	Kind string
	// Node is the stanza as it was sent; empty for a payload and for media.
	Node waBinary.Node
	// Media is what was asked of the media server, as "GET /path"; otherwise empty.
	Media string
	// Payload is what the client said of itself in a handshake; otherwise nil.
	Payload *waWa6.ClientPayload
	// Peer is what a message to the account's own phone says, as the phone
	// decrypted it; nil if it could not, and for all else.
	Peer *waE2E.Message
}

// String renders the entry on one line, abridged if it is long.
func (e Entry) String() string {
	kind := e.Kind
	if kind == "" {
		kind = "NOT ALLOWED"
	}
	what := render(e.Node)
	if p := e.Payload; p != nil {
		what = fmt.Sprintf("username=%d device=%d passive=%t", p.GetUsername(), p.GetDevice(), p.GetPassive())
		if p.GetDevicePairingData() != nil {
			what = fmt.Sprintf("wants to pair, %d bytes of properties", len(p.GetDevicePairingData().GetDeviceProps()))
		}
	}
	if e.Media != "" {
		what = e.Media
	}
	return fmt.Sprintf("%s #%d %-18s %s", e.Time.UTC().Format("15:04:05.000"), e.Connection, kind, what)
}

// render shows as much of a stanza as is of use on one line.
func render(n waBinary.Node) string {
	const enough = 240
	if s := []rune(n.String()); len(s) > enough {
		return string(s[:enough]) + "…"
	}
	return n.String()
}

// A Journal is what a client sent, in order.
type Journal []Entry

// String renders the journal, one entry a line.
func (j Journal) String() string {
	var b strings.Builder
	for _, e := range j {
		b.WriteString(e.String() + "\n")
	}
	return b.String()
}

// Outside returns the entries that the client was not allowed to send.
func (j Journal) Outside() Journal {
	return slices.DeleteFunc(slices.Clone(j), func(e Entry) bool { return e.Kind != "" })
}

// Journal returns everything that clients have sent so far.
func (s *Server) Journal() Journal {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.journal)
}

// record writes e into the journal; c is nil for media. The caller holds s.mu.
func (s *Server) record(c *connection, e Entry) {
	e.Time = s.options.Now()
	switch {
	case c == nil:
		e.Kind = mediaKind(e.Media)
	case e.Payload == nil:
		e.Connection, e.Kind = c.number, Classify(e.Node, c.own)
	default:
		e.Connection = c.number
	}
	s.journal = append(s.journal, e)
	s.notify()
}

// mediaKind is what [Classify] is for stanzas: a client that only receives uploads
// nothing.
func mediaKind(request string) string {
	switch method, _, _ := strings.Cut(request, " "); method {
	case http.MethodGet:
		return "media"
	case http.MethodDelete:
		return "history removal"
	}
	return ""
}

func payloadKind(p *waWa6.ClientPayload) string {
	if p.GetDevicePairingData() != nil {
		return "pairing"
	}
	return "login"
}
