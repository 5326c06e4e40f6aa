package content

import (
	"math"

	"go.mau.fi/whatsmeow/proto/waE2E"

	"muniment/internal/record"
)

// poll reads a poll, or a quiz.
func (r *reading) poll(m *waE2E.PollCreationMessage) bool {
	ballot := &record.Ballot{
		Question: OneLine(m.GetName()),
		Options:  names(m.GetOptions(), (*waE2E.PollCreationMessage_Option).GetOptionName),
		Choose:   int(m.GetSelectableOptionsCount()),
		Quiz:     m.GetPollType() == waE2E.PollType_QUIZ,
		Correct:  Valid(m.GetCorrectAnswer().GetOptionName()),
		Adding:   m.GetAllowAddOption(),
		Secret:   m.GetHideParticipantName(),
		Ends:     moment(m.GetEndTime()),
	}
	r.details.Poll = ballot
	return r.says(record.Poll, pollWords(ballot)...)
}

// result reads the result of a poll, as somebody posted it.
func (r *reading) result(m *waE2E.PollResultSnapshotMessage) bool {
	ballot := &record.Ballot{
		Question: OneLine(m.GetName()),
		Options:  names(m.GetPollVotes(), (*waE2E.PollResultSnapshotMessage_PollVote).GetOptionName),
		Quiz:     m.GetPollType() == waE2E.PollType_QUIZ,
	}
	for i, option := range ballot.Options {
		votes := max(0, min(m.GetPollVotes()[i].GetOptionVoteCount(), math.MaxInt32))
		r.details.Tally = append(r.details.Tally, record.Count{Option: option, Votes: int(votes)})
	}
	r.details.Poll = ballot
	return r.says(record.PollResult, pollWords(ballot)...)
}

// names returns the names of the first so many options, as they were typed: votes name
// them by a digest of that.
func names[T any](options []T, name func(T) string) (all []string) {
	for _, o := range options[:min(len(options), maxItems)] {
		all = append(all, Valid(name(o)))
	}
	return all
}

func pollWords(b *record.Ballot) []string {
	words := []string{b.Question}
	for _, o := range b.Options {
		words = append(words, OneLine(o))
	}
	return words
}

// option reads an option that somebody adds to the poll that Target names.
func (r *reading) option(m *waE2E.PollAddOptionMessage) bool {
	r.Kind, r.Type, r.Text = record.Option, record.OptionAdded, Valid(m.GetAddOption().GetOptionName())
	return r.Text != ""
}

// event reads an invitation to an event, or the news that it is cancelled.
func (r *reading) event(m *waE2E.EventMessage) bool {
	event := &record.Gathering{
		Name:        OneLine(m.GetName()),
		Description: Valid(m.GetDescription()),
		Starts:      moment(m.GetStartTime()),
		Ends:        moment(m.GetEndTime()),
		Link:        OneLine(m.GetJoinLink()),
		Cancelled:   m.GetIsCanceled(),
		Guests:      m.GetExtraGuestsAllowed(),
	}
	r.details.Event = event
	var where []string
	if m.GetLocation() != nil {
		where = r.place(m.Location)
	}
	return r.says(record.Event, append([]string{event.Name, event.Description}, where...)...)
}
