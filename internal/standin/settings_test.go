package standin_test

import (
	"testing"

	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"muniment/internal/standin"
)

func TestSettings(t *testing.T) {
	v, c := found(t, standin.Options{})
	v.ann.Locks(true)
	await(c, func(e *events.GroupInfo) bool { return e.Locked != nil && e.Locked.IsLocked })
	v.ann.Announces(true)
	await(c, func(e *events.GroupInfo) bool { return e.Announce != nil && e.Announce.IsAnnounce })
	v.ann.Approves(true)
	await(c, func(e *events.GroupInfo) bool { return e.MembershipApprovalMode != nil })
	v.ann.RenewsLink("AbCd")
	await(c, func(e *events.GroupInfo) bool { return e.NewInviteLink != nil })
	v.bo.SetsPicture()
	v.bo.RemovesPicture()
	await(c, func(e *events.Picture) bool { return e.Remove && e.Author == v.bo.LID() && e.JID == v.group.JID() })
	info, err := c.GetGroupInfo(within(t), v.group.JID())
	if err != nil || !info.IsLocked || !info.IsAnnounce || !info.IsJoinApprovalRequired {
		t.Errorf("group info: %+v, %v", info, err)
	}
	v.ann.Locks(false)
	v.ann.Announces(false)
	await(c, func(e *events.GroupInfo) bool { return e.Announce != nil && !e.Announce.IsAnnounce })
	mustPanic(t, "a setting by no admin", func() { v.bo.Locks(true) })
	c.settled()
}

// A change that the companion is not told of shows in the next version.
func TestUntold(t *testing.T) {
	v, c := found(t, standin.Options{})
	before, err := c.GetGroupInfo(within(t), v.group.JID())
	if err != nil {
		t.Fatal(err)
	}
	v.ann.Untold().Adds(v.cy)
	v.ann.Promotes(v.bo)
	e := await(c, func(e *events.GroupInfo) bool { return len(e.Promote) == 1 })
	if e.PrevParticipantVersionID == before.ParticipantVersionID {
		t.Errorf("no version is missing: %+v", e)
	}
	if joined := all(c, func(e *events.GroupInfo) bool { return len(e.Join) > 0 }); len(joined) > 0 {
		t.Errorf("it was told: %+v", joined)
	}
	c.settled()
}

func TestAnotherNumber(t *testing.T) {
	v, c := found(t, standin.Options{})
	numbers := v.Group("By number", v.ann, v.council, v.bo).SetAddressing(types.AddressingModePN)
	old := v.bo.JID()
	v.bo.ChangesNumber("+447700900142")
	renumbered := func(g *standin.Group) (by, now types.JID) {
		t.Helper()
		e := await(c, func(e *events.GroupInfo) bool { return e.JID == g.JID() && len(e.UnknownChanges) == 1 })
		modify := e.UnknownChanges[0]
		who := modify.GetChildByTag("participant")
		if modify.Tag != "modify" || modify.Attrs["prev_v_id"] == nil {
			t.Errorf("change: %v", modify)
		}
		return *e.Sender, who.AttrGetter().JID("jid")
	}
	if by, now := renumbered(numbers); by != old || now != v.bo.JID() {
		t.Errorf("by number: %s is %s", by, now)
	}
	if by, now := renumbered(v.group); by != v.bo.LID() || now != v.bo.LID() {
		t.Errorf("by LID: %s is %s", by, now)
	}
	if e := c.message(v.bo.In(numbers).Says("My new number.")); e.Info.Sender != v.bo.JID() || e.Info.SenderAlt != v.bo.LID() {
		t.Errorf("sender %+v", e.Info)
	}
	mustPanic(t, "a number that is taken", func() { v.cy.ChangesNumber("+447700900142") })
	c.settled()
}
