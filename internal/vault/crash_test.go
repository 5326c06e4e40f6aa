package vault

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// With these in its environment, the test binary is a daemon that does nothing but
// fetch, in that directory, from that server.
const (
	childDirectory = "VAULT_TEST_DIRECTORY"
	childServer    = "VAULT_TEST_SERVER"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDirectory); dir != "" {
		fmt.Fprintln(os.Stderr, runChild(dir, os.Getenv(childServer)))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func runChild(dir, server string) error {
	db, err := sqlite.Open(context.Background(), filepath.Join(dir, "archive.db"))
	if err != nil {
		return err
	}
	v := &Vault{
		Directory: filepath.Join(dir, "media"), DB: db, Log: slog.New(slog.NewTextHandler(os.Stderr, nil)), Now: time.Now,
		Download: download(server),
	}
	return v.Run(context.Background())
}

// The daemon is killed at random, without warning, while files arrive. Whatever is
// in its place is whole at any time; in the end, everything is there, and nothing
// else.
func TestKilledWhileFilesArrive(t *testing.T) {
	files, kills := 60, 20
	if testing.Short() {
		files, kills = 20, 6
	}
	c := newCouncil(t)
	var pieces atomic.Int64 // that were sent
	plain := make(map[record.Seq][]byte)
	for seq := record.Seq(1); int(seq) <= files; seq++ {
		plain[seq] = words(100_000 + rand.IntN(200_000))
		sealed, f := seal(record.Video, plain[seq])
		c.wa.answers(f.Path, func(a http.ResponseWriter, _ *http.Request) {
			for at := 0; at < len(sealed); at += 20_000 { // little by little
				a.Write(sealed[at:min(at+20_000, len(sealed))])
				a.(http.Flusher).Flush()
				pieces.Add(1)
				time.Sleep(10 * time.Millisecond)
			}
		})
		c.wants(seq, record.Video, f)
	}
	cut, kept := 0, 0
	for n := 0; n < kills && kept < files; n++ {
		child := exec.CommandContext(t.Context(), os.Args[0])
		child.Env = append(os.Environ(), childDirectory+"="+c.dir, childServer+"="+c.wa.URL)
		child.Stderr = &c.log
		c.must(child.Start())
		until := pieces.Load() + 1 + rand.Int64N(80)
		for deadline := time.Now().Add(5 * time.Second); pieces.Load() < until && time.Now().Before(deadline); { // unless nothing is left
			time.Sleep(time.Millisecond)
		}
		c.must(child.Process.Signal(syscall.SIGKILL))
		if err := child.Wait(); child.ProcessState.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Fatalf("the daemon was not killed: %v\n%s", err, c.log.String())
		}
		for _, name := range c.files() {
			b, err := os.ReadFile(name)
			c.must(err)
			if base := filepath.Base(name); strings.HasPrefix(base, partPrefix) {
				cut++
			} else if sum := sha256.Sum256(b); base != hex.EncodeToString(sum[:]) {
				t.Errorf("%s is in its place and not whole", base)
			}
		}
		c.restarts()
		c.read(func(tx *sqlite.Tx) error {
			n, err := Counts(tx)
			kept = n.Kept
			return err
		})
	}
	t.Logf("killed %d times, in the middle of %d files; %d of %d files were kept by then", kills, cut, kept, files)
	if cut == 0 || kept == 0 {
		t.Error("the test shows nothing")
	}
	for seq := range plain {
		if m := c.file(seq); m.State != Lost && m.wrong == 0 {
			continue
		}
		t.Errorf("the file of record %d is %+v", seq, c.file(seq))
	}
	c.write(func(tx *sqlite.Tx) error { return Retry(tx, c.now()) })
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- c.vault.Run(ctx) }()
	c.waits(func(n Count) bool { return n.Kept == files })
	cancel()
	c.must(<-done)
	for seq, p := range plain {
		c.holds(seq, p)
	}
	c.has(files)
}
