package whatsapp

import (
	"context"
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"

	"muniment/internal/standin"
)

// typed is a pairing in which the council's phone types the code.
func (w *world) typed() Pairing {
	return Pairing{Phone: w.council.JID().User, Show: func(code string) {
		go func() {
			if err := w.council.TypesCode(code); err != nil {
				w.t.Errorf("type: %v", err)
			}
		}()
	}}
}

// line matches the line for the console, and what is asked in it.
var line = regexp.MustCompile(`^navigator\.credentials\.get\(\{publicKey:PublicKeyCredential\.parseRequestOptionsFromJSON\((\{.*\})\)\}\)`)

// atTheBrowser has p's passkey asked for in a browser that has k.
func (w *world) atTheBrowser(p Pairing, k *standin.Passkey) Pairing {
	p.Passkey = func(_ context.Context, l string, wrong error) (string, error) {
		m := line.FindStringSubmatch(l)
		if m == nil {
			w.t.Errorf("the line is\n%s", l)
			return "", errors.New("no such line")
		}
		return k.Answers(m[1])
	}
	return p
}

// Whichever way this machine is linked, what arrives meanwhile is left to Run.
func TestEveryWayOfLinking(t *testing.T) {
	for name, way := range map[string]func(*world) Pairing{
		"a code is typed": (*world).typed,
		"the first code scanned is not taken": func(w *world) Pairing {
			w.server.RenewCodes(1)
			return Pairing{Show: func(code string) {
				go func() {
					if err := w.council.ScanQR(code); err != nil && !errors.Is(err, standin.ErrRenewed) {
						w.t.Errorf("scan: %v", err)
					}
				}()
			}}
		},
		"a code is scanned, and a passkey demanded": func(w *world) Pairing {
			return w.atTheBrowser(w.scanned(), w.council.DemandsPasskey())
		},
		"a code is typed, and a passkey demanded": func(w *world) Pairing {
			return w.atTheBrowser(w.typed(), w.council.DemandsPasskey())
		},
		"a passkey's answer is not accepted": func(w *world) Pairing {
			w.server.Gates(standin.Gate{Refuse: 2})
			return w.atTheBrowser(w.scanned(), w.council.DemandsPasskey())
		},
		"all is to be done again, and codes compared": func(w *world) Pairing {
			w.server.Gates(standin.Gate{Break: 1})
			p := w.atTheBrowser(w.scanned(), w.council.DemandsPasskey())
			p.Compare = func(_ context.Context, code string) (bool, error) {
				for w.council.Compares() == "" {
					time.Sleep(time.Millisecond)
				}
				return code == w.council.Compares(), nil
			}
			return p
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			s := w.open()
			go func() {
				if w.server.WaitPaired(w.within()) == nil {
					w.ann.Says("Said while linking.")
					w.ann.Retitles("The official group")
				}
			}()
			if err := s.Link(w.within(), way(w)); err != nil {
				t.Fatal(err)
			}
			if !s.Linked() || w.server.Companion().User != w.council.JID().User {
				t.Errorf("Linked = %v, companion %v", s.Linked(), w.server.Companion())
			}
			for range 3 {
				if _, err := s.Groups(w.within()); err != nil {
					t.Fatal(err)
				}
			}
			if n := len(w.server.Settled()); n != 0 {
				t.Errorf("%d stanzas settled while nobody captured: %v", n, w.server.Settled())
			}
			if n, err := s.Unfinished(w.within()); n != 0 || err != nil {
				t.Errorf("Unfinished = %d, %v; nothing may be decrypted while nobody captures", n, err)
			}
			m := newMemory(t)
			w.run(s, m)
			if rs := m.awaitRecords(2); rs[0].Text != "Said while linking." || rs[1].Text != "The official group" {
				t.Errorf("captured %q, %q", rs[0].Text, rs[1].Text)
			}
			w.settled()
			w.receiveOnly("Said while")
		})
	}
}

func TestLinkingThatFails(t *testing.T) {
	passkey := func(w *world, g standin.Gate) Pairing {
		w.server.Gates(g)
		p := w.atTheBrowser(w.scanned(), w.council.DemandsPasskey())
		p.Show = func(code string) { go w.council.ScanQR(code) } // in vain
		return p
	}
	for _, tt := range []struct {
		name string
		way  func(*world, *Session) Pairing
		want error
	}{
		{"nobody types the code", func(w *world, s *Session) Pairing {
			s.typing = 10 * time.Millisecond
			return Pairing{Phone: w.council.JID().User, Show: func(string) {}}
		}, ErrTimedOut},
		{"too many attempts", func(w *world, _ *Session) Pairing {
			w.server.RefusePairing(429)
			return w.typed()
		}, errTooOften},
		{"the number has no account", func(w *world, _ *Session) Pairing {
			p := w.typed()
			p.Phone = "447700900999"
			return p
		}, errNumber},
		{"the number is no number", func(w *world, _ *Session) Pairing {
			p := w.typed()
			p.Phone = "07700900000"
			return p
		}, errNumber},
		{"WhatsApp hangs up", func(w *world, _ *Session) Pairing {
			return Pairing{Show: func(string) { w.server.Down() }}
		}, errBrokenOff},
		{"a passkey is demanded, and there is nobody to ask", func(w *world, _ *Session) Pairing {
			p := passkey(w, standin.Gate{})
			p.Passkey = nil
			return p
		}, errUnasked},
		{"WhatsApp hangs up while the passkey is waited for", func(w *world, _ *Session) Pairing {
			p := passkey(w, standin.Gate{})
			p.Passkey = func(ctx context.Context, _ string, _ error) (string, error) {
				w.server.Down()
				<-ctx.Done()
				return "", ctx.Err()
			}
			return p
		}, errBrokenOff},
		{"no answer of the passkey is accepted", func(w *world, _ *Session) Pairing {
			return passkey(w, standin.Gate{Refuse: 9})
		}, errPasskey},
		{"too many attempts with the passkey", func(w *world, _ *Session) Pairing {
			p := passkey(w, standin.Gate{})
			answer := p.Passkey
			p.Passkey = func(ctx context.Context, l string, wrong error) (string, error) {
				w.server.RefusePairing(429)
				return answer(ctx, l, wrong)
			}
			return p
		}, errTooOften},
		{"the phone shows another code", func(w *world, _ *Session) Pairing {
			p := passkey(w, standin.Gate{Break: 1})
			p.Compare = func(context.Context, string) (bool, error) { return false, nil }
			return p
		}, errDiffers},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			s := w.open()
			if err := s.Link(w.within(), tt.way(w, s)); !errors.Is(err, tt.want) {
				t.Errorf("Link: %v, want %v", err, tt.want)
			}
			if s.Linked() || !w.server.Companion().IsEmpty() {
				t.Errorf("Linked = %v, companion %v", s.Linked(), w.server.Companion())
			}
			w.receiveOnly()
			w.search([]string{w.council.JID().User})
		})
	}
}

// WhatsApp refuses our version of its app: the newest one may do.
func TestLinkingWhenOutdated(t *testing.T) {
	w := newWorldAlone(t, standin.Options{})
	t.Cleanup(func() { store.SetWAVersion(builtIn) })
	s := w.open()
	w.server.OldestApp(builtIn[2] + 9)
	w.server.NewestApp(builtIn[2] + 1)
	if err := s.Link(w.within(), w.scanned()); !errors.Is(err, errOutdated) || s.Linked() {
		t.Errorf("linked as a version that is too old: %v", err)
	}
	w.server.NewestApp(builtIn[2] + 9)
	if err := s.Link(w.within(), w.scanned()); err != nil {
		t.Fatal(err)
	}
	w.server.OldestApp(builtIn[2] + 99)
	if _, err := s.Groups(w.within()); !errors.Is(err, errOutdated) {
		t.Errorf("groups as a version that is too old: %v", err)
	}
	w.server.NewestApp(builtIn[2] + 99)
	if groups, err := s.Groups(w.within()); err != nil || len(groups) != 2 {
		t.Errorf("%d groups, %v", len(groups), err)
	}
	if n := w.server.Pages(); n != 4 {
		t.Errorf("asked %d times which is the newest, want once for each", n)
	}
}

// A wrong code does not end the linking: the phone says so, and its owner tries again.
func TestAWrongCodeIsTyped(t *testing.T) {
	w := newWorld(t)
	s := w.open()
	p := w.typed()
	show := p.Show
	p.Show = func(code string) {
		go func() {
			if err := w.council.TypesCode("1111-1111"); err == nil || !strings.Contains(err.Error(), "not the one that the client shows") {
				t.Errorf("type a wrong code: %v", err)
			}
			show(code)
		}()
	}
	if err := s.Link(w.within(), p); err != nil {
		t.Error(err)
	}
}

func TestAnswersOfAPasskey(t *testing.T) {
	w := newWorld(t)
	k := w.council.DemandsPasskey()
	asked := &types.WebAuthnPublicKey{Challenge: []byte("the challenge"), RelyingPartID: "whatsapp.com"}
	answers := func(q string) string {
		a, err := k.Answers(line.FindStringSubmatch(q)[1])
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	good := answers(question(asked))
	another := answers(question(&types.WebAuthnPublicKey{Challenge: []byte("another"), RelyingPartID: "whatsapp.com"}))
	others := answers(question(&types.WebAuthnPublicKey{Challenge: []byte("the challenge"), RelyingPartID: "example.com"}))
	k.Page = "https://whatsapp.com.example.org"
	elsewhere := answers(question(asked))
	for _, tt := range []struct{ name, text, wrong string }{
		{"whole", good, ""},
		{"with quotation marks, as some consoles print it", "'" + good + "'", ""},
		{"nothing", "", "begins with {"},
		{"what the browser says when one refuses", "NotAllowedError: The operation either timed out or was not allowed.", "was not used"},
		{"not all of it", good[:len(good)-9] + "}", "not the whole"},
		{"other JSON", `{"a":1}`, "something is missing"},
		{"to another line", another, "another line"},
		{"of another page", elsewhere, "another page"},
		{"of another site's passkey", others, "another site"},
	} {
		_, err := readAnswer(tt.text, asked)
		if got := errorText(err); tt.wrong == "" && got != "" || !strings.Contains(got, tt.wrong) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.wrong)
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// Browsers take a list that is not there, but none that is null.
func TestTheLineHasNoNulls(t *testing.T) {
	for _, options := range []string{
		`{"challenge":"AQID","timeout":600000,"rpId":"whatsapp.com","allowCredentials":[],"userVerification":"required","extensions":{"uvm":true}}`,
		`{"challenge":"AQID","rpId":"whatsapp.com","allowCredentials":[{"id":"AQID","type":"public-key"}]}`,
		`{"challenge":"AQID"}`,
	} {
		var key types.WebAuthnPublicKey
		if err := json.Unmarshal([]byte(options), &key); err != nil {
			t.Fatal(err)
		}
		q := question(&key)
		if strings.Contains(q, "null") || strings.Contains(q, "\n") || !strings.Contains(q, `"challenge":"AQID"`) {
			t.Errorf("the line is\n%s", q)
		}
	}
}
