package content

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"muniment/internal/record"
)

// A Change is a change of a group as it is kept: WhatsApp's notices are no protobufs, so
// it is JSON that stands in the record's place for one. The names of the fields are for
// good: what was written once must be read for ever.
type Change struct {
	Group        string               `json:"group"`
	Actor        record.Address       `json:"actor"` // the group if WhatsApp names nobody
	At           int64                `json:"at"`    // Unix seconds
	Version      string               `json:"version,omitempty"`
	Before       string               `json:"previous_version,omitempty"` // of the participant list, both
	Stanza       Stanza               `json:"change"`
	Participants []record.Participant `json:"participants,omitempty"` // whom it names
}

// A Stanza is what WhatsApp sent, as far as it is known: its own names.
type Stanza struct {
	Tag      string            `json:"tag"`
	Attrs    map[string]string `json:"attrs,omitempty"`
	Text     string            `json:"text,omitempty"`
	Bytes    []byte            `json:"bytes,omitempty"` // if it is no text
	Children []Stanza          `json:"children,omitempty"`
}

// Encode writes c as it is kept.
func (c Change) Encode() []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(c); err != nil {
		panic(fmt.Sprintf("content: %v", err)) // strings and numbers only
	}
	return bytes.TrimSpace(b.Bytes())
}

// ReadChange makes a record of what [Change.Encode] wrote: of what has just come, and
// again of what is kept. Whether the council's own account made the change it does not
// know. What this version cannot read is unsupported.
func ReadChange(b []byte) (record.Received, error) {
	var c Change
	if err := json.Unmarshal(b, &c); err != nil || c.Group == "" || c.Stanza.Tag == "" {
		return record.Received{}, errors.New("what is kept of a change of a group is none")
	}
	name := "group_" + plainName(c.Stanza.Tag)
	r := record.Received{
		Kind: record.Unsupported, Type: record.Type(name),
		Group: c.Group, Sender: c.Actor, Sent: time.Unix(c.At, 0).UTC(), Version: c.Version,
		// The notice has an ID, but whatsmeow keeps it to itself.
		ID:       fmt.Sprintf("group:%s:%d:%s", name, c.At, digest(b)),
		Protobuf: b,
	}
	c.read(&r)
	return r, nil
}

// read reads what it knows, and leaves the rest as it is.
func (c Change) read(r *record.Received) {
	is := func(typ record.Type, text string) { r.Kind, r.Type, r.Text = record.Group, typ, text }
	attrs := c.Stanza.Attrs
	switch c.Stanza.Tag {
	case "subject":
		is(record.Subject, attrs["subject"])
	case "description":
		is(record.Description, c.Stanza.Text)
	case "ephemeral":
		if seconds, err := strconv.ParseUint(attrs["expiration"], 10, 32); err == nil {
			is(record.Timer, strconv.FormatUint(seconds, 10))
		}
	case "not_ephemeral":
		is(record.Timer, "0")
	case "locked":
		is(record.Editors, "admins")
	case "unlocked":
		is(record.Editors, "all")
	case "announcement":
		is(record.Writers, "admins")
	case "not_announcement":
		is(record.Writers, "all")
	case "membership_approval_mode":
		is(record.Approval, attrs["state"])
	case "invite":
		is(record.InviteLink, "")
	case "picture":
		is(record.Picture, "set")
		if attrs["id"] == "" {
			r.Text = "removed"
		}
	case "delete":
		is(record.Closed, "")
		r.Details = record.Details{Reason: attrs["reason"]}.Encode()
	case "link":
		if attrs["link_type"] == "parent_group" { // else another group came to the community
			is(record.Community, "joined")
		}
	case "unlink":
		if attrs["unlink_type"] == "parent_group" {
			is(record.Community, "left")
			r.Details = record.Details{Reason: attrs["unlink_reason"]}.Encode()
		}
	case "suspended":
		is(record.Suspension, "on")
	case "unsuspended":
		is(record.Suspension, "off")
	case "promote":
		c.move(r, record.Promoted)
	case "demote":
		c.move(r, record.Demoted)
	case "leave":
		c.move(r, record.Left)
	case "modify":
		if len(c.Participants) == 1 && c.Actor.JID != c.Group {
			c.move(r, record.Renumbered)
		}
	}
}

// move reads a change of participants, if it names any.
func (c Change) move(r *record.Received, typ record.Type) {
	if len(c.Participants) == 0 {
		return
	}
	if c.Version == "" { // whatsmeow reads those of some changes only
		c.Version, c.Before = c.Stanza.Attrs["v_id"], c.Stanza.Attrs["prev_v_id"]
	}
	r.Kind, r.Type, r.Participants, r.Version = record.Participants, typ, c.Participants, c.Version
	r.Details = record.Details{Version: c.Before}.Encode()
}

// plainName makes the name of a stanza fit to be a type.
func plainName(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '_':
			return r
		case r == '-' || r == ':':
			return '_'
		}
		return -1
	}, strings.ToLower(s))
	return s[:min(len(s), 40)]
}
