package standin

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// A Group is a WhatsApp group.
type Group struct {
	server *Server
	jid    types.JID

	// Guarded by server.mu:
	subject      string
	subjectBy    *Member
	subjectAt    time.Time
	description  string
	creator      *Member
	created      time.Time
	timer        time.Duration // of disappearing messages; zero if they stay
	locked       bool          // only admins change its settings
	announces    bool          // only admins write
	approves     bool          // admins let people in
	participants []*participant
	version      int64 // of the participants, in microseconds
	mode         types.AddressingMode
	epoch        int // counts the leavings; at each, everybody rotates keys
}

// A participant is a member's place in a group.
type participant struct {
	*Member
	rank string // "", "admin" or "superadmin"
}

// Group makes a group. The first member has created it and is its first admin.
func (s *Server) Group(subject string, members ...*Member) *Group {
	if len(members) == 0 {
		panic("standin: a group needs a member")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.options.Now()
	g := &Group{
		server:    s,
		jid:       types.NewJID(fmt.Sprintf("1203630%011d", len(s.groups)+1), types.GroupServer),
		subject:   subject,
		subjectBy: members[0],
		subjectAt: now,
		creator:   members[0],
		created:   now,
		version:   now.UnixMicro(),
		mode:      types.AddressingModeLID,
	}
	s.groups = append(s.groups, g)
	for _, m := range members {
		if g.participant(m) != nil {
			panic("standin: " + m.name + " is listed twice")
		}
		g.participants = append(g.participants, &participant{Member: m})
		m.groups = append(m.groups, g)
	}
	g.participants[0].rank = "superadmin"
	members[0].notify(g, g.creation("new"))
	return g
}

// SetAddressing makes members address each other by LID, as they do at first,
// or by phone number, which nobody in the group may then hide. It returns the
// group. Real groups change from phone numbers to LIDs at some time.
func (g *Group) SetAddressing(mode types.AddressingMode) *Group {
	g.server.mu.Lock()
	defer g.server.mu.Unlock()
	g.mode = mode
	return g
}

// JID is the group's address.
func (g *Group) JID() types.JID { return g.jid }

// Subject is the group's name.
func (g *Group) Subject() string {
	g.server.mu.Lock()
	defer g.server.mu.Unlock()
	return g.subject
}

// Members lists who is in the group, in the order of joining.
func (g *Group) Members() []*Member {
	g.server.mu.Lock()
	defer g.server.mu.Unlock()
	var members []*Member
	for _, p := range g.participants {
		members = append(members, p.Member)
	}
	return members
}

func (g *Group) participant(m *Member) *participant {
	for _, p := range g.participants {
		if p.Member == m {
			return p
		}
	}
	return nil
}

// hears reports whether what happens in g reaches the companion.
func (s *Server) hears(g *Group) bool {
	return s.companion != nil && g.participant(s.companion.account) != nil
}

// Joins makes the member join g by its invite link.
func (v Voice) Joins(g *Group) {
	defer v.lock().Unlock()
	v.add(g, "invite", v.member)
}

// Adds makes the member, an admin, add others to the group.
func (v Voice) Adds(members ...*Member) {
	defer v.lock().Unlock()
	v.add(v.asAdmin(), "", members...)
}

// Leaves makes the member leave g.
func (v Voice) Leaves(g *Group) {
	defer v.lock().Unlock()
	g.mustHold(v.member)
	v.remove(g, v.member)
}

// Removes makes the member, an admin, remove others from the group.
func (v Voice) Removes(members ...*Member) {
	defer v.lock().Unlock()
	v.remove(v.asAdmin(), members...)
}

// Promotes makes the member, an admin, make admins of others.
func (v Voice) Promotes(members ...*Member) { v.setRank("promote", "admin", members) }

// Demotes makes the member, an admin, make plain members of other admins.
func (v Voice) Demotes(members ...*Member) { v.setRank("demote", "", members) }

// asAdmin is the voice's group, in which its member must be an admin.
func (v Voice) asAdmin() *Group {
	g := v.inGroup()
	if g.participant(v.member).rank == "" {
		panic(fmt.Sprintf("standin: %s is no admin of %q", v.member.name, g.subject))
	}
	return g
}

func (g *Group) mustHold(members ...*Member) {
	for _, m := range members {
		if g.participant(m) == nil {
			panic(fmt.Sprintf("standin: %s is not in %q", m.name, g.subject))
		}
	}
}

func (v Voice) add(g *Group, reason string, members ...*Member) {
	s := g.server
	heard := s.hears(g)
	for _, m := range members {
		if g.participant(m) != nil {
			panic(fmt.Sprintf("standin: %s is in %q already", m.name, g.subject))
		}
		g.participants = append(g.participants, &participant{Member: m})
		m.groups = append(m.groups, g)
	}
	change := g.change("add", members)
	if reason != "" {
		change.Attrs["reason"] = reason
	}
	if !heard && s.hears(g) { // it is the companion's account that came
		change = g.creation(reason)
	}
	v.notify(g, change)
}

func (v Voice) remove(g *Group, members ...*Member) {
	g.mustHold(members...)
	change := g.change("remove", members)
	v.notify(g, change) // before they are gone: one may be the companion's account
	for _, m := range members {
		g.participants = slices.DeleteFunc(g.participants, func(p *participant) bool { return p.Member == m })
		m.groups = slices.DeleteFunc(m.groups, func(other *Group) bool { return other == g })
	}
	g.epoch++
}

func (v Voice) setRank(tag, rank string, members []*Member) {
	defer v.lock().Unlock()
	g := v.asAdmin()
	g.mustHold(members...)
	for _, m := range members {
		g.participant(m).rank = rank
	}
	v.notify(g, g.change(tag, members))
}

// change makes the description of a change to the participants, and with it the
// next version of their list.
func (g *Group) change(tag string, members []*Member) waBinary.Node {
	before := g.version
	g.version = max(g.version+1, g.server.options.Now().UnixMicro())
	change := waBinary.Node{Tag: tag, Attrs: waBinary.Attrs{
		"prev_v_id": strconv.FormatInt(before, 10), "v_id": strconv.FormatInt(g.version, 10),
	}}
	var nodes []waBinary.Node
	for _, m := range members {
		nodes = append(nodes, g.participantNode(m, ""))
	}
	change.Content = nodes
	return change
}

// notify tells the companion of a change, if it concerns the companion.
func (v Voice) notify(g *Group, change waBinary.Node) {
	if g.server.hears(g) && !v.untold {
		g.server.enqueue(v.notification(g, change))
	}
}

// notification is the notification that the member has made a change to g.
func (v Voice) notification(g *Group, change waBinary.Node) waBinary.Node {
	actor, other := v.member.addressIn(g)
	attrs := waBinary.Attrs{
		"from": g.jid, "type": "w:gp2", "id": g.server.nextNotice(), "t": v.time().Unix(),
		"participant": actor, "notify": cmp.Or(v.called, v.member.name), "addressing_mode": string(g.mode),
	}
	if !other.IsEmpty() {
		attrs[g.otherAttr()] = other
	}
	return waBinary.Node{Tag: "notification", Attrs: attrs, Content: []waBinary.Node{change}}
}

// nextNotice numbers a notification.
func (s *Server) nextNotice() string {
	s.notices++
	return strconv.Itoa(1_000_000 + s.notices)
}

func (g *Group) byNumber() bool { return g.mode == types.AddressingModePN }

// otherAttr names the attribute for the address that the group does not go by.
func (g *Group) otherAttr() string {
	if g.byNumber() {
		return "participant_lid"
	}
	return "participant_pn"
}

// creation tells an account that it is in the group from now on.
func (g *Group) creation(reason string) waBinary.Node {
	return waBinary.Node{Tag: "create", Attrs: waBinary.Attrs{"reason": reason}, Content: []waBinary.Node{g.node()}}
}

// node describes the group in full.
func (g *Group) node() waBinary.Node {
	creator, _ := g.creator.addressIn(g)
	subjectBy, _ := g.subjectBy.addressIn(g)
	node := waBinary.Node{Tag: "group", Attrs: waBinary.Attrs{
		"id": g.jid.User, "subject": g.subject, "s_t": g.subjectAt.Unix(), "s_o": subjectBy,
		"creation": g.created.Unix(), "creator": creator, "addressing_mode": string(g.mode),
		"p_v_id": strconv.FormatInt(g.version, 10), "size": len(g.participants),
	}}
	var content []waBinary.Node
	if g.description != "" {
		content = append(content, waBinary.Node{
			Tag:     "description",
			Attrs:   waBinary.Attrs{"id": "1", "t": g.created.Unix(), "participant": creator},
			Content: []waBinary.Node{{Tag: "body", Content: []byte(g.description)}},
		})
	}
	if g.timer > 0 {
		content = append(content, waBinary.Node{Tag: "ephemeral", Attrs: waBinary.Attrs{"expiration": int(g.timer.Seconds())}})
	}
	for _, setting := range []struct {
		on  bool
		tag string
	}{{g.locked, "locked"}, {g.announces, "announcement"}, {g.approves, "membership_approval_mode"}} {
		if setting.on {
			content = append(content, waBinary.Node{Tag: setting.tag})
		}
	}
	for _, p := range g.participants {
		content = append(content, g.participantNode(p.Member, p.rank))
	}
	node.Content = content
	return node
}

func (g *Group) participantNode(m *Member, rank string) waBinary.Node {
	address, other := m.addressIn(g)
	attrs := waBinary.Attrs{"jid": address, "type": rank}
	switch {
	case g.byNumber():
		attrs["lid"] = other
	case other.IsEmpty():
		attrs["display_name"] = "+44∙∙∙∙∙∙∙∙" + m.lid.User[len(m.lid.User)-2:]
	default:
		attrs["phone_number"] = other
	}
	return waBinary.Node{Tag: "participant", Attrs: attrs}
}
