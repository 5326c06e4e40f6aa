package saying

import (
	"regexp"
	"slices"
	"strings"
	"unicode"

	"muniment/internal/archive"
	"muniment/internal/people"
	"muniment/internal/record"
)

// NotShown stands for a telephone number by which WhatsApp knows somebody of the
// group. What a member typed or attached is content and may be shown; but a contact card
// may be a member's, and then its number is what WhatsApp supplies of him (DESIGN.md,
// invariant 9).
const NotShown = "(number not shown)"

// number is what may be a telephone number, as people and their apps write it.
var number = regexp.MustCompile(`\+?\(?[0-9][0-9 \t./()\x{2010}-\x{2015}\x{a0}-]{4,}[0-9]`)

// known reports whether somebody is known by that number.
func (t Teller) known(number string) bool {
	digits := strings.Map(func(r rune) rune {
		if unicode.IsDigit(r) {
			return r
		}
		return -1
	}, number)
	if t.Names.Behind(record.Address{JID: digits + "@s.whatsapp.net"}) != 0 {
		return true
	}
	a, err := people.ParseNumber(number)
	return err == nil && t.Names.Behind(a) != 0
}

// hide returns s, which stands on a contact card, without the numbers of known people.
func (t Teller) hide(s string) string {
	return number.ReplaceAllStringFunc(s, func(n string) string {
		if t.known(n) {
			return NotShown
		}
		return n
	})
}

// Hidden returns where in the text of r numbers stand that are not to be shown.
func (t Teller) Hidden(r archive.Record) (spans [][]int) {
	if !bringsCards(r) {
		return nil
	}
	for _, at := range number.FindAllStringIndex(r.Text, -1) {
		if t.known(r.Text[at[0]:at[1]]) {
			spans = append(spans, at)
		}
	}
	return spans
}

func bringsCards(r archive.Record) bool {
	return r.Type == record.Contact || len(r.Details.Contacts) > 0
}

// Text returns all the words of r that are in its text, with mentions as names and
// without numbers that are not to be shown.
func (t Teller) Text(r archive.Record) string {
	text := t.Names.Mentioning(r.Text, r.Mentions)
	if bringsCards(r) {
		text = t.hide(text)
	}
	return text
}

// Details returns d without numbers that are not to be shown.
func (t Teller) Details(d record.Details) record.Details {
	d.Contacts = slices.Clone(d.Contacts)
	for i, c := range d.Contacts {
		c.Name, c.Organisation, c.Numbers = t.hide(c.Name), t.hide(c.Organisation), slices.Clone(c.Numbers)
		for j, n := range c.Numbers {
			if c.Numbers[j] = t.hide(n); t.known(n) {
				c.Numbers[j] = NotShown
			}
		}
		d.Contacts[i] = c
	}
	return d
}
