package content

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"muniment/internal/record"
)

func TestParseCard(t *testing.T) {
	for name, tt := range map[string]struct {
		card string
		want record.Card
	}{
		"of a phone":            {annsCard, record.Card{Name: "Ann Brook", Organisation: "Cranford Council, Parks", Numbers: []string{"+44 7700 900101"}, Emails: []string{"ann@cranford.example"}}},
		"nothing":               {"", record.Card{}},
		"words":                 {"Ann's number is 07700 900101", record.Card{}},
		"no full name":          {"N:Brook;Ann;May;Dr;OBE", record.Card{Name: "Dr Ann May Brook OBE"}},
		"an empty full name":    {"FN:\nN:Brook;Ann", record.Card{Name: "Ann Brook"}},
		"folded":                {"FN:Ann\r\n  Brook\r\nORG:Cran\r\n\tford", record.Card{Name: "Ann Brook", Organisation: "Cranford"}},
		"escaped":               {`FN:Ann\, Brook\; \\ and\nson`, record.Card{Name: `Ann, Brook; \ and son`}},
		"quoted-printable":      {"FN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:Zo=C3=AB =\n=42rook\nTEL;CELL:07700 900101", record.Card{Name: "Zoë Brook", Numbers: []string{"07700 900101"}}},
		"quoted-printable, bad": {"FN;ENCODING=QUOTED-PRINTABLE:Zo=ZZ", record.Card{Name: "Zo=ZZ"}},
		"not quoted-printable":  {"EMAIL:a=b=\nFN:Ann", record.Card{Name: "Ann", Emails: []string{"a=b="}}},
		"as a URI":              {"TEL;VALUE=uri:tel:+44-7700-900101\nEMAIL:mailto:ann@cranford.example", record.Card{Numbers: []string{"+44-7700-900101"}, Emails: []string{"ann@cranford.example"}}},
		"lower case, grouped":   {"begin:vcard\nx.fn:Ann\ny.tel;type=home:07700 900101", record.Card{Name: "Ann", Numbers: []string{"07700 900101"}}},
		"several of each":       {"FN:Ann\nFN:Bo\nTEL:1\nTEL:2\nTEL:1\nTEL:\nORG:\nORG:A;;B\nORG:C", record.Card{Name: "Ann", Organisation: "A, B", Numbers: []string{"1", "2"}}},
		"a photo":               {"PHOTO;ENCODING=b:" + strings.Repeat("AAAA\n ", 5000) + "\nFN:Ann", record.Card{Name: "Ann"}},
		"not UTF-8":             {"FN:Ann \xff\x00", record.Card{Name: "Ann \uFFFD"}},
		"too many lines":        {strings.Repeat("NOTE:x\n", maxCardLines) + "FN:Ann", record.Card{}},
	} {
		if diff := cmp.Diff(tt.want, parseCard(tt.card)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// FuzzCard asks for what must hold of any contact card.
func FuzzCard(f *testing.F) {
	for _, s := range []string{annsCard, "N:;;;;", "FN;QUOTED-PRINTABLE:=\n=\n=4", "a.b.TEL:\\", "ORG:;;\u2028;"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c := parseCard(s)
		for _, word := range append(append([]string{c.Name, c.Organisation}, c.Numbers...), c.Emails...) {
			if !utf8.ValidString(word) || strings.ContainsFunc(word, unicode.IsControl) || strings.ContainsRune(word, '\u2028') {
				t.Errorf("%q", word)
			}
		}
		if len(c.Name)+len(c.Organisation) > 6*len(s)+16 || len(c.Numbers) > maxItems || len(c.Emails) > maxItems {
			t.Errorf("larger than what it was made of: %d, %d, of %d", len(c.Name), len(c.Organisation), len(s))
		}
	})
}
