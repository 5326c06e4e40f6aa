package record

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var nine = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// at is the message seq, sent so long after nine, in answer to another.
func at(seq Seq, after time.Duration, replyTo Seq) Line {
	return Line{Seq: seq, Sent: nine.Add(after), ReplyTo: replyTo}
}

func TestConversation(t *testing.T) {
	const min, hour = time.Minute, time.Hour
	rule := Rule{Pause: 15 * min, AtMost: 200}
	few := Rule{Pause: 15 * min, AtMost: 3}
	for _, tt := range []struct {
		name   string
		rule   Rule
		marked Seq
		lines  []Line
		want   []Seq
		cut    bool
	}{
		{name: "a message alone", rule: rule, marked: 1, lines: []Line{at(1, 0, 0)}, want: []Seq{1}},
		{name: "nothing without the marked message", rule: rule, marked: 9, lines: []Line{at(1, 0, 0), at(2, min, 9)}},
		{name: "nothing of nothing", rule: rule, marked: 1},
		{name: "the question that was answered hours before", rule: rule, marked: 2,
			lines: []Line{at(1, 0, 0), at(2, 5*hour, 1)}, want: []Seq{1, 2}},
		{name: "answers that came hours later", rule: rule, marked: 1,
			lines: []Line{at(1, 0, 0), at(2, 5*hour, 1), at(3, 9*hour, 1)}, want: []Seq{1, 2, 3}},
		{name: "up to the first of the thread and down to its other answers", rule: rule, marked: 4,
			lines: []Line{at(1, 0, 0), at(2, 1*hour, 1), at(3, 2*hour, 1), at(4, 3*hour, 2), at(5, 4*hour, 3), at(6, 5*hour, 0)},
			want:  []Seq{1, 2, 3, 4, 5}},
		{name: "another thread is not in it", rule: rule, marked: 2,
			lines: []Line{at(1, 0, 0), at(2, hour, 1), at(3, 2*hour, 0), at(4, 3*hour, 3)}, want: []Seq{1, 2}},
		{name: "replies that go round in a circle end", rule: rule, marked: 1,
			lines: []Line{at(1, 0, 2), at(2, hour, 1)}, want: []Seq{1, 2}},
		{name: "a pause of exactly 15 minutes does not end it", rule: rule, marked: 2,
			lines: []Line{at(1, 0, 0), at(2, 15*min, 0), at(3, 30*min, 0)}, want: []Seq{1, 2, 3}},
		{name: "a longer pause does, on either side", rule: rule, marked: 2,
			lines: []Line{at(1, 0, 0), at(2, 15*min+time.Second, 0), at(3, 30*min+2*time.Second, 0)}, want: []Seq{2}},
		{name: "neighbours of neighbours, as long as nobody pauses", rule: rule, marked: 4,
			lines: []Line{at(1, 0, 0), at(2, 16*min, 0), at(3, 26*min, 0), at(4, 36*min, 0), at(5, 46*min, 0), at(6, 90*min, 0)},
			want:  []Seq{2, 3, 4, 5}},
		{name: "the neighbours of the thread's first are not the marked message's", rule: rule, marked: 3,
			lines: []Line{at(1, 0, 0), at(2, min, 0), at(3, 5*hour, 1)}, want: []Seq{1, 3}},
		{name: "in order of time, whatever the order of capture", rule: rule, marked: 1,
			lines: []Line{at(1, 10*min, 0), at(2, 0, 0), at(3, 5*min, 0)}, want: []Seq{2, 3, 1}},
		{name: "of equal times in order of number", rule: rule, marked: 2,
			lines: []Line{at(3, 0, 0), at(1, 0, 0), at(2, 0, 0)}, want: []Seq{1, 2, 3}},
		{name: "at most so many: the nearer in time stay", rule: few, marked: 3,
			lines: []Line{at(1, 0, 0), at(2, 9*min, 0), at(3, 10*min, 0), at(4, 11*min, 0), at(5, 22*min, 0)},
			want:  []Seq{2, 3, 4}, cut: true},
		{name: "at most so many: the thread goes before the neighbours", rule: few, marked: 3,
			lines: []Line{at(1, 0, 0), at(2, 2*hour, 0), at(3, 2*hour+min, 1), at(4, 9*hour, 3)},
			want:  []Seq{1, 3, 4}, cut: true},
		{name: "exactly so many are not cut", rule: few, marked: 2,
			lines: []Line{at(1, 0, 0), at(2, min, 0), at(3, 2*min, 0)}, want: []Seq{1, 2, 3}},
		{name: "the marked message stays, even of equal times", rule: Rule{Pause: min, AtMost: 1}, marked: 3,
			lines: []Line{at(1, 0, 0), at(2, 0, 3), at(3, 0, 0)}, want: []Seq{3}, cut: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for i := range 10 { // in whatever order the lines come
				lines := slices.Clone(tt.lines)
				r := rand.New(rand.NewPCG(1, uint64(i)))
				r.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
				chosen, cut := tt.rule.Conversation(tt.marked, lines)
				if diff := cmp.Diff(tt.want, chosen); diff != "" || cut != tt.cut {
					t.Fatalf("cut %v, want %v; (-want +got)\n%s", cut, tt.cut, diff)
				}
			}
		})
	}
}

// A conversation of a busy evening keeps to the rule and always holds the mark.
func TestConversationNeverExceedsItsRule(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 3))
	for i := range 200 {
		var lines []Line
		for s := range Seq(1 + r.IntN(40)) {
			lines = append(lines, at(s+1, time.Duration(r.IntN(7200))*time.Second, Seq(r.IntN(int(s)+1))))
		}
		rule := Rule{Pause: time.Duration(r.IntN(600)) * time.Second, AtMost: 1 + r.IntN(10)}
		marked := lines[r.IntN(len(lines))].Seq
		chosen, cut := rule.Conversation(marked, lines)
		if len(chosen) > rule.AtMost || !slices.Contains(chosen, marked) || cut && len(chosen) != rule.AtMost {
			t.Errorf("%d: Conversation(%d, %v) under %+v = %v, %v", i, marked, lines, rule, chosen, cut)
		}
		if len(chosen) != len(slices.Compact(slices.Sorted(slices.Values(chosen)))) {
			t.Errorf("%d: a message twice: %v", i, chosen)
		}
	}
}

func ExampleRule_Conversation() {
	lines := []Line{{Seq: 1, Sent: nine}, {Seq: 2, Sent: nine.Add(time.Minute)}, {Seq: 3, Sent: nine.Add(time.Hour), ReplyTo: 1}}
	fmt.Println(DefaultRule.Conversation(2, lines))
	fmt.Println(DefaultRule.Conversation(3, lines))
	// Output:
	// [1 2] false
	// [1 3] false
}
