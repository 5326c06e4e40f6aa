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
	lost      chan string
}

func (s *Session) visit() *visit {
	v := &visit{connected: make(chan struct{}, 1), lost: make(chan string, 1)}
	var quiet *atomic.Bool
	v.client, quiet = s.client(nil)
	quiet.Store(true)
	v.client.AddEventHandlerWithSuccessStatus(v.handle)
	return v
}

func (v *visit) handle(evt any) bool {
	switch evt.(type) {
	case *events.Message, *events.GroupInfo, *events.UndecryptableMessage, *events.FBMessage:
		return false
	case *events.Connected:
		ask(v.connected)
	default:
		if cause := lossCause(evt); cause != "" {
			select {
			case v.lost <- cause:
			default:
			}
		}
	}
	return true
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
			return errors.New(cause)
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-retry.C:
			if !v.client.IsConnected() {
				_ = v.client.ConnectContext(ctx) // or at the next tick
			}
		}
	}
}

// Link links this machine to the account whose phone scans the code; show is
// called with each code, which expires after some seconds, in turn. It returns
// when the link is usable and on disk.
func (s *Session) Link(ctx context.Context, show func(qr string)) error {
	if s.Linked() {
		return ErrAlreadyLinked
	}
	var err error
	if s.device, err = s.container.device(ctx); err != nil { // the one there is may be of a lost link
		return fmt.Errorf("link: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	v := s.visit()
	defer v.client.Disconnect()
	codes, err := v.client.GetQRChannel(ctx)
	if err != nil {
		return fmt.Errorf("link: %w", plain(err))
	}
	if err := v.client.ConnectContext(ctx); err != nil {
		return fmt.Errorf("link: %w", plain(err))
	}
	if err := scanned(ctx, codes, show); err != nil {
		return fmt.Errorf("link: %w", err)
	}
	settled := v.settle(ctx)
	v.client.Disconnect()
	// With synchronous=NORMAL a power cut could undo what is only in the
	// write-ahead log; and of the keys exchanged just now there is no copy.
	saved := sqlite.EmptyLog(context.WithoutCancel(ctx), s.db)
	if err := errors.Join(settled, saved); err != nil {
		return fmt.Errorf("link: the phone accepted this machine, but: %w", err)
	}
	return nil
}

// scanned shows the codes until one has been scanned and the pairing is done.
func scanned(ctx context.Context, codes <-chan whatsmeow.QRChannelItem, show func(qr string)) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case item, more := <-codes:
			if !more {
				return errors.Join(ctx.Err(), errors.New("the connection to WhatsApp broke off"))
			}
			switch item.Event {
			case whatsmeow.QRChannelEventCode:
				show(item.Code)
			case whatsmeow.QRChannelSuccess.Event:
				return nil
			default:
				return pairingError(item)
			}
		}
	}
}

func pairingError(item whatsmeow.QRChannelItem) error {
	switch item.Event {
	case whatsmeow.QRChannelTimeout.Event:
		return ErrTimedOut
	case whatsmeow.QRChannelClientOutdated.Event:
		return errors.New(lossCause(&events.ClientOutdated{}))
	case whatsmeow.QRChannelScannedWithoutMultidevice.Event:
		return errors.New("the phone's WhatsApp is too old to link devices: update it")
	case whatsmeow.QRChannelEventPasskeyRequest, whatsmeow.QRChannelEventPasskeyResponse:
		return errors.New("the account demands a passkey for linking, which muniment cannot give: turn that off on the phone")
	}
	for _, known := range []error{whatsmeow.ErrPairInvalidDeviceIdentityHMAC, whatsmeow.ErrPairInvalidDeviceSignature} {
		if errors.Is(item.Error, known) {
			return errors.New("the phone's answer does not fit the code that was shown: try again")
		}
	}
	return errors.New("WhatsApp broke off the linking: try again")
}

// Groups lists the groups that the account is in.
func (s *Session) Groups(ctx context.Context) ([]Group, error) {
	if !s.Linked() {
		return nil, ErrNotLinked
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	v := s.visit()
	defer v.client.Disconnect()
	if err := v.client.ConnectContext(ctx); err != nil {
		return nil, fmt.Errorf("list groups: %w", plain(err))
	}
	if err := v.settle(ctx); err != nil {
		return nil, fmt.Errorf("list groups: %w", err)
	}
	joined, err := v.client.GetJoinedGroups(ctx)
	if err != nil {
		return nil, fmt.Errorf("list groups: %w", plain(err))
	}
	groups := make([]Group, 0, len(joined))
	for _, g := range joined {
		groups = append(groups, Group{JID: g.JID.String(), Name: g.Name, Participants: len(g.Participants)})
	}
	return groups, nil
}
