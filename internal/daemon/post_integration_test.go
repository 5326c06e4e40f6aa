//go:build integration

package daemon_test

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"muniment/internal/alert"
	"muniment/internal/daemon"
	"muniment/internal/disposal"
	"muniment/internal/mail"
	"muniment/internal/mail/mailtest"
	"muniment/internal/people"
	"muniment/internal/sqlite"
)

// A postTown is a town whose council has a real mail server, where its mailboxes are its
// own. The daemon's clock can be set ahead.
type postTown struct {
	withOffice
	mails                 *mailtest.Server
	council, clerk, chair string // their addresses
	ahead                 atomic.Int64
}

// foundPost founds a town; name tells its mailboxes from those of others.
func foundPost(t *testing.T, s *mailtest.Server, name string) *postTown {
	t.Helper()
	address := func(who string) string { return name + "." + who + "@cranford-pc.example" }
	w := &postTown{
		withOffice: foundWithOffice(t, address("chair")), mails: s,
		council: address("council"), clerk: address("clerk"), chair: address("chair"),
	}
	w.now = func() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) }
	w.edit(w.post.Addr(), s.STARTTLS)
	w.edit(`username = "record"`, `username = "record@cranford-pc.example"`)
	w.edit("council@cranford-pc.example", w.council)
	w.edit("clerk@cranford-pc.example", w.clerk)
	w.edit(fmt.Sprintf("ca_file = %q", w.path("ca.pem")), fmt.Sprintf("ca_file = %q", s.CAFile))
	w.password(mailtest.Password)
	w.write(func(tx *sqlite.Tx) error { // else there would be an alert, which goes before all else
		a, err := people.ParseNumber("07700 900199")
		if err != nil {
			return err
		}
		return people.AddMember(tx, time.Now(), "the test", "", people.Member{Name: "Zed Young", Role: "officer"}, a)
	})
	return w
}

// through has emails go through a server that speaks TLS from the first byte.
func (w *postTown) through(addr string) {
	w.t.Helper()
	w.edit(fmt.Sprintf("server = %q", w.mails.STARTTLS), fmt.Sprintf("security = \"tls\"\nserver = %q", addr))
}

// password sets the password that the daemon has from its next start on.
func (w *postTown) password(p string) {
	w.t.Helper()
	w.must(os.WriteFile(w.path("smtp-password"), []byte(p+"\n"), 0o600))
}

// later lets time go by for the daemon, which then delivers what is due.
func (w *postTown) later(d time.Duration) {
	w.t.Helper()
	w.ahead.Add(int64(d))
	w.must(w.daemon.Deliver(w.t.Context()))
}

// items returns all emails but alerts, oldest first.
func (w *postTown) items() (items []mail.Item) {
	w.t.Helper()
	items = w.list(mail.Queued, mail.Sending, mail.Unknown, mail.HandedOver, mail.Refused, mail.Expired, mail.Cancelled)
	slices.SortFunc(items, func(a, b mail.Item) int { return cmp.Compare(a.ID, b.ID) })
	return slices.DeleteFunc(items, func(it mail.Item) bool { return it.Kind == alert.Mail })
}

func (w *postTown) list(states ...mail.State) (items []mail.Item) {
	w.t.Helper()
	w.read(func(tx *sqlite.Tx) (err error) {
		items, err = mail.List(tx, states...)
		return err
	})
	return items
}

// until waits until there are n emails, besides alerts, and the n-th is as it should be.
func (w *postTown) until(n int, is func(mail.Item) bool) {
	w.t.Helper()
	ctx := w.soon()
	for {
		items := w.items()
		if len(items) >= n && is(items[n-1]) {
			return
		}
		if ctx.Err() != nil {
			w.t.Fatalf("%d emails, of which the last are %+v", len(items), items[max(0, len(items)-2):])
		}
		time.Sleep(20 * time.Millisecond) // the outbox tells nobody
	}
}

func handedOver(it mail.Item) bool { return it.State == mail.HandedOver }

// fails waits until the newest email is owed still and an attempt, at it or at what goes
// before it, has failed with an answer like this.
func (w *postTown) fails(n int, answer string) {
	w.t.Helper()
	w.until(n, func(it mail.Item) bool {
		return it.State.Open() && slices.ContainsFunc(w.list(mail.Queued, mail.Unknown), func(it mail.Item) bool {
			return strings.Contains(it.Recipients[0].LastAnswer, answer)
		})
	})
}

// received waits until Postfix has delivered everything, checks that a mailbox has n
// emails besides alerts, and that all are sound, and returns the n.
func (w *postTown) received(address string, n int) []mailtest.Email {
	w.t.Helper()
	w.mails.Drained(w.t)
	emails := w.mails.Mailbox(w.t, address, n)
	mailtest.Sound(w.t, emails)
	for _, e := range emails {
		if e.Fields["auto-submitted"] != "auto-generated" || !strings.Contains(e.Fields["list-id"], "cranford-pc.example") {
			w.t.Errorf("email %q: Auto-Submitted %q, List-Id %q", e.Fields["subject"], e.Fields["auto-submitted"], e.Fields["list-id"])
		}
	}
	emails = slices.DeleteFunc(emails, func(e mailtest.Email) bool { return strings.HasPrefix(e.ID(), "<"+alert.Mail+".") })
	if len(emails) != n {
		for _, e := range emails {
			w.t.Logf("email %q %s", e.Fields["subject"], e.ID())
		}
		w.t.Fatalf("%d emails in the mailbox, want %d", len(emails), n)
	}
	return emails
}

func TestMailSystem(t *testing.T) {
	s := mailtest.Start(t)
	t.Run("an evening in the mailbox", func(t *testing.T) { anEveningInTheMailbox(t, s) })
	t.Run("digest and notice", func(t *testing.T) { digestAndNotice(t, s) })
	t.Run("edition for councillors", func(t *testing.T) { editionForCouncillors(t, s) })
	t.Run("photos and a small limit", func(t *testing.T) { photosAndASmallLimit(t, s) })
	t.Run("faults", func(t *testing.T) { faultsOfTheMailServer(t, s) })
	t.Run("killed at each step", func(t *testing.T) { killedAtEachStep(t, s) })
}

// What members say and mark, change and delete, is in the mailbox once, in its thread,
// with its photos and files.
func anEveningInTheMailbox(t *testing.T, s *mailtest.Server) {
	w := foundPost(t, s, "evening")
	stop := w.run()
	defer func() { stop() }()
	at := time.Now().Add(-3 * time.Hour).Truncate(time.Second)
	picture, survey := photo(900), []byte("%PDF-1.4 the drainage survey of Mill Lane, all of it")

	rail := w.ann.At(at).Says("The handrail on the footbridge has come away: “mind your step”, says Siân 📌.")
	w.bo.At(at.Add(time.Minute)).Replies(rail, "I saw it too.")
	w.ann.At(at.Add(2*time.Minute)).SendsImage(picture, "The footbridge this morning")
	w.bo.At(at.Add(3*time.Minute)).SendsDocument("Drainage survey – Mill Lane.pdf", "application/pdf", survey, "")
	w.bo.At(at.Add(4*time.Minute)).Reacts(rail, "📌")
	w.until(1, handedOver)

	more := w.ann.At(at.Add(5 * time.Minute)).Says("The contractor's day is Tuesday.")
	w.jo.At(at.Add(6*time.Minute)).Reacts(more, "📌")
	w.until(2, handedOver)

	w.ann.Edits(rail, "The handrail on the footbridge has been mended.")
	w.until(3, handedOver)
	w.ann.Deletes(more)
	w.until(4, handedOver)

	other := w.stranger.At(at.Add(2 * time.Hour)).Says("When is the fair?")
	w.ann.At(at.Add(2*time.Hour+time.Minute)).Reacts(other, "📌")
	w.until(5, handedOver)

	w.bo.TakesBack(rail) // long after it was sent
	w.until(6, handedOver)
	w.bo.Reacts(other, "🚩")
	w.until(7, handedOver)
	w.jo.In(w.official).Reacts(other, "🛑")
	w.until(8, handedOver)
	hall := w.bo.At(at.Add(150 * time.Minute)).Says("The hall is cold.")
	w.must(w.server.WaitSettled(w.soon()))
	w.write(func(tx *sqlite.Tx) error {
		_, err := daemon.ForwardByHand(tx, w.options().Config, w.now(), w.records()[hall.ID()][0].Seq, "Jo Hall", "for the file")
		return err
	})
	w.later(time.Minute)
	w.until(9, handedOver)

	w.edit(`settle = "200ms"`, `settle = "1h"`)
	stop()
	stop = w.run()
	back := w.bo.At(at.Add(170 * time.Minute)).Says("A word too many.")
	w.ann.Reacts(back, "📌")
	w.ann.TakesBack(back)
	w.until(10, func(it mail.Item) bool { return it.State == mail.Cancelled })

	clerks := w.received(w.clerk, 2)
	tells(t, clerks[0].Text(), "has reported a concern", "When is the fair?")
	tells(t, clerks[1].Text(), "Jo Hall placed hold 1")
	emails := w.received(w.council, 7)
	// Of each, the email that begins its thread, and the one that it answers.
	for n, want := range [][2]int{{1, 0}, {1, 1}, {1, 1}, {1, 2}, {5, 0}, {1, 1}, {7, 0}} {
		if e := emails[n]; e.Thread != emails[want[0]-1].Thread || e.Answers != want[1] {
			t.Errorf("email %d, %q, is in thread %d and answers %d; want %d and %d",
				n+1, e.Fields["subject"], e.Thread, e.Answers, emails[want[0]-1].Thread, want[1])
		}
	}
	if a, b, c := emails[0].Thread, emails[4].Thread, emails[6].Thread; a == b || b == c || a == c {
		t.Error("two conversations are in one thread")
	}
	for words, in := range map[string]string{
		"The footbridge this morning": "1", "day is Tuesday.": "24", "has been mended.": "3", "Deleted by its sender": "4",
		"When is the fair?": "5", "nothing is recalled": "6", "The hall is cold.": "7", "A word too many.": "",
	} {
		for n, e := range emails {
			if is := strings.Contains(e.Text(), words); is != strings.Contains(in, fmt.Sprint(n+1)) {
				t.Errorf("email %d tells of %q: %v\n%s", n+1, words, is, e.Text())
			}
		}
	}
	holds(t, emails[0], "application/pdf", "Drainage survey – Mill Lane.pdf", survey)
	showsItsPictures(t, emails[0])
	w.onlyReceives()
}

// holds checks that an email has a file, whole.
func holds(t *testing.T, e mailtest.Email, kind, name string, content []byte) {
	t.Helper()
	sum := sha256.Sum256(content)
	if !slices.ContainsFunc(e.Parts, func(p mailtest.Part) bool {
		return p.Type == kind && p.Filename == name && p.Disposition == "attachment" && p.SHA256 == hex.EncodeToString(sum[:])
	}) {
		t.Errorf("email %q does not hold %s: %+v", e.Fields["subject"], name, e.Parts)
	}
}

// showsItsPictures checks that the page shows pictures and that each is in the email.
func showsItsPictures(t *testing.T, e mailtest.Email) {
	t.Helper()
	page, pictures := "", 0
	for _, p := range e.Parts {
		if p.Type == "text/html" {
			page = p.Text
		}
	}
	for _, p := range e.Parts {
		if strings.HasPrefix(p.Type, "image/") && p.ContentID != "" {
			if pictures++; !strings.Contains(page, "cid:"+p.ContentID) {
				t.Errorf("email %q does not show the picture %s", e.Fields["subject"], p.ContentID)
			}
		}
	}
	if pictures == 0 || strings.Count(page, "cid:") != pictures {
		t.Errorf("email %q has %d pictures and shows %d", e.Fields["subject"], pictures, strings.Count(page, "cid:"))
	}
}

// The clerk has the week's digest and the notice of what falls due, each once, and the
// council's mailbox neither.
func digestAndNotice(t *testing.T, s *mailtest.Server) {
	w := foundPost(t, s, "digest")
	w.through(s.TLS)
	stop := w.run()
	w.ann.Says("The hall is booked for the 12th.")
	w.must(w.server.WaitSettled(w.soon()))
	stop()
	clock := &stepped{now: time.Now()}
	d := w.opened(clock)
	defer func() { w.must(d.Close()) }()
	deliver := func() {
		t.Helper()
		for range 2 { // to look again changes nothing
			w.must(d.Nightly(t.Context()))
			w.must(d.Deliver(t.Context()))
		}
	}
	clock.set(time.Now().Add(7 * 24 * time.Hour))
	w.must(d.Digest(t.Context()))
	deliver()
	clock.set(time.Now().Add((6*365 - 20) * 24 * time.Hour))
	w.must(d.Nightly(t.Context())) // is surprised
	w.archive(func(db *sqlite.DB) error {
		return db.Write(t.Context(), func(tx *sqlite.Tx) error {
			return disposal.ConfirmClock(tx, clock.Now(), "Jo Hall", "the machine was in store")
		})
	})
	deliver()
	emails := w.received(w.clerk, 2)
	for n, want := range []string{"week ending", "will be destroyed"} {
		if e := emails[n]; !strings.Contains(e.Fields["subject"]+e.Text(), want) || e.Answers != 0 {
			t.Errorf("email %d, %q, does not tell of %q, or answers one:\n%s", n+1, e.Fields["subject"], want, e.Text())
		}
	}
	if got := w.mails.Mailbox(t, w.council, 0); len(got) != 0 {
		t.Errorf("the council's mailbox has %d emails", len(got))
	}
}

// An edition goes to three councillors, of whom one is gone and one has no room: the third
// has it at once, and once, and the second when there is room.
func editionForCouncillors(t *testing.T, s *mailtest.Server) {
	w := foundPost(t, s, "meeting")
	meeting := time.Now().Add(3 * 24 * time.Hour)
	w.edit("[disposal]", meeting.Format("[meetings]\ndates = [2006-01-02]\n[disposal]"))
	ann, bo := "meeting.ann@cranford-pc.example", "meeting.bo@cranford-pc.example"
	w.write(func(tx *sqlite.Tx) error {
		for name, address := range map[string]string{"Cllr Ann Brook": ann, "Cllr Bo Carter": bo} {
			m, err := people.MemberNamed(tx, name)
			if err != nil {
				return err
			}
			m.Email = address
			if err := people.EditMember(tx, time.Now(), "the test", "", m); err != nil {
				return err
			}
		}
		return nil
	})
	gone, full := ann+" 550 5.1.1 No such user", bo+" 452 4.2.2 Mailbox full"
	s.Answer(t, gone, full)
	stop := w.run()
	defer stop()
	w.ann.Says("The footbridge is on the agenda.")
	w.must(w.server.WaitSettled(w.soon()))
	w.must(w.daemon.Meetings(t.Context()))
	w.later(time.Hour)
	states := func(want ...mail.State) func(mail.Item) bool {
		return func(it mail.Item) bool {
			var got []mail.State
			for _, to := range []string{ann, bo, w.chair} {
				for _, r := range it.Recipients {
					if r.Address == to {
						got = append(got, r.State)
					}
				}
			}
			return slices.Equal(got, want)
		}
	}
	w.until(1, states(mail.Refused, mail.Queued, mail.HandedOver))
	first := w.received(w.chair, 1)[0]
	s.Answer(t, gone)
	w.later(2 * time.Hour)
	w.until(1, states(mail.Refused, mail.HandedOver, mail.HandedOver))
	for to, n := range map[string]int{ann: 0, bo: 1, w.chair: 1} {
		for _, e := range w.received(to, n) {
			if !bytes.Equal(e.Sent(), first.Sent()) {
				t.Errorf("%s has another email:\n%s", to, e.Sent())
			}
		}
	}
}

// The server takes so little that a conversation with photos and files does not go in one
// email: it goes in parts that do, in one thread, and each file is in one of them.
func photosAndASmallLimit(t *testing.T, s *mailtest.Server) {
	const most = 1_500_000
	s.Configure(t, fmt.Sprint("message_size_limit=", most))
	w := foundPost(t, s, "parts")
	stop := w.run()
	defer stop()
	at := time.Now().Add(-3 * time.Hour).Truncate(time.Second)
	first := w.ann.At(at).Says("Here is all that I have of the footbridge.")
	files := make(map[string][]byte)
	for n := range 6 {
		name, survey := fmt.Sprintf("survey %d.pdf", n+1), append([]byte("%PDF-1.4 "), random(300_000)...)
		files[name] = survey
		w.ann.At(at.Add(time.Duration(2*n+1)*10*time.Second)).SendsDocument(name, "application/pdf", survey, "")
		w.bo.At(at.Add(time.Duration(2*n+2)*10*time.Second)).SendsImage(photo(600+n), fmt.Sprintf("Photo %d.", n+1))
	}
	w.must(w.server.WaitSettled(w.soon()))
	w.waitKept()
	w.bo.At(at.Add(5*time.Minute)).Reacts(first, "📌")
	w.until(1, handedOver)
	parts := len(w.items())
	if parts < 2 {
		t.Fatalf("all of it went in %d email", parts)
	}
	w.until(parts, handedOver)
	emails := w.received(w.council, parts)
	for n, e := range emails {
		if e.Thread != emails[0].Thread || n > 0 && e.Answers != 1 || len(e.Sent()) > most {
			t.Errorf("email %d, %q, is in thread %d, answers %d and has %d bytes", n+1, e.Fields["subject"], e.Thread, e.Answers, len(e.Sent()))
		}
	}
	for n := range 6 {
		is := 0
		for _, e := range emails {
			is += strings.Count(e.Text(), fmt.Sprintf("Photo %d.", n+1))
		}
		if is != 1 {
			t.Errorf("photo %d is told of %d times", n+1, is)
		}
	}
	for name, survey := range files {
		n := slices.IndexFunc(emails, func(e mailtest.Email) bool {
			return slices.ContainsFunc(e.Parts, func(p mailtest.Part) bool { return p.Filename == name })
		})
		if n < 0 {
			t.Errorf("%s is in no email", name)
			continue
		}
		holds(t, emails[n], "application/pdf", name, survey)
	}
}

// random returns what nothing makes smaller, the same for all.
func random(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{}).Read(b)
	return b
}

// Whatever the mail server does, what was marked meanwhile is in the mailbox once.
func faultsOfTheMailServer(t *testing.T, s *mailtest.Server) {
	w := foundPost(t, s, "faults")
	stop := w.run()
	defer func() { stop() }()
	at := time.Now().Add(-24 * time.Hour).Truncate(time.Second)
	n := 0
	say := func(words string) {
		n++
		m := w.ann.At(at.Add(time.Duration(n) * time.Hour)).Says(words)
		w.bo.At(at.Add(time.Duration(n)*time.Hour+time.Minute)).Reacts(m, "📌")
	}
	// expect waits for the failure and checks that it is told of.
	expect := func(answer string) {
		t.Helper()
		w.fails(n, answer)
		if got := w.mails.Mailbox(t, w.council, 0); len(got) != n-1 {
			t.Errorf("the mailbox has %d emails", len(got))
		}
	}
	mended := func() {
		t.Helper()
		w.later(2 * time.Hour)
		w.until(n, handedOver)
	}

	s.Stop(t)
	say("Said while the mail server was stopped.")
	expect("cannot reach the mail server")
	s.Resume(t)
	mended()

	s.Answer(t, w.council+" greylist")
	say("Said while we were a stranger.")
	expect("450 4.7.1")
	mended()

	s.Answer(t, w.council+" 452 4.2.2 Mailbox full")
	say("Said while the mailbox was full.")
	expect("452 4.2.2")
	s.Answer(t)
	mended()

	restore := s.ShowOther(t)
	say("Said while the server was another.")
	expect("no protected connection")
	restore()
	mended()

	stop()
	w.password("wrong")
	stop = w.run()
	say("Said while the password was wrong.")
	expect("535 5.7.8")
	stop()
	w.password(mailtest.Password)
	stop = w.run()
	mended()

	stop()
	endpoint := s.OpenTokens(t, "record@cranford-pc.example")
	w.must(os.WriteFile(w.path("secret"), []byte(endpoint.Secret+"\n"), 0o600))
	w.edit(fmt.Sprintf("password_file = %q", w.path("smtp-password")), `auth = "oauth"`)
	w.edit("[disposal]", fmt.Sprintf("[mail.oauth]\nclient_id = %q\ntoken_url = %q\nsecret_file = %q\nscope = \"mail\"\n[disposal]",
		endpoint.ClientID, endpoint.URL(), w.path("secret")))
	endpoint.Down()
	stop = w.run()
	say("Said while nobody gave tokens.")
	expect("token")
	endpoint.Up(t)
	mended()

	emails := w.received(w.council, n)
	for i, want := range []string{"was stopped.", "were a stranger.", "was full.", "was another.", "was wrong.", "gave tokens."} {
		if !strings.Contains(emails[i].Text(), want) {
			t.Errorf("email %d does not hold %q:\n%s", i+1, want, emails[i].Text())
		}
	}
	log := w.log.String()
	for _, secret := range []string{"Said while", "@cranford-pc", mailtest.Password, endpoint.Secret, "eyJ"} {
		if strings.Contains(log, secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
	w.verifies()
}

// The daemon is killed before each step of the delivery of a conversation, in turn, and
// started again: each conversation arrives, and a second copy only of what Postfix had
// accepted, the same to the byte.
func killedAtEachStep(t *testing.T, s *mailtest.Server) {
	w := foundPost(t, s, "killed")
	w.showLogOfFailure()
	proxy := s.Proxy(t)
	w.through(proxy.Addr)
	w.edit(`settle = "200ms"`, `settle = "0s"`)
	at := time.Now().Add(-48 * time.Hour).Truncate(time.Second)
	n := 0
	say := func() {
		n++
		m := w.ann.At(at.Add(time.Duration(n) * time.Hour)).Says(fmt.Sprintf("Conversation %d.", n))
		w.bo.At(at.Add(time.Duration(n)*time.Hour+time.Minute)).Reacts(m, "📌")
	}
	steps := []string{
		mailtest.Connection, mailtest.Greeting, "EHLO", mailtest.Answer("EHLO"), "AUTH", mailtest.Answer("AUTH"),
		"MAIL", mailtest.Answer("MAIL"), "RCPT", mailtest.Answer("RCPT"), "DATA", mailtest.Answer("DATA"),
		mailtest.Body, mailtest.Half, mailtest.End, mailtest.Answer(mailtest.End),
		"NOOP", mailtest.Answer("NOOP"), // on a connection that was kept
	}
	var again []int // conversations that Postfix had accepted when the daemon was killed
	starts := 0
	start := func(environment ...string) *exec.Cmd {
		// Each is half a minute after the one before, so that what is composed anew shows.
		starts++
		w.must(os.WriteFile(w.path("clock"), fmt.Appendf(nil, "%ds", 30*starts), 0o600))
		w.environment = append(environment, childControl+"="+w.dir)
		c := w.spawn()
		w.must(w.server.WaitOnline(w.soon()))
		if n > 0 {
			w.until(n, handedOver) // what the one before left
		}
		return c
	}
	for _, step := range steps {
		c := start()
		if !strings.Contains(step, "NOOP") {
			proxy.Drop() // for a new connection
		}
		dead := make(chan struct{})
		proxy.Before(func(now string) bool {
			if now == step {
				_ = c.Process.Kill()
				_ = c.Wait() // killed: it cannot have ended well
				close(dead)
			}
			return now != step
		})
		say()
		select {
		case <-dead:
		case <-w.soon().Done():
			t.Fatalf("the daemon never came to %s", step)
		}
		proxy.Before(nil)
		if step == mailtest.Answer(mailtest.End) {
			again = append(again, n)
		}
	}
	end := func(c *exec.Cmd) {
		w.must(c.Process.Signal(syscall.SIGTERM))
		w.must(c.Wait())
	}
	end(start())

	// Between the answer and its commit.
	c := start(childKillAt + "=email handed over")
	say()
	_ = c.Wait() // killed: it cannot have ended well
	again = append(again, n)

	// After the commit.
	c = start()
	say()
	w.until(n, handedOver)
	_ = c.Process.Kill()
	_ = c.Wait()
	end(start())

	s.Drained(t)
	first := make(map[string][]byte)
	copies := make([]int, n)
	for _, e := range s.Mailbox(t, w.council, n) {
		if before, is := first[e.ID()]; is && !bytes.Equal(before, e.Sent()) {
			t.Errorf("two emails with the Message-ID %s differ", e.ID())
		}
		first[e.ID()] = e.Sent()
		for i := range n {
			if strings.Contains(e.Text(), fmt.Sprintf("Conversation %d.", i+1)) {
				copies[i]++
			}
		}
	}
	for i, got := range copies {
		want := 1
		if slices.Contains(again, i+1) {
			want = 2
		}
		if got != want {
			t.Errorf("conversation %d is in the mailbox %d times, want %d", i+1, got, want)
		}
	}
	w.verifies()
}
