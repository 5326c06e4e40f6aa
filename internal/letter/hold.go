package letter

import (
	"fmt"

	"muniment/internal/archive"
	"muniment/internal/saying"
)

// Hold writes to the clerk that everything is on hold since somebody asked for it in
// the group. It tells who and when, and nothing of what was said.
func (w *Writer) Hold(h Header, placed archive.Hold) ([]byte, error) {
	d := document{Title: "Everything is on hold"}
	d.Subject = fmt.Sprintf("Hold %d: nothing is destroyed until it is released", placed.ID)
	d.add(
		block{Callout: "From now on nothing of the WhatsApp record is destroyed, whatever has been approved."},
		paragraph("%s placed hold %d on %s: %s. The clerk and the chair can do that.",
			saying.OneLine(placed.PlacedBy), placed.ID, saying.Moment(placed.Placed), saying.OneLine(placed.Reason)),
		paragraph("Taking the reaction back does not end the hold. When it is no longer needed, ask the system administrator in writing to release it, and say why. "+
			"The command is:"),
		block{Verbatim: fmt.Sprintf("sudo muniment hold release %d --for \"NAME\" --reason \"TEXT\"", placed.ID)},
		paragraph("A hold on a part of the record only is often enough: on one member, on some days, or on what a search finds. "+
			"The system administrator can place one before this one is released."),
	)
	if placed.Review != "" {
		d.add(paragraph("Please ask yourself by %s whether it is still needed. The weekly summary reminds you.", placed.Review.Long()))
	}
	d.Footer = []string{
		"Information that has been requested must not be altered, hidden or destroyed to prevent its disclosure: that is a criminal offence " +
			"(Freedom of Information Act 2000, section 77; Data Protection Act 2018, section 173).",
	}
	return w.write(h, d)
}
