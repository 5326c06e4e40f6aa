package systemd

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"testing"
)

func TestLogLinesForTheJournal(t *testing.T) {
	for _, tt := range []struct {
		name string
		log  func(*slog.Logger)
		want string
	}{
		{"an error", func(l *slog.Logger) { l.Error("message not captured", "err", errors.New("disk full")) },
			`<3>msg="message not captured" err="disk full"`},
		{"a warning", func(l *slog.Logger) { l.Warn("link lost") }, `<4>msg="link lost"`},
		{"information", func(l *slog.Logger) { l.Info("record captured", "seq", 7) }, `<6>msg="record captured" seq=7`},
		{"above an error is an error", func(l *slog.Logger) { l.Log(t.Context(), slog.LevelError+4, "x") }, `<3>msg=x`},
		{"debugging is left out", func(l *slog.Logger) { l.Debug("x") }, ""},
		{"attributes and groups are kept", func(l *slog.Logger) { l.With("job", "disposal").WithGroup("list").Info("drawn up", "records", 3) },
			`<6>msg="drawn up" job=disposal list.records=3`},
		{"attributes called time and level are kept", func(l *slog.Logger) { l.Info("x", "time", "02:30", "level", "low") }, `<6>msg=x time=02:30 level=low`},
		{"a message cannot begin a line of its own", func(l *slog.Logger) { l.Info("a\n<3>b") }, `<6>msg="a\n<3>b"`},
		{"a value cannot begin a line of its own", func(l *slog.Logger) { l.Info("x", "err", errors.New("a\r\n<0>b")) }, `<6>msg=x err="a\r\n<0>b"`},
		{"a key cannot begin a line of its own", func(l *slog.Logger) { l.Info("x", "a\n<0>b", 1) }, `<6>msg=x "a\n<0>b"=1`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("JOURNAL_STREAM", "8:12345")
			var out bytes.Buffer
			tt.log(NewLogger(&out))
			if got := strings.TrimSuffix(out.String(), "\n"); got != tt.want {
				t.Errorf("logged %q\nwant   %q", got, tt.want)
			}
			if n := strings.Count(out.String(), "\n"); tt.want != "" && n != 1 {
				t.Errorf("logged %d lines, want 1", n)
			}
		})
	}
}

func TestLogLinesElsewhere(t *testing.T) {
	t.Setenv("JOURNAL_STREAM", "")
	var out bytes.Buffer
	NewLogger(&out).Warn("a\n<3>b", "seq", 7)
	want := regexp.MustCompile(`^time=\S+ level=WARN msg="a\\n<3>b" seq=7\n$`)
	if !want.MatchString(out.String()) {
		t.Errorf("logged %q, want %s", out.String(), want)
	}
}

// Loggers that stem from one share its writer: no line may take the level of
// another.
func TestLoggersUsedAtOnceKeepTheirLevels(t *testing.T) {
	t.Setenv("JOURNAL_STREAM", "8:12345")
	var out bytes.Buffer
	log := NewLogger(&out)
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() { log.With("a", 1).Error("bad") })
		wg.Go(func() { log.WithGroup("g").Info("good") })
	}
	wg.Wait()
	for line := range strings.Lines(out.String()) {
		if line != "<3>msg=bad a=1\n" && line != "<6>msg=good\n" {
			t.Errorf("logged %q", line)
		}
	}
	if n := strings.Count(out.String(), "\n"); n != 100 {
		t.Errorf("logged %d lines, want 100", n)
	}
}

func TestLoggingFailsWhenTheLineIsNotWritten(t *testing.T) {
	t.Setenv("JOURNAL_STREAM", "8:12345")
	log := NewLogger(closed{})
	if err := log.Handler().Handle(t.Context(), slog.Record{Message: "x"}); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("Handle: %v, want %v", err, io.ErrClosedPipe)
	}
}

type closed struct{}

func (closed) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }
