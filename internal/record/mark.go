package record

import (
	"slices"
	"strings"
)

// Marks are the emoji by which members mark a conversation for council email.
type Marks []string

// Has reports whether emoji is one of the marks. Variation selectors and skin
// tones do not count: phones add and drop them as they like.
func (m Marks) Has(emoji string) bool {
	plain := plainEmoji(emoji)
	return plain != "" && slices.ContainsFunc(m, func(mark string) bool { return plainEmoji(mark) == plain })
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
