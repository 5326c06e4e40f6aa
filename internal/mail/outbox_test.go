package mail

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/google/go-cmp/cmp"

	"muniment/internal/journal"
	"muniment/internal/sqlite"
	"muniment/internal/sqlite/sqlitetest"
)

// An office has an archive, an outbox and a clock that the test sets.
type office struct {
	t    *testing.T
	path string
	db   *sqlite.DB
	box  *Outbox
	send func(ctx context.Context, from, to string, msg []byte) (string, error)

	mu      sync.Mutex
	clock   time.Time
	log     bytes.Buffer
	perHour int
	nothing bool   // compose has nothing to send
	says    string // what compose has letters say
	broken  error  // compose fails
	kept    string // the recipient that is not allowed
}

func newOffice(t *testing.T, send func(ctx context.Context, from, to string, msg []byte) (string, error)) *office {
	t.Helper()
	o := &office{
		t:     t,
		path:  filepath.Join(t.TempDir(), "archive.db"),
		send:  send,
		clock: time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC),
	}
	db, err := sqlitetest.Create(t.Context(), o.path)
	if err != nil {
		t.Fatal(err)
	}
	db.Close()
	o.restart()
	t.Cleanup(func() {
		o.db.Close()
		if log := o.log.String(); strings.Contains(log, "@") || strings.Contains(log, password) {
			t.Errorf("the log holds an address or the password:\n%s", log)
		}
	})
	return o
}

// restart is what a crash and a new start are to the outbox.
func (o *office) restart() {
	o.t.Helper()
	if o.db != nil {
		o.db.Close()
	}
	db, err := sqlite.Open(context.Background(), o.path)
	if err != nil {
		o.t.Fatal(err)
	}
	o.db = db
	log := slog.New(slog.NewTextHandler(&o.log, nil))
	o.box = New(db, log, o.allowed, o.send, o.compose, o.now, o.perHour)
}

func (o *office) now() time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.clock
}

func (o *office) step(d time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.clock = o.clock.Add(d)
}

func (o *office) allowed(to string) bool { return to != o.kept }

// compose writes a letter that bears the time it is given and no other.
func (o *office) compose(_ context.Context, it Item) ([]byte, error) {
	if o.nothing {
		return nil, fmt.Errorf("letter: %w", ErrNothingToSend)
	}
	return fmt.Appendf(nil, "Message-ID: <%s>\r\nDate: %s\r\nFrom: %s\r\n\r\n.%s %d%s\r\n",
		it.MessageID, it.ComposedAt.Format(time.RFC3339Nano), it.From, it.Kind, it.About, o.says), o.broken
}

func (o *office) queue(kind string, about int64) Item {
	o.t.Helper()
	it := Item{
		Kind: kind, About: about, MessageID: MessageID(kind, about, "abc", "council@council.test"),
		From: "council@council.test", To: []string{kind + "@council.test"},
	}
	o.write(func(tx *sqlite.Tx) error {
		_, err := Queue(tx, o.now(), it)
		return err
	})
	return o.find(kind, about)
}

func (o *office) write(f func(tx *sqlite.Tx) error) {
	o.t.Helper()
	if err := o.db.Write(context.Background(), f); err != nil {
		o.t.Fatal(err)
	}
}

func (o *office) find(kind string, about int64) (it Item) {
	o.t.Helper()
	if err := o.db.Read(context.Background(), func(tx *sqlite.Tx) (err error) {
		it, err = Find(tx, kind, about)
		return err
	}); err != nil {
		o.t.Fatal(err)
	}
	return it
}

func (o *office) deliver() {
	o.t.Helper()
	if err := o.box.DeliverDue(o.t.Context()); err != nil {
		o.t.Fatal(err)
	}
}

// expect compares an email's state and number of attempts.
func (o *office) expect(it Item, state State, attempts int) Item {
	o.t.Helper()
	got := o.find(it.Kind, it.About)
	if got.State != state || got.Recipients[0].Attempts != attempts {
		o.t.Errorf("email %q about %d is %s after %d attempts (%s); want %s after %d",
			it.Kind, it.About, got.State, got.Recipients[0].Attempts, got.Recipients[0].LastAnswer, state, attempts)
	}
	return got
}

// journaled returns what the journal tells of emails, as "act about".
func (o *office) journaled() (acts []string) {
	o.t.Helper()
	if err := o.db.Read(context.Background(), func(tx *sqlite.Tx) error {
		return journal.Each(tx, func(e journal.Entry) error {
			acts = append(acts, fmt.Sprintf("%s %v %v", e.Act, e.About["kind"], e.About["about"]))
			return nil
		})
	}); err != nil {
		o.t.Fatal(err)
	}
	return acts
}

func TestHandOver(t *testing.T) {
	s, tr := goodServer(t, STARTTLS)
	o := newOffice(t, tr.Send)
	it := o.queue("letter", 1)
	o.deliver()
	o.deliver()
	it = o.expect(it, HandedOver, 1)
	if !strings.HasPrefix(it.Recipients[0].LastAnswer, "250 ") || !it.FinishedAt.Equal(o.now()) || !it.ComposedAt.Equal(o.now()) {
		t.Errorf("%+v", it)
	}
	mails := s.mails()
	if want, _ := o.compose(t.Context(), it); len(mails) != 1 || !bytes.Equal(mails[0].body, want) || mails[0].to != it.To[0] {
		t.Errorf("the server has %q; want %q once", mails, want)
	}
	if got := fmt.Sprint(o.journaled()); got != "[email handed over letter 1]" {
		t.Errorf("journal: %s", got)
	}
}

func TestQueueTwiceOwesOnce(t *testing.T) {
	s, tr := goodServer(t, STARTTLS)
	o := newOffice(t, tr.Send)
	first := o.queue("letter", 1)
	o.step(time.Hour)
	if second := o.queue("letter", 1); !cmp.Equal(second, first) {
		t.Errorf("queued twice: %+v; was %+v", second, first)
	}
	other := o.queue("notice", 1)
	o.deliver()
	if again := o.queue("letter", 1); again.State != HandedOver {
		t.Errorf("queued after it was handed over: %s", again.State)
	}
	o.deliver()
	o.expect(first, HandedOver, 1)
	o.expect(other, HandedOver, 1)
	if n := len(s.mails()); n != 2 {
		t.Errorf("the server has %d emails; want 2", n)
	}
	err := o.db.Write(t.Context(), func(tx *sqlite.Tx) error {
		it := first
		it.About = 2
		_, err := Queue(tx, o.now(), it)
		return err
	})
	if err == nil {
		t.Error("a Message-ID was used for two emails")
	}
}

func TestQueueIsPartOfItsTransaction(t *testing.T) {
	o := newOffice(t, nil)
	refused := errors.New("refused")
	err := o.db.Write(t.Context(), func(tx *sqlite.Tx) error {
		if _, err := Queue(tx, o.now(), Item{Kind: "letter", MessageID: "m", From: "a", To: []string{"b"}}); err != nil {
			return err
		}
		return refused
	})
	if !errors.Is(err, refused) {
		t.Fatal(err)
	}
	if err := o.db.Read(t.Context(), func(tx *sqlite.Tx) error {
		_, err := Find(tx, "letter", 0)
		return err
	}); !errors.Is(err, ErrNotQueued) {
		t.Errorf("err %v; want ErrNotQueued", err)
	}
}

func TestItWaitsUntilNotBefore(t *testing.T) {
	s, tr := goodServer(t, STARTTLS)
	o := newOffice(t, tr.Send)
	o.write(func(tx *sqlite.Tx) error {
		_, err := Queue(tx, o.now(), Item{Kind: "letter", MessageID: "m", From: "a@council.test", To: []string{"b@council.test"},
			NotBefore: o.now().Add(time.Hour)})
		return err
	})
	o.step(time.Hour - time.Second)
	o.deliver()
	it := o.expect(Item{Kind: "letter"}, Queued, 0)
	o.step(time.Second)
	o.deliver()
	it = o.expect(it, HandedOver, 1)
	if !it.ComposedAt.Equal(it.NotBefore) || len(s.mails()) != 1 {
		t.Errorf("composed at %v, %d emails", it.ComposedAt, len(s.mails()))
	}
}

// What was put off while the clock was ahead is not kept for years once the clock
// is right.
func TestTheClockWasAhead(t *testing.T) {
	s, tr := goodServer(t, STARTTLS)
	o := newOffice(t, tr.Send)
	o.step(3 * 365 * 24 * time.Hour)
	queue := func(about int64, wait time.Duration) Item {
		it := Item{Kind: "letter", About: about, MessageID: fmt.Sprint("m", about), From: "a@council.test", To: []string{"b@council.test"},
			NotBefore: o.now().Add(wait)}
		o.write(func(tx *sqlite.Tx) error {
			_, err := Queue(tx, o.now(), it)
			return err
		})
		return it
	}
	ahead := queue(1, time.Minute)
	s.do(func(s *server) { s.password = "changed" })
	tried := queue(2, 0)
	o.deliver() // and nothing is to be tried for a minute
	s.do(func(s *server) { s.password = password })
	o.step(-3 * 365 * 24 * time.Hour)
	right := queue(3, 24*time.Hour)
	for _, it := range []Item{ahead, tried, right} {
		if got, early := it.Early(o.now()), it.About == right.About; got != early {
			t.Errorf("email %d is early: %v; want %v", it.About, got, early)
		}
	}
	o.deliver()
	o.expect(ahead, HandedOver, 1)
	o.expect(tried, HandedOver, 1)
	o.expect(right, Queued, 0)
	o.step(24 * time.Hour)
	o.deliver()
	o.expect(right, HandedOver, 1)
}

// The configuration has changed: what was queued for an address that is no longer
// the council's waits until it is.
func TestARecipientThatIsNotAllowed(t *testing.T) {
	s, tr := goodServer(t, STARTTLS)
	o := newOffice(t, tr.Send)
	notice := o.queue("notice", 1)
	o.kept = notice.To[0]
	o.perHour = 1
	o.restart()
	later := o.queue("letter", 1)
	o.deliver()
	o.deliver()
	o.expect(later, HandedOver, 1)
	if it := o.expect(notice, Queued, 0); it.Recipients[0].LastAnswer != "its recipient is not at one of the council's domains" || !it.ComposedAt.IsZero() {
		t.Errorf("kept back: %+v", it)
	}
	if n := strings.Count(o.log.String(), "email kept back"); n != 1 {
		t.Errorf("it is logged %d times:\n%s", n, o.log.String())
	}
	o.kept = ""
	o.step(time.Hour)
	o.restart()
	o.deliver()
	o.expect(notice, HandedOver, 1)
	if n := len(s.mails()); n != 2 {
		t.Errorf("%d emails; want 2", n)
	}
}

func TestCancel(t *testing.T) {
	s, tr := goodServer(t, STARTTLS)
	o := newOffice(t, tr.Send)
	cancel := func(it Item) {
		o.write(func(tx *sqlite.Tx) error { return Cancel(tx, it.Kind, it.About, o.now()) })
	}
	it := o.queue("letter", 1)
	cancel(it)
	o.deliver()
	o.expect(it, Cancelled, 0)

	gone := o.queue("letter", 2)
	o.nothing = true
	o.deliver()
	o.nothing = false
	o.expect(gone, Cancelled, 1)
	if n := len(s.mails()); n != 0 {
		t.Errorf("%d emails were sent", n)
	}

	late := o.queue("letter", 3)
	s.do(func(s *server) { s.beforeData = func() { cancel(late) } })
	o.deliver()
	o.expect(late, HandedOver, 1)
	cancel(late)
	o.expect(late, HandedOver, 1)
	cancel(Item{Kind: "letter", About: 99}) // never queued
}

func TestTemporaryThenAccepted(t *testing.T) {
	s, tr := goodServer(t, STARTTLS)
	o := newOffice(t, tr.Send)
	var offered [][]byte
	s.do(func(s *server) {
		s.onData = func(_ *smtp.Conn, m kept) error {
			offered = append(offered, m.body)
			if len(offered) < 3 {
				return answer(451, [3]int{4, 3, 0}, "later, council@council.test\x1b[2J")
			}
			return nil
		}
	})
	it := o.queue("letter", 1)
	o.deliver()
	it = o.expect(it, Queued, 1)
	if !strings.Contains(it.Recipients[0].LastAnswer, "451 4.3.0 later, council@council.test") || strings.Contains(it.Recipients[0].LastAnswer, "\x1b") {
		t.Errorf("last answer %q", it.Recipients[0].LastAnswer)
	}
	if wait := it.Recipients[0].NextAttempt.Sub(o.now()); wait < 45*time.Second || wait > time.Minute {
		t.Errorf("first retry after %v; want about a minute", wait)
	}
	o.deliver()
	o.expect(it, Queued, 1)
	o.step(time.Minute)
	o.deliver()
	o.expect(it, Queued, 2)
	o.step(2 * time.Minute)
	o.deliver()
	o.expect(it, HandedOver, 3)
	for _, b := range offered {
		if !bytes.Equal(b, offered[0]) {
			t.Errorf("an attempt was at\n%s\nafter\n%s", b, offered[0])
		}
	}
	if len(s.mails()) != 1 {
		t.Errorf("%d emails", len(s.mails()))
	}
}

func TestRefusedIsKeptAndDoesNotStopOthers(t *testing.T) {
	s, tr := goodServer(t, STARTTLS)
	o := newOffice(t, tr.Send)
	s.do(func(s *server) {
		s.onRcpt = func(to string) error {
			if to == "notice@council.test" {
				return answer(550, [3]int{5, 1, 1}, "no "+to)
			}
			return nil
		}
	})
	notice, letter := o.queue("notice", 1), o.queue("letter", 1)
	o.deliver()
	o.step(24 * time.Hour)
	o.deliver()
	notice = o.expect(notice, Refused, 1)
	o.expect(letter, HandedOver, 1)
	if !strings.Contains(notice.Recipients[0].LastAnswer, "550 5.1.1 no notice@council.test") {
		t.Errorf("last answer %q", notice.Recipients[0].LastAnswer)
	}
	if got := fmt.Sprint(o.journaled()); got != "[email refused notice 1 email handed over letter 1]" {
		t.Errorf("journal: %s", got)
	}
	var refused []Item
	o.write(func(tx *sqlite.Tx) (err error) {
		refused, err = List(tx, Refused)
		return err
	})
	if len(refused) != 1 || !cmp.Equal(refused[0], notice) {
		t.Errorf("listed as refused: %+v", refused)
	}
	if log := o.log.String(); !strings.Contains(log, "level=ERROR") || !strings.Contains(log, "code=550 enhanced=5.1.1") {
		t.Errorf("log:\n%s", log)
	}
}

func TestOneEmailThatFailsDoesNotHoldUpOthers(t *testing.T) {
	s, tr := goodServer(t, STARTTLS)
	o := newOffice(t, tr.Send)
	s.do(func(s *server) {
		s.onData = func(c *smtp.Conn, m kept) error {
			if m.to == "notice@council.test" {
				c.Conn().Close()
			}
			return nil
		}
	})
	notice := o.queue("notice", 1)
	o.deliver()
	letter := o.queue("letter", 1)
	o.deliver()
	o.expect(notice, Unknown, 1)
	o.expect(letter, HandedOver, 1)

	o.broken = errors.New("no such conversation")
	broken := o.queue("letter", 2)
	o.deliver()
	broken = o.expect(broken, Queued, 1)
	if !broken.Recipients[0].NextAttempt.After(o.now()) {
		t.Error("an email that cannot be composed is due at once")
	}
}

func TestWrongPasswordHoldsTheQueueUntilMended(t *testing.T) {
	s, tr := goodServer(t, STARTTLS)
	o := newOffice(t, tr.Send)
	s.do(func(s *server) { s.password = "changed" })
	first, second := o.queue("letter", 1), o.queue("letter", 2)
	o.deliver()
	o.queue("letter", 3)
	o.deliver()
	o.step(44 * time.Second)
	o.deliver()
	if n := s.tried(); n != 1 {
		t.Errorf("%d logins within the first backoff; want 1", n)
	}
	if it := o.expect(first, Queued, 0); !strings.Contains(it.Recipients[0].LastAnswer, "check user name and password: 535 5.7.8") {
		t.Errorf("last answer %q", it.Recipients[0].LastAnswer)
	}
	o.expect(second, Queued, 0)
	o.step(16 * time.Second)
	o.deliver()
	o.step(time.Minute)
	o.deliver()
	if n := s.tried(); n != 2 {
		t.Errorf("%d logins; want 2", n)
	}
	s.do(func(s *server) { s.password = password })
	o.step(time.Minute)
	o.deliver()
	for i := range int64(3) {
		o.expect(Item{Kind: "letter", About: i + 1}, HandedOver, 1) // what failed for all counts against none
	}
	if got := o.journaled(); len(got) != 3 {
		t.Errorf("journal: %s", got)
	}
}

// The letter is composed once, whatever would be written now, and is nowhere in
// the files when its outcome is known.
func TestComposedOnce(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(o *office, it Item)
		want State
	}{
		{"handed over", func(o *office, _ Item) {
			o.send = func(context.Context, string, string, []byte) (string, error) { return "250 ok", nil }
		}, HandedOver},
		{"refused", func(o *office, _ Item) {
			o.send = func(context.Context, string, string, []byte) (string, error) {
				return "", &Failure{Stage: NamingRecipient, Code: 550}
			}
		}, Refused},
		{"cancelled", func(o *office, it Item) {
			o.write(func(tx *sqlite.Tx) error { return Cancel(tx, it.Kind, it.About, o.now()) })
		}, Cancelled},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var tries []string
			o := newOffice(t, func(_ context.Context, _, _ string, msg []byte) (string, error) {
				tries = append(tries, string(msg))
				return "", errors.New("not now")
			})
			o.restart()
			o.says = strings.Repeat("the culvert is blocked again ", 500) // more than a page of the database
			it := o.queue("letter", 1)
			o.deliver()
			first := o.expect(it, Queued, 1)
			if !o.inFiles("the culvert is blocked again") {
				t.Error("the letter is not kept while it waits")
			}
			o.says = "since then everything has changed"
			o.step(time.Hour)
			o.restart()
			o.deliver()
			if second := o.expect(it, Queued, 2); !second.ComposedAt.Equal(first.ComposedAt) {
				t.Errorf("composed at %v, then at %v", first.ComposedAt, second.ComposedAt)
			}
			if len(tries) != 2 || tries[0] != tries[1] || !strings.Contains(tries[0], "the culvert") {
				t.Errorf("tried with %q", tries)
			}
			tt.end(o, it)
			o.step(time.Hour)
			o.restart()
			o.deliver()
			if got := o.find(it.Kind, it.About); got.State != tt.want {
				t.Errorf("it is %s; want %s", got.State, tt.want)
			}
			if o.inFiles("the culvert is blocked again") {
				t.Error("the letter is still in the files")
			}
		})
	}
}

// inFiles reports whether the archive's files hold text, once closed as at a stop.
func (o *office) inFiles(text string) (is bool) {
	o.t.Helper()
	o.db.Close()
	files, err := filepath.Glob(o.path + "*")
	if err != nil {
		o.t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			o.t.Fatal(err)
		}
		is = is || bytes.Contains(b, []byte(text))
	}
	o.restart()
	return is
}

// What is destroyed meanwhile is not sent again.
func TestDiscard(t *testing.T) {
	var tries []string
	o := newOffice(t, func(_ context.Context, _, _ string, msg []byte) (string, error) {
		tries = append(tries, string(msg))
		return "", errors.New("not now")
	})
	o.says = "the culvert is blocked again"
	it := o.queue("letter", 1)
	o.deliver()
	o.write(func(tx *sqlite.Tx) error { _, err := Discard(tx, it.Kind, it.About); return err })
	if got := o.find(it.Kind, it.About); !got.ComposedAt.IsZero() || o.inFiles(o.says) {
		t.Errorf("discarded: %+v", got)
	}
	o.says = "destroyed"
	o.step(time.Hour)
	o.deliver()
	if it = o.expect(it, Queued, 2); !it.ComposedAt.Equal(o.now()) || len(tries) != 2 || !strings.Contains(tries[1], "destroyed") {
		t.Errorf("composed at %v; tried with %q", it.ComposedAt, tries)
	}
	o.write(func(tx *sqlite.Tx) error { _, err := Discard(tx, "letter", 99); return err }) // never queued
}

// The pair of faults: refused, and accepted but nobody told us.
func TestAcceptedButTheConnectionDied(t *testing.T) {
	s, tr := goodServer(t, STARTTLS)
	o := newOffice(t, tr.Send)
	s.do(func(s *server) { s.onData = s.dieUnanswered })
	it := o.queue("letter", 1)
	o.deliver()
	o.expect(it, Unknown, 1)
	s.do(func(s *server) { s.onData = nil })
	o.says = "something else"
	o.step(time.Minute)
	o.deliver()
	o.expect(it, HandedOver, 2)
	expectTwins(t, s)
}

func TestKilledBetweenAnswerAndCommit(t *testing.T) {
	s, tr := goodServer(t, STARTTLS)
	o := newOffice(t, nil)
	o.send = func(ctx context.Context, from, to string, msg []byte) (string, error) {
		answer, err := tr.Send(ctx, from, to, msg)
		o.db.Close() // nothing more is written
		return answer, err
	}
	o.restart()
	it := o.queue("letter", 1)
	if err := o.box.DeliverDue(t.Context()); err == nil {
		t.Fatal("the outcome was recorded in a closed archive")
	}
	o.send = tr.Send
	o.restart()
	o.step(time.Hour)
	o.expect(it, Sending, 1)
	o.deliver()
	o.expect(it, HandedOver, 2)
	expectTwins(t, s)
	if got := o.journaled(); len(got) != 1 {
		t.Errorf("journal: %s", got)
	}
}

// The archive takes nothing when the outcome is to be recorded: nothing is sent
// before it has been.
func TestTheOutcomeIsRecordedBeforeAnythingElse(t *testing.T) {
	s, tr := goodServer(t, STARTTLS)
	o := newOffice(t, tr.Send)
	first, second := o.queue("letter", 1), o.queue("letter", 2)
	s.do(func(s *server) { s.beforeData = o.breaks })
	for range 2 {
		if err := o.box.DeliverDue(t.Context()); err == nil {
			t.Fatal("the outcome was recorded in an archive that takes nothing")
		}
		s.do(func(s *server) { s.beforeData = nil })
		if n := len(s.mails()); n != 1 {
			t.Fatalf("%d emails; want 1", n)
		}
	}
	o.mends()
	o.deliver()
	o.expect(first, HandedOver, 1)
	o.expect(second, HandedOver, 1)
	if n := len(s.mails()); n != 2 {
		t.Errorf("%d emails; want 2", n)
	}
	if got := fmt.Sprint(o.journaled()); got != "[email handed over letter 1 email handed over letter 2]" {
		t.Errorf("journal: %s", got)
	}
}

// If a commit failed and yet reached the disk, recording again tells nothing twice.
func TestTheOutcomeIsRecordedOnce(t *testing.T) {
	o := newOffice(t, nil)
	it := o.queue("letter", 1)
	for _, state := range []State{HandedOver, HandedOver} {
		if err := o.box.finish(t.Context(), owed{it, it.Recipients[0]}, state, "250 ok", &journal.Entry{Act: journal.MailHandedOver}); err != nil {
			t.Fatal(err)
		}
		o.step(time.Minute)
	}
	if got := o.journaled(); len(got) != 1 {
		t.Errorf("journal: %s", got)
	}
}

// breaks has every change of the outbox fail, as when another process keeps the
// archive for longer than SQLite waits; mends ends that.
func (o *office) breaks() {
	o.write(func(tx *sqlite.Tx) error {
		_, err := tx.Exec("CREATE TRIGGER broken BEFORE UPDATE ON recipient BEGIN SELECT RAISE(ABORT, 'database is locked'); END")
		return err
	})
}

func (o *office) mends() {
	o.write(func(tx *sqlite.Tx) error {
		_, err := tx.Exec("DROP TRIGGER broken")
		return err
	})
}

// expectTwins wants the server to have the same email twice.
func expectTwins(t *testing.T, s *server) {
	t.Helper()
	mails := s.mails()
	if len(mails) != 2 || !bytes.Equal(mails[0].body, mails[1].body) || !bytes.Contains(mails[0].body, []byte("<letter.1.abc@council.test>")) {
		t.Errorf("the server has %q; want the same email twice", mails)
	}
}

func TestStopWhileSending(t *testing.T) {
	s, tr := goodServer(t, STARTTLS)
	release := make(chan struct{})
	defer close(release)
	ctx, cancel := context.WithCancel(t.Context())
	o := newOffice(t, tr.Send)
	s.do(func(s *server) {
		s.onData = func(c *smtp.Conn, m kept) error {
			cancel()
			return hangingData(release)(c, m)
		}
	})
	it := o.queue("letter", 1)
	if err := o.box.DeliverDue(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("err %v; want that it was stopped", err)
	}
	before := o.expect(it, Unknown, 1)
	s.do(func(s *server) { s.onData = nil })
	o.restart()
	o.deliver() // at once: it was not the server's fault
	if after := o.expect(it, HandedOver, 2); !after.ComposedAt.Equal(before.ComposedAt) {
		t.Errorf("composed at %v, then at %v", before.ComposedAt, after.ComposedAt)
	}
	if err := o.box.DeliverDue(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("err %v; want that ctx is done", err)
	}
}

// We are told to stop while the server still thinks: its answer is waited for, or the email
// would go twice.
func TestStopBeforeTheAnswer(t *testing.T) {
	s, tr := goodServer(t, STARTTLS)
	ctx, cancel := context.WithCancel(t.Context())
	o := newOffice(t, tr.Send)
	s.do(func(s *server) {
		s.onData = func(*smtp.Conn, kept) error {
			cancel()
			time.Sleep(100 * time.Millisecond) // as a server that looks for viruses
			return nil
		}
	})
	it := o.queue("letter", 1)
	if err := o.box.DeliverDue(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("err %v; want that it was stopped", err)
	}
	o.expect(it, HandedOver, 1)
	if n := len(s.mails()); n != 1 {
		t.Errorf("%d emails; want 1", n)
	}
}

func TestStopAfterTheAnswer(t *testing.T) {
	s, tr := goodServer(t, STARTTLS)
	ctx, cancel := context.WithCancel(t.Context())
	o := newOffice(t, func(ctx context.Context, from, to string, msg []byte) (string, error) {
		answer, err := tr.Send(ctx, from, to, msg)
		cancel()
		return answer, err
	})
	it, next := o.queue("letter", 1), o.queue("letter", 2)
	if err := o.box.DeliverDue(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("err %v; want that it was stopped", err)
	}
	o.expect(it, HandedOver, 1)
	o.expect(next, Queued, 0)
	if n := len(s.mails()); n != 1 {
		t.Errorf("%d emails; want 1", n)
	}
}

func TestPerHour(t *testing.T) {
	s, tr := goodServer(t, STARTTLS)
	o := newOffice(t, tr.Send)
	o.perHour = 2
	o.restart()
	for i := range int64(5) {
		o.queue("letter", i)
	}
	for _, want := range []int{2, 2, 4, 5} {
		o.deliver()
		if n := len(s.mails()); n != want {
			t.Errorf("%v: %d emails; want %d", o.now(), n, want)
		}
		o.restart() // the count is kept
		o.step(30 * time.Minute)
		if want == 4 {
			o.step(30 * time.Minute)
		}
	}
}

func TestBackoff(t *testing.T) {
	for failures, want := range map[int]time.Duration{
		0: time.Minute, 1: time.Minute, 2: 2 * time.Minute, 6: 32 * time.Minute, 7: time.Hour, 1 << 30: time.Hour,
	} {
		for range 100 {
			if d := backoff(failures); d > want || d <= want*3/4-1 {
				t.Fatalf("backoff(%d) = %v; want %v or up to a quarter less", failures, d, want)
			}
		}
	}
}

func TestRunDoesNotEndWhenTheArchiveFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sent := 0
		o := newOffice(t, func(context.Context, string, string, []byte) (string, error) {
			sent++
			return "250 ok", nil
		})
		o.clock, o.box.now = time.Now(), time.Now
		first := o.queue("letter", 1)
		o.breaks()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- o.box.Run(ctx) }()
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := strings.Count(o.log.String(), "will try again"); sent != 0 || n < 50 || n > 70 {
			t.Errorf("%d emails, and in an hour it tried %d times", sent, n)
		}
		o.mends()
		time.Sleep(poll)
		synctest.Wait()
		o.expect(first, HandedOver, 1)
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		o.db.Close()
	})
}

// Run by the clock alone: it sends what falls due, retries, looks again by
// itself for what another process queued, and ends with ctx.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tries []time.Time
		o := newOffice(t, func(context.Context, string, string, []byte) (string, error) {
			tries = append(tries, time.Now())
			if len(tries) < 10 {
				return "", errors.New("not now")
			}
			return "250 ok", nil
		})
		o.box.now = time.Now
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- o.box.Run(ctx) }()
		time.Sleep(10 * time.Minute)
		o.clock = time.Now()
		it := o.queue("letter", 1)
		queued := time.Now()
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		o.expect(it, HandedOver, 10)
		if wait := tries[0].Sub(queued); wait > poll {
			t.Errorf("first attempt after %v", wait)
		}
		for i := range tries[1:] {
			most := min(time.Minute<<i, time.Hour)
			if wait := tries[i+1].Sub(tries[i]); wait > most || wait < most*3/4-time.Millisecond {
				t.Errorf("attempt %d after %v; want at most %v", i+2, wait, most)
			}
		}
		o.clock = time.Now()
		woken := o.queue("letter", 2)
		o.box.Wake()
		o.box.Wake()
		synctest.Wait()
		o.expect(woken, HandedOver, 1)
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		o.db.Close()
	})
}
