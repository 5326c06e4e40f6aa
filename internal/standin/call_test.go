package standin_test

import (
	"testing"

	"go.mau.fi/whatsmeow/types/events"

	"muniment/internal/standin"
)

func TestCalls(t *testing.T) {
	v, c := found(t, standin.Options{})
	call := v.ann.Calls(true)
	e := await[*events.CallOfferNotice](c, nil)
	if e.GroupJID != v.group.JID() || e.Media != "video" || e.Type != "group" || e.CallCreator != v.ann.LID() || e.CallCreatorAlt != v.ann.JID() {
		t.Errorf("call: %+v", e)
	}
	call.Rings()
	if offer := await[*events.CallOffer](c, nil); offer.CallID != e.CallID || offer.GroupJID != v.group.JID() {
		t.Errorf("offer: %+v", offer)
	}
	call.Ends()
	await(c, func(end *events.CallTerminate) bool { return end.CallID == e.CallID })
	c.settled()
	if outside := v.Journal().Outside(); len(outside) > 0 {
		t.Errorf("client sent what it may not:\n%s", outside)
	}
}
