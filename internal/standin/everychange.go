package standin

import (
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
)

// EveryChange has members change a group in each way that there is, always in the same
// order, a minute apart. Ann must be an admin, Bo in the group, and the others not. In
// the end it has another name, and the others in it, of whom unheard came without the
// companion's being told; all else is as it was.
func EveryChange(from time.Time, g *Group, ann, bo, cy, unheard *Member) {
	later := func(m *Member) Voice {
		from = from.Add(time.Minute)
		return m.In(g).At(from)
	}
	later(ann).Retitles("Bridges and culverts")
	later(bo).Retitles("Cranford PC")
	later(ann).Describes("For the council's business.\nNo decisions are made here.")
	later(ann).Describes("")
	later(ann).SetsTimer(7 * 24 * time.Hour)
	later(ann).SetsTimer(0)
	later(ann).Locks(true)
	later(ann).Locks(false)
	later(ann).Announces(true)
	later(ann).Announces(false)
	later(ann).Approves(true)
	later(ann).Approves(false)
	later(ann).RenewsLink("AbCdEfGh")
	later(bo).SetsPicture()
	later(ann).RemovesPicture()
	later(ann).Promotes(bo)
	later(bo).Demotes(ann)
	later(bo).Promotes(ann)
	later(ann).Demotes(bo)

	later(cy).Joins(g)
	later(cy).Leaves(g)
	later(ann).Adds(cy)
	later(ann).Removes(cy)

	// What is known of these is their names, and what other programs make of them.
	later(ann).Changes(waBinary.Node{Tag: "member_add_mode", Content: []byte("admin_add")})
	later(ann).Changes(waBinary.Node{Tag: "created_membership_requests", Attrs: waBinary.Attrs{"request_method": "invite_link"}})
	later(ann).Changes(waBinary.Node{Tag: "revoked_membership_requests"})
	parent := waBinary.Node{Tag: "group", Attrs: waBinary.Attrs{"id": "120363011111111111", "subject": "The parish", "s_t": from.Unix()}}
	later(ann).Changes(waBinary.Node{Tag: "link", Attrs: waBinary.Attrs{"link_type": "parent_group"}, Content: []waBinary.Node{parent}})
	later(ann).Changes(waBinary.Node{Tag: "unlink", Attrs: waBinary.Attrs{
		"unlink_type": "parent_group", "unlink_reason": "unlink_group",
	}, Content: []waBinary.Node{parent}})
	later(ann).Changes(waBinary.Node{Tag: "suspended"})
	later(ann).Changes(waBinary.Node{Tag: "unsuspended"})
	later(ann).Changes(waBinary.Node{Tag: "growth_locked", Attrs: waBinary.Attrs{"type": "invite"}})

	later(ann).Untold().Adds(unheard)
	later(ann).Adds(cy) // which tells that something was missed
}
