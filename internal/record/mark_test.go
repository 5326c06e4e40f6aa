package record

import "testing"

// agreed are marks as a council has them.
func agreed(emoji ...string) Marks {
	return Marks{{Name: "hold", Emoji: []string{"🛑"}, Does: Hold}, {Name: "important", Emoji: emoji, Does: Forward}}
}

func TestMarks(t *testing.T) {
	for _, tt := range []struct {
		name  string
		marks Marks
		emoji string
		is    string // the mark
		near  string // the one that it looks like
	}{
		{"the agreed emoji", agreed("📌"), "📌", "important", ""},
		{"one of several agreed", agreed("📌", "🗂"), "🗂", "important", ""},
		{"another mark", agreed("📌"), "🛑", "hold", ""},
		{"another emoji", agreed("📌"), "👍", "", ""},
		{"the phone adds a variation selector", agreed("📌"), "📌\uFE0F", "important", ""},
		{"the phone drops the one that was agreed", agreed("✔\uFE0F"), "✔", "important", ""},
		{"text style against emoji style", agreed("✔\uFE0F"), "✔\uFE0E", "important", ""},
		{"a skin tone on what was agreed without", agreed("👍"), "👍🏽", "important", ""},
		{"none on what was agreed with one", agreed("👍🏿"), "👍", "important", ""},
		{"a longer sequence that begins alike", agreed("👩"), "👩\u200D🌾", "", "important"},
		{"a shorter one", agreed("👩\u200D🌾"), "👩🏽", "", "important"},
		{"the other pin", agreed("📌"), "📍", "", "important"},
		{"another sign that says stop", agreed("📌"), "⛔", "", "hold"},
		{"a flag", agreed("🚩"), "🏁", "", "important"},
		{"a flag on a golf course", agreed("🚩"), "⛳", "", "important"},
		{"a flag with a sign on it", agreed("🚩"), "🏴\u200D☠\uFE0F", "", "important"},
		{"a country's flag is nobody's mark", agreed("🇬🇧"), "🇬🇷", "", ""},
		{"the digit of a key", agreed("1\uFE0F\u20E3"), "1", "", "important"},
		{"an open lock", agreed("🔒"), "🔓", "", "important"},
		{"a lock with a key", agreed("🔒"), "🔐", "", "important"},
		{"what looks like a mark and is another", Marks{{Name: "a", Emoji: []string{"🔒"}}, {Name: "b", Emoji: []string{"🔐"}}}, "🔐", "b", ""},
		{"taken back", agreed("📌"), "", "", ""},
		{"an empty mark in the configuration matches nothing", agreed(""), "", "", ""},
		{"a variation selector alone is nothing", agreed(""), "\uFE0F", "", ""},
		{"a skin tone alone is nothing", agreed("🏽"), "🏽", "", ""},
		{"no mark is agreed", nil, "📌", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if m, is := tt.marks.Of(tt.emoji); m.Name != tt.is || is != (tt.is != "") {
				t.Errorf("Of(%q) = %q, %v; want %q", tt.emoji, m.Name, is, tt.is)
			}
			if m, is := tt.marks.Near(tt.emoji); m.Name != tt.near || is != (tt.near != "") {
				t.Errorf("Near(%q) = %q, %v; want %q", tt.emoji, m.Name, is, tt.near)
			}
		})
	}
}
