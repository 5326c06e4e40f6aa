package archive

import (
	"database/sql"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
	"muniment/internal/transcript"
)

// Comparison is what a phone's export of a chat and the records of a group have of one
// another. Entries are by their place in the export.
type Comparison struct {
	First, Last time.Time // of the export's entries
	Messages    int       // in the export,
	Notices     int       // and what the phone itself tells between them
	Known       int       // messages that the archive has
	New         []int     // messages and notices that it lacks and may take in
	Files       int       // of these: with a file,
	Mended      []int     // and of those: of messages that it has without their file
	PastDue     int       // messages and notices past their period: these never enter
	Future      []int     // those that are dated later than now
	// Later are those after the last message that this device has received: it may still
	// receive them itself, unless it is not linked or not in the group.
	Later []int

	// Lacks are the messages in the archive, of the time of the export, that the export
	// lacks: deleted on the phone, or disappeared.
	Lacks []record.Seq

	// When the first and the last message was sent that this device has received itself;
	// zero if it has received none.
	From, Until time.Time

	// What shows that the export is of this group: messages of the time that the device
	// has received itself, how many of them it has, and whether its name is one of the
	// group's.
	// Telling are those that the archive has whose words hardly anybody else says in the
	// same minute.
	Overlap, Matched, Telling int
	Named                     bool
	// Shift is by how much the export's clock seems to be ahead of the records', captured or
	// imported, if that is why so little matches; see [Comparison.Doubt].
	Shift time.Duration

	last record.Seq // when it was compared
}

// Doubt is a reason to doubt that an export is of a group's chat.
type Doubt string

func (d Doubt) Error() string { return string(d) }

// Doubt returns why the export may not be of this group's chat; nil if something shows
// that it is. An imported message stays for years: a private chat would, too.
func (c Comparison) Doubt() error {
	const enough, telling = 5, 3
	few := c.Telling == 0 || c.Telling < telling && c.Matched*2 < c.Overlap // as an "ok" of each chat, or what was sent to both
	switch {
	case c.Shift != 0:
		return Doubt(fmt.Sprintf("nearly nothing of it agrees with the records of the same days, but would if the phone's clock had shown another hour (%+.1f h): give the phone's zone with --zone", c.Shift.Hours()))
	case c.Overlap >= enough && c.Matched == 0:
		return Doubt("it has messages of days on which this device recorded the group, and none of them is among the records: it seems to be of another chat")
	case few && !c.Named:
		return Doubt("nothing shows that it is of this group: no message of it, or hardly one, is among the records, and the chat is not called as the group is")
	}
	return nil
}

// Compare compares an export with the records of a group. Names are what the group is
// called; lost tells of a record whose file cannot be had any more.
//
// Names on a phone are its owner's, its times are exact to the minute or the second, and
// what a message says may have been edited since. So a message is known by its time and
// what it says, and by who sent it as far as that is known; three that say the same in
// one minute are three.
func (a *Archive) Compare(tx *sqlite.Tx, now time.Time, group string, e *transcript.Export, names []string, lost func(record.Seq) bool) (c Comparison, err error) {
	m := &matcher{export: e, known: map[people.ID]bool{}, buckets: map[int64][]*candidate{}}
	if m.names, err = people.LoadNames(tx); err != nil {
		return c, err
	}
	m.read(group)
	if c.First, c.Last = m.period(); c.First.IsZero() {
		return c, nil
	}
	if err := m.load(tx, group, c.First.Add(-aDay), c.Last.Add(aDay), lost); err != nil {
		return c, fmt.Errorf("compare with an export: %w", err)
	}
	if err := tx.QueryRow("SELECT coalesce(max(seq), 0) FROM record").Scan(&c.last); err != nil {
		return c, fmt.Errorf("compare with an export: %w", err)
	}
	if c.From, c.Until, err = recorded(tx, group); err != nil {
		return c, fmt.Errorf("compare with an export: %w", err)
	}
	missed, err := missedFor(tx, group)
	if err != nil {
		return c, err
	}
	over, err := a.PastDue(tx, now)
	if err != nil {
		return c, fmt.Errorf("compare with an export: %w", err)
	}
	m.match()
	for i := range m.entries {
		n := &m.entries[i]
		if n.Sort == transcript.Notice {
			c.Notices++
		} else {
			c.Messages++
			if n.match != nil {
				c.Known++
				if n.telling() {
					c.Telling++
				}
			}
			if !n.At.Before(c.From) && !n.At.After(c.Until) && n.class != blank {
				c.Overlap++
				if n.match != nil && n.match.imp == 0 {
					c.Matched++
				}
			}
		}
		switch {
		case n.match != nil && !n.brings || n.told:
		case over(group, n.At):
			c.PastDue++
		case n.At.After(now.Add(aDay)):
			c.Future = append(c.Future, i)
		case !c.Until.IsZero() && n.At.After(c.Until) && !missed(n.At):
			c.Later = append(c.Later, i)
		default:
			c.New = append(c.New, i)
			if n.File != "" {
				c.Files++
			}
			if n.brings {
				c.Mended = append(c.Mended, i)
			}
		}
	}
	c.Lacks = m.unmatched(c.First, c.Last)
	if c.Matched*2 < c.Overlap || c.Known*2 < c.Messages {
		c.Shift = m.shift()
	}
	c.Named, err = isCalled(tx, group, e.Names, names)
	return c, err
}

const aDay = 24 * time.Hour

// leastNotice is for how many days a schedule is in force, at least, before anything can
// have been destroyed under it.
const leastNotice = 30

// PastDue tells whether the time of a message sent to a group then is over: by the schedule
// in force, by the one that is configured, or by a shorter one while that was in force. It may
// have been destroyed then, and an export has nothing by which its stub would be known.
func (a *Archive) PastDue(tx *sqlite.Tx, now time.Time) (over func(group string, sent time.Time) bool, err error) {
	type term struct {
		retention.Schedule
		until retention.Date // for which it was in force
	}
	today := retention.DateOf(now)
	terms := []term{{a.schedule, today}}
	adopted, err := Schedules(tx)
	for i, s := range adopted {
		until := today
		if i+1 < len(adopted) {
			until = retention.DateOf(adopted[i+1].At)
		}
		if until >= retention.DateOf(s.At).AddDays(leastNotice) || i+1 == len(adopted) {
			terms = append(terms, term{s.Schedule, until})
		}
	}
	return func(group string, sent time.Time) bool {
		return slices.ContainsFunc(terms, func(t term) bool {
			return retention.DueAfter(retention.From(sent, now), t.Years(retention.Messages, group)) <= t.until
		})
	}, err
}

// missedFor tells of a time whether what was sent to a group then is missing for good.
func missedFor(tx *sqlite.Tx, group string) (missed func(time.Time) bool, err error) {
	gaps, err := Gaps(tx)
	return func(at time.Time) bool {
		return slices.ContainsFunc(gaps, func(g Gap) bool {
			return (g.Kind == NotLinked || g.Kind == LostWithMachine || g.Kind == NotInGroup) && (g.Group == "" || g.Group == group) &&
				!at.Before(g.Opened.Truncate(time.Minute)) && (g.Closed.IsZero() || at.Before(g.Closed))
		})
	}, err
}

// recorded returns when the first and the last message of a group was sent that this
// device received.
func recorded(tx *sqlite.Tx, group string) (from, until time.Time, err error) {
	var first, last string
	if err := tx.QueryRow(`
		SELECT coalesce(min(sent), ''), coalesce(max(sent), '') FROM record
		WHERE group_jid = ? AND import = 0 AND kind IN ('message', 'unsupported')`, group).Scan(&first, &last); err != nil {
		return from, until, err
	}
	if from, err = sqlite.ParseTime(first); err != nil {
		return from, until, err
	}
	until, err = sqlite.ParseTime(last)
	return from, until, err
}

// isCalled reports whether one of the names that an export has for its chat is one of the
// group's, as configured or as it was ever called in WhatsApp.
func isCalled(tx *sqlite.Tx, group string, exported, names []string) (is bool, err error) {
	rows, err := tx.Query("SELECT text FROM record WHERE group_jid = ? AND kind = 'group' AND type = 'subject'", group)
	if err != nil {
		return false, fmt.Errorf("names of the group: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return false, fmt.Errorf("names of the group: %w", err)
		}
		names = append(names, s)
	}
	for _, n := range exported {
		is = is || slices.ContainsFunc(names, func(s string) bool { return s != "" && strings.EqualFold(squeeze(s), squeeze(n)) })
	}
	return is, rows.Err()
}

// matcher finds which entries of an export are which records.
type matcher struct {
	export  *transcript.Export
	names   *people.Names
	entries []entry
	records []*candidate
	buckets map[int64][]*candidate // by the minute that they were sent in
	known   map[people.ID]bool     // persons of whom more is known than what a phone calls them
	changes map[int64]bool         // minutes in which the archive has a change of the group
	told    map[string]bool        // notices that were imported, by minute and words
}

// entry is an entry of the export to be matched.
type entry struct {
	*transcript.Entry
	id     string // under which it is imported
	class  class
	text   string // normalised
	person people.ID
	match  *candidate
	brings bool // its match lacks the file that it has
	told   bool // a notice of which the archive knows
}

// candidate is a record that an entry may be.
type candidate struct {
	seq     record.Seq
	id      string
	sent    time.Time
	unit    time.Duration
	class   class
	texts   []string // normalised, of every version
	person  people.ID
	hasFile bool
	imp     int64
	taken   bool
}

// class is what a message is, as roughly as exports and records agree on it.
type class string

const (
	words    class = "words"
	anyFile  class = "file"
	blank    class = "blank"
	anything class = "anything" // what exports write of it is not known
	unshown  class = "unshown"  // exports do not show it
)

var classes = map[record.Type]class{
	record.Text: words, record.Comment: words,
	record.Image: "image", record.Sticker: "sticker", record.Stickers: "sticker",
	record.Video: "video", record.GIF: "video", record.VideoNote: "video",
	record.Audio: "audio", record.Voice: "audio",
	record.Document: "document", record.Contact: "contact",
	record.Location: "place", record.LiveLocation: "place",
	record.Poll: "poll", record.PollResult: "poll", record.ViewOnce: "once", record.Call: "call",
	record.Media: anyFile, record.Blank: blank,
	record.Album: unshown, record.History: unshown,
}

func (c class) isFile() bool {
	return slices.Contains([]class{"image", "sticker", "video", "audio", "document", anyFile}, c)
}

// speaks reports whether the words of a message of this class are in both.
func (c class) speaks() bool { return c == words || c == "poll" || c.isFile() }

// agrees reports whether an entry of class c can be a record of class r.
func (c class) agrees(r class) bool {
	return c == r || r == anything || c.isFile() && r == anyFile || c == anyFile && r.isFile()
}

// read prepares the entries.
func (m *matcher) read(group string) {
	m.entries = make([]entry, len(m.export.Entries))
	ordinals := make(map[string]int)
	for i := range m.export.Entries {
		n := &m.entries[i]
		n.Entry = &m.export.Entries[i]
		n.class = classOf(typeOf(n.Sort))
		n.text = n.normalised()
		if n.Author != "" {
			n.person = m.names.Behind(addressOf(n.Author))
		}
		n.id = identify(*n.Entry, ordinals)
	}
}

func classOf(t record.Type) class {
	if c, ok := classes[t]; ok {
		return c
	}
	return anything
}

// normalised returns what n says in a form in which two phones agree: mentions without
// the name, spaces alike, no marks.
func (n *entry) normalised() string {
	var b strings.Builder
	at := 0
	for _, mention := range n.Mentions {
		b.WriteString(n.Text[at:mention.From])
		b.WriteByte('@')
		at = mention.To
	}
	b.WriteString(n.Text[at:])
	return normalise(n.class, b.String(), n.Name)
}

// normalise makes words comparable. A document may have its own name for a caption; to a
// poll, options may have been added.
func normalise(c class, text, fileName string) string {
	switch s := squeeze(text); {
	case c == "poll" || c == anything:
		line, _, _ := strings.Cut(text, "\n")
		return squeeze(line)
	case !c.speaks(), c == "document" && s == squeeze(fileName):
		return ""
	default:
		return s
	}
}

// squeeze leaves out letters that show nothing, and all but one of several spaces.
func squeeze(s string) string {
	return strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if r != '\u200d' && (unicode.Is(unicode.Cf, r) || r == '\ufe0f') { // the one that is left joins emoji
			return -1
		}
		return r
	}, s)), " ")
}

// period returns from when to when the export is.
func (m *matcher) period() (first, last time.Time) {
	for _, n := range m.entries {
		if first.IsZero() || n.At.Before(first) {
			first = n.At
		}
		if n.At.After(last) {
			last = n.At
		}
	}
	return first, last
}

// load reads the records of the time.
func (m *matcher) load(tx *sqlite.Tx, group string, from, until time.Time, lost func(record.Seq) bool) error {
	m.changes, m.told = make(map[int64]bool), make(map[string]bool)
	edits, err := versions(tx, group, from, until)
	if err != nil {
		return err
	}
	rows, err := tx.Query(`
		SELECT seq, kind, type, id, sent, text, coalesce(person, 0), file_name, file_sealed IS NOT NULL, import,
			coalesce((SELECT i.unit FROM import i WHERE i.id = record.import), 1), CASE WHEN import <> 0 THEN protobuf ELSE x'' END
		FROM record WHERE group_jid = ? AND sent >= ? AND sent < ? AND (NOT `+follows+` OR kind IN ('pin', 'keep')) ORDER BY sent, seq`,
		group, sqlite.FormatTime(from), sqlite.FormatTime(until))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := m.scan(rows, edits, lost); err != nil {
			return err
		}
	}
	return rows.Err()
}

// scan takes in a record.
func (m *matcher) scan(rows *sql.Rows, edits map[record.Seq][]string, lost func(record.Seq) bool) error {
	var c candidate
	var kind record.Kind
	var typ record.Type
	var sent, text, fileName string
	var unit int64
	var lines []byte // of an imported record
	if err := rows.Scan(&c.seq, &kind, &typ, &c.id, &sent, &text, &c.person, &fileName, &c.hasFile, &c.imp, &unit, &lines); err != nil {
		return err
	}
	var err error
	if c.sent, err = sqlite.ParseTime(sent); err != nil {
		return err
	}
	if kind == record.Group && typ == record.Notice {
		m.told[toldKey(c.sent, text)] = true
		return nil
	}
	if kind != record.Message && kind != record.Unsupported {
		if typ != record.Present { // which nobody did
			m.changes[minute(c.sent)] = true
		}
		return nil
	}
	if c.imp == 0 {
		m.known[m.names.Is(c.person)] = true
	}
	c.unit, c.class = time.Duration(unit)*time.Second, anything
	if kind == record.Message {
		c.class = classOf(typ)
	}
	text = unmention(text)
	for _, name := range transcript.Mentioned(string(lines)) {
		text = strings.ReplaceAll(text, "@"+name, "@")
	}
	for _, version := range append([]string{text}, edits[c.seq]...) {
		c.texts = append(c.texts, normalise(c.class, version, fileName))
	}
	c.hasFile = c.hasFile && !lost(c.seq)
	m.records = append(m.records, &c)
	m.buckets[minute(c.sent)] = append(m.buckets[minute(c.sent)], &c)
	return nil
}

// mentioned is how WhatsApp sends that somebody is mentioned.
var mentioned = regexp.MustCompile(`@\d{8,15}\b`)

// unmention leaves of every mention only the @.
func unmention(text string) string { return mentioned.ReplaceAllString(text, "@") }

// versions returns what messages of the time were edited to, by anybody.
func versions(tx *sqlite.Tx, group string, from, until time.Time) (map[record.Seq][]string, error) {
	rows, err := tx.Query(`
		SELECT m.seq, e.text FROM record m JOIN record e ON e.target = m.origin
		WHERE e.kind = 'edit' AND m.group_jid = ? AND m.sent >= ? AND m.sent < ?`, group, sqlite.FormatTime(from), sqlite.FormatTime(until))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	edits := make(map[record.Seq][]string)
	for rows.Next() {
		var seq record.Seq
		var text string
		if err := rows.Scan(&seq, &text); err != nil {
			return nil, err
		}
		edits[seq] = append(edits[seq], unmention(text))
	}
	return edits, rows.Err()
}

func minute(t time.Time) int64 { return t.Unix() / 60 }

func toldKey(t time.Time, text string) string {
	return fmt.Sprint(minute(t), " ", straight.Replace(squeeze(text)))
}

// straight makes quotation marks alike: in the same notice an Android phone writes "X" and
// an iPhone “X”.
var straight = strings.NewReplacer("“", `"`, "”", `"`, "„", `"`, "‘", "'", "’", "'")

// A rule says when an entry is a record.
type rule struct {
	near   bool // its time may differ by a minute: a phone sends by its own clock
	person bool // who sent it is known to be the same; else only not known to be another
	what   func(n *entry, r *candidate) bool
}

// The rules, the surest first.
var rules = []rule{
	{what: (*entry).imported},
	{person: true, what: (*entry).says},
	{what: (*entry).says},
	{near: true, person: true, what: (*entry).says},
	{near: true, what: (*entry).says},
	{person: true, what: (*entry).captioned},
	{what: (*entry).captioned},
	{person: true, what: (*entry).shows},
	{what: (*entry).shows},
}

// telling reports whether hardly anybody else says the same in the same minute.
func (n *entry) telling() bool { return n.class == words && len(n.text) >= 12 }

func (n *entry) imported(r *candidate) bool { return r.imp != 0 && r.id == n.id }

// says reports whether r is of the same class and says the same in one of its versions.
func (n *entry) says(r *candidate) bool {
	return n.class.agrees(r.class) && (slices.Contains(r.texts, n.text) || !n.class.speaks())
}

// captioned reports whether r is a file as well: some apps leave out what it is called
// and what stands below it.
func (n *entry) captioned(r *candidate) bool {
	return n.class.isFile() && n.class.agrees(r.class) && (n.text == "" || slices.Contains(r.texts, ""))
}

// shows reports whether n shows only that there was something, or has the words of r
// among its own, or nobody can tell what r says.
func (n *entry) shows(r *candidate) bool {
	return n.class == blank && r.class != unshown ||
		r.class == anything && slices.ContainsFunc(r.texts, func(s string) bool { return strings.Contains(n.text, s) })
}

// match decides which entry is which record. Of several that may be, the first are taken:
// those that say the same at the same time are alike.
func (m *matcher) match() {
	m.acquaint()
	for _, files := range []bool{true, false} { // at first those whose file is here
		for _, rule := range rules {
			for i := range m.entries {
				n := &m.entries[i]
				if n.match != nil || n.Sort == transcript.Notice || n.class == unshown {
					continue
				}
				if r := m.find(n, rule, files); r != nil {
					n.match, r.taken = r, true
					n.brings = n.File != "" && !r.hasFile
				}
			}
		}
	}
	for i := range m.entries {
		n := &m.entries[i]
		n.told = n.Sort == transcript.Notice && m.knows(n)
	}
}

// find returns a record that n is by that rule; nil if there is none. With files, an entry
// that has a file is only one that has its file too.
func (m *matcher) find(n *entry, rule rule, files bool) *candidate {
	for _, at := range []time.Time{n.At, n.Or} {
		if at.IsZero() {
			continue
		}
		for d := int64(-1); d <= 1; d++ {
			for _, r := range m.buckets[minute(at)+d] {
				if r.taken || files && n.File != "" && !r.hasFile || !m.sameTime(at, r, rule.near) || !rule.what(n, r) {
					continue
				}
				if same, other := m.samePerson(n, r); !other && (same || !rule.person) {
					return r
				}
			}
		}
	}
	return nil
}

// sameTime compares as exactly as both times are.
func (m *matcher) sameTime(at time.Time, r *candidate, near bool) bool {
	unit := max(m.export.Unit, r.unit)
	a, b := at.Truncate(unit), r.sent.Truncate(unit)
	return a.Equal(b) || near && a.Sub(b).Abs() <= time.Minute
}

// samePerson reports whether the author of n is known to be the sender of r, or known to
// be another.
func (m *matcher) samePerson(n *entry, r *candidate) (same, other bool) {
	p, q := m.names.Is(n.person), m.names.Is(r.person)
	if p != 0 && p == q {
		return true, false
	}
	return false, m.isKnown(p) && m.isKnown(q)
}

func (m *matcher) isKnown(p people.ID) bool {
	_, member := m.names.Member(p)
	return p != 0 && (m.known[p] || member)
}

// acquaint finds out who the authors are whom only the phone's names tell: what is said
// once only, at one time, is said by one person. It is used for nothing but to compare.
func (m *matcher) acquaint() {
	const enough = 3
	votes := make(map[string]map[people.ID]int)
	for i := range m.entries {
		n := &m.entries[i]
		if !n.telling() || m.isKnown(m.names.Is(n.person)) {
			continue
		}
		if r := m.find(n, rule{what: (*entry).says}, false); r != nil && m.isKnown(m.names.Is(r.person)) {
			if votes[n.Author] == nil {
				votes[n.Author] = make(map[people.ID]int)
			}
			votes[n.Author][m.names.Is(r.person)]++
		}
	}
	is := make(map[string]people.ID)
	for author, of := range votes {
		all := 0
		for _, n := range of {
			all += n
		}
		for p, n := range of {
			if n >= enough && n*10 >= all*9 {
				is[author] = p
			}
		}
	}
	for i := range m.entries {
		if p := is[m.entries[i].Author]; p != 0 {
			m.entries[i].person = p
		}
	}
}

// knows reports whether the archive has what a notice tells: the notice, or at the time a
// change of the group, which says it better.
func (m *matcher) knows(n *entry) bool {
	text, _ := mentioning(n.Text, n.Mentions)
	for _, at := range []time.Time{n.At, n.Or} {
		if at.IsZero() {
			continue
		}
		for d := int64(-1); d <= 1; d++ {
			if m.changes[minute(at)+d] {
				return true
			}
		}
		if m.told[toldKey(at, text)] {
			return true
		}
	}
	return false
}

// unmatched returns the records of the time that no entry is and that a phone would show.
func (m *matcher) unmatched(first, last time.Time) (seqs []record.Seq) {
	shown := make(map[*candidate]bool) // besides the one that has the file
	for i := range m.entries {
		if n := &m.entries[i]; n.match != nil && n.class.isFile() {
			for _, r := range m.buckets[minute(n.match.sent)] {
				if _, other := m.samePerson(n, r); !r.taken && !r.hasFile && !other && (n.says(r) || n.captioned(r)) {
					shown[r] = true
				}
			}
		}
	}
	for _, r := range m.records {
		if !r.taken && !shown[r] && r.class != unshown && !r.sent.Before(first) && !r.sent.Truncate(m.export.Unit).After(last) {
			seqs = append(seqs, r.seq)
		}
	}
	return seqs
}

// shift returns by how much the export's times differ from those of the records, if texts
// that are there but once show that it is always the same, by whole half hours.
func (m *matcher) shift() time.Duration {
	const distinct, enough = 8, 3
	sent := make(map[string][]time.Time)
	for _, r := range m.records {
		if r.class == words {
			sent[r.texts[0]] = append(sent[r.texts[0]], r.sent)
		}
	}
	votes := make(map[time.Duration]int)
	all := 0
	for _, n := range m.entries {
		if at := sent[n.text]; n.class == words && len(n.text) >= distinct && len(at) == 1 {
			d := n.At.Sub(at[0])
			if half := d.Round(30 * time.Minute); half.Abs() < aDay && (d-half).Abs() < 2*time.Minute {
				votes[half]++
			}
			all++
		}
	}
	for d, n := range votes {
		if d != 0 && n >= enough && n*2 > all {
			return d
		}
	}
	return 0
}
