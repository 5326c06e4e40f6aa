// Package systemd owns how the daemon talks to the service manager that runs
// it: that it is ready, what it is doing, that it is alive, that it is stopping,
// and log lines as the journal reads them.
//
// Everything here does nothing, or the ordinary thing, when the program was not
// started by systemd. The package knows nothing of what the daemon does; what it
// is handed to say must hold no message text, name or number.
package systemd

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// Ready says that the daemon has started: the unit becomes active.
func Ready() error { return notify(daemon.SdNotifyReady) }

// Stopping says that the daemon has begun to stop.
func Stopping() error { return notify(daemon.SdNotifyStopping) }

// Status says in one line what the daemon is doing, for `systemctl status`.
func Status(text string) error {
	// Each line of a notification is a command of its own to systemd.
	return notify("STATUS=" + strings.Join(strings.FieldsFunc(text, func(c rune) bool { return c == '\n' || c == '\r' }), " "))
}

func notify(state string) error {
	if _, err := daemon.SdNotify(false, state); err != nil {
		return fmt.Errorf("tell systemd: %w", err)
	}
	return nil
}

// Watchdog feeds systemd's watchdog until ctx is done, but only while alive
// returns nil. If systemd is not fed for the time that the unit sets, it kills
// the daemon and starts it anew; so alive must fail, or not return, whenever
// that is the remedy, and must say itself, in the log, why it failed.
//
// The first feed is due at once, the others at half the watchdog's time. A feed
// that cannot be delivered is not an error: the next one may be, and systemd
// judges. Watchdog returns nil at once if no watchdog waits for this process.
func Watchdog(ctx context.Context, alive func() error) error {
	limit, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		return fmt.Errorf("systemd's watchdog: %w", err)
	}
	if limit == 0 {
		return nil
	}
	tick := time.NewTicker(max(limit/2, 1))
	defer tick.Stop()
	for ctx.Err() == nil {
		if alive() == nil {
			_ = notify(daemon.SdNotifyWatchdog)
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
	return nil
}
