package saying

import (
	"maps"
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
	switch {
	case r.Kind == record.Option: // as votes for it have it
		text = t.named(text)
	case bringsCards(r):
		text = t.hide(text)
	}
	return text
}

// Details returns d as it may be shown: with mentions as names, and without numbers that
// are not to be shown. Whom an option of a poll mentions is not said in the votes for it,
// so that every mention of somebody known is taken for one.
func (t Teller) Details(d record.Details) record.Details {
	all := func(list []string) (said []string) {
		for _, s := range list {
			said = append(said, t.named(s))
		}
		return said
	}
	d.Chosen, d.Offers, d.Amount, d.Called, d.Reason = all(d.Chosen), all(d.Offers), t.named(d.Amount), t.named(d.Called), t.named(d.Reason)
	if d.Link != nil {
		d.Link = &record.Link{URL: t.named(d.Link.URL), Title: t.named(d.Link.Title), Description: t.named(d.Link.Description)}
	}
	if p := d.Place; p != nil {
		named := *p
		named.Name, named.Address = t.named(p.Name), t.named(p.Address)
		d.Place = &named
	}
	if b := d.Poll; b != nil {
		named := *b
		named.Question, named.Options, named.Correct = t.named(b.Question), all(b.Options), t.named(b.Correct)
		d.Poll = &named
	}
	d.Tally = slices.Clone(d.Tally)
	for i := range d.Tally {
		d.Tally[i].Option = t.named(d.Tally[i].Option)
	}
	if e := d.Event; e != nil {
		named := *e
		named.Name, named.Description, named.Link = t.named(e.Name), t.named(e.Description), t.named(e.Link)
		d.Event = &named
	}
	d.Settings = maps.Clone(d.Settings)
	for name, value := range d.Settings {
		d.Settings[name] = t.named(value)
	}
	d.Contacts = slices.Clone(d.Contacts)
	for i, c := range d.Contacts {
		d.Contacts[i] = t.card(c)
	}
	return d
}

// card is Details for a contact card.
func (t Teller) card(c record.Card) record.Card {
	c.Name, c.Organisation = t.hide(t.named(c.Name)), t.hide(t.named(c.Organisation))
	c.Numbers, c.Emails = slices.Clone(c.Numbers), slices.Clone(c.Emails)
	for i, n := range c.Numbers {
		if c.Numbers[i] = t.hide(t.named(n)); t.known(n) {
			c.Numbers[i] = NotShown
		}
	}
	for i, e := range c.Emails {
		c.Emails[i] = t.hide(t.named(e))
	}
	return c
}

// mention is how WhatsApp writes one: @ and a number or LID.
var mention = regexp.MustCompile(`@[0-9]+`)

// named returns s with every mention of somebody known as a name.
func (t Teller) named(s string) string {
	return mention.ReplaceAllStringFunc(s, func(m string) string {
		for _, server := range []string{"@s.whatsapp.net", "@lid"} {
			if p := t.Names.Behind(record.Address{JID: m[1:] + server}); p != 0 {
				return "@" + t.Names.Of(p)
			}
		}
		return m
	})
}
