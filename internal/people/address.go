package people

import (
	"database/sql"
	"fmt"
	"strings"
	"unicode"

	"github.com/nyaruka/phonenumbers"

	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// ParseNumber turns a telephone number as people write it (a UK number without
// its country code, or any with one) into WhatsApp's address for it. A number
// is not refused for belonging to a range that is not in use.
func ParseNumber(s string) (record.Address, error) {
	n, err := phonenumbers.Parse(s, "GB")
	if err != nil {
		return record.Address{}, fmt.Errorf("%q is not a telephone number: write it as 07700 900123 or +44 7700 900123", s)
	}
	length := phonenumbers.IsPossibleNumberWithReason(n)
	// Nearly all UK numbers have ten digits after the zero; the library lets nine
	// pass because a few old landlines have them, and those it knows to be valid.
	if n.GetCountryCode() == 44 && len(phonenumbers.GetNationalSignificantNumber(n)) < 10 && !phonenumbers.IsValidNumber(n) {
		length = phonenumbers.TOO_SHORT
	}
	switch length {
	case phonenumbers.IS_POSSIBLE:
		return record.Address{JID: strings.TrimPrefix(phonenumbers.Format(n, phonenumbers.E164), "+") + numbers}, nil
	case phonenumbers.TOO_SHORT, phonenumbers.IS_POSSIBLE_LOCAL_ONLY:
		return record.Address{}, fmt.Errorf("%q has too few digits for a telephone number: write it as 07700 900123 or +44 7700 900123", s)
	case phonenumbers.TOO_LONG:
		return record.Address{}, fmt.Errorf("%q has too many digits for a telephone number: write it as 07700 900123 or +44 7700 900123", s)
	}
	return record.Address{}, fmt.Errorf("%q is not a telephone number: write it as 07700 900123 or +44 7700 900123", s)
}

// The ends of addresses: WhatsApp's servers of numbers and of LIDs, and our own for
// people of whom there is only what a phone calls them.
const (
	numbers = "@s.whatsapp.net"
	lids    = "@lid"
	exports = "@export"
)

func isLID(jid string) bool    { return strings.HasSuffix(jid, lids) }
func isNumber(jid string) bool { return strings.HasSuffix(jid, numbers) }

// Exported returns the address of an author whom a phone's export of the chat names:
// made of the name that the phone has for him, or the number where it has none. Two
// phones may have one name for two people, and two names for one: who it is, somebody
// has to say; see [IdentifyMember].
func Exported(author string) record.Address {
	name := strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Bidi_Control, r) { // exports set names between marks of direction
			return -1
		}
		return r
	}, author)), " ")
	if strings.HasPrefix(name, "+") && !strings.ContainsFunc(name, unicode.IsLetter) {
		if a, err := ParseNumber(name); err == nil {
			return a
		}
	}
	if name == "" {
		return record.Address{}
	}
	return record.Address{JID: name + exports}
}

// ExportedName returns the name in an address that [Exported] made of one.
func ExportedName(a record.Address) (name string, ok bool) {
	return strings.CutSuffix(a.JID, exports)
}

// Addresses returns how the sysadmin tells everybody known from others: the
// telephone number, written as [ParseNumber] reads it, or where it is hidden
// the LID. It is for her terminal alone (DESIGN.md, invariant 9).
func Addresses(tx *sqlite.Tx) (map[ID]string, error) {
	of := make(map[ID]string)
	return of, scan(tx, "SELECT jid, person FROM address ORDER BY jid", func(rows *sql.Rows) error {
		var jid string
		var p ID
		if err := rows.Scan(&jid, &p); err != nil {
			return err
		}
		if user, isNumber := strings.CutSuffix(jid, numbers); isNumber {
			of[p] = writeNumber(user)
		} else if isLID(jid) && of[p] == "" {
			of[p] = jid
		}
		return nil
	})
}

// writeNumber writes the digits of a number as people do: a UK number without
// its country code.
func writeNumber(digits string) string {
	n, err := phonenumbers.Parse("+"+digits, "")
	switch {
	case err != nil:
		return "+" + digits
	case n.GetCountryCode() == 44:
		return phonenumbers.Format(n, phonenumbers.NATIONAL)
	}
	return phonenumbers.Format(n, phonenumbers.INTERNATIONAL)
}
