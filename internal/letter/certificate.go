package letter

import (
	"fmt"
	"slices"

	"muniment/internal/archive"
	"muniment/internal/disposal"
	"muniment/internal/saying"
)

// Certificate writes the certificate of a disposal run to the clerk.
//
// It is what remains to explain why the records are no longer there, so it is to
// be kept for good and bears no X-Council-Dispose-After. It claims no more than
// the run has proved.
func (w *Writer) Certificate(h Header, c disposal.Certificate) ([]byte, error) {
	d := document{
		Subject: fmt.Sprintf("Certificate of destruction %d: WhatsApp records", c.Number),
		Title:   fmt.Sprintf("Certificate of destruction %d", c.Number),
	}
	d.add(w.lead(c))
	d.add(exceptions(c)...)
	d.section("On whose authority", block{Facts: w.authority(c)})
	d.section("When and by what", block{Facts: circumstances(c)})
	d.section("How they were destroyed", method()...)
	d.section("How it was checked", check(c)...)
	d.section("Emailed copies to delete by hand", copies(c)...)
	d.section("What this certificate does not cover", beyond()...)
	d.section("Proof of what is still kept", proof(c)...)
	d.section("Annex: the records destroyed", annex(c)...)
	d.Footer = []string{"Please keep this certificate for good. It holds nothing of what the records said and names nobody in the group."}
	msg, err := w.write(h, d)
	if err != nil {
		return nil, fmt.Errorf("certificate %d: %w", c.Number, err)
	}
	return msg, nil
}

// lead says how much was destroyed.
func (w *Writer) lead(c disposal.Certificate) block {
	var groups []string
	for _, g := range c.Groups {
		groups = append(groups, quotedGroup(g.Group))
	}
	of := w.official(groups)
	if len(c.Destroyed) == 0 {
		return paragraph("No record of the council’s %s was destroyed.", of)
	}
	with := ""
	switch {
	case c.Media == 1:
		with = " So was one photo or other file that came with them."
	case c.Media > 1:
		with = fmt.Sprintf(" So were %s photos and other files that came with them.", saying.Number(int64(c.Media)))
	}
	return paragraph("%s of the council’s %s, sent %s, %s destroyed at the end of the time for which the council keeps such records.%s",
		saying.Count(len(c.Destroyed), "record"), of, between(c.SentFrom, c.SentTo), were(len(c.Destroyed)), with)
}

func were(n int) string {
	if n == 1 {
		return "was"
	}
	return "were"
}

// exceptions says what did not go as it should or was not to go.
func exceptions(c disposal.Certificate) (bs []block) {
	if c.Kept > 0 {
		bs = append(bs, paragraph("%s on the list %s not destroyed, because of a hold. What is on hold comes onto a later list once the hold is released.",
			saying.Count(c.Kept, "record"), were(c.Kept)))
	}
	if c.Unsearched > 0 {
		bs = append(bs, block{Callout: fmt.Sprintf("The run was interrupted. The search described below could not cover %s "+
			"destroyed before the interruption.", saying.Count(c.Unsearched, "record"))})
	}
	if c.FoundBefore > 0 {
		bs = append(bs, block{Callout: fmt.Sprintf("Before the interruption a search had found %s of these records in the files. The database has been "+
			"written anew since, but they could not be searched for again. Please have somebody look for forgotten copies in the archive’s directory.",
			saying.Count(c.FoundBefore, "piece"))})
	}
	return bs
}

func (w *Writer) authority(c disposal.Certificate) []fact {
	is := c.Issuer
	return given([]fact{
		{"Council", is.Council},
		{"Policy", is.PolicyTitle},
		{"Policy section", is.PolicySection},
		{"Adopted", is.PolicyAdopted},
		{"Minute reference", is.PolicyMinute},
		{"Rule", c.Rule},
		{"Approval", saying.Capital(saying.OneLine(c.Authority))},
		{"Notice", fmt.Sprintf("Disposal list %d, accepted by the council’s mail server on %s", c.List, saying.Moment(c.NoticeOn))},
	})
}

func circumstances(c disposal.Certificate) []fact {
	return given([]fact{
		{"Started", momentUTC(c.Started)},
		{"Finished", momentUTC(c.Finished)},
		{"Program", c.Issuer.Program},
		{"Computer", c.Issuer.Host},
	})
}

// given leaves out the facts that have no value.
func given(fs []fact) (all []fact) {
	for _, f := range fs {
		if f.Value = saying.OneLine(f.Value); f.Value != "" {
			all = append(all, f)
		}
	}
	return all
}

func method() []block {
	return []block{{List: []string{
		"Each record was deleted from the database, which overwrites what is deleted. With it went the edits and deletions of it, " +
			"the reactions to it, and the copies of it in later replies.",
		"Photos and other files are kept encrypted, each with a key of its own. The key went with the record, and the file was removed " +
			"unless a record that is still kept brought the same.",
		"The words were taken out of the index for searching. The database was then written anew from what is left, and its log of recent changes was emptied.",
		"The files of the WhatsApp connection were cleaned in the same way.",
		"What stays of each record is its number, the date it was sent, the rule, and its place in the ledger. None of " +
			"these tells what it said or who said it.",
	}}}
}

func check(c disposal.Certificate) []block {
	switch {
	case len(c.Destroyed) == 0:
		return []block{paragraph("Nothing was destroyed, so there was nothing to search for.")}
	case c.Searched == 0:
		return []block{paragraph("It was not: the search had nothing to go by after the interruption.")}
	}
	return []block{
		paragraph("Afterwards every file in the archive’s directory was read from end to end, but for the encrypted photos and other files, in search of the message IDs, of "+
			"pieces of what was said, of the senders’ own names, of the keys of files, and of the random numbers that sealed it in the ledger. The search was for %s.", saying.Count(c.Searched, "destroyed record")),
		{Facts: []fact{
			{"Files searched", saying.Number(int64(c.Files))},
			{"Bytes searched", saying.Number(c.Bytes)},
			{"Pieces found", saying.Number(int64(c.Found))},
		}},
		paragraph("A piece counts only if nothing that is still kept says it too. A text of fewer than 24 bytes is too short to be searched for."),
	}
}

// copies lists the emails that hold what was destroyed.
func copies(c disposal.Certificate) []block {
	if len(c.Emails) == 0 {
		return []block{paragraph("None: no email that this program handed over holds any of these records.")}
	}
	var list []string
	for _, e := range c.Emails {
		list = append(list, fmt.Sprintf("%s, handed over on %s, %s. Message-ID: %s",
			subjectOf(e), saying.Moment(e.SentAt), holding(e), saying.OneLine(e.MessageID)))
	}
	return []block{
		paragraph("This program cannot reach into the council’s mailboxes. Please delete the following there, and wherever they were " +
			"passed on. The name in quotation marks stands in the subject."),
		{List: list},
	}
}

// subjectOf returns what stands in the subject of an email.
func subjectOf(e disposal.EmailedCopy) string {
	switch {
	case e.Digest != "":
		return "“WhatsApp record: week ending Sunday " + e.Digest.Long() + "”"
	case e.Correction:
		return fmt.Sprintf("“Correction to WhatsApp conversation %d”", e.Conversation)
	}
	return fmt.Sprintf("“WhatsApp conversation %d”", e.Conversation)
}

// holding says how much of what was destroyed an email holds. A digest shows some
// messages and only counts others, a correction shows those that were changed.
func holding(e disposal.EmailedCopy) string {
	if e.Digest != "" || e.Correction {
		return "which may show some of these records"
	}
	return "with " + saying.Number(int64(e.Records)) + " of these records in it"
}

func beyond() []block {
	return []block{{List: []string{
		"the phones of the people in the group, and their own backups;",
		"WhatsApp’s servers;",
		"copies of this computer’s files that something other than this program made;",
		"what was disclosed or passed on: in answers to requests, on paper, by email;",
		"what a disk keeps of overwritten data where no program can reach it. Solid-state disks do; encrypting the whole disk is the remedy.",
	}}}
}

func proof(c disposal.Certificate) []block {
	return []block{
		paragraph("The lines below are signed. They fix the whole record as it stood after this destruction. Saved as a file, exactly as " +
			"they stand, they let anybody check that nothing was altered or taken out since:"),
		{Verbatim: "muniment verify --checkpoint FILE"},
		{Verbatim: c.Checkpoint},
	}
}

func annex(c disposal.Certificate) (bs []block) {
	if len(c.Destroyed) == 0 {
		return []block{paragraph("None.")}
	}
	if len(c.Groups) > 1 {
		var of []fact
		for _, g := range c.Groups {
			of = append(of, fact{quotedGroup(g.Group), recordNumbers(g.Records)})
		}
		bs = append(bs, block{Facts: of})
	}
	rule := c.Destroyed[0].Rule
	if slices.ContainsFunc(c.Destroyed, func(s archive.Stub) bool { return s.Rule != rule }) {
		t := &table{Columns: []string{"No.", "Sent on", "Place in ledger", "Rule"}}
		for _, s := range c.Destroyed {
			t.Rows = append(t.Rows, []string{fmt.Sprint(s.Seq), s.SentOn.Long(), fmt.Sprint(s.Leaf), saying.OneLine(s.Rule)})
		}
		return append(bs, block{Table: t})
	}
	t := &table{Columns: []string{"No.", "Sent on", "Place in ledger"}}
	for _, s := range c.Destroyed {
		t.Rows = append(t.Rows, []string{fmt.Sprint(s.Seq), s.SentOn.Long(), fmt.Sprint(s.Leaf)})
	}
	return append(bs, paragraph("Each under the rule “%s”.", saying.OneLine(rule)), block{Table: t})
}
