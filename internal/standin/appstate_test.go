package standin_test

import (
	"testing"

	"go.mau.fi/whatsmeow/appstate"
	"go.mau.fi/whatsmeow/types/events"

	"muniment/internal/standin"
)

// What the phone changes of the app state, the client reads, be it changed before or after
// it was linked, once or again.
func TestAppState(t *testing.T) {
	s := start(t, standin.Options{})
	council, ann, bo := s.Phone(), s.Member("Ann Brook", "+447700900101"), s.Member("Bo Nott", "+447700900102")
	s.Group("Official group", council, ann, bo)
	council.Names(ann, "Cllr Brook")
	c := newClient(t, s)
	c.EmitAppStateEventsOnFullSync = true
	c.link()
	named := func(name string) func(*events.Contact) bool {
		return func(e *events.Contact) bool { return e.Action.GetFullName() == name }
	}
	await(c, named("Cllr Brook"))
	council.Names(bo, "The clerk")
	await(c, named("The clerk"))
	council.Names(ann, "Mrs Brook")
	await(c, named("Mrs Brook"))
	council.ChangesAppState(appstate.BuildMute(ann.LID(), true, 0))
	await[*events.Mute](c, nil)
	for _, want := range []struct {
		of   *standin.Member
		name string
	}{{ann, "Mrs Brook"}, {bo, "The clerk"}} {
		if got, err := c.Store.Contacts.GetContact(within(t), want.of.LID()); err != nil || got.FullName != want.name {
			t.Errorf("the client knows %+v, %v, want %q", got, err, want.name)
		}
	}
	if outside := s.Journal().Outside(); len(outside) > 0 {
		t.Errorf("client sent what it may not:\n%s", outside)
	}
}
