package daemon_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mau.fi/whatsmeow/types"

	"muniment/internal/archive"
	"muniment/internal/daemon"
	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/sqlite"
	"muniment/internal/standin"
	"muniment/internal/vault"
)

// corpusBegins is when the corpus is sent, whenever the test runs.
var corpusBegins = time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)

// The same messages give the same records, by LID and by number, live, after an absence,
// resent because they could not be read, and so that they come after those that refer to
// them; and they are the same when they are read again.
func TestTheCorpusInEveryWay(t *testing.T) {
	if testing.Short() {
		t.Skip("one thing after another, which the race detector watches for long")
	}
	w := found(t)
	ways := corpusWays()
	w.sendInEveryWay(ways)

	want := ways[0].seen(w)
	for _, s := range want {
		if s.Kind == "" || s.Type == string(record.Sealed) {
			t.Errorf("%s: no record, or one that could not be read: %+v", s.Message, s)
		}
	}
	same := func(when string) {
		for _, y := range ways {
			if diff := cmp.Diff(want, y.seen(w)); diff != "" {
				t.Errorf("%s, %s: not as live:\n%s", y.name, when, diff)
			}
		}
	}
	same("as captured")
	w.readsAgain()
	same("read again")
	w.accounted()
	w.verifies()
	w.onlyReceives()
}

// A way is one in which messages can arrive.
type way struct {
	name              string
	byNumber, offline bool
	ann, bo           func(standin.Voice) standin.Voice // mishaps; nil: none
	supplied          bool                              // by the council's phone, after all else
	changes           bool                              // of how the group addresses people, after every other message
	office            bool                              // what Bo does, the council's account does
	renumbers         bool                              // Bo takes another number, again and again

	group *standin.Group
	sent  []standin.Sent
}

func corpusWays() []*way {
	garbled, keyless := standin.Voice.Garbled, standin.Voice.Keyless
	// Of a phone that does not send again what could not be read.
	unanswered := func(v standin.Voice) standin.Voice { return v.Garbled().Unhearing() }
	// Of phones that name people so, whatever the group does.
	numbers := func(v standin.Voice) standin.Voice { return v.Addressing(types.AddressingModePN) }
	lids := func(v standin.Voice) standin.Voice { return v.Addressing(types.AddressingModeLID) }
	late := func(v standin.Voice) standin.Voice { return numbers(v).Garbled() }
	return []*way{
		{name: "live"},
		{name: "live by number", byNumber: true},
		{name: "offline", offline: true},
		{name: "offline by number", byNumber: true, offline: true},
		{name: "resent", ann: garbled, bo: garbled},
		{name: "resent by number", byNumber: true, ann: keyless, bo: garbled},
		{name: "out of order", ann: garbled},
		{name: "out of order by number", byNumber: true, bo: keyless},
		{name: "from the council's phone", ann: unanswered, bo: unanswered, supplied: true},
		{name: "from the council's phone, by number", byNumber: true, ann: unanswered, bo: unanswered, supplied: true},
		{name: "now by LID, now by number", changes: true},
		{name: "phones that have not noticed", changes: true, ann: numbers, bo: lids},
		{name: "phones that have not noticed, out of order", changes: true, ann: lids, bo: late},
		{name: "by the council itself", office: true},
		{name: "by the council itself, resent", office: true, byNumber: true, ann: keyless, bo: garbled},
		{name: "by the council itself, from its phone", office: true, ann: unanswered, bo: unanswered, supplied: true},
		{name: "another number", renumbers: true},
		{name: "another number, by number", byNumber: true, renumbers: true},
	}
}

// sendInEveryWay has the daemon receive the corpus in each way, in a group of its own.
func (w *town) sendInEveryWay(ways []*way) {
	w.t.Helper()
	for _, y := range ways {
		y.found(w)
	}
	settled := func() { w.must(w.server.WaitSettled(w.soon())) }
	stop := w.run()
	for _, y := range ways {
		if !y.offline && !y.renumbers {
			y.sendEverything(w)
			settled()
		}
		if y.supplied {
			y.supply(w)
			settled()
		}
	}
	stop()
	for _, y := range ways {
		if y.offline {
			y.sendEverything(w)
		}
	}
	stop = w.run()
	settled()
	for _, y := range ways {
		if y.renumbers { // in the end, for it happens in all groups
			y.sendEverything(w)
			settled()
		}
	}
	w.must(w.gapsOpen(0))
	w.waitKept()
	stop()
}

// The same changes of a group give the same records, by LID and by number, live and after
// an absence; and the roster is who is in the group, although one change went untold.
func TestEveryChangeInEveryWay(t *testing.T) {
	if testing.Short() {
		t.Skip("one thing after another, which the race detector watches for long")
	}
	w := found(t)
	cy := w.server.Member("Cy", "+447700900103")
	ways := []*way{
		{name: "live"}, {name: "live by number", byNumber: true},
		{name: "offline", offline: true}, {name: "offline by number", byNumber: true, offline: true},
	}
	for _, y := range ways {
		y.found(w)
	}
	change := func(y *way) { standin.EveryChange(corpusBegins, y.group, w.ann, w.bo, cy, w.stranger) }
	stop := w.run()
	change(ways[0])
	change(ways[1])
	w.must(w.server.WaitSettled(w.soon()))
	w.waitListed(ways[0].group)
	w.waitListed(ways[1].group)
	stop()
	change(ways[2])
	change(ways[3])
	stop = w.run()
	w.must(w.server.WaitSettled(w.soon()))
	w.waitListed(ways[2].group)
	w.waitListed(ways[3].group)
	stop()

	want := w.changes(ways[0].group)
	for _, y := range ways[1:] {
		if diff := cmp.Diff(want, w.changes(y.group)); diff != "" {
			t.Errorf("%s, not as live:\n%s", y.name, diff)
		}
	}
	w.readsAgain()
	w.accounted()
	w.verifies()
	w.onlyReceives()
}

// readsAgain reads all records again, which must not tell anything else.
func (w *town) readsAgain() {
	w.t.Helper()
	w.archive(func(db *sqlite.DB) error {
		x, err := daemon.Reindex(w.t.Context(), w.options(), db, "the test", "to compare", false, nil)
		if len(x.News) > 0 || len(x.Otherwise) > 0 {
			w.t.Errorf("read again: %v could not be read before, %v is read in another way", x.News, x.Otherwise)
		}
		return err
	})
}

// waitListed waits until everybody who is in a group is on its roster, and nobody else.
func (w *town) waitListed(g *standin.Group) {
	w.t.Helper()
	want := len(g.Members())
	for ctx := w.soon(); ; time.Sleep(10 * time.Millisecond) {
		var r archive.Roster
		w.read(func(tx *sqlite.Tx) (err error) {
			r, err = archive.RosterAt(tx, g.JID().String(), time.Now())
			return err
		})
		if len(r.In) == want {
			return
		}
		if ctx.Err() != nil {
			w.t.Fatalf("%d are in %q, and %d on its roster", want, g.Subject(), len(r.In))
		}
	}
}

// changes reads the records of changes of a group, but for the lists of all who are in it:
// when they come depends on when the daemon asks.
func (w *town) changes(g *standin.Group) (all []seen) {
	w.t.Helper()
	w.archive(func(db *sqlite.DB) error {
		return db.Read(w.t.Context(), func(tx *sqlite.Tx) error {
			names, err := people.LoadNames(tx)
			if err != nil {
				return err
			}
			return archive.Each(tx, func(r archive.Record) error {
				if r.Group == g.JID().String() && r.Type != record.Present {
					r.Details.Version = "" // which is a time
					all = append(all, w.saw(db, tx, names, nil, r))
				}
				return nil
			})
		})
	})
	return all
}

var modes = []types.AddressingMode{types.AddressingModePN, types.AddressingModeLID}

// someModes are those that a short run goes through: groups of today go by LID.
func someModes() []types.AddressingMode {
	if testing.Short() {
		return modes[1:]
	}
	return modes
}

// found founds the group in which it is tried.
func (y *way) found(w *town) {
	y.group = w.listed(y.name)
	if y.byNumber {
		y.group.SetAddressing(types.AddressingModePN)
	}
}

func (y *way) sendEverything(w *town) {
	voice := func(m *standin.Member, mishap func(standin.Voice) standin.Voice) standin.Voice {
		if mishap == nil {
			return m.In(y.group)
		}
		return mishap(m.In(y.group))
	}
	bo := w.bo
	if y.office {
		bo = w.phone
	}
	corpus := standin.Everything{From: corpusBegins, Ann: voice(w.ann, y.ann), Bo: voice(bo, y.bo)}
	corpus.Before = func(n int) {
		if y.changes {
			y.group.SetAddressing(modes[n/2%2])
		}
		if y.renumbers && n%10 == 0 {
			w.numbers++
			w.bo.ChangesNumber(fmt.Sprintf("+447700900%d", 200+w.numbers))
		}
	}
	y.sent = corpus.Send()
}

// seen is what was seen of it; the council's account counts as Bo.
func (y *way) seen(w *town) []seen {
	all := w.seen(y.group, y.sent)
	if !y.office {
		return all
	}
	asBo := func(s string) string {
		return strings.ReplaceAll(s, w.phone.Name()+" (name not verified)", "Cllr Bo Carter")
	}
	for i, s := range all {
		if s.Own != (asBo(s.Member) != s.Member) {
			w.t.Errorf("%s: by %s, and own: %t", s.Message, s.Member, s.Own)
		}
		all[i].Own, all[i].Member, all[i].Text = false, asBo(s.Member), asBo(s.Text)
		for j, name := range s.Mentions {
			all[i].Mentions[j] = asBo(name)
		}
		for j, quote := range s.Quotes {
			all[i].Quotes[j] = asBo(quote)
		}
	}
	return all
}

// supply has the council's phone supply what it was asked for. What was to be viewed once
// it does not give away.
func (y *way) supply(w *town) {
	for _, s := range y.sent {
		if !s.Once() {
			w.phone.Supplies(s.Message)
		}
	}
}

// listed adds a group to the configuration.
func (w *town) listed(name string) *standin.Group {
	w.t.Helper()
	g := w.server.Group(name, w.ann, w.phone, w.bo)
	w.edit("[notice]", fmt.Sprintf("[[group]]\njid = %q\nname = %q\npurpose = \"To be compared.\"\n[notice]", g.JID(), name))
	return g
}

// seen is what the records of a group say, in plain words: nothing in it depends on how
// people were addressed or on what was captured when.
type seen struct {
	Message                      string // as the corpus calls it
	Kind, Type                   string
	Member                       string
	Sent                         time.Time
	Text, Details, Emoji, File   string
	ReplyTo, Amends              string // by what the corpus calls them
	EditedBy, DeletedBy          string
	Mentions, Participants       []string
	Quotes                       []string
	Own, Answers, Entitled, Held bool
	Effective                    bool
}

// seen reads the records of the corpus in a group, in the order in which it was sent.
func (w *town) seen(g *standin.Group, sent []standin.Sent) (all []seen) {
	w.t.Helper()
	order, called := map[string]int{}, map[string]string{}
	for i, s := range sent {
		order[s.ID()], called[s.ID()] = i, s.Name
	}
	w.archive(func(db *sqlite.DB) error {
		return db.Read(w.t.Context(), func(tx *sqlite.Tx) error {
			names, err := people.LoadNames(tx)
			if err != nil {
				return err
			}
			byOrder := make([][]archive.Record, len(sent))
			which := map[record.Seq]string{}
			if err := archive.Each(tx, func(r archive.Record) error {
				if i, is := order[r.ID]; is && r.Group == g.JID().String() {
					byOrder[i] = append(byOrder[i], r)
					which[r.Seq] = called[r.ID]
				}
				return nil
			}); err != nil {
				return err
			}
			for i, rs := range byOrder {
				if len(rs) == 0 {
					all = append(all, seen{Message: sent[i].Name})
				}
				for _, r := range rs {
					all = append(all, w.saw(db, tx, names, which, r))
				}
			}
			return nil
		})
	})
	return all
}

func (w *town) saw(db *sqlite.DB, tx *sqlite.Tx, names *people.Names, which map[record.Seq]string, r archive.Record) seen {
	s := seen{
		Message: which[r.Seq], Kind: string(r.Kind), Type: string(r.Type), Member: names.Of(r.Person), Sent: r.Sent.UTC(),
		Text: names.Mentioning(r.Text, r.Mentions), Details: r.Details.Encode(), Emoji: r.Emoji,
		ReplyTo: which[r.ReplyTo], Amends: which[r.Amends], EditedBy: which[r.EditedBy], DeletedBy: which[r.DeletedBy],
		Own: r.Own, Answers: r.Answers, Entitled: r.Entitled, Effective: r.Effective, Held: r.OnHold,
	}
	for _, jid := range r.Mentions {
		s.Mentions = append(s.Mentions, names.OfJID(jid))
	}
	for _, p := range r.Participants {
		s.Participants = append(s.Participants, names.OfJID(p.JID))
	}
	if r.HasFile {
		s.File = w.kept(db, tx, r)
	}
	s.Quotes = w.quoted(tx, names, r.Seq)
	return s
}

// quoted says what a record quotes.
func (w *town) quoted(tx *sqlite.Tx, names *people.Names, seq record.Seq) (quotes []string) {
	w.t.Helper()
	rows, err := tx.Query("SELECT sender, text FROM quotation WHERE record = ? ORDER BY n", seq)
	w.must(err)
	defer rows.Close()
	for rows.Next() {
		var sender, text string
		w.must(rows.Scan(&sender, &text))
		quotes = append(quotes, fmt.Sprintf("%s: %q", names.OfJID(sender), text))
	}
	w.must(rows.Err())
	return quotes
}

// kept says what is kept of a record's file.
func (w *town) kept(db *sqlite.DB, tx *sqlite.Tx, r archive.Record) string {
	found, err := vault.Of(tx, []record.Seq{r.Seq})
	w.must(err)
	m := found[r.Seq]
	about := fmt.Sprintf("%s, %q, %s, %d bytes", m.MIME, m.Name, m.State, m.Size)
	file, err := w.home().Vault(db).Open(tx, r.Seq)
	if err != nil {
		return about + ", not readable"
	}
	defer file.Close()
	b, err := io.ReadAll(file)
	w.must(errors.Join(err, file.Close()))
	return fmt.Sprintf("%s: %x", about, sha256.Sum256(b))
}
