// Package ledger keeps the Merkle tree over all records and journal entries, so
// that nothing can be altered, added, removed or reordered afterwards unseen.
//
// A leaf is SHA-256(0x00 ‖ salt ‖ canonical bytes). The salt is random, lies
// beside the content and is destroyed with it; the leaf stays, and by itself
// tells nothing. So the tree verifies for ever, across lawful destruction.
//
// The tree's size is read inside the writing transaction, never cached.
package ledger

import (
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"mime/quotedprintable"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"muniment/internal/sqlite"
)

// SaltSize is the length of a leaf's salt in bytes.
const SaltSize = 32

// Hash is a node of the tree.
type Hash = tlog.Hash

// NewSalt returns a fresh random salt.
func NewSalt() []byte {
	salt := make([]byte, SaltSize)
	rand.Read(salt) // never fails
	return salt
}

// LeafHash returns the leaf that commits to content.
func LeafHash(salt, content []byte) Hash {
	return tlog.RecordHash(append(append(make([]byte, 0, len(salt)+len(content)), salt...), content...))
}

// NodeHash returns the inner node above two others.
func NodeHash(left, right Hash) Hash { return tlog.NodeHash(left, right) }

// StoredIndex returns where in the order of storage the leaf stands; the inner
// nodes that it completes follow it, from the bottom up.
func StoredIndex(leaf int64) int64 { return tlog.StoredHashIndex(0, leaf) }

// Append adds the leaf for content to the tree and returns its place, counted
// from 0, and the salt that the caller stores beside the content.
func Append(tx *sqlite.Tx, content func(leaf int64) []byte) (leaf int64, salt []byte, err error) {
	leaf, err = Size(tx)
	if err != nil {
		return 0, nil, err
	}
	salt = NewSalt()
	return leaf, salt, appendLeaf(tx, leaf, LeafHash(salt, content(leaf)))
}

// AppendSalted adds the leaf for content under a salt that the caller can make again,
// and returns its place.
func AppendSalted(tx *sqlite.Tx, salt, content []byte) (leaf int64, err error) {
	leaf, err = Size(tx)
	if err != nil {
		return 0, err
	}
	return leaf, appendLeaf(tx, leaf, LeafHash(salt, content))
}

// AppendHash adds a leaf of which the content is not known any more, and returns its place.
func AppendHash(tx *sqlite.Tx, h Hash) (leaf int64, err error) {
	leaf, err = Size(tx)
	if err != nil {
		return 0, err
	}
	return leaf, appendLeaf(tx, leaf, h)
}

func appendLeaf(tx *sqlite.Tx, leaf int64, h Hash) error {
	hashes, err := tlog.StoredHashesForRecordHash(leaf, h, reader{tx})
	if err != nil {
		return fmt.Errorf("ledger: append leaf %d: %w", leaf, err)
	}
	first := StoredIndex(leaf)
	for i, h := range hashes {
		if _, err := tx.Exec("INSERT INTO tree_hash (idx, hash) VALUES (?, ?)", first+int64(i), h[:]); err != nil {
			return fmt.Errorf("ledger: append leaf %d: %w", leaf, err)
		}
	}
	return nil
}

// Size returns the number of leaves.
func Size(tx *sqlite.Tx) (int64, error) {
	var last sql.NullInt64
	if err := tx.QueryRow("SELECT max(idx) FROM tree_hash").Scan(&last); err != nil {
		return 0, fmt.Errorf("ledger: size: %w", err)
	}
	if !last.Valid {
		return 0, nil
	}
	level, n := tlog.SplitStoredHashIndex(last.Int64)
	return (n + 1) << level, nil
}

// LeafAt returns the leaf at that place.
func LeafAt(tx *sqlite.Tx, leaf int64) (Hash, error) {
	hashes, err := reader{tx}.ReadHashes([]int64{StoredIndex(leaf)})
	if err != nil {
		return Hash{}, fmt.Errorf("ledger: leaf %d: %w", leaf, err)
	}
	return hashes[0], nil
}

// Root returns the head of the tree's first size leaves.
func Root(tx *sqlite.Tx, size int64) (Hash, error) {
	h, err := tlog.TreeHash(size, reader{tx})
	if err != nil {
		return Hash{}, fmt.Errorf("ledger: head of %d leaves: %w", size, err)
	}
	return h, nil
}

// HeadOf returns the head of a tree of nothing but these leaves (RFC 6962).
func HeadOf(leaves []Hash) Hash {
	if len(leaves) == 0 {
		return sha256.Sum256(nil)
	}
	if len(leaves) == 1 {
		return leaves[0]
	}
	left := 1 << (bits.Len(uint(len(leaves)-1)) - 1) // the largest power of two below
	return NodeHash(HeadOf(leaves[:left]), HeadOf(leaves[left:]))
}

// Hashes calls f for every stored hash of the tree, in the order of storage.
func Hashes(tx *sqlite.Tx, f func(idx int64, h Hash) error) error {
	rows, err := tx.Query("SELECT idx, hash FROM tree_hash ORDER BY idx")
	if err != nil {
		return fmt.Errorf("ledger: read the tree: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var idx int64
		var raw sql.RawBytes
		if err := rows.Scan(&idx, &raw); err != nil {
			return fmt.Errorf("ledger: read the tree: %w", err)
		}
		if err := f(idx, Hash(raw)); err != nil {
			return err
		}
	}
	return rows.Err()
}

// reader reads stored hashes within a transaction.
type reader struct{ tx *sqlite.Tx }

func (r reader) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(indexes))
	for i, idx := range indexes {
		var raw []byte
		if err := r.tx.QueryRow("SELECT hash FROM tree_hash WHERE idx = ?", idx).Scan(&raw); err != nil {
			return nil, fmt.Errorf("hash %d of the tree: %w", idx, err)
		}
		hashes[i] = tlog.Hash(raw)
	}
	return hashes, nil
}

// Key signs checkpoints.
type Key struct {
	signer note.Signer
	PublicKey
}

// PublicKey checks what a [Key] has signed. It is no secret.
type PublicKey struct {
	verifier note.Verifier
	text     string
}

// ParsePublicKey reads what [PublicKey.Public] returned.
func ParsePublicKey(text string) (*PublicKey, error) {
	text = strings.TrimSpace(text)
	v, err := note.NewVerifier(text)
	if err != nil {
		return nil, fmt.Errorf("%q is no public key of a ledger: it is one line, such as \"muniment+5d1f1b37+AbC…=\"", text)
	}
	return &PublicKey{v, text}, nil
}

// NewKey makes a key under name (the origin of the checkpoints) and writes it to
// the file path, readable by its owner only. It refuses to overwrite a file.
func NewKey(path, name string) error {
	private, public, err := note.GenerateKey(rand.Reader, name)
	if err != nil {
		return fmt.Errorf("make the ledger's key: %w", err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("make the ledger's key: %w", err)
	}
	_, err = f.WriteString(private + "\n" + public + "\n")
	return errors.Join(err, f.Sync(), f.Close())
}

// LoadKey reads the key that [NewKey] wrote.
func LoadKey(path string) (*Key, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the ledger's key: %w", err)
	}
	private, public, ok := strings.Cut(strings.TrimSpace(string(b)), "\n")
	if !ok {
		return nil, fmt.Errorf("read the ledger's key: %s is not a key file", path)
	}
	signer, err := note.NewSigner(private)
	if err != nil {
		return nil, fmt.Errorf("read the ledger's key: %s: %w", path, err)
	}
	p, err := ParsePublicKey(public)
	if err != nil {
		return nil, fmt.Errorf("read the ledger's key: %s: %w", path, err)
	}
	return &Key{signer, *p}, nil
}

// Public returns the verifier key, in the form that other programs which read
// signed notes accept.
func (k *PublicKey) Public() string { return k.text }

// Checkpoint is a signed head of the tree: these leaves, and no others, were
// there when it was made.
type Checkpoint struct {
	Size     int64
	Root     Hash
	Restored int    // how often the archive had been restored from a backup
	Note     string // the signed text, as emailed and kept
}

// Sign makes a checkpoint of the tree as it stands and stores it.
func (k *Key) Sign(tx *sqlite.Tx, now time.Time) (Checkpoint, error) {
	var last string
	err := tx.QueryRow("SELECT note FROM checkpoint ORDER BY id DESC LIMIT 1").Scan(&last)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return Checkpoint{}, fmt.Errorf("ledger: last checkpoint: %w", err)
	}
	restored := 0
	if m := restoredLine.FindStringSubmatch(last); m != nil {
		restored, _ = strconv.Atoi(m[1]) // which the expression lets through
	}
	return k.SignRestored(tx, now, restored)
}

// SignRestored does the same for an archive that has been restored so often, and for good:
// later checkpoints say so, too. By that it is known of each whether what it covers may have
// been lost in a restore: only one that was made before can.
func (k *Key) SignRestored(tx *sqlite.Tx, now time.Time, restored int) (Checkpoint, error) {
	size, err := Size(tx)
	if err != nil {
		return Checkpoint{}, err
	}
	root, err := Root(tx, size)
	if err != nil {
		return Checkpoint{}, err
	}
	text := fmt.Sprintf("%s\n%d\n%s\n", k.signer.Name(), size, base64.StdEncoding.EncodeToString(root[:]))
	if restored > 0 {
		text += fmt.Sprintf("restored %d\n", restored)
	}
	signed, err := note.Sign(&note.Note{Text: text}, k.signer)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("ledger: sign checkpoint: %w", err)
	}
	c := Checkpoint{Size: size, Root: root, Restored: restored, Note: string(signed)}
	if _, err := tx.Exec("INSERT INTO checkpoint (size, made_at, note) VALUES (?, ?, ?)",
		size, sqlite.FormatTime(now), c.Note); err != nil {
		return Checkpoint{}, fmt.Errorf("ledger: store checkpoint: %w", err)
	}
	return c, nil
}

// restoredLine is the line of a checkpoint that says how often the archive had been restored.
var restoredLine = regexp.MustCompile(`(?m)^restored ([1-9][0-9]{0,8})$`)

// Open checks the signature on a checkpoint and reads it.
func (k *PublicKey) Open(signed string) (Checkpoint, error) {
	n, err := note.Open([]byte(signed), note.VerifierList(k.verifier))
	if err != nil {
		return Checkpoint{}, fmt.Errorf("checkpoint: %w", err)
	}
	c := Checkpoint{Note: signed}
	var root string
	lines := strings.SplitN(n.Text, "\n", 4)
	if len(lines) < 4 || lines[0] != k.verifier.Name() {
		return Checkpoint{}, errors.New("checkpoint: not one of this archive")
	}
	if _, err := fmt.Sscanf(lines[1]+" "+lines[2], "%d %s", &c.Size, &root); err != nil {
		return Checkpoint{}, fmt.Errorf("checkpoint: %w", err)
	}
	raw, err := base64.StdEncoding.DecodeString(root)
	if err != nil || len(raw) != len(c.Root) {
		return Checkpoint{}, errors.New("checkpoint: the head is not a hash")
	}
	c.Root = Hash(raw)
	if m := restoredLine.FindStringSubmatch(lines[3]); m != nil {
		c.Restored, _ = strconv.Atoi(m[1])
	}
	return c, nil
}

// copied matches a checkpoint in a text that went through somebody's hands:
// indented, quoted, with its signature wrapped, or with another dash before it.
var copied = regexp.MustCompile(`(?m)^[ \t>]*(?:.*")?([^\s"]+)[ \t]*\n[ \t>]*(\d+)[ \t]*\n[ \t>]*([A-Za-z0-9+/]{43}=)[ \t]*\n(?:[ \t>]*(restored [1-9][0-9]*)[ \t]*\n)?(?:[ \t>]*\n)*[ \t>]*[—–-]+ *(\S+) +([A-Za-z0-9+/=\s>]+)`)

// Find returns every checkpoint in a text, each once: a file into which it was pasted,
// a certificate as JSON, or a whole email. It says nothing of the signatures: in an
// email that repeats what people wrote, they may have written anything. See [PublicKey.Own].
func Find(text string) (notes []string) {
	text = strings.TrimPrefix(strings.ReplaceAll(text, "\r\n", "\n"), "\ufeff")
	readings := []string{text, strings.ReplaceAll(text, `\n`, "\n")}
	if b, err := io.ReadAll(quotedprintable.NewReader(strings.NewReader(text))); err == nil {
		readings = append(readings, strings.ReplaceAll(string(b), "\r\n", "\n"))
	}
	for _, r := range readings {
		for _, m := range copied.FindAllStringSubmatch(r, -1) {
			if m[4] != "" {
				m[4] += "\n"
			}
			signature := strings.Join(strings.FieldsFunc(m[6], func(c rune) bool { return !inBase64(c) }), "")
			signature, _, _ = strings.Cut(signature, "=") // what comes after are words
			for len(signature)%4 != 0 {
				signature += "="
			}
			note := fmt.Sprintf("%s\n%s\n%s\n%s\n— %s %s\n", m[1], m[2], m[3], m[4], m[5], signature)
			if !slices.Contains(notes, note) {
				notes = append(notes, note)
			}
		}
	}
	return notes
}

// Own returns those of the notes that this key has signed; if none is, all of them, so
// that what is wrong with them can be told.
func (k *PublicKey) Own(notes []string) (own []string) {
	for _, n := range notes {
		if _, err := k.Open(n); err == nil {
			own = append(own, n)
		}
	}
	if own == nil {
		return notes
	}
	return own
}

func inBase64(c rune) bool {
	return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '+' || c == '/' || c == '='
}

// Checkpoints returns the stored checkpoints' signed texts, oldest first.
func Checkpoints(tx *sqlite.Tx) ([]string, error) {
	rows, err := tx.Query("SELECT note FROM checkpoint ORDER BY id")
	if err != nil {
		return nil, fmt.Errorf("ledger: read checkpoints: %w", err)
	}
	defer rows.Close()
	var notes []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, fmt.Errorf("ledger: read checkpoints: %w", err)
		}
		notes = append(notes, s)
	}
	return notes, rows.Err()
}

// Signed is when a checkpoint was made, and how many leaves there were.
type Signed struct {
	At   time.Time
	Size int64
}

// SignedSince returns when the checkpoints over more than size leaves were made, in
// the order of making.
func SignedSince(tx *sqlite.Tx, size int64) ([]Signed, error) {
	rows, err := tx.Query("SELECT made_at, size FROM checkpoint WHERE size > ? ORDER BY id", size)
	if err != nil {
		return nil, fmt.Errorf("ledger: read checkpoints: %w", err)
	}
	defer rows.Close()
	var all []Signed
	for rows.Next() {
		var s Signed
		var at string
		if err := rows.Scan(&at, &s.Size); err != nil {
			return nil, fmt.Errorf("ledger: read checkpoints: %w", err)
		}
		if s.At, err = sqlite.ParseTime(at); err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, rows.Err()
}

// LastSigned returns when the latest checkpoint was made; zero if there is none.
func LastSigned(tx *sqlite.Tx) (time.Time, error) {
	var s sql.NullString
	if err := tx.QueryRow("SELECT made_at FROM checkpoint ORDER BY id DESC LIMIT 1").Scan(&s); errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, nil
	} else if err != nil {
		return time.Time{}, fmt.Errorf("ledger: last checkpoint: %w", err)
	}
	return sqlite.ParseTime(s.String)
}
