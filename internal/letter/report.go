package letter

import (
	"cmp"
	"fmt"

	"muniment/internal/forward"
	"muniment/internal/record"
	"muniment/internal/saying"
	"muniment/internal/sqlite"
)

// document says what a conversation's letter says, by what its mark does.
func (w *Writer) document(r reading) document {
	if r.Part > 1 {
		return w.part(r)
	}
	switch r.Does {
	case record.Report:
		return w.report(r)
	case record.Look:
		return w.look(r)
	}
	return w.conversation(r)
}

// report tells the clerk, or the chair where the clerk is concerned, that a member has
// reported a concern. It takes no side: nobody has looked into it yet. Its subject names
// nobody, since it shows on locked screens.
func (w *Writer) report(r reading) document {
	d := document{Title: "A member has reported a concern"}
	d.Subject = fmt.Sprintf("A concern was reported: WhatsApp conversation %d of %s%s%s", r.ID, r.began.Long(), w.in(r.group()), r.ofParts(", "))
	d.add(w.occasion(r)...)
	d.add(block{Callout: "This is a report, not a finding. Nobody has looked into it, and a mark does not say what the concern is."})
	d.add(paragraph("The marked message: %s (record %d).", r.describeAlone(), r.Marked))
	if r.AboutClerk {
		d.add(paragraph("It was sent by the clerk or the deputy clerk, or from the council’s own account. So this email goes to the chair, and not to the clerk."))
	} else {
		d.add(paragraph("This email goes to this mailbox only, and not to the council mailbox."))
	}
	d.section("What to do next", block{List: []string{
		"Tell " + r.reporters() + " that you have this: the program cannot, as it sends nothing to WhatsApp. Ask, in private, what the concern is.",
		"Everybody in the group can see the reaction, and whose it is. " + privately,
		w.dataBreach(),
		"If it is about how somebody behaved: a parish council cannot itself investigate or sanction its members. What may be a breach of the " +
			"code of conduct goes to the Monitoring Officer; what concerns a member of staff, through the council’s own procedure.",
		"If it may come to a dispute or a claim, have what bears on it put on hold, so that nothing of it is destroyed. Nothing has been put on hold by this report.",
		"Note what came of it, and when, also if it is that nothing needs to be done.",
	}})
	d.add(r.below()...)
	d.add(r.missing(saying.Teller{Names: r.names, Groups: w.names()})...)
	d.section("The messages", r.days()...)
	d.section("How these messages were chosen", r.choice()...)
	d.DisposeAfter = r.dispose()
	d.informal()
	return d
}

// look asks the clerk whether a message belongs in the group.
func (w *Writer) look(r reading) document {
	d := document{Title: "Please look whether this belongs in the group"}
	d.Subject = fmt.Sprintf("Please look at a message: WhatsApp conversation %d of %s%s", r.ID, r.messages[0].SentOn.Long(), w.in(r.group()))
	d.add(w.occasion(r)...)
	d.add(
		block{Callout: fmt.Sprintf("%s asks whether record %d, below, belongs in the group. That is a question, not a finding.", saying.Capital(r.reporters()), r.Marked)},
		paragraph("This email goes to this mailbox only, and not to the council mailbox. All times are London time."),
	)
	d.section("The message", r.days()...)
	d.section("What to do next", block{List: []string{
		"If it does not belong there, ask its sender to delete it for everyone, so that it leaves members’ phones.",
		fmt.Sprintf("That does not remove it from the council’s record, which keeps it until %s. Whether it may be destroyed earlier, as not council "+
			"business, is for the council’s policy to say; nothing is destroyed because of this mark.", r.dispose().Long()),
		w.dataBreach(),
		"Everybody in the group can see the reaction, and whose it is. " + privately,
	}})
	d.DisposeAfter = r.dispose()
	d.informal()
	return d
}

// privately is the route that shows nobody's face.
const privately = "Whoever does not want to be seen to ask can write or speak to the clerk; or to the chair, if it is about the clerk."

// dataBreach is what everybody has to know who learns of one.
func (w *Writer) dataBreach() string {
	return fmt.Sprintf("If personal data may have been lost, altered, or seen by somebody who should not have seen it, follow the council’s procedure for data "+
		"breaches at once. One that may put people at risk must be reported to %s within 72 hours of when the council became aware "+
		"of it, nights and weekends included; that may be when you read this. Every breach is written down, reported or not (UK GDPR, Article 33).",
		saying.OneLine(cmp.Or(w.Regulator, "the regulator of data protection")))
}

// reporters names those who put the mark.
func (r reading) reporters() string {
	var names []string
	for _, m := range r.Marks {
		names = append(names, r.name(m.Person))
	}
	if len(names) == 0 { // all destroyed since
		return "whoever put the mark"
	}
	return saying.And(names)
}

// describeAlone names the marked message where its words stand below.
func (r reading) describeAlone() string {
	if r.marked.Seq == 0 || r.marked.Destroyed != "" {
		return "a message since destroyed"
	}
	return fmt.Sprintf("%s, %s", r.name(r.marked.Person), saying.Moment(r.marked.Sent))
}

// TakenBack writes the note that is filed with a conversation when the last mark on it was
// taken back. It returns [ErrNothingLeft] if it is not known any more who did.
func (w *Writer) TakenBack(tx *sqlite.Tx, h Header, t forward.TakenBackMarks) ([]byte, error) {
	if len(t.Marks) == 0 {
		return nil, ErrNothingLeft
	}
	r, err := read(tx, h, t.Conversation)
	if err != nil {
		return nil, fmt.Errorf("marks taken back of conversation %d: %w", t.Conversation.ID, err)
	}
	d := document{Title: "A mark was taken back"}
	d.Subject = fmt.Sprintf("The mark on WhatsApp conversation %d was taken back%s", r.ID, w.in(r.group()))
	for _, m := range t.Marks {
		d.add(paragraph("%s, who had marked record %d on %s with %s, took the mark back on %s, or changed it to another reaction.",
			r.name(m.Person), r.Marked, saying.Moment(m.At), emoji(m.Emoji), saying.Moment(m.Back)))
	}
	d.add(
		paragraph("No such mark stands on the message any more. By then it had been emailed, as conversation %d%s: nothing is recalled, and the email stays "+
			"where it was filed. This note is to be filed with it.", r.ID, w.in(r.group())),
		paragraph("All times are London time."),
	)
	d.DisposeAfter = r.dispose()
	d.Footer = []string{"This email is a council record: " + d.disposal() + ", with the one that it belongs to."}
	msg, err := w.write(h, d)
	if err != nil {
		return nil, fmt.Errorf("marks taken back of conversation %d: %w", r.ID, err)
	}
	return msg, nil
}
