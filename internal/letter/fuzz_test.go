package letter

import (
	"bytes"
	"mime"
	netmail "net/mail"
	"strings"
	"testing"
	"time"

	"muniment/internal/retention"
	"muniment/internal/saying"
)

// Whatever a council is called and whatever its members type, the letter is a
// sound email, reads back as it was written, and bears no field that we did not set.
func FuzzCompose(f *testing.F) {
	f.Add("Cranford Parish Council", "Cllr Ann Brook", "The river is over the bank.", "📌", "record 17")
	f.Add("Cyngor Tref Llanfair — Clerc", "Siân Ŵyn 🏛", "Bore da\r\nBcc: x@y.example\r\n\r\n.\r\n..", "👍🏽", "a\r\nX-Evil: 1")
	f.Add("\"Quoted\\", "<script>", "</p><script>alert(1)</script> & < > \" ' =3D =\n--=_muniment_", "❤️", "=?utf-8?q?=0D=0A?=")
	f.Add(strings.Repeat("x", 2000), "\u202eAnn", "a\u2028b\u0085c\vd\x00e\xff", strings.Repeat("é", 500), strings.Repeat("= ", 300))
	f.Add("", "", "", "", "")
	f.Fuzz(func(t *testing.T, council, name, typed, reaction, subject string) {
		h := header("conversation.1", time.Date(2026, 10, 25, 0, 30, 0, 0, time.UTC))
		d := document{Council: saying.OneLine(council), Subject: "[" + saying.OneLine(council) + "] " + saying.OneLine(subject), Title: saying.OneLine(subject)}
		d.section("The messages",
			block{Message: &message{Time: "14:02", Name: saying.OneLine(name), Record: "record 17", Lines: saying.Lines(typed), Reactions: emoji(reaction)}},
			block{Facts: given([]fact{{"Council", council}})}, block{List: []string{saying.Excerpt(typed, 60)}})
		d.Footer = []string{"The end."}
		d.DisposeAfter = retention.Date("2032-10-26")
		msg, err := compose(h, d)
		if err != nil {
			t.Fatal(err)
		}
		again, _ := compose(h, d)
		if !bytes.Equal(msg, again) {
			t.Error("two attempts differ")
		}
		p := parse(t, msg)
		if p.text != d.text() {
			t.Errorf("text reads back as %q; want %q", p.text, d.text())
		}
		if html, _ := d.html(); p.html != html {
			t.Errorf("HTML reads back as %q; want %q", p.html, html)
		}
		if len(p.fields) != 12 {
			t.Errorf("fields: %v", p.fields)
		}
		checkFields(t, p, d)
		checkTyped(t, p.text, typed)
		if strings.Count(p.html, "<") != strings.Count(p.html, ">") || strings.Contains(p.html, "<script") {
			t.Errorf("HTML is broken: %s", p.html)
		}
	})
}

func checkFields(t *testing.T, p parsed, d document) {
	t.Helper()
	subject, err := new(mime.WordDecoder).DecodeHeader(p.fields.Get("Subject"))
	if err != nil || strings.TrimSpace(subject) != strings.TrimSpace(d.Subject) {
		t.Errorf("subject reads back as %q, %v; want %q", subject, err, d.Subject)
	}
	from, err := netmail.ParseAddress(p.fields.Get("From"))
	if err != nil || from.Name != d.Council || from.Address != "record@cranford-pc.example" {
		t.Errorf("sender reads back as %v, %v; want %q", from, err, d.Council)
	}
	list, err := new(mime.WordDecoder).DecodeHeader(p.fields.Get("List-Id"))
	list = strings.Join(strings.Fields(strings.ReplaceAll(list, `"`, "")), "")
	if want := strings.Join(strings.Fields(strings.ReplaceAll(d.Council, `"`, "")), "") + "WhatsApprecord<record.cranford-pc.example>"; err != nil || list != want {
		t.Errorf("list reads back as %q, %v; want %q", list, err, want)
	}
	if date := p.fields.Get("Date"); date != "Sun, 25 Oct 2026 01:30:00 +0100" {
		t.Errorf("date is %q; want London's", date)
	}
}

// checkTyped compares what stands behind the bars with what was typed, word by word.
func checkTyped(t *testing.T, text, typed string) {
	t.Helper()
	var behind []string
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, "  |"); ok {
			behind = append(behind, rest)
		}
	}
	got, want := words(strings.Join(behind, " ")), words(strings.Join(saying.Lines(typed), " "))
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("typed %q; the letter says %q", want, got)
	}
}

func words(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == '\t' || r == '\n' })
}
