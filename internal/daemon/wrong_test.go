package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"muniment/internal/alert"
	"muniment/internal/archive"
	"muniment/internal/config"
	"muniment/internal/journal"
	"muniment/internal/mail"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
)

// What no alert may hold: what was said, who said it, and numbers of any kind.
const (
	canaryText   = "The culvert at Mill Lane has collapsed."
	canaryName   = "Zebedee Quill"
	canaryNumber = "447700900177"
	canaryLID    = "100000000000177"
	canaryGroup  = "120363041234567890@g.us"
)

var stranger = record.Address{JID: canaryLID + "@lid", Alt: canaryNumber + "@s.whatsapp.net"}

// office is a daemon with its archive and a clock, before it runs.
type office struct {
	t   *testing.T
	d   *Daemon
	at  time.Time
	ctx context.Context
}

func newOffice(t *testing.T) *office {
	o := &office{t: t, at: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC), ctx: t.Context()}
	dir := t.TempDir()
	var c config.Config
	c.StateDirectory = filepath.Join(dir, "state")
	c.Council = config.Council{Name: "Cranford Parish Council", Domains: []string{"cranford-pc.example"}}
	c.Groups = []config.Group{{JID: canaryGroup, Name: "Cranford councillors", ConversationsTo: "council@cranford-pc.example"}}
	c.Mail = config.Mail{Server: "127.0.0.1:1", Security: config.SecuritySTARTTLS, From: "record@cranford-pc.example", Clerk: "clerk@cranford-pc.example"}
	c.Alerts = config.Alerts{TechnicalTo: "it@cranford-pc.example", Command: []string{"/bin/true"}}
	c.Retention.Schedule = retention.Default()
	home := Home(c.StateDirectory)
	o.must(home.Make(o.ctx, o.at, "the test"))
	now := func() time.Time { return o.at }
	o.d = &Daemon{o: Options{Config: c, Now: now, Log: slog.New(slog.DiscardHandler)}, home: home, log: slog.New(slog.DiscardHandler), now: now,
		lookNow: make(chan struct{}, 1), toTell: make(chan struct{}, 1), urgent: make(chan alert.Telling, 1), startedAt: o.at}
	var err error
	o.d.db, err = home.OpenArchive(o.ctx)
	o.must(err)
	t.Cleanup(func() { o.d.db.Close() })
	o.must(o.d.wire(o.ctx))
	o.write(func(tx *sqlite.Tx) (err error) { o.d.intake, err = archive.BeginIntake(tx, o.at); return err })
	return o
}

func (o *office) must(err error) {
	o.t.Helper()
	if err != nil {
		o.t.Fatal(err)
	}
}

func (o *office) write(f func(*sqlite.Tx) error) {
	o.t.Helper()
	o.must(o.d.db.Write(o.ctx, f))
}

// passes lets time pass, and then has the daemon look.
func (o *office) passes(d time.Duration) {
	o.t.Helper()
	o.at = o.at.Add(d)
	o.must(o.d.Alert(o.ctx))
}

// captures has a record captured as it is when it comes.
func (o *office) captures(r record.Received) {
	o.t.Helper()
	r.Group, r.Sent = canaryGroup, o.at
	if r.Sender == (record.Address{}) {
		r.Sender = stranger
	}
	r.PushName = canaryName
	o.d.received.Add(1)
	o.must(o.d.capture(o.ctx, r))
}

func (o *office) journals(a journal.Act, about journal.About) {
	o.t.Helper()
	o.write(func(tx *sqlite.Tx) error { return o.d.journaled(tx, a, about) })
}

// told is what was told so far, to whom; what was told to the command alone in brackets.
func (o *office) told() (all []string) {
	o.t.Helper()
	o.write(func(tx *sqlite.Tx) error {
		for id := int64(1); ; id++ {
			t, err := alert.Load(tx, id)
			if errors.Is(err, alert.ErrNoTelling) {
				return nil
			} else if err != nil {
				return err
			}
			s := fmt.Sprintf("%s %s", t.Sort, t.Kind)
			it, err := mail.Find(tx, alert.Mail, id)
			if errors.Is(err, mail.ErrNotQueued) {
				all = append(all, "("+s+")")
				continue
			} else if err != nil {
				return err
			}
			var to []string
			for _, a := range it.To {
				name, _, _ := strings.Cut(a, "@")
				to = append(to, name)
			}
			slices.Sort(to)
			all = append(all, s+" to "+strings.Join(to, "+"))
		}
	})
	return all
}

// tellsNothing checks every email and every text for the command.
func (o *office) tellsNothing() {
	o.t.Helper()
	for id := range int64(len(o.told())) {
		var told alert.Telling
		var it mail.Item
		o.write(func(tx *sqlite.Tx) (err error) {
			if told, err = alert.Load(tx, id+1); err != nil {
				return err
			}
			if it, err = mail.Find(tx, alert.Mail, id+1); errors.Is(err, mail.ErrNotQueued) {
				return nil
			}
			return err
		})
		subject, text, err := o.d.letters.AlertText(told)
		o.must(err)
		said := subject + text
		if it.ID != 0 {
			it.ComposedAt = o.at
			email, err := o.d.compose(o.ctx, it)
			o.must(err)
			said += strings.ReplaceAll(string(email), "=\r\n", "")
		}
		for _, secret := range []string{"culvert", "Zebedee", "Quill", canaryNumber, "7700 900177", canaryLID, canaryGroup, "12036304"} {
			if strings.Contains(said, secret) {
				o.t.Errorf("%s %s holds %q:\n%s", told.Sort, told.Kind, secret, said)
			}
		}
	}
}

const ban = "WhatsApp has banned the council's account until 26 November 2026 at 14:05. After that, muniment connects again by itself."

func (o *office) disconnects(cause string) { o.must(o.d.disconnected(o.ctx, o.at, cause)) }

func (o *office) connects() {
	o.write(func(tx *sqlite.Tx) error { return archive.CloseGap(tx, o.at) })
}

// owes owes an email, about a hold.
func (o *office) owes(to string) {
	o.write(func(tx *sqlite.Tx) error {
		if _, err := archive.PlaceHold(tx, o.at, "Jo Marsh", "a request", "2027-05-24", archive.Cover{Scope: archive.Everything}); err != nil {
			return err
		}
		_, err := mail.Queue(tx, o.at, mail.Item{Kind: holdLetter, About: 1, MessageID: "hold.1@cranford-pc.example", From: "record@cranford-pc.example", To: []string{to}})
		return err
	})
}

// Each kind, from how it comes about to that it is over: what is wrong, what mends it, who is
// told.
func TestEveryKindIsTold(t *testing.T) {
	if testing.Short() {
		t.Skip("one thing after another, which the race detector watches for long")
	}
	const clerk, it, both = " to clerk", " to it", " to clerk+it"
	tests := []struct {
		kind  alert.Kind
		to    string
		comes func(*office) // and what is not told yet
		waits time.Duration // until it is told; 0: it was told at once
		mends func(*office) // nil: it has no end
	}{
		{alert.LinkLost, both, func(o *office) { o.must(o.d.linkLost(o.ctx, "This machine was removed.")) }, 0, (*office).connects},
		{alert.Banned, both, func(o *office) { o.disconnects(ban) }, 0, (*office).connects},
		{alert.Replaced, it, func(o *office) {
			o.disconnects("Another program has connected with this machine's link: this machine may have been copied.")
		}, 0, (*office).connects},
		{alert.Outdated, it, func(o *office) {
			o.disconnects("WhatsApp no longer accepts muniment's version of its app. Connecting as the newest one did not help, or could not be tried.")
		}, 0, (*office).connects},
		{alert.Refused, it, func(o *office) {
			o.disconnects("WhatsApp refuses the connection (reason 503). muniment tries again. If that does not help within a day, install a newer muniment.")
		}, 0, (*office).connects},
		{alert.NotConnected, it, func(o *office) {
			o.disconnects("The connection to WhatsApp was interrupted.")
			o.passes(7 * time.Minute)
			o.disconnects("WhatsApp could not be reached.")
			o.passes(7 * time.Minute)
		}, time.Minute, (*office).connects},
		{alert.PhoneUnseen, clerk, func(o *office) {
			o.journals(journal.Linked, nil)
			seen := o.at
			o.write(func(tx *sqlite.Tx) error { return archive.SawPhone(tx, o.at, seen) })
			o.passes(6 * 24 * time.Hour)
			o.at = o.at.Add(24 * time.Hour)
			o.write(func(tx *sqlite.Tx) error { return archive.MissPhone(tx, o.at, seen, 7) })
		}, time.Minute, func(o *office) { o.write(func(tx *sqlite.Tx) error { return archive.SawPhone(tx, o.at, o.at) }) }},
		{alert.Outside, clerk, func(o *office) { o.must(o.d.outside(o.ctx, canaryGroup, time.Time{}, "removed")) }, 0, func(o *office) {
			o.write(func(tx *sqlite.Tx) error { return archive.CloseGroupGap(tx, o.at, archive.NotInGroup, canaryGroup) })
		}},
		{alert.TimerOn, clerk, func(o *office) {
			o.captures(record.Received{Kind: record.Group, Type: record.Timer, ID: "3EB0T1", Text: "604800"})
		}, 0, func(o *office) {
			o.captures(record.Received{Kind: record.Group, Type: record.Timer, ID: "3EB0T2", Text: "0"})
		}},
		{alert.DiskLow, it, func(o *office) { o.journals(journal.DiskLow, nil) }, time.Minute, func(o *office) { o.journals(journal.DiskEnough, nil) }},
		{alert.MailLate, it, func(o *office) { // to somebody outside the council's domains
			o.owes("somebody@elsewhere.example")
			o.passes(23*time.Hour + 59*time.Minute)
		}, time.Minute, func(o *office) {
			o.write(func(tx *sqlite.Tx) error { return mail.Cancel(tx, "hold", 1, o.at) })
		}},
		{alert.Expiring, it, func(o *office) {
			o.d.expiries = func() []Expiry {
				return []Expiry{{What: "The secret of the mail account", At: o.at.Add(31 * 24 * time.Hour), Notice: 30 * 24 * time.Hour}}
			}
			o.passes(0)
			o.d.expiries = func() []Expiry {
				return []Expiry{{What: "The secret of the mail account", At: o.at.Add(29 * 24 * time.Hour), Notice: 30 * 24 * time.Hour}}
			}
		}, time.Minute, func(o *office) {
			o.d.expiries = func() []Expiry {
				return []Expiry{{What: "The secret of the mail account", At: o.at.Add(360 * 24 * time.Hour), Notice: 30 * 24 * time.Hour}}
			}
		}},
		{alert.Expired, it, func(o *office) {
			at := o.at
			o.d.expiries = func() []Expiry {
				return []Expiry{{What: "The mail server’s certificate", At: at, Notice: 14 * 24 * time.Hour}}
			}
		}, time.Minute, func(o *office) {
			o.d.expiries = func() []Expiry {
				return []Expiry{{What: "The mail server’s certificate", At: o.at.Add(80 * 24 * time.Hour), Notice: 14 * 24 * time.Hour}}
			}
		}},
		{alert.VerifyFailed, both, func(o *office) { o.must(o.d.verified(o.ctx, true)); o.must(o.d.verified(o.ctx, false)) }, 0,
			func(o *office) { o.must(o.d.verified(o.ctx, true)) }},

		{alert.Missing, clerk, func(o *office) {
			for _, id := range []string{"3EB0AA", "3EB0BB"} {
				m := archive.Missed{Group: canaryGroup, Ref: record.Ref{ID: id, Sender: stranger}, Sent: o.at, Cause: "no key"}
				o.write(func(tx *sqlite.Tx) error { return o.d.archive.MissMessage(tx, o.at, m) })
			}
			o.passes(30 * time.Minute)
			o.captures(record.Received{Kind: record.Message, Type: record.Text, ID: "3EB0BB", Text: canaryText}) // it comes after all
			o.passes(29 * time.Minute)
		}, time.Minute, nil},
		{alert.Stranger, clerk, func(o *office) {
			o.captures(record.Received{Kind: record.Participants, Type: record.Joined, Participants: []record.Participant{{Address: stranger}}})
		}, 0, nil},
		{alert.NewAdmin, clerk, func(o *office) {
			o.captures(record.Received{Kind: record.Participants, Type: record.Promoted, Participants: []record.Participant{{Address: stranger}}})
		}, 0, nil},
		{alert.Renamed, clerk, func(o *office) {
			o.captures(record.Received{Kind: record.Group, Type: record.Subject, Text: canaryText})
		}, 0, nil},
		{alert.ClockJumped, it, func(o *office) { o.journals(journal.ClockJumped, nil) }, time.Minute, nil},
		{alert.Residue, both, func(o *office) { o.journals(journal.ResidueFound, nil) }, time.Minute, nil},
		{alert.Unaccounted, it, func(o *office) {
			o.write(func(tx *sqlite.Tx) error { return archive.Count(tx, o.at, o.d.intake, 3, archive.WasCaptured) })
			o.passes(11 * time.Hour) // and the day is not over
		}, time.Hour, nil},
		{alert.MailRefused, it, func(o *office) {
			o.journals(journal.MailRefused, journal.About{"outbox": 1, "kind": "conversation", "about": 1})
		}, time.Minute, nil},
	}
	covered := map[alert.Kind]bool{alert.Unwritable: true, alert.MailStuck: true, alert.AlertLost: true, // below
		alert.NoChair:      true,                                                                                 // by what happens in a town
		alert.BackupFailed: true, alert.NoBackup: true, alert.BackupNotCopied: true, alert.BackupNotPruned: true, // in TestBackupsThatFailAreTold
		alert.Restored: true} // in TestRestoreIsToldUntilItIsConfirmed
	for _, tt := range tests {
		covered[tt.kind] = true
		t.Run(string(tt.kind), func(t *testing.T) {
			o := newOffice(t)
			o.passes(10 * time.Minute)
			tt.comes(o)
			if tt.waits > 0 {
				if got := o.told(); len(got) != 0 {
					t.Errorf("told too early: %q", got)
				}
				o.passes(tt.waits)
			}
			want := []string{"raised " + string(tt.kind) + tt.to}
			check := func() {
				t.Helper()
				if got := o.told(); !slices.Equal(got, want) {
					t.Errorf("told %q, want %q", got, want)
				}
			}
			check()
			for range 3 {
				o.passes(time.Minute)
				o.must(o.d.db.Close()) // it is started anew
				var err error
				o.d.db, err = o.d.home.OpenArchive(o.ctx)
				o.must(err)
			}
			check()
			if tt.mends != nil {
				tt.mends(o)
				o.passes(time.Minute)
				o.passes(9 * time.Minute)
				check()
				o.passes(time.Minute)
				want = append(want, "ended "+string(tt.kind)+tt.to)
			} else {
				o.passes(3 * time.Hour)
			}
			check()
			o.tellsNothing()
		})
	}
	for _, k := range alert.Kinds {
		if !covered[k] {
			t.Errorf("nothing shows that %q is told", k)
		}
	}
}

// The mail server is away: no email can tell of it, so the command does, and an email when it
// is over. That emails have waited for long is told when it can be.
func TestNoEmailCanBeHandedOver(t *testing.T) {
	o := newOffice(t)
	o.owes("clerk@cranford-pc.example")
	o.tries(59 * time.Minute)
	if got := o.told(); len(got) != 0 {
		t.Errorf("told too early: %q", got)
	}
	o.tries(10 * time.Minute)
	o.passes(30 * time.Hour)
	if got := o.told(); !slices.Equal(got, []string{"(raised mail-stuck)"}) {
		t.Errorf("told %q", got)
	}
	o.write(func(tx *sqlite.Tx) error { return mail.Cancel(tx, "hold", 1, o.at) })
	o.passes(time.Minute)
	o.passes(10 * time.Minute)
	if got := o.told(); !slices.Equal(got, []string{"(raised mail-stuck)", "ended mail-stuck to it"}) {
		t.Errorf("told %q", got)
	}
	o.tellsNothing()
}

// The daemon is started anew, and an email has waited since before: whether it can be handed
// over now, the first attempts show.
func TestStartedAnewBecauseOfTheMailServer(t *testing.T) {
	o := newOffice(t)
	o.owes("clerk@cranford-pc.example")
	o.tries(40 * time.Minute)
	o.at = o.at.Add(48 * time.Hour)
	o.d.startedAt = o.at
	o.passes(4 * time.Minute)
	if got := o.told(); len(got) != 0 {
		t.Errorf("told too early: %q", got)
	}
	o.passes(time.Minute)
	if got := o.told(); len(got) != 1 {
		t.Errorf("told %q", got)
	}
}

// The machine slept, or its clock was set, just as an email had not been taken: nothing is
// known yet of whether it can be handed over.
func TestTheMachineSlept(t *testing.T) {
	o := newOffice(t)
	o.owes("clerk@cranford-pc.example")
	o.tries(2 * time.Minute)
	o.passes(12 * time.Hour)
	if got := o.told(); len(got) != 0 {
		t.Errorf("told %q", got)
	}
}

// tries lets time pass in which emails are tried: nobody listens where the mail server is.
func (o *office) tries(d time.Duration) {
	o.t.Helper()
	for end := o.at.Add(d); o.at.Before(end); {
		o.must(o.d.outbox.DeliverDue(o.ctx))
		o.passes(time.Minute)
	}
}

// That an alert was refused is told to everybody who is told of alerts, but not that this was
// refused in its turn.
func TestAnAlertIsRefused(t *testing.T) {
	o := newOffice(t)
	o.journals(journal.DiskLow, nil)
	o.passes(time.Minute)
	refused := func(about int) {
		o.journals(journal.MailRefused, journal.About{"outbox": 1, "kind": alert.Mail, "about": about})
		o.passes(time.Minute)
	}
	refused(1)
	refused(2)
	o.passes(time.Hour)
	if got, want := o.told(), []string{"raised disk-low to it", "raised alert-lost to clerk+it"}; !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
}

// While the archive cannot be written to, the command is told, at most once an hour, from
// memory; when it can be again, there is an email.
func TestTheArchiveCannotBeWrittenTo(t *testing.T) {
	o := newOffice(t)
	for range 3 {
		o.at = o.at.Add(time.Minute)
		o.d.tellUnwritable("the disk is full")
		from := refusal{o.at, "the disk is full"}
		o.write(func(tx *sqlite.Tx) error {
			return o.d.desk.Passed(tx, o.at, alert.Condition{Kind: alert.Unwritable, Since: from.since, Cause: from.why})
		})
	}
	if n := len(o.d.urgent); n != 1 {
		t.Errorf("the command is told %d times", n)
	} else if told := <-o.d.urgent; told.Kind != alert.Unwritable || told.Sort != alert.Raised {
		t.Errorf("the command is told %+v", told)
	}
	o.passes(time.Minute)
	o.passes(9 * time.Minute)
	if got := o.told(); !slices.Equal(got, []string{"ended unwritable to it"}) {
		t.Errorf("told %q", got)
	}
	o.tellsNothing()
}

// What expires is known from the configuration, and from the server once it was met.
func TestWhatExpires(t *testing.T) {
	o := newOffice(t)
	if got := o.d.mailExpiries(); len(got) != 1 || !got[0].At.IsZero() {
		t.Errorf("it knows %+v", got)
	}
	m := &o.d.o.Config.Mail
	m.Auth, m.OAuth.SecretExpires = config.AuthOAuth, o.at.Add(40*24*time.Hour)
	var told []string
	seen := 0
	for range 42 {
		o.passes(24 * time.Hour)
		all := o.told()
		for _, s := range all[seen:] {
			if told = append(told, s); strings.Contains(s, "mail-late") { // nobody takes them here
				told = told[:len(told)-1]
				continue
			}
			left := m.OAuth.SecretExpires.Sub(o.at)
			want := map[int]time.Duration{1: 30, 2: 15, 3: 3, 4: 1, 5: 0}[len(told)] * 24 * time.Hour
			if kind := map[bool]string{true: "expired", false: "expiring"}[left <= 0]; left != want || s != "raised "+kind+" to it" {
				t.Errorf("%s before it expires: %q; want it %s before", left, s, want)
			}
		}
		seen = len(all)
	}
	if len(told) != 5 {
		t.Errorf("told %q", told)
	}
}

// What is told to expire is not waited for any more: the council has gone back to a password.
func TestASecretThatIsNotNeededAnyMore(t *testing.T) {
	o := newOffice(t)
	m := &o.d.o.Config.Mail
	m.Auth, m.OAuth.SecretExpires = config.AuthOAuth, o.at.Add(20*24*time.Hour)
	o.passes(time.Minute)
	m.Auth = config.AuthPassword
	for range 3 {
		o.passes(10 * time.Minute)
	}
	if got, want := o.told(), []string{"raised expiring to it", "ended expiring to it"}; !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
}

// An email was handed over while the clock was ahead. That none can be, since it is right, is
// told all the same.
func TestNoEmailCanBeHandedOverSinceTheClockIsRight(t *testing.T) {
	o := newOffice(t)
	o.at = o.at.Add(30 * 24 * time.Hour)
	o.journals(journal.MailHandedOver, journal.About{"outbox": 9, "kind": "hold", "about": 9})
	o.at = o.at.Add(-30 * 24 * time.Hour)
	o.owes("clerk@cranford-pc.example")
	o.tries(70 * time.Minute)
	if got := o.told(); !slices.Equal(got, []string{"(raised mail-stuck)"}) {
		t.Errorf("told %q", got)
	}
}

// The only email that is owed is put off by the server for a day: an email can say so.
func TestOneEmailIsPutOff(t *testing.T) {
	if testing.Short() {
		t.Skip("one thing after another, which the race detector watches for long")
	}
	o := newOffice(t)
	busy := true
	o.d.outbox = mail.New(o.d.db, o.d.log, o.d.o.Config.Council.Owns, func(_ context.Context, _, to string, _ []byte) (string, error) {
		if busy && to == "clerk@cranford-pc.example" {
			return "", &mail.Failure{Stage: mail.NamingRecipient, Code: 452}
		}
		return "250", nil
	}, o.d.compose, o.d.now, 0)
	o.owes("clerk@cranford-pc.example")
	o.tries(25 * time.Hour)
	if got := o.told(); !slices.Contains(got, "raised mail-late to it") {
		t.Errorf("told %q", got)
	}
}

// The server cannot be asked how large an email it takes: what is composed meanwhile fits into
// what most servers take, and is not refused for its size when it is there again.
func TestTheServersLimitIsNotKnown(t *testing.T) {
	if got := newOffice(t).d.limit(t.Context()); got != 10_240_000 {
		t.Errorf("an email may have %d bytes", got)
	}
}

// The disk is full, and the alert command fails just then: it is told again until it has
// heard, and then no more.
func TestTheCommandFailsWhileTheArchiveCannotBeWrittenTo(t *testing.T) {
	o := newOffice(t)
	dir := t.TempDir()
	tries, mended := filepath.Join(dir, "tries"), filepath.Join(dir, "mended")
	o.d.command.Argv = []string{"/bin/sh", "-c", "test -e " + mended + "; is=$?; echo x >> " + tries + "; exit $is"}
	expect := func(want int) {
		t.Helper()
		for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
			said, _ := os.ReadFile(tries)
			if n := len(said) / 2; n == want {
				return
			} else if n > want || time.Now().After(deadline) {
				t.Fatalf("the command was run %d times; want %d", n, want)
			}
		}
	}
	ctx, cancel := context.WithCancel(o.ctx)
	done := make(chan error)
	go func() { done <- o.d.commandAlerts(ctx) }()
	o.d.refused.Store(&refusal{o.at, "the disk is full"})
	o.d.tellUnwritable("the disk is full")
	expect(1)
	o.must(os.WriteFile(mended, nil, 0o600))
	o.d.toTell <- struct{}{} // or a minute passes
	expect(2)
	o.d.toTell <- struct{}{}
	o.d.toTell <- struct{}{} // it has taken the one before
	cancel()
	o.must(<-done)
	expect(2)
}
