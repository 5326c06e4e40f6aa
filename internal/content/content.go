// Package content reads what a WhatsApp message says: protobuf in, record out.
//
// It is pure. The same message gives the same record, live, resent, or read again from
// what is kept of it; senders can write anything, and whatever they write becomes a
// record, of which the protobuf is kept if nothing else can be read.
package content

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"time"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	"muniment/internal/record"
)

// A Reader reads messages. It is pure but for what it is given: looking up the other
// address of a person, and the message that another one names.
type Reader struct {
	// Other looks up the same person's other JID (LID for PN, PN for LID); it returns
	// nothing where that is not known. Nil: none is known.
	Other func(jid string) string

	// Original returns the message that another names, as it is kept: what is encrypted
	// under its secret needs it. It reports false while the message is not here. Nil:
	// no message is here.
	Original func(group string, of record.Ref) (Original, bool)
}

// Original is a message as it is kept.
type Original struct {
	Sender   record.Address
	Protobuf []byte   // without quotations; [record.Received.Protobuf]
	Added    []string // options that were added to a poll since
}

// Envelope is what is known of a message besides what it says.
type Envelope struct {
	Group    string // JID
	ID       string // as [ID] makes it; only our own phone can leave it empty
	Sender   record.Address
	PushName string
	Own      bool
	Sent     time.Time
}

// Read makes a record of a message as it was delivered, wrappers and all. There is none
// if the message brings nothing but keys: of a sender's first message they come as an
// event of their own, and the content follows under the same ID. M is not altered.
//
// The message is kept as it came, since wrappers tell of timers and view-once; but
// without the keys, which are no content and only come with some deliveries, without
// what was to be viewed once, and without quotations, which are kept on their own.
func (r Reader) Read(e Envelope, m *waE2E.Message) (rec record.Received, is bool) {
	if m == nil {
		m = &waE2E.Message{}
	}
	return r.read(e, proto.Clone(m).(*waE2E.Message))
}

// ReadAgain reads a message from what [Reader.Read] kept of it. What is read is the same
// but for what is kept elsewhere: the quotations, and with them whom a reply answers.
// What another version kept as unsupported may be more now, and so may what could not be
// read for want of the message that it names. Of a message that came without content,
// such as [NotDelivered] makes, nothing is kept that could be read.
func (r Reader) ReadAgain(e Envelope, protobuf []byte) (record.Received, error) {
	var m waE2E.Message
	if err := (proto.UnmarshalOptions{AllowPartial: true}).Unmarshal(protobuf, &m); err != nil {
		return record.Received{}, errors.New("what is kept of a message is no message")
	}
	rec, is := r.read(e, &m)
	if !is {
		return record.Received{}, errors.New("what is kept of a message are keys only")
	}
	return rec, nil
}

// NotDelivered makes the record of a message to be viewed once. WhatsApp tells linked
// devices only that there was one.
func NotDelivered(e Envelope) record.Received {
	rec := e.record()
	rec.Kind, rec.Type = record.Message, record.ViewOnce
	return rec
}

func (e Envelope) record() record.Received {
	return record.Received{
		Group: e.Group, ID: e.ID, Sender: e.Sender, PushName: Valid(e.PushName), Own: e.Own, Sent: e.Sent.UTC(),
	}
}

// read may alter m.
func (r Reader) read(e Envelope, m *waE2E.Message) (rec record.Received, is bool) {
	hideOnce(m.ProtoReflect(), false)
	o := open(m)
	if o.keys && len(o.parts) == 0 && !o.once {
		return record.Received{}, false
	}
	said := r.say(e.record(), o)
	rec = said.Received
	rec.Details = said.details.Encode()
	rec.Quotations = r.takeQuotations(m, rec)
	rec.Protobuf = marshal(m)
	if rec.ID == "" {
		rec.ID = "unnamed:" + digest(rec.Protobuf)
	}
	return rec, true
}

// A reading is a message, or a part of one, on its way to become a record.
type reading struct {
	Reader
	record.Received
	details record.Details
	context *waE2E.ContextInfo          // what it says of others; nil if nothing
	around  []*waE2E.MessageContextInfo // innermost first
}

// say reads what a message holds. There should be one part. Where there are several, a
// message that people wrote is what most of it is: the file, else the first; with all
// the words. What changes another message comes alone.
func (r Reader) say(rec record.Received, o opened) reading {
	var read []reading
	for _, p := range o.parts {
		one := reading{Reader: r, Received: rec, around: o.around}
		if one.part(p) {
			one.belongs()
			read = append(read, one)
		}
	}
	file := max(0, slices.IndexFunc(read, func(one reading) bool { return one.File != nil }))
	said := func(one reading) bool { return one.Kind == record.Message && one.Type != record.Sealed }
	switch {
	case len(read) == 1:
		return read[0]
	case len(read) > 1 && !slices.ContainsFunc(read, func(one reading) bool { return !said(one) }):
		main := read[file]
		for i, other := range read {
			if i != file {
				main.Text = lines(main.Text, other.Text)
			}
		}
		return main
	}
	none := reading{Received: rec}
	none.Kind, none.Type = record.Unsupported, o.name()
	if len(read) > 0 && read[file].File != nil { // WhatsApp keeps it for weeks only
		f := *read[file].File
		f.Type = read[file].FileType()
		none.File = &f
	} else if o.once && !slices.ContainsFunc(o.parts, part.amends) {
		none.Kind, none.Type = record.Message, record.ViewOnce
	}
	return none
}

// within reads a message that stands within r's.
func (r *reading) within(m *waE2E.Message) reading {
	if m == nil {
		m = &waE2E.Message{}
	}
	return r.say(record.Received{Group: r.Group, Sender: r.Sender, Sent: r.Sent}, open(m))
}

// Address returns a person's address. Alt is the other one if it is known already. Where
// there is no address at all, the group's stands in for it: the archive takes no record
// of nobody.
func (r Reader) Address(jid, alt types.JID, group string) record.Address {
	if jid = jid.ToNonAD(); jid.IsEmpty() || jid.User == "" {
		return record.Address{JID: group}
	}
	a := record.Address{JID: jid.String()}
	if alt.User != "" {
		a.Alt = alt.ToNonAD().String()
	} else if alt.IsEmpty() && r.Other != nil {
		a.Alt = r.Other(a.JID)
	}
	return a
}

// named returns the address of somebody whom a sender named.
func (r Reader) named(participant, group string) record.Address {
	jid, ok := user(participant)
	if !ok {
		jid = types.EmptyJID
	}
	return r.Address(jid, types.EmptyJID, group)
}

// user reads the JID of a person; senders can write anything there.
func user(s string) (types.JID, bool) {
	jid, err := types.ParseJID(s)
	if err != nil || jid.User == "" || jid.Server == "" {
		return types.EmptyJID, false
	}
	jid = jid.ToNonAD()
	return jid, Valid(jid.String()) == jid.String()
}

// Same reports whether a and b are one person, as far as they themselves tell.
func Same(a, b record.Address) bool {
	return a.JID == b.JID || a.Alt != "" && a.Alt == b.JID || b.Alt != "" && a.JID == b.Alt
}

// ID is the ID of a message by which it is known here. Its sender chose it, and could
// choose one that was made here, such as that of a call or of a change of the group, before
// that comes. Ours have a colon; theirs have none, but for this.
func ID(sent string) string {
	if strings.Contains(sent, ":") {
		sent = "sent:" + sent
	}
	return Valid(sent)
}

// Sent is the ID that a message bears in WhatsApp, of the one by which it is known here.
func Sent(id string) string { return strings.TrimPrefix(id, "sent:") }

// Valid makes what a sender wrote a text: protobuf does not ask for that.
func Valid(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// marshal is deterministic: the ledger commits to it.
func marshal(m proto.Message) []byte {
	b, err := proto.MarshalOptions{Deterministic: true, AllowPartial: true}.Marshal(m)
	if err != nil {
		return nil // strings that are no UTF-8 in proto3: unmarshalling refuses them
	}
	return b
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}
