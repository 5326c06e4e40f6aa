package letter

import (
	"fmt"
	"strings"

	"muniment/internal/archive"
	"muniment/internal/retention"
	"muniment/internal/saying"
)

// Hold writes to the clerk that everything is on hold since somebody asked for it in
// the group. It tells who and when, and nothing of what was said.
func (w *Writer) Hold(h Header, placed archive.Hold) ([]byte, error) {
	d := document{Title: "Everything is on hold"}
	d.Subject = fmt.Sprintf("Hold %d: nothing is destroyed until it is released", placed.ID)
	d.add(
		block{Callout: "From now on nothing of the WhatsApp record is destroyed, whatever has been approved."},
		paragraph("%s placed hold %d on %s: %s. The clerk, the deputy clerk and the chair can do that.",
			saying.OneLine(placed.PlacedBy), placed.ID, saying.Moment(placed.Placed), saying.OneLine(placed.Reason)),
		paragraph("Taking the reaction back does not end the hold. When it is no longer needed, ask the person who looks after the computer, in writing, to release it, and say why. "+
			"The command is:"),
		block{Verbatim: fmt.Sprintf("sudo muniment hold release %d --for \"NAME\" --reason \"TEXT\"", placed.ID)},
		paragraph("A hold on a part of the record only is often enough: on one member, on some days, or on what a search finds. "+
			"That person can place one before this one is released."),
	)
	if saying.HoldFor(placed) == "" {
		d.add(
			paragraph("If it is for a request, a dispute or any other case, please have that entered, with the reference that the council gave the case. The command is:"),
			block{Verbatim: fmt.Sprintf("sudo muniment hold describe %d --kind KIND --case REFERENCE \\\n    --for \"NAME\" --reason \"TEXT\"", placed.ID)},
			paragraph("KIND is what it is for, such as foi, eir, sar, dispute or litigation; `muniment hold describe --help` has them all."),
		)
	}
	if placed.Review != "" {
		d.add(paragraph("Please ask yourself by %s whether it is still needed. You are reminded then.", placed.Review.Long()))
	}
	d.Footer = []string{
		"Information that has been requested must not be altered, hidden or destroyed to prevent its disclosure: that is a criminal offence " +
			"(Freedom of Information Act 2000, section 77; Data Protection Act 2018, section 173).",
	}
	return w.write(h, d)
}

// HoldReview reminds the clerk that somebody should ask whether a hold is still needed, on
// the day of its review and as long as nobody has. It tells nothing of what was said.
func (w *Writer) HoldReview(h Header, placed archive.Hold) ([]byte, error) {
	today := retention.DateOf(h.Date)
	d := document{Title: fmt.Sprintf("Is hold %d still needed?", placed.ID)}
	d.Subject = fmt.Sprintf("Hold %d: is it still needed?", placed.ID)
	when := "was to be reviewed by " + placed.Review.Long()
	if placed.Review >= today {
		when = "is to be reviewed today"
	}
	what := fmt.Sprintf("Hold %d", placed.ID)
	if of := saying.HoldFor(placed); of != "" {
		what += ", for " + of + ","
	}
	d.add(
		paragraph("%s %s. %s placed it on %s: %s.", what, when, saying.OneLine(placed.PlacedBy), retention.DateOf(placed.Placed).Long(),
			strings.TrimRight(saying.OneLine(placed.Reason), ".")),
		paragraph("It goes on until it is released, and nothing that it covers is destroyed meanwhile, whatever has been approved."),
	)
	if law := saying.HoldLaw(placed.Kind); law != "" {
		d.add(block{Callout: law})
	}
	d.add(
		paragraph("If it is still needed, ask the person who looks after the computer, in writing, to record that, with the reason and the day on which to ask again, six months "+
			"ahead at the latest. The command is:"),
		block{Verbatim: fmt.Sprintf("sudo muniment hold review %d --until \"DATE\" --for \"NAME\" --reason \"TEXT\"", placed.ID)},
		paragraph("If it is not, because the case is closed and nobody can take it further, ask for its release. What it kept then goes on a new disposal list, of which "+
			"you are given notice. The command is:"),
		block{Verbatim: fmt.Sprintf("sudo muniment hold release %d --for \"NAME\" --reason \"TEXT\"", placed.ID)},
	)
	d.Footer = []string{"This email comes once a week until one of these is done. It holds no message."}
	return w.write(h, d)
}
