package letter

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"image"
	"strings"

	"muniment/internal/retention"
)

// document is a letter before it is written out: what it says, and in which
// order. Every word in it is plain text, free of control characters; only the name
// of a [file] may be as it came.
type document struct {
	Council       string
	Demonstration string // empty: it is real
	Subject       string
	Title         string
	Blocks        []block
	Footer        []string
	Enclosed      []*file // attached, and of the program's own making
	Report        bool    // it is no email: wider, and made to be printed
	Large         bool    // in letters of 18 points

	// DisposeAfter is the date after which the email should be deleted from the
	// council's mailboxes; empty where that is not for this program to say.
	DisposeAfter retention.Date
}

// block is a piece of a letter. One of its fields is set.
type block struct {
	Section   string // a heading
	Day       string // a heading below it
	Paragraph string
	Callout   string // a paragraph that must not be overlooked
	List      []string
	Facts     []fact
	Verbatim  string // lines to be copied exactly
	Table     *table
	Picture   *picture
	Chart     *chart
	Message   *message
}

// Copied returns the lines that are to be copied.
func (b block) Copied() []string {
	if b.Verbatim == "" {
		return nil
	}
	return strings.Split(strings.TrimRight(b.Verbatim, "\n"), "\n")
}

type fact struct{ Name, Value string }

type table struct {
	Columns []string
	Rows    [][]string
}

// message is one message of a conversation.
type message struct {
	Time      string
	Name      string
	Record    string
	Marked    bool
	InReplyTo string   // a whole phrase
	What      string   // what it is, where that does not show
	Lines     []string // what was typed or chosen
	Pictures  []picture
	Files     []file
	Notes     []string // what became of it, what cannot be shown
	Standing  *standing
	Earlier   []version // that it had before
	Reactions string
}

// standing is how the votes in a poll, or the responses to an event, stand.
type standing struct {
	Heading string
	Items   []string
}

// version is what a message said before it was edited.
type version struct {
	When  string // a phrase
	Lines []string
}

// picture is a picture that the letter shows.
type picture struct {
	JPEG          []byte
	Width, Height int    // of it, in pixels
	Alt           string // says it to who does not see it
	Caption       string // stands below it; may be empty

	cid string // its Content-ID in the email, which compose gives it
}

// Source is where the HTML finds the picture: in the same email.
func (p picture) Source() template.URL { return template.URL("cid:" + p.cid) }

// Shown is how large the picture is at most, on whatever screen.
func (p picture) Shown() image.Point { return fit(image.Pt(p.Width, p.Height), 560) }

// file is a file that somebody sent. It is attached to the letter, unless Why says
// why not.
type file struct {
	Name string // as its sender called it
	Kind string // in a word, such as PDF or video; may be empty
	Type string // MIME type, as its sender gave it
	Data []byte

	// Why is empty, or ends a sentence and may begin another: "too large for this
	// email. It is kept as record 14." Size then is that of the file, or 0 if nobody knows.
	Why  string
	Size int64

	own bool   // the program made it, and its Type can be trusted
	as  string // its name in the email, which compose gives it
}

func (f file) attached() bool { return f.Why == "" }

// String says what became of the file.
//
//	Attached: Mill Lane survey.pdf (PDF, 212 KB)
//	Not attached: harvest.mp4 (video, 34 MB): too large for this email. It is kept as record 14.
func (f file) String() string {
	var about []string
	if f.Kind != "" {
		about = append(about, f.Kind)
	}
	if f.attached() {
		about = append(about, size(int64(len(f.Data))))
	} else if f.Size > 0 {
		about = append(about, size(f.Size))
	}
	s := f.as
	if len(about) > 0 {
		s += " (" + strings.Join(about, ", ") + ")"
	}
	if f.attached() {
		return "Attached: " + s
	}
	return "Not attached: " + s + ": " + f.Why
}

// enclosed returns the pictures and files of the letter in the order of reading.
func (d document) enclosed() (pictures []*picture, files []*file) {
	for _, b := range d.Blocks {
		if b.Picture != nil {
			pictures = append(pictures, b.Picture)
		}
		if b.Message == nil {
			continue
		}
		for i := range b.Message.Pictures {
			pictures = append(pictures, &b.Message.Pictures[i])
		}
		for i := range b.Message.Files {
			files = append(files, &b.Message.Files[i])
		}
	}
	return pictures, append(files, d.Enclosed...)
}

func (d *document) add(blocks ...block) { d.Blocks = append(d.Blocks, blocks...) }

func (d *document) section(heading string, blocks ...block) {
	d.add(block{Section: heading})
	d.add(blocks...)
}

func paragraph(format string, args ...any) block {
	return block{Paragraph: fmt.Sprintf(format, args...)}
}

//go:embed templates/letter.html templates/chart.html
var pages embed.FS

var pageTemplate = template.Must(template.New("letter.html").Funcs(template.FuncMap{"is": is, "mso": mso}).ParseFS(pages, "templates/*.html"))

// html returns the letter as an HTML page that needs nothing from elsewhere.
func (d document) html() (string, error) {
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, d); err != nil {
		return "", fmt.Errorf("write as HTML: %w", err)
	}
	return b.String(), nil
}
