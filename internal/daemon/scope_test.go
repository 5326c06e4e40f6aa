package daemon_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf16"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/proto/waHistorySync"
	"go.mau.fi/whatsmeow/proto/waWeb"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	"muniment/internal/daemon"
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
	rest := w.world()
	for round := range rounds {
		c := w.spawn()
		rest.lives(round)
		w.searchUntilSettled()
		rest.lives(round) // and is cut off in the middle
		w.must(c.Process.Signal(syscall.SIGKILL))
		_ = c.Wait() // killed: it cannot have ended well
		w.holdsNothing("after a kill")
	}
	c := w.spawn()
	w.must(w.server.WaitOnline(w.soon()))
	w.searchUntilSettled()
	w.must(c.Process.Signal(syscall.SIGTERM))
	w.must(c.Wait())
	w.holdsNothing("when it has stopped")

	aWeekOn := w.options()
	aWeekOn.Now = func() time.Time { return time.Now().Add(7*24*time.Hour - time.Minute) }
	w.serveFor(aWeekOn, func() {
		rest.lives(rounds)
		w.searchUntilSettled()
	})
	w.holdsNothing("after a week")
	if log := w.log.String(); tracesIn([]byte(log), elsewhere) != "" || tracesIn([]byte(log), official) != "" {
		t.Errorf("the log holds content:\n%s", log)
	}
	if len(w.tracesOf(official)) == 0 {
		t.Error("the search does not find what the official group said: it would find nothing else either")
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
	r.dee.Tells(w.phone, told("direct"))
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
	w.server.Publishes(r.channel, &waE2E.Message{Conversation: proto.String(told("channel"))})
	w.phone.SharesHistory(r.history(told))
	w.phone.SharesHistoryInline(r.history(told))
	w.phone.SharesHistory(&waHistorySync.HistorySync{
		SyncType:  waHistorySync.HistorySync_PUSH_NAME.Enum(),
		Pushnames: []*waHistorySync.Pushname{{ID: proto.String(r.dee.JID().String()), Pushname: proto.String(told("contact"))}},
	})
	w.bo.Says(fmt.Sprintf("%s, answered there %d", official, round))
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
// everything that it was received.
func (w *town) searchUntilSettled() {
	w.t.Helper()
	ctx := w.soon()
	for searched := 0; w.server.Unsettled() > 0 || searched == 0; searched++ {
		w.holdsNothing("while it runs")
		if ctx.Err() != nil {
			w.t.Fatalf("%d stanzas are not settled", w.server.Unsettled())
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
	for _, table := range w.column(db, "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'search_%'") {
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

// tracesIn returns where b holds stem, with what follows it; empty if it does not: raw, in
// UTF-16, in base64 at each of three offsets, in hex.
func tracesIn(b []byte, stem string) string {
	var wide []byte
	for _, u := range utf16.Encode([]rune(stem)) {
		wide = append(wide, byte(u), byte(u>>8))
	}
	forms := [][]byte{[]byte(stem), wide, wide[:len(wide)-1], wide[1:], // whichever byte of a character comes first
		[]byte(hex.EncodeToString([]byte(stem))), []byte(strings.ToUpper(hex.EncodeToString([]byte(stem))))}
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
