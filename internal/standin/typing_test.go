package standin_test

import (
	"encoding/json"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"muniment/internal/standin"
)

// shown makes a client that shows a code to be typed.
func shown(t *testing.T, s *standin.Server) (c *client, code string) {
	t.Helper()
	c = newClient(t, s)
	if err := c.Connect(); err != nil {
		t.Fatal(err)
	}
	await[*events.QR](c, nil)
	code, err := c.PairPhone(within(t), s.Phone().JID().User, true, whatsmeow.PairClientChrome, "Chrome (Linux)")
	if err != nil {
		t.Fatal(err)
	}
	return c, code
}

func TestPairingByTypedCode(t *testing.T) {
	var late atomic.Int64
	s := start(t, standin.Options{Now: func() time.Time { return time.Now().Add(time.Duration(late.Load())) }})
	if err := s.Phone().TypesCode("ABCD-EFGH"); err == nil {
		t.Error("a code was typed that nobody shows")
	}
	c, code := shown(t, s)
	if err := s.Phone().TypesCode("1" + code[1:4] + "-1111"); err == nil || !strings.Contains(err.Error(), "not the one") {
		t.Errorf("a wrong code: %v", err)
	}
	if err := s.Member("Ann Brook", "+447700900101").TypesCode(code); err == nil {
		t.Error("somebody else's phone took the code")
	}
	late.Store(int64(4 * time.Minute))
	if err := s.Phone().TypesCode(code); err == nil || !strings.Contains(err.Error(), "expired") {
		t.Errorf("a late code: %v", err)
	}
	late.Store(0)
	if err := s.Phone().TypesCode(code); err != nil {
		t.Fatal(err)
	}
	await[*events.PairSuccess](c, nil)
	await[*events.Connected](c, nil)
	if outside := s.Journal().Outside(); len(outside) > 0 {
		t.Errorf("client sent what it may not:\n%s", outside)
	}
}

func TestOnlyWellKnownBrowsersShowCodes(t *testing.T) {
	s := start(t, standin.Options{})
	c := newClient(t, s)
	if err := c.Connect(); err != nil {
		t.Fatal(err)
	}
	await[*events.QR](c, nil)
	for _, name := range []string{"Council record", "Chrome (Council record)", "Chrome"} {
		_, err := c.PairPhone(within(t), s.Phone().JID().User, true, whatsmeow.PairClientChrome, name)
		if !errors.Is(err, whatsmeow.ErrIQBadRequest) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestPasskeys(t *testing.T) {
	s := start(t, standin.Options{})
	k := s.Phone().DemandsPasskey()
	c, code := shown(t, s)
	typed := make(chan error, 1)
	go func() { typed <- s.Phone().TypesCode(code) }()
	asked := await[*events.PairPasskeyRequest](c, nil).PublicKey
	answer := func(k *standin.Passkey, asked *types.WebAuthnPublicKey) error {
		options, err := json.Marshal(asked)
		if err != nil {
			t.Fatal(err)
		}
		text, err := k.Answers(string(options))
		if err != nil {
			t.Fatal(err)
		}
		var r types.WebAuthnResponse
		if err := json.Unmarshal([]byte(text), &r); err != nil {
			t.Fatal(err)
		}
		return c.SendPasskeyResponse(within(t), &r)
	}
	anew := func() *types.WebAuthnPublicKey {
		asked, err := c.DangerousInternals().GetPasskeyRequestOptions(within(t)) //lint:ignore SA1019 it means: dangerous
		if err != nil {
			t.Fatal(err)
		}
		return asked
	}
	others := s.Member("Ann Brook", "+447700900101").DemandsPasskey()
	if err := answer(others, asked); !errors.Is(err, whatsmeow.ErrIQNotAuthorized) {
		t.Errorf("another account's passkey: %v", err)
	}
	if err := answer(k, asked); !errors.Is(err, whatsmeow.ErrIQNotAuthorized) {
		t.Errorf("a challenge answered twice: %v", err)
	}
	asked = anew()
	asked.Challenge[0]++
	if err := answer(k, asked); !errors.Is(err, whatsmeow.ErrIQNotAuthorized) {
		t.Errorf("another challenge: %v", err)
	}
	if err := answer(k, anew()); err != nil {
		t.Fatal(err)
	}
	if e := await[*events.PairPasskeyConfirmation](c, nil); !e.SkipHandoffUX || e.Code == "" || s.Phone().Compares() != "" {
		t.Errorf("confirmation %+v, the phone shows %q", e, s.Phone().Compares())
	}
	if !s.Companion().IsEmpty() {
		t.Error("linked before it was confirmed")
	}
	if err := errors.Join(c.SendPasskeyConfirmation(within(t)), <-typed); err != nil {
		t.Fatal(err)
	}
	await[*events.PairSuccess](c, nil)
}
