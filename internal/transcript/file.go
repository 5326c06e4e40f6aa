package transcript

import (
	"archive/zip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// files are those of a zip file, by the name under which entries call them.
type files map[string]*zip.File

// A phone packs what is packed already: photos, videos. What grows by more than this
// from the file was made to fill a disk.
const (
	maxGrowth = 50
	growAny   = 256 << 20 // it may be a long text
)

// most is how many bytes a zip file of that size may hold.
func most(size uint64) uint64 { return size*maxGrowth + growAny }

var errTooMuch = errors.New("this zip file claims to hold far more than it can: it was made to fill a disk, or is damaged")

// Read reads the export in a file of that size and name: a zip file, or the text alone.
// The file stays in use for [Export.Open].
func Read(r io.ReaderAt, size int64, fileName string, o Options) (*Export, error) {
	sum := sha256.New()
	if _, err := io.Copy(sum, io.NewSectionReader(r, 0, size)); err != nil {
		return nil, fmt.Errorf("read the export: %w", err)
	}
	var kept files
	text, textName := []byte(nil), fileName
	begin := make([]byte, 4)
	if n, _ := r.ReadAt(begin, 0); n == 4 && string(begin[:2]) == "PK" {
		z, err := zip.NewReader(r, size)
		if err != nil {
			return nil, fmt.Errorf("this zip file is damaged or was cut short: copy the export again: %w", err)
		}
		chat, rest, err := sift(z, size)
		if err != nil {
			return nil, err
		}
		if text, err = readText(chat); err != nil {
			return nil, err
		}
		kept, textName = rest, path.Base(chat.Name)
	} else {
		if size > maxText {
			return nil, fmt.Errorf("this file is no zip file, and too large for the text of a chat")
		}
		text = make([]byte, size)
		if _, err := io.ReadFull(io.NewSectionReader(r, 0, size), text); err != nil {
			return nil, fmt.Errorf("read the export: %w", err)
		}
	}
	if !utf8.Valid(text[:min(len(text), 3)]) || strings.ContainsRune(string(text[:min(len(text), 1024)]), 0) {
		return nil, errors.New("this is no text in UTF-8, as phones write it: give the file as it came from the phone")
	}
	e, err := Parse(text, o)
	if err != nil {
		return nil, err
	}
	e.Digest, e.files = [32]byte(sum.Sum(nil)), kept
	for _, n := range []string{textName, path.Base(fileName)} {
		if m := chatName.FindStringSubmatch(n); m != nil {
			e.called(m[1])
		}
	}
	return e, e.takeFiles(uint64(size))
}

// chatName finds the chat's name in that of a file: on Android in the text's, on an
// iPhone in the zip file's.
var chatName = regexp.MustCompile(`^WhatsApp Chat (?:with|-) (.+?)(?: ?\(\d+\))?\.(?:txt|zip)$`)

// sift returns the text of the chat and all other files of the zip file, which has so
// many bytes.
func sift(z *zip.Reader, size int64) (chat *zip.File, rest files, err error) {
	var texts []*zip.File
	grown := uint64(0)
	for _, f := range z.File {
		base := path.Base(f.Name)
		switch {
		case !safe(f):
			return nil, nil, fmt.Errorf("this zip file was not made by a phone: it has a file with a path or of a kind that no export has")
		case f.Mode().IsDir() || strings.HasPrefix(f.Name, "__MACOSX/") || base == ".DS_Store":
			continue
		case f.Flags&1 != 0:
			return nil, nil, errors.New("this zip file is locked with a password: give the export as the phone made it")
		}
		if grown += min(f.UncompressedSize64, 1<<50); grown > most(uint64(size)) {
			return nil, nil, errTooMuch
		}
		if strings.HasSuffix(strings.ToLower(base), ".txt") {
			texts = append(texts, f)
		}
	}
	if chat, err = theChat(texts); err != nil {
		return nil, nil, err
	}
	rest = make(files)
	for _, f := range z.File {
		if path.Dir(f.Name) != path.Dir(chat.Name) || f == chat || f.Mode().IsDir() || path.Base(f.Name) == ".DS_Store" {
			continue
		}
		base := name(path.Base(f.Name))
		if rest[base] != nil {
			return nil, nil, errors.New("this zip file has two files of the same name: which one a message means cannot be told")
		}
		rest[base] = f
	}
	return chat, rest, nil
}

// safe reports whether f is what a zip file of a phone may have: a plain file or a
// directory, of a name that leads nowhere else. Nothing is written under these names,
// but who sees to that here need not everywhere.
func safe(f *zip.File) bool {
	return fs.ValidPath(strings.TrimSuffix(f.Name, "/")) && !strings.Contains(f.Name, `\`) && (f.Mode().IsRegular() || f.Mode().IsDir())
}

// isChat matches the names that phones give the text; a member may have sent others.
var isChat = regexp.MustCompile(`^(?:_chat|WhatsApp Chat (?:with|-) .+)\.txt$`)

// theChat returns which of the texts is the chat's.
func theChat(texts []*zip.File) (*zip.File, error) {
	named := slices.DeleteFunc(slices.Clone(texts), func(f *zip.File) bool { return !isChat.MatchString(path.Base(f.Name)) })
	switch {
	case len(texts) == 0:
		return nil, errors.New("there is no text in this zip file: it is no export of a chat")
	case len(named) == 1:
		return named[0], nil
	case len(texts) == 1:
		return texts[0], nil
	}
	return nil, errors.New("there is more than one text in this zip file that may be the chat: give each export by itself, as the phone made it")
}

// readText reads the text of the chat, and whether it is whole.
func readText(f *zip.File) ([]byte, error) {
	r, err := f.Open()
	if err != nil {
		return nil, damaged(err)
	}
	defer r.Close()
	text, err := io.ReadAll(io.LimitReader(r, maxText+1))
	if err != nil {
		return nil, damaged(err)
	}
	return text, nil
}

// damaged says what to do about a zip file that cannot be read.
func damaged(err error) error {
	if errors.Is(err, zip.ErrAlgorithm) {
		return errors.New("this zip file is packed in a way that this program does not know: give the export as the phone made it")
	}
	return fmt.Errorf("this zip file is damaged: copy the export from the phone again: %w", err)
}

// takeFiles compares the files with what entries name, reads the cards of contacts, and
// forgets what no entry names. Of an entry whose file is not there, File is empty. A file
// that several entries name, as one that was passed on, is kept for each of them; so that
// counts, too, against what a zip file of that size may hold.
func (e *Export) takeFiles(size uint64) error {
	named := make(map[string]bool)
	cards := make(map[string]*Entry) // the first of each
	grown := uint64(0)
	for i := range e.Entries {
		n := &e.Entries[i]
		if n.File == "" {
			continue
		}
		n.File = name(n.File)
		f := e.files[n.File]
		if f == nil {
			e.Missing++
			n.File = ""
			continue
		}
		if grown += f.UncompressedSize64; grown > most(size) {
			return errTooMuch
		}
		if !named[n.File] {
			named[n.File] = true
			e.Attached++
			e.Size += int64(f.UncompressedSize64)
		}
		if n.Sort != Contact {
			continue
		}
		if same := cards[n.File]; same != nil {
			n.File, n.VCard, n.Cards = "", same.VCard, same.Cards
			continue
		}
		cards[n.File] = n
		if err := n.readCard(f); err != nil {
			return err
		}
	}
	for file := range e.files {
		if !named[file] {
			e.Unnamed = append(e.Unnamed, file)
			delete(e.files, file)
		}
	}
	slices.Sort(e.Unnamed)
	return nil
}

// Check reads every file that an entry names through, as it is packed, and returns an
// error if one is not whole. Progress is told how many bytes of all were read; it may be
// nil.
func (e *Export) Check(progress func(done, all int64)) error {
	var done int64
	read := make(map[string]bool)
	for i := range e.Entries {
		f := e.Entries[i].File
		if f == "" || read[f] {
			continue
		}
		read[f] = true
		r, size, err := e.Open(f)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, r)
		r.Close()
		if err != nil {
			return fmt.Errorf("the file of line %d: %w", e.Entries[i].Line, err)
		}
		if done += size; progress != nil {
			progress(done, e.Size)
		}
	}
	return nil
}

// Open opens the file that an entry names, and returns its size. What reads all of it
// gets an error at the end if it is not whole.
func (e *Export) Open(file string) (io.ReadCloser, int64, error) {
	f := e.files[file]
	if f == nil {
		return nil, 0, fs.ErrNotExist
	}
	r, err := f.Open()
	if err != nil {
		return nil, 0, damaged(err)
	}
	return &member{r, int64(f.UncompressedSize64)}, int64(f.UncompressedSize64), nil
}

// member reads a file of the zip file, no further than it says that it is long.
type member struct {
	io.ReadCloser
	left int64
}

func (m *member) Read(p []byte) (int, error) {
	n, err := m.ReadCloser.Read(p)
	if m.left -= int64(n); m.left < 0 {
		return 0, damaged(zip.ErrFormat)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = damaged(err)
	}
	return n, err
}

// maxCard is how many bytes of a contact card are read: one may have a photo.
const maxCard = 1 << 20

// readCard reads the contact card of n, or several in one.
func (n *Entry) readCard(f *zip.File) error {
	n.File = ""
	r, err := f.Open()
	if err != nil {
		return damaged(err)
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, maxCard))
	if err != nil {
		return damaged(err)
	}
	n.VCard = string(b)
	n.Cards = parseCards(n.VCard)
	return nil
}

// parseCards reads what contact cards say in the lines that matter.
func parseCards(raw string) (cards []Card) {
	raw = strings.NewReplacer("\r\n ", "", "\n ", "", "\r", "").Replace(strings.ToValidUTF8(raw, "\ufffd"))
	unescape := strings.NewReplacer(`\,`, ",", `\;`, ";", `\n`, " ", `\\`, `\`)
	for line := range strings.Lines(raw) {
		property, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		property, _, _ = strings.Cut(property, ";")
		if _, after, grouped := strings.Cut(property, "."); grouped {
			property = after
		}
		value = strings.TrimSpace(unescape.Replace(value))
		if value == "" {
			continue
		}
		property = strings.ToUpper(property)
		if property == "BEGIN" || len(cards) == 0 {
			cards = append(cards, Card{})
		}
		switch c := &cards[len(cards)-1]; property {
		case "FN":
			c.Name = value
		case "ORG":
			c.Organisation = strings.Trim(value, "; ")
		case "TEL":
			c.Numbers = append(c.Numbers, value)
		case "EMAIL":
			c.Emails = append(c.Emails, value)
		}
	}
	return cards
}
