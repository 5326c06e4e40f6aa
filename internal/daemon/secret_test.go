package daemon_test

import (
	"slices"
	"strings"
	"testing"

	"muniment/internal/archive"
	"muniment/internal/journal"
	"muniment/internal/mail"
	"muniment/internal/record"
	"muniment/internal/sqlite"
	"muniment/internal/standin"
)

// sealed of a member is what newer apps send.
func sealed(m *standin.Member) standin.Voice { return m.Sealed() }

func (w *town) the(m *standin.Message) archive.Record {
	w.t.Helper()
	rs := w.records()[m.ID()]
	if len(rs) != 1 {
		w.t.Fatalf("message %s is %d records", m.ID(), len(rs))
	}
	return rs[0]
}

// A mark is a mark, and an edit calls for a correction, whether they are encrypted under
// the secret of the message or not.
func TestAnEncryptedMarkAndAnEncryptedEdit(t *testing.T) {
	w := found(t)
	stop := w.run()
	m := w.ann.Says("The hall is booked for the 12th.")
	mark := sealed(w.bo).Reacts(m, "📌")
	first := w.emailed(1)[0]
	if text := plain(first); !strings.Contains(text, "booked for the 12th") || !strings.Contains(text, "Cllr Bo Carter") {
		t.Errorf("the email: %s", text)
	}
	edit := sealed(w.ann).Edits(m, "The hall is booked for the 14th.")
	if text := plain(w.emailed(2)[1]); !strings.Contains(text, "booked for the 14th") {
		t.Errorf("the correction: %s", text)
	}
	stop()
	if r := w.the(mark); r.Kind != record.Reaction || r.Emoji != "📌" || !r.Effective {
		t.Errorf("the mark: %+v", r)
	}
	if r := w.the(m); r.EditedBy != w.the(edit).Seq {
		t.Errorf("the message: %+v", r)
	}
	if n := len(w.journaled(journal.ReadAgain)); n != 0 {
		t.Errorf("%d times something was read again: all could be read at once", n)
	}
	w.accounted()
	w.verifies()
	w.onlyReceives()
}

// What comes before the message whose secret it takes has its effects when that comes,
// and only then.
func TestTheMessageComesLast(t *testing.T) {
	w := found(t)
	stop := w.run()
	lost := w.ann.Unhearing().Garbled().Polls("When shall we meet?", "Monday", "Tuesday")
	mark := sealed(w.bo).Reacts(lost, "📌")
	vote := w.bo.Votes(lost, "Tuesday")
	changed := w.bo.Votes(lost, "Monday")
	comment := sealed(w.bo).Comments(lost, "Before the harvest, please.")
	w.must(w.server.WaitSettled(w.soon()))
	for _, m := range []*standin.Message{mark, vote, changed, comment} {
		if r := w.the(m); r.Type != record.Sealed || r.Text != "" || r.Kind != record.Message && r.Effective {
			t.Errorf("while the message is not here: %+v", r)
		}
	}
	lost.Resend()
	email := w.emailed(1)[0]
	stop()
	if text := plain(email); !strings.Contains(text, "When shall we meet?") || !strings.Contains(text, "Before the harvest") {
		t.Errorf("the email: %s", text)
	}
	poll := w.the(lost)
	if poll.Seq < w.the(comment).Seq {
		t.Fatal("the poll came first")
	}
	for _, want := range []struct {
		m         *standin.Message
		typ       record.Type
		text      string
		effective bool
	}{{mark, record.ReactionAdded, "", true}, {vote, record.Cast, "Tuesday", false}, {changed, record.Cast, "Monday", true}, {comment, record.Comment, "Before the harvest, please.", true}} {
		r := w.the(want.m)
		if r.Type != want.typ || r.Text != want.text || r.Effective != want.effective || r.ReplyTo != poll.Seq {
			t.Errorf("once the message is here: %+v", r)
		}
		if r.Kind.Follows() && r.Due != poll.Due {
			t.Errorf("%s is due on %s; the message on %s", r.Kind, r.Due, poll.Due)
		}
	}
	w.search("harvest", w.the(comment).Seq)
	w.verifies()
	for _, secret := range []string{"harvest", "Monday", "Tuesday"} {
		if strings.Contains(w.log.String(), secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
	stop = w.run()
	lost.Again()
	w.must(w.server.WaitSettled(w.soon()))
	stop()
	if n := len(w.journaled(journal.ReadAgain)); n != 2 { // votes come after all else
		t.Errorf("%d entries say that something was read again", n)
	}
	w.accounted()
}

func (w *town) search(words string, want ...record.Seq) {
	w.t.Helper()
	w.archive(func(db *sqlite.DB) error {
		return db.Write(w.t.Context(), func(tx *sqlite.Tx) error {
			q, err := archive.ParseQuery(words)
			if err != nil {
				return err
			}
			found, err := archive.SearchAll(tx, q)
			if !slices.Equal(found, want) {
				w.t.Errorf("%s finds %v; want %v", words, found, want)
			}
			return err
		})
	})
}

// What is forged has no effect: an edit by another than the author is an attempt; what
// was sealed in another's name, or under an address that is not the sender's, nobody can
// read.
func TestForgedSecrets(t *testing.T) {
	w := found(t)
	stop := w.run()
	m := w.ann.Says("The hall is booked for the 12th.")
	poll := w.ann.Polls("When?", "Monday", "Tuesday")
	edit := w.stranger.Sealed().Forging().Edits(m, "The hall is not booked at all.")
	posing := w.stranger.Sealed().Forging().Posing(w.ann).Edits(m, "The hall has burnt down.")
	vote := w.stranger.Posing(w.bo).Votes(poll, "Monday")
	mark := w.stranger.Sealed().Posing(w.bo).Reacts(m, "📌")
	w.must(w.server.WaitSettled(w.soon()))
	stop()
	if r := w.the(edit); r.Type != record.Text || r.Entitled || r.Effective {
		t.Errorf("an edit by another: %+v", r)
	}
	for _, forged := range []*standin.Message{posing, vote, mark} {
		if r := w.the(forged); r.Type != record.Sealed || r.Effective || r.Text != "" || r.Emoji != "" {
			t.Errorf("forged: %+v", r)
		}
	}
	if r := w.the(m); !r.Effective || r.EditedBy != 0 {
		t.Errorf("the message: %+v", r)
	}
	if n := len(w.emails()); n != 0 {
		t.Errorf("%d emails", n)
	}
	if x := w.reindexes(false); x.Unread["encrypted vote"] != 1 || x.Unread["encrypted edit"] != 1 || x.Unread["encrypted reaction"] != 1 || len(x.News) > 0 {
		t.Errorf("read again: %v; not: %v", x.News, x.Unread)
	}
	w.accounted()
	w.verifies()
}

// An option that comes after a vote for it makes the vote whole.
func TestAVoteForAnOptionThatComesLater(t *testing.T) {
	w := found(t)
	stop := w.run()
	poll := w.ann.PollsFreely("What shall we buy?", "Bins", "Benches")
	option := w.bo.Unhearing().Garbled().AddsOption(poll, "A bell")
	vote := w.ann.Votes(poll, "Bins", "A bell")
	w.must(w.server.WaitSettled(w.soon()))
	if r := w.the(vote); r.Text != "Bins" || r.Details.Unknown != 1 || !r.Effective {
		t.Errorf("while the option is not here: %+v", r)
	}
	w.verifies()
	option.Resend()
	w.must(w.server.WaitSettled(w.soon()))
	stop()
	if r := w.the(vote); r.Text != "Bins\nA bell" || r.Details.Unknown != 0 || !r.Effective || r.Seq > w.the(option).Seq {
		t.Errorf("when the option has come: %+v", r)
	}
	w.search("bell", w.the(option).Seq, w.the(vote).Seq)

	stop = w.run() // and where both wait for the poll
	poll = w.ann.Unhearing().Garbled().PollsFreely("What shall we plant?", "Bulbs")
	vote = w.ann.Votes(poll, "Bulbs")
	w.bo.Sealed().AddsOption(poll, "An oak")
	changed := w.ann.Votes(poll, "An oak")
	w.must(w.server.WaitSettled(w.soon()))
	poll.Resend()
	w.must(w.server.WaitSettled(w.soon()))
	stop()
	if r := w.the(changed); r.Text != "An oak" || r.Details.Unknown != 0 || !r.Effective || w.the(vote).Text != "Bulbs" {
		t.Errorf("when the poll has come: %+v", r)
	}
	w.verifies()
	w.accounted()
}

// Marks that an older version could not read are owed once they are read, with what was
// marked; but not those that were taken back, and not of messages that are due to go.
func TestOldMarks(t *testing.T) {
	if testing.Short() {
		t.Skip("one thing after another, which the race detector watches for long")
	}
	w := found(t)
	w.run()() // who is in the group
	m, taken := w.ann.Says("The weir is blocked."), w.ann.Says("The bench is broken.")
	mark, other, back := w.bo.Reacts(m, "📌"), w.bo.Reacts(taken, "📌"), w.bo.TakesBack(taken)
	elsewhere := w.listed("Elsewhere")
	old := w.ann.Says("The lamp is out.")
	oldMark := w.bo.Reacts(old, "📌")
	by := w.stranger.Reacts(old, "📌")
	asIs := func(_ *standin.Message, r record.Received) record.Received { return r }
	longAgo := func(_ *standin.Message, r record.Received) record.Received {
		r.Sent = r.Sent.AddDate(-7, 0, 0)
		return r
	}
	w.captures(asIs, m, taken)
	w.captures(longAgo, old)
	w.capturesUnread(mark, other, oldMark, by)
	var between []*standin.Message
	for range 60 { // more than are set at once
		between = append(between, w.ann.In(elsewhere).Says("Well."))
	}
	w.capturesUnread(append(between, back)...)
	if x := w.reindexes(false); x.News[record.Reaction] != 5 {
		t.Errorf("read: %v", x.News)
	}
	stop := w.run()
	w.emailed(2) // one is the notice that the old ones are to be destroyed
	w.must(w.server.WaitSettled(w.soon()))
	stop()
	said := ""
	for _, email := range w.emails() {
		said += plain(email)
	}
	w.read(func(tx *sqlite.Tx) error {
		cancelled, err := mail.List(tx, mail.Cancelled)
		if len(cancelled) != 0 {
			t.Errorf("%d emails were owed for a moment", len(cancelled))
		}
		return err
	})
	if n := len(w.emails()); n != 2 || !strings.Contains(said, "The weir is blocked.") || strings.Contains(said, "The lamp is out.") {
		t.Errorf("the %d emails say %s", n, said)
	}
	w.verifies()
}

// Records are read again while the daemon captures, and neither waits long for the other.
func TestReadAgainBesideTheDaemon(t *testing.T) {
	many, more := 120, 60
	if testing.Short() {
		many, more = 40, 15
	}
	w := found(t)
	w.run()()
	var old []*standin.Message
	for range many {
		old = append(old, w.ann.Says("One of many."))
	}
	w.capturesUnread(old...)
	stop := w.run()
	sent := make(chan bool)
	go func() {
		defer close(sent)
		for range more {
			w.bo.Reacts(old[0], "👍")
			w.ann.Votes(w.ann.Polls("When?", "Monday"), "Monday")
		}
	}()
	x := w.reindexes(false)
	<-sent
	w.must(w.server.WaitSettled(w.soon()))
	stop()
	if x.News[record.Message] != int64(many) {
		t.Errorf("read: %v", x.News)
	}
	w.search("many", func() (all []record.Seq) {
		for _, m := range slices.Backward(old) {
			all = append(all, w.the(m).Seq)
		}
		return all
	}()...)
	w.accounted()
	w.verifies()
}
