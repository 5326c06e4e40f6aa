package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"muniment/internal/daemon"
	"muniment/internal/retention"
)

func demoCommand() *cobra.Command {
	var dir string
	var exit bool
	c := &cobra.Command{
		Use:   "demo",
		Short: "See all of it work, with nothing real",
		Long: `Demo runs the daemon, the very code of "muniment run", against a stand-in for
WhatsApp and a mail server of its own, both on this machine. A small council talks
for two months; a conversation with a photo is marked and arrives as an email;
messages are edited and deleted; six years pass; somebody asks for what was said;
what has expired is destroyed and certified, and what is on hold is not. Only the
far ends and the clock are not real.

It needs no configuration and touches nothing but its directory.`,
		Example: `  muniment demo
  muniment demo --dir ./demo --exit`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			dir, release, err := claimDirectory(dir)
			if err != nil {
				return err
			}
			defer release()
			n := narrator{out: c.OutOrStdout(), stopped: c.Context().Done()}
			if !exit {
				n.pause = 2500 * time.Millisecond
			}
			return runDemo(c.Context(), dir, n)
		},
	}
	c.Flags().StringVar(&dir, "dir", "", "keep everything in this `directory`, which must be empty or a demonstration's")
	c.Flags().BoolVar(&exit, "exit", false, "make no pauses for reading")
	return c
}

// The entries of a demonstration's directory.
const (
	demoMark        = daemon.DemonstrationMark // says what the directory is, and is its lock
	demoArchive     = "archive"
	demoMailbox     = "mailbox"
	demoSettings    = "muniment.toml"
	demoCA          = "mail-ca.pem"
	demoSMTP        = "smtp-password"
	demoLog         = "daemon.log"
	demoCertificate = "certificate-%v.json" // with its number
)

// claimDirectory makes the directory ready for a demonstration: it exists, holds
// nothing but the mark, and is locked until release is called or the process ends.
//
// What an earlier demonstration left is removed, and nothing else ever: where
// there is anything that no demonstration made, the directory is refused.
func claimDirectory(dir string) (path string, release func(), err error) {
	if dir == "" {
		dir, err = os.MkdirTemp("", "muniment-demo-")
	} else if dir, err = filepath.Abs(dir); err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err != nil {
		return "", nil, err
	}
	if info, err := os.Lstat(dir); err != nil {
		return "", nil, err
	} else if !info.IsDir() {
		return "", nil, fmt.Errorf("%s is a symbolic link: name the directory itself", dir)
	}
	root, err := os.OpenRoot(dir) // nothing below can reach beyond it
	if err != nil {
		return "", nil, err
	}
	defer root.Close()
	mark, err := lockMark(root)
	if err != nil {
		return "", nil, err
	}
	if err := wipe(root, mark); err != nil {
		return "", nil, errors.Join(err, mark.Close())
	}
	return dir, func() { mark.Close() }, nil
}

// lockMark puts the mark into an empty directory, or finds it in one that is a
// demonstration's, and locks it. The file is never removed, so two that come at
// the same moment lock the same one.
func lockMark(root *os.Root) (*os.File, error) {
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return nil, err
	}
	marked := slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == demoMark && e.Type().IsRegular() })
	if len(entries) > 0 && !marked {
		return nil, fmt.Errorf("%s is neither empty nor a demonstration's: choose another directory", root.Name())
	}
	mark, err := root.OpenFile(demoMark, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	err = unix.FcntlFlock(mark.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK})
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
		err = fmt.Errorf("a demonstration is running in %s: wait for its end, or choose another directory", root.Name())
	}
	if err != nil {
		return nil, errors.Join(err, mark.Close())
	}
	return mark, nil
}

// wipe removes what an earlier demonstration made, unless there is anything else.
func wipe(root *os.Root, mark *os.File) error {
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !madeByDemo(root, e) {
			return fmt.Errorf("%s holds %q, which no demonstration made: move it away, or choose another directory", root.Name(), e.Name())
		}
	}
	for _, e := range entries {
		if e.Name() == demoMark {
			continue
		}
		if err := root.RemoveAll(e.Name()); err != nil {
			return err
		}
	}
	_, err = mark.WriteAt([]byte("DEMONSTRATION: nothing in this directory is real.\n"), 0)
	return err
}

// madeByDemo reports whether an earlier demonstration made e.
func madeByDemo(root *os.Root, e fs.DirEntry) bool {
	switch e.Name() {
	case demoArchive: // a real archive may have been put in its place
		_, err := root.Lstat(filepath.Join(demoArchive, daemon.DemonstrationMark))
		return e.IsDir() && err == nil
	case demoMailbox:
		return e.IsDir()
	case demoMark, demoSettings, demoCA, demoSMTP, demoLog:
		return e.Type().IsRegular()
	}
	var number int
	_, err := fmt.Sscanf(e.Name(), demoCertificate, &number)
	return err == nil && e.Name() == fmt.Sprintf(demoCertificate, number) && e.Type().IsRegular()
}

// narrator tells the story, with pauses for reading. Once stopped it is silent:
// whatever goes on to its end then has nothing more to say.
type narrator struct {
	out     io.Writer
	pause   time.Duration
	stopped <-chan struct{}
}

// Write lets what other commands print be part of the story.
func (n narrator) Write(p []byte) (int, error) {
	select {
	case <-n.stopped:
		return len(p), nil
	default:
		return n.out.Write(p)
	}
}

// scene begins a new part of the story.
func (n narrator) scene(title string) {
	n.rest()
	n.line("\n== %s\n", title)
}

// says tells one thing, in lines that fit a terminal.
func (n narrator) says(format string, args ...any) {
	for _, l := range fold("", "", fmt.Sprintf(format, args...), terminalColumns) {
		n.line("%s", l)
	}
}

// lines tells one thing set in from the margin.
func (n narrator) lines(margin, text string) {
	for _, l := range fold(margin, margin, text, terminalColumns) {
		n.line("%s", l)
	}
}

// chats tells what somebody did in the chat, at a time of day.
func (n narrator) chats(at time.Time, who, what string) {
	first := fmt.Sprintf("  %s  %-14s ", at.In(retention.London).Format("15:04"), who)
	for _, l := range fold(first, strings.Repeat(" ", len(first)), what, terminalColumns) {
		n.line("%s", l)
	}
}

// line prints one line as it is.
func (n narrator) line(format string, args ...any) {
	fmt.Fprintf(n, format+"\n", args...)
}

// rest pauses, but no longer than until it is stopped.
func (n narrator) rest() {
	select {
	case <-n.stopped:
	case <-time.After(n.pause):
	}
}

// The widths of what is told, and of the emails in it.
const (
	terminalColumns = 78
	emailColumns    = 76
)

// fold breaks text into lines of at most the given width, between words where it
// can, with first before the first line and rest before every other.
func fold(first, rest, text string, width int) (lines []string) {
	line, empty := first, true
	for _, word := range strings.Fields(text) {
		for !empty && utf8.RuneCountInString(line+" "+word) > width || utf8.RuneCountInString(line+word) > width {
			if empty {
				cut := width - utf8.RuneCountInString(line)
				runes := []rune(word)
				line, word = line+string(runes[:cut]), string(runes[cut:])
			}
			lines = append(lines, line)
			line, empty = rest, true
		}
		if !empty {
			line += " "
		}
		line, empty = line+word, false
	}
	return append(lines, strings.TrimRight(line, " "))
}

// runDemo tells the story in dir. To be told to stop is no failure: whoever
// watches may have seen enough.
func runDemo(ctx context.Context, dir string, n narrator) error {
	s, err := newStage(ctx, dir)
	if err == nil {
		err = s.play(ctx, n)
		stopped := ctx.Err() != nil
		err = errors.Join(err, s.close())
		if !stopped {
			return err
		}
	}
	if ctx.Err() == nil {
		return err
	}
	fmt.Fprintf(n.out, "\nStopped. What there is so far lies in %s.\n", dir)
	return nil
}

// play tells the story from the beginning to the end.
func (s *stage) play(ctx context.Context, n narrator) error {
	for _, act := range []func(context.Context, narrator) error{
		s.welcome, s.setUp, s.firstDay, s.secondDay, s.thirdDay, s.secondThoughts, s.mondayMorning, s.month, s.lookAfter,
		s.sixYears, s.request, s.dayComes, s.release, s.farewell,
	} {
		if err := act(ctx, n); err != nil {
			return fmt.Errorf("demo: %w", err)
		}
	}
	return nil
}
