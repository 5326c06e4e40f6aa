package standin

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"math/big"

	"go.mau.fi/libsignal/ecc"
	"go.mau.fi/libsignal/groups"
	groupRecord "go.mau.fi/libsignal/groups/state/record"
	"go.mau.fi/libsignal/keys/identity"
	"go.mau.fi/libsignal/keys/prekey"
	"go.mau.fi/libsignal/protocol"
	"go.mau.fi/libsignal/serialize"
	"go.mau.fi/libsignal/session"
	"go.mau.fi/libsignal/state/record"
	"go.mau.fi/libsignal/state/store"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/util/keys"
	"google.golang.org/protobuf/proto"
)

var serializer = serialize.NewProtoBufSerializer()

// A device is a member's phone, or another device linked to it: an end of
// Signal sessions. Its fields are guarded by Server.mu.
type device struct {
	member       *Member
	number       uint16 // 0 is the phone
	identity     *keys.KeyPair
	registration uint32
	signed       *keys.PreKey

	sessions   map[string]*record.Session
	oneTime    map[uint32]*record.PreKey
	senderKeys map[string]*groupRecord.SenderKey
	keyed      map[*Group]*companion // who holds the device's sender key for the group
	epoch      map[*Group]int        // the group's epoch that the sender key is for
}

func newDevice(m *Member, number uint16) *device {
	id := keys.NewKeyPair()
	var registration [4]byte
	rand.Read(registration[:])
	return &device{
		member:       m,
		number:       number,
		identity:     id,
		registration: binary.BigEndian.Uint32(registration[:])&0x3fff + 1,
		signed:       id.CreateSignedPreKey(1),
		sessions:     make(map[string]*record.Session),
		oneTime:      make(map[uint32]*record.PreKey),
		senderKeys:   make(map[string]*groupRecord.SenderKey),
		keyed:        make(map[*Group]*companion),
		epoch:        make(map[*Group]int),
	}
}

// pad marshals a message and pads it as phones do, so that its length tells less.
func pad(content *waE2E.Message) []byte {
	plain := must(proto.Marshal(content))
	n := byte(must(rand.Int(rand.Reader, big.NewInt(15))).Int64()) + 1
	for range n {
		plain = append(plain, n)
	}
	return plain
}

func unpad(plain []byte) (*waE2E.Message, error) {
	if len(plain) == 0 || int(plain[len(plain)-1]) > len(plain) {
		return nil, errors.New("bad padding")
	}
	var content waE2E.Message
	return &content, proto.Unmarshal(plain[:len(plain)-int(plain[len(plain)-1])], &content)
}

// cipher is the device's end of its session with the companion.
func (d *device) cipher(p *companion) (*session.Builder, *session.Cipher, *protocol.SignalAddress) {
	address := p.lid().SignalAddress()
	b := session.NewBuilderFromSignal(signalStore{device: d}, address, serializer)
	return b, session.NewCipher(b, address), address
}

// encrypt encrypts content to the companion alone. A bundle, unless nil, begins
// a new session; without any session one is begun with a prekey of the server's.
func (d *device) encrypt(p *companion, content *waE2E.Message, bundle *prekey.Bundle) waBinary.Node {
	builder, cipher, address := d.cipher(p)
	if bundle == nil && d.sessions[address.String()] == nil {
		bundle = p.bundle()
	}
	if bundle != nil {
		must(0, builder.ProcessBundle(context.Background(), bundle))
	}
	ciphertext := must(cipher.Encrypt(context.Background(), pad(content)))
	kind := "msg"
	if ciphertext.Type() == protocol.PREKEY_TYPE {
		kind = "pkmsg"
	}
	return waBinary.Node{Tag: "enc", Attrs: waBinary.Attrs{"v": 2, "type": kind}, Content: ciphertext.Serialize()}
}

// decrypt decrypts what the companion encrypted to the device.
func (d *device) decrypt(p *companion, kind string, ciphertext []byte) (*waE2E.Message, error) {
	_, cipher, _ := d.cipher(p)
	var plain []byte
	if kind == "pkmsg" {
		m, err := protocol.NewPreKeySignalMessageFromBytes(ciphertext, serializer.PreKeySignalMessage, serializer.SignalMessage)
		if err != nil {
			return nil, err
		}
		if plain, err = cipher.DecryptMessage(context.Background(), m); err != nil {
			return nil, err
		}
		return unpad(plain)
	}
	m, err := protocol.NewSignalMessageFromBytes(ciphertext, serializer.SignalMessage)
	if err != nil {
		return nil, err
	}
	if plain, err = cipher.Decrypt(context.Background(), m); err != nil {
		return nil, err
	}
	return unpad(plain)
}

// senderKey names the device's sender key for a group.
func (d *device) senderKey(g *Group) *protocol.SenderKeyName {
	return protocol.NewSenderKeyName(g.jid.String(), onDevice(d.member.lid, d.number).SignalAddress())
}

// rotate makes the device forget its sender key for a group, so that the next
// message there comes with a new one.
func (d *device) rotate(g *Group) {
	delete(d.senderKeys, g.jid.String())
	delete(d.keyed, g)
	d.epoch[g] = g.epoch
}

// distribution is the message that gives a recipient the device's sender key
// for a group as it stands, and so all that is encrypted with it from then on.
func (d *device) distribution(g *Group) *waE2E.SenderKeyDistributionMessage {
	if d.epoch[g] != g.epoch {
		d.rotate(g)
	}
	key := must(groups.NewGroupSessionBuilder(signalStore{device: d}, serializer).Create(context.Background(), d.senderKey(g)))
	return &waE2E.SenderKeyDistributionMessage{
		GroupID:                             proto.String(g.jid.String()),
		AxolotlSenderKeyDistributionMessage: key.Serialize(),
	}
}

// encryptToGroup encrypts content with the device's sender key for a group.
func (d *device) encryptToGroup(g *Group, content *waE2E.Message) waBinary.Node {
	builder := groups.NewGroupSessionBuilder(signalStore{device: d}, serializer)
	cipher := groups.NewGroupCipher(builder, d.senderKey(g), signalStore{device: d})
	sealed := must(cipher.Encrypt(context.Background(), pad(content))).(*protocol.SenderKeyMessage)
	return waBinary.Node{Tag: "enc", Attrs: waBinary.Attrs{"v": 2, "type": "skmsg"}, Content: sealed.SignedSerialize()}
}

// bundle makes what another device needs for a session with this one.
func (d *device) bundle() []waBinary.Node {
	key := keys.NewPreKey(uint32(len(d.oneTime)) + 1)
	d.oneTime[key.KeyID] = record.NewPreKey(key.KeyID, ecKeyPair(&key.KeyPair), nil)
	return []waBinary.Node{
		{Tag: "registration", Content: binary.BigEndian.AppendUint32(nil, d.registration)},
		{Tag: "type", Content: []byte{ecc.DjbType}},
		{Tag: "identity", Content: d.identity.Pub[:]},
		preKeyNode("key", key),
		preKeyNode("skey", d.signed),
	}
}

func preKeyNode(tag string, key *keys.PreKey) waBinary.Node {
	content := []waBinary.Node{
		{Tag: "id", Content: binary.BigEndian.AppendUint32(nil, key.KeyID)[1:]},
		{Tag: "value", Content: key.Pub[:]},
	}
	if key.Signature != nil {
		content = append(content, waBinary.Node{Tag: "signature", Content: key.Signature[:]})
	}
	return waBinary.Node{Tag: tag, Content: content}
}

func ecKeyPair(k *keys.KeyPair) *ecc.ECKeyPair {
	return ecc.NewECKeyPair(ecc.NewDjbECPublicKey(*k.Pub), ecc.NewDjbECPrivateKey(*k.Priv))
}

// A signalStore is a device as libsignal wants to see it. What a device never
// needs is left to the embedded nil interface.
type signalStore struct {
	store.SignalProtocol
	*device
}

func (s signalStore) GetIdentityKeyPair() *identity.KeyPair {
	pair := ecKeyPair(s.identity)
	return identity.NewKeyPair(identity.NewKey(pair.PublicKey()), pair.PrivateKey())
}

func (s signalStore) GetLocalRegistrationID() uint32 { return s.registration }

func (s signalStore) SaveIdentity(context.Context, *protocol.SignalAddress, *identity.Key) error {
	return nil
}

// IsTrustedIdentity trusts: the server says who is who, and a companion that is
// linked anew has a new address.
func (s signalStore) IsTrustedIdentity(context.Context, *protocol.SignalAddress, *identity.Key) (bool, error) {
	return true, nil
}

func (s signalStore) LoadPreKey(_ context.Context, id uint32) (*record.PreKey, error) {
	return s.oneTime[id], nil
}

func (s signalStore) RemovePreKey(_ context.Context, id uint32) error {
	s.oneTime[id] = nil // the place stays taken
	return nil
}

func (s signalStore) LoadSignedPreKey(_ context.Context, id uint32) (*record.SignedPreKey, error) {
	if id != s.signed.KeyID {
		return nil, nil
	}
	return record.NewSignedPreKey(id, 0, ecKeyPair(&s.signed.KeyPair), *s.signed.Signature, nil), nil
}

func (s signalStore) LoadSession(_ context.Context, address *protocol.SignalAddress) (*record.Session, error) {
	if known := s.sessions[address.String()]; known != nil {
		return known, nil
	}
	return record.NewSession(serializer.Session, serializer.State), nil
}

func (s signalStore) ContainsSession(_ context.Context, address *protocol.SignalAddress) (bool, error) {
	return s.sessions[address.String()] != nil, nil
}

func (s signalStore) StoreSession(_ context.Context, address *protocol.SignalAddress, r *record.Session) error {
	s.sessions[address.String()] = r
	return nil
}

func (s signalStore) LoadSenderKey(_ context.Context, name *protocol.SenderKeyName) (*groupRecord.SenderKey, error) {
	return s.senderKeys[name.GroupID()], nil
}

func (s signalStore) StoreSenderKey(_ context.Context, name *protocol.SenderKeyName, r *groupRecord.SenderKey) error {
	s.senderKeys[name.GroupID()] = r
	return nil
}

// onDevice is the address of one device of a user.
func onDevice(user types.JID, number uint16) types.JID {
	user.Device = number
	return user
}
