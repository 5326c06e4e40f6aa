package letter

import (
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"muniment/internal/archive"
	"muniment/internal/record"
	"muniment/internal/sqlite"
	"muniment/internal/vault"
)

// Files is how letters come by photos, documents and other files.
type Files struct {
	Vault *vault.Vault
	// Most is how many bytes one email may carry of them. What is more is named in
	// it and stays in the record.
	Most int64
}

// longestSide is how many pixels a photo has at most in a letter: twice what is
// shown, for screens with small pixels.
const longestSide = 1120

// refused are names of files that mail servers refuse, and the whole email with them.
var refused = []string{".ade", ".adp", ".apk", ".app", ".bat", ".chm", ".cmd", ".com", ".cpl", ".dll", ".exe", ".hta", ".img", ".ins", ".iso",
	".isp", ".jar", ".js", ".jse", ".lib", ".lnk", ".mde", ".msc", ".msi", ".msp", ".mst", ".nsh", ".pif", ".ps1", ".scr", ".sct", ".shb", ".sys",
	".vb", ".vbe", ".vbs", ".vhd", ".vxd", ".wsc", ".wsf", ".wsh", ".xll"}

// illustrate reads the files of the messages: photos to be shown, and what there is
// room for to be attached, in the order of the messages. What a message cannot show
// it names.
func (f Files) illustrate(tx *sqlite.Tx, messages []archive.Record) (pictures map[record.Seq][]picture, files map[record.Seq][]file, err error) {
	pictures, files = make(map[record.Seq][]picture), make(map[record.Seq][]file)
	var seqs []record.Seq
	for _, m := range messages {
		if m.HasFile {
			seqs = append(seqs, m.Seq)
		}
	}
	if f.Vault == nil || len(seqs) == 0 {
		return pictures, files, nil
	}
	all, err := vault.Of(tx, seqs)
	if err != nil {
		return nil, nil, err
	}
	room := f.Most
	for _, seq := range seqs {
		m := all[seq]
		of := file{Name: nameOf(m), Kind: kindOf(m), Type: m.MIME, Size: m.Size, Why: whyNot(m, room)}
		var seen []byte
		if m.State == vault.Kept && (of.attached() || m.Type == record.Image) {
			if seen, of.Why, err = f.read(tx, m, of.Why); err != nil {
				return nil, nil, err
			}
		}
		if m.Type == record.Image && seen != nil {
			pictures[seq] = show(seen)
		}
		if of.attached() {
			of.Data = seen
			room -= int64(len(seen))
		}
		files[seq] = []file{of}
	}
	return pictures, files, nil
}

// whyNot says why a file is not attached; empty if it is.
func whyNot(m vault.Media, room int64) string {
	onRecord := fmt.Sprintf(" It belongs to record %d.", m.Seq)
	switch {
	case m.State == vault.Wanted:
		return "not fetched from WhatsApp yet." + onRecord
	case m.State == vault.Lost:
		return "not kept: " + oneLine(m.Reason) + "." + onRecord
	case m.State != vault.Kept:
		return "nothing is known of it." + onRecord
	case slices.Contains(refused, strings.ToLower(path.Ext(m.Name))):
		return fmt.Sprintf("mail servers refuse this kind of file. It is kept as record %d.", m.Seq)
	case m.Size > room:
		return fmt.Sprintf("too large for this email. It is kept as record %d.", m.Seq)
	}
	return ""
}

// read reads a whole file, which has been found to be small enough or to be a photo. A
// file that is damaged is no reason for there to be no letter.
func (f Files) read(tx *sqlite.Tx, m vault.Media, why string) (b []byte, whyNow string, err error) {
	if why != "" && m.Size > mostPicture {
		return nil, why, nil
	}
	r, err := f.Vault.Open(tx, m.Seq)
	if err != nil && !errors.Is(err, vault.ErrDamaged) && !errors.Is(err, vault.ErrNotKept) {
		return nil, "", err
	}
	if err == nil {
		defer r.Close()
		if b, err = io.ReadAll(r); err == nil {
			return b, why, nil
		}
	}
	return nil, fmt.Sprintf("the file kept as record %d is damaged; the system administrator should run a check.", m.Seq), nil
}

// show makes the small picture of a photo; none of what is no picture.
func show(b []byte) []picture {
	jpeg, width, height, err := thumbnail(strings.NewReader(string(b)), longestSide)
	if err != nil {
		return nil
	}
	return []picture{{JPEG: jpeg, Width: width, Height: height}}
}

// nameOf returns what a file is called; WhatsApp gives only documents a name.
func nameOf(m vault.Media) string {
	if m.Name != "" {
		return m.Name
	}
	ext := map[string]string{"image/jpeg": ".jpg", "image/png": ".png", "image/webp": ".webp", "image/gif": ".gif", "video/mp4": ".mp4",
		"video/3gpp": ".3gp", "audio/ogg": ".ogg", "audio/mpeg": ".mp3", "audio/mp4": ".m4a", "audio/aac": ".aac"}
	mime, _, _ := strings.Cut(m.MIME, ";")
	return fmt.Sprintf("%s-%d%s", wordFor(m.Type), m.Seq, ext[strings.TrimSpace(strings.ToLower(mime))])
}

// kindOf says in a word what a file is.
func kindOf(m vault.Media) string {
	if m.Type != record.Document {
		return wordFor(m.Type)
	}
	if ext := strings.TrimPrefix(path.Ext(m.Name), "."); ext != "" && len(ext) <= 5 {
		return strings.ToUpper(oneLine(ext))
	}
	return wordFor(m.Type)
}

func wordFor(t record.Type) string {
	switch t {
	case record.Image:
		return "photo"
	case record.Audio:
		return "sound"
	}
	return string(t)
}
