package letter

import (
	"fmt"

	"muniment/internal/disposal"
	"muniment/internal/saying"
)

// Early writes of an early disposal (C20): part 1, to the clerk and the chair, that it is
// proposed, part 2 that it was confirmed, and from part 3 on to somebody who sent what
// goes. It holds no message and names nobody in the group.
func (w *Writer) Early(h Header, n disposal.EarlyNotice, part int) ([]byte, error) {
	l := n.List
	what := fmt.Sprintf("%s of the council’s %s, sent %s", saying.Count(len(n.Records), "record"), w.official(nil), between(n.From, n.To))
	if len(n.Records) == 0 {
		what = "what was proposed"
	}
	var d document
	switch {
	case part == 1:
		d.Title = fmt.Sprintf("Early disposal %d was proposed", l.ID)
		d.Subject = fmt.Sprintf("For a second person to confirm: early disposal %d of WhatsApp records", l.ID)
		d.add(
			paragraph("%s, the %s, proposes to destroy %s, before the end of the time for which such records are kept.", saying.OneLine(l.ProposedBy), saying.OneLine(l.Proposer), what),
			block{Facts: w.earlyFacts(n)},
			paragraph("Nothing happens unless somebody else confirms it: the clerk, the deputy clerk or the chair must be one of the two. To confirm, "+
				"ask the person who looks after the computer, in writing. The command is:"),
			block{Verbatim: fmt.Sprintf("sudo muniment disposal confirm %d --role ROLE --for \"NAME\" --reason \"TEXT\"", l.ID)},
			paragraph("ROLE is yours, such as clerk or chair; NAME is your name; TEXT says on what ground you confirm."),
			paragraph("Without that it lapses after sixty days. It will be refused while any of it is on hold. That somebody has deleted a message in WhatsApp is no reason for early disposal."),
		)
	case part == 2:
		d.Title = fmt.Sprintf("Early disposal %d is confirmed", l.ID)
		d.Subject = fmt.Sprintf("WhatsApp records will be destroyed early tonight: early disposal %d", l.ID)
		d.add(
			paragraph("%s, the %s, has confirmed what %s, the %s, had proposed. In the coming night they will be destroyed, with every copy in the council’s record: %s.",
				saying.OneLine(l.ApprovedBy), saying.OneLine(l.Approver), saying.OneLine(l.ProposedBy), saying.OneLine(l.Proposer), what),
			block{Facts: w.earlyFacts(n)},
			paragraph("If anybody has asked for it, or there is any other reason to keep it, have it put on hold before tonight. Nothing on hold is destroyed."),
		)
		if n.Untold > 0 {
			d.add(block{Callout: fmt.Sprintf("Please tell the sender yourself: of those who sent it, %s no address of the council’s own on the member register.", have(n.Untold))})
		}
	default:
		d.Title = "Something that you sent will not be kept"
		d.Subject = "WhatsApp group: something that you sent is removed from the council’s record"
		d.add(
			paragraph("Something that you sent will be removed from the council’s record in the coming night: you sent some or all of %s. The reason: %s.", what, string(l.Because)),
			paragraph("The %s has proposed it and the %s has confirmed it. The records are destroyed, and a certificate says so. "+
				"What is on your phone, and on those of others in the group, is not touched.", saying.OneLine(l.Proposer), saying.OneLine(l.Approver)),
			paragraph("If you think that it should be kept, or that somebody has asked for it, please tell the clerk today."),
		)
	}
	d.Footer = []string{
		"This email holds no message. To alter, hide or destroy information that has been requested, in order to prevent its disclosure, is a " +
			"criminal offence (Freedom of Information Act 2000, section 77; for somebody’s own data, Data Protection Act 2018, section 173).",
	}
	msg, err := w.write(h, d)
	if err != nil {
		return nil, fmt.Errorf("early disposal %d: %w", l.ID, err)
	}
	return msg, nil
}

func (w *Writer) earlyFacts(n disposal.EarlyNotice) []fact {
	fs := []fact{
		{"Why", saying.Capital(string(n.List.Because))},
		{"In the words of who proposed it", n.Reason},
		{"Proposed on", saying.Moment(n.List.DrawnUp)},
	}
	if len(n.Records) > 0 {
		fs = append(fs, fact{"Record numbers", recordNumbers(n.Records)})
	}
	return given(fs)
}

// have says how many have something.
func have(n int) string {
	if n == 1 {
		return "one has"
	}
	return saying.Number(int64(n)) + " have"
}

// Reminder writes that a disposal list waits for approval.
func (w *Writer) Reminder(h Header, r disposal.Reminder) ([]byte, error) {
	l := r.List
	d := document{Title: fmt.Sprintf("Disposal list %d waits for approval", l.ID)}
	d.Subject = d.Title
	waits := fmt.Sprintf("The notice of disposal list %d was sent %s ago, and nobody has approved the list yet.", l.ID, saying.Count(r.Waits, "day"))
	if r.Overdue > 0 {
		d.Subject = fmt.Sprintf("Overdue: disposal list %d waits for approval", l.ID)
		waits += fmt.Sprintf(" What is on it should have been destroyed from %s on, %s ago: it is kept for longer than the council’s policy says.",
			l.DestroyOn.Long(), saying.Count(r.Overdue, "day"))
	}
	d.add(paragraph("%s", waits))
	if r.ToChair {
		d.add(paragraph("This email goes to the clerk and the chair, since the list has waited for more than sixty days."))
	}
	if r.NoChair {
		d.add(block{Callout: "After sixty days the chair should be told, too, but the member register has no chair with an address of the council’s own. Please tell the chair yourself."})
	}
	d.section("What is on it", block{Facts: []fact{
		{"Records", saying.Number(int64(l.Records))},
		{"Sent", between(r.From, r.To)},
		{"To be destroyed from", l.DestroyOn.Long()},
	}})
	d.section("What you need to do", toDo(r.Notice)...)
	d.Footer = []string{"This reminder comes once a week until the list is approved or what is on it is on hold. It holds no message and names nobody in the group."}
	msg, err := w.write(h, d)
	if err != nil {
		return nil, fmt.Errorf("reminder of list %d: %w", l.ID, err)
	}
	return msg, nil
}
