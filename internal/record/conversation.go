package record

import (
	"cmp"
	"slices"
	"time"
)

// Line is what conversation assembly needs to know of a message.
type Line struct {
	Seq     Seq
	Sent    time.Time
	ReplyTo Seq // 0 if it is no reply, or to a message that is not kept
}

// Rule is how a conversation is chosen around a marked message.
type Rule struct {
	Pause  time.Duration // a silence longer than this ends the neighbourhood
	AtMost int           // messages
}

// DefaultRule is C4 of the requirements.
var DefaultRule = Rule{Pause: 15 * time.Minute, AtMost: 200}

// Conversation returns the messages that a mark on the message marked forwards
// together, oldest first: the marked message, its reply tree (what it answers,
// and all that answers any of these), and its neighbours before and after up to
// the first silence longer than the rule's pause. Where that is more than the
// rule allows, the reply tree goes before the neighbours and the nearer in time
// before the farther, and cut is true.
//
// Lines may come in any order and hold more than the conversation. If marked
// is not among them there is no conversation.
func (r Rule) Conversation(marked Seq, lines []Line) (chosen []Seq, cut bool) {
	lines = slices.Clone(lines)
	slices.SortFunc(lines, func(a, b Line) int {
		return cmp.Or(a.Sent.Compare(b.Sent), cmp.Compare(a.Seq, b.Seq))
	})
	at := slices.IndexFunc(lines, func(l Line) bool { return l.Seq == marked })
	if at < 0 {
		return nil, false
	}
	tree := replyTree(marked, lines)
	near := neighbours(at, lines, r.Pause)

	var order []int // indices into lines, the most wanted first
	for i, l := range lines {
		if tree[l.Seq] || near[l.Seq] {
			order = append(order, i)
		}
	}
	distance := func(i int) time.Duration { return lines[i].Sent.Sub(lines[at].Sent).Abs() }
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(
			-compareBool(a == at, b == at),
			-compareBool(tree[lines[a].Seq], tree[lines[b].Seq]),
			cmp.Compare(distance(a), distance(b)),
		)
	})
	if cut = len(order) > r.AtMost; cut {
		order = order[:r.AtMost]
	}
	slices.Sort(order)
	for _, i := range order {
		chosen = append(chosen, lines[i].Seq)
	}
	return chosen, cut
}

// replyTree returns the messages connected with marked by replies: up to the
// first message of the thread and from there down to every answer.
func replyTree(marked Seq, lines []Line) map[Seq]bool {
	parent := make(map[Seq]Seq, len(lines))
	answers := make(map[Seq][]Seq)
	for _, l := range lines {
		if l.ReplyTo != 0 {
			parent[l.Seq] = l.ReplyTo
			answers[l.ReplyTo] = append(answers[l.ReplyTo], l.Seq)
		}
	}
	tree := map[Seq]bool{marked: true}
	for next := []Seq{marked}; len(next) > 0; next = next[1:] {
		around := answers[next[0]]
		if p, ok := parent[next[0]]; ok {
			around = append(slices.Clone(around), p)
		}
		for _, s := range around {
			if !tree[s] {
				tree[s] = true
				next = append(next, s)
			}
		}
	}
	return tree
}

func neighbours(at int, lines []Line, pause time.Duration) map[Seq]bool {
	near := make(map[Seq]bool)
	for i := at - 1; i >= 0 && lines[i+1].Sent.Sub(lines[i].Sent) <= pause; i-- {
		near[lines[i].Seq] = true
	}
	for i := at + 1; i < len(lines) && lines[i].Sent.Sub(lines[i-1].Sent) <= pause; i++ {
		near[lines[i].Seq] = true
	}
	return near
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	default:
		return -1
	}
}
