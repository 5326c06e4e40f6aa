package standin

import (
	"strconv"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
)

// What of a group can be changed besides who is in it.

// Retitles makes the member change the group's name.
func (v Voice) Retitles(subject string) {
	defer v.lock().Unlock()
	g := v.inGroup()
	g.subject, g.subjectBy, g.subjectAt = subject, v.member, v.time()
	by, number := v.member.addressIn(g)
	attrs := waBinary.Attrs{"subject": subject, "s_t": g.subjectAt.Unix(), "s_o": by}
	if !number.IsEmpty() && !g.byNumber() {
		attrs["s_o_pn"] = number
	}
	v.notify(g, waBinary.Node{Tag: "subject", Attrs: attrs})
}

// Describes makes the member change the group's description; empty deletes it.
func (v Voice) Describes(description string) {
	defer v.lock().Unlock()
	g := v.inGroup()
	g.description = description
	what := waBinary.Node{Tag: "body", Content: []byte(description)}
	if description == "" {
		what = waBinary.Node{Tag: "delete"}
	}
	v.notify(g, waBinary.Node{Tag: "description", Attrs: waBinary.Attrs{"id": newID()}, Content: []waBinary.Node{what}})
}

// SetsTimer makes the member have the group's messages disappear after d; zero
// lets them stay. Messages say so from then on.
func (v Voice) SetsTimer(d time.Duration) {
	defer v.lock().Unlock()
	g := v.inGroup()
	g.timer = d
	if d == 0 {
		v.notify(g, waBinary.Node{Tag: "not_ephemeral"})
		return
	}
	v.notify(g, waBinary.Node{Tag: "ephemeral", Attrs: waBinary.Attrs{"expiration": int(d.Seconds())}})
}

// Locks makes the member, an admin, leave the group's settings to admins or to all.
func (v Voice) Locks(locked bool) {
	defer v.lock().Unlock()
	g := v.asAdmin()
	g.locked = locked
	tag := "unlocked"
	if locked {
		tag = "locked"
	}
	v.notify(g, waBinary.Node{Tag: tag})
}

// Announces makes the member, an admin, let only admins write in the group, or all.
func (v Voice) Announces(only bool) {
	defer v.lock().Unlock()
	g := v.asAdmin()
	g.announces = only
	tag := "not_announcement"
	if only {
		tag = "announcement"
	}
	v.notify(g, waBinary.Node{Tag: tag, Attrs: waBinary.Attrs{"v_id": strconv.FormatInt(v.time().UnixMicro(), 10)}})
}

// Approves makes the member, an admin, have admins let people in, or nobody.
func (v Voice) Approves(on bool) {
	defer v.lock().Unlock()
	g := v.asAdmin()
	g.approves = on
	state := "off"
	if on {
		state = "on"
	}
	v.notify(g, waBinary.Node{Tag: "membership_approval_mode", Content: []waBinary.Node{
		{Tag: "group_join", Attrs: waBinary.Attrs{"state": state}},
	}})
}

// RenewsLink makes the member, an admin, replace the group's invite link.
func (v Voice) RenewsLink(code string) {
	defer v.lock().Unlock()
	v.notify(v.asAdmin(), waBinary.Node{Tag: "invite", Attrs: waBinary.Attrs{"code": code}})
}

// SetsPicture makes the member change the group's picture.
func (v Voice) SetsPicture() {
	v.pictures(waBinary.Node{Tag: "set", Attrs: waBinary.Attrs{"id": strconv.FormatInt(v.time().Unix(), 10)}})
}

// RemovesPicture makes the member take the group's picture away.
func (v Voice) RemovesPicture() {
	v.pictures(waBinary.Node{Tag: "delete", Attrs: waBinary.Attrs{}})
}

func (v Voice) pictures(change waBinary.Node) {
	defer v.lock().Unlock()
	g := v.inGroup()
	if !g.server.hears(g) || v.untold {
		return
	}
	change.Attrs["jid"] = g.jid
	change.Attrs["author"], _ = v.member.addressIn(g)
	notice := waBinary.Node{
		Tag:     "notification",
		Attrs:   waBinary.Attrs{"from": g.jid, "type": "picture", "id": g.server.nextNotice(), "t": v.time().Unix()},
		Content: []waBinary.Node{change},
	}
	if v.altering != nil {
		v.altering(&notice)
	}
	g.server.enqueue(notice)
}

// Changes makes the member change the group in a way that has no method of its
// own: change is the child of the w:gp2 notification. The stand-in keeps no
// account of it.
func (v Voice) Changes(change waBinary.Node) {
	defer v.lock().Unlock()
	v.notify(v.inGroup(), change)
}

// ChangesNumber makes the member go by another number from now on. The LID stays. Each
// group of theirs is told: the list of participants has another version.
func (v Voice) ChangesNumber(number string) {
	defer v.lock().Unlock()
	m := v.member
	if p := m.server.companion; p != nil && p.account == m {
		panic("standin: the companion's account keeps its number")
	}
	numbers := make([]waBinary.Node, len(m.groups))
	for i, g := range m.groups { // in the name of the number that was
		numbers[i] = v.notification(g, waBinary.Node{})
	}
	m.jid = m.server.free(number)
	for i, g := range m.groups {
		numbers[i].Content = []waBinary.Node{g.change("modify", []*Member{m})}
		if g.server.hears(g) && !v.untold {
			g.server.enqueue(numbers[i])
		}
	}
}
