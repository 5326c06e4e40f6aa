package transcript

import (
	"cmp"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// phone is what wrote an export. An iPhone puts a mark before what it writes itself,
// unless the file lost its marks on the way. Nobody types one, but whoever wants to can: so
// that alone takes no message away from its author.
type phone struct{ iPhone, marks bool }

// read reads what stands after the time: the author, and what he sent. An iPhone writes
// notices as if they were of the chat, by one of its names, if one is known, or of somebody
// they are about.
func (n *Entry) read(rest string, chat []string, p phone) {
	rest = strings.TrimLeft(rest, " \u00a0\u202f")
	author, body, said := cutAuthor(rest)
	if !said {
		n.notice(rest)
		return
	}
	n.Author = author
	if m := edited.FindStringIndex(body); m != nil {
		body, n.Edited = body[:m[0]], true
	}
	if p.marks && !strings.Contains(body, "\u200e") {
		n.Sort = Text
		n.say(body)
		return
	}
	readFile, readOmitted := n.readAttached, n.readOmitted
	if p.iPhone {
		readFile, readOmitted = n.readAttachedTo, n.readOmittedFrom
	}
	for _, read := range []func(string) bool{readFile, readOmitted, n.readPoll, n.readPlace, n.readUnshown} {
		if read(body) {
			return
		}
	}
	own := p.marks && strings.HasPrefix(body, "\u200e")
	switch words := bare(body); {
	case own && notices.MatchString(words) && (len(chat) == 0 || strings.Contains(words, author) || strings.HasPrefix(words, "You") || slices.Contains(chat, author)):
		n.notice(body)
	case own && call.MatchString(words), words != "" && call.FindString(words) == words:
		n.Sort = Call
		n.phoneSays(body)
	case own:
		n.Sort = Blank
		n.phoneSays(body)
	default:
		n.Sort = Text
		n.say(body)
	}
}

var (
	edited = regexp.MustCompile(`[ \n]?\x{200e}?<This message was edited>[ \n]*$`)
	call   = regexp.MustCompile(`^(?:Missed|Silenced) (?:group )?(?:voice|video) call|^(?:Voice|Video) call\b`)

	// notices are what the phone itself writes between messages.
	notices = regexp.MustCompile(`(?:end-to-end encrypted|created (?:this )?group|\badded\b|\bleft$|\bremoved\b|joined (?:using|from|the|this)|requested to join|` +
		`changed (?:the|this|their|to)\b|deleted (?:this group|the group)|is now an admin|no longer an admin|now an admin|security code|` +
		`disappearing messages|message timer|pinned a message|admin approval|invite link|is a contact|business account|blocked|` +
		`only admins|All participants|\bcommunity\b|started a (?:call|video call|voice chat)|group call)`)

	// named is a notice with a name in quotation marks, where a colon says nothing of an author.
	named = regexp.MustCompile(`(?:changed the subject|changed the group name|created group|changed the group description|changed this group) ?(?:from|to)? ?["“”]`)
)

// cutAuthor returns who sent a message and what it says; said is false if nobody did.
func cutAuthor(s string) (author, body string, said bool) {
	line, _, _ := strings.Cut(s, "\n")
	at := strings.Index(line, ": ")
	if at < 0 {
		if author, ended := strings.CutSuffix(line, ":"); ended {
			at = len(author)
		} else {
			return "", "", false
		}
	}
	author = name(s[:at])
	if author == "" || named.MatchString(s[:at]) {
		return "", "", false
	}
	return author, strings.TrimPrefix(s[at+1:], " "), true
}

// name returns what somebody is called without the marks around it.
func name(s string) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(bare(s), "\u2011", "-")), " ") // the hyphen is one of telephone numbers
}

// bare returns the words of s without marks, and with plain spaces.
func bare(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case r == '\u00a0' || r == '\u202f':
			return ' '
		case strings.ContainsRune(marks, r):
			return -1
		}
		return r
	}, s))
}

// notice makes n a notice of the phone. On an iPhone it stands as if somebody, or the
// group, had written it.
func (n *Entry) notice(words string) {
	n.Sort, n.as, n.Author = Notice, n.Author, ""
	n.phoneSays(words)
}

// Telephone numbers, as phones write them in their own words.
var numbers = regexp.MustCompile(`\+\d[\d ()\x{a0}\x{2011}-]{5,}\d|\b0\d[\d ()\x{a0}\x{2011}-]{6,}\d`)

// phoneSays takes in words of the phone. A number in them is of somebody whom it has
// no name for.
func (n *Entry) phoneSays(words string) {
	words = bare(words)
	at := 0
	var b strings.Builder
	for _, m := range numbers.FindAllStringIndex(words, -1) {
		digits := Digits(words[m[0]:m[1]])
		if words[m[0]] == '0' && len(digits) < 9 { // a date
			continue
		}
		b.WriteString(words[at:m[0]])
		n.Mentions = append(n.Mentions, Mention{b.Len(), b.Len() + 1 + len(digits), digits})
		b.WriteString("@" + digits)
		at = m[1]
	}
	b.WriteString(words[at:])
	n.Text = b.String()
}

// mention is how a phone writes that somebody is mentioned; the digits as WhatsApp
// sends it, which older ones left there.
var mention = regexp.MustCompile(`@(?:\x{2068}([^\x{2068}\x{2069}\n]{1,200})\x{2069}|(\d{8,15})\b)`)

// say takes in what somebody typed.
func (n *Entry) say(text string) {
	text = strings.TrimRight(text, " \n")
	at := 0
	var b strings.Builder
	for _, m := range mention.FindAllStringSubmatchIndex(text, -1) {
		b.WriteString(text[at:m[0]])
		from, called, digits := b.Len(), "", ""
		if m[2] < 0 {
			digits = text[m[4]:m[5]]
		} else if called = name(text[m[2]:m[3]]); IsNumber(called) {
			digits = Digits(called)
		} else {
			called = mentionable(called)
		}
		b.WriteString("@" + cmp.Or(digits, called))
		n.Mentions = append(n.Mentions, Mention{from, b.Len(), digits})
		at = m[1]
	}
	b.WriteString(text[at:])
	n.Text = b.String()
}

// mentionable returns how a text names somebody whom the phone calls so. With so many digits
// it has a telephone number in it, which nobody typed.
func mentionable(called string) string {
	digits := 0
	for _, r := range called {
		if unicode.IsDigit(r) {
			digits++
		}
	}
	if digits >= 7 {
		return "[name with a number]"
	}
	return called
}

// Mentioned returns the names in the lines of an entry that its text has after an @ where
// it mentions somebody; see [Entry.Raw].
func Mentioned(raw string) (names []string) {
	for _, m := range mention.FindAllStringSubmatch(raw, -1) {
		if called := name(m[1]); called != "" && !IsNumber(called) {
			names = append(names, mentionable(called))
		}
	}
	return names
}

// IsNumber reports whether the phone calls somebody by a telephone number, having no name
// or that for one.
func IsNumber(called string) bool { return onlyNumber.MatchString(called) && len(Digits(called)) >= 7 }

var onlyNumber = regexp.MustCompile(`^\+?[\d ()./\x{a0}\x{2011}-]+$`)

// Digits returns the digits of a telephone number.
func Digits(number string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, number)
}

var (
	attached   = regexp.MustCompile(`(?s)^\x{200e}?([^\n]{1,300}?) \(file attached\)(?:\n(.*))?$`) // on Android
	attachedTo = regexp.MustCompile(`(?s)^(?:(.*?)\x{200e})?<\x{200e}?attached: ([^>\n]{1,300})>(.*)$`)
	attachedAs = regexp.MustCompile(`(?s)^\x{200e}?([^\n]{1,300}?) <\x{200e}?attached>(?:\n(.*))?$`) // on iPhones until 2018
)

// readAttached reads a message whose file is with the export, or should be.
func (n *Entry) readAttached(body string) bool {
	m := attached.FindStringSubmatch(body)
	return m != nil && n.brings(m[1], m[2])
}

// readAttachedTo does what readAttached does, on an iPhone.
func (n *Entry) readAttachedTo(body string) bool {
	if m := attachedTo.FindStringSubmatch(body); m != nil {
		return n.brings(m[2], m[1]+strings.TrimLeft(m[3], " \n"))
	}
	m := attachedAs.FindStringSubmatch(body)
	return m != nil && n.brings(m[1], m[2])
}

func (n *Entry) brings(file, caption string) bool {
	n.File = bare(file)
	n.Sort, n.Name = sortOf(n.File)
	n.caption(caption)
	return true
}

// pages is how an iPhone tells of a document.
var pages = regexp.MustCompile(`^(.{1,300}?) • \x{200e}?(\d+) pages?[ \x{200e}]*`)

// caption takes in what stands beside a file.
func (n *Entry) caption(s string) {
	s = strings.Trim(s, " \n\u200e")
	if m := pages.FindStringSubmatch(s); m != nil && n.Sort == Document {
		n.Name = bare(m[1])
		n.Pages, _ = strconv.Atoi(m[2]) // digits; too many are none
		s = s[len(m[0]):]
	}
	n.say(s)
}

var (
	namedAndroid = regexp.MustCompile(`^(IMG|VID|GIF|PTT|AUD|STK|PTV|DOC)-\d{8}-WA\d+\.`)
	namedPhone   = regexp.MustCompile(`^\d{3,}-(PHOTO|VIDEO|GIF|AUDIO|STICKER)-[\d-]{10,}\.`)
	numbered     = regexp.MustCompile(`^\d{8}-`)
)

var bySort = map[string]Sort{
	"IMG": Image, "VID": Video, "GIF": GIF, "PTT": Voice, "AUD": Audio, "STK": Sticker, "PTV": VideoNote, "DOC": Document,
	"PHOTO": Image, "VIDEO": Video, "AUDIO": Audio, "STICKER": Sticker,
}

// sortOf tells by its name in the export what a file is, and how its sender called it:
// photos and recordings have no name of their own.
func sortOf(file string) (s Sort, name string) {
	extension := strings.ToLower(path.Ext(file))
	if m := namedAndroid.FindStringSubmatch(file); m != nil {
		return bySort[m[1]], ""
	}
	if m := namedPhone.FindStringSubmatch(file); m != nil {
		if s = bySort[m[1]]; s == Audio && extension == ".opus" {
			s = Voice
		}
		return s, ""
	}
	name = numbered.ReplaceAllString(file, "")
	if extension == ".vcf" {
		return Contact, name
	}
	return Document, name
}

var (
	omitted     = regexp.MustCompile(`(?is)^\x{200e}?<(media|image|photo|video|video note|gif|sticker|audio|voice message|document|contact card|file) omitted>(?:[ \n](.*))?$`)
	omittedFrom = regexp.MustCompile(`(?s)^(?:(.*?)\x{200e})?(image|video|video note|GIF|sticker|audio|document|Contact card) omitted(?:\n(.*))?$`)
	viewOnce    = regexp.MustCompile(`^<?View once (?:voice message|photo|video|message|media)?(?: omitted)?>?$`)
)

var omittedSorts = map[string]Sort{
	"media": Media, "file": Media, "image": Image, "photo": Image, "video": Video, "video note": VideoNote, "gif": GIF, "sticker": Sticker,
	"audio": Audio, "voice message": Voice, "document": Document, "contact card": Contact,
}

// readOmitted reads a message whose file is not with the export.
func (n *Entry) readOmitted(body string) bool {
	if viewOnce.MatchString(bare(body)) {
		n.Sort = ViewOnce
		return true
	}
	m := omitted.FindStringSubmatch(body)
	return m != nil && n.lacks(m[1], m[2])
}

// readOmittedFrom does what readOmitted does, on an iPhone.
func (n *Entry) readOmittedFrom(body string) bool {
	if m := omittedFrom.FindStringSubmatch(body); m != nil {
		return n.lacks(m[2], m[1]+m[3])
	}
	return n.readOmitted(body)
}

func (n *Entry) lacks(what, caption string) bool {
	n.Sort = omittedSorts[strings.ToLower(what)]
	n.caption(caption)
	return true
}

// option is an option of a poll with its votes.
var option = regexp.MustCompile(`^OPTION: (.*) \((\d+) votes?\)$`)

// readPoll reads a poll.
func (n *Entry) readPoll(body string) bool {
	lines := strings.Split(bare(body), "\n")
	if lines[0] != "POLL:" {
		return false
	}
	first := slices.IndexFunc(lines, option.MatchString)
	if first < 2 {
		return false
	}
	var options []Option
	for _, l := range lines[first:] {
		m := option.FindStringSubmatch(strings.TrimSpace(l))
		if m == nil {
			return false
		}
		votes, _ := strconv.Atoi(m[2])
		options = append(options, Option{m[1], votes})
	}
	n.Sort, n.Poll, n.Question = Poll, options, strings.Join(lines[1:first], "\n")
	text := []string{n.Question}
	for _, o := range options {
		text = append(text, o.Text)
	}
	n.Text = strings.Join(text, "\n")
	return true
}

var (
	place = regexp.MustCompile(`(?i)^(live )?location: https://maps\.google\.com/\?q=(-?\d{1,3}(?:\.\d+)?),(-?\d{1,3}(?:\.\d+)?)$`)
	live  = regexp.MustCompile(`(?i)^live location shared$`)
)

// readPlace reads a place on a map.
func (n *Entry) readPlace(body string) bool {
	words := bare(body)
	if live.MatchString(words) {
		n.Sort = LiveLocation
		return true
	}
	m := place.FindStringSubmatch(words)
	if m == nil {
		return false
	}
	n.Sort = Location
	if m[1] != "" {
		n.Sort = LiveLocation
	}
	n.Place = &Place{}
	n.Place.Latitude, _ = strconv.ParseFloat(m[2], 64) // digits
	n.Place.Longitude, _ = strconv.ParseFloat(m[3], 64)
	return true
}

var (
	deleted = regexp.MustCompile(`^(?:This message was deleted|You deleted this message)(?: (?:by|as) [^\n]{1,200})?\.?$`)
	unshown = regexp.MustCompile(`^(?:null|Waiting for this message\. This may take a while\.?|This message can['’]t be displayed here[^\n]*|Message not supported[^\n]*|)$`)
)

// readUnshown reads a message of which the phone does not show, or no longer has, what
// it said.
func (n *Entry) readUnshown(body string) bool {
	words := bare(body)
	switch {
	case deleted.MatchString(words):
		n.Sort = Deleted
	case unshown.MatchString(words):
		n.Sort = Blank
	default:
		return false
	}
	n.phoneSays(words)
	return true
}

var (
	createdGroup = regexp.MustCompile(`created group ["“](.+)["”]$`)
	renamedGroup = regexp.MustCompile(`changed the (?:subject|group name)(?: from ["“].+["”])? to ["“](.+)["”]$`)
)

// learnName takes in what a notice says of the chat's name.
func (e *Export) learnName(n Entry) {
	if n.Sort != Notice {
		return
	}
	if strings.Contains(n.Text, "end-to-end encrypted") && len(e.Entries) == 0 {
		e.called(n.as)
	}
	for _, says := range []*regexp.Regexp{createdGroup, renamedGroup} {
		if m := says.FindStringSubmatch(n.Text); m != nil {
			e.called(m[1])
		}
	}
}

// called notes a name of the chat.
func (e *Export) called(chat string) {
	if chat = name(chat); chat != "" && !slices.Contains(e.Names, chat) {
		e.Names = append(e.Names, chat)
	}
}
