package disposal_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"muniment/internal/archive"
	"muniment/internal/disposal"
	"muniment/internal/ledger"
	"muniment/internal/mail"
	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
	"muniment/internal/sqlite/sqlitetest"
	"muniment/internal/vault"
	"muniment/internal/verify"
)

// Whatever happens to an archive, in whatever order: what is on hold is there, what was
// destroyed is in no file, nothing goes before its time, and everything verifies. The
// histories are random; what should be there is known from a model of a few lines, which
// knows nothing of how the program does it. More of them: -rapid.checks=1000.
func TestRandomHistories(t *testing.T) {
	often := map[bool]string{false: "8", true: "2"}[testing.Short()]
	flag.Visit(func(f *flag.Flag) {
		if f.Name == "rapid.checks" {
			often = f.Value.String()
		}
	})
	if err := flag.Set("rapid.checks", often); err != nil {
		t.Fatal(err)
	}
	disposal.SearchOften(t, 100) // which a few records have
	rapid.Check(t, func(t *rapid.T) {
		h := begin(t)
		defer h.end()
		t.Repeat(map[string]func(*rapid.T){
			"":           h.check,
			"says":       h.says,
			"reacts":     h.reacts,
			"edits":      h.edits,
			"again":      h.again,
			"holds":      h.holds,
			"releases":   h.releases,
			"night":      h.night,
			"weeks":      h.weeks,
			"crashes":    h.crashes,
			"the switch": h.mailServer,
			"approves":   h.approves,
			"proposes":   h.proposes,
			"confirms":   h.confirms,
			"withdraws":  h.withdraws,
			"backs up":   h.backsUp,
			"restores":   h.restores,
			"enters":     h.entersAgain,
		})
		h.allGoes(t)
	})
}

// A fact is what the model knows of one record.
type fact struct {
	seq    record.Seq
	id     string
	sender int
	group  int
	sent   time.Time
	canary string // stands in no other record but in quotations of this one
	file   bool
	root   *fact // the message that it belongs to; of a message, itself
	names  *fact // the message that it answers and quotes
	gone   bool

	approved bool // it stood on a list that the clerk approved
	early    bool // of a message: that it goes before its time was confirmed
	told     bool // that it was destroyed: in the account of the run
}

func (f *fact) due() retention.Date { return retention.ForYears(6).Due(f.root.sent) }

// A hold of the model says which facts it covers by themselves.
type hold struct {
	cover  archive.Cover
	covers func(*fact) bool
}

type history struct {
	*rapid.T
	dir     string
	db      *sqlite.DB
	key     *ledger.Key
	archive *archive.Archive
	d       *disposal.Disposal
	vault   *vault.Vault
	now     time.Time
	down    bool // the mail server
	crash   int  // the run is killed when it has asked for the time so often
	each    bool // list is approved by the clerk

	facts []*fact
	said  int // ever
	held  map[int64]hold

	accounts map[int64]string // of runs, at the backups' place
	backup   *backup          // the last one
	barred   []*fact          // destroyed, and not in the backup that was restored
	restored bool             // and the holds of the lost time are not entered again yet
}

var (
	groups  = []string{"120363000000000001@g.us", "120363000000000002@g.us"}
	members = []string{"Ann Archer", "Bo Baker", "Cy Carter"}
)

func address(i int) record.Address {
	return record.Address{JID: fmt.Sprintf("20000000000%04d@lid", 101+i), Alt: fmt.Sprintf("4477009%05d@s.whatsapp.net", 101+i)}
}

func begin(t *rapid.T) *history {
	dir, err := os.MkdirTemp("", "muniment-history")
	if err != nil {
		t.Fatal(err)
	}
	h := &history{T: t, dir: dir, now: time.Date(2032, 1, 28, 12, 0, 0, 0, time.UTC), held: make(map[int64]hold),
		each: rapid.Bool().Draw(t, "each list is approved"), accounts: make(map[int64]string)}
	if h.db, err = sqlitetest.Create(t.Context(), filepath.Join(dir, "archive.db")); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "ledger.key")
	if err := ledger.NewKey(path, "muniment"); err != nil {
		t.Fatal(err)
	}
	if h.key, err = ledger.LoadKey(path); err != nil {
		t.Fatal(err)
	}
	h.write(func(tx *sqlite.Tx) error {
		if err := archive.Lay(tx, h.now, "sysadmin"); err != nil {
			return err
		}
		for i, name := range members {
			if err := people.AddMember(tx, h.now, "sysadmin", "elected", people.Member{Name: name, Role: "councillor"}, address(i)); err != nil {
				return err
			}
		}
		return nil
	})
	h.starts()
	return h
}

// starts opens what a process has in memory.
func (h *history) starts() {
	h.write(func(tx *sqlite.Tx) (err error) { h.archive, err = archive.Load(tx, retention.ForYears(6)); return err })
	h.vault = &vault.Vault{Directory: filepath.Join(h.dir, "media"), DB: h.db, Log: slog.New(slog.DiscardHandler), Now: h.clock}
	policy := disposal.Policy{Approval: disposal.Standing, Minute: "26/117", NoticeDays: 30, From: "muniment@example.gov.uk", To: "clerk@example.gov.uk"}
	if h.each {
		policy.Approval, policy.Minute = disposal.Each, ""
	}
	h.d = &disposal.Disposal{
		DB: h.db, Archive: h.archive, Key: h.key, Vault: h.vault, Log: slog.New(slog.DiscardHandler), Now: h.clock, Directory: h.dir,
		Policy: policy,
		Groups: map[string]string{groups[0]: "Councillors", groups[1]: "Allotments"},
		Verify: func(ctx context.Context) error {
			r, err := verify.Run(ctx, h.db, h.key, verify.With{Disposal: disposal.Faults})
			if err == nil && !r.OK() {
				err = errors.New(strings.Join(r.Faults, "; "))
			}
			return err
		},
		ScrubSession: func(context.Context) error { h.clock(); return nil },
		Publish:      h.publish,
		Issuer:       disposal.Issuer{Council: "Example Parish Council", Program: "muniment test", Host: "registry"},
	}
}

func (h *history) end() {
	h.db.Close()
	h.forgetBackup()
	os.RemoveAll(h.dir)
}

type killed struct{}

// clock tells the time, and may be the last thing that the process does.
func (h *history) clock() time.Time {
	if h.crash > 0 {
		if h.crash--; h.crash == 0 {
			panic(killed{})
		}
	}
	return h.now
}

func (h *history) write(f func(tx *sqlite.Tx) error) {
	h.Helper()
	if err := h.db.Write(context.Background(), f); err != nil {
		h.Fatal(err)
	}
}

func (h *history) captures(f *fact, r record.Received) {
	r.Group, r.ID, r.Sender, r.Sent = groups[f.group], f.id, address(f.sender), f.sent
	r.PushName = members[f.sender]
	r.Protobuf = append([]byte("\n"), r.Text...)
	var put []record.File
	if f.file {
		sealed, err := h.vault.Seal(context.Background(), record.Image, record.File{Name: f.canary + ".jpg", MIME: "image/jpeg"}, strings.NewReader("photo "+f.canary))
		if err != nil {
			h.Fatal(err)
		}
		r.Type, r.File, put = record.Image, &sealed, append(put, sealed)
	}
	if err := h.vault.Put(context.Background(), put, func(tx *sqlite.Tx) error {
		k, err := h.archive.Capture(tx, h.now, r)
		if err != nil || !k.Fresh {
			return errors.Join(err, errIf(!k.Fresh, "a new record was taken for a known one"))
		}
		f.seq = k.Seq
		if f.file {
			err = vault.Keep(tx, h.now, k.Seq, record.Image, *r.File)
		}
		if _, e := archive.Index(tx, 100); e != nil {
			err = errors.Join(err, e)
		}
		return err
	}); err != nil {
		h.Fatal(err)
	}
	h.facts = append(h.facts, f)
}

func errIf(is bool, what string) error {
	if is {
		return errors.New(what)
	}
	return nil
}

// fresh makes a fact of somebody, sent at a time.
func (h *history) fresh(t *rapid.T, sent time.Time) *fact {
	h.said++
	n := h.said
	f := &fact{id: fmt.Sprintf("3EB0%016X", n*7919), sender: rapid.IntRange(0, len(members)-1).Draw(t, "sender"), sent: sent,
		canary: fmt.Sprintf("canary %04d of the culvert at Mill Lane", n)}
	f.root = f
	return f
}

// here draws one of the messages that are here.
func (h *history) here(t *rapid.T, label string) *fact {
	var all []*fact
	for _, f := range h.facts {
		if f.root == f && !f.gone {
			all = append(all, f)
		}
	}
	if len(all) == 0 {
		t.Skip("no message is here")
	}
	return rapid.SampledFrom(all).Draw(t, label)
}

// says is a message of almost six years ago, or of now; an answer, perhaps, and one with
// a photo.
func (h *history) says(t *rapid.T) {
	var age time.Duration
	if rapid.IntRange(0, 3).Draw(t, "new") > 0 {
		age = time.Duration(rapid.IntRange(6*365-60, 6*365-1).Draw(t, "days ago")) * 24 * time.Hour
	}
	f := h.fresh(t, h.now.Add(-age))
	f.group, f.file = rapid.IntRange(0, 1).Draw(t, "group"), rapid.IntRange(0, 3).Draw(t, "photo") == 0
	r := record.Received{Kind: record.Message, Type: record.Text, Text: "I say: " + f.canary}
	if rapid.Bool().Draw(t, "answers") {
		f.names = h.here(t, "what")
		f.group = f.names.group
		ref := record.Ref{ID: f.names.id, Sender: address(f.names.sender)}
		r.Target = &ref
		r.Quotations = []record.Quotation{{Of: ref, Text: "I say: " + f.names.canary, Protobuf: []byte("\n" + f.names.canary)}}
	}
	h.captures(f, r)
}

func (h *history) follows(t *rapid.T, kind record.Kind, r record.Received) {
	of := h.here(t, "of")
	f := h.fresh(t, h.now)
	f.root, f.group = of, of.group
	if kind == record.Edit {
		f.sender = of.sender
		r.Text = "I say now: " + f.canary
	}
	r.Kind, r.Target = kind, &record.Ref{ID: of.id, Sender: address(of.sender)}
	h.captures(f, r)
}

func (h *history) reacts(t *rapid.T) {
	h.follows(t, record.Reaction, record.Received{Type: record.ReactionAdded, Emoji: "👍"})
}

func (h *history) edits(t *rapid.T) { h.follows(t, record.Edit, record.Received{Type: record.Text}) }

// again is a message that WhatsApp delivers once more, be it destroyed.
func (h *history) again(t *rapid.T) {
	all := slices.Concat(h.facts, h.barred)
	if len(all) == 0 {
		t.Skip("nothing was sent")
	}
	f := rapid.SampledFrom(all).Draw(t, "which")
	if f.root != f {
		t.Skip("messages will do")
	}
	barred := slices.Contains(h.barred, f)
	h.write(func(tx *sqlite.Tx) error {
		k, err := h.archive.Capture(tx, h.now, record.Received{Kind: record.Message, Type: record.Text, Group: groups[f.group], ID: f.id,
			Sender: address(f.sender), Sent: f.sent, Text: "I say: " + f.canary, Protobuf: []byte("\n" + f.canary)})
		if k.Fresh || k.Seq != f.seq && !barred {
			t.Errorf("message %d came back as record %d", f.seq, k.Seq)
		}
		return err
	})
}

func (h *history) holds(t *rapid.T) {
	if len(h.held) >= 3 || h.restored {
		t.Skip("enough")
	}
	var c archive.Cover
	covers := func(*fact) bool { return true }
	switch kind := rapid.IntRange(0, 9).Draw(t, "kind"); kind {
	case 0:
		c.Scope = archive.Everything
	case 1, 2:
		n := rapid.IntRange(0, len(members)-1).Draw(t, "member")
		c = archive.Cover{Scope: archive.ByMember, Member: int64(n + 1)}
		covers = func(f *fact) bool { return f.sender == n }
	case 3, 4:
		first := retention.DateOf(h.now).AddDays(-rapid.IntRange(6*365-150, 6*365).Draw(t, "from"))
		last := first.AddDays(rapid.IntRange(0, 60).Draw(t, "days"))
		c = archive.Cover{Scope: archive.Dates, From: first, Through: last}
		covers = func(f *fact) bool { on := retention.DateOf(f.sent); return first <= on && on <= last }
	default:
		f := h.here(t, "record")
		c = archive.Cover{Scope: archive.Records, Records: []record.Seq{f.seq}}
		covers = func(of *fact) bool { return of == f }
	}
	h.write(func(tx *sqlite.Tx) error {
		id, err := archive.PlaceHold(tx, h.now, "Jo Marsh", "request 12", "", c)
		h.held[id] = hold{c, covers}
		return err
	})
}

func (h *history) releases(t *rapid.T) {
	if len(h.held) == 0 || h.restored {
		t.Skip("no hold")
	}
	h.release(rapid.SampledFrom(slices.Sorted(maps.Keys(h.held))).Draw(t, "hold"))
}

func (h *history) release(id int64) {
	h.write(func(tx *sqlite.Tx) error { return archive.ReleaseHold(tx, h.now, id, "Jo Marsh", "answered") })
	delete(h.held, id)
}

// onHold is what the holds in force keep: the messages that they cover, or anything of
// which they cover, and what these answer, and so on.
func (h *history) onHold() map[*fact]bool {
	kept := make(map[*fact]bool) // by the message
	for _, f := range h.facts {
		for _, hold := range h.held {
			if !f.gone && hold.covers(f) {
				for m := f.root; m != nil; m = m.names {
					kept[m] = true
				}
			}
		}
	}
	return kept
}

func (h *history) mailServer(*rapid.T) { h.down = !h.down }

// night is the nightly work, and the mail that it owes.
func (h *history) night(*rapid.T) { h.nights(1) }

func (h *history) weeks(t *rapid.T) { h.nights(rapid.IntRange(2, 40).Draw(t, "nights")) }

// nights lets days pass; a whole week is one step, as far as nothing falls on its days.
func (h *history) nights(n int) {
	for range n {
		h.now = retention.DateOf(h.now).AddDays(1).Start().Add(3 * time.Hour)
		if err := h.nightly(); err != nil {
			h.Fatalf("night of %s: %v", retention.DateOf(h.now), err)
		}
	}
}

// nightly returns what the nightly work does; what is gone after it is noted.
func (h *history) nightly() error {
	err := h.d.Nightly(context.Background())
	h.write(func(tx *sqlite.Tx) error { _, err := h.key.Sign(tx, h.now); return err })
	compose := func(context.Context, mail.Item) ([]byte, error) { return []byte("letter"), nil }
	send := func(context.Context, string, string, []byte) (string, error) {
		if h.down {
			return "", errors.New("no connection")
		}
		return "250 taken", nil
	}
	out := mail.New(h.db, h.d.Log, func(string) bool { return true }, send, compose, func() time.Time { return h.now }, 10_000)
	return errors.Join(err, out.DeliverDue(context.Background()))
}

// crashes kills the process in the middle of a night.
func (h *history) crashes(t *rapid.T) {
	h.now = retention.DateOf(h.now).AddDays(1).Start().Add(3 * time.Hour)
	h.crash = rapid.IntRange(1, 40).Draw(t, "when")
	func() {
		defer func() {
			if p := recover(); p != nil && p != any(killed{}) {
				panic(p)
			}
		}()
		if err := h.nightly(); err != nil {
			t.Fatal(err)
		}
	}()
	h.crash = 0
	if err := h.db.Close(); err != nil {
		t.Fatal(err)
	}
	var err error
	if h.db, err = sqlite.Open(context.Background(), filepath.Join(h.dir, "archive.db")); err != nil {
		t.Fatal(err)
	}
	h.starts()
}

// check compares archive and model.
func (h *history) check(t *rapid.T) {
	h.T = t
	kept := h.onHold()
	h.write(func(tx *sqlite.Tx) error {
		gone := make(map[record.Seq]bool)
		if err := archive.Each(tx, func(r archive.Record) error { gone[r.Seq] = r.Destroyed != ""; return nil }); err != nil {
			return err
		}
		for _, f := range h.facts {
			is, known := gone[f.seq]
			switch {
			case !known:
				t.Errorf("of record %d there is neither record nor stub", f.seq)
			case f.gone && !is:
				t.Errorf("record %d is back", f.seq)
			case is && !f.gone && kept[f.root]:
				t.Errorf("record %d is gone and was on hold", f.seq)
			case is && f.due() > retention.DateOf(h.now) && !f.root.early:
				t.Errorf("record %d is gone before its time, %s", f.seq, f.due())
			case is && h.each && !f.approved && !f.root.approved && !f.root.early:
				t.Errorf("record %d is gone, and nobody has approved that", f.seq)
			case is && !f.gone && h.restored:
				t.Errorf("record %d is gone, and nobody has confirmed that the holds were entered again", f.seq)
			}
			f.gone = is
		}
		return nil
	})
	if err := h.d.Verify(context.Background()); err != nil {
		t.Errorf("it does not verify: %v", err)
	}
	h.checkFiles(t)
}

// checkFiles looks for what was destroyed, unless a run is under way.
func (h *history) checkFiles(t *rapid.T) {
	h.write(func(tx *sqlite.Tx) error {
		lists, err := disposal.Lists(tx)
		if err != nil {
			return err
		}
		for _, l := range lists {
			if l.Closed.IsZero() && l.Run != 0 {
				return nil
			}
		}
		return filepath.WalkDir(h.dir, func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			b, err := os.ReadFile(path)
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			for _, f := range slices.Concat(h.facts, h.barred) {
				if f.gone && (bytes.Contains(b, []byte(f.canary)) || bytes.Contains(b, []byte(f.id))) {
					t.Errorf("of record %d, which was destroyed, something is in %s", f.seq, e.Name())
				}
			}
			return err
		})
	})
}

// allGoes ends every history: no hold is left, mail goes, and time passes until all that
// there is has fallen due and been listed. Nothing may be left over.
func (h *history) allGoes(t *rapid.T) {
	h.confirmsRestore()
	for id := range h.held {
		h.release(id)
	}
	h.down = false
	for h.awaits() < never {
		if next := h.awaits().AddDays(-1); h.listed() == 0 && next > retention.DateOf(h.now) {
			h.now = next.Start().Add(12 * time.Hour) // nothing happens until then: the clock is set, and confirmed
			h.write(func(tx *sqlite.Tx) error {
				if err := disposal.CheckClock(tx, h.now); err != nil {
					return err
				}
				return disposal.ConfirmClock(tx, h.now, "sysadmin", "it was off")
			})
		}
		before := h.left()
		for range 50 { // a list is drawn up within a week, and run a month later
			h.approvesAll()
			if h.nights(1); h.left() < before {
				break
			}
		}
		if h.check(t); h.left() == before && h.awaits().AddDays(60) < retention.DateOf(h.now) {
			break
		}
	}
	for _, f := range h.facts {
		if !f.gone {
			t.Errorf("record %d, due on %s, is still there on %s", f.seq, f.due(), retention.DateOf(h.now))
		}
	}
}

// never is after everything.
const never = "9999-12-31"

// awaits returns when something of what is left may next be listed.
func (h *history) awaits() retention.Date {
	next := retention.Date(never)
	for _, f := range h.facts {
		if !f.gone {
			next = min(next, f.due().AddDays(-30))
		}
	}
	return next
}

func (h *history) left() (n int64) {
	h.write(func(tx *sqlite.Tx) (err error) { n, err = archive.Kept(tx); return err })
	return n
}

// listed returns how many lists are open.
func (h *history) listed() (n int) {
	h.write(func(tx *sqlite.Tx) error {
		lists, err := disposal.Lists(tx)
		for _, l := range lists {
			if l.Closed.IsZero() {
				n++
			}
		}
		return err
	})
	return n
}
