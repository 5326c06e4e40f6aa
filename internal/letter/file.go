package letter

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"path"
	"runtime"
	"slices"
	"strings"

	"muniment/internal/archive"
	"muniment/internal/record"
	"muniment/internal/saying"
	"muniment/internal/sqlite"
	"muniment/internal/vault"
)

// Files is how letters come by photos, documents and other files.
type Files struct {
	Vault *vault.Vault
	// Most is how many bytes one email may carry of them, if there is as much room in
	// it. What is more is named in it and stays in the record.
	Most int64
}

// longestSide is how many pixels a photo has at most in a letter: half of what WhatsApp
// sends, and more than is shown; the file itself is attached. When half of the room is used up,
// they have shortSide at most.
const (
	longestSide = 800
	shortSide   = 560
)

// ordinary is how many bytes a photo takes for decoding, about, that WhatsApp has made
// smaller: it has 1,600 pixels at most.
const ordinary = 8_000_000

// mostShown is how many photos a letter shows; each may take a second or two.
const mostShown = 60

// refused are names of files that mail servers refuse, and the whole email with them.
var refused = []string{".ade", ".adp", ".apk", ".app", ".bat", ".chm", ".cmd", ".com", ".cpl", ".dll", ".exe", ".hta", ".img", ".ins", ".iso",
	".isp", ".jar", ".js", ".jse", ".lib", ".lnk", ".mde", ".msc", ".msi", ".msp", ".mst", ".nsh", ".pif", ".ps1", ".scr", ".sct", ".shb", ".sys",
	".vb", ".vbe", ".vbs", ".vhd", ".vxd", ".wsc", ".wsf", ".wsh", ".xll"}

// illustrate reads the files of the messages: what there is room for is attached, in
// the order of the messages, and photos are shown as far as there is room besides. What
// a message cannot show it names. It holds no more in memory than it returns, and one
// file.
func (f Files) illustrate(tx *sqlite.Tx, messages []archive.Record, most room) (pictures map[record.Seq][]picture, files map[record.Seq][]file, err error) {
	pictures, files = make(map[record.Seq][]picture), make(map[record.Seq][]file)
	all, err := f.of(tx, messages)
	if err != nil {
		return nil, nil, err
	}
	room, left := most.enclosed, f.Most
	for _, m := range all {
		of := file{Name: nameOf(m), Kind: kindOf(m), Type: m.MIME, Size: m.Size, Why: whyNot(m, min(left, largest(room)))}
		if of.attached() {
			left -= m.Size
			room -= encoded(m.Size)
		}
		files[m.Seq] = []file{of}
	}
	a := album{most: min(most.pictures, room), made: make(map[string][]picture)}
	for _, m := range all {
		of := &files[m.Seq][0]
		shown := m.Type == record.Image && m.State == vault.Kept && a.wants(m)
		if !shown && !of.attached() {
			continue
		}
		b, err := f.read(tx, m)
		if errors.Is(err, vault.ErrDamaged) {
			of.Why = fmt.Sprintf("the file kept as record %d is missing or damaged; the system administrator should run a check.", m.Seq)
			continue
		} else if err != nil {
			return nil, nil, err
		}
		if of.attached() {
			of.Data = b
		}
		if shown {
			pictures[m.Seq] = a.show(m, b)
		}
	}
	return pictures, files, nil
}

// of returns what is known of the files of the messages, in their order.
func (f Files) of(tx *sqlite.Tx, messages []archive.Record) (all []vault.Media, err error) {
	var seqs []record.Seq
	for _, m := range messages {
		if m.HasFile {
			seqs = append(seqs, m.Seq)
		}
	}
	if f.Vault == nil || len(seqs) == 0 {
		return nil, nil
	}
	known, err := vault.Of(tx, seqs)
	if err != nil {
		return nil, err
	}
	for _, seq := range seqs {
		m := known[seq]
		m.Seq = seq
		all = append(all, m)
	}
	return all, nil
}

// album makes the small pictures of a letter's photos.
type album struct {
	most, used int64                // bytes in the email
	made       map[string][]picture // by the file that they are made of
}

func which(m vault.Media) string { return string(m.Sealed) + string(m.Key) }

// wants reports whether there may be room for another photo.
func (a *album) wants(m vault.Media) bool {
	if _, made := a.made[which(m)]; made {
		return true
	}
	return len(a.made) < mostShown && a.used < a.most && m.Size <= mostPicture
}

// show returns the small picture of a photo; none of what is no picture, and when there
// is no room left.
func (a *album) show(m vault.Media, b []byte) []picture {
	small, made := a.made[which(m)]
	if !made {
		side := longestSide
		if a.used >= a.most/2 {
			side = shortSide
		}
		if jpeg, width, height, err := thumbnail(b, side); err == nil {
			small = []picture{{JPEG: jpeg, Width: width, Height: height}}
		}
		a.made[which(m)] = small
		if decoding(b) > ordinary {
			runtime.GC() // what one takes may be most of what there is
		}
	}
	for _, p := range small {
		takes := encoded(int64(len(p.JPEG)))
		if a.used+takes > a.most {
			return nil
		}
		a.used += takes
	}
	return slices.Clone(small)
}

// whyNot says why a file is not attached; empty if it is.
func whyNot(m vault.Media, room int64) string {
	onRecord := fmt.Sprintf(" It belongs to record %d.", m.Seq)
	switch {
	case m.State == vault.Wanted:
		return "not fetched from WhatsApp yet." + onRecord
	case m.State == vault.Lost:
		return "not kept: " + saying.OneLine(m.Reason) + "." + onRecord
	case m.State != vault.Kept:
		return "nothing is known of it." + onRecord
	case slices.Contains(refused, strings.ToLower(path.Ext(fileName(nameOf(m))))):
		return fmt.Sprintf("mail servers refuse this kind of file. It is kept as record %d.", m.Seq)
	case m.Size > room:
		return fmt.Sprintf("too large for this email. It is kept as record %d.", m.Seq)
	}
	return ""
}

// read reads a whole file, which has been found to be small enough. It returns
// [vault.ErrDamaged] for one that is missing, or not what it should be: that is no
// reason for there to be no letter.
func (f Files) read(tx *sqlite.Tx, m vault.Media) ([]byte, error) {
	r, err := f.Vault.Open(tx, m.Seq)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if r.Size() != m.Size {
		return nil, vault.ErrDamaged
	}
	b := bytes.NewBuffer(make([]byte, 0, m.Size+bytes.MinRead))
	if _, err := b.ReadFrom(r); err != nil {
		return nil, fmt.Errorf("%w: %w", vault.ErrDamaged, err)
	}
	return b.Bytes(), nil
}

// nameOf returns what a file is called; WhatsApp gives only documents a name.
func nameOf(m vault.Media) string {
	if m.Name != "" {
		return m.Name
	}
	ext := map[string]string{"image/jpeg": ".jpg", "image/png": ".png", "image/webp": ".webp", "image/gif": ".gif", "video/mp4": ".mp4",
		"video/3gpp": ".3gp", "audio/ogg": ".ogg", "audio/mpeg": ".mp3", "audio/mp4": ".m4a", "audio/aac": ".aac"}
	mime, _, _ := strings.Cut(m.MIME, ";")
	return fmt.Sprintf("%s-%d%s", strings.ReplaceAll(wordFor(m.Type), " ", "-"), m.Seq, ext[strings.TrimSpace(strings.ToLower(mime))])
}

// kindOf says in a word what a file is.
func kindOf(m vault.Media) string {
	if m.Type != record.Document {
		return wordFor(m.Type)
	}
	if ext := strings.TrimPrefix(path.Ext(fileName(m.Name)), "."); ext != "" && len(ext) <= 5 {
		return strings.ToUpper(saying.OneLine(ext))
	}
	return wordFor(m.Type)
}

func wordFor(t record.Type) string { return cmp.Or(saying.Noun(t), "file") }
