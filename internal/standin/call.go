package standin

import (
	waBinary "go.mau.fi/whatsmeow/binary"
)

// A Call is a call of a group's members among themselves, or of one to another.
type Call struct {
	by    Voice
	group *Group  // nil if it is of one to another
	to    *Member // who that is
	id    string
	media string
}

// Calls makes the member call the group. Linked devices are told no more than that
// there is a call, until [Call.Ends].
func (v Voice) Calls(video bool) *Call {
	defer v.lock().Unlock()
	c := &Call{by: v, group: v.inGroup(), id: newID(), media: "audio"}
	if video {
		c.media = "video"
	}
	c.tell("offer_notice", waBinary.Attrs{"media": c.media, "type": "group"})
	return c
}

// CallsUp makes the member call another. Linked devices are rung as phones are.
func (v Voice) CallsUp(to *Member) *Call {
	defer v.lock().Unlock()
	c := &Call{by: v, to: to, id: newID()}
	c.tell("offer", waBinary.Attrs{})
	return c
}

// ID is the call's, which every notice of it bears.
func (c *Call) ID() string { return c.id }

// Rings has the linked device be rung as phones are.
func (c *Call) Rings() {
	defer c.by.lock().Unlock()
	c.tell("offer", waBinary.Attrs{})
}

// Ends ends the call.
func (c *Call) Ends() {
	defer c.by.lock().Unlock()
	c.tell("terminate", waBinary.Attrs{})
}

// tell sends the companion a stanza about the call, if it concerns the companion.
func (c *Call) tell(tag string, attrs waBinary.Attrs) {
	s := c.by.member.server
	caller, other := c.by.member.lid, c.by.member.jid
	if c.group != nil {
		if !s.hears(c.group) {
			return
		}
		caller, other = c.by.member.addressIn(c.group)
		attrs["group-jid"] = c.group.jid
	} else if s.companion == nil || s.companion.account != c.to {
		return
	}
	attrs["call-id"], attrs["call-creator"] = c.id, caller
	if (c.group == nil || !c.group.byNumber()) && !other.IsEmpty() {
		attrs["caller_pn"] = other
	}
	s.enqueue(waBinary.Node{
		Tag: "call",
		Attrs: waBinary.Attrs{
			"from": caller, "id": s.nextNotice(), "t": c.by.time().Unix(), "notify": c.by.member.name,
			"platform": "android", "version": "2.26.30",
		},
		Content: []waBinary.Node{{Tag: tag, Attrs: attrs}},
	})
}
