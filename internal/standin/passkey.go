package standin

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waCompanionReg"
	"google.golang.org/protobuf/proto"
)

// relyingParty is whom the passkeys of accounts are for.
const relyingParty = "whatsapp.com"

// A Passkey is the passkey of an account, with the browser that uses it.
type Passkey struct {
	id  []byte
	key *ecdsa.PrivateKey
	// Page is where the browser is; empty: https://web.whatsapp.com.
	Page string
}

// A challenge is what a browser is asked to have signed, as a page of WhatsApp gets it.
type challenge struct {
	Challenge        string           `json:"challenge"`
	Timeout          int              `json:"timeout"` // milliseconds
	RelyingParty     string           `json:"rpId"`
	AllowCredentials []map[string]any `json:"allowCredentials"`
	UserVerification string           `json:"userVerification"`
	Extensions       map[string]any   `json:"extensions"`
}

// An assertion is a browser's answer to a challenge.
type assertion struct {
	Attachment string         `json:"authenticatorAttachment"`
	Extensions map[string]any `json:"clientExtensionResults"`
	ID         string         `json:"id"`
	RawID      string         `json:"rawId"`
	Response   struct {
		AuthenticatorData string `json:"authenticatorData"`
		ClientDataJSON    string `json:"clientDataJSON"`
		Signature         string `json:"signature"`
		UserHandle        string `json:"userHandle,omitempty"`
	} `json:"response"`
	Type string `json:"type"`
}

// DemandsPasskey has the member's account demand a passkey of every device that is to be
// linked from now on.
func (m *Member) DemandsPasskey() *Passkey {
	defer m.lock().Unlock()
	m.passkey = &Passkey{id: randomBytes(16), key: must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)), Page: "https://web.whatsapp.com"}
	return m.passkey
}

// Answers is what navigator.credentials.get gives for the options of a request, both as
// JSON, when the owner has agreed.
func (k *Passkey) Answers(options string) (string, error) {
	var asked challenge
	if err := json.Unmarshal([]byte(options), &asked); err != nil {
		return "", fmt.Errorf("read the request's options: %w", err)
	}
	client := must(json.Marshal(map[string]any{"type": "webauthn.get", "challenge": asked.Challenge, "origin": k.Page, "crossOrigin": false}))
	site := sha256.Sum256([]byte(asked.RelyingParty))
	data := append(site[:], 0x1d, 0, 0, 0, 0) // user present and verified, backed up; no counter
	over := sha256.Sum256(client)
	signed := sha256.Sum256(append(slices.Clone(data), over[:]...))
	b64 := base64.RawURLEncoding.EncodeToString
	a := assertion{Attachment: "cross-platform", Extensions: map[string]any{}, ID: b64(k.id), RawID: b64(k.id), Type: "public-key"}
	a.Response.AuthenticatorData, a.Response.ClientDataJSON = b64(data), b64(client)
	a.Response.Signature = b64(must(ecdsa.SignASN1(rand.Reader, k.key, signed[:])))
	return string(must(json.Marshal(a))), nil
}

// verifies reports whether answer is the passkey's to the challenge.
func (k *Passkey) verifies(answer []byte, id, challenge []byte) bool {
	var a assertion
	if json.Unmarshal(answer, &a) != nil || string(id) != string(k.id) {
		return false
	}
	var parts [3][]byte
	for i, s := range []string{a.Response.AuthenticatorData, a.Response.ClientDataJSON, a.Response.Signature} {
		var err error
		if parts[i], err = base64.RawURLEncoding.DecodeString(s); err != nil {
			return false
		}
	}
	var client struct{ Type, Challenge, Origin string }
	site, over := sha256.Sum256([]byte(relyingParty)), sha256.Sum256(parts[1])
	if json.Unmarshal(parts[1], &client) != nil || client.Type != "webauthn.get" || client.Origin != "https://web.whatsapp.com" ||
		client.Challenge != base64.RawURLEncoding.EncodeToString(challenge) || !hmac.Equal(parts[0][:min(32, len(parts[0]))], site[:]) {
		return false
	}
	signed := sha256.Sum256(slices.Concat(parts[0], over[:]))
	return ecdsa.VerifyASN1(&k.key.PublicKey, signed[:], parts[2])
}

// Gate is how the passkey's part of a pairing goes, where not plainly.
type Gate struct {
	Refuse int // how many answers of the passkey the server does not accept
	Break  int // how many times the phone's part comes garbled, so that all is to be done again
}

// Gates sets how the passkey's part of pairings goes.
func (s *Server) Gates(g Gate) {
	s.mu.Lock()
	s.gate = g
	s.mu.Unlock()
}

// Compares returns the code that the member's phone shows, to be compared with the
// client's; empty if it does not.
func (m *Member) Compares() string {
	defer m.lock().Unlock()
	return m.compares
}

// demand is the request for the passkey, under a new challenge. The caller holds server.mu.
func (p *pairing) demand() waBinary.Node {
	p.challenge = randomBytes(32)
	return waBinary.Node{Tag: "passkey_request_options", Content: must(json.Marshal(challenge{
		Challenge: base64.RawURLEncoding.EncodeToString(p.challenge), Timeout: 600_000, RelyingParty: relyingParty,
		AllowCredentials: []map[string]any{}, UserVerification: "required", Extensions: map[string]any{"uvm": true},
	}))}
}

func (c *connection) giveRef(*waBinary.Node) ([]waBinary.Node, int) {
	return []waBinary.Node{{Tag: "ref", Content: []byte(c.pairing.ref)}}, 0
}

func (c *connection) demandAgain(*waBinary.Node) ([]waBinary.Node, int) {
	if c.pairing.challenge == nil {
		return nil, 404
	}
	return []waBinary.Node{c.pairing.demand()}, 0
}

// takeAnswer takes a passkey's answer. A challenge is for once.
func (c *connection) takeAnswer(query *waBinary.Node) ([]waBinary.Node, int) {
	id, _ := query.GetChildByTag("passkey_prologue", "credential_id").Content.([]byte)
	answer, _ := query.GetChildByTag("passkey_prologue", "webauthn_assertion").Content.([]byte)
	prologue, _ := query.GetChildByTag("passkey_prologue", "prologue_payload").Content.([]byte)
	proof, _ := query.GetChildByTag("passkey_prologue", "pairing_handoff_proof").Content.([]byte)
	k, asked := c.pairing.passkey, c.pairing.challenge
	c.pairing.challenge = []byte{}
	if c.server.gate.Refuse > 0 {
		c.server.gate.Refuse--
		return nil, 401
	}
	if k == nil || len(asked) == 0 || !k.verifies(answer, id, asked) {
		return nil, 401
	}
	return nil, c.pairing.step("passkey_prologue", prologue, proof)
}

func (c *connection) takeNonce(query *waBinary.Node) ([]waBinary.Node, int) {
	nonce, _ := query.GetChildByTag("companion_nonce").Content.([]byte)
	return nil, c.pairing.step("companion_nonce", nonce)
}

func (c *connection) takeRequest(query *waBinary.Node) ([]waBinary.Node, int) {
	request, _ := query.GetChildByTag("encrypted_pairing_request").Content.([]byte)
	return nil, c.pairing.step("encrypted_pairing_request", request)
}

// hear has the client go through the passkey's part of the pairing, and returns the secret
// by which the phone then proves itself. The secret before, which both have by the code, if
// the phone knows it, spares the owner comparing another.
func (m *Member) hear(p *pairing, before []byte) ([]byte, error) {
	s := m.server
	s.mu.Lock()
	p.passkey = m.passkey
	demand := p.demand()
	s.mu.Unlock()
	p.connection.send(s.notice("passkey_prologue_request", demand))
	for {
		secret, broken, err := m.hearOnce(p, before)
		if !broken {
			return secret, err
		}
	}
}

func (m *Member) hearOnce(p *pairing, before []byte) (secret []byte, broken bool, err error) {
	s := m.server
	said, err := p.awaitAll("passkey_prologue")
	if err != nil {
		return nil, false, err
	}
	var prologue waCompanionReg.ProloguePayload
	var companion waCompanionReg.CompanionEphemeralIdentity
	if err := errors.Join(proto.Unmarshal(said[0], &prologue), proto.Unmarshal(prologue.GetCompanionEphemeralIdentity(), &companion)); err != nil {
		return nil, false, err
	}
	if proof := said[1]; proof != nil {
		mac := hmac.New(sha256.New, must(hkdf.Key(sha256.New, before, nil, "shortcake-passkey-handoff-v1", 32)))
		mac.Write(said[0])
		if !hmac.Equal(mac.Sum(nil), proof) {
			return nil, false, errors.New("the client does not know the secret of the code")
		}
	}
	ephemeral, nonce := must(ecdh.X25519().GenerateKey(rand.Reader)), randomBytes(32)
	own := &waCompanionReg.PrimaryEphemeralIdentity{PublicKey: ephemeral.PublicKey().Bytes(), Nonce: nonce}
	s.mu.Lock()
	if broken = s.gate.Break > 0; broken {
		s.gate.Break--
		own.Nonce = nil
	}
	s.mu.Unlock()
	p.connection.send(s.notice("crsc_continuation", waBinary.Node{Tag: "primary_ephemeral_identity", Content: must(proto.Marshal(own))}))
	if broken {
		return nil, true, nil
	}
	theirs, err := p.await("companion_nonce")
	if err != nil {
		return nil, false, err
	}
	if sum := sha256.Sum256(slices.Concat(prologue.GetCompanionEphemeralIdentity(), theirs)); string(sum[:]) != string(prologue.GetCommitment().GetHash()) {
		return nil, false, errors.New("the client has changed its mind about its keys")
	}
	if said[1] == nil { // nothing says that the client is the one that showed the code
		m.compare(nonce, theirs, own.PublicKey)
	}
	request, err := p.await("encrypted_pairing_request")
	if err != nil {
		return nil, false, err
	}
	secret, err = p.readRequest(request, &companion, ephemeral)
	return secret, false, err
}

// compare shows the code that the client shows too, unless somebody is in between.
func (m *Member) compare(nonce, theirs, own []byte) {
	code, digest := slices.Clone(nonce[:5]), sha256.Sum256(slices.Concat(theirs, own))
	for i := range code {
		code[i] ^= digest[i]
	}
	text := base32.NewEncoding("123456789ABCDEFGHJKLMNPQRSTVWXYZ").EncodeToString(code)
	defer m.lock().Unlock()
	m.compares = text[:4] + "-" + text[4:]
	m.server.notify()
}

// readRequest reads which device the client is, and the secret that it has chosen.
func (p *pairing) readRequest(request []byte, companion *waCompanionReg.CompanionEphemeralIdentity, own *ecdh.PrivateKey) ([]byte, error) {
	theirs, err := ecdh.X25519().NewPublicKey(companion.GetPublicKey())
	if err != nil {
		return nil, err
	}
	shared, err := own.ECDH(theirs)
	if err != nil {
		return nil, err
	}
	salt := fmt.Sprintf("Companion Pairing %d with ref %s", companion.GetDeviceType(), companion.GetRef())
	key := must(hkdf.Key(sha256.New, shared, []byte(salt), "Pairing Information Encryption Key", 32))
	var sealed waCompanionReg.EncryptedPairingRequest
	var r waCompanionReg.PairingRequest
	if err := proto.Unmarshal(request, &sealed); err != nil {
		return nil, err
	} else if len(sealed.GetIV()) != 12 {
		return nil, errors.New("the client's request has no nonce")
	}
	plain, err := must(cipher.NewGCM(must(aes.NewCipher(key)))).Open(nil, sealed.GetIV(), sealed.GetEncryptedPayload(), nil)
	switch {
	case err != nil:
		return nil, errors.New("the client's request cannot be opened")
	case proto.Unmarshal(plain, &r) != nil, string(r.GetCompanionPublicKey()) != string(p.connection.static[:]),
		string(r.GetCompanionIdentityKey()) != string(p.data.GetEIdent()):
		return nil, errors.New("the client's request is of another client")
	}
	return r.GetAdvSecret(), nil
}
