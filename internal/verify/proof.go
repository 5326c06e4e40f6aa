package verify

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"muniment/internal/archive"
	"muniment/internal/journal"
	"muniment/internal/ledger"
	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// proofForm is the form of the files that are written; FORMAT.md of package ledger
// describes it.
const proofForm = 1

// recordForm is the first line of a record's canonical bytes.
const recordForm = "muniment record 2"

// A Proof shows that one record stands in the ledger, to somebody who has neither the
// archive nor a reason to trust who gives it to him. Of a destroyed record it shows where
// it stood, and that the archive tells of its destruction.
type Proof struct {
	Form       int        `json:"muniment_proof"`
	About      string     `json:"about"` // words for who opens the file
	Key        string     `json:"public_key"`
	Checkpoint string     `json:"checkpoint"`
	Record     LeafProof  `json:"record"`
	Stub       string     `json:"stub,omitempty"`        // signed, of a destroyed record: what is left of it
	Entry      *LeafProof `json:"destruction,omitempty"` // the journal's account of the destruction, as long as that is kept
}

// about is what the file says of itself.
const about = "This file proves that a record stands in the ledger of a council's archive. Check it with: muniment verify --proof FILE. " +
	"How any other program can check it is described in internal/ledger/FORMAT.md of muniment's source."

// LeafProof shows what stands at one place of the ledger: by what the leaf there commits
// to, or, if that is destroyed, by its hash alone.
type LeafProof struct {
	Leaf  int64         `json:"leaf"`
	Path  []ledger.Hash `json:"path"` // to the head that the checkpoint signs, from the bottom up
	Hash  *ledger.Hash  `json:"hash,omitempty"`
	Form  string        `json:"form,omitempty"` // the first line of the canonical bytes
	Salt  Hex           `json:"salt,omitempty"`
	Facts []Fact        `json:"facts,omitempty"`
}

// A Fact is one line of the canonical bytes. It has a value; or a value and a salt, if it
// is sealed and shown; or its salted digest, if it is withheld.
type Fact struct {
	Name   string  `json:"name"`
	Value  *string `json:"value,omitempty"`
	Bytes  *[]byte `json:"bytes,omitempty"` // instead of a value that is no text, in base64
	Salt   Hex     `json:"salt,omitempty"`
	Digest Hex     `json:"sha256,omitempty"`
}

// Hex is bytes, in JSON in hexadecimal.
type Hex []byte

func (h Hex) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }

func (h *Hex) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

// ErrBeforeSeals is returned for a record that was captured before part of one could be
// withheld: nothing of it can be shown without people's numbers.
var ErrBeforeSeals = errors.New("it was captured by an early version, of whose records nothing can be proved without disclosing by which telephone numbers WhatsApp knows people")

// ErrNoRecord is returned for a number that no record ever had.
var ErrNoRecord = errors.New("there is no such record")

// Prove makes the proof of a record, under the first checkpoint that covers it; if none
// does, it signs one. Show says which of the facts that are sealed may be shown.
func Prove(tx *sqlite.Tx, key *ledger.Key, now time.Time, seq record.Seq, show func(record.Fact) bool) (p Proof, err error) {
	p = Proof{Form: proofForm, About: about, Key: key.Public()}
	l, is, err := archive.LeafOf(tx, seq)
	switch {
	case err != nil:
		return p, err
	case !is:
		return p, ErrNoRecord
	case !l.Stub && l.Facts == nil:
		return p, ErrBeforeSeals
	}
	p.Record.Leaf = l.Leaf
	last := l.Leaf
	if l.Stub {
		if last, err = p.proveDestruction(tx, key, seq); err != nil {
			return p, err
		}
	} else {
		p.Record.disclose(l, show)
	}
	c, is, err := ledger.Covering(tx, &key.PublicKey, max(last, l.Leaf))
	if err == nil && !is {
		c, err = key.Sign(tx, now)
	}
	if err != nil {
		return p, err
	}
	p.Checkpoint = c.Note
	for _, leaf := range []*LeafProof{&p.Record, p.Entry} {
		if leaf == nil {
			continue
		}
		if leaf.Path, err = ledger.Prove(tx, c.Size, leaf.Leaf); err != nil {
			return p, err
		}
	}
	if _, err := p.Check(); err != nil {
		return p, fmt.Errorf("it is not what its leaf commits to; run `muniment verify`: %w", err)
	}
	return p, nil
}

// proveDestruction adds what is left of a destroyed record, and returns the last leaf
// that the proof needs.
func (p *Proof) proveDestruction(tx *sqlite.Tx, key *ledger.Key, seq record.Seq) (last int64, err error) {
	remains, err := archive.RemainsOf(tx, seq)
	if err != nil {
		return 0, err
	}
	p.Record.Hash = &remains.Hash
	b, err := json.Marshal(remains)
	if err != nil {
		return 0, err
	}
	if p.Stub, err = key.SignText(stubForm + "\n" + string(b) + "\n"); err != nil {
		return 0, err
	}
	e, is, err := journal.OfDestruction(tx, int64(seq))
	if err != nil || !is {
		return 0, err
	}
	p.Entry = &LeafProof{Leaf: e.Leaf, Form: journal.Form, Salt: e.Salt}
	for _, f := range e.Facts {
		p.Entry.Facts = append(p.Entry.Facts, fact(f[0], f[1]))
	}
	return e.Leaf, nil
}

// stubForm is the first line of the signed text that tells what is left of a record.
const stubForm = "muniment stub 1"

// disclose adds the facts of a record's leaf, as far as they may be shown.
func (p *LeafProof) disclose(l archive.Leaf, show func(record.Fact) bool) {
	p.Form = recordForm
	_, salt := record.Canonical(l.Facts, l.Secret)
	p.Salt = salt
	for _, f := range l.Facts {
		switch {
		case !f.Sealed:
			p.Facts = append(p.Facts, fact(f.Name, f.Value))
		case show(f):
			shown := fact(f.Name, f.Value)
			shown.Salt = record.Salt(l.Secret, f.Name)
			p.Facts = append(p.Facts, shown)
		default:
			digest := record.Seal(record.Salt(l.Secret, f.Name), f.Value)
			p.Facts = append(p.Facts, Fact{Name: f.Name, Digest: digest[:]})
		}
	}
}

func fact(name, value string) Fact {
	if !utf8.ValidString(value) {
		b := []byte(value)
		return Fact{Name: name, Bytes: &b}
	}
	return Fact{Name: name, Value: &value}
}

// maxProof is how large a proof may be: that of the longest message is a tenth of it.
const maxProof = 4 << 20

// ReadProof reads what was written as JSON. That it can be read says nothing yet of
// whether it holds; see [Proof.Check].
func ReadProof(r io.Reader) (p Proof, err error) {
	b, err := io.ReadAll(io.LimitReader(r, maxProof+1))
	if err != nil {
		return p, err
	}
	if len(b) > maxProof {
		return p, errors.New("it is no proof: it is too large")
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	var form struct {
		Form int `json:"muniment_proof"`
	}
	if json.Unmarshal(b, &form) == nil && form.Form > proofForm {
		return p, fmt.Errorf("it is a proof of form %d, which this version cannot read: use a newer one", form.Form)
	}
	if err := d.Decode(&p); err != nil {
		return p, fmt.Errorf("it is no proof, or it was damaged: %w", err)
	}
	if d.More() || p.Form != proofForm {
		return p, errors.New("it is no proof, or it was damaged")
	}
	return p, nil
}

// Proven is what a proof proves, if the public key is that of the archive.
type Proven struct {
	Checkpoint ledger.Checkpoint
	Facts      []Fact           // of the record, in order
	Destroyed  *archive.Remains // instead: the record is destroyed
	At         time.Time        // when, as the journal has it; zero if the proof does not show that
}

// Value returns the value of the record's fact with that name, and whether it is proved:
// a fact that is not there is empty, and that is proved, too. One that is withheld is not.
func (p Proven) Value(name string) (value string, proved bool) {
	for _, f := range p.Facts {
		if f.Name == name {
			value, proved := f.value()
			return value, proved
		}
	}
	return "", true
}

// Withheld returns the names of the facts that the proof does not show.
func (p Proven) Withheld() (names []string) {
	for _, f := range p.Facts {
		if _, shown := f.value(); !shown {
			names = append(names, f.Name)
		}
	}
	return names
}

func (f Fact) value() (value string, shown bool) {
	switch {
	case f.Value != nil:
		return *f.Value, true
	case f.Bytes != nil:
		return string(*f.Bytes), true
	}
	return "", false
}

// Check returns what p proves; an error says why it does not hold.
func (p Proof) Check() (Proven, error) {
	key, err := ledger.ParsePublicKey(p.Key)
	if err != nil {
		return Proven{}, err
	}
	c, err := key.Open(p.Checkpoint)
	if err != nil {
		return Proven{}, fmt.Errorf("the checkpoint does not bear the signature of the key in the file: %w", err)
	}
	h, err := p.Record.hash()
	if err != nil {
		return Proven{}, fmt.Errorf("the record: %w", err)
	}
	if !c.Holds(p.Record.Path, p.Record.Leaf, h) {
		return Proven{}, errors.New("what the file says of the record does not lead to the head that was signed: it was altered")
	}
	proven := Proven{Checkpoint: c, Facts: p.Record.Facts}
	switch {
	case p.Record.Hash != nil:
		return proven, p.checkDestruction(key, c, &proven)
	case p.Record.Form != recordForm:
		return Proven{}, fmt.Errorf("it proves something of the form %q, and not a record", p.Record.Form)
	case p.Stub != "" || p.Entry != nil:
		return Proven{}, errors.New("it shows a record and says that it was destroyed")
	}
	return proven, nil
}

// checkDestruction checks what is left of a destroyed record, and fills in that.
func (p Proof) checkDestruction(key *ledger.PublicKey, c ledger.Checkpoint, proven *Proven) error {
	text, err := key.OpenText(p.Stub)
	if err != nil {
		return fmt.Errorf("what is left of the record: %w", err)
	}
	first, rest, _ := strings.Cut(text, "\n")
	var remains archive.Remains
	if first != stubForm || json.Unmarshal([]byte(rest), &remains) != nil {
		return errors.New("what is left of the record cannot be read")
	}
	if remains.Leaf != p.Record.Leaf || remains.Hash != *p.Record.Hash {
		return errors.New("what is left of the record is of another place in the ledger")
	}
	proven.Destroyed = &remains
	if p.Entry == nil {
		return nil
	}
	h, err := p.Entry.hash()
	if err != nil {
		return fmt.Errorf("the journal's account of the destruction: %w", err)
	}
	if !c.Holds(p.Entry.Path, p.Entry.Leaf, h) {
		return errors.New("the journal's account of the destruction does not lead to the head that was signed: it was altered")
	}
	entry := Proven{Facts: p.Entry.Facts}
	act, _ := entry.Value("act")
	about, _ := entry.Value("about")
	at, _ := entry.Value("at")
	var told struct{ Records []record.Seq }
	if p.Entry.Form != journal.Form || act != string(journal.RunStep) || json.Unmarshal([]byte(about), &told) != nil || !slices.Contains(told.Records, remains.Seq) {
		return errors.New("the journal's entry is not about the destruction of this record")
	}
	proven.At, err = sqlite.ParseTime(at)
	return err
}

// name is what a fact may be called: nothing that could pass for a part of the line.
var name = regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)

// hash computes the leaf anew from what it commits to.
func (p LeafProof) hash() (ledger.Hash, error) {
	if p.Hash != nil {
		if p.Form != "" || p.Salt != nil || p.Facts != nil {
			return ledger.Hash{}, errors.New("it is said to be destroyed, and shown")
		}
		return *p.Hash, nil
	}
	if p.Form != recordForm && p.Form != journal.Form {
		return ledger.Hash{}, fmt.Errorf("the form %q is not known", p.Form)
	}
	if len(p.Salt) != ledger.SaltSize {
		return ledger.Hash{}, errors.New("the salt is not one")
	}
	var b bytes.Buffer
	b.WriteString(p.Form + "\n")
	seen := make(map[string]bool)
	for _, f := range p.Facts {
		if !name.MatchString(f.Name) || seen[f.Name] && f.Name != "quotation" {
			return ledger.Hash{}, fmt.Errorf("the fact %q is there twice, or is none", f.Name)
		}
		seen[f.Name] = true
		if err := f.write(&b); err != nil {
			return ledger.Hash{}, fmt.Errorf("the fact %q: %w", f.Name, err)
		}
	}
	return ledger.LeafHash(p.Salt, b.Bytes()), nil
}

// write writes the line of the canonical bytes.
func (f Fact) write(b *bytes.Buffer) error {
	value, shown := f.value()
	switch {
	case f.Value != nil && f.Bytes != nil, shown == (f.Digest != nil):
		return errors.New("it is neither shown nor withheld, or both")
	case !shown && (f.Salt != nil || len(f.Digest) != sha256.Size):
		return errors.New("the digest is not one")
	case !shown:
		b.WriteString(f.Name + " sha256:" + hex.EncodeToString(f.Digest) + "\n")
	case f.Salt == nil:
		b.WriteString(f.Name + " " + strconv.Itoa(len(value)) + ":" + value + "\n")
	case len(f.Salt) != record.SecretSize:
		return errors.New("the salt is not one")
	default:
		digest := record.Seal(f.Salt, value)
		b.WriteString(f.Name + " sha256:" + hex.EncodeToString(digest[:]) + "\n")
	}
	return nil
}
