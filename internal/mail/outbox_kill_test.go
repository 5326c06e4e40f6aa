package mail

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"muniment/internal/mail/mailtest"
	"muniment/internal/sqlite"
)

// childPlan is the environment in which the test binary delivers as the daemon would, so
// that it can be killed.
const childPlan = "MUNIMENT_TEST_DELIVERY"

func TestMain(m *testing.M) {
	if plan := os.Getenv(childPlan); plan != "" {
		fmt.Fprintln(os.Stderr, "delivered to the end:", deliverAsChild([]byte(plan)))
		os.Exit(1) // it was to be killed
	}
	os.Exit(m.Run())
}

// A plan says what a child delivers, and at which of its own steps it is killed.
type plan struct {
	Archive, Server string
	Authority       []byte // that vouches for the server
	Now             time.Time
	Says            string // in letters
	KilledAt        step
}

// A step is one of the child's own; those of the conversation with the mail server are
// mailtest's.
type step string

const (
	chosen   step = "an email is chosen, and not begun"
	begun    step = "the attempt is begun"
	composed step = "the letter is composed, and not kept"
	written  step = "the letter is kept"
	answered step = "the server has answered"
	recorded step = "the outcome is recorded"
)

func deliverAsChild(text []byte) error {
	var p plan
	if err := json.Unmarshal(text, &p); err != nil {
		return err
	}
	db, err := sqlite.Open(context.Background(), p.Archive)
	if err != nil {
		return err
	}
	reach := func(s step) {
		if s == p.KilledAt {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {} // nothing more is done
		}
	}
	tr := &Transport{Server: p.Server, Security: TLS, Username: username, Password: password, Roots: x509.NewCertPool()}
	tr.Roots.AppendCertsFromPEM(p.Authority)
	chosenBefore := false
	allowed := func(string) bool {
		if reach(chosen); chosenBefore {
			reach(recorded) // that of the first
		}
		chosenBefore = true
		return true
	}
	send := func(ctx context.Context, from, to string, msg []byte) (string, error) {
		reach(written)
		answer, err := tr.Send(ctx, from, to, msg)
		reach(answered)
		return answer, err
	}
	compose := func(ctx context.Context, it Item) ([]byte, error) {
		reach(begun)
		msg, err := (&office{says: p.Says}).compose(ctx, it)
		reach(composed)
		return msg, err
	}
	box := New(db, slog.New(slog.DiscardHandler), allowed, send, compose, func() time.Time { return p.Now }, 0)
	return box.DeliverDue(context.Background())
}

// A death is where the program ends while it delivers its first email, and what the mail
// server makes of that.
type death struct {
	at     step   // of the child's own; or
	before string // a step of the conversation, as mailtest has them; or
	within string // a transaction: what makes it known, of the outbox's tables

	arrives bool  // the step, though nobody waits for the answer
	refuses error // what the server says to the email; nil: it takes it
	want    State // of the recipient, once what the program left has been looked at
	copies  int   // that the recipient has in the end
}

func deaths() (all []death) {
	temporary, permanent := answer(451, [3]int{4, 3, 0}, "later"), answer(550, [3]int{5, 7, 1}, "never")
	// In the transaction that begins the attempt, that keeps the letter, that records the outcome.
	const (
		begins  = "UPDATE ON recipient WHEN new.state = 'sending'"
		keeps   = "UPDATE OF message ON email WHEN new.message IS NOT NULL"
		records = "UPDATE ON recipient WHEN old.state = 'sending' AND new.state <> 'sending'"
	)
	all = []death{
		{at: chosen, want: Queued, copies: 1},
		{within: begins, want: Queued, copies: 1},
		{at: begun, want: Queued, copies: 1},
		{at: composed, want: Queued, copies: 1},
		{within: keeps, want: Queued, copies: 1},
		{at: written, want: Unknown, copies: 1},
		{before: mailtest.End, want: Unknown, copies: 1},
		{before: mailtest.End, arrives: true, want: Unknown, copies: 2},
		{at: recorded, want: HandedOver, copies: 1},
		{at: recorded, refuses: temporary, want: Queued, copies: 1},
		{at: recorded, refuses: permanent, want: Refused, copies: 0},
	}
	for _, before := range []string{mailtest.Connection, mailtest.Greeting, "EHLO", mailtest.Answer("EHLO"), "AUTH", mailtest.Answer("AUTH"),
		"MAIL", mailtest.Answer("MAIL"), "RCPT", mailtest.Answer("RCPT"), "DATA", mailtest.Answer("DATA"), mailtest.Body, mailtest.Half} {
		all = append(all, death{before: before, want: Unknown, copies: 1})
	}
	for _, refuses := range []error{nil, temporary, permanent} {
		copies := 1
		if refuses == nil {
			copies = 2
		}
		all = append(all,
			death{before: mailtest.Answer(mailtest.End), refuses: refuses, want: Unknown, copies: copies},
			death{at: answered, refuses: refuses, want: Unknown, copies: copies},
			death{within: records, refuses: refuses, want: Unknown, copies: copies})
	}
	return all
}

func (d death) String() string {
	s := string(d.at)
	switch {
	case d.before != "":
		s = "before " + d.before
	case d.within != "":
		s = "within the transaction: " + d.within
	}
	if d.arrives {
		s += ", which arrives"
	}
	if d.refuses != nil {
		s += fmt.Sprint(", answer ", d.refuses)
	}
	return s
}

const (
	first  = "chair@council.test" // to whom the email goes on the way to whom the program ends
	second = "clerk@council.test"
)

// The program is killed between any two steps of a delivery, and in the middle of each
// transaction, whatever the mail server makes of the email. Then it is started again, and
// would write another letter. Nothing is lost; there is a second copy only of what was
// accepted while nobody knew, and it is the same to the byte; and the journal accounts
// for each hand-over once.
func TestKilledBetweenAnyTwoSteps(t *testing.T) {
	if testing.Short() {
		t.Skip("dozens of processes")
	}
	for _, d := range deaths() {
		t.Run(d.String(), func(t *testing.T) {
			t.Parallel()
			d.happens(t)
		})
	}
}

func (d death) happens(t *testing.T) {
	ca := newAuthority(t)
	config := &tls.Config{Certificates: []tls.Certificate{ca.issue(t, "127.0.0.1", time.Now().Add(time.Hour))}}
	s := serve(t, TLS, config)
	proxy := mailtest.NewProxy(t, config, func() (net.Conn, error) {
		return tls.Dial("tcp", s.addr, &tls.Config{RootCAs: ca.roots()})
	})
	tr := s.transport(TLS, ca)
	o := newOffice(t, tr.Send)
	o.queueFor(1, false, first, second)
	o.queueFor(2, false, second)
	s.do(func(s *server) { s.onData = func(_ *smtp.Conn, m kept) error { return d.refuses } })

	before := strings.Repeat("It is said before the end.\r\n", 500)
	d.kill(t, o, proxy, plan{Archive: o.path, Server: proxy.Addr, Authority: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.cert.Raw}), Now: o.now(), Says: before, KilledAt: d.at})

	s.do(func(s *server) { s.onData = nil })
	o.restart()
	o.heal()
	o.says = strings.Repeat("It is said after the end.\r\n", 500)
	if err := o.box.resolve(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := o.find("letter", 1).Recipients[0]; got.Address != first || got.State != d.want || got.MayHaveIt != (d.want == Unknown) {
		t.Errorf("after a new start it is %s for the recipient, who may have it: %v; want %s", got.State, got.MayHaveIt, d.want)
	}
	for range 3 {
		o.deliver()
		o.step(2 * time.Hour)
	}
	d.check(t, o, s)
}

// check compares what has arrived, and what the archive says of it, with what is to be.
func (d death) check(t *testing.T, o *office, s *server) {
	copies, letters := make(map[string]int), make(map[string]bool)
	for _, m := range s.mails() {
		name := "2 "
		if bytes.Contains(m.body, []byte("<letter.1.abc@council.test>")) {
			name = "1 "
			letters[string(m.body)] = true
		}
		copies[name+m.to]++
	}
	want := map[string]int{"1 " + first: d.copies, "1 " + second: 1, "2 " + second: 1}
	for name, n := range want {
		if copies[name] != n {
			t.Errorf("email %s has arrived %d times; want %d", name, copies[name], n)
		}
	}
	if len(letters) != 1 {
		t.Errorf("there are %d different letters under one Message-ID", len(letters))
	}
	state, journaled := HandedOver, 3
	if d.copies == 0 {
		state, journaled = Refused, 2
	}
	o.expectEach(1, state, HandedOver)
	o.expectEach(2, HandedOver)
	handedOver := 0
	for _, act := range o.journaled() {
		if strings.HasPrefix(act, "email handed over") {
			handedOver++
		}
	}
	if handedOver != journaled {
		t.Errorf("the journal has %d emails handed over; want %d: %s", handedOver, journaled, o.journaled())
	}
	if d.copies == 0 { // who was refused what the other has may be sent the same one day, unless that is taken back
		o.write(func(tx *sqlite.Tx) error {
			return CancelByHand(tx, o.now(), o.find("letter", 1).ID, "Jo Marsh", "gone for good")
		})
	}
	if o.inFiles("It is said before the end.") || o.inFiles("It is said after the end.") {
		t.Error("a letter is still in the files")
	}
}

// kill has a process of its own deliver what the office owes, and ends it there.
func (d death) kill(t *testing.T, o *office, proxy *mailtest.Proxy, p plan) {
	if d.within != "" {
		o.endless(d.within)
	}
	o.db.Close()
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childPlan+"="+string(text))
	var complaints bytes.Buffer
	child.Stderr = &complaints
	var once sync.Once
	ended := make(chan error, 1)
	started := make(chan struct{})
	end := func() {
		<-started
		once.Do(func() {
			_ = child.Process.Kill()
			ended <- child.Wait()
		})
	}
	over := make(chan struct{})
	proxy.Before(func(step string) bool {
		switch {
		case step == d.before:
			end()
			if !d.arrives {
				close(over)
			}
			return d.arrives
		case d.arrives && step == mailtest.Answer(d.before): // so it has arrived
			close(over)
			return false
		}
		return true
	})
	err = child.Start()
	close(started)
	if err != nil {
		t.Fatal(err)
	}
	switch {
	case d.before != "":
		select {
		case <-over:
		case <-time.After(time.Minute):
			t.Errorf("there was no step %q", d.before)
			end()
		}
	case d.within != "":
		awaitLog(t, o.path)
		end()
	default:
		once.Do(func() { ended <- child.Wait() })
	}
	err = <-ended
	proxy.Before(nil)
	if status, is := child.ProcessState.Sys().(syscall.WaitStatus); !is || status.Signal() != syscall.SIGKILL {
		t.Fatalf("it was not killed: %v\n%s", err, complaints.String())
	}
}

// endless has a transaction in which something happens write for ever.
func (o *office) endless(when string) {
	o.t.Helper()
	o.write(func(tx *sqlite.Tx) error {
		for _, q := range []string{
			"CREATE TABLE ballast (b BLOB)",
			"CREATE VIEW ever AS WITH RECURSIVE c (x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM c) SELECT x FROM c LIMIT 10000",
			"CREATE TRIGGER endless AFTER " + when + " BEGIN INSERT INTO ballast SELECT zeroblob(100000) FROM ever; END",
		} {
			if _, err := tx.Exec(q); err != nil {
				return err
			}
		}
		return nil
	})
}

// heal takes back what endless did. What its transaction wrote was never committed.
func (o *office) heal() {
	o.t.Helper()
	o.write(func(tx *sqlite.Tx) error {
		var n int
		if err := tx.QueryRow("SELECT count(*) FROM sqlite_schema WHERE name = 'ballast'").Scan(&n); err != nil || n == 0 {
			return err
		}
		if err := tx.QueryRow("SELECT count(*) FROM ballast").Scan(&n); err != nil || n > 0 {
			return fmt.Errorf("%d rows of a transaction that did not end, %v", n, err)
		}
		for _, q := range []string{"DROP TRIGGER endless", "DROP VIEW ever", "DROP TABLE ballast"} {
			if _, err := tx.Exec(q); err != nil {
				return err
			}
		}
		return nil
	})
}

// awaitLog waits until a transaction writes its pages to the log before it ends, since
// they are too many for memory.
func awaitLog(t *testing.T, archive string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		info, err := os.Stat(archive + "-wal")
		if err == nil && info.Size() > 8<<20 {
			return
		}
		if err != nil && !os.IsNotExist(err) || time.Now().After(deadline) {
			t.Fatalf("no transaction writes for ever: %v", err)
		}
	}
}
