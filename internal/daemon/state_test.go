package daemon

import (
	"testing"
	"time"

	"muniment/internal/whatsapp"
)

// What the service manager shows of the link, in one line.
func TestLinkState(t *testing.T) {
	again := time.Date(2026, 7, 3, 13, 5, 0, 0, time.UTC)
	for _, tt := range []struct {
		state whatsapp.State
		want  string
	}{
		{whatsapp.State{Connected: true}, "connected to WhatsApp"},
		{whatsapp.State{}, "connecting to WhatsApp"},
		{whatsapp.State{Cause: "The connection to WhatsApp was interrupted."}, "not connected: The connection to WhatsApp was interrupted"},
		{whatsapp.State{Cause: "WhatsApp refuses the connection.", Again: again},
			"not connected, to be tried again on 3 July at 14:05: WhatsApp refuses the connection"},
	} {
		if got := linkState(tt.state); got != tt.want {
			t.Errorf("%+v: %q, want %q", tt.state, got, tt.want)
		}
	}
}
