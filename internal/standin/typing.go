package standin

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// A client that cannot show a QR code is linked by a short code that it shows, and that is
// typed on the phone. Under the code, both exchange keys; whoever carries their messages
// does not know it.

// codeLifetime is how long a code may be typed. The real one's is not known.
const codeLifetime = 3 * time.Minute

// A hello is a client's announcement that it shows a code.
type hello struct {
	of  types.JID // the account that is to be linked
	at  time.Time
	key []byte // the client's ephemeral key, wrapped under the code
}

// wellKnown matches the names of browsers on systems that the server takes.
var wellKnown = regexp.MustCompile(`^(Chrome|Edge|Firefox|Opera|Safari) \((Linux|Mac OS|Windows|Ubuntu)\)$`)

// takeCodeStep takes either of the two steps of a client that shows a code.
func (c *connection) takeCodeStep(query *waBinary.Node) ([]waBinary.Node, int) {
	step := query.GetChildByTag("link_code_companion_reg")
	switch step.Attrs["stage"] {
	case "companion_hello":
		return c.greet(step)
	case "companion_finish":
		bundle, _ := step.GetChildByTag("link_code_pairing_wrapped_key_bundle").Content.([]byte)
		ref, _ := step.GetChildByTag("link_code_pairing_ref").Content.([]byte)
		id, _ := step.GetChildByTag("companion_identity_public").Content.([]byte)
		if string(ref) != c.pairing.ref || string(id) != string(c.pairing.data.GetEIdent()) {
			return nil, 400
		}
		return nil, c.pairing.step("companion_finish", bundle)
	}
	return nil, 400
}

func (c *connection) greet(step waBinary.Node) ([]waBinary.Node, int) {
	key, _ := step.GetChildByTag("link_code_pairing_wrapped_companion_ephemeral_pub").Content.([]byte)
	static, _ := step.GetChildByTag("companion_server_auth_key_pub").Content.([]byte)
	name, _ := step.GetChildByTag("companion_platform_display").Content.([]byte)
	of, _ := step.Attrs["jid"].(types.JID)
	switch {
	case len(key) != 80, string(static) != string(c.static[:]), !wellKnown.Match(name):
		return nil, 400
	case c.server.find(of) == nil:
		return nil, 404
	}
	c.pairing.hello = &hello{of: of, at: c.server.options.Now(), key: key}
	c.server.notify()
	return []waBinary.Node{{Tag: "link_code_companion_reg", Content: []waBinary.Node{
		{Tag: "link_code_pairing_ref", Content: []byte(c.pairing.ref)},
	}}}, 0
}

// TypesCode links the client that shows the code as a companion device of the member, as
// the phone does when its owner types it. It returns when the client has answered. A
// companion linked before is unlinked.
func (m *Member) TypesCode(code string) error {
	if err := m.typeCode(strings.ReplaceAll(code, "-", "")); err != nil {
		return fmt.Errorf("type code: %w", err)
	}
	return nil
}

func (m *Member) typeCode(code string) error {
	s := m.server
	s.mu.Lock()
	var p *pairing
	var h *hello
	for _, waiting := range s.waiting {
		if waiting.hello != nil && waiting.hello.of == m.jid {
			p, h = waiting, waiting.hello
		}
	}
	late := p != nil && s.options.Now().Sub(h.at) > codeLifetime
	own := m.device(0).identity
	s.mu.Unlock()
	switch {
	case p == nil:
		return errors.New("no client shows one")
	case late:
		return errors.New("it has expired")
	}
	ephemeral := must(ecdh.X25519().GenerateKey(rand.Reader))
	p.connection.send(s.notice("link_code_companion_reg", waBinary.Node{
		Tag:   "link_code_companion_reg",
		Attrs: waBinary.Attrs{"stage": "primary_hello"},
		Content: []waBinary.Node{
			{Tag: "link_code_pairing_wrapped_primary_ephemeral_pub", Content: wrapUnder(code, ephemeral.PublicKey().Bytes())},
			{Tag: "primary_identity_pub", Content: own.Pub[:]},
			{Tag: "link_code_pairing_ref", Content: []byte(p.ref)},
		},
	}))
	bundle, err := p.await("companion_finish")
	if err != nil {
		return err
	}
	theirs, err := ecdh.X25519().NewPublicKey(unwrapUnder(code, h.key))
	if err != nil {
		return err
	}
	shared, err := ephemeral.ECDH(theirs)
	if err != nil {
		return err
	}
	random, err := openBundle(bundle, shared, p.data.GetEIdent(), own.Pub[:])
	if err != nil {
		return err
	}
	id := must(ecdh.X25519().NewPublicKey(p.data.GetEIdent()))
	identities := must(must(ecdh.X25519().NewPrivateKey(own.Priv[:])).ECDH(id))
	secret := must(hkdf.Key(sha256.New, slices.Concat(shared, identities, random), nil, "adv_secret", 32))
	return m.admit(p, secret)
}

// openBundle opens what the client has sent when the code was typed, and returns the random
// part of the secret.
func openBundle(bundle, shared, companion, primary []byte) ([]byte, error) {
	if len(bundle) != 32+12+96+16 {
		return nil, fmt.Errorf("the client's keys are %d bytes", len(bundle))
	}
	key := must(hkdf.Key(sha256.New, shared, bundle[:32], "link_code_pairing_key_bundle_encryption_key", 32))
	plain, err := must(cipher.NewGCM(must(aes.NewCipher(key)))).Open(nil, bundle[32:44], bundle[44:], nil)
	switch {
	case err != nil:
		return nil, errors.New("it is not the one that the client shows")
	case string(plain[:32]) != string(companion), string(plain[32:64]) != string(primary):
		return nil, errors.New("the client means other identities")
	}
	return plain[64:], nil
}

// wrapUnder encrypts a key under a short code.
func wrapUnder(code string, key []byte) []byte {
	wrapped := make([]byte, 48, 80)
	rand.Read(wrapped)
	return append(wrapped, underCode(code, wrapped[:32], wrapped[32:48], key)...)
}

func unwrapUnder(code string, wrapped []byte) []byte {
	return underCode(code, wrapped[:32], wrapped[32:48], wrapped[48:])
}

func underCode(code string, salt, iv, in []byte) []byte {
	key := must(pbkdf2.Key(sha256.New, code, salt, 1<<17, 32))
	out := make([]byte, len(in))
	cipher.NewCTR(must(aes.NewCipher(key)), iv).XORKeyStream(out, in)
	return out
}
