package standin

import (
	"regexp"
	"strconv"

	"go.mau.fi/whatsmeow/types"
)

// A Member is a person, or an office, with a WhatsApp account and a phone. What
// members do is in the methods of [Voice], which every member has.
type Member struct {
	Voice
	server *Server
	name   string
	lid    types.JID

	// Guarded by server.mu:
	jid      types.JID // the phone number; empty if hidden
	devices  map[uint16]*device
	groups   []*Group // as joined
	state    *appState
	passkey  *Passkey // that the account demands of devices to be linked; nil: none
	compares string   // the code that the phone shows, to be compared
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
	m := &Member{server: s, name: name, devices: make(map[uint16]*device), state: newAppState()}
	m.Voice = Voice{member: m}
	m.lid = types.NewJID(strconv.Itoa(194_000_000_000_001+len(s.members)*7919), types.HiddenUserServer)
	if number != "" {
		m.jid = s.free(number)
	}
	s.members = append(s.members, m)
	return m
}

// free is the address of a number, which must be nobody's.
func (s *Server) free(number string) types.JID {
	if !dramaNumber.MatchString(number) {
		panic("standin: " + number + " is not +447700900 and three digits")
	}
	jid := types.NewJID(number[1:], types.DefaultUserServer)
	for _, m := range s.members {
		if m.jid == jid {
			panic("standin: " + number + " is " + m.name + "'s")
		}
	}
	return jid
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
func (m *Member) JID() types.JID {
	defer m.lock().Unlock()
	return m.jid
}

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
