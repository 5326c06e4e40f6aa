package archive

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"muniment/internal/record"
	"muniment/internal/retention"
)

// Query is what a search looks for. The zero Query finds every record.
type Query struct {
	From   []string          // names, as typed: what somebody of that name sent
	After  retention.Date    // sent on this day (London) or later; empty: any
	Before retention.Date    // sent before this day
	Has    []string          // of [Things]
	In     string            // what a group is called: what was sent in it; empty: any
	Groups map[string]string // the official groups by JID, by whose names In is meant

	match string     // in FTS5's language; empty: any words
	after record.Seq // only records with a higher number
}

// Things are what a record can be searched for to have, and how: sorts of files, any
// file, a link, or what else a message can be.
var Things = map[string]string{
	"photo":     "record.type = 'image'",
	"video":     "record.type IN ('video', 'gif', 'video_note')",
	"gif":       "record.type = 'gif'",
	"audio":     "record.type IN ('audio', 'voice')",
	"voice":     "record.type = 'voice'",
	"document":  "record.type = 'document'",
	"sticker":   "record.type IN ('sticker', 'stickers')",
	"album":     "record.type = 'album'",
	"view-once": "record.type = 'view_once'",
	"file":      "record.file_sealed IS NOT NULL",
	"link":      `(record.text LIKE '%http://%' OR record.text LIKE '%https://%' OR record.text LIKE '%www.%' OR record.details LIKE '%"link":%')`,
	"place":     "record.type IN ('location', 'live_location')",
	"contact":   "record.type = 'contact'",
	"poll":      "record.type IN ('poll', 'poll_result')",
	"event":     "record.type = 'event'",
	"invite":    "record.type = 'invite'",
	"comment":   "record.type = 'comment'",
	"payment":   "record.type IN ('payment', 'order')",
	"call":      "record.type = 'call'",
}

// ParseQuery reads a query as people type it: words, all of which must be there;
// "words in this order"; the beginning of a word, with *; OR between two of these;
// - before one that must not be there; and from:, after:, before:, has: and in:. Case
// and accents make no difference. Its error says what to write instead.
func ParseQuery(s string) (q Query, err error) {
	tokens, err := tokenise(s)
	if err != nil {
		return Query{}, err
	}
	var all [][]string // each: one of these must be there
	var none []string
	or := false
	for i, t := range tokens {
		switch {
		case t.field != "":
			if or {
				return Query{}, fmt.Errorf("OR stands between words, not before %q", t.field+":")
			}
			if err := q.narrow(t); err != nil {
				return Query{}, err
			}
		case t.isOr():
			if or || len(all) == 0 || i == len(tokens)-1 || tokens[i-1].field != "" || tokens[i-1].not {
				return Query{}, errors.New("OR stands between two words: badger OR hedgehog")
			}
			or = true
		case !strings.ContainsFunc(t.text, isWord):
			return Query{}, fmt.Errorf("there is nothing to look for in %q: a search looks for words and numbers", t.text)
		case t.not:
			if or {
				return Query{}, errors.New("OR stands between two words: badger OR hedgehog")
			}
			none = append(none, t.phrase())
		case or:
			all[len(all)-1] = append(all[len(all)-1], t.phrase())
			or = false
		default:
			all = append(all, []string{t.phrase()})
		}
	}
	if len(none) > 0 && len(all) == 0 {
		return Query{}, errors.New("say what to look for, and not only what to leave out")
	}
	q.match = match(all, none)
	return q, nil
}

// match writes what must and must not be there in FTS5's language.
func match(all [][]string, none []string) string {
	var b strings.Builder
	for i, either := range all {
		if i > 0 {
			b.WriteString(" AND ")
		}
		fmt.Fprintf(&b, "(%s)", strings.Join(either, " OR "))
	}
	if len(none) > 0 {
		return fmt.Sprintf("(%s) NOT (%s)", b.String(), strings.Join(none, " OR "))
	}
	return b.String()
}

// narrow takes in from:, after:, before:, has: or in:.
func (q *Query) narrow(t token) (err error) {
	switch {
	case t.text == "":
		return fmt.Errorf("say what, directly after %q", t.field+":")
	case t.not:
		return fmt.Errorf("- stands before words, not before %q", t.field+":")
	}
	switch t.field {
	case "from":
		q.From = append(q.From, t.text)
	case "has":
		thing := strings.ToLower(t.text)
		if _, known := Things[thing]; !known {
			things := slices.Sorted(maps.Keys(Things))
			last := len(things) - 1
			return fmt.Errorf("has:%s is not known; has: takes %s or %s", t.text, strings.Join(things[:last], ", "), things[last])
		}
		q.Has = append(q.Has, thing)
	case "in":
		if q.In != "" {
			return errors.New("in: stands once: nothing was sent in two groups")
		}
		q.In = t.text
	case "after":
		q.After, err = day(t)
	case "before":
		q.Before, err = day(t)
	}
	return err
}

func day(t token) (retention.Date, error) {
	d, err := retention.ParseDate(t.text)
	if err != nil {
		return "", fmt.Errorf("%s:%s: a date is written like 2026-11-22", t.field, t.text)
	}
	return d, nil
}

// A token is a word, a phrase, or a field with its value.
type token struct {
	field  string // from, after, before, has, in; else empty
	text   string
	quoted bool
	prefix bool
	not    bool
}

func (t token) isOr() bool { return t.text == "OR" && !t.quoted && !t.not && !t.prefix }

// phrase writes t in FTS5's language.
func (t token) phrase() string {
	p := `"` + strings.ReplaceAll(t.text, `"`, `""`) + `"`
	if t.prefix {
		p += "*"
	}
	return p
}

var fields = []string{"from", "after", "before", "has", "in"}

func tokenise(s string) (tokens []token, err error) {
	for s = strings.TrimLeftFunc(s, unicode.IsSpace); s != ""; s = strings.TrimLeftFunc(s, unicode.IsSpace) {
		var t token
		if rest, cut := strings.CutPrefix(s, "-"); cut && rest != "" && !unicode.IsSpace([]rune(rest)[0]) {
			t.not, s = true, rest
		}
		if name, rest, ok := strings.Cut(s, ":"); ok && slices.Contains(fields, strings.ToLower(name)) {
			t.field, s = strings.ToLower(name), rest
		}
		if strings.HasPrefix(s, `"`) {
			end := strings.Index(s[1:], `"`)
			if end < 0 {
				return nil, errors.New(`a quotation mark (") is opened and not closed`)
			}
			t.text, s, t.quoted = s[1:1+end], s[end+2:], true
		} else {
			end := strings.IndexFunc(s, func(r rune) bool { return unicode.IsSpace(r) || r == '"' })
			if end < 0 {
				end = len(s)
			}
			t.text, s = s[:end], s[end:]
		}
		if rest, cut := strings.CutPrefix(s, "*"); cut && t.quoted {
			t.prefix, s = true, rest
		} else if text, cut := strings.CutSuffix(t.text, "*"); cut && !t.quoted && t.field == "" {
			t.prefix, t.text = true, text
		}
		t.text = strings.ReplaceAll(t.text, "\x00", " ")
		tokens = append(tokens, t)
	}
	return tokens, nil
}

// isWord reports whether the search index takes r for a part of a word.
func isWord(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.Is(unicode.Co, r)
}

// everything reports whether q asks for nothing in particular.
func (q Query) everything() bool {
	return q.match == "" && len(q.From) == 0 && len(q.Has) == 0 && q.After == "" && q.Before == "" && q.In == ""
}

// Hit is a record that a search found.
type Hit struct {
	Seq record.Seq
	// Snippet is a piece of what was found, as it was sent; the words searched for
	// stand between Found and End.
	Snippet string
}

// What surrounds the words searched for in a snippet: no text holds these.
const (
	Found = "\x02"
	End   = "\x03"
)
