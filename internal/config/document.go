package config

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/pelletier/go-toml/v2"
)

// A position is a place in the file. Lines and columns count from 1, columns in
// bytes; line 0 is nowhere.
type position struct{ line, column int }

// A fault is one thing wrong with the file, and what to do about it.
type fault struct {
	file string
	position
	text string
}

func (f fault) Error() string {
	if f.line == 0 {
		return fmt.Sprintf("%s: %s", f.file, f.text)
	}
	return fmt.Sprintf("%s:%d:%d: %s", f.file, f.line, f.column, f.text)
}

// A document is a file that is TOML, being read.
//
// go-toml's own strict decoding stops at the first value of a wrong type and
// cannot say where a value stood that proves wrong later. So go-toml decodes
// into plain values, keys are taken out of them one by one, and keys that
// nobody asked for are faults. A path is a key with the sections around it,
// joined by dots: mail.server, group.0.jid.
type document struct {
	file   string
	values map[string]any
	index  index
	asked  map[string]bool // paths of the keys and sections that may be given
	closed map[string]bool // paths of which nothing below is looked at
	faults []fault
}

// parse reads data as TOML. Its error names every key that is repeated, else the
// first place where data is not TOML: of what follows nothing can be said.
func parse(file string, data []byte) (*document, error) {
	d := &document{
		file:   file,
		index:  newIndex(data),
		asked:  make(map[string]bool),
		closed: make(map[string]bool),
	}
	for _, twice := range d.index.repeated {
		d.note(twice.position, "%s: this stands here for the second time, the first is in line %d: keep one",
			display(twice.path), d.index.at[twice.path].line)
	}
	err := toml.Unmarshal(data, &d.values)
	if err != nil && len(d.faults) == 0 {
		// go-toml's messages quote the file, so only its position is used.
		var at position
		var decode *toml.DecodeError
		if errors.As(err, &decode) {
			at.line, at.column = decode.Position()
		}
		d.note(at, "this is not TOML: look here for a missing quote, bracket or equals sign, or an impossible date or number")
	}
	if len(d.faults) > 0 {
		return nil, d.err()
	}
	return d, nil
}

func (d *document) note(at position, format string, args ...any) {
	d.faults = append(d.faults, fault{d.file, at, fmt.Sprintf(format, args...)})
}

// err returns all the faults, in the order of the file; nil if there are none.
func (d *document) err() error {
	slices.SortStableFunc(d.faults, func(a, b fault) int {
		return cmp.Or(cmp.Compare(a.line, b.line), cmp.Compare(a.column, b.column))
	})
	errs := make([]error, len(d.faults))
	for i, f := range d.faults {
		errs[i] = f
	}
	return errors.Join(errs...)
}

// noteUnknown notes the keys that were not asked for, so it comes after every
// key was.
func (d *document) noteUnknown() {
	for _, path := range d.index.keys {
		if d.asked[path] || d.isClosed(path) {
			continue
		}
		d.closed[path] = true
		d.note(d.index.at[path], "%s: %s", display(path), d.advice(path))
	}
}

// isClosed reports whether a fault was noted for something that contains path.
func (d *document) isClosed(path string) bool {
	for i, c := range path {
		if c == '.' && d.closed[path[:i]] {
			return true
		}
	}
	return d.closed[path]
}

// advice says what to do about a key that does not exist.
func (d *document) advice(path string) string {
	parent, key, nested := cutLast(path, ".")
	if !nested {
		parent, key = "", path
	}
	if path == "retention.years" {
		return "the period stands in the retention schedule: remove this line. Without a schedule of the council's own, six years hold; for another period copy configs/retention.toml beside this file, write it there, and name that file here: schedule = \"retention.toml\""
	}
	switch key {
	case "secret", "client_secret":
		return "no secret stands in this file: put it in /etc/muniment/mail-oauth-secret, or in the file that secret_file under [mail.oauth] names"
	case "password":
		return "no password stands in this file: put it in /etc/muniment/smtp-password, or in the file that password_file under [mail] names"
	}
	var siblings, elsewhere []string
	for known := range d.asked {
		section, name, ok := cutLast(known, ".")
		if !ok {
			section, name = "", known
		}
		if section == parent {
			siblings = append(siblings, name)
		} else if name == key {
			elsewhere = append(elsewhere, place(section))
		}
	}
	slices.Sort(siblings)
	slices.Sort(elsewhere)
	switch {
	case len(elsewhere) > 0:
		return fmt.Sprintf("there is no such key here: it belongs %s", strings.Join(slices.Compact(elsewhere), " or "))
	case len(siblings) > 0:
		return fmt.Sprintf("there is no such key: correct or remove it; here there may be %s", strings.Join(siblings, ", "))
	}
	return "there is no such key: correct or remove it"
}

// place says where in the file keys of a section stand.
func place(section string) string {
	switch {
	case section == "":
		return "at the top of the file, above the first section"
	case display(section) == "group", display(section) == "class":
		return "under [[" + display(section) + "]]"
	}
	return "under [" + display(section) + "]"
}

// display returns path as the administrator knows it, without the numbers of
// the groups.
func display(path string) string {
	parts := strings.Split(path, ".")
	parts = slices.DeleteFunc(parts, func(part string) bool {
		_, err := strconv.Atoi(part)
		return err == nil
	})
	return strings.Join(parts, ".")
}

// cutLast slices s around the last sep.
func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// A section is one table of a document. Its methods take a key over into a
// variable: it is left alone if the key is not given or is wrong, and what is
// wrong is noted in the document.
type section struct {
	doc    *document
	path   string // empty for what stands above the first section
	values map[string]any
}

func (d *document) top() section { return section{doc: d, values: d.values} }

func (s section) join(key string) string {
	if s.path == "" {
		return key
	}
	return s.path + "." + key
}

// position returns where key stands, or else its section.
func (s section) position(key string) position {
	if at, ok := s.doc.index.at[s.join(key)]; ok {
		return at
	}
	return s.doc.index.at[s.path]
}

func (s section) fault(key, format string, args ...any) {
	s.doc.note(s.position(key), "%s: %s", display(s.join(key)), fmt.Sprintf(format, args...))
}

// gives reports whether any of keys is set here: what is not may come from elsewhere.
func (s section) gives(keys ...string) bool {
	return slices.ContainsFunc(keys, func(key string) bool { _, ok := s.values[key]; return ok })
}

// value returns what key is set to, and whether it is set.
func (s section) value(key string) (any, bool) {
	s.doc.asked[s.join(key)] = true
	v, ok := s.values[key]
	return v, ok
}

// section returns the table [key], empty if it is not given.
func (s section) section(key string) section {
	sub := section{doc: s.doc, path: s.join(key)}
	v, given := s.value(key)
	if !given {
		return sub
	}
	var ok bool
	if sub.values, ok = v.(map[string]any); !ok {
		s.doc.closed[sub.path] = true
		s.fault(key, "this is a section: write [%s] in single brackets, and its keys below it", display(sub.path))
	}
	return sub
}

// keys returns the keys that are set, in the order of the file.
func (s section) keys() []string {
	return slices.SortedFunc(maps.Keys(s.values), func(a, b string) int {
		at, other := s.position(part(a)), s.position(part(b))
		return cmp.Or(cmp.Compare(at.line, other.line), cmp.Compare(at.column, other.column), cmp.Compare(a, b))
	})
}

// sections returns the tables [[key]], in the order of the file.
func (s section) sections(key string) []section {
	v, given := s.value(key)
	if !given {
		return nil
	}
	tables, ok := v.([]any)
	var subs []section
	for i, table := range tables {
		sub := section{doc: s.doc, path: s.join(key) + "." + strconv.Itoa(i)}
		s.doc.asked[sub.path] = true
		sub.values, ok = table.(map[string]any)
		if !ok {
			break
		}
		subs = append(subs, sub)
	}
	if !ok {
		s.doc.closed[s.join(key)] = true
		s.fault(key, "there may be several: write [[%s]] in double brackets, and its keys below it", key)
	}
	return subs
}

// text takes over one line of text that obeys all the rules. An empty text stands
// for one not given.
func (s section) text(key string, into *string, rules ...rule) {
	v, given := s.value(key)
	if !given {
		return
	}
	text, ok := v.(string)
	if !ok {
		s.fault(key, "write text in double quotes")
		return
	}
	text = strings.TrimSpace(text)
	if err := obeys(text, rules); err != nil {
		s.fault(key, "%v", err)
		return
	}
	if text != "" {
		*into = text
	}
}

// prose takes over text that may run over several lines; they become one.
func (s section) prose(key string, into *string) {
	if text, ok := s.values[key].(string); ok {
		s.values[key] = strings.Join(strings.Fields(text), " ")
	}
	s.text(key, into)
}

// list takes over a list of texts, none of them empty, each obeying all the
// rules.
func (s section) list(key string, into *[]string, rules ...rule) {
	v, given := s.value(key)
	if !given {
		return
	}
	values, ok := v.([]any)
	if !ok {
		s.fault(key, "write a list in square brackets: [\"one\", \"another\"]")
		return
	}
	texts := make([]string, 0, len(values))
	for i, v := range values {
		err := errors.New("write every item of the list as text in double quotes")
		text, ok := v.(string)
		if text = strings.TrimSpace(text); ok {
			err = obeys(text, rules)
		}
		if ok && text == "" {
			err = errors.New("an item of the list is empty: fill it in or remove it")
		}
		if err != nil {
			s.faultIn(key, i, err)
			continue
		}
		texts = append(texts, text)
	}
	if len(texts) == len(values) {
		*into = texts
	}
}

// command takes over a program and its arguments.
func (s section) command(key string, into *[]string) {
	s.list(key, into)
	if argv := *into; len(argv) > 0 && absolutePath(argv[0]) != nil {
		s.fault(key, "write the program's whole path, beginning with /, and each of its arguments as an item of its own: no shell reads them")
	}
}

// faultIn notes what is wrong with an item of a list.
func (s section) faultIn(key string, item int, err error) {
	at, known := s.doc.index.at[s.join(key)+"."+strconv.Itoa(item)]
	if !known {
		at = s.position(key)
	}
	s.doc.note(at, "%s: %v", display(s.join(key)), err)
}

// obeys returns what is wrong with text, a value from the file. Control
// characters are wrong everywhere: a text may become part of an email's header.
func obeys(text string, rules []rule) error {
	if text == "" {
		return nil
	}
	if strings.ContainsFunc(text, unicode.IsControl) {
		return errors.New("write it on one line, without tabs or other control characters")
	}
	for _, obeyed := range rules {
		if err := obeyed(text); err != nil {
			return err
		}
	}
	return nil
}

// number takes over a whole number from least to most.
func (s section) number(key string, least, most int, into *int) {
	v, given := s.value(key)
	if !given {
		return
	}
	n, ok := v.(int64)
	if !ok || n < int64(least) || n > int64(most) {
		s.fault(key, "write a whole number from %d to %d, without quotes", least, most)
		return
	}
	*into = int(n)
}

// megabytes takes over a number of bytes, given as megabytes up to most.
func (s section) megabytes(key string, most int, into *int64) {
	n := int(*into >> 20)
	s.number(key, 0, most, &n)
	*into = int64(n) << 20
}

// yes takes over a yes or no.
func (s section) yes(key string, into *bool) {
	v, given := s.value(key)
	if !given {
		return
	}
	is, ok := v.(bool)
	if !ok {
		s.fault(key, "write true or false, without quotes")
		return
	}
	*into = is
}

// duration takes over a duration from least to most.
func (s section) duration(key string, least, most time.Duration, into *time.Duration) {
	v, given := s.value(key)
	if !given {
		return
	}
	text, ok := v.(string)
	d, err := time.ParseDuration(text)
	if !ok || err != nil || d < least || d > most {
		s.fault(key, "write how long in double quotes, as hours, minutes and seconds, such as \"3m\" or \"1h30m\": at least %s and at most %s",
			briefly(least), briefly(most))
		return
	}
	*into = d
}

// briefly writes d without the units that are nought: 24h, not 24h0m0s.
func briefly(d time.Duration) string {
	text := d.String()
	if d >= time.Minute {
		text = strings.TrimSuffix(text, "0s")
	}
	if d >= time.Hour {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
