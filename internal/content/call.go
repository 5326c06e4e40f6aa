package content

import (
	"strings"

	"go.mau.fi/whatsmeow/proto/waE2E"

	"muniment/internal/record"
)

// call reads what a chat says of a call: that there was one, or will be. What is said in
// it is nowhere.
func (r *reading) call(value any) bool {
	switch m := value.(type) {
	case *waE2E.Call:
		return r.says(record.Call, m.GetCallReason())
	case *waE2E.BCallMessage:
		r.called(m.GetMediaType() == waE2E.BCallMessage_VIDEO, m.GetMediaType() == waE2E.BCallMessage_AUDIO)
		return r.says(record.Call, m.GetCaption())
	case *waE2E.CallLogMessage:
		spoken := !m.GetIsVideo() && m.GetCallType() != waE2E.CallLogMessage_VOICE_CHAT
		r.called(m.GetIsVideo(), spoken, callTypes[m.GetCallType()], callOutcomes[m.GetCallOutcome()])
		r.details.Seconds = int(max(0, min(m.GetDurationSecs(), 1<<31-1)))
		return r.says(record.Call)
	case *waE2E.ScheduledCallCreationMessage:
		r.called(m.GetCallType() == waE2E.ScheduledCallCreationMessage_VIDEO, m.GetCallType() == waE2E.ScheduledCallCreationMessage_VOICE, "scheduled")
		r.details.Event = &record.Gathering{Name: OneLine(m.GetTitle()), Starts: moment(m.GetScheduledTimestampMS())}
		return r.says(record.Call, r.details.Event.Name)
	case *waE2E.ScheduledCallEditMessage:
		if m.GetEditType() != waE2E.ScheduledCallEditMessage_CANCEL || !r.about(m.GetKey()) {
			return false
		}
		r.called(false, false, "scheduled", "cancelled")
		return r.says(record.Call)
	}
	return false
}

// called notes what WhatsApp says of a call.
func (r *reading) called(video, voice bool, more ...string) {
	var said []string
	if video {
		said = append(said, "video")
	} else if voice {
		said = append(said, "voice")
	}
	for _, m := range more {
		if m != "" {
			said = append(said, m)
		}
	}
	r.details.Called = strings.Join(said, ", ")
}

var callOutcomes = map[waE2E.CallLogMessage_CallOutcome]string{
	waE2E.CallLogMessage_MISSED:                  "missed",
	waE2E.CallLogMessage_FAILED:                  "failed",
	waE2E.CallLogMessage_REJECTED:                "declined",
	waE2E.CallLogMessage_ACCEPTED_ELSEWHERE:      "taken on another device",
	waE2E.CallLogMessage_ONGOING:                 "ongoing",
	waE2E.CallLogMessage_SILENCED_BY_DND:         "silenced",
	waE2E.CallLogMessage_SILENCED_UNKNOWN_CALLER: "silenced",
}

var callTypes = map[waE2E.CallLogMessage_CallType]string{
	waE2E.CallLogMessage_SCHEDULED_CALL: "scheduled",
	waE2E.CallLogMessage_VOICE_CHAT:     "voice chat",
}

// invite reads an invitation to join something.
func (r *reading) invite(value any) bool {
	switch m := value.(type) {
	case *waE2E.GroupInviteMessage:
		r.details.Called = "group"
		if m.GetGroupType() == waE2E.GroupInviteMessage_PARENT {
			r.details.Called = "community"
		}
		r.details.Until = moment(m.GetInviteExpiration())
		return r.says(record.Invite, OneLine(m.GetGroupName()), m.GetCaption())
	case *waE2E.NewsletterAdminInviteMessage:
		r.details.Called = "channel"
		r.details.Until = moment(m.GetInviteExpiration())
		return r.says(record.Invite, OneLine(m.GetNewsletterName()), m.GetCaption())
	case *waE2E.NewsletterFollowerInviteMessage:
		r.details.Called = "channel"
		return r.says(record.Invite, OneLine(m.GetNewsletterName()), m.GetCaption())
	case *waE2E.EventInviteMessage:
		r.details.Called = "event"
		r.details.Event = &record.Gathering{
			Name: OneLine(m.GetEventTitle()), Starts: moment(m.GetStartTime()), Ends: moment(m.GetEndTime()),
			Link: OneLine(m.GetCallLink()), Cancelled: m.GetIsCanceled(),
		}
		return r.says(record.Invite, r.details.Event.Name, m.GetCaption())
	}
	return false
}

// history reads that somebody shared earlier messages with people who joined later. Who
// they are, and the file with the messages, is in the protobuf only.
func (r *reading) history(m *waE2E.MessageHistoryMetadata) bool {
	r.details.Shared = int(max(0, min(m.GetMessageCount(), 1<<31-1)))
	return r.says(record.History)
}
