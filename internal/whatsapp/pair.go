package whatsapp

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types/events"

	"muniment/internal/sqlite"
)

// Group is a group that the account is in. JID and name are for the sysadmin's
// terminal only.
type Group struct {
	JID          string
	Name         string
	Participants int
}

// settleTimeout bounds the first login after pairing, which uploads 812 keys.
const settleTimeout = 3 * time.Minute

// A visit is a connection that captures nothing. Whatever is delivered
// meanwhile is neither decrypted nor acknowledged, so that Run gets it; about
// that whatsmeow complains, so its complaints are not logged. (Calls, and new
// pictures of groups, it acknowledges whatever we say: they are missed.)
type visit struct {
	client    *whatsmeow.Client
	connected chan struct{}
	lost      chan error
	steps     chan any                // of a pairing, as whatsmeow tells of them
	ended     context.CancelCauseFunc // ends the pairing: the connection is gone
	scanning  atomic.Bool             // codes are shown to be scanned
}

func (s *Session) visit() *visit {
	v := &visit{
		connected: make(chan struct{}, 1), lost: make(chan error, 1),
		steps: make(chan any, 64), ended: func(error) {},
	}
	var quiet *atomic.Bool
	v.client, quiet = s.client(nil)
	quiet.Store(true)
	v.client.Log = noticingLog{v.client.Log, v.renew}
	v.client.AddEventHandlerWithSuccessStatus(v.handle)
	return v
}

func (v *visit) handle(evt any) bool {
	switch evt.(type) {
	case *events.Message, *events.GroupInfo, *events.UndecryptableMessage, *events.FBMessage:
		return false
	case *events.Connected:
		ask(v.connected)
	case *events.QR, *events.QRScannedWithoutMultidevice, *events.PairSuccess, *events.PairError,
		*events.PairPasskeyRequest, *events.PairPasskeyConfirmation, *events.PairPasskeyError:
		v.tell(evt)
	case *events.Disconnected:
		v.ended(errBrokenOff)
	default:
		if cause := endOf(evt); cause != nil {
			v.ended(cause)
			select {
			case v.lost <- cause:
			default:
			}
		}
	}
	return true
}

// errOutdated is what it comes to if WhatsApp refuses our version of its app.
var errOutdated = errors.New("WhatsApp no longer accepts muniment's version of its app; to connect as the newest one did not help, or could not be tried: " +
	"install a newer muniment")

// endOf says why there is no connection any more; nil if whatsmeow makes another.
func endOf(evt any) error {
	if _, is := evt.(*events.ClientOutdated); is {
		return errOutdated
	}
	if cause := lossCause(evt); cause != "" {
		return errors.New(cause)
	}
	return nil
}

// asNewest has visit connect, and once more as WhatsApp's newest app if ours is refused.
func (s *Session) asNewest(ctx context.Context, visit func() error) error {
	err := visit()
	if errors.Is(err, errOutdated) && s.adoptVersion(ctx) {
		err = visit()
	}
	return err
}

// tell passes a step on to the pairing. There are few; if nobody takes them, so many more
// than there should be are dropped.
func (v *visit) tell(step any) {
	select {
	case v.steps <- step:
	default:
	}
}

// settle waits until the client is logged in.
func (v *visit) settle(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, settleTimeout, errors.New("WhatsApp did not answer in time"))
	defer cancel()
	// The reconnect after pairing is tried once by whatsmeow.
	retry := time.NewTicker(5 * time.Second)
	defer retry.Stop()
	for {
		select {
		case <-v.connected:
			return nil
		case cause := <-v.lost:
			return cause
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-retry.C:
			if !v.client.IsConnected() {
				_ = v.client.ConnectContext(ctx) // or at the next tick
			}
		}
	}
}

// Link links this machine to the council's account as p says. It returns when the link is
// usable and on disk; if it fails before the phone has agreed, nothing is left of it.
func (s *Session) Link(ctx context.Context, p Pairing) error {
	if s.Linked() {
		return ErrAlreadyLinked
	}
	if err := s.asNewest(ctx, func() error { return s.link(ctx, p) }); err != nil {
		return fmt.Errorf("link: %w", err)
	}
	return nil
}

func (s *Session) link(ctx context.Context, p Pairing) (err error) {
	if s.device, err = s.container.device(ctx); err != nil { // the one there is may be of a lost link
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	v := s.visit()
	defer v.client.Disconnect()
	pairing, end := context.WithCancelCause(ctx)
	defer end(nil)
	v.ended = end
	if err := v.client.ConnectContext(ctx); err != nil {
		return plain(err)
	}
	if err := v.pair(pairing, p, s.typing); err != nil {
		return err
	}
	settled := v.settle(ctx)
	v.client.Disconnect()
	// With synchronous=NORMAL a power cut could undo what is only in the
	// write-ahead log; and of the keys exchanged just now there is no copy.
	saved := sqlite.EmptyLog(context.WithoutCancel(ctx), s.db)
	if err := errors.Join(settled, saved); err != nil {
		return fmt.Errorf("the phone accepted this machine, but: %w", err)
	}
	return nil
}

// Groups lists the groups that the account is in.
func (s *Session) Groups(ctx context.Context) (groups []Group, err error) {
	if !s.Linked() {
		return nil, ErrNotLinked
	}
	err = s.asNewest(ctx, func() (err error) {
		groups, err = s.joined(ctx)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list groups: %w", err)
	}
	return groups, nil
}

func (s *Session) joined(ctx context.Context) ([]Group, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	v := s.visit()
	defer v.client.Disconnect()
	if err := v.client.ConnectContext(ctx); err != nil {
		return nil, plain(err)
	}
	if err := v.settle(ctx); err != nil {
		return nil, err
	}
	joined, err := v.client.GetJoinedGroups(ctx)
	if err != nil {
		return nil, plain(err)
	}
	groups := make([]Group, 0, len(joined))
	for _, g := range joined {
		groups = append(groups, Group{JID: g.JID.String(), Name: g.Name, Participants: len(g.Participants)})
	}
	return groups, nil
}
