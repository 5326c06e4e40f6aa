package disposal

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"muniment/internal/archive"
	"muniment/internal/flag"
	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/sqlite"
	"muniment/internal/vault"
	"muniment/internal/verify"
)

// notEvidence are the tables and columns that verify need not tell of, or cannot, and why.
var notEvidence = map[string]string{
	"alert":                           "what was told at once, as the journal has it; nothing is decided by it",
	"alert_seen":                      "how far the journal was read for alerts",
	"alert_telling":                   "whom an alert is still owed",
	"backup":                          "the register of files elsewhere: what they hold proves itself when it is opened",
	"conversation":                    "which emails are owed: the email itself is the evidence, and the journal has its outcome",
	"correction":                      "likewise",
	"destruction":                     "empty between transactions; a row left there is told (shown in verify)",
	"disposal_entry":                  "likewise",
	"disposal_group":                  "until the certificate tells",
	"disposal_item":                   "what is still to be destroyed: the destroying statement decides again",
	"disposal_reminder":               "which reminders were owed",
	"email":                           "the outbox; the journal has what was handed over",
	"forwarded":                       "likewise: which messages an email had",
	"gap":                             "shown in verify (TestTamperingWithGaps), with what is not compared and why",
	"goose_db_version":                "the layout of the tables",
	"group_list":                      "which list of participants was asked for; the lists are records",
	"history":                         "what the phone offered, until it is read",
	"history_request":                 "what the phone is asked for",
	"import":                          "shown in verify (TestAnImportAltered)",
	"intake":                          "counts of a run of the daemon: not caught",
	"mark":                            "likewise; the reaction itself is a record",
	"no_concern":                      "shown in verify",
	"participant":                     "who is in the group now: derived from records, which are evidence",
	"push_name":                       "not caught: what people called themselves, beside the records that have it",
	"recipient":                       "likewise",
	"record_search":                   "the index: derived; that it lacks no record is told",
	"record_search_config":            "likewise",
	"record_search_data":              "likewise; words exchanged there are not caught",
	"record_search_docsize":           "likewise",
	"record_search_idx":               "likewise",
	"reread":                          "shown in verify (reread_test.go)",
	"search_day":                      "which blocks of records a search reads: derived",
	"withdrawal":                      "likewise",
	"address.jid":                     "not caught: whose an address is; the record has the address as delivered",
	"archive.created_at":              "not caught: the journal's first entry says it",
	"archive.holes_through":           "how far was looked for what is missing",
	"archive.indexed":                 "how far the search index is",
	"archive.origin_key":              "not caught: it keys the names of messages; what it named no longer matches",
	"archive.phone_seen":              "when the phone was seen",
	"archive.restored":                "shown in verify (restored_test.go)",
	"certificate.id":                  "an order",
	"checkpoint.id":                   "an order",
	"checkpoint.made_at":              "not caught: a checkpoint bears no time; its note is compared",
	"checkpoint.size":                 "not caught: the note says it, and is compared",
	"disposal_run.bytes":              "not caught: the certificate says it",
	"disposal_run.counts":             "likewise",
	"disposal_run.entries_unsearched": "likewise",
	"disposal_run.files":              "likewise",
	"disposal_run.media":              "likewise",
	"disposal_run.residue":            "likewise",
	"disposal_run.searched":           "likewise",
	"disposal_run.searched_at":        "likewise",
	"disposal_run.unsearched":         "likewise",
	"hold.group_name":                 "shown in verify (tamper_test.go)",
	"hold.searched":                   "how far its search has come: it searches again",
	"journal_stub.written_on":         "not caught: the entry's date went with it",
	"media.asked":                     "how often the phone was asked",
	"media.attempts":                  "how often it was tried",
	"media.finished_at":               "not caught: when it was fetched",
	"media.mime":                      "not caught: the record's protobuf says it",
	"media.next_attempt":              "when next",
	"media.path":                      "where WhatsApp had it",
	"media.since":                     "since when it is wanted",
	"media.size":                      "not caught: the file itself has its size, and is read",
	"media.type":                      "not caught: the record has it",
	"media.wrong":                     "likewise",
	"member.email":                    "not caught: the journal has no email addresses",
	"person.id":                       "likewise",
	"quotation.due":                   "not caught: when the quotation goes; it goes with what it quotes in any case",
	"quotation.n":                     "not caught where there is one: it is its place",
	"stub.authority":                  "not caught: the certificate says it",
	"stub.origin":                     "not caught: it bars the record from coming back; nothing else knows it",
}

// notTaken are the tables of evidence from which a row may be taken without being told, and why.
var notTaken = map[string]string{
	"checkpoint": "not caught: those tell who were sent it",
	"person":     "a number: that of whom nothing belongs to is not missed, of others it is told",
}

// notAdded are the tables of evidence to which a row may be added without being told, and why.
var notAdded = map[string]string{
	"address":    "not caught: of whom nothing was heard by it; else it is told by the records",
	"checkpoint": "not caught: a copy says what is true",
	"person":     "a number that nothing belongs to",
}

// rich is an archive in which something stands in every table of evidence.
func rich(t *testing.T) *council {
	c := newCouncil(t)
	c.d.Policy.Approval = Each
	c.write(func(tx *sqlite.Tx) error {
		for i, m := range []struct {
			name string
			a    record.Address
		}{{"Ann", ann}, {"Bo", bo}} {
			if err := people.AddMember(tx, c.now, "sysadmin", "elected", people.Member{Name: m.name, Role: "councillor", Email: fmt.Sprint("c", i, "@example.gov.uk")}, m.a); err != nil {
				return err
			}
		}
		return nil
	})
	c.says(ann, "3EB0A1", culvert)
	c.reacts(bo, "3EB0A2", "👍", "3EB0A1")
	old := c.says(ann, "3EB0A3", fence)
	now := func(r record.Received) record.Seq { r.Sent = c.now; return c.captures(r).Seq }
	now(record.Received{Kind: record.Participants, Type: record.Present, Sender: ann, ID: "P1", Version: "1", Participants: []record.Participant{{Address: ann, Admin: true}, {Address: bo}}})
	now(record.Received{Kind: record.Message, Type: record.Text, Sender: bo, ID: "B1", PushName: "Bo", Text: "@200000000000101 my number is 020 7946 0000", Mentions: []string{ann.JID},
		Target: &record.Ref{ID: "3EB0A3", Sender: ann}, Quotations: []record.Quotation{{Of: record.Ref{ID: "3EB0A3", Sender: ann}, Text: fence, Protobuf: []byte("q")}}, Protobuf: []byte("pb")})
	flagged := now(record.Received{Kind: record.Message, Type: record.Text, Sender: bo, ID: "B2", Text: "Ring me on 07700 900123 about the culvert.", Protobuf: []byte("pb")})
	now(record.Received{Kind: record.Edit, Type: record.Text, Sender: bo, ID: "B3", Text: "Ring me.", Target: &record.Ref{ID: "B2", Sender: bo}})
	c.keepsPhoto("C1", c.now)
	c.logs()
	c.write(func(tx *sqlite.Tx) error {
		if err := (flag.Reader{}).Dismiss(tx, c.now, "Jo Marsh", "it is the office's", []record.Seq{flagged}, flag.Personal); err != nil {
			return err
		}
		if err := archive.OpenGap(tx, c.now, c.now.Add(-time.Hour), archive.NotLinked, "The link was lost."); err != nil {
			return err
		}
		for _, h := range []archive.Cover{
			{Scope: archive.Records, Records: []record.Seq{old}}, {Scope: archive.Dates, From: "2026-11-01", Through: "2026-11-02"}, {Scope: archive.ByMember, Member: 2},
		} {
			if _, err := archive.Place(tx, c.now, "Jo Marsh", archive.Hold{Kind: archive.FOI, Case: "FOI-1", Reason: "request", Review: "2032-06-01", Cover: h}); err != nil {
				return err
			}
		}
		return archive.ReleaseHold(tx, c.now, 3, "Jo Marsh", "answered")
	})
	c.nightsUntil("2032-02-10")
	c.write(func(tx *sqlite.Tx) error {
		_, err := Approve(tx, c.now, 1, Approver{Who: "Jo Marsh", Role: "clerk", Reason: "seen"})
		return err
	})
	c.nightsUntil("2032-03-12")
	c.certified(1)
	list, err := c.proposes(jo, flagged)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.confirms(list, kim); err != nil {
		t.Fatal(err)
	}
	c.captures(record.Received{Kind: record.Message, Type: record.Text, Sender: bo, ID: "D1", Text: "Old, and waiting.", Sent: said.AddDate(0, 1, 0)})
	c.nightsUntil("2032-03-18")
	c.expectVerified()
	return c
}

// keepsPhoto captures a photo of which the file is kept.
func (c *council) keepsPhoto(id string, sent time.Time) {
	c.Helper()
	sealed, err := c.d.Vault.Seal(context.Background(), record.Image, record.File{Name: "p.jpg", MIME: "image/jpeg"}, strings.NewReader("a photo of the culvert"))
	if err != nil {
		c.Fatal(err)
	}
	if err := c.d.Vault.Put(context.Background(), []record.File{sealed}, func(tx *sqlite.Tx) error {
		k, err := c.archive.Capture(tx, c.now, record.Received{Kind: record.Message, Type: record.Image, Group: official, Sender: ann, ID: id, Sent: sent, Text: "look", File: &sealed, Protobuf: []byte("pb")})
		if err != nil {
			return err
		}
		return vault.Keep(tx, c.now, k.Seq, record.Image, sealed)
	}); err != nil {
		c.Fatal(err)
	}
}

// Every column of every table is changed: in the last row, and where that means nothing
// there, in all. Verify tells, unless it is said above why it need not.
func TestEveryColumn(t *testing.T) {
	c := rich(t)
	if err := c.db.EmptyLog(context.Background()); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(filepath.Join(c.dir, "archive.db"))
	if err != nil {
		t.Fatal(err)
	}
	for i, col := range columnsOf(t, filepath.Join(c.dir, "archive.db")) {
		if testing.Short() && i%10 != 0 {
			continue
		}
		if notEvidence[col.table] != "" || notEvidence[col.String()] != "" {
			continue
		}
		t.Run(col.String(), func(t *testing.T) {
			t.Parallel()
			if !c.tells(t, whole, col, "WHERE rowid = (SELECT max(rowid) FROM "+col.table+")") && !c.tells(t, whole, col, "") {
				t.Error("it is changed, and verify does not tell")
			}
		})
	}
}

// From every table of evidence the last row is taken, and to every one a copy of its last row is
// added that belongs to what is not there. Verify tells of both.
func TestEveryTable(t *testing.T) {
	if testing.Short() {
		t.Skip("one thing after another, which the race detector watches for long")
	}
	c := rich(t)
	if err := c.db.EmptyLog(context.Background()); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(filepath.Join(c.dir, "archive.db"))
	if err != nil {
		t.Fatal(err)
	}
	columns := make(map[string][]column)
	for _, col := range columnsOf(t, filepath.Join(c.dir, "archive.db")) {
		columns[col.table] = append(columns[col.table], col)
	}
	for table, columns := range columns {
		if notEvidence[table] != "" {
			continue
		}
		t.Run(table, func(t *testing.T) {
			t.Parallel()
			if notTaken[table] == "" && !c.tellsOf(t, whole, func(path string) int64 {
				return execute(t, path, fmt.Sprintf("DELETE FROM %[1]s WHERE rowid = (SELECT max(rowid) FROM %[1]s)", table))
			}) {
				t.Error("a row is taken from it, and verify does not tell")
			}
			if notAdded[table] == "" && !c.tellsOf(t, whole, func(path string) int64 { return execute(t, path, another(columns)) }) {
				t.Errorf("a row is added, and verify does not tell: %s", another(columns))
			}
		})
	}
}

// another is the statement that adds a copy of a table's last row which belongs to what is not
// there.
func another(columns []column) string {
	var names, values []string
	for _, c := range columns {
		names = append(names, c.name)
		switch value := c.name; {
		case !c.key:
			values = append(values, value)
		case c.kind == "INTEGER":
			values = append(values, value+" + 1000000")
		case c.kind == "BLOB":
			values = append(values, "randomblob(32)")
		default:
			values = append(values, value+" || 'x'")
		}
	}
	table := columns[0].table
	return fmt.Sprintf("INSERT INTO %[1]s (%[2]s) SELECT %[3]s FROM %[1]s WHERE rowid = (SELECT max(rowid) FROM %[1]s)", table, strings.Join(names, ", "), strings.Join(values, ", "))
}

// tells reports whether verify tells that a column was changed in a copy of the archive.
func (c *council) tells(t *testing.T, whole []byte, col column, where string) bool {
	t.Helper()
	return c.tellsOf(t, whole, func(path string) int64 { return col.change(t, path, where) })
}

// tellsOf reports whether verify tells that some rows were changed in a copy of the archive.
func (c *council) tellsOf(t *testing.T, whole []byte, change func(path string) (rows int64)) bool {
	t.Helper()
	path := filepath.Join(t.TempDir(), "archive.db")
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	if change(path) == 0 {
		return false
	}
	db, err := sqlite.Open(context.Background(), path)
	if err != nil {
		return true
	}
	defer db.Close()
	files := &vault.Vault{Directory: c.d.Vault.Directory, DB: db, Log: c.d.Log, Now: c.d.Now}
	r, err := verify.Run(context.Background(), db, c.key, verify.With{Disposal: Faults, Files: files})
	if err == nil && len(r.Faults) > 0 {
		t.Log(r.Faults[0])
	}
	return err != nil || !r.OK()
}

// A file that is changed by a byte, cut short, removed or exchanged is told, by its record.
func TestEveryFile(t *testing.T) {
	if testing.Short() {
		t.Skip("one thing after another, which the race detector watches for long")
	}
	c := rich(t)
	var sealed string
	if err := filepath.WalkDir(c.d.Vault.Directory, func(path string, e os.DirEntry, err error) error {
		if err == nil && c.d.Vault.Holds(path) && !e.IsDir() {
			sealed = path
		}
		return err
	}); err != nil || sealed == "" {
		t.Fatalf("sealed file %q: %v", sealed, err)
	}
	whole, err := os.ReadFile(sealed)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func() error{
		"a byte": func() error {
			return os.WriteFile(sealed, append(bytes.Clone(whole[:9]), append([]byte{whole[9] ^ 1}, whole[10:]...)...), 0o600)
		},
		"cut short": func() error { return os.WriteFile(sealed, whole[:len(whole)-1], 0o600) },
		"longer":    func() error { return os.WriteFile(sealed, append(bytes.Clone(whole), 0), 0o600) },
		"removed":   func() error { return os.Remove(sealed) },
		"exchanged": func() error { return os.WriteFile(sealed, bytes.Repeat([]byte("x"), len(whole)), 0o600) },
	} {
		if err := change(); err != nil {
			t.Fatal(err)
		}
		r, err := verify.Run(context.Background(), c.db, c.key, verify.With{Disposal: Faults, Files: c.d.Vault})
		if err != nil || r.OK() || !strings.Contains(strings.Join(r.Faults, "; "), "record 8") {
			t.Errorf("%s: %v, %q", name, err, r.Faults)
		}
		if err := os.WriteFile(sealed, whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

type column struct {
	table, name, kind string
	key               bool // a part of it
}

func (c column) String() string { return c.table + "." + c.name }

func columnsOf(t *testing.T, path string) (all []column) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query(`SELECT m.name, c.name, c.type, c.pk > 0 OR c.name IN
			(SELECT i.name FROM pragma_index_list(m.name) l, pragma_index_info(l.name) i WHERE l."unique") FROM sqlite_schema m, pragma_table_info(m.name) c
		WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' ORDER BY m.name, c.cid`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var c column
		if err := rows.Scan(&c.table, &c.name, &c.kind, &c.key); err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	return all
}

// change alters the column in some rows, and returns in how many.
func (c column) change(t *testing.T, path, where string) (rows int64) {
	t.Helper()
	value := map[string]string{
		"INTEGER": "coalesce(%[1]s, 0) + 1",
		"BLOB":    "CASE WHEN length(coalesce(%[1]s, x'')) = 0 THEN x'01' ELSE CAST(substr(%[1]s, 1, length(%[1]s) - 1) || CASE substr(%[1]s, -1) WHEN x'01' THEN x'02' ELSE x'01' END AS BLOB) END",
		"TEXT": `CASE WHEN %[1]s GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-*' THEN '2031' || substr(%[1]s, 5)
			WHEN %[1]s GLOB '[[{]*' THEN '[]' ELSE coalesce(%[1]s, '') || 'x' END`,
	}[c.kind]
	if value == "" { // of SQLite's own tables, and goose's
		t.Fatalf("a column of the type %q", c.kind)
	}
	return execute(t, path, fmt.Sprintf("UPDATE OR REPLACE %[2]s SET %[1]s = "+value+" "+where, c.name, c.table))
}

// execute has somebody write to the file whom nothing keeps from it, and returns how many rows
// that changed. A condition is left out where the table has no row numbers.
func execute(t *testing.T, path, statement string) (rows int64) {
	t.Helper()
	db, err := sql.Open("sqlite", path+"?_pragma=ignore_check_constraints(1)&_pragma=foreign_keys(0)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	names, err := db.Query("SELECT name FROM sqlite_schema WHERE type = 'trigger'")
	if err != nil {
		t.Fatal(err)
	}
	var triggers []string
	for names.Next() {
		var n string
		names.Scan(&n)
		triggers = append(triggers, n)
	}
	names.Close()
	for _, n := range triggers {
		if _, err := db.Exec("DROP TRIGGER " + n); err != nil {
			t.Fatal(err)
		}
	}
	res, err := db.Exec(statement)
	if err != nil && strings.Contains(err.Error(), "no such column: rowid") {
		statement, _, _ = strings.Cut(statement, "WHERE rowid")
		res, err = db.Exec(statement)
	}
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	rows, _ = res.RowsAffected()
	return rows
}
