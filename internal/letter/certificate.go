package letter

import (
	"bytes"
	"encoding/base64"
	"encoding/csv"
	"fmt"
	"slices"
	"strings"
	"time"

	"muniment/internal/archive"
	"muniment/internal/disposal"
	"muniment/internal/forward"
	"muniment/internal/retention"
	"muniment/internal/saying"
)

// Certificate writes the certificate of a disposal run to the clerk.
//
// It is what remains to explain why the records are no longer there, so it is to
// be kept for good and bears no X-Council-Dispose-After. It claims no more than
// the run has proved. The certificate itself is attached, as it was signed.
func (w *Writer) Certificate(h Header, c disposal.Certificate) ([]byte, error) {
	d := w.certificate(c)
	var err error
	if d.Enclosed, err = enclosures(c); err != nil {
		return nil, fmt.Errorf("certificate %d: %w", c.Number, err)
	}
	msg, err := w.write(h, d)
	if err != nil {
		return nil, fmt.Errorf("certificate %d: %w", c.Number, err)
	}
	return msg, nil
}

// CertificateHTML writes the certificate as a page to be printed.
func (w *Writer) CertificateHTML(c disposal.Certificate) (string, error) {
	page, err := w.marked(w.certificate(c)).html()
	if err != nil {
		return "", fmt.Errorf("certificate %d: %w", c.Number, err)
	}
	return page, nil
}

func (w *Writer) certificate(c disposal.Certificate) document {
	name := "Certificate of destruction"
	switch c.Status {
	case disposal.Interim:
		name = "Interim certificate of destruction"
	case disposal.Final:
		name = "Final certificate of destruction"
	}
	d := document{
		Subject: fmt.Sprintf("%s %d: WhatsApp records", name, c.Number),
		Title:   fmt.Sprintf("%s %d", name, c.Number),
	}
	d.add(w.lead(c))
	d.add(exceptions(c)...)
	d.section("What was destroyed", block{Facts: amounts(c)})
	d.section("On whose authority", block{Facts: w.authority(c)})
	d.section("When and by what", block{Facts: circumstances(c)})
	d.section("How they were destroyed", method()...)
	d.section("How it was checked", check(c)...)
	d.section("Backups", backups(c)...)
	d.section("Emailed copies to delete by hand", copies(c)...)
	d.section("What this certificate does not cover", beyond()...)
	d.section("Proof", proof(c)...)
	d.section("Annex: the records destroyed", annex(c)...)
	d.Footer = []string{"Please keep this certificate for good. It holds nothing of what the records said and names nobody in the group."}
	if c.ApprovedBy != "" {
		d.Footer = []string{"Please keep this certificate for good. It holds nothing of what the records said, and names nobody but who approved."}
	}
	return d
}

// enclosures are the certificate as it was signed, and the emailed copies as a table for
// whoever deletes them.
func enclosures(c disposal.Certificate) ([]*file, error) {
	signed, err := c.Document()
	if err != nil {
		return nil, err
	}
	files := []*file{{Name: fmt.Sprintf("certificate-%d.json", c.Number), Type: "application/json", Data: signed, own: true}}
	if len(c.Emails) == 0 {
		return files, nil
	}
	var b bytes.Buffer
	t := csv.NewWriter(&b)
	t.UseCRLF = true
	t.Write([]string{"Message-ID", "Subject contains", "Handed over (UTC)", "Holds"})
	for _, e := range c.Emails {
		t.Write([]string{"<" + e.MessageID + ">", unquoted(subjectOf(e)), e.SentAt.UTC().Format(time.DateTime), holding(e)})
	}
	t.Flush()
	if err := t.Error(); err != nil {
		return nil, err
	}
	return append(files, &file{Name: fmt.Sprintf("emailed-copies-%d.csv", c.Number), Type: "text/csv; charset=utf-8", Data: append([]byte("\ufeff"), b.Bytes()...), own: true}), nil
}

// unquoted is a subject in a table, where nothing else stands beside it.
func unquoted(s string) string { return strings.NewReplacer("“", "", "”", "").Replace(s) }

// lead says how much was destroyed.
func (w *Writer) lead(c disposal.Certificate) block {
	var groups []string
	for _, g := range c.Groups {
		groups = append(groups, quotedGroup(g.Group))
	}
	of := w.official(groups)
	if len(c.Destroyed) == 0 && c.Entries > 0 {
		return paragraph("%s %s destroyed at the end of the time for which the council keeps them: who had looked at the record, or had something sent. No record was.",
			saying.LogEntries(c.Entries), were(c.Entries))
	}
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
	when := "at the end of the time for which the council keeps such records"
	if c.Because != "" {
		when = "before the end of the time for which the council keeps such records (" + string(c.Because) + ")"
	}
	return paragraph("%s of the council’s %s, sent %s, %s destroyed %s.%s",
		saying.Count(len(c.Destroyed), "record"), of, between(c.SentFrom, c.SentTo), were(len(c.Destroyed)), when, with+withEntries(c.Entries))
}

func withEntries(n int) string {
	if n == 0 {
		return ""
	}
	also := "So were "
	if n == 1 {
		also = "So was "
	}
	return " " + also + saying.LogEntries(n) + ", of who had looked at the record or had something sent."
}

func were(n int) string {
	if n == 1 {
		return "was"
	}
	return "were"
}

// exceptions says what did not go as it should or was not to go.
func exceptions(c disposal.Certificate) (bs []block) {
	if c.Status == disposal.Interim {
		bs = append(bs, block{Callout: "This certificate is interim: backups still hold what was destroyed. They are encrypted and nobody will use them. " +
			"The final certificate follows by itself once the last of them has gone."})
	}
	if c.Kept > 0 {
		by := ""
		if len(c.Holds) > 0 {
			by = fmt.Sprintf(" (%s)", holdNumbers(c.Holds))
		}
		bs = append(bs, paragraph("%s on the list %s not destroyed, because of a hold%s. What is on hold comes onto a later list once the hold is released.",
			saying.Count(c.Kept, "record"), were(c.Kept), by))
	}
	if c.NotDue > 0 {
		bs = append(bs, paragraph("%s on the list %s not destroyed, because %s kept for longer than was thought when the list was drawn up.",
			saying.Count(c.NotDue, "record"), were(c.NotDue), map[bool]string{true: "it is", false: "they are"}[c.NotDue == 1]))
	}
	if c.Unsearched > 0 {
		bs = append(bs, block{Callout: fmt.Sprintf("The run was interrupted. The search described below could not cover %s "+
			"destroyed before the interruption.", saying.Count(c.Unsearched, "record"))})
	}
	if c.Unsought > 0 {
		bs = append(bs, block{Callout: "The run was interrupted. The search described below could not cover " +
			saying.LogEntries(c.Unsought) + " destroyed before the interruption."})
	}
	if c.FoundBefore > 0 {
		bs = append(bs, block{Callout: fmt.Sprintf("Before the interruption a search had found %s of these records in the files. The database has been "+
			"written anew since, but they could not be searched for again. Please have somebody look for forgotten copies in the archive’s directory.",
			saying.Count(c.FoundBefore, "piece"))})
	}
	return bs
}

func holdNumbers(holds []int64) string {
	var all []string
	for _, n := range holds {
		all = append(all, fmt.Sprint(n))
	}
	if len(all) == 1 {
		return "hold " + all[0]
	}
	return "holds " + some(all)
}

// amounts counts what was destroyed, and the copies of it that went with it. What there was
// none of is left out.
func amounts(c disposal.Certificate) (fs []fact) {
	records := func(name string, n int) {
		if n > 0 {
			fs = append(fs, fact{name, saying.Number(int64(n))})
		}
	}
	records("Messages", c.Counts.Messages)
	records("Edits", c.Counts.Edits)
	records("Deletions", c.Counts.Deletions)
	records("Reactions", c.Counts.Reactions)
	records("Votes", c.Counts.Votes)
	records("Changes of who was in the group, and of the group", c.Counts.Changes)
	records("Other records", c.Counts.Other)
	fs = append(fs, fact{"Size of the records", size(c.Counts.Bytes)})
	if c.Media > 0 {
		fs = append(fs, fact{"Photos and other files", fmt.Sprintf("%s, %s", saying.Number(int64(c.Media)), size(c.Counts.FileBytes))})
	}
	records("Entries in the search index", c.Copies.SearchEntries)
	records("Quotations in replies", c.Copies.Quotations)
	records("Emails composed and not yet cleared", int(c.Copies.Letters))
	records("Notes of who had marked them", int(c.Copies.Marks))
	records("Notes that something was no concern", int(c.Copies.Flags))
	records("Keys and secret numbers", c.Copies.Keys)
	fs = append(fs,
		fact{"On the list and kept", fmt.Sprintf("%s because of a hold, %s because the time is not over", saying.Number(int64(c.Kept)), saying.Number(int64(c.NotDue)))},
		fact{"Errors", saying.Number(int64(c.Errors))})
	return fs
}

func (w *Writer) authority(c disposal.Certificate) []fact {
	is := c.Issuer
	fs := []fact{
		{"Council", is.Council},
		{"Policy", is.PolicyTitle},
		{"Policy section", is.PolicySection},
		{"Adopted", is.PolicyAdopted},
		{"Minute reference", is.PolicyMinute},
		{"Class and rule", c.Rule},
		{"Approval", saying.Capital(saying.OneLine(c.Authority))},
	}
	if c.ApprovedBy != "" {
		if c.ProposedBy != "" {
			fs = append(fs, fact{"Proposed by", fmt.Sprintf("%s, %s", saying.OneLine(c.ProposedBy), c.Proposer)})
		}
		fs = append(fs, fact{"Approved by", fmt.Sprintf("%s, %s, on %s", saying.OneLine(c.ApprovedBy), c.Approver, saying.Moment(c.Approved))})
	}
	if c.Because != "" { // nobody had notice of it
		return given(append(fs, fact{"Why before its time", saying.Capital(string(c.Because))}))
	}
	return given(append(fs, fact{"Notice", fmt.Sprintf("Disposal list %d, accepted by the council’s mail server on %s", c.List, saying.Moment(c.NoticeOn))}))
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
	}}, paragraph("For a technician: SQLite with secure_delete since the files were created; in each transaction the destroying statement decides anew which " +
		"records are due and not on hold; the 32-byte salts of their leaves and the AES-256 keys of their files are deleted with them; then FTS5 " +
		"segments are merged, VACUUM, and wal_checkpoint(TRUNCATE). Blocks that the disk keeps back are out of reach (NIST SP 800-88, purge, is " +
		"by destruction of the keys).")}
}

func check(c disposal.Certificate) []block {
	sought := []string{}
	if c.Searched > 0 {
		sought = append(sought, saying.Count(c.Searched, "destroyed record"))
	}
	if n := c.Entries - c.Unsought; n > 0 {
		sought = append(sought, saying.LogEntries(n))
	}
	switch {
	case len(c.Destroyed)+c.Entries == 0:
		return []block{paragraph("Nothing was destroyed, so there was nothing to search for.")}
	case len(sought) == 0:
		return []block{paragraph("It was not: the search had nothing to go by after the interruption.")}
	}
	return []block{
		paragraph("Afterwards every file in the archive’s directory was read from end to end, but for the encrypted photos and other files, in search of the message IDs, of "+
			"pieces of what was said, of the senders’ own names, of the keys of files, and of the random numbers that sealed it in the ledger. The search was for %s.", saying.And(sought)),
		{Facts: []fact{
			{"Files searched", saying.Number(int64(c.Files))},
			{"Bytes searched", saying.Number(c.Bytes)},
			{"Pieces found", saying.Number(int64(c.Found))},
		}},
		paragraph("A piece counts only if nothing that is still kept says it too. Of a text, any 24 bytes in a row are found; of a shorter one only its message ID and its secret number."),
	}
}

// backups says where what was destroyed may still lie, and until when.
func backups(c disposal.Certificate) []block {
	b := c.Backups
	if !b.Configured {
		return []block{paragraph("This program makes no backups here. Copies that another program makes of this computer’s files are not covered.")}
	}
	if b.Left == 0 && !b.Never {
		return []block{paragraph("No backup that was made before the destruction is left. Copies that another program makes of this computer’s files are not covered.")}
	}
	bs := []block{paragraph("%s made before the destruction may still hold what was destroyed. That is beyond use: encrypted to a key that is not on this "+
		"computer; and whoever restores a backup has the program destroy the same again before anything is shown.", saying.Count(b.Left, "backup"))}
	if b.Never {
		return append(bs, paragraph("Some of these are copies elsewhere, which this program has no command to remove. Until somebody removes them and the "+
			"person who looks after the computer tells the program how, the certificate stays interim."))
	}
	return append(bs, paragraph("The last of them should have gone by %s.", b.Gone.Long()))
}

// copies lists the emails that hold what was destroyed.
func copies(c disposal.Certificate) []block {
	if len(c.Emails) == 0 {
		return []block{paragraph("None: no email that this program handed over holds any of these records.")}
	}
	var list []string
	for _, e := range c.Emails {
		arrived := "handed over on"
		if e.Uncertain {
			arrived = "which may have arrived on"
		}
		list = append(list, fmt.Sprintf("%s, %s %s, %s. Message-ID: %s",
			subjectOf(e), arrived, saying.Moment(e.SentAt), holding(e), saying.OneLine(e.MessageID)))
	}
	return []block{
		paragraph("This program cannot reach into the council’s mailboxes. Please delete the following there, and wherever they were " +
			"passed on. The name in quotation marks stands in the subject. The same list is attached as a table."),
		{List: list},
	}
}

// subjectOf returns what stands in the subject of an email.
func subjectOf(e disposal.EmailedCopy) string {
	switch {
	case e.Digest != "":
		return "“" + subjectOfDigest(e) + "”"
	case e.Correction:
		return fmt.Sprintf("“Correction to WhatsApp conversation %d”", e.Conversation)
	case e.Note:
		return fmt.Sprintf("“The mark on WhatsApp conversation %d was taken back”", e.Conversation)
	case e.Part > 1:
		return fmt.Sprintf("“WhatsApp conversation %d”, part %d", e.Conversation, e.Part)
	}
	return fmt.Sprintf("“WhatsApp conversation %d”", e.Conversation)
}

// subjectOfDigest returns what stands in the subject of a digest.
func subjectOfDigest(e disposal.EmailedCopy) string {
	of := forward.Weekly(retention.Week(e.Digest))
	switch e.Edition {
	case "daily":
		of = forward.Daily(e.Digest)
	case "meeting":
		of = forward.Edition{Kind: forward.MeetingLetter, Meeting: e.Digest}
	}
	return edition(of)
}

// holding says how much of what was destroyed an email holds. A digest shows some
// messages and only counts others, a correction shows those that were changed.
func holding(e disposal.EmailedCopy) string {
	if e.Digest != "" || e.Correction {
		return "which may show some of these records"
	}
	if e.Note {
		return "which names who had marked one of these records"
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

func proof(c disposal.Certificate) (bs []block) {
	if c.Note != "" {
		bs = append(bs,
			paragraph("The certificate itself is attached. These lines sign it, and entry %d of the ledger commits to it. Saved as a file, it can be compared with the archive:", c.Leaf),
			block{Verbatim: fmt.Sprintf("muniment verify --certificate certificate-%d.json", c.Number)},
			block{Verbatim: c.Note},
			paragraph("The commitments of the destroyed records, which stand in the attached certificate, are the leaves of a tree with the head %s (RFC 6962).",
				base64.StdEncoding.EncodeToString(c.Commitments)))
	}
	return append(bs,
		paragraph("The lines below are signed, too. They fix the whole record as it stood after this destruction. Saved as a file, exactly as "+
			"they stand, they let anybody check that nothing was altered or taken out since:"),
		block{Verbatim: "muniment verify --checkpoint FILE"},
		block{Verbatim: c.Checkpoint},
	)
}

// mostAnnexed is how many records an email lists; the attached certificate has all.
const mostAnnexed = 200

func annex(c disposal.Certificate) (bs []block) {
	if c.Entries > 0 {
		bs = append(bs, paragraph("Of the access log: %s. The attached certificate gives their numbers.", saying.LogEntries(c.Entries)))
	}
	if len(c.Destroyed) == 0 {
		return append(bs, paragraph("No records."))
	}
	if len(c.Groups) > 1 {
		var of []fact
		for _, g := range c.Groups {
			of = append(of, fact{quotedGroup(g.Group), recordNumbers(g.Records)})
		}
		bs = append(bs, block{Facts: of})
	}
	shown := c.Destroyed[:min(len(c.Destroyed), mostAnnexed)]
	bs = append(bs, paragraph("The attached certificate has the commitment of each as well: what the ledger keeps of it, from which nothing can be told."))
	if len(shown) < len(c.Destroyed) {
		bs = append(bs, paragraph("These are the first %s of %s. All are in the attached certificate.", saying.Number(int64(len(shown))), saying.Number(int64(len(c.Destroyed)))))
	}
	rule := shown[0].Rule
	if slices.ContainsFunc(shown, func(s archive.Stub) bool { return s.Rule != rule }) {
		t := &table{Columns: []string{"No.", "Sent on", "Place in ledger", "Rule"}}
		for _, s := range shown {
			t.Rows = append(t.Rows, []string{fmt.Sprint(s.Seq), s.SentOn.Long(), fmt.Sprint(s.Leaf), saying.OneLine(s.Rule)})
		}
		return append(bs, block{Table: t})
	}
	t := &table{Columns: []string{"No.", "Sent on", "Place in ledger"}}
	for _, s := range shown {
		t.Rows = append(t.Rows, []string{fmt.Sprint(s.Seq), s.SentOn.Long(), fmt.Sprint(s.Leaf)})
	}
	return append(bs, paragraph("Each under the rule “%s”.", saying.OneLine(rule)), block{Table: t})
}
