package daemon_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.mau.fi/whatsmeow"

	"muniment/internal/archive"
	"muniment/internal/config"
	"muniment/internal/daemon"
	"muniment/internal/people"
	"muniment/internal/sqlite"
	"muniment/internal/standin"
	"muniment/internal/verify"
	"muniment/internal/whatsapp"
)

// seed is the same for all stand-ins here: a process can trust one root only.
const seed = "daemon tests"

// The environment in which the test binary is the daemon, so that it can be
// killed. HTTPS_PROXY and SSL_CERT_FILE lead it to the stand-in, as they would
// lead the released program through a council's proxy; only the root key has to
// be set here, which that program cannot be told.
const (
	childConfig = "MUNIMENT_TEST_CONFIG"
	childRoot   = "MUNIMENT_TEST_ROOT"

	childProfile = "MUNIMENT_TEST_PROFILE" // where it writes what takes its time; the last one remains
)

func TestMain(m *testing.M) {
	if path := os.Getenv(childConfig); path != "" {
		if err := child(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	s, err := standin.Start(standin.Options{Seed: seed})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	s.Trust()
	s.Close()
	os.Exit(m.Run())
}

func child(path string) error {
	root, err := hex.DecodeString(os.Getenv(childRoot))
	if err != nil || copy(whatsmeow.WACertPubKey[:], root) != 32 {
		return fmt.Errorf("root key: %v", err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if path := os.Getenv(childProfile); path != "" {
		f, err := os.Create(path)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	if session := os.Getenv(childBare); session != "" {
		return bareClient(ctx, session)
	}
	c, err := config.Load(path)
	if err != nil {
		return err
	}
	o := daemon.Options{Config: c, Log: slog.New(slog.NewTextHandler(os.Stderr, nil)), Version: "test"}
	controlled(&o)
	killedAt(&o)
	return daemon.Serve(ctx, o)
}

// town is a council in a test: WhatsApp with its people, a mail server, and an
// archive that is linked and configured.
type town struct {
	t        testing.TB
	dir      string
	server   *standin.Server
	post     *standin.Post
	official *standin.Group
	phone    *standin.Member
	ann, bo  *standin.Member // on the member register
	stranger *standin.Member // in the group, on no register
	log      *safeBuffer
	now      func() time.Time // the daemon's clock; nil: it is right
	daemon   *daemon.Daemon   // while it runs in this process

	expectUncleanStop bool     // the archive cannot be written to
	numbers           int      // that people have taken since
	environment       []string // of daemons that are spawned, besides
}

const townConfig = `
state_directory = %q
[council]
name = "Cranford Parish Council"
domains = ["cranford-pc.example"]
[policy]
title = "WhatsApp Use Policy"
adopted = 2024-09-16
minute = "24/037"
[[group]]
jid = %q
name = "Cranford councillors"
purpose = "Quick, informal messages. No decisions are made here."
[notice]
version = "1"
given_on = 2026-09-01
method = "Emailed to every member"
[conversation]
settle = "200ms"
pause = "15m"
[mail]
server = %q
username = "record"
password_file = %q
from = "record@cranford-pc.example"
conversations_to = "council@cranford-pc.example"
clerk = "clerk@cranford-pc.example"
ca_file = %q
per_hour = 3600
[disposal]
approval = "standing"
approval_minute = "24/037"
`

// laidOut is what an archive begins as, by the names of the files. To lay out its tables takes as
// long as most tests do, several times so under the race detector.
var laidOut = sync.OnceValues(func() (map[string][]byte, error) {
	dir, err := os.MkdirTemp("", "muniment-daemon-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if err := daemon.Home(dir).Make(context.Background(), time.Now(), "the test"); err != nil {
		return nil, err
	}
	files := make(map[string][]byte)
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		b, failed := os.ReadFile(filepath.Join(dir, e.Name()))
		files[e.Name()], err = b, errors.Join(err, failed)
	}
	return files, err
})

// found founds a town and links it.
func found(t testing.TB) *town {
	t.Helper()
	return foundAt(t, standin.Options{})
}

// foundAt founds a town with another stand-in.
func foundAt(t testing.TB, o standin.Options) *town {
	t.Helper()
	w := &town{t: t, dir: t.TempDir(), log: &safeBuffer{}}
	var err error
	o.Seed = seed
	w.server, err = standin.Start(o)
	w.must(err)
	t.Cleanup(func() { w.server.Close() })
	w.post, err = w.server.OpenPost(filepath.Join(w.dir, "mailbox"), "record", "secret")
	w.must(err)
	t.Cleanup(func() { w.post.Close() })
	w.must(w.server.CAFile(w.path("ca.pem")))
	w.must(os.WriteFile(w.path("smtp-password"), []byte("secret\n"), 0o600))

	w.phone = w.server.Phone()
	w.ann = w.server.Member("Ann", "+447700900101")
	w.bo = w.server.Member("Bo", "+447700900102")
	w.stranger = w.server.Member("Zed the Stranger", "+447700900199")
	w.official = w.server.Group("Cranford PC", w.phone, w.ann, w.bo, w.stranger)
	w.must(os.WriteFile(w.path("muniment.toml"), fmt.Appendf(nil, townConfig,
		w.path("state"), w.official.JID(), w.post.Addr(), w.path("smtp-password"), w.path("ca.pem")), 0o600))

	archive, err := laidOut()
	w.must(err)
	w.must(os.Mkdir(w.path("state"), 0o700))
	for name, b := range archive {
		w.must(os.WriteFile(filepath.Join(w.path("state"), name), b, 0o600))
	}
	link, err := daemon.OpenLink(t.Context(), w.options())
	w.must(err)
	w.must(link.Pair(t.Context(), w.scanned()))
	w.must(link.Close())
	w.archive(func(db *sqlite.DB) error {
		return db.Write(t.Context(), func(tx *sqlite.Tx) error {
			for name, number := range map[string]string{"Cllr Ann Brook": "07700 900101", "Cllr Bo Carter": "07700 900102"} {
				a, err := people.ParseNumber(number)
				if err != nil {
					return err
				}
				if err := people.AddMember(tx, time.Now(), "the test", "", people.Member{Name: name, Role: "councillor"}, a); err != nil {
					return err
				}
			}
			return nil
		})
	})
	return w
}

func (w *town) path(name string) string { return filepath.Join(w.dir, name) }
func (w *town) home() daemon.Home       { return daemon.Home(w.path("state")) }

// scanned is a pairing in which the council's phone scans the code.
func (w *town) scanned() whatsapp.Pairing {
	return whatsapp.Pairing{Show: func(code string) { w.phone.ScanQR(code) }}
}

func (w *town) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *town) options() daemon.Options {
	c, err := config.Load(w.path("muniment.toml"))
	w.must(err)
	return daemon.Options{
		Config: c, Version: "test", HTTP: w.server.HTTPClient(), Now: w.now,
		Log: slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
}

// run runs the daemon in this process; stop ends it as SIGTERM would and checks
// that it stopped cleanly.
func (w *town) run() (stop func()) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	d, err := daemon.Open(ctx, w.options())
	w.must(err)
	w.daemon = d
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	w.must(w.server.WaitOnline(w.soon()))
	return sync.OnceFunc(func() {
		cancel()
		if err := errors.Join(<-done, d.Close()); (err != nil) != w.expectUncleanStop {
			w.t.Errorf("stop: %v", err)
		}
	})
}

// soon is a context for what happens within moments.
func (w *town) soon() context.Context {
	ctx, cancel := context.WithTimeout(w.t.Context(), 2*time.Minute)
	w.t.Cleanup(cancel)
	return ctx
}

// archive opens the archive beside the daemon.
func (w *town) archive(f func(*sqlite.DB) error) {
	w.t.Helper()
	db, err := w.home().OpenArchive(w.t.Context())
	w.must(err)
	w.must(errors.Join(f(db), db.Close()))
}

func (w *town) read(f func(*sqlite.Tx) error) {
	w.t.Helper()
	w.archive(func(db *sqlite.DB) error { return db.Read(w.t.Context(), f) })
}

// records returns all records of a message ID, by ID.
func (w *town) records() map[string][]archive.Record {
	w.t.Helper()
	byID := make(map[string][]archive.Record)
	w.read(func(tx *sqlite.Tx) error {
		return archive.Each(tx, func(r archive.Record) error {
			byID[r.ID] = append(byID[r.ID], r)
			return nil
		})
	})
	return byID
}

// verifies checks the archive against its ledger.
func (w *town) verifies() {
	w.t.Helper()
	w.archive(func(db *sqlite.DB) error {
		key, err := w.home().OpenKey()
		if err != nil {
			return err
		}
		r, err := verify.Run(w.t.Context(), db, key, verify.With{})
		if err != nil {
			return err
		}
		for _, f := range r.Faults {
			w.t.Errorf("verify: %s", f)
		}
		return nil
	})
}

// emails are those that have arrived, but for alerts.
func (w *town) emails() [][]byte {
	return slices.DeleteFunc(w.post.Emails(), isAlert)
}

// alerts are the alerts that have arrived.
func (w *town) alerts() [][]byte {
	return slices.DeleteFunc(w.post.Emails(), func(e []byte) bool { return !isAlert(e) })
}

// alerted waits until n alerts have arrived.
func (w *town) alerted(n int) [][]byte {
	w.t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); len(w.alerts()) < n; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Fatalf("%d alerts arrived, not %d", len(w.alerts()), n)
		}
	}
	return w.alerts()
}

func isAlert(email []byte) bool { return bytes.Contains(email, []byte("\r\nMessage-Id: <alert.")) }

// emailed waits until n emails, besides alerts, have arrived.
func (w *town) emailed(n int) [][]byte {
	w.t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for len(w.emails()) < n {
		if time.Now().After(deadline) {
			w.t.Fatalf("%d emails arrived, not %d", len(w.emails()), n)
		}
		time.Sleep(10 * time.Millisecond) // another process sends them: there is nothing to wait on
	}
	return w.emails()
}

// breaksConnections leaves a test out of short runs, which are those under the race
// detector: whatsmeow has data races of its own when a connection breaks, or the
// link is lost, while one of its queries is under way.
func breaksConnections(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("breaks a connection, where whatsmeow has data races of its own")
	}
}

// onlyReceives checks that nothing was sent to WhatsApp that must not be.
func (w *town) onlyReceives() {
	w.t.Helper()
	for _, e := range w.server.Journal().Outside() {
		w.t.Errorf("sent to WhatsApp: %s", e)
	}
}

// safeBuffer takes the log of several goroutines.
type safeBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
