package letter

import (
	"fmt"

	"muniment/internal/disposal"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/saying"
	"muniment/internal/sqlite"
)

// Notice writes the notice of a disposal list to the clerk.
//
// It holds no message and names nobody in the group, so it bears no
// X-Council-Dispose-After: how long the council keeps a notice that it has had is
// for its own schedule.
func (w *Writer) Notice(tx *sqlite.Tx, h Header, n disposal.Notice) ([]byte, error) {
	seqs, err := disposal.Items(tx, n.List.ID)
	if err != nil {
		return nil, fmt.Errorf("notice of list %d: %w", n.List.ID, err)
	}
	title := "WhatsApp records due to be destroyed on " + n.List.DestroyOn.Long()
	d := document{Subject: title, Title: title}
	d.add(paragraph("By %s, %s will have been kept for the full time. %s", n.List.DestroyOn.Long(), w.listed(n, seqs), outcome(n)))
	d.section("What they are", block{Facts: w.particulars(n, seqs)})
	d.section("What you need to do", toDo(n)...)
	d.section("Reasons to keep records longer", reasonsToKeep()...)
	d.Footer = []string{"This notice holds no message and names nobody in the group."}
	msg, err := w.write(h, d)
	if err != nil {
		return nil, fmt.Errorf("notice of list %d: %w", n.List.ID, err)
	}
	return msg, nil
}

// listed says what stands on the list.
func (w *Writer) listed(n disposal.Notice, seqs []record.Seq) string {
	if len(seqs) == 0 && n.List.Entries > 0 {
		return saying.LogEntries(n.List.Entries)
	}
	s := saying.Count(len(seqs), "record") + " of the council’s " + w.official(w.named(n))
	if n.List.Entries > 0 {
		s += " and " + saying.LogEntries(n.List.Entries)
	}
	return s
}

// outcome says what becomes of the records if nobody does anything.
func outcome(n disposal.Notice) string {
	switch n.Approval {
	case disposal.Standing:
		return "They will be destroyed on that day or soon after it, unless there is a hold."
	case disposal.Each:
		return "They will be destroyed only if a named person approves this list."
	default:
		return "They will not be destroyed yet, because the council has not set how destruction is approved."
	}
}

func (w *Writer) particulars(n disposal.Notice, seqs []record.Seq) []fact {
	groups := "Group"
	if len(n.Groups) > 1 {
		groups = "Groups"
	}
	var fs []fact
	if len(seqs) > 0 {
		fs = append(fs, fact{groups, saying.And(w.named(n))}, fact{"Sent", between(n.From, n.To)})
	}
	for _, k := range []struct {
		name string
		n    int
	}{
		{"Messages", n.Messages},
		{"Reactions", n.Reactions},
		{"Joins and leaves", n.Changes},
		{"Other, such as votes and edits", n.Other},
	} {
		if k.n > 0 {
			fs = append(fs, fact{k.name, saying.Number(int64(k.n))})
		}
	}
	if len(seqs) > 0 {
		fs = append(fs, fact{"Record numbers", recordNumbers(seqs)})
	}
	for _, g := range n.Groups {
		if len(n.Groups) > 1 {
			fs = append(fs, fact{"Of these in " + w.group(g.Group), recordNumbers(g.Records)})
		}
	}
	if n.List.Entries > 0 {
		fs = append(fs, fact{"Entries of the access log", saying.Number(int64(n.List.Entries)) + ": who looked at the record, or had something sent"})
	}
	return append(fs,
		fact{"Disposal list", fmt.Sprintf("%d, drawn up on %s", n.List.ID, saying.Day(n.List.DrawnUp))},
		fact{"Why", w.policy()},
	)
}

// named returns what the groups of a notice are called.
func (w *Writer) named(n disposal.Notice) (names []string) {
	for _, g := range n.Groups {
		names = append(names, w.group(g.Group))
	}
	return names
}

// official names the groups that something is of, unless there is only one.
func (w *Writer) official(groups []string) string {
	only := len(w.Groups) == 1 && len(groups) < 2
	for jid := range w.Groups {
		only = only && (len(groups) == 0 || groups[0] == w.group(jid))
	}
	switch {
	case only:
		return "WhatsApp group"
	case len(groups) == 1:
		return "WhatsApp group " + groups[0]
	case len(groups) == 0:
		return "WhatsApp groups"
	}
	return "WhatsApp groups " + saying.And(groups)
}

// policy says under which rule records fall due.
func (w *Writer) policy() string {
	s := "The council’s policy"
	if w.PolicyTitle != "" {
		s += " (" + saying.OneLine(w.PolicyTitle)
		if w.PolicySection != "" {
			s += ", section " + saying.OneLine(w.PolicySection)
		}
		s += ")"
	}
	s += " is to keep WhatsApp records"
	if n := w.Schedule.Years(retention.Messages, ""); n < retention.Permanent {
		s += " for " + years(n) + " from the date of the message"
	} else {
		s += " for a fixed time"
	}
	return s + " and then to destroy them."
}

const placeHold = `sudo muniment hold place --all --for "NAME" --reason "TEXT"`

// toDo says what the clerk has to do, which depends on how the council approves.
func toDo(n disposal.Notice) []block {
	switch n.Approval {
	case disposal.Standing:
		return []block{
			paragraph("Nothing, unless there is a reason to keep any of them. The council approved destruction in advance (minute %s).",
				saying.OneLine(n.Minute)),
			paragraph("If there is a reason, tell the person who looks after the computer, in writing, before %s. "+
				"A hold then stops all destruction until it is released. The command is:", n.List.DestroyOn.Long()),
			{Verbatim: placeHold},
			explained(),
		}
	case disposal.Each:
		return []block{
			paragraph("If there is no reason to keep any of them, approve the list: ask the person who looks after the computer, " +
				"in writing, to enter your approval. The command is:"),
			{Verbatim: fmt.Sprintf("sudo muniment disposal approve %d --role ROLE --for \"NAME\" --reason \"TEXT\"", n.List.ID)},
			paragraph("ROLE is yours, such as clerk or chair; NAME is your name; TEXT says on what ground you approve."),
			paragraph("Until somebody approves, the records are kept, if need be for longer than the policy says."),
			paragraph("If there is a reason to keep any of them, do not approve, and ask in writing for a hold. " +
				"It stops all destruction until it is released. The command is:"),
			{Verbatim: placeHold},
			explained(),
		}
	default:
		return []block{
			paragraph("Bring it before the council. Until it has set who approves destruction, every record is kept, " +
				"and some for longer than the policy says."),
			paragraph("What the council sets is entered by the person who looks after the computer, under “approval” in the " +
				"section “disposal” of the program’s configuration."),
		}
	}
}

func explained() block {
	return paragraph("NAME is who asks for it, TEXT is the reason.")
}

func reasonsToKeep() []block {
	return []block{
		{List: []string{
			"a request for information that they may answer: under freedom of information, about the environment, or from " +
				"somebody who asks for their own data; and still while a review or an appeal may follow;",
			"a complaint, a dispute, or a question of somebody’s conduct;",
			"a legal claim, made or expected, or a matter of insurance;",
			"an investigation by the police or anybody else, an audit or an inquiry.",
		}},
		paragraph("What the council wants to keep for its lasting interest is to be copied into the council’s own records before that day."),
		{Callout: "To alter, hide or destroy information that has been requested, in order to prevent its disclosure, is a " +
			"criminal offence (Freedom of Information Act 2000, section 77; for somebody’s own data, Data Protection Act 2018, section 173)."},
	}
}
