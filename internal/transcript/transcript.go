// Package transcript reads WhatsApp's own export of a chat, as a phone writes it: a
// text with a line for each message, alone or in a zip file with the photos and other
// files.
//
// The text is for people. It has no message IDs, names people as the phone's owner
// does, and tells times in the phone's zone, by its habits. What a member types can
// look like a line of it, and cannot always be told from one. So it is evidence of a
// lesser kind than what a device receives. Nothing of it is dropped: what is not
// understood is a [Fault], and each entry has the lines that it was read from.
package transcript

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Export is what a phone wrote of one chat.
type Export struct {
	Digest   [32]byte // SHA-256 of the file
	Names    []string // of the chat, as the file's name and the notices in it tell
	Phone    string   // "Android" or "iPhone"
	Order    Order
	Sure     bool          // of Order; else it is a guess
	Unit     time.Duration // of its times: a minute or a second
	Lines    int
	Entries  []Entry
	Faults   []Fault
	Back     int      // entries that are earlier by more than an hour than one before them
	Unnamed  []string // files that no entry names
	Attached int      // files that entries name,
	Size     int64    // their bytes,
	Missing  int      // and entries whose file should be there and is not

	files files
}

// Fault is something that was not understood, or cannot be right.
type Fault struct {
	Line int // in the text, from 1
	What string
}

func (f Fault) String() string { return fmt.Sprintf("line %d: %s", f.Line, f.What) }

// Options are what the text does not say.
type Options struct {
	Zone *time.Location // of the phone
	Now  time.Time      // nothing in it can be later
}

// Sort says what an entry is.
type Sort string

// The sorts of entries.
const (
	Notice       Sort = "notice" // by the phone itself: who joined, what was changed
	Text         Sort = "text"
	Image        Sort = "image"
	Video        Sort = "video"
	GIF          Sort = "gif"
	VideoNote    Sort = "video_note"
	Audio        Sort = "audio"
	Voice        Sort = "voice"
	Document     Sort = "document"
	Sticker      Sort = "sticker"
	Media        Sort = "media" // one of these; which, it does not say
	Contact      Sort = "contact"
	Location     Sort = "location"
	LiveLocation Sort = "live_location"
	Poll         Sort = "poll"
	ViewOnce     Sort = "view_once"
	Call         Sort = "call"
	Deleted      Sort = "deleted" // for everyone; what it said is gone
	Blank        Sort = "blank"   // what it said is not shown
)

// Entry is a message, or a notice between messages.
type Entry struct {
	Line   int    // the first of its lines
	Raw    string // these, as they are
	Sort   Sort
	Author string // as the phone's owner calls the sender; empty: a notice
	Edited bool

	// At is when it was sent, to the [Export.Unit]. In the hour that a clock shows
	// twice when summer time ends, it is a guess from the order, and Or the other time.
	At, Or time.Time

	// Text is what it says: of a file the caption; of a notice and of what is not shown
	// the phone's own words; of a poll the question and the options, in lines.
	Text     string
	Mentions []Mention

	File     string // the name of its file; after [Read]: if that is with the export
	Name     string // of a document or contact, as its sender called it
	Pages    int
	Poll     []Option
	Question string
	Place    *Place
	Cards    []Card // of a contact whose card is with the export
	VCard    string // and as it is

	as string // of a notice: in whose name it stands
}

// Mention is where Text names somebody.
type Mention struct {
	From, To int    // Text[From:To] is @ and a name, or @ and Number
	Number   string // digits, if the phone has no name
}

// Option is an option of a poll.
type Option struct {
	Text  string
	Votes int
}

// Place is a place on a map.
type Place struct{ Latitude, Longitude float64 }

// Card is a contact card.
type Card struct {
	Name, Organisation string
	Numbers, Emails    []string
}

// maxText is how many bytes of text are read: far more than a phone exports.
const maxText = 128 << 20

// Parse reads the text of an export.
func Parse(text []byte, o Options) (*Export, error) {
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	if len(text) > maxText {
		return nil, fmt.Errorf("the text has more than %d MB: no phone exports so much", maxText>>20)
	}
	s := strings.TrimPrefix(string(text), "\ufeff")
	lines := splitLines(s)
	e := &Export{Lines: len(lines), Phone: "Android", Unit: time.Minute}
	heads, f, err := findHeads(lines)
	if err != nil {
		return nil, err
	}
	if f.bracket {
		e.Phone = "iPhone"
	}
	if f.seconds {
		e.Unit = time.Second
	}
	e.Order, e.Sure = decide(heads, o.Now.In(o.Zone))
	heads = e.possible(heads)
	if len(heads) == 0 {
		return nil, ErrNoExport
	}
	if len(lines) > 0 && heads[0].line > 0 {
		e.stray(lines[:heads[0].line])
	}
	c, p := clock{zone: o.Zone}, phone{iPhone: f.bracket, marks: f.bracket && strings.Contains(s, "\u200e")}
	for i, h := range heads {
		end := len(lines)
		if i+1 < len(heads) {
			end = heads[i+1].line
		}
		e.add(h, lines[h.line:end], &c, p)
	}
	e.Back = c.back
	return e, nil
}

// add reads the entry that begins with h, in these lines.
func (e *Export) add(h head, lines []string, c *clock, p phone) {
	n := Entry{Line: h.line + 1, Raw: strings.Join(lines, "")}
	raw := n.Raw[h.length:]
	if !utf8.ValidString(raw) || strings.ContainsRune(raw, 0) {
		e.fault(n.Line, "it holds bytes that are no text; they are shown as \ufffd")
		raw = strings.ReplaceAll(strings.ToValidUTF8(raw, "\ufffd"), "\x00", "\ufffd")
	}
	var exists bool
	if n.At, n.Or, exists = c.resolve(h.wall(e.Order)); !exists {
		e.fault(n.Line, "this time does not exist in the phone's zone: clocks were put forward past it; is the zone right?")
	}
	n.read(strings.TrimRight(strings.ReplaceAll(raw, "\r\n", "\n"), "\r\n"), e.Names, p)
	if n.Sort == Blank && slices.Contains(e.Names, n.Author) { // the group says nothing itself
		n.Sort, n.Author = Notice, ""
	}
	e.learnName(n)
	e.Entries = append(e.Entries, n)
}

// possible returns the heads whose dates there are. The others are lines that
// somebody typed, or a text that was tampered with.
func (e *Export) possible(heads []head) (possible []head) {
	for _, h := range heads {
		if h.exists(e.Order) {
			possible = append(possible, h)
		} else {
			e.fault(h.line+1, "it begins like a message, with a date or time that there is not; it is taken for a part of what stands before it")
		}
	}
	return possible
}

// stray notes lines before the first message.
func (e *Export) stray(lines []string) {
	for i, l := range lines {
		if strings.TrimSpace(l) != "" {
			e.fault(i+1, "it stands before the first message and belongs to none; it is left out")
		}
	}
}

func (e *Export) fault(line int, what string) { e.Faults = append(e.Faults, Fault{line, what}) }

// splitLines returns the lines of s, each with what ends it.
func splitLines(s string) []string {
	var lines []string
	for l := range strings.Lines(s) {
		lines = append(lines, l)
	}
	return lines
}
