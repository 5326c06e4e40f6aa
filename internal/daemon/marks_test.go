package daemon_test

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"muniment/internal/daemon"
	"muniment/internal/forward"
	"muniment/internal/mail"
	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/sqlite"
	"muniment/internal/standin"
)

// withOffice is a town that has a clerk in the group, and a chair with an address.
type withOffice struct {
	*town
	jo, pat *standin.Member
}

func foundWithOffice(t *testing.T, chair string) withOffice {
	t.Helper()
	w := withOffice{town: found(t)}
	w.jo = w.server.Member("Jo", "+447700900103")
	w.pat = w.server.Member("Pat", "+447700900104")
	w.phone.In(w.official).Adds(w.jo, w.pat)
	w.write(func(tx *sqlite.Tx) error {
		for number, m := range map[string]people.Member{
			"07700 900103": {Name: "Jo Hall", Role: "clerk"},
			"07700 900104": {Name: "Cllr Pat Quill", Role: "chair", Email: chair},
		} {
			a, err := people.ParseNumber(number)
			if err != nil {
				return err
			}
			if err := people.AddMember(tx, time.Now(), "the test", "", m, a); err != nil {
				return err
			}
		}
		return nil
	})
	return w
}

func (w *town) write(f func(*sqlite.Tx) error) {
	w.t.Helper()
	w.archive(func(db *sqlite.DB) error { return db.Write(w.t.Context(), f) })
}

// byTo returns the emails to an address, oldest first.
func (w *town) byTo(emails [][]byte, to string) (all [][]byte) {
	w.t.Helper()
	for _, e := range emails {
		if header(w.t, e, "To") == "<"+to+">" {
			all = append(all, e)
		}
	}
	return all
}

// Every mark does what it is for, and each email goes to nobody but whom it is for.
func TestEveryMark(t *testing.T) {
	w := foundWithOffice(t, "chair@cranford-pc.example")
	stop := w.run()
	defer stop()
	rent := w.ann.Says("Mrs Green is behind with the rent for plot 4.")
	list := w.jo.In(w.official).Says("I shall put the whole list up in the hall.")
	w.bo.Reacts(rent, "🚩")
	w.ann.Reacts(list, "🚩")
	w.bo.Reacts(list, "🔒")
	w.pat.In(w.official).Reacts(rent, "📌")
	w.stranger.Reacts(rent, "🚩") // on no register
	w.pat.In(w.official).Reacts(list, "⛔")
	w.must(w.server.WaitSettled(w.soon()))
	emails := w.emailed(4)

	clerks := w.byTo(emails, "clerk@cranford-pc.example")
	slices.SortFunc(clerks, func(a, b []byte) int { return strings.Compare(header(t, a, "Subject"), header(t, b, "Subject")) })
	if len(clerks) != 2 || !strings.Contains(header(t, clerks[0], "Subject"), "A concern was reported") || !strings.Contains(header(t, clerks[1], "Subject"), "Please look") {
		t.Fatalf("the clerk has %d emails; want a report and a question", len(clerks))
	}
	tells(t, plain(clerks[0]), "Cllr Bo Carter marked a message", "This is a report, not a finding", "plot 4", "72 hours", "not to the council mailbox")
	tells(t, plain(clerks[1]), "Cllr Bo Carter asks whether record", "the whole list up")
	tellsNot(t, plain(clerks[1]), "plot 4")
	chairs := w.byTo(emails, "chair@cranford-pc.example")
	if len(chairs) != 1 {
		t.Fatalf("the chair has %d emails; want a report", len(chairs))
	}
	tells(t, plain(chairs[0]), "Cllr Ann Brook marked a message", "the whole list up", "goes to the chair, and not to the clerk")
	if councils := w.byTo(emails, "council@cranford-pc.example"); len(councils) != 1 {
		t.Errorf("the council mailbox has %d emails; want the important conversation", len(councils))
	} else {
		w.agreesWith(plain(councils[0]))
	}

	// What happens to it afterwards goes where it went.
	w.jo.In(w.official).Edits(list, "(withdrawn)")
	w.pat.In(w.official).TakesBack(rent)
	w.must(w.server.WaitSettled(w.soon()))
	emails = w.emailed(9) // four corrections, since all of them have the edited message, and the note
	note := emails[slices.IndexFunc(emails, func(e []byte) bool { return strings.Contains(header(t, e, "Subject"), "taken back") })]
	important := w.byTo(emails, "council@cranford-pc.example")[0]
	if header(t, note, "In-Reply-To") != header(t, important, "Message-Id") || header(t, note, "References") != header(t, important, "Message-Id") {
		t.Errorf("the note is not in the thread: %s", header(t, note, "In-Reply-To"))
	}
	tells(t, plain(note), "Cllr Pat Quill, who had marked record", "nothing is recalled")
	if n := len(w.byTo(emails, "chair@cranford-pc.example")); n != 2 {
		t.Errorf("the chair has %d emails; want the report and its correction", n)
	}
	stop()
	w.read(func(tx *sqlite.Tx) error {
		n, err := forward.Missed(tx, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
		if n != (forward.Misses{NotAllowed: 1, LookAlikes: 1}) {
			t.Errorf("missed: %+v", n)
		}
		return err
	})
	w.logTellsNothing()
	w.verifies()
	w.onlyReceives()
}

// A report about the clerk waits as long as nobody but the clerk could be told, and then
// goes by itself.
func TestAReportWaitsForTheChair(t *testing.T) {
	w := foundWithOffice(t, "pat@mail.example")
	stop := w.run()
	list := w.jo.In(w.official).Says("I shall put the whole list up in the hall.")
	w.ann.Reacts(list, "🚩")
	w.must(w.server.WaitSettled(w.soon()))
	stop()
	stop = w.run() // that it waits is looked at now, and else every minute
	alarmed := func(e []byte) bool {
		return isAlert(e) && strings.Contains(plain(e), "There is no address of the chair")
	}
	for ctx := w.soon(); !slices.ContainsFunc(w.post.Emails(), alarmed); time.Sleep(10 * time.Millisecond) {
		w.must(ctx.Err())
	}
	stop()
	if n := len(w.emails()); n != 0 {
		t.Fatalf("%d emails went", n)
	}
	w.write(func(tx *sqlite.Tx) error {
		m, err := people.MemberNamed(tx, "Cllr Pat Quill")
		if err != nil {
			return err
		}
		m.Email = "chair@cranford-pc.example"
		return people.EditMember(tx, time.Now(), "the test", "", m)
	})
	stop = w.run()
	defer stop()
	if to := header(t, w.emailed(1)[0], "To"); to != "<chair@cranford-pc.example>" {
		t.Errorf("it went to %s", to)
	}
}

// By hand, while the daemon runs.
func TestForwardedByHandBesideTheDaemon(t *testing.T) {
	w := found(t)
	stop := w.run()
	defer stop()
	m := w.ann.Says("The bridge is closed.")
	w.must(w.server.WaitSettled(w.soon()))
	seq := w.records()[m.ID()][0].Seq
	c := w.options().Config
	w.write(func(tx *sqlite.Tx) error {
		h, err := daemon.ForwardByHand(tx, c, time.Now(), seq, "Jo Hall", "for the file")
		if h.Messages != 1 {
			t.Errorf("by hand: %+v", h)
		}
		return err
	})
	w.bo.Reacts(m, "😮")
	w.must(w.server.WaitSettled(w.soon())) // which wakes the outbox
	tells(t, plain(w.emailed(1)[0]), "was forwarded by hand for Jo Hall", "The bridge is closed.")
}

// The daemon is killed when the reaction is committed and nothing else is: each mark sends
// its email once all the same.
func TestKilledBetweenAMarkAndItsEmail(t *testing.T) {
	if testing.Short() {
		t.Skip("starts the daemon four times; of no use to the race detector")
	}
	w := foundWithOffice(t, "chair@cranford-pc.example")
	w.showLogOfFailure()
	w.environment = append(w.environment, childControl+"="+t.TempDir())
	rent := w.ann.Says("Mrs Green is behind with the rent for plot 4.")
	list := w.jo.In(w.official).Says("I shall put the whole list up in the hall.")
	mark := []func(){
		func() { w.bo.Reacts(rent, "🚩") },
		func() { w.bo.Reacts(list, "🔒") },
		func() { w.pat.In(w.official).Reacts(list, "🚩") },
	}
	var c *exec.Cmd
	for _, react := range mark {
		c = w.spawn()
		w.must(w.server.WaitOnline(w.soon()))
		w.must(w.server.WaitSettled(w.soon()))
		w.must(c.Process.Signal(killAfterCommit))
		react()
		gone := make(chan error, 1)
		go func() { gone <- c.Wait() }()
		for dead := false; !dead; {
			select {
			case <-gone:
				dead = true
			case <-time.After(time.Second): // the signal came after the reaction: the next record, then
				w.stranger.Says("Is anybody there?")
			}
		}
	}
	c = w.spawn()
	w.must(w.server.WaitSettled(w.soon()))
	emails := w.emailed(len(mark))
	w.must(c.Process.Signal(syscall.SIGTERM))
	_ = c.Wait()
	seen := make(map[string]int)
	for _, e := range w.emails() {
		seen[header(t, e, "Message-Id")]++
	}
	if len(emails) != len(mark) || len(seen) != len(mark) {
		t.Errorf("%d emails of %d kinds went; want %d", len(emails), len(seen), len(mark))
	}
	w.read(func(tx *sqlite.Tx) error {
		items, err := mail.List(tx, mail.HandedOver)
		items = slices.DeleteFunc(items, func(it mail.Item) bool { return it.Kind != forward.Letter })
		for i, it := range items {
			c, err := forward.Load(tx, it.About)
			if err != nil {
				return err
			}
			if want := []record.Deed{record.Report, record.Look, record.Report}[i]; c.Does != want {
				t.Errorf("email %d is a %s; want %s", i+1, c.Does, want)
			}
		}
		if len(items) != len(mark) {
			err = fmt.Errorf("%d emails handed over", len(items))
		}
		return err
	})
}
