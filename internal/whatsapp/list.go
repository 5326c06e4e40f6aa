package whatsapp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"

	"muniment/internal/content"
	"muniment/internal/record"
)

const (
	// queuePatience is how long after connecting we ask for the lists of participants, if
	// WhatsApp does not say before that all is delivered which it had kept.
	queuePatience = 20 * time.Second
	// listPause is how long we wait before we ask for a list of which a notice makes us
	// doubt, since more of them may come.
	listPause = 2 * time.Second
	// claimPause is how long we wait where it is a message that makes us doubt: a member
	// can send one after the other, and must not make us ask as often.
	claimPause = time.Minute
	// presentAgain is when an unchanged list is handed over once more: a connection that
	// comes and goes must not fill the account of what was received.
	presentAgain = time.Hour
)

// lists are the lists of participants that are to be asked for.
type lists struct {
	nudge chan struct{} // there is something to wait for

	mu     sync.Mutex
	wanted map[string]bool // of which groups; true: the answer is handed over whatever it says
	due    time.Time
}

// want has the lists of groups asked for, no later than after that time.
func (s *lists) want(after time.Duration, whatever bool, groups ...string) {
	s.mu.Lock()
	if s.wanted == nil {
		s.wanted = make(map[string]bool)
	}
	for _, g := range groups {
		s.wanted[g] = s.wanted[g] || whatever
	}
	if due := time.Now().Add(after); s.due.IsZero() || due.Before(s.due) {
		s.due = due
	}
	s.mu.Unlock()
	ask(s.nudge)
}

// wait returns when it is time to ask; nil if it never is.
func (s *lists) wait() <-chan time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.due.IsZero() {
		return nil
	}
	return time.After(time.Until(s.due))
}

// later puts off asking until somebody wants it again: the connection is gone.
func (s *lists) later() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.due = time.Time{}
}

// take returns what is to be asked for, and forgets it.
func (s *lists) take() map[string]bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	wanted := s.wanted
	s.wanted, s.due = nil, time.Time{}
	return wanted
}

// AskList has WhatsApp asked for the list of participants of a group soon, as often as it
// takes. Without Run, or while it is not connected, the next connection does it.
func (s *Session) AskList(group string) {
	if l := s.listener.Load(); l != nil {
		l.lists.want(listPause, true, group)
	}
}

// groupState is what WhatsApp says of a group when it is asked.
type groupState struct {
	group    string
	version  string // of the list of participants
	who      []record.Participant
	settings map[record.Type]string
}

// present makes the record of who is in a group; sender is who asked, the council's own
// account.
func (g groupState) present(sender record.Address, at time.Time) record.Received {
	return record.Received{
		Kind: record.Participants, Type: record.Present, Group: g.group, Sender: sender, Own: true,
		Sent: at.UTC(), Participants: g.who, Version: g.version, Details: record.Details{Settings: g.settings}.Encode(),
	}
}

// askLists asks for the lists that are wanted, and captures the answers; but not one that
// is what was answered within the hour, unless somebody waits for it. One call at a time.
func (l *listener) askLists(ctx context.Context) {
	wanted := l.lists.take()
	for _, group := range l.session.options.Groups {
		whatever, is := wanted[group]
		if !is {
			continue
		}
		err := l.askList(ctx, group, whatever)
		if err != nil && !l.stopping.Load() {
			l.log.Warn("participants of a listed group not recorded; it will be tried again", "err", err)
			l.lists.want(l.session.askAgain, whatever, group)
		}
	}
}

func (l *listener) askList(ctx context.Context, group string, whatever bool) error {
	g, err := l.askGroup(ctx, group)
	if cause := notThere(err); cause != "" {
		delete(l.present, group)
		return l.inTurn(func(ctx context.Context) error { return l.hooks.Outside(ctx, group, time.Time{}, cause) })
	} else if err != nil {
		return err
	}
	r := g.present(l.self, l.session.options.Now())
	last := l.present[group]
	same := last.Version == r.Version && last.Details == r.Details && slices.Equal(last.Participants, r.Participants)
	if same && !whatever && r.Sent.Sub(last.Sent) < presentAgain {
		return nil
	}
	if err := l.inTurn(func(ctx context.Context) error { return l.hand(ctx, r, true) }); err != nil {
		return err
	}
	l.present[group] = r
	return nil
}

// inTurn calls a hook when no event is being handled.
func (l *listener) inTurn(hook func(context.Context) error) error {
	if l.stopping.Load() || !l.begin() {
		return ErrNotConnected
	}
	defer l.end()
	ctx, cancel := context.WithTimeout(l.base, captureTimeout)
	defer cancel()
	return hook(ctx)
}

// notThere says in plain words what an answer means by which we are not in the group;
// empty if err is none.
func notThere(err error) string {
	switch {
	case errors.Is(err, whatsmeow.ErrNotInGroup):
		return "WhatsApp says that the council's account is not in the group."
	case errors.Is(err, whatsmeow.ErrGroupNotFound):
		return "WhatsApp says that there is no such group."
	}
	return ""
}

// askGroup asks WhatsApp how a group is now.
func (l *listener) askGroup(ctx context.Context, group string) (groupState, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	jid, err := types.ParseJID(group)
	if err != nil {
		return groupState{}, errors.New("not the address of a group")
	}
	info, err := l.client.GetGroupInfo(ctx, jid)
	if err != nil {
		return groupState{}, fmt.Errorf("ask who is in a group: %w", plain(err))
	}
	g := groupState{group: group, version: info.ParticipantVersionID, settings: settingsOf(info)}
	for _, p := range info.Participants {
		other := p.LID
		if p.JID.Server == types.HiddenUserServer {
			other = p.PhoneNumber
		}
		g.who = append(g.who, record.Participant{Address: l.t.address(p.JID, other, jid), Admin: p.IsAdmin || p.IsSuperAdmin})
	}
	return g, nil
}

// settingsOf returns how a group is set up, each as the record of a change would say it.
func settingsOf(info *types.GroupInfo) map[record.Type]string {
	either := func(is bool, yes, no string) string {
		if is {
			return yes
		}
		return no
	}
	return map[record.Type]string{
		record.Subject:     content.Valid(info.Name),
		record.Description: content.Valid(info.Topic),
		record.Timer:       strconv.FormatUint(uint64(info.DisappearingTimer), 10),
		record.Editors:     either(info.IsLocked, "admins", "all"),
		record.Writers:     either(info.IsAnnounce, "admins", "all"),
		record.Approval:    either(info.IsJoinApprovalRequired, "on", "off"),
		record.Suspension:  either(info.Suspended, "on", "off"),
	}
}
