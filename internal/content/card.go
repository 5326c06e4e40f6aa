package content

import (
	"io"
	"mime/quotedprintable"
	"slices"
	"strings"

	"go.mau.fi/whatsmeow/proto/waE2E"

	"muniment/internal/record"
)

// contacts reads contact cards; title is what the sender's app calls several.
func (r *reading) contacts(title string, cards ...*waE2E.ContactMessage) bool {
	var words []string
	for _, c := range cards[:min(len(cards), maxItems)] {
		card := parseCard(c.GetVcard())
		if card.Name == "" {
			card.Name = OneLine(c.GetDisplayName())
		}
		r.details.Contacts = append(r.details.Contacts, card)
		words = append(words, card.Name, card.Organisation)
	}
	if len(words) == 0 {
		words = []string{OneLine(title)}
	}
	return r.says(record.Contact, words...)
}

// maxCardLines bounds what one contact card can cost.
const maxCardLines = 1000

// parseCard reads of a vCard, of whatever version, what a person would read. Phones
// write them in many ways, and senders can write anything: what it does not understand
// it passes over.
func parseCard(s string) (c record.Card) {
	var structured string // the name in parts, for cards that have no other
	for _, line := range cardLines(s) {
		head, value, _ := strings.Cut(line, ":")
		name, _, _ := strings.Cut(strings.ToUpper(head), ";")
		if _, property, grouped := strings.Cut(name, "."); grouped { // item1.TEL
			name = property
		}
		if !slices.Contains([]string{"FN", "N", "ORG", "TEL", "EMAIL"}, name) {
			continue
		}
		if quoted(head) {
			value = unquote(value)
		}
		switch parts := cardParts(value); name {
		case "FN":
			c.Name = first(c.Name, strings.Join(parts, " "))
		case "N":
			// Family, given, further names; honorifics before and after.
			parts = append(parts, "", "", "", "", "")
			structured = first(structured, strings.Join(strings.Fields(strings.Join([]string{parts[3], parts[1], parts[2], parts[0], parts[4]}, " ")), " "))
		case "ORG":
			parts = slices.DeleteFunc(parts, func(s string) bool { return s == "" })
			c.Organisation = first(c.Organisation, strings.Join(parts, ", "))
		case "TEL":
			c.Numbers = appendNew(c.Numbers, strings.TrimPrefix(strings.Join(parts, " "), "tel:"))
		case "EMAIL":
			c.Emails = appendNew(c.Emails, strings.TrimPrefix(strings.Join(parts, " "), "mailto:"))
		}
	}
	c.Name = first(c.Name, structured)
	return c
}

// cardLines returns the lines of a vCard, those together that were folded.
func cardLines(s string) (all []string) {
	s = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(Valid(s))
	var line strings.Builder
	soft, continues := false, false // it is quoted-printable, and its end is none
	for next := range strings.SplitSeq(s, "\n") {
		folded := next != "" && (next[0] == ' ' || next[0] == '\t')
		if line.Len() > 0 && !continues && !folded {
			all = append(all, line.String())
			line.Reset()
		}
		if line.Len() == 0 {
			head, _, _ := strings.Cut(next, ":")
			soft = quoted(head)
		} else if folded && !continues {
			next = next[1:]
		}
		if continues = soft && strings.HasSuffix(next, "="); continues {
			next = next[:len(next)-1]
		}
		line.WriteString(next)
		if len(all) == maxCardLines {
			return all
		}
	}
	return append(all, line.String())
}

// quoted reports whether the head of a line says that its value is quoted-printable.
func quoted(head string) bool { return strings.Contains(strings.ToUpper(head), "QUOTED-PRINTABLE") }

func unquote(value string) string {
	b, err := io.ReadAll(quotedprintable.NewReader(strings.NewReader(value)))
	if err != nil {
		return value
	}
	return string(b)
}

// cardParts splits a value at its semicolons and undoes what escapes.
func cardParts(value string) (parts []string) {
	var part strings.Builder
	escaped := false
	end := func() {
		parts = append(parts, strings.TrimSpace(OneLine(part.String())))
		part.Reset()
	}
	for _, c := range value {
		switch {
		case escaped && (c == 'n' || c == 'N'):
			part.WriteByte(' ')
		case escaped:
			part.WriteRune(c)
		case c == '\\':
			escaped = true
			continue
		case c == ';':
			end()
			continue
		default:
			part.WriteRune(c)
		}
		escaped = false
	}
	end()
	return parts
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func appendNew(all []string, s string) []string {
	if s == "" || len(all) == maxItems || slices.Contains(all, s) {
		return all
	}
	return append(all, s)
}
