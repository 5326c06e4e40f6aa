package mail

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/google/go-cmp/cmp"

	"muniment/internal/sqlite"
)

// queueFor owes an email to several.
func (o *office) queueFor(about int64, urgent bool, to ...string) Item {
	o.t.Helper()
	o.write(func(tx *sqlite.Tx) error {
		_, err := Queue(tx, o.now(), Item{Kind: "letter", About: about, MessageID: MessageID("letter", about, "abc", "council@council.test"),
			From: "council@council.test", To: to, Urgent: urgent})
		return err
	})
	return o.find("letter", about)
}

// expectEach compares an email's states, in the order of its recipients' addresses.
func (o *office) expectEach(about int64, want ...State) Item {
	o.t.Helper()
	it := o.find("letter", about)
	var got []State
	for _, r := range it.Recipients {
		got = append(got, r.State)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		o.t.Errorf("recipients (-want +got)\n%s", diff)
	}
	return it
}

// One mailbox is full, one is gone, one is in order: what comes of one is nothing to the others.
func TestEachRecipientForItself(t *testing.T) {
	s, tr := goodServer(t, STARTTLS)
	o := newOffice(t, tr.Send)
	full := true
	s.do(func(s *server) {
		s.onRcpt = func(to string) error {
			switch {
			case to == "a@council.test" && full:
				return answer(452, [3]int{4, 2, 2}, "full")
			case to == "b@council.test":
				return answer(550, [3]int{5, 1, 1}, "gone")
			}
			return nil
		}
	})
	o.queueFor(1, false, "c@council.test", "a@council.test", "b@council.test", "a@council.test")
	o.deliver()
	if it := o.expectEach(1, Queued, Refused, HandedOver); it.State != Queued || !it.FinishedAt.IsZero() {
		t.Errorf("in all %s, finished %v", it.State, it.FinishedAt)
	}
	s.do(func(*server) { full = false })
	o.says = "written since"
	o.step(time.Hour)
	o.deliver()
	if it := o.expectEach(1, HandedOver, Refused, HandedOver); it.State != HandedOver || !it.FinishedAt.Equal(o.now()) {
		t.Errorf("in all %s, finished %v", it.State, it.FinishedAt)
	}
	mails := s.mails()
	if len(mails) != 2 || string(mails[0].body) != string(mails[1].body) || mails[0].to != "c@council.test" || mails[1].to != "a@council.test" {
		t.Errorf("%q", mails)
	}
	// One day the third mailbox is there again, and gets what the others have.
	s.do(func(s *server) { s.onRcpt = nil })
	o.write(func(tx *sqlite.Tx) error {
		return Retry(tx, o.now(), o.find("letter", 1).ID, "Jo Marsh", "mended")
	})
	o.deliver()
	o.expectEach(1, HandedOver, HandedOver, HandedOver)
	if mails := s.mails(); len(mails) != 3 || string(mails[2].body) != string(mails[0].body) || o.inFiles("\r\n\r\n.letter 1") {
		t.Errorf("%q", mails)
	}
}

// What fails by itself is told of after a day, and expires after five; nothing is dropped.
func TestExpires(t *testing.T) {
	if testing.Short() {
		t.Skip("one thing after another, which the race detector watches for long")
	}
	s, tr := goodServer(t, STARTTLS)
	o := newOffice(t, tr.Send)
	s.do(func(s *server) {
		s.onRcpt = func(string) error { return answer(450, [3]int{4, 2, 0}, "greylisted, for ever") }
	})
	it := o.queue("letter", 1)
	for day := range 5 {
		for range 24 {
			o.deliver()
			o.step(time.Hour)
		}
		if got := o.find("letter", 1); got.State != Queued || got.Recipients[0].Stuck() != (day > 0) {
			t.Fatalf("after day %d it is %s, stuck %v", day+1, got.State, got.Recipients[0].Stuck())
		}
	}
	o.deliver()
	if got := o.find("letter", 1); got.State != Expired || !strings.Contains(got.Recipients[0].LastAnswer, "450 4.2.0") {
		t.Errorf("it is %s (%s)", got.State, got.Recipients[0].LastAnswer)
	}
	if got := o.journaled(); !slices.Equal(got, []string{"email expired letter 1"}) {
		t.Errorf("journal: %s", got)
	}
	s.do(func(s *server) { s.onRcpt = nil })
	o.write(func(tx *sqlite.Tx) error { return Retry(tx, o.now(), it.ID, "Jo Marsh", "mended") })
	o.deliver()
	if got := o.find("letter", 1); got.State != HandedOver || !got.ComposedAt.Equal(o.now()) {
		t.Errorf("tried again, it is %s, composed at %v", got.State, got.ComposedAt)
	}
}

// That no email at all can go is not the email's fault, however long.
func TestAnOutageMakesNothingExpire(t *testing.T) {
	if testing.Short() {
		t.Skip("one thing after another, which the race detector watches for long")
	}
	s, tr := goodServer(t, STARTTLS)
	o := newOffice(t, tr.Send)
	s.do(func(s *server) { s.password = "changed" })
	it := o.queue("letter", 1)
	for range 10 * 24 {
		o.deliver()
		o.step(time.Hour)
	}
	if got := o.find("letter", 1); got.State != Queued || got.Recipients[0].Stuck() {
		t.Errorf("after ten days it is %s, stuck %v", got.State, got.Recipients[0].Stuck())
	}
	s.do(func(s *server) { s.password = password })
	o.deliver()
	if got := o.find(it.Kind, it.About); got.State != HandedOver {
		t.Errorf("it is %s", got.State)
	}
}

// What may have arrived goes again as it was, even years later and on somebody's word; it
// is in the files as long as that is not known.
func TestWhatMayHaveArrivedIsKept(t *testing.T) {
	if testing.Short() {
		t.Skip("one thing after another, which the race detector watches for long")
	}
	s, tr := goodServer(t, STARTTLS)
	o := newOffice(t, tr.Send)
	s.do(func(s *server) { s.onData = s.dieUnanswered })
	o.says = strings.Repeat("the culvert is blocked again\r\n", 500)
	it := o.queue("letter", 1)
	for range 6 * 24 {
		o.deliver()
		o.step(time.Hour)
	}
	if got := o.find("letter", 1); got.State != Expired || !got.Recipients[0].MayHaveIt {
		t.Fatalf("it is %s, may have arrived: %v", got.State, got.Recipients[0].MayHaveIt)
	}
	if !o.inFiles("the culvert is blocked") {
		t.Error("its bytes are gone, though it may have arrived")
	}
	o.says = "something else"
	s.do(func(s *server) { s.onData = nil })
	o.write(func(tx *sqlite.Tx) error { return Retry(tx, o.now(), it.ID, "Jo Marsh", "mended") })
	o.deliver()
	if got := o.find("letter", 1); got.State != HandedOver || got.Recipients[0].MayHaveIt {
		t.Errorf("it is %s", got.State)
	}
	mails := s.mails()
	for _, m := range mails {
		if string(m.body) != string(mails[0].body) {
			t.Fatal("two emails that differ")
		}
	}
	if o.inFiles("the culvert is blocked") {
		t.Error("its bytes are there still, though it was handed over")
	}
	if want := len(mails) - 1; want < 5 {
		t.Errorf("only %d attempts in doubt", want)
	}
}

// Of what is destroyed nothing is kept to be sent, whatever came of the email.
func TestDiscardOfWhatMayHaveArrived(t *testing.T) {
	o := newOffice(t, func(context.Context, string, string, []byte) (string, error) {
		return "", &Failure{Stage: GivingMessage, whole: true}
	})
	o.says = strings.Repeat("the culvert is blocked again ", 500)
	o.queue("letter", 1)
	for range 6 * 24 {
		o.deliver()
		o.step(time.Hour)
	}
	before := o.find("letter", 1)
	o.write(func(tx *sqlite.Tx) error { _, err := Discard(tx, "letter", 1); return err })
	if after := o.find("letter", 1); after.State != Expired || !after.ComposedAt.Equal(before.ComposedAt) || o.inFiles("the culvert is blocked") {
		t.Errorf("discarded: %+v", after)
	}
}

// An alert does not wait for what has waited for longer, nor for the next hour.
func TestUrgentGoesFirst(t *testing.T) {
	s, tr := goodServer(t, STARTTLS)
	o := newOffice(t, tr.Send)
	o.perHour = 2
	o.restart()
	for n := range int64(4) {
		o.queueFor(n, false, fmt.Sprintf("n%d@council.test", n))
		o.step(time.Second)
	}
	o.queueFor(9, true, "clerk@council.test")
	o.deliver()
	o.queueFor(10, true, "clerk@council.test")
	o.deliver()
	var to []string
	for _, m := range s.mails() {
		to = append(to, m.to)
	}
	// The urgent one counts within the hour, and is not held up by it.
	if want := []string{"clerk@council.test", "n0@council.test", "clerk@council.test"}; !slices.Equal(to, want) {
		t.Errorf("went to %q; want %q", to, want)
	}
}

func TestByHand(t *testing.T) {
	s, tr := goodServer(t, STARTTLS)
	o := newOffice(t, tr.Send)
	do := func(act func(*sqlite.Tx, time.Time, int64, string, string) error, id int64) error {
		return o.db.Write(t.Context(), func(tx *sqlite.Tx) error { return act(tx, o.now(), id, "Jo Marsh", "she said so") })
	}
	expectErr := func(err, want error) {
		t.Helper()
		if !errors.Is(err, want) {
			t.Errorf("err %v; want %v", err, want)
		}
	}
	expectErr(do(Retry, 7), ErrNotQueued)
	expectErr(do(CancelByHand, 7), ErrNotQueued)

	it := o.queue("letter", 1)
	expectErr(do(CancelByHand, it.ID), nil)
	o.deliver()
	o.expect(it, Cancelled, 0)
	expectErr(do(CancelByHand, it.ID), ErrNotOwed)
	expectErr(do(Retry, it.ID), nil)
	s.do(func(s *server) {
		s.beforeData = func() {
			expectErr(do(Retry, it.ID), ErrOnItsWay)
			expectErr(do(CancelByHand, it.ID), ErrOnItsWay)
		}
	})
	o.deliver()
	o.expect(it, HandedOver, 1)
	expectErr(do(Retry, it.ID), ErrNotOwed)
	expectErr(do(CancelByHand, it.ID), ErrNotOwed)

	s.do(func(s *server) {
		s.beforeData = nil
		s.onData = func(*smtp.Conn, kept) error { return answer(451, [3]int{4, 3, 0}, "later") }
	})
	slow := o.queue("letter", 2)
	o.deliver()
	s.do(func(s *server) { s.onData = nil })
	o.deliver()
	o.expect(slow, Queued, 1)
	expectErr(do(Retry, slow.ID), nil) // it need not wait for its time
	o.deliver()
	o.expect(slow, HandedOver, 2)

	early := Item{Kind: "letter", About: 3, MessageID: "e@x", From: "a@council.test", To: []string{"b@council.test"}, NotBefore: o.now().Add(time.Hour)}
	o.write(func(tx *sqlite.Tx) (err error) { early.ID, err = Queue(tx, o.now(), early); return err })
	expectErr(do(Retry, early.ID), ErrTooEarly)
	expectErr(do(CancelByHand, early.ID), nil)

	want := []string{"email taken back letter 1", "email to be tried again letter 1", "email handed over letter 1",
		"email to be tried again letter 2", "email handed over letter 2", "email taken back letter 3"}
	if diff := cmp.Diff(want, o.journaled()); diff != "" {
		t.Errorf("journal (-want +got)\n%s", diff)
	}
}
