package standin

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waAdv"
	"go.mau.fi/whatsmeow/proto/waWa6"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"
)

// refs is how many QR codes a client gets: it shows the first for a minute and
// each of the others for twenty seconds.
const refs = 6

// What the signatures of a pairing are made over begins with these.
var (
	accountSignaturePrefix = []byte{6, 0}
	deviceSignaturePrefix  = []byte{6, 1}
)

// A pairing is a client's wish to be linked, and how far it has come.
type pairing struct {
	ref        string // all its codes begin with it
	connection *connection
	data       *waWa6.ClientPayload_DevicePairingRegistrationData
	hello      *hello     // once it shows a code to be typed
	passkey    *Passkey   // once it has been asked for
	challenge  []byte     // what the passkey is to sign; empty once it has
	companion  *companion // once a phone has agreed
	details    []byte
	steps      chan step  // what the client sends to the phone
	result     chan error // gets one value when the client has answered
}

// A step is something that a client sends to the phone while it is linked.
type step struct {
	name  string
	parts [][]byte
}

// step passes a step on to the phone, and returns the code for the client. One that
// nobody waits for is an error of the client's.
func (p *pairing) step(name string, parts ...[]byte) int {
	select {
	case p.steps <- step{name, parts}:
		return 0
	default:
		return 400
	}
}

// await waits for the step of that name.
func (p *pairing) await(name string) ([]byte, error) {
	parts, err := p.awaitAll(name)
	if err != nil {
		return nil, err
	}
	return parts[0], nil
}

func (p *pairing) awaitAll(name string) ([][]byte, error) {
	select {
	case s := <-p.steps:
		if s.name != name {
			return nil, fmt.Errorf("the client sent %s instead of %s", s.name, name)
		}
		return s.parts, nil
	case <-p.connection.done:
		return nil, errors.New("client hung up")
	}
}

// pairingQueries are the queries of a client that is being linked; see queries.
var pairingQueries = map[string]func(*connection, *waBinary.Node) ([]waBinary.Node, int){
	"w:p":                          nothing,
	"w:p ping":                     nothing,
	"md link_code_companion_reg":   (*connection).takeCodeStep,
	"md ref":                       (*connection).giveRef,
	"md passkey_request_options":   (*connection).demandAgain,
	"md passkey_prologue":          (*connection).takeAnswer,
	"md companion_nonce":           (*connection).takeNonce,
	"md encrypted_pairing_request": (*connection).takeRequest,
}

// refusal is the error for a question of a client that wants to be linked; 0: none.
func (c *connection) refusal(query *waBinary.Node) int {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	if c.pairing == nil || query.Attrs["xmlns"] != "md" {
		return 0
	}
	return c.server.unpaired
}

// RefusePairing makes every question of a client that wants to be linked fail with the
// error given, such as 429 for too many attempts; 0 ends that.
func (s *Server) RefusePairing(code int) {
	s.mu.Lock()
	s.unpaired = code
	s.mu.Unlock()
}

// RenewCodes makes the next n scans come to nothing but the wish for another code.
func (s *Server) RenewCodes(n int) {
	s.mu.Lock()
	s.renewals = n
	s.mu.Unlock()
}

// beginPairing offers codes to a client that wants to be linked.
func (c *connection) beginPairing(payload *waWa6.ClientPayload) func(*waBinary.Node) {
	s := c.server
	s.mu.Lock()
	outdated := payload.GetUserAgent().GetAppVersion().GetTertiary() < s.oldest
	s.mu.Unlock()
	if outdated {
		return c.fail(405)
	}
	p := &pairing{ref: "2@" + rand.Text(), connection: c, data: payload.GetDevicePairingData(), steps: make(chan step, 1), result: make(chan error, 1)}
	offer := waBinary.Node{Tag: "pair-device"}
	var codes []waBinary.Node
	for i := range refs {
		codes = append(codes, waBinary.Node{Tag: "ref", Content: fmt.Appendf(nil, "%s-%d", p.ref, i)})
	}
	offer.Content = codes
	s.mu.Lock()
	s.waiting[p.ref] = p
	c.pairing = p
	s.mu.Unlock()
	c.send(serverQuery("pair-device-1", offer))
	return func(node *waBinary.Node) {
		if kind := node.Attrs["type"]; node.Tag == "iq" && (kind == "get" || kind == "set") {
			c.send(c.answer(node))
		}
		if node.Tag != "iq" || node.Attrs["id"] != pairSuccessID {
			return
		}
		err := c.finishPairing(p, node)
		select {
		case p.result <- err:
		default: // answered already
		}
		if err == nil { // paired: the client is to log in
			c.send(waBinary.Node{Tag: "stream:error", Attrs: waBinary.Attrs{"code": 515}})
			c.closeAfter(graceAfterPairing)
		}
	}
}

// pairSuccessID cannot be the id of a query of the client's.
const pairSuccessID = "pair-success-1"

// serverQuery is an iq of the server's own.
func serverQuery(id string, content waBinary.Node) waBinary.Node {
	return waBinary.Node{
		Tag:     "iq",
		Attrs:   waBinary.Attrs{"from": types.ServerJID, "type": "set", "id": id, "xmlns": "md"},
		Content: []waBinary.Node{content},
	}
}

// notice is a notification of the server's own.
func (s *Server) notice(kind string, content waBinary.Node) waBinary.Node {
	n := fromServer("notification", content)
	n.Attrs["type"], n.Attrs["id"], n.Attrs["t"] = kind, newID(), s.options.Now().Unix()
	return n
}

// ScanQR links the client that shows the code as a companion device of the
// member, as the phone does when its owner points the camera at the screen. It
// returns when the client has answered. A companion linked before is unlinked.
func (m *Member) ScanQR(code string) error {
	if err := m.scan(code); err != nil {
		return fmt.Errorf("scan code: %w", err)
	}
	return nil
}

func (m *Member) scan(code string) error {
	s := m.server
	if _, after, found := strings.Cut(code, "#"); found {
		code = after
	}
	parts := strings.Split(code, ",")
	if len(parts) < 4 {
		return fmt.Errorf("%d parts instead of four or five", len(parts))
	}
	var decoded [3][]byte // noise key, identity key, secret
	for i := range decoded {
		var err error
		if decoded[i], err = base64.StdEncoding.DecodeString(parts[i+1]); err != nil || len(decoded[i]) != 32 {
			return fmt.Errorf("part %d is not 32 bytes of base64", i+2)
		}
	}
	ref, _, _ := strings.Cut(parts[0], "-")
	s.mu.Lock()
	p := s.waiting[ref]
	renew := p != nil && s.renewals > 0
	if renew {
		s.renewals--
	}
	s.mu.Unlock()
	switch {
	case p == nil:
		return errors.New("no client shows it")
	case [32]byte(decoded[0]) != p.connection.static:
		return errors.New("shown by another client than the one connected")
	case string(decoded[1]) != string(p.data.GetEIdent()):
		return errors.New("identity key differs from the one that the client registered with")
	case renew:
		p.connection.send(s.notice("companion_reg_refresh", waBinary.Node{Tag: "companion_reg_refresh"}))
		return ErrRenewed
	}
	return m.admit(p, decoded[2])
}

// ErrRenewed is what scanning a code comes to that the server will not have any more.
var ErrRenewed = errors.New("the client is to show another code")

// admit has the client be a companion device, once the phone has its code. If the account
// demands a passkey, that comes first.
func (m *Member) admit(p *pairing, secret []byte) error {
	s := m.server
	s.mu.Lock()
	gated := m.passkey != nil
	s.mu.Unlock()
	if gated {
		var err error
		if secret, err = m.hear(p, secret); err != nil {
			return err
		}
	}
	success, err := m.introduce(p, secret)
	if err != nil {
		return err
	}
	p.connection.send(success)
	select {
	case err := <-p.result:
		return err
	case <-p.connection.done:
	}
	select {
	case err := <-p.result: // and hung up then
		return err
	default:
		return errors.New("client hung up")
	}
}

// introduce makes the account's signed statement that the client is one of its
// devices, authenticated with the secret that only the screen has shown.
func (m *Member) introduce(p *pairing, secret []byte) (waBinary.Node, error) {
	s := m.server
	d := p.data
	if len(d.GetERegid()) != 4 || len(d.GetESkeyID()) != 3 || len(d.GetESkeyVal()) != 32 ||
		len(d.GetESkeySig()) != 64 || len(d.GetEIdent()) != 32 {
		return waBinary.Node{}, errors.New("client registered with malformed keys")
	}
	id := [32]byte(d.GetEIdent())
	if !verify(id, d.GetESkeySig(), []byte{5}, d.GetESkeyVal()) {
		return waBinary.Node{}, errors.New("client's signed prekey is not signed by its identity")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.devices++
	p.companion = &companion{
		account:      m,
		device:       s.devices,
		static:       p.connection.static,
		identity:     id,
		registration: binary.BigEndian.Uint32(d.GetERegid()),
		signed: publicPreKey{
			id:        binary.BigEndian.Uint32(append([]byte{0}, d.GetESkeyID()...)),
			public:    [32]byte(d.GetESkeyVal()),
			signature: d.GetESkeySig(),
		},
	}
	key := m.device(0).identity
	p.details = must(proto.Marshal(&waAdv.ADVDeviceIdentity{
		RawID:     proto.Uint32(uint32(s.devices)),
		Timestamp: proto.Uint64(uint64(s.options.Now().Unix())),
		KeyIndex:  proto.Uint32(uint32(s.devices)),
	}))
	signed := must(proto.Marshal(&waAdv.ADVSignedDeviceIdentity{
		Details:             p.details,
		AccountSignatureKey: key.Pub[:],
		AccountSignature:    sign(key, accountSignaturePrefix, p.details, id[:]),
	}))
	mac := hmac.New(sha256.New, secret)
	mac.Write(signed)
	container := must(proto.Marshal(&waAdv.ADVSignedDeviceIdentityHMAC{Details: signed, HMAC: mac.Sum(nil)}))
	success := serverQuery(pairSuccessID, waBinary.Node{Tag: "pair-success", Content: []waBinary.Node{
		{Tag: "device-identity", Content: container},
		{Tag: "platform", Attrs: waBinary.Attrs{"name": "android"}},
		{Tag: "device", Attrs: waBinary.Attrs{"jid": p.companion.jid(), "lid": p.companion.lid()}},
	}})
	success.Attrs["t"] = s.options.Now().Unix()
	return success, nil
}

// finishPairing checks the client's answer, and has it be the companion.
func (c *connection) finishPairing(p *pairing, node *waBinary.Node) error {
	if node.Attrs["type"] != "result" {
		failure := node.GetChildByTag("error")
		return fmt.Errorf("client refused: %v %v", failure.Attrs["code"], failure.Attrs["text"])
	}
	raw, _ := node.GetChildByTag("pair-device-sign", "device-identity").Content.([]byte)
	var answer waAdv.ADVSignedDeviceIdentity
	if err := proto.Unmarshal(raw, &answer); err != nil {
		return fmt.Errorf("read client's signature: %w", err)
	}
	s := c.server
	s.mu.Lock()
	account := p.companion.account
	key := account.device(0).identity
	s.mu.Unlock()
	id := p.companion.identity
	if string(answer.GetDetails()) != string(p.details) ||
		!verify(id, answer.GetDeviceSignature(), deviceSignaturePrefix, p.details, id[:], key.Pub[:]) {
		return errors.New("client's signature is wrong")
	}
	s.mu.Lock()
	earlier := s.online
	s.companion = p.companion
	c.own = account.jid
	account.sharesKeys()
	s.notify()
	s.mu.Unlock()
	if earlier != nil {
		earlier.expel("401", "device_removed")
	}
	return nil
}

// Unlinks removes the companion from the member's account, as the owner does in
// the phone's list of linked devices.
func (m *Member) Unlinks() {
	s := m.server
	s.mu.Lock()
	if s.companion == nil || s.companion.account != m {
		s.mu.Unlock()
		panic("standin: " + m.name + " has no companion to unlink")
	}
	s.companion = nil
	c := s.online
	s.notify()
	s.mu.Unlock()
	if c != nil {
		c.expel("401", "device_removed")
	}
}
