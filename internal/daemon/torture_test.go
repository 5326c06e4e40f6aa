package daemon_test

import (
	"bytes"
	"flag"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"muniment/internal/archive"
	"muniment/internal/record"
	"muniment/internal/sqlite"
	"muniment/internal/vault"
)

var (
	tortureSize = flag.Int("torture", 0, "how often people speak in TestTorture; 0: some hundred times")
	tortureSeed = flag.Uint64("seed", 1, "what TestTorture draws from")
)

// The daemon is killed, cut off, given a full disk and a wrong clock, sent things twice,
// out of order, and such as cannot be read, while twenty people talk. In the end all that
// was sent is in the archive, once, but for what nobody can read: of that there is a gap.
//
//	go test -run Torture -v -timeout 1h ./internal/daemon -torture 20000 -seed 2
func TestTorture(t *testing.T) {
	n := 400
	switch {
	case *tortureSize > 0:
		n = *tortureSize
	case testing.Short():
		n = 80
	}
	o := endure(found(t), *tortureSeed)
	began, shown := time.Now(), 0
	o.begins()
	for long := 4000; o.told < n; {
		o.says()
		o.settles(120)
		if o.draw.IntN(35) == 0 {
			o.harms()
		}
		if o.told >= long { // longer than the daemon waits for the archive
			long += 5000
			o.deeds["archive locked for long"]++
			o.must(o.server.WaitOnline(o.soon())) // it would not start
			unlock := o.locks()
			o.talk(3)
			time.Sleep(11 * time.Second)
			unlock()
		}
		if o.told/1000 > shown {
			shown = o.told / 1000
			t.Logf("spoken %d times after %s", o.told, time.Since(began).Round(time.Second))
		}
	}
	o.calms()
	for _, name := range slices.Sorted(maps.Keys(o.deeds)) {
		t.Logf("%4d x %s", o.deeds[name], name)
	}
	t.Logf("%d sent, connection renewed %d times for what had failed, %s in all", len(o.said), o.nudged, time.Since(began).Round(time.Second))
	o.allIsKept()
	o.gapsAreTold()
	o.accounted()
	o.verifies()
	o.onlyReceives()
}

// calms puts everything right and lets the daemon catch up.
func (o *ordeal) calms() {
	o.t.Helper()
	o.server.Shuffle(nil, 0)
	o.server.DropAfter(0)
	o.server.CutMedia(0, 0)
	o.steps(0)
	o.stops()
	o.settledIsKept()
	o.begins()
	o.settles(0)
	lost := 0
	for _, u := range o.said {
		if u.lost {
			lost++
		}
	}
	if !o.catchesUp(lost, 5*time.Second) {
		// The sender was not asked, or not heard: when a connection breaks at that moment,
		// whatsmeow cannot send its request any more, and acknowledges over the next one.
		// The gap is there, and the council's phone has the message.
		open := o.missing()
		for _, u := range o.said {
			if _, is := open[u.ID()]; is && !u.lost {
				o.deeds["in the end supplied by the council's phone"]++
				o.phone.Supplies(u.Message)
			}
		}
		if !o.catchesUp(lost, 30*time.Second) {
			o.t.Errorf("%d messages are missing, of which %d nobody sends again", len(o.missing()), lost)
		}
	}
	o.stops()
}

// catchesUp reports whether all but so many messages are there, and all files, or will be
// within that time.
func (o *ordeal) catchesUp(lost int, within time.Duration) bool {
	o.t.Helper()
	for deadline := time.Now().Add(within); ; time.Sleep(20 * time.Millisecond) {
		var files vault.Count
		o.read(func(tx *sqlite.Tx) (err error) { files, err = vault.Counts(tx); return err })
		if len(o.missing()) == lost && files.Wanted == 0 {
			return true
		}
		if time.Now().After(deadline) {
			return false
		}
	}
}

// missing returns the messages that an open gap names, and its cause.
func (o *ordeal) missing() map[string]string {
	o.t.Helper()
	open := make(map[string]string)
	o.read(func(tx *sqlite.Tx) error { return missingIn(tx, open) })
	return open
}

func missingIn(tx *sqlite.Tx, open map[string]string) error {
	rows, err := tx.Query("SELECT message_id, cause FROM gap WHERE closed_at IS NULL AND message_id <> ''")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id, cause string
		if err := rows.Scan(&id, &cause); err != nil {
			return err
		}
		open[id] = cause
	}
	return rows.Err()
}

// settledIsKept checks, while the daemon is not there, that what WhatsApp was told was
// received is on disk, or known to be missing. It reads a copy: to open the archive would
// do for the daemon what it has to do by itself after a crash.
func (o *ordeal) settledIsKept() {
	o.t.Helper()
	dir := o.t.TempDir()
	for _, name := range []string{"archive.db", "archive.db-wal"} {
		from, err := os.Open(filepath.Join(o.path("state"), name))
		if os.IsNotExist(err) {
			continue
		}
		o.must(err)
		to, err := os.Create(filepath.Join(dir, name))
		o.must(err)
		_, err = io.Copy(to, from)
		o.must(err)
		o.must(to.Close())
		o.must(from.Close())
	}
	db, err := sqlite.Open(o.t.Context(), filepath.Join(dir, "archive.db"))
	o.must(err)
	open := make(map[string]string)
	o.must(db.Read(o.t.Context(), func(tx *sqlite.Tx) error {
		rows, err := tx.Query("SELECT seq, id FROM record WHERE seq > ?", o.newest)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id string
			if err := rows.Scan(&o.newest, &id); err != nil {
				return err
			}
			o.captured[id]++
		}
		return missingIn(tx, open)
	}))
	o.must(db.Close())
	o.must(os.RemoveAll(dir))
	settled := o.server.Settled()
	for _, s := range settled[o.checked:] {
		_, known := open[s.ID]
		if s.Tag == "message" && s.Chat == o.official.JID() && o.captured[s.ID] != 1 && !known {
			o.t.Errorf("message %s was settled by %q and is in the archive %d times; no gap names it", s.ID, s.By, o.captured[s.ID])
		}
	}
	o.checked = len(settled)
}

// allIsKept checks that what was sent is in the archive, once and as it was, and nothing
// else.
func (o *ordeal) allIsKept() {
	o.t.Helper()
	records := o.records()
	open := o.missing()
	seqs := make(map[string]record.Seq)
	for id, rs := range records {
		seqs[id] = rs[0].Seq
	}
	photos, missing := 0, 0
	for _, u := range o.said {
		rs := records[u.ID()]
		delete(records, u.ID())
		_, isOpen := open[u.ID()]
		if u.lost {
			if missing++; len(rs) != 0 || !isOpen {
				o.t.Errorf("what nobody can read is in the archive %d times, and a gap names it: %t", len(rs), isOpen)
			}
			continue
		}
		if len(rs) != 1 {
			o.t.Errorf("a %s, %q (%s), is in the archive %d times; a gap names it: %t", u.kind, u.text, u.how, len(rs), isOpen)
			o.tellsOf(u)
			continue
		}
		r := rs[0]
		if r.Kind != u.kind || r.Text != u.text && u.kind != record.Vote || r.Emoji != u.emoji || r.Type == record.Sealed {
			o.t.Errorf("a %s, %q, is in the archive as a %s (%s), %q", u.kind, u.text, r.Kind, r.Type, r.Text)
		}
		if !r.Sent.Equal(u.Time().Truncate(time.Second)) {
			o.t.Errorf("%q was sent at %s, not %s", u.text, u.Time(), r.Sent)
		}
		if u.of != nil {
			if of := seqs[u.of.ID()]; r.ReplyTo != of {
				o.t.Errorf("a %s, %q, belongs to record %d, not %d", u.kind, u.text, of, r.ReplyTo)
			}
		}
		if u.photo != nil {
			if photos++; !bytes.Equal(o.file(r.Seq), u.photo) {
				o.t.Errorf("the photo of %q is another", u.text)
			}
		}
	}
	o.t.Logf("%d photos kept, %d messages missing that nobody can read", photos, missing)
	o.movesAreKept(records[""])
	delete(records, "")
	for id, rs := range records {
		o.t.Errorf("%s is in the archive %d times, and nobody sent it", id, len(rs))
	}
	var last archive.Record
	o.read(func(tx *sqlite.Tx) error {
		return archive.Between(tx, time.Time{}, time.Now().AddDate(1, 0, 0), func(r archive.Record) error {
			if r.Sent.Before(last.Sent) {
				o.t.Errorf("record %d is shown before %d, which was sent earlier", last.Seq, r.Seq)
			}
			last = r
			return nil
		})
	})
}

// tellsOf logs what passed between WhatsApp and the daemon about an utterance.
func (o *ordeal) tellsOf(u *utterance) {
	o.t.Helper()
	for _, e := range o.server.Journal() {
		if strings.Contains(e.Node.String(), u.ID()) {
			o.t.Logf("  %s", e)
		}
	}
	for _, s := range o.server.Settled() {
		if s.ID == u.ID() {
			o.t.Logf("  %s settled by %s", s.Time.UTC().Format("15:04:05.000"), s.By)
		}
	}
}

// movesAreKept checks who came and went.
func (o *ordeal) movesAreKept(changes []archive.Record) {
	o.t.Helper()
	kept := make(map[string]int)
	for _, r := range changes {
		if r.Kind == record.Participants && r.Type != record.Present {
			for _, p := range r.Participants {
				kept[string(r.Type)+" "+p.JID]++
			}
		}
	}
	if !maps.Equal(kept, o.moves) {
		o.t.Errorf("who came and went:\n%v\nwant:\n%v", kept, o.moves)
	}
}

// gapsAreTold checks that every gap says why it is, and from when to when.
func (o *ordeal) gapsAreTold() {
	o.t.Helper()
	kinds := make(map[string]int)
	o.read(func(tx *sqlite.Tx) error {
		gaps, err := archive.Gaps(tx)
		for _, g := range gaps {
			state := "closed"
			if g.Closed.IsZero() {
				state = "open"
			}
			kinds[string(g.Kind)+", "+state]++
			if g.Cause == "" || g.Opened.IsZero() || !g.Closed.IsZero() && g.Closed.Before(g.Opened) {
				o.t.Errorf("gap %+v", g)
			}
			if g.Closed.IsZero() && g.Kind != archive.NotDecrypted && !(g.Kind == archive.NotConnected && strings.Contains(g.Cause, "not running")) {
				o.t.Errorf("gap still open: %+v", g)
			}
		}
		return err
	})
	o.t.Logf("gaps: %v", kinds)
}
