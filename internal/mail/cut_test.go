package mail

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"net"
	"slices"
	"testing"
	"time"

	"muniment/internal/mail/mailtest"
	"muniment/internal/sqlite"
)

// The connection to a server that does everything right breaks at each point at which it
// can: nothing is lost, and a second copy there is only of what was accepted without our
// being told, the same to the byte.
func TestCutAnywhere(t *testing.T) {
	if testing.Short() {
		t.Skip("hands over hundreds of emails")
	}
	ca := newAuthority(t)
	config := &tls.Config{Certificates: []tls.Certificate{ca.issue(t, "127.0.0.1", time.Now().Add(time.Hour))}}
	s := serve(t, TLS, config)
	p := mailtest.NewProxy(t, config, func() (net.Conn, error) {
		return tls.Dial("tcp", s.addr, &tls.Config{RootCAs: ca.roots()})
	})
	tr := s.transport(TLS, ca)
	tr.Server = p.Addr
	cutAnywhere(t, p, tr, func(address string, _ int) (arrived [][]byte) {
		for _, m := range s.mails() {
			if m.to == address {
				arrived = append(arrived, m.body)
			}
		}
		return arrived
	})
}

// cutAnywhere hands over three emails, one of them to two recipients, by a transport to
// the proxy p, which breaks the connection before one step, once; then does so again for
// the next step, until there is none. mailbox waits for what is to arrive at an address.
func cutAnywhere(t *testing.T, p *mailtest.Proxy, tr *Transport, mailbox func(address string, n int) [][]byte) {
	const clerk, chair = "clerk@council.test", "chair@council.test"
	var cuts []string // before which step
	sent := make(map[string][]byte)
	for {
		n, before := 0, "" // steps so far, and the one that never was
		p.Before(func(step string) bool {
			n++
			if n == len(cuts)+1 {
				before = step
			}
			return n != len(cuts)+1
		})
		o := newOffice(t, tr.Send)
		kind := fmt.Sprintf("cut-%d", len(cuts))
		for about, to := range [][]string{{clerk}, {clerk, chair}, {clerk}} {
			o.write(func(tx *sqlite.Tx) error {
				_, err := Queue(tx, o.now(), Item{
					Kind: kind, About: int64(about), From: username, To: to,
					MessageID: MessageID(kind, int64(about), "abc", username),
				})
				return err
			})
		}
		o.deliverAll(kind, 3)
		for about := range int64(3) {
			it := o.find(kind, about)
			sent[it.MessageID], _ = o.compose(t.Context(), it)
		}
		if cuts = append(cuts, before); before == "" {
			break
		}
	}
	p.Before(nil)
	if !slices.Contains(cuts, mailtest.End) || !slices.Contains(cuts, mailtest.Answer(mailtest.End)) || !slices.Contains(cuts, mailtest.Answer("RCPT")) {
		t.Fatalf("cut before %q: the test shows nothing", cuts)
	}

	again := 0 // how many emails were accepted and our side was not told
	for _, step := range cuts {
		if step == mailtest.Answer(mailtest.End) {
			again++
		}
	}
	t.Logf("%d cuts, of which %d after an email was accepted", len(cuts)-1, again)
	copies := make(map[string]int) // by Message-ID and address
	for address, each := range map[string]int{clerk: 3, chair: 1} {
		for _, raw := range mailbox(address, each*len(cuts)) {
			id, _, _ := bytes.Cut(bytes.TrimPrefix(raw, []byte("Message-ID: <")), []byte(">"))
			if !bytes.Equal(raw, sent[string(id)]) {
				t.Errorf("%s has\n%q\nsent was\n%q", address, raw, sent[string(id)])
			}
			copies[string(id)+" "+address]++
		}
	}
	for n, step := range cuts {
		total := 0
		for about, to := range [][]string{{clerk}, {clerk, chair}, {clerk}} {
			for _, address := range to {
				got := copies[MessageID(fmt.Sprintf("cut-%d", n), int64(about), "abc", username)+" "+address]
				if total += got; got == 0 {
					t.Errorf("cut %d, before %s: email %d has not arrived at %s", n, step, about, address)
				}
			}
		}
		want := 4
		if step == mailtest.Answer(mailtest.End) {
			want = 5
		}
		if total != want {
			t.Errorf("cut %d, before %s: %d copies, want %d", n, step, total, want)
		}
	}
}

// deliverAll delivers until n emails of a kind are handed over, as time goes by.
func (o *office) deliverAll(kind string, n int64) {
	o.t.Helper()
	for range 10 {
		o.deliver()
		waiting := 0
		for about := range n {
			if o.find(kind, about).State != HandedOver {
				waiting++
			}
		}
		if waiting == 0 {
			return
		}
		o.step(2 * time.Hour)
	}
	o.t.Errorf("emails of kind %q still wait", kind)
}
