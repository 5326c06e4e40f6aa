package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"muniment/internal/config"
	"muniment/internal/daemon"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
	"muniment/internal/standin"
	"muniment/internal/systemd"
	"muniment/internal/vault"
)

// stage is what the demonstration plays on: the stand-in for WhatsApp, a mail
// server that keeps what it is sent, a clock that can be stepped, and the daemon.
type stage struct {
	dir    string
	clock  *steppedClock
	server *standin.Server
	post   *standin.Post
	config config.Config
	log    *slog.Logger
	logTo  *os.File
	cast   cast
	bridge footbridge
	read   int            // how many emails of the mailbox are accounted for
	digest email          // the latest that the clerk got
	day    retention.Date // of the last night that was worked

	daemon *daemon.Daemon
	stop   context.CancelFunc
	done   chan error
}

// The account that the demonstration's mail server knows.
const (
	demoUser     = "record"
	demoPassword = "demonstration"
)

// newStage builds everything in dir, up to a configuration that lacks a group.
func newStage(ctx context.Context, dir string) (s *stage, err error) {
	s = &stage{dir: dir, clock: &steppedClock{now: storyBegins}, day: retention.DateOf(storyBegins)}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if s.logTo, err = os.OpenFile(filepath.Join(dir, demoLog), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600); err != nil {
		return nil, err
	}
	s.log = systemd.NewLogger(s.logTo)
	if s.server, err = standin.Start(standin.Options{Now: s.clock.Now}); err != nil {
		return nil, err
	}
	s.server.Trust()
	if err := s.server.CAFile(filepath.Join(dir, demoCA)); err != nil {
		return nil, err
	}
	if s.post, err = s.server.OpenPost(filepath.Join(dir, demoMailbox), demoUser, demoPassword); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, demoSMTP), []byte(demoPassword+"\n"), 0o600); err != nil {
		return nil, err
	}
	s.cast = newCast(s.server)
	if err := s.configure(); err != nil {
		return nil, err
	}
	home := daemon.Home(s.config.StateDirectory)
	if err := home.MarkDemonstration(); err != nil {
		return nil, err
	}
	return s, home.Make(ctx, s.clock.Now(), "the demonstration")
}

// configure writes the configuration and reads it, as a sysadmin's is read.
func (s *stage) configure() error {
	text := fmt.Sprintf(demoConfig, filepath.Join(s.dir, demoArchive), s.cast.official.JID(),
		s.post.Addr(), filepath.Join(s.dir, demoSMTP), filepath.Join(s.dir, demoCA))
	path := filepath.Join(s.dir, demoSettings)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return err
	}
	var err error
	s.config, err = config.Load(path)
	return err
}

const demoConfig = `# DEMONSTRATION: nothing here is real.
state_directory = %q

[council]
name = "Cranford Parish Council"
domains = ["cranford-pc.example"]

[policy]
title = "WhatsApp Use Policy"
adopted = 2024-09-16
minute = "24/037"
review = "September 2026"

[[group]]
jid = %q
name = "Cranford councillors"
purpose = "Quick, informal messages between councillors and officers. No decisions are made here."

[notice]
version = "1"
given_on = 2026-07-27
method = "Emailed to every member and posted in the group by the clerk"

[mail]
server = %q
security = "starttls"
username = "record"
password_file = %q
from = "record@cranford-pc.example"
conversations_to = "council@cranford-pc.example"
clerk = "clerk@cranford-pc.example"
ca_file = %q

[disposal]
approval = "standing"
approval_minute = "24/037"
`

func (s *stage) options() daemon.Options {
	return daemon.Options{
		Config: s.config, Log: s.log, Version: version(), Now: s.clock.Now,
		HTTP: s.server.HTTPClient(), Demonstration: true,
	}
}

// open opens the archive beside the daemon, as the commands do.
func (s *stage) open(ctx context.Context, f func(*sqlite.DB) error) error {
	db, err := daemon.Home(s.config.StateDirectory).OpenArchive(ctx)
	if err != nil {
		return err
	}
	return errors.Join(f(db), db.Close())
}

// start starts the daemon; end stops it as SIGTERM would.
func (s *stage) start(ctx context.Context) error {
	var err error
	if s.daemon, err = daemon.Open(ctx, s.options()); err != nil {
		return err
	}
	ctx, s.stop = context.WithCancel(ctx)
	s.done = make(chan error, 1)
	go func() { s.done <- s.daemon.Run(ctx) }()
	return s.server.WaitOnline(ctx)
}

func (s *stage) end() error {
	if s.daemon == nil {
		return nil
	}
	s.stop()
	err := errors.Join(<-s.done, s.daemon.Close())
	s.daemon = nil
	return err
}

func (s *stage) close() error {
	err := s.end()
	if s.server != nil {
		err = errors.Join(err, s.server.Close())
	}
	if s.post != nil {
		err = errors.Join(err, s.post.Close())
	}
	if s.logTo != nil {
		err = errors.Join(err, s.logTo.Close())
	}
	return err
}

// captured waits until everything that was said is captured and acknowledged.
func (s *stage) captured(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	return s.server.WaitSettled(ctx)
}

// fetched waits until every file that is wanted is fetched.
func (s *stage) fetched(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	return s.open(ctx, func(db *sqlite.DB) error {
		for {
			var files vault.Count
			if err := db.Read(ctx, func(tx *sqlite.Tx) (err error) {
				files, err = vault.Counts(tx)
				return err
			}); err != nil || files.Wanted == 0 {
				return err
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("%d files are not fetched: %w", files.Wanted, ctx.Err())
			case <-time.After(2 * time.Millisecond):
			}
		}
	})
}

// smallHours is when the night before a day is worked.
func smallHours(day retention.Date) time.Time { return day.Start().Add(2*time.Hour + 30*time.Minute) }

// nights does the work of every night up to the one before the last day breaks, and
// calls each, if it is not nil, after each of them.
func (s *stage) nights(ctx context.Context, last retention.Date, each func(retention.Date) error) error {
	for s.day < last {
		s.day = s.day.AddDays(1)
		s.clock.set(smallHours(s.day))
		if err := s.daemon.Nightly(ctx); err != nil {
			return err
		}
		if each == nil {
			continue
		}
		if err := each(s.day); err != nil {
			return err
		}
	}
	return nil
}

// absent searches every file below dir, and its name, for words and returns how many
// files there are; finding one is an error.
func absent(dir string, words ...string) (files int, err error) {
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		} else if err != nil {
			return err
		}
		files++
		for _, w := range words {
			if bytes.Contains(b, []byte(w)) || strings.Contains(e.Name(), w) {
				return fmt.Errorf("%s holds what must not be there", path)
			}
		}
		return nil
	})
	return files, err
}

// steppedClock is the demonstration's clock: it stands still until it is set.
type steppedClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *steppedClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *steppedClock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = t
}
