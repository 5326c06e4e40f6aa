package record

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// Deed is what a mark does.
type Deed string

// What marks do.
const (
	Forward Deed = "forward" // the conversation goes to the council mailbox
	Report  Deed = "report"  // a concern goes to the clerk, or to the chair
	Look    Deed = "look"    // the clerk is asked whether the message belongs in the group
	Hold    Deed = "hold"    // nothing is destroyed until the hold is released
)

// Deeds are all that a mark may do.
var Deeds = []Deed{Forward, Report, Look, Hold}

// Mark is what a reaction with one of its emoji means.
type Mark struct {
	Name  string
	Emoji []string // as they were configured
	Roles []string // on the member register, of those whose reactions count
	Does  Deed
	To    string // the address that its emails go to; empty: the one that all of its deed go to

	// AboutClerk is the address that a report goes to where the marked message is the clerk's
	// or the deputy's; empty: the chair's on the member register.
	AboutClerk string
}

// Has reports whether emoji is one of the mark's.
func (m Mark) Has(emoji string) bool {
	return slices.ContainsFunc(m.Emoji, func(e string) bool { return SameEmoji(e, emoji) })
}

// Marks are those agreed for a group. No emoji is in two of them.
type Marks []Mark

// Of returns the mark that emoji is.
func (ms Marks) Of(emoji string) (Mark, bool) {
	return ms.first(func(m Mark) bool { return m.Has(emoji) })
}

// Near returns the mark that emoji looks like and is not: somebody may have meant it, and
// phones offer the two side by side.
func (ms Marks) Near(emoji string) (Mark, bool) {
	if _, is := ms.Of(emoji); is {
		return Mark{}, false
	}
	return ms.first(func(m Mark) bool {
		return slices.ContainsFunc(m.Emoji, func(e string) bool { return looksLike(e, emoji) })
	})
}

func (ms Marks) first(is func(Mark) bool) (Mark, bool) {
	i := slices.IndexFunc(ms, is)
	if i < 0 {
		return Mark{}, false
	}
	return ms[i], true
}

// SameEmoji reports whether a and b are one emoji. Variation selectors and skin tones do
// not count: phones add and drop them as they like. What is nothing else is no emoji.
func SameEmoji(a, b string) bool {
	plain := plainEmoji(a)
	return plain != "" && plain == plainEmoji(b)
}

func plainEmoji(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == 0xFE0E || r == 0xFE0F, // variation selectors: text, emoji
			r >= 0x1F3FB && r <= 0x1F3FF: // skin tones
			return -1
		}
		return r
	}, s)
}

// alike are emoji that are easily taken for one another.
var alike = []string{
	"📌📍🖈",
	"🚩🏁⛳🏴🏳🎌",
	"🔒🔓🔐🔏",
	"🛑⛔🚫🚷🚏",
	"⚠🚸❗❕‼⁉",
	"🗂📁📂🗃🗄",
	"✅✔☑",
	"⭐🌟✨💫",
	"❓❔",
}

// looksLike reports whether a and b begin alike, as do a flag and the same flag with a
// sign on it, or a digit and its key, or are easily taken for one another.
func looksLike(a, b string) bool {
	first, other := beginning(a), beginning(b)
	if first == 0 || other == 0 {
		return false
	}
	return first == other || slices.ContainsFunc(alike, func(s string) bool {
		return strings.ContainsRune(s, first) && strings.ContainsRune(s, other)
	})
}

// beginning returns what an emoji begins with. The flags of countries are two letters
// each and begin alike without looking so: they have none.
func beginning(emoji string) rune {
	r, size := utf8.DecodeRuneInString(plainEmoji(emoji))
	if size == 0 || r >= 0x1F1E6 && r <= 0x1F1FF {
		return 0
	}
	return r
}
