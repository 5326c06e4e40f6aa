package letter

import (
	"fmt"

	"muniment/internal/archive"
	"muniment/internal/forward"
	"muniment/internal/record"
	"muniment/internal/saying"
	"muniment/internal/sqlite"
)

// Correction writes the letter that tells what has become of a forwarded conversation:
// which of its messages were edited or deleted since the letter before. It returns
// [ErrNothingLeft] if nothing of that is kept any more.
func (w *Writer) Correction(tx *sqlite.Tx, h Header, c forward.Correction) ([]byte, error) {
	r, err := read(tx, h, c.Conversation)
	if err != nil {
		return nil, fmt.Errorf("correction %d: %w", c.ID, err)
	}
	var changed []archive.Record
	for _, m := range r.messages {
		if m.Destroyed == "" && changedSince(r.histories[m.Seq], c) {
			changed = append(changed, m)
		}
	}
	if len(changed) == 0 {
		return nil, fmt.Errorf("correction %d: %w", c.ID, ErrNothingLeft)
	}
	r.messages = changed
	msg, err := w.write(h, w.correction(r, c))
	if err != nil {
		return nil, fmt.Errorf("correction %d: %w", c.ID, err)
	}
	return msg, nil
}

// changedSince reports whether anything in the history that counts came into the
// archive after the letter before.
func changedSince(h history, c forward.Correction) bool {
	for _, change := range h {
		if change.Entitled && change.Captured.After(c.Since) {
			return true
		}
	}
	return false
}

func (w *Writer) correction(r reading, c forward.Correction) document {
	d := document{Title: "Correction to a forwarded WhatsApp conversation"}
	d.Subject = fmt.Sprintf("Correction to WhatsApp conversation %d%s", r.ID, w.in(r.group()))
	were := "were"
	if len(r.messages) == 1 {
		were = "was"
	}
	d.add(
		paragraph("%s of conversation %d%s, in the WhatsApp group %s, %s edited or deleted after %s.",
			saying.Capital(saying.Count(len(r.messages), "message")), r.ID, by(r.Marks, r.name), w.group(r.group()), were, emailed(r.Does)),
		paragraph("Below is each of them as it is now, with what it said before. The earlier email stays as it is, and so does the council’s record: it keeps every version. "+
			"All times are London time."),
	)
	d.section("What changed", r.days()...)
	for _, m := range r.messages {
		d.DisposeAfter = max(d.DisposeAfter, m.Due)
	}
	d.informal()
	return d
}

// emailed says how somebody came to know of a conversation.
func emailed(does record.Deed) string {
	switch does {
	case record.Report:
		return "the concern was reported to you"
	case record.Look:
		return "you were asked to look"
	}
	return "they were sent to council email"
}
