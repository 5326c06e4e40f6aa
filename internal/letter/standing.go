package letter

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"muniment/internal/archive"
	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/saying"
	"muniment/internal/sqlite"
)

// followersOf returns what people did to messages, other than edit or delete them, up to
// a time, in order of time. What of it stood then is found anew, since the archive tells
// what stands now, and a letter must not change.
func followersOf(tx *sqlite.Tx, seqs []record.Seq, at time.Time) (map[record.Seq][]archive.Record, error) {
	all, err := archive.FollowersOf(tx, seqs, record.Reaction, record.Vote, record.Option, record.Response, record.Pin, record.Keep)
	if err != nil {
		return nil, err
	}
	of := make(map[record.Seq][]archive.Record)
	for _, f := range all {
		if !f.Captured.After(at) {
			of[f.ReplyTo] = append(of[f.ReplyTo], f)
		}
	}
	return of, nil
}

// last returns each person's last of a kind, as far as it can be read, in order of time.
func last(followers []archive.Record, kind record.Kind) (all []archive.Record) {
	met := make(map[people.ID]bool)
	for _, f := range slices.Backward(followers) {
		if f.Kind == kind && f.Type != record.Sealed && !met[f.Person] {
			met[f.Person] = true
			all = append(all, f)
		}
	}
	slices.Reverse(all)
	return all
}

// reactionsTo sums up the reactions to a message: 📌 Cllr Ann Brook; 👍 Dee Evans, Jo Hall.
func (r reading) reactionsTo(seq record.Seq) string {
	var order []string
	who := make(map[string][]string)
	for _, re := range last(r.followers[seq], record.Reaction) {
		if re.Type != record.ReactionAdded {
			continue
		}
		e := emoji(re.Emoji)
		if who[e] == nil {
			order = append(order, e)
		}
		who[e] = append(who[e], r.name(re.Person))
	}
	for i, e := range order {
		order[i] = e + " " + strings.Join(who[e], ", ")
	}
	return strings.Join(order, "; ")
}

// pinned tells of a message that it is pinned, or kept where it would disappear. Anybody
// may undo what another did.
func (r reading) pinned(seq record.Seq) (notes []string) {
	latest := make(map[record.Kind]archive.Record)
	for _, f := range r.followers[seq] {
		latest[f.Kind] = f
	}
	if p := latest[record.Pin]; p.Type == record.Pinned {
		until := ""
		if p.Details.Until != nil {
			until = ", until " + saying.Moment(*p.Details.Until)
		}
		notes = append(notes, fmt.Sprintf("Pinned by %s on %s%s (record %d).", r.name(p.Person), saying.Moment(p.Sent), until, p.Seq))
	}
	if k := latest[record.Keep]; k.Type == record.KeptInChat {
		notes = append(notes, fmt.Sprintf("Kept in the chat, from which it was to disappear, by %s on %s (record %d).", r.name(k.Person), saying.Moment(k.Sent), k.Seq))
	}
	return notes
}

// standing tells how the votes in the poll seq, or the responses to the event, stand; nil
// of anything else. M is its latest version.
func (r reading) standing(seq record.Seq, m archive.Record) *standing {
	switch {
	case m.Import != 0: // the votes are in the message, or nowhere
	case m.Type == record.Poll:
		return r.votes(m, r.followers[seq])
	case m.Type == record.Event:
		return responses(r.followers[seq], r.name)
	}
	return nil
}

// ballot is an option with those who voted for it.
type ballot struct {
	option string
	by     string // who added it; empty: it was there from the beginning
	names  []string
}

// votes tells who voted for what in a poll. Whose vote it is stays out where phones
// do not show it.
func (r reading) votes(poll archive.Record, followers []archive.Record) *standing {
	var ballots []ballot
	find := func(option string) *ballot {
		i := slices.IndexFunc(ballots, func(b ballot) bool { return b.option == option })
		if i < 0 {
			i, ballots = len(ballots), append(ballots, ballot{option: option})
		}
		return &ballots[i]
	}
	secret := false
	if b := r.teller().Details(poll.Details).Poll; b != nil {
		secret = b.Secret
		for _, o := range b.Options {
			find(o)
		}
	}
	nameless, voters, sealed := 0, 0, 0
	for _, f := range followers {
		switch {
		case f.Kind == record.Vote && f.Type == record.Sealed:
			sealed++
		case f.Kind == record.Option && f.Type != record.Sealed:
			find(r.teller().Text(f)).by = r.name(f.Person)
		}
	}
	for _, v := range last(followers, record.Vote) {
		if v.Type != record.Cast {
			continue
		}
		voters++
		nameless += v.Details.Unknown
		for _, o := range r.teller().Details(v.Details).Chosen {
			b := find(o)
			b.names = append(b.names, r.name(v.Person))
		}
	}
	s := &standing{Heading: "Nobody had voted when this email was written."}
	if voters+sealed == 0 && !slices.ContainsFunc(ballots, func(b ballot) bool { return b.by != "" }) {
		return s
	}
	s.Heading = "Votes when this email was written:"
	for _, b := range ballots {
		s.Items = append(s.Items, b.tells(secret))
	}
	if nameless > 0 {
		s.Items = append(s.Items, saying.Count(nameless, "vote")+" for options whose names are not in the record")
	}
	if sealed > 0 {
		s.Items = append(s.Items, saying.Count(sealed, "vote")+" that cannot be read")
	}
	return s
}

// tells says how many voted for an option, and who.
func (b ballot) tells(secret bool) string {
	n := "No votes"
	if len(b.names) > 0 {
		n = saying.Count(len(b.names), "vote")
	}
	said := n + " for “" + saying.Excerpt(b.option, mostOption) + "”"
	if b.by != "" {
		said += ", which " + b.by + " added"
	}
	if secret || len(b.names) == 0 {
		return said
	}
	return said + ": " + some(b.names)
}

// responses tells who comes to an event.
func responses(followers []archive.Record, name func(people.ID) string) *standing {
	who := make(map[record.Type][]string)
	for _, f := range last(followers, record.Response) {
		is := name(f.Person)
		if n := f.Details.Guests; n > 0 && f.Type != record.NotGoing {
			is += " with " + saying.Count(n, "guest")
		}
		who[f.Type] = append(who[f.Type], is)
	}
	if len(who) == 0 {
		return &standing{Heading: "Nobody had responded when this email was written."}
	}
	s := &standing{Heading: "Responses when this email was written:"}
	for _, answer := range []struct {
		t    record.Type
		what string
	}{{record.Going, "Going"}, {record.Maybe, "May be going"}, {record.NotGoing, "Not going"}} {
		if names := who[answer.t]; len(names) > 0 {
			s.Items = append(s.Items, answer.what+": "+some(names))
		}
	}
	return s
}

func inTime(a, b archive.Record) int {
	return cmp.Or(a.Sent.Compare(b.Sent), cmp.Compare(a.Seq, b.Seq))
}
