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

	"muniment/internal/sqlite"
)

// An email that failed once by itself, and then could not be tried for six days, is not
// tried for a last time then: these days were not its own.
func TestOnlyTimeInWhichItIsTriedCountsAgainstAnEmail(t *testing.T) {
	if testing.Short() {
		t.Skip("hundreds of attempts")
	}
	busy := &Failure{Stage: NamingRecipient, Code: 450, Enhanced: "4.2.0"}
	wrongPassword := &Failure{Stage: LoggingIn, Code: 535, Enhanced: "5.7.8"}
	outage := func(o *office, fault *error) {
		*fault = wrongPassword
		for range 6 * 4 {
			o.step(6 * time.Hour)
			o.deliver()
		}
		*fault = busy
		o.step(time.Hour)
	}
	for _, tt := range []struct {
		name string
		days func(o *office, fault *error)
	}{
		{"an outage", outage},
		{"an outage that another email meets", func(o *office, fault *error) {
			o.queueFor(2, true, "chair@council.test")
			outage(o, fault)
		}},
		{"the program was not running", func(o *office, _ *error) {
			o.step(6 * 24 * time.Hour)
			o.restart()
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var fault error = busy
			o := newOffice(t, func(context.Context, string, string, []byte) (string, error) { return "", fault })
			it := o.queue("letter", 1)
			o.deliver()
			tt.days(o, &fault)
			o.deliver()
			if got := o.expect(it, Queued, 2); got.Recipients[0].Stuck() {
				t.Error("it is taken to have failed for more than a day")
			}
			for range 5*24 + 1 { // and from then on these days are its own
				o.step(time.Hour)
				o.deliver()
			}
			if got := o.find("letter", 1); got.State != Expired {
				t.Errorf("after five days more it is %s", got.State)
			}
		})
	}
}

// What is taken for a fault of all, and is one of a single recipient, keeps nobody else
// waiting for long; be it an alert.
func TestAFaultTakenForOneOfAll(t *testing.T) {
	for _, urgent := range []bool{false, true} {
		t.Run(fmt.Sprint("urgent ", urgent), func(t *testing.T) {
			s, tr := goodServer(t, STARTTLS)
			o := newOffice(t, tr.Send)
			s.do(func(s *server) {
				s.onRcpt = func(to string) error {
					if to == "a@council.test" {
						return answer(550, [3]int{5, 7, 57}, "not authenticated to send there")
					}
					return nil
				}
			})
			o.queueFor(1, urgent, "a@council.test")
			o.step(time.Second)
			for n := range int64(3) {
				o.queueFor(n+2, false, "b@council.test")
			}
			for range 4 { // an urgent one is tried again after each that goes
				o.deliver()
				o.step(2 * time.Minute)
			}
			if n := len(s.mails()); n != 3 {
				t.Errorf("%d emails to others; want 3", n)
			}
			if it := o.find("letter", 1); it.State != Queued || it.Recipients[0].Attempts != 0 {
				t.Errorf("it is %s after %d attempts of its own", it.State, it.Recipients[0].Attempts)
			}
		})
	}
}

// Whoever has mended the mail server, and says that an email is to be tried, need not
// wait until the outbox would have looked again by itself.
func TestRetryEndsTheWaitOfAnOutage(t *testing.T) {
	s, tr := goodServer(t, STARTTLS)
	o := newOffice(t, tr.Send)
	s.do(func(s *server) { s.password = "changed" })
	it, other := o.queue("letter", 1), o.queue("notice", 1)
	for range 10 {
		o.deliver()
		o.step(time.Hour)
	}
	o.deliver()
	retry := func() {
		o.step(time.Minute)
		o.write(func(tx *sqlite.Tx) error { return Retry(tx, o.now(), it.ID, "Jo Marsh", "the password is right now") })
		o.deliver()
	}
	tried := s.tried()
	if retry(); s.tried() != tried+1 {
		t.Errorf("%d logins on her word; want 1", s.tried()-tried)
	}
	o.deliver() // she was wrong: the outbox waits again
	if s.tried() != tried+1 {
		t.Errorf("%d logins; want 1", s.tried()-tried)
	}
	s.do(func(s *server) { s.password = password })
	retry()
	o.expect(it, HandedOver, 1)
	o.expect(other, HandedOver, 1)
}

// The parts of a letter arrive in their order, also when one of them has to wait, for
// itself or with all others; what else there is goes meanwhile.
func TestPartsGoInOrder(t *testing.T) {
	for name, fault := range map[string]error{
		"put off":                 answer(450, [3]int{4, 2, 0}, "mailbox busy"),
		"no email can go":         answer(535, [3]int{5, 7, 8}, "not now"),
		"told so with the letter": nil,
	} {
		t.Run(name, func(t *testing.T) {
			s, tr := goodServer(t, STARTTLS)
			o := newOffice(t, tr.Send)
			failed := 0
			fails := func() error {
				if failed++; failed <= 3 {
					return fault
				}
				return nil
			}
			s.do(func(s *server) {
				if fault != nil {
					s.onRcpt = func(to string) error {
						if to == "clerk@council.test" {
							return fails()
						}
						return nil
					}
					return
				}
				s.onData = func(_ *smtp.Conn, m kept) error {
					if failed++; failed <= 3 && m.to == "clerk@council.test" {
						return answer(451, [3]int{4, 3, 0}, "later")
					}
					return nil
				}
			})
			for part := range 3 {
				o.write(func(tx *sqlite.Tx) error {
					_, err := Queue(tx, o.now(), Item{Kind: "letter", About: 1, Part: part + 1, MessageID: fmt.Sprintf("part%d@council.test", part+1),
						From: "council@council.test", To: []string{"clerk@council.test"}})
					return err
				})
			}
			o.queueFor(2, false, "chair@council.test")
			for range 10 {
				o.deliver()
				o.step(10 * time.Minute)
			}
			var parts []string
			for _, m := range s.mails() {
				if m.to == "clerk@council.test" {
					id, _, _ := strings.Cut(string(m.body), "@")
					parts = append(parts, id)
				}
			}
			if want := []string{"Message-ID: <part1", "Message-ID: <part2", "Message-ID: <part3"}; !slices.Equal(parts, want) {
				t.Errorf("arrived as %q", parts)
			}
			o.expectEach(2, HandedOver)
		})
	}
}

// What the server was not bothered with takes none of the hour's emails.
func TestWaitingDoesNotCountWithinTheHour(t *testing.T) {
	s, tr := goodServer(t, STARTTLS)
	o := newOffice(t, tr.Send)
	o.perHour = 3
	o.restart()
	for n := range int64(4) {
		o.queue("letter", n)
	}
	o.broken = fmt.Errorf("its photos: %w", ErrLater)
	o.deliver()
	o.broken = nil
	o.queue("notice", 9)
	o.deliver()
	if n := len(s.mails()); n != 1 {
		t.Errorf("%d emails; want 1", n)
	}
}

// We are told to stop while the email is on its way, and the archive takes nothing then:
// what may have arrived is not taken for what surely has not.
func TestStopThatCannotBeRecorded(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	o := newOffice(t, nil)
	o.send = func(context.Context, string, string, []byte) (string, error) {
		cancel()
		o.write(func(tx *sqlite.Tx) error {
			_, err := tx.Exec("CREATE TRIGGER broken BEFORE UPDATE OF may_have_it ON recipient WHEN new.may_have_it BEGIN SELECT RAISE(ABORT, 'database is locked'); END")
			return err
		})
		return "", &Failure{Stage: GivingMessage, whole: true, err: context.Canceled}
	}
	o.restart()
	o.queue("letter", 1)
	if err := o.box.DeliverDue(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("err %v", err)
	}
	o.mends()
	o.send = func(context.Context, string, string, []byte) (string, error) {
		return "", &Failure{Stage: Connecting}
	}
	o.restart()
	o.deliver()
	if got := o.find("letter", 1); got.State != Unknown || !got.Recipients[0].MayHaveIt {
		t.Errorf("it is %s", got.State)
	}
}

// A refusal that comes as we are told to stop is known.
func TestStopAndRefused(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	o := newOffice(t, func(context.Context, string, string, []byte) (string, error) {
		cancel()
		return "", &Failure{Stage: NamingRecipient, Code: 550}
	})
	it := o.queue("letter", 1)
	if err := o.box.DeliverDue(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("err %v", err)
	}
	o.expect(it, Refused, 1)
}

// We are told to stop before the email's end is given: it surely has not arrived, and goes
// at once at the next start.
func TestStopBeforeTheEnd(t *testing.T) {
	s, tr := goodServer(t, STARTTLS)
	ctx, cancel := context.WithCancel(t.Context())
	o := newOffice(t, tr.Send)
	release := make(chan struct{})
	s.do(func(s *server) {
		s.onRcpt = func(string) error {
			cancel()
			<-release
			return nil
		}
	})
	it := o.queue("letter", 1)
	if err := o.box.DeliverDue(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("err %v; want that it was stopped", err)
	}
	close(release)
	o.expect(it, Queued, 1)
	s.do(func(s *server) { s.onRcpt = nil })
	o.restart()
	o.deliver()
	o.expect(it, HandedOver, 2)
	if n := len(s.mails()); n != 1 {
		t.Errorf("%d emails; want 1", n)
	}
}

// A commit was reported as failed and yet reached the disk: the email seems to be on its
// way, and nobody sends it. It goes, once, as it was kept.
func TestACommitThatHappenedAllTheSame(t *testing.T) {
	const begun = "UPDATE recipient SET state = 'sending', attempts = 1, last_attempt = '2026-11-02T09:00:00.000Z'"
	for name, statements := range map[string][]string{
		"that begins the attempt": {begun, "UPDATE email SET composed_at = '2026-11-02T09:00:00.000Z'"},
		"that keeps the letter":   {begun, "UPDATE email SET composed_at = '2026-11-02T09:00:00.000Z', message = CAST('as it was kept' AS BLOB)"},
	} {
		t.Run(name, func(t *testing.T) {
			s, tr := goodServer(t, STARTTLS)
			o := newOffice(t, tr.Send)
			o.deliver() // it has looked at what an earlier run left
			it := o.queue("letter", 1)
			o.write(func(tx *sqlite.Tx) error {
				for _, q := range statements {
					if _, err := tx.Exec(q); err != nil {
						return err
					}
				}
				return nil
			})
			o.step(time.Minute)
			o.deliver()
			o.expect(it, HandedOver, 2)
			if mails := s.mails(); len(mails) != 1 || strings.HasPrefix(string(mails[0].body), "as it was kept") != strings.Contains(name, "keeps") {
				t.Errorf("the server has %q", mails)
			}
			if got := fmt.Sprint(o.journaled()); got != "[email handed over letter 1]" {
				t.Errorf("journal: %s", got)
			}
		})
	}
}

// Somebody had an email tried again while the clock was ahead. Once it is right, an outage
// does not keep the outbox at the mail server's door without a pause.
func TestRetryWhileTheClockWasAhead(t *testing.T) {
	tried := 0
	o := newOffice(t, func(context.Context, string, string, []byte) (string, error) {
		tried++
		return "", &Failure{Stage: LoggingIn, Code: 535}
	})
	it := o.queue("letter", 1)
	o.step(30 * 24 * time.Hour)
	o.write(func(tx *sqlite.Tx) error { return Retry(tx, o.now(), it.ID, "Jo Marsh", "the password is right now") })
	o.step(-30 * 24 * time.Hour)
	for range 10 {
		o.deliver()
		o.step(time.Second)
	}
	if tried != 1 {
		t.Errorf("%d attempts within ten seconds; want 1", tried)
	}
}

// An address that is written in two ways is one recipient's.
func TestOneRecipientWrittenInTwoWays(t *testing.T) {
	s, tr := goodServer(t, STARTTLS)
	o := newOffice(t, tr.Send)
	o.queueFor(1, false, "Clerk@council.test", "clerk@council.test", "clerk@Council.test")
	o.deliver()
	if n := len(s.mails()); n != 1 {
		t.Errorf("the clerk has it %d times", n)
	}
}

// The server does not know us, and says so of each recipient: that is no email's fault.
// None is given up, and all go when that is mended.
func TestAServerThatDoesNotKnowUs(t *testing.T) {
	s, tr := goodServer(t, STARTTLS)
	o := newOffice(t, tr.Send)
	s.do(func(s *server) {
		s.onRcpt = func(string) error { return answer(554, [3]int{5, 7, 1}, "Relay access denied") }
	})
	for n := range int64(3) {
		o.queue("letter", n)
	}
	for range 6 * 24 {
		o.deliver()
		o.step(time.Hour)
	}
	s.do(func(s *server) { s.onRcpt = nil })
	o.deliver()
	for n := range int64(3) {
		o.expect(Item{Kind: "letter", About: n}, HandedOver, 1)
	}
}

// An email is taken back while it is being sent, and its answer is lost: it may have arrived.
// Should somebody want it after all, the same bytes go; of one that surely has not arrived
// nothing stays.
func TestCancelledOnItsWay(t *testing.T) {
	for name, arrives := range map[string]bool{"it may have arrived": true, "it has not": false} {
		t.Run(name, func(t *testing.T) {
			s, tr := goodServer(t, STARTTLS)
			o := newOffice(t, tr.Send)
			o.says = strings.Repeat("the culvert is blocked again\r\n", 500)
			it := o.queue("letter", 1)
			s.do(func(s *server) {
				s.onData = func(c *smtp.Conn, m kept) error {
					o.write(func(tx *sqlite.Tx) error { return Cancel(tx, "letter", 1, o.now()) })
					if arrives {
						return s.dieUnanswered(c, m)
					}
					return answer(451, [3]int{4, 3, 0}, "later")
				}
			})
			o.deliver()
			o.expect(it, Cancelled, 1)
			if kept := o.inFiles("the culvert is blocked"); kept != arrives {
				t.Errorf("its bytes are kept: %v", kept)
			}
			s.do(func(s *server) { s.onData = nil })
			o.says = "something else"
			o.write(func(tx *sqlite.Tx) error { return Retry(tx, o.now(), it.ID, "Jo Marsh", "it is wanted after all") })
			o.deliver()
			if it := o.find("letter", 1); it.State != HandedOver {
				t.Errorf("it is %s", it.State)
			}
			mails := s.mails()
			if arrives != (len(mails) == 2) || string(mails[0].body) != string(mails[len(mails)-1].body) {
				t.Errorf("%d emails, or two that differ", len(mails))
			}
			if o.inFiles("the culvert is blocked") {
				t.Error("its bytes are there still")
			}
		})
	}
}

// We are told to stop while another process keeps the archive's lock: what came of the email
// on its way is not waited for longer than there is time, and is unknown then.
func TestStopWhileTheArchiveIsLocked(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for a lock")
	}
	s, tr := goodServer(t, STARTTLS)
	o := newOffice(t, tr.Send)
	it := o.queue("letter", 1)
	other, err := sqlite.Open(t.Context(), o.path)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	ctx, cancel := context.WithCancel(t.Context())
	locked, unlock, unlocked := make(chan bool), make(chan bool), make(chan error)
	s.do(func(s *server) {
		s.onData = func(*smtp.Conn, kept) error {
			go func() {
				unlocked <- other.Write(context.Background(), func(*sqlite.Tx) error { close(locked); <-unlock; return nil })
			}()
			<-locked
			cancel()
			return nil
		}
	})
	begin := time.Now()
	if err := o.box.DeliverDue(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("err %v", err)
	}
	if took := time.Since(begin); took > 8*time.Second {
		t.Errorf("it took %s to stop", took)
	}
	close(unlock)
	if err := <-unlocked; err != nil {
		t.Error(err)
	}
	s.do(func(s *server) { s.onData = nil })
	o.restart()
	o.deliver()
	o.expect(it, HandedOver, 2)
	if mails := s.mails(); len(mails) != 2 || string(mails[0].body) != string(mails[1].body) {
		t.Errorf("the server has %d emails, or two that differ", len(mails))
	}
}
