package daemon_test

import (
	"bytes"
	"compress/zlib"
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf16"

	"go.mau.fi/whatsmeow/appstate"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/proto/waHistorySync"
	"go.mau.fi/whatsmeow/proto/waVnameCert"
	"go.mau.fi/whatsmeow/proto/waWeb"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	"muniment/internal/archive"
	"muniment/internal/daemon"
	"muniment/internal/sqlite"
	"muniment/internal/standin"
)

// Every canary begins with a stem, which nothing else does: those of what is none of the
// archive's business, and those of the official group, which show that the search finds.
const (
	elsewhere = "Kestrel8q"
	official  = "Bittern5w"
)

// Invariant 3: of chats that are not listed no content, name or setting is in any file, in
// the clear, at any moment: while the daemon works, when it is killed in mid-work, after a
// restart, after a week, and when it has stopped.
func TestNothingOfOtherChatsIsOnTheDisk(t *testing.T) {
	rounds := 4
	if testing.Short() {
		rounds = 1
	}
	w := found(t)
	w.showLogOfFailure()
	w.must(os.Mkdir(w.path("tmp"), 0o700))
	w.environment = append(w.environment, "TMPDIR="+w.path("tmp"))
	rest := w.world()
	for round := range rounds {
		c := w.spawn()
		rest.lives(round)
		w.searchUntilSettled(c.Process.Pid)
		rest.lives(round) // and is cut off in the middle
		time.Sleep(time.Duration(rand.IntN(60)) * time.Millisecond)
		w.must(c.Process.Signal(syscall.SIGKILL))
		_ = c.Wait() // killed: it cannot have ended well
		w.holdsNothing("after a kill")
	}
	c := w.spawn()
	w.must(w.server.WaitOnline(w.soon()))
	w.searchUntilSettled(c.Process.Pid)
	w.must(c.Process.Signal(syscall.SIGTERM))
	w.must(c.Wait())
	w.holdsNothing("when it has stopped")

	aWeekOn := w.options()
	aWeekOn.Now = func() time.Time { return time.Now().Add(7*24*time.Hour - time.Minute) }
	w.serveFor(aWeekOn, func() {
		rest.lives(rounds)
		w.searchUntilSettled(0)
	})
	w.archive(func(db *sqlite.DB) error { // as a search does: the index follows a minute behind
		return db.Write(t.Context(), func(tx *sqlite.Tx) error {
			_, err := archive.Index(tx, 1000)
			return err
		})
	})
	w.holdsNothing("after a week")
	w.knowsNobody()
	spawned, err := os.ReadFile(w.path("log"))
	w.must(err)
	for _, log := range []string{w.log.String(), string(spawned)} {
		if tracesIn([]byte(log), elsewhere) != "" || tracesIn([]byte(log), official) != "" {
			t.Errorf("the log holds content:\n%s", log)
		}
	}
	// What the search does not find of the official group, it would not find of others.
	traces := strings.Join(w.tracesOf(official), "\n")
	for _, where := range []string{"archive.db holds", "archive.db: record.", "archive.db: the index record_search"} {
		if !strings.Contains(traces, where) {
			t.Errorf("what the official group said is not found where it is, %q, but:\n%s", where, traces)
		}
	}
	w.onlyReceives()
}

// serveFor runs the daemon in this process while f does its work.
func (w *town) serveFor(o daemon.Options, f func()) {
	w.t.Helper()
	ctx, stop := context.WithCancel(w.t.Context())
	d, err := daemon.Open(ctx, o)
	w.must(err)
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	w.must(w.server.WaitOnline(w.soon()))
	f()
	stop()
	w.must(errors.Join(<-done, d.Close()))
}

// theRest is what the council's account has on WhatsApp besides the official group.
type theRest struct {
	w       *town
	dee     *standin.Member // in no group that is listed
	ringers *standin.Group
	channel types.JID
}

func (w *town) world() theRest {
	dee := w.server.Member(canary("push name"), "+447700900150")
	w.phone.Names(dee, canary("contact, before the link was used"))
	return theRest{
		w: w, dee: dee, ringers: w.server.Group(canary("subject"), w.phone, w.ann, dee),
		channel: types.NewJID("120363000000000777", types.NewsletterServer),
	}
}

// canary is content that must not be found, of what kind.
func canary(of string) string { return elsewhere + " " + of }

// lives has something of every kind happen everywhere, in the official group too.
func (r theRest) lives(round int) {
	w, photo := r.w, photo(40)
	told := func(of string) string { return canary(fmt.Sprintf("%s %d", of, round)) }
	said := &waE2E.Message{Conversation: proto.String(told("status"))}

	w.ann.Says(fmt.Sprintf("%s, said in the official group %d", official, round))
	direct := r.dee.Tells(w.phone, told("direct"))
	r.dee.SendsTo(w.phone, &waE2E.Message{ReactionMessage: &waE2E.ReactionMessage{Key: direct.Key(r.dee), Text: proto.String(told("direct reaction"))}})
	r.dee.SendsTo(w.phone, document(told("direct file")+".pdf", told("direct caption")))
	r.dee.Altered(certified(told("business"))).Tells(w.phone, told("direct, of a business"))
	r.dee.CallsUp(w.phone).Ends()
	w.phone.Tells(r.dee, told("direct reply"))
	r.dee.Garbled().Tells(w.phone, told("direct, resent"))
	r.dee.Garbled().Unhearing().Tells(w.phone, told("direct, undecryptable"))
	first := r.dee.In(r.ringers).Says(told("group"))
	r.dee.In(r.ringers).Called(told("new push name")).Replies(first, told("reply"))
	w.ann.In(r.ringers).Reacts(first, "📌")
	r.dee.In(r.ringers).Edits(first, told("edit"))
	r.dee.In(r.ringers).SendsImage(photo, told("caption"))
	r.dee.In(r.ringers).SendsDocument(told("name of a file")+".pdf", "application/pdf", []byte(told("in a file")), "")
	w.ann.In(r.ringers).Votes(r.dee.In(r.ringers).Polls(told("poll"), told("option"), "no"), "no")
	r.dee.In(r.ringers).Garbled().Unhearing().Says(told("group, undecryptable"))
	w.phone.In(r.ringers).Retitles(told("subject"))
	w.phone.In(r.ringers).Describes(told("description"))
	r.dee.In(r.ringers).Calls(true).Ends()
	r.dee.PostsStatus(said)
	r.dee.PostsStatus(document(told("status file")+".pdf", told("status caption")))
	r.dee.Notifies("status", waBinary.Node{Tag: "set", Content: []byte(told("about"))})
	r.dee.Notifies("privacy_token", waBinary.Node{Tag: "tokens", Content: []waBinary.Node{{
		Tag: "token", Attrs: waBinary.Attrs{"type": "trusted_contact", "t": time.Now().Unix()}, Content: []byte(told("token")),
	}}})
	w.phone.Names(r.dee, told("contact"))
	w.phone.ChangesAppState(appstate.BuildLabelEdit("1", told("label"), 1, false))
	w.phone.ChangesAppState(appstate.BuildMute(r.ringers.JID(), true, 0))
	w.server.Publishes(r.channel, &waE2E.Message{Conversation: proto.String(told("channel"))})
	w.phone.SharesHistory(r.history(told))
	w.phone.SharesHistoryInline(r.history(func(of string) string { return told("inline " + of) }))
	w.phone.SharesHistory(&waHistorySync.HistorySync{
		SyncType:  waHistorySync.HistorySync_PUSH_NAME.Enum(),
		Pushnames: []*waHistorySync.Pushname{{ID: proto.String(r.dee.JID().String()), Pushname: proto.String(told("contact"))}},
	})
	w.bo.Says(fmt.Sprintf("%s, answered there %d", official, round))
}

// document is a file, as somebody sends one.
func document(name, caption string) *waE2E.Message {
	return &waE2E.Message{DocumentMessage: &waE2E.DocumentMessage{
		FileName: &name, Caption: &caption, Title: &name, Mimetype: proto.String("application/pdf"), FileLength: proto.Uint64(5),
		DirectPath: proto.String("/v/t62?nothing"), MediaKey: make([]byte, 32), FileSHA256: make([]byte, 32), FileEncSHA256: make([]byte, 32),
	}}
}

// certified adds to a stanza what WhatsApp says of a business that has sent it.
func certified(name string) func(*waBinary.Node) {
	details, err := proto.Marshal(&waVnameCert.VerifiedNameCertificate_Details{VerifiedName: &name})
	certificate, err2 := proto.Marshal(&waVnameCert.VerifiedNameCertificate{Details: details})
	if err := errors.Join(err, err2); err != nil {
		panic(err)
	}
	return func(stanza *waBinary.Node) {
		stanza.Content = append(stanza.GetChildren(), waBinary.Node{Tag: "verified_name", Attrs: waBinary.Attrs{"v": 1}, Content: certificate})
	}
}

// history is a piece of history, of other chats for the most part.
func (r theRest) history(told func(string) string) *waHistorySync.HistorySync {
	chat := func(jid types.JID, name string, texts ...string) *waHistorySync.Conversation {
		c := &waHistorySync.Conversation{ID: proto.String(jid.String()), Name: proto.String(name)}
		for i, text := range texts {
			c.Messages = append(c.Messages, &waHistorySync.HistorySyncMsg{Message: &waWeb.WebMessageInfo{
				Key:              r.w.ann.Says(fmt.Sprintf("%s, of which the phone has %d more", official, i)).Key(r.w.phone),
				Message:          &waE2E.Message{Conversation: proto.String(text)},
				PushName:         proto.String(told("name in history")),
				MessageTimestamp: proto.Uint64(uint64(time.Now().Unix())),
			}})
		}
		return c
	}
	return &waHistorySync.HistorySync{
		SyncType: waHistorySync.HistorySync_RECENT.Enum(),
		Conversations: []*waHistorySync.Conversation{
			chat(r.dee.JID(), told("name of a chat"), told("history, direct"), told("history, direct again")),
			chat(r.ringers.JID(), told("name of a group"), told("history, group")),
			chat(types.StatusBroadcastJID, "", told("history, status")),
		},
		StatusV3Messages: []*waWeb.WebMessageInfo{{
			Key: r.w.ann.Says(official + ", once more").Key(r.w.phone), Message: &waE2E.Message{Conversation: proto.String(told("status in history"))},
		}},
	}
}

// searchUntilSettled searches the files again and again until WhatsApp has been told of
// everything that it was received; those too that a process has open and that have no name.
func (w *town) searchUntilSettled(pid int) {
	w.t.Helper()
	ctx := w.soon()
	for searched := 0; w.server.Unsettled() > 0 || searched == 0; searched++ {
		w.holdsNothing("while it runs")
		for _, path := range unnamed(pid) {
			if b, err := os.ReadFile(path); err == nil && tracesIn(b, elsewhere) != "" {
				w.t.Errorf("while it runs: an unnamed file holds %q", tracesIn(b, elsewhere))
			}
		}
		if ctx.Err() != nil {
			w.t.Fatalf("%d stanzas are not settled", w.server.Unsettled())
		}
	}
}

// unnamed returns ways to the files that a process has open and that have no name.
func unnamed(pid int) (paths []string) {
	all, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil {
		panic(err)
	}
	for _, path := range all {
		if to, err := os.Readlink(path); err == nil && strings.HasPrefix(to, "/") && strings.HasSuffix(to, " (deleted)") {
			paths = append(paths, path)
		}
	}
	return paths
}

// knowsNobody checks that the session remembers nothing of people and chats but what
// Signal needs.
func (w *town) knowsNobody() {
	w.t.Helper()
	db, err := sql.Open("sqlite", "file:"+w.path("state/session.db")+"?mode=ro")
	w.must(err)
	defer db.Close()
	for _, table := range []string{"contacts", "chat_settings", "privacy_tokens", "nct_salt", "message_secrets"} {
		if rows := w.column(db, "SELECT rowid FROM whatsmeow_"+table); len(rows) > 0 {
			w.t.Errorf("%d rows of %s", len(rows), table)
		}
	}
}

// holdsNothing checks that no file holds anything of what is not the group's.
func (w *town) holdsNothing(when string) {
	w.t.Helper()
	for _, found := range w.tracesOf(elsewhere) {
		w.t.Errorf("%s: %s", when, found)
	}
}

// tracesOf looks for stem in every file of the town but the post's, and in every value of
// every database: a word that is split between two pages is in one piece there.
func (w *town) tracesOf(stem string) (all []string) {
	w.t.Helper()
	err := filepath.WalkDir(w.dir, func(path string, e fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil // gone meanwhile
		case err != nil:
			return err
		case e.IsDir() && e.Name() == "mailbox":
			return filepath.SkipDir
		case e.IsDir():
			return nil
		}
		if t := tracesIn([]byte(filepath.Base(path)), stem); t != "" {
			all = append(all, fmt.Sprintf("a file is called %q", t))
		}
		b, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if t := tracesIn(b, stem); t != "" {
			all = append(all, fmt.Sprintf("%s holds %q", e.Name(), t))
		}
		if strings.HasSuffix(path, ".db") {
			all = append(all, w.valuesWith(path, stem)...)
		}
		return err
	})
	w.must(err)
	return all
}

// valuesWith looks for stem in every value of a database.
func (w *town) valuesWith(path, stem string) (all []string) {
	w.t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro&_pragma=busy_timeout(10000)")
	w.must(err)
	defer db.Close()
	// An index holds words in parts.
	for _, index := range w.column(db, "SELECT name FROM sqlite_schema WHERE sql LIKE '%USING fts5%'") {
		if found := w.column(db, fmt.Sprintf("SELECT rowid FROM %[1]q WHERE %[1]q MATCH '%[2]s'", index, stem)); len(found) > 0 {
			all = append(all, fmt.Sprintf("%s: the index %s holds %q", filepath.Base(path), index, stem))
		}
	}
	for _, table := range w.column(db, "SELECT name FROM sqlite_schema WHERE type = 'table'") {
		rows, err := db.Query(fmt.Sprintf("SELECT * FROM %q", table))
		w.must(err)
		columns, err := rows.Columns()
		w.must(err)
		values := make([]sql.RawBytes, len(columns))
		into := make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		for rows.Next() {
			w.must(rows.Scan(into...))
			for i, v := range values {
				if t := tracesIn(v, stem); t != "" {
					all = append(all, fmt.Sprintf("%s: %s.%s holds %q", filepath.Base(path), table, columns[i], t))
				}
			}
		}
		w.must(errors.Join(rows.Err(), rows.Close()))
	}
	return all
}

func (w *town) column(db *sql.DB, query string) (all []string) {
	w.t.Helper()
	rows, err := db.Query(query)
	w.must(err)
	defer rows.Close()
	for rows.Next() {
		var s string
		w.must(rows.Scan(&s))
		all = append(all, s)
	}
	w.must(rows.Err())
	return all
}

// tracesIn returns where b holds stem, with what follows it; empty if it does not: raw and in
// UTF-16, in large letters or small, in base64 at each of three offsets, in hex, or any of
// that deflated, as history is.
func tracesIn(b []byte, stem string) string {
	if t := formsIn(b, stem); t != "" {
		return t
	}
	for i := 0; i+1 < len(b); i++ {
		if b[i] != 0x78 || b[i+1] != 0x01 && b[i+1] != 0x5e && b[i+1] != 0x9c && b[i+1] != 0xda {
			continue
		}
		if z, err := zlib.NewReader(bytes.NewReader(b[i:])); err == nil {
			inflated, _ := io.ReadAll(io.LimitReader(z, 1<<16)) // as far as it goes
			if t := formsIn(inflated, stem); t != "" {
				return t
			}
		}
	}
	return ""
}

func formsIn(b []byte, stem string) string {
	small := strings.ToLower(stem)
	var wide []byte
	for _, u := range utf16.Encode([]rune(small)) {
		wide = append(wide, byte(u), byte(u>>8))
	}
	lower := slices.Clone(b) // letters of ASCII only: b need not be text
	for i, c := range lower {
		if 'A' <= c && c <= 'Z' {
			lower[i] = c + 'a' - 'A'
		}
	}
	for _, form := range [][]byte{[]byte(small), wide[:len(wide)-1]} { // the last byte may be the first of the next character
		if at := bytes.Index(lower, form); at >= 0 {
			return string(b[at:min(len(b), at+len(form)+30)])
		}
	}
	forms := [][]byte{[]byte(hex.EncodeToString([]byte(stem))), []byte(strings.ToUpper(hex.EncodeToString([]byte(stem))))}
	for i := range 3 {
		padded := append(bytes.Repeat([]byte{0}, i), stem...)
		for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
			enc := encoding.EncodeToString(padded)
			forms = append(forms, []byte(enc[(i*8+5)/6:len(padded)*8/6])) // what depends on stem alone
		}
	}
	for _, form := range forms {
		if at := bytes.Index(b, form); at >= 0 {
			return string(b[at:min(len(b), at+len(form)+30)])
		}
	}
	return ""
}

// What hides from the search hides from the tests that rely on it.
func TestTracesAreFound(t *testing.T) {
	stem := "Kestrel8q"
	wide := func(order binary.AppendByteOrder) (b []byte) {
		for _, u := range utf16.Encode([]rune("of " + stem + " and")) {
			b = order.AppendUint16(b, u)
		}
		return b
	}
	var deflated bytes.Buffer
	z := zlib.NewWriter(&deflated)
	fmt.Fprintf(z, "%s of %s and more", strings.Repeat("x", 5000), stem)
	z.Close()
	forms := map[string][]byte{
		"raw": []byte("of " + stem), "small": []byte("of kestrel8q"), "large": []byte("KESTREL8Q"),
		"UTF-16, little end first": wide(binary.LittleEndian), "UTF-16, big end first": wide(binary.BigEndian),
		"hex": []byte(hex.EncodeToString([]byte("of " + stem))), "deflated": append([]byte("before x\x9c it "), deflated.Bytes()...),
	}
	for i := range 3 {
		text := strings.Repeat("of ", 2)[:3+i] + stem + " and more"
		forms[fmt.Sprintf("base64 from %d on", i)] = []byte(base64.StdEncoding.EncodeToString([]byte(text)))
		forms[fmt.Sprintf("base64 for addresses from %d on", i)] = []byte(base64.RawURLEncoding.EncodeToString([]byte(text)))
	}
	for name, b := range forms {
		if tracesIn(b, stem) == "" {
			t.Errorf("%s: not found", name)
		}
		if found := tracesIn(b, "Kestrel9q"); found != "" {
			t.Errorf("%s: found %q, which is something else", name, found)
		}
	}
}
