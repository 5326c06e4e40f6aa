package archive

import (
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"muniment/internal/journal"
	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/sqlite"
	"muniment/internal/transcript"
)

// Import is one go of bringing a phone's export of a group's chat into the archive.
type Import struct {
	Export *transcript.Export
	Zone   string   // in which its times were read
	Group  string   // JID
	Names  []string // what the group is called; the first in the journal
	Who    string
	Reason string
	Anyway bool // in spite of a [Doubt]

	DB  *sqlite.DB
	Now func() time.Time

	// Lost tells of a record whose file cannot be had any more: the export may have it.
	Lost func(record.Seq) bool
	// Seal prepares the file that an entry names, and returns f with what is to be known
	// of it.
	Seal func(ctx context.Context, t record.Type, f record.File, name string) (record.File, error)
	// Put brings sealed files to their places and calls write in one transaction.
	Put func(ctx context.Context, files []record.File, write func(*sqlite.Tx) error) error
	// Keep notes within that transaction whose a file is.
	Keep func(tx *sqlite.Tx, now time.Time, seq record.Seq, t record.Type, f record.File) error
	// Progress is told how many of all new entries are in; it may be nil.
	Progress func(done, all int64)
}

// Imported is what came of an import.
type Imported struct {
	Comparison
	ID        int64 // 0: nothing was new, so there was none
	Resumed   bool  // one that had been interrupted was taken up
	Messages  int   // captured now,
	Notices   int
	Files     int      // with files
	Destroyed int      // that had been destroyed here and stay so
	Tied      []string // authors whose name is one on the member register, now the same person
}

// atOnce is how many entries are captured in one transaction: few enough that what the
// device receives meanwhile does not wait long.
const atOnce = 200

// errChanged is returned if somebody else captured messages of the group since an export
// was compared with it.
var errChanged = errors.New("there are new records")

// Import captures what the archive lacks of an export. It may break off at any time, and
// be done again: what it has captured by then is known.
func (a *Archive) Import(ctx context.Context, i Import) (done Imported, err error) {
	c, err := i.compare(ctx, a)
	if err != nil {
		return done, err
	}
	done.Comparison = c
	if doubt := c.Doubt(); doubt != nil && !i.Anyway {
		return done, doubt
	}
	if len(c.New) == 0 {
		return done, i.DB.Write(ctx, func(tx *sqlite.Tx) error { return i.Compared(tx, c) })
	}
	if err := i.DB.Write(ctx, func(tx *sqlite.Tx) error { return i.begin(tx, &done) }); err != nil {
		return done, err
	}
	if c, err = i.compare(ctx, a); err != nil { // now that it is known who some authors are
		return done, err
	}
	done.Comparison = c
	ids := i.identifiers()
	all := len(c.New)
	for len(c.New) > 0 {
		batch := c.New[:min(atOnce, len(c.New))]
		switch err := i.capture(ctx, a, c, batch, ids, &done); {
		case errors.Is(err, errChanged):
			if c, err = i.compare(ctx, a); err != nil {
				return done, err
			}
			continue
		case err != nil:
			return done, err
		}
		c.New = c.New[len(batch):]
		if i.Progress != nil {
			i.Progress(int64(max(all-len(c.New), 0)), int64(all))
		}
	}
	return done, i.DB.Write(ctx, func(tx *sqlite.Tx) error { return i.finish(tx, done) })
}

func (i Import) compare(ctx context.Context, a *Archive) (c Comparison, err error) {
	err = i.DB.Read(ctx, func(tx *sqlite.Tx) error {
		c, err = a.Compare(tx, i.Now(), i.Group, i.Export, i.Names, i.Lost)
		return err
	})
	return c, err
}

// Compared journals that the export was compared with the records, and what came of it.
func (i Import) Compared(tx *sqlite.Tx, c Comparison) error {
	return journal.Write(tx, journal.Entry{At: i.Now(), Who: i.Who, Act: journal.ExportCompared, Reason: i.Reason,
		About: journal.About{"group": i.Names[0], "file": hex.EncodeToString(i.Export.Digest[:]), "messages": c.Messages,
			"known": c.Known, "new": len(c.New), "later": len(c.Later), "past due": c.PastDue, "not in the export": len(c.Lacks)}})
}

// begin notes that the import begins, or goes on, and ties authors to the people on the
// member register who are called exactly so.
func (i Import) begin(tx *sqlite.Tx, done *Imported) error {
	err := tx.QueryRow("SELECT id FROM import WHERE group_jid = ? AND digest = ? AND zone = ? AND finished_at IS NULL",
		i.Group, i.Export.Digest[:], i.Zone).Scan(&done.ID)
	switch {
	case err == nil:
		done.Resumed = true
	case !errors.Is(err, sql.ErrNoRows):
		return fmt.Errorf("import: %w", err)
	default:
		if err := tx.QueryRow(`
			INSERT INTO import (group_jid, digest, zone, unit, who, reason, begun_at) VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id`,
			i.Group, i.Export.Digest[:], i.Zone, int64(i.Export.Unit/time.Second), i.Who, i.Reason, sqlite.FormatTime(i.Now())).Scan(&done.ID); err != nil {
			return fmt.Errorf("import: %w", err)
		}
	}
	if err := journal.Write(tx, journal.Entry{At: i.Now(), Who: i.Who, Act: journal.ImportBegun, Reason: i.Reason,
		About: journal.About{"import": done.ID, "group": i.Names[0], "file": hex.EncodeToString(i.Export.Digest[:]),
			"zone": i.Zone, "unit": int64(i.Export.Unit / time.Second), "resumed": done.Resumed, "anyway": i.Anyway}}); err != nil {
		return err
	}
	done.Tied, err = i.tie(tx)
	return err
}

// tie makes those authors the people on the member register who are called exactly so by
// the phone's owner. A name with ~ is one that its bearer has chosen.
func (i Import) tie(tx *sqlite.Tx) (tied []string, err error) {
	var authors []string
	for _, n := range i.Export.Entries {
		if n.Author != "" && !strings.HasPrefix(n.Author, "~") && !transcript.IsNumber(n.Author) {
			authors = append(authors, n.Author)
		}
	}
	slices.Sort(authors)
	for _, author := range slices.Compact(authors) {
		m, err := people.MemberNamed(tx, author)
		if errors.Is(err, people.ErrNotOnRegister) || errors.Is(err, people.ErrAmbiguous) {
			continue
		} else if err != nil {
			return nil, err
		}
		if _, err := people.Identify(tx, i.Now(), addressOf(author), ""); err != nil {
			return nil, err
		}
		err = people.IdentifyMember(tx, i.Now(), i.Who, i.Reason, m.ID, addressOf(author))
		switch {
		case errors.Is(err, people.ErrUnchanged), errors.Is(err, people.ErrOnRegister), errors.Is(err, people.ErrAnotherLID):
		case err != nil:
			return nil, err
		default:
			tied = append(tied, author)
		}
	}
	return tied, Reconcile(tx)
}

// identifiers returns under which ID each entry is captured.
func (i Import) identifiers() []string {
	ids := make([]string, 0, len(i.Export.Entries))
	ordinals := make(map[string]int)
	for _, n := range i.Export.Entries {
		ids = append(ids, identify(n, ordinals))
	}
	return ids
}

// capture captures some entries in one transaction.
func (i Import) capture(ctx context.Context, a *Archive, c Comparison, batch []int, ids []string, done *Imported) error {
	received := make([]record.Received, len(batch))
	var files []record.File
	for k, at := range batch {
		n := i.Export.Entries[at]
		r := i.received(n, done.ID, ids[at])
		if n.File != "" {
			f, err := i.Seal(ctx, r.Type, *r.File, n.File)
			if err != nil {
				return fmt.Errorf("the file of line %d: %w", n.Line, err)
			}
			r.File = &f
			files = append(files, f)
		}
		received[k] = r
	}
	var now Imported
	if err := i.Put(ctx, files, func(tx *sqlite.Tx) error {
		now = Imported{}
		if changed, err := i.changed(tx, c, done.ID); err != nil || changed {
			return cmp.Or(err, errChanged)
		}
		for _, r := range received {
			if err := i.captureIn(tx, a, r, &now); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return err
	}
	done.Messages += now.Messages
	done.Notices += now.Notices
	done.Files += now.Files
	done.Destroyed += now.Destroyed
	return nil
}

func (i Import) captureIn(tx *sqlite.Tx, a *Archive, r record.Received, now *Imported) error {
	got, err := a.Capture(tx, i.Now(), r)
	switch {
	case err != nil:
		return err
	case !got.Fresh: // it is a stub: what the archive has would have been known
		now.Destroyed++
		return nil
	case r.Kind == record.Message:
		now.Messages++
	default:
		now.Notices++
	}
	if r.File == nil {
		return nil
	}
	now.Files++
	return i.Keep(tx, i.Now(), got.Seq, r.Type, *r.File)
}

// changed reports whether somebody else has captured messages of the group since the
// comparison: one of these may be one of the export.
func (i Import) changed(tx *sqlite.Tx, c Comparison, id int64) (is bool, err error) {
	err = tx.QueryRow(`
		SELECT EXISTS (SELECT 1 FROM record WHERE seq > ? AND group_jid = ? AND import <> ? AND kind IN ('message', 'unsupported'))`,
		c.last, i.Group, id).Scan(&is)
	return is, err
}

// finish notes what the import brought.
func (i Import) finish(tx *sqlite.Tx, done Imported) error {
	var records, files int
	if err := tx.QueryRow(`
		UPDATE import SET finished_at = ?1, records = (SELECT count(*) FROM record WHERE import = ?2),
			files = (SELECT count(*) FROM record WHERE import = ?2 AND file_sealed IS NOT NULL)
		WHERE id = ?2 RETURNING records, files`, sqlite.FormatTime(i.Now()), done.ID).Scan(&records, &files); err != nil {
		return fmt.Errorf("finish import: %w", err)
	}
	return journal.Write(tx, journal.Entry{At: i.Now(), Who: i.Who, Act: journal.ImportFinished, Reason: i.Reason,
		About: journal.About{"import": done.ID, "records": records, "files": files, "known": done.Known, "past due": done.PastDue}})
}

// received makes a record of an entry. Its protobuf are the lines of the export: what
// there is for evidence.
func (i Import) received(n transcript.Entry, id int64, name string) record.Received {
	r := record.Received{
		Kind: record.Message, Type: typeOf(n.Sort), Group: i.Group, ID: name, Sent: n.At,
		Text: n.Text, Details: detailsOf(n).Encode(), Import: id, Protobuf: []byte(n.Raw + n.VCard),
	}
	if n.Sort == transcript.Notice {
		r.Kind, r.Sender = record.Group, record.Address{JID: i.Group}
	} else {
		r.Sender = addressOf(n.Author)
	}
	if n.Sort == transcript.Contact && r.Text == "" {
		r.Text = contactText(n)
	}
	r.Text, r.Mentions = mentioning(r.Text, n.Mentions)
	if n.File != "" {
		r.File = &record.File{MIME: mimeOf(n.File)}
		if n.Sort == transcript.Document {
			r.File.Name = n.Name
		}
	}
	return r
}

// mentioning returns a text with mentions by number as WhatsApp writes them, and whom they
// mean: the number may have been without its country code.
func mentioning(text string, mentions []transcript.Mention) (string, []string) {
	var jids []string
	for _, m := range mentions {
		if m.Number == "" {
			continue
		}
		jid := numberAddress(m.Number).JID
		user, _, _ := strings.Cut(jid, "@")
		text = strings.ReplaceAll(text, "@"+m.Number, "@"+user)
		if !slices.Contains(jids, jid) {
			jids = append(jids, jid)
		}
	}
	return text, jids
}

// ImportNote is what is kept of an import.
type ImportNote struct {
	ID     int64
	Digest string // SHA-256 of the file, in hexadecimal
	Zone   string // in which its times were read,
	Unit   int64  // and to how many seconds they are exact
	Who    string
	Reason string
}

// Imports returns the notes of all imports, in order. An import that a record names and
// that has no note has none but its ID.
func Imports(tx *sqlite.Tx) (all []ImportNote, err error) {
	rows, err := tx.Query(`
		SELECT id, lower(hex(digest)), zone, unit, who, reason FROM import
		UNION ALL SELECT DISTINCT import, '', '', 0, '', '' FROM record WHERE import <> 0 AND import NOT IN (SELECT id FROM import) ORDER BY 1`)
	if err != nil {
		return nil, fmt.Errorf("read imports: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var n ImportNote
		if err := rows.Scan(&n.ID, &n.Digest, &n.Zone, &n.Unit, &n.Who, &n.Reason); err != nil {
			return nil, fmt.Errorf("read imports: %w", err)
		}
		all = append(all, n)
	}
	return all, rows.Err()
}

// Brought is what an import brought.
type Brought struct {
	Group       string // JID
	Who, Reason string
	Records     int
	Finished    bool // else it goes on, or was interrupted and may be taken up again
}

// ImportedBetween returns the imports that were finished in that time, and those that
// were begun in it and are not finished, in order.
func ImportedBetween(tx *sqlite.Tx, from, until time.Time) (all []Brought, err error) {
	rows, err := tx.Query(`
		SELECT group_jid, who, reason, finished_at IS NOT NULL,
			CASE WHEN finished_at IS NULL THEN (SELECT count(*) FROM record WHERE import = i.id AND import <> 0) ELSE records END
		FROM import i WHERE coalesce(finished_at, begun_at) >= ? AND coalesce(finished_at, begun_at) < ? ORDER BY id`,
		sqlite.FormatTime(from), sqlite.FormatTime(until))
	if err != nil {
		return nil, fmt.Errorf("what was imported: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var b Brought
		if err := rows.Scan(&b.Group, &b.Who, &b.Reason, &b.Finished, &b.Records); err != nil {
			return nil, fmt.Errorf("what was imported: %w", err)
		}
		all = append(all, b)
	}
	return all, rows.Err()
}

// Preview returns what record an entry would be, as far as it is shown.
func (i Import) Preview(names *people.Names, n transcript.Entry) (Record, error) {
	r := i.received(n, 0, "")
	d, err := record.ParseDetails(r.Details)
	return Record{Kind: r.Kind, Type: r.Type, Group: r.Group, Person: names.Behind(r.Sender), Sent: r.Sent, Text: r.Text, Details: d, Mentions: r.Mentions}, err
}

// typeOf returns what type of record an entry is.
func typeOf(s transcript.Sort) record.Type {
	if s == transcript.Deleted {
		return record.Blank
	}
	return record.Type(s) // the sorts have the names of the types
}

// addressOf returns the address of an author.
func addressOf(author string) record.Address {
	if transcript.IsNumber(author) {
		return numberAddress(transcript.Digits(author))
	}
	return people.Exported(author)
}

// numberAddress returns the address of a number, even of one that there cannot be: no
// number may pass for a name.
func numberAddress(digits string) record.Address {
	for _, number := range []string{"+" + digits, digits} {
		if a, err := people.ParseNumber(number); err == nil {
			return a
		}
	}
	return record.Address{JID: digits + "@s.whatsapp.net"}
}

func detailsOf(n transcript.Entry) (d record.Details) {
	d.Pages, d.Edited = n.Pages, n.Edited
	if n.Place != nil {
		d.Place = &record.Place{Latitude: n.Place.Latitude, Longitude: n.Place.Longitude}
	}
	if n.Poll != nil {
		d.Poll = &record.Ballot{Question: squeeze(n.Question)}
		for _, o := range n.Poll {
			d.Poll.Options = append(d.Poll.Options, o.Text)
			d.Tally = append(d.Tally, record.Count{Option: o.Text, Votes: o.Votes})
		}
	}
	for _, c := range n.Cards {
		d.Contacts = append(d.Contacts, record.Card{Name: c.Name, Organisation: c.Organisation, Numbers: c.Numbers, Emails: c.Emails})
	}
	return d
}

// contactText is all words of a contact's card.
func contactText(n transcript.Entry) string {
	if len(n.Cards) == 0 {
		return strings.TrimSuffix(n.Name, path.Ext(n.Name))
	}
	var lines []string
	for _, c := range n.Cards {
		lines = append(lines, strings.Join(slices.DeleteFunc(append([]string{c.Name, c.Organisation}, append(c.Numbers, c.Emails...)...),
			func(s string) bool { return s == "" }), "\n"))
	}
	return strings.Join(lines, "\n")
}

// mimes are the types of the files that phones export. Others are told by nothing.
var mimes = map[string]string{
	".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".webp": "image/webp", ".gif": "image/gif", ".heic": "image/heic",
	".mp4": "video/mp4", ".mov": "video/quicktime", ".3gp": "video/3gpp",
	".opus": "audio/ogg; codecs=opus", ".ogg": "audio/ogg", ".m4a": "audio/mp4", ".mp3": "audio/mpeg", ".aac": "audio/aac", ".amr": "audio/amr",
	".pdf": "application/pdf", ".txt": "text/plain", ".csv": "text/csv", ".zip": "application/zip",
	".doc": "application/msword", ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
	".xls": "application/vnd.ms-excel", ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
	".ppt": "application/vnd.ms-powerpoint", ".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
}

func mimeOf(file string) string {
	return cmp.Or(mimes[strings.ToLower(path.Ext(file))], "application/octet-stream")
}

// identify returns the ID of an entry: made of what it is, so that it is the same at
// every import from this phone. No sender can give it to a message of his; see content.ID.
// Those that are alike have ordinals, which are counted.
func identify(n transcript.Entry, ordinals map[string]int) string {
	var b strings.Builder
	for _, s := range []string{n.Author, n.At.UTC().Format(time.RFC3339), string(typeOf(n.Sort)), n.Text, n.Name} {
		fmt.Fprintf(&b, "%d:%s\n", len(s), s)
	}
	fmt.Fprintf(&b, "%t\n", n.File != "")
	ordinals[b.String()]++
	fmt.Fprintf(&b, "%d\n", ordinals[b.String()])
	sum := sha256.Sum256([]byte("muniment export 1\n" + b.String()))
	return "export:" + hex.EncodeToString(sum[:16])
}
