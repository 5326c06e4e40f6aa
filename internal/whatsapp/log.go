package whatsapp

import (
	"log/slog"
	"sync/atomic"

	signal "go.mau.fi/libsignal/logger"
	waBinary "go.mau.fi/whatsmeow/binary"
	waLog "go.mau.fi/whatsmeow/util/log"
)

// whatsmeowLog passes on that whatsmeow warned, and of what by its constant
// format string. The arguments hold numbers, names and whole stanzas, which must
// not reach a log at any level (invariant 12).
type whatsmeowLog struct {
	log   *slog.Logger
	part  string
	quiet *atomic.Bool
	wire  *wire // what is told of stanzas; nil: nothing
}

// unparsed is what whatsmeow says of a notice of a change of a group in which something
// is missing that it expects. It acknowledges it and drops it, and this is all that is
// ever heard of it.
const unparsed = "Failed to parse group notification: %v"

// What it says of a frame from which it could get no stanza, in different places.
const (
	undecrypted  = "Failed to decrypt frame: %v"
	uninflated   = "Failed to decompress frame: %v"
	undecoded    = "Failed to decode node in frame: %v"
	dialling     = "Dialing %s"                      // before a connection is made
	skipped      = "Ignoring message %s from %s: %v" // a ciphertext of a message, by its ID
	unasked      = "Failed to send retry receipt for %s: %v"
	receivedPart = "Recv" // each stanza, by itself
	sentPart     = "Send"
)

func (l whatsmeowLog) Warnf(format string, args ...any) {
	if l.wire != nil {
		switch format {
		case undecrypted, uninflated, undecoded:
			l.wire.frameLost()
		case skipped:
			l.wire.skips(args, true)
		}
	}
	if !l.quiet.Load() {
		l.log.Warn("whatsmeow warned", "part", l.part, "of", format)
	}
}

func (l whatsmeowLog) Errorf(format string, args ...any) {
	if l.wire != nil {
		switch format {
		case unparsed:
			l.wire.noticeDropped()
		case unasked:
			l.wire.notAsked(args)
		}
	}
	if !l.quiet.Load() {
		l.log.Error("whatsmeow reported an error", "part", l.part, "of", format)
	}
}

func (whatsmeowLog) Infof(string, ...any) {}

// Debugf logs nothing. It is how stanzas come to the wire.
func (l whatsmeowLog) Debugf(format string, args ...any) {
	switch {
	case l.wire == nil:
	case l.part == receivedPart:
		if n := stanzaOf(args); n != nil {
			l.wire.arrived(n)
		}
	case l.part == sentPart:
		if n := stanzaOf(args); n != nil {
			l.wire.leaving(n)
		}
	case format == skipped:
		l.wire.skips(args, false)
	case format == dialling:
		l.wire.dialled()
	}
}

// stanzaOf returns the stanza that is to be logged; nil if it is none.
func stanzaOf(args []any) *waBinary.Node {
	if len(args) != 1 {
		return nil
	}
	n, _ := args[0].(*waBinary.Node)
	return n
}

// Sub names a part of whatsmeow; the names are constants.
func (l whatsmeowLog) Sub(part string) waLog.Logger {
	l.part = part
	return l
}

// silent stands in for libsignal's logger, which by default prints to standard
// output what it could not decrypt, and whose.
type silent struct{}

func (silent) Debug(string, string)   {}
func (silent) Info(string, string)    {}
func (silent) Warning(string, string) {}
func (silent) Error(string, string)   {}
func (silent) Configure(string)       {}

// The logger is a variable of the process, which libsignal reads unguarded: it
// can only be set before anything runs.
func init() { signal.Logger = silent{} }
