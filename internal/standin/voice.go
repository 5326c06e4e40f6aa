package standin

import (
	"cmp"
	"fmt"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"
)

// A Voice is a member about to act: in which group, from which device, at what
// time, in what manner and with what mishap. A [Member] acts in the first group
// that it is in, from the phone, now, without mishap; In, At and the other
// modifiers make voices that do otherwise, as in
//
//	ann.In(works).At(monday).Says("Good morning.")
//	bo.Once().SendsImage(jpeg, "")
//
// To act in a group that the member is not in panics.
type Voice struct {
	member *Member
	from   uint16 // device
	group  *Group // nil means the first
	at     time.Time

	// What befalls a message, or the news of a change, on its way.
	garbled, keyless, unhearing, untold, missed bool
	altering                                    func(*waBinary.Node) // nil: nothing

	// What a message is besides what it says.
	id         string    // empty: a new one
	quoting    *Message  // nil: none
	mentioning []*Member // by name in the text
	lasting    time.Duration
	once       bool
	part       *waE2E.MessageAssociation // nil: of nothing
	wrappers   []string                  // the outermost first
	sealed     bool
	opened     proto.Message        // what is sealed
	forging    bool                 // does to others' messages what only an altered app can
	posing     *Member              // nil: as itself
	called     string               // its push name; empty: the member's name
	mode       types.AddressingMode // by which it names people; empty: the group's
}

// In makes the member act in g.
func (v Voice) In(g *Group) Voice {
	v.group = g
	return v
}

// At makes the member act at t, by the server's clock.
func (v Voice) At(t time.Time) Voice {
	v.at = t
	return v
}

// Elsewhere makes the member act from a second device, which has keys of its own.
func (v Voice) Elsewhere() Voice {
	v.from = 2
	return v
}

// Garbled damages the message on its way, so that it cannot be decrypted. The
// phone still resends it whole when asked to.
func (v Voice) Garbled() Voice {
	v.garbled = true
	return v
}

// Keyless makes the device change its sender key and withhold the new one, so
// that the message cannot be decrypted; the next message brings it. The phone
// still resends the message when asked to.
func (v Voice) Keyless() Voice {
	v.keyless = true
	return v
}

// Unhearing makes the phone ignore requests to resend the message, until
// [Message.Resend].
func (v Voice) Unhearing() Voice {
	v.unhearing = true
	return v
}

// Altered changes the stanza of a message, or of a change of a picture, on its way, be it into something that no client
// can take apart. What the phone sends when asked to send it again is as it should be.
func (v Voice) Altered(change func(stanza *waBinary.Node)) Voice {
	v.altering = change
	return v
}

// Untold keeps what the member does to a group from the companion: it is not told
// of the change, and only by the version of the list of participants can it tell
// that it missed one.
func (v Voice) Untold() Voice {
	v.untold = true
	return v
}

// Missed keeps what the member sends from the companion, until [Message.Arrives]: the
// group has it, and its phones.
func (v Voice) Missed() Voice {
	v.missed = true
	return v
}

// Reusing sends under the ID of another message. IDs are chosen by those who send.
func (v Voice) Reusing(m *Message) Voice {
	v.id = m.id
	return v
}

// Bearing sends under that ID.
func (v Voice) Bearing(id string) Voice {
	v.id = id
	return v
}

// Quoting makes what is sent a reply to m.
func (v Voice) Quoting(m *Message) Voice {
	v.quoting = m
	return v
}

// Mentioning makes the text or caption of what is sent mention members. Each must
// occur in it by name, as @Name.
func (v Voice) Mentioning(members ...*Member) Voice {
	v.mentioning = members
	return v
}

// Lasting is how long a recording or a film takes.
func (v Voice) Lasting(d time.Duration) Voice {
	v.lasting = d
	return v
}

// Once makes what is sent be viewed once. Phones alone get it: companions are told
// that it was sent, and nothing else.
func (v Voice) Once() Voice {
	v.once = true
	return v
}

// Wrapped puts what is sent into wrappers, the first outermost. They are fields of
// waE2E.Message, named as there: "ephemeralMessage", "groupMentionedMessage".
func (v Voice) Wrapped(fields ...string) Voice {
	v.wrappers = fields
	return v
}

// Sealed makes the phone encrypt what refers to an earlier message, be it an edit, a
// reaction, a comment or a poll's new option, under the secret of that message.
// Newer apps do so with edits, and announcement groups with all. Votes and responses
// to events are sealed in any case.
func (v Voice) Sealed() Voice {
	v.sealed = true
	return v
}

// Forging lets the member change whosever message, as only an altered app can: the
// server does not see what is in a message.
func (v Voice) Forging() Voice {
	v.forging = true
	return v
}

// Posing makes the phone seal in the name of another, as only an altered app can. The
// server still says who has sent it.
func (v Voice) Posing(as *Member) Voice {
	v.posing = as
	return v
}

// Called gives the member another push name.
func (v Voice) Called(pushName string) Voice {
	v.called = pushName
	return v
}

// Addressing makes the phone name people by LID or by number in what it sends,
// whatever the group goes by: phones take in a change of that at their own time.
func (v Voice) Addressing(mode types.AddressingMode) Voice {
	v.mode = mode
	return v
}

// time is when the voice is heard.
func (v Voice) time() time.Time {
	if v.at.IsZero() {
		return v.member.server.options.Now()
	}
	return v.at
}

// inGroup is the group that the voice is heard in. The caller holds Server.mu.
func (v Voice) inGroup() *Group {
	g := v.group
	if g == nil && len(v.member.groups) > 0 {
		g = v.member.groups[0]
	}
	if g == nil {
		panic("standin: " + v.member.name + " is in no group")
	}
	if g.participant(v.member) == nil {
		panic(fmt.Sprintf("standin: %s is not in %q", v.member.name, g.subject))
	}
	return g
}

// names is the address by which the voice names a member in what it sends to g, or to
// one person if g is nil.
func (v Voice) names(m *Member, g *Group) types.JID {
	if g == nil || cmp.Or(v.mode, g.mode) != types.AddressingModePN {
		return m.lid
	}
	return m.mustShowNumber(g)
}

// address is how the voice's device is addressed in g, and the other address of
// the same device if it may be known.
func (v Voice) address(g *Group) (address, other types.JID) {
	address, other = v.member.addressIn(g)
	address = onDevice(address, v.from)
	if other.User != "" {
		other = onDevice(other, v.from)
	}
	return address, other
}

// addressIn is how the member is addressed in g, and the member's other address
// if it may be known.
func (m *Member) addressIn(g *Group) (address, other types.JID) {
	if !g.byNumber() {
		return m.lid, m.jid
	}
	return m.mustShowNumber(g), m.lid
}

func (m *Member) mustShowNumber(g *Group) types.JID {
	if m.jid.IsEmpty() {
		panic(fmt.Sprintf("standin: %q shows numbers, and %s hides hers", g.subject, m.name))
	}
	return m.jid
}
