package standin

import (
	"bufio"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"go.mau.fi/libsignal/ecc"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waCert"
	"go.mau.fi/whatsmeow/proto/waWa6"
	"go.mau.fi/whatsmeow/util/keys"
	"google.golang.org/protobuf/proto"
)

// noisePattern names the handshake. It is 32 bytes with its padding, and
// therefore serves unhashed as the first hash and chaining key.
const noisePattern = "Noise_XX_25519_AESGCM_SHA256\x00\x00\x00\x00"

// maxFrame is the first length that the 3-byte frame header cannot hold.
const maxFrame = 1 << 24

// A noiseIdentity is the server's long-term keys: the root that clients trust,
// and the static key that the root vouches for.
type noiseIdentity struct {
	root   *keys.KeyPair
	static *keys.KeyPair
	chain  []byte // waCert.CertChain
}

func newNoiseIdentity(seed string) *noiseIdentity {
	n := &noiseIdentity{root: keys.NewKeyPair(), static: keys.NewKeyPair()}
	if seed != "" {
		n.root = clampedKey(sha256.Sum256([]byte("muniment stand-in root " + seed)))
	}
	// The client's clock may be a test's, so the certificates hold for a century.
	from := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	until := time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	certify := func(serial, issuer uint32, key, by *keys.KeyPair) *waCert.CertChain_NoiseCertificate {
		details := must(proto.Marshal(&waCert.CertChain_NoiseCertificate_Details{
			Serial:       proto.Uint32(serial),
			IssuerSerial: proto.Uint32(issuer),
			Key:          key.Pub[:],
			NotBefore:    proto.Uint64(uint64(from)),
			NotAfter:     proto.Uint64(uint64(until)),
		}))
		return &waCert.CertChain_NoiseCertificate{Details: details, Signature: sign(by, details)}
	}
	intermediate := keys.NewKeyPair()
	n.chain = must(proto.Marshal(&waCert.CertChain{
		Intermediate: certify(1, 0, intermediate, n.root),
		Leaf:         certify(2, 1, n.static, intermediate),
	}))
	return n
}

// sign makes an XEdDSA signature.
func sign(by *keys.KeyPair, message ...[]byte) []byte {
	sig := ecc.CalculateSignature(ecc.NewDjbECPrivateKey(*by.Priv), slices.Concat(message...))
	return sig[:]
}

// verify checks an XEdDSA signature.
func verify(by [32]byte, signature []byte, message ...[]byte) bool {
	return len(signature) == 64 &&
		ecc.VerifySignature(ecc.NewDjbECPublicKey(by), slices.Concat(message...), [64]byte(signature))
}

// A handshake is the symmetric state of Noise while keys are being agreed.
type handshake struct {
	hash, chaining []byte
	aead           cipher.AEAD
	counter        uint32
}

func newHandshake(prologue []byte) *handshake {
	h := &handshake{hash: []byte(noisePattern), chaining: []byte(noisePattern), aead: newGCM([]byte(noisePattern))}
	h.mixHash(prologue)
	return h
}

func newGCM(key []byte) cipher.AEAD {
	return must(cipher.NewGCM(must(aes.NewCipher(key))))
}

// nonce is the nonce of the n-th message under a key.
func nonce(n uint32) []byte {
	return binary.BigEndian.AppendUint32(make([]byte, 8, 12), n)
}

func (h *handshake) mixHash(data []byte) {
	sum := sha256.Sum256(slices.Concat(h.hash, data))
	h.hash = sum[:]
}

// expand derives the next two keys from the chaining key.
func (h *handshake) expand(secret []byte) (first, second []byte) {
	out := must(hkdf.Key(sha256.New, secret, h.chaining, "", 64))
	return out[:32], out[32:]
}

func (h *handshake) mixKey(private *keys.KeyPair, public []byte) error {
	theirs, err := ecdh.X25519().NewPublicKey(public)
	if err != nil {
		return err
	}
	secret, err := must(ecdh.X25519().NewPrivateKey(private.Priv[:])).ECDH(theirs)
	if err != nil {
		return err
	}
	var key []byte
	h.chaining, key = h.expand(secret)
	h.aead, h.counter = newGCM(key), 0
	return nil
}

func (h *handshake) seal(plaintext []byte) []byte {
	out := h.aead.Seal(nil, nonce(h.counter), plaintext, h.hash)
	h.counter++
	h.mixHash(out)
	return out
}

func (h *handshake) open(ciphertext []byte) ([]byte, error) {
	out, err := h.aead.Open(nil, nonce(h.counter), ciphertext, h.hash)
	h.counter++
	h.mixHash(ciphertext)
	return out, err
}

// A noiseConn carries binary nodes over an agreed Noise channel.
type noiseConn struct {
	w    io.Writer
	in   *bufio.Reader
	read cipher.AEAD
	recv uint32 // frames received; owned by the reader

	mu    sync.Mutex // guards write and sent
	write cipher.AEAD
	sent  uint32
}

// accept agrees keys with the client at the other end of rw. It returns what
// the client says of itself and the static key by which the client is known.
func (n *noiseIdentity) accept(rw io.ReadWriter) (c *noiseConn, payload *waWa6.ClientPayload, static [32]byte, err error) {
	c = &noiseConn{w: rw, in: bufio.NewReader(rw)}
	header := make([]byte, 4)
	if _, err := io.ReadFull(c.in, header); err != nil {
		return nil, nil, static, fmt.Errorf("read header: %w", err)
	}
	if string(header[:3]) != "WA\x06" {
		return nil, nil, static, fmt.Errorf("header %x is not WhatsApp's", header)
	}
	h, ours := newHandshake(header), keys.NewKeyPair()
	if err := n.hello(c, h, ours); err != nil {
		return nil, nil, static, fmt.Errorf("hello: %w", err)
	}
	finish, err := c.readHandshake()
	if err != nil {
		return nil, nil, static, fmt.Errorf("read client finish: %w", err)
	}
	known, err := h.open(finish.GetClientFinish().GetStatic())
	if err != nil || copy(static[:], known) != len(static) {
		return nil, nil, static, errors.New("client's static key does not decrypt")
	}
	if err := h.mixKey(ours, known); err != nil {
		return nil, nil, static, fmt.Errorf("client's static key: %w", err)
	}
	plain, err := h.open(finish.GetClientFinish().GetPayload())
	if err != nil {
		return nil, nil, static, fmt.Errorf("client payload: %w", err)
	}
	payload = &waWa6.ClientPayload{}
	if err := proto.Unmarshal(plain, payload); err != nil {
		return nil, nil, static, fmt.Errorf("client payload: %w", err)
	}
	toServer, toClient := h.expand(nil)
	c.read, c.write = newGCM(toServer), newGCM(toClient)
	return c, payload, static, nil
}

// hello is the first exchange: the client's ephemeral key for the server's, and
// for the server's static key with its certificates.
func (n *noiseIdentity) hello(c *noiseConn, h *handshake, ours *keys.KeyPair) error {
	first, err := c.readHandshake()
	if err != nil {
		return err
	}
	theirs := first.GetClientHello().GetEphemeral()
	h.mixHash(theirs)
	h.mixHash(ours.Pub[:])
	if err := h.mixKey(ours, theirs); err != nil {
		return err
	}
	reply := &waWa6.HandshakeMessage_ServerHello{Ephemeral: ours.Pub[:], Static: h.seal(n.static.Pub[:])}
	if err := h.mixKey(n.static, theirs); err != nil {
		return err
	}
	reply.Payload = h.seal(n.chain)
	return writeFrame(c.w, must(proto.Marshal(&waWa6.HandshakeMessage{ServerHello: reply})))
}

func (c *noiseConn) readHandshake() (*waWa6.HandshakeMessage, error) {
	frame, err := readFrame(c.in)
	if err != nil {
		return nil, err
	}
	var m waWa6.HandshakeMessage
	return &m, proto.Unmarshal(frame, &m)
}

func readFrame(r io.Reader) ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(r, size[1:]); err != nil {
		return nil, err
	}
	frame := make([]byte, binary.BigEndian.Uint32(size[:]))
	_, err := io.ReadFull(r, frame)
	return frame, err
}

func writeFrame(w io.Writer, body []byte) error {
	if len(body) >= maxFrame {
		return fmt.Errorf("frame of %d bytes is too long", len(body))
	}
	size := binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(body)), uint32(len(body)))
	_, err := w.Write(append(size, body...)[1:])
	return err
}

// receive returns the client's next node.
func (c *noiseConn) receive() (*waBinary.Node, error) {
	frame, err := readFrame(c.in)
	if err != nil {
		return nil, err
	}
	plain, err := c.read.Open(nil, nonce(c.recv), frame, nil)
	c.recv++
	if err != nil {
		return nil, fmt.Errorf("decrypt frame: %w", err)
	}
	if len(plain) == 0 {
		return nil, errors.New("empty frame")
	}
	packed, err := waBinary.Unpack(plain)
	if err != nil {
		return nil, fmt.Errorf("unpack frame: %w", err)
	}
	return waBinary.Unmarshal(packed)
}

// send sends a node. It may be called from several goroutines.
func (c *noiseConn) send(node waBinary.Node) error {
	plain, err := waBinary.Marshal(node)
	if err != nil {
		return err
	}
	return c.sendPlain(plain)
}

// sendPlain sends a frame, whatever is in it.
func (c *noiseConn) sendPlain(plain []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	frame := c.write.Seal(nil, nonce(c.sent), plain, nil)
	c.sent++
	return writeFrame(c.w, frame)
}
