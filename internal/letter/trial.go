package letter

import (
	"fmt"

	"muniment/internal/saying"
)

// Connection is what is known of the way to the mail server.
type Connection struct {
	Server string // host:port
	TLS    string // version, as in "TLS 1.3"; empty where it is not known yet
}

// Test writes the email by which `muniment check` tries the mail path.
func (w *Writer) Test(h Header, c Connection) ([]byte, error) {
	d := document{
		Subject: "Test of the WhatsApp record’s email",
		Title:   "Test of the WhatsApp record’s email",
	}
	d.add(
		paragraph("If you can read this, emails from the program that keeps the council’s WhatsApp record arrive in this mailbox. "+
			"Nobody needs to do anything."),
		block{Facts: given([]fact{
			{"Council", w.Council},
			{"Sent from", h.From},
			{"Sent to", saying.And(h.To)},
			{"Written", saying.Moment(h.Date)},
			{"Mail server", c.Server},
			{"Connection", secured(c.TLS)},
		})},
	)
	d.Footer = []string{"This email is no record of the council and may be deleted."}
	msg, err := w.write(h, d)
	if err != nil {
		return nil, fmt.Errorf("test letter: %w", err)
	}
	return msg, nil
}

// secured says how the connection is protected. That it is needs no proof from
// the caller: the program sends on no other.
func secured(tls string) string {
	const verified = "and the mail server’s certificate was verified"
	if tls == "" {
		return "Encrypted, " + verified
	}
	return "Encrypted with " + tls + ", " + verified
}
