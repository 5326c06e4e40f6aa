package record

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// SecretSize is the length in bytes of the secret beside a record, and of every salt
// that derives from it.
const SecretSize = 32

// A Fact is one thing that a record's leaf in the ledger commits to. What is sealed
// stands in the canonical bytes as a salted digest: so everything else can be proved,
// and this withheld. Sealed is what holds an address as WhatsApp supplies it, or may
// hold one (DESIGN.md, invariant 9).
type Fact struct {
	Name   string
	Value  string
	Sealed bool
}

// Facts returns what the leaf of a record commits to, in the order of the canonical
// bytes. They depend on nothing but the facts as captured: not on what is later known
// of people, not on retention, not on the database's layout. Origin and target are the
// names by which the archive knows the fact and the message that it answers. Quotations
// enter by their digests only, so that they can be destroyed before the reply.
//
// What is empty, zero or false is left out, but for a file's name: a file may have none.
func Facts(seq Seq, origin []byte, captured time.Time, r Received, target []byte, quotations [][sha256.Size]byte) []Fact {
	facts := make([]Fact, 0, 16+len(quotations))
	add := func(name, value string) {
		if value != "" {
			facts = append(facts, Fact{Name: name, Value: value})
		}
	}
	seal := func(name, value string) {
		if value != "" {
			facts = append(facts, Fact{Name: name, Value: value, Sealed: true})
		}
	}
	flag := func(name string, is bool) {
		if is {
			add(name, "true")
		}
	}
	add("seq", strconv.FormatInt(int64(seq), 10))
	add("origin", hex.EncodeToString(origin))
	add("kind", string(r.Kind))
	add("type", string(r.Type))
	seal("group", r.Group)
	add("id", r.ID)
	seal("sender", addressValue(r.Sender))
	seal("push-name", r.PushName)
	flag("own", r.Own)
	add("sent", r.Sent.UTC().Format(timeLayout))
	add("captured", captured.UTC().Format(timeLayout))
	seal("text", r.Text)
	if words := Words(r.Text, r.Mentions); words != r.Text {
		seal("words", words)
	}
	add("emoji", r.Emoji)
	add("target", hex.EncodeToString(target))
	seal("mentions", mentionsValue(r.Mentions))
	seal("participants", participantsValue(r.Participants))
	add("version", r.Version)
	if r.File != nil {
		facts = append(facts, Fact{Name: "file-name", Value: r.File.Name})
		add("file-sealed", hex.EncodeToString(r.File.Sealed))
	}
	flag("by-admin", r.ByAdmin)
	seal("details", r.Details)
	if r.Import != 0 {
		add("import", strconv.FormatInt(r.Import, 10))
	}
	flag("supplied", r.Supplied)
	for _, q := range quotations {
		add("quotation", hex.EncodeToString(q[:]))
	}
	seal("protobuf", string(r.Protobuf))
	return facts
}

// Canonical returns the bytes that a record's leaf commits to, form 2: a first line, and
// then a line for each fact, "name length:value\n", or "name sha256:digest\n" of what is
// sealed. The length is in bytes, so no value can pass for another fact. With them it
// returns the salt of the leaf.
//
// One secret lies beside the record, and all its salts derive from it, see [Salt]: who
// has some of them knows nothing of the others, and when the secret is destroyed, all are.
func Canonical(facts []Fact, secret []byte) (canonical, salt []byte) {
	var b strings.Builder
	size := 64
	for _, f := range facts {
		size += len(f.Name) + 96
		if !f.Sealed {
			size += len(f.Value)
		}
	}
	b.Grow(size)
	b.WriteString("muniment record 2\n")
	s := newSalts(secret)
	for _, f := range facts {
		if f.Sealed {
			sealedField(&b, f.Name, Seal(s.of(f.Name), f.Value))
		} else {
			field(&b, f.Name, f.Value)
		}
	}
	return []byte(b.String()), s.of(leaf)
}

// Seal returns the salted digest that stands for a value. Without the salt it tells
// nothing, even of a telephone number, of which there are few enough to try them all.
func Seal(salt []byte, value string) [sha256.Size]byte {
	var room [512]byte // enough for most, without an allocation
	return sha256.Sum256(append(append(room[:0], salt...), value...))
}

// leaf names the salt of the leaf; no fact is called so.
const leaf = "leaf"

// Salt returns the salt of the sealed fact with that name in the record with that secret.
func Salt(secret []byte, name string) []byte { return newSalts(secret).of(name) }

// salts derives the salts of one record: HMAC-SHA256 under its secret.
type salts struct {
	mac  hash.Hash
	name []byte
	salt [SecretSize]byte
}

func newSalts(secret []byte) *salts { return &salts{mac: hmac.New(sha256.New, secret)} }

// of returns one of them; it is overwritten by the next.
func (s *salts) of(name string) []byte {
	s.mac.Reset()
	s.name = append(s.name[:0], name...)
	s.mac.Write(s.name)
	return s.mac.Sum(s.salt[:0])
}

// sealedField writes the line of a fact that is sealed.
func sealedField(b *strings.Builder, name string, digest [sha256.Size]byte) {
	var digits [2 * sha256.Size]byte
	hex.Encode(digits[:], digest[:])
	b.WriteString(name)
	b.WriteString(" sha256:")
	b.Write(digits[:])
	b.WriteByte('\n')
}

// The values of facts that have parts are lines of the same form.

func addressValue(a Address) string {
	if a == (Address{}) {
		return ""
	}
	var b strings.Builder
	field(&b, "jid", a.JID)
	if a.Alt != "" {
		field(&b, "alt", a.Alt)
	}
	return b.String()
}

func mentionsValue(mentions []string) string {
	var b strings.Builder
	for _, m := range mentions {
		field(&b, "mention", m)
	}
	return b.String()
}

func participantsValue(all []Participant) string {
	var b strings.Builder
	for _, p := range all {
		field(&b, "jid", p.JID)
		field(&b, "alt", p.Alt)
		field(&b, "admin", strconv.FormatBool(p.Admin))
	}
	return b.String()
}

// Words returns text without the numbers that its mentions are, which WhatsApp writes as
// @ and a number: "@[mention 1]" is the first of them. So what somebody wrote can be
// proved without telling by which number WhatsApp knows whom he mentions.
func Words(text string, mentions []string) string {
	if len(mentions) == 0 {
		return text
	}
	return mention.ReplaceAllStringFunc(text, func(number string) string {
		i := slices.IndexFunc(mentions, func(jid string) bool {
			user, _, _ := strings.Cut(jid, "@")
			return user == number[1:]
		})
		if i < 0 {
			return number
		}
		return "@[mention " + strconv.Itoa(i+1) + "]"
	})
}

var mention = regexp.MustCompile(`@[0-9]+`)
