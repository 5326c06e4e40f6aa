package whatsapp

import (
	"log/slog"
	"sync/atomic"

	signal "go.mau.fi/libsignal/logger"
	waLog "go.mau.fi/whatsmeow/util/log"
)

// whatsmeowLog passes on that whatsmeow warned, and of what by its constant
// format string. The arguments hold numbers, names and whole stanzas, which must
// not reach a log at any level (invariant 12).
type whatsmeowLog struct {
	log   *slog.Logger
	part  string
	quiet *atomic.Bool

	dropped func() // what to do when a notice of a change of a group was dropped; nil: nothing
}

// unparsed is what whatsmeow says of a notice of a change of a group in which something
// is missing that it expects. It acknowledges it and drops it, and this is all that is
// ever heard of it.
const unparsed = "Failed to parse group notification: %v"

func (l whatsmeowLog) Warnf(format string, _ ...any) {
	if !l.quiet.Load() {
		l.log.Warn("whatsmeow warned", "part", l.part, "of", format)
	}
}

func (l whatsmeowLog) Errorf(format string, _ ...any) {
	if format == unparsed && l.dropped != nil {
		l.dropped()
	}
	if !l.quiet.Load() {
		l.log.Error("whatsmeow reported an error", "part", l.part, "of", format)
	}
}

func (whatsmeowLog) Infof(string, ...any)  {}
func (whatsmeowLog) Debugf(string, ...any) {}

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
