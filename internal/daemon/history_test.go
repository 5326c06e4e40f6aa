package daemon_test

import (
	"bytes"
	"compress/zlib"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/proto/waHistorySync"
	"go.mau.fi/whatsmeow/proto/waWeb"
	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/proto"

	"muniment/internal/archive"
	"muniment/internal/history"
	"muniment/internal/journal"
	"muniment/internal/record"
	"muniment/internal/sqlite"
	"muniment/internal/standin"
	"muniment/internal/vault"
)

// pieces returns what the phone has offered, the first first.
func (w *town) pieces() (all []history.Piece) {
	w.t.Helper()
	w.read(func(tx *sqlite.Tx) (err error) {
		all, err = history.Pieces(tx)
		return err
	})
	return all
}

// taken waits until so many pieces of history are done, or lost, and returns all.
func (w *town) taken(n int) []history.Piece {
	w.t.Helper()
	w.eventually(fmt.Sprintf("%d pieces of history", n), func(tx *sqlite.Tx) (bool, error) {
		all, err := history.Pieces(tx)
		over := 0
		for _, p := range all {
			if !p.Finished.IsZero() {
				over++
			}
		}
		return over == n, err
	})
	return w.pieces()
}

// What history cannot have: of each person only the last reaction, vote and response to a
// message; what sealed them; of what was deleted that it was; of what was to be viewed once
// not even that.
func historyLacks(s seen) bool {
	for _, name := range []string{
		"reaction", "reaction changed", "reaction taken back", "sealed reaction", "sealed reaction changed",
		"vote", "vote changed", "response", "response with guests",
		"deleted", "deletion", "deleted by an admin", "deletion by an admin", "deleted photo", "deletion of a photo",
		"photo to view once", "voice message to view once", "disappearing photo to view once",
		"edited in a wrapper", "edit in a wrapper", "sealed edit in a wrapper", "deletion in a wrapper",
	} {
		if s.Message == name {
			return true
		}
	}
	return false
}

// The same messages give the same records, delivered and by history, by LID and by number,
// and whoever sent them; and they are the same when they are read again.
func TestTheCorpusByHistory(t *testing.T) {
	if testing.Short() {
		t.Skip("reads the whole corpus again and again")
	}
	w := found(t)
	live := &way{name: "live"}
	ways := []*way{
		{name: "by history"}, {name: "by history, by number", byNumber: true}, {name: "by history, of the council itself", office: true},
		{name: "now by LID, now by number", changes: true},
	}
	for _, y := range append(ways, live) {
		y.found(w)
	}
	missed := standin.Voice.Missed
	for _, y := range ways {
		y.ann, y.bo = missed, missed
		y.sendEverything(w)
	}
	stop := w.run()
	live.sendEverything(w)
	w.must(w.server.WaitSettled(w.soon()))
	notices := w.phone.OffersHistory(3)
	all := w.taken(len(notices))
	w.waitKept()
	stop()

	known := 0
	for _, p := range all {
		t.Logf("piece %d: %+v", p.Number, p.Count)
		if known += p.Known; p.State != history.Done || p.New == 0 {
			t.Errorf("piece %d: %s (%s), %+v", p.Number, p.State, p.Reason, p.Count)
		}
		if p.File.Path != "" || len(p.File.Key) > 0 {
			t.Errorf("piece %d is done, and where it was is still known", p.Number)
		}
	}
	if known == 0 {
		t.Error("nothing of the group that was delivered was known")
	}
	want := live.seen(w)
	for _, y := range ways {
		if diff := cmp.Diff(comparable(want), comparable(y.seen(w))); diff != "" {
			t.Errorf("%s: not as live:\n%s", y.name, diff)
		}
	}
	w.readsAgain()
	w.accounted()
	w.verifies()
	w.onlyReceives()
}

// comparable leaves out what history cannot have.
func comparable(all []seen) (some []seen) {
	for _, s := range all {
		if historyLacks(s) {
			continue
		}
		for _, name := range []*string{&s.DeletedBy, &s.EditedBy, &s.Amends, &s.ReplyTo} {
			if historyLacks(seen{Message: *name}) {
				*name = ""
			}
		}
		if s.Kind == string(record.Reaction) || s.Kind == string(record.Vote) || s.Kind == string(record.Response) {
			s.Effective = false // of several
		}
		some = append(some, s)
	}
	return some
}

// gone reports whether the piece of history that the phone gives notice of by m was deleted
// at WhatsApp.
func (w *town) gone(m *standin.Message) bool { return !w.server.Holds(m.Upload()) }

// sent counts what of a kind was sent to WhatsApp.
func (w *town) sent(is func(standin.Entry) bool) (n int) {
	for _, e := range w.server.Journal() {
		if is(e) {
			n++
		}
	}
	return n
}

// historySettled counts how often the phone was told that a piece was taken in.
func (w *town) historySettled(m *standin.Message) int {
	return w.sent(func(e standin.Entry) bool { return e.Kind == "history receipt" && e.Node.Attrs["id"] == m.ID() })
}

// After linking, the phone offers what it has: what was sent since the record began is
// captured, and what somebody marked then is owed. Nothing from before that, nothing past
// its period and nothing of the future is taken, and nothing of other chats.
func TestHistoryAfterLinking(t *testing.T) {
	w := found(t)
	now := time.Now().Truncate(time.Second)
	missed := func(m *standin.Member, at time.Time) standin.Voice { return m.Missed().At(at) }
	given := time.Date(2026, 9, 1, 0, 0, 0, 0, time.FixedZone("BST", 3600))
	early := missed(w.ann, given.Add(-time.Second)).Says("Before anybody was told of the record.")
	first := missed(w.ann, given).Says("The first of the record.")
	missed(w.ann, now.AddDate(-7, 0, 0)).Says("Long ago.")
	missed(w.ann, now.AddDate(0, 0, 3)).Says("In three days.")
	handrail := missed(w.stranger, now.Add(-40*time.Hour)).Says("The handrail has come away.")
	missed(w.bo, now.Add(-39*time.Hour)).Reacts(handrail, "📌")
	missed(w.stranger, now.Add(-38*time.Hour)).Reacts(handrail, "📌") // who is on no register
	secret := missed(w.bo, now.Add(-37*time.Hour)).Says("Said in haste.")
	missed(w.bo, now.Add(-37*time.Hour)).Deletes(secret)
	photograph := missed(w.ann, now.Add(-36*time.Hour)).SendsImage(photo(20), "The weir")
	ringers := w.server.Group("Bell ringers", w.phone, w.ann)
	w.ann.In(ringers).Missed().Says("Practice is on Thursday.")
	live := w.ann.Says("And this is delivered.")

	notices := w.phone.OffersHistory(2)
	notices = append(notices, w.phone.SharesHistory(&waHistorySync.HistorySync{
		SyncType:  waHistorySync.HistorySync_PUSH_NAME.Enum(),
		Pushnames: []*waHistorySync.Pushname{{ID: proto.String(w.ann.JID().String()), Pushname: proto.String("Ann")}},
	}))
	stop := w.run()
	w.must(w.server.WaitSettled(w.soon()))
	all := w.taken(3)
	email := w.emailed(1)[0]
	w.media(photograph, func(f vault.Media) bool { return f.State == vault.Kept })
	stop()

	var c history.Count
	for i, p := range all {
		c = history.Count{New: c.New + p.New, Known: c.Known + p.Known, Early: c.Early + p.Early, Due: c.Due + p.Due, Unread: c.Unread + p.Unread}
		if p.State != history.Done || w.historySettled(notices[i]) != 1 || !w.gone(notices[i]) {
			t.Errorf("piece %d: %+v; settled %d times, deleted at WhatsApp: %t", p.Number, p, w.historySettled(notices[i]), w.gone(notices[i]))
		}
	}
	if want := (history.Count{New: 5, Known: 1, Early: 1, Due: 1, Unread: 2}); c != want {
		t.Errorf("counted %+v, not %+v", c, want)
	}
	for _, e := range w.server.Journal() {
		if path, _, _ := strings.Cut(notices[2].Upload().DirectPath, "?"); strings.HasSuffix(e.Media, path) && strings.HasPrefix(e.Media, "GET") {
			t.Error("the names of contacts were fetched")
		}
	}
	for _, m := range []*standin.Message{first, handrail, photograph, live} {
		if r := w.the(m); r.Supplied == (m == live) || r.Text != m.Text() || !r.Sent.Equal(m.Time().Truncate(time.Second)) {
			t.Errorf("%+v", r)
		}
	}
	if records := w.records(); len(records[early.ID()]) != 0 || len(records[secret.ID()]) != 0 {
		t.Errorf("captured, and should not be: %v, %v", records[early.ID()], records[secret.ID()])
	}
	if gaps := w.missing(); len(gaps) != 1 || gaps[0].Kind != archive.NotReceived || gaps[0].Asking || !gaps[0].Closed.IsZero() {
		t.Errorf("what was deleted: %+v", gaps)
	}
	if !bytes.Contains(email, []byte("The handrail has come away.")) || bytes.Contains(email, []byte("Zed")) && bytes.Contains(email, []byte("marked by Zed")) {
		t.Errorf("the email:\n%s", email)
	}
	if _, err := os.Stat(w.path("state/history.part")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the piece is still in the state directory: %v", err)
	}
	w.journaledHistory(journal.HistoryRead, 2)
	w.accounted()
	w.verifies()
	w.onlyReceives()
	w.logTellsNothing()
}

// journaledHistory checks how often an act is in the journal, and returns the last entry.
func (w *town) journaledHistory(act journal.Act, want int) (last journal.Entry) {
	w.t.Helper()
	n := 0
	w.read(func(tx *sqlite.Tx) error {
		return journal.Of(tx, act, func(e journal.Entry, _ int64) error {
			n++
			last = e
			return nil
		})
	})
	if n != want {
		w.t.Errorf("%d times %q in the journal, not %d", n, act, want)
	}
	return last
}

// some is a piece of history of the official group, of messages that were never delivered.
func (w *town) some(kind waHistorySync.HistorySync_HistorySyncType, n int, from time.Time) (*waHistorySync.HistorySync, []string) {
	c := &waHistorySync.Conversation{ID: proto.String(w.official.JID().String())}
	var ids []string
	for i := range n {
		ids = append(ids, fmt.Sprintf("3EB0%08X%06d", from.Unix(), i))
		c.Messages = append(c.Messages, &waHistorySync.HistorySyncMsg{Message: &waWeb.WebMessageInfo{
			Key: &waCommon.MessageKey{
				RemoteJID: c.ID, ID: proto.String(ids[i]), FromMe: proto.Bool(false), Participant: proto.String(w.ann.LID().String()),
			},
			Message:          &waE2E.Message{Conversation: proto.String(fmt.Sprintf("Message %d of the piece, about the handrail.", i))},
			MessageTimestamp: proto.Uint64(uint64(from.Add(-time.Duration(i) * time.Second).Unix())), PushName: proto.String("Ann"),
		}})
	}
	return &waHistorySync.HistorySync{SyncType: kind.Enum(), ChunkOrder: proto.Uint32(1), Conversations: []*waHistorySync.Conversation{c}}, ids
}

// once checks that each of the messages is in the archive, and none twice.
func (w *town) once(ids []string) {
	w.t.Helper()
	records := w.records()
	for _, id := range ids {
		if n := len(records[id]); n != 1 {
			w.t.Fatalf("message %s is in the archive %d times", id, n)
		}
	}
}

// Killed at any moment, in mid-piece and between capture and receipt: in the end all is
// there, nothing twice, and the account is right.
func TestKilledWhileItReadsHistory(t *testing.T) {
	breaksConnections(t)
	w := found(t)
	w.showLogOfFailure()
	h, ids := w.some(waHistorySync.HistorySync_RECENT, 6000, time.Now().Add(-time.Hour))
	notice := w.phone.SharesHistory(h)
	kills, amid, taken := 0, 0, 0
	for ; kills < 6; kills++ {
		c := w.spawn()
		for deadline := w.soon(); ; time.Sleep(5 * time.Millisecond) { // another process reads it: there is nothing to wait on
			if all := w.pieces(); len(all) == 1 && (all[0].New > taken || !all[0].Finished.IsZero()) {
				break
			}
			w.must(deadline.Err())
		}
		time.Sleep(time.Duration(rand.IntN(100)) * time.Millisecond)
		w.must(c.Process.Signal(syscall.SIGKILL))
		_ = c.Wait() // killed: it cannot have ended well
		all := w.pieces()
		if !all[0].Finished.IsZero() {
			break
		}
		if taken = all[0].New; all[0].State == history.Offered {
			amid++
		}
	}
	if t.Logf("killed %d times, %d of them in mid-piece", kills, amid); amid == 0 {
		t.Error("never in mid-piece: the test shows nothing")
	}
	// As if it had been killed after the last capture.
	w.archive(func(db *sqlite.DB) error {
		return db.Write(t.Context(), func(tx *sqlite.Tx) error {
			_, err := tx.Exec("UPDATE history SET state = 'read', finished_at = NULL WHERE state = 'done'")
			return err
		})
	})
	w.must(os.WriteFile(w.path("state/history.part"), []byte("left over"), 0o600))
	c := w.spawn()
	all := w.taken(1)
	w.must(c.Process.Signal(syscall.SIGTERM))
	w.must(c.Wait())
	w.once(ids)
	if p := all[0]; p.State != history.Done || p.Count != (history.Count{New: len(ids)}) || w.historySettled(notice) == 0 {
		t.Errorf("%+v; settled %d times", p, w.historySettled(notice))
	}
	if _, err := os.Stat(w.path("state/history.part")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the piece is still in the state directory: %v", err)
	}
	w.verifies()
	w.onlyReceives()
}

// The notice comes again, the same piece under another notice, and a piece that came with
// its notice: nothing is doubled, and of other chats nothing is kept of the latter.
func TestHistoryThatComesTwice(t *testing.T) {
	if testing.Short() {
		t.Skip("does much, and nothing that others of a short run do not")
	}
	w := found(t)
	h, ids := w.some(waHistorySync.HistorySync_INITIAL_BOOTSTRAP, 250, time.Now().Add(-time.Hour))
	first := w.phone.SharesHistory(h)
	w.phone.SharesHistory(h)
	w.phone.SharesHistoryInline(h)
	stop := w.run()
	w.taken(3)
	first.Anew()
	first.Again()
	w.must(w.server.WaitSettled(w.soon()))
	stop()
	w.once(ids)
	all := w.pieces()
	if len(all) != 3 || w.historySettled(first) != 1 {
		t.Errorf("%+v; settled %d times", all, w.historySettled(first))
	}
	fresh := 0
	for _, p := range all { // that with its notice beside the others
		if fresh += p.New; p.Seen() != 250 || p.Known+p.New != 250 || p.State != history.Done {
			t.Errorf("%+v", p)
		}
	}
	if fresh != 250 {
		t.Errorf("%d were new", fresh)
	}
	w.accounted()
	w.verifies()
	w.onlyReceives()
}

// What is no history, or is not what its notice announces, is given up, and holds nothing
// up.
func TestHistoryThatCannotBeRead(t *testing.T) {
	w := found(t)
	h, ids := w.some(waHistorySync.HistorySync_RECENT, 5, time.Now().Add(-time.Hour))
	kind := waHistorySync.HistorySync_RECENT
	w.phone.SharesAsHistory(kind, []byte("not deflated"))
	w.phone.SharesAsHistory(kind, []byte{0x78, 0x9c, 0x03, 0x00}) // breaks off
	w.phone.SharesHistory(h)
	stop := w.run()
	all := w.taken(3)
	stop()
	for _, p := range all[:2] {
		if p.State != history.Lost || p.Reason != "it is not in a form that this version can read" {
			t.Errorf("%+v", p)
		}
	}
	w.once(ids)
	w.journaledHistory(journal.HistoryLost, 2)
	w.accounted()
	w.verifies()
	w.onlyReceives()
}

// A piece of which the end cannot be read is not given up before what could be read of it is
// captured, though that fails at first.
func TestHistoryThatBreaksOffIsCaptured(t *testing.T) {
	breaksConnections(t)
	w := found(t)
	fails := func(statement string) {
		w.archive(func(db *sqlite.DB) error {
			return db.Write(t.Context(), func(tx *sqlite.Tx) error {
				_, err := tx.Exec(statement)
				return err
			})
		})
	}
	fails("CREATE TRIGGER broken BEFORE INSERT ON record WHEN NEW.kind = 'message' BEGIN SELECT RAISE(ABORT, 'database is locked'); END")
	h, ids := w.some(waHistorySync.HistorySync_RECENT, 5, time.Now().Add(-time.Hour))
	whole, err := proto.Marshal(h)
	w.must(err)
	var piece bytes.Buffer
	z := zlib.NewWriter(&piece)
	_, err = z.Write(append(whole, 0)) // which begins no field
	w.must(errors.Join(err, z.Close()))
	w.phone.SharesAsHistory(waHistorySync.HistorySync_RECENT, piece.Bytes())
	stop := w.run()
	w.eventually("an attempt", func(tx *sqlite.Tx) (bool, error) {
		all, err := history.Pieces(tx)
		return err == nil && len(all) == 1 && (all[0].Attempts == 1 || !all[0].Finished.IsZero()), err
	})
	fails("DROP TRIGGER broken")
	w.server.Drop()
	if all := w.taken(1); all[0].State != history.Lost {
		t.Errorf("%+v", all)
	}
	stop()
	w.once(ids)
}

// WhatsApp no longer has a piece: the phone is asked for it once, and uploads it again; or
// it does not, and the piece is lost a day later.
func TestHistoryThatHasExpired(t *testing.T) {
	w := found(t)
	h, ids := w.some(waHistorySync.HistorySync_RECENT, 5, time.Now().Add(-time.Hour))
	supplied := w.phone.SharesHistory(h)
	w.server.Expire(supplied.Upload())
	d := w.watch(new(atomic.Int64))
	all := w.taken(2)
	if all[0].State != history.Done || all[0].New != 0 || all[1].New != 5 {
		t.Errorf("%+v", all)
	}
	w.once(ids)

	w.server.SetSupplies(standin.SuppliesNothing)
	h, ids = w.some(waHistorySync.HistorySync_RECENT, 5, time.Now().Add(-2*time.Hour))
	silent := w.phone.SharesHistory(h)
	w.server.Spoil(silent.Upload()) // which is as good as gone
	asks := func(e standin.Entry) bool { return e.Kind == "media retry" && e.Node.Attrs["id"] == silent.ID() }
	w.must(w.server.WaitJournal(w.soon(), asks))
	w.eventually("that the phone was asked", func(tx *sqlite.Tx) (bool, error) { // the server knows it sooner; stopped now, the daemon would ask again
		all, err := history.Pieces(tx)
		return err == nil && len(all) == 3 && !all[2].AskedAt.IsZero(), err
	})
	d.stop()
	d.ahead.Add(int64(25 * time.Hour))
	d = w.watch(d.ahead)
	all = w.taken(3)
	d.stop()
	if p := all[2]; p.State != history.Lost || p.Reason != "WhatsApp no longer has it, and the council's phone did not upload it again" || w.sent(asks) != 1 {
		t.Errorf("%+v; asked %d times", p, w.sent(asks))
	}
	if records := w.records(); len(records[ids[0]]) != 0 {
		t.Errorf("captured: %+v", records[ids[0]])
	}
	w.journaledHistory(journal.HistoryLost, 1)
	w.verifies()
	w.onlyReceives()
}

// The connection breaks just when a piece turns out to be gone: the phone is asked for it
// when there is another.
func TestHistoryThatHasExpiredDuringAnOutage(t *testing.T) {
	breaksConnections(t)
	w := found(t)
	release := w.server.HoldMedia()
	h, ids := w.some(waHistorySync.HistorySync_RECENT, 5, time.Now().Add(-time.Hour))
	piece := w.phone.SharesHistory(h)
	w.server.Expire(piece.Upload())
	d := w.watch(new(atomic.Int64))
	w.must(w.server.WaitJournal(w.soon(), func(e standin.Entry) bool { return strings.HasPrefix(e.Media, "GET ") }))
	w.server.Refuse(503)
	w.server.Drop()
	w.eventually("the outage", func(tx *sqlite.Tx) (bool, error) {
		gaps, err := archive.Gaps(tx)
		return len(gaps) > 0 && gaps[0].Kind == archive.NotConnected && gaps[0].Closed.IsZero(), err
	})
	release()
	w.eventually("an attempt", func(tx *sqlite.Tx) (bool, error) {
		all, err := history.Pieces(tx)
		return err == nil && all[0].Attempts == 1, err
	})
	w.server.Admit()
	all := w.taken(2)
	d.stop()
	if all[0].State != history.Done || all[1].New != 5 {
		t.Errorf("%+v", all)
	}
	w.once(ids)
	w.onlyReceives()
}

// Messages may be much larger than people write. They are not held in memory a hundred at a
// time.
func TestHistoryOfLargeMessages(t *testing.T) {
	breaksConnections(t)
	w := found(t)
	h, ids := w.some(waHistorySync.HistorySync_RECENT, 40, time.Now().Add(-time.Hour))
	for i, m := range h.Conversations[0].Messages {
		m.Message.Message = &waE2E.Message{ImageMessage: &waE2E.ImageMessage{
			Caption: proto.String("The weir."), JPEGThumbnail: bytes.Repeat([]byte{byte(i)}, 3<<20),
		}}
	}
	c := w.spawn()
	w.must(w.server.WaitOnline(w.soon()))
	w.phone.SharesHistory(h)
	w.taken(1)
	most := peak(t, c.Process.Pid)
	w.must(c.Process.Signal(syscall.SIGTERM))
	w.must(c.Wait())
	t.Logf("%d MB", most>>20)
	if most > 200<<20 {
		t.Errorf("it took %d MB", most>>20)
	}
	w.once(ids)
}

// A piece does not take of the disk what is kept free for messages: twice the archive's size.
func TestHistoryWaitsForRoom(t *testing.T) {
	breaksConnections(t)
	w := found(t)
	d := w.watch(new(atomic.Int64))
	w.must(w.server.WaitOnline(w.soon()))
	var disk unix.Statfs_t
	w.must(unix.Statfs(w.path("state"), &disk))
	archived, err := os.Stat(w.path("state/archive.db"))
	w.must(err)
	w.must(os.Truncate(w.path("state/archive.db"), int64(disk.Bavail)*int64(disk.Bsize)/2+1<<30)) // with nothing in it
	h, ids := w.some(waHistorySync.HistorySync_RECENT, 5, time.Now().Add(-time.Hour))
	w.phone.SharesHistory(h)
	w.eventually("an attempt", func(tx *sqlite.Tx) (bool, error) {
		all, err := history.Pieces(tx)
		return err == nil && len(all) == 1 && (all[0].Attempts == 1 || !all[0].Finished.IsZero()), err
	})
	if p := w.pieces()[0]; p.State != history.Offered {
		t.Errorf("%+v", p)
	}
	w.must(os.Truncate(w.path("state/archive.db"), archived.Size()+64<<20))
	w.server.Drop()
	w.taken(1)
	d.stop()
	w.once(ids)
}

// What was said while this machine was not linked, the phone is asked for when it is linked
// again, piece by piece, over a restart; what it supplies counts for the gap, which stays.
func TestThePhoneIsAskedForWhatIsMissing(t *testing.T) {
	breaksConnections(t)
	w := found(t)
	ahead := new(atomic.Int64)
	d := w.watch(ahead)
	before := w.ann.Says("Before the link was lost.")
	w.must(w.server.WaitSettled(w.soon()))
	w.phone.Unlinks()
	w.must(w.server.WaitOffline(w.soon()))
	d.stop()
	begins := time.Now().Truncate(time.Second).Add(time.Second)
	var missed []string
	for n := range 120 {
		m := w.ann.At(begins.Add(time.Duration(n) * time.Minute)).Says(fmt.Sprintf("Message %d about the handrail.", n))
		missed = append(missed, m.ID())
	}
	ahead.Store(int64(3 * time.Hour))
	w.relink()
	d = w.watch(ahead)
	w.eventually("the end of the gap", func(tx *sqlite.Tx) (bool, error) {
		lacks, err := archive.Lacks(tx)
		return len(lacks) == 1, err
	})
	asks := func(e standin.Entry) bool {
		return e.Peer.GetProtocolMessage().GetPeerDataOperationRequestMessage().GetHistorySyncOnDemandRequest() != nil
	}
	w.must(d.AskHistory(t.Context()))
	if n := w.sent(asks); n != 0 {
		t.Errorf("asked %d times before there is a message to ask before", n)
	}
	after := w.bo.At(begins.Add(3*time.Hour + time.Minute)).Says("After.")
	w.must(w.server.WaitSettled(w.soon()))
	w.must(d.AskHistory(t.Context())) // and the phone is switched off
	w.must(w.server.WaitJournal(w.soon(), asks))
	w.server.AnswersHistory(true)
	ahead.Add(int64(11 * time.Minute))
	ended := func() (is bool) {
		w.read(func(tx *sqlite.Tx) error {
			all, err := history.Requests(tx)
			is = len(all) == 1 && all[0].Outcome == history.Through
			return err
		})
		return is
	}
	for n := 1; !ended(); n++ {
		if n > 10 {
			t.Fatal("it does not end")
		}
		w.must(d.AskHistory(t.Context()))
		w.taken(n)
		if n == 1 { // and again within the minute
			w.must(d.AskHistory(t.Context()))
			d.stop()
			d = w.watch(ahead)
		}
		ahead.Add(int64(time.Minute))
	}
	d.stop()
	if n := w.sent(asks); n != 4 {
		t.Errorf("asked %d times", n)
	}
	w.once(append(missed, before.ID(), after.ID()))
	w.read(func(tx *sqlite.Tx) error {
		gaps, err := archive.Gaps(tx)
		for _, g := range gaps {
			if g.Kind == archive.NotLinked && g.Supplied != len(missed) {
				t.Errorf("%d of %d were supplied, as the gap says", g.Supplied, len(missed))
			}
		}
		return err
	})
	e := w.journaledHistory(journal.HistoryAsked, 1)
	if e.Reason != history.Through || e.About.Number("supplied") != int64(len(missed)) || e.About.Number("requests") != 4 {
		t.Errorf("the journal: %+v", e)
	}
	w.verifies()
	w.onlyReceives()
	w.logTellsNothing()
}
