// Package flag finds what a clerk may want to look at: messages that may hold personal or
// confidential details, and messages about something that may need a meeting of the
// council. It is advice to the clerk and nothing else: nothing acts upon it, and nothing is
// counted by member.
//
// It looks for patterns of words and digits. So it misses things and raises false alarms,
// and the clerk can say that something is no concern. What it finds is derived from the
// records whenever somebody asks; only what the clerk has said is kept.
package flag

import (
	"slices"
	"strings"
)

// Kind is a sort of thing that was found.
type Kind int

// The kinds, in the order in which they are told.
const (
	NINumber Kind = iota
	NHSNumber
	Bank
	Card
	Birth
	Phone
	Email
	Home
	Confidence
	Welfare
	Health
	Poll
	Votes
	Agreement
	Order

	kinds
)

// phrasesOf says what was found, for the clerk, and repeats nothing of it.
var phrasesOf = [kinds]string{
	NINumber:   "a National Insurance number",
	NHSNumber:  "an NHS number",
	Bank:       "details of a bank account",
	Card:       "the number of a payment card",
	Birth:      "a date of birth",
	Phone:      "a telephone number",
	Email:      "an email address that is not the council’s",
	Home:       "an address with its postcode",
	Confidence: "words about something confidential",
	Welfare:    "words about somebody’s safety or care",
	Health:     "words about somebody’s health",
	Poll:       "a poll",
	Votes:      "a count of votes",
	Agreement:  "words of agreement",
	Order:      "words about going ahead or ordering",
}

// String returns a phrase, such as "a National Insurance number".
func (k Kind) String() string { return phrasesOf[k] }

// Concern is why something is flagged.
type Concern string

// The concerns.
const (
	Personal Concern = "personal" // it may hold personal or confidential details
	Meeting  Concern = "meeting"  // it may need a meeting
)

// Concerns are all there are.
var Concerns = []Concern{Personal, Meeting}

// Concern returns why k is flagged.
func (k Kind) Concern() Concern {
	if k < Poll {
		return Personal
	}
	return Meeting
}

// found is a set of kinds.
type found [kinds]bool

// of returns the kinds that are of one concern, in order.
func (f found) of(c Concern) (all []Kind) {
	for k, is := range f {
		if is && Kind(k).Concern() == c {
			all = append(all, Kind(k))
		}
	}
	return all
}

// Reader reads what was written.
type Reader struct {
	Domains []string // of the council's own email addresses, in lower case
}

// Find returns what there is to be looked at in s, each kind once.
func (r Reader) Find(s string) []Kind {
	f := r.find(s)
	return slices.Concat(f.of(Personal), f.of(Meeting))
}

func (r Reader) find(s string) (f found) {
	t := read(s)
	if strings.IndexByte(s, '@') >= 0 || strings.Contains(s, "\uff20") {
		f[Email] = r.email(t)
	}
	for i, p := range t.pieces {
		if p.number {
			t.number(i, &f)
		} else {
			t.words(i, &f)
		}
	}
	return f
}

// number looks at what begins with the number i.
func (t *text) number(i int, f *found) {
	f[NHSNumber] = f[NHSNumber] || t.nhs(i)
	f[Card] = f[Card] || t.card(i)
	f[Phone] = f[Phone] || t.phone(i)
	f[Bank] = f[Bank] || t.bank(i)
	f[Votes] = f[Votes] || t.votes(i)
}

// words looks at what begins with the word i.
func (t *text) words(i int, f *found) {
	f[NINumber] = f[NINumber] || t.nino(i)
	f[Birth] = f[Birth] || t.birth(i)
	f[Home] = f[Home] || t.home(i)
	f[Votes] = f[Votes] || t.divided(i)
	for _, w := range vocabulary {
		f[w.kind] = f[w.kind] || w.at(t, i) && !w.except.at(t, i) && !(i > 0 && w.after[t.word(i-1)])
	}
}
