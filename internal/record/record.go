// Package record defines what the archive keeps.
//
// A record is one fact of an official group as this companion device received
// it: a message, a reaction, a change of participants. It is evidence: once
// captured it is never changed, and what later amends it is a record of its own.
//
// The package is pure. It knows nothing of WhatsApp's wire format, of SQL or of
// the clock, and imports only the standard library.
package record

import (
	"log/slog"
	"time"
)

// Seq is a record's number in the archive: 1, 2, 3 … in order of capture. It is
// what letters, certificates and commands call "record 4117".
type Seq int64

// Kind says which sort of fact a record is.
type Kind string

// The kinds that are read today. Everything else of a listed group is kept as
// Unsupported with its protobuf, so that a later version can read it.
const (
	Message      Kind = "message"      // Type: text, image, video, audio, document, sticker
	Edit         Kind = "edit"         // Type: text; of the message that Target names
	Deletion     Kind = "deletion"     // Type: author, admin; of the message that Target names
	Reaction     Kind = "reaction"     // Type: added, removed
	Participants Kind = "participants" // Type: joined, left, added, removed, promoted, demoted, present
	Group        Kind = "group"        // Type: subject, description, timer
	Unsupported  Kind = "unsupported"  // Type: what WhatsApp calls it
)

// Follows reports whether records of this kind belong to the message that they
// name, and follow it: they fall due with it, are held with it and go with it.
func (k Kind) Follows() bool { return k == Edit || k == Deletion || k == Reaction }

// The types of records, by kind.
const (
	Text     Type = "text"
	Image    Type = "image"
	Video    Type = "video" // a moving picture without sound too
	Audio    Type = "audio" // a voice message too
	Document Type = "document"
	Sticker  Type = "sticker"

	ByAuthor Type = "author" // who sent it deletes it, as WhatsApp says
	ByAdmin  Type = "admin"  // somebody else deletes it, as only admins may

	ReactionAdded   Type = "added"
	ReactionRemoved Type = "removed"

	Joined   Type = "joined"   // by invite link or by request
	Left     Type = "left"     // of their own accord
	Added    Type = "added"    // by somebody else
	Removed  Type = "removed"  // by somebody else
	Promoted Type = "promoted" // to admin of the group
	Demoted  Type = "demoted"
	Present  Type = "present" // the whole list, as WhatsApp gave it when we asked

	Subject     Type = "subject" // the group's name in WhatsApp
	Description Type = "description"
	Timer       Type = "timer" // after which messages disappear from phones
)

// Type narrows a Kind.
type Type string

// Address is a participant as WhatsApp supplies one: a JID without its device,
// and the same person's other JID (LID for PN, PN for LID) where it is known.
// Addresses are personal data and appear in no output (DESIGN.md, invariant 9).
type Address struct {
	JID string `json:"jid"`
	Alt string `json:"alt,omitempty"`
}

// Participant is somebody in a group.
type Participant struct {
	Address
	Admin bool `json:"admin,omitempty"`
}

// File is what a message brings besides its text: a photo, a video, a recording, a
// document. WhatsApp's servers keep it encrypted, for some weeks; the message says
// where, and how to check and to open it.
type File struct {
	Name   string // as the sender called it; photos have none
	MIME   string // what the sender says it is
	Size   int64  // bytes, as the sender says
	Path   string // where on WhatsApp's servers
	Key    []byte // 32 bytes, from which the keys derive
	Digest []byte // SHA-256 of the file
	Sealed []byte // SHA-256 of the file as WhatsApp keeps it, encrypted
}

// Ref names a message of the same group: message IDs are chosen by their
// senders, so the sender is part of the name.
type Ref struct {
	ID     string
	Sender Address
}

// Quotation is the copy of an earlier message that a reply carries. It is taken
// out of the reply at capture and kept on its own, because it must go when the
// original goes.
type Quotation struct {
	Of       Ref
	Text     string
	Protobuf []byte // WhatsApp's context: the quoted message and what names it
}

// Received is a record before capture: what WhatsApp delivered, translated.
type Received struct {
	Kind     Kind
	Type     Type
	Group    string // JID of the group
	ID       string // message ID; empty for a change of participants
	Sender   Address
	PushName string // what the sender calls himself; unverified
	Own      bool   // sent by the council's own account
	Sent     time.Time
	Text     string   // of an edit: the new text; of a timer: its seconds, "0" for none
	File     *File    // nil: none
	Emoji    string   // of a reaction; empty when it was taken back
	Target   *Ref     // the message reacted to, replied to, edited or deleted
	Mentions []string // JIDs that Text mentions as @number

	// Participants are the people joined, left, added, removed, promoted or
	// demoted, or all that are present.
	Participants []Participant
	Version      string // of the participant list, as WhatsApp counts it

	// ByAdmin is set when a deletion is captured: as far as the archive knows, an
	// admin of the group sent it. WhatsApp does not say.
	ByAdmin bool

	Quotations []Quotation
	Protobuf   []byte // as whatsmeow re-marshalled it, quotations taken out
}

// LogValue tells records apart without disclosing content or sender.
func (r Received) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("kind", string(r.Kind)),
		slog.String("type", string(r.Type)),
	)
}
