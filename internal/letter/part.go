package letter

import (
	"fmt"
	"slices"

	"muniment/internal/archive"
	"muniment/internal/forward"
	"muniment/internal/record"
	"muniment/internal/saying"
	"muniment/internal/sqlite"
	"muniment/internal/vault"
)

// A part of a long conversation is closed when there is no room in it, or when its words
// are enough: a page of more than that is slow to open. Whatever members send, there are
// not more than mostParts; what has no room in the last is named there.
const (
	enoughText = 600_000
	mostParts  = 20
)

// smallPicture is about what a photo takes that is shown.
const smallPicture = 250_000

// Divide says which messages of a conversation go into which part of its email: oldest
// first, as many in each as there is room for with their files. It returns
// [ErrNothingLeft] as [Writer.Conversation] does.
func (w *Writer) Divide(tx *sqlite.Tx, h Header, c forward.Conversation) (parts [][]record.Seq, err error) {
	r, err := read(tx, h, c)
	if err != nil {
		return nil, fmt.Errorf("divide conversation %d: %w", c.ID, err)
	}
	known, err := w.Files.of(tx, r.messages)
	if err != nil {
		return nil, fmt.Errorf("divide conversation %d: %w", c.ID, err)
	}
	files := make(map[record.Seq]vault.Media)
	for _, m := range known {
		files[m.Seq] = m
	}
	var used load
	for _, m := range r.messages {
		takes := w.takes(r, m, files[m.Seq])
		if len(parts) == 0 || len(parts) < mostParts && !used.plus(takes).fits(r.room, w.Files.Most) {
			parts, used = append(parts, nil), load{}
		}
		used = used.plus(takes)
		last := &parts[len(parts)-1]
		*last = append(*last, m.Seq)
	}
	return parts, nil
}

// load is what messages take of an email.
type load struct {
	text, enclosed int64 // bytes as they are sent
	files          int64 // bytes of these as they are
	pictures       int
}

func (l load) plus(o load) load {
	return load{l.text + o.text, l.enclosed + o.enclosed, l.files + o.files, l.pictures + o.pictures}
}

func (l load) fits(r room, files int64) bool {
	return l.text <= min(enoughText, r.text) && l.enclosed <= r.enclosed && l.files <= files && l.pictures <= mostShown
}

// takes returns what a message takes with its file. A file that is too large for any
// email takes nothing: it is named.
func (w *Writer) takes(r reading, m archive.Record, f vault.Media) load {
	takes := load{text: r.message(m).weight()}
	if f.Seq == 0 {
		return takes
	}
	takes.text += 600
	if whyNot(f, min(w.Files.Most, largest(r.room.enclosed))) == "" {
		takes.files, takes.enclosed = f.Size, encoded(f.Size)
	}
	if f.Type == record.Image && f.State == vault.Kept {
		takes.pictures = 1
		takes.enclosed = min(takes.enclosed+encoded(min(f.Size, smallPicture)), max(takes.enclosed, r.room.enclosed))
	}
	return takes
}

// part says what is in a part after the first. Whose eyes it is for, and why, stands in
// the first.
func (w *Writer) part(r reading) document {
	d := document{Title: "A WhatsApp conversation, " + r.ofParts("")}
	d.Subject = fmt.Sprintf("WhatsApp conversation %d of %s%s%s", r.ID, r.began.Long(), w.in(r.group()), r.ofParts(", "))
	if r.Does == record.Report {
		d.Subject = "A concern was reported: " + d.Subject
	} else {
		d.Subject += r.markers()
	}
	d.add(paragraph("This is %s of conversation %d in the WhatsApp group %s%s. The conversation has %s in all. "+
		"Below: %s, oldest first. All times are London time.", r.ofParts(""), r.ID, w.group(r.group()), by(r.Marks, r.name),
		saying.Count(r.length(), "message"), saying.Count(len(r.messages), "message")))
	if in := r.PartWith(r.Marked); in > 0 && in != r.Part {
		d.add(paragraph("The %s message is in part %d.", r.picked(), in))
	}
	d.add(r.missing(saying.Teller{Names: r.names, Groups: w.names()})...)
	d.section("The messages", r.days()...)
	d.DisposeAfter = r.dispose()
	d.informal()
	return d
}

// ofParts says which part of how many this is; nothing of a conversation that is sent whole.
func (r reading) ofParts(before string) string {
	if r.Part == 0 || len(r.Parts) < 2 {
		return ""
	}
	return fmt.Sprintf("%spart %d of %d", before, r.Part, len(r.Parts))
}

// length is how many messages the conversation has in all its parts.
func (r reading) length() int { return len(slices.Concat(r.Parts...)) }
