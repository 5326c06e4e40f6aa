package people

import (
	"database/sql"
	"fmt"
	"strings"

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

// numbers is WhatsApp's server of telephone numbers, as it ends their addresses.
const numbers = "@s.whatsapp.net"

func isLID(jid string) bool { return strings.HasSuffix(jid, "@lid") }

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
		} else if of[p] == "" {
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
