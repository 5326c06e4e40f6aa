package whatsapp

import (
	"context"
	"sync"
	"time"

	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
)

// seenAgain is how far apart two signs of life of the phone are, of which both are told.
const seenAgain = time.Hour

// A phone is what is known of the council's own, to which this device is linked.
type phone struct {
	mu   sync.Mutex
	told time.Time // its latest sign of life that was told
}

// sawPhone tells of an event that shows that the council's own phone was in use then: its
// first device has sent a message in any chat, has said that one was delivered or read, or
// has answered us.
func (l *listener) sawPhone(evt any) {
	var from types.MessageSource
	var at time.Time
	switch evt := evt.(type) {
	case *events.Message:
		if evt.SourceWebMsg != nil { // a copy of an old one; it came within another
			return
		}
		from, at = evt.Info.MessageSource, evt.Info.Timestamp
	case *events.UndecryptableMessage:
		from, at = evt.Info.MessageSource, evt.Info.Timestamp
	case *events.Receipt:
		from, at = evt.MessageSource, evt.Timestamp
	default:
		return
	}
	if !from.IsFromMe || from.Sender.Device != 0 || !l.t.own[from.Sender.ToNonAD().String()] || at.IsZero() {
		return
	}
	l.phone.mu.Lock()
	news := at.Sub(l.phone.told) >= seenAgain
	if news {
		l.phone.told = at
	}
	l.phone.mu.Unlock()
	if news {
		l.link.pass(func(ctx context.Context) error { return l.hooks.PhoneSeen(ctx, at) })
	}
}
