// Package letter composes the emails that the council receives: conversations,
// notices and certificates of destruction, and the test of the mail path.
//
// It decides nothing: which messages, which records, when and why are given. It
// reads what it needs to say of them, says it in plain English, and writes it
// out as plain text and as HTML, both from one [document], so that the two cannot
// disagree.
//
// A letter depends on nothing but its [Header], what it is given and what the
// archive and the member register say; no clock, no chance, no order of a map
// enters it, and what came into the archive after the date of the letter is not in
// it. An email that is attempted again is the same email because the outbox keeps
// the bytes: names may have changed since.
package letter

import (
	"errors"
	"fmt"
	netmail "net/mail"
	"regexp"
	"slices"
	"time"

	"muniment/internal/flag"
	"muniment/internal/people"
	"muniment/internal/retention"
	"muniment/internal/saying"
)

// Writer writes the letters of one council.
type Writer struct {
	Council string
	Groups  map[string]Group // the official groups, by JID

	// Files are those that messages brought; without a vault, they are not spoken of.
	Files Files

	// Flags finds what a clerk may want to look at; a digest tells of it.
	Flags flag.Reader

	// Demonstration makes every letter say that nothing in it is real.
	Demonstration bool

	Regulator string // of data protection, as in a sentence

	// The rest is named in notices, and left out where it is empty.
	PolicyTitle     string
	PolicySection   string
	PolicyReference string // title, date and minute, in a line
	Schedule        retention.Schedule
}

// Group is an official group, as the council has set it.
type Group struct {
	Name            string
	Purpose         string
	EveryCouncillor bool          // belongs in it
	Notice          people.Notice // that the people in it were given
}

// Header is what an email says of itself before the letter begins. Message-IDs
// are without angle brackets.
type Header struct {
	MessageID string
	From      string    // an address only
	To        []string  // likewise
	Date      time.Time // fixed before the first attempt
	InReplyTo string    // Message-ID of the earlier email that this one continues

	// References are the Message-IDs of the thread before that one, the first one first.
	// Who has lost an email, or moved it, has the thread together all the same.
	References []string

	// Reference is that of the ledger when the email was written, by which it can be told
	// later whether the records in it are what they were; empty: none is shown.
	Reference string

	// Limit is how large the mail server lets an email be; 0: nobody knows.
	Limit int64
}

// messageID is narrower than RFC 5322: ours are made of these alone.
var messageID = regexp.MustCompile(`^[A-Za-z0-9._+-]+@[A-Za-z0-9.-]+$`)

// check refuses a header that would not make a sound email.
func (h Header) check() error {
	if !messageID.MatchString(h.MessageID) {
		return errors.New("its Message-ID is not one of ours")
	}
	if h.InReplyTo == "" && len(h.References) > 0 {
		return errors.New("it stands in a thread and answers nothing")
	}
	for _, id := range h.thread() {
		if !messageID.MatchString(id) {
			return errors.New("the Message-ID it answers is not one of ours")
		}
	}
	if len(h.To) == 0 {
		return errors.New("it has no recipient")
	}
	for _, a := range append([]string{h.From}, h.To...) {
		if parsed, err := netmail.ParseAddress(a); err != nil || parsed.Address != a {
			return errors.New("its sender or recipient is not an email address")
		}
	}
	if h.Date.IsZero() {
		return errors.New("it has no date")
	}
	return nil
}

// mostReferences is how many emails of its thread an email names.
const mostReferences = 50

// thread returns the Message-IDs of the thread that the email stands in, the one it
// answers last. Of a long one they are the first, by which it is found, and the last ones.
func (h Header) thread() []string {
	if h.InReplyTo == "" {
		return nil
	}
	ids := append(slices.Clone(h.References), h.InReplyTo)
	if n := len(ids); n > mostReferences {
		ids = slices.Delete(ids, 1, 1+n-mostReferences)
	}
	return ids
}

// write makes the email of d.
func (w *Writer) write(h Header, d document) ([]byte, error) {
	msg, err := compose(h, w.marked(d))
	if err != nil {
		return nil, fmt.Errorf("compose letter: %w", err)
	}
	return msg, nil
}

// marked marks d as the council's, and that of a demonstration as one.
func (w *Writer) marked(d document) document {
	d.Council = saying.OneLine(w.Council)
	d.Subject = fmt.Sprintf("[%s] %s", d.Council, saying.OneLine(d.Subject))
	if w.Demonstration {
		d.Subject = "DEMONSTRATION: " + d.Subject
		d.Demonstration = demonstration
	}
	return d
}

const demonstration = "This email was made by a demonstration of the program. " +
	"The council, the people, the messages and the dates in it are invented."

// names returns what the groups are called, by JID.
func (w *Writer) names() map[string]string {
	names := make(map[string]string, len(w.Groups))
	for jid, g := range w.Groups {
		names[jid] = g.Name
	}
	return names
}

// group returns what a group is called in letters: never by its JID, and not by
// the name that it has in WhatsApp, which anybody in it can change.
func (w *Writer) group(jid string) string {
	return quotedGroup(w.Groups[jid].Name)
}

// quotedGroup writes the name of a group; without one, it is not listed any more.
func quotedGroup(name string) string {
	if name = saying.OneLine(name); name != "" {
		return "“" + name + "”"
	}
	return "(no longer in the program’s configuration)"
}

// in says in which group something was, unless it is the only one there is.
func (w *Writer) in(jid string) string {
	_, listed := w.Groups[jid]
	switch {
	case jid == "" || listed && len(w.Groups) == 1:
		return ""
	case !listed:
		return " in a group that is no longer in the program’s configuration"
	}
	return " in " + w.group(jid)
}
