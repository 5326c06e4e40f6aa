package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
)

func demoCommand() *cobra.Command {
	var dir string
	var exit bool
	c := &cobra.Command{
		Use:   "demo",
		Short: "See all of it work, with nothing real",
		Long: `Demo runs the daemon, the very code of "muniment run", against a stand-in for
WhatsApp and a mail server of its own, both on this machine. A small council talks
for three days; a conversation is marked and arrives as an email; six years pass;
what has expired is destroyed and certified. Only the far ends and the clock are not
real.

It needs no configuration and touches nothing but its directory.`,
		Example: `  muniment demo
  muniment demo --dir ./demo --exit`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			dir, err := demoDirectory(dir)
			if err != nil {
				return err
			}
			n := narrator{out: c.OutOrStdout()}
			if !exit {
				n.pause = 3 * time.Second
			}
			return runDemo(c.Context(), dir, n)
		},
	}
	c.Flags().StringVar(&dir, "dir", "", "keep everything in this `directory`, which must be empty or a demonstration's")
	c.Flags().BoolVar(&exit, "exit", false, "make no pauses for reading")
	return c
}

// demoDirectory makes the directory ready: empty, and nobody else's.
func demoDirectory(dir string) (string, error) {
	if dir == "" {
		return os.MkdirTemp("", "muniment-demo-")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return dir, os.MkdirAll(dir, 0o700)
	} else if err != nil {
		return "", err
	}
	if len(entries) == 0 {
		return dir, nil
	}
	if _, err := os.Stat(filepath.Join(dir, demoMark)); err != nil {
		return "", fmt.Errorf("%s is neither empty nor a demonstration's: choose another directory", dir)
	}
	for _, e := range entries {
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return "", err
		}
	}
	return dir, nil
}

// demoMark is the file that marks a demonstration's directory.
const demoMark = "DEMONSTRATION.txt"

// narrator tells the story, with pauses for reading.
type narrator struct {
	out   io.Writer
	pause time.Duration
}

// scene begins a new part of the story.
func (n narrator) scene(title string) {
	n.rest()
	fmt.Fprintf(n.out, "\n== %s\n\n", title)
}

// says tells one thing.
func (n narrator) says(format string, args ...any) {
	fmt.Fprintf(n.out, format+"\n", args...)
}

func (n narrator) rest() {
	time.Sleep(n.pause)
}

// runDemo tells the story in dir.
func runDemo(ctx context.Context, dir string, n narrator) (err error) {
	s, err := newStage(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	n.says("DEMONSTRATION: the people, the messages and the clock are not real; the program is.")
	for _, act := range []func(context.Context, narrator) error{
		s.setUp, s.firstDay, s.secondDay, s.thirdDay, s.lookAfter, s.sixYears, s.destruction, s.farewell,
	} {
		if err := act(ctx, n); err != nil {
			return fmt.Errorf("demo: %w", err)
		}
	}
	return nil
}
