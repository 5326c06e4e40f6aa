package daemon_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/mail"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"muniment/internal/archive"
	"muniment/internal/daemon"
	"muniment/internal/sqlite"
	"muniment/internal/standin"
)

// The daemon is a process of its own and is killed at random, without warning,
// while a council talks and marks. Nothing is lost, nothing comes twice, every
// marked conversation is in the mailbox.
func TestKilledAtRandom(t *testing.T) {
	conversations, messages, kills := 10, 30, 15
	if testing.Short() {
		conversations, messages, kills = 3, 10, 4
	}
	w := found(t)
	w.showLogOfFailure()
	said := make(map[string]*standin.Message)
	told := make(chan error, 1)
	start := time.Now().Add(-24 * time.Hour).Truncate(time.Second)
	go func() {
		defer close(told)
		for c := range conversations {
			// An hour of silence lies between two conversations.
			at := start.Add(time.Duration(c) * time.Hour)
			var first *standin.Message
			for n := range messages {
				speaker := []*standin.Member{w.ann, w.bo, w.stranger}[n%3]
				m := speaker.At(at.Add(time.Duration(n) * 10 * time.Second)).Says(fmt.Sprintf("Conversation %d, message %d.", c, n))
				if said[m.ID()] = m; n == 0 {
					first = m
				}
				time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond) // people take their time
			}
			w.bo.At(at.Add(time.Duration(messages)*10*time.Second)).Reacts(first, "📌")
		}
	}()
	for kill := range kills {
		c := w.spawn()
		if kill%2 == 1 { // it has got to its work, on however slow a machine
			w.must(w.server.WaitOnline(w.soon()))
		}
		time.Sleep(time.Duration(50+rand.IntN(500)) * time.Millisecond)
		w.must(c.Process.Signal(syscall.SIGKILL))
		_ = c.Wait() // killed: it cannot have ended well
	}
	<-told
	settledByKilled := w.server.Settled()
	if t.Logf("%d stanzas were settled by daemons that were killed", len(settledByKilled)); len(settledByKilled) == 0 {
		t.Error("none was: the test shows nothing")
	}
	w.settledIsCaptured(settledByKilled)

	c := w.spawn()
	w.must(w.server.WaitOnline(w.soon())) // it listens to signals then
	w.must(w.server.WaitSettled(w.soon()))
	w.conversationsArrived(conversations, messages)
	w.must(c.Process.Signal(syscall.SIGTERM))
	w.must(c.Wait())

	records := w.records()
	for id, m := range said {
		if rs := records[id]; len(rs) != 1 || rs[0].Text != m.Text() {
			t.Errorf("%q is in the archive %d times", m.Text(), len(rs))
		}
	}
	w.settledIsCaptured(w.server.Settled())
	w.accounted()
	w.verifies()
	w.onlyReceives()
}

// childKillAt is a message of its log at which a spawned daemon kills itself.
const childKillAt = "MUNIMENT_TEST_KILL_AT"

// killedAt has the daemon of the options kill itself at a message of its log, if it is to.
func killedAt(o *daemon.Options) {
	if message := os.Getenv(childKillAt); message != "" {
		o.Log = slog.New(suicide{o.Log.Handler(), message})
	}
}

type suicide struct {
	slog.Handler
	message string
}

func (s suicide) Enabled(context.Context, slog.Level) bool { return true }

func (s suicide) WithAttrs(a []slog.Attr) slog.Handler {
	return suicide{s.Handler.WithAttrs(a), s.message}
}

func (s suicide) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == s.message {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // until it has come
	}
	return s.Handler.Handle(ctx, r)
}

// spawn starts the daemon as a process of its own.
func (w *town) spawn() *exec.Cmd {
	w.t.Helper()
	c := w.command(os.Args[0])
	log, err := os.OpenFile(w.path("log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	w.must(err)
	c.Stderr = log
	w.must(c.Start())
	w.must(log.Close())
	return c
}

// command runs a program that becomes the daemon.
func (w *town) command(name string, args ...string) *exec.Cmd {
	root := w.server.RootKey()
	c := exec.CommandContext(w.t.Context(), name, args...)
	c.Env = append(append(os.Environ(), w.environment...),
		childConfig+"="+w.path("muniment.toml"), childRoot+"="+hex.EncodeToString(root[:]),
		"HTTPS_PROXY=http://"+w.server.Addr(), "SSL_CERT_FILE="+w.path("ca.pem"),
		"GORACE=exitcode=0") // whatsmeow's own races when it hangs up are not what this test is about
	return c
}

// showLogOfFailure shows how the spawned daemons' log ends, if the test fails.
func (w *town) showLogOfFailure() {
	w.t.Cleanup(func() {
		if b, err := os.ReadFile(w.path("log")); err == nil && w.t.Failed() {
			w.t.Logf("%s", b[max(0, len(b)-2000):])
		}
	})
}

// settledIsCaptured checks that what WhatsApp was told was received is there.
func (w *town) settledIsCaptured(settled []standin.Settlement) {
	w.t.Helper()
	records := w.records()
	for _, s := range settled {
		if s.Tag == "message" && s.Chat == w.official.JID() && len(records[s.ID]) != 1 {
			w.t.Errorf("message %s was settled by %q and is in the archive %d times", s.ID, s.By, len(records[s.ID]))
		}
	}
}

// conversationsArrived waits until every conversation is in the mailbox, whole,
// and once: a copy that went again after a kill is the same email, byte for byte.
func (w *town) conversationsArrived(conversations, messages int) {
	w.t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for {
		emails := make(map[string][]byte)
		copies := 0
		for _, raw := range w.emails() {
			msg, err := mail.ReadMessage(bytes.NewReader(raw))
			w.must(err)
			id := msg.Header.Get("Message-Id")
			if before, again := emails[id]; again {
				if copies++; !bytes.Equal(before, raw) {
					w.t.Errorf("two emails with the Message-ID %s differ", id)
				}
			}
			emails[id] = raw
		}
		if len(emails) >= conversations {
			w.t.Logf("%d emails, and %d identical copies", len(emails), copies)
			w.eachOnce(emails, conversations, messages)
			return
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("%d conversations are in the mailbox, not %d", len(emails), conversations)
		}
		time.Sleep(10 * time.Millisecond) // another process sends them: there is nothing to wait on
	}
}

func (w *town) eachOnce(emails map[string][]byte, conversations, messages int) {
	w.t.Helper()
	for c := range conversations {
		for n := range messages {
			in := 0
			for _, raw := range emails {
				if strings.Contains(plain(raw), fmt.Sprintf("| Conversation %d, message %d.", c, n)) {
					in++
				}
			}
			if in != 1 {
				w.t.Errorf("message %d of conversation %d is in %d emails", n, c, in)
			}
		}
	}
}

// plain returns the plain text part of an email, near enough for a search.
func plain(raw []byte) string {
	text, _, _ := strings.Cut(string(raw), "text/html")
	return strings.ReplaceAll(text, "=\r\n", "")
}

// accounted checks the sums of all days and runs: all that was received was captured, a
// duplicate, out of scope, or failed.
func (w *town) accounted() {
	w.t.Helper()
	w.read(func(tx *sqlite.Tx) error {
		intakes, err := archive.Intakes(tx)
		for _, i := range intakes {
			if i.Unaccounted() != 0 {
				w.t.Errorf("%d events are not accounted for: %+v", i.Unaccounted(), i)
			}
		}
		return err
	})
}
