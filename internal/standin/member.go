package standin

import (
	"fmt"
	"regexp"
	"strconv"
	"time"

	"go.mau.fi/whatsmeow/types"
)

// A Member is a person, or an office, with a WhatsApp account and a phone. What
// members do is in the methods of [Voice], which every member has.
type Member struct {
	Voice
	server *Server
	name   string
	jid    types.JID // the phone number; empty if hidden
	lid    types.JID

	// Guarded by server.mu:
	devices map[uint16]*device
	groups  []*Group // as joined
}

// A Voice is a member about to act: in which group, from which device, at what
// time, and with what mishap. A [Member] acts in the first group that it is in,
// from the phone, now, without mishap; In, At and the other modifiers make
// voices that do otherwise, as in
//
//	ann.In(works).At(monday).Says("Good morning.")
//
// To act in a group that the member is not in panics.
type Voice struct {
	member                      *Member
	from                        uint16 // device
	group                       *Group // nil means the first
	at                          time.Time
	garbled, keyless, unhearing bool
}

// dramaNumber matches the mobile numbers that Ofcom keeps free for drama.
var dramaNumber = regexp.MustCompile(`^\+447700900\d{3}$`)

// Member makes an account. The number must be one of those that Ofcom keeps for
// drama, +447700900000 to +447700900999; a member without a number hides it, and
// is known by its LID only.
func (s *Server) Member(name, number string) *Member {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.newMember(name, number)
}

func (s *Server) newMember(name, number string) *Member {
	if number != "" && !dramaNumber.MatchString(number) {
		panic("standin: " + number + " is not +447700900 and three digits")
	}
	m := &Member{server: s, name: name, devices: make(map[uint16]*device)}
	m.Voice = Voice{member: m}
	m.lid = types.NewJID(strconv.Itoa(194_000_000_000_001+len(s.members)*7919), types.HiddenUserServer)
	if number != "" {
		m.jid = types.NewJID(number[1:], types.DefaultUserServer)
		for _, other := range s.members {
			if other.jid == m.jid {
				panic("standin: " + number + " is " + other.name + "'s")
			}
		}
	}
	s.members = append(s.members, m)
	return m
}

// Phone is the council's own account, +447700900000, and its primary phone.
func (s *Server) Phone() *Member {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.phone == nil {
		s.phone = s.newMember("Council office", "+447700900000")
	}
	return s.phone
}

// Name is the name that the member has chosen: the push name.
func (m *Member) Name() string { return m.name }

// JID is the member's phone-number address; empty if the number is hidden.
func (m *Member) JID() types.JID { return m.jid }

// LID is the member's address that hides the number.
func (m *Member) LID() types.JID { return m.lid }

// device returns the member's device of that number, new if need be.
func (m *Member) device(number uint16) *device {
	d := m.devices[number]
	if d == nil {
		d = newDevice(m, number)
		m.devices[number] = d
	}
	return d
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
	if m.jid.IsEmpty() {
		panic(fmt.Sprintf("standin: %q shows numbers, and %s hides hers", g.subject, m.name))
	}
	return m.jid, m.lid
}
