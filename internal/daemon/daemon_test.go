package daemon_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"muniment/internal/archive"
	"muniment/internal/daemon"
	"muniment/internal/forward"
	"muniment/internal/mail"
	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/sqlite"
	"muniment/internal/standin"
	"muniment/internal/whatsapp"
)

func TestAnOrdinaryEvening(t *testing.T) {
	w := found(t)
	stop := w.run()
	defer stop()

	rail := w.ann.Says("The handrail on the footbridge has come away.")
	answer := w.bo.Replies(rail, "@Ann I saw it too.", w.ann)
	w.ann.Reacts(rail, "😮")
	w.stranger.Reacts(rail, "📌") // not on the register: it marks nothing
	w.bo.Reacts(answer, "📌")
	other := w.server.Group("Bell ringers", w.phone, w.bo)
	w.bo.In(other).Says("Practice is on Thursday, in the tower.")
	w.bo.Tells(w.phone, "Between us: I am moving away.")
	poll := w.ann.Polls("Saturday or Sunday?", "Saturday", "Sunday")
	w.stranger.Leaves(w.official)
	w.must(w.server.WaitSettled(w.soon()))

	letter := plain(w.emailed(1)[0])
	for _, want := range []string{"Cllr Ann Brook", "Cllr Bo Carter", "handrail", "I saw it too"} {
		if !strings.Contains(letter, want) {
			t.Errorf("the letter lacks %q:\n%s", want, letter)
		}
	}
	stop()

	records := w.records()
	if rs := records[answer.ID()]; len(rs) != 1 || rs[0].ReplyTo != records[rail.ID()][0].Seq {
		t.Errorf("the reply is %+v", rs)
	}
	if rs := records[poll.ID()]; len(rs) != 1 || rs[0].Kind != record.Message || rs[0].Type != record.Poll {
		t.Errorf("the poll is %+v", rs)
	}
	var changes []record.Type
	for _, r := range records[""] {
		changes = append(changes, r.Type)
	}
	if len(changes) != 2 || changes[0] != record.Present || changes[1] != record.Left {
		t.Errorf("changes of participants: %v; want present, left", changes)
	}
	w.nothingOf("Practice is on Thursday", "I am moving away", "Bell ringers")
	w.logTellsNothing()
	w.accounted()
	w.verifies()
	w.onlyReceives()
}

// nothingOf checks that no file of the state directory holds the words.
func (w *town) nothingOf(words ...string) {
	w.t.Helper()
	err := filepath.WalkDir(w.path("state"), func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		for _, word := range words {
			if strings.Contains(string(b), word) {
				w.t.Errorf("%s holds %q", filepath.Base(path), word)
			}
		}
		return err
	})
	w.must(err)
}

// logTellsNothing checks that the log has no content, name or address.
func (w *town) logTellsNothing() {
	w.t.Helper()
	log := w.log.String()
	if !strings.Contains(log, "record received") {
		w.t.Error("the log does not tell of capture: is it the daemon's?")
	}
	for _, secret := range []string{"handrail", "Ann", "Bo", "Zed", "Stranger", "@g.us", "@lid", "@s.whatsapp.net", "4477009", "ringers", "Thursday",
		w.ann.LID().User, w.official.JID().User} {
		if strings.Contains(log, secret) {
			w.t.Errorf("the log holds %q", secret)
		}
	}
}

func TestAMarkTakenBackInTimeSendsNothing(t *testing.T) {
	w := found(t)
	w.edit(`settle = "200ms"`, `settle = "1h"`)
	stop := w.run()
	m := w.ann.Says("Shall we mark this?")
	w.bo.Reacts(m, "📌")
	w.bo.TakesBack(m)
	w.must(w.server.WaitSettled(w.soon()))
	stop()
	w.read(func(tx *sqlite.Tx) error {
		var state string
		if err := tx.QueryRow("SELECT state FROM recipient").Scan(&state); err != nil || state != "cancelled" {
			t.Errorf("the email is %q, err %v; want cancelled", state, err)
		}
		return nil
	})
}

func TestStoppedDaemonGivesBackWhatItMissed(t *testing.T) {
	w := found(t)
	w.run()()
	missed := w.ann.Says("Said while nobody was listening.")
	stop := w.run()
	w.must(w.server.WaitSettled(w.soon()))
	stop()
	if rs := w.records()[missed.ID()]; len(rs) != 1 {
		t.Errorf("captured %d times", len(rs))
	}
	w.read(func(tx *sqlite.Tx) error {
		gaps, err := archive.Gaps(tx)
		if err != nil {
			return err
		}
		for _, g := range gaps {
			if g.Kind != archive.NotConnected || g.Closed.IsZero() {
				t.Errorf("gap %+v; want a closed one of kind %q", g, archive.NotConnected)
			}
		}
		if len(gaps) == 0 {
			t.Error("the time in between is no gap")
		}
		return nil
	})
	w.verifies()
}

func TestALostLinkDoesNotEndTheDaemon(t *testing.T) {
	breaksConnections(t)
	w := found(t)
	stop := w.run()
	m := w.ann.Says("Before the link was lost.")
	w.bo.Reacts(m, "📌")
	w.must(w.server.WaitSettled(w.soon()))
	w.phone.Unlinks()
	w.emailed(1) // mail goes on
	w.must(w.server.WaitOffline(w.soon()))
	stop()
	w.read(func(tx *sqlite.Tx) error {
		gaps, err := archive.Gaps(tx)
		if err != nil {
			return err
		}
		if len(gaps) == 0 || !gaps[0].Closed.IsZero() {
			t.Errorf("gaps %+v; want an open one", gaps)
		}
		return nil
	})
	if _, err := daemon.Open(t.Context(), w.options()); !errors.Is(err, whatsapp.ErrNotLinked) {
		t.Errorf("opened again: %v; want ErrNotLinked", err)
	}
}

func TestRefusals(t *testing.T) {
	w := found(t)
	for _, tt := range []struct {
		name, old, new string
		want           string
	}{
		{"no group is configured", "[[group]]\njid = ", "[unused]\nx = ", "no such key"},
		{"the group has no purpose", `purpose = "Quick, informal messages. No decisions are made here."`, "", "purpose"},
		{"the council's domain is missing", `domains = ["cranford-pc.example"]`, "", "mail domain"},
		{"the privacy notice is not recorded", `version = "1"`, "", "privacy notice"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before, err := os.ReadFile(w.path("muniment.toml"))
			w.must(err)
			defer os.WriteFile(w.path("muniment.toml"), before, 0o600)
			w.edit(tt.old, tt.new)
			if tt.want == "no such key" { // there is no such table: leave the whole group out
				w.must(os.WriteFile(w.path("muniment.toml"), withoutGroup(before), 0o600))
				tt.want = "no group is configured"
			}
			_, err = daemon.Open(t.Context(), w.options())
			if !errors.Is(err, daemon.ErrIncomplete) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("opened with: %v; want a refusal that says %q", err, tt.want)
			}
		})
	}
	t.Run("a demonstration's directory", func(t *testing.T) {
		w.must(w.home().MarkDemonstration())
		defer os.Remove(filepath.Join(w.path("state"), daemon.DemonstrationMark))
		if _, err := daemon.Open(t.Context(), w.options()); !errors.Is(err, daemon.ErrDemonstration) {
			t.Errorf("opened with %v", err)
		}
	})
	t.Run("another daemon runs", func(t *testing.T) {
		defer w.run()()
		if _, err := daemon.Open(t.Context(), w.options()); !errors.Is(err, daemon.ErrBusy) {
			t.Errorf("opened with %v", err)
		}
	})
	t.Run("no archive", func(t *testing.T) {
		w.edit("state_directory = ", "state_directory = \"/nowhere\" #")
		if _, err := daemon.Open(t.Context(), w.options()); !errors.Is(err, sqlite.ErrNoArchive) || !strings.Contains(err.Error(), "muniment init") {
			t.Errorf("opened with %v", err)
		}
	})
}

func withoutGroup(config []byte) []byte {
	before, rest, _ := strings.Cut(string(config), "[[group]]")
	_, after, _ := strings.Cut(rest, "[notice]")
	return []byte(before + "[notice]" + after)
}

// edit changes the configuration.
func (w *town) edit(old, new string) {
	w.t.Helper()
	b, err := os.ReadFile(w.path("muniment.toml"))
	w.must(err)
	if !strings.Contains(string(b), old) {
		w.t.Fatalf("the configuration lacks %q", old)
	}
	w.must(os.WriteFile(w.path("muniment.toml"), []byte(strings.Replace(string(b), old, new, 1)), 0o600))
}

// systemd is told when the daemon is ready and stopping; being told to stop, it
// stops well within the ten seconds it has.
func TestSystemdAndStop(t *testing.T) {
	w := found(t)
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: w.path("notify"), Net: "unixgram"})
	w.must(err)
	defer socket.Close()
	t.Setenv("NOTIFY_SOCKET", w.path("notify"))
	t.Setenv("WATCHDOG_USEC", "200000")
	stop := w.run()
	told := make(chan string, 100)
	go func() {
		b := make([]byte, 1000)
		for {
			n, err := socket.Read(b)
			if err != nil {
				close(told)
				return
			}
			told <- string(b[:n])
		}
	}()
	wait := func(want string) {
		t.Helper()
		for timeout := time.After(time.Minute); ; {
			select {
			case s := <-told:
				if strings.HasPrefix(s, want) {
					return
				}
			case <-timeout:
				t.Fatalf("systemd was not told %s", want)
			}
		}
	}
	wait("READY=1")
	wait("WATCHDOG=1")
	wait("WATCHDOG=1")
	begin := time.Now()
	stop()
	wait("STOPPING=1")
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("it took %s to stop", took)
	}
}

// Said and marked after linking and before the daemon first ran: who is in the
// group is not known yet.
func TestMarkedBeforeTheFirstRun(t *testing.T) {
	if testing.Short() {
		t.Skip("does much, and nothing that others of a short run do not")
	}
	w := found(t)
	m := w.ann.Says("Said before the first run.")
	w.bo.Reacts(m, "📌")
	stop := w.run()
	defer stop()
	w.must(w.server.WaitSettled(w.soon()))
	if e := w.emailed(1)[0]; !bytes.Contains(e, []byte(m.Text())) {
		t.Errorf("the email does not hold the message:\n%s", e)
	}
}

// The mail server was away, the letter is composed, and then somebody comes onto
// the register: what goes is what would have gone.
func TestALetterIsComposedOnce(t *testing.T) {
	breaksConnections(t) // to be stopped and started while WhatsApp is busy
	w := found(t)
	stop := w.run()
	w.alerted(1) // that there is a stranger; one that cannot be sent would have all others wait
	stop()
	w.must(os.WriteFile(w.path("smtp-password"), []byte("wrong\n"), 0o600))
	stop = w.run()
	w.bo.Reacts(w.stranger.Says("The handrail is loose."), "📌")
	w.must(w.server.WaitSettled(w.soon()))
	w.mail(func(it mail.Item) bool {
		return strings.Contains(it.Recipients[0].LastAnswer, "check user name and password")
	})
	stop()
	w.archive(func(db *sqlite.DB) error {
		return db.Write(t.Context(), func(tx *sqlite.Tx) error {
			a, err := people.ParseNumber("07700 900199")
			if err != nil {
				return err
			}
			return people.AddMember(tx, time.Now(), "the test", "", people.Member{Name: "Cllr Zed Young", Role: "councillor"}, a)
		})
	})
	w.must(os.WriteFile(w.path("smtp-password"), []byte("secret\n"), 0o600))
	stop = w.run()
	defer stop()
	if e := w.emailed(1)[0]; !bytes.Contains(e, []byte("Zed the Stranger")) || bytes.Contains(e, []byte("Cllr Zed Young")) {
		t.Errorf("composed anew:\n%s", e)
	}
}

// The mail server has put off the email of a conversation. The one that goes on with it
// goes after it, so that nobody reads an answer to what he does not have.
func TestAnAnswerGoesAfterWhatItAnswers(t *testing.T) {
	w := found(t)
	stop := w.run()
	leak := w.ann.Says("The culvert leaks.")
	w.bo.Reacts(leak, "📌")
	w.must(w.server.WaitSettled(w.soon()))
	w.emailed(1)
	stop()
	w.write(func(tx *sqlite.Tx) error {
		_, err := tx.Exec(`UPDATE recipient SET state = 'queued', finished_at = NULL, next_attempt = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '+1 hour')
			WHERE email = (SELECT id FROM email WHERE kind = 'conversation')`)
		return err
	})
	stop = w.run()
	defer func() { stop() }()
	more := w.ann.Says("It is under water now.")
	w.bo.Reacts(more, "📌")
	w.must(w.server.WaitSettled(w.soon()))
	answers := w.mailAbout(2, func(it mail.Item) bool {
		return it.Recipients[0].Attempts > 0 && it.State == mail.Queued && it.Recipients[0].LastAnswer != ""
	})
	if answer := answers.Recipients[0].LastAnswer; answer != mail.ErrLater.Error() {
		t.Errorf("the answer is %s: %s", answers.State, answer)
	}
	for _, id := range []int64{w.mail(func(mail.Item) bool { return true }).ID, answers.ID} {
		w.write(func(tx *sqlite.Tx) error {
			return mail.Retry(tx, time.Now(), id, "the test", "the server is well again")
		})
		stop()
		stop = w.run() // it looks at once
	}
	emails := w.emailed(3)
	if got, want := header(t, emails[2], "In-Reply-To"), header(t, emails[1], "Message-Id"); got != want || want != header(t, emails[0], "Message-Id") {
		t.Errorf("the last email answers %s; want %s", got, want)
	}
}

// The mail server puts off the email of a conversation, and refuses it in the end. The one
// that would have gone on with it has all of it.
func TestWhatWasRefusedGoesWithTheNextMark(t *testing.T) {
	w := found(t)
	stop := w.run()
	leak := w.ann.Says("The culvert leaks.")
	w.bo.Reacts(leak, "📌")
	w.must(w.server.WaitSettled(w.soon()))
	w.emailed(1)
	stop()
	w.write(func(tx *sqlite.Tx) error {
		_, err := tx.Exec(`UPDATE recipient SET state = 'queued', finished_at = NULL, next_attempt = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '+1 hour')
			WHERE email = (SELECT id FROM email WHERE kind = 'conversation')`)
		return err
	})
	stop = w.run()
	w.bo.Reacts(w.ann.Says("It is under water now."), "📌")
	w.must(w.server.WaitSettled(w.soon()))
	next := w.mailAbout(2, func(it mail.Item) bool {
		return it.Recipients[0].LastAnswer == mail.ErrLater.Error()
	})
	stop()
	w.write(func(tx *sqlite.Tx) error {
		_, err := tx.Exec(`UPDATE recipient SET state = 'refused', finished_at = last_attempt
			WHERE email = (SELECT id FROM email WHERE kind = 'conversation' AND about = 1)`)
		return errors.Join(err, mail.Retry(tx, time.Now(), next.ID, "the test", "the server is well again"))
	})
	stop = w.run()
	defer stop()
	e := w.emailed(2)[1]
	tells(t, plain(e), "The culvert leaks.", "It is under water now.")
	tellsNot(t, plain(e), "only the new messages")
	if header(t, e, "In-Reply-To") != "" {
		t.Errorf("it answers %s, which nobody has", header(t, e, "In-Reply-To"))
	}
}

// The council has another domain: what waits for the old one is kept back, and
// goes once that is the council's again.
func TestEmailsStayWithinTheDomains(t *testing.T) {
	if testing.Short() {
		t.Skip("does much, and nothing that others of a short run do not")
	}
	const old, other = "cranford-pc.example", "cranford.gov.example"
	w := found(t)
	w.edit(`settle = "200ms"`, `settle = "3s"`)
	stop := w.run()
	w.bo.Reacts(w.ann.Says("The handrail."), "📌")
	w.must(w.server.WaitSettled(w.soon()))
	stop()
	configuration, err := os.ReadFile(w.path("muniment.toml"))
	w.must(err)
	w.must(os.WriteFile(w.path("muniment.toml"), bytes.ReplaceAll(configuration, []byte(old), []byte(other)), 0o600))
	stop = w.run()
	it := w.mail(func(it mail.Item) bool { return it.Recipients[0].LastAnswer != "" })
	if it.State != mail.Queued || it.Recipients[0].Attempts != 0 || it.Recipients[0].LastAnswer != "its recipient is not at one of the council's domains" {
		t.Errorf("kept back: %+v", it)
	}
	stop()
	if n := len(w.emails()); n != 0 {
		t.Errorf("%d emails went outside the domains", n)
	}
	w.must(os.WriteFile(w.path("muniment.toml"), configuration, 0o600))
	stop = w.run()
	defer stop()
	w.emailed(1)
}

// mail waits until the first conversation's email is as it should be, and returns
// it.
func (w *town) mail(is func(mail.Item) bool) (it mail.Item) {
	w.t.Helper()
	return w.mailAbout(1, is)
}

// mailAbout is mail of another conversation; it need not be owed yet.
func (w *town) mailAbout(id int64, is func(mail.Item) bool) (it mail.Item) {
	w.t.Helper()
	ctx := w.soon()
	for {
		w.read(func(tx *sqlite.Tx) (err error) {
			it, err = mail.Find(tx, forward.Letter, id)
			if errors.Is(err, mail.ErrNotQueued) {
				return nil
			}
			return err
		})
		if it.ID != 0 && is(it) {
			return it
		}
		if ctx.Err() != nil {
			w.t.Fatalf("the email is %+v", it)
		}
		time.Sleep(10 * time.Millisecond) // the outbox tells nobody
	}
}

// Once in a while everything goes wrong at once.
func TestFaultyEvening(t *testing.T) {
	breaksConnections(t)
	w := found(t)
	stop := w.run()
	twice := w.ann.Says("This one comes twice.")
	w.must(w.server.WaitSettled(w.soon()))
	twice.Again()
	twice.Anew()
	w.bo.Says("To have a key to be missed.")
	lost := w.bo.Unhearing().Garbled().Says("This one cannot be read.")
	w.must(w.server.WaitJournal(w.soon(), func(e standin.Entry) bool { return e.Kind == "retry receipt" }))
	w.must(w.gapsOpen(1))
	lost.Resend()
	w.must(w.gapsOpen(0))
	w.server.Drop()
	w.must(w.server.WaitOnline(w.soon()))
	after := w.ann.Says("And we are back.")
	w.must(w.server.WaitSettled(w.soon()))
	stop()
	records := w.records()
	for _, m := range []*standin.Message{twice, lost, after} {
		if rs := records[m.ID()]; len(rs) != 1 || rs[0].Text != m.Text() {
			t.Errorf("%q is in the archive %d times", m.Text(), len(rs))
		}
	}
	w.accounted()
	w.verifies()
	w.onlyReceives()
}

// gapsOpen waits until n messages are missing.
func (w *town) gapsOpen(n int) error {
	ctx := w.soon()
	for {
		open := 0
		w.read(func(tx *sqlite.Tx) error {
			gaps, err := archive.Gaps(tx)
			for _, g := range gaps {
				if g.Kind == archive.NotDecrypted && g.Closed.IsZero() {
					open++
				}
			}
			return err
		})
		if open == n {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(context.DeadlineExceeded, errors.New("gaps are not as they should be"))
		case <-time.After(10 * time.Millisecond):
		}
	}
}
