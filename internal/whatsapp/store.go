package whatsapp

import (
	"context"
	"sync"
	"sync/atomic"

	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/store/sqlstore"
	"go.mau.fi/whatsmeow/types"
)

// container is whatsmeow's store of devices, of which there is one at most. It
// sees to it that nothing of other chats is written down (invariant 3).
//
// Pairing makes a device's stores in PutDevice, before the first message can
// come; so wrapping them there leaves no moment in which they are bare.
type container struct {
	*sqlstore.Container
	seal   *seal
	keys   *senderKeys // once there is a device
	linked atomic.Bool
}

// device returns the linked device, or a new one to be linked.
func (c *container) device(ctx context.Context) (*store.Device, error) {
	d, err := c.GetFirstDevice(ctx)
	if err != nil {
		return nil, err
	}
	c.linked.Store(d.ID != nil)
	c.wrap(d)
	return d, nil
}

// PutDevice saves the device, and wraps its stores if it has only now got them.
func (c *container) PutDevice(ctx context.Context, d *store.Device) error {
	err := c.Container.PutDevice(ctx, d)
	c.wrap(d)
	if err == nil {
		c.linked.Store(true)
	}
	return err
}

// DeleteDevice forgets the device and all that hangs on it. What was decrypted
// and not finished goes with it, and WhatsApp will not deliver it again to this
// device; that much is remembered for AbandonBuffered. The end of Run does not
// interrupt it.
func (c *container) DeleteDevice(ctx context.Context, d *store.Device) error {
	ctx = context.WithoutCancel(ctx)
	n, _ := c.seal.unfinished(ctx) // if it cannot be counted, deleting fails too
	if err := c.Container.DeleteDevice(ctx, d); err != nil {
		return err
	}
	c.seal.lost.Add(int64(n))
	c.linked.Store(false)
	return nil
}

// wrap replaces the stores of what we do not need and must not have. whatsmeow
// takes an empty answer from each of them for "not known": no push name ever
// changes, so no event follows; there is no privacy token, so none is renewed;
// there is no message secret, so polls and secret edits are not decrypted here.
// Their secrets are in the archive, with the message that brought them.
//
// The stores are read without a lock by everything in whatsmeow, so they are
// written only when they have not been wrapped before.
func (c *container) wrap(d *store.Device) {
	if d.Container != c {
		d.Container = c
	}
	if d.EventBuffer == nil {
		return // not linked yet: PutDevice comes later
	}
	if _, done := d.EventBuffer.(*eventBuffer); done {
		return
	}
	nothing := &store.NoopStore{}
	d.Contacts = nothing
	d.ChatSettings = nothing
	d.MsgSecrets = nothing
	d.PrivacyTokens = nothing
	d.NCTSalt = nothing
	d.EventBuffer = &eventBuffer{EventBuffer: d.EventBuffer, seal: c.seal}
	c.keys = &senderKeys{SenderKeyStore: d.SenderKeys, seal: c.seal, failed: make(map[string]bool)}
	d.SenderKeys = c.keys
}

// senderKeys are the keys of those who send to groups. They remember of whom they could
// not be read or written last: whatsmeow only logs that of a key that has just come, and
// would acknowledge what brought it, and nothing that is sent under it could be read.
type senderKeys struct {
	store.SenderKeyStore
	seal   *seal
	mu     sync.Mutex
	failed map[string]bool
}

func (k *senderKeys) PutSenderKey(ctx context.Context, group, user string, session []byte) error {
	return k.note(group, user, k.SenderKeyStore.PutSenderKey(ctx, group, user, session))
}

func (k *senderKeys) GetSenderKey(ctx context.Context, group, user string) ([]byte, error) {
	key, err := k.SenderKeyStore.GetSenderKey(ctx, group, user)
	return key, k.note(group, user, err)
}

func (k *senderKeys) note(group, user string, err error) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err != nil {
		k.failed[group+" "+user] = true
		k.seal.abstain()
	} else {
		delete(k.failed, group+" "+user)
	}
	return err
}

// has reports whether the key that came with a message is there.
func (k *senderKeys) has(info types.MessageInfo) bool {
	from := info.Sender // as whatsmeow chooses it
	if from.Server == types.DefaultUserServer && info.SenderAlt.Server == types.HiddenUserServer {
		from = info.SenderAlt
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return !k.failed[info.Chat.String()+" "+from.SignalAddress().String()]
}
