package whatsapp

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"muniment/internal/content"
	"muniment/internal/record"
)

// group makes records of a change of a group: one for those who came, one for
// those who went, and one for every other change, of which WhatsApp sends one at
// a time. There are none if the group is not listed, and at least one if it is.
func (t translator) group(evt *events.GroupInfo) (rs []record.Received) {
	if !t.listed(evt.JID) {
		return nil
	}
	var actor, actorPN types.JID
	if evt.Sender != nil {
		actor = *evt.Sender
	}
	if evt.SenderPN != nil {
		actorPN = *evt.SenderPN
	}
	by := t.address(actor, actorPN, evt.JID)
	base := record.Received{
		Group:   evt.JID.String(),
		Sender:  by,
		Own:     t.own[by.JID],
		Sent:    evt.Timestamp.UTC(),
		Version: evt.ParticipantVersionID,
	}
	if len(evt.Join) > 0 {
		r := t.movement(base, evt.Join, actor.IsEmpty(), record.Joined, record.Added)
		if evt.JoinReason == "invite" {
			r.Type = record.Joined
		}
		rs = append(rs, r)
	}
	if len(evt.Leave) > 0 {
		rs = append(rs, t.movement(base, evt.Leave, actor.IsEmpty(), record.Left, record.Removed))
	}
	for _, c := range t.changes(evt) {
		rs = append(rs, change(base, c))
	}
	if len(rs) == 0 {
		rs = append(rs, change(base, groupChange{Type: "group_change"}))
	}
	return rs
}

// movement makes the record of people who came or went. Somebody who is the
// only one did it himself if he is the actor, or if WhatsApp names none.
func (t translator) movement(r record.Received, who []types.JID, nobody bool, self, other record.Type) record.Received {
	r.Kind, r.Type = record.Participants, other
	r.Participants = t.participants(who, r.Group)
	if len(r.Participants) == 1 && (nobody || content.Same(r.Participants[0].Address, r.Sender)) {
		r.Type = self
		r.Sender = r.Participants[0].Address
		r.Own = t.own[r.Sender.JID]
	}
	return r
}

func (t translator) participants(jids []types.JID, group string) (ps []record.Participant) {
	for _, jid := range jids {
		a := t.address(jid, types.EmptyJID, types.EmptyJID)
		if a.JID != "" && a.JID != group {
			ps = append(ps, record.Participant{Address: a})
		}
	}
	return ps
}

// A groupChange is what is kept of a change as it was delivered: the record's
// Protobuf holds it as JSON, since WhatsApp's notifications are no protobufs.
type groupChange struct {
	Type         record.Type          `json:"type"`
	Group        string               `json:"group"`
	Actor        record.Address       `json:"actor"`
	At           time.Time            `json:"at"`
	Participants []record.Participant `json:"participants,omitempty"` // promoted, demoted
	Version      string               `json:"version,omitempty"`      // of the participant list
	Change       any                  `json:"change,omitempty"`       // the part of events.GroupInfo

	read record.Received // kind, type, text and participants, if it can be read
}

// changes returns the changes other than people's coming and going. Their types
// are stable: records bear them, or their IDs.
func (t translator) changes(evt *events.GroupInfo) (cs []groupChange) {
	add := func(is bool, name record.Type, what any) {
		if is {
			cs = append(cs, groupChange{Type: name, Change: what})
		}
	}
	read := func(name, typ record.Type, what any, text string) {
		cs = append(cs, groupChange{Type: name, Change: what,
			read: record.Received{Kind: record.Group, Type: typ, Text: content.Valid(text)}})
	}
	rank := func(name, typ record.Type, jids []types.JID) {
		if len(jids) == 0 {
			return
		}
		c := groupChange{Type: name, Participants: t.participants(jids, evt.JID.String())}
		if c.Participants != nil {
			c.read = record.Received{Kind: record.Participants, Type: typ, Participants: c.Participants}
		}
		cs = append(cs, c)
	}
	if evt.Name != nil {
		read("group_subject", record.Subject, evt.Name, evt.Name.Name)
	}
	if evt.Topic != nil {
		read("group_description", record.Description, evt.Topic, evt.Topic.Topic)
	}
	add(evt.Locked != nil, "group_locked", evt.Locked)
	add(evt.Announce != nil, "group_announce", evt.Announce)
	if e := evt.Ephemeral; e != nil {
		seconds := e.DisappearingTimer
		if !e.IsEphemeral {
			seconds = 0
		}
		read("group_ephemeral", record.Timer, e, strconv.FormatUint(uint64(seconds), 10))
	}
	add(evt.MembershipApprovalMode != nil, "group_membership_approval", evt.MembershipApprovalMode)
	add(evt.Delete != nil, "group_deleted", evt.Delete)
	add(evt.Link != nil, "group_linked", evt.Link)
	add(evt.Unlink != nil, "group_unlinked", evt.Unlink)
	add(evt.NewInviteLink != nil, "group_invite_link", evt.NewInviteLink)
	add(evt.Suspended, "group_suspended", true)
	add(evt.Unsuspended, "group_unsuspended", true)
	rank("group_promote", record.Promoted, evt.Promote)
	rank("group_demote", record.Demoted, evt.Demote)
	for _, node := range evt.UnknownChanges {
		if node != nil {
			cs = append(cs, groupChange{Type: "group_" + record.Type(plainName(node.Tag)), Change: stanza(*node)})
		}
	}
	return cs
}

// change makes the record of a change, unsupported if it is not read. Group
// notifications carry no ID that whatsmeow passes on, so it is made of what the
// change says.
func change(r record.Received, c groupChange) record.Received {
	c.Group, c.Actor, c.At, c.Version = r.Group, r.Sender, r.Sent, r.Version
	b, err := json.Marshal(c)
	if err != nil { // a year beyond 9999 in what WhatsApp sent
		c.Change, c.At = fmt.Sprintf("%+v", c.Change), time.Time{}
		b, _ = json.Marshal(c)
	}
	r.Kind, r.Type, r.Protobuf = record.Unsupported, c.Type, b
	if c.read.Kind != "" {
		r.Kind, r.Type, r.Text, r.Participants = c.read.Kind, c.read.Type, c.read.Text, c.read.Participants
	}
	r.ID = fmt.Sprintf("group:%s:%d:%s", c.Type, r.Sent.Unix(), digest(b))
	return r
}

// picture makes the record of a new or removed picture of a group.
func (t translator) picture(evt *events.Picture) (r record.Received, is bool) {
	if !t.listed(evt.JID) {
		return record.Received{}, false
	}
	by := t.address(evt.Author, types.EmptyJID, evt.JID)
	return change(record.Received{
		Group:  evt.JID.String(),
		Sender: by,
		Own:    t.own[by.JID],
		Sent:   evt.Timestamp.UTC(),
	}, groupChange{Type: "group_picture", Change: map[string]any{"removed": evt.Remove, "id": evt.PictureID}}), true
}

// present makes the record of who is in a group, as WhatsApp gave it when we
// asked; sender is who asked, the council's own account.
func present(group string, sender record.Address, who []record.Participant, version string, at time.Time) record.Received {
	return record.Received{
		Kind: record.Participants, Type: record.Present, Group: group, Sender: sender, Own: true,
		Sent: at.UTC(), Participants: who, Version: version,
	}
}

// stanza renders a part of WhatsApp's that whatsmeow does not read.
func stanza(n waBinary.Node) map[string]any {
	m := map[string]any{"tag": content.Valid(n.Tag)}
	if len(n.Attrs) > 0 {
		attrs := make(map[string]string, len(n.Attrs))
		for k, v := range n.Attrs {
			attrs[content.Valid(k)] = content.Valid(fmt.Sprint(v))
		}
		m["attrs"] = attrs
	}
	switch inner := n.Content.(type) {
	case []waBinary.Node:
		var children []map[string]any
		for _, child := range inner {
			children = append(children, stanza(child))
		}
		m["content"] = children
	case []byte:
		m["content"] = slices.Clone(inner)
	case string:
		m["content"] = content.Valid(inner)
	}
	return m
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
