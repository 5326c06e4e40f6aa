package record

import (
	"crypto/sha256"
	"strconv"
	"strings"
	"time"
)

// timeLayout is part of the canonical form: UTC, milliseconds.
const timeLayout = "2006-01-02T15:04:05.000Z"

// CanonicalBeforeSeals returns the bytes that the leaves of the first archives' records
// commit to, form 1: they are as [Canonical], but nothing in them can be withheld. No
// record is captured so any more; those that were must verify for ever.
//
// The form is one field after another, "name length:value\n", in this order;
// length is in bytes, so no value can pass for another field. What was added to
// the form later (participant-admin, file-*, by-admin, details, import, supplied) is left out where it does
// not apply, so that older records keep their leaves.
func CanonicalBeforeSeals(seq Seq, origin []byte, captured time.Time, r Received, target []byte, quotations [][sha256.Size]byte) []byte {
	var b strings.Builder
	b.Grow(512 + len(r.Text) + len(r.Protobuf))
	b.WriteString("muniment record 1\n")
	field(&b, "seq", strconv.FormatInt(int64(seq), 10))
	field(&b, "origin", string(origin))
	field(&b, "kind", string(r.Kind))
	field(&b, "type", string(r.Type))
	field(&b, "group", r.Group)
	field(&b, "id", r.ID)
	field(&b, "sender", r.Sender.JID)
	field(&b, "sender-alt", r.Sender.Alt)
	field(&b, "push-name", r.PushName)
	field(&b, "own", strconv.FormatBool(r.Own))
	field(&b, "sent", r.Sent.UTC().Format(timeLayout))
	field(&b, "captured", captured.UTC().Format(timeLayout))
	field(&b, "text", r.Text)
	field(&b, "emoji", r.Emoji)
	field(&b, "target", string(target))
	for _, m := range r.Mentions {
		field(&b, "mention", m)
	}
	for _, p := range r.Participants {
		field(&b, "participant", p.JID)
		field(&b, "participant-alt", p.Alt)
		if p.Admin {
			field(&b, "participant-admin", "true")
		}
	}
	field(&b, "version", r.Version)
	if r.File != nil {
		field(&b, "file-name", r.File.Name)
		field(&b, "file-sealed", string(r.File.Sealed))
	}
	if r.ByAdmin {
		field(&b, "by-admin", "true")
	}
	if r.Details != "" {
		field(&b, "details", r.Details)
	}
	if r.Import != 0 {
		field(&b, "import", strconv.FormatInt(r.Import, 10))
	}
	if r.Supplied {
		field(&b, "supplied", "true")
	}
	for _, q := range quotations {
		field(&b, "quotation", string(q[:]))
	}
	field(&b, "protobuf", string(r.Protobuf))
	return []byte(b.String())
}

// QuotationDigest returns the salted digest by which a reply commits to a
// quotation. Without the salt it tells nothing, even of a one-word message.
// Origin is of the message quoted: the quotation is destroyed with it.
func QuotationDigest(salt, origin []byte, q Quotation) [sha256.Size]byte {
	var b strings.Builder
	b.WriteString("muniment quotation 1\n")
	field(&b, "salt", string(salt))
	field(&b, "origin", string(origin))
	field(&b, "id", q.Of.ID)
	field(&b, "sender", q.Of.Sender.JID)
	field(&b, "text", q.Text)
	field(&b, "protobuf", string(q.Protobuf))
	return sha256.Sum256([]byte(b.String()))
}

// ReadingDigest returns the salted digest of what is read in a record that could not
// be read at capture: the journal commits to it. Target is the origin of the message
// that the record names.
func ReadingDigest(salt []byte, seq Seq, r Received, target []byte) [sha256.Size]byte {
	var b strings.Builder
	b.WriteString("muniment reading 1\n")
	field(&b, "salt", string(salt))
	field(&b, "seq", strconv.FormatInt(int64(seq), 10))
	field(&b, "kind", string(r.Kind))
	field(&b, "type", string(r.Type))
	field(&b, "text", r.Text)
	field(&b, "emoji", r.Emoji)
	field(&b, "target", string(target))
	for _, m := range r.Mentions {
		field(&b, "mention", m)
	}
	for _, p := range r.Participants {
		field(&b, "participant", p.JID)
		field(&b, "participant-alt", p.Alt)
		field(&b, "participant-admin", strconv.FormatBool(p.Admin))
	}
	field(&b, "details", r.Details)
	if r.File != nil {
		field(&b, "file-name", r.File.Name)
		field(&b, "file-sealed", string(r.File.Sealed))
	}
	return sha256.Sum256([]byte(b.String()))
}

// field writes one line of a canonical form.
func field(b *strings.Builder, name, value string) {
	var length [20]byte
	b.WriteString(name)
	b.WriteByte(' ')
	b.Write(strconv.AppendInt(length[:0], int64(len(value)), 10))
	b.WriteByte(':')
	b.WriteString(value)
	b.WriteByte('\n')
}
