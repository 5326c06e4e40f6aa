package saying

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"muniment/internal/archive"
	"muniment/internal/record"
)

// nouns are what messages are called, by their type. A text is called nothing: its
// words speak for themselves.
var nouns = map[record.Type]string{
	record.Image:        "photo",
	record.Video:        "video",
	record.GIF:          "GIF",
	record.VideoNote:    "video message",
	record.Audio:        "sound recording",
	record.Voice:        "voice message",
	record.Document:     "document",
	record.Sticker:      "sticker",
	record.Stickers:     "set of stickers",
	record.Album:        "album",
	record.Contact:      "contact card",
	record.Location:     "place",
	record.LiveLocation: "live location",
	record.Poll:         "poll",
	record.PollResult:   "result of a poll",
	record.Event:        "event",
	record.Invite:       "invitation",
	record.Comment:      "comment",
	record.Menu:         "menu",
	record.Choice:       "choice from a menu",
	record.Payment:      "payment",
	record.Order:        "order",
	record.Call:         "call",
	record.Media:        "file",
}

// files are the types of messages that are a file and, perhaps, words on it.
var files = map[record.Type]bool{
	record.Image: true, record.Video: true, record.GIF: true, record.VideoNote: true, record.Audio: true, record.Voice: true,
	record.Document: true, record.Sticker: true, record.Stickers: true, record.Media: true,
}

// IsFile reports whether a message of that type is a file: a photo, a recording, a
// document and so on.
func IsFile(t record.Type) bool { return files[t] }

// Noun returns what a message of that type is called in a word or two, such as photo;
// empty for a text.
func Noun(t record.Type) string { return nouns[t] }

const unreadable = "Something that this program cannot read yet"

// briefs are those that Brief calls otherwise than by article and noun.
var briefs = map[record.Type]string{
	record.PollResult: "the result of a poll",
	record.History:    "earlier messages shared with new members",
	record.Blank:      "a message whose words the phone’s export does not have",
}

// Brief returns r, a message, in a few words within a sentence: what it is, and its
// first words, at most so many characters of them.
func (t Teller) Brief(r archive.Record, most int) string {
	s := t.Of(r, archive.Record{})
	words := ""
	if len(s.Words) > 0 && r.Kind == record.Message {
		words = "“" + Excerpt(s.Words[0], most) + "”"
	}
	what := briefs[r.Type]
	if r.Type == record.ViewOnce {
		noun := cmp.Or(nouns[r.Details.Once], "file")
		what = article(noun) + " " + noun + " to be viewed once"
	}
	if noun := nouns[r.Type]; what == "" && noun != "" {
		what = article(noun) + " " + noun
	}
	switch {
	case r.Kind != record.Message || r.Type == record.Sealed:
		return Lower(s.What)
	case what == "" || words == "":
		return cmp.Or(what+words, "a message without words")
	}
	return what + ": " + words
}

// content tells what a message says: what is in fields, and after that what it says
// besides in its text.
func (t Teller) content(r archive.Record) Saying {
	s := Saying{What: Capital(nouns[r.Type])}
	d := t.Details(r.Details)
	if files[r.Type] {
		s.Extent = duration(d.Seconds)
	}
	fields(&s, r, d)
	left := rest(t.Text(r), s.Words)
	if r.Type == record.Menu { // its text introduces what can be chosen
		s.Words, left = left, s.Words
	}
	s.Words = append(s.Words, left...)
	s.Words = append(s.Words, link(d.Link, s.Words)...)
	if s.What == "" && len(s.Words) == 0 {
		s.Notes = append(s.Notes, "It has no words.")
	}
	s.Notes = append(s.Notes, part(r)...)
	return s
}

// fields tells in s what r says in the fields d.
func fields(s *Saying, r archive.Record, d record.Details) {
	switch r.Type {
	case record.Document:
		if d.Pages > 0 {
			s.Extent = Count(d.Pages, "page")
		}
	case record.Album:
		if of := albumOf(d); of != "" {
			s.What = "Album of " + of
		}
	case record.ViewOnce:
		s.What, s.Extent = "Sent to be viewed once", duration(d.Seconds)
		if noun := nouns[d.Once]; noun != "" {
			s.What = Capital(noun) + " sent to be viewed once"
		}
		s.Notes = append(s.Notes, "WhatsApp does not make it available to linked devices.")
	case record.Contact:
		if len(d.Contacts) > 1 {
			s.What = "Contact cards"
		}
		for _, c := range d.Contacts {
			s.Words = append(s.Words, card(c))
		}
	case record.Location, record.LiveLocation:
		s.Words = placeOf(d.Place)
		if d.Place != nil && d.Place.Accuracy > 0 {
			s.Notes = append(s.Notes, "Accurate to "+Count(d.Place.Accuracy, "metre")+".")
		}
	case record.Poll:
		ballot(s, d)
	case record.PollResult:
		result(s, d)
	case record.Event:
		event(s, d)
	case record.Invite:
		event(s, d)
		if s.What = "Invitation"; invitations[d.Called] != "" {
			s.What += " to " + invitations[d.Called]
		}
		s.Notes = append(s.Notes, ends(d)...)
	case record.Comment:
		s.What = "Comment on " + the("message", r.ReplyTo)
	case record.Menu:
		s.Words = append(prefixed("• ", d.Offers), placeOf(d.Place)...)
	case record.Choice:
		s.Words = d.Chosen
	case record.Payment:
		s.What, s.Extent = cmp.Or(payments[d.Called], s.What), d.Amount
		s.Notes = append(s.Notes, ends(d)...)
	case record.Order:
		s.Extent = strings.Join(nonEmpty(d.Called, d.Amount), ", ")
	case record.Call:
		event(s, d)
		s.What, s.Extent = "Call in the group", strings.Join(nonEmpty(d.Called, duration(d.Seconds)), ", ")
		if r.Answers {
			s.Notes = append(s.Notes, "Of "+the("call", r.ReplyTo)+".")
		}
	case record.History:
		s.What = "Shared earlier messages with new members"
		if d.Shared > 0 {
			s.What = "Shared " + Count(d.Shared, "earlier message") + " with new members"
		}
	case record.Blank:
		s.What = "A message whose words the phone’s export does not have"
	}
}

// ends says until when an invitation can be accepted.
func ends(d record.Details) []string {
	if d.Until == nil {
		return nil
	}
	return []string{"It can be accepted until " + Moment(*d.Until) + "."}
}

// rest returns what of text is not in said already, in one piece.
func rest(text string, said []string) []string {
	if len(said) == 0 {
		return nonEmpty(text)
	}
	var all, left []string
	for _, s := range said {
		all = append(all, OneLine(s))
	}
	for _, line := range Lines(text) {
		if !strings.Contains(strings.Join(all, "\n"), OneLine(line)) {
			left = append(left, line)
		}
	}
	return nonEmpty(strings.Join(left, "\n"))
}

// nonEmpty returns those that are not.
func nonEmpty(all ...string) (some []string) {
	for _, s := range all {
		if s != "" {
			some = append(some, s)
		}
	}
	return some
}

func prefixed(prefix string, all []string) (some []string) {
	for _, s := range all {
		some = append(some, prefix+s)
	}
	return some
}

// duration writes seconds as apps do beside a recording: 0 min 42 s. Empty for none.
func duration(seconds int) string {
	switch h, m, s := seconds/3600, seconds/60%60, seconds%60; {
	case seconds <= 0:
		return ""
	case h > 0:
		return fmt.Sprintf("%d h %02d min", h, m)
	case s == 0:
		return fmt.Sprintf("%d min", m)
	default:
		return fmt.Sprintf("%d min %02d s", m, s)
	}
}

// albumOf says what is to be in an album: 3 photos and 1 video.
func albumOf(d record.Details) string {
	var of []string
	if d.Photos > 0 {
		of = append(of, Count(d.Photos, "photo"))
	}
	if d.Videos > 0 {
		of = append(of, Count(d.Videos, "video"))
	}
	return And(of)
}

// card writes a contact card in a line.
func card(c record.Card) string {
	said := nonEmpty(c.Name, c.Organisation)
	said = append(said, nonEmpty(c.Numbers...)...)
	return strings.Join(append(said, nonEmpty(c.Emails...)...), ", ")
}

// placeOf writes a place in a line: Mill Lane, Cranford (51.50735, -0.12776). There is
// none if p is nil.
func placeOf(p *record.Place) []string {
	if p == nil {
		return nil
	}
	name, at := strings.Join(nonEmpty(p.Name, p.Address), ", "), fmt.Sprintf("%.5f, %.5f", p.Latitude, p.Longitude)
	switch {
	case name == "":
		return []string{at}
	case p.Latitude == 0 && p.Longitude == 0: // it has a name only
		return []string{name}
	}
	return []string{name + " (" + at + ")"}
}

// ballot tells of a poll what can be voted for, and how.
func ballot(s *Saying, d record.Details) {
	b := d.Poll
	if b == nil {
		return
	}
	s.Words = nonEmpty(b.Question)
	for _, o := range b.Options {
		mark := "○ "
		if b.Quiz && o == b.Correct {
			mark = "✓ "
		}
		s.Words = append(s.Words, mark+o+votes(d.Tally, o))
	}
	switch {
	case d.Tally != nil: // a phone's export says how many voted, and not how
		s.Notes = append(s.Notes, "The votes are those that the phone counted.")
	case b.Quiz && b.Correct != "":
		s.What = "Quiz"
		s.Notes = append(s.Notes, "The sender has marked the right answer with ✓.")
	case b.Quiz:
		s.What = "Quiz"
	case b.Choose == 1:
		s.Notes = append(s.Notes, "One option may be chosen.")
	case b.Choose == 0:
		s.Notes = append(s.Notes, "Any number of options may be chosen.")
	default:
		s.Notes = append(s.Notes, fmt.Sprintf("Up to %d options may be chosen.", b.Choose))
	}
	if b.Adding {
		s.Notes = append(s.Notes, "Members may add options.")
	}
	if b.Secret {
		s.Notes = append(s.Notes, "Phones do not show who voted for what.")
	}
	if b.Ends != nil {
		s.Notes = append(s.Notes, "Votes may be cast until "+Moment(*b.Ends)+".")
	}
}

// votes says behind an option how many it had, if the poll itself tells.
func votes(tally []record.Count, option string) string {
	for _, c := range tally {
		if c.Option == option {
			return ": " + Count(c.Votes, "vote")
		}
	}
	return ""
}

// result tells how a poll ended, as WhatsApp counted.
func result(s *Saying, d record.Details) {
	if d.Poll != nil {
		s.Words = nonEmpty(d.Poll.Question)
	}
	for _, c := range d.Tally {
		s.Words = append(s.Words, c.Option+": "+Count(c.Votes, "vote"))
	}
}

// event tells to what people are asked, when and where.
func event(s *Saying, d record.Details) {
	e := d.Event
	if e == nil {
		return
	}
	if e.Cancelled {
		s.What = "Cancelled event"
	}
	s.Words = nonEmpty(e.Name)
	if e.Starts != nil {
		var ends time.Time
		if e.Ends != nil {
			ends = *e.Ends
		}
		s.Words = append(s.Words, Period(*e.Starts, ends))
	}
	s.Words = append(s.Words, placeOf(d.Place)...)
	s.Words = append(s.Words, nonEmpty(e.Description, e.Link)...)
	if e.Guests {
		s.Notes = append(s.Notes, "Guests may be brought.")
	}
}

// invitations are to what somebody can be invited, as WhatsApp calls it.
var invitations = map[string]string{
	"group": "a group", "channel": "a channel", "community": "a community", "event": "an event", "call": "a call",
}

// payments are what is done about one, as WhatsApp calls it.
var payments = map[string]string{
	"request": "Request for payment", "request declined": "Request for payment declined", "request cancelled": "Request for payment cancelled",
	"invitation": "Invitation to pay through WhatsApp", "reminder": "Reminder of a payment", "shared costs": "Shared costs", "invoice": "Invoice",
}

// link returns the preview of a page, as far as it says more than the words.
func link(l *record.Link, words []string) []string {
	if l == nil {
		return nil
	}
	url := l.URL
	if strings.Contains(strings.Join(words, "\n"), url) {
		url = ""
	}
	said := nonEmpty(l.Title, url)
	if len(said) == 0 {
		return nil
	}
	return []string{"Link: " + strings.Join(said, " — ")}
}

// part tells what a message is of another one.
func part(r archive.Record) []string {
	switch r.Details.Part {
	case record.PartOfAlbum:
		return []string{"Of " + the("album", r.ReplyTo) + "."}
	case record.LargerCopy:
		return []string{"A larger copy of " + the(cmp.Or(nouns[r.Type], "file"), r.ReplyTo) + "."}
	case record.OtherCopy:
		return []string{"The same as " + the(cmp.Or(nouns[r.Type], "file"), r.ReplyTo) + ", in another format."}
	case record.MovingCopy:
		return []string{"The moment at which " + the("photo", r.ReplyTo) + " was taken."}
	case record.CoverPicture:
		return []string{"The cover picture of " + the("event", r.ReplyTo) + "."}
	case record.OptionPicture:
		return []string{"A picture of an option of " + the("poll", r.ReplyTo) + "."}
	}
	return nil
}

// unsupported tells of what cannot be read that it is there.
func (t Teller) unsupported(r archive.Record) Saying {
	s := Saying{What: unreadable, Notes: []string{fmt.Sprintf("It is kept in full as record %d.", r.Seq)}}
	switch {
	case IsGroupChange(r) && t.Actor(r) == "":
		s.What, s.Alone = "The group was changed in a way that this program cannot read yet", true
	case IsGroupChange(r):
		s.What = "Changed the group in a way that this program cannot read yet"
	}
	return s
}

// IsGroupChange reports whether r is a change of the group, and no message. WhatsApp's
// names for those that cannot be read begin so.
func IsGroupChange(r archive.Record) bool {
	return r.Kind == record.Group || r.Kind == record.Unsupported && strings.HasPrefix(string(r.Type), "group_")
}
