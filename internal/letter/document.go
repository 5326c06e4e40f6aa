package letter

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"

	"muniment/internal/retention"
)

// document is a letter before it is written out: what it says, and in which
// order. Everything in it is plain text, free of control characters.
type document struct {
	Council       string
	Demonstration string // empty: it is real
	Subject       string
	Title         string
	Blocks        []block
	Footer        []string

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
	Message   *message
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
	Lines     []string // what was typed
	Note      string   // what cannot be shown
	Reactions string
}

func (d *document) add(blocks ...block) { d.Blocks = append(d.Blocks, blocks...) }

func (d *document) section(heading string, blocks ...block) {
	d.add(block{Section: heading})
	d.add(blocks...)
}

func paragraph(format string, args ...any) block {
	return block{Paragraph: fmt.Sprintf(format, args...)}
}

//go:embed templates/letter.html
var page string

var pageTemplate = template.Must(template.New("letter").Parse(page))

// html returns the letter as an HTML page that needs nothing from elsewhere.
func (d document) html() (string, error) {
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, d); err != nil {
		return "", fmt.Errorf("write as HTML: %w", err)
	}
	return b.String(), nil
}
