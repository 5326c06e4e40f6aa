package whatsapp

import (
	"context"
	"fmt"
)

// Pause ends the connection until Resume is called, because what comes could not be
// recorded: the disk is full. Each message would only have the connection renewed, to keep
// it from being acknowledged. What is sent meanwhile is delivered afterwards. The cause is
// told as that of a disconnection; it is a sentence.
func (s *Session) Pause(cause string) {
	if l := s.listener.Load(); l != nil && !l.paused.Swap(true) {
		l.link.disconnected(cause)
		ask(l.pausing)
	}
}

// Resume ends a pause.
func (s *Session) Resume() {
	if l := s.listener.Load(); l != nil && l.paused.Swap(false) {
		ask(l.pausing)
	}
}

// Refused says why the disk does not take what the session has to write, in words for
// everybody; empty if it does, or nothing was to be written. Nothing is acknowledged then.
func (s *Session) Refused() string {
	if why := s.seal.refusal.Load(); why != nil {
		return *why
	}
	return ""
}

// Write writes to the session, so that it is known whether the disk takes that again.
func (s *Session) Write(ctx context.Context) error {
	if _, err := s.db.ExecContext(ctx, "PRAGMA user_version = 0"); err != nil { // which nothing uses
		return fmt.Errorf("write to the session: %w", err)
	}
	s.seal.refusal.Store(nil)
	return nil
}

// rest keeps what whatsmeow connects by itself from staying, while there is a pause.
func (l *listener) rest() {
	defer l.link.finished()
	l.client.Disconnect()
}
