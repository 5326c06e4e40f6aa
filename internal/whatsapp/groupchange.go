package whatsapp

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"go.mau.fi/whatsmeow"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"muniment/internal/content"
	"muniment/internal/record"
)

// group makes records of a change of a group: one for those who came, one for
// those who went, and one for every other change, of which WhatsApp sends one at
// a time. There are none if the group is not listed, and at least one if it is.
//
// What whatsmeow cannot parse, because an attribute that it expects is not there, it
// acknowledges without an event; see [unparsed].
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
	before := record.Details{Version: evt.PrevParticipantVersionID}
	if len(evt.Join) > 0 {
		r := t.movement(base, evt.Join, actor.IsEmpty(), record.Joined, record.Added)
		if evt.JoinReason == "invite" {
			r.Type = record.Joined
		}
		came := before
		came.Reason = content.Valid(evt.JoinReason)
		r.Details = came.Encode()
		rs = append(rs, r)
	}
	if len(evt.Leave) > 0 {
		r := t.movement(base, evt.Leave, actor.IsEmpty(), record.Left, record.Removed)
		r.Details = before.Encode()
		rs = append(rs, r)
	}
	for _, c := range t.changes(evt) {
		c.Group, c.Actor, c.At, c.Version, c.Before = base.Group, by, base.Sent.Unix(), base.Version, before.Version
		rs = append(rs, t.change(c))
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
		ps = t.participant(ps, jid, types.EmptyJID, group)
	}
	return ps
}

// participant adds somebody to ps, if it is somebody.
func (t translator) participant(ps []record.Participant, jid, alt types.JID, group string) []record.Participant {
	if a := t.address(jid, alt, types.EmptyJID); a.JID != "" && a.JID != group {
		ps = append(ps, record.Participant{Address: a})
	}
	return ps
}

// change makes the record of a change. It is read from what is kept of it.
func (t translator) change(c content.Change) record.Received {
	r, err := content.ReadChange(c.Encode())
	if err != nil {
		panic(fmt.Sprintf("whatsapp: %v", err)) // it was written just now
	}
	r.Own = t.own[r.Sender.JID]
	return r
}

// names reports whether the council's own account is among those whom r names.
func (t translator) names(r record.Received) bool {
	return slices.ContainsFunc(r.Participants, func(p record.Participant) bool { return t.own[p.JID] || t.own[p.Alt] })
}

// picture makes the record of a new or removed picture of a group.
func (t translator) picture(evt *events.Picture) (r record.Received, is bool) {
	if !t.listed(evt.JID) {
		return record.Received{}, false
	}
	s := content.Stanza{Tag: "picture"}
	if !evt.Remove {
		s.Attrs = map[string]string{"id": content.Valid(evt.PictureID)}
	}
	return t.change(content.Change{
		Group: evt.JID.String(), Actor: t.address(evt.Author, types.EmptyJID, evt.JID), At: evt.Timestamp.Unix(), Stanza: s,
	}), true
}

// changes returns the changes other than people's coming and going, in WhatsApp's words:
// what whatsmeow has parsed, put back as it came. There is one at least, unless people
// came or went.
func (t translator) changes(evt *events.GroupInfo) (all []content.Change) {
	add := func(tag string, attrs ...string) *content.Change {
		all = append(all, content.Change{Stanza: content.Stanza{Tag: tag, Attrs: attributes(attrs...)}})
		return &all[len(all)-1]
	}
	either := func(is bool, tag, other string, attrs ...string) {
		if !is {
			tag = other
		}
		add(tag, attrs...)
	}
	rank := func(tag string, who []types.JID) {
		if len(who) > 0 {
			add(tag).Participants = t.participants(who, evt.JID.String())
		}
	}
	if n := evt.Name; n != nil {
		add("subject", "subject", n.Name, "s_t", unix(n.NameSetAt), "s_o", n.NameSetBy.String(), "s_o_pn", n.NameSetByPN.String())
	}
	if d := evt.Topic; d != nil {
		add("description", "id", d.TopicID).Stanza.Text = content.Valid(d.Topic)
	}
	if evt.Locked != nil {
		either(evt.Locked.IsLocked, "locked", "unlocked")
	}
	if evt.Announce != nil {
		either(evt.Announce.IsAnnounce, "announcement", "not_announcement", "v_id", evt.Announce.AnnounceVersionID)
	}
	if e := evt.Ephemeral; e != nil {
		if e.IsEphemeral {
			add("ephemeral", "expiration", strconv.FormatUint(uint64(e.DisappearingTimer), 10))
		} else {
			add("not_ephemeral")
		}
	}
	if evt.MembershipApprovalMode != nil {
		add("membership_approval_mode") // on or off, whatsmeow does not say
	}
	if evt.Delete != nil {
		add("delete", "reason", evt.Delete.DeleteReason)
	}
	if l := evt.Link; l != nil {
		add("link", "link_type", string(l.Type)).Stanza.Children = linked(l)
	}
	if l := evt.Unlink; l != nil {
		add("unlink", "unlink_type", string(l.Type), "unlink_reason", string(l.UnlinkReason)).Stanza.Children = linked(l)
	}
	if evt.NewInviteLink != nil {
		add("invite", "code", strings.TrimPrefix(*evt.NewInviteLink, whatsmeow.InviteLinkPrefix))
	}
	if evt.Suspended {
		add("suspended")
	}
	if evt.Unsuspended {
		add("unsuspended")
	}
	rank("promote", evt.Promote)
	rank("demote", evt.Demote)
	for _, node := range evt.UnknownChanges {
		if node != nil {
			all = append(all, content.Change{Stanza: asStanza(*node), Participants: t.named(*node, evt.JID.String())})
		}
	}
	if len(all) == 0 && len(evt.Join) == 0 && len(evt.Leave) == 0 {
		add("change")
	}
	return all
}

func linked(l *types.GroupLinkChange) []content.Stanza {
	return []content.Stanza{{Tag: "group", Attrs: attributes("jid", l.Group.JID.String(), "subject", l.Group.Name, "s_t", unix(l.Group.NameSetAt))}}
}

// attributes makes attributes of names and values; those without a value are left out.
func attributes(pairs ...string) (attrs map[string]string) {
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			if attrs == nil {
				attrs = make(map[string]string)
			}
			attrs[pairs[i]] = content.Valid(pairs[i+1])
		}
	}
	return attrs
}

func unix(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return strconv.FormatInt(t.Unix(), 10)
}

// named returns whom a change names that whatsmeow does not read.
func (t translator) named(n waBinary.Node, group string) (who []record.Participant) {
	for _, child := range n.GetChildren() {
		if jid, is := child.Attrs["jid"].(types.JID); is && child.Tag == "participant" {
			other := "lid"
			if jid.Server == types.HiddenUserServer {
				other = "phone_number"
			}
			alt, _ := child.Attrs[other].(types.JID)
			who = t.participant(who, jid, alt, group)
		}
	}
	return who
}

// asStanza renders a change that whatsmeow does not read.
func asStanza(n waBinary.Node) content.Stanza {
	s := content.Stanza{Tag: content.Valid(n.Tag)}
	for k, v := range n.Attrs {
		if s.Attrs == nil {
			s.Attrs = make(map[string]string, len(n.Attrs))
		}
		s.Attrs[content.Valid(k)] = content.Valid(fmt.Sprint(v))
	}
	switch inner := n.Content.(type) {
	case []waBinary.Node:
		for _, child := range inner {
			s.Children = append(s.Children, asStanza(child))
		}
	case []byte:
		if utf8.Valid(inner) {
			s.Text = string(inner)
		} else {
			s.Bytes = inner
		}
	case string:
		s.Text = content.Valid(inner)
	}
	return s
}
