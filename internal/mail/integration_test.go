//go:build integration

package mail

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"muniment/internal/mail/mailtest"
	"muniment/internal/sqlite"
)

// A council's real mail server: Postfix and Dovecot.
type postOffice struct{ *mailtest.Server }

func (p postOffice) transport(security Security) *Transport {
	t := &Transport{
		Server: p.STARTTLS, Security: security, Username: username, Password: mailtest.Password,
		Helo: "muniment.council.test", Roots: p.Roots, Idle: 20 * time.Second,
	}
	if security == TLS {
		t.Server = p.TLS
	}
	return t
}

// mailbox waits until an address has at least n emails, and returns all, as sent.
func (p postOffice) mailbox(t *testing.T, address string, n int) (emails [][]byte) {
	t.Helper()
	for _, e := range p.Mailbox(t, address, n) {
		emails = append(emails, e.Sent())
	}
	return emails
}

// arrived checks that a mailbox has an email once and nothing else.
func (p postOffice) arrived(t *testing.T, o *office, it Item, address string) {
	t.Helper()
	want, _ := o.compose(t.Context(), it)
	if got := p.mailbox(t, address, 1); len(got) != 1 || !bytes.Equal(got[0], want) {
		t.Errorf("the mailbox has\n%q\nwant once\n%q", got, want)
	}
}

func TestPostfixAndDovecot(t *testing.T) {
	p := postOffice{mailtest.Start(t)}
	for _, mechanism := range []string{"PLAIN", "LOGIN"} {
		t.Run(mechanism, func(t *testing.T) {
			if mechanism != "PLAIN" { // which is chosen if there is a choice
				p.Configure(t, "smtpd_sasl_mechanism_filter="+mechanism)
			}
			p.takesAndKeeps(t, p.transport(STARTTLS), mechanism)
			p.takesAndKeeps(t, p.transport(TLS), mechanism)
		})
	}
	t.Run("tokens", p.tokens)
	t.Run("names beyond ASCII", p.beyondASCII)
	t.Run("full, then emptied", p.fullThenEmptied)
	t.Run("greylisted", p.greylisted)
	t.Run("one gone, one full", p.oneGoneOneFull)
	t.Run("wrong password, then mended", p.wrongPassword)
	t.Run("too large", p.tooLarge)
	t.Run("not trusted", p.notTrusted)
	t.Run("stopped, then started", p.stoppedThenStarted)
	t.Run("cut in the middle of a large email", p.cutInTheMiddle)
	t.Run("stalls", p.stalls)
	t.Run("cut anywhere", func(t *testing.T) {
		proxy, tr := p.Proxy(t), p.transport(TLS)
		tr.Server = proxy.Addr
		cutAnywhere(t, proxy, tr, func(address string, n int) [][]byte {
			p.Drained(t)
			return p.mailbox(t, address, n)
		})
	})
}

func (p postOffice) takesAndKeeps(t *testing.T, tr *Transport, mechanism string) {
	probe, err := tr.Check(t.Context())
	if err != nil || probe.TLS != "TLS 1.3" || probe.Login != mechanism || time.Until(probe.Expires) < 24*time.Hour {
		t.Errorf("check: %+v, err %v", probe, err)
	}
	o := newOffice(t, tr.Send)
	kind := strings.ToLower(fmt.Sprintf("letter-%s-%s", tr.Security, mechanism))
	o.queue(kind, 1)
	o.deliver()
	it := o.expect(Item{Kind: kind, About: 1}, HandedOver, 1)
	if !strings.Contains(it.Recipients[0].LastAnswer, "queued as") {
		t.Errorf("answer %q", it.Recipients[0].LastAnswer)
	}
	p.arrived(t, o, it, it.To[0])

	// All of it arrives as it was composed, also what is long or begins with a dot.
	long := fmt.Appendf(nil, "Message-ID: <long.%s@council.test>\r\nDate: Sun, 22 Nov 2026 12:00:00 +0000\r\n"+
		"From: %s\r\n\r\n%s", kind, username, bytes.Repeat([]byte(".ŵ 📌 a line\r\n.\r\n"), 1<<16))
	if _, err := tr.Send(t.Context(), username, kind+"-long@council.test", long); err != nil {
		t.Fatal(err)
	}
	if got := p.mailbox(t, kind+"-long@council.test", 1); len(got) != 1 || !bytes.Equal(got[0], long) {
		t.Errorf("%d long emails, or not as sent", len(got))
	}
}

// The server takes tokens, of which the endpoint gives one for many connections; while
// that is down everything waits, which counts against no email.
func (p postOffice) tokens(t *testing.T) {
	endpoint := p.OpenTokens(t, username)
	transport := func(security Security) *Transport {
		tr := p.transport(security)
		tr.Password = ""
		tr.OAuth = &OAuth{TokenURL: endpoint.URL(), ClientID: endpoint.ClientID, Secret: endpoint.Secret, Scope: "mail", Roots: p.Roots}
		return tr
	}
	p.takesAndKeeps(t, transport(STARTTLS), "XOAUTH2")

	endpoint.Down()
	before := endpoint.Given()
	tr := transport(TLS)
	o := newOffice(t, tr.Send)
	it := o.queue("token", 1)
	o.deliver()
	if got := o.expect(it, Queued, 0); !strings.Contains(got.Recipients[0].LastAnswer, "token") {
		t.Errorf("answer %q", got.Recipients[0].LastAnswer)
	}
	endpoint.Up(t)
	tr.OAuth.Secret = "an old one"
	o.step(2 * time.Hour)
	o.deliver()
	if got := o.expect(it, Queued, 0); !strings.Contains(got.Recipients[0].LastAnswer, "the secret is wrong") {
		t.Errorf("answer %q", got.Recipients[0].LastAnswer)
	}
	tr.OAuth.Secret = endpoint.Secret
	o.step(2 * time.Hour)
	o.deliver()
	p.arrived(t, o, o.expect(it, HandedOver, 1), it.To[0])

	p.Configure(t, "smtpd_sasl_mechanism_filter=OAUTHBEARER")
	p.takesAndKeeps(t, tr, "OAUTHBEARER") // on the connections to come, with the token that it has
	if n := endpoint.Given() - before; n != 1 {
		t.Errorf("%d tokens were given; want one", n)
	}
}

func (p postOffice) beyondASCII(t *testing.T) {
	msg := []byte("Message-ID: <utf8.1@council.test>\r\nDate: Sun, 22 Nov 2026 12:00:00 +0000\r\nFrom: council@council.test\r\n" +
		"To: Siân Hopkin <siân@council.test>\r\nSubject: Y bont droed\r\n\r\nNawr.\r\n")
	if _, err := p.transport(STARTTLS).Send(t.Context(), username, "siân@council.test", msg); err != nil {
		t.Fatal(err)
	}
	if got := p.mailbox(t, "siân@council.test", 1); len(got) != 1 || !bytes.Equal(got[0], msg) {
		t.Errorf("the mailbox has %q", got)
	}
}

func (p postOffice) fullThenEmptied(t *testing.T) {
	o := newOffice(t, p.transport(STARTTLS).Send)
	it := o.queue("full", 1)
	o.deliver()
	if got := o.expect(it, Queued, 1); !strings.Contains(got.Recipients[0].LastAnswer, "452 4.2.2") {
		t.Errorf("answer %q", got.Recipients[0].LastAnswer)
	}
	p.Answer(t)
	o.step(2 * time.Hour)
	o.deliver()
	p.arrived(t, o, o.expect(it, HandedOver, 2), it.To[0])
}

func (p postOffice) greylisted(t *testing.T) {
	o := newOffice(t, p.transport(STARTTLS).Send)
	it := o.queue("grey", 1)
	o.deliver()
	if got := o.expect(it, Queued, 1); !strings.Contains(got.Recipients[0].LastAnswer, "450 4.7.1") {
		t.Errorf("answer %q", got.Recipients[0].LastAnswer)
	}
	o.step(2 * time.Minute)
	o.deliver()
	p.arrived(t, o, o.expect(it, HandedOver, 2), it.To[0])
}

// Of three recipients, one is not there any more and one has no room: neither keeps it
// from the third, nor does it come to him again when there is room.
func (p postOffice) oneGoneOneFull(t *testing.T) {
	p.Answer(t, "gone.chair@* 550 5.1.1 No such user", "full.clerk@* 452 4.2.2 Mailbox full")
	o := newOffice(t, p.transport(TLS).Send)
	o.write(func(tx *sqlite.Tx) error {
		_, err := Queue(tx, o.now(), Item{
			Kind: "letter", About: 1, From: username, MessageID: MessageID("letter", 1, "three", username),
			To: []string{"gone.chair@council.test", "full.clerk@council.test", "deputy@council.test"},
		})
		return err
	})
	expect := func(gone, full, deputy State) Item {
		t.Helper()
		it := o.find("letter", 1)
		want := map[string]State{"gone.chair@council.test": gone, "full.clerk@council.test": full, "deputy@council.test": deputy}
		for _, r := range it.Recipients {
			if r.State != want[r.Address] {
				t.Errorf("for %s it is %s, want %s: %s", r.Address, r.State, want[r.Address], r.LastAnswer)
			}
		}
		return it
	}
	o.deliver()
	it := expect(Refused, Queued, HandedOver)
	p.arrived(t, o, it, "deputy@council.test")
	p.Answer(t, "gone.chair@* 550 5.1.1 No such user")
	o.step(2 * time.Hour)
	o.deliver()
	expect(Refused, HandedOver, HandedOver)
	p.arrived(t, o, it, "full.clerk@council.test")
	p.arrived(t, o, it, "deputy@council.test")
	if got := p.mailbox(t, "gone.chair@council.test", 0); len(got) != 0 {
		t.Errorf("who is gone has %q", got)
	}
}

func (p postOffice) wrongPassword(t *testing.T) {
	tr := p.transport(STARTTLS)
	tr.Password = "wrong"
	o := newOffice(t, tr.Send)
	it := o.queue("letter", 1)
	o.deliver()
	if got := o.expect(it, Queued, 0); !strings.Contains(got.Recipients[0].LastAnswer, "535 5.7.8") {
		t.Errorf("answer %q", got.Recipients[0].LastAnswer)
	}
	tr.Password = mailtest.Password
	o.step(time.Minute)
	o.deliver()
	o.expect(it, HandedOver, 1)
}

func (p postOffice) tooLarge(t *testing.T) {
	p.Configure(t, "message_size_limit=20000")
	tr := p.transport(STARTTLS)
	large := append(slices.Clone(letter), bytes.Repeat([]byte("more and more\r\n"), 2000)...)
	_, err := tr.Send(t.Context(), username, "size@council.test", large)
	var f *Failure
	if !errors.As(err, &f) || f.Code != 552 || !f.Permanent() {
		t.Errorf("err %v; want that it is too large for good", err)
	}
	if _, err := tr.Send(t.Context(), username, "size@council.test", letter); err != nil {
		t.Error(err)
	}
	if got := p.mailbox(t, "size@council.test", 1); len(got) != 1 {
		t.Errorf("%d emails arrived", len(got))
	}
}

// A server of another name, and one that nobody vouches for, are given nothing.
func (p postOffice) notTrusted(t *testing.T) {
	refuses := func(tr *Transport) {
		t.Helper()
		var f *Failure
		if _, err := tr.Send(t.Context(), username, "stranger@council.test", letter); !errors.As(err, &f) || f.Stage != Securing {
			t.Errorf("err %v; want that the connection cannot be secured", err)
		}
	}
	tr := p.transport(STARTTLS)
	tr.Roots = newAuthority(t).roots()
	refuses(tr)
	p.ShowOther(t)
	refuses(p.transport(STARTTLS))
	refuses(p.transport(TLS))
	p.Drained(t)
	if got := p.mailbox(t, "stranger@council.test", 0); len(got) != 0 {
		t.Errorf("%d emails arrived", len(got))
	}
}

func (p postOffice) stoppedThenStarted(t *testing.T) {
	o := newOffice(t, p.transport(TLS).Send)
	first := o.queue("before", 1)
	o.deliver()
	o.expect(first, HandedOver, 1)
	p.Stop(t)
	second := o.queue("while", 1)
	o.deliver()
	o.expect(second, Queued, 0)
	p.Resume(t)
	o.step(time.Minute)
	o.deliver()
	p.arrived(t, o, o.expect(second, HandedOver, 1), second.To[0])
	p.arrived(t, o, o.find("before", 1), first.To[0])
}

// More than networks hold in between: we are still writing when the connection breaks,
// so it is certain that the server has not taken it.
func (p postOffice) cutInTheMiddle(t *testing.T) {
	proxy, tr := p.Proxy(t), p.transport(TLS)
	tr.Server = proxy.Addr
	proxy.Before(func(step string) bool { return step != mailtest.Half })
	large := append([]byte("Message-ID: <large.1@council.test>\r\nDate: Sun, 22 Nov 2026 12:00:00 +0000\r\nFrom: council@council.test\r\n\r\n"),
		bytes.Repeat([]byte("a line of a large email, of which there are many\r\n"), 1<<18)...)
	_, err := tr.Send(t.Context(), username, "large@council.test", large)
	var f *Failure
	if !errors.As(err, &f) || f.Stage != GivingMessage || f.Unknown() || f.Permanent() {
		t.Errorf("err %v; want that it was not taken", err)
	}
	p.Drained(t)
	if got := p.mailbox(t, "large@council.test", 0); len(got) != 0 {
		t.Errorf("%d emails arrived", len(got))
	}
	proxy.Before(nil)
	if _, err := tr.Send(t.Context(), username, "large@council.test", large); err != nil {
		t.Error(err)
	}
	if got := p.mailbox(t, "large@council.test", 1); len(got) != 1 || !bytes.Equal(got[0], large) {
		t.Errorf("%d emails arrived", len(got))
	}
}

// The server stalls in the middle of an email, and after the end of one: neither is waited
// for without end, and only of the second it is not known whether it was taken.
func (p postOffice) stalls(t *testing.T) {
	proxy := p.Proxy(t)
	patience := 2 * time.Second
	o := newOffice(t, func(ctx context.Context, from, to string, msg []byte) (string, error) {
		tr := p.transport(TLS)
		tr.Server, tr.Idle = proxy.Addr, patience
		defer tr.Close()
		return tr.Send(ctx, from, to, msg)
	})
	o.says = strings.Repeat("\r\na line of a large email, of which there are many", 1<<18)
	for _, tt := range []struct {
		kind, at string
		state    State
		copies   int
	}{
		{"stalled-half", mailtest.Half, Queued, 1},
		{"stalled-answer", mailtest.Answer(mailtest.End), Unknown, 2},
	} {
		release := make(chan struct{})
		proxy.Before(func(step string) bool {
			if step == tt.at {
				<-release
			}
			return step != tt.at
		})
		it := o.queue(tt.kind, 1)
		begin := time.Now()
		o.deliver()
		o.expect(it, tt.state, 1)
		if took := time.Since(begin); took > 15*time.Second {
			t.Errorf("%s was waited for for %s", tt.at, took)
		}
		close(release)
		proxy.Before(nil)
		patience = 20 * time.Second
		o.step(2 * time.Hour)
		o.deliver()
		want, _ := o.compose(t.Context(), o.expect(it, HandedOver, 2))
		p.Drained(t)
		emails := p.mailbox(t, it.To[0], tt.copies)
		if len(emails) != tt.copies {
			t.Errorf("%s: %d copies, want %d", tt.at, len(emails), tt.copies)
		}
		for _, got := range emails {
			if !bytes.Equal(got, want) {
				t.Errorf("%s: a copy has %d bytes, sent were %d, or others", tt.at, len(got), len(want))
			}
		}
		patience = 2 * time.Second
		o.says = ""
	}
}
