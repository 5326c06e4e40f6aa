package letter

import (
	"fmt"
	"mime"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	gomessage "github.com/emersion/go-message"

	"muniment/internal/saying"
)

// longestName is how many bytes the name of an attachment has at most.
const longestName = 120

// fileName makes a name that somebody chose safe to show and to save: one line, no
// path, nothing that turns the direction of what follows, no character that
// Windows refuses. It keeps the ending.
func fileName(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r), unicode.Is(unicode.Z, r):
			return ' '
		case strings.ContainsRune(`/\:*?"<>|`, r):
			return '_'
		case joiner(r):
			return r
		case unicode.In(r, unicode.Cc, unicode.Cf):
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "_"))
	stem, ext := splitName(strings.Join(strings.Fields(s), " "))
	stem = strings.TrimLeftFunc(stem, atEdge)
	if reserved.MatchString(stem) {
		stem = "_" + stem
	}
	if stem = clip(stem, longestName-len(ext)); stem == "" {
		stem = "file"
	}
	return stem + ext
}

var (
	// ending is what may stand after the last dot.
	ending = regexp.MustCompile(`\.[\pL\pN_~-]{1,10}$`)

	// reserved are names that Windows keeps for devices, with whatever ending.
	reserved = regexp.MustCompile(`(?i)^(con|prn|aux|nul|com\d|lpt\d)(\.|$)`)
)

func splitName(s string) (stem, ext string) {
	s = strings.TrimRightFunc(s, atEdge)
	ext = ending.FindString(s)
	return strings.TrimSuffix(s, ext), ext
}

// clip returns the first characters of s, at most n bytes.
func clip(s string, n int) string {
	if len(s) > n {
		for n > 0 && !utf8.RuneStart(s[n]) {
			n--
		}
		s = s[:n]
	}
	return strings.TrimRightFunc(s, atEdge)
}

// joiner reports whether r joins letters or parts letters: some scripts, and
// emoji, are spelled with it.
func joiner(r rune) bool { return r == '\u200c' || r == '\u200d' }

// atEdge reports whether r has no business at either end of a name.
func atEdge(r rune) bool { return r == '.' || r == ' ' || joiner(r) }

// nameFiles gives every file the name that it has in the email: safe, and no two
// attached ones the same. Upper and lower case do not count, as on Windows.
func nameFiles(files []*file) {
	taken := make(map[string]bool)
	for _, f := range files {
		f.as = fileName(f.Name)
		if !f.attached() {
			continue
		}
		stem, ext := splitName(f.as)
		for n := 2; taken[strings.ToLower(f.as)]; n++ {
			number := fmt.Sprintf(" (%d)", n)
			f.as = clip(stem, longestName-len(number)-len(ext)) + number + ext
		}
		taken[strings.ToLower(f.as)] = true
	}
}

// anyFile is the type of what a reader shall not open by itself.
const anyFile = "application/octet-stream"

// passed are the types that a sender may give. Whatever else an attachment is said
// to be, a reader might act on it: show it as part of the letter, run it, put it
// into a calendar, take it for a signature.
var passed = regexp.MustCompile(`^(` +
	`image/(jpeg|png|gif|webp|heic|heif|tiff|bmp)|` +
	`(audio|video)/[a-z0-9][a-z0-9.+-]{0,40}|` +
	`application/(pdf|rtf|zip|msword|vnd\.ms-excel|vnd\.ms-powerpoint|` +
	`vnd\.(openxmlformats-officedocument|oasis\.opendocument)\.[a-z.-]{1,60})` +
	`)$`)

// attachmentType returns the type under which a file is sent that its sender says
// is of type s.
func attachmentType(s string) string {
	t, _, err := mime.ParseMediaType(s)
	if err != nil || !passed.MatchString(t) {
		return anyFile
	}
	return t
}

// attachment makes the part of an email that holds f.
func attachment(f *file) part {
	var h gomessage.Header
	h.Set("Content-Transfer-Encoding", "base64")
	setFolded(&h, "Content-Disposition", "attachment", "filename", f.as)
	if f.own {
		h.Set("Content-Type", f.Type)
	} else {
		h.Set("Content-Type", attachmentType(f.Type))
	}
	return part{h, f.Data}
}

// setFolded sets a field with one parameter, in a line of its own: the library does
// not fold after a long type, and does in the middle of a name.
func setFolded(h *gomessage.Header, field, value, param, is string) {
	v := mime.FormatMediaType(value, map[string]string{param: is})
	h.AddRaw([]byte(field + ": " + strings.Replace(v, "; ", ";\r\n ", 1) + "\r\n"))
}

// size returns n bytes as one would say it: 212 KB, 3.4 MB. A thousand bytes are
// one KB.
func size(n int64) string {
	if n < 1000 {
		return saying.Count(int(n), "byte")
	}
	x, unit := float64(n), ""
	for _, unit = range []string{"KB", "MB", "GB", "TB"} {
		if x /= 1000; x < 999.5 {
			break
		}
	}
	if s := fmt.Sprintf("%.1f", x); len(s) == 3 && s[2] != '0' {
		return s + " " + unit
	}
	return fmt.Sprintf("%.0f %s", x, unit)
}
