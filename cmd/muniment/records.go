package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"muniment/internal/archive"
	"muniment/internal/config"
	"muniment/internal/daemon"
	"muniment/internal/journal"
	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/saying"
	"muniment/internal/sqlite"
	"muniment/internal/vault"
)

const recordsHelp = `Records shows every record in order of capture, and what remains of destroyed
ones. That somebody looked is kept in the journal: on whose word and why, as given
with --for and --reason, or else only which user of this machine it was.

What is marked as from a phone's export was imported: this system did not receive it.
What is marked as supplied later came from the council's own phone, which was asked for
it or sent it with its history, and not from WhatsApp at the time.

With --json it prints one object a line, with these fields. Times are UTC; what
does not apply is null.

  seq          the record's number, by which letters and certificates call it
  kind         message; edit, deletion, reaction, vote (in a poll), option (added to
               one), response (to an event), pin, keep (in the chat, what would
               disappear), each of a message; participants, group: what became of
               them; unsupported: what this version cannot read
  type         of a message: text, image, video, gif, video_note, audio, voice,
               document, sticker, stickers, album, view_once, contact, location,
               live_location, poll, poll_result, event, invite, comment, menu,
               choice, payment, order, call, history; of an edit: that of the new
               content; of a deletion: author, admin, as WhatsApp says; of a
               reaction: added, removed; of a vote: cast, withdrawn; of a response:
               going, not_going, maybe; of participants: joined, left, added,
               removed, promoted, demoted, renumbered, present; of a group:
               subject, description, timer and so on; of unsupported: WhatsApp's
               name; sealed: what it takes to read it is not here
  id           WhatsApp's ID of the message
  group        the group's name, as configured
  sent_at      the time that WhatsApp gives it
  captured_at  when it was on disk here
  member       who sent it: the name on the member register, or else marked as
               unverified; null of a change of the group if nobody says by whom
  text         of a message: its words, with mentions as names; of an edit: the new
               words; of participants: who; of a group: its new name or description,
               or after how many seconds messages disappear from phones, 0 for never
  details      what it says besides, in fields: of a poll its options, of a vote those
               chosen, of a place where it is, and so on. A telephone number on a
               contact card is left out if it is of somebody in the records
  import       of what is from a phone's export of the chat: the number of the import
  supplied     whether the council's own phone supplied it later
  reply_to     seq of the record that it answers, or of the message that it belongs to
  amends       seq of the record that it changes: of an edit or deletion, the message;
               of a reaction, vote or response, the same person's earlier one
  effective    whether it counts: its sender was entitled to it, and nothing later
               has amended it
  edited_by    of a message: seq of the edit whose text counts
  deleted_by   of a message: seq of its deletion; what it said is kept
  emoji        of a reaction
  file_name    what the sender called the file; photos have no name
  media        of a message with a file: an object of
                 name   as file_name, "" for none
                 type   the media type that the sender gives, such as image/jpeg
                 size   in bytes: as the sender says; once it is kept, as it is
                 state  wanted: not fetched yet; kept; lost: not to be had any more
  on_hold      whether it is kept from destruction
  destroyed    the date of its destruction; then only seq, on_hold and this are set`

func (a *app) recordsCommand() *cobra.Command {
	var asJSON bool
	var by actor
	c := &cobra.Command{
		Use:   "records",
		Short: "Show the records in the archive",
		Long:  recordsHelp,
		Example: `  sudo muniment records --for "Jo Marsh" --reason "request FOI-2026-003" | less
  sudo muniment records --json --for "Jo Marsh" --reason "request FOI-2026-003"`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withArchive(c.Context(), func(cfg config.Config, _ daemon.Home, db *sqlite.DB) error {
				if atTerminal(c.ErrOrStderr()) {
					fmt.Fprint(c.ErrOrStderr(), unexplained(by, c.Flags().Changed("for")))
				}
				if err := db.Write(c.Context(), func(tx *sqlite.Tx) error {
					return journal.Write(tx, journal.Entry{At: now(), Who: by.who, Act: journal.Viewed, Reason: by.reason,
						About: journal.About{"records": "all"}})
				}); err != nil {
					return err
				}
				return db.Read(c.Context(), func(tx *sqlite.Tx) error {
					return printRecords(c.OutOrStdout(), tx, cfg, asJSON)
				})
			})
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line")
	return by.flags(c, false)
}

// unexplained says what the journal will lack of a look at the records; nothing
// where it lacks nothing. Looking is not refused: other programs read the
// records too, and the system's user is known in any case.
func unexplained(by actor, named bool) string {
	switch {
	case by.reason == "":
		return fmt.Sprintf("The journal will say that %s looked, and give no reason: use --for and --reason.\n", by.who)
	case !named:
		return fmt.Sprintf("The journal will say that %s looked: use --for to say on whose word.\n", by.who)
	}
	return ""
}

// atTerminal reports whether somebody reads at a terminal what is written to w.
func atTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// printRecords prints every record and stub to out.
func printRecords(out io.Writer, tx *sqlite.Tx, cfg config.Config, asJSON bool) error {
	v, err := newViewer(tx, cfg)
	if err != nil {
		return err
	}
	if err := v.readAll(tx); err != nil {
		return err
	}
	show := shownRecord{}.printLine
	if asJSON {
		enc := json.NewEncoder(out)
		enc.SetEscapeHTML(false)
		show = func(_ io.Writer, s shownRecord) error { return enc.Encode(s) }
	}
	none := true
	err = archive.Each(tx, func(r archive.Record) error {
		none = false
		return show(out, v.show(r))
	})
	if err == nil && none && !asJSON {
		_, err = fmt.Fprintln(out, "There are no records yet.")
	}
	return err
}

// viewer shows records: it knows what people, groups and files are called, and whose
// messages were edited or deleted.
type viewer struct {
	names   *people.Names
	groups  map[string]string
	files   map[record.Seq]vault.Media
	amended map[record.Seq]archive.Record // by edits and deletions
}

func newViewer(tx *sqlite.Tx, cfg config.Config) (viewer, error) {
	v := viewer{groups: groupNames(cfg), files: map[record.Seq]vault.Media{}, amended: map[record.Seq]archive.Record{}}
	var err error
	v.names, err = people.LoadNames(tx)
	return v, err
}

// groupNames returns what the official groups are called, by JID.
func groupNames(cfg config.Config) map[string]string {
	names := make(map[string]string)
	for _, g := range cfg.Groups {
		names[g.JID] = g.Name
	}
	return names
}

// in says in which group something was, unless it is the only one there is.
func (v viewer) in(jid string) string {
	name, listed := v.groups[jid]
	switch {
	case !listed:
		return "in a group that is no longer in the configuration"
	case len(v.groups) == 1:
		return ""
	}
	return "in “" + printable(name) + "”"
}

// readAll reads the files, and the messages that were edited or deleted, of all
// records.
func (v viewer) readAll(tx *sqlite.Tx) error {
	if err := vault.Each(tx, func(m vault.Media) error { v.files[m.Seq] = m; return nil }); err != nil {
		return err
	}
	var changes []archive.Record
	forever := time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	if err := archive.Between(tx, time.Time{}, forever, func(r archive.Record) error {
		changes = append(changes, r)
		return nil
	}, record.Edit, record.Deletion); err != nil {
		return err
	}
	return v.readAmended(tx, changes)
}

// readAmended reads the messages that these edits and deletions name.
func (v viewer) readAmended(tx *sqlite.Tx, changes []archive.Record) error {
	var seqs []record.Seq
	for _, r := range changes {
		if r.Amends != 0 && r.Kind != record.Reaction {
			seqs = append(seqs, r.Amends)
		}
	}
	messages, err := archive.Some(tx, seqs)
	for _, m := range messages {
		v.amended[m.Seq] = m
	}
	return err
}

// shownRecord is a record as it is shown: names, never addresses.
type shownRecord struct {
	Seq        record.Seq      `json:"seq"`
	Kind       *record.Kind    `json:"kind"`
	Type       *record.Type    `json:"type"`
	ID         *string         `json:"id"`
	Group      *string         `json:"group"`
	SentAt     *string         `json:"sent_at"`
	CapturedAt *string         `json:"captured_at"`
	Member     *string         `json:"member"`
	Text       *string         `json:"text"`
	Details    *record.Details `json:"details"`
	Import     *int64          `json:"import"`
	Supplied   *bool           `json:"supplied"`
	ReplyTo    *record.Seq     `json:"reply_to"`
	Amends     *record.Seq     `json:"amends"`
	Effective  *bool           `json:"effective"`
	EditedBy   *record.Seq     `json:"edited_by"`
	DeletedBy  *record.Seq     `json:"deleted_by"`
	Emoji      *string         `json:"emoji"`
	FileName   *string         `json:"file_name"`
	Media      *shownMedia     `json:"media"`
	OnHold     bool            `json:"on_hold"`
	Destroyed  *retention.Date `json:"destroyed"`

	sent     time.Time
	said     saying.Saying
	answers  bool   // it is a reply
	replaced bool   // a vote or the like, of which another has taken the place
	fate     string // of its file, if it is not kept
	in       string // which group, where there are several
}

// shownMedia is the file of a message.
type shownMedia struct {
	Name  string      `json:"name"`
	Type  string      `json:"type"`
	Size  int64       `json:"size"`
	State vault.State `json:"state"`
}

func (v viewer) show(r archive.Record) shownRecord {
	if r.Destroyed != "" {
		return shownRecord{Seq: r.Seq, Destroyed: &r.Destroyed}
	}
	teller := saying.Teller{Names: v.names}
	sender := ""
	if teller.Actor(r) != "" {
		sender = v.names.Of(r.Person)
	}
	s := shownRecord{
		Seq: r.Seq, Kind: &r.Kind, Type: &r.Type, ID: given(r.ID),
		Group: given(v.groups[r.Group]), SentAt: given(r.Sent.UTC().Format(time.RFC3339)),
		CapturedAt: given(r.Captured.UTC().Format(time.RFC3339Nano)), Member: given(sender),
		Text: given(teller.Text(r)), Import: given(r.Import), Supplied: &r.Supplied, ReplyTo: given(r.ReplyTo), Amends: given(r.Amends),
		Effective: &r.Effective, EditedBy: given(r.EditedBy), DeletedBy: given(r.DeletedBy), Emoji: given(r.Emoji),
		FileName: given(r.FileName), OnHold: r.OnHold,
		sent: r.Sent, said: teller.Of(r, v.amended[r.Amends]), answers: saying.Answers(r), in: v.in(r.Group),
	}
	if r.Details.Encode() != "" {
		d := teller.Details(r.Details)
		s.Details = &d
	}
	switch r.Kind {
	case record.Edit, record.Deletion:
		s.ReplyTo = nil
	case record.Reaction, record.Vote, record.Response, record.Pin, record.Keep:
		s.replaced = !r.Effective && r.Type != record.Sealed
	}
	if m, ok := v.files[r.Seq]; ok {
		s.Media = &shownMedia{Name: m.Name, Type: m.MIME, Size: m.Size, State: m.State}
		switch m.State {
		case vault.Wanted:
			s.fate = "not fetched yet"
		case vault.Lost:
			s.fate = "lost: " + m.Reason
		}
	} else if r.Kind == record.Message && saying.IsFile(r.Type) {
		s.fate = "not in the record"
	}
	if s.Text == nil {
		var who []string
		for _, p := range r.Participants {
			who = append(who, v.names.OfJID(p.JID))
		}
		s.Text = given(strings.Join(who, ", "))
	}
	return s
}

// given returns a pointer to v, nil for the zero value.
func given[T comparable](v T) *T {
	var none T
	if v == none {
		return nil
	}
	return &v
}

// or returns what p points to, the zero value for nil.
func or[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// printLine prints s for a reader.
func (shownRecord) printLine(out io.Writer, s shownRecord) error {
	if s.Destroyed != nil {
		_, err := fmt.Fprintf(out, "%6d  destroyed on %s\n", s.Seq, s.Destroyed.Long())
		return err
	}
	line := s.tells(printable(s.said.Text()), printable(or(s.FileName)))
	if !s.said.Alone {
		line = printable(or(s.Member)) + ": " + line
	}
	if s.EditedBy != nil {
		line += fmt.Sprintf("  [edited since: record %d]", *s.EditedBy)
	}
	if s.DeletedBy != nil {
		line += "  [deleted]"
	}
	if s.replaced {
		line += "  [changed since]"
	}
	if s.Import != nil {
		line += "  [" + imported + "]"
	}
	if or(s.Supplied) {
		line += "  [" + supplied + "]"
	}
	if s.in != "" {
		line += "  [" + s.in + "]"
	}
	if s.OnHold {
		line += "  [on hold]"
	}
	_, err := fmt.Fprintf(out, "%6d  %s  %s\n", s.Seq, shortMoment(s.sent), line)
	return err
}

// shortMoment writes t in London time, for a column.
func shortMoment(t time.Time) string { return t.In(retention.London).Format("2 Jan 2006 15:04") }

// imported marks in a line what an import brought, of which there may be thousands.
const imported = "from a phone’s export"

// supplied marks in a line what the council's own phone supplied.
const supplied = "supplied later by the council’s own phone"

// tells puts in a line what a record says, with its words and its file's name as they
// are to be shown.
func (s shownRecord) tells(words, fileName string) string {
	what := printable(s.said.What)
	if fileName != "" {
		what += " “" + fileName + "”"
	}
	what = strings.Join(nonEmpty(what, printable(s.said.Extent)), ", ")
	if s.fate != "" {
		what += " (" + printable(s.fate) + ")"
	}
	switch {
	case what == "" || words == "":
	case *s.Kind == record.Participants: // how the group is set up, after who is in it
		what += " ·"
	default:
		what += ":"
	}
	notable := slices.DeleteFunc(slices.Clone(s.said.Notes), func(n string) bool { return n == saying.Imported || n == saying.Supplied })
	answers, notes := "", strings.Join(append(notable, nonEmpty(s.said.Expiry)...), " ")
	if s.answers {
		answers = "(in reply to a message that is not kept)"
	}
	if s.answers && s.ReplyTo != nil {
		answers = fmt.Sprintf("(in reply to record %d)", *s.ReplyTo)
	}
	if notes != "" {
		notes = "(" + printable(notes) + ")"
	}
	return strings.Join(nonEmpty(answers, what, words, notes), " ")
}

// printable makes text from outside fit for a terminal: one line, no control
// characters, nothing that turns or hides what follows.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case r == '\u2028' || r == '\u2029':
			return ' '
		case unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u00ad' || r >= 0xe0000 && r <= 0xe007f:
			return -1 // among the last: hyphens that may show or not, and letters that do not
		}
		return r
	}, s)
}
