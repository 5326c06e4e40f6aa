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
	"slices"
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
	Message      Kind = "message"      // Type: what sort of content, below
	Edit         Kind = "edit"         // Type: that of the new content; of the message that Target names
	Deletion     Kind = "deletion"     // Type: author, admin; of the message that Target names
	Reaction     Kind = "reaction"     // Type: added, removed
	Vote         Kind = "vote"         // Type: cast, withdrawn; in the poll that Target names
	Option       Kind = "option"       // Type: added; to the poll that Target names
	Response     Kind = "response"     // Type: going, not_going, maybe; to the event that Target names
	Pin          Kind = "pin"          // Type: pinned, unpinned; the message that Target names
	Keep         Kind = "keep"         // Type: kept, unkept: whether a message stays in the chat that would disappear
	Participants Kind = "participants" // Type: joined, left, added, removed, promoted, demoted, renumbered, present
	Group        Kind = "group"        // Type: what of the group changed, below
	Unsupported  Kind = "unsupported"  // Type: what WhatsApp calls it
)

// Follows reports whether records of this kind belong to the message that they
// name, and follow it: they fall due with it, are held with it and go with it.
func (k Kind) Follows() bool { return slices.Contains(Followers, k) }

// Followers are the kinds that follow a message; see [Kind.Follows].
var Followers = []Kind{Edit, Deletion, Reaction, Vote, Option, Response, Pin, Keep}

// Sealed is the type of an edit, a reaction, a vote or the like which is encrypted
// under a secret of the message that it names, while that message is not here. What
// it says cannot be read until then, and so it has no effect.
const Sealed Type = "sealed"

// The types of records, by kind. Those of messages say what sort of content it is.
const (
	Text         Type = "text"
	Image        Type = "image"
	Video        Type = "video"
	GIF          Type = "gif"        // a moving picture without sound
	VideoNote    Type = "video_note" // recorded in the chat; apps show it round
	Audio        Type = "audio"
	Voice        Type = "voice" // recorded in the chat
	Document     Type = "document"
	Sticker      Type = "sticker"
	Stickers     Type = "stickers" // a set
	Album        Type = "album"    // announces photos and videos that follow as messages of their own
	ViewOnce     Type = "view_once"
	Contact      Type = "contact" // one card or several
	Location     Type = "location"
	LiveLocation Type = "live_location"
	Poll         Type = "poll"
	PollResult   Type = "poll_result"
	Event        Type = "event"
	Invite       Type = "invite"  // to a group, a channel or an event
	Comment      Type = "comment" // on the message that Target names
	Menu         Type = "menu"    // lists, buttons and templates of businesses
	Choice       Type = "choice"  // of somebody, from a menu
	Payment      Type = "payment"
	Order        Type = "order" // or a product
	Call         Type = "call"
	History      Type = "history" // earlier messages that a member shared with new ones

	// Of messages that were imported from a phone's export of the chat only.
	Media Type = "media" // a file; the export does not say of what sort
	Blank Type = "blank" // the export does not say what it said; Text is what the phone shows in its place

	ByAuthor Type = "author" // who sent it deletes it, as WhatsApp says
	ByAdmin  Type = "admin"  // somebody else deletes it, as only admins may

	ReactionAdded   Type = "added"
	ReactionRemoved Type = "removed"

	Cast      Type = "cast" // a vote, or another in place of the one before
	Withdrawn Type = "withdrawn"

	OptionAdded Type = "added"

	Going    Type = "going"
	NotGoing Type = "not_going"
	Maybe    Type = "maybe"

	Pinned   Type = "pinned"
	Unpinned Type = "unpinned"

	KeptInChat   Type = "kept"
	UnkeptInChat Type = "unkept"

	Joined     Type = "joined"     // by invite link or by request
	Left       Type = "left"       // of their own accord
	Added      Type = "added"      // by somebody else
	Removed    Type = "removed"    // by somebody else
	Promoted   Type = "promoted"   // to admin of the group
	Demoted    Type = "demoted"    // no longer admin
	Renumbered Type = "renumbered" // somebody has another number: the sender and the participant are the old address and the new, or the new and the old
	Present    Type = "present"    // the whole list, as WhatsApp gave it when we asked

	Subject     Type = "subject" // the group's name in WhatsApp
	Description Type = "description"
	Timer       Type = "timer"    // after which messages disappear from phones
	Picture     Type = "picture"  // Text: "set" or "removed"
	Editors     Type = "editors"  // who may change the group's settings; Text: "admins" or "all"
	Writers     Type = "writers"  // who may write in the group; Text: "admins" or "all"
	Approval    Type = "approval" // whether admins let people in; Text: "on" or "off"
	InviteLink  Type = "invite_link"
	Closed      Type = "closed"
	Community   Type = "community"  // Text: "joined" or "left"
	Suspension  Type = "suspension" // by WhatsApp; Text: "on" or "off"
	Privacy     Type = "privacy"    // whether apps keep messages from being passed on; Text: "on" or "off"
	Label       Type = "label"      // what the sender is called in the group, such as "Clerk"
	Notice      Type = "notice"     // from a phone's export: what the phone tells in the chat itself, Text, such as who joined
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
	Type   Type   // what sort of file, where the message is of another type: a comment can bring a photo
	Name   string // as the sender called it; photos have none
	MIME   string // what the sender says it is
	Size   int64  // bytes, as the sender says
	Path   string // where on WhatsApp's servers
	Key    []byte // 32 bytes, from which the keys derive
	Digest []byte // SHA-256 of the file
	Sealed []byte // SHA-256 of the file as WhatsApp keeps it, encrypted
}

// FileType is what sort of file r brings; empty if it brings none.
func (r Received) FileType() Type {
	switch {
	case r.File == nil:
		return ""
	case r.File.Type != "":
		return r.File.Type
	}
	return r.Type
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

	// Text is all the words that people read in it, in lines as far as there are
	// several, so that a search finds them: of a poll the question and the options, of a
	// place its name and address, of an event its name, its description and the place, of
	// contacts their names and organisations. The preview of a link is in Details only.
	// Of an edit it is the new text; of a timer its seconds, "0" for none.
	Text     string
	Details  string   // what it says besides, [Details.Encode]; empty: nothing
	File     *File    // nil: none
	Emoji    string   // of a reaction; empty when it was taken back
	Target   *Ref     // the message that it answers, belongs to or changes
	Mentions []string // JIDs that Text mentions as @number

	// Participants are the people joined, left, added, removed, promoted or
	// demoted, or all that are present.
	Participants []Participant
	Version      string // of the participant list, as WhatsApp counts it

	// Import is the number of the import that brought the record from a phone's export
	// of the chat; 0 if this device received it itself.
	Import int64

	// Supplied says that the council's own phone sent it later, because it was asked for it
	// or from its history: WhatsApp's servers did not deliver it, or not so that it could
	// be read.
	Supplied bool

	// ByAdmin is set when a deletion is captured, or what may turn out to be one: as far as
	// the archive knows, an admin of the group sent it. WhatsApp does not say.
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
