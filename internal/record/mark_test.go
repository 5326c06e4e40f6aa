package record

import "testing"

func TestMarks(t *testing.T) {
	for _, tt := range []struct {
		name  string
		marks Marks
		emoji string
		has   bool
	}{
		{"the agreed emoji", Marks{"📌"}, "📌", true},
		{"one of several agreed", Marks{"📌", "🛑"}, "🛑", true},
		{"another emoji", Marks{"📌"}, "👍", false},
		{"the phone adds a variation selector", Marks{"📌"}, "📌\uFE0F", true},
		{"the phone drops the one that was agreed", Marks{"✔\uFE0F"}, "✔", true},
		{"text style against emoji style", Marks{"✔\uFE0F"}, "✔\uFE0E", true},
		{"a skin tone on what was agreed without", Marks{"👍"}, "👍🏽", true},
		{"none on what was agreed with one", Marks{"👍🏿"}, "👍", true},
		{"a longer sequence that begins alike", Marks{"👩"}, "👩\u200D🌾", false},
		{"taken back", Marks{"📌"}, "", false},
		{"an empty mark in the configuration matches nothing", Marks{""}, "", false},
		{"a variation selector alone is nothing", Marks{""}, "\uFE0F", false},
		{"a skin tone alone is nothing", Marks{"🏽"}, "🏽", false},
		{"no mark is agreed", nil, "📌", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if has := tt.marks.Has(tt.emoji); has != tt.has {
				t.Errorf("Marks%q.Has(%q) = %v; want %v", tt.marks, tt.emoji, has, tt.has)
			}
		})
	}
}
