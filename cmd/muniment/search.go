package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"muniment/internal/archive"
	"muniment/internal/config"
	"muniment/internal/daemon"
	"muniment/internal/journal"
	"muniment/internal/record"
	"muniment/internal/saying"
	"muniment/internal/sqlite"
	"muniment/internal/vault"
)

const searchHelp = `Search finds words in everything that was said: in every version of a message,
also of one that was edited or deleted since, in captions, in polls and events, on
contact cards, in the names of files, and in the group's names and descriptions.
What was captured last comes first. That somebody searched, and for what, is kept in
the journal: on whose word and why, as given with --for and --reason, or else only
which user of this machine it was.

  culvert lane        both words, in any order; case and accents do not matter
  "mill lane"         these words, in this order
  plan*               words that begin so
  badger OR hedgehog  one or the other
  lane -culvert       not with this word
  from:ann            what somebody of that name sent; or from:"ann b"
  after:2026-11-01    sent on that day or later
  before:2026-12-01   sent before that day
  has:photo           with a photo; or video, gif, audio, voice, document, sticker,
                      album, view-once, file (any); or a link, place, contact, poll,
                      event, invite, comment, payment or call
  in:"Flood wardens"  in the group of that name; or --group "Flood wardens"

Write a query that has quotation marks, - or * in it between single quotation
marks, and do not begin it with -.

With --json it prints one object a line, with the fields of
` + "`muniment records --json`" + ` and these:

  snippet      the piece of the text that was found, with mentions as names; or the
               beginning of what it says
  deleted_at   of a message: when its deletion was sent`

func (a *app) searchCommand() *cobra.Command {
	var limit int
	var asJSON bool
	var group string
	var by actor
	c := &cobra.Command{
		Use:   "search QUERY",
		Short: "Search the records",
		Long:  searchHelp,
		Example: `  muniment search culvert --for "Jo Marsh" --reason "request FOI-2026-003"
  muniment search '"mill lane" -culvert from:ann after:2026-11-01' --for "Jo Marsh" --reason "request FOI-2026-003"
  muniment search has:photo --limit 200 --json --for "Jo Marsh" --reason "request FOI-2026-003"`,
		RunE: func(c *cobra.Command, args []string) error {
			text := strings.Join(args, " ")
			q, err := parseQuery(text)
			switch {
			case err != nil:
				return usageError{err}
			case group != "" && q.In != "":
				return usageError{errors.New("name the group once: with in: or with --group")}
			}
			q.In = cmp.Or(q.In, group)
			if limit < 1 {
				return usageError{errors.New("--limit: show at least one")}
			}
			return a.withArchive(c.Context(), func(cfg config.Config, home daemon.Home, db *sqlite.DB) error {
				if atTerminal(c.ErrOrStderr()) {
					fmt.Fprint(c.ErrOrStderr(), unexplained(by, c.Flags().Changed("for")))
				}
				q.Groups = groupNames(cfg)
				var found findings // nothing is shown unless the journal says so
				if err := db.Write(c.Context(), func(tx *sqlite.Tx) (err error) {
					if found, err = find(tx, cfg, q, limit, home.Running()); err != nil {
						return err
					}
					about := journal.About{"query": text, "found": len(found.records), "more": found.more}
					if group != "" {
						about["group"] = group
					}
					return journal.Write(tx, journal.Entry{At: now(), Who: by.who, Act: journal.Searched, Reason: by.reason, About: about})
				}); errors.Is(err, archive.ErrNobody) || errors.Is(err, archive.ErrNoGroup) {
					return usageError{err}
				} else if err != nil {
					return err
				}
				if asJSON {
					return found.printJSON(c.OutOrStdout(), c.ErrOrStderr())
				}
				return found.print(c.OutOrStdout())
			})
		},
	}
	c.Flags().IntVar(&limit, "limit", 50, "show at most so many")
	c.Flags().StringVar(&group, "group", "", "only the group of this `name`")
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line")
	c.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w; to leave a word out, put the query in quotation marks, the word last: '%s'; see `%s --help`",
			err, "lane -culvert", c.CommandPath())}
	})
	return by.flags(c, false)
}

// parseQuery reads what to search for. To ask for nothing is refused: that is what
// `muniment records` is for.
func parseQuery(text string) (archive.Query, error) {
	if strings.TrimSpace(text) == "" {
		return archive.Query{}, errors.New("say what to search for: muniment search culvert")
	}
	return archive.ParseQuery(text)
}

// findings are what a search found.
type findings struct {
	records []finding
	more    bool
	missing string // of the time searched, if nothing was found
}

// finding is a record that was found.
type finding struct {
	shownRecord
	Snippet   *string `json:"snippet"`
	DeletedAt *string `json:"deleted_at"`

	text, fileName excerpt
	notes          []string
}

// find searches, and puts what it finds in words.
func find(tx *sqlite.Tx, cfg config.Config, q archive.Query, limit int, running bool) (fs findings, err error) {
	hits, more, err := archive.Search(tx, q, limit)
	if err != nil {
		return findings{}, err
	}
	if len(hits) == 0 {
		fs.missing, err = missing(tx, cfg, q, running)
		return fs, err
	}
	fs.more = more
	seqs := make([]record.Seq, len(hits))
	for i, h := range hits {
		seqs[i] = h.Seq
	}
	records, err := archive.Some(tx, seqs)
	if err != nil {
		return findings{}, err
	}
	v, deletions, err := viewerOf(tx, cfg, records)
	if err != nil {
		return findings{}, err
	}
	found := make(map[record.Seq]archive.Record, len(records))
	for _, r := range records {
		found[r.Seq] = r
	}
	for _, h := range hits {
		r := found[h.Seq]
		f := finding{shownRecord: v.show(r)}
		f.text, f.fileName = v.excerpts(r, f.said, h.Snippet)
		f.Snippet = given(f.text.plain())
		if d, ok := deletions[r.DeletedBy]; ok {
			f.DeletedAt = given(d.Sent.UTC().Format(time.RFC3339))
		}
		f.notes = v.notes(r, f.shownRecord, deletions)
		fs.records = append(fs.records, f)
	}
	return fs, nil
}

// viewerOf returns a viewer of some records, and the deletions of the messages that
// they are or change.
func viewerOf(tx *sqlite.Tx, cfg config.Config, records []archive.Record) (v viewer, deletions map[record.Seq]archive.Record, err error) {
	if v, err = newViewer(tx, cfg); err != nil {
		return viewer{}, nil, err
	}
	var seqs, deleted []record.Seq
	for _, r := range records {
		seqs = append(seqs, r.Seq)
		deleted = append(deleted, r.DeletedBy)
	}
	if v.files, err = vault.Of(tx, seqs); err != nil {
		return viewer{}, nil, err
	}
	if err := v.readAmended(tx, records); err != nil {
		return viewer{}, nil, err
	}
	for _, m := range v.amended {
		deleted = append(deleted, m.DeletedBy)
	}
	rs, err := archive.Some(tx, deleted)
	if err != nil {
		return viewer{}, nil, err
	}
	deletions = make(map[record.Seq]archive.Record, len(rs))
	for _, d := range rs {
		deletions[d.Seq] = d
	}
	return v, deletions, nil
}

// notes say what is to be known of a record besides what it says.
func (v viewer) notes(r archive.Record, s shownRecord, deletions map[record.Seq]archive.Record) (notes []string) {
	message := r
	switch {
	case r.Kind == record.Edit && r.Entitled:
		message = v.amended[r.Amends]
	case r.Kind == record.Edit:
		message = archive.Record{} // what became of that is another story
	}
	if by := message.EditedBy; by != 0 && by != r.Seq {
		notes = append(notes, fmt.Sprintf("since edited, record %d", by))
	}
	if d, ok := deletions[message.DeletedBy]; ok {
		who := "its sender"
		if d.Person != message.Person {
			who = printable(v.names.Of(d.Person)) + ", an admin,"
		}
		notes = append(notes, fmt.Sprintf("deleted by %s on %s", who, day(d.Sent)))
	}
	if s.replaced {
		notes = append(notes, "changed since")
	}
	if s.Import != nil {
		notes = append(notes, imported)
	}
	if or(s.Supplied) {
		notes = append(notes, supplied)
	}
	if s.in != "" {
		notes = append(notes, s.in)
	}
	if r.OnHold {
		notes = append(notes, "on hold")
	}
	return notes
}

// excerpt is a piece of what somebody typed, in parts: those that were found, and
// all else.
type excerpt []part

type part struct {
	text  string
	found bool
}

// plain returns e as it was sent, but for the names.
func (e excerpt) plain() string {
	var b strings.Builder
	for _, p := range e {
		b.WriteString(p.text)
	}
	return b.String()
}

// printable returns e fit for a terminal, with what was found between
// archive.Found and archive.End.
func (e excerpt) printable() string {
	var b strings.Builder
	for _, p := range e {
		if p.found {
			b.WriteString(archive.Found + printable(p.text) + archive.End)
		} else {
			b.WriteString(printable(p.text))
		}
	}
	return b.String()
}

// excerptRunes is how much of a text is shown of which no piece was found.
const excerptRunes = 200

// excerpts returns the piece of the text of r that was found, or else the beginning of
// what it says; and the name of its file.
func (v viewer) excerpts(r archive.Record, said saying.Saying, snippet string) (text, fileName excerpt) {
	fileName = split(r.FileName, span{0, len(r.FileName)}, nil)
	if strings.Contains(snippet, archive.Found) {
		if piece, found, ok := locate(r.Text, snippet); ok {
			return v.cut(r, piece, found), fileName
		}
		if _, found, ok := locate(r.FileName, snippet); ok {
			fileName = split(r.FileName, span{0, len(r.FileName)}, found)
		}
	}
	return excerpt{{text: saying.Excerpt(said.Text(), excerptRunes)}}, fileName
}

// span is a part of a text.
type span struct{ from, to int }

func (s span) overlaps(o span) bool { return s.from < o.to && o.from < s.to }

// locate finds which piece of text the snippet is, and which parts of it were found.
// Where a snippet is cut off, it has an ellipsis.
func locate(text, snippet string) (piece span, found []span, ok bool) {
	for _, ellipses := range [][2]string{{"", ""}, {"…", ""}, {"", "…"}, {"…", "…"}} {
		s, begins := strings.CutPrefix(snippet, ellipses[0])
		s, ends := strings.CutSuffix(s, ellipses[1])
		plain, found := unmark(s)
		if at := strings.Index(text, plain); begins && ends && at >= 0 {
			for i := range found {
				found[i] = span{found[i].from + at, found[i].to + at}
			}
			return span{at, at + len(plain)}, found, true
		}
	}
	return span{}, nil, false
}

// unmark returns s without what surrounds the words found, and where they stand.
func unmark(s string) (plain string, found []span) {
	var b strings.Builder
	for s != "" {
		before, rest, opened := strings.Cut(s, archive.Found)
		b.WriteString(before)
		if !opened {
			break
		}
		word, rest, _ := strings.Cut(rest, archive.End)
		found = append(found, span{b.Len(), b.Len() + len(word)})
		b.WriteString(word)
		s = rest
	}
	return b.String(), found
}

// A mention in a text is @ and a number, as WhatsApp writes it.
var mention = regexp.MustCompile(`@[0-9]+`)

// cut returns the piece of the text of r with every mention as a name, and without
// numbers that are not to be shown. No part of a number may be left over, so that the
// piece grows where it ends within one.
func (v viewer) cut(r archive.Record, piece span, found []span) (e excerpt) {
	type named struct {
		span
		name string
	}
	var mentions []named
	for _, at := range mention.FindAllStringIndex(r.Text, -1) {
		mentions = append(mentions, named{span{at[0], at[1]}, v.names.Mentioning(r.Text[at[0]:at[1]], r.Mentions)})
	}
	for _, at := range (saying.Teller{Names: v.names}).Hidden(r) {
		mentions = append(mentions, named{span{at[0], at[1]}, saying.NotShown})
	}
	slices.SortFunc(mentions, func(a, b named) int { return a.from - b.from })
	mentions = slices.DeleteFunc(mentions, func(m named) bool { return m.name == r.Text[m.from:m.to] || !m.overlaps(piece) })
	for _, m := range mentions {
		piece.from, piece.to = min(piece.from, m.from), max(piece.to, m.to)
	}
	if piece.from > 0 {
		e = append(e, part{text: "…"})
	}
	at := piece.from
	for _, m := range mentions {
		e = append(e, split(r.Text, span{at, m.from}, found)...)
		e = append(e, part{m.name, slices.ContainsFunc(found, m.overlaps)})
		at = m.to
	}
	e = append(e, split(r.Text, span{at, piece.to}, found)...)
	if piece.to < len(r.Text) {
		e = append(e, part{text: "…"})
	}
	return e
}

// split returns the piece of text in the parts that were found and all else.
func split(text string, piece span, found []span) (e excerpt) {
	at := piece.from
	for _, f := range found {
		if !f.overlaps(piece) {
			continue
		}
		from, to := max(f.from, at), min(f.to, piece.to)
		e = append(e, part{text[at:from], false}, part{text[from:to], true})
		at = to
	}
	return append(e, part{text[at:piece.to], false})
}

// print prints what was found as a table.
func (fs findings) print(out io.Writer) error {
	if len(fs.records) == 0 {
		_, err := io.WriteString(out, "Nothing found.\n"+fs.incomplete())
		return err
	}
	s := screenOf(out)
	who := len("BY")
	for _, f := range fs.records {
		who = max(who, wide(f.by()))
	}
	widths := []int{len("RECORD"), len("22 Nov 2026 09:15"), min(who, s.width/4)}
	if err := s.row(out, widths, "RECORD", "SENT", "BY", "FOUND"); err != nil {
		return err
	}
	for _, f := range fs.records {
		if err := s.row(out, widths, fmt.Sprint(f.Seq), shortMoment(f.sent), f.by(), f.says()); err != nil {
			return err
		}
	}
	_, err := io.WriteString(out, fs.rest())
	return err
}

// by says who sent what was found; of a change that names nobody, nothing.
func (f finding) by() string {
	if f.said.Alone {
		return ""
	}
	return printable(or(f.Member))
}

// says puts what was found in words.
func (f finding) says() string {
	text, fileName := f.text.printable(), f.fileName.printable()
	var b strings.Builder
	b.WriteString(f.tells(text, fileName))
	for _, n := range f.notes {
		fmt.Fprintf(&b, " [%s]", n)
	}
	return b.String()
}

// printJSON prints what was found for other programs; what is only for people goes
// to notes.
func (fs findings) printJSON(out, notes io.Writer) error {
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	for _, f := range fs.records {
		if err := enc.Encode(f); err != nil {
			return err
		}
	}
	_, err := io.WriteString(notes, fs.rest()+fs.incomplete())
	return err
}

// rest says that not all is shown that was found.
func (fs findings) rest() string {
	if !fs.more {
		return ""
	}
	return fmt.Sprintf("%d shown; there are more: narrow the search or use --limit.\n", len(fs.records))
}

// incomplete says that what was not found may be missing.
func (fs findings) incomplete() string {
	if fs.missing == "" {
		return ""
	}
	return fmt.Sprintf("Something may be missing of the time searched: see `muniment gaps`. %s\n", printable(fs.missing))
}

// missing says what is known to be missing of the time and the groups that q searches;
// empty if nothing is.
func missing(tx *sqlite.Tx, cfg config.Config, q archive.Query, running bool) (string, error) {
	through := q.Before
	if through != "" {
		through = through.AddDays(-1) // which is not searched itself
	}
	if through != "" && q.After > through {
		return "", nil
	}
	w := wantedGaps{first: q.After, last: through}
	for _, g := range cfg.Groups {
		if strings.EqualFold(g.Name, q.In) {
			w.group = g.Name
		}
	}
	r, err := w.report(tx, cfg, now(), running)
	if err != nil || r.teller.NothingMissing(r.Statement) {
		return "", err
	}
	return r.teller.Verdict(r.Statement), nil
}
