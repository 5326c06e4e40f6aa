// Package command runs programs of the council's own, which the configuration names: as they
// stand there, by no shell, for no longer than they may take, and with nothing of ours in
// their environment that they need not have.
package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// A Command is a program that is to be run.
type Command struct {
	Name string   // what errors call it: “the alert command”
	Argv []string // the program, by its whole path, and its arguments
	// Patience is how long it may take; then it is killed, with its children.
	Patience time.Duration
}

// Run runs the command with an input, which may be nil, and with these variables in its
// environment besides the usual ones. What it prints is not looked at: it may be anything.
func (c Command) Run(ctx context.Context, input io.Reader, variables ...string) error {
	ctx, cancel := context.WithTimeout(ctx, c.Patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.Argv[0], c.Argv[1:]...)
	cmd.Stdin = input
	cmd.Env = append(environment(), variables...)
	cmd.Dir = "/"
	// Killed, it goes with its children.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Errorf("%s did not end within %s, and was killed", c.Name, c.Patience)
	case errors.As(err, &exit):
		return fmt.Errorf("%s failed: %s", c.Name, exit.ProcessState)
	}
	return fmt.Errorf("%s could not be run: %w", c.Name, err)
}

// environment is what a command is given of ours: nothing that tells of systemd or of
// secrets. HOME is where it finds its own.
func environment() (env []string) {
	for _, name := range []string{"HOME", "PATH", "LANG", "TZ", "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy", "SSL_CERT_FILE"} {
		if v, is := os.LookupEnv(name); is {
			env = append(env, name+"="+v)
		}
	}
	return env
}
