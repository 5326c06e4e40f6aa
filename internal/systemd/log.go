package systemd

import (
	"context"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"
)

// NewLogger returns a logger that writes one line of text to w for each record.
//
// Under systemd, where the journal keeps time and level itself, a line begins
// with the level as the journal reads it, "<4>" for a warning, and has no time.
// What a record says cannot begin a line of its own and so cannot forge a level:
// line breaks are written as \n, in quotes.
func NewLogger(w io.Writer) *slog.Logger {
	if os.Getenv("JOURNAL_STREAM") == "" {
		return slog.New(slog.NewTextHandler(w, nil))
	}
	out := &journal{w: w}
	text := slog.NewTextHandler(out, &slog.HandlerOptions{ReplaceAttr: withoutLevel})
	return slog.New(journalHandler{text, out})
}

// withoutLevel removes the record's own level, not an attribute that happens to
// be called so.
func withoutLevel(groups []string, a slog.Attr) slog.Attr {
	if _, isLevel := a.Value.Any().(slog.Level); isLevel && len(groups) == 0 && a.Key == slog.LevelKey {
		return slog.Attr{}
	}
	return a
}

// A journal is what the lines of all loggers that stem from one are written to.
type journal struct {
	w io.Writer

	mu    sync.Mutex
	level slog.Level // of the record being written; owned by who holds mu
}

// Write writes one line: slog's text handler calls it once for each record.
func (j *journal) Write(line []byte) (int, error) {
	if _, err := j.w.Write(append([]byte(priority(j.level)), line...)); err != nil {
		return 0, err
	}
	return len(line), nil
}

// priority returns level as sd-daemon(3) prescribes.
func priority(level slog.Level) string {
	switch {
	case level >= slog.LevelError:
		return "<3>"
	case level >= slog.LevelWarn:
		return "<4>"
	case level >= slog.LevelInfo:
		return "<6>"
	}
	return "<7>"
}

type journalHandler struct {
	slog.Handler // writes to out
	out          *journal
}

func (h journalHandler) Handle(ctx context.Context, r slog.Record) error {
	r.Time = time.Time{}
	h.out.mu.Lock()
	defer h.out.mu.Unlock()
	h.out.level = r.Level
	return h.Handler.Handle(ctx, r)
}

func (h journalHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return journalHandler{h.Handler.WithAttrs(attrs), h.out}
}

func (h journalHandler) WithGroup(name string) slog.Handler {
	return journalHandler{h.Handler.WithGroup(name), h.out}
}
